//! Hands the quota share's premium to the reinsurer.

use crate::error::BackstopError;
use crate::events::{TreatyPremiumSettled, report};
use crate::instructions::{PoolSigner, no_more, now, report_accrual};
use crate::state::{Pool, ceded_premium_end};
use crate::token::{self, AssetTransfer};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `settle_treaty_premium`.
#[derive(Accounts)]
pub struct SettleTreatyPremium<'info> {
    /// The pool that cedes.
    #[account(
        mut,
        constraint = cedant.load()?.vault == cedant_vault.key() @ BackstopError::WrongAccount,
        constraint = cedant.load()?.quota_share.reinsurer == reinsurer.key() @ BackstopError::WrongParent,
        has_one = asset_mint @ BackstopError::WrongAccount
    )]
    pub cedant: AccountLoader<'info, Pool>,
    /// The pool that reinsures.
    #[account(mut, constraint = reinsurer.load()?.vault == reinsurer_vault.key() @ BackstopError::WrongAccount)]
    pub reinsurer: AccountLoader<'info, Pool>,
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
/// - anyone, at any time there is something owed;
/// - the reinsurer earns it over the next seven days, to a day boundary: a deposit just before gains nothing by it.
pub(crate) fn handle(ctx: Context<SettleTreatyPremium>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let (amount, rate_q32, end_day, decimals, signer, cedant_cash, reinsurer_cash) = {
        let mut cedant = accounts.cedant.load_mut()?;
        let mut reinsurer = accounts.reinsurer.load_mut()?;
        report_accrual(accounts.cedant.key(), now, cedant.accrue(now)?)?;
        report_accrual(accounts.reinsurer.key(), now, reinsurer.accrue(now)?)?;
        let amount = cedant.take_treaty_payable()?;
        let end_day = ceded_premium_end(now);
        let rate = reinsurer.stream_premium(amount, now, end_day)?;
        cedant.invariant()?;
        reinsurer.invariant()?;
        (amount, rate, end_day, cedant.asset_decimals, PoolSigner::of(&cedant), cedant.cash, reinsurer.cash)
    };
    AssetTransfer {
        token_program: &accounts.asset_token_program,
        mint: &accounts.asset_mint,
        from: &accounts.cedant_vault,
        to: &accounts.reinsurer_vault,
        authority: accounts.cedant.as_ref(),
        vault: &accounts.cedant_vault,
        decimals,
    }
    .pay(amount, cedant_cash, &[&signer.seeds()])?;
    ensure!(token::vault_amount(&accounts.reinsurer_vault)? >= reinsurer_cash, BackstopError::VaultMismatch);
    report(&TreatyPremiumSettled {
        cedant: accounts.cedant.key(),
        reinsurer: accounts.reinsurer.key(),
        amount,
        rate_q32,
        end_day,
    })?;
    Ok(())
}
