//! Earns premium up to now.

use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::Pool;
use anchor_lang::prelude::*;

/// Accounts of `accrue`.
#[derive(Accounts)]
pub struct Accrue<'info> {
    /// The pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
}

/// Specification:
/// - anyone, at any time; doing it twice in a second changes nothing;
/// - any idle time is made up for in one call.
pub(crate) fn handle(ctx: Context<Accrue>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    Till::open(&ctx.accounts.pool, now()?)?.close()?;
    Ok(())
}
