//! The evidence machine's rule as `docs/src/how/evidence.md` states it: a window over a set of prints, without a ring, caches or steps.
//!
//! Property tests and the fuzz target `evidence` hold the program's machine against it.

use backstop::peril::evidence::{Class, EvidenceError, Phase, Terms};
use backstop::peril::feed::Observation;
use std::collections::{BTreeMap, BTreeSet};

/// What a set of prints says at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing is under way.
    Quiet,
    /// Some breach stands that can still become a window.
    Breaching,
    /// The condition holds from slot `f` to slot `m`.
    Met {
        /// First slot of the window.
        f: u64,
        /// Last slot of the window.
        m: u64,
    },
    /// A window stood through its challenge.
    Triggered {
        /// Start of the window's first slot.
        event_at: i64,
        /// End of its last slot.
        met_at: i64,
        /// Mean of its breach prices, 1e-8, rounded down.
        mean: u64,
        /// Part of a cover that is paid.
        bps: u16,
    },
}

impl Expected {
    /// The phase that the machine should be in.
    pub fn phase(self) -> Phase {
        match self {
            Self::Quiet => Phase::Quiet,
            Self::Breaching => Phase::Breaching,
            Self::Met { .. } => Phase::Met,
            Self::Triggered { .. } => Phase::Triggered,
        }
    }
}

/// A set of prints, each with the first moment at which it was shown in its time.
#[derive(Clone)]
pub struct Model {
    /// The trigger's terms.
    pub terms: Terms,
    shown: BTreeMap<Observation, i64>,
}

impl Model {
    /// No prints.
    pub fn new(terms: Terms) -> Self {
        Self { terms, shown: BTreeMap::new() }
    }

    /// The set that is shown when every print is shown a second after it was published.
    pub fn live(terms: Terms, prints: &[Observation]) -> Self {
        let mut model = Self::new(terms);
        for print in prints {
            model.shown.insert(*print, print.publish_time + 1);
        }
        model
    }

    /// The slot of a moment.
    pub fn slot(&self, time: i64) -> u64 {
        u64::try_from(time / i64::from(self.terms.slot_seconds)).unwrap()
    }

    /// First second after a slot.
    pub fn end(&self, slot: u64) -> i64 {
        i64::try_from(slot + 1).unwrap() * i64::from(self.terms.slot_seconds)
    }

    /// What a print says, by the confidence interval around its price.
    pub fn class(&self, print: &Observation) -> Class {
        let hundredths = |value: u64| i128::from(value) * 100;
        let margin = i128::from(self.terms.confidence_multiplier) * i128::from(print.confidence);
        if hundredths(print.price) + margin < hundredths(self.terms.threshold) {
            Class::Breach
        } else if hundredths(print.price) - margin >= hundredths(self.terms.recovery) {
            Class::Recovered
        } else {
            Class::Unclear
        }
    }

    /// Whether a slot takes no more breaches.
    pub fn is_closed(&self, slot: u64, now: i64) -> bool {
        2 * (now - self.end(slot)) > i64::from(self.terms.challenge)
    }

    /// Why a print is not taken at a moment.
    pub fn refusal(&self, print: &Observation, now: i64) -> Option<EvidenceError> {
        let slot = self.slot(print.publish_time);
        if slot > self.slot(now) {
            Some(EvidenceError::SlotNotBegun)
        } else if self.slot(now) - slot >= 256 {
            Some(EvidenceError::TooOld)
        } else if self.class(print) == Class::Breach && self.is_closed(slot, now) {
            Some(EvidenceError::SlotClosed)
        } else {
            None
        }
    }

    /// Shows a print.
    pub fn show(&mut self, print: Observation, at: i64) -> Option<EvidenceError> {
        let refusal = self.refusal(&print, at);
        if refusal.is_none() {
            self.shown.entry(print).or_insert(at);
        }
        refusal
    }

    /// Highest Breach price of each slot that has one.
    pub fn breaches(&self) -> BTreeMap<u64, u64> {
        let mut highest = BTreeMap::new();
        for print in self.shown.keys() {
            if self.class(print) == Class::Breach {
                let price = highest.entry(self.slot(print.publish_time)).or_insert(0);
                *price = print.price.max(*price);
            }
        }
        highest
    }

    /// Slots of the Recovered prints, each with the moment of the first.
    pub fn recoveries(&self) -> BTreeMap<u64, i64> {
        let mut first = BTreeMap::new();
        for (print, at) in &self.shown {
            if self.class(print) == Class::Recovered {
                let earliest = first.entry(self.slot(print.publish_time)).or_insert(*at);
                *earliest = (*earliest).min(*at);
            }
        }
        first
    }

    /// The condition at slot m, for a set of good slots and a set of recovered ones: slot f.
    pub fn condition(&self, good: &BTreeSet<u64>, recovered: &BTreeSet<u64>, m: u64) -> Option<u64> {
        let need = usize::from(self.terms.need);
        let f = *good.range(..=m).rev().nth(need - 1)?;
        let not_good = (f..=m).filter(|slot| !good.contains(slot)).count();
        let holds = good.contains(&m)
            && not_good <= usize::from(self.terms.tolerance)
            && recovered.range(f..=m).next().is_none();
        holds.then_some(f)
    }

    /// What the set says at a moment.
    pub fn at(&self, now: i64) -> Expected {
        let breaches = self.breaches();
        let recoveries = self.recoveries();
        let recovered_by = |moment: i64| -> BTreeSet<u64> {
            let shown = |at: &i64| *at <= moment;
            recoveries.iter().filter(|(_, at)| shown(at)).map(|(slot, _)| *slot).collect()
        };
        let good_without = |recovered: &BTreeSet<u64>| -> BTreeSet<u64> {
            let slots = breaches.keys().copied();
            slots.filter(|slot| !recovered.contains(slot)).collect()
        };

        // Triggered: the earliest window that nobody contradicted while its challenge ran.
        for m in breaches.keys().copied() {
            let last_word = self.end(m) + i64::from(self.terms.challenge);
            if now <= last_word {
                break;
            }
            let recovered = recovered_by(last_word);
            let good = good_without(&recovered);
            if let Some(f) = self.condition(&good, &recovered, m) {
                let prices: Vec<u64> = good.range(f..=m).map(|slot| breaches[slot]).collect();
                let sum: u64 = prices.iter().sum();
                return Expected::Triggered {
                    event_at: self.end(f) - i64::from(self.terms.slot_seconds),
                    met_at: self.end(m),
                    mean: sum / prices.len() as u64,
                    bps: self.severity(&prices),
                };
            }
        }

        let recovered = recovered_by(now);
        let good = good_without(&recovered);
        let mut windows = good.iter().filter_map(|m| Some((self.condition(&good, &recovered, *m)?, *m)));
        if let Some((f, m)) = windows.next() {
            return Expected::Met { f, m };
        }
        let breaching = good.iter().any(|f| {
            let mut closed = (*f..=self.slot(now)).filter(|slot| !good.contains(slot) && self.is_closed(*slot, now));
            recovered.range(*f..).next().is_none() && closed.nth(usize::from(self.terms.tolerance)).is_none()
        });
        if breaching { Expected::Breaching } else { Expected::Quiet }
    }

    pub fn severity(&self, prices: &[u64]) -> u16 {
        if self.terms.full_loss_price == 0 {
            return 10_000;
        }
        let threshold = self.terms.threshold;
        let lost: u128 = prices.iter().map(|price| u128::from(threshold - price)).sum();
        let each = u128::from(threshold - self.terms.full_loss_price);
        let full = each * prices.len() as u128;
        u16::try_from((lost * 10_000 / full).min(10_000)).unwrap()
    }

    /// Whether the set triggers once time has passed, and when at the earliest.
    pub fn fires(&self) -> Option<(Expected, i64)> {
        let ever = self.at(i64::MAX / 4);
        match ever {
            Expected::Triggered { met_at, .. } => Some((ever, met_at + i64::from(self.terms.challenge) + 1)),
            _ => None,
        }
    }
}
