//! What was shown of a product's live feed, before it counts.

use crate::peril::live::Readings;
use anchor_lang::prelude::*;

/// The showings of a live feed in the running slot of its trigger's evidence, and its peak.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct Live {
    /// The product.
    pub product: Pubkey,
    /// The product's trigger, whose evidence they become.
    pub trigger: Pubkey,
    /// What was shown.
    pub readings: Readings,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Unused.
    pub padding: [u8; 6],
    /// Room for later fields.
    pub reserved: [u64; 8],
}

const _: () = assert!(core::mem::align_of::<Live>() <= 8);

in_place_account!(Live {});

impl Live {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Live>();
}
