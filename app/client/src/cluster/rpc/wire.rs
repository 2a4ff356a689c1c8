//! What is read of a node's answers.

use crate::cluster::{ClusterError, Silence};
use anchor_lang::prelude::Pubkey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_sdk::account::Account;
use solana_sdk::instruction::InstructionError;
use solana_sdk::transaction::TransactionError;

/// An answer, and the slot as of which it holds.
#[derive(Deserialize)]
pub struct At<T> {
    pub context: Context,
    pub value: T,
}

/// Where on the chain an answer was given.
#[derive(Deserialize)]
pub struct Context {
    pub slot: u64,
}

/// A text that stands for something.
pub struct Text<T>(pub T);

impl<'de, T: std::str::FromStr> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom("it cannot be read"))
    }
}

/// Bytes in base64, as nodes write them: the text and the encoding's name.
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (text, encoding) = <(String, String)>::deserialize(deserializer)?;
        let bytes = (encoding == "base64").then(|| BASE64.decode(text).ok()).flatten();
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("it is not in base64"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WireAccount {
    lamports: u64,
    data: Bytes,
    owner: Text<Pubkey>,
    executable: bool,
    /// Rounded by whatever stands between that knows no whole numbers of this size: it means "never" all the same.
    #[serde(default)]
    rent_epoch: Value,
}

impl From<WireAccount> for Account {
    fn from(account: WireAccount) -> Self {
        let WireAccount { lamports, data, owner, executable, rent_epoch } = account;
        Self { lamports, data: data.0, owner: owner.0, executable, rent_epoch: rent_epoch.as_u64().unwrap_or(u64::MAX) }
    }
}

#[derive(Deserialize)]
pub struct Keyed {
    pub pubkey: Text<Pubkey>,
    pub account: WireAccount,
}

impl From<Keyed> for (Pubkey, Account) {
    fn from(keyed: Keyed) -> Self {
        (keyed.pubkey.0, keyed.account.into())
    }
}

#[derive(Deserialize)]
pub struct Holding {
    pub address: Text<Pubkey>,
    pub amount: String,
}

/// A transaction that was executed.
#[derive(Deserialize)]
pub struct Landed {
    pub meta: Option<LandedMeta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LandedMeta {
    pub log_messages: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WireBlockhash {
    pub blockhash: Text<solana_sdk::hash::Hash>,
    pub last_valid_block_height: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochInfo {
    pub absolute_slot: u64,
    pub block_height: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaidFee {
    pub prioritization_fee: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulated {
    #[serde(default)]
    pub err: Value,
    pub logs: Option<Vec<String>>,
    pub units_consumed: Option<u64>,
    pub return_data: Option<Returned>,
}

#[derive(Deserialize)]
pub struct Returned {
    pub data: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    confirmations: Option<u64>,
    #[serde(default)]
    pub err: Value,
    confirmation_status: Option<String>,
}

impl Status {
    /// Whether the cluster is as sure of it as is asked for.
    pub fn satisfies(&self, commitment: CommitmentConfig) -> bool {
        let level = match self.confirmation_status.as_deref() {
            Some("finalized") => 2,
            Some("confirmed") => 1,
            Some(_) => 0,
            // Nodes of old say only how many blocks came after it, and of what is final nothing.
            None if self.confirmations.is_none() => 2,
            None => 0,
        };
        level
            >= match commitment.commitment {
                CommitmentLevel::Processed => 0,
                CommitmentLevel::Confirmed => 1,
                CommitmentLevel::Finalized => 2,
            }
    }
}

/// A transaction's error, if there is one. One that this client does not know is an instruction's, of no number.
pub fn error_of(value: &Value) -> Option<TransactionError> {
    const OF_NO_NUMBER: u8 = u8::MAX;
    if value.is_null() {
        return None;
    }
    let known = || serde_json::from_value::<TransactionError>(value.clone()).ok();
    let instruction = || {
        let (index, why) = serde_json::from_value::<(u8, Value)>(value.get("InstructionError")?.clone()).ok()?;
        // Nodes of old give this one a text.
        let why = if why.get("BorshIoError").is_some() {
            InstructionError::BorshIoError
        } else {
            InstructionError::GenericError
        };
        Some(TransactionError::InstructionError(index, why))
    };
    let unknown = TransactionError::InstructionError(OF_NO_NUMBER, InstructionError::GenericError);
    Some(known().or_else(instruction).unwrap_or(unknown))
}

/// The failure of a transaction that the data of an error of the protocol tells.
pub fn failure_in(data: &Value) -> Option<ClusterError> {
    let error = error_of(data.get("err")?)?;
    let logs = serde_json::from_value::<Option<Vec<String>>>(data["logs"].clone()).ok().flatten();
    Some(ClusterError::Failed { error, logs: logs.unwrap_or_default(), signature: None })
}

/// The accounts of an answer, as many as were asked for.
pub fn in_number<T>(host: &str, method: &str, asked: usize, values: Vec<T>) -> Result<Vec<T>, ClusterError> {
    if values.len() == asked { Ok(values) } else { Err(Silence::unreadable(host, method).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_are_read_as_nodes_write_them() {
        let custom = TransactionError::InstructionError(2, InstructionError::Custom(6_025));
        for (written, read) in [
            (json!({ "InstructionError": [2, { "Custom": 6_025 }] }), custom.clone()),
            (json!("BlockhashNotFound"), TransactionError::BlockhashNotFound),
            (
                json!({ "InstructionError": [1, { "BorshIoError": "Unknown" }] }),
                TransactionError::InstructionError(1, InstructionError::BorshIoError),
            ),
            (
                json!({ "InstructionError": [1, "AnErrorOfTheFuture"] }),
                TransactionError::InstructionError(1, InstructionError::GenericError),
            ),
            (json!("AnErrorOfTheFuture"), TransactionError::InstructionError(255, InstructionError::GenericError)),
        ] {
            assert_eq!(error_of(&written), Some(read), "{written}");
        }
        assert_eq!(error_of(&serde_json::to_value(&custom).expect("it can be written")), Some(custom));
        assert_eq!(error_of(&Value::Null), None);
    }

    #[test]
    fn what_is_final_is_confirmed_and_what_is_processed_is_not() {
        let status = |text: Value| serde_json::from_value::<Status>(text).expect("a status");
        let levels = [CommitmentConfig::processed(), CommitmentConfig::confirmed(), CommitmentConfig::finalized()];
        for (written, satisfied) in [
            (json!({ "confirmations": 0, "confirmationStatus": "processed" }), [true, false, false]),
            (json!({ "confirmations": 1, "confirmationStatus": "confirmed" }), [true, true, false]),
            (json!({ "confirmations": null, "confirmationStatus": "finalized" }), [true, true, true]),
            (json!({ "confirmations": null }), [true, true, true]),
            (json!({ "confirmations": 3 }), [true, false, false]),
        ] {
            assert_eq!(levels.map(|level| status(written.clone()).satisfies(level)), satisfied, "{written}");
        }
    }
}
