//! How a pool stands, as `pool_health` tells it to programs.

use crate::view::OpenPool;
use backstop::state::{PoolHealth, day_start, get_text};
use serde::Serialize;

/// How a pool stands. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct HealthReport {
    /// The pool.
    pub pool: String,
    /// The name of its asset.
    pub label: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Everything that absorbs losses, with what has asked to leave.
    pub loss_capital: u64,
    /// What of that has not asked to leave.
    pub staying_capital: u64,
    /// Own capital with which it is just solvent.
    pub least_capital: u64,
    /// What all live covers could pay.
    pub exposure: u64,
    /// What of that is in alert.
    pub alert_exposure: u64,
    /// What has asked to leave and was not paid out yet.
    pub exits_waiting: u64,
    /// The day of the oldest exit that waits, in unix seconds.
    pub oldest_exit: Option<i64>,
    /// Number of the crisis that is open.
    pub crisis: Option<u32>,
    /// Judged cases that are open.
    pub open_cases: u32,
    /// How deep it is in alert.
    pub alert: &'static str,
    /// Whether it takes new cover, as far as that is the pool's to say.
    pub takes_cover: bool,
}

impl HealthReport {
    /// How a pool stands at `now`, by the program's own code; without an answer if its books are damaged.
    pub fn of(open: &OpenPool, now: i64) -> Option<Self> {
        let mut pool = open.state.clone();
        pool.accrue(now).ok()?;
        let health = pool.health(now).ok()?;
        Some(Self::told(open, &health))
    }

    /// What the program returned.
    pub fn told(open: &OpenPool, health: &PoolHealth) -> Self {
        Self {
            pool: open.keys.pool.to_string(),
            label: get_text(&open.state.label).to_owned(),
            decimals: open.decimals,
            loss_capital: health.loss_capital,
            staying_capital: health.staying_capital,
            least_capital: health.least_capital,
            exposure: health.exposure,
            alert_exposure: health.alert_exposure,
            exits_waiting: health.exits_waiting,
            oldest_exit: (health.oldest_exit_day != 0).then(|| day_start(health.oldest_exit_day)),
            crisis: (health.crisis != 0).then_some(health.crisis),
            open_cases: health.open_cases,
            alert: match health.alert {
                0 => "none",
                1 => "breaching",
                _ => "due",
            },
            takes_cover: health.takes_cover != 0,
        }
    }
}
