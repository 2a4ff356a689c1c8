//! Capital: how much there is, how much must stay, how it comes in, and how losses fall on it.

use crate::constants::{CAPITAL_LOWS, CAPITAL_LOWS_RING, MAX_SURPLUS, MAX_TRANCHE_ASSETS};
use crate::error::{BackstopError, refuse};
use crate::math::rounding::{BPS, Rounding, mul_div};
use crate::math::{capital, losses};
use crate::state::ledger::{bucket, bucket_mut, credit, debit, fill, fits};
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
    /// What it took from a tranche: from what stays, and from what is exiting.
    pub fn of_tranche(&self, tranche: Tranche) -> (u64, u64) {
        match tranche {
            Tranche::Junior => (self.junior_assets, self.junior_exiting),
            Tranche::Senior => (self.senior_assets, self.senior_exiting),
        }
    }

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

    /// Required capital: the square-root rule over risk groups, or all open limits of a reinsurance pool. As it was when
    /// one of these last changed.
    pub fn required_capital(&self) -> Result<u64> {
        Ok(self.required)
    }

    /// Works required capital out anew. Whatever changes exposure or an open limit calls this.
    pub fn renew_required(&mut self) -> Result<()> {
        self.required = match self.kind() {
            PoolKind::Cover => fits(capital::required(&self.group_exposures, self.terms.rho_bps))?,
            PoolKind::Reinsurance => self.open_limits()?,
        };
        Ok(())
    }

    /// Capital that must stay in the pool, for its required capital and its leverage.
    pub fn must_stay(&self, required: u64) -> Result<u64> {
        fits(self.requirement(required, self.total_exposure).must_stay())
    }

    fn requirement(&self, required: u64, total_exposure: u64) -> capital::Requirement {
        capital::Requirement {
            required,
            total_exposure,
            solvency_bps: self.terms.solvency_bps,
            max_leverage_bps: self.terms.max_leverage_bps,
        }
    }

    /// Own capital with which the pool is just solvent, in asset units: the one measure of every sale, exit, treaty and
    /// cession.
    ///
    /// Capital that may be lost already backs nothing else. So the exposure in alert, and what incidents are due and were
    /// not given yet, is kept in full, without diversification and without a treaty's credit, beside what everything else
    /// requires by itself: nothing is counted twice. Never less than what would be kept without the alert.
    ///
    /// A quota share's credit ends with its term. So what outlasts it must be backed without it, by the next one in force if
    /// that takes over at once, and what outlasts both by own capital alone.
    pub fn least_capital(&self, now: i64) -> Result<u64> {
        let required = self.required_capital()?;
        let place = self.quota_share_at(now);
        let mut least = self.net_of_credit(required, self.total_exposure, place)?;
        let lost = fits(self.due_in_crisis()?.checked_add(self.alert_exposure))?;
        if lost == 0 && place.is_none() {
            return Ok(least);
        }
        let (mut others, mut needed) = (self.total_exposure, required);
        if lost > 0 {
            others = self.total_exposure.saturating_sub(self.alert_exposure);
            needed = self.required_beside_alerts()?;
            least = least.max(fits(lost.checked_add(self.net_of_credit(needed, others, place)?))?);
        }
        let mut ending = place;
        while let Some(share) = ending.and_then(|place| self.quota_shares.get(place)) {
            // A part of the exposure requires no more than it is, nor than the whole does.
            let left = share.outlasting.min(others);
            let next = ending.and_then(|place| self.successor_of(place));
            least = least.max(fits(lost.checked_add(self.net_of_credit(left.min(needed), left, next)?))?);
            ending = next;
        }
        Ok(least)
    }

    /// Own capital that an exposure asks for beside the credit of a quota share.
    fn net_of_credit(&self, required: u64, exposure: u64, place: Option<usize>) -> Result<u64> {
        let must_stay = fits(self.requirement(required, exposure).must_stay())?;
        Ok(must_stay.saturating_sub(self.credit_of(place, required)))
    }

    /// Required capital of the exposure that is not in alert.
    fn required_beside_alerts(&self) -> Result<u64> {
        if self.kind() == PoolKind::Reinsurance {
            return self.open_limits();
        }
        let mut others = self.group_exposures;
        for (group, alert) in others.iter_mut().zip(&self.group_alert_exposures) {
            debit(group, *alert)?;
        }
        fits(capital::required(&others, self.terms.rho_bps))
    }

    /// Refuses if the pool, without what has asked to leave, is below its required capital.
    pub fn require_solvent(&self, now: i64) -> Result<()> {
        ensure!(self.staying_capital()? >= self.least_capital(now)?, BackstopError::BelowRequiredCapital);
        Ok(())
    }

    /// Refuses a sale unless surplus and what stays in the junior tranche are the part of required capital that the pool's
    /// terms ask for, rounded up: somebody stands in front of the senior tranche.
    pub fn require_first_loss(&self) -> Result<()> {
        let least = fits(mul_div(self.required, self.terms.first_loss_bps.into(), BPS, Rounding::Up))?;
        let in_front = self.surplus.saturating_add(self.tranche(Tranche::Junior).assets);
        ensure!(in_front >= least, BackstopError::FirstLossTooSmall);
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
            if today.saturating_sub(self.capital_day) >= CAPITAL_LOWS_RING {
                fill(&mut self.capital_lows, staying);
                fill(&mut self.unasked_lows, staying);
            } else {
                for day in self.capital_day.saturating_add(1)..today.saturating_add(1) {
                    *bucket_mut(&mut self.capital_lows, day) = staying;
                    *bucket_mut(&mut self.unasked_lows, day) = staying;
                }
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
    /// while more than a little of the capital may be lost already, at a price that does not say so. What treaties still owe
    /// the tranche is in its price.
    ///
    /// A tranche in ruin takes it, outside of alerts, by lowering its start tenfold: else a further loss that wipes it out
    /// would take what came in fresh along.
    pub fn deposit(&mut self, tranche: Tranche, amount: u64, min_shares: u64) -> Result<u64> {
        self.require_takes_capital()?;
        // More premium than what it is for comes of treaties that are over, or used up: for a risk that others have borne.
        let at_risk = self.required >= self.unearned_premium || self.kind() == PoolKind::Cover;
        ensure!(at_risk, BackstopError::NothingAtRisk);
        let (least, calm) = (self.terms.min_first_deposit, self.alerts == 0);
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out == 0, BackstopError::TrancheWipedOut);
        if book.is_in_ruin() {
            ensure!(calm, BackstopError::TrancheInRuin);
            book.lower_start()?;
        }
        ensure!(amount > 0, BackstopError::AmountTooSmall);
        ensure!(book.shares > 0 || amount >= least, BackstopError::FirstDepositTooSmall);
        let total = book.total().checked_add(amount);
        ensure!(total.is_some_and(|total| total <= MAX_TRANCHE_ASSETS), BackstopError::AmountTooLarge);
        let issued = book.shares_for(amount).map_err(|_| refuse(BackstopError::AmountTooLarge))?;
        ensure!(issued > 0, BackstopError::AmountTooSmall);
        ensure!(issued >= min_shares, BackstopError::TooFewShares);
        credit(&mut book.assets, amount)?;
        credit(&mut book.shares, issued)?;
        // After heavy losses exit units are many per asset: a tranche that could not become exit units takes no more. The
        // first units are a thousand per asset, of which there is room for four times the most that a tranche holds.
        if book.units > 0 {
            let room = book.assets.saturating_mul(4);
            book.units_for(room).map_err(|_| refuse(BackstopError::AmountTooLarge))?;
        }
        credit(&mut self.cash, amount)?;
        self.in_use = 1;
        Ok(issued)
    }

    /// Books a contribution to the surplus. A surplus of at least the least first deposit is entrusted to the pool: less
    /// does not make its governance wait.
    pub fn contribute(&mut self, amount: u64) -> Result<()> {
        ensure!(amount > 0, BackstopError::AmountTooSmall);
        let surplus = self.surplus.checked_add(amount);
        ensure!(surplus.is_some_and(|surplus| surplus <= MAX_SURPLUS), BackstopError::AmountTooLarge);
        credit(&mut self.surplus, amount)?;
        if self.surplus >= self.terms.min_first_deposit {
            self.in_use = 1;
        }
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

    /// Takes a loss from surplus, junior and senior, in this order, and wipes out a tranche whose share price, or whose
    /// exit units' price, fell below 1 % of its start. The caller books where the loss goes. Refuses a loss above the
    /// capital.
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
        // Also exit units alone: without value they would make every new unit worth as little, and a share that somebody
        // left behind would keep the tranche so.
        if !book.is_below_a_hundredth() {
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
        if amount > 0 {
            self.in_use = 1;
        }
        credit(&mut self.surplus, amount)?;
        credit(&mut self.cash, amount)
    }
}
