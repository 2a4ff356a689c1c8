//! What the command line can do: a file for each command, its arguments and its display.

pub mod args;
pub mod context;
pub mod demo;
#[cfg(feature = "localnet")]
pub mod localnet;
pub mod pool;
pub mod replay;
mod signer;

use clap::Subcommand;
use context::Context;

/// What a command was to check does not hold: the command itself did its work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckFailed(pub String);

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(demo::DemoArgs),
    #[cfg(feature = "localnet")]
    Localnet(localnet::LocalnetArgs),
    /// Pools of capital: look, deposit, leave.
    #[command(subcommand, after_help = "Example:\n  backstop pool list")]
    Pool(pool::PoolCommand),
    /// Conditions on oracle prices, and the evidence shown for them.
    #[command(subcommand, after_help = "Example:\n  backstop trigger replay --help")]
    Trigger(TriggerCommand),
}

/// The commands on triggers.
#[derive(Debug, Subcommand)]
pub enum TriggerCommand {
    Replay(replay::ReplayArgs),
}

impl Command {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> anyhow::Result<()> {
        let output = context.options.output;
        match self {
            Self::Demo(args) => demo::run(&args, output),
            #[cfg(feature = "localnet")]
            Self::Localnet(args) => localnet::run(&args, output),
            Self::Pool(command) => command.run(context),
            Self::Trigger(TriggerCommand::Replay(args)) => replay::run(&args, output),
        }
    }
}
