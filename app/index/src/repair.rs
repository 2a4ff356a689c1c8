//! Fetching again what is missing.

use crate::database::{Database, unsigned};
use crate::error::Result;
use crate::follow::{self, Options, Progress, begin, check_page, commit};
use crate::read::Gap;
use crate::store;
use backstop_client::history::{History, LISTED_AT_ONCE, Listed};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use solana_sdk::signature::Signature;

/// What repairing did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// What was read.
    #[serde(flatten)]
    pub progress: Progress,
    /// Transactions around gaps that were asked for again.
    pub asked_again: u64,
    /// Gaps that there were.
    pub before: Vec<Gap>,
    /// Gaps that there still are.
    pub after: Vec<Gap>,
}

/// Reads what is new; then lists and reads again everything between the events around each gap, and rebuilds what can
/// be.
///
/// Errors: those of [`follow::follow`].
pub fn repair(database: &mut Database, node: &dyn History, options: &Options) -> Result<Repaired> {
    let mut progress = follow::follow(database, node, options)?;
    let before = database.gaps()?;
    let mut asked_again = 0;
    for gap in &before {
        let window = window(database, node, gap, options)?;
        for some in window.chunks(options.batch.max(1)) {
            if let Some(stop) = options.stop
                && stop.load(std::sync::atomic::Ordering::Relaxed)
            {
                return Err(crate::error::IndexError::Stopped);
            }
            asked_again += some.len() as u64;
            let (readings, _) = follow::fetch(node, some)?;
            let transaction = begin(database)?;
            let written = store::write(&transaction, readings)?;
            commit(transaction)?;
            progress.transactions += written.transactions;
            progress.events += written.events;
            progress.rebuilt += written.rebuilt;
        }
    }
    Ok(Repaired { progress, asked_again, before, after: database.gaps()? })
}

/// The transactions among which the events of a gap must be, oldest first.
fn window(database: &Database, node: &dyn History, gap: &Gap, options: &Options) -> Result<Vec<Listed>> {
    let [first, last] = store::around(database.connection(), &gap.pool, &(gap.first..=gap.last))?;
    let ends = [first, last].map(|end| end.map(|(_, _, id)| id));
    let [first, last] = [known(database.connection(), ends[0])?, known(database.connection(), ends[1])?];
    let (mut before, until) = (last.map(|last| last.signature), first.map(|first| first.signature));
    let mut found: Vec<Listed> = last.into_iter().collect();
    let mut slot = last.map(|last| last.slot);
    loop {
        let page = node.signatures(before.as_ref(), until.as_ref(), LISTED_AT_ONCE)?;
        check_page(&page, slot)?;
        let Some(oldest) = page.last() else { break };
        (before, slot) = (Some(oldest.signature), Some(oldest.slot));
        let is_within = |listed: &&Listed| first.is_none_or(|first| listed.slot >= first.slot);
        let is_over = page.iter().any(|listed| !is_within(&listed));
        found.extend(page.iter().filter(is_within).filter(|listed| !listed.is_failed).copied());
        if is_over {
            break;
        }
        if let Some(stop) = options.stop
            && stop.load(std::sync::atomic::Ordering::Relaxed)
        {
            return Err(crate::error::IndexError::Stopped);
        }
    }
    found.extend(first);
    found.reverse();
    Ok(found)
}

/// A transaction that was read.
fn known(connection: &Connection, id: Option<i64>) -> Result<Option<Listed>> {
    let Some(id) = id else { return Ok(None) };
    let sql = "SELECT signature, slot FROM transactions WHERE id = ?1";
    let found = connection.query_row(sql, (id,), |row| {
        let (bytes, slot): ([u8; 64], i64) = (row.get(0)?, row.get(1)?);
        Ok(Listed { signature: Signature::from(bytes), slot: unsigned(slot), is_failed: false })
    });
    Ok(found.optional()?)
}
