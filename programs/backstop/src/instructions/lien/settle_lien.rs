//! Pays the payee of a lien.

use crate::border::records::{read_record, write_part};
use crate::error::BackstopError;
use crate::events::{LienSettled, report};
use crate::instructions::incident::{Settled, pay_out};
use crate::instructions::no_more;
use crate::money::Asset;
use crate::state::{Incident, Lien, PolicyAccount, Pool};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `settle_lien`.
#[derive(Accounts)]
pub struct SettleLien<'info> {
    /// The product's pool.
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
    /// CHECK: the incident; the handler reads it, and writes the part that a settlement changes.
    #[account(mut)]
    pub incident: UncheckedAccount<'info>,
    /// CHECK: the cover or position; the handler reads it, and writes its state.
    #[account(mut)]
    pub policy: UncheckedAccount<'info>,
    /// CHECK: its lien; the handler reads it, and writes the part that a settlement changes.
    #[account(mut)]
    pub lien: UncheckedAccount<'info>,
    /// CHECK: the token account that the lien pays, checked against it.
    #[account(mut)]
    pub payee: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, to the lien's payee and to nobody else, whoever signs; also if the cover's NFT is burnt;
/// - pays what the policy is due and was not paid for its loss, up to what is left of the limit, again as soon and as
///   often as there is more; in any order with the holder's part, which is the rest;
/// - premium that is given back is the holder's: a policy that was still waiting pays nothing here;
/// - refused if the payee's account is closed, frozen, of another mint, or another's than when it was named: the holder and
///   others are settled all the same, and whoever the lien pays can name another until the incident is closed.
pub(crate) fn handle(ctx: Context<SettleLien>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let mut policy = PolicyAccount::read(&accounts.policy)?;
    let mut lien: Lien = read_record(&accounts.lien)?;
    let mut incident: Incident = read_record(&accounts.incident)?;
    incident.require_concerns(&accounts.pool.key(), &policy)?;
    ensure!(policy.has_lien && lien.policy == accounts.policy.key(), BackstopError::WrongParent);
    ensure!(lien.payee == accounts.payee.key(), BackstopError::WrongAccount);
    let Settled { payout, sequence, vault, .. } = pay_out(
        &accounts.pool,
        &accounts.vault,
        (&accounts.incident, &mut incident),
        (&accounts.policy, policy.policy_mut()),
        |incident, pool, policy| incident.settle_lien(pool, policy, &mut lien),
    )?;
    write_part(&accounts.lien, Lien::LIMIT_AT, &lien.settled_part())?;
    if payout.amount > 0 {
        lien.require_payable(&accounts.payee, accounts.asset_mint.key)?;
        let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
        vault.pay(&asset, &accounts.payee, payout.amount)?;
    }
    report(&LienSettled {
        pool: accounts.pool.key(),
        sequence,
        incident: accounts.incident.key(),
        policy: lien.policy,
        payee: lien.payee,
        amount: payout.amount,
        limit_left: lien.limit_left,
        state: payout.state,
    })?;
    Ok(())
}
