//! Revokes the key of an attestor who signed two different values of one moment.

use crate::error::BackstopError;
use crate::events::{EquivocationReported, report};
use crate::instructions::{no_more, now, signed_before};
use crate::peril::feed::attested::{self, INSTRUCTIONS_ID};
use crate::state::{AttestorSet, Load};
use anchor_lang::prelude::*;

/// Accounts of `report_equivocation`.
#[derive(Accounts)]
pub struct ReportEquivocation<'info> {
    /// The attestors.
    #[account(mut)]
    pub attestors: AccountLoader<'info, AttestorSet>,
    /// CHECK: the sysvar that shows the transaction's instructions.
    #[account(address = INSTRUCTIONS_ID @ BackstopError::WrongAccount)]
    pub instructions: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, with both messages in the two instructions of the ed25519 precompile right before, signed by the key alone;
/// - both are reports of this set on this cluster, of one feed, kind and moment, and differ;
/// - the key is one of the set and not revoked; it is from now on. What was shown before stands;
/// - with fewer keys left than must sign the set is dead, for good.
pub(crate) fn handle(ctx: Context<ReportEquivocation>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let attestors = ctx.accounts.attestors.key();
    let mut set = ctx.accounts.attestors.write()?;
    let sysvar = ctx.accounts.instructions.try_borrow_data()?;
    let (first, second) = (signed_before(&sysvar, 2)?, signed_before(&sysvar, 1)?);
    let found = attested::equivocation(&first, &second, &attestors, &set.cluster).map_err(BackstopError::from)?;
    let (key, [one, other]) = found;
    let live = set.revoke(&key, now()?).map_err(BackstopError::from)?;
    report(&EquivocationReported {
        attestors,
        key,
        feed: one.feed,
        observed_at: one.observed_at,
        first: one.into(),
        second: other.into(),
        live,
        alive: set.is_alive(),
    })?;
    Ok(())
}
