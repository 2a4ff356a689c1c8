//! What a premium is made of: the risk, the loading on it, and what demand adds.
//!
//! ```text
//! risk     = ceil(sum insured x risk rate x term / (365 days x 1e9))
//! loading  = ceil(sum insured x technical rate x term / (365 days x 1e9)) - risk
//! demand   = premium - risk - loading
//! ```
//!
//! So the parts are the premium. Where the product's smallest premium is more than that, what fills it up is in demand:
//! [`Parts::is_least`] tells it.

use crate::quote::Market;
use backstop::math::pricing::{ONE_PPB, SECONDS_PER_YEAR};
use backstop::state::Quote;
use serde::Serialize;

const SECONDS_PER_DAY: u128 = 86_400;

/// The parts of a premium, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// For the risk as it is estimated, rounded up.
    pub risk: u64,
    /// For that estimate being too low.
    pub loading: u64,
    /// For the room that the cover takes from others, or to the product's smallest premium.
    pub demand: u64,
    /// Whether it is the product's smallest premium.
    pub is_least: bool,
}

/// The parts of a quote's premium.
pub fn parts(market: &Market, quote: &Quote, term_days: u16) -> Parts {
    let for_rate = |ppb: u64| {
        let seconds = u128::from(term_days) * SECONDS_PER_DAY;
        let product = u128::from(quote.sum_insured).saturating_mul(u128::from(ppb)).saturating_mul(seconds);
        let units = product.div_ceil(u128::from(SECONDS_PER_YEAR) * u128::from(ONE_PPB));
        u64::try_from(units).unwrap_or(u64::MAX).min(quote.premium)
    };
    let (risk, technical) = (for_rate(market.product.risk_rate_ppb), for_rate(quote.technical_ppb));
    Parts {
        risk,
        loading: technical.saturating_sub(risk),
        demand: quote.premium.saturating_sub(technical),
        is_least: quote.premium == market.product.terms.min_premium,
    }
}
