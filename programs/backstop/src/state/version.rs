//! Layout versions: which one an account has, that it is read only if this program knows it, and how an old one becomes
//! a new one in place.
//!
//! Every account has one byte for its version, written when it is created. Two things of an account never move: the
//! discriminator at its beginning, and this byte ([`Versioned::VERSION_AT`]), from layout 2 on. Everything else may.
//!
//! # Reading
//!
//! An account is refused with [`BackstopError::UnknownVersion`] unless its version is the one of this program. One that
//! is read in place is refused with [`BackstopError::UnknownByte`] if a byte in it should stand for a variant of an
//! enum and stands for none; in one that Borsh writes such a byte is Anchor's `AccountDidNotDeserialize`. That happens
//! where an account is loaded and nowhere else: [`Load::read`] and [`Load::write`] for accounts that are read in place
//! (Anchor's own `load` does not look), `AccountDeserialize` for those that Borsh writes. Clients go through the same
//! functions.
//!
//! # Layout 2
//!
//! Layout 1 was never deployed. Of its accounts only the protocol is carried over, whose fields are the same: for the
//! others layout 2 needs what layout 1 never noted, such as the days of the exit queue, the number of a pool's last event
//! or the day that a cover's address holds. They are refused with [`BackstopError::UnknownVersion`] and left as they are.
//! In pools and products the byte has another place than in layout 1, as their terms, which stand before it, have grown:
//! what stood there is the version of no layout.
//!
//! # Changing a layout
//!
//! 1. Raise the type's [`Versioned::VERSION`]; new accounts are written with it.
//! 2. Add a [`Step`] to [`Versioned::STEPS`]: the version that it begins with, the bytes that the account has
//!    afterwards, and a function that moves the fields. Steps of versions before stay as they are: an account of
//!    version 1 goes through each of them in turn.
//! 3. Keep the bytes of the old layout: `tests/fixtures/accounts` has a file of each account type and version. The
//!    tests read those of this version field by field, and carry those of older ones through the steps.
//! 4. An instruction calls [`upgrade`] on an account that it does not load before. Anyone may call it: it takes nothing
//!    and decides nothing. Whoever calls it pays the rent of the bytes that are added, before: the runtime refuses a
//!    transaction that leaves an account without its rent. An account grows by 10,240 bytes in one instruction at most.

use crate::constants::ACCOUNT_VERSION;
use crate::error::BackstopError;
use anchor_lang::prelude::*;
use core::cell::{Ref, RefMut};

/// An account type: where its version is, and how older layouts become this one.
pub trait Versioned: Discriminator {
    /// Place of the version in the account, counted from the beginning of the discriminator. The same in every layout.
    const VERSION_AT: usize;
    /// The layout that this program reads and writes.
    const VERSION: u8 = ACCOUNT_VERSION;
    /// How a layout becomes the next, oldest first. Empty while there has been one.
    const STEPS: &'static [Step] = &[];
}

/// How one layout becomes the next.
#[derive(Clone, Copy)]
pub struct Step {
    /// Version that it begins with. It ends with the next one.
    pub from: u8,
    /// Bytes of the account afterwards, discriminator included; not fewer than before.
    pub space: usize,
    /// Moves the fields. It gets the whole account in its new length, what was added being zero, and leaves
    /// discriminator and version alone.
    pub rewrite: fn(&mut [u8]) -> Result<()>,
}

/// Refuses bytes of an account whose layout this program does not know.
#[inline(always)]
pub fn require_version<T: Versioned>(data: &[u8]) -> Result<()> {
    ensure!(data.get(T::VERSION_AT) == Some(&T::VERSION), BackstopError::UnknownVersion);
    Ok(())
}

/// Brings an account to this program's layout, in place, step by step. Returns how many steps it took: none if it was
/// there already.
///
/// Errors: `AccountOwnedByWrongProgram`, `AccountDiscriminatorMismatch`; `UnknownVersion` for a version without a step,
/// such as a later one; what a step refuses. Call it before the account is loaded.
pub fn upgrade<T: Versioned>(account: &AccountInfo) -> Result<u8> {
    if *account.owner != crate::ID {
        return Err(ErrorCode::AccountOwnedByWrongProgram.into());
    }
    let mut steps = 0u8;
    loop {
        let version = {
            let data = account.try_borrow_data()?;
            if !data.starts_with(T::DISCRIMINATOR) {
                return Err(ErrorCode::AccountDiscriminatorMismatch.into());
            }
            *data.get(T::VERSION_AT).ok_or(BackstopError::UnknownVersion)?
        };
        if version == T::VERSION {
            return Ok(steps);
        }
        let step = T::STEPS.iter().find(|step| step.from == version && version < T::VERSION);
        let step = step.ok_or(BackstopError::UnknownVersion)?;
        ensure!(step.space >= account.data_len(), BackstopError::UnknownVersion);
        account.resize(step.space)?;
        let mut data = account.try_borrow_mut_data()?;
        (step.rewrite)(&mut data)?;
        *data.get_mut(T::VERSION_AT).ok_or(BackstopError::UnknownVersion)? = version.saturating_add(1);
        steps = steps.saturating_add(1);
    }
}

/// An account that is read in place.
pub trait InPlace: Versioned + anchor_lang::ZeroCopy + Owner {
    /// Refuses what this program cannot read: another layout, or a byte that stands for no variant of its enum.
    fn check(&self) -> Result<()>;
}

/// Loading an account that is read in place. Anchor's `load` and `load_mut` do not look at the version.
pub trait Load<T> {
    /// Borrows the account to read it.
    fn read(&self) -> Result<Ref<'_, T>>;

    /// Borrows the account to change it.
    fn write(&self) -> Result<RefMut<'_, T>>;
}

impl<T: InPlace> Load<T> for AccountLoader<'_, T> {
    #[inline(always)]
    fn read(&self) -> Result<Ref<'_, T>> {
        let account = self.load()?;
        account.check()?;
        Ok(account)
    }

    #[inline(always)]
    fn write(&self) -> Result<RefMut<'_, T>> {
        let account = self.load_mut()?;
        account.check()?;
        Ok(account)
    }
}

/// Makes a structure that is read in place an account with a version, and names its bytes that stand for variants.
macro_rules! in_place_account {
    ($name:ident { $($($field:ident).+: $stored:ident),* $(,)? }) => {
        impl $crate::state::Versioned for $name {
            const VERSION_AT: usize = 8 + core::mem::offset_of!($name, version);
        }

        impl $crate::state::InPlace for $name {
            #[inline(always)]
            fn check(&self) -> Result<()> {
                let version = <Self as $crate::state::Versioned>::VERSION;
                ensure!(self.version == version, $crate::error::BackstopError::UnknownVersion);
                let known = true $(&& $stored::knows(self.$($field).+))*;
                ensure!(known, $crate::error::BackstopError::UnknownByte);
                Ok(())
            }
        }
    };
}

/// Makes a structure that Borsh writes an account of this program: what Anchor's `account` attribute does, and the check
/// of the version when one is read.
///
/// An account that Borsh writes begins with keys, and its version follows them; `keys` is how many they are. The
/// discriminator is the beginning of the sha-256 of "account:" and the name, as Anchor has it.
macro_rules! borsh_account {
    ($name:ident { keys: $keys:literal, discriminator: $discriminator:expr $(, steps: $steps:expr)? $(,)? }) => {
        impl anchor_lang::Discriminator for $name {
            const DISCRIMINATOR: &'static [u8] = &$discriminator;
        }

        impl $crate::state::Versioned for $name {
            const VERSION_AT: usize = 8 + 32 * $keys;
            $(const STEPS: &'static [$crate::state::Step] = $steps;)?
        }

        impl anchor_lang::Owner for $name {
            fn owner() -> Pubkey {
                $crate::ID
            }
        }

        impl anchor_lang::AccountSerialize for $name {
            fn try_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<()> {
                let written = writer.write_all(Self::DISCRIMINATOR).and_then(|()| self.serialize(writer));
                written.map_err(|_| ErrorCode::AccountDidNotSerialize.into())
            }
        }

        impl anchor_lang::AccountDeserialize for $name {
            fn try_deserialize(data: &mut &[u8]) -> Result<Self> {
                if data.len() < Self::DISCRIMINATOR.len() {
                    return Err(ErrorCode::AccountDiscriminatorNotFound.into());
                }
                if !data.starts_with(Self::DISCRIMINATOR) {
                    return Err(ErrorCode::AccountDiscriminatorMismatch.into());
                }
                $crate::state::require_version::<Self>(data)?;
                Self::try_deserialize_unchecked(data)
            }

            // Also for an account that is being created, whose bytes are zero.
            fn try_deserialize_unchecked(data: &mut &[u8]) -> Result<Self> {
                let mut fields = data.get(Self::DISCRIMINATOR.len()..).unwrap_or(&[]);
                AnchorDeserialize::deserialize(&mut fields).map_err(|_| ErrorCode::AccountDidNotDeserialize.into())
            }
        }
    };
}
