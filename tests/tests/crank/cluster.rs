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
