//! Backstop's page and index, in a process of their own: they take long to compile, and `backstop` does not.

use backstop_client::cluster::rpc::{RpcCluster, Watcher, is_local};
use backstop_client::redact;
use backstop_client::solana_config::url_of;
use backstop_client::units::duration;
use backstop_web::local::{Local, LocalError};
use backstop_web::server::Server;
use backstop_web::site::Settings;
use clap::{Args, Parser, Subcommand, ValueEnum};
use solana_commitment_config::CommitmentConfig;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Backstop's page: pools, covers and claims to read, and transactions for wallets to sign.
#[derive(Debug, Parser)]
#[command(name = "backstop-page", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(ServeArgs),
    Index(HistoryArgs),
}

/// The history of the program in a file: share prices, sales, losses and payments by day and hour.
#[derive(Args, Debug)]
struct HistoryArgs {
    /// The cluster: its URL, or mainnet-beta, devnet, testnet, localhost (or their first letters).
    #[arg(
        short,
        long,
        global = true,
        env = "BACKSTOP_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "localhost"
    )]
    url: String,
    /// How results are printed on stdout.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: backstop_index::cli::Output,
    #[command(flatten)]
    index: backstop_index::cli::IndexArgs,
}

/// How sure a cluster must be of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Commitment {
    Processed,
    Confirmed,
    Finalized,
}

/// Serve the page.
#[derive(Args, Debug)]
struct ServeArgs {
    /// The cluster: its URL, or mainnet-beta, devnet, testnet, localhost (or their first letters).
    #[arg(short, long, env = "BACKSTOP_URL", hide_env_values = true, value_name = "URL", default_value = "localhost")]
    url: String,
    /// How sure the cluster must be of what it says: finalized, and confirmed on a cluster of this machine.
    #[arg(long, value_enum, env = "BACKSTOP_COMMITMENT", value_name = "LEVEL")]
    commitment: Option<Commitment>,
    /// Where to listen; port 0 takes any.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// A name under which the page is reached, with its port if that is not usual; may be given more than once. Without
    /// one only this machine's own names are answered.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// How often the chain is read.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    refresh: Duration,
    /// The index, which `backstop index` writes: history is read from it.
    #[arg(long, env = "BACKSTOP_INDEX", value_name = "FILE")]
    database: Option<PathBuf>,
    /// Write the index, too: what is new on the chain is read into it, at finalized.
    #[arg(long, requires = "database")]
    follow: bool,
    /// Limit the rate of requests on this machine, too.
    #[arg(long)]
    limit: bool,
    /// A proxy in front says who asks, in the last entry of X-Forwarded-For.
    #[arg(long)]
    behind_proxy: bool,
    /// Answer Solana Actions and Solana Pay, which any site may ask. They are answered anyway where others than this
    /// machine can reach the page.
    #[arg(long)]
    actions: bool,
    /// A directory that `backstop metadata build` wrote, to host under /metadata beside what the accounts give: wordings, and
    /// files of plans that are not applied yet.
    #[arg(long, value_name = "DIR")]
    metadata: Option<PathBuf>,
    /// This is the page of the local cluster of this directory: `backstop localnet` says so, and nobody else should. It
    /// hands out that cluster's money, and moves its price and clock. On any other cluster it does not start.
    #[arg(long, value_name = "DIR", hide = true)]
    local: Option<PathBuf>,
    /// Stop when stdin ends: whoever started this holds the other side.
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

/// What ends this before it served.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0} is no cluster: --url takes a URL, or mainnet-beta, devnet, testnet or localhost")]
    NoCluster(String),
    #[error("the page cannot listen on {0}: {1}; --listen names another address or port")]
    Listen(SocketAddr, std::io::Error),
    #[error("the page needs names to answer to, as others than this machine can reach {0}: --host NAME")]
    NoHost(SocketAddr),
    #[error("the page is not that of a local cluster: {0}")]
    Local(#[from] LocalError),
    #[error("the page of a local cluster is for this machine only, not for {0}")]
    LocalElsewhere(SocketAddr),
    #[error("the index: {0}")]
    Index(#[from] backstop_index::IndexError),
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl Failed {
    /// What the process ends with, as `backstop` does: 3 where a check does not hold, 4 where the cluster does not answer.
    fn code(&self) -> ExitCode {
        use backstop_client::cluster::ClusterError;
        use backstop_index::IndexError;
        match self {
            Self::Index(IndexError::Off { .. }) => ExitCode::from(3),
            Self::Index(IndexError::Cluster(ClusterError::Unreachable(_)) | IndexError::OtherCluster { .. }) => {
                ExitCode::from(4)
            }
            Self::NoCluster(_) | Self::NoHost(_) | Self::LocalElsewhere(_) => ExitCode::from(2),
            Self::Listen(..) | Self::Local(_) | Self::Index(_) | Self::System(_) => ExitCode::FAILURE,
        }
    }
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BACKSTOP_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let ran = match Arguments::parse().command {
        Command::Serve(args) => serve(&args),
        Command::Index(args) => index(&args),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            why.code()
        }
    }
}

/// The URL of a cluster.
fn cluster(given: &str) -> Result<&str, Failed> {
    let url = url_of(given);
    let is_url = url.starts_with("http://") || url.starts_with("https://");
    if is_url { Ok(url) } else { Err(Failed::NoCluster(redact::shown(url))) }
}

fn index(args: &HistoryArgs) -> Result<(), Failed> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.spawn({
        let stop = Arc::clone(&stop);
        async move {
            stopped(false).await;
            stop.store(true, Ordering::Relaxed);
        }
    });
    let watcher: Watcher = Arc::new(|host: &str| tracing::warn!(host, "an answer takes long"));
    let url = cluster(&args.url)?.to_owned();
    let settings = backstop_index::cli::Settings { url, output: args.output, stop, watcher: Some(watcher) };
    let ran = backstop_index::cli::run(&args.index, &settings);
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(ran?)
}

/// Reads what is new into the index, again and again, until told to stop.
fn follow(url: String, file: PathBuf, every: Duration, stop: Arc<AtomicBool>) {
    let node = RpcCluster::new(&url, CommitmentConfig::finalized()).stopped_by(Arc::clone(&stop));
    let options = backstop_index::Options { stop: Some(&stop), ..backstop_index::Options::default() };
    while !stop.load(Ordering::Relaxed) {
        let read = backstop_index::Database::open(&file)
            .map_err(backstop_index::IndexError::from)
            .and_then(|mut database| backstop_index::follow(&mut database, &node, &options));
        match read {
            Ok(progress) => tracing::debug!(events = progress.events, "the index is up to date"),
            Err(why) if !stop.load(Ordering::Relaxed) => tracing::warn!(%why, "the index was not brought up to date"),
            Err(_) => {}
        }
        let waited = Instant::now();
        while waited.elapsed() < every && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn serve(args: &ServeArgs) -> Result<(), Failed> {
    if !args.listen.ip().is_loopback() && args.hosts.is_empty() {
        return Err(Failed::NoHost(args.listen));
    }
    let url = cluster(&args.url)?;
    if args.local.is_some() && (!args.listen.ip().is_loopback() || !args.hosts.is_empty()) {
        return Err(Failed::LocalElsewhere(args.listen));
    }
    let local = args.local.as_ref().map(|dir| Local::read(dir, url)).transpose()?;
    let commitment = match args.commitment {
        Some(Commitment::Processed) => CommitmentConfig::processed(),
        Some(Commitment::Confirmed) => CommitmentConfig::confirmed(),
        Some(Commitment::Finalized) => CommitmentConfig::finalized(),
        None if is_local(url) => CommitmentConfig::confirmed(),
        None => CommitmentConfig::finalized(),
    };
    let node = Arc::new(RpcCluster::new(url, commitment));
    let settings = Settings {
        listen: args.listen,
        hosts: args.hosts.clone(),
        refresh: args.refresh,
        database: args.database.clone(),
        cluster: Some(node.host().to_owned()),
        limit: args.limit,
        behind_proxy: args.behind_proxy,
        // A node that does not answer yet is asked by every page anyway; until a new start wallets take it for a local one.
        genesis: node.ask("getGenesisHash", serde_json::json!([])).ok(),
        actions: args.actions,
        metadata: args.metadata.clone(),
        local,
        ..Settings::default()
    };
    if let Some(file) = args.database.as_ref().filter(|file| file.exists()) {
        // One that is not there yet may be made while the page runs; what is no index will never be one.
        match backstop_index::Database::open_read_only(file) {
            Ok(_) | Err(backstop_index::DatabaseError::Older { .. }) => {}
            Err(why) => return Err(Failed::Index(why.into())),
        }
    }
    let until_stdin_ends = args.until_stdin_ends;
    let stop = Arc::new(AtomicBool::new(false));
    let follower = args.database.clone().filter(|_| args.follow).map(|file| {
        let (url, every, stop) = (url.to_owned(), args.refresh, Arc::clone(&stop));
        std::thread::spawn(move || follow(url, file, every, stop))
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async move {
        let listen = settings.listen;
        let server = Server::bind(settings, node).await.map_err(|why| Failed::Listen(listen, why))?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "http://{}", server.address()?)?;
        stdout.flush()?;
        server.run(stopped(until_stdin_ends)).await?;
        Ok(())
    });
    // A request of a node that does not answer is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    stop.store(true, Ordering::Relaxed);
    if let Some(follower) = follower {
        // What it was writing is whole, or is as if it had never begun.
        let _ = follower.join();
    }
    served
}

/// Waits for Ctrl-C or, if asked, for the end of stdin.
async fn stopped(until_stdin_ends: bool) {
    let ended = async {
        if !until_stdin_ends {
            std::future::pending::<()>().await;
        }
        let (end, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            // Whatever comes is not looked at; an end, or a failure, is one.
            let _ = std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut std::io::sink());
            let _ = end.send(());
        });
        // A thread that is gone without a word has ended, too.
        let _ = ended.await;
    };
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = ended => {}
        () = terminated => {}
        asked = tokio::signal::ctrl_c() => {
            if let Err(why) = asked {
                tracing::warn!(%why, "Ctrl-C is not listened for");
            }
        }
    }
}
