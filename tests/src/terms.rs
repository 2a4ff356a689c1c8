//! Terms that a careful governance would choose; tests change what they are about.

use anchor_lang::prelude::Pubkey;
use backstop::CreatePoolArgs;
use backstop::peril::evidence::{Direction, Severity, TermsInput};
use backstop::peril::feed::Source;
use backstop::state::{Access, PoolKind, PoolTerms, ProductTerms};
use backstop_client::address;
use backstop_client::instruction::NewProduct;

/// One token of the test assets, which have six decimals.
pub const ONE: u64 = 1_000_000;
/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Seconds of an hour.
pub const HOUR: i64 = 3_600;
/// Seconds of a minute.
pub const MINUTE: i64 = 60;
/// The feed of the covered asset.
pub const FEED: [u8; 32] = [7; 32];

/// Terms of a pool: full collateral, once, a week's cooldown, 10 % of premium to the surplus, junior earns double.
pub fn pool_terms() -> PoolTerms {
    PoolTerms {
        min_first_deposit: 10 * ONE,
        min_ticket: ONE,
        min_sum_insured: ONE,
        cooldown_seconds: u32::try_from(7 * DAY).unwrap(),
        solvency_bps: 10_000,
        max_leverage_bps: 50_000,
        junior_weight_bps: 20_000,
        rho_bps: 10_000,
        max_credit_bps: 5_000,
        surplus_bps: 1_000,
        group_cap_bps: 10_000,
        first_loss_bps: 0,
        seasoning_days: 1,
        sells_until_day: 0,
    }
}

/// A cover pool that anybody may deposit into.
pub fn create_pool(id: u16) -> CreatePoolArgs {
    CreatePoolArgs {
        id,
        kind: PoolKind::Cover,
        access: Access::Open,
        deposit_authority: Pubkey::default(),
        label: "USDT".into(),
        uri: "https://backstop.example/files/usdt-pool.json".into(),
        terms: pool_terms(),
    }
}

/// Terms of a product: 2 % risk rate and half as much loading, demand from 0 to 5 % at the kink and 20 % at capacity.
pub fn product_terms() -> ProductTerms {
    ProductTerms {
        risk_rate_ppb: 20_000_000,
        risk_rate_floor_ppb: 5_000_000,
        risk_rate_ceiling_ppb: 200_000_000,
        risk_rate_step_ppb: 10_000_000,
        demand_at_zero_ppb: 0,
        demand_at_kink_ppb: 50_000_000,
        demand_at_capacity_ppb: 200_000_000,
        min_premium: 10_000,
        max_sum_insured: 1_000_000 * ONE,
        loading_bps: 5_000,
        level_bps: 10_000,
        min_level_bps: 2_500,
        max_level_bps: 40_000,
        waiting_seconds: u32::try_from(DAY).unwrap(),
        max_price_age: u32::try_from(HOUR).unwrap(),
        no_sale_buffer_bps: 100,
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

/// Below 0.95 for four hours, linear to 0.80: the "stress" condition of the demo. It is final when it is proven.
pub fn stress() -> TermsInput {
    TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 96_000_000,
        severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
        duration_seconds: 4 * 3_600,
        slot_seconds: 1_800,
        tolerance_seconds: 1_800,
        challenge_seconds: 6 * 3_600,
        run_on_seconds: 0,
        quiet_seconds: 24 * 3_600,
        confidence_multiplier: 200,
    }
}

/// Below 0.90 for 24 hours, paid in full: the "severe" condition of the demo.
pub fn severe() -> TermsInput {
    TermsInput {
        direction: Direction::Below,
        threshold: 90_000_000,
        recovery: 95_000_000,
        severity: Severity::Binary,
        duration_seconds: 24 * 3_600,
        slot_seconds: 3_600,
        tolerance_seconds: 2 * 3_600,
        challenge_seconds: 6 * 3_600,
        run_on_seconds: 0,
        quiet_seconds: 24 * 3_600,
        confidence_multiplier: 200,
    }
}

/// A product on the covered asset of a world.
pub fn create_product(covered_asset: Pubkey, condition: TermsInput) -> NewProduct {
    NewProduct {
        name: "USDC below 0.95 for 4h".into(),
        uri: "https://backstop.example/files/usdc-stress.json".into(),
        wording_hash: [9; 32],
        covered_asset,
        terms: product_terms(),
        source: Source::PythReceiver,
        feed: FEED,
        attestors: None,
        vaults: Vec::new(),
        condition,
    }
}

/// An owner's associated token account of an SPL Token mint.
pub fn assets_of(owner: &Pubkey, mint: &Pubkey) -> Pubkey {
    address::associated_token(owner, mint, &anchor_spl::token::ID)
}
