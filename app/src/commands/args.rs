//! Values on command lines, as people write them.

use crate::commands::context::hinted;
use anchor_lang::prelude::Pubkey;
use anyhow::{Result, anyhow};
use backstop::state::{Pool, Product, Tranche};
use backstop_app::Cluster;
use backstop_app::account;
use backstop_app::address;
use backstop_app::instruction::{PoolKeys, ProductKeys};
use clap::ValueEnum;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::str::FromStr;

/// A tranche by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrancheArg {
    /// Bears losses first, after the surplus; earns more.
    Junior,
    /// Bears losses last; earns less.
    Senior,
}

impl From<TrancheArg> for Tranche {
    fn from(tranche: TrancheArg) -> Self {
        match tranche {
            TrancheArg::Junior => Self::Junior,
            TrancheArg::Senior => Self::Senior,
        }
    }
}

/// An amount in whole tokens, before the mint's decimals are known: `1000`, `1_000.5`, `1,000.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(Decimal);

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|character| !matches!(character, ',' | '_')).collect();
        let amount =
            Decimal::from_str(&digits).map_err(|_| format!("`{text}` is not an amount: write 1000 or 1000.5"))?;
        if amount.is_sign_negative() { Err("an amount is not negative".into()) } else { Ok(Self(amount)) }
    }
}

impl Amount {
    /// The amount in the mint's smallest units. Exact: an amount with more decimals than the mint has is refused.
    pub fn units(self, decimals: u8) -> Result<u64> {
        let scale = 10i64.checked_pow(decimals.into()).map(Decimal::from);
        let units = scale.and_then(|scale| self.0.checked_mul(scale)).map(|units| units.normalize());
        match units {
            Some(units) if units.scale() > 0 => Err(anyhow!("{} has more than the mint's {decimals} decimals", self.0)),
            Some(units) => units.to_u64().ok_or_else(|| anyhow!("{} is too large", self.0)),
            None => Err(anyhow!("{} is too large", self.0)),
        }
    }
}

/// A pool by its address, or as `MINT/NUMBER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolArg(pub Pubkey);

impl FromStr for PoolArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a pool: give its address, or MINT/NUMBER");
        let Some((mint, number)) = text.split_once('/') else { return text.parse().map(Self).map_err(|_| wrong()) };
        let (mint, number) = (mint.parse().map_err(|_| wrong())?, number.parse().map_err(|_| wrong())?);
        Ok(Self(address::pool(&mint, number)))
    }
}

/// A pool that was read.
pub struct OpenPool {
    /// Its books.
    pub state: Box<Pool>,
    /// Its addresses.
    pub keys: PoolKeys,
    /// Decimals of its asset, and of its shares.
    pub decimals: u8,
}

impl PoolArg {
    /// Reads the pool and its asset's mint.
    pub fn open(self, cluster: &dyn Cluster) -> Result<OpenPool> {
        OpenPool::read(cluster, self.0)
    }
}

impl OpenPool {
    /// Reads a pool and its asset's mint.
    pub fn read(cluster: &dyn Cluster, address: Pubkey) -> Result<Self> {
        let state: Box<Pool> = Box::new(account::fetch(cluster, &address)?);
        let mint = cluster.account(&state.asset_mint)?;
        let mint = mint.ok_or_else(|| anyhow!("the pool's mint {} is not on this cluster", state.asset_mint))?;
        let keys = PoolKeys::of(address, &state, mint.owner);
        let decimals = state.asset_decimals;
        Ok(Self { state, keys, decimals })
    }
}

/// A product that was read, with its pool.
pub struct OpenProduct {
    /// Its state.
    pub state: Box<Product>,
    /// Its pool.
    pub pool: OpenPool,
    /// Its addresses.
    pub keys: ProductKeys,
}

impl OpenProduct {
    /// Reads a product and its pool.
    pub fn read(cluster: &dyn Cluster, address: Pubkey) -> Result<Self> {
        let state: Box<Product> = Box::new(account::fetch(cluster, &address)?);
        let pool = OpenPool::read(cluster, state.pool)?;
        let keys = ProductKeys { pool: pool.keys, product: address };
        Ok(Self { state, pool, keys })
    }
}

/// What an owner holds in a token account, which must be there and hold `needed` units at least.
pub fn require_tokens(
    cluster: &dyn Cluster,
    account: &Pubkey,
    mint: &Pubkey,
    needed: u64,
    decimals: u8,
) -> Result<u64> {
    let missing = || {
        let hint = format!("create it with `spl-token create-account {mint}` and send tokens to it");
        hinted(format!("the wallet has no token account of the mint {mint}"), hint)
    };
    let held = token_amount(cluster, account)?.ok_or_else(missing)?;
    if held < needed {
        let amounts = [needed, held].map(|units| crate::output::exact_amount(units, decimals));
        let sentence = format!("this needs {}, and the token account {account} holds {}", amounts[0], amounts[1]);
        return Err(hinted(sentence, format!("send tokens of the mint {mint} to it, or choose a smaller amount")));
    }
    Ok(held)
}

/// Units in a token account, of either token program, if it exists.
pub fn token_amount(cluster: &dyn Cluster, account: &Pubkey) -> Result<Option<u64>> {
    // Both programs keep the amount in the eight bytes after mint and owner.
    let bytes = cluster.account(account)?.and_then(|account| account.data.get(64..72)?.try_into().ok());
    Ok(bytes.map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_take_the_mints_decimals_and_are_exact() {
        let units = |text: &str, decimals| text.parse::<Amount>().expect("an amount").units(decimals);
        assert_eq!(units("1000", 6).expect("fits"), 1_000_000_000);
        assert_eq!(units("1,000.5", 6).expect("fits"), 1_000_500_000);
        assert_eq!(units("0.000001", 6).expect("fits"), 1);
        assert_eq!(units("1.10", 1).expect("fits"), 11);
        assert!(units("0.0000001", 6).is_err());
        assert!(units("18446744073709.551616", 6).is_err());
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-1", "ten", "1.2.3", "NaN"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
