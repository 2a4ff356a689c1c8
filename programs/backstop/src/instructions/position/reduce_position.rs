//! Gives a part of a position back, for the unearned premium of that part less the fee.

use crate::error::BackstopError;
use crate::events::{PositionReduced, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Load, Pool, Position, Product, Rates, Trigger};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `reduce_position`.
#[derive(Accounts)]
pub struct ReducePosition<'info> {
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
    /// The position.
    #[account(mut, dup, has_one = product @ BackstopError::WrongParent)]
    pub position: Account<'info, Position>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - only the owner, who says what sum stays insured; the refund goes where the owner says;
/// - what stays and what is given back are each at least the pool's least sum insured; premium and rate are divided with the
///   sum, and together are what they were, to the unit;
/// - refused once anything was paid for it;
/// - all else is as for a whole position ([`Product::cancel`]): before the end, not on the UTC day of the purchase, only
///   while the trigger is quiet, for the same fee, and with the same part of the premium that stays for the room.
pub(crate) fn handle(ctx: Context<ReducePosition>, sum_insured: u64) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let position = &mut accounts.position;
    position.require_owner(accounts.owner.key)?;

    let mut till = Till::untouched(&accounts.pool)?;
    let trigger = accounts.trigger.read()?;
    let mut rates = accounts.rates.write()?;
    let mut product = accounts.product.write()?;
    let (rest, cancelled) = product.reduce(&mut till, &mut rates, &*trigger, position, sum_insured, now)?;
    till.report_accrual(cancelled.accrual)?;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    vault.pay(&asset, &accounts.destination, cancelled.refund)?;
    report(&PositionReduced {
        pool: accounts.pool.key(),
        sequence,
        product: accounts.product.key(),
        position: position.key(),
        sum_insured: rest.sum_insured,
        premium: rest.premium,
        rate_q32: rest.rate_q32,
        refund: cancelled.refund,
        fee: cancelled.fee,
        left: position.sum_insured,
    })?;
    Ok(())
}
