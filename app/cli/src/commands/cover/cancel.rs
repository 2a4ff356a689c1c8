//! `backstop cover cancel`.

use super::{CoverArg, require_holder};
use crate::commands::args::asset_text;
use crate::commands::context::{Context, Preview, event};
use crate::output::moment;
use anyhow::Result;
use backstop::events::CoverCancelled;
use backstop_client::instruction as ix;
use backstop_client::view::OpenCover;
use clap::Args;
use serde::Serialize;

/// Give a cover back for its unearned premium less a fee. The holder of the NFT signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover cancel COVER")]
pub struct CancelArgs {
    /// The cover, or its NFT's mint.
    cover: CoverArg,
}

#[derive(Serialize)]
struct Details {
    cover: String,
    mint: String,
    holder: String,
    sum_insured: u64,
    refund: u64,
    fee: u64,
    decimals: u8,
}

pub fn run(args: &CancelArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let OpenCover { address, state: cover, product } = args.cover.open(cluster)?;
    let (keys, holder) = (product.keys, context.wallet()?);
    require_holder(cluster, &cover.mint, &holder)?;
    let mut instructions = context.create_if_missing(&holder, &keys.pool.asset_mint, &keys.pool.asset_token_program)?;
    instructions.push(ix::cancel_cover(&keys, holder, cover.mint, cover.rent_payer));
    instructions.push(ix::close_nft_account(&holder, &cover.mint));
    context.carry_out(&instructions, |receipt| {
        let cancelled: CoverCancelled = event(receipt)?;
        let asset = |units| asset_text(&product.pool.state, units);
        let preview = Preview {
            title: format!("Give back {} of cover: {}", asset(cover.sum_insured), product.state.name()),
            rows: vec![
                ("cover", address.to_string()),
                ("protects until", moment(cover.end())),
                ("refund", format!("{} of a premium of {}", asset(cancelled.refund), asset(cover.premium))),
                ("cancel fee", format!("{}, to the pool's surplus", asset(cancelled.fee))),
                ("rent", format!("back to {}, that of the NFT's account to the holder", cover.rent_payer)),
            ],
            warnings: vec!["Nothing is insured by it afterwards; its NFT is burnt.".into()],
        };
        let details = Details {
            cover: address.to_string(),
            mint: cover.mint.to_string(),
            holder: holder.to_string(),
            sum_insured: cover.sum_insured,
            refund: cancelled.refund,
            fee: cancelled.fee,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    })
}
