//! Leaving: tickets, the queue of epochs, and what may be paid when.

use crate::common::*;
use backstop::constants::ACCOUNT_VERSION;
use backstop::error::BackstopError::*;
use backstop::math::ALL_OPEN_Q63;
use backstop::peril::AlertLevel;
use backstop::state::*;

/// An epoch of yesterday, alone in the queue, with the units of both tranches.
fn epoch(pool: &mut Pool, day: u32, units: [u64; 2]) -> ExitEpoch {
    pool.enqueue_epoch(day).unwrap();
    ExitEpoch { day, tickets: 1, units, ..bare_epoch(pool) }
}

/// An epoch without tickets, in no queue.
fn bare_epoch(pool: &Pool) -> ExitEpoch {
    ExitEpoch {
        pool: key(3),
        rent_payer: key(4),
        version: ACCOUNT_VERSION,
        bump: 255,
        series: [pool.tranches[0].series, pool.tranches[1].series],
        day: 0,
        tickets: 0,
        units: [0; 2],
        open_q63: ExitEpoch::ALL_OPEN,
        paid_per_unit_q64: [0; 2],
        reserve: 0,
        reserved: [0; 32],
    }
}

fn ticket(tranche: Tranche, units: u64) -> ExitTicket {
    ExitTicket {
        pool: key(3),
        owner: key(5),
        rent_payer: key(4),
        version: ACCOUNT_VERSION,
        bump: 255,
        tranche,
        series: 0,
        epoch_day: TODAY - 1,
        units,
        claimed: 0,
        nonce: 0,
        asked_on: TODAY - 8,
        reserved: [0; 28],
    }
}

/// Cedants of which all that a pool has can be lost.
fn inward(level: AlertLevel) -> InwardRisk {
    InwardRisk { amount: 1_000_000, owes: false, level }
}

#[test]
fn a_request_turns_the_value_of_shares_into_units() {
    let mut pool = pool_with(0, 10_000, 20_000);
    let request = pool.request_exit(Tranche::Junior, 4_000_000).unwrap();
    assert_eq!(request, Exit { value: 4_000, units: 4_000_000, to_surplus: 0 });
    let expected =
        TrancheBook { assets: 6_000, exiting: 4_000, shares: 6_000_000, units: 4_000_000, ..pool.tranches[0] };
    assert_eq!(pool.tranches[0], expected);
    assert_eq!(layers(&pool), [0, 6_000, 4_000, 20_000, 0]);
    pool.invariant().unwrap();
    // Half of what is exiting is lost: a unit is worth half, so a value is twice the units.
    pool.tranches[0].exiting = 2_000;
    pool.cash -= 2_000;
    let request = pool.request_exit(Tranche::Junior, 1_000_000).unwrap();
    assert_eq!(request, Exit { value: 1_000, units: 1_999_500, to_surplus: 0 }); // 1,000 x 4,001,000 / 2,001
    pool.invariant().unwrap();
}

#[test]
fn a_ticket_is_refused_when_it_is_too_small_whoever_asks() {
    let mut pool = pool_with(0, 10_000, 0);
    let untouched = pool;
    refused(pool.request_exit(Tranche::Junior, 999_999), AmountTooSmall);
    refused(pool.request_exit(Tranche::Junior, 999), AmountTooSmall);
    refused(pool.request_exit(Tranche::Senior, 1_000), AmountTooSmall);
    refused(pool.request_exit(Tranche::Senior, 1_000_000), InvariantViolated);
    pool = untouched;
    assert_eq!(pool.request_exit(Tranche::Junior, 1_000_000).unwrap().value, 1_000);
    pool.tranches[0].wiped_out = 1;
    refused(pool.request_exit(Tranche::Junior, 1_000_000), TrancheWipedOut);
}

#[test]
fn a_loss_makes_the_smallest_ticket_smaller_and_a_gain_makes_it_fewer_shares() {
    // 90 % are lost: what the smallest ticket of 1,000 bought at the start, 1,000,000 shares, is worth 100 and may go.
    let mut pool = pool_with(0, 10_000, 0);
    (pool.tranches[0].assets, pool.cash) = (1_000, 1_000);
    refused(pool.request_exit(Tranche::Junior, 999_999), AmountTooSmall);
    // 1,000,000 x 1,001 / 10,001,000 = 100.09
    assert_eq!(pool.request_exit(Tranche::Junior, 1_000_000).unwrap().value, 100);
    // Capital doubled: half as many shares are worth the smallest ticket.
    let mut pool = pool_with(0, 10_000, 0);
    (pool.tranches[0].assets, pool.cash) = (20_000, 20_000);
    // 500,024 x 20,001 / 10,001,000 = 999.998; one share more: 1,000.0001.
    refused(pool.request_exit(Tranche::Junior, 500_024), AmountTooSmall);
    assert_eq!(pool.request_exit(Tranche::Junior, 500_026).unwrap().value, 1_000);
}

#[test]
fn the_last_shares_of_a_tranche_may_leave_whatever_they_are_worth() {
    let mut pool = pool_with(0, 10, 0);
    refused(pool.request_exit(Tranche::Junior, 9_999), AmountTooSmall);
    assert_eq!(pool.request_exit(Tranche::Junior, 10_000).unwrap().value, 10);
}

#[test]
fn a_request_that_becomes_no_unit_is_refused() {
    let mut pool = pool_with(0, 10_000, 0);
    pool.tranches[0].units = 1;
    pool.tranches[0].exiting = 100_000_000;
    refused(pool.request_exit(Tranche::Junior, 1_000_000), AmountTooSmall);
}

#[test]
fn dust_of_the_last_to_leave_goes_to_the_surplus() {
    let mut pool = pool_with(0, 1_000_000, 0);
    pool.tranches[0].assets += 1_000_000;
    pool.cash += 1_000_000;
    // 10^9 x 2,000,001 / 1,000,001,000 = 1,999,999.000001.
    let request = pool.request_exit(Tranche::Junior, 1_000_000_000).unwrap();
    assert_eq!((request.value, request.to_surplus), (1_999_999, 1));
    assert_eq!(layers(&pool), [1, 0, 1_999_999, 0, 0]);
    pool.invariant().unwrap();
}

#[test]
fn cancelling_buys_shares_with_what_the_units_are_worth() {
    let mut pool = pool_with(0, 10_000, 0);
    pool.request_exit(Tranche::Junior, 4_000_000).unwrap();
    let back = CancelledExit { value: 1_000, shares: 1_000_000, to_surplus: 0 };
    assert_eq!(pool.cancel_exit(Tranche::Junior, 1_000_000, TODAY - 1).unwrap(), back);
    assert_eq!(layers(&pool), [0, 7_000, 3_000, 0, 0]);
    assert_eq!((pool.tranches[0].shares, pool.tranches[0].units), (7_000_000, 3_000_000));
    pool.invariant().unwrap();
    // A third of what is exiting is lost: 3,000,000 units share 2,000.
    pool.tranches[0].exiting = 2_000;
    pool.cash -= 1_000;
    let CancelledExit { value, shares, .. } = pool.cancel_exit(Tranche::Junior, 3_000_000, TODAY - 1).unwrap();
    // 3,000,000 x 2,001 / 3,001,000 = 2,000.3; 2,000 x 7,001,000 / 7,001.
    assert_eq!((value, shares), (2_000, 2_000_000));
    assert_eq!(layers(&pool), [0, 9_000, 0, 0, 0]);
    pool.invariant().unwrap();
    refused(pool.cancel_exit(Tranche::Junior, 0, TODAY - 1), AmountTooSmall);
    pool.tranches[0].wiped_out = 1;
    refused(pool.cancel_exit(Tranche::Junior, 0, TODAY - 1), TrancheWipedOut);
}

#[test]
fn dust_of_the_last_unit_goes_to_the_surplus() {
    let mut pool = pool_with(0, 10_000, 0);
    pool.tranches[0].units = 100;
    pool.tranches[0].exiting = 5_000;
    pool.cash += 5_000;
    // 100 x 5,001 / 1,100 = 454.6: few units against the virtual position.
    let back = pool.cancel_exit(Tranche::Junior, 100, TODAY - 1).unwrap();
    assert_eq!((back.value, back.to_surplus), (454, 4_546));
    assert_eq!(layers(&pool), [4_546, 10_454, 0, 0, 0]);
    pool.invariant().unwrap();
}

/// The days in the queue.
fn queue(pool: &Pool) -> Vec<u32> {
    (pool.oldest_exit_day..=pool.newest_exit_day).filter(|day| pool.is_queued(*day)).collect()
}

#[test]
fn epochs_queue_by_day_whoever_comes_first() {
    let mut pool = pool();
    assert_eq!((queue(&pool), pool.oldest_exit_day, pool.newest_exit_day), (vec![], 0, 0));
    for (day, days) in [(101, vec![101]), (103, vec![101, 103]), (100, vec![100, 101, 103]), (101, vec![100, 101, 103])]
    {
        pool.enqueue_epoch(day).unwrap();
        assert_eq!(queue(&pool), days);
    }
    assert_eq!((pool.oldest_exit_day, pool.newest_exit_day), (100, 103));
}

#[test]
fn the_queue_gives_its_days_back_in_order_across_words_and_around_the_ring() {
    for first in [1u32, 63, 64, 1_000, 1_023, 1_024, TODAY] {
        let days = [0, 1, 2, 62, 63, 64, 65, 127, 128, 700, 959, 960, 1_022, 1_023].map(|ahead| first + ahead);
        let mut pool = pool_with(0, 0, 1_000_000);
        for day in days.into_iter().rev() {
            pool.enqueue_epoch(day).unwrap();
        }
        assert_eq!(queue(&pool), days);
        refused(pool.enqueue_epoch(first + 1_024), ExitQueueFull);
        let now = i64::from(first + 2_000) * DAY;
        for (place, day) in days.into_iter().enumerate() {
            assert_eq!(queue(&pool), days[place..], "from {first}");
            let mut epoch = ExitEpoch { day, ..bare_epoch(&pool) };
            pool.settle_epoch(&mut epoch, &InwardRisk::default(), now).unwrap();
            assert!(epoch.is_filled());
        }
        assert_eq!((queue(&pool), pool.oldest_exit_day, pool.newest_exit_day, pool.exit_days), (vec![], 0, 0, [0; 16]));
    }
}

#[test]
fn a_request_names_the_epoch_of_its_day_or_of_the_day_after() {
    // A cooldown of seven days: today's epoch is that of today and seven.
    let pool = pool_with(0, 10_000, 0);
    for (now, earliest) in [(NOW, TODAY + 7), (NOW + DAY - 1, TODAY + 7), (NOW + DAY, TODAY + 8)] {
        refused(pool.require_exit_day(earliest - 1, now), WrongExitDay);
        pool.require_exit_day(earliest, now).unwrap();
        pool.require_exit_day(earliest + 1, now).unwrap();
        refused(pool.require_exit_day(earliest + 2, now), WrongExitDay);
    }
}

#[test]
fn what_is_beyond_the_required_capital_is_free_and_no_more_than_the_pool_has() {
    let mut pool = pool_with(100, 200, 300);
    pool.tranches[1].exiting = 400;
    pool.add_exposure(0, 700).unwrap();
    assert_eq!(pool.free_for_exits(TODAY - 1, &InwardRisk::default(), NOW).unwrap(), 300);
    // A quota share stands in for 40 % of 700.
    (pool.quota_shares[0].limit_left, pool.quota_shares[0].cession_bps) = (10_000, 4_000);
    pool.quota_shares[0].end = NOW + 1;
    assert_eq!(pool.free_for_exits(TODAY - 1, &InwardRisk::default(), NOW).unwrap(), 580);
    pool.release_exposure(0, 700).unwrap();
    assert_eq!(pool.free_for_exits(TODAY - 1, &InwardRisk::default(), NOW).unwrap(), 1_000);
    pool.add_exposure(0, 10_000).unwrap();
    assert_eq!(pool.free_for_exits(TODAY - 1, &InwardRisk::default(), NOW).unwrap(), 0);
}

#[test]
fn an_alert_stops_exits_but_for_a_late_epoch_while_it_is_only_breaching() {
    let mut pool = pool_with(0, 2_000, 0);
    pool.terms.rho_bps = 0;
    pool.add_exposure(0, 600).unwrap();
    pool.add_exposure(1, 400).unwrap();
    // The root of 600^2 + 400^2 is 721.1.
    assert_eq!(pool.free_for_exits(TODAY, &InwardRisk::default(), NOW).unwrap(), 1_278);
    pool.move_alert(Alert { group: 0, number: 0, exposure: 600 }, AlertLevel::None, AlertLevel::Breaching, NOW)
        .unwrap();
    let late = NOW + 31 * DAY;
    refused(pool.free_for_exits(TODAY, &InwardRisk::default(), NOW), PoolInAlert);
    refused(pool.free_for_exits(TODAY, &InwardRisk::default(), late), PoolInAlert);
    // The alert's 600 in full, and 400 for the rest.
    assert_eq!(pool.free_for_exits(TODAY, &InwardRisk::default(), late + 1).unwrap(), 1_000);
    pool.terms.solvency_bps = 15_000;
    assert_eq!(pool.free_for_exits(TODAY, &InwardRisk::default(), late + 1).unwrap(), 800); // 600, and 1.5 x 400
    pool.terms.solvency_bps = 10_000;
    assert_eq!(pool.free_for_exits(TODAY, &inward(AlertLevel::Breaching), late + 1).unwrap(), 1_000);
    refused(pool.free_for_exits(TODAY, &inward(AlertLevel::Due), late + 1), PoolInAlert);
    pool.move_alert(Alert { group: 0, number: 0, exposure: 600 }, AlertLevel::Breaching, AlertLevel::Due, NOW).unwrap();
    refused(pool.free_for_exits(TODAY, &InwardRisk::default(), late + 1), PoolInAlert);
}

#[test]
fn an_alert_of_a_cedant_stops_exits_as_the_pools_own_does() {
    let mut pool = reinsurer_with(0, 2_000, 0);
    pool.inward[0].limit = 500;
    pool.renew_required().unwrap();
    assert_eq!(pool.free_for_exits(TODAY, &InwardRisk::default(), NOW).unwrap(), 1_500);
    refused(pool.free_for_exits(TODAY, &inward(AlertLevel::Breaching), NOW), PoolInAlert);
    refused(pool.free_for_exits(TODAY, &inward(AlertLevel::Due), NOW + 40 * DAY), PoolInAlert);
    assert_eq!(pool.free_for_exits(TODAY, &inward(AlertLevel::Breaching), NOW + 40 * DAY).unwrap(), 1_500);
}

#[test]
fn an_epoch_is_paid_when_its_day_is_over_and_it_is_the_oldest() {
    let mut pool = pool_with(0, 10_000, 0);
    let mut epoch = epoch(&mut pool, TODAY, [0; 2]);
    refused(pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW), EpochNotOver);
    refused(pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW + DAY - 1), EpochNotOver);
    let mut later = epoch.clone();
    later.day = TODAY + 1;
    refused(pool.settle_epoch(&mut later, &InwardRisk::default(), NOW + 2 * DAY), NotOldestEpoch);
    pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW + DAY).unwrap();
}

/// A pool of which 4,000 junior and 8,000 senior units of value leave by yesterday's epoch.
fn leaving() -> (Pool, ExitEpoch) {
    let mut pool = pool_with(0, 10_000, 20_000);
    pool.request_exit(Tranche::Junior, 4_000_000).unwrap();
    pool.request_exit(Tranche::Senior, 8_000_000).unwrap();
    let epoch = epoch(&mut pool, TODAY - 1, [4_000_000, 8_000_000]);
    (pool, epoch)
}

#[test]
fn with_enough_free_capital_an_epoch_is_filled_and_leaves_the_queue() {
    let (mut pool, mut epoch) = leaving();
    let payment = pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap();
    pool.invariant().unwrap();
    assert_eq!(payment.paid, [4_000, 8_000]);
    assert_eq!(payment.closed_units, [4_000_000, 8_000_000]);
    assert_eq!(payment.to_surplus, [0, 0]);
    assert_eq!(layers(&pool), [0, 6_000, 0, 12_000, 0]);
    assert_eq!((pool.exit_reserves, epoch.reserve, pool.cash), (12_000, 12_000, 30_000));
    assert!(epoch.is_filled());
    assert_eq!((pool.oldest_exit_day, pool.newest_exit_day), (0, 0));
    // A thousandth of a unit for each, in Q64.
    assert_eq!(epoch.paid_per_unit_q64, [(1u128 << 64) / 1_000; 2]);
}

#[test]
fn a_filled_epoch_gives_way_to_the_next_one() {
    let (mut pool, mut first) = leaving();
    pool.enqueue_epoch(TODAY + 3).unwrap();
    pool.settle_epoch(&mut first, &InwardRisk::default(), NOW).unwrap();
    assert_eq!((pool.oldest_exit_day, pool.newest_exit_day), (TODAY + 3, TODAY + 3));
}

#[test]
fn with_too_little_both_tranches_are_paid_in_one_ratio_and_the_rest_stays_open() {
    let (mut pool, mut epoch) = leaving();
    pool.add_exposure(0, 27_000).unwrap();
    // 3,000 of 12,000 are free: a quarter.
    let payment = pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap();
    pool.invariant().unwrap();
    assert_eq!(payment.paid, [1_000, 2_000]);
    assert_eq!(payment.closed_units, [1_000_000, 2_000_000]);
    assert_eq!(layers(&pool), [0, 6_000, 3_000, 12_000, 6_000]);
    assert_eq!((epoch.open_q63, epoch.reserve), (ALL_OPEN_Q63 / 4 * 3, 3_000));
    assert!(!epoch.is_filled());
    assert_eq!(pool.oldest_exit_day, TODAY - 1);
    // A ticket of half the senior units has a half of it; nobody is paid twice.
    let mut mine = ticket(Tranche::Senior, 4_000_000);
    assert_eq!(epoch.claim(&mut mine).unwrap(), 999); // 4,000,000 x floor(2,000 x 2^64 / 8,000,000) / 2^64
    assert_eq!(epoch.claim(&mut mine).unwrap(), 0);
    assert_eq!((mine.claimed, epoch.reserve), (999, 2_001));
    pool.pay_exit(999).unwrap();
    pool.invariant().unwrap();
    assert_eq!((pool.exit_reserves, pool.cash), (2_001, 29_001));
    // The rest when capital is free again.
    pool.release_exposure(0, 27_000).unwrap();
    assert_eq!(pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap().paid, [3_000, 6_000]);
    assert!(epoch.is_filled());
    assert_eq!(mine.units, 4_000_000);
    assert_eq!(epoch.claim(&mut mine).unwrap(), 3_000);
    assert_eq!((mine.claimed, epoch.reserve), (3_999, 8_001));
    pool.invariant().unwrap();
}

#[test]
fn a_payment_that_does_not_fill_the_epoch_has_a_least_amount() {
    for (free, reason) in [(999, Some(NothingFree)), (1_000, Some(NothingFree)), (1_001, None), (0, Some(NothingFree))]
    {
        let (mut pool, mut epoch) = leaving();
        pool.add_exposure(0, 30_000 - free).unwrap();
        match reason {
            // Of 1,000 the rounding of both tranches takes one.
            Some(reason) => refused(pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW), reason),
            None => {
                let paid = pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap().paid;
                assert_eq!(paid.iter().sum::<u64>(), 1_000);
            }
        }
    }
    // One that fills it may be of any amount.
    let mut pool = pool_with(0, 5, 0);
    pool.request_exit(Tranche::Junior, 5_000).unwrap();
    let mut small = epoch(&mut pool, TODAY - 1, [5_000, 0]);
    assert_eq!(pool.settle_epoch(&mut small, &InwardRisk::default(), NOW).unwrap().paid, [5, 0]);
}

#[test]
fn units_of_a_series_that_was_wiped_out_are_paid_nothing() {
    // Wiped out and no new series yet.
    let (mut pool, mut epoch) = leaving();
    pool.tranches[0] = TrancheBook { wiped_out: 1, ..TrancheBook::default() };
    assert_eq!(pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap().paid, [0, 8_000]);
    assert!(epoch.is_filled());
    // Wiped out, and others are leaving the new series.
    let (mut pool, mut epoch) = leaving();
    pool.tranches[0].series = 1;
    assert_eq!(pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap().paid, [0, 8_000]);
    assert_eq!(pool.tranches[0].units, 4_000_000);
    pool.invariant().unwrap();
}

#[test]
fn what_units_without_owner_leave_behind_goes_to_the_surplus() {
    let mut pool = pool_with(0, 10_000, 0);
    pool.tranches[0].units = 100;
    pool.tranches[0].exiting = 5_000;
    pool.cash += 5_000;
    let mut epoch = epoch(&mut pool, TODAY - 1, [100, 0]);
    let payment = pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap();
    assert_eq!((payment.paid, payment.to_surplus), ([454, 0], [4_546, 0]));
    assert_eq!(layers(&pool), [4_546, 10_000, 0, 0, 0]);
    pool.invariant().unwrap();
}

#[test]
fn what_rounding_left_in_an_epoch_goes_to_the_surplus() {
    let (mut pool, mut epoch) = leaving();
    pool.settle_epoch(&mut epoch, &InwardRisk::default(), NOW).unwrap();
    pool.sweep_exit_reserve(1).unwrap();
    assert_eq!((pool.exit_reserves, pool.surplus, pool.cash), (11_999, 1, 30_000));
    pool.invariant().unwrap();
    refused(pool.sweep_exit_reserve(12_000), InvariantViolated);
    refused(pool.pay_exit(12_000), InvariantViolated);
}

#[test]
fn an_epoch_counts_tickets_in_and_out() {
    let (_, mut epoch) = leaving();
    epoch.units = [0; 2];
    epoch.tickets = 0;
    epoch.add_ticket(Tranche::Junior, [0, 0], 5).unwrap();
    epoch.add_ticket(Tranche::Senior, [0, 0], 70).unwrap();
    epoch.add_ticket(Tranche::Senior, [0, 0], 10).unwrap();
    assert_eq!((epoch.units, epoch.tickets), ([5, 80], 3));
    assert_eq!(epoch.remove_ticket(&ticket(Tranche::Senior, 70)).unwrap(), 70);
    assert_eq!((epoch.units, epoch.tickets), ([5, 10], 2));
    // Of a ticket of which half was paid, the other half is open.
    epoch.open_q63 = ALL_OPEN_Q63 / 2;
    assert_eq!(epoch.remove_ticket(&ticket(Tranche::Junior, 5)).unwrap(), 2);
    assert_eq!((epoch.units, epoch.tickets), ([0, 10], 1));
    refused(epoch.remove_ticket(&ticket(Tranche::Senior, 11)), InvariantViolated);
    epoch.tickets = 0;
    refused(epoch.remove_ticket(&ticket(Tranche::Senior, 1)), InvariantViolated);
    refused(epoch.add_ticket(Tranche::Senior, [0, 0], u64::MAX), MathOverflow);
}

#[test]
fn a_ticket_of_a_new_series_takes_the_place_of_units_that_are_worth_nothing() {
    let (_, mut epoch) = leaving();
    epoch.units = [5, 7];
    epoch.add_ticket(Tranche::Junior, [1, 0], 3).unwrap();
    assert_eq!((epoch.units, epoch.series), ([3, 7], [1, 0]));
    epoch.paid_per_unit_q64 = [1 << 64; 2];
    epoch.reserve = 10;
    // The old ticket is counted out and has nothing; the new one has its own.
    let mut old = ticket(Tranche::Junior, 5);
    assert_eq!(epoch.claim(&mut old).unwrap(), 0);
    assert_eq!((epoch.remove_ticket(&old).unwrap(), epoch.units, epoch.tickets), (0, [3, 7], 1));
    let mut new = ExitTicket { series: 1, ..ticket(Tranche::Junior, 3) };
    assert_eq!((epoch.claim(&mut new).unwrap(), new.claimed, epoch.reserve), (3, 3, 7));
    assert_eq!(epoch.claim(&mut ticket(Tranche::Senior, 7)).unwrap(), 7);
    refused(epoch.claim(&mut ticket(Tranche::Senior, 7)), InvariantViolated);
    new.claimed = 4;
    refused(epoch.claim(&mut new), InvariantViolated);
}

/// What shares and units are worth with all that they stand for: theirs, what was lent to a crisis, and what treaties owe.
/// Claims and pot of what stays, and of what is exiting.
fn claims(pool: &Pool) -> [(u128, u128); 2] {
    let book = pool.tranche(Tranche::Senior);
    let [.., lent, lent_exiting] = pool.crisis.taken;
    let pot = |assets: u64, owed: u64, lent: u64| u128::from(assets) + u128::from(owed) + u128::from(lent) + 1;
    [
        (u128::from(book.shares) + 1_000, pot(book.assets, book.recoverable, lent)),
        (u128::from(book.units) + 1_000, pot(book.exiting, book.exiting_recoverable, lent_exiting)),
    ]
}

/// Whoever asks to leave, takes it back, or comes in, with whatever part of whatever books: the price of nobody else's
/// shares or units falls by it, not by a unit that was rounded down on the way.
#[test]
fn nobody_who_asks_takes_back_or_comes_in_lowers_what_others_have() {
    let mut state = 0x0123_4567_89ab_cdef_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below.max(1)
    };
    let (mut asked, mut beside, mut back, mut came) = (0, 0, 0, 0);
    for round in 0..60_000 {
        let scale = [10, 3_000, 5_000_000, 40_000_000_000][round % 4];
        let mut pool = pool_with(0, 0, scale + random(scale));
        pool.in_use = 1;
        pool.terms.min_ticket = 1;
        let some = |amount: u64, random: &mut dyn FnMut(u64) -> u64| if random(3) == 0 { 0 } else { random(amount) };
        // Losses have taken up to nine tenths of it; part of that is owed, or lent.
        let (lost, units) = (some(scale * 9 / 10, &mut random), 1_000 * some(scale, &mut random));
        let (owed, owed_exiting) = (some(lost, &mut random), some(units / 1_000, &mut random));
        let (lent, lent_exiting) = (some(lost, &mut random), some(units / 1_000, &mut random));
        let book = pool.tranche_mut(Tranche::Senior);
        book.assets -= lost;
        book.recoverable = owed;
        if units > 0 {
            (book.units, book.exiting) = (units, units / 1_000 - random(units / 2_000));
            book.exiting_recoverable = owed_exiting;
        }
        let in_crisis = round % 3 == 0;
        if in_crisis {
            pool.crisis.incidents = 1;
            let exiting = if units > 0 { lent_exiting } else { 0 };
            (pool.crisis.taken[3], pool.crisis.taken[4]) = (lent, exiting);
        }
        let before = claims(&pool);
        let shares = pool.tranche(Tranche::Senior).shares;
        let action = random(3);
        let done = match action {
            0 => {
                let amount = if random(8) == 0 { shares } else { 1 + random(shares) };
                let done = pool.request_exit(Tranche::Senior, amount).is_ok();
                asked += u32::from(done);
                beside += u32::from(done && (owed > 0 || in_crisis));
                done
            }
            1 if units > 0 => {
                let open = if random(8) == 0 { units } else { 1 + random(units) };
                let book = *pool.tranche(Tranche::Senior);
                pool.capital_day = TODAY;
                let done = pool.cancel_exit(Tranche::Senior, open, TODAY - 1).is_ok();
                // Of what treaties owe each unit has its own part: nothing of it is the virtual position's.
                let after = pool.tranche(Tranche::Senior);
                let kept = u128::from(after.exiting_recoverable) * u128::from(book.units);
                assert!(
                    !done || after.units == 0 || kept >= u128::from(book.exiting_recoverable) * u128::from(after.units)
                );
                back += u32::from(done);
                done
            }
            _ => {
                let done = pool.deposit(Tranche::Senior, 1 + random(scale), 0).is_ok();
                came += u32::from(done);
                done
            }
        };
        if !done {
            continue;
        }
        let after = claims(&pool);
        let classes = if action == 1 { 0..1 } else { 0..2 };
        for class in classes {
            let ((was, pot), (is, now)) = (before[class], after[class]);
            let others = was > 1_000 && is > 1_000;
            assert!(!others || now * was >= pot * is, "round {round}, action {action}: {before:?} and {after:?}");
        }
    }
    assert!(asked > 5_000 && beside > 2_000 && back > 1_000 && came > 3_000, "{asked} {beside} {back} {came}");
}

#[test]
fn once_a_vintage_has_run_off_a_request_is_paid_after_its_day() {
    let mut pool = pool_with(0, 0, 10_000);
    pool.terms.sells_until_day = TODAY;
    let days = |pool: &Pool| {
        let taken = |day: &u32| pool.require_exit_day(*day, NOW + DAY - 1).is_ok();
        (pool.exit_day(NOW), (TODAY - 1..TODAY + 12).filter(taken).collect::<Vec<_>>())
    };
    // The last second of the day is as good as the first; what was built before the end is good, too.
    assert_eq!(days(&pool), (TODAY, (TODAY..=TODAY + 8).collect()));
    refused(pool.require_exit_day(TODAY - 1, NOW), WrongExitDay);
    refused(pool.require_exit_day(TODAY + 9, NOW), WrongExitDay);
    pool.total_exposure = 1;
    assert_eq!(days(&pool), (TODAY + 7, vec![TODAY + 7, TODAY + 8]));
    (pool.total_exposure, pool.terms.sells_until_day) = (0, TODAY + 1);
    assert_eq!(days(&pool), (TODAY + 7, vec![TODAY + 7, TODAY + 8]));
}
