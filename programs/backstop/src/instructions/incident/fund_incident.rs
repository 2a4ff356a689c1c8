//! Sets aside what an incident is paid, and fixes its ratio.

use crate::error::BackstopError;
use crate::events::{IncidentFunded, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Incident, Load, Pool, Product, Trigger};
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
    let mut till = Till::open(&accounts.pool, now)?;
    let mut product = accounts.product.write()?;
    let funding = incident.fund(&mut till, &mut product, &mut *accounts.trigger.write()?, now)?;
    let sequence = till.number_event();
    till.close()?;
    report(&IncidentFunded {
        pool: accounts.pool.key(),
        sequence,
        incident: incident.key(),
        gross: funding.gross,
        ceded: funding.ceded,
        paid: funding.paid,
        released: funding.released,
        losses: funding.losses,
    })?;
    Ok(())
}
