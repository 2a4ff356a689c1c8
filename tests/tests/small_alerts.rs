//! Case 17: a dollar in alert stopped exits, deposits and accrual of a pool of a million. Alerts that expose at most 0.5 %
//! of what absorbs losses stop nothing; what they expose stays.

use backstop::error::BackstopError;
use backstop::state::{CoverState, ProductTerms, Tranche};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused};

/// Below the threshold of the one product, and not of the other.
const LOW: i64 = 94_000_000;
/// Below full loss.
const RUIN: i64 = 70_000_000;

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", backstop_tests::explain(&error)));
}

struct Stage {
    world: World,
    pool: PoolKeys,
    /// What falls, with a cover of a little.
    stress: ProductKeys,
    holder: Person,
    mint: anchor_lang::prelude::Pubkey,
    /// Somebody who leaves with 100,000.
    leaver: Person,
    ticket: u64,
}

/// A pool of a million, 100,000 insured that stay calm, and a little that does not. An exit of 100,000 is due.
fn stage(sum: u64) -> Stage {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let of_group = |risk_group, condition| {
        let terms = ProductTerms { risk_group, ..terms::product_terms() };
        world.create_product_with(&pool, NewProduct { terms, ..terms::create_product(world.covered, condition) })
    };
    let (stress, severe) = (of_group(0, terms::stress()), of_group(1, terms::severe()));
    let leaver = world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 900_000 * ONE);
    world.next_day();
    world.holder(&severe, 100_000 * ONE, 365);
    let (holder, mint) = world.holder(&stress, sum, 90);
    let shares = world.shares(&pool, &leaver, Tranche::Senior);
    let ticket = world.exit(&pool, &leaver, Tranche::Senior, shares);
    world.advance(9 * DAY);
    Stage { world, pool, stress, holder, mint, leaver, ticket }
}

#[test]
fn a_dollar_in_alert_stops_neither_exits_nor_deposits_nor_earning() {
    let Stage { world, pool, stress, leaver, ticket, .. } = stage(ONE);
    world.print(&stress, LOW);
    world.run(&[], &[ix::accrue(pool.pool)]);
    let books = world.pool(&pool);
    assert_eq!((books.alerts, books.alert_exposure, books.alerts_hold(), books.stands_since), (1, ONE, false, 0));
    // Since its day is over who leaves earns again.
    let due = books.tranche(Tranche::Senior).exiting;
    assert!(due > 100_000 * ONE - 1, "{due}");
    // Who asked to leave is paid.
    must(world.settle_epoch(&pool, books.oldest_exit_day));
    must(world.claim(&pool, &leaver, ticket));
    // Rounded against whoever leaves.
    assert!((due - 2..due).contains(&world.assets(&leaver)), "{} of {due}", world.assets(&leaver));
    // Others come in, and one takes his request back.
    let newcomer = world.depositor(&pool, Tranche::Senior, 50_000 * ONE);
    let half = world.shares(&pool, &newcomer, Tranche::Senior) / 2;
    let again = world.exit(&pool, &newcomer, Tranche::Senior, half);
    world.advance(DAY);
    let ticket = world.ticket(&pool, &newcomer, again);
    must(world.send(&[&newcomer.key], &[ix::cancel_exit(&pool, &ticket)]));
    // Premium is earned.
    let books = world.pool(&pool);
    assert_eq!((books.accrued_at, books.stands_since), (world.now(), 0));
    assert_books(&world.cluster, &pool.pool);
}

/// Who comes in just before the incident is opened would share in what it leaves of its premium.
#[test]
fn nobody_comes_in_while_a_small_alert_is_due_and_exits_go_on() {
    let Stage { world, pool, stress, leaver, ticket, .. } = stage(ONE);
    world.depeg(&stress, RUIN);
    let books = world.pool(&pool);
    assert_eq!((books.alerts_due, books.alerts_hold()), (1, false));
    let person = world.person(10 * ONE);
    assert_refused(world.deposit(&pool, &person, Tranche::Senior, 10 * ONE), BackstopError::PoolInAlert);
    must(world.settle_epoch(&pool, books.oldest_exit_day));
    must(world.claim(&pool, &leaver, ticket));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn half_a_percent_is_small_and_a_unit_more_is_not() {
    for (more, held) in [(0, false), (1, true)] {
        let Stage { world, pool, stress, .. } = stage(5_000 * ONE + more);
        world.run(&[], &[ix::accrue(pool.pool)]);
        // Loss capital is a million and what it has earned: the rest is taken away.
        let mut books = world.pool(&pool);
        let earned = books.loss_capital().unwrap() - 1_000_000 * ONE;
        assert!(earned > 0);
        books.surplus -= books.surplus.min(earned);
        let rest = books.loss_capital().unwrap() - 1_000_000 * ONE;
        books.tranches[1].assets -= rest;
        books.cash -= earned;
        let mut account = backstop_client::Cluster::account(&world.cluster, &pool.pool).unwrap().unwrap();
        account.data[8..].copy_from_slice(bytemuck::bytes_of(&books));
        world.cluster.svm().set_account(pool.pool, account).unwrap();
        world.print(&stress, LOW);
        let books = world.pool(&pool);
        assert_eq!((books.alerts_hold(), books.stands_since), (held, if held { world.now() } else { 0 }));
        let epoch = world.settle_epoch(&pool, books.oldest_exit_day);
        let person = world.person(10 * ONE);
        let deposit = world.deposit(&pool, &person, Tranche::Senior, 10 * ONE);
        if held {
            assert_refused(epoch, BackstopError::PoolInAlert);
            assert_refused(deposit, BackstopError::PoolInAlert);
            continue;
        }
        // Not a unit may leave, or it would be small no longer: there is nothing free.
        assert_refused(epoch, BackstopError::NothingFree);
        must(deposit);
        // With 10 more 10 may.
        must(world.settle_epoch(&pool, books.oldest_exit_day));
        assert_eq!(world.pool(&pool).loss_capital().unwrap(), 1_000_000 * ONE);
        assert!(!world.pool(&pool).alerts_hold());
    }
}

/// What a dollar's cover had not earned counts from the last accrual, a day after it was met, though it was proven before.
#[test]
fn a_small_alert_that_is_proven_stops_all_of_it_and_is_paid() {
    let Stage { world, pool, stress, holder, mint, .. } = stage(ONE);
    world.print(&stress, LOW);
    world.depeg_until_proven(&stress, RUIN);
    let due_since = world.pool(&pool).due_since;
    // Nobody opens it for days; premium is earned for a day from when it was met.
    let proven_at = world.trigger(&stress).evidence.met_at + 6 * HOUR;
    assert!(due_since < proven_at && proven_at < due_since + DAY);
    assert!(!world.pool(&pool).alerts_hold());
    world.advance(5 * DAY);
    world.run(&[], &[ix::accrue(pool.pool)]);
    let books = world.pool(&pool);
    assert_eq!((books.accrued_at, books.stands_since), (due_since + DAY, due_since + DAY));
    let person = world.person(10 * ONE);
    assert_refused(world.deposit(&pool, &person, Tranche::Senior, 10 * ONE), BackstopError::PoolInAlert);
    world.open_and_fund(&stress);
    let incident = world.incident(&stress);
    assert_eq!((incident.accrued_at, incident.ended_at), (due_since + DAY, due_since + DAY));
    let premium = world.cover(&mint).premium;
    let left = world.cover(&mint).unearned_at(due_since + DAY).unwrap();
    let before = world.assets(&holder);
    must(world.settle(&stress, &holder, &mint));
    // All of the dollar; and of its premium nothing, as all of it was lost.
    assert_eq!((world.assets(&holder) - before, world.cover(&mint).state), (ONE, CoverState::Settled));
    assert!(left > 0 && left < premium);
    assert_books(&world.cluster, &pool.pool);
}
