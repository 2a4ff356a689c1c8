//! Random sequences of honest and hostile actions on the real program, held against a shadow model and invariants I1 to I14
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

use backstop_tests::fuzz::op::NAMES;
use backstop_tests::fuzz::{Config, run};

#[test]
fn every_random_sequence_keeps_the_books_the_promises_and_the_model() {
    let config = Config::from_env(1, 24, 500);
    let totals = run(config);
    println!("{config:?}\n{}", totals.table());
    if totals.actions >= 12_000 {
        let never = |name: &&&str| totals.kinds.get(**name).is_none_or(|[accepted, _]| *accepted == 0);
        assert_eq!(NAMES.iter().filter(never).collect::<Vec<_>>(), [&""; 0], "these were never accepted");
        for notable in ["incidents funded in part", "tranches wiped out", "epochs paid in part"] {
            assert!(totals.notable.get(notable).is_some_and(|count| *count > 0), "there were no {notable}");
        }
    }
}
