//! `backstop cover`: policies, from the price to the payout.

mod batch;
mod buy;
mod cancel;
mod close;
mod quote;
mod show;

use crate::commands::context::{Context, hinted, refused_with};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::error::BackstopError;
use backstop_client::account::AccountError;
use backstop_client::view::{OpenCover, holder_of};
use backstop_client::{Cluster, address};
use clap::Subcommand;
use std::str::FromStr;

/// The commands on covers.
#[derive(Debug, Subcommand)]
pub enum CoverCommand {
    Quote(quote::QuoteArgs),
    Buy(buy::BuyArgs),
    List(show::ListArgs),
    Show(show::ShowArgs),
    Cancel(cancel::CancelArgs),
    Close(close::CloseArgs),
}

impl CoverCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Quote(args) => quote::run(&args, context),
            Self::Buy(args) => buy::run(&args, context),
            Self::List(args) => show::list(&args, context),
            Self::Show(args) => show::show(&args, context),
            Self::Cancel(args) => cancel::run(&args, context),
            Self::Close(args) => close::run(&args, context),
        }
    }
}

/// A cover by its own address or by that of its NFT's mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverArg(Pubkey);

impl FromStr for CoverArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!("{} is not the address of a cover or of its NFT", backstop_client::redact::shown(text))
        })
    }
}

impl CoverArg {
    /// Reads the cover, its product and its pool.
    pub fn open(self, cluster: &dyn Cluster) -> Result<OpenCover> {
        OpenCover::find(cluster, self.0).map_err(|why| match why {
            // A mint whose cover was closed, or something else that is no cover.
            AccountError::Other { what: "cover", address } => {
                hinted(format!("there is no cover at {address}"), "give the address of a cover, or of its NFT's mint")
            }
            other => other.into(),
        })
    }
}

/// Refuses unless the wallet holds the cover's NFT in its associated token account.
fn require_holder(cluster: &dyn Cluster, mint: &Pubkey, wallet: &Pubkey) -> Result<()> {
    let own = address::associated_token(wallet, mint, &anchor_spl::token_2022::ID);
    match holder_of(cluster, mint)? {
        Some((_, nft)) if nft == own => Ok(()),
        Some((holder, nft)) if holder == *wallet => Err(hinted(
            format!("the wallet holds the NFT in {nft}, not in its associated token account"),
            format!("move it to {own} first"),
        )),
        Some((holder, _)) => {
            Err(refused_with(BackstopError::NotHolder, format!("{holder} holds it: sign with that wallet")))
        }
        None => Err(hinted(
            format!("the NFT {mint} is burnt: nobody holds the cover"),
            "`backstop cover close` returns its rent",
        )),
    }
}
