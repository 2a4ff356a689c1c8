//! Calls a treaty for an incident: the reinsurer pays its part.

use crate::error::BackstopError;
use crate::events::{TreatyCalled, report};
use crate::instructions::{PoolSigner, no_more, now, report_accrual};
use crate::state::{CallState, Incident, Pool, Treaty};
use crate::token::{self, AssetTransfer};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `call_treaty`.
#[derive(Accounts)]
pub struct CallTreaty<'info> {
    /// The pool that cedes.
    #[account(
        mut,
        constraint = cedant.load()?.vault == cedant_vault.key() @ BackstopError::WrongAccount,
        has_one = asset_mint @ BackstopError::WrongAccount
    )]
    pub cedant: AccountLoader<'info, Pool>,
    /// The pool that reinsures.
    #[account(mut, constraint = reinsurer.load()?.vault == reinsurer_vault.key() @ BackstopError::WrongAccount)]
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
    /// CHECK: the cedant's token account, by its address.
    #[account(mut)]
    pub cedant_vault: UncheckedAccount<'info>,
    /// CHECK: the reinsurer's token account, by its address.
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
/// - a layer's limit is restored as far as its terms and the reinsurer's solvency allow; the premium for it is taken off
///   the payment and streams to the reinsurer until the treaty's end, for seven days at least; it is in proportion to what is
///   restored, not to the time left, as the same event may yet bring another incident;
/// - after the last one the incident waits for its funding round.
pub(crate) fn handle(ctx: Context<CallTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let incident = &mut accounts.incident;
    let key = treaty.key();
    incident.require_next(&key)?;
    let owed = treaty.owes(incident.gross, incident.beyond_quota_share())?;
    let (recovery, received, losses, decimals, signer, cedant_cash, reinsurer_cash) = {
        let mut cedant = accounts.cedant.load_mut()?;
        let mut reinsurer = accounts.reinsurer.load_mut()?;
        report_accrual(accounts.cedant.key(), now, cedant.accrue(now)?)?;
        report_accrual(accounts.reinsurer.key(), now, reinsurer.accrue(now)?)?;
        let paid = owed.min(reinsurer.loss_capital()?);
        reinsurer.note_open_limit(&key, treaty.open_limit(owed))?;
        let losses = reinsurer.bear_loss(paid)?;
        let recovery = treaty.use_limit(owed, paid, reinsurer.room_for_limits()?)?;
        reinsurer.receive_reinstatement(recovery.reinstatement_premium, now, treaty.end_day)?;
        reinsurer.note_open_limit(&key, treaty.open_limit(0))?;
        let received = paid.saturating_sub(recovery.reinstatement_premium);
        cedant.note_limit(&key, treaty.limit_left);
        cedant.receive_recovery(received)?;
        incident.book_call(treaty, CallState::Called, owed, received)?;
        incident.join_when_called(&mut cedant)?;
        cedant.invariant()?;
        reinsurer.invariant()?;
        (recovery, received, losses, cedant.asset_decimals, PoolSigner::of(&reinsurer), cedant.cash, reinsurer.cash)
    };
    if received > 0 {
        AssetTransfer {
            token_program: &accounts.asset_token_program,
            mint: &accounts.asset_mint,
            from: &accounts.reinsurer_vault,
            to: &accounts.cedant_vault,
            authority: accounts.reinsurer.as_ref(),
            vault: &accounts.reinsurer_vault,
            decimals,
        }
        .pay(received, reinsurer_cash, &[&signer.seeds()])?;
        ensure!(token::vault_amount(&accounts.cedant_vault)? >= cedant_cash, BackstopError::VaultMismatch);
    }
    report(&TreatyCalled {
        treaty: key,
        cedant: accounts.cedant.key(),
        reinsurer: accounts.reinsurer.key(),
        incident: incident.key(),
        owed: recovery.owed,
        paid: recovery.paid,
        restored: recovery.restored,
        reinstatement_premium: recovery.reinstatement_premium,
        losses,
    })?;
    Ok(())
}
