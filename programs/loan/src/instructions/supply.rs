//! Puts money into a market.

use crate::error::LoanError;
use crate::events::Supplied;
use crate::money::Vault;
use crate::state::{Market, credit};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `supply`.
#[derive(Accounts)]
pub struct Supply<'info> {
    /// The market's lender.
    pub lender: Signer<'info>,
    /// The market.
    #[account(
        mut,
        has_one = lender @ LoanError::WrongAccount,
        has_one = vault @ LoanError::WrongAccount,
        has_one = loan_mint @ LoanError::WrongAccount
    )]
    pub market: Box<Account<'info, Market>>,
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
/// - only the lender; only what is supplied here counts, a donation is nobody's.
pub(crate) fn handle(ctx: Context<Supply>, amount: u64) -> Result<()> {
    require!(amount > 0, LoanError::AmountTooSmall);
    let accounts = ctx.accounts;
    let vault = Vault {
        account: &accounts.vault,
        mint: &accounts.loan_mint,
        decimals: accounts.market.loan_decimals,
        token_program: &accounts.loan_token_program,
    };
    vault.collect(&accounts.from, &accounts.lender, amount)?;
    credit(&mut accounts.market.cash, amount)?;
    emit!(Supplied { market: accounts.market.key(), amount, cash: accounts.market.cash });
    Ok(())
}
