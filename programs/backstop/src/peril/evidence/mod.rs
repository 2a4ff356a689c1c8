//! The evidence of a trigger: a pure state machine over a set of signed prints.
//!
//! Time is cut into slots. For the last 256 of them the machine keeps whether a Breach and whether a Recovered was
//! shown, and the highest Breach price. A slot is *good* if a Breach and no Recovered was shown in it. The trigger is
//! *met* at the earliest good slot m such that, f being the `need`-th good slot counted back from m, the slots f..m
//! contain at most `tolerance` slots that are not good, and none that is recovered. (`docs/src/how/evidence.md`)
//!
//! What counts is which prints were shown, not by whom or in which order, because the two sides are asymmetric:
//!
//! - a Breach is taken until half a challenge after the end of its slot (then the slot is *closed*), a Recovered until
//!   the trigger is confirmed, so every window stands open to contradiction for at least half a challenge;
//! - the wait ends one challenge after the end of slot m, whenever its prints were shown, so nobody can stretch it;
//! - a Breach can only help and a Recovered only hurt, so whoever keeps a print back gains nothing if somebody else
//!   may show it.
//!
//! # Why the ring forgets nothing that matters
//!
//! Every call first brings the phase up to now, and only then turns the ring. A window that holds is due one challenge
//! after its end, and [`Terms::validate`] keeps `need + tolerance + challenge / slot_seconds` at least 32 slots below
//! the ring: while Met, f is therefore always inside. A window that does not hold yet can only come to hold through a
//! Breach in a slot that is not closed, so it too begins inside.
//!
//! # Cost
//!
//! Time alone changes the phase in two ways: a Met trigger falls due, a Breaching one loses the closed slot too many.
//! Both moments follow from cached slots (`window_last`, `newest_good`), so a call that brings no news compares two
//! numbers. Windows are searched only when a slot becomes good or one of the window's is recovered, and then only
//! among those that the slot can have changed.
//!
//! # Totality
//!
//! No function here can panic, whatever the numbers: terms that were not validated give nonsense or a refusal.

pub mod ring;
pub mod terms;
pub mod window;

pub use crate::payout::{FULL_SEVERITY_BPS, Severity};
pub use ring::*;
pub use terms::*;
pub use window::*;

use crate::peril::feed::Observation;
use anchor_lang::prelude::*;

stored_enum! {
    /// Where a trigger stands.
    pub enum Phase {
        /// None of the others.
        Quiet = 0,
        /// There is a good slot f such that f..now holds no recovered slot and at most `tolerance` closed slots that
        /// are not good.
        Breaching = 1,
        /// The condition holds for the prints shown, and may be contradicted.
        Met = 2,
        /// The condition held and was not contradicted in time. Final.
        Triggered = 3,
    }
}

/// Why a print, or a confirmation, is refused. A refusal changes no byte of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceError {
    /// The print's slot has not begun.
    SlotNotBegun,
    /// The print's slot is no longer in the ring.
    TooOld,
    /// The print is a Breach and its slot is closed.
    SlotClosed,
    /// There is no met window whose challenge is over.
    NotDue,
}

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Phase as it was stored before the call.
    pub before: Phase,
    /// Phase after the call.
    pub after: Phase,
    /// What the observed print says; `None` where no print was shown.
    pub class: Option<Class>,
    /// Whether anything was written at all, the last print included.
    pub changed: bool,
}

impl Outcome {
    /// Whether the phase is another than before.
    pub fn phase_changed(&self) -> bool {
        self.before != self.after
    }
}

impl Evidence {
    /// Shows a print. Open to anyone, in every phase; a print that was shown before changes nothing.
    ///
    /// The print is judged first: a refused one changes no byte, not even the phase. Then the phase is brought up to
    /// now, so that a confirmation that is due cannot be undone by it. Once Triggered, prints are still judged, and
    /// those that are taken have no effect.
    ///
    /// Errors: `SlotNotBegun`, `TooOld`, `SlotClosed`.
    pub fn observe(
        &mut self,
        terms: &Terms,
        print: &Observation,
        now: i64,
    ) -> core::result::Result<Outcome, EvidenceError> {
        let class = terms.classify(print);
        let slot = self.admit(terms, print, class, now)?;
        let before = self.phase();
        let mut changed = self.advance(terms, now);
        if self.phase() != Phase::Triggered {
            changed |= self.note_last(print);
            let news = match class {
                Class::Breach => self.note_breach(terms, slot, print.price),
                Class::Recovered => self.note_recovered(terms, slot),
                Class::Unclear => false,
            };
            if news {
                changed = true;
                self.advance(terms, now);
            }
        }
        Ok(Outcome { before, after: self.phase(), class: Some(class), changed })
    }

    /// Brings the phase up to now.
    pub fn refresh(&mut self, terms: &Terms, now: i64) -> Outcome {
        let before = self.phase();
        let changed = self.advance(terms, now);
        Outcome { before, after: self.phase(), class: None, changed }
    }

    /// Brings the phase up to now, where that makes it Triggered. Confirming again changes nothing and is no error.
    ///
    /// Errors: `NotDue`; nothing is changed then.
    pub fn confirm(&mut self, terms: &Terms, now: i64) -> core::result::Result<Outcome, EvidenceError> {
        if self.phase() != Phase::Triggered && !self.due(terms, now) {
            return Err(EvidenceError::NotDue);
        }
        Ok(self.refresh(terms, now))
    }

    /// Phase as of the last call that changed something.
    pub fn phase(&self) -> Phase {
        Phase::stored(self.phase)
    }

    /// Phase that a call at this time would find.
    pub fn phase_at(&self, terms: &Terms, now: i64) -> Phase {
        if self.phase() == Phase::Triggered || self.due(terms, now) {
            Phase::Triggered
        } else if self.window_last != 0 {
            Phase::Met
        } else if self.breaching(terms, now) {
            Phase::Breaching
        } else {
            Phase::Quiet
        }
    }

    /// Whether the print may be shown now, and the slot that it belongs to.
    fn admit(
        &self,
        terms: &Terms,
        print: &Observation,
        class: Class,
        now: i64,
    ) -> core::result::Result<u64, EvidenceError> {
        let slot = terms.slot_of(print.publish_time).ok_or(EvidenceError::TooOld)?;
        if slot > terms.slot_of(now).unwrap_or(0) {
            return Err(EvidenceError::SlotNotBegun);
        }
        // The head is never newer than now, unless the clock ran backwards.
        if slot < terms.first_slot_in_ring(now) || slot < self.tail() {
            return Err(EvidenceError::TooOld);
        }
        if class == Class::Breach && now > terms.open_until(slot) {
            return Err(EvidenceError::SlotClosed);
        }
        Ok(slot)
    }

    /// Brings the phase up to now; whether that changed anything.
    fn advance(&mut self, terms: &Terms, now: i64) -> bool {
        let before = self.phase();
        let after = self.phase_at(terms, now);
        if before == after {
            return false;
        }
        if after == Phase::Triggered
            && let Some(window) = self.window(terms)
        {
            self.event_at = window.event_at;
            self.met_at = window.met_at;
            self.triggered_at = now;
            let (sum, good) = self.price_sum(&window);
            let mean = sum.checked_div(u128::from(good)).unwrap_or(0);
            self.mean_price = u64::try_from(mean).unwrap_or(u64::MAX);
            self.severity_bps = terms.severity_bps(sum, good);
        }
        self.phase = after.byte();
        true
    }

    /// Whether a met window's challenge is over.
    fn due(&self, terms: &Terms, now: i64) -> bool {
        self.window_last != 0 && now > terms.contradicted_until(self.window_last)
    }

    /// Whether the newest good slot still makes the trigger Breaching: no Recovered was shown in a later slot, and at
    /// most `tolerance` of the later slots are closed. (An earlier f would only add slots to f..now.)
    fn breaching(&self, terms: &Terms, now: i64) -> bool {
        let first_too_many = self.newest_good.saturating_add(u64::from(terms.tolerance)).saturating_add(1);
        self.newest_good != 0 && now <= terms.open_until(first_too_many)
    }

    /// Keeps the print if it is the newest. Of several in one second it keeps the lowest, then the least certain, so
    /// that the result does not depend on the order.
    fn note_last(&mut self, print: &Observation) -> bool {
        let key = |time: i64, price: u64, confidence: u64| (time, u64::MAX.wrapping_sub(price), confidence);
        let kept = key(self.last_publish_time, self.last_price, self.last_confidence);
        if self.last_publish_time != 0 && key(print.publish_time, print.price, print.confidence) <= kept {
            return false;
        }
        self.last_price = print.price;
        self.last_confidence = print.confidence;
        self.last_publish_time = print.publish_time;
        true
    }

    /// Notes a Breach in an open slot.
    fn note_breach(&mut self, terms: &Terms, slot: u64, price: u64) -> bool {
        self.turn(slot);
        let first = !bit(&self.breached, slot);
        if !first && price <= self.price_bits(slot) {
            return false;
        }
        if let Some(kept) = self.prices.get_mut(place(slot)) {
            *kept = price;
        }
        set_bit(&mut self.breached, slot);
        if first && !bit(&self.recovered, slot) {
            if slot > self.newest_recovered {
                self.newest_good = self.newest_good.max(slot);
            }
            self.search_around(terms, slot);
        }
        true
    }

    /// Notes a Recovered.
    fn note_recovered(&mut self, terms: &Terms, slot: u64) -> bool {
        self.turn(slot);
        if bit(&self.recovered, slot) {
            return false;
        }
        set_bit(&mut self.recovered, slot);
        self.newest_recovered = self.newest_recovered.max(slot);
        if slot >= self.newest_good {
            self.newest_good = 0;
        }
        if (self.window_first..=self.window_last).contains(&slot) {
            // Windows that end before the old one did not hold, and those that reach back over the slot no longer can.
            (self.window_first, self.window_last) =
                self.search(terms, slot.saturating_add(1), self.head).unwrap_or((0, 0));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: u32 = 600;

    fn terms() -> Terms {
        Terms::new(&TermsInput {
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Binary,
            duration_seconds: 10 * SLOT,
            slot_seconds: SLOT,
            tolerance_seconds: 2 * SLOT,
            challenge_seconds: 12 * SLOT,
            confidence_multiplier: 200,
        })
        .unwrap()
    }

    /// What the caches of a trigger that is not Triggered must say, from one scan of the whole ring.
    fn check_caches(evidence: &Evidence, terms: &Terms) {
        let (tail, head) = (evidence.tail(), evidence.head);
        let window = evidence.search(terms, tail, head).unwrap_or((0, 0));
        assert_eq!((evidence.window_first, evidence.window_last), window);
        let last_where = |test: &dyn Fn(u64) -> bool| (tail..=head).rev().find(|slot| test(*slot));
        let recovered = last_where(&|slot| evidence.is_recovered(slot)).unwrap_or(0);
        let good = last_where(&|slot| evidence.is_good(slot) && slot > recovered).unwrap_or(0);
        if evidence.newest_recovered >= tail {
            assert_eq!(evidence.newest_recovered, recovered);
        }
        if evidence.newest_good >= tail || good != 0 {
            assert_eq!(evidence.newest_good, good);
        }
        for slot in tail..=head {
            assert_eq!(evidence.breach_price(slot).is_some(), bit(&evidence.breached, slot));
            assert_eq!(evidence.price_bits(slot) != 0, bit(&evidence.breached, slot));
        }
    }

    #[test]
    fn the_caches_equal_a_scan_of_the_whole_ring_after_every_print() {
        let terms = terms();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut met = 0;
        for _ in 0..300 {
            let mut evidence = Evidence::default();
            let mut now = 1_700_006_400 + random(1_000_000) as i64;
            for _ in 0..150 {
                now += random(500) as i64;
                if random(100) == 0 {
                    now += random(400) as i64 * i64::from(SLOT);
                }
                let ago = if random(3) == 0 { random(12_000) } else { random(300) };
                let price = if random(60) == 0 { 97_000_000 } else { 90_000_000 };
                let print =
                    Observation { price: price + random(1_000_000), confidence: 0, publish_time: now - ago as i64 };
                let _ = evidence.observe(&terms, &print, now);
                if evidence.phase() == Phase::Triggered {
                    break;
                }
                check_caches(&evidence, &terms);
                met += u32::from(evidence.phase() == Phase::Met);
            }
        }
        assert!(met > 500, "met only {met} times");
    }

    #[test]
    fn zeros_are_a_new_trigger() {
        let evidence = Evidence::default();
        assert_eq!(evidence.phase(), Phase::Quiet);
        assert_eq!(evidence.window(&terms()), None);
        assert_eq!(evidence.longest_credited(&terms()), 0);
        assert!(bytemuck::bytes_of(&evidence).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn longest_credited_counts_the_best_window_and_stops_at_need() {
        let terms = terms();
        let first = terms.slot_of(1_700_006_400).unwrap();
        let mut evidence = Evidence::default();
        let mut show = |slot: u64, price: u64| {
            let print = Observation { price, confidence: 0, publish_time: terms.slot_start(first + slot) };
            evidence.observe(&terms, &print, print.publish_time).unwrap();
            evidence.longest_credited(&terms)
        };
        assert_eq!(show(0, 90_000_000), 1);
        assert_eq!(show(3, 90_000_000), 2);
        assert_eq!(show(4, 90_000_000), 3);
        assert_eq!(show(7, 90_000_000), 3, "four slots without evidence are too many");
        assert_eq!(show(8, 97_000_000), 3);
        for slot in 9..18 {
            assert_eq!(u64::from(show(slot, 90_000_000)), (slot - 8).max(3));
        }
        assert_eq!(show(18, 90_000_000), 10);
        assert_eq!(show(19, 90_000_000), 10);
    }
}
