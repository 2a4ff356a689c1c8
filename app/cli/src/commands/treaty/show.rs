//! `backstop treaty list` and `backstop treaty show`.

use crate::commands::args::{OpenPool, PoolArg};
use crate::commands::context::Context;
use crate::output::moment_from;
use crate::output::{amount, card, listing, table};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::cpi::text::date_text;
use backstop::state::{CallState, Incident, Treaty, TreatyKind, TreatyState, day_of, get_text, unearned_between};
use backstop_client::view::OpenTreaty;
use backstop_client::view::treaty::{
    a_kind, books, gets, gives, kind, limit_left, meaning, pool, reinstatements, released_from, status, term,
};
use backstop_client::{Cluster, account};
use clap::Args;
use serde::Serialize;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Where the cedant stands in a treaty, after the discriminator.
const CEDANT_OFFSET: usize = 0;
/// Where the reinsurer stands.
const REINSURER_OFFSET: usize = 32;
/// Where the pool stands in an incident.
const INCIDENT_POOL_OFFSET: usize = 32;

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

#[derive(Serialize)]
struct Summary {
    treaty: String,
    id: u16,
    cedant: String,
    reinsurer: String,
    label: String,
    decimals: u8,
    kind: &'static str,
    #[serde(rename = "state")]
    status: &'static str,
    cession_bps: Option<u16>,
    commission_bps: Option<u16>,
    attachment: Option<u64>,
    rate_on_line_bps: Option<u16>,
    reinstatements: Option<u8>,
    reinstatement_premium_bps: Option<u16>,
    limit: u64,
    /// What it can still come to owe.
    limit_left: u64,
    notice_until: i64,
    /// First second of the term.
    start: i64,
    /// First second after the term.
    end: i64,
}

fn summary(address: Pubkey, treaty: &Treaty, cedant: &OpenPool, now: i64) -> Summary {
    let mut summary = Summary {
        treaty: address.to_string(),
        id: treaty.id,
        cedant: treaty.cedant.to_string(),
        reinsurer: treaty.reinsurer.to_string(),
        label: get_text(&cedant.state.label).into(),
        decimals: cedant.decimals,
        kind: kind(&treaty.kind),
        status: status(&address, treaty, &cedant.state, now),
        cession_bps: None,
        commission_bps: None,
        attachment: None,
        rate_on_line_bps: None,
        reinstatements: None,
        reinstatement_premium_bps: None,
        limit: treaty.limit,
        limit_left: limit_left(&address, treaty, &cedant.state),
        notice_until: treaty.notice_until,
        start: treaty.start(),
        end: treaty.end(),
    };
    match treaty.kind {
        TreatyKind::QuotaShare { cession_bps, commission_bps } => {
            summary.cession_bps = Some(cession_bps);
            summary.commission_bps = Some(commission_bps);
        }
        TreatyKind::ExcessOfLoss { attachment, rate_on_line_bps, reinstatements, reinstatement_premium_bps } => {
            summary.attachment = Some(attachment);
            summary.rate_on_line_bps = Some(rate_on_line_bps);
            summary.reinstatements = Some(reinstatements);
            summary.reinstatement_premium_bps = Some(reinstatement_premium_bps);
        }
    }
    summary
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let filters = match args.pool {
        Some(pool) => vec![Some((CEDANT_OFFSET, pool.0)), Some((REINSURER_OFFSET, pool.0))],
        None => vec![None],
    };
    let mut treaties = BTreeMap::new();
    for filter in filters {
        treaties.extend(account::list::<Treaty>(cluster, filter)?);
    }
    let mut cedants: HashMap<Pubkey, OpenPool> = HashMap::new();
    let mut rows = Vec::new();
    for (address, treaty) in treaties {
        let cedant = match cedants.entry(treaty.cedant) {
            Entry::Occupied(cedant) => cedant.into_mut(),
            Entry::Vacant(place) => place.insert(OpenPool::read(cluster, treaty.cedant)?),
        };
        rows.push(summary(address, &treaty, cedant, now));
    }
    rows.sort_by(|left, right| (&left.cedant, left.id).cmp(&(&right.cedant, right.id)));
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

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    /// What of the limit was used so far, restored parts included.
    used: u64,
    restored: u64,
    /// What it owes incidents and has not paid.
    owed: u64,
    /// Premium: of a layer what was paid or would be paid for the term; of a quota share what the cedant owes now.
    premium: u64,
    /// What of a layer's premium would go back if its term were ended today.
    unearned: u64,
    /// Incidents that are not closed and noted it.
    incidents: Vec<IncidentRow>,
    reinsurer_capital: u64,
    reinsurer_open_limits: u64,
    next: Option<Next>,
}

#[derive(Serialize)]
struct IncidentRow {
    incident: String,
    product: String,
    state: &'static str,
    owed: u64,
    paid: u64,
}

#[derive(Serialize)]
struct Next {
    /// `accept`, `premium` or `end`.
    step: &'static str,
    command: String,
    from: i64,
    until: Option<i64>,
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let open = OpenTreaty::read(cluster, args.treaty)?;
    let (cedant, reinsurer) = (books(&open.cedant, now), books(&open.reinsurer, now));
    let treaty = &open.state;
    let is_active = treaty.state == TreatyState::Active;
    let is_quota_share = matches!(treaty.kind, TreatyKind::QuotaShare { .. });
    let premium = match is_quota_share {
        true => cedant.payable_of(&args.treaty),
        false => treaty.premium_on_acceptance()?,
    };
    let tomorrow = day_of(now).saturating_add(1).max(treaty.start_day);
    let unearned = if is_active { unearned_between(treaty.rate_q32, tomorrow, treaty.end_day)? } else { 0 };
    let shown = Shown {
        summary: summary(args.treaty, treaty, &open.cedant, now),
        used: treaty.limit.saturating_add(treaty.restored).saturating_sub(limit_left(&args.treaty, treaty, &cedant)),
        restored: treaty.restored,
        owed: open.owed(),
        premium,
        unearned,
        incidents: incidents(cluster, treaty.cedant, args.treaty)?,
        reinsurer_capital: reinsurer.staying_capital()?,
        reinsurer_open_limits: reinsurer.open_limits()?,
        next: next(&open, premium, now),
    };
    context.options.output.print(&shown, |shown| display(shown, &open, now))
}

fn incidents(cluster: &dyn Cluster, cedant: Pubkey, treaty: Pubkey) -> Result<Vec<IncidentRow>> {
    let mut rows = Vec::new();
    for (address, incident) in account::list::<Incident>(cluster, Some((INCIDENT_POOL_OFFSET, cedant)))? {
        let noted = incident.treaties.iter().take(incident.treaty_count.into());
        rows.extend(noted.filter(|noted| noted.treaty == treaty).map(|noted| IncidentRow {
            incident: address.to_string(),
            product: incident.product.to_string(),
            state: match noted.state {
                CallState::Pending => "pending",
                CallState::Called => "called",
            },
            owed: noted.owed,
            paid: noted.paid,
        }));
    }
    rows.sort_by(|left, right| left.incident.cmp(&right.incident));
    Ok(rows)
}

/// What somebody can do about it next.
fn next(open: &OpenTreaty, premium: u64, now: i64) -> Option<Next> {
    let treaty = &open.state;
    let next = |step: &'static str, from, until| {
        let command = format!("backstop treaty {step} {}", open.keys.treaty);
        Some(Next { step, command, from, until })
    };
    match status(&open.keys.treaty, treaty, &open.cedant.state, now) {
        "announced" => next("accept", treaty.notice_until, Some(treaty.start())),
        "acceptable" => next("accept", now, Some(treaty.start())),
        _ if premium > 0 && matches!(treaty.kind, TreatyKind::QuotaShare { .. }) => next("premium", now, None),
        "lapsed" | "over" => next("end", now, None),
        _ => next("end", released_from(treaty, &open.cedant.state).max(now), None),
    }
}

fn display(shown: &Shown, open: &OpenTreaty, now: i64) -> String {
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
