//! The terms of a trigger: what a breach is, how long it must last, and what bounds that has.

use super::ring::RING_SLOTS;
use crate::payout::{PayoutForm, Severity};
use crate::peril::feed::Observation;
use anchor_lang::prelude::*;

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

const DAY_SECONDS: u32 = 86_400;
const HUNDREDTHS: u64 = 100;

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
    /// A [`PayoutForm`].
    pub severity: u8,
    /// Zero.
    pub padding: [u8; 1],
}

const _: () = assert!(size_of::<Terms>() == 40 && align_of::<Terms>() == 8);

impl Terms {
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
        let terms = Self {
            threshold: input.threshold,
            recovery: input.recovery,
            full_loss_price: input.severity.full_loss_price().unwrap_or(0),
            slot_seconds: input.slot_seconds,
            challenge: input.challenge_seconds,
            need: slots(input.duration_seconds, TermsError::BadDuration)?,
            tolerance: slots(input.tolerance_seconds, TermsError::BadTolerance)?,
            confidence_multiplier: input.confidence_multiplier,
            severity: input.severity.form().byte(),
            padding: [0],
        };
        terms.validate()?;
        Ok(terms)
    }

    /// The hard bounds of `docs/src/how/evidence.md`.
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
        let severity_fits = match PayoutForm::from_byte(self.severity) {
            Some(PayoutForm::Binary) => self.full_loss_price == 0,
            Some(PayoutForm::Linear) => (1..self.threshold).contains(&self.full_loss_price),
            None => false,
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

    /// Least cooldown of a pool that insures the condition, in seconds: a day more than it can take to be proven.
    pub fn least_cooldown_seconds(&self) -> u64 {
        self.longest_wait_seconds().saturating_add(u64::from(DAY_SECONDS))
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

    /// How much is paid.
    pub fn payout(&self) -> Severity {
        match PayoutForm::stored(self.severity) {
            PayoutForm::Binary => Severity::Binary,
            PayoutForm::Linear => Severity::Linear { full_loss_price: self.full_loss_price },
        }
    }

    /// What the mean of `count` prices pays, given their sum in 1e-8: see [`Severity::severity_bps`].
    pub fn severity_bps(&self, sum: u128, count: u64) -> u16 {
        self.payout().severity_bps(self.threshold, sum, count)
    }

    /// Slots of the longest window: `need + tolerance`.
    pub(super) fn span(&self) -> u64 {
        u64::from(self.need).saturating_add(u64::from(self.tolerance))
    }
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
