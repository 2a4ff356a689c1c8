//! Which prints a trigger has to be shown.
//!
//! What follows from the evidence depends on the set of prints that was shown, so whoever shows little can be answered by
//! whoever shows what matters. Of each slot that is: its highest Breach, which the severity goes by; its lowest, which
//! stops sales; and two Recovered that lie far enough apart, else two Aboves, which say that the slot is no evidence: four
//! prints at most, and with them the outcome is that of all prints, whatever others show. They are shown in calm times
//! too, because a Breach may be shown when an Above no longer can.

use backstop::peril::evidence::{Class, Evidence, Phase, Terms};
use backstop::peril::feed::Observation;
use std::collections::BTreeMap;

/// Least distance below the lowest price that was shown, as a part of the threshold, at which a lower one of a slot that
/// is not over is worth showing: a price that falls by steps would be shown at each of them.
const LOWER_BY: u64 = 100;

/// The prints of one slot that are still taken, by their places in the list.
#[derive(Default)]
struct Candidates {
    breaches: Vec<usize>,
    aboves: Vec<usize>,
    recovered: Vec<usize>,
    others: Vec<usize>,
}

/// The places of the prints that have to be shown, beside what was shown, in the order of slots and of what matters.
///
/// `boundary` is the price, with confidences, beyond which nothing is sold, in 1e-8, or `None` while nothing is sold at all:
/// the first print beyond it is worth showing, whatever it says of the condition.
pub fn needed(
    terms: &Terms,
    evidence: &Evidence,
    prints: &[Observation],
    boundary: Option<u64>,
    now: i64,
) -> Vec<usize> {
    let boundary = boundary.map_or(0, |price| terms.slot_price(price));
    if evidence.phase() == Phase::Final {
        return Vec::new();
    }
    let mut slots = BTreeMap::<u64, Candidates>::new();
    for (place, print) in prints.iter().enumerate() {
        let Some(slot) = terms.slot_of(print.publish_time) else { continue };
        let class = terms.classify(print);
        let until = match class {
            Class::Recovered => terms.contradicted_until(slot),
            Class::Breach | Class::Above | Class::Unclear => terms.open_until(slot),
        };
        if now > until || slot < evidence.next {
            continue;
        }
        let candidates = slots.entry(slot).or_default();
        match class {
            Class::Breach => candidates.breaches.push(place),
            Class::Above => candidates.aboves.push(place),
            Class::Recovered => {
                candidates.aboves.push(place);
                candidates.recovered.push(place);
            }
            Class::Unclear => candidates.others.push(place),
        }
    }
    let mut needed = Vec::new();
    for (slot, candidates) in slots {
        let shown = evidence.shown(slot);
        let price = |place: &usize| prints.get(*place).map_or(0, |print| terms.slot_price(print.price));
        let mut push = |place: Option<usize>| {
            if let Some(place) = place.filter(|place| !needed.contains(place)) {
                needed.push(place);
            }
        };
        let highest = candidates.breaches.iter().copied().max_by_key(price);
        push(highest.filter(|place| price(place) > shown.highest_breach));
        let lowest = candidates.breaches.iter().copied().min_by_key(price);
        push(lowest.filter(|place| {
            let worst = prints.get(*place).map_or(u64::MAX, |print| terms.worst_price(print));
            let step = if now < terms.slot_end(slot) { terms.threshold / LOWER_BY } else { 1 };
            shown.lowest == 0 || worst.saturating_add(step) <= shown.lowest
        }));
        // Two Recovered say more than two Aboves; one of a kind is the first of two.
        let apart = terms.apart();
        let span = |first: u16, last: u16| (first != 0).then_some((first, last));
        let recovered =
            Pair::of(terms, prints, &candidates.recovered, span(shown.recovered_first, shown.recovered_last));
        let aboves = Pair::of(terms, prints, &candidates.aboves, span(shown.above_first, shown.above_last));
        let pair = if recovered.is_wide(apart) { recovered } else { aboves };
        for place in pair.worthy(apart) {
            push(Some(place));
        }
        // A later one may make a pair with it, while the slot lasts.
        if !recovered.is_wide(apart) && (now < terms.slot_end(slot) || !aboves.is_wide(apart)) {
            push(recovered.first_of_none());
        }
        let near = |place: &usize| prints.get(*place).is_some_and(|print| terms.worst_price(print) < boundary);
        if shown.lowest == 0 || shown.lowest >= boundary {
            let all = candidates.breaches.iter().chain(&candidates.others).chain(&candidates.aboves);
            let of_slot: Vec<usize> = all.copied().filter(near).collect();
            if !of_slot.iter().any(|place| needed.contains(place)) {
                needed.extend(of_slot.first());
            }
        }
    }
    needed
}

/// The first and the last print of a kind in a slot, shown or not.
#[derive(Clone, Copy)]
struct Pair {
    /// What was shown, as the slot keeps it.
    shown: Option<(u16, u16)>,
    /// Of the others the first and the last: place, and second of the slot plus one.
    first: Option<(usize, u16)>,
    last: Option<(usize, u16)>,
}

impl Pair {
    fn of(terms: &Terms, prints: &[Observation], places: &[usize], shown: Option<(u16, u16)>) -> Self {
        let mark = |place: &usize| {
            let time = prints.get(*place)?.publish_time;
            let second = time.rem_euclid(i64::from(terms.slot_seconds)).saturating_add(1);
            Some((*place, u16::try_from(second).unwrap_or(u16::MAX)))
        };
        let marks = || places.iter().filter_map(mark);
        let first = marks().min_by_key(|(place, mark)| (*mark, *place));
        let last = marks().max_by_key(|(place, mark)| (*mark, *place));
        Self { shown, first, last }
    }

    /// First and last second of all of them.
    fn span(&self) -> Option<(u16, u16)> {
        let marks = [self.shown.map(|span| span.0), self.shown.map(|span| span.1)];
        let marks = marks.into_iter().chain([self.first, self.last].map(|mark| mark.map(|(_, mark)| mark))).flatten();
        Some((marks.clone().min()?, marks.max()?))
    }

    fn is_wide(&self, apart: u16) -> bool {
        self.span().is_some_and(|(first, last)| last.saturating_sub(first) >= apart)
    }

    /// The first of them, if none was shown.
    fn first_of_none(&self) -> Option<usize> {
        self.first.filter(|_| self.shown.is_none()).map(|(place, _)| place)
    }

    /// What has to be shown: nothing if two that lie apart were shown, what makes them such if there is, else the first.
    fn worthy(&self, apart: u16) -> Vec<usize> {
        let shown_wide = self.shown.is_some_and(|(first, last)| last.saturating_sub(first) >= apart);
        if shown_wide {
            return Vec::new();
        }
        if !self.is_wide(apart) {
            return self.first_of_none().into_iter().collect();
        }
        let Some((from, to)) = self.span() else { return Vec::new() };
        // One is enough where it lies apart from what was shown.
        let (low, high) = self.shown.unwrap_or((u16::MAX, 0));
        let one = [self.first, self.last].into_iter().flatten().find(|(_, mark)| {
            self.shown.is_some() && (high.saturating_sub(*mark) >= apart || mark.saturating_sub(low) >= apart)
        });
        if let Some((place, _)) = one {
            return vec![place];
        }
        let at_ends = |mark: &(usize, u16)| mark.1 == from || mark.1 == to;
        [self.first, self.last].into_iter().flatten().filter(at_ends).map(|(place, _)| place).collect()
    }
}
