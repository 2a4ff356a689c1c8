//! What is due, and what is worth a fee.

use super::*;
use backstop::peril::feed::{Observation, Source};
use backstop_keeper::crank::chain::{Chain, Depth, Whereabouts};
use backstop_keeper::crank::plan::{self, Plan};
use backstop_keeper::crank::work::Work;
use backstop_keeper::crank::{Kind, Print};

fn read(world: &World) -> Chain {
    let depth = Depth { tickets: true, leftovers: true };
    Chain::read(&world.cluster, &mut Whereabouts::new(), depth).unwrap()
}

fn print(price_e8: u64, publish_time: i64) -> Print {
    Print {
        source: Source::PythReceiver.byte(),
        feed: FEED,
        account: standing_account(&FEED),
        observation: Observation { price: price_e8, confidence: 0, publish_time },
        attested: None,
    }
}

fn planned(chain: &Chain, prints: &[Print]) -> Plan {
    plan::plan(chain, prints, &Settings::default(), &Pubkey::default())
}

fn kinds(plan: &Plan) -> Vec<Kind> {
    plan.due.iter().map(|work| work.kind).collect()
}

/// A pool with one product that was shown a price at the first second of a slot, as it was read then.
fn quiet(price_e8: i64) -> (World, ProductKeys, Chain) {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    world.print(&product, price_e8);
    let chain = read(&world);
    (world, product, chain)
}

#[test]
fn of_a_slot_two_prints_are_shown_that_count_together_and_whatever_says_something_new() {
    let (world, product, mut chain) = quiet(PAR);
    let start = chain.now;
    let shown = |chain: &Chain, price| kinds(&planned(chain, &[print(price, chain.now)])) == [Kind::Observe];
    chain.now = start + 179;
    assert!(!shown(&chain, 100_000_001), "it lies too near to the first");
    assert!(shown(&chain, 95_900_000), "a price that nothing is sold on");
    assert!(shown(&chain, 94_000_000), "a breach is news");
    chain.now = start + 180;
    assert!(shown(&chain, 100_000_001), "with the first it says that the slot is no evidence");
    world.advance(180);
    world.print(&product, PAR);
    let mut chain = read(&world);
    chain.now = start + 1_000;
    assert!(!shown(&chain, 100_000_000), "the slot is known to be without trouble");
    assert!(!shown(&chain, 96_000_000), "and one more changes nothing");
    assert!(shown(&chain, 94_000_000), "a breach is news");
    chain.now = start + 1_800;
    assert!(shown(&chain, 100_000_000), "a new slot");
    let old = [print(100_000_000, start - 256 * 1_800)];
    assert_eq!(kinds(&planned(&chain, &old)), [], "before the ring");
    assert_eq!(kinds(&planned(&chain, &[print(100_000_000, chain.now + 5)])), [Kind::Observe]);
    assert_eq!(
        kinds(&planned(&chain, &[print(100_000_000, chain.now + 6)])),
        [],
        "the program takes none so far ahead"
    );
}

#[test]
fn a_selling_product_gets_a_print_before_the_last_one_is_too_old_to_buy_on() {
    let (world, product, _) = quiet(PAR);
    world.advance(180);
    world.print(&product, PAR);
    let mut chain = read(&world);
    let start = chain.now;
    // The slot is known to be without trouble: only buyers need more.
    chain.products.get_mut(&product.product).unwrap().product.terms.max_price_age = 600;
    let healthy = |chain: &Chain| kinds(&planned(chain, &[print(PAR as u64, chain.now)]));
    chain.now = start + 300;
    assert_eq!(healthy(&chain), [], "half of the time that a print is good for");
    chain.now = start + 301;
    assert_eq!(healthy(&chain), [Kind::Observe]);
    let view = chain.products.get_mut(&product.product).unwrap();
    view.product.state = ProductState::Frozen.byte();
    assert_eq!(healthy(&chain), [], "nobody can buy now");
    // What is near the boundary is shown all the same: the first to buy after the thaw must not be ahead of the evidence.
    let view = chain.products.get(&product.product).unwrap();
    let boundary = (view.trigger.terms.threshold * (10_000 + u64::from(view.product.terms.no_sale_buffer_bps)))
        .div_ceil(10_000)
        .max(view.trigger.terms.recovery);
    assert_eq!(kinds(&planned(&chain, &[print(boundary, chain.now)])), []);
    assert_eq!(kinds(&planned(&chain, &[print(boundary - 1, chain.now)])), [Kind::Observe]);
}

#[test]
fn the_highest_breach_of_a_slot_is_shown_and_the_lowest_in_steps() {
    let (_, _, mut chain) = quiet(94_000_000);
    let start = chain.now;
    chain.now += 600;
    let shown = |chain: &Chain, price| kinds(&planned(chain, &[print(price, start + 600)]));
    assert_eq!(shown(&chain, 94_000_001), [Kind::Observe], "the severity goes by the highest");
    // A hundredth of the threshold below the lowest, while the slot lasts.
    assert_eq!(shown(&chain, 93_050_001), []);
    assert_eq!(shown(&chain, 93_050_000), [Kind::Observe]);
    chain.now = start + 1_800;
    assert_eq!(shown(&chain, 93_999_999), [Kind::Observe], "once it is over the lowest of all");
    assert_eq!(shown(&chain, 94_000_000), []);
}

#[test]
fn of_several_prints_the_newest_that_is_worth_it_is_shown() {
    let (_, _, mut chain) = quiet(PAR);
    chain.now += 1_900;
    let mut newest = print(95_500_000, chain.now);
    newest.account = Pubkey::new_from_array([1; 32]);
    let mut worth = print(94_000_000, chain.now - 5);
    worth.account = Pubkey::new_from_array([2; 32]);
    let other_feed = Print { feed: [8; 32], ..worth.clone() };
    let plan = planned(&chain, &[print(94_000_000, chain.now - 30), newest.clone(), worth.clone(), other_feed]);
    let [Work { instructions: first, .. }, Work { instructions: second, .. }] = &plan.due[..] else {
        panic!("{:?}", kinds(&plan))
    };
    // Half of the price's age is over too, so that the newest serves buyers: it comes first. The breach is news.
    assert_eq!(first[0].accounts.last().unwrap().pubkey, newest.account);
    assert_eq!(
        second[0].accounts.last().unwrap().pubkey,
        standing_account(&FEED),
        "of those that say the same the oldest"
    );
    chain.now -= 1_000;
    let [older, newer] =
        [print(94_000_000, chain.now - 5), Print { account: worth.account, ..print(93_000_000, chain.now) }];
    let plan = planned(&chain, &[older, newer]);
    assert_eq!(plan.due[0].instructions[0].accounts.last().unwrap().pubkey, worth.account);
}

#[test]
fn a_confirmation_needs_no_price_and_comes_the_second_the_challenge_is_over() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    world.holder(&product, 1_000 * ONE, 30);
    let payer = operator(&world);
    world.advance(3 * DAY);
    breach_for_long(&world, &product, HALF, &payer);
    let mut chain = read(&world);
    let terms = world.trigger(&product).terms;
    let window = world.trigger(&product).evidence.window(&terms).unwrap();
    chain.now = window.contradicted_until;
    assert_eq!(kinds(&planned(&chain, &[])), []);
    chain.now += 1;
    assert_eq!(kinds(&planned(&chain, &[print(PAR as u64, chain.now)])), [Kind::Confirm], "no print can undo it");
}

#[test]
fn a_phase_that_time_has_changed_is_refreshed() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    world.holder(&product, 1_000 * ONE, 30);
    world.advance(2 * DAY);
    world.print(&product, HALF);
    world.run(&[], &[ix::accrue(product.pool.pool)]);
    let mut chain = read(&world);
    assert_eq!(kinds(&planned(&chain, &[])), []);
    chain.now += DAY / 2;
    assert_eq!(kinds(&planned(&chain, &[])), [Kind::Refresh]);
}

#[test]
fn nothing_is_due_in_a_pool_where_nothing_happens_and_once_a_day_premium_is_earned() {
    let (world, product, _) = quiet(PAR);
    world.holder(&product, 1_000 * ONE, 30);
    let mut chain = read(&world);
    let day = (i64::from(day_of(chain.now)) + 1) * DAY;
    chain.now = day - 1;
    assert_eq!(kinds(&planned(&chain, &[])), []);
    chain.now = day;
    assert_eq!(kinds(&planned(&chain, &[])), [Kind::Accrue]);
    let payer = operator(&world);
    world.cluster.set_time(day);
    assert_eq!(run(&world, &payer).count("accrue"), 1);
    world.advance(HOUR);
    assert_eq!(run(&world, &payer).transactions, 0);
}

#[test]
fn an_epoch_is_settled_in_parts_only_if_a_part_is_worth_it() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let person = world.depositor(&pool, Tranche::Senior, 10_000 * ONE);
    world.next_day();
    world.holder(&product, 160_000 * ONE, 365);
    world.exit(&pool, &person, Tranche::Senior, world.shares(&pool, &person, Tranche::Senior));
    let mut chain = read(&world);
    chain.now += 9 * DAY;
    let view = chain.pools.get_mut(&pool.pool).unwrap();
    // As if the pool held just so much more than it must: the exiting tranche is 10,000.
    let free = |view: &mut backstop_keeper::crank::chain::PoolView, amount: u64| {
        let books = &mut view.books;
        books.accrue(world.now() + 9 * DAY).unwrap();
        let required = books.required_capital().unwrap();
        let rest = books.loss_capital().unwrap() - required - amount;
        books.tranches[1].assets -= rest;
        books.cash -= rest;
    };
    let settles = |chain: &Chain| kinds(&planned(chain, &[])).contains(&Kind::SettleExitEpoch);
    free(view, 50 * ONE);
    assert!(!settles(&chain), "half a percent of what is leaving");
    let view = chain.pools.get_mut(&pool.pool).unwrap();
    view.books.tranches[1].assets += 100 * ONE;
    view.books.cash += 100 * ONE;
    assert!(settles(&chain), "more than one percent");
}
