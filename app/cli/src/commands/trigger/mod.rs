//! `backstop trigger`: conditions on oracle prices, and the evidence shown for them.

mod act;
mod draw;
mod replay;
mod show;

use crate::commands::context::Context;
use clap::Subcommand;

/// The commands on triggers.
#[derive(Debug, Subcommand)]
pub enum TriggerCommand {
    Show(show::ShowArgs),
    Observe(act::ObserveArgs),
    Refresh(act::RefreshArgs),
    Confirm(act::ConfirmArgs),
    Resolve(act::ResolveArgs),
    Replay(replay::ReplayArgs),
}

impl TriggerCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Show(args) => show::run(&args, context),
            Self::Observe(args) => act::observe(&args, context),
            Self::Refresh(args) => act::refresh(&args, context),
            Self::Confirm(args) => act::confirm(&args, context),
            Self::Resolve(args) => act::resolve(&args, context),
            Self::Replay(args) => replay::run(&args, context.options.output),
        }
    }
}
