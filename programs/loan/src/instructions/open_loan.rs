//! Borrows on collateral, insured.

use crate::cover::{Cover, Purchase, least_price, read_price, require_pool_is_quiet};
use crate::error::LoanError;
use crate::events::LoanOpened;
use crate::instructions::now;
use crate::money::{Vault, amount_of, can_receive};
use crate::state::{DAY, LOAN_SEED, Loan, Market, VERSION, credit};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;
use backstop::program::Backstop;
use backstop::state::{BoughtPosition, CoverRequest, Pool, Trigger};

/// What a borrower asks for.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct OpenLoanArgs {
    /// The loan's number in its market: any that no loan of it has now.
    pub number: u64,
    /// What is borrowed, in units of what is lent; the premium is part of it.
    pub amount: u64,
    /// What is pledged, in units of the collateral.
    pub collateral: u64,
    /// Days until it is due.
    pub term_days: u16,
    /// The most that the cover may cost.
    pub max_premium: u64,
}

/// Accounts of `open_loan`.
#[derive(Accounts)]
#[instruction(args: OpenLoanArgs)]
pub struct OpenLoan<'info> {
    /// Pays the rent of loan and position.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Borrows, and pledges.
    pub borrower: Signer<'info>,
    /// The market.
    #[account(
        mut,
        has_one = product @ LoanError::WrongAccount,
        has_one = pool @ LoanError::WrongAccount,
        has_one = trigger @ LoanError::WrongAccount,
        has_one = vault @ LoanError::WrongAccount,
        has_one = collateral_vault @ LoanError::WrongAccount,
        has_one = loan_mint @ LoanError::WrongAccount,
        has_one = collateral_mint @ LoanError::WrongAccount
    )]
    pub market: Box<Account<'info, Market>>,
    /// The loan, created here.
    #[account(
        init,
        payer = payer,
        space = 8 + Loan::INIT_SPACE,
        seeds = [LOAN_SEED, market.key().as_ref(), &args.number.to_le_bytes()],
        bump
    )]
    pub loan: Box<Account<'info, Loan>>,
    /// CHECK: where the collateral comes from; the token program checks it.
    #[account(mut)]
    pub from: UncheckedAccount<'info>,
    /// CHECK: the borrower's token account that gets the money; the handler checks it.
    #[account(mut)]
    pub to: UncheckedAccount<'info>,
    /// CHECK: the market's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the market's vault of collateral, by its address.
    #[account(mut)]
    pub collateral_vault: UncheckedAccount<'info>,
    /// CHECK: what is lent, by its address.
    pub loan_mint: UncheckedAccount<'info>,
    /// CHECK: what is pledged, by its address.
    pub collateral_mint: UncheckedAccount<'info>,
    /// CHECK: a price account of the product's feed; Backstop's own rules read it.
    pub price: UncheckedAccount<'info>,
    /// CHECK: Backstop's protocol; Backstop checks it.
    pub protocol: UncheckedAccount<'info>,
    /// The product's pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the product, by its address.
    #[account(mut)]
    pub product: UncheckedAccount<'info>,
    /// CHECK: the product's rates; Backstop checks them.
    #[account(mut)]
    pub rates: UncheckedAccount<'info>,
    /// The product's trigger.
    pub trigger: AccountLoader<'info, Trigger>,
    /// CHECK: the pool's token account; Backstop checks it.
    #[account(mut)]
    pub pool_vault: UncheckedAccount<'info>,
    /// CHECK: the position, which Backstop creates: it checks the address.
    #[account(mut)]
    pub position: UncheckedAccount<'info>,
    /// The token program of what is lent.
    pub loan_token_program: Interface<'info, TokenInterface>,
    /// CHECK: the token program of what is pledged, by its address.
    #[account(address = anchor_spl::token::ID @ LoanError::WrongAccount)]
    pub collateral_token_program: UncheckedAccount<'info>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
    /// Backstop.
    pub backstop_program: Program<'info, Backstop>,
}

/// Specification:
/// - anyone; the borrower signs for the collateral, and the money goes to an account of the borrower's;
/// - refused while the product's pool is in alert or in a crisis, and wherever Backstop sells nothing;
/// - refused unless the debt at the end of the term is within `max_ltv_bps` of the collateral's worth by a print of the
///   product's feed that is young enough, at the lower end of its confidence;
/// - buys a position for the debt at the end of the term: the market owns it, its vault is paid, and the loan is its
///   reference; nobody but this program can cancel or redirect it;
/// - the premium is taken out of the amount: the borrower gets the rest, and owes all of it;
/// - refused above the borrower's `max_premium` (by Backstop) and above the market's cap;
/// - the cover outlasts the term; its protection begins only after the product's waiting time.
pub(crate) fn handle(ctx: Context<OpenLoan>, args: OpenLoanArgs) -> Result<()> {
    let now = now()?;
    let bump = ctx.bumps.loan;
    let accounts = ctx.accounts;
    let sum_insured = check(accounts, &args, now)?;
    let due_at = now.saturating_add(i64::from(args.term_days).saturating_mul(DAY));

    pledge(accounts, args.collateral)?;
    let bought = insure(accounts, &args, sum_insured)?;
    let cap = accounts.market.terms.price_cap(args.amount, args.term_days)?;
    require!(bought.premium <= cap, LoanError::CoverTooDear);
    let ends_at = i64::from(bought.end_day).saturating_mul(DAY);
    require!(ends_at >= due_at, LoanError::CoverTooShort);
    pay_out(accounts, args.amount, bought.premium)?;

    let (market, loan) = (accounts.market.key(), accounts.loan.key());
    accounts.loan.set_inner(Loan {
        market,
        borrower: accounts.borrower.key(),
        rent_payer: accounts.payer.key(),
        position: accounts.position.key(),
        number: args.number,
        principal: args.amount,
        interest: 0,
        accrued_at: now,
        opened_at: now,
        due_at,
        collateral: args.collateral,
        premium: bought.premium,
        applied: 0,
        kept: 0,
        is_covered: true,
        version: VERSION,
        bump,
        reserved: [0; 32],
    });
    emit!(LoanOpened {
        market,
        loan,
        borrower: accounts.borrower.key(),
        amount: args.amount,
        premium: bought.premium,
        collateral: args.collateral,
        sum_insured,
        active_day: bought.active_day,
        end_day: bought.end_day,
        due_at,
    });
    Ok(())
}

/// Checks what the market asks of a loan. Returns the sum to insure: the debt at the end of the term.
#[inline(never)]
fn check(accounts: &OpenLoan, args: &OpenLoanArgs, now: i64) -> Result<u64> {
    let market = &accounts.market;
    let terms = &market.terms;
    require!(args.amount >= terms.min_loan && args.collateral > 0, LoanError::AmountTooSmall);
    require!((terms.min_term_days..=terms.max_term_days).contains(&args.term_days), LoanError::BadTerm);
    require!(args.amount <= market.cash, LoanError::NotEnoughCash);
    require!(can_receive(&accounts.to, accounts.borrower.key, &market.loan_mint), LoanError::CannotReceive);
    require_pool_is_quiet(&accounts.pool)?;
    let seconds = u64::from(args.term_days).saturating_mul(86_400);
    let debt = args.amount.checked_add(terms.interest(args.amount, seconds)?).ok_or(LoanError::MathOverflow)?;
    let print = read_price(market, &accounts.trigger, &accounts.price, now)?;
    market.require_may_borrow(debt, market.worth(args.collateral, least_price(&print))?)?;
    Ok(debt)
}

/// Takes the collateral in.
#[inline(never)]
fn pledge(accounts: &mut OpenLoan, amount: u64) -> Result<()> {
    let vault = Vault {
        account: &accounts.collateral_vault,
        mint: &accounts.collateral_mint,
        decimals: accounts.market.collateral_decimals,
        token_program: &accounts.collateral_token_program,
    };
    vault.collect(&accounts.from, &accounts.borrower, amount)?;
    credit(&mut accounts.market.collateral, amount)
}

/// Buys the cover.
#[inline(never)]
fn insure(accounts: &OpenLoan, args: &OpenLoanArgs, sum_insured: u64) -> Result<BoughtPosition> {
    let cover = Cover {
        program: &accounts.backstop_program,
        pool: accounts.pool.as_ref(),
        product: &accounts.product,
        rates: &accounts.rates,
        trigger: accounts.trigger.as_ref(),
        pool_vault: &accounts.pool_vault,
        asset_mint: &accounts.loan_mint,
        position: &accounts.position,
        token_program: &accounts.loan_token_program,
    };
    let held = amount_of(&accounts.vault)?;
    let bought = cover.buy(
        &accounts.market,
        Purchase {
            payer: &accounts.payer,
            protocol: &accounts.protocol,
            vault: &accounts.vault,
            system_program: &accounts.system_program,
            args: backstop::BuyPositionArgs {
                nonce: args.number,
                request: CoverRequest { sum_insured, term_days: args.term_days },
                max_premium: args.max_premium,
                reference: accounts.loan.key().to_bytes(),
            },
        },
    )?;
    let paid = held.checked_sub(amount_of(&accounts.vault)?);
    require!(paid == Some(bought.premium) && bought.position == accounts.position.key(), LoanError::VaultMismatch);
    Ok(bought)
}

/// Books the loan, and pays out what the cover has left of it.
#[inline(never)]
fn pay_out(accounts: &mut OpenLoan, amount: u64, premium: u64) -> Result<()> {
    accounts.market.lend(amount)?;
    let vault = Vault {
        account: &accounts.vault,
        mint: &accounts.loan_mint,
        decimals: accounts.market.loan_decimals,
        token_program: &accounts.loan_token_program,
    };
    let rest = amount.checked_sub(premium).ok_or(LoanError::CoverTooDear)?;
    vault.pay(&accounts.market, &accounts.to, rest)?;
    vault.require_holds(accounts.market.cash.checked_add(accounts.market.kept))
}
