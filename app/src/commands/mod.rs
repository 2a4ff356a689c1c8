//! What the command line can do: a file for each command, its arguments and its display.

pub mod demo;
pub mod replay;

use crate::output::Output;
use clap::Subcommand;

/// What a command was to check does not hold: the command itself did its work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckFailed(pub String);

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(demo::DemoArgs),
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
    pub fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Demo(args) => demo::run(&args, output),
            Self::Trigger(TriggerCommand::Replay(args)) => replay::run(&args, output),
        }
    }
}
