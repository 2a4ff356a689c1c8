//! Random sequences of honest and hostile actions on the real program, held against a shadow model and invariants I1 to I14
//! after every transaction, and drained at the end.
//!
//! The same seeds give the same sequences everywhere. A long run is this test with other numbers:
//!
//! ```text
//! BACKSTOP_FUZZ_SEED=1000 BACKSTOP_FUZZ_SEQUENCES=5000 BACKSTOP_FUZZ_ACTIONS=500 \
//!     cargo test -p backstop-tests --test stateful_fuzz -- --nocapture
//! ```
//!
//! A failure is shrunk and printed as a list of operations, with the seed that brings it back.

use backstop_tests::fuzz::{Config, run};

#[test]
fn every_random_sequence_keeps_the_books_the_promises_and_the_model() {
    let config = Config::from_env(1, 20, 500);
    let totals = run(config);
    println!("{config:?}\n{}", totals.table());
}
