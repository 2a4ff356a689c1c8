//! `backstop incident list` and `backstop incident show`.

use super::require_incident;
use crate::commands::args::{OpenPool, PoolArg, ProductArg};
use crate::commands::context::Context;
use crate::output::moment_from;
use crate::output::{
    GOOD, QUIET, Table, amount, card, cell, listing, moment, paint, paragraph, percent, table, tidy_amount,
};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::state::{
    CallState, Claim, Cover, CoverState, Incident, LossByLayer, Payout, Product, Treaty, TreatyKind, Trigger, get_text,
};
use backstop_client::view;
use backstop_client::view::Case;
use backstop_client::view::incident::{Step, next_step};
use backstop_client::{Cluster, account, address};
use clap::Args;
use serde::Serialize;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Where the pool stands in an incident, after the discriminator.
const POOL_OFFSET: usize = 32;
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

#[derive(Serialize)]
struct Summary {
    incident: String,
    product: String,
    product_name: String,
    pool: String,
    label: String,
    decimals: u8,
    state: &'static str,
    event_at: i64,
    opened_at: i64,
    /// When its severity is final at the latest.
    final_at: i64,
    severity_bps: u16,
    /// What the severity could become at the most when it was opened.
    most_severity_bps: u16,
    gross: u64,
    /// Number of its crisis within the pool; 0 if nothing is due for any loss.
    crisis: u32,
    /// What treaties owe for it, and have paid.
    ceded: u64,
    recovered: u64,
    /// Set aside for the covers so far.
    reserve: u64,
    /// What each claim is paid of itself so far, rounded down.
    ratio_bps: u64,
    paid: u64,
}

fn summary(address: Pubkey, incident: &Incident, product: &Product, pool: &OpenPool) -> Summary {
    let noted = || incident.treaties.iter().take(incident.treaty_count.into());
    Summary {
        incident: address.to_string(),
        product: incident.product.to_string(),
        product_name: product.name().into(),
        pool: incident.pool.to_string(),
        label: get_text(&pool.state.label).into(),
        decimals: pool.decimals,
        state: view::incident::state(incident.state),
        event_at: incident.event_at,
        opened_at: incident.opened_at,
        final_at: incident.final_at,
        severity_bps: incident.severity_bps,
        most_severity_bps: incident.most_severity_bps,
        gross: incident.gross,
        crisis: incident.crisis,
        ceded: noted().fold(0, |sum: u64, noted| sum.saturating_add(noted.owed)),
        recovered: noted().fold(0, |sum: u64, noted| sum.saturating_add(noted.paid)),
        reserve: incident.reserve,
        ratio_bps: {
            let ratio = (u128::from(incident.reserve) * 10_000).checked_div(incident.gross.into());
            ratio.and_then(|ratio| u64::try_from(ratio).ok()).unwrap_or(10_000)
        },
        paid: incident.paid,
    }
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let filter = args.pool.map(|pool| (POOL_OFFSET, pool.0));
    let mut pools: HashMap<Pubkey, OpenPool> = HashMap::new();
    let mut rows = Vec::new();
    let mut live = HashSet::new();
    for (address, incident) in account::list::<Incident>(cluster, filter)? {
        let product: Product = account::fetch(cluster, &incident.product)?;
        let pool = match pools.entry(incident.pool) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(place) => place.insert(OpenPool::read(cluster, incident.pool)?),
        };
        live.insert(incident.product);
        rows.push(summary(address, &incident, &product, pool));
    }
    rows.sort_by(|left, right| (left.opened_at, &left.incident).cmp(&(right.opened_at, &right.incident)));
    let ended = ended(cluster, args.pool, &live)?;
    let rows: Vec<Row> = rows.into_iter().map(Row::UnderWay).chain(ended.into_iter().map(Row::Ended)).collect();
    context.options.output.print(&rows, |rows| {
        if rows.is_empty() {
            return "No incidents.".into();
        }
        let mut table = table(&["incident", "product", "event", "state", "severity", "due", "ratio"], &[4, 5, 6]);
        for row in rows {
            match row {
                Row::UnderWay(row) => table.add_row([
                    row.incident.clone(),
                    row.product_name.clone(),
                    moment(row.event_at),
                    row.state.to_owned(),
                    percent(row.severity_bps.into()),
                    format!("{} {}", amount(row.gross, row.decimals), row.label),
                    percent(row.ratio_bps),
                ]),
                Row::Ended(row) => {
                    let (event, severity) = (moment(row.event_at), percent(row.severity_bps.into()));
                    table.add_row([&*row.incident, &row.product_name, &event, row.state, &severity, "-", "-"])
                }
            };
        }
        let mut text = listing(&table);
        if rows.iter().any(|row| matches!(row, Row::Ended(_))) {
            text.push_str(&format!("\n{}\n", paint(paragraph(ENDED_NOTE).trim_end(), QUIET)));
        }
        text
    })
}

/// What is not told of an incident that ended.
const ENDED_NOTE: &str = "An incident that ended has paid all its covers, and its account is gone: the chain keeps no sums of it \
                          and no ratio. `trigger show` draws its event; `cover show` tells what a cover was due.";

/// An incident that is listed.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    UnderWay(Summary),
    Ended(Ended),
}

/// An incident that is closed: what its product and its trigger keep.
#[derive(Serialize)]
struct Ended {
    incident: String,
    product: String,
    product_name: String,
    pool: String,
    state: &'static str,
    event_at: i64,
    proven_at: i64,
    severity_bps: u16,
    mean_price_e8: u64,
}

/// The incidents that ended, by their products: those that are over without one under way.
fn ended(cluster: &dyn Cluster, pool: Option<PoolArg>, live: &HashSet<Pubkey>) -> Result<Vec<Ended>> {
    // A product names its pool first, a trigger after its product.
    let products = account::list::<Product>(cluster, pool.map(|pool| (0, pool.0)))?;
    let is_over = |(key, product): &(Pubkey, Product)| product.incident_closed != 0 && !live.contains(key);
    let over: Vec<(Pubkey, Product)> = products.into_iter().filter(is_over).collect();
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let triggers = account::list::<Trigger>(cluster, pool.map(|pool| (32, pool.0)))?;
    let triggers: HashMap<Pubkey, Trigger> = triggers.into_iter().collect();
    let mut rows: Vec<Ended> = over
        .iter()
        .filter_map(|(key, product)| {
            let Trigger { terms, evidence, .. } = triggers.get(&product.trigger)?;
            Some(Ended {
                incident: address::incident(key).to_string(),
                product: key.to_string(),
                product_name: product.name().into(),
                pool: product.pool.to_string(),
                state: "ended",
                event_at: evidence.event_at,
                proven_at: evidence.met_at.saturating_add(i64::from(terms.challenge)),
                severity_bps: evidence.severity_bps,
                mean_price_e8: evidence.lowest_mean,
            })
        })
        .collect();
    rows.sort_by(|left, right| (left.proven_at, &left.incident).cmp(&(right.proven_at, &right.incident)));
    Ok(rows)
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    /// Whether its crisis is closed: what there is for its covers is fixed, but for money that comes late.
    crisis_closed: bool,
    treaties: Vec<TreatyRow>,
    /// What funding it now would take from the pool's capital; `None` if that is nothing.
    losses: Option<Losses>,
    covers: Vec<CoverRow>,
    covers_open: usize,
    covers_settled: usize,
    /// Sums insured and premiums of covers that are not settled yet.
    sums_left: u64,
    premiums_left: u64,
    /// Premium set aside to be given back, and not given back yet.
    refunds_left: u64,
    /// When what is left goes to the surplus, whether all is paid or not.
    deadline: i64,
    next: Option<Step>,
}

#[derive(Serialize)]
struct TreatyRow {
    treaty: String,
    kind: &'static str,
    state: &'static str,
    /// What it has come to owe, paid or not.
    owed: u64,
    paid: u64,
}

/// A loss by the capital that bears it.
#[derive(Serialize)]
pub struct Losses {
    surplus: u64,
    junior: u64,
    senior: u64,
}

impl From<&LossByLayer> for Losses {
    fn from(losses: &LossByLayer) -> Self {
        Self {
            surplus: losses.surplus,
            junior: losses.junior_assets.saturating_add(losses.junior_exiting),
            senior: losses.senior_assets.saturating_add(losses.senior_exiting),
        }
    }
}

impl Losses {
    /// The loss in words.
    pub fn text(&self, decimals: u8) -> String {
        let parts = [(self.surplus, "surplus"), (self.junior, "junior"), (self.senior, "senior")];
        let parts = parts.iter().filter(|(units, _)| *units > 0);
        let parts: Vec<String> =
            parts.map(|(units, name)| format!("{} on {name}", tidy_amount(*units, decimals))).collect();
        if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
    }
}

#[derive(Serialize)]
struct CoverRow {
    cover: String,
    mint: String,
    sum_insured: u64,
    premium: u64,
    /// `loss`: in force at the event. `refund`: not in force yet, the premium goes back.
    claim: &'static str,
    /// What it is due in full by the severity so far, with what of its premium is given back.
    due: u64,
    /// What it was paid for its loss so far.
    paid: u64,
    /// What settling it now would pay.
    payout: u64,
    /// Premium that is given back: part of both.
    refund: u64,
    settled: bool,
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let case = Case::read(cluster, args.product.0)?;
    let incident = require_incident(&case, now)?;
    let pool = &case.product.pool;
    let covers: Vec<CoverRow> =
        case.covers(cluster)?.iter().filter_map(|(key, cover)| cover_row(*key, cover, incident)).collect();
    let open: Vec<&CoverRow> = covers.iter().filter(|cover| !cover.settled).collect();
    let open_cover = open.first().and_then(|cover| cover.cover.parse().ok());
    let covers_open = open.len();
    let shown = Shown {
        summary: summary(case.product.keys.incident(), incident, &case.product.state, pool),
        crisis_closed: case.crisis.as_ref().is_some_and(|crisis| crisis.closed),
        treaties: treaties(cluster, incident)?,
        losses: losses(&case, incident, now),
        covers_open,
        covers_settled: covers.len() - covers_open,
        covers,
        sums_left: incident.sums_left,
        premiums_left: incident.premiums_left,
        refunds_left: incident.refunds_left,
        deadline: incident.deadline,
        next: next_step(&case, open_cover, now),
    };
    context.options.output.print(&shown, |shown| display(shown, now))
}

/// How the noted treaties stand.
fn treaties(cluster: &dyn Cluster, incident: &Incident) -> Result<Vec<TreatyRow>> {
    let mut rows = Vec::new();
    for noted in incident.treaties.iter().take(incident.treaty_count.into()) {
        let treaty: Option<Treaty> = account::find(cluster, &noted.treaty)?;
        rows.push(TreatyRow {
            treaty: noted.treaty.to_string(),
            kind: treaty.map_or("ended", |treaty| match treaty.kind {
                TreatyKind::QuotaShare { .. } => "quota-share",
                TreatyKind::ExcessOfLoss { .. } => "excess-of-loss",
            }),
            state: match noted.state {
                CallState::Pending => "pending",
                CallState::Called => "called",
            },
            owed: noted.owed,
            paid: noted.paid,
        });
    }
    Ok(rows)
}

fn losses(case: &Case, incident: &Incident, now: i64) -> Option<Losses> {
    let (mut books, mut crisis) = (case.product.pool.state.clone(), case.crisis.clone()?);
    let mut trigger = case.trigger.clone();
    trigger.refresh(now);
    books.accrue(now).ok()?;
    let funding = incident.clone().fund(&mut books, &mut crisis, &*trigger, now).ok()?;
    let losses = funding.closing.map_or(funding.giving.losses, |closing| closing.losses);
    Some(Losses::from(&losses))
}

fn cover_row(address: Pubkey, cover: &Cover, incident: &Incident) -> Option<CoverRow> {
    let in_full = Incident { reserve: incident.gross, ..incident.clone() };
    // What it was due is asked as if nothing of it were paid yet.
    let unpaid = Cover { paid: 0, state: CoverState::Active, ..cover.clone() };
    let Payout { claim, amount, refund, .. } = in_full.payout(&unpaid).ok()?;
    let paid_now = incident.payout(cover).ok().and_then(|payout| payout.total());
    Some(CoverRow {
        cover: address.to_string(),
        mint: cover.mint.to_string(),
        sum_insured: cover.sum_insured,
        premium: cover.premium,
        claim: match claim {
            Claim::Loss => "loss",
            Claim::Refund => "refund",
        },
        due: amount.saturating_add(refund),
        paid: cover.paid,
        payout: paid_now.unwrap_or_default(),
        refund,
        settled: cover.state == CoverState::Settled,
    })
}

fn display(shown: &Shown, now: i64) -> String {
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

fn state_text(shown: &Shown, now: i64) -> String {
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

fn covers_table(shown: &Shown) -> Table {
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
