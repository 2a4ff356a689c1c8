//! The premium stream: what is earned when, and who gets it.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::peril::AlertLevel;
use backstop::state::*;

/// A pool that earns one unit a second for ten days.
fn earning(surplus: u64, junior: u64, senior: u64) -> Pool {
    let mut pool = pool_with(surplus, junior, senior);
    assert_eq!(pool.stream_premium(864_000, NOW, TODAY + 10).unwrap(), ONE_A_SECOND);
    pool.invariant().unwrap();
    pool
}

fn accrued(pool: &mut Pool, until: i64) -> Accrual {
    let accrual = pool.accrue(until).unwrap();
    pool.invariant().unwrap();
    let Accrual { earned, late, ceded, surplus, junior, senior, junior_exiting, senior_exiting } = accrual;
    let shared = [surplus, junior, senior, junior_exiting, senior_exiting];
    assert_eq!(earned + late, ceded.iter().chain(&shared).sum::<u64>());
    accrual
}

#[test]
fn a_premium_is_held_until_it_is_earned() {
    let pool = earning(5, 10, 20);
    assert_eq!((pool.unearned_premium, pool.cash, pool.rate_q32), (864_000, 864_035, ONE_A_SECOND));
    assert_eq!(pool.rate_ends[(TODAY as usize + 10) % 512], ONE_A_SECOND);
}

#[test]
fn rates_add_up_and_are_rounded_down() {
    let mut pool = earning(0, 0, 0);
    // 10 units over a day: 10 x 2^32 / 86,400 = 497,102.6.
    assert_eq!(pool.stream_premium(10, NOW, TODAY + 1).unwrap(), 497_102);
    assert_eq!(pool.rate_q32, ONE_A_SECOND + 497_102);
    assert_eq!(pool.unearned_premium, 864_010);
}

#[test]
fn a_stream_that_cannot_be_is_refused() {
    let mut pool = pool();
    refused(pool.stream_premium(1, NOW + DAY + 1, TODAY + 1), BadTerm);
    refused(pool.stream_premium(1, NOW + DAY, TODAY + 1), StreamFull);
    refused(pool.stream_premium(1 << 33, NOW + DAY - 1, TODAY + 1), StreamFull);
    pool.rate_q32 = u64::MAX;
    refused(pool.stream_premium(1, NOW, TODAY + 1), StreamFull);
    pool.rate_q32 = 0;
    pool.rate_ends[(TODAY as usize + 1) % 512] = u64::MAX;
    refused(pool.stream_premium(1, NOW, TODAY + 1), StreamFull);
}

#[test]
fn earned_premium_goes_to_surplus_and_by_weight_to_the_tranches() {
    let mut pool = earning(0, 1_000_000, 1_000_000);
    // 1,000 seconds: a tenth to the surplus, the rest 2 to 1.
    let accrual = accrued(&mut pool, NOW + 1_000);
    assert_eq!(accrual, Accrual { earned: 1_000, surplus: 100, junior: 600, senior: 300, ..Accrual::default() });
    assert_eq!(layers(&pool), [100, 1_000_600, 0, 1_000_300, 0]);
    assert_eq!((pool.unearned_premium, pool.accrued_at), (863_000, NOW + 1_000));
}

#[test]
fn a_clock_that_does_not_advance_changes_nothing() {
    let mut pool = earning(0, 1_000_000, 0);
    accrued(&mut pool, NOW + 100);
    let before = pool;
    for until in [NOW + 100, NOW + 99, 0, i64::MIN] {
        assert_eq!(accrued(&mut pool, until), Accrual::default());
        assert_eq!(pool, before);
    }
}

#[test]
fn without_premium_time_passes_and_nothing_moves() {
    let mut pool = pool_with(1, 2, 3);
    assert_eq!(accrued(&mut pool, NOW + DAY), Accrual::default());
    assert_eq!((pool.accrued_at, layers(&pool)), (NOW + DAY, [1, 2, 0, 3, 0]));
}

#[test]
fn many_small_accruals_share_out_what_one_large_one_does() {
    // Two thirds of a unit a second for the junior tranche, and the assets move that by 1e-12 at most.
    let assets = 1_000_000_000_000;
    let mut pool = earning(0, assets, assets);
    let mut junior = vec![];
    for second in 1..=10 {
        junior.push(accrued(&mut pool, NOW + second).junior);
    }
    // The surplus has its first whole unit in the tenth second; until then a unit a second goes to the tranches.
    assert_eq!(junior[..5], [0, 1, 0, 1, 1]); // sums to 0.67, 1.33, 2 less 2e-13, 2.67, 3.33
    assert_eq!(pool.surplus, 1);
    let tranches = pool.tranches[0].assets + pool.tranches[1].assets - 2 * assets;
    assert_eq!((tranches, pool.tranches[0].assets - assets), (9, 6));
    assert_eq!(pool.surplus_fraction_bps, 0);
}

#[test]
fn a_tranche_alone_earns_everything_that_is_not_the_surplus() {
    for (junior, senior) in [(1_000, 0), (0, 1_000)] {
        let mut pool = earning(0, junior, senior);
        // The other tranche has shares without assets: it earns nothing.
        pool.tranches[0].shares = 1_000_000;
        pool.tranches[1].shares = 1_000_000;
        let accrual = accrued(&mut pool, NOW + 100);
        assert_eq!((accrual.surplus, accrual.junior), (10, if junior > 0 { 90 } else { 0 }));
        assert_eq!(accrual.senior, if senior > 0 { 90 } else { 0 });
    }
}

#[test]
fn what_nobody_has_capital_for_is_the_surpluss() {
    for (junior_shares, senior_shares) in [(5, 5), (0, 5), (5, 0), (0, 0)] {
        let mut pool = earning(0, 0, 0);
        pool.tranches[0].shares = junior_shares;
        pool.tranches[1].shares = senior_shares;
        let accrual = accrued(&mut pool, NOW + 100);
        assert_eq!(accrual, Accrual { earned: 100, surplus: 100, ..Accrual::default() });
    }
}

/// A pool that stands behind `required` and earns 1,000 without a part for the surplus as such.
fn earned_thousand(required: u64, change: fn(&mut Pool)) -> Accrual {
    let mut pool = pool_with(100_000, 200_000, 400_000);
    pool.terms.surplus_bps = 0;
    pool.stream_premium(864_000, NOW, TODAY + 10).unwrap();
    pool.add_exposure(0, required).unwrap();
    change(&mut pool);
    accrued(&mut pool, NOW + 1_000)
}

#[test]
fn premium_follows_required_capital_through_the_layers() {
    for (required, [surplus, junior, senior]) in [
        (1, [1_000, 0, 0]),
        (100_000, [1_000, 0, 0]),
        (125_000, [800, 200, 0]),     // 100,000 and 25,000
        (300_000, [334, 666, 0]),     // 100,000 and 200,000: 333.3 and 666.7
        (500_000, [250, 500, 250]),   // 200,000, 400,000 and 200,000, the first two doubled
        (700_000, [200, 400, 400]),   // everything
        (1_000_000, [200, 400, 400]), // more than there is
        (0, [200, 400, 400]),         // nothing: by capital
    ] {
        let accrual = earned_thousand(required, |_| {});
        assert_eq!([accrual.surplus, accrual.junior, accrual.senior], [surplus, junior, senior], "{required}");
    }
}

#[test]
fn senior_capital_that_is_not_exposed_takes_nothing_from_anybody() {
    let alone = earned_thousand(500_000, |_| {});
    let beside_much_more = earned_thousand(500_000, |pool| {
        pool.deposit(Tranche::Senior, 100_000_000, 0).unwrap();
    });
    assert_eq!(beside_much_more, alone);
}

#[test]
fn who_stays_does_not_earn_for_who_leaves() {
    // Half of the junior tranche and a quarter of the senior one leave: their halves and quarters go to the surplus.
    let leave = |pool: &mut Pool| {
        pool.request_exit(Tranche::Junior, 100_000_000).unwrap();
        pool.request_exit(Tranche::Senior, 100_000_000).unwrap();
    };
    let accrual = earned_thousand(500_000, leave);
    assert_eq!([accrual.surplus, accrual.junior, accrual.senior], [250 + 250 + 62, 250, 188]);
    assert_eq!((accrual.junior_exiting, accrual.senior_exiting), (0, 0));
}

#[test]
fn who_is_kept_past_his_day_earns_and_only_from_then_on() {
    // A unit a second from 1,000 seconds before the end of the epoch's day; three quarters of the capital leave.
    let midnight = NOW + DAY;
    let mut pool = pool_with(0, 0, 400_000);
    pool.accrued_at = midnight - 1_000;
    pool.terms.surplus_bps = 0;
    pool.stream_premium(9 * 86_400 + 1_000, pool.accrued_at, TODAY + 10).unwrap();
    pool.request_exit(Tranche::Senior, 300_000_000).unwrap();
    pool.add_exposure(0, 400_000).unwrap();
    pool.enqueue_epoch(TODAY).unwrap();
    let mut split = pool;
    // Before midnight 750 to the surplus, which by that has 1,500 of 400,750 parts: 3.7 of the second 1,000. Of the 996
    // others 300,000 of 400,250 are the leavers': 746.5.
    let accrual = accrued(&mut pool, midnight + 1_000);
    let expected = Accrual { earned: 2_000, surplus: 754, senior: 500, senior_exiting: 746, ..Accrual::default() };
    assert_eq!(accrual, expected);
    assert_eq!(layers(&pool), [754, 0, 0, 100_500, 300_746]);
    // Premium that stayers earned is told apart.
    assert_eq!(pool.earned, [0, 500]);
    // Whoever accrues at midnight, too, changes nothing.
    accrued(&mut split, midnight);
    accrued(&mut split, midnight + 1_000);
    assert_eq!(split, pool);
}

/// Whoever insured a lot in the last hour of an alert moved what had stood in it from junior to senior.
#[test]
fn who_sells_or_cancels_while_accrual_stands_moves_nothing_that_stood() {
    let [calm, attacked] = [false, true].map(|attack| {
        let mut pool = earning(0, 110_000, 1_000_000);
        pool.terms.surplus_bps = 0;
        pool.add_exposure(0, 110_000).unwrap();
        let alert = |number| Alert { group: 0, number, exposure: 110_000 };
        pool.move_alert(alert(0), AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
        if attack {
            pool.add_exposure(1, 440_000).unwrap();
        }
        pool.move_alert(alert(1), AlertLevel::Breaching, AlertLevel::None, NOW + 40_000).unwrap();
        // Whether somebody earns premium as the alert ends, or later, changes nothing.
        let mut later = pool;
        let stood = accrued(&mut pool, NOW + 40_000);
        let after = accrued(&mut pool, NOW + 41_000);
        accrued(&mut later, NOW + 41_000);
        assert_eq!(later, pool);
        [(stood.junior, stood.senior), (after.junior, after.senior)]
    });
    assert_eq!(calm, [(40_000, 0), (1_000, 0)]);
    assert_eq!(attacked[0], calm[0]);
    assert!(attacked[1].1 > 0, "what comes after goes by what is exposed then");
}

/// An alert that holds the pool ends, and a small one beside it, due for a day, goes on holding it: nothing ceased.
#[test]
fn what_stands_for_two_reasons_in_turn_goes_by_the_beginning_of_the_first() {
    let mut pool = earning(0, 110_000, 1_000_000);
    pool.terms.surplus_bps = 0;
    pool.add_exposure(0, 100_000).unwrap();
    pool.add_exposure(1, 5_000).unwrap();
    let large = |number| Alert { group: 0, number, exposure: 100_000 };
    let small = |number| Alert { group: 1, number, exposure: 5_000 };
    pool.move_alert(large(0), AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
    let (required, exposure) = (pool.required, pool.total_exposure);
    pool.move_alert(small(0), AlertLevel::None, AlertLevel::Due, NOW).unwrap();
    pool.due_since = NOW + 10_000 - DAY;
    pool.add_exposure(2, 440_000).unwrap();
    pool.move_alert(large(1), AlertLevel::Breaching, AlertLevel::None, NOW + 40_000).unwrap();
    assert_eq!((pool.stands_since, pool.stood_until), (NOW + 10_000, i64::MAX));
    assert_eq!((pool.stood_required, pool.stood_exposure), (required, exposure));
    pool.move_alert(small(2), AlertLevel::Due, AlertLevel::None, NOW + 41_000).unwrap();
    let stood = accrued(&mut pool, NOW + 41_000);
    // 105,000 were required, less than junior capital.
    assert_eq!((stood.junior, stood.senior), (41_000, 0));
    let after = accrued(&mut pool, NOW + 42_000);
    assert!(after.senior > 0, "what comes after goes by what is exposed then");
}

/// Whoever finds out that a small alert has come to hold the pool earns what is before that first.
#[test]
fn what_is_exposed_as_accrual_stands_again_is_noted_once_all_before_is_earned() {
    let [at_once, later] = [true, false].map(|at_once| {
        let mut pool = earning(0, 110_000, 1_000_000);
        pool.terms.surplus_bps = 0;
        pool.add_exposure(0, 100_000).unwrap();
        pool.add_exposure(1, 5_000).unwrap();
        let large = |number| Alert { group: 0, number, exposure: 100_000 };
        let small = |number| Alert { group: 1, number, exposure: 5_000 };
        pool.move_alert(large(0), AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
        pool.move_alert(small(0), AlertLevel::None, AlertLevel::Due, NOW).unwrap();
        pool.due_since = NOW + 50_000 - DAY;
        pool.add_exposure(2, 440_000).unwrap();
        pool.move_alert(large(1), AlertLevel::Breaching, AlertLevel::None, NOW + 40_000).unwrap();
        assert_eq!((pool.stands_since, pool.stood_until), (0, NOW + 40_000));
        if at_once {
            accrued(&mut pool, NOW + 40_000);
        }
        accrued(&mut pool, NOW + 60_000);
        assert_eq!((pool.accrued_at, pool.stands_since, pool.stood_until), (NOW + 50_000, NOW + 50_000, i64::MAX));
        pool
    });
    assert_eq!(at_once, later);
    // All of what stood is junior's; of what came after, the senior tranche has a part.
    assert!(later.earned[0] > 40_000 && (1..10_000).contains(&later.earned[1]), "{:?}", later.earned);
}

#[test]
fn what_a_layer_has_lent_to_a_crisis_earns_as_if_it_had_not() {
    // Half a million was required when accrual began to stand; of 100,000 that an incident is due the layers have lent half.
    let accrual = earned_thousand(400_000, |pool| {
        (pool.stood_required, pool.stood_until) = (500_000, i64::MAX);
        pool.crisis.incidents = 1;
        (pool.crisis.gross, pool.crisis.given, pool.crisis.growth) = (90_000, 50_000, 10_000);
        pool.crisis.taken = [50_000, 0, 0, 0, 0];
        pool.surplus -= 50_000;
        pool.incident_reserves += 50_000;
    });
    assert_eq!([accrual.surplus, accrual.junior, accrual.senior], [250, 500, 250]);
}

#[test]
fn a_rate_ends_on_its_day_and_what_rounding_left_is_earned_then() {
    let mut pool = pool_with(0, 1_000, 0);
    pool.terms.surplus_bps = 0;
    pool.stream_premium(10, NOW, TODAY + 1).unwrap();
    // Just before the end: 497,102 x 86,399 / 2^32 = 9.99986.
    assert_eq!(accrued(&mut pool, NOW + DAY - 1).earned, 9);
    assert!(pool.fraction_q32 > 0);
    let accrual = accrued(&mut pool, NOW + DAY);
    assert_eq!((accrual.earned, pool.unearned_premium, pool.rate_q32, pool.fraction_q32), (1, 0, 0, 0));
}

#[test]
fn capital_is_noted_when_a_day_is_first_touched_and_not_before() {
    let mut pool = earning(0, 1_000_000, 0);
    pool.capital_lows[TODAY as usize % 32] = 7;
    accrued(&mut pool, NOW + DAY - 1);
    assert_eq!((pool.capital_day, pool.capital_lows[TODAY as usize % 32]), (TODAY, 7));
    let staying = pool.staying_capital().unwrap();
    accrued(&mut pool, NOW + DAY + 5);
    // As the books stood before that day's premium.
    assert_eq!((pool.capital_day, pool.capital_lows[(TODAY as usize + 1) % 32]), (TODAY + 1, staying));
    assert_eq!(pool.capital_lows[TODAY as usize % 32], 7);
    assert!(pool.staying_capital().unwrap() > staying);
}

/// A quota share of 40 % less a quarter, from a second to another.
fn cede(pool: &mut Pool, start: i64, end: i64, limit_left: u64) {
    pool.quota_shares[0] = QuotaShareInForce {
        treaty: key(9),
        limit_left,
        start,
        end,
        cession_bps: 4_000,
        commission_bps: 2_500,
        ..QuotaShareInForce::default()
    };
}

#[test]
fn a_quota_share_gets_its_part_of_what_is_earned_within_its_term() {
    let mut pool = earning(0, 1_000_000, 0);
    cede(&mut pool, NOW + 100, NOW + 300, 1_000);
    // 30 % of 200 seconds; a tenth of the rest to the surplus, and the rest to the junior tranche, but for a fraction: 24
    // that the surplus has by then earn 0.03.
    let accrual = accrued(&mut pool, NOW + 1_000);
    assert_eq!(accrual, Accrual { earned: 1_000, ceded: [60, 0], surplus: 95, junior: 845, ..Accrual::default() });
    assert_eq!((pool.treaty_payable[0], pool.accrued_at), (60, NOW + 1_000));
}

#[test]
fn two_quota_shares_one_after_the_other_get_each_its_part_by_its_own_terms() {
    let mut pool = earning(0, 1_000_000, 0);
    cede(&mut pool, NOW + 100, NOW + 300, 1_000);
    // 20 %, without a commission, from where the first ends.
    pool.quota_shares[1] = QuotaShareInForce {
        treaty: key(8),
        limit_left: 1_000,
        start: NOW + 300,
        end: NOW + 800,
        cession_bps: 2_000,
        ..QuotaShareInForce::default()
    };
    let mut often = pool;
    // 30 % of 200 seconds, then 20 % of 500; a tenth of the rest to the surplus, and a fraction on what that has by then.
    let accrual = accrued(&mut pool, NOW + 1_000);
    assert_eq!(accrual, Accrual { earned: 1_000, ceded: [60, 100], surplus: 85, junior: 755, ..Accrual::default() });
    assert_eq!((pool.treaty_payable, pool.accrued_at), ([60, 100], NOW + 1_000));
    // However often somebody accrues.
    for second in [99, 100, 101, 299, 300, 301, 550, 799, 800, 1_000] {
        accrued(&mut often, NOW + second);
    }
    assert_eq!((often.treaty_payable, often.surplus), (pool.treaty_payable, pool.surplus));
}

#[test]
fn a_quota_share_that_is_over_or_has_not_begun_gets_nothing() {
    let mut pool = earning(0, 1_000_000, 0);
    cede(&mut pool, NOW + 500, NOW + 600, 1_000);
    assert_eq!(accrued(&mut pool, NOW + 499).ceded[0], 0);
    assert_eq!(accrued(&mut pool, NOW + 500).ceded[0], 0);
    assert_eq!(accrued(&mut pool, NOW + 510).ceded[0], 3);
    assert_eq!(accrued(&mut pool, NOW + 600).ceded[0], 27);
    assert_eq!(accrued(&mut pool, NOW + 700).ceded[0], 0);
    assert_eq!(accrued(&mut pool, NOW + 1_700).ceded[0], 0);
}

#[test]
fn fractions_of_ceded_premium_are_carried() {
    let mut pool = earning(0, 1_000_000, 0);
    cede(&mut pool, NOW, NOW + DAY, 1_000);
    let ceded: Vec<u64> = (1..=10).map(|second| accrued(&mut pool, NOW + second).ceded[0]).collect();
    assert_eq!(ceded, [0, 0, 0, 1, 0, 0, 1, 0, 0, 1]); // 0.3 a second
}

#[test]
fn premium_is_ceded_as_far_as_the_limit_covers_what_is_exposed() {
    for (exposure, limit_left, ceded) in [
        (0, 1, 300),
        (1_000, 400, 300),
        (1_000, 399, 299),
        (1_000, 200, 150),
        (1_000, 0, 0),
        (0, 0, 0),
        (1_001, 400, 299),
    ] {
        let mut pool = earning(0, 1_000_000, 0);
        cede(&mut pool, NOW, NOW + DAY, limit_left);
        pool.add_exposure(0, exposure).unwrap();
        assert_eq!(accrued(&mut pool, NOW + 1_000).ceded[0], ceded, "{limit_left} of {exposure}");
    }
}

/// A pool with a cover that earns one unit a second from the day after tomorrow on, for ten days.
fn with_cover() -> Pool {
    let mut pool = pool_with(0, 1_000_000, 0);
    pool.terms.surplus_bps = 0;
    assert_eq!(pool.stream_cover(864_000, TODAY + 2, TODAY + 12).unwrap(), ONE_A_SECOND);
    pool.invariant().unwrap();
    pool
}

#[test]
fn a_covers_premium_is_earned_from_its_first_insured_day_to_its_end() {
    let mut pool = with_cover();
    assert_eq!((pool.rate_q32, pool.waiting_rate_q32, pool.last_cover_end_day), (0, ONE_A_SECOND, TODAY + 12));
    // Nothing before, though no cover is live: its premium waits.
    assert_eq!(accrued(&mut pool, NOW + 2 * DAY - 1).earned, 0);
    assert_eq!(accrued(&mut pool, NOW + 2 * DAY).earned, 0);
    assert_eq!((pool.rate_q32, pool.waiting_rate_q32), (ONE_A_SECOND, 0));
    assert_eq!(accrued(&mut pool, NOW + 2 * DAY + 7).earned, 7);
    assert_eq!(accrued(&mut pool, NOW + 50 * DAY).earned, 863_993);
    assert_eq!((pool.rate_q32, pool.unearned_premium), (0, 0));
}

#[test]
fn a_cover_that_cannot_be_streamed_is_refused() {
    let mut pool = pool();
    pool.accrued_at = NOW + 1;
    refused(pool.stream_cover(1, TODAY, TODAY + 9), BadTerm);
    refused(pool.stream_cover(1, TODAY + 9, TODAY + 9), BadTerm);
    refused(pool.stream_cover(1, TODAY + 33, TODAY + 40), AccrualStands);
    refused(pool.stream_cover(1, TODAY + 1, TODAY + 512), AccrualStands);
    pool.stream_cover(1, TODAY + 32, TODAY + 511).unwrap();
    pool.rate_q32 = u64::MAX - (pool.waiting_rate_q32 - 1);
    refused(pool.stream_cover(1, TODAY + 32, TODAY + 511), StreamFull);
}

#[test]
fn a_cancelled_cover_takes_its_rate_and_its_premium_out() {
    let mut pool = with_cover();
    pool.stream_cover(86_400, TODAY + 2, TODAY + 3).unwrap();
    pool.end_cover_early(ONE_A_SECOND, TODAY + 2, TODAY + 3, NOW).unwrap();
    assert_eq!((pool.waiting_rate_q32, pool.rate_starts[(TODAY as usize + 2) % 32]), (ONE_A_SECOND, ONE_A_SECOND));
    assert_eq!(pool.rate_ends[(TODAY as usize + 3) % 512], 0);
    pool.refund_premium(80_000, 6_400).unwrap();
    pool.invariant().unwrap();
    assert_eq!((pool.unearned_premium, pool.cash, pool.surplus), (864_000, 1_870_400, 6_400));
    refused(pool.end_cover_early(ONE_A_SECOND, TODAY + 2, TODAY + 3, NOW), InvariantViolated);
    refused(pool.refund_premium(864_000, 1), InvariantViolated);
    refused(pool.refund_premium(u64::MAX, 1), MathOverflow);
}

#[test]
fn an_alert_stops_accrual_and_what_it_held_back_is_earned_after_it() {
    let mut pool = earning(0, 1_000_000, 0);
    pool.stands_since = NOW + 100;
    assert_eq!(accrued(&mut pool, NOW + 90).earned, 90);
    assert_eq!(accrued(&mut pool, NOW + 3 * DAY).earned, 10);
    assert_eq!(accrued(&mut pool, NOW + 5 * DAY), Accrual::default());
    assert_eq!(pool.accrued_at, NOW + 100);
    // Capital is noted by the day all the same.
    assert_eq!(pool.capital_day, TODAY + 5);
    assert_eq!(pool.capital_lows[(TODAY as usize + 5) % 32], pool.staying_capital().unwrap());
    pool.stands_since = 0;
    assert_eq!(accrued(&mut pool, NOW + 5 * DAY).earned, 5 * 86_400 - 100);
}

#[test]
fn capacity_does_not_rise_within_a_day_because_accrual_stands() {
    let mut pool = earning(0, 1_000_000, 0);
    pool.stands_since = NOW + 100;
    accrued(&mut pool, NOW + 2 * DAY);
    let before = pool.capacity_capital().unwrap();
    pool.contribute(500_000).unwrap();
    accrued(&mut pool, NOW + 2 * DAY + 9);
    assert_eq!(pool.capacity_capital().unwrap(), before);
    accrued(&mut pool, NOW + 3 * DAY);
    // With the 100 that were earned on the day before.
    assert_eq!((before, pool.capacity_capital().unwrap()), (1_000_000, 1_500_100));
}

#[test]
fn the_premium_of_a_product_that_is_over_is_divided_and_never_ceded_beyond_what_was_earned() {
    let mut pool = earning(0, 1_000_000, 0);
    cede(&mut pool, NOW + 100, NOW + 300, 1_000_000);
    let part = |from, amount| EarnedPart { from, amount };
    let ended = EndedPremium {
        accrued_at: NOW,
        ended_at: NOW + 400,
        earned: [part(NOW, 100), part(NOW + 100, 200), part(NOW + 300, 100), part(0, 0), part(0, 0)],
        waiting: 1_000,
        loss: 5_000,
    };
    let accrual = pool.end_premium(&ended).unwrap();
    // 30 % of the 200 within the term; of the 340 a tenth to the surplus, and a fraction on what that has.
    assert_eq!((accrual.earned, accrual.late, accrual.ceded, accrual.surplus), (400, 0, [60, 0], 35));
    assert_eq!((pool.unearned_premium, pool.premium_refunds, pool.set_aside), (857_600, 1_000, 5_000));
    pool.invariant().unwrap();
    let rest = pool.decide_set_aside(5_000, 3_000).unwrap();
    assert_eq!((rest.earned, rest.late, rest.ceded, rest.surplus, rest.junior), (0, 2_000, [0; 2], 200, 1_800));
    assert_eq!((pool.premium_refunds, pool.set_aside), (4_000, 0));
    pool.invariant().unwrap();
    refused(pool.decide_set_aside(1, 0), InvariantViolated);
    pool.pay_premium_refund(3_999).unwrap();
    refused(pool.pay_premium_refund(2), InvariantViolated);
    let surplus = pool.surplus;
    pool.release_premium_refunds(1).unwrap();
    assert_eq!((pool.premium_refunds, pool.surplus), (0, surplus + 1));
    pool.invariant().unwrap();
}

#[test]
fn accrual_never_earns_more_than_there_is() {
    let mut pool = earning(0, 1_000, 0);
    pool.unearned_premium = 50;
    pool.cash = 1_050;
    assert_eq!(accrued(&mut pool, NOW + 100).earned, 50);
    assert_eq!(accrued(&mut pool, NOW + 200).earned, 0);
}
