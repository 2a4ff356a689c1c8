//! Windows: the rule by which slots meet the condition.
//!
//! A window ends in a good slot m and begins in the `need`-th good slot f counted back from it, with at most `tolerance`
//! slots between them that are not good, and none that is recovered. Its mean is that of the highest Breaches of its good
//! slots. The first one whose last slot settles triggers ([`Window::first_from`]); those of the run-on that begin at the
//! event or later lower the mean ([`Evidence::lower_mean`]). A [`Run`] carries that from slot to slot.

use super::ring::{Evidence, Shown, SlotState};
use super::terms::Terms;
use anchor_lang::prelude::*;

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
    /// Last second at which it can be contradicted. A second later is T.
    pub contradicted_until: i64,
}

impl Evidence {
    /// The window that meets the condition, while Met and once Triggered.
    pub fn window(&self, terms: &Terms) -> Option<Window> {
        (self.window_last != 0).then(|| Window::of(terms, self.window_first, self.window_last))
    }

    /// Mean, over the good slots of a window that the ring still holds, of the highest Breach price shown, in 1e-8, rounded
    /// down; for `Above` of the lowest, rounded up; and how many these slots are. `None` if there is none.
    pub fn mean_so_far(&self, terms: &Terms, window: &Window) -> Option<(u64, u64)> {
        let mut sum = 0_u64;
        let mut good = 0_u64;
        let first = window.first_slot.max(self.tail());
        for slot in first..=window.last_slot.min(self.head) {
            if self.is_good(terms, slot) {
                sum = sum.saturating_add(self.kept(slot).highest_breach);
                good = good.saturating_add(1);
            }
        }
        Some((terms.price_of_slot(sum.checked_div(good)?), good))
    }

    /// Takes the mean of a window of the run-on, as the ring keeps prices: a lower one may deepen the severity, which never
    /// falls. Whether it did.
    pub(super) fn lower_mean(&mut self, terms: &Terms, kept: u64) -> bool {
        if kept >= terms.slot_price(self.lowest_mean) {
            return false;
        }
        let mean = terms.price_of_slot(kept);
        self.lowest_mean = mean;
        let before = self.severity_bps;
        self.severity_bps = terms.severity_bps(mean).max(before);
        self.severity_bps > before
    }

    /// Most good slots in any admissible window of the ring, at most `need`. A window is admissible if it holds no
    /// recovered slot and at most `tolerance` slots that are not good. Scans the ring: for clients.
    pub fn longest_credited(&self, terms: &Terms) -> u16 {
        let apart = terms.apart();
        let mut run = Run::default();
        let mut most = 0;
        for slot in self.tail()..=self.head {
            run.take_slot(self, terms, apart, slot, &self.kept(slot));
            most = run.good.max(most);
        }
        u16::try_from(most).unwrap_or(u16::MAX)
    }
}

/// Consecutive slots that a window may lie in: none recovered, at most `tolerance` that are not good, at most `need`
/// good ones, the first of them good.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Its first slot. Without good slots: nothing.
    pub first: u64,
    /// Sum of its good slots' highest Breach prices, in 1e-8, as they are kept.
    pub sum: u64,
    /// How many slots are good.
    pub good: u32,
    /// How many are not.
    pub missing: u32,
}

impl Run {
    /// Takes the next slot, with what was shown in it, and drops what keeps it from being a run from its front. Whether the
    /// slot is good: then a run that is a window ends in it.
    #[inline]
    pub(super) fn take_slot(&mut self, ring: &Evidence, terms: &Terms, apart: u16, slot: u64, shown: &Shown) -> bool {
        match shown.state(apart) {
            SlotState::Recovered => {
                *self = Self::default();
                false
            }
            SlotState::Good => {
                if self.good == 0 {
                    *self = Self { first: slot, ..Self::default() };
                }
                self.good = self.good.saturating_add(1);
                self.sum = self.sum.saturating_add(shown.highest_breach);
                if self.good > u32::from(terms.need) {
                    self.drop_first(ring, apart, slot);
                }
                true
            }
            SlotState::Open => {
                if self.good != 0 {
                    self.missing = self.missing.saturating_add(1);
                    while self.missing > u32::from(terms.tolerance) {
                        self.drop_first(ring, apart, slot);
                    }
                }
                false
            }
        }
    }

    /// Whether it has as many good slots as a window.
    #[inline]
    pub(super) fn is_window(&self, terms: &Terms) -> bool {
        self.good >= u32::from(terms.need)
    }

    /// Mean of its good slots' highest Breach prices, in 1e-8, as they are kept, rounded down.
    #[inline]
    pub(super) fn mean(&self) -> u64 {
        self.sum.checked_div(u64::from(self.good)).unwrap_or(0)
    }

    /// Drops its first good slot, and what is not good behind that. It ends in `last`.
    fn drop_first(&mut self, ring: &Evidence, apart: u16, last: u64) {
        if self.good <= 1 {
            *self = Self::default();
            return;
        }
        self.good = self.good.saturating_sub(1);
        self.sum = self.sum.saturating_sub(ring.kept(self.first).highest_breach);
        while self.first < last {
            self.first = self.first.saturating_add(1);
            if ring.kept(self.first).state(apart) == SlotState::Good {
                break;
            }
            self.missing = self.missing.saturating_sub(1);
        }
    }
}

impl Window {
    /// Slots f and m of the earliest window that holds by what was shown and ends in a slot that is not processed.
    pub(super) fn first_from(evidence: &Evidence, terms: &Terms) -> Option<(u64, u64)> {
        let mut run = evidence.run;
        if run.good.saturating_add(evidence.open_good) < u32::from(terms.need) {
            return None;
        }
        let apart = terms.apart();
        for slot in evidence.next.max(evidence.tail())..=evidence.head {
            if run.take_slot(evidence, terms, apart, slot, &evidence.kept(slot)) && run.is_window(terms) {
                return Some((run.first, slot));
            }
        }
        None
    }

    /// The window from slot f to slot m.
    pub fn of(terms: &Terms, first_slot: u64, last_slot: u64) -> Self {
        Self {
            first_slot,
            last_slot,
            event_at: terms.slot_start(first_slot),
            met_at: terms.slot_end(last_slot),
            contradicted_until: terms.contradicted_until(last_slot),
        }
    }
}
