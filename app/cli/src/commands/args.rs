//! Values on command lines, as people write them.

use crate::commands::context::UsageError;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::state::Tranche;
use backstop_client::Cluster;
pub use backstop_client::act::{Source, asset_text};
use backstop_client::address;
use backstop_client::redact;
use backstop_client::units;
pub use backstop_client::units::{bps, count, hundredths, price, rate, seconds};
pub use backstop_client::view::{OpenPool, OpenProduct};
use clap::ValueEnum;
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

impl TrancheArg {
    /// A tranche's name as it is written on the command line and in results.
    pub fn name_of(tranche: Tranche) -> &'static str {
        backstop_client::view::tranche_name(tranche)
    }
}

/// An amount in whole tokens, before the mint's decimals are known: `1000`, `1_000.5`, `1,000.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(units::Amount);

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl Amount {
    /// The amount in the mint's smallest units. Exact: an amount with more decimals than the mint has is refused.
    pub fn units(self, decimals: u8) -> Result<u64> {
        self.0.units(decimals).map_err(|why| UsageError(why).into())
    }
}

/// A set of attestors by its address.
pub fn attestors(text: &str) -> Result<Pubkey, String> {
    let wrong = |_| {
        let shown = redact::shown(text);
        format!("{shown} is no set of attestors: give its address, which `backstop attest create-set` tells")
    };
    text.parse().map_err(wrong)
}

/// A pool by its address, or as `MINT/NUMBER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolArg(pub Pubkey);

impl FromStr for PoolArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{} is not a pool: give its address, or MINT/NUMBER", redact::shown(text));
        let Some((mint, number)) = text.split_once('/') else { return text.parse().map(Self).map_err(|_| wrong()) };
        let (mint, number) = (mint.parse().map_err(|_| wrong())?, units::whole(number).ok_or_else(wrong)?);
        Ok(Self(address::pool(&mint, number)))
    }
}

impl PoolArg {
    /// Reads the pool and its asset's mint.
    pub fn open(self, cluster: &dyn Cluster) -> Result<OpenPool> {
        Ok(OpenPool::read(cluster, self.0)?)
    }
}

/// A UTC day, written as `2026-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcDay(pub u32);

impl FromStr for UtcDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        units::utc_day(text).map(Self)
    }
}

/// A product by its address, or as `MINT/POOL/PRODUCT` with the numbers of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductArg(pub Pubkey);

impl FromStr for ProductArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{} is not a product: give its address, or MINT/POOL/PRODUCT", redact::shown(text));
        let Some((pool, number)) = text.rsplit_once('/') else { return text.parse().map(Self).map_err(|_| wrong()) };
        let number = units::whole(number).ok_or_else(wrong)?;
        match pool.parse() {
            Ok(PoolArg(pool)) if text.matches('/').count() == 2 => Ok(Self(address::product(&pool, number))),
            _ => Err(wrong()),
        }
    }
}

impl ProductArg {
    /// Reads the product and its pool.
    pub fn open(self, cluster: &dyn Cluster) -> Result<OpenProduct> {
        Ok(OpenProduct::read(cluster, self.0)?)
    }

    /// Reads the product and its pool; the address may be that of its trigger or its incident.
    pub fn find(self, cluster: &dyn Cluster) -> Result<OpenProduct> {
        Ok(OpenProduct::find(cluster, self.0)?)
    }
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
    fn a_product_is_named_by_its_address_or_by_mint_and_numbers() {
        let mint = Pubkey::new_from_array([3; 32]);
        let by_number = address::product(&address::pool(&mint, 2), 7);
        assert_eq!(format!("{mint}/2/7").parse(), Ok(ProductArg(by_number)));
        assert_eq!(by_number.to_string().parse(), Ok(ProductArg(by_number)));
        for wrong in ["", "7", &format!("{mint}/2"), &format!("{mint}/2/7/1"), &format!("{mint}/2/x"), "/2/7"] {
            assert!(wrong.parse::<ProductArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn prices_percentages_and_durations_are_exact() {
        assert_eq!(price("0.95"), Ok(95_000_000));
        assert_eq!(price("1.00000001"), Ok(100_000_001));
        assert_eq!(rate("2.5%"), Ok(25_000_000));
        assert_eq!(rate("0.0000001"), Ok(1));
        assert_eq!(bps::<u16>("12.5 %"), Ok(1_250));
        assert_eq!(hundredths("2.25"), Ok(225));
        assert_eq!(seconds("1h 30m"), Ok(5_400));
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for text in ["0.123456789", "-1", "", "1,5", "0.95%", "NaN", "99999999999999999999"] {
            assert!(price(text).is_err(), "{text}");
        }
        for text in ["0.00000001", "-2", "%", "two"] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["0.001", "655.36%", "-1%"] {
            assert!(bps::<u16>(text).is_err(), "{text}");
        }
        for text in ["4", "1500ms", "-1h", "forever", "200years"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_written_with_year_month_and_day() {
        assert_eq!("1970-01-02".parse(), Ok(UtcDay(1)));
        assert_eq!("2023-03-11".parse(), Ok(UtcDay(19_427)));
        for text in ["", "2023-3-11", "2023-02-30", "11.03.2023", "2023-03-11T00:00:00Z", "1969-12-31", "tomorrow"] {
            assert!(text.parse::<UtcDay>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-1", "ten", "1.2.3", "NaN"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
