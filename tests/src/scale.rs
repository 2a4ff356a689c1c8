//! What the program takes at scale: a page of figures, some measured, some derived from the compute-unit table, the IDL
//! and the limits of a cluster.

use crate::compute::{self, Row};
use crate::{golden, idl};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// The page.
const PAGE: &str = "cu/scale.md";
/// The section on incidents and epochs that a crank settled.
pub const SETTLED: &str = "Settled by the crank";
/// The section on what more covers and idle days cost.
pub const FLAT: &str = "The same at any size";
/// The section on write locks.
pub const LOCKS: &str = "Write locks";
const HEADINGS: [&str; 3] = [SETTLED, FLAT, LOCKS];

/// What a cluster lets through.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Cost of all transactions of a block.
    pub block: u64,
    /// Cost of all transactions of a block that write to one account.
    pub account: u64,
    /// How long a block takes, in milliseconds.
    pub slot_millis: u64,
}

/// Solana's mainnet, as far as is known in November 2026.
pub const MAINNET: Limits = Limits { block: 50_000_000, account: 20_000_000, slot_millis: 200 };

/// What a signature counts against the limits.
const SIGNATURE: u64 = 720;
/// What a write lock counts.
const WRITE_LOCK: u64 = 300;
/// What the two instructions count that ask for units and name their price.
const BUDGET: u64 = 2 * 150;

/// Accounts that all users of a pool, a product or a treaty write to; the rest belong to one user.
const SHARED: [&str; 20] = [
    "attestors",
    "cedant",
    "cedant_vault",
    "cession",
    "crisis",
    "epoch",
    "incident",
    "junior_mint",
    "live",
    "pool",
    "product",
    "protocol",
    "rates",
    "reinsurer",
    "reinsurer_vault",
    "senior_mint",
    "share_mint",
    "treaty",
    "trigger",
    "vault",
];
/// Accounts that belong to one user, one cover or one ticket.
const OWN: [&str; 20] = [
    "beneficiary",
    "buyer_assets",
    "contributor_assets",
    "cover",
    "cover_mint",
    "crisis_rent_payer",
    "destination",
    "holder_nft",
    "lien",
    "owner_assets",
    "owner_shares",
    "part",
    "part_mint",
    "payee",
    "payer",
    "policy",
    "position",
    "receiver_nft",
    "rent_payer",
    "ticket",
];

/// What an instruction locks for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locks {
    /// Its name.
    pub instruction: String,
    /// Accounts that others write to as well.
    pub shared: Vec<String>,
    /// Accounts of one user, without the payer of the fee.
    pub own: Vec<String>,
    /// Whether one of its signers is written to, and so may pay the fee without a further lock.
    pub payer_is_locked: bool,
    /// Signatures, the payer's included.
    pub signatures: u64,
}

impl Locks {
    /// Accounts that a transaction with this instruction alone locks for writing.
    pub fn count(&self) -> u64 {
        (self.shared.len() + self.own.len() + usize::from(!self.payer_is_locked)) as u64
    }

    /// What a transaction with this instruction alone counts against the limits, if the instruction takes `units`.
    pub fn cost(&self, units: u64) -> u64 {
        units + BUDGET + SIGNATURE * self.signatures + WRITE_LOCK * self.count()
    }

    /// What transactions count that hold many of this instruction for different users, and are signed by one.
    pub fn packed(&self, transactions: u64, items: u64, units: u64) -> u64 {
        let each = BUDGET + SIGNATURE + WRITE_LOCK * (1 + self.shared.len() as u64);
        units + transactions * each + items * WRITE_LOCK * self.own.len() as u64
    }
}

/// The write locks of all instructions, from the IDL.
///
/// # Panics
///
/// If an account is written to that is in neither of the lists of this file.
pub fn locks() -> Vec<Locks> {
    let read = |instruction: &Value| {
        let name = instruction["name"].as_str().expect("an instruction has a name");
        let accounts = idl::wire(instruction);
        let is = |account: &Value, what: &str| account[what].as_bool().unwrap_or(false);
        let written: Vec<&Value> = accounts.iter().copied().filter(|account| is(account, "writable")).collect();
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for account in &written {
            let account = account["name"].as_str().expect("an account has a name");
            match (SHARED.contains(&account), OWN.contains(&account)) {
                (true, false) => shared.push(account.to_owned()),
                (false, true) => own.push(account.to_owned()),
                _ => panic!("`{name}` writes to `{account}`: whose is it? SHARED and OWN in tests/src/scale.rs say it"),
            }
        }
        let signers = accounts.iter().filter(|account| is(account, "signer") && !is(account, "optional")).count();
        Locks {
            instruction: name.to_owned(),
            shared,
            own,
            payer_is_locked: written.iter().any(|account| is(account, "signer")),
            signatures: signers.max(1) as u64,
        }
    };
    idl::list(idl::value(), "instructions").iter().map(read).collect()
}

/// The write locks of one instruction.
#[track_caller]
pub fn locks_of(instruction: &str) -> Locks {
    let found = locks().into_iter().find(|locks| locks.instruction == instruction);
    found.unwrap_or_else(|| panic!("the IDL has no instruction `{instruction}`"))
}

/// The section on write locks: what each instruction locks, and how many of them fit, one to a transaction, with the
/// units of the committed table.
pub fn locks_section(limits: Limits) -> String {
    let rows = compute::rows(&golden::committed("cu/compute_units.md"));
    // Of this program: the example lender's have a name before theirs.
    let usual = |row: &&Row| (row.case == "usual" || row.case == "always") && !row.instruction.contains("::");
    let Limits { block, account, slot_millis } = limits;
    let mut text = format!(
        "{LOCKS_TEXT}\
         - Here: {block} units a block, {account} an account, a block every {slot_millis} ms.\n\n\
         | instruction | shared | one user's | CU | cost | one pool, a block | a second | all pools, a block | a second |\n\
         |---|---|---|--:|--:|--:|--:|--:|--:|\n"
    );
    let all = locks();
    for Row { instruction, cost, .. } in rows.iter().filter(usual) {
        let locks = all.iter().find(|locks| locks.instruction == *instruction);
        let locks = locks.unwrap_or_else(|| panic!("`{instruction}` is in the table of units and not in the IDL"));
        let full = locks.cost(cost.units);
        let everywhere = block / full;
        let alone = if locks.shared.is_empty() { everywhere } else { account / full };
        let everywhere = if locks.shared == ["protocol"] { alone } else { everywhere };
        let second = |blocks: u64| blocks * 1_000 / slot_millis;
        let names = |names: &[String]| names.join(", ");
        let line = format!(
            "| `{instruction}` | {} | {} | {} | {full} | {alone} | {} | {everywhere} | {} |",
            names(&locks.shared),
            names(&locks.own),
            cost.units,
            second(alone),
            second(everywhere)
        );
        writeln!(text, "{line}").expect("a text grows");
    }
    text
}

// ---- the page ----

const HEAD: &str = "\
# Scale

Generated by

```text
BACKSTOP_BLESS=1 BACKSTOP_SCALE=10000 cargo test -p backstop-tests --test svm -- compute_units:: scale::
```

and compared in every run of the tests, which measure the smaller size: a figure that grows by more than 2 % or falls by
more than 5 % needs this page changed in the same commit. Without `BACKSTOP_SCALE` the rows of other sizes are kept. The
last column of what was measured says on which program, by the first digits of its sha256.
";

const LOCKS_TEXT: &str = "\
What an instruction locks for writing, and how many of it, each in a transaction of its own, a cluster can take at most.
Two transactions that write to the same account run one after the other, and a block holds only so much of them.

- *shared*: accounts that all users of the same pool, product, incident, day of exits or treaty write to. *one user's*:
  the others. Whoever pays the fee is locked too.
- *CU*: the usual case of the [table](compute_units.md). *cost*: what the transaction counts against the limits: those
  units, 720 a signature, 300 a write lock, 300 for asking for units and naming a price. Instruction data and loaded
  accounts count some hundreds more.
- *one pool*: all write to the same shared accounts, so the limit of one account binds. *all pools*: each to another
  pool's, so the limit of the block binds; with three pools it does already.
- The limits, in November 2026: a block of 400 ms may cost 100 million units (SIMD-0286, on mainnet since July 2026), and
  40 % of it may write to one account (SIMD-0306, and so the validator's code); SIMD-0525 scales both down with the time
  of a slot, 200 ms since October 2026. So the figures *a second* hold for any slot time: 250 and 100 million units. A
  page of the Solana Foundation says that the limit of one account stayed at 12 million for 400 ms: then *one pool* takes
  30 % of what stands here.
- They are ceilings: others use blocks too, and a leader reserves what a transaction asks for until it has run.
";

static WRITING: Mutex<()> = Mutex::new(());

/// The body of a section of the committed page, empty if there is none.
pub fn committed(heading: &str) -> String {
    let page = golden::committed(PAGE);
    let sections = page.split("\n## ").skip(1).filter_map(|section| section.split_once("\n\n"));
    let body = sections.into_iter().find(|(found, _)| *found == heading).map(|(_, body)| body.trim_end().to_owned());
    body.map(|body| body + "\n").unwrap_or_default()
}

/// Writes a section of the page anew, and keeps the others.
pub fn write(heading: &str, body: &str) {
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut page = HEAD.to_owned();
    for other in HEADINGS {
        let body = if other == heading { body.to_owned() } else { committed(other) };
        write!(page, "\n## {other}\n\n{body}").expect("a text grows");
    }
    golden::write(PAGE, &page);
}

/// The cells of a table's row, without its rules and its head.
fn cells(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(str::trim).collect();
    cells.iter().any(|cell| cell.parse::<u64>().is_ok()).then_some(cells)
}

/// How the measured rows of a section differ from the committed ones by more than the page allows. The first `keys`
/// columns say what a row is about.
pub fn differences(committed: &str, measured: &str, keys: usize) -> Vec<String> {
    let old: Vec<Vec<&str>> = committed.lines().filter_map(cells).collect();
    let mut found = Vec::new();
    for new in measured.lines().filter_map(cells) {
        let name = new[..keys].join(", ");
        let Some(old) = old.iter().find(|old| old.len() == new.len() && old[..keys] == new[..keys]) else {
            found.push(format!("{name} is not on the page"));
            continue;
        };
        for (old, new) in old.iter().zip(&new).skip(keys) {
            let (Ok(before), Ok(after)) = (old.parse::<u64>(), new.parse::<u64>()) else { continue };
            if after * 100 > before * 102 || after * 100 < before * 95 {
                found.push(format!("{name}: {after} instead of {before}"));
            }
        }
    }
    found
}

/// A section's text with measured rows, and the committed rows that were not measured now, in the order of their keys.
pub fn merged(text: &str, committed: &str, measured: &str, keys: usize) -> String {
    let order = |line: &str| -> Option<Vec<(String, u64)>> {
        let key = |cell: &&str| cell.parse().map_or_else(|_| (cell.to_string(), 0), |number| (String::new(), number));
        cells(line).map(|cells| cells[..keys].iter().map(key).collect())
    };
    let rows = committed.lines().chain(measured.lines()).filter_map(|line| Some((order(line)?, line)));
    let rows: BTreeMap<_, &str> = rows.collect();
    let rows: Vec<&str> = rows.into_values().collect();
    format!("{text}{}\n", rows.join("\n"))
}

/// Compares a derived section with the committed one.
#[track_caller]
pub fn check(heading: &str, body: &str) {
    let (old, new) = (committed(heading), body);
    let changed: Vec<&str> = new.lines().filter(|line| !old.lines().any(|old| old == *line)).collect();
    assert!(old == new, "\"{heading}\" of tests/{PAGE} is not what is derived now:\n{}", changed.join("\n"));
}
