//! `backstop localnet`: a full local cluster to try everything on, in a process of its own, and what is done to it.

use crate::commands::args::Amount;
use crate::commands::companion;
use crate::commands::context::{UsageError, hinted};
use crate::commands::page;
use crate::output::{self, ACCENT, GOOD, HEADING, Output, QUIET, listing, paint, table, tidy_amount};
use anchor_lang::prelude::Pubkey;
use anyhow::{Context as _, Result};
use backstop_client::units::{decimal, duration};
use backstop_sandbox::localnet::{self, Layout, LocalnetError, Mint};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use rust_decimal::Decimal;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Start a full local cluster: the program, mints, wallets with money, a pool with two products, reinsurance, prices.
///
/// Answers JSON-RPC as any cluster does, so that every other command works against it; everything is in memory and gone
/// when it stops (Ctrl-C). A new start begins calm, with new accounts and balances; keypairs stay in its directory and are
/// used again, so addresses stay as they were. Whoever changes the price file changes what the oracle says, within a
/// second. The cluster's clock begins up to a day ahead, because capital counts only from the day after it came in.
///
/// The cluster takes long to compile, so it is a binary of its own, backstop-localnet, beside this one or on the PATH. If
/// backstop-page is there too, it serves the page of this cluster, with its history.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  backstop localnet\n  . localnet/env && backstop pool list\n  \
                  backstop localnet price USDC/USD 0.85\n  backstop localnet advance 3h --step 10m"
)]
pub struct LocalnetArgs {
    #[command(subcommand)]
    command: Option<LocalnetCommand>,
    #[command(flatten)]
    start: StartArgs,
}

/// What can be done to a local cluster that runs.
#[derive(Debug, Subcommand)]
enum LocalnetCommand {
    Advance(AdvanceArgs),
    Price(PriceArgs),
    Level(LevelArgs),
    Fund(FundArgs),
}

/// The directory, if no other is named.
const DIRECTORY: &str = "localnet";

#[derive(Args, Debug)]
struct Directory {
    /// Where keypairs, prices, and the description of the running cluster are.
    #[arg(long, env = "BACKSTOP_LOCALNET", value_name = "DIR", default_value = DIRECTORY)]
    dir: PathBuf,
}

#[derive(Args, Debug)]
struct StartArgs {
    #[command(flatten)]
    directory: Directory,
    /// Port of the JSON-RPC; 0 takes any.
    #[arg(long, value_name = "PORT", default_value_t = 8899)]
    rpc_port: u16,
    /// Port of the websocket; the one after --rpc-port if not given.
    #[arg(long, value_name = "PORT")]
    ws_port: Option<u16>,
    /// Seconds that the cluster's clock moves on in one second.
    #[arg(long, value_name = "FACTOR", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    speed: u32,
    /// Make new keypairs first: every address changes.
    #[arg(long)]
    reset: bool,
    /// Go on with the prices of the last run, instead of beginning calm.
    #[arg(long, conflicts_with = "reset")]
    keep_prices: bool,
    /// Port of the page; 0 takes any.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    page_port: u16,
    /// Do not serve the page.
    #[arg(long, conflicts_with = "page_port")]
    no_page: bool,
    /// Turn the crank, too: show prices, open incidents, pay covers and exits. Its log is crank.log.
    #[arg(long)]
    crank: bool,
}

/// Move the cluster's clock on.
///
/// In one step nobody can see what happened on the way: with --step it goes in steps and rests after each, so that prices
/// are posted and a crank can show them.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  backstop localnet advance 2days\n  backstop localnet advance 1h --step 5m --rest 2s"
)]
struct AdvanceArgs {
    /// How far: `90s`, `4h`, `2days`.
    #[arg(value_parser = duration)]
    by: Duration,
    /// In steps of this length.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    step: Option<Duration>,
    /// How long to rest after each step.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration, requires = "step")]
    rest: Duration,
    #[command(flatten)]
    directory: Directory,
}

/// Set what an account says that a live feed reads.
///
/// A local cluster has a stake pool (what one token is worth in SOL), a lending reserve (what one share is worth) and two vaults (how
/// many of the insured token each holds), by the bytes of their programs, which are not there. A live feed counts what is shown
/// twice in a slot, so let a crank run while the clock moves on in steps.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  backstop localnet level stake-pool 0.9\n  backstop localnet level vault-a 0")]
struct LevelArgs {
    /// Which: stake-pool, reserve, vault-a or vault-b.
    #[arg(value_name = "SOURCE")]
    source: localnet::levels::Source,
    /// Its level, with at most six decimals.
    #[arg(value_name = "LEVEL", value_parser = decimal)]
    level: Decimal,
    #[command(flatten)]
    directory: Directory,
}

/// Set the price of a feed that some product watches.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  backstop localnet price USDC/USD 0.85\n  \
                        backstop localnet price USDC/USD 1 --confidence 0.0005")]
struct PriceArgs {
    /// The feed's name, or its id in hexadecimal.
    feed: String,
    /// Its price, with at most eight decimals.
    #[arg(value_parser = decimal)]
    price: Decimal,
    /// Half the width of the oracle's interval around the price; as it was if not given.
    #[arg(long, value_name = "AMOUNT", value_parser = decimal)]
    confidence: Option<Decimal>,
    #[command(flatten)]
    directory: Directory,
}

/// Hand out SOL and both assets.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  backstop localnet fund ADDRESS\n  backstop localnet fund alice --usdt 5000 --sol 0"
)]
struct FundArgs {
    /// Who gets it: an address, or one of the cluster's wallets by its name.
    #[arg(value_name = "ADDRESS")]
    to: String,
    /// How much SOL.
    #[arg(long, value_name = "AMOUNT", default_value = "10")]
    sol: Amount,
    /// How much of the asset that the pools hold.
    #[arg(long, value_name = "AMOUNT", default_value = "10000")]
    usdt: Amount,
    /// How much of the asset that is insured.
    #[arg(long, value_name = "AMOUNT", default_value = "10000")]
    usdc: Amount,
    #[command(flatten)]
    directory: Directory,
}

/// Runs the command.
pub fn run(args: &LocalnetArgs, output: Output) -> Result<()> {
    let ran = match &args.command {
        None => start(&args.start, output),
        Some(LocalnetCommand::Advance(args)) => advance(args, output),
        Some(LocalnetCommand::Price(args)) => price(args, output),
        Some(LocalnetCommand::Level(args)) => level(args, output),
        Some(LocalnetCommand::Fund(args)) => fund(args, output),
    };
    ran.map_err(explained)
}

/// An error with a hint, where there is one to give.
fn explained(error: anyhow::Error) -> anyhow::Error {
    let error = match error.downcast::<LocalnetError>() {
        Ok(LocalnetError::Cluster(failure)) => return failure.into(),
        Ok(error) => error,
        Err(other) => return other,
    };
    match error.hint() {
        Some(hint) => hinted(error.to_string(), hint),
        None => error.into(),
    }
}

/// The cluster's binary.
fn binary() -> Result<PathBuf> {
    companion::find(localnet::BINARY).ok_or_else(|| {
        let sentence = format!("there is no {} beside this binary or on the PATH", localnet::BINARY);
        hinted(sentence, format!("build it, once, in the project's directory: `{}` {BUILD_TIME}", localnet::BUILD))
    })
}

/// How long the cluster takes to compile.
const BUILD_TIME: &str = "(10 to 15 minutes of one processor core, half of that with two)";

/// The cluster's process, which ends with this one: it stops when its stdin ends.
struct Cluster(Child);

impl Cluster {
    fn start(args: &StartArgs) -> Result<Self> {
        let binary = binary()?;
        // Without a number for the one port there is none for the other.
        let ws_port = args.ws_port.unwrap_or(if args.rpc_port == 0 { 0 } else { args.rpc_port.saturating_add(1) });
        let mut command = Command::new(&binary);
        command.arg("--until-stdin-ends").arg("--dir").arg(&args.directory.dir);
        for (flag, number) in
            [("--rpc-port", args.rpc_port.into()), ("--ws-port", ws_port.into()), ("--speed", args.speed)]
        {
            command.arg(flag).arg(number.to_string());
        }
        command.args(args.reset.then_some("--reset")).args(args.keep_prices.then_some("--keep-prices"));
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Ok(Self(started.with_context(|| format!("{} cannot be started", binary.display()))?))
    }

    /// What is where, once everything is there; `None` if it ended before that.
    fn ready(&mut self) -> Result<Option<Layout>> {
        let mut line = String::new();
        if let Some(stdout) = self.0.stdout.take() {
            line = first_line(stdout)?;
        }
        if line.is_empty() {
            return Ok(None);
        }
        let rebuild = || format!("build it again, as this one is of another version: `{}`", localnet::BUILD);
        let layout: Layout = serde_json::from_str(&line)
            .map_err(|why| hinted(format!("{} says what is not understood: {why}", localnet::BINARY), rebuild()))?;
        if layout.program_sha256 != localnet::program_sha256()? {
            let sentence = format!("{} runs another version of the program than this one knows", localnet::BINARY);
            return Err(hinted(sentence, rebuild()));
        }
        Ok(Some(layout))
    }

    /// Waits until it ends, and makes it end once `stop` says so.
    fn wait(&mut self, stop: &AtomicBool) -> Result<ExitStatus> {
        loop {
            if stop.load(Ordering::Relaxed) {
                drop(self.0.stdin.take());
            }
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn start(args: &StartArgs, output: Output) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Whoever asks twice does not want to wait.
        flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    let mut cluster = Cluster::start(args)?;
    let layout = cluster.ready();
    // They end with this.
    let (mut page, mut crank) = (None, None);
    if let Ok(Some(layout)) = &layout {
        page = if args.no_page { None } else { Page::start(args, layout) };
        crank = if args.crank { Some(Crank::start(args, layout)?) } else { None };
        let ready = Ready { page: page.as_ref().map(|page| page.url.clone()), layout };
        output.print(&ready, |ready| display(ready, &args.directory.dir, args.crank))?;
    } else {
        stop.store(true, Ordering::Relaxed);
    }
    let status = cluster.wait(&stop)?;
    drop((page, crank));
    match (layout?, status.success()) {
        (Some(_), true) => Ok(()),
        // It has said why itself.
        _ => std::process::exit(status.code().unwrap_or(1).max(1)),
    }
}

/// What is where, with the page.
#[derive(Serialize)]
struct Ready<'a> {
    /// Where the page is, if it is served.
    page: Option<String>,
    #[serde(flatten)]
    layout: &'a Layout,
}

/// The page's process, which ends with this one: it stops when its stdin ends.
struct Page {
    child: Child,
    url: String,
}

impl Page {
    /// Starts the page of a cluster. A cluster without a page is one, too: what is in the way is told.
    fn start(args: &StartArgs, layout: &Layout) -> Option<Self> {
        let tell = |what: String| anstream::eprintln!("{} {what}", paint("localnet:", QUIET));
        let Some(binary) = companion::find(page::BINARY) else {
            tell(format!("without the page: `{}` builds it, once, in some minutes", page::BUILD));
            return None;
        };
        let file = args.directory.dir.join("history.sqlite");
        // A new start is a new chain: what is kept of the last one is none of its history.
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
        }
        let mut command = Command::new(binary);
        command.arg("serve").arg("--until-stdin-ends").arg("--follow").arg("--refresh").arg("1s");
        command.arg("--listen").arg(format!("127.0.0.1:{}", args.page_port)).arg("--database").arg(file);
        // Whoever has no terminal gets money there.
        command.arg("--local").arg(&args.directory.dir);
        command.env("BACKSTOP_URL", &layout.rpc).env_remove("BACKSTOP_COMMITMENT");
        match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
            Ok(mut child) => {
                if let Some(Ok(url)) = child.stdout.take().map(first_line)
                    && !url.is_empty()
                {
                    return Some(Self { child, url: url.trim().to_owned() });
                }
                // It has said why itself.
                let _ = child.wait();
                tell("without the page: --page-port names another port, and --no-page leaves it out".into());
            }
            Err(why) => tell(format!("without the page, which cannot be started: {why}")),
        }
        None
    }
}

/// The first line that a child prints. What it prints after that is read too, and told to nobody: a pipe that nobody
/// reads would end it.
fn first_line(stdout: ChildStdout) -> std::io::Result<String> {
    let (mut reader, mut line) = (BufReader::new(stdout), String::new());
    reader.read_line(&mut line)?;
    std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    Ok(line)
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It may have ended by itself.
        let _ = self.child.wait();
    }
}

/// A crank of the cluster, which ends with this process: it stops when its stdin ends.
struct Crank(Child);

impl Crank {
    fn start(args: &StartArgs, layout: &Layout) -> Result<Self> {
        let this = std::env::current_exe().context("this binary is not found")?;
        let file = args.directory.dir.join("crank.log");
        let log = File::create(&file).with_context(|| format!("{} cannot be written", file.display()))?;
        let wallet = layout.wallets.get("crank").context("the cluster has no wallet for a crank")?;
        let mut command = Command::new(this);
        command.arg("-C").arg(&layout.config).arg("--keypair").arg(&wallet.keypair);
        command.args(["crank", "run", "--interval", "1s", "--create-accounts", "all", "--until-stdin-ends"]);
        // What is set for other clusters is not meant for this one.
        let others = ["BACKSTOP_URL", "BACKSTOP_COMMITMENT", "BACKSTOP_FEE_PAYER", "BACKSTOP_PRICE_SOURCE"];
        others.into_iter().for_each(|name| {
            command.env_remove(name);
        });
        let started = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn();
        Ok(Self(started.context("the crank cannot be started")?))
    }
}

impl Drop for Crank {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It may have ended by itself.
        let _ = self.0.wait();
    }
}

/// Where a clock stands now.
#[derive(Serialize)]
struct Advanced {
    /// Unix seconds.
    now: i64,
}

fn advance(args: &AdvanceArgs, output: Output) -> Result<()> {
    let layout = Layout::read(&args.directory.dir)?;
    let whole = args.by.as_secs();
    if whole == 0 || args.by.subsec_nanos() > 0 {
        let by = humantime::format_duration(args.by);
        return Err(UsageError(format!("the clock moves on by whole seconds, a second at least: not by {by}")).into());
    }
    let step = args.step.map_or(whole, |step| step.as_secs()).min(whole);
    if step == 0 {
        return Err(UsageError("--step is a second at least".to_owned()).into());
    }
    let steps = whole.div_ceil(step);
    let watched = std::io::stderr().is_terminal();
    let style = ProgressStyle::with_template("  {bar:24.cyan} {pos:>3}/{len}  {msg}")?;
    let bar = if watched && steps > 1 { ProgressBar::new(steps).with_style(style) } else { ProgressBar::hidden() };
    let (mut now, mut left) = (0, whole);
    for number in 1..=steps {
        let seconds = step.min(left);
        left -= seconds;
        now = localnet::advance(&layout.rpc, seconds)?;
        let rests = args.step.filter(|_| number < steps || args.rest > Duration::ZERO).map(|_| args.rest);
        let wait = args.rest.as_secs_f64() * (steps - number) as f64;
        let said = format!("{}, {wait:.0} s to go", output::moment(now));
        bar.set_position(number);
        bar.set_message(said.clone());
        if !watched && steps > 1 {
            anstream::eprintln!("{} {number}/{steps}: it is {said}", paint("localnet:", QUIET));
        }
        if let Some(rest) = rests {
            std::thread::sleep(rest);
        }
    }
    bar.finish_and_clear();
    output.print(&Advanced { now }, |_| format!("It is {} on the local cluster.", output::moment(now)))
}

/// What a levels file says now.
#[derive(Serialize)]
struct Levelled {
    source: String,
    account: String,
    level: String,
}

fn level(args: &LevelArgs, output: Output) -> Result<()> {
    let layout = Layout::read(&args.directory.dir)?;
    let level = localnet::levels::set(&layout.levels, args.source, args.level)?;
    let levelled = Levelled {
        source: level.source.to_string(),
        account: level.source.account().to_string(),
        level: level.level.to_string(),
    };
    output.print(&levelled, |now| format!("The {} {} is at {} from now on.", now.source, now.account, now.level))
}

/// What a price file says now.
#[derive(Serialize)]
struct Priced {
    feed: String,
    price: String,
    confidence: String,
}

fn price(args: &PriceArgs, output: Output) -> Result<()> {
    let layout = Layout::read(&args.directory.dir)?;
    let quote = localnet::set_price(&layout, &args.feed, args.price, args.confidence)?;
    let priced = Priced { feed: quote.feed, price: quote.price.to_string(), confidence: quote.confidence.to_string() };
    output.print(&priced, |now| format!("{} is at {} ± {} from now on.", now.feed, now.price, now.confidence))
}

fn fund(args: &FundArgs, output: Output) -> Result<()> {
    const SOL_DECIMALS: u8 = 9;
    let layout = Layout::read(&args.directory.dir)?;
    let to: Pubkey = match layout.wallets.get(&args.to) {
        Some(wallet) => wallet.address.parse()?,
        None => args.to.parse().map_err(|_| {
            let names: Vec<&str> = layout.wallets.keys().map(String::as_str).collect();
            UsageError(format!("`{}` is no address, and no wallet of {}", args.to, names.join(", ")))
        })?,
    };
    let Layout { asset, covered, .. } = &layout;
    let grant = localnet::Grant {
        lamports: args.sol.units(SOL_DECIMALS)?,
        asset: args.usdt.units(asset.decimals)?,
        covered: args.usdc.units(covered.decimals)?,
    };
    let funded = localnet::fund(&layout, &to, &grant)?;
    output.print(&funded, |held| {
        let tokens = |units, mint: &Mint| format!("{} {}", tidy_amount(units, mint.decimals), mint.label);
        let sol = tidy_amount(held.lamports, SOL_DECIMALS);
        let (usdt, usdc) = (tokens(held.asset, asset), tokens(held.covered, covered));
        format!("{} holds now\n  {sol} SOL\n  {usdt}\n  {usdc}", held.address)
    })
}

/// What is where, for people.
fn display(ready: &Ready, dir: &Path, cranks: bool) -> String {
    let Ready { page, layout } = ready;
    let mut text = String::new();
    if let Some(page) = page {
        let _ = writeln!(text, "\n  {}  {}", paint("PAGE", ACCENT.bold()), paint(page, GOOD));
    }
    let _ = writeln!(text, "\n  {}  {}\n", paint("LOCALNET", ACCENT.bold()), paint("is ready", GOOD));
    let mut rows = table(&["what", "where"], &[]);
    for (what, place) in [
        ("JSON-RPC", &layout.rpc),
        ("websocket", &layout.websocket),
        ("program", &layout.program),
        (&*format!("{}, held", layout.asset.label), &layout.asset.mint),
        (&*format!("{}, insured", layout.covered.label), &layout.covered.mint),
        ("pool", &layout.pool),
        ("reinsuring pool", &layout.reinsurance_pool),
        ("treaty", &layout.treaty),
    ] {
        rows.add_row([what, place.as_str()]);
    }
    for product in &layout.products {
        rows.add_row([product.name.as_str(), &product.product]);
    }
    for feed in &layout.feeds {
        rows.add_row([format!("price of {}", feed.name), feed.account.clone()]);
    }
    text.push_str(&listing(&rows));
    let mut wallets = table(&["wallet", "address"], &[]);
    for (name, wallet) in &layout.wallets {
        wallets.add_row([name.as_str(), &wallet.address]);
    }
    let _ = writeln!(text, "\n{}", listing(&wallets).trim_end());
    let keypair = |name: &str| dir.join(format!("{name}.json")).display().to_string();
    let _ = writeln!(text, "\n  {}", paint(format!("The keypair of each is in {}.", keypair("NAME")), QUIET));
    let feed = &layout.feeds[0].name;
    let env = format!(". {}", dir.join("env").display());
    let mut second = vec![
        env.clone(),
        "backstop pool deposit $POOL 1000 --tranche senior".into(),
        "backstop -k $BOB_KEY cover buy $PRODUCT 1000 --days 30".into(),
    ];
    if !cranks {
        second.push("backstop -k $CRANK_KEY crank run --interval 1s".into());
    }
    for (title, lines) in [
        ("In a second terminal", second),
        (
            "And in a third one, once the cover is bought",
            vec![
                env,
                "backstop localnet advance 2days".into(),
                format!("backstop localnet price {feed} 0.85"),
                "backstop localnet advance 3h --step 10m".into(),
            ],
        ),
    ] {
        let _ = writeln!(text, "\n  {}", paint(title, HEADING));
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}
