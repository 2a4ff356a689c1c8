//! The cluster in this process, in a thread of its own, for whoever asks from several threads: servers and their tests.

use crate::EmbeddedCluster;
use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::{Blockhash, Cluster, ClusterError, Outcome};
use solana_sdk::account::Account;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

type Job = Box<dyn FnOnce(&EmbeddedCluster) + Send>;

/// An [`EmbeddedCluster`] that any thread may ask: it lives in a thread that does one thing after the other, and ends with
/// this.
pub struct SharedCluster(Mutex<Sender<Job>>);

impl SharedCluster {
    /// Starts the thread and makes the cluster in it. What else was made there comes back.
    ///
    /// # Panics
    ///
    /// If `make` does.
    pub fn start<T: Send + 'static>(make: impl FnOnce() -> (EmbeddedCluster, T) + Send + 'static) -> (Self, T) {
        let (jobs, work) = channel::<Job>();
        let (tell, told) = channel();
        thread::spawn(move || {
            let (cluster, made) = make();
            // Whoever started this waits for it.
            let _ = tell.send(made);
            for job in work {
                job(&cluster);
            }
        });
        let made = told.recv().expect("the cluster was made");
        (Self(Mutex::new(jobs)), made)
    }

    /// Does something with the cluster, in its thread, and waits for it.
    ///
    /// # Panics
    ///
    /// If what is done does.
    pub fn with<T: Send + 'static>(&self, work: impl FnOnce(&EmbeddedCluster) -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        let job: Job = Box::new(move |cluster| {
            let _ = tell.send(work(cluster));
        });
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(job);
        sent.expect("the cluster's thread runs");
        told.recv().expect("the cluster's thread did what it was asked")
    }
}

impl Cluster for SharedCluster {
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        let address = *address;
        self.with(move |cluster| cluster.account(&address))
    }

    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        let addresses = addresses.to_vec();
        self.with(move |cluster| cluster.accounts(&addresses))
    }

    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let tag = tag.to_vec();
        self.with(move |cluster| cluster.program_accounts(&tag, filter))
    }

    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let (owner, token_program) = (*owner, *token_program);
        self.with(move |cluster| cluster.tokens_of(&owner, &token_program))
    }

    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        let mints = mints.to_vec();
        self.with(move |cluster| cluster.nft_accounts(&mints))
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
        let transaction = transaction.clone();
        self.with(move |cluster| cluster.simulate(&transaction))
    }

    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        let transaction = transaction.clone();
        self.with(move |cluster| cluster.submit(&transaction))
    }

    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        let signatures = signatures.to_vec();
        self.with(move |cluster| cluster.outcomes(&signatures))
    }

    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        let writable = writable.to_vec();
        self.with(move |cluster| cluster.recent_priority_price(&writable))
    }

    fn now(&self) -> Result<i64, ClusterError> {
        self.with(Cluster::now)
    }

    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.with(move |cluster| cluster.rent(length))
    }
}
