//! Where an index stands: for people, machines, and a monitor.

use crate::database::{Database, VERSION, unsigned};
use crate::error::Result;
use crate::read::{Gap, Moment, Unread};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A pool of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    /// Its address.
    pub pool: String,
    /// Events that are there.
    pub events: u64,
    /// Number of the last one that is there.
    pub last: u64,
    /// Events that are known to be missing.
    pub missing: u64,
}

/// Where an index stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The file.
    pub file: String,
    /// Version of its tables.
    pub version: i32,
    /// The cluster, by its genesis.
    pub genesis: Option<String>,
    /// The newest transaction that was read.
    pub newest: Option<Moment>,
    /// When a node last had nothing newer, by this machine's clock.
    pub complete_at: Option<i64>,
    /// Transactions that were read, without those that failed.
    pub transactions: u64,
    /// Of those, how many logs were cut.
    pub cut: u64,
    /// Events.
    pub events: u64,
    /// Of those, how many were rebuilt from instructions.
    pub rebuilt: u64,
    /// Transactions that are listed and not read yet.
    pub pending: u64,
    /// The pools.
    pub pools: Vec<PoolStatus>,
    /// Events that are missing.
    pub gaps: Vec<Gap>,
    /// Transactions that the node lists and did not give.
    pub unread: Vec<Unread>,
}

impl Status {
    /// Whether nothing is known to be missing.
    pub fn is_whole(&self) -> bool {
        self.gaps.is_empty() && self.unread.is_empty()
    }
}

/// Where an index stands.
pub fn status(database: &Database) -> Result<Status> {
    let connection = database.connection();
    let count = |sql: &str| -> Result<u64> { Ok(unsigned(connection.query_row(sql, [], |row| row.get(0))?)) };
    let gaps = database.gaps()?;
    let mut missing: BTreeMap<String, u64> = BTreeMap::new();
    for gap in &gaps {
        let some = gap.last.saturating_sub(gap.first).saturating_add(1);
        let all = missing.entry(gap.pool.to_string()).or_default();
        *all = all.saturating_add(some);
    }
    let mut statement = connection.prepare("SELECT pool, count(*), max(sequence) FROM numbers GROUP BY pool")?;
    let rows = statement.query_map([], |row| {
        let (pool, events, last): ([u8; 32], i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((anchor_lang::prelude::Pubkey::new_from_array(pool).to_string(), unsigned(events), unsigned(last)))
    })?;
    let mut pools = Vec::new();
    for row in rows {
        let (pool, events, last) = row?;
        let missing = missing.remove(&pool).unwrap_or_default();
        pools.push(PoolStatus { pool, events, last, missing });
    }
    // Of some pools nothing is there but a gap.
    pools.extend(missing.into_iter().map(|(pool, missing)| PoolStatus { pool, events: 0, last: 0, missing }));
    Ok(Status {
        file: database.path().display().to_string(),
        version: VERSION,
        genesis: database.genesis()?.map(|genesis| genesis.to_string()),
        newest: database.newest()?,
        complete_at: database.complete_at()?,
        transactions: count("SELECT count(*) FROM transactions")?,
        cut: count("SELECT count(*) FROM transactions WHERE is_cut")?,
        events: database.event_count()?,
        rebuilt: count("SELECT count(*) FROM events WHERE is_rebuilt")?,
        pending: count("SELECT count(*) FROM pending")?,
        pools,
        gaps,
        unread: database.unread()?,
    })
}

/// The same as a Prometheus server reads it.
pub fn metrics(status: &Status) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(String, i128)]| {
        let _ = writeln!(text, "# HELP backstop_index_{name} {help}\n# TYPE backstop_index_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(text, "backstop_index_{name}{labels} {value}");
        }
    };
    let one = |value: i128| [(String::new(), value)];
    let newest = status.newest.map_or((0, 0), |newest| (newest.slot.into(), newest.time.into()));
    gauge("newest_slot", "Slot of the newest transaction that was read.", &one(newest.0));
    gauge("newest_timestamp_seconds", "Time of its block.", &one(newest.1));
    let complete = status.complete_at.unwrap_or_default().into();
    gauge("complete_timestamp_seconds", "When a node last had nothing newer.", &one(complete));
    gauge("transactions", "Transactions that were read.", &one(status.transactions.into()));
    gauge("events", "Events that are kept.", &one(status.events.into()));
    gauge("pending_transactions", "Transactions that are listed and not read yet.", &one(status.pending.into()));
    let unread = status.unread.len() as i128;
    gauge("unread_transactions", "Transactions that the node lists and did not give.", &one(unread));
    gauge("gaps", "Gaps in the numbers of events.", &one(status.gaps.len() as i128));
    let missing = |pool: &PoolStatus| (format!("{{pool=\"{}\"}}", pool.pool), i128::from(pool.missing));
    let missing: Vec<(String, i128)> = status.pools.iter().map(missing).collect();
    gauge("missing_events", "Events of a pool that are missing.", &missing);
    text
}
