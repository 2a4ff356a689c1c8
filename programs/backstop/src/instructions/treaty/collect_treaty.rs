//! Collects what a skipped treaty owes.

use crate::error::BackstopError;
use crate::events::{TreatyCollected, report};
use crate::instructions::{PoolSigner, no_more, now, report_accrual};
use crate::state::{Pool, Treaty};
use crate::token::{self, AssetTransfer};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `collect_treaty`.
#[derive(Accounts)]
pub struct CollectTreaty<'info> {
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
/// - anyone, while something is uncollected;
/// - the reinsurer pays it, or what it has, into the cedant's surplus; then nothing is owed any more.
/// - what was skipped stays used: collecting restores no limit and costs no reinstatement premium.
pub(crate) fn handle(ctx: Context<CollectTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let key = treaty.key();
    let owed = core::mem::take(&mut treaty.uncollected);
    ensure!(owed > 0, BackstopError::NothingOwed);
    let (paid, losses, decimals, signer, cedant_cash, reinsurer_cash) = {
        let mut cedant = accounts.cedant.load_mut()?;
        let mut reinsurer = accounts.reinsurer.load_mut()?;
        report_accrual(accounts.cedant.key(), now, cedant.accrue(now)?)?;
        report_accrual(accounts.reinsurer.key(), now, reinsurer.accrue(now)?)?;
        let paid = owed.min(reinsurer.loss_capital()?);
        let losses = reinsurer.bear_loss(paid)?;
        reinsurer.note_open_limit(&key, treaty.open_limit(0))?;
        cedant.receive_surplus(paid)?;
        cedant.invariant()?;
        reinsurer.invariant()?;
        (paid, losses, cedant.asset_decimals, PoolSigner::of(&reinsurer), cedant.cash, reinsurer.cash)
    };
    if paid > 0 {
        AssetTransfer {
            token_program: &accounts.asset_token_program,
            mint: &accounts.asset_mint,
            from: &accounts.reinsurer_vault,
            to: &accounts.cedant_vault,
            authority: accounts.reinsurer.as_ref(),
            vault: &accounts.reinsurer_vault,
            decimals,
        }
        .pay(paid, reinsurer_cash, &[&signer.seeds()])?;
        ensure!(token::vault_amount(&accounts.cedant_vault)? >= cedant_cash, BackstopError::VaultMismatch);
    }
    report(&TreatyCollected {
        treaty: key,
        cedant: accounts.cedant.key(),
        reinsurer: accounts.reinsurer.key(),
        owed,
        paid,
        losses,
    })?;
    Ok(())
}
