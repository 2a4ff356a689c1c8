//! Closes a filled epoch without tickets.

use crate::error::BackstopError;
use crate::events::{ExitEpochClosed, report};
use crate::instructions::no_more;
use crate::money::Till;
use crate::state::{ExitEpoch, Pool};
use anchor_lang::prelude::*;

/// Accounts of `close_exit_epoch`.
#[derive(Accounts)]
pub struct CloseExitEpoch<'info> {
    /// The pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The epoch.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = pool @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub epoch: Account<'info, ExitEpoch>,
    /// CHECK: gets the epoch's rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, once the epoch is filled and its last ticket is closed;
/// - what rounding left in its reserve goes to the surplus.
pub(crate) fn handle(ctx: Context<CloseExitEpoch>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let epoch = &ctx.accounts.epoch;
    ensure!(epoch.may_close(), BackstopError::EpochInUse);
    let to_surplus = epoch.reserve;
    let mut till = Till::untouched(&ctx.accounts.pool)?;
    till.sweep_exit_reserve(to_surplus)?;
    let sequence = till.number_event();
    till.close()?;
    report(&ExitEpochClosed { pool: ctx.accounts.pool.key(), sequence, day: epoch.day, to_surplus })?;
    Ok(())
}
