//! Terms, reading, the invariant, exposure and alerts.

use crate::common::*;
use backstop::error::BackstopError::{self, *};
use backstop::math::MAX_TOTAL_EXPOSURE;
use backstop::peril::AlertLevel;
use backstop::state::*;

#[test]
fn tranches_have_their_places_seeds_and_names() {
    assert_eq!(Tranche::BOTH.map(Tranche::index), [0, 1]);
    assert_eq!(Tranche::BOTH.map(Tranche::seed), [0, 1]);
    assert_eq!(Tranche::BOTH.map(Tranche::name), ["Junior", "Senior"]);
}

#[test]
fn an_account_has_room_for_the_pool_and_its_discriminator() {
    assert_eq!(Pool::SPACE, 8_696 + 8);
}

#[test]
fn each_term_is_refused_outside_its_bounds_and_taken_at_them() {
    pool_terms().validate(0).unwrap();
    let day = 86_400;
    type Change = fn(&mut PoolTerms, u64);
    let rest: [(Change, u64, u64); 9] = [
        (|t, n| t.cooldown_seconds = n as u32, day, 90 * day),
        (|t, n| t.solvency_bps = n as u32, 10_000, 100_000),
        (|t, n| t.max_leverage_bps = n as u32, 10_000, 100_000),
        (|t, n| t.junior_weight_bps = n as u32, 10_000, 100_000),
        (|t, n| t.group_cap_bps = n as u16, 1, 10_000),
        (|t, n| t.max_credit_bps = n as u16, 0, 5_000),
        (|t, n| t.surplus_bps = n as u16, 0, 3_000),
        (|t, n| t.first_loss_bps = n as u16, 0, 10_000),
        (|t, n| t.seasoning_days = n as u16, 1, 30),
    ];
    let rho: (Change, u64, u64) = (|t, n| t.rho_bps = n as u16, 0, 10_000);
    for (index, (change, least, most)) in rest.into_iter().chain([rho]).enumerate() {
        let with = |value| {
            let mut terms = pool_terms();
            change(&mut terms, value);
            terms.validate(0)
        };
        assert!(with(least).is_ok() && with(most).is_ok(), "term {index}");
        refused(with(most + 1), OutOfBounds);
        if least > 0 {
            refused(with(least - 1), OutOfBounds);
        }
    }
}

#[test]
fn the_smallest_amounts_are_at_least_one_whole_token() {
    type Change = fn(&mut PoolTerms, u64);
    let small: [(Change, u64, BackstopError); 3] = [
        (|t, n| t.min_first_deposit = n, 4_000_000_000_000_000, AmountTooLarge),
        (|t, n| t.min_ticket = n, 0, OutOfBounds),
        (|t, n| t.min_sum_insured = n, MAX_TOTAL_EXPOSURE, AmountTooLarge),
    ];
    for (change, most, reason) in small {
        // An asset without decimals, and those with few, count 1,000 units at least.
        for (decimals, least) in [(0, 1_000), (3, 1_000), (4, 10_000), (6, 1_000_000), (9, 1_000_000_000)] {
            let with = |value| {
                let mut terms =
                    PoolTerms { min_first_deposit: least, min_ticket: least, min_sum_insured: least, ..pool_terms() };
                change(&mut terms, value);
                terms.validate(decimals)
            };
            with(least).unwrap();
            refused(with(least - 1), OutOfBounds);
            // A ticket is at most a thousand times the least: whoever has less cannot leave by himself.
            let most = if most == 0 { 1_000 * least } else { most };
            with(most).unwrap();
            refused(with(most + 1), reason);
        }
    }
}

#[test]
fn kind_and_access_are_read_from_their_numbers() {
    let mut pool = pool();
    assert_eq!(pool.kind(), PoolKind::Cover);
    assert_eq!(pool.access(), Access::Open);
    (pool.kind, pool.access) = (1, 1);
    assert_eq!(pool.kind(), PoolKind::Reinsurance);
    assert_eq!(pool.access(), Access::AllowList);
    pool.access = 2;
    assert_eq!(pool.access(), Access::ProtocolOnly);
}

#[test]
fn each_tranche_has_its_book_and_its_mint() {
    let mut pool = pool_with(0, 10, 20);
    assert_eq!(pool.tranche(Tranche::Junior).assets, 10);
    assert_eq!(pool.tranche(Tranche::Senior).assets, 20);
    pool.tranche_mut(Tranche::Senior).exiting = 5;
    assert_eq!(pool.tranches[1].exiting, 5);
    assert_eq!(pool.tranche(Tranche::Senior).total(), 25);
    assert_eq!(pool.share_mint(Tranche::Junior), key(1));
    assert_eq!(pool.share_mint(Tranche::Senior), key(2));
}

#[test]
fn shares_and_units_are_worth_their_part_rounded_down() {
    // (assets + 1) / (shares + 1,000) is 3 / 2,000 of a unit.
    let book = TrancheBook { assets: 2, exiting: 5, shares: 1_000, units: 2_000, ..TrancheBook::default() };
    assert_eq!(book.worth_of_shares(1_000).unwrap(), 1); // 1.5
    assert_eq!(book.worth_of_units(2_000).unwrap(), 4); // 2,000 x 6 / 3,000
    assert_eq!(book.worth_of_units(1_999).unwrap(), 3);
    // Once the series is over its tickets are worth nothing, whatever the virtual position says.
    let over = TrancheBook::default();
    assert_eq!(over.worth_of_units(5_000).unwrap(), 0);
    let huge = TrancheBook { assets: u64::MAX, exiting: u64::MAX, units: 1, ..TrancheBook::default() };
    refused(huge.worth_of_shares(u64::MAX), MathOverflow);
    refused(huge.worth_of_units(u64::MAX), MathOverflow);
}

#[test]
fn capital_counts_surplus_and_tranches_and_only_losses_count_what_is_leaving() {
    let mut pool = pool_with(1, 20, 300);
    pool.tranches[0].exiting = 4_000;
    pool.tranches[1].exiting = 50_000;
    assert_eq!(pool.staying_capital().unwrap(), 321);
    assert_eq!(pool.loss_capital().unwrap(), 54_321);
    pool.surplus = u64::MAX;
    refused(pool.staying_capital(), MathOverflow);
    refused(pool.loss_capital(), MathOverflow);
}

#[test]
fn required_capital_is_the_square_root_rule_or_the_open_limits() {
    let mut pool = pool();
    pool.group_exposures[0] = 300;
    pool.group_exposures[15] = 400;
    pool.inward[0].limit = 11;
    pool.inward[7].limit = 22;
    let required = |pool: &mut Pool| {
        pool.renew_required().unwrap();
        pool.required_capital().unwrap()
    };
    assert_eq!(required(&mut pool), 700);
    pool.terms.rho_bps = 0;
    assert_eq!(required(&mut pool), 500);
    pool.kind = 1;
    assert_eq!(required(&mut pool), 33);
    assert_eq!(pool.open_limits().unwrap(), 33);
    pool.inward[1].limit = u64::MAX;
    refused(pool.open_limits(), MathOverflow);
    refused(pool.renew_required(), MathOverflow);
}

#[test]
fn required_capital_is_renewed_with_every_change_of_exposure() {
    let mut pool = pool();
    pool.terms.rho_bps = 0;
    for (group, amount, required) in [(0, 300, 300), (1, 400, 500), (2, 1_200, 1_300)] {
        pool.add_exposure(group, amount).unwrap();
        assert_eq!(pool.required, required);
    }
    pool.release_exposure(2, 1_200).unwrap();
    assert_eq!(pool.required, 500);
}

#[test]
fn a_sale_needs_its_part_of_required_capital_from_surplus_and_junior() {
    let mut pool = pool_with(100, 200, 10_000);
    pool.terms.first_loss_bps = 3_000;
    pool.add_exposure(0, 1_000).unwrap();
    pool.require_first_loss().unwrap();
    // 300.3 is rounded up.
    pool.add_exposure(0, 1).unwrap();
    refused(pool.require_first_loss(), FirstLossTooSmall);
    pool.release_exposure(0, 1).unwrap();
    // What is leaving stands in front of nothing new.
    pool.terms.min_ticket = 1;
    pool.request_exit(Tranche::Junior, 10_000).unwrap();
    refused(pool.require_first_loss(), FirstLossTooSmall);
    pool.terms.first_loss_bps = 0;
    pool.require_first_loss().unwrap();
}

/// A quota share of half, from NOW on for 30 days.
fn half(limit_left: u64) -> QuotaShareInForce {
    QuotaShareInForce {
        treaty: key(9),
        limit_left,
        start: NOW,
        end: NOW + 30 * DAY,
        cession_bps: 5_000,
        ..QuotaShareInForce::default()
    }
}

#[test]
fn a_quota_share_stands_in_for_capital_within_its_term() {
    let mut pool = pool();
    pool.quota_shares[0] = QuotaShareInForce { cession_bps: 3_000, ..half(1_000) };
    assert_eq!(pool.reinsurance_credit(2_000, NOW), 600);
    assert_eq!(pool.reinsurance_credit(2_000, NOW - 1), 0);
    assert_eq!(pool.reinsurance_credit(2_000, NOW + 30 * DAY - 1), 600);
    assert_eq!(pool.reinsurance_credit(2_000, NOW + 30 * DAY), 0);
    assert_eq!(pool.reinsurance_credit(20_000, NOW), 1_000);
    pool.terms.max_credit_bps = 1_000;
    assert_eq!(pool.reinsurance_credit(2_000, NOW), 200);
    pool.quota_shares[0].limit_left = 0;
    assert_eq!(pool.reinsurance_credit(2_000, NOW), 0);
}

#[test]
fn what_outlasts_a_quota_share_is_backed_without_its_credit() {
    let mut pool = pool_with(0, 1_000, 0);
    pool.quota_shares[0] = half(10_000);
    // 2,000 are backed by 1,000 and as much credit.
    pool.add_exposure(0, 2_000).unwrap();
    assert_eq!(pool.least_capital(NOW).unwrap(), 1_000);
    // A cover of a unit for a year takes nothing of it away; one more than there is capital is refused.
    pool.count_outlasting(TODAY + 365, 1).unwrap();
    assert_eq!((pool.quota_shares[0].outlasting, pool.least_capital(NOW).unwrap()), (1, 1_000));
    pool.count_outlasting(TODAY + 31, 999).unwrap();
    pool.require_solvent(NOW).unwrap();
    pool.count_outlasting(TODAY + 31, 1).unwrap();
    assert_eq!(pool.least_capital(NOW).unwrap(), 1_001);
    refused(pool.require_solvent(NOW), BelowRequiredCapital);
    // One that ends with the term does not outlast it, and one that is given back no longer does.
    pool.count_outlasting(TODAY + 30, 500).unwrap();
    assert_eq!(pool.quota_shares[0].outlasting, 1_001);
    pool.uncount_outlasting(TODAY + 30, 500);
    pool.uncount_outlasting(TODAY + 31, 1);
    assert_eq!(pool.quota_shares[0].outlasting, 1_000);
    pool.require_solvent(NOW).unwrap();
    // Beside an alert it is asked for beside it, and never for more than is there.
    let alert = Alert { group: 0, number: 0, exposure: 300 };
    pool.move_alert(alert, AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
    assert_eq!(pool.least_capital(NOW).unwrap(), 1_300); // 300, and 1,000 without credit
    pool.quota_shares[0].outlasting = 9_999;
    assert_eq!(pool.least_capital(NOW).unwrap(), 2_000);
}

#[test]
fn the_next_quota_share_stands_in_for_what_outlasts_the_first() {
    let mut pool = pool_with(0, 1_000, 0);
    let next = QuotaShareInForce { treaty: key(8), start: NOW + 30 * DAY, end: NOW + 60 * DAY, ..half(10_000) };
    pool.quota_shares = [half(10_000), next];
    pool.add_exposure(0, 2_000).unwrap();
    pool.count_outlasting(TODAY + 60, 2_000).unwrap();
    assert_eq!(pool.quota_shares.map(|share| share.outlasting), [2_000, 0]);
    pool.require_solvent(NOW).unwrap();
    // By its own limit.
    pool.quota_shares[1].limit_left = 999;
    assert_eq!(pool.least_capital(NOW).unwrap(), 1_001);
    pool.quota_shares[1].limit_left = 1_000;
    // What outlasts both is the pool's alone, whichever of them runs.
    pool.count_outlasting(TODAY + 61, 1_001).unwrap();
    for now in [NOW, NOW + 30 * DAY] {
        assert_eq!(pool.least_capital(now).unwrap(), 1_001);
    }
    pool.uncount_outlasting(TODAY + 61, 1_001);
    // A gap of a day is one in which it stands alone.
    pool.quota_shares[1].start += DAY;
    assert_eq!(pool.least_capital(NOW).unwrap(), 2_000);
}

#[test]
fn what_must_stay_is_the_stricter_of_solvency_and_leverage() {
    let mut pool = pool();
    pool.terms.solvency_bps = 12_000;
    assert_eq!(pool.must_stay(1_001).unwrap(), 1_202); // 1,201.2
    pool.total_exposure = 10_001;
    assert_eq!(pool.must_stay(1_001).unwrap(), 2_001); // 10,001 / 5
    refused(pool.must_stay(u64::MAX), MathOverflow);
}

#[test]
fn a_pool_is_solvent_down_to_the_last_unit_that_must_stay() {
    let mut pool = pool_with(100, 200, 300);
    pool.add_exposure(3, 600).unwrap();
    pool.require_solvent(NOW).unwrap();
    pool.add_exposure(3, 1).unwrap();
    refused(pool.require_solvent(NOW), BelowRequiredCapital);
    // What has asked to leave does not count, and what a quota share pays does.
    pool.tranches[1].exiting = 1_000;
    refused(pool.require_solvent(NOW), BelowRequiredCapital);
    pool.quota_shares[0] = half(1);
    pool.require_solvent(NOW).unwrap();
    pool.add_exposure(3, 1).unwrap();
    refused(pool.require_solvent(NOW), BelowRequiredCapital);
}

/// A pool of 1,000 at a solvency of 120 %, without correlation, with 400 of group 0 in alert beside 300 of group 1.
fn beside_an_alert() -> Pool {
    let mut pool = pool_with(0, 1_000, 0);
    (pool.terms.rho_bps, pool.terms.solvency_bps) = (0, 12_000);
    pool.add_exposure(0, 400).unwrap();
    pool.add_exposure(1, 300).unwrap();
    let alert = Alert { group: 0, number: 0, exposure: 400 };
    pool.move_alert(alert, AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
    pool.invariant().unwrap();
    pool
}

#[test]
fn capital_that_may_be_lost_already_backs_nothing_else() {
    let mut pool = beside_an_alert();
    // Without the alert 1.2 times the root of 400^2 + 300^2, with it 400 in full and 1.2 x 300.
    assert_eq!(pool.must_stay(pool.required_capital().unwrap()).unwrap(), 600);
    assert_eq!(pool.least_capital(NOW).unwrap(), 760);
    // The last unit of exposure that the rest of the capital backs: 1.2 x 500.
    pool.add_exposure(1, 200).unwrap();
    pool.require_solvent(NOW).unwrap();
    pool.add_exposure(1, 1).unwrap();
    refused(pool.require_solvent(NOW), BelowRequiredCapital);
    // The alert's own group is no exception, and what is in alert is not counted twice.
    let mut pool = beside_an_alert();
    pool.add_exposure(0, 400).unwrap();
    assert_eq!(pool.least_capital(NOW).unwrap(), 1_026); // the root of 800^2 + 300^2 is 854.4: 1.2 x 855
    pool.terms.solvency_bps = 10_000;
    assert_eq!(pool.least_capital(NOW).unwrap(), 900); // 400, and the root of 400^2 + 300^2
    // It ends, and all is as before it.
    let alert = Alert { group: 0, number: 1, exposure: 400 };
    pool.move_alert(alert, AlertLevel::Breaching, AlertLevel::None, NOW).unwrap();
    assert_eq!(pool.least_capital(NOW).unwrap(), 855);
    pool.invariant().unwrap();
}

#[test]
fn full_collateral_asks_no_more_beside_an_alert_than_without_one() {
    let mut pool = beside_an_alert();
    pool.terms.rho_bps = 10_000;
    pool.add_exposure(1, 0).unwrap(); // required capital is worked out anew
    assert_eq!(pool.least_capital(NOW).unwrap(), 840); // 1.2 x 700
    pool.terms.solvency_bps = 10_000;
    assert_eq!(pool.least_capital(NOW).unwrap(), 700);
}

#[test]
fn leverage_is_that_of_what_is_left_beside_an_alert() {
    let mut pool = beside_an_alert();
    (pool.terms.solvency_bps, pool.terms.max_leverage_bps) = (10_000, 20_000);
    for group in 1..10 {
        pool.add_exposure(group, 100).unwrap();
    }
    // 400, and half of 1,200; the root of 400^2 + 8 x 100^2 is 489.9.
    assert_eq!(pool.least_capital(NOW).unwrap(), 1_000);
    pool.require_solvent(NOW).unwrap();
}

#[test]
fn no_treaty_stands_in_for_an_alert() {
    let mut pool = beside_an_alert();
    pool.terms.solvency_bps = 10_000;
    pool.quota_shares[0] = half(10_000);
    // 400, and half of 300: whether the treaty pays for the alert depends on when its event was.
    assert_eq!(pool.least_capital(NOW).unwrap(), 550);
    pool.quota_shares[0].limit_left = 100;
    assert_eq!(pool.least_capital(NOW).unwrap(), 600);
}

#[test]
fn what_incidents_are_due_stays_beside_the_rest() {
    let mut pool = beside_an_alert();
    (pool.crisis.incidents, pool.crisis.gross, pool.crisis.growth, pool.crisis.given) = (1, 100, 60, 30);
    assert_eq!((pool.due_in_crisis().unwrap(), pool.least_capital(NOW).unwrap()), (130, 890));
    pool.crisis.recovered = 20;
    assert_eq!((pool.due_in_crisis().unwrap(), pool.least_capital(NOW).unwrap()), (110, 870));
    pool.crisis.recovered = 200;
    assert_eq!((pool.due_in_crisis().unwrap(), pool.least_capital(NOW).unwrap()), (0, 760));
}

#[test]
fn an_alert_and_an_unfilled_epoch_past_its_day_are_in_the_way() {
    let mut pool = pool();
    pool.require_no_alert().unwrap();
    pool.require_no_exits_waiting(NOW).unwrap();
    pool.oldest_exit_day = TODAY + 1;
    pool.require_no_exits_waiting(NOW).unwrap();
    pool.oldest_exit_day = TODAY;
    pool.require_no_exits_waiting(NOW).unwrap();
    pool.require_no_exits_waiting(NOW + DAY - 1).unwrap();
    refused(pool.require_no_exits_waiting(NOW + DAY), ExitsWaiting);
    pool.alerts = 1;
    refused(pool.require_no_alert(), PoolInAlert);
}

#[test]
fn notice_runs_for_the_cooldown_and_three_days_once_anybody_relies_on_the_pool() {
    let mut pool = pool();
    assert_eq!(pool.notice_ends_at(NOW), NOW);
    pool.in_use = 1;
    assert_eq!(pool.notice_ends_at(NOW), NOW + 10 * DAY);
}

#[test]
fn caps_count_the_lowest_of_now_and_the_last_days() {
    let mut pool = pool_with(100, 200, 300);
    pool.terms.seasoning_days = 3;
    for day in TODAY - 2..=TODAY {
        pool.capital_lows = [700; 32];
        assert_eq!(pool.capacity_capital().unwrap(), 600);
        pool.capital_lows[day as usize % 32] = 500;
        assert_eq!(pool.capacity_capital().unwrap(), 500);
    }
    pool.capital_lows = [600; 32];
    for day in [TODAY - 3, TODAY + 1] {
        pool.capital_lows[day as usize % 32] = 500;
    }
    assert_eq!(pool.capacity_capital().unwrap(), 600);
}

#[test]
fn every_entry_of_the_ledger_counts_in_the_invariant() {
    let whole = || {
        let mut pool = pool();
        pool.surplus = 1;
        pool.tranches[0] = TrancheBook { assets: 2, exiting: 3, shares: 1, units: 1, ..TrancheBook::default() };
        pool.tranches[1] = TrancheBook { assets: 4, exiting: 5, shares: 1, units: 1, ..TrancheBook::default() };
        pool.unearned_premium = 6;
        pool.incident_reserves = 7;
        pool.exit_reserves = 8;
        pool.treaty_payable[0] = 9;
        pool.premium_refunds = 11;
        pool.set_aside = 12;
        pool.cash = 68;
        pool.group_exposures[2] = 10;
        pool.group_exposures[9] = 20;
        pool.total_exposure = 30;
        pool.alert_exposure = 30;
        (pool.group_alert_exposures[2], pool.group_alert_exposures[9]) = (10, 20);
        pool
    };
    whole().invariant().unwrap();
    let changes: [fn(&mut Pool); 21] = [
        |pool| pool.surplus += 1,
        |pool| pool.tranches[0].assets += 1,
        |pool| pool.tranches[0].exiting += 1,
        |pool| pool.tranches[1].assets += 1,
        |pool| pool.tranches[1].exiting += 1,
        |pool| pool.unearned_premium += 1,
        |pool| pool.incident_reserves += 1,
        |pool| pool.exit_reserves += 1,
        |pool| pool.treaty_payable[0] += 1,
        |pool| pool.premium_refunds += 1,
        |pool| pool.set_aside += 1,
        |pool| pool.cash -= 1,
        |pool| pool.group_exposures[9] -= 1,
        |pool| pool.total_exposure += 1,
        |pool| pool.alert_exposure += 1,
        |pool| pool.group_alert_exposures[9] -= 1,
        |pool| pool.surplus = u64::MAX,
        // Capital that nobody owns.
        |pool| pool.tranches[0].shares = 0,
        |pool| pool.tranches[1].shares = 0,
        |pool| pool.tranches[0].units = 0,
        |pool| pool.tranches[1].units = 0,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut pool = whole();
        change(&mut pool);
        let error = pool.invariant().map_err(|_| index);
        assert_eq!(error.err(), Some(index));
        refused(pool.invariant(), InvariantViolated);
    }
}

#[test]
fn shares_and_units_may_outlive_what_they_own() {
    let mut pool = pool();
    for tranche in 0..2 {
        pool.tranches[tranche] = TrancheBook { shares: 5, units: 5, ..TrancheBook::default() };
        pool.invariant().unwrap();
        pool.tranches[tranche] = TrancheBook::default();
        pool.invariant().unwrap();
    }
}

#[test]
fn exposure_is_counted_by_group_and_in_all() {
    let mut pool = pool();
    pool.add_exposure(0, 5).unwrap();
    pool.add_exposure(15, 7).unwrap();
    assert_eq!((pool.group_exposure(0), pool.group_exposure(15), pool.total_exposure), (5, 7, 12));
    assert_eq!((pool.group_exposure(1), pool.group_exposure(16)), (0, 0));
    refused(pool.add_exposure(16, 1), OutOfBounds);
    refused(pool.release_exposure(16, 1), OutOfBounds);
    pool.release_exposure(15, 3).unwrap();
    assert_eq!((pool.group_exposure(15), pool.total_exposure), (4, 9));
    pool.invariant().unwrap();
    refused(pool.release_exposure(15, 5), InvariantViolated);
}

#[test]
fn exposure_has_a_bound() {
    let mut pool = pool();
    pool.add_exposure(0, MAX_TOTAL_EXPOSURE).unwrap();
    refused(pool.add_exposure(1, 1), TooMuchExposure);
}

#[test]
fn a_product_may_reach_its_cap_and_what_its_group_leaves() {
    let mut pool = pool_with(0, 1_000, 0);
    pool.terms.group_cap_bps = 5_000;
    pool.add_exposure(2, 300).unwrap();
    // Of 1,000: the group's 500 less the others' 200.
    assert_eq!(pool.product_capacity(2, 8_000, 100).unwrap(), 300);
    assert_eq!(pool.product_capacity(2, 2_500, 100).unwrap(), 250);
    assert_eq!(pool.product_capacity(3, 8_000, 0).unwrap(), 500);
    pool.add_exposure(2, 400).unwrap();
    assert_eq!(pool.product_capacity(2, 8_000, 100).unwrap(), 0);
}

#[test]
fn an_alert_counts_products_and_exposure_on_every_way_between_its_levels() {
    use AlertLevel::*;
    let counts = |level| match level {
        None => (0, 0, 0),
        Breaching => (1, 0, 70),
        Due => (1, 1, 70),
    };
    for from in [None, Breaching, Due] {
        for to in [None, Breaching, Due] {
            let mut pool = pool();
            (pool.alerts, pool.alerts_due, pool.alert_exposure) = counts(from);
            pool.group_alerts[5] = pool.alerts as u16;
            pool.group_alert_exposures[5] = pool.alert_exposure;
            let alert = Alert { group: 5, number: 0, exposure: 70 };
            pool.move_alert(alert, from, to, NOW).unwrap();
            assert_eq!((pool.alerts, pool.alerts_due, pool.alert_exposure), counts(to), "{from:?} to {to:?}");
            assert_eq!(u32::from(pool.group_alerts[5]), pool.alerts);
            assert_eq!(pool.group_alert_exposures[5], pool.alert_exposure);
            let refusal = pool.require_no_group_alert(5);
            assert_eq!(refusal.is_err(), to != None);
            pool.require_no_group_alert(4).unwrap();
        }
    }
}

#[test]
fn accrual_stands_from_the_first_alert_to_the_end_of_the_last() {
    use AlertLevel::*;
    let mut pool = pool();
    pool.add_exposure(0, 10).unwrap();
    pool.move_alert(Alert { group: 0, number: 0, exposure: 4 }, None, Breaching, NOW + 1).unwrap();
    pool.move_alert(Alert { group: 0, number: 0, exposure: 6 }, None, Due, NOW + 2).unwrap();
    pool.move_alert(Alert { group: 0, number: 0, exposure: 4 }, Breaching, Due, NOW + 3).unwrap();
    pool.move_alert(Alert { group: 0, number: 0, exposure: 4 }, Due, None, NOW + 4).unwrap();
    assert_eq!((pool.stands_since, pool.accrues_to(NOW), pool.accrues_to(NOW + 9)), (NOW + 1, NOW, NOW + 1));
    pool.move_alert(Alert { group: 0, number: 0, exposure: 6 }, Due, None, NOW + 5).unwrap();
    assert_eq!((pool.stands_since, pool.accrues_to(NOW + 9)), (0, NOW + 9));
    pool.move_alert(Alert { group: 0, number: 0, exposure: 6 }, None, Due, NOW + 6).unwrap();
    assert_eq!(pool.stands_since, NOW + 6);
}

/// An alert of a product in group 0.
fn alert_of(exposure: u64) -> Alert {
    Alert { group: 0, number: 0, exposure }
}

#[test]
fn small_alerts_hold_nothing_and_one_that_is_more_holds_all_until_one_ends() {
    use AlertLevel::*;
    let mut pool = pool_with(0, 500_000, 500_000);
    pool.add_exposure(0, 900_000).unwrap();
    // 5,000 of 1,000,000 are small, together.
    pool.move_alert(alert_of(1), None, Breaching, NOW + 1).unwrap();
    pool.move_alert(alert_of(4_999), None, Breaching, NOW + 2).unwrap();
    assert_eq!((pool.alerts, pool.alert_exposure, pool.stands_since, pool.alerts_hold()), (2, 5_000, 0, false));
    assert_eq!((pool.alert(), pool.accrues_to(NOW + 9)), (None, NOW + 9));
    pool.require_takes_capital().unwrap();
    refused(pool.require_no_alert(), PoolInAlert);
    refused(pool.require_no_group_alert(0), GroupInAlert);
    // A unit more is not: since when it began.
    pool.move_alert(alert_of(1), None, Breaching, NOW + 3).unwrap();
    assert_eq!((pool.stands_since, pool.alerts_since, pool.alert()), (NOW + 3, NOW + 3, Breaching));
    refused(pool.require_takes_capital(), PoolInAlert);
    refused(pool.deposit(Tranche::Junior, 100_000, 0), PoolInAlert);
    // A gift does not end it.
    pool.contribute(1_000_000).unwrap();
    pool.accrue(NOW + 4).unwrap();
    assert_eq!((pool.stands_since, pool.alerts_hold()), (NOW + 3, true));
    // One that ends and leaves only small ones does.
    pool.move_alert(alert_of(1), Breaching, None, NOW + 5).unwrap();
    assert_eq!((pool.stands_since, pool.alerts_since, pool.alerts_hold()), (0, 0, false));
    pool.require_takes_capital().unwrap();
}

#[test]
fn alerts_that_capital_leaves_behind_hold_from_when_that_is_found_out() {
    let mut pool = pool_with(5_000, 495_000, 500_000);
    pool.add_exposure(0, 900_000).unwrap();
    pool.move_alert(alert_of(5_000), AlertLevel::None, AlertLevel::Breaching, NOW + 1).unwrap();
    pool.pay_from_surplus(1).unwrap();
    assert!(pool.alerts_hold());
    refused(pool.require_takes_capital(), PoolInAlert);
    pool.accrue(NOW + 7).unwrap();
    assert_eq!((pool.stands_since, pool.accrues_to(NOW + 9)), (NOW + 7, NOW + 7));
}

#[test]
fn a_small_alert_that_is_due_for_a_day_holds_from_then_on() {
    use AlertLevel::*;
    let mut pool = pool_with(0, 500_000, 500_000);
    pool.add_exposure(0, 900_000).unwrap();
    pool.move_alert(alert_of(5), None, Breaching, NOW).unwrap();
    pool.accrue(NOW + 40 * DAY).unwrap();
    assert_eq!((pool.stands_since, pool.accrued_at), (0, NOW + 40 * DAY));
    pool.move_alert(alert_of(5), Breaching, Due, NOW + 41 * DAY).unwrap();
    assert_eq!((pool.due_since, pool.alert()), (NOW + 41 * DAY, None));
    pool.accrue(NOW + 42 * DAY - 1).unwrap();
    assert_eq!((pool.stands_since, pool.accrued_at), (0, NOW + 42 * DAY - 1));
    // Whoever finds it out, and when.
    pool.accrue(NOW + 50 * DAY).unwrap();
    assert_eq!((pool.stands_since, pool.accrued_at, pool.alert()), (NOW + 42 * DAY, NOW + 42 * DAY, Due));
    pool.move_alert(alert_of(5), Due, None, NOW + 51 * DAY).unwrap();
    assert_eq!((pool.stands_since, pool.due_since, pool.alert()), (0, 0, None));
}

#[test]
fn exits_leave_a_small_alert_behind_and_small() {
    let mut pool = pool_with(0, 400_000, 600_000);
    pool.add_exposure(0, 1_000).unwrap();
    pool.request_exit(Tranche::Senior, 600_000_000).unwrap();
    pool.request_exit(Tranche::Junior, 300_000_000).unwrap();
    assert_eq!(pool.free_for_exits(TODAY - 1, &InwardRisk::default(), NOW).unwrap(), 999_000);
    pool.move_alert(alert_of(1_000), AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
    // 1,000 may be lost and stay, and so must 200,000, or they would be small no longer.
    assert_eq!(pool.free_for_exits(TODAY - 1, &InwardRisk::default(), NOW).unwrap(), 800_000);
    // It stays in full beside what the rest requires, however little the groups have to do with one another.
    pool.terms.rho_bps = 0;
    pool.add_exposure(1, 900_000).unwrap();
    assert_eq!(pool.free_for_exits(TODAY - 1, &InwardRisk::default(), NOW).unwrap(), 99_000);
}

#[test]
fn a_product_without_exposure_or_change_does_not_count_in_the_alert() {
    let mut pool = pool();
    let none = Alert { group: 5, number: 0, exposure: 0 };
    pool.move_alert(none, AlertLevel::None, AlertLevel::Due, NOW).unwrap();
    assert_eq!((pool.alerts, pool.alerts_due, pool.alert_exposure), (0, 0, 0));
    let alert = Alert { group: 5, number: 0, exposure: 70 };
    pool.move_alert(alert, AlertLevel::Breaching, AlertLevel::Breaching, NOW).unwrap();
    pool.move_alert(alert, AlertLevel::Due, AlertLevel::Due, NOW).unwrap();
    assert_eq!((pool.alerts, pool.alerts_due, pool.alert_exposure), (0, 0, 0));
    refused(pool.move_alert(alert, AlertLevel::Breaching, AlertLevel::None, NOW), InvariantViolated);
    (pool.alerts, pool.alert_exposure, pool.group_alerts[5]) = (1, 70, 1);
    let nowhere = Alert { group: 16, ..alert };
    refused(pool.move_alert(nowhere, AlertLevel::Due, AlertLevel::None, NOW), OutOfBounds);
    refused(pool.move_alert(alert, AlertLevel::Due, AlertLevel::None, NOW), InvariantViolated);
}
