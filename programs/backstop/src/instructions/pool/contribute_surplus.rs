//! Gives to a pool's surplus for good.

use crate::error::BackstopError;
use crate::events::{SurplusContributed, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Purse, Till};
use crate::state::{Pool, Seen};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// What a giver gives.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct ContributeSurplusArgs {
    /// Assets to give.
    pub amount: u64,
    /// Products that the giver has seen the pool stand behind, as in [`Seen`], which is not nested here: with two users its
    /// reading would no longer be a part of `deposit`, and cost every deposit 46 units.
    pub seen_products: u16,
    /// The same of treaties.
    pub seen_treaties: u16,
}

/// Accounts of `contribute_surplus`.
#[derive(Accounts)]
pub struct ContributeSurplus<'info> {
    /// Whoever gives.
    pub contributor: Signer<'info>,
    /// The pool.
    #[account(
        mut,
        has_one = vault @ BackstopError::WrongAccount,
        has_one = asset_mint @ BackstopError::WrongAccount
    )]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the pool's token account, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the pool's asset, by its address.
    pub asset_mint: UncheckedAccount<'info>,
    /// CHECK: where the assets come from; the token program checks mint and authority.
    #[account(mut)]
    pub contributor_assets: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, at any time, also in an alert: more surplus hurts nobody;
/// - refused if the pool stands behind more products or treaties than the giver has seen: a gift does not come back;
/// - gives no shares and no rights.
pub(crate) fn handle(ctx: Context<ContributeSurplus>, args: ContributeSurplusArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let ContributeSurplusArgs { amount, seen_products: products, seen_treaties: treaties } = args;
    let mut till = Till::open(&accounts.pool, now()?)?;
    till.require_seen(Seen { products, treaties })?;
    till.contribute(amount)?;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    let contributor = Purse { account: &accounts.contributor_assets, authority: &accounts.contributor };
    vault.collect(&asset, &contributor, amount)?;
    report(&SurplusContributed {
        pool: accounts.pool.key(),
        sequence,
        contributor: accounts.contributor.key(),
        amount,
    })?;
    Ok(())
}
