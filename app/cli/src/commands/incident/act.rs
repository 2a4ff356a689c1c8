//! The steps from a trigger to its covers' payouts, by hand. Anyone may take them; `backstop crank run` takes all.

use super::require_incident;
use crate::commands::args::{OpenProduct, ProductArg, asset_text};
use crate::commands::context::{Context, Preview, event, hinted, plain};
use crate::commands::cover::CoverArg;
use crate::output::{moment, percent};
use anchor_lang::{AnchorDeserialize, Discriminator, Event};
use anyhow::Result;
use backstop::events::{
    CrisisClosed, DeadlineExtended, IncidentClosed, IncidentFunded, IncidentGrown, IncidentOpened, TreatyCalled,
};
use backstop::state::{CallState, Giving, IncidentState, LossByLayer, Treaty};
use backstop_client::act::Settle;
use backstop_client::instruction::{self as ix, TreatyKeys};
use backstop_client::view::Case;
use backstop_client::view::report::Losses;
use backstop_client::{Cluster, account, transaction};
use clap::Args;
use serde::Serialize;

/// Open the incident of a trigger that has triggered. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident open PRODUCT")]
pub struct OpenArgs {
    /// The product or its trigger.
    product: ProductArg,
}

/// Call the next treaty of an incident: the reinsurer pays its part. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident call PRODUCT")]
pub struct CallArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

/// Bring an incident up to its evidence, and what is set aside for its covers up to its part. Anyone may, and again.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident fund PRODUCT")]
pub struct FundArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

/// Pay a cover to the wallet that holds its NFT. Anyone may, as often as there is more for it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident settle COVER")]
pub struct SettleArgs {
    /// The cover, or the mint of its NFT.
    cover: CoverArg,
}

/// Move the deadline of an incident to a year from now. Anyone may, while the issuer has frozen the pool's vault.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident extend PRODUCT")]
pub struct ExtendArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

/// Move what is left of an incident to the pool's surplus. Anyone may, once all covers are paid in full or after a year.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident close PRODUCT")]
pub struct CloseArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

/// An amount of a product's asset.
fn asset(product: &OpenProduct, units: u64) -> String {
    asset_text(&product.pool.state, units)
}

#[derive(Serialize)]
struct Opened {
    incident: String,
    product: String,
    event_at: i64,
    severity_bps: u16,
    gross: u64,
    /// What can become due at the most, if the fall goes on.
    most: u64,
    /// Number of its crisis within the pool; 0 if nothing is due for any loss.
    crisis: u32,
    /// When its severity is final at the latest.
    final_at: i64,
    decimals: u8,
    /// Whether nothing is due for any loss.
    is_closed: bool,
}

pub fn open(args: &OpenArgs, context: &Context) -> Result<()> {
    let product = args.product.find(context.cluster()?)?;
    let instruction = ix::open_incident(&product.keys, context.payer()?, ix::next_crisis(&product.pool.state));
    context.carry_out(&[instruction], |receipt| {
        let opened = event::<IncidentOpened>(receipt)?;
        let (growth, is_closed) = (opened.growth, opened.crisis == 0);
        let mut rows = vec![
            ("incident", opened.incident.to_string()),
            ("event", moment(opened.event_at)),
            ("severity", format!("{} of each sum insured", percent(growth.severity_bps.into()))),
            ("due", asset(&product, growth.gross)),
        ];
        if !growth.is_final {
            let most = asset(&product, opened.most);
            rows.push(("at the most", format!("{most}, final by {}", moment(opened.final_at))));
        }
        let preview = Preview {
            title: format!("Open the incident of {}", product.state.name()),
            rows,
            warnings: vec![match is_closed {
                true => {
                    "Nothing is due for a loss: the product is over, and covers that waited get premium back.".into()
                }
                false => "The product is over: it never sells again.".into(),
            }],
        };
        let details = Opened {
            incident: opened.incident.to_string(),
            product: product.keys.product.to_string(),
            event_at: opened.event_at,
            severity_bps: growth.severity_bps,
            gross: growth.gross,
            most: opened.most,
            crisis: opened.crisis,
            final_at: opened.final_at,
            decimals: product.pool.decimals,
            is_closed,
        };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct Called {
    incident: String,
    treaty: String,
    owed: u64,
    /// What arrives in the crisis.
    received: u64,
    reinstatement_premium: u64,
    restored: u64,
    decimals: u8,
    /// Where the reinsurer's loss comes from.
    losses: Losses,
}

pub fn call(args: &CallArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let case = Case::read(cluster, args.product.0)?;
    let incident = require_incident(&case, cluster.now()?)?;
    let product = &case.product;
    let mut noted = incident.treaties.iter().take(incident.treaty_count.into());
    let pending = noted.clone().find(|noted| noted.state == CallState::Pending);
    // One that was called and could not pay all of it can be called again.
    let next = pending.or_else(|| noted.find(|noted| noted.paid < noted.owed)).ok_or_else(|| {
        let hint = format!("`backstop incident show {}` tells what is next", product.keys.product);
        hinted("no treaty owes the incident anything", hint)
    })?;
    let treaty: Treaty = account::fetch(cluster, &next.treaty)?;
    let keys = TreatyKeys { cedant: product.keys.pool, reinsurer: treaty.reinsurer, treaty: next.treaty };
    context.carry_out(&[ix::call_treaty(&keys, &product.keys, incident.crisis)], |receipt| {
        let paid = event::<TreatyCalled>(receipt)?;
        let losses = Losses::from(&paid.losses);
        let received = paid.paid.saturating_sub(paid.reinstatement_premium);
        let mut rows = vec![
            ("treaty", keys.treaty.to_string()),
            ("reinsurer", keys.reinsurer.to_string()),
            ("owes", asset(product, paid.owed)),
            ("pays", asset(product, received)),
            ("of its capital", losses.text(product.pool.decimals)),
        ];
        if paid.restored > 0 {
            let premium = asset(product, paid.reinstatement_premium);
            rows.push(("limit restored", format!("{} for {premium}", asset(product, paid.restored))));
        }
        let warnings = match paid.paid < paid.owed {
            true => vec!["The reinsurer has less than it owes: it pays what it has, and owes the rest.".into()],
            false => Vec::new(),
        };
        let preview = Preview { title: format!("Call a treaty for {}", product.state.name()), rows, warnings };
        let called = Called {
            incident: product.keys.incident().to_string(),
            treaty: keys.treaty.to_string(),
            owed: paid.owed,
            received,
            reinstatement_premium: paid.reinstatement_premium,
            restored: paid.restored,
            decimals: product.pool.decimals,
            losses,
        };
        Ok((preview, called))
    })
}

#[derive(Serialize)]
struct Funded {
    incident: String,
    severity_bps: u16,
    is_final: bool,
    gross: u64,
    /// What is set aside with it.
    given: u64,
    /// Of that, what treaties paid, and what a closed crisis had left.
    recovered: u64,
    bucket: u64,
    /// All that is set aside for its covers, and how much of what they are due that is.
    reserve: u64,
    ratio_bps: u64,
    /// Whether its crisis is closed with it: from then on only late money raises the ratio.
    closes_crisis: bool,
    losses: Losses,
    decimals: u8,
}

/// An event that a transaction may report.
fn find_event<E: Event + AnchorDeserialize + Discriminator>(logs: &[String]) -> Option<E> {
    transaction::events(logs).into_iter().next()
}

pub fn fund(args: &FundArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let case = Case::read(cluster, args.product.0)?;
    let incident = require_incident(&case, cluster.now()?)?;
    let product = &case.product;
    context.carry_out(&[ix::fund_incident(&product.keys, incident.crisis)], |receipt| {
        let grown = find_event::<IncidentGrown>(&receipt.logs).map(|grown| grown.growth);
        let closing = find_event::<CrisisClosed>(&receipt.logs).map(|closed| closed.closing);
        let giving = find_event::<IncidentFunded>(&receipt.logs).map_or(Giving::default(), |funded| funded.giving);
        let severity_bps = grown.map_or(incident.severity_bps, |growth| growth.severity_bps);
        let gross = grown.map_or(incident.gross, |growth| growth.gross);
        let is_final = grown.map_or(incident.state == IncidentState::Final, |growth| growth.is_final);
        let reserve = incident.reserve.saturating_add(giving.amount);
        let ratio = (u128::from(reserve) * 10_000).checked_div(gross.into());
        let ratio_bps = ratio.and_then(|ratio| u64::try_from(ratio).ok()).unwrap_or(10_000);
        // Closing a crisis is when its loss falls on the layers as a whole.
        let fell: LossByLayer = closing.map_or(giving.losses, |closing| closing.losses);
        let losses = Losses::from(&fell);
        let mut rows = vec![
            ("severity", format!("{} of each sum insured", percent(severity_bps.into()))),
            ("due", asset(product, gross)),
            ("set aside", format!("{}, {} in all", asset(product, giving.amount), asset(product, reserve))),
            ("treaties paid", asset(product, giving.recovered)),
            ("it falls", losses.text(product.pool.decimals)),
            ("claims are paid", percent(ratio_bps)),
        ];
        if giving.bucket > 0 {
            rows.insert(4, ("its crisis had", asset(product, giving.bucket)));
        }
        let mut warnings = Vec::new();
        if ratio_bps < 10_000 {
            warnings.push(
                match (closing.is_some() || case.crisis.as_ref().is_some_and(|crisis| crisis.closed), is_final) {
                    (true, _) => "The pool cannot pay all that is due: more comes only if treaties pay late.".into(),
                    (false, true) => {
                        "The part can still rise: until its crisis is closed capital is held for what else may be due."
                            .into()
                    }
                    (false, false) => "The part can still rise, and so can what is due: the fall may go on.".into(),
                },
            );
        }
        if fell.junior_over || fell.senior_over {
            warnings.push("A tranche is wiped out by it: its shares are worth nothing any more.".into());
        }
        let preview = Preview { title: format!("Fund the incident of {}", product.state.name()), rows, warnings };
        let details = Funded {
            incident: product.keys.incident().to_string(),
            severity_bps,
            is_final,
            gross,
            given: giving.amount,
            recovered: giving.recovered,
            bucket: giving.bucket,
            reserve,
            ratio_bps,
            closes_crisis: closing.is_some(),
            losses,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    })
}

pub fn settle(args: &SettleArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    context.act(&Settle::new(cluster, args.cover.open(cluster)?, context.party()?).map_err(plain)?)
}

#[derive(Serialize)]
struct Closed {
    incident: String,
    to_surplus: u64,
    decimals: u8,
}

pub fn close(args: &CloseArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let case = Case::read(cluster, args.product.0)?;
    let incident = require_incident(&case, cluster.now()?)?;
    let product = &case.product;
    let crisis = case.crisis.as_ref().map(|crisis| (crisis.number, crisis.rent_payer));
    context.carry_out(&[ix::close_incident(&product.keys, incident.rent_payer, crisis)], |receipt| {
        let closed = event::<IncidentClosed>(receipt)?;
        let to_surplus = closed.reserve.saturating_add(closed.refunds).saturating_add(closed.bucket);
        let preview = Preview {
            title: format!("Close the incident of {}", product.state.name()),
            rows: vec![
                ("to the surplus", asset(product, to_surplus)),
                ("rent goes to", incident.rent_payer.to_string()),
            ],
            warnings: match incident.sums_left > 0 || incident.premiums_left > 0 {
                true => vec!["Covers that were not settled are never paid after this.".into()],
                false => Vec::new(),
            },
        };
        let details =
            Closed { incident: product.keys.incident().to_string(), to_surplus, decimals: product.pool.decimals };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct Extended {
    incident: String,
    deadline: i64,
}

pub fn extend(args: &ExtendArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let case = Case::read(cluster, args.product.0)?;
    let incident = require_incident(&case, cluster.now()?)?;
    let product = &case.product;
    let crisis = (incident.crisis != 0).then_some(incident.crisis);
    context.carry_out(&[ix::extend_deadline(&product.keys, crisis)], |receipt| {
        let extended = event::<DeadlineExtended>(receipt)?;
        let preview = Preview {
            title: format!("Move the deadline of the incident of {}", product.state.name()),
            rows: vec![("deadline", format!("{} -> {}", moment(incident.deadline), moment(extended.deadline)))],
            warnings: Vec::new(),
        };
        Ok((preview, Extended { incident: product.keys.incident().to_string(), deadline: extended.deadline }))
    })
}
