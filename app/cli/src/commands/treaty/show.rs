//! `backstop treaty list` and `backstop treaty show`.

use crate::commands::args::PoolArg;
use crate::commands::context::Context;
use crate::output::moment_from;
use crate::output::{amount, card, listing, table};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::border::text::date_text;
use backstop::state::{TreatyState, day_of};
use backstop_client::Cluster;
use backstop_client::view::OpenTreaty;
use backstop_client::view::report::{self, TreatyReport};
use backstop_client::view::treaty::{a_kind, gets, gives, meaning, pool, reinstatements, term};
use clap::Args;

/// List treaties.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty list")]
pub struct ListArgs {
    /// Only those of a pool, on either side: its address, or MINT/NUMBER.
    #[arg(long)]
    pool: Option<PoolArg>,
}

/// Show a treaty: what each side gives, what it has paid, what is left, and when it binds.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty show TREATY")]
pub struct ShowArgs {
    /// The treaty.
    treaty: Pubkey,
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let rows = report::treaties(cluster, args.pool.map(|pool| pool.0), cluster.now()?)?;
    context.options.output.print(&rows, |rows| {
        if rows.is_empty() {
            return "No treaties.".into();
        }
        let mut table = table(&["treaty", "kind", "left of limit", "until", "state"], &[2]);
        for row in rows {
            table.add_row([
                row.treaty.clone(),
                row.kind.to_owned(),
                format!("{} {}", amount(row.limit_left, row.decimals), row.label),
                date_text(day_of(row.end).saturating_sub(1)),
                row.status.to_owned(),
            ]);
        }
        listing(&table)
    })
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let open = OpenTreaty::read(cluster, args.treaty)?;
    let shown = TreatyReport::read(cluster, &open, now)?;
    context.options.output.print(&shown, |shown| display(shown, &open, now))
}

fn display(shown: &TreatyReport, open: &OpenTreaty, now: i64) -> String {
    let summary = &shown.summary;
    let asset = |units| format!("{} {}", amount(units, summary.decimals), summary.label);
    let mut rows = vec![
        ("treaty", summary.treaty.clone()),
        ("state", format!("{}: {}", summary.status, meaning(summary.status))),
        ("term", term(&open.state)),
        ("notice", format!("until {}", moment_from(summary.notice_until, now))),
        ("cedant", pool(&open.cedant)),
        ("gives", gives(&open.state, &asset)),
        ("gets", gets(&open.state, &asset)),
        ("reinsurer", pool(&open.reinsurer)),
        (
            "its capital",
            format!("{}, {} of open limits", asset(shown.reinsurer_capital), asset(shown.reinsurer_open_limits)),
        ),
        (
            "limit",
            format!("{} left of {}, {} used", asset(summary.limit_left), asset(summary.limit), asset(shown.used)),
        ),
    ];
    if let Some(text) = reinstatements(&open.state) {
        rows.push(("reinstatements", format!("{text}; {} restored so far", asset(shown.restored))));
    }
    if summary.kind == "quota-share" {
        rows.push(("premium", format!("{} owed now", asset(shown.premium))));
    } else if open.state.state == TreatyState::Active {
        rows.push(("premium", format!("{} paid, {} not earned yet", asset(shown.premium), asset(shown.unearned))));
    }
    if shown.owed > 0 {
        rows.push(("owed", asset(shown.owed)));
    }
    for incident in &shown.incidents {
        let paid = format!("{} owed, {} paid", asset(incident.owed), asset(incident.paid));
        rows.push(("incident", format!("{} {}: {paid}", incident.incident, incident.state)));
    }
    if let Some(next) = &shown.next {
        let from = if next.from > now { format!(", from {}", moment_from(next.from, now)) } else { String::new() };
        let until = next.until.map(|until| format!(", before {}", moment_from(until, now))).unwrap_or_default();
        rows.push(("next", format!("`{}`{from}{until}", next.command)));
    }
    card(&format!("{} #{}, {}", summary.label, summary.id, a_kind(&open.state.kind)), &rows)
}
