//! Proves the event of a trigger whose challenge is over.

use crate::instructions::trigger::observe::booked;
use crate::instructions::trigger::refresh::Refresh;
use crate::instructions::{no_more, now};
use crate::state::Load;
use anchor_lang::prelude::*;

/// Specification:
/// - anyone, once the condition is met and the challenge after its last slot is over; refused before;
/// - event and first severity never change again; the severity may grow until the run-on is over;
/// - premium is earned first.
pub(crate) fn handle(ctx: Context<Refresh>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.write()?;
    let outcome = trigger.confirm(now)?;
    booked(&mut trigger, accounts.trigger.key(), &accounts.product, &accounts.pool, &outcome, now)
}
