//! Ends a treaty and releases its limit.

use crate::error::BackstopError;
use crate::events::{TreatyEnded, report};
use crate::instructions::{no_more, now, report_accrual};
use crate::state::{Pool, Treaty, TreatyState};
use anchor_lang::prelude::*;

/// Accounts of `end_treaty`.
#[derive(Accounts)]
pub struct EndTreaty<'info> {
    /// The pool that cedes.
    #[account(mut)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The pool that reinsures.
    #[account(mut)]
    pub reinsurer: AccountLoader<'info, Pool>,
    /// The treaty, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = cedant @ BackstopError::WrongParent,
        has_one = reinsurer @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub treaty: Account<'info, Treaty>,
    /// CHECK: gets the treaty's rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, once the cedant is in no alert, its longest ring no longer reaches back to the treaty's last day, and nothing
///   is owed: neither a loss nor the quota share's premium;
/// - a treaty that was never accepted ends once its term would have begun.
pub(crate) fn handle(ctx: Context<EndTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &accounts.treaty;
    let key = treaty.key();
    if treaty.state == TreatyState::Announced {
        ensure!(now >= treaty.start(), BackstopError::TreatyInUse);
    } else {
        let mut cedant = accounts.cedant.load_mut()?;
        let mut reinsurer = accounts.reinsurer.load_mut()?;
        report_accrual(accounts.cedant.key(), now, cedant.accrue(now)?)?;
        report_accrual(accounts.reinsurer.key(), now, reinsurer.accrue(now)?)?;
        ensure!(cedant.treaty_is_over(treaty, now), BackstopError::TreatyInUse);
        cedant.take_out_of_force(&key)?;
        reinsurer.release_limit(&key)?;
        cedant.invariant()?;
        reinsurer.invariant()?;
    }
    report(&TreatyEnded { treaty: key, cedant: accounts.cedant.key(), reinsurer: accounts.reinsurer.key() })?;
    Ok(())
}
