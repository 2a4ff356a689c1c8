//! Who takes part, on which terms, and what has to come out.

use super::prices::{self, Print};
use backstop::peril::evidence::{Direction, Severity, TermsInput};
use backstop::state::{Access, PoolTerms, ProductTerms, Tranche, TreatyKind};

pub(crate) const ONE: u64 = 1_000_000;
pub(crate) const DECIMALS: u8 = 6;
pub(crate) const MINUTE: u32 = 60;
pub(crate) const HOUR: u32 = 60 * MINUTE;
pub(crate) const DAY: u32 = 24 * HOUR;

/// 1 March 2023, 09:00 UTC: protocol, pool and products are created and capital comes in.
pub(super) const FOUNDED_AT: i64 = 1_677_661_200;
/// A day later: capital counts for capacity from the day boundary on, and the treaties have begun, so covers are sold now.
pub(super) const SOLD_AT: i64 = FOUNDED_AT + 86_400;
/// A week after the first day: the quota share's premium is settled for the first time.
pub(super) const CEDED_AT: i64 = FOUNDED_AT + 7 * 86_400;
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
pub(crate) struct Insured {
    pub key: &'static str,
    pub name: &'static str,
    pub condition: TermsInput,
    pub risk_rate_ppb: u64,
}

pub(crate) const STRESS: usize = 0;
pub(super) const SEVERE: usize = 1;

/// "stress" pays early and in part, "severe" late and in full.
pub(crate) const PRODUCTS: [Insured; 2] = [
    Insured {
        key: "stress",
        name: "USDC below 0.95 for 4h",
        condition: TermsInput {
            direction: Direction::Below,
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
            duration_seconds: 4 * HOUR,
            slot_seconds: 30 * MINUTE,
            tolerance_seconds: 30 * MINUTE,
            challenge_seconds: 6 * HOUR,
            // What is proven is paid at once.
            run_on_seconds: 0,
            quiet_seconds: DAY,
            confidence_multiplier: 200,
        },
        risk_rate_ppb: 20_000_000,
    },
    Insured {
        key: "severe",
        name: "USDC below 0.90 for 24h",
        condition: TermsInput {
            direction: Direction::Below,
            threshold: 90_000_000,
            recovery: 95_000_000,
            severity: Severity::Binary,
            duration_seconds: 24 * HOUR,
            slot_seconds: HOUR,
            tolerance_seconds: 2 * HOUR,
            challenge_seconds: 6 * HOUR,
            run_on_seconds: 0,
            quiet_seconds: DAY,
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
pub(super) const JONAS: &str = "Jonas";
pub(super) const SARA: &str = "Sara";

/// The insurer's own capital: who, in which tranche (or the surplus), how much.
pub(super) const CAPITAL: [(&str, Option<Tranche>, u64); 3] = [
    (TREASURY, None, 5_000 * ONE),
    (JULIA, Some(Tranche::Junior), 40_000 * ONE),
    (SIMON, Some(Tranche::Senior), 160_000 * ONE),
];

/// A treaty, and the pool that reinsures by it.
pub(super) struct Reinsured {
    pub key: &'static str,
    pub kind: TreatyKind,
    pub limit: u64,
    /// What the reinsuring pool is called here.
    pub pool: &'static str,
    pub access: Access,
    pub capital: &'static [(&'static str, Option<Tranche>, u64)],
}

pub(crate) const QUOTA_SHARE_BPS: u16 = 3_000;
pub(crate) const COMMISSION_BPS: u16 = 2_000;
pub(super) const ATTACHMENT: u64 = 10_000 * ONE;
pub(super) const RATE_ON_LINE_BPS: u16 = 200;

/// Term of the treaties, in days: longer than any cover's.
pub(crate) const TREATY_DAYS: u32 = 90;
pub(super) const QUOTA_SHARE: usize = 0;
pub(super) const LAYER: usize = 1;

/// The tower, in the order in which it pays. The quota share's limit is above its part of all sums insured, so that its
/// part of the premium is never cut.
pub(super) const TOWER: [Reinsured; 2] = [
    Reinsured {
        key: "quota_share",
        kind: TreatyKind::QuotaShare { cession_bps: QUOTA_SHARE_BPS, commission_bps: COMMISSION_BPS },
        limit: 60_000 * ONE,
        pool: "protocol-owned",
        access: Access::ProtocolOnly,
        capital: &[(TREASURY, None, 60_000 * ONE)],
    },
    Reinsured {
        key: "excess_of_loss",
        kind: TreatyKind::ExcessOfLoss {
            attachment: ATTACHMENT,
            rate_on_line_bps: RATE_ON_LINE_BPS,
            reinstatements: 0,
            reinstatement_premium_bps: 0,
        },
        limit: 10_000 * ONE,
        pool: "open",
        access: Access::Open,
        capital: &[(JONAS, Some(Tranche::Junior), 8_000 * ONE), (SARA, Some(Tranche::Senior), 4_000 * ONE)],
    },
];

/// Everybody, and the assets they begin with.
pub(super) const PEOPLE: [(&str, u64); 10] = [
    (TREASURY, 65_000 * ONE),
    (JULIA, 40_000 * ONE),
    (SIMON, 160_000 * ONE),
    (ANNA, 1_000 * ONE),
    (BORIS, 1_000 * ONE),
    (CHEN, 1_000 * ONE),
    (DORA, 1_000 * ONE),
    (EVE, 1_000 * ONE),
    (JONAS, 8_000 * ONE),
    (SARA, 4_000 * ONE),
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
pub(crate) const POOL_TERMS: PoolTerms = PoolTerms {
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
    first_loss_bps: 0,
    seasoning_days: 1,
    sells_until_day: 0,
};

/// Terms of a product with this risk rate: half as much loading, and demand from 0 to 5 % at the kink and 20 % at capacity.
pub(crate) const fn product_terms(risk_rate_ppb: u64) -> ProductTerms {
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
        daily_bps: 10_000,
        deductible_bps: 0,
        coinsurance_bps: 0,
        padding: [0; 2],
    }
}
