//! A treaty: reinsurance between two pools.

use anchor_lang::prelude::*;

/// Which part of a cedant's losses a treaty pays.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreatyKind {
    /// A fixed part of premium and loss.
    QuotaShare {
        /// Part of premium and loss, in basis points.
        cession_bps: u16,
        /// Part of the ceded premium that the cedant keeps, in basis points.
        commission_bps: u16,
    },
    /// The loss of an incident above a point.
    ExcessOfLoss {
        /// Net loss from which the layer pays, in asset units.
        attachment: u64,
        /// Premium for the term, in basis points of the limit.
        rate_on_line_bps: u16,
        /// How often the limit is restored.
        reinstatements: u8,
        /// Premium of a whole reinstatement, in basis points of the treaty's premium.
        reinstatement_premium_bps: u16,
    },
}

/// How far a treaty is.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreatyState {
    /// Announced by governance; its notice runs.
    Announced,
    /// Accepted: in force within its term, its limit backed by the reinsurer.
    Active,
    /// Ended: its limit is released.
    Ended,
}

/// Reinsurance between two pools of one asset: the cedant pays premium, the reinsurer pays part of its losses.
#[account]
#[derive(Debug, PartialEq, Eq, InitSpace)]
pub struct Treaty {
    /// The pool of kind `Cover` that cedes.
    pub cedant: Pubkey,
    /// The pool of kind `Reinsurance` that reinsures.
    pub reinsurer: Pubkey,
    /// Whoever paid the rent of the treaty.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// How far the treaty is.
    pub state: TreatyState,
    /// The treaty's id within its cedant.
    pub id: u16,
    /// Which part of the losses it pays.
    pub kind: TreatyKind,
    /// The most it pays (quota share: over its term; layer: for one incident), in asset units.
    pub limit: u64,
    /// What is left of the limit, in asset units.
    pub limit_left: u64,
    /// When its notice ends.
    pub notice_until: i64,
    /// First UTC day of the term.
    pub start_day: u32,
    /// First UTC day after the term.
    pub end_day: u32,
    /// Premium paid for the term (layer), in asset units.
    pub premium: u64,
    /// Rate at which the reinsurer earns the premium, in Q32 asset units a second.
    pub rate_q32: u64,
    /// Reinstatements used.
    pub reinstatements_used: u8,
    /// What incidents that skipped the treaty can still collect, in asset units.
    pub uncollected: u64,
    /// Incidents that noted the treaty and have not called, skipped or collected it.
    pub open_calls: u32,
    /// Room for later fields.
    pub reserved: [u8; 64],
}
