//! Pays a loan back.

use crate::error::LoanError;
use crate::events::Repaid;
use crate::instructions::now;
use crate::money::Vault;
use crate::state::{Loan, Market};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `repay`.
#[derive(Accounts)]
pub struct Repay<'info> {
    /// Pays.
    pub payer: Signer<'info>,
    /// The market.
    #[account(mut, has_one = vault @ LoanError::WrongAccount, has_one = loan_mint @ LoanError::WrongAccount)]
    pub market: Box<Account<'info, Market>>,
    /// The loan.
    #[account(mut, has_one = market @ LoanError::WrongAccount)]
    pub loan: Box<Account<'info, Loan>>,
    /// CHECK: where the money comes from; the token program checks it.
    #[account(mut)]
    pub from: UncheckedAccount<'info>,
    /// CHECK: the market's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: what is lent, by its address.
    pub loan_mint: UncheckedAccount<'info>,
    /// The token program of what is lent.
    pub loan_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, at any time, also in an alert; no more than the debt is taken, interest first;
/// - the cover stays as it is: what it pays for a part that was repaid is the borrower's. `close_loan` gives it back.
pub(crate) fn handle(ctx: Context<Repay>, amount: u64) -> Result<()> {
    let now = now()?;
    let accounts = ctx.accounts;
    accounts.loan.accrue(&accounts.market.terms, now)?;
    require!(amount > 0, LoanError::AmountTooSmall);
    let paid = accounts.loan.pay(amount);
    let total = paid.total()?;
    require!(total > 0, LoanError::NoDebt);
    let vault = Vault {
        account: &accounts.vault,
        mint: &accounts.loan_mint,
        decimals: accounts.market.loan_decimals,
        token_program: &accounts.loan_token_program,
    };
    vault.collect(&accounts.from, &accounts.payer, total)?;
    accounts.market.collect(&paid)?;
    let debt = accounts.loan.debt()?;
    emit!(Repaid { loan: accounts.loan.key(), interest: paid.interest, principal: paid.principal, debt });
    Ok(())
}
