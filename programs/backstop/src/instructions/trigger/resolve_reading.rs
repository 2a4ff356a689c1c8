//! Resolves a reading, or finds it void.

use crate::instructions::trigger::observe::book_phase_change;
use crate::instructions::trigger::observe_report::ObserveReport;
use crate::instructions::{no_more, now};
use crate::state::Load;
use anchor_lang::prelude::*;

/// Specification:
/// - anyone, at any time; refused if it would change nothing;
/// - a report that has stood for three days resolves the reading, for good;
/// - one falls of whose signers so many were revoked within these days that too few are left: others may report, for three
///   days more at least;
/// - without a standing report the reading is void after 14 days, or once too few keys are left to report;
/// - whenever anybody calls, the outcome is the same; what follows from it, `open_incident` does.
pub(crate) fn handle(ctx: Context<ObserveReport>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.write()?;
    let outcome = trigger.resolve_reading(&*accounts.attestors.read()?, now)?;
    if outcome.phase_changed() {
        book_phase_change(&mut trigger, accounts.trigger.key(), &accounts.product, &accounts.pool, &outcome, now)?;
    }
    Ok(())
}
