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

/// The actions that the following counts are for; others in proportion.
const OF_ACTIONS: u64 = 20_000;

/// How often operations are accepted at least.
const LEAST_ACCEPTED: &[(&str, u64)] = &[
    // What becomes of a policy.
    ("Extend", 80),
    ("Reduce", 50),
    ("ToNft", 50),
    ("SplitCover", 50),
    ("SplitPosition", 80),
    ("SettleLien", 3),
    // Readings in a vintage.
    ("SetReading", 100),
    ("Report", 15),
    ("Resolve", 80),
    ("Equivocate", 30),
    ("Retire", 2),
    // Vaults with two keys.
    ("Show", 2_000),
    ("Loss", 15),
    // Live rates of a stake pool and of a lending reserve.
    ("ShowRate", 1_500),
];

/// How often what is rare happens at least.
const LEAST_NOTABLE: &[(&str, u64)] = &[
    ("covers of readings sold", 80),
    ("covers of readings given back", 3),
    ("readings that pay covers", 5),
    ("readings void with covers", 20),
    ("payouts of readings", 10),
    ("premiums of void readings given back", 40),
    ("reports that fell", 1),
    ("falls that armed", 20),
    ("falls that deepened", 1),
    ("alerts by a report", 8),
    ("losses confirmed with covers", 5),
    ("payouts of two keys", 4),
    // Live rates: what counts and what does not, alerts, events.
    ("covers of rates sold", 40),
    ("peaks raised", 8),
    ("rates shown in one slot of the ledger", 15),
    ("rates shown 149 slots after another", 4),
    ("rates shown 150 slots after another", 6),
    ("slots that a rate made good", 300),
    ("slots that a rate recovered", 100),
    ("slots of a rate that were contradicted", 2),
    ("alerts by a rate", 20),
    ("alerts by a rate that ended", 8),
    ("alerts by a rate that began anew", 2),
    ("rates that met and did not hold", 1),
    ("events of rates with covers", 8),
    ("events of rates that deepened", 1),
    ("payouts of rates", 10),
    ("trees split, reduced and extended", 10),
    ("trees split and paid", 20),
    ("trees extended and paid", 6),
];

/// How often rules that only these have refuse something at least.
const LEAST_REFUSED: &[(&str, u64)] = &[
    ("PoolLocked", 50),
    ("PeriodTooNear", 3),
    ("ReportSignatures", 3),
    ("ReportRevokedKey", 1),
    ("ReportTooLate", 10),
    ("ReadingHasItsDays", 1),
    ("ProductArmed", 1),
    ("NotArmed", 1),
    ("LossAlreadyReported", 1),
    ("LossBeforeFall", 1),
    ("OracleStale", 20),
    ("OracleWrongOwner", 3),
    ("OracleWrongLayout", 8),
    ("ReadingNotAlone", 10),
    ("ReadingNotTopLevel", 4),
    ("UnexpectedAccounts", 5),
];

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
        let beside = ["Time", "Skip", "Epoch", "ExtendDeadline"];
        let never: Vec<&str> =
            ALL.iter().map(|(name, _)| *name).filter(|name| !beside.contains(name)).filter(never).collect();
        assert!(
            never.is_empty(),
            "{never:?} were never accepted: tests/src/fuzz/action.rs needs a Kind with a weight that leads to them"
        );
        for notable in ["incidents funded in part", "tranches wiped out", "epochs paid in part"] {
            assert!(totals.notable.get(notable).is_some_and(|count| *count > 0), "there were no {notable}");
        }
        // What is hardly ever accepted proves nothing.
        let least = |table: &[(&str, u64)], found: &dyn Fn(&str) -> u64| -> Vec<String> {
            let asked = |count: u64| (count * totals.actions / OF_ACTIONS).max(1);
            let few = table.iter().filter(|(name, count)| found(name) < asked(*count));
            few.map(|(name, count)| format!("{name}: {} of {}", found(name), asked(*count))).collect()
        };
        let accepted = least(LEAST_ACCEPTED, &|name| totals.kinds.get(name).map_or(0, |[accepted, _]| *accepted));
        assert!(accepted.is_empty(), "too few were accepted: {accepted:?}");
        let notable = least(LEAST_NOTABLE, &|name| totals.notable.get(name).copied().unwrap_or(0));
        assert!(notable.is_empty(), "too few of these: {notable:?}");
        let refused = least(LEAST_REFUSED, &|name| totals.refusals.get(name).copied().unwrap_or(0));
        assert!(refused.is_empty(), "too few were refused so: {refused:?}");
    }
}
