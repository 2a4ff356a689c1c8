//! What is asked for of a purchase, of a cover or a position.

use crate::commands::args::{Amount, ProductArg, count};
use crate::commands::context::Context;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::state::CoverRequest;
use backstop_client::Cluster;
use backstop_client::act::Order;
use backstop_client::quote::Market;
use clap::Args;

/// What is wanted, for how much at the most, and where the premium comes from.
#[derive(Args, Clone, Debug)]
pub struct OrderArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
    /// Sum insured, in the pool's asset.
    sum: Amount,
    /// Whole days of protection.
    #[arg(long, value_parser = count::<u16>)]
    days: u16,
    /// Most to pay for it; without it one percent more than now.
    #[arg(long, value_name = "AMOUNT")]
    max_premium: Option<Amount>,
    /// Pay from this token account of the wallet, not from its associated one.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    from: Option<Pubkey>,
}

impl OrderArgs {
    /// The order, in the market as it is now.
    pub fn order(&self, context: &Context) -> Result<Order> {
        let cluster = context.cluster()?;
        let open = self.product.open(cluster)?;
        let (keys, decimals) = (open.keys, open.pool.decimals);
        Ok(Order {
            keys,
            market: Market::fetch(cluster, &keys)?,
            request: CoverRequest { sum_insured: self.sum.units(decimals)?, term_days: self.days },
            buyer: context.wallet()?,
            max_premium: self.max_premium.map(|most| most.units(decimals)).transpose()?,
            now: cluster.now()?,
            from: self.from,
        })
    }
}
