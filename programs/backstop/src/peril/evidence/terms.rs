//! The terms of a trigger: what a breach is, how long it must last, and what bounds that has.

use super::ring::RING_SLOTS;
use crate::math::rounding::{BPS, Rounding, div, mul_div, wide};
use crate::payout::{FULL_SEVERITY_BPS, MIN_SEVERITY_BPS, PayoutForm, Severity};
use crate::peril::feed::Observation;
use anchor_lang::prelude::*;

/// Slots of the ring that terms must leave free beyond what a window and its challenge need: room for a late crank.
pub const SPARE_SLOTS: u64 = 32;
/// Shortest slot, in seconds.
pub const MIN_SLOT_SECONDS: u32 = 60;
/// Longest slot, in seconds.
pub const MAX_SLOT_SECONDS: u32 = 3_600;
/// Shortest duration of a breach, in seconds: that of what only arms. What triggers must last longer, by its feed: see
/// [`crate::peril::live::require_terms`].
pub const MIN_DURATION_SECONDS: u64 = 600;
/// Shortest challenge, in seconds: half of it must be enough to look up a print and show it.
pub const MIN_CHALLENGE_SECONDS: u32 = 7_200;
/// Longest challenge, in seconds: old prints can be proven for about a day after the oracle changes its signers.
pub const MAX_CHALLENGE_SECONDS: u32 = 86_400;
/// Fewest good slots that trigger.
pub const MIN_NEED: u16 = 6;
/// Smallest confidence multiplier, in hundredths: what the oracle itself doubts is no evidence.
pub const MIN_CONFIDENCE_MULTIPLIER: u16 = 100;
/// Largest confidence multiplier, in hundredths.
pub const MAX_CONFIDENCE_MULTIPLIER: u16 = 1_000;
/// `Below`: highest recovery, in parts of a hundred of the threshold: one that is out of reach contradicts nothing.
pub const MAX_RECOVERY_PERCENT: u64 = 110;
/// `Above`: lowest recovery, in parts of a hundred of the threshold.
pub const MIN_RECOVERY_PERCENT: u64 = 90;
/// Highest price of any term, in 1e-8: sums of a window's prices fit 64 bits.
pub const MAX_PRICE: u64 = i64::MAX as u64 / 256;
/// A window may always be without evidence for this part of its slots, and for one at least.
pub const LEAST_TOLERANCE_DIVISOR: u16 = 12;
/// Longest run-on, in seconds.
pub const MAX_RUN_ON_SECONDS: u32 = 14 * DAY_SECONDS;
/// Least distance of two prints of a kind that count together, in seconds; and at least a tenth of a slot.
pub const LEAST_APART_SECONDS: u32 = 30;

const DAY_SECONDS: u32 = 86_400;
const HUNDREDTHS: u64 = 100;

stored_enum! {
    /// Which side of the threshold is insured against.
    pub enum Direction {
        /// A price below it: a coin that loses its peg.
        Below = 0,
        /// A price above it: a rate, an index, a borrowed asset.
        Above = 1,
    }
}

/// What a trigger is created with, in the units in which people say it.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermsInput {
    /// Which side of the threshold is insured against.
    pub direction: Direction,
    /// A Breach is below this price, or above it, in 1e-8.
    pub threshold: u64,
    /// A Recovered is at this price or farther from a Breach, in 1e-8; on the other side of the threshold, by a tenth of
    /// it at most.
    pub recovery: u64,
    /// How much is paid.
    pub severity: Severity,
    /// How long the price must be beyond the threshold, in seconds; a multiple of the slot.
    pub duration_seconds: u32,
    /// Length of a slot, in seconds; 1 minute to 1 hour, a divisor of a day.
    pub slot_seconds: u32,
    /// How much of the window need not be beyond the threshold, in seconds; a multiple of the slot.
    pub tolerance_seconds: u32,
    /// How long a met trigger waits to be contradicted, in seconds; a multiple of the slot.
    pub challenge_seconds: u32,
    /// How long after the window a fall may go on and deepen the severity, in seconds; a multiple of the slot; 0 for
    /// Binary.
    pub run_on_seconds: u32,
    /// For how long no print may have been near the threshold when a cover is sold, in seconds; a multiple of the slot.
    pub quiet_seconds: u32,
    /// How many confidences a price must be away from the threshold, in hundredths: 200 is two.
    pub confidence_multiplier: u16,
}

/// Why terms are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// The threshold is 0, or the recovery is not on its other side, or farther from it than a tenth of it, or a price is
    /// beyond [`MAX_PRICE`].
    BadPrices,
    /// A slot is not 1 minute to 1 hour, or does not divide a day.
    BadSlot,
    /// The duration is below an hour or below six slots, or not whole slots.
    BadDuration,
    /// The tolerance is less than a twelfth of the duration or than a slot, more than a quarter, or not whole slots.
    BadTolerance,
    /// The challenge is not 2 to 24 hours, or not whole slots.
    BadChallenge,
    /// Duration, tolerance and challenge together do not fit the ring.
    BeyondRing,
    /// The run-on is longer than 14 days, not whole slots, or not 0 for Binary.
    BadRunOn,
    /// The quiet time is shorter than the duration, does not fit the ring, or is not whole slots.
    BadQuiet,
    /// The confidence multiplier is not between [`MIN_CONFIDENCE_MULTIPLIER`] and [`MAX_CONFIDENCE_MULTIPLIER`].
    BadConfidenceMultiplier,
    /// Full-loss price or least severity do not fit form and direction, or the form is unknown.
    BadSeverity,
    /// The direction is unknown.
    BadDirection,
    /// Padding that is not zero.
    BadPadding,
}

/// What a print says about the condition. The names are those of `Below`; for `Above` each is its mirror image.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Certainly below the threshold; for `Above` certainly above it.
    Breach,
    /// Certainly at or above the threshold, and not certainly at or above the recovery; for `Above` certainly at or below.
    Above,
    /// Certainly at or above the recovery; for `Above` certainly at or below. It counts as an Above too.
    Recovered,
    /// Neither: no slot says anything by it. It still counts where a cover is sold.
    Unclear,
}

/// The condition that a trigger watches. It never changes.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// A Breach is beyond this price, in 1e-8: below it or above it, by the direction.
    pub threshold: u64,
    /// A Recovered is at this price or farther from a Breach, in 1e-8.
    pub recovery: u64,
    /// Linear: the mean price at which everything is paid, in 1e-8, beyond the threshold. Binary: 0.
    pub full_loss_price: u64,
    /// Length of a slot, in seconds.
    pub slot_seconds: u32,
    /// How long a met trigger waits to be contradicted, in seconds.
    pub challenge: u32,
    /// How long after the window a fall may deepen the severity, in seconds.
    pub run_on: u32,
    /// For how long no print may have been near the threshold when a cover is sold, in seconds.
    pub quiet: u32,
    /// Good slots that trigger: duration / slot.
    pub need: u16,
    /// Slots within a window that need not be good.
    pub tolerance: u16,
    /// How many confidences a price must be away from the threshold, in hundredths.
    pub confidence_multiplier: u16,
    /// Linear: least that a proven loss pays, in basis points of the sum insured. Binary: 0.
    pub min_severity_bps: u16,
    /// A [`PayoutForm`].
    pub severity: u8,
    /// A [`Direction`].
    pub direction: u8,
    /// Zero.
    pub padding: [u8; 6],
}

const _: () = assert!(size_of::<Terms>() == 56 && align_of::<Terms>() == 8);

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
            run_on: input.run_on_seconds,
            quiet: input.quiet_seconds,
            need: slots(input.duration_seconds, TermsError::BadDuration)?,
            tolerance: slots(input.tolerance_seconds, TermsError::BadTolerance)?,
            confidence_multiplier: input.confidence_multiplier,
            min_severity_bps: input.severity.min_severity_bps().unwrap_or(0),
            severity: input.severity.form().byte(),
            direction: input.direction.byte(),
            padding: [0; 6],
        };
        terms.validate()?;
        Ok(terms)
    }

    /// The hard bounds of `docs/src/how/evidence.md`.
    pub fn validate(&self) -> core::result::Result<(), TermsError> {
        let direction = Direction::from_byte(self.direction).ok_or(TermsError::BadDirection)?;
        let (recovery, threshold) = (self.recovery.saturating_mul(HUNDREDTHS), self.threshold);
        let fits = match direction {
            Direction::Below => {
                self.recovery > threshold
                    && recovery <= threshold.saturating_mul(MAX_RECOVERY_PERCENT)
                    && self.recovery <= MAX_PRICE
            }
            Direction::Above => {
                self.recovery < threshold
                    && recovery >= threshold.saturating_mul(MIN_RECOVERY_PERCENT)
                    && threshold < MAX_PRICE
            }
        };
        if threshold == 0 || !fits {
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
        let least_tolerance = self.need.checked_div(LEAST_TOLERANCE_DIVISOR).unwrap_or(0).max(1);
        if self.tolerance < least_tolerance || u32::from(self.tolerance).saturating_mul(4) > u32::from(self.need) {
            return Err(TermsError::BadTolerance);
        }
        if !(MIN_CHALLENGE_SECONDS..=MAX_CHALLENGE_SECONDS).contains(&self.challenge)
            || !self.is_whole_slots(self.challenge)
        {
            return Err(TermsError::BadChallenge);
        }
        let challenge_slots = self.challenge.checked_div(self.slot_seconds).unwrap_or(0);
        let reach = self.span().saturating_add(u64::from(challenge_slots));
        if reach.saturating_add(SPARE_SLOTS) > RING_SLOTS {
            return Err(TermsError::BeyondRing);
        }
        if self.run_on > MAX_RUN_ON_SECONDS || !self.is_whole_slots(self.run_on) {
            return Err(TermsError::BadRunOn);
        }
        // The slot that is not over yet is part of the ring.
        let quiet_slots = self.quiet.checked_div(self.slot_seconds).unwrap_or(0);
        if u64::from(self.quiet) < self.duration_seconds()
            || u64::from(quiet_slots) >= RING_SLOTS
            || !self.is_whole_slots(self.quiet)
        {
            return Err(TermsError::BadQuiet);
        }
        if !(MIN_CONFIDENCE_MULTIPLIER..=MAX_CONFIDENCE_MULTIPLIER).contains(&self.confidence_multiplier) {
            return Err(TermsError::BadConfidenceMultiplier);
        }
        match PayoutForm::from_byte(self.severity) {
            Some(PayoutForm::Binary) => {
                if self.full_loss_price != 0 || self.min_severity_bps != 0 {
                    return Err(TermsError::BadSeverity);
                }
                // All is paid at once: there is nothing to deepen.
                if self.run_on != 0 {
                    return Err(TermsError::BadRunOn);
                }
            }
            Some(PayoutForm::Linear) => {
                let beyond = match direction {
                    Direction::Below => 1..threshold,
                    Direction::Above => threshold.saturating_add(1)..MAX_PRICE,
                };
                if !beyond.contains(&self.full_loss_price)
                    || !(MIN_SEVERITY_BPS..=FULL_SEVERITY_BPS).contains(&self.min_severity_bps)
                {
                    return Err(TermsError::BadSeverity);
                }
            }
            None => return Err(TermsError::BadSeverity),
        }
        if self.padding != [0; 6] {
            return Err(TermsError::BadPadding);
        }
        Ok(())
    }

    fn is_whole_slots(&self, seconds: u32) -> bool {
        seconds.checked_rem(self.slot_seconds) == Some(0)
    }

    /// How long the price must be beyond the threshold, in seconds.
    pub fn duration_seconds(&self) -> u64 {
        u64::from(self.need).saturating_mul(u64::from(self.slot_seconds))
    }

    /// How much of a window may be without evidence, in seconds.
    pub fn tolerance_seconds(&self) -> u64 {
        u64::from(self.tolerance).saturating_mul(u64::from(self.slot_seconds))
    }

    /// Duration, tolerance and challenge: the longest that a trigger takes from its event to the moment at which it
    /// can be confirmed, in seconds. See [`crate::peril::two_keys::Reach`] for what a second key adds.
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

    /// Last second at which a Breach, an Above or an Unclear of this slot is taken: while less than half a challenge has
    /// passed since the slot's end, so that at least the other half is left to contradict it.
    pub fn open_until(&self, slot: u64) -> i64 {
        let half = self.challenge.saturating_sub(1) >> 1;
        self.slot_end(slot).saturating_add(i64::from(half))
    }

    /// First second at which a slot is settled: nothing in it changes any more. That of a window's last slot is T.
    pub fn settled_at(&self, slot: u64) -> i64 {
        self.slot_end(slot).saturating_add(i64::from(self.challenge))
    }

    /// Last second at which a Recovered of this slot is taken.
    pub fn contradicted_until(&self, slot: u64) -> i64 {
        self.settled_at(slot).saturating_sub(1)
    }

    /// The first slot that is not settled at a time.
    pub fn first_unsettled(&self, now: i64) -> u64 {
        self.slot_of(now.saturating_sub(i64::from(self.challenge))).unwrap_or(0)
    }

    /// The last slot that may deepen the severity of a window that ends in `last_slot`, unless a recovery that lasts comes
    /// before it.
    pub fn last_of_run_on(&self, last_slot: u64) -> u64 {
        last_slot.saturating_add(u64::from(self.run_on.checked_div(self.slot_seconds).unwrap_or(0)))
    }

    /// Oldest slot in which a print is taken at a time.
    pub fn first_slot_in_ring(&self, now: i64) -> u64 {
        self.slot_of(now).unwrap_or(0).saturating_add(1).saturating_sub(RING_SLOTS)
    }

    /// How far apart two prints of a kind must be to count, in seconds: a tenth of a slot, rounded up, and at least
    /// [`LEAST_APART_SECONDS`].
    pub fn apart(&self) -> u16 {
        let apart = self.slot_seconds.div_ceil(10).max(LEAST_APART_SECONDS);
        u16::try_from(apart).unwrap_or(u16::MAX)
    }

    /// How far into its slot a time is, in seconds.
    pub(super) fn second_of_slot(&self, unix_seconds: i64) -> u16 {
        let second = unix_seconds.checked_rem_euclid(i64::from(self.slot_seconds)).unwrap_or(0);
        u16::try_from(second).unwrap_or(0)
    }

    /// Which side of the threshold is insured against.
    pub fn direction(&self) -> Direction {
        Direction::stored(self.direction)
    }

    /// What a print says, exactly: 128-bit products, no rounding here (that of the price is the oracle's).
    ///
    /// `Below`: Breach if `price + k * confidence < threshold`; Recovered if `price - k * confidence >= recovery`; Above if
    /// `price - k * confidence >= threshold`. `Above`: Breach if `price - k * confidence > threshold`; Recovered if
    /// `price + k * confidence <= recovery`; Above if `price + k * confidence <= threshold`.
    pub fn classify(&self, print: &Observation) -> Class {
        let price = hundredths(print.price);
        let margin = self.margin(print);
        let (threshold, recovery) = (hundredths(self.threshold), hundredths(self.recovery));
        let (is_breach, is_recovered, is_above) = match self.direction() {
            Direction::Below => (
                price.saturating_add(margin) < threshold,
                price >= recovery.saturating_add(margin),
                price >= threshold.saturating_add(margin),
            ),
            Direction::Above => (
                price > threshold.saturating_add(margin),
                price.saturating_add(margin) <= recovery,
                price.saturating_add(margin) <= threshold,
            ),
        };
        if is_breach {
            Class::Breach
        } else if is_recovered {
            Class::Recovered
        } else if is_above {
            Class::Above
        } else {
            Class::Unclear
        }
    }

    /// How the ring keeps a price, in 1e-8: as it is for `Below`, and for `Above` as `MAX_PRICE - price`, at least 1. So of
    /// two that are kept the lower one is always the worse, and the machine knows no direction.
    pub fn slot_price(&self, price: u64) -> u64 {
        match self.direction() {
            Direction::Below => price,
            Direction::Above => MAX_PRICE.saturating_sub(price).max(1),
        }
    }

    /// The price, in 1e-8, that the ring keeps so. 0, which stands for none, stays 0.
    pub fn price_of_slot(&self, kept: u64) -> u64 {
        match self.direction() {
            Direction::Above if kept != 0 => MAX_PRICE.saturating_sub(kept),
            Direction::Below | Direction::Above => kept,
        }
    }

    /// The worst that a print's price may be, as the ring keeps it: of `price - k * confidence`, rounded down and at least
    /// 1, and for `Above` of `price + k * confidence`, rounded up.
    pub fn worst_price(&self, print: &Observation) -> u64 {
        let price = hundredths(print.price);
        let margin = self.margin(print);
        let worst = match self.direction() {
            Direction::Below => div(price.saturating_sub(margin), HUNDREDTHS, Rounding::Down),
            Direction::Above => div(price.saturating_add(margin), HUNDREDTHS, Rounding::Up),
        };
        let worst = worst.map_or(0, |worst| u64::try_from(worst).unwrap_or(u64::MAX));
        self.slot_price(worst).max(1)
    }

    /// Which of two prices of one second is kept as the newest: the worse one has the higher rank.
    pub(super) fn rank(&self, price: u64) -> u64 {
        match self.direction() {
            Direction::Below => u64::MAX.saturating_sub(price),
            Direction::Above => price,
        }
    }

    /// The price, in 1e-8, that separates what is sold from what is not: nothing is sold while a print may be worse. `Below`:
    /// `max(recovery, threshold * (1 + buffer))`; `Above`: `min(recovery, threshold * (1 - buffer))`; the buffer is rounded
    /// up. `None` if it does not fit.
    pub fn sale_boundary(&self, buffer_bps: u32) -> Option<u64> {
        let buffer = mul_div(self.threshold, u64::from(buffer_bps), BPS, Rounding::Up)?;
        Some(match self.direction() {
            Direction::Below => self.threshold.checked_add(buffer)?.max(self.recovery),
            Direction::Above => self.threshold.saturating_sub(buffer).min(self.recovery),
        })
    }

    /// Confidences of a print by the multiplier, in hundredths of 1e-8.
    fn margin(&self, print: &Observation) -> u128 {
        wide(print.confidence, self.confidence_multiplier.into())
    }

    /// How much is paid.
    pub fn payout(&self) -> Severity {
        match PayoutForm::stored(self.severity) {
            PayoutForm::Binary => Severity::Binary,
            PayoutForm::Linear => {
                Severity::Linear { full_loss_price: self.full_loss_price, min_severity_bps: self.min_severity_bps }
            }
        }
    }

    /// What a mean price, in 1e-8, pays: see [`Severity::severity_bps`].
    pub fn severity_bps(&self, mean: u64) -> u16 {
        self.payout().severity_bps(self.threshold, mean)
    }

    /// Slots of the longest window: `need + tolerance`.
    pub(super) fn span(&self) -> u64 {
        u64::from(self.need).saturating_add(u64::from(self.tolerance))
    }
}

fn hundredths(value: u64) -> u128 {
    wide(value, HUNDREDTHS)
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
