//! What was executed on an embedded cluster, as a node with a full history tells it.

use crate::EmbeddedCluster;
use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::history::{Executed, History, Listed, Ran};
use litesvm::types::TransactionMetadata;
use solana_sdk::clock::Clock;
use solana_sdk::hash::Hash;
use solana_sdk::message::VersionedMessage;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;
use std::collections::HashSet;

/// Bytes of an address table before its addresses.
const TABLE_HEADER: usize = 56;

/// Transactions in the order in which they were executed.
#[derive(Default)]
pub(crate) struct Recorder {
    executed: Vec<Executed>,
    known: HashSet<Signature>,
}

/// What is known of a transaction before it is executed.
pub(crate) struct Begun {
    keys: Vec<Pubkey>,
    lamports: Vec<u64>,
}

impl Begun {
    pub(crate) fn of(cluster: &EmbeddedCluster, transaction: &VersionedTransaction) -> Self {
        let keys = keys(cluster, &transaction.message);
        let lamports = lamports(cluster, &keys);
        Self { keys, lamports }
    }
}

/// All addresses of a message, in their order: its own, then those of its tables, those that are written first.
fn keys(cluster: &EmbeddedCluster, message: &VersionedMessage) -> Vec<Pubkey> {
    let mut keys = message.static_account_keys().to_vec();
    let lookups = message.address_table_lookups().unwrap_or_default();
    for is_written in [true, false] {
        for lookup in lookups {
            let table = cluster.svm().get_account(&lookup.account_key).map(|account| account.data).unwrap_or_default();
            let entries = table.get(TABLE_HEADER..).unwrap_or_default();
            let places = if is_written { &lookup.writable_indexes } else { &lookup.readonly_indexes };
            let entry = |place: &u8| entries.chunks_exact(32).nth(usize::from(*place)).map(Pubkey::try_from);
            keys.extend(places.iter().filter_map(entry).flatten());
        }
    }
    keys
}

fn lamports(cluster: &EmbeddedCluster, keys: &[Pubkey]) -> Vec<u64> {
    let svm = cluster.svm();
    keys.iter().map(|key| svm.get_account(key).map_or(0, |account| account.lamports)).collect()
}

impl Recorder {
    /// Keeps what a transaction did. Where signatures are not checked two transactions can have the same one, which no
    /// cluster takes: then it gets another here.
    pub(crate) fn note(
        &mut self,
        cluster: &EmbeddedCluster,
        transaction: &VersionedTransaction,
        begun: Begun,
        is_failed: bool,
        metadata: &TransactionMetadata,
    ) {
        let Begun { keys, lamports: before } = begun;
        let after = lamports(cluster, &keys);
        let clock: Clock = cluster.svm().get_sysvar();
        let ran = |instruction: &solana_sdk::message::compiled_instruction::CompiledInstruction, depth| {
            let key = |place: &u8| keys.get(usize::from(*place)).copied().unwrap_or_default();
            Ran {
                program: key(&instruction.program_id_index),
                accounts: instruction.accounts.iter().map(key).collect(),
                data: instruction.data.clone(),
                depth,
            }
        };
        let mut instructions = Vec::new();
        for (place, instruction) in transaction.message.instructions().iter().enumerate() {
            instructions.push(ran(instruction, 1));
            let called = metadata.inner_instructions.get(place).into_iter().flatten();
            instructions.extend(called.map(|called| ran(&called.instruction, called.stack_height.into())));
        }
        let mut signature = transaction.signatures.first().copied().unwrap_or_default();
        let mut count = self.executed.len() as u64;
        while !self.known.insert(signature) {
            let mut bytes = [0xbb; 64];
            bytes[..8].copy_from_slice(&count.to_be_bytes());
            signature = Signature::from(bytes);
            count += 1 << 32;
        }
        let balances = before.iter().zip(&after);
        let closed = keys.iter().zip(balances).filter(|(_, (before, after))| **before > 0 && **after == 0);
        self.executed.push(Executed {
            signature,
            slot: clock.slot,
            time: Some(clock.unix_timestamp),
            is_failed,
            logs: Some(metadata.logs.clone()),
            closed: closed.map(|(key, _)| *key).collect(),
            instructions,
            calls_are_known: true,
        });
    }
}

/// Only of what was executed since [`EmbeddedCluster::record`].
impl History for EmbeddedCluster {
    fn genesis(&self) -> Result<Hash, ClusterError> {
        self.genesis_hash()
    }

    fn signatures(
        &self,
        before: Option<&Signature>,
        until: Option<&Signature>,
        most: usize,
    ) -> Result<Vec<Listed>, ClusterError> {
        let recorder = self.recorder.borrow();
        let executed = recorder.as_ref().map(|recorder| recorder.executed.as_slice()).unwrap_or_default();
        let place = |of: &Signature| executed.iter().rposition(|one| one.signature == *of);
        let end = before.map_or(Some(executed.len()), place).unwrap_or_default();
        let start = until.and_then(place).map_or(0, |place| place + 1).min(end);
        let names = |one: &&Executed| {
            one.instructions.iter().any(|ran| ran.program == backstop::ID || ran.accounts.contains(&backstop::ID))
        };
        let newest_first = executed[start..end].iter().rev().filter(names);
        let listed = |one: &Executed| Listed { signature: one.signature, slot: one.slot, is_failed: one.is_failed };
        Ok(newest_first.take(most).map(listed).collect())
    }

    fn transaction(&self, signature: &Signature) -> Result<Option<Executed>, ClusterError> {
        let recorder = self.recorder.borrow();
        let executed = recorder.as_ref().map(|recorder| recorder.executed.as_slice()).unwrap_or_default();
        Ok(executed.iter().rfind(|one| one.signature == *signature).cloned())
    }
}
