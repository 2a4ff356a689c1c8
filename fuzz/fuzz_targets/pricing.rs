//! Any order on any curve: a premium never falls with the sum, the time, the risk or what is sold before; an order in
//! parts is never cheaper than the whole; nothing panics.

#![no_main]

use arbitrary::Arbitrary;
use backstop::math::pricing::{Demand, Drift, Order, Price, PricingError, level_after, premium};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    sum_insured: u64,
    part: u64,
    insured_seconds: u32,
    held_seconds: u32,
    exposure_before: u64,
    capacity: u64,
    technical_ppb: u64,
    level_bps: u32,
    at_zero_ppb: u64,
    at_kink_ppb: u64,
    at_capacity_ppb: u64,
    kink_bps: u16,
    min_premium: u64,
    utilisation_bps: u32,
    days: u64,
    drift: [u32; 5],
}

fuzz_target!(|input: Input| {
    let demand = Demand {
        at_zero_ppb: input.at_zero_ppb,
        at_kink_ppb: input.at_kink_ppb,
        at_capacity_ppb: input.at_capacity_ppb,
        kink_bps: input.kink_bps,
    };
    let [first, second, drift_bps_per_day, fourth, fifth] = input.drift;
    let drift = Drift {
        upper_mark_bps: first.max(second),
        lower_mark_bps: first.min(second),
        drift_bps_per_day,
        min_level_bps: fourth.min(fifth),
        max_level_bps: fourth.max(fifth),
    };
    let level = level_after(input.level_bps, input.utilisation_bps, input.days, &drift);
    assert!((drift.min_level_bps..=drift.max_level_bps).contains(&level) || input.days == 0);
    if !demand.is_valid() {
        return;
    }
    let price = Price {
        technical_ppb: input.technical_ppb,
        level_bps: input.level_bps,
        demand,
        min_premium: input.min_premium,
    };
    let order = Order {
        sum_insured: input.sum_insured,
        insured_seconds: input.insured_seconds.into(),
        held_seconds: input.held_seconds.into(),
        exposure_before: input.exposure_before,
        capacity: input.capacity,
    };
    let whole = match premium(&order, &price) {
        Ok(whole) => whole,
        Err(PricingError::BeyondCapacity) => {
            let after = order.exposure_before.checked_add(order.sum_insured);
            assert!(after.is_none_or(|after| after > order.capacity));
            return;
        }
        Err(PricingError::Overflow) => return,
    };
    assert!(whole >= price.min_premium);
    // In two parts, one after the other.
    let part = input.part % order.sum_insured.saturating_add(1);
    let left = Order { sum_insured: part, ..order };
    let right = Order { sum_insured: order.sum_insured - part, exposure_before: order.exposure_before + part, ..order };
    if let (Ok(left), Ok(right)) = (premium(&left, &price), premium(&right, &price)) {
        assert!(u128::from(left) + u128::from(right) >= u128::from(whole), "splitting is cheaper");
        assert!(left <= whole, "a part costs more than the whole");
    }
    // Not less for more time, risk or demand.
    let more = [
        premium(&Order { insured_seconds: order.insured_seconds + 1, ..order }, &price),
        premium(&Order { held_seconds: order.held_seconds + 1, ..order }, &price),
        premium(&order, &Price { technical_ppb: price.technical_ppb.saturating_add(1), ..price }),
        premium(&order, &Price { level_bps: price.level_bps.saturating_add(1), ..price }),
    ];
    for dearer in more.into_iter().flatten() {
        assert!(dearer >= whole, "more costs less");
    }
    // Nor after more was sold, but for the rounding of the areas under the curve, which is less than a unit.
    if let Ok(later) = premium(&Order { exposure_before: order.exposure_before.saturating_add(1), ..order }, &price) {
        assert!(later.saturating_add(1) >= whole, "a later order costs less");
    }
});
