//! Reading a print: an oracle account's bytes, or a signed report, become one [`Observation`] or a typed refusal. One file
//! for each source. Pyth's prints and reports are *replayable*: a print proves its moment, so that it can be shown late.
//! Others are *live*: a value that holds now becomes a [`Level`], and counts by the rules of [`crate::peril::live`].
//!
//! Nothing here looks at slots of the ledger: when an account was posted says nothing about how old its price is. An
//! old print is a good print, because evidence is a set (see [`crate::peril::evidence`]); only prints from the future
//! are refused. Whoever calls [`read`] must read and act in one instruction: the account's owner may let anyone
//! overwrite it between two.

pub mod attested;
pub mod pyth_push;
pub mod pyth_receiver;
pub mod spl_lending;
pub mod stake_pool;
pub mod vaults;

use crate::constants::{LONGEST_PRICE_AGE, MAX_PRICE_AGE, MIN_NO_SALE_BUFFER_BPS};
use crate::math::rounding::{narrow, wide};
use crate::peril::live::LEAST_LIVE_BUFFER_BPS;
use crate::peril::two_keys::LEAD_SECONDS;
use anchor_lang::prelude::*;

/// Decimals of every price in this program: 1 is 1e-8.
pub const PRICE_DECIMALS: i32 = 8;
/// Smallest exponent of a print that is taken.
pub const MIN_EXPONENT: i32 = -12;
/// Largest exponent of a print that is taken.
pub const MAX_EXPONENT: i32 = 0;
/// How far a print may be ahead of the cluster's clock, in seconds: the two clocks are not the same.
pub const MAX_AHEAD_SECONDS: i64 = 5;

const DAY_SECONDS: u32 = 86_400;
const _: () = assert!(Source::VaultDrop.least_waiting_seconds() as i64 == LEAD_SECONDS);

stored_enum! {
    /// Where a print comes from.
    pub enum Source {
        /// A `PriceUpdateV2` of the Pyth receiver program: a standing feed account or one that the caller posted. The
        /// feed is Pyth's feed id.
        PythReceiver = 0,
        /// A price account of the Pyth push oracle, for clusters that still run it. The feed is the account's own
        /// address.
        PythPush = 1,
        /// Reports that a set of named keys has signed: see [`attested`]. The feed is the sha-256 of its definition.
        Attested = 2,
        /// What a token of an SPL stake pool is worth, as a part of its own peak: see [`stake_pool`]. The feed is the pool's
        /// address. Live.
        StakePoolRate = 3,
        /// What a share of a lending reserve is worth, as a part of its own peak: see [`spl_lending`]. The feed is the
        /// reserve's address. Live.
        SplLendingRate = 4,
        /// What the vaults of a protocol hold, as a part of what they held: see [`vaults`] and [`crate::peril::vault`]. It is one
        /// of two keys, and the feed is that of the other: the sha-256 of the definition of the attestors' reports. Live.
        VaultDrop = 5,
    }
}

impl Source {
    /// Whether it can only be read now: no print of it can be shown late.
    pub const fn is_live(self) -> bool {
        match self {
            Self::PythReceiver | Self::PythPush | Self::Attested => false,
            Self::StakePoolRate | Self::SplLendingRate | Self::VaultDrop => true,
        }
    }

    /// Whether attestors report to it.
    pub const fn is_reported(self) -> bool {
        match self {
            Self::Attested | Self::VaultDrop => true,
            Self::PythReceiver | Self::PythPush | Self::StakePoolRate | Self::SplLendingRate => false,
        }
    }

    /// Longest that the last print may be old at a purchase, in seconds: an hour; for reserves three, because a slot of an
    /// hour is shown once in it; for stake pools a day, because nothing is shown from an epoch's end until the pool is updated.
    pub const fn longest_price_age(self) -> u32 {
        match self {
            Self::PythReceiver | Self::PythPush | Self::Attested | Self::VaultDrop => MAX_PRICE_AGE,
            Self::SplLendingRate => 3 * MAX_PRICE_AGE,
            Self::StakePoolRate => LONGEST_PRICE_AGE,
        }
    }

    /// Shortest time between purchase and protection, in seconds, so that nobody buys what he knows and the feed does not say yet: a
    /// day. Of vaults as much as a report's moment may lie before the fall, so that no report proves the event of a cover that was
    /// bought after its moment; of stake pools longer than an epoch, as a loss reaches their rate with the next one.
    pub const fn least_waiting_seconds(self) -> u32 {
        match self {
            Self::PythReceiver | Self::PythPush | Self::Attested | Self::SplLendingRate => DAY_SECONDS,
            Self::StakePoolRate => 3 * DAY_SECONDS,
            Self::VaultDrop => 2 * DAY_SECONDS,
        }
    }

    /// Least distance of prices from the threshold at a purchase, in basis points.
    pub const fn least_buffer_bps(self) -> u32 {
        if self.is_live() { LEAST_LIVE_BUFFER_BPS } else { MIN_NO_SALE_BUFFER_BPS as u32 }
    }
}

/// What a live account says now, in the units of its feed, rounded both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Rounded up, for what a price is made of.
    pub up: u64,
    /// Rounded down, for what it is measured by.
    pub down: u64,
}

/// What one share of so many is worth. `assets` in the units of the level.
///
/// Errors: `PriceNotPositive` where there are no shares, `PriceTooLarge`.
fn rate(assets: u128, shares: u128) -> core::result::Result<Level, OracleError> {
    let down = assets.checked_div(shares).ok_or(OracleError::PriceNotPositive)?;
    let rest = assets.checked_rem(shares).unwrap_or(0);
    let down = u64::try_from(down).map_err(|_| OracleError::PriceTooLarge)?;
    let up = down.checked_add(u64::from(rest > 0)).ok_or(OracleError::PriceTooLarge)?;
    Ok(Level { up, down })
}

/// Reads the level of a live source's account now. `epoch` is the cluster's.
///
/// Errors: `WrongFeed` for another account than the feed's, `NotLive` for a source whose prints can be shown late, and those
/// of the source.
pub fn read_live(
    source: Source,
    key: &Pubkey,
    owner: &Pubkey,
    data: &[u8],
    feed: &[u8; 32],
    epoch: u64,
) -> core::result::Result<Level, OracleError> {
    if source.is_live() && key.to_bytes() != *feed {
        return Err(OracleError::WrongFeed);
    }
    match source {
        Source::PythReceiver | Source::PythPush | Source::Attested => Err(OracleError::NotLive),
        Source::StakePoolRate => stake_pool::read(owner, data, epoch),
        Source::SplLendingRate => spl_lending::read(owner, data),
        // It has several accounts, and the feed is none of them.
        Source::VaultDrop => Err(OracleError::WrongFeed),
    }
}

/// One signed price: what the oracle said, and when.
#[derive(
    AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord,
)]
pub struct Observation {
    /// Price in 1e-8, above zero, at most `i64::MAX`; rounded up.
    pub price: u64,
    /// Confidence in 1e-8: half the width of the oracle's interval around the price; rounded up.
    pub confidence: u64,
    /// When the oracle published it, in unix seconds.
    pub publish_time: i64,
}

/// Why an account is not taken as a print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OracleError {
    /// The source has no accounts: it takes reports.
    NotAnAccount,
    /// The source is live: its values are shown by `observe_live`.
    Live,
    /// The source is not live: its prints are shown as they are.
    NotLive,
    /// The account was not brought up to the running epoch.
    Stale,
    /// The account does not belong to the source's program.
    WrongOwner,
    /// The account does not have the length of the source's layout.
    WrongLength,
    /// The account does not begin as the source's layout does: discriminator, magic number, version or type.
    WrongLayout,
    /// The price update was not fully verified.
    NotVerified,
    /// The print is of another feed.
    WrongFeed,
    /// The push oracle does not vouch for its price: its status is not "trading".
    NotTrading,
    /// The price is zero or negative.
    PriceNotPositive,
    /// The price does not fit an `i64` in 1e-8.
    PriceTooLarge,
    /// The confidence does not fit a `u64` in 1e-8.
    ConfidenceTooLarge,
    /// The exponent is outside [[`MIN_EXPONENT`], [`MAX_EXPONENT`]].
    BadExponent,
    /// The print was published more than [`MAX_AHEAD_SECONDS`] ahead of the clock.
    FromFuture,
}

/// Reads one print of `feed` from an account of `source`.
///
/// `key`, `owner` and `data` are the account's; `feed` is what the trigger was created with; `now` is the cluster's
/// clock in unix seconds.
///
/// Errors: one [`OracleError`] for each rule.
pub fn read(
    source: Source,
    key: &Pubkey,
    owner: &Pubkey,
    data: &[u8],
    feed: &[u8; 32],
    now: i64,
) -> core::result::Result<Observation, OracleError> {
    match source {
        Source::PythReceiver => pyth_receiver::read(owner, data, feed, now),
        Source::PythPush => pyth_push::read(key, owner, data, feed, now),
        Source::Attested => Err(OracleError::NotAnAccount),
        Source::StakePoolRate | Source::SplLendingRate | Source::VaultDrop => Err(OracleError::Live),
    }
}

/// A price as an oracle states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPrice {
    /// Price in units of `10^exponent`.
    pub price: i64,
    /// Confidence in units of `10^exponent`.
    pub confidence: u64,
    /// Power of ten of the units.
    pub exponent: i32,
    /// When it was published, in unix seconds.
    pub publish_time: i64,
}

impl RawPrice {
    /// The rules that all sources share, and the price in 1e-8.
    ///
    /// Price and confidence are rounded up, so that a breach is harder to show. That makes a recovery easier to show
    /// by less than 1e-8: the doubt goes against the claim. Equal prices at different exponents become equal.
    ///
    /// Errors: `PriceNotPositive`, `PriceTooLarge`, `ConfidenceTooLarge`, `BadExponent`, `FromFuture`. A confidence
    /// that does not fit is refused rather than cut, because a smaller confidence would make a breach easier to show.
    pub fn normalise(self, now: i64) -> core::result::Result<Observation, OracleError> {
        let price = u64::try_from(self.price).map_err(|_| OracleError::PriceNotPositive)?;
        if price == 0 {
            return Err(OracleError::PriceNotPositive);
        }
        if !(MIN_EXPONENT..=MAX_EXPONENT).contains(&self.exponent) {
            return Err(OracleError::BadExponent);
        }
        let shift = self.exponent.saturating_add(PRICE_DECIMALS);
        let factor = 10_u64.saturating_pow(shift.unsigned_abs());
        let (price, confidence) = if shift < 0 {
            (price.div_ceil(factor), self.confidence.div_ceil(factor))
        } else {
            (
                narrow(wide(price, factor)).ok_or(OracleError::PriceTooLarge)?,
                narrow(wide(self.confidence, factor)).ok_or(OracleError::ConfidenceTooLarge)?,
            )
        };
        if i64::try_from(price).is_err() {
            return Err(OracleError::PriceTooLarge);
        }
        if self.publish_time > now.saturating_add(MAX_AHEAD_SECONDS) {
            return Err(OracleError::FromFuture);
        }
        Ok(Observation { price, confidence, publish_time: self.publish_time })
    }
}

/// `N` bytes of an account at a fixed offset, or `WrongLength` where it has none.
fn field<const N: usize>(data: &[u8], offset: usize) -> core::result::Result<[u8; N], OracleError> {
    data.get(offset..).and_then(|tail| tail.first_chunk::<N>()).copied().ok_or(OracleError::WrongLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(price: i64, confidence: u64, exponent: i32) -> RawPrice {
        RawPrice { price, confidence, exponent, publish_time: 1_000 }
    }

    #[test]
    fn prices_and_confidence_round_up() {
        let print = raw(1_000_000_000_001, 1, -12).normalise(1_000).unwrap();
        assert_eq!((print.price, print.confidence), (100_000_001, 1));
        let print = raw(1_000_000_000_000, 10_000, -12).normalise(1_000).unwrap();
        assert_eq!((print.price, print.confidence), (100_000_000, 1));
        let print = raw(1, 0, -12).normalise(1_000).unwrap();
        assert_eq!((print.price, print.confidence), (1, 0));
    }

    #[test]
    fn every_exponent_from_minus_12_to_0_is_taken_and_no_other() {
        for exponent in -12..=0_i32 {
            let one = 10_i64.pow(exponent.unsigned_abs());
            let print = raw(one, 1, exponent).normalise(1_000).unwrap();
            assert_eq!(print.price, 100_000_000, "exponent {exponent}");
        }
        for exponent in [1, 2, -13, -18, i32::MIN, i32::MAX, -479_473_253] {
            let refused = raw(1, 1, exponent).normalise(1_000);
            assert_eq!(refused, Err(OracleError::BadExponent), "exponent {exponent}");
        }
    }

    #[test]
    fn a_price_must_fit_an_i64_and_a_confidence_a_u64() {
        let most = i64::MAX / 100_000_000;
        assert!(raw(most, 0, 0).normalise(1_000).is_ok());
        assert_eq!(raw(most + 1, 0, 0).normalise(1_000), Err(OracleError::PriceTooLarge));
        assert_eq!(raw(i64::MAX, 0, 0).normalise(1_000), Err(OracleError::PriceTooLarge));
        assert!(raw(i64::MAX, u64::MAX, -8).normalise(1_000).is_ok());
        let most = u64::MAX / 100_000_000;
        assert!(raw(1, most, 0).normalise(1_000).is_ok());
        assert_eq!(raw(1, most + 1, 0).normalise(1_000), Err(OracleError::ConfidenceTooLarge));
        assert_eq!(raw(1, u64::MAX, -7).normalise(1_000), Err(OracleError::ConfidenceTooLarge));
    }

    #[test]
    fn a_price_of_zero_or_less_is_refused() {
        for price in [0, -1, i64::MIN] {
            assert_eq!(raw(price, 0, -8).normalise(1_000), Err(OracleError::PriceNotPositive));
        }
    }

    #[test]
    fn five_seconds_ahead_are_taken_and_six_are_not() {
        assert!(raw(1, 0, -8).normalise(995).is_ok());
        assert_eq!(raw(1, 0, -8).normalise(994), Err(OracleError::FromFuture));
        let mut print = raw(1, 0, -8);
        print.publish_time = i64::MAX;
        assert_eq!(print.normalise(0), Err(OracleError::FromFuture));
        assert!(print.normalise(i64::MAX).is_ok());
        print.publish_time = i64::MIN;
        assert!(print.normalise(i64::MIN).is_ok());
    }
}
