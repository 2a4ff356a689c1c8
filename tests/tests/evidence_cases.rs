//! What a hostile reading found in the evidence, each with the value that is right: who chooses which prints are shown
//! chooses nothing else.

use backstop::error::BackstopError;
use backstop::peril::evidence::{Phase, TermsInput};
use backstop::state::Tranche;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_sandbox::embedded::Price;
use backstop_tests::terms::{self, DAY, FEED, HOUR, ONE};
use backstop_tests::{World, assert_books, assert_refused, explain, seeded};
use solana_sdk::signer::Signer;

const PAR: i64 = 100_000_000;

/// A product with capital behind it, at the first second of a day.
fn stage(condition: TermsInput) -> (World, PoolKeys, ProductKeys) {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, condition);
    world.depositor(&pool, Tranche::Senior, 500_000 * ONE);
    world.next_day();
    (world, pool, product)
}

/// The stress condition with the recommended run-on.
fn stress() -> TermsInput {
    TermsInput { run_on_seconds: 3 * 86_400, ..terms::stress() }
}

/// Shows a price of a moment, a second later.
#[track_caller]
fn show(world: &World, product: &ProductKeys, price_e8: i64, at: i64) {
    world.cluster.set_time(at + 1);
    world.show_at(product, price_e8, at).unwrap_or_else(|error| panic!("{}", explain(&error)));
}

/// Case 4: of 288 prints of a day 24 are at 0.8999, one an hour, and the rest at 0.949.
#[test]
fn a_tenth_of_the_prints_proves_nothing_where_the_rest_is_above() {
    let day = |world: &World, product: &ProductKeys, honest: bool| {
        let from = world.now();
        for hour in 0..24 {
            let start = from + hour * HOUR;
            show(world, product, 89_990_000, start + 300);
            // Two of the eleven others are enough; they are taken for three hours.
            if honest {
                show(world, product, 94_900_000, start + 600);
                show(world, product, 94_900_000, start + 960);
            }
        }
        world.cluster.set_time(from + 24 * HOUR + 6 * HOUR);
        world.run(&[], &[ix::refresh(product)]);
        world.trigger(product).phase()
    };
    let (world, pool, product) = stage(terms::severe());
    world.holder(&product, 100_000 * ONE, 30);
    world.advance(2 * DAY);
    assert_eq!(day(&world, &product, true), Phase::Quiet);
    let open = world.open_incident(&product);
    assert_refused(world.send(&[], &[open]), BackstopError::NotTriggered);
    assert_eq!(world.pool(&pool).alerts, 0);
    assert_books(&world.cluster, &pool.pool);
    // Where nobody shows the rest it is evidence like any: one honest keeper is what it takes.
    let (world, _, product) = stage(terms::severe());
    assert_eq!(day(&world, &product, false), Phase::Final);
}

/// Case 4, the other half: what was cheap to buy while it was coming is not for sale.
#[test]
fn nothing_is_sold_on_a_price_that_its_own_doubt_puts_below() {
    let (world, _, product) = stage(terms::severe());
    let buyer = world.person(10_000 * ONE);
    let refused = |price_e8: i64, confidence: u64| {
        world.advance(2 * DAY);
        world.cluster.post_price(seeded(7).pubkey(), FEED, Price::e8(price_e8, confidence, world.now()));
        world.run(&[], &[ix::observe(&product, seeded(7).pubkey())]);
        let refused = world.buy(&product, &buyer, 1_000 * ONE, 30).1;
        assert_refused(refused, BackstopError::PriceInBuffer);
        // Nor on a better one that comes after it, for a day.
        world.advance(HOUR);
        world.print(&product, PAR);
        assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PriceInBuffer);
    };
    refused(91_000_000, 0);
    refused(96_000_000, 9_000_000);
    refused(96_000_000, 20_000_000);
    refused(100_000_000, 30_000_000);
    world.advance(2 * DAY);
    world.print(&product, PAR);
    world.buy(&product, &buyer, 1_000 * ONE, 30).1.unwrap();
}

/// Case 5: four hours at 0.9495, then 0.70.
#[test]
fn a_collapse_after_a_shallow_onset_is_paid_as_the_collapse_that_it_is() {
    let (world, pool, product) = stage(stress());
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.next_day();
    let from = world.now();
    for slot in 0..16 {
        let price = if slot < 8 { 94_950_000 } else { 70_000_000 };
        show(&world, &product, price, from + slot * 1_800 + 60);
    }
    let proven = from + 4 * HOUR + 6 * HOUR;
    world.cluster.set_time(proven);
    world.run(&[], &[ix::confirm(&product)]);
    let evidence = world.trigger(&product).evidence;
    // A thirtieth of a percent of the way is less than the least severity.
    assert_eq!((evidence.phase(), evidence.first_severity_bps), (Phase::Triggered, 500));
    // The incident opens with that, and its cover is paid it at once.
    world.open_and_fund(&product);
    let before = world.assets(&holder);
    world.settle(&product, &holder, &mint).unwrap();
    assert_eq!(world.assets(&holder) - before, 500 * ONE);
    // Each half hour one more slot at 0.70 settles: after four hours the mean is 0.70.
    let mut severities = Vec::new();
    for slot in 1..=8 {
        world.cluster.set_time(proven + slot * 1_800);
        world.run(&[], &[ix::refresh(&product)]);
        severities.push(world.trigger(&product).evidence.severity_bps);
    }
    // (0.95 - mean) / 0.15 for n of eight at 0.70: (0.0005 (8 - n) + 0.25 n) / 8 / 0.15.
    assert_eq!(severities, [2_112, 4_191, 6_270, 8_350, 10_000, 10_000, 10_000, 10_000]);
    world.cluster.set_time(proven + 3 * DAY);
    world.run(&[], &[ix::refresh(&product)]);
    assert_eq!(world.trigger(&product).phase(), Phase::Final);
    world.run(&[], &[world.fund_incident(&product)]);
    world.settle(&product, &holder, &mint).unwrap();
    assert_eq!(world.assets(&holder) - before, 10_000 * ONE);
    assert_books(&world.cluster, &pool.pool);
}

/// Case 5 with a bounce: two prints of 0.96 three minutes apart, between the onset and the collapse, end no run-on. A
/// recovery that lasts does, and what falls after it is another event.
#[test]
fn a_bounce_between_onset_and_collapse_takes_nothing_away() {
    let paid = [0, 1, 2].map(|bounces| {
        let (world, pool, product) = stage(stress());
        let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
        world.advance(3 * DAY);
        world.next_day();
        let from = world.now();
        for slot in 0..8 {
            show(&world, &product, 94_950_000, from + slot * 1_800 + 60);
        }
        for slot in 8..8 + bounces {
            show(&world, &product, 96_000_000, from + slot * 1_800);
            show(&world, &product, 96_000_000, from + slot * 1_800 + 180);
        }
        for slot in 8 + bounces..40 {
            show(&world, &product, 70_000_000, from + slot * 1_800 + 60);
        }
        world.run(&[], &[ix::confirm(&product)]);
        world.open_and_fund(&product);
        world.cluster.set_time(from + 10 * HOUR + 3 * DAY);
        let _ = world.send(&[], &[world.fund_incident(&product)]);
        world.settle(&product, &holder, &mint).unwrap();
        assert_books(&world.cluster, &pool.pool);
        world.incident(&product).paid
    });
    assert_eq!(paid, [10_000 * ONE, 10_000 * ONE, 500 * ONE]);
}

/// Case 5, the other half: one print a slot at 0.94999 beside 29 at 0.85.
#[test]
fn one_print_at_the_threshold_a_slot_takes_a_proven_loss_away_from_nobody() {
    let (world, _, product) = stage(stress());
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.next_day();
    let from = world.now();
    for slot in 0..8 {
        show(&world, &product, 85_000_000, from + slot * 1_800 + 60);
        show(&world, &product, 94_999_000, from + slot * 1_800 + 120);
    }
    world.cluster.set_time(from + 4 * HOUR + 6 * HOUR + 3 * DAY);
    world.run(&[], &[ix::refresh(&product)]);
    world.open_and_fund(&product);
    world.settle(&product, &holder, &mint).unwrap();
    assert_eq!(world.incident(&product).paid, 500 * ONE);
}

/// Case 6: 80 hours at 0.80, one print of 0.97 in hour 23.
#[test]
fn one_second_of_recovery_moves_no_event() {
    let (world, pool, product) = stage(terms::severe());
    let (old, old_mint) = world.holder(&product, 20_000 * ONE, 30);
    world.advance(4 * DAY);
    world.next_day();
    world.advance(HOUR / 2);
    // Bought half an hour before the fall: still waiting at the event.
    let (late, late_mint) = world.holder(&product, 100_000 * ONE, 30);
    world.advance(HOUR / 2);
    let from = world.now();
    for hour in 0..80 {
        show(&world, &product, 80_000_000, from + hour * HOUR + 60);
        if hour == 22 {
            show(&world, &product, 97_000_000, from + hour * HOUR + 1_800);
        }
    }
    world.run(&[], &[ix::refresh(&product)]);
    let evidence = world.trigger(&product).evidence;
    assert_eq!((evidence.event_at, evidence.met_at), (from, from + 24 * HOUR));
    world.open_and_fund(&product);
    let before = (world.assets(&old), world.assets(&late));
    let premium = world.cover(&late_mint).premium;
    world.settle(&product, &old, &old_mint).unwrap();
    world.settle(&product, &late, &late_mint).unwrap();
    assert_eq!(world.assets(&old) - before.0, 20_000 * ONE);
    // But for the unit by which its rate was rounded down.
    assert_eq!(world.assets(&late) - before.1, premium - 1);
    assert_books(&world.cluster, &pool.pool);
}
