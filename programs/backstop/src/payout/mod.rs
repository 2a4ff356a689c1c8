//! What a proven loss pays: one file for each form.
//!
//! A form is added here and nowhere else by default: every place that looks at one names them all.

pub mod binary;
pub mod linear;

use anchor_lang::prelude::*;

/// All of a sum insured, in basis points.
pub const FULL_SEVERITY_BPS: u16 = 10_000;
/// Lowest least severity of a linear form, in basis points: who proves a loss is paid something.
pub const MIN_SEVERITY_BPS: u16 = 500;

/// How much of the sum insured a trigger pays.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All of it.
    Binary,
    /// `(threshold - mean) / (threshold - full_loss_price)` of it, between the least severity and 1.
    Linear {
        /// Mean price from which on everything is paid, in 1e-8: above 0 and below the threshold or, where prices above it
        /// are insured against, above it.
        full_loss_price: u64,
        /// Least that a proven loss pays, in basis points of the sum insured; [`MIN_SEVERITY_BPS`] to all.
        min_severity_bps: u16,
    },
}

stored_enum! {
    /// The form of a [`Severity`], as terms store it.
    pub enum PayoutForm {
        /// Pays the sum in full.
        Binary = 0,
        /// Pays by the mean price.
        Linear = 1,
    }
}

impl Severity {
    /// The form without its numbers.
    pub const fn form(self) -> PayoutForm {
        match self {
            Self::Binary => PayoutForm::Binary,
            Self::Linear { .. } => PayoutForm::Linear,
        }
    }

    /// Mean price from which on everything is paid, in 1e-8, where there is one.
    pub const fn full_loss_price(self) -> Option<u64> {
        match self {
            Self::Binary => None,
            Self::Linear { full_loss_price, .. } => Some(full_loss_price),
        }
    }

    /// Least that a proven loss pays, in basis points of the sum insured, where it is not all.
    pub const fn min_severity_bps(self) -> Option<u16> {
        match self {
            Self::Binary => None,
            Self::Linear { min_severity_bps, .. } => Some(min_severity_bps),
        }
    }

    /// Least that a proven loss pays, in basis points of the sum insured.
    pub const fn least_bps(self) -> u16 {
        match self {
            Self::Binary => FULL_SEVERITY_BPS,
            Self::Linear { min_severity_bps, .. } => min_severity_bps,
        }
    }

    /// What a mean price beyond a threshold pays, both in 1e-8: in basis points of the sum insured, rounded down, against
    /// the claim.
    pub fn severity_bps(self, threshold: u64, mean: u64) -> u16 {
        match self {
            Self::Binary => binary::severity_bps(),
            Self::Linear { full_loss_price, min_severity_bps } => {
                linear::severity_bps(threshold, full_loss_price, min_severity_bps, mean)
            }
        }
    }
}
