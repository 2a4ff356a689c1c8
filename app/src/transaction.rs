//! From instructions to a confirmed transaction, and from a failure to the program's own words.

use crate::cluster::{Cluster, ClusterError, Receipt};
use anchor_lang::AnchorDeserialize;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::error::BackstopError;
use base64::Engine;
use solana_sdk::instruction::InstructionError;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};

/// Signs instructions into a transaction that `payer` pays for. Signers that the instructions do not need are left out.
pub fn sign(
    cluster: &dyn Cluster,
    payer: &Keypair,
    signers: &[&Keypair],
    instructions: &[Instruction],
) -> Result<VersionedTransaction, ClusterError> {
    let message = Message::new_with_blockhash(instructions, Some(&payer.pubkey()), &cluster.latest_blockhash()?);
    let needed = &message.account_keys[..usize::from(message.header.num_required_signatures)];
    let mut chosen: Vec<&Keypair> = vec![payer];
    for signer in signers {
        let key = signer.pubkey();
        if needed.contains(&key) && chosen.iter().all(|known| known.pubkey() != key) {
            chosen.push(signer);
        }
    }
    VersionedTransaction::try_new(VersionedMessage::Legacy(message), &chosen)
        .map_err(|error| ClusterError::Unreachable(format!("the transaction cannot be signed: {error}")))
}

/// Signs, sends and confirms instructions in one transaction.
pub fn send(
    cluster: &dyn Cluster,
    payer: &Keypair,
    signers: &[&Keypair],
    instructions: &[Instruction],
) -> Result<Receipt, ClusterError> {
    cluster.send(&sign(cluster, payer, signers, instructions)?)
}

/// The program's error in a failure, if it is one of its own.
pub fn program_error(error: &ClusterError) -> Option<BackstopError> {
    let ClusterError::Failed { error: TransactionError::InstructionError(_, InstructionError::Custom(code)), .. } =
        error
    else {
        return None;
    };
    BackstopError::from_code(*code)
}

/// Decodes the events of one type that a transaction reported, in order.
pub fn events<E: anchor_lang::Event + AnchorDeserialize + anchor_lang::Discriminator>(logs: &[String]) -> Vec<E> {
    let program_data = logs.iter().filter_map(|line| line.strip_prefix("Program data: "));
    program_data
        .filter_map(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .filter_map(|bytes| E::deserialize(&mut bytes.strip_prefix(E::DISCRIMINATOR)?).ok())
        .collect()
}
