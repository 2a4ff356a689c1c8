//! Moves announced surplus to a reinsurance pool.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{SurplusCeded, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Cession, Pool, Protocol};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `cede_surplus`.
#[derive(Accounts)]
pub struct CedeSurplus<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
    /// The pool that gives.
    #[account(mut, has_one = asset_mint @ BackstopError::WrongAccount)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The pool that gets it.
    #[account(mut)]
    pub reinsurer: AccountLoader<'info, Pool>,
    /// The announcement, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = cedant @ BackstopError::WrongParent,
        has_one = reinsurer @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub cession: Account<'info, Cession>,
    /// CHECK: gets the announcement's rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
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
/// - only governance, within the seven days after the notice;
/// - not while an exit past its day is unfilled, alerts or readings hold the pool or an alert is due, nor in a crisis; small
///   ones that are breaching stop nothing, and stay small without it;
/// - the surplus must have it, and the pool stays solvent without it;
/// - it becomes the other pool's surplus.
pub(crate) fn handle(ctx: Context<CedeSurplus>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let (mut cedant, mut reinsurer) = Till::open_both(&accounts.cedant, &accounts.reinsurer, now)?;
    let amount = accounts.cession.cede(&mut cedant, &mut reinsurer, now)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    let cedant_vault = cedant.close_on(&accounts.cedant_vault)?;
    let reinsurer_vault = reinsurer.close_on(&accounts.reinsurer_vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    cedant_vault.pay_pool(&asset, &reinsurer_vault, amount)?;
    report(&SurplusCeded {
        cedant: accounts.cedant.key(),
        cedant_sequence,
        reinsurer: accounts.reinsurer.key(),
        reinsurer_sequence,
        amount,
    })?;
    Ok(())
}
