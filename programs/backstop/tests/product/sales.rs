//! Selling and taking back covers.

use crate::common::*;
use backstop::error::BackstopError::{self, *};
use backstop::peril::AlertLevel;
use backstop::state::*;

/// A pool of 10,000,000 and a product of it that asks for 4 % of risk and nothing for demand.
fn market() -> (Pool, Product, Trigger) {
    let mut product = product();
    let terms = &mut product.terms;
    (terms.demand_at_zero_ppb, terms.demand_at_kink_ppb, terms.demand_at_capacity_ppb) = (0, 0, 0);
    terms.loading_bps = 10_000;
    (pool_with(0, 4_000_000, 6_000_000), product, trigger())
}

/// The same with 3 % of risk and 1 % of demand.
fn market_with_demand() -> (Pool, Product, Trigger) {
    (pool_with(0, 4_000_000, 6_000_000), product(), trigger())
}

/// Sells with rates of which nothing is asked afterwards.
fn sell(
    product: &mut Product,
    pool: &mut Pool,
    trigger: &Trigger,
    request: CoverRequest,
    now: i64,
) -> anchor_lang::Result<Sale> {
    Ok(product.sell(pool, &mut rates(), trigger, &purchase(request), now)?.1)
}

/// Takes a cover back whose rate the product has.
fn cancel(
    product: &mut Product,
    pool: &mut Pool,
    trigger: &Trigger,
    cover: &Policy,
    now: i64,
) -> anchor_lang::Result<Cancellation> {
    let mut rates = rates();
    rates.ends[cover.end_day as usize % 512] = cover.rate_q32 + 7;
    let done = product.cancel(pool, &mut rates, trigger, cover, now);
    if done.is_ok() {
        assert_eq!(rates.ends[cover.end_day as usize % 512], 7);
    }
    done
}

fn a_year(sum_insured: u64) -> CoverRequest {
    CoverRequest { sum_insured, term_days: 365 }
}

/// Rate of 40,000 over the 365 insured days: 40,000 x 2^32 / 31,536,000 = 5,447,700.8.
const YEARS_RATE: u64 = 5_447_700;

/// The bucket of covers that begin on a day.
fn starts(product: &Product, day: u32) -> StartBucket {
    product.starts[day as usize % 64]
}

#[test]
fn a_sale_costs_risk_and_loading_and_books_exposure_and_premium() {
    let (mut pool, mut product, trigger) = market();
    let quote = sell(&mut product, &mut pool, &trigger, a_year(1_000_000), NOW).unwrap().quote;
    pool.invariant().unwrap();
    let expected = Quote {
        premium: 40_000,
        sum_insured: 1_000_000,
        active_day: TODAY + 1,
        end_day: TODAY + 366,
        exposure: 0,
        capacity: 8_000_000,
        level_bps: 10_000,
        technical_ppb: 40_000_000,
        rate_q32: YEARS_RATE,
    };
    assert_eq!(quote, expected);
    assert_eq!((product.exposure, product.covers_sold), (1_000_000, 1));
    assert_eq!((product.sold_at, product.sold_of_late), (NOW, 1_000_000));
    assert_eq!(product.notice_served, 1);
    let expected = StartBucket {
        sum_insured: 1_000_000,
        premium: 40_000,
        rate_q32: YEARS_RATE,
        due_low: YEARS_RATE * 365 * 86_400,
        due_high: 0,
    };
    assert_eq!((starts(&product, TODAY + 1), product.newest_activation_day), (expected, TODAY + 1));
    assert_eq!(product.exposure_ends[(TODAY as usize + 366) % 512], 1_000_000);
    assert_eq!((pool.group_exposure(3), pool.total_exposure), (1_000_000, 1_000_000));
    assert_eq!((pool.unearned_premium, pool.cash), (40_000, 10_040_000));
    // It is earned from the first insured day on.
    assert_eq!((pool.rate_q32, pool.waiting_rate_q32), (0, YEARS_RATE));
    assert_eq!(pool.rate_starts[(TODAY as usize + 1) % 32], YEARS_RATE);
    assert_eq!(pool.rate_ends[(TODAY as usize + 366) % 512], YEARS_RATE);
    assert_eq!((pool.last_cover_end_day, pool.in_use), (TODAY + 366, 1));
    // The next one starts from that exposure.
    let quote = sell(&mut product, &mut pool, &trigger, a_year(2_000_000), NOW).unwrap().quote;
    assert_eq!(
        (quote.premium, quote.exposure, product.exposure, product.covers_sold),
        (80_000, 1_000_000, 3_000_000, 2)
    );
    assert_eq!(starts(&product, TODAY + 1).premium, 120_000);
    // A shorter one does not bring the last end forward.
    sell(&mut product, &mut pool, &trigger, CoverRequest { sum_insured: 5_000, term_days: 7 }, NOW).unwrap();
    assert_eq!(pool.last_cover_end_day, TODAY + 366);
    pool.invariant().unwrap();
}

#[test]
fn the_first_sale_of_an_idle_pool_puts_it_in_use() {
    let (mut pool, mut product, trigger) = market();
    pool.in_use = 0;
    sell(&mut product, &mut pool, &trigger, a_year(1_000_000), NOW).unwrap();
    assert_eq!(pool.in_use, 1);
}

/// Sells after a change of the market.
#[track_caller]
fn refused_after(change: fn(&mut Pool, &mut Product, &mut Trigger), request: CoverRequest, reason: BackstopError) {
    let (mut pool, mut product, mut trigger) = market();
    change(&mut pool, &mut product, &mut trigger);
    refused(sell(&mut product, &mut pool, &trigger, request, NOW), reason);
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
    refused_after(|pool, _, _| pool.capital_lows[TODAY as usize % 32] = 1_249_998, ok, BeyondCapacity);
    // An eighth of 8,000,000 is sold, less is not.
    refused_after(|_, product, _| product.terms.daily_bps = 1_249, ok, SoldOutToday);
    refused_after(|pool, _, _| pool.add_exposure(4, 9_000_001).unwrap(), ok, BelowRequiredCapital);
    let nothing = |_: &mut Pool, _: &mut Product, _: &mut Trigger| ();
    refused_after(nothing, a_year(999), AmountTooSmall);
    refused_after(nothing, a_year(5_000_001), CoverTooLarge);
    refused_after(nothing, CoverRequest { sum_insured: 1_000_000, term_days: 6 }, BadTerm);
    refused_after(nothing, CoverRequest { sum_insured: 1_000_000, term_days: 366 }, BadTerm);
}

#[test]
fn beside_an_alert_of_another_group_only_what_is_left_of_the_capital_sells() {
    // 10,000,000 without correlation, 7,000,000 of it in alert: 3,000,000 are left for group 3.
    let beside = |pool: &mut Pool| {
        pool.terms.rho_bps = 0;
        pool.add_exposure(4, 7_000_000).unwrap();
        let alert = Alert { group: 4, number: 0, exposure: 7_000_000 };
        pool.move_alert(alert, AlertLevel::None, AlertLevel::Breaching, NOW).unwrap();
    };
    let request = CoverRequest { sum_insured: 3_000_000, term_days: 7 };
    let (mut pool, mut product, trigger) = market();
    beside(&mut pool);
    sell(&mut product, &mut pool, &trigger, request, NOW).unwrap();
    let more = CoverRequest { sum_insured: 3_000_001, ..request };
    let (mut pool, mut product, trigger) = market();
    beside(&mut pool);
    refused(sell(&mut product, &mut pool, &trigger, more, NOW), BelowRequiredCapital);
    // Calm, the root of 7,000,000^2 + 3,000,001^2 is far below what there is.
    let (mut pool, mut product, trigger) = market();
    beside(&mut pool);
    let alert = Alert { group: 4, number: 1, exposure: 7_000_000 };
    pool.move_alert(alert, AlertLevel::Breaching, AlertLevel::None, NOW).unwrap();
    sell(&mut product, &mut pool, &trigger, more, NOW).unwrap();
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
    product.terms.daily_bps = 10_000;
    let quote = sell(&mut product, &mut pool, &trigger, request, NOW).unwrap().quote;
    assert_eq!((quote.capacity, product.exposure), (1_000_000, 1_000_000));
}

#[test]
fn exits_are_in_the_way_of_a_new_product_only() {
    let (mut pool, mut product, trigger) = market();
    pool.oldest_exit_day = TODAY - 1;
    product.notice_served = 1;
    sell(&mut product, &mut pool, &trigger, a_year(1_000_000), NOW).unwrap();
}

#[test]
fn a_price_that_does_not_fit_is_refused_as_such() {
    let (mut pool, mut product, trigger) = market();
    product.risk_rate_ppb = u64::MAX;
    refused(sell(&mut product, &mut pool, &trigger, a_year(1_000_000), NOW), MathOverflow);
    // 10^17 at 2.7 x 10^10 times itself a year.
    let mut pool = pool_with(200_000_000_000_000_000, 0, 0);
    product.risk_rate_ppb = u64::MAX / 2;
    product.terms.max_sum_insured = u64::MAX;
    refused(sell(&mut product, &mut pool, &trigger, a_year(90_000_000_000_000_000), NOW), AmountTooLarge);
}

#[test]
fn however_much_capital_there_is_a_product_goes_on_selling() {
    let pool = pool_with(200_000_000_000_000_000, 0, 0);
    assert_eq!(product().capacity(&pool).unwrap(), 100_000_000_000_000_000);
}

#[test]
fn a_sale_drifts_the_level_by_the_utilisation_of_the_days_before() {
    let (mut pool, mut product, mut trigger) = market_with_demand();
    pool.add_exposure(3, 7_000_000).unwrap();
    product.exposure = 7_000_000;
    trigger.evidence.last_publish_time = NOW + DAY;
    let quote = sell(&mut product, &mut pool, &trigger, a_year(1_000_000), NOW + DAY).unwrap().quote;
    // Seven eighths were used all day. 3 % of 1,000,000 for a year, and 1.02 x 1 % for the 368 days until the release of
    // a cover that ends 366 days later, with a ring of two: 10,283.8.
    assert_eq!((quote.level_bps, quote.premium), (10_200, 40_284));
    assert_eq!((product.level_bps, product.utilisation_bps), (10_200, 8_750));
}

#[test]
fn demand_is_paid_from_the_purchase_to_the_release_and_risk_while_insured() {
    let (mut pool, mut product, trigger) = market_with_demand();
    let week = CoverRequest { sum_insured: 1_000_000, term_days: 7 };
    let quote = sell(&mut product, &mut pool, &trigger, week, NOW).unwrap().quote;
    // Bought a day before it begins, held by the ring for two days after its end: 30,000 x 7 + 10,000 x 10 a year.
    assert_eq!(
        (quote.active_day, quote.end_day, product.release_time(quote.end_day)),
        (TODAY + 1, TODAY + 8, NOW + 10 * DAY)
    );
    assert_eq!(quote.premium, 850); // 310,000 / 365 = 849.3
    // A ring that reaches further back holds longer: what keeps room from others pays for it.
    product.ring_days = 12;
    let quote = sell(&mut product, &mut pool, &trigger, week, NOW).unwrap().quote;
    assert_eq!(quote.premium, 1_124); // 410,000 / 365 = 1,123.3
}

#[test]
fn a_product_sells_a_part_of_its_capacity_a_day() {
    let (mut pool, mut product, mut trigger) = market();
    product.terms.daily_bps = 2_500;
    let of = |sum_insured| CoverRequest { sum_insured, term_days: 7 };
    // A quarter of 8,000,000, in parts.
    sell(&mut product, &mut pool, &trigger, of(1_500_000), NOW).unwrap();
    assert_eq!(product.left_now(8_000_000, NOW).unwrap(), 500_000);
    refused(sell(&mut product, &mut pool, &trigger, of(500_001), NOW), SoldOutToday);
    sell(&mut product, &mut pool, &trigger, of(500_000), NOW).unwrap();
    refused(sell(&mut product, &mut pool, &trigger, of(1_000), NOW), SoldOutToday);
    // It comes back over a day: 2,000,000 in 86,400 seconds, and midnight is a moment like others.
    let of_second = |second: i64| product.left_now(8_000_000, NOW + second).unwrap();
    assert_eq!(
        [1, 43_200, 86_399, 86_400, 9 * 86_400].map(of_second),
        [23, 1_000_000, 1_999_976, 2_000_000, 2_000_000]
    );
    trigger.evidence.last_publish_time = NOW + DAY / 2;
    refused(sell(&mut product, &mut pool, &trigger, of(1_000_001), NOW + DAY / 2), SoldOutToday);
    sell(&mut product, &mut pool, &trigger, of(600_000), NOW + DAY / 2).unwrap();
    assert_eq!((product.sold_at, product.sold_of_late), (NOW + DAY / 2, 1_600_000));
    // Half of what the rest of the day brings back: 1,600,000 - 500,000 count.
    assert_eq!(product.left_now(8_000_000, NOW + 3 * DAY / 4).unwrap(), 900_000);
    // In a smaller capacity, which sells 200,000 a day, all of it is forgotten within a day: of 1,600,000 100,000 count
    // after fifteen sixteenths of it.
    let smaller = |second: i64| product.left_now(800_000, NOW + DAY / 2 + second).unwrap();
    assert_eq!([0, 43_200, 75_600, 81_000, 86_400].map(smaller), [0, 0, 0, 100_000, 200_000]);
}

#[test]
fn a_capacity_that_falls_for_a_moment_makes_no_room() {
    let (mut pool, mut product, trigger) = market();
    product.terms.daily_bps = 2_500;
    let of = |sum_insured| CoverRequest { sum_insured, term_days: 7 };
    sell(&mut product, &mut pool, &trigger, of(2_000_000), NOW).unwrap();
    // Much of the capital asks to leave: of 2,400,000 600,000 would be sold a day. A small sale then cut what was sold of
    // late down to that, and when the capital stayed after all 1,400,000 could be bought again.
    let now = NOW + 600;
    pool.terms.group_cap_bps = 2_400;
    assert_eq!(product.capacity(&pool).unwrap(), 2_400_000);
    refused(sell(&mut product, &mut pool, &trigger, of(1_000), now), SoldOutToday);
    assert_eq!(product.left_now(8_000_000, now).unwrap(), 13_888);
}

/// A product that is sold a week of 1,000,000 for 768, which begins in three days: twelve days of room with the ring.
fn waiting_cover() -> (Pool, Product, Trigger, Policy) {
    let (mut pool, mut product, trigger) = market();
    product.terms.waiting_seconds = 3 * 86_400;
    let week = CoverRequest { sum_insured: 1_000_000, term_days: 7 };
    let quote = sell(&mut product, &mut pool, &trigger, week, NOW).unwrap().quote;
    assert_eq!((quote.premium, product.release_time(quote.end_day)), (768, NOW + 12 * DAY));
    let mine =
        Policy { rate_q32: quote.rate_q32, bought_at: NOW, ..cover(quote.active_day, quote.end_day, 1_000_000, 768) };
    (pool, product, trigger, mine)
}

#[test]
fn who_gives_a_cover_back_pays_for_the_time_in_which_it_took_room() {
    // A tenth while that is more, then twelfths of 768, of which what is earned is a part: a seventh of it a day from the
    // third day on, so 220 after two insured days, and 549 after five.
    let cases = [(1, 77), (2, 128), (3, 192), (5, 320), (8, 571)];
    for (days, kept) in cases {
        let (mut pool, mut product, trigger, mine) = waiting_cover();
        let surplus = pool.surplus;
        let cancellation = cancel(&mut product, &mut pool, &trigger, &mine, NOW + days * DAY).unwrap();
        assert_eq!(768 - cancellation.refund, kept, "{days} days");
        // Nobody else has less for it: what the pool has earned and the fee are what is kept.
        let earned = cancellation.accrual.earned;
        assert!((kept - earned - cancellation.fee) <= 1);
        assert_eq!(pool.surplus - surplus, cancellation.fee + cancellation.accrual.surplus);
        pool.invariant().unwrap();
    }
}

#[test]
fn what_is_given_back_may_be_sold_again_in_the_part_that_was_not_earned() {
    // Of 2,000,000 a day 1,000,000 were sold. Given back before it begins it makes all of its room, five days of seven
    // insured days later five sevenths; a day later the count is empty anyhow.
    let (mut pool, mut product, trigger, mine) = waiting_cover();
    cancel(&mut product, &mut pool, &trigger, &mine, NOW + 3 * DAY - 1).unwrap();
    assert_eq!(product.sold_of_late, 0);
    let (mut pool, mut product, trigger, mine) = waiting_cover();
    product.sold_of_late = 2_000_000;
    cancel(&mut product, &mut pool, &trigger, &mine, NOW + 5 * DAY).unwrap();
    // 548 of 768 are not earned.
    assert_eq!(product.sold_of_late, 2_000_000 - 713_541);
}

#[test]
fn the_level_follows_the_average_of_a_day_and_no_moment_of_it() {
    let (mut pool, mut product, mut trigger) = market();
    trigger.evidence.last_publish_time = NOW + DAY;
    product.terms.max_sum_insured = 8_000_000;
    let of = |sum_insured| CoverRequest { sum_insured, term_days: 7 };
    // Half a day empty, half a day full: 5,000 bps, which is at the lower mark and above no mark.
    sell(&mut product, &mut pool, &trigger, of(8_000_000), NOW + DAY / 2).unwrap();
    pool.accrue(NOW + DAY).unwrap();
    product.drift_level(&pool, NOW + DAY).unwrap();
    assert_eq!((product.utilisation_bps, product.level_bps), (5_000, 10_000));
    // A day that is full: the level rises once.
    pool.accrue(NOW + 2 * DAY).unwrap();
    product.drift_level(&pool, NOW + 2 * DAY).unwrap();
    assert_eq!((product.utilisation_bps, product.level_bps), (10_000, 10_200));
    // However often it is counted.
    let mut often = (pool, product);
    for hour in 49..72 {
        often.0.accrue(NOW + hour * 3_600).unwrap();
        often.1.drift_level(&often.0, NOW + hour * 3_600).unwrap();
    }
    for (pool, product) in [(&mut pool, &mut product), (&mut often.0, &mut often.1)] {
        pool.accrue(NOW + 3 * DAY).unwrap();
        product.drift_level(pool, NOW + 3 * DAY).unwrap();
        assert_eq!((product.utilisation_bps, product.level_bps), (10_000, 10_404));
    }
}

#[test]
fn neither_an_exit_of_a_moment_nor_a_neighbour_of_a_moment_moves_the_level() {
    let (mut pool, mut product, _) = market();
    pool.terms.group_cap_bps = 8_000;
    pool.add_exposure(3, 4_800_000).unwrap();
    product.exposure = 4_800_000;
    // 6,000 bps of 8,000,000. Three fifths of the capital ask to leave a second before midnight: what is left is full.
    pool.accrue(NOW + DAY - 1).unwrap();
    pool.request_exit(Tranche::Senior, 6_000_000_000).unwrap();
    product.drift_level(&pool, NOW + DAY - 1).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 4_000_000);
    pool.accrue(NOW + DAY).unwrap();
    product.drift_level(&pool, NOW + DAY).unwrap();
    assert_eq!((product.utilisation_bps, product.level_bps), (6_000, 10_000));
    pool.cancel_exit(Tranche::Senior, pool.tranches[1].units, TODAY).unwrap();
    assert_eq!(pool.capacity_capital().unwrap(), 10_000_000);
    // A neighbour of the risk group that fills the group's cap for the moment of midnight.
    pool.accrue(NOW + 2 * DAY).unwrap();
    pool.add_exposure(3, 3_200_000).unwrap();
    product.drift_level(&pool, NOW + 2 * DAY).unwrap();
    assert_eq!((product.utilisation_bps, product.level_bps), (6_000, 10_000));
    // What stays for the day does: 4,800,000 of the 4,800,000 that the group's cap leaves.
    pool.accrue(NOW + 3 * DAY).unwrap();
    product.drift_level(&pool, NOW + 3 * DAY).unwrap();
    assert_eq!((product.utilisation_bps, product.level_bps), (10_000, 10_200));
}

/// The cover that a year's quote becomes.
fn sold(pool: &mut Pool, product: &mut Product, trigger: &Trigger, sum: u64, now: i64) -> Policy {
    let quote = sell(product, pool, trigger, a_year(sum), now).unwrap().quote;
    Policy { rate_q32: quote.rate_q32, bought_at: now, ..cover(quote.active_day, quote.end_day, sum, quote.premium) }
}

#[test]
fn a_cover_taken_back_refunds_what_is_unearned_less_a_fee() {
    let (mut pool, mut product, trigger) = market();
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    let other = sold(&mut pool, &mut product, &trigger, 2_000_000, NOW);
    // 183 of the 365 days: 20,054.79 and a fee of a tenth, rounded up.
    let cancellation = cancel(&mut product, &mut pool, &trigger, &mine, NOW + 183 * DAY).unwrap();
    pool.invariant().unwrap();
    assert_eq!((cancellation.refund, cancellation.fee), (18_048, 2_006));
    // 182 of 365 days of both covers, 59,835.6, of which the surplus has a tenth.
    assert_eq!((cancellation.accrual.earned, cancellation.accrual.surplus), (59_835, 5_983));
    assert_eq!((pool.surplus, pool.cash), (7_989, 10_101_952));
    assert_eq!(pool.rate_q32, other.rate_q32);
    assert_eq!((product.exposure, pool.group_exposure(3), pool.total_exposure), (2_000_000, 2_000_000, 2_000_000));
    assert_eq!(product.exposure_ends[(TODAY as usize + 366) % 512], 2_000_000);
    let left = starts(&product, TODAY + 1);
    assert_eq!((left.sum_insured, left.premium, left.rate_q32), (2_000_000, 80_000, other.rate_q32));
    assert_eq!((left.due_low, left.due_high), (other.rate_q32 * 365 * 86_400, 0));
    // The level drifted before, by 3,000,000 of 8,000,000 on each of seven days: 10,000 9,800 9,604 9,412 9,224 9,040
    // 8,860 8,683.
    assert_eq!((product.level_bps, product.utilisation_bps), (8_683, 3_750));
    let more = Policy { sum_insured: 2_000_001, ..other };
    refused(cancel(&mut product, &mut pool, &trigger, &more, NOW + 183 * DAY), InvariantViolated);
}

#[test]
fn a_cover_is_not_taken_back_on_the_day_of_its_purchase_and_then_costs_the_fee() {
    let (mut pool, mut product, trigger) = market();
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    assert_eq!(mine.bought_day(), TODAY);
    for now in [NOW, NOW + DAY - 1] {
        refused(cancel(&mut product, &mut pool, &trigger, &mine, now), BoughtToday);
    }
    let cancellation = cancel(&mut product, &mut pool, &trigger, &mine, NOW + DAY).unwrap();
    // Its first insured second: what its rate has still to earn, less a tenth rounded up.
    assert_eq!((cancellation.refund, cancellation.fee), (35_999, 4_000));
    // What rounding left is earned with the next accrual: nothing else can come of it.
    assert_eq!((pool.waiting_rate_q32, pool.unearned_premium), (0, 1));
    assert_eq!((pool.rate_q32, pool.total_exposure, product.exposure, product.utilisation_bps), (0, 0, 0, 1_250));
    pool.invariant().unwrap();
    assert_eq!(pool.accrue(NOW + 2 * DAY).unwrap().earned, 1);
    assert_eq!(pool.unearned_premium, 0);
}

#[test]
fn a_cover_is_not_taken_back_at_its_end_or_while_the_trigger_moves() {
    let (mut pool, mut product, mut trigger) = market();
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    refused(cancel(&mut product, &mut pool, &trigger, &mine, mine.end()), CoverEnded);
    trigger.evidence.phase = 2;
    refused(cancel(&mut product, &mut pool, &trigger, &mine, NOW + DAY), TriggerNotQuiet);
    trigger.evidence.phase = 0;
    cancel(&mut product, &mut pool, &trigger, &mine, mine.end() - 1).unwrap();
}

/// Sells a cover today and one that many days later.
fn two_sales(days: i64) -> (Pool, Product, Trigger, [Policy; 2]) {
    let (mut pool, mut product, mut trigger) = market();
    let first = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    trigger.evidence.last_publish_time = NOW + days * DAY;
    let second = sold(&mut pool, &mut product, &trigger, 2_000_000, NOW + days * DAY);
    (pool, product, trigger, [first, second])
}

#[test]
fn first_insured_days_share_a_bucket_only_after_64_days() {
    let buckets = |product: &Product, cover: &Policy| starts(product, cover.active_day).sum_insured;
    let (mut pool, mut product, trigger, [first, second]) = two_sales(63);
    assert_eq!((buckets(&product, &first), buckets(&product, &second)), (1_000_000, 2_000_000));
    cancel(&mut product, &mut pool, &trigger, &first, NOW + 63 * DAY).unwrap();
    assert_eq!((buckets(&product, &first), buckets(&product, &second)), (0, 2_000_000));
    // The later sale took the bucket over: the first cover is no longer in it.
    let (mut pool, mut product, trigger, [first, second]) = two_sales(64);
    assert_eq!(buckets(&product, &first), 2_000_000);
    assert_eq!(starts(&product, second.active_day).premium, second.premium);
    cancel(&mut product, &mut pool, &trigger, &first, NOW + 64 * DAY).unwrap();
    assert_eq!(buckets(&product, &second), 2_000_000);
    assert_eq!(starts(&product, second.active_day).premium, second.premium);
    cancel(&mut product, &mut pool, &trigger, &second, NOW + 65 * DAY).unwrap();
    assert_eq!((buckets(&product, &second), product.exposure), (0, 0));
    pool.invariant().unwrap();
}

#[test]
fn a_long_pause_between_sales_clears_every_activation_bucket() {
    let (_, product, _, [_, second]) = two_sales(100);
    assert_eq!(product.starts.iter().map(|start| start.sum_insured).sum::<u64>(), 2_000_000);
    assert_eq!(product.starts.iter().map(|start| start.premium).sum::<u64>(), second.premium);
    assert_eq!(product.newest_activation_day, TODAY + 101);
}

#[test]
fn a_cover_taken_back_gets_its_premium_before_the_first_insured_second_and_by_rate_from_it_on() {
    for (now, refund, fee) in [(NOW + 2 * DAY - 1, 36_000, 3_999), (NOW + 2 * DAY, 35_999, 4_000)] {
        let (mut pool, mut product, trigger) = market();
        // A day longer, so that there is one between the purchase and the first insured second.
        product.terms.waiting_seconds = 2 * 86_400;
        let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
        let cancellation = cancel(&mut product, &mut pool, &trigger, &mine, now).unwrap();
        // By rate 39,999.998 are left at the first second, and before: 39,999, which is what leaves the unearned premium; of
        // it, from there on, a tenth is rounded up.
        assert_eq!((cancellation.refund, cancellation.fee), (refund, fee));
        assert_eq!((pool.rate_q32, pool.waiting_rate_q32, pool.held_back_premium), (0, 0, 0));
        assert_eq!(pool.unearned_premium, 1);
        pool.invariant().unwrap();
    }
}

/// A cover bought while another product's alert stops the pool's accrual.
#[test]
fn what_a_cover_earned_while_accrual_stood_is_earned_once_it_goes_on() {
    let (mut pool, mut product, trigger) = market();
    pool.terms.surplus_bps = 0;
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    let other = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    pool.stands_since = NOW + 10 * DAY;
    let early = cancel(&mut product, &mut pool, &trigger, &mine, NOW + 20 * DAY).unwrap();
    // Both earned for nine days: 1,972.6. Mine has 346 days left, 37,917.8; of the ten between, 1,095.9 are held back.
    assert_eq!((early.accrual.earned, early.refund + early.fee, pool.held_back_premium), (1_972, 37_917, 1_095));
    assert_eq!((pool.accrued_at, pool.rate_q32), (NOW + 10 * DAY, other.rate_q32));
    pool.invariant().unwrap();
    pool.stands_since = 0;
    let later = pool.accrue(NOW + 20 * DAY).unwrap();
    // What was held back, and as much of the other cover; the fraction of the first nine days makes it one more.
    assert_eq!((later.earned, pool.held_back_premium), (1_095 + 1_096, 0));
    assert_eq!(pool.unearned_premium, 80_000 - 1_972 - 37_917 - 2_191);
}

#[test]
fn a_cover_that_began_while_accrual_stood_leaves_both_rings() {
    let (mut pool, mut product, trigger) = market();
    let mine = sold(&mut pool, &mut product, &trigger, 1_000_000, NOW);
    pool.stands_since = NOW + 1;
    let early = cancel(&mut product, &mut pool, &trigger, &mine, NOW + 2 * DAY).unwrap();
    // One insured day, 109.6, is held back; 364 days are given back: 39,890.4.
    assert_eq!((early.accrual.earned, early.refund + early.fee, pool.held_back_premium), (0, 39_890, 109));
    assert_eq!((pool.rate_q32, pool.waiting_rate_q32), (0, 0));
    assert!(pool.rate_starts.iter().chain(&pool.rate_ends).all(|rate| *rate == 0));
    pool.invariant().unwrap();
}

#[test]
fn while_accrual_stands_nothing_is_sold_that_its_buckets_do_not_reach() {
    let (mut pool, mut product, mut trigger) = market();
    pool.stands_since = NOW + 5;
    let week = CoverRequest { sum_insured: 1_000_000, term_days: 7 };
    // It begins a day later: 32 days ahead is the last.
    trigger.evidence.last_publish_time = NOW + 32 * DAY;
    sell(&mut product, &mut pool, &trigger, week, NOW + 31 * DAY).unwrap();
    refused(sell(&mut product, &mut pool, &trigger, week, NOW + 31 * DAY + 1), AccrualStands);
    product.terms.max_term_days = 600;
    let long = CoverRequest { term_days: 500, ..week };
    refused(sell(&mut product, &mut pool, &trigger, long, NOW + 11 * DAY), AccrualStands);
    sell(&mut product, &mut pool, &trigger, long, NOW + 10 * DAY).unwrap();
    // Once it goes on, both are sold again.
    pool.stands_since = 0;
    sell(&mut product, &mut pool, &trigger, week, NOW + 31 * DAY + 1).unwrap();
    pool.invariant().unwrap();
}

#[test]
fn the_last_day_with_a_cover_follows_the_covers_that_are_left() {
    let (mut pool, mut product, trigger) = market();
    let of_days = |pool: &mut Pool, product: &mut Product, term_days| {
        let request = CoverRequest { sum_insured: 2_000, term_days };
        let quote = sell(product, pool, &trigger, request, NOW).unwrap().quote;
        Policy { rate_q32: quote.rate_q32, ..cover(quote.active_day, quote.end_day, 2_000, quote.premium) }
    };
    let month = of_days(&mut pool, &mut product, 30);
    let year = of_days(&mut pool, &mut product, 365);
    let same = of_days(&mut pool, &mut product, 365);
    assert_eq!(pool.last_cover_end_day, TODAY + 366);
    cancel(&mut product, &mut pool, &trigger, &year, NOW + 2 * DAY).unwrap();
    assert_eq!(pool.last_cover_end_day, TODAY + 366);
    cancel(&mut product, &mut pool, &trigger, &same, NOW + 2 * DAY).unwrap();
    assert_eq!(pool.last_cover_end_day, TODAY + 31);
    // Of covers that have ended nothing is known any more: at the latest on the day up to which premium is earned.
    cancel(&mut product, &mut pool, &trigger, &month, NOW + 3 * DAY).unwrap();
    assert_eq!(pool.last_cover_end_day, TODAY + 3);
}
