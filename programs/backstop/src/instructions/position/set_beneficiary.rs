//! Names another token account that a position pays.

use crate::error::BackstopError;
use crate::events::{BeneficiarySet, report};
use crate::instructions::no_more;
use crate::money::Till;
use crate::state::{Load, Pool, Position, Product, ProductState, payee_owner};
use anchor_lang::prelude::*;

/// Accounts of `set_beneficiary`.
#[derive(Accounts)]
pub struct SetBeneficiary<'info> {
    /// Has the position.
    pub owner: Signer<'info>,
    /// CHECK: the token account that is paid from now on; the handler checks its mint.
    pub beneficiary: UncheckedAccount<'info>,
    /// The product's pool, which numbers the event.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// The position.
    #[account(mut, dup, has_one = product @ BackstopError::WrongParent)]
    pub position: Account<'info, Position>,
}

/// Specification:
/// - only the owner, at any time before all is paid, also in an alert and after the event: it is the owner's money;
/// - under a lien only once the product is over: what is due is shared then, and the payee's part is safe; nobody is to wait
///   for another's signature who cannot be paid;
/// - the beneficiary is a token account of the pool's asset, and not the pool's vault; whose it is now, it must stay.
pub(crate) fn handle(ctx: Context<SetBeneficiary>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let is_over = accounts.product.read()?.state() == ProductState::Over;
    let position = &mut accounts.position;
    position.require_owner(accounts.owner.key)?;
    position.require_open()?;
    if !is_over {
        position.require_unencumbered()?;
    }
    let mut till = Till::untouched(&accounts.pool)?;
    position.beneficiary_owner = payee_owner(&accounts.beneficiary, &till)?;
    position.beneficiary = accounts.beneficiary.key();
    let sequence = till.number_event();
    till.close()?;
    report(&BeneficiarySet {
        pool: accounts.pool.key(),
        sequence,
        position: position.key(),
        beneficiary: position.beneficiary,
    })?;
    Ok(())
}
