//! `backstop position`: policies without an NFT, that pay a token account.

mod buy;
mod show;

use crate::commands::args::Amount;
use crate::commands::context::{Context, hinted, plain};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::Cluster;
use backstop_client::account::AccountError;
use backstop_client::act::{PositionClose, PositionGiveBack, PositionRedirect, PositionSettle, Split};
use backstop_client::view::{OpenPolicy, OpenPosition};
use clap::{Args, Subcommand};
use std::str::FromStr;

/// The commands on positions.
#[derive(Debug, Subcommand)]
pub enum PositionCommand {
    Buy(buy::BuyArgs),
    List(show::ListArgs),
    Show(show::ShowArgs),
    Redirect(RedirectArgs),
    Cancel(CancelArgs),
    Settle(SettleArgs),
    Close(CloseArgs),
    Split(SplitArgs),
}

impl PositionCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Buy(args) => buy::run(&args, context),
            Self::List(args) => show::list(&args, context),
            Self::Show(args) => show::show(&args, context),
            Self::Redirect(args) => {
                let open = args.position.open(context.cluster()?)?;
                let redirect = PositionRedirect::new(open, context.wallet()?, args.beneficiary).map_err(plain)?;
                context.act(&redirect)
            }
            Self::Cancel(args) => {
                let cluster = context.cluster()?;
                let open = args.position.open(cluster)?;
                context.act(&PositionGiveBack::new(cluster, open, context.party()?).map_err(plain)?)
            }
            Self::Settle(args) => context.act(&PositionSettle::new(args.position.open(context.cluster()?)?)),
            Self::Close(args) => {
                let cluster = context.cluster()?;
                let open = args.position.open(cluster)?;
                context.act(&PositionClose::new(cluster, open, context.wallet()?).map_err(plain)?)
            }
            Self::Split(args) => {
                let cluster = context.cluster()?;
                let open = OpenPolicy::of_position(cluster, args.position.open(cluster)?)?;
                let sum = args.sum_insured.units(open.product.pool.decimals)?;
                context.act(&Split::new(cluster, open, context.party()?, sum, None, args.nonce).map_err(plain)?)
            }
        }
    }
}

/// A position by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionArg(Pubkey);

impl FromStr for PositionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("{} is not the address of a position", backstop_client::redact::shown(text));
        text.parse().map(Self).map_err(wrong)
    }
}

impl PositionArg {
    /// Reads the position, its product and its pool.
    fn open(self, cluster: &dyn Cluster) -> Result<OpenPosition> {
        OpenPosition::read(cluster, self.0).map_err(|why| match why {
            AccountError::Missing { what: "position", address } | AccountError::Other { what: "position", address } => {
                hinted(format!("there is no position at {address}"), "`backstop position list` tells a wallet's")
            }
            other => other.into(),
        })
    }
}

/// Name another token account that a position pays from now on. Its owner signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position redirect POSITION TOKEN_ACCOUNT")]
pub struct RedirectArgs {
    /// The position.
    position: PositionArg,
    /// A token account of the pool's asset; whose it is now, it must stay.
    beneficiary: Pubkey,
}

/// Give a position back for its unearned premium less a fee. Its owner signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position cancel POSITION")]
pub struct CancelArgs {
    /// The position.
    position: PositionArg,
}

/// Pay what a position is due now, to its beneficiary. Anybody may; `crank run` does it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position settle POSITION")]
pub struct SettleArgs {
    /// The position.
    position: PositionArg,
}

/// Close a position that is paid or over, for its rent. Its owner signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position close POSITION")]
pub struct CloseArgs {
    /// The position.
    position: PositionArg,
}

/// Make a part of a position a position of its own. Its owner signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position split POSITION 500")]
pub struct SplitArgs {
    /// The position.
    position: PositionArg,
    /// What the new position insures, of the pool's asset.
    sum_insured: Amount,
    /// Your number for the new one; without it the lowest that is free.
    #[arg(long, value_name = "NUMBER")]
    nonce: Option<u64>,
}
