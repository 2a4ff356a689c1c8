//! Makes a trigger final whose challenge is over.

use crate::error::BackstopError;
use crate::instructions::trigger::observe::settle_phase;
use crate::instructions::trigger::refresh::Refresh;
use crate::instructions::{no_more, now};
use anchor_lang::prelude::*;

/// Specification:
/// - anyone, once the condition is met and the challenge after its last slot is over; refused before;
/// - final: event, mean price and severity never change again.
pub(crate) fn handle(ctx: Context<Refresh>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.load_mut()?;
    let before = trigger.alert_level();
    let terms = trigger.terms;
    let outcome = trigger.evidence.confirm(&terms, now).map_err(BackstopError::from)?;
    if outcome.phase_changed() {
        settle_phase(&trigger, accounts.trigger.key(), &accounts.product, &accounts.pool, outcome.before, before)?;
    }
    Ok(())
}
