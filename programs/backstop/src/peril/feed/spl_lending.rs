//! The share price of a lending reserve: what one of its collateral tokens is worth in the lent asset. **Live**: only now, not
//! replayable.
//!
//! Programs: Save, and spl-token-lending that it comes from, whose reserves have the same layout as far as is read here. The
//! assets are `available + borrowed - fees of the protocol`, the shares the collateral's supply. Interest reaches the reserve
//! when somebody refreshes it, so a reserve that nobody has touched says a little less than it could, never more than it
//! has: a stale one is taken. Debt that is forgiven lowers it at once.
//!
//! Who can lie: nobody cheaply. Deposits, withdrawals and loans keep the share price; interest and gifts raise it for good;
//! bad debt lowers it when the market's owner says so, who can also not say so. Whoever may upgrade the program can say
//! anything. A flash loan lowers it within its own transaction, in which nothing is shown: showings stand alone.
//!
//! # Totality
//!
//! No function here can panic, whatever the bytes.

use super::{Level, OracleError, field, rate};
use anchor_lang::prelude::*;

/// Save.
pub const SAVE_ID: Pubkey = pubkey!("So1endDq2YkqhipRh3WViPa8hdiSpxWy6z3Z6tMCpAo");
/// Length of a reserve of Save.
pub const SAVE_LENGTH: usize = 619;
/// spl-token-lending.
pub const SPL_ID: Pubkey = pubkey!("LendZqTs7gn5CTSJU1jWKhKuVpjJGom45nnwPb2AMTi");
/// Length of a reserve of spl-token-lending.
pub const SPL_LENGTH: usize = 571;
/// First byte of a reserve that was set up.
pub const VERSION: u8 = 1;

const VERSION_AT: usize = 0;
const AVAILABLE_AT: usize = 171;
const BORROWED_AT: usize = 179;
const SUPPLY_AT: usize = 259;
/// Fees of the protocol that were not taken out: only Save's reserves have them.
const SAVE_FEES_AT: usize = 373;
/// One unit, in the reserve's own 1e-18.
const WAD: u128 = 1_000_000_000_000_000_000;
/// One share, so that the level is in 1e-12.
const SHARE: u128 = 1_000_000;

/// Reads a reserve's share price, in 1e-12.
///
/// Errors: `WrongOwner`, `WrongLength`, `WrongLayout`, `PriceNotPositive` for a reserve without shares, `PriceTooLarge`.
pub fn read(owner: &Pubkey, data: &[u8]) -> core::result::Result<Level, OracleError> {
    let (length, fees_at) = match *owner {
        SAVE_ID => (SAVE_LENGTH, Some(SAVE_FEES_AT)),
        SPL_ID => (SPL_LENGTH, None),
        _ => return Err(OracleError::WrongOwner),
    };
    if data.len() != length {
        return Err(OracleError::WrongLength);
    }
    if field::<1>(data, VERSION_AT)? != [VERSION] {
        return Err(OracleError::WrongLayout);
    }
    let available = u128::from(u64::from_le_bytes(field(data, AVAILABLE_AT)?)).saturating_mul(WAD);
    let borrowed = u128::from_le_bytes(field(data, BORROWED_AT)?);
    let fees = fees_at.map_or(Ok(0), |at| field(data, at).map(u128::from_le_bytes))?;
    let assets = available.checked_add(borrowed).ok_or(OracleError::PriceTooLarge)?.saturating_sub(fees);
    let supply = u64::from_le_bytes(field(data, SUPPLY_AT)?);
    rate(assets, u128::from(supply).saturating_mul(SHARE))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reserve(length: usize, available: u64, borrowed: u128, fees: u128, supply: u64) -> Vec<u8> {
        let mut data = vec![0; length];
        data[0] = VERSION;
        data[171..179].copy_from_slice(&available.to_le_bytes());
        data[179..195].copy_from_slice(&borrowed.to_le_bytes());
        data[259..267].copy_from_slice(&supply.to_le_bytes());
        if length == SAVE_LENGTH {
            data[373..389].copy_from_slice(&fees.to_le_bytes());
        }
        data
    }

    #[test]
    fn a_share_is_worth_what_is_there_and_lent_less_the_fees() {
        // 400 there, 800.5 lent, half a unit of it fees: 1,200 for 1,000 shares.
        let save = reserve(SAVE_LENGTH, 400, 800 * WAD + WAD / 2, WAD / 2, 1_000);
        let level = read(&SAVE_ID, &save).unwrap();
        assert_eq!((level.down, level.up), (1_200_000_000_000, 1_200_000_000_000));
        // The other layout has something else where Save has its fees.
        let spl = reserve(SPL_LENGTH, 400, 800 * WAD, 0, 1_000);
        assert_eq!(read(&SPL_ID, &spl).unwrap().down, 1_200_000_000_000);
        let thirds = read(&SPL_ID, &reserve(SPL_LENGTH, 1, 0, 0, 3)).unwrap();
        assert_eq!((thirds.down, thirds.up), (333_333_333_333, 333_333_333_334));
        let nothing = read(&SAVE_ID, &reserve(SAVE_LENGTH, 0, WAD, 2 * WAD, 3)).unwrap();
        assert_eq!((nothing.down, nothing.up), (0, 0));
    }

    #[test]
    fn every_rule_has_its_own_refusal() {
        let good = reserve(SAVE_LENGTH, 12, 0, 0, 10);
        assert_eq!(read(&crate::ID, &good), Err(OracleError::WrongOwner));
        // Each program's reserves have their own length.
        assert_eq!(read(&SPL_ID, &good), Err(OracleError::WrongLength));
        assert_eq!(read(&SAVE_ID, &good[..SPL_LENGTH]), Err(OracleError::WrongLength));
        assert_eq!(read(&SAVE_ID, &[]), Err(OracleError::WrongLength));
        for version in [0, 2] {
            let mut other = good.clone();
            other[0] = version;
            assert_eq!(read(&SAVE_ID, &other), Err(OracleError::WrongLayout));
        }
        assert_eq!(read(&SAVE_ID, &reserve(SAVE_LENGTH, 12, 0, 0, 0)), Err(OracleError::PriceNotPositive));
        assert_eq!(read(&SAVE_ID, &reserve(SAVE_LENGTH, u64::MAX, 0, 0, 1)), Err(OracleError::PriceTooLarge));
        assert_eq!(read(&SAVE_ID, &reserve(SAVE_LENGTH, u64::MAX, u128::MAX, 0, 1)), Err(OracleError::PriceTooLarge));
    }
}
