//! Exposure: what the live covers could pay, by risk group, and which of it is in alert.

use crate::constants::{SMALL_ALERT_DIVISOR, SMALL_ALERT_TIME};
use crate::error::BackstopError;
use crate::math::capital;
use crate::math::rounding::{BPS, Rounding, mul_div, narrow, wide};
use crate::peril::AlertLevel;
use crate::state::Pool;
use crate::state::ledger::{credit, debit, fits};
use anchor_lang::prelude::*;

/// A product's alert as its pool counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The product's risk group.
    pub group: u8,
    /// Its number, from its beginning on.
    pub number: u64,
    /// The product's exposure, in asset units.
    pub exposure: u64,
}

/// An alert that runs.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RunningAlert {
    /// Its number; 0 in a free place.
    pub number: u64,
    /// When it began, in unix seconds.
    pub began_at: i64,
    /// Since when it is more than breaching, in unix seconds; 0 while it is not.
    pub due_at: i64,
}

impl Pool {
    /// Adds exposure of a product to its group and the total.
    pub fn add_exposure(&mut self, group: u8, amount: u64) -> Result<()> {
        let entry = self.group_exposures.get_mut(usize::from(group)).ok_or(BackstopError::OutOfBounds)?;
        credit(entry, amount)?;
        credit(&mut self.total_exposure, amount)?;
        ensure!(self.total_exposure <= capital::MAX_TOTAL_EXPOSURE, BackstopError::TooMuchExposure);
        self.renew_required()
    }

    /// Releases exposure of a product from its group and the total.
    pub fn release_exposure(&mut self, group: u8, amount: u64) -> Result<()> {
        let entry = self.group_exposures.get_mut(usize::from(group)).ok_or(BackstopError::OutOfBounds)?;
        debit(entry, amount)?;
        debit(&mut self.total_exposure, amount)?;
        self.renew_required()
    }

    /// Exposure of a risk group, in asset units.
    pub fn group_exposure(&self, group: u8) -> u64 {
        self.group_exposures.get(usize::from(group)).copied().unwrap_or(0)
    }

    /// Exposure that a product may reach: its own cap, and what its group's cap leaves beside the group's other
    /// products.
    pub fn product_capacity(&self, group: u8, product_cap_bps: u16, product_exposure: u64) -> Result<u64> {
        let others = self.group_exposure(group).saturating_sub(product_exposure);
        self.capacity_of(self.capacity_capital()?, product_cap_bps, others)
    }

    /// The same of any capital, beside an exposure of the group's other products.
    pub fn capacity_of(&self, capital: u64, product_cap_bps: u16, others: u64) -> Result<u64> {
        let cap = fits(mul_div(capital, u64::from(product_cap_bps), BPS, Rounding::Down))?;
        let group_cap = fits(mul_div(capital, u64::from(self.terms.group_cap_bps), BPS, Rounding::Down))?;
        Ok(cap.min(group_cap.saturating_sub(others)))
    }

    /// Counts a product with exposure into the alert of the pool and of its risk group, out of it, or from breaching to
    /// due and back. Returns the number of its alert. Accrual stands while the alerts hold the pool, and the crisis that
    /// follows.
    pub fn move_alert(&mut self, alert: Alert, from: AlertLevel, to: AlertLevel, now: i64) -> Result<u64> {
        let Alert { group, mut number, exposure } = alert;
        if exposure == 0 || from == to {
            return Ok(number);
        }
        let place = usize::from(group);
        let of_group = self.group_alerts.get_mut(place).ok_or(BackstopError::OutOfBounds)?;
        let group_exposure = self.group_alert_exposures.get_mut(place).ok_or(BackstopError::OutOfBounds)?;
        if from != AlertLevel::None {
            *of_group = of_group.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
            self.alerts = self.alerts.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
            debit(&mut self.alert_exposure, exposure)?;
            debit(group_exposure, exposure)?;
        }
        if from == AlertLevel::Due {
            self.alerts_due = self.alerts_due.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
        }
        if to != AlertLevel::None {
            *of_group = fits(of_group.checked_add(1))?;
            self.alerts = fits(self.alerts.checked_add(1))?;
            credit(&mut self.alert_exposure, exposure)?;
            credit(group_exposure, exposure)?;
        }
        if to == AlertLevel::Due {
            self.alerts_due = fits(self.alerts_due.checked_add(1))?;
        }
        if from == AlertLevel::None {
            credit(&mut self.alert_seq, 1)?;
            number = self.alert_seq;
        }
        self.keep_running(number, from, to, now);
        if self.alerts_due == 0 {
            self.due_since = 0;
        } else if self.due_since == 0 {
            self.due_since = now;
        }
        if to == AlertLevel::None {
            self.let_go_if_small();
        }
        self.note_alerts(now);
        Ok(number)
    }

    /// Keeps since when an alert runs and since when it is due, until it has ended.
    fn keep_running(&mut self, number: u64, from: AlertLevel, to: AlertLevel, now: i64) {
        let kept = if from == AlertLevel::None { 0 } else { number };
        let Some(place) = self.running_alerts.iter_mut().find(|alert| alert.number == kept) else { return };
        if from == AlertLevel::None {
            *place = RunningAlert { number, began_at: now, due_at: 0 };
        }
        match to {
            AlertLevel::None => *place = RunningAlert::default(),
            AlertLevel::Breaching => place.due_at = 0,
            AlertLevel::Due => place.due_at = now,
        }
    }

    /// The alerts that run, as far as they are kept.
    pub fn running_alerts(&self) -> impl Iterator<Item = &RunningAlert> {
        self.running_alerts.iter().filter(|alert| alert.number != 0)
    }

    /// What is kept of an alert that runs.
    pub(super) fn running_alert(&self, number: u64) -> Option<&RunningAlert> {
        self.running_alerts().find(|alert| alert.number == number)
    }

    /// Releases exposure of a product whose covers have ended, and takes it off what is in alert, if the product is at
    /// `level`. An alert of which nothing is exposed any more is over.
    pub fn release_ended(&mut self, alert: Alert, level: AlertLevel, released: u64, now: i64) -> Result<()> {
        self.release_exposure(alert.group, released)?;
        if level == AlertLevel::None {
            return Ok(());
        }
        if released == alert.exposure {
            self.move_alert(alert, level, AlertLevel::None, now)?;
            return Ok(());
        }
        let group_exposure = self.group_alert_exposures.get_mut(usize::from(alert.group));
        debit(group_exposure.ok_or(BackstopError::OutOfBounds)?, released)?;
        debit(&mut self.alert_exposure, released)?;
        self.let_go_if_small();
        self.note_alerts(now);
        Ok(())
    }

    /// Lets go of the pool if only small alerts are left: where one has ended, or covers of it have.
    fn let_go_if_small(&mut self) {
        if self.alerts_are_small() {
            self.alerts_since = 0;
        }
    }

    fn note_alerts(&mut self, now: i64) {
        if !self.in_crisis() {
            self.stand(self.alerts_since, now);
        }
        self.note_held(now);
    }

    /// Refuses while a product of a risk group is in alert: what fails together is not sold beside a failure.
    pub fn require_no_group_alert(&self, group: u8) -> Result<()> {
        ensure!(self.group_alerts.get(usize::from(group)) == Some(&0), BackstopError::GroupInAlert);
        Ok(())
    }

    /// Loss capital that keeps the exposure in alert small: two hundred times that. What does not fit is out of reach.
    pub fn keeps_alerts_small(&self) -> u64 {
        narrow(wide(self.alert_exposure, SMALL_ALERT_DIVISOR)).unwrap_or(u64::MAX)
    }

    /// Whether all alerts together are small: their exposure is at most 0.5 % of the loss capital. It is so without any.
    pub fn alerts_are_small(&self) -> bool {
        self.loss_capital().is_ok_and(|capital| self.keeps_alerts_small() <= capital)
    }

    /// Whether the alerts hold the pool: they stop exits, deposits and accrual. Small ones do not; one that was found not
    /// to be small does until an alert ends and leaves only small ones, so that a gift ends nothing.
    pub fn alerts_hold(&self) -> bool {
        self.alerts > 0 && (self.alerts_since != 0 || !self.alerts_are_small())
    }

    /// Finds out whether the alerts have come to hold the pool: from now on if they are not small any more, as capital
    /// has left, and however small they are once one has been due for a day.
    ///
    /// So accrual never goes further than a day beyond the end of a challenge, by which no cover has ended that waited
    /// at the event: the shortest term is longer.
    pub(super) fn note_held(&mut self, now: i64) {
        let Some(since) = self.held_from(now) else { return };
        self.alerts_since = since;
        if !self.in_crisis() {
            self.stand(since, now);
        }
    }

    /// From when on the alerts hold the pool that has not noticed it yet. `None` if they do not, or it has.
    #[inline]
    pub(super) fn held_from(&self, now: i64) -> Option<i64> {
        if self.alerts == 0 || self.alerts_since != 0 {
            return None;
        }
        let due_long = self.due_since.saturating_add(SMALL_ALERT_TIME);
        if self.alerts_due > 0 && now >= due_long {
            return Some(due_long);
        }
        (!self.alerts_are_small()).then_some(now)
    }

    /// How deep the pool is in alert: as deep as the worst of its products; a crisis is as deep as it gets. Small alerts
    /// are none.
    pub fn alert(&self) -> AlertLevel {
        match (self.alerts_hold(), self.alerts_due) {
            _ if self.in_crisis() => AlertLevel::Due,
            (false, _) => AlertLevel::None,
            (_, 0) => AlertLevel::Breaching,
            _ => AlertLevel::Due,
        }
    }

    /// Refuses unless the pool takes capital in: no crisis is open, alerts do not hold it, and none, however small, is more
    /// than breaching. Who comes in just before an incident is opened would share in what it leaves of its premium.
    pub fn require_takes_capital(&self) -> Result<()> {
        self.require_no_crisis()?;
        ensure!(!self.alerts_hold() && self.alerts_due == 0, BackstopError::PoolInAlert);
        Ok(())
    }

    /// Refuses to cede surplus, or to begin or cut short a treaty, while a crisis is open, alerts hold the pool, or one of them
    /// is more than breaching. Small ones that are only breaching stop nothing: they have no end of their own, and a dollar
    /// shall let no treaty lapse. Nor while readings lock the pool: who then gave capital away, or took part of a risk, or was
    /// let out of it, would do it by a forecast.
    pub fn require_calm(&self, now: i64) -> Result<()> {
        self.require_takes_capital()?;
        self.require_not_locked(now)
    }

    /// Refuses while a product of the pool is in alert, however small, or a crisis is open.
    pub fn require_no_alert(&self) -> Result<()> {
        self.require_no_crisis()?;
        ensure!(self.alerts == 0, BackstopError::PoolInAlert);
        Ok(())
    }
}
