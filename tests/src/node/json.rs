//! Parameters in, JSON out.

use anchor_lang::prelude::Pubkey;
use backstop_client::history::Executed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use solana_sdk::account::Account;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};
use std::str::FromStr;

/// Most bytes of a transaction.
const MOST_BYTES: usize = 1_232;

/// An answer, or the error object of the protocol.
pub type Answer = Result<Value, Value>;

/// The header of every answer.
pub fn header() -> tiny_http::Header {
    "Content-Type: application/json".parse().expect("it is a header")
}

/// An error of the protocol.
pub fn error(code: i64, message: impl Into<String>) -> Value {
    json!({ "code": code, "message": message.into() })
}

/// The error of a parameter that is not as it should be.
pub fn invalid(what: &str) -> Value {
    error(-32602, format!("Invalid params: {what}"))
}

/// A parameter that is a text of some type.
pub fn parse<T: FromStr>(value: &Value) -> Result<T, Value> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| invalid(&format!("{value} cannot be read")))
}

/// A parameter that is a list of texts of some type.
pub fn parse_all<T: FromStr>(value: &Value, most: usize) -> Result<Vec<T>, Value> {
    let list = value.as_array().ok_or_else(|| invalid("expected a list"))?;
    if list.len() > most {
        return Err(invalid(&format!("{} items, at most {most} are allowed", list.len())));
    }
    list.iter().map(parse).collect()
}

/// A transaction as it is sent.
pub fn transaction(parameters: &Value) -> Result<VersionedTransaction, Value> {
    let text = parameters[0].as_str().ok_or_else(|| invalid("expected a transaction"))?;
    let bytes = match parameters[1]["encoding"].as_str() {
        Some("base64") => BASE64.decode(text).ok(),
        _ => bs58::decode(text).into_vec().ok(),
    };
    let bytes = bytes.ok_or_else(|| invalid("the transaction's encoding cannot be read"))?;
    if bytes.len() > MOST_BYTES {
        let message = format!("decoded transaction too large: {} bytes (max: {MOST_BYTES} bytes)", bytes.len());
        return Err(error(-32602, message));
    }
    bincode::deserialize(&bytes).map_err(|why| error(-32602, format!("failed to deserialize transaction: {why}")))
}

/// An account, its data in base64.
pub fn account(account: &Account) -> Value {
    json!({
        "lamports": account.lamports,
        "data": [BASE64.encode(&account.data), "base64"],
        "owner": account.owner.to_string(),
        "executable": account.executable,
        "rentEpoch": account.rent_epoch,
        "space": account.data.len(),
    })
}

/// An account with its address.
pub fn keyed((address, data): (Pubkey, Account)) -> Value {
    json!({ "pubkey": address.to_string(), "account": account(&data) })
}

/// Why a transaction failed, as nodes write it.
pub fn failure(error: &TransactionError) -> Value {
    serde_json::to_value(error).expect("an error can be written")
}

/// Whether an account's data pass a filter: a comparison with bytes at an offset, or a length.
pub fn passes(filter: &Value, data: &[u8]) -> Result<bool, Value> {
    if let Some(length) = filter["dataSize"].as_u64() {
        return Ok(data.len() as u64 == length);
    }
    let memcmp = &filter["memcmp"];
    let start = memcmp["offset"].as_u64().ok_or_else(|| invalid("a filter without offset"))? as usize;
    let bytes = match (&memcmp["bytes"], memcmp["encoding"].as_str()) {
        (Value::String(text), Some("base64")) => BASE64.decode(text).ok(),
        (Value::String(text), _) => bs58::decode(text).into_vec().ok(),
        (list, _) => serde_json::from_value(list.clone()).ok(),
    };
    let bytes: Vec<u8> = bytes.ok_or_else(|| invalid("a filter without bytes"))?;
    Ok(data.get(start..start + bytes.len()) == Some(&bytes[..]))
}

/// A transaction that was executed.
pub fn executed(executed: &Executed) -> Value {
    let mut keys: Vec<Pubkey> = Vec::new();
    let mut place = |key: &Pubkey| {
        keys.iter().position(|known| known == key).unwrap_or_else(|| {
            keys.push(*key);
            keys.len() - 1
        })
    };
    let (mut outer, mut inner) = (Vec::new(), Vec::new());
    for ran in &executed.instructions {
        let instruction = json!({
            "programIdIndex": place(&ran.program),
            "accounts": ran.accounts.iter().map(&mut place).collect::<Vec<usize>>(),
            "data": bs58::encode(&ran.data).into_string(),
            "stackHeight": ran.depth,
        });
        if ran.depth == 1 {
            outer.push(instruction);
            inner.push(Vec::new());
        } else {
            inner.last_mut().expect("somebody called it").push(instruction);
        }
    }
    let inner: Vec<Value> = inner
        .into_iter()
        .enumerate()
        .filter(|(_, called)| !called.is_empty())
        .map(|(index, called)| json!({ "index": index, "instructions": called }))
        .collect();
    let after = |key: &Pubkey| u64::from(!executed.closed.contains(key));
    // The last address comes from a table, as it may in version 0.
    let own = keys.len().saturating_sub(1);
    let text = |keys: &[Pubkey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "slot": executed.slot,
        "blockTime": executed.time,
        "version": 1,
        "transaction": {
            "signatures": [executed.signature.to_string()],
            "message": {
                "header": {},
                "accountKeys": text(&keys[..own]),
                "recentBlockhash": Pubkey::default().to_string(),
                "instructions": outer,
            },
        },
        "meta": {
            "err": executed.is_failed.then(|| json!({ "InstructionError": [0, { "Custom": 1 }] })),
            "logMessages": executed.logs,
            "innerInstructions": inner,
            "loadedAddresses": { "writable": [], "readonly": text(&keys[own..]) },
            "preBalances": vec![1; keys.len()],
            "postBalances": keys.iter().map(after).collect::<Vec<u64>>(),
        },
    })
}
