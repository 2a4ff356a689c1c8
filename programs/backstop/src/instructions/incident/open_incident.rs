//! Opens the incident of a trigger that has triggered.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{IncidentOpened, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Incident, IncidentKeys, Load, Pool, Product, Rates, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `open_incident`.
#[derive(Accounts)]
pub struct OpenIncident<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
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
    /// The product's rates.
    #[account(mut, has_one = product @ BackstopError::WrongParent)]
    pub rates: AccountLoader<'info, Rates>,
    /// The product's trigger.
    #[account(mut)]
    pub trigger: AccountLoader<'info, Trigger>,
    /// The incident, created here.
    #[account(
        init,
        payer = payer,
        space = 8 + Incident::INIT_SPACE,
        seeds = [INCIDENT_SEED, product.key().as_ref()],
        bump
    )]
    pub incident: Account<'info, Incident>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - anyone, once the trigger has triggered; once per product;
/// - gross is exact, from the buckets: severity of the sums in force at the event, rounded up, so that the payouts never
///   exceed it; premium that is given back is no part of it, nor of what treaties owe;
/// - the product is over and its premium ends: covers that were waiting get back what they had not earned when the alert
///   began, covers in force the part that was not lost of what they had not earned when the challenge ended; the rest is
///   the pool's, and what the loss has earned of it is not ceded;
/// - the treaties in force at the event are noted; without any the incident waits for its funding round;
/// - with nothing due the incident is funded at once, and exposure and alert end with it; with nothing to be given back
///   either it is closed.
pub(crate) fn handle(ctx: Context<OpenIncident>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let keys = IncidentKeys {
        product: accounts.product.key(),
        pool: accounts.pool.key(),
        rent_payer: accounts.payer.key(),
        bump: ctx.bumps.incident,
    };
    let incident = &mut accounts.incident;
    let mut till = Till::open(&accounts.pool, now)?;
    let mut product = accounts.product.write()?;
    let mut rates = accounts.rates.write()?;
    let opening = incident.open(keys, &mut till, &mut product, &mut rates, &mut *accounts.trigger.write()?, now)?;
    let sequence = till.number_event();
    till.close()?;
    report(&IncidentOpened {
        pool: accounts.pool.key(),
        sequence,
        product: accounts.product.key(),
        incident: incident.key(),
        event_at: opening.event_at,
        ended_at: opening.ended_at,
        severity_bps: opening.severity_bps,
        gross: opening.gross,
        released: opening.released,
        waiting_refunds: opening.waiting_refunds,
        loss_refunds: opening.loss_refunds,
        accrual: opening.accrual,
    })?;
    Ok(())
}
