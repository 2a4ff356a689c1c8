//! The evidence of a trigger: a pure state machine over a set of signed prints.
//!
//! Prints are classified as they are, below or above the threshold by the terms' direction; what a slot keeps of a price is
//! mirrored for `Above` ([`Terms::slot_price`]), so that lower is always worse and nothing beyond it knows a direction.
//!
//! Time is cut into slots. For the last 256 of them the machine keeps the highest Breach, the lowest price, and the first
//! and the last second of an Above and of a Recovered. Two prints of a kind count if they lie apart: one print is one
//! venue's moment. A slot is *good* if a Breach and no two Aboves were shown in it, and *recovered* if two Recovered
//! were. A *window* is `need` good slots, with at most `tolerance` others among them, none recovered.
//! (`docs/src/how/evidence.md`)
//!
//! A slot is *settled* one challenge after its end: until half of it a Breach and an Above are taken, until all of it a
//! Recovered. **Every call first processes, in order, each slot that is settled by now, and only then writes.** So what
//! follows from the evidence depends on the set of prints that were shown in their time, and not on who showed them, in
//! which order, when in that time, or when anybody called:
//!
//! - the first window whose last slot settles *triggers*, at T, one challenge after its end: event and first payment are
//!   fixed;
//! - until the end of the run-on, or a recovery that lasts, later windows that begin at the event or after lower the mean,
//!   each when its last slot settles: a collapse is not over when it is proven, nor with one bounce. Severity only grows. A
//!   recovery lasts with more than `tolerance` recovered slots and no good one between them;
//! - then it is *final*.
//!
//! # Why the ring forgets nothing that matters
//!
//! A slot that is not settled is one challenge old at most, and a run of settled slots that a window may still grow from
//! is `need + tolerance` slots long at most. [`Terms::validate`] keeps the sum at least 32 slots below the ring, which turns
//! only after every settled slot was processed. What the run-on needs of the past is one number, the lowest mean.
//!
//! # Cost
//!
//! A slot is processed once: it enters a run, and leaves it. A long silence is skipped, because empty slots end every run
//! after `tolerance` of them; so a call processes 256 slots at most, however late it comes. What a phase depends on is
//! cached, and searched for again only when a slot changes its state.
//!
//! # Totality
//!
//! No function here can panic, whatever the numbers: terms that were not validated give nonsense or a refusal.

pub mod ring;
pub mod terms;
pub mod window;

pub use crate::payout::{FULL_SEVERITY_BPS, MIN_SEVERITY_BPS, Severity};
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
        /// There is a good slot f such that f..now holds no recovered slot and at most `tolerance` slots past half a
        /// challenge that are not good.
        Breaching = 1,
        /// A window holds by what was shown, and its last slot is not settled: it may be contradicted.
        Met = 2,
        /// From T on: a window held when its last slot settled. Event and first payment are fixed.
        Triggered = 3,
        /// The run-on is over. Severity is fixed.
        Final = 4,
    }
}

impl Phase {
    /// Whether the event is proven: from T on.
    pub const fn is_triggered(self) -> bool {
        match self {
            Self::Quiet | Self::Breaching | Self::Met => false,
            Self::Triggered | Self::Final => true,
        }
    }
}

/// Why a print, or a confirmation, is refused. A refusal changes no byte of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceError {
    /// The print's slot has not begun.
    SlotNotBegun,
    /// The print's slot is no longer in the ring.
    TooOld,
    /// The print's slot is settled, or more than half a challenge has passed since its end and the print is no Recovered.
    SlotClosed,
    /// There is no window whose last slot is settled.
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
    /// Whether the print changed what is known.
    pub is_news: bool,
    /// Whether a window of the run-on has deepened the severity.
    pub deepened: bool,
    /// Whether a fall has armed the first of two keys, or deepened it.
    pub armed: bool,
    /// Whether what was Breaching before was over by the clock, unnoticed, and the print begins it anew: another alert.
    pub renewed: bool,
}

impl Outcome {
    /// Whether the phase is another than before.
    pub fn phase_changed(&self) -> bool {
        self.before != self.after || self.renewed
    }

    /// What this call and the next one did together.
    pub fn then(self, next: Self) -> Self {
        Self {
            before: self.before,
            is_news: self.is_news | next.is_news,
            deepened: self.deepened | next.deepened,
            armed: self.armed | next.armed,
            renewed: self.renewed
                | next.renewed
                | (self.after == Phase::Quiet && self.phase_changed() && next.phase_changed()),
            ..next
        }
    }

    /// Whether anything that people or other rules can see is another than before.
    pub fn changed(&self) -> bool {
        self.is_news || self.deepened || self.armed || self.phase_changed()
    }
}

impl Evidence {
    /// Shows a print. Open to anyone, in every phase; a print that was shown before changes nothing.
    ///
    /// The print is judged first: a refused one changes no byte, not even the phase. Then every slot that is settled by
    /// now is processed, so that nothing that is due can be undone by it. Once Final, prints are still judged, and those
    /// that are taken have no effect.
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
        let deepened = self.settle(terms, now);
        let was_over = before == Phase::Breaching && !self.breaching(terms, now);
        let is_news = self.final_at == 0 && {
            let newest = self.note_last(terms, print);
            self.note(terms, slot, class, print) | newest
        };
        let after = self.stand(terms, now);
        let renewed = was_over && after != Phase::Quiet;
        Ok(Outcome { before, after, class: Some(class), is_news, deepened, armed: false, renewed })
    }

    /// Processes what is settled by now, and brings the phase up to now.
    pub fn refresh(&mut self, terms: &Terms, now: i64) -> Outcome {
        let before = self.phase();
        let deepened = self.settle(terms, now);
        let after = self.stand(terms, now);
        Outcome { before, after, class: None, is_news: false, deepened, armed: false, renewed: false }
    }

    /// Brings the phase up to now, where that makes it Triggered or Final. Confirming again changes nothing and is no
    /// error.
    ///
    /// Errors: `NotDue`; nothing is changed then.
    pub fn confirm(&mut self, terms: &Terms, now: i64) -> core::result::Result<Outcome, EvidenceError> {
        if !self.phase().is_triggered() && !self.is_due(terms, now) {
            return Err(EvidenceError::NotDue);
        }
        Ok(self.refresh(terms, now))
    }

    /// Phase as of the last call that changed something.
    pub fn phase(&self) -> Phase {
        Phase::stored(self.phase)
    }

    /// Phase that a call at this time would find. Works on a copy: for clients.
    pub fn phase_at(&self, terms: &Terms, now: i64) -> Phase {
        let mut copy = *self;
        copy.refresh(terms, now).after
    }

    /// When the evidence is Final at the latest, once Triggered: one challenge after the run-on.
    pub fn final_at_latest(&self, terms: &Terms) -> Option<i64> {
        match (self.met_at, self.final_at) {
            (0, _) => None,
            (_, 0) => Some(terms.settled_at(terms.last_of_run_on(self.window_last))),
            (_, final_at) => Some(final_at),
        }
    }

    /// The newest print shown; all zeros if none was.
    pub fn last_print(&self) -> Observation {
        Observation { price: self.last_price, confidence: self.last_confidence, publish_time: self.last_publish_time }
    }

    /// Worst price with its confidences that was shown since a time, as the ring keeps it, by whole slots; `None` if no
    /// print was. See [`Terms::worst_price`].
    pub fn lowest_since(&self, terms: &Terms, since: i64) -> Option<u64> {
        let first = terms.slot_of(since).unwrap_or(0).max(self.tail());
        let shown = self.kept_from(first).into_iter().flatten();
        // Of a slot without a print it is 0, which becomes the greatest.
        let lowest = shown.fold(u64::MAX, |lowest, shown| lowest.min(shown.lowest.wrapping_sub(1)));
        (lowest != u64::MAX).then(|| lowest.saturating_add(1))
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
        let until = match class {
            Class::Recovered => terms.contradicted_until(slot),
            Class::Breach | Class::Above | Class::Unclear => terms.open_until(slot),
        };
        if now > until || slot < self.next {
            return Err(EvidenceError::SlotClosed);
        }
        Ok(slot)
    }

    /// Processes, in order, every slot that is settled by now. Whether that deepened the severity after T.
    fn settle(&mut self, terms: &Terms, now: i64) -> bool {
        let end = terms.first_unsettled(now);
        let apart = terms.apart();
        let mut deepened = false;
        while self.next < end && self.final_at == 0 {
            if self.next > self.head && self.run.good == 0 {
                // Nothing was shown from here on, so nothing follows but the end of the run-on.
                self.next = end;
                let last = terms.last_of_run_on(self.window_last);
                if self.met_at != 0 && end > last {
                    self.final_at = terms.settled_at(last);
                }
                break;
            }
            let slot = self.next;
            self.next = slot.saturating_add(1);
            deepened |= self.process(terms, apart, slot);
        }
        deepened
    }

    /// Processes one slot, the next in order. Whether it deepened the severity after T.
    fn process(&mut self, terms: &Terms, apart: u16, slot: u64) -> bool {
        let is_triggered = self.met_at != 0;
        let shown = self.shown(slot);
        if is_triggered && self.has_recovered(terms, shown.state(apart)) {
            self.final_at = terms.settled_at(slot);
            return false;
        }
        let mut run = self.run;
        let is_good = run.take_slot(self, terms, apart, slot, &shown);
        self.run = run;
        let mut deepened = false;
        if is_good {
            if !is_triggered {
                self.open_good = self.open_good.saturating_sub(1);
            }
            if run.is_window(terms) && is_triggered {
                deepened = self.lower_mean(terms, run.mean());
            } else if run.is_window(terms) {
                self.trigger(terms, run.first, slot, terms.price_of_slot(run.mean()));
            }
        }
        if self.met_at != 0 && slot >= terms.last_of_run_on(self.window_last) {
            self.final_at = terms.settled_at(slot);
        }
        deepened
    }

    /// Takes a slot after T in. Whether a recovery lasts with it: more than `tolerance` slots were recovered, and none
    /// between them was good. A bounce ends no collapse, as a gap ends no window.
    fn has_recovered(&mut self, terms: &Terms, state: SlotState) -> bool {
        match state {
            SlotState::Recovered => self.recovered_slots = self.recovered_slots.saturating_add(1),
            SlotState::Good => self.recovered_slots = 0,
            SlotState::Open => {}
        }
        self.recovered_slots > terms.tolerance
    }

    /// Fixes event and first payment: a window held when its last slot settled.
    fn trigger(&mut self, terms: &Terms, first: u64, last: u64, mean: u64) {
        self.window_first = first;
        self.window_last = last;
        self.event_at = terms.slot_start(first);
        self.met_at = terms.slot_end(last);
        self.first_mean = mean;
        self.lowest_mean = mean;
        self.first_severity_bps = terms.severity_bps(mean);
        self.severity_bps = self.first_severity_bps;
    }

    /// Stores the phase as what was shown has it now.
    fn stand(&mut self, terms: &Terms, now: i64) -> Phase {
        let phase = if self.final_at != 0 {
            Phase::Final
        } else if self.met_at != 0 {
            Phase::Triggered
        } else if self.window_last != 0 {
            Phase::Met
        } else if self.breaching(terms, now) {
            Phase::Breaching
        } else {
            Phase::Quiet
        };
        self.phase = phase.byte();
        phase
    }

    /// Whether a window holds whose last slot is settled by now: the next call triggers.
    pub fn is_due(&self, terms: &Terms, now: i64) -> bool {
        self.window_last != 0 && now >= terms.settled_at(self.window_last)
    }

    /// Whether the newest good slot still makes the trigger Breaching: no later slot is recovered, and at most
    /// `tolerance` of the later slots, none of which is good, are past half a challenge. (An earlier f would only add
    /// slots to f..now.)
    fn breaching(&self, terms: &Terms, now: i64) -> bool {
        let first_too_many = self.newest_good.saturating_add(u64::from(terms.tolerance)).saturating_add(1);
        self.newest_good != 0 && now <= terms.open_until(first_too_many)
    }

    /// Keeps the print if it is the newest. Of several in one second it keeps the worst price, then the least certain, so
    /// that the result does not depend on the order.
    fn note_last(&mut self, terms: &Terms, print: &Observation) -> bool {
        let key = |time: i64, price: u64, confidence: u64| (time, terms.rank(price), confidence);
        let kept = key(self.last_publish_time, self.last_price, self.last_confidence);
        if self.last_publish_time != 0 && key(print.publish_time, print.price, print.confidence) <= kept {
            return false;
        }
        self.last_price = print.price;
        self.last_confidence = print.confidence;
        self.last_publish_time = print.publish_time;
        true
    }

    /// Notes a print in its slot. Whether that changed anything.
    fn note(&mut self, terms: &Terms, slot: u64, class: Class, print: &Observation) -> bool {
        self.turn(slot);
        let worst = terms.worst_price(print);
        let second = terms.second_of_slot(print.publish_time);
        let shown = self.kept_mut(slot);
        let before = *shown;
        if shown.lowest == 0 || worst < shown.lowest {
            shown.lowest = worst;
        }
        match class {
            Class::Breach => shown.highest_breach = shown.highest_breach.max(terms.slot_price(print.price)),
            Class::Above => shown.note_above(second),
            Class::Recovered => {
                shown.note_above(second);
                shown.note_recovered(second);
            }
            Class::Unclear => {}
        }
        let after = *shown;
        if after == before {
            return false;
        }
        let apart = terms.apart();
        let (was, is) = (before.state(apart), after.state(apart));
        if was != is && self.met_at == 0 {
            self.restate(terms, slot, was, is);
        }
        true
    }

    /// Brings the caches up to a slot's new state, before T.
    fn restate(&mut self, terms: &Terms, slot: u64, was: SlotState, is: SlotState) {
        if was == SlotState::Good {
            self.open_good = self.open_good.saturating_sub(1);
        }
        match is {
            SlotState::Good => {
                self.open_good = self.open_good.saturating_add(1);
                if slot > self.newest_recovered {
                    self.newest_good = self.newest_good.max(slot);
                }
            }
            SlotState::Open => {
                if slot == self.newest_good {
                    self.newest_good = self.good_before(terms, slot);
                }
            }
            SlotState::Recovered => {
                self.newest_recovered = self.newest_recovered.max(slot);
                if slot >= self.newest_good {
                    self.newest_good = 0;
                }
            }
        }
        // A good slot more can make a window that ends in it or later; one less, or a recovered one, only unmake some.
        let concerns_window = self.window_last == 0 || slot <= self.window_last;
        let can_change = is == SlotState::Good || self.window_last != 0;
        if concerns_window && can_change {
            (self.window_first, self.window_last) = Window::first_from(self, terms).unwrap_or((0, 0));
        }
    }

    /// Newest good slot of the ring before a slot, if it is newer than the newest recovered one; else 0.
    fn good_before(&self, terms: &Terms, slot: u64) -> u64 {
        let oldest = self.newest_recovered.saturating_add(1).max(self.tail());
        (oldest..slot).rev().find(|earlier| self.is_good(terms, *earlier)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: u32 = 600;

    fn terms() -> Terms {
        Terms::new(&TermsInput {
            direction: Direction::Below,
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
            duration_seconds: 10 * SLOT,
            slot_seconds: SLOT,
            tolerance_seconds: 2 * SLOT,
            challenge_seconds: 12 * SLOT,
            run_on_seconds: 30 * SLOT,
            quiet_seconds: 20 * SLOT,
            confidence_multiplier: 200,
        })
        .unwrap()
    }

    /// What the caches of a trigger must say before T, from one scan of the whole ring.
    fn check_caches(evidence: &Evidence, terms: &Terms) {
        let (tail, head) = (evidence.tail(), evidence.head);
        let mut run = Run::default();
        let mut window = (0, 0);
        let mut open_good = 0;
        for slot in tail..=head {
            if slot == evidence.next {
                assert_eq!(evidence.run, run, "the run of processed slots");
            }
            let good = run.take_slot(evidence, terms, terms.apart(), slot, &evidence.shown(slot));
            if slot >= evidence.next {
                open_good += u32::from(good);
                if good && run.good >= u32::from(terms.need) && window == (0, 0) {
                    window = (run.first, slot);
                }
            }
        }
        assert_eq!(evidence.open_good, open_good);
        assert_eq!((evidence.window_first, evidence.window_last), window);
        let last_where = |test: &dyn Fn(u64) -> bool| (tail..=head).rev().find(|slot| test(*slot));
        let recovered = last_where(&|slot| evidence.is_recovered(terms, slot)).unwrap_or(0);
        let good = last_where(&|slot| evidence.is_good(terms, slot) && slot > recovered).unwrap_or(0);
        if evidence.newest_recovered >= tail {
            assert_eq!(evidence.newest_recovered, recovered);
        }
        if evidence.newest_good >= tail || good != 0 {
            assert_eq!(evidence.newest_good, good);
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
        let (mut met, mut triggered) = (0, 0);
        for _ in 0..300 {
            let mut evidence = Evidence::default();
            let mut now = 1_700_006_400 + random(1_000_000) as i64;
            for _ in 0..200 {
                now += random(400) as i64;
                if random(100) == 0 {
                    now += random(400) as i64 * i64::from(SLOT);
                }
                let ago = if random(3) == 0 { random(8_000) } else { random(300) };
                let price = match random(20) {
                    0 => 97_000_000,
                    1 => 95_000_000,
                    _ => 93_000_000,
                };
                let print =
                    Observation { price: price + random(1_000_000), confidence: 0, publish_time: now - ago as i64 };
                let _ = evidence.observe(&terms, &print, now);
                if evidence.phase().is_triggered() {
                    triggered += 1;
                    break;
                }
                check_caches(&evidence, &terms);
                met += u32::from(evidence.phase() == Phase::Met);
            }
        }
        assert!(met > 500 && triggered > 50, "met {met} times, triggered {triggered} times");
    }

    #[test]
    fn zeros_are_a_new_trigger() {
        let evidence = Evidence::default();
        assert_eq!(evidence.phase(), Phase::Quiet);
        assert_eq!(evidence.window(&terms()), None);
        assert_eq!(evidence.longest_credited(&terms()), 0);
        assert_eq!(evidence.lowest_since(&terms(), 0), None);
        assert!(bytemuck::bytes_of(&evidence).iter().all(|byte| *byte == 0));
    }

    /// Shows a price at the moment at which it was published.
    fn show(evidence: &mut Evidence, at: i64, price: u64) -> Outcome {
        let print = Observation { price, confidence: 0, publish_time: at };
        evidence.observe(&terms(), &print, at).unwrap()
    }

    #[test]
    fn longest_credited_counts_the_best_window_and_stops_at_need() {
        let terms = terms();
        let first = terms.slot_of(1_700_006_400).unwrap();
        let mut evidence = Evidence::default();
        let mut credited = |slot: u64, price: u64| {
            show(&mut evidence, terms.slot_start(first + slot), price);
            show(&mut evidence, terms.slot_start(first + slot) + 60, price);
            evidence.longest_credited(&terms)
        };
        assert_eq!(credited(0, 90_000_000), 1);
        assert_eq!(credited(3, 90_000_000), 2);
        assert_eq!(credited(4, 90_000_000), 3);
        assert_eq!(credited(7, 90_000_000), 3, "four slots without evidence are too many");
        assert_eq!(credited(8, 97_000_000), 3);
        assert_eq!(credited(9, 90_000_000), 3);
        for slot in 10..20 {
            credited(slot, 90_000_000);
        }
        assert_eq!(credited(20, 90_000_000), 10);
    }

    #[test]
    fn two_prints_of_a_kind_count_if_they_lie_a_tenth_of_a_slot_apart() {
        let terms = terms();
        let start = terms.slot_start(terms.slot_of(1_700_006_400).unwrap());
        let slot = terms.slot_of(start).unwrap();
        for (price, state) in [(95_000_000, SlotState::Open), (96_000_000, SlotState::Recovered)] {
            let mut evidence = Evidence::default();
            show(&mut evidence, start, 90_000_000);
            show(&mut evidence, start + 100, price);
            show(&mut evidence, start + 159, price);
            assert_eq!(evidence.state(&terms, slot), SlotState::Good, "59 seconds");
            show(&mut evidence, start + 160, price);
            assert_eq!(evidence.state(&terms, slot), state, "60 seconds");
        }
        // A Recovered and an Above are two Aboves.
        let mut evidence = Evidence::default();
        show(&mut evidence, start, 90_000_000);
        show(&mut evidence, start + 100, 96_000_000);
        show(&mut evidence, start + 160, 95_999_999);
        assert_eq!(evidence.state(&terms, slot), SlotState::Open);
    }

    #[test]
    fn a_call_after_months_processes_no_more_than_the_ring() {
        let terms = terms();
        let mut evidence = Evidence::default();
        let first = terms.slot_of(1_700_006_400).unwrap();
        for slot in first..first + 10 {
            show(&mut evidence, terms.slot_start(slot), 90_000_000);
        }
        let later = terms.slot_start(first) + 300 * 86_400;
        let outcome = evidence.refresh(&terms, later);
        assert_eq!((outcome.before, outcome.after), (Phase::Met, Phase::Final));
        assert_eq!(evidence.next, terms.first_unsettled(later));
        // The run-on is 30 slots after slot m, the tenth; a challenge later it is over.
        assert_eq!(evidence.final_at, terms.slot_start(first + 40) + 12 * i64::from(SLOT));
    }

    #[test]
    fn the_lowest_price_since_a_time_is_by_whole_slots() {
        let terms = terms();
        let start = terms.slot_start(terms.slot_of(1_700_006_400).unwrap());
        let mut evidence = Evidence::default();
        let print = Observation { price: 100_000_000, confidence: 2_000_001, publish_time: start };
        evidence.observe(&terms, &print, start).unwrap();
        show(&mut evidence, start + 600, 99_000_000);
        assert_eq!(evidence.lowest_since(&terms, start + 600), Some(99_000_000));
        assert_eq!(evidence.lowest_since(&terms, start + 599), Some(95_999_998));
        assert_eq!(evidence.lowest_since(&terms, start + 1_200), None);
        // What is more doubtful than it is high is the lowest of all, and not "no print".
        let print = Observation { price: 1, confidence: 1, publish_time: start + 700 };
        evidence.observe(&terms, &print, start + 700).unwrap();
        assert_eq!(evidence.lowest_since(&terms, start + 600), Some(1));
    }
}
