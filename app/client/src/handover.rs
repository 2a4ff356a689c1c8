//! Transactions that are signed elsewhere: by a multisig, by a DAO, by a key that never touches this machine.
//!
//! A transaction lives as long as its blockhash, about a minute: who takes longer is handed the instructions, of which
//! Squads and Realms make transactions of their own when the votes are there. [`Handover`] is what can be handed out,
//! [`Returned`] what comes back.

use crate::cluster::ClusterError;
use crate::deployment::committed_idl;
use crate::transaction::Prepared;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, AnchorSerialize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::bs58;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;

/// Lamports of a signature.
pub const SIGNATURE_FEE: u64 = 5_000;
/// Compute units that an instruction may take if the transaction does not say.
const USUAL_LIMIT: u64 = 200_000;

/// A transaction in every form that others take.
#[derive(Clone, Debug, Serialize)]
pub struct Handover {
    /// The transaction with the signatures that are there; those that are missing are zeros. Base64.
    pub transaction: String,
    /// The same in base58.
    pub transaction_base58: String,
    /// What is signed, in base64.
    pub message: String,
    /// The same in base58.
    pub message_base58: String,
    /// The message of the instructions alone, without compute budget, in base58: Squads' transaction builder imports it.
    pub squads: String,
    /// Its blockhash.
    pub blockhash: String,
    /// The last block height at which it can be executed.
    pub last_valid_block_height: u64,
    /// Who must sign, the one who pays first.
    pub signers: Vec<Required>,
    /// What it does, instruction by instruction, without compute budget.
    pub instructions: Vec<Listed>,
}

/// Somebody who must sign.
#[derive(Clone, Debug, Serialize)]
pub struct Required {
    /// Who.
    pub address: String,
    /// Their signature, if it is there.
    pub signature: Option<String>,
}

/// An instruction, for whoever builds a transaction of it.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The program.
    pub program_id: String,
    /// The accounts, in order.
    pub accounts: Vec<ListedAccount>,
    /// The data in base58.
    pub data_base58: String,
    /// The data in base64.
    pub data_base64: String,
    /// The whole instruction as SPL Governance stores it, in base64: Realms takes it as a custom instruction.
    pub realms: String,
}

/// An account of an instruction.
#[derive(Clone, Debug, Serialize)]
pub struct ListedAccount {
    /// Where.
    pub pubkey: String,
    /// Whether it signs.
    pub is_signer: bool,
    /// Whether it is written.
    pub is_writable: bool,
}

/// An instruction as SPL Governance stores it.
#[derive(AnchorSerialize)]
struct Stored {
    program_id: Pubkey,
    accounts: Vec<StoredAccount>,
    data: Vec<u8>,
}

#[derive(AnchorSerialize)]
struct StoredAccount {
    pubkey: Pubkey,
    is_signer: bool,
    is_writable: bool,
}

impl Listed {
    /// An instruction in every form.
    pub fn new(instruction: &Instruction) -> Self {
        let Instruction { program_id, accounts, data } = instruction;
        let stored = accounts.iter().map(|meta| StoredAccount {
            pubkey: meta.pubkey,
            is_signer: meta.is_signer,
            is_writable: meta.is_writable,
        });
        let stored = Stored { program_id: *program_id, accounts: stored.collect(), data: data.clone() };
        let mut bytes = Vec::new();
        stored.serialize(&mut bytes).expect("a vector grows");
        let listed = accounts.iter().map(|meta| ListedAccount {
            pubkey: meta.pubkey.to_string(),
            is_signer: meta.is_signer,
            is_writable: meta.is_writable,
        });
        Self {
            program_id: program_id.to_string(),
            accounts: listed.collect(),
            data_base58: bs58::encode(data).into_string(),
            data_base64: BASE64.encode(data),
            realms: BASE64.encode(bytes),
        }
    }
}

impl Handover {
    /// What can be handed out of a transaction and the instructions that it was made of.
    pub fn new(prepared: &Prepared, instructions: &[Instruction]) -> Self {
        let Prepared { transaction, last_valid_block_height, .. } = prepared;
        let (bytes, message) = (bytes_of(transaction), transaction.message.serialize());
        let payer = transaction.message.static_account_keys().first();
        let alone = Message::new_with_blockhash(instructions, payer, transaction.message.recent_blockhash());
        Self {
            transaction: BASE64.encode(&bytes),
            transaction_base58: bs58::encode(&bytes).into_string(),
            message: BASE64.encode(&message),
            message_base58: bs58::encode(&message).into_string(),
            squads: bs58::encode(alone.serialize()).into_string(),
            blockhash: transaction.message.recent_blockhash().to_string(),
            last_valid_block_height: *last_valid_block_height,
            signers: required(transaction),
            instructions: instructions.iter().map(Listed::new).collect(),
        }
    }
}

fn bytes_of(transaction: &VersionedTransaction) -> Vec<u8> {
    bincode::serialize(transaction).expect("a vector grows")
}

/// Who must sign a transaction, and what of that is there.
fn required(transaction: &VersionedTransaction) -> Vec<Required> {
    let keys = transaction.message.static_account_keys();
    let signed = |signature: &Signature| (*signature != Signature::default()).then(|| signature.to_string());
    let signers = keys.iter().zip(&transaction.signatures);
    signers.map(|(key, signature)| Required { address: key.to_string(), signature: signed(signature) }).collect()
}

/// A transaction that comes back from whoever signed it.
#[derive(Clone, Debug)]
pub struct Returned {
    /// The transaction.
    pub transaction: VersionedTransaction,
}

/// Why what came back cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReturnError {
    /// It is no transaction, in no encoding.
    #[error("this is no transaction in base64 or base58, nor what `--print-tx --output json` prints")]
    Unreadable,
    /// A signature is not of the one it stands for, or not for this transaction.
    #[error("the signature of {0} is not for this transaction")]
    Wrong(Pubkey),
    /// A signature of somebody who need not sign.
    #[error("{0} does not sign this transaction")]
    NoSigner(Pubkey),
    /// Signatures are missing.
    #[error("{} of {of} signatures missing: {}", missing.len(), list(missing))]
    Missing {
        /// Of whom.
        missing: Vec<Pubkey>,
        /// How many there must be.
        of: usize,
    },
}

fn list(keys: &[Pubkey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Returned {
    /// Reads a transaction in base64 or base58, or out of the JSON that was printed.
    pub fn parse(text: &str) -> Result<Self, ReturnError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let of_json = |text: &str| {
            let json: serde_json::Value = serde_json::from_str(text).ok()?;
            json.as_str().or_else(|| json.get("transaction")?.as_str()).map(str::to_owned)
        };
        let text = of_json(text).unwrap_or_else(|| text.split_whitespace().collect());
        let base64 = BASE64.decode(&text).ok();
        let base58 = || bs58::decode(&text).into_vec().ok();
        let read = |bytes: Vec<u8>| {
            let transaction: VersionedTransaction = bincode::deserialize(&bytes).ok()?;
            let is_whole = transaction.sanitize().is_ok() && bytes_of(&transaction) == bytes;
            is_whole.then_some(Self { transaction })
        };
        base64.and_then(read).or_else(|| base58().and_then(read)).ok_or(ReturnError::Unreadable)
    }

    /// Adds a signature that came by itself.
    pub fn add(&mut self, key: Pubkey, signature: Signature) -> Result<(), ReturnError> {
        let needed = self.transaction.signatures.len();
        let keys = &self.transaction.message.static_account_keys()[..needed];
        let place = keys.iter().position(|one| *one == key).ok_or(ReturnError::NoSigner(key))?;
        if !signature.verify(key.as_ref(), &self.transaction.message.serialize()) {
            return Err(ReturnError::Wrong(key));
        }
        self.transaction.signatures[place] = signature;
        Ok(())
    }

    /// Checks the signatures that are there, and tells whose are missing.
    pub fn missing(&self) -> Result<Vec<Pubkey>, ReturnError> {
        let message = self.transaction.message.serialize();
        let signers = self.transaction.message.static_account_keys().iter().zip(&self.transaction.signatures);
        let mut missing = Vec::new();
        for (key, signature) in signers {
            if *signature == Signature::default() {
                missing.push(*key);
            } else if !signature.verify(key.as_ref(), &message) {
                return Err(ReturnError::Wrong(*key));
            }
        }
        Ok(missing)
    }

    /// That all have signed. Errors: who has not.
    pub fn require_signed(&self) -> Result<(), ReturnError> {
        let missing = self.missing()?;
        let of = self.transaction.signatures.len();
        if missing.is_empty() { Ok(()) } else { Err(ReturnError::Missing { missing, of }) }
    }

    /// The transaction, to be sent until a height.
    pub fn until(self, last_valid_block_height: u64) -> Prepared {
        let fee = fee_of(&self.transaction.message);
        let simulated = Default::default();
        Prepared { transaction: self.transaction, last_valid_block_height, fee, simulated }
    }

    /// Who must sign it, and what of that is there.
    pub fn signers(&self) -> Vec<Required> {
        required(&self.transaction)
    }
}

/// What a transaction costs in fees, rent excluded, in lamports.
pub fn fee_of(message: &VersionedMessage) -> u64 {
    let keys = message.static_account_keys();
    let budget = ComputeBudgetInstruction::set_compute_unit_limit(0).program_id;
    let (mut limit, mut price, mut others) = (None, 0, 0_u64);
    for instruction in message.instructions() {
        if keys.get(usize::from(instruction.program_id_index)) != Some(&budget) {
            others += 1;
            continue;
        }
        match ComputeBudgetInstruction::try_from_slice(&instruction.data) {
            Ok(ComputeBudgetInstruction::SetComputeUnitLimit(units)) => limit = Some(u64::from(units)),
            Ok(ComputeBudgetInstruction::SetComputeUnitPrice(micro_lamports)) => price = micro_lamports,
            _ => {}
        }
    }
    let limit = limit.unwrap_or(others.saturating_mul(USUAL_LIMIT)).min(crate::transaction::MOST_COMPUTE_UNITS.into());
    let priority = (u128::from(price) * u128::from(limit)).div_ceil(1_000_000);
    let priority = u64::try_from(priority).unwrap_or(u64::MAX);
    (SIGNATURE_FEE * u64::from(message.header().num_required_signatures)).saturating_add(priority)
}

/// What a transaction calls, instruction by instruction, compute budget left out: the program, and of this program the
/// instruction's name.
pub fn calls(message: &VersionedMessage) -> Vec<(Pubkey, Option<String>)> {
    let keys = message.static_account_keys();
    let budget = ComputeBudgetInstruction::set_compute_unit_limit(0).program_id;
    let call = |index: u8, data: &[u8]| {
        let program = *keys.get(usize::from(index))?;
        let name = (program == backstop::ID).then(|| name_of(data)).flatten();
        (program != budget).then_some((program, name))
    };
    let instructions = message.instructions().iter();
    instructions.filter_map(|instruction| call(instruction.program_id_index, &instruction.data)).collect()
}

/// The name of an instruction of this program, by the IDL, from the eight bytes that its data begin with.
fn name_of(data: &[u8]) -> Option<String> {
    let idl: serde_json::Value = serde_json::from_str(committed_idl()).ok()?;
    let tag = serde_json::json!(data.get(..8)?);
    let found = idl["instructions"].as_array()?.iter().find(|instruction| instruction["discriminator"] == tag)?;
    Some(found["name"].as_str()?.replace('_', " "))
}

impl From<ReturnError> for ClusterError {
    fn from(error: ReturnError) -> Self {
        Self::Unsignable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::Discriminator;
    use anchor_lang::solana_program::instruction::AccountMeta;
    use solana_sdk::signature::Keypair;
    use solana_sdk::signer::Signer;

    fn example(signer: &Keypair) -> (Prepared, Vec<Instruction>) {
        let accounts =
            vec![AccountMeta::new(signer.pubkey(), true), AccountMeta::new_readonly(Pubkey::default(), false)];
        let instruction = Instruction { program_id: backstop::ID, accounts, data: vec![1, 2, 3] };
        let all = [ComputeBudgetInstruction::set_compute_unit_price(2_000_000), instruction.clone()];
        let message = VersionedMessage::Legacy(Message::new(&all, Some(&signer.pubkey())));
        let transaction = VersionedTransaction { signatures: vec![Signature::default()], message };
        let prepared = Prepared { transaction, last_valid_block_height: 7, fee: 0, simulated: Default::default() };
        (prepared, vec![instruction])
    }

    #[test]
    fn what_is_handed_out_comes_back_in_every_encoding() {
        let signer = Keypair::new();
        let (prepared, instructions) = example(&signer);
        let handover = Handover::new(&prepared, &instructions);
        let json = serde_json::to_string_pretty(&handover).expect("it is JSON");
        let spaced = format!("\u{feff}{}\r\n", handover.transaction);
        for text in [&handover.transaction, &handover.transaction_base58, &json, &spaced] {
            assert_eq!(Returned::parse(text).expect("it is one").transaction, prepared.transaction);
        }
        for text in ["", "hello", "{}", &handover.message, &handover.transaction[4..], &handover.squads] {
            assert_eq!(Returned::parse(text).map(|_| ()), Err(ReturnError::Unreadable), "{text}");
        }
    }

    #[test]
    fn only_signatures_for_this_transaction_are_taken() {
        let (signer, other) = (Keypair::new(), Keypair::new());
        let (prepared, instructions) = example(&signer);
        let mut returned = Returned::parse(&Handover::new(&prepared, &instructions).transaction).expect("it is one");
        let missing = ReturnError::Missing { missing: vec![signer.pubkey()], of: 1 };
        assert_eq!(returned.require_signed(), Err(missing));
        let message = returned.transaction.message.serialize();
        let add =
            |returned: &mut Returned, key: &Keypair, text: &[u8]| returned.add(key.pubkey(), key.sign_message(text));
        assert_eq!(add(&mut returned, &other, &message), Err(ReturnError::NoSigner(other.pubkey())));
        assert_eq!(add(&mut returned, &signer, b"another"), Err(ReturnError::Wrong(signer.pubkey())));
        assert_eq!(add(&mut returned, &signer, &message), Ok(()));
        assert_eq!(returned.require_signed(), Ok(()));
        returned.transaction.signatures[0] = signer.sign_message(b"another");
        assert_eq!(returned.require_signed(), Err(ReturnError::Wrong(signer.pubkey())));
    }

    #[test]
    fn instructions_are_listed_without_compute_budget_and_as_governance_stores_them() {
        let signer = Keypair::new();
        let (prepared, instructions) = example(&signer);
        let handover = Handover::new(&prepared, &instructions);
        let [listed] = &handover.instructions[..] else { panic!("one") };
        assert_eq!((listed.data_base64.as_str(), listed.data_base58.as_str()), ("AQID", "Ldp"));
        assert!(listed.accounts[0].is_signer && listed.accounts[0].is_writable && !listed.accounts[1].is_writable);
        let stored = BASE64.decode(&listed.realms).expect("base64");
        // Program, number of accounts, 34 bytes each, length of the data, data.
        assert_eq!(stored.len(), 32 + 4 + 2 * 34 + 4 + 3);
        assert_eq!((&stored[..32], &stored[32..36]), (backstop::ID.as_ref(), &[2, 0, 0, 0][..]));
        assert_eq!(stored[stored.len() - 7..], [3, 0, 0, 0, 1, 2, 3]);
        let alone: Message =
            bincode::deserialize(&bs58::decode(&handover.squads).into_vec().expect("base58")).expect("one");
        assert_eq!(alone.instructions.len(), 1);
        assert_eq!(alone.account_keys[0], signer.pubkey());
    }

    #[test]
    fn the_fee_is_of_signatures_and_of_what_is_offered_for_the_units_that_may_be_taken() {
        let (prepared, _) = example(&Keypair::new());
        assert_eq!(fee_of(&prepared.transaction.message), SIGNATURE_FEE + 2 * USUAL_LIMIT);
    }

    #[test]
    fn calls_are_told_by_program_and_name_without_compute_budget() {
        let signer = Keypair::new();
        let (prepared, _) = example(&signer);
        assert_eq!(calls(&prepared.transaction.message), [(backstop::ID, None)], "no instruction begins so");
        let data = backstop::instruction::Accrue::DISCRIMINATOR.to_vec();
        let accrue = Instruction { program_id: backstop::ID, accounts: Vec::new(), data };
        let message = VersionedMessage::Legacy(Message::new(&[accrue], Some(&signer.pubkey())));
        assert_eq!(calls(&message), [(backstop::ID, Some("accrue".to_owned()))]);
    }
}
