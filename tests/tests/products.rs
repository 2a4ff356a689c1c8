//! Products: who makes and changes them, every bound of their terms, notice, risk rate, release of exposure.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::constants::*;
use backstop::error::BackstopError;
use backstop::peril::evidence::{Severity, TermsInput};
use backstop::state::{CoverRequest, PoolKind, Product, ProductState, Seen, Tranche, day_of};
use backstop::{BuyCoverArgs, DepositArgs};
use backstop_client::address;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_tests::terms::{self, DAY, HOUR, MINUTE, ONE};
use backstop_tests::{Outcome, World, assert_books, assert_refused, budget, explain};
use solana_sdk::signer::Signer;

const HEALTHY: i64 = 100_000_000;

/// A world with an empty pool whose cooldown suits every trigger.
fn empty_pool() -> (World, PoolKeys) {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = u32::try_from(MAX_COOLDOWN).unwrap();
    let pool = world.create_pool(args);
    (world, pool)
}

/// A pool with 50,000 junior and 150,000 senior and a product, on a day on which it can sell.
fn selling() -> (World, PoolKeys, ProductKeys) {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    (world, pool, product)
}

fn create(world: &World, pool: &PoolKeys, args: NewProduct) -> Outcome {
    let id = world.pool(pool).products;
    let keys = ProductKeys::derive(*pool, id);
    let both = args.instructions(world.governance.pubkey(), world.payer.pubkey(), &keys, id);
    world.send(&[&world.governance], &both)
}

fn product_args(world: &World) -> NewProduct {
    terms::create_product(world.covered, terms::stress())
}

fn set_state(world: &World, product: &ProductKeys, state: ProductState) -> Outcome {
    let set = ix::set_product_state(world.governance.pubkey(), product.pool.pool, product.product, state);
    world.send(&[&world.governance], &[set])
}

fn set_risk_rate(world: &World, product: &ProductKeys, rate_ppb: u64) -> Outcome {
    let set = ix::set_risk_rate(world.risk_keeper.pubkey(), product.pool.pool, product.product, rate_ppb);
    world.send(&[&world.risk_keeper], &[set])
}

/// Tries to buy on a fresh healthy print.
fn try_to_buy(world: &World, product: &ProductKeys) -> Outcome {
    world.print(product, HEALTHY);
    let buyer = world.person(1_000 * ONE);
    world.buy(product, &buyer, 1_000 * ONE, 30).1
}

#[track_caller]
fn accepted(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

// ---------------------------------------------------------------- creation

#[test]
fn a_product_begins_with_its_terms_and_no_exposure() {
    let (world, pool) = empty_pool();
    let args = product_args(&world);
    let product = world.product(&world.create_product_with(&pool, args.clone()));
    assert_eq!(product.pool, pool.pool);
    assert_eq!(product.terms, args.terms);
    assert_eq!(product.name(), args.name);
    assert_eq!(product.uri(), args.uri);
    assert_eq!(product.wording_hash, args.wording_hash);
    assert_eq!(product.covered_asset, world.covered);
    assert_eq!(product.rent_payer, world.payer.pubkey());
    assert_eq!(product.risk_rate_ppb, args.terms.risk_rate_ppb);
    assert_eq!(product.level_bps, args.terms.level_bps);
    assert_eq!(product.state(), ProductState::Selling);
    assert_eq!((product.exposure, product.covers_sold), (0, 0));
    assert_eq!(world.pool(&pool).products, 1);
}

#[test]
fn only_governance_creates_products() {
    let (world, pool) = empty_pool();
    let keys = ProductKeys::derive(pool, 0);
    let stranger = world.person(0);
    let [create, set] = product_args(&world).instructions(stranger.id(), world.payer.pubkey(), &keys, 0);
    assert_refused(world.send(&[&stranger.key], &[create]), BackstopError::NotGovernance);
    assert_eq!(world.pool(&pool).products, 0);
    world.announce_product(&pool, &product_args(&world));
    assert_refused(world.send(&[&stranger.key], &[set]), BackstopError::NotGovernance);
    assert!(!world.product(&keys).has_condition());
}

#[test]
fn only_a_cover_pool_has_products() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.kind = PoolKind::Reinsurance;
    let pool = world.create_pool(args);
    assert_refused(create(&world, &pool, product_args(&world)), BackstopError::WrongPoolKind);
}

#[test]
fn a_pool_does_not_insure_its_own_asset() {
    let (world, pool) = empty_pool();
    let args = terms::create_product(world.asset, terms::stress());
    assert_refused(create(&world, &pool, args), BackstopError::InsuresItsOwnAsset);
    accepted(create(&world, &pool, product_args(&world)));
}

#[test]
fn the_cooldown_covers_duration_tolerance_challenge_and_a_day() {
    let world = World::new();
    // Four hours, half an hour, six hours, and a day.
    let needed = u32::try_from(34 * HOUR + 30 * MINUTE).unwrap();
    for (id, cooldown, error) in [(0, needed, None), (1, needed - 1, Some(BackstopError::CooldownTooShort))] {
        let mut args = terms::create_pool(id);
        args.terms.cooldown_seconds = cooldown;
        let pool = world.create_pool(args);
        let outcome = create(&world, &pool, product_args(&world));
        match error {
            None => accepted(outcome),
            Some(error) => assert_refused(outcome, error),
        }
    }
}

/// Something one may ask of a product: the last thing that is accepted, and one step beyond.
struct Bound {
    what: &'static str,
    inside: fn(&mut NewProduct),
    outside: fn(&mut NewProduct),
    error: BackstopError,
}

#[track_caller]
fn check_bounds(bounds: &[Bound]) {
    let (world, pool) = empty_pool();
    for bound in bounds {
        let mut args = product_args(&world);
        (bound.outside)(&mut args);
        let products = world.pool(&pool).products;
        let outcome = create(&world, &pool, args);
        assert!(outcome.is_err(), "{}: a step outside is accepted", bound.what);
        assert_refused(outcome, bound.error);
        assert_eq!(world.pool(&pool).products, products);

        let mut args = product_args(&world);
        (bound.inside)(&mut args);
        let outcome = create(&world, &pool, args);
        assert!(outcome.is_ok(), "{}: the bound itself is refused", bound.what);
        assert_eq!(world.pool(&pool).products, products + 1);
    }
}

macro_rules! bound {
    ($what:literal, $error:ident, |$args:ident| $inside:expr, $outside:expr) => {
        Bound { what: $what, inside: |$args| $inside, outside: |$args| $outside, error: BackstopError::$error }
    };
}

#[test]
fn every_bound_of_the_price_refuses_one_step_outside() {
    check_bounds(&[
        bound!("risk rate floor above zero", OutOfBounds, |a| a.terms.risk_rate_floor_ppb = 1, {
            a.terms.risk_rate_floor_ppb = 0
        }),
        bound!("risk rate at the floor", OutOfBounds, |a| a.terms.risk_rate_ppb = a.terms.risk_rate_floor_ppb, {
            a.terms.risk_rate_ppb = a.terms.risk_rate_floor_ppb - 1
        }),
        bound!("risk rate at the ceiling", OutOfBounds, |a| a.terms.risk_rate_ppb = a.terms.risk_rate_ceiling_ppb, {
            a.terms.risk_rate_ppb = a.terms.risk_rate_ceiling_ppb + 1
        }),
        bound!("highest ceiling", OutOfBounds, |a| a.terms.risk_rate_ceiling_ppb = MAX_RATE_PPB, {
            a.terms.risk_rate_ceiling_ppb = MAX_RATE_PPB + 1
        }),
        bound!("highest step", OutOfBounds, |a| a.terms.risk_rate_step_ppb = MAX_RATE_PPB, {
            a.terms.risk_rate_step_ppb = MAX_RATE_PPB + 1
        }),
        bound!("highest demand", OutOfBounds, |a| a.terms.demand_at_capacity_ppb = MAX_RATE_PPB, {
            a.terms.demand_at_capacity_ppb = MAX_RATE_PPB + 1
        }),
        bound!("demand does not fall before the kink", OutOfBounds, |a| a.terms.demand_at_zero_ppb = 50_000_000, {
            a.terms.demand_at_zero_ppb = 50_000_001
        }),
        bound!("demand does not fall after the kink", OutOfBounds, |a| a.terms.demand_at_kink_ppb = 200_000_000, {
            a.terms.demand_at_kink_ppb = 200_000_001
        }),
        bound!("lowest kink", OutOfBounds, |a| a.terms.kink_bps = 1, a.terms.kink_bps = 0),
        bound!("highest kink", OutOfBounds, |a| a.terms.kink_bps = 9_999, a.terms.kink_bps = 10_000),
        bound!("highest loading", OutOfBounds, |a| a.terms.loading_bps = MAX_LOADING_BPS, {
            a.terms.loading_bps = MAX_LOADING_BPS + 1
        }),
        bound!("least premium above zero", OutOfBounds, |a| a.terms.min_premium = 1, a.terms.min_premium = 0),
    ]);
}

#[test]
fn every_bound_of_the_level_refuses_one_step_outside() {
    check_bounds(&[
        bound!("lowest level", OutOfBounds, |a| a.terms.min_level_bps = MIN_LEVEL_BPS, {
            a.terms.min_level_bps = MIN_LEVEL_BPS - 1
        }),
        bound!("highest level", OutOfBounds, |a| a.terms.max_level_bps = MAX_LEVEL_BPS, {
            a.terms.max_level_bps = MAX_LEVEL_BPS + 1
        }),
        bound!("level at its lower bound", OutOfBounds, |a| a.terms.level_bps = a.terms.min_level_bps, {
            a.terms.level_bps = a.terms.min_level_bps - 1
        }),
        bound!("level at its upper bound", OutOfBounds, |a| a.terms.level_bps = a.terms.max_level_bps, {
            a.terms.level_bps = a.terms.max_level_bps + 1
        }),
        bound!("bounds of the level in order", OutOfBounds, |a| a.terms.max_level_bps = a.terms.level_bps, {
            a.terms.max_level_bps = a.terms.level_bps - 1
        }),
        bound!("marks in order", OutOfBounds, |a| a.terms.lower_mark_bps = a.terms.upper_mark_bps, {
            a.terms.lower_mark_bps = a.terms.upper_mark_bps + 1
        }),
        bound!("highest upper mark", OutOfBounds, |a| a.terms.upper_mark_bps = 10_000, {
            a.terms.upper_mark_bps = 10_001
        }),
        bound!("highest drift", OutOfBounds, |a| a.terms.drift_bps = MAX_DRIFT_BPS, {
            a.terms.drift_bps = MAX_DRIFT_BPS + 1
        }),
    ]);
}

#[test]
fn every_bound_of_the_limits_refuses_one_step_outside() {
    check_bounds(&[
        bound!("most for one cover above zero", OutOfBounds, |a| a.terms.max_sum_insured = 1, {
            a.terms.max_sum_insured = 0
        }),
        bound!("most for one cover", AmountTooLarge, |a| a.terms.max_sum_insured = 100_000_000_000_000_000, {
            a.terms.max_sum_insured = 100_000_000_000_000_001
        }),
        bound!("lowest cap", OutOfBounds, |a| a.terms.cap_bps = 1, a.terms.cap_bps = 0),
        bound!("highest cap", OutOfBounds, |a| a.terms.cap_bps = 10_000, a.terms.cap_bps = 10_001),
        bound!("least a day", OutOfBounds, |a| a.terms.daily_bps = 1, a.terms.daily_bps = 0),
        bound!("most a day", OutOfBounds, |a| a.terms.daily_bps = 10_000, a.terms.daily_bps = 10_001),
        bound!("unused bytes", OutOfBounds, |a| a.terms.padding = [0; 2], a.terms.padding = [0, 1]),
        bound!("deductible", DeductibleTooHigh, |a| a.terms.deductible_bps = 499, a.terms.deductible_bps = 500),
        bound!("coinsurance", OutOfBounds, |a| a.terms.coinsurance_bps = 5_000, a.terms.coinsurance_bps = 5_001),
        bound!("last risk group", OutOfBounds, |a| a.terms.risk_group = 15, a.terms.risk_group = 16),
        bound!("shortest waiting time", OutOfBounds, |a| a.terms.waiting_seconds = 86_400, {
            a.terms.waiting_seconds = 86_399
        }),
        bound!("youngest oldest print", OutOfBounds, |a| a.terms.max_price_age = 1, a.terms.max_price_age = 0),
        bound!("oldest oldest print of Pyth", LimitsDoNotFit, |a| a.terms.max_price_age = MAX_PRICE_AGE, {
            a.terms.max_price_age = MAX_PRICE_AGE + 1
        }),
        bound!("narrowest buffer of Pyth", LimitsDoNotFit, |a| a.terms.no_sale_buffer_bps = 100, {
            a.terms.no_sale_buffer_bps = 99
        }),
        bound!("widest buffer", OutOfBounds, |a| a.terms.no_sale_buffer_bps = 10_000, {
            a.terms.no_sale_buffer_bps = 10_001
        }),
        bound!("lowest cancellation fee", OutOfBounds, |a| a.terms.cancel_fee_bps = 1, a.terms.cancel_fee_bps = 0),
        bound!("highest cancellation fee", OutOfBounds, |a| a.terms.cancel_fee_bps = MAX_CANCEL_FEE_BPS, {
            a.terms.cancel_fee_bps = MAX_CANCEL_FEE_BPS + 1
        }),
        // Duration, tolerance and challenge are ten and a half hours: a day, and more than one beyond it.
        bound!("shortest term", TermsDoNotFit, |a| a.terms.min_term_days = 3, a.terms.min_term_days = 2),
        bound!("a term at all", OutOfBounds, |a| a.terms.min_term_days = 3, a.terms.min_term_days = 0),
        bound!("terms in order", OutOfBounds, |a| a.terms.min_term_days = a.terms.max_term_days, {
            a.terms.min_term_days = a.terms.max_term_days + 1
        }),
    ]);
}

#[test]
fn terms_that_the_day_buckets_cannot_hold_are_refused() {
    // The ring of half-hour slots reaches back 128 hours: six days.
    check_bounds(&[
        bound!("ring, waiting, rest of the day and term", TermsDoNotFit, |a| a.terms.max_term_days = 502, {
            a.terms.max_term_days = 503
        }),
        bound!("a waiting time that begins another day", TermsDoNotFit, |a| a.terms.max_term_days = 502, {
            a.terms.max_term_days = 502;
            a.terms.waiting_seconds = 86_401
        }),
        bound!("ring and waiting", TermsDoNotFit, |a| a.terms.waiting_seconds = 24 * 86_400, {
            a.terms.waiting_seconds = 24 * 86_400 + 1
        }),
        bound!("no waiting time wraps around", TermsDoNotFit, |a| a.terms.waiting_seconds = 24 * 86_400, {
            a.terms.waiting_seconds = u32::MAX
        }),
        bound!("no term wraps around", TermsDoNotFit, |a| a.terms.max_term_days = 502, {
            a.terms.max_term_days = u16::MAX
        }),
    ]);
}

#[test]
fn a_name_and_a_uri_are_short_printable_text() {
    check_bounds(&[
        bound!("longest name", BadText, |a| a.name = "n".repeat(48), a.name = "n".repeat(49)),
        bound!("shortest name", BadText, |a| a.name = "n".into(), a.name = String::new()),
        bound!("plain name", BadText, |a| a.name = "USDC below 0.90".into(), a.name = "USDС below 0.90".into()),
        bound!("name on one line", BadText, |a| a.name = "a b".into(), a.name = "a\nb".into()),
        bound!("name without margin", BadText, |a| a.name = "a".into(), a.name = "a ".into()),
        bound!("longest uri", BadText, |a| a.uri = format!("ipfs://{}", "u".repeat(89)), {
            a.uri = format!("ipfs://{}", "u".repeat(90))
        }),
        bound!("shortest uri", BadUri, |a| a.uri = "ar://u".into(), a.uri = "ar://".into()),
        bound!("a uri that wallets open", BadUri, |a| a.uri = "https://u".into(), a.uri = "http://u".into()),
        bound!("a uri without a space", BadUri, |a| a.uri = "https://a/b".into(), a.uri = "https://a b".into()),
        bound!("a plain uri", BadText, |a| a.uri = "ipfs://a".into(), a.uri = "ipfs://\u{430}".into()),
    ]);
}

fn linear(full_loss_price: u64, min_severity_bps: u16) -> Severity {
    Severity::Linear { full_loss_price, min_severity_bps }
}

/// The stress condition with other lengths, in slots.
fn in_slots(slot: u32, need: u32, tolerance: u32, challenge: u32) -> TermsInput {
    TermsInput {
        slot_seconds: slot,
        duration_seconds: need * slot,
        tolerance_seconds: tolerance * slot,
        challenge_seconds: challenge * slot,
        quiet_seconds: need * slot,
        ..terms::stress()
    }
}

/// A condition in slots of five minutes.
fn five_minutes(condition: TermsInput) -> TermsInput {
    TermsInput { slot_seconds: 300, tolerance_seconds: 300, ..condition }
}

fn seconds(hours: i64) -> u32 {
    u32::try_from(hours * HOUR).unwrap()
}

#[test]
fn every_bound_of_the_condition_refuses_one_step_outside() {
    check_bounds(&[
        bound!(
            "shortest slot",
            BadTriggerTerms,
            |a| a.condition = in_slots(60, 60, 5, 120),
            // A divisor of a day too.
            a.condition = in_slots(48, 75, 7, 150)
        ),
        bound!("longest slot", BadTriggerTerms, |a| a.condition = in_slots(3_600, 6, 1, 2), {
            a.condition = in_slots(4_320, 6, 1, 2)
        }),
        bound!("a slot divides a day", BadTriggerTerms, |a| a.condition = in_slots(960, 10, 1, 10), {
            a.condition = in_slots(1_000, 10, 1, 10)
        }),
        bound!(
            "shortest duration",
            BadTriggerTerms,
            |a| a.condition =
                TermsInput { duration_seconds: seconds(1), quiet_seconds: seconds(1), ..five_minutes(a.condition) },
            a.condition = TermsInput {
                duration_seconds: seconds(1) - 300,
                quiet_seconds: seconds(1),
                ..five_minutes(a.condition)
            }
        ),
        bound!(
            "six slots at least",
            BadTriggerTerms,
            |a| a.condition = TermsInput { duration_seconds: 6 * 1_800, ..a.condition },
            a.condition = TermsInput { duration_seconds: 5 * 1_800, ..a.condition }
        ),
        bound!(
            "tolerance a quarter of the duration",
            BadTriggerTerms,
            |a| a.condition.tolerance_seconds = 2 * 1_800,
            a.condition.tolerance_seconds = 3 * 1_800
        ),
        bound!(
            "tolerance a twelfth of the duration",
            BadTriggerTerms,
            |a| (a.condition.duration_seconds, a.condition.tolerance_seconds) = (seconds(12), 2 * 1_800),
            (a.condition.duration_seconds, a.condition.tolerance_seconds) = (seconds(12), 1_800)
        ),
        bound!("a slot of tolerance", BadTriggerTerms, |a| a.condition.tolerance_seconds = 1_800, {
            a.condition.tolerance_seconds = 0
        }),
        bound!("shortest challenge", BadTriggerTerms, |a| a.condition.challenge_seconds = seconds(2), {
            a.condition.challenge_seconds = seconds(2) - 1_800
        }),
        bound!("longest challenge", BadTriggerTerms, |a| a.condition.challenge_seconds = seconds(24), {
            a.condition.challenge_seconds = seconds(24) + 1_800
        }),
        bound!(
            "window, challenge and 32 spare slots in the ring",
            BadTriggerTerms,
            |a| a.condition = TermsInput {
                duration_seconds: 156 * 1_800,
                tolerance_seconds: 20 * 1_800,
                quiet_seconds: 255 * 1_800,
                challenge_seconds: seconds(24),
                ..a.condition
            },
            a.condition = TermsInput {
                duration_seconds: 157 * 1_800,
                tolerance_seconds: 20 * 1_800,
                quiet_seconds: 255 * 1_800,
                challenge_seconds: seconds(24),
                ..a.condition
            }
        ),
        bound!("duration in whole slots", BadTriggerTerms, |a| a.condition.duration_seconds = seconds(4), {
            a.condition.duration_seconds = seconds(4) + 60
        }),
        bound!("tolerance in whole slots", BadTriggerTerms, |a| a.condition.tolerance_seconds = 1_800, {
            a.condition.tolerance_seconds = 1_801
        }),
        bound!("challenge in whole slots", BadTriggerTerms, |a| a.condition.challenge_seconds = seconds(6), {
            a.condition.challenge_seconds = seconds(6) + 1
        }),
        bound!("largest confidence multiplier", BadTriggerTerms, |a| a.condition.confidence_multiplier = 1_000, {
            a.condition.confidence_multiplier = 1_001
        }),
        bound!("smallest confidence multiplier", BadTriggerTerms, |a| a.condition.confidence_multiplier = 100, {
            a.condition.confidence_multiplier = 99
        }),
        bound!(
            "recovery above the threshold",
            BadTriggerTerms,
            |a| a.condition.recovery = a.condition.threshold + 1,
            { a.condition.recovery = a.condition.threshold }
        ),
        bound!("recovery within reach", BadTriggerTerms, |a| a.condition.recovery = 104_500_000, {
            a.condition.recovery = 104_500_001
        }),
        bound!("longest run-on", BadTriggerTerms, |a| a.condition.run_on_seconds = seconds(14 * 24), {
            a.condition.run_on_seconds = seconds(14 * 24) + 1_800
        }),
        bound!("quiet for the duration", BadTriggerTerms, |a| a.condition.quiet_seconds = seconds(4), {
            a.condition.quiet_seconds = seconds(4) - 1_800
        }),
        bound!("quiet within the ring", BadTriggerTerms, |a| a.condition.quiet_seconds = 255 * 1_800, {
            a.condition.quiet_seconds = 256 * 1_800
        }),
        bound!(
            "a threshold",
            BadTriggerTerms,
            |a| a.condition = TermsInput { threshold: 10, recovery: 11, severity: Severity::Binary, ..a.condition },
            a.condition = TermsInput { threshold: 0, recovery: 0, severity: Severity::Binary, ..a.condition }
        ),
        bound!(
            "full loss above zero",
            BadTriggerTerms,
            |a| a.condition.severity = linear(1, 500),
            a.condition.severity = linear(0, 500)
        ),
        bound!(
            "full loss below the threshold",
            BadTriggerTerms,
            |a| a.condition.severity = linear(a.condition.threshold - 1, 500),
            a.condition.severity = linear(a.condition.threshold, 500)
        ),
        bound!(
            "least severity",
            BadTriggerTerms,
            |a| a.condition.severity = linear(80_000_000, 500),
            a.condition.severity = linear(80_000_000, 499)
        ),
        bound!(
            "least severity of all",
            BadTriggerTerms,
            |a| a.condition.severity = linear(80_000_000, 10_000),
            a.condition.severity = linear(80_000_000, 10_001)
        ),
    ]);
}

// ---------------------------------------------------------------- the condition

fn set_condition(world: &World, product: &ProductKeys, args: &NewProduct) -> Outcome {
    let set =
        ix::set_condition(world.governance.pubkey(), world.payer.pubkey(), product, args.attestors, args.condition());
    world.send(&[&world.governance], &[set])
}

#[test]
fn a_product_is_announced_without_a_condition_and_does_nothing_before_it_has_one() {
    let (world, pool, _) = selling();
    let args = product_args(&world);
    let product = world.announce_product(&pool, &args);
    let announced = world.product(&product);
    assert_eq!((announced.state(), announced.trigger), (ProductState::Announced, Pubkey::default()));
    assert_eq!((announced.sells_from, announced.id), (0, 1));
    let before = world.pool(&pool);
    // There is no trigger to pass: what needs one finds nothing.
    let buyer = world.person(1_000 * ONE);
    let sync = || world.send(&[], &[ix::sync_product(&product)]);
    assert!(world.buy(&product, &buyer, 1_000 * ONE, 30).1.is_err() && world.show(&product, HEALTHY).is_err());
    assert!(sync().is_err());
    // Nor does another product's stand in for it.
    let mut with_another = ix::sync_product(&product);
    with_another.accounts[2].pubkey = address::trigger(&ProductKeys::derive(pool, 0).product);
    assert_refused(world.send(&[], &[with_another]), BackstopError::WrongParent);
    for state in [ProductState::Selling, ProductState::Frozen, ProductState::Announced, ProductState::Over] {
        assert_refused(set_state(&world, &product, state), BackstopError::WrongProductState);
    }
    assert_eq!((world.product(&product), world.pool(&pool)), (announced, before));
    accepted(set_condition(&world, &product, &args));
    accepted(sync());
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn the_notice_begins_with_the_condition() {
    let (world, pool, _) = selling();
    let args = product_args(&world);
    let product = world.announce_product(&pool, &args);
    world.advance(30 * DAY);
    accepted(set_condition(&world, &product, &args));
    let set = world.product(&product);
    assert_eq!((set.sells_from, set.level_at), (world.now() + 10 * DAY, world.now()), "the cooldown and three days");
    assert_eq!((set.level_bps, set.newest_activation_day), (args.terms.level_bps, world.today()));
    world.cluster.set_time(set.sells_from - 1);
    assert_refused(try_to_buy(&world, &product), BackstopError::NoticeNotOver);
    world.cluster.set_time(set.sells_from);
    accepted(try_to_buy(&world, &product));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_product_announced_to_an_unused_pool_gives_notice_if_the_pool_is_used_when_its_condition_comes() {
    let (world, pool) = empty_pool();
    let args = product_args(&world);
    let product = world.announce_product(&pool, &args);
    world.depositor(&pool, Tranche::Senior, 1_000 * ONE);
    accepted(set_condition(&world, &product, &args));
    assert_eq!(world.product(&product).sells_from, world.now() + MAX_COOLDOWN + 3 * DAY);
}

#[test]
fn a_condition_is_set_once_and_for_good() {
    let (world, pool, product) = selling();
    let args = product_args(&world);
    let before = (world.product(&product), world.trigger(&product), world.pool(&pool));
    let mut other = args.clone();
    other.condition = terms::severe();
    assert_refused(set_condition(&world, &product, &other), BackstopError::ConditionAlreadySet);
    assert_refused(set_condition(&world, &product, &args), BackstopError::ConditionAlreadySet);
    assert_eq!((world.product(&product), world.trigger(&product), world.pool(&pool)), before);
    // A product that was run off without one gets none.
    let bare = world.announce_product(&pool, &args);
    accepted(set_state(&world, &bare, ProductState::RunOff));
    assert_refused(set_condition(&world, &bare, &args), BackstopError::WrongProductState);
    assert_refused(set_state(&world, &bare, ProductState::Selling), BackstopError::WrongProductState);
    assert!(!world.product(&bare).has_condition());
}

#[test]
fn lamports_at_its_addresses_keep_no_product_from_being_made() {
    let (world, pool) = empty_pool();
    let keys = ProductKeys::derive(pool, 0);
    for key in [keys.product, keys.trigger()] {
        world.cluster.airdrop(&key, 1_000_000);
    }
    accepted(create(&world, &pool, product_args(&world)));
    assert!(world.product(&keys).has_condition());
}

#[test]
fn ids_are_named_and_must_be_free() {
    let (world, pool) = empty_pool();
    let args = product_args(&world);
    // Two proposals that were stored together are carried out in either order.
    let announce = |id: u16| {
        let keys = ProductKeys::derive(pool, id);
        let create = ix::create_product(world.governance.pubkey(), world.payer.pubkey(), &keys, args.announcement(id));
        world.send(&[&world.governance], &[create])
    };
    for id in [1, 0, u16::MAX] {
        accepted(announce(id));
        assert_eq!(world.product(&ProductKeys::derive(pool, id)).id, id);
    }
    let before = world.pool(&pool);
    assert_refused(announce(1), BackstopError::IdTaken);
    assert_eq!((world.pool(&pool), before.products), (before, 3));
    // An account that is not at the address of the id.
    let keys = ProductKeys::derive(pool, 7);
    let create = ix::create_product(world.governance.pubkey(), world.payer.pubkey(), &keys, args.announcement(8));
    let error = world.send(&[&world.governance], &[create]).expect_err("it is another address");
    assert!(error.to_string().contains("0x7d6"), "a constraint on seeds: {}", explain(&error));
}

#[test]
fn governance_may_pay_the_rent_itself() {
    let (world, pool) = empty_pool();
    let governance = world.governance.pubkey();
    world.cluster.airdrop(&governance, 1_000_000_000);
    let both = product_args(&world).instructions(governance, governance, &ProductKeys::derive(pool, 0), 0);
    world.run(&[&world.governance], &both);
    assert_eq!(world.product(&ProductKeys::derive(pool, 0)).rent_payer, governance);
}

/// Bytes of an instruction inside a multisig's stored proposal, and what a transaction that stores it has beside them.
fn stored(instruction: &Instruction) -> usize {
    let keys: std::collections::BTreeSet<Pubkey> =
        instruction.accounts.iter().map(|meta| meta.pubkey).chain([instruction.program_id]).collect();
    // In the proposal: three counts, the keys, the program's index, two lengths, an index for each account, the data.
    let proposal = 4 + 32 * keys.len() + 1 + 1 + instruction.accounts.len() + 2 + instruction.data.len();
    // Around it (Squads v4, `vault_transaction_create`): two signatures, the header, seven keys, the blockhash, and the
    // instruction's own counts, indices, discriminator, vault index, lengths and an empty memo.
    proposal + (1 + 2 * 64) + 3 + (1 + 7 * 32) + 32 + (1 + 1 + 1 + 5 + 2) + (8 + 1 + 1 + 4 + 1)
}

#[test]
fn announcing_a_product_and_setting_its_condition_each_fit_a_stored_transaction() {
    let (world, pool) = empty_pool();
    let mut args = product_args(&world);
    (args.name, args.uri) = ("n".repeat(48), format!("https://{}", "u".repeat(88)));
    let governance = world.governance.pubkey();
    let keys = ProductKeys::derive(pool, 0);
    let [announce, set] = args.instructions(governance, world.payer.pubkey(), &keys, 0);
    assert!(stored(&announce) <= 1_232 - 100, "{} bytes", stored(&announce));
    assert!(stored(&set) <= 1_232 - 100, "{} bytes", stored(&set));
    // And both fit one transaction that is sent directly.
    let message = solana_sdk::message::Message::new(&[budget(), announce, set], Some(&world.payer.pubkey()));
    let bytes = 1 + 64 * usize::from(message.header.num_required_signatures) + message.serialize().len();
    assert!(bytes <= 1_232, "{bytes} bytes");
}

// ---------------------------------------------------------------- state

#[test]
fn only_governance_changes_the_state_of_a_product() {
    let (world, _, product) = selling();
    let stranger = world.person(0);
    let set = ix::set_product_state(stranger.id(), product.pool.pool, product.product, ProductState::Frozen);
    assert_refused(world.send(&[&stranger.key], &[set]), BackstopError::NotGovernance);
    assert_eq!(world.product(&product).state(), ProductState::Selling);
}

#[test]
fn a_product_freezes_thaws_and_runs_off_for_good() {
    let (world, _, product) = selling();
    let refused = |state| assert_refused(set_state(&world, &product, state), BackstopError::WrongProductState);
    let is = |state| assert_eq!(world.product(&product).state(), state);
    refused(ProductState::Selling);
    refused(ProductState::Over);
    accepted(set_state(&world, &product, ProductState::Frozen));
    is(ProductState::Frozen);
    refused(ProductState::Frozen);
    refused(ProductState::Over);
    accepted(set_state(&world, &product, ProductState::Selling));
    is(ProductState::Selling);
    accepted(set_state(&world, &product, ProductState::Frozen));
    accepted(set_state(&world, &product, ProductState::RunOff));
    is(ProductState::RunOff);
    for state in [ProductState::Selling, ProductState::Frozen, ProductState::RunOff, ProductState::Over] {
        refused(state);
    }
    is(ProductState::RunOff);
}

#[test]
fn a_product_that_sells_runs_off_at_once() {
    let (world, _, product) = selling();
    accepted(set_state(&world, &product, ProductState::RunOff));
    assert_eq!(world.product(&product).state(), ProductState::RunOff);
}

#[test]
fn a_product_that_is_over_stays_over() {
    let (world, pool, product) = selling();
    world.holder(&product, 1_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, 90_000_000);
    world.run(&[], &[world.open_incident(&product)]);
    for state in [ProductState::Selling, ProductState::Frozen, ProductState::RunOff, ProductState::Over] {
        assert_refused(set_state(&world, &product, state), BackstopError::WrongProductState);
    }
    assert_eq!(world.product(&product).state(), ProductState::Over);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- notice

#[test]
fn a_product_of_an_unused_pool_needs_no_notice() {
    let (world, pool, product) = selling();
    let announced = world.product(&product);
    assert_eq!(announced.sells_from, announced.level_at);
    accepted(try_to_buy(&world, &product));
    assert_eq!(world.product(&product).notice_served, 1);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_product_that_lands_before_the_first_deposit_stops_it() {
    let (world, pool) = empty_pool();
    let seen = world.pool(&pool).seen();
    let person = world.person(1_000_000 * ONE);
    let deposit = |seen| {
        let mint = pool.share_mint(Tranche::Senior);
        let args = DepositArgs { tranche: Tranche::Senior, amount: 1_000_000 * ONE, min_shares: 0, seen };
        let account = ix::create_associated_token(&person.id(), &person.id(), &mint, &anchor_spl::token_2022::ID);
        world.send(&[&person.key], &[account, ix::deposit(&pool, person.id(), None, args)])
    };
    // While the deposit is on its way governance announces a product, which in an unused pool needs no notice.
    let product = world.announce_product(&pool, &product_args(&world));
    assert_eq!(world.pool(&pool).seen(), seen, "without a condition it sells nothing");
    let [_, set] = product_args(&world).instructions(world.governance.pubkey(), world.payer.pubkey(), &product, 0);
    world.run(&[&world.governance], &[set]);
    assert_refused(deposit(seen), BackstopError::NotSeen);
    assert_eq!(world.assets(&person), 1_000_000 * ONE);
    // Who looks again may take it or leave it.
    accepted(deposit(world.pool(&pool).seen()));
}

#[test]
fn surplus_that_was_given_makes_later_products_wait() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let least = world.pool(&pool).terms.min_first_deposit;
    let giver = world.person(least);
    let give = |amount| world.run(&[&giver.key], &[ix::contribute_surplus(&pool, giver.id(), amount, Seen::ANYTHING)]);
    let wait = || world.product(&world.create_product(&pool, terms::stress())).sells_from - world.now();
    // A stranger's cents make nobody wait.
    give(least - 1);
    assert_eq!(wait(), 0);
    give(1);
    assert_eq!(wait(), 10 * DAY);
}

#[test]
fn a_product_does_not_sell_a_second_before_its_notice_is_over() {
    let (world, pool, _) = selling();
    let product = world.create_product(&pool, terms::stress());
    let sells_from = world.product(&product).sells_from;
    assert_eq!(sells_from, world.now() + 7 * DAY + 3 * DAY, "the cooldown and three days");
    world.cluster.set_time(sells_from - 1);
    assert_refused(try_to_buy(&world, &product), BackstopError::NoticeNotOver);
    assert_eq!(world.product(&product).notice_served, 0);
    world.cluster.set_time(sells_from);
    accepted(try_to_buy(&world, &product));
}

#[test]
fn a_product_frozen_for_two_hundred_days_is_not_thawed_for_one_purchase() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    accepted(set_state(&world, &product, ProductState::Frozen));
    world.depositor(&pool, Tranche::Senior, 1_000_000 * ONE);
    world.advance(200 * DAY);
    world.run(&[], &[ix::accrue(pool.pool)]);
    world.next_day();
    world.print(&product, HEALTHY);
    // Thawed, bought out and frozen again in one transaction.
    let insider = world.person(100_000 * ONE);
    let set = |state| ix::set_product_state(world.governance.pubkey(), pool.pool, product.product, state);
    let args = BuyCoverArgs {
        nonce: 1,
        day: world.today(),
        request: CoverRequest { sum_insured: 700_000 * ONE, term_days: 30 },
        max_premium: u64::MAX,
    };
    let buy = ix::buy_cover(&product, world.payer.pubkey(), insider.id(), insider.id(), args);
    let all = [budget(), set(ProductState::Selling), buy, set(ProductState::Frozen)];
    assert_refused(world.send(&[&world.governance, &insider.key], &all), BackstopError::NoticeNotOver);
    // What is thawed sells after the cooldown and three days.
    accepted(set_state(&world, &product, ProductState::Selling));
    let sells_from = world.product(&product).sells_from;
    assert_eq!(sells_from, world.now() + 10 * DAY);
    world.cluster.set_time(sells_from - 1);
    assert_refused(try_to_buy(&world, &product), BackstopError::NoticeNotOver);
    world.cluster.set_time(sells_from);
    accepted(try_to_buy(&world, &product));
}

#[test]
fn a_freeze_of_seven_days_needs_no_notice() {
    let (world, _, product) = selling();
    accepted(set_state(&world, &product, ProductState::Frozen));
    world.advance(7 * DAY);
    accepted(set_state(&world, &product, ProductState::Selling));
    accepted(try_to_buy(&world, &product));
}

#[test]
fn a_cover_sold_from_surplus_alone_makes_later_products_wait() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let first = world.create_product(&pool, terms::stress());
    let giver = world.person(10_000 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&pool, giver.id(), 10_000 * ONE, Seen::ANYTHING)]);
    world.next_day();
    accepted(try_to_buy(&world, &first));
    let second = world.create_product(&pool, terms::stress());
    assert_eq!(world.product(&second).sells_from, world.now() + 10 * DAY);
    assert_refused(try_to_buy(&world, &second), BackstopError::NoticeNotOver);
}

#[test]
fn a_new_product_does_not_sell_while_an_exit_epoch_past_its_day_is_unfilled() {
    let (world, pool, _) = selling();
    let leaver = world.depositor(&pool, Tranche::Senior, 1_000 * ONE);
    let product = world.create_product(&pool, terms::stress());
    // Whoever asks to leave within two days of the announcement has an epoch whose day ends before the notice does.
    world.advance(2 * DAY);
    let ticket = world.exit(&pool, &leaver, Tranche::Senior, world.shares(&pool, &leaver, Tranche::Senior));
    let epoch = world.ticket(&pool, &leaver, ticket).epoch_day;
    world.cluster.set_time(world.product(&product).sells_from);
    assert_eq!(day_of(world.now()), epoch + 1);
    assert_refused(try_to_buy(&world, &product), BackstopError::ExitsWaiting);
    accepted(world.settle_epoch(&pool, epoch));
    accepted(try_to_buy(&world, &product));
}

#[test]
fn an_exit_epoch_on_its_own_day_does_not_keep_a_product_from_selling() {
    let (world, pool, _) = selling();
    let leaver = world.depositor(&pool, Tranche::Senior, 1_000 * ONE);
    let product = world.create_product(&pool, terms::stress());
    world.advance(3 * DAY);
    let ticket = world.exit(&pool, &leaver, Tranche::Senior, world.shares(&pool, &leaver, Tranche::Senior));
    world.cluster.set_time(world.product(&product).sells_from);
    assert_eq!(day_of(world.now()), world.ticket(&pool, &leaver, ticket).epoch_day);
    accepted(try_to_buy(&world, &product));
}

#[test]
fn exits_that_wait_after_the_notice_was_served_do_not_stop_sales() {
    let (world, pool, product) = selling();
    accepted(try_to_buy(&world, &product));
    let leaver = world.depositor(&pool, Tranche::Senior, 1_000 * ONE);
    let ticket = world.exit(&pool, &leaver, Tranche::Senior, world.shares(&pool, &leaver, Tranche::Senior));
    let epoch = world.ticket(&pool, &leaver, ticket).epoch_day;
    world.cluster.set_time((i64::from(epoch) + 1) * DAY);
    accepted(try_to_buy(&world, &product));
}

// ---------------------------------------------------------------- risk rate

#[test]
fn only_the_risk_keeper_moves_the_risk_rate() {
    let (world, _, product) = selling();
    world.advance(DAY);
    for outsider in [&world.governance, &world.guardian, &world.payer] {
        let set = ix::set_risk_rate(outsider.pubkey(), product.pool.pool, product.product, 21_000_000);
        assert_refused(world.send(&[outsider], &[set]), BackstopError::NotRiskKeeper);
    }
    assert_eq!(world.product(&product).risk_rate_ppb, 20_000_000);
    accepted(set_risk_rate(&world, &product, 21_000_000));
    assert_eq!(world.product(&product).risk_rate_ppb, 21_000_000);
}

#[test]
fn the_risk_rate_first_moves_a_day_after_creation_and_then_once_a_day() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    let created = world.now();
    world.cluster.set_time(created + DAY - 1);
    assert_refused(set_risk_rate(&world, &product, 21_000_000), BackstopError::RiskRateMovedToday);
    world.cluster.set_time(created + DAY);
    accepted(set_risk_rate(&world, &product, 21_000_000));
    assert_refused(set_risk_rate(&world, &product, 21_000_000), BackstopError::RiskRateMovedToday);
    world.cluster.set_time(created + 2 * DAY - 1);
    assert_refused(set_risk_rate(&world, &product, 20_000_000), BackstopError::RiskRateMovedToday);
    world.cluster.set_time(created + 2 * DAY);
    accepted(set_risk_rate(&world, &product, 20_000_000));
}

#[test]
fn the_risk_rate_moves_by_its_step_at_most_and_stays_between_floor_and_ceiling() {
    let (world, pool, _) = selling();
    let mut args = product_args(&world);
    args.terms.risk_rate_floor_ppb = 15_000_000;
    args.terms.risk_rate_ceiling_ppb = 35_000_000;
    let product = world.create_product_with(&pool, args);
    let try_rates = |refused: u64, taken: u64| {
        world.advance(DAY);
        assert_refused(set_risk_rate(&world, &product, refused), BackstopError::RiskRateOutOfBounds);
        accepted(set_risk_rate(&world, &product, taken));
        assert_eq!(world.product(&product).risk_rate_ppb, taken);
    };
    try_rates(30_000_001, 30_000_000);
    try_rates(35_000_001, 35_000_000);
    try_rates(24_999_999, 25_000_000);
    try_rates(14_999_999, 15_000_000);
    try_rates(0, 15_000_000);
    try_rates(u64::MAX, 16_000_000);
}

#[test]
fn no_sequence_of_calls_moves_the_risk_rate_by_more_than_its_step_in_a_day() {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    let terms = world.product(&product).terms;
    let mut state = 0x9e37_79b9_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut history = vec![(world.now(), terms.risk_rate_ppb)];
    for _ in 0..600 {
        let pause = [0, 1, HOUR, 23 * HOUR, DAY - 1, DAY][random(6) as usize] + random(3) as i64;
        world.advance(pause);
        let before = world.product(&product).risk_rate_ppb;
        let reach = 2 * terms.risk_rate_step_ppb;
        let rate = (before + random(2 * reach)).saturating_sub(reach);
        let outcome = set_risk_rate(&world, &product, rate);
        let after = world.product(&product).risk_rate_ppb;
        assert_eq!(after, if outcome.is_ok() { rate } else { before });
        history.push((world.now(), after));
    }
    let moves = history.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    assert!(moves > 50, "the sequence moves the rate only {moves} times");
    for (index, (time, rate)) in history.iter().enumerate() {
        assert!((terms.risk_rate_floor_ppb..=terms.risk_rate_ceiling_ppb).contains(rate));
        // Any two moments less than a day apart.
        for (later, other) in history[index..].iter().take_while(|(later, _)| later - time < DAY) {
            assert!(rate.abs_diff(*other) <= terms.risk_rate_step_ppb, "{time} {rate}, {later} {other}");
        }
    }
}

#[test]
fn the_risk_rate_moves_for_new_covers_alone() {
    let (world, pool, product) = selling();
    let (_, first) = world.holder(&product, 1_000 * ONE, 30);
    let sold = world.cover(&first);
    world.advance(DAY);
    accepted(set_risk_rate(&world, &product, 30_000_000));
    assert_eq!(world.cover(&first), sold);
    let (_, second) = world.holder(&product, 1_000 * ONE, 30);
    assert!(world.cover(&second).premium > sold.premium);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- sync

/// A product with one cover of 1,000 for seven days. Returns the day from which it can be released.
fn one_cover() -> (World, PoolKeys, ProductKeys, u32) {
    let (world, pool, product) = selling();
    let (_, mint) = world.holder(&product, 1_000 * ONE, 7);
    let release = world.cover(&mint).end_day + world.product(&product).ring_days;
    (world, pool, product, release)
}

fn sync(world: &World, product: &ProductKeys) -> Product {
    let books = world.pool(&product.pool);
    world.run(&[], &[ix::sync_product(product)]);
    let after = world.product(product);
    let pool = world.pool(&product.pool);
    let released = books.total_exposure - pool.total_exposure;
    assert_eq!(released, books.group_exposure(0) - pool.group_exposure(0));
    assert_books(&world.cluster, &product.pool.pool);
    after
}

#[test]
fn exposure_is_released_once_the_ring_no_longer_reaches_back_to_the_end() {
    let (world, pool, product, release) = one_cover();
    assert_eq!(world.product(&product).ring_days, 6);
    world.cluster.set_time(i64::from(release) * DAY - 1);
    assert_eq!(sync(&world, &product).exposure, 1_000 * ONE);
    world.cluster.set_time(i64::from(release) * DAY);
    assert_eq!(sync(&world, &product).exposure, 0);
    assert_eq!(world.pool(&pool).total_exposure, 0);
}

#[test]
fn to_sync_twice_changes_nothing() {
    let (world, pool, product, release) = one_cover();
    world.cluster.set_time(i64::from(release) * DAY);
    sync(&world, &product);
    let before = (world.product(&product), world.pool(&pool));
    sync(&world, &product);
    assert_eq!((world.product(&product), world.pool(&pool)), before);
}

#[test]
fn anyone_syncs_without_a_signature_of_a_role() {
    let (world, _, product, release) = one_cover();
    world.cluster.set_time(i64::from(release) * DAY);
    let stranger = world.person(0);
    world.cluster.svm().expire_blockhash();
    let sent = backstop_client::transaction::send(&world.cluster, &stranger.key, &[], &[ix::sync_product(&product)]);
    accepted(sent);
    assert_eq!(world.product(&product).exposure, 0);
}

#[test]
fn what_has_ended_is_released_in_an_alert_and_nothing_once_an_event_is_proven() {
    let (world, pool, product, release) = one_cover();
    world.cluster.set_time(i64::from(release) * DAY - 1);
    world.print(&product, 90_000_000);
    assert_eq!(sync(&world, &product).exposure, 1_000 * ONE);
    assert_eq!(world.pool(&pool).alert_exposure, 1_000 * ONE);
    world.advance(1);
    assert_eq!(sync(&world, &product).exposure, 0);
    assert_eq!((world.pool(&pool).alerts, world.pool(&pool).alert_exposure), (0, 0));
    // An event within the term that is due, or proven.
    let (world, _, product, release) = one_cover();
    world.cluster.set_time(i64::from(release - 6) * DAY - 1_800);
    for slot in 0..8 {
        world.cluster.set_time((world.now() / 1_800 + i64::from(slot > 0)) * 1_800);
        world.print(&product, 90_000_000);
    }
    world.cluster.set_time(i64::from(release) * DAY);
    assert_eq!(sync(&world, &product).exposure, 1_000 * ONE, "nobody has confirmed");
    world.run(&[], &[ix::confirm(&product)]);
    assert_eq!(sync(&world, &product).exposure, 1_000 * ONE);
}

#[test]
fn a_sync_takes_no_trigger_and_no_pool_of_another_product() {
    let (world, pool, product, _) = one_cover();
    let other_pool = world.create_pool(terms::create_pool(1));
    let other = world.create_product(&other_pool, terms::stress());
    let mut wrong_trigger = ix::sync_product(&product);
    wrong_trigger.accounts[2].pubkey = other.trigger();
    assert_refused(world.send(&[], &[wrong_trigger]), BackstopError::WrongParent);
    let mut wrong_pool = ix::sync_product(&product);
    wrong_pool.accounts[0].pubkey = other_pool.pool;
    assert_refused(world.send(&[], &[wrong_pool]), BackstopError::WrongParent);
    let mut more = ix::sync_product(&product);
    more.accounts.push(anchor_lang::prelude::AccountMeta::new_readonly(Pubkey::default(), false));
    assert_refused(world.send(&[], &[more]), BackstopError::UnexpectedAccounts);
    assert_eq!(world.pool(&pool).total_exposure, 1_000 * ONE);
}

#[test]
fn a_product_in_run_off_or_frozen_still_releases() {
    for state in [ProductState::Frozen, ProductState::RunOff] {
        let (world, _, product, release) = one_cover();
        accepted(set_state(&world, &product, state));
        world.cluster.set_time(i64::from(release) * DAY);
        assert_eq!(sync(&world, &product).exposure, 0);
    }
}

/// A gift does not come back: a pool that has come to stand behind more meanwhile does not get it.
#[test]
fn a_gift_is_refused_to_a_pool_that_stands_behind_more_than_the_giver_has_seen() {
    let (world, pool, _) = selling();
    let giver = world.person(2 * ONE);
    let give = |seen| world.send(&[&giver.key], &[ix::contribute_surplus(&pool, giver.id(), ONE, seen)]);
    let seen = world.pool(&pool).seen();
    assert_eq!((seen.products, seen.treaties), (1, 0));
    assert_refused(give(Seen { products: 0, ..seen }), BackstopError::NotSeen);
    accepted(give(seen));
    accepted(give(Seen::ANYTHING));
}
