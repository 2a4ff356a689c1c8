//! Following the program: from a node's lists and transactions to rows, so that a process that ends anywhere goes on
//! where it was.

use crate::database::{Database, before_write, bits, unsigned};
use crate::error::{IndexError, Result};
use crate::reading::Reading;
use crate::store::{self, Written};
use backstop_client::history::{History, LISTED_AT_ONCE, Listed};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::Serialize;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Transactions that are written at once.
const BATCH: usize = 256;
/// Slots that are listed again each time, about a minute's: a node may learn of a transaction late.
const OVERLAP: u64 = 300;
/// How often a transaction that is listed and not given is asked for before the others go on without it.
const PATIENCE: i64 = 5;

/// How to follow.
pub struct Options<'a> {
    /// Transactions that are written at once.
    pub batch: usize,
    /// Set from outside to stop after what is under way.
    pub stop: Option<&'a AtomicBool>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { batch: BATCH, stop: None }
    }
}

impl Options<'_> {
    fn check(&self) -> Result<()> {
        let is_stopped = self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        if is_stopped { Err(IndexError::Stopped) } else { Ok(()) }
    }
}

/// What following did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Transactions that were read, without those that failed.
    pub transactions: u64,
    /// Events that were read.
    pub events: u64,
    /// Events that were rebuilt from instructions.
    pub rebuilt: u64,
    /// Whether the node has nothing newer. If not it lists a transaction that it does not give yet.
    pub is_complete: bool,
}

impl Progress {
    fn add(&mut self, written: Written) {
        self.transactions += written.transactions;
        self.events += written.events;
        self.rebuilt += written.rebuilt;
    }
}

/// Reads everything that the node has and the database has not.
///
/// Errors: the node does not answer or cannot be believed, the database cannot be written, or is of another cluster.
/// What was read before is kept, and the next call goes on from there.
pub fn follow(database: &mut Database, node: &dyn History, options: &Options) -> Result<Progress> {
    same_cluster(database, node)?;
    let mut progress = Progress::default();
    loop {
        list(database, node, options)?;
        if is_empty(database.connection())? {
            break;
        }
        while let Some(batch) = next_batch(database.connection(), options.batch)? {
            options.check()?;
            if !read(database, node, &batch, &mut progress)? {
                return Ok(progress);
            }
        }
    }
    ask_again(database, node, &mut progress)?;
    before_write();
    database.connection().execute("UPDATE cursor SET complete_at = ?1", (now(),))?;
    progress.is_complete = true;
    Ok(progress)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Refuses a node of another cluster; the first one says which it is.
fn same_cluster(database: &mut Database, node: &dyn History) -> Result<()> {
    let found = node.genesis()?;
    match database.genesis()? {
        Some(kept) if kept == found => Ok(()),
        Some(kept) => Err(IndexError::OtherCluster { path: database.path().to_owned(), kept, found }),
        None => set_genesis(database.connection(), &found),
    }
}

pub(crate) fn set_genesis(connection: &Connection, genesis: &Hash) -> Result<()> {
    before_write();
    connection.execute("UPDATE cursor SET genesis = ?1", (genesis.as_ref(),))?;
    Ok(())
}

/// A database transaction for writing.
pub(crate) fn begin(database: &mut Database) -> Result<Transaction<'_>> {
    Ok(database.connection_mut().transaction_with_behavior(TransactionBehavior::Immediate)?)
}

pub(crate) fn commit(transaction: Transaction) -> Result<()> {
    before_write();
    Ok(transaction.commit()?)
}

fn is_empty(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM pending)", [], |row| row.get(0))?)
}

/// A listing under way.
struct Listing {
    is_under_way: bool,
    before: Option<Signature>,
    slot: Option<u64>,
    anchor: Option<(u64, Signature)>,
}

fn signature(bytes: [u8; 64]) -> Signature {
    Signature::from(bytes)
}

fn listing(connection: &Connection) -> Result<Listing> {
    let sql = "SELECT is_listing, listed_before, listed_slot, anchor_slot, anchor FROM cursor";
    Ok(connection.query_row(sql, [], |row| {
        let anchor: (Option<i64>, Option<[u8; 64]>) = (row.get(3)?, row.get(4)?);
        Ok(Listing {
            is_under_way: row.get(0)?,
            before: row.get::<_, Option<[u8; 64]>>(1)?.map(signature),
            slot: row.get::<_, Option<i64>>(2)?.map(unsigned),
            anchor: anchor.0.zip(anchor.1).map(|(slot, bytes)| (unsigned(slot), signature(bytes))),
        })
    })?)
}

/// Lists what is new, from the newest back to the anchor, page by page; goes on with a listing that was broken off.
fn list(database: &mut Database, node: &dyn History, options: &Options) -> Result<()> {
    if !listing(database.connection())?.is_under_way {
        if !is_empty(database.connection())? {
            return Ok(());
        }
        before_write();
        let sql = "UPDATE cursor SET is_listing = 1, listed_before = NULL, listed_slot = NULL";
        database.connection().execute(sql, [])?;
    }
    loop {
        options.check()?;
        let Listing { before, slot, anchor, .. } = listing(database.connection())?;
        let until = anchor.map(|(_, signature)| signature);
        let page = node.signatures(before.as_ref(), until.as_ref(), LISTED_AT_ONCE)?;
        check_page(&page, slot)?;
        let transaction = begin(database)?;
        let lowest: Option<i64> = transaction.query_row("SELECT min(rank) FROM pending", [], |row| row.get(0))?;
        let mut rank = lowest.unwrap_or_default();
        for listed in &page {
            rank -= 1;
            add_pending(&transaction, rank, listed)?;
        }
        // A node that does not know the anchor lists everything.
        let is_beyond = |listed: &Listed| anchor.is_some_and(|(slot, _)| listed.slot < slot);
        let more = page.last().filter(|oldest| !is_beyond(oldest));
        before_write();
        match more {
            Some(oldest) => transaction.execute(
                "UPDATE cursor SET listed_before = ?1, listed_slot = ?2",
                (oldest.signature.as_ref(), bits(oldest.slot)),
            )?,
            None => {
                transaction.execute("UPDATE cursor SET is_listing = 0, listed_before = NULL, listed_slot = NULL", [])?
            }
        };
        let is_over = more.is_none();
        commit(transaction)?;
        if is_over {
            return Ok(());
        }
    }
}

/// Newest first, and older than the page before.
pub(crate) fn check_page(page: &[Listed], before: Option<u64>) -> Result<()> {
    let mut last = before.unwrap_or(u64::MAX);
    for listed in page {
        if listed.slot > last {
            return Err(IndexError::lie_of(&listed.signature, "it is listed after an older one"));
        }
        last = listed.slot;
    }
    Ok(())
}

/// Notes a transaction to be read, unless it was read, or is noted.
fn add_pending(transaction: &Transaction, rank: i64, listed: &Listed) -> Result<()> {
    // Of one that failed it is enough to have seen it.
    let sql = "SELECT EXISTS (SELECT 1 FROM transactions WHERE signature = ?1) OR EXISTS (SELECT 1 FROM unread WHERE \
        signature = ?1) OR (?2 AND ?3 <= coalesce((SELECT slot FROM cursor), -1))";
    let mut statement = transaction.prepare_cached(sql)?;
    let row = (listed.signature.as_ref(), listed.is_failed, bits(listed.slot));
    if statement.query_row(row, |row| row.get(0))? {
        return Ok(());
    }
    before_write();
    let sql = "INSERT OR IGNORE INTO pending (rank, signature, slot, is_failed) VALUES (?1, ?2, ?3, ?4)";
    let row = (rank, listed.signature.as_ref(), bits(listed.slot), listed.is_failed);
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// The oldest that are to be read, whole slots at a time.
fn next_batch(connection: &Connection, most: usize) -> Result<Option<Vec<Listed>>> {
    let sql = "SELECT signature, slot, is_failed FROM pending WHERE rank <= (SELECT max(rank) FROM pending WHERE \
        slot = (SELECT max(slot) FROM (SELECT slot FROM pending ORDER BY rank LIMIT ?1))) ORDER BY rank";
    let mut statement = connection.prepare_cached(sql)?;
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let rows = statement.query_map((most,), |row| {
        let (bytes, slot): ([u8; 64], i64) = (row.get(0)?, row.get(1)?);
        Ok(Listed { signature: signature(bytes), slot: unsigned(slot), is_failed: row.get(2)? })
    })?;
    let batch: Vec<Listed> = rows.collect::<rusqlite::Result<_>>()?;
    Ok((!batch.is_empty()).then_some(batch))
}

/// Reads a batch and writes it with the cursor. Returns whether to go on: not if one is listed and not given yet.
fn read(database: &mut Database, node: &dyn History, batch: &[Listed], progress: &mut Progress) -> Result<bool> {
    let wanted: Vec<Listed> = batch.iter().filter(|listed| !listed.is_failed).copied().collect();
    let (readings, missing) = fetch(node, &wanted)?;
    let transaction = begin(database)?;
    if let Some(absent) = missing.first()
        && attempts(&transaction, absent)? < PATIENCE
    {
        // The node may be behind: nothing is concluded from that, and nothing after it read, so that all comes in
        // order.
        before_write();
        let sql = "UPDATE pending SET attempts = attempts + 1 WHERE signature = ?1";
        transaction.execute(sql, (absent.signature.as_ref(),))?;
        commit(transaction)?;
        return Ok(false);
    }
    for absent in &missing {
        before_write();
        let sql = "INSERT OR IGNORE INTO unread (signature, slot, attempts) VALUES (?1, ?2, ?3)";
        transaction.execute(sql, (absent.signature.as_ref(), bits(absent.slot), PATIENCE))?;
    }
    let times: Vec<i64> = readings.iter().filter_map(|reading| reading.time).collect();
    let written = store::write(&transaction, readings)?;
    for listed in batch {
        before_write();
        let sql = "DELETE FROM pending WHERE signature = ?1";
        transaction.prepare_cached(sql)?.execute((listed.signature.as_ref(),))?;
    }
    if let Some(newest) = batch.last() {
        advance(&transaction, newest, times.into_iter().max())?;
    }
    commit(transaction)?;
    progress.add(written);
    Ok(true)
}

fn attempts(connection: &Connection, listed: &Listed) -> Result<i64> {
    let sql = "SELECT attempts FROM pending WHERE signature = ?1";
    let found = connection.query_row(sql, (listed.signature.as_ref(),), |row| row.get(0)).optional()?;
    Ok(found.unwrap_or_default())
}

/// Asks for transactions, and returns what they say and those that were not given.
pub(crate) fn fetch(node: &dyn History, listed: &[Listed]) -> Result<(Vec<Reading>, Vec<Listed>)> {
    let signatures: Vec<Signature> = listed.iter().map(|listed| listed.signature).collect();
    let answers = node.transactions(&signatures)?;
    if answers.len() != signatures.len() {
        return Err(IndexError::lie("another number of transactions than was asked for"));
    }
    let (mut readings, mut missing) = (Vec::new(), Vec::new());
    for (listed, answer) in listed.iter().zip(answers) {
        match answer {
            Some(executed) => readings.extend(Reading::of(listed, &executed)?),
            None => missing.push(*listed),
        }
    }
    Ok((readings, missing))
}

/// Moves the cursor, never back, and the anchors after it.
pub(crate) fn advance(transaction: &Transaction, newest: &Listed, time: Option<i64>) -> Result<()> {
    let sql = "SELECT slot, time, next_anchor_slot FROM cursor";
    let (slot, before, next): (Option<i64>, Option<i64>, Option<i64>) =
        transaction.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let newest_slot = bits(newest.slot);
    if slot.is_some_and(|slot| slot > newest_slot) {
        return Ok(());
    }
    let time = time.into_iter().chain(before).max();
    before_write();
    let sql = "UPDATE cursor SET slot = ?1, time = ?2, signature = ?3";
    transaction.execute(sql, (newest_slot, time, newest.signature.as_ref()))?;
    let is_far = next.is_none_or(|next| newest_slot.saturating_sub(next) >= bits(OVERLAP));
    if is_far {
        before_write();
        transaction.execute(
            "UPDATE cursor SET anchor_slot = next_anchor_slot, anchor = next_anchor, next_anchor_slot = ?1, \
             next_anchor = ?2",
            (newest_slot, newest.signature.as_ref()),
        )?;
    }
    Ok(())
}

/// Asks once more for what was listed and never given.
pub(crate) fn ask_again(database: &mut Database, node: &dyn History, progress: &mut Progress) -> Result<()> {
    let unread = database.unread()?;
    let listed =
        |unread: crate::read::Unread| Listed { signature: unread.signature, slot: unread.slot, is_failed: false };
    let listed: Vec<Listed> = unread.into_iter().map(listed).collect();
    if listed.is_empty() {
        return Ok(());
    }
    let (readings, _) = fetch(node, &listed)?;
    let transaction = begin(database)?;
    before_write();
    transaction.execute("UPDATE unread SET attempts = attempts + 1", [])?;
    for reading in &readings {
        before_write();
        let sql = "DELETE FROM unread WHERE signature = ?1";
        transaction.execute(sql, (reading.signature.as_ref(),))?;
    }
    progress.add(store::write(&transaction, readings)?);
    commit(transaction)
}
