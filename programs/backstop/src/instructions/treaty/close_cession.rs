//! Closes an announcement that is void.

use crate::error::BackstopError;
use crate::events::{CessionClosed, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Cession, Pool};
use anchor_lang::prelude::*;

/// Accounts of `close_cession`.
#[derive(Accounts)]
pub struct CloseCession<'info> {
    /// The pool that would have given, which numbers its events.
    #[account(mut)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The announcement, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = cedant @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub cession: Account<'info, Cession>,
    /// CHECK: gets the announcement's rent back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, once its seven days are over.
pub(crate) fn handle(ctx: Context<CloseCession>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let cession = &ctx.accounts.cession;
    cession.require_void(now()?)?;
    let mut till = Till::untouched(&ctx.accounts.cedant)?;
    let cedant_sequence = till.number_event();
    till.close()?;
    report(&CessionClosed { cedant: cession.cedant, cedant_sequence })?;
    Ok(())
}
