//! Shows a report of attestors to a trigger.

use crate::error::BackstopError;
use crate::instructions::trigger::observe::take;
use crate::instructions::{no_more, now, signed_before};
use crate::peril::feed::attested::INSTRUCTIONS_ID;
use crate::state::{AttestorSet, Load, Pool, Product, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `observe_report`.
#[derive(Accounts)]
pub struct ObserveReport<'info> {
    /// The trigger.
    #[account(
        mut,
        has_one = product @ BackstopError::WrongParent,
        has_one = pool @ BackstopError::WrongParent,
        has_one = attestors @ BackstopError::ReportWrongSet
    )]
    pub trigger: AccountLoader<'info, Trigger>,
    /// The trigger's product, for its exposure.
    pub product: AccountLoader<'info, Product>,
    /// The product's pool, for its alert.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The trigger's attestors.
    pub attestors: AccountLoader<'info, AttestorSet>,
    /// CHECK: the sysvar that shows the transaction's instructions.
    #[account(address = INSTRUCTIONS_ID @ BackstopError::WrongAccount)]
    pub instructions: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, in every phase, with a report that the ed25519 precompile has verified in the instruction right before;
/// - signed by enough distinct keys of the trigger's attestors, none revoked, in the one layout that is taken;
/// - of this cluster, these attestors, this feed, and a kind that evidence is made of; never of a moment ahead of the clock;
/// - what follows is as with [`crate::instructions::observe`]: it is a print of its moment.
pub(crate) fn handle(ctx: Context<ObserveReport>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.write()?;
    let print = {
        let sysvar = accounts.instructions.try_borrow_data()?;
        let signed = signed_before(&sysvar, 1)?;
        let attestors = accounts.attestors.key();
        let report = accounts.attestors.read()?.read(&attestors, &signed).map_err(BackstopError::from)?;
        trigger.read_report(&report, now)?
    };
    take(&mut trigger, accounts.trigger.key(), &accounts.product, &accounts.pool, &print, now)
}
