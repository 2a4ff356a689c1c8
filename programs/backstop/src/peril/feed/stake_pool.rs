//! The rate of an SPL stake pool: what one of its tokens is worth in SOL. **Live**: only now, not replayable.
//!
//! Programs: SPL's own, and Sanctum's two copies of it, all with one layout. The rate is `total_lamports /
//! pool_token_supply`, as the pool knows it since its last update. Rewards and slashings reach it once an epoch, by an update
//! that anyone may send; a pool that was not updated in the running epoch is refused, because it says what was.
//!
//! Who can lie: nobody cheaply. Deposits and withdrawals go by the rate, fees raise it, gifts raise it for good, and only
//! real losses lower it. The pool's manager sets fees within the program's limits; whoever may upgrade the program can say
//! anything.
//!
//! # Totality
//!
//! No function here can panic, whatever the bytes.

use super::{Level, OracleError, field, rate};
use anchor_lang::prelude::*;

/// The programs whose pools are read.
pub const PROGRAM_IDS: [Pubkey; 3] = [
    pubkey!("SPoo1Ku8WFXoNDMHPsrGSTSG1Y47rzgn41SLUNakuHy"),
    pubkey!("SP12tWFxD9oJsVWNavTTBZvMbA6gkAmxtVgxdqvyvhY"),
    pubkey!("SPMBzsVUuoHA4Jm6KunbsotaahvVikZs1JyTW6iJvbn"),
];
/// Length of a pool's account.
pub const LENGTH: usize = 611;
/// First byte of a pool's account; its list of validators has another.
pub const STAKE_POOL: u8 = 1;

const ACCOUNT_TYPE_AT: usize = 0;
const TOTAL_LAMPORTS_AT: usize = 258;
const POOL_TOKEN_SUPPLY_AT: usize = 266;
const LAST_UPDATE_EPOCH_AT: usize = 274;
/// One, in 1e-12.
const ONE: u128 = 1_000_000_000_000;

/// Reads a pool's rate, in 1e-12.
///
/// Errors: `WrongOwner`, `WrongLength`, `WrongLayout`, `Stale`, `PriceNotPositive` for a pool without tokens,
/// `PriceTooLarge`.
pub fn read(owner: &Pubkey, data: &[u8], epoch: u64) -> core::result::Result<Level, OracleError> {
    if !PROGRAM_IDS.contains(owner) {
        return Err(OracleError::WrongOwner);
    }
    if data.len() != LENGTH {
        return Err(OracleError::WrongLength);
    }
    if field::<1>(data, ACCOUNT_TYPE_AT)? != [STAKE_POOL] {
        return Err(OracleError::WrongLayout);
    }
    if u64::from_le_bytes(field(data, LAST_UPDATE_EPOCH_AT)?) != epoch {
        return Err(OracleError::Stale);
    }
    let lamports = u64::from_le_bytes(field(data, TOTAL_LAMPORTS_AT)?);
    let supply = u64::from_le_bytes(field(data, POOL_TOKEN_SUPPLY_AT)?);
    rate(u128::from(lamports).saturating_mul(ONE), u128::from(supply))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pool(lamports: u64, supply: u64, epoch: u64) -> Vec<u8> {
        let mut data = vec![0; LENGTH];
        data[0] = STAKE_POOL;
        data[258..266].copy_from_slice(&lamports.to_le_bytes());
        data[266..274].copy_from_slice(&supply.to_le_bytes());
        data[274..282].copy_from_slice(&epoch.to_le_bytes());
        data
    }

    #[test]
    fn a_rate_is_lamports_by_tokens_and_rounds_both_ways() {
        let level = read(&PROGRAM_IDS[0], &pool(1_200, 1_000, 7), 7).unwrap();
        assert_eq!((level.down, level.up), (1_200_000_000_000, 1_200_000_000_000));
        let level = read(&PROGRAM_IDS[2], &pool(1, 3, 7), 7).unwrap();
        assert_eq!((level.down, level.up), (333_333_333_333, 333_333_333_334));
        // All is lost: that is a value, and the worst one.
        let level = read(&PROGRAM_IDS[1], &pool(0, 3, 7), 7).unwrap();
        assert_eq!((level.down, level.up), (0, 0));
    }

    #[test]
    fn every_rule_has_its_own_refusal() {
        let good = pool(12, 10, 7);
        assert_eq!(read(&crate::ID, &good, 7), Err(OracleError::WrongOwner));
        for length in [0, 258, 282, LENGTH - 1] {
            assert_eq!(read(&PROGRAM_IDS[0], &good[..length], 7), Err(OracleError::WrongLength));
        }
        assert_eq!(read(&PROGRAM_IDS[0], &[good.clone(), vec![0]].concat(), 7), Err(OracleError::WrongLength));
        let mut list = good.clone();
        list[0] = 2;
        assert_eq!(read(&PROGRAM_IDS[0], &list, 7), Err(OracleError::WrongLayout));
        for epoch in [6, 8] {
            assert_eq!(read(&PROGRAM_IDS[0], &good, epoch), Err(OracleError::Stale));
        }
        assert_eq!(read(&PROGRAM_IDS[0], &pool(12, 0, 7), 7), Err(OracleError::PriceNotPositive));
        assert_eq!(read(&PROGRAM_IDS[0], &pool(u64::MAX, 1, 7), 7), Err(OracleError::PriceTooLarge));
    }
}
