//! Windows: stretches of slots that meet the condition.

use super::ring::{Evidence, Run, Shown, SlotState};
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

    /// Most good slots in any admissible window of the ring, at most `need`. A window is admissible if it holds no
    /// recovered slot and at most `tolerance` slots that are not good. Scans the ring: for clients.
    pub fn longest_credited(&self, terms: &Terms) -> u16 {
        let apart = terms.apart();
        let mut run = Run::default();
        let mut most = 0;
        for slot in self.tail()..=self.head {
            self.extend(&mut run, terms, apart, slot, &self.kept(slot));
            most = run.good.max(most);
        }
        u16::try_from(most).unwrap_or(u16::MAX)
    }

    /// The earliest window that holds by what was shown and ends in a slot that is not processed.
    pub(super) fn search(&self, terms: &Terms) -> Option<(u64, u64)> {
        let need = u32::from(terms.need);
        if self.run.good.saturating_add(self.open_good) < need {
            return None;
        }
        let apart = terms.apart();
        let mut run = self.run;
        for slot in self.next.max(self.tail())..=self.head {
            if self.extend(&mut run, terms, apart, slot, &self.kept(slot)) && run.good >= need {
                return Some((run.first, slot));
            }
        }
        None
    }

    /// Takes the next slot, with what was shown in it, into a run, and drops what keeps it from being one from its front.
    /// Whether the slot is good: then a run with `need` good slots is a window that ends in it.
    #[inline]
    pub(super) fn extend(&self, run: &mut Run, terms: &Terms, apart: u16, slot: u64, shown: &Shown) -> bool {
        match shown.state(apart) {
            SlotState::Recovered => {
                *run = Run::default();
                false
            }
            SlotState::Good => {
                if run.good == 0 {
                    *run = Run { first: slot, ..Run::default() };
                }
                run.good = run.good.saturating_add(1);
                run.sum = run.sum.saturating_add(shown.highest_breach);
                if run.good > u32::from(terms.need) {
                    self.drop_first(run, apart, slot);
                }
                true
            }
            SlotState::Open => {
                if run.good != 0 {
                    run.missing = run.missing.saturating_add(1);
                    while run.missing > u32::from(terms.tolerance) {
                        self.drop_first(run, apart, slot);
                    }
                }
                false
            }
        }
    }

    /// Drops the first good slot of a run that ends in `last`, and what is not good behind it.
    fn drop_first(&self, run: &mut Run, apart: u16, last: u64) {
        if run.good <= 1 {
            *run = Run::default();
            return;
        }
        run.good = run.good.saturating_sub(1);
        run.sum = run.sum.saturating_sub(self.kept(run.first).highest_breach);
        while run.first < last {
            run.first = run.first.saturating_add(1);
            if self.kept(run.first).state(apart) == SlotState::Good {
                break;
            }
            run.missing = run.missing.saturating_sub(1);
        }
    }
}

impl Window {
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
