//! Lifts a lien.

use crate::border::records::write_part;
use crate::error::BackstopError;
use crate::events::{LienLifted, report};
use crate::instructions::no_more;
use crate::money::Till;
use crate::state::{Lien, Policy, PolicyAccount, Pool};
use anchor_lang::prelude::*;

/// Accounts of `lift_lien`.
#[derive(Accounts)]
pub struct LiftLien<'info> {
    /// Whoever the lien pays; needed unless nothing is left of it.
    pub payee_owner: Option<Signer<'info>>,
    /// The pool, which numbers the event.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the policy, by its address; if it is still there, the handler writes that no lien is on it.
    #[account(mut, address = lien.policy @ BackstopError::WrongAccount)]
    pub policy: UncheckedAccount<'info>,
    /// The lien, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = pool @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub lien: Account<'info, Lien>,
    /// CHECK: gets the rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

/// Specification:
/// - whoever the lien pays, at any time; anyone once nothing is left of it: its limit is used up, its policy is closed, or
///   what stands at the policy's address now has none;
/// - the policy is the holder's alone from then on;
/// - the rent goes to whoever paid it.
pub(crate) fn handle(ctx: Context<LiftLien>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    // What was closed is nobody's or the system program's; nothing else of this program can stand there.
    let stands = *accounts.policy.owner == crate::ID;
    let policy = if stands { Some(PolicyAccount::read(&accounts.policy)?) } else { None };
    let signer = accounts.payee_owner.as_ref().map(|signer| signer.key);
    accounts.lien.require_may_lift(signer, policy.as_deref())?;
    let mut till = Till::untouched(&accounts.pool)?;
    let sequence = till.number_event();
    till.close()?;
    if policy.is_some() {
        write_part(&accounts.policy, Policy::HAS_LIEN_AT, &[0])?;
    }
    let lien = &accounts.lien;
    report(&LienLifted { pool: lien.pool, sequence, policy: lien.policy, limit_left: lien.limit_left })?;
    Ok(())
}
