//! Live readings: values that a program's accounts hold now, and of which nothing proves what they were.
//!
//! A program sees the present only. Whoever may move the value for a moment, and put it back, may show what he likes: in
//! one transaction (withdraw, show, pay back in), or across several that one leader puts side by side. So
//!
//! - a showing **stands alone**: no program called it, and its transaction holds nothing beside instructions of this program
//!   and of the compute budget ([`require_alone`]);
//! - a showing is no print. It **counts when a second one confirms it**: in the same slot of the product's evidence, of the
//!   same class, and at least [`LEAST_SLOTS_APART`] slots of the ledger away. No transaction, and no bundle of them, lasts so
//!   long. What counts is the highest level that two such showings reach ([`Twice`]): one high showing raises nothing, and
//!   one low showing lowers nothing that two others have reached.
//!
//! What counts becomes prints of the evidence, dated by the cluster's clock, and from there on everything is as with any
//! feed. Recovered and Above contradict by two prints that lie a tenth of a slot apart, so the first showing of the slot
//! becomes one of them.
//!
//! Live feeds are **not replayable**: nobody can show late what was not shown then. One honest crank that shows each slot
//! twice is enough for a true event.

use crate::error::BackstopError;
use crate::math::rounding::{Rounding, mul_div};
use crate::peril::evidence::{Class, Direction, Terms};
use crate::peril::feed::{Level, Observation, OracleError, Source};
use crate::peril::vault::{self, Lows};
use anchor_lang::prelude::*;

/// How far apart two showings of one slot must be to count together, in slots of the ledger: about half a minute to a
/// minute.
pub const LEAST_SLOTS_APART: u64 = 150;
/// Showings of the last [`LEAST_SLOTS_APART`] slots that are kept, beside the highest of the older ones. Only one that is
/// higher than all before it needs a place, so more are needed only if the level rises with every one; then the newest gives way.
pub const RECENT: usize = 4;
/// One, in 1e-8: a share price at its own peak.
pub const WHOLE: u64 = 100_000_000;
/// Highest threshold of a share price, in 1e-8 of its peak: rounding and fees are no event.
pub const MAX_SHARE_THRESHOLD: u64 = 98_000_000;
/// Shortest duration of a share price's breach, in seconds.
pub const LEAST_SHARE_DURATION: u64 = 6 * 3_600;
/// Shortest duration of a breach of prices that can be shown late, in seconds.
pub const LEAST_DURATION: u64 = 3_600;
/// Shortest slot of a share price's evidence, in seconds.
pub const LEAST_SHARE_SLOT: u32 = 600;
/// Shortest slot of a fall's evidence, in seconds: at 400 ms a slot of the ledger two showings that count together lie a minute
/// apart, and a keeper shows at quarters of it.
pub const LEAST_VAULT_SLOT: u32 = 180;
/// Least distance from the threshold at a purchase, for live feeds, in basis points.
pub const LEAST_LIVE_BUFFER_BPS: u32 = 50;
/// The compute budget's program.
pub const COMPUTE_BUDGET_ID: Pubkey = pubkey!("ComputeBudget111111111111111111111111111111");

/// A level that was shown, and when.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Showing {
    /// Slot of the ledger.
    pub slot: u64,
    /// The level, above zero; 0: no showing.
    pub level: u64,
}

/// The highest level that was reached by showings at least [`LEAST_SLOTS_APART`] slots ago, and those that are younger.
/// All zeros is a new one.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Twice {
    /// Highest level of all showings that are old enough to confirm one now; 0: none is.
    pub older: u64,
    /// Younger showings that are higher than all before them.
    pub recent: [Showing; RECENT],
}

impl Twice {
    /// Shows a level at a slot of the ledger, no earlier than the one before. Returns the highest level that it and an
    /// earlier showing, far enough apart, both reach; `None` if there is no such showing.
    pub fn show(&mut self, slot: u64, level: u64) -> Option<u64> {
        for young in &mut self.recent {
            if young.level != 0 && slot.saturating_sub(young.slot) >= LEAST_SLOTS_APART {
                self.older = self.older.max(young.level);
                *young = Showing::default();
            }
        }
        let confirmed = (self.older != 0).then_some(self.older.min(level));
        let is_higher = level > self.older && self.recent.iter().all(|young| young.level < level);
        if is_higher {
            // Of one slot of the ledger the highest is enough: a bundle takes one place. Where none is free it takes the newest
            // one's: what is older stays, and who shows less keeps nobody out who shows what is there.
            let same = self.recent.iter().position(|young| young.level != 0 && young.slot == slot);
            let free = || self.recent.iter().position(|young| young.level == 0);
            let newest = || (0..).zip(&self.recent).max_by_key(|(_, young)| young.slot).map(|(place, _)| place);
            if let Some(place) = same.or_else(free).or_else(newest).and_then(|place| self.recent.get_mut(place)) {
                *place = Showing { slot, level };
            }
        }
        confirmed
    }
}

/// Showings of one class within a slot of the evidence.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shows {
    /// The prices, in 1e-8.
    pub prices: Twice,
    /// When the first of them was shown, in unix seconds; 0: none was.
    pub first_at: i64,
}

impl Shows {
    fn show(&mut self, price: u64, slot: u64, now: i64) -> Option<u64> {
        if self.first_at == 0 {
            self.first_at = now;
        }
        self.prices.show(slot, price)
    }
}

/// What was shown in the running slot of a live feed's evidence, and the peak that share prices are measured by. All zeros
/// is a new one.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Highest level that counted so far: the peak. 0: none did.
    pub peak: u64,
    /// Slot of the evidence that the rest is of.
    pub slot: u64,
    /// Levels shown in it.
    pub levels: Twice,
    /// Breaches shown in it.
    pub breaches: Shows,
    /// Aboves shown in it; a Recovered is an Above too.
    pub aboves: Shows,
    /// Recovered shown in it.
    pub recovered: Shows,
}

/// What a showing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The level as a part of the peak, in 1e-8, rounded up, at least 1; 0 while there is no peak.
    pub price: u64,
    /// What counts by it, in the order of time.
    pub prints: [Option<Observation>; 2],
}

impl Readings {
    /// Shows a level at a slot of the ledger and a time.
    ///
    /// Errors: `PriceTooLarge`; nothing is changed then.
    pub fn show(
        &mut self,
        terms: &Terms,
        level: Level,
        slot: u64,
        now: i64,
    ) -> core::result::Result<Shown, OracleError> {
        let mut next = *self;
        let current = terms.slot_of(now).unwrap_or(0);
        if next.slot != current {
            next = Self { peak: next.peak, slot: current, ..Self::default() };
        }
        // The lower of two counts: the worse for the claim.
        next.peak = next.levels.show(slot, level.down).unwrap_or(0).max(next.peak);
        let mut shown = Shown::default();
        if next.peak != 0 {
            shown.price = mul_div(level.up, WHOLE, next.peak, Rounding::Up).ok_or(OracleError::PriceTooLarge)?.max(1);
            if i64::try_from(shown.price).is_err() {
                return Err(OracleError::PriceTooLarge);
            }
            shown.prints = next.count(terms, shown.price, slot, now);
        }
        *self = next;
        Ok(shown)
    }

    /// Shows what vaults hold, at a slot of the ledger and a time.
    pub fn show_sum(&mut self, lows: &mut Lows, terms: &Terms, sum: u64, slot: u64, now: i64) -> Shown {
        let current = terms.slot_of(now).unwrap_or(0);
        if self.slot != current {
            *self = Self { slot: current, ..Self::default() };
        }
        lows.turn(terms, current);
        if let Some(level) = self.levels.show(slot, sum) {
            lows.count(level);
        }
        // One of nothing measures nothing.
        let Some(baseline) = lows.baseline(terms, current).filter(|baseline| *baseline != 0) else {
            return Shown::default();
        };
        let price = vault::price(sum, baseline);
        Shown { price, prints: self.count(terms, price, slot, now) }
    }

    /// Counts a price among those of its class.
    fn count(&mut self, terms: &Terms, price: u64, slot: u64, now: i64) -> [Option<Observation>; 2] {
        let print = |price: u64, publish_time: i64| Some(Observation { price, confidence: 0, publish_time });
        let (shows, counted) = match terms.classify(&Observation { price, confidence: 0, publish_time: now }) {
            // The highest: the worse for the claim. One print makes a slot good.
            Class::Breach => {
                let counted = self.breaches.show(price, slot, now);
                return [None, counted.and_then(|price| print(price, now))];
            }
            Class::Recovered => {
                let above = self.aboves.show(price, slot, now);
                match self.recovered.show(price, slot, now) {
                    Some(price) => (&self.recovered, Some(price)),
                    None => (&self.aboves, above),
                }
            }
            // Without confidence nothing is Unclear.
            Class::Above | Class::Unclear => {
                let above = self.aboves.show(price, slot, now);
                (&self.aboves, above)
            }
        };
        match counted {
            Some(price) => [print(price, shows.first_at), print(price, now)],
            None => [None, None],
        }
    }
}

/// What a feed's terms are bound by, beside the bounds of all.
///
/// Errors: `BadLiveTerms`; `BadTriggerTerms` for a duration that is too short for a feed that is not live.
pub fn require_terms(source: Source, terms: &Terms) -> Result<()> {
    let fits = match source {
        Source::PythReceiver | Source::PythPush | Source::Attested => terms.duration_seconds() >= LEAST_DURATION,
        // A recovery beyond the peak could not be reached.
        Source::StakePoolRate | Source::SplLendingRate => {
            terms.direction() == Direction::Below
                && terms.threshold <= MAX_SHARE_THRESHOLD
                && terms.recovery <= WHOLE
                && terms.duration_seconds() >= LEAST_SHARE_DURATION
                && terms.slot_seconds >= LEAST_SHARE_SLOT
        }
        // What is reported ends it: it has no run-on.
        Source::VaultDrop => {
            terms.direction() == Direction::Below
                && terms.threshold <= MAX_SHARE_THRESHOLD
                && terms.recovery <= WHOLE
                && terms.run_on == 0
                && terms.slot_seconds >= LEAST_VAULT_SLOT
        }
    };
    let why = if source.is_live() { BackstopError::BadLiveTerms } else { BackstopError::BadTriggerTerms };
    ensure!(fits, why);
    Ok(())
}

/// Whether a transaction holds nothing but instructions of this program and of the compute budget, by the bytes of the
/// instructions sysvar; see [`crate::peril::feed::attested::precompiled`] for their layout. Bytes that are none do not.
pub fn stands_alone(sysvar: &[u8]) -> bool {
    let own = crate::ID.to_bytes();
    let budget = COMPUTE_BUDGET_ID.to_bytes();
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(*sysvar.get(at..)?.first_chunk()?)));
    let program = |number: usize| {
        let begin = short(number.checked_mul(2)?.checked_add(2)?)?;
        let at = short(begin)?.checked_mul(33)?.checked_add(begin)?.checked_add(2)?;
        sysvar.get(at..)?.first_chunk::<32>()
    };
    let Some(count) = short(0) else { return false };
    (0..count).all(|number| program(number).is_some_and(|id| *id == own || *id == budget))
}

/// Refuses a showing that a program called, or that has company in its transaction.
///
/// `height` is the height of the stack: 1 for an instruction of the transaction itself.
///
/// Errors: `ReadingNotTopLevel`, `ReadingNotAlone`.
pub fn require_alone(sysvar: &[u8], height: usize) -> Result<()> {
    ensure!(height == 1, BackstopError::ReadingNotTopLevel);
    ensure!(stands_alone(sysvar), BackstopError::ReadingNotAlone);
    Ok(())
}
