//! A cluster that notes what it is sent, whose slots go by, and that can break off.

use crate::Outcome;
use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::{Blockhash, Cluster, ClusterError, Refusal};
use backstop_sandbox::EmbeddedCluster;
use solana_sdk::account::Account;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;
use std::cell::{Cell, RefCell};

/// Hands every question on to a cluster. The types of the questions must be in scope.
#[macro_export]
macro_rules! delegate {
    ($type:ty, |$self:ident| $inner:expr, $($special:tt)*) => {
        impl Cluster for $type {
            $crate::delegate!(@each $self, $inner,
                account(address: &Pubkey) -> Result<Option<Account>, ClusterError>;
                accounts(addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError>;
                program_accounts(tag: &[u8], filter: Option<(usize, Pubkey)>)
                    -> Result<Vec<(Pubkey, Account)>, ClusterError>;
                tokens_of(owner: &Pubkey, program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError>;
                nft_accounts(mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError>;
                latest_blockhash() -> Result<Blockhash, ClusterError>;
                block_height() -> Result<u64, ClusterError>;
                recent_priority_price(writable: &[Pubkey]) -> Result<u64, ClusterError>;
                genesis_hash() -> Result<solana_sdk::hash::Hash, ClusterError>;
                now() -> Result<i64, ClusterError>;
                rent(length: usize) -> Result<u64, ClusterError>;
            );
            $($special)*
        }
    };
    (@each $self:ident, $inner:expr, $($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        fn $name(&self $(, $argument: $kind)*) -> $result {
            let $self = self;
            $inner.$name($($argument),*)
        }
    )*};
}

/// A cluster that notes transactions, moves on by a slot whenever somebody asks for it, and is gone after so many
/// transactions, as it is for a crank that is killed.
pub struct Lossy<'a> {
    inner: &'a EmbeddedCluster,
    /// Transactions that it still takes.
    pub left: Cell<usize>,
    /// What it was sent.
    pub sent: RefCell<Vec<VersionedTransaction>>,
}

impl<'a> Lossy<'a> {
    /// Gone after so many transactions.
    pub fn after(transactions: usize, inner: &'a EmbeddedCluster) -> Self {
        Self { inner, left: Cell::new(transactions), sent: RefCell::default() }
    }

    /// Never gone.
    pub fn never(inner: &'a EmbeddedCluster) -> Self {
        Self::after(usize::MAX, inner)
    }
}

delegate! { Lossy<'_>, |this| this.inner,
    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        self.inner.simulate(transaction)
    }
    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        self.inner.outcomes(signatures)
    }
    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        if self.left.get() == 0 {
            let (host, method) = ("the cluster".into(), "sendTransaction".into());
            return Err(Refusal { host, method, code: 0, says: "killed".into() }.into());
        }
        self.left.set(self.left.get() - 1);
        self.sent.borrow_mut().push(transaction.clone());
        self.inner.submit(transaction)
    }
    fn slot(&self) -> Result<u64, ClusterError> {
        self.inner.advance(0);
        self.inner.slot()
    }
}
