//! Clusters that break off, and that two cranks share.

use super::*;

/// Hands every question on to a cluster.
macro_rules! delegate {
    ($type:ty, |$self:ident| $inner:expr, $($special:tt)*) => {
        impl Cluster for $type {
            delegate!(@each $self, $inner,
                account(address: &Pubkey) -> Result<Option<Account>, ClusterError>;
                accounts(addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError>;
                program_accounts(tag: &[u8], filter: Option<(usize, Pubkey)>)
                    -> Result<Vec<(Pubkey, Account)>, ClusterError>;
                tokens_of(owner: &Pubkey, program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError>;
                nft_accounts(mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError>;
                latest_blockhash() -> Result<Blockhash, ClusterError>;
                block_height() -> Result<u64, ClusterError>;
                recent_priority_price(writable: &[Pubkey]) -> Result<u64, ClusterError>;
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
    pub left: Cell<usize>,
    pub sent: RefCell<Vec<VersionedTransaction>>,
}

impl<'a> Lossy<'a> {
    pub fn after(transactions: usize, inner: &'a EmbeddedCluster) -> Self {
        Self { inner, left: Cell::new(transactions), sent: RefCell::default() }
    }

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
            return Err(ClusterError::Refused("killed".into()));
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
