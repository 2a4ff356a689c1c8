//! Returns how a pool stands, for programs that ask before they rely on it.

use crate::instructions::{boxed, no_more, now};
use crate::state::{Load, Pool, PoolHealth};
use anchor_lang::prelude::*;

/// Accounts of `pool_health`.
#[derive(Accounts)]
pub struct AskPoolHealth<'info> {
    /// The pool.
    pub pool: AccountLoader<'info, Pool>,
}

/// Specification:
/// - anyone; changes nothing; of any pool;
/// - the answer is in the return data ([`PoolHealth`]), as the pool stands once it has earned premium up to now.
pub(crate) fn handle(ctx: Context<AskPoolHealth>) -> Result<PoolHealth> {
    no_more(ctx.remaining_accounts)?;
    let now = now()?;
    let mut pool = boxed(&*ctx.accounts.pool.read()?);
    pool.accrue(now)?;
    pool.health(now)
}
