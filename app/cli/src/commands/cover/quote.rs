//! `backstop cover quote`.

use crate::commands::args::{Amount, ProductArg, count};
use crate::commands::context::Context;
use crate::output::{card, paragraph};
use anyhow::Result;
use backstop::state::CoverRequest;
use backstop_client::Cluster;
use backstop_client::act::{Quoted, ask};
use backstop_client::quote::Market;
use backstop_client::view;
use clap::Args;

/// What a cover would cost now, and what it would and would not pay for. Needs no wallet.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  backstop cover quote EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0/0 1000 --days 30"
)]
pub struct QuoteArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
    /// Sum insured, in the pool's asset.
    sum: Amount,
    /// Whole days of protection.
    #[arg(long, value_parser = count::<u16>)]
    days: u16,
}

pub fn run(args: &QuoteArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = args.product.open(cluster)?;
    let request = CoverRequest { sum_insured: args.sum.units(open.pool.decimals)?, term_days: args.days };
    let market = Market::fetch(cluster, &open.keys)?;
    let quote = ask(&market, request, cluster.now()?)?;
    let quoted = Quoted::new(&open.keys, &market, args.days, &quote);
    context.options.output.print(&quoted, |quoted| {
        let mut text = card(&quoted.product_name, &quoted.rows(&market));
        text.push('\n');
        for sentence in view::product::not_covered_of(&market.trigger, &market.product.terms) {
            text.push_str(&paragraph(&sentence));
        }
        text
    })
}
