//! Puts a treaty in force: backed by the reinsurer and, for a layer, paid by the cedant.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{TreatyAccepted, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Acceptance, Pool, Protocol, Treaty};
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
/// - only governance, once the notice is over and before the term begins;
/// - not while an exit past its day is unfilled in either pool (but for the renewal of a quota share on terms no worse, in
///   the cedant), nor while alerts or readings hold the cedant or an alert is due, nor in its crisis: small ones that are
///   breaching stop nothing, and stay small without the premium;
/// - two quota shares at most, of terms that do not overlap, and four layers that do not overlap in height and time;
/// - a layer's attachment is at least 1 % of what the cedant has to bear losses;
/// - the reinsurer stays solvent for all its open limits, this one included;
/// - a layer's premium for the whole term is paid from the cedant's surplus, and the cedant stays solvent;
/// - the reinsurer earns it from now to the end of the term: from now on its capital is held for the limit.
pub(crate) fn handle(ctx: Context<AcceptTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let key = treaty.key();
    let (mut cedant, mut reinsurer) = Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?;
    let Acceptance { premium, rate_q32 } = treaty.accept(key, &mut cedant, &mut reinsurer, now)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    let cedant_vault = cedant.close_on(&accounts.cedant_vault)?;
    let reinsurer_vault = reinsurer.close_on(&accounts.reinsurer_vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    cedant_vault.pay_pool(&asset, &reinsurer_vault, premium)?;
    report(&TreatyAccepted {
        treaty: key,
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
        premium,
        rate_q32,
    })?;
    Ok(())
}
