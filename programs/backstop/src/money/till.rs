//! A pool's books while an instruction changes them, and the vault that must follow them.
//!
//! An instruction that moves money opens the till, lets the rules of [`crate::state`] change the books, closes the till
//! and only then moves the asset. Every movement is checked on both ends that are vaults: the vault moved by exactly
//! the amount, and holds what the books say.

use crate::border::token;
use crate::error::BackstopError;
use crate::events::{Accrued, report};
use crate::money::{Asset, Payee, PoolSigner, Purse};
use crate::state::{Accrual, Load, Pool};
use anchor_lang::prelude::*;
use core::cell::RefMut;
use core::ops::{Deref, DerefMut};

// What opens and closes is inlined, and a vault is four words: a till or a vault that is handed from function to function
// is copied each time, which costs 2 to 4 % of a small instruction.

/// A pool's books, open to be changed. Nothing can be called while a till is open: the runtime lends the account once.
pub struct Till<'a, 'info> {
    pool: &'a AccountLoader<'info, Pool>,
    books: RefMut<'a, Pool>,
}

impl<'a, 'info> Till<'a, 'info> {
    /// Opens the books and earns premium up to `now`, which is reported.
    #[inline(always)]
    pub fn open(pool: &'a AccountLoader<'info, Pool>, now: i64) -> Result<Self> {
        let mut till = Self::untouched(pool)?;
        let accrual = till.books.accrue(now)?;
        till.report_accrual(accrual)?;
        Ok(till)
    }

    /// Opens the books of two pools: those of the cedant first, as their accruals are reported.
    #[inline(always)]
    pub fn open_both(
        cedant: &'a AccountLoader<'info, Pool>,
        reinsurer: &'a AccountLoader<'info, Pool>,
        now: i64,
    ) -> Result<(Self, Self)> {
        Ok((Self::open(cedant, now)?, Self::open(reinsurer, now)?))
    }

    /// Opens the books as they stand: for what premium plays no part in, and for rules that earn it themselves.
    #[inline(always)]
    pub fn untouched(pool: &'a AccountLoader<'info, Pool>) -> Result<Self> {
        Ok(Self { pool, books: pool.write()? })
    }

    /// Reports an accrual that moved something, up to where the books have earned.
    #[inline(always)]
    pub fn report_accrual(&mut self, accrual: Accrual) -> Result<()> {
        if accrual.earned > 0 || accrual.late > 0 {
            let (sequence, at) = (self.books.number_event(), self.books.accrued_at);
            report(&Accrued { pool: self.pool.key(), sequence, at, accrual })?;
        }
        Ok(())
    }

    /// Checks that the books add up, and closes them.
    #[inline(always)]
    pub fn close(self) -> Result<()> {
        self.books.invariant()
    }

    /// Checks that the books add up, and closes them for the pool's token account, which must be theirs and follow them.
    #[inline(always)]
    pub fn close_on(self, account: &'a AccountInfo<'info>) -> Result<Vault<'a, 'info>> {
        let books = &*self.books;
        books.invariant()?;
        ensure!(books.vault == *account.key, BackstopError::WrongAccount);
        Ok(Vault {
            pool: self.pool.as_ref(),
            account,
            cash: books.cash,
            id: books.id,
            bump: books.bump,
            decimals: books.asset_decimals,
        })
    }
}

impl Deref for Till<'_, '_> {
    type Target = Pool;

    #[inline(always)]
    fn deref(&self) -> &Pool {
        &self.books
    }
}

impl DerefMut for Till<'_, '_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Pool {
        &mut self.books
    }
}

/// Refuses if there are more shares than the books issued; holders may have burnt some.
pub fn check_supply(mint: &AccountInfo, issued: u64) -> Result<()> {
    ensure!(token::mint_supply(mint)? <= issued, BackstopError::InvariantViolated);
    Ok(())
}

/// A pool's token account, once its books are closed, and what they ask of it.
pub struct Vault<'a, 'info> {
    pool: &'a AccountInfo<'info>,
    account: &'a AccountInfo<'info>,
    cash: u64,
    id: u16,
    bump: u8,
    decimals: u8,
}

impl<'info> Vault<'_, 'info> {
    /// What the pool's address signs with.
    pub fn signer(&self, asset: &Asset<'_, 'info>) -> PoolSigner {
        PoolSigner::new(*asset.mint.key, self.id, self.bump)
    }

    /// Takes `amount` in from somebody who signed.
    #[inline(never)]
    pub fn collect(&self, asset: &Asset<'_, 'info>, from: &Purse<'_, 'info>, amount: u64) -> Result<()> {
        let before = token::account_amount(self.account)?;
        asset.transfer(from.account, self.account, from.authority, self.decimals, amount, &[])?;
        self.check(before.checked_add(amount))
    }

    /// Pays `amount` to a token account that the instruction trusts: one that its owner named, or that it checked. Pays
    /// nothing if there is nothing to pay.
    #[inline(never)]
    pub fn pay(&self, asset: &Asset<'_, 'info>, to: &AccountInfo<'info>, amount: u64) -> Result<()> {
        if amount == 0 {
            return Ok(());
        }
        let before = token::account_amount(self.account)?;
        asset.transfer(self.account, to, self.pool, self.decimals, amount, &[&self.signer(asset).seeds()])?;
        self.check(before.checked_sub(amount))
    }

    /// Pays `amount` to an owner who need not have signed, once the account to be paid is known to be his. Pays nothing
    /// and looks at nothing if there is nothing to pay.
    #[inline(always)]
    pub fn pay_owner(&self, asset: &Asset<'_, 'info>, to: &Payee<'_, 'info>, amount: u64) -> Result<()> {
        if amount == 0 {
            return Ok(());
        }
        to.require_payable(asset.mint.key)?;
        self.pay(asset, to.account, amount)
    }

    /// Moves `amount` from this vault to another pool's. Moves nothing if there is nothing to move.
    #[inline(always)]
    pub fn pay_pool(&self, asset: &Asset<'_, 'info>, to: &Vault<'_, 'info>, amount: u64) -> Result<()> {
        if amount == 0 {
            return Ok(());
        }
        let theirs = token::account_amount(to.account)?;
        self.pay(asset, to.account, amount)?;
        to.check(theirs.checked_add(amount))
    }

    /// Issues shares that the books count already, `issued` with them, and checks that no more exist.
    pub fn issue(
        &self,
        asset: &Asset<'_, 'info>,
        mint: &AccountInfo<'info>,
        to: &AccountInfo<'info>,
        shares: u64,
        issued: u64,
    ) -> Result<()> {
        token::mint_to(mint, to, self.pool, shares, &[&self.signer(asset).seeds()])?;
        check_supply(mint, issued)
    }

    /// Refuses unless the vault holds just what it must after a movement, and at least the books' cash.
    #[inline(always)]
    fn check(&self, expected: Option<u64>) -> Result<()> {
        let held = token::account_amount(self.account)?;
        ensure!(expected == Some(held) && held >= self.cash, BackstopError::VaultMismatch);
        Ok(())
    }
}
