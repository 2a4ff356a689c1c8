//! `backstop pool contribute`.

use crate::commands::args::{Amount, PoolArg, Source, asset_text};
use crate::commands::context::{Context, Preview, plain};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::instruction as ix;
use clap::Args;
use serde::Serialize;

/// Give to a pool's surplus, which absorbs losses first. It does not come back.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool contribute EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0 5000")]
pub struct ContributeArgs {
    /// The pool: its address, or MINT/NUMBER.
    pool: PoolArg,
    /// How much of the pool's asset.
    amount: Amount,
    /// Pay from this token account of the wallet, not from its associated one.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    from: Option<Pubkey>,
}

#[derive(Serialize)]
struct Details {
    pool: String,
    amount: u64,
    surplus_before: u64,
    surplus_after: u64,
    decimals: u8,
}

pub fn run(args: &ContributeArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let pool = args.pool.open(cluster)?;
    let (keys, giver) = (&pool.keys, context.wallet()?);
    let amount = args.amount.units(pool.decimals)?;
    let source = Source::of(keys, &giver, pool.decimals, args.from);
    source.require(cluster, amount).map_err(plain)?;
    context.carry_out(&[source.take(ix::contribute_surplus(keys, giver, amount, pool.state.seen()))], |_| {
        let surplus_before = pool.state.surplus;
        let surplus_after = surplus_before.saturating_add(amount);
        let preview = Preview {
            title: format!("Give {} to the pool's surplus", asset_text(&pool.state, amount)),
            rows: vec![
                ("pool", keys.pool.to_string()),
                ("surplus", asset_text(&pool.state, surplus_before)),
                ("surplus then", asset_text(&pool.state, surplus_after)),
            ],
            warnings: vec!["A gift: no shares are issued for it, and it does not come back.".into()],
        };
        let pool_address = keys.pool.to_string();
        Ok((preview, Details { pool: pool_address, amount, surplus_before, surplus_after, decimals: pool.decimals }))
    })
}
