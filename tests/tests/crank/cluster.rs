//! A cluster that two cranks share.

use super::*;

/// Whose turn it is to send a transaction, and who has ended.
pub struct Turns {
    pub next: usize,
    pub ended: [bool; 2],
}

/// One cluster for two cranks in two threads, who send their transactions in turns.
pub struct Shared<'a> {
    pub me: usize,
    pub cluster: &'a Mutex<EmbeddedCluster>,
    pub turns: &'a (Mutex<Turns>, Condvar),
}

impl Shared<'_> {
    pub fn end(&self) {
        self.turns.0.lock().unwrap().ended[self.me] = true;
        self.turns.1.notify_all();
    }
}

delegate! { Shared<'_>, |this| this.cluster.lock().unwrap(),
    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        self.cluster.lock().unwrap().simulate(transaction)
    }
    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        self.cluster.lock().unwrap().outcomes(signatures)
    }
    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        let (turns, changed) = self.turns;
        let other = 1 - self.me;
        let turns = turns.lock().unwrap();
        let mut turns = changed.wait_while(turns, |turns| turns.next != self.me && !turns.ended[other]).unwrap();
        let submitted = self.cluster.lock().unwrap().submit(transaction);
        turns.next = other;
        changed.notify_all();
        submitted
    }
    fn slot(&self) -> Result<u64, ClusterError> {
        self.cluster.lock().unwrap().slot()
    }
}

/// A cluster that refuses what it is told to, leaves things out, loses transactions, and notes what it is asked and sent.
pub struct Odd<'a> {
    inner: &'a EmbeddedCluster,
    /// Methods that are refused.
    pub refused: RefCell<BTreeSet<&'static str>>,
    /// Beginnings of the program's accounts that are not listed: refused, or answered by an empty list.
    pub unlisted: RefCell<Vec<(&'static [u8], bool)>>,
    /// Accounts that it does not know.
    pub hidden: RefCell<BTreeSet<Pubkey>>,
    /// Whether every transaction is lost, and expires.
    pub congested: Cell<bool>,
    /// How often each method was asked, once for each item.
    pub asked: RefCell<BTreeMap<&'static str, usize>>,
    /// What was sent.
    pub sent: RefCell<Vec<VersionedTransaction>>,
    /// What happens just before the next transaction is taken.
    pub before: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
    /// Set once so many transactions were sent.
    pub stops_after: Cell<usize>,
    /// The flag that is set then.
    pub stop: Arc<AtomicBool>,
}

fn refusal(says: &str) -> ClusterError {
    let refusal = backstop_client::cluster::Refusal {
        host: "node".into(),
        method: "method".into(),
        code: -32_000,
        says: says.to_owned(),
    };
    refusal.into()
}

impl<'a> Odd<'a> {
    pub fn new(inner: &'a EmbeddedCluster) -> Self {
        Self {
            inner,
            refused: RefCell::default(),
            unlisted: RefCell::default(),
            hidden: RefCell::default(),
            congested: Cell::new(false),
            asked: RefCell::default(),
            sent: RefCell::default(),
            before: RefCell::default(),
            stops_after: Cell::new(usize::MAX),
            stop: Arc::default(),
        }
    }

    pub fn refuse(&self, methods: &[&'static str]) {
        *self.refused.borrow_mut() = methods.iter().copied().collect();
    }

    fn ask(&self, method: &'static str, items: usize) -> Result<(), ClusterError> {
        *self.asked.borrow_mut().entry(method).or_default() += items;
        if self.refused.borrow().contains(method) {
            return Err(refusal(&format!("the node refuses {method}")));
        }
        Ok(())
    }
}

impl Cluster for Odd<'_> {
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        self.ask("account", 1)?;
        if self.hidden.borrow().contains(address) { Ok(None) } else { self.inner.account(address) }
    }
    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        self.ask("accounts", addresses.len())?;
        let hidden = self.hidden.borrow();
        let read = |address: &Pubkey| if hidden.contains(address) { Ok(None) } else { self.inner.account(address) };
        addresses.iter().map(read).collect()
    }
    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        self.ask("program_accounts", 1)?;
        match self.unlisted.borrow().iter().find(|(unlisted, _)| tag == *unlisted) {
            Some((_, true)) => Err(refusal("the node refuses to list these")),
            Some((_, false)) => Ok(Vec::new()),
            None => self.inner.program_accounts(tag, filter),
        }
    }
    fn tokens_of(&self, owner: &Pubkey, program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        self.ask("tokens_of", 1)?;
        self.inner.tokens_of(owner, program)
    }
    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        self.ask("nft_accounts", mints.len())?;
        self.inner.nft_accounts(mints)
    }
    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        self.ask("latest_blockhash", 1)?;
        self.inner.latest_blockhash()
    }
    fn genesis_hash(&self) -> Result<solana_sdk::hash::Hash, ClusterError> {
        self.ask("genesis_hash", 1)?;
        self.inner.genesis_hash()
    }
    fn block_height(&self) -> Result<u64, ClusterError> {
        self.ask("block_height", 1)?;
        self.inner.block_height()
    }
    fn slot(&self) -> Result<u64, ClusterError> {
        self.ask("slot", 1)?;
        self.inner.advance(0);
        self.inner.slot()
    }
    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        self.ask("simulate", 1)?;
        self.inner.simulate(transaction)
    }
    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        self.ask("submit", 1)?;
        self.sent.borrow_mut().push(transaction.clone());
        if let Some(happens) = self.before.borrow_mut().take() {
            happens();
        }
        if self.sent.borrow().len() >= self.stops_after.get() {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.congested.get() { Ok(()) } else { self.inner.submit(transaction) }
    }
    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        self.ask("outcomes", signatures.len())?;
        if self.congested.get() {
            return Ok(signatures
                .iter()
                .map(|signature| Some(Err(ClusterError::Expired { signature: *signature })))
                .collect());
        }
        self.inner.outcomes(signatures)
    }
    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        self.ask("recent_priority_price", 1)?;
        self.inner.recent_priority_price(writable)
    }
    fn now(&self) -> Result<i64, ClusterError> {
        self.ask("now", 1)?;
        self.inner.now()
    }
    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.ask("rent", 1)?;
        self.inner.rent(length)
    }
}
