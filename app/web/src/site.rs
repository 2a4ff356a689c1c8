//! What every handler knows: the settings, and what was read of the chain.

use crate::chain::{Chain, Frozen, Node, Reading};
use crate::error::PageError;
use crate::guard::Rates;
use crate::local::Local;
use crate::metadata::Made;
use crate::sign::plans::Plans;
use backstop_client::cluster::Cluster;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a page is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens. Port 0 takes any.
    pub listen: SocketAddr,
    /// Names under which it is reached, with their ports if they are not usual ones. On loopback its own address and
    /// `localhost` are among them without being named.
    pub hosts: Vec<String>,
    /// How often the chain is read.
    pub refresh: Duration,
    /// The index, if there is one.
    pub database: Option<PathBuf>,
    /// The cluster as commands name it, for the commands that pages show; `None` leaves it out.
    pub cluster: Option<String>,
    /// Whether the rate of requests is limited by who asks. It always is where others than this machine can ask.
    pub limit: bool,
    /// Whether a proxy in front says who asks, in the last entry of `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// The hash of the cluster's first block, if it was told: wallets and Actions know the chain by it.
    pub genesis: Option<String>,
    /// Whether Actions and Solana Pay are answered, also on loopback.
    pub actions: bool,
    /// How long a transaction is followed until it is known how it ended.
    pub patience: Duration,
    /// A directory that `backstop metadata build` wrote, which is hosted beside what the accounts give.
    pub metadata: Option<PathBuf>,
    /// The local cluster that this is the page of, if it is: money, price and clock are for whoever asks.
    pub local: Option<Local>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            hosts: Vec::new(),
            refresh: Duration::from_secs(5),
            database: None,
            cluster: None,
            limit: false,
            behind_proxy: false,
            genesis: None,
            actions: false,
            patience: Duration::from_secs(120),
            metadata: None,
            local: None,
        }
    }
}

impl Settings {
    /// Whether only this machine can ask.
    pub fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// Whether Actions and Solana Pay are answered: where others than this machine can ask, they are.
    pub fn has_actions(&self) -> bool {
        self.actions || !self.is_local()
    }

    /// The chain as wallets name it, by its first block. Every chain that is not a known one is local.
    pub fn wallet_chain(&self) -> &'static str {
        match self.chain_id() {
            Some("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp") => "solana:mainnet",
            Some("EtWTRABZaYq6iMfeYKouRu166VU2xqa1") => "solana:devnet",
            Some("4uhcVJyU9pJkvQyS88uRDiswHXSGkY3z") => "solana:testnet",
            _ => "solana:localnet",
        }
    }

    /// What CAIP-2 knows the chain by: the first letters of the hash of its first block.
    pub fn chain_id(&self) -> Option<&str> {
        self.genesis.as_deref()?.get(..32)
    }
}

/// What every handler knows. Cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    settings: Settings,
    hosts: Vec<String>,
    chain: Chain,
    rates: Rates,
    plans: Plans,
    made: Made,
}

impl Site {
    /// A site on a chain that is read already, or about to be. `bound` is where it listens in fact.
    pub fn new(settings: Settings, bound: SocketAddr, chain: Chain) -> Self {
        let mut hosts: Vec<String> = settings.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        if settings.is_local() {
            let port = bound.port();
            hosts.extend([
                bound.to_string(),
                format!("127.0.0.1:{port}"),
                format!("localhost:{port}"),
                format!("[::1]:{port}"),
            ]);
        }
        Self(Arc::new(Inner {
            settings,
            hosts,
            chain,
            rates: Rates::default(),
            plans: Plans::default(),
            made: Made::default(),
        }))
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The names under which the page may be asked for, in lower case.
    pub fn hosts(&self) -> &[String] {
        &self.0.hosts
    }

    /// Who asked how often.
    pub fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// Transactions that were built and handed out.
    pub fn plans(&self) -> &Plans {
        &self.0.plans
    }

    /// Files for wallets that were made from the accounts.
    pub fn made(&self) -> &Made {
        &self.0.made
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.0.chain
    }

    /// The node behind the chain, for what must be asked anew.
    pub fn node(&self) -> &Node {
        self.0.chain.node()
    }

    /// What was read of the chain last.
    ///
    /// Errors: [`PageError::NotRead`], if nothing was yet.
    pub fn reading(&self) -> Result<Reading, PageError> {
        self.0.chain.reading()
    }

    /// Works something out on what was read of the chain last, on a thread that may take long.
    ///
    /// Errors: what the work says, [`PageError::NotRead`], and [`PageError::Broken`] if the work panicked.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Frozen) -> Result<T, PageError> + Send + 'static,
    ) -> Result<T, PageError> {
        let reading = self.reading()?;
        let frozen = Frozen::new(reading.snapshot, self.node().clone());
        blocking(move || work(&frozen)).await
    }

    /// Asks the node itself, on a thread that may take long.
    ///
    /// Errors: what the work says, and [`PageError::Broken`] if it panicked.
    pub async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&(dyn Cluster + Send + Sync)) -> Result<T, PageError> + Send + 'static,
    ) -> Result<T, PageError> {
        let node = self.node().clone();
        blocking(move || work(&*node)).await
    }
}

/// Runs what may take long away from the threads that answer.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PageError> + Send + 'static,
) -> Result<T, PageError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|why| {
        tracing::error!(%why, "the work for a page ended early");
        Err(PageError::Broken)
    })
}
