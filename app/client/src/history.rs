//! What was executed on a cluster: the transactions that name the program, and what each of them did.
//!
//! Nothing here says that something does not exist: a node that is behind, or keeps a part of the history only, lists
//! and gives less than there is. Whether something is missing is told by the numbers of the events: see
//! [`crate::numbering`].

use crate::cluster::ClusterError;
use anchor_lang::prelude::Pubkey;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;

/// Most transactions that a node lists at once.
pub const LISTED_AT_ONCE: usize = 1_000;

/// A transaction as a list names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The transaction.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// Whether it failed: then it changed nothing.
    pub is_failed: bool,
}

/// An instruction that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The program.
    pub program: Pubkey,
    /// Its accounts.
    pub accounts: Vec<Pubkey>,
    /// Its data.
    pub data: Vec<u8>,
    /// 1 for an instruction of the transaction, 2 for one that it called, and so on.
    pub depth: usize,
}

/// A transaction that was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Its first signature, as it says itself.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// Time of its block, in unix seconds, if the node knows it.
    pub time: Option<i64>,
    /// Whether it failed: then it changed nothing.
    pub is_failed: bool,
    /// What was logged. `None`: the node has not kept it.
    pub logs: Option<Vec<String>>,
    /// The instructions in the order in which they began, those that were called among them.
    pub instructions: Vec<Ran>,
    /// Whether the node has kept the instructions that were called.
    pub calls_are_known: bool,
    /// Accounts that had lamports before and none after: they were closed.
    pub closed: Vec<Pubkey>,
}

/// Who knows what was executed on a cluster, at the commitment `finalized`.
pub trait History {
    /// The cluster, by its genesis.
    fn genesis(&self) -> Result<Hash, ClusterError>;

    /// Transactions that name the program, newest first: older than `before`, newer than `until`, `most` at most. A
    /// page may be shorter than what there is; an empty one is the end of what this node has.
    fn signatures(
        &self,
        before: Option<&Signature>,
        until: Option<&Signature>,
        most: usize,
    ) -> Result<Vec<Listed>, ClusterError>;

    /// What a transaction did. `None`: this node does not know it, or not yet.
    fn transaction(&self, signature: &Signature) -> Result<Option<Executed>, ClusterError>;

    /// The same of several, in their order. The first failure is the answer.
    fn transactions(&self, signatures: &[Signature]) -> Result<Vec<Option<Executed>>, ClusterError> {
        signatures.iter().map(|signature| self.transaction(signature)).collect()
    }
}
