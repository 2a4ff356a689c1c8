//! Transactions for those who sign elsewhere: what is printed, and how it is told.

use crate::commands::context::{Context, UsageError};
use crate::output;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::handover::{Handover, Required};
use clap::{Args, ValueEnum};
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;

const HEADING: &str = "Signing elsewhere";

/// What is printed of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The transaction in base64.
    #[default]
    Base64,
    /// The transaction in base58.
    Base58,
    /// What is signed, in base64.
    MessageBase64,
    /// What is signed, in base58.
    MessageBase58,
    /// Its instructions as JSON: program, accounts, data. They do not expire.
    Instructions,
    /// For Squads' transaction builder: the message of its instructions, in base58.
    Squads,
    /// For Realms' custom instructions: each in base64, one a line. They do not expire.
    Realms,
}

/// Options for transactions that are signed elsewhere, or in several places.
#[derive(Args, Clone, Debug, Default)]
pub struct HandoverOptions {
    /// Print the transaction unsigned instead of sending it: for a multisig, a DAO or an offline signer.
    #[arg(long, global = true, conflicts_with = "dry_run", help_heading = HEADING)]
    pub print_tx: bool,
    /// What --print-tx prints; with --output json it is everything.
    #[arg(long, global = true, value_enum, value_name = "FORM", default_value_t, help_heading = HEADING)]
    pub print_as: Form,
    /// Sign with the keys that are here, and print the transaction and the signatures instead of sending it.
    #[arg(long, global = true, conflicts_with = "dry_run", conflicts_with = "print_tx", help_heading = HEADING)]
    pub sign_only: bool,
    /// A signature that was made elsewhere, for the same transaction: see --blockhash, and `backstop send`.
    #[arg(long, global = true, value_name = "ADDRESS=SIGNATURE", value_parser = signature, help_heading = HEADING)]
    pub signer: Vec<(Pubkey, Signature)>,
    /// The blockhash to sign with, if not the newest.
    #[arg(long, global = true, value_name = "HASH", help_heading = HEADING)]
    pub blockhash: Option<Hash>,
}

fn signature(text: &str) -> Result<(Pubkey, Signature), String> {
    let wrong = || "give ADDRESS=SIGNATURE, both in base58".to_owned();
    let (address, signature) = text.split_once('=').ok_or_else(wrong)?;
    Ok((address.parse().map_err(|_| wrong())?, signature.parse().map_err(|_| wrong())?))
}

impl HandoverOptions {
    /// Whether nothing is sent, and something is printed.
    pub fn prints(&self) -> bool {
        self.print_tx || self.sign_only
    }
}

/// What is printed for people: the form that was asked for, and the signatures that were made here.
pub fn text(handover: &Handover, options: &HandoverOptions) -> String {
    let mut lines = match options.print_as {
        Form::Base64 => vec![handover.transaction.clone()],
        Form::Base58 => vec![handover.transaction_base58.clone()],
        Form::MessageBase64 => vec![handover.message.clone()],
        Form::MessageBase58 => vec![handover.message_base58.clone()],
        Form::Squads => vec![handover.squads.clone()],
        Form::Realms => handover.instructions.iter().map(|listed| listed.realms.clone()).collect(),
        Form::Instructions => {
            vec![serde_json::to_string_pretty(&handover.instructions).expect("strings can be written as JSON")]
        }
    };
    if options.sign_only {
        let signed = |one: &Required| Some(format!("{}={}", one.address, one.signature.as_ref()?));
        lines.extend(handover.signers.iter().filter_map(signed));
    }
    lines.join("\n")
}

/// Tells on stderr who must sign, and until when.
pub fn tell(handover: &Handover, cluster: &RpcCluster, options: &HandoverOptions) {
    for (index, one) in handover.signers.iter().enumerate() {
        let role = if index == 0 { ", and pays the fee" } else { "" };
        let state = if one.signature.is_some() { "has signed" } else { "must sign" };
        anstream::eprint!("{}", output::row("signer", &format!("{} {state}{role}", one.address)));
    }
    anstream::eprint!("{}", output::row("blockhash", &handover.blockhash));
    if matches!(options.print_as, Form::Instructions | Form::Realms | Form::Squads) {
        let note = "Instructions do not expire: the multisig makes a transaction of its own of them.";
        anstream::eprintln!("{}", output::paint(output::paragraph(note).trim_end(), output::QUIET));
        return;
    }
    anstream::eprint!("{}", output::row("expires", &expiry(handover, cluster)));
    let note = "It can be executed until it expires, and not later. Whoever needs more time to sign takes the \
                instructions: --print-as squads, realms or instructions.";
    anstream::eprintln!("{}", output::paint(output::paragraph(note).trim_end(), output::WATCH));
}

/// Until when a transaction can be executed, in words.
fn expiry(handover: &Handover, cluster: &RpcCluster) -> String {
    use backstop_client::Cluster;
    /// Seconds of a block, as the network aims at; a busy one takes longer.
    const BLOCK_SECONDS: f64 = 0.4;
    let end = handover.last_valid_block_height;
    match cluster.block_height() {
        Ok(height) if height <= end => {
            let seconds = ((end - height) as f64 * BLOCK_SECONDS).round();
            format!("in about {seconds} s or less, after block {end}")
        }
        _ => format!("after block {end}"),
    }
}

/// The blockhash to sign with that was asked for, as long as it is good.
pub fn blockhash(context: &Context) -> Result<Option<backstop_client::cluster::Blockhash>> {
    use backstop_client::Cluster;
    let Some(hash) = context.options.handover.blockhash else { return Ok(None) };
    let cluster = context.cluster()?;
    if !cluster.is_blockhash_good(&hash)? {
        let why = format!("--blockhash {hash} is too old, or of another cluster: leave it out to take the newest");
        return Err(UsageError(why).into());
    }
    // Its own end is not told; that of the newest is not before it.
    let last_valid_block_height = cluster.latest_blockhash()?.last_valid_block_height;
    Ok(Some(backstop_client::cluster::Blockhash { hash, last_valid_block_height }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_given_with_its_address() {
        let (key, made) = (Pubkey::new_from_array([3; 32]), Signature::from([4; 64]));
        assert_eq!(signature(&format!("{key}={made}")), Ok((key, made)));
        for wrong in ["", "=", "a=b", &key.to_string(), &format!("{made}={key}")] {
            assert!(signature(wrong).is_err(), "{wrong}");
        }
    }
}
