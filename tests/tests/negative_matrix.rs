//! The negative matrix: no account of any instruction can be another than the one that belongs there.

use backstop_tests::matrix::refusal::Refusal;
use backstop_tests::{catalogue, golden, matrix, source};
use solana_sdk::instruction::InstructionError;
use solana_sdk::transaction::TransactionError;

const PAGE: &str = "golden/negative_matrix.md";

#[test]
fn every_wrong_account_is_refused_with_a_typed_error_and_changes_nothing() {
    let reports = matrix::attack_all();
    let wrong: Vec<String> = reports
        .iter()
        .flat_map(|report| {
            report.wrong.iter().map(move |what| format!("{} ({}): {what}", report.instruction, report.case))
        })
        .collect();
    assert!(wrong.is_empty(), "{} mutations are not refused as they should be:\n{}", wrong.len(), wrong.join("\n"));
    let idle: Vec<String> = matrix::used(&reports)
        .into_iter()
        .filter(|(_, times)| *times == 0)
        .map(|(entry, _)| format!("{} of {}", entry.account, entry.instruction))
        .collect();
    assert!(idle.is_empty(), "these need not be on the list of what may succeed: {}", idle.join(", "));
    for (name, count) in matrix::summary::refusals(&reports) {
        println!("{count:6} {name}");
    }
    let page = matrix::summary::page(&reports);
    println!("{page}");
    golden::check(PAGE, &page);
}

#[test]
fn every_instruction_is_attacked() {
    let missing = catalogue::missing();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_committed_idl_is_that_of_the_sources() {
    let stale = source::idl_is_stale();
    assert!(stale.is_empty(), "toolchain/build.sh writes artifacts/ anew:\n{}", stale.join("\n"));
}

/// A refusal of this program, or of one that it called.
fn refusal(error: InstructionError, program: String) -> Refusal {
    let logs = vec![format!("Program {program} failed: it said why")];
    Refusal { error: TransactionError::InstructionError(1, error), logs, changed: Vec::new() }
}

#[test]
fn only_a_typed_error_without_a_trace_counts_as_a_refusal() {
    let ours = || backstop::ID.to_string();
    let token = || anchor_spl::token::ID.to_string();
    assert_eq!(refusal(InstructionError::Custom(6_008), ours()).named().unwrap(), "Backstop WrongAccount");
    assert_eq!(refusal(InstructionError::Custom(4), token()).named().unwrap(), "SPL Token error 4");
    assert!(refusal(InstructionError::Custom(5_999), ours()).named().is_err(), "a code that nobody has given");
    for untyped in [
        InstructionError::ProgramFailedToComplete,
        InstructionError::ComputationalBudgetExceeded,
        InstructionError::UnbalancedInstruction,
        InstructionError::ReadonlyDataModified,
    ] {
        assert!(refusal(untyped.clone(), token()).named().is_err(), "{untyped:?}");
    }
    let stopped = InstructionError::ExternalAccountDataModified;
    assert!(refusal(stopped.clone(), token()).named().is_ok(), "token programs leave that to the runtime");
    assert!(refusal(stopped, ours()).named().is_err(), "this program does not");
    let mut trace = refusal(InstructionError::Custom(6_008), ours());
    trace.changed.push(backstop::ID);
    assert!(trace.named().is_err(), "a refusal that changes an account");
}
