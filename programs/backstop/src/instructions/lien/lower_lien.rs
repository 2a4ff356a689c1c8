//! Lowers the limit of a lien, or names another account that it pays.

use crate::error::BackstopError;
use crate::events::{LienLowered, report};
use crate::instructions::no_more;
use crate::money::Till;
use crate::state::{Lien, Pool, payee_owner};
use anchor_lang::prelude::*;

/// Accounts of `lower_lien`.
#[derive(Accounts)]
pub struct LowerLien<'info> {
    /// Whoever the lien pays: the owner of its payee as that was named.
    pub payee_owner: Signer<'info>,
    /// CHECK: the token account that is paid from now on; the handler checks its mint.
    pub payee: UncheckedAccount<'info>,
    /// The pool, which numbers the event.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The lien.
    #[account(mut, dup, has_one = pool @ BackstopError::WrongParent)]
    pub lien: Account<'info, Lien>,
}

/// Specification:
/// - only whoever the lien pays, at any time;
/// - to a limit above zero, and not above what is left of it; less than that the holder is paid instead;
/// - the payee named is paid from then on: the one there is, another if that cannot receive, or somebody else's, who then
///   has the lien: a loan may be sold. It is a token account of the pool's asset, and not the pool's vault; whose it is
///   now, it must stay.
pub(crate) fn handle(ctx: Context<LowerLien>, limit: u64) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let lien = &mut accounts.lien;
    lien.require_payee(accounts.payee_owner.key)?;
    let mut till = Till::untouched(&accounts.pool)?;
    let payee_owner = payee_owner(&accounts.payee, &till)?;
    lien.lower(limit, accounts.payee.key(), payee_owner)?;
    let sequence = till.number_event();
    till.close()?;
    report(&LienLowered {
        pool: accounts.pool.key(),
        sequence,
        policy: lien.policy,
        payee: lien.payee,
        payee_owner,
        limit,
    })?;
    Ok(())
}
