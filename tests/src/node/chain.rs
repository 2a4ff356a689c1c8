//! Blocks, blockhashes and what became of transactions.

use crate::World;
use backstop_client::Cluster;
use backstop_client::cluster::ClusterError;
use solana_sdk::clock::{Clock, Slot};
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::slot_hashes::SlotHashes;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};
use std::collections::HashMap;

/// What goes wrong at a node, and what it charges. Nothing does by default.
#[derive(Clone, Debug)]
pub struct Faults {
    /// What comes instead of answers: the first rule that fits a request and is not used up.
    pub rules: Vec<Rule>,
    /// So many blocks behind is the node that answers for transactions: heights come from one that is not.
    pub statuses_lag: u64,
    /// Of so many answers for transactions one comes from the node behind, the others from one that is not. 1: all.
    pub lag_one_in: u32,
    /// The node keeps no history of transactions, and refuses to search it.
    pub without_history: bool,
    /// The node that answers for transactions has lost them all, and does not know it.
    pub forgetful: bool,
    /// So many requests from now on are answered by HTTP 500.
    pub broken: u32,
    /// So many requests from now on are answered by "behind".
    pub behind: u32,
    /// So many submitted transactions from now on are accepted and then lost.
    pub lost: u32,
    /// Of every so many submitted transactions one executes, and the others are accepted and lost. 1: none is lost.
    pub one_in: u32,
    /// Blockhashes that are handed out have expired already.
    pub stale: bool,
    /// Blocks during which a blockhash is good.
    pub lifetime: u64,
    /// Blocks that pass whenever somebody asks what became of transactions.
    pub blocks_per_look: u64,
    /// Blocks from execution to confirmation.
    pub confirmed_after: u64,
    /// What others paid for priority lately, in micro-lamports a compute unit.
    pub priority_price: u64,
}

/// What comes instead of an answer, to whom and how often.
#[derive(Clone, Debug)]
pub struct Rule {
    /// To this method; empty: to every one.
    pub method: &'static str,
    /// To so many requests from now on.
    pub times: u32,
    /// What comes.
    pub fault: Fault,
}

impl Rule {
    /// To every request for a method, and to every request if it is empty.
    pub fn always(method: &'static str, fault: Fault) -> Self {
        Self { method, times: u32::MAX, fault }
    }

    /// To the next request for a method.
    pub fn once(method: &'static str, fault: Fault) -> Self {
        Self { method, times: 1, fault }
    }
}

/// What comes instead of an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This HTTP status, with this text.
    Status(u16, &'static str),
    /// HTTP 429, and so many seconds to wait.
    TooMany(u64),
    /// A page for people, by HTTP 200.
    Page,
    /// An error of the protocol: code and message.
    Error(i64, &'static str),
    /// An error, by HTTP 413, if more than so many items are asked for; else the answer.
    Most(usize),
    /// The answer, broken off in its middle.
    Truncated,
    /// Go elsewhere: HTTP 307 to this URL.
    Redirect(String),
    /// Nothing, as long as the node runs.
    Hangs,
    /// The answer, after so many milliseconds.
    Slow(u64),
}

impl Faults {
    /// Nothing goes wrong but this.
    pub fn of(method: &'static str, fault: Fault) -> Self {
        Self { rules: vec![Rule::always(method, fault)], ..Self::default() }
    }

    /// What comes instead of the answer to a request, which counts.
    pub(super) fn on(&mut self, method: &str) -> Option<Fault> {
        let fits = |rule: &&mut Rule| rule.times > 0 && (rule.method.is_empty() || rule.method == method);
        let rule = self.rules.iter_mut().find(fits)?;
        rule.times = rule.times.saturating_sub(u32::from(rule.times < u32::MAX));
        Some(rule.fault.clone())
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            statuses_lag: 0,
            lag_one_in: 1,
            without_history: false,
            forgetful: false,
            broken: 0,
            behind: 0,
            lost: 0,
            one_in: 1,
            stale: false,
            lifetime: 150,
            blocks_per_look: 1,
            confirmed_after: 0,
            priority_price: 0,
        }
    }
}

/// How an executed transaction ended.
pub struct Landed {
    /// In which slot.
    pub slot: Slot,
    /// At which height.
    height: u64,
    /// Whether it failed.
    pub error: Option<TransactionError>,
}

/// The chain of a node. A block passes when somebody asks what became of transactions, so that tests
/// need not wait.
pub struct Chain {
    /// What goes wrong.
    pub faults: Faults,
    height: u64,
    submitted: u32,
    status_answers: u32,
    /// Handed-out hashes, and the last height at which each is good.
    blockhashes: HashMap<Hash, u64>,
    landed: HashMap<Signature, Landed>,
}

impl Chain {
    /// A chain on a world, whose own check of blockhashes knows only the newest and is replaced by the one here.
    pub fn on(world: &World) -> Self {
        let mut svm = world.cluster.svm();
        *svm = std::mem::take(&mut *svm).with_blockhash_check(false);
        Self {
            faults: Faults::default(),
            height: 1_000,
            submitted: 0,
            status_answers: 0,
            blockhashes: HashMap::new(),
            landed: HashMap::new(),
        }
    }

    /// Transactions that were executed.
    pub fn executed(&self) -> usize {
        self.landed.len()
    }

    /// The height, as of now.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The height up to which blocks are confirmed.
    pub fn confirmed_height(&self) -> u64 {
        self.height.saturating_sub(self.faults.confirmed_after)
    }

    /// Lets blocks pass: slot and blockhash move on, and the programs see it.
    pub fn pass(&mut self, world: &World, blocks: u64) {
        self.height += blocks;
        let mut svm = world.cluster.svm();
        let mut clock: Clock = svm.get_sysvar();
        let mut hashes: SlotHashes = svm.get_sysvar();
        hashes.add(clock.slot, svm.latest_blockhash());
        clock.slot += blocks;
        svm.set_sysvar(&hashes);
        svm.set_sysvar(&clock);
        svm.expire_blockhash();
    }

    /// Hands a blockhash out, with the last height at which it is good.
    pub fn latest_blockhash(&mut self, world: &World) -> (Hash, u64) {
        let hash = world.cluster.svm().latest_blockhash();
        let end = if self.faults.stale { self.height - 1 } else { self.height + self.faults.lifetime };
        (hash, *self.blockhashes.entry(hash).or_insert(end))
    }

    /// Whether transactions with a blockhash can still be executed.
    pub fn is_good(&self, blockhash: &Hash) -> bool {
        self.blockhashes.get(blockhash).is_some_and(|end| self.height <= *end)
    }

    /// Executes a transaction, once, or loses it without a word.
    pub fn submit(&mut self, world: &World, transaction: &VersionedTransaction) {
        let signature = transaction.signatures[0];
        self.submitted += 1;
        let is_lost = super::take(&mut self.faults.lost) || !self.submitted.is_multiple_of(self.faults.one_in);
        if is_lost || self.landed.contains_key(&signature) || !self.is_good(transaction.message.recent_blockhash()) {
            return;
        }
        let error = match world.cluster.send(transaction) {
            Ok(_) => None,
            Err(ClusterError::Failed { error, .. }) if is_recorded(&error) => Some(error),
            Err(_) => return,
        };
        let slot = world.cluster.slot().expect("the cluster answers");
        self.landed.insert(signature, Landed { slot, height: self.height, error });
    }

    /// How a transaction ended, if it was executed, and whether that is confirmed.
    pub fn status(&self, signature: &Signature) -> Option<(&Landed, bool)> {
        let landed = self.landed.get(signature)?;
        Some((landed, self.confirmed_height() >= landed.height))
    }

    /// By how many blocks the node is behind that answers for transactions this time.
    pub fn status_lag(&mut self) -> u64 {
        self.status_answers = self.status_answers.wrapping_add(1);
        if self.status_answers.is_multiple_of(self.faults.lag_one_in) { self.faults.statuses_lag } else { 0 }
    }

    /// [`Self::status`], as a node knows it that is so many blocks behind.
    pub fn status_behind(&self, signature: &Signature, lag: u64) -> Option<(&Landed, bool)> {
        let (landed, _) = self.status(signature).filter(|_| !self.faults.forgetful)?;
        let is_known = self.height.saturating_sub(lag) >= landed.height;
        let is_confirmed = self.confirmed_height().saturating_sub(lag) >= landed.height;
        is_known.then_some((landed, is_confirmed))
    }
}

/// Whether a transaction that ended so is part of a block: others are dropped before they are paid for.
fn is_recorded(error: &TransactionError) -> bool {
    !matches!(
        error,
        TransactionError::AccountNotFound
            | TransactionError::InsufficientFundsForFee
            | TransactionError::InvalidAccountForFee
            | TransactionError::SanitizeFailure
            | TransactionError::SignatureFailure
            | TransactionError::AlreadyProcessed
    )
}
