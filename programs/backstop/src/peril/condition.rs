//! The interface of every condition: what the rules of products, pools and incidents may know of one.

use crate::error::BackstopError;
use crate::peril::evidence::Phase;
use anchor_lang::prelude::*;

/// How deep something is in alert: a product by its condition, or a pool by its products. Ordered by depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertLevel {
    /// Not in alert.
    None,
    /// Breaching.
    Breaching,
    /// Met, or triggered and without an incident.
    Due,
}

/// What a condition has proven. The event and the moment are fixed; the severity may still grow until it is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// When the event was, in unix seconds.
    pub event_at: i64,
    /// From when on it counts as proven, T, in unix seconds, whenever anybody called.
    pub proven_at: i64,
    /// Part of each sum insured that is lost by what is known, in basis points.
    pub severity_bps: u16,
    /// The most that this part can still become, in basis points: itself, once final.
    pub most_severity_bps: u16,
    /// Whether the severity is fixed.
    pub is_final: bool,
    /// When it is fixed at the latest, in unix seconds, whatever is shown and whenever anybody calls.
    pub final_by: i64,
}

/// What prices must be like for a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaleLimits {
    /// Oldest last price, in seconds.
    pub max_age: u32,
    /// Least distance of prices, less their confidences, from the threshold, in basis points of the threshold.
    pub buffer_bps: u32,
}

/// The days that all covers of a product insure, where its condition says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First insured UTC day.
    pub active_day: u32,
    /// First UTC day that is no longer insured.
    pub end_day: u32,
}

impl Period {
    /// Its days.
    pub fn days(&self) -> u32 {
        self.end_day.saturating_sub(self.active_day)
    }

    /// Refuses what would still come or go at `now` with this waiting time: nothing does once the period is so near that
    /// forecasts may tell its outcome.
    pub fn require_far(&self, waiting_seconds: u32, now: i64) -> Result<()> {
        let first = crate::state::activation_day(now, waiting_seconds);
        ensure!(first <= self.active_day, BackstopError::PeriodTooNear);
        Ok(())
    }
}

/// What a product listens to, whatever it looks at.
pub trait Condition {
    /// The period that every cover insures, for a premium that is earned once it is resolved; `None` where each has days
    /// of its own.
    fn period(&self) -> Option<Period> {
        None
    }

    /// How far it is, as of the last call that changed something.
    fn phase(&self) -> Phase;

    /// How it counts in its pool's alert.
    fn alert(&self) -> AlertLevel;

    /// Number of its last alert in its pool.
    fn alert_number(&self) -> u64;

    /// Whether an event is proven by now, whether or not anybody has called since. If none is, one that is proven later
    /// lies within the ring's reach of now.
    fn is_proven_by(&self, now: i64) -> bool;

    /// What it has proven, once it is triggered; as of the last call that changed something.
    fn verdict(&self) -> Option<Verdict>;

    /// Refuses a sale while what is known is too old or too near to an event.
    fn require_sellable(&self, limits: SaleLimits, now: i64) -> Result<()>;

    /// Ends the alert of a triggered condition: its incident is opened.
    fn end_alert(&mut self);

    /// Whether nothing points to an event. A quiet condition stays quiet until something is shown to it.
    fn is_quiet(&self) -> bool {
        self.phase() == Phase::Quiet
    }

    /// Refuses unless quiet.
    fn require_quiet(&self) -> Result<()> {
        ensure!(self.is_quiet(), BackstopError::TriggerNotQuiet);
        Ok(())
    }

    /// What it has proven; refuses before.
    fn require_verdict(&self) -> Result<Verdict> {
        Ok(self.verdict().ok_or(BackstopError::NotTriggered)?)
    }
}
