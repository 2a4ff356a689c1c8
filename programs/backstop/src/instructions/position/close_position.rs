//! Closes a position that can no longer be paid.

use crate::error::BackstopError;
use crate::events::{PositionClosed, report};
use crate::instructions::no_more;
use crate::money::Till;
use crate::state::{Load, Pool, Position, Product};
use anchor_lang::prelude::*;

/// Accounts of `close_position`.
#[derive(Accounts)]
pub struct ClosePosition<'info> {
    /// Has the position.
    pub owner: Signer<'info>,
    /// The product's pool, which numbers the event.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
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
}

/// Specification:
/// - only the owner, at any time: a program may still have to read what was paid;
/// - as for a cover ([`Product::require_may_close`]): once it was paid all that it can be, or can no longer be paid; what
///   an incident may still pay more the owner can give up, but not under a lien;
/// - the rent goes to whoever paid it.
pub(crate) fn handle(ctx: Context<ClosePosition>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let position = &accounts.position;
    position.require_owner(accounts.owner.key)?;
    accounts.product.read()?.require_may_close(position, true)?;
    let mut till = Till::untouched(&accounts.pool)?;
    let sequence = till.number_event();
    till.close()?;
    let (pool, product) = (accounts.pool.key(), accounts.product.key());
    report(&PositionClosed { pool, sequence, product, position: position.key() })?;
    Ok(())
}
