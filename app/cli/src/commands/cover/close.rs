//! `backstop cover close`.

use super::CoverArg;
use crate::commands::context::{Context, plain};
use anyhow::Result;
use backstop_client::act::Close;
use clap::Args;

/// Close a cover that is paid or over: burn the NFT, return the rent. The holder signs; once the NFT is burnt, anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover close COVER")]
pub struct CloseArgs {
    /// The cover, or its NFT's mint.
    cover: CoverArg,
}

pub fn run(args: &CloseArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    context.act(&Close::new(cluster, args.cover.open(cluster)?, context.wallet()?).map_err(plain)?)
}
