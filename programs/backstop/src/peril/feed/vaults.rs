//! What the vaults of a protocol hold: token accounts of one mint, and the sum of their amounts. **Live**: only now, not
//! replayable.
//!
//! Programs: SPL Token and Token-2022. A vault that was closed holds nothing; one that is something else now is refused.
//!
//! Who can lie: whoever may take much out of the vaults and put it back, a large depositor say. So what they hold is never
//! enough for a claim: see [`crate::peril::two_keys`].
//!
//! # Totality
//!
//! No function here can panic, whatever the bytes.

use super::{OracleError, field};
use anchor_lang::prelude::*;
use anchor_lang::system_program;

/// The programs whose accounts are read.
pub const PROGRAM_IDS: [Pubkey; 2] = [anchor_spl::token::ID, anchor_spl::token_2022::ID];
/// Length of an account without extensions.
pub const LENGTH: usize = 165;
/// Length of a multisig, which is no account.
const MULTISIG_LENGTH: usize = 355;
/// What stands behind an account that has extensions.
const ACCOUNT: u8 = 2;

const MINT_AT: usize = 0;
const AMOUNT_AT: usize = 64;
const STATE_AT: usize = 108;
const TYPE_AT: usize = 165;

/// The mint of a vault.
///
/// Errors: `WrongOwner`, `WrongLength`, `WrongLayout`.
pub fn mint(owner: &Pubkey, data: &[u8]) -> core::result::Result<Pubkey, OracleError> {
    if !PROGRAM_IDS.contains(owner) {
        return Err(OracleError::WrongOwner);
    }
    let is_extended = *owner == anchor_spl::token_2022::ID && data.len() > LENGTH && data.len() != MULTISIG_LENGTH;
    if data.len() != LENGTH && !is_extended {
        return Err(OracleError::WrongLength);
    }
    // 1: initialised, 2: frozen.
    let is_set_up = matches!(field::<1>(data, STATE_AT)?, [1 | 2]);
    if !is_set_up || (is_extended && field::<1>(data, TYPE_AT)? != [ACCOUNT]) {
        return Err(OracleError::WrongLayout);
    }
    Ok(Pubkey::new_from_array(field(data, MINT_AT)?))
}

/// What a vault of a mint holds, in units of the mint; nothing if it was closed.
///
/// Errors: those of [`mint`], and `WrongFeed` for an account of another mint.
pub fn amount(owner: &Pubkey, data: &[u8], of: &Pubkey) -> core::result::Result<u64, OracleError> {
    if *owner == system_program::ID && data.is_empty() {
        return Ok(0);
    }
    if mint(owner, data)? != *of {
        return Err(OracleError::WrongFeed);
    }
    Ok(u64::from_le_bytes(field(data, AMOUNT_AT)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINT: Pubkey = Pubkey::new_from_array([4; 32]);

    fn vault(length: usize, amount: u64) -> Vec<u8> {
        let mut data = vec![0; length];
        data[..32].copy_from_slice(MINT.as_ref());
        data[64..72].copy_from_slice(&amount.to_le_bytes());
        data[108] = 1;
        if length > LENGTH {
            data[165] = 2;
        }
        data
    }

    #[test]
    fn a_vault_holds_its_amount_and_a_closed_one_nothing() {
        let [token, token_2022] = PROGRAM_IDS;
        assert_eq!(amount(&token, &vault(165, 7), &MINT), Ok(7));
        assert_eq!(amount(&token_2022, &vault(165, u64::MAX), &MINT), Ok(u64::MAX));
        assert_eq!(amount(&token_2022, &vault(182, 8), &MINT), Ok(8));
        assert_eq!(amount(&system_program::ID, &[], &MINT), Ok(0));
        let mut frozen = vault(165, 9);
        frozen[108] = 2;
        assert_eq!(amount(&token, &frozen, &MINT), Ok(9));
    }

    #[test]
    fn every_rule_has_its_own_refusal() {
        let [token, token_2022] = PROGRAM_IDS;
        let good = vault(165, 7);
        assert_eq!(amount(&crate::ID, &good, &MINT), Err(OracleError::WrongOwner));
        assert_eq!(amount(&system_program::ID, &good, &MINT), Err(OracleError::WrongOwner));
        assert_eq!(mint(&system_program::ID, &[]), Err(OracleError::WrongOwner));
        for (owner, length) in [(token, 164), (token, 166), (token, 355), (token_2022, 355), (token_2022, 0)] {
            let mut data = vault(length.max(166), 7);
            data.truncate(length);
            assert_eq!(amount(&owner, &data, &MINT), Err(OracleError::WrongLength), "{length}");
        }
        let mut new = good.clone();
        new[108] = 0;
        assert_eq!(amount(&token, &new, &MINT), Err(OracleError::WrongLayout));
        let mut a_mint = vault(182, 7);
        a_mint[165] = 1;
        assert_eq!(amount(&token_2022, &a_mint, &MINT), Err(OracleError::WrongLayout));
        assert_eq!(amount(&token, &good, &Pubkey::new_from_array([5; 32])), Err(OracleError::WrongFeed));
    }
}
