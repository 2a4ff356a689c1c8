//! What a protocol holds, measured by what it held: the first of two keys (see [`super::two_keys`]).
//!
//! The level is the sum of what its vaults hold. A price is that sum as a part of the **baseline**, `ceil(sum * 1e8 /
//! baseline)`: the lowest *low* of the seven UTC days before yesterday. The low of a day is the lowest level that one of its
//! slots had, where the level of a slot is the highest sum that two showings of it reach ([`super::live::Twice`]); slots that
//! breach are left out. So
//!
//! - today and yesterday are no part of it: what is drained in two steps, before and after midnight, is measured by what was
//!   there before both;
//! - a fall that takes a week is measured by what it has come to: only what is lost within two days or so counts;
//! - what breaches lowers nothing that breaches are measured by. After nine days of it there is no baseline left; then the
//!   days' own levels make a new one, two days later;
//! - without a baseline, or by one of nothing, there is no price.

use super::evidence::{MAX_PRICE, Terms};
use super::live::WHOLE;
use crate::math::rounding::{Rounding, mul_div};
use anchor_lang::prelude::*;

/// Most vaults of a product.
pub const MOST_VAULTS: usize = 8;
/// Days before yesterday that make a baseline.
pub const BASELINE_DAYS: u64 = 7;
/// Days whose lows are kept: those of the baseline, yesterday and today.
const KEPT: usize = 9;
const DAY_SECONDS: u64 = 86_400;

/// The lowest level of a UTC day.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Low {
    /// The day, counted from 1970; 0: none.
    pub day: u64,
    /// Its lowest level.
    pub level: u64,
}

/// The lows of the last days, and the level of the running slot. All zeros is a new one.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lows {
    /// Lows, at `day % 9`.
    pub days: [Low; KEPT],
    /// Slot of the evidence that is running.
    pub slot: u64,
    /// Highest level that counts in it so far; 0: none.
    pub level: u64,
}

impl Lows {
    /// Takes the level of the slot that was running into its day's low, if another slot is running now.
    pub fn turn(&mut self, terms: &Terms, slot: u64) {
        if self.slot == slot {
            return;
        }
        let (day, level) = (day_of(terms, self.slot), self.level);
        (self.slot, self.level) = (slot, 0);
        let breaches = || self.baseline_of(day).is_some_and(|base| price(level, base) < terms.threshold);
        if level == 0 || breaches() {
            return;
        }
        let place = usize::try_from(day).unwrap_or(0).checked_rem(KEPT).unwrap_or(0);
        if let Some(low) = self.days.get_mut(place) {
            let lowest = if low.day == day { low.level.min(level) } else { level };
            *low = Low { day, level: lowest };
        }
    }

    /// Counts a level of the running slot.
    pub fn count(&mut self, level: u64) {
        self.level = self.level.max(level);
    }

    /// What the sums of a slot are measured by; `None` if nothing is known.
    pub fn baseline(&self, terms: &Terms, slot: u64) -> Option<u64> {
        self.baseline_of(day_of(terms, slot))
    }

    fn baseline_of(&self, day: u64) -> Option<u64> {
        let newest = day.saturating_sub(2);
        let days = newest.saturating_add(1).saturating_sub(BASELINE_DAYS).max(1)..=newest;
        self.days.iter().filter(|low| days.contains(&low.day)).map(|low| low.level).min()
    }
}

fn day_of(terms: &Terms, slot: u64) -> u64 {
    u64::try_from(terms.slot_start(slot)).unwrap_or(0).checked_div(DAY_SECONDS).unwrap_or(0)
}

/// A sum as a part of a baseline, in 1e-8, rounded up: 1 at least, and at most the highest price that there is.
pub fn price(sum: u64, baseline: u64) -> u64 {
    mul_div(sum, WHOLE, baseline, Rounding::Up).unwrap_or(MAX_PRICE).clamp(1, MAX_PRICE)
}
