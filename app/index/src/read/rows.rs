//! What the queries return. Amounts are in the smallest units of the pool's asset, times in unix seconds.

use anchor_lang::prelude::Pubkey;
use serde::{Serialize, Serializer};
use solana_sdk::signature::Signature;
use std::fmt::Display;

pub(super) fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn maybe_text<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// From hour to hour.
    Hour,
    /// From day to day, UTC.
    Day,
}

impl By {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// Seconds of a period.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The first second of the period in which a moment is.
    pub const fn start_of(self, at: i64) -> i64 {
        at.saturating_sub(at.rem_euclid(self.seconds()))
    }
}

/// A tranche's shares at the end of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SharePrice {
    /// First second of the period.
    pub start: i64,
    /// Capital that stays in the tranche.
    pub assets: u64,
    /// Its shares, which have three decimals more than the asset.
    pub shares: u64,
    /// Number of the tranche's share mint: a new one begins at 1 again.
    pub series: u8,
    /// What a share is worth in billionths of what the first one cost, rounded down. `None`: there are no shares.
    pub price_e9: Option<u64>,
}

/// What a pool lost in a period. Layers lend to a crisis, take back when it closes what it did not need, and what
/// treaties pay later: then a period's loss may be below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// First second of the period.
    pub start: i64,
    /// Of the surplus.
    pub surplus: i64,
    /// Of the junior tranche, of those who leave too.
    pub junior: i64,
    /// Of the senior tranche, of those who leave too.
    pub senior: i64,
}

/// A tranche in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TranchePeriod {
    /// Capital that stays, at the end.
    pub assets: u64,
    /// Capital that has asked to leave, at the end.
    pub exiting: u64,
    /// Shares, at the end.
    pub shares: u64,
    /// Number of the share mint, at the end.
    pub series: u8,
    /// Premium that came to it in the period, to those who leave too.
    pub earned: u64,
    /// What it lost in the period, those who leave too, less what came back: see [`Loss`].
    pub lost: i64,
    /// Deposits of the period.
    pub deposits: u64,
    /// Worth of what asked to leave in the period, less of what came back.
    pub exits: i64,
}

/// A pool in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolPeriod {
    /// First second of the period.
    pub start: i64,
    /// Surplus at the end.
    pub surplus: u64,
    /// Premium that is not earned yet, at the end.
    pub unearned_premium: u64,
    /// Sums insured at the end.
    pub exposure: u64,
    /// What the vault held for the books at the end.
    pub cash: u64,
    /// The junior tranche.
    pub junior: TranchePeriod,
    /// The senior tranche.
    pub senior: TranchePeriod,
    /// Premium of covers and treaties that came in.
    pub premium_sold: u64,
    /// Premium that was earned, the parts of surplus, tranches and reinsurers together.
    pub premium_earned: u64,
    /// Of that, the surplus's.
    pub surplus_earned: u64,
    /// Of that, the reinsurers'.
    pub ceded_earned: u64,
    /// What the surplus lost, less what came back: see [`Loss`].
    pub surplus_lost: i64,
    /// What was given to the surplus.
    pub contributions: u64,
    /// What was paid to those who left.
    pub exits_paid: u64,
    /// How many covers were sold.
    pub covers_sold: u64,
    /// Their sums insured.
    pub sums_sold: u64,
    /// How many payments were made to holders of covers.
    pub covers_paid: u64,
    /// What they were paid, refunds of premium included.
    pub amounts_paid: u64,
}

/// A product's sales in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProductPeriod {
    /// First second of the period.
    pub start: i64,
    /// Covers sold.
    pub covers: u64,
    /// Their sums insured.
    pub sum_insured: u64,
    /// Their premiums.
    pub premium: u64,
    /// Covers given back.
    pub cancelled: u64,
    /// Premium paid back for them.
    pub refunds: u64,
    /// What the last cover cost a year, in parts per billion of its sum insured, rounded down.
    pub last_rate_ppb: u64,
    /// What the cheapest cover cost.
    pub lowest_rate_ppb: u64,
    /// What the dearest cover cost.
    pub highest_rate_ppb: u64,
    /// Level of the demand curve that the last cover was priced at, in basis points.
    pub last_level_bps: u32,
}

/// What the slot of a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// Nothing.
    Open,
    /// That the price was below the threshold.
    Breach,
    /// That the price had recovered.
    Recovered,
}

/// What was shown to a trigger in one slot of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PricePoint {
    /// First second of the slot.
    pub start: i64,
    /// How many prints.
    pub prints: u64,
    /// Lowest price, in 1e-8.
    pub low_e8: u64,
    /// Highest price, in 1e-8.
    pub high_e8: u64,
    /// The newest print's price, in 1e-8.
    pub last_e8: u64,
    /// What the slot says by the rules of the condition.
    pub says: Says,
}

/// The prices that were shown to a product's trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceHistory {
    /// The trigger.
    #[serde(serialize_with = "text")]
    pub trigger: Pubkey,
    /// A breach is below this price, in 1e-8.
    pub threshold_e8: u64,
    /// A recovery is at or above this price, in 1e-8.
    pub recovery_e8: u64,
    /// Length of a slot, in seconds.
    pub slot_seconds: u32,
    /// Slots in which something was shown, oldest first.
    pub points: Vec<PricePoint>,
}

/// Where on the chain something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The transaction's slot.
    pub slot: u64,
    /// Time of its block.
    pub time: i64,
    /// The transaction.
    #[serde(serialize_with = "text")]
    pub signature: Signature,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentSummary {
    /// The incident.
    #[serde(serialize_with = "text")]
    pub incident: Pubkey,
    /// Its pool.
    #[serde(serialize_with = "text")]
    pub pool: Pubkey,
    /// Its product, which ended with it.
    #[serde(serialize_with = "text")]
    pub product: Pubkey,
    /// Number of its crisis; 0 if nothing was due.
    pub crisis: u32,
    /// Start of the event.
    pub event_at: i64,
    /// End of its challenge.
    pub ended_at: i64,
    /// When its severity is final at the latest.
    pub final_at: i64,
    /// When it was opened.
    pub opened_at: i64,
    /// Part of each sum insured that is lost, in basis points.
    pub severity_bps: u16,
    /// What its covers are due for their loss.
    pub gross: u64,
    /// Whether that is final.
    pub is_final: bool,
    /// What it was given to pay with.
    pub funded: u64,
    /// What was paid for losses.
    pub paid: u64,
    /// Premium that was given back.
    pub refunded: u64,
    /// How many payments were made.
    pub payments: u64,
    /// Until when its covers can be paid, if that was moved.
    pub deadline: Option<i64>,
    /// When it was closed.
    pub closed_at: Option<i64>,
}

/// A cover that was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payment {
    /// Where on the chain.
    #[serde(flatten)]
    pub moment: Moment,
    /// The incident.
    #[serde(serialize_with = "text")]
    pub incident: Pubkey,
    /// The cover.
    #[serde(serialize_with = "text")]
    pub cover: Pubkey,
    /// Who was paid: the holder of its NFT.
    #[serde(serialize_with = "text")]
    pub holder: Pubkey,
    /// For its loss.
    pub amount: u64,
    /// Premium given back.
    pub refund: u64,
    /// Whether the cover was still waiting: then it got its premium alone.
    pub is_waiting: bool,
}

/// Something that happened in an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where on the chain.
    #[serde(flatten)]
    pub moment: Moment,
    /// The event's name: `PhaseChanged`, `IncidentOpened`, `IncidentGrown`, `TreatyCalled`, `IncidentFunded`,
    /// `CrisisClosed`, `DeadlineExtended`, `IncidentClosed`. Payments are in [`Payment`].
    pub what: String,
    /// The phase since then, of `PhaseChanged`: 0 quiet, 1 breaching, 2 met, 3 triggered, 4 final.
    pub phase: Option<u8>,
    /// The money of the event: due (opened, grown), given (funded), received (a treaty's), there is (crisis), left
    /// (closed).
    pub amount: Option<u64>,
    /// Severity since then, in basis points.
    pub severity_bps: Option<u16>,
}

/// What a treaty, or an agreement about surplus, did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreatyStep {
    /// Where on the chain.
    #[serde(flatten)]
    pub moment: Moment,
    /// The event's name.
    pub what: String,
    /// The treaty. `None`: quota-share premium is handed over for all treaties of two pools, and surplus by none.
    #[serde(serialize_with = "maybe_text")]
    pub treaty: Option<Pubkey>,
    /// The pool that cedes.
    #[serde(serialize_with = "text")]
    pub cedant: Pubkey,
    /// The pool that reinsures.
    #[serde(serialize_with = "text")]
    pub reinsurer: Pubkey,
    /// The incident that it paid for.
    #[serde(serialize_with = "maybe_text")]
    pub incident: Option<Pubkey>,
    /// What went from the cedant to the reinsurer.
    pub to_reinsurer: u64,
    /// What went from the reinsurer to the cedant.
    pub to_cedant: u64,
}

/// Something that was announced before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// Where on the chain it was announced.
    #[serde(flatten)]
    pub moment: Moment,
    /// The event's name: `ProductCreated`, `ConditionSet`, `ProductStateSet`, `TreatyCreated`, `CessionAnnounced`.
    pub what: String,
    /// The product, the treaty, or the other pool.
    #[serde(serialize_with = "text")]
    pub subject: Pubkey,
    /// How much, of a transfer of surplus; the limit of a treaty.
    pub amount: Option<u64>,
    /// When it begins. Of a product without a condition: when it was announced.
    pub begins_at: i64,
    /// When it is void.
    pub until: Option<i64>,
    /// When it was done, withdrawn or replaced.
    pub ended_at: Option<i64>,
}

/// Events of a pool that are not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The pool.
    #[serde(serialize_with = "text")]
    pub pool: Pubkey,
    /// The first number that is missing.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// When that was found: time of the block that showed it.
    pub found_at: i64,
}

/// A transaction that the node lists and did not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The transaction.
    #[serde(serialize_with = "text")]
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// How often it was asked for.
    pub attempts: u64,
}
