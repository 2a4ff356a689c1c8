//! The steps from a trigger to its covers' payouts, by hand. Anyone may take them; `backstop crank run` takes all.

use super::require_incident;
use super::show::Losses;
use crate::commands::args::{OpenProduct, ProductArg, asset_text};
use crate::commands::context::{Context, Preview, event, hinted};
use crate::commands::cover::CoverArg;
use crate::output::{moment, percent};
use anyhow::{Result, anyhow};
use backstop::events::{CoverSettled, IncidentClosed, IncidentFunded, IncidentOpened, TreatyCalled, TreatySkipped};
use backstop::state::Treaty;
use backstop_client::instruction::{self as ix, TreatyKeys};
use backstop_client::view::Case;
use backstop_client::view::{OpenCover, holder_of};
use backstop_client::{Cluster, account};
use clap::Args;
use serde::Serialize;

/// Open the incident of a trigger that is final. Anyone may.
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
    /// Skip it: two days after the opening, if it cannot be called. What it owes can be collected later.
    #[arg(long)]
    skip: bool,
}

/// Set aside what an incident's covers are paid. Anyone may, once its treaties are called and its round is due.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident fund PRODUCT")]
pub struct FundArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

/// Pay a cover to the wallet that holds its NFT. Anyone may, once the incident is funded.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop incident settle COVER")]
pub struct SettleArgs {
    /// The cover, or the mint of its NFT.
    cover: CoverArg,
}

/// Move what is left of an incident to the pool's surplus. Anyone may, once all covers are settled or after 180 days.
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
    decimals: u8,
    /// Whether nothing is due, so that it is over at once.
    is_closed: bool,
}

pub fn open(args: &OpenArgs, context: &Context) -> Result<()> {
    let product = args.product.find(context.cluster()?)?;
    let instruction = ix::open_incident(&product.keys, context.payer()?);
    context.carry_out(&[instruction], |receipt| {
        let opened = event::<IncidentOpened>(receipt)?;
        let is_closed = opened.gross == 0;
        let preview = Preview {
            title: format!("Open the incident of {}", product.state.name()),
            rows: vec![
                ("incident", opened.incident.to_string()),
                ("event", moment(opened.event_at)),
                ("severity", format!("{} of each sum insured", percent(opened.severity_bps.into()))),
                ("due", asset(&product, opened.gross)),
            ],
            warnings: vec![match is_closed {
                true => "Nothing is due: the incident is over at once, and the product with it.".into(),
                false => "The product is over: it never sells again.".into(),
            }],
        };
        let details = Opened {
            incident: opened.incident.to_string(),
            product: product.keys.product.to_string(),
            event_at: opened.event_at,
            severity_bps: opened.severity_bps,
            gross: opened.gross,
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
    skipped: bool,
    owed: u64,
    /// What arrives in the incident's reserve.
    received: u64,
    reinstatement_premium: u64,
    restored: u64,
    decimals: u8,
    /// Where the reinsurer's loss comes from.
    losses: Option<Losses>,
}

pub fn call(args: &CallArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let case = Case::read(cluster, args.product.0)?;
    let incident = require_incident(&case, cluster.now()?)?;
    let product = &case.product;
    let next = incident.treaties.get(usize::from(incident.cursor)).filter(|_| incident.cursor < incident.treaty_count);
    let next = next.ok_or_else(|| {
        let hint = format!("`backstop incident show {}` tells what is next", product.keys.product);
        hinted("all treaties of the incident are called", hint)
    })?;
    let treaty: Treaty = account::fetch(cluster, &next.treaty)?;
    let keys = TreatyKeys { cedant: product.keys.pool, reinsurer: treaty.reinsurer, treaty: next.treaty };
    let instruction = match args.skip {
        true => ix::skip_treaty(&keys, &product.keys),
        false => ix::call_treaty(&keys, &product.keys),
    };
    context.carry_out(&[instruction], |receipt| {
        let mut called = Called {
            incident: product.keys.incident().to_string(),
            treaty: keys.treaty.to_string(),
            skipped: args.skip,
            owed: 0,
            received: 0,
            reinstatement_premium: 0,
            restored: 0,
            decimals: product.pool.decimals,
            losses: None,
        };
        let mut preview = Preview {
            title: format!("{} a treaty for {}", if args.skip { "Skip" } else { "Call" }, product.state.name()),
            rows: vec![("treaty", called.treaty.clone()), ("reinsurer", keys.reinsurer.to_string())],
            warnings: Vec::new(),
        };
        if args.skip {
            called.owed = event::<TreatySkipped>(receipt)?.owed;
            preview.rows.push(("owes", asset(product, called.owed)));
            preview
                .warnings
                .push("What it owes no longer helps this incident: it can be collected into the surplus.".into());
        } else {
            let paid = event::<TreatyCalled>(receipt)?;
            let losses = Losses::from(&paid.losses);
            called.owed = paid.owed;
            called.received = paid.paid.saturating_sub(paid.reinstatement_premium);
            called.reinstatement_premium = paid.reinstatement_premium;
            called.restored = paid.restored;
            preview.rows.push(("owes", asset(product, paid.owed)));
            preview.rows.push(("pays", asset(product, called.received)));
            preview.rows.push(("of its capital", losses.text(product.pool.decimals)));
            if paid.restored > 0 {
                let premium = asset(product, paid.reinstatement_premium);
                preview.rows.push(("limit restored", format!("{} for {premium}", asset(product, paid.restored))));
            }
            if paid.paid < paid.owed {
                preview.warnings.push("The reinsurer has less than it owes: it pays what it has.".into());
            }
            called.losses = Some(losses);
        }
        Ok((preview, called))
    })
}

#[derive(Serialize)]
struct Funded {
    incident: String,
    gross: u64,
    ceded: u64,
    /// What the pool itself sets aside.
    borne: u64,
    ratio_bps: u64,
    losses: Losses,
    decimals: u8,
}

pub fn fund(args: &FundArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let case = Case::read(cluster, args.product.0)?;
    require_incident(&case, cluster.now()?)?;
    let product = &case.product;
    context.carry_out(&[ix::fund_incident(&product.keys)], |receipt| {
        let funded = event::<IncidentFunded>(receipt)?;
        let losses = Losses::from(&funded.losses);
        let reserve = u128::from(funded.ceded) + u128::from(funded.paid);
        let ratio = (reserve * 10_000).checked_div(funded.gross.into());
        let ratio_bps = ratio.and_then(|ratio| u64::try_from(ratio).ok()).unwrap_or(10_000);
        let mut preview = Preview {
            title: format!("Fund the incident of {}", product.state.name()),
            rows: vec![
                ("due", asset(product, funded.gross)),
                ("treaties paid", asset(product, funded.ceded)),
                ("the pool bears", asset(product, funded.paid)),
                ("it falls", losses.text(product.pool.decimals)),
                ("claims are paid", percent(ratio_bps)),
            ],
            warnings: Vec::new(),
        };
        if ratio_bps < 10_000 {
            preview
                .warnings
                .push("The pool cannot pay all that is due: every cover is paid the same part, for good.".into());
        }
        if funded.losses.junior_over || funded.losses.senior_over {
            preview.warnings.push("A tranche is wiped out by it: its shares are worth nothing any more.".into());
        }
        let details = Funded {
            incident: product.keys.incident().to_string(),
            gross: funded.gross,
            ceded: funded.ceded,
            borne: funded.paid,
            ratio_bps,
            losses,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct Settled {
    cover: String,
    incident: String,
    holder: String,
    destination: String,
    amount: u64,
    /// Premium that is given back.
    refund: u64,
    /// Whether the cover was not in force yet.
    waiting: bool,
    decimals: u8,
}

pub fn settle(args: &SettleArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let OpenCover { address: key, state: cover, product } = args.cover.open(cluster)?;
    let held = holder_of(cluster, &cover.mint)?;
    let (holder, nft) = held.ok_or_else(|| anyhow!("nobody holds the NFT {}: it was burnt", cover.mint))?;
    if !holder.is_on_curve() && holder != context.wallet()? {
        let sentence = format!("the cover's NFT is held by {holder}, which is a program's account");
        return Err(hinted(sentence, "only that program can settle it, with its signature"));
    }
    let keys = &product.keys;
    let mut instructions = context.create_if_missing(&holder, &keys.pool.asset_mint, &keys.pool.asset_token_program)?;
    instructions.push(ix::settle_cover_from(keys, holder, nft, cover.mint));
    context.carry_out(&instructions, |receipt| {
        let settled = event::<CoverSettled>(receipt)?;
        let destination = keys.pool.assets_of(&holder).to_string();
        let preview = Preview {
            title: format!("Pay {} to {holder}", asset(&product, settled.amount.saturating_add(settled.refund))),
            rows: vec![
                ("cover", key.to_string()),
                ("insured", asset(&product, cover.sum_insured)),
                (
                    "why",
                    match settled.waiting {
                        true => "not in force at the event: the premium that it had not earned goes back".into(),
                        false => "in force at the event".into(),
                    },
                ),
                ("premium back", asset(&product, settled.refund)),
                ("to", destination.clone()),
            ],
            warnings: Vec::new(),
        };
        let details = Settled {
            cover: key.to_string(),
            incident: settled.incident.to_string(),
            holder: holder.to_string(),
            destination,
            amount: settled.amount,
            refund: settled.refund,
            waiting: settled.waiting,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    })
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
    context.carry_out(&[ix::close_incident(&product.keys, incident.rent_payer)], |receipt| {
        let closed = event::<IncidentClosed>(receipt)?;
        let to_surplus = closed.reserve.saturating_add(closed.refunds);
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
