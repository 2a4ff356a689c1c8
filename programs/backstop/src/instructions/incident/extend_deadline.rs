//! Moves the deadline of an incident whose vault is frozen.

use crate::border::token;
use crate::error::BackstopError;
use crate::events::{DeadlineExtended, report};
use crate::instructions::{no_more, now};
use crate::state::{Crisis, Incident, Load, Pool};
use anchor_lang::prelude::*;

/// Accounts of `extend_deadline`.
#[derive(Accounts)]
pub struct ExtendDeadline<'info> {
    /// The product's pool.
    #[account(mut, has_one = vault @ BackstopError::WrongAccount)]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the pool's token account, by its address.
    pub vault: UncheckedAccount<'info>,
    /// The incident.
    #[account(mut, dup, has_one = pool @ BackstopError::WrongParent)]
    pub incident: Account<'info, Incident>,
    /// The crisis that the incident is part of; none if nothing was due.
    #[account(mut, dup, has_one = pool @ BackstopError::WrongParent)]
    pub crisis: Option<Account<'info, Crisis>>,
}

/// Specification:
/// - anyone, while the issuer of the asset has the vault frozen: nobody can be paid then;
/// - holders have a year from now.
pub(crate) fn handle(ctx: Context<ExtendDeadline>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    ensure!(token::is_frozen(&accounts.vault)?, BackstopError::VaultNotFrozen);
    let incident = &mut accounts.incident;
    incident.extend(accounts.crisis.as_deref_mut(), now()?)?;
    let sequence = accounts.pool.write()?.number_event();
    let (pool, deadline) = (accounts.pool.key(), incident.deadline);
    report(&DeadlineExtended { pool, sequence, incident: incident.key(), deadline })?;
    Ok(())
}
