//! Moves what is left of an incident to the surplus.

use crate::border::token;
use crate::error::BackstopError;
use crate::events::{IncidentClosed, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Crisis, Incident, Load, Pool, Product, WindUp};
use anchor_lang::prelude::*;

/// Accounts of `close_incident`.
#[derive(Accounts)]
pub struct CloseIncident<'info> {
    /// The product's pool.
    #[account(mut, has_one = vault @ BackstopError::WrongAccount)]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the pool's token account, by its address: while it is frozen nothing is closed.
    pub vault: UncheckedAccount<'info>,
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
    /// The crisis that the incident is part of; none if nothing was due. Closed with its last incident.
    #[account(mut, dup, has_one = pool @ BackstopError::WrongParent)]
    pub crisis: Option<Account<'info, Crisis>>,
    /// CHECK: gets the crisis's rent back.
    #[account(mut)]
    pub crisis_rent_payer: Option<UncheckedAccount<'info>>,
}

/// Specification:
/// - anyone, once every cover is paid in full and treaties have paid what they owe, or the deadline is over; and not
///   before the crisis is closed;
/// - not while the vault is frozen, for then nobody could be paid: the deadline can be moved;
/// - what is left (rounding, holders that could not be paid, forfeited NFTs) goes to the surplus, and with the last
///   incident of a crisis what is left of that;
/// - what treaties have not paid for it is owed no longer: without the incident nobody can call them;
/// - a product has one incident: it stays over, and no second incident can be opened.
pub(crate) fn handle(ctx: Context<CloseIncident>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    ensure!(!token::is_frozen(&accounts.vault)?, BackstopError::VaultFrozen);
    let incident = &accounts.incident;
    let mut till = Till::open(&accounts.pool, now)?;
    let mut product = accounts.product.write()?;
    let crisis = accounts.crisis.as_deref_mut();
    let WindUp { reserve, refunds, bucket } = incident.wind_up(&mut till, &mut product, crisis, now)?;
    let sequence = till.number_event();
    till.close()?;
    if let Some(crisis) = &accounts.crisis {
        let payee = accounts.crisis_rent_payer.as_ref().filter(|payee| payee.key() == crisis.rent_payer);
        let payee = payee.ok_or(BackstopError::WrongRentPayer)?;
        if crisis.incidents == 0 {
            crisis.close(payee.to_account_info())?;
        }
    }
    let (pool, incident) = (accounts.pool.key(), incident.key());
    report(&IncidentClosed { pool, sequence, incident, reserve, refunds, bucket })?;
    Ok(())
}
