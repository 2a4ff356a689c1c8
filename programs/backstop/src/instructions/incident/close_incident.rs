//! Moves what is left of an incident to the surplus.

use crate::error::BackstopError;
use crate::events::{IncidentClosed, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Incident, Load, Pool, Product, WindUp};
use anchor_lang::prelude::*;

/// Accounts of `close_incident`.
#[derive(Accounts)]
pub struct CloseIncident<'info> {
    /// The product's pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product, whose covers may be closed from now on.
    #[account(mut, has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// The incident, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = pool @ BackstopError::WrongParent,
        has_one = product @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub incident: Account<'info, Incident>,
    /// CHECK: gets the incident's rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, once every cover is settled or 180 days after funding;
/// - what is left (rounding, holders that could not be paid, forfeited NFTs) goes to the surplus;
/// - a product has one incident: it stays over, and no second incident can be opened.
pub(crate) fn handle(ctx: Context<CloseIncident>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let incident = &accounts.incident;
    let mut till = Till::open(&accounts.pool, now)?;
    let WindUp { reserve, refunds } = incident.wind_up(&mut till, &mut *accounts.product.write()?, now)?;
    let sequence = till.number_event();
    till.close()?;
    report(&IncidentClosed { pool: accounts.pool.key(), sequence, incident: incident.key(), reserve, refunds })?;
    Ok(())
}
