//! A vintage: a pool that sells until a day, runs off by itself, and lets everybody go without a cooldown once nothing is
//! exposed any more.

use backstop::RequestExitArgs;
use backstop::error::BackstopError;
use backstop::state::{PoolKind, PoolTerms, Seen, Tranche};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Person, World, assert_books, assert_refused};
use solana_sdk::signer::Signer;

/// A vintage that ends in so many days, with a product.
fn vintage(world: &World, ahead: u32) -> (PoolKeys, ProductKeys) {
    let terms = PoolTerms { sells_until_day: world.today() + ahead, ..terms::pool_terms() };
    let pool = world.create_pool(backstop::CreatePoolArgs { terms, ..terms::create_pool(0) });
    let product = world.create_product(&pool, terms::stress());
    (pool, product)
}

fn end(world: &World, pool: &PoolKeys) -> i64 {
    world.pool(pool).terms.sells_until().unwrap()
}

#[test]
fn the_end_of_a_vintage_lies_ahead_within_two_years() {
    let world = World::new();
    let create = |ahead: u32, kind: PoolKind| {
        let terms = PoolTerms { sells_until_day: world.today() + ahead, ..terms::pool_terms() };
        let args = backstop::CreatePoolArgs { terms, kind, ..terms::create_pool(9) };
        let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, args.id);
        let create = ix::create_pool(world.governance.pubkey(), world.payer.pubkey(), &keys, args);
        world.send(&[&world.governance], &[create])
    };
    for (ahead, kind) in [(0, PoolKind::Cover), (731, PoolKind::Cover), (30, PoolKind::Reinsurance)] {
        assert_refused(create(ahead, kind), BackstopError::BadVintage);
    }
    create(730, PoolKind::Cover).unwrap();
}

#[test]
fn to_the_second_a_vintage_sells_until_its_end_and_takes_deposits_until_then() {
    let world = World::new();
    let (pool, product) = vintage(&world, 5);
    world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.next_day();
    let (buyer, late) = (world.person(1_000 * ONE), world.person(1_000 * ONE));
    world.cluster.set_time(end(&world, &pool) - 1);
    world.print(&product, 100_000_000);
    world.buy(&product, &buyer, 100 * ONE, 30).1.unwrap();
    world.deposit(&pool, &late, Tranche::Senior, 10 * ONE).unwrap();
    world.advance(1);
    world.print(&product, 100_000_000);
    assert_refused(world.buy(&product, &buyer, 100 * ONE, 30).1, BackstopError::VintageOver);
    assert_refused(world.deposit(&pool, &late, Tranche::Senior, 10 * ONE), BackstopError::VintageOver);
    // A gift to those who stay is no business.
    let give = ix::contribute_surplus(&pool, late.id(), ONE, Seen::ANYTHING);
    world.run(&[&late.key], &[give]);
    // What is announced gets no condition any more.
    let other = NewProduct { name: "Another".into(), ..terms::create_product(world.covered, terms::stress()) };
    let keys = world.announce_product(&pool, &other);
    let set = ix::set_condition(world.governance.pubkey(), world.payer.pubkey(), &keys, None, other.condition());
    assert_refused(world.send(&[&world.governance], &[set]), BackstopError::VintageOver);
    assert_books(&world.cluster, &pool.pool);
}

/// Asks to leave with all of a tranche's shares in the epoch of a day.
fn ask(world: &World, pool: &PoolKeys, who: &Person, epoch_day: u32) -> (u64, backstop_tests::Outcome) {
    let nonce = world.fresh();
    let shares = world.shares(pool, who, Tranche::Senior);
    let args = RequestExitArgs { nonce, tranche: Tranche::Senior, shares, epoch_day };
    let request = ix::request_exit(pool, who.id(), world.payer.pubkey(), args);
    (nonce, world.send(&[&who.key], &[request]))
}

/// A cover of a dollar, sold in the last second, costs those who stay its ring and nothing else; once it is released
/// everybody leaves from one midnight to the next, whenever he asked.
#[test]
fn a_vintage_lets_everybody_go_the_next_midnight_once_nothing_is_exposed() {
    let world = World::new();
    let (pool, product) = vintage(&world, 5);
    let early = world.depositor(&pool, Tranche::Senior, 50_000 * ONE);
    let stays = world.depositor(&pool, Tranche::Senior, 50_000 * ONE);
    world.next_day();
    world.cluster.set_time(end(&world, &pool) - 1);
    let (_, mint) = world.holder(&product, ONE, 30);
    world.advance(1);
    // With a dollar exposed the cooldown is a week, and what that dollar does not need is free after it.
    let today = world.today();
    assert_eq!(world.pool(&pool).exit_day(world.now()), today + 7);
    assert_refused(ask(&world, &pool, &early, today).1, BackstopError::WrongExitDay);
    let (waits, asked) = ask(&world, &pool, &early, today + 7);
    asked.unwrap();
    world.cluster.set_time(i64::from(today + 8) * DAY);
    world.settle_epoch(&pool, today + 7).unwrap();
    world.claim(&pool, &early, waits).unwrap();
    // A unit is rounded against him.
    assert_eq!(world.assets(&early), 50_000 * ONE - 1);

    // The cover ends, and the ring of the evidence with it.
    let released = world.product(&product).release_time(world.cover(&mint).end_day);
    world.cluster.set_time(released - 1);
    world.run(&[], &[ix::sync_product(&product)]);
    assert!(!world.pool(&pool).has_run_off(world.now()));
    world.advance(1);
    world.run(&[], &[ix::sync_product(&product)]);
    assert!(world.pool(&pool).has_run_off(world.now()));
    let today = world.today();
    let (nonce, asked) = ask(&world, &pool, &stays, today);
    asked.unwrap();
    assert_refused(world.settle_epoch(&pool, today), BackstopError::EpochNotOver);
    world.next_day();
    world.settle_epoch(&pool, today).unwrap();
    world.claim(&pool, &stays, nonce).unwrap();
    // All that was deposited, and what the cover's premium earned him: the least, 1 token less a tenth for the surplus.
    assert!(world.assets(&stays) > 50_000 * ONE, "{}", world.assets(&stays));
    let books = world.pool(&pool);
    assert_eq!(books.loss_capital().unwrap(), books.surplus);
    assert_books(&world.cluster, &pool.pool);
}

/// A ticket that was asked for before waits for the day that it named; whoever would rather go now takes it back and asks
/// anew.
#[test]
fn who_asked_before_the_run_off_was_over_can_ask_anew() {
    let world = World::new();
    let (pool, product) = vintage(&world, 5);
    let leaves = world.depositor(&pool, Tranche::Senior, 50_000 * ONE);
    world.next_day();
    world.cluster.set_time(end(&world, &pool) - 1);
    let (_, mint) = world.holder(&product, ONE, 30);
    let released = world.product(&product).release_time(world.cover(&mint).end_day);
    world.cluster.set_time(released - DAY);
    let (nonce, asked) = ask(&world, &pool, &leaves, world.today() + 7);
    asked.unwrap();
    world.cluster.set_time(released);
    world.run(&[], &[ix::sync_product(&product)]);
    let ticket = world.ticket(&pool, &leaves, nonce);
    world.run(&[&leaves.key], &[ix::cancel_exit(&pool, &ticket)]);
    let today = world.today();
    let (nonce, asked) = ask(&world, &pool, &leaves, today);
    asked.unwrap();
    world.next_day();
    world.settle_epoch(&pool, today).unwrap();
    world.claim(&pool, &leaves, nonce).unwrap();
    assert!(world.assets(&leaves) > 50_000 * ONE - 10);
    assert_books(&world.cluster, &pool.pool);
}
