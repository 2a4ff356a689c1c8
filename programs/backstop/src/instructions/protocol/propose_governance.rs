//! First step of the handover of governance.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{GovernanceProposed, report};
use crate::instructions::no_more;
use crate::state::Protocol;
use anchor_lang::prelude::*;

/// Accounts of `propose_governance`.
#[derive(Accounts)]
pub struct ProposeGovernance<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// The protocol.
    #[account(mut, dup, address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
}

/// Specification:
/// - only governance;
/// - nothing changes hands before the proposed governance accepts; the zero address withdraws the proposal.
pub(crate) fn handle(ctx: Context<ProposeGovernance>, proposed: Pubkey) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let protocol = &mut ctx.accounts.protocol;
    protocol.pending_governance = proposed;
    report(&GovernanceProposed { governance: protocol.governance, proposed })?;
    Ok(())
}
