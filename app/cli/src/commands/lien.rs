//! `backstop lien`: who is paid first by a cover or position.

use crate::commands::args::{Amount, asset_text};
use crate::commands::context::{Context, hinted, plain};
use crate::output::card;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::act::{LienDetails, LienLifting, LienLowering, LienSetting, LienSettling};
use backstop_client::view::OpenPolicy;
use clap::{Args, Subcommand};
use std::str::FromStr;

/// The commands on liens.
#[derive(Debug, Subcommand)]
pub enum LienCommand {
    Set(SetArgs),
    Show(ShowArgs),
    Lower(LowerArgs),
    Lift(LiftArgs),
    Settle(SettleArgs),
}

impl LienCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        let cluster = context.cluster()?;
        match self {
            Self::Set(args) => {
                let open = OpenPolicy::find(cluster, args.policy)?;
                let limit = args.limit.units(open.product.pool.decimals)?;
                let party = context.party()?;
                context.act(&LienSetting::new(cluster, open, party, args.payee, limit).map_err(plain)?)
            }
            Self::Show(args) => show(OpenPolicy::find(cluster, args.policy)?, context),
            Self::Lower(args) => {
                let open = OpenPolicy::find(cluster, args.policy)?;
                let decimals = open.product.pool.decimals;
                let limit = args.limit.map(|limit| limit.units(decimals)).transpose()?;
                context.act(&LienLowering::new(open, context.wallet()?, limit, args.payee).map_err(plain)?)
            }
            Self::Lift(args) => {
                let open = OpenPolicy::find(cluster, args.policy)?;
                context.act(&LienLifting::new(open, context.wallet()?).map_err(plain)?)
            }
            Self::Settle(args) => {
                context.act(&LienSettling::new(OpenPolicy::find(cluster, args.policy)?).map_err(plain)?)
            }
        }
    }
}

/// What is paid first at most: an amount, or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So much.
    Amount(Amount),
    /// All that the policy pays for its loss.
    All,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::Amount) }
    }
}

impl Limit {
    fn units(self, decimals: u8) -> Result<u64> {
        match self {
            Self::Amount(amount) => amount.units(decimals),
            Self::All => Ok(u64::MAX),
        }
    }
}

/// Have a cover or position pay somebody first, up to a limit. Whoever has the policy signs.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  backstop lien set POLICY TOKEN_ACCOUNT 5000\n  backstop lien set POLICY TOKEN_ACCOUNT all"
)]
pub struct SetArgs {
    /// The cover, its NFT's mint, or the position.
    policy: Pubkey,
    /// The payee: a token account of the pool's asset; its owner now is who lowers and lifts the lien.
    payee: Pubkey,
    /// What the payee is paid at most, or `all`.
    limit: Limit,
}

/// Show the lien on a cover or position.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop lien show POLICY")]
pub struct ShowArgs {
    /// The cover, its NFT's mint, or the position.
    policy: Pubkey,
}

/// Lower a lien, or have it pay another account. Whoever it pays signs.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  backstop lien lower POLICY 2500\n  backstop lien lower POLICY --payee TOKEN_ACCOUNT"
)]
pub struct LowerArgs {
    /// The cover, its NFT's mint, or the position.
    policy: Pubkey,
    /// What the payee is paid at most from now on; without it what it is.
    limit: Option<Limit>,
    /// The token account that is paid from now on: its owner has the lien then.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    payee: Option<Pubkey>,
}

/// Lift a lien. Whoever it pays signs; anyone may once nothing is left of it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop lien lift POLICY")]
pub struct LiftArgs {
    /// The cover, its NFT's mint, or the position.
    policy: Pubkey,
}

/// Pay the payee of a lien what is there for it. Anybody may; `crank run` does it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop lien settle POLICY")]
pub struct SettleArgs {
    /// The cover, its NFT's mint, or the position.
    policy: Pubkey,
}

fn show(open: OpenPolicy, context: &Context) -> Result<()> {
    let Some(lien) = &open.lien else {
        return Err(hinted(format!("there is no lien on {}", open.address), "`backstop lien set` puts one on it"));
    };
    context.options.output.print(&LienDetails::of(&open, lien), |shown| {
        let asset = |units| asset_text(&open.product.pool.state, units);
        let all = lien.limit_left >= open.policy.sum_insured;
        card(
            "Lien",
            &[
                ("policy", shown.policy.clone()),
                ("lien", shown.lien.clone()),
                ("pays first", if all { "all of its loss".into() } else { asset(lien.limit_left) }),
                ("to", shown.payee.clone()),
                ("whose", shown.payee_owner.clone()),
                ("paid so far", asset(lien.paid)),
                (
                    "in force",
                    if open.policy.has_lien { "yes" } else { "no: it outlived another policy, and anyone may lift it" }
                        .into(),
                ),
            ],
        )
    })
}
