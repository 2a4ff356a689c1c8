//! Writing transactions and their events, in whatever order they come, and keeping account of what is missing.

use crate::database::{DatabaseError, before_write, bits, key, unsigned};
use crate::error::{IndexError, Result};
use crate::lost::{self, Lost};
use crate::project::{At, Projector};
use crate::reading::{Reading, Told, order};
use anchor_lang::prelude::Pubkey;
use backstop_client::books::{Books, Replay};
use backstop_client::event::Event;
use backstop_client::numbering::{Number, Numbering};
use rusqlite::{Connection, OptionalExtension, Transaction};
use solana_sdk::signature::Signature;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// What writing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub transactions: u64,
    pub events: u64,
    /// Events that were rebuilt from instructions.
    pub rebuilt: u64,
    /// Whether what is made of the events was made anew: something came that was older than what was there.
    pub is_anew: bool,
}

/// A transaction that was read before.
fn id_of(connection: &Connection, signature: &Signature) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM transactions WHERE signature = ?1")?;
    Ok(statement.query_row((signature.as_ref(),), |row| row.get(0)).optional()?)
}

/// The highest number of each of these pools.
fn last_numbers(connection: &Connection, pools: &BTreeSet<Pubkey>) -> Result<BTreeMap<Pubkey, u64>> {
    let mut statement = connection.prepare_cached("SELECT max(sequence) FROM numbers WHERE pool = ?1")?;
    let mut last = BTreeMap::new();
    for pool in pools {
        let highest: Option<i64> = statement.query_row((key(pool),), |row| row.get(0))?;
        last.insert(*pool, highest.map(unsigned).unwrap_or_default());
    }
    Ok(last)
}

/// A transaction's place in its slot, and its numbers, of those that are there.
struct Placed {
    id: i64,
    numbers: Vec<Number>,
}

fn in_slot(connection: &Connection, slot: u64) -> Result<Vec<Placed>> {
    let mut statement = connection.prepare_cached("SELECT id FROM transactions WHERE slot = ?1 ORDER BY place")?;
    let ids: Vec<i64> = statement.query_map((bits(slot),), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut placed = Vec::with_capacity(ids.len());
    for id in ids {
        placed
            .push(Placed { id, numbers: told_of(connection, id)?.into_iter().flat_map(|told| told.numbers).collect() });
    }
    Ok(placed)
}

/// The events of a transaction.
fn told_of(connection: &Connection, id: i64) -> Result<Vec<Told>> {
    let sql = "SELECT bytes, is_rebuilt FROM events WHERE transaction_id = ?1 ORDER BY place";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((id,), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(Vec<u8>, bool)> = rows.collect::<rusqlite::Result<_>>()?;
    let told = rows.into_iter().map(|(bytes, is_rebuilt)| Told::read(bytes, is_rebuilt));
    Ok(told.collect::<Option<_>>().ok_or_else(|| DatabaseError::damaged("an event cannot be read"))?)
}

/// Writes the events of a transaction, which has none.
fn write_events(transaction: &Connection, id: i64, events: &[Told]) -> Result<()> {
    let sql = "INSERT INTO events (transaction_id, place, name, bytes, is_rebuilt) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut event = transaction.prepare_cached(sql)?;
    let sql = "INSERT INTO numbers (pool, sequence, transaction_id, place) VALUES (?1, ?2, ?3, ?4)";
    let mut number = transaction.prepare_cached(sql)?;
    for (place, told) in (0i64..).zip(events) {
        before_write();
        event.execute((id, place, told.event.name(), told.bytes.as_slice(), told.is_rebuilt))?;
        for Number { pool, sequence } in &told.numbers {
            before_write();
            let written = number.execute((key(pool), bits(*sequence), id, place));
            if let Err(rusqlite::Error::SqliteFailure(why, _)) = &written
                && why.code == rusqlite::ErrorCode::ConstraintViolation
            {
                return Err(IndexError::lie(format!("two events of pool {pool} have number {sequence}")));
            }
            written?;
        }
    }
    Ok(())
}

fn write_lost(transaction: &Connection, id: i64, lost: &[Lost]) -> Result<()> {
    let sql = "INSERT INTO lost (transaction_id, rank, pool, bytes) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (rank, lost) in (0i64..).zip(lost) {
        before_write();
        statement.execute((id, rank, key(&lost.pool), lost.bytes.as_slice()))?;
    }
    Ok(())
}

fn delete_of(transaction: &Connection, table: &str, id: i64) -> Result<()> {
    before_write();
    transaction.prepare_cached(&format!("DELETE FROM {table} WHERE transaction_id = ?1"))?.execute((id,))?;
    Ok(())
}

/// Writes transactions, given in the order of the chain as the node tells it, and all that follows from them.
pub(crate) fn write(transaction: &Transaction, readings: Vec<Reading>) -> Result<Written> {
    let mut written = Written::default();
    let numbers = readings.iter().flat_map(Reading::numbers);
    let last = last_numbers(transaction, &numbers.map(|number| number.pool).collect())?;
    let newest: Option<i64> = transaction.query_row("SELECT max(slot) FROM transactions", [], |row| row.get(0))?;
    let mut slots: BTreeMap<u64, Vec<Reading>> = BTreeMap::new();
    for reading in readings {
        match id_of(transaction, &reading.signature)? {
            None => slots.entry(reading.slot).or_default().push(reading),
            // Given again. What says more than before is better: a log that was cut elsewhere, say.
            Some(id)
                if told_of(transaction, id)?.iter().filter(|told| !told.is_rebuilt).count() < reading.events.len() =>
            {
                for table in ["events", "numbers", "lost"] {
                    delete_of(transaction, table, id)?;
                }
                before_write();
                let sql = "UPDATE transactions SET is_cut = ?2 WHERE id = ?1";
                transaction.prepare_cached(sql)?.execute((id, reading.is_cut))?;
                written.events += reading.events.len() as u64;
                write_events(transaction, id, &reading.events)?;
                write_lost(transaction, id, &reading.lost)?;
                written.is_anew = true;
            }
            Some(_) => {}
        }
    }
    let mut fresh: Vec<(i64, i64, Vec<Told>)> = Vec::new();
    for (slot, readings) in slots {
        let is_late = newest.is_some_and(|newest| newest > bits(slot));
        let before =
            if newest.is_some_and(|newest| newest >= bits(slot)) { in_slot(transaction, slot)? } else { vec![] };
        let numbers: Vec<Vec<Number>> =
            before.iter().map(|placed| placed.numbers.clone()).chain(readings.iter().map(Reading::numbers)).collect();
        let ordered = order(&numbers)?;
        // Those that were there stay where they are, unless one that came now was before them.
        let is_moved = ordered.iter().take(before.len()).enumerate().any(|(place, old)| place != *old);
        written.is_anew |= is_late || is_moved;
        let mut readings: Vec<Option<Reading>> = readings.into_iter().map(Some).collect();
        for (place, from) in (0i64..).zip(ordered) {
            if let Some(old) = before.get(from) {
                if is_moved {
                    before_write();
                    let sql = "UPDATE transactions SET place = ?2 WHERE id = ?1";
                    transaction.prepare_cached(sql)?.execute((old.id, place))?;
                }
                continue;
            }
            let Some(reading) = readings.get_mut(from - before.len()).and_then(Option::take) else { continue };
            let time = match reading.time {
                Some(time) => time,
                None => time_before(transaction, slot)?,
            };
            let sql = "INSERT INTO transactions (signature, slot, place, time, is_cut) VALUES (?1, ?2, ?3, ?4, ?5)";
            before_write();
            let row = (reading.signature.as_ref(), bits(slot), place, time, reading.is_cut);
            let id = transaction.prepare_cached(sql)?.insert(row)?;
            write_events(transaction, id, &reading.events)?;
            write_lost(transaction, id, &reading.lost)?;
            written.transactions += 1;
            written.events += reading.events.len() as u64;
            fresh.push((id, time, reading.events));
        }
    }
    for (pool, last) in last {
        // Where numbers go on from where they were nothing is missing that was not before.
        let mut fresh: Vec<u64> = (fresh.iter().flat_map(|(_, _, events)| events))
            .flat_map(|told| told.numbers.iter().filter(|number| number.pool == pool))
            .map(|number| number.sequence)
            .collect();
        fresh.sort_unstable();
        let goes_on = fresh.iter().zip(last.saturating_add(1)..).all(|(number, next)| *number == next);
        // The account may have told of more before.
        let sql = "SELECT EXISTS (SELECT 1 FROM gaps WHERE pool = ?1 AND last > ?2)";
        let mut statement = transaction.prepare_cached(sql)?;
        let was_missed: bool = statement.query_row((key(&pool), bits(last)), |row| row.get(0))?;
        if written.is_anew || was_missed || !goes_on {
            note_gaps_up_to(transaction, &pool, 0)?;
        }
    }
    written.rebuilt = settle_lost(transaction)?;
    written.is_anew |= written.rebuilt > 0;
    if written.is_anew {
        rebuild(transaction)?;
    } else {
        let mut projector = Projector::load(transaction)?;
        for (id, time, events) in &fresh {
            for (place, told) in (0i64..).zip(events) {
                projector.apply(At { transaction: *id, place, time: *time }, told)?;
            }
        }
        projector.finish()?;
    }
    Ok(written)
}

/// The time of the newest transaction before a slot: for one whose time the node does not know.
fn time_before(connection: &Connection, slot: u64) -> Result<i64> {
    let sql = "SELECT time FROM transactions WHERE slot <= ?1 ORDER BY slot DESC, place DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row((bits(slot),), |row| row.get(0)).optional()?.unwrap_or_default())
}

/// Makes everything anew that is made of the events.
pub(crate) fn rebuild(transaction: &Transaction) -> Result<u64> {
    let mut projector = Projector::begin(transaction)?;
    let sql = "SELECT transactions.id, events.place, transactions.time, events.bytes, events.is_rebuilt FROM events \
        JOIN transactions ON transactions.id = events.transaction_id ORDER BY transactions.slot, transactions.place, \
        events.place";
    let mut statement = transaction.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let at = At { transaction: row.get(0)?, place: row.get(1)?, time: row.get(2)? };
        let told = Told::read(row.get(3)?, row.get(4)?);
        let told = told.ok_or_else(|| DatabaseError::damaged("an event cannot be read"))?;
        projector.apply(at, &told)?;
        count += 1;
    }
    projector.finish()?;
    Ok(count)
}

/// All numbers that are kept, of all pools.
pub(crate) fn numbering(connection: &Connection) -> Result<Numbering> {
    let mut numbering = Numbering::default();
    let mut statement = connection.prepare_cached("SELECT pool, sequence FROM numbers")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (pool, sequence): ([u8; 32], i64) = (row.get(0)?, row.get(1)?);
        numbering.note(Number { pool: Pubkey::new_from_array(pool), sequence: unsigned(sequence) });
    }
    Ok(numbering)
}

/// Notes which numbers of a pool are missing, of those up to `last` or to what was known to be missing.
pub(crate) fn note_gaps_up_to(connection: &Connection, pool: &Pubkey, last: u64) -> Result<()> {
    let sql = "SELECT count(*), max(sequence) FROM numbers WHERE pool = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let (count, highest): (i64, Option<i64>) =
        statement.query_row((key(pool),), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let highest = highest.map(unsigned).unwrap_or_default();
    let mut statement =
        connection.prepare_cached("SELECT first, last, found_at FROM gaps WHERE pool = ?1 ORDER BY first")?;
    let kept = statement.query_map((key(pool),), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let kept: Vec<(i64, i64, i64)> = kept.collect::<rusqlite::Result<_>>()?;
    let last = kept.iter().map(|gap| unsigned(gap.1)).chain([last, highest]).max().unwrap_or(last);
    // As many as there can be: none is missing.
    let is_whole = unsigned(count) == last && highest == last;
    let missing = if is_whole { Vec::new() } else { missing(connection, pool, last)? };
    let as_kept: Vec<RangeInclusive<u64>> =
        kept.iter().map(|(first, last, _)| unsigned(*first)..=unsigned(*last)).collect();
    if missing == as_kept {
        return Ok(());
    }
    let now: Option<i64> = connection.query_row("SELECT max(time) FROM transactions", [], |row| row.get(0))?;
    before_write();
    connection.prepare_cached("DELETE FROM gaps WHERE pool = ?1")?.execute((key(pool),))?;
    let mut statement =
        connection.prepare_cached("INSERT INTO gaps (pool, first, last, found_at) VALUES (?1, ?2, ?3, ?4)")?;
    for gap in missing {
        // What is left of one that was known is as old as that.
        let known = kept.iter().find(|kept| (unsigned(kept.0)..=unsigned(kept.1)).contains(gap.start()));
        let found_at = known.map_or(now.unwrap_or_default(), |known| known.2);
        before_write();
        statement.execute((key(pool), bits(*gap.start()), bits(*gap.end()), found_at))?;
    }
    Ok(())
}

fn missing(connection: &Connection, pool: &Pubkey, last: u64) -> Result<Vec<RangeInclusive<u64>>> {
    let mut numbering = Numbering::default();
    let mut statement = connection.prepare_cached("SELECT sequence FROM numbers WHERE pool = ?1")?;
    let mut rows = statement.query((key(pool),))?;
    while let Some(row) = rows.next()? {
        numbering.note(Number { pool: *pool, sequence: unsigned(row.get(0)?) });
    }
    Ok(numbering.missing(pool, last))
}

/// Where the transaction with a pool's number is on the chain: slot, place, and its id.
fn place_of(connection: &Connection, pool: &Pubkey, sequence: u64) -> Result<Option<(i64, i64, i64)>> {
    let sql = "SELECT slot, transactions.place, id FROM numbers JOIN transactions ON id = transaction_id \
        WHERE pool = ?1 AND sequence = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row((key(pool), bits(sequence)), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    Ok(found.optional()?)
}

/// The transactions around a gap: after which and before which it must be. `None`: from the beginning, to the end.
pub(crate) fn around(
    connection: &Connection,
    pool: &Pubkey,
    gap: &RangeInclusive<u64>,
) -> Result<[Option<(i64, i64, i64)>; 2]> {
    let before = match gap.start().checked_sub(1).filter(|before| *before > 0) {
        Some(before) => place_of(connection, pool, before)?,
        None => None,
    };
    let after = match gap.end().checked_add(1) {
        Some(after) => place_of(connection, pool, after)?,
        None => None,
    };
    Ok([before, after])
}

/// Gives events of cut logs their numbers, where as many are missing. Returns how many.
pub(crate) fn settle_lost(connection: &Connection) -> Result<u64> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT gaps.pool, first, last FROM gaps JOIN lost ON lost.pool = gaps.pool ORDER BY gaps.pool, first",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let gaps: Vec<([u8; 32], i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut settled = 0;
    for (pool, first, last) in gaps {
        let (pool, gap) = (Pubkey::new_from_array(pool), unsigned(first)..=unsigned(last));
        let [before, after] = around(connection, &pool, &gap)?;
        let (before, after) = (before.unwrap_or((i64::MIN, 0, 0)), after.unwrap_or((i64::MAX, 0, 0)));
        let sql = "SELECT transaction_id, rank, bytes FROM lost JOIN transactions ON id = transaction_id \
            WHERE pool = ?1 AND (slot, place) >= (?2, ?3) AND (slot, place) <= (?4, ?5) ORDER BY slot, place, rank";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map((key(&pool), before.0, before.1, after.0, after.1), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let lost: Vec<(i64, i64, Vec<u8>)> = rows.collect::<rusqlite::Result<_>>()?;
        let missing = gap.end().saturating_sub(*gap.start()).saturating_add(1);
        if lost.len() as u64 != missing {
            continue;
        }
        // What the books say before it is only known where nothing is missing before; no other event needs it.
        let needs_books = lost.iter().any(|(_, _, bytes)| lost::needs_books(bytes));
        if needs_books && !is_whole_before(connection, &pool, *gap.start())? {
            continue;
        }
        for ((id, rank, bytes), sequence) in lost.into_iter().zip(gap) {
            let mut bytes = Lost { pool, bytes }.numbered(sequence);
            if lost::needs_books(&bytes) {
                lost::complete(&mut bytes, &books_before(connection, &pool, sequence)?);
            }
            let told = Told::read(bytes, true).ok_or_else(|| DatabaseError::damaged("an event cannot be read"))?;
            insert_told(connection, id, told)?;
            before_write();
            let sql = "DELETE FROM lost WHERE pool = ?1 AND transaction_id = ?2 AND rank = ?3";
            connection.prepare_cached(sql)?.execute((key(&pool), id, rank))?;
            settled += 1;
        }
        note_gaps_up_to(connection, &pool, 0)?;
    }
    Ok(settled)
}

/// Whether all events of a pool before a number are there.
fn is_whole_before(connection: &Connection, pool: &Pubkey, sequence: u64) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM gaps WHERE pool = ?1 AND first < ?2)";
    Ok(connection.prepare_cached(sql)?.query_row((key(pool), bits(sequence)), |row| row.get(0))?)
}

/// The books of a pool before one of its events.
fn books_before(connection: &Connection, pool: &Pubkey, sequence: u64) -> Result<Books> {
    let sql = "SELECT bytes FROM numbers JOIN events USING (transaction_id, place) WHERE pool = ?1 AND sequence < ?2 \
        ORDER BY sequence";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((key(pool), bits(sequence)))?;
    let mut replay = Replay::default();
    while let Some(row) = rows.next()? {
        let event = Event::read(&row.get::<_, Vec<u8>>(0)?);
        let event = event.ok_or_else(|| DatabaseError::damaged("an event cannot be read"))?;
        // Of events of two pools only this one's side is complete here.
        let _ = replay.apply(&event);
    }
    Ok(replay.pools.remove(pool).unwrap_or_default())
}

/// Puts an event where its number belongs among those of its transaction.
fn insert_told(connection: &Connection, id: i64, told: Told) -> Result<()> {
    let mut events = told_of(connection, id)?;
    let place = events.iter().position(|other| {
        other.numbers.iter().any(|a| told.numbers.iter().any(|b| a.pool == b.pool && a.sequence > b.sequence))
    });
    events.insert(place.unwrap_or(events.len()), told);
    delete_of(connection, "events", id)?;
    delete_of(connection, "numbers", id)?;
    write_events(connection, id, &events)
}
