//! `backstop cover close`.

use super::{CoverArg, require_holder};
use crate::commands::context::{Context, Preview, refused_with};
use crate::output::{exact_amount, moment};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::error::BackstopError;
use backstop_client::cluster::ClusterError;
use backstop_client::quote::Market;
use backstop_client::view::OpenCover;
use backstop_client::view::cover::Standing;
use backstop_client::{Cluster, address, instruction as ix};
use clap::Args;
use serde::Serialize;

/// Close a cover that is paid or over: burn the NFT, return the rent. The holder signs; once the NFT is burnt, anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover close COVER")]
pub struct CloseArgs {
    /// The cover, or its NFT's mint.
    cover: CoverArg,
}

#[derive(Serialize)]
struct Details {
    cover: String,
    mint: String,
    rent_payer: String,
    rent_lamports: u64,
    holder: Option<String>,
    holder_lamports: u64,
}

pub fn run(args: &CloseArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let OpenCover { address, state: cover, product } = args.cover.open(cluster)?;
    let (keys, now, market) = (product.keys, cluster.now()?, Market::fetch(cluster, &product.keys)?);
    let settled = |standing| matches!(standing, Standing::Paid | Standing::Ended);
    let mut instructions = Vec::new();
    let books = market.up_to_date(now);
    if !settled(Standing::of(&cover, &market.product, &market.trigger, now)) {
        let standing = Standing::of(&cover, &books.product, &market.trigger, now);
        if !settled(standing) {
            return Err(still_live(standing, market.product.release_time(cover.end_day)));
        }
        // Its exposure can be released, and nobody has done it yet.
        instructions.push(ix::sync_product(&keys));
    }
    let burnt = supply(cluster, &cover.mint)? == 0;
    let holder = if burnt { None } else { Some(context.wallet()?) };
    if let Some(holder) = &holder {
        require_holder(cluster, &cover.mint, holder)?;
    }
    instructions.push(ix::close_cover(&keys, holder, cover.mint, cover.rent_payer));
    let nft = holder.map(|holder| address::associated_token(&holder, &cover.mint, &anchor_spl::token_2022::ID));
    instructions.extend(holder.map(|holder| ix::close_nft_account(&holder, &cover.mint)));
    let rent_lamports = lamports(cluster, &[address, cover.mint])?;
    let holder_lamports = lamports(cluster, nft.as_slice())?;

    context.carry_out(&instructions, |_| {
        let sol = |lamports| format!("{} SOL", exact_amount(lamports, 9));
        let mut preview = Preview {
            title: format!("Close a cover: {}", product.state.name()),
            rows: vec![
                ("cover", address.to_string()),
                ("rent", format!("{} to {}", sol(rent_lamports), cover.rent_payer)),
            ],
            warnings: Vec::new(),
        };
        if let Some(holder) = holder {
            preview.rows.push(("rent of the NFT", format!("{} to {holder}", sol(holder_lamports))));
            preview.warnings.push("The NFT is burnt.".into());
        }
        let details = Details {
            cover: address.to_string(),
            mint: cover.mint.to_string(),
            rent_payer: cover.rent_payer.to_string(),
            rent_lamports,
            holder: holder.map(|holder| holder.to_string()),
            holder_lamports,
        };
        Ok((preview, details))
    })
}

/// Why a cover cannot be closed yet, and when it can.
fn still_live(standing: Standing, release_time: i64) -> anyhow::Error {
    let hint = match standing {
        Standing::Claim => "it is closed after it was paid: `backstop crank run --once` settles it".into(),
        Standing::Waiting | Standing::InForce => {
            format!("it can be closed from {}, and cancelled before its end", moment(release_time))
        }
        _ => format!("it can be closed from {}, unless an event before its end is proven", moment(release_time)),
    };
    refused_with(BackstopError::CoverStillLive, hint)
}

/// Units of a mint that exist; none if it does not.
fn supply(cluster: &dyn Cluster, mint: &Pubkey) -> Result<u64, ClusterError> {
    // The supply stands after the mint authority, in both token programs.
    let supply = cluster.account(mint)?.and_then(|account| account.data.get(36..44)?.try_into().ok());
    Ok(supply.map_or(0, u64::from_le_bytes))
}

/// Lamports in accounts.
fn lamports(cluster: &dyn Cluster, addresses: &[Pubkey]) -> Result<u64, ClusterError> {
    Ok(cluster.accounts(addresses)?.iter().flatten().map(|account| account.lamports).sum())
}
