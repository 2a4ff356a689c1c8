//! What is known of the chain: all accounts of the program, read again and again by one thread.
//!
//! Pages are made from what was read last and say how old it is. While the node does not answer, they go on showing it,
//! with the failure. Nobody who asks for a page makes the node work, but for what the accounts of the program cannot
//! tell: who holds which token.

use crate::error::PageError;
use anchor_lang::prelude::Pubkey;
use backstop::state::{Pool, Product, Trigger};
use backstop_client::account::Decode;
use backstop_client::address;
use backstop_client::cluster::{Blockhash, Cluster, ClusterError, Outcome};
use backstop_client::deployment;
use backstop_client::view;
use backstop_client::view::report::ProgramReport;
use solana_sdk::account::Account;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// A cluster that any thread may ask.
pub type Node = Arc<dyn Cluster + Send + Sync>;

/// All accounts of the program as one answer of the node told them, with what their books speak of.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Unix time of the cluster after the reading.
    pub now: i64,
    /// The newest slot before the reading.
    pub slot: u64,
    /// The program's accounts.
    accounts: BTreeMap<Pubkey, Account>,
    /// The same by the bytes that they begin with.
    by_tag: HashMap<[u8; 8], Vec<Pubkey>>,
    /// What else is looked at: vaults, mints, price accounts, and places where nothing is.
    others: HashMap<Pubkey, Option<Account>>,
}

impl Snapshot {
    /// Reads everything. Errors: the cluster does not answer, or does not list a program's accounts.
    pub fn read(cluster: &dyn Cluster) -> Result<Self, ClusterError> {
        let slot = cluster.slot()?;
        let accounts: BTreeMap<Pubkey, Account> = cluster.program_accounts(&[], None)?.into_iter().collect();
        let mut by_tag: HashMap<[u8; 8], Vec<Pubkey>> = HashMap::new();
        for (key, account) in &accounts {
            if let Some(tag) = account.data.first_chunk() {
                by_tag.entry(*tag).or_default().push(*key);
            }
        }
        let mut snapshot = Self { now: 0, slot, accounts, by_tag, others: HashMap::new() };
        let wanted: Vec<Pubkey> =
            snapshot.wanted().into_iter().filter(|key| !snapshot.accounts.contains_key(key)).collect();
        let found = cluster.accounts(&wanted)?;
        snapshot.others = wanted.into_iter().zip(found).collect();
        snapshot.now = cluster.now()?;
        Ok(snapshot)
    }

    /// What pages look at beside the program's accounts, or expect where there is none.
    fn wanted(&self) -> Vec<Pubkey> {
        let of_pools = self.all::<Pool>().flat_map(|(key, pool)| {
            [address::vault(&key), pool.asset_mint, pool.share_mints[0], pool.share_mints[1], address::cession(&key)]
        });
        let of_products = self.all::<Product>().flat_map(|(key, product)| [address::incident(&key), product.trigger]);
        let of_triggers = self.all::<Trigger>().filter_map(|(_, trigger)| view::trigger::price_account(&trigger));
        of_pools.chain(of_products).chain(of_triggers).collect()
    }

    /// All accounts of a type, by address; without what cannot be read.
    pub fn all<T: Decode>(&self) -> impl Iterator<Item = (Pubkey, T)> {
        let tag: Option<[u8; 8]> = T::TAG.try_into().ok();
        let keys = tag.and_then(|tag| self.by_tag.get(&tag)).map(Vec::as_slice).unwrap_or_default();
        keys.iter().filter_map(|key| Some((*key, T::decode(&self.accounts.get(key)?.data)?)))
    }

    /// Whether an account of the program is at an address, and of this type.
    pub fn has<T: Decode>(&self, address: &Pubkey) -> bool {
        self.accounts.get(address).is_some_and(|account| account.data.starts_with(T::TAG))
    }

    /// How many accounts of the program there are.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there are no accounts of the program.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

/// Why the newest reading failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The node's words, without what may be secret.
    pub why: String,
    /// Since when readings fail.
    pub since: Instant,
}

/// What was read of the chain last.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The accounts.
    pub snapshot: Arc<Snapshot>,
    /// When they were read.
    pub at: Instant,
    /// Why they were not read again since, if that was tried.
    pub failure: Option<Failure>,
    /// The deployed program, compared with the one that this page was built with.
    pub program: Program,
}

/// What is known of the deployed program.
#[derive(Clone, Debug, Default)]
pub enum Program {
    /// Nothing: it was not read yet.
    #[default]
    Unread,
    /// It could not be read, in the node's words.
    Failed(String),
    /// It is not deployed by the upgradeable loader, and cannot be compared.
    Incomparable,
    /// The comparison.
    Compared(Arc<ProgramReport>),
}

impl Reading {
    /// How old it is.
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

/// For how long a comparison of the program holds: reading it takes most of a megabyte.
const COMPARED_FOR: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Latest {
    read: Option<(Arc<Snapshot>, Instant)>,
    failure: Option<Failure>,
    program: Program,
    /// When the program was compared last.
    compared: Option<Instant>,
}

/// The chain, read in the background. The thread ends with the last clone of this.
#[derive(Clone)]
pub struct Chain {
    node: Node,
    latest: Arc<RwLock<Latest>>,
    /// While it is held, the thread goes on; a message makes it read now.
    wake: Arc<Mutex<std::sync::mpsc::Sender<()>>>,
}

impl Chain {
    /// Reads once, so that the first page has something to show, and then in the background.
    pub fn follow(node: Node, refresh: Duration) -> Self {
        let (wake, woken) = std::sync::mpsc::channel();
        let chain = Self { node, latest: Arc::default(), wake: Arc::new(Mutex::new(wake)) };
        chain.read_now();
        let (node, latest) = (chain.node.clone(), Arc::clone(&chain.latest));
        let follow = move || {
            use std::sync::mpsc::RecvTimeoutError::Disconnected;
            while woken.recv_timeout(refresh) != Err(Disconnected) {
                // Whoever asked meanwhile is served by this reading.
                while woken.try_recv().is_ok() {}
                read(&node, &latest);
            }
        };
        if let Err(why) = thread::Builder::new().name("chain".into()).spawn(follow) {
            tracing::error!(%why, "the chain is not followed");
        }
        chain
    }

    /// Reads the chain now, in this thread.
    pub fn read_now(&self) {
        read(&self.node, &self.latest);
    }

    /// Has the chain read soon, as something was done on it.
    pub fn wake(&self) {
        let wake: MutexGuard<'_, _> = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a thread that listens nothing is read again, which pages tell by their age.
        let _ = wake.send(());
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// What was read last.
    ///
    /// Errors: [`PageError::NotRead`], if nothing was yet.
    pub fn reading(&self) -> Result<Reading, PageError> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        let (failure, program) = (latest.failure.clone(), latest.program.clone());
        match &latest.read {
            Some((snapshot, at)) => Ok(Reading { snapshot: Arc::clone(snapshot), at: *at, failure, program }),
            None => Err(PageError::NotRead { why: failure.map(|failure| failure.why) }),
        }
    }
}

fn read(node: &Node, latest: &RwLock<Latest>) {
    let read = Snapshot::read(&**node);
    {
        let mut latest = latest.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(snapshot) => (latest.read, latest.failure) = (Some((Arc::new(snapshot), Instant::now())), None),
            Err(why) => {
                let since = latest.failure.as_ref().map_or_else(Instant::now, |failure| failure.since);
                let why = why.to_string();
                tracing::warn!(%why, "the chain was not read");
                latest.failure = Some(Failure { why, since });
                return;
            }
        }
        if latest.compared.is_some_and(|at| at.elapsed() < COMPARED_FOR) {
            return;
        }
    }
    let program = match ProgramReport::read(&**node, deployment::committed_code()) {
        Ok(Some(report)) => Program::Compared(Arc::new(report)),
        Ok(None) => Program::Incomparable,
        Err(why) => Program::Failed(why.to_string()),
    };
    let mut latest = latest.write().unwrap_or_else(PoisonError::into_inner);
    // What failed is tried again with the next reading.
    latest.compared = (!matches!(program, Program::Failed(_))).then(Instant::now);
    latest.program = program;
}

/// A snapshot as a cluster, for the client's views: they read it as they read a node.
///
/// What the program's accounts cannot tell (tokens of a wallet, holders of NFTs) is asked of the node. Nothing is sent.
pub struct Frozen {
    snapshot: Arc<Snapshot>,
    node: Node,
}

impl Frozen {
    /// A snapshot, and the node for what it does not hold.
    pub fn new(snapshot: Arc<Snapshot>, node: Node) -> Self {
        Self { snapshot, node }
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The cluster's time as of the snapshot.
    pub fn time(&self) -> i64 {
        self.snapshot.now
    }

    fn known(&self, address: &Pubkey) -> Option<Option<Account>> {
        let Snapshot { accounts, others, .. } = &*self.snapshot;
        accounts.get(address).map(|account| Some(account.clone())).or_else(|| others.get(address).cloned())
    }
}

impl Cluster for Frozen {
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        self.known(address).map_or_else(|| self.node.account(address), Ok)
    }

    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        let known: Option<Vec<Option<Account>>> = addresses.iter().map(|address| self.known(address)).collect();
        known.map_or_else(|| self.node.accounts(addresses), Ok)
    }

    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let Snapshot { accounts, by_tag, .. } = &*self.snapshot;
        let tagged: Option<[u8; 8]> = tag.try_into().ok();
        let keys: Vec<&Pubkey> = match tagged {
            Some(tag) => by_tag.get(&tag).map(|keys| keys.iter().collect()).unwrap_or_default(),
            None => accounts.keys().collect(),
        };
        let matches = |data: &[u8]| {
            let holds_key = |(offset, key): (usize, Pubkey)| {
                let rest = tag.len().checked_add(offset).and_then(|start| data.get(start..));
                rest.is_some_and(|rest| rest.starts_with(key.as_ref()))
            };
            data.starts_with(tag) && filter.is_none_or(holds_key)
        };
        let found = keys.into_iter().filter_map(|key| Some((*key, accounts.get(key)?)));
        Ok(found.filter(|(_, account)| matches(&account.data)).map(|(key, account)| (key, account.clone())).collect())
    }

    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        self.node.tokens_of(owner, token_program)
    }

    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        self.node.nft_accounts(mints)
    }

    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        self.node.latest_blockhash()
    }

    fn block_height(&self) -> Result<u64, ClusterError> {
        self.node.block_height()
    }

    fn slot(&self) -> Result<u64, ClusterError> {
        Ok(self.snapshot.slot)
    }

    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        self.node.simulate(transaction)
    }

    fn submit(&self, _transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        Err(ClusterError::Unsignable("what was read of a chain takes no transactions".into()))
    }

    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        self.node.outcomes(signatures)
    }

    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        self.node.recent_priority_price(writable)
    }

    fn genesis_hash(&self) -> Result<Hash, ClusterError> {
        self.node.genesis_hash()
    }

    fn now(&self) -> Result<i64, ClusterError> {
        Ok(self.snapshot.now)
    }

    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.node.rent(length)
    }
}
