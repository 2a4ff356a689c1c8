//! Pays a position to its beneficiary.

use crate::border::records::read_record;
use crate::error::BackstopError;
use crate::events::{PositionSettled, report};
use crate::instructions::incident::{Settled, pay_out};
use crate::money::Asset;
use crate::state::{Claim, Incident, Lien, Pool, Position};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `settle_position`.
#[derive(Accounts)]
pub struct SettlePosition<'info> {
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
    /// CHECK: the position; the handler reads it, and writes its state.
    #[account(mut)]
    pub position: UncheckedAccount<'info>,
    /// CHECK: the token account that the position pays, checked against it.
    #[account(mut)]
    pub beneficiary: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, to the position's beneficiary and to nobody else, whoever signs;
/// - what it pays, and when, is what a cover is paid ([`Incident::settle`]), again as soon and as often as there is more;
/// - under a lien the payee's part is left for `settle_lien`, and the account of the lien stands behind the others; a position
///   without one takes no further accounts;
/// - refused if the beneficiary's account is closed, frozen, of another mint, or another's than when it was named: others
///   are settled all the same, and the owner can name another until the incident is closed.
pub(crate) fn handle(ctx: Context<SettlePosition>) -> Result<()> {
    let accounts = &ctx.accounts;
    let mut position: Position = read_record(&accounts.position)?;
    let mut incident: Incident = read_record(&accounts.incident)?;
    incident.require_concerns(&accounts.pool.key(), &position)?;
    let limit_left = Lien::limit_shown(&position, accounts.position.key, ctx.remaining_accounts)?;
    ensure!(position.beneficiary == accounts.beneficiary.key(), BackstopError::WrongAccount);
    let Settled { payout, total, sequence, vault } = pay_out(
        &accounts.pool,
        &accounts.vault,
        (&accounts.incident, &mut incident),
        (&accounts.position, &mut position),
        |incident, pool, policy| incident.settle(pool, policy, limit_left),
    )?;
    if total > 0 {
        position.require_payable(&accounts.beneficiary, accounts.asset_mint.key)?;
        let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
        vault.pay(&asset, &accounts.beneficiary, total)?;
    }
    report(&PositionSettled {
        pool: accounts.pool.key(),
        sequence,
        incident: accounts.incident.key(),
        position: accounts.position.key(),
        beneficiary: position.beneficiary,
        amount: payout.amount,
        refund: payout.refund,
        waiting: payout.claim == Claim::Refund,
        state: payout.state,
    })?;
    Ok(())
}
