//! `backstop position list` and `backstop position show`.

use super::PositionArg;
use crate::commands::args::{ProductArg, asset_text};
use crate::commands::context::Context;
use crate::commands::cover::{paid_text, payout_text};
use crate::output::{amount, card, listing, moment, table};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::border::text::date_text;
use backstop_client::Cluster;
use backstop_client::view;
use backstop_client::view::cover::Standing;
use backstop_client::view::report::{self, PositionReport};
use clap::Args;

/// List positions: those of a wallet or a program's address, or all of a product.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position list\n  backstop position list --product PRODUCT --output json")]
pub struct ListArgs {
    /// Those that this address owns; without --product the signer's.
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Pubkey>,
    /// Those of a product: its address, or MINT/POOL/PRODUCT.
    #[arg(long)]
    product: Option<ProductArg>,
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let product = args.product.map(|product| product.0);
    let owner = match (args.owner, product) {
        (None, None) => Some(context.wallet()?),
        (owner, _) => owner,
    };
    let rows = report::positions(cluster, owner, product, cluster.now()?)?;
    context.options.output.print(&rows, |rows| {
        if rows.is_empty() {
            return "No positions.".into();
        }
        let mut table = table(&["position", "pays if", "sum insured", "ends", "state", "paid"], &[2, 5]);
        for row in rows {
            table.add_row([
                row.position.clone(),
                row.product_name.clone(),
                format!("{} {}", amount(row.sum_insured, row.decimals), row.label),
                date_text(backstop::state::day_of(row.end)),
                row.state.to_owned(),
                amount(row.paid, row.decimals),
            ]);
        }
        listing(&table)
    })
}

/// Show a position: what it pays, to whom, until when, and where its event stands.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position show POSITION")]
pub struct ShowArgs {
    /// The position.
    position: PositionArg,
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let (open, now) = (args.position.open(cluster)?, cluster.now()?);
    let found = PositionReport::read(cluster, &open, now)?;
    let (shown, market, standing, due) = (found.report, found.market, found.standing, found.due);
    context.options.output.print(&shown, |shown| {
        let row = &shown.row;
        let asset = |units| asset_text(&market.pool, units);
        let mut rows = vec![
            ("address", row.position.clone()),
            ("owner", format!("{}, number {}", row.owner, row.nonce)),
            ("pays to", row.beneficiary.clone()),
            ("state", format!("{}: {}", row.state, standing.meaning())),
            ("sum insured", asset(row.sum_insured)),
            ("premium", format!("{}, paid on {}", asset(row.premium), moment(row.bought_at))),
            ("protects", format!("{} to {}", moment(row.active_from), moment(row.end))),
            ("product", row.product.clone()),
            ("pool", format!("{} {}", row.pool, row.label)),
            ("pays if", view::product::condition_of(&market.trigger)),
            ("pays", view::product::payment_of(&market.trigger, &market.product.terms)),
        ];
        if let Some(due) = due.filter(|_| standing != Standing::Ended) {
            let is_paid = standing == Standing::Paid;
            let told = if is_paid { paid_text(&due, &asset) } else { payout_text(&due, &asset) };
            rows.push((if is_paid { "paid" } else { "would pay" }, told));
        }
        if let Some(refund) = shown.refund {
            rows.push(("cancelling", format!("pays {} back now", asset(refund))));
        }
        if let Some(from) = shown.closable_from {
            rows.push(("can be closed", format!("from {}", moment(from))));
        }
        if row.reference.bytes().any(|digit| digit != b'0') {
            rows.push(("reference", row.reference.clone()));
        }
        card(&row.product_name, &rows)
    })
}
