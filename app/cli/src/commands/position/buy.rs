//! `backstop position buy`.

use crate::commands::context::{Context, plain};
use crate::commands::cover::OrderArgs;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::constants::MAX_REFERENCE;
use backstop_client::act::PositionPurchase;
use backstop_client::units;
use clap::Args;

const EXAMPLE: &str = "\
Example:
  backstop position buy EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0/0 1000 --days 30
  backstop position buy PRODUCT 1000 --days 30 --beneficiary TOKEN_ACCOUNT --nonce 7 --max-premium 4.50";

/// Buy a position: a policy without an NFT, that pays a token account. The wallet owns it; `cover quote` tells its price.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct BuyArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// The token account that it pays, if not the wallet's own.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    beneficiary: Option<Pubkey>,
    /// The wallet's number for it; without one the lowest that is free.
    #[arg(long, value_name = "NUMBER", value_parser = units::count::<u64>)]
    nonce: Option<u64>,
    /// What the owner knows it by: 32 bytes in hexadecimal, at which the program does not look.
    #[arg(long, value_name = "HEX", value_parser = reference)]
    reference: Option<[u8; MAX_REFERENCE]>,
}

/// 32 bytes in hexadecimal.
fn reference(text: &str) -> Result<[u8; MAX_REFERENCE], String> {
    let bytes = units::hex_bytes(text.strip_prefix("0x").unwrap_or(text)).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("{} is not 64 hexadecimal digits", backstop_client::redact::shown(text)))
}

pub fn run(args: &BuyArgs, context: &Context) -> Result<()> {
    let (cluster, order) = (context.cluster()?, args.order.order(context)?);
    let (payer, reference) = (context.payer()?, args.reference.unwrap_or_default());
    let purchase = PositionPurchase::new(cluster, order, payer, args.beneficiary, args.nonce, reference);
    context.act(&purchase.map_err(plain)?)
}
