//! Terms, states, and what governance and the risk keeper may change.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::state::*;

type Change = fn(&mut ProductTerms, u64);

#[test]
fn each_term_is_refused_outside_its_bounds_and_taken_at_them() {
    product_terms().validate().unwrap();
    let most_rate = 10_000_000_000;
    let bounds: [(&str, Change, u64, u64); 24] = [
        // The rates of the curve rise: each is bounded by its neighbours.
        ("ceiling", |t, n| t.risk_rate_ceiling_ppb = n, 20_000_000, most_rate),
        ("rate", |t, n| t.risk_rate_ppb = n, 5_000_000, 200_000_000),
        ("floor", |t, n| t.risk_rate_floor_ppb = n, 1, 20_000_000),
        ("step", |t, n| t.risk_rate_step_ppb = n, 0, most_rate),
        ("at zero", |t, n| t.demand_at_zero_ppb = n, 0, 10_000_000),
        ("at capacity", |t, n| t.demand_at_capacity_ppb = n, 10_000_000, most_rate),
        ("lowest level", |t, n| t.min_level_bps = n as u32, 100, 10_000),
        ("highest level", |t, n| t.max_level_bps = n as u32, 10_000, 100_000),
        ("level", |t, n| t.level_bps = n as u32, 2_500, 40_000),
        ("loading", |t, n| t.loading_bps = n as u32, 0, 100_000),
        ("price age", |t, n| t.max_price_age = n as u32, 1, 86_400),
        ("no-sale buffer", |t, n| t.no_sale_buffer_bps = n as u32, 50, 10_000),
        ("group", |t, n| t.risk_group = n as u32, 0, 15),
        ("kink", |t, n| t.kink_bps = n as u16, 1, 9_999),
        ("lower mark", |t, n| t.lower_mark_bps = n as u16, 0, 8_000),
        ("upper mark", |t, n| t.upper_mark_bps = n as u16, 5_000, 10_000),
        ("drift", |t, n| t.drift_bps = n as u16, 0, 2_000),
        ("cap", |t, n| t.cap_bps = n as u16, 1, 10_000),
        ("daily part", |t, n| t.daily_bps = n as u16, 1, 10_000),
        ("cancellation fee", |t, n| t.cancel_fee_bps = n as u16, 1, 5_000),
        ("deductible", |t, n| t.deductible_bps = n as u16, 0, 5_000),
        ("coinsurance", |t, n| t.coinsurance_bps = n as u16, 0, 5_000),
        ("shortest term", |t, n| t.min_term_days = n as u16, 1, 365),
        ("at kink", |t, n| t.demand_at_kink_ppb = n, 10_000_000, 10_000_000),
    ];
    for (name, change, least, most) in bounds {
        let with = |value| {
            let mut terms = product_terms();
            change(&mut terms, value);
            terms.validate()
        };
        assert!(with(least).is_ok() && with(most).is_ok(), "{name}");
        refused(with(most + 1), OutOfBounds);
        if least > 0 {
            refused(with(least - 1), OutOfBounds);
        }
    }
    let least: [(&str, Change, u64); 3] = [
        ("smallest premium", |t, n| t.min_premium = n, 1),
        ("largest sum", |t, n| t.max_sum_insured = n, 1),
        ("waiting", |t, n| t.waiting_seconds = n as u32, 86_400),
    ];
    for (name, change, least) in least {
        let with = |value| {
            let mut terms = product_terms();
            change(&mut terms, value);
            terms.validate()
        };
        assert!(with(least).is_ok(), "{name}");
        refused(with(least - 1), OutOfBounds);
    }
}

#[test]
fn the_largest_sum_is_what_a_pool_can_be_exposed_to() {
    let with = |max_sum_insured| ProductTerms { max_sum_insured, ..product_terms() }.validate();
    with(100_000_000_000_000_000).unwrap();
    refused(with(100_000_000_000_000_001), AmountTooLarge);
}

#[test]
fn every_rate_of_the_curve_has_the_same_highest_value() {
    let mut terms = product_terms();
    terms.demand_at_capacity_ppb = 10_000_000_000;
    terms.demand_at_kink_ppb = 10_000_000_000;
    terms.demand_at_zero_ppb = 10_000_000_000;
    terms.validate().unwrap();
    terms.demand_at_capacity_ppb += 1;
    refused(terms.validate(), OutOfBounds);
}

#[test]
fn terms_and_ring_together_fit_the_day_buckets() {
    let fits = |term: u16, waiting: u32, ring: u32| {
        let mut terms = product_terms();
        terms.max_term_days = term;
        terms.waiting_seconds = waiting;
        terms.require_room_beside(ring)
    };
    // Term, waiting time, the rest of its day and the ring: 510 days.
    fits(506, 86_400, 2).unwrap();
    refused(fits(507, 86_400, 2), TermsDoNotFit);
    refused(fits(506, 86_401, 2), TermsDoNotFit);
    refused(fits(506, 86_400, 3), TermsDoNotFit);
    // Waiting time and ring: 30 days.
    fits(30, 86_400, 29).unwrap();
    refused(fits(30, 86_400, 30), TermsDoNotFit);
    refused(fits(30, 86_401, 29), TermsDoNotFit);
    assert_eq!(product_terms().waiting_days(), 1);
    assert_eq!(ProductTerms { waiting_seconds: 86_401, ..product_terms() }.waiting_days(), 2);
}

#[test]
fn the_demand_curve_is_that_of_the_terms() {
    let mut terms = product_terms();
    (terms.demand_at_zero_ppb, terms.demand_at_kink_ppb, terms.demand_at_capacity_ppb) = (1, 2, 3);
    let demand = terms.demand();
    assert_eq!((demand.at_zero_ppb, demand.at_kink_ppb, demand.at_capacity_ppb), (1, 2, 3));
    assert_eq!(demand.kink_bps, 8_000);
}

#[test]
fn an_account_has_room_for_the_product_and_its_discriminator() {
    assert_eq!(Product::SPACE, 7_304 + 8);
    assert_eq!(Rates::SPACE, 4_200 + 8);
}

#[test]
fn group_name_and_uri_are_read_from_their_fields() {
    let mut product = product();
    product.name = put_text("USDC below 0.95").unwrap();
    product.uri = put_text("ipfs://wording").unwrap();
    assert_eq!((product.name(), product.uri(), product.risk_group()), ("USDC below 0.95", "ipfs://wording", 3));
    product.terms.risk_group = 256;
    assert_eq!(product.risk_group(), 255);
}

#[test]
fn run_off_and_over_are_final_and_only_selling_and_frozen_go_both_ways() {
    use ProductState::*;
    let all = [Selling, Frozen, RunOff, Over, Announced];
    for (number, from) in all.into_iter().enumerate() {
        for to in all {
            let mut product = product();
            product.state = from.byte();
            assert_eq!((usize::from(product.state), product.state()), (number, from));
            let allowed =
                matches!((from, to), (Selling, Frozen | RunOff) | (Frozen, Selling | RunOff) | (Announced, RunOff));
            if allowed {
                product.set_state(to, &pool(), NOW).unwrap();
                assert_eq!(product.state(), to);
            } else {
                refused(product.set_state(to, &pool(), NOW), WrongProductState);
                assert_eq!(product.state(), from);
            }
        }
    }
}

/// A pool of a week's cooldown, that others have entrusted capital to: its notice is ten days.
fn entrusted() -> Pool {
    pool_with(0, 10_000, 0)
}

#[test]
fn what_was_frozen_for_more_than_seven_days_sells_only_after_notice() {
    use ProductState::*;
    for (days, seconds, sells_from) in [(7, 0, NOW - DAY), (7, 1, NOW + 17 * DAY + 1), (200, 0, NOW + 210 * DAY)] {
        let mut product = Product { sells_from: NOW - DAY, notice_served: 1, ..product() };
        product.set_state(Frozen, &entrusted(), NOW).unwrap();
        assert_eq!((product.frozen_at, product.sells_from), (NOW, NOW - DAY));
        product.set_state(Selling, &entrusted(), NOW + days * DAY + seconds).unwrap();
        let noticed = sells_from > NOW;
        assert_eq!((product.sells_from, product.notice_served), (sells_from, u8::from(!noticed)), "{days} {seconds}");
    }
    // A pool that nobody has entrusted anything to needs none; a notice that is still running is not cut short.
    let mut product = Product { sells_from: NOW + 90 * DAY, ..product() };
    product.set_state(Frozen, &entrusted(), NOW).unwrap();
    product.set_state(Selling, &pool(), NOW + 8 * DAY).unwrap();
    assert_eq!(product.sells_from, NOW + 90 * DAY);
}

#[test]
fn a_thaw_for_a_moment_now_and_then_keeps_no_product_at_hand() {
    use ProductState::*;
    let pool = entrusted();
    let mut product = Product { sells_from: NOW, ..product() };
    product.set_state(Frozen, &pool, NOW).unwrap();
    for day in [3, 6] {
        product.set_state(Selling, &pool, NOW + day * DAY).unwrap();
        product.set_state(Frozen, &pool, NOW + day * DAY).unwrap();
        assert_eq!((product.frozen_at, product.sells_from), (NOW, NOW));
    }
    product.set_state(Selling, &pool, NOW + 8 * DAY).unwrap();
    assert_eq!((product.sells_from, product.thawed_at), (NOW + 18 * DAY, NOW + 18 * DAY));
    // It is a new freeze once it has sold for seven days.
    product.set_state(Frozen, &pool, NOW + 25 * DAY - 1).unwrap();
    assert_eq!(product.frozen_at, NOW);
    product.set_state(Selling, &pool, NOW + 25 * DAY - 1).unwrap();
    assert_eq!(product.sells_from, NOW + 35 * DAY - 1);
    product.set_state(Frozen, &pool, NOW + 42 * DAY - 1).unwrap();
    assert_eq!(product.frozen_at, NOW + 42 * DAY - 1);
}

#[test]
fn a_condition_is_set_once_on_an_announced_product_and_starts_its_days() {
    let announced = || Product { state: ProductState::Announced.byte(), sells_from: 0, ..product() };
    let mut product = announced();
    assert!(!product.has_condition());
    product.set_condition(key(21), 3, NOW + 10 * DAY, NOW + DAY + 5).unwrap();
    assert!(product.has_condition());
    assert_eq!(
        (product.trigger, product.state(), product.sells_from),
        (key(21), ProductState::Selling, NOW + 10 * DAY)
    );
    assert_eq!((product.ring_days, product.released_day, product.newest_activation_day), (3, TODAY - 2, TODAY + 1));
    assert_eq!(product.level_at, NOW + DAY + 5);
    refused(product.set_condition(key(21), 3, NOW, NOW), ConditionAlreadySet);
    for state in [ProductState::Selling, ProductState::Frozen, ProductState::RunOff, ProductState::Over] {
        let mut product = Product { state: state.byte(), ..announced() };
        refused(product.set_condition(key(21), 3, NOW, NOW), WrongProductState);
    }
    // A ring for which the longest term leaves no room.
    let mut product = announced();
    product.terms.max_term_days = 506;
    refused(product.set_condition(key(21), 3, NOW, NOW), TermsDoNotFit);
    assert!(!product.has_condition());
    product.set_condition(key(21), 2, NOW, NOW).unwrap();
}

#[test]
fn the_risk_rate_moves_once_in_24_hours_by_a_step_within_its_bounds() {
    let mut product = product();
    product.risk_rate_at = NOW;
    refused(product.set_risk_rate(21_000_000, NOW + DAY - 1), RiskRateMovedToday);
    product.set_risk_rate(30_000_000, NOW + DAY).unwrap();
    assert_eq!((product.risk_rate_ppb, product.risk_rate_at), (30_000_000, NOW + DAY));
    for rate in [40_000_001, 19_999_999] {
        refused(product.set_risk_rate(rate, NOW + 2 * DAY), RiskRateOutOfBounds);
    }
    for (now, edge, beyond) in [(199_000_000, 200_000_000, 200_000_001), (6_000_000, 5_000_000, 4_999_999)] {
        product.risk_rate_ppb = now;
        refused(product.set_risk_rate(beyond, NOW + 2 * DAY), RiskRateOutOfBounds);
        let mut copy = product;
        copy.set_risk_rate(edge, NOW + 2 * DAY).unwrap();
        assert_eq!(copy.risk_rate_ppb, edge);
    }
}

#[test]
fn the_level_drifts_by_whole_days_at_most_seven() {
    let after = |utilisation: u64, now| {
        let (mut pool, mut product) = (pool_with(0, 0, 10_000_000), product());
        product.exposure = 800 * utilisation;
        pool.add_exposure(3, product.exposure).unwrap();
        pool.accrue(now).unwrap();
        product.drift_level(&pool, now).unwrap();
        (product.level_bps, product.level_at)
    };
    assert_eq!(after(9_000, NOW + DAY - 1), (10_000, NOW + DAY - 1));
    assert_eq!(after(9_000, NOW + DAY), (10_200, NOW + DAY));
    assert_eq!(after(9_000, NOW + 2 * DAY + 5), (10_404, NOW + 2 * DAY + 5));
    assert_eq!(after(1_000, NOW + DAY), (9_800, NOW + DAY));
    assert_eq!(after(6_000, NOW + DAY), (10_000, NOW + DAY));
    assert_eq!(after(8_000, NOW + DAY).0, 10_000);
    assert_eq!(after(8_001, NOW + DAY).0, 10_200);
    assert_eq!(after(9_000, NOW + 7 * DAY).0, after(9_000, NOW + 70 * DAY).0);
}

#[test]
fn what_is_paid_is_what_is_lost_beyond_the_deductible_less_the_coinsurance() {
    let paid = |deductible_bps, coinsurance_bps, lost| {
        ProductTerms { deductible_bps, coinsurance_bps, ..product_terms() }.paid_severity_bps(lost)
    };
    for lost in [0, 1, 500, 9_999, 10_000] {
        assert_eq!(paid(0, 0, lost), lost);
    }
    assert_eq!((paid(400, 0, 399), paid(400, 0, 400), paid(400, 0, 401), paid(400, 0, 10_000)), (0, 0, 1, 9_600));
    assert_eq!((paid(0, 5_000, 1), paid(0, 5_000, 2), paid(0, 5_000, 10_000)), (0, 1, 5_000));
    // (10,000 - 400) x 0.8, and 4,600 x 0.8; 599 x 0.6667 is 399.35.
    assert_eq!((paid(400, 2_000, 10_000), paid(400, 2_000, 5_000), paid(1, 3_333, 600)), (7_680, 3_680, 399));
    assert_eq!(paid(5_000, 5_000, 10_000), 2_500);
    // It never falls as more is lost.
    for (deductible, coinsurance) in [(0, 1), (499, 3_333), (5_000, 5_000)] {
        let all: Vec<u16> = (0..=10_000).map(|lost| paid(deductible, coinsurance, lost)).collect();
        assert!(all.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] <= 1));
    }
}

#[test]
fn a_deductible_leaves_something_of_the_least_that_is_paid() {
    use backstop::payout::Severity;
    let with = |deductible_bps| ProductTerms { deductible_bps, ..product_terms() };
    let linear = Severity::Linear { full_loss_price: 1, min_severity_bps: 500 };
    with(499).require_deductible_below(Some(linear)).unwrap();
    refused(with(500).require_deductible_below(Some(linear)), DeductibleTooHigh);
    with(5_000).require_deductible_below(Some(Severity::Binary)).unwrap();
    // What is left of the least that a loss pays may be no more than the coinsurance rounds away.
    let half = |deductible_bps| ProductTerms { coinsurance_bps: 5_000, ..with(deductible_bps) };
    half(498).require_deductible_below(Some(linear)).unwrap();
    refused(half(499).require_deductible_below(Some(linear)), DeductibleTooHigh);
    with(0).require_deductible_below(None).unwrap();
    refused(with(1).require_deductible_below(None), DeductibleTooHigh);
}
