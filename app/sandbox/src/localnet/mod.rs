//! A full local cluster with JSON-RPC, on which everything that Backstop needs is there: the program as a deployment
//! leaves it, mints, wallets with money, a pool with products and reinsurance, and an oracle that says what a file says.
//!
//! The cluster itself (`Localnet`) comes with the cargo feature `localnet`: it takes long to compile, so it is a binary of
//! its own, `backstop-localnet`. What is done to one that runs needs its JSON-RPC and its directory only, and is always
//! here: [`advance`] moves its clock, [`set_price`] says what its oracle says, [`levels::set`] what live feeds read, [`fund`] hands
//! money out.

mod clock;
#[cfg(feature = "localnet")]
mod describe;
#[cfg(feature = "localnet")]
mod found;
mod fund;
#[cfg(feature = "localnet")]
mod keys;
mod layout;
pub mod levels;
mod oracle;
#[cfg(feature = "localnet")]
mod ports;
pub mod prices;
#[cfg(feature = "localnet")]
mod run;

pub use clock::advance;
pub use fund::{Funded, Grant, fund};
pub use layout::{ADMIN, Feed, Layout, Mint, Product, Wallet};
pub use oracle::set_price;
#[cfg(feature = "localnet")]
pub use run::{Localnet, Options};

use crate::embedded;
use backstop::border::text::hex_text;
use backstop_client::account::AccountError;
use backstop_client::cluster::ClusterError;
use solana_sdk::hash::hash;
use std::fmt::Display;
use std::path::Path;

/// The binary that is a local cluster.
pub const BINARY: &str = "backstop-localnet";
/// The one command that builds it, from the project's directory.
pub const BUILD: &str = "cargo build --locked -p backstop-sandbox --features localnet";

/// Why a local cluster does not run, or does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum LocalnetError {
    /// A port cannot be had.
    #[error("port {port} cannot be used: {why}")]
    Port {
        /// The port.
        port: u16,
        /// The system's words, or that another cluster answers there.
        why: String,
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
    /// The levels file says something that is no level.
    #[error("{file}: {why}")]
    Levels {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A feed that no trigger watches.
    #[error("nothing on this cluster watches a feed {feed}: {watched}")]
    Unwatched {
        /// The feed that was named.
        feed: String,
        /// Those that are watched, in words.
        watched: String,
    },
    /// The cluster itself did not start, or stopped.
    #[error("the local cluster failed: {0}")]
    Surfnet(String),
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
    /// Money was not handed out.
    #[error("nothing was handed out: {0}")]
    Funding(String),
    /// The cluster does not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An account on it cannot be read.
    #[error(transparent)]
    Account(#[from] AccountError),
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

    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Port { .. } => "--rpc-port and --ws-port take another, 0 takes any",
            Self::Running { .. } => {
                "use it as it is, or stop it with Ctrl-C where it runs; --dir and --rpc-port start another one beside it"
            }
            Self::NotRunning(_) => {
                "`backstop localnet` starts one; --dir names the directory of one that runs elsewhere"
            }
            Self::NotLocal { .. } => "only a localnet's clock can be moved, and only forwards",
            Self::Prices { .. } => "a line is a feed, its price, and its confidence: USDC/USD,1,0.0005",
            Self::Levels { .. } => "a line is a source and its level: stake-pool,1",
            Self::Unwatched { .. } => "`backstop product create` makes a product that watches another feed",
            _ => return None,
        })
    }
}

/// Sha256 of the program that a cluster in this process would run.
pub fn program_sha256() -> Result<String, LocalnetError> {
    Ok(hex_text(&hash(&embedded::program()?).to_bytes()))
}
