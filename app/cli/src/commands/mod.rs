//! What the command line can do: a file for each command, its arguments and its display.

pub mod args;
pub mod attest;
pub mod audit;
mod companion;
pub mod completion;
pub mod context;
pub mod cover;
pub mod crank;
pub mod demo;
mod explorer;
pub mod feed;
pub mod handover;
pub mod incident;
pub mod init;
pub mod lien;
pub mod localnet;
pub mod metadata;
pub mod migrate;
pub mod page;
pub mod pool;
pub mod position;
pub mod product;
pub mod program;
pub mod protocol;
pub mod send;
mod signer;
pub mod treaty;
pub mod trigger;
pub mod wallet;

use clap::Subcommand;
use context::{Context, misused};

/// What a command was to check does not hold: the command itself did its work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckFailed(pub String);

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Address(wallet::AddressArgs),
    Audit(audit::AuditArgs),
    /// Values that named keys report: sign, put together, show.
    #[command(subcommand, after_help = "Example:\n  backstop attest show SET")]
    Attest(attest::AttestCommand),
    Balance(wallet::BalanceArgs),
    Completion(completion::CompletionArgs),
    /// Settings, and where they come from.
    #[command(subcommand, after_help = "Example:\n  backstop config get")]
    Config(wallet::ConfigCommand),
    /// Policies: price, purchase, payout.
    #[command(subcommand, after_help = "Example:\n  backstop cover quote PRODUCT 1000 --days 30")]
    Cover(cover::CoverCommand),
    /// What anyone may do, done as soon as it is due.
    #[command(subcommand, after_help = "Example:\n  backstop crank run --once")]
    Crank(crank::CrankCommand),
    Demo(demo::DemoArgs),
    /// Feeds of reports.
    #[command(subcommand, after_help = "Example:\n  backstop feed define rain-nairobi.md")]
    Feed(feed::FeedCommand),
    Index(page::IndexArgs),
    Init(init::InitArgs),
    /// Liens: who is paid first by a cover or position.
    #[command(subcommand, after_help = "Example:\n  backstop lien set POLICY PAYEE 5000")]
    Lien(lien::LienCommand),
    Localnet(localnet::LocalnetArgs),
    /// The files that wallets show of covers and shares.
    #[command(
        subcommand,
        after_help = "Example:\n  backstop metadata build --plan migrations --base https://meta.example.org --out files"
    )]
    Metadata(metadata::MetadataCommand),
    Migrate(migrate::MigrateArgs),
    /// Pools of capital: look, deposit, leave.
    #[command(subcommand, after_help = "Example:\n  backstop pool list")]
    Pool(pool::PoolCommand),
    /// Policies without an NFT, that pay a token account: for programs, and for who needs no NFT.
    #[command(subcommand, after_help = "Example:\n  backstop position list")]
    Position(position::PositionCommand),
    /// Insured risks: condition, price, limits.
    #[command(subcommand, after_help = "Example:\n  backstop product list")]
    Product(product::ProductCommand),
    /// The deployed program.
    #[command(subcommand, after_help = "Example:\n  backstop program verify")]
    Program(program::ProgramCommand),
    /// Roles, and the pause.
    #[command(subcommand, after_help = "Example:\n  backstop protocol show")]
    Protocol(protocol::ProtocolCommand),
    Send(send::SendArgs),
    Serve(page::ServeArgs),
    /// Conditions on oracle prices, and the evidence shown for them.
    #[command(subcommand, after_help = "Example:\n  backstop trigger show PRODUCT")]
    Trigger(trigger::TriggerCommand),
    /// What triggers set off: from the event to the payouts.
    #[command(subcommand, after_help = "Example:\n  backstop incident list")]
    Incident(incident::IncidentCommand),
    /// Reinsurance between pools.
    #[command(subcommand, after_help = "Example:\n  backstop treaty list")]
    Treaty(treaty::TreatyCommand),
}

impl Command {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> anyhow::Result<()> {
        let output = context.options.output;
        match self {
            Self::Address(args) => wallet::address(&args, context),
            Self::Balance(args) => wallet::balance(&args, context),
            Self::Config(command) => command.run(context),
            Self::Attest(command) => command.run(context),
            Self::Feed(command) => command.run(context),
            Self::Audit(args) => audit::run(&args, context),
            Self::Completion(args) => completion::run(&args),
            Self::Cover(command) => command.run(context),
            Self::Crank(command) => command.run(context),
            Self::Demo(args) => demo::run(&args, output),
            Self::Index(args) => page::index(&args, context),
            Self::Init(args) => init::run(&args, context),
            Self::Lien(command) => command.run(context),
            Self::Metadata(command) => command.run(context),
            Self::Migrate(args) => migrate::run(&args, context),
            Self::Localnet(_) if context.options.dry_run => Err(misused(
                "localnet has no dry run: it starts a cluster, or acts on one of this machine",
                "leave --dry-run out",
            )),
            Self::Localnet(args) => localnet::run(&args, output),
            Self::Pool(command) => command.run(context),
            Self::Position(command) => command.run(context),
            Self::Product(command) => command.run(context),
            Self::Program(command) => command.run(context),
            Self::Protocol(command) => command.run(context),
            Self::Send(args) => send::run(&args, context),
            Self::Serve(args) => page::serve(&args, context),
            Self::Trigger(command) => command.run(context),
            Self::Incident(command) => command.run(context),
            Self::Treaty(command) => command.run(context),
        }
    }
}
