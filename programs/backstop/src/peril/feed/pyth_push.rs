//! Price accounts of the Pyth push oracle, for clusters that still run it.
//!
//! The layout is pyth-sdk-solana's `SolanaPriceAccount`, and its offsets are taken from that type. The crate's own
//! loader is not used: it checks no owner, panics on data that is not aligned, makes Rust enums of bytes that may be
//! none, and puts the previous price in place of one that is not trading.

use super::{Observation, OracleError, RawPrice, field};
use anchor_lang::prelude::*;
use core::mem::{offset_of, size_of};
use pyth_sdk_solana::state::{AccountType, MAGIC, PriceInfo, PriceStatus, PriceType, SolanaPriceAccount, VERSION_2};

/// The push oracle of mainnet.
pub const PROGRAM_ID: Pubkey = pubkey!("FsJ3A3u2vn5cTVofAjvy6y5kwABJAqYWpe4975bi2epH");
/// Length of a price account.
pub const LENGTH: usize = size_of::<SolanaPriceAccount>();

const MAGIC_AT: usize = offset_of!(SolanaPriceAccount, magic);
const VERSION_AT: usize = offset_of!(SolanaPriceAccount, ver);
const ACCOUNT_TYPE_AT: usize = offset_of!(SolanaPriceAccount, atype);
const PRICE_TYPE_AT: usize = offset_of!(SolanaPriceAccount, ptype);
const EXPONENT_AT: usize = offset_of!(SolanaPriceAccount, expo);
const TIMESTAMP_AT: usize = offset_of!(SolanaPriceAccount, timestamp);
const AGGREGATE_AT: usize = offset_of!(SolanaPriceAccount, agg);
const PRICE_AT: usize = AGGREGATE_AT + offset_of!(PriceInfo, price);
const CONFIDENCE_AT: usize = AGGREGATE_AT + offset_of!(PriceInfo, conf);
const STATUS_AT: usize = AGGREGATE_AT + offset_of!(PriceInfo, status);

const ACCOUNT_TYPE: u32 = AccountType::Price as u32;
const PRICE_TYPE: u8 = PriceType::Price as u8;
const TRADING: u8 = PriceStatus::Trading as u8;

// The layout, as it was read off real accounts: a crate that moved a field would not compile here.
const _: () = assert!(
    LENGTH == 3_312
        && PRICE_TYPE_AT == 16
        && EXPONENT_AT == 20
        && TIMESTAMP_AT == 96
        && PRICE_AT == 208
        && CONFIDENCE_AT == 216
        && STATUS_AT == 224
        && ACCOUNT_TYPE == 3
        && PRICE_TYPE == 1
        && TRADING == 1
);

/// Reads the current aggregate price of the account with this address.
///
/// The feed is the account's address, because a price account does not name its feed. Its publish time is the
/// aggregate's timestamp, which is that of the price only while the status is "trading".
///
/// Errors: `WrongOwner`, `WrongLength`, `WrongLayout`, `WrongFeed`, `NotTrading`, and those of
/// [`RawPrice::normalise`].
pub fn read(
    key: &Pubkey,
    owner: &Pubkey,
    data: &[u8],
    feed: &[u8; 32],
    now: i64,
) -> core::result::Result<Observation, OracleError> {
    if *owner != PROGRAM_ID {
        return Err(OracleError::WrongOwner);
    }
    if data.len() != LENGTH {
        return Err(OracleError::WrongLength);
    }
    if u32::from_le_bytes(field(data, MAGIC_AT)?) != MAGIC
        || u32::from_le_bytes(field(data, VERSION_AT)?) != VERSION_2
        || u32::from_le_bytes(field(data, ACCOUNT_TYPE_AT)?) != ACCOUNT_TYPE
        || field::<1>(data, PRICE_TYPE_AT)? != [PRICE_TYPE]
    {
        return Err(OracleError::WrongLayout);
    }
    if key.to_bytes() != *feed {
        return Err(OracleError::WrongFeed);
    }
    if field::<1>(data, STATUS_AT)? != [TRADING] {
        return Err(OracleError::NotTrading);
    }
    RawPrice {
        price: i64::from_le_bytes(field(data, PRICE_AT)?),
        confidence: u64::from_le_bytes(field(data, CONFIDENCE_AT)?),
        exponent: i32::from_le_bytes(field(data, EXPONENT_AT)?),
        publish_time: i64::from_le_bytes(field(data, TIMESTAMP_AT)?),
    }
    .normalise(now)
}
