//! What a proven loss pays: one file for each form.
//!
//! A form is added here and nowhere else by default: every place that looks at one names them all.

pub mod binary;
pub mod linear;

use anchor_lang::prelude::*;

/// All of a sum insured, in basis points.
pub const FULL_SEVERITY_BPS: u16 = 10_000;

/// How much of the sum insured a trigger pays.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All of it.
    Binary,
    /// `(threshold - mean) / (threshold - full_loss_price)` of it, between 0 and 1.
    Linear {
        /// Mean price at and below which everything is paid, in 1e-8; above 0 and below the threshold.
        full_loss_price: u64,
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

    /// Mean price at and below which everything is paid, in 1e-8, where there is one.
    pub const fn full_loss_price(self) -> Option<u64> {
        match self {
            Self::Binary => None,
            Self::Linear { full_loss_price } => Some(full_loss_price),
        }
    }

    /// What the mean of `count` prices below a threshold pays, given their sum in 1e-8: in basis points of the sum
    /// insured, rounded down, against the claim. It takes the sum, so that the rounding of a mean does not enter.
    pub fn severity_bps(self, threshold: u64, sum: u128, count: u64) -> u16 {
        match self {
            Self::Binary => binary::severity_bps(),
            Self::Linear { full_loss_price } => linear::severity_bps(threshold, full_loss_price, sum, count),
        }
    }
}
