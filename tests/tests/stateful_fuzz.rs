//! Random sequences of honest and hostile actions on the real program, held against a shadow model and invariants I1 to I20
//! after every transaction, and drained at the end.
//!
//! The same seeds give the same sequences everywhere. A long run is this test with other numbers:
//!
//! ```text
//! BACKSTOP_FUZZ_SEED=1000 BACKSTOP_FUZZ_SEQUENCES=5000 BACKSTOP_FUZZ_ACTIONS=500 \
//!     cargo test -p backstop-tests --test svm stateful_fuzz:: -- --nocapture
//! ```
//!
//! A failure is shrunk and printed as a list of operations, with the seed that brings it back.

use backstop_tests::fuzz::op::{ALL, NOT_FUZZED};
use backstop_tests::fuzz::{Config, run};
use backstop_tests::idl;

#[test]
fn every_instruction_is_an_operation_of_the_fuzzer_or_says_why_not() {
    let sent = ALL.iter().map(|(_, instruction)| *instruction).filter(|instruction| !instruction.is_empty());
    let wrong = idl::compare(
        "tests/src/fuzz/op.rs: operations!, or NOT_FUZZED with a reason,",
        sent.chain(NOT_FUZZED.iter().map(|(name, _)| *name)),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_random_sequence_keeps_the_books_the_promises_and_the_model() {
    let config = Config::from_env(300, 40, 500);
    let totals = run(config);
    println!("{config:?}\n{}", totals.table());
    if totals.actions >= 12_000 {
        let never = |name: &&str| totals.kinds.get(*name).is_none_or(|[accepted, _]| *accepted == 0);
        // Nobody freezes a vault here, so a deadline is never extended.
        let beside = ["Time", "ExtendDeadline"];
        let never: Vec<&str> =
            ALL.iter().map(|(name, _)| *name).filter(|name| !beside.contains(name)).filter(never).collect();
        assert!(
            never.is_empty(),
            "{never:?} were never accepted: tests/src/fuzz/action.rs needs a Kind with a weight that leads to them"
        );
        for notable in ["incidents funded in part", "tranches wiped out", "epochs paid in part"] {
            assert!(totals.notable.get(notable).is_some_and(|count| *count > 0), "there were no {notable}");
        }
    }
}
