//! The ring of slots: what was shown in the last 256 of them, and what was found in it so far.

use anchor_lang::prelude::*;

/// Slots that the evidence reaches back.
pub const RING_SLOTS: u64 = 256;
/// The same as a length.
pub const RING: usize = 256;
/// Words of a bitmap with one bit for each slot of the ring.
pub const RING_WORDS: usize = 4;

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

const _: () = assert!(size_of::<Evidence>() == 2_216 && align_of::<Evidence>() == 8);

impl Default for Evidence {
    fn default() -> Self {
        bytemuck::Zeroable::zeroed()
    }
}

impl Evidence {
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

    /// Turns the ring forward to a slot, forgetting what falls out of it. An older slot turns nothing.
    pub(super) fn turn(&mut self, slot: u64) {
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
    pub(super) fn tail(&self) -> u64 {
        self.head.saturating_add(1).saturating_sub(RING_SLOTS).max(1)
    }

    pub(super) fn holds(&self, slot: u64) -> bool {
        (self.tail()..=self.head).contains(&slot)
    }

    pub(super) fn good_bit(&self, slot: u64) -> bool {
        bit(&self.breached, slot) && !bit(&self.recovered, slot)
    }

    pub(super) fn price_bits(&self, slot: u64) -> u64 {
        self.prices.get(place(slot)).copied().unwrap_or(0)
    }
}

/// Where in the ring a slot is kept.
pub(super) fn place(slot: u64) -> usize {
    (slot & 255) as usize
}

/// The word of a bitmap that has a slot's bit, and the bit.
fn word_and_mask(slot: u64) -> (usize, u64) {
    (((slot >> 6) & 3) as usize, 1_u64.wrapping_shl((slot & 63) as u32))
}

pub(super) fn bit(bitmap: &[u64; RING_WORDS], slot: u64) -> bool {
    let (word, mask) = word_and_mask(slot);
    bitmap.get(word).is_some_and(|word| word & mask != 0)
}

pub(super) fn set_bit(bitmap: &mut [u64; RING_WORDS], slot: u64) {
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
