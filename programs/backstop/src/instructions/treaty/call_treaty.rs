//! Calls a treaty for an incident: the reinsurer pays its part.

use crate::error::BackstopError;
use crate::events::{TreatyCalled, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Incident, Pool, Treaty, TreatyCall};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `call_treaty`.
#[derive(Accounts)]
pub struct CallTreaty<'info> {
    /// The pool that cedes.
    #[account(mut, has_one = asset_mint @ BackstopError::WrongAccount)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The pool that reinsures.
    #[account(mut)]
    pub reinsurer: AccountLoader<'info, Pool>,
    /// The treaty.
    #[account(
        mut,
        dup,
        has_one = cedant @ BackstopError::WrongParent,
        has_one = reinsurer @ BackstopError::WrongParent
    )]
    pub treaty: Account<'info, Treaty>,
    /// The incident.
    #[account(mut, dup, constraint = incident.pool == cedant.key() @ BackstopError::WrongParent)]
    pub incident: Account<'info, Incident>,
    /// CHECK: the cedant's token account; the till checks its address.
    #[account(mut)]
    pub cedant_vault: UncheckedAccount<'info>,
    /// CHECK: the reinsurer's token account; the till checks its address.
    #[account(mut)]
    pub reinsurer_vault: UncheckedAccount<'info>,
    /// CHECK: the pools' asset, by its address.
    pub asset_mint: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, in the order in which the incident noted its treaties, each once;
/// - the quota share owes its part of the gross loss; a layer what is above its attachment, net of what the quota share
///   owes; each up to its limit;
/// - the reinsurer pays what it owes, or what it has; its own loss falls on its surplus, junior, senior;
/// - a layer's limit is restored as far as its terms and the reinsurer's solvency allow; the premium for it is taken
///   off the payment and streams to the reinsurer until the treaty's end, for seven days at least; it is in proportion
///   to what is restored, not to the time left, as the same event may yet bring another incident;
/// - after the last one the incident waits for its funding round.
pub(crate) fn handle(ctx: Context<CallTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let (treaty, incident) = (&mut accounts.treaty, &mut accounts.incident);
    let key = treaty.key();
    let (mut cedant, mut reinsurer) = Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?;
    let TreatyCall { recovery, received, losses } = treaty.call(key, incident, &mut cedant, &mut reinsurer, now)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    let cedant_vault = cedant.close_on(&accounts.cedant_vault)?;
    let reinsurer_vault = reinsurer.close_on(&accounts.reinsurer_vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    reinsurer_vault.pay_pool(&asset, &cedant_vault, received)?;
    report(&TreatyCalled {
        treaty: key,
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
        incident: incident.key(),
        owed: recovery.owed,
        paid: recovery.paid,
        restored: recovery.restored,
        reinstatement_premium: recovery.reinstatement_premium,
        losses,
    })?;
    Ok(())
}
