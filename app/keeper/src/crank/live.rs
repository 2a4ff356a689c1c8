//! When a live feed is worth showing.
//!
//! A reading counts once a second one confirms it, 150 slots of the ledger later and within one slot of the evidence. So a
//! crank shows each slot twice, by what it reads itself: what somebody else has shown may have held for a moment only.

use crate::crank::chain::ProductView;
use crate::crank::plan::price_text;
use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::Class;
use backstop::peril::feed::{self, Level, Observation, vaults};
use backstop::peril::live::{Readings, Shows, Twice};
use backstop::state::Live;
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
    pub live: Live,
    /// The accounts that are read; of vaults those that are there.
    pub sources: Vec<(Pubkey, Account)>,
    /// The clock.
    pub clock: LedgerClock,
}

/// Why what the feed says now is worth showing; `None` if it is not, or cannot be read.
pub fn worth(view: &ProductView, live: &LiveView, now: i64) -> Option<String> {
    let (trigger, terms) = (&view.trigger, &view.trigger.terms);
    let (LiveView { clock, .. }, level) = (live, level(view, live)?);
    let slot = terms.slot_of(now)?;
    let mut before = live.live.readings;
    if before.slot != slot {
        before = Readings { peak: before.peak, slot, ..Readings::default() };
    }
    let mut next = live.live;
    let shown = next.show(trigger.source(), terms, level, clock.slot, now).ok()?;
    let after = next.readings;
    if shown.price == 0 || (before.peak == 0 && !trigger.has_two_keys()) {
        let first = !reaches(&before.levels, level.down);
        // A slot of vaults without a baseline counts for its day's low.
        let counts = !trigger.has_two_keys() || live.live.lows.slot != slot || live.live.lows.level == 0;
        let confirms = after.peak != 0 || next.lows.level != 0;
        return (first || (counts && confirms)).then(|| "nothing measures its feed yet".into());
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
    // What vaults hold counts for the low of the day too, which two showings of less, each for a moment, would make theirs.
    let kept_level = if live.live.lows.slot == slot { live.live.lows.level } else { 0 };
    let makes_low = trigger.has_two_keys() && class != Class::Breach;
    let raises_low = makes_low
        && is_more(level.up, kept_level)
        && (next.lows.level > kept_level || !reaches(&before.levels, level.up));
    if is_done && after.peak == before.peak && !raises_low {
        return None;
    }
    // Contradictions count by two moments of the slot that lie apart.
    let lies_apart = class == Class::Breach || now.saturating_sub(shows.first_at) >= i64::from(apart);
    let confirms = shown.prints.iter().any(Option::is_some) && lies_apart;
    let news = confirms || !reaches(&shows.prices, shown.price) || after.peak > before.peak || raises_low;
    news.then(|| format!("it reads {} of what measures it", price_text(shown.price)))
}

/// Whether a level is so much above another, a hundredth of it, that a day's low is worth a showing.
fn is_more(level: u64, than: u64) -> bool {
    level.saturating_sub(than) > level / 100
}

/// What its accounts say now.
fn level(view: &ProductView, live: &LiveView) -> Option<Level> {
    let trigger = &view.trigger;
    if trigger.has_two_keys() {
        let mut sum = 0u64;
        for (_, vault) in &live.sources {
            sum = sum.checked_add(vaults::amount(&vault.owner, &vault.data, &live.live.mint).ok()?)?;
        }
        return Some(Level { up: sum, down: sum });
    }
    let (key, source) = live.sources.first()?;
    feed::read_live(trigger.source(), key, &source.owner, &source.data, &trigger.feed, live.clock.epoch).ok()
}

/// Whether an earlier showing reaches a level.
fn reaches(twice: &Twice, level: u64) -> bool {
    twice.older >= level || twice.recent.iter().any(|showing| showing.level >= level)
}
