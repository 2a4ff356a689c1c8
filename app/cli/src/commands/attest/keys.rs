//! `backstop attest keygen` and `sign`: what a signer does, alone and on a machine of its own.

use crate::commands::context::{Context, hinted};
use crate::output::{card, exact_amount, moment, percent};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::payout::FULL_SEVERITY_BPS;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop::peril::feed::{MAX_EXPONENT, MIN_EXPONENT};
use backstop::state::AttestorSet;
use backstop_client::attest::definition::Definition;
use backstop_client::attest::log::Log;
use backstop_client::attest::reading::Reading;
use backstop_client::attest::{self, cluster_of};
use backstop_client::units::{self, feed_id};
use backstop_client::{Cluster, account};
use clap::Args;
use rust_decimal::Decimal;
use serde::Serialize;
use solana_sdk::signature::{Keypair, write_keypair};
use solana_sdk::signer::Signer;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// Make a key for an attestor: a file that only its owner can read.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop attest keygen --out attestor.json")]
pub struct KeygenArgs {
    /// The file, which must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Key {
    key: String,
    file: String,
}

pub fn keygen(args: &KeygenArgs, context: &Context) -> Result<()> {
    let name = args.out.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |why: &dyn std::fmt::Display| {
        hinted(format!("the key file {name} cannot be written: {why}"), "--out names a file that does not exist yet")
    };
    let mut file = options.open(&args.out).map_err(|why| failed(&why))?;
    let keypair = Keypair::new();
    write_keypair(&keypair, &mut file).map_err(|why| failed(&why))?;
    file.sync_all().map_err(|why| failed(&why))?;
    let made = Key { key: keypair.pubkey().to_string(), file: name };
    context
        .options
        .output
        .print(&made, |made| card("A key of an attestor", &[("key", made.key.clone()), ("file", made.file.clone())]))
}

const SIGN: &str = "\
Example:
  backstop attest sign --set SET --definition rain.md --value 80.0 --at 1764201600 --log attestor.log --new-log --keypair attestor.json
  backstop attest sign --set SET --feed FEED --value 0.9985 --at 1764201600 --log attestor.log --keypair attestor.json";

/// Sign what a feed was at a moment. The log keeps the key from saying two things of one, for which it would be revoked.
#[derive(Args, Clone, Debug)]
#[command(after_help = SIGN)]
pub struct SignArgs {
    /// The set of attestors that the key is one of.
    #[arg(long, value_name = "SET", value_parser = crate::commands::args::attestors)]
    set: Pubkey,
    /// The feed, in hexadecimal: `backstop feed define` tells it. Nothing says then whether its definition allows the value.
    #[arg(long, required_unless_present = "definition")]
    feed: Option<String>,
    /// The feed's definition: the value must be one that it allows, of a moment that it names, and is signed in its unit as
    /// `backstop attest serve` does.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["feed", "confidence"])]
    definition: Option<PathBuf>,
    /// The value, with as many decimals as it has: 12 at most.
    #[arg(long, value_name = "NUMBER", value_parser = units::decimal, required_unless_present = "loss")]
    value: Option<Decimal>,
    /// Instead of a value the part that a protocol lost, in percent: an event, the second key of a product of vaults.
    #[arg(long, value_name = "PERCENT", value_parser = units::bps::<u16>, conflicts_with_all = ["value", "confidence"])]
    loss: Option<u16>,
    /// How far it may be off.
    #[arg(long, value_name = "NUMBER", value_parser = units::decimal, default_value = "0")]
    confidence: Decimal,
    /// The moment that it is of, in unix seconds; never ahead of the clock.
    #[arg(long, value_name = "SECONDS", value_parser = units::count::<i64>)]
    at: i64,
    /// What the key has signed so far, a line each: one file a key, kept for good.
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// The key has signed nothing yet: makes the log if it is not there. A wrong name would make a log that knows nothing.
    #[arg(long)]
    new_log: bool,
}

pub fn sign(args: &SignArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    if args.at > now {
        return Err(hinted(format!("--at is {}, which has not been", moment(args.at)), "sign when it has been"));
    }
    let (feed, kind, (exponent, value, confidence)) = match &args.definition {
        Some(file) => defined(args, file, now)?,
        None => plain(args)?,
    };
    let key = context.signer()?;
    let set: AttestorSet = account::fetch(cluster, &args.set)?;
    let own = key.try_pubkey()?;
    let place = set.attestors().iter().position(|known| *known == own);
    if place.is_none_or(|place| set.revoked & (1 << place) != 0) {
        let hint = "`backstop attest show SET` tells the keys that may sign";
        return Err(hinted(format!("{own} is none of the keys that may sign for {}", args.set), hint));
    }
    let report = Report {
        cluster: cluster_of(cluster.genesis_hash()?),
        set: args.set,
        feed,
        kind,
        exponent,
        value,
        confidence,
        observed_at: args.at,
    };
    let log = if args.new_log { Log::open_or_create(&args.log) } else { Log::open(&args.log) };
    let signed = log.and_then(|mut log| attest::sign(&report, key, &mut log)).map_err(|why| {
        let is_there = args.log.exists();
        let hint = if is_there {
            "a log is one file a key, and never edited"
        } else {
            "--new-log if it has signed nothing yet"
        };
        hinted(why.to_string(), hint)
    })?;
    // A file for `combine`, whatever the output is.
    println!("{}", serde_json::to_string(&signed.to_file())?);
    Ok(())
}

/// What is said: the feed, a kind, and exponent, value and confidence.
type Said = ([u8; 32], ReportKind, (i32, i64, u64));

/// What is said of a feed whose definition is at hand, as it allows.
fn defined(args: &SignArgs, file: &Path, now: i64) -> Result<Said> {
    let name = file.display();
    let text = std::fs::read(file)
        .map_err(|why| hinted(format!("the definition {name} cannot be read: {why}"), "name a file with the text"))?;
    let terms = Definition::read(&text).map_err(|why| {
        hinted(format!("the definition {name} cannot be signed: {why}"), "--feed signs what it does not tell")
    })?;
    let refused = |why: String| hinted(why, "`backstop feed define FILE` tells what the definition allows");
    let value = match (args.loss, terms.kind) {
        (Some(bps), ReportKind::Event) => Decimal::from(bps),
        (None, ReportKind::Value) => args.value.unwrap_or_default(),
        (Some(_), ReportKind::Value) => {
            return Err(refused(format!("the definition {name} is of values: say --value")));
        }
        (None, ReportKind::Event) => return Err(refused(format!("the definition {name} is of losses: say --loss"))),
    };
    if terms.moment(args.at) != args.at {
        let before = terms.moment(args.at);
        return Err(refused(format!("--at is no moment of the definition: the one before is {before}")));
    }
    let (at, moment) = match terms.kind {
        ReportKind::Value => (None, args.at),
        ReportKind::Event => (Some(args.at), now),
    };
    let units = terms.value(&Reading { value, at, written: None }, moment).map_err(|why| refused(why.to_string()))?;
    Ok((terms.feed, terms.kind, (terms.report_exponent(), units, terms.confidence)))
}

/// What is said of a feed of which only its identity is known.
fn plain(args: &SignArgs) -> Result<Said> {
    let feed = args.feed.as_deref().unwrap_or_default();
    let feed = feed_id(feed).map_err(|why| hinted(format!("--feed: {why}"), "`backstop feed define` tells it"))?;
    let (kind, said) = match args.loss {
        Some(bps) if (1..=FULL_SEVERITY_BPS).contains(&bps) => (ReportKind::Event, (EVENT_EXPONENT, i64::from(bps), 0)),
        Some(_) => return Err(hinted("--loss is above zero and 100 % at most", "say it in percent: 42.5%")),
        None => (
            ReportKind::Value,
            in_units(args.value.unwrap_or_default(), args.confidence).ok_or_else(|| {
                hinted(
                    "--value is not below zero, with 12 decimals at most, and --confidence is not below zero",
                    "say it in full",
                )
            })?,
        ),
    };
    Ok((feed, kind, said))
}

/// A value and its confidence in their smallest common unit.
fn in_units(value: Decimal, confidence: Decimal) -> Option<(i32, i64, u64)> {
    let (value, confidence) = (value.normalize(), confidence.normalize());
    let decimals = value.scale().max(confidence.scale());
    let exponent = -i32::try_from(decimals).ok()?;
    if !(MIN_EXPONENT..=MAX_EXPONENT).contains(&exponent) || value < Decimal::ZERO || confidence < Decimal::ZERO {
        return None;
    }
    let units = |number: Decimal| number.checked_mul(Decimal::from(10u64.checked_pow(decimals)?));
    Some((
        exponent,
        units(value)?.normalize().to_string().parse().ok()?,
        units(confidence)?.normalize().to_string().parse().ok()?,
    ))
}

/// A value of a report, for people.
pub fn value_text(report: &Report) -> String {
    if let Ok(bps) = report.loss_bps() {
        return format!("a loss of {}", percent(bps.into()));
    }
    let decimals = u8::try_from(report.exponent.unsigned_abs()).unwrap_or(0);
    let shown = |units: u64| exact_amount(units, decimals);
    format!("{} ± {}", shown(u64::try_from(report.value).unwrap_or(0)), shown(report.confidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_signed_in_its_smallest_unit() {
        let units = |value: &str, confidence: &str| {
            in_units(value.parse().expect("a number"), confidence.parse().expect("a number"))
        };
        assert_eq!(units("0.9985", "0"), Some((-4, 9_985, 0)));
        assert_eq!(units("12.50", "0.25"), Some((-2, 1_250, 25)));
        assert_eq!(units("1000", "0"), Some((0, 1_000, 0)));
        assert_eq!(units("0.000000000001", "0"), Some((-12, 1, 0)));
        assert_eq!(units("0.0000000000001", "0"), None);
        // A reading may be zero.
        assert_eq!(units("0", "0"), Some((0, 0, 0)));
        assert_eq!((units("-1", "0"), units("1", "-1")), (None, None));
    }
}
