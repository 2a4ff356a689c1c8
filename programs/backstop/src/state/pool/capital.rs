//! Capital: how much there is, how much must stay, how it comes in, and how losses fall on it.

use crate::constants::{CAPITAL_LOWS, CAPITAL_LOWS_RING, MAX_SURPLUS, MAX_TRANCHE_ASSETS};
use crate::error::{BackstopError, refuse};
use crate::math::{capital, losses, shares};
use crate::state::ledger::{bucket, bucket_mut, credit, debit, fits};
use crate::state::{Pool, PoolKind, Tranche, TrancheBook};
use anchor_lang::prelude::*;

/// How a loss fell on the layers, in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossByLayer {
    /// Taken from the surplus.
    pub surplus: u64,
    /// Taken from the junior tranche's staying capital.
    pub junior_assets: u64,
    /// Taken from the junior tranche's exiting capital.
    pub junior_exiting: u64,
    /// Taken from the senior tranche's staying capital.
    pub senior_assets: u64,
    /// Taken from the senior tranche's exiting capital.
    pub senior_exiting: u64,
    /// What was left of a junior tranche that was wiped out, moved to the surplus.
    pub junior_wiped: u64,
    /// What was left of a senior tranche that was wiped out, moved to the surplus.
    pub senior_wiped: u64,
    /// Whether the loss wiped the junior tranche out: its shares and exit units are worth nothing any more.
    pub junior_over: bool,
    /// Whether the loss wiped the senior tranche out.
    pub senior_over: bool,
}

impl LossByLayer {
    /// A loss that wiped nothing out.
    pub fn of(taken: &losses::Layers) -> Self {
        Self {
            surplus: taken.surplus,
            junior_assets: taken.junior_assets,
            junior_exiting: taken.junior_exiting,
            senior_assets: taken.senior_assets,
            senior_exiting: taken.senior_exiting,
            ..Self::default()
        }
    }
}

impl Pool {
    /// Surplus and both tranches without what has asked to leave, in asset units.
    pub fn staying_capital(&self) -> Result<u64> {
        let [junior, senior] = &self.tranches;
        fits(self.surplus.checked_add(junior.assets).and_then(|sum| sum.checked_add(senior.assets)))
    }

    /// Everything that absorbs losses: surplus and both tranches with what has asked to leave, in asset units.
    pub fn loss_capital(&self) -> Result<u64> {
        let [junior, senior] = &self.tranches;
        fits(self.surplus.checked_add(junior.total()).and_then(|sum| sum.checked_add(senior.total())))
    }

    /// Required capital: the square-root rule over risk groups, or all open limits of a reinsurance pool.
    pub fn required_capital(&self) -> Result<u64> {
        match self.kind() {
            PoolKind::Cover => fits(capital::required(&self.group_exposures, self.terms.rho_bps)),
            PoolKind::Reinsurance => self.open_limits(),
        }
    }

    /// Capital that must stay in the pool, for its required capital and its leverage.
    pub fn must_stay(&self, required: u64) -> Result<u64> {
        fits(self.requirement(required).must_stay())
    }

    pub(super) fn requirement(&self, required: u64) -> capital::Requirement {
        capital::Requirement {
            required,
            total_exposure: self.total_exposure,
            solvency_bps: self.terms.solvency_bps,
            max_leverage_bps: self.terms.max_leverage_bps,
        }
    }

    /// Refuses if the pool, without what has asked to leave, is below its required capital.
    pub fn require_solvent(&self, now: i64) -> Result<()> {
        let required = self.required_capital()?;
        let available = self.staying_capital()?.saturating_add(self.reinsurance_credit(required, now));
        ensure!(available >= self.must_stay(required)?, BackstopError::BelowRequiredCapital);
        Ok(())
    }

    /// Capital that caps are counted in: own staying capital, the lowest of now and of the last days, today among them,
    /// as many as the pool's terms say. Capital that comes in makes cover neither cheaper nor more before it has stayed
    /// over so many midnights.
    pub fn capacity_capital(&self) -> Result<u64> {
        Ok(self.staying_capital()?.min(self.lowest(&self.capital_lows, self.capital_day)))
    }

    /// The lowest staying capital of the seasoning days up to `last_day`, where what asks to leave on a day counts until
    /// its end. Utilisation is measured by it, so that nothing done and undone around a midnight moves it.
    pub fn seasoned_capital(&self, last_day: u32) -> u64 {
        self.lowest(&self.unasked_lows, last_day)
    }

    fn lowest(&self, lows: &[u64; CAPITAL_LOWS], last_day: u32) -> u64 {
        let first = last_day.saturating_add(1).saturating_sub(u32::from(self.terms.seasoning_days));
        (first..=last_day).fold(u64::MAX, |low, day| low.min(bucket(lows, day)))
    }

    /// Notes how low the staying capital is before anything moves it, and begins a new day: the days on which nothing
    /// happened were as low as now. Everything that moves capital earns premium first, and this before that.
    pub(super) fn note_low(&mut self, today: u32) -> Result<()> {
        let staying = self.staying_capital()?;
        let low = bucket_mut(&mut self.capital_lows, self.capital_day);
        *low = (*low).min(staying);
        let unasked = bucket_mut(&mut self.unasked_lows, self.capital_day);
        *unasked = (*unasked).min(staying.saturating_add(self.asked_today));
        if today > self.capital_day {
            let first = self.capital_day.max(today.saturating_sub(CAPITAL_LOWS_RING)).saturating_add(1);
            for day in first..=today {
                *bucket_mut(&mut self.capital_lows, day) = staying;
                *bucket_mut(&mut self.unasked_lows, day) = staying;
            }
            self.asked_today = 0;
            self.capital_day = today;
            self.mark_earned(today);
        }
        Ok(())
    }

    /// Puts `value` back into the lows of the days from `asked_on` on: it asked to leave then, was here all the time, and
    /// stays after all. Of the day itself no more than there was with all that asked on it, as its low may be older.
    pub(super) fn raise_lows(&mut self, value: u64, asked_on: u32) {
        let oldest = self.capital_day.saturating_sub(CAPITAL_LOWS_RING).saturating_add(1);
        if asked_on >= oldest {
            let most = bucket(&self.unasked_lows, asked_on);
            let low = bucket_mut(&mut self.capital_lows, asked_on);
            *low = low.saturating_add(value).min(most);
        }
        for day in asked_on.saturating_add(1).max(oldest)..=self.capital_day {
            for lows in [&mut self.capital_lows, &mut self.unasked_lows] {
                let low = bucket_mut(lows, day);
                *low = low.saturating_add(value);
            }
        }
    }

    /// Books a deposit and returns the shares it gives, rounded down. Refused while alerts hold the pool: nobody buys in
    /// while more than a little of the capital may be lost already, at a price that does not say so.
    pub fn deposit(&mut self, tranche: Tranche, amount: u64, min_shares: u64) -> Result<u64> {
        self.require_not_held()?;
        let least = self.terms.min_first_deposit;
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out == 0, BackstopError::TrancheWipedOut);
        ensure!(amount > 0, BackstopError::AmountTooSmall);
        ensure!(book.shares > 0 || amount >= least, BackstopError::FirstDepositTooSmall);
        let total = book.total().checked_add(amount);
        ensure!(total.is_some_and(|total| total <= MAX_TRANCHE_ASSETS), BackstopError::AmountTooLarge);
        let issued = book.shares_for(amount).map_err(|_| refuse(BackstopError::AmountTooLarge))?;
        ensure!(issued > 0, BackstopError::AmountTooSmall);
        ensure!(issued >= min_shares, BackstopError::TooFewShares);
        credit(&mut book.assets, amount)?;
        credit(&mut book.shares, issued)?;
        // After heavy losses exit units are many per asset: a tranche that could not become exit units takes no more.
        let room = book.assets.saturating_mul(4);
        book.units_for(room).map_err(|_| refuse(BackstopError::AmountTooLarge))?;
        credit(&mut self.cash, amount)?;
        self.in_use = 1;
        Ok(issued)
    }

    /// Books a contribution to the surplus.
    pub fn contribute(&mut self, amount: u64) -> Result<()> {
        ensure!(amount > 0, BackstopError::AmountTooSmall);
        let surplus = self.surplus.checked_add(amount);
        ensure!(surplus.is_some_and(|surplus| surplus <= MAX_SURPLUS), BackstopError::AmountTooLarge);
        credit(&mut self.surplus, amount)?;
        credit(&mut self.cash, amount)
    }

    /// Takes from surplus, junior and senior, in this order. The caller books where it goes. Refuses more than the
    /// capital.
    pub(super) fn take(&mut self, loss: u64) -> Result<losses::Layers> {
        let [junior, senior] = &self.tranches;
        let layers = losses::Layers {
            surplus: self.surplus,
            junior_assets: junior.assets,
            junior_exiting: junior.exiting,
            senior_assets: senior.assets,
            senior_exiting: senior.exiting,
        };
        let split = fits(losses::absorb(loss, &layers))?;
        ensure!(split.total == loss, BackstopError::InvariantViolated);
        let split = split.taken;
        debit(&mut self.surplus, split.surplus)?;
        let junior = self.tranche_mut(Tranche::Junior);
        debit(&mut junior.assets, split.junior_assets)?;
        debit(&mut junior.exiting, split.junior_exiting)?;
        let senior = self.tranche_mut(Tranche::Senior);
        debit(&mut senior.assets, split.senior_assets)?;
        debit(&mut senior.exiting, split.senior_exiting)?;
        Ok(split)
    }

    /// Takes a loss from surplus, junior and senior, in this order, and wipes out a tranche whose share price fell
    /// below 1 % of its start; of a tranche that everybody is leaving, whose exit unit's price did. The caller books
    /// where the loss goes. Refuses a loss above the capital.
    pub fn take_loss(&mut self, loss: u64) -> Result<LossByLayer> {
        let split = self.take(loss)?;
        let junior_wiped = self.wipe_out_if_due(Tranche::Junior)?;
        let senior_wiped = self.wipe_out_if_due(Tranche::Senior)?;
        Ok(LossByLayer {
            junior_wiped: junior_wiped.unwrap_or(0),
            senior_wiped: senior_wiped.unwrap_or(0),
            junior_over: junior_wiped.is_some(),
            senior_over: senior_wiped.is_some(),
            ..LossByLayer::of(&split)
        })
    }

    fn wipe_out_if_due(&mut self, tranche: Tranche) -> Result<Option<u64>> {
        let book = self.tranche_mut(tranche);
        let over = if book.shares > 0 {
            shares::is_wiped_out(book.shares, book.assets)
        } else {
            // Exit units without value would make every new unit worth as little, and bar the tranche for deposits.
            shares::is_wiped_out(book.units, book.exiting)
        };
        if !over {
            return Ok(None);
        }
        let rest = book.total();
        *book = TrancheBook { series: book.series, wiped_out: 1, ..TrancheBook::default() };
        credit(&mut self.surplus, rest)?;
        Ok(Some(rest))
    }

    /// Pays from the surplus; the surplus must have it.
    pub fn pay_from_surplus(&mut self, amount: u64) -> Result<()> {
        self.surplus = self.surplus.checked_sub(amount).ok_or(BackstopError::SurplusTooSmall)?;
        debit(&mut self.cash, amount)
    }

    /// Takes surplus in that another pool gave, or owed.
    pub fn receive_surplus(&mut self, amount: u64) -> Result<()> {
        credit(&mut self.surplus, amount)?;
        credit(&mut self.cash, amount)
    }
}
