//! Takes collateral for a debt.

use crate::cover::{most_price, read_position, read_price, received};
use crate::error::LoanError;
use crate::events::Liquidated;
use crate::instructions::now;
use crate::money::Vault;
use crate::state::{Loan, Market, Seizure, debit};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;
use backstop::state::Trigger;

/// Accounts of `liquidate`.
#[derive(Accounts)]
pub struct Liquidate<'info> {
    /// The market's lender.
    pub lender: Signer<'info>,
    /// The market.
    #[account(
        mut,
        has_one = lender @ LoanError::WrongAccount,
        has_one = trigger @ LoanError::WrongAccount,
        has_one = collateral_vault @ LoanError::WrongAccount,
        has_one = collateral_mint @ LoanError::WrongAccount
    )]
    pub market: Box<Account<'info, Market>>,
    /// The loan.
    #[account(mut, has_one = market @ LoanError::WrongAccount, has_one = position @ LoanError::WrongAccount)]
    pub loan: Box<Account<'info, Loan>>,
    /// CHECK: the loan's position, by its address.
    pub position: UncheckedAccount<'info>,
    /// The product's trigger, for its feed alone.
    pub trigger: AccountLoader<'info, Trigger>,
    /// CHECK: a price account of the product's feed; Backstop's own rules read it.
    pub price: UncheckedAccount<'info>,
    /// CHECK: where the collateral goes; the token program checks it.
    #[account(mut)]
    pub to: UncheckedAccount<'info>,
    /// CHECK: the market's vault of collateral, by its address.
    #[account(mut)]
    pub collateral_vault: UncheckedAccount<'info>,
    /// CHECK: what is pledged, by its address.
    pub collateral_mint: UncheckedAccount<'info>,
    /// The token program of what is pledged.
    pub collateral_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - only the lender, who bears the loss of a collateral that falls on; once the loan is due, or while the debt is more than
///   `liquidation_ltv_bps` of the collateral's worth at the upper end of a young print's confidence;
/// - an alert, a crisis, a pause or an incident of Backstop stops it in nothing: no account of the pool is asked for;
/// - takes what is worth the debt at that price, rounded down, and all of it if it is not worth the debt; the rest stays the
///   borrower's;
/// - what was paid for the cover is applied before: whoever has been paid takes nothing for it;
/// - the cover stays: what it pays later pays what is still owed, the lender's loss, and the rest is the borrower's, whose
///   collateral has paid the debt.
pub(crate) fn handle(ctx: Context<Liquidate>) -> Result<()> {
    let now = now()?;
    let accounts = ctx.accounts;
    let (market, loan) = (&mut accounts.market, &mut accounts.loan);
    loan.accrue(&market.terms, now)?;
    if loan.is_covered {
        let received = received(&read_position(&accounts.position)?)?;
        require!(loan.unapplied(received) == 0, LoanError::ApplyPayoutFirst);
    }
    let debt = loan.debt()?;
    require!(debt > 0, LoanError::NoDebt);
    require!(loan.collateral > 0, LoanError::NotLiquidatable);
    let price = most_price(&read_price(market, &accounts.trigger, &accounts.price, now)?);
    let worth = market.most_worth(loan.collateral, price)?;
    let may_take = now >= loan.due_at || market.is_worth_too_little(debt, worth);
    require!(may_take, LoanError::NotLiquidatable);

    let Seizure { taken, pays } = market.seizure(loan.collateral, debt, price)?;
    let paid = loan.pay(pays);
    debit(&mut market.lent, paid.principal)?;
    debit(&mut loan.collateral, taken)?;
    debit(&mut market.collateral, taken)?;
    let vault = Vault {
        account: &accounts.collateral_vault,
        mint: &accounts.collateral_mint,
        decimals: market.collateral_decimals,
        token_program: &accounts.collateral_token_program,
    };
    vault.pay(market, &accounts.to, taken)?;
    vault.require_holds(Some(market.collateral))?;
    emit!(Liquidated {
        loan: loan.key(),
        collateral: taken,
        price,
        interest: paid.interest,
        principal: paid.principal,
        debt: loan.debt()?,
    });
    Ok(())
}
