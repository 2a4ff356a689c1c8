//! The history of Backstop in SQLite: what the program's events say, by day and by hour.
//!
//! | for | use |
//! |---|---|
//! | reading | [`Database::open_read_only`], then its queries: see [`read`] |

#![deny(missing_docs)]

pub mod database;
pub mod read;

pub use database::{Database, DatabaseError};
pub use read::By;
