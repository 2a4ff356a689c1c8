//! A market and its loans: their rules, without accounts and calls.
//!
//! Rounding goes against whoever acts: interest is rounded up, the worth of collateral down for a borrower and up for a
//! lender who takes it, and what a lender takes down.

use crate::error::LoanError;
use anchor_lang::prelude::*;

/// Basis points in one whole.
pub const BPS: u64 = 10_000;
/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Days of a year.
pub const YEAR_DAYS: u64 = 365;
/// Seconds of a year.
const YEAR: u64 = YEAR_DAYS * 86_400;
/// Decimals of a price.
const PRICE_DECIMALS: u32 = 8;
/// Seed of a market, before its lender and its product.
pub const MARKET_SEED: &[u8] = b"market";
/// Seed of a loan, before its market and its number.
pub const LOAN_SEED: &[u8] = b"loan";
/// Layout of the accounts.
pub const VERSION: u8 = 1;

/// What a market lends on. It never changes.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketTerms {
    /// Most that may be owed at the end of the term, of the collateral's worth, in basis points.
    pub max_ltv_bps: u16,
    /// Debt of the collateral's worth above which the lender may take it, in basis points.
    pub liquidation_ltv_bps: u16,
    /// Simple interest a year on the principal, in basis points.
    pub interest_bps: u16,
    /// Most that a cover may cost a year, of the borrowed amount, in basis points.
    pub max_price_bps: u16,
    /// Shortest term, in days.
    pub min_term_days: u16,
    /// Longest term, in days.
    pub max_term_days: u16,
    /// Oldest price that collateral is valued by, in seconds.
    pub max_price_age: u32,
    /// Least amount of a loan, in units of what is lent.
    pub min_loan: u64,
}

impl MarketTerms {
    /// Refuses terms out of bounds.
    pub fn validate(&self) -> Result<()> {
        let in_bounds = self.max_ltv_bps > 0
            && self.max_ltv_bps < self.liquidation_ltv_bps
            && u64::from(self.liquidation_ltv_bps) <= BPS
            && u64::from(self.interest_bps) <= BPS
            && self.max_price_bps > 0
            && (1..=self.max_term_days).contains(&self.min_term_days)
            && (1..=3_600).contains(&self.max_price_age)
            && self.min_loan > 0;
        require!(in_bounds, LoanError::BadTerms);
        Ok(())
    }

    /// Interest on a principal for some seconds, rounded up.
    pub fn interest(&self, principal: u64, seconds: u64) -> Result<u64> {
        let product = u128::from(principal)
            .checked_mul(u128::from(self.interest_bps))
            .and_then(|product| product.checked_mul(u128::from(seconds)));
        let whole = u128::from(BPS).saturating_mul(u128::from(YEAR));
        fits(product.map(|product| product.div_ceil(whole)))
    }

    /// The most that the cover of a loan may cost, rounded down.
    pub fn price_cap(&self, amount: u64, term_days: u16) -> Result<u64> {
        let product = u128::from(amount)
            .checked_mul(u128::from(self.max_price_bps))
            .and_then(|product| product.checked_mul(u128::from(term_days)));
        let whole = BPS.saturating_mul(YEAR_DAYS);
        fits(product.and_then(|product| product.checked_div(u128::from(whole))))
    }
}

/// A lender, what it lends, on what, and which product insures its loans.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct Market {
    /// Whoever lends.
    pub lender: Pubkey,
    /// The product that insures the loans. Its covered asset is the collateral.
    pub product: Pubkey,
    /// The product's pool. Its asset is what is lent.
    pub pool: Pubkey,
    /// The product's trigger: its feed values the collateral.
    pub trigger: Pubkey,
    /// What is lent.
    pub loan_mint: Pubkey,
    /// What is pledged.
    pub collateral_mint: Pubkey,
    /// The market's associated token account of what is lent: covers pay it.
    pub vault: Pubkey,
    /// The market's associated token account of what is pledged.
    pub collateral_vault: Pubkey,
    /// What it lends on.
    pub terms: MarketTerms,
    /// What the vault holds for the lender: neither lent nor anybody else's. A donation is not counted, nor a payout before
    /// it is applied.
    pub cash: u64,
    /// What the vault holds for borrowers who could not be paid.
    pub kept: u64,
    /// Principal that is lent.
    pub lent: u64,
    /// Collateral of all loans.
    pub collateral: u64,
    /// Loans that are open.
    pub loans: u64,
    /// Decimals of what is lent.
    pub loan_decimals: u8,
    /// Decimals of what is pledged.
    pub collateral_decimals: u8,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Room for later fields.
    pub reserved: [u8; 32],
}

impl Market {
    /// What a unit of worth is divided by: `collateral x price / 10^this` is in units of what is lent.
    fn scale(&self) -> Result<u128> {
        let decimals = u32::from(self.collateral_decimals)
            .checked_add(PRICE_DECIMALS)
            .and_then(|decimals| decimals.checked_sub(u32::from(self.loan_decimals)));
        let scale = decimals.and_then(|decimals| 10u128.checked_pow(decimals));
        Ok(scale.ok_or(LoanError::MathOverflow)?)
    }

    /// What an amount of collateral is worth at a price in 1e-8, in units of what is lent, rounded down.
    pub fn worth(&self, collateral: u64, price: u64) -> Result<u64> {
        let product = u128::from(collateral).checked_mul(u128::from(price));
        fits(product.and_then(|product| product.checked_div(self.scale().ok()?)))
    }

    /// The same, rounded up: for a lender who takes it.
    pub fn most_worth(&self, collateral: u64, price: u64) -> Result<u64> {
        let (product, scale) = (u128::from(collateral).checked_mul(u128::from(price)), self.scale()?);
        fits(product.map(|product| product.div_ceil(scale)))
    }

    /// Refuses a debt at the end of the term that is more than collateral of this worth may carry.
    pub fn require_may_borrow(&self, debt: u64, worth: u64) -> Result<()> {
        let is_enough = part(debt, BPS) <= part(worth, u64::from(self.terms.max_ltv_bps));
        require!(is_enough, LoanError::TooLittleCollateral);
        Ok(())
    }

    /// Whether a debt is more than collateral of this worth may carry before the lender may take it.
    pub fn is_worth_too_little(&self, debt: u64, worth: u64) -> bool {
        part(debt, BPS) > part(worth, u64::from(self.terms.liquidation_ltv_bps))
    }

    /// What of the collateral the lender takes for a debt at a price, rounded down, and what of the debt that pays. If the
    /// collateral is not worth the debt, all of it, which pays its worth, rounded up.
    pub fn seizure(&self, collateral: u64, debt: u64, price: u64) -> Result<Seizure> {
        let needed = u128::from(debt)
            .checked_mul(self.scale()?)
            .and_then(|scaled| scaled.checked_div(u128::from(price)))
            .ok_or(LoanError::MathOverflow)?;
        match u64::try_from(needed).ok().filter(|needed| *needed <= collateral) {
            Some(taken) => Ok(Seizure { taken, pays: debt }),
            None => {
                let worth = self.most_worth(collateral, price)?;
                Ok(Seizure { taken: collateral, pays: worth.min(debt) })
            }
        }
    }

    /// Lends an amount.
    pub fn lend(&mut self, amount: u64) -> Result<()> {
        self.cash = self.cash.checked_sub(amount).ok_or(LoanError::NotEnoughCash)?;
        credit(&mut self.lent, amount)?;
        credit(&mut self.loans, 1)
    }

    /// Books what of a debt was paid in money.
    pub fn collect(&mut self, paid: &Paid) -> Result<()> {
        credit(&mut self.cash, paid.total()?)?;
        debit(&mut self.lent, paid.principal)
    }
}

/// What a lender takes for a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seizure {
    /// Collateral that is taken.
    pub taken: u64,
    /// What of the debt that pays.
    pub pays: u64,
}

/// What of a debt was paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paid {
    /// Interest.
    pub interest: u64,
    /// Principal.
    pub principal: u64,
}

impl Paid {
    /// Both.
    pub fn total(&self) -> Result<u64> {
        fits(self.interest.checked_add(self.principal).map(u128::from))
    }
}

/// A loan, its collateral, and what of its cover's payouts was applied.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct Loan {
    /// The market.
    pub market: Pubkey,
    /// Whoever borrowed.
    pub borrower: Pubkey,
    /// Whoever paid the rent of this account and of the position.
    pub rent_payer: Pubkey,
    /// The position that insures it; the market is its owner.
    pub position: Pubkey,
    /// The loan's number, which is the position's too.
    pub number: u64,
    /// What is owed of the amount.
    pub principal: u64,
    /// Interest that is owed, as of `accrued_at`.
    pub interest: u64,
    /// Unix second up to which interest is counted.
    pub accrued_at: i64,
    /// Unix second of the opening.
    pub opened_at: i64,
    /// Unix second at which it is due.
    pub due_at: i64,
    /// What is pledged.
    pub collateral: u64,
    /// What was paid for the cover.
    pub premium: u64,
    /// What of the position's `paid` and `refunded` was applied: never twice.
    pub applied: u64,
    /// What the vault keeps for the borrower, who could not be paid.
    pub kept: u64,
    /// Whether the position is there.
    pub is_covered: bool,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Room for later fields.
    pub reserved: [u8; 32],
}

/// What applying a payout does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// What the cover was paid more than was applied before.
    pub amount: u64,
    /// What of it paid the debt.
    pub paid: Paid,
}

impl Loan {
    /// What is owed, as of `accrued_at`.
    pub fn debt(&self) -> Result<u64> {
        fits(self.principal.checked_add(self.interest).map(u128::from))
    }

    /// Counts interest up to `now`.
    pub fn accrue(&mut self, terms: &MarketTerms, now: i64) -> Result<()> {
        let seconds = u64::try_from(now.saturating_sub(self.accrued_at)).unwrap_or(0);
        credit(&mut self.interest, terms.interest(self.principal, seconds)?)?;
        self.accrued_at = self.accrued_at.max(now);
        Ok(())
    }

    /// What will be owed when it is due, if nothing is paid, rounded up.
    pub fn debt_at_end(&self, terms: &MarketTerms) -> Result<u64> {
        let seconds = u64::try_from(self.due_at.saturating_sub(self.accrued_at)).unwrap_or(0);
        fits(self.debt()?.checked_add(terms.interest(self.principal, seconds)?).map(u128::from))
    }

    /// Pays the debt with an amount, interest first; what is more than the debt is left.
    pub fn pay(&mut self, amount: u64) -> Paid {
        let interest = amount.min(self.interest);
        let principal = amount.saturating_sub(interest).min(self.principal);
        self.interest = self.interest.saturating_sub(interest);
        self.principal = self.principal.saturating_sub(principal);
        Paid { interest, principal }
    }

    /// What the cover was paid, `received` in all, and is not applied yet.
    pub fn unapplied(&self, received: u64) -> u64 {
        received.saturating_sub(self.applied)
    }

    /// Applies what the cover was paid since the last time: debt first, the rest is kept for the borrower.
    pub fn apply(&mut self, received: u64) -> Result<Application> {
        let amount = self.unapplied(received);
        let paid = self.pay(amount);
        self.applied = self.applied.max(received);
        let rest = amount.saturating_sub(paid.total()?);
        credit(&mut self.kept, rest)?;
        Ok(Application { amount, paid })
    }

    /// Whether nothing is left of it: no cover, no collateral, nothing kept for the borrower.
    pub fn is_over(&self) -> bool {
        !self.is_covered && self.collateral == 0 && self.kept == 0
    }
}

/// `amount x bps`, exactly.
fn part(amount: u64, bps: u64) -> u128 {
    u128::from(amount).saturating_mul(u128::from(bps))
}

/// A result of arithmetic that must fit.
pub(crate) fn fits(value: Option<u128>) -> Result<u64> {
    let value = value.and_then(|value| u64::try_from(value).ok());
    Ok(value.ok_or(LoanError::MathOverflow)?)
}

/// Adds to an entry of the books.
pub(crate) fn credit(entry: &mut u64, amount: u64) -> Result<()> {
    *entry = entry.checked_add(amount).ok_or(LoanError::MathOverflow)?;
    Ok(())
}

/// Takes from an entry of the books, which never goes below zero.
pub(crate) fn debit(entry: &mut u64, amount: u64) -> Result<()> {
    *entry = entry.checked_sub(amount).ok_or(LoanError::VaultMismatch)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> MarketTerms {
        MarketTerms {
            max_ltv_bps: 8_000,
            liquidation_ltv_bps: 9_000,
            interest_bps: 500,
            max_price_bps: 1_000,
            min_term_days: 7,
            max_term_days: 90,
            max_price_age: 60,
            min_loan: 1,
        }
    }

    fn market(collateral_decimals: u8, loan_decimals: u8) -> Market {
        let key = Pubkey::default();
        Market {
            lender: key,
            product: key,
            pool: key,
            trigger: key,
            loan_mint: key,
            collateral_mint: key,
            vault: key,
            collateral_vault: key,
            terms: terms(),
            cash: 0,
            kept: 0,
            lent: 0,
            collateral: 0,
            loans: 0,
            loan_decimals,
            collateral_decimals,
            version: VERSION,
            bump: 0,
            reserved: [0; 32],
        }
    }

    fn loan(principal: u64) -> Loan {
        let key = Pubkey::default();
        Loan {
            market: key,
            borrower: key,
            rent_payer: key,
            position: key,
            number: 0,
            principal,
            interest: 0,
            accrued_at: 0,
            opened_at: 0,
            due_at: 30 * DAY,
            collateral: 0,
            premium: 0,
            applied: 0,
            kept: 0,
            is_covered: true,
            version: VERSION,
            bump: 0,
            reserved: [0; 32],
        }
    }

    #[test]
    fn interest_is_simple_and_rounded_up() {
        assert_eq!(terms().interest(1_000_000, YEAR).unwrap(), 50_000);
        assert_eq!(terms().interest(1_000_000, 1).unwrap(), 1);
        assert_eq!(terms().interest(1_000_000, 0).unwrap(), 0);
        let mut loan = loan(1_000_000);
        loan.accrue(&terms(), i64::try_from(YEAR).unwrap()).unwrap();
        loan.accrue(&terms(), 0).unwrap();
        assert_eq!((loan.debt().unwrap(), loan.accrued_at), (1_050_000, i64::try_from(YEAR).unwrap()));
    }

    #[test]
    fn worth_has_the_decimals_of_what_is_lent() {
        // 2 of a coin at 0.5, with 9, 6 and 0 decimals, in a coin with 6.
        for (decimals, amount) in [(9, 2_000_000_000), (6, 2_000_000), (0, 2)] {
            assert_eq!(market(decimals, 6).worth(amount, 50_000_000).unwrap(), 1_000_000);
        }
        assert_eq!(market(6, 6).worth(1, 99_999_999).unwrap(), 0);
        assert_eq!(market(6, 6).most_worth(1, 99_999_999).unwrap(), 1);
        assert_eq!(market(6, 6).most_worth(2, 50_000_000).unwrap(), 1);
        assert!(market(0, 9).worth(1, 1).is_err());
        assert!(market(6, 0).worth(u64::MAX / 2, 2).is_ok());
    }

    #[test]
    fn a_lender_takes_no_more_than_the_debt_and_the_borrower_owes_the_rest() {
        let market = market(6, 6);
        assert_eq!(market.seizure(1_000, 800, 85_000_000).unwrap(), Seizure { taken: 941, pays: 800 });
        assert_eq!(market.seizure(1_000, 900, 85_000_000).unwrap(), Seizure { taken: 1_000, pays: 850 });
        assert_eq!(market.seizure(0, 900, 85_000_000).unwrap(), Seizure { taken: 0, pays: 0 });
        for debt in 0..2_000 {
            for price in [1, 99, 33_333_333, 85_000_001, 100_000_000, 250_000_000] {
                let Seizure { taken, pays } = market.seizure(1_000, debt, price).unwrap();
                assert!(taken <= 1_000 && pays <= debt);
                assert!(u128::from(taken) * u128::from(price) <= u128::from(pays) * 100_000_000, "{debt} {price}");
                assert!(pays == debt || taken == 1_000);
            }
        }
    }

    #[test]
    fn payouts_pay_the_debt_first_once_and_the_rest_is_the_borrowers() {
        let mut loan = loan(1_000);
        loan.interest = 10;
        let mut received = 0;
        let (mut principal, mut interest) = (0, 0);
        for more in [0, 5, 0, 600, 405, 90, 0] {
            received += more;
            let Application { amount, paid } = loan.apply(received).unwrap();
            assert_eq!(amount, more);
            principal += paid.principal;
            interest += paid.interest;
        }
        assert_eq!((interest, principal, loan.kept), (10, 1_000, 90));
        assert_eq!(loan.debt().unwrap(), 0);
        // What is less than before is no payout.
        assert_eq!(loan.apply(3).unwrap().amount, 0);
        assert_eq!(loan.applied, 1_100);
    }
}
