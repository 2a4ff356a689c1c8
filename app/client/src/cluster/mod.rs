//! One interface for a cluster behind JSON-RPC and for the one that runs in this process.

mod failure;
pub mod rpc;

pub use failure::{ClusterError, Reason, Refusal, Silence};

use anchor_lang::prelude::Pubkey;
use solana_sdk::account::Account;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;

/// A recent blockhash and how long it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blockhash {
    /// The hash.
    pub hash: Hash,
    /// The last block height at which a transaction with it can still be confirmed.
    pub last_valid_block_height: u64,
}

/// What a transaction did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    /// Its signature.
    pub signature: Signature,
    /// Compute units that it took. Zero where the cluster does not say: a node tells them only of a simulation.
    pub compute_units: u64,
    /// What the programs logged. Empty where the cluster does not say.
    pub logs: Vec<String>,
    /// What the last program returned. Empty where the cluster does not say.
    pub return_data: Vec<u8>,
}

/// How a submitted transaction ended.
pub type Outcome = Result<Receipt, ClusterError>;

/// A cluster that runs the program.
pub trait Cluster {
    /// Reads an account.
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError>;
    /// Reads accounts, any number, in their order.
    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError>;
    /// Reads the accounts of the program that begin with `tag` and, if asked, hold a key at an offset after it.
    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError>;
    /// Reads the token accounts of an owner in a token program.
    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError>;
    /// Where the one unit of each NFT is: the token account that holds most of its mint, in their order.
    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError>;
    /// A recent blockhash.
    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError>;
    /// The height of the chain, which ends the life of blockhashes.
    fn block_height(&self) -> Result<u64, ClusterError>;
    /// The newest slot.
    fn slot(&self) -> Result<u64, ClusterError>;
    /// Runs a transaction without effect, with any blockhash and without its signatures.
    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome;
    /// Hands a transaction in and does not wait for it. Safe to repeat while it is under way.
    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError>;
    /// How submitted transactions ended, in their order. `None`: not confirmed yet.
    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError>;
    /// Which of these transactions, each with the last height at which it can be executed, were not executed and never
    /// will be, in their order. `true` is a proof, `false` says nothing. Whoever asks has looked at [`Self::outcomes`].
    fn expired(&self, transactions: &[(Signature, u64)]) -> Result<Vec<bool>, ClusterError> {
        // One node, which knows at once what it executed: the height alone proves it.
        let height = self.block_height()?;
        Ok(transactions.iter().map(|(_, last)| height > *last).collect())
    }
    /// What the programs logged in a confirmed transaction. `None`: the cluster does not keep it.
    fn logs(&self, _signature: &Signature) -> Result<Option<Vec<String>>, ClusterError> {
        Ok(None)
    }
    /// What transactions that write these accounts lately paid for priority, in micro-lamports a compute unit.
    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError>;
    /// The hash of the cluster's first block, which tells it from every other.
    fn genesis_hash(&self) -> Result<Hash, ClusterError>;
    /// Unix time of the cluster, in seconds.
    fn now(&self) -> Result<i64, ClusterError>;
    /// Least lamports of an account of this length.
    fn rent(&self, length: usize) -> Result<u64, ClusterError>;
}
