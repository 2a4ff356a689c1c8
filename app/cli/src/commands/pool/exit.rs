//! `backstop pool exit`: leave a pool.

use super::deposit::{cooldown, label};
use crate::commands::args::{Amount, OpenPool, PoolArg, Source, TrancheArg, asset_text, bps};
use crate::commands::context::{Context, Preview, event, hinted, misused, refused};
use crate::output::{self, QUIET, exact_amount, listing, moment, paint, paragraph, share_price, table, tidy_amount};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{Discriminator, Space};
use anyhow::Result;
use backstop::RequestExitArgs;
use backstop::events::{ExitCancelled, ExitClaimed, ExitRequested};
use backstop::state::{ExitEpoch, ExitTicket, Tranche, day_start};
use backstop_client::{Cluster, account, address, instruction as ix};
use clap::{Args, Subcommand};
use serde::Serialize;

/// Where the owner stands in a ticket, after the discriminator.
const OWNER_OFFSET: usize = 32;

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
    fn part(&self, pool: &OpenPool, tranche: Tranche, held: u64, now: i64) -> Result<u64> {
        if let Some(shares) = self.shares {
            return shares.units(pool.share_decimals);
        }
        if let Some(percent) = self.percent {
            if percent == 0 || percent > 10_000 {
                return Err(misused(
                    "--percent takes more than 0 and at most 100 percent",
                    "--all leaves with everything",
                ));
            }
            return Ok((u128::from(held) * u128::from(percent) / 10_000) as u64);
        }
        let Some(amount) = self.amount else { return Ok(held) };
        let amount = amount.units(pool.decimals)?;
        let mut books = pool.state.clone();
        books.accrue(now).map_err(|why| refused(backstop_client::quote::refusal(why)))?;
        let book = books.tranche(tranche);
        let worth = book.worth_of_shares(held).unwrap_or_default();
        if amount > worth {
            let [amount, worth] = [amount, worth].map(|units| asset_text(&pool.state, units));
            let sentence =
                format!("this needs shares worth {amount}, and those that the wallet holds are worth {worth}");
            return Err(hinted(sentence, "give --all to leave with all of them"));
        }
        // Rounded up, so that they are worth no less; what is asked for is worth no more than what is held.
        let shares = (u128::from(amount) * u128::from(book.shares)).div_ceil(u128::from(book.assets.max(1)));
        Ok(u64::try_from(shares).unwrap_or(u64::MAX).min(held))
    }
}

#[derive(Serialize)]
struct Requested {
    pool: String,
    ticket: String,
    tranche: &'static str,
    shares: u64,
    value: u64,
    decimals: u8,
    share_decimals: u8,
    epoch_day: u32,
    claimable_from: i64,
    rent_lamports: u64,
}

fn request(args: &RequestArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let pool = args.pool.open(cluster)?;
    let (keys, decimals, share_decimals) = (&pool.keys, pool.decimals, pool.share_decimals);
    let (owner, payer) = (context.wallet()?, context.payer()?);
    let tranche = Tranche::from(args.tranche);
    let (mint, token_program) = (keys.share_mint(tranche), anchor_spl::token_2022::ID);
    let source = Source {
        owner: &owner,
        mint: &mint,
        token_program: &token_program,
        decimals: share_decimals,
        named: args.from,
    };
    let held = source.held(cluster)?;
    if held == 0 {
        let name = TrancheArg::name_of(tranche);
        return Err(hinted(
            format!("the wallet holds no {name} shares of this pool"),
            source.hint(cluster, 1)?.unwrap_or_else(|| "`backstop pool show --wallet` tells what it holds".into()),
        ));
    }
    let shares = args.part(&pool, tranche, held, cluster.now()?)?;
    if shares > held {
        let amounts = [shares, held].map(|shares| tidy_amount(shares, share_decimals));
        return Err(hinted(
            format!("this needs {} shares, and the wallet holds {}", amounts[0], amounts[1]),
            "give --all to leave with all of them",
        ));
    }
    let tickets = account::list::<ExitTicket>(cluster, Some((OWNER_OFFSET, owner)))?;
    let nonce = tickets.iter().map(|(_, ticket)| ticket.nonce + 1).max().unwrap_or_default();
    // What is signed elsewhere is sent later: it names the day after, with which it is good today and tomorrow.
    let later = u32::from(context.options.handover.prints());
    let now = cluster.now()?;
    let epoch_day = pool.state.exit_day(now).saturating_add(later);
    let ask = RequestExitArgs { nonce, tranche, shares, epoch_day };
    let instruction = source.take(ix::request_exit(keys, owner, payer, ask));
    let mut rent_lamports = cluster.rent(ExitTicket::DISCRIMINATOR.len() + ExitTicket::INIT_SPACE)?;
    if account::find::<ExitEpoch>(cluster, &address::exit_epoch(&keys.pool, epoch_day))?.is_none() {
        let epoch = cluster.rent(ExitEpoch::DISCRIMINATOR.len() + ExitEpoch::INIT_SPACE)?;
        rent_lamports = rent_lamports.saturating_add(epoch);
    }
    context.carry_out(&[instruction], |receipt| {
        let event = event::<ExitRequested>(receipt)?;
        let book = pool.state.tranche(tranche);
        let claimable_from = day_start(epoch_day + 1);
        let name = label(&pool.state.label);
        let preview = Preview {
            title: format!(
                "Leave with {} {} shares",
                tidy_amount(shares, share_decimals),
                TrancheArg::name_of(tranche)
            ),
            rows: vec![
                ("pool", keys.pool.to_string()),
                ("value now", format!("{} {name}", tidy_amount(event.value, decimals))),
                ("share price", share_price(book.assets, book.shares)),
                (
                    "cooldown",
                    match pool.state.has_run_off(now) {
                        true => "none: the pool has run off".into(),
                        false => cooldown(pool.state.terms.cooldown_seconds, ""),
                    },
                ),
                ("paid from", format!("{}, as capital is free", moment(claimable_from))),
                ("ticket", event.ticket.to_string()),
                ("rent", format!("{} SOL, back when ticket and day are closed", exact_amount(rent_lamports, 9))),
            ],
            warnings: vec!["Until it is paid the ticket bears losses with its tranche and earns nothing.".into()],
        };
        let details = Requested {
            pool: keys.pool.to_string(),
            ticket: event.ticket.to_string(),
            tranche: TrancheArg::name_of(tranche),
            shares,
            value: event.value,
            decimals,
            share_decimals,
            epoch_day,
            claimable_from,
            rent_lamports,
        };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct TicketRow {
    ticket: String,
    pool: String,
    label: String,
    tranche: &'static str,
    epoch_day: u32,
    claimable_from: i64,
    open: u64,
    claimable: u64,
    claimed: u64,
    decimals: u8,
}

/// What a ticket holds: open value and what can be claimed, by the program's own books.
fn state_of(pool: &OpenPool, ticket: &ExitTicket, epoch: Option<ExitEpoch>) -> (u64, u64) {
    let Some(mut epoch) = epoch else { return (0, 0) };
    let claimable = epoch.claim(&mut ticket.clone()).unwrap_or_default();
    let open_units = epoch.remove_ticket(ticket).unwrap_or_default();
    let current = pool.state.tranche(ticket.tranche).series == ticket.series;
    let open = pool.state.tranche(ticket.tranche).worth_of_units(open_units).unwrap_or_default();
    (if current { open } else { 0 }, claimable)
}

fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let owner = args.owner.map_or_else(|| context.wallet(), Ok)?;
    let mut rows = Vec::new();
    for (key, ticket) in account::list::<ExitTicket>(cluster, Some((OWNER_OFFSET, owner)))? {
        let pool = OpenPool::read(cluster, ticket.pool)?;
        let epoch = account::find(cluster, &address::exit_epoch(&ticket.pool, ticket.epoch_day))?;
        let (open, claimable) = state_of(&pool, &ticket, epoch);
        rows.push(TicketRow {
            ticket: key.to_string(),
            pool: ticket.pool.to_string(),
            label: label(&pool.state.label),
            tranche: TrancheArg::name_of(ticket.tranche),
            epoch_day: ticket.epoch_day,
            claimable_from: day_start(ticket.epoch_day + 1),
            open,
            claimable,
            claimed: ticket.claimed,
            decimals: pool.decimals,
        });
    }
    rows.sort_by(|left, right| (left.epoch_day, &left.ticket).cmp(&(right.epoch_day, &right.ticket)));
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

#[derive(Serialize)]
struct Cancelled {
    ticket: String,
    value: u64,
    shares: u64,
    decimals: u8,
    share_decimals: u8,
}

fn cancel(args: &CancelArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let ticket: ExitTicket = account::fetch(cluster, &args.ticket)?;
    let pool = OpenPool::read(cluster, ticket.pool)?;
    let mint = pool.keys.share_mint(ticket.tranche);
    let mut instructions = context.create_if_missing(&ticket.owner, &mint, &anchor_spl::token_2022::ID)?;
    instructions.extend(missing_assets(context, &pool, &ticket)?);
    instructions.push(ix::cancel_exit(&pool.keys, &ticket));
    context.carry_out(&instructions, |receipt| {
        let event = event::<ExitCancelled>(receipt)?;
        let amount = |units| tidy_amount(units, pool.decimals);
        let preview = Preview {
            title: format!("Stay in the {} tranche with {}", TrancheArg::name_of(ticket.tranche), amount(event.value)),
            rows: vec![
                ("pool", ticket.pool.to_string()),
                ("shares", tidy_amount(event.shares, pool.share_decimals)),
                ("ticket", args.ticket.to_string()),
            ],
            warnings: Vec::new(),
        };
        let details = Cancelled {
            ticket: args.ticket.to_string(),
            value: event.value,
            shares: event.shares,
            decimals: pool.decimals,
            share_decimals: pool.share_decimals,
        };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct Claimed {
    ticket: String,
    owner: String,
    amount: u64,
    closed: bool,
    decimals: u8,
}

fn claim(args: &ClaimArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let ticket: ExitTicket = account::fetch(cluster, &args.ticket)?;
    let pool = OpenPool::read(cluster, ticket.pool)?;
    let mut instructions = missing_assets(context, &pool, &ticket)?;
    instructions.push(ix::claim_exit(&pool.keys, &ticket));
    context.carry_out(&instructions, |receipt| {
        let event = event::<ExitClaimed>(receipt)?;
        let preview = Preview {
            title: format!("Take {} {}", tidy_amount(event.amount, pool.decimals), label(&pool.state.label)),
            rows: vec![
                ("to", pool.keys.assets_of(&ticket.owner).to_string()),
                ("owner", ticket.owner.to_string()),
                ("ticket", if event.closed { "closed, its rent goes back".into() } else { "stays open".to_owned() }),
            ],
            warnings: Vec::new(),
        };
        let details = Claimed {
            ticket: args.ticket.to_string(),
            owner: ticket.owner.to_string(),
            amount: event.amount,
            closed: event.closed,
            decimals: pool.decimals,
        };
        Ok((preview, details))
    })
}

/// What creates the owner's account of the pool's asset, if it is missing.
fn missing_assets(context: &Context, pool: &OpenPool, ticket: &ExitTicket) -> Result<Vec<Instruction>> {
    context.create_if_missing(&ticket.owner, &pool.keys.asset_mint, &pool.keys.asset_token_program)
}
