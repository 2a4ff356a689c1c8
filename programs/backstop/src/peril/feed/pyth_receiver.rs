//! `PriceUpdateV2` of the Pyth receiver program.
//!
//! Borsh after Anchor's discriminator. The verification level is an enum of one byte (`Full`) or two (`Partial`), so
//! every later field of a partially verified update lies one byte further on: the level is checked before anything
//! behind it is read. Offsets are fixed for `Full`, which costs a fraction of deserialising and cannot allocate;
//! tests compare it with the SDK's own deserialisation. Layout: pyth-solana-receiver-sdk 2.0.0, `src/price_update.rs`.

use super::{Observation, OracleError, RawPrice, field};
use anchor_lang::prelude::*;

/// The receiver program. Our own constant, so that a cargo feature of the SDK cannot switch it; tests pin it to the
/// SDK's.
pub const PROGRAM_ID: Pubkey = pubkey!("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ");
/// First eight bytes of sha-256("account:PriceUpdateV2").
pub const DISCRIMINATOR: [u8; 8] = [34, 241, 35, 99, 157, 126, 244, 205];
/// Length of the account: that of the longer, partially verified form, so that a full one has a spare byte.
pub const LENGTH: usize = 134;
/// Byte that says "fully verified".
pub const FULL: u8 = 1;

const DISCRIMINATOR_AT: usize = 0;
const LEVEL_AT: usize = 40;
const FEED_AT: usize = 41;
const PRICE_AT: usize = 73;
const CONFIDENCE_AT: usize = 81;
const EXPONENT_AT: usize = 89;
const PUBLISH_TIME_AT: usize = 93;

/// Reads a print of the feed with this id.
///
/// Errors: `WrongOwner`, `WrongLength`, `WrongLayout`, `NotVerified`, `WrongFeed`, and those of
/// [`RawPrice::normalise`].
pub fn read(owner: &Pubkey, data: &[u8], feed: &[u8; 32], now: i64) -> core::result::Result<Observation, OracleError> {
    if *owner != PROGRAM_ID {
        return Err(OracleError::WrongOwner);
    }
    if data.len() != LENGTH {
        return Err(OracleError::WrongLength);
    }
    if field::<8>(data, DISCRIMINATOR_AT)? != DISCRIMINATOR {
        return Err(OracleError::WrongLayout);
    }
    if field::<1>(data, LEVEL_AT)? != [FULL] {
        return Err(OracleError::NotVerified);
    }
    if field::<32>(data, FEED_AT)? != *feed {
        return Err(OracleError::WrongFeed);
    }
    RawPrice {
        price: i64::from_le_bytes(field(data, PRICE_AT)?),
        confidence: u64::from_le_bytes(field(data, CONFIDENCE_AT)?),
        exponent: i32::from_le_bytes(field(data, EXPONENT_AT)?),
        publish_time: i64::from_le_bytes(field(data, PUBLISH_TIME_AT)?),
    }
    .normalise(now)
}
