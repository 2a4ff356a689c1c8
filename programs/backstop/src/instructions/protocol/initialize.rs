//! Creates the protocol.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::Initialized;
use crate::instructions::no_more;
use crate::program::Backstop;
use crate::state::{Pause, Protocol};
use anchor_lang::prelude::*;

/// The first roles.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct InitializeArgs {
    /// Governance.
    pub governance: Pubkey,
    /// Guardian.
    pub guardian: Pubkey,
    /// Risk keeper.
    pub risk_keeper: Pubkey,
}

/// Accounts of `initialize`.
#[derive(Accounts)]
pub struct Initialize<'info> {
    /// The program's upgrade authority.
    pub upgrade_authority: Signer<'info>,
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol, created here.
    #[account(init, payer = payer, space = 8 + Protocol::INIT_SPACE, seeds = [PROTOCOL_SEED], bump)]
    pub protocol: Account<'info, Protocol>,
    /// This program.
    #[account(constraint = program.programdata_address()? == Some(program_data.key()) @ BackstopError::WrongProgramData)]
    pub program: Program<'info, Backstop>,
    /// This program's data, which names its upgrade authority.
    #[account(
        constraint = program_data.upgrade_authority_address == Some(upgrade_authority.key())
            @ BackstopError::NotUpgradeAuthority
    )]
    pub program_data: Account<'info, ProgramData>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only the upgrade authority that the program's own data names may call it;
/// - it works once;
/// - no role may be the zero address.
pub(crate) fn handle(ctx: Context<Initialize>, args: InitializeArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let InitializeArgs { governance, guardian, risk_keeper } = args;
    let named = [governance, guardian, risk_keeper].iter().all(|role| *role != Pubkey::default());
    require!(named, BackstopError::NoSuchRole);
    ctx.accounts.protocol.set_inner(Protocol {
        governance,
        pending_governance: Pubkey::default(),
        guardian,
        risk_keeper,
        version: ACCOUNT_VERSION,
        bump: ctx.bumps.protocol,
        pause: Pause::default(),
        reserved: [0; 64],
    });
    emit!(Initialized { governance, guardian, risk_keeper });
    Ok(())
}
