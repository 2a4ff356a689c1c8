//! `backstop product`: what pools insure.

mod create;
mod manage;
mod renew;
mod show;

pub use create::DirectionArg;

use crate::commands::context::Context;
use clap::Subcommand;

/// The commands on products.
#[derive(Debug, Subcommand)]
pub enum ProductCommand {
    Create(Box<create::CreateArgs>),
    Renew(renew::RenewArgs),
    List(show::ListArgs),
    Show(show::ShowArgs),
    SetRate(manage::SetRateArgs),
    /// Stop sales for now. Governance signs; covers that were sold run on.
    #[command(after_help = "Example:\n  backstop product freeze PRODUCT")]
    Freeze(manage::StateArgs),
    /// Sell again after a freeze. Governance signs.
    #[command(after_help = "Example:\n  backstop product thaw PRODUCT")]
    Thaw(manage::StateArgs),
    /// Stop sales for good. Governance signs; covers that were sold run on.
    #[command(after_help = "Example:\n  backstop product run-off PRODUCT")]
    RunOff(manage::StateArgs),
    Sync(manage::SyncArgs),
}

impl ProductCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Create(args) => create::run(&args, context),
            Self::Renew(args) => renew::run(&args, context),
            Self::List(args) => show::list(&args, context),
            Self::Show(args) => show::show(&args, context),
            Self::SetRate(args) => manage::set_rate(&args, context),
            Self::Freeze(args) => manage::set_state(&args, manage::Change::Freeze, context),
            Self::Thaw(args) => manage::set_state(&args, manage::Change::Thaw, context),
            Self::RunOff(args) => manage::set_state(&args, manage::Change::RunOff, context),
            Self::Sync(args) => manage::sync(&args, context),
        }
    }
}
