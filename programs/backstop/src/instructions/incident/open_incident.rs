//! Opens the incident of a trigger whose evidence is final.

use crate::border::records::{NewAccount, read_record, require_address, write_record};
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{IncidentOpened, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Crisis, Incident, IncidentKeys, Load, Pool, Product, Rates, Trigger};
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
    /// CHECK: the crisis that the incident becomes part of, by its address: the pool's open one, or the next, which is
    /// created here. Left alone if nothing is due.
    #[account(mut)]
    pub crisis: UncheckedAccount<'info>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - anyone, once the trigger has triggered; once per product;
/// - gross is exact, from the buckets: severity so far of the sums in force at the event, rounded up, so that the payouts
///   never exceed it; premium that is given back is no part of it, nor of what treaties owe;
/// - the product is over, and its exposure, its alert and its premium end: covers that were waiting get back what they
///   had not earned by the pool's last accrual, which stands since alerts hold the pool; what covers in force had not earned
///   when the challenge ended, or by that accrual if it is later, is set aside until the severity is final;
/// - with a loss the incident becomes part of the pool's crisis, or begins one; one that is ripe takes none in, and must be
///   closed first, by funding one of its incidents;
/// - the treaties in force at the event are noted, and come to owe their parts.
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
    let begins = !till.in_crisis();
    let number = till.crisis.number.saturating_add(u32::from(begins)).to_le_bytes();
    let bump = require_address(&accounts.crisis, &[CRISIS_SEED, keys.pool.as_ref(), &number])?;
    let mut product = accounts.product.write()?;
    let mut rates = accounts.rates.write()?;
    let opening = incident.open(keys, &mut till, &mut product, &mut rates, &mut *accounts.trigger.write()?, now)?;
    let sequence = till.number_event();
    till.close()?;
    if opening.crisis != 0 {
        let mut crisis = if begins {
            Crisis::begin(keys.pool, keys.rent_payer, bump, opening.crisis)
        } else {
            read_record(&accounts.crisis)?
        };
        incident.enter(&mut crisis)?;
        if begins {
            let seeds = [CRISIS_SEED, keys.pool.as_ref(), &number, &[bump]];
            NewAccount { account: &accounts.crisis, seeds: &seeds, payer: &accounts.payer }.create_with(&crisis)?;
        } else {
            write_record(&accounts.crisis, &crisis)?;
        }
    }
    report(&IncidentOpened {
        pool: accounts.pool.key(),
        sequence,
        product: accounts.product.key(),
        incident: incident.key(),
        event_at: opening.event_at,
        ended_at: opening.ended_at,
        final_at: opening.final_at,
        crisis: opening.crisis,
        released: opening.released,
        most: opening.most,
        waiting_refunds: opening.waiting_refunds,
        set_aside: opening.set_aside,
        accrual: opening.accrual,
        growth: opening.growth,
    })?;
    Ok(())
}
