//! Rows of tables that are changed while events are read: each is loaded once, changed in memory, and written once.

use crate::database::{DatabaseError, bits};
use anchor_lang::prelude::Pubkey;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::collections::HashMap;
use std::hash::Hash;
use std::num::Wrapping;

/// A figure of 64 bits as SQLite keeps it. Sums wrap around, as amounts of 64 bits do.
pub(crate) type Figure = Wrapping<i64>;

/// An amount as a figure.
pub(crate) const fn figure(amount: u64) -> Figure {
    Wrapping(bits(amount))
}

/// Rows of one table: their key, and their figures in the order of the columns.
pub(crate) trait Kept: Default {
    /// What tells rows apart.
    type Key: Clone + Eq + Hash;
    /// To read one row's figures by its key.
    const SELECT: &'static str;
    /// To write key and figures.
    const UPSERT: &'static str;
    fn key_values(key: &Self::Key) -> Vec<rusqlite::types::Value>;
    fn figures(&self) -> Vec<i64>;
    fn of(figures: &[i64]) -> Self;
}

macro_rules! kept {
    ($(#[$doc:meta])* $name:ident in $table:literal by $key:ty [$($column:literal),*] $values:expr => {
        $($field:ident),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $name { $(pub $field: Figure),* }

        impl Kept for $name {
            type Key = $key;
            const SELECT: &'static str = concat!(
                "SELECT ", kept!(@list $(($field))*), " FROM ", $table, " WHERE ", kept!(@where $($column)*)
            );
            const UPSERT: &'static str = concat!(
                "INSERT OR REPLACE INTO ", $table, " (", kept!(@columns $($column)*), ", ", kept!(@list $(($field))*),
                ") VALUES (", kept!(@marks $($column)*), $(kept!(@mark $field),)* ")"
            );
            fn key_values(key: &Self::Key) -> Vec<rusqlite::types::Value> {
                let values: fn(&$key) -> Vec<rusqlite::types::Value> = $values;
                values(key)
            }
            fn figures(&self) -> Vec<i64> {
                vec![$(self.$field.0),*]
            }
            fn of(figures: &[i64]) -> Self {
                let mut figures = figures.iter().copied().map(Wrapping);
                Self { $($field: figures.next().unwrap_or_default()),* }
            }
        }
    };
    (@list ($first:ident) $(($rest:ident))*) => { concat!(stringify!($first), $(", ", stringify!($rest)),*) };
    (@columns $first:literal $($rest:literal)*) => { concat!($first, $(", ", $rest),*) };
    (@where $first:literal $($rest:literal)*) => { concat!($first, " = ?", $(" AND ", $rest, " = ?"),*) };
    (@marks $first:literal $($rest:literal)*) => { concat!("?", $(kept!(@mark $rest)),*) };
    (@mark $any:tt) => { ", ?" };
}

fn blob(key: &Pubkey) -> rusqlite::types::Value {
    rusqlite::types::Value::Blob(key.to_bytes().into())
}

/// A period of a pool or product: whose, how long, and its first second.
pub(crate) type PeriodKey = (Pubkey, i64, i64);

fn period_values((of, seconds, start): &PeriodKey) -> Vec<rusqlite::types::Value> {
    vec![blob(of), (*seconds).into(), (*start).into()]
}

/// A product, and the first second of a slot of its condition.
pub(crate) type PriceKey = (Pubkey, i64);

fn price_values((product, start): &PriceKey) -> Vec<rusqlite::types::Value> {
    vec![blob(product), (*start).into()]
}

kept! {
    /// A pool in a period.
    PoolRow in "pool_periods" by PeriodKey ["pool", "seconds", "start"] period_values => {
        surplus, junior_assets, junior_exiting, junior_shares, junior_series, senior_assets, senior_exiting,
        senior_shares, senior_series, unearned_premium, exposure, cash, premium_sold, premium_earned, junior_earned,
        senior_earned, surplus_earned, ceded_earned, surplus_lost, junior_lost, senior_lost, junior_deposits,
        senior_deposits, contributions, junior_exits, senior_exits, exits_paid, covers_sold, sums_sold, covers_paid,
        amounts_paid,
    }
}

kept! {
    /// A product's sales in a period.
    ProductRow in "product_periods" by PeriodKey ["product", "seconds", "start"] period_values => {
        covers, sum_insured, premium, cancelled, refunds, last_rate_ppb, lowest_rate_ppb, highest_rate_ppb,
        last_level_bps,
    }
}

kept! {
    /// What was shown to a trigger in a slot of its condition.
    PriceRow in "prices" by PriceKey ["product", "start"] price_values => {
        prints, low, high, last, last_at, highest_breach, above_first, above_last, recovered_first, recovered_last,
        says,
    }
}

/// Rows of one table that were loaded.
pub(crate) struct Rows<T: Kept> {
    loaded: HashMap<T::Key, T>,
}

impl<T: Kept> Default for Rows<T> {
    fn default() -> Self {
        Self { loaded: HashMap::new() }
    }
}

impl<T: Kept> Rows<T> {
    /// A row to change, as it was kept or new.
    pub fn at(&mut self, connection: &Connection, key: T::Key) -> Result<&mut T, DatabaseError> {
        use std::collections::hash_map::Entry;
        match self.loaded.entry(key) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let mut statement = connection.prepare_cached(T::SELECT)?;
                let columns = statement.column_count();
                let kept = statement.query_row(params_from_iter(T::key_values(entry.key())), |row| {
                    (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<i64>>>()
                });
                Ok(entry.insert(kept.optional()?.map(|figures| T::of(&figures)).unwrap_or_default()))
            }
        }
    }

    /// Writes all that was loaded.
    pub fn flush(&mut self, connection: &Connection) -> Result<(), DatabaseError> {
        let mut statement = connection.prepare_cached(T::UPSERT)?;
        for (key, row) in self.loaded.drain() {
            let figures = row.figures().into_iter().map(rusqlite::types::Value::from);
            crate::database::before_write();
            statement.execute(params_from_iter(T::key_values(&key).into_iter().chain(figures)))?;
        }
        Ok(())
    }

    /// How many were loaded.
    pub fn len(&self) -> usize {
        self.loaded.len()
    }
}
