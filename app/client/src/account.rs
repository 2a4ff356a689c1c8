//! Accounts of the program, decoded.

use crate::cluster::{Cluster, ClusterError};
use anchor_lang::prelude::Pubkey;
use anchor_lang::system_program;
use anchor_lang::{AccountDeserialize, Discriminator};
use backstop::state::{
    AttestorSet, Cession, Cover, Crisis, ExitEpoch, ExitTicket, InPlace, Incident, Lien, Live, Pool, Position, Product,
    Protocol, Rates, Treaty, Trigger,
};
use solana_sdk::account::Account;

/// Why an account could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Nothing is there.
    #[error("there is no {what} at {address}")]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Where.
        address: Pubkey,
    },
    /// Something else is there.
    #[error("the account {address} is no {what} of this program")]
    Other {
        /// What was looked for.
        what: &'static str,
        /// Where.
        address: Pubkey,
    },
    /// It is what was looked for, in a layout that this client does not know.
    #[error(
        "the {what} {address} was written by another version of the program than this client knows; update the client"
    )]
    Layout {
        /// What was looked for.
        what: &'static str,
        /// Where.
        address: Pubkey,
    },
    /// Its numbers are none that the program writes: they overflow.
    #[error("the {what} {address} holds numbers that the program cannot have written")]
    Books {
        /// What was read.
        what: &'static str,
        /// Where.
        address: Pubkey,
    },
    /// The product has nothing to listen to yet, or never will.
    #[error("the product {product} is announced and has no condition yet")]
    NoCondition {
        /// The product.
        product: Pubkey,
    },
    /// The cluster did not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// An account type of the program that can be decoded from bytes.
pub trait Decode: Sized {
    /// What people call it.
    const WHAT: &'static str;
    /// The eight bytes that it begins with.
    const TAG: &'static [u8];
    /// Decodes an account's bytes, discriminator included. `None` also for a layout, or a byte in place of an enum's
    /// variant, that the program would refuse.
    fn decode(data: &[u8]) -> Option<Self>;
}

macro_rules! decode_borsh {
    ($($type:ty => $what:literal),*) => {$(
        impl Decode for $type {
            const WHAT: &'static str = $what;
            const TAG: &'static [u8] = <$type as Discriminator>::DISCRIMINATOR;
            fn decode(mut data: &[u8]) -> Option<Self> {
                <$type>::try_deserialize(&mut data).ok()
            }
        }
    )*};
}

macro_rules! decode_zero_copy {
    ($($type:ty => $what:literal),*) => {$(
        impl Decode for $type {
            const WHAT: &'static str = $what;
            const TAG: &'static [u8] = <$type as Discriminator>::DISCRIMINATOR;
            fn decode(data: &[u8]) -> Option<Self> {
                let body = data.strip_prefix(Self::TAG)?;
                let account: Self = bytemuck::try_pod_read_unaligned(body.get(..size_of::<$type>())?).ok()?;
                account.check().is_ok().then_some(account)
            }
        }
    )*};
}

decode_borsh!(
    Protocol => "protocol",
    Cover => "cover",
    Position => "position",
    Lien => "lien",
    Crisis => "crisis",
    ExitTicket => "exit ticket",
    ExitEpoch => "exit epoch",
    Incident => "incident",
    Treaty => "treaty",
    Cession => "cession"
);
decode_zero_copy!(AttestorSet => "set of attestors", Live => "account of readings", Pool => "pool", Product => "product", Rates => "rates", Trigger => "trigger");

/// Reads one account.
pub fn fetch<T: Decode>(cluster: &dyn Cluster, address: &Pubkey) -> Result<T, AccountError> {
    find(cluster, address)?.ok_or(AccountError::Missing { what: T::WHAT, address: *address })
}

/// Whether nothing but lamports is at an address: anybody can send some there before its account is created.
pub fn is_bare(account: &Account) -> bool {
    account.owner == system_program::ID && account.data.is_empty()
}

/// Reads one account that may not exist. Lamports alone are none.
pub fn find<T: Decode>(cluster: &dyn Cluster, address: &Pubkey) -> Result<Option<T>, AccountError> {
    let Some(account) = cluster.account(address)?.filter(|account| !is_bare(account)) else { return Ok(None) };
    if account.owner != backstop::ID || !account.data.starts_with(T::TAG) {
        return Err(AccountError::Other { what: T::WHAT, address: *address });
    }
    T::decode(&account.data).map(Some).ok_or(AccountError::Layout { what: T::WHAT, address: *address })
}

/// Reads all accounts of a type, optionally those that hold `key` at `offset` after the discriminator.
///
/// Errors: [`AccountError::Layout`] if one of them cannot be read: a list that leaves something out would be taken for
/// the whole. [`readable`] leaves it out.
pub fn list<T: Decode>(
    cluster: &dyn Cluster,
    filter: Option<(usize, Pubkey)>,
) -> Result<Vec<(Pubkey, T)>, AccountError> {
    let read = |(address, account): (Pubkey, Account)| {
        let state = T::decode(&account.data).ok_or(AccountError::Layout { what: T::WHAT, address })?;
        Ok((address, state))
    };
    cluster.program_accounts(T::TAG, filter)?.into_iter().map(read).collect()
}

/// [`list`] without what cannot be read: for whoever works through accounts one by one, and does not stop all of them for
/// one.
pub fn readable<T: Decode>(
    cluster: &dyn Cluster,
    filter: Option<(usize, Pubkey)>,
) -> Result<Vec<(Pubkey, T)>, ClusterError> {
    let found = cluster.program_accounts(T::TAG, filter)?;
    Ok(found.into_iter().filter_map(|(address, account)| Some((address, T::decode(&account.data)?))).collect())
}
/// Reads the trigger of a product that was read.
///
/// Errors: those of [`fetch`], and [`AccountError::NoCondition`].
pub fn trigger_of(cluster: &dyn Cluster, address: Pubkey, product: &Product) -> Result<Trigger, AccountError> {
    if !product.has_condition() {
        return Err(AccountError::NoCondition { product: address });
    }
    fetch(cluster, &product.trigger)
}
