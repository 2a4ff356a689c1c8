//! Evidence: the set of prints that were taken, and what follows from it by the definition of
//! `docs/src/how/evidence.md`.

use super::{Model, N, Rule, need};
use crate::fuzz::op::Op;
use backstop::peril::evidence::{Severity, Terms};
use std::collections::BTreeMap;

pub use backstop::peril::evidence::Phase;

/// What was shown to a trigger.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The condition.
    pub terms: Terms,
    /// Which feed.
    pub feed: u8,
    /// By slot: the highest breach price, and whether a recovery was shown.
    pub slots: BTreeMap<i64, (Option<u64>, bool)>,
    /// The phase as last brought up to date.
    pub phase: Phase,
    /// The newest print: publish time, price, confidence.
    pub last: Option<(i64, u64, u64)>,
    /// Once triggered: when the event began.
    pub event_at: i64,
    /// Once triggered: what is paid, in basis points.
    pub severity: N,
    /// Once triggered: when it was confirmed.
    pub triggered_at: i64,
}

/// A window that meets the condition: its first and last slot.
pub type Window = (i64, i64);

impl Evidence {
    /// Nothing shown yet.
    pub fn new(terms: Terms, feed: u8) -> Self {
        let slots = BTreeMap::new();
        Self { terms, feed, slots, phase: Phase::Quiet, last: None, event_at: 0, severity: 0, triggered_at: 0 }
    }

    fn slot_seconds(&self) -> i64 {
        i64::from(self.terms.slot_seconds)
    }

    fn slot(&self, time: i64) -> i64 {
        time.div_euclid(self.slot_seconds())
    }

    fn end(&self, slot: i64) -> i64 {
        (slot + 1) * self.slot_seconds()
    }

    fn is_closed(&self, slot: i64, now: i64) -> bool {
        now > self.end(slot) + i64::from(self.terms.challenge / 2)
    }

    fn good(&self, slot: i64) -> bool {
        matches!(self.slots.get(&slot), Some((Some(_), false)))
    }

    fn recovered(&self, slot: i64) -> bool {
        matches!(self.slots.get(&slot), Some((_, true)))
    }

    /// The earliest good slot m such that, f being the need-th good slot back from it, f..m holds at most `tolerance`
    /// slots that are not good and none that is recovered.
    pub fn window(&self) -> Option<Window> {
        let newest = *self.slots.keys().next_back()?;
        let recent = self.slots.range(newest - 400..);
        let good: Vec<i64> = recent.map(|(slot, _)| *slot).filter(|slot| self.good(*slot)).collect();
        let need = i64::from(self.terms.need);
        let windows = good.windows(usize::from(self.terms.need)).map(|slots| (slots[0], slots[slots.len() - 1]));
        let mut holding = windows.filter(|(first, last)| {
            last - first + 1 - need <= i64::from(self.terms.tolerance)
                && !(*first..=*last).any(|slot| self.recovered(slot))
        });
        holding.next()
    }

    /// Whether some good slot f has no recovered slot after it and at most `tolerance` closed ones that are not good.
    fn breaching(&self, now: i64) -> bool {
        let good = self.slots.keys().rev().copied().take_while(|slot| !self.recovered(*slot)).find(|s| self.good(*s));
        let Some(first) = good else { return false };
        let mut missing = 0;
        let mut slot = first + 1;
        while self.is_closed(slot, now) && missing <= i64::from(self.terms.tolerance) {
            missing += 1;
            slot += 1;
        }
        missing <= i64::from(self.terms.tolerance)
    }

    /// When a window that triggered was proven: the end of its challenge.
    pub fn proven_at(&self) -> i64 {
        self.window().map_or(0, |window| self.contradicted_until(window))
    }

    /// The last second at which a met window can be contradicted.
    fn contradicted_until(&self, window: Window) -> i64 {
        self.end(window.1) + i64::from(self.terms.challenge)
    }

    /// Brings the phase up to now.
    fn refresh(&mut self, now: i64) {
        if self.phase == Phase::Triggered {
            return;
        }
        self.phase = match self.window() {
            Some(window) if now > self.contradicted_until(window) => {
                let prices: Vec<N> = (window.0..=window.1)
                    .filter(|slot| self.good(*slot))
                    .filter_map(|slot| self.slots[&slot].0)
                    .map(N::from)
                    .collect();
                let (sum, count) = (prices.iter().sum::<N>(), prices.len() as N);
                let [threshold, full] = [self.terms.threshold, self.terms.full_loss_price].map(N::from);
                self.severity = match self.terms.payout() {
                    Severity::Binary => 10_000,
                    Severity::Linear { .. } => {
                        ((threshold * count).saturating_sub(sum) * 10_000 / ((threshold - full) * count)).min(10_000)
                    }
                };
                self.event_at = window.0 * self.slot_seconds();
                self.triggered_at = now;
                Phase::Triggered
            }
            Some(_) => Phase::Met,
            None if self.breaching(now) => Phase::Breaching,
            None => Phase::Quiet,
        };
    }

    fn observe(&mut self, price: u64, confidence: u64, at: i64, now: i64) -> Rule {
        need(at <= now + 5, "the print is from the future")?;
        let slot = self.slot(at);
        need(slot <= self.slot(now), "the slot has not begun")?;
        let newest = self.slots.keys().next_back().copied().unwrap_or(0);
        need(slot > newest.max(self.slot(now)) - 256, "the print is too old")?;
        let margin = N::from(confidence) * N::from(self.terms.confidence_multiplier);
        let (price_100, threshold, recovery) =
            (N::from(price) * 100, N::from(self.terms.threshold) * 100, N::from(self.terms.recovery) * 100);
        let breach = price_100 + margin < threshold;
        let recovers = !breach && price_100 >= recovery + margin;
        need(!breach || !self.is_closed(slot, now), "the slot is closed")?;
        self.refresh(now);
        if self.phase == Phase::Triggered {
            return Ok(());
        }
        let newer = |(time, kept, doubt): (i64, u64, u64)| {
            (at, std::cmp::Reverse(price), confidence) > (time, std::cmp::Reverse(kept), doubt)
        };
        if self.last.is_none_or(newer) {
            self.last = Some((at, price, confidence));
        }
        if breach || recovers {
            let entry = self.slots.entry(slot).or_default();
            if breach {
                entry.0 = Some(entry.0.unwrap_or(0).max(price));
            } else {
                entry.1 = true;
            }
            self.refresh(now);
            // Far older ones are in no window and in no ring.
            self.slots = self.slots.split_off(&(newest.max(slot) - 600));
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
    /// Products of a pool in alert: with exposure, and breaching, met, or triggered and without an incident.
    pub fn alerts(&self, pool: usize) -> Alerts {
        let mut alerts = Alerts::default();
        for (index, product) in self.products.iter().enumerate().filter(|(_, product)| product.pool == pool) {
            let funded = product.released;
            let (alert, due) = match product.trigger.phase {
                Phase::Quiet => (false, false),
                Phase::Breaching => (true, false),
                Phase::Met => (true, true),
                Phase::Triggered => (!funded, !funded),
            };
            let exposure = self.exposure(index);
            if alert && exposure > 0 {
                alerts.count += 1;
                alerts.due += u32::from(due);
                alerts.exposure += exposure;
            }
        }
        alerts
    }

    pub(super) fn apply_evidence(&mut self, op: &Op) -> Rule {
        let now = self.now;
        match *op {
            Op::Observe { product, feed, price, confidence, publish_time } => {
                let trigger = &mut self.products[product].trigger;
                need(feed == trigger.feed, "another feed")?;
                need(price > 0, "no price")?;
                trigger.observe(price, confidence, publish_time, now)
            }
            Op::Refresh { product } => {
                self.products[product].trigger.refresh(now);
                Ok(())
            }
            Op::Confirm { product } => {
                let trigger = &mut self.products[product].trigger;
                trigger.refresh(now);
                need(trigger.phase == Phase::Triggered, "it is not due")
            }
            _ => super::unknown(op, "evidence"),
        }
    }
}
