//! Products that stay breaching: a price that wobbles at its threshold for weeks holds neither what has ended, nor a crisis
//! or a reinsurer for longer than its evidence can concern them.

use backstop::error::BackstopError;
use backstop::peril::evidence::Phase;
use backstop::state::{ProductTerms, Tranche};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_tests::reinsurance::{Scene, over, quota_share};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, World, assert_books, assert_refused};

/// Below the threshold of the one product, and not of the other.
const LOW: i64 = 94_000_000;
/// Below full loss.
const RUIN: i64 = 70_000_000;

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", backstop_tests::explain(&error)));
}

/// A pool of a million with two products of two risk groups: the second falls later.
fn stage() -> (World, PoolKeys, [ProductKeys; 2]) {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let of_group = |risk_group, condition| {
        let terms = ProductTerms { risk_group, ..terms::product_terms() };
        world.create_product_with(&pool, NewProduct { terms, ..terms::create_product(world.covered, condition) })
    };
    let products = [of_group(0, terms::stress()), of_group(1, terms::severe())];
    world.depositor(&pool, Tranche::Senior, 900_000 * ONE);
    (world, pool, products)
}

/// A breach every three hours keeps a condition of four hours breaching and meets none: one slot of six is good.
fn wobble(world: &World, product: &ProductKeys, until: i64) {
    while world.now() < until {
        world.print(product, LOW);
        assert_eq!(world.trigger(product).phase(), Phase::Breaching);
        world.cluster.set_time(until.min(world.now() + 3 * HOUR));
    }
}

#[test]
fn a_wobble_of_weeks_releases_what_has_ended_and_lets_go_of_the_pool() {
    let (world, pool, [stress, _]) = stage();
    let leaver = world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.next_day();
    let (_, mint) = world.holder(&stress, 50_000 * ONE, 7);
    world.holder(&stress, ONE, 90);
    let shares = world.shares(&pool, &leaver, Tranche::Senior);
    let ticket = world.exit(&pool, &leaver, Tranche::Senior, shares);
    world.advance(5 * DAY);
    let released_at = world.product(&stress).release_time(world.cover(&mint).end_day);
    wobble(&world, &stress, released_at - 1);
    world.run(&[], &[ix::sync_product(&stress)]);
    // 50,001 of a million hold the pool: the exit that is past its day waits, and nobody comes in.
    let books = world.pool(&pool);
    assert_eq!((books.alerts, books.alert_exposure, books.alerts_hold()), (1, 50_001 * ONE, true));
    let newcomer = world.person(10 * ONE);
    assert_refused(world.settle_epoch(&pool, books.oldest_exit_day), BackstopError::PoolInAlert);
    assert_refused(world.deposit(&pool, &newcomer, Tranche::Senior, 10 * ONE), BackstopError::PoolInAlert);
    world.advance(1);
    world.run(&[], &[ix::sync_product(&stress)]);
    assert_eq!(world.trigger(&stress).phase(), Phase::Breaching);
    let books = world.pool(&pool);
    assert_eq!((books.alerts, books.alert_exposure, books.group_alert_exposures[0]), (1, ONE, ONE));
    assert_eq!((books.alerts_hold(), books.stands_since), (false, 0));
    must(world.settle_epoch(&pool, books.oldest_exit_day));
    must(world.claim(&pool, &leaver, ticket));
    must(world.deposit(&pool, &newcomer, Tranche::Senior, 10 * ONE));
    assert_eq!(world.pool(&pool).accrued_at, world.now());
    assert_books(&world.cluster, &pool.pool);
}

/// A product that nobody synced puts covers in alert that ended long ago.
#[test]
fn an_alert_that_began_with_covers_that_had_ended_is_over_once_somebody_syncs() {
    let (world, pool, [stress, severe]) = stage();
    world.next_day();
    let (_, mint) = world.holder(&stress, 50_000 * ONE, 7);
    world.cluster.set_time(world.product(&stress).release_time(world.cover(&mint).end_day));
    world.print(&stress, LOW);
    let books = world.pool(&pool);
    assert_eq!((books.alerts, books.alert_exposure, books.alerts_hold()), (1, 50_000 * ONE, true));
    world.run(&[], &[ix::sync_product(&stress)]);
    let books = world.pool(&pool);
    assert_eq!((books.alerts, books.alert_exposure, books.alerts_hold(), books.stands_since), (0, 0, false, 0));
    assert_eq!(world.trigger(&stress).phase(), Phase::Breaching);
    // Its end later ends nothing else.
    world.recover(&stress, 100_000_000);
    assert_eq!(world.pool(&pool).alerts, 0);
    world.holder(&severe, ONE, 30);
    assert_books(&world.cluster, &pool.pool);
}

/// A crisis waits for a dollar that is breaching as long as its evidence can reach back, and not for 30 days.
#[test]
fn a_dollar_that_stays_breaching_keeps_a_crisis_open_for_its_ring_and_no_longer() {
    let (world, pool, [stress, severe]) = stage();
    world.next_day();
    let (holder, mint) = world.holder(&severe, 100_000 * ONE, 60);
    world.holder(&stress, ONE, 60);
    world.advance(3 * DAY);
    // The severe condition is met while the other one wobbles: it breaches every three hours.
    for hour in 0..24 {
        world.cluster.set_time((world.now() / HOUR + 1) * HOUR);
        world.print(&severe, RUIN);
        if hour % 3 == 0 {
            world.print(&stress, LOW);
        }
    }
    wobble(&world, &stress, world.now() + 8 * HOUR);
    world.run(&[], &[ix::confirm(&severe)]);
    world.run(&[], &[world.open_incident(&severe)]);
    let (final_at, ring_days) = (world.pool(&pool).crisis.final_at, i64::from(world.pool(&pool).ring_days));
    assert_eq!(ring_days, 11);
    wobble(&world, &stress, final_at + ring_days * DAY - 1);
    must(world.send(&[], &[world.fund_incident(&severe)]));
    assert!(world.pool(&pool).in_crisis() && !world.pool(&pool).crisis_is_ripe(world.now()));
    // 100,000 of 900,000 are there beside all that may still be needed: it is paid in full meanwhile.
    let before = world.assets(&holder);
    must(world.settle(&severe, &holder, &mint));
    assert_eq!(world.assets(&holder) - before, 100_000 * ONE);
    world.advance(1);
    assert_eq!(world.trigger(&stress).phase(), Phase::Breaching);
    must(world.send(&[], &[world.fund_incident(&severe)]));
    assert!(!world.pool(&pool).in_crisis());
    assert_books(&world.cluster, &pool.pool);
}

/// A reinsurer is free of a treaty once no event of its term can be proven, though a dollar of the cedant breaches.
#[test]
fn a_dollar_that_stays_breaching_keeps_no_reinsurer() {
    let scene = Scene::new();
    let world = &scene.world;
    let kind = quota_share(0, 5_000, 0, ONE).kind;
    let [treaty] = scene.in_force([(&scene.owned, over(world.now(), 20, kind, 50_000 * ONE))]);
    scene.insured(&scene.product, ONE);
    let reach = scene.treaty(&treaty).end() + i64::from(world.pool(&scene.cedant).ring_days) * DAY;
    world.cluster.set_time(reach - 2 * DAY);
    wobble(world, &scene.product, reach - 1);
    let _ = scene.settle_premium(&scene.owned);
    assert_refused(scene.end(&treaty), BackstopError::TreatyInUse);
    world.advance(1);
    let _ = scene.settle_premium(&scene.owned);
    assert_eq!((world.pool(&scene.cedant).alerts, world.pool(&scene.cedant).alerts_due), (1, 0));
    scene.end(&treaty).unwrap();
    scene.assert_books();
}
