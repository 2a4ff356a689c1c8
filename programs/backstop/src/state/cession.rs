//! A cession: surplus that is announced to move up to a reinsurance pool.

use crate::constants::*;
use crate::error::BackstopError;
use crate::state::{Pool, PoolKind};
use anchor_lang::prelude::*;

/// An announced transfer of surplus to a reinsurance pool.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Cession {
    /// The pool that gives.
    pub cedant: Pubkey,
    /// The pool that gets it.
    pub reinsurer: Pubkey,
    /// Whoever paid the rent of the cession.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Surplus to move, in asset units.
    pub amount: u64,
    /// When it may be moved.
    pub from: i64,
    /// When the announcement is void.
    pub until: i64,
    /// Room for later fields.
    pub reserved: [u8; 32],
}

borsh_account!(Cession { keys: 3, discriminator: [14, 143, 228, 155, 45, 102, 141, 109] });

impl Cession {
    /// Announces a transfer of surplus from a cover pool to a reinsurance pool of the same asset, never to a wallet:
    /// good for seven days once the notice is over. Whoever pays its rent, and its bump, are for the caller to fill in.
    pub fn announce(
        amount: u64,
        (cedant_key, cedant): (Pubkey, &Pool),
        (reinsurer_key, reinsurer): (Pubkey, &Pool),
        now: i64,
    ) -> Result<Self> {
        ensure!(amount > 0, BackstopError::AmountTooSmall);
        cedant.require_kind(PoolKind::Cover)?;
        reinsurer.require_kind(PoolKind::Reinsurance)?;
        ensure!(cedant.asset_mint == reinsurer.asset_mint, BackstopError::WrongParent);
        let from = cedant.notice_ends_at(now);
        Ok(Self {
            cedant: cedant_key,
            reinsurer: reinsurer_key,
            rent_payer: Pubkey::default(),
            version: ACCOUNT_VERSION,
            bump: 0,
            amount,
            from,
            until: from.saturating_add(CESSION_WINDOW),
            reserved: [0; 32],
        })
    }

    /// Moves the announced surplus, within its seven days: not while an exit past its day is unfilled, alerts hold the
    /// cedant or one of them is due, readings lock it, nor in a crisis; small ones stay small without it, and the cedant
    /// solvent. Returns the amount.
    pub fn cede(&self, cedant: &mut Pool, reinsurer: &mut Pool, now: i64) -> Result<u64> {
        ensure!((self.from..self.until).contains(&now), BackstopError::CessionNotAnnounced);
        cedant.require_calm(now)?;
        cedant.require_no_exits_waiting(now)?;
        cedant.pay_from_surplus(self.amount)?;
        cedant.require_calm(now)?;
        cedant.require_solvent(now)?;
        reinsurer.receive_surplus(self.amount)?;
        Ok(self.amount)
    }

    /// Whether the announcement is void: its seven days are over.
    pub fn is_void(&self, now: i64) -> bool {
        now >= self.until
    }

    /// Refuses unless the announcement is void.
    pub fn require_void(&self, now: i64) -> Result<()> {
        ensure!(self.is_void(now), BackstopError::CessionNotAnnounced);
        Ok(())
    }
}
