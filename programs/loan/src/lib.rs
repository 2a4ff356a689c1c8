//! A small lender whose loans are insured: the example of a program that builds on Backstop.
//!
//! A lender puts a stablecoin into a market. A borrower pledges the coin that a Backstop product insures, and borrows. With
//! the loan the market buys a position of the product for the debt, out of the borrowed sum; the position pays the
//! market's vault. If the pledged coin falls, the payout pays the debt first, and the rest is the borrower's. This file is
//! the table of contents; how to do the same in a program of one's own is in `README.md`.

#![deny(
    unsafe_code,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::unwrap_used))]

pub mod cover;
pub mod error;
pub mod events;
pub mod instructions;
pub mod money;
pub mod state;

use anchor_lang::prelude::*;

pub use instructions::*;
use state::MarketTerms;

declare_id!("BackstopLoan1111111111111111111111111111111");

#[program]
pub mod loan {
    use super::*;

    /// Creates a market: what is lent, what is pledged, which product insures. The lender.
    pub fn create_market(ctx: Context<CreateMarket>, terms: MarketTerms) -> Result<()> {
        instructions::create_market::handle(ctx, terms)
    }

    /// Puts money into a market. Its lender.
    pub fn supply(ctx: Context<Supply>, amount: u64) -> Result<()> {
        instructions::supply::handle(ctx, amount)
    }

    /// Takes money out that is not lent. The market's lender.
    pub fn withdraw(ctx: Context<Withdraw>, amount: u64) -> Result<()> {
        instructions::withdraw::handle(ctx, amount)
    }

    /// Borrows on collateral, and buys the cover out of what is borrowed. Anyone.
    pub fn open_loan(ctx: Context<OpenLoan>, args: OpenLoanArgs) -> Result<()> {
        instructions::open_loan::handle(ctx, args)
    }

    /// Pays a loan back, or a part of it. Anyone.
    pub fn repay(ctx: Context<Repay>, amount: u64) -> Result<()> {
        instructions::repay::handle(ctx, amount)
    }

    /// Makes the cover of a loan smaller, for what was repaid; the refund is the borrower's. The borrower.
    pub fn reduce_cover(ctx: Context<ReduceCover>, sum_insured: u64) -> Result<()> {
        instructions::reduce_cover::handle(ctx, sum_insured)
    }

    /// Pays the debt with what the cover was paid; the rest goes to the borrower. Anyone, again when more comes.
    pub fn apply_payout(ctx: Context<ApplyPayout>) -> Result<()> {
        instructions::apply_payout::handle(ctx)
    }

    /// Takes collateral for the debt, once it is due or the collateral is worth too little. The market's lender.
    pub fn liquidate(ctx: Context<Liquidate>) -> Result<()> {
        instructions::liquidate::handle(ctx)
    }

    /// Gives the collateral of a paid loan back, and ends the loan once its cover is over. Anyone; the borrower's signature
    /// gives the cover back too.
    pub fn close_loan(ctx: Context<CloseLoan>) -> Result<()> {
        instructions::close_loan::handle(ctx)
    }
}
