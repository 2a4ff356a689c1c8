//! Windows: the search for the earliest stretch of slots that meets the condition.

use super::ring::{Evidence, bit};
use super::terms::Terms;

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

impl Evidence {
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

    /// Looks for an earlier window after a slot has become good: one that contains it.
    pub(super) fn search_around(&mut self, terms: &Terms, slot: u64) {
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
    pub(super) fn reach_back(&self, terms: &Terms, slot: u64) -> (u64, u64) {
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
    pub(super) fn search(&self, terms: &Terms, from: u64, to: u64) -> Option<(u64, u64)> {
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
