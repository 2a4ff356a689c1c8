//! A cluster behind JSON-RPC.

use super::{Blockhash, Cluster, ClusterError, Outcome, Receipt};
use anchor_lang::prelude::Pubkey;
use base64::Engine;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::rpc_client::{RpcClient, SerializableTransaction};
use solana_rpc_client_api::client_error::{Error as RpcFailure, ErrorKind};
use solana_rpc_client_api::config::{
    RpcAccountInfoConfig, RpcProgramAccountsConfig, RpcSendTransactionConfig, RpcSimulateTransactionConfig,
};
use solana_rpc_client_api::filter::{Memcmp, RpcFilterType};
use solana_rpc_client_api::request::{RpcError, RpcRequest};
use solana_rpc_client_api::response::{Response, RpcKeyedAccount};
use solana_sdk::account::Account;
use solana_sdk::clock::Clock;
use solana_sdk::signature::Signature;
use solana_sdk::sysvar;
use solana_sdk::transaction::VersionedTransaction;
use std::time::Duration;

/// Most accounts that a node reads at once.
const ACCOUNTS_AT_ONCE: usize = 100;
/// Most signatures that a node answers for at once.
const SIGNATURES_AT_ONCE: usize = 256;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of what others lately paid for priority: the share that paid less, in percent.
const PRIORITY_PERCENTILE: usize = 75;
/// A node's error code for "ask me later".
const NODE_IS_BEHIND: i64 = -32005;

/// A node of a cluster.
pub struct RpcCluster {
    client: RpcClient,
}

impl RpcCluster {
    /// A node by its URL. Nothing is sent yet.
    pub fn new(url: &str, commitment: CommitmentConfig) -> Self {
        Self { client: RpcClient::new_with_timeout_and_commitment(url, TIMEOUT, commitment) }
    }

    /// The node's URL.
    pub fn url(&self) -> String {
        self.client.url()
    }

    fn failure(&self, failure: RpcFailure) -> ClusterError {
        match *failure.kind {
            ErrorKind::TransactionError(error) => ClusterError::Failed { error, logs: Vec::new() },
            ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) if code != NODE_IS_BEHIND => {
                ClusterError::Refused(format!("{} refuses the request: {message} ({code})", self.client.url()))
            }
            ErrorKind::RpcError(RpcError::RpcResponseError { message, .. }) => {
                ClusterError::Unreachable(format!("{} cannot answer now: {message}", self.client.url()))
            }
            ErrorKind::Reqwest(why) => {
                ClusterError::Unreachable(format!("{} does not answer: {}", self.client.url(), innermost(&why)))
            }
            other => ClusterError::Unreachable(format!("{} cannot be read: {other}", self.client.url())),
        }
    }

    fn ask<T>(&self, answer: Result<T, RpcFailure>) -> Result<T, ClusterError> {
        answer.map_err(|why| self.failure(why))
    }

    fn decode(&self, address: Pubkey, account: &UiAccount) -> Result<(Pubkey, Account), ClusterError> {
        let unreadable = || ClusterError::Unreachable(format!("{} sent an unreadable account", self.client.url()));
        Ok((address, account.to_account().ok_or_else(unreadable)?))
    }
}

/// The last reason in a chain of them, which is the one that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

fn account_config(commitment: CommitmentConfig) -> RpcAccountInfoConfig {
    RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::Base64),
        commitment: Some(commitment),
        ..RpcAccountInfoConfig::default()
    }
}

impl Cluster for RpcCluster {
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        // As one of many: asked for one alone, the client says that it is missing when nobody answers.
        Ok(self.accounts(std::slice::from_ref(address))?.remove(0))
    }

    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        let mut found = Vec::with_capacity(addresses.len());
        for some in addresses.chunks(ACCOUNTS_AT_ONCE) {
            found.extend(self.ask(self.client.get_multiple_accounts(some))?);
        }
        Ok(found)
    }

    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let holds = |offset, bytes: &[u8]| RpcFilterType::Memcmp(Memcmp::new_raw_bytes(offset, bytes.to_vec()));
        let key = filter.map(|(offset, key)| holds(tag.len() + offset, key.as_ref()));
        let config = RpcProgramAccountsConfig {
            // Without a tag and a key all accounts are asked for.
            filters: Some((!tag.is_empty()).then(|| holds(0, tag)).into_iter().chain(key).collect()),
            account_config: account_config(self.client.commitment()),
            ..RpcProgramAccountsConfig::default()
        };
        let accounts = self.ask(self.client.get_program_ui_accounts_with_config(&backstop::ID, config))?;
        accounts.iter().map(|(address, account)| self.decode(*address, account)).collect()
    }

    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let parameters = serde_json::json!([
            owner.to_string(),
            { "programId": token_program.to_string() },
            account_config(self.client.commitment()),
        ]);
        let answer = self.client.send(RpcRequest::GetTokenAccountsByOwner, parameters);
        let accounts: Response<Vec<RpcKeyedAccount>> = self.ask(answer)?;
        let accounts = accounts.value.iter().filter_map(|keyed| Some((keyed.pubkey.parse().ok()?, &keyed.account)));
        accounts.map(|(address, account)| self.decode(address, account)).collect()
    }

    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        let holder_of = |mint: &Pubkey| {
            let commitment = self.client.commitment();
            match self.ask(self.client.get_token_largest_accounts_with_commitment(mint, commitment)) {
                Ok(largest) => {
                    let holder = largest.value.into_iter().find(|balance| balance.amount.amount == "1");
                    Ok(holder.and_then(|balance| balance.address.parse().ok()))
                }
                // The mint is gone.
                Err(ClusterError::Refused(_)) => Ok(None),
                Err(why) => Err(why),
            }
        };
        mints.iter().map(holder_of).collect()
    }

    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        let answer = self.client.get_latest_blockhash_with_commitment(self.client.commitment());
        let (hash, last_valid_block_height) = self.ask(answer)?;
        Ok(Blockhash { hash, last_valid_block_height })
    }

    fn block_height(&self) -> Result<u64, ClusterError> {
        self.ask(self.client.get_block_height())
    }

    fn slot(&self) -> Result<u64, ClusterError> {
        self.ask(self.client.get_slot())
    }

    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            commitment: Some(self.client.commitment()),
            ..RpcSimulateTransactionConfig::default()
        };
        let simulated = self.ask(self.client.simulate_transaction_with_config(transaction, config))?.value;
        let logs = simulated.logs.unwrap_or_default();
        if let Some(error) = simulated.err {
            return Err(ClusterError::Failed { error: error.into(), logs });
        }
        let returned = simulated.return_data.map(|data| data.data.0).unwrap_or_default();
        Ok(Receipt {
            signature: *transaction.get_signature(),
            compute_units: simulated.units_consumed.unwrap_or_default(),
            logs,
            return_data: base64::engine::general_purpose::STANDARD.decode(returned).unwrap_or_default(),
        })
    }

    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        // Whoever calls has simulated, and repeats until it is confirmed or expired.
        let config = RpcSendTransactionConfig {
            skip_preflight: true,
            preflight_commitment: Some(self.client.commitment().commitment),
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        };
        self.ask(self.client.send_transaction_with_config(transaction, config)).map(|_| ())
    }

    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        let mut outcomes = Vec::with_capacity(signatures.len());
        for some in signatures.chunks(SIGNATURES_AT_ONCE) {
            let statuses = self.ask(self.client.get_signature_statuses(some))?.value;
            outcomes.extend(some.iter().zip(statuses).map(|(signature, status)| {
                let status = status.filter(|status| status.satisfies_commitment(self.client.commitment()))?;
                Some(match status.err {
                    Some(error) => Err(ClusterError::Failed { error, logs: Vec::new() }),
                    None => Ok(Receipt { signature: *signature, ..Receipt::default() }),
                })
            }));
        }
        Ok(outcomes)
    }

    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        let most = &writable[..writable.len().min(128)];
        let mut paid: Vec<u64> = self
            .ask(self.client.get_recent_prioritization_fees(most))?
            .iter()
            .map(|slot| slot.prioritization_fee)
            .collect();
        paid.sort_unstable();
        Ok(paid.get(paid.len() * PRIORITY_PERCENTILE / 100).copied().unwrap_or_default())
    }

    fn now(&self) -> Result<i64, ClusterError> {
        // The clock that programs read, not this machine's.
        let account = self.account(&sysvar::clock::ID)?;
        let clock = account.and_then(|account| bincode::deserialize::<Clock>(&account.data).ok());
        let unreadable = || ClusterError::Unreachable(format!("{} has no clock", self.client.url()));
        clock.map(|clock| clock.unix_timestamp).ok_or_else(unreadable)
    }

    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.ask(self.client.get_minimum_balance_for_rent_exemption(length))
    }
}
