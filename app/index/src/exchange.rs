//! Export and import: the whole history in one file.
//!
//! A file has one JSON object a line. The first says what it is; then comes one for each transaction, in the order of
//! the chain; the last counts them and has the SHA-256 of all lines before it, their ends included: `head -n -1 FILE |
//! sha256sum` says the same. What is made of the events is not in it: it is made anew by whoever imports.

use crate::database::{Database, DatabaseError, before_write, bits};
use crate::error::{IndexError, Result};
use crate::follow::{self, begin, commit};
use crate::lost::Lost;
use crate::reading::{Reading, Told};
use crate::store;
use backstop_client::history::Listed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

const FORMAT: &str = "backstop-index";
const VERSION: u32 = 1;
/// Transactions that are imported at once, in one database transaction all the same.
const BATCH: usize = 1_000;

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Header {
    format: String,
    version: u32,
    program: String,
    genesis: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    signature: String,
    slot: u64,
    time: i64,
    is_cut: bool,
    events: Vec<LineEvent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<LineLost>,
}

#[derive(Serialize, Deserialize)]
struct LineEvent {
    name: String,
    data: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_rebuilt: bool,
}

#[derive(Serialize, Deserialize)]
struct LineLost {
    pool: String,
    data: String,
}

#[derive(Serialize, Deserialize)]
struct Trailer {
    transactions: u64,
    events: u64,
    sha256: String,
}

/// What went into a file, or came out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exchanged {
    /// Transactions.
    pub transactions: u64,
    /// Events.
    pub events: u64,
    /// SHA-256 of all lines but the last, in hexadecimal.
    pub sha256: String,
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> IndexError {
    let path = path.to_owned();
    move |why| IndexError::File { path: path.clone(), why }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the history into a new file.
///
/// Errors: the file is there already or cannot be written; nothing was indexed yet.
pub fn export(database: &Database, path: &Path) -> Result<Exchanged> {
    let nothing = || DatabaseError::damaged("nothing was indexed yet");
    let genesis = database.genesis()?.ok_or_else(nothing)?;
    let file = File::create_new(path).map_err(file_error(path))?;
    let written = write_all(database, genesis, path, file);
    if written.is_err() {
        // A part of a history is none. Why it failed is told, not that it is still there.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write_all(database: &Database, genesis: Hash, path: &Path, file: File) -> Result<Exchanged> {
    let failed = file_error(path);
    let connection = database.connection();
    // All of it is of one moment, also while another process writes.
    let reading = connection.unchecked_transaction()?;
    let mut file = BufWriter::new(file);
    let mut hasher = Sha256::new();
    let mut write = |line: String| {
        hasher.update(line.as_bytes());
        file.write_all(line.as_bytes()).map_err(&failed)
    };
    let header = Header {
        format: FORMAT.into(),
        version: VERSION,
        program: backstop::ID.to_string(),
        genesis: genesis.to_string(),
    };
    write(json_line(&header))?;
    let sql = "SELECT id, signature, slot, time, is_cut FROM transactions ORDER BY slot, place";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut transactions, mut events) = (0, 0);
    while let Some(row) = rows.next()? {
        let (id, signature, slot): (i64, [u8; 64], i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let line = Line {
            signature: Signature::from(signature).to_string(),
            slot: slot.cast_unsigned(),
            time: row.get(3)?,
            is_cut: row.get(4)?,
            events: events_of(connection, id)?,
            lost: lost_of(connection, id)?,
        };
        transactions += 1;
        events += line.events.len() as u64;
        write(json_line(&line))?;
    }
    let sha256 = hex(&hasher.finalize());
    let trailer = Trailer { transactions, events, sha256: sha256.clone() };
    file.write_all(json_line(&trailer).as_bytes()).map_err(&failed)?;
    file.into_inner().map_err(|why| failed(why.into_error()))?.sync_all().map_err(&failed)?;
    drop(rows);
    drop(statement);
    reading.finish()?;
    Ok(Exchanged { transactions, events, sha256 })
}

/// One line. These values can always be written.
fn json_line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

fn events_of(connection: &rusqlite::Connection, id: i64) -> Result<Vec<LineEvent>> {
    let sql = "SELECT name, bytes, is_rebuilt FROM events WHERE transaction_id = ?1 ORDER BY place";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((id,), |row| {
        let data = BASE64.encode(row.get::<_, Vec<u8>>(1)?);
        Ok(LineEvent { name: row.get(0)?, data, is_rebuilt: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn lost_of(connection: &rusqlite::Connection, id: i64) -> Result<Vec<LineLost>> {
    let sql = "SELECT pool, bytes FROM lost WHERE transaction_id = ?1 ORDER BY rank";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((id,), |row| {
        let pool = anchor_lang::prelude::Pubkey::new_from_array(row.get(0)?).to_string();
        Ok(LineLost { pool, data: BASE64.encode(row.get::<_, Vec<u8>>(1)?) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Reads a file that was exported into a database that has nothing yet. The file is checked as a whole before anything
/// of it is kept.
///
/// Errors: [`IndexError::Changed`] says which line is off, or that the checksum is; [`IndexError::NotEmpty`].
pub fn import(database: &mut Database, path: &Path) -> Result<Exchanged> {
    let changed = |what: String| IndexError::Changed { path: path.to_owned(), what };
    if database.newest()?.is_some() || database.event_count()? > 0 {
        return Err(IndexError::NotEmpty { path: database.path().to_owned() });
    }
    let (genesis, exchanged) = check(path)?;
    let transaction = begin(database)?;
    let mut readings: Vec<Reading> = Vec::new();
    let mut newest: Option<(Listed, i64)> = None;
    let (mut place, mut events) = (1u64, 0u64);
    for line in lines(path)?.skip(1) {
        let line = line.map_err(file_error(path))?;
        place += 1;
        if place > exchanged.transactions + 1 {
            break;
        }
        let reading = reading(&line).ok_or_else(|| changed(format!("line {place} is no transaction")))?;
        let listed = Listed { signature: reading.signature, slot: reading.slot, is_failed: false };
        if newest.is_some_and(|(before, _)| before.slot > listed.slot) {
            return Err(changed(format!("line {place} is older than the one before it")));
        }
        newest = Some((listed, reading.time.unwrap_or_default()));
        events += reading.events.len() as u64;
        let is_next_slot = readings.last().is_some_and(|last| last.slot < reading.slot);
        if readings.len() >= BATCH && is_next_slot {
            store::write(&transaction, std::mem::take(&mut readings))?;
        }
        readings.push(reading);
    }
    if events != exchanged.events {
        return Err(changed("it has another number of events than its last line says".into()));
    }
    store::write(&transaction, readings)?;
    follow::set_genesis(&transaction, &genesis)?;
    if let Some((listed, time)) = newest {
        follow::advance(&transaction, &listed, Some(time))?;
        // What came before it need not be listed again.
        before_write();
        let sql = "UPDATE cursor SET anchor_slot = ?1, anchor = ?2";
        transaction.execute(sql, (bits(listed.slot), listed.signature.as_ref()))?;
    }
    commit(transaction)?;
    Ok(exchanged)
}

fn lines(path: &Path) -> Result<impl Iterator<Item = io::Result<String>>> {
    Ok(BufReader::new(File::open(path).map_err(file_error(path))?).lines())
}

/// Reads a file to its end, and refuses what was changed.
fn check(path: &Path) -> Result<(Hash, Exchanged)> {
    let changed = |what: &str| IndexError::Changed { path: path.to_owned(), what: what.to_owned() };
    let mut file = BufReader::new(File::open(path).map_err(file_error(path))?);
    let mut hasher = Sha256::new();
    let mut header: Option<Header> = None;
    let (mut count, mut line) = (0u64, Vec::new());
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(file_error(path))? == 0 {
            return Err(changed("it ends before its last line"));
        }
        let Some(first) = &header else {
            let read = serde_json::from_slice::<Header>(&line).ok().filter(|header| header.format == FORMAT);
            let read = read.ok_or_else(|| changed("its first line does not say that it is one"))?;
            if read.version != VERSION {
                return Err(changed("it has another version than this program reads"));
            }
            if read.program != backstop::ID.to_string() {
                return Err(changed("it is of another program"));
            }
            hasher.update(&line);
            header = Some(read);
            continue;
        };
        let Ok(trailer) = serde_json::from_slice::<Trailer>(&line) else {
            hasher.update(&line);
            count += 1;
            continue;
        };
        if hex(&hasher.finalize()) != trailer.sha256 {
            return Err(changed("its checksum is not that of its lines"));
        }
        if count != trailer.transactions {
            return Err(changed("it has another number of lines than its last line says"));
        }
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(file_error(path))? != 0 {
            return Err(changed("something comes after its last line"));
        }
        let genesis = first.genesis.parse().map_err(|_| changed("its genesis cannot be read"))?;
        let Trailer { transactions, events, sha256 } = trailer;
        return Ok((genesis, Exchanged { transactions, events, sha256 }));
    }
}

/// A transaction of a line.
fn reading(line: &str) -> Option<Reading> {
    let line: Line = serde_json::from_str(line).ok()?;
    let told = |event: LineEvent| Told::read(BASE64.decode(event.data).ok()?, event.is_rebuilt);
    let lost = |lost: LineLost| Some(Lost { pool: lost.pool.parse().ok()?, bytes: BASE64.decode(lost.data).ok()? });
    Some(Reading {
        signature: line.signature.parse().ok()?,
        slot: line.slot,
        time: Some(line.time),
        is_cut: line.is_cut,
        events: line.events.into_iter().map(told).collect::<Option<_>>()?,
        lost: line.lost.into_iter().map(lost).collect::<Option<_>>()?,
    })
}
