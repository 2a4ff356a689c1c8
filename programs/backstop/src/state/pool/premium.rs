//! Premium: how it streams in, how it is earned and shared out, and how what is unearned is given back.
//!
//! A cover's premium is earned from its first insured day to its end. While alerts hold the pool nothing is earned: who
//! is due what of an incident does not depend on when anybody calls. What they held back is earned once they are over.

use crate::constants::{DAY, DAY_RING, EARNED_MARKS, MAX_QUOTA_SHARES, START_RING};
use crate::error::BackstopError;
use crate::math::rounding::{BPS, Rounding, div, mul_div, wide};
use crate::math::sharing;
use crate::math::stream::{self, Stream};
use crate::state::ledger::{bucket, bucket_mut, credit, debit, fits};
use crate::state::{ByTranche, EndedPremium, Pool, StreamedCover, Tranche, day_of, day_start};
use anchor_lang::prelude::*;

/// What an accrual moved, in asset units. `earned` and `late` together are the sum of the others.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accrual {
    /// Premium earned.
    pub earned: u64,
    /// What an incident leaves of its covers' premium: shared out as premium is, but never ceded.
    pub late: u64,
    /// To the reinsurers of the quota shares in force, each in its place.
    pub ceded: [u64; MAX_QUOTA_SHARES],
    /// To the surplus.
    pub surplus: u64,
    /// To what stays in the junior tranche.
    pub junior: u64,
    /// To what stays in the senior tranche.
    pub senior: u64,
    /// To those who leave the junior tranche and are kept past their day.
    pub junior_exiting: u64,
    /// To those who leave the senior tranche and are kept past their day.
    pub senior_exiting: u64,
}

/// What the tranches had earned at a moment: one is kept for each of the last days on which premium was earned, so that
/// everybody can read off the chain what capital earned of late.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EarnedMark {
    /// The moment, in unix seconds; 0 where none was kept yet.
    pub at: i64,
    /// Premium that what stays in the tranches had earned by then since the pool began, junior and senior, in asset units.
    pub earned: [u64; 2],
}

impl Accrual {
    pub(crate) fn add(&mut self, other: &Accrual) -> Option<()> {
        self.earned = self.earned.checked_add(other.earned)?;
        self.late = self.late.checked_add(other.late)?;
        for (ceded, more) in self.ceded.iter_mut().zip(other.ceded) {
            *ceded = ceded.checked_add(more)?;
        }
        self.surplus = self.surplus.checked_add(other.surplus)?;
        self.junior = self.junior.checked_add(other.junior)?;
        self.senior = self.senior.checked_add(other.senior)?;
        self.junior_exiting = self.junior_exiting.checked_add(other.junior_exiting)?;
        self.senior_exiting = self.senior_exiting.checked_add(other.senior_exiting)?;
        Some(())
    }
}

impl Pool {
    /// Earns premium up to `now` and shares it out; while alerts hold the pool, up to when they began to and no further. A
    /// clock behind the last accrual changes nothing.
    pub fn accrue(&mut self, now: i64) -> Result<Accrual> {
        self.note_low(day_of(now))?;
        match self.held_from(now) {
            None => self.earn_to(self.accrues_to(now)),
            Some(since) => self.earn_and_stand(since, now),
        }
    }

    /// Earns premium up to when alerts came to hold the pool, and notes what is exposed then: once all before is earned.
    #[cold]
    #[inline(never)]
    fn earn_and_stand(&mut self, since: i64, now: i64) -> Result<Accrual> {
        let accrual = self.earn_to(self.accrues_to(since))?;
        self.note_held(now);
        Ok(accrual)
    }

    /// Earns premium up to a moment, in steps in which it is shared out in one way.
    #[inline(always)]
    pub(super) fn earn_to(&mut self, now: i64) -> Result<Accrual> {
        if now <= self.accrued_at {
            return Ok(Accrual::default());
        }
        let change = |pool: &Self| pool.sharing_changes_at().filter(|change| *change < now);
        // Mostly nothing changes on the way.
        let Some(mut until) = change(self) else { return self.accrue_step(now) };
        let mut total = Accrual::default();
        loop {
            let step = self.accrue_step(until)?;
            fits(total.add(&step))?;
            if until == now {
                return Ok(total);
            }
            until = change(self).unwrap_or(now);
        }
    }

    /// Lets accrual stand since a moment, or no longer (0). What is exposed when it begins to earns what stands: whoever
    /// sells or cancels meanwhile moves nothing from one layer to another, nor to a reinsurer.
    pub(super) fn stand(&mut self, since: i64, now: i64) {
        match (self.stands_since, since) {
            (0, 0) => {}
            // It ceases and goes on in one call: what stood is not earned yet.
            (0, _) if self.accrued_at < self.stood_until => self.stood_until = i64::MAX,
            (0, _) => {
                (self.stood_required, self.stood_exposure) = (self.required, self.total_exposure);
                self.stood_until = i64::MAX;
            }
            (_, 0) => self.stood_until = now,
            _ => {}
        }
        self.stands_since = since;
    }

    /// The next moment after the last accrual from which premium is shared out otherwise: a quota share begins or ends,
    /// accrual has ceased to stand, or the day of the oldest exit epoch is over.
    fn sharing_changes_at(&self) -> Option<i64> {
        let [first, second] = &self.quota_shares;
        if first.end.max(second.end).max(self.stood_until) <= self.accrued_at && self.oldest_exit_day == 0 {
            return None;
        }
        let exits_wait = self.exits_wait_from().unwrap_or(0);
        let changes = [first.start, first.end, second.start, second.end, self.stood_until, exits_wait];
        changes.into_iter().filter(|change| *change > self.accrued_at).min()
    }

    /// The moment up to which premium is earned at `now`: while alerts hold the pool, when they began to.
    pub fn accrues_to(&self, now: i64) -> i64 {
        if self.stands_since == 0 { now } else { now.min(self.stands_since) }
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
        let stream =
            Stream { rate_q32: self.rate_q32, waiting_q32: self.waiting_rate_q32, fraction_q32: self.fraction_q32 };
        let walk = fits(stream::accrue(&stream, from, until, &mut self.rate_starts, &mut self.rate_ends))?;
        self.rate_q32 = walk.rate_q32;
        self.waiting_rate_q32 = self.waiting_rate_q32.saturating_sub(walk.started_q32);
        self.fraction_q32 = walk.fraction_q32;
        let held_back = core::mem::take(&mut self.held_back_premium);
        let mut earned = walk.earned.saturating_add(held_back).min(self.unearned_premium);
        if self.rate_q32 == 0 && self.waiting_rate_q32 == 0 {
            // No cover is live or waiting: what rounding the rates down has left is earned now.
            earned = self.unearned_premium;
            self.fraction_q32 = 0;
        }
        if self.flat_premium != 0 {
            // What is of readings waits for them.
            earned = earned.min(self.unearned_premium.saturating_sub(self.flat_premium));
        }
        debit(&mut self.unearned_premium, earned)?;
        self.share_out(earned, 0, from)
    }

    /// Shares out what the pool has earned, at `at`, and what an incident left: of the first the quota share's part is ceded
    /// if it is in force then; of all that is kept a part goes to the surplus, and the rest to the layers by what of them
    /// is exposed. The caller has taken both out of where they were.
    ///
    /// Required capital is filled from surplus, junior and senior, in this order ([`sharing::exposed`]). What falls on the
    /// exiting part of a tranche goes to the surplus, but to those who leave while they are kept past their day.
    pub fn share_out(&mut self, earned: u64, late: u64, at: i64) -> Result<Accrual> {
        if earned == 0 && late == 0 {
            return Ok(Accrual::default());
        }
        let place = self.quota_share_at(at);
        let ceded = match place {
            Some(place) => self.ceded_premium(place, earned, at)?,
            None => 0,
        };
        let kept = fits(earned.checked_sub(ceded).and_then(|kept| kept.checked_add(late)))?;
        let fee = self.surplus_of(kept)?;
        let by_layer = self.by_exposed_capital(fits(kept.checked_sub(fee))?, at)?;
        let kept_waiting = self.exits_wait(at);
        let (junior, junior_exiting) = self.earn(Tranche::Junior, by_layer.junior, kept_waiting)?;
        let (senior, senior_exiting) = self.earn(Tranche::Senior, by_layer.senior, kept_waiting)?;
        let of_junior = junior.saturating_add(junior_exiting);
        let of_senior = senior.saturating_add(senior_exiting);
        let surplus = fits(kept.checked_sub(of_junior).and_then(|rest| rest.checked_sub(of_senior)))?;
        let mut ceded_by = [0; MAX_QUOTA_SHARES];
        if let Some(place) = place {
            credit(self.treaty_payable.get_mut(place).ok_or(BackstopError::InvariantViolated)?, ceded)?;
            *ceded_by.get_mut(place).ok_or(BackstopError::InvariantViolated)? = ceded;
        }
        credit(&mut self.surplus, surplus)?;
        // A total for readers never stops a pool.
        let [of_junior, of_senior] = &mut self.earned;
        *of_junior = of_junior.saturating_add(junior);
        *of_senior = of_senior.saturating_add(senior);
        Ok(Accrual { earned, late, ceded: ceded_by, surplus, junior, senior, junior_exiting, senior_exiting })
    }

    /// The surplus's part of premium. The fraction of a unit is carried, so that many small accruals share out what one
    /// large one does: how often somebody accrues moves nothing from one to another.
    fn surplus_of(&mut self, premium: u64) -> Result<u64> {
        carried(premium, u64::from(self.terms.surplus_bps), BPS, &mut self.surplus_fraction_bps)
    }

    /// What of each layer is exposed to what is earned from a moment on: what required capital takes of surplus, junior and
    /// senior, in this order; while accrual stood, as it began to.
    ///
    /// In a crisis what a layer has lent to it is the layer's.
    pub fn exposed_capital(&self, at: i64) -> sharing::ByLayer {
        let required = if at < self.stood_until { self.stood_required } else { self.required };
        let [junior, senior] = &self.tranches;
        let mut capital = sharing::ByLayer { surplus: self.surplus, junior: junior.total(), senior: senior.total() };
        if !self.in_crisis() {
            return sharing::exposed(required, &capital);
        }
        let [surplus_lent, junior_staying, junior_exiting, senior_staying, senior_exiting] = self.crisis.taken;
        let both = u64::saturating_add;
        capital.surplus = both(capital.surplus, surplus_lent);
        capital.junior = both(capital.junior, both(junior_staying, junior_exiting));
        capital.senior = both(capital.senior, both(senior_staying, senior_exiting));
        sharing::exposed(required, &capital)
    }

    /// What of premium falls on each layer, by what of it is exposed.
    fn by_exposed_capital(&mut self, premium: u64, at: i64) -> Result<sharing::ByLayer> {
        let exposed = self.exposed_capital(at);
        let mut fractions =
            sharing::Fractions { junior_q64: self.junior_fraction_q64, senior_q64: self.senior_fraction_q64 };
        let shared = fits(sharing::by_exposure(premium, &exposed, self.terms.junior_weight_bps, &mut fractions))?;
        (self.junior_fraction_q64, self.senior_fraction_q64) = (fractions.junior_q64, fractions.senior_q64);
        Ok(shared)
    }

    /// What stays in a tranche and what is exiting, with what each has lent to the open crisis.
    pub(super) fn with_lent(&self, tranche: Tranche) -> (u64, u64) {
        let [_, junior_staying, junior_exiting, senior_staying, senior_exiting] = self.crisis.taken;
        let (staying, exiting) = match tranche {
            Tranche::Junior => (junior_staying, junior_exiting),
            Tranche::Senior => (senior_staying, senior_exiting),
        };
        let book = self.tranche(tranche);
        (book.assets.saturating_add(staying), book.exiting.saturating_add(exiting))
    }

    /// Books what a tranche earns. Returns what of it stays in it and what is added to what is exiting; the rest is the
    /// caller's, for the surplus: what falls on exiting capital that is not kept waiting, or on capital that nobody owns.
    fn earn(&mut self, tranche: Tranche, premium: u64, kept_waiting: bool) -> Result<(u64, u64)> {
        if premium == 0 {
            return Ok((0, 0));
        }
        let in_crisis = self.in_crisis();
        let book = self.tranche_mut(tranche);
        if book.exiting == 0 && book.shares > 0 && !in_crisis {
            credit(&mut book.assets, premium)?;
            return Ok((premium, 0));
        }
        let (staying, exiting) = self.with_lent(tranche);
        let fraction = self.exiting_fractions_q64.of_mut(tranche);
        let for_exiting = fits(sharing::part(premium, exiting, staying, fraction))?;
        let book = self.tranche_mut(tranche);
        let for_staying = if book.shares > 0 { fits(premium.checked_sub(for_exiting))? } else { 0 };
        let for_exiting = if kept_waiting && book.units > 0 { for_exiting } else { 0 };
        credit(&mut book.assets, for_staying)?;
        credit(&mut book.exiting, for_exiting)?;
        Ok((for_staying, for_exiting))
    }

    /// Quota-share premium of earned premium: the cession less the commission, in the proportion in which the limit
    /// that is left still covers the cession of the exposure. The fraction of a unit is carried, as long as all is
    /// covered; what is not is rounded down, for the cedant.
    fn ceded_premium(&mut self, place: usize, earned: u64, at: i64) -> Result<u64> {
        let treaty = *self.quota_shares.get(place).ok_or(BackstopError::InvariantViolated)?;
        // What stands by what there was as it began to: the order in which incidents are opened has no part in it.
        let exposed = if at < self.stood_until { self.stood_exposure } else { self.total_exposure };
        let limit = match self.in_crisis() {
            true => *self.crisis.limits.get(place).ok_or(BackstopError::InvariantViolated)?,
            false => treaty.limit_left,
        };
        if limit == 0 {
            // Also when nothing is exposed any more: after an incident its covers' premium is still being earned.
            return Ok(0);
        }
        let kept_bps = BPS.saturating_sub(u64::from(treaty.commission_bps));
        let part = u64::from(treaty.cession_bps).saturating_mul(kept_bps);
        let ceded = carried(earned, part, BPS.saturating_mul(BPS), &mut self.ceded_fraction_e8)?;
        let needed = fits(mul_div(exposed, u64::from(treaty.cession_bps), BPS, Rounding::Up))?;
        if limit >= needed {
            return Ok(ceded);
        }
        fits(mul_div(ceded, limit, needed, Rounding::Down))
    }

    /// Takes a premium in and streams it from now, up to which the pool is accrued, to the start of `end_day`. Returns
    /// the rate, rounded down.
    pub fn stream_premium(&mut self, premium: u64, now: i64, end_day: u32) -> Result<u64> {
        let seconds = u64::try_from(day_start(end_day).saturating_sub(now)).map_err(|_| BackstopError::BadTerm)?;
        let rate = self.take_premium_in(premium, seconds, end_day)?;
        self.rate_q32 = self.rate_q32.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        Ok(rate)
    }

    /// Takes a cover's premium in and streams it from the start of its first insured day to its end. Returns the rate,
    /// rounded down.
    ///
    /// Refuses a cover that the buckets do not reach: they begin where accrual stands, so a long alert of one product
    /// ends in selling nothing that begins or ends too far ahead.
    pub fn stream_cover(&mut self, premium: u64, active_day: u32, end_day: u32) -> Result<u64> {
        let from = day_of(self.accrued_at);
        let in_reach = active_day.saturating_sub(from) <= START_RING && end_day.saturating_sub(from) < DAY_RING;
        ensure!(in_reach, BackstopError::AccrualStands);
        ensure!(from < active_day && active_day < end_day, BackstopError::BadTerm);
        let rate = self.take_premium_in(premium, seconds_between(active_day, end_day), end_day)?;
        self.waiting_rate_q32 = self.waiting_rate_q32.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        // The sum of all rates fits, so that it does whatever of them has started.
        ensure!(self.rate_q32.checked_add(self.waiting_rate_q32).is_some(), BackstopError::StreamFull);
        credit(bucket_mut(&mut self.rate_starts, active_day), rate)?;
        self.last_cover_end_day = self.last_cover_end_day.max(end_day);
        Ok(rate)
    }

    /// Streams what a cover in force has still to earn, and a premium more that is taken in, as one rate from now, up to which
    /// the pool is accrued, to the start of a later day. Returns the rate, rounded down.
    pub fn restream_cover(&mut self, cover: &StreamedCover, unearned: u64, premium: u64, end_day: u32) -> Result<u64> {
        let now = self.accrued_at;
        ensure!(end_day.saturating_sub(day_of(now)) < DAY_RING, BackstopError::AccrualStands);
        debit(bucket_mut(&mut self.rate_ends, cover.end_day), cover.rate_q32)?;
        debit(&mut self.rate_q32, cover.rate_q32)?;
        let seconds = u64::try_from(day_start(end_day).saturating_sub(now)).map_err(|_| BackstopError::BadTerm)?;
        let whole = unearned.checked_add(premium).ok_or(BackstopError::StreamFull)?;
        let rate = stream::rate_q32(whole, seconds).ok_or(BackstopError::StreamFull)?;
        self.rate_q32 = self.rate_q32.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        ensure!(self.rate_q32.checked_add(self.waiting_rate_q32).is_some(), BackstopError::StreamFull);
        let bucket = bucket_mut(&mut self.rate_ends, end_day);
        *bucket = bucket.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        credit(&mut self.unearned_premium, premium)?;
        credit(&mut self.cash, premium)?;
        self.last_cover_end_day = self.last_cover_end_day.max(end_day);
        Ok(rate)
    }

    /// Takes the premium of a reading's cover in. None of it is earned before the reading is resolved.
    pub fn take_flat_premium(&mut self, premium: u64, end_day: u32) -> Result<()> {
        credit(&mut self.flat_premium, premium)?;
        credit(&mut self.unearned_premium, premium)?;
        credit(&mut self.cash, premium)?;
        self.last_cover_end_day = self.last_cover_end_day.max(end_day);
        Ok(())
    }

    fn take_premium_in(&mut self, premium: u64, seconds: u64, end_day: u32) -> Result<u64> {
        let rate = stream::rate_q32(premium, seconds).ok_or(BackstopError::StreamFull)?;
        let bucket = bucket_mut(&mut self.rate_ends, end_day);
        *bucket = bucket.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        credit(&mut self.unearned_premium, premium)?;
        credit(&mut self.cash, premium)?;
        Ok(rate)
    }

    /// Takes a cancelled cover's rate out of the stream again. What it has earned while accrual stands is kept for the
    /// next accrual.
    pub fn end_cover_early(&mut self, rate_q32: u64, active_day: u32, end_day: u32, now: i64) -> Result<()> {
        let accrued_at = self.accrued_at;
        if active_day > day_of(accrued_at) {
            debit(bucket_mut(&mut self.rate_starts, active_day), rate_q32)?;
            debit(&mut self.waiting_rate_q32, rate_q32)?;
        } else {
            debit(&mut self.rate_q32, rate_q32)?;
        }
        debit(bucket_mut(&mut self.rate_ends, end_day), rate_q32)?;
        let since = accrued_at.max(day_start(active_day));
        if let Ok(seconds @ 1..) = u64::try_from(now.saturating_sub(since)) {
            credit(&mut self.held_back_premium, fits(stream::unearned(rate_q32, seconds))?)?;
        }
        self.note_cover_end(end_day);
        Ok(())
    }

    /// Looks for the end of the last live cover anew, if it may have been on `end_day`.
    pub(crate) fn note_cover_end(&mut self, end_day: u32) {
        if end_day < self.last_cover_end_day {
            return;
        }
        // Covers that end on the last accrued day or before have no bucket any more, and those of readings never had one.
        let readings = if self.reading_exposure > 0 { self.readings_end_day } else { 0 };
        let first = day_of(self.accrued_at).max(readings);
        while self.last_cover_end_day > first && bucket(&self.rate_ends, self.last_cover_end_day) == 0 {
            self.last_cover_end_day = self.last_cover_end_day.saturating_sub(1);
        }
    }

    /// Takes unearned premium out for a cancelled cover: `refund` leaves the pool, `fee` goes to the surplus.
    pub fn refund_premium(&mut self, refund: u64, fee: u64) -> Result<()> {
        debit(&mut self.unearned_premium, fits(refund.checked_add(fee))?)?;
        debit(&mut self.cash, refund)?;
        credit(&mut self.surplus, fee)
    }

    // ---- the premium of a product that is over ----

    /// Takes the premium of a product that is over out of what is unearned: what it has earned up to the end of its
    /// covers is shared out, `waiting` is set aside to be given back, and `loss` until it is known how much of it is.
    pub fn end_premium(&mut self, ended: &EndedPremium) -> Result<Accrual> {
        let mut total = Accrual::default();
        for part in &ended.earned {
            debit(&mut self.unearned_premium, part.amount)?;
            fits(total.add(&self.share_out(part.amount, 0, part.from)?))?;
        }
        debit(&mut self.unearned_premium, fits(ended.waiting.checked_add(ended.loss))?)?;
        credit(&mut self.premium_refunds, ended.waiting)?;
        credit(&mut self.set_aside, ended.loss)?;
        Ok(total)
    }

    /// Decides about premium that was set aside: `refunds` of it are given back to holders; the rest is the pool's, at
    /// once and undivided by treaties.
    ///
    /// At once, because it is earned by the loss: whoever bears that gets it, and nobody who comes in later.
    pub fn decide_set_aside(&mut self, loss: u64, refunds: u64) -> Result<Accrual> {
        debit(&mut self.set_aside, loss)?;
        credit(&mut self.premium_refunds, refunds)?;
        self.share_out(0, fits(loss.checked_sub(refunds))?, self.accrued_at)
    }

    /// Gives premium back to the holder of a cover.
    pub fn pay_premium_refund(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.premium_refunds, amount)?;
        debit(&mut self.cash, amount)
    }

    /// Moves premium that nobody took back to the surplus.
    pub fn release_premium_refunds(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.premium_refunds, amount)?;
        credit(&mut self.surplus, amount)
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

/// Seconds between the starts of two days.
fn seconds_between(from_day: u32, to_day: u32) -> u64 {
    u64::from(to_day.saturating_sub(from_day)).saturating_mul(DAY.unsigned_abs())
}

/// Unearned part of a premium stream from the start of one day to the start of another, rounded down.
pub fn unearned_between(rate_q32: u64, from_day: u32, to_day: u32) -> Result<u64> {
    let seconds = seconds_between(from_day, to_day);
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
