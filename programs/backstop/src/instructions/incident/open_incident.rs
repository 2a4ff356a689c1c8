//! Opens the incident of a trigger that has triggered.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{IncidentOpened, report};
use crate::instructions::{no_more, now, report_accrual};
use crate::math::losses;
use crate::state::evidence::Phase;
use crate::state::{AlertLevel, Incident, IncidentState, NotedTreaty, Pool, Product, ProductState, Trigger};
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
/// - gross is exact, from the buckets: severity of the sums in force at the event, and the premiums of covers still
///   waiting; the severity's part is rounded up, so that the payouts never exceed it;
/// - the product is over;
/// - the treaties in force at the event are noted; without any the incident waits for its funding round;
/// - with nothing due the incident is closed at once, and exposure and alert end with it.
pub(crate) fn handle(ctx: Context<OpenIncident>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let mut pool = accounts.pool.load_mut()?;
    let mut product = accounts.product.load_mut()?;
    let mut trigger = accounts.trigger.load_mut()?;
    ensure!(trigger.phase() == Phase::Triggered, BackstopError::NotTriggered);
    ensure!(product.state() != ProductState::Over, BackstopError::ProductOver);
    let accrual = pool.accrue(now)?;
    let event_at = trigger.evidence.event_at;
    let severity_bps = trigger.evidence.severity_bps;
    let affected = product.affected(event_at)?;
    let gross = losses::gross(affected.sums, severity_bps, affected.premiums).ok_or(BackstopError::MathOverflow)?;
    let exposure = product.exposure;
    product.end_with(event_at);

    let incident = &mut accounts.incident;
    incident.set_inner(Incident {
        product: accounts.product.key(),
        pool: accounts.pool.key(),
        rent_payer: accounts.payer.key(),
        version: ACCOUNT_VERSION,
        bump: ctx.bumps.incident,
        state: IncidentState::Open,
        severity_bps,
        event_at,
        opened_at: now,
        funded_at: 0,
        round: 0,
        gross,
        ceded: 0,
        net: gross,
        reserve: 0,
        paid: 0,
        exposure,
        sums_left: affected.sums,
        premiums_left: affected.premiums,
        treaties: [NotedTreaty::default(); crate::state::MAX_NOTED_TREATIES],
        quota_share_owed: 0,
        treaty_count: 0,
        cursor: 0,
        reserved: [0; 64],
    });
    let mut released = 0;
    if gross == 0 {
        pool.move_alert(trigger.alert_level(), AlertLevel::None, exposure)?;
        trigger.funded = 1;
        product.release_all(&mut pool)?;
        product.incident_closed = 1;
        released = exposure;
        incident.state = IncidentState::Closed;
        incident.funded_at = now;
    } else {
        incident.note_treaties(&pool)?;
        incident.join_when_called(&mut pool)?;
    }
    pool.invariant()?;
    report_accrual(accounts.pool.key(), now, accrual)?;
    report(&IncidentOpened {
        pool: accounts.pool.key(),
        product: accounts.product.key(),
        incident: incident.key(),
        event_at,
        severity_bps,
        gross,
        released,
    })?;
    Ok(())
}
