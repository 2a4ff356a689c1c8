//! The history of a cluster, from a node.

use super::wire::{self, Text};
use super::{Kind, RpcCluster};
use crate::cluster::{Cluster, ClusterError, Silence};
use crate::history::{Executed, History, LISTED_AT_ONCE, Listed, Ran};
use anchor_lang::prelude::Pubkey;
use serde::Deserialize;
use serde_json::{Value, json};
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use std::thread;

/// How many transactions are asked for at once.
const ASKED_AT_ONCE: usize = 4;

#[derive(Deserialize)]
struct WireListed {
    signature: Text<Signature>,
    slot: u64,
    #[serde(default)]
    err: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireExecuted {
    slot: u64,
    block_time: Option<i64>,
    transaction: WireTransaction,
    meta: Option<WireMeta>,
}

#[derive(Deserialize)]
struct WireTransaction {
    signatures: Vec<Text<Signature>>,
    message: WireMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMessage {
    account_keys: Vec<Text<Pubkey>>,
    instructions: Vec<WireInstruction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireInstruction {
    program_id_index: usize,
    accounts: Vec<usize>,
    data: Base58,
    stack_height: Option<usize>,
}

/// Bytes in base58.
struct Base58(Vec<u8>);

impl<'de> Deserialize<'de> for Base58 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        bs58::decode(text).into_vec().map(Self).map_err(|_| serde::de::Error::custom("it is not in base58"))
    }
}

#[derive(Deserialize)]
struct WireInner {
    index: usize,
    instructions: Vec<WireInstruction>,
}

#[derive(Default, Deserialize)]
struct WireLoaded {
    writable: Vec<Text<Pubkey>>,
    readonly: Vec<Text<Pubkey>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMeta {
    #[serde(default)]
    err: Value,
    log_messages: Option<Vec<String>>,
    inner_instructions: Option<Vec<WireInner>>,
    loaded_addresses: Option<WireLoaded>,
    #[serde(default)]
    pre_balances: Vec<u64>,
    #[serde(default)]
    post_balances: Vec<u64>,
}

impl WireExecuted {
    /// What it says, if it makes sense in itself.
    fn read(self) -> Option<Executed> {
        let signature = self.transaction.signatures.first()?.0;
        let message = self.transaction.message;
        // Without this a node says nothing of what the transaction did.
        let meta = self.meta?;
        let mut keys: Vec<Pubkey> = message.account_keys.into_iter().map(|key| key.0).collect();
        // Of a table: those that are written first.
        let loaded = meta.loaded_addresses.unwrap_or_default();
        keys.extend(loaded.writable.into_iter().chain(loaded.readonly).map(|key| key.0));
        let ran = |instruction: WireInstruction, depth| {
            let key = |place: usize| keys.get(place).copied();
            Some(Ran {
                program: key(instruction.program_id_index)?,
                accounts: instruction.accounts.into_iter().map(key).collect::<Option<_>>()?,
                data: instruction.data.0,
                depth,
            })
        };
        let calls_are_known = meta.inner_instructions.is_some();
        let mut inner = meta.inner_instructions.unwrap_or_default();
        let mut instructions = Vec::new();
        for (place, instruction) in message.instructions.into_iter().enumerate() {
            instructions.push(ran(instruction, 1)?);
            for of in inner.iter_mut().filter(|of| of.index == place) {
                for called in of.instructions.drain(..) {
                    // Nodes of old do not tell the depth: all that is called is below.
                    let depth = called.stack_height.unwrap_or(2);
                    instructions.push(ran(called, depth)?);
                }
            }
        }
        if inner.iter().any(|of| !of.instructions.is_empty()) {
            return None;
        }
        let balances = meta.pre_balances.iter().zip(&meta.post_balances);
        let closed = keys.iter().zip(balances).filter(|(_, (before, after))| **before > 0 && **after == 0);
        Some(Executed {
            signature,
            slot: self.slot,
            time: self.block_time,
            is_failed: wire::error_of(&meta.err).is_some(),
            closed: closed.map(|(key, _)| *key).collect(),
            logs: meta.log_messages,
            instructions,
            calls_are_known,
        })
    }
}

impl History for RpcCluster {
    fn genesis(&self) -> Result<Hash, ClusterError> {
        self.genesis_hash()
    }

    fn signatures(
        &self,
        before: Option<&Signature>,
        until: Option<&Signature>,
        most: usize,
    ) -> Result<Vec<Listed>, ClusterError> {
        let mut config = json!({ "commitment": "finalized", "limit": most.clamp(1, LISTED_AT_ONCE) });
        for (name, signature) in [("before", before), ("until", until)] {
            if let Some(signature) = signature {
                config[name] = signature.to_string().into();
            }
        }
        let parameters = json!([backstop::ID.to_string(), config]);
        let listed: Vec<WireListed> = self.transport.ask(Kind::List, "getSignaturesForAddress", parameters)?;
        let read = |listed: WireListed| Listed {
            signature: listed.signature.0,
            slot: listed.slot,
            is_failed: !listed.err.is_null(),
        };
        Ok(listed.into_iter().map(read).collect())
    }

    fn transaction(&self, signature: &Signature) -> Result<Option<Executed>, ClusterError> {
        const METHOD: &str = "getTransaction";
        // As JSON: it is the same for every version of transactions, 0 and 1 and those before.
        let config = json!({ "encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 1 });
        let found: Option<WireExecuted> =
            self.transport.ask(Kind::List, METHOD, json!([signature.to_string(), config]))?;
        let unreadable = || Silence::unreadable(self.host(), METHOD).into();
        found.map(|found| found.read().ok_or_else(unreadable)).transpose()
    }

    fn transactions(&self, signatures: &[Signature]) -> Result<Vec<Option<Executed>>, ClusterError> {
        let mut found = Vec::with_capacity(signatures.len());
        for some in signatures.chunks(ASKED_AT_ONCE) {
            let answers: Vec<_> = thread::scope(|scope| {
                let asked: Vec<_> = some.iter().map(|one| scope.spawn(move || self.transaction(one))).collect();
                asked.into_iter().map(thread::ScopedJoinHandle::join).collect()
            });
            for answer in answers {
                // A thread that ended without an answer has none.
                let answer = answer.unwrap_or_else(|_| Err(Silence::unreadable(self.host(), "getTransaction").into()));
                found.push(answer?);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: Value) -> Option<Executed> {
        serde_json::from_value::<WireExecuted>(text).ok()?.read()
    }

    /// A transaction with a table and a call, as a node writes it.
    fn written(version: Value) -> Value {
        let key = |byte: u8| Pubkey::new_from_array([byte; 32]).to_string();
        json!({
            "slot": 7, "blockTime": 1_700_000_000, "version": version,
            "transaction": {
                "signatures": [Signature::from([1; 64]).to_string()],
                "message": {
                    "accountKeys": [key(1), key(2)], "header": {}, "recentBlockhash": key(9),
                    "instructions": [{ "programIdIndex": 1, "accounts": [0, 3, 2], "data": "2VfUX", "stackHeight": 1 }],
                },
            },
            "meta": {
                "err": null, "logMessages": ["one"], "preBalances": [5, 1, 2, 3], "postBalances": [4, 1, 2, 0],
                "loadedAddresses": { "writable": [key(3)], "readonly": [key(4)] },
                "innerInstructions": [
                    { "index": 0, "instructions": [{ "programIdIndex": 3, "accounts": [2], "data": "", "stackHeight": 3 }] },
                ],
            },
        })
    }

    #[test]
    fn transactions_of_every_version_are_read_alike() {
        let key = |byte: u8| Pubkey::new_from_array([byte; 32]);
        let all =
            ["legacy".into(), 0.into(), 1.into()].map(|version: Value| read(written(version)).expect("it is one"));
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
        let [one, ..] = all;
        assert_eq!((one.slot, one.time, one.is_failed, one.calls_are_known), (7, Some(1_700_000_000), false, true));
        assert_eq!(one.closed, [key(4)]);
        let called = Ran { program: key(4), accounts: vec![key(3)], data: vec![], depth: 3 };
        let own = Ran { program: key(2), accounts: vec![key(1), key(4), key(3)], data: vec![1, 2, 3, 4], depth: 1 };
        assert_eq!(one.instructions, [own, called]);
    }

    #[test]
    fn what_makes_no_sense_is_not_read() {
        let spoilt = |spoil: &dyn Fn(&mut Value)| {
            let mut text = written(json!(0));
            spoil(&mut text);
            read(text)
        };
        assert!(spoilt(&|_| {}).is_some());
        assert!(spoilt(&|text| text["meta"] = Value::Null).is_none());
        assert!(spoilt(&|text| text["transaction"]["signatures"] = json!([])).is_none());
        assert!(spoilt(&|text| text["transaction"]["message"]["instructions"][0]["accounts"] = json!([4])).is_none());
        assert!(spoilt(&|text| text["meta"]["innerInstructions"][0]["index"] = json!(1)).is_none());
        assert!(spoilt(&|text| text["meta"]["innerInstructions"][0]["instructions"][0]["data"] = json!("0")).is_none());
        let failed = spoilt(&|text| text["meta"]["err"] = json!("AnErrorOfTheFuture")).expect("it is one");
        assert!(failed.is_failed);
        let bare = spoilt(&|text| text["meta"]["innerInstructions"] = Value::Null).expect("it is one");
        assert!(!bare.calls_are_known);
    }
}
