//! What every instruction costs: measured on the committed program, kept in a table that is committed with it.

use crate::catalogue::{self, Case, Entry, Prepared, stage};
use crate::{budget, explain};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop_client::transaction;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::fmt::Write;

/// What the runtime takes for a call of another program.
const CALL: u64 = 946;
/// What the system program takes, which reports none.
const BUILTIN: u64 = 150;
/// What the runtime takes for an event, beside a unit a byte.
const EVENT: u64 = 200;
/// Most bytes of a transaction.
const MAX_BYTES: usize = 1_232;

/// What a transaction with one instruction costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Accounts that the instruction names.
    pub accounts: usize,
    /// Bytes of the transaction, signatures included.
    pub bytes: usize,
    /// Compute units of the instruction.
    pub units: u64,
    /// What it calls other programs for and reports takes that much in any program: what they took, the calls, the
    /// events.
    pub floor: u64,
    /// Calls of other programs.
    pub calls: u64,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The instruction.
    pub instruction: String,
    /// The case.
    pub case: String,
    /// What is particular about it.
    pub what: String,
    /// The figures.
    pub cost: Cost,
}

/// The most that cases of an instruction may take, whatever the table says: no blessing goes beyond it.
pub struct Bound {
    /// The instruction.
    pub instruction: &'static str,
    /// Its cases; all if none is named.
    pub cases: &'static [&'static str],
    /// Most compute units in all.
    pub units: u64,
    /// Most of them that are its own.
    pub own: u64,
}

/// What is promised to those who build on the program or borrow from the example lender, and to whoever shows reports.
pub const BOUNDS: [Bound; 4] = [
    Bound { instruction: "buy_position", cases: &["usual"], units: 22_000, own: 14_000 },
    Bound { instruction: "settle_position", cases: &["usual", "encumbered"], units: 8_000, own: 8_000 },
    Bound { instruction: "observe_report", cases: &[], units: 6_000, own: 6_000 },
    Bound { instruction: "loan::open_loan", cases: &[], units: 60_000, own: 60_000 },
];

impl Bound {
    fn is_of(&self, row: &Row) -> bool {
        row.instruction == self.instruction && (self.cases.is_empty() || self.cases.contains(&row.case.as_str()))
    }
}

/// The rows that are beyond a bound, and the bounds that are of none.
pub fn beyond_bounds(measured: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for bound in &BOUNDS {
        let mut of = measured.iter().filter(|row| bound.is_of(row)).peekable();
        if of.peek().is_none() {
            found.push(format!("the bound of `{}` is of no case", bound.instruction));
        }
        for Row { instruction, case, cost, .. } in of {
            let own = cost.units - cost.floor;
            if cost.units > bound.units || own > bound.own {
                let Bound { units, own: most_own, .. } = bound;
                found.push(format!(
                    "`{instruction}` ({case}) takes {} units, {own} of them its own, where {units} and {most_own} are the most",
                    cost.units
                ));
            }
        }
    }
    found
}

/// Runs an instruction that must succeed, and measures it.
#[track_caller]
pub fn measure(prepared: &Prepared) -> Cost {
    let Prepared { world, before, instruction, signers, .. } = prepared;
    let whole: Vec<Instruction> = before.iter().chain([instruction]).cloned().collect();
    {
        let mut svm = world.cluster.svm();
        *svm = std::mem::take(&mut *svm).with_log_bytes_limit(None);
    }
    let signers: Vec<&Keypair> = signers.iter().collect();
    // As a client would send it: whoever signs pays the fee, or a crank if nobody must.
    let crank = stage::key("crank");
    let rent = signers.iter().find(|key| key.pubkey() == stage::key("rent").pubkey());
    let payer = *rent.or(signers.first()).unwrap_or(&&crank);
    let alone = transaction::sign(&world.cluster, payer, &signers, &whole).expect("it can be signed");
    let bytes = 1 + 64 * alone.signatures.len() + alone.message.serialize().len();

    let sent = transaction::sign(&world.cluster, &world.payer, &signers, &[vec![budget()], whole].concat());
    let receipt =
        world.cluster.send(&sent.expect("it can be signed")).unwrap_or_else(|error| panic!("{}", explain(&error)));
    let (units, floor, calls) = read(&instruction.program_id, &receipt.logs);
    Cost { accounts: instruction.accounts.len(), bytes, units, floor, calls }
}

/// Reads the units of the outermost program, the floor below it, and the calls it made.
fn read(program: &Pubkey, logs: &[String]) -> (u64, u64, u64) {
    let this = format!("Program {program} ");
    let (mut depth, mut units, mut floor, mut calls) = (0, 0, 0, 0);
    let mut reported = false;
    for line in logs {
        let Some(rest) = line.strip_prefix("Program ") else { continue };
        if let Some(data) = rest.strip_prefix("data: ") {
            // What a called program reports is among its units.
            if depth == 1 {
                floor += EVENT + data.split(' ').map(decoded_length).sum::<u64>();
            }
        } else if rest.contains(" invoke [") {
            depth += 1;
            reported = false;
            if depth == 2 {
                calls += 1;
                floor += CALL;
            }
        } else if let Some((_, taken)) = rest.split_once(" consumed ") {
            let taken: u64 = taken.split(' ').next().and_then(|number| number.parse().ok()).expect("a number of units");
            reported = true;
            match depth {
                1 if line.starts_with(&this) => units = taken,
                2 => floor += taken,
                _ => {}
            }
        } else if rest.ends_with(" success") {
            if depth == 2 && !reported {
                floor += BUILTIN;
            }
            depth -= 1;
            reported = depth > 0;
        }
    }
    assert!(units > 0, "the program did not report its units:\n{}", logs.join("\n"));
    (units, floor, calls)
}

/// Bytes of a text in base64.
fn decoded_length(text: &str) -> u64 {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3 - padding) as u64
}

/// Measures all cases of the catalogue.
pub fn measure_all() -> Vec<Row> {
    let cases = catalogue::all().into_iter().flat_map(|entry| entry.cases.iter().map(move |case| (entry, case)));
    let row = |(entry, case): (&Entry, &Case)| Row {
        instruction: entry.instruction.into(),
        case: case.name.into(),
        what: case.what.into(),
        cost: measure(&(case.prepare)()),
    };
    cases.map(row).collect()
}

const HEAD: &str = "\
# Compute units

Generated by `BACKSTOP_BLESS=1 cargo test -p backstop-tests --test svm compute_units::`, and compared with the program in
every run of the tests: a figure that grows by more than 2 % needs this table changed in the same commit, one that falls
by more than 5 % too.

Figures depend on the compiler. These are of `artifacts/backstop.so` with the sha256
";

const NOTES: &str = "\
- *usual* and *worst*: the state and the arguments that most calls will meet, and the dearest that we know of;
  *always*: the cost does not depend on state.
- *bytes*: of a transaction with this instruction alone, with different people in all roles.
- *calls*: of other programs (token programs, system program, associated token program).
- *floor*: what those programs took, 946 for each call, and 200 and a unit a byte for each event: what any program takes
  that calls and reports the same. *own* is the rest: our accounts, checks and sums, and the preparation of the calls.
- `loan::`: of the example lender, `artifacts/loan.so`. What Backstop takes for a cover is in the floor.
- Keys are fixed. Where the caller chooses a number (pool id, nonce) it is one whose addresses are found on the first
  try; the other addresses are what they are. Each further try costs 1,500.
- Days are idle if nobody has touched the pool: its premium is earned in one go. Here few covers end on these days; a day on
  which some do costs about 40 more, and `scale.md` has the figures of 500 days with an end on each.

";

/// The table as it is committed.
pub fn table(rows: &[Row], sha256: &str) -> String {
    let mut text = format!("{HEAD}`{sha256}`.\n\n{NOTES}");
    text.push_str("| instruction | case | what | accounts | bytes | calls | CU | floor | own |\n");
    text.push_str("|---|---|---|--:|--:|--:|--:|--:|--:|\n");
    for Row { instruction, case, what, cost } in rows {
        let Cost { accounts, bytes, units, floor, calls } = cost;
        let own = units - floor;
        let line = format!(
            "| `{instruction}` | {case} | {what} | {accounts} | {bytes} | {calls} | {units} | {floor} | {own} |"
        );
        writeln!(text, "{line}").expect("a text grows");
    }
    text
}

/// The rows of a committed table.
pub fn rows(table: &str) -> Vec<Row> {
    let row = |line: &str| -> Option<Row> {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let [instruction, case, what, accounts, bytes, calls, units, floor, ..] = cells[..] else { return None };
        let cost = Cost {
            accounts: accounts.parse().ok()?,
            bytes: bytes.parse().ok()?,
            units: units.parse().ok()?,
            floor: floor.parse().ok()?,
            calls: calls.parse().ok()?,
        };
        let instruction = instruction.trim_matches('`').into();
        Some(Row { instruction, case: case.into(), what: what.into(), cost })
    };
    table.lines().filter_map(row).collect()
}

/// How measured rows differ from the committed ones by more than the table allows.
pub fn differences(committed: &[Row], measured: &[Row]) -> Vec<String> {
    let same = |row: &Row, other: &Row| row.instruction == other.instruction && row.case == other.case;
    let mut found = Vec::new();
    for old in committed {
        if !measured.iter().any(|row| same(row, old)) {
            found.push(format!("`{}` ({}) is in the table and no longer measured", old.instruction, old.case));
        }
    }
    for new in measured {
        let name = format!("`{}` ({})", new.instruction, new.case);
        let Some(old) = committed.iter().find(|row| same(row, new)) else {
            found.push(format!("{name} is not in the table"));
            continue;
        };
        let (before, after) = (old.cost.units, new.cost.units);
        if after * 100 > before * 102 {
            found.push(format!("{name} grew from {before} to {after} units, by more than 2 %"));
        }
        if after * 100 < before * 95 {
            found.push(format!("{name} fell from {before} to {after} units, by more than 5 %: good; regenerate"));
        }
        if (old.cost.accounts, old.cost.bytes, old.cost.calls) != (new.cost.accounts, new.cost.bytes, new.cost.calls) {
            found.push(format!("{name} has other accounts, bytes or calls"));
        }
        if old.what != new.what {
            found.push(format!("{name} is described otherwise"));
        }
        if new.cost.bytes > MAX_BYTES {
            found.push(format!("{name} does not fit a transaction: {} bytes", new.cost.bytes));
        }
    }
    found
}
