//! `backstop pool`: capital, from both sides.

mod contribute;
mod create;
mod deposit;
mod exit;
mod health;
mod open_series;
mod show;

use crate::commands::context::Context;
use clap::Subcommand;

/// The commands on pools.
#[derive(Debug, Subcommand)]
pub enum PoolCommand {
    Create(create::CreateArgs),
    List(show::ListArgs),
    Show(show::ShowArgs),
    Health(health::HealthArgs),
    Deposit(deposit::DepositArgs),
    Contribute(contribute::ContributeArgs),
    OpenSeries(open_series::OpenSeriesArgs),
    /// Leave a pool: request, wait out the cooldown, claim.
    #[command(subcommand, after_help = "Example:\n  backstop pool exit request POOL --tranche senior --all")]
    Exit(exit::ExitCommand),
}

impl PoolCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Create(args) => create::run(&args, context),
            Self::List(args) => show::list(&args, context),
            Self::Show(args) => show::show(&args, context),
            Self::Health(args) => health::run(&args, context),
            Self::Deposit(args) => deposit::run(&args, context),
            Self::Contribute(args) => contribute::run(&args, context),
            Self::OpenSeries(args) => open_series::run(&args, context),
            Self::Exit(command) => command.run(context),
        }
    }
}
