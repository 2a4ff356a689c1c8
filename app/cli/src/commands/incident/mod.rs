//! `backstop incident`: what a trigger set off, and how far its covers are paid.

mod act;
mod case;
mod show;

use case::require_incident;

use crate::commands::context::Context;
use clap::Subcommand;

/// The commands on incidents.
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    List(show::ListArgs),
    Show(show::ShowArgs),
    Open(act::OpenArgs),
    Call(act::CallArgs),
    Fund(act::FundArgs),
    Settle(act::SettleArgs),
    Extend(act::ExtendArgs),
    Close(act::CloseArgs),
}

impl IncidentCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::List(args) => show::list(&args, context),
            Self::Show(args) => show::show(&args, context),
            Self::Open(args) => act::open(&args, context),
            Self::Call(args) => act::call(&args, context),
            Self::Fund(args) => act::fund(&args, context),
            Self::Settle(args) => act::settle(&args, context),
            Self::Extend(args) => act::extend(&args, context),
            Self::Close(args) => act::close(&args, context),
        }
    }
}
