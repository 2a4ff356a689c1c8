//! The evidence machine against the declarative rule of `docs/src/how/evidence.md`: windows over a set of prints.
//!
//! [`Model`] is that rule. The machine is shown 100,000 random sets, each in several orders and at several times, and comes
//! to what the model says of the set. Each test also counts how often its premise held, so that none passes empty.

mod evidence_rule;

use backstop::peril::evidence::*;
use backstop::peril::feed::Observation;
use evidence_rule::{Expected, Model, Proof, last_moment, terms};
use std::path::PathBuf;

const T0: i64 = 1_700_006_400; // 2023-11-15 00:00:00 UTC
const CENT: u64 = 1_000_000;
const LINEAR: Severity = Severity::Linear { full_loss_price: 80 * CENT, min_severity_bps: 500 };

// ---------------------------------------------------------------- terms and prints

/// Ten-minute slots, an hour of breach, two hours of challenge, two hours of run-on.
fn small() -> Terms {
    terms(600, 6, 1, 12, 12, LINEAR)
}

fn print(price: u64, confidence: u64, publish_time: i64) -> Observation {
    Observation { price, confidence, publish_time }
}

/// A random number generator that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(u64::try_from(to - from).unwrap() + 1)).unwrap()
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            list.swap(place, usize::try_from(self.below(place as u64 + 1)).unwrap());
        }
    }
}

/// Terms at several corners of the bounds: short and long slots, no run-on and a long one, half a challenge of half a
/// slot and of an odd number of seconds.
fn random_terms(random: &mut Random) -> Terms {
    let run_on = u32::try_from(random.below(15)).unwrap();
    // Long windows take long to play.
    if random.one_in(100) {
        return terms(60, 60, 5, 120, run_on, LINEAR);
    }
    if random.one_in(5) {
        return mirrored_terms(&terms(600, 6, 1, 12, run_on, LINEAR));
    }
    match random.below(8) {
        0 => terms(3_600, 6, 1, 2, run_on, LINEAR),
        1 => terms(900, 8, 2, 9, run_on, LINEAR),
        2 => terms(600, 7, 1, 13, 0, Severity::Binary),
        3 => terms(675, 6, 1, 11, run_on, LINEAR),
        4 => terms(1_800, 9, 2, 4, 0, LINEAR),
        _ => terms(3_600, 6, 1, 3, run_on, LINEAR),
    }
}

/// Prints of a price that wanders around the threshold, up to four a slot, some of them doubtful, some of one second's
/// spike, in the order of time.
fn random_prints(random: &mut Random, terms: &Terms) -> Vec<Observation> {
    let first = terms.slot_of(T0).unwrap();
    let slots = u64::from(terms.need) * 3 + random.below(12);
    let density = 1 + random.below(3);
    let mut cents = random.between(90, 98);
    let mut prints = vec![];
    for slot in first..first + slots {
        cents = (cents + [-3, -1, -1, 0, 0, 0, 1, 1, 3][random.below(9) as usize]).clamp(70, 99);
        let level = match random.below(40) {
            0 => 75,
            1 => 98,
            _ => cents,
        };
        for _ in 0..=random.below(density + 1) {
            let second = random.between(0, i64::from(terms.slot_seconds) - 1);
            let price = u64::try_from(level + random.between(-1, 1)).unwrap() * CENT + random.below(3);
            let price = if terms.direction() == Direction::Above { mirrored(price) } else { price };
            let confidence = if random.one_in(8) { CENT / 2 } else { 0 };
            prints.push(print(price, confidence, terms.slot_start(slot) + second));
        }
    }
    prints.sort();
    prints.sort_by_key(|print| print.publish_time);
    prints
}

/// When prints are shown.
#[derive(Clone, Copy, Debug)]
enum Moments {
    Soon,
    Late,
    Any,
}

/// Prints with a moment in their time for each, in the order of these; those of one moment in any order.
fn shows(random: &mut Random, terms: &Terms, prints: &[Observation], moments: Moments) -> Vec<(Observation, i64)> {
    let mut shows: Vec<_> = prints
        .iter()
        .map(|print| {
            let last = last_moment(terms, print);
            let at = match moments {
                Moments::Soon => print.publish_time,
                Moments::Late => last,
                Moments::Any => random.between(print.publish_time, last),
            };
            (*print, at)
        })
        .collect();
    random.shuffle(&mut shows);
    shows.sort_by_key(|(_, at)| *at);
    shows
}

/// The machine says at a moment what the model says of what was shown until then.
#[track_caller]
fn agrees(evidence: &Evidence, model: &Model, now: i64) -> Expected {
    let expected = model.at(now);
    let mut touched = *evidence;
    touched.refresh(&model.terms, now);
    assert_eq!(touched.phase(), expected.phase(), "{} s after the beginning", now - T0);
    assert_eq!(evidence.phase_at(&model.terms, now), expected.phase());
    let window = touched.window(&model.terms);
    match expected {
        Expected::Met { f, m } => {
            let window = window.unwrap();
            assert_eq!((window.first_slot, window.last_slot), (f, m));
        }
        Expected::Proven(proof) => {
            assert_eq!((touched.event_at, touched.met_at), (proof.event_at, proof.met_at));
            assert_eq!((touched.first_mean, touched.first_severity_bps), (proof.first_mean, proof.first_bps));
            assert_eq!((touched.lowest_mean, touched.severity_bps), (proof.lowest_mean, proof.bps));
            assert_eq!((touched.final_at != 0).then_some(touched.final_at), proof.final_at);
        }
        Expected::Quiet | Expected::Breaching => assert_eq!(window, None),
    }
    expected
}

/// How many random sets: 100,000 by `BACKSTOP_CASES_FACTOR`, which is below 1 for a quick look and above for a long
/// search.
fn sets(of: f64) -> u64 {
    let factor = std::env::var("BACKSTOP_CASES_FACTOR").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1.0);
    (of * factor).max(1.0) as u64
}

// ---------------------------------------------------------------- random sets

#[test]
fn event_t_and_payments_of_100_000_sets_depend_on_nothing_but_the_set() {
    let (mut proven, mut deepened, mut recovered) = (0_u64, 0_u64, 0_u64);
    let count = sets(100_000.0);
    for seed in 1..=count {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let terms = random_terms(&mut random);
        let prints = random_prints(&mut random, &terms);
        let expected = Model::full(terms, &prints).outcome();
        let late = Moments::Late;
        for moments in [Moments::Any, if random.one_in(2) { Moments::Soon } else { late }] {
            let mut evidence = Evidence::default();
            let mut severity = 0;
            for (print, at) in shows(&mut random, &terms, &prints, moments) {
                if random.one_in(10) {
                    evidence.refresh(&terms, at);
                }
                evidence.observe(&terms, &print, at).expect("it is shown in its time");
                if random.one_in(20) {
                    // A print that was shown before, and one whose time is over.
                    evidence.observe(&terms, &print, at).unwrap();
                    let over = last_moment(&terms, &print) + 1;
                    assert_eq!(evidence.observe(&terms, &print, over), Err(EvidenceError::SlotClosed));
                }
                assert!(evidence.severity_bps >= severity, "severity fell");
                severity = evidence.severity_bps;
            }
            evidence.refresh(&terms, T0 + 60 * 86_400);
            assert_eq!(Proof::of(&evidence), expected, "seed {seed}, {moments:?}");
        }
        if let Some(proof) = expected {
            proven += 1;
            deepened += u64::from(proof.bps > proof.first_bps);
            let over = proof.met_at + i64::from(terms.run_on) + i64::from(terms.challenge);
            recovered += u64::from(proof.final_at != Some(over));
        }
    }
    assert!(proven * 10 > count && deepened * 100 > count, "proven {proven}, deepened {deepened} of {count}");
    assert!(recovered * 200 > count, "ended by a recovery {recovered} of {count}");
}

#[test]
fn the_machine_equals_the_model_after_every_print() {
    let mut phases = [0_u64; 5];
    let mut refused = 0_u64;
    let count = sets(1_000.0);
    for seed in 1..=count {
        let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95));
        let terms = random_terms(&mut random);
        let prints = random_prints(&mut random, &terms);
        let mut shows = shows(&mut random, &terms, &prints, Moments::Any);
        // Some are shown at any time, also too late or in a slot that has not begun.
        for (print, at) in &mut shows {
            if random.one_in(10) {
                let last = last_moment(&terms, print);
                *at = random.between(print.publish_time - 900, last + 7_200);
            }
        }
        shows.sort_by_key(|(_, at)| *at);
        let (mut evidence, mut model) = (Evidence::default(), Model::new(terms));
        let mut last = T0;
        for (print, at) in shows {
            let before = evidence;
            let refusal = model.show(print, at);
            let outcome = evidence.observe(&terms, &print, at);
            assert_eq!(outcome.err(), refusal, "seed {seed}");
            if let Ok(outcome) = outcome {
                assert_eq!((outcome.before, outcome.after), (before.phase(), evidence.phase()));
                assert_eq!(outcome.class, Some(model.class(&print)));
                let mut again = evidence;
                assert!(!again.observe(&terms, &print, at).unwrap().changed(), "a duplicate changed something");
                assert_eq!(again, evidence);
            } else {
                assert_eq!(evidence, before, "a refused print changed a byte");
                refused += 1;
            }
            phases[usize::from(agrees(&evidence, &model, at).phase().byte())] += 1;
            last = at;
        }
        for _ in 0..6 {
            last += random.between(0, 200_000);
            phases[usize::from(agrees(&evidence, &model, last).phase().byte())] += 1;
        }
    }
    assert!(phases.iter().all(|times| *times > count / 3), "{phases:?}");
    assert!(refused > count / 3, "refused {refused}");
}

#[test]
fn a_long_life_on_the_ring_equals_the_model_that_forgets_nothing() {
    let (mut proven, mut wrapped) = (0, 0);
    let count = sets(300.0);
    for seed in 1..=count {
        let mut random = Random(seed.wrapping_mul(0xa076_1d64_78bd_642f));
        let terms = random_terms(&mut random);
        let (mut evidence, mut model) = (Evidence::default(), Model::new(terms));
        let (mut offset, mut now) = (0, T0);
        // Stretches of prints between idle times of up to 700 slots.
        for _ in 0..5 {
            let mut prints = random_prints(&mut random, &terms);
            prints.truncate(usize::try_from(random.below(40)).unwrap());
            for print in &mut prints {
                print.publish_time += offset;
            }
            for (print, at) in shows(&mut random, &terms, &prints, Moments::Any) {
                now = now.max(at);
                assert_eq!(evidence.observe(&terms, &print, now).err(), model.show(print, now), "seed {seed}");
                agrees(&evidence, &model, now);
            }
            let idle = random.between(20, 700);
            wrapped += u64::from(idle > 512);
            offset = (now - T0) / 86_400 * 86_400 + idle * i64::from(terms.slot_seconds);
            offset -= offset % i64::from(terms.slot_seconds);
        }
        let expected = agrees(&evidence, &model, now + 700 * 3_600);
        proven += u64::from(expected.phase() == Phase::Final);
    }
    assert!(proven > count / 30 && wrapped > count / 10, "proven {proven}, wrapped {wrapped}");
}

// ---------------------------------------------------------------- one print

/// What the last good slots' severity would be with one print more, over random sets.
#[test]
fn one_print_more_changes_its_own_slot_only() {
    let mut moved = 0;
    for seed in 1..=sets(4_000.0) {
        let mut random = Random(seed.wrapping_mul(0xe703_7ed1_a0b4_28db));
        let terms = random_terms(&mut random);
        let mut prints = random_prints(&mut random, &terms);
        let before = Model::full(terms, &prints);
        let at = prints[random.below(prints.len() as u64) as usize].publish_time;
        let slot = terms.slot_of(at).unwrap();
        let second = random.between(0, i64::from(terms.slot_seconds) - 1);
        prints.push(print(random.below(30) * CENT + 70 * CENT, 0, terms.slot_start(slot) + second));
        let after = Model::full(terms, &prints);
        let first = terms.slot_of(T0).unwrap();
        for other in (first..first + 40).filter(|other| *other != slot) {
            assert_eq!(before.is_good(other), after.is_good(other));
            assert_eq!(before.is_recovered(other), after.is_recovered(other));
        }
        // While the window is the same, its mean moves by the slot's change over `need` at most: the highest breach of a
        // slot was 25 cents higher at most.
        if let (Some(before), Some(after)) = (before.outcome(), after.outcome())
            && (before.event_at, before.met_at) == (after.event_at, after.met_at)
        {
            let most = 25 * CENT / u64::from(terms.need) + 1;
            assert!(before.first_mean.abs_diff(after.first_mean) <= most, "seed {seed}");
            moved += u64::from(before.first_mean != after.first_mean);
        }
    }
    assert!(sets(4_000.0) < 4_000 || moved > 20, "moved {moved}");
}

/// Prints of `small()`: of each (slot, second, cents) one.
fn set(terms: &Terms, prints: &[(u64, i64, u64)]) -> Vec<Observation> {
    let first = terms.slot_of(T0).unwrap();
    let at = |slot: u64, second: i64| terms.slot_start(first + slot) + second;
    prints.iter().map(|(slot, second, cents)| print(cents * CENT, 0, at(*slot, *second))).collect()
}

/// Shows prints at once and lets time pass.
fn play(terms: &Terms, prints: &[Observation]) -> Evidence {
    let mut evidence = Evidence::default();
    let mut prints = prints.to_vec();
    prints.sort_by_key(|print| print.publish_time);
    for print in prints {
        evidence.observe(terms, &print, print.publish_time).unwrap();
    }
    evidence.refresh(terms, T0 + 60 * 86_400);
    evidence
}

#[test]
fn a_thin_choice_of_prints_is_no_evidence_where_the_rest_is_shown() {
    // A tenth of the prints lies under the threshold and the rest over it: one crank shows two Aboves a slot.
    let terms = terms(3_600, 24, 2, 12, 0, Severity::Binary);
    let thin: Vec<_> = (0..24).map(|slot| (slot, 1_800, 94)).collect();
    assert_eq!(play(&terms, &set(&terms, &thin)).phase(), Phase::Final, "nobody contradicts");
    let rest = (0..24).flat_map(|slot| [(slot, 300, 96), (slot, 660, 96)]);
    let all: Vec<_> = thin.iter().copied().chain(rest).collect();
    assert_eq!(play(&terms, &set(&terms, &all)).phase(), Phase::Quiet);
    // Aboves less than a tenth of a slot apart are one moment of one venue.
    let near = (0..24).flat_map(|slot| [(slot, 300, 96), (slot, 659, 96)]);
    let all: Vec<_> = thin.iter().copied().chain(near).collect();
    assert_eq!(play(&terms, &set(&terms, &all)).phase(), Phase::Final);
}

#[test]
fn one_second_of_recovery_undoes_nothing() {
    let terms = small();
    let fall: Vec<_> = (0..6).map(|slot| (slot, 10, 85)).collect();
    let quiet = play(&terms, &set(&terms, &fall));
    let spike: Vec<_> = fall.iter().copied().chain([(3, 300, 98), (3, 330, 98)]).collect();
    let spiked = play(&terms, &set(&terms, &spike));
    assert_eq!((spiked.event_at, spiked.met_at), (quiet.event_at, quiet.met_at));
    assert_eq!(spiked.severity_bps, quiet.severity_bps);
    let recovery: Vec<_> = fall.iter().copied().chain([(3, 300, 98), (3, 360, 98)]).collect();
    assert_eq!(play(&terms, &set(&terms, &recovery)).phase(), Phase::Quiet);
}

#[test]
fn the_highest_breach_of_one_slot_cannot_take_the_payment_away() {
    // One print a slot at the threshold beside many at 0.85: the holder of a proven loss is paid the least severity.
    let terms = small();
    let fall: Vec<_> = (0..6).flat_map(|slot| [(slot, 10, 85), (slot, 20, 94)]).collect();
    let evidence = play(&terms, &set(&terms, &fall));
    assert_eq!((evidence.first_mean, evidence.first_severity_bps), (94 * CENT, 666));
    let mut near = set(&terms, &fall);
    for print in &mut near {
        if print.price == 94 * CENT {
            print.price = 95 * CENT - 1;
        }
    }
    let evidence = play(&terms, &near);
    assert_eq!((evidence.first_mean, evidence.severity_bps), (95 * CENT - 1, 500));
}

#[test]
fn a_fall_that_deepens_after_it_is_proven_is_paid_until_the_run_on_is_over() {
    let terms = small();
    let onset = (0..6).map(|slot| (slot, 10, 94));
    let collapse = (6..12).map(|slot| (slot, 10, 80));
    let all: Vec<_> = onset.clone().chain(collapse.clone()).collect();
    let evidence = play(&terms, &set(&terms, &all));
    // Fifteenths of the way: 1 at first; all at the end.
    assert_eq!((evidence.first_severity_bps, evidence.severity_bps), (666, 10_000));
    // Slot 5 is m; twelve slots later the run-on ends, and a challenge after that nothing changes.
    assert_eq!(evidence.final_at, T0 + (6 + 12 + 12) * 600);
    // Severity follows each window when its last slot settles.
    let mut evidence = Evidence::default();
    for print in set(&terms, &all) {
        evidence.observe(&terms, &print, print.publish_time).unwrap();
    }
    let mut severities = vec![];
    for slot in 5..=12 {
        let settled = T0 + (slot + 1) * 600 + 7_200;
        evidence.refresh(&terms, settled - 1);
        let before = evidence.severity_bps;
        let outcome = evidence.refresh(&terms, settled);
        assert_eq!(outcome.deepened, evidence.severity_bps > before && slot > 5);
        severities.push(evidence.severity_bps);
    }
    // Means of 94 with 0 to 6 of 80 among six, over 15: (1 + 14 n / 6) / 15.
    assert_eq!(severities, [666, 2_222, 3_777, 5_333, 6_888, 8_444, 10_000, 10_000]);
    // A recovery that lasts ends it: two recovered slots, where the tolerance is one.
    let recovered = |slot: u64| [(slot, 0, 98), (slot, 60, 98)];
    let ended = (6..9).map(|slot| (slot, 10, 80)).chain(recovered(9)).chain(recovered(10));
    let all: Vec<_> = onset.chain(ended).chain((11..18).map(|slot| (slot, 10, 80))).collect();
    let evidence = play(&terms, &set(&terms, &all));
    assert_eq!((evidence.severity_bps, evidence.final_at), (5_333, T0 + (11 + 12) * 600));
}

#[test]
fn a_bounce_ends_no_run_on_and_a_recovery_does() {
    let terms = small();
    let run_on_over = T0 + (6 + 12 + 12) * 600;
    let onset: Vec<_> = (0..6).map(|slot| (slot, 10, 94)).collect();
    let recovered = |slot: u64| [(slot, 0, 98), (slot, 60, 98)];
    let after = |rest: &[(u64, i64, u64)]| {
        let all: Vec<_> = onset.iter().chain(rest).copied().collect();
        let evidence = play(&terms, &set(&terms, &all));
        (evidence.severity_bps, evidence.final_at)
    };
    let collapse = |from: u64| (from..from + 6).map(|slot| (slot, 10, 80));
    // One bounce of a minute, and then all is lost.
    let bounce: Vec<_> = recovered(6).into_iter().chain(collapse(7)).collect();
    assert_eq!(after(&bounce), (10_000, run_on_over));
    // Two with a good slot between them.
    let two: Vec<_> = recovered(6).into_iter().chain([(7, 10, 80)]).chain(recovered(8)).chain(collapse(9)).collect();
    assert_eq!(after(&two), (10_000, run_on_over));
    // With nothing between them that says that it falls on: neither a slot without a print nor one that two Aboves
    // contradict.
    let apart: Vec<_> = recovered(6).into_iter().chain(recovered(9)).chain(collapse(10)).collect();
    assert_eq!(after(&apart), (666, T0 + (10 + 12) * 600));
    let contradicted = [(7, 10, 80), (7, 100, 95), (7, 160, 95)];
    let apart: Vec<_> = recovered(6).into_iter().chain(contradicted).chain(recovered(8)).chain(collapse(9)).collect();
    assert_eq!(after(&apart), (666, T0 + (9 + 12) * 600));
    // With a tolerance of two it takes three.
    let terms = self::terms(600, 8, 2, 12, 12, LINEAR);
    let all: Vec<_> = (0..8).map(|slot| (slot, 10, 94)).chain(recovered(8)).chain(recovered(9)).collect();
    let two: Vec<_> = all.iter().copied().chain((10..18).map(|slot| (slot, 10, 80))).collect();
    assert_eq!(play(&terms, &set(&terms, &two)).severity_bps, 10_000, "the tolerance is two");
    let three: Vec<_> = all.into_iter().chain(recovered(10)).chain((11..19).map(|slot| (slot, 10, 80))).collect();
    assert_eq!(play(&terms, &set(&terms, &three)).severity_bps, 666);
}

#[test]
fn a_gap_in_the_run_on_ends_no_window_that_it_does_not_break() {
    let terms = small();
    let onset = (0..6).map(|slot| (slot, 10, 94));
    // Slots 6 and 7 are unknown: more than the tolerance. A window may begin behind them.
    let all: Vec<_> = onset.chain((8..14).map(|slot| (slot, 10, 80))).collect();
    let evidence = play(&terms, &set(&terms, &all));
    assert_eq!((evidence.severity_bps, evidence.lowest_mean), (10_000, 80 * CENT));
}

// ---------------------------------------------------------------- boundaries

/// Evidence of `small()` with a Breach in each of the first slots, shown at once.
fn breached(terms: &Terms, slots: u64) -> Evidence {
    let mut evidence = Evidence::default();
    for print in set(terms, &(0..slots).map(|slot| (slot, 60, 90)).collect::<Vec<_>>()) {
        evidence.observe(terms, &print, print.publish_time).unwrap();
    }
    evidence
}

#[test]
fn a_breach_and_an_above_are_taken_for_half_a_challenge_and_a_recovered_for_all_of_it() {
    for terms in [small(), terms(225, 16, 4, 33, 0, LINEAR), terms(3_600, 6, 1, 2, 0, LINEAR)] {
        let end = T0 + i64::from(terms.slot_seconds);
        let challenge = i64::from(terms.challenge);
        // While less than half has passed: with an odd number of seconds the half second counts.
        let half = end + (challenge + 1) / 2;
        for cents in [90, 95, 96] {
            let print = print(cents * CENT, 0, T0);
            let mut evidence = Evidence::default();
            assert_eq!(evidence.observe(&terms, &print, half), Err(EvidenceError::SlotClosed));
            assert_eq!(evidence, Evidence::default());
            assert!(evidence.observe(&terms, &print, half - 1).unwrap().is_news);
            // Shown before, it is still refused now: a refusal does not depend on what others showed.
            assert_eq!(evidence.observe(&terms, &print, half), Err(EvidenceError::SlotClosed));
        }
        let recovered = print(97 * CENT, 0, T0);
        let settled = end + challenge;
        let mut evidence = Evidence::default();
        assert_eq!(evidence.observe(&terms, &recovered, settled), Err(EvidenceError::SlotClosed));
        assert!(evidence.observe(&terms, &recovered, settled - 1).unwrap().is_news);
    }
}

#[test]
fn a_window_is_contradicted_until_the_last_second_before_t_and_not_at_t() {
    let terms = small();
    let evidence = breached(&terms, 6);
    let window = evidence.window(&terms).unwrap();
    assert_eq!(evidence.phase(), Phase::Met);
    let t = T0 + 3_600 + 7_200;
    assert_eq!((window.event_at, window.met_at, window.contradicted_until), (T0, T0 + 3_600, t - 1));
    // The last slot settles with the window; both Recovered of it are in time.
    let recovered = set(&terms, &[(5, 300, 98), (5, 360, 98)]);
    let mut in_time = evidence;
    for print in &recovered {
        in_time.observe(&terms, print, t - 1).unwrap();
    }
    assert_eq!(in_time.phase(), Phase::Quiet);
    let mut too_late = evidence;
    too_late.observe(&terms, &recovered[0], t - 1).unwrap();
    assert_eq!(too_late.observe(&terms, &recovered[1], t), Err(EvidenceError::SlotClosed));
    assert_eq!(too_late.refresh(&terms, t).after, Phase::Triggered);
    // The first slot has settled five slots earlier.
    let early = set(&terms, &[(0, 300, 98)]);
    let mut settled = evidence;
    assert_eq!(settled.observe(&terms, &early[0], T0 + 600 + 7_200), Err(EvidenceError::SlotClosed));
}

#[test]
fn what_is_settled_is_processed_before_a_print_is_written() {
    let terms = small();
    let t = T0 + 3_600 + 7_200;
    // The first to come after T shows a print: event, T and first payment are those of a prompt caller.
    for late in [0, 1, 90_000, 256 * 600, 513 * 600, 10_000 * 86_400] {
        let mut prompt = breached(&terms, 8);
        prompt.refresh(&terms, t);
        let mut observed = breached(&terms, 8);
        let now = t + late;
        observed.observe(&terms, &print(90 * CENT, 0, now), now).unwrap();
        let facts =
            |evidence: &Evidence| (evidence.event_at, evidence.met_at, evidence.first_mean, evidence.severity_bps);
        assert_eq!(facts(&observed), facts(&prompt), "{late}");
        prompt.refresh(&terms, now);
        assert_eq!(observed.phase(), prompt.phase());
    }
}

#[test]
fn a_confirmation_is_due_at_t() {
    let terms = small();
    let mut evidence = breached(&terms, 6);
    let before = evidence;
    let t = T0 + 3_600 + 7_200;
    assert_eq!(evidence.confirm(&terms, t - 1), Err(EvidenceError::NotDue));
    assert_eq!(evidence, before);
    let outcome = evidence.confirm(&terms, t).unwrap();
    assert_eq!((outcome.before, outcome.after), (Phase::Met, Phase::Triggered));
    assert_eq!((evidence.event_at, evidence.met_at), (T0, T0 + 3_600));
    assert_eq!((evidence.first_mean, evidence.severity_bps), (90 * CENT, 3_333));
    assert!(!evidence.confirm(&terms, t + 10).unwrap().changed());
    assert_eq!(evidence.final_at_latest(&terms), Some(t + 12 * 600));
    let over = evidence.confirm(&terms, t + 12 * 600).unwrap();
    assert_eq!((over.before, over.after), (Phase::Triggered, Phase::Final));
    assert_eq!(evidence.final_at, t + 12 * 600);
    assert_eq!(Evidence::default().confirm(&terms, T0), Err(EvidenceError::NotDue));
}

#[test]
fn without_a_run_on_it_is_final_at_t() {
    let terms = terms(600, 6, 1, 12, 0, Severity::Binary);
    let mut evidence = breached(&terms, 6);
    let outcome = evidence.refresh(&terms, T0 + 3_600 + 7_200);
    assert_eq!((outcome.before, outcome.after), (Phase::Met, Phase::Final));
    assert_eq!((evidence.final_at, evidence.severity_bps), (T0 + 3_600 + 7_200, 10_000));
}

#[test]
fn once_final_nothing_changes() {
    let terms = small();
    let mut evidence = breached(&terms, 6);
    let over = T0 + 3_600 + 7_200 + 7_200;
    evidence.refresh(&terms, over);
    let before = evidence;
    for after in (0..400_000).step_by(977) {
        let now = over + after;
        let outcome = evidence.observe(&terms, &print(u64::try_from(after).unwrap() * 300, 0, now - 7), now).unwrap();
        assert!(!outcome.changed());
        assert!(!evidence.refresh(&terms, now).changed());
        assert_eq!(evidence, before);
    }
}

#[test]
fn breaching_lapses_when_half_a_challenge_passes_since_one_slot_too_many() {
    let terms = small();
    let mut evidence = breached(&terms, 1);
    // Slots 1 and 2 are empty, tolerance is 1: an hour after the end of slot 2.
    let over = T0 + 3 * 600 + 3_600;
    assert_eq!(evidence.refresh(&terms, over - 1).after, Phase::Breaching);
    let outcome = evidence.refresh(&terms, over);
    assert_eq!((outcome.before, outcome.after), (Phase::Breaching, Phase::Quiet));
    assert!(!evidence.refresh(&terms, over + 1).changed());
}

#[test]
fn two_recovered_end_breaching_at_once_and_a_later_breach_begins_anew() {
    let terms = small();
    let mut evidence = breached(&terms, 4);
    let [one, two, same_slot, next] =
        set(&terms, &[(3, 300, 98), (3, 360, 98), (3, 400, 90), (4, 0, 90)]).try_into().unwrap();
    let mut after = |print: Observation| evidence.observe(&terms, &print, T0 + 4 * 600).unwrap().after;
    assert_eq!(after(one), Phase::Breaching);
    assert_eq!(after(two), Phase::Quiet);
    assert_eq!(after(same_slot), Phase::Quiet, "its slot is recovered");
    assert_eq!(after(next), Phase::Breaching);
}

#[test]
fn two_aboves_make_a_slot_one_that_is_not_good_and_end_nothing() {
    let terms = small();
    let mut evidence = breached(&terms, 4);
    for print in set(&terms, &[(3, 300, 95), (3, 360, 96)]) {
        let outcome = evidence.observe(&terms, &print, T0 + 4 * 600 - 1).unwrap();
        assert_eq!(outcome.after, Phase::Breaching, "slot 2 is good");
    }
    // With the tolerance of one slot, seven slots hold six good ones.
    for print in set(&terms, &[(4, 0, 90), (5, 0, 90), (6, 0, 90)]) {
        evidence.observe(&terms, &print, T0 + 7 * 600).unwrap();
    }
    let window = evidence.window(&terms).unwrap();
    assert_eq!((window.event_at, window.met_at), (T0, T0 + 7 * 600));
}

#[test]
fn need_slots_hold_with_the_tolerance_and_not_beyond_it() {
    let terms = terms(600, 8, 2, 12, 0, LINEAR);
    let phase = |slots: &[u64]| {
        let mut evidence = Evidence::default();
        for print in set(&terms, &slots.iter().map(|slot| (*slot, 0, 90)).collect::<Vec<_>>()) {
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
fn the_earliest_window_counts_and_gives_way_when_it_is_contradicted() {
    let terms = small();
    let mut evidence = breached(&terms, 12);
    let first = evidence.window_first;
    for print in set(&terms, &[(2, 300, 98), (2, 360, 98)]) {
        let outcome = evidence.observe(&terms, &print, T0 + 12 * 600).unwrap();
        assert_eq!((outcome.before, outcome.after), (Phase::Met, Phase::Met));
    }
    let window = evidence.window(&terms).unwrap();
    assert_eq!((window.first_slot, window.last_slot), (first + 3, first + 8));
    // It waits for its own challenge.
    assert_eq!(evidence.phase_at(&terms, window.contradicted_until), Phase::Met);
    assert_eq!(evidence.phase_at(&terms, window.contradicted_until + 1), Phase::Triggered);
}

#[test]
fn a_refused_print_does_not_even_bring_the_phase_up_to_now() {
    let terms = small();
    let mut evidence = breached(&terms, 6);
    let before = evidence;
    let late = print(90 * CENT, 0, T0 + 5 * 600);
    let t = T0 + 3_600 + 7_200;
    assert_eq!(evidence.observe(&terms, &late, t), Err(EvidenceError::SlotClosed));
    assert_eq!(evidence, before);
    assert_eq!(evidence.refresh(&terms, t).after, Phase::Triggered);
}

#[test]
fn prints_older_than_the_ring_and_of_slots_that_have_not_begun_are_refused() {
    let terms = small();
    let now = T0 + 300;
    let slot = terms.slot_of(now).unwrap();
    assert_eq!(terms.first_slot_in_ring(now), slot - 255);
    let mut evidence = Evidence::default();
    let at = |slot: u64| print(98 * CENT, 0, terms.slot_start(slot));
    assert_eq!(evidence.observe(&terms, &at(slot - 255), now), Err(EvidenceError::SlotClosed));
    assert_eq!(evidence.observe(&terms, &at(slot - 256), now), Err(EvidenceError::TooOld));
    for time in [0, 599, -1, i64::MIN] {
        assert_eq!(evidence.observe(&terms, &print(90 * CENT, 0, time), now), Err(EvidenceError::TooOld));
    }
    assert_eq!(evidence.observe(&terms, &at(slot + 1), now), Err(EvidenceError::SlotNotBegun));
    assert_eq!(evidence.observe(&terms, &at(slot + 1), -5), Err(EvidenceError::SlotNotBegun));
    // Ahead of the clock within a slot that has begun: the oracle layer bounds by how much.
    assert!(evidence.observe(&terms, &print(90 * CENT, 0, now + 10), now).is_ok());
    // A slot that was processed is settled, even if the clock went back.
    evidence.refresh(&terms, T0 + 7_200 + 600);
    assert_eq!(evidence.observe(&terms, &print(90 * CENT, 0, T0), now), Err(EvidenceError::SlotClosed));
}

#[test]
fn the_first_slot_of_1970_and_everything_before_it_is_no_slot() {
    let terms = small();
    for (time, slot) in [(600, Some(1)), (599, None), (0, None), (-1, None), (i64::MIN, None)] {
        assert_eq!(terms.slot_of(time), slot);
    }
}

#[test]
fn what_a_print_says_is_exact() {
    let terms = small();
    let class = |price: u64, confidence: u64| terms.classify(&print(price, confidence, T0));
    assert_eq!(class(95 * CENT, 0), Class::Above);
    assert_eq!(class(95 * CENT - 1, 0), Class::Breach);
    assert_eq!(class(97 * CENT, 0), Class::Recovered);
    assert_eq!(class(97 * CENT - 1, 0), Class::Above);
    // k = 2.
    assert_eq!(class(95 * CENT - 21, 10), Class::Breach);
    assert_eq!(class(95 * CENT - 20, 10), Class::Unclear);
    assert_eq!(class(95 * CENT + 19, 10), Class::Unclear);
    assert_eq!(class(95 * CENT + 20, 10), Class::Above);
    assert_eq!(class(97 * CENT + 20, 10), Class::Recovered);
    assert_eq!(class(97 * CENT + 19, 10), Class::Above);
    assert_eq!(class(1, u64::MAX), Class::Unclear);
    assert_eq!(class(u64::MAX, u64::MAX), Class::Unclear);
    assert_eq!(class(120 * CENT, 0), Class::Recovered, "an upward move never triggers");
    // Hundredths are not rounded: k = 1.01.
    let mut fine = terms;
    fine.confidence_multiplier = 101;
    assert_eq!(fine.classify(&print(95 * CENT - 1, 1, T0)), Class::Unclear);
    assert_eq!(fine.classify(&print(95 * CENT - 2, 1, T0)), Class::Breach);
    assert_eq!(fine.worst_price(&print(97 * CENT, 1, T0)), 97 * CENT - 2);
    assert_eq!(fine.worst_price(&print(5, 50, T0)), 1);
}

#[test]
fn an_unclear_print_moves_no_slot_and_counts_for_sales() {
    let terms = small();
    let mut evidence = breached(&terms, 6);
    let (window, head) = (evidence.window(&terms), evidence.head);
    let now = T0 + 6 * 600;
    let unclear = print(95 * CENT, CENT, T0 + 5 * 600 + 50);
    assert!(!evidence.observe(&terms, &unclear, now).unwrap().is_news, "a lower one was shown");
    let newest = print(95 * CENT, CENT, now);
    assert!(evidence.observe(&terms, &newest, now).unwrap().is_news);
    assert_eq!((evidence.window(&terms), evidence.state(&terms, head + 1)), (window, SlotState::Open));
    assert_eq!(evidence.lowest_since(&terms, now), Some(93 * CENT));
    assert_eq!(evidence.last_print(), newest);
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
    for seed in 1..50 {
        let mut evidence = Evidence::default();
        let mut shown = prints;
        Random(seed * 7_919).shuffle(&mut shown);
        for print in shown {
            evidence.observe(&terms, &print, T0 + 30).unwrap();
        }
        assert_eq!(evidence.last_print(), print(98 * CENT, 9, T0 + 20));
    }
}

#[test]
fn a_halt_of_half_a_challenge_loses_no_evidence() {
    let terms = small();
    let live = breached(&terms, 6);
    // The cluster stands still from the first print for half a challenge, and everything is shown after it.
    let mut halted = Evidence::default();
    for print in set(&terms, &(0..6).map(|slot| (slot, 60, 90)).collect::<Vec<_>>()) {
        halted.observe(&terms, &print, T0 + 600 + 3_600 - 1).unwrap();
    }
    let t = T0 + 3_600 + 7_200;
    for mut evidence in [live, halted] {
        evidence.confirm(&terms, t).unwrap();
        assert_eq!((evidence.event_at, evidence.severity_bps), (T0, 3_333));
    }
}

#[test]
fn severity_is_of_the_mean_rounded_down() {
    let terms = small();
    assert_eq!(terms.severity_bps(95 * CENT), 500);
    assert_eq!(terms.severity_bps(80 * CENT), 10_000);
    assert_eq!(terms.severity_bps(80 * CENT + 1), 9_999);
    assert_eq!(terms.severity_bps(0), 10_000);
    assert_eq!(terms.severity_bps(u64::MAX), 500);
    // The mean is a sixth of 1e-8 above the full-loss price: it is that price, and pays as much.
    let mut prints = set(&terms, &(0..6).map(|slot| (slot, 0, 80)).collect::<Vec<_>>());
    prints[5].price += 1;
    let evidence = play(&terms, &prints);
    assert_eq!((evidence.first_mean, evidence.severity_bps), (80 * CENT, 10_000));
}

#[test]
fn terms_outside_the_hard_bounds_are_refused() {
    let good = TermsInput {
        direction: Direction::Below,
        threshold: 95 * CENT,
        recovery: 96 * CENT,
        severity: LINEAR,
        duration_seconds: 4 * 3_600,
        slot_seconds: 1_800,
        tolerance_seconds: 1_800,
        challenge_seconds: 6 * 3_600,
        run_on_seconds: 3 * 86_400,
        quiet_seconds: 86_400,
        confidence_multiplier: 200,
    };
    let terms = Terms::new(&good).unwrap();
    assert_eq!((terms.need, terms.tolerance, terms.challenge), (8, 1, 21_600));
    assert_eq!(terms.longest_wait_seconds(), 4 * 3_600 + 1_800 + 6 * 3_600);
    assert_eq!(terms.ring_days(), 6); // 256 half hours are 5 1/3 days
    let with = |change: &dyn Fn(&mut TermsInput)| {
        let mut input = good;
        change(&mut input);
        Terms::new(&input).err()
    };
    use TermsError::*;
    assert_eq!(with(&|t| t.threshold = 0), Some(BadPrices));
    assert_eq!(with(&|t| t.recovery = 95 * CENT), Some(BadPrices));
    assert_eq!(with(&|t| t.recovery = 95 * CENT + 1), None);
    assert_eq!(with(&|t| t.recovery = u64::MAX), Some(BadPrices));
    assert_eq!(with(&|t| t.recovery = 104_500_000), None);
    assert_eq!(with(&|t| t.recovery = 104_500_001), Some(BadPrices));
    assert_eq!(with(&|t| (t.threshold, t.recovery) = (MAX_PRICE, MAX_PRICE + 1)), Some(BadPrices));
    assert_eq!(with(&|t| (t.threshold, t.recovery) = (MAX_PRICE - 1, MAX_PRICE)), None);
    let slots = |slot: u32| {
        move |t: &mut TermsInput| {
            (t.slot_seconds, t.tolerance_seconds, t.challenge_seconds) = (slot, slot, 12 * slot);
            (t.duration_seconds, t.run_on_seconds, t.quiet_seconds) = (8 * slot, 0, 8 * slot);
        }
    };
    assert_eq!(with(&|t| t.slot_seconds = 0), Some(BadSlot));
    assert_eq!(with(&slots(3_600)), None);
    assert_eq!(with(&slots(7_200)), Some(BadSlot));
    assert_eq!(with(&slots(59)), Some(BadSlot));
    assert_eq!(with(&slots(700)), Some(BadSlot));
    assert_eq!(with(&|t| t.duration_seconds = 5 * 1_800), Some(BadDuration));
    assert_eq!(with(&|t| t.duration_seconds = 4 * 3_600 + 1), Some(BadDuration));
    // Eight slots of 72 seconds are 576, of 75 ten minutes: what triggers must last an hour, by its feed.
    assert_eq!(with(&slots(72)), Some(BadDuration));
    assert_eq!(with(&slots(75)), Some(BadChallenge));
    assert_eq!(with(&|t| t.duration_seconds = u32::MAX), Some(BadDuration));
    assert_eq!(with(&|t| t.tolerance_seconds = 3_600), None);
    assert_eq!(with(&|t| t.tolerance_seconds = 5_400), Some(BadTolerance));
    assert_eq!(with(&|t| t.tolerance_seconds = 0), Some(BadTolerance));
    assert_eq!(with(&|t| t.tolerance_seconds = 1_799), Some(BadTolerance));
    let day = |tolerance: u32| {
        move |t: &mut TermsInput| {
            (t.duration_seconds, t.tolerance_seconds) = (48 * 1_800, tolerance * 1_800);
        }
    };
    assert_eq!((with(&day(3)), with(&day(4))), (Some(BadTolerance), None));
    assert_eq!((with(&day(12)), with(&day(13))), (None, Some(BadTolerance)));
    assert_eq!(with(&|t| t.challenge_seconds = 5_400), Some(BadChallenge));
    assert_eq!(with(&|t| t.challenge_seconds = 7_200), None);
    assert_eq!(with(&|t| t.challenge_seconds = 86_400), None);
    assert_eq!(with(&|t| t.challenge_seconds = 86_400 + 1_800), Some(BadChallenge));
    assert_eq!(with(&|t| t.challenge_seconds = 21_601), Some(BadChallenge));
    assert_eq!(with(&|t| t.run_on_seconds = 0), None);
    assert_eq!(with(&|t| t.run_on_seconds = 14 * 86_400), None);
    assert_eq!(with(&|t| t.run_on_seconds = 14 * 86_400 + 1_800), Some(BadRunOn));
    assert_eq!(with(&|t| t.run_on_seconds = 1_799), Some(BadRunOn));
    assert_eq!(with(&|t| t.severity = Severity::Binary), Some(BadRunOn));
    assert_eq!(with(&|t| (t.severity, t.run_on_seconds) = (Severity::Binary, 0)), None);
    assert_eq!(with(&|t| t.quiet_seconds = 4 * 3_600), None);
    assert_eq!(with(&|t| t.quiet_seconds = 4 * 3_600 - 1_800), Some(BadQuiet));
    assert_eq!(with(&|t| t.quiet_seconds = 86_401), Some(BadQuiet));
    assert_eq!(with(&|t| t.quiet_seconds = 255 * 1_800), None);
    assert_eq!(with(&|t| t.quiet_seconds = 256 * 1_800), Some(BadQuiet));
    assert_eq!(with(&|t| t.confidence_multiplier = 100), None);
    assert_eq!(with(&|t| t.confidence_multiplier = 99), Some(BadConfidenceMultiplier));
    assert_eq!(with(&|t| t.confidence_multiplier = 1_000), None);
    assert_eq!(with(&|t| t.confidence_multiplier = 1_001), Some(BadConfidenceMultiplier));
    let linear = |full_loss_price: u64, min_severity_bps: u16| {
        move |t: &mut TermsInput| t.severity = Severity::Linear { full_loss_price, min_severity_bps }
    };
    assert_eq!(with(&linear(0, 500)), Some(BadSeverity));
    assert_eq!(with(&linear(95 * CENT, 500)), Some(BadSeverity));
    assert_eq!(with(&linear(95 * CENT - 1, 500)), None);
    assert_eq!(with(&linear(80 * CENT, 499)), Some(BadSeverity));
    assert_eq!(with(&linear(80 * CENT, 10_000)), None);
    assert_eq!(with(&linear(80 * CENT, 10_001)), Some(BadSeverity));
    // need + tolerance + challenge + 32 slots fill the ring exactly, then pass it.
    let reach = |slots: u32| {
        move |t: &mut TermsInput| {
            (t.duration_seconds, t.quiet_seconds) = (slots * 1_800, 255 * 1_800);
            t.tolerance_seconds = 20 * 1_800;
        }
    };
    assert_eq!(with(&reach(256 - 32 - 12 - 20)), None);
    assert_eq!(with(&reach(256 - 32 - 12 - 19)), Some(BeyondRing));
    let mut odd = terms;
    odd.severity = 2;
    assert_eq!(odd.validate(), Err(BadSeverity));
    odd = Terms::new(&TermsInput { severity: Severity::Binary, run_on_seconds: 0, ..good }).unwrap();
    odd.full_loss_price = 1;
    assert_eq!(odd.validate(), Err(BadSeverity));
    (odd.full_loss_price, odd.min_severity_bps) = (0, 500);
    assert_eq!(odd.validate(), Err(BadSeverity));
    odd = terms;
    odd.padding = [0, 0, 0, 0, 0, 1];
    assert_eq!(odd.validate(), Err(BadPadding));
    odd = terms;
    odd.direction = 2;
    assert_eq!(odd.validate(), Err(BadDirection));
    // Above: the mirror image of each.
    let above = |change: &dyn Fn(&mut TermsInput)| {
        let severity = Severity::Linear { full_loss_price: 120 * CENT, min_severity_bps: 500 };
        let mut input =
            TermsInput { direction: Direction::Above, threshold: 105 * CENT, recovery: 104 * CENT, severity, ..good };
        change(&mut input);
        Terms::new(&input).err()
    };
    assert_eq!(above(&|_| ()), None);
    assert_eq!(above(&|t| (t.threshold, t.recovery) = (0, 0)), Some(BadPrices));
    assert_eq!(above(&|t| t.recovery = 105 * CENT), Some(BadPrices));
    assert_eq!(above(&|t| t.recovery = 106 * CENT), Some(BadPrices));
    assert_eq!(above(&|t| t.recovery = 105 * CENT - 1), None);
    assert_eq!(above(&|t| t.recovery = 94_500_000), None);
    assert_eq!(above(&|t| t.recovery = 94_499_999), Some(BadPrices));
    assert_eq!(above(&linear(105 * CENT, 500)), Some(BadSeverity));
    assert_eq!(above(&linear(80 * CENT, 500)), Some(BadSeverity));
    assert_eq!(above(&linear(105 * CENT + 1, 500)), None);
    assert_eq!(above(&linear(MAX_PRICE - 1, 500)), None);
    assert_eq!(above(&linear(MAX_PRICE, 500)), Some(BadSeverity));
    let binary = |threshold: u64| {
        move |t: &mut TermsInput| {
            (t.threshold, t.recovery, t.severity, t.run_on_seconds) = (threshold, threshold - 1, Severity::Binary, 0);
        }
    };
    assert_eq!(above(&binary(MAX_PRICE - 1)), None);
    assert_eq!(above(&binary(MAX_PRICE)), Some(BadPrices));
    assert_eq!(Phase::from_byte(7), None);
}

/// A price on the other side of 1.00, as far from it.
fn mirrored(price: u64) -> u64 {
    200 * CENT - price
}

/// Terms on prices above, of which every number is on the other side of 1.00.
fn mirrored_terms(terms: &Terms) -> Terms {
    let mut above = *terms;
    above.direction = Direction::Above.byte();
    (above.threshold, above.recovery) = (mirrored(terms.threshold), mirrored(terms.recovery));
    if terms.full_loss_price != 0 {
        above.full_loss_price = mirrored(terms.full_loss_price);
    }
    above.validate().unwrap();
    above
}

#[test]
fn prices_above_are_judged_as_their_mirror_images_below_are() {
    let mut proven = 0;
    for seed in 1..=sets(3_000.0) {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut below = random_terms(&mut random);
        if below.direction() == Direction::Above {
            below = small();
        }
        let above = mirrored_terms(&below);
        let (mut one, mut other) = (Evidence::default(), Evidence::default());
        for shown in random_prints(&mut random, &below) {
            let mirror = print(mirrored(shown.price), shown.confidence, shown.publish_time);
            assert_eq!(below.classify(&shown), above.classify(&mirror));
            assert_eq!(above.price_of_slot(above.worst_price(&mirror)), mirrored(below.worst_price(&shown)));
            let at = random.between(shown.publish_time, last_moment(&below, &shown));
            assert_eq!(one.observe(&below, &shown, at), other.observe(&above, &mirror, at));
            let since = at - i64::from(below.quiet);
            let lowest = one.lowest_since(&below, since).map(mirrored);
            assert_eq!(other.lowest_since(&above, since).map(|kept| above.price_of_slot(kept)), lowest);
        }
        let end = T0 + 60 * 86_400;
        assert_eq!(one.refresh(&below, end), other.refresh(&above, end));
        let mirror = |proof: Proof| Proof {
            first_mean: mirrored(proof.first_mean),
            lowest_mean: mirrored(proof.lowest_mean),
            ..proof
        };
        assert_eq!(Proof::of(&other), Proof::of(&one).map(mirror), "seed {seed}");
        proven += u64::from(one.met_at != 0);
    }
    assert!(proven * 20 > sets(3_000.0), "{proven}");
}

#[test]
fn prices_above_count_by_the_side_of_the_interval_that_is_certain() {
    // Above 1.05, recovered at 1.03, k = 2.
    let terms = mirrored_terms(&small());
    let class = |price: u64, confidence: u64| terms.classify(&print(price, confidence, T0));
    assert_eq!(class(105 * CENT + 1, 0), Class::Breach);
    assert_eq!(class(105 * CENT, 0), Class::Above);
    assert_eq!(class(103 * CENT + 1, 0), Class::Above);
    assert_eq!(class(103 * CENT, 0), Class::Recovered);
    assert_eq!(class(105 * CENT + 21, 10), Class::Breach);
    assert_eq!(class(105 * CENT + 20, 10), Class::Unclear);
    assert_eq!(class(105 * CENT - 19, 10), Class::Unclear);
    assert_eq!(class(105 * CENT - 20, 10), Class::Above);
    assert_eq!(class(103 * CENT - 20, 10), Class::Recovered);
    assert_eq!(class(103 * CENT - 19, 10), Class::Above);
    assert_eq!(class(1, 0), Class::Recovered, "a fall never triggers");
    assert_eq!(class(i64::MAX as u64, 0), Class::Breach);
    assert_eq!(class(u64::MAX, u64::MAX), Class::Unclear);
    // What is beyond the greatest price of any term is kept as that.
    assert_eq!((terms.slot_price(u64::MAX), terms.slot_price(MAX_PRICE), terms.slot_price(MAX_PRICE - 1)), (1, 1, 1));
    assert_eq!(terms.worst_price(&print(u64::MAX, u64::MAX, T0)), 1);
    // The boundary of sales: the lower of recovery and threshold less buffer, which is rounded up.
    assert_eq!(terms.sale_boundary(100), Some(103 * CENT));
    assert_eq!(terms.sale_boundary(200), Some(102_900_000));
    assert_eq!(terms.sale_boundary(20_000), Some(0), "nothing is ever sold");
    let mut odd = terms;
    (odd.threshold, odd.recovery) = (101, 100);
    assert_eq!(odd.sale_boundary(100), Some(99), "1.01 is 2");
    let below = small();
    assert_eq!((below.sale_boundary(100), below.sale_boundary(300)), (Some(97 * CENT), Some(97_850_000)));
}

#[test]
fn above_the_threshold_the_mean_is_rounded_up_and_the_highest_deepens() {
    let terms = mirrored_terms(&small());
    assert_eq!((terms.severity_bps(105 * CENT), terms.severity_bps(120 * CENT)), (500, 10_000));
    assert_eq!((terms.severity_bps(0), terms.severity_bps(112_500_000)), (500, 5_000));
    let mut evidence = Evidence::default();
    for slot in 0..12 {
        // An hour at 1.10, in which one slot saw 1.10 + 1e-8 at the least, and an hour at 1.14.
        let price = if slot < 6 { 110 * CENT } else { 114 * CENT } + u64::from(slot == 2);
        let at = T0 + slot * 600;
        evidence.observe(&terms, &print(price, 0, at), at).unwrap();
        evidence.observe(&terms, &print(price + 3 * CENT, 0, at + 300), at + 300).unwrap();
    }
    let window = evidence.window(&terms).unwrap();
    assert_eq!(evidence.mean_so_far(&terms, &window), Some((110 * CENT + 1, 6)));
    assert_eq!(evidence.breach_price(&terms, window.first_slot + 2), Some(110 * CENT + 1));
    evidence.refresh(&terms, T0 + 86_400);
    // 5 of 15 cents and a sixth of 1e-8 are 3,333; 9 of 15 are 6,000.
    assert_eq!((evidence.first_mean, evidence.first_severity_bps), (110 * CENT + 1, 3_333));
    assert_eq!((evidence.lowest_mean, evidence.severity_bps), (114 * CENT, 6_000));
    assert_eq!(evidence.last_print().price, 117 * CENT);
}

#[test]
fn ring_days_cover_the_ring() {
    for (slot, days) in [(60, 1), (600, 2), (1_800, 6), (3_600, 11)] {
        let terms = terms(slot, 60, 5, 7_200 / slot, 0, Severity::Binary);
        assert_eq!(terms.ring_days(), days);
        assert!(days * 86_400 >= 256 * slot);
    }
}

#[test]
fn no_number_makes_it_panic() {
    for seed in 1..=sets(4_000.0) {
        let mut random = Random(seed.wrapping_mul(0x8ebc_6af0_9c88_c6e3));
        let mut any = || match random.below(4) {
            0 => random.below(3),
            1 => u64::MAX - random.below(3),
            2 => u64::try_from(T0).unwrap() + random.below(1_000_000),
            _ => random.0,
        };
        let mut wild = small();
        (wild.threshold, wild.recovery, wild.full_loss_price) = (any(), any(), any());
        (wild.slot_seconds, wild.challenge, wild.run_on) = ((any() as u32) >> (any() % 32), any() as u32, any() as u32);
        (wild.quiet, wild.need, wild.tolerance) = (any() as u32, any() as u16 % 300, any() as u16 % 300);
        (wild.confidence_multiplier, wild.severity, wild.direction) = (any() as u16, any() as u8, any() as u8 % 3);
        let terms = if any() % 2 == 0 { wild } else { small() };
        let mut evidence = Evidence::default();
        if any() % 2 == 0 {
            let shown = Shown {
                highest_breach: any(),
                lowest: any(),
                above_first: any() as u16,
                above_last: any() as u16,
                recovered_first: any() as u16,
                recovered_last: any() as u16,
            };
            evidence.slots = [shown; RING];
            // Slots near one another: a ring that was never turned is no older than it is long.
            let head = any() >> 20;
            (evidence.head, evidence.next) = (head, head.saturating_sub(any() % 300));
            evidence.run.first = head.saturating_sub(any() % 300);
            (evidence.run.sum, evidence.run.good, evidence.run.missing) =
                (any(), any() as u32 % 300, any() as u32 % 300);
            (evidence.window_first, evidence.window_last) = (any(), any());
            (evidence.newest_good, evidence.newest_recovered) = (any(), any());
            (evidence.met_at, evidence.phase) = (any() as i64, any() as u8);
        }
        let _ = terms.validate();
        let _ = (terms.ring_days(), terms.longest_wait_seconds());
        for _ in 0..6 {
            let shown = print(any(), any(), any() as i64);
            let now = any() as i64;
            let _ = evidence.observe(&terms, &shown, now);
            let _ = evidence.phase_at(&terms, now);
            let _ = evidence.longest_credited(&terms);
            let _ = evidence.lowest_since(&terms, now);
            let _ = evidence.final_at_latest(&terms);
            let _ = evidence.confirm(&terms, now);
            let _ = evidence.refresh(&terms, now);
        }
    }
}

// ---------------------------------------------------------------- the depeg of March 2023

/// What fires first: event, end of slot m, first mean, and severities at T and in the end.
fn fires(terms: &Terms, rows: &[(i64, u64)]) -> Option<(i64, i64, u64, u16, u16)> {
    let mut evidence = Evidence::default();
    for (time, price) in rows {
        let _ = evidence.observe(terms, &print(*price, 0, *time), time + 1);
    }
    evidence.refresh(terms, rows.last()?.0 + 60 * 86_400);
    let facts = (evidence.event_at, evidence.met_at, evidence.first_mean);
    (evidence.met_at != 0).then_some((facts.0, facts.1, facts.2, evidence.first_severity_bps, evidence.severity_bps))
}

fn stress(run_on: u32) -> Terms {
    Terms::new(&TermsInput {
        direction: Direction::Below,
        threshold: 95 * CENT,
        recovery: 96 * CENT,
        severity: LINEAR,
        duration_seconds: 4 * 3_600,
        slot_seconds: 1_800,
        tolerance_seconds: 1_800,
        challenge_seconds: 6 * 3_600,
        run_on_seconds: run_on,
        quiet_seconds: 86_400,
        confidence_multiplier: 200,
    })
    .unwrap()
}

/// Below 0.90 for a day.
fn severe() -> Terms {
    Terms::new(&TermsInput {
        direction: Direction::Below,
        threshold: 90 * CENT,
        recovery: 95 * CENT,
        severity: Severity::Binary,
        duration_seconds: 24 * 3_600,
        slot_seconds: 3_600,
        tolerance_seconds: 7_200,
        challenge_seconds: 6 * 3_600,
        run_on_seconds: 0,
        quiet_seconds: 24 * 3_600,
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
    let (deep, first) = (fires(&stress(3 * 86_400), &rows), fires(&stress(0), &rows));
    // 16.4 % at T, and 26.9 % in the end.
    assert_eq!(deep, Some((1_678_507_200, 1_678_523_400, 92_542_871, 1_638, 2_691)));
    assert_eq!(first, Some((1_678_507_200, 1_678_523_400, 92_542_871, 1_638, 1_638)));
    assert_eq!(fires(&severe(), &rows), None);
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
    let stress = fires(&stress(3 * 86_400), &rows);
    assert_eq!(stress, Some((1_678_510_800, 1_678_527_000, 90_965_000, 2_690, 3_306)));
    assert_eq!(fires(&severe(), &rows), None);
}
