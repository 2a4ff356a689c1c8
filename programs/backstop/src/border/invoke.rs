//! The border to the runtime, and the program's only unsafe code: its entrypoint, and its calls of other programs.
//!
//! Calls go by the runtime's C interface, which takes addresses where Rust's takes copies: some 700 compute units less
//! for each than by the builders of the token crates and Anchor's wrappers. An account whose length changed in a call
//! still has the old one in its [`AccountInfo`]; what is passed on here is the length that the runtime keeps.

use anchor_lang::prelude::*;
#[cfg(target_os = "solana")]
use {crate::error::BackstopError, anchor_lang::solana_program::entrypoint::SUCCESS, core::mem::MaybeUninit};
#[cfg(all(target_os = "solana", entrypoint))]
use {anchor_lang::solana_program::entrypoint::deserialize_into, core::mem::ManuallyDrop};

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
#[cfg(target_os = "solana")]
#[repr(C)]
struct Instruction {
    program: *const Pubkey,
    metas: *const Meta,
    metas_len: u64,
    data: *const u8,
    data_len: u64,
}

/// `SolAccountMeta` of the C interface.
#[cfg(target_os = "solana")]
#[repr(C)]
struct Meta {
    key: *const Pubkey,
    is_writable: bool,
    is_signer: bool,
}

/// `SolAccountInfo` of the C interface.
#[cfg(target_os = "solana")]
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
#[cfg(target_os = "solana")]
const MOST_ACCOUNTS: usize = 8;

/// Calls a program with these accounts, eight at most, in this order; `signer` holds the seeds of the addresses of this
/// program that sign.
///
/// Every account must be one that the runtime passed to this instruction: the length of its data is read where the
/// runtime's input keeps it, before the data. An [`AccountInfo`] that was made otherwise has no such place. So this is
/// for the program alone, which makes none.
#[cfg(target_os = "solana")]
#[inline(never)]
pub(crate) fn call(program: &Pubkey, accounts: &[(&AccountInfo, Use)], data: &[u8], signer: &[&[&[u8]]]) -> Result<()> {
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
            // SAFETY: every account is one of the runtime's input, as the callers promise; there the length of the data
            // stands before it, aligned to 8 bytes.
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
    // SAFETY: as many metas and infos as there are accounts are written; what they point to outlives the call, and is
    // not borrowed; a list of lists of bytes is laid out as the C interface has it, an address and a length each.
    let result = unsafe {
        solana_define_syscall::definitions::sol_invoke_signed_c(
            core::ptr::from_ref(&instruction).cast(),
            infos.as_ptr().cast(),
            accounts.len() as u64,
            signer.as_ptr().cast(),
            signer.len() as u64,
        )
    };
    if result == SUCCESS { Ok(()) } else { Err(ProgramError::from(result).into()) }
}

/// Off chain there is nobody to call.
#[cfg(not(target_os = "solana"))]
pub(crate) fn call(_: &Pubkey, _: &[(&AccountInfo, Use)], _: &[u8], _: &[&[&[u8]]]) -> Result<()> {
    Err(ProgramError::UnsupportedSysvar.into())
}

/// Runs an instruction: what the runtime calls. Anchor's entrypoint, but for the list of accounts: it has its length from
/// the start, and is not taken apart again at the end, as the runtime throws it away with the rest of the memory. Saves 70
/// compute units an account.
///
/// # Safety
///
/// `input` must be the serialised instruction of the runtime, which calls this once.
#[cfg(all(target_os = "solana", entrypoint))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn entrypoint(input: *mut u8) -> u64 {
    // SAFETY: the runtime's own input begins with the number of accounts.
    let count = unsafe { input.cast::<u64>().read() };
    let mut accounts = ManuallyDrop::new(Vec::with_capacity(usize::try_from(count).unwrap_or(usize::MAX)));
    // SAFETY: the runtime's own input, as its loader asks for; as many accounts are written as are counted.
    let (program_id, data) = unsafe {
        let (program_id, written, data) = deserialize_into(input, accounts.spare_capacity_mut());
        accounts.set_len(written);
        (program_id, data)
    };
    match crate::entry(program_id, &accounts, data) {
        Ok(()) => SUCCESS,
        Err(error) => error.into(),
    }
}

#[cfg(all(target_os = "solana", entrypoint))]
anchor_lang::solana_program::entrypoint::custom_heap_default!();
#[cfg(all(target_os = "solana", entrypoint))]
anchor_lang::solana_program::entrypoint::custom_panic_default!();
