//! Hands the quota share's premium to the reinsurer.

use crate::error::BackstopError;
use crate::events::{TreatyPremiumSettled, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{CededPremium, Pool};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `settle_treaty_premium`.
#[derive(Accounts)]
pub struct SettleTreatyPremium<'info> {
    /// The pool that cedes.
    #[account(mut, has_one = asset_mint @ BackstopError::WrongAccount)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The pool that reinsures, by a quota share in force.
    #[account(mut)]
    pub reinsurer: AccountLoader<'info, Pool>,
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
/// - anyone, at any time there is something owed to a reinsurer, of all its quota shares in force;
/// - the reinsurer earns it over the next seven days, to a day boundary: a deposit just before gains nothing by it.
pub(crate) fn handle(ctx: Context<SettleTreatyPremium>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let (mut cedant, mut reinsurer) = Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?;
    let CededPremium { amount, rate_q32, end_day } =
        cedant.hand_premium_to((&accounts.reinsurer.key(), &mut reinsurer), now)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    let cedant_vault = cedant.close_on(&accounts.cedant_vault)?;
    let reinsurer_vault = reinsurer.close_on(&accounts.reinsurer_vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    cedant_vault.pay_pool(&asset, &reinsurer_vault, amount)?;
    report(&TreatyPremiumSettled {
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
        amount,
        rate_q32,
        end_day,
    })?;
    Ok(())
}
