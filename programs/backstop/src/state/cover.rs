//! A cover: a policy that whoever holds its NFT has.

use crate::state::Policy;
use anchor_lang::prelude::*;
use core::ops::{Deref, DerefMut};

/// A policy and its NFT.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// What is insured; whoever holds the NFT has it.
    pub policy: Policy,
    /// Whoever paid the rent of the cover and its mint.
    pub rent_payer: Pubkey,
    /// Bump of the address.
    pub bump: u8,
}

borsh_account!(Cover { keys: 2, discriminator: [104, 157, 160, 193, 104, 133, 228, 74] });

impl Deref for Cover {
    type Target = Policy;

    #[inline(always)]
    fn deref(&self) -> &Policy {
        &self.policy
    }
}

impl DerefMut for Cover {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }
}

impl Cover {
    /// The NFT's mint; whoever holds its one unit is insured.
    pub fn mint(&self) -> Pubkey {
        self.insured
    }
}
