//! Health: how a pool stands, in the figures that its own rules ask.

use crate::error::BackstopError;
use crate::peril::AlertLevel;
use crate::state::{Pool, PoolKind};
use anchor_lang::prelude::*;

/// How a pool stands now; what `pool_health` returns, 64 bytes. All numbers are little-endian, amounts in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolHealth {
    /// Everything that absorbs losses: surplus and both tranches, with what has asked to leave. Bytes 0 to 7.
    pub loss_capital: u64,
    /// What of that has not asked to leave: what solvency is measured by. Bytes 8 to 15.
    pub staying_capital: u64,
    /// Own capital with which the pool is just solvent, treaties and alerts reckoned in: with less that stays it sells
    /// nothing and lets nobody leave. Bytes 16 to 23.
    pub least_capital: u64,
    /// What all live covers could pay. Bytes 24 to 31.
    pub exposure: u64,
    /// What of that is in alert. Bytes 32 to 39.
    pub alert_exposure: u64,
    /// What has asked to leave and was not paid out yet. Bytes 40 to 47.
    pub exits_waiting: u64,
    /// UTC day of the oldest exit that waits; 0 if none does. Bytes 48 to 51.
    pub oldest_exit_day: u32,
    /// Number of the crisis that is open; 0 without one. Bytes 52 to 55.
    pub crisis: u32,
    /// Judged cases that are open; 0 as long as there are none to judge. Bytes 56 to 59.
    pub open_cases: u32,
    /// How deep the pool is in alert: 0 not, or a little only; 1 breaching; 2 due, or in a crisis. Byte 60.
    pub alert: u8,
    /// 1 if the pool takes new cover: it is one of covers and not over, no crisis is open, it is solvent, and enough stands
    /// in front of its senior tranche. Whether a product sells is a question for `quote`. Byte 61.
    pub takes_cover: u8,
    /// Zero. Bytes 62 and 63.
    pub padding: [u8; 2],
}

impl Pool {
    /// How the pool stands. It is accrued.
    pub fn health(&self, now: i64) -> Result<PoolHealth> {
        let in_crisis = self.in_crisis();
        let takes_cover = self.kind() == PoolKind::Cover
            && !self.has_ended(now)
            && !in_crisis
            && self.require_solvent(now).is_ok()
            && self.require_first_loss().is_ok();
        let [junior, senior] = &self.tranches;
        let exits_waiting = junior.exiting.checked_add(senior.exiting).ok_or(BackstopError::MathOverflow)?;
        Ok(PoolHealth {
            loss_capital: self.loss_capital()?,
            staying_capital: self.staying_capital()?,
            least_capital: self.least_capital(now)?,
            exposure: self.total_exposure,
            alert_exposure: self.alert_exposure,
            exits_waiting,
            oldest_exit_day: self.oldest_exit_day,
            crisis: if in_crisis { self.crisis.number } else { 0 },
            open_cases: 0,
            alert: match self.alert() {
                AlertLevel::None => 0,
                AlertLevel::Breaching => 1,
                AlertLevel::Due => 2,
            },
            takes_cover: takes_cover.into(),
            padding: [0; 2],
        })
    }
}
