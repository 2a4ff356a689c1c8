//! Losses, wiped-out tranches, and what a crisis gives and takes.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::peril::AlertLevel;
use backstop::state::*;

#[test]
fn a_loss_falls_on_surplus_then_junior_then_senior() {
    let mut pool = pool_with(100, 10_000, 20_000);
    pool.request_exit(Tranche::Junior, 4_000_000).unwrap();
    pool.request_exit(Tranche::Senior, 5_000_000).unwrap();
    let split = pool.take_loss(1_100).unwrap();
    let expected = LossByLayer { surplus: 100, junior_assets: 600, junior_exiting: 400, ..LossByLayer::default() };
    assert_eq!(split, expected);
    assert_eq!(layers(&pool), [0, 5_400, 3_600, 15_000, 5_000]);
    // 9,000 of junior capital and 1,001 of senior: a quarter of it, rounded up, from what is leaving.
    let split = pool.take_loss(10_001).unwrap();
    assert_eq!((split.junior_assets, split.junior_exiting), (5_400, 3_600));
    assert_eq!((split.senior_assets, split.senior_exiting), (750, 251));
    assert_eq!((split.junior_over, split.junior_wiped, split.senior_over, split.senior_wiped), (true, 0, false, 0));
    assert_eq!(layers(&pool), [0, 0, 0, 14_250, 4_749]);
    refused(pool.take_loss(19_000), InvariantViolated);
}

#[test]
fn a_tranche_below_a_hundredth_of_its_first_price_is_wiped_out() {
    // 1,000,000 shares are wiped out when (assets + 1) x 100,000 < 1,001,000: below 10.01 - 1.
    for (left, over) in [(10, false), (9, true), (0, true)] {
        for tranche in Tranche::BOTH {
            let mut pool = pool();
            *pool.tranche_mut(tranche) = TrancheBook {
                assets: 1_000,
                exiting: 1_000,
                shares: 1_000_000,
                units: 1_000,
                series: 3,
                ..TrancheBook::default()
            };
            let split = pool.take_loss(2 * (1_000 - left)).unwrap();
            let (junior, senior) = (tranche == Tranche::Junior, tranche == Tranche::Senior);
            assert_eq!((split.junior_over, split.senior_over), (junior && over, senior && over));
            let wiped = if over { 2 * left } else { 0 };
            assert_eq!(
                (split.junior_wiped, split.senior_wiped),
                (wiped * u64::from(junior), wiped * u64::from(senior))
            );
            assert_eq!(pool.surplus, wiped);
            let book = *pool.tranche(tranche);
            if over {
                assert_eq!(book, TrancheBook { series: 3, wiped_out: 1, ..TrancheBook::default() });
            } else {
                assert_eq!((book.assets, book.exiting, book.shares, book.wiped_out), (left, left, 1_000_000, 0));
            }
        }
    }
}

#[test]
fn a_tranche_that_everybody_is_leaving_is_wiped_out_by_the_price_of_its_units() {
    for (left, over) in [(10, false), (9, true)] {
        let mut pool = pool();
        pool.tranches[0] = TrancheBook { exiting: 1_000, units: 1_000_000, ..TrancheBook::default() };
        let split = pool.take_loss(1_000 - left).unwrap();
        assert_eq!(split.junior_over, over);
        assert_eq!((pool.tranches[0].wiped_out, pool.surplus), (u8::from(over), if over { left } else { 0 }));
    }
}

/// A share left behind looks like one at its first price, whatever was lost: the units tell.
#[test]
fn units_without_value_wipe_a_tranche_out_whatever_a_share_is_worth() {
    for (shares, assets) in [(1, 0), (1_000_000, 1_000)] {
        let mut pool = pool();
        let book = TrancheBook { assets, shares, units: 1_000_000, exiting: 10, ..TrancheBook::default() };
        pool.tranches[0] = book;
        // A unit of loss falls on what is leaving: 10 of 10 are at 1 % of the start, 9 below it.
        let split = pool.take_loss(1).unwrap();
        assert!(split.junior_over && !split.senior_over);
        assert_eq!((split.junior_exiting, split.junior_wiped, pool.surplus), (1, 9 + assets, 9 + assets));
        assert_eq!(pool.tranches[0], TrancheBook { wiped_out: 1, ..TrancheBook::default() });
    }
}

#[test]
fn what_an_incident_pays_or_gives_back_leaves_the_reserves() {
    let mut pool = pool_with(0, 1_000, 0);
    (pool.incident_reserves, pool.cash) = (300, 1_300);
    pool.pay_incident(120).unwrap();
    assert_eq!((pool.incident_reserves, pool.cash), (180, 1_180));
    pool.release_incident_reserve(80).unwrap();
    assert_eq!((pool.incident_reserves, pool.surplus, pool.cash), (100, 80, 1_180));
    pool.invariant().unwrap();
    refused(pool.pay_incident(101), InvariantViolated);
    refused(pool.release_incident_reserve(101), InvariantViolated);
}

/// What a treaty pays that owed no more.
fn receive(pool: &mut Pool, crisis: &mut Crisis, amount: u64, now: i64) -> Receipt {
    *(if crisis.closed { &mut crisis.owed } else { &mut pool.crisis.owed }) += amount;
    pool.receive_recovery(crisis, amount, amount, now).unwrap()
}

/// A crisis of a pool that has only begun: an incident that can come to 600, final in ten hours.
fn crisis(mut pool: Pool) -> Pool {
    assert_eq!(pool.join_crisis(0, 600, NOW + 36_000, NOW).unwrap(), pool.crisis.number);
    pool.book_growth(500).unwrap();
    pool
}

fn account(number: u32) -> Crisis {
    Crisis { until: NOW + DAY, ..Crisis::begin(key(3), key(22), 255, number) }
}

#[test]
fn an_open_crisis_gives_by_its_ratio_of_treaties_money_first_and_wipes_nothing_out() {
    let mut pool = pool_with(100, 400, 0);
    pool.add_exposure(0, 400).unwrap();
    let mut pool = crisis(pool);
    // 500 for 500 of gross, 100 that it can grow, 400 exposed: one half.
    assert_eq!(pool.crisis_ratio().unwrap(), (500, 1_000));
    let losses = LossByLayer { surplus: 100, junior_assets: 150, ..LossByLayer::default() };
    let given = Giving { amount: 250, recovered: 0, bucket: 0, losses };
    assert_eq!(pool.give(500, 0).unwrap(), given);
    assert_eq!((pool.crisis.given, pool.crisis.taken, pool.incident_reserves), (250, [100, 150, 0, 0, 0], 250));
    // Nothing more, until there is.
    assert_eq!(pool.give(500, 250).unwrap().amount, 0);
    let mut crisis = account(1);
    assert_eq!(receive(&mut pool, &mut crisis, 120, NOW), Receipt { recovered: 120, ..Receipt::default() });
    assert_eq!(pool.crisis_ratio().unwrap(), (620, 1_000));
    let more = pool.give(500, 250).unwrap();
    assert_eq!((more.amount, more.recovered, more.losses), (60, 60, LossByLayer::default()));
    pool.release_exposure(0, 400).unwrap();
    // All of the rest, to the last unit of a tranche that is not wiped out by it.
    assert_eq!(pool.crisis_ratio().unwrap(), (600, 600));
    let rest = pool.give(500, 310).unwrap();
    assert_eq!((rest.amount, rest.recovered, rest.losses.junior_assets), (190, 60, 130));
    assert_eq!((pool.tranches[0].assets, pool.tranches[0].wiped_out), (120, 0));
    pool.invariant().unwrap();
}

#[test]
fn a_crisis_closes_when_all_is_final_early_alerts_have_ended_and_treaties_had_their_time() {
    let mut pool = pool_with(0, 1_000, 0);
    pool.add_exposure(0, 60).unwrap();
    let early = pool
        .move_alert(Alert { group: 0, number: 0, exposure: 50 }, AlertLevel::None, AlertLevel::Breaching, NOW)
        .unwrap();
    let mut pool = crisis(pool);
    let last = NOW + 36_000;
    // Begins when the last is final: it does not hold the crisis open.
    let late =
        pool.move_alert(Alert { group: 0, number: 0, exposure: 10 }, AlertLevel::None, AlertLevel::Due, last).unwrap();
    assert_eq!((early, late), (1, 2));
    pool.crisis.uncalled = 1;
    let clear = |pool: &mut Pool, number, exposure, from| {
        pool.move_alert(Alert { group: 0, number, exposure }, from, AlertLevel::None, last).unwrap()
    };
    let mut closed = pool;
    clear(&mut closed, early, 50, AlertLevel::Breaching);
    assert!(!closed.crisis_is_ripe(last - 1) && closed.crisis_is_ripe(last));
    refused(closed.close_crisis(&mut account(1), last), CrisisNotDue);
    // A ripe one takes no incident in.
    refused(closed.join_crisis(0, 1, last, last), CrisisNotClosed);
    closed.book_final(100).unwrap();
    assert!(!closed.crisis_is_due(last + 2 * DAY - 1) && closed.crisis_is_due(last + 2 * DAY));
    closed.crisis.uncalled = 0;
    // The early one is waited for, though only for two days; of the late one, and its end, it knows nothing.
    let two_days = last + 2 * DAY;
    assert!(closed.crisis_is_due(last) && !pool.crisis_is_ripe(two_days - 1) && pool.crisis_is_ripe(two_days));
    clear(&mut pool, late, 10, AlertLevel::Due);
    assert!(!pool.crisis_is_ripe(two_days - 1) && pool.crisis_is_ripe(two_days));
    let closing = closed.close_crisis(&mut account(1), last).unwrap();
    assert_eq!((closing.number, closing.gross, closing.resources, closing.bucket), (1, 500, 500, 500));
    assert_eq!(closed.crisis, CrisisBook { number: 1, ..CrisisBook::default() });
    // Accrual stands on where it did: there was an alert all the time.
    assert_eq!((closed.stands_since, closed.crisis_buckets, closed.tranches[0].assets), (NOW, 500, 500));
    closed.invariant().unwrap();
    refused(closed.close_crisis(&mut account(1), last), CrisisNotDue);
}

#[test]
fn an_incident_that_joins_makes_every_alert_that_began_before_it_is_final_hold_the_crisis_open() {
    let mut pool = crisis(pool_with(0, 1_000, 0));
    pool.add_exposure(0, 20).unwrap();
    let late = NOW + 36_000 - 1;
    pool.move_alert(Alert { group: 0, number: 0, exposure: 10 }, AlertLevel::None, AlertLevel::Due, late).unwrap();
    pool.move_alert(Alert { group: 0, number: 0, exposure: 10 }, AlertLevel::None, AlertLevel::Due, late + 9).unwrap();
    // What is final earlier moves nothing forward.
    let mut early = pool;
    assert_eq!(early.join_crisis(0, 10, NOW, late + 10).unwrap(), 1);
    assert_eq!((early.crisis.final_at, early.crisis.growth, early.crisis.incidents), (NOW + 36_000, 110, 2));
    for (final_by, only_the_first) in [(late + 9, true), (late + 10, false)] {
        let mut pool = pool;
        pool.join_crisis(0, 10, final_by, late + 10).unwrap();
        assert!(!pool.crisis_is_ripe(late + 10));
        let first = Alert { group: 0, number: 1, exposure: 10 };
        pool.move_alert(first, AlertLevel::Due, AlertLevel::None, late + 10).unwrap();
        assert_eq!(pool.crisis_is_ripe(late + 10), only_the_first);
    }
}

/// An incident is opened long after it was final: only alerts that began before hold the crisis open, as far back as the
/// pool knows when they began.
#[test]
fn alerts_that_began_once_an_incident_was_final_are_none_of_its_crisis_however_late_it_is_opened() {
    let alert = |number| Alert { group: 0, number, exposure: 10 };
    let begin = |pool: &mut Pool, at| pool.move_alert(alert(0), AlertLevel::None, AlertLevel::Breaching, at).unwrap();
    let end = |pool: &mut Pool, number| {
        pool.move_alert(alert(number), AlertLevel::Breaching, AlertLevel::None, NOW + DAY).unwrap();
    };
    let mut pool = pool_with(0, 1_000, 0);
    pool.add_exposure(0, 300).unwrap();
    let before = begin(&mut pool, NOW - 1);
    for later in 0..3 {
        begin(&mut pool, NOW + later);
    }
    // The second of the later ones has ended.
    end(&mut pool, before + 2);
    let mut opened = pool;
    opened.join_crisis(0, 10, NOW, NOW + DAY).unwrap();
    assert!(opened.alerts == 3 && !opened.crisis_is_ripe(NOW + DAY));
    let mut only_later = opened;
    end(&mut only_later, before);
    assert!(only_later.alerts == 2 && only_later.crisis_is_ripe(NOW + DAY));
    for later in [before + 1, before + 3] {
        end(&mut opened, later);
        assert!(!opened.crisis_is_ripe(NOW + DAY));
    }
    // None began before: it is ripe at once, and an incident of a later one waits until it is closed.
    let mut alone = pool;
    end(&mut alone, before);
    alone.join_crisis(0, 10, NOW, NOW + DAY).unwrap();
    assert!(alone.alerts == 2 && alone.crisis_is_ripe(NOW + DAY));
    refused(alone.join_crisis(0, 10, NOW + DAY, NOW + DAY), CrisisNotClosed);
    // Of more than sixteen that run at once one is not kept: it counts as before, and is waited for.
    for _ in 0..13 {
        begin(&mut pool, NOW + 9);
    }
    let not_kept = begin(&mut pool, NOW + 9);
    assert_eq!((pool.alerts, pool.running_alerts().count()), (17, 16));
    end(&mut pool, before);
    pool.join_crisis(0, 10, NOW, NOW + DAY).unwrap();
    assert!(!pool.crisis_is_ripe(NOW + 2 * DAY - 1) && pool.crisis_is_ripe(NOW + 2 * DAY));
    let mut due = pool;
    due.move_alert(alert(not_kept), AlertLevel::Breaching, AlertLevel::Due, NOW + DAY).unwrap();
    assert!(!due.crisis_is_ripe(NOW + 99 * DAY) && due.require_next_incident(not_kept, NOW + 99 * DAY).is_ok());
    end(&mut pool, not_kept);
    assert!(pool.crisis_is_ripe(NOW + DAY));
}

/// What stood of other covers' premium went past holders who were short, to the surplus.
#[test]
fn what_others_have_earned_by_when_a_crisis_is_final_is_for_holders_who_are_short() {
    let last = NOW + 36_000;
    let with = |junior| {
        let mut pool = pool_with(0, junior, 0);
        // One unit a second.
        pool.stream_premium(864_000, NOW, TODAY + 10).unwrap();
        let mut pool = crisis(pool);
        pool.book_final(100).unwrap();
        pool
    };
    // 500 are due, and there are 499, of which half was given: floor(250 x 499 / 500).
    let mut pool = with(499);
    assert_eq!(pool.give(250, 0).unwrap().amount, 249);
    pool.accrue(last + DAY).unwrap();
    assert_eq!((pool.accrued_at, pool.unearned_premium), (NOW, 864_000));
    let earned = pool.earn_for_the_short().unwrap();
    assert_eq!((earned.earned, pool.accrued_at, pool.unearned_premium), (36_000, last, 828_000));
    let closing = pool.close_crisis(&mut account(1), last + DAY).unwrap();
    assert_eq!((closing.resources, closing.bucket, pool.loss_capital().unwrap()), (500, 251, 35_999));
    pool.invariant().unwrap();
    // The rest of what stood is earned afterwards.
    assert_eq!(pool.accrue(last + DAY).unwrap().earned, 86_400);
    // With enough there is no need.
    assert_eq!(with(500).earn_for_the_short().unwrap(), Accrual::default());
    // An alert that still holds the pool does so from then on.
    let mut held = with(499);
    (held.alerts_since, held.alerts) = (NOW + 10, 1);
    assert_eq!(held.earn_for_the_short().unwrap().earned, 36_000);
    held.close_crisis(&mut account(1), last + 2 * DAY).unwrap();
    assert_eq!((held.alerts_since, held.stands_since, held.accrued_at), (last, last, last));
}

/// Which incidents share a crisis goes by their own alerts: not by whose incident is opened first, nor by what else still
/// holds the crisis open, by the clock or because nobody has called.
#[test]
fn an_incident_is_of_the_open_crisis_if_its_own_alert_could_hold_that_open_and_else_waits() {
    let last = NOW + 36_000;
    let begin = |pool: &mut Pool, at, due| {
        let alert = |number| Alert { group: 0, number, exposure: 10 };
        let number = pool.move_alert(alert(0), AlertLevel::None, AlertLevel::Breaching, at).unwrap();
        pool.move_alert(alert(number), AlertLevel::Breaching, AlertLevel::Due, due).unwrap()
    };
    let mut pool = pool_with(0, 1_000, 0);
    pool.add_exposure(0, 30).unwrap();
    let mut pool = crisis(pool);
    let early = begin(&mut pool, last - 1, last + DAY);
    let late = begin(&mut pool, last, last + DAY);
    let now = last + 3 * DAY;
    assert!(!pool.crisis_is_ripe(now), "the early one was due in time");
    pool.require_next_incident(early, now).unwrap();
    refused(pool.require_next_incident(late, now), CrisisNotClosed);
    // Once the early one has joined, and makes it last longer, the late one is of it, too.
    pool.join_crisis(early, 10, last + 1, now).unwrap();
    assert!(!pool.crisis_is_ripe(now));
    pool.require_next_incident(late, now).unwrap();
    // Early, but due too late, though another still holds the crisis.
    let mut pool = crisis(pool_with(0, 1_000, 0));
    pool.add_exposure(0, 30).unwrap();
    begin(&mut pool, last - 1, last + DAY);
    let due_late = begin(&mut pool, last - 1, last + 2 * DAY);
    assert!(!pool.crisis_is_ripe(now));
    refused(pool.require_next_incident(due_late, now), CrisisNotClosed);
}

#[test]
fn what_may_have_had_a_crisis_of_its_own_is_opened_first() {
    let alert = |number| Alert { group: 0, number, exposure: 10 };
    // When the second alert began and was due, by when the first was due, and whether the first comes before it.
    for (began, due, first) in [(0, 9, false), (1, 9, true), (0, 2 * DAY - 1, false), (0, 2 * DAY, true)] {
        let mut pool = pool_with(0, 1_000, 0);
        pool.add_exposure(0, 20).unwrap();
        let mut move_to = |number, from, to, at| pool.move_alert(alert(number), from, to, NOW + at).unwrap();
        let one = move_to(0, AlertLevel::None, AlertLevel::Due, 0);
        let other = move_to(0, AlertLevel::None, AlertLevel::Breaching, began);
        move_to(other, AlertLevel::Breaching, AlertLevel::Due, due);
        pool.require_next_incident(one, NOW + 9 * DAY).unwrap();
        assert_eq!(pool.require_next_incident(other, NOW + 9 * DAY).is_err(), first, "{began} {due}");
        // Breaching again, it comes before nothing.
        pool.move_alert(alert(one), AlertLevel::Due, AlertLevel::Breaching, NOW + 9 * DAY).unwrap();
        pool.require_next_incident(other, NOW + 9 * DAY).unwrap();
    }
}

/// Who bears a loss does not depend on what was given before a treaty paid: closing puts back what was lent.
#[test]
fn layers_bear_the_whole_loss_at_once_whatever_was_given_before() {
    let end = NOW + 36_000;
    let mut all = Vec::new();
    for fund_first in [true, false] {
        let mut pool = pool_with(50, 300, 500);
        (pool.tranches[0].exiting, pool.tranches[0].units, pool.cash) = (100, 100_000, 950);
        let mut pool = crisis(pool);
        let mut crisis = account(1);
        let first = if fund_first { pool.give(500, 0).unwrap().amount } else { 0 };
        receive(&mut pool, &mut crisis, 200, NOW);
        pool.book_final(100).unwrap();
        let closing = pool.close_crisis(&mut crisis, end).unwrap();
        assert_eq!((closing.resources, closing.bucket), (500, 500 - first));
        assert_eq!(closing.restored.iter().sum::<u64>(), first);
        assert_eq!(pool.give_from_bucket(&mut crisis, 500, first).unwrap().amount, 500 - first);
        assert_eq!((crisis.bucket, pool.crisis_buckets, pool.incident_reserves), (0, 0, 500));
        pool.invariant().unwrap();
        all.push(layers(&pool));
    }
    // 300 of 500 are the pool's: the surplus, and of the juniors' 400 the rest pro rata, odd units on who leaves.
    assert_eq!(all, [[0, 113, 37, 500, 0]; 2]);
}

#[test]
fn a_tranche_is_wiped_out_only_when_the_crisis_closes() {
    let mut pool = crisis(pool_with(0, 500, 100));
    pool.give(500, 0).unwrap();
    assert_eq!((pool.tranches[0].assets, pool.tranches[0].wiped_out), (0, 0));
    let mut saved = pool;
    for (pool, recovered, over) in [(&mut pool, 0, 1), (&mut saved, 495, 0)] {
        let mut crisis = account(1);
        receive(pool, &mut crisis, recovered, NOW);
        pool.book_final(100).unwrap();
        pool.close_crisis(&mut crisis, NOW + 36_000).unwrap();
        assert_eq!((pool.tranches[0].assets, pool.tranches[0].wiped_out), (recovered, over));
        pool.invariant().unwrap();
    }
}

#[test]
fn who_asks_to_leave_in_a_crisis_takes_his_part_of_what_was_lent_along() {
    let mut pool = crisis(pool_with(0, 1_000, 0));
    pool.terms.min_ticket = 1;
    pool.give(500, 0).unwrap();
    // Half of the shares, at 500 for all of them.
    pool.request_exit(Tranche::Junior, 500_000).unwrap();
    assert_eq!(pool.crisis.taken, [0, 250, 250, 0, 0]);
    let mut crisis = account(1);
    receive(&mut pool, &mut crisis, 500, NOW);
    pool.book_final(100).unwrap();
    pool.close_crisis(&mut crisis, NOW + 36_000).unwrap();
    assert_eq!(layers(&pool), [0, 500, 500, 0, 0]);
    pool.invariant().unwrap();

    // If everybody asks to leave nobody is left to take what was lent, but who leaves.
    let mut pool = self::crisis(pool_with(0, 1_000, 0));
    pool.give(500, 0).unwrap();
    pool.request_exit(Tranche::Junior, 1_000_000).unwrap();
    assert_eq!((pool.tranches[0].assets, pool.crisis.taken), (0, [0, 0, 500, 0, 0]));
    pool.invariant().unwrap();
}

#[test]
fn money_that_comes_late_goes_to_holders_as_far_as_they_are_short_until_their_deadline() {
    let mut pool = crisis(pool_with(0, 200, 0));
    pool.book_final(100).unwrap();
    let mut crisis = account(1);
    pool.close_crisis(&mut crisis, NOW + 36_000).unwrap();
    assert_eq!((crisis.gross, crisis.resources, crisis.bucket), (500, 200, 200));
    let late = receive(&mut pool, &mut crisis, 250, NOW + DAY - 1);
    assert_eq!(late, Receipt { late: 250, ..Receipt::default() });
    let rest = receive(&mut { pool }, &mut crisis.clone(), 80, NOW + DAY - 1);
    assert_eq!(rest, Receipt { late: 50, surplus: 30, ..Receipt::default() });
    let too_late = receive(&mut pool, &mut crisis, 80, NOW + DAY);
    assert_eq!(too_late, Receipt { surplus: 80, ..Receipt::default() });
    // The tranche that bore all of it is over: what was its is the surplus's.
    assert_eq!((crisis.resources, crisis.bucket, pool.crisis_buckets, pool.surplus), (450, 450, 450, 80));
    assert_eq!(pool.give_from_bucket(&mut crisis, 300, 0).unwrap().amount, 270);
    assert_eq!(pool.release_bucket(&mut crisis).unwrap(), 180);
    assert_eq!((pool.surplus, pool.crisis_buckets), (260, 0));
    pool.invariant().unwrap();
}

#[test]
fn in_a_crisis_no_epoch_is_paid_however_late_and_whatever_is_there() {
    let mut pool = crisis(pool_with(0, 2_000, 0));
    let late = NOW + 31 * DAY + 1;
    refused(pool.free_for_exits(TODAY, &InwardRisk::default(), late), PoolInCrisis);
    pool.give(500, 0).unwrap();
    refused(pool.free_for_exits(TODAY, &InwardRisk::default(), late), PoolInCrisis);
    assert_eq!(pool.alert(), AlertLevel::Due);
    refused(pool.require_no_alert(), PoolInCrisis);
    pool.book_final(100).unwrap();
    pool.close_crisis(&mut account(1), late).unwrap();
    assert_eq!(pool.free_for_exits(TODAY, &InwardRisk::default(), late).unwrap(), 1_500);
}

#[test]
fn treaties_have_two_days_to_be_called_from_when_they_came_to_owe() {
    let mut pool = crisis(pool_with(0, 1_000, 0));
    pool.book_final(100).unwrap();
    let last = NOW + 36_000;
    // The incident was opened, or its last severity booked, three days after it was final.
    (pool.crisis.uncalled, pool.crisis.owed_at) = (1, last + 3 * DAY);
    assert!(!pool.crisis_is_due(last + 5 * DAY - 1) && pool.crisis_is_due(last + 5 * DAY));
    pool.crisis.uncalled = 0;
    assert!(pool.crisis_is_due(last + 3 * DAY));
}

#[test]
fn a_breaching_alert_holds_a_crisis_for_as_long_as_its_evidence_can_concern_it() {
    let alert = |number, exposure| Alert { group: 1, number, exposure };
    // However much it is: a ring of eleven days; of one, but treaties have two.
    for (exposure, ring_days, days) in [(5, 11, 11), (400, 11, 11), (400, 1, 2)] {
        let mut pool = pool_with(0, 1_000, 0);
        pool.ring_days = ring_days;
        pool.add_exposure(1, exposure).unwrap();
        pool.move_alert(alert(0, exposure), AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
        let mut pool = crisis(pool);
        pool.book_final(100).unwrap();
        assert_eq!(pool.crisis.ring_days, ring_days);
        let until = NOW + 36_000 + days * DAY;
        // A condition that comes meanwhile has a longer ring; nothing is insured on it before the crisis is closed.
        pool.ring_days = 29;
        assert!(!pool.crisis_is_ripe(until - 1) && pool.crisis_is_ripe(until));
        let met = |at| {
            let mut pool = pool;
            pool.move_alert(alert(1, exposure), AlertLevel::Breaching, AlertLevel::Due, at).unwrap();
            pool
        };
        let in_time = met(until - 1);
        assert!(!in_time.crisis_is_ripe(until + 300 * DAY), "anybody can open its incident");
        let mut ended = in_time;
        ended.move_alert(alert(1, exposure), AlertLevel::Due, AlertLevel::None, until + DAY).unwrap();
        assert!(!ended.crisis_is_ripe(NOW + 36_000 - 1) && ended.crisis_is_ripe(until + DAY));
        // Met in the second in which the wait is over it opens no door that anybody can be first through.
        let mut late = met(until);
        assert!(late.crisis_is_ripe(until) && late.crisis_is_due(until));
        refused(late.join_crisis(1, 1, until, until), CrisisNotClosed);
    }
}

/// What is shared out while layers have lent goes by what they would have, had they not yet.
#[test]
fn premium_that_a_crisis_shares_out_does_not_depend_on_what_was_lent_before() {
    let mut parts = Vec::new();
    for fund_first in [true, false] {
        let mut pool = crisis(pool_with(0, 600, 900));
        pool.set_aside = 100;
        pool.cash += 100;
        if fund_first {
            pool.give(500, 0).unwrap();
        }
        let accrual = pool.decide_set_aside(100, 0).unwrap();
        parts.push([accrual.surplus, accrual.junior, accrual.senior]);
        pool.invariant().unwrap();
    }
    assert_eq!(parts[0], parts[1]);
}

/// What a tranche has lent is part of what its shares and units are worth: who asks to leave while next to nothing else is
/// left takes nothing from those who asked before, and loses nothing to them.
#[test]
fn units_are_priced_with_what_was_lent() {
    for left in [1, 2, 5, 50, 1_000, 100_000] {
        let mut pool = pool_with(0, 60_000_000_000, 0);
        let book = &mut pool.tranches[0];
        (book.exiting, book.units) = (40_000_000_000, 40_000_000_000_000);
        (pool.cash, pool.terms.min_ticket) = (100_000_000_000, 1);
        let loss = 100_000_000_000 - left;
        pool.join_crisis(0, loss, NOW + 36_000, NOW).unwrap();
        pool.book_growth(loss).unwrap();
        pool.give(loss, 0).unwrap();
        // Half of those who stay.
        let _ = pool.request_exit(Tranche::Junior, 30_000_000_000_000);
        receive(&mut pool, &mut account(1), loss, NOW);
        pool.book_final(0).unwrap();
        pool.close_crisis(&mut account(1), NOW + 36_000).unwrap();
        let before = pool.tranches[0].worth_of_units(40_000_000_000_000).unwrap();
        assert!(before.abs_diff(40_000_000_000) <= 2, "{left} left: {before}");
    }
}

/// A pool whose crisis came to `gross` and is closed, while treaties owed it an amount and had paid nothing.
fn closed_with(mut pool: Pool, gross: u64, owed: u64) -> (Pool, Crisis) {
    let mut crisis = account(pool.crisis.number + 1);
    pool.join_crisis(0, gross, NOW + 36_000, NOW).unwrap();
    pool.book_growth(gross).unwrap();
    pool.book_final(0).unwrap();
    pool.crisis.owed = owed;
    let closing = pool.close_crisis(&mut crisis, NOW + 36_000).unwrap();
    assert_eq!((crisis.owed, closing.recoverable_surplus), (owed, crisis.recoverable_surplus));
    pool.invariant().unwrap();
    (pool, crisis)
}

#[test]
fn late_money_is_theirs_who_bore_the_loss_whoever_came_in_since() {
    // 300,000 of loss, of which a treaty owes 250,000: it went to the surplus for a cover of a dollar, or to whoever had
    // deposited the most.
    let (mut pool, mut crisis) = closed_with(pool_with(1, 0, 500_000), 300_000, 250_000);
    assert_eq!(layers(&pool), [0, 0, 0, 200_001, 0]);
    assert_eq!((crisis.recoverable, crisis.recoverable_surplus), ([0, 250_000], 0));
    assert_eq!(pool.tranche(Tranche::Senior).recoverable, 250_000);
    pool.add_exposure(0, 1).unwrap();
    // A million buys shares at 450,002 for 500,001,000 of them: what is to come is in the price.
    let shares = pool.deposit(Tranche::Senior, 1_000_000, 0).unwrap();
    assert_eq!(shares, 1_111_108_395);
    // In parts: what is paid goes to the tranche, at once, and nothing of it to the exposed surplus.
    for (part, left) in [(100_000, 150_000), (150_000, 0)] {
        let receipt = pool.receive_recovery(&mut crisis, part, part, NOW + 40_000).unwrap();
        assert_eq!(receipt, Receipt { staying: [0, part], ..Receipt::default() });
        assert_eq!((crisis.recoverable[1], pool.tranche(Tranche::Senior).recoverable), (left, left));
    }
    assert_eq!(layers(&pool), [0, 0, 0, 1_450_001, 0]);
    let senior = pool.tranche(Tranche::Senior);
    assert_eq!(senior.worth_of_shares(shares).unwrap(), 999_999);
    // As if the treaty had been called in time: 50,000 of loss, a unit of which the surplus bore.
    assert_eq!(senior.worth_of_shares(500_000_000).unwrap(), 450_001);
    pool.invariant().unwrap();
}

#[test]
fn late_money_goes_back_senior_first_then_junior_then_surplus() {
    // Of 700 the surplus bore 100, junior 450, senior 150.
    let start = || closed_with(pool_with(100, 500, 500), 700, 700);
    let (_, crisis) = closed_with(pool_with(100, 500, 500), 700, 650);
    // Junior is over with its last unit: what was its comes to the surplus.
    assert_eq!((crisis.recoverable, crisis.recoverable_surplus), ([500, 100], 50));
    let (mut pool, mut crisis) = start();
    assert_eq!((pool.tranches[0].wiped_out, pool.tranches[0].recoverable), (1, 0));
    let receipt = pool.receive_recovery(&mut crisis, 160, 160, NOW + 40_000).unwrap();
    assert_eq!(receipt, Receipt { staying: [0, 100], surplus: 60, ..Receipt::default() });
    assert_eq!((crisis.recoverable, crisis.recoverable_surplus), ([440, 0], 100));
    // A new series gets nothing of it.
    pool.open_series(Tranche::Junior, key(7)).unwrap();
    pool.deposit(Tranche::Junior, 10_000, 0).unwrap();
    let receipt = pool.receive_recovery(&mut crisis, 440, 440, NOW + 40_000).unwrap();
    assert_eq!(receipt, Receipt { surplus: 440, ..Receipt::default() });
    assert_eq!(pool.tranches[0].assets, 10_000);
    pool.invariant().unwrap();

    // What restoring a limit costs comes to nobody: the last in the row misses it.
    let (mut pool, mut crisis) = closed_with(pool_with(100, 5_000, 500), 700, 700);
    assert_eq!((crisis.recoverable, crisis.recoverable_surplus), ([600, 0], 100));
    let receipt = pool.receive_recovery(&mut crisis, 300, 250, NOW + 40_000).unwrap();
    assert_eq!(receipt, Receipt { staying: [250, 0], ..Receipt::default() });
    assert_eq!((crisis.recoverable, crisis.recoverable_surplus), ([350, 0], 50));
    assert_eq!(pool.tranches[0].recoverable, 350);
    // With the last incident nothing can come any more.
    pool.release_bucket(&mut crisis).unwrap();
    assert_eq!((crisis.recoverable, crisis.recoverable_surplus, pool.tranches[0].recoverable), ([0, 0], 0, 0));
}

#[test]
fn who_leaves_takes_what_treaties_owe_along_until_he_is_paid() {
    let mut pool = pool_with(0, 0, 8_000_000);
    pool.request_exit(Tranche::Senior, 2_000_000_000).unwrap();
    let (mut pool, mut crisis) = closed_with(pool, 4_000_000, 2_000_000);
    // 6 : 2, as the loss was.
    let owed = |pool: &Pool| (pool.tranches[1].recoverable, pool.tranches[1].exiting_recoverable);
    assert_eq!((layers(&pool), owed(&pool)), ([0, 0, 0, 3_000_000, 1_000_000], (1_500_000, 500_000)));
    // A third of who stays asks as well, and nobody's part moves.
    pool.request_exit(Tranche::Senior, 2_000_000_000).unwrap();
    let [.., staying, exiting] = layers(&pool);
    assert!(staying.abs_diff(2_000_000) <= 1 && exiting.abs_diff(2_000_000) <= 1);
    let (of_staying, of_exiting) = owed(&pool);
    assert!(of_staying.abs_diff(1_000_000) <= 2 && of_exiting.abs_diff(1_000_000) <= 2);
    // Somebody comes in: what is exiting is owed as much as before.
    pool.deposit(Tranche::Senior, 9_000_000, 0).unwrap();
    assert_eq!(owed(&pool), (of_staying, of_exiting));
    // Half of the treaty's money comes: to each class as it is owed, not by what it has.
    let receipt = pool.receive_recovery(&mut crisis, 1_000_000, 1_000_000, NOW + 40_000).unwrap();
    assert!(receipt.staying[1].abs_diff(500_000) <= 2 && receipt.exiting[1].abs_diff(500_000) <= 2, "{receipt:?}");
    // Who is paid leaves the rest to the surplus, and those who stay, and whoever came in, are owed what they were.
    let (staying, exiting) = owed(&pool);
    let mut epoch = ExitEpoch { units: [0, pool.tranches[1].units], ..epoch_of(&mut pool) };
    pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW + 40_000).unwrap();
    assert_eq!((pool.tranches[1].exiting, owed(&pool)), (0, (staying, 0)));
    let receipt = pool.receive_recovery(&mut crisis, 1_000_000, 1_000_000, NOW + 40_000).unwrap();
    // Rounded down in parts of 2^32, for the surplus.
    assert!(staying - receipt.staying[1] <= 1, "{receipt:?}");
    assert!(receipt.surplus.abs_diff(exiting) <= 2, "{receipt:?}");
    pool.invariant().unwrap();
}

/// Pays everybody who has asked to leave the senior tranche.
fn pay_leavers(pool: &mut Pool) {
    let mut epoch = ExitEpoch { units: [0, pool.tranches[1].units], ..epoch_of(pool) };
    pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW + 40_000).unwrap();
}

#[test]
fn what_a_treaty_owes_a_tranche_that_all_have_left_is_the_surpluss_whoever_comes_in_before_they_are_paid() {
    let mut pool = pool_with(0, 0, 1_000_000);
    pool.request_exit(Tranche::Senior, 1_000_000_000).unwrap();
    let (mut pool, mut crisis) = closed_with(pool, 300_000, 100_000);
    assert_eq!((pool.tranches[1].recoverable, pool.tranches[1].exiting_recoverable), (0, 100_000));
    pool.deposit(Tranche::Senior, 10_000, 0).unwrap();
    pay_leavers(&mut pool);
    assert_eq!(pool.tranches[1].all_recoverable(), 0);
    let receipt = pool.receive_recovery(&mut crisis, 100_000, 100_000, NOW + 40_000).unwrap();
    assert_eq!(receipt, Receipt { surplus: 100_000, ..Receipt::default() });
}

#[test]
fn who_takes_his_request_back_where_nobody_stays_keeps_what_a_treaty_owes_him() {
    let mut pool = pool_with(0, 0, 900_000);
    pool.request_exit(Tranche::Senior, 900_000_000).unwrap();
    let units = pool.tranches[1].units;
    let (mut pool, mut crisis) = closed_with(pool, 300_000, 90_000);
    pool.capital_day = TODAY + 1;
    pool.cancel_exit(Tranche::Senior, units / 3, TODAY).unwrap();
    let book = pool.tranches[1];
    assert!(book.recoverable.abs_diff(30_000) <= 1 && book.exiting_recoverable.abs_diff(60_000) <= 1, "{book:?}");
    let receipt = pool.receive_recovery(&mut crisis, 90_000, 90_000, NOW + 40_000).unwrap();
    assert!(receipt.staying[1].abs_diff(30_000) <= 1 && receipt.exiting[1].abs_diff(60_000) <= 1, "{receipt:?}");
    // All of it: nobody is left, so nothing of it is anybody's.
    assert_eq!((pool.tranches[1].all_recoverable(), receipt.surplus), (0, 0));
}

#[test]
fn the_end_of_a_crisis_takes_nothing_of_what_a_newer_one_is_owed() {
    // All leave after the first; whoever comes in bears the second.
    let (mut pool, mut old) = closed_with(pool_with(0, 0, 1_000_000), 300_000, 100_000);
    pool.request_exit(Tranche::Senior, 1_000_000_000).unwrap();
    pay_leavers(&mut pool);
    pool.deposit(Tranche::Senior, 1_000_000, 0).unwrap();
    for paid in [true, false] {
        let (mut pool, mut old) = (pool, old.clone());
        let (mut pool, mut new) = closed_with(
            {
                pool.tranches[1].lowered = 0;
                pool
            },
            300_000,
            200_000,
        );
        assert_eq!((new.recoverable[1], pool.tranches[1].recoverable), (200_000, 200_000));
        if paid {
            let receipt = pool.receive_recovery(&mut old, 100_000, 100_000, NOW + 40_000).unwrap();
            assert_eq!(receipt, Receipt { surplus: 100_000, ..Receipt::default() });
        } else {
            pool.release_bucket(&mut old).unwrap();
        }
        assert_eq!(pool.tranches[1].recoverable, 200_000);
        let receipt = pool.receive_recovery(&mut new, 200_000, 200_000, NOW + 40_000).unwrap();
        assert_eq!(receipt, Receipt { staying: [0, 200_000], ..Receipt::default() });
    }
    // And one who stays is owed of each what was his: a tenth of the first, and his part of the second.
    let (mut pool, first) = closed_with(pool_with(0, 0, 1_000_000), 300_000, 100_000);
    old = first;
    pool.request_exit(Tranche::Senior, 900_000_000).unwrap();
    pay_leavers(&mut pool);
    let stays = pool.tranches[1].recoverable;
    assert!(stays.abs_diff(10_000) <= 1);
    pool.deposit(Tranche::Senior, 930_000, 0).unwrap();
    let (mut pool, mut new) = closed_with(pool, 300_000, 200_000);
    pool.release_bucket(&mut old).unwrap();
    let left = pool.tranches[1].recoverable;
    assert!(left.abs_diff(200_000) <= 1, "{left}");
    let receipt = pool.receive_recovery(&mut new, 200_000, 200_000, NOW + 40_000).unwrap();
    assert!(receipt.staying[1].abs_diff(200_000) <= 1, "{receipt:?}");
}

#[test]
fn of_two_crises_each_treaty_pays_its_own_in_whatever_order() {
    let all: Vec<_> = [[0, 1], [1, 0]]
        .into_iter()
        .map(|order| {
            // 400 fall on a surplus of 100 and 300 of junior; then 190 on the 200 that are left of that.
            let (pool, first) = closed_with(pool_with(100, 500, 1_000), 400, 350);
            assert_eq!((first.recoverable, first.recoverable_surplus), ([300, 0], 50));
            let (mut pool, second) = closed_with(pool, 190, 100);
            assert_eq!((second.recoverable, second.recoverable_surplus), ([100, 0], 0));
            assert_eq!(pool.tranches[0].recoverable, 400);
            let mut crises = [first, second];
            for place in order {
                let owed = crises[place].owed;
                pool.receive_recovery(&mut crises[place], owed, owed, NOW + 40_000).unwrap();
                pool.invariant().unwrap();
            }
            assert_eq!(pool.tranches[0].recoverable, 0);
            layers(&pool)
        })
        .collect();
    assert_eq!(all, [[50, 410, 0, 1_000, 0]; 2]);
}

/// The epoch of yesterday, in the queue.
fn epoch_of(pool: &mut Pool) -> ExitEpoch {
    pool.enqueue_epoch(TODAY - 1).unwrap();
    ExitEpoch {
        pool: key(3),
        rent_payer: key(22),
        version: 2,
        bump: 255,
        series: [0; 2],
        day: TODAY - 1,
        tickets: 1,
        units: [0; 2],
        open_q63: ExitEpoch::ALL_OPEN,
        paid_per_unit_q64: [0; 2],
        reserve: 0,
        reserved: [0; 32],
    }
}

/// Whoever comes in between a loss and a treaty's payment never gains by it, and nobody who bore the loss has less for it.
#[test]
fn no_order_of_deposits_exits_and_payments_makes_late_money_a_newcomers() {
    let mut seed = 7_u64;
    let mut roll = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..20_000 {
        let [surplus, junior, senior] = [roll(1_000_000), 10_000 + roll(9_000_000), 10_000 + roll(9_000_000)];
        let gross = 1 + roll(surplus + junior + senior);
        let mut pool = pool_with(surplus, junior, senior);
        pool.terms.min_ticket = 1;
        let (mut pool, mut crisis) = closed_with(pool, gross, roll(gross + 1));
        // As if all had been paid in time.
        let mut in_time = pool_with(surplus, junior, senior);
        in_time.take_loss(gross - crisis.owed).unwrap();
        let tranche = if roll(2) == 0 { Tranche::Junior } else { Tranche::Senior };
        if pool.tranche(tranche).wiped_out != 0 {
            continue;
        }
        let old = pool.tranche(tranche).shares;
        let (mut paid_in, mut fresh, mut deposits) = (0, 0, 0);
        loop {
            match roll(4) {
                0 if deposits < 4 => {
                    let amount = 1 + roll(20_000_000);
                    if let Ok(shares) = pool.deposit(tranche, amount, 0) {
                        (paid_in, fresh, deposits) = (paid_in + amount, fresh + shares, deposits + 1);
                    }
                }
                1 if crisis.owed > 0 => {
                    let part = 1 + roll(crisis.owed);
                    pool.receive_recovery(&mut crisis, part, part, NOW + 40_000).unwrap();
                }
                2 if roll(3) == 0 => break,
                _ => {}
            }
            pool.invariant().unwrap();
        }
        let owed = crisis.owed;
        pool.receive_recovery(&mut crisis, owed, owed, NOW + 40_000).unwrap();
        let book = pool.tranche(tranche);
        assert_eq!(book.all_recoverable(), 0);
        let worth = book.worth_of_shares(fresh).unwrap();
        assert!(worth <= paid_in, "{worth} of {paid_in}");
        let theirs = book.worth_of_shares(old).unwrap();
        let before = in_time.tranche(tranche).worth_of_shares(old).unwrap();
        // But for what the virtual shares of so few take.
        assert!(theirs + 1 + before / 1_000 >= before, "{theirs} of {before}");
    }
}
