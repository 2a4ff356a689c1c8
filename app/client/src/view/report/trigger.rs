//! A trigger: its condition, what was shown for it, and what can come of it.

use crate::view::incident::{Step, next_step};
use crate::view::trigger::{OpenSlot, Standing, feed, phase, price_account, source};
use crate::view::{self, Case, OpenProduct};
use backstop::math::losses;
use backstop::peril::evidence::{Evidence, Phase, RING_SLOTS, Terms, Window};
use backstop::state::ProductState;
use serde::Serialize;

/// A trigger.
#[derive(Clone, Debug, Serialize)]
pub struct TriggerReport {
    /// The trigger.
    pub trigger: String,
    /// The product.
    pub product: String,
    /// The product's name.
    pub product_name: String,
    /// The pool.
    pub pool: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Where prices come from.
    pub source: &'static str,
    /// The price feed.
    pub feed: String,
    /// Who signs its reports, if it takes reports.
    pub attestors: Option<String>,
    /// The account that shows its newest price; reports have none.
    pub price_account: Option<String>,
    /// The condition.
    pub condition: ConditionReport,
    /// At which moment.
    pub now: i64,
    /// Its trigger's phase.
    pub phase: &'static str,
    /// The phase that the chain still says.
    pub stored_phase: &'static str,
    /// Slots that count.
    pub credited_slots: u16,
    /// Slots that it takes.
    pub needed_slots: u16,
    /// The newest price.
    pub last_print: Option<PrintReport>,
    /// The window that met the condition; before, the earliest that could.
    pub window: Option<WindowReport>,
    /// When breaching is over if nothing more is shown.
    pub breaching_until: Option<i64>,
    /// With two keys, while it is armed: when it is so no longer. Nothing is sold before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub armed_until: Option<i64>,
    /// The slot now.
    pub current_slot: Option<SlotSpan>,
    /// The slot that closes next.
    pub closing_slot: Option<SlotSpan>,
    /// T: from when on event and first payment are fixed.
    pub proven_at: Option<i64>,
    /// When the severity is final: at the latest, while it is not.
    pub final_at: Option<i64>,
    /// What was due at T.
    pub first_severity_bps: Option<u16>,
    /// The mean price.
    pub mean_price_e8: Option<u64>,
    /// Part of a sum insured that is lost.
    pub severity_bps: Option<u16>,
    /// Whether the product had its incident.
    pub is_over: bool,
    /// Sums insured.
    pub exposure: u64,
    /// What the product's covers would be due by the evidence so far.
    pub due: Option<u64>,
    /// Slots of which something is known.
    pub slots: Vec<SlotReport>,
    /// What comes next.
    pub next: Option<Step>,
}

/// The condition that a trigger listens for.
#[derive(Clone, Debug, Serialize)]
pub struct ConditionReport {
    /// In words.
    pub text: String,
    /// On which side of the threshold a breach is.
    pub direction: &'static str,
    /// A breach is beyond.
    pub threshold_e8: u64,
    /// A recovery is at this price or on its other side.
    pub recovery_e8: u64,
    /// At this price all is paid.
    pub full_loss_e8: Option<u64>,
    /// Least that is paid.
    pub min_severity_bps: Option<u16>,
    /// How long a breach must last.
    pub duration_seconds: u64,
    /// Length of a slot.
    pub slot_seconds: u32,
    /// How much of the time may lack a breach.
    pub tolerance_seconds: u64,
    /// How long it can be contradicted.
    pub challenge_seconds: u32,
    /// How long it can grow.
    pub run_on_seconds: u32,
    /// How long it must be quiet.
    pub quiet_seconds: u32,
    /// How many times the oracle's interval counts.
    pub confidence_multiplier_hundredths: u16,
}

/// The newest price that a trigger was shown.
#[derive(Clone, Debug, Serialize)]
pub struct PrintReport {
    /// The price.
    pub price_e8: u64,
    /// Half its interval.
    pub confidence_e8: u64,
    /// When it was published.
    pub publish_time: i64,
    /// How old it is.
    pub age_seconds: i64,
    /// What it says.
    pub says: &'static str,
}

/// The time that met a condition, or could.
#[derive(Clone, Debug, Serialize)]
pub struct WindowReport {
    /// When the event began.
    pub event_at: i64,
    /// When it was met, or could be.
    pub met_at: i64,
    /// Until when it can be contradicted.
    pub contradicted_until: i64,
    /// Whether it is met.
    pub is_met: bool,
}

/// A slot that takes breaches.
#[derive(Clone, Debug, Serialize)]
pub struct SlotSpan {
    /// First second.
    pub start: i64,
    /// When it ends.
    pub end: i64,
    /// Last second at which a breach is taken.
    pub open_until: i64,
}

impl From<OpenSlot> for SlotSpan {
    fn from(slot: OpenSlot) -> Self {
        Self { start: slot.start, end: slot.end, open_until: slot.open_until }
    }
}

/// What is known of a slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlotReport {
    /// First second.
    pub start: i64,
    /// First second after it.
    pub end: i64,
    /// Its highest breach, in 1e-8.
    pub breach_price_e8: Option<u64>,
    /// Whether it is recovered: two recoveries that lie apart were shown in it.
    pub recovered: bool,
    /// Whether it is good: a breach was shown in it, and no two prices at the threshold or on its other side that lie apart.
    pub good: bool,
    /// Whether it is part of what met the condition.
    pub in_window: bool,
}

impl SlotReport {
    /// The slots of which something is known, and those of the window that met the condition, oldest first.
    pub fn known(terms: &Terms, evidence: &Evidence, met: Option<Window>) -> Vec<Self> {
        let oldest = evidence.head.saturating_add(1).saturating_sub(RING_SLOTS);
        let known = (oldest..=evidence.head).filter_map(|slot| {
            let (breach_price_e8, recovered) = (evidence.breach_price(terms, slot), evidence.is_recovered(terms, slot));
            let in_window = met.is_some_and(|window| (window.first_slot..=window.last_slot).contains(&slot));
            (breach_price_e8.is_some() || recovered || in_window).then(|| Self {
                start: terms.slot_start(slot),
                end: terms.slot_end(slot),
                breach_price_e8,
                recovered,
                good: evidence.is_good(terms, slot),
                in_window,
            })
        });
        known.collect()
    }
}

impl TriggerReport {
    /// A case's trigger at `now`, at which its standing was asked.
    pub fn of(case: &Case, standing: &Standing, now: i64) -> Self {
        let OpenProduct { state, pool, keys } = &case.product;
        let trigger = &case.trigger;
        let (terms, evidence) = (&trigger.terms, &standing.evidence);
        let proven = standing.phase.is_triggered();
        let is_final = standing.phase == Phase::Final;
        let so_far = standing.so_far;
        Self {
            trigger: keys.trigger().to_string(),
            product: keys.product.to_string(),
            product_name: state.name().into(),
            pool: keys.pool.pool.to_string(),
            decimals: pool.decimals,
            source: source(trigger.source()),
            feed: feed(trigger),
            attestors: trigger.source().is_reported().then(|| trigger.attestors.to_string()),
            price_account: price_account(trigger).map(|account| account.to_string()),
            condition: ConditionReport {
                text: format!(
                    "{}: {}",
                    view::product::pays_if(trigger.source(), terms),
                    view::product::proven_by(trigger.source(), terms)
                ),
                direction: view::trigger::direction(terms.direction()),
                threshold_e8: terms.threshold,
                recovery_e8: terms.recovery,
                full_loss_e8: terms.payout().full_loss_price(),
                min_severity_bps: terms.payout().min_severity_bps(),
                duration_seconds: terms.duration_seconds(),
                slot_seconds: terms.slot_seconds,
                tolerance_seconds: terms.tolerance_seconds(),
                challenge_seconds: terms.challenge,
                run_on_seconds: terms.run_on,
                quiet_seconds: terms.quiet,
                confidence_multiplier_hundredths: terms.confidence_multiplier,
            },
            now,
            phase: phase(standing.phase),
            stored_phase: phase(trigger.phase()),
            credited_slots: evidence.longest_credited(terms),
            needed_slots: terms.need,
            last_print: (evidence.last_publish_time > 0).then(|| PrintReport {
                price_e8: evidence.last_price,
                confidence_e8: evidence.last_confidence,
                publish_time: evidence.last_publish_time,
                age_seconds: now.saturating_sub(evidence.last_publish_time),
                says: view::trigger::class(terms.direction(), terms.classify(&evidence.last_print())),
            }),
            window: standing.window.map(|window| WindowReport {
                event_at: window.event_at,
                met_at: window.met_at,
                contradicted_until: window.contradicted_until,
                is_met: standing.is_met(),
            }),
            breaching_until: standing.breaching_until,
            armed_until: standing.armed_until,
            current_slot: standing.current.filter(|_| !is_final).map(SlotSpan::from),
            closing_slot: standing.closing.filter(|_| !is_final).map(SlotSpan::from),
            // With two keys the report proves it, at once.
            proven_at: proven.then(|| match trigger.has_two_keys() {
                true => evidence.met_at,
                false => evidence.met_at.saturating_add(i64::from(terms.challenge)),
            }),
            final_at: standing.final_at,
            first_severity_bps: proven.then_some(evidence.first_severity_bps),
            mean_price_e8: so_far.map(|so_far| so_far.mean_price_e8),
            severity_bps: so_far.map(|so_far| so_far.severity_bps),
            is_over: state.state() == ProductState::Over,
            exposure: state.exposure,
            due: due(case, standing),
            slots: SlotReport::known(terms, evidence, standing.window.filter(|_| standing.is_met())),
            next: next_step(case, None, now),
        }
    }
}

/// What the covers are due: of the incident if there is one, else by the evidence so far and the product's buckets.
fn due(case: &Case, standing: &Standing) -> Option<u64> {
    if let Some(incident) = &case.incident {
        return Some(incident.gross);
    }
    let product = &case.product.state;
    let (window, so_far) = (standing.window?, standing.so_far?);
    if product.state() == ProductState::Over {
        return None;
    }
    let affected = product.affected(window.event_at).ok()?;
    losses::gross(affected.sums, product.terms.paid_severity_bps(so_far.severity_bps))
}
