//! Deposits, contributions and new series.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::peril::feed::Source;
use backstop::peril::two_keys::Reach;
use backstop::state::*;

#[test]
fn a_deposit_buys_a_thousand_shares_a_unit_at_first_and_at_the_price_of_the_books_later() {
    let mut pool = pool();
    assert_eq!(pool.deposit(Tranche::Senior, 10_000, 10_000_000).unwrap(), 10_000_000);
    assert_eq!(pool.in_use, 1);
    assert_eq!(pool.tranches[1], TrancheBook { assets: 10_000, shares: 10_000_000, ..TrancheBook::default() });
    // Premium doubles the price: (10,000,000 + 1,000) / (20,001 + 1) = 500.
    pool.tranches[1].assets += 10_001;
    pool.cash += 10_001;
    assert_eq!(pool.deposit(Tranche::Senior, 3, 1_500).unwrap(), 1_500);
    assert_eq!((pool.tranches[1].assets, pool.tranches[1].shares, pool.cash), (20_004, 10_001_500, 20_004));
    assert_eq!(pool.tranches[0], TrancheBook::default());
    pool.invariant().unwrap();
}

#[test]
fn a_deposit_is_refused_when_it_is_too_small_or_buys_too_little() {
    let mut pool = pool();
    refused(pool.deposit(Tranche::Junior, 0, 0), AmountTooSmall);
    refused(pool.deposit(Tranche::Junior, 9_999, 0), FirstDepositTooSmall);
    refused(pool.deposit(Tranche::Junior, 10_000, 10_000_001), TooFewShares);
    // So dear that a unit buys no share.
    pool.tranches[0] = TrancheBook { assets: 1_000_000, shares: 1, ..TrancheBook::default() };
    refused(pool.deposit(Tranche::Junior, 1, 0), AmountTooSmall);
    pool.tranches[0].wiped_out = 1;
    refused(pool.deposit(Tranche::Junior, 10_000, 0), TrancheWipedOut);
}

#[test]
fn a_tranche_that_could_not_become_exit_units_takes_no_more() {
    let thousand = 1_000_000_000_000_000;
    let mut pool = pool_with(0, thousand / 2, 0);
    // Units at a ninth of what they began at: not in ruin yet.
    pool.tranches[0].units = 9_000_000_000;
    pool.tranches[0].exiting = 1_000_000;
    // Four times the assets would become 36,000 x assets units: 2^64 of them at 512 x 10^12.
    assert!(pool.deposit(Tranche::Junior, thousand / 100, 0).is_ok());
    refused(pool.deposit(Tranche::Junior, thousand / 100, 0), AmountTooLarge);
}

#[test]
fn a_tranche_in_ruin_lowers_its_start_for_a_deposit() {
    // 1,000,000 claims are in ruin when (assets + 1) x 10,000 < 1,001,000: below 100.1 - 1.
    for (left, lowered) in [(100, 0), (99, 1)] {
        let mut shares = pool();
        shares.tranches[0] = TrancheBook { assets: left, shares: 1_000_000, ..TrancheBook::default() };
        // By what exit units are worth as well: a loss that wipes those out would take the deposit along.
        let mut units = pool_with(0, 1_000, 0);
        (units.tranches[0].exiting, units.tranches[0].units) = (left, 1_000_000);
        for mut pool in [shares, units] {
            // Not beside an alert, however small: nobody knows what is left after it.
            let mut alert = pool;
            (alert.alerts, alert.surplus) = (1, 1);
            let refusal = alert.deposit(Tranche::Junior, 10_000, 0);
            assert_eq!(refusal.is_err(), lowered == 1);
            if lowered == 1 {
                refused(refusal, TrancheInRuin);
            }
            let before = pool.tranches[0];
            let price = before.worth_of_shares(1_000_000).unwrap();
            pool.deposit(Tranche::Junior, 10_000, 0).unwrap();
            // At its price: nobody's money moves.
            assert_eq!(pool.tranches[0].worth_of_shares(1_000_000).unwrap(), price);
            assert_eq!((pool.tranches[0].lowered, pool.tranches[0].is_in_ruin()), (lowered, false));
            // The senior tranche is none of that.
            pool.deposit(Tranche::Senior, 10_000, 0).unwrap();
            assert_eq!(pool.tranches[1].lowered, 0);
        }
    }
}

#[test]
fn a_start_is_lowered_three_times_and_no_further() {
    let mut pool = pool_with(0, 1_000_000_000, 0);
    for lowered in 1..=4u8 {
        // To 5, 2.5 and 1.25 % of the start of each time, and from 12.5 % of the last to 2.5 %: in ruin, and not over.
        let all = pool.tranches[0].assets;
        let left = if lowered == 4 { all / 5 } else { all / 20 };
        assert!(!pool.take_loss(all - left).unwrap().junior_over);
        let deposit = pool.deposit(Tranche::Junior, 1_000, 0);
        if lowered == 4 {
            refused(deposit, TrancheInRuin);
        } else {
            deposit.unwrap();
            assert_eq!(pool.tranches[0].lowered, lowered);
        }
    }
    // A new series begins at the start.
    let all = pool.tranches[0].assets;
    assert!(pool.take_loss(all).unwrap().junior_over);
    pool.open_series(Tranche::Junior, key(7)).unwrap();
    assert_eq!(pool.tranches[0].lowered, 0);
}

#[test]
fn a_pool_that_stands_behind_nothing_takes_no_deposits_while_it_earns_for_a_risk_that_is_over() {
    let mut pool = reinsurer_with(0, 100_000, 0);
    pool.stream_premium(700, NOW, TODAY + 7).unwrap();
    // With a limit open whoever comes in bears a part of the risk.
    pool.required = 700;
    { pool }.deposit(Tranche::Senior, 10_000_000, 0).unwrap();
    // Behind less than it earns nearly all of that is for what others have borne.
    pool.required = 699;
    refused({ pool }.deposit(Tranche::Junior, 1_000, 0), NothingAtRisk);
    pool.required = 0;
    refused({ pool }.deposit(Tranche::Senior, 10_000_000, 0), NothingAtRisk);
    refused({ pool }.deposit(Tranche::Junior, 1_000, 0), NothingAtRisk);
    pool.accrue(NOW + 7 * DAY).unwrap();
    pool.deposit(Tranche::Senior, 10_000_000, 0).unwrap();
    assert_eq!(layers(&pool), [70, 100_630, 0, 10_000_000, 0]);
}

#[test]
fn a_fresh_deposit_loses_nine_tenths_at_least_before_the_tranche_is_wiped_out() {
    // At the edge of ruin, half of the old claims leaving: 100 of 1,000 are left of each.
    for fresh in [10_000, 1_000_000] {
        let mut pool = pool();
        pool.tranches[0] =
            TrancheBook { assets: 100, exiting: 100, shares: 1_000_000, units: 1_000_000, ..TrancheBook::default() };
        pool.cash = 200;
        let shares = pool.deposit(Tranche::Junior, fresh, 0).unwrap();
        let all = fresh + 200;
        let mut hit = pool;
        assert!(!hit.take_loss(all * 89 / 100).unwrap().junior_over);
        assert!(hit.tranches[0].worth_of_shares(shares).unwrap() >= fresh * 10 / 100);
        assert!(pool.take_loss(all * 92 / 100).unwrap().junior_over);
    }
}

#[test]
fn a_deserted_ruin_opens_a_new_series_and_a_tranche_that_somebody_is_in_does_not() {
    // Shares at 1.1 % of their start, worth 999 together: a ticket is 1,000.
    let deserted = TrancheBook { assets: 999, shares: 90_000_000, series: 2, ..TrancheBook::default() };
    let with = |book: TrancheBook| {
        let mut pool = pool();
        pool.tranches[0] = book;
        pool.cash = book.total();
        pool
    };
    let mut pool = with(deserted);
    let opened = pool.open_series(Tranche::Junior, key(7)).unwrap();
    assert_eq!(opened, NewSeries { series: 3, to_surplus: 999 });
    assert_eq!(pool.tranches[0], TrancheBook { series: 3, ..TrancheBook::default() });
    assert_eq!((pool.surplus, pool.share_mints[0]), (999, key(7)));
    pool.invariant().unwrap();
    assert!(pool.deposit(Tranche::Junior, 10_000, 0).is_ok());
    for (book, what) in [
        (TrancheBook { assets: 1_000, ..deserted }, "worth a ticket"),
        (TrancheBook { recoverable: 1, ..deserted }, "worth a ticket with what a treaty owes"),
        (TrancheBook { shares: 9_000_000, ..deserted }, "at 11 % of the start"),
        (TrancheBook { exiting: 1, units: 1, ..deserted }, "somebody waits to leave"),
        (TrancheBook::default(), "nobody was ever in it"),
    ] {
        let mut pool = with(book);
        let opened = pool.open_series(Tranche::Junior, key(7));
        assert!(opened.is_err(), "{what}");
        refused(opened, TrancheNotWipedOut);
    }
    let mut pool = with(deserted);
    pool.alerts = 1;
    refused(pool.open_series(Tranche::Junior, key(7)), PoolInAlert);
}

#[test]
fn capital_that_comes_in_counts_for_capacity_once_it_is_seasoned() {
    let come_in: [fn(&mut Pool); 3] = [
        |pool| {
            pool.deposit(Tranche::Junior, 500, 0).unwrap();
        },
        |pool| pool.contribute(500).unwrap(),
        |pool| pool.receive_surplus(500).unwrap(),
    ];
    for days in [1, 2, 7, 30] {
        for come_in in come_in {
            let mut pool = pool_with(0, 10_000, 0);
            pool.terms.seasoning_days = days;
            // A second before midnight, over as many midnights as the terms say.
            pool.accrue(NOW + DAY - 1).unwrap();
            come_in(&mut pool);
            pool.invariant().unwrap();
            assert_eq!((pool.staying_capital().unwrap(), pool.capacity_capital().unwrap()), (10_500, 10_000));
            let seasoned = NOW + i64::from(days) * DAY;
            for touched in [true, false] {
                let mut pool = pool;
                // Days on which nothing happens count too.
                (1..i64::from(days)).filter(|_| touched).for_each(|day| {
                    pool.accrue(NOW + day * DAY).unwrap();
                });
                pool.accrue(seasoned - 1).unwrap();
                assert_eq!(pool.capacity_capital().unwrap(), 10_000, "{days} days");
                pool.accrue(seasoned).unwrap();
                assert_eq!(pool.capacity_capital().unwrap(), 10_500, "{days} days");
            }
        }
    }
}

#[test]
fn a_new_pool_has_no_capacity_before_its_capital_is_seasoned() {
    let mut pool = pool();
    pool.terms.seasoning_days = 7;
    pool.contribute(500).unwrap();
    pool.accrue(NOW + 7 * DAY - 1).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 0);
    pool.accrue(NOW + 7 * DAY).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 500);
    // However long nothing happens, the ring forgets what it was.
    let mut later = pool;
    later.contribute(1).unwrap();
    later.accrue(NOW + 400 * DAY).unwrap();
    assert!(later.capital_lows.iter().all(|low| *low == 501));
}

#[test]
fn capital_that_leaves_and_other_capital_that_comes_on_one_day_are_the_low_of_it() {
    let mut pool = pool_with(0, 10_000, 0);
    pool.terms.seasoning_days = 2;
    pool.take_loss(4_000).unwrap();
    pool.cash -= 4_000;
    pool.accrue(NOW + 1).unwrap();
    pool.contribute(4_000).unwrap();
    assert_eq!((pool.staying_capital().unwrap(), pool.capacity_capital().unwrap()), (10_000, 6_000));
    pool.accrue(NOW + DAY).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 6_000);
    pool.accrue(NOW + 2 * DAY).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 10_000);
}

#[test]
fn an_exit_lowers_capacity_while_it_stands_and_not_once_it_is_taken_back() {
    for (asked, back) in [(0, DAY), (DAY - 1, DAY), (5, 3 * DAY + 7), (5, 40 * DAY)] {
        let mut pool = pool_with(0, 10_000, 0);
        pool.terms.seasoning_days = 7;
        pool.accrue(NOW + asked).unwrap();
        pool.request_exit(Tranche::Junior, 6_000_000).unwrap();
        assert_eq!(pool.capacity_capital().unwrap(), 4_000);
        // Whoever brings a unit cannot make the moment last.
        pool.accrue(NOW + asked).unwrap();
        pool.contribute(1).unwrap();
        refused(pool.cancel_exit(Tranche::Junior, 6_000_000, TODAY), AskedToday);
        pool.accrue(NOW + back).unwrap();
        assert_eq!(pool.capacity_capital().unwrap(), if back > 7 * DAY { 4_001 } else { 4_000 });
        pool.cancel_exit(Tranche::Junior, 6_000_000, TODAY).unwrap();
        pool.invariant().unwrap();
        // As if it had not asked: the unit counts when it is seasoned.
        assert_eq!(pool.capacity_capital().unwrap(), if back > 7 * DAY { 10_001 } else { 10_000 }, "after {back}");
        pool.accrue(NOW + back + 7 * DAY).unwrap();
        assert_eq!(pool.capacity_capital().unwrap(), 10_001);
    }
}

#[test]
fn capital_that_comes_does_not_make_up_for_capital_that_asked_to_leave() {
    let mut pool = pool_with(0, 10_000, 0);
    pool.terms.seasoning_days = 2;
    pool.request_exit(Tranche::Junior, 6_000_000).unwrap();
    pool.accrue(NOW + 1).unwrap();
    pool.deposit(Tranche::Junior, 6_000, 0).unwrap();
    for (now, capacity) in [(NOW + 2, 4_000), (NOW + DAY, 4_000), (NOW + 2 * DAY - 1, 4_000), (NOW + 2 * DAY, 10_000)] {
        pool.accrue(now).unwrap();
        assert_eq!(pool.capacity_capital().unwrap(), capacity, "at {}", now - NOW);
    }
}

#[test]
fn unseasoned_capital_is_not_seasoned_by_asking_to_leave_and_staying() {
    let mut pool = pool_with(0, 10_000, 0);
    pool.terms.seasoning_days = 7;
    pool.accrue(NOW + DAY - 1).unwrap();
    let shares = pool.deposit(Tranche::Junior, 90_000, 0).unwrap();
    let units = pool.request_exit(Tranche::Junior, shares).unwrap().units;
    pool.accrue(NOW + DAY).unwrap();
    pool.cancel_exit(Tranche::Junior, units, TODAY).unwrap();
    assert_eq!((pool.staying_capital().unwrap(), pool.capacity_capital().unwrap()), (100_000, 10_000));
    pool.accrue(NOW + 7 * DAY - 1).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 10_000);
    pool.accrue(NOW + 7 * DAY).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 100_000);
}

#[test]
fn anyone_may_give_to_the_surplus() {
    let mut pool = pool_with(1, 10, 0);
    pool.contribute(5).unwrap();
    assert_eq!((pool.surplus, pool.cash), (6, 16));
    pool.invariant().unwrap();
    refused(pool.contribute(0), AmountTooSmall);
    refused(pool.contribute(u64::MAX), AmountTooLarge);
}

#[test]
fn a_new_series_opens_only_after_the_old_one_was_wiped_out() {
    let mut pool = pool();
    refused(pool.open_series(Tranche::Junior, key(7)), TrancheNotWipedOut);
    for (tranche, mints) in [(Tranche::Junior, [key(7), key(2)]), (Tranche::Senior, [key(1), key(7)])] {
        let mut pool = crate::common::pool();
        pool.tranche_mut(tranche).wiped_out = 1;
        pool.tranche_mut(tranche).series = 4;
        assert_eq!(pool.open_series(tranche, key(7)).unwrap(), NewSeries { series: 5, to_surplus: 0 });
        assert_eq!((pool.tranche(tranche).series, pool.tranche(tranche).wiped_out), (5, 0));
        assert_eq!(pool.share_mints, mints);
    }
    pool.tranches[0].wiped_out = 1;
    pool.tranches[0].series = 255;
    refused(pool.open_series(Tranche::Junior, key(7)), NoSeriesLeft);
}

fn reach() -> Reach {
    Reach::of(Source::PythReceiver, &condition())
}

#[test]
fn a_product_is_admitted_by_a_cover_pool_that_outlasts_its_condition() {
    let admit = |change: fn(&mut Pool)| {
        let mut pool = pool_with(0, 0, 10_000);
        change(&mut pool);
        pool.admit_condition(&reach(), NOW).map(|sells_from| (sells_from, pool.ring_days))
    };
    // A week's cooldown and three days; a ring of 256 slots of ten minutes reaches back two days.
    assert_eq!(admit(|_| {}).unwrap(), (NOW + 10 * DAY, 2));
    let unused = |pool: &mut Pool| (pool.ring_days, pool.in_use) = (9, 0);
    assert_eq!(admit(unused).unwrap(), (NOW, 9));
    // An hour, ten minutes and two hours, and a day.
    assert!(admit(|pool| pool.terms.cooldown_seconds = 11_400 + 86_400).is_ok());
    refused(admit(|pool| pool.terms.cooldown_seconds = 11_400 + 86_399), CooldownTooShort);
}

#[test]
fn the_end_of_a_vintage_lies_ahead_within_two_years_and_only_a_cover_pool_has_one() {
    let with = |ahead: u32, kind: PoolKind| {
        let terms = PoolTerms { sells_until_day: TODAY + ahead, ..pool_terms() };
        // The last second of today is as good as its first.
        terms.require_end_fits(kind, NOW + DAY - 1).and(terms.require_end_fits(kind, NOW))
    };
    with(1, PoolKind::Cover).unwrap();
    with(730, PoolKind::Cover).unwrap();
    refused(with(0, PoolKind::Cover), BadVintage);
    refused(with(731, PoolKind::Cover), BadVintage);
    refused(with(30, PoolKind::Reinsurance), BadVintage);
    for kind in [PoolKind::Cover, PoolKind::Reinsurance] {
        pool_terms().require_end_fits(kind, NOW).unwrap();
    }
}

#[test]
fn a_vintage_takes_no_condition_that_could_not_sell_before_its_end() {
    let mut pool = pool_with(0, 0, 10_000);
    let admit = |ahead: u32, now: i64| {
        let mut pool = pool;
        pool.terms.sells_until_day = TODAY + ahead;
        pool.admit_condition(&reach(), now)
    };
    // Ten days of notice: it would sell from the first second of the tenth day on.
    assert_eq!(admit(11, NOW).unwrap(), NOW + 10 * DAY);
    refused(admit(10, NOW), VintageOver);
    assert_eq!(admit(10, NOW - 1).unwrap(), NOW + 10 * DAY - 1);
    pool.in_use = 0;
    let admit = |ahead: u32, now: i64| {
        let mut pool = pool;
        pool.terms.sells_until_day = TODAY + ahead;
        pool.admit_condition(&reach(), now)
    };
    assert!(admit(1, NOW + DAY - 1).is_ok());
    refused(admit(1, NOW + DAY), VintageOver);
}

#[test]
fn a_vintage_has_run_off_once_it_is_over_and_nothing_is_exposed() {
    let mut pool = pool_with(0, 0, 10_000);
    let end = NOW + 5 * DAY;
    assert!(!pool.has_ended(i64::MAX) && !pool.has_run_off(i64::MAX), "a pool without an end has none");
    pool.terms.sells_until_day = TODAY + 5;
    assert_eq!((pool.has_ended(end - 1), pool.has_ended(end)), (false, true));
    assert_eq!((pool.has_run_off(end - 1), pool.has_run_off(end)), (false, true));
    pool.add_exposure(3, 1).unwrap();
    assert!(!pool.has_run_off(end), "a unit that is exposed");
    pool.release_exposure(3, 1).unwrap();
    pool.crisis.incidents = 1;
    assert!(!pool.has_run_off(end), "a crisis that is open");
}

#[test]
fn whoever_deposits_has_seen_every_condition_and_treaty() {
    let mut pool = pool();
    assert_eq!(pool.seen(), Seen { products: 0, treaties: 0 });
    let before = pool.seen();
    pool.announce_product(&key(40)).unwrap();
    // Without a condition it is nothing to stand behind yet.
    pool.require_seen(before).unwrap();
    pool.admit_condition(&reach(), NOW).unwrap();
    refused(pool.require_seen(before), NotSeen);
    pool.require_seen(pool.seen()).unwrap();
    pool.treaties = 3;
    refused(pool.require_seen(Seen { products: 1, treaties: 2 }), NotSeen);
    pool.require_seen(Seen { products: 2, treaties: 3 }).unwrap();
    pool.conditions = u16::MAX;
    refused(pool.admit_condition(&reach(), NOW), NoIdLeft);
}

#[test]
fn a_pool_is_in_use_once_surplus_is_entrusted_to_it_or_a_treaty_binds_it() {
    let mut pool = pool();
    pool.contribute(9_999).unwrap();
    assert_eq!(pool.in_use, 0, "less than the least first deposit makes nobody wait");
    pool.contribute(1).unwrap();
    assert_eq!((pool.in_use, pool.notice_ends_at(NOW)), (1, NOW + 10 * DAY));
    let mut pool = crate::common::pool();
    pool.receive_surplus(0).unwrap();
    assert_eq!(pool.in_use, 0);
    pool.receive_surplus(1).unwrap();
    assert_eq!(pool.in_use, 1);
}

#[test]
fn a_product_is_announced_by_a_cover_pool_for_another_asset_than_its_own() {
    let announce = |change: fn(&mut Pool)| {
        let mut pool = pool_with(0, 0, 10_000);
        change(&mut pool);
        pool.announce_product(&key(40)).map(|()| pool.products)
    };
    assert_eq!(announce(|pool| pool.products = 7).unwrap(), 8);
    refused(announce(|pool| pool.kind = 1), WrongPoolKind);
    refused(announce(|pool| pool.asset_mint = key(40)), InsuresItsOwnAsset);
    refused(announce(|pool| pool.products = u16::MAX), NoIdLeft);
}

#[test]
fn a_tranche_holds_no_more_than_its_shares_and_units_can_count() {
    // Four thousand million whole tokens of six decimals, in two steps; a unit more is refused with a reason.
    let most = 4_000_000_000_000_000;
    let mut pool = pool_with(0, 0, 0);
    pool.deposit(Tranche::Senior, most - 10_000, 0).unwrap();
    refused(pool.clone().deposit(Tranche::Senior, 10_001, 0), AmountTooLarge);
    pool.deposit(Tranche::Senior, 10_000, 0).unwrap();
    refused(pool.clone().deposit(Tranche::Senior, 1, 0), AmountTooLarge);
    // What is exiting counts too, and the other tranche does not.
    pool.request_exit(Tranche::Senior, most).unwrap();
    refused(pool.clone().deposit(Tranche::Senior, 1, 0), AmountTooLarge);
    pool.deposit(Tranche::Junior, most, 0).unwrap();
    // All of it can leave.
    let shares = pool.tranches[1].shares;
    pool.request_exit(Tranche::Senior, shares).unwrap();
    pool.invariant().unwrap();
    pool.contribute(backstop::math::MAX_TOTAL_EXPOSURE).unwrap();
    refused(pool.contribute(1), AmountTooLarge);
}
