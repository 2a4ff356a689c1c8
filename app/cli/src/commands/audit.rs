//! `backstop audit`.

use crate::commands::CheckFailed;
use crate::commands::args::PoolArg;
use crate::commands::context::Context;
use crate::output::{self, BAD, Cell, GOOD, HEADING, QUIET, WATCH, cell, moment, paint};
use anyhow::Result;
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::state::{Pool, Protocol};
use backstop_client::audit::{self, Audit, Figure, Finding, Outcome, Report, Unit};
use backstop_client::{account, address};
use clap::Args;
use serde::Serialize;

/// Recompute every invariant from the accounts on chain, and say what is off.
///
/// Reads all accounts of the program and compares the books of each pool with its covers, exits, incidents, treaties
/// and tokens. Exit code 3 if anything is off.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  backstop audit\n  backstop audit --output json | jq '.pools[].outcomes[].findings[]'"
)]
pub struct AuditArgs {
    /// Report this pool only: its address, or MINT/NUMBER.
    #[arg(long)]
    pool: Option<PoolArg>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    ok: bool,
    findings: usize,
    #[serde(flatten)]
    audit: &'a Audit,
}

pub fn run(args: &AuditArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let only = args.pool.map(|pool| pool.0);
    account::fetch::<Protocol>(cluster, &address::protocol())?;
    if let Some(pool) = &only {
        account::fetch::<Pool>(cluster, pool)?;
    }
    let audit = audit::run(cluster, only.as_ref())?;
    let findings = audit.findings().count();
    let result = Verdict { ok: findings == 0, findings, audit: &audit };
    context.options.output.print(&result, |result| display(result.audit))?;
    match findings {
        0 => Ok(()),
        1 => Err(CheckFailed("the audit found one thing that is off".into()).into()),
        _ => Err(CheckFailed(format!("the audit found {findings} things that are off")).into()),
    }
}

fn display(audit: &Audit) -> String {
    let (first, last) = audit.slots;
    let read = format!("Read between slots {first} and {last}, {}.", moment(audit.at));
    let mut text = format!("{}\n\n{}", paint(read, QUIET), section("Protocol", &audit.protocol, 0));
    for report in &audit.pools {
        text.push('\n');
        text.push_str(&section(&format!("Pool {}  {}", report.name, report.pool), &report.outcomes, report.decimals));
        if !report.steady {
            let moving =
                "Accounts of this pool changed each time while they were read: what is off may be a change half seen.";
            text.push_str(&paint(output::paragraph(moving), WATCH));
        }
    }
    text.push('\n');
    text.push_str(&verdict(audit));
    text
}

fn verdict(audit: &Audit) -> String {
    let compared: u64 = outcomes(audit).map(|outcome| outcome.compared).sum();
    let compared = output::thousands(compared);
    match audit.findings().count() {
        0 => {
            let pools = if audit.pools.len() == 1 { "1 pool".into() } else { format!("{} pools", audit.pools.len()) };
            paint(format!("OK: {compared} comparisons in {pools}, nothing is off."), GOOD)
        }
        off => paint(format!("{off} of {compared} comparisons are off."), BAD),
    }
}

fn outcomes(audit: &Audit) -> impl Iterator<Item = &Outcome> {
    audit.protocol.iter().chain(audit.pools.iter().flat_map(|report: &Report| &report.outcomes))
}

fn section(title: &str, outcomes: &[Outcome], decimals: u8) -> String {
    let mut table = output::table(&["rule", "", "books", "recomputed", "of what"], &[2, 3]);
    for outcome in outcomes {
        let (verdict, style) = if outcome.findings.is_empty() { ("OK", GOOD) } else { ("OFF", BAD) };
        let first = [cell(outcome.rule, HEADING), cell(verdict, style)];
        let mut figures = outcome.figures.iter().map(|figure| sides(figure, decimals));
        table.add_row(first.into_iter().chain(figures.next().into_iter().flatten()));
        for more in figures {
            table.add_row([cell("", QUIET), cell("", QUIET)].into_iter().chain(more));
        }
    }
    let off = outcomes.iter().filter(|outcome| !outcome.findings.is_empty());
    let off: String = off.map(broken).collect();
    format!("{}\n{}{off}", paint(title, HEADING), output::listing(&table))
}

/// The two sides of a figure, and what they are of.
fn sides(figure: &Figure, decimals: u8) -> [Cell; 3] {
    let decimals = match figure.unit {
        Unit::Asset => decimals,
        Unit::Share => decimals + SHARE_EXTRA_DECIMALS,
    };
    let style = if figure.books == figure.recomputed { GOOD } else { WATCH };
    let amount = |units| cell(output::tidy_amount(units, decimals), style);
    [amount(figure.books), amount(figure.recomputed), cell(figure.what.join(", "), QUIET)]
}

/// A rule that is broken, in words, and where.
fn broken(outcome: &Outcome) -> String {
    let heading = format!("{}: {}", outcome.rule, outcome.words);
    let findings: String = outcome.findings.iter().map(line).collect();
    format!("\n{}{findings}", paint(output::paragraph(&heading), BAD))
}

fn line(finding: &Finding) -> String {
    let Finding { subject, what, expected, found, .. } = finding;
    output::paragraph(&format!("- {subject}: {what}: expected {expected}, found {found}"))
}
