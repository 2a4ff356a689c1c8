//! Turns the open part of a ticket into shares at today's price.

use crate::error::BackstopError;
use crate::events::{ExitCancelled, ExitClaimed, report};
use crate::instructions::{PoolSigner, no_more, now, report_accrual};
use crate::state::{ExitEpoch, ExitTicket, Pool};
use crate::token::{self, AssetTransfer};
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
/// - only the owner, while a part is open and the series is not over;
/// - pays what was settled before;
/// - the open units buy shares at today's price: gains since the request are given up;
/// - in an alert it is refused, like every other way into the staying capital.
pub(crate) fn handle(ctx: Context<CancelExit>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let now = now()?;
    let accounts = ctx.accounts;
    let ticket = &mut accounts.ticket;
    let epoch = &mut accounts.epoch;
    let tranche = ticket.tranche;
    let pool_key = accounts.pool.key();
    let claimed = epoch.claim(ticket)?;
    let (units, value, shares, to_surplus, total_shares, cash, decimals, signer, accrual) = {
        let mut pool = accounts.pool.load_mut()?;
        pool.require_no_alert()?;
        let accrual = pool.accrue(now)?;
        ensure!(pool.tranche(tranche).series == ticket.series, BackstopError::SeriesOver);
        let units = epoch.remove_ticket(ticket)?;
        ensure!(units > 0, BackstopError::NothingOpen);
        let surplus_before = pool.surplus;
        let (value, shares) = pool.cancel_exit(tranche, units)?;
        let to_surplus = pool.surplus.saturating_sub(surplus_before);
        pool.pay_exit(claimed)?;
        pool.invariant()?;
        let total = pool.tranche(tranche).shares;
        let signer = PoolSigner::of(&pool);
        (units, value, shares, to_surplus, total, pool.cash, pool.asset_decimals, signer, accrual)
    };
    if claimed > 0 {
        AssetTransfer {
            token_program: &accounts.asset_token_program,
            mint: &accounts.asset_mint,
            from: &accounts.vault,
            to: &accounts.owner_assets,
            authority: accounts.pool.as_ref(),
            vault: &accounts.vault,
            decimals,
        }
        .pay(claimed, cash, &[&signer.seeds()])?;
    }
    token::mint_to(&accounts.share_mint, &accounts.owner_shares, accounts.pool.as_ref(), shares, &[&signer.seeds()])?;
    ensure!(token::mint_supply(&accounts.share_mint)? <= total_shares, BackstopError::InvariantViolated);
    report_accrual(pool_key, now, accrual)?;
    let ticket = ticket.key();
    if claimed > 0 {
        report(&ExitClaimed { pool: pool_key, ticket, owner: accounts.owner.key(), amount: claimed, closed: true })?;
    }
    report(&ExitCancelled { pool: pool_key, ticket, tranche, units, value, shares, to_surplus })?;
    Ok(())
}
