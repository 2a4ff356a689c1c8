//! An incident: treaties noted and called, the ratio, payouts and its end.

use crate::common::*;
use backstop::constants::ACCOUNT_VERSION;
use backstop::error::BackstopError::*;
use backstop::peril::evidence::Phase;
use backstop::peril::{AlertLevel, Condition};
use backstop::state::*;
use bytemuck::Zeroable;

fn incident() -> Incident {
    Incident {
        product: key(20),
        pool: key(3),
        rent_payer: key(22),
        version: ACCOUNT_VERSION,
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

// ---------------------------------------------------------------- opening, funding, closing

const KEYS: IncidentKeys = IncidentKeys { product: PRODUCT, pool: POOL, rent_payer: PAYER, bump: 254 };
const PRODUCT: anchor_lang::prelude::Pubkey = anchor_lang::prelude::Pubkey::new_from_array([20; 32]);
const POOL: anchor_lang::prelude::Pubkey = anchor_lang::prelude::Pubkey::new_from_array([3; 32]);
const PAYER: anchor_lang::prelude::Pubkey = anchor_lang::prelude::Pubkey::new_from_array([22; 32]);

/// A pool, a product with an exposure of 10,000 of which half is in force now, and its trigger, triggered now at a
/// severity, in an alert that is due.
fn triggered(severity_bps: u16) -> (Pool, Product, Trigger) {
    let (mut pool, mut product, mut trigger) = (pool_with(1_000, 20_000, 0), product(), trigger());
    pool.add_exposure(3, 10_000).unwrap();
    product.exposure = 10_000;
    product.newest_activation_day = TODAY + 1;
    product.activation_sums[(TODAY as usize + 1) % 32] = 5_000;
    product.activation_premiums[(TODAY as usize + 1) % 32] = 70;
    trigger.evidence.phase = Phase::Final.byte();
    (trigger.evidence.event_at, trigger.evidence.severity_bps) = (NOW, severity_bps);
    pool.move_alert(3, AlertLevel::None, AlertLevel::Due, 10_000).unwrap();
    (pool, product, trigger)
}

fn empty() -> Incident {
    Incident { state: IncidentState::Closed, ..incident() }
}

#[test]
fn opening_tells_all_that_it_did_and_ends_the_product() {
    let (mut pool, mut product, mut trigger) = triggered(2_501);
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut trigger, NOW + 5).unwrap();
    // 5,000 x 25.01 % is 1,250.5, rounded up, and the premiums.
    assert_eq!(opening, Opening { event_at: NOW, severity_bps: 2_501, gross: 1_251 + 70, released: 0 });
    assert_eq!((product.state(), product.event_at, product.incident_closed), (ProductState::Over, NOW, 0));
    let expected = Incident {
        state: IncidentState::Waiting,
        bump: 254,
        severity_bps: 2_501,
        opened_at: NOW + 5,
        gross: 1_321,
        net: 1_321,
        exposure: 10_000,
        sums_left: 5_000,
        premiums_left: 70,
        ..self::incident()
    };
    assert_eq!(incident, expected);
    assert_eq!((pool.funding.waiting, pool.funding.waiting_net, pool.alerts), (1, 1_321, 1));
    assert_eq!(trigger.alert(), AlertLevel::Due);
    pool.invariant().unwrap();
}

#[test]
fn an_incident_with_nothing_due_is_closed_at_once_with_exposure_and_alert() {
    let (mut pool, mut product, mut trigger) = triggered(0);
    product.activation_premiums = Zeroable::zeroed();
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut trigger, NOW + 5).unwrap();
    assert_eq!(opening, Opening { event_at: NOW, severity_bps: 0, gross: 0, released: 10_000 });
    assert_eq!((incident.state, incident.funded_at, incident.treaty_count), (IncidentState::Closed, NOW + 5, 0));
    assert_eq!((product.exposure, product.incident_closed), (0, 1));
    assert_eq!((pool.alerts, pool.alerts_due, pool.total_exposure, pool.funding.waiting), (0, 0, 0, 0));
    assert_eq!(trigger.alert(), AlertLevel::None);
}

#[test]
fn an_incident_opens_once_and_only_after_its_trigger() {
    let (pool, product, trigger) = triggered(10_000);
    for phase in [Phase::Quiet, Phase::Breaching, Phase::Met] {
        let (mut pool, mut product, mut trigger) = (pool, product, trigger);
        trigger.evidence.phase = phase.byte();
        refused(empty().open(KEYS, &mut pool, &mut product, &mut trigger, NOW), NotTriggered);
    }
    let mut running_on = trigger;
    running_on.evidence.phase = Phase::Triggered.byte();
    refused(empty().open(KEYS, &mut { pool }, &mut { product }, &mut running_on, NOW), NotFinal);
    let (mut pool, mut product, mut trigger) = (pool, product, trigger);
    empty().open(KEYS, &mut pool, &mut product, &mut trigger, NOW).unwrap();
    refused(empty().open(KEYS, &mut pool, &mut product, &mut trigger, NOW), ProductOver);
}

#[test]
fn funding_tells_all_that_it_did_and_ends_exposure_and_alert() {
    let (mut pool, mut product, mut trigger) = triggered(10_000);
    let mut incident = empty();
    incident.open(KEYS, &mut pool, &mut product, &mut trigger, NOW).unwrap();
    let mut called = incident.clone();
    (called.state, called.ceded) = (IncidentState::Open, 7);
    refused(called.fund(&mut pool, &mut product, &mut trigger, NOW), TreatiesNotCalled);

    let funding = incident.fund(&mut pool, &mut product, &mut trigger, NOW + 9).unwrap();
    let losses = LossByLayer { surplus: 1_000, junior_assets: 4_070, ..LossByLayer::default() };
    assert_eq!(funding, Funding { gross: 5_070, ceded: 0, paid: 5_070, released: 10_000, losses });
    assert_eq!((incident.state, incident.reserve, incident.funded_at), (IncidentState::Funded, 5_070, NOW + 9));
    assert_eq!((pool.incident_reserves, pool.total_exposure, pool.alerts, product.exposure), (5_070, 0, 0, 0));
    assert_eq!(trigger.alert(), AlertLevel::None);
    pool.invariant().unwrap();
    refused(incident.fund(&mut pool, &mut product, &mut trigger, NOW + 9), AlreadyFunded);
    incident.state = IncidentState::Closed;
    refused(incident.fund(&mut pool, &mut product, &mut trigger, NOW + 9), AlreadyFunded);
}

#[test]
fn what_is_left_of_a_reserve_goes_to_the_surplus_once_it_is_not_needed() {
    let (mut pool, mut product, mut trigger) = triggered(10_000);
    let mut incident = empty();
    incident.open(KEYS, &mut pool, &mut product, &mut trigger, NOW).unwrap();
    refused(incident.wind_up(&mut pool, &mut product, NOW), NotFunded);
    incident.fund(&mut pool, &mut product, &mut trigger, NOW).unwrap();
    refused(incident.wind_up(&mut pool, &mut product, NOW), IncidentInUse);
    assert_eq!(product.incident_closed, 0);
    incident.paid = 5_000;
    pool.pay_incident(5_000).unwrap();
    (incident.sums_left, incident.premiums_left) = (0, 0);
    assert_eq!(incident.wind_up(&mut pool, &mut product, NOW).unwrap(), 70);
    assert_eq!((pool.incident_reserves, pool.surplus, product.incident_closed), (0, 70, 1));
    pool.invariant().unwrap();
}
