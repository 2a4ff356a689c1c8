//! `backstop cover list` and `backstop cover show`.

use super::CoverArg;
use crate::commands::args::{PoolArg, ProductArg, asset_text};
use crate::commands::context::Context;
use crate::output::{amount, card, listing, moment, percent, table};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::border::text::date_text;
use backstop::state::{Claim, Cover};
use backstop_client::view;
use backstop_client::view::cover::{Basis, Payout, Standing};
use backstop_client::view::report::{self, CoverReport, CoverRow};
use backstop_client::{Cluster, account};
use clap::Args;

/// List covers: those that a wallet holds, or all of a product or pool.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover list\n  backstop cover list --product PRODUCT --output json")]
pub struct ListArgs {
    /// Those whose NFT this wallet holds; without --product and --pool the signer's.
    #[arg(long, value_name = "WALLET")]
    owner: Option<Pubkey>,
    /// Those that this wallet bought, whoever holds them now.
    #[arg(long, value_name = "WALLET", conflicts_with = "owner")]
    buyer: Option<Pubkey>,
    /// Those of a product: its address, or MINT/POOL/PRODUCT.
    #[arg(long)]
    product: Option<ProductArg>,
    /// Those of a pool: its address, or MINT/NUMBER.
    #[arg(long)]
    pool: Option<PoolArg>,
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let all = args.owner.is_none() && (args.product.is_some() || args.pool.is_some() || args.buyer.is_some());
    let mut covers = match (all, args.product) {
        // A cover names its product first, after the discriminator.
        (true, product) => account::list::<Cover>(cluster, product.map(|product| (0, product.0)))?,
        (false, _) => report::held_by(cluster, &args.owner.map_or_else(|| context.wallet(), Ok)?)?,
    };
    if let Some(buyer) = &args.buyer {
        covers = report::bought_by(covers, buyer);
    }
    let (product, pool) = (args.product.map(|product| product.0), args.pool.map(|pool| pool.0));
    let rows = report::covers(cluster, &covers, product, pool, now)?;
    context.options.output.print(&rows, |rows| {
        if rows.is_empty() {
            return "No covers.".into();
        }
        let mut table = table(&["cover", "pays if", "sum insured", "ends", "state"], &[2]);
        for row in rows {
            table.add_row([
                row.cover.clone(),
                row.product_name.clone(),
                format!("{} {}", amount(row.sum_insured, row.decimals), row.label),
                date_text(backstop::state::day_of(row.end)),
                state_text(row),
            ]);
        }
        listing(&table)
    })
}

/// A cover's state, and what it was paid.
fn state_text(row: &CoverRow) -> String {
    let asset = |units| format!("{} {}", amount(units, row.decimals), row.label);
    match (row.paid, row.paid_at_most) {
        (Some(paid), _) => format!("{} {}", row.state, asset(paid)),
        (None, Some(most)) => format!("{}, at most {}", row.state, asset(most)),
        (None, None) => row.state.to_owned(),
    }
}

/// Show a cover: what it pays, until when, who holds it, and where its event stands.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover show COVER")]
pub struct ShowArgs {
    /// The cover, or its NFT's mint.
    cover: CoverArg,
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let (open, now) = (args.cover.open(cluster)?, cluster.now()?);
    let found = CoverReport::read(cluster, &open, now)?;
    let (shown, market, standing, due) = (found.report, found.market, found.standing, found.due);
    let (cover, is_paid) = (&open.state, standing == Standing::Paid);
    context.options.output.print(&shown, |shown| {
        let row = &shown.row;
        let asset = |units| asset_text(&market.pool, units);
        let mut rows = vec![
            ("address", row.cover.clone()),
            ("NFT", row.mint.clone()),
            ("holder", shown.holder.clone().unwrap_or_else(|| "nobody: the NFT is burnt".into())),
            ("state", format!("{}: {}", row.state, standing.meaning())),
            ("sum insured", asset(row.sum_insured)),
            ("premium", format!("{}, paid on {}", asset(row.premium), moment(row.bought_at))),
            ("protects", format!("{} to {}", moment(row.active_from), moment(row.end))),
            ("product", row.product.clone()),
            ("pool", format!("{} {}", row.pool, row.label)),
            ("pays if", view::product::condition_of(&market.trigger)),
            ("pays", view::product::payment_of(&market.trigger, &market.product.terms)),
            ("trigger", shown.phase.to_owned()),
        ];
        if let Some(incident) = shown.incident {
            rows.push(("incident", incident.to_owned()));
        }
        if let Some(due) = due.filter(|_| standing != Standing::Ended) {
            let told = if is_paid { paid_text(&due, &asset) } else { payout_text(&due, &asset) };
            rows.push((if is_paid { "paid" } else { "would pay" }, told));
        }
        match shown.refund {
            Some(refund) => rows.push(("cancelling", format!("pays {} back now", asset(refund)))),
            None if standing == Standing::Waiting || standing == Standing::InForce => {
                let why = match cover.require_kept_overnight(now) {
                    Ok(()) => "not now: the trigger is not quiet",
                    Err(_) => "from the day after its purchase on (UTC)",
                };
                rows.push(("cancelling", why.into()));
            }
            None => {}
        }
        if let Some(from) = shown.closable_from {
            rows.push(("can be closed", format!("from {}", moment(from))));
        }
        rows.push(("wording", shown.uri.clone()));
        rows.push(("its sha256", shown.wording_sha256.clone()));
        card(&row.product_name, &rows)
    })
}

pub(in crate::commands) fn payout_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    let severity = percent(due.severity_bps.into());
    match (due.basis, due.claim) {
        (Basis::LastPrice, None) => return "nothing at the last price".into(),
        (_, None) => return format!("nothing: it had ended when the event began on {}", moment(due.event_at)),
        (_, Some(Claim::Refund)) => return refund_text(due, asset),
        (_, Some(Claim::Loss)) => {}
    }
    let premium = premium_text(due, asset);
    let basis = match due.basis {
        Basis::Funded | Basis::Incident => {
            let (now, before, all) = (asset(due.amount), asset(due.paid), asset(due.in_full));
            return format!("{now} now, after {before}: of {all}, {severity} of the sum insured{premium}");
        }
        Basis::Evidence => "by the evidence shown, if the pool can pay everything",
        Basis::LastPrice => "if the mean of an event that begins now were the last price",
    };
    format!("{}: {severity} of the sum insured, {basis}{premium}", asset(due.amount))
}

/// What a cover that was still waiting gets: its own premium, whatever the pool has.
fn refund_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    format!("{}: the premium that it had not earned, as it was still waiting", asset(due.refund))
}

/// What of its premium a cover gets back beside its claim.
fn premium_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    if due.refund == 0 { String::new() } else { format!("; and {} of its premium", asset(due.refund)) }
}

/// What a cover was paid: for its loss it keeps that itself.
pub(in crate::commands) fn paid_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    match due.claim {
        Some(Claim::Refund) if matches!(due.basis, Basis::Funded | Basis::Incident) => refund_text(due, asset),
        Some(Claim::Refund) => format!("at most {}", refund_text(due, asset)),
        _ => {
            let (severity, premium) = (percent(due.severity_bps.into()), premium_text(due, asset));
            let (paid, all) = (asset(due.paid), asset(due.in_full));
            format!("{paid} of {all}, {severity} of the sum insured{premium}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_is_told_with_its_reason() {
        let asset = |units: u64| format!("{units} USDC");
        let due = |basis, claim, amount| Payout {
            basis,
            event_at: 0,
            severity_bps: 2_690,
            claim,
            amount,
            paid: 100,
            in_full: 400,
            refund: 4,
        };
        let text = payout_text(&due(Basis::Evidence, Some(Claim::Loss), 269), &asset);
        assert_eq!(
            text,
            "269 USDC: 26.90 % of the sum insured, by the evidence shown, if the pool can pay everything; and 4 USDC of its \
             premium"
        );
        let text = payout_text(&due(Basis::Incident, Some(Claim::Loss), 269), &asset);
        assert_eq!(
            text,
            "269 USDC now, after 100 USDC: of 400 USDC, 26.90 % of the sum insured; and 4 USDC of its premium"
        );
        let text = paid_text(&due(Basis::Evidence, Some(Claim::Loss), 0), &asset);
        assert_eq!(text, "100 USDC of 400 USDC, 26.90 % of the sum insured; and 4 USDC of its premium");
        assert!(payout_text(&due(Basis::Funded, Some(Claim::Refund), 4), &asset).contains("the premium"));
        assert!(paid_text(&due(Basis::Evidence, Some(Claim::Refund), 0), &asset).starts_with("at most 4 USDC"));
        assert_eq!(payout_text(&due(Basis::LastPrice, None, 0), &asset), "nothing at the last price");
        assert!(payout_text(&due(Basis::Incident, None, 0), &asset).contains("had ended"));
    }
}
