//! Burns shares for a ticket that is paid after the cooldown.

use crate::border::records::{NewAccount, read_record, require_address, write_record};
use crate::border::token;
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{ExitRequested, report};
use crate::instructions::{no_more, now};
use crate::money::{Till, check_supply};
use crate::state::{Exit, ExitEpoch, ExitTicket, Pool, Tranche, TrancheBook, day_of};
use anchor_lang::prelude::*;
use anchor_spl::token_2022::Token2022;

/// What a leaver asks for.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RequestExitArgs {
    /// The owner's number for the ticket.
    pub nonce: u64,
    /// The tranche.
    pub tranche: Tranche,
    /// Shares to burn.
    pub shares: u64,
    /// Day of the epoch: the UTC day that contains now and the cooldown, or the day after. Whoever signs today what is
    /// sent tomorrow names the day after.
    pub epoch_day: u32,
}

/// Accounts of `request_exit`.
#[derive(Accounts)]
#[instruction(args: RequestExitArgs)]
pub struct RequestExit<'info> {
    /// Whoever leaves.
    pub owner: Signer<'info>,
    /// Pays the rent of the ticket and, for the first of a day, of the epoch.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the tranche's share mint, by its address.
    #[account(mut, address = pool.load()?.share_mint(args.tranche) @ BackstopError::WrongAccount)]
    pub share_mint: UncheckedAccount<'info>,
    /// CHECK: where the shares are; the token program checks mint and authority.
    #[account(mut)]
    pub owner_shares: UncheckedAccount<'info>,
    /// CHECK: the ticket, created here; its address is derived from pool, owner and the owner's number.
    #[cfg_attr(
        feature = "idl-build",
        account(
            mut,
            seeds = [EXIT_SEED, pool.key().as_ref(), owner.key().as_ref(), &args.nonce.to_le_bytes()],
            bump
        )
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub ticket: UncheckedAccount<'info>,
    /// CHECK: the epoch of the day, created with its first ticket; its address is derived from pool and day.
    #[cfg_attr(
        feature = "idl-build",
        account(mut, seeds = [EXIT_EPOCH_SEED, pool.key().as_ref(), &args.epoch_day.to_le_bytes()], bump)
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub epoch: UncheckedAccount<'info>,
    /// The shares' token program.
    pub token_2022_program: Program<'info, Token2022>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - always open: no pause, no alert stops it;
/// - value and units are rounded down;
/// - a ticket below the pool's smallest is refused, but for as many shares as that bought at the start, and for all
///   shares there are: not for the whole of an account, as anybody can move dust to a new one;
/// - its epoch is that of the UTC day that contains `now + cooldown`, or of the day after: a request that names tomorrow's
///   epoch is good today and tomorrow;
/// - epochs are paid in the order of their days, whoever asked first;
/// - the ticket bears losses with its tranche from now on, and earns nothing but while the queue is kept past its day.
pub(crate) fn handle(ctx: Context<RequestExit>, args: RequestExitArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let now = now()?;
    let accounts = ctx.accounts;
    let RequestExitArgs { tranche, shares, epoch_day, .. } = args;
    // The token program would take one account for both.
    ensure!(accounts.owner_shares.key() != accounts.share_mint.key(), BackstopError::NotAToken);
    token::burn(&accounts.share_mint, &accounts.owner_shares, &accounts.owner, shares)?;

    let mut till = Till::open(&accounts.pool, now)?;
    till.require_exit_day(epoch_day, now)?;
    let Exit { value, units, to_surplus } = till.request_exit(tranche, shares)?;
    count_ticket(accounts, &args, &mut till, units)?;
    let TrancheBook { series, shares: issued, .. } = *till.tranche(tranche);
    let sequence = till.number_event();
    till.close()?;
    check_supply(&accounts.share_mint, issued)?;
    make_ticket(accounts, &args, series, units, day_of(now))?;
    report(&ExitRequested {
        pool: accounts.pool.key(),
        sequence,
        ticket: accounts.ticket.key(),
        owner: accounts.owner.key(),
        tranche,
        epoch_day,
        shares,
        value,
        units,
        to_surplus,
    })?;
    Ok(())
}

/// Counts the ticket into the epoch of its day, which its first ticket creates. An epoch is known by its pool and day:
/// nothing but this creates one, at their address.
#[inline(never)]
fn count_ticket(accounts: &RequestExit, args: &RequestExitArgs, pool: &mut Pool, units: u64) -> Result<()> {
    let RequestExitArgs { epoch_day: day, tranche, .. } = *args;
    let pool_key = accounts.pool.key();
    let series = pool.tranches.map(|tranche| tranche.series);
    if *accounts.epoch.owner == crate::ID {
        let mut epoch: ExitEpoch = read_record(&accounts.epoch)?;
        ensure!(epoch.pool == pool_key && epoch.day == day, BackstopError::WrongParent);
        epoch.add_ticket(tranche, series, units)?;
        return write_record(&accounts.epoch, &epoch);
    }
    let day_seed = day.to_le_bytes();
    let bump = require_address(&accounts.epoch, &[EXIT_EPOCH_SEED, pool_key.as_ref(), &day_seed])?;
    let mut epoch = ExitEpoch {
        pool: pool_key,
        rent_payer: accounts.payer.key(),
        version: ACCOUNT_VERSION,
        bump,
        series,
        day,
        tickets: 0,
        units: [0; 2],
        open_q63: ExitEpoch::ALL_OPEN,
        paid_per_unit_q64: [0; 2],
        reserve: 0,
        reserved: [0; 32],
    };
    epoch.add_ticket(tranche, series, units)?;
    pool.enqueue_epoch(day)?;
    let seeds = [EXIT_EPOCH_SEED, pool_key.as_ref(), &day_seed, &[bump]];
    NewAccount { account: &accounts.epoch, seeds: &seeds, payer: &accounts.payer }.create_with(&epoch)
}

/// Creates the ticket.
#[inline(never)]
fn make_ticket(accounts: &RequestExit, args: &RequestExitArgs, series: u8, units: u64, asked_on: u32) -> Result<()> {
    let (pool, owner) = (accounts.pool.key(), accounts.owner.key());
    let nonce = args.nonce.to_le_bytes();
    let bump = require_address(&accounts.ticket, &[EXIT_SEED, pool.as_ref(), owner.as_ref(), &nonce])?;
    let seeds = [EXIT_SEED, pool.as_ref(), owner.as_ref(), &nonce, &[bump]];
    NewAccount { account: &accounts.ticket, seeds: &seeds, payer: &accounts.payer }.create_with(&ExitTicket {
        pool,
        owner,
        rent_payer: accounts.payer.key(),
        version: ACCOUNT_VERSION,
        bump,
        tranche: args.tranche,
        series,
        epoch_day: args.epoch_day,
        units,
        claimed: 0,
        nonce: args.nonce,
        asked_on,
        reserved: [0; 28],
    })
}
