//! Second step of the handover of governance.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{GovernanceAccepted, report};
use crate::instructions::no_more;
use crate::state::Protocol;
use anchor_lang::prelude::*;

/// Accounts of `accept_governance`.
#[derive(Accounts)]
pub struct AcceptGovernance<'info> {
    /// Whoever was proposed.
    pub pending_governance: Signer<'info>,
    /// The protocol.
    #[account(mut, dup, address = PROTOCOL.0, has_one = pending_governance @ BackstopError::NotPendingGovernance)]
    pub protocol: Account<'info, Protocol>,
}

/// Specification:
/// - only whoever was proposed last, with its signature.
pub(crate) fn handle(ctx: Context<AcceptGovernance>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let protocol = &mut ctx.accounts.protocol;
    let before = protocol.governance;
    protocol.governance = protocol.pending_governance;
    protocol.pending_governance = Pubkey::default();
    report(&GovernanceAccepted { before, governance: protocol.governance })?;
    Ok(())
}
