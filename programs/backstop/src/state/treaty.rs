//! A treaty: reinsurance between two pools.

use crate::constants::*;
use crate::error::BackstopError;
use crate::math::rounding::{BPS, Rounding, mul_div};
use crate::math::treaties::{self, Reinstatement};
use crate::state::day_start;
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
        /// Premium of restoring the whole limit, in basis points of the treaty's premium.
        reinstatement_premium_bps: u16,
    },
}

stored_enum! {
    /// How far a treaty is.
    pub enum TreatyState {
        /// Announced by governance; its notice runs.
        Announced = 0,
        /// Accepted: in force within its term, its limit backed by the reinsurer.
        Active = 1,
        /// Ended: its limit is released.
        Ended = 2,
    }
}

/// What a treaty is created with.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreatyTerms {
    /// Which part of the losses it pays.
    pub kind: TreatyKind,
    /// The most it pays (quota share: over its term; layer: for one incident), in asset units.
    pub limit: u64,
    /// First UTC day of the term.
    pub start_day: u32,
    /// First UTC day after the term.
    pub end_day: u32,
}

impl TreatyTerms {
    /// Refuses terms outside the hard bounds: a term of 1 to 365 days that the premium stream can hold, a limit that
    /// pools can hold capital for, parts between nothing and all.
    pub fn validate(&self) -> Result<()> {
        let days = self.end_day.saturating_sub(self.start_day);
        let shares = match self.kind {
            TreatyKind::QuotaShare { cession_bps, commission_bps } => {
                (1..=MAX_CESSION_BPS).contains(&cession_bps) && u64::from(commission_bps) < BPS
            }
            TreatyKind::ExcessOfLoss { rate_on_line_bps, reinstatements, reinstatement_premium_bps, .. } => {
                (1..=MAX_RATE_ON_LINE_BPS).contains(&rate_on_line_bps)
                    && reinstatements <= MAX_REINSTATEMENTS
                    && reinstatement_premium_bps <= MAX_REINSTATEMENT_PREMIUM_BPS
            }
        };
        let in_bounds = (1..=MAX_TREATY_DAYS).contains(&days)
            && (MIN_SMALLEST_AMOUNT..=crate::math::MAX_TOTAL_EXPOSURE).contains(&self.limit)
            && shares;
        ensure!(in_bounds, BackstopError::BadTreatyTerms);
        Ok(())
    }
}

/// Reinsurance between two pools of one asset: the cedant pays premium, the reinsurer pays part of its losses.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
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
    /// What of the limit was restored so far, in asset units.
    pub restored: u64,
    /// What incidents that skipped the treaty can still collect, in asset units.
    pub uncollected: u64,
    /// Room for later fields.
    pub reserved: [u8; 64],
}

borsh_account!(Treaty { keys: 3, discriminator: [77, 157, 32, 199, 11, 117, 80, 92] });

/// What a call of a treaty moves, in asset units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// What the reinsurer owes.
    pub owed: u64,
    /// What it loses: as much of it as it has.
    pub paid: u64,
    /// What of the limit was restored.
    pub restored: u64,
    /// What the restoring costs, taken off the payment.
    pub reinstatement_premium: u64,
}

impl Treaty {
    /// First second of the term.
    pub fn start(&self) -> i64 {
        day_start(self.start_day)
    }

    /// First second after the term.
    pub fn end(&self) -> i64 {
        day_start(self.end_day)
    }

    /// Refuses unless the treaty is in a state.
    pub fn require_state(&self, state: TreatyState) -> Result<()> {
        ensure!(self.state == state, BackstopError::WrongTreatyState);
        Ok(())
    }

    /// Premium that the cedant pays when the treaty is accepted: a layer's for its whole term, rounded up.
    pub fn premium_on_acceptance(&self) -> Result<u64> {
        match self.kind {
            TreatyKind::QuotaShare { .. } => Ok(0),
            TreatyKind::ExcessOfLoss { rate_on_line_bps, .. } => {
                Ok(treaties::layer_premium(self.limit, rate_on_line_bps).ok_or(BackstopError::MathOverflow)?)
            }
        }
    }

    /// What the treaty owes of an incident. `beyond_quota_share` is the gross loss less what the quota share owes.
    pub fn owes(&self, gross: u64, beyond_quota_share: u64) -> Result<u64> {
        Ok(match self.kind {
            TreatyKind::QuotaShare { cession_bps, .. } => {
                treaties::quota_share_owes(gross, cession_bps, self.limit_left).ok_or(BackstopError::MathOverflow)?
            }
            TreatyKind::ExcessOfLoss { attachment, .. } => {
                treaties::layer_owes(beyond_quota_share, attachment, self.limit_left)
            }
        })
    }

    /// What the reinsurer must hold capital for once `owed` more is paid: the limit left and what is uncollected.
    pub fn open_limit(&self, owed: u64) -> u64 {
        self.limit_left.saturating_sub(owed).saturating_add(self.uncollected)
    }

    /// Uses the limit for what is owed but cannot be called now; it can be collected later.
    pub fn owe_later(&mut self, owed: u64) -> Result<()> {
        self.limit_left = self.limit_left.checked_sub(owed).ok_or(BackstopError::InvariantViolated)?;
        self.uncollected = self.uncollected.checked_add(owed).ok_or(BackstopError::MathOverflow)?;
        Ok(())
    }

    /// Uses the limit for what is owed and restores it as far as the terms and the reinsurer's `room` allow.
    ///
    /// `paid` is what the reinsurer could pay of what it owes; `room` the limit that it is solvent for after the loss.
    pub fn use_limit(&mut self, owed: u64, paid: u64, room: u64) -> Result<Recovery> {
        self.limit_left = self.limit_left.checked_sub(owed).ok_or(BackstopError::InvariantViolated)?;
        let mut recovery = Recovery { owed, paid, restored: 0, reinstatement_premium: 0 };
        if let TreatyKind::ExcessOfLoss { reinstatements, reinstatement_premium_bps, .. } = self.kind {
            let in_all = self.limit.saturating_mul(u64::from(reinstatements));
            let terms = Reinstatement {
                limit: self.limit,
                premium: self.premium,
                restorable: in_all.saturating_sub(self.restored),
                premium_bps: reinstatement_premium_bps,
            };
            let (restored, cost) = terms.restore(paid, room).ok_or(BackstopError::MathOverflow)?;
            self.restored = self.restored.checked_add(restored).ok_or(BackstopError::MathOverflow)?;
            self.limit_left = self.limit_left.checked_add(restored).ok_or(BackstopError::MathOverflow)?;
            recovery.restored = restored;
            recovery.reinstatement_premium = cost;
        }
        Ok(recovery)
    }
}

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

/// Unearned part of a premium stream from the start of one day to the start of another, rounded down.
pub fn unearned_between(rate_q32: u64, from_day: u32, to_day: u32) -> Result<u64> {
    let seconds = u64::from(to_day.saturating_sub(from_day)).saturating_mul(DAY.unsigned_abs());
    Ok(mul_div(rate_q32, seconds, 1 << 32, Rounding::Down).ok_or(BackstopError::MathOverflow)?)
}
