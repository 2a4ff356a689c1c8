//! Who takes part, on which terms, and what has to come out.

use super::prices::{self, Print};
use backstop::state::evidence::{Severity, TermsInput};
use backstop::state::{PoolTerms, ProductTerms};

pub(super) const ONE: u64 = 1_000_000;
pub(super) const DECIMALS: u8 = 6;
pub(super) const MINUTE: u32 = 60;
pub(super) const HOUR: u32 = 60 * MINUTE;
pub(super) const DAY: u32 = 24 * HOUR;

/// 1 March 2023, 09:00 UTC: protocol, pool and products are created and capital comes in.
pub(super) const FOUNDED_AT: i64 = 1_677_661_200;
/// A day later: capital counts for capacity from the day boundary on, so covers are sold now.
pub(super) const SOLD_AT: i64 = FOUNDED_AT + 86_400;
/// The price on which they are sold.
pub(super) const CALM_PRICE_E8: u64 = 100_000_000;
/// Protection of every cover, in days.
pub(super) const TERM_DAYS: u16 = 30;
/// The feed id of the price updates.
pub(super) const FEED: [u8; 32] = *b"USDC/USD, March 2023, Chainlink.";

/// Prices to replay, and what has to come out.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The prices, oldest first.
    pub prints: Vec<Print>,
    /// Confidence of every price, in 1e-8. Chainlink states none; this is what Pyth states for USDC on an uneasy day.
    pub confidence_e8: u64,
    /// What is said of the outcome in advance.
    pub stated: Stated,
}

/// What is said in advance of the trigger that fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    /// Start of the event, in unix seconds.
    pub event_at: i64,
    /// When the condition was met, in unix seconds.
    pub met_at: i64,
    /// Mean price of the event, in 1e-8.
    pub mean_price_e8: u64,
    /// Part of each sum insured that is paid, in basis points.
    pub severity_bps: u16,
}

impl Scenario {
    /// USDC in March 2023.
    pub fn march_2023() -> Self {
        Self {
            prints: prices::march_2023(),
            confidence_e8: 50_000,
            stated: Stated {
                event_at: 1_678_510_800,
                met_at: 1_678_527_000,
                mean_price_e8: 90_965_000,
                severity_bps: 2_690,
            },
        }
    }
}

/// A product as the demo sells it.
pub(super) struct Insured {
    pub key: &'static str,
    pub name: &'static str,
    pub condition: TermsInput,
    pub risk_rate_ppb: u64,
}

pub(super) const STRESS: usize = 0;
pub(super) const SEVERE: usize = 1;

/// "stress" pays early and in part, "severe" late and in full.
pub(super) const PRODUCTS: [Insured; 2] = [
    Insured {
        key: "stress",
        name: "USDC below 0.95 for 4h",
        condition: TermsInput {
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000 },
            duration_seconds: 4 * HOUR,
            slot_seconds: 30 * MINUTE,
            tolerance_seconds: 30 * MINUTE,
            challenge_seconds: 6 * HOUR,
            confidence_multiplier: 200,
        },
        risk_rate_ppb: 20_000_000,
    },
    Insured {
        key: "severe",
        name: "USDC below 0.90 for 24h",
        condition: TermsInput {
            threshold: 90_000_000,
            recovery: 95_000_000,
            severity: Severity::Binary,
            duration_seconds: 24 * HOUR,
            slot_seconds: HOUR,
            tolerance_seconds: 2 * HOUR,
            challenge_seconds: 6 * HOUR,
            confidence_multiplier: 200,
        },
        risk_rate_ppb: 10_000_000,
    },
];

pub(super) const TREASURY: &str = "Treasury";
pub(super) const JULIA: &str = "Julia";
pub(super) const SIMON: &str = "Simon";
pub(super) const ANNA: &str = "Anna";
pub(super) const BORIS: &str = "Boris";
pub(super) const CHEN: &str = "Chen";
pub(super) const DORA: &str = "Dora";
pub(super) const EVE: &str = "Eve";

/// Everybody, and the assets they begin with.
pub(super) const PEOPLE: [(&str, u64); 8] = [
    (TREASURY, 5_000 * ONE),
    (JULIA, 40_000 * ONE),
    (SIMON, 160_000 * ONE),
    (ANNA, 1_000 * ONE),
    (BORIS, 1_000 * ONE),
    (CHEN, 1_000 * ONE),
    (DORA, 1_000 * ONE),
    (EVE, 1_000 * ONE),
];

/// Buyer, product, sum insured: bought in calm times.
pub(super) const EARLY_COVERS: [(&str, usize, u64); 4] = [
    (ANNA, STRESS, 60_000 * ONE),
    (BORIS, STRESS, 25_000 * ONE),
    (BORIS, SEVERE, 25_000 * ONE),
    (CHEN, SEVERE, 50_000 * ONE),
];

/// Bought hours before the event.
pub(super) const LATE_COVER: (&str, usize, u64) = (DORA, STRESS, 10_000 * ONE);

/// Full collateral, a week's cooldown, a tenth of the premium to the surplus, junior capital earns double.
pub(super) const POOL_TERMS: PoolTerms = PoolTerms {
    min_first_deposit: 10 * ONE,
    min_ticket: ONE,
    min_sum_insured: ONE,
    cooldown_seconds: 7 * DAY,
    solvency_bps: 10_000,
    max_leverage_bps: 10_000,
    junior_weight_bps: 20_000,
    rho_bps: 10_000,
    max_credit_bps: 0,
    surplus_bps: 1_000,
    group_cap_bps: 10_000,
};

/// Terms of a product with this risk rate: half as much loading, and demand from 0 to 5 % at the kink and 20 % at capacity.
pub(super) const fn product_terms(risk_rate_ppb: u64) -> ProductTerms {
    ProductTerms {
        risk_rate_ppb,
        risk_rate_floor_ppb: 5_000_000,
        risk_rate_ceiling_ppb: 200_000_000,
        risk_rate_step_ppb: 10_000_000,
        demand_at_zero_ppb: 0,
        demand_at_kink_ppb: 50_000_000,
        demand_at_capacity_ppb: 200_000_000,
        min_premium: ONE / 100,
        max_sum_insured: 100_000 * ONE,
        loading_bps: 5_000,
        level_bps: 10_000,
        min_level_bps: 2_500,
        max_level_bps: 40_000,
        waiting_seconds: DAY,
        max_price_age: HOUR,
        no_sale_buffer_bps: 100,
        // What fails together: both products are on one issuer.
        risk_group: 0,
        kink_bps: 8_000,
        upper_mark_bps: 8_000,
        lower_mark_bps: 5_000,
        drift_bps: 200,
        cap_bps: 8_000,
        cancel_fee_bps: 1_000,
        min_term_days: 7,
        max_term_days: 365,
    }
}
