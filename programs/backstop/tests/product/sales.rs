//! Selling and taking back covers.

use crate::common::*;
use backstop::error::BackstopError::{self, *};
use backstop::state::*;

/// A pool of 10,000,000 and a product of it.
fn market() -> (Pool, Product, Trigger) {
    (pool_with(0, 4_000_000, 6_000_000), product(), trigger())
}

fn a_year(sum_insured: u64) -> CoverRequest {
    CoverRequest { sum_insured, term_days: 365 }
}

/// Rate of 40,000 over the 366 days from today to the end: 40,000 x 2^32 / 31,622,400 = 5,432,816.6.
const YEARS_RATE: u64 = 5_432_816;

#[test]
fn a_sale_costs_risk_loading_and_demand_and_books_exposure_and_premium() {
    let (mut pool, mut product, trigger) = market();
    let quote = product.sell(&mut pool, &trigger, a_year(1_000_000), NOW).unwrap().quote;
    pool.invariant().unwrap();
    let expected = Quote {
        premium: 40_000,
        sum_insured: 1_000_000,
        active_day: TODAY + 1,
        end_day: TODAY + 366,
        exposure: 0,
        capacity: 8_000_000,
        level_bps: 10_000,
        technical_ppb: 30_000_000,
        rate_q32: YEARS_RATE,
    };
    assert_eq!(quote, expected);
    assert_eq!((product.exposure, product.covers_sold, product.utilisation_bps), (1_000_000, 1, 1_250));
    assert_eq!(product.notice_served, 1);
    assert_eq!(
        (product.activation_sums[(TODAY as usize + 1) % 32], product.newest_activation_day),
        (1_000_000, TODAY + 1)
    );
    assert_eq!(product.activation_premiums[(TODAY as usize + 1) % 32], 40_000);
    assert_eq!(product.exposure_ends[(TODAY as usize + 366) % 512], 1_000_000);
    assert_eq!((pool.group_exposure(3), pool.total_exposure), (1_000_000, 1_000_000));
    assert_eq!((pool.unearned_premium, pool.cash, pool.rate_q32), (40_000, 10_040_000, YEARS_RATE));
    assert_eq!((pool.last_cover_end_day, pool.in_use), (TODAY + 366, 1));
    // The next one starts from that exposure.
    let quote = product.sell(&mut pool, &trigger, a_year(2_000_000), NOW).unwrap().quote;
    assert_eq!(
        (quote.premium, quote.exposure, product.exposure, product.covers_sold),
        (80_000, 1_000_000, 3_000_000, 2)
    );
    assert_eq!(product.activation_premiums[(TODAY as usize + 1) % 32], 120_000);
    // A shorter one does not bring the last end forward.
    product.sell(&mut pool, &trigger, CoverRequest { sum_insured: 5_000, term_days: 7 }, NOW).unwrap();
    assert_eq!(pool.last_cover_end_day, TODAY + 366);
    pool.invariant().unwrap();
}

#[test]
fn the_first_sale_of_an_idle_pool_puts_it_in_use() {
    let (mut pool, mut product, trigger) = market();
    pool.in_use = 0;
    product.sell(&mut pool, &trigger, a_year(1_000_000), NOW).unwrap();
    assert_eq!(pool.in_use, 1);
}

/// Sells after a change of the market.
#[track_caller]
fn refused_after(change: fn(&mut Pool, &mut Product, &mut Trigger), request: CoverRequest, reason: BackstopError) {
    let (mut pool, mut product, mut trigger) = market();
    change(&mut pool, &mut product, &mut trigger);
    refused(product.sell(&mut pool, &trigger, request, NOW), reason);
}

#[test]
fn a_sale_has_conditions() {
    let ok = a_year(1_000_000);
    refused_after(|_, product, _| product.state = 1, ok, NotSelling);
    refused_after(|_, product, _| product.sells_from = NOW + 1, ok, NoticeNotOver);
    refused_after(|pool, _, _| pool.oldest_exit_day = TODAY - 1, ok, ExitsWaiting);
    refused_after(|_, _, trigger| trigger.evidence.phase = 1, ok, TriggerNotQuiet);
    refused_after(|_, _, trigger| trigger.evidence.last_publish_time = NOW - 3_601, ok, PrintTooOld);
    refused_after(|_, _, trigger| trigger.evidence.last_price = 95_999_999, ok, PriceInBuffer);
    refused_after(|pool, _, _| pool.group_alerts[3] = 1, ok, GroupInAlert);
    refused_after(|_, product, _| product.terms.cap_bps = 999, ok, BeyondCapacity);
    refused_after(|pool, _, _| pool.terms.group_cap_bps = 999, ok, BeyondCapacity);
    refused_after(|pool, _, _| pool.capital_at_day = 1_249_998, ok, BeyondCapacity);
    refused_after(|pool, _, _| pool.add_exposure(4, 9_000_001).unwrap(), ok, BelowRequiredCapital);
    let nothing = |_: &mut Pool, _: &mut Product, _: &mut Trigger| ();
    refused_after(nothing, a_year(999), AmountTooSmall);
    refused_after(nothing, a_year(5_000_001), CoverTooLarge);
    refused_after(nothing, CoverRequest { sum_insured: 1_000_000, term_days: 6 }, BadTerm);
    refused_after(nothing, CoverRequest { sum_insured: 1_000_000, term_days: 366 }, BadTerm);
}

#[test]
fn a_sale_is_made_at_the_edge_of_its_conditions() {
    let (mut pool, mut product, mut trigger) = market();
    trigger.evidence.last_publish_time = NOW - 3_600;
    trigger.evidence.last_price = 96_000_000;
    pool.group_alerts[4] = 1;
    product.terms.cap_bps = 1_000;
    pool.add_exposure(4, 9_000_000).unwrap();
    let request = CoverRequest { sum_insured: 1_000_000, term_days: 7 };
    product.sell(&mut pool, &trigger, request, NOW).unwrap();
    assert_eq!(product.utilisation_bps, 10_000);
}

#[test]
fn exits_are_in_the_way_of_a_new_product_only() {
    let (mut pool, mut product, trigger) = market();
    pool.oldest_exit_day = TODAY - 1;
    product.notice_served = 1;
    product.sell(&mut pool, &trigger, a_year(1_000_000), NOW).unwrap();
}

#[test]
fn a_price_that_does_not_fit_is_refused_as_such() {
    let (mut pool, mut product, trigger) = market();
    product.risk_rate_ppb = u64::MAX;
    refused(product.sell(&mut pool, &trigger, a_year(1_000_000), NOW), MathOverflow);
    // 10^17 at 2.7 x 10^10 times itself a year.
    let mut pool = pool_with(200_000_000_000_000_000, 0, 0);
    product.risk_rate_ppb = u64::MAX / 2;
    product.terms.max_sum_insured = u64::MAX;
    refused(product.sell(&mut pool, &trigger, a_year(90_000_000_000_000_000), NOW), AmountTooLarge);
}

#[test]
fn however_much_capital_there_is_a_product_goes_on_selling() {
    let pool = pool_with(200_000_000_000_000_000, 0, 0);
    assert_eq!(product().capacity(&pool).unwrap(), 100_000_000_000_000_000);
}

#[test]
fn a_sale_drifts_the_level_by_the_utilisation_noted_before() {
    let (mut pool, mut product, mut trigger) = market();
    product.utilisation_bps = 9_000;
    trigger.evidence.last_publish_time = NOW + DAY;
    let quote = product.sell(&mut pool, &trigger, a_year(1_000_000), NOW + DAY).unwrap().quote;
    // 3 % and 1.02 x 1 % of 1,000,000.
    assert_eq!((quote.level_bps, quote.premium), (10_200, 40_200));
    assert_eq!(product.level_bps, 10_200);
}

/// The cover that a year's quote becomes.
fn sold(pool: &mut Pool, product: &mut Product, trigger: &Trigger, sum: u64, now: i64) -> Cover {
    let quote = product.sell(pool, trigger, a_year(sum), now).unwrap().quote;
    Cover { rate_q32: quote.rate_q32, bought_at: now, ..cover(quote.active_day, quote.end_day, sum, quote.premium) }
}

#[test]
fn a_cover_taken_back_refunds_what_is_unearned_less_a_fee() {
    let (mut pool, mut product, trigger) = market();
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    let other = sold(&mut pool, &mut product, &trigger, 2_000_000, NOW);
    product.utilisation_bps = 9_000;
    // Half of the 366 days: 19,999.99 and a fee of a tenth, rounded up.
    let cancellation = product.cancel(&mut pool, &trigger, &mine, NOW + 183 * DAY).unwrap();
    pool.invariant().unwrap();
    assert_eq!((cancellation.refund, cancellation.fee), (17_999, 2_000));
    // 60,000 of both covers, of which the surplus has a tenth.
    assert_eq!((cancellation.accrual.earned, cancellation.accrual.surplus), (59_999, 5_999));
    assert_eq!((pool.surplus, pool.cash), (7_999, 10_102_001));
    assert_eq!(pool.rate_q32, other.rate_q32);
    assert_eq!((product.exposure, pool.group_exposure(3), pool.total_exposure), (2_000_000, 2_000_000, 2_000_000));
    assert_eq!(product.exposure_ends[(TODAY as usize + 366) % 512], 2_000_000);
    assert_eq!(product.activation_sums[(TODAY as usize + 1) % 32], 2_000_000);
    assert_eq!(product.activation_premiums[(TODAY as usize + 1) % 32], 80_000);
    // The level drifted before, and the utilisation of now is noted.
    assert_eq!((product.level_bps > 10_000, product.utilisation_bps), (true, 2_500));
    let more = Cover { sum_insured: 2_000_001, ..other };
    refused(product.cancel(&mut pool, &trigger, &more, NOW + 183 * DAY), InvariantViolated);
}

#[test]
fn a_cover_is_not_taken_back_on_the_day_of_its_purchase_and_then_costs_the_fee() {
    let (mut pool, mut product, trigger) = market();
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    assert_eq!(mine.bought_day(), TODAY);
    for now in [NOW, NOW + DAY - 1] {
        refused(product.cancel(&mut pool, &trigger, &mine, now), BoughtToday);
    }
    let cancellation = product.cancel(&mut pool, &trigger, &mine, NOW + DAY).unwrap();
    // 365 of 366 days of 40,000 are 39,890.7, and a tenth of that, rounded up.
    assert_eq!((cancellation.refund, cancellation.fee), (35_901, 3_989));
    assert_eq!((pool.rate_q32, pool.total_exposure, product.exposure, product.utilisation_bps), (0, 0, 0, 0));
    pool.invariant().unwrap();
}

#[test]
fn a_cover_is_not_taken_back_at_its_end_or_while_the_trigger_moves() {
    let (mut pool, mut product, mut trigger) = market();
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    refused(product.cancel(&mut pool, &trigger, &mine, mine.end()), CoverEnded);
    trigger.evidence.phase = 2;
    refused(product.cancel(&mut pool, &trigger, &mine, NOW + DAY), TriggerNotQuiet);
    trigger.evidence.phase = 0;
    product.cancel(&mut pool, &trigger, &mine, mine.end() - 1).unwrap();
}

/// Sells a cover today and one that many days later.
fn two_sales(days: i64) -> (Pool, Product, Trigger, [Cover; 2]) {
    let (mut pool, mut product, mut trigger) = market();
    let first = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    trigger.evidence.last_publish_time = NOW + days * DAY;
    let second = sold(&mut pool, &mut product, &trigger, 2_000_000, NOW + days * DAY);
    (pool, product, trigger, [first, second])
}

#[test]
fn activation_days_share_a_bucket_only_after_32_days() {
    let buckets = |product: &Product, cover: &Cover| product.activation_sums[cover.active_day as usize % 32];
    let (mut pool, mut product, trigger, [first, second]) = two_sales(31);
    assert_eq!((buckets(&product, &first), buckets(&product, &second)), (1_000_000, 2_000_000));
    product.cancel(&mut pool, &trigger, &first, NOW + 31 * DAY).unwrap();
    assert_eq!((buckets(&product, &first), buckets(&product, &second)), (0, 2_000_000));
    // The later sale took the bucket over: the first cover is no longer in it.
    let (mut pool, mut product, trigger, [first, second]) = two_sales(32);
    assert_eq!(buckets(&product, &first), 2_000_000);
    assert_eq!(product.activation_premiums[second.active_day as usize % 32], second.premium);
    product.cancel(&mut pool, &trigger, &first, NOW + 32 * DAY).unwrap();
    assert_eq!(buckets(&product, &second), 2_000_000);
    assert_eq!(product.activation_premiums[second.active_day as usize % 32], second.premium);
    product.cancel(&mut pool, &trigger, &second, NOW + 33 * DAY).unwrap();
    assert_eq!((buckets(&product, &second), product.exposure), (0, 0));
    pool.invariant().unwrap();
}

#[test]
fn a_long_pause_between_sales_clears_every_activation_bucket() {
    let (_, product, _, [_, second]) = two_sales(100);
    assert_eq!(product.activation_sums.iter().sum::<u64>(), 2_000_000);
    assert_eq!(product.activation_premiums.iter().sum::<u64>(), second.premium);
    assert_eq!(product.newest_activation_day, TODAY + 101);
}
