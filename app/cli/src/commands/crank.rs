//! `backstop crank`: does what anyone may do, as soon as it is due.

use crate::commands::CheckFailed;
use crate::commands::context::{Context, hinted, misused};
use crate::output;
use anchor_lang::prelude::Pubkey;
use anyhow::{Result, anyhow};
use backstop::state::Pool;
use backstop_client::{Cluster, account, redact};
use backstop_keeper::crank::chain::Unknown;
use backstop_keeper::crank::limits::Delays;
use backstop_keeper::crank::monitor::Endpoint;
use backstop_keeper::crank::watch::FeedState;
use backstop_keeper::crank::work::{self, Waiting};
use backstop_keeper::crank::{
    Accounts, Crank, CreateAccounts, DEFAULT_BUDGET, Health, Hermes, InOrder, Look, Monitor, Options, PriceSource,
    Report, Settings, SignedFile, Signers, Standing,
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
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

const EXAMPLE: &str = "\
Example:
  backstop crank run --once
  backstop crank run --interval 10s --budget 50000000 --metrics 127.0.0.1:9464 --log-format json
  backstop crank run --price-source hermes:https://hermes.pyth.network --price-source account
  backstop crank run --attestor http://one.example:9470 --attestor http://two.example:9470

With --once it ends with exit code 3 if something is not as it should be: a watched feed without a fresh price, something
refused or not known, a budget that is used up. What was due and could be done is done all the same.

--metrics serves /metrics for Prometheus, /live (start it again if it fails), /ready (look at it if it fails: prices, budget,
balance, node) and /health, which is both.

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
    /// How long to wait when nothing is due; 100ms at least.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = interval)]
    pub interval: Duration,
    /// Work for this pool only; may be given several times. An address that is no pool is refused.
    #[arg(long = "pool", value_name = "ADDRESS")]
    pub pools: Vec<Pubkey>,
    /// Where prices come from: `account` (what is on chain), `account:ADDRESS,...` (these too), `file:PATH` (signed
    /// updates in base64 or hex, one a line) or `hermes:URL`, which can also be asked for slots that were missed. Given
    /// several times, of each feed the first is used that has a fresh price; one that is silent or disagrees is told.
    #[arg(long = "price-source", env = "BACKSTOP_PRICE_SOURCE", hide_env_values = true, value_name = "SOURCE",
          default_value = "account", value_parser = source_name)]
    pub price_sources: Vec<SourceName>,
    /// Where attestors serve what they sign (`backstop attest serve`), whatever sets and feeds they are of; may be given
    /// several times. What enough keys of a set have signed is shown, and who signs two things of a moment is accused.
    #[arg(long = "attestor", env = "BACKSTOP_ATTESTORS", hide_env_values = true, value_name = "URL", value_delimiter = ',',
          value_parser = signer_url)]
    pub attestors: Vec<String>,
    /// The key of the Hermes service.
    #[arg(long, env = "BACKSTOP_HERMES_KEY", hide_env_values = true, value_name = "KEY")]
    pub hermes_key: Option<String>,
    /// Most lamports in any hour, fees and rent, or `none`; beyond it the crank runs on and sends nothing. A tenth is kept
    /// for showing prices. Half a SOL is enough to settle about 37,000 covers at the highest fee.
    #[arg(long, env = "BACKSTOP_CRANK_BUDGET", value_name = "LAMPORTS", default_value = DEFAULT_BUDGET_TEXT,
          value_parser = budget)]
    pub budget: Budget,
    /// Whose missing accounts of the asset to create, so that they can be paid: holders of covers, who lose what nobody
    /// can receive; all, also those who leave a pool; or nobody. About 0.002 SOL each, which is theirs then.
    #[arg(long, value_enum, default_value = "covers", value_name = "WHOSE")]
    pub create_accounts: Whose,
    /// Leave it to the owners of exit tickets to claim.
    #[arg(long)]
    pub no_claims: bool,
    /// Serve Prometheus metrics at /metrics, and health checks at /live, /ready and /health.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// How logs are written on stderr; RUST_LOG says how much.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Stop when stdin ends: whoever started this holds the other side.
    #[arg(long, hide = true)]
    pub until_stdin_ends: bool,
}

/// Half a SOL, as the flag has it.
const DEFAULT_BUDGET_TEXT: &str = "500000000";
const _: () = assert!(DEFAULT_BUDGET == 500_000_000);

/// Lamports in an hour, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(Option<u64>);

fn budget(text: &str) -> Result<Budget, String> {
    match text {
        "none" => Ok(Budget(None)),
        _ => text.parse().map(|lamports| Budget(Some(lamports))).map_err(|_| "give whole lamports, or none".into()),
    }
}

/// Shortest wait between two passes: a node that is asked more often asks to be left alone.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, String> {
    let interval = backstop_client::units::duration(text)?;
    if interval < SHORTEST_INTERVAL { Err("100ms at least".into()) } else { Ok(interval) }
}

/// Whose missing accounts a crank creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whose {
    /// Those of covers' holders.
    Covers,
    /// Those of tickets' owners too.
    All,
    /// Nobody's.
    Nobody,
}

impl From<Whose> for CreateAccounts {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Covers => Self::Covers,
            Whose::All => Self::All,
            Whose::Nobody => Self::Nobody,
        }
    }
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

fn signer_url(text: &str) -> Result<String, String> {
    let named = text.starts_with("http://") || text.starts_with("https://");
    if named { Ok(text.to_owned()) } else { Err("give http://... or https://...".into()) }
}

/// A source, and what it is called.
fn named(source: &SourceName, args: &RunArgs, payer: &dyn Signer) -> (String, Box<dyn PriceSource>) {
    match source {
        SourceName::Account(named) => ("account".into(), Box::new(Accounts { named: named.clone() })),
        SourceName::File(path) => (format!("file {}", path.display()), Box::new(SignedFile::new(path.clone(), payer))),
        SourceName::Hermes(url) => {
            let source = Hermes::new(url, args.hermes_key.clone(), payer);
            (format!("hermes {}", redact::url(url)), Box::new(source))
        }
    }
}

fn source(args: &RunArgs, payer: &dyn Signer) -> Box<dyn PriceSource> {
    let mut sources: Vec<_> = args.price_sources.iter().map(|source| named(source, args, payer)).collect();
    if !args.attestors.is_empty() {
        sources.push(("signers".into(), Box::new(Signers::new(&args.attestors))));
    }
    match sources.len() {
        1 => sources.remove(0).1,
        _ => Box::new(InOrder::new(sources)),
    }
}

fn run(args: &RunArgs, context: &Context) -> Result<()> {
    if context.options.handover.prints() {
        return Err(misused("a crank sends many transactions and cannot print them", "--dry-run tells what is due"));
    }
    log(args.log_format);
    let (cluster, payer) = (context.cluster()?, context.fee_payer()?);
    for pool in &args.pools {
        account::fetch::<Pool>(cluster, pool)?;
    }
    let settings = Settings {
        pools: args.pools.clone(),
        claim_exits: !args.no_claims,
        create_accounts: args.create_accounts.into(),
    };
    let options = Options {
        settings,
        budget: args.budget.0,
        priority_fee: context.priority_fee()?,
        delays: Delays { first: args.interval, ..Options::default().delays },
        ..Options::default()
    };
    let mut crank = Crank::new(cluster, payer, source(args, payer), options);
    if context.options.dry_run {
        let Look { plan, feeds, price_error, sources, unknown } = crank.look()?;
        let due = Due { due: work::count(&plan.due), waiting: plan.waiting, feeds, price_error, sources, unknown };
        return context.options.output.print(&due, show_due);
    }
    if cluster.account(&payer.pubkey())?.is_none() {
        let sentence = format!("the wallet {} that pays for the crank has no SOL", payer.pubkey());
        return Err(hinted(sentence, "send SOL to it; on a test cluster: `solana airdrop 1`"));
    }
    let stop = context.stop.clone();
    for signal in [SIGINT, SIGTERM] {
        // The first asks to stop, a second does not ask.
        flag::register_conditional_shutdown(signal, 1, stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    if args.until_stdin_ends {
        let stop = stop.clone();
        std::thread::spawn(move || {
            // Whatever comes is not looked at; an end, or a failure, is one.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            stop.store(true, Ordering::Relaxed);
        });
    }
    crank.stop_on(stop);
    if args.once {
        let report = crank.run_until_idle()?;
        context.options.output.print(&report, show_report)?;
        return match &report.complaints()[..] {
            [] => Ok(()),
            [only] => Err(CheckFailed(only.clone()).into()),
            [first, others @ ..] => Err(CheckFailed(format!("{first}; and {} more", others.len())).into()),
        };
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
pub fn log(format: LogFormat) {
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
    feeds: Vec<FeedState>,
    price_error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<Standing>,
    unknown: Vec<Unknown>,
}

fn show_due(due: &Due) -> String {
    let mut text = if due.due.is_empty() {
        "Nothing is due.\n".to_owned()
    } else {
        let rows = due.due.iter().map(|(kind, count)| (*kind, output::thousands(*count as u64)));
        counts("due", rows)
    };
    text.push_str(&show_state(&due.feeds, due.price_error.as_deref(), &due.sources, &due.unknown));
    text.push_str(&show_waiting(&due.waiting));
    text
}

/// How prices stand, and what is not known.
fn show_state(feeds: &[FeedState], price_error: Option<&str>, sources: &[Standing], unknown: &[Unknown]) -> String {
    let mut lines = Vec::new();
    for feed in feeds {
        lines.extend(feed.complaint());
        if feed.ahead_seconds > 0 && feed.fresh {
            let ahead = feed.ahead_seconds;
            lines.push(format!("Prices are {ahead} s ahead of the cluster's clock: they are shown when they are due."));
        }
    }
    lines.extend(price_error.map(|why| format!("No prices: {why}")));
    for standing in sources {
        lines.extend(
            standing.troubles.iter().map(|(trouble, why)| format!("{}: {}: {why}", standing.who, trouble.name())),
        );
    }
    lines.extend(
        unknown.iter().map(|unknown| format!("Not known: {} ({}): {}", unknown.what, unknown.items, unknown.why)),
    );
    lines.iter().map(|line| output::paint(format!(" {line}\n"), output::WATCH)).collect()
}

fn counts<'a>(what: &str, rows: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut table = output::table(&["instruction", what], &[1]);
    for (kind, count) in rows {
        table.add_row(vec![kind.to_owned(), count]);
    }
    output::listing(&table)
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
    text.push_str(&show_state(&report.feeds, report.price_error.as_deref(), &report.sources, &report.unknown));
    for skipped in &report.skipped {
        let line = format!(" {} {} was refused: {}\n", skipped.kind, skipped.subject, skipped.why);
        text.push_str(&output::paint(line, output::BAD));
    }
    text.push_str(&show_waiting(&report.waiting));
    text
}

/// Items that are shown one by one; of more of a kind only how many there are.
const SHOWN: usize = 5;

fn show_waiting(waiting: &[Waiting]) -> String {
    let mut groups: BTreeMap<(work::Kind, &'static str), Vec<&Waiting>> = BTreeMap::new();
    for item in waiting {
        groups.entry((item.kind, item.why)).or_default().push(item);
    }
    let mut text = String::new();
    for ((kind, why), items) in groups {
        for item in items.iter().take(SHOWN) {
            let line = format!(" {} {} waits: {why}\n", kind.name(), item.subject);
            text.push_str(&output::paint(line, output::QUIET));
        }
        if items.len() > SHOWN {
            let line = format!(" {} of {} wait: {why}\n", items.len(), kind.name());
            text.push_str(&output::paint(line, output::WATCH));
        }
    }
    text
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
