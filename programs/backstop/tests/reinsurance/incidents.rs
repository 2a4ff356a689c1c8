//! An incident: treaties noted and called, the ratio, payouts and its end.

use crate::common::*;
use backstop::constants::ACCOUNT_VERSION;
use backstop::error::BackstopError::*;
use backstop::peril::evidence::Phase;
use backstop::peril::{AlertLevel, Condition, SaleLimits, Verdict};
use backstop::state::*;
use bytemuck::Zeroable;

fn incident() -> Incident {
    Incident {
        product: key(20),
        pool: key(3),
        rent_payer: key(22),
        version: ACCOUNT_VERSION,
        bump: 255,
        state: IncidentState::Growing,
        severity_bps: 5_000,
        most_severity_bps: 10_000,
        event_at: NOW,
        ended_at: NOW + 7_200,
        accrued_at: NOW,
        opened_at: NOW + 10,
        final_at: NOW + DAY,
        deadline: NOW + 365 * DAY,
        crisis: 1,
        sums: 2_000,
        gross: 1_000,
        loss_premium: 0,
        reserve: 0,
        paid: 0,
        sums_left: 1_500,
        premiums_left: 250,
        refunds_left: 300,
        still_exposed: 0,
        treaties: [NotedTreaty::default(); MAX_NOTED_TREATIES],
        treaty_count: 0,
        reserved: [0; 24],
    }
}

/// A pool with a quota share and layers, each with its term.
fn pool_with_treaties(quota_share: (i64, i64), layers: &[(i64, i64)]) -> Pool {
    let mut pool = pool();
    pool.quota_shares[0].treaty = key(9);
    (pool.quota_shares[0].start, pool.quota_shares[0].end) = quota_share;
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

/// A cover that earns one unit a second while it is in force.
fn earning(active_day: u32, end_day: u32, sum_insured: u64) -> Policy {
    let premium = u64::from(end_day - active_day) * 86_400;
    Policy { rate_q32: ONE_A_SECOND, ..cover(active_day, end_day, sum_insured, premium) }
}

#[test]
fn a_cover_is_paid_its_part_of_the_reserve_again_and_again_and_one_that_waits_what_it_had_not_earned() {
    let mut incident = Incident { reserve: 400, ..incident() };
    let mut loss = earning(TODAY, TODAY + 7, 1_001);
    let waiting = earning(TODAY + 1, TODAY + 8, 1_001);
    // One that waits is paid at once, whatever there is.
    let refund = Payout { claim: Claim::Refund, amount: 0, refund: 604_800, state: CoverState::Settled };
    assert_eq!(incident.payout(&waiting).unwrap(), refund);
    // 1,001 of 2,000 sums insured, of 400.
    let paid = Payout { claim: Claim::Loss, amount: 200, refund: 0, state: CoverState::Active };
    assert_eq!(incident.payout(&loss).unwrap(), paid);
    loss.paid = 200;
    refused(incident.payout(&loss), NothingOwed);
    incident.reserve = 800;
    assert_eq!(incident.payout(&loss).unwrap().amount, 200);
    // Final: half of what it had not earned two hours after its beginning, once.
    incident.state = IncidentState::Final;
    let paid = Payout { claim: Claim::Loss, amount: 200, refund: 298_800, state: CoverState::Refunded };
    assert_eq!((incident.payout(&loss).unwrap(), paid.total()), (paid, Some(299_000)));
    (loss.state, loss.paid) = (CoverState::Refunded, 400);
    refused(incident.payout(&loss), NothingOwed);
    incident.reserve = 1_000;
    let last = Payout { claim: Claim::Loss, amount: 100, refund: 0, state: CoverState::Settled };
    assert_eq!(incident.payout(&loss).unwrap(), last);
    (loss.state, loss.paid) = (CoverState::Settled, 500);
    refused(incident.payout(&loss), CoverNotActive);
    // Never below what it was paid.
    (loss.state, loss.paid) = (CoverState::Refunded, 600);
    assert_eq!(incident.payout(&loss).unwrap().amount, 0);
    // One that began between the event and the moment at which accrual stopped has earned a part.
    incident.accrued_at = NOW + DAY + 5;
    assert_eq!(incident.payout(&waiting).unwrap().refund, 604_795);
    refused(incident.payout(&earning(TODAY - 7, TODAY, 1_001)), NotEligible);
}

#[test]
fn a_settlement_is_booked_where_it_belongs_and_within_what_is_set_aside() {
    let mut pool = pool_with(0, 1_000_000, 0);
    pool.cash += 1_300;
    (pool.incident_reserves, pool.premium_refunds) = (1_000, 300);
    let mut incident = Incident { state: IncidentState::Final, reserve: 800, ..incident() };
    let loss = |sum| Policy { rate_q32: 0, ..cover(TODAY, TODAY + 7, sum, 40) };
    let mut first = loss(1_400);
    assert_eq!(incident.settle(&mut pool, &mut first, 0).unwrap().amount, 560);
    // Short of what it is due it stays open.
    assert_eq!((first.state, first.paid), (CoverState::Refunded, 560));
    assert_eq!((incident.sums_left, incident.premiums_left, incident.paid), (1_500, 250, 560));
    incident.reserve = 1_000;
    assert_eq!(incident.settle(&mut pool, &mut first, 0).unwrap().amount, 140);
    assert_eq!((first.state, first.paid, incident.sums_left), (CoverState::Settled, 700, 100));
    // 250 seconds, of which all are still to be earned.
    let seconds = Policy { rate_q32: 1_775_365, ..cover(TODAY + 1, TODAY + 8, 1_000, 250) };
    assert_eq!(incident.settle(&mut pool, &mut seconds.clone(), 0).unwrap().refund, 249);
    assert_eq!((incident.sums_left, incident.premiums_left, incident.refunds_left), (100, 0, 51));
    assert_eq!((pool.incident_reserves, pool.premium_refunds, pool.cash), (300, 51, 1_000_351));
    pool.invariant().unwrap();
    refused(incident.clone().settle(&mut pool, &mut loss(101), 0), InvariantViolated);
    refused(incident.clone().settle(&mut pool, &mut seconds.clone(), 0), InvariantViolated);
    let spent = Incident { paid: 980, ..incident.clone() };
    refused(spent.clone().settle(&mut pool, &mut loss(100), 0), InvariantViolated);
    let mut held = loss(1);
    (held.rate_q32, held.premium) = (ONE_A_SECOND, 1_000_000);
    refused(incident.settle(&mut pool, &mut held, 0), InvariantViolated);
}

#[test]
fn an_incident_closes_when_every_cover_is_paid_in_full_or_a_year_after_it_was_proven() {
    let full = Incident { state: IncidentState::Final, reserve: 1_000, ..incident() };
    let last = NOW + 365 * DAY;
    let open = |sums_left, premiums_left| Incident { sums_left, premiums_left, ..full.clone() };
    let settled = open(0, 0);
    let short = Incident { reserve: 999, ..settled.clone() };
    let growing = Incident { state: IncidentState::Growing, ..settled.clone() };
    for incident in [open(1, 1), open(1, 0), open(0, 1), short, growing] {
        assert!(!incident.may_close(last - 1));
        assert!(incident.may_close(last));
    }
    assert!(settled.may_close(NOW));
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
    trigger.evidence.phase = Phase::Final.byte();
    (trigger.evidence.event_at, trigger.evidence.severity_bps) = (NOW, severity_bps);
    // Met in the slot that ends now: it is proven, and final, when its challenge is over.
    trigger.evidence.met_at = NOW;
    trigger.evidence.window_last = trigger.terms.slot_of(NOW).unwrap() - 1;
    trigger.alert_number = pool.move_alert(product.alert(0), AlertLevel::None, AlertLevel::Due, NOW).unwrap();
    (pool, product, rates, trigger)
}

fn empty() -> Incident {
    Incident { state: IncidentState::Final, ..incident() }
}

/// The account of the crisis that an opened incident is part of.
fn crisis_of(incident: &Incident) -> Crisis {
    let mut crisis = Crisis::begin(POOL, PAYER, 253, incident.crisis);
    incident.enter(&mut crisis).unwrap();
    crisis
}

#[test]
fn opening_tells_all_that_it_did_and_ends_the_product() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(2_501);
    pool.crisis.number = 4;
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 9_000).unwrap();
    // Two hours are earned, a tenth for the surplus; the surplus's 1,000 are a tenth of the 10,000 required. Of the 856,800
    // after them 74.99 % are given back; the rest is shared out in the same way, by what was exposed when the alert began:
    // 21,428 and 2,368 of 10,000 parts of 192,858.
    let earned = Accrual { earned: 7_200, surplus: 720 + 648, junior: 5_832, ..Accrual::default() };
    let rest = Accrual { late: 214_286, surplus: 21_428 + 45_669, junior: 147_189, ..Accrual::default() };
    let growth = Growth {
        severity_bps: 2_501,
        gross: 1_251, // 5,000 x 25.01 % is 1,250.5
        owed: [0; 5],
        is_final: true,
        loss_refunds: 642_514,
        accrual: rest,
    };
    let expected = Opening {
        event_at: NOW,
        ended_at: NOW + 7_200,
        final_at: NOW + 7_200,
        crisis: 5,
        most: 1_251,
        released: 10_000,
        waiting_refunds: 864_000,
        set_aside: 856_800,
        accrual: earned,
        growth,
    };
    assert_eq!(opening, expected);
    assert_eq!((product.state(), product.event_at, product.incident_closed), (ProductState::Over, NOW, 0));
    let expected = Incident {
        state: IncidentState::Final,
        bump: 254,
        severity_bps: 2_501,
        most_severity_bps: 2_501,
        opened_at: NOW + 9_000,
        final_at: NOW + 7_200,
        deadline: NOW + 7_200 + 365 * DAY,
        crisis: 5,
        sums: 5_000,
        gross: 1_251,
        sums_left: 5_000,
        premiums_left: 864_000,
        refunds_left: 864_000 + 642_514,
        ..self::incident()
    };
    assert_eq!(incident, expected);
    // Exposure and alert are over, the crisis is open, and accrual stands on.
    let book = CrisisBook { gross: 1_251, final_at: NOW + 7_200, number: 5, incidents: 1, ..CrisisBook::default() };
    assert_eq!(pool.crisis, book);
    assert_eq!((pool.alerts, pool.total_exposure, product.exposure, pool.stands_since), (0, 0, 0, NOW));
    assert_eq!(trigger.alert(), AlertLevel::None);
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
    let treaty = &mut pool.quota_shares[0];
    (treaty.treaty, treaty.limit_left, treaty.cession_bps) = (key(9), 1 << 40, 5_000);
    (treaty.start, treaty.end) = (NOW + 200, NOW + 1_200);
    let opening = empty().open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 9_000).unwrap();
    let rest = opening.growth.accrual;
    assert_eq!(
        (opening.accrual.earned, opening.accrual.ceded, rest.late, rest.ceded),
        (7_200, [500, 0], 856_800, [0, 0])
    );
    assert_eq!((opening.waiting_refunds, opening.growth.loss_refunds), (864_000, 0));
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
        assert_eq!((opening.accrual.earned, opening.growth.accrual.late), (earned, 0));
        assert_eq!((opening.waiting_refunds, opening.growth.loss_refunds), (864_000, 856_800));
    }
    let (mut pool, mut product, mut rates, mut trigger) = triggered(0);
    pool.stands_since = NOW + 10_000;
    pool.accrue(NOW + DAY).unwrap();
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + DAY).unwrap();
    assert_eq!((opening.ended_at, opening.accrual.earned, opening.set_aside), (NOW + 10_000, 0, 854_000));
    assert_eq!(opening.growth.loss_refunds, 854_000);
    assert_eq!(incident.payout(&earning(TODAY, TODAY + 10, 5_000)).unwrap().refund, 854_000);
}

#[test]
fn an_incident_with_nothing_due_begins_no_crisis_and_its_covers_are_spent_at_once() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(0);
    // Covers without premium.
    product.starts = Zeroable::zeroed();
    rates.ends = [0; 512];
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 5).unwrap();
    assert_eq!((opening.growth.gross, opening.released, opening.accrual), (0, 10_000, Accrual::default()));
    assert_eq!((incident.state, incident.crisis, incident.treaty_count), (IncidentState::Final, 0, 0));
    assert_eq!((product.exposure, product.incident_closed), (0, 1));
    assert_eq!((pool.alerts, pool.alerts_due, pool.total_exposure, pool.in_crisis()), (0, 0, 0, false));
    assert_eq!(trigger.alert(), AlertLevel::None);
}

#[test]
fn an_incident_that_gives_back_premium_alone_begins_no_crisis() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(0);
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 9_000).unwrap();
    assert_eq!((opening.growth.gross, opening.released, opening.crisis), (0, 10_000, 0));
    assert_eq!((incident.state, incident.is_complete(), product.incident_closed), (IncidentState::Final, true, 0));
    assert_eq!((pool.alerts, pool.total_exposure, pool.in_crisis(), pool.stands_since), (0, 0, false, 0));
    refused(incident.fund(&mut pool, &mut Crisis::begin(POOL, PAYER, 0, 1), &trigger, NOW), WrongParent);
    incident.settle(&mut pool, &mut earning(TODAY, TODAY + 10, 5_000), 0).unwrap();
    incident.settle(&mut pool, &mut earning(TODAY + 1, TODAY + 11, 5_000), 0).unwrap();
    assert_eq!(incident.wind_up(&mut pool, &mut product, None, NOW + 9_000).unwrap(), WindUp::default());
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
fn funding_closes_a_crisis_that_is_due_and_gives_all_that_there_is() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(10_000);
    let mut incident = empty();
    incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW + 7_200).unwrap();
    let mut crisis = crisis_of(&incident);
    assert_eq!((crisis.number, crisis.incidents, crisis.until), (1, 1, NOW + 7_200 + 365 * DAY));
    let other = &mut Crisis { number: 2, ..crisis.clone() };
    refused(incident.fund(&mut pool, other, &trigger, NOW + 7_200), WrongParent);
    let funding = incident.fund(&mut pool, &mut crisis, &trigger, NOW + 7_200).unwrap();
    // The surplus has its tenth of the premium of which all is lost.
    let losses = LossByLayer { surplus: 5_000, ..LossByLayer::default() };
    let closing = CrisisClosing {
        number: 1,
        gross: 5_000,
        resources: 5_000,
        bucket: 5_000,
        restored: [0; 5],
        losses,
        recoverable: [0; 2],
        recoverable_surplus: 0,
    };
    assert_eq!((funding.growth, funding.closing), (None, Some(closing)));
    assert_eq!(funding.giving, Giving { amount: 5_000, bucket: 5_000, ..Giving::default() });
    assert_eq!((incident.reserve, pool.incident_reserves, pool.crisis_buckets), (5_000, 5_000, 0));
    assert!(!pool.in_crisis() && incident.is_complete() && crisis.closed);
    pool.invariant().unwrap();
    refused(incident.fund(&mut pool, &mut crisis, &trigger, NOW + 9_999), AlreadyFunded);
}

/// A condition whose severity the test says.
struct Worsening(Verdict);

impl Condition for Worsening {
    fn phase(&self) -> Phase {
        Phase::Triggered
    }

    fn alert(&self) -> AlertLevel {
        AlertLevel::Due
    }

    fn alert_number(&self) -> u64 {
        1
    }

    fn is_proven_by(&self, _now: i64) -> bool {
        true
    }

    fn verdict(&self) -> Option<Verdict> {
        Some(self.0)
    }

    fn require_sellable(&self, _: SaleLimits, _: i64) -> anchor_lang::Result<()> {
        Ok(())
    }

    fn end_alert(&mut self) {}
}

/// Half of 5,000 is known at T, and all of it may be lost: treaties owe what is known, and more as it grows.
#[test]
fn an_incident_grows_until_it_is_final_and_its_treaties_owe_with_it() {
    let (mut pool, mut product, mut rates, trigger) = triggered(5_000);
    pool.put_in_force(key(9), &treaty(QUOTA_SHARE, 1_500)).unwrap();
    pool.put_in_force(key(1), &treaty(layer(1_000), 2_000)).unwrap();
    let first = trigger.verdict().unwrap();
    let final_by = NOW + 3 * DAY;
    let mut evidence = Worsening(Verdict { most_severity_bps: 10_000, is_final: false, final_by, ..first });
    let mut incident = empty();
    let opening = incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut evidence, NOW + 7_200).unwrap();
    // 40 % of 2,500, and what 1,500 is above 1,000.
    assert_eq!((opening.most, opening.growth.gross, opening.growth.owed), (5_000, 2_500, [1_000, 500, 0, 0, 0]));
    assert_eq!((pool.crisis.growth, pool.crisis.uncalled, pool.crisis.unfinal), (2_500, 2, 1));
    assert_eq!((incident.loss_premium, pool.set_aside), (856_800, 856_800));
    let mut crisis = crisis_of(&incident);
    let mut reinsurer = reinsurer_with(0, 0, 1_100);
    for (key, limit) in [(key(9), 1_500), (key(1), 2_000)] {
        reinsurer.stand_behind(key, &treaty(QUOTA_SHARE, limit)).unwrap();
    }
    let mut quota_share = treaty(QUOTA_SHARE, 1_500);
    let call = quota_share.call(key(9), &mut incident, &mut crisis, &mut pool, &mut reinsurer, NOW + 7_200).unwrap();
    assert_eq!((call.owed, call.paid, call.received, call.receipt.recovered), (1_000, 1_000, 1_000, 1_000));
    assert_eq!((pool.crisis.uncalled, pool.crisis.recovered, pool.quota_shares[0].owed), (1, 1_000, 0));
    let again = quota_share.call(key(9), &mut incident, &mut crisis, &mut pool, &mut reinsurer, NOW + 7_200);
    refused(again, NothingOwed);

    // Worse: 4,500. The quota share's limit is used up by it, and it is to be called again.
    evidence.0.severity_bps = 9_000;
    let funding = incident.fund(&mut pool, &mut crisis, &evidence, NOW + DAY).unwrap();
    let growth = funding.growth.unwrap();
    assert_eq!((growth.gross, growth.owed, growth.is_final), (4_500, [500, 1_200, 0, 0, 0], false));
    assert_eq!((pool.crisis.uncalled, pool.crisis.growth, funding.giving.amount), (2, 500, 4_500));
    // The reinsurer has 100 for 500: the rest stays owed, and is paid when it has more.
    let call = quota_share.call(key(9), &mut incident, &mut crisis, &mut pool, &mut reinsurer, NOW + DAY).unwrap();
    assert_eq!((call.owed, call.paid, pool.quota_shares[0].owed, pool.crisis.uncalled), (500, 100, 400, 1));
    let again = quota_share.call(key(9), &mut incident, &mut crisis, &mut pool, &mut reinsurer, NOW + DAY);
    refused(again, NothingOwed);
    reinsurer.contribute(5_000).unwrap();
    let call = quota_share.call(key(9), &mut incident, &mut crisis, &mut pool, &mut reinsurer, NOW + DAY).unwrap();
    assert_eq!((call.paid, pool.quota_shares[0].owed, reinsurer.inward[0].limit), (400, 0, 0));

    // It can no longer fall, and what was not lost of the premium is given back once it is final.
    evidence.0.severity_bps = 8_000;
    refused(incident.fund(&mut pool, &mut crisis, &evidence, final_by), AlreadyFunded);
    (evidence.0.severity_bps, evidence.0.is_final) = (9_000, true);
    let growth = incident.fund(&mut pool, &mut crisis, &evidence, final_by).unwrap().growth.unwrap();
    assert_eq!((growth.gross, growth.is_final, growth.loss_refunds), (4_500, true, 85_680));
    assert_eq!((pool.crisis.growth, pool.crisis.unfinal, pool.set_aside), (0, 0, 0));
    assert_eq!((incident.refunds_left, growth.accrual.late), (864_000 + 85_680, 771_120));
    pool.invariant().unwrap();
    reinsurer.invariant().unwrap();
}

#[test]
fn a_limit_is_restored_for_what_is_still_exposed_in_all_calls_together_and_within_the_term() {
    let treaty = treaty(layer(500), 1_000);
    let mut incident = Incident { still_exposed: 150, ..incident() };
    let restorable = |incident: &Incident| incident.restorable(&treaty, &incident.treaties[0]);
    incident.treaties[0].treaty = key(9);
    assert_eq!(restorable(&incident), 150);
    incident.treaties[0].restored = 100;
    assert_eq!(restorable(&incident), 50);
    incident.treaties[0].restored = 151;
    assert_eq!(restorable(&incident), 0);
    // Nothing is restored for events after the term.
    incident.treaties[0].restored = 0;
    incident.ended_at = treaty.end() - 1;
    assert_eq!(restorable(&incident), 150);
    incident.ended_at = treaty.end();
    assert_eq!(restorable(&incident), 0);
}

#[test]
fn calls_in_parts_restore_no_more_than_one() {
    let (mut pool, mut reinsurer) = (pool_with(1_000, 0, 10_000), reinsurer_with(0, 0, 5_000));
    let mut treaty = Treaty { premium: 100, ..treaty(layer(500), 1_000) };
    pool.put_in_force(key(9), &treaty).unwrap();
    reinsurer.stand_behind(key(9), &treaty).unwrap();
    let mut incident = Incident { still_exposed: 150, treaty_count: 1, ..incident() };
    incident.treaties[0] = NotedTreaty { treaty: key(9), owed: 100, ..NotedTreaty::default() };
    let mut crisis = crisis_of(&incident);
    (pool.crisis.incidents, pool.crisis.number) = (1, 1);
    (pool.layers[0].limit_left, pool.layers[0].owed, pool.crisis.owed) = (700, 300, 300);
    let mut call = |incident: &mut Incident| {
        let called = treaty.call(key(9), incident, &mut crisis, &mut pool, &mut reinsurer, NOW).unwrap();
        (called.paid, called.restored, called.reinstatement_premium, called.received)
    };
    // 10 % of what is restored; 150 are restored in all, though 300 were paid.
    assert_eq!(call(&mut incident), (100, 100, 10, 90));
    incident.treaties[0].owed = 300;
    assert_eq!(call(&mut incident), (200, 50, 5, 195));
    assert_eq!((incident.treaties[0].restored, pool.layers[0].restored_later), (150, 150));
}

#[test]
fn what_is_left_goes_to_the_surplus_once_it_is_not_needed_and_the_crisis_is_closed() {
    let (mut pool, mut product, mut rates, mut trigger) = triggered(10_000);
    let mut incident = empty();
    incident.open(KEYS, &mut pool, &mut product, &mut rates, &mut trigger, NOW).unwrap();
    let mut crisis = crisis_of(&incident);
    let deadline = incident.deadline;
    refused(incident.wind_up(&mut pool, &mut product, Some(&mut crisis), deadline), IncidentInUse);
    incident.fund(&mut pool, &mut crisis, &trigger, NOW + 7_200).unwrap();
    refused(incident.wind_up(&mut pool, &mut product, Some(&mut crisis), deadline - 1), IncidentInUse);
    refused(incident.wind_up(&mut pool, &mut product, None, deadline), WrongParent);
    assert_eq!(product.incident_closed, 0);
    // 40 come late for nobody any more.
    pool.cash += 40;
    (pool.crisis_buckets, crisis.bucket) = (40, 40);
    incident.paid = 4_930;
    pool.pay_incident(4_930).unwrap();
    let surplus = pool.surplus;
    let left = incident.wind_up(&mut pool, &mut product, Some(&mut crisis), deadline).unwrap();
    assert_eq!(left, WindUp { reserve: 70, refunds: 864_000, bucket: 40 });
    assert_eq!((pool.incident_reserves, pool.premium_refunds, pool.crisis_buckets), (0, 0, 0));
    assert_eq!((pool.surplus, product.incident_closed, crisis.incidents), (surplus + 864_110, 1, 0));
    pool.invariant().unwrap();
}

#[test]
fn a_deadline_moves_to_a_year_from_now_and_never_back() {
    let mut incident = incident();
    let mut crisis = Crisis::begin(POOL, PAYER, 0, 1);
    incident.extend(Some(&mut crisis), NOW + 300 * DAY).unwrap();
    assert_eq!((incident.deadline, crisis.until), (NOW + 665 * DAY, NOW + 665 * DAY));
    incident.extend(Some(&mut crisis), NOW).unwrap();
    assert_eq!(incident.deadline, NOW + 665 * DAY);
    refused(incident.extend(None, NOW), WrongParent);
    refused(incident.extend(Some(&mut Crisis::begin(POOL, PAYER, 0, 2)), NOW), WrongParent);
}
