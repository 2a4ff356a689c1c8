//! The evidence machine against the declarative rule of `docs/src/how/evidence.md`: a window over a set of prints.
//!
//! [`Model`] is that rule. Every property below is checked on the machine; the
//! model says what should come out. Each property also counts how often its premise held, so that none passes empty.

mod evidence_rule;

use backstop::peril::evidence::*;
use backstop::peril::feed::Observation;
use evidence_rule::{Expected, Model};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const T0: i64 = 1_700_006_400; // 2023-11-15 00:00:00 UTC
const CENT: u64 = 1_000_000;

// ---------------------------------------------------------------- terms and prints

fn terms(slot: u32, need: u32, tolerance: u32, challenge: u32, severity: Severity) -> Terms {
    Terms::new(&TermsInput {
        threshold: 95 * CENT,
        recovery: 96 * CENT,
        severity,
        duration_seconds: need * slot,
        slot_seconds: slot,
        tolerance_seconds: tolerance * slot,
        challenge_seconds: challenge * slot,
        confidence_multiplier: 200,
    })
    .unwrap()
}

const LINEAR: Severity = Severity::Linear { full_loss_price: 80 * CENT };

/// Ten-minute slots, an hour of breach, an hour of challenge.
fn small() -> Terms {
    terms(600, 6, 1, 6, LINEAR)
}

/// Terms at several corners of the bounds: half a challenge of half a slot, of an odd number of seconds, no tolerance,
/// many slots, the longest challenge.
fn corners() -> impl Strategy<Value = Terms> {
    prop_oneof![
        4 => Just(small()),
        2 => Just(terms(3_600, 6, 1, 1, Severity::Binary)),
        2 => Just(terms(900, 8, 2, 5, LINEAR)),
        1 => Just(terms(600, 7, 0, 6, LINEAR)),
        1 => Just(terms(600, 6, 1, 144, LINEAR)),
        1 => Just(terms(225, 16, 4, 17, LINEAR)),
    ]
}

fn print(price: u64, confidence: u64, publish_time: i64) -> Observation {
    Observation { price, confidence, publish_time }
}

/// A print for a slot and a place in it (in thousandths).
fn print_in(terms: &Terms, slot: u64, place: u16, price: u64, confidence: u64) -> Observation {
    let length = i64::from(terms.slot_seconds);
    let into = (length * i64::from(place) / 1_000).min(length - 1);
    print(price, confidence, terms.slot_start(slot) + into)
}

fn breach(terms: &Terms, slot: u64) -> Observation {
    print_in(terms, slot, 100, 90 * CENT, 0)
}

fn recovery(terms: &Terms, slot: u64) -> Observation {
    print_in(terms, slot, 200, 97 * CENT, 0)
}

/// The machine says what the model says.
fn agrees(evidence: &Evidence, model: &Model, now: i64) -> Result<Expected, TestCaseError> {
    let expected = model.at(now);
    let mut touched = *evidence;
    touched.refresh(&model.terms, now);
    prop_assert_eq!(touched.phase(), expected.phase(), "phase at {}", now - T0);
    prop_assert_eq!(evidence.phase_at(&model.terms, now), expected.phase());
    let window = touched.window(&model.terms);
    match expected {
        Expected::Met { f, m } => {
            let window = window.unwrap();
            prop_assert_eq!((window.first_slot, window.last_slot), (f, m));
        }
        Expected::Triggered { event_at, met_at, mean, bps } => {
            prop_assert_eq!((touched.event_at, touched.met_at), (event_at, met_at));
            prop_assert_eq!((touched.mean_price, touched.severity_bps), (mean, bps));
        }
        Expected::Quiet | Expected::Breaching => prop_assert_eq!(window, None),
    }
    Ok(expected)
}

// ---------------------------------------------------------------- streams of prints

/// What the market did in one slot.
#[derive(Clone, Debug)]
struct SlotPrints {
    breaches: Vec<(u16, u64, u64)>,
    recoveries: Vec<(u16, u64)>,
    unclear: Vec<u16>,
}

fn slot_prints(recovery_weight: u32) -> impl Strategy<Value = SlotPrints> {
    let breaches = |most: usize| vec((0..1_000_u16, 75..94_u64, 0..CENT / 2), 1..=most);
    let recoveries = || vec((0..1_000_u16, 97..110_u64), 1..=2);
    let of = |breaches, recoveries, unclear| SlotPrints { breaches, recoveries, unclear };
    prop_oneof![
        80 => breaches(3).prop_map(move |breaches| of(breaches, vec![], vec![])),
        6 => (breaches(1), vec(0..1_000_u16, 1..3))
            .prop_map(move |(breaches, unclear)| of(breaches, vec![], unclear)),
        8 => Just(of(vec![], vec![], vec![])),
        2 => vec(0..1_000_u16, 1..3).prop_map(move |unclear| of(vec![], vec![], unclear)),
        recovery_weight => recoveries().prop_map(move |recoveries| of(vec![], recoveries, vec![])),
        recovery_weight => (breaches(2), recoveries())
            .prop_map(move |(breaches, recoveries)| of(breaches, recoveries, vec![])),
    ]
}

/// A full stream: every print that was signed.
fn stream(terms: &Terms, slots: &[SlotPrints]) -> Vec<Observation> {
    let first = terms.slot_of(T0).unwrap();
    let mut prints = BTreeSet::new();
    for (slot, happened) in (first..).zip(slots) {
        for (place, cents, confidence) in &happened.breaches {
            prints.insert(print_in(terms, slot, *place, cents * CENT, *confidence));
        }
        for (place, cents) in &happened.recoveries {
            prints.insert(print_in(terms, slot, *place, cents * CENT, CENT / 4));
        }
        for place in &happened.unclear {
            prints.insert(print_in(terms, slot, *place, 95 * CENT + 7, CENT));
        }
    }
    let mut prints: Vec<Observation> = prints.into_iter().collect();
    prints.sort_by_key(|print| print.publish_time);
    prints
}

/// How a party treats a print: whether it shows it, and when (thousandths of the time there is).
type Treatment = (bool, u16);

fn treatments(most: usize) -> impl Strategy<Value = Vec<Treatment>> {
    // Half of the shows come at once, the others at any time, also too late.
    let when = prop_oneof![Just(0_u16), 0..1_300_u16];
    vec((prop::bool::weighted(0.7), when), most)
}

/// A moment for a print: `delay` thousandths of the way from its publication to the last moment of its slot.
fn moment(print: &Observation, last: i64, delay: u16) -> i64 {
    print.publish_time + 1 + (last - print.publish_time - 1) * i64::from(delay) / 1_000
}

/// Shows in the order of their moments; of one moment in the order given.
fn in_order(mut shows: Vec<(Observation, i64)>) -> Vec<(Observation, i64)> {
    shows.sort_by_key(|(_, at)| *at);
    shows
}

fn show_all(terms: &Terms, shows: &[(Observation, i64)]) -> Evidence {
    let mut evidence = Evidence::default();
    for (print, at) in shows {
        let _ = evidence.observe(terms, print, *at);
    }
    evidence
}

/// What the number of cases is multiplied by: `BACKSTOP_CASES_FACTOR`, below 1 for a quick look, above for a long
/// search.
fn cases_factor() -> f64 {
    let factor = std::env::var("BACKSTOP_CASES_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1.0)
}

/// Runs a property.
fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = (f64::from(cases) * cases_factor()) as u32;
    let config = Config { cases: cases.max(1), failure_persistence: None, ..Config::default() };
    if let Err(error) = TestRunner::new(config).run(&strategy, test) {
        panic!("{error}");
    }
}

/// Counts how often something happened in a property.
#[derive(Default)]
struct Tally(Cell<u32>);

impl Tally {
    fn add(&self, happened: bool) {
        self.0.set(self.0.get() + u32::from(happened));
    }

    #[track_caller]
    fn at_least(&self, times: u32) {
        // A quick look is too short to count on anything.
        if cases_factor() < 1.0 {
            return;
        }
        assert!(self.0.get() >= times, "only {} times", self.0.get());
    }
}

// ---------------------------------------------------------------- properties

#[test]
fn the_machine_equals_the_model_after_every_print() {
    let (quiet, breaching, met, triggered, refused, undone) = <(Tally, Tally, Tally, Tally, Tally, Tally)>::default();
    let input = (corners(), vec(slot_prints(5), 12..36), treatments(108), vec(0..400_000_i64, 4));
    check(384, input, |(terms, slots, treatments, later)| {
        let prints = stream(&terms, &slots);
        let shows = prints.iter().zip(treatments).filter(|(_, (shown, _))| *shown);
        let shows = shows.map(|(print, (_, delay))| {
            let last = terms.contradicted_until(terms.slot_of(print.publish_time).unwrap());
            (*print, moment(print, last, delay))
        });
        let mut evidence = Evidence::default();
        let mut model = Model::new(terms);
        let mut last = T0;
        for (print, at) in in_order(shows.collect()) {
            let before = evidence;
            let refusal = model.show(print, at);
            let outcome = evidence.observe(&terms, &print, at);
            prop_assert_eq!(outcome.err(), refusal);
            if refusal.is_some() {
                prop_assert_eq!(evidence, before, "a refused print changed a byte");
                refused.add(true);
            } else {
                let outcome = outcome.unwrap();
                prop_assert_eq!(outcome.changed, evidence != before);
                prop_assert_eq!((outcome.before, outcome.after), (before.phase(), evidence.phase()));
                prop_assert_eq!(outcome.class, Some(model.class(&print)));
                let mut again = evidence;
                let repeated = again.observe(&terms, &print, at).unwrap();
                prop_assert!(!repeated.changed, "a duplicate changed something");
                prop_assert_eq!(again, evidence);
            }
            let expected = agrees(&evidence, &model, at)?;
            if let Expected::Met { f, m } = expected {
                // What a contradiction of any slot of the window leaves behind.
                let slot = f + at.unsigned_abs() % (m - f + 1);
                let last = terms.contradicted_until(m);
                let (mut contradicted, mut with_it) = (evidence, model.clone());
                prop_assert_eq!(with_it.show(recovery(&terms, slot), last), None);
                contradicted.observe(&terms, &recovery(&terms, slot), last).unwrap();
                let left = agrees(&contradicted, &with_it, last)?;
                agrees(&contradicted, &with_it, last + 1)?;
                undone.add(left.phase() != Phase::Met);
            }
            quiet.add(expected.phase() == Phase::Quiet);
            breaching.add(expected.phase() == Phase::Breaching);
            met.add(expected.phase() == Phase::Met);
            triggered.add(expected.phase() == Phase::Triggered);
            last = at;
        }
        for wait in later {
            agrees(&evidence, &model, last + wait)?;
        }
        for slot in [evidence.newest_good, evidence.window_last, evidence.head] {
            let lapse = terms.open_until(slot + u64::from(terms.tolerance) + 1);
            for moment in [lapse, terms.contradicted_until(slot)] {
                agrees(&evidence, &model, moment.max(last))?;
                agrees(&evidence, &model, (moment + 1).max(last))?;
            }
        }
        Ok(())
    });
    quiet.at_least(100);
    breaching.at_least(1_000);
    met.at_least(200);
    triggered.at_least(200);
    refused.at_least(100);
    undone.at_least(100);
}

#[test]
fn the_same_set_gives_the_same_bytes_in_any_order_by_any_number_of_parties() {
    let fired = Tally::default();
    // The longest challenge: half of it covers the whole stream, so that every order is in time.
    let terms = terms(600, 6, 1, 144, LINEAR);
    let input = (vec(slot_prints(3), 8..40), any::<u64>(), any::<u64>());
    check(256, input, |(slots, one, other)| {
        let prints = stream(&terms, &slots);
        let begin = T0 + 40 * 600;
        let shuffled = |seed: u64| {
            let mut order = shuffle(&prints, seed);
            // Some show what others have shown.
            order.extend(shuffle(&prints, seed ^ 0x5eed).into_iter().take(20));
            let moments = (0..).map(|nth: i64| begin + nth * 60);
            order.into_iter().zip(moments).collect::<Vec<_>>()
        };
        let mut left = show_all(&terms, &shuffled(one));
        let mut right = show_all(&terms, &shuffled(other));
        let mut live = Evidence::default();
        for print in &prints {
            let _ = live.observe(&terms, print, print.publish_time + 1);
        }
        let now = T0 + 10 * 86_400;
        for evidence in [&mut left, &mut right, &mut live] {
            evidence.refresh(&terms, now);
        }
        prop_assert_eq!(left, right);
        prop_assert_eq!(left, live);
        fired.add(left.phase() == Phase::Triggered);
        Ok(())
    });
    fired.at_least(64);
}

fn shuffle(prints: &[Observation], seed: u64) -> Vec<Observation> {
    let mut state = seed | 1;
    let mut shuffled = prints.to_vec();
    for place in (1..shuffled.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        shuffled.swap(place, usize::try_from(state % (place as u64 + 1)).unwrap());
    }
    shuffled
}

#[test]
fn leaving_prints_out_never_fires_what_the_full_set_does_not_fire() {
    let (helped_alone, tried) = <(Tally, Tally)>::default();
    let input = (corners(), vec(slot_prints(9), 10..36), treatments(108), any::<bool>());
    check(1_200, input, |(terms, slots, treatments, breaches_too)| {
        let prints = stream(&terms, &slots);
        let model = Model::live(terms, &prints);
        if model.fires().is_some() {
            return Ok(());
        }
        tried.add(true);
        let mut shown = vec![];
        let mut kept_back = vec![];
        for (print, (shows, delay)) in prints.iter().zip(treatments) {
            let slot = terms.slot_of(print.publish_time).unwrap();
            let delay = delay.min(1_000);
            if shows {
                shown.push((*print, moment(print, terms.open_until(slot), delay)));
            } else if model.class(print) == Class::Recovered {
                // Somebody shows it before the challenge of any window with this slot ends.
                kept_back.push((*print, moment(print, terms.contradicted_until(slot), delay)));
            } else if breaches_too {
                kept_back.push((*print, moment(print, terms.open_until(slot), delay)));
            }
        }
        let now = T0 + 30 * 86_400;
        let alone = show_all(&terms, &in_order(shown.clone()));
        helped_alone.add(alone.phase_at(&terms, now) == Phase::Triggered);
        shown.extend(kept_back);
        let all = show_all(&terms, &in_order(shown));
        prop_assert_ne!(all.phase_at(&terms, now), Phase::Triggered);
        Ok(())
    });
    tried.at_least(100);
    helped_alone.at_least(8);
}

#[test]
fn every_window_stands_open_for_half_a_challenge_and_nobody_stretches_the_wait() {
    let (windows, kept) = <(Tally, Tally)>::default();
    let input = (corners(), vec(slot_prints(3), 12..36), treatments(108));
    check(256, input, |(terms, slots, treatments)| {
        let prints = stream(&terms, &slots);
        let challenge = i64::from(terms.challenge);
        let shows = prints.iter().zip(treatments).map(|(print, (_, delay))| {
            let last = terms.contradicted_until(terms.slot_of(print.publish_time).unwrap());
            (*print, moment(print, last, delay))
        });
        let mut evidence = Evidence::default();
        let mut breached_at = BTreeMap::new();
        for (print, at) in in_order(shows.collect()) {
            let slot = terms.slot_of(print.publish_time).unwrap();
            let before = evidence.window(&terms);
            let was = evidence.phase_at(&terms, at);
            if evidence.observe(&terms, &print, at).is_err() || was == Phase::Triggered {
                continue;
            }
            if terms.classify(&print) == Class::Breach {
                breached_at.entry(slot).or_insert(at);
            }
            let after = evidence.window(&terms);
            if let Some(window) = after {
                prop_assert_eq!(window.contradicted_until, window.met_at + challenge);
                if before != after {
                    windows.add(true);
                    // From the moment at which the last of its slots had its Breach.
                    let slots = window.first_slot..=window.last_slot;
                    let complete = breached_at.range(slots).map(|(_, at)| *at).max().unwrap();
                    let open = window.contradicted_until - complete;
                    prop_assert!(2 * open >= challenge, "open for {} s only", open);
                }
                // It can be contradicted in each of its slots until the last second.
                for slot in window.first_slot..=window.last_slot {
                    let mut contradicted = evidence;
                    let print = recovery(&terms, slot);
                    contradicted.observe(&terms, &print, window.contradicted_until).unwrap();
                    let left = contradicted.window(&terms);
                    prop_assert!(left.is_none_or(|left| left.first_slot > slot));
                    prop_assert_ne!(contradicted.phase(), Phase::Triggered);
                }
            }
            if let Some(before) = before {
                let inside = (before.first_slot..=before.last_slot).contains(&slot);
                if !(terms.classify(&print) == Class::Recovered && inside) {
                    kept.add(true);
                    let after = after.expect("only a Recovered inside undoes a window");
                    prop_assert!(after.contradicted_until <= before.contradicted_until);
                    let due = after.contradicted_until + 1;
                    prop_assert_eq!(evidence.phase_at(&terms, due), Phase::Triggered);
                }
            }
        }
        Ok(())
    });
    windows.at_least(60);
    kept.at_least(300);
}

#[test]
fn one_honest_crank_suffices() {
    let true_events = Tally::default();
    let input = (corners(), vec(slot_prints(2), 10..36), treatments(108), any::<bool>());
    check(384, input, |(terms, slots, treatments, shows_all)| {
        let prints = stream(&terms, &slots);
        let model = Model::live(terms, &prints);
        let Some((expected, due)) = model.fires() else {
            return Ok(());
        };
        true_events.add(true);
        // The honest crank shows what it sees, all of it or only the first Breach of each slot.
        let mut seen = BTreeSet::new();
        let mut shows = vec![];
        for print in &prints {
            let slot = terms.slot_of(print.publish_time).unwrap();
            let is_breach = model.class(print) == Class::Breach;
            if shows_all || (is_breach && seen.insert(slot)) {
                shows.push((*print, print.publish_time + 1));
            }
        }
        // Others show whatever else was signed, whenever they like.
        for (print, (shown, delay)) in prints.iter().zip(treatments) {
            let last = terms.contradicted_until(terms.slot_of(print.publish_time).unwrap());
            if shown {
                shows.push((*print, moment(print, last, delay)));
            }
        }
        let mut evidence = Evidence::default();
        for (print, at) in in_order(shows) {
            if at > due {
                break;
            }
            let _ = evidence.observe(&terms, &print, at);
        }
        evidence.refresh(&terms, due);
        prop_assert_eq!(evidence.phase(), Phase::Triggered);
        if shows_all {
            let facts = Expected::Triggered {
                event_at: evidence.event_at,
                met_at: evidence.met_at,
                mean: evidence.mean_price,
                bps: evidence.severity_bps,
            };
            prop_assert_eq!(facts, expected, "others changed the event");
        }
        Ok(())
    });
    true_events.at_least(100);
}

#[test]
fn a_long_life_on_the_ring_equals_the_model_that_forgets_nothing() {
    let (fired, wrapped) = <(Tally, Tally)>::default();
    // Stretches of prints between idle times of up to 700 slots.
    let stretch = (0..700_u64, vec(slot_prints(12), 1..12), treatments(36));
    check(128, (corners(), vec(stretch, 2..12)), |(terms, stretches)| {
        let mut evidence = Evidence::default();
        let mut model = Model::new(terms);
        let mut slot = terms.slot_of(T0).unwrap();
        let mut now = T0;
        for (idle, slots, treatments) in stretches {
            slot += idle;
            wrapped.add(idle > 512);
            let offset = terms.slot_start(slot) - T0;
            let shows = stream(&terms, &slots).into_iter().zip(treatments);
            let shows = shows.map(|(mut print, (_, delay))| {
                print.publish_time += offset;
                let last = terms.open_until(terms.slot_of(print.publish_time).unwrap());
                (print, moment(&print, last, delay))
            });
            for (print, at) in in_order(shows.collect()) {
                now = now.max(at);
                let refusal = model.show(print, now);
                prop_assert_eq!(evidence.observe(&terms, &print, now).err(), refusal);
                agrees(&evidence, &model, now)?;
            }
            slot += slots.len() as u64;
        }
        let expected = agrees(&evidence, &model, now + 700 * 3_600)?;
        fired.add(expected.phase() == Phase::Triggered);
        Ok(())
    });
    fired.at_least(10);
    wrapped.at_least(50);
}

#[test]
fn triggered_is_final() {
    let shown_later = Tally::default();
    let input = (vec(slot_prints(40), 1..40), vec(0..1_000_000_i64, 120));
    let terms = small();
    check(64, input, |(slots, moments)| {
        let mut evidence = met(&terms, 10);
        let window = evidence.window(&terms).unwrap();
        evidence.confirm(&terms, window.contradicted_until + 1).unwrap();
        let before = evidence;
        for (print, after) in stream(&terms, &slots).iter().zip(moments) {
            let now = window.contradicted_until + after;
            if let Ok(outcome) = evidence.observe(&terms, print, now) {
                shown_later.add(true);
                prop_assert!(!outcome.changed && !outcome.phase_changed());
            }
            prop_assert!(!evidence.refresh(&terms, now).changed);
            prop_assert!(!evidence.confirm(&terms, now).unwrap().changed);
            prop_assert_eq!(evidence, before);
        }
        Ok(())
    });
    shown_later.at_least(30);
}

/// Any number at all, the extremes often.
fn any_u64() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..3_u64, (0..3_u64).prop_map(|n| u64::MAX - n), Just(1 << 63)]
}

fn any_i64() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -3..3_i64, Just(i64::MIN), Just(i64::MAX), T0..T0 + 1_000_000]
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let numbers = (any_u64(), any_u64(), any_u64(), any::<u32>(), any::<u32>());
    let small = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u8>());
    let wild = (numbers, small).prop_map(|(numbers, small)| Terms {
        threshold: numbers.0,
        recovery: numbers.1,
        full_loss_price: numbers.2,
        slot_seconds: numbers.3 >> (numbers.3 % 33).min(31),
        challenge: numbers.4,
        need: small.0 >> (small.0 % 16),
        tolerance: small.1,
        confidence_multiplier: small.2,
        severity: small.3,
        padding: [0],
    });
    prop_oneof![corners(), wild]
}

#[test]
fn no_number_makes_it_panic() {
    let evidence = (vec(any_u64(), 8), vec(any_u64(), 6), any::<u8>(), vec(any_i64(), 4));
    let shows = vec((any_u64(), any_u64(), any_i64(), any_i64()), 1..12);
    check(4_000, (any_terms(), evidence, any::<bool>(), shows), |(terms, bytes, fresh, shows)| {
        let mut evidence = Evidence::default();
        if !fresh {
            let (bits, slots, phase, times) = bytes;
            evidence.prices = [bits[0]; RING];
            evidence.breached.copy_from_slice(&bits[..4]);
            evidence.recovered.copy_from_slice(&bits[4..]);
            evidence.head = slots[0];
            evidence.newest_recovered = slots[1];
            evidence.newest_good = slots[2];
            evidence.window_first = slots[3];
            evidence.window_last = slots[4];
            evidence.last_price = slots[5];
            evidence.last_publish_time = times[0];
            evidence.event_at = times[1];
            evidence.phase = phase;
        }
        let _ = terms.validate();
        let _ = (terms.ring_days(), terms.longest_wait_seconds());
        for (price, confidence, publish_time, now) in shows {
            let shown = print(price, confidence, publish_time);
            let _ = evidence.observe(&terms, &shown, now);
            let _ = evidence.phase_at(&terms, now);
            let _ = evidence.longest_credited(&terms);
            let _ = (evidence.is_good(price), evidence.is_recovered(price));
            let _ = evidence.breach_price(confidence);
            let _ = terms.first_slot_in_ring(now);
            let _ = evidence.confirm(&terms, now);
            let _ = evidence.refresh(&terms, now);
        }
        Ok(())
    });
}

// ---------------------------------------------------------------- boundaries

/// Evidence of `small()` with a Breach in each of the first `slots` slots, shown live.
fn met(terms: &Terms, slots: u64) -> Evidence {
    let first = terms.slot_of(T0).unwrap();
    let mut evidence = Evidence::default();
    for slot in first..first + slots {
        let print = breach(terms, slot);
        evidence.observe(terms, &print, print.publish_time + 1).unwrap();
    }
    evidence
}

#[test]
fn a_breach_is_taken_until_half_a_challenge_after_its_slot() {
    for terms in [small(), terms(225, 16, 4, 17, LINEAR), terms(3_600, 6, 1, 1, LINEAR)] {
        let slot = terms.slot_of(T0).unwrap();
        let last = terms.slot_end(slot) + i64::from(terms.challenge) / 2;
        let print = breach(&terms, slot);
        let mut evidence = Evidence::default();
        let closed = evidence.observe(&terms, &print, last + 1);
        assert_eq!(closed, Err(EvidenceError::SlotClosed));
        assert_eq!(evidence, Evidence::default());
        let outcome = evidence.observe(&terms, &print, last).unwrap();
        assert_eq!((outcome.before, outcome.after), (Phase::Quiet, Phase::Breaching));
        // Shown before, it is still refused now: a refusal does not depend on what others showed.
        let closed = evidence.observe(&terms, &print, last + 1);
        assert_eq!(closed, Err(EvidenceError::SlotClosed));
    }
}

#[test]
fn a_recovery_is_taken_until_the_trigger_is_confirmed() {
    let terms = small();
    let evidence = met(&terms, 6);
    let window = evidence.window(&terms).unwrap();
    assert_eq!(evidence.phase(), Phase::Met);
    assert_eq!(window.event_at, T0);
    assert_eq!(window.met_at, T0 + 3_600);
    assert_eq!(window.contradicted_until, T0 + 7_200);
    for slot in window.first_slot..=window.last_slot {
        let print = recovery(&terms, slot);
        let mut in_time = evidence;
        let outcome = in_time.observe(&terms, &print, T0 + 7_200).unwrap();
        assert_eq!(outcome.before, Phase::Met);
        assert_ne!(outcome.after, Phase::Met);
        let mut too_late = evidence;
        let outcome = too_late.observe(&terms, &print, T0 + 7_201).unwrap();
        assert_eq!((outcome.before, outcome.after), (Phase::Met, Phase::Triggered));
        let mut confirmed = evidence;
        confirmed.confirm(&terms, T0 + 7_201).unwrap();
        assert_eq!(too_late, confirmed, "a print that came too late left a trace");
    }
}

#[test]
fn a_recovery_outside_the_window_does_not_undo_it() {
    let terms = small();
    let evidence = met(&terms, 9);
    let window = evidence.window(&terms).unwrap();
    assert_eq!(window.last_slot, window.first_slot + 5);
    for slot in [window.first_slot - 1, window.last_slot + 1, window.last_slot + 3] {
        let mut shown = evidence;
        let print = recovery(&terms, slot);
        shown.observe(&terms, &print, T0 + 7_200).unwrap();
        assert_eq!(shown.window(&terms), Some(window));
        assert_eq!(shown.phase_at(&terms, T0 + 7_201), Phase::Triggered);
    }
}

#[test]
fn a_confirmation_is_due_one_second_after_the_challenge() {
    let terms = small();
    let mut evidence = met(&terms, 6);
    let before = evidence;
    assert_eq!(evidence.confirm(&terms, T0 + 7_200), Err(EvidenceError::NotDue));
    assert_eq!(evidence, before);
    let outcome = evidence.confirm(&terms, T0 + 7_201).unwrap();
    assert_eq!((outcome.before, outcome.after), (Phase::Met, Phase::Triggered));
    assert_eq!((evidence.event_at, evidence.met_at), (T0, T0 + 3_600));
    assert_eq!(evidence.triggered_at, T0 + 7_201);
    assert_eq!((evidence.mean_price, evidence.severity_bps), (90 * CENT, 3_333));
    assert!(!evidence.confirm(&terms, T0 + 9_999).unwrap().changed);
    let nothing = Evidence::default().confirm(&terms, T0);
    assert_eq!(nothing, Err(EvidenceError::NotDue));
}

#[test]
fn a_refused_print_does_not_even_bring_the_phase_up_to_now() {
    let terms = small();
    let mut evidence = met(&terms, 6);
    let before = evidence;
    let late = breach(&terms, before.head);
    let refused = evidence.observe(&terms, &late, T0 + 7_201);
    assert_eq!(refused, Err(EvidenceError::SlotClosed));
    assert_eq!(evidence, before);
    assert_eq!(evidence.refresh(&terms, T0 + 7_201).after, Phase::Triggered);
}

#[test]
fn the_ring_takes_256_slots_and_no_older_print() {
    let terms = small();
    let now = T0 + 300;
    let slot = terms.slot_of(now).unwrap();
    assert_eq!(terms.first_slot_in_ring(now), slot - 255);
    let mut evidence = Evidence::default();
    let old = recovery(&terms, slot - 255);
    assert!(evidence.observe(&terms, &old, now).is_ok());
    let too_old = recovery(&terms, slot - 256);
    assert_eq!(evidence.observe(&terms, &too_old, now), Err(EvidenceError::TooOld));
    let next_slot = terms.slot_end(slot);
    assert_eq!(evidence.observe(&terms, &old, next_slot), Err(EvidenceError::TooOld));
    for time in [0, 599, -1, i64::MIN] {
        let ancient = print(90 * CENT, 0, time);
        assert_eq!(evidence.observe(&terms, &ancient, now), Err(EvidenceError::TooOld));
    }
}

#[test]
fn the_ring_ends_256_slots_before_its_newest_even_if_the_clock_went_back() {
    let terms = small();
    let head = terms.slot_of(T0).unwrap();
    let mut evidence = Evidence::default();
    evidence.observe(&terms, &recovery(&terms, head), T0 + 300).unwrap();
    // By the clock of the slot before, 256 slots back would still be in the ring; its place belongs to the head.
    let earlier = T0 - 300;
    assert_eq!(terms.first_slot_in_ring(earlier), head - 256);
    let before = evidence;
    let too_old = evidence.observe(&terms, &recovery(&terms, head - 256), earlier);
    assert_eq!((too_old, evidence), (Err(EvidenceError::TooOld), before));
    // The oldest slot of the ring is taken.
    assert!(evidence.observe(&terms, &recovery(&terms, head - 255), T0 + 300).is_ok());
    assert!(evidence.is_recovered(head - 255) && evidence.is_recovered(head));
}

#[test]
fn the_first_slot_of_1970_and_everything_before_it_is_no_slot() {
    let terms = small();
    for (time, slot) in [(600, Some(1)), (599, None), (0, None), (-1, None), (i64::MIN, None)] {
        assert_eq!(terms.slot_of(time), slot);
    }
}

#[test]
fn an_outcome_says_whether_the_phase_is_another_than_before() {
    let terms = small();
    let mut evidence = Evidence::default();
    let first = terms.slot_of(T0).unwrap();
    let begun = evidence.observe(&terms, &breach(&terms, first), T0 + 300).unwrap();
    assert_eq!((begun.before, begun.after, begun.phase_changed()), (Phase::Quiet, Phase::Breaching, true));
    let next = evidence.observe(&terms, &breach(&terms, first + 1), T0 + 900).unwrap();
    assert_eq!((next.before, next.after, next.phase_changed()), (Phase::Breaching, Phase::Breaching, false));
    assert!(next.changed);
}

#[test]
fn a_slot_that_has_not_begun_takes_nothing() {
    let terms = small();
    let ahead = print(90 * CENT, 0, T0 + 600);
    let mut evidence = Evidence::default();
    let early = evidence.observe(&terms, &ahead, T0 + 599);
    assert_eq!(early, Err(EvidenceError::SlotNotBegun));
    assert!(evidence.observe(&terms, &ahead, T0 + 600).is_ok());
    let before_1970 = evidence.observe(&terms, &ahead, -5);
    assert_eq!(before_1970, Err(EvidenceError::SlotNotBegun));
    // Ahead of the clock within a slot that has begun: the oracle layer bounds by how much.
    assert!(evidence.observe(&terms, &print(90 * CENT, 0, T0 + 610), T0 + 605).is_ok());
}

#[test]
fn breaching_lapses_when_one_closed_slot_too_many_is_empty() {
    let terms = small();
    let mut evidence = met(&terms, 1);
    // Slots 1 and 2 are empty, tolerance is 1: slot 2 closes half an hour after 0:30.
    let last = T0 + 3 * 600 + 1_800;
    assert_eq!(evidence.refresh(&terms, last).after, Phase::Breaching);
    let outcome = evidence.refresh(&terms, last + 1);
    assert_eq!((outcome.before, outcome.after), (Phase::Breaching, Phase::Quiet));
    assert!(outcome.changed);
    assert!(!evidence.refresh(&terms, last + 2).changed);
}

#[test]
fn a_recovery_ends_breaching_at_once_and_a_later_breach_begins_anew() {
    let terms = small();
    let slot = terms.slot_of(T0).unwrap();
    let mut evidence = met(&terms, 4);
    let outcome = evidence.observe(&terms, &recovery(&terms, slot + 3), T0 + 2_400).unwrap();
    assert_eq!((outcome.before, outcome.after), (Phase::Breaching, Phase::Quiet));
    let outcome = evidence.observe(&terms, &breach(&terms, slot + 3), T0 + 2_401).unwrap();
    assert_eq!(outcome.after, Phase::Quiet, "its slot is recovered");
    let outcome = evidence.observe(&terms, &breach(&terms, slot + 4), T0 + 2_500).unwrap();
    assert_eq!(outcome.after, Phase::Breaching);
}

#[test]
fn need_slots_trigger_with_the_tolerance_and_not_beyond_it() {
    let terms = terms(600, 8, 2, 6, LINEAR);
    let first = terms.slot_of(T0).unwrap();
    let phase = |slots: &[u64]| {
        let mut evidence = Evidence::default();
        for slot in slots {
            let print = breach(&terms, first + slot);
            evidence.observe(&terms, &print, print.publish_time).unwrap();
        }
        evidence.phase()
    };
    assert_eq!(phase(&[0, 1, 2, 3, 4, 5, 6]), Phase::Breaching);
    assert_eq!(phase(&[0, 1, 2, 3, 4, 5, 6, 7]), Phase::Met);
    assert_eq!(phase(&[0, 2, 3, 4, 6, 7, 8, 9]), Phase::Met);
    assert_eq!(phase(&[0, 2, 3, 5, 6, 8, 9, 10]), Phase::Breaching);
    // The first of nine good slots costs too much; the other eight hold without it.
    assert_eq!(phase(&[0, 4, 5, 6, 7, 8, 9, 10, 11]), Phase::Met);
}

#[test]
fn an_early_breach_cannot_spoil_a_later_window() {
    // Under a rule that restarts, the isolated first print used up the tolerance.
    let terms = terms(600, 144, 12, 6, Severity::Binary);
    let first = terms.slot_of(T0).unwrap();
    let slots = [0].into_iter().chain(11..121).chain(123..180);
    let fires = |slots: Vec<u64>| {
        let mut evidence = Evidence::default();
        for slot in slots {
            let print = breach(&terms, first + slot);
            evidence.observe(&terms, &print, print.publish_time).unwrap();
        }
        evidence.window(&terms).is_some()
    };
    assert!(fires(slots.clone().collect()));
    assert!(fires(slots.skip(1).collect()));
}

#[test]
fn below_is_strictly_below_and_recovered_is_at_or_above() {
    let terms = small();
    let class = |price: u64, confidence: u64| terms.classify(&print(price, confidence, T0));
    assert_eq!(class(95 * CENT, 0), Class::Unclear);
    assert_eq!(class(95 * CENT - 1, 0), Class::Breach);
    assert_eq!(class(96 * CENT, 0), Class::Recovered);
    assert_eq!(class(96 * CENT - 1, 0), Class::Unclear);
    // k = 2.
    assert_eq!(class(95 * CENT - 21, 10), Class::Breach);
    assert_eq!(class(95 * CENT - 20, 10), Class::Unclear);
    assert_eq!(class(96 * CENT + 20, 10), Class::Recovered);
    assert_eq!(class(96 * CENT + 19, 10), Class::Unclear);
    assert_eq!(class(1, u64::MAX), Class::Unclear);
    assert_eq!(class(u64::MAX, u64::MAX), Class::Unclear);
    assert_eq!(class(120 * CENT, 0), Class::Recovered, "an upward move never triggers");
    // Hundredths are not rounded: k = 0.01.
    let mut fine = terms;
    fine.confidence_multiplier = 1;
    assert_eq!(fine.classify(&print(95 * CENT - 1, 99, T0)), Class::Breach);
    assert_eq!(fine.classify(&print(95 * CENT - 1, 100, T0)), Class::Unclear);
    assert_eq!(fine.classify(&print(96 * CENT, 1, T0)), Class::Unclear);
}

#[test]
fn an_unclear_print_has_no_effect_whenever_it_is_shown() {
    let terms = small();
    let mut evidence = met(&terms, 6);
    let before = evidence;
    for slot in before.window_first..=before.window_last {
        let unclear = print_in(&terms, slot, 50, 95 * CENT, CENT);
        let outcome = evidence.observe(&terms, &unclear, T0 + 7_200).unwrap();
        assert!(!outcome.changed);
    }
    assert_eq!(evidence, before);
    let newest = print_in(&terms, before.head + 3, 0, 95 * CENT, CENT);
    assert!(evidence.observe(&terms, &newest, T0 + 7_200).unwrap().changed);
    assert_eq!(evidence.head, before.head, "it turns no ring");
    assert_eq!((evidence.last_price, evidence.last_publish_time), (95 * CENT, newest.publish_time));
}

#[test]
fn the_last_print_is_the_newest_and_of_one_second_the_lowest() {
    let terms = small();
    let prints = [
        print(99 * CENT, 0, T0 + 10),
        print(98 * CENT, 5, T0 + 20),
        print(98 * CENT, 9, T0 + 20),
        print(99 * CENT, 9, T0 + 20),
    ];
    for seed in 0..50 {
        let mut evidence = Evidence::default();
        for print in shuffle(&prints, seed * 7_919 + 1) {
            evidence.observe(&terms, &print, T0 + 30).unwrap();
        }
        let last = (evidence.last_price, evidence.last_confidence, evidence.last_publish_time);
        assert_eq!(last, (98 * CENT, 9, T0 + 20));
    }
}

#[test]
fn a_late_crank_changes_neither_event_nor_severity() {
    let terms = small();
    let evidence = met(&terms, 8);
    let facts = |evidence: &Evidence| (evidence.event_at, evidence.met_at, evidence.mean_price, evidence.severity_bps);
    let mut prompt = evidence;
    prompt.confirm(&terms, T0 + 7_201).unwrap();
    for late in [7_202, 90_000, 256 * 600, 513 * 600, 10_000 * 86_400, i64::MAX - T0] {
        let mut confirmed = evidence;
        confirmed.confirm(&terms, T0 + late).unwrap();
        assert_eq!(facts(&confirmed), facts(&prompt));
        assert_eq!(confirmed.triggered_at, T0 + late);
        // The first to come shows a print instead: it triggers, and the ring does not turn.
        let mut observed = evidence;
        let now = (T0 + late).min(i64::MAX - 1_000);
        let outcome = observed.observe(&terms, &print(90 * CENT, 0, now), now).unwrap();
        assert_eq!(outcome.after, Phase::Triggered);
        assert_eq!(facts(&observed), facts(&prompt));
        assert_eq!(observed.head, evidence.head);
    }
}

#[test]
fn a_halt_of_half_a_challenge_loses_no_evidence() {
    let terms = terms(600, 6, 1, 12, LINEAR);
    let first = terms.slot_of(T0).unwrap();
    let prints: Vec<Observation> = (first..first + 6).map(|slot| breach(&terms, slot)).collect();
    let mut live = Evidence::default();
    for print in &prints {
        live.observe(&terms, print, print.publish_time).unwrap();
    }
    // The cluster stands still from the first print for half a challenge, and everything is shown after it.
    let resumed = prints[0].publish_time + i64::from(terms.challenge) / 2;
    let mut halted = Evidence::default();
    for print in shuffle(&prints, 99) {
        halted.observe(&terms, &print, resumed).unwrap();
    }
    assert_eq!(halted, live);
    let due = live.window(&terms).unwrap().contradicted_until + 1;
    assert!(halted.confirm(&terms, due).is_ok());
}

#[test]
fn more_than_512_idle_slots_leave_nothing_behind() {
    let terms = small();
    let first = terms.slot_of(T0).unwrap();
    for idle in [255, 256, 257, 511, 512, 513, 5_000] {
        let mut evidence = met(&terms, 5);
        let start = first + 4 + idle;
        for slot in start..start + 6 {
            let print = breach(&terms, slot);
            let outcome = evidence.observe(&terms, &print, print.publish_time).unwrap();
            let expected = if slot == start + 5 { Phase::Met } else { Phase::Breaching };
            assert_eq!(outcome.after, expected, "idle {idle}");
        }
        let window = evidence.window(&terms).unwrap();
        assert_eq!((window.first_slot, window.last_slot), (start, start + 5));
        for slot in evidence.head - 255..start {
            let kept = slot < first + 5;
            assert_eq!(evidence.is_good(slot), kept);
            assert_eq!(evidence.breach_price(slot).is_some(), kept);
        }
        assert!(!evidence.is_good(evidence.head - 256));
        assert!(!evidence.is_good(evidence.head + 1));
    }
}

#[test]
fn a_contradicted_window_gives_way_to_the_next_one() {
    let terms = small();
    let mut evidence = met(&terms, 12);
    let first = evidence.window_first;
    let outcome = evidence.observe(&terms, &recovery(&terms, first + 2), T0 + 7_200).unwrap();
    assert_eq!((outcome.before, outcome.after), (Phase::Met, Phase::Met));
    assert!(outcome.changed && !outcome.phase_changed());
    let window = evidence.window(&terms).unwrap();
    assert_eq!((window.first_slot, window.last_slot), (first + 3, first + 8));
    // It waits for its own challenge.
    assert_eq!(evidence.phase_at(&terms, window.contradicted_until), Phase::Met);
    assert_eq!(evidence.phase_at(&terms, window.contradicted_until + 1), Phase::Triggered);
}

#[test]
fn severity_rounds_against_the_claim() {
    let terms = small();
    let bps = |price: u64| terms.severity_bps(u128::from(price) * 6, 6);
    assert_eq!(bps(95 * CENT), 0);
    assert_eq!(bps(95 * CENT - 1), 0);
    assert_eq!(bps(80 * CENT), 10_000);
    assert_eq!(bps(80 * CENT + 1), 9_999);
    assert_eq!(bps(0), 10_000);
    assert_eq!(bps(u64::MAX), 0);
    assert_eq!(terms.severity_bps(0, 0), 0);
    assert_eq!(terms_binary().severity_bps(u128::from(95 * CENT - 1), 1), 10_000);
    // The mean is a sixth of 1e-8 above the full-loss price: it reads as that price, but does not pay as much.
    let first = terms.slot_of(T0).unwrap();
    let mut evidence = Evidence::default();
    for (slot, extra) in (first..).zip([0, 0, 0, 0, 0, 1]) {
        let highest = print_in(&terms, slot, 0, 80 * CENT + extra, 0);
        evidence.observe(&terms, &highest, highest.publish_time).unwrap();
        // A lower print of the same slot does not lower the mean.
        let lower = print_in(&terms, slot, 1, 70 * CENT, 0);
        evidence.observe(&terms, &lower, lower.publish_time).unwrap();
    }
    evidence.refresh(&terms, T0 + 7_201);
    assert_eq!((evidence.mean_price, evidence.severity_bps), (80 * CENT, 9_999));
}

fn terms_binary() -> Terms {
    terms(600, 6, 1, 6, Severity::Binary)
}

#[test]
fn terms_outside_the_hard_bounds_are_refused() {
    let good = TermsInput {
        threshold: 95 * CENT,
        recovery: 96 * CENT,
        severity: Severity::Binary,
        duration_seconds: 4 * 3_600,
        slot_seconds: 1_800,
        tolerance_seconds: 1_800,
        challenge_seconds: 6 * 3_600,
        confidence_multiplier: 200,
    };
    let terms = Terms::new(&good).unwrap();
    assert_eq!((terms.need, terms.tolerance, terms.challenge), (8, 1, 21_600));
    assert_eq!(terms.longest_wait_seconds(), 4 * 3_600 + 1_800 + 6 * 3_600);
    assert_eq!(terms.ring_days(), 6); // 256 half hours are 5 1/3 days
    let with = |change: fn(&mut TermsInput)| {
        let mut input = good;
        change(&mut input);
        Terms::new(&input).err()
    };
    use TermsError::*;
    assert_eq!(with(|t| t.threshold = 0), Some(BadPrices));
    assert_eq!(with(|t| t.recovery = 95 * CENT - 1), Some(BadPrices));
    assert_eq!(with(|t| t.recovery = u64::MAX), Some(BadPrices));
    assert_eq!(with(|t| t.recovery = 95 * CENT), None);
    assert_eq!(with(|t| t.slot_seconds = 0), Some(BadSlot));
    assert_eq!(with(|t| (t.slot_seconds, t.tolerance_seconds) = (48, 0)), Some(BadSlot));
    assert_eq!(with(|t| (t.slot_seconds, t.tolerance_seconds) = (7_200, 0)), Some(BadSlot));
    assert_eq!(
        with(|t| (t.slot_seconds, t.tolerance_seconds, t.challenge_seconds) = (700, 0, 4_200)),
        Some(BadDuration)
    );
    assert_eq!(
        with(
            |t| (t.slot_seconds, t.tolerance_seconds, t.duration_seconds, t.challenge_seconds) = (700, 0, 7_000, 4_200)
        ),
        Some(BadSlot)
    );
    assert_eq!(with(|t| t.duration_seconds = 5 * 1_800), Some(BadDuration));
    assert_eq!(with(|t| t.duration_seconds = 4 * 3_600 + 1), Some(BadDuration));
    assert_eq!(with(|t| (t.slot_seconds, t.duration_seconds) = (300, 3_300)), Some(BadDuration));
    assert_eq!(with(|t| t.duration_seconds = u32::MAX), Some(BadDuration));
    assert_eq!(with(|t| t.tolerance_seconds = 3_600), None);
    assert_eq!(with(|t| t.tolerance_seconds = 5_400), Some(BadTolerance));
    assert_eq!(with(|t| t.tolerance_seconds = 1_799), Some(BadTolerance));
    assert_eq!(with(|t| t.challenge_seconds = 1_800), Some(BadChallenge));
    assert_eq!(with(|t| t.challenge_seconds = 86_400), None);
    assert_eq!(with(|t| t.challenge_seconds = 86_400 + 1_800), Some(BadChallenge));
    assert_eq!(with(|t| t.challenge_seconds = 21_601), Some(BadChallenge));
    assert_eq!(with(|t| t.confidence_multiplier = 1_000), None);
    assert_eq!(with(|t| t.confidence_multiplier = 1_001), Some(BadConfidenceMultiplier));
    assert_eq!(with(|t| t.severity = Severity::Linear { full_loss_price: 0 }), Some(BadSeverity));
    assert_eq!(with(|t| t.severity = Severity::Linear { full_loss_price: 95 * CENT }), Some(BadSeverity));
    assert_eq!(with(|t| t.severity = Severity::Linear { full_loss_price: 95 * CENT - 1 }), None);
    // need + tolerance + challenge + 32 slots fill the ring exactly, then pass it.
    assert_eq!(with(|t| t.duration_seconds = (256 - 32 - 12 - 1) * 1_800), None);
    assert_eq!(with(|t| t.duration_seconds = (256 - 32 - 12) * 1_800), Some(BeyondRing));
    let mut odd = terms;
    odd.severity = 2;
    assert_eq!(odd.validate(), Err(BadSeverity));
    odd = terms;
    odd.full_loss_price = 1;
    assert_eq!(odd.validate(), Err(BadSeverity));
    odd = terms;
    odd.padding = [1];
    assert_eq!(odd.validate(), Err(BadPadding));
    assert_eq!(Phase::from_byte(7), None);
}

#[test]
fn ring_days_cover_the_ring() {
    for (slot, days) in [(60, 1), (600, 2), (1_800, 6), (3_600, 11)] {
        let terms = terms(slot, 60, 0, 3_600 / slot, Severity::Binary);
        assert_eq!(terms.ring_days(), days);
        assert!(days * 86_400 >= 256 * slot);
    }
}

// ---------------------------------------------------------------- the depeg of March 2023

#[derive(Debug, PartialEq, Eq)]
struct Fired {
    event_at: i64,
    met_at: i64,
    good_slots: u16,
    mean_price: u64,
}

/// Every row is shown a second after it was published. A window is confirmed at the first row after its challenge, or
/// at the end; the next trigger starts empty at the first Recovered row from then on.
fn replay(terms: &Terms, rows: &[(i64, u64)]) -> (Vec<Fired>, i64) {
    let mut fired = vec![];
    let mut longest = 0;
    let mut evidence = Some(Evidence::default());
    for (time, price) in rows {
        let print = print(*price, 0, *time);
        let now = time + 1;
        if let Some(current) = &mut evidence {
            if terms.slot_of(*time).unwrap() > current.head {
                longest = longest.max(current.longest_credited(terms));
            }
            if current.confirm(terms, now).is_ok() {
                fired.push(fact(terms, current));
                evidence = None;
            }
        }
        if evidence.is_none() && terms.classify(&print) == Class::Recovered {
            evidence = Some(Evidence::default());
        }
        if let Some(current) = &mut evidence {
            current.observe(terms, &print, now).unwrap();
        }
    }
    if let Some(current) = &mut evidence {
        longest = longest.max(current.longest_credited(terms));
        if let Some(window) = current.window(terms) {
            current.confirm(terms, window.contradicted_until + 1).unwrap();
            fired.push(fact(terms, current));
        }
    }
    (fired, i64::from(longest) * i64::from(terms.slot_seconds))
}

fn fact(terms: &Terms, evidence: &Evidence) -> Fired {
    let window = evidence.window(terms).unwrap();
    let slots = window.first_slot..=window.last_slot;
    let good = slots.filter(|slot| evidence.is_good(*slot)).count();
    Fired {
        event_at: evidence.event_at,
        met_at: evidence.met_at,
        good_slots: u16::try_from(good).unwrap(),
        mean_price: evidence.mean_price,
    }
}

fn product(threshold: u64, recovery: u64, duration: u32, slot: u32, tolerance: u32) -> Terms {
    Terms::new(&TermsInput {
        threshold,
        recovery,
        severity: Severity::Binary,
        duration_seconds: duration,
        slot_seconds: slot,
        tolerance_seconds: tolerance,
        challenge_seconds: 6 * 3_600,
        confidence_multiplier: 200,
    })
    .unwrap()
}

/// A price in 1e-8 from its decimals.
fn price_of(text: &str) -> u64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<8}").parse().unwrap()
}

fn fixture(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("BACKSTOP_FIXTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: no fixture {}; set BACKSTOP_FIXTURES", path.display());
    None
}

#[test]
fn the_fixture_of_march_2023_fires_where_it_should() {
    let Some(path) = fixture("usdc_usd_chainlink_2022-11_2023-03.csv") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<(i64, u64)> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(time, price)| (time.parse().unwrap(), price_of(price)))
        .collect();
    assert_eq!(rows.len(), 400);

    let stress = product(95 * CENT, 96 * CENT, 4 * 3_600, 1_800, 1_800);
    let (fired, longest) = replay(&stress, &rows);
    let expected = Fired { event_at: 1_678_507_200, met_at: 1_678_521_600, good_slots: 8, mean_price: 93_108_160 };
    assert_eq!(fired, [expected]);
    assert_eq!(longest, 4 * 3_600);

    let severe = product(90 * CENT, 95 * CENT, 24 * 3_600, 3_600, 7_200);
    assert_eq!(replay(&severe, &rows), (vec![], 10_800));

    let short = product(90 * CENT, 95 * CENT, 3_600, 600, 600);
    let (fired, _) = replay(&short, &rows);
    let expected = Fired { event_at: 1_678_516_800, met_at: 1_678_520_400, good_slots: 6, mean_price: 89_623_360 };
    assert_eq!(fired, [expected]);
}

/// USDC/USD on 10 to 12 March 2023, Chainlink rounds: seconds after 1678480000 and price in 1e-5.
const MARCH_2023: [(i64, u64); 61] = [
    (7255, 99756),
    (15091, 99503),
    (17491, 99209),
    (19687, 98843),
    (21187, 99007),
    (22783, 99340),
    (24307, 98535),
    (25927, 95737),
    (27559, 94002),
    (29467, 95080),
    (31027, 94557),
    (32587, 94578),
    (34723, 93500),
    (36283, 92009),
    (37819, 90623),
    (38839, 88216),
    (38899, 88161),
    (40423, 88754),
    (40915, 88310),
    (41083, 88000),
    (41203, 88330),
    (42103, 88343),
    (43999, 90270),
    (45499, 92050),
    (47719, 90760),
    (49939, 91240),
    (51835, 90684),
    (53815, 90441),
    (56095, 91204),
    (57655, 92071),
    (59215, 91333),
    (60751, 91300),
    (66247, 91540),
    (67747, 92006),
    (69907, 92240),
    (72691, 92486),
    (74323, 93030),
    (75883, 94070),
    (77683, 94873),
    (79183, 94857),
    (84343, 95350),
    (86083, 95890),
    (88399, 97983),
    (89995, 96529),
    (91783, 96038),
    (94339, 95550),
    (96595, 95790),
    (98155, 96585),
    (103399, 97210),
    (105511, 98050),
    (107011, 97543),
    (109747, 98070),
    (112051, 98103),
    (114391, 97750),
    (116791, 97122),
    (118459, 97125),
    (121231, 97038),
    (123247, 95918),
    (125347, 95216),
    (126883, 94679),
    (129703, 95188),
];

#[test]
fn the_61_prints_of_march_2023_meet_the_stress_product_once_and_never_the_severe_one() {
    let rows = MARCH_2023.map(|(seconds, price)| (1_678_480_000 + seconds, price * 1_000));
    let stress = product(95 * CENT, 96 * CENT, 4 * 3_600, 1_800, 1_800);
    let (fired, _) = replay(&stress, &rows);
    let expected = Fired { event_at: 1_678_510_800, met_at: 1_678_527_000, good_slots: 8, mean_price: 90_965_000 };
    assert_eq!(fired, [expected]);
    let severe = product(90 * CENT, 95 * CENT, 24 * 3_600, 3_600, 7_200);
    assert_eq!(replay(&severe, &rows).0, vec![]);
}
