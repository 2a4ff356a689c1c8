//! Sets capital aside for the oldest unfilled epoch.

use crate::error::BackstopError;
use crate::events::{ExitEpochSettled, report};
use crate::instructions::now;
use crate::money::Till;
use crate::state::{ExitEpoch, Pool};
use anchor_lang::prelude::*;

/// Accounts of `settle_exit_epoch`.
#[derive(Accounts)]
pub struct SettleExitEpoch<'info> {
    /// The pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The oldest unfilled epoch.
    #[account(mut, dup, has_one = pool @ BackstopError::WrongParent)]
    pub epoch: Account<'info, ExitEpoch>,
}

/// Specification:
/// - anyone, once the epoch's day is over; again whenever capital comes free, until it is filled;
/// - only the oldest unfilled epoch;
/// - whatever is in alert stays behind in full; while alerts are small, as much that they stay so;
/// - not while alerts hold the pool, except for an epoch 30 days late in an alert that is only breaching;
/// - not while readings lock the pool, from when the first takes no more covers until all are resolved;
/// - pays both tranches in one ratio, never more than is free, and moves nobody's share price;
/// - a payment that does not fill the epoch has a least amount;
/// - what can fall on a reinsurance pool of its cedants' alerts, of what their crises can grow and of what its treaties owe
///   counts like an alert of its own, by its own capital: all cedants are passed as further accounts, in the order of its
///   books; no other pool takes further accounts;
/// - while more than a little is owed the treaty is called first, by anybody;
/// - reads no pause.
pub(crate) fn handle<'info>(ctx: Context<'info, SettleExitEpoch<'info>>) -> Result<()> {
    let now = now()?;
    let epoch = &mut ctx.accounts.epoch;
    let mut till = Till::open(&ctx.accounts.pool, now)?;
    let inward = till.inward_risk(ctx.remaining_accounts, now)?;
    let payment = till.settle_epoch(epoch, &inward, now)?;
    let sequence = till.number_event();
    till.close()?;
    report(&ExitEpochSettled {
        pool: ctx.accounts.pool.key(),
        sequence,
        day: epoch.day,
        paid: payment.paid,
        closed_units: payment.closed_units,
        to_surplus: payment.to_surplus,
        open_q63: epoch.open_q63,
    })?;
    Ok(())
}
