//! The methods of the node.

use super::chain::Chain;
use super::json::{self, Answer, error, invalid, parse, parse_all};
use crate::World;
use anchor_lang::prelude::Pubkey;
use backstop_client::Cluster;
use backstop_client::cluster::{ClusterError, Outcome};
use backstop_client::history::History;
use backstop_sandbox::embedded::GENESIS_HASH;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use solana_sdk::account::Account;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};

/// Bytes of a token account without extensions.
const TOKEN_ACCOUNT_BYTES: usize = 165;
/// Where a mint keeps its decimals.
const DECIMALS_AT: usize = 44;

/// Answers a request.
pub fn answer(world: &World, chain: &mut Chain, method: &str, parameters: &Value) -> Answer {
    match method {
        "getHealth" => Ok(json!("ok")),
        "getVersion" => Ok(json!({ "solana-core": "4.2.2", "feature-set": 0 })),
        "getGenesisHash" => Ok(json!(GENESIS_HASH.to_string())),
        "getSlot" => Ok(json!(slot(world))),
        "getBlockHeight" => Ok(json!(if is_sure(parameters) { chain.confirmed_height() } else { chain.height() })),
        "getEpochInfo" => {
            let height = if is_sure(parameters) { chain.confirmed_height() } else { chain.height() };
            let slot = slot(world).saturating_sub(chain.height() - height);
            Ok(json!({
                "absoluteSlot": slot,
                "blockHeight": height,
                "epoch": 0,
                "slotIndex": slot,
                "slotsInEpoch": 432_000,
                "transactionCount": chain.executed(),
            }))
        }
        "getLatestBlockhash" => {
            let (hash, end) = chain.latest_blockhash(world);
            Ok(with_context(world, json!({ "blockhash": hash.to_string(), "lastValidBlockHeight": end })))
        }
        "isBlockhashValid" => Ok(with_context(world, json!(chain.is_good(&parse(&parameters[0])?)))),
        "getAccountInfo" => {
            let account = account(world, &parse(&parameters[0])?);
            Ok(with_context(world, json!(account.map(|account| json::account(&account)))))
        }
        "getMultipleAccounts" => {
            let addresses: Vec<Pubkey> = parse_all(&parameters[0], 100)?;
            let accounts = addresses.iter().map(|address| account(world, address));
            let accounts: Vec<Value> = accounts.map(|found| json!(found.as_ref().map(json::account))).collect();
            Ok(with_context(world, json!(accounts)))
        }
        // What a local cluster's clock takes: as many slots pass as that time has.
        "surfnet_timeTravel" => {
            let at = parameters[0]["absoluteTimestamp"].as_i64().ok_or_else(|| invalid("expected a time"))? / 1_000;
            let passed = at.saturating_sub(world.now()).max(0);
            world.cluster.set_time(world.now() + passed);
            world.cluster.skip_slots(u64::try_from(passed * 5 / 2).unwrap_or(0));
            Ok(json!({ "absoluteSlot": slot(world) }))
        }
        "getProgramAccounts" => program_accounts(world, parameters),
        "getTokenAccountsByOwner" => token_accounts_by_owner(world, parameters),
        "getTokenAccountBalance" => {
            let account = account(world, &parse(&parameters[0])?);
            let account = account.ok_or_else(|| invalid("could not find account"))?;
            Ok(with_context(world, token_amount(world, &account)))
        }
        "getTokenLargestAccounts" => token_largest_accounts(world, parameters),
        "getBalance" => {
            let account = account(world, &parse(&parameters[0])?);
            Ok(with_context(world, json!(account.map_or(0, |account| account.lamports))))
        }
        "getMinimumBalanceForRentExemption" => {
            let length = parameters[0].as_u64().ok_or_else(|| invalid("expected a length"))?;
            Ok(json!(world.cluster.rent(length as usize).expect("the cluster answers")))
        }
        "getRecentPrioritizationFees" => {
            let price = chain.faults.priority_price;
            Ok(json!([{ "slot": slot(world), "prioritizationFee": price }]))
        }
        "simulateTransaction" => simulate(world, chain, parameters),
        "sendTransaction" => send(world, chain, parameters),
        "getSignaturesForAddress" => signatures(world, parameters),
        "getTransaction" => transaction(world, parameters),
        "getSignatureStatuses" => statuses(world, chain, parameters),
        other => Err(error(-32601, format!("Method not found: {other}"))),
    }
}

/// Whether a commitment above "processed" is asked for.
fn is_sure(parameters: &Value) -> bool {
    parameters[0]["commitment"].as_str().is_some_and(|commitment| commitment != "processed")
}

fn slot(world: &World) -> u64 {
    world.cluster.slot().expect("the cluster answers")
}

fn account(world: &World, address: &Pubkey) -> Option<Account> {
    world.cluster.account(address).expect("the cluster answers")
}

fn with_context(world: &World, value: Value) -> Value {
    json!({ "context": { "slot": slot(world), "apiVersion": "4.2.2" }, "value": value })
}

/// The accounts of a program, in the order of their addresses, so that answers repeat.
fn accounts_of(world: &World, program: &Pubkey) -> Vec<(Pubkey, Account)> {
    let mut accounts = world.cluster.svm().get_program_accounts(program);
    accounts.retain(|(_, account)| account.lamports > 0);
    accounts.sort_unstable_by_key(|(address, _)| *address);
    accounts
}

fn program_accounts(world: &World, parameters: &Value) -> Answer {
    let no_filters = Vec::new();
    let config = &parameters[1];
    let filters = config["filters"].as_array().unwrap_or(&no_filters);
    let mut found = Vec::new();
    for (address, account) in accounts_of(world, &parse(&parameters[0])?) {
        let passed = filters.iter().map(|filter| json::passes(filter, &account.data));
        if passed.collect::<Result<Vec<_>, _>>()?.into_iter().all(|passes| passes) {
            found.push(json::keyed((address, account)));
        }
    }
    Ok(if config["withContext"] == true { with_context(world, json!(found)) } else { json!(found) })
}

fn is_token_account(account: &Account) -> bool {
    account.data.len() >= TOKEN_ACCOUNT_BYTES
}

/// The key in a token account at an offset: its mint at 0, its owner at 32.
fn key_at(account: &Account, offset: usize) -> &[u8] {
    &account.data[offset..offset + 32]
}

fn token_accounts_by_owner(world: &World, parameters: &Value) -> Answer {
    let owner: Pubkey = parse(&parameters[0])?;
    let (programs, mint) = match &parameters[1]["programId"] {
        Value::Null => (token_programs(), Some(parse::<Pubkey>(&parameters[1]["mint"])?)),
        program => (vec![parse(program)?], None),
    };
    let accounts = programs.iter().flat_map(|program| accounts_of(world, program));
    let theirs = accounts.filter(|(_, account)| {
        is_token_account(account)
            && key_at(account, 32) == owner.as_ref()
            && mint.is_none_or(|mint| key_at(account, 0) == mint.as_ref())
    });
    Ok(with_context(world, theirs.map(json::keyed).collect()))
}

fn token_programs() -> Vec<Pubkey> {
    vec![anchor_spl::token::ID, anchor_spl::token_2022::ID]
}

fn units(account: &Account) -> u64 {
    u64::from_le_bytes(account.data[64..72].try_into().expect("eight bytes"))
}

fn token_amount(world: &World, holding: &Account) -> Value {
    let mint = Pubkey::try_from(key_at(holding, 0)).expect("32 bytes");
    let decimals = account(world, &mint).map_or(0, |mint| mint.data[DECIMALS_AT]);
    let units = units(holding);
    let whole = 10u64.pow(decimals.into());
    let text = format!("{}.{:0width$}", units / whole, units % whole, width = decimals.into());
    let text = if decimals == 0 { units.to_string() } else { text };
    let number: f64 = text.parse().expect("it is a number");
    json!({ "amount": units.to_string(), "decimals": decimals, "uiAmount": number, "uiAmountString": text })
}

fn token_largest_accounts(world: &World, parameters: &Value) -> Answer {
    let mint: Pubkey = parse(&parameters[0])?;
    let mut holders: Vec<(Pubkey, Account)> = token_programs()
        .iter()
        .flat_map(|program| accounts_of(world, program))
        .filter(|(_, account)| is_token_account(account) && key_at(account, 0) == mint.as_ref())
        .collect();
    holders.sort_by_key(|(_, account)| std::cmp::Reverse(units(account)));
    let largest = holders.iter().take(20).map(|(address, account)| {
        let mut amount = token_amount(world, account);
        amount["address"] = json!(address.to_string());
        amount
    });
    Ok(with_context(world, largest.collect()))
}

fn is_signed(transaction: &VersionedTransaction) -> bool {
    let message = transaction.message.serialize();
    let keys = transaction.message.static_account_keys();
    let needed = usize::from(transaction.message.header().num_required_signatures);
    let mut signed = transaction.signatures.iter().zip(keys);
    transaction.signatures.len() == needed && signed.all(|(signature, key)| signature.verify(key.as_ref(), &message))
}

const UNSIGNED: &str = "Transaction signature verification failure";

/// Of the program alone: what was executed since the world keeps it.
fn signatures(world: &World, parameters: &Value) -> Answer {
    if parse::<Pubkey>(&parameters[0])? != backstop::ID {
        return Ok(json!([]));
    }
    let config = &parameters[1];
    let maybe = |name: &str| match &config[name] {
        Value::Null => Ok(None),
        text => parse::<Signature>(text).map(Some),
    };
    let most = config["limit"].as_u64().unwrap_or(1_000);
    if most > 1_000 {
        return Err(invalid("Invalid limit; max 1000"));
    }
    let listed = world.cluster.signatures(maybe("before")?.as_ref(), maybe("until")?.as_ref(), most as usize);
    let listed = listed.expect("the cluster answers").into_iter().map(|one| {
        json!({
            "signature": one.signature.to_string(),
            "slot": one.slot,
            "err": one.is_failed.then(|| json!({ "InstructionError": [0, { "Custom": 1 }] })),
            "memo": null,
            "blockTime": null,
            "confirmationStatus": "finalized",
        })
    });
    Ok(listed.collect())
}

/// What a transaction did, as JSON: one of version 1, and refused to whoever does not know that.
fn transaction(world: &World, parameters: &Value) -> Answer {
    if parameters[1]["maxSupportedTransactionVersion"] != 1 {
        let why = "Transaction version (1) is not supported by the requesting client. Please try the request again with \
            the following configuration parameter: \"maxSupportedTransactionVersion\": 1";
        return Err(error(-32015, why));
    }
    let found = world.cluster.transaction(&parse(&parameters[0])?).expect("the cluster answers");
    Ok(found.map_or(Value::Null, |executed| json::executed(&executed)))
}

/// What a transaction would do. Errors are part of the answer.
fn simulate(world: &World, chain: &mut Chain, parameters: &Value) -> Answer {
    let transaction = json::transaction(parameters)?;
    let config = &parameters[1];
    if config["sigVerify"] == true && !is_signed(&transaction) {
        return Err(error(-32003, UNSIGNED));
    }
    let replaces = config["replaceRecentBlockhash"] == true;
    let outcome = if replaces { world.cluster.simulate(&transaction) } else { preflight(world, chain, &transaction) };
    let mut result = simulated(&outcome);
    if replaces {
        let (hash, end) = chain.latest_blockhash(world);
        result["replacementBlockhash"] = json!({ "blockhash": hash.to_string(), "lastValidBlockHeight": end });
    }
    Ok(with_context(world, result))
}

fn preflight(world: &World, chain: &Chain, transaction: &VersionedTransaction) -> Outcome {
    if chain.is_good(transaction.message.recent_blockhash()) {
        return world.cluster.simulate(transaction);
    }
    Err(ClusterError::Failed { error: TransactionError::BlockhashNotFound, logs: Vec::new(), signature: None })
}

fn simulated(outcome: &Outcome) -> Value {
    let (failure, logs, compute_units, returned) = match outcome {
        Ok(receipt) => (Value::Null, &receipt.logs, receipt.compute_units, Some(&receipt.return_data)),
        Err(ClusterError::Failed { error, logs, .. }) => (json::failure(error), logs, 0, None),
        Err(other) => panic!("an embedded cluster does not fail by {other}"),
    };
    let returned = returned
        .filter(|data| !data.is_empty())
        .map(|data| json!({ "programId": backstop::ID.to_string(), "data": [BASE64.encode(data), "base64"] }));
    json!({ "err": failure, "logs": logs, "accounts": null, "unitsConsumed": compute_units, "returnData": returned })
}

/// Takes a transaction in. That it is taken in does not mean that it will be executed.
fn send(world: &World, chain: &mut Chain, parameters: &Value) -> Answer {
    let transaction = json::transaction(parameters)?;
    if !is_signed(&transaction) {
        return Err(error(-32003, UNSIGNED));
    }
    let signature = transaction.signatures[0];
    let is_new = chain.status(&signature).is_none();
    if parameters[1]["skipPreflight"] != true && is_new {
        let outcome = preflight(world, chain, &transaction);
        if let Err(why) = &outcome {
            let mut refusal = error(-32002, format!("Transaction simulation failed: {why}"));
            refusal["data"] = simulated(&outcome);
            return Err(refusal);
        }
    }
    chain.submit(world, &transaction);
    Ok(json!(signature.to_string()))
}

fn statuses(world: &World, chain: &mut Chain, parameters: &Value) -> Answer {
    let signatures: Vec<Signature> = parse_all(&parameters[0], 256)?;
    if parameters[1]["searchTransactionHistory"] == true && chain.faults.without_history {
        return Err(error(-32011, "Transaction history is not available from this node"));
    }
    let lag = chain.status_lag();
    let statuses = signatures.iter().map(|signature| {
        chain.status_behind(signature, lag).map(|(landed, is_confirmed)| {
            let error = landed.error.as_ref().map(json::failure);
            let status = error.as_ref().map_or(json!({ "Ok": null }), |error| json!({ "Err": error }));
            json!({
                "slot": landed.slot,
                "confirmations": if is_confirmed { Value::Null } else { json!(0) },
                "status": status,
                "err": error,
                "confirmationStatus": if is_confirmed { "finalized" } else { "processed" },
            })
        })
    });
    let statuses: Vec<Option<Value>> = statuses.collect();
    let mut answer = with_context(world, json!(statuses));
    answer["context"]["slot"] = json!(slot(world).saturating_sub(lag));
    if parameters[1]["searchTransactionHistory"] != true {
        chain.pass(world, chain.faults.blocks_per_look);
    }
    Ok(answer)
}
