//! Takes money out of a market.

use crate::error::LoanError;
use crate::events::Withdrawn;
use crate::money::Vault;
use crate::state::Market;
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `withdraw`.
#[derive(Accounts)]
pub struct Withdraw<'info> {
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
    /// CHECK: where the money goes; the token program checks it.
    #[account(mut)]
    pub to: UncheckedAccount<'info>,
    /// CHECK: the market's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: what is lent, by its address.
    pub loan_mint: UncheckedAccount<'info>,
    /// The token program of what is lent.
    pub loan_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - only the lender, only of the market's cash: neither what is kept for borrowers nor a payout that is not applied.
pub(crate) fn handle(ctx: Context<Withdraw>, amount: u64) -> Result<()> {
    require!(amount > 0, LoanError::AmountTooSmall);
    let accounts = ctx.accounts;
    let market = &mut accounts.market;
    market.cash = market.cash.checked_sub(amount).ok_or(LoanError::NotEnoughCash)?;
    let vault = Vault {
        account: &accounts.vault,
        mint: &accounts.loan_mint,
        decimals: market.loan_decimals,
        token_program: &accounts.loan_token_program,
    };
    vault.pay(market, &accounts.to, amount)?;
    vault.require_holds(market.cash.checked_add(market.kept))?;
    emit!(Withdrawn { market: market.key(), amount, cash: market.cash });
    Ok(())
}
