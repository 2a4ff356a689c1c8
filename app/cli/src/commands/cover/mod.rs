//! `backstop cover`: policies, from the price to the payout.

mod batch;
mod buy;
mod cancel;
mod close;
mod quote;
mod show;
mod standing;

use crate::commands::args::OpenProduct;
use crate::commands::context::{Context, hinted};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::error::BackstopError;
use backstop::state::Cover;
use backstop_client::account::AccountError;
use backstop_client::explain::explain_refusal;
use backstop_client::{Cluster, account, address};
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
        text.parse().map(Self).map_err(|_| format!("`{text}` is not the address of a cover or of its NFT"))
    }
}

/// A cover that was read, with its product and pool.
pub struct OpenCover {
    /// Where it is.
    pub address: Pubkey,
    /// The cover.
    pub state: Cover,
    /// Its product, and its pool.
    pub product: OpenProduct,
}

impl CoverArg {
    /// Reads the cover, its product and its pool.
    pub fn open(self, cluster: &dyn Cluster) -> Result<OpenCover> {
        let of_mint = address::cover(&self.0);
        let (address, state): (Pubkey, Cover) = match account::find(cluster, &of_mint)? {
            Some(state) => (of_mint, state),
            None => match account::find(cluster, &self.0) {
                Ok(Some(state)) => (self.0, state),
                // A mint whose cover was closed, or something else that is no cover.
                Ok(None) => return Err(AccountError::Missing { what: "cover", address: self.0 }.into()),
                Err(AccountError::Other { address, .. }) => {
                    let hint = "give the address of a cover, or of its NFT's mint";
                    return Err(hinted(format!("there is no cover at {address}"), hint));
                }
                Err(other) => return Err(other.into()),
            },
        };
        let product = OpenProduct::read(cluster, state.product)?;
        Ok(OpenCover { address, state, product })
    }
}

/// Who holds an NFT, and in which token account. `None` once it is burnt.
pub fn holder_of(cluster: &dyn Cluster, mint: &Pubkey) -> Result<Option<(Pubkey, Pubkey)>> {
    let Some(nft) = cluster.nft_accounts(&[*mint])?.remove(0) else { return Ok(None) };
    // Both token programs keep the owner in the 32 bytes after the mint.
    let owner = cluster.account(&nft)?.and_then(|account| account.data.get(32..64)?.try_into().ok());
    Ok(owner.map(|owner| (Pubkey::new_from_array(owner), nft)))
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
            let sentence = explain_refusal(BackstopError::NotHolder).sentence;
            Err(hinted(sentence, format!("{holder} holds it: sign with that wallet")))
        }
        None => Err(hinted(
            format!("the NFT {mint} is burnt: nobody holds the cover"),
            "`backstop cover close` returns its rent",
        )),
    }
}
