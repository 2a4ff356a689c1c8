//! Where a trigger stands at a moment and what could come of it, asked of the program's own state machine, on copies; and
//! what it listens to, in words.

use crate::price_account::standing_account;
use crate::text::exact_price;
use anchor_lang::prelude::Pubkey;
use backstop::border::text::hex_text;
use backstop::peril::evidence::{Class, Direction, Evidence, Phase, RING_SLOTS, Terms, Window};
use backstop::peril::feed::{Observation, Source};
use backstop::state::Trigger;
use rust_decimal::Decimal;
use serde::Serialize;

/// Where a trigger stands.
pub const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Quiet => "quiet",
        Phase::Breaching => "breaching",
        Phase::Met => "met",
        Phase::Triggered => "triggered",
        Phase::Final => "final",
    }
}

/// The name of what a print says. What is above the threshold where prices below it are insured against is below it where
/// those above are.
pub const fn class(direction: Direction, class: Class) -> &'static str {
    match (class, direction) {
        (Class::Breach, _) => "breach",
        (Class::Above, Direction::Below) => "above",
        (Class::Above, Direction::Above) => "below",
        (Class::Recovered, _) => "recovered",
        (Class::Unclear, _) => "unclear",
    }
}

/// The name of a direction.
pub const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Below => "below",
        Direction::Above => "above",
    }
}

/// Where a trigger's prices come from.
pub fn source(source: Source) -> &'static str {
    match source {
        Source::PythReceiver => "pyth-receiver",
        Source::PythPush => "pyth-push",
        Source::Attested => "attested",
        Source::StakePoolRate => "stake-pool",
        Source::SplLendingRate => "spl-lending",
        Source::VaultDrop => "vault-drop",
    }
}

/// A feed as its oracle names it: a Pyth feed id, the address of the account that is read, or the sha-256 of a definition.
pub fn feed(trigger: &Trigger) -> String {
    match trigger.source() {
        Source::PythReceiver | Source::Attested | Source::VaultDrop => hex_text(&trigger.feed),
        Source::PythPush | Source::StakePoolRate | Source::SplLendingRate => {
            Pubkey::new_from_array(trigger.feed).to_string()
        }
    }
}

/// The account that shows the feed's newest price: of the receiver its standing account, else the feed itself.
/// Reports and vaults have none.
pub fn price_account(trigger: &Trigger) -> Option<Pubkey> {
    match trigger.source() {
        Source::PythReceiver => Some(standing_account(&trigger.feed)),
        Source::PythPush | Source::StakePoolRate | Source::SplLendingRate => Some(Pubkey::new_from_array(trigger.feed)),
        // Reports have none, and vaults are several.
        Source::Attested | Source::VaultDrop => None,
    }
}

/// Which prices count for and against the condition.
pub fn counting(terms: &Terms) -> String {
    let times = Decimal::new(terms.confidence_multiplier.into(), 2).normalize();
    let (doubt, beyond, undoubted, safer) = match terms.direction() {
        Direction::Below => ("+", "below", "-", "more"),
        Direction::Above => ("-", "above", "+", "less"),
    };
    format!(
        "price {doubt} {times} x confidence {beyond} {threshold} counts; of prices {undoubted} {times} x confidence, two at \
         {threshold} or {safer} take a slot's count away and two at {} or {safer} contradict it",
        exact_price(terms.recovery),
        threshold = exact_price(terms.threshold),
    )
}

/// Where a trigger stands.
pub struct Standing {
    /// The evidence, brought up to the moment.
    pub evidence: Evidence,
    /// The phase at the moment.
    pub phase: Phase,
    /// The window that met the condition, while met and once triggered; before, the earliest that could: if every slot from
    /// now on brings a breach, and nothing else.
    pub window: Option<Window>,
    /// Mean and severity of the evidence in that window so far, if there is any; once triggered the lowest mean.
    pub so_far: Option<SoFar>,
    /// When the severity is final at the latest, once triggered.
    pub final_at: Option<i64>,
    /// Last second at which a breaching trigger is still breaching if nothing more is shown.
    pub breaching_until: Option<i64>,
    /// With two keys, while it is armed: when it is so no longer.
    pub armed_until: Option<i64>,
    /// The slot that contains the moment.
    pub current: Option<OpenSlot>,
    /// The slot without a breach and without a recovery that closes next, if it is not the current one.
    pub closing: Option<OpenSlot>,
}

/// A product with two keys that is armed: what it held has fallen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Armed {
    /// First second at which it is armed no longer. Nothing is sold before.
    pub until: i64,
    /// From when on as many attestors as must agree prove the event.
    pub proven_from: i64,
    /// First second at which another fall may arm it.
    pub rests_until: i64,
    /// What it held at the lowest, as a part of what it held before, in 1e-8.
    pub mean_price_e8: u64,
    /// What the fall pays at most, in basis points of a sum insured; never more than what is reported.
    pub severity_bps: u16,
    /// Once an attestor has reported a loss: until when that holds the pool's capital.
    pub reported_until: Option<i64>,
}

impl Armed {
    /// How a trigger is armed at `now`, if it is.
    pub fn of(trigger: &Trigger, now: i64) -> Option<Self> {
        let mut copy = *trigger;
        copy.refresh(now);
        let keys = copy.keys;
        (keys.is_armed(now) && keys.confirmed_at == 0).then(|| Self {
            until: keys.armed_until(),
            proven_from: keys.confirms_from(),
            rests_until: keys.rests_until(),
            mean_price_e8: keys.mean,
            severity_bps: keys.severity_bps,
            reported_until: keys.is_reported(now).then(|| keys.reported_until()),
        })
    }
}

/// What evidence says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoFar {
    /// Mean of the good slots' highest breach prices, in 1e-8, rounded down; of the lowest, rounded up, where prices above
    /// the threshold are insured against.
    pub mean_price_e8: u64,
    /// How many good slots.
    pub good_slots: u64,
    /// What this mean pays, in basis points of a sum insured.
    pub severity_bps: u16,
}

/// A slot that still takes breaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSlot {
    /// Its number.
    pub slot: u64,
    /// First second.
    pub start: i64,
    /// First second after it.
    pub end: i64,
    /// Last second at which a breach in it is taken.
    pub open_until: i64,
}

impl OpenSlot {
    fn of(terms: &Terms, slot: u64) -> Self {
        let (start, end) = (terms.slot_start(slot), terms.slot_end(slot));
        Self { slot, start, end, open_until: terms.open_until(slot) }
    }
}

/// The phase that a call at this time would find, as far as that needs no attestors.
pub fn phase_at(trigger: &Trigger, now: i64) -> Phase {
    let mut copy = *trigger;
    copy.refresh(now).after
}

impl Standing {
    /// Where a trigger stands at `now`.
    pub fn of(trigger: &Trigger, now: i64) -> Self {
        let terms = &trigger.terms;
        let mut copy = Box::new(*trigger);
        let phase = copy.refresh(now).after;
        let (keys, evidence) = (copy.keys, copy.evidence);
        // With two keys a window proves nothing.
        let could = || (!trigger.has_two_keys()).then(|| earliest_window(terms, &evidence, now)).flatten();
        let window = evidence.window(terms).or_else(could);
        let until = || match trigger.has_two_keys() {
            true => Some(keys.reported_until()),
            false => breaching_until(terms, &evidence, now),
        };
        let current = terms.slot_of(now);
        Self {
            phase,
            window,
            so_far: window.and_then(|window| so_far(terms, &evidence, &window)),
            final_at: evidence.final_at_latest(terms),
            breaching_until: (phase == Phase::Breaching).then(until).flatten(),
            armed_until: keys.is_armed(now).then(|| keys.armed_until()),
            current: current.map(|slot| OpenSlot::of(terms, slot)),
            closing: current.and_then(|slot| closing(terms, &evidence, slot, now)),
            evidence,
        }
    }

    /// Whether the window is of evidence that was shown, and not of what could be shown.
    pub fn is_met(&self) -> bool {
        matches!(self.phase, Phase::Met | Phase::Triggered | Phase::Final)
    }
}

/// The first window that holds if every slot from now on brings a breach.
fn earliest_window(terms: &Terms, evidence: &Evidence, now: i64) -> Option<Window> {
    let mut copy = *evidence;
    let first = terms.slot_of(now)?;
    for slot in first..first.saturating_add(RING_SLOTS) {
        let at = terms.slot_start(slot).max(now);
        let price = match terms.direction() {
            Direction::Below => terms.threshold.saturating_sub(1),
            Direction::Above => terms.threshold.saturating_add(1),
        };
        let breach = Observation { price, confidence: 0, publish_time: at };
        copy.observe(terms, &breach, at).ok()?;
        if let Some(window) = copy.window(terms) {
            return Some(window);
        }
    }
    None
}

fn so_far(terms: &Terms, evidence: &Evidence, window: &Window) -> Option<SoFar> {
    if evidence.phase().is_triggered() {
        let (mean_price_e8, severity_bps) = (evidence.lowest_mean, evidence.severity_bps);
        return Some(SoFar { mean_price_e8, good_slots: terms.need.into(), severity_bps });
    }
    let (mean_price_e8, good_slots) = evidence.mean_so_far(terms, window)?;
    Some(SoFar { mean_price_e8, good_slots, severity_bps: terms.severity_bps(mean_price_e8) })
}

/// The phase ends by the closing of a slot, if nothing more is shown: the first after whose closing it is over.
fn breaching_until(terms: &Terms, evidence: &Evidence, now: i64) -> Option<i64> {
    let closings = (0..RING_SLOTS).map(|ahead| terms.open_until(evidence.newest_good.saturating_add(ahead)));
    closings
        .filter(|until| *until >= now)
        .find(|until| evidence.phase_at(terms, until.saturating_add(1)) != Phase::Breaching)
}

fn closing(terms: &Terms, evidence: &Evidence, current: u64, now: i64) -> Option<OpenSlot> {
    let oldest = terms.first_slot_in_ring(now).max(1);
    let open = (oldest..current).rev().take_while(|slot| now <= terms.open_until(*slot));
    let empty =
        open.filter(|slot| evidence.breach_price(terms, *slot).is_none() && !evidence.is_recovered(terms, *slot));
    empty.last().map(|slot| OpenSlot::of(terms, slot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::peril::evidence::{Severity, TermsInput};

    /// A slot boundary.
    pub const START: i64 = 1_678_500_000;
    const SLOT: i64 = 1_800;

    fn input() -> TermsInput {
        TermsInput {
            direction: Direction::Below,
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
            duration_seconds: 4 * 3_600,
            slot_seconds: 1_800,
            tolerance_seconds: 1_800,
            challenge_seconds: 6 * 3_600,
            run_on_seconds: 3 * 86_400,
            quiet_seconds: 86_400,
            confidence_multiplier: 200,
        }
    }

    /// A quiet trigger: below 0.95 for 4 h of 30 min slots, one gap tolerated, 6 h to contradict.
    pub fn trigger() -> Trigger {
        let mut trigger: Trigger = bytemuck::Zeroable::zeroed();
        trigger.terms = Terms::new(&input()).expect("valid");
        trigger
    }

    /// Shows a price at a moment that it is published.
    pub fn show(trigger: &mut Trigger, price: u64, at: i64) {
        let print = Observation { price, confidence: 0, publish_time: at };
        let terms = trigger.terms;
        trigger.evidence.observe(&terms, &print, at).expect("taken");
    }

    /// A trigger with so many slots of breaches from the start on.
    pub fn breached(slots: i64) -> Trigger {
        let mut trigger = trigger();
        for slot in 0..slots {
            show(&mut trigger, 90_000_000, START + slot * SLOT);
        }
        trigger
    }

    #[test]
    fn a_quiet_trigger_could_be_met_after_its_duration_from_now() {
        let standing = Standing::of(&trigger(), START + 60);
        assert_eq!(standing.phase, Phase::Quiet);
        let window = standing.window.expect("it could be met");
        assert_eq!((window.event_at, window.met_at), (START, START + 8 * SLOT));
        assert_eq!((standing.so_far, standing.breaching_until, standing.is_met()), (None, None, false));
    }

    #[test]
    fn slots_shown_already_bring_the_earliest_moment_nearer() {
        let standing = Standing::of(&breached(3), START + 3 * SLOT);
        assert_eq!(standing.phase, Phase::Breaching);
        let window = standing.window.expect("it could be met");
        assert_eq!((window.event_at, window.met_at), (START, START + 8 * SLOT));
        let so_far = SoFar { mean_price_e8: 90_000_000, good_slots: 3, severity_bps: 3_333 };
        assert_eq!(standing.so_far, Some(so_far));
    }

    #[test]
    fn what_is_said_about_breaching_is_what_the_program_does() {
        let trigger = breached(3);
        let until = Standing::of(&trigger, START + 3 * SLOT).breaching_until.expect("it ends by itself");
        let phase = |at| trigger.evidence.phase_at(&trigger.terms, at);
        assert_eq!((phase(until), phase(until + 1)), (Phase::Breaching, Phase::Quiet));
    }

    #[test]
    fn a_recovery_moves_the_earliest_window_behind_it() {
        let mut trigger = breached(3);
        show(&mut trigger, 99_000_000, START + 3 * SLOT);
        show(&mut trigger, 99_000_000, START + 3 * SLOT + 180);
        let standing = Standing::of(&trigger, START + 3 * SLOT + 181);
        assert_eq!(standing.phase, Phase::Quiet);
        assert_eq!(standing.window.map(|window| window.event_at), Some(START + 4 * SLOT));
        assert_eq!(standing.so_far, None);
    }

    #[test]
    fn a_met_trigger_stands_in_its_window_until_its_challenge_is_over() {
        let trigger = breached(8);
        let window = Standing::of(&trigger, START + 8 * SLOT).window.expect("it is met");
        let at = |now| Standing::of(&trigger, now).phase;
        assert_eq!(at(window.contradicted_until), Phase::Met);
        assert_eq!(at(window.contradicted_until + 1), Phase::Triggered);
        let standing = Standing::of(&trigger, window.contradicted_until + 1);
        let over = window.contradicted_until + 1 + 3 * 86_400;
        assert_eq!((standing.final_at, at(over - 1), at(over)), (Some(over), Phase::Triggered, Phase::Final));
    }

    #[test]
    fn the_slot_that_closes_next_is_the_oldest_open_one_without_evidence() {
        let mut trigger = breached(2);
        show(&mut trigger, 90_000_000, START + 3 * SLOT);
        let now = START + 4 * SLOT + 5;
        let standing = Standing::of(&trigger, now);
        assert_eq!(standing.current.map(|slot| slot.start), Some(START + 4 * SLOT));
        // Slots before the first breach are open, too: half a challenge is six slots.
        let closing = standing.closing.expect("a slot is open");
        assert!(now <= closing.open_until && closing.open_until - now < SLOT);
        let full = Standing::of(&breached(8), START + 7 * SLOT + 5);
        assert_eq!(full.closing, None);
    }

    #[test]
    fn which_prices_count_is_told_with_the_margin_of_confidence() {
        let terms = Terms::new(&TermsInput { confidence_multiplier: 150, ..input() }).expect("valid");
        let said = "price + 1.5 x confidence below 0.95 counts; of prices - 1.5 x confidence, two at 0.95 or more take a \
                    slot's count away and two at 0.96 or more contradict it";
        assert_eq!(counting(&terms), said);
    }
}
