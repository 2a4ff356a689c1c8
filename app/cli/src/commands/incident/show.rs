//! `backstop incident list` and `backstop incident show`.

use super::require_incident;
use crate::commands::args::{PoolArg, ProductArg};
use crate::commands::context::Context;
use crate::output::moment_from;
use crate::output::{
    GOOD, QUIET, Table, amount, card, cell, listing, moment, paint, paragraph, percent, table, tidy_amount,
};
use anyhow::Result;
use backstop_client::Cluster;
use backstop_client::view::Case;
use backstop_client::view::report::{self, IncidentReport, IncidentRow};
use clap::Args;

/// Most covers that are listed for people.
const COVERS_SHOWN: usize = 20;

/// List incidents: those that are under way, and of those that ended what the chain still tells.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident list")]
pub struct ListArgs {
    /// Only those of a pool: its address, or MINT/NUMBER.
    #[arg(long)]
    pool: Option<PoolArg>,
}

/// Show an incident: what is due, who bears it, what was paid, and what comes next.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident show PRODUCT")]
pub struct ShowArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let rows = report::incidents(cluster, args.pool.map(|pool| pool.0))?;
    context.options.output.print(&rows, |rows| {
        if rows.is_empty() {
            return "No incidents.".into();
        }
        let mut table = table(&["incident", "product", "event", "state", "severity", "due", "ratio"], &[4, 5, 6]);
        for row in rows {
            match row {
                IncidentRow::UnderWay(row) => table.add_row([
                    row.incident.clone(),
                    row.product_name.clone(),
                    moment(row.event_at),
                    row.state.to_owned(),
                    percent(row.severity_bps.into()),
                    format!("{} {}", amount(row.gross, row.decimals), row.label),
                    percent(row.ratio_bps),
                ]),
                IncidentRow::Ended(row) => {
                    let (event, severity) = (moment(row.event_at), percent(row.severity_bps.into()));
                    table.add_row([&*row.incident, &row.product_name, &event, row.state, &severity, "-", "-"])
                }
            };
        }
        let mut text = listing(&table);
        if rows.iter().any(|row| matches!(row, IncidentRow::Ended(_))) {
            text.push_str(&format!("\n{}\n", paint(paragraph(ENDED_NOTE).trim_end(), QUIET)));
        }
        text
    })
}

/// What is not told of an incident that ended.
const ENDED_NOTE: &str = "An incident that ended has paid all its covers, and its account is gone: the chain keeps no sums of it \
                          and no ratio. `trigger show` draws its event; `cover show` tells what a cover was due.";

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let case = Case::read(cluster, args.product.0)?;
    let incident = require_incident(&case, now)?;
    let shown = IncidentReport::read(cluster, &case, incident, now)?;
    context.options.output.print(&shown, |shown| display(shown, now))
}

fn display(shown: &IncidentReport, now: i64) -> String {
    let incident = &shown.summary;
    let decimals = incident.decimals;
    let asset = |units| format!("{} {}", tidy_amount(units, decimals), incident.label);
    let mut rows = vec![
        ("incident", incident.incident.clone()),
        ("product", incident.product.clone()),
        ("pool", incident.pool.clone()),
        ("event", moment_from(incident.event_at, now)),
        ("opened", moment_from(incident.opened_at, now)),
        ("state", state_text(shown, now)),
        ("severity", format!("{} of each sum insured", percent(incident.severity_bps.into()))),
        ("due", asset(incident.gross)),
    ];
    for treaty in &shown.treaties {
        let owed = asset(treaty.owed);
        let said = match treaty.state {
            _ if treaty.paid == treaty.owed => format!("paid {owed}"),
            "pending" if treaty.paid == 0 => format!("owes {owed}"),
            _ => format!("paid {} of {owed}", asset(treaty.paid)),
        };
        rows.push((treaty.kind, format!("{} {said}", treaty.treaty)));
    }
    let ratio = percent(incident.ratio_bps);
    rows.push(("set aside", format!("{}, {ratio} of what is due", asset(incident.reserve))));
    let left = incident.reserve.saturating_sub(incident.paid);
    rows.push(("paid", format!("{}, {} left", asset(incident.paid), asset(left))));
    if let Some(losses) = &shown.losses {
        rows.push(("funding it now", format!("takes {}", losses.text(decimals))));
    }
    if shown.refunds_left > 0 {
        rows.push(("premium back", format!("{} left to be given back", asset(shown.refunds_left))));
    }
    rows.push(("covers", format!("{} settled, {} open", shown.covers_settled, shown.covers_open)));
    rows.push(("deadline", format!("{}: what is left then goes to the surplus", moment_from(shown.deadline, now))));
    rows.push(("next", shown.next.as_ref().map_or_else(|| "nothing".into(), |step| step.text(now))));
    let mut text = card(&incident.product_name, &rows);
    if !shown.covers.is_empty() {
        text.push('\n');
        text.push_str(&listing(&covers_table(shown)));
        let hidden = shown.covers.len().saturating_sub(COVERS_SHOWN);
        if hidden > 0 {
            text.push_str(&paint(format!("  and {hidden} more: --output json lists all\n"), QUIET));
        }
    }
    text
}

fn state_text(shown: &IncidentReport, now: i64) -> String {
    let incident = &shown.summary;
    match (incident.state, incident.crisis, shown.crisis_closed) {
        (_, 0, _) => "nothing is due for a loss".into(),
        ("growing", ..) => {
            let most = percent(incident.most_severity_bps.into());
            format!("growing: up to {most} until {}; more is set aside then", moment_from(incident.final_at, now))
        }
        (_, _, false) => "final; what is set aside can rise until its crisis is closed".into(),
        (_, _, true) => "final, and its crisis is closed: what there is for it is fixed".into(),
    }
}

fn covers_table(shown: &IncidentReport) -> Table {
    let decimals = shown.summary.decimals;
    let mut covers = table(&["cover", "insured", "claim", "payout", ""], &[1, 3]);
    for cover in shown.covers.iter().take(COVERS_SHOWN) {
        let (mark, style) = if cover.settled { ("paid", GOOD) } else { ("open", QUIET) };
        covers.add_row([
            cell(&cover.cover, anstyle::Style::new()),
            cell(amount(cover.sum_insured, decimals), anstyle::Style::new()),
            cell(cover.claim, anstyle::Style::new()),
            // What it has been paid, and what settling it now would add.
            cell(amount(cover.paid.saturating_add(cover.payout), decimals), anstyle::Style::new()),
            cell(mark, style),
        ]);
    }
    covers
}
