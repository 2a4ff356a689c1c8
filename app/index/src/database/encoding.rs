//! How values are kept.

use super::DatabaseError;
use anchor_lang::prelude::Pubkey;
use solana_sdk::signature::Signature;

/// 64 bits as SQLite keeps them: signed.
pub(crate) const fn bits(value: u64) -> i64 {
    value.cast_signed()
}

/// What was kept by [`bits`].
pub(crate) const fn unsigned(kept: i64) -> u64 {
    kept.cast_unsigned()
}

/// An address as it is kept.
pub(crate) fn key(address: &Pubkey) -> &[u8] {
    address.as_ref()
}

/// A row that is read field by field, in the order of its columns.
pub(crate) struct Row<'a> {
    row: &'a rusqlite::Row<'a>,
    next: usize,
}

impl<'a> Row<'a> {
    pub(crate) fn of(row: &'a rusqlite::Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    /// The next field as SQLite gives it.
    pub(crate) fn raw<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        let place = self.next;
        self.next = place.saturating_add(1);
        self.row.get(place)
    }

    /// An amount, or another number of 64 bits.
    pub(crate) fn amount(&mut self) -> rusqlite::Result<u64> {
        self.raw().map(unsigned)
    }

    /// The same where there may be none.
    pub(crate) fn maybe_amount(&mut self) -> rusqlite::Result<Option<u64>> {
        Ok(self.raw::<Option<i64>>()?.map(unsigned))
    }

    /// An address.
    pub(crate) fn address(&mut self) -> rusqlite::Result<Pubkey> {
        self.raw().map(Pubkey::new_from_array)
    }

    /// The same where there may be none.
    pub(crate) fn maybe_address(&mut self) -> rusqlite::Result<Option<Pubkey>> {
        Ok(self.raw::<Option<[u8; 32]>>()?.map(Pubkey::new_from_array))
    }

    /// A signature.
    pub(crate) fn signature(&mut self) -> rusqlite::Result<Signature> {
        self.raw().map(|bytes: [u8; 64]| Signature::from(bytes))
    }
}

impl DatabaseError {
    /// What is kept is not what was written.
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}
