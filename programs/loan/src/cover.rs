//! The border to Backstop: what a program that insures its users needs of it.

use crate::error::LoanError;
use crate::money::signer;
use crate::state::{DAY, Market};
use anchor_lang::prelude::*;
use backstop::peril::feed::Observation;
use backstop::peril::{AlertLevel, Condition};
use backstop::program::Backstop;
use backstop::state::{BoughtPosition, CoverState, Load, Pool, Position, Product, ProductState, Trigger};

/// Refuses while the pool is in alert, more than a small one, or in a crisis, as of the last call that changed that. It
/// reads the account; `pool_health` says the same to a program that has not its types.
pub fn require_pool_is_quiet(pool: &AccountLoader<Pool>) -> Result<()> {
    let pool = pool.read()?;
    require!(pool.alert() == AlertLevel::None && !pool.in_crisis(), LoanError::PoolInAlert);
    Ok(())
}

/// A print of the product's feed that is young enough.
pub fn read_price(
    market: &Market,
    trigger: &AccountLoader<Trigger>,
    price: &AccountInfo,
    now: i64,
) -> Result<Observation> {
    let print = trigger.read()?.read_print(price, now).map_err(|_| LoanError::BadPrice)?;
    let oldest = now.saturating_sub(i64::from(market.terms.max_price_age));
    require!(print.publish_time >= oldest, LoanError::PriceTooOld);
    Ok(print)
}

/// The least that a coin is worth by a print, in 1e-8: the library rounds prices up, so one less.
pub fn least_price(print: &Observation) -> u64 {
    print.price.saturating_sub(print.confidence).saturating_sub(1)
}

/// The most that a coin is worth by a print, in 1e-8, above zero.
pub fn most_price(print: &Observation) -> u64 {
    print.price.saturating_add(print.confidence)
}

/// Accounts of Backstop that all calls for a position name.
pub struct Cover<'a, 'info> {
    /// The program.
    pub program: &'a Program<'info, Backstop>,
    /// The product's pool.
    pub pool: &'a AccountInfo<'info>,
    /// The product.
    pub product: &'a AccountInfo<'info>,
    /// The product's rates.
    pub rates: &'a AccountInfo<'info>,
    /// The product's trigger.
    pub trigger: &'a AccountInfo<'info>,
    /// The pool's token account.
    pub pool_vault: &'a AccountInfo<'info>,
    /// What is lent, which is the pool's asset.
    pub asset_mint: &'a AccountInfo<'info>,
    /// The position.
    pub position: &'a AccountInfo<'info>,
    /// The asset's token program.
    pub token_program: &'a AccountInfo<'info>,
}

/// What a purchase needs beside.
pub struct Purchase<'a, 'info> {
    /// Pays the rent.
    pub payer: &'a AccountInfo<'info>,
    /// Backstop's protocol.
    pub protocol: &'a AccountInfo<'info>,
    /// The market's vault: it pays the premium, and the position pays it.
    pub vault: &'a AccountInfo<'info>,
    /// The system program.
    pub system_program: &'a AccountInfo<'info>,
    /// Number, sum, term, price.
    pub args: backstop::BuyPositionArgs,
}

impl<'info> Cover<'_, 'info> {
    /// Buys a position that the market owns and pays, and that pays the market.
    #[inline(never)]
    pub fn buy(&self, market: &Account<'info, Market>, purchase: Purchase<'_, 'info>) -> Result<BoughtPosition> {
        let accounts = backstop::cpi::accounts::BuyPosition {
            payer: purchase.payer.clone(),
            owner: market.to_account_info(),
            owner_assets: purchase.vault.clone(),
            beneficiary: purchase.vault.clone(),
            protocol: purchase.protocol.clone(),
            pool: self.pool.clone(),
            product: self.product.clone(),
            rates: self.rates.clone(),
            trigger: self.trigger.clone(),
            vault: self.pool_vault.clone(),
            asset_mint: self.asset_mint.clone(),
            position: self.position.clone(),
            asset_token_program: self.token_program.clone(),
            system_program: purchase.system_program.clone(),
        };
        let bump = [market.bump];
        let seeds = signer(market, &bump);
        let seeds = [seeds.as_slice()];
        let context = CpiContext::new_with_signer(self.program.key(), accounts, &seeds);
        Ok(backstop::cpi::buy_position(context, purchase.args)?.get())
    }

    /// Makes the position smaller; the refund goes to a token account of the asset.
    #[inline(never)]
    pub fn reduce(
        &self,
        market: &Account<'info, Market>,
        destination: &AccountInfo<'info>,
        sum_insured: u64,
    ) -> Result<()> {
        let accounts = backstop::cpi::accounts::ReducePosition {
            owner: market.to_account_info(),
            destination: destination.clone(),
            pool: self.pool.clone(),
            product: self.product.clone(),
            rates: self.rates.clone(),
            trigger: self.trigger.clone(),
            vault: self.pool_vault.clone(),
            asset_mint: self.asset_mint.clone(),
            position: self.position.clone(),
            asset_token_program: self.token_program.clone(),
        };
        let bump = [market.bump];
        let seeds = signer(market, &bump);
        let seeds = [seeds.as_slice()];
        backstop::cpi::reduce_position(CpiContext::new_with_signer(self.program.key(), accounts, &seeds), sum_insured)
    }

    /// Gives the position back; the refund goes to a token account of the asset.
    #[inline(never)]
    pub fn cancel(
        &self,
        market: &Account<'info, Market>,
        destination: &AccountInfo<'info>,
        rent_payer: &AccountInfo<'info>,
    ) -> Result<()> {
        let accounts = backstop::cpi::accounts::CancelPosition {
            owner: market.to_account_info(),
            destination: destination.clone(),
            pool: self.pool.clone(),
            product: self.product.clone(),
            rates: self.rates.clone(),
            trigger: self.trigger.clone(),
            vault: self.pool_vault.clone(),
            asset_mint: self.asset_mint.clone(),
            position: self.position.clone(),
            rent_payer: rent_payer.clone(),
            asset_token_program: self.token_program.clone(),
        };
        let bump = [market.bump];
        let seeds = signer(market, &bump);
        let seeds = [seeds.as_slice()];
        backstop::cpi::cancel_position(CpiContext::new_with_signer(self.program.key(), accounts, &seeds))
    }

    /// Closes the position, which can no longer be paid.
    #[inline(never)]
    pub fn close(&self, market: &Account<'info, Market>, rent_payer: &AccountInfo<'info>) -> Result<()> {
        let accounts = backstop::cpi::accounts::ClosePosition {
            owner: market.to_account_info(),
            pool: self.pool.clone(),
            product: self.product.clone(),
            position: self.position.clone(),
            rent_payer: rent_payer.clone(),
        };
        let bump = [market.bump];
        let seeds = signer(market, &bump);
        let seeds = [seeds.as_slice()];
        backstop::cpi::close_position(CpiContext::new_with_signer(self.program.key(), accounts, &seeds))
    }
}

/// Reads the position of a loan.
pub fn read_position(account: &AccountInfo) -> Result<Position> {
    require_keys_eq!(*account.owner, backstop::ID, LoanError::WrongAccount);
    Position::try_deserialize(&mut &account.try_borrow_data()?[..])
}

/// All that a position was paid so far: for its loss, and of its premium.
pub fn received(position: &Position) -> Result<u64> {
    Ok(position.paid.checked_add(position.refunded).ok_or(LoanError::MathOverflow)?)
}

/// What can become of a position now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can no longer be paid: it may be closed.
    Over,
    /// It can be given back for a refund.
    Cancellable,
    /// Neither.
    Live,
}

/// What can become of a position now.
pub fn standing(position: &Position, product: &Product, trigger: &Trigger, now: i64) -> Standing {
    if position.state == CoverState::Settled || product.is_spent(position) {
        return Standing::Over;
    }
    let is_today = now.div_euclid(DAY) <= i64::from(position.bought_day());
    let is_live = product.state() != ProductState::Over && now < position.end();
    if is_live && !is_today && trigger.is_quiet() { Standing::Cancellable } else { Standing::Live }
}
