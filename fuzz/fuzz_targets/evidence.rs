//! Any prints at any moments: the evidence machine says what the declarative rule says, after each of them.

#![no_main]

#[path = "../../programs/backstop/tests/evidence_rule/mod.rs"]
mod evidence_rule;

use arbitrary::Arbitrary;
use backstop::peril::evidence::{Direction, Evidence, Severity, Terms, TermsInput};
use backstop::peril::feed::Observation;
use evidence_rule::{Expected, Model};
use libfuzzer_sys::fuzz_target;

const CENT: u64 = 1_000_000;
const START: i64 = 1_700_006_400;

#[derive(Arbitrary, Debug)]
struct Input {
    slot_minutes: u8,
    need: u8,
    tolerance: u8,
    challenge: u8,
    /// Slots of the run-on; 0 pays everything at once.
    run_on: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
struct Step {
    /// Seconds since the step before.
    wait: u16,
    /// How long ago the print was published, in seconds.
    age: u16,
    /// Cents.
    price: u8,
    /// Tenths of a cent.
    confidence: u8,
}

fuzz_target!(|input: Input| {
    let slot = u32::from(input.slot_minutes) * 60;
    // The highest bit of the need turns it around.
    let (direction, [threshold, recovery, full_loss_price]) = match input.need & 0x80 {
        0 => (Direction::Below, [95 * CENT, 96 * CENT, 80 * CENT]),
        _ => (Direction::Above, [85 * CENT, 84 * CENT, 100 * CENT]),
    };
    let need = u32::from(input.need & 0x7f);
    let terms = Terms::new(&TermsInput {
        direction,
        threshold,
        recovery,
        severity: match input.run_on {
            0 => Severity::Binary,
            _ => Severity::Linear { full_loss_price, min_severity_bps: 500 },
        },
        duration_seconds: need * slot,
        slot_seconds: slot,
        tolerance_seconds: u32::from(input.tolerance) * slot,
        challenge_seconds: u32::from(input.challenge) * slot,
        run_on_seconds: u32::from(input.run_on) * slot,
        quiet_seconds: need * slot,
        confidence_multiplier: 200,
    });
    let Ok(terms) = terms else { return };
    let (mut evidence, mut model) = (Evidence::default(), Model::new(terms));
    let mut now = START;
    for step in input.steps.iter().take(200) {
        now += i64::from(step.wait);
        let print = Observation {
            price: (60 + u64::from(step.price) % 60) * CENT,
            confidence: u64::from(step.confidence) * CENT / 10,
            publish_time: now - i64::from(step.age),
        };
        let before = evidence;
        let refusal = model.show(print, now);
        assert_eq!(evidence.observe(&terms, &print, now).err(), refusal);
        if refusal.is_some() {
            assert_eq!(evidence, before, "a refused print changed a byte");
        }
        let expected = model.at(now);
        assert_eq!(evidence.phase_at(&terms, now), expected.phase(), "{expected:?}");
        let mut touched = evidence;
        touched.refresh(&terms, now);
        match expected {
            Expected::Met { f, m } => {
                let window = touched.window(&terms).expect("a met trigger has a window");
                assert_eq!((window.first_slot, window.last_slot), (f, m));
            }
            Expected::Proven(proof) => {
                assert_eq!((touched.event_at, touched.met_at), (proof.event_at, proof.met_at));
                assert_eq!((touched.first_mean, touched.first_severity_bps), (proof.first_mean, proof.first_bps));
                assert_eq!((touched.lowest_mean, touched.severity_bps), (proof.lowest_mean, proof.bps));
                assert_eq!((touched.final_at != 0).then_some(touched.final_at), proof.final_at);
            }
            Expected::Quiet | Expected::Breaching => assert_eq!(touched.window(&terms), None),
        }
    }
});
