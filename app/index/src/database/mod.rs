//! The file: opening it, and bringing its tables up to date.

mod encoding;

pub(crate) use encoding::{Row, bits, key, unsigned};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The tables' changes, oldest first: the first makes version 1 of an empty file, each other one more.
const MIGRATIONS: &[&str] = &[include_str!("1.sql"), include_str!("2.sql")];
/// SQLite's mark of whose file it is: "BkSt".
const APPLICATION: i32 = 0x426b_5374;
/// How long another process's write is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Version of the tables that this program writes.
pub const VERSION: i32 = MIGRATIONS.len() as i32;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no file of this name.
    #[error("there is no index at {}: `backstop index run` makes one", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The file is no index of ours.
    #[error("{} is not an index of Backstop", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer program has written it.
    #[error("{} has version {found} and this program knows {VERSION} at most: use a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// An older program has written it, and it was opened only to read.
    #[error("{} has version {found} and not {VERSION}: `backstop index run` brings it up to date", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// What it holds cannot be what was written.
    #[error("the index is damaged: {what}: `backstop index rebuild` makes it anew from its events")]
    Damaged {
        /// What is off.
        what: String,
    },
    /// SQLite's words.
    #[error("the index: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// A file with the history.
pub struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens a file to write, makes it if it is not there, and brings its tables up to date.
    ///
    /// Errors: [`DatabaseError::Foreign`], [`DatabaseError::Newer`], [`DatabaseError::Sqlite`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        let path = path.as_ref().to_owned();
        let connection = Connection::open(&path)?;
        let mut database = Self { connection, path };
        database.prepare()?;
        Ok(database)
    }

    /// A database in memory, which ends with this value.
    pub fn in_memory() -> Result<Self, DatabaseError> {
        let mut database = Self { connection: Connection::open_in_memory()?, path: ":memory:".into() };
        database.prepare()?;
        Ok(database)
    }

    /// Opens a file only to read it, also while another process writes it.
    ///
    /// Errors: [`DatabaseError::Absent`], [`DatabaseError::Foreign`], [`DatabaseError::Newer`],
    /// [`DatabaseError::Older`], [`DatabaseError::Sqlite`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        let path = path.as_ref().to_owned();
        if !path.exists() {
            return Err(DatabaseError::Absent { path });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        let database = Self { connection, path };
        database.connection.busy_timeout(PATIENCE)?;
        database.connection.set_prepared_statement_cache_capacity(64);
        match database.version()? {
            VERSION => Ok(database),
            found if found > VERSION => Err(DatabaseError::Newer { path: database.path, found }),
            found => Err(DatabaseError::Older { path: database.path, found }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for queries of one's own. Writing by it is not foreseen.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The version of the tables, of a file that is empty or ours.
    fn version(&self) -> Result<i32, DatabaseError> {
        let foreign = || DatabaseError::Foreign { path: self.path.clone() };
        let read = |what: &str| match self.connection.pragma_query_value(None, what, |row| row.get::<_, i32>(0)) {
            Err(rusqlite::Error::SqliteFailure(why, _)) if why.code == ErrorCode::NotADatabase => Err(foreign()),
            read => Ok(read?),
        };
        let (version, application) = (read("user_version")?, read("application_id")?);
        let tables: i64 = self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let is_empty = version == 0 && application == 0 && tables == 0;
        if is_empty || application == APPLICATION { Ok(version) } else { Err(foreign()) }
    }

    fn prepare(&mut self) -> Result<(), DatabaseError> {
        self.connection.busy_timeout(PATIENCE)?;
        self.connection.set_prepared_statement_cache_capacity(64);
        let found = self.version()?;
        if found > VERSION {
            return Err(DatabaseError::Newer { path: self.path.clone(), found });
        }
        // What was committed survives the end of a process at once, and that of the machine but for the last seconds,
        // which are read again: the cursor is lost with them.
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        self.migrate()
    }

    /// One step a version, each in a transaction of its own, in which nobody else has been meanwhile.
    fn migrate(&mut self) -> Result<(), DatabaseError> {
        loop {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let step = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version));
            let Some(step) = step else { return Ok(()) };
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version.saturating_add(1))?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.commit()?;
        }
    }
}

/// What is called before each write.
type Probe = Box<dyn FnMut()>;

thread_local! {
    static PROBE: RefCell<Option<Probe>> = const { RefCell::new(None) };
}

/// Has something called in this thread before each write to any database, until it is set to `None`: for tests that
/// look at what a process that ends there leaves behind.
#[doc(hidden)]
pub fn on_write(probe: Option<Box<dyn FnMut()>>) {
    PROBE.set(probe);
}

pub(crate) fn before_write() {
    // One that writes itself is not called for that.
    if let Some(mut probe) = PROBE.take() {
        probe();
        PROBE.set(Some(probe));
    }
}
