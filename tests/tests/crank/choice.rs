//! Which prints a crank shows: with them the outcome is that of all prints, by the declarative rule.

use backstop::peril::evidence::{Evidence, Severity, Terms};
use backstop::peril::feed::Observation;
use backstop_keeper::crank::choice;
use backstop_tests::fuzz::model::evidence_rule::{Model, Proof, last_moment, terms};
use backstop_tests::fuzz::rng::Rng;
use std::collections::BTreeMap;

const T0: i64 = 1_700_006_400;
const CENT: u64 = 1_000_000;
const LINEAR: Severity = Severity::Linear { full_loss_price: 80 * CENT, min_severity_bps: 500 };

/// Prices that wander around the threshold, up to six a slot.
fn prices(rng: &mut Rng, terms: &Terms) -> Vec<Observation> {
    let first = terms.slot_of(T0).unwrap();
    let mut cents = 90 + rng.below(9) as i64;
    let mut prints = Vec::new();
    for slot in first..first + 3 * u64::from(terms.need) + rng.below(10) {
        cents = (cents + [-3, -1, 0, 0, 0, 1, 3][rng.below(7) as usize]).clamp(75, 99);
        for _ in 0..rng.below(7) {
            let level = if rng.below(30) == 0 { 98 } else { cents + rng.below(5) as i64 - 2 };
            let publish_time = terms.slot_start(slot) + rng.below(terms.slot_seconds.into()) as i64;
            let confidence = if rng.below(8) == 0 { CENT / 2 } else { 0 };
            prints.push(Observation { price: level as u64 * CENT, confidence, publish_time });
        }
    }
    prints.sort_by_key(|print| print.publish_time);
    prints.dedup_by_key(|print| print.publish_time);
    prints
}

fn outcome(evidence: &mut Evidence, terms: &Terms) -> Option<Proof> {
    evidence.refresh(terms, T0 + 60 * 86_400);
    Proof::of(evidence)
}

/// Shows what the crank chooses of these prints.
fn crank(evidence: &mut Evidence, terms: &Terms, known: &[Observation], now: i64, shown: &mut BTreeMap<u64, usize>) {
    for place in choice::needed(terms, evidence, known, None, now) {
        evidence.observe(terms, &known[place], now).expect("it is taken");
        *shown.entry(terms.slot_of(known[place].publish_time).unwrap()).or_default() += 1;
    }
    assert_eq!(choice::needed(terms, evidence, known, None, now), [0; 0], "what is needed was shown");
}

fn many() -> impl Iterator<Item = (Rng, Terms, Vec<Observation>)> {
    let all = [terms(3_600, 6, 1, 2, 8, LINEAR), terms(1_800, 8, 2, 12, 0, LINEAR), terms(600, 6, 1, 12, 20, LINEAR)];
    (0..3_000).map(move |seed| {
        let mut rng = Rng::new(seed);
        let terms = all[rng.below(3) as usize];
        let prints = prices(&mut rng, &terms);
        (rng, terms, prints)
    })
}

#[test]
fn four_prints_a_slot_reach_the_outcome_of_all_whatever_others_show() {
    let (mut proven, mut most) = (0, 0);
    for (mut rng, terms, prints) in many() {
        let expected = Model::full(terms, &prints).outcome();
        let (mut evidence, mut shown) = (Evidence::default(), BTreeMap::new());
        // Others show a choice of their own, whenever it is taken.
        let mut others: Vec<(i64, Observation)> = Vec::new();
        let alone = rng.below(2) == 0;
        for print in prints.iter().filter(|_| !alone && rng.below(3) == 0).collect::<Vec<_>>() {
            let last = last_moment(&terms, print);
            others.push((print.publish_time + rng.below((last - print.publish_time) as u64 + 1) as i64, *print));
        }
        others.sort_by_key(|(at, _)| *at);
        // The crank looks once a slot, a little after its end, at all prints of the slots until then.
        let first = terms.slot_of(T0).unwrap();
        let last = terms.slot_of(prints.last().map_or(T0, |print| print.publish_time)).unwrap();
        let mut next = 0;
        for slot in first..=last {
            let now = terms.slot_end(slot) + 5;
            while let Some((at, print)) = others.get(next).filter(|(at, _)| *at <= now) {
                evidence.observe(&terms, print, *at).expect("it is shown in its time");
                next += 1;
            }
            let known: Vec<Observation> =
                prints.iter().filter(|print| terms.slot_of(print.publish_time) <= Some(slot)).copied().collect();
            crank(&mut evidence, &terms, &known, now, &mut shown);
        }
        for (at, print) in &others[next..] {
            evidence.observe(&terms, print, *at).expect("it is shown in its time");
        }
        assert_eq!(outcome(&mut evidence, &terms), expected);
        most = shown.values().copied().max().unwrap_or(0).max(most);
        proven += u32::from(expected.is_some());
    }
    assert!(proven > 300, "{proven} proven");
    assert_eq!(most, 4);
}

#[test]
fn a_crank_that_sees_each_price_as_it_is_published_reaches_the_same() {
    let mut proven = 0;
    for (_, terms, prints) in many() {
        let expected = Model::full(terms, &prints).outcome();
        let (mut evidence, mut shown) = (Evidence::default(), BTreeMap::new());
        for print in &prints {
            crank(&mut evidence, &terms, &[*print], print.publish_time, &mut shown);
        }
        assert_eq!(outcome(&mut evidence, &terms), expected);
        proven += u32::from(expected.is_some());
    }
    assert!(proven > 300, "{proven} proven");
}

#[test]
fn calm_prices_cost_two_prints_a_slot_and_a_price_near_the_threshold_is_shown_to_keep_sales_shut() {
    let terms = terms(1_800, 8, 1, 12, 0, LINEAR);
    let mut evidence = Evidence::default();
    let mut shown = BTreeMap::new();
    for minute in 0..600 {
        let print = Observation { price: 100 * CENT, confidence: CENT / 100, publish_time: T0 + minute * 60 };
        crank(&mut evidence, &terms, &[print], print.publish_time, &mut shown);
    }
    assert_eq!(shown.len(), 20);
    assert!(shown.values().all(|count| *count == 2), "{shown:?}");
    // 0.98 with a confidence of 0.01 is 0.96 at least.
    let now = T0 + 600 * 60 - 30;
    let near = Observation { price: 98 * CENT, confidence: CENT, publish_time: now };
    assert_eq!(choice::needed(&terms, &evidence, &[near], None, now), [0; 0]);
    assert_eq!(choice::needed(&terms, &evidence, &[near], Some(96 * CENT), now), [0; 0]);
    assert_eq!(choice::needed(&terms, &evidence, &[near], Some(96 * CENT + 1), now), [0]);
}
