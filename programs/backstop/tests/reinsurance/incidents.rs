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
        ended_at: NOW + 7_200,
        accrued_at: NOW,
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
        refunds_left: 300,
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

/// A cover that earns one unit a second while it is in force.
fn earning(active_day: u32, end_day: u32, sum_insured: u64) -> Cover {
    let premium = u64::from(end_day - active_day) * 86_400;
    Cover { rate_q32: ONE_A_SECOND, ..cover(active_day, end_day, sum_insured, premium) }
}

#[test]
fn a_cover_is_paid_by_severity_and_ratio_and_one_that_waits_gets_what_it_had_not_earned() {
    let mut incident = incident();
    incident.reserve = 800;
    let loss = earning(TODAY, TODAY + 7, 1_001);
    let waiting = earning(TODAY + 1, TODAY + 8, 1_001);
    // One that waits is paid before the incident is funded, and whatever the ratio.
    let refund = Payout { claim: Claim::Refund, amount: 0, refund: 604_800 };
    assert_eq!(incident.payout(&waiting).unwrap(), refund);
    refused(incident.payout(&loss), NotFunded);
    incident.state = IncidentState::Funded;
    assert_eq!(incident.payout(&waiting).unwrap(), refund);
    // Half of 1,001 is 500; four fifths of it. Half of what it had not earned two hours after its beginning.
    let paid = Payout { claim: Claim::Loss, amount: 400, refund: 298_800 };
    assert_eq!((incident.payout(&loss).unwrap(), paid.total()), (paid, Some(299_200)));
    // One that began between the event and the moment at which accrual stopped has earned a part.
    incident.accrued_at = NOW + DAY + 5;
    assert_eq!(incident.payout(&waiting).unwrap().refund, 604_795);
    refused(incident.payout(&earning(TODAY - 7, TODAY, 1_001)), NotEligible);
    incident.severity_bps = 10_001;
    refused(incident.payout(&loss), MathOverflow);
    incident.state = IncidentState::Closed;
    refused(incident.payout(&loss), IncidentClosed);
}

#[test]
fn a_settlement_is_booked_where_it_belongs_and_within_what_is_set_aside() {
    let mut pool = pool_with(0, 1_000_000, 0);
    pool.cash += 1_100;
    (pool.incident_reserves, pool.premium_refunds) = (800, 300);
    let mut incident = Incident { state: IncidentState::Funded, reserve: 800, gross: 800, ..incident() };
    let loss = |sum| Cover { rate_q32: 0, ..cover(TODAY, TODAY + 7, sum, 40) };
    assert_eq!(incident.settle(&mut pool, &loss(1_400)).unwrap().amount, 700);
    assert_eq!((incident.sums_left, incident.premiums_left, incident.paid), (100, 250, 700));
    // 250 seconds, of which all are still to be earned.
    let seconds = Cover { rate_q32: 1_775_365, ..cover(TODAY + 1, TODAY + 8, 1_000, 250) };
    assert_eq!(incident.settle(&mut pool, &seconds).unwrap().refund, 249);
    assert_eq!((incident.sums_left, incident.premiums_left, incident.refunds_left), (100, 0, 51));
    assert_eq!((pool.incident_reserves, pool.premium_refunds, pool.cash), (100, 51, 1_000_151));
    pool.invariant().unwrap();
    refused(incident.clone().settle(&mut pool, &loss(101)), InvariantViolated);
    refused(incident.clone().settle(&mut pool, &seconds), InvariantViolated);
    refused(Incident { reserve: 740, gross: 740, ..incident.clone() }.settle(&mut pool, &loss(100)), InvariantViolated);
    let mut held = loss(1);
    held.rate_q32 = ONE_A_SECOND;
    refused(incident.settle(&mut pool, &held), InvariantViolated);
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

/// A pool, a product with an exposure of 10,000 of which half is in force now, and its trigger, triggered at a severity:
/// the event is now, its challenge ends two hours later, and the alert, which is due, began now.
///
/// Both halves earn one unit a second over ten days: what is in force until ten days from now, the rest a day later.
fn triggered(severity_bps: u16) -> (Pool, Product, Rates, Trigger) {
    let (mut pool, mut product, mut rates, mut trigger) = (pool_with(1_000, 20_000, 0), product(), rates(), trigger());
    pool.stream_premium(864_000, NOW, TODAY + 10).unwrap();
    pool.stream_cover(864_000, TODAY + 1, TODAY + 11).unwrap();
    pool.add_exposure(3, 10_000).unwrap();
    product.exposure = 10_000;
    product.newest_activation_day = TODAY + 1;
    product.starts[(TODAY as usize + 1) % 64] = StartBucket {
        sum_insured: 5_000,
        premium: 864_000,
        rate_q32: ONE_A_SECOND,
        due_low: 864_000 << 32,
        due_high: 0,
    };
    for day in [TODAY + 10, TODAY + 11] {
        rates.ends[day as usize % 512] = ONE_A_SECOND;
    }
    trigger.evidence.phase = Phase::Triggered.byte();
    (trigger.evidence.event_at, trigger.evidence.severity_bps) = (NOW, severity_bps);
    trigger.evidence.met_at = NOW + 3_600;
    pool.move_alert(AlertLevel::None, AlertLevel::Due, 10_000, NOW).unwrap();
    (pool, product, rates, trigger)
}

fn empty() -> Incident {
    Incident { state: IncidentState::Closed, ..incident() }
}

#[test]
fn opening_tells_all_that_it_did_and_ends_the_product() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(2_501);
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 9_000).unwrap();
    // Two hours are earned. Of the 856,800 after them 74.99 % are given back; the rest is the pool's: a tenth to the
    // surplus.
    let accrual = Accrual { earned: 7_200, late: 214_286, surplus: 22_148, junior: 199_338, ..Accrual::default() };
    let expected = Opening {
        event_at: NOW,
        ended_at: NOW + 7_200,
        severity_bps: 2_501,
        gross: 1_251, // 5,000 x 25.01 % is 1,250.5
        released: 0,
        waiting_refunds: 864_000,
        loss_refunds: 642_514,
        accrual,
    };
    assert_eq!(opening, expected);
    assert_eq!((product.state(), product.event_at, product.incident_closed), (ProductState::Over, NOW, 0));
    let expected = Incident {
        state: IncidentState::Waiting,
        bump: 254,
        severity_bps: 2_501,
        opened_at: NOW + 9_000,
        gross: 1_251,
        net: 1_251,
        exposure: 10_000,
        sums_left: 5_000,
        premiums_left: 864_000,
        refunds_left: 864_000 + 642_514,
        ..self::incident()
    };
    assert_eq!(incident, expected);
    assert_eq!((pool.funding.waiting, pool.funding.waiting_net, pool.alerts), (1, 1_251, 1));
    assert_eq!(trigger.alert(), AlertLevel::Due);
    // The product's premium has left the stream.
    assert_eq!((pool.rate_q32, pool.waiting_rate_q32, pool.unearned_premium), (0, 0, 0));
    assert!(pool.rate_starts.iter().chain(&pool.rate_ends).chain(&rates.ends).all(|rate| *rate == 0));
    assert_eq!((pool.premium_refunds, pool.set_aside), (864_000 + 642_514, 0));
    pool.invariant().unwrap();
}

/// Premium of another product stays where it is, and the quota share has its part of what was earned in its term.
#[test]
fn opening_leaves_other_premium_alone_and_cedes_what_was_earned_in_the_term() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(10_000);
    pool.stream_premium(864_000, NOW, TODAY + 10).unwrap();
    pool.stream_cover(10 * 86_400, TODAY + 1, TODAY + 11).unwrap();
    let treaty = &mut pool.quota_share;
    (treaty.treaty, treaty.limit_left, treaty.cession_bps) = (key(9), 1 << 40, 5_000);
    (treaty.start, treaty.end) = (NOW + 200, NOW + 1_200);
    let opening = empty().open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 9_000).unwrap();
    assert_eq!((opening.accrual.earned, opening.accrual.ceded, opening.accrual.late), (7_200, 500, 856_800));
    assert_eq!((opening.waiting_refunds, opening.loss_refunds), (864_000, 0));
    assert_eq!((pool.rate_q32, pool.waiting_rate_q32, pool.unearned_premium), (ONE_A_SECOND, ONE_A_SECOND, 1_728_000));
    pool.invariant().unwrap();
}

/// The order of calls: however late it is opened, and were the alert's beginning after the challenge's end.
#[test]
fn a_refund_is_of_what_was_not_earned_whenever_the_incident_is_opened() {
    for (alert, now) in [(NOW, NOW + 7_201), (NOW, NOW + 40 * DAY), (NOW + 600, NOW + 9 * DAY)] {
        let (mut pool, mut product, mut rates, mut trigger) = triggered(0);
        pool.stands_since = alert;
        pool.accrue(now).unwrap();
        let opening = empty().open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, now).unwrap();
        let earned = 7_200 - u64::try_from(alert - NOW).unwrap();
        assert_eq!((opening.accrual.earned, opening.accrual.late), (earned, 0));
        assert_eq!((opening.waiting_refunds, opening.loss_refunds), (864_000, 856_800));
    }
    let (mut pool, mut product, mut rates, mut trigger) = triggered(0);
    pool.stands_since = NOW + 10_000;
    pool.accrue(NOW + DAY).unwrap();
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + DAY).unwrap();
    assert_eq!((opening.ended_at, opening.accrual.earned, opening.loss_refunds), (NOW + 10_000, 0, 854_000));
    assert_eq!(incident.payout(&earning(TODAY, TODAY + 10, 5_000)).unwrap().refund, 854_000);
}

#[test]
fn an_incident_with_nothing_due_is_closed_at_once_with_exposure_and_alert() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(0);
    // Covers without premium.
    product.starts = Zeroable::zeroed();
    rates.ends = [0; 512];
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 5).unwrap();
    assert_eq!((opening.gross, opening.released, opening.accrual), (0, 10_000, Accrual::default()));
    assert_eq!((incident.state, incident.funded_at, incident.treaty_count), (IncidentState::Closed, NOW + 5, 0));
    assert_eq!((product.exposure, product.incident_closed), (0, 1));
    assert_eq!((pool.alerts, pool.alerts_due, pool.total_exposure, pool.funding.waiting), (0, 0, 0, 0));
    assert_eq!(trigger.alert(), AlertLevel::None);
}

#[test]
fn an_incident_that_gives_back_premium_alone_is_funded_at_once() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(0);
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 9_000).unwrap();
    assert_eq!((opening.gross, opening.released), (0, 10_000));
    assert_eq!((incident.state, incident.reserve, product.incident_closed), (IncidentState::Funded, 0, 0));
    assert_eq!((pool.alerts, pool.total_exposure, pool.funding.waiting, pool.stands_since), (0, 0, 0, 0));
    incident.settle(&mut pool, &earning(TODAY, TODAY + 10, 5_000)).unwrap();
    incident.settle(&mut pool, &earning(TODAY + 1, TODAY + 11, 5_000)).unwrap();
    assert_eq!(incident.wind_up(&mut pool, &mut product, NOW + 9_000).unwrap(), WindUp::default());
    assert_eq!((pool.premium_refunds, pool.cash), (0, 21_000 + 7_200));
    pool.invariant().unwrap();
}

#[test]
fn an_incident_opens_once_and_only_after_its_trigger() {
    let (pool, product, rates, trigger) = triggered(10_000);
    for phase in [Phase::Quiet, Phase::Breaching, Phase::Met] {
        let (mut pool, mut product, mut rates, mut trigger) = (pool, product, rates, trigger);
        trigger.evidence.phase = phase.byte();
        refused(empty().open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW), NotTriggered);
    }
    let (mut pool, mut product, mut rates, mut trigger) = (pool, product, rates, trigger);
    empty().open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW).unwrap();
    refused(empty().open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW), ProductOver);
}

#[test]
fn funding_tells_all_that_it_did_and_ends_exposure_and_alert() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(10_000);
    let mut incident = empty();
    incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW).unwrap();
    let mut called = incident.clone();
    (called.state, called.ceded) = (IncidentState::Open, 7);
    refused(called.fund(&mut pool, &mut product, &mut trigger, NOW), TreatiesNotCalled);

    let funding = incident.fund(&mut pool, &mut product, &mut trigger, NOW + 9).unwrap();
    // The surplus has its tenth of the premium of which all is lost.
    let losses = LossByLayer { surplus: 5_000, ..LossByLayer::default() };
    assert_eq!(funding, Funding { gross: 5_000, ceded: 0, paid: 5_000, released: 10_000, losses });
    assert_eq!((incident.state, incident.reserve, incident.funded_at), (IncidentState::Funded, 5_000, NOW + 9));
    assert_eq!((pool.incident_reserves, pool.total_exposure, pool.alerts, product.exposure), (5_000, 0, 0, 0));
    assert_eq!(trigger.alert(), AlertLevel::None);
    pool.invariant().unwrap();
    refused(incident.fund(&mut pool, &mut product, &mut trigger, NOW + 9), AlreadyFunded);
    incident.state = IncidentState::Closed;
    refused(incident.fund(&mut pool, &mut product, &mut trigger, NOW + 9), AlreadyFunded);
}

#[test]
fn what_is_left_of_a_reserve_goes_to_the_surplus_once_it_is_not_needed() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(10_000);
    let mut incident = empty();
    incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW).unwrap();
    refused(incident.wind_up(&mut pool, &mut product, NOW), NotFunded);
    incident.fund(&mut pool, &mut product, &mut trigger, NOW).unwrap();
    refused(incident.wind_up(&mut pool, &mut product, NOW), IncidentInUse);
    assert_eq!(product.incident_closed, 0);
    incident.paid = 4_930;
    pool.pay_incident(4_930).unwrap();
    (incident.sums_left, incident.premiums_left) = (0, 0);
    let surplus = pool.surplus;
    let left = incident.wind_up(&mut pool, &mut product, NOW).unwrap();
    assert_eq!(left, WindUp { reserve: 70, refunds: 864_000 });
    assert_eq!((pool.incident_reserves, pool.premium_refunds, product.incident_closed), (0, 0, 1));
    assert_eq!(pool.surplus, surplus + 864_070);
    pool.invariant().unwrap();
}
