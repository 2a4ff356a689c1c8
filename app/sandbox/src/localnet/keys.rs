//! Whose keys a local cluster makes, and keeps from one start to the next.

use super::LocalnetError;
pub use super::layout::{ADMIN, Wallet};
use anchor_lang::prelude::Pubkey;
use solana_sdk::signature::{Keypair, read_keypair_file, write_keypair_file};
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The guardian.
pub const GUARDIAN: &str = "guardian";
/// The risk keeper.
pub const RISK_KEEPER: &str = "risk-keeper";
/// Pays for a crank.
pub const CRANK: &str = "crank";
/// Whoever put the first capital in.
pub const CAROL: &str = "carol";
/// Everybody with a wallet: three roles, a crank, three people.
pub const WALLETS: [&str; 7] = [ADMIN, GUARDIAN, RISK_KEEPER, CRANK, "alice", "bob", CAROL];
/// The mint of the asset that the pool holds.
pub(super) const ASSET: &str = "mint-usdt";
/// The mint of the asset that is insured.
pub(super) const COVERED: &str = "mint-usdc";

/// The keypairs of a local cluster.
pub(super) struct Keys {
    dir: PathBuf,
    keys: BTreeMap<&'static str, Keypair>,
}

impl Keys {
    /// Reads the keypairs in a directory, and makes those that are missing.
    pub fn open(dir: &Path) -> Result<Self, LocalnetError> {
        let open = |name: &'static str| -> Result<_, LocalnetError> {
            let file = file(dir, name);
            let unusable = |why: Box<dyn std::error::Error>| LocalnetError::file(&file, why);
            if file.exists() {
                return Ok((name, read_keypair_file(&file).map_err(unusable)?));
            }
            let key = Keypair::new();
            write_keypair_file(&key, &file).map_err(unusable)?;
            Ok((name, key))
        };
        Ok(Self { dir: dir.into(), keys: names().map(open).collect::<Result<_, _>>()? })
    }

    /// One of them.
    pub fn get(&self, name: &str) -> &Keypair {
        &self.keys[name]
    }

    /// Its address.
    pub fn id(&self, name: &str) -> Pubkey {
        self.get(name).pubkey()
    }

    /// Everybody's wallet.
    pub fn wallets(&self) -> BTreeMap<String, Wallet> {
        let wallet = |name: &str| Wallet { address: self.id(name).to_string(), keypair: file(&self.dir, name) };
        WALLETS.into_iter().map(|name| (name.into(), wallet(name))).collect()
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    WALLETS.into_iter().chain([ASSET, COVERED])
}

/// The files of all of them.
pub(super) fn files(dir: &Path) -> impl Iterator<Item = PathBuf> {
    names().map(|name| file(dir, name))
}

fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_the_same_from_one_start_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::open(dir.path()).unwrap().wallets();
        assert_eq!(Keys::open(dir.path()).unwrap().wallets(), first);
        assert_eq!(first.len(), WALLETS.len());
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), ADMIN);
        std::fs::write(&file, "[1,2]").unwrap();
        let refused = Keys::open(dir.path()).err().expect("it is no key").to_string();
        assert!(refused.starts_with(&file.display().to_string()), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[1,2]");
    }
}
