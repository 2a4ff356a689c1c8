//! What happened before now: the index, if the page has one.

use backstop_index::{Database, DatabaseError};
use std::path::Path;

/// What the index says.
#[derive(Debug)]
pub enum Past<T> {
    /// The page was started without an index.
    None,
    /// It could not be read, in words.
    Unread(String),
    /// What it says.
    Known(T),
}

impl<T> Past<T> {
    /// What it says, if it says something.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::None | Self::Unread(_) => None,
        }
    }

    /// Why it says nothing, in a sentence.
    pub fn silence(&self) -> Option<String> {
        match self {
            Self::None => Some(
                "This page was started without an index, so it shows what the accounts hold now and no history. \
                 `backstop index run` makes one, and `backstop serve --database FILE` shows it."
                    .into(),
            ),
            Self::Unread(why) => Some(format!("The history cannot be read: {why}.")),
            Self::Known(_) => None,
        }
    }
}

/// Asks the index. It is opened anew, so that one that is made, moved or repaired meanwhile is read as it is.
pub fn ask<T>(file: Option<&Path>, question: impl FnOnce(&Database) -> Result<T, DatabaseError>) -> Past<T> {
    let Some(file) = file else { return Past::None };
    match Database::open_read_only(file).and_then(|database| question(&database)) {
        Ok(value) => Past::Known(value),
        Err(why) => Past::Unread(why.to_string()),
    }
}
