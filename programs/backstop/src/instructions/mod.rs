//! One file for each instruction: its specification, its accounts, its handler.
//!
//! Accounts that Anchor writes at the end are marked `dup`: it would else hash their keys to see that none is passed
//! twice, which takes 600 compute units each. No two of one instruction are of the same type, and their discriminators
//! tell the types apart; where two could be the same, a constraint refuses it.
//!
//! Accounts that a handler creates by hand have their seeds for the IDL alone (`cfg_attr`): [`crate::border::records`]
//! checks the address.

pub mod attestor;
pub mod cover;
pub mod incident;
pub mod pool;
pub mod position;
pub mod product;
pub mod protocol;
pub mod treaty;
pub mod trigger;

pub use attestor::*;
pub use cover::*;
pub use incident::*;
pub use pool::*;
pub use position::*;
pub use product::*;
pub use protocol::*;
pub use treaty::*;
pub use trigger::*;

use crate::error::BackstopError;
use crate::peril::feed::attested::{self, Signed};
use anchor_lang::prelude::*;

/// Refuses accounts beyond those that an instruction names.
pub(crate) fn no_more(accounts: &[AccountInfo]) -> Result<()> {
    ensure!(accounts.is_empty(), BackstopError::UnexpectedAccounts);
    Ok(())
}

/// Unix time of the cluster, in seconds.
pub(crate) fn now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}

/// What the ed25519 precompile has verified in the instruction that stands so many places before the one that runs.
#[inline(never)]
pub(crate) fn signed_before(sysvar: &[u8], before: u16) -> Result<Signed<'_>> {
    let data = attested::precompiled(sysvar, before).map_err(BackstopError::from)?;
    Ok(attested::signed(data).map_err(BackstopError::from)?)
}

/// A copy on the heap: an account is larger than a stack frame, so the bytes go there without passing the stack.
pub(crate) fn boxed<T: bytemuck::Pod>(account: &T) -> Box<T> {
    let mut copy = bytemuck::allocation::zeroed_box::<T>();
    *copy = *account;
    copy
}
