//! Ends a treaty and releases its limit.

use crate::error::BackstopError;
use crate::events::{TreatyEnded, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Pool, Treaty};
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
/// - anyone, once the cedant is in no crisis and no alert of it is more than breaching, its longest ring no longer reaches
///   back to the treaty's last day, no premium stands since the term, and nothing is owed: neither a loss, for at most a
///   year, nor the quota share's premium;
/// - a treaty that was never accepted ends once its term would have begun.
pub(crate) fn handle(ctx: Context<EndTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &accounts.treaty;
    let key = treaty.key();
    // One that was never accepted stands in no books: nothing is earned for it.
    let (mut cedant, mut reinsurer) = if treaty.was_accepted() {
        Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?
    } else {
        (Till::untouched(&accounts.cedant)?, Till::untouched(&accounts.reinsurer)?)
    };
    if treaty.was_accepted() {
        treaty.end_accepted(&key, &mut cedant, &mut reinsurer, now)?;
    } else {
        treaty.end_announced(now)?;
    }
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    cedant.close()?;
    reinsurer.close()?;
    report(&TreatyEnded {
        treaty: key,
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
    })?;
    Ok(())
}
