//! The evidence machine's rule as `docs/src/how/evidence.md` states it: windows over a set of prints, without a ring,
//! caches or steps. Written from the page alone.
//!
//! Property tests, the keeper's tests and the fuzz target `evidence` hold the program's machine against it.

// Each of those that include it uses a part.
#![allow(dead_code)]

use backstop::peril::evidence::{Class, Direction, Evidence, EvidenceError, Phase, Severity, Terms, TermsInput};
use backstop::peril::feed::Observation;
use std::collections::BTreeMap;

/// What a set of prints says at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing is under way.
    Quiet,
    /// Some good slot stands that can still become part of a window.
    Breaching,
    /// A window holds from slot `f` to slot `m`.
    Met {
        /// First slot of the window.
        f: u64,
        /// Last slot of the window.
        m: u64,
    },
    /// A window held when its last slot settled.
    Proven(Proof),
}

/// What is proven, once a window has held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Start of the window's first slot.
    pub event_at: i64,
    /// End of its last slot.
    pub met_at: i64,
    /// Mean of its highest breaches, 1e-8, rounded down; above the threshold of its lowest, rounded up.
    pub first_mean: u64,
    /// What that pays.
    pub first_bps: u16,
    /// Lowest such mean of that window and of the later ones so far.
    pub lowest_mean: u64,
    /// What that pays.
    pub bps: u16,
    /// When it was final, if it is.
    pub final_at: Option<i64>,
}

impl Proof {
    /// What the machine has proven, if it has, once it is final.
    pub fn of(evidence: &Evidence) -> Option<Self> {
        (evidence.met_at != 0).then_some(Self {
            event_at: evidence.event_at,
            met_at: evidence.met_at,
            first_mean: evidence.first_mean,
            first_bps: evidence.first_severity_bps,
            lowest_mean: evidence.lowest_mean,
            bps: evidence.severity_bps,
            final_at: Some(evidence.final_at),
        })
    }
}

/// Terms below 0.95, recovered at 0.97, of lengths in slots.
pub fn terms(slot: u32, need: u32, tolerance: u32, challenge: u32, run_on: u32, severity: Severity) -> Terms {
    Terms::new(&TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 97_000_000,
        severity,
        duration_seconds: need * slot,
        slot_seconds: slot,
        tolerance_seconds: tolerance * slot,
        challenge_seconds: challenge * slot,
        run_on_seconds: run_on * slot,
        quiet_seconds: need * slot,
        confidence_multiplier: 200,
    })
    .expect("they are within the bounds")
}

/// The last second in which a print may be shown.
pub fn last_moment(terms: &Terms, print: &Observation) -> i64 {
    let slot = terms.slot_of(print.publish_time).expect("it has a slot");
    match terms.classify(print) {
        Class::Recovered => terms.contradicted_until(slot),
        Class::Breach | Class::Above | Class::Unclear => terms.open_until(slot),
    }
}

impl Expected {
    /// The phase that the machine should be in.
    pub fn phase(self) -> Phase {
        match self {
            Self::Quiet => Phase::Quiet,
            Self::Breaching => Phase::Breaching,
            Self::Met { .. } => Phase::Met,
            Self::Proven(Proof { final_at: None, .. }) => Phase::Triggered,
            Self::Proven(_) => Phase::Final,
        }
    }
}

/// What was shown in a slot.
#[derive(Clone, Debug, Default)]
struct Cell {
    breaches: Vec<u64>,
    aboves: Vec<i64>,
    recovered: Vec<i64>,
    /// What follows: the mildest of the breaches if the slot is good, and whether it is recovered.
    good: Option<u64>,
    is_recovered: bool,
}

/// A set of prints that were shown in their time.
#[derive(Clone, Debug)]
pub struct Model {
    /// The trigger's terms.
    pub terms: Terms,
    cells: BTreeMap<u64, Cell>,
}

impl Model {
    /// No prints.
    pub fn new(terms: Terms) -> Self {
        Self { terms, cells: BTreeMap::new() }
    }

    /// The set of all of these prints, each shown in its time.
    pub fn full(terms: Terms, prints: &[Observation]) -> Self {
        let mut model = Self::new(terms);
        for print in prints {
            assert_eq!(model.show(*print, print.publish_time), None);
        }
        model
    }

    /// The slot of a moment.
    pub fn slot(&self, time: i64) -> u64 {
        u64::try_from(time / i64::from(self.terms.slot_seconds)).unwrap_or(0)
    }

    /// First second after a slot.
    pub fn end(&self, slot: u64) -> i64 {
        i64::try_from(slot + 1).unwrap() * i64::from(self.terms.slot_seconds)
    }

    fn start(&self, slot: u64) -> i64 {
        self.end(slot) - i64::from(self.terms.slot_seconds)
    }

    /// What a print says, by the confidence interval around its price.
    pub fn class(&self, print: &Observation) -> Class {
        let hundredths = |value: u64| i128::from(value) * 100;
        let margin = i128::from(self.terms.confidence_multiplier) * i128::from(print.confidence);
        let (low, high) = (hundredths(print.price) - margin, hundredths(print.price) + margin);
        let (threshold, recovery) = (hundredths(self.terms.threshold), hundredths(self.terms.recovery));
        match self.terms.direction() {
            Direction::Below if high < threshold => Class::Breach,
            Direction::Below if low >= recovery => Class::Recovered,
            Direction::Below if low >= threshold => Class::Above,
            Direction::Above if low > threshold => Class::Breach,
            Direction::Above if high <= recovery => Class::Recovered,
            Direction::Above if high <= threshold => Class::Above,
            Direction::Below | Direction::Above => Class::Unclear,
        }
    }

    /// Whether half a challenge has passed since a slot's end.
    pub fn is_past_half(&self, slot: u64, now: i64) -> bool {
        2 * (now - self.end(slot)) >= i64::from(self.terms.challenge)
    }

    /// Whether a slot is settled.
    pub fn is_settled(&self, slot: u64, now: i64) -> bool {
        now >= self.end(slot) + i64::from(self.terms.challenge)
    }

    /// Why a print is not taken at a moment.
    pub fn refusal(&self, print: &Observation, now: i64) -> Option<EvidenceError> {
        let slot = self.slot(print.publish_time);
        let closed = match self.class(print) {
            Class::Recovered => self.is_settled(slot, now),
            Class::Breach | Class::Above | Class::Unclear => self.is_past_half(slot, now),
        };
        if slot > self.slot(now) {
            Some(EvidenceError::SlotNotBegun)
        } else if self.slot(now) - slot >= 256 {
            Some(EvidenceError::TooOld)
        } else {
            closed.then_some(EvidenceError::SlotClosed)
        }
    }

    /// Shows a print.
    pub fn show(&mut self, print: Observation, at: i64) -> Option<EvidenceError> {
        let refusal = self.refusal(&print, at);
        if refusal.is_some() {
            return refusal;
        }
        let class = self.class(&print);
        let cell = self.cells.entry(self.slot(print.publish_time)).or_default();
        match class {
            Class::Breach => cell.breaches.push(print.price),
            Class::Above => cell.aboves.push(print.publish_time),
            Class::Recovered => {
                cell.aboves.push(print.publish_time);
                cell.recovered.push(print.publish_time);
            }
            Class::Unclear => {}
        }
        let slot_seconds = i64::from(self.terms.slot_seconds);
        // Whether two moments lie far enough apart.
        let two = |moments: &[i64]| {
            let far = |one: &i64| moments.iter().any(|other| other - one >= 30 && (other - one) * 10 >= slot_seconds);
            moments.iter().any(far)
        };
        // The one that is nearest to the threshold.
        let mildest = match self.terms.direction() {
            Direction::Below => cell.breaches.iter().copied().max(),
            Direction::Above => cell.breaches.iter().copied().min(),
        };
        cell.good = mildest.filter(|_| !two(&cell.aboves));
        cell.is_recovered = two(&cell.recovered);
        None
    }

    /// Forgets what was shown in slots before one.
    pub fn forget(&mut self, before: u64) {
        self.cells = self.cells.split_off(&before);
    }

    /// Whether a slot is good.
    pub fn is_good(&self, slot: u64) -> bool {
        self.cells.get(&slot).is_some_and(|cell| cell.good.is_some())
    }

    /// Whether a slot is recovered.
    pub fn is_recovered(&self, slot: u64) -> bool {
        self.cells.get(&slot).is_some_and(|cell| cell.is_recovered)
    }

    /// The window that ends in a slot and begins in none before `earliest`: its first slot, and the mean of its highest
    /// breaches.
    fn window(&self, m: u64, earliest: u64) -> Option<(u64, u64)> {
        if !self.is_good(m) {
            return None;
        }
        let (mut sum, mut good, mut others) = (0_u128, 0_u128, 0);
        for slot in (earliest..=m).rev() {
            match self.cells.get(&slot) {
                Some(Cell { is_recovered: true, .. }) => return None,
                Some(Cell { good: Some(highest), .. }) => {
                    good += 1;
                    sum += u128::from(*highest);
                }
                _ => others += 1,
            }
            if good == u128::from(self.terms.need) {
                let mean = match self.terms.direction() {
                    Direction::Below => sum / good,
                    Direction::Above => sum.div_ceil(good),
                };
                return Some((slot, u64::try_from(mean).unwrap()));
            }
            if others > self.terms.tolerance {
                return None;
            }
        }
        None
    }

    /// What a mean pays.
    pub fn severity(&self, mean: u64) -> u16 {
        let terms = &self.terms;
        if terms.full_loss_price == 0 {
            return 10_000;
        }
        let (lost, all) = match terms.direction() {
            Direction::Below => (terms.threshold.saturating_sub(mean), terms.threshold - terms.full_loss_price),
            Direction::Above => (mean.saturating_sub(terms.threshold), terms.full_loss_price - terms.threshold),
        };
        let linear = u128::from(lost) * 10_000 / u128::from(all);
        u16::try_from(linear.min(10_000)).unwrap().max(terms.min_severity_bps)
    }

    /// What the set says at a moment.
    pub fn at(&self, now: i64) -> Expected {
        let slots = || self.cells.keys().copied();
        let settled = |slot: &u64| self.is_settled(*slot, now);
        let first = slots().filter(settled).find_map(|m| Some((m, self.window(m, 0)?)));
        if let Some((m, (f, mean))) = first {
            return Expected::Proven(self.proof(f, m, mean, now));
        }
        if let Some((m, (f, _))) = slots().find_map(|m| Some((m, self.window(m, 0)?))) {
            return Expected::Met { f, m };
        }
        let here = self.slot(now);
        let breaching = slots().filter(|slot| self.is_good(*slot)).any(|f| {
            // More slots than that are past half a challenge without a print in them, since none is newer.
            let newest = self.cells.keys().next_back().copied().unwrap_or(f);
            let until = here.min(newest + u64::from(self.terms.challenge / self.terms.slot_seconds) + 70);
            let late = (f..=until).filter(|slot| !self.is_good(*slot) && self.is_past_half(*slot, now)).count();
            (f..=until).all(|slot| !self.is_recovered(slot)) && late <= usize::from(self.terms.tolerance)
        });
        if breaching { Expected::Breaching } else { Expected::Quiet }
    }

    /// The run-on of a window that held.
    fn proof(&self, f: u64, m: u64, first_mean: u64, now: i64) -> Proof {
        let challenge = i64::from(self.terms.challenge);
        let over = self.end(m) + i64::from(self.terms.run_on);
        let later = |slot: &u64| *slot > m && self.end(*slot) <= over;
        // More recovered slots than the tolerance, with no good one between them.
        let mut in_a_row = 0;
        let recovered = self.cells.keys().copied().filter(later).find(|slot| {
            if self.is_recovered(*slot) {
                in_a_row += 1;
            } else if self.is_good(*slot) {
                in_a_row = 0;
            }
            in_a_row > self.terms.tolerance
        });
        let final_at = recovered.map_or(over, |slot| self.end(slot)) + challenge;
        let counts = |slot: &u64| later(slot) && self.is_settled(*slot, now) && recovered.is_none_or(|end| *slot < end);
        let means = self.cells.keys().copied().filter(counts).filter_map(|slot| Some(self.window(slot, f)?.1));
        let means = means.chain([first_mean]);
        let deepest = match self.terms.direction() {
            Direction::Below => means.min(),
            Direction::Above => means.max(),
        };
        let lowest_mean = deepest.unwrap_or(first_mean);
        Proof {
            event_at: self.start(f),
            met_at: self.end(m),
            first_mean,
            first_bps: self.severity(first_mean),
            lowest_mean,
            bps: self.severity(lowest_mean),
            final_at: (now >= final_at).then_some(final_at),
        }
    }

    /// What the set comes to, once time has passed.
    pub fn outcome(&self) -> Option<Proof> {
        match self.at(i64::MAX / 4) {
            Expected::Proven(proof) => Some(proof),
            _ => None,
        }
    }
}
