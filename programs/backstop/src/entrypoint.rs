//! Where the program begins: Anchor's entrypoint without taking the list of accounts apart again at the end, which the
//! runtime throws away anyway.

use anchor_lang::solana_program::entrypoint::{SUCCESS, custom_heap_default, custom_panic_default, deserialize};
use core::mem::ManuallyDrop;

custom_heap_default!();
custom_panic_default!();

/// Runs an instruction: what the runtime calls.
///
/// # Safety
///
/// `input` must be the serialised instruction of the runtime, which calls this once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn entrypoint(input: *mut u8) -> u64 {
    // SAFETY: the runtime's own input, as its loader asks for.
    let (program_id, accounts, data) = unsafe { deserialize(input) };
    let accounts = ManuallyDrop::new(accounts);
    match crate::entry(program_id, &accounts, data) {
        Ok(()) => SUCCESS,
        Err(error) => error.into(),
    }
}
