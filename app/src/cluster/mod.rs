//! One interface for a cluster behind JSON-RPC and for the one that runs in this process.

pub mod embedded;

use anchor_lang::prelude::Pubkey;
use solana_sdk::account::Account;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};

/// Why a cluster did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The cluster could not be reached, or its answer could not be read.
    #[error("{0}")]
    Unreachable(String),
    /// The transaction was executed and failed, or would.
    #[error("{error}")]
    Failed {
        /// What the runtime says.
        error: TransactionError,
        /// What the programs logged.
        logs: Vec<String>,
    },
    /// The blockhash expired before the transaction was confirmed.
    #[error("the transaction expired before it was confirmed")]
    Expired,
}

/// What a transaction did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    /// Its signature.
    pub signature: Signature,
    /// Compute units that it took.
    pub compute_units: u64,
    /// What the programs logged.
    pub logs: Vec<String>,
    /// What the last program returned.
    pub return_data: Vec<u8>,
}

/// A cluster that runs the program.
pub trait Cluster {
    /// Reads an account.
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError>;
    /// Reads the accounts of the program that begin with `tag` and, if asked, hold a key at an offset after it.
    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError>;
    /// A recent blockhash.
    fn latest_blockhash(&self) -> Result<Hash, ClusterError>;
    /// Runs a transaction without effect.
    fn simulate(&self, transaction: &VersionedTransaction) -> Result<Receipt, ClusterError>;
    /// Sends a transaction and waits until it is confirmed.
    fn send(&self, transaction: &VersionedTransaction) -> Result<Receipt, ClusterError>;
    /// Unix time of the cluster, in seconds.
    fn now(&self) -> Result<i64, ClusterError>;
    /// Least lamports of an account of this length.
    fn rent(&self, length: usize) -> Result<u64, ClusterError>;
}
