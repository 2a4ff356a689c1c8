//! Skips a treaty that could not be called in time.

use crate::constants::TREATY_CALL_WINDOW;
use crate::error::BackstopError;
use crate::events::{TreatySkipped, report};
use crate::instructions::{no_more, now, report_accrual};
use crate::state::{CallState, Incident, Pool, Treaty};
use anchor_lang::prelude::*;

/// Accounts of `skip_treaty`.
#[derive(Accounts)]
pub struct SkipTreaty<'info> {
    /// The pool that cedes.
    #[account(mut)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The treaty.
    #[account(mut, dup, has_one = cedant @ BackstopError::WrongParent)]
    pub treaty: Account<'info, Treaty>,
    /// The incident.
    #[account(mut, dup, constraint = incident.pool == cedant.key() @ BackstopError::WrongParent)]
    pub incident: Account<'info, Incident>,
}

/// Specification:
/// - anyone, once the incident has been open for two days: a reinsurer that cannot pay never blocks it;
/// - what the treaty owes stays owed, its limit stays backed, and can be collected into the cedant's surplus.
pub(crate) fn handle(ctx: Context<SkipTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let incident = &mut accounts.incident;
    let key = treaty.key();
    incident.require_next(&key)?;
    ensure!(now >= incident.opened_at.saturating_add(TREATY_CALL_WINDOW), BackstopError::TreatyStillCallable);
    let owed = treaty.owes(incident.gross, incident.beyond_quota_share())?;
    treaty.owe_later(owed)?;
    let mut cedant = accounts.cedant.load_mut()?;
    report_accrual(accounts.cedant.key(), now, cedant.accrue(now)?)?;
    cedant.note_limit(&key, treaty.limit_left);
    incident.book_call(treaty, CallState::Skipped, owed, 0)?;
    incident.join_when_called(&mut cedant)?;
    cedant.invariant()?;
    report(&TreatySkipped { treaty: key, cedant: accounts.cedant.key(), incident: incident.key(), owed })?;
    Ok(())
}
