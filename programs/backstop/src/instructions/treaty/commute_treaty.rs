//! Ends a treaty's term today, by agreement of both sides.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{TreatyCommuted, report};
use crate::instructions::{PoolSigner, no_more, now, report_accrual};
use crate::state::{Pool, Protocol, Treaty, TreatyState, day_of, day_start};
use crate::token::{self, AssetTransfer};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `commute_treaty`.
#[derive(Accounts)]
pub struct CommuteTreaty<'info> {
    /// Governance, for both pools.
    pub governance: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
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
/// - only governance, within the term, and not while the cedant is in alert;
/// - the last day is today, whose events are still covered; the unearned premium of a layer, from tomorrow on and rounded
///   down, goes back to the cedant's surplus; the premium of reinstatements does not;
/// - the cedant stays solvent without it; the limit stays backed until the cedant's ring no longer reaches back.
pub(crate) fn handle(ctx: Context<CommuteTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let key = treaty.key();
    treaty.require_state(TreatyState::Active)?;
    let tomorrow = day_of(now).saturating_add(1);
    ensure!(now >= treaty.start() && tomorrow < treaty.end_day, BackstopError::WrongTreatyState);
    let (returned, decimals, signer, cedant_cash, reinsurer_cash) = {
        let mut cedant = accounts.cedant.load_mut()?;
        let mut reinsurer = accounts.reinsurer.load_mut()?;
        cedant.require_no_alert()?;
        report_accrual(accounts.cedant.key(), now, cedant.accrue(now)?)?;
        report_accrual(accounts.reinsurer.key(), now, reinsurer.accrue(now)?)?;
        let returned = reinsurer.return_premium(treaty.rate_q32, tomorrow, treaty.end_day)?;
        cedant.receive_surplus(returned)?;
        treaty.end_day = tomorrow;
        cedant.shorten(&key, day_start(tomorrow));
        cedant.require_solvent(now)?;
        cedant.invariant()?;
        reinsurer.invariant()?;
        (returned, cedant.asset_decimals, PoolSigner::of(&reinsurer), cedant.cash, reinsurer.cash)
    };
    if returned > 0 {
        AssetTransfer {
            token_program: &accounts.asset_token_program,
            mint: &accounts.asset_mint,
            from: &accounts.reinsurer_vault,
            to: &accounts.cedant_vault,
            authority: accounts.reinsurer.as_ref(),
            vault: &accounts.reinsurer_vault,
            decimals,
        }
        .pay(returned, reinsurer_cash, &[&signer.seeds()])?;
        ensure!(token::vault_amount(&accounts.cedant_vault)? >= cedant_cash, BackstopError::VaultMismatch);
    }
    report(&TreatyCommuted {
        treaty: key,
        cedant: accounts.cedant.key(),
        reinsurer: accounts.reinsurer.key(),
        end_day: tomorrow,
        returned,
    })?;
    Ok(())
}
