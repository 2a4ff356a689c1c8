//! Brings a trigger's phase up to now.

use crate::error::BackstopError;
use crate::instructions::trigger::observe::booked;
use crate::instructions::{no_more, now};
use crate::state::{Load, Pool, Product, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `refresh` and `confirm`.
#[derive(Accounts)]
pub struct Refresh<'info> {
    /// The trigger.
    #[account(
        mut,
        has_one = product @ BackstopError::WrongParent,
        has_one = pool @ BackstopError::WrongParent
    )]
    pub trigger: AccountLoader<'info, Trigger>,
    /// The trigger's product, for its exposure.
    pub product: AccountLoader<'info, Product>,
    /// The product's pool, for its alert.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
}

/// Specification:
/// - anyone, at any time; doing it twice changes nothing;
/// - premium is earned before a change of phase or severity is booked.
pub(crate) fn handle(ctx: Context<Refresh>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.write()?;
    let outcome = trigger.refresh(now);
    booked(&mut trigger, accounts.trigger.key(), &accounts.product, &accounts.pool, &outcome, now)
}
