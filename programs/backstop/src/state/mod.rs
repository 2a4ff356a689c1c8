//! The accounts: their fields, sizes, transitions and invariants. Rules live here and in [`crate::math`]; handlers
//! only tie accounts together, move tokens and report.

#[macro_use]
pub mod version;

pub mod attestors;
pub mod cession;
pub mod cover;
pub mod crisis;
pub mod exit;
pub mod incident;
pub(crate) mod ledger;
pub mod lien;
pub mod live;
pub mod policy;
pub mod pool;
pub mod position;
pub mod product;
pub mod protocol;
pub mod rates;
pub mod treaty;
pub mod trigger;

pub use attestors::*;
pub use cession::*;
pub use cover::*;
pub use crisis::*;
pub use exit::*;
pub use incident::*;
pub use lien::*;
pub use live::*;
pub use policy::*;
pub use pool::*;
pub use position::*;
pub use product::*;
pub use protocol::*;
pub use rates::*;
pub use treaty::*;
pub use trigger::*;
pub use version::*;

use crate::constants::{DAY, URI_SCHEMES};
use crate::error::BackstopError;
use anchor_lang::prelude::*;
use core::ffi::CStr;

/// The UTC day that contains a time; times before 1970 count as day 0.
pub fn day_of(unix_seconds: i64) -> u32 {
    u32::try_from(unix_seconds.max(0).checked_div(DAY).unwrap_or(0)).unwrap_or(u32::MAX)
}

/// First second of a UTC day.
pub fn day_start(day: u32) -> i64 {
    i64::from(day).saturating_mul(DAY)
}

/// Copies printable ASCII text into a fixed field, padded with zeros; refuses empty, long and unprintable text.
///
/// Text that a wallet shows stays ASCII so that no look-alike letters can pass for another name.
pub fn put_text<const N: usize>(text: &str) -> Result<[u8; N]> {
    let mut field = [0u8; N];
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    ensure!(printable && !text.is_empty() && text.trim() == text, BackstopError::BadText);
    field.get_mut(..text.len()).ok_or(BackstopError::BadText)?.copy_from_slice(text.as_bytes());
    Ok(field)
}

/// Copies a URI into a fixed field, as [`put_text`] does; refuses one that no wallet knows how to open.
pub fn put_uri<const N: usize>(uri: &str) -> Result<[u8; N]> {
    let known = URI_SCHEMES.iter().any(|scheme| uri.len() > scheme.len() && uri.starts_with(scheme));
    ensure!(known && !uri.contains(' '), BackstopError::BadUri);
    put_text(uri)
}

/// The text of a field that [`put_text`] filled.
pub fn get_text(field: &[u8]) -> &str {
    let text = CStr::from_bytes_until_nul(field).map_or(field, CStr::to_bytes);
    core::str::from_utf8(text).unwrap_or("")
}
