//! Evidence: the set of prints that were taken, and what follows from it by the definition of
//! `docs/src/how/evidence.md`: the declarative rule of `programs/backstop/tests/evidence_rule`.

use super::{Model, N, Rule, need};
use crate::fuzz::op::Op;
use backstop::peril::evidence::{Direction, SlotState, Terms};
use backstop::peril::feed::Observation;
use std::collections::BTreeMap;

#[path = "../../../../programs/backstop/tests/evidence_rule/mod.rs"]
pub mod evidence_rule;

pub use backstop::peril::evidence::Phase;
use evidence_rule::Expected;

/// What was shown to a trigger.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The condition.
    pub terms: Terms,
    /// Which feed.
    pub feed: u8,
    /// The set of prints, and what it says.
    pub(super) rule: evidence_rule::Model,
    /// By slot, the worst price with its confidences that was shown, in 1e-10; mirrored at 0 where prices above the threshold
    /// are insured against, so that lower is worse.
    lowest: BTreeMap<i64, i128>,
    /// The phase as last brought up to date.
    pub phase: Phase,
    /// The newest print: publish time, price, confidence.
    pub last: Option<(i64, u64, u64)>,
    /// The window, while met and once triggered: its first and last slot; else zeros.
    pub window: (i64, i64),
    /// Once triggered: when the event began.
    pub event_at: i64,
    /// Once triggered: what is paid so far, in basis points.
    pub severity: N,
    /// What it is if it takes no prints.
    pub reading: Option<super::Reading>,
    /// The vaults whose fall it shows, which is one of two keys.
    pub vaults: Option<super::Vaults>,
    /// The live rate that it listens to.
    pub rate: Option<super::Rate>,
}

impl Evidence {
    /// Nothing shown yet.
    pub fn new(terms: Terms, feed: u8) -> Self {
        Self {
            terms,
            feed,
            rule: evidence_rule::Model::new(terms),
            lowest: BTreeMap::new(),
            phase: Phase::Quiet,
            last: None,
            window: (0, 0),
            event_at: 0,
            severity: 0,
            reading: None,
            vaults: None,
            rate: None,
        }
    }

    fn slot(&self, time: i64) -> i64 {
        time.div_euclid(i64::from(self.terms.slot_seconds))
    }

    /// Worst price with its confidences in the quiet time, by whole slots, and of the last print, in 1e-10, lower being
    /// worse.
    pub fn lowest(&self, now: i64) -> Option<i128> {
        let (_, price, confidence) = self.last?;
        let since = self.slot(now - i64::from(self.terms.quiet));
        let shown = self.lowest.range(since..).map(|(_, lowest)| *lowest);
        shown.chain([self.less_doubt(price, confidence)]).min()
    }

    /// A price in 1e-10, of which the lower is the worse.
    pub fn mirrored(&self, price: u64) -> i128 {
        match self.terms.direction() {
            Direction::Below => i128::from(price) * 100,
            Direction::Above => -i128::from(price) * 100,
        }
    }

    fn less_doubt(&self, price: u64, confidence: u64) -> i128 {
        self.mirrored(price) - i128::from(confidence) * i128::from(self.terms.confidence_multiplier)
    }

    /// Once triggered: when that was proven, and when nothing can change any more what is paid.
    pub fn proven_and_final(&self) -> (i64, i64) {
        if let Some(reading) = &self.reading {
            let over_at = reading.told.over_at.expect("it is over");
            return (over_at, over_at);
        }
        if let Some(vaults) = &self.vaults {
            let confirmed_at = vaults.confirmed_at.expect("it is confirmed");
            return (confirmed_at, confirmed_at);
        }
        let (_, last) = self.window;
        let met_at = (last + 1) * i64::from(self.terms.slot_seconds);
        let proven_at = met_at + i64::from(self.terms.challenge);
        (proven_at, self.terms.settled_at(self.terms.last_of_run_on(last.unsigned_abs())))
    }

    /// Whether an event is proven by now, whether or not the phase says so.
    pub fn is_proven_by(&self, now: i64) -> bool {
        self.phase.is_triggered() || self.vaults.is_none() && self.rule.at(now).phase().is_triggered()
    }

    /// Brings the phase up to now.
    pub(super) fn refresh(&mut self, now: i64) {
        if self.phase == Phase::Final {
            return;
        }
        if let Some(reading) = &self.reading {
            // What needs attestors is told by others.
            if self.phase == Phase::Quiet && now >= reading.input.due_at {
                self.phase = Phase::Breaching;
            }
            return;
        }
        if self.vaults.is_some() {
            self.stand(now);
            return;
        }
        let expected = self.rule.at(now);
        self.phase = expected.phase();
        self.window = match expected {
            Expected::Quiet | Expected::Breaching => (0, 0),
            Expected::Met { f, m } => (f as i64, m as i64),
            Expected::Proven(proof) => {
                (self.event_at, self.severity) = (proof.event_at, proof.bps.into());
                (self.slot(proof.event_at), self.slot(proof.met_at) - 1)
            }
        };
    }

    /// Whether it takes prints.
    pub fn takes_prints(&self) -> bool {
        self.reading.is_none() && self.vaults.is_none() && self.rate.is_none()
    }

    /// What the slot of now says.
    pub fn state(&self, now: i64) -> SlotState {
        let slot = self.rule.slot(now);
        match (self.rule.is_recovered(slot), self.rule.is_good(slot)) {
            (true, _) => SlotState::Recovered,
            (_, true) => SlotState::Good,
            (false, false) => SlotState::Open,
        }
    }

    /// Forgets all that was shown.
    pub(super) fn forget_all(&mut self) {
        self.rule = evidence_rule::Model::new(self.terms);
        self.lowest.clear();
        (self.last, self.window) = (None, (0, 0));
    }

    pub(super) fn observe(&mut self, price: u64, confidence: u64, at: i64, now: i64) -> Rule {
        need(at <= now + 5, "the print is from the future")?;
        let print = Observation { price, confidence, publish_time: at };
        need(self.rule.refusal(&print, now).is_none(), "the print is not taken at this time")?;
        self.refresh(now);
        if self.phase == Phase::Final {
            return Ok(());
        }
        let newer = |(time, kept, doubt): (i64, u64, u64)| {
            (at, -self.mirrored(price), confidence) > (time, -self.mirrored(kept), doubt)
        };
        if self.last.is_none_or(newer) {
            self.last = Some((at, price, confidence));
        }
        let least = self.less_doubt(price, confidence);
        let lowest = self.lowest.entry(self.slot(at)).or_insert(least);
        *lowest = least.min(*lowest);
        self.rule.show(print, now);
        self.refresh(now);
        if !self.phase.is_triggered() {
            // Far older ones are in no window and in no ring.
            self.rule.forget(self.rule.slot(now).saturating_sub(600));
        }
        Ok(())
    }
}

/// How deep a pool is in alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// Products in alert.
    pub count: u32,
    /// Those that are more than breaching.
    pub due: u32,
    /// Their exposure.
    pub exposure: N,
}

impl Model {
    /// Whether a product of the same pool and risk group is in alert.
    pub fn group_alert(&self, product: usize) -> bool {
        let of = |index: usize| (self.products[index].pool, self.products[index].terms.risk_group);
        (0..self.products.len()).any(|other| of(other) == of(product) && self.alert_of(other).0)
    }

    /// Whether a product is in alert, and whether it is more than breaching.
    pub(super) fn alert_of(&self, index: usize) -> (bool, bool) {
        let funded = self.products[index].released;
        let (alert, due) = match self.products[index].trigger.phase {
            Phase::Quiet => (false, false),
            Phase::Breaching => (true, false),
            Phase::Met => (true, true),
            Phase::Triggered | Phase::Final => (!funded, !funded),
        };
        let counts = self.exposure(index) > 0;
        (alert && counts, due && counts)
    }

    /// Products of a pool in alert: with exposure, and breaching, met, or triggered and without an incident.
    pub fn alerts(&self, pool: usize) -> Alerts {
        let mut alerts = Alerts::default();
        for index in (0..self.products.len()).filter(|index| self.products[*index].pool == pool) {
            let (alert, due) = self.alert_of(index);
            if alert {
                alerts.count += 1;
                alerts.due += u32::from(due);
                alerts.exposure += self.exposure(index);
            }
        }
        alerts
    }

    /// Shows something to a trigger whose alert may be over by the clock, though nobody has called: what begins then is
    /// another.
    pub(super) fn show_anew(&mut self, product: usize, show: impl FnOnce(&mut Evidence) -> Rule) -> Rule {
        let now = self.now;
        let trigger = &mut self.products[product].trigger;
        let before = trigger.phase;
        trigger.refresh(now);
        let was_over = before == Phase::Breaching && trigger.phase == Phase::Quiet;
        show(trigger)?;
        if was_over && trigger.phase != Phase::Quiet {
            let after = std::mem::replace(&mut trigger.phase, Phase::Quiet);
            let pool = self.products[product].pool;
            self.products[product].trigger.phase = before;
            self.accrue(pool);
            self.products[product].trigger.phase = Phase::Quiet;
            self.count_alerts(pool);
            self.products[product].trigger.phase = after;
        }
        Ok(())
    }

    pub(super) fn apply_evidence(&mut self, op: &Op) -> Rule {
        let now = self.now;
        match *op {
            Op::Observe { product, feed, price, confidence, publish_time } => {
                let trigger = &self.products[product].trigger;
                need(feed == trigger.feed, "another feed")?;
                need(trigger.takes_prints(), "it takes no prints")?;
                need(price > 0, "no price")?;
                self.show_anew(product, |trigger| trigger.observe(price, confidence, publish_time, now))
            }
            Op::Refresh { product } => {
                self.products[product].trigger.refresh(now);
                Ok(())
            }
            Op::Confirm { product } => {
                let trigger = &mut self.products[product].trigger;
                need(trigger.vaults.is_none() || trigger.phase.is_triggered(), "it is not due")?;
                trigger.refresh(now);
                need(trigger.phase.is_triggered() && trigger.reading.is_none(), "it is not due")
            }
            _ => super::unknown(op, "evidence"),
        }
    }
}
