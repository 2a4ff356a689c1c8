//! Ends a treaty's term in three days, by agreement of both sides.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{TreatyCommuted, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Commutation, Pool, Protocol, Treaty};
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
/// - only governance, within the term, and not while alerts or readings hold the cedant or an alert is due, nor in its crisis;
/// - the last day is the one in three days, whose events are still covered; the premium of a layer that is unearned from
///   the day after on, rounded down, goes back to the cedant's surplus; the premium of reinstatements does not;
/// - the cedant stays solvent without it; the limit stays backed until the cedant's ring no longer reaches back.
pub(crate) fn handle(ctx: Context<CommuteTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let key = treaty.key();
    let (mut cedant, mut reinsurer) = Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?;
    let Commutation { end_day, returned } = treaty.commute(&key, &mut cedant, &mut reinsurer, now)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    let cedant_vault = cedant.close_on(&accounts.cedant_vault)?;
    let reinsurer_vault = reinsurer.close_on(&accounts.reinsurer_vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    reinsurer_vault.pay_pool(&asset, &cedant_vault, returned)?;
    report(&TreatyCommuted {
        treaty: key,
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
        end_day,
        returned,
    })?;
    Ok(())
}
