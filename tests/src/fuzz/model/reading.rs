//! Readings: a value at a date, by what attestors reported and who of them was revoked, in the order in which it happened.

use super::{BPS, Cover, CoverStatus, DAY, Model, N, Phase, Rule, day, need, start};
use crate::fuzz::op::{Op, Who};
use backstop::peril::evidence::Direction;
use backstop::peril::reading::ReadingInput;
use backstop::state::ProductState;
use std::collections::{BTreeMap, BTreeSet};

/// Days after its last one that a reading's covers stay exposed as a rule.
pub const RING_DAYS: u32 = 18;

/// A set of attestors.
#[derive(Clone, Debug)]
pub struct Set {
    /// How many keys it has.
    pub keys: usize,
    /// How many must sign.
    pub threshold: usize,
    /// Those that contradicted themselves, and when that was shown.
    pub revoked: BTreeMap<usize, i64>,
}

impl Set {
    /// Keys that may sign.
    pub fn live(&self) -> Vec<usize> {
        (0..self.keys).filter(|key| !self.revoked.contains_key(key)).collect()
    }

    /// Whether enough may.
    pub fn is_alive(&self) -> bool {
        self.live().len() >= self.threshold
    }
}

/// What happened to a reading: a report was taken, or a key of its set was revoked.
#[derive(Clone, Debug)]
enum Said {
    Report(N, BTreeSet<usize>),
    Revoked(usize),
}

/// How a reading stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stand {
    /// The value that stands, with when it was shown first and who has signed it.
    pub report: Option<(N, i64, BTreeSet<usize>)>,
    /// Until when a report is taken.
    pub until: i64,
    /// When it was resolved, or became void.
    pub over_at: Option<i64>,
    /// Whether it is void.
    pub void: bool,
}

/// A reading.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Its terms.
    pub input: ReadingInput,
    /// Whose reports it takes.
    pub set: usize,
    /// All that happened, in its order.
    log: Vec<(i64, Said)>,
    /// How it stood when anybody last looked.
    pub told: Stand,
}

impl Reading {
    /// Nothing said yet, by a set of which some may have been revoked before.
    pub fn new(input: ReadingInput, set: usize, keys: &Set) -> Self {
        let log = keys.revoked.iter().map(|(key, at)| (*at, Said::Revoked(*key))).collect();
        let told = Stand { until: input.due_at + 14 * DAY, ..Stand::default() };
        Self { input, set, log, told }
    }

    /// The days that its covers insure: the first, and the first after.
    pub fn period(&self) -> (u32, u32) {
        (self.input.begins_day, day(self.input.due_at) + 1)
    }

    /// When the event was, once it is over.
    pub fn event_at(&self) -> i64 {
        if self.told.void { start(self.input.begins_day) - 1 } else { self.input.due_at }
    }

    /// What is lost by a value, in basis points.
    pub fn lost(&self, value: N) -> N {
        let (strike, exit) = (N::from(self.input.strike), N::from(self.input.exit));
        let beyond = match self.input.direction {
            Direction::Below => strike.saturating_sub(value),
            Direction::Above => value.saturating_sub(strike),
        };
        (beyond * BPS / strike.abs_diff(exit)).min(BPS)
    }

    /// A report's value as it counts: by its confidence nearer to no loss.
    fn counted(&self, value: i64, confidence: u64) -> Rule<N> {
        let value = N::try_from(value).map_err(|_| "a value below zero")?;
        Ok(match self.input.direction {
            Direction::Below => value + N::from(confidence),
            Direction::Above => value.saturating_sub(confidence.into()),
        })
    }

    /// How it stands at a moment, by all that happened before.
    fn at(&self, keys: &Set, now: i64) -> Stand {
        let mut stand = Stand { until: self.input.due_at + 14 * DAY, ..Stand::default() };
        let mut gone = BTreeSet::new();
        for (at, said) in &self.log {
            stand.pass(*at);
            if stand.over_at.is_some() {
                break;
            }
            match said {
                Said::Report(value, signers) => match &mut stand.report {
                    Some((_, _, all)) => all.extend(signers),
                    None => stand.report = Some((*value, *at, signers.clone())),
                },
                Said::Revoked(key) => {
                    gone.insert(*key);
                    let left = |signers: &BTreeSet<usize>| signers.iter().filter(|key| !gone.contains(key)).count();
                    if stand.report.as_ref().is_some_and(|(.., signers)| left(signers) < keys.threshold) {
                        stand.report = None;
                        stand.until = stand.until.max(at + 3 * DAY);
                    }
                    if keys.keys - gone.len() < keys.threshold {
                        (stand.over_at, stand.void) = (Some(*at), true);
                    }
                }
            }
        }
        stand.pass(now);
        stand
    }
}

impl Stand {
    /// Time passes up to a moment.
    fn pass(&mut self, now: i64) {
        if self.over_at.is_some() {
            return;
        }
        match &self.report {
            Some((_, at, _)) if now >= at + 3 * DAY => self.over_at = Some(at + 3 * DAY),
            None if now > self.until => (self.over_at, self.void) = (Some(self.until + 1), true),
            _ => {}
        }
    }
}

impl super::Evidence {
    /// Looks at how a reading stands. Whether its report has fallen since anybody looked.
    fn look(&mut self, keys: &Set, now: i64) -> bool {
        let reading = self.reading.as_mut().expect("it is a reading");
        let stand = reading.at(keys, now);
        let fell = reading.told.report.is_some() && stand.report.is_none();
        reading.told = stand;
        self.phase = match (&reading.told, now >= reading.input.due_at) {
            (stand, _) if stand.over_at.is_some() => Phase::Final,
            (stand, _) if stand.report.is_some() => Phase::Met,
            (_, true) => Phase::Breaching,
            (_, false) => Phase::Quiet,
        };
        if self.phase == Phase::Final {
            self.event_at = reading.event_at();
            self.severity = reading.told.report.as_ref().map_or(0, |(value, ..)| reading.lost(*value));
        }
        fell
    }
}

impl Model {
    /// The reading of a product.
    pub fn reading(&self, product: usize) -> Option<&Reading> {
        self.products[product].trigger.reading.as_ref()
    }

    /// Readings of a pool that have their condition.
    pub fn readings(&self, pool: usize) -> impl Iterator<Item = usize> {
        let of_pool = move |product: &usize| self.products[*product].pool == pool && self.reading(*product).is_some();
        (0..self.products.len()).filter(of_pool)
    }

    /// Premium of a pool that is earned only when its readings are over.
    pub fn flat(&self, pool: usize) -> N {
        let waits = |cover: &&Cover| {
            let product = &self.products[cover.product];
            let counted = cover.status != CoverStatus::Cancelled && !product.released;
            product.pool == pool && product.trigger.reading.is_some() && counted
        };
        self.covers.iter().filter(waits).map(|cover| cover.premium).sum()
    }

    /// Exposure of a pool's readings that are not over.
    pub fn reading_exposure(&self, pool: usize) -> N {
        self.readings(pool).map(|product| self.exposure(product)).sum()
    }

    /// From when on a pool's readings keep its capital in: the earliest moment at which one takes no more covers.
    pub fn locks_from(&self, pool: usize) -> Option<i64> {
        let near = |product: usize| {
            let (begins, _) = self.reading(product)?.period();
            Some(start(begins) - i64::from(self.products[product].terms.waiting_seconds))
        };
        self.readings(pool).filter_map(near).min()
    }

    /// The first day on which no reading's cover of a pool is in force any more.
    pub fn readings_end(&self, pool: usize) -> u32 {
        self.readings(pool).filter_map(|product| Some(self.reading(product)?.period().1)).max().unwrap_or(0)
    }

    /// What must stay because readings are near or run.
    pub fn locked(&self, pool: usize) -> N {
        let locks = self.locks_from(pool).is_some_and(|from| self.now >= from);
        if locks { self.reading_exposure(pool) * 200 } else { 0 }
    }

    /// Refuses capital that would come or leave while readings lock a pool.
    pub fn need_not_locked(&self, pool: usize) -> Rule {
        need(self.locked(pool) <= self.pools[pool].bearing(), "readings lock the pool")
    }

    /// Refuses a purchase, or its return, near the period.
    pub(super) fn need_far(&self, product: usize) -> Rule {
        let Some(reading) = self.reading(product) else { return Ok(()) };
        let near = start(reading.period().0) - i64::from(self.products[product].terms.waiting_seconds);
        need(self.now <= near, "the period is too near")
    }

    /// Whether a reading's report has fallen, and nobody has told yet.
    pub fn has_fallen_unnoticed(&self, product: usize) -> bool {
        let mut copy = self.products[product].trigger.clone();
        let Some(set) = copy.reading.as_ref().map(|reading| reading.set) else { return false };
        copy.phase == Phase::Met && copy.look(&self.sets[set], self.now)
    }

    pub(super) fn set_reading(&mut self, product: usize, set: usize, by: Who) -> Rule {
        need(by == self.roles.governance, "only governance")?;
        let now = self.now;
        let entry = &self.products[product];
        need(entry.state == ProductState::Announced, "it has its condition, or sells no more")?;
        let books = &self.pools[entry.pool];
        let ends = books.terms.sells_until_day;
        let input = crate::fuzz::scene::reading(entry.design, ends);
        let reading = Reading::new(input, set, &self.sets[set]);
        let (begins, end) = reading.period();
        need(self.sets[set].is_alive(), "nobody can report")?;
        need(ends != 0 && ends <= begins && begins > day(now), "no vintage that is over before the period")?;
        let near = start(begins) - i64::from(entry.terms.waiting_seconds);
        let sells_from = books.notice(now);
        need(sells_from < near.min(start(ends)), "the notice ends too late")?;
        let days = u32::from(entry.terms.min_term_days)..=u32::from(entry.terms.max_term_days);
        need(days.contains(&(end - begins)) && end + RING_DAYS <= day(now) + 511, "the period does not fit")?;
        let books = &mut self.pools[entry.pool];
        books.ring_days = books.ring_days.max(RING_DAYS);
        books.conditions += 1;
        let entry = &mut self.products[product];
        entry.trigger.reading = Some(reading);
        entry.ring_days = RING_DAYS;
        entry.state = ProductState::Selling;
        entry.has_condition = true;
        entry.sells_from = sells_from;
        entry.level_at = now;
        entry.released_day = day(now) - RING_DAYS;
        Ok(())
    }

    pub(super) fn apply_reading(&mut self, op: &Op) -> Rule {
        let now = self.now;
        match *op {
            Op::Report { product, value, confidence, at, signers } => {
                let trigger = &mut self.products[product].trigger;
                let reading = trigger.reading.as_ref().ok_or("it takes no reading")?;
                let keys = &self.sets[reading.set];
                let named: BTreeSet<usize> = (0..16).filter(|key| signers & 1 << key != 0).collect();
                need(named.len() >= keys.threshold && named.len() <= 6, "too few sign, or too many")?;
                need(named.iter().all(|key| keys.live().contains(key)), "somebody signs who may not")?;
                need(at == reading.input.due_at && at <= now, "another moment")?;
                let counted = reading.counted(value, confidence)?;
                let before = trigger.phase;
                let fell = trigger.look(keys, now) && before == Phase::Met;
                need(trigger.phase != Phase::Final, "it is resolved or void")?;
                let reading = trigger.reading.as_mut().expect("it is a reading");
                let stands = reading.told.report.as_ref().map(|(value, ..)| *value);
                need(stands.is_none_or(|stands| stands == counted), "another value stands")?;
                reading.log.push((now, Said::Report(counted, named)));
                trigger.look(keys, now);
                if fell {
                    // One fell that nobody told: its alert was over, and this is another.
                    let pool = self.products[product].pool;
                    self.products[product].trigger.phase = before;
                    self.accrue(pool);
                    self.products[product].trigger.phase = Phase::Breaching;
                    self.count_alerts(pool);
                    self.products[product].trigger.phase = Phase::Met;
                    self.accrue(pool);
                }
                Ok(())
            }
            Op::Resolve { product } => {
                let trigger = &mut self.products[product].trigger;
                let reading = trigger.reading.as_ref().ok_or("it takes no reading")?;
                let (keys, before) = (&self.sets[reading.set], trigger.phase);
                need(before != Phase::Final, "it is over")?;
                trigger.look(keys, now);
                need(trigger.phase != before, "nothing is due")
            }
            Op::Equivocate { set, key } => {
                let keys = &mut self.sets[set];
                need(key < keys.keys && !keys.revoked.contains_key(&key), "no key that may sign")?;
                keys.revoked.insert(key, now);
                for product in &mut self.products {
                    if let Some(reading) = product.trigger.reading.as_mut().filter(|reading| reading.set == set) {
                        reading.log.push((now, Said::Revoked(key)));
                    }
                }
                Ok(())
            }
            _ => super::unknown(op, "reading"),
        }
    }
}
