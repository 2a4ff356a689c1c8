//! The evidence of a trigger: a pure state machine over a set of signed prints.
//!
//! Time is cut into slots. For the last 256 of them the machine keeps whether a Breach and whether a Recovered was
//! shown, and the highest Breach price. A slot is *good* if a Breach and no Recovered was shown in it. The trigger is
//! *met* at the earliest good slot m such that, f being the `need`-th good slot counted back from m, the slots f..m
//! contain at most `tolerance` slots that are not good, and none that is recovered. (DESIGN.md, section 6.)
//!
//! What counts is which prints were shown, not by whom or in which order, because the two sides are asymmetric:
//!
//! - a Breach is taken until half a challenge after the end of its slot (then the slot is *closed*), a Recovered until
//!   the trigger is confirmed, so every window stands open to contradiction for at least half a challenge;
//! - the wait ends one challenge after the end of slot m, whenever its prints were shown, so nobody can stretch it;
//! - a Breach can only help and a Recovered only hurt, so whoever keeps a print back gains nothing if somebody else
//!   may show it.
//!
//! # Why the ring forgets nothing that matters
//!
//! Every call first brings the phase up to now, and only then turns the ring. A window that holds is due one challenge
//! after its end, and [`Terms::validate`] keeps `need + tolerance + challenge / slot_seconds` at least 32 slots below
//! the ring: while Met, f is therefore always inside. A window that does not hold yet can only come to hold through a
//! Breach in a slot that is not closed, so it too begins inside.
//!
//! # Cost
//!
//! Time alone changes the phase in two ways: a Met trigger falls due, a Breaching one loses the closed slot too many.
//! Both moments follow from cached slots (`window_last`, `newest_good`), so a call that brings no news compares two
//! numbers. Windows are searched only when a slot becomes good or one of the window's is recovered, and then only
//! among those that the slot can have changed.
//!
//! # Totality
//!
//! No function here can panic, whatever the numbers: terms that were not validated give nonsense or a refusal.

use crate::oracle::Observation;
use anchor_lang::prelude::*;

/// Slots that the evidence reaches back.
pub const RING_SLOTS: u64 = 256;
/// The same as a length.
pub const RING: usize = 256;
/// Words of a bitmap with one bit for each slot of the ring.
pub const RING_WORDS: usize = 4;
/// Slots of the ring that terms must leave free beyond what a window and its challenge need: room for a late crank.
pub const SPARE_SLOTS: u64 = 32;
/// Shortest slot, in seconds.
pub const MIN_SLOT_SECONDS: u32 = 60;
/// Longest slot, in seconds.
pub const MAX_SLOT_SECONDS: u32 = 3_600;
/// Shortest duration of a breach that triggers, in seconds.
pub const MIN_DURATION_SECONDS: u64 = 3_600;
/// Shortest challenge, in seconds.
pub const MIN_CHALLENGE_SECONDS: u32 = 3_600;
/// Longest challenge, in seconds: old prints can be proven for about a day after the oracle changes its signers.
pub const MAX_CHALLENGE_SECONDS: u32 = 86_400;
/// Fewest good slots that trigger.
pub const MIN_NEED: u16 = 6;
/// Largest confidence multiplier, in hundredths.
pub const MAX_CONFIDENCE_MULTIPLIER: u16 = 1_000;
/// All of a sum insured, in basis points.
pub const FULL_SEVERITY_BPS: u16 = 10_000;

const DAY_SECONDS: u32 = 86_400;
const HUNDREDTHS: u64 = 100;

/// How much of the sum insured a trigger pays.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All of it.
    Binary,
    /// `(threshold - mean) / (threshold - full_loss_price)` of it, between 0 and 1.
    Linear {
        /// Mean price at and below which everything is paid, in 1e-8; above 0 and below the threshold.
        full_loss_price: u64,
    },
}

/// What a trigger is created with, in the units in which people say it.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermsInput {
    /// A Breach is below this price, in 1e-8.
    pub threshold: u64,
    /// A Recovered is at or above this price, in 1e-8; at least the threshold.
    pub recovery: u64,
    /// How much is paid.
    pub severity: Severity,
    /// How long the price must be below the threshold, in seconds; a multiple of the slot.
    pub duration_seconds: u32,
    /// Length of a slot, in seconds; 1 minute to 1 hour, a divisor of a day.
    pub slot_seconds: u32,
    /// How long, within the window, nothing needs to be known, in seconds; a multiple of the slot.
    pub tolerance_seconds: u32,
    /// How long a met trigger waits to be contradicted, in seconds; a multiple of the slot.
    pub challenge_seconds: u32,
    /// How many confidences a price must be away from the threshold, in hundredths: 200 is two.
    pub confidence_multiplier: u16,
}

/// Why terms are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// The threshold is 0, or the recovery is below it or beyond any price.
    BadPrices,
    /// A slot is not 1 minute to 1 hour, or does not divide a day.
    BadSlot,
    /// The duration is below an hour or below six slots, or not whole slots.
    BadDuration,
    /// The tolerance is more than a quarter of the duration, or not whole slots.
    BadTolerance,
    /// The challenge is not 1 to 24 hours, or not whole slots.
    BadChallenge,
    /// Duration, tolerance and challenge together do not fit the ring.
    BeyondRing,
    /// The confidence multiplier is above [`MAX_CONFIDENCE_MULTIPLIER`].
    BadConfidenceMultiplier,
    /// The full-loss price does not fit the severity, or its kind is unknown.
    BadSeverity,
    /// Padding that is not zero.
    BadPadding,
}

/// What a print says about the condition.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Certainly below the threshold.
    Breach,
    /// Certainly at or above the recovery.
    Recovered,
    /// Neither: it has no effect.
    Unclear,
}

/// The condition that a trigger watches. It never changes.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// A Breach is below this price, in 1e-8.
    pub threshold: u64,
    /// A Recovered is at or above this price, in 1e-8.
    pub recovery: u64,
    /// Linear: the mean price at which everything is paid, in 1e-8. Binary: 0.
    pub full_loss_price: u64,
    /// Length of a slot, in seconds.
    pub slot_seconds: u32,
    /// How long a met trigger waits to be contradicted, in seconds.
    pub challenge: u32,
    /// Good slots that trigger: duration / slot.
    pub need: u16,
    /// Slots within a window that may be without evidence.
    pub tolerance: u16,
    /// How many confidences a price must be away from the threshold, in hundredths.
    pub confidence_multiplier: u16,
    /// Kind of severity: [`Terms::BINARY`] or [`Terms::LINEAR`].
    pub severity: u8,
    /// Zero.
    pub padding: [u8; 1],
}

impl Terms {
    /// Severity that pays the sum in full.
    pub const BINARY: u8 = 0;
    /// Severity that pays by the mean price.
    pub const LINEAR: u8 = 1;

    /// Terms from prices and seconds, validated.
    ///
    /// Errors: those of [`Terms::validate`]; seconds that are not whole slots are refused, not rounded.
    pub fn new(input: &TermsInput) -> core::result::Result<Self, TermsError> {
        let slots = |seconds: u32, error: TermsError| {
            if seconds.checked_rem(input.slot_seconds) != Some(0) {
                return Err(error);
            }
            let slots = seconds.checked_div(input.slot_seconds).ok_or(error)?;
            u16::try_from(slots).map_err(|_| error)
        };
        if input.slot_seconds == 0 {
            return Err(TermsError::BadSlot);
        }
        let (severity, full_loss_price) = match input.severity {
            Severity::Binary => (Self::BINARY, 0),
            Severity::Linear { full_loss_price } => (Self::LINEAR, full_loss_price),
        };
        let terms = Self {
            threshold: input.threshold,
            recovery: input.recovery,
            full_loss_price,
            slot_seconds: input.slot_seconds,
            challenge: input.challenge_seconds,
            need: slots(input.duration_seconds, TermsError::BadDuration)?,
            tolerance: slots(input.tolerance_seconds, TermsError::BadTolerance)?,
            confidence_multiplier: input.confidence_multiplier,
            severity,
            padding: [0],
        };
        terms.validate()?;
        Ok(terms)
    }

    /// The hard bounds of DESIGN.md, section 6, that concern the evidence.
    ///
    /// Beyond them a recovery must be a price that can be shown (it fits an `i64`): evidence that nothing could
    /// contradict would be none.
    pub fn validate(&self) -> core::result::Result<(), TermsError> {
        if self.threshold == 0 || self.recovery < self.threshold || i64::try_from(self.recovery).is_err() {
            return Err(TermsError::BadPrices);
        }
        if !(MIN_SLOT_SECONDS..=MAX_SLOT_SECONDS).contains(&self.slot_seconds)
            || DAY_SECONDS.checked_rem(self.slot_seconds) != Some(0)
        {
            return Err(TermsError::BadSlot);
        }
        if self.need < MIN_NEED || self.duration_seconds() < MIN_DURATION_SECONDS {
            return Err(TermsError::BadDuration);
        }
        if u32::from(self.tolerance).saturating_mul(4) > u32::from(self.need) {
            return Err(TermsError::BadTolerance);
        }
        if !(MIN_CHALLENGE_SECONDS..=MAX_CHALLENGE_SECONDS).contains(&self.challenge)
            || self.challenge.checked_rem(self.slot_seconds) != Some(0)
        {
            return Err(TermsError::BadChallenge);
        }
        let challenge_slots = self.challenge.checked_div(self.slot_seconds).unwrap_or(0);
        let reach = self.span().saturating_add(u64::from(challenge_slots));
        if reach.saturating_add(SPARE_SLOTS) > RING_SLOTS {
            return Err(TermsError::BeyondRing);
        }
        if self.confidence_multiplier > MAX_CONFIDENCE_MULTIPLIER {
            return Err(TermsError::BadConfidenceMultiplier);
        }
        let severity_fits = match self.severity {
            Self::BINARY => self.full_loss_price == 0,
            Self::LINEAR => (1..self.threshold).contains(&self.full_loss_price),
            _ => false,
        };
        if !severity_fits {
            return Err(TermsError::BadSeverity);
        }
        if self.padding != [0] {
            return Err(TermsError::BadPadding);
        }
        Ok(())
    }

    /// How long the price must be below the threshold, in seconds.
    pub fn duration_seconds(&self) -> u64 {
        u64::from(self.need).saturating_mul(u64::from(self.slot_seconds))
    }

    /// How much of a window may be without evidence, in seconds.
    pub fn tolerance_seconds(&self) -> u64 {
        u64::from(self.tolerance).saturating_mul(u64::from(self.slot_seconds))
    }

    /// Duration, tolerance and challenge: the longest that a trigger takes from its event to the moment at which it
    /// can be confirmed, in seconds. A pool's cooldown is longer.
    pub fn longest_wait_seconds(&self) -> u64 {
        self.duration_seconds().saturating_add(self.tolerance_seconds()).saturating_add(u64::from(self.challenge))
    }

    /// Whole UTC days that the ring spans, rounded up: what ended so many days ago can no longer be the subject of
    /// an event.
    pub fn ring_days(&self) -> u32 {
        let seconds = RING_SLOTS.saturating_mul(u64::from(self.slot_seconds));
        u32::try_from(seconds.div_ceil(u64::from(DAY_SECONDS))).unwrap_or(u32::MAX)
    }

    /// Number of the slot that contains a time. Slot 0, the first of 1970, and everything before it is `None`, so that
    /// 0 can stand for "no slot".
    pub fn slot_of(&self, unix_seconds: i64) -> Option<u64> {
        u64::try_from(unix_seconds).ok()?.checked_div(u64::from(self.slot_seconds)).filter(|slot| *slot > 0)
    }

    /// First second of a slot.
    pub fn slot_start(&self, slot: u64) -> i64 {
        signed(slot.saturating_mul(u64::from(self.slot_seconds)))
    }

    /// First second after a slot.
    pub fn slot_end(&self, slot: u64) -> i64 {
        self.slot_start(slot.saturating_add(1))
    }

    /// Last second at which a Breach in this slot is taken: half a challenge after the slot's end, rounded down, so
    /// that at least the other half is left to contradict it.
    pub fn open_until(&self, slot: u64) -> i64 {
        self.slot_end(slot).saturating_add(i64::from(self.challenge >> 1))
    }

    /// Last second at which a Recovered contradicts a window that ends in this slot. It can be confirmed after it.
    pub fn contradicted_until(&self, last_slot: u64) -> i64 {
        self.slot_end(last_slot).saturating_add(i64::from(self.challenge))
    }

    /// Oldest slot in which a print is taken at a time.
    pub fn first_slot_in_ring(&self, now: i64) -> u64 {
        self.slot_of(now).unwrap_or(0).saturating_add(1).saturating_sub(RING_SLOTS)
    }

    /// What a print says, exactly: 128-bit products, no rounding here (that of the price is the oracle's).
    ///
    /// Breach if `price + k * confidence < threshold`; Recovered if `price - k * confidence >= recovery`.
    pub fn classify(&self, print: &Observation) -> Class {
        let hundredths = |value: u64| u128::from(value).saturating_mul(u128::from(HUNDREDTHS));
        let price = hundredths(print.price);
        let margin = u128::from(print.confidence).saturating_mul(u128::from(self.confidence_multiplier));
        if price.saturating_add(margin) < hundredths(self.threshold) {
            Class::Breach
        } else if price >= hundredths(self.recovery).saturating_add(margin) {
            Class::Recovered
        } else {
            Class::Unclear
        }
    }

    /// What the mean of `count` prices pays, given their sum in 1e-8: in basis points of the sum insured, rounded down,
    /// against the claim. It takes the sum, so that the rounding of a mean does not enter.
    pub fn severity_bps(&self, sum: u128, count: u64) -> u16 {
        if self.severity != Self::LINEAR {
            return FULL_SEVERITY_BPS;
        }
        let times = |price: u64| u128::from(price).saturating_mul(u128::from(count));
        let lost = times(self.threshold).saturating_sub(sum);
        let full = times(self.threshold.saturating_sub(self.full_loss_price));
        lost.saturating_mul(u128::from(FULL_SEVERITY_BPS))
            .checked_div(full)
            .map_or(0, |bps| u16::try_from(bps).map_or(FULL_SEVERITY_BPS, |bps| bps.min(FULL_SEVERITY_BPS)))
    }

    /// Slots of the longest window: `need + tolerance`.
    fn span(&self) -> u64 {
        u64::from(self.need).saturating_add(u64::from(self.tolerance))
    }
}

/// Where a trigger stands.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// None of the others.
    Quiet,
    /// There is a good slot f such that f..now holds no recovered slot and at most `tolerance` closed slots that are
    /// not good.
    Breaching,
    /// The condition holds for the prints shown, and may be contradicted.
    Met,
    /// The condition held and was not contradicted in time. Final.
    Triggered,
}

impl Phase {
    /// The phase that a byte stands for. A byte that stands for none is read as `Triggered`, which nothing changes.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Quiet,
            1 => Self::Breaching,
            2 => Self::Met,
            _ => Self::Triggered,
        }
    }

    /// The byte that stands for this phase.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Quiet => 0,
            Self::Breaching => 1,
            Self::Met => 2,
            Self::Triggered => 3,
        }
    }
}

/// Why a print, or a confirmation, is refused. A refusal changes no byte of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceError {
    /// The print's slot has not begun.
    SlotNotBegun,
    /// The print's slot is no longer in the ring.
    TooOld,
    /// The print is a Breach and its slot is closed.
    SlotClosed,
    /// There is no met window whose challenge is over.
    NotDue,
}

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Phase as it was stored before the call.
    pub before: Phase,
    /// Phase after the call.
    pub after: Phase,
    /// What the observed print says; `None` where no print was shown.
    pub class: Option<Class>,
    /// Whether anything was written at all, the last print included.
    pub changed: bool,
}

impl Outcome {
    /// Whether the phase is another than before.
    pub fn phase_changed(&self) -> bool {
        self.before != self.after
    }
}

/// A window of evidence that meets the condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Slot f.
    pub first_slot: u64,
    /// Slot m.
    pub last_slot: u64,
    /// Start of slot f, in unix seconds.
    pub event_at: i64,
    /// End of slot m, in unix seconds.
    pub met_at: i64,
    /// Last second at which it can be contradicted; it can be confirmed after it.
    pub contradicted_until: i64,
}

/// What was shown to a trigger, and what follows from it. All zeros is a new one.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Highest Breach price shown in each slot of the ring, in 1e-8, at `slot % 256`; 0 where none was shown.
    pub prices: [u64; RING],
    /// Slots in which a Breach was shown.
    pub breached: [u64; RING_WORDS],
    /// Slots in which a Recovered was shown.
    pub recovered: [u64; RING_WORDS],
    /// Newest slot of the ring: the newest in which a Breach or a Recovered was shown. 0: none.
    pub head: u64,
    /// Newest slot in which a Recovered was shown. 0: none.
    pub newest_recovered: u64,
    /// Newest good slot, if it is newer than `newest_recovered`; else 0.
    pub newest_good: u64,
    /// Slot f of the window while Met or Triggered; else 0.
    pub window_first: u64,
    /// Slot m of the window while Met or Triggered; else 0.
    pub window_last: u64,
    /// Once Triggered: start of slot f, in unix seconds.
    pub event_at: i64,
    /// Once Triggered: end of slot m, in unix seconds.
    pub met_at: i64,
    /// Once Triggered: when it was confirmed, in unix seconds. Nothing depends on it.
    pub triggered_at: i64,
    /// Price of the newest print shown, in 1e-8; of several in one second the lowest.
    pub last_price: u64,
    /// Confidence of the newest print shown, in 1e-8.
    pub last_confidence: u64,
    /// Publish time of the newest print shown, in unix seconds. 0: none.
    pub last_publish_time: i64,
    /// Once Triggered: mean over the window's good slots of the highest Breach price shown, in 1e-8, rounded
    /// down. For people to read: the severity is computed from the sum.
    pub mean_price: u64,
    /// Once Triggered: what is paid, in basis points of the sum insured.
    pub severity_bps: u16,
    /// A [`Phase`], as of the last call that changed something.
    pub phase: u8,
    /// Zero.
    pub padding: [u8; 5],
}

const _: () = assert!(size_of::<Terms>() == 40 && align_of::<Terms>() == 8);
const _: () = assert!(size_of::<Evidence>() == 2_216 && align_of::<Evidence>() == 8);

impl Default for Evidence {
    fn default() -> Self {
        bytemuck::Zeroable::zeroed()
    }
}

impl Evidence {
    /// Shows a print. Open to anyone, in every phase; a print that was shown before changes nothing.
    ///
    /// The print is judged first: a refused one changes no byte, not even the phase. Then the phase is brought up to
    /// now, so that a confirmation that is due cannot be undone by it. Once Triggered, prints are still judged, and
    /// those that are taken have no effect.
    ///
    /// Errors: `SlotNotBegun`, `TooOld`, `SlotClosed`.
    pub fn observe(
        &mut self,
        terms: &Terms,
        print: &Observation,
        now: i64,
    ) -> core::result::Result<Outcome, EvidenceError> {
        let class = terms.classify(print);
        let slot = self.admit(terms, print, class, now)?;
        let before = self.phase();
        let mut changed = self.advance(terms, now);
        if self.phase() != Phase::Triggered {
            changed |= self.note_last(print);
            let news = match class {
                Class::Breach => self.note_breach(terms, slot, print.price),
                Class::Recovered => self.note_recovered(terms, slot),
                Class::Unclear => false,
            };
            if news {
                changed = true;
                self.advance(terms, now);
            }
        }
        Ok(Outcome { before, after: self.phase(), class: Some(class), changed })
    }

    /// Brings the phase up to now.
    pub fn refresh(&mut self, terms: &Terms, now: i64) -> Outcome {
        let before = self.phase();
        let changed = self.advance(terms, now);
        Outcome { before, after: self.phase(), class: None, changed }
    }

    /// Brings the phase up to now, where that makes it Triggered. Confirming again changes nothing and is no error.
    ///
    /// Errors: `NotDue`; nothing is changed then.
    pub fn confirm(&mut self, terms: &Terms, now: i64) -> core::result::Result<Outcome, EvidenceError> {
        if self.phase() != Phase::Triggered && !self.due(terms, now) {
            return Err(EvidenceError::NotDue);
        }
        Ok(self.refresh(terms, now))
    }

    /// Phase as of the last call that changed something.
    pub fn phase(&self) -> Phase {
        Phase::from_byte(self.phase)
    }

    /// Phase that a call at this time would find.
    pub fn phase_at(&self, terms: &Terms, now: i64) -> Phase {
        if self.phase() == Phase::Triggered || self.due(terms, now) {
            Phase::Triggered
        } else if self.window_last != 0 {
            Phase::Met
        } else if self.breaching(terms, now) {
            Phase::Breaching
        } else {
            Phase::Quiet
        }
    }

    /// The window that meets the condition, while Met or Triggered.
    pub fn window(&self, terms: &Terms) -> Option<Window> {
        if self.window_last == 0 {
            return None;
        }
        Some(Window {
            first_slot: self.window_first,
            last_slot: self.window_last,
            event_at: terms.slot_start(self.window_first),
            met_at: terms.slot_end(self.window_last),
            contradicted_until: terms.contradicted_until(self.window_last),
        })
    }

    /// Sum, over the good slots of a window, of the highest Breach price shown, in 1e-8; and how many these are.
    pub fn price_sum(&self, window: &Window) -> (u128, u64) {
        let mut sum = 0_u128;
        let mut good = 0_u64;
        let first = window.first_slot.max(self.tail());
        for slot in first..=window.last_slot.min(self.head) {
            if self.good_bit(slot) {
                sum = sum.saturating_add(u128::from(self.price_bits(slot)));
                good = good.saturating_add(1);
            }
        }
        (sum, good)
    }

    /// Whether a slot of the ring is good.
    pub fn is_good(&self, slot: u64) -> bool {
        self.holds(slot) && self.good_bit(slot)
    }

    /// Whether a Recovered was shown in a slot of the ring.
    pub fn is_recovered(&self, slot: u64) -> bool {
        self.holds(slot) && bit(&self.recovered, slot)
    }

    /// Highest Breach price shown in a slot of the ring, in 1e-8.
    pub fn breach_price(&self, slot: u64) -> Option<u64> {
        (self.holds(slot) && bit(&self.breached, slot)).then(|| self.price_bits(slot))
    }

    /// Most good slots in any admissible window of the ring, at most `need`. A window is admissible if it holds no
    /// recovered slot and at most `tolerance` slots that are not good. Scans the ring: for clients.
    pub fn longest_credited(&self, terms: &Terms) -> u16 {
        let mut run = Run::from(self.tail());
        let mut most = 0;
        for slot in self.tail()..=self.head {
            self.extend(&mut run, terms, slot);
            most = run.good.max(most);
        }
        u16::try_from(most).unwrap_or(u16::MAX).min(terms.need)
    }

    /// Whether the print may be shown now, and the slot that it belongs to.
    fn admit(
        &self,
        terms: &Terms,
        print: &Observation,
        class: Class,
        now: i64,
    ) -> core::result::Result<u64, EvidenceError> {
        let slot = terms.slot_of(print.publish_time).ok_or(EvidenceError::TooOld)?;
        if slot > terms.slot_of(now).unwrap_or(0) {
            return Err(EvidenceError::SlotNotBegun);
        }
        // The head is never newer than now, unless the clock ran backwards.
        if slot < terms.first_slot_in_ring(now) || slot < self.tail() {
            return Err(EvidenceError::TooOld);
        }
        if class == Class::Breach && now > terms.open_until(slot) {
            return Err(EvidenceError::SlotClosed);
        }
        Ok(slot)
    }

    /// Brings the phase up to now; whether that changed anything.
    fn advance(&mut self, terms: &Terms, now: i64) -> bool {
        let before = self.phase();
        let after = self.phase_at(terms, now);
        if before == after {
            return false;
        }
        if after == Phase::Triggered
            && let Some(window) = self.window(terms)
        {
            self.event_at = window.event_at;
            self.met_at = window.met_at;
            self.triggered_at = now;
            let (sum, good) = self.price_sum(&window);
            let mean = sum.checked_div(u128::from(good)).unwrap_or(0);
            self.mean_price = u64::try_from(mean).unwrap_or(u64::MAX);
            self.severity_bps = terms.severity_bps(sum, good);
        }
        self.phase = after.byte();
        true
    }

    /// Whether a met window's challenge is over.
    fn due(&self, terms: &Terms, now: i64) -> bool {
        self.window_last != 0 && now > terms.contradicted_until(self.window_last)
    }

    /// Whether the newest good slot still makes the trigger Breaching: no Recovered was shown in a later slot, and at
    /// most `tolerance` of the later slots are closed. (An earlier f would only add slots to f..now.)
    fn breaching(&self, terms: &Terms, now: i64) -> bool {
        let first_too_many = self.newest_good.saturating_add(u64::from(terms.tolerance)).saturating_add(1);
        self.newest_good != 0 && now <= terms.open_until(first_too_many)
    }

    /// Keeps the print if it is the newest. Of several in one second it keeps the lowest, then the least certain, so
    /// that the result does not depend on the order.
    fn note_last(&mut self, print: &Observation) -> bool {
        let key = |time: i64, price: u64, confidence: u64| (time, u64::MAX.wrapping_sub(price), confidence);
        let kept = key(self.last_publish_time, self.last_price, self.last_confidence);
        if self.last_publish_time != 0 && key(print.publish_time, print.price, print.confidence) <= kept {
            return false;
        }
        self.last_price = print.price;
        self.last_confidence = print.confidence;
        self.last_publish_time = print.publish_time;
        true
    }

    /// Notes a Breach in an open slot.
    fn note_breach(&mut self, terms: &Terms, slot: u64, price: u64) -> bool {
        self.turn(slot);
        let first = !bit(&self.breached, slot);
        if !first && price <= self.price_bits(slot) {
            return false;
        }
        if let Some(kept) = self.prices.get_mut(place(slot)) {
            *kept = price;
        }
        set_bit(&mut self.breached, slot);
        if first && !bit(&self.recovered, slot) {
            if slot > self.newest_recovered {
                self.newest_good = self.newest_good.max(slot);
            }
            self.search_around(terms, slot);
        }
        true
    }

    /// Notes a Recovered.
    fn note_recovered(&mut self, terms: &Terms, slot: u64) -> bool {
        self.turn(slot);
        if bit(&self.recovered, slot) {
            return false;
        }
        set_bit(&mut self.recovered, slot);
        self.newest_recovered = self.newest_recovered.max(slot);
        if slot >= self.newest_good {
            self.newest_good = 0;
        }
        if (self.window_first..=self.window_last).contains(&slot) {
            // Windows that end before the old one did not hold, and those that reach back over the slot no longer can.
            (self.window_first, self.window_last) =
                self.search(terms, slot.saturating_add(1), self.head).unwrap_or((0, 0));
        }
        true
    }

    /// Looks for an earlier window after a slot has become good: one that contains it.
    fn search_around(&mut self, terms: &Terms, slot: u64) {
        let met = self.window_last != 0;
        if met && slot > self.window_last {
            return;
        }
        let (first, good) = self.reach_back(terms, slot);
        let found = if good >= u64::from(terms.need) {
            Some((first, slot))
        } else if slot == self.head {
            None
        } else {
            let newest = if met { self.window_last } else { self.head };
            let farthest = slot.saturating_add(terms.span());
            self.search(terms, first, newest.min(farthest))
        };
        if let Some(window) = found {
            (self.window_first, self.window_last) = window;
        }
    }

    /// Going back from a good slot: the first slot of the longest admissible window that ends there, or of the one
    /// with `need` good slots, and how many good ones it has.
    fn reach_back(&self, terms: &Terms, slot: u64) -> (u64, u64) {
        let mut first = slot;
        let mut good = 1_u64;
        let mut missing = 0_u64;
        while good < u64::from(terms.need) && first > self.tail() {
            let previous = first.saturating_sub(1);
            if bit(&self.recovered, previous) {
                break;
            }
            if bit(&self.breached, previous) {
                good = good.saturating_add(1);
            } else if missing < u64::from(terms.tolerance) {
                missing = missing.saturating_add(1);
            } else {
                break;
            }
            first = previous;
        }
        (first, good)
    }

    /// The earliest window that holds within a range of slots: one pass with two ends.
    fn search(&self, terms: &Terms, from: u64, to: u64) -> Option<(u64, u64)> {
        let mut run = Run::from(from);
        for slot in from..=to {
            self.extend(&mut run, terms, slot);
            if run.good > 0 && run.good >= u64::from(terms.need) {
                let first = (run.first..=slot).find(|slot| self.good_bit(*slot));
                return first.map(|first| (first, slot));
            }
        }
        None
    }

    /// Takes the next slot into an admissible run, and drops what keeps it from being one from its front.
    fn extend(&self, run: &mut Run, terms: &Terms, slot: u64) {
        if bit(&self.recovered, slot) {
            *run = Run::from(slot.saturating_add(1));
            return;
        }
        if bit(&self.breached, slot) {
            run.good = run.good.saturating_add(1);
        } else {
            run.missing = run.missing.saturating_add(1);
        }
        while run.missing > u64::from(terms.tolerance) {
            if bit(&self.breached, run.first) {
                run.good = run.good.saturating_sub(1);
            } else {
                run.missing = run.missing.saturating_sub(1);
            }
            run.first = run.first.saturating_add(1);
        }
    }

    /// Turns the ring forward to a slot, forgetting what falls out of it. An older slot turns nothing.
    fn turn(&mut self, slot: u64) {
        let Some(ahead) = slot.checked_sub(self.head) else {
            return;
        };
        if ahead >= RING_SLOTS {
            self.prices = [0; RING];
            self.breached = [0; RING_WORDS];
            self.recovered = [0; RING_WORDS];
        } else {
            for fresh in self.head.saturating_add(1)..=slot {
                if let Some(price) = self.prices.get_mut(place(fresh)) {
                    *price = 0;
                }
                clear_bit(&mut self.breached, fresh);
                clear_bit(&mut self.recovered, fresh);
            }
        }
        self.head = slot;
    }

    /// Oldest slot of the ring.
    fn tail(&self) -> u64 {
        self.head.saturating_add(1).saturating_sub(RING_SLOTS).max(1)
    }

    fn holds(&self, slot: u64) -> bool {
        (self.tail()..=self.head).contains(&slot)
    }

    fn good_bit(&self, slot: u64) -> bool {
        bit(&self.breached, slot) && !bit(&self.recovered, slot)
    }

    fn price_bits(&self, slot: u64) -> u64 {
        self.prices.get(place(slot)).copied().unwrap_or(0)
    }
}

/// Consecutive slots without a recovered one, and with at most `tolerance` that are not good.
struct Run {
    first: u64,
    good: u64,
    missing: u64,
}

impl Run {
    fn from(first: u64) -> Self {
        Self { first, good: 0, missing: 0 }
    }
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Where in the ring a slot is kept.
fn place(slot: u64) -> usize {
    (slot & 255) as usize
}

/// The word of a bitmap that has a slot's bit, and the bit.
fn word_and_mask(slot: u64) -> (usize, u64) {
    (((slot >> 6) & 3) as usize, 1_u64.wrapping_shl((slot & 63) as u32))
}

fn bit(bitmap: &[u64; RING_WORDS], slot: u64) -> bool {
    let (word, mask) = word_and_mask(slot);
    bitmap.get(word).is_some_and(|word| word & mask != 0)
}

fn set_bit(bitmap: &mut [u64; RING_WORDS], slot: u64) {
    let (word, mask) = word_and_mask(slot);
    if let Some(word) = bitmap.get_mut(word) {
        *word |= mask;
    }
}

fn clear_bit(bitmap: &mut [u64; RING_WORDS], slot: u64) {
    let (word, mask) = word_and_mask(slot);
    if let Some(word) = bitmap.get_mut(word) {
        *word &= !mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: u32 = 600;

    fn terms() -> Terms {
        Terms::new(&TermsInput {
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Binary,
            duration_seconds: 10 * SLOT,
            slot_seconds: SLOT,
            tolerance_seconds: 2 * SLOT,
            challenge_seconds: 12 * SLOT,
            confidence_multiplier: 200,
        })
        .unwrap()
    }

    /// What the caches of a trigger that is not Triggered must say, from one scan of the whole ring.
    fn check_caches(evidence: &Evidence, terms: &Terms) {
        let (tail, head) = (evidence.tail(), evidence.head);
        let window = evidence.search(terms, tail, head).unwrap_or((0, 0));
        assert_eq!((evidence.window_first, evidence.window_last), window);
        let last_where = |test: &dyn Fn(u64) -> bool| (tail..=head).rev().find(|slot| test(*slot));
        let recovered = last_where(&|slot| evidence.is_recovered(slot)).unwrap_or(0);
        let good = last_where(&|slot| evidence.is_good(slot) && slot > recovered).unwrap_or(0);
        if evidence.newest_recovered >= tail {
            assert_eq!(evidence.newest_recovered, recovered);
        }
        if evidence.newest_good >= tail || good != 0 {
            assert_eq!(evidence.newest_good, good);
        }
        for slot in tail..=head {
            assert_eq!(evidence.breach_price(slot).is_some(), bit(&evidence.breached, slot));
            assert_eq!(evidence.price_bits(slot) != 0, bit(&evidence.breached, slot));
        }
    }

    #[test]
    fn the_caches_equal_a_scan_of_the_whole_ring_after_every_print() {
        let terms = terms();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut met = 0;
        for _ in 0..300 {
            let mut evidence = Evidence::default();
            let mut now = 1_700_006_400 + random(1_000_000) as i64;
            for _ in 0..150 {
                now += random(500) as i64;
                if random(100) == 0 {
                    now += random(400) as i64 * i64::from(SLOT);
                }
                let ago = if random(3) == 0 { random(12_000) } else { random(300) };
                let price = if random(60) == 0 { 97_000_000 } else { 90_000_000 };
                let print =
                    Observation { price: price + random(1_000_000), confidence: 0, publish_time: now - ago as i64 };
                let _ = evidence.observe(&terms, &print, now);
                if evidence.phase() == Phase::Triggered {
                    break;
                }
                check_caches(&evidence, &terms);
                met += u32::from(evidence.phase() == Phase::Met);
            }
        }
        assert!(met > 500, "met only {met} times");
    }

    #[test]
    fn zeros_are_a_new_trigger() {
        let evidence = Evidence::default();
        assert_eq!(evidence.phase(), Phase::Quiet);
        assert_eq!(evidence.window(&terms()), None);
        assert_eq!(evidence.longest_credited(&terms()), 0);
        assert!(bytemuck::bytes_of(&evidence).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn longest_credited_counts_the_best_window_and_stops_at_need() {
        let terms = terms();
        let first = terms.slot_of(1_700_006_400).unwrap();
        let mut evidence = Evidence::default();
        let mut show = |slot: u64, price: u64| {
            let print = Observation { price, confidence: 0, publish_time: terms.slot_start(first + slot) };
            evidence.observe(&terms, &print, print.publish_time).unwrap();
            evidence.longest_credited(&terms)
        };
        assert_eq!(show(0, 90_000_000), 1);
        assert_eq!(show(3, 90_000_000), 2);
        assert_eq!(show(4, 90_000_000), 3);
        assert_eq!(show(7, 90_000_000), 3, "four slots without evidence are too many");
        assert_eq!(show(8, 97_000_000), 3);
        for slot in 9..18 {
            assert_eq!(u64::from(show(slot, 90_000_000)), (slot - 8).max(3));
        }
        assert_eq!(show(18, 90_000_000), 10);
        assert_eq!(show(19, 90_000_000), 10);
    }
}
