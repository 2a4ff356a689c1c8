//! Calls of other programs, by the runtime's C interface: it takes addresses where Rust's takes copies, which cost some
//! 700 compute units for each call.
//!
//! An account that changed its length in a call still has the old one in its [`AccountInfo`]; what is passed on here is
//! the length that the runtime keeps.

use crate::error::BackstopError;
use anchor_lang::prelude::*;
use core::mem::MaybeUninit;

/// What the called program may do with an account.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Use {
    /// Reads it.
    Read = 0,
    /// Writes it.
    Write = 1,
    /// Reads it, and it signs.
    Sign = 2,
    /// Writes it, and it signs.
    WriteSign = 3,
}

/// `SolInstruction` of the C interface.
#[repr(C)]
struct Instruction {
    program: *const Pubkey,
    metas: *const Meta,
    metas_len: u64,
    data: *const u8,
    data_len: u64,
}

/// `SolAccountMeta` of the C interface.
#[repr(C)]
struct Meta {
    key: *const Pubkey,
    is_writable: bool,
    is_signer: bool,
}

/// `SolAccountInfo` of the C interface.
#[repr(C)]
struct Info {
    key: *const Pubkey,
    lamports: *mut u64,
    data_len: u64,
    data: *mut u8,
    owner: *const Pubkey,
    unused: u64,
    is_signer: bool,
    is_writable: bool,
    is_executable: bool,
}

/// Most accounts of a call.
const MOST_ACCOUNTS: usize = 8;

/// Calls a program with these accounts, eight at most, in this order; `signer` holds the seeds of the addresses of this
/// program that sign.
#[inline(never)]
pub fn call(program: &Pubkey, accounts: &[(&AccountInfo, Use)], data: &[u8], signer: &[&[&[u8]]]) -> Result<()> {
    let mut metas = [const { MaybeUninit::<Meta>::uninit() }; MOST_ACCOUNTS];
    let mut infos = [const { MaybeUninit::<Info>::uninit() }; MOST_ACCOUNTS];
    ensure!(accounts.len() <= MOST_ACCOUNTS, BackstopError::UnexpectedAccounts);
    for ((account, role), (meta, info)) in accounts.iter().zip(metas.iter_mut().zip(&mut infos)) {
        // Refused while this program is looking at them: the called one may change them.
        let lamports: *mut u64 = &mut **account.try_borrow_mut_lamports()?;
        let start = account.try_borrow_mut_data()?.as_mut_ptr();
        meta.write(Meta {
            key: account.key,
            is_writable: *role as u8 & Use::Write as u8 != 0,
            is_signer: *role as u8 & Use::Sign as u8 != 0,
        });
        info.write(Info {
            key: account.key,
            lamports,
            // SAFETY: every account here is one of the runtime's input, where the length of the data stands before it,
            // aligned to 8 bytes.
            data_len: unsafe { start.sub(8).cast::<u64>().read() },
            data: start,
            owner: account.owner,
            unused: 0,
            is_signer: account.is_signer,
            is_writable: account.is_writable,
            is_executable: account.executable,
        });
    }
    let instruction = Instruction {
        program,
        metas: metas.as_ptr().cast(),
        metas_len: accounts.len() as u64,
        data: data.as_ptr(),
        data_len: data.len() as u64,
    };
    invoke(&instruction, &infos, accounts.len(), signer)
}

/// The runtime's syscall.
#[cfg(target_os = "solana")]
fn invoke(instruction: &Instruction, infos: &[MaybeUninit<Info>], count: usize, signer: &[&[&[u8]]]) -> Result<()> {
    // SAFETY: the first `count` are written, what the addresses name outlives the call, and a list of lists of bytes is laid out as the C interface has
    // it: an address and a length each.
    let result = unsafe {
        solana_define_syscall::definitions::sol_invoke_signed_c(
            core::ptr::from_ref(instruction).cast(),
            infos.as_ptr().cast(),
            count as u64,
            signer.as_ptr().cast(),
            signer.len() as u64,
        )
    };
    if result == 0 { Ok(()) } else { Err(ProgramError::from(result).into()) }
}

/// Off chain there is nobody to call.
#[cfg(not(target_os = "solana"))]
fn invoke(_: &Instruction, _: &[MaybeUninit<Info>], _: usize, _: &[&[&[u8]]]) -> Result<()> {
    Err(ProgramError::UnsupportedSysvar.into())
}
