//! How a cluster that was founded describes itself.

use super::found::{self, Founded};
use super::keys::{self, Keys};
use super::layout::{FILE, Feed, LEVEL_FILE, Layout, Mint, PRICE_FILE, Product};
use super::{LocalnetError, levels, prices, program_sha256};
use crate::demo::scenario::DECIMALS;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::instruction::ProductKeys;
use backstop_client::price_account;
use backstop_client::solana_config::SolanaConfig;
use solana_commitment_config::CommitmentConfig;
use std::fs;
use std::path::Path;

/// The file that a shell reads: `. localnet/env`.
const ENVIRONMENT: &str = "env";

impl Layout {
    /// What is where after the founding. The files are in a directory.
    pub(super) fn new(dir: &Path, urls: [String; 2], keys: &Keys, founded: &Founded) -> Result<Self, LocalnetError> {
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
        Ok(Self {
            rpc,
            websocket,
            config: dir.join("config.yml"),
            prices: dir.join(PRICE_FILE),
            levels: dir.join(LEVEL_FILE),
            program: backstop::ID.to_string(),
            program_sha256: program_sha256()?,
            asset: mint(found::ASSET_LABEL, keys::ASSET),
            covered: mint(found::COVERED_LABEL, keys::COVERED),
            pool: founded.pool.pool.to_string(),
            reinsurance_pool: founded.reinsurer.pool.to_string(),
            treaty: founded.treaty.treaty.to_string(),
            products: founded.products.iter().map(product).collect(),
            feeds: vec![feed],
            wallets: keys.wallets(),
        })
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
            // One node takes nothing back, and is final only after many slots.
            commitment: "confirmed".into(),
            ..SolanaConfig::default()
        };
        config.save(&self.config).map_err(|why| LocalnetError::file(&self.config, why))?;
        let file = dir.join(ENVIRONMENT);
        fs::write(&file, self.environment(dir)).map_err(|why| LocalnetError::file(&file, why))?;
        let file = dir.join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|why| LocalnetError::file(&file, why))?;
        fs::write(&file, text).map_err(|why| LocalnetError::file(&file, why))
    }

    /// Lines for a shell: the configuration file, the directory, and short names of what commands ask for.
    fn environment(&self, dir: &Path) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let mut names = vec![
            ("SOLANA_CONFIG_FILE".to_owned(), self.config.display().to_string()),
            ("BACKSTOP_LOCALNET".to_owned(), dir.display().to_string()),
            ("POOL".to_owned(), self.pool.clone()),
            (self.asset.label.clone(), self.asset.mint.clone()),
            (self.covered.label.clone(), self.covered.mint.clone()),
        ];
        for source in levels::Source::ALL {
            names.push((source.name().to_uppercase().replace('-', "_"), source.account().to_string()));
        }
        let products = ["PRODUCT", "PRODUCT_2"].into_iter().zip(&self.products);
        names.extend(products.map(|(name, product)| (name.to_owned(), product.product.clone())));
        for (name, wallet) in &self.wallets {
            let name = name.to_uppercase().replace('-', "_");
            names.push((format!("{name}_KEY"), wallet.keypair.display().to_string()));
            names.push((name, wallet.address.clone()));
        }
        names.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect()
    }
}
