//! Gives an incident its part of what there is, and closes its crisis once that is due.

use crate::error::BackstopError;
use crate::events::{CrisisClosed, IncidentFunded, IncidentGrown, report};
use crate::instructions::trigger::observe::book_phase_change;
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Crisis, Funding, Incident, Load, Pool, Product, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `fund_incident`.
#[derive(Accounts)]
pub struct FundIncident<'info> {
    /// The product's pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent, has_one = trigger @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// The product's trigger.
    #[account(mut)]
    pub trigger: AccountLoader<'info, Trigger>,
    /// The incident.
    #[account(
        mut,
        dup,
        has_one = pool @ BackstopError::WrongParent,
        has_one = product @ BackstopError::WrongParent
    )]
    pub incident: Account<'info, Incident>,
    /// The crisis that the incident is part of.
    #[account(mut, dup, has_one = pool @ BackstopError::WrongParent)]
    pub crisis: Account<'info, Crisis>,
}

/// Specification:
/// - anyone, at any time, in any order with other calls, and again; refused if nothing would change;
/// - first the incident is brought up to the evidence: a deeper severity raises what its covers are due and what
///   treaties owe; once final, the premium that was set aside is given back in the part that was not lost;
/// - then its crisis is closed, if that is due: if holders are short, what other covers have earned by when it was final is
///   earned first; what there is for its incidents is fixed, and the loss falls on surplus, junior, senior as a whole;
/// - then its reserve is brought up to `floor(gross x ratio)` of an open crisis, or to `floor(gross x resources / gross of
///   all)` of a closed one.
pub(crate) fn handle(ctx: Context<FundIncident>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.write()?;
    let outcome = trigger.refresh(now);
    if outcome.phase_changed() {
        let key = accounts.trigger.key();
        book_phase_change(&mut trigger, key, &accounts.product, &accounts.pool, &outcome, now)?;
    }
    let (pool, incident) = (accounts.pool.key(), &mut accounts.incident);
    let mut till = Till::open(&accounts.pool, now)?;
    let claim_terms = accounts.product.read()?.terms;
    let Funding { growth, premium, closing, giving } =
        incident.fund(&mut till, &mut accounts.crisis, &claim_terms, &*trigger, now)?;
    let incident = incident.key();
    if let Some(growth) = growth {
        report(&IncidentGrown { pool, sequence: till.number_event(), incident, growth })?;
    }
    till.report_accrual(premium)?;
    if let Some(closing) = closing {
        report(&CrisisClosed { pool, sequence: till.number_event(), closing })?;
    }
    if giving.amount > 0 {
        report(&IncidentFunded { pool, sequence: till.number_event(), incident, giving })?;
    }
    till.close()?;
    Ok(())
}
