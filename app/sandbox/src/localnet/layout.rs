//! What is where on a local cluster, for people, scripts and the other commands.

use super::found::{self, Founded};
use super::keys::{self, Keys, Wallet};
use super::{LocalnetError, PRICE_FILE, prices};
use crate::demo::scenario::DECIMALS;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::instruction::ProductKeys;
use backstop_client::price_account;
use backstop_client::solana_config::SolanaConfig;
use serde::{Deserialize, Serialize};
use solana_commitment_config::CommitmentConfig;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file that describes a cluster that runs.
pub(super) const FILE: &str = "localnet.json";

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
    /// The program.
    pub program: String,
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
    /// What is where after the founding. The files are in a directory.
    pub(super) fn new(dir: &Path, urls: [String; 2], keys: &Keys, founded: &Founded) -> Self {
        let [rpc, websocket] = urls;
        let mint =
            |label: &str, name| Mint { label: label.into(), mint: keys.id(name).to_string(), decimals: DECIMALS };
        let product = |(name, keys): &(&str, ProductKeys)| Product {
            name: (*name).into(),
            product: keys.product.to_string(),
            trigger: keys.trigger().to_string(),
            feed: prices::FEED.into(),
        };
        let id = prices::feed_id(prices::FEED);
        let feed = Feed {
            name: prices::FEED.into(),
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            account: price_account::standing_account(&id).to_string(),
        };
        Self {
            rpc,
            websocket,
            config: dir.join("config.yml"),
            prices: dir.join(PRICE_FILE),
            program: backstop::ID.to_string(),
            asset: mint(found::ASSET_LABEL, keys::ASSET),
            covered: mint(found::COVERED_LABEL, keys::COVERED),
            pool: founded.pool.pool.to_string(),
            reinsurance_pool: founded.reinsurer.pool.to_string(),
            treaty: founded.treaty.treaty.to_string(),
            products: founded.products.iter().map(product).collect(),
            feeds: vec![feed],
            wallets: keys.wallets(),
        }
    }

    /// Reads what a cluster that runs with this directory has written.
    ///
    /// Errors: [`LocalnetError::NotRunning`] if there is no such file.
    pub fn read(dir: &Path) -> Result<Self, LocalnetError> {
        let file = dir.join(FILE);
        let text = fs::read_to_string(&file).map_err(|_| LocalnetError::NotRunning(dir.display().to_string()))?;
        serde_json::from_str(&text).map_err(|why| LocalnetError::file(&file, why))
    }

    /// Whether this cluster runs: its asset is at its URL.
    pub(super) fn answers(&self) -> bool {
        let cluster = RpcCluster::new(&self.rpc, CommitmentConfig::processed());
        let asset = self.asset.mint.parse().ok().and_then(|mint| cluster.account(&mint).ok());
        asset.flatten().is_some()
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), LocalnetError> {
        let config = SolanaConfig {
            json_rpc_url: self.rpc.clone(),
            websocket_url: self.websocket.clone(),
            keypair_path: self.wallets["alice"].keypair.display().to_string(),
            ..SolanaConfig::default()
        };
        config.save(&self.config).map_err(|why| LocalnetError::file(&self.config, why))?;
        let file = dir.join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|why| LocalnetError::file(&file, why))?;
        fs::write(&file, text).map_err(|why| LocalnetError::file(&file, why))
    }
}
