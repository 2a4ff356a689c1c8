//! Accounts told in full: what `backstop ... --output json` prints, and a page shows.
//!
//! Amounts are in the smallest units of the pool's asset, whose decimals stand beside them; prices end in `_e8`, rates in
//! `_ppb`, parts in `_bps`; times are unix seconds. Addresses are texts.

mod cover;
mod exit;
mod health;
mod incident;
mod pool;
mod position;
mod product;
mod program;
mod protocol;
mod treaty;
mod trigger;

pub use cover::{CoverPayout, CoverReport, CoverRow, FoundCover, bought_by, claim_name, covers, held_by};
pub use exit::{TicketRow, tickets};
pub use health::HealthReport;
pub use incident::{
    CoverClaim, EndedIncident, IncidentReport, IncidentRow, IncidentSummary, IncidentTreaty, Losses, incidents,
};
pub use pool::{EpochRow, PoolReport, PoolSummary, ProductRow, TrancheReport, WalletReport, pools};
pub use position::{FoundPosition, PositionReport, PositionRow, positions};
pub use product::{AnnouncedReport, Example, ProductReport, ProductSummary, ReadingReport, products};
pub use program::ProgramReport;
pub use protocol::{ProtocolReport, pauses_left};
pub use treaty::{NotedIncident, TreatyReport, TreatyStep, TreatySummary, treaties};
pub use trigger::{ConditionReport, PrintReport, SlotReport, SlotSpan, TriggerReport, WindowReport};
