//! `backstop cover`: policies, from the price to the payout.

mod batch;
mod buy;
mod cancel;
mod close;
mod order;
mod quote;
mod show;
mod split;

pub(in crate::commands) use order::OrderArgs;
pub(in crate::commands) use show::{paid_text, payout_text};

use crate::commands::context::{Context, hinted};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::Cluster;
use backstop_client::account::AccountError;
use backstop_client::view::OpenCover;
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
    Split(split::SplitArgs),
    Check(split::CheckArgs),
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
            Self::Split(args) => split::run(&args, context),
            Self::Check(args) => split::check(&args, context),
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
