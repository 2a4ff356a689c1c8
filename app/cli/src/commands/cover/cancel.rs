//! `backstop cover cancel`.

use super::CoverArg;
use crate::commands::context::{Context, plain};
use anyhow::Result;
use backstop_client::act::GiveBack;
use clap::Args;

/// Give a cover back for its unearned premium less a fee. The holder of the NFT signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover cancel COVER")]
pub struct CancelArgs {
    /// The cover, or its NFT's mint.
    cover: CoverArg,
}

pub fn run(args: &CancelArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    context.act(&GiveBack::new(cluster, args.cover.open(cluster)?, context.party()?).map_err(plain)?)
}
