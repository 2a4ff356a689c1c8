//! `backstop cover split` and `backstop cover check`.

use super::CoverArg;
use crate::commands::args::{Amount, UtcDay};
use crate::commands::context::{Context, plain};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::act::{Check, Split};
use backstop_client::view::OpenPolicy;
use clap::Args;

/// Make a part of a cover a cover of its own, with an NFT of its own. The holder of the NFT signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover split COVER 500 --to WALLET")]
pub struct SplitArgs {
    /// The cover, or its NFT's mint.
    cover: CoverArg,
    /// What the new cover insures, of the pool's asset.
    sum_insured: Amount,
    /// Who gets the new NFT; without it the signer.
    #[arg(long, value_name = "WALLET")]
    to: Option<Pubkey>,
    /// Your number for the new cover; without it the lowest that is free today.
    #[arg(long, value_name = "NUMBER")]
    nonce: Option<u64>,
}

pub fn run(args: &SplitArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = OpenPolicy::of_cover(cluster, args.cover.open(cluster)?)?;
    let sum = args.sum_insured.units(open.product.pool.decimals)?;
    context.act(&Split::new(cluster, open, context.party()?, sum, args.to, args.nonce).map_err(plain)?)
}

/// Assert that a cover or position is unpaid and live insurance of a sum: a transaction that fails once it is not. Put it
/// before a purchase, in the same transaction: with --print-tx its instruction is printed.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover check COVER --sum 1000 --until 2026-12-31 --dry-run")]
pub struct CheckArgs {
    /// The cover, its NFT's mint, or a position.
    policy: Pubkey,
    /// What it insures at least; without it what it insures now.
    #[arg(long)]
    sum: Option<Amount>,
    /// First UTC day on which it may be over; without it the one on which it is.
    #[arg(long, value_name = "DAY")]
    until: Option<UtcDay>,
    /// A lien may be on it.
    #[arg(long)]
    encumbered: bool,
}

pub fn check(args: &CheckArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = OpenPolicy::find(cluster, args.policy)?;
    let sum = match args.sum {
        Some(sum) => sum.units(open.product.pool.decimals)?,
        None => open.policy.sum_insured,
    };
    let until = args.until.map_or(open.policy.end_day, |day| day.0);
    context.act(&Check::new(open, sum, until, !args.encumbered))
}
