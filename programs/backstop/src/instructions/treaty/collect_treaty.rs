//! Collects what a skipped treaty owes.

use crate::error::BackstopError;
use crate::events::{TreatyCollected, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Collection, Pool, Treaty};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `collect_treaty`.
#[derive(Accounts)]
pub struct CollectTreaty<'info> {
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
/// - anyone, while something is uncollected;
/// - the reinsurer pays it, or what it has, into the cedant's surplus; then nothing is owed any more.
/// - what was skipped stays used: collecting restores no limit and costs no reinstatement premium.
pub(crate) fn handle(ctx: Context<CollectTreaty>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let treaty = &mut accounts.treaty;
    let key = treaty.key();
    let (mut cedant, mut reinsurer) = Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?;
    let Collection { owed, paid, losses } = treaty.collect(&key, &mut cedant, &mut reinsurer)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    let cedant_vault = cedant.close_on(&accounts.cedant_vault)?;
    let reinsurer_vault = reinsurer.close_on(&accounts.reinsurer_vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    reinsurer_vault.pay_pool(&asset, &cedant_vault, paid)?;
    report(&TreatyCollected {
        treaty: key,
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
        owed,
        paid,
        losses,
    })?;
    Ok(())
}
