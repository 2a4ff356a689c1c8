//! A full local cluster with JSON-RPC, on which everything that Backstop needs is there: the program as a deployment
//! leaves it, mints, wallets with money, a pool with products and reinsurance, and an oracle that says what a file says.
//!
//! The cluster is Surfpool's, in this process and in memory. Its clock begins a day ahead at most, because capital
//! counts only from the day after it came in, and it can be moved on: [`advance`].

mod clock;
mod found;
mod keys;
mod layout;
mod ports;
pub mod prices;

pub use clock::advance;
pub use keys::Wallet;
pub use layout::{Feed, Layout, Mint, Product};

use crate::embedded;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use backstop::constants::DAY;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::{address, price_account};
use found::{Founded, Founder};
use keys::Keys;
use solana_commitment_config::CommitmentConfig;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use surfpool_sdk::cheatcodes::builders::SetAccount;
use surfpool_sdk::{BlockProductionMode, SimnetCommand, Surfnet, SurfnetError};

/// Milliseconds of a slot, as on mainnet.
const SLOT_MILLISECONDS: u64 = 400;
/// What every wallet gets, in lamports.
const LAMPORTS: u64 = 1_000_000_000_000;
/// How often prices are posted.
const PRICE_INTERVAL: Duration = Duration::from_secs(1);
/// The file that the oracle's prices come from.
const PRICE_FILE: &str = "prices.csv";

/// Why a local cluster does not run.
#[derive(Debug, thiserror::Error)]
pub enum LocalnetError {
    /// A port cannot be had.
    #[error("port {port} cannot be used: {why}")]
    Port {
        /// The port.
        port: u16,
        /// The system's words.
        why: std::io::Error,
    },
    /// A file cannot be read or written.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// Somebody's words.
        why: String,
    },
    /// The price file says something that is no price.
    #[error("{file}: {why}")]
    Prices {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The cluster itself did not start, or stopped.
    #[error("the local cluster failed: {0}")]
    Surfnet(#[from] SurfnetError),
    /// The program cannot be used.
    #[error(transparent)]
    Program(#[from] embedded::StartError),
    /// A step of the founding was refused.
    #[error("{step}: {why}")]
    Founding {
        /// The step in words.
        step: &'static str,
        /// The program's words, or the runtime's.
        why: String,
    },
    /// The cluster does not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A cluster whose clock cannot be moved.
    #[error("the clock of {url} cannot be moved: {why}")]
    NotLocal {
        /// Where.
        url: String,
        /// The node's words.
        why: String,
    },
    /// A local cluster runs with this directory already.
    #[error("a localnet runs in {dir} already, at {url}")]
    Running {
        /// The directory.
        dir: String,
        /// Its URL.
        url: String,
    },
    /// No local cluster runs with this directory.
    #[error("no localnet runs in {0}")]
    NotRunning(String),
}

impl LocalnetError {
    fn file(file: &Path, why: impl Display) -> Self {
        Self::File { file: file.display().to_string(), why: why.to_string() }
    }
}

/// How a local cluster is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its keypairs and files are.
    pub dir: PathBuf,
    /// Port of the JSON-RPC; 0 takes any.
    pub rpc_port: u16,
    /// Port of the websocket; 0 takes any.
    pub ws_port: u16,
    /// Seconds that the cluster's clock moves on in one second.
    pub speed: u32,
    /// Whether to make new keypairs and a new price file.
    pub reset: bool,
}

/// A local cluster that runs.
pub struct Localnet {
    surfnet: Surfnet,
    cluster: RpcCluster,
    layout: Layout,
    dir: PathBuf,
    speed: u32,
    posted: Vec<prices::Quote>,
}

impl Localnet {
    /// Starts a cluster and founds everything on it. `tell` hears what comes next.
    ///
    /// Keypairs and prices that are in the directory are used, those that are missing are made.
    pub fn start(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Self, LocalnetError> {
        let ports = [options.rpc_port, options.ws_port].map(take);
        let [rpc_port, ws_port] = ports;
        let (rpc_port, ws_port) = (rpc_port?, ws_port?);
        let dir = std::path::absolute(&options.dir).map_err(|why| LocalnetError::file(&options.dir, why))?;
        prepare(&dir, options.reset)?;
        let keys = Keys::open(&dir)?;
        let price_file = dir.join(PRICE_FILE);
        prices::found(&price_file)?;
        let program = embedded::program()?;

        tell("starting a cluster");
        let surfnet = start_surfnet(&keys)?;
        let urls = [surfnet.rpc_url(), surfnet.ws_url()].map(String::from);
        let cluster = RpcCluster::new(&urls[0], CommitmentConfig::processed());
        tell("deploying the program");
        deploy(&surfnet, &cluster, &program, &keys.id(keys::ADMIN))?;

        tell("founding the protocol, a pool, and its reinsurance");
        let founded = Founded::derive(&keys);
        let founder = Founder::new(&cluster, &keys, &founded);
        if cluster.now()?.rem_euclid(DAY) > DAY - 60 {
            // The day must not end in the midst of it.
            begin_next_day(&cluster)?;
        }
        founder.first_day()?;
        tell("moving its clock on to the next day");
        begin_next_day(&cluster)?;
        let mut localnet = Self {
            layout: Layout::new(&dir, urls, &keys, &founded),
            surfnet,
            cluster,
            dir,
            speed: options.speed.max(1),
            posted: Vec::new(),
        };
        localnet.post_prices()?;
        Founder::new(&localnet.cluster, &keys, &founded).second_day()?;
        localnet.surfnet.send_command(SimnetCommand::UpdateBlockProductionMode(BlockProductionMode::Clock))?;

        let Layout { rpc, websocket, .. } = &mut localnet.layout;
        for (port, url) in [(rpc_port, rpc), (ws_port, websocket)] {
            open(port, url)?;
        }
        localnet.layout.write(&localnet.dir)?;
        Ok(localnet)
    }

    /// What is where.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Keeps the cluster's prices as the file says, and its clock at its speed, until `stop` says so. `tell` hears of
    /// prices that change and of files that cannot be read.
    pub fn run(&mut self, stop: &dyn Fn() -> bool, tell: &mut dyn FnMut(&str)) -> Result<(), LocalnetError> {
        let mut last = Instant::now();
        let mut complaint = String::new();
        while !stop() {
            std::thread::sleep(Duration::from_millis(100));
            // Nobody else listens, and what is not heard piles up.
            self.surfnet.events().try_iter().for_each(drop);
            if last.elapsed() < PRICE_INTERVAL {
                continue;
            }
            let seconds = u64::from(self.speed - 1) * last.elapsed().as_secs();
            last = Instant::now();
            if seconds > 0 {
                advance(self.cluster.url(), seconds)?;
            }
            match self.post_prices() {
                Ok(changed) => {
                    complaint.clear();
                    changed.iter().for_each(|change| tell(change));
                }
                Err(LocalnetError::Cluster(why)) => return Err(why.into()),
                Err(why) if why.to_string() == complaint => {}
                Err(why) => {
                    complaint = why.to_string();
                    tell(&complaint);
                }
            }
        }
        Ok(())
    }

    /// Stops the cluster, and with it everything on it.
    pub fn stop(mut self) -> Result<(), LocalnetError> {
        self.surfnet.stop()?;
        remove(&self.dir.join(layout::FILE))
    }

    /// Posts the price file's prices with the cluster's time. Returns what changed, in words.
    fn post_prices(&mut self) -> Result<Vec<String>, LocalnetError> {
        let quotes = prices::read(&self.layout.prices)?;
        let (now, slot) = (self.cluster.now()?, self.cluster.slot()?);
        let mut changed = Vec::new();
        for quote in &quotes {
            let account = quote.account();
            let Some(price) = quote.price(now) else { continue };
            let data = price_account::price_update(account, quote.feed_id(), price, slot);
            let owner = backstop::oracle::pyth_receiver::PROGRAM_ID;
            let lamports = self.cluster.rent(data.len())?;
            self.surfnet.cheatcodes().set_account(&account, lamports, &data, &owner)?;
            if !self.posted.contains(quote) {
                changed.push(format!("{} is at {} ± {}", quote.feed, quote.price, quote.confidence));
            }
        }
        self.posted = quotes;
        Ok(changed)
    }
}

/// A port that is asked for; `None` if any will do.
fn take(port: u16) -> Result<Option<TcpListener>, LocalnetError> {
    let taken = (port != 0).then(|| ports::take(port)).transpose();
    taken.map_err(|why| LocalnetError::Port { port, why })
}

/// Makes what answers at a URL answer at a port, too, and puts that into the URL.
fn open(port: Option<TcpListener>, url: &mut String) -> Result<(), LocalnetError> {
    let Some(listener) = port else { return Ok(()) };
    let unusable = |why: String| LocalnetError::Surfnet(SurfnetError::PortAllocation(why));
    let (scheme, to) = url.split_once("://").ok_or_else(|| unusable(format!("{url} is not a URL")))?;
    let to: SocketAddr = to.parse().map_err(|why| unusable(format!("{url}: {why}")))?;
    let at = listener.local_addr().map_err(|why| unusable(why.to_string()))?;
    *url = format!("{scheme}://{at}");
    ports::forward(listener, to);
    Ok(())
}

/// Makes the directory, out of version control's sight, without a description of a cluster that runs no more, and if
/// asked without its keypairs and prices.
fn prepare(dir: &Path, reset: bool) -> Result<(), LocalnetError> {
    if let Ok(layout) = Layout::read(dir)
        && layout.answers()
    {
        return Err(LocalnetError::Running { dir: dir.display().to_string(), url: layout.rpc });
    }
    let failed = |why| LocalnetError::file(dir, why);
    fs::create_dir_all(dir).map_err(failed)?;
    fs::write(dir.join(".gitignore"), "*\n").map_err(failed)?;
    remove(&dir.join(layout::FILE))?;
    if reset {
        remove(&dir.join(PRICE_FILE))?;
        keys::files(dir).try_for_each(|file| remove(&file))?;
    }
    Ok(())
}

/// Removes a file, if it is there.
fn remove(file: &Path) -> Result<(), LocalnetError> {
    match fs::remove_file(file) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(LocalnetError::file(file, why)),
        _ => Ok(()),
    }
}

/// Moves the clock on to a minute after the next midnight, UTC.
fn begin_next_day(cluster: &RpcCluster) -> Result<(), LocalnetError> {
    let rest = DAY - cluster.now()?.rem_euclid(DAY) + 60;
    advance(cluster.url(), rest.unsigned_abs()).map(|_| ())
}

fn start_surfnet(keys: &Keys) -> Result<Surfnet, LocalnetError> {
    let wallets = keys::WALLETS.into_iter().filter(|name| *name != keys::ADMIN);
    let start = Surfnet::builder()
        .offline(true)
        // A block for each transaction until all is founded.
        .block_production_mode(BlockProductionMode::Transaction)
        .slot_time_ms(SLOT_MILLISECONDS)
        .payer(keys.get(keys::ADMIN).insecure_clone())
        .airdrop_addresses(wallets.map(|name| keys.id(name)).collect())
        .airdrop_sol(LAMPORTS)
        .start();
    // It blocks where others would wait, and is done at the first look.
    match pin!(start).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(surfnet) => Ok(surfnet?),
        Poll::Pending => Err(SurfnetError::Startup("the start did not come to its end".into()).into()),
    }
}

/// Writes the program as the upgradeable loader leaves it: an account that points at another one, which holds the code
/// and names the upgrade authority.
fn deploy(surfnet: &Surfnet, cluster: &dyn Cluster, program: &[u8], authority: &Pubkey) -> Result<(), LocalnetError> {
    const PROGRAM: u32 = 2;
    const PROGRAM_DATA: u32 = 3;
    let slot = cluster.slot()?;
    let header = [&PROGRAM_DATA.to_le_bytes()[..], &slot.to_le_bytes(), &[1], authority.as_ref()].concat();
    let pointer = [&PROGRAM.to_le_bytes()[..], address::program_data().as_ref()].concat();
    let accounts = [(address::program_data(), [&header, program].concat(), false), (backstop::ID, pointer, true)];
    for (address, data, executable) in accounts {
        let lamports = cluster.rent(data.len())?;
        let account = SetAccount::new(address).lamports(lamports).data(data).owner(bpf_loader_upgradeable::ID);
        surfnet.cheatcodes().execute(account.executable(executable))?;
    }
    Ok(())
}
