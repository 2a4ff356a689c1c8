//! `backstop position`: policies without an NFT, that pay a token account.

mod buy;
mod show;

use crate::commands::args::{Amount, count};
use crate::commands::context::{Context, hinted, plain};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::Cluster;
use backstop_client::account::AccountError;
use backstop_client::act::{
    PositionClose, PositionExtension, PositionGiveBack, PositionRedirect, PositionReduction, PositionSettle,
    PositionToNft, Split,
};
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
    Extend(ExtendArgs),
    Reduce(ReduceArgs),
    ToNft(ToNftArgs),
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
            Self::Extend(args) => {
                let cluster = context.cluster()?;
                let open = args.position.open(cluster)?;
                let decimals = open.product.pool.decimals;
                let most = args.max_premium.map(|most| most.units(decimals)).transpose()?;
                let extension = PositionExtension::new(cluster, open, context.wallet()?, args.days, most, args.from);
                context.act(&extension.map_err(plain)?)
            }
            Self::Reduce(args) => {
                let cluster = context.cluster()?;
                let open = args.position.open(cluster)?;
                let left = args.sum.units(open.product.pool.decimals)?;
                context.act(&PositionReduction::new(cluster, open, left, context.party()?).map_err(plain)?)
            }
            Self::ToNft(args) => {
                let cluster = context.cluster()?;
                let open = args.position.open(cluster)?;
                let party = context.party()?;
                let receiver = args.receiver.unwrap_or(party.wallet);
                context.act(&PositionToNft::new(cluster, open, receiver, party).map_err(plain)?)
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

/// Buy more days of a position that is in force, from its end on. Its owner signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position extend POSITION --days 30 --max-premium 4.50")]
pub struct ExtendArgs {
    /// The position.
    position: PositionArg,
    /// Whole days beyond its end.
    #[arg(long, value_parser = count::<u16>)]
    days: u16,
    /// Most to pay; without it one percent more than now.
    #[arg(long, value_name = "AMOUNT")]
    max_premium: Option<Amount>,
    /// Pay from this token account of the wallet, not from its associated one.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    from: Option<Pubkey>,
}

/// Give a part of a position back for the unearned premium of that part less a fee. Its owner signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position reduce POSITION 400")]
pub struct ReduceArgs {
    /// The position.
    position: PositionArg,
    /// The sum that stays insured, in the pool's asset.
    sum: Amount,
}

/// Make a position into a cover: the same policy, for whoever holds an NFT. Its owner signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop position to-nft POSITION --receiver WALLET")]
pub struct ToNftArgs {
    /// The position.
    position: PositionArg,
    /// Who gets the NFT, if not the signer.
    #[arg(long, value_name = "WALLET")]
    receiver: Option<Pubkey>,
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
