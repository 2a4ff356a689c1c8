//! Premium: how it streams in, how it is earned and shared out, and how what is unearned is given back.

use crate::constants::{DAY, EARNED_MARKS};
use crate::error::BackstopError;
use crate::math::rounding::{BPS, Rounding, div, halves, mul_div, wide};
use crate::math::stream;
use crate::state::ledger::{bucket_mut, credit, debit, fits};
use crate::state::{ByTranche, Pool, Tranche, day_of, day_start};
use anchor_lang::prelude::*;

/// What an accrual moved, in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accrual {
    /// Premium earned, the sum of the following.
    pub earned: u64,
    /// To the quota share's reinsurer.
    pub ceded: u64,
    /// To the surplus.
    pub surplus: u64,
    /// To the junior tranche.
    pub junior: u64,
    /// To the senior tranche.
    pub senior: u64,
}

/// What the tranches had earned at a moment: one is kept for each of the last days on which premium was earned, so that
/// everybody can read off the chain what capital earned of late.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EarnedMark {
    /// The moment, in unix seconds; 0 where none was kept yet.
    pub at: i64,
    /// Premium that the tranches had earned by then since the pool began, junior and senior, in asset units.
    pub earned: [u64; 2],
}

impl Accrual {
    fn add(&mut self, other: &Accrual) -> Option<()> {
        self.earned = self.earned.checked_add(other.earned)?;
        self.ceded = self.ceded.checked_add(other.ceded)?;
        self.surplus = self.surplus.checked_add(other.surplus)?;
        self.junior = self.junior.checked_add(other.junior)?;
        self.senior = self.senior.checked_add(other.senior)?;
        Some(())
    }
}

impl Pool {
    /// Earns premium up to `now` and shares it out. A clock behind the last accrual changes nothing.
    pub fn accrue(&mut self, now: i64) -> Result<Accrual> {
        let mut total = Accrual::default();
        if now <= self.accrued_at {
            return Ok(total);
        }
        if day_of(now) > day_of(self.accrued_at) {
            self.capital_at_day = self.staying_capital()?;
            self.mark_earned(day_of(now));
        }
        // What is ceded changes where the quota share begins and ends.
        for until in [self.quota_share.start, self.quota_share.end, now] {
            if until > self.accrued_at && until <= now {
                let step = self.accrue_step(until)?;
                fits(total.add(&step))?;
            }
        }
        Ok(total)
    }

    /// Keeps what the tranches have earned up to the last accrual, once a day: before the first accrual of `today`, and when
    /// the pool begins.
    pub fn mark_earned(&mut self, today: u32) {
        let place = (today as usize).checked_rem(EARNED_MARKS);
        if let Some(mark) = place.and_then(|place| self.earned_marks.get_mut(place)) {
            *mark = EarnedMark { at: self.accrued_at, earned: self.earned };
        }
    }

    /// What a tranche earned since a moment, in asset units, and since when exactly: since the newest mark that is not
    /// after that moment, else since the oldest. Nothing, since the last accrual, where no mark was kept yet.
    pub fn earned_since(&self, tranche: Tranche, moment: i64) -> (u64, i64) {
        let kept = || self.earned_marks.iter().filter(|mark| mark.at > 0);
        let before = kept().filter(|mark| mark.at <= moment).max_by_key(|mark| mark.at);
        match before.or_else(|| kept().min_by_key(|mark| mark.at)) {
            Some(mark) => (self.earned.of(tranche).saturating_sub(*mark.earned.of(tranche)), mark.at),
            None => (0, self.accrued_at),
        }
    }

    fn accrue_step(&mut self, until: i64) -> Result<Accrual> {
        let from = self.accrued_at;
        self.accrued_at = until;
        let walk = fits(stream::accrue(self.rate_q32, self.fraction_q32, from, until, &mut self.rate_ends))?;
        self.rate_q32 = walk.rate_q32;
        self.fraction_q32 = walk.fraction_q32;
        let mut earned = walk.earned.min(self.unearned_premium);
        if self.rate_q32 == 0 {
            // No cover is live: what rounding the rates down has left is earned now.
            earned = self.unearned_premium;
            self.fraction_q32 = 0;
        }
        if earned == 0 {
            return Ok(Accrual::default());
        }
        let in_term = from >= self.quota_share.start && from < self.quota_share.end;
        let ceded = if in_term { self.ceded_premium(earned)? } else { 0 };
        let kept = fits(earned.checked_sub(ceded))?;
        let mut surplus = self.surplus_of(kept)?;
        let for_tranches = fits(kept.checked_sub(surplus))?;
        let [junior_book, senior_book] = &self.tranches;
        let (junior, senior) = if junior_book.assets > 0 || senior_book.assets > 0 {
            let junior = self.junior_of(for_tranches)?;
            (junior, fits(for_tranches.checked_sub(junior))?)
        } else if senior_book.shares > 0 {
            (0, for_tranches)
        } else if junior_book.shares > 0 {
            (for_tranches, 0)
        } else {
            surplus = kept;
            (0, 0)
        };
        debit(&mut self.unearned_premium, earned)?;
        credit(&mut self.treaty_payable, ceded)?;
        credit(&mut self.surplus, surplus)?;
        credit(&mut self.tranche_mut(Tranche::Junior).assets, junior)?;
        credit(&mut self.tranche_mut(Tranche::Senior).assets, senior)?;
        // A total for readers never stops a pool.
        for (total, part) in self.earned.iter_mut().zip([junior, senior]) {
            *total = total.saturating_add(part);
        }
        Ok(Accrual { earned, ceded, surplus, junior, senior })
    }

    /// The surplus's part of premium. The fraction of a unit is carried, so that many small accruals share out what one
    /// large one does: how often somebody accrues moves nothing from one to another.
    fn surplus_of(&mut self, premium: u64) -> Result<u64> {
        carried(premium, u64::from(self.terms.surplus_bps), BPS, &mut self.surplus_fraction_bps)
    }

    /// The junior tranche's part of what both tranches earn, by `assets x weight` against the senior's assets; the rest
    /// is the senior's. The fraction of a unit is carried. Call only if one of them has assets.
    fn junior_of(&mut self, premium: u64) -> Result<u64> {
        let [junior, senior] = &self.tranches;
        // Accrual must never stop a pool: what does not fit is as good as everything.
        let weight_bps = u64::from(self.terms.junior_weight_bps);
        let weighted = mul_div(junior.assets, weight_bps, BPS, Rounding::Down).unwrap_or(u64::MAX);
        if senior.assets == 0 {
            return Ok(premium);
        }
        let weights = weighted.saturating_add(senior.assets);
        // Rounded up by less than a unit in 2^64, so that an exact part comes out exact; below 2^64, because `weighted`
        // is below `weights`.
        let part_q64 = fits(div(u128::from(weighted) << 64, weights, Rounding::Up))?;
        let part_q64 = u64::try_from(part_q64).unwrap_or(u64::MAX);
        let due_q64 = fits(wide(premium, part_q64).checked_add(u128::from(self.junior_fraction_q64)))?;
        let (fraction, whole) = halves(due_q64);
        self.junior_fraction_q64 = fraction;
        Ok(whole)
    }

    /// Quota-share premium of earned premium: the cession less the commission, in the proportion in which the limit
    /// that is left still covers the cession of the exposure. The fraction of a unit is carried, as long as all is
    /// covered; what is not is rounded down, for the cedant.
    fn ceded_premium(&mut self, earned: u64) -> Result<u64> {
        let treaty = self.quota_share;
        if treaty.limit_left == 0 {
            // Also when nothing is exposed any more: after an incident its covers' premium is still being earned.
            return Ok(0);
        }
        let kept_bps = BPS.saturating_sub(u64::from(treaty.commission_bps));
        let part = u64::from(treaty.cession_bps).saturating_mul(kept_bps);
        let ceded = carried(earned, part, BPS.saturating_mul(BPS), &mut self.ceded_fraction_e8)?;
        let needed = fits(mul_div(self.total_exposure, u64::from(treaty.cession_bps), BPS, Rounding::Up))?;
        if treaty.limit_left >= needed {
            return Ok(ceded);
        }
        fits(mul_div(ceded, treaty.limit_left, needed, Rounding::Down))
    }

    /// Takes a premium in and streams it from `now` to the start of `end_day`. Returns the rate, rounded down.
    pub fn stream_premium(&mut self, premium: u64, now: i64, end_day: u32) -> Result<u64> {
        let seconds = u64::try_from(day_start(end_day).saturating_sub(now)).map_err(|_| BackstopError::BadTerm)?;
        let rate = stream::rate_q32(premium, seconds).ok_or(BackstopError::StreamFull)?;
        self.rate_q32 = self.rate_q32.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        let bucket = bucket_mut(&mut self.rate_ends, end_day);
        *bucket = bucket.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        credit(&mut self.unearned_premium, premium)?;
        credit(&mut self.cash, premium)?;
        Ok(rate)
    }

    /// Takes a rate that ends on `end_day` out of the stream again.
    pub fn end_stream_early(&mut self, rate_q32: u64, end_day: u32) -> Result<()> {
        debit(&mut self.rate_q32, rate_q32)?;
        debit(bucket_mut(&mut self.rate_ends, end_day), rate_q32)
    }

    /// Takes unearned premium out for a cancelled cover: `refund` leaves the pool, `fee` goes to the surplus.
    pub fn refund_premium(&mut self, refund: u64, fee: u64) -> Result<()> {
        self.hold_capacity()?;
        debit(&mut self.unearned_premium, fits(refund.checked_add(fee))?)?;
        debit(&mut self.cash, refund)?;
        credit(&mut self.surplus, fee)
    }

    /// Gives the unearned premium of a treaty back from the start of `today_after` on, and ends its stream there.
    pub fn return_premium(&mut self, rate_q32: u64, today_after: u32, end_day: u32) -> Result<u64> {
        let unearned = unearned_between(rate_q32, today_after, end_day)?.min(self.unearned_premium);
        debit(bucket_mut(&mut self.rate_ends, end_day), rate_q32)?;
        credit(bucket_mut(&mut self.rate_ends, today_after), rate_q32)?;
        debit(&mut self.unearned_premium, unearned)?;
        debit(&mut self.cash, unearned)?;
        Ok(unearned)
    }
}

/// Unearned part of a premium stream from the start of one day to the start of another, rounded down.
pub fn unearned_between(rate_q32: u64, from_day: u32, to_day: u32) -> Result<u64> {
    let seconds = u64::from(to_day.saturating_sub(from_day)).saturating_mul(DAY.unsigned_abs());
    Ok(mul_div(rate_q32, seconds, 1 << 32, Rounding::Down).ok_or(BackstopError::MathOverflow)?)
}

/// `amount * part / whole` with the fraction that earlier calls left, in parts of `whole`: whole units, and the new
/// fraction. Parts of many amounts so add up to the part of their sum.
fn carried(amount: u64, part: u64, whole: u64, fraction: &mut u64) -> Result<u64> {
    let due = fits(wide(amount, part).checked_add(u128::from(*fraction)))?;
    let units = fits(div(due, whole, Rounding::Down).and_then(|units| u64::try_from(units).ok()))?;
    let left = fits(due.checked_sub(wide(units, whole)))?;
    *fraction = fits(u64::try_from(left).ok())?;
    Ok(units)
}
