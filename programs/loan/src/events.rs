//! What the lender reports: an event for each change. Amounts are in the smallest unit of their mint.

use crate::state::MarketTerms;
use anchor_lang::prelude::*;

/// A market was created.
#[event]
pub struct MarketCreated {
    /// The market.
    pub market: Pubkey,
    /// Whoever lends.
    pub lender: Pubkey,
    /// The product that insures its loans.
    pub product: Pubkey,
    /// What it lends on.
    pub terms: MarketTerms,
}

/// The lender put money in.
#[event]
pub struct Supplied {
    /// The market.
    pub market: Pubkey,
    /// How much.
    pub amount: u64,
    /// What the market can lend now.
    pub cash: u64,
}

/// The lender took money out.
#[event]
pub struct Withdrawn {
    /// The market.
    pub market: Pubkey,
    /// How much.
    pub amount: u64,
    /// What the market can lend now.
    pub cash: u64,
}

/// A loan was opened and insured.
#[event]
pub struct LoanOpened {
    /// The market.
    pub market: Pubkey,
    /// The loan.
    pub loan: Pubkey,
    /// Whoever borrows.
    pub borrower: Pubkey,
    /// Borrowed, the premium included.
    pub amount: u64,
    /// What of it the cover cost.
    pub premium: u64,
    /// Pledged.
    pub collateral: u64,
    /// What the cover pays at most.
    pub sum_insured: u64,
    /// First UTC day that it insures.
    pub active_day: u32,
    /// First UTC day that it no longer insures.
    pub end_day: u32,
    /// When the loan is due, in unix seconds.
    pub due_at: i64,
}

/// Something of a debt was paid.
#[event]
pub struct Repaid {
    /// The loan.
    pub loan: Pubkey,
    /// Interest that was paid.
    pub interest: u64,
    /// Principal that was paid.
    pub principal: u64,
    /// What is still owed.
    pub debt: u64,
}

/// What a cover was paid was applied.
#[event]
pub struct PayoutApplied {
    /// The loan.
    pub loan: Pubkey,
    /// What the cover was paid more than was applied before.
    pub amount: u64,
    /// Of it for interest.
    pub interest: u64,
    /// Of it for principal.
    pub principal: u64,
    /// What is still owed.
    pub debt: u64,
    /// Sent to the borrower now.
    pub sent: u64,
    /// Kept for the borrower, who could not be paid.
    pub kept: u64,
}

/// The lender took collateral for a debt.
#[event]
pub struct Liquidated {
    /// The loan.
    pub loan: Pubkey,
    /// Collateral that the lender took.
    pub collateral: u64,
    /// The price that it was taken at, in 1e-8.
    pub price: u64,
    /// Interest that it paid.
    pub interest: u64,
    /// Principal that it paid.
    pub principal: u64,
    /// What is still owed; payouts pay it first.
    pub debt: u64,
}

/// Collateral went back to a borrower.
#[event]
pub struct CollateralReturned {
    /// The loan.
    pub loan: Pubkey,
    /// How much.
    pub amount: u64,
}

/// A loan's cover was made smaller; the refund went to the borrower.
#[event]
pub struct CoverReduced {
    /// The loan.
    pub loan: Pubkey,
    /// What it pays at most now.
    pub sum_insured: u64,
}

/// A loan's cover is over: given back for a refund to the borrower, or closed after all was paid.
#[event]
pub struct CoverEnded {
    /// The loan.
    pub loan: Pubkey,
    /// Whether it was given back.
    pub given_back: bool,
}

/// A loan is over.
#[event]
pub struct LoanClosed {
    /// The market.
    pub market: Pubkey,
    /// The loan.
    pub loan: Pubkey,
    /// What was never paid.
    pub loss: u64,
}
