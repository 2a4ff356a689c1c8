//! `backstop pool exit`: leave a pool.

use crate::commands::args::{Amount, OpenPool, PoolArg, TrancheArg, bps};
use crate::commands::context::{Context, plain};
use crate::output::{self, QUIET, listing, moment, paint, paragraph, table};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::act::{Claim, Leave, LeaveAsk, Part, Stay};
use backstop_client::view::report;
use clap::{Args, Subcommand};

/// The commands on exits.
#[derive(Debug, Subcommand)]
pub enum ExitCommand {
    Request(RequestArgs),
    List(ListArgs),
    Cancel(CancelArgs),
    Claim(ClaimArgs),
}

impl ExitCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Request(args) => request(&args, context),
            Self::List(args) => list(&args, context),
            Self::Cancel(args) => cancel(&args, context),
            Self::Claim(args) => claim(&args, context),
        }
    }
}

/// Burn shares for a ticket that is paid after the cooldown.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool exit request POOL --tranche senior --all\n  \
                        backstop pool exit request POOL --tranche senior --amount 500")]
pub struct RequestArgs {
    /// The pool: its address, or MINT/NUMBER.
    pool: PoolArg,
    /// How many shares.
    #[arg(group = "part", required_unless_present_any = ["amount", "percent", "all"])]
    shares: Option<Amount>,
    /// As many shares as are worth this much of the pool's asset now.
    #[arg(long, group = "part")]
    amount: Option<Amount>,
    /// This part of the wallet's shares, such as 25%.
    #[arg(long, group = "part", value_name = "PERCENT", value_parser = bps::<u16>)]
    percent: Option<u16>,
    /// All shares of the wallet.
    #[arg(long, group = "part")]
    all: bool,
    /// Shares in this token account of the wallet, not in its associated one.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    from: Option<Pubkey>,
    /// Of which tranche.
    #[arg(long, value_enum)]
    tranche: TrancheArg,
}

/// List the exit tickets of a wallet.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool exit list")]
pub struct ListArgs {
    /// Whose; without it the signer's.
    #[arg(long, value_name = "WALLET")]
    owner: Option<Pubkey>,
}

/// Give a ticket up: what is open of it becomes shares again.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool exit cancel TICKET")]
pub struct CancelArgs {
    /// The ticket: `backstop pool exit list` shows it.
    ticket: Pubkey,
}

/// Take what a ticket has been paid. Anyone may do it for its owner.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool exit claim TICKET")]
pub struct ClaimArgs {
    /// The ticket: `backstop pool exit list` shows it.
    ticket: Pubkey,
}

impl RequestArgs {
    /// The shares that are meant.
    fn part(&self, pool: &OpenPool) -> Result<Part> {
        Ok(match (self.shares, self.percent, self.amount) {
            (Some(shares), ..) => Part::Shares(shares.units(pool.share_decimals)?),
            (_, Some(percent), _) => Part::Bps(percent),
            (.., Some(amount)) => Part::Worth(amount.units(pool.decimals)?),
            (None, None, None) => Part::All,
        })
    }
}

fn request(args: &RequestArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let pool = args.pool.open(cluster)?;
    let ask = LeaveAsk {
        tranche: args.tranche.into(),
        part: args.part(&pool)?,
        from: args.from,
        nonce: None,
        later: context.options.handover.prints(),
    };
    context.act(&Leave::new(cluster, pool, context.party()?, ask).map_err(plain)?)
}

fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let owner = args.owner.map_or_else(|| context.wallet(), Ok)?;
    let rows = report::tickets(cluster, &owner)?;
    context.options.output.print(&rows, |rows| {
        let gone = paint(paragraph(GONE_NOTE).trim_end(), QUIET);
        if rows.is_empty() {
            return format!("No exit tickets.\n\n{gone}");
        }
        let mut table = table(&["ticket", "tranche", "paid from", "open", "to claim", "claimed"], &[3, 4, 5]);
        for row in rows {
            table.add_row([
                row.ticket.clone(),
                row.tranche.to_owned(),
                moment(row.claimable_from),
                output::amount(row.open, row.decimals),
                output::amount(row.claimable, row.decimals),
                output::amount(row.claimed, row.decimals),
            ]);
        }
        format!("{}\n{gone}", listing(&table))
    })
}

/// What is not told of tickets.
const GONE_NOTE: &str = "A ticket that was paid in full is closed: the chain keeps no list of those. The payment stands in the \
                         history of the wallet's token account.";

fn cancel(args: &CancelArgs, context: &Context) -> Result<()> {
    context.act(&Stay::new(context.cluster()?, &context.payer()?, args.ticket).map_err(plain)?)
}

fn claim(args: &ClaimArgs, context: &Context) -> Result<()> {
    context.act(&Claim::new(context.cluster()?, &context.payer()?, args.ticket).map_err(plain)?)
}
