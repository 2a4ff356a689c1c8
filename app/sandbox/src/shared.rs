//! The cluster in this process for whoever asks from several threads: servers and their tests.

use crate::EmbeddedCluster;
use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::{Blockhash, Cluster, ClusterError, Outcome};
use solana_sdk::account::Account;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An [`EmbeddedCluster`], or something that has one, which any thread may ask: one after the other.
pub struct SharedCluster<W = EmbeddedCluster> {
    world: Mutex<W>,
    cluster: fn(&W) -> &EmbeddedCluster,
}

impl SharedCluster {
    /// A cluster.
    pub fn new(cluster: EmbeddedCluster) -> Self {
        Self::of(cluster, |cluster| cluster)
    }
}

impl<W> SharedCluster<W> {
    /// Something that has a cluster.
    pub fn of(world: W, cluster: fn(&W) -> &EmbeddedCluster) -> Self {
        Self { world: Mutex::new(world), cluster }
    }

    /// What is shared. Everybody else waits while this is held.
    pub fn world(&self) -> MutexGuard<'_, W> {
        // Whoever panicked while it was held has said so itself.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&EmbeddedCluster) -> T) -> T {
        work((self.cluster)(&self.world()))
    }
}

impl<W> Cluster for SharedCluster<W> {
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        self.with(|cluster| cluster.account(address))
    }

    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        self.with(|cluster| cluster.accounts(addresses))
    }

    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        self.with(|cluster| cluster.program_accounts(tag, filter))
    }

    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        self.with(|cluster| cluster.tokens_of(owner, token_program))
    }

    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        self.with(|cluster| cluster.nft_accounts(mints))
    }

    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        self.with(Cluster::latest_blockhash)
    }

    fn block_height(&self) -> Result<u64, ClusterError> {
        self.with(Cluster::block_height)
    }

    fn slot(&self) -> Result<u64, ClusterError> {
        self.with(Cluster::slot)
    }

    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        self.with(|cluster| cluster.simulate(transaction))
    }

    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        self.with(|cluster| cluster.submit(transaction))
    }

    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        self.with(|cluster| cluster.outcomes(signatures))
    }

    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        self.with(|cluster| cluster.recent_priority_price(writable))
    }

    fn genesis_hash(&self) -> Result<Hash, ClusterError> {
        self.with(Cluster::genesis_hash)
    }

    fn now(&self) -> Result<i64, ClusterError> {
        self.with(Cluster::now)
    }

    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.with(|cluster| cluster.rent(length))
    }
}
