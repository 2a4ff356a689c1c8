//! Names another token account that a position pays.

use crate::error::BackstopError;
use crate::events::{BeneficiarySet, report};
use crate::instructions::no_more;
use crate::money::Till;
use crate::state::{Load, Pool, Position, Product, beneficiary_owner};
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
/// - the beneficiary is a token account of the pool's asset, and not the pool's vault; whose it is now, it must stay.
pub(crate) fn handle(ctx: Context<SetBeneficiary>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    accounts.product.read()?;
    let position = &mut accounts.position;
    position.require_owner(accounts.owner.key)?;
    position.require_open()?;
    let mut till = Till::untouched(&accounts.pool)?;
    position.beneficiary_owner = beneficiary_owner(&accounts.beneficiary, &till)?;
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
