//! Makes a loan's cover smaller.

use crate::cover::{Cover, read_position};
use crate::error::LoanError;
use crate::events::CoverReduced;
use crate::instructions::now;
use crate::state::{Loan, Market};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;
use backstop::program::Backstop;

/// Accounts of `reduce_cover`.
#[derive(Accounts)]
pub struct ReduceCover<'info> {
    /// The loan's borrower, who has paid for the cover.
    pub borrower: Signer<'info>,
    /// The market.
    #[account(
        has_one = product @ LoanError::WrongAccount,
        has_one = pool @ LoanError::WrongAccount,
        has_one = trigger @ LoanError::WrongAccount,
        has_one = loan_mint @ LoanError::WrongAccount
    )]
    pub market: Box<Account<'info, Market>>,
    /// The loan.
    #[account(
        mut,
        has_one = market @ LoanError::WrongAccount,
        has_one = borrower @ LoanError::WrongAccount,
        has_one = position @ LoanError::WrongAccount
    )]
    pub loan: Box<Account<'info, Loan>>,
    /// CHECK: where the refund goes: the borrower signs for it.
    #[account(mut)]
    pub borrower_assets: UncheckedAccount<'info>,
    /// CHECK: what is lent, by its address.
    pub loan_mint: UncheckedAccount<'info>,
    /// CHECK: the product's pool, by its address.
    #[account(mut)]
    pub pool: UncheckedAccount<'info>,
    /// CHECK: the product, by its address.
    #[account(mut)]
    pub product: UncheckedAccount<'info>,
    /// CHECK: the product's rates; Backstop checks them.
    #[account(mut)]
    pub rates: UncheckedAccount<'info>,
    /// CHECK: the product's trigger, by its address.
    pub trigger: UncheckedAccount<'info>,
    /// CHECK: the pool's token account; Backstop checks it.
    #[account(mut)]
    pub pool_vault: UncheckedAccount<'info>,
    /// CHECK: the loan's position, by its address.
    #[account(mut)]
    pub position: UncheckedAccount<'info>,
    /// The token program of what is lent.
    pub loan_token_program: Interface<'info, TokenInterface>,
    /// Backstop.
    pub backstop_program: Program<'info, Backstop>,
}

/// Specification:
/// - only the borrower, who loses what the part would have paid, and has the fee: beside `repay` in one transaction or, where
///   that was in an alert, later;
/// - the sum that stays is at least what will be owed when the loan is due;
/// - all else is Backstop's: not on the day of the purchase, nor in an alert, nor once anything was paid; the refund is the
///   borrower's.
pub(crate) fn handle(ctx: Context<ReduceCover>, sum_insured: u64) -> Result<()> {
    let now = now()?;
    let accounts = ctx.accounts;
    let loan = &mut accounts.loan;
    loan.accrue(&accounts.market.terms, now)?;
    require!(sum_insured >= loan.debt_at_end(&accounts.market.terms)?, LoanError::CoverTooSmall);
    let cover = Cover {
        program: &accounts.backstop_program,
        pool: &accounts.pool,
        product: &accounts.product,
        rates: &accounts.rates,
        trigger: &accounts.trigger,
        pool_vault: &accounts.pool_vault,
        asset_mint: &accounts.loan_mint,
        position: &accounts.position,
        token_program: &accounts.loan_token_program,
    };
    cover.reduce(&accounts.market, &accounts.borrower_assets, sum_insured)?;
    let stays = read_position(&accounts.position)?.sum_insured;
    require!(stays == sum_insured, LoanError::CoverTooSmall);
    emit!(CoverReduced { loan: accounts.loan.key(), sum_insured });
    Ok(())
}
