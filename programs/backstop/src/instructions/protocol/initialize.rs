//! Creates the protocol.

use crate::constants::*;
use crate::error::{BackstopError, refuse};
use crate::events::{Initialized, report};
use crate::instructions::no_more;
use crate::state::{Pause, Protocol};
use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;

/// The first roles.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct InitializeArgs {
    /// Governance.
    pub governance: Pubkey,
    /// Guardian.
    pub guardian: Pubkey,
    /// Risk keeper.
    pub risk_keeper: Pubkey,
    /// Genesis hash of the cluster, which no program can look up: what attestors sign for one cluster counts on no other.
    pub genesis_hash: [u8; 32],
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
    /// CHECK: this program's data, by the address that the loader derives; read for the upgrade authority.
    #[account(address = PROGRAM_DATA @ BackstopError::WrongProgramData)]
    pub program_data: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only the upgrade authority that the program's own data names may call it;
/// - it works once;
/// - no role may be the zero address, and the genesis hash is not zero; it never changes.
pub(crate) fn handle(ctx: Context<Initialize>, args: InitializeArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let authority = upgrade_authority(&ctx.accounts.program_data)?;
    ensure!(authority == ctx.accounts.upgrade_authority.key(), BackstopError::NotUpgradeAuthority);
    let InitializeArgs { governance, guardian, risk_keeper, genesis_hash } = args;
    let named = [governance, guardian, risk_keeper].iter().all(|role| *role != Pubkey::default());
    ensure!(named, BackstopError::NoSuchRole);
    ensure!(genesis_hash != [0; 32], BackstopError::OutOfBounds);
    ctx.accounts.protocol.set_inner(Protocol {
        governance,
        pending_governance: Pubkey::default(),
        guardian,
        risk_keeper,
        version: ACCOUNT_VERSION,
        bump: ctx.bumps.protocol,
        pause: Pause::default(),
        genesis_hash,
        reserved: [0; 32],
    });
    report(&Initialized { governance, guardian, risk_keeper, genesis_hash })?;
    Ok(())
}

/// The upgrade authority that a program's data names; refused if it names none.
///
/// The loader's header: kind 3 (program data) as u32, the slot of the deployment as u64, then 1 and the authority, or
/// 0.
fn upgrade_authority(program_data: &AccountInfo) -> Result<Pubkey> {
    ensure!(*program_data.owner == bpf_loader_upgradeable::ID, BackstopError::WrongProgramData);
    let data = program_data.try_borrow_data()?;
    let header: &[u8; 45] = data.first_chunk().ok_or(BackstopError::WrongProgramData)?;
    let [3, 0, 0, 0, _, _, _, _, _, _, _, _, is_set, authority @ ..] = header else {
        return Err(refuse(BackstopError::WrongProgramData));
    };
    ensure!(*is_set == 1, BackstopError::NotUpgradeAuthority);
    Ok(Pubkey::new_from_array(*authority))
}
