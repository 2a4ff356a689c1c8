//! The compute-unit table: what every instruction costs, in its usual and in its worst case.

use backstop_tests::compute::{self, Cost, Row};
use backstop_tests::{catalogue, golden, source};
use sha2::{Digest, Sha256};

const TABLE: &str = "cu/compute_units.md";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sha256 of the program that the tests run.
fn running() -> String {
    match std::env::var_os("BACKSTOP_PROGRAM") {
        Some(path) => sha256(&std::fs::read(path).expect("BACKSTOP_PROGRAM can be read")),
        None => sha256(&source::artifact()),
    }
}

#[test]
fn every_instruction_has_its_cases_in_the_catalogue() {
    let missing = catalogue::missing();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn no_instruction_costs_more_than_its_row_in_the_table_says() {
    let measured = compute::measure_all();
    let committed = sha256(&source::artifact());
    let table = compute::table(&measured, &committed);
    print!("{}", &table[table.find("| instruction").expect("the table has a head")..]);
    if running() != committed {
        println!("NOT COMPARED: BACKSTOP_PROGRAM is not the committed artifact; compute units depend on the compiler");
        return;
    }
    let beyond = compute::beyond_bounds(&measured);
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
    if golden::blessing() {
        return golden::write(TABLE, &table);
    }
    let differences = compute::differences(&compute::rows(&golden::committed(TABLE)), &measured);
    let how = "If the change is meant, run with BACKSTOP_BLESS=1 and commit tests/cu/compute_units.md with it.";
    assert!(differences.is_empty(), "{how}\n{}", differences.join("\n"));
}

#[test]
fn a_figure_may_grow_by_two_percent_and_fall_by_five() {
    let row = |units: u64| Row {
        instruction: "observe".into(),
        case: "usual".into(),
        what: String::new(),
        cost: Cost { accounts: 4, bytes: 300, units, floor: 100, calls: 1 },
    };
    let differs = |units: u64| !compute::differences(&[row(1_000)], &[row(units)]).is_empty();
    assert!(!differs(1_020) && differs(1_021), "2 % are allowed, and no more");
    assert!(!differs(950) && differs(949), "a fall by more than 5 % asks for a new table");
    assert_eq!(compute::differences(&[], &[row(1)]).len(), 1, "an instruction without a row is found");
    assert_eq!(compute::differences(&[row(1)], &[]).len(), 1, "a row without an instruction is found");
}

#[test]
fn a_bound_holds_for_its_cases_alone() {
    let row = |instruction: &str, case: &str, units: u64, floor: u64| Row {
        instruction: instruction.into(),
        case: case.into(),
        what: String::new(),
        cost: Cost { accounts: 4, bytes: 300, units, floor, calls: 1 },
    };
    let within = [
        row("buy_position", "usual", 22_000, 8_000),
        row("buy_position", "worst", 30_000, 0),
        row("settle_position", "encumbered", 8_000, 0),
        row("observe_report", "any", 6_000, 0),
        row("loan::open_loan", "usual", 60_000, 0),
    ];
    assert!(compute::beyond_bounds(&within).is_empty());
    for (instruction, case, units, floor) in [
        ("buy_position", "usual", 22_001, 9_000),
        ("buy_position", "usual", 22_000, 7_999),
        ("observe_report", "another", 6_001, 600),
    ] {
        let beyond = within.iter().cloned().chain([row(instruction, case, units, floor)]).collect::<Vec<_>>();
        assert_eq!(compute::beyond_bounds(&beyond).len(), 1, "{instruction} {units} {floor}");
    }
    assert_eq!(compute::beyond_bounds(&within[..4]).len(), 1, "a bound without a case is found");
}

#[test]
fn a_table_reads_back_as_it_was_written() {
    let cost = Cost { accounts: 4, bytes: 300, units: 3_400, floor: 100, calls: 1 };
    let row = Row { instruction: "observe".into(), case: "usual".into(), what: "a healthy price".into(), cost };
    let table = compute::table(std::slice::from_ref(&row), "00");
    assert_eq!(compute::rows(&table), [row]);
}
