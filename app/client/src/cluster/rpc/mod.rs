//! A cluster behind JSON-RPC.

mod address;
mod history;
mod transport;
mod wire;

pub use address::is_local;
pub use transport::{Limits, Watcher};

use super::{Blockhash, Cluster, ClusterError, Outcome, Reason, Receipt, Refusal, Silence};
use crate::token::TokenAccount;
use anchor_lang::prelude::Pubkey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::account::Account;
use solana_sdk::clock::Clock;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::sysvar;
use solana_sdk::transaction::VersionedTransaction;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use transport::{Kind, Transport};
use wire::{At, EpochInfo, Holding, Keyed, Landed, PaidFee, Simulated, Status, Text, WireAccount, WireBlockhash};

/// Most accounts that a node reads at once. Providers allow fewer.
const ACCOUNTS_AT_ONCE: usize = 100;
/// Most signatures that a node answers for at once.
const SIGNATURES_AT_ONCE: usize = 256;
/// Most accounts whose fees a node looks at.
const FEE_ACCOUNTS: usize = 128;
/// Of what others lately paid for priority: the share that paid less, in percent.
const PRIORITY_PERCENTILE: usize = 75;
/// For so many blocks after the end of a blockhash a node surely still knows, without a history, what was executed with
/// it: it remembers 300, and a blockhash lives 150.
const REMEMBERED: u64 = 100;

/// A node of a cluster.
pub struct RpcCluster {
    transport: Transport,
    commitment: CommitmentConfig,
    /// Accounts that this node takes at once, as far as is known.
    accounts_at_once: AtomicUsize,
    /// Signatures that this node takes at once, as far as is known.
    signatures_at_once: AtomicUsize,
    /// Whether this node lists a mint's accounts, and does not say which is the largest.
    lists_instead: AtomicBool,
}

impl RpcCluster {
    /// A node by its URL. Nothing is sent yet.
    pub fn new(url: &str, commitment: CommitmentConfig) -> Self {
        Self {
            transport: Transport::new(url),
            commitment,
            accounts_at_once: AtomicUsize::new(ACCOUNTS_AT_ONCE),
            signatures_at_once: AtomicUsize::new(SIGNATURES_AT_ONCE),
            lists_instead: AtomicBool::new(false),
        }
    }

    /// With other limits of patience.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.transport.limits = limits;
        self
    }

    /// Tells somebody whenever an answer takes long.
    pub fn watched_by(mut self, watcher: Watcher) -> Self {
        self.transport.watcher = Some(watcher);
        self
    }

    /// Stops waiting when the flag is set: a request under way gets a second more, and none is repeated.
    pub fn stopped_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.transport.stop = Some(flag);
        self
    }

    /// The node's URL. It may hold a key: show [`Self::host`] instead.
    pub fn url(&self) -> &str {
        self.transport.url()
    }

    /// The node's scheme and host: what may be shown of its URL.
    pub fn host(&self) -> &str {
        self.transport.host()
    }

    /// How sure the cluster is of what it tells here.
    pub fn commitment(&self) -> CommitmentConfig {
        self.commitment
    }

    /// Asks the node for something that only reads, by any of its methods.
    pub fn ask<T: DeserializeOwned>(&self, method: &str, parameters: Value) -> Result<T, ClusterError> {
        self.transport.ask(Kind::Read, method, parameters)
    }

    /// Whether transactions with a blockhash can still be executed, as far as this node has executed.
    pub fn is_blockhash_good(&self, hash: &Hash) -> Result<bool, ClusterError> {
        let parameters = json!([hash.to_string(), { "commitment": "processed" }]);
        Ok(self.ask::<At<bool>>("isBlockhashValid", parameters)?.value)
    }

    fn list<T: DeserializeOwned>(&self, method: &str, parameters: Value) -> Result<T, ClusterError> {
        self.transport.ask(Kind::List, method, parameters)
    }

    fn level(&self) -> String {
        self.commitment.commitment.to_string()
    }

    fn encoding(&self) -> Value {
        json!({ "encoding": "base64", "commitment": self.level() })
    }

    /// Asks for items in batches. A batch that the node refuses is halved, and the node is not asked for more again.
    fn in_batches<I: Copy, T>(
        &self,
        size: &AtomicUsize,
        items: &[I],
        ask: impl Fn(&[I]) -> Result<Vec<T>, ClusterError>,
    ) -> Result<Vec<T>, ClusterError> {
        let begun = size.load(Ordering::Relaxed);
        let mut found = Vec::with_capacity(items.len());
        while found.len() < items.len() {
            let rest = &items[found.len()..];
            let batch = size.load(Ordering::Relaxed).clamp(1, rest.len());
            match ask(&rest[..batch]) {
                Ok(some) => found.extend(some),
                Err(why) if batch > 1 && may_be_too_many(&why) => size.store(batch / 2, Ordering::Relaxed),
                Err(why) => {
                    // It was not for their number.
                    size.store(begun, Ordering::Relaxed);
                    return Err(why);
                }
            }
        }
        Ok(found)
    }

    /// The token account of Token-2022 that holds the one unit of a mint, as the list of its token accounts says.
    fn holding(&self, mint: &Pubkey) -> Result<Option<Pubkey>, ClusterError> {
        let mut config = self.encoding();
        let bytes = BASE64.encode(mint.as_ref());
        config["filters"] = json!([{ "memcmp": { "offset": 0, "bytes": bytes, "encoding": "base64" } }]);
        let program = anchor_spl::token_2022::ID.to_string();
        let accounts: Vec<Keyed> = self.list("getProgramAccounts", json!([program, config]))?;
        let mut accounts = accounts.into_iter().map(<(Pubkey, Account)>::from);
        let holds = |account: &Account| TokenAccount::read(account).is_some_and(|account| account.amount == 1);
        Ok(accounts.find_map(|(address, account)| holds(&account).then_some(address)))
    }

    /// What the node knows of transactions, and the oldest slot as of which it said so.
    fn statuses(&self, signatures: &[Signature], search: bool) -> Result<(u64, Vec<Option<Status>>), ClusterError> {
        const METHOD: &str = "getSignatureStatuses";
        let oldest = std::cell::Cell::new(u64::MAX);
        let statuses = self.in_batches(&self.signatures_at_once, signatures, |some| {
            let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
            let parameters = json!([texts, { "searchTransactionHistory": search }]);
            let answer: At<Vec<Option<Status>>> = self.ask(METHOD, parameters)?;
            oldest.set(oldest.get().min(answer.context.slot));
            wire::in_number(self.host(), METHOD, some.len(), answer.value)
        })?;
        Ok((oldest.get(), statuses))
    }
}

/// Whether a refusal may be for the number of items that were asked for.
fn may_be_too_many(error: &ClusterError) -> bool {
    match error {
        ClusterError::Refused(refusal) => !refusal.is_of_method(),
        ClusterError::Unreachable(silence) => matches!(silence.reason, Reason::Status { .. }),
        _ => false,
    }
}

/// Whether a node may do by another method what it does not do by this: it refuses it, or allows only few of it.
fn is_of_this_way(error: &ClusterError) -> bool {
    match error {
        ClusterError::Refused(_) => true,
        ClusterError::Unreachable(silence) => matches!(silence.reason, Reason::TooMany { .. }),
        _ => false,
    }
}

impl Cluster for RpcCluster {
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        // As one of many: there is one way to read accounts.
        Ok(self.accounts(std::slice::from_ref(address))?.remove(0))
    }

    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        const METHOD: &str = "getMultipleAccounts";
        self.in_batches(&self.accounts_at_once, addresses, |some| {
            let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
            let answer: At<Vec<Option<WireAccount>>> = self.ask(METHOD, json!([texts, self.encoding()]))?;
            let accounts = wire::in_number(self.host(), METHOD, some.len(), answer.value)?;
            Ok(accounts.into_iter().map(|account| account.map(Account::from)).collect())
        })
    }

    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let holds = |offset: usize, bytes: &[u8]| json!({ "memcmp": { "offset": offset, "bytes": BASE64.encode(bytes), "encoding": "base64" } });
        let key = filter.map(|(offset, key)| holds(tag.len() + offset, key.as_ref()));
        // Without a tag and a key all accounts are asked for.
        let filters: Vec<Value> = (!tag.is_empty()).then(|| holds(0, tag)).into_iter().chain(key).collect();
        let mut config = self.encoding();
        config["filters"] = filters.into();
        let accounts: Vec<Keyed> = self.list("getProgramAccounts", json!([backstop::ID.to_string(), config]))?;
        Ok(accounts.into_iter().map(Into::into).collect())
    }

    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let program = json!({ "programId": token_program.to_string() });
        let parameters = json!([owner.to_string(), program, self.encoding()]);
        let accounts: At<Vec<Keyed>> = self.list("getTokenAccountsByOwner", parameters)?;
        Ok(accounts.value.into_iter().map(Into::into).collect())
    }

    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        let holder_of = |mint: &Pubkey| {
            if self.lists_instead.load(Ordering::Relaxed) {
                return self.holding(mint);
            }
            let parameters = json!([mint.to_string(), { "commitment": self.level() }]);
            let answer = self.ask::<At<Vec<Holding>>>("getTokenLargestAccounts", parameters);
            let why = match answer {
                Ok(largest) => {
                    return Ok(largest.value.into_iter().find(|held| held.amount == "1").map(|held| held.address.0));
                }
                // There is no such mint any more. Any other refusal says nothing about it.
                Err(ClusterError::Refused(refusal)) if refusal.code == Refusal::INVALID => return Ok(None),
                Err(why) if is_of_this_way(&why) => why,
                Err(why) => return Err(why),
            };
            // There is another way, which other nodes refuse: then the first refusal is told.
            let found = self.holding(mint).map_err(|_| why)?;
            self.lists_instead.store(true, Ordering::Relaxed);
            Ok(found)
        };
        mints.iter().map(holder_of).collect()
    }

    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        let parameters = json!([{ "commitment": self.level() }]);
        let WireBlockhash { blockhash: Text(hash), last_valid_block_height } =
            self.ask::<At<_>>("getLatestBlockhash", parameters)?.value;
        Ok(Blockhash { hash, last_valid_block_height })
    }

    fn block_height(&self) -> Result<u64, ClusterError> {
        self.ask("getBlockHeight", json!([{ "commitment": self.level() }]))
    }

    fn slot(&self) -> Result<u64, ClusterError> {
        self.ask("getSlot", json!([{ "commitment": self.level() }]))
    }

    fn genesis_hash(&self) -> Result<Hash, ClusterError> {
        self.ask::<Text<Hash>>("getGenesisHash", json!([])).map(|Text(hash)| hash)
    }

    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        let mut config = self.encoding();
        config["sigVerify"] = false.into();
        config["replaceRecentBlockhash"] = true.into();
        let parameters = json!([encode(transaction)?, config]);
        let simulated: Simulated = self.ask::<At<_>>("simulateTransaction", parameters)?.value;
        let logs = simulated.logs.unwrap_or_default();
        if let Some(error) = wire::error_of(&simulated.err) {
            return Err(ClusterError::Failed { error, logs, signature: None });
        }
        Ok(Receipt {
            signature: *transaction.signatures.first().unwrap_or(&Signature::default()),
            compute_units: simulated.units_consumed.unwrap_or_default(),
            logs,
            return_data: simulated.return_data.map(|returned| returned.data.0).unwrap_or_default(),
        })
    }

    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        // Whoever calls has simulated, and repeats until it is confirmed or expired.
        let config = json!({
            "encoding": "base64",
            "skipPreflight": true,
            "preflightCommitment": self.level(),
            "maxRetries": 0,
        });
        let parameters = json!([encode(transaction)?, config]);
        self.transport.ask::<String>(Kind::Write, "sendTransaction", parameters).map(|_| ())
    }

    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        let (_, statuses) = self.statuses(signatures, false)?;
        let outcome = |(signature, status): (&Signature, Option<Status>)| {
            let status = status.filter(|status| status.satisfies(self.commitment))?;
            Some(match wire::error_of(&status.err) {
                Some(error) => Err(ClusterError::Failed { error, logs: Vec::new(), signature: Some(*signature) }),
                None => Ok(Receipt { signature: *signature, ..Receipt::default() }),
            })
        };
        Ok(signatures.iter().zip(statuses).map(outcome).collect())
    }

    /// Behind one URL there may be many nodes, each at another place on the chain. So a transaction counts as expired
    /// only if an answer that knows nothing of it, its history included, is of a slot at which the end of its blockhash
    /// was final already: `getEpochInfo` tells slot and height in one answer, and every other answer its own slot.
    fn expired(&self, transactions: &[(Signature, u64)]) -> Result<Vec<bool>, ClusterError> {
        let end: EpochInfo = self.ask("getEpochInfo", json!([{ "commitment": "finalized" }]))?;
        let mut expired: Vec<bool> = transactions.iter().map(|(_, last)| end.block_height > *last).collect();
        let over: Vec<usize> = (0..expired.len()).filter(|index| expired[*index]).collect();
        if over.is_empty() {
            return Ok(expired);
        }
        let signatures: Vec<Signature> = over.iter().map(|index| transactions[*index].0).collect();
        let (has_history, (slot, statuses)) = match self.statuses(&signatures, true) {
            Ok(found) => (true, found),
            // What it was executed with lately, a node knows without a history.
            Err(ClusterError::Refused(_)) => (false, self.statuses(&signatures, false)?),
            Err(why) => return Err(why),
        };
        for (index, status) in over.into_iter().zip(statuses) {
            let last = transactions[index].1;
            let is_known = has_history || end.block_height <= last.saturating_add(REMEMBERED);
            expired[index] = status.is_none() && slot >= end.absolute_slot && is_known;
        }
        Ok(expired)
    }

    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        let most: Vec<String> = writable.iter().take(FEE_ACCOUNTS).map(ToString::to_string).collect();
        let fees: Vec<PaidFee> = self.ask("getRecentPrioritizationFees", json!([most]))?;
        let mut paid: Vec<u64> = fees.iter().map(|slot| slot.prioritization_fee).collect();
        paid.sort_unstable();
        Ok(paid.get(paid.len() * PRIORITY_PERCENTILE / 100).copied().unwrap_or_default())
    }

    fn logs(&self, signature: &Signature) -> Result<Option<Vec<String>>, ClusterError> {
        // Any version: the newest that there is.
        let config = json!({ "encoding": "json", "commitment": self.level(), "maxSupportedTransactionVersion": 1 });
        let found: Option<Landed> = self.ask("getTransaction", json!([signature.to_string(), config]))?;
        Ok(found.and_then(|landed| landed.meta?.log_messages))
    }

    fn now(&self) -> Result<i64, ClusterError> {
        // The clock that programs read, not this machine's.
        let account = self.account(&sysvar::clock::ID)?;
        let clock = account.and_then(|account| bincode::deserialize::<Clock>(&account.data).ok());
        clock.map(|clock| clock.unix_timestamp).ok_or_else(|| Silence::unreadable(self.host(), "the clock").into())
    }

    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.ask("getMinimumBalanceForRentExemption", json!([length]))
    }
}

/// A transaction in base64.
fn encode(transaction: &VersionedTransaction) -> Result<String, ClusterError> {
    let bytes = bincode::serialize(transaction)
        .map_err(|why| ClusterError::Unsignable(format!("the transaction cannot be written: {why}")))?;
    Ok(BASE64.encode(bytes))
}
