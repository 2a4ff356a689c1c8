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
    /// The seeds of the pool with this id of an asset.
    pub fn new(asset_mint: Pubkey, id: u16, bump: u8) -> Self {
        Self { asset_mint, id: id.to_le_bytes(), bump: [bump] }
    }

    /// The seeds of a pool.
    pub fn of(pool: &Pool) -> Self {
        Self::new(pool.asset_mint, pool.id, pool.bump)
    }

    /// The seeds in the form that a call takes.
    pub fn seeds(&self) -> [&[u8]; 4] {
        [POOL_SEED, self.asset_mint.as_ref(), &self.id, &self.bump]
    }
}
