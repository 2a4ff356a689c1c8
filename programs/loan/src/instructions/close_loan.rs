//! Gives collateral back, and ends a loan.

use crate::cover::{Cover, Standing, read_position, received, standing};
use crate::error::LoanError;
use crate::events::{CollateralReturned, CoverEnded, LoanClosed};
use crate::instructions::now;
use crate::money::{Vault, anyone_may_pay, can_receive};
use crate::state::{Loan, Market, debit};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;
use backstop::program::Backstop;
use backstop::state::{Load, Product, Trigger};

/// Accounts of `close_loan`.
#[derive(Accounts)]
pub struct CloseLoan<'info> {
    /// CHECK: the loan's borrower, by its address; whether it signs matters.
    pub borrower: UncheckedAccount<'info>,
    /// The market.
    #[account(
        mut,
        has_one = product @ LoanError::WrongAccount,
        has_one = pool @ LoanError::WrongAccount,
        has_one = trigger @ LoanError::WrongAccount,
        has_one = collateral_vault @ LoanError::WrongAccount,
        has_one = loan_mint @ LoanError::WrongAccount,
        has_one = collateral_mint @ LoanError::WrongAccount
    )]
    pub market: Box<Account<'info, Market>>,
    /// The loan.
    #[account(
        mut,
        has_one = market @ LoanError::WrongAccount,
        has_one = borrower @ LoanError::WrongAccount,
        has_one = position @ LoanError::WrongAccount,
        has_one = rent_payer @ LoanError::WrongAccount
    )]
    pub loan: Box<Account<'info, Loan>>,
    /// CHECK: gets the rent of loan and position back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: an account of the borrower's for the collateral; the handler checks it.
    #[account(mut)]
    pub borrower_collateral: UncheckedAccount<'info>,
    /// CHECK: where the refund of the cover goes: the borrower signs for it.
    #[account(mut)]
    pub borrower_assets: UncheckedAccount<'info>,
    /// CHECK: the market's vault of collateral, by its address.
    #[account(mut)]
    pub collateral_vault: UncheckedAccount<'info>,
    /// CHECK: what is lent, by its address.
    pub loan_mint: UncheckedAccount<'info>,
    /// CHECK: what is pledged, by its address.
    pub collateral_mint: UncheckedAccount<'info>,
    /// CHECK: the product's pool, by its address.
    #[account(mut)]
    pub pool: UncheckedAccount<'info>,
    /// The product.
    #[account(mut)]
    pub product: AccountLoader<'info, Product>,
    /// CHECK: the product's rates; Backstop checks them.
    #[account(mut)]
    pub rates: UncheckedAccount<'info>,
    /// The product's trigger.
    pub trigger: AccountLoader<'info, Trigger>,
    /// CHECK: the pool's token account; Backstop checks it.
    #[account(mut)]
    pub pool_vault: UncheckedAccount<'info>,
    /// CHECK: the loan's position, by its address.
    #[account(mut)]
    pub position: UncheckedAccount<'info>,
    /// The token program of what is lent.
    pub loan_token_program: Interface<'info, TokenInterface>,
    /// The token program of what is pledged.
    pub collateral_token_program: Interface<'info, TokenInterface>,
    /// Backstop.
    pub backstop_program: Program<'info, Backstop>,
}

/// Specification:
/// - anyone; refused while there is both a debt and collateral for it;
/// - the collateral goes to an account of the borrower's; unless the borrower signs, of a program's to its associated one;
/// - a cover that can no longer be paid is closed, once all that it was paid is applied;
/// - one that still runs is given back if the borrower signs, nothing is owed, and Backstop takes it back now: not on the day
///   of the purchase, nor in an alert, nor after its end; the refund is the borrower's. Nobody else can give it back: what
///   it would pay is the borrower's as well;
/// - once no cover is left, nor anything for the borrower, the loan is closed; what is still owed then is the lender's loss;
/// - refused if there is nothing to do yet.
pub(crate) fn handle(ctx: Context<CloseLoan>) -> Result<()> {
    let now = now()?;
    let accounts = ctx.accounts;
    accounts.loan.accrue(&accounts.market.terms, now)?;
    let debt = accounts.loan.debt()?;
    require!(debt == 0 || accounts.loan.collateral == 0, LoanError::LoanNotPaid);
    let returned = return_collateral(accounts)?;
    let ended = accounts.loan.is_covered && end_cover(accounts, debt, now)?;
    let is_over = accounts.loan.is_over();
    require!(returned || ended || is_over, LoanError::CoverStillLive);
    if is_over {
        let market = &mut accounts.market;
        debit(&mut market.loans, 1)?;
        debit(&mut market.lent, accounts.loan.principal)?;
        emit!(LoanClosed { market: market.key(), loan: accounts.loan.key(), loss: debt });
        accounts.loan.close(accounts.rent_payer.to_account_info())?;
    }
    Ok(())
}

/// Gives the collateral back. Returns whether there was any.
#[inline(never)]
fn return_collateral(accounts: &mut CloseLoan) -> Result<bool> {
    let amount = core::mem::take(&mut accounts.loan.collateral);
    if amount == 0 {
        return Ok(false);
    }
    let market = &mut accounts.market;
    let allowed = if accounts.borrower.is_signer { can_receive } else { anyone_may_pay };
    let payable = allowed(&accounts.borrower_collateral, accounts.borrower.key, &market.collateral_mint);
    require!(payable, LoanError::CannotReceive);
    debit(&mut market.collateral, amount)?;
    let vault = Vault {
        account: &accounts.collateral_vault,
        mint: &accounts.collateral_mint,
        decimals: market.collateral_decimals,
        token_program: &accounts.collateral_token_program,
    };
    vault.pay(market, &accounts.borrower_collateral, amount)?;
    vault.require_holds(Some(market.collateral))?;
    emit!(CollateralReturned { loan: accounts.loan.key(), amount });
    Ok(true)
}

/// Closes the cover or gives it back, if either is to be had. Returns whether it is gone.
#[inline(never)]
fn end_cover(accounts: &mut CloseLoan, debt: u64, now: i64) -> Result<bool> {
    let position = read_position(&accounts.position)?;
    if accounts.loan.unapplied(received(&position)?) > 0 {
        return Ok(false);
    }
    let standing = standing(&position, &*accounts.product.read()?, &*accounts.trigger.read()?, now);
    let cover = Cover {
        program: &accounts.backstop_program,
        pool: &accounts.pool,
        product: accounts.product.as_ref(),
        rates: &accounts.rates,
        trigger: accounts.trigger.as_ref(),
        pool_vault: &accounts.pool_vault,
        asset_mint: &accounts.loan_mint,
        position: &accounts.position,
        token_program: &accounts.loan_token_program,
    };
    match standing {
        Standing::Over => cover.close(&accounts.market, &accounts.rent_payer)?,
        Standing::Cancellable if debt == 0 && accounts.borrower.is_signer => {
            cover.cancel(&accounts.market, &accounts.borrower_assets, &accounts.rent_payer)?;
        }
        Standing::Cancellable | Standing::Live => return Ok(false),
    }
    accounts.loan.is_covered = false;
    emit!(CoverEnded { loan: accounts.loan.key(), given_back: standing == Standing::Cancellable });
    Ok(true)
}
