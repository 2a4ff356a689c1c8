//! What a crank did.

use crate::crank::chain::Unknown;
use crate::crank::price::Standing;
use crate::crank::watch::FeedState;
use crate::crank::work::{Item, Waiting};
use serde::Serialize;
use std::collections::BTreeMap;

/// Work that was tried and refused, and will be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The instruction.
    pub kind: &'static str,
    /// The account that it is about.
    pub subject: String,
    /// Why it was refused.
    pub why: String,
}

impl Skipped {
    /// An item that was refused.
    pub fn new(item: Item, why: &str) -> Self {
        Self { kind: item.0.name(), subject: item.1.to_string(), why: why.to_owned() }
    }
}

/// What one pass did, or many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Passes.
    pub passes: u64,
    /// Items done, by instruction.
    pub done: BTreeMap<&'static str, u64>,
    /// Items that somebody else had done first.
    pub done_by_others: u64,
    /// Transactions confirmed.
    pub transactions: u64,
    /// Transactions that were paid for and failed, or were never confirmed.
    pub transactions_lost: u64,
    /// Compute units of the confirmed ones.
    pub compute_units: u64,
    /// Fees, in lamports.
    pub fees: u64,
    /// Rent of accounts created, in lamports. Most comes back when they are closed.
    pub rent: u64,
    /// What was refused, as of the last pass.
    pub skipped: Vec<Skipped>,
    /// What only others can bring about, as of the last pass.
    pub waiting: Vec<Waiting>,
    /// Whether sending stopped because the budget of the hour is used up.
    pub out_of_budget: bool,
    /// Why there are no prices, if so, as of the last pass.
    pub price_error: Option<String>,
    /// How each watched feed stands, as of the last pass.
    pub feeds: Vec<FeedState>,
    /// How each of several sources, and each signer of reports, stands, as of the last pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Standing>,
    /// What could not be found out, as of the last pass: nothing was concluded from it.
    pub unknown: Vec<Unknown>,
    /// Lamports of the wallet that pays, as of the last pass; unknown if nobody said.
    pub payer_lamports: Option<u64>,
}

impl Report {
    /// Whether anything was done, by this crank or by another at the same time: then there may be more to do.
    pub fn did_anything(&self) -> bool {
        !self.done.is_empty() || self.done_by_others > 0
    }

    /// How many items of a kind were done.
    pub fn count(&self, kind: &str) -> u64 {
        self.done.get(kind).copied().unwrap_or_default()
    }

    /// What is not as it should be, in sentences: a watched feed without a fresh price, something refused or unknown, a
    /// budget that is used up. Empty if all is well.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = self.feeds.iter().filter_map(FeedState::complaint).collect();
        complaints.extend(self.price_error.clone());
        complaints.extend(
            self.unknown
                .iter()
                .map(|unknown| format!("not known: {} ({}): {}", unknown.what, unknown.items, unknown.why)),
        );
        let skipped = self.skipped.iter();
        complaints.extend(
            skipped.map(|skipped| format!("{} {} was refused: {}", skipped.kind, skipped.subject, skipped.why)),
        );
        if self.out_of_budget {
            complaints.push("the budget of the hour is used up".into());
        }
        complaints
    }

    /// Adds a later report: counts add up, what is left is as of the later one.
    pub fn add(&mut self, later: Self) {
        self.passes += later.passes;
        for (kind, count) in later.done {
            *self.done.entry(kind).or_default() += count;
        }
        self.done_by_others += later.done_by_others;
        self.transactions += later.transactions;
        self.transactions_lost += later.transactions_lost;
        self.compute_units += later.compute_units;
        self.fees += later.fees;
        self.rent += later.rent;
        self.skipped = later.skipped;
        self.waiting = later.waiting;
        self.out_of_budget = later.out_of_budget;
        self.price_error = later.price_error;
        self.feeds = later.feeds;
        self.sources = later.sources;
        self.unknown = later.unknown;
        self.payer_lamports = later.payer_lamports;
    }
}
