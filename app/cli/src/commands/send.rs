//! `backstop send`: takes a transaction back that was signed elsewhere.

use crate::commands::context::{Context, Preview, UsageError, hinted};
use crate::commands::handover;
use crate::output;
use anchor_lang::prelude::Pubkey;
use anyhow::{Context as _, Result};
use backstop_client::cluster::Cluster;
use backstop_client::handover::{Handover, ReturnError, Returned, calls, fee_of};
use clap::Args;
use serde::Serialize;
use std::io::Read;
use std::path::PathBuf;

const EXAMPLE: &str = "\
Example:
  backstop send signed.txt
  backstop send printed.txt --sign-only > signed.txt
  backstop send printed.txt --signer ADDRESS=SIGNATURE";

/// Send a transaction that was printed, and signed elsewhere.
///
/// Checks that it is signed by all and has not expired, simulates it, shows what it calls, asks, and sends it. With
/// --sign-only it is signed here and printed again instead; --signer adds a signature that came by itself.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct SendArgs {
    /// A file with the transaction in base64 or base58, or with the JSON that was printed; `-` is stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Sent {
    status: &'static str,
    signature: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    handover: Option<Handover>,
    calls: Vec<Call>,
    fee_lamports: u64,
}

#[derive(Serialize)]
struct Call {
    program: String,
    instruction: Option<String>,
}

/// What is read of the file.
fn read(args: &SendArgs) -> Result<String> {
    if args.file.as_os_str() == "-" {
        return std::io::read_to_string(std::io::stdin()).context("stdin cannot be read");
    }
    let mut text = String::new();
    let file = std::fs::File::open(&args.file);
    file.and_then(|mut file| file.read_to_string(&mut text))
        .with_context(|| format!("{} cannot be read", args.file.display()))?;
    Ok(text)
}

pub fn run(args: &SendArgs, context: &Context) -> Result<()> {
    let options = &context.options.handover;
    if options.print_tx || options.blockhash.is_some() {
        let why =
            "the transaction is made already: `send` takes --signer and --sign-only, not --print-tx or --blockhash";
        return Err(UsageError(why.into()).into());
    }
    let mut returned = Returned::parse(&read(args)?).map_err(wrong)?;
    for (key, signature) in &options.signer {
        returned.add(*key, *signature).map_err(wrong)?;
    }
    let missing = returned.missing().map_err(wrong)?;
    if !options.sign_only && !context.options.dry_run {
        returned.require_signed().map_err(wrong)?;
    }
    let cluster = context.cluster()?;
    let signature = *returned.transaction.signatures.first().expect("a transaction has a signer");
    if missing.is_empty()
        && let Some(outcome) = cluster.outcomes(&[signature])?.remove(0)
    {
        outcome?;
        let sentence = format!("this transaction is on chain already: {signature}");
        return Err(hinted(sentence, "there is nothing to do; to do the same again, make a new transaction"));
    }
    if !cluster.is_blockhash_good(returned.transaction.message.recent_blockhash())? {
        let hint = "make it anew with the same command and --print-tx, and sign within its minute";
        return Err(hinted("this transaction has expired: its blockhash is too old", hint));
    }
    let end = cluster.latest_blockhash()?.last_valid_block_height;
    cluster.simulate(&returned.transaction)?;
    let calls = calls(&returned.transaction.message);
    let fee = fee_of(&returned.transaction.message);
    context.show(&preview(&calls, &returned), fee);
    let mut sent = Sent {
        status: "simulated",
        signature: None,
        handover: None,
        calls: calls
            .iter()
            .map(|(program, name)| Call { program: program.to_string(), instruction: name.clone() })
            .collect(),
        fee_lamports: fee,
    };
    if options.sign_only {
        context.ask("Sign it?")?;
        sign(&mut returned, &missing, context)?;
        let handover = Handover::new(&returned.until(end), &[]);
        handover::tell(&handover, cluster, options);
        (sent.status, sent.handover) = ("signed", Some(handover));
    } else if !context.options.dry_run {
        context.ask("Send it?")?;
        sent.signature = Some(context.send(&returned.until(end))?.signature.to_string());
        sent.status = "confirmed";
    }
    context.options.output.print(&sent, |sent| match (&sent.handover, &sent.signature) {
        (Some(handover), _) => handover::text(handover, options),
        (None, Some(signature)) => format!("{} {signature}", output::paint("Confirmed:", output::GOOD)),
        (None, None) => "Would succeed. Nothing was sent.".to_owned(),
    })
}

/// Signs with the keys that are here, where their signatures are missing.
fn sign(returned: &mut Returned, missing: &[Pubkey], context: &Context) -> Result<()> {
    let message = returned.transaction.message.serialize();
    let mut signed = 0;
    for signer in [context.signer()?, context.fee_payer()?] {
        let key = signer.try_pubkey()?;
        if missing.contains(&key) {
            returned.add(key, signer.try_sign_message(&message)?).map_err(wrong)?;
            signed += 1;
        }
    }
    if signed == 0 {
        let wanted = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let sentence = match missing {
            [] => "everybody has signed already".to_owned(),
            _ => format!("neither --keypair nor --fee-payer is asked to sign; missing: {wanted}"),
        };
        return Err(hinted(sentence, "`backstop send FILE` sends what is signed; --keypair names another signer"));
    }
    Ok(())
}

fn preview(calls: &[(Pubkey, Option<String>)], returned: &Returned) -> Preview {
    let call = |(program, name): &(Pubkey, Option<String>)| {
        let name = name.as_ref().map_or(String::new(), |name| format!(": {name}"));
        ("calls", format!("{}{name}", program_name(program)))
    };
    let mut rows: Vec<(&'static str, String)> = calls.iter().map(call).collect();
    for one in returned.signers() {
        let state = if one.signature.is_some() { "has signed" } else { "has not signed" };
        rows.push(("signer", format!("{} {state}", one.address)));
    }
    let number = calls.len();
    let title = if number == 1 { "Send 1 instruction".into() } else { format!("Send {number} instructions") };
    let strange = calls.iter().any(|(program, _)| is_strange(program));
    let warning = "It calls programs that this command does not know: send it only if you know what they do.";
    Preview { title, rows, warnings: strange.then(|| warning.to_owned()).into_iter().collect() }
}

/// Programs by the names that people know them by.
fn program_name(program: &Pubkey) -> String {
    match known(program) {
        Some(name) => name.to_owned(),
        None => program.to_string(),
    }
}

fn is_strange(program: &Pubkey) -> bool {
    known(program).is_none()
}

fn known(program: &Pubkey) -> Option<&'static str> {
    const COMPUTE_BUDGET: Pubkey = anchor_lang::prelude::pubkey!("ComputeBudget111111111111111111111111111111");
    [
        (backstop::ID, "Backstop"),
        (anchor_lang::system_program::ID, "System"),
        (anchor_spl::token::ID, "Token"),
        (anchor_spl::token_2022::ID, "Token-2022"),
        (anchor_spl::associated_token::ID, "Associated Token"),
        (COMPUTE_BUDGET, "Compute Budget"),
    ]
    .iter()
    .find(|(id, _)| id == program)
    .map(|(_, name)| *name)
}

/// What is wrong with what came back, and what to do.
fn wrong(error: ReturnError) -> anyhow::Error {
    let hint = match &error {
        ReturnError::Unreadable => "give the file that --print-tx or --sign-only wrote, or `-` to read stdin",
        ReturnError::Wrong(_) => "it was made for another transaction, or what was signed was changed: sign it again",
        ReturnError::NoSigner(_) => "check --signer, and the file",
        ReturnError::Missing { .. } => "`backstop send FILE --sign-only` signs; --signer ADDRESS=SIGNATURE adds one",
    };
    hinted(error.to_string(), hint)
}
