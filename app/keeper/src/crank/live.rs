//! When a live feed is worth showing.
//!
//! A reading counts once a second one confirms it, 150 slots of the ledger later and within one slot of the evidence. So a
//! crank shows each slot twice, by what it reads itself: what somebody else has shown may have held for a moment only.

use crate::crank::chain::ProductView;
use crate::crank::plan::price_text;
use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::Class;
use backstop::peril::feed::{self, Observation};
use backstop::peril::live::{Readings, Shows, Twice};
use solana_sdk::account::Account;

/// The cluster's clock, as far as live feeds look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerClock {
    /// Slot of the ledger.
    pub slot: u64,
    /// Epoch.
    pub epoch: u64,
}

impl LedgerClock {
    /// Reads the sysvar's account: slot, start of the epoch, epoch, all of eight bytes.
    pub fn read(data: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?));
        Some(Self { slot: word(0)?, epoch: word(16)? })
    }
}

/// What was shown of a live feed, and what it says now.
#[derive(Clone, Debug)]
pub struct LiveView {
    /// What was shown.
    pub readings: Readings,
    /// The account that is read.
    pub source: Account,
    /// The clock.
    pub clock: LedgerClock,
}

/// Why what the feed says now is worth showing; `None` if it is not, or cannot be read.
pub fn worth(view: &ProductView, live: &LiveView, now: i64) -> Option<String> {
    let (trigger, terms) = (&view.trigger, &view.trigger.terms);
    let (key, LiveView { source, clock, .. }) = (Pubkey::new_from_array(trigger.feed), live);
    let level =
        feed::read_live(trigger.source(), &key, &source.owner, &source.data, &trigger.feed, clock.epoch).ok()?;
    let slot = terms.slot_of(now)?;
    let mut before = live.readings;
    if before.slot != slot {
        before = Readings { peak: before.peak, slot, ..Readings::default() };
    }
    let mut after = before;
    let shown = after.show(terms, level, clock.slot, now).ok()?;
    if before.peak == 0 {
        let first = !reaches(&before.levels, level.down);
        return (first || after.peak != 0).then(|| "its feed has no peak yet".into());
    }
    let print = Observation { price: shown.price, confidence: 0, publish_time: now };
    let class = terms.classify(&print);
    let kept = trigger.evidence.shown(slot);
    let apart = terms.apart();
    let (shows, is_done): (&Shows, bool) = match class {
        // Somebody's deeper breach is no reason to be silent: the highest counts.
        Class::Breach => (&before.breaches, kept.highest_breach >= shown.price),
        Class::Recovered => (&before.recovered, trigger.evidence.is_recovered(terms, slot)),
        Class::Above | Class::Unclear => (&before.aboves, kept.has_two_aboves(apart)),
    };
    if is_done && after.peak == before.peak {
        return None;
    }
    // Contradictions count by two moments of the slot that lie apart.
    let lies_apart = class == Class::Breach || now.saturating_sub(shows.first_at) >= i64::from(apart);
    let confirms = shown.prints.iter().any(Option::is_some) && lies_apart;
    let news = confirms || !reaches(&shows.prices, shown.price) || after.peak > before.peak;
    news.then(|| format!("it reads {} of its peak", price_text(shown.price)))
}

/// Whether an earlier showing reaches a level.
fn reaches(twice: &Twice, level: u64) -> bool {
    twice.older >= level || twice.recent.iter().any(|showing| showing.level >= level)
}
