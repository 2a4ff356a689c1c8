//! Products that stay breaching: a price that wobbles at its threshold for weeks holds neither what has ended, nor a crisis
//! or a reinsurer for longer than its evidence can concern them.

use backstop::CreatePoolArgs;
use backstop::error::BackstopError;
use backstop::peril::evidence::Phase;
use backstop::state::{PoolTerms, ProductTerms, Tranche, TreatyTerms, day_start};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_tests::reinsurance::{Scene, layer, over, quota_share};
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

/// The renewal of a quota share lapsed by a dollar that breached until the term was over.
#[test]
fn a_dollar_that_stays_breaching_keeps_no_treaty_from_being_accepted() {
    let scene = Scene::new();
    let world = &scene.world;
    let this = over(world.now(), 30, quota_share(world.now(), 5_000, 0, ONE).kind, 40_000 * ONE);
    let first = scene.announced(&scene.owned, this);
    scene.capital();
    must(scene.accept(&first));
    world.next_day();
    let little = scene.second_group();
    world.next_day();
    world.holder(&scene.product, 170_000 * ONE, 60);
    world.holder(&little, ONE, 60);
    let from = TreatyTerms { start_day: this.end_day, end_day: this.end_day + 300, ..this };
    let next = scene.announced(&scene.owned, from);
    world.cluster.set_time(day_start(this.end_day) - 1);
    world.print(&little, LOW);
    let cedant = scene.accrue(&scene.cedant);
    assert_eq!((cedant.alerts, cedant.alerts_due, cedant.alerts_hold()), (1, 0, false));
    must(scene.accept(&next));
    scene.assert_books();
}

/// A cover of 1,050 held a reinsurer of 200,000 behind a layer of 50,000 above 50,000, and before its term.
#[test]
fn what_a_layer_cannot_pay_for_keeps_no_reinsurer() {
    for (ahead, sum, held) in [(0, 50_000, false), (0, 52_000, true), (100, 60_000, false)] {
        let scene = Scene::new();
        let world = &scene.world;
        let terms = layer(world.now(), 50_000 * ONE, 50_000 * ONE);
        let terms = TreatyTerms { start_day: terms.start_day + ahead, end_day: terms.start_day + ahead + 200, ..terms };
        let treaty = scene.announced(&scene.open, terms);
        let [_, _, _, senior] = scene.capital();
        must(scene.accept(&treaty));
        world.next_day();
        let nonce = world.exit(&scene.open, &senior, Tranche::Senior, 10_000 * ONE * 1_000);
        let day = world.ticket(&scene.open, &senior, nonce).epoch_day;
        world.holder(&scene.product, sum * ONE, 30);
        world.advance(9 * DAY);
        world.print(&scene.product, LOW);
        assert_eq!(scene.accrue(&scene.cedant).alert_exposure, sum * ONE);
        let person = world.person(1_000 * ONE);
        let deposit = world.deposit(&scene.open, &person, Tranche::Senior, 1_000 * ONE);
        let settle = ix::settle_reinsurance_epoch(scene.open.pool, day, &[scene.cedant.pool]);
        let settled = world.send(&[], &[settle]);
        if held {
            // 2,000 above the attachment are 1 % of the reinsurer's 200,000.
            assert_refused(deposit, BackstopError::PoolInAlert);
            assert_refused(settled, BackstopError::PoolInAlert);
        } else {
            must(deposit);
            must(settled);
        }
        scene.assert_books();
    }
}

/// What is met in the second in which the wait is over got 47,910 of its 60,000 in the crisis before, whose holders then
/// had 63,880 of 80,000, or 31,789 after it, by who called first.
#[test]
fn who_is_first_when_the_wait_for_an_alert_is_over_decides_nothing() {
    let mut outcomes = Vec::new();
    for met_first in [true, false] {
        let world = World::new();
        let terms = PoolTerms { rho_bps: 0, ..terms::pool_terms() };
        let pool = world.create_pool(CreatePoolArgs { terms, ..terms::create_pool(0) });
        let of_group = |risk_group, condition| {
            let terms = ProductTerms { risk_group, cap_bps: 10_000, ..terms::product_terms() };
            world.create_product_with(&pool, NewProduct { terms, ..terms::create_product(world.covered, condition) })
        };
        let (stress, severe) = (of_group(0, terms::stress()), of_group(1, terms::severe()));
        world.depositor(&pool, Tranche::Senior, 110_000 * ONE);
        world.next_day();
        let first = world.holder(&stress, 80_000 * ONE, 90);
        let second = world.holder(&severe, 60_000 * ONE, 90);
        world.advance(3 * DAY);
        // The second wobbles from before the first is final: one good slot of three.
        let mut next = (world.now() / HOUR + 1) * HOUR;
        world.cluster.set_time(next);
        world.print(&severe, 85_000_000);
        for half in 1..=8 {
            world.cluster.set_time(next + half * HOUR / 2);
            world.print(&stress, 80_000_000);
        }
        next += 4 * HOUR;
        world.cluster.set_time(next + HOUR / 2);
        world.print(&severe, 85_000_000);
        let proven_at = next + HOUR / 2 + 6 * HOUR;
        let mut wobble = |until: i64| {
            while next + 3 * HOUR <= until {
                next += 3 * HOUR;
                world.cluster.set_time(next + 60);
                world.print(&severe, 85_000_000);
            }
        };
        wobble(proven_at);
        world.cluster.set_time(proven_at.max(world.now() + 1));
        world.run(&[], &[ix::confirm(&stress)]);
        world.open_and_fund(&stress);
        let crisis = world.pool(&pool).crisis;
        assert_eq!((world.pool(&pool).alerts, crisis.unfinal, crisis.ring_days), (1, 0, 11));
        let boundary = crisis.final_at + 11 * DAY;
        // Until 22 hours before the end of the wait, and then every slot.
        let last = boundary.div_euclid(HOUR) * HOUR;
        wobble(last - 21 * HOUR - 1);
        for hour in 1..=21 {
            world.cluster.set_time(last - (22 - hour) * HOUR + 60);
            world.print(&severe, 85_000_000);
        }
        world.cluster.set_time(boundary - 1);
        assert_refused(world.send(&[], &[world.fund_incident(&stress)]), BackstopError::AlreadyFunded);
        assert_eq!(world.pool(&pool).alerts_due, 0);
        world.cluster.set_time(boundary);
        let meet = || {
            for _ in 0..6 {
                world.print(&severe, 85_000_000);
                if world.pool(&pool).alerts_due > 0 {
                    return;
                }
                world.advance(HOUR);
            }
            panic!("it is met within hours");
        };
        let fund = || must(world.send(&[], &[world.fund_incident(&stress)]));
        if met_first {
            meet();
            fund();
        } else {
            fund();
            meet();
        }
        assert!(!world.pool(&pool).in_crisis());
        world.advance(7 * HOUR);
        world.run(&[], &[ix::confirm(&severe)]);
        world.open_and_fund(&severe);
        must(world.settle(&stress, &first.0, &first.1));
        must(world.settle(&severe, &second.0, &second.1));
        outcomes.push([&stress, &severe].map(|product| world.incident(product).paid));
        assert_books(&world.cluster, &pool.pool);
    }
    let [met_first, funded_first] = outcomes[..] else { panic!("two orders") };
    assert_eq!((met_first[0], met_first), (80_000 * ONE, funded_first));
}

/// What nobody had called for by the deadline held a reinsurer that had the money for a year more.
#[test]
fn a_debt_that_nobody_can_call_for_any_more_keeps_no_reinsurer() {
    let scene = Scene::new();
    let world = &scene.world;
    let share = scene.announced(&scene.open, quota_share(world.now(), 3_000, 0, 50_000 * ONE));
    let [_, _, _, senior] = scene.capital();
    must(scene.accept(&share));
    world.next_day();
    let nonce = world.exit(&scene.open, &senior, Tranche::Senior, 10_000 * ONE * 1_000);
    let day = world.ticket(&scene.open, &senior, nonce).epoch_day;
    scene.insured(&scene.product, 100_000 * ONE);
    scene.strike(&scene.product);
    let deadline = world.incident(&scene.product).deadline;
    world.advance(3 * DAY);
    must(scene.fund(&scene.product));
    let settle = || world.send(&[], &[ix::settle_reinsurance_epoch(scene.open.pool, day, &[scene.cedant.pool])]);
    world.cluster.set_time(deadline - 1);
    assert_refused(settle(), BackstopError::TreatyOwes);
    assert!(world.send(&[], &[world.close_incident(&scene.product)]).is_err());
    world.cluster.set_time(deadline);
    assert_eq!(scene.left_and_owed(&share), (20_000 * ONE, 30_000 * ONE));
    world.run(&[], &[world.close_incident(&scene.product)]);
    // Its limit is used all the same, and nothing waits for what never comes.
    assert_eq!(scene.left_and_owed(&share), (20_000 * ONE, 0));
    let recoverable = world.pool(&scene.cedant).tranches.map(|book| book.recoverable + book.exiting_recoverable);
    assert_eq!(recoverable, [0; 2]);
    must(settle());
    let person = world.person(1_000 * ONE);
    must(world.deposit(&scene.open, &person, Tranche::Senior, 1_000 * ONE));
    // The treaty ends as soon as the ring no longer reaches back to it.
    let reach = scene.treaty(&share).end() + i64::from(world.pool(&scene.cedant).ring_days) * DAY;
    world.cluster.set_time(reach.max(world.now()));
    let _ = scene.settle_premium(&scene.open);
    must(scene.end(&share));
    assert_eq!(world.pool(&scene.open).open_limits().unwrap(), 0);
    scene.assert_books();
}
