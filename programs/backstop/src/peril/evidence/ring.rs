//! The ring of slots: what was shown in the last 256 of them, and what follows from the settled ones.

use super::terms::Terms;
use super::window::Run;
use anchor_lang::prelude::*;

/// Slots that the evidence reaches back.
pub const RING_SLOTS: u64 = 256;
/// The same as a length.
pub const RING: usize = 256;

/// What was shown in one slot. All zeros: nothing.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Highest Breach price, in 1e-8, as [`Terms::slot_price`] keeps it: for `Above` the lowest, mirrored. 0: none.
    pub highest_breach: u64,
    /// Worst price with its confidences, of any print, in 1e-8, as [`Terms::worst_price`] has it; 0: none.
    pub lowest: u64,
    /// Second of the slot in which the first Above was published, plus 1; 0: none. A Recovered is an Above too.
    pub above_first: u16,
    /// The same of the last Above.
    pub above_last: u16,
    /// The same of the first Recovered.
    pub recovered_first: u16,
    /// The same of the last Recovered.
    pub recovered_last: u16,
}

const _: () = assert!(size_of::<Shown>() == 24);

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// A Breach was shown in it, and no two Aboves.
    Good,
    /// Two Recovered were shown in it.
    Recovered,
    /// Neither.
    Open,
}

impl Shown {
    /// What the slot says, where two prints of a kind count if they are at least `apart` seconds from one another.
    pub fn state(&self, apart: u16) -> SlotState {
        if self.recovered_first != 0 && self.recovered_last.saturating_sub(self.recovered_first) >= apart {
            SlotState::Recovered
        } else if self.highest_breach != 0
            && (self.above_first == 0 || self.above_last.saturating_sub(self.above_first) < apart)
        {
            SlotState::Good
        } else {
            SlotState::Open
        }
    }

    /// Whether two Aboves were shown, at least `apart` seconds from one another.
    pub fn has_two_aboves(&self, apart: u16) -> bool {
        self.above_first != 0 && self.above_last.saturating_sub(self.above_first) >= apart
    }

    /// Highest Breach price as it is kept, if a Breach was shown.
    pub fn breach(&self) -> Option<u64> {
        (self.highest_breach != 0).then_some(self.highest_breach)
    }

    /// Widens the Aboves by one, `second` seconds into the slot.
    pub(super) fn note_above(&mut self, second: u16) {
        widen(&mut self.above_first, &mut self.above_last, second);
    }

    /// Widens the Recovered by one, `second` seconds into the slot.
    pub(super) fn note_recovered(&mut self, second: u16) {
        widen(&mut self.recovered_first, &mut self.recovered_last, second);
    }
}

fn widen(first: &mut u16, last: &mut u16, second: u16) {
    let mark = second.saturating_add(1);
    if *first == 0 || mark < *first {
        *first = mark;
    }
    if mark > *last {
        *last = mark;
    }
}

/// What was shown to a trigger, and what follows from it. All zeros is a new one.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What was shown in each slot of the ring, at `slot % 256`.
    pub slots: [Shown; RING],
    /// Newest slot of the ring: the newest in which a print was shown. 0: none.
    pub head: u64,
    /// The first slot that is not processed: all before it were settled when the last call was made.
    pub next: u64,
    /// The run of processed slots that ends before `next`.
    pub run: Run,
    /// Newest slot that is recovered. 0: none.
    pub newest_recovered: u64,
    /// Newest good slot, if it is newer than `newest_recovered`; else 0.
    pub newest_good: u64,
    /// Slot f of the window while Met, and once Triggered; else 0.
    pub window_first: u64,
    /// Slot m of the window while Met, and once Triggered; else 0.
    pub window_last: u64,
    /// Once Triggered: start of slot f, in unix seconds.
    pub event_at: i64,
    /// Once Triggered: end of slot m, in unix seconds. T is one challenge later.
    pub met_at: i64,
    /// Once Final: from when on it was, in unix seconds.
    pub final_at: i64,
    /// Once Triggered: mean, over the good slots of f..m, of the highest Breach price shown, in 1e-8, rounded down; for
    /// `Above` of the lowest, rounded up.
    pub first_mean: u64,
    /// Once Triggered: lowest such mean of that window and of those of the run-on so far; for `Above` the highest.
    pub lowest_mean: u64,
    /// Price of the newest print shown, in 1e-8; of several in one second the lowest, for `Above` the highest.
    pub last_price: u64,
    /// Confidence of the newest print shown, in 1e-8.
    pub last_confidence: u64,
    /// Publish time of the newest print shown, in unix seconds. 0: none.
    pub last_publish_time: i64,
    /// Good slots that are not processed.
    pub open_good: u32,
    /// Once Triggered: what the mean of f..m pays, in basis points of the sum insured.
    pub first_severity_bps: u16,
    /// Once Triggered: what the lowest mean pays. It only grows, until Final.
    pub severity_bps: u16,
    /// A [`super::Phase`], as of the last call that changed something.
    pub phase: u8,
    /// Zero.
    pub padding: [u8; 5],
    /// Once Triggered: recovered slots since the last good one, of those that are processed.
    pub recovered_slots: u16,
}

const _: () = assert!(size_of::<Evidence>() == 6_296 && align_of::<Evidence>() == 8);

impl Default for Evidence {
    fn default() -> Self {
        bytemuck::Zeroable::zeroed()
    }
}

impl Evidence {
    /// What was shown in a slot; nothing outside of the ring.
    pub fn shown(&self, slot: u64) -> Shown {
        if self.holds(slot) { self.kept(slot) } else { Shown::default() }
    }

    /// What a slot says.
    pub fn state(&self, terms: &Terms, slot: u64) -> SlotState {
        self.shown(slot).state(terms.apart())
    }

    /// Whether a slot is good.
    pub fn is_good(&self, terms: &Terms, slot: u64) -> bool {
        self.state(terms, slot) == SlotState::Good
    }

    /// Whether a slot is recovered.
    pub fn is_recovered(&self, terms: &Terms, slot: u64) -> bool {
        self.state(terms, slot) == SlotState::Recovered
    }

    /// Highest Breach price shown in a slot, in 1e-8; for `Above` the lowest.
    pub fn breach_price(&self, terms: &Terms, slot: u64) -> Option<u64> {
        self.shown(slot).breach().map(|kept| terms.price_of_slot(kept))
    }

    /// Oldest slot of the ring.
    pub fn tail(&self) -> u64 {
        self.head.saturating_add(1).saturating_sub(RING_SLOTS).max(1)
    }

    /// Turns the ring forward to a slot, forgetting what falls out of it. An older slot turns nothing.
    pub(super) fn turn(&mut self, slot: u64) {
        let Some(ahead) = slot.checked_sub(self.head) else {
            return;
        };
        if ahead >= RING_SLOTS {
            bytemuck::bytes_of_mut(&mut self.slots).fill(0);
        } else {
            for fresh in self.head.saturating_add(1)..=slot {
                *self.kept_mut(fresh) = Shown::default();
            }
        }
        self.head = slot;
    }

    pub(super) fn holds(&self, slot: u64) -> bool {
        slot <= self.head && slot >= self.tail()
    }

    /// What is kept at a slot's place: of that slot if the ring holds it.
    #[expect(clippy::indexing_slicing, reason = "the place is below the length")]
    pub(super) fn kept(&self, slot: u64) -> Shown {
        self.slots[place(slot)]
    }

    /// The same, to change it.
    #[expect(clippy::indexing_slicing, reason = "the place is below the length")]
    pub(super) fn kept_mut(&mut self, slot: u64) -> &mut Shown {
        &mut self.slots[place(slot)]
    }

    /// What is kept of the slots from one of the ring's to the newest, in two pieces: up to the end of the array, and on from
    /// its start.
    pub(super) fn kept_from(&self, first: u64) -> [&[Shown]; 2] {
        let (from, to) = (place(first), place(self.head));
        let pieces = match (first <= self.head, from <= to) {
            (false, _) => [None, None],
            (true, true) => [self.slots.get(from..=to), None],
            (true, false) => [self.slots.get(from..), self.slots.get(..=to)],
        };
        pieces.map(Option::unwrap_or_default)
    }
}

/// Where in the ring a slot is kept.
const fn place(slot: u64) -> usize {
    (slot & 255) as usize
}
