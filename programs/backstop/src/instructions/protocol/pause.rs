//! Pauses deposits or purchases.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{PauseSet, report};
use crate::instructions::{no_more, now};
use crate::state::Protocol;
use anchor_lang::prelude::*;

/// Accounts of `pause`.
#[derive(Accounts)]
pub struct SetPause<'info> {
    /// Guardian.
    pub guardian: Signer<'info>,
    /// The protocol.
    #[account(mut, dup, address = PROTOCOL.0, has_one = guardian @ BackstopError::NotGuardian)]
    pub protocol: Account<'info, Protocol>,
}

/// Specification:
/// - only the guardian;
/// - a pause lasts six hours and ends by itself; what is paused already stays so with it;
/// - at most three begin within any seven days; lifting one (`bits` 0) costs none.
pub(crate) fn handle(ctx: Context<SetPause>, bits: u8) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let pause = &mut ctx.accounts.protocol.pause;
    if bits == 0 {
        pause.lift();
    } else {
        pause.begin(bits, now()?)?;
    }
    report(&PauseSet { bits: pause.bits, until: pause.until })?;
    Ok(())
}
