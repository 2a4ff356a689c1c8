//! Calls a treaty for an incident: the reinsurer pays its part.

use crate::error::BackstopError;
use crate::events::{TreatyCalled, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Crisis, Incident, Pool, Treaty, TreatyCall};
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
    /// The crisis that the incident is part of.
    #[account(
        mut,
        dup,
        constraint = crisis.pool == cedant.key() && crisis.number == incident.crisis @ BackstopError::WrongParent
    )]
    pub crisis: Account<'info, Crisis>,
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
/// - anyone, at any time, in any order, and again when more is owed or the reinsurer has more;
/// - what is owed was reckoned when the incident's gross was booked: the quota share its part of that, a layer what is
///   above its attachment, net of the quota share's part; each up to what was left of its limit;
/// - the reinsurer pays what is owed, or what it has of it, and the rest stays owed; its own loss falls on its surplus,
///   junior, senior;
/// - a layer's limit is restored, for later events only, as far as its terms and the reinsurer's solvency allow, and for
///   no more than was still exposed when the incident opened, in all calls for it, and for nothing if the term was over
///   by then; the premium for it is taken off the payment and streams to
///   the reinsurer until the treaty's end, for seven days at least; it is in proportion to what is restored, not to the
///   time left;
/// - what is received belongs to the incident's crisis, not to the incident; after that is closed, to its holders as far
///   as they are short and until their deadline, and the rest at once to the layers that bore the loss.
pub(crate) fn handle(ctx: Context<CallTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let (treaty, incident) = (&mut accounts.treaty, &mut accounts.incident);
    let key = treaty.key();
    let (mut cedant, mut reinsurer) = Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?;
    let call = treaty.call(key, incident, &mut accounts.crisis, &mut cedant, &mut reinsurer, now)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    let cedant_vault = cedant.close_on(&accounts.cedant_vault)?;
    let reinsurer_vault = reinsurer.close_on(&accounts.reinsurer_vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    reinsurer_vault.pay_pool(&asset, &cedant_vault, call.received)?;
    let TreatyCall { owed, paid, restored, reinstatement_premium, receipt, losses, .. } = call;
    report(&TreatyCalled {
        treaty: key,
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
        incident: incident.key(),
        owed,
        paid,
        restored,
        reinstatement_premium,
        receipt,
        losses,
    })?;
    Ok(())
}
