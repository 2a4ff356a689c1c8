//! Calls of other programs, prepared by hand: the builders of the token crates and Anchor's wrappers take some 700
//! compute units more for each.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program::invoke_signed_unchecked;
use core::mem::ManuallyDrop;

/// What the called program may do with an account.
#[derive(Clone, Copy)]
pub enum Use {
    /// Reads it.
    Read,
    /// Writes it.
    Write,
    /// Reads it, and it signs.
    Sign,
    /// Writes it, and it signs.
    WriteSign,
}

/// Calls a program with these accounts, in this order; `signer` holds the seeds of the addresses of this program that
/// sign.
#[inline(never)]
pub fn call(program: Pubkey, accounts: &[(&AccountInfo, Use)], data: Vec<u8>, signer: &[&[&[u8]]]) -> Result<()> {
    let mut metas = Vec::with_capacity(accounts.len());
    // The copies count references that nobody will ask for any more: taking them apart would change nothing.
    let mut infos = ManuallyDrop::new(Vec::with_capacity(accounts.len()));
    for (account, role) in accounts {
        let is_signer = matches!(role, Use::Sign | Use::WriteSign);
        let is_writable = matches!(role, Use::Write | Use::WriteSign);
        require_unborrowed(account)?;
        metas.push(AccountMeta { pubkey: *account.key, is_signer, is_writable });
        infos.push((*account).clone());
    }
    let instruction = Instruction { program_id: program, accounts: metas, data };
    Ok(invoke_signed_unchecked(&instruction, &infos, signer)?)
}

/// Refuses an account that this program is looking at: the called program may change it.
#[inline(always)]
fn require_unborrowed(account: &AccountInfo) -> Result<()> {
    drop(account.try_borrow_mut_lamports()?);
    drop(account.try_borrow_mut_data()?);
    Ok(())
}
