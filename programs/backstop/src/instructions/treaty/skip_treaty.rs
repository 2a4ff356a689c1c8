//! Skips a treaty that could not be called in time.

use crate::error::BackstopError;
use crate::events::{TreatySkipped, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Incident, Pool, Treaty};
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
    let (treaty, incident) = (&mut accounts.treaty, &mut accounts.incident);
    let key = treaty.key();
    let mut cedant = Till::open(&accounts.cedant, now)?;
    let owed = treaty.skip(&key, incident, &mut cedant, now)?;
    let cedant_sequence = cedant.number_event();
    cedant.close()?;
    report(&TreatySkipped {
        treaty: key,
        cedant: accounts.cedant.key(),
        cedant_sequence,
        incident: incident.key(),
        owed,
    })?;
    Ok(())
}
