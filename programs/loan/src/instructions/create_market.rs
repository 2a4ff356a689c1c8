//! Creates a market.

use crate::error::LoanError;
use crate::events::MarketCreated;
use crate::state::{MARKET_SEED, Market, MarketTerms, VERSION};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use backstop::peril::evidence::Direction;
use backstop::peril::feed::Source;
use backstop::state::{Form, Load, Pool, Product, Trigger};

/// Accounts of `create_market`.
#[derive(Accounts)]
pub struct CreateMarket<'info> {
    /// Lends, and pays the rent.
    #[account(mut)]
    pub lender: Signer<'info>,
    /// The market, created here.
    #[account(
        init,
        payer = lender,
        space = 8 + Market::INIT_SPACE,
        seeds = [MARKET_SEED, lender.key().as_ref(), product.key().as_ref()],
        bump
    )]
    pub market: Box<Account<'info, Market>>,
    /// The product's pool.
    pub pool: AccountLoader<'info, Pool>,
    /// The product that will insure the loans.
    #[account(has_one = pool @ LoanError::WrongProduct, has_one = trigger @ LoanError::WrongProduct)]
    pub product: AccountLoader<'info, Product>,
    /// The product's trigger.
    pub trigger: AccountLoader<'info, Trigger>,
    /// What is lent.
    pub loan_mint: Box<InterfaceAccount<'info, Mint>>,
    /// What is pledged.
    pub collateral_mint: Box<InterfaceAccount<'info, Mint>>,
    /// The market's associated token account of what is lent; there already.
    #[account(
        associated_token::mint = loan_mint,
        associated_token::authority = market,
        associated_token::token_program = loan_token_program
    )]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The market's associated token account of what is pledged; there already.
    #[account(
        associated_token::mint = collateral_mint,
        associated_token::authority = market,
        associated_token::token_program = collateral_token_program
    )]
    pub collateral_vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The token program of what is lent.
    pub loan_token_program: Interface<'info, TokenInterface>,
    /// The token program of what is pledged: SPL Token, whose transfers cost nothing.
    #[account(address = anchor_spl::token::ID @ LoanError::WrongProduct)]
    pub collateral_token_program: Interface<'info, TokenInterface>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - one market a lender and product; its terms never change;
/// - what is lent is the asset of the product's pool, so that payouts pay debts; what is pledged is the asset that the
///   product insures;
/// - the product insures a fall below a price, by a Pyth feed: the same that collateral is valued by;
/// - the vaults are the market's associated token accounts, which the client creates before.
pub(crate) fn handle(ctx: Context<CreateMarket>, terms: MarketTerms) -> Result<()> {
    terms.validate()?;
    let accounts = ctx.accounts;
    let (loan_mint, collateral_mint) = (accounts.loan_mint.key(), accounts.collateral_mint.key());
    {
        let (pool, product, trigger) = (accounts.pool.read()?, accounts.product.read()?, accounts.trigger.read()?);
        let is_insured = pool.asset_mint == loan_mint
            && product.covered_asset == collateral_mint
            && trigger.form() == Form::Evidence
            && trigger.terms.direction() == Direction::Below
            && matches!(trigger.source(), Source::PythReceiver | Source::PythPush);
        require!(is_insured, LoanError::WrongProduct);
    }
    let (loan_decimals, collateral_decimals) = (accounts.loan_mint.decimals, accounts.collateral_mint.decimals);
    let is_sensible =
        loan_decimals <= 9 && collateral_decimals <= 12 && collateral_decimals.saturating_add(8) >= loan_decimals;
    require!(is_sensible, LoanError::WrongProduct);
    let market = Market {
        lender: accounts.lender.key(),
        product: accounts.product.key(),
        pool: accounts.pool.key(),
        trigger: accounts.trigger.key(),
        loan_mint,
        collateral_mint,
        vault: accounts.vault.key(),
        collateral_vault: accounts.collateral_vault.key(),
        terms,
        cash: 0,
        kept: 0,
        lent: 0,
        collateral: 0,
        loans: 0,
        loan_decimals,
        collateral_decimals,
        version: VERSION,
        bump: ctx.bumps.market,
        reserved: [0; 32],
    };
    emit!(MarketCreated { market: accounts.market.key(), lender: market.lender, product: market.product, terms });
    accounts.market.set_inner(market);
    Ok(())
}
