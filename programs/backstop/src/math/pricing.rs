//! What cover costs (`docs/src/how/premium.md`).
//!
//! Rates are per year, in parts per billion (ppb) of the sum insured: 1e9 is 100 %. The demand part
//! of a price is the area under a curve over exposure, so that an order in parts costs as much as
//! the whole.

use super::capital::MAX_TOTAL_EXPOSURE;
use super::rounding::{BPS, Rounding, div, mul_div, scale, wide};

/// 100 % a year, in ppb.
pub const ONE_PPB: u64 = 1_000_000_000;

/// The highest rate a product may have, in ppb a year: 1,000 %.
pub const MAX_RATE_PPB: u64 = 10_000_000_000;

/// The year that rates are for, in seconds: 365 days.
pub const SECONDS_PER_YEAR: u64 = 31_536_000;

/// The most days by which one step moves the level.
pub const MAX_DRIFT_DAYS: u64 = 7;

/// Amount * ppb * seconds in one unit of premium.
const PREMIUM_DIVISOR: u64 = SECONDS_PER_YEAR.saturating_mul(ONE_PPB);

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PricingError {
    /// The cover would bring exposure above capacity.
    BeyondCapacity,
    /// A number does not fit.
    Overflow,
}

/// The demand curve: the rate for the next unit of cover, at no exposure, at the kink and at
/// capacity, with straight lines between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Rate at no exposure, ppb a year.
    pub at_zero_ppb: u64,
    /// Rate at the kink, ppb a year.
    pub at_kink_ppb: u64,
    /// Rate at capacity, ppb a year.
    pub at_capacity_ppb: u64,
    /// Where the kink is, in bps of capacity.
    pub kink_bps: u16,
}

impl Demand {
    /// Whether the kink lies within capacity and the rates rise and are at most [`MAX_RATE_PPB`].
    pub fn is_valid(&self) -> bool {
        u64::from(self.kink_bps) <= BPS
            && self.at_zero_ppb <= self.at_kink_ppb
            && self.at_kink_ppb <= self.at_capacity_ppb
            && self.at_capacity_ppb <= MAX_RATE_PPB
    }

    /// A(e): the area under the curve from no exposure to `exposure`, in units of the asset * ppb.
    /// The kink is at `floor(capacity * kink_bps / 10_000)`.
    ///
    /// Rounds down, once for each of the two lines. For one capacity it is a function of `exposure`
    /// alone that never falls. `None` beyond capacity, if capacity is above [`MAX_TOTAL_EXPOSURE`]
    /// or the kink above capacity, or if it does not fit.
    pub fn integral(&self, exposure: u64, capacity: u64) -> Option<u128> {
        self.lines(capacity)?.area(exposure)
    }

    fn lines(&self, capacity: u64) -> Option<Lines<'_>> {
        if capacity > MAX_TOTAL_EXPOSURE {
            return None;
        }
        let below = mul_div(capacity, u64::from(self.kink_bps), BPS, Rounding::Down)?;
        let above = capacity.checked_sub(below)?;
        Some(Lines { demand: self, below, above })
    }
}

/// A demand curve over a capacity: one line as far as the kink, and one beyond it.
struct Lines<'a> {
    demand: &'a Demand,
    /// Width of the first line, from no exposure to the kink.
    below: u64,
    /// Width of the second, from the kink to capacity.
    above: u64,
}

impl Lines<'_> {
    fn area(&self, exposure: u64) -> Option<u128> {
        let Demand { at_zero_ppb, at_kink_ppb, at_capacity_ppb, .. } = *self.demand;
        match exposure.checked_sub(self.below) {
            None | Some(0) => line(exposure, self.below, at_zero_ppb, at_kink_ppb),
            Some(beyond) if beyond <= self.above => {
                let whole = line(self.below, self.below, at_zero_ppb, at_kink_ppb)?;
                whole.checked_add(line(beyond, self.above, at_kink_ppb, at_capacity_ppb)?)
            }
            _ => None,
        }
    }
}

/// The area under the line that goes from rate `start` at 0 to rate `end` at `width`, from 0 to `x
/// <= width`: `floor(start * x + (end - start) * x^2 / (2 * width))`.
fn line(x: u64, width: u64, start: u64, end: u64) -> Option<u128> {
    if x == 0 {
        return Some(0);
    }
    if x == width {
        return Some(wide(x, start.checked_add(end)?) >> 1);
    }
    let level = wide(x, start);
    if end >= start {
        level.checked_add(wedge(x, width, end.saturating_sub(start), Rounding::Down)?)
    } else {
        level.checked_sub(wedge(x, width, start.saturating_sub(end), Rounding::Up)?)
    }
}

/// `slope * x^2 / (2 * width)`, rounded as asked. The numerator has up to 192 bits, so `x^2` is
/// divided first and its remainder with the slope, which is exact.
fn wedge(x: u64, width: u64, slope: u64, rounding: Rounding) -> Option<u128> {
    if slope == 0 {
        return Some(0);
    }
    let twice = width.checked_mul(2)?;
    let square = wide(x, x);
    let quotient = u64::try_from(div(square, twice, Rounding::Down)?).ok()?;
    let remainder = u64::try_from(square.checked_sub(wide(quotient, twice))?).ok()?;
    wide(quotient, slope).checked_add(div(wide(remainder, slope), twice, rounding)?)
}

/// The cover that a price is asked for, and the room it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The sum to insure, in units of the asset.
    pub sum_insured: u64,
    /// How long it is insured, in seconds.
    pub insured_seconds: u64,
    /// How long it takes room, in seconds: from the purchase to the release of its exposure.
    pub held_seconds: u64,
    /// Exposure without this cover.
    pub exposure_before: u64,
    /// Exposure that may not be exceeded with it.
    pub capacity: u64,
}

/// A product's terms of price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Expected loss with loading, ppb a year, from [`technical_ppb`].
    pub technical_ppb: u64,
    /// What the demand curve is scaled by, in bps (10,000 = as it is), from [`level_after`].
    pub level_bps: u32,
    /// The demand curve.
    pub demand: Demand,
    /// The least that a cover costs, in units of the asset.
    pub min_premium: u64,
}

/// The premium of a cover.
///
/// ```text
/// demand  = ceil(level * (A(exposure with it) - A(exposure before)) / 10_000)
/// charge  = ceil((sum_insured * technical * insured_seconds + demand * held_seconds) / (365 days * 1e9))
/// premium = max(min_premium, charge)
/// ```
///
/// Risk is paid for as long as the cover is insured, room for as long as it takes room from others.
/// Rounds up, against the buyer: an order in parts never costs less than the whole. It rises with
/// the sum, both times, the risk and the level; with utilisation too, except that the floors in A let
/// it fall by at most 1 unit. Every number on the way fits for exposure up to
/// [`MAX_TOTAL_EXPOSURE`], a technical rate up to 2e10 ppb, a curve up to [`MAX_RATE_PPB`], a level
/// up to 100,000 bps and times up to 512 days: `1e17 * (2e10 + 10 * 1e10) * 4.5e7 < 2^119`.
///
/// Errors: `BeyondCapacity` if the sum is more than capacity leaves; `Overflow` if a number does
/// not fit.
pub fn premium(order: &Order, price: &Price) -> Result<u64, PricingError> {
    let exposure_after = order
        .exposure_before
        .checked_add(order.sum_insured)
        .filter(|&after| after <= order.capacity)
        .ok_or(PricingError::BeyondCapacity)?;
    charge(order, price, exposure_after).ok_or(PricingError::Overflow)
}

fn charge(order: &Order, price: &Price, exposure_after: u64) -> Option<u64> {
    let lines = price.demand.lines(order.capacity)?;
    let area = lines.area(exposure_after)?.checked_sub(lines.area(order.exposure_before)?)?;
    let demand = match u64::from(price.level_bps) {
        BPS => area,
        level => div(scale(area, level)?, BPS, Rounding::Up)?,
    };
    let risk = scale(wide(order.sum_insured, price.technical_ppb), order.insured_seconds)?;
    let numerator = risk.checked_add(scale(demand, order.held_seconds)?)?;
    let charge = u64::try_from(div(numerator, PREMIUM_DIVISOR, Rounding::Up)?).ok()?;
    Some(charge.max(price.min_premium))
}

/// The technical rate, ppb a year: expected loss and a loading on it,
/// `ceil(risk_rate * (10_000 + loading_bps) / 10_000)`. Rounds up, against the buyer. `None` if it does not fit.
pub fn technical_ppb(risk_rate_ppb: u64, loading_bps: u32) -> Option<u64> {
    let whole = BPS.checked_add(u64::from(loading_bps))?;
    mul_div(risk_rate_ppb, whole, BPS, Rounding::Up)
}

/// How much of capacity is used, `floor(exposure * 10_000 / capacity)`, in bps; what does not fit,
/// and exposure without capacity, is `u32::MAX`.
pub fn utilisation_bps(exposure: u64, capacity: u64) -> u32 {
    if exposure == 0 {
        return 0;
    }
    mul_div(exposure, BPS, capacity, Rounding::Down).and_then(|bps| u32::try_from(bps).ok()).unwrap_or(u32::MAX)
}

/// How the level of a product drifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The level rises while utilisation is above this, in bps of capacity.
    pub upper_mark_bps: u32,
    /// The level falls while utilisation is below this, in bps of capacity.
    pub lower_mark_bps: u32,
    /// By how much a day, in bps of the level of that day.
    pub drift_bps_per_day: u32,
    /// The lowest level, in bps.
    pub min_level_bps: u32,
    /// The highest level, in bps.
    pub max_level_bps: u32,
}

/// The level after `days` at one utilisation. Each day, [`MAX_DRIFT_DAYS`] at most, it rises by
/// `ceil(level * drift / 10_000)` above the upper mark or falls by `floor(level * drift / 10_000)`
/// below the lower one; the result is kept within bounds (the upper one, if they contradict each
/// other), even if nothing drifts.
///
/// Rounds up, against the buyer. Loops over the days.
pub fn level_after(level_bps: u32, utilisation_bps: u32, days: u64, drift: &Drift) -> u32 {
    let bounded = |level: u32| level.max(drift.min_level_bps).min(drift.max_level_bps);
    let mut level = level_bps;
    for _ in 0..days.min(MAX_DRIFT_DAYS) {
        // Two 32-bit numbers: the product fits.
        let scaled = u64::from(level).saturating_mul(u64::from(drift.drift_bps_per_day));
        let next = if utilisation_bps > drift.upper_mark_bps {
            u64::from(level).saturating_add(scaled.div_ceil(BPS))
        } else if utilisation_bps < drift.lower_mark_bps {
            u64::from(level).saturating_sub(scaled / BPS)
        } else {
            break;
        };
        level = bounded(u32::try_from(next).unwrap_or(u32::MAX));
    }
    bounded(level)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// 1 % a year at zero, 3 % at the kink at 80 %, 11 % at capacity.
    const DEMAND: Demand =
        Demand { at_zero_ppb: 10_000_000, at_kink_ppb: 30_000_000, at_capacity_ppb: 110_000_000, kink_bps: 8_000 };

    const PRICE: Price = Price { technical_ppb: 20_000_000, level_bps: 10_000, demand: DEMAND, min_premium: 5 };

    const YEAR: u64 = SECONDS_PER_YEAR;

    fn order(sum_insured: u64, exposure_before: u64) -> Order {
        Order { sum_insured, insured_seconds: YEAR, held_seconds: YEAR, exposure_before, capacity: 1_000_000 }
    }

    #[test]
    fn the_integral_is_the_area_under_two_lines() {
        let area = |exposure| DEMAND.integral(exposure, 1_000_000).unwrap();
        assert_eq!(area(0), 0);
        // Half way to the kink the rate is 2 %: mean 1.5 % of 400,000 = 6,000 (in ppb: * 1e9).
        assert_eq!(area(400_000), 6_000_000_000_000);
        assert_eq!(area(800_000), 16_000_000_000_000); // mean 2 %
        assert_eq!(area(900_000), 21_000_000_000_000); // rate 7 %, mean 5 % of 100,000
        assert_eq!(area(1_000_000), 30_000_000_000_000); // mean 7 % of 200,000
        assert_eq!(area(1), 10_000_012); // 10,000,000 + 20,000,000 / 1,600,000 = 12.5
        assert_eq!(DEMAND.integral(1_000_001, 1_000_000), None);
    }

    #[test]
    fn a_kink_at_either_end_leaves_one_line() {
        let at_zero = Demand { kink_bps: 0, ..DEMAND };
        assert_eq!(at_zero.integral(0, 100), Some(0));
        assert_eq!(at_zero.integral(100, 100), Some(7_000_000_000)); // mean of 3 % and 11 %
        let at_capacity = Demand { kink_bps: 10_000, ..DEMAND };
        assert_eq!(at_capacity.integral(100, 100), Some(2_000_000_000)); // mean of 1 % and 3 %
        assert_eq!(DEMAND.integral(0, 0), Some(0));
        assert_eq!(Demand { kink_bps: 10_001, ..DEMAND }.integral(0, 1_000_000), None);
    }

    #[test]
    fn a_falling_line_has_its_area_too() {
        let falling = Demand { at_zero_ppb: 5, at_kink_ppb: 0, at_capacity_ppb: 0, kink_bps: 10_000 };
        let areas: [_; 5] = core::array::from_fn(|e| falling.integral(u64::try_from(e).unwrap(), 4).unwrap());
        assert_eq!(areas, [0, 4, 7, 9, 10]); // 4.375, 7.5, 9.375
        assert!(!falling.is_valid());
        assert!(DEMAND.is_valid());
        assert!(!Demand { kink_bps: 10_001, ..DEMAND }.is_valid());
        assert!(!Demand { at_capacity_ppb: MAX_RATE_PPB + 1, ..DEMAND }.is_valid());
    }

    #[test]
    fn a_premium_is_technical_and_demand_for_the_term() {
        // 2 % technical + 1.5 % demand of 400,000.
        assert_eq!(premium(&order(400_000, 0), &PRICE), Ok(14_000));
        let half_year = Order { insured_seconds: YEAR / 2, held_seconds: YEAR / 2, ..order(400_000, 0) };
        assert_eq!(premium(&half_year, &PRICE), Ok(7_000));
        // Insured for half a year, in the way of others for a whole one: 4,000 of risk and 6,000 of demand.
        let held_on = Order { insured_seconds: YEAR / 2, ..order(400_000, 0) };
        assert_eq!(premium(&held_on, &PRICE), Ok(10_000));
        // The level scales demand alone: 8,000 + 1.5 * 6,000.
        let dear = Price { level_bps: 15_000, ..PRICE };
        assert_eq!(premium(&order(400_000, 0), &dear), Ok(17_000));
        // The last 100,000 before capacity: 2,000 + 9,000.
        assert_eq!(premium(&order(100_000, 900_000), &PRICE), Ok(11_000));
    }

    #[test]
    fn a_premium_rounds_up_and_is_never_below_the_least() {
        assert_eq!(premium(&order(1, 0), &PRICE), Ok(5));
        assert_eq!(premium(&order(0, 0), &PRICE), Ok(5));
        let free = Price { min_premium: 0, ..PRICE };
        assert_eq!(premium(&order(1, 0), &free), Ok(1));
        assert_eq!(premium(&order(0, 0), &free), Ok(0));
        let moment = Order { insured_seconds: 1, held_seconds: 1, ..order(400_000, 0) };
        assert_eq!(premium(&moment, &free), Ok(1));
    }

    #[test]
    fn the_demand_part_is_rounded_up_before_the_premium_is() {
        // 999,900,010 * 1.0001 = 1,000,000,000.001 ppb: a trace above 1 unit a year costs 2.
        let flat = Demand {
            at_zero_ppb: 999_900_010,
            at_kink_ppb: 999_900_010,
            at_capacity_ppb: 999_900_010,
            kink_bps: 5_000,
        };
        let price = Price { technical_ppb: 0, level_bps: 10_001, demand: flat, min_premium: 0 };
        assert_eq!(premium(&order(1, 0), &price), Ok(2));
    }

    #[test]
    fn capacity_is_a_wall() {
        assert!(premium(&order(1_000_000, 0), &PRICE).is_ok());
        assert_eq!(premium(&order(1_000_001, 0), &PRICE), Err(PricingError::BeyondCapacity));
        assert_eq!(premium(&order(1, 1_000_000), &PRICE), Err(PricingError::BeyondCapacity));
        assert_eq!(premium(&order(0, 1_000_001), &PRICE), Err(PricingError::BeyondCapacity));
        assert_eq!(premium(&order(u64::MAX, 1), &PRICE), Err(PricingError::BeyondCapacity));
        let endless = Order { capacity: u64::MAX, ..order(u64::MAX, 0) };
        assert_eq!(premium(&endless, &PRICE), Err(PricingError::Overflow));
    }

    #[test]
    fn the_largest_order_at_the_highest_rates_fits() {
        let demand = Demand {
            at_zero_ppb: MAX_RATE_PPB,
            at_kink_ppb: MAX_RATE_PPB,
            at_capacity_ppb: MAX_RATE_PPB,
            kink_bps: 5_000,
        };
        let price = Price { technical_ppb: 0, level_bps: 100_000, demand, min_premium: 0 };
        let order = Order {
            sum_insured: MAX_TOTAL_EXPOSURE,
            insured_seconds: YEAR,
            held_seconds: YEAR,
            exposure_before: 0,
            capacity: MAX_TOTAL_EXPOSURE,
        };
        assert_eq!(premium(&order, &price), Ok(10_000_000_000_000_000_000));
        // Ten times the sum for 512 days does not fit 64 bits at 1,000 % and level 10; at level 1
        // it does.
        let long = Order { insured_seconds: 512 * 86_400, held_seconds: 512 * 86_400, ..order };
        let price = Price { technical_ppb: MAX_RATE_PPB, level_bps: 10_000, ..price };
        assert_eq!(premium(&long, &price), Ok(2_805_479_452_054_794_521)); // 2e18 * 512 / 365, up
        let dearest = Price { level_bps: 100_000, ..price };
        assert_eq!(premium(&long, &dearest), Ok(15_430_136_986_301_369_864)); // 1.1e19 * 512 / 365, up
    }

    #[test]
    fn loading_comes_on_top_of_risk_rounded_up() {
        assert_eq!(technical_ppb(1_000, 2_500), Some(1_250));
        assert_eq!(technical_ppb(1_001, 2_500), Some(1_252)); // 1,251.25
        assert_eq!(technical_ppb(1_001, 0), Some(1_001));
        assert_eq!(technical_ppb(u64::MAX, 1), None);
        assert_eq!(technical_ppb(u64::MAX, 0), Some(u64::MAX));
    }

    #[test]
    fn utilisation_is_exposure_in_capacity() {
        assert_eq!(utilisation_bps(1, 3), 3_333);
        assert_eq!(utilisation_bps(3, 1), 30_000);
        assert_eq!(utilisation_bps(0, 0), 0);
        assert_eq!(utilisation_bps(1, 0), u32::MAX);
        assert_eq!(utilisation_bps(u64::MAX, 1), u32::MAX);
    }

    const DRIFT: Drift = Drift {
        upper_mark_bps: 8_000,
        lower_mark_bps: 4_000,
        drift_bps_per_day: 200,
        min_level_bps: 5_000,
        max_level_bps: 20_000,
    };

    #[test]
    fn the_level_follows_utilisation_outside_the_marks() {
        assert_eq!(level_after(10_000, 8_001, 1, &DRIFT), 10_200);
        assert_eq!(level_after(10_000, 8_001, 2, &DRIFT), 10_404);
        assert_eq!(level_after(10_000, 3_999, 2, &DRIFT), 9_604);
        for between in [4_000, 6_000, 8_000] {
            assert_eq!(level_after(10_000, between, 7, &DRIFT), 10_000);
        }
        // 10,001 * 2 % = 200.02: up by 201, down by 200.
        assert_eq!(level_after(10_001, 9_000, 1, &DRIFT), 10_202);
        assert_eq!(level_after(10_001, 0, 1, &DRIFT), 9_801);
    }

    #[test]
    fn a_step_is_seven_days_at_most() {
        assert_eq!(level_after(10_000, 9_000, 0, &DRIFT), 10_000);
        assert_eq!(level_after(10_000, 9_000, 7, &DRIFT), level_after(10_000, 9_000, u64::MAX, &DRIFT));
        assert_eq!(level_after(10_000, 9_000, 7, &DRIFT), 11_490);
    }

    #[test]
    fn the_level_stays_within_its_bounds() {
        assert_eq!(level_after(19_900, 9_000, 7, &DRIFT), 20_000);
        assert_eq!(level_after(5_050, 0, 7, &DRIFT), 5_000);
        assert_eq!(level_after(1, 6_000, 0, &DRIFT), 5_000);
        assert_eq!(level_after(u32::MAX, 6_000, 0, &DRIFT), 20_000);
        let wild = Drift { drift_bps_per_day: u32::MAX, max_level_bps: u32::MAX, ..DRIFT };
        assert_eq!(level_after(u32::MAX, 9_000, 7, &wild), u32::MAX);
        assert_eq!(level_after(u32::MAX, 0, 7, &wild), 5_000);
    }
}
