//! What it costs to keep others from buying, on the terms of the shipped plan: a pool of 1,000,000, of which a product may
//! insure 800,000, and sells 200,000 a day.

use crate::common::*;
use backstop::error::BackstopError;
use backstop::state::*;

const CAPACITY: u64 = 800_000_000_000;
const DAILY: u64 = 200_000_000_000;
const HOUR: i64 = 3_600;

/// A product with its covers, and what one buyer has paid for good.
struct Market {
    pool: Pool,
    product: Product,
    rates: Rates,
    trigger: Trigger,
    held: Vec<Policy>,
    spent: u64,
}

impl Market {
    fn new() -> Self {
        let mut product = product();
        product.terms = ProductTerms {
            demand_at_zero_ppb: 0,
            demand_at_kink_ppb: 50_000_000,
            demand_at_capacity_ppb: 200_000_000,
            waiting_seconds: 3 * 86_400,
            drift_bps: 0,
            daily_bps: 2_500,
            max_sum_insured: CAPACITY,
            ..product_terms()
        };
        product.ring_days = 6;
        product.released_day = TODAY - 6;
        let mut pool = pool_with(0, 400_000_000_000, 600_000_000_000);
        // Premium and fees become capital: for 30 days they make no room.
        pool.terms.seasoning_days = 30;
        Self { pool, product, rates: rates(), trigger: trigger(), held: Vec::new(), spent: 0 }
    }

    /// Buys a week, if it is sold.
    fn buy(&mut self, sum_insured: u64, now: i64) -> Result<Policy, BackstopError> {
        self.trigger.evidence.last_publish_time = now;
        let request = CoverRequest { sum_insured, term_days: 7 };
        let Self { pool, product, rates, trigger, .. } = self;
        let before = (*pool, *product);
        match product.sell(pool, rates, trigger, &purchase(request), now) {
            Ok((policy, _)) => Ok(policy),
            Err(refusal) => {
                (*pool, *product) = before;
                let number = match refusal {
                    anchor_lang::error::Error::AnchorError(error) => error.error_code_number,
                    anchor_lang::error::Error::ProgramError(error) => panic!("{error}"),
                };
                let reasons = [BackstopError::SoldOutToday, BackstopError::BeyondCapacity];
                Err(reasons.into_iter().find(|reason| u32::from(*reason) == number).unwrap())
            }
        }
    }

    /// Buys for the one who keeps others out.
    fn occupy(&mut self, sum_insured: u64, now: i64) {
        let cover = self.buy(sum_insured, now).unwrap();
        self.spent += cover.premium;
        self.held.push(cover);
    }

    /// Gives the oldest of his covers back. Returns what of it is gone.
    fn give_back(&mut self, now: i64) -> u64 {
        let cover = self.held.remove(0);
        let Self { pool, product, rates, trigger, .. } = self;
        let refund = product.cancel(pool, rates, trigger, &cover, now).unwrap().refund;
        self.spent -= refund;
        cover.premium - refund
    }

    fn left(&self, now: i64) -> u64 {
        self.product.left_now(CAPACITY, now).unwrap().min(CAPACITY - self.product.exposure)
    }
}

/// Money 6: 200,000 bought at midnight, given back at the next and bought again kept everybody else out, for a tenth of
/// the premium, 18.53 a day.
#[test]
fn a_day_of_sales_that_is_bought_and_given_back_makes_room_for_others() {
    let mut market = Market::new();
    let mut sold = 0;
    market.occupy(DAILY, NOW);
    // A week at 3 %, and 5 % x 200,000 / 640,000 / 2 for the sixteen days from the purchase to the release.
    assert_eq!(market.spent, 183_561_644); // (6,000 x 7 + 1,562.5 x 16) / 365
    for day in 1..4 {
        let midnight = NOW + day * DAY;
        assert_eq!(market.buy(1_000_000, midnight - DAY), Err(BackstopError::SoldOutToday));
        // A day later the count is empty, and what is given back then makes no more of it: he has all of it again.
        market.give_back(midnight);
        market.occupy(DAILY, midnight);
        assert_eq!(market.left(midnight), 0);
        // But it comes back from the next second on, and he can no longer have it by giving back.
        for hour in 1..=23 {
            let left = market.left(midnight + hour * HOUR);
            assert_eq!(left, DAILY / 24);
            market.buy(left, midnight + hour * HOUR).unwrap();
            sold += left;
            assert_eq!(market.left(midnight + hour * HOUR), 0);
            if sold > 2 * DAILY {
                return;
            }
        }
    }
    panic!("others were sold {sold}");
}

/// Whoever buys each unit as soon as it may be sold has all of the capacity after four days, as any buyer would. From then
/// on nobody else is sold anything, and the room costs him what it costs a buyer who stays.
#[test]
fn to_keep_others_out_costs_what_the_room_costs_a_buyer() {
    let mut market = Market::new();
    for day in 0..4 {
        market.occupy(DAILY, NOW + day * DAY);
    }
    assert_eq!(market.left(NOW + 3 * DAY), 0);
    let four_days = market.spent;
    // All of it for a week: (24,000 x 7 + 36,000 x 16) / 365, each part rounded up.
    assert!((2_038_356_164..2_038_356_168).contains(&four_days), "{four_days}");
    let mut fees = 0;
    for day in 4..28 {
        let now = NOW + day * DAY;
        market.product.sync(&mut market.pool, &market.trigger, now).unwrap();
        // The oldest cover begins to be insured: it is given back and bought again in one moment.
        let paid = market.held[0].premium;
        let kept = market.give_back(now);
        assert_eq!(market.left(now), DAILY);
        // Four of sixteen days of room: a quarter of the premium, and not a tenth.
        assert_eq!(kept, paid.div_ceil(4));
        fees += kept;
        market.occupy(DAILY, now);
        for hour in 0..24 {
            let refusal = market.buy(1_000_000, now + hour * HOUR);
            assert!(matches!(refusal, Err(BackstopError::SoldOutToday | BackstopError::BeyondCapacity)));
        }
    }
    // 200,000 from 600,000 on: (6,000 x 7 + (36,000 - 14,062.5) x 16) / 365 / 4, 269.2 a day once all covers are those.
    let last = market.held[0].premium;
    assert_eq!(last, 1_076_712_329);
    assert!(fees / 24 > 230_000_000, "{} a day", fees / 24);
}

/// Buying and giving back in any order and at any hour: the exposure grows by no more than a day's sales at once and
/// a day's sales a day, and whoever gives back pays for the time of his room.
#[test]
fn no_order_of_buying_and_giving_back_sells_more_or_costs_less() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let (mut bought, mut back) = (0, 0);
    for _ in 0..60 {
        let mut market = Market::new();
        let (mut now, began) = (NOW, NOW);
        let mut exposures = vec![(began, 0u64)];
        for _ in 0..60 {
            now += i64::try_from(random(9 * 3_600)).unwrap();
            market.product.sync(&mut market.pool, &market.trigger, now).unwrap();
            for _ in 0..1 + random(4) {
                let ready = !market.held.is_empty() && day_of(now) > market.held[0].bought_day();
                if ready && random(2) == 0 {
                    let first = &market.held[0];
                    if now >= first.end() {
                        market.held.remove(0);
                        continue;
                    }
                    let in_all = market.product.release_time(first.end_day) - first.bought_at;
                    let room = u128::from(first.premium) * u128::try_from(now - first.bought_at).unwrap();
                    let least = room.div_ceil(u128::try_from(in_all).unwrap());
                    assert!(u128::from(market.give_back(now)) >= least);
                    back += 1;
                } else if market.left(now) >= 2_000 {
                    let left = market.left(now);
                    market.occupy(if random(3) == 0 { left } else { 1_000 + random(left - 1_000) }, now);
                    bought += 1;
                }
                market.pool.invariant().unwrap();
            }
            exposures.push((now, market.product.exposure));
        }
        for (place, (from, before)) in exposures.iter().enumerate() {
            for (to, after) in &exposures[place..] {
                let most = u128::from(DAILY) + u128::from(DAILY) * u128::try_from(to - from).unwrap() / 86_400;
                assert!(u128::from(after.saturating_sub(*before)) <= most + 60);
            }
        }
    }
    assert!(bought > 1_000 && back > 500, "{bought} bought, {back} given back");
}
