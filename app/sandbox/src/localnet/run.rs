//! The cluster that runs: Surfpool's, in this process and in memory. Its clock begins a day ahead at most, because capital
//! counts only from the day after it came in, and it can be moved on.

use super::found::{Founded, Founder};
use super::keys::{self, Keys};
use super::{Layout, LocalnetError, advance, found, layout, levels, ports, prices};
use crate::embedded;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use backstop::constants::DAY;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::{address, price_account};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::sysvar::clock;
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
    /// Whether to make new keypairs.
    pub reset: bool,
    /// Whether prices go on where the last run left them.
    pub keep_prices: bool,
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
    /// Keypairs that are in the directory are used again, those that are missing are made. Prices begin calm, unless they are
    /// to be kept. `tell` hears which of that it was.
    pub fn start(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Self, LocalnetError> {
        let dir = std::path::absolute(&options.dir).map_err(|why| LocalnetError::file(&options.dir, why))?;
        refuse_second(&dir, &options.dir)?;
        let ports = [options.rpc_port, options.ws_port].map(take);
        let [rpc_port, ws_port] = ports;
        let (rpc_port, ws_port) = (rpc_port?, ws_port?);
        prepare(&dir)?;
        if options.reset {
            keys::files(&dir).try_for_each(|file| remove(&file))?;
        }
        tell(keys_told(keys::files(&dir).any(|file| file.exists())));
        let keys = Keys::open(&dir)?;
        found_prices(&dir.join(layout::PRICE_FILE), options.keep_prices, tell)?;
        levels::write(&dir.join(layout::LEVEL_FILE), &levels::calm())?;
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
            layout: Layout::new(&dir, urls, &keys, &founded)?,
            surfnet,
            cluster,
            dir,
            speed: options.speed.max(1),
            posted: Vec::new(),
        };
        localnet.post_prices()?;
        localnet.post_levels()?;
        Founder::new(&localnet.cluster, &keys, &founded).second_day()?;
        let goes_on = SimnetCommand::UpdateBlockProductionMode(BlockProductionMode::Clock);
        localnet.surfnet.send_command(goes_on).map_err(failed)?;

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
            let posted = self.post_levels().and_then(|()| self.post_prices());
            match posted {
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
        self.surfnet.stop().map_err(failed)?;
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
            let owner = backstop::peril::feed::pyth_receiver::PROGRAM_ID;
            let lamports = self.cluster.rent(data.len())?;
            self.surfnet.cheatcodes().set_account(&account, lamports, &data, &owner).map_err(failed)?;
            if !self.posted.contains(quote) {
                changed.push(format!("{} is at {} ± {}", quote.feed, quote.price, quote.confidence));
            }
        }
        self.posted = quotes;
        Ok(changed)
    }

    /// Writes the accounts that live feeds read, as the levels file says; a stake pool is up to date in every epoch.
    fn post_levels(&self) -> Result<(), LocalnetError> {
        let read = levels::read(&self.layout.levels)?;
        let clock = self.cluster.account(&clock::ID)?.map(|account| account.data).unwrap_or_default();
        let epoch = clock.get(16..24).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        let mint: Pubkey =
            self.layout.covered.mint.parse().map_err(|_| LocalnetError::Surfnet("the mint is none".into()))?;
        for level in read {
            let Some(units) = level.units() else { continue };
            let (owner, data) = level.source.contents(units, &mint, epoch);
            let lamports = self.cluster.rent(data.len())?;
            self.surfnet.cheatcodes().set_account(&level.source.account(), lamports, &data, &owner).map_err(failed)?;
        }
        Ok(())
    }
}

/// What the cluster itself says of its failure.
fn failed(why: SurfnetError) -> LocalnetError {
    LocalnetError::Surfnet(why.to_string())
}

/// A port that is asked for; `None` if any will do.
fn take(port: u16) -> Result<Option<TcpListener>, LocalnetError> {
    let taken = (port != 0).then(|| ports::take(port)).transpose();
    taken.map_err(|why| {
        let is_cluster = why.kind() == ErrorKind::AddrInUse && answers(port);
        let why = if is_cluster { "another cluster answers there".into() } else { why.to_string() };
        LocalnetError::Port { port, why }
    })
}

/// Whether a cluster answers at a port of this machine.
fn answers(port: u16) -> bool {
    RpcCluster::new(&format!("http://127.0.0.1:{port}"), CommitmentConfig::processed()).slot().is_ok()
}

/// Makes what answers at a URL answer at a port, too, and puts that into the URL.
fn open(port: Option<TcpListener>, url: &mut String) -> Result<(), LocalnetError> {
    let Some(listener) = port else { return Ok(()) };
    let unusable = LocalnetError::Surfnet;
    let (scheme, to) = url.split_once("://").ok_or_else(|| unusable(format!("{url} is not a URL")))?;
    let to: SocketAddr = to.parse().map_err(|why| unusable(format!("{url}: {why}")))?;
    let at = listener.local_addr().map_err(|why| unusable(why.to_string()))?;
    *url = format!("{scheme}://{at}");
    ports::forward(listener, to);
    Ok(())
}

/// Refuses to start where a local cluster runs already.
fn refuse_second(dir: &Path, named: &Path) -> Result<(), LocalnetError> {
    match Layout::read(dir) {
        Ok(layout) if layout.answers() => {
            Err(LocalnetError::Running { dir: named.display().to_string(), url: layout.rpc })
        }
        _ => Ok(()),
    }
}

/// Makes the directory, out of version control's sight, without a description of a cluster that runs no more.
fn prepare(dir: &Path) -> Result<(), LocalnetError> {
    let failed = |why| LocalnetError::file(dir, why);
    fs::create_dir_all(dir).map_err(failed)?;
    fs::write(dir.join(".gitignore"), "*\n").map_err(failed)?;
    remove(&dir.join(layout::FILE))
}

/// What a start says of its keypairs.
fn keys_told(there: bool) -> &'static str {
    if there {
        "a new cluster with the last run's keypairs: addresses are as they were, balances are not (--reset makes new ones)"
    } else {
        "a new cluster with new keypairs"
    }
}

/// The price file as a run begins with it: calm, or as the last run left it.
fn found_prices(file: &Path, keep: bool, tell: &mut dyn FnMut(&str)) -> Result<(), LocalnetError> {
    let before = if file.exists() { prices::read(file) } else { Ok(vec![prices::calm()]) };
    if keep && file.exists() {
        for quote in before? {
            tell(&format!("goes on with {} at {}", quote.feed, quote.price));
            if quote.feed == prices::FEED && quote.price < found::calm_from() {
                let calm = found::calm_from();
                tell(&format!("covers are sold once it is at {calm} again and has been for their quiet time"));
            }
        }
        return Ok(());
    }
    prices::found(file)?;
    if before.ok().as_deref() != Some(&[prices::calm()]) {
        tell("prices begin anew, USDC/USD at 1 (--keep-prices goes on with the last run's)");
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
        Poll::Ready(surfnet) => surfnet.map_err(failed),
        Poll::Pending => Err(LocalnetError::Surfnet("the start did not come to its end".into())),
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
        surfnet.cheatcodes().execute(account.executable(executable)).map_err(failed)?;
    }
    Ok(())
}
