//! An incident: treaties noted and called, the ratio, payouts and its end.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::state::*;

fn incident() -> Incident {
    Incident {
        product: key(20),
        pool: key(3),
        rent_payer: key(22),
        version: 1,
        bump: 255,
        state: IncidentState::Open,
        severity_bps: 5_000,
        event_at: NOW,
        opened_at: NOW + 10,
        funded_at: 0,
        round: 0,
        gross: 1_000,
        ceded: 0,
        net: 0,
        reserve: 0,
        paid: 0,
        exposure: 2_000,
        sums_left: 1_500,
        premiums_left: 250,
        treaties: [NotedTreaty::default(); MAX_NOTED_TREATIES],
        quota_share_owed: 0,
        treaty_count: 0,
        cursor: 0,
        reserved: [0; 64],
    }
}

/// A pool with a quota share and layers, each with its term.
fn pool_with_treaties(quota_share: (i64, i64), layers: &[(i64, i64)]) -> Pool {
    let mut pool = pool();
    pool.quota_share.treaty = key(9);
    (pool.quota_share.start, pool.quota_share.end) = quota_share;
    for (number, (layer, (start, end))) in (1..).zip(pool.layers.iter_mut().zip(layers)) {
        (layer.treaty, layer.start, layer.end) = (key(number), *start, *end);
    }
    pool
}

/// The treaties that an event now notes.
fn noted(pool: &Pool) -> Vec<u8> {
    let mut incident = incident();
    incident.note_treaties(pool).unwrap();
    let treaties: Vec<u8> = incident.treaties.iter().map(|noted| noted.treaty.to_bytes()[0]).collect();
    let count = usize::from(incident.treaty_count);
    assert!(treaties[count..].iter().all(|treaty| *treaty == 0));
    treaties[..count].to_vec()
}

#[test]
fn treaties_in_force_at_the_event_are_noted_quota_share_first() {
    assert_eq!(MAX_NOTED_TREATIES, 5);
    let long = (NOW - DAY, NOW + DAY);
    assert_eq!(noted(&pool_with_treaties(long, &[long; 4])), [9, 1, 2, 3, 4]);
    // The first second counts, the end does not.
    let layers = [(NOW, NOW + DAY), (NOW - DAY, NOW), (NOW + 1, NOW + DAY), (NOW - DAY, NOW + 1)];
    assert_eq!(noted(&pool_with_treaties((NOW - DAY, NOW), &layers)), [1, 4]);
    assert_eq!(noted(&pool()), [0u8; 0]);
}

#[test]
fn treaties_are_called_in_their_order_once() {
    let long = (NOW - DAY, NOW + DAY);
    let mut incident = incident();
    incident.note_treaties(&pool_with_treaties(long, &[long, long])).unwrap();
    refused(incident.require_next(&key(1)), WrongTreatyOrder);
    incident.require_next(&key(9)).unwrap();
    assert_eq!(incident.beyond_quota_share(), 1_000);
    incident.book_call(&treaty(QUOTA_SHARE, 1_000), CallState::Called, 400, 390).unwrap();
    assert_eq!((incident.quota_share_owed, incident.beyond_quota_share(), incident.ceded), (400, 600, 390));
    let called = NotedTreaty { treaty: key(9), state: CallState::Called, owed: 400, paid: 390 };
    assert_eq!((incident.treaties[0], incident.cursor), (called, 1));
    refused(incident.require_next(&key(9)), WrongTreatyOrder);
    incident.require_next(&key(1)).unwrap();
    incident.book_call(&treaty(layer(0), 1_000), CallState::Skipped, 100, 0).unwrap();
    // A layer changes nothing of what the quota share owes.
    assert_eq!((incident.quota_share_owed, incident.ceded, incident.cursor), (400, 390, 2));
    assert_eq!(incident.treaties[1].state, CallState::Skipped);
    incident.book_call(&treaty(layer(0), 1_000), CallState::Called, 50, 50).unwrap();
    assert_eq!(incident.ceded, 440);
    incident.state = IncidentState::Waiting;
    refused(incident.require_next(&key(2)), TreatyAlreadyCalled);
    incident.cursor = 5;
    refused(incident.book_call(&treaty(layer(0), 1), CallState::Called, 0, 0), WrongTreatyOrder);
}

#[test]
fn an_incident_waits_for_its_round_once_every_treaty_was_called() {
    let mut pool = pool();
    pool.funding.next_round = 3;
    let mut incident = incident();
    incident.treaty_count = 2;
    incident.ceded = 300;
    for cursor in [0, 1] {
        incident.cursor = cursor;
        let before = incident.clone();
        incident.join_when_called(&mut pool).unwrap();
        assert_eq!((&incident, pool.funding.waiting), (&before, 0));
    }
    incident.cursor = 2;
    incident.join_when_called(&mut pool).unwrap();
    assert_eq!((incident.state, incident.net, incident.round), (IncidentState::Waiting, 700, 3));
    let queue = pool.funding;
    assert_eq!((queue.waiting, queue.waiting_net, queue.waiting_exposure), (1, 700, 2_000));
    assert_eq!(queue.oldest_opened_at, NOW + 10);
}

#[test]
fn an_incident_without_treaties_waits_at_once() {
    let mut pool = pool();
    let mut incident = incident();
    incident.join_when_called(&mut pool).unwrap();
    assert_eq!((incident.state, incident.net), (IncidentState::Waiting, 1_000));
    // Treaties that paid more than is lost leave nothing to bear.
    let mut over = crate::incidents::incident();
    over.ceded = 1_001;
    over.join_when_called(&mut pool).unwrap();
    assert_eq!(over.net, 0);
}

#[test]
fn a_cover_is_paid_by_severity_and_ratio_and_one_that_waits_gets_its_premium() {
    let mut incident = incident();
    incident.reserve = 800;
    // Half of 1,001 is 500; four fifths of it.
    assert_eq!(incident.payout(&cover(TODAY, TODAY + 7, 1_001, 40)).unwrap(), (Claim::Loss, 400));
    assert_eq!(incident.payout(&cover(TODAY + 1, TODAY + 7, 1_001, 41)).unwrap(), (Claim::Refund, 32));
    refused(incident.payout(&cover(TODAY - 7, TODAY, 1_001, 40)), NotEligible);
    incident.severity_bps = 10_001;
    refused(incident.payout(&cover(TODAY, TODAY + 7, 1_001, 40)), MathOverflow);
}

#[test]
fn a_settlement_is_booked_where_it_belongs_and_within_the_reserve() {
    let mut incident = incident();
    incident.reserve = 800;
    incident.book_settlement(&cover(TODAY, TODAY + 7, 1_000, 40), Claim::Loss, 700).unwrap();
    assert_eq!((incident.sums_left, incident.premiums_left, incident.paid), (500, 250, 700));
    incident.book_settlement(&cover(TODAY + 1, TODAY + 7, 1_000, 40), Claim::Refund, 100).unwrap();
    assert_eq!((incident.sums_left, incident.premiums_left, incident.paid), (500, 210, 800));
    let small = cover(TODAY, TODAY + 7, 1, 1);
    refused(incident.clone().book_settlement(&small, Claim::Loss, 1), InvariantViolated);
    refused(incident.clone().book_settlement(&cover(TODAY, TODAY + 7, 501, 1), Claim::Loss, 0), InvariantViolated);
    refused(incident.book_settlement(&cover(TODAY, TODAY + 7, 1, 211), Claim::Refund, 0), InvariantViolated);
}

#[test]
fn an_incident_closes_when_every_cover_is_settled_or_after_180_days() {
    let mut incident = incident();
    incident.funded_at = NOW;
    let last = NOW + 180 * DAY;
    for (sums, premiums) in [(1, 1), (1, 0), (0, 1)] {
        (incident.sums_left, incident.premiums_left) = (sums, premiums);
        assert!(!incident.may_close(NOW));
        assert!(!incident.may_close(last - 1));
        assert!(incident.may_close(last));
    }
    (incident.sums_left, incident.premiums_left) = (0, 0);
    assert!(incident.may_close(NOW));
    assert!(incident.may_close(last));
}
