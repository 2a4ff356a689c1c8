//! Losses, wiped-out tranches, and the rounds in which incidents are funded.

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

#[test]
fn units_without_value_do_not_wipe_out_a_tranche_that_has_holders() {
    let mut pool = pool_with(0, 1_000, 0);
    pool.tranches[0].units = 1_000_000;
    pool.tranches[0].exiting = 0;
    let split = pool.take_loss(1).unwrap();
    assert!(!split.junior_over && !split.senior_over);
    assert_eq!(pool.tranches[0].wiped_out, 0);
}

#[test]
fn what_an_incident_pays_or_gives_back_leaves_the_reserves() {
    let mut pool = pool_with(0, 1_000, 0);
    pool.receive_recovery(300).unwrap();
    assert_eq!((pool.incident_reserves, pool.cash), (300, 1_300));
    pool.pay_incident(120).unwrap();
    assert_eq!((pool.incident_reserves, pool.cash), (180, 1_180));
    pool.release_incident_reserve(80).unwrap();
    assert_eq!((pool.incident_reserves, pool.surplus, pool.cash), (100, 80, 1_180));
    pool.invariant().unwrap();
    refused(pool.pay_incident(101), InvariantViolated);
    refused(pool.release_incident_reserve(101), InvariantViolated);
}

/// A pool in which an incident with this net loss and exposure waits, opened now, and others are in alert.
fn waiting(capital: u64, net: u64, exposure: u64, other_alert: u64) -> Pool {
    let mut pool = pool_with(0, capital, 0);
    pool.add_exposure(0, exposure + other_alert).unwrap();
    pool.move_alert(AlertLevel::None, AlertLevel::Due, exposure, NOW).unwrap();
    pool.move_alert(AlertLevel::None, AlertLevel::Breaching, other_alert, NOW).unwrap();
    assert_eq!(pool.join_funding_queue(net, exposure, NOW).unwrap(), 0);
    pool
}

#[test]
fn incidents_wait_together_from_when_the_oldest_was_opened() {
    let mut pool = pool();
    pool.funding.next_round = 6;
    pool.funding.oldest_opened_at = 1;
    assert_eq!(pool.join_funding_queue(10, 20, NOW).unwrap(), 6);
    assert_eq!(pool.funding.oldest_opened_at, NOW);
    pool.join_funding_queue(1, 2, NOW + 5).unwrap();
    assert_eq!(pool.funding.oldest_opened_at, NOW);
    pool.join_funding_queue(100, 200, NOW - 5).unwrap();
    let queue = pool.funding;
    assert_eq!((queue.oldest_opened_at, queue.waiting), (NOW - 5, 3));
    assert_eq!((queue.waiting_net, queue.waiting_exposure), (111, 222));
    refused(pool.join_funding_queue(u64::MAX, 0, NOW), MathOverflow);
}

#[test]
fn a_round_begins_at_once_if_capital_covers_it_and_every_other_alert() {
    assert!(waiting(1_500, 500, 600, 1_000).funding_round_due(NOW).unwrap());
    assert!(!waiting(1_499, 500, 600, 1_000).funding_round_due(NOW).unwrap());
}

#[test]
fn a_round_begins_when_no_other_alert_is_left() {
    let mut pool = waiting(400, 500, 600, 1_000);
    assert!(!pool.funding_round_due(NOW).unwrap());
    pool.move_alert(AlertLevel::Breaching, AlertLevel::None, 1_000, NOW).unwrap();
    assert!(pool.funding_round_due(NOW).unwrap());
}

#[test]
fn a_round_waits_three_days_at_most() {
    let pool = waiting(400, 500, 600, 1_000);
    assert!(!pool.funding_round_due(NOW + 3 * DAY - 1).unwrap());
    assert!(pool.funding_round_due(NOW + 3 * DAY).unwrap());
}

#[test]
fn no_round_begins_during_another_or_without_incidents() {
    let mut pool = waiting(10_000, 500, 600, 0);
    assert!(pool.funding_round_due(NOW).unwrap());
    pool.funding.round_left = 1;
    assert!(!pool.funding_round_due(NOW).unwrap());
    let idle = pool_with(0, 10_000, 0);
    assert!(!idle.funding_round_due(NOW).unwrap());
    assert!(!idle.funding_round_due(i64::MAX).unwrap());
}

#[test]
fn every_incident_of_a_round_gets_its_part_in_any_order() {
    for order in [[0, 1], [1, 0]] {
        let mut pool = waiting(1_000, 600, 600, 0);
        pool.add_exposure(1, 1_400).unwrap();
        pool.move_alert(AlertLevel::None, AlertLevel::Due, 1_400, NOW).unwrap();
        pool.join_funding_queue(1_400, 1_400, NOW).unwrap();
        // 1,000 of capital for 2,000 of losses.
        let nets = [600, 1_400];
        let mut paid = [0; 2];
        for (call, incident) in order.into_iter().enumerate() {
            let (amount, split) = pool.fund_incident(0, nets[incident], NOW).unwrap();
            assert_eq!(split.junior_assets, amount);
            paid[incident] = amount;
            assert_eq!(usize::try_from(pool.funding.round_left).unwrap(), 1 - call);
            pool.invariant().unwrap();
        }
        assert_eq!(paid, [300, 700]);
        assert_eq!((pool.incident_reserves, pool.cash), (1_000, 1_000));
        let queue = pool.funding;
        assert_eq!((queue.round_capital, queue.round_net, queue.next_round), (1_000, 2_000, 1));
        assert_eq!((queue.waiting, queue.waiting_net, queue.waiting_exposure), (0, 0, 0));
        // A round has as many calls as incidents.
        refused(pool.fund_incident(0, 1, NOW), InvariantViolated);
    }
}

#[test]
fn a_later_incident_waits_for_the_next_round() {
    let mut pool = waiting(10_000, 500, 600, 0);
    pool.join_funding_queue(100, 0, NOW).unwrap();
    assert_eq!(pool.fund_incident(0, 500, NOW).unwrap().0, 500);
    assert_eq!(pool.join_funding_queue(70, 0, NOW).unwrap(), 1);
    refused(pool.fund_incident(1, 70, NOW), RoundNotDue);
    refused(pool.fund_incident(2, 70, NOW), LaterRound);
    assert_eq!(pool.fund_incident(0, 100, NOW).unwrap().0, 100);
    assert_eq!(pool.fund_incident(1, 70, NOW).unwrap().0, 70);
    refused(pool.fund_incident(0, 100, NOW), LaterRound);
    assert_eq!(layers(&pool), [0, 9_330, 0, 0, 0]);
    pool.invariant().unwrap();
}

#[test]
fn an_incident_that_is_more_than_its_round_is_refused() {
    let mut pool = waiting(10_000, 500, 600, 0);
    refused(pool.fund_incident(0, 501, NOW), MathOverflow);
}
