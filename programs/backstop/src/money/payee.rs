//! Who may be paid, and into which account.

use crate::border::token;
use crate::error::BackstopError;
use anchor_lang::prelude::*;

/// Somebody who is paid, and the token account that is named for it.
pub struct Payee<'a, 'info> {
    /// Whoever is paid.
    pub owner: &'a AccountInfo<'info>,
    /// Where the units go.
    pub account: &'a AccountInfo<'info>,
}

impl Payee<'_, '_> {
    /// With the owner's signature any account of the asset, without it only the
    /// owner's associated token account, and only if the owner is a wallet (a point on the curve).
    ///
    /// A program's account (a marketplace, a vault) may have no way to spend from its associated account: it must sign
    /// and name one. A stranger can therefore neither misdirect nor strand a payout.
    pub fn require_payable(&self, asset: &Pubkey) -> Result<()> {
        let Self { owner, account } = self;
        let held = token::read_account(account)?;
        ensure!(held.mint == *asset, BackstopError::WrongAccount);
        if owner.is_signer {
            return Ok(());
        }
        ensure!(owner.key.is_on_curve(), BackstopError::ProgramHolderMustSign);
        let derived = is_associated_account(account.key, owner.key, account.owner, asset);
        ensure!(derived, BackstopError::NotOwnersAccount);
        // The associated account of a wallet may since have been handed to another owner.
        ensure!(held.owner == *owner.key, BackstopError::NotOwnersAccount);
        Ok(())
    }
}

/// Whether a token account that exists is the associated one of an owner and a mint.
///
/// Asks no syscall for the canonical bump, which takes eight times as much, but compares the address with the hash of
/// every bump from 255 down. At another bump there can be no token account: to create one takes the signature of its
/// address, which the associated token program gives for the canonical bump alone, and nobody knows the key of a hash
/// that lies on the curve.
fn is_associated_account(account: &Pubkey, owner: &Pubkey, token_program: &Pubkey, mint: &Pubkey) -> bool {
    let seeds = [owner.as_ref(), token_program.as_ref(), mint.as_ref()];
    let program = anchor_spl::associated_token::ID;
    (0..=u8::MAX).rev().any(|bump| Pubkey::derive_address(&seeds, Some(bump), &program) == *account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_spl::associated_token::get_associated_token_address_with_program_id;
    use anchor_spl::token_2022::ID as TOKEN_2022;

    #[test]
    fn an_associated_account_is_known_by_its_address_at_any_bump() {
        let mint = Pubkey::new_from_array([200; 32]);
        for number in 0..100 {
            let owner = Pubkey::new_from_array([number; 32]);
            let other = Pubkey::new_from_array([number + 1; 32]);
            for program in [TOKEN_2022, anchor_spl::token::ID] {
                let account = get_associated_token_address_with_program_id(&owner, &mint, &program);
                assert!(is_associated_account(&account, &owner, &program, &mint));
                assert!(!is_associated_account(&account, &other, &program, &mint));
                assert!(!is_associated_account(&account, &owner, &program, &other));
            }
        }
    }
}
