//! The history of Backstop in SQLite: what the program's events say, by day and by hour.
//!
//! | for | use |
//! |---|---|
//! | reading | [`Database::open_read_only`], then its queries: see [`read`] |
//! | filling | [`follow()`] from a node, a [`backstop_client::history::History`]; [`repair()`] what is missing |
//! | checking | [`verify()`] against the accounts; [`status()`], [`status::metrics`] |
//! | moving | [`exchange::export`] and [`exchange::import`] |
//! | all of it as commands | [`cli`] |
//!
//! Kept are the events as they were logged, with the transactions that they are of. All else is made of them, by the
//! client's own replay, and can be made anew at any time: [`rebuild`].

#![deny(missing_docs)]

pub mod cli;
pub mod database;
mod error;
pub mod exchange;
pub mod follow;
mod lost;
mod project;
pub mod read;
mod reading;
pub mod repair;
mod rows;
pub mod status;
mod store;
pub mod verify;

pub use database::{Database, DatabaseError};
pub use error::{IndexError, Result};
pub use follow::{Options, Progress, follow};
pub use lost::REBUILT;
pub use read::By;
pub use repair::repair;
pub use status::status;
pub use verify::verify;

/// Makes everything anew that is made of the events. Returns how many they are.
///
/// Errors: the database cannot be written, or an event in it cannot be read.
pub fn rebuild(database: &mut Database) -> Result<u64> {
    let transaction = follow::begin(database)?;
    let events = store::rebuild(&transaction)?;
    follow::commit(transaction)?;
    Ok(events)
}
