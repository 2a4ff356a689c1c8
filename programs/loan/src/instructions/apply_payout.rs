//! Pays a debt with what its cover was paid.

use crate::cover::{read_position, received};
use crate::error::LoanError;
use crate::events::PayoutApplied;
use crate::instructions::now;
use crate::money::{Vault, anyone_may_pay};
use crate::state::{Application, Loan, Market, credit, debit};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `apply_payout`.
#[derive(Accounts)]
pub struct ApplyPayout<'info> {
    /// The market.
    #[account(mut, has_one = vault @ LoanError::WrongAccount, has_one = loan_mint @ LoanError::WrongAccount)]
    pub market: Box<Account<'info, Market>>,
    /// The loan.
    #[account(mut, has_one = market @ LoanError::WrongAccount, has_one = position @ LoanError::WrongAccount)]
    pub loan: Box<Account<'info, Loan>>,
    /// CHECK: the loan's position, by its address.
    pub position: UncheckedAccount<'info>,
    /// CHECK: a token account of the borrower's; if it cannot be paid, the rest is kept.
    #[account(mut)]
    pub borrower_assets: UncheckedAccount<'info>,
    /// CHECK: the market's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: what is lent, by its address.
    pub loan_mint: UncheckedAccount<'info>,
    /// The token program of what is lent.
    pub loan_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, at any time, as often as more was paid for the position: `paid + refunded - applied`, never twice; what else
///   comes into the vault is no payout;
/// - the debt first, interest before principal; the rest to an account of the borrower's, of a program's to its associated
///   one;
/// - a borrower who cannot be paid holds the lender up by nothing: the rest is kept, and another call pays it;
/// - refused if there is nothing new and nothing that can be paid.
pub(crate) fn handle(ctx: Context<ApplyPayout>) -> Result<()> {
    let now = now()?;
    let accounts = ctx.accounts;
    let (market, loan) = (&mut accounts.market, &mut accounts.loan);
    loan.accrue(&market.terms, now)?;
    let received = if loan.is_covered { received(&read_position(&accounts.position)?)? } else { loan.applied };
    let before = loan.kept;
    let Application { amount, paid } = loan.apply(received)?;
    market.collect(&paid)?;
    credit(&mut market.kept, loan.kept.saturating_sub(before))?;

    let payable = anyone_may_pay(&accounts.borrower_assets, &loan.borrower, &market.loan_mint);
    let sent = if payable { core::mem::take(&mut loan.kept) } else { 0 };
    require!(amount > 0 || sent > 0, LoanError::NothingToApply);
    debit(&mut market.kept, sent)?;
    let vault = Vault {
        account: &accounts.vault,
        mint: &accounts.loan_mint,
        decimals: market.loan_decimals,
        token_program: &accounts.loan_token_program,
    };
    vault.pay(market, &accounts.borrower_assets, sent)?;
    vault.require_holds(market.cash.checked_add(market.kept))?;
    emit!(PayoutApplied {
        loan: loan.key(),
        amount,
        interest: paid.interest,
        principal: paid.principal,
        debt: loan.debt()?,
        sent,
        kept: loan.kept,
    });
    Ok(())
}
