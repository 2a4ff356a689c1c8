//! A position: a policy that the account which bought it has, without an NFT. That account may be a program's.

use crate::border::token;
use crate::constants::MAX_REFERENCE;
use crate::error::BackstopError;
use crate::state::{Policy, Pool};
use anchor_lang::prelude::*;
use core::ops::{Deref, DerefMut};

/// A policy, whom it pays, and what its owner knows it by.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// What is insured; [`Policy::insured`] is the owner.
    pub policy: Policy,
    /// Whoever paid the rent of the account.
    pub rent_payer: Pubkey,
    /// The token account that is paid.
    pub beneficiary: Pubkey,
    /// Whose token account that was when it was named: it is not paid once it is another's.
    pub beneficiary_owner: Pubkey,
    /// What the owner knows the position by; the program does not look at it.
    pub reference: [u8; MAX_REFERENCE],
    /// The owner's number for it.
    pub nonce: u64,
    /// Bump of the address.
    pub bump: u8,
}

borsh_account!(Position { keys: 2, discriminator: [170, 188, 143, 228, 122, 64, 247, 208] });

impl Deref for Position {
    type Target = Policy;

    #[inline(always)]
    fn deref(&self) -> &Policy {
        &self.policy
    }
}

impl DerefMut for Position {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }
}

/// What `buy_position` returns, 48 bytes.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoughtPosition {
    /// The position. Bytes 0 to 31.
    pub position: Pubkey,
    /// What was paid for it, in asset units. Bytes 32 to 39, little-endian as all numbers.
    pub premium: u64,
    /// First insured UTC day. Bytes 40 to 43.
    pub active_day: u32,
    /// First UTC day that is no longer insured. Bytes 44 to 47.
    pub end_day: u32,
}

impl Position {
    /// Refuses anybody but the owner.
    pub fn require_owner(&self, signer: &Pubkey) -> Result<()> {
        ensure!(self.insured == *signer, BackstopError::NotPositionOwner);
        Ok(())
    }

    /// Refuses a beneficiary that cannot be paid now: its token account is closed, frozen, of another mint than the pool's
    /// asset, or another's than when it was named. Nobody else waits for it; the owner can name another.
    pub fn require_payable(&self, beneficiary: &AccountInfo, asset: &Pubkey) -> Result<()> {
        let payable = token::read_account(beneficiary).is_ok_and(|account| {
            account.mint == *asset && account.owner == self.beneficiary_owner && !account.is_frozen
        });
        ensure!(payable, BackstopError::BeneficiaryCannotReceive);
        Ok(())
    }
}

/// Whose token account it is that is named to be paid, if a pool can pay it: one of its asset, but not its own vault.
pub fn payee_owner(payee: &AccountInfo, pool: &Pool) -> Result<Pubkey> {
    let account = token::read_account(payee).map_err(|_| BackstopError::BadBeneficiary)?;
    let fits = account.mint == pool.asset_mint && *payee.key != pool.vault;
    ensure!(fits, BackstopError::BadBeneficiary);
    Ok(account.owner)
}
