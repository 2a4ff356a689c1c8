//! Capital counts for sales once it has stayed; what is done and undone in a moment moves neither capacity nor level; room
//! is paid for as long as it is taken.

use anchor_lang::solana_program::instruction::Instruction;
use backstop::RequestExitArgs;
use backstop::error::BackstopError;
use backstop::state::{CoverRequest, ExitTicket, PoolTerms, ProductTerms, Quote, Tranche};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_client::quote::Market;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, budget};
use solana_sdk::signer::Signer;

/// A price far from every threshold.
const HEALTHY: i64 = 100_000_000;

fn stage(pool: PoolTerms, product: ProductTerms) -> (World, PoolKeys, ProductKeys) {
    let world = World::new();
    let pool = world.create_pool(backstop::CreatePoolArgs { terms: pool, ..terms::create_pool(0) });
    let product = NewProduct { terms: product, ..terms::create_product(world.covered, terms::stress()) };
    let product = world.create_product_with(&pool, product);
    (world, pool, product)
}

fn quote(world: &World, product: &ProductKeys, sum_insured: u64, term_days: u16) -> Result<Quote, BackstopError> {
    let market = Market::fetch(&world.cluster, product).unwrap();
    market.quote(CoverRequest { sum_insured, term_days }, world.now())
}

/// A request to leave with all senior shares, and what takes it back.
fn flash(world: &World, pool: &PoolKeys, whale: &Person) -> [Instruction; 2] {
    let books = world.pool(pool);
    let (nonce, epoch_day) = (world.fresh(), books.exit_day(world.now()));
    let shares = world.shares(pool, whale, Tranche::Senior);
    let args = RequestExitArgs { nonce, tranche: Tranche::Senior, shares, epoch_day };
    let ticket = ExitTicket {
        pool: pool.pool,
        owner: whale.id(),
        rent_payer: world.payer.pubkey(),
        version: backstop::constants::ACCOUNT_VERSION,
        bump: 0,
        tranche: Tranche::Senior,
        series: 0,
        epoch_day,
        units: 0,
        claimed: 0,
        nonce,
        asked_on: 0,
        reserved: [0; 28],
    };
    [ix::request_exit(pool, whale.id(), world.payer.pubkey(), args), ix::cancel_exit(pool, &ticket)]
}

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", backstop_tests::explain(&error)));
}

/// A pool of 1,000,000, of which somebody has 600,000, and a cover of 200,000 in a capacity of 800,000.
fn with_a_whale() -> (World, PoolKeys, ProductKeys, Person) {
    let (world, pool, product) = stage(terms::pool_terms(), terms::product_terms());
    let whale = world.depositor(&pool, Tranche::Senior, 600_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 400_000 * ONE);
    world.next_day();
    world.holder(&product, 200_000 * ONE, 365);
    (world, pool, product, whale)
}

/// Case 13: request, sync and cancel in one transaction brought a capacity of 800,000 to 320,000, and doubled the price.
#[test]
fn a_flash_exit_is_refused_and_one_across_midnight_moves_nothing() {
    let (world, pool, product, whale) = with_a_whale();
    let sync = ix::sync_product(&product);
    let honest = quote(&world, &product, 100_000 * ONE, 365).unwrap();
    assert_eq!(honest.capacity, 800_000 * ONE);
    let [request, cancel] = flash(&world, &pool, &whale);
    let at_once = [budget(), request, sync.clone(), cancel];
    assert_refused(world.send(&[&whale.key], &at_once), BackstopError::AskedToday);
    // The last second of the day, and the first of the next, with the level drifted between.
    world.next_day();
    world.advance(-1);
    let [request, cancel] = flash(&world, &pool, &whale);
    must(world.send(&[&whale.key], &[budget(), request, sync.clone()]));
    world.print(&product, HEALTHY);
    // While it stands nothing beyond its 320,000 is sold, at the price of what is left.
    let squeezed = quote(&world, &product, 100_000 * ONE, 365).unwrap();
    assert_eq!(squeezed.capacity, 320_000 * ONE);
    assert!(squeezed.premium > honest.premium);
    world.advance(1);
    must(world.send(&[&whale.key], &[budget(), sync.clone(), cancel, sync]));
    world.print(&product, HEALTHY);
    let after = quote(&world, &product, 100_000 * ONE, 365).unwrap();
    assert_eq!(after.capacity, 800_000 * ONE);
    // The level fell by a day's 2 %: a quarter of the capacity is used, as was all day. 10,000 less two of it.
    assert_eq!((honest.level_bps, after.level_bps), (9_800, 9_604));
    assert!(after.premium < honest.premium);
    assert_books(&world.cluster, &pool.pool);
}

/// Case 13: daily for 30 days it lifted the level to 17,074 instead of 5,356.
#[test]
fn a_flash_exit_every_night_for_a_month_leaves_the_level_where_it_would_be() {
    let levels = [true, false].map(|attacked| {
        let (world, pool, product, whale) = with_a_whale();
        let sync = ix::sync_product(&product);
        for _ in 0..30 {
            world.next_day();
            world.advance(-1);
            let [request, cancel] = flash(&world, &pool, &whale);
            if attacked {
                must(world.send(&[&whale.key], &[budget(), request, sync.clone()]));
            }
            world.advance(1);
            if attacked {
                must(world.send(&[&whale.key], &[budget(), sync.clone(), cancel]));
            }
            world.run(&[], std::slice::from_ref(&sync));
        }
        assert_books(&world.cluster, &pool.pool);
        world.product(&product).level_bps
    });
    // 10,000 less 2 % of itself, rounded down, on the day of the deposit and on 30 more.
    let honest = (0..31).fold(10_000u32, |level, _| level - level * 200 / 10_000);
    assert_eq!((levels, honest), ([5_356, 5_356], 5_356));
}

/// Case 13: 2,000,000 brought a second before midnight made a year on 19,000 cost 618 instead of 2,528.
#[test]
fn capital_rented_over_midnight_makes_cover_neither_cheaper_nor_more() {
    for rented in [0, 2_000_000 * ONE] {
        let pool = PoolTerms { seasoning_days: 7, ..terms::pool_terms() };
        // A level of 1, that stays.
        let (world, pool, product) = stage(pool, ProductTerms { drift_bps: 0, ..terms::product_terms() });
        world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
        for _ in 0..7 {
            world.print(&product, HEALTHY);
            assert_eq!(quote(&world, &product, ONE, 30), Err(BackstopError::BeyondCapacity), "it is not seasoned");
            world.next_day();
        }
        world.holder(&product, 60_000 * ONE, 365);
        world.next_day();
        world.advance(-1);
        let attacker = world.person(rented + 100_000 * ONE);
        if rented > 0 {
            must(world.deposit(&pool, &attacker, Tranche::Senior, rented));
        }
        world.advance(1);
        world.print(&product, HEALTHY);
        assert_eq!(quote(&world, &product, 20_001 * ONE, 365), Err(BackstopError::BeyondCapacity));
        let (mint, outcome) = world.buy(&product, &attacker, 19_000 * ONE, 365);
        must(outcome);
        // Risk: 3 % of 19,000 are 570. Demand from 60,000 to 79,000 of 80,000, with the kink of 5 % at 64,000 and 20 % at
        // the end: 4,000 at 4.84375 % and 15,000 at 12.03125 %, 1,998.4375 a year, for the 372 days from the purchase to
        // the release: a day until it begins, 365, and six of the ring. 2,036.763698...
        assert_eq!(world.cover(&mint).premium, 2_606_763_699, "{rented} rented");
        assert_books(&world.cluster, &pool.pool);
    }
}

/// Case 14: a day of cover on all 800,000 of capacity for 162 kept it from others for 14 days.
#[test]
fn room_is_paid_for_from_the_purchase_to_the_release() {
    let (world, pool, product) =
        stage(terms::pool_terms(), ProductTerms { min_term_days: 3, drift_bps: 0, ..terms::product_terms() });
    world.depositor(&pool, Tranche::Senior, 1_000_000 * ONE);
    world.next_day();
    let (_, mint) = world.holder(&product, 800_000 * ONE, 3);
    // Insured for three days, at 3 % of risk: 24,000 a year. In the way of others for ten, as the ring reaches six days
    // back: demand for all of the capacity is 640,000 at 2.5 % and 160,000 at 12.5 %, 36,000 a year.
    // (24,000 x 3 + 36,000 x 10) / 365 = 1,183.561643...
    let cover = world.cover(&mint);
    assert_eq!(cover.premium, 1_183_561_644);
    let books = world.product(&product);
    let held = books.release_time(cover.end_day) - world.now();
    assert_eq!(held, 10 * terms::DAY);
    world.advance(held - 1);
    world.run(&[], &[ix::sync_product(&product)]);
    assert_eq!(world.product(&product).exposure, 800_000 * ONE);
    world.advance(1);
    world.run(&[], &[ix::sync_product(&product)]);
    assert_eq!(world.product(&product).exposure, 0);
}

#[test]
fn a_product_sells_a_quarter_of_its_capacity_a_day() {
    let (world, pool, product) =
        stage(terms::pool_terms(), ProductTerms { daily_bps: 2_500, ..terms::product_terms() });
    world.depositor(&pool, Tranche::Senior, 1_000_000 * ONE);
    world.next_day();
    world.holder(&product, 150_000 * ONE, 30);
    let late = world.person(500_000 * ONE);
    assert_refused(world.buy(&product, &late, 50_000 * ONE + 1, 30).1, BackstopError::SoldOutToday);
    must(world.buy(&product, &late, 50_000 * ONE, 30).1);
    assert_eq!(quote(&world, &product, ONE, 30), Err(BackstopError::SoldOutToday));
    // Half of it is back after half a day, all of it after a day.
    world.advance(terms::DAY / 2);
    world.print(&product, HEALTHY);
    assert_refused(world.buy(&product, &late, 100_000 * ONE + 1, 30).1, BackstopError::SoldOutToday);
    world.next_day();
    world.print(&product, HEALTHY);
    must(world.buy(&product, &late, 200_000 * ONE, 30).1);
    assert_refused(world.buy(&product, &late, ONE, 30).1, BackstopError::SoldOutToday);
}

/// Money 6: a day's sales bought at midnight, and given back and bought again at the next, kept everybody out for the
/// fee of a tenth.
#[test]
fn a_day_of_sales_that_is_given_back_and_bought_again_keeps_nobody_out() {
    let (world, pool, product) =
        stage(terms::pool_terms(), ProductTerms { daily_bps: 2_500, ..terms::product_terms() });
    world.depositor(&pool, Tranche::Senior, 1_000_000 * ONE);
    world.next_day();
    let (attacker, mint) = world.holder(&product, 200_000 * ONE, 7);
    let (real, wealth) = (world.person(10_000 * ONE), world.person(10_000 * ONE));
    assert_refused(world.buy(&product, &real, ONE, 30).1, BackstopError::SoldOutToday);
    world.next_day();
    world.print(&product, HEALTHY);
    world.run(&[&attacker.key], &[ix::cancel_cover(&product, attacker.id(), mint, world.payer.pubkey())]);
    let (_, outcome) = world.buy(&product, &wealth, 200_000 * ONE, 7);
    must(outcome);
    assert_refused(world.buy(&product, &real, ONE, 30).1, BackstopError::SoldOutToday);
    // A twenty-fourth of 200,000 comes back in an hour.
    world.advance(3_600);
    world.print(&product, HEALTHY);
    assert_refused(world.buy(&product, &real, 8_333_333_334, 30).1, BackstopError::SoldOutToday);
    must(world.buy(&product, &real, 8_333_333_333, 30).1);
    assert_books(&world.cluster, &pool.pool);
}

/// A cover that is given back before it begins to be insured has taken room from others: that part of its premium stays.
#[test]
fn who_gives_a_cover_back_pays_for_the_room_that_it_took() {
    let waiting = u32::try_from(4 * terms::DAY).unwrap();
    let (world, pool, product) =
        stage(terms::pool_terms(), ProductTerms { waiting_seconds: waiting, drift_bps: 0, ..terms::product_terms() });
    world.depositor(&pool, Tranche::Senior, 1_000_000 * ONE);
    world.next_day();
    let (buyer, mint) = world.holder(&product, 100_000 * ONE, 7);
    let cover = world.cover(&mint);
    // A week of 100,000 at 3 %, and 5 % x 100,000 / 640,000 / 2 for the seventeen days from purchase to release.
    assert_eq!(cover.premium, 75_727_740); // (3,000 x 7 + 390.625 x 17) / 365
    assert_eq!(world.product(&product).release_time(cover.end_day) - world.now(), 17 * terms::DAY);
    world.advance(4 * terms::DAY - 1);
    let (before, surplus) = (world.assets(&buyer), world.pool(&pool).surplus);
    world.run(&[&buyer.key], &[ix::cancel_cover(&product, buyer.id(), mint, world.payer.pubkey())]);
    // Four of the seventeen days, less a second: 17,818,240.2, where a tenth is 7,572,774.
    assert_eq!(cover.premium - (world.assets(&buyer) - before), 17_818_241);
    // Its rate has a unit less than the premium to earn, and no more leaves with it: that unit is the pool's with its last cover.
    assert_eq!(world.pool(&pool).surplus - surplus, 17_818_240);
    assert_books(&world.cluster, &pool.pool);
}
