//! Turns the open part of a ticket into shares at today's price.

use crate::border::token;
use crate::error::BackstopError;
use crate::events::{ExitCancelled, ExitClaimed, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{CancelledExit, ExitEpoch, ExitTicket, Pool};
use anchor_lang::prelude::*;
use anchor_spl::token_2022::Token2022;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `cancel_exit`.
#[derive(Accounts)]
pub struct CancelExit<'info> {
    /// The ticket's owner.
    pub owner: Signer<'info>,
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
    /// CHECK: the tranche's share mint, by its address.
    #[account(mut, address = pool.load()?.share_mint(ticket.tranche) @ BackstopError::WrongAccount)]
    pub share_mint: UncheckedAccount<'info>,
    /// CHECK: where the shares go; the token program checks the mint.
    #[account(mut)]
    pub owner_shares: UncheckedAccount<'info>,
    /// CHECK: where assets that were settled go; the token program checks the mint.
    #[account(mut)]
    pub owner_assets: UncheckedAccount<'info>,
    /// The ticket's epoch.
    #[account(
        mut,
        dup,
        has_one = pool @ BackstopError::WrongParent,
        constraint = epoch.day == ticket.epoch_day @ BackstopError::WrongParent
    )]
    pub epoch: Account<'info, ExitEpoch>,
    /// The ticket, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = pool @ BackstopError::WrongParent,
        has_one = owner @ BackstopError::WrongAccount,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub ticket: Account<'info, ExitTicket>,
    /// CHECK: gets the ticket's rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
    /// The shares' token program.
    pub token_2022_program: Program<'info, Token2022>,
}

/// Specification:
/// - only the owner, while a part is open and the series is not over, and not on the day of the request;
/// - pays what was settled before;
/// - the open units buy shares at today's price: gains since the request are given up;
/// - refused if its owner would then hold less than could leave again: such a ticket is paid;
/// - its days count for capacity as if it had not asked;
/// - while alerts hold the pool, or one is more than breaching, it is refused, like every other way into the staying
///   capital; and while readings lock the pool.
pub(crate) fn handle(ctx: Context<CancelExit>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let ticket = &mut accounts.ticket;
    let epoch = &mut accounts.epoch;
    let tranche = ticket.tranche;
    let now = now()?;
    let mut till = Till::open(&accounts.pool, now)?;
    till.require_not_locked(now)?;
    ensure!(till.tranche(tranche).series == ticket.series, BackstopError::SeriesOver);
    let claimed = epoch.claim(ticket)?;
    till.pay_exit(claimed)?;
    let units = epoch.remove_ticket(ticket)?;
    ensure!(units > 0, BackstopError::NothingOpen);
    let CancelledExit { value, shares, to_surplus } = till.cancel_exit(tranche, units, ticket.asked_on)?;
    let book = *till.tranche(tranche);
    let min_ticket = till.terms.min_ticket;
    let claim_sequence = if claimed > 0 { till.number_event() } else { 0 };
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    vault.pay(&asset, &accounts.owner_assets, claimed)?;
    vault.issue(&asset, &accounts.share_mint, &accounts.owner_shares, shares, book.shares)?;
    let held = token::account_amount(&accounts.owner_shares)?;
    ensure!(book.is_ticket(held, min_ticket)?, BackstopError::AmountTooSmall);
    let (pool, ticket) = (accounts.pool.key(), ticket.key());
    if claimed > 0 {
        let owner = accounts.owner.key();
        report(&ExitClaimed { pool, sequence: claim_sequence, ticket, owner, amount: claimed, closed: true })?;
    }
    report(&ExitCancelled { pool, sequence, ticket, tranche, units, value, shares, to_surplus })?;
    Ok(())
}
