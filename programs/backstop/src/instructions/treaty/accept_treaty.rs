//! Puts a treaty in force: backed by the reinsurer and, for a layer, paid by the cedant.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{TreatyAccepted, report};
use crate::instructions::{PoolSigner, no_more, now, report_accrual};
use crate::state::{Pool, Protocol, Treaty, TreatyState};
use crate::token::{self, AssetTransfer};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `accept_treaty`.
#[derive(Accounts)]
pub struct AcceptTreaty<'info> {
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
/// - only governance, once the notice is over and before the term begins;
/// - not while an exit past its day is unfilled in either pool, nor while the cedant is in alert;
/// - the reinsurer stays solvent for all its open limits, this one included;
/// - a layer's premium for the whole term is paid from the cedant's surplus, and the cedant stays solvent;
/// - the reinsurer earns it from now to the end of the term: from now on its capital is held for the limit.
pub(crate) fn handle(ctx: Context<AcceptTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let key = treaty.key();
    treaty.require_state(TreatyState::Announced)?;
    ensure!(now >= treaty.notice_until, BackstopError::NoticeNotOver);
    ensure!(now < treaty.start(), BackstopError::WrongTreatyState);
    let premium = treaty.premium_on_acceptance()?;
    let (decimals, signer, cedant_cash, reinsurer_cash) = {
        let mut cedant = accounts.cedant.load_mut()?;
        let mut reinsurer = accounts.reinsurer.load_mut()?;
        cedant.require_no_alert()?;
        cedant.require_no_exits_waiting(now)?;
        reinsurer.require_no_exits_waiting(now)?;
        report_accrual(accounts.cedant.key(), now, cedant.accrue(now)?)?;
        report_accrual(accounts.reinsurer.key(), now, reinsurer.accrue(now)?)?;
        if premium > 0 {
            cedant.pay_from_surplus(premium)?;
            treaty.rate_q32 = reinsurer.stream_premium(premium, now, treaty.end_day)?;
            cedant.require_solvent(now)?;
        }
        treaty.premium = premium;
        treaty.state = TreatyState::Active;
        cedant.put_in_force(key, treaty)?;
        reinsurer.stand_behind(key, treaty)?;
        reinsurer.require_solvent(now)?;
        cedant.invariant()?;
        reinsurer.invariant()?;
        (cedant.asset_decimals, PoolSigner::of(&cedant), cedant.cash, reinsurer.cash)
    };
    if premium > 0 {
        AssetTransfer {
            token_program: &accounts.asset_token_program,
            mint: &accounts.asset_mint,
            from: &accounts.cedant_vault,
            to: &accounts.reinsurer_vault,
            authority: accounts.cedant.as_ref(),
            vault: &accounts.cedant_vault,
            decimals,
        }
        .pay(premium, cedant_cash, &[&signer.seeds()])?;
        ensure!(token::vault_amount(&accounts.reinsurer_vault)? >= reinsurer_cash, BackstopError::VaultMismatch);
    }
    report(&TreatyAccepted {
        treaty: key,
        cedant: accounts.cedant.key(),
        reinsurer: accounts.reinsurer.key(),
        premium,
        rate_q32: treaty.rate_q32,
    })?;
    Ok(())
}
