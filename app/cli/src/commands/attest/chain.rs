//! `backstop attest create-set`, `submit`, `accuse` and `retire`: what anyone may do with attestors on chain.

use super::keys::value_text;
use super::read;
use crate::commands::args::{OpenProduct, ProductArg};
use crate::commands::context::{Context, Preview, UsageError, hinted};
use crate::output::{exact_amount, exact_price, moment, percent};
use anchor_lang::error::Error;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::CreateAttestorSetArgs;
use backstop::border::text::hex_text;
use backstop::error::BackstopError;
use backstop::events::Observed;
use backstop::peril::feed::{Observation, Source};
use backstop::state::{AttestorSet, Form, Trigger};
use backstop_client::explain::explain_refusal;
use backstop_client::quote::refusal;
use backstop_client::view::trigger::phase;
use backstop_client::{Cluster, account, address, instruction as ix, redact, transaction};
use clap::Args;
use serde::Serialize;
use solana_sdk::signature::read_keypair_file;
use solana_sdk::signer::Signer;
use std::path::PathBuf;

const CREATE: &str = "\
Example:
  backstop attest create-set --must-sign 2 --key KEY --key KEY --key KEY";

/// Name attestors, and how many of them must sign. Anyone may; keys and number never change.
#[derive(Args, Clone, Debug)]
#[command(after_help = CREATE)]
pub struct CreateSetArgs {
    /// A key, or a keypair file of it: 2 to 11 of them, each of another person, or the set is worth no more than one.
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// How many must sign: 2 to 6, and more than half.
    #[arg(long, value_name = "NUMBER")]
    must_sign: u8,
    /// The set's number among those of the wallet.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    id: u16,
}

#[derive(Serialize)]
struct Created {
    set: String,
    must_sign: u8,
    keys: usize,
    rent_lamports: u64,
}

/// A key by its address, or by the file that it is in.
fn key_or_file(text: &str) -> Result<Pubkey> {
    let read = || read_keypair_file(text).map(|key| key.pubkey());
    let wrong = |_| UsageError(format!("--key {} is no address and no keypair file", redact::shown(text)));
    Ok(text.parse().or_else(|_| read().map_err(wrong))?)
}

pub fn create_set(args: &CreateSetArgs, context: &Context) -> Result<()> {
    let keys = args.keys.iter().map(|key| key_or_file(key)).collect::<Result<Vec<_>>>()?;
    if let Some(key) = keys.iter().find(|key| !key.is_on_curve()) {
        return Err(hinted(format!("{key} is the address of a program's account, which cannot sign"), "name wallets"));
    }
    let creator = context.wallet()?;
    let set = address::attestors(&creator, args.id);
    let rent_lamports = context.cluster()?.rent(AttestorSet::SPACE)?;
    let input = CreateAttestorSetArgs { id: args.id, threshold: args.must_sign, keys: keys.clone() };
    context.carry_out(&[ix::create_attestor_set(creator, context.payer()?, input)], |_| {
        let mut rows = vec![("set", set.to_string()), ("must sign", format!("{} of {}", args.must_sign, keys.len()))];
        rows.extend(keys.iter().map(|key| ("key", key.to_string())));
        rows.push(("rent", format!("{} SOL", exact_amount(rent_lamports, 9))));
        let left = keys.len().saturating_sub(usize::from(args.must_sign)).saturating_add(1);
        let warnings = vec![
            "Keys and number never change; a key that says two things of one moment is revoked, by anybody.".into(),
            format!("{} keys together can invent an event, and {left} can keep one from being proven.", args.must_sign),
        ];
        let details = Created { set: set.to_string(), must_sign: args.must_sign, keys: keys.len(), rent_lamports };
        Ok((Preview { title: "Name attestors".into(), rows, warnings }, details))
    })
}

/// Show a report that enough attestors have signed to a product's trigger. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop attest submit PRODUCT report.json")]
pub struct SubmitArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
    /// A file of `backstop attest combine`.
    #[arg(value_name = "FILE")]
    report: PathBuf,
}

#[derive(Serialize)]
struct Submitted {
    product: String,
    trigger: String,
    feed: String,
    price_e8: u64,
    observed_at: i64,
    says: &'static str,
    is_news: bool,
    phase_before: &'static str,
}

pub fn submit(args: &SubmitArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let product = args.product.find(cluster)?;
    let trigger = account::trigger_of(cluster, product.keys.product, &product.state)?;
    if trigger.has_two_keys() {
        return submit_loss(args, context, &product, &trigger);
    }
    if trigger.source() != Source::Attested {
        let hint = "`backstop trigger observe` shows it a price account";
        return Err(hinted("the product's feed is none of reports", hint));
    }
    let file = read(&args.report)?;
    let report = file.report;
    let set: AttestorSet = account::fetch(cluster, &trigger.attestors)?;
    let signers = file
        .chosen(&set)
        .map_err(|why| hinted(why.to_string(), "`backstop attest show SET` tells the keys that may sign"))?;
    let print = match trigger.form() {
        Form::Evidence => trigger.read_report(&report, cluster.now()?).map_err(not_taken)?,
        // Its value may be zero.
        Form::Reading if report.feed != trigger.feed => return Err(of_another("feed")),
        Form::Reading => Observation {
            price: trigger.reading.value_of(&report).map_err(|why| not_taken(BackstopError::from(why).into()))?,
            confidence: 0,
            publish_time: report.observed_at,
        },
    };
    let instructions =
        [ix::signed_report(&signers, &report.to_bytes()), ix::observe_report(&product.keys, trigger.attestors)];
    context.carry_out(&instructions, |receipt| {
        let is_news = !transaction::events::<Observed>(&receipt.logs).is_empty();
        let says = match trigger.form() {
            Form::Reading => "a reading's value",
            Form::Evidence => {
                backstop_client::view::trigger::class(trigger.terms.direction(), trigger.terms.classify(&print))
            }
        };
        let known = if is_news { "" } else { ", shown before: it changes nothing" };
        let preview = Preview {
            title: format!("Show a report to: {}", product.state.name()),
            rows: vec![
                ("trigger", product.keys.trigger().to_string()),
                ("value", format!("{} ± {}", exact_price(print.price), exact_price(print.confidence))),
                ("of", moment(print.publish_time)),
                ("signed by", format!("{} of {} attestors", signers.len(), set.attestors().len())),
                ("says", format!("{says}{known}")),
                ("phase before", phase(trigger.phase()).into()),
            ],
            warnings: Vec::new(),
        };
        let details = Submitted {
            product: product.keys.product.to_string(),
            trigger: product.keys.trigger().to_string(),
            feed: hex_text(&report.feed),
            price_e8: print.price,
            observed_at: print.publish_time,
            says,
            is_news,
            phase_before: phase(trigger.phase()),
        };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct SubmittedLoss {
    product: String,
    trigger: String,
    feed: String,
    loss_bps: u16,
    observed_at: i64,
    signatures: usize,
    is_confirmed: bool,
    phase_before: &'static str,
}

/// Shows a report of a loss: the second key of a product of vaults.
fn submit_loss(args: &SubmitArgs, context: &Context, product: &OpenProduct, trigger: &Trigger) -> Result<()> {
    let cluster = context.cluster()?;
    let file = read(&args.report)?;
    let report = file.report;
    let set: AttestorSet = account::fetch(cluster, &trigger.attestors)?;
    let signers = file
        .chosen_of_loss(&set)
        .map_err(|why| hinted(why.to_string(), "`backstop attest show SET` tells the keys that may sign"))?;
    let (is_enough, now) = (signers.len() >= usize::from(set.threshold), cluster.now()?);
    let is_confirmed = is_enough && now >= trigger.keys.confirms_from();
    let loss = trigger.read_loss(&report, is_enough, now).map_err(not_taken)?;
    let instructions =
        [ix::signed_report(&signers, &report.to_bytes()), ix::observe_report(&product.keys, trigger.attestors)];
    context.carry_out(&instructions, |_| {
        let says = match (is_confirmed, is_enough) {
            (true, _) => "it is confirmed: the event is proven".to_owned(),
            (false, true) => {
                let from = moment(trigger.keys.confirms_from());
                format!("an alert of 72 hours at most; show it again from {from} on, and it is proven")
            }
            (false, false) => format!("an alert of 72 hours at most; {} must sign to confirm it", set.threshold),
        };
        let preview = Preview {
            title: format!("Show a loss to: {}", product.state.name()),
            rows: vec![
                ("trigger", product.keys.trigger().to_string()),
                ("loss", percent(loss.bps.into())),
                ("of", moment(loss.observed_at)),
                ("signed by", format!("{} of {} attestors", signers.len(), set.attestors().len())),
                ("does", says),
                ("phase before", phase(trigger.phase()).into()),
            ],
            warnings: Vec::new(),
        };
        let details = SubmittedLoss {
            product: product.keys.product.to_string(),
            trigger: product.keys.trigger().to_string(),
            feed: hex_text(&report.feed),
            loss_bps: loss.bps,
            observed_at: loss.observed_at,
            signatures: signers.len(),
            is_confirmed,
            phase_before: phase(trigger.phase()),
        };
        Ok((preview, details))
    })
}

/// That a report is of something else.
fn of_another(what: &str) -> anyhow::Error {
    hinted(format!("the report is of another {what} than the product's"), "`backstop attest show FILE` tells of which")
}

/// Why a product would not take a report, in words about the report.
fn not_taken(error: Error) -> anyhow::Error {
    let told = "`backstop attest show FILE` tells what was signed";
    match refusal(error) {
        BackstopError::OracleWrongFeed => of_another("feed"),
        BackstopError::ReportWrongKind => of_another("kind"),
        BackstopError::WrongMoment => of_another("moment"),
        BackstopError::OracleFromFuture => hinted("the report is of a time ahead of the clock", told),
        BackstopError::OracleBadPrice => {
            hinted("the product takes no such value: a price is above zero, and a reading's is not below", told)
        }
        BackstopError::BadEvent => hinted("the report says no loss: a loss is above zero, and 100 % at most", told),
        other => hinted(explain_refusal(other).sentence, told),
    }
}

/// Have a key revoked that signed two values of one feed and moment. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop attest accuse KEY one.json two.json")]
pub struct AccuseArgs {
    /// The key.
    key: Pubkey,
    /// A report that it signed.
    #[arg(value_name = "FILE")]
    one: PathBuf,
    /// Another of the same feed and moment.
    #[arg(value_name = "FILE")]
    other: PathBuf,
}

#[derive(Serialize)]
struct Accused {
    set: String,
    key: String,
    live: u8,
    alive: bool,
}

pub fn accuse(args: &AccuseArgs, context: &Context) -> Result<()> {
    let files = [read(&args.one)?, read(&args.other)?];
    let mut instructions = Vec::new();
    for file in &files {
        let own = file.signatures.iter().find(|(key, _)| *key == args.key);
        let (key, signature) = own.ok_or_else(|| {
            hinted(format!("a file has no signature of {}", args.key), "`backstop attest show FILE` tells who signed")
        })?;
        instructions.push(ix::signed_report(&[(*key, (*signature).into())], &file.report.to_bytes()));
    }
    let [one, other] = files.map(|file| file.report);
    let mut set: AttestorSet = account::fetch(context.cluster()?, &one.set)?;
    instructions.push(ix::report_equivocation(one.set));
    // What it leaves; a refusal is the program's, and told in its words.
    let live = set.revoke(&args.key, context.cluster()?.now()?).unwrap_or_else(|_| set.live());
    context.carry_out(&instructions, |_| {
        let mut warnings = vec!["This is final: a key that is revoked signs no more.".into()];
        if !set.is_alive() {
            warnings.push("Too few keys are left: the set is dead, and its products can be retired by anybody.".into());
        }
        let preview = Preview {
            title: "Have a key revoked".into(),
            rows: vec![
                ("set", one.set.to_string()),
                ("key", args.key.to_string()),
                ("of", moment(one.observed_at)),
                ("it said", value_text(&one)),
                ("and", value_text(&other)),
                ("keys left", format!("{live}; {} must sign", set.threshold)),
            ],
            warnings,
        };
        let details = Accused { set: one.set.to_string(), key: args.key.to_string(), live, alive: set.is_alive() };
        Ok((preview, details))
    })
}

/// Run a product off whose attestors are too few to report. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop attest retire PRODUCT")]
pub struct RetireArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
}

#[derive(Serialize)]
struct Retired {
    product: String,
    set: String,
}

pub fn retire(args: &RetireArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let product = args.product.open(cluster)?;
    let trigger = account::trigger_of(cluster, product.keys.product, &product.state)?;
    let set = trigger.attestors;
    context.carry_out(&[ix::retire_product(&product.keys, set)], |_| {
        let preview = Preview {
            title: format!("Run off: {}", product.state.name()),
            rows: vec![("product", product.keys.product.to_string()), ("attestors", set.to_string())],
            warnings: vec!["This is final: it sells no more. Covers that were sold run on.".into()],
        };
        Ok((preview, Retired { product: product.keys.product.to_string(), set: set.to_string() }))
    })
}
