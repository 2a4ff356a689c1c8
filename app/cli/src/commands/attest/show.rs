//! `backstop attest combine` and `show`: signed reports as files, and sets of attestors.

use super::keys::value_text;
use super::read;
use crate::commands::context::{Context, UsageError, hinted};
use crate::output::{card, moment};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::border::text::hex_text;
use backstop::state::AttestorSet;
use backstop_client::account;
use backstop_client::attest::Verified;
use backstop_client::redact;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Put the signatures of several files about one report together.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop attest combine one.json two.json three.json > report.json")]
pub struct CombineArgs {
    /// Files of `backstop attest sign`.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn combine(args: &CombineArgs, _context: &Context) -> Result<()> {
    let files = args.files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    let all = Verified::combine(files)
        .map_err(|why| hinted(why.to_string(), "`backstop attest show FILE` tells what each file says"))?;
    println!("{}", serde_json::to_string(&all.to_file())?);
    Ok(())
}

/// Show a set of attestors, or a signed report.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop attest show SET\n  backstop attest show report.json")]
pub struct ShowArgs {
    /// The set's address, or a file of `backstop attest sign` or `combine`.
    #[arg(value_name = "SET_OR_FILE")]
    what: String,
}

#[derive(Serialize)]
struct Keys {
    set: String,
    creator: String,
    id: u16,
    must_sign: u8,
    live: u8,
    alive: bool,
    cluster: String,
    keys: Vec<KeyState>,
}

#[derive(Serialize)]
struct KeyState {
    key: String,
    revoked: bool,
}

#[derive(Serialize)]
struct Said {
    set: String,
    feed: String,
    cluster: String,
    /// As it was signed, with its confidence: numbers of any size are texts.
    value: String,
    observed_at: i64,
    signed_by: Vec<String>,
}

pub fn run(args: &ShowArgs, context: &Context) -> Result<()> {
    let file = Path::new(&args.what);
    match args.what.parse::<Pubkey>() {
        Ok(address) => set(address, context),
        Err(_) if file.exists() => report(file, context),
        Err(_) => {
            let shown = redact::shown(&args.what);
            Err(UsageError(format!("{shown} is neither the address of a set nor a file with a signed report")).into())
        }
    }
}

fn set(address: Pubkey, context: &Context) -> Result<()> {
    let set: AttestorSet = account::fetch(context.cluster()?, &address)?;
    let keys = set.attestors().iter().enumerate();
    let shown = Keys {
        set: address.to_string(),
        creator: set.creator.to_string(),
        id: set.id,
        must_sign: set.threshold,
        live: set.live(),
        alive: set.is_alive(),
        cluster: hex_text(&set.cluster),
        keys: keys
            .map(|(place, key)| KeyState { key: key.to_string(), revoked: set.revoked & (1 << place) != 0 })
            .collect(),
    };
    context.options.output.print(&shown, |shown| {
        let state = match shown.alive {
            true => format!("{} of {} keys must sign; {} may", shown.must_sign, shown.keys.len(), shown.live),
            false => format!("dead: {} must sign, and {} may", shown.must_sign, shown.live),
        };
        let mut rows = vec![
            ("set", shown.set.clone()),
            ("creator", format!("{}, number {}", shown.creator, shown.id)),
            ("state", state),
            ("cluster", shown.cluster.clone()),
        ];
        for (place, key) in shown.keys.iter().enumerate() {
            rows.push(("key", format!("{place}: {}{}", key.key, if key.revoked { ", revoked" } else { "" })));
        }
        card("Attestors", &rows)
    })
}

fn report(file: &Path, context: &Context) -> Result<()> {
    let Verified { report, signatures } = read(file)?;
    let shown = Said {
        set: report.set.to_string(),
        feed: hex_text(&report.feed),
        cluster: hex_text(&report.cluster),
        value: value_text(&report),
        observed_at: report.observed_at,
        signed_by: signatures.iter().map(|(key, _)| key.to_string()).collect(),
    };
    context.options.output.print(&shown, |shown| {
        let mut rows = vec![
            ("value", shown.value.clone()),
            ("of", moment(shown.observed_at)),
            ("feed", shown.feed.clone()),
            ("attestors", shown.set.clone()),
            ("cluster", shown.cluster.clone()),
        ];
        rows.extend(shown.signed_by.iter().map(|key| ("signed by", key.clone())));
        card("A signed report", &rows)
    })
}
