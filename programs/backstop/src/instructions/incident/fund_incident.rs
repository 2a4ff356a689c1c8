//! Sets aside what an incident is paid, and fixes its ratio.

use crate::error::{BackstopError, refuse};
use crate::events::{IncidentFunded, report};
use crate::instructions::{no_more, now, report_accrual};
use crate::state::{AlertLevel, Incident, IncidentState, Pool, Product, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `fund_incident`.
#[derive(Accounts)]
pub struct FundIncident<'info> {
    /// The product's pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(
        mut,
        has_one = pool @ BackstopError::WrongParent,
        has_one = trigger @ BackstopError::WrongParent
    )]
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
}

/// Specification:
/// - anyone, once the incident's treaties are called and its funding round is due;
/// - the incident gets its net loss, or its part of the capital that its round began with: the same in any order;
/// - the loss falls on surplus, junior, senior; the product's exposure leaves pool and group; its alert ends;
/// - the ratio never changes again.
pub(crate) fn handle(ctx: Context<FundIncident>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let incident = &mut accounts.incident;
    match incident.state {
        IncidentState::Waiting => {}
        IncidentState::Open => return Err(refuse(BackstopError::TreatiesNotCalled)),
        IncidentState::Funded | IncidentState::Closed => return Err(refuse(BackstopError::AlreadyFunded)),
    }
    let mut pool = accounts.pool.load_mut()?;
    let mut product = accounts.product.load_mut()?;
    let mut trigger = accounts.trigger.load_mut()?;
    let accrual = pool.accrue(now)?;
    let (paid, losses) = pool.fund_incident(incident.round, incident.net, now)?;
    pool.move_alert(trigger.alert_level(), AlertLevel::None, incident.exposure)?;
    trigger.funded = 1;
    product.release_all(&mut pool)?;
    pool.invariant()?;
    incident.reserve = incident.ceded.checked_add(paid).ok_or(BackstopError::MathOverflow)?;
    incident.funded_at = now;
    incident.state = IncidentState::Funded;
    report_accrual(accounts.pool.key(), now, accrual)?;
    report(&IncidentFunded {
        pool: accounts.pool.key(),
        incident: incident.key(),
        gross: incident.gross,
        ceded: incident.ceded,
        paid,
        released: incident.exposure,
        losses,
    })?;
    Ok(())
}
