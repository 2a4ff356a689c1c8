//! Appoints guardian and risk keeper.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{RolesSet, report};
use crate::instructions::no_more;
use crate::state::Protocol;
use anchor_lang::prelude::*;

/// Accounts of `set_roles`.
#[derive(Accounts)]
pub struct SetRoles<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// The protocol.
    #[account(mut, dup, address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
}

/// Specification:
/// - only governance;
/// - neither role may be the zero address.
pub(crate) fn handle(ctx: Context<SetRoles>, guardian: Pubkey, risk_keeper: Pubkey) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    ensure!(guardian != Pubkey::default() && risk_keeper != Pubkey::default(), BackstopError::NoSuchRole);
    let protocol = &mut ctx.accounts.protocol;
    protocol.guardian = guardian;
    protocol.risk_keeper = risk_keeper;
    report(&RolesSet { guardian, risk_keeper })?;
    Ok(())
}
