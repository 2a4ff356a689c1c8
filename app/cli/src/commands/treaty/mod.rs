//! `backstop treaty`: reinsurance between pools.

mod act;
mod cede;
mod create;
mod show;

use crate::commands::context::Context;
use clap::Subcommand;

/// The commands on treaties.
#[derive(Debug, Subcommand)]
pub enum TreatyCommand {
    Create(Box<create::CreateArgs>),
    Accept(act::AcceptArgs),
    List(show::ListArgs),
    Show(show::ShowArgs),
    Premium(act::PremiumArgs),
    Commute(act::CommuteArgs),
    End(act::EndArgs),
    /// Move surplus of a cover pool up to a reinsurance pool: announce, wait out the notice, execute.
    #[command(subcommand, after_help = "Example:\n  backstop treaty cede announce --cedant POOL --reinsurer POOL 1000")]
    Cede(cede::CedeCommand),
}

impl TreatyCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Create(args) => create::run(&args, context),
            Self::Accept(args) => act::accept(&args, context),
            Self::List(args) => show::list(&args, context),
            Self::Show(args) => show::show(&args, context),
            Self::Premium(args) => act::premium(&args, context),
            Self::Commute(args) => act::commute(&args, context),
            Self::End(args) => act::end(&args, context),
            Self::Cede(command) => command.run(context),
        }
    }
}
