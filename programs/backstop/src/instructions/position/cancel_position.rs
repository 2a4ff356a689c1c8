//! Gives a position back for its unearned premium less the fee.

use crate::error::BackstopError;
use crate::events::{PositionCancelled, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Cancellation, Load, Pool, Position, Product, Rates, Trigger};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `cancel_position`.
#[derive(Accounts)]
pub struct CancelPosition<'info> {
    /// Has the position.
    pub owner: Signer<'info>,
    /// CHECK: where the refund goes; the token program checks the mint.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// The product's pool.
    #[account(
        mut,
        has_one = vault @ BackstopError::WrongAccount,
        has_one = asset_mint @ BackstopError::WrongAccount
    )]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(
        mut,
        has_one = pool @ BackstopError::WrongParent,
        has_one = trigger @ BackstopError::WrongParent
    )]
    pub product: AccountLoader<'info, Product>,
    /// The product's rates.
    #[account(mut, has_one = product @ BackstopError::WrongParent)]
    pub rates: AccountLoader<'info, Rates>,
    /// The product's trigger.
    pub trigger: AccountLoader<'info, Trigger>,
    /// CHECK: the pool's token account, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the pool's asset, by its address.
    pub asset_mint: UncheckedAccount<'info>,
    /// The position, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = product @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub position: Account<'info, Position>,
    /// CHECK: gets the rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - only the owner; the refund goes where the owner says;
/// - all else is as for a cover ([`Product::cancel`]): before the end, not on the UTC day of the purchase, only while the
///   trigger is quiet, not under a lien, and for the same refund.
pub(crate) fn handle(ctx: Context<CancelPosition>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let position = &accounts.position;
    position.require_owner(accounts.owner.key)?;
    position.require_open()?;

    let mut till = Till::untouched(&accounts.pool)?;
    let trigger = accounts.trigger.read()?;
    let mut rates = accounts.rates.write()?;
    let mut product = accounts.product.write()?;
    let Cancellation { refund, fee, accrual } = product.cancel(&mut till, &mut rates, &*trigger, position, now)?;
    till.report_accrual(accrual)?;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    vault.pay(&asset, &accounts.destination, refund)?;
    report(&PositionCancelled {
        pool: accounts.pool.key(),
        sequence,
        product: accounts.product.key(),
        position: position.key(),
        sum_insured: position.sum_insured,
        refund,
        fee,
    })?;
    Ok(())
}
