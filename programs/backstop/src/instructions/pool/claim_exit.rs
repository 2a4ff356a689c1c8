//! Pays a ticket what was set aside for it.

use crate::error::BackstopError;
use crate::events::{ExitClaimed, report};
use crate::instructions::no_more;
use crate::money::{Asset, Payee, Till};
use crate::state::{ExitEpoch, ExitTicket, Pool};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `claim_exit`.
#[derive(Accounts)]
pub struct ClaimExit<'info> {
    /// The pool.
    #[account(
        mut,
        has_one = vault @ BackstopError::WrongAccount,
        has_one = asset_mint @ BackstopError::WrongAccount
    )]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the pool's token account, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the pool's asset, by its address.
    pub asset_mint: UncheckedAccount<'info>,
    /// The ticket's epoch.
    #[account(
        mut,
        dup,
        has_one = pool @ BackstopError::WrongParent,
        constraint = epoch.day == ticket.epoch_day @ BackstopError::WrongParent
    )]
    pub epoch: Account<'info, ExitEpoch>,
    /// The ticket.
    #[account(
        mut,
        dup,
        has_one = pool @ BackstopError::WrongParent,
        has_one = owner @ BackstopError::WrongAccount,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub ticket: Account<'info, ExitTicket>,
    /// CHECK: the ticket's owner; with its signature any account may be paid.
    pub owner: UncheckedAccount<'info>,
    /// CHECK: where the assets go: checked against the owner.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// CHECK: gets the ticket's rent back once it is closed.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, to the owner's associated token account; the owner may sign and name another account;
/// - pays what the epoch paid per unit and the ticket has not had yet, rounded down;
/// - closes the ticket once its epoch is filled or its series was wiped out;
/// - a payout account that is closed or frozen stops this ticket and no other;
/// - reads no pause and no alert.
pub(crate) fn handle(ctx: Context<ClaimExit>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let ticket = &mut accounts.ticket;
    let epoch = &mut accounts.epoch;
    let amount = epoch.claim(ticket)?;
    let mut till = Till::untouched(&accounts.pool)?;
    let done = epoch.is_done_for(ticket, till.tranche(ticket.tranche));
    ensure!(amount > 0 || done, BackstopError::NothingToClaim);
    till.pay_exit(amount)?;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    vault.pay_owner(&asset, &Payee { owner: &accounts.owner, account: &accounts.destination }, amount)?;
    report(&ExitClaimed {
        pool: accounts.pool.key(),
        sequence,
        ticket: ticket.key(),
        owner: accounts.owner.key(),
        amount,
        closed: done,
    })?;
    if done {
        epoch.remove_ticket(ticket)?;
        ticket.close(accounts.rent_payer.to_account_info())?;
    }
    Ok(())
}
