//! `backstop localnet`: a full local cluster to try everything on.

use crate::commands::context::hinted;
use crate::output::{self, ACCENT, GOOD, HEADING, Output, QUIET, indented, paint, table};
use backstop_client::units::{decimal, duration};
use backstop_sandbox::localnet::{self, Layout, Localnet, LocalnetError, Options, prices};
use clap::{Args, Subcommand};
use rust_decimal::Decimal;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Start a full local cluster: the program, mints, wallets with money, a pool with two products, reinsurance, prices.
///
/// Answers JSON-RPC as any cluster does, so that every other command works against it; everything is in memory and gone
/// when it stops (Ctrl-C). Keypairs and the price file stay in its directory and are used again. Whoever changes the
/// price file changes what the oracle says, within a second. The cluster's clock begins up to a day ahead, because capital
/// counts only from the day after it came in.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  backstop localnet\n  backstop -C localnet/config.yml pool list\n  \
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
    /// Make new keypairs and a new price file first.
    #[arg(long)]
    reset: bool,
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

/// Set the price of a feed, in the price file.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  backstop localnet price USDC/USD 0.85\n  \
                        backstop localnet price USDC/USD 1 --confidence 0.0005")]
struct PriceArgs {
    /// The feed's name.
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

/// Runs the command.
pub fn run(args: &LocalnetArgs, output: Output) -> anyhow::Result<()> {
    let ran = match &args.command {
        None => start(&args.start, output),
        Some(LocalnetCommand::Advance(args)) => advance(args, output),
        Some(LocalnetCommand::Price(args)) => price(args, output),
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
    match hint(&error) {
        Some(hint) => hinted(error.to_string(), hint),
        None => error.into(),
    }
}

fn hint(error: &LocalnetError) -> Option<&'static str> {
    match error {
        LocalnetError::Port { .. } => Some("--rpc-port and --ws-port take another, 0 takes any"),
        LocalnetError::Running { .. } => Some("stop it with Ctrl-C where it runs, or name another --dir"),
        LocalnetError::NotRunning(_) => Some("`backstop localnet` starts one"),
        LocalnetError::NotLocal { .. } => Some("only a localnet's clock can be moved, and only forwards"),
        LocalnetError::Prices { .. } => Some("a line is a feed, its price, and its confidence: USDC/USD,1,0.0005"),
        _ => None,
    }
}

fn start(args: &StartArgs, output: Output) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Whoever asks twice does not want to wait.
        flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    let tell = |what: &str| anstream::eprintln!("{} {what}", paint("localnet:", QUIET));
    let begun = Instant::now();
    let options = Options {
        dir: args.directory.dir.clone(),
        rpc_port: args.rpc_port,
        // Without a number for the one there is none for the other.
        ws_port: args.ws_port.unwrap_or(if args.rpc_port == 0 { 0 } else { args.rpc_port.saturating_add(1) }),
        speed: args.speed,
        reset: args.reset,
    };
    let mut localnet = Localnet::start(&options, &mut |what| tell(what))?;
    tell(&format!("ready after {:.1} s; Ctrl-C stops it", begun.elapsed().as_secs_f32()));
    output.print(localnet.layout(), |layout| display(layout, &args.directory.dir))?;
    let ran = localnet.run(&|| stop.load(Ordering::Relaxed), &mut |what| tell(what));
    tell("stopping");
    localnet.stop()?;
    Ok(ran?)
}

/// Where a clock stands now.
#[derive(Serialize)]
struct Advanced {
    /// Unix seconds.
    now: i64,
}

fn advance(args: &AdvanceArgs, output: Output) -> anyhow::Result<()> {
    let layout = Layout::read(&args.directory.dir)?;
    let mut left = args.by.as_secs();
    anyhow::ensure!(left > 0, "the clock moves on by whole seconds: `{}` is none", humantime::format_duration(args.by));
    let step = args.step.map_or(left, |step| step.as_secs()).clamp(1, left);
    let mut now = 0;
    while left > 0 {
        let seconds = step.min(left);
        left -= seconds;
        now = localnet::advance(&layout.rpc, seconds)?;
        if args.step.is_some() {
            anstream::eprintln!("{} it is {}", paint("localnet:", QUIET), output::date_time(now));
            std::thread::sleep(args.rest);
        }
    }
    output.print(&Advanced { now }, |_| format!("It is {} UTC on the local cluster.", output::date_time(now)))
}

/// What a price file says now.
#[derive(Serialize)]
struct Priced {
    feed: String,
    price: String,
    confidence: String,
}

fn price(args: &PriceArgs, output: Output) -> anyhow::Result<()> {
    let layout = Layout::read(&args.directory.dir)?;
    let quote = prices::set(&layout.prices, &args.feed, args.price, args.confidence)?;
    let priced = Priced { feed: quote.feed, price: quote.price.to_string(), confidence: quote.confidence.to_string() };
    output.print(&priced, |now| format!("{} is at {} ± {} from now on.", now.feed, now.price, now.confidence))
}

/// What is where, for people.
fn display(layout: &Layout, dir: &Path) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "\n  {}  {}\n", paint("LOCALNET", ACCENT.bold()), paint("is ready", GOOD));
    let mut rows = table(&["what", "where"], &[]);
    let assets = [&layout.asset, &layout.covered].map(|mint| format!("{} ({} decimals)", mint.mint, mint.decimals));
    let [asset, covered] = &assets;
    for (what, place) in [
        ("JSON-RPC", &layout.rpc),
        ("websocket", &layout.websocket),
        ("program", &layout.program),
        (&*format!("{}, held", layout.asset.label), asset),
        (&*format!("{}, insured", layout.covered.label), covered),
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
    text.push_str(&indented(&rows));
    let mut wallets = table(&["wallet", "address", "keypair"], &[]);
    for (name, wallet) in &layout.wallets {
        wallets.add_row([name.as_str(), &wallet.address, &shown(&wallet.keypair, dir)]);
    }
    let _ = writeln!(text, "\n{}", indented(&wallets).trim_end());
    let _ = writeln!(text, "\n  {}", paint("In another terminal", HEADING));
    let wallet = |name: &str| shown(&layout.wallets[name].keypair, dir);
    let (product, feed) = (&layout.products[0].product, &layout.feeds[0].name);
    for line in [
        format!("export SOLANA_CONFIG_FILE={}", shown(&layout.config, dir)),
        format!("backstop pool deposit {} 1000 --tranche senior", layout.pool),
        format!("backstop -k {} cover buy {product} 1000 --days 30", wallet("bob")),
        format!("backstop -k {} crank run --interval 1s", wallet("crank")),
    ] {
        let _ = writeln!(text, "    {line}");
    }
    let _ = writeln!(text, "\n  {}", paint("And in a third one, once the cover is bought", HEADING));
    let at = if dir == Path::new(DIRECTORY) { String::new() } else { format!(" --dir {}", dir.display()) };
    for line in [
        format!("backstop localnet advance 2days{at}"),
        format!("backstop localnet price {feed} 0.85{at}"),
        format!("backstop localnet advance 3h --step 10m{at}"),
    ] {
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// A file of the directory as its user calls it.
fn shown(file: &Path, dir: &Path) -> String {
    let name = file.file_name().map(Path::new);
    name.map_or_else(|| file.display().to_string(), |name| dir.join(name).display().to_string())
}
