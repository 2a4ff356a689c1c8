//! What is where on a local cluster, for people, scripts and the other commands.

use super::LocalnetError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file that describes a cluster that runs.
pub(super) const FILE: &str = "localnet.json";
/// The file that the oracle's prices come from.
#[cfg(feature = "localnet")]
pub(super) const PRICE_FILE: &str = "prices.csv";

/// The file that says what live feeds read.
#[cfg(feature = "localnet")]
pub(super) const LEVEL_FILE: &str = "levels.csv";

/// Upgrade authority, governance, and the authority of both mints.
pub const ADMIN: &str = "admin";

/// A keypair and the file that it is in.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Wallet {
    /// Its address.
    pub address: String,
    /// The file.
    pub keypair: PathBuf,
}

/// A mint.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Mint {
    /// Its ticker.
    pub label: String,
    /// Its address.
    pub mint: String,
    /// Its decimals.
    pub decimals: u8,
}

/// A product.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// Its address.
    pub product: String,
    /// Its trigger's address.
    pub trigger: String,
    /// The feed that the trigger watches.
    pub feed: String,
}

/// A feed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Feed {
    /// Its name in the price file.
    pub name: String,
    /// Its id in hexadecimal digits.
    pub id: String,
    /// The account that its prices are in.
    pub account: String,
}

/// What is where on a local cluster: its file `localnet.json`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Layout {
    /// URL of the JSON-RPC.
    pub rpc: String,
    /// URL of the websocket.
    pub websocket: String,
    /// A configuration file of the solana command line, with these URLs and the wallet `alice`.
    pub config: PathBuf,
    /// The price file.
    pub prices: PathBuf,
    /// The levels file.
    pub levels: PathBuf,
    /// The program.
    pub program: String,
    /// Sha256 of its executable.
    pub program_sha256: String,
    /// The asset that the pool holds.
    pub asset: Mint,
    /// The asset that is insured.
    pub covered: Mint,
    /// The pool.
    pub pool: String,
    /// The pool that reinsures it.
    pub reinsurance_pool: String,
    /// The treaty between them.
    pub treaty: String,
    /// The pool's products.
    pub products: Vec<Product>,
    /// The feeds in the price file.
    pub feeds: Vec<Feed>,
    /// Wallets, by name.
    pub wallets: BTreeMap<String, Wallet>,
}

impl Layout {
    /// Reads what a cluster that runs with this directory has written.
    ///
    /// Errors: [`LocalnetError::NotRunning`] if there is no such file.
    pub fn read(dir: &Path) -> Result<Self, LocalnetError> {
        let file = dir.join(FILE);
        let text = fs::read_to_string(&file).map_err(|_| LocalnetError::NotRunning(dir.display().to_string()))?;
        serde_json::from_str(&text).map_err(|why| LocalnetError::file(&file, why))
    }
}
