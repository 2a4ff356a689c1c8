//! What a pool's address signs with.

use crate::constants::POOL_SEED;
use crate::state::Pool;
use anchor_lang::prelude::*;

/// The seeds of a pool's address.
pub struct PoolSigner {
    asset_mint: Pubkey,
    id: [u8; 2],
    bump: [u8; 1],
}

impl PoolSigner {
    /// The seeds of a pool.
    pub fn of(pool: &Pool) -> Self {
        Self { asset_mint: pool.asset_mint, id: pool.id.to_le_bytes(), bump: [pool.bump] }
    }

    /// The seeds in the form that a call takes.
    pub fn seeds(&self) -> [&[u8]; 4] {
        [POOL_SEED, self.asset_mint.as_ref(), &self.id, &self.bump]
    }
}
