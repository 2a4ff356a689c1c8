//! `backstop crank`: does what anyone may do, as soon as it is due.

use crate::commands::context::{Context, hinted, misused};
use crate::output;
use anchor_lang::prelude::Pubkey;
use anyhow::{Result, anyhow};
use backstop_client::{Cluster, redact};
use backstop_keeper::crank::limits::Delays;
use backstop_keeper::crank::monitor::Endpoint;
use backstop_keeper::crank::work::{self, Waiting};
use backstop_keeper::crank::{
    Accounts, Crank, Health, Hermes, Monitor, Options, PriceSource, Report, Settings, SignedFile,
};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

const EXAMPLE: &str = "\
Example:
  backstop crank run --once
  backstop crank run --interval 10s --budget 50000000 --metrics 127.0.0.1:9464 --log-format json
  backstop crank run --price-source hermes:https://hermes.pyth.network

A crank keeps nothing but what the chain says: kill it, start it again, run several, each with a payer of its own.
SIGINT and SIGTERM end it after the transactions under way, with exit code 0; a second one ends it at once.";

/// The commands on cranks.
#[derive(Debug, Subcommand)]
pub enum CrankCommand {
    Run(RunArgs),
}

impl CrankCommand {
    /// Runs the command.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Run(args) => run(&args, context),
        }
    }
}

/// How logs are written on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Where prices come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceName {
    /// Price accounts on chain: the standing ones of every feed, and these.
    Account(Vec<Pubkey>),
    /// A file of signed updates.
    File(PathBuf),
    /// A Hermes service.
    Hermes(String),
}

/// Observes, confirms, opens, calls, funds, settles, pays exits and treaty premiums: whatever is due, for everybody.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct RunArgs {
    /// Stop as soon as nothing is due, and print what was done.
    #[arg(long)]
    pub once: bool,
    /// How long to wait when nothing is due.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = backstop_client::units::duration)]
    pub interval: Duration,
    /// Work for this pool only; may be given several times.
    #[arg(long = "pool", value_name = "ADDRESS")]
    pub pools: Vec<Pubkey>,
    /// Where prices come from: `account` (what is on chain), `account:ADDRESS,...` (these too), `file:PATH` (signed
    /// updates in base64 or hex, one a line) or `hermes:URL`.
    #[arg(long, value_name = "SOURCE", default_value = "account", value_parser = source_name)]
    pub price_source: SourceName,
    /// The key of the Hermes service.
    #[arg(long, env = "BACKSTOP_HERMES_KEY", hide_env_values = true, value_name = "KEY")]
    pub hermes_key: Option<String>,
    /// Most lamports in any hour, fees and rent; beyond it the crank runs on and sends nothing.
    #[arg(long, env = "BACKSTOP_CRANK_BUDGET", value_name = "LAMPORTS")]
    pub budget: Option<u64>,
    /// Create missing accounts of those who are to be paid. Costs rent that their owners can take.
    #[arg(long)]
    pub create_accounts: bool,
    /// Leave it to the owners of exit tickets to claim.
    #[arg(long)]
    pub no_claims: bool,
    /// Serve Prometheus metrics at /metrics and a health check at /health.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// How logs are written on stderr; RUST_LOG says how much.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

fn source_name(text: &str) -> Result<SourceName, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "account" => {
            let named = rest.split(',').filter(|address| !address.is_empty());
            let address = |text: &str| text.parse().map_err(|_| format!("`{text}` is no address"));
            Ok(SourceName::Account(named.map(address).collect::<Result<_, String>>()?))
        }
        "file" if !rest.is_empty() => Ok(SourceName::File(rest.into())),
        "hermes" if rest.starts_with("http://") || rest.starts_with("https://") => {
            Ok(SourceName::Hermes(rest.to_owned()))
        }
        _ => Err("give account, account:ADDRESS,..., file:PATH or hermes:URL".into()),
    }
}

fn source(args: &RunArgs, payer: &dyn Signer) -> Box<dyn PriceSource> {
    match &args.price_source {
        SourceName::Account(named) => Box::new(Accounts { named: named.clone() }),
        SourceName::File(path) => Box::new(SignedFile::new(path.clone(), payer)),
        SourceName::Hermes(url) => Box::new(Hermes::new(url, args.hermes_key.clone(), payer)),
    }
}

fn run(args: &RunArgs, context: &Context) -> Result<()> {
    if context.options.handover.prints() {
        return Err(misused("a crank sends many transactions and cannot print them", "--dry-run tells what is due"));
    }
    log(args.log_format);
    let (cluster, payer) = (context.cluster()?, context.fee_payer()?);
    let settings =
        Settings { pools: args.pools.clone(), claim_exits: !args.no_claims, create_accounts: args.create_accounts };
    let options = Options {
        settings,
        budget: args.budget,
        priority_fee: context.priority_fee()?,
        delays: Delays { first: args.interval, ..Options::default().delays },
        ..Options::default()
    };
    let mut crank = Crank::new(cluster, payer, source(args, payer), options);
    if context.options.dry_run {
        let plan = crank.look()?;
        let due = Due { due: work::count(&plan.due), waiting: plan.waiting };
        return context.options.output.print(&due, show_due);
    }
    if cluster.account(&payer.pubkey())?.is_none() {
        let sentence = format!("the wallet {} that pays for the crank has no SOL", payer.pubkey());
        return Err(hinted(sentence, "send SOL to it; on a test cluster: `solana airdrop 1`"));
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first asks to stop, a second does not ask.
        flag::register_conditional_shutdown(signal, 1, stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    crank.stop_on(stop);
    if args.once {
        return context.options.output.print(&crank.run_until_idle()?, show_report);
    }
    let health = Arc::new(Health::new(args.interval));
    let monitor = Arc::new(Monitor::new(health.clone()));
    crank.watch_health(health);
    let endpoint = args.metrics.map(|address| Endpoint::start(address, monitor.clone()));
    let endpoint = endpoint.transpose().map_err(|why| anyhow!(why))?;
    if let Some(endpoint) = &endpoint {
        tracing::info!(address = %endpoint.address(), "serving metrics and health");
    }
    tracing::info!(payer = %payer.pubkey(), cluster = cluster.host(), "cranking");
    crank.serve(args.interval, &monitor);
    tracing::info!("stopped");
    Ok(())
}

/// Sends logs to stderr.
fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("backstop_keeper=info,backstop_client=info,backstop=info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| redact::Redacting(std::io::stderr()))
        .with_target(false);
    let logs = logs.with_ansi(std::io::stderr().is_terminal());
    // Only one part of a process can set the logs up: whoever did it before goes on.
    let _ = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
}

/// What a dry run tells.
#[derive(Serialize)]
struct Due {
    due: BTreeMap<&'static str, usize>,
    waiting: Vec<Waiting>,
}

fn show_due(due: &Due) -> String {
    let mut text = if due.due.is_empty() {
        "Nothing is due.\n".to_owned()
    } else {
        let rows = due.due.iter().map(|(kind, count)| (*kind, output::thousands(*count as u64)));
        counts("due", rows)
    };
    text.push_str(&show_waiting(&due.waiting));
    text
}

fn counts<'a>(what: &str, rows: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut table = output::table(&["instruction", what], &[1]);
    for (kind, count) in rows {
        table.add_row(vec![kind.to_owned(), count]);
    }
    output::indented(&table)
}

fn show_report(report: &Report) -> String {
    let mut text = if report.done.is_empty() {
        let nothing = if report.skipped.is_empty() { "Nothing was due.\n" } else { "Nothing was done.\n" };
        nothing.to_owned()
    } else {
        counts("done", report.done.iter().map(|(kind, count)| (*kind, output::thousands(*count))))
    };
    let sol = |lamports: u64| format!("{} SOL", output::exact_amount(lamports, 9));
    text.push_str(&format!(
        "\n {} transactions, {} compute units, {} of fees, {} of rent\n",
        output::thousands(report.transactions),
        output::thousands(report.compute_units),
        sol(report.fees),
        sol(report.rent),
    ));
    if report.done_by_others > 0 {
        text.push_str(&format!(" {} done by others meanwhile\n", output::thousands(report.done_by_others)));
    }
    if report.out_of_budget {
        text.push_str(&output::paint(" The budget of the hour is used up.\n", output::WATCH));
    }
    if let Some(why) = &report.price_error {
        text.push_str(&output::paint(format!(" No prices: {why}\n"), output::WATCH));
    }
    for skipped in &report.skipped {
        let line = format!(" {} {} was refused: {}\n", skipped.kind, skipped.subject, skipped.why);
        text.push_str(&output::paint(line, output::BAD));
    }
    text.push_str(&show_waiting(&report.waiting));
    text
}

fn show_waiting(waiting: &[Waiting]) -> String {
    let line = |item: &Waiting| format!(" {} {} waits: {}\n", item.kind.name(), item.subject, item.why);
    waiting.iter().map(|item| output::paint(line(item), output::QUIET)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_source_is_named_by_its_kind() {
        let address = Pubkey::new_from_array([3; 32]);
        assert_eq!(source_name("account"), Ok(SourceName::Account(Vec::new())));
        assert_eq!(source_name(&format!("account:{address}")), Ok(SourceName::Account(vec![address])));
        assert_eq!(source_name("file:prices.txt"), Ok(SourceName::File("prices.txt".into())));
        assert_eq!(
            source_name("hermes:https://hermes.pyth.network"),
            Ok(SourceName::Hermes("https://hermes.pyth.network".into()))
        );
        for wrong in ["", "file:", "hermes:hermes.pyth.network", "chainlink", "account:here"] {
            assert!(source_name(wrong).is_err(), "{wrong}");
        }
    }
}
