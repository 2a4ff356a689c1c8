//! Exits: requests to leave, the queue of epochs, and what is set aside for them.

use crate::constants::{EXIT_QUEUE_DAYS, EXIT_QUEUE_WORDS, MIN_EXIT_PAYMENT, SMALL_ALERT_DIVISOR};
use crate::error::BackstopError;
use crate::math::rounding::{Rounding, mul_div};
use crate::math::{exits, shares};
use crate::peril::AlertLevel;
use crate::state::ledger::{credit, debit, fits};
use crate::state::{ByTranche, ExitEpoch, InwardRisk, Pool, Tranche, day_of, day_start};
use anchor_lang::prelude::*;

/// What a request to leave does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Value that moves from `assets` to `exiting`.
    pub value: u64,
    /// Exit units it becomes.
    pub units: u64,
    /// Dust that the last shares leave behind, moved to the surplus.
    pub to_surplus: u64,
}

/// What taking a request to leave back does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelledExit {
    /// Value that moves from `exiting` to `assets`.
    pub value: u64,
    /// Shares it becomes.
    pub shares: u64,
    /// Dust that the last exit units leave behind, moved to the surplus.
    pub to_surplus: u64,
}

/// How an exit epoch was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochPayment {
    /// Asset units set aside, by tranche.
    pub paid: [u64; 2],
    /// Exit units closed, by tranche.
    pub closed_units: [u64; 2],
    /// What exit units without owner left behind, moved to the surplus, by tranche.
    pub to_surplus: [u64; 2],
}

/// Where a day stands in the queue: its word, and its bit in it.
fn queue_place(day: u32) -> (usize, u64) {
    let word = usize::try_from(day / 64).unwrap_or(0) % EXIT_QUEUE_WORDS;
    (word, 1u64.wrapping_shl(day))
}

impl Pool {
    /// Moves the value of shares to the exiting class. Shares and units are rounded against who leaves. Refuses less
    /// than a ticket: see [`crate::state::TrancheBook::is_ticket`].
    pub fn request_exit(&mut self, tranche: Tranche, amount: u64) -> Result<Exit> {
        let least = self.terms.min_ticket;
        // What a tranche has lent to an open crisis, and what treaties owe it, is part of what its shares and its units are
        // worth.
        let (mut staying, mut exiting) = self.with_lent(tranche);
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out == 0, BackstopError::TrancheWipedOut);
        let lent = staying.saturating_sub(book.assets);
        staying = staying.saturating_add(book.recoverable);
        exiting = exiting.saturating_add(book.exiting_recoverable);
        let worth = fits(shares::worth(amount, book.shares, staying))?;
        let is_ticket = worth >= least || book.is_ticket_by_count(amount, least);
        ensure!(worth > 0 && is_ticket, BackstopError::AmountTooSmall);
        let more = staying > book.assets;
        let part = |of: u64| fits(mul_div(of, worth, staying, Rounding::Down));
        let (value, owed) = if more { (part(book.assets)?, part(book.recoverable)?) } else { (worth, 0) };
        let beside = fits(value.checked_add(owed))?;
        let lent = lent.min(fits(worth.checked_sub(beside))?);
        // What rounding each part down leaves behind buys nothing.
        let units = fits(shares::issue(fits(beside.checked_add(lent))?, book.units, exiting))?;
        ensure!(units > 0, BackstopError::AmountTooSmall);
        debit(&mut book.shares, amount)?;
        debit(&mut book.assets, value)?;
        credit(&mut book.exiting, value)?;
        credit(&mut book.units, units)?;
        debit(&mut book.recoverable, owed)?;
        credit(&mut book.exiting_recoverable, owed)?;
        self.asked_today = self.asked_today.saturating_add(value);
        if more {
            self.move_lent(tranche, lent)?;
        }
        let to_surplus = self.sweep(tranche)?;
        Ok(Exit { value, units, to_surplus })
    }

    /// Buys shares at today's price with the value of open exit units, which asked to leave on a day before today.
    /// Refused unless the pool takes capital in, like every other way into the staying capital; what may fall on a reinsurer
    /// is not asked for, as who takes it back bears that either way.
    ///
    /// The capital was in the pool all the time and bore its losses: from now on its days count for capacity as if it had
    /// not asked, so that asking and taking it back makes cover neither scarcer nor dearer than the exit itself did.
    pub fn cancel_exit(&mut self, tranche: Tranche, open_units: u64, asked_on: u32) -> Result<CancelledExit> {
        self.require_takes_capital()?;
        ensure!(self.capital_day > asked_on, BackstopError::AskedToday);
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out == 0, BackstopError::TrancheWipedOut);
        let value = book.worth_of_units(open_units)?;
        let recoverable = book.recoverable_of(open_units);
        let issued = book.shares_for(fits(value.checked_add(recoverable))?)?;
        ensure!(issued > 0, BackstopError::AmountTooSmall);
        debit(&mut book.units, open_units)?;
        debit(&mut book.exiting, value)?;
        credit(&mut book.assets, value)?;
        credit(&mut book.shares, issued)?;
        // Also where nobody stayed until now: his part is his.
        book.move_recoverable(recoverable)?;
        self.raise_lows(value, asked_on);
        let to_surplus = self.sweep(tranche)?;
        Ok(CancelledExit { value, shares: issued, to_surplus })
    }

    /// UTC day of the first epoch that a request made now can join: the day that contains now and the cooldown; today, once
    /// the pool has run off, since there is nothing to leave from any more.
    pub fn exit_day(&self, now: i64) -> u32 {
        if self.has_run_off(now) { day_of(now) } else { self.cooled_day(now) }
    }

    fn cooled_day(&self, now: i64) -> u32 {
        day_of(now.saturating_add(i64::from(self.terms.cooldown_seconds)))
    }

    /// Refuses an epoch that a request made now cannot join: it is that of its day or of the day after, so that a
    /// request which names tomorrow's is good today and tomorrow. Nobody's cooldown becomes shorter by it. Once the pool
    /// has run off those are still good that were named before.
    pub fn require_exit_day(&self, day: u32, now: i64) -> Result<()> {
        let latest = self.cooled_day(now).saturating_add(1);
        ensure!((self.exit_day(now)..=latest).contains(&day), BackstopError::WrongExitDay);
        Ok(())
    }

    /// Puts the epoch of a day into the queue, in the order of its day, whoever asked first.
    pub fn enqueue_epoch(&mut self, day: u32) -> Result<()> {
        let oldest = if self.oldest_exit_day == 0 { day } else { self.oldest_exit_day.min(day) };
        let newest = self.newest_exit_day.max(day);
        ensure!(newest.saturating_sub(oldest) < EXIT_QUEUE_DAYS, BackstopError::ExitQueueFull);
        let (word, bit) = queue_place(day);
        *self.exit_days.get_mut(word).ok_or(BackstopError::MathOverflow)? |= bit;
        (self.oldest_exit_day, self.newest_exit_day) = (oldest, newest);
        Ok(())
    }

    /// Whether the epoch of a day stands in the queue.
    pub fn is_queued(&self, day: u32) -> bool {
        let (word, bit) = queue_place(day);
        let set = self.exit_days.get(word).is_some_and(|word| word & bit != 0);
        set && (self.oldest_exit_day..=self.newest_exit_day).contains(&day) && day != 0
    }

    /// Takes the oldest epoch, which is filled, out of the queue: the next day of the queue is the oldest now.
    fn dequeue_oldest(&mut self) -> Result<()> {
        let (word, bit) = queue_place(self.oldest_exit_day);
        *self.exit_days.get_mut(word).ok_or(BackstopError::MathOverflow)? &= !bit;
        let mut day = self.oldest_exit_day.saturating_add(1);
        while day <= self.newest_exit_day {
            let (word, _) = queue_place(day);
            let rest = self.exit_days.get(word).map_or(0, |word| word.wrapping_shr(day));
            if rest != 0 {
                self.oldest_exit_day = day.saturating_add(rest.trailing_zeros());
                return Ok(());
            }
            day = (day | 63).saturating_add(1);
        }
        (self.oldest_exit_day, self.newest_exit_day) = (0, 0);
        Ok(())
    }

    /// When the day of the oldest unfilled epoch is over, in unix seconds; `None` if the queue is empty.
    pub fn exits_wait_from(&self) -> Option<i64> {
        let day = self.oldest_exit_day;
        (day != 0).then(|| day_start(day.saturating_add(1)))
    }

    /// Whether at a moment the oldest epoch is past its day and unfilled.
    pub fn exits_wait(&self, at: i64) -> bool {
        self.exits_wait_from().is_some_and(|from| at >= from)
    }

    /// Refuses while an exit epoch past its day is unfilled.
    pub fn require_no_exits_waiting(&self, now: i64) -> Result<()> {
        ensure!(!self.exits_wait(now), BackstopError::ExitsWaiting);
        Ok(())
    }

    /// Capital that may be paid to the oldest epoch now.
    ///
    /// In a crisis nothing is free: who is paid before it is closed would escape a loss that is due already, or lose what
    /// his tranche has only lent. Whatever is in alert stays behind in full, beside what the rest requires. While alerts
    /// are small no more is free than leaves them small. While they hold the pool nothing is free, except for an epoch more
    /// than 30 days past its end in an alert that is only breaching. While readings lock the pool nothing is, and where
    /// little is exposed to them no more than leaves it little.
    ///
    /// What can fall on a reinsurer of its cedants' alerts and losses counts like its own alerts, by its own capital.
    ///
    /// Errors: `PoolInCrisis`, `PoolLocked`, `TreatyOwes`, `PoolInAlert`.
    pub fn free_for_exits(&self, epoch_day: u32, inward: &InwardRisk, now: i64) -> Result<u64> {
        self.require_no_crisis()?;
        self.require_not_locked(now)?;
        let held = self.alerts_hold() || !self.is_small(inward);
        if held {
            ensure!(!inward.owes || self.is_small(inward), BackstopError::TreatyOwes);
            let due = self.alert() == AlertLevel::Due || inward.level == AlertLevel::Due;
            ensure!(ExitEpoch::is_late(epoch_day, now) && !due, BackstopError::PoolInAlert);
        }
        let own = self.loss_capital()?;
        let locked = self.locked_exposure(now).saturating_mul(SMALL_ALERT_DIVISOR);
        let free = own.saturating_sub(self.least_capital(now)?.max(locked));
        let keeps_small = self.keeps_alerts_small().saturating_add(inward.keeps_small());
        Ok(if held { free } else { free.min(own.saturating_sub(keeps_small)) })
    }

    /// Pays the oldest epoch from free capital, both tranches in one ratio, into the exit reserves; takes it out of the
    /// queue once it is filled.
    ///
    /// A payment that does not fill the epoch has a least amount: each rounds against those who leave, and nobody shall
    /// wear an epoch down by settling it for a unit at a time.
    pub fn settle_epoch(&mut self, epoch: &mut ExitEpoch, inward: &InwardRisk, now: i64) -> Result<EpochPayment> {
        ensure!(epoch.day < day_of(now), BackstopError::EpochNotOver);
        ensure!(epoch.day == self.oldest_exit_day, BackstopError::NotOldestEpoch);
        let free = self.free_for_exits(epoch.day, inward, now)?;
        let mut units = epoch.units;
        let mut totals = [exits::Queue { units: 0, exiting: 0 }; 2];
        for (tranche, (units, total)) in Tranche::BOTH.iter().zip(units.iter_mut().zip(totals.iter_mut())) {
            let book = self.tranche(*tranche);
            // Units of a series that was wiped out are worth nothing.
            if book.wiped_out != 0 || *epoch.series.of(*tranche) != book.series {
                *units = 0;
            }
            *total = exits::Queue { units: book.units, exiting: book.exiting };
        }
        let fill = fits(exits::fill(epoch.open_q63, units, totals, free))?;
        let paid_total = fits(fill.paid.iter().try_fold(0u64, |sum, paid| sum.checked_add(*paid)))?;
        ensure!(paid_total >= MIN_EXIT_PAYMENT || fill.open_q63_after == 0, BackstopError::NothingFree);
        let mut to_surplus = [0u64; 2];
        for (tranche, swept) in Tranche::BOTH.into_iter().zip(to_surplus.iter_mut()) {
            let book = self.tranche_mut(tranche);
            // Whoever is paid before a treaty pays leaves his part of it to the surplus.
            book.leave_behind(*fill.closed_units.of(tranche))?;
            debit(&mut book.units, *fill.closed_units.of(tranche))?;
            debit(&mut book.exiting, *fill.paid.of(tranche))?;
            *swept = self.sweep(tranche)?;
        }
        credit(&mut self.exit_reserves, paid_total)?;
        epoch.reserve = fits(epoch.reserve.checked_add(paid_total))?;
        epoch.open_q63 = fill.open_q63_after;
        for (sum, delta) in epoch.paid_per_unit_q64.iter_mut().zip(fill.paid_per_unit_q64_delta) {
            *sum = fits(sum.checked_add(delta))?;
        }
        if epoch.is_filled() {
            self.dequeue_oldest()?;
        }
        Ok(EpochPayment { paid: fill.paid, closed_units: fill.closed_units, to_surplus })
    }

    /// Pays a claim out of the exit reserves.
    pub fn pay_exit(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.exit_reserves, amount)?;
        debit(&mut self.cash, amount)
    }

    /// Moves what rounding left in an epoch's reserve to the surplus.
    pub fn sweep_exit_reserve(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.exit_reserves, amount)?;
        credit(&mut self.surplus, amount)
    }
}
