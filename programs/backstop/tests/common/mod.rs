//! Books to test the rules on: accounts made directly, without a cluster, in figures that can be checked by hand.
#![allow(dead_code, reason = "every test file uses a part of it")]

use anchor_lang::error::Error;
use anchor_lang::prelude::*;
use backstop::constants::ACCOUNT_VERSION;
use backstop::error::BackstopError;
use backstop::peril::evidence::{Direction, Severity, Terms, TermsInput};
use backstop::state::*;
use bytemuck::Zeroable;

pub const DAY: i64 = 86_400;
/// The day on which the tests take place.
pub const TODAY: u32 = 20_000;
/// Its first second.
pub const NOW: i64 = 20_000 * DAY;
/// One unit a second.
pub const ONE_A_SECOND: u64 = 1 << 32;

/// An address that is nobody's but this number's.
pub fn key(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

/// Asserts that the program refuses for one reason, and gives the number of it in the message.
#[track_caller]
pub fn refused<T>(result: Result<T>, reason: BackstopError) {
    match result {
        Ok(_) => panic!("not refused: {reason:?} was expected"),
        Err(Error::AnchorError(error)) => {
            assert_eq!(error.error_code_number, u32::from(reason), "refused as {}", error.error_name);
        }
        Err(Error::ProgramError(error)) => panic!("refused as {:?}", error.program_error),
    }
}

/// Terms of a pool: full collateral, once, five times leverage, a week's cooldown, 10 % to the surplus, junior earns
/// double.
pub fn pool_terms() -> PoolTerms {
    PoolTerms {
        min_first_deposit: 10_000,
        min_ticket: 1_000,
        min_sum_insured: 1_000,
        cooldown_seconds: 7 * 86_400,
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

/// A new cover pool.
pub fn pool() -> Pool {
    let mut pool = Pool::zeroed();
    pool.version = ACCOUNT_VERSION;
    pool.terms = pool_terms();
    pool.accrued_at = NOW;
    pool.capital_day = TODAY;
    pool.share_mints = [key(1), key(2)];
    pool
}

/// A pool with capital whose shares are at their first price, 1,000 for a unit.
pub fn pool_with(surplus: u64, junior: u64, senior: u64) -> Pool {
    let mut pool = pool();
    pool.surplus = surplus;
    for (book, assets) in pool.tranches.iter_mut().zip([junior, senior]) {
        book.assets = assets;
        book.shares = assets * 1_000;
    }
    pool.cash = surplus + junior + senior;
    (pool.capital_lows, pool.unasked_lows) = ([pool.cash; 32], [pool.cash; 32]);
    pool.in_use = u8::from(junior + senior > 0);
    pool.invariant().unwrap();
    pool
}

/// A reinsurance pool with capital.
pub fn reinsurer_with(surplus: u64, junior: u64, senior: u64) -> Pool {
    let mut pool = pool_with(surplus, junior, senior);
    pool.kind = 1;
    pool
}

/// Everything that absorbs losses, by hand: surplus, junior assets and exiting, senior assets and exiting.
pub fn layers(pool: &Pool) -> [u64; 5] {
    let [junior, senior] = &pool.tranches;
    [pool.surplus, junior.assets, junior.exiting, senior.assets, senior.exiting]
}

/// A condition: below 0.95 for an hour in slots of ten minutes, two hours to contradict it.
pub fn condition() -> Terms {
    Terms::new(&TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 96_000_000,
        severity: Severity::Binary,
        duration_seconds: 3_600,
        slot_seconds: 600,
        tolerance_seconds: 600,
        challenge_seconds: 7_200,
        run_on_seconds: 0,
        quiet_seconds: 86_400,
        confidence_multiplier: 200,
    })
    .unwrap()
}

/// A quiet trigger with a fresh print of 1.00.
pub fn trigger() -> Trigger {
    let mut trigger = Trigger::zeroed();
    trigger.version = ACCOUNT_VERSION;
    trigger.product = key(20);
    trigger.terms = condition();
    trigger.evidence.last_price = 100_000_000;
    trigger.evidence.last_publish_time = NOW - 60;
    trigger
}

/// The policy of a cover of a day range.
pub fn cover(active_day: u32, end_day: u32, sum_insured: u64, premium: u64) -> Policy {
    Policy {
        product: key(20),
        insured: key(21),
        version: ACCOUNT_VERSION,
        state: CoverState::Active,
        cancel_fee_bps: 1_000,
        active_day,
        end_day,
        sum_insured,
        premium,
        rate_q32: 0,
        bought_at: NOW - DAY,
        paid: 0,
        refunded: 0,
        minted_day: 0,
        has_lien: false,
        was_changed: false,
        reserved: [0; 10],
    }
}

/// An active treaty from today for 30 days with all of its limit left.
pub fn treaty(kind: TreatyKind, limit: u64) -> Treaty {
    Treaty {
        cedant: key(30),
        reinsurer: key(31),
        rent_payer: key(32),
        version: ACCOUNT_VERSION,
        bump: 255,
        state: TreatyState::Active,
        id: 0,
        kind,
        limit,
        notice_until: NOW,
        start_day: TODAY,
        end_day: TODAY + 30,
        premium: 0,
        rate_q32: 0,
        restored: 0,
        reserved: [0; 64],
    }
}

/// A quota share of 40 %, of whose premium the cedant keeps a quarter.
pub const QUOTA_SHARE: TreatyKind = TreatyKind::QuotaShare { cession_bps: 4_000, commission_bps: 2_500 };

/// A layer above `attachment` at a rate on line of 10 %, restored twice at the same price.
pub fn layer(attachment: u64) -> TreatyKind {
    TreatyKind::ExcessOfLoss {
        attachment,
        rate_on_line_bps: 1_000,
        reinstatements: 2,
        reinstatement_premium_bps: 10_000,
    }
}

/// A purchase at any price.
pub fn purchase(request: CoverRequest) -> Purchase {
    Purchase { product: key(20), insured: key(21), request, max_premium: u64::MAX }
}

/// Terms of a product: 2 % risk rate and half as much loading, a flat demand of 1 %, so that a year of 1,000,000 costs
/// 40,000.
pub fn product_terms() -> ProductTerms {
    ProductTerms {
        risk_rate_ppb: 20_000_000,
        risk_rate_floor_ppb: 5_000_000,
        risk_rate_ceiling_ppb: 200_000_000,
        risk_rate_step_ppb: 10_000_000,
        demand_at_zero_ppb: 10_000_000,
        demand_at_kink_ppb: 10_000_000,
        demand_at_capacity_ppb: 10_000_000,
        min_premium: 10,
        max_sum_insured: 5_000_000,
        loading_bps: 5_000,
        level_bps: 10_000,
        min_level_bps: 2_500,
        max_level_bps: 40_000,
        waiting_seconds: 86_400,
        max_price_age: 3_600,
        no_sale_buffer_bps: 100,
        risk_group: 3,
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

/// A product that sells; its trigger's ring reaches two days back.
pub fn product() -> Product {
    let mut product = Product::zeroed();
    product.version = ACCOUNT_VERSION;
    product.terms = product_terms();
    product.risk_rate_ppb = 20_000_000;
    product.level_bps = 10_000;
    product.level_at = NOW;
    product.sells_from = NOW;
    product.utilisation_bps = 6_000;
    product.ring_days = 2;
    product.released_day = TODAY - 2;
    product
}

/// The product's rates.
pub fn rates() -> Rates {
    let mut rates = Rates::zeroed();
    rates.version = 1;
    rates.product = key(20);
    rates.cleared_day = TODAY;
    rates
}
