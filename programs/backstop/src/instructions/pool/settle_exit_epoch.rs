//! Sets capital aside for the oldest unfilled epoch.

use crate::error::BackstopError;
use crate::events::ExitEpochSettled;
use crate::instructions::{no_more, now, report_accrual};
use crate::state::{ExitEpoch, Pool};
use anchor_lang::prelude::*;

/// Accounts of `settle_exit_epoch`.
#[derive(Accounts)]
pub struct SettleExitEpoch<'info> {
    /// The pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The oldest unfilled epoch.
    #[account(mut, has_one = pool @ BackstopError::WrongParent)]
    pub epoch: Account<'info, ExitEpoch>,
}

/// Specification:
/// - anyone, once the epoch's day is over; again whenever capital comes free, until it is filled;
/// - only the oldest unfilled epoch;
/// - not in an alert, except for an epoch 30 days late in an alert that is only breaching, which leaves the alert's
///   exposure behind in full;
/// - pays both tranches in one ratio, never more than is free, and moves nobody's share price;
/// - a payment that does not fill the epoch has a least amount;
/// - reads no pause.
pub(crate) fn handle(ctx: Context<SettleExitEpoch>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let now = now()?;
    let epoch = &mut ctx.accounts.epoch;
    let mut pool = ctx.accounts.pool.load_mut()?;
    let accrual = pool.accrue(now)?;
    let payment = pool.settle_epoch(epoch, now)?;
    pool.invariant()?;
    let pool = ctx.accounts.pool.key();
    report_accrual(pool, now, accrual);
    emit!(ExitEpochSettled {
        pool,
        day: epoch.day,
        paid: payment.paid,
        closed_units: payment.closed_units,
        to_surplus: payment.to_surplus,
        open_q63: epoch.open_q63,
    });
    Ok(())
}
