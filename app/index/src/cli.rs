//! The commands: `backstop index`.

use crate::database::Database;
use crate::error::{IndexError, Result};
use crate::exchange::{self, Exchanged};
use crate::follow::{Options, Progress, follow};
use crate::read::ShownHistory;
use crate::repair::{Repaired, repair};
use crate::status::{Status, metrics, status};
use crate::verify::{Verified, verify};
use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::rpc::{RpcCluster, Watcher};
use backstop_client::text::moment;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use solana_commitment_config::CommitmentConfig;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is looked whether somebody asked to stop.
const LOOK: Duration = Duration::from_millis(100);

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Display,
    /// For machines, indented.
    Json,
    /// For machines, on one line.
    JsonCompact,
}

/// What all commands need.
pub struct Settings {
    /// The node.
    pub url: String,
    /// How results are printed.
    pub output: Output,
    /// Set from outside to stop after what is under way.
    pub stop: Arc<AtomicBool>,
    /// Who is told that an answer takes long.
    pub watcher: Option<Watcher>,
}

impl Settings {
    /// The node, for what is final.
    fn node(&self) -> RpcCluster {
        let node = RpcCluster::new(&self.url, CommitmentConfig::finalized()).stopped_by(self.stop.clone());
        match &self.watcher {
            Some(watcher) => node.watched_by(watcher.clone()),
            None => node,
        }
    }

    fn options(&self) -> Options<'_> {
        Options { stop: Some(&self.stop), ..Options::default() }
    }

    /// Prints a result on stdout.
    fn print<T: Serialize>(&self, result: &T, display: impl FnOnce(&T) -> String) -> Result<()> {
        let json =
            |written: serde_json::Result<String>| written.unwrap_or_else(|why| format!("{{\"error\":\"{why}\"}}"));
        let text = match self.output {
            Output::Display => display(result),
            Output::Json => json(serde_json::to_string_pretty(result)),
            Output::JsonCompact => json(serde_json::to_string(result)),
        };
        say(&text)
    }
}

/// Writes a text on stdout. Whoever reads may have seen enough: `| head`.
fn say(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(IndexError::File { path: PathBuf::from("stdout"), why })
        }
        _ => Ok(()),
    }
}

/// The history of the program in a file: share prices, sales, losses and payments by day and hour.
#[derive(Args, Debug)]
pub struct IndexArgs {
    /// The file.
    #[arg(long, env = "BACKSTOP_INDEX", default_value = "backstop-index.sqlite", value_name = "FILE", global = true)]
    pub database: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: IndexCommand,
}

/// What to do with the history.
#[derive(Subcommand, Debug)]
pub enum IndexCommand {
    /// Read what is new, again and again.
    Run(RunArgs),
    /// Say where the history stands, and what is missing.
    Status(StatusArgs),
    /// Compare what the events say with the accounts on chain.
    Verify,
    /// Make everything anew that is made of the events.
    Rebuild,
    /// Ask again for what is missing.
    Repair,
    /// Tell what was shown to a product's condition: prices, values, reported losses, and attestors that were revoked.
    Shown(ShownArgs),
    /// Write the history into a new file, with a checksum.
    Export(FileArgs),
    /// Read a history that was exported, into an index that has nothing yet.
    Import(FileArgs),
}

/// How to run.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Read what there is and end.
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub interval: u64,
    /// Write metrics for Prometheus into this file after each look.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

/// What to say.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// As metrics for Prometheus.
    #[arg(long)]
    pub metrics: bool,
}

/// Of which product, and how much of it.
#[derive(Args, Debug)]
pub struct ShownArgs {
    /// The product.
    pub product: Pubkey,
    /// The newest so many.
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    pub most: usize,
}

/// A file of `backstop index export`.
#[derive(Args, Debug)]
pub struct FileArgs {
    /// The file.
    pub file: PathBuf,
}

/// Runs a command.
///
/// Errors: those of the command; [`IndexError::Off`] if `verify` or `repair` leave something that is off or missing.
pub fn run(args: &IndexArgs, settings: &Settings) -> Result<()> {
    let path = &args.database;
    match &args.command {
        IndexCommand::Run(run) => keep_up(path, run, settings),
        IndexCommand::Status(args) => {
            let status = status(&Database::open_read_only(path)?)?;
            if args.metrics { say(&metrics(&status)) } else { settings.print(&status, display_status) }
        }
        IndexCommand::Verify => {
            let node = settings.node();
            let verified = verify(&mut Database::open(path)?, &node, &node, &settings.options())?;
            settings.print(&verified, display_verified)?;
            if verified.is_ok {
                Ok(())
            } else {
                Err(IndexError::Off { what: "the history is not what the accounts say" })
            }
        }
        IndexCommand::Rebuild => {
            let events = crate::rebuild(&mut existing(path)?)?;
            settings.print(&Rebuilt { events }, |rebuilt| format!("Made anew from {} events.", rebuilt.events))
        }
        IndexCommand::Repair => {
            let repaired = repair(&mut existing(path)?, &settings.node(), &settings.options())?;
            settings.print(&repaired, display_repaired)?;
            if repaired.after.is_empty() { Ok(()) } else { Err(IndexError::Off { what: "events are still missing" }) }
        }
        IndexCommand::Shown(args) => {
            let shown = Database::open_read_only(path)?.shown(&args.product, args.most)?;
            let shown = shown.ok_or(IndexError::NoProduct { product: args.product })?;
            settings.print(&shown, display_shown)
        }
        IndexCommand::Export(args) => {
            let done = exchange::export(&Database::open_read_only(path)?, &args.file)?;
            settings.print(&done, |done| display_exchanged("Exported", done))
        }
        IndexCommand::Import(args) => {
            let done = exchange::import(&mut Database::open(path)?, &args.file)?;
            settings.print(&done, |done| display_exchanged("Imported", done))
        }
    }
}

/// A file that is there, to write.
fn existing(path: &Path) -> Result<Database> {
    Database::open_read_only(path).map(drop).or_else(|why| match why {
        crate::DatabaseError::Older { .. } => Ok(()),
        why => Err(why),
    })?;
    Ok(Database::open(path)?)
}

#[derive(Serialize)]
struct Rebuilt {
    events: u64,
}

/// One look at the node.
#[derive(Serialize)]
struct Look<'a> {
    #[serde(flatten)]
    progress: Progress,
    newest: Option<crate::read::Moment>,
    gaps: &'a [crate::read::Gap],
}

fn keep_up(path: &Path, args: &RunArgs, settings: &Settings) -> Result<()> {
    let mut database = Database::open(path)?;
    let node = settings.node();
    loop {
        match follow(&mut database, &node, &settings.options()) {
            Ok(progress) => {
                let gaps = database.gaps()?;
                if args.once || progress.transactions > 0 {
                    let look = Look { progress, newest: database.newest()?, gaps: &gaps };
                    settings.print(&look, display_look)?;
                }
            }
            Err(IndexError::Stopped) => return Ok(()),
            // A node may be better in a moment, and nothing of what it said was kept.
            Err(why @ (IndexError::Cluster(_) | IndexError::Lie { .. })) if !args.once => tracing::warn!("{why}"),
            Err(why) => return Err(why),
        }
        if let Some(file) = &args.metrics {
            write_metrics(file, &metrics(&status(&database)?))?;
        }
        if args.once || !wait(Duration::from_secs(args.interval), &settings.stop) {
            return Ok(());
        }
    }
}

/// Waits. Says whether nobody asked to stop.
fn wait(time: Duration, stop: &AtomicBool) -> bool {
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK));
    }
    false
}

/// Replaces a file at once: whoever reads it sees the old text or the new one.
fn write_metrics(file: &Path, text: &str) -> Result<()> {
    let failed = |why| IndexError::File { path: file.to_owned(), why };
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, file)).map_err(failed)
}

fn display_look(look: &Look) -> String {
    let Progress { transactions, events, rebuilt, is_complete } = look.progress;
    let mut text = format!("Read {transactions} transactions with {events} events");
    if rebuilt > 0 {
        text.push_str(&format!(", {rebuilt} more rebuilt from instructions"));
    }
    if let Some(newest) = look.newest {
        text.push_str(&format!(", up to slot {}, {}", newest.slot, moment(newest.time)));
    }
    text.push('.');
    if !is_complete {
        text.push_str("\nThe node lists a transaction that it does not give yet.");
    }
    text.push_str(&display_gaps(look.gaps));
    text
}

fn display_gaps(gaps: &[crate::read::Gap]) -> String {
    let range = |gap: &crate::read::Gap| match gap.first == gap.last {
        true => format!("event {}", gap.first),
        false => format!("events {} to {}", gap.first, gap.last),
    };
    gaps.iter()
        .map(|gap| format!("\nMissing of pool {}: {}, since {}.", gap.pool, range(gap), moment(gap.found_at)))
        .collect()
}

fn display_status(status: &Status) -> String {
    let mut text = format!("{}\n  version {}", status.file, status.version);
    if let Some(genesis) = &status.genesis {
        text.push_str(&format!(", of the cluster with genesis {genesis}"));
    }
    match status.newest {
        Some(newest) => text.push_str(&format!(
            "\n  newest transaction in slot {}, {}\n  {}",
            newest.slot,
            moment(newest.time),
            newest.signature
        )),
        None => text.push_str("\n  nothing was read yet"),
    }
    if let Some(at) = status.complete_at {
        text.push_str(&format!("\n  the node last had nothing newer {}", moment(at)));
    }
    text.push_str(&format!(
        "\n  {} transactions, {} with a log that was cut; {} events, {} rebuilt from instructions; {} to be read",
        status.transactions, status.cut, status.events, status.rebuilt, status.pending
    ));
    for pool in &status.pools {
        text.push_str(&format!("\n  pool {}: {} events", pool.pool, pool.events));
    }
    text.push_str(&display_gaps(&status.gaps));
    for unread in &status.unread {
        text.push_str(&format!(
            "\nListed and not given: {} in slot {}, asked for {} times.",
            unread.signature, unread.slot, unread.attempts
        ));
    }
    if status.is_whole() {
        text.push_str("\nNothing is missing.");
    } else {
        text.push_str("\n`backstop index repair` asks again, a node with a full history best.");
    }
    text
}

fn display_shown(history: &ShownHistory) -> String {
    let mut text = format!("Trigger {} of product {}", history.trigger, history.product);
    if let Some(attestors) = history.attestors {
        text.push_str(&format!("\nReports by the attestors {attestors}"));
    }
    if history.is_cut {
        text.push_str("\nThere is more before: --most");
    }
    for shown in &history.shown {
        text.push_str(&format!("\n{}  {}  {}", moment(shown.of), shown.says.words(), shown.moment.signature));
    }
    if history.shown.is_empty() {
        text.push_str("\nNothing was shown yet.");
    }
    text
}

fn display_verified(verified: &Verified) -> String {
    let mut text = format!("Read between slots {} and {}.", verified.slots.0, verified.slots.1);
    for pool in &verified.pools {
        let verdict = match (pool.is_compared, pool.differences.len()) {
            (false, _) => "changed while it was read: not compared".to_owned(),
            (true, 0) => "as the account says".to_owned(),
            (true, off) => format!("{off} figures are off"),
        };
        text.push_str(&format!("\nPool {} {}: {} events, {verdict}", pool.name, pool.pool, pool.events));
        for difference in &pool.differences {
            let crate::verify::Difference { figure, events, account } = difference;
            text.push_str(&format!("\n  {figure}: by the events {events}, by the account {account}"));
        }
    }
    text.push_str(&display_gaps(&verified.gaps));
    for finding in &verified.findings {
        text.push_str(&format!("\nAudit: {finding}"));
    }
    text.push_str(if verified.is_ok { "\nOK: nothing is off." } else { "\nSomething is off." });
    text
}

fn display_repaired(repaired: &Repaired) -> String {
    let Progress { events, rebuilt, .. } = repaired.progress;
    let mut text = format!(
        "Asked again for {} transactions around {} gaps: {events} events came, {rebuilt} were rebuilt.",
        repaired.asked_again,
        repaired.before.len()
    );
    text.push_str(&display_gaps(&repaired.after));
    if repaired.after.is_empty() {
        text.push_str("\nNothing is missing.");
    }
    text
}

fn display_exchanged(what: &str, done: &Exchanged) -> String {
    format!("{what} {} transactions with {} events.\nSHA-256 {}", done.transactions, done.events, done.sha256)
}
