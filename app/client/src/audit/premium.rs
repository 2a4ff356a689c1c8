//! The premium stream against the covers and treaties that feed it.

use super::{Checks, DUST, Place, Rule, Subject, shown, sum};
use crate::address;
use backstop::constants::{DAY_RING, START_RING};
use backstop::state::{Policy, Pool, PoolKind, ProductState, Treaty, TreatyState, day_of, day_start};
use std::collections::BTreeMap;

/// One unit of a Q32 number.
const ONE_Q32: u128 = 1 << 32;

/// Checks rates, buckets and what is unearned.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let pool = place.pool;
    let subject = Subject("pool", place.key);
    let rule = Rule::Stream;
    let (rate, waiting) = (u128::from(pool.rate_q32), u128::from(pool.waiting_rate_q32));
    checks.same(rule, subject, "rates, by the days on which they end", sum(pool.rate_ends), rate + waiting);
    checks.same(rule, subject, "rates, by the days on which they start", sum(pool.rate_starts), waiting);
    checks.at_most(rule, subject, "time of the last accrual", place.snapshot.now, pool.accrued_at);
    checks.holds(rule, subject, "fractions are below one", fractions_are_below_one(pool));
    let ends = ends(place);
    for (day, rate) in days(pool) {
        let expected = ends.get(&day).copied().unwrap_or(0);
        match pool.kind() {
            PoolKind::Cover => checks.same(rule, subject, "rates that end on a day", expected, rate.into()),
            PoolKind::Reinsurance => checks.at_least(rule, subject, "rates that end on a day", expected, rate.into()),
        }
    }
    let starts = starts(place);
    for (day, rate) in days_of_starts(pool) {
        let expected = starts.get(&day).copied().unwrap_or(0);
        checks.same(rule, subject, "rates that start on a day", expected, rate.into());
    }
    of_products(place, checks);
    unearned(place, checks);
}

fn fractions_are_below_one(pool: &Pool) -> bool {
    u128::from(pool.fraction_q32) < ONE_Q32
        && pool.surplus_fraction_bps < 10_000
        && pool.ceded_fraction_e8 < 100_000_000
}

/// The days after the last accrual, each with the rate that ends at its start.
fn days(pool: &Pool) -> impl Iterator<Item = (u32, u64)> {
    let today = day_of(pool.accrued_at);
    (today.saturating_add(1)..=today.saturating_add(DAY_RING))
        .map(|day| (day, pool.rate_ends[(day % DAY_RING) as usize]))
}

/// The days after the last accrual, each with the rate that starts at its start.
fn days_of_starts(pool: &Pool) -> impl Iterator<Item = (u32, u64)> {
    let today = day_of(pool.accrued_at);
    (today.saturating_add(1)..=today.saturating_add(START_RING))
        .map(|day| (day, pool.rate_starts[(day % START_RING) as usize]))
}

/// The rates that must end on each day.
///
/// In a cover pool they are those of its covers, and nothing else: a product that is over has none. In a reinsurance pool
/// they are those of its treaties, and more for quota-share premium that was handed over and for what was restored in the
/// last week of a term, of which no account keeps a note.
fn ends(place: &Place) -> BTreeMap<u32, u128> {
    match place.pool.kind() {
        PoolKind::Cover => by_day(streaming(place).map(|cover| (cover.end_day, cover.rate_q32))),
        PoolKind::Reinsurance => by_day(treaties(place).map(|treaty| (treaty.end_day, treaty.rate_q32))),
    }
}

/// The rates that must start on each day: those of covers.
fn starts(place: &Place) -> BTreeMap<u32, u128> {
    by_day(streaming(place).map(|cover| (cover.active_day, cover.rate_q32)))
}

fn by_day(rates: impl Iterator<Item = (u32, u64)>) -> BTreeMap<u32, u128> {
    let mut sums = BTreeMap::new();
    rates.for_each(|(day, rate)| *sums.entry(day).or_default() += u128::from(rate));
    sums
}

/// Covers and positions of products of the pool that are not over.
fn streaming<'a>(place: &'a Place) -> impl Iterator<Item = &'a Policy> {
    let products = place.snapshot.products_of(&place.key);
    let live = products.into_iter().filter(|(_, product)| product.state() != ProductState::Over);
    live.flat_map(|(key, _)| place.snapshot.policies_of(key).map(|(_, cover)| cover))
}

/// Each product's own rates, of which its part of the pool's stream is taken out when it is over.
fn of_products(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key, pool } = place;
    for (key, product) in snapshot.products_of(key) {
        let subject = Subject("rates", address::rates(key));
        let Some(rates) = snapshot.rates.get(&subject.1) else {
            checks.holds(Rule::Stream, subject, "a product's rates are there", false);
            continue;
        };
        checks.same(Rule::Stream, subject, "product", *key, rates.product);
        let covers = snapshot.policies_of(key).filter(|_| product.state() != ProductState::Over);
        let sums = by_day(covers.map(|(_, cover)| (cover.end_day, cover.rate_q32)));
        let today = day_of(pool.accrued_at);
        for day in today.saturating_add(1)..today.saturating_add(DAY_RING) {
            // Buckets are emptied by the next sale: until then those of days that are past are still there.
            let turned = day <= rates.cleared_day.saturating_add(DAY_RING);
            let found = if turned { rates.ends[(day % DAY_RING) as usize] } else { 0 };
            let expected = sums.get(&day).copied().unwrap_or(0);
            checks.same(Rule::Stream, subject, "rates that end on a day", expected, found.into());
        }
    }
}

/// Treaties that this pool reinsures.
fn treaties<'a>(place: &'a Place) -> impl Iterator<Item = &'a Treaty> {
    let of_pool = |treaty: &&Treaty| treaty.reinsurer == place.key && treaty.state == TreatyState::Active;
    place.snapshot.treaties.values().filter(of_pool)
}

/// Unearned premium against what the stream has still to earn, in whole units and with the fraction that was earned and
/// not booked.
fn unearned(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key, pool } = place;
    let seconds = |day| u128::from(day_start(day).saturating_sub(pool.accrued_at).unsigned_abs());
    let of_days = |(day, rate): (u32, u64)| u128::from(rate).saturating_mul(seconds(day));
    let to_earn_q32 = days(pool).map(of_days).sum::<u128>().saturating_sub(days_of_starts(pool).map(of_days).sum());
    let to_earn = to_earn_q32.saturating_add(pool.fraction_q32.into()).div_ceil(ONE_Q32);
    let to_earn = to_earn.saturating_add(pool.held_back_premium.into());
    let flat = sum(streaming(place).filter(|cover| cover.is_flat()).map(|cover| cover.premium));
    let subject = Subject("pool", *key);
    checks.same(Rule::Unearned, subject, "premium of readings", flat, pool.flat_premium.into());
    let to_earn = to_earn.saturating_add(flat);
    let products = snapshot.products_of(key);
    let over = products.iter().filter(|(_, product)| product.state() == ProductState::Over).count();
    let dust = match pool.kind() {
        // Of each sale, extension, reduction and cancellation what rounding leaves; each is an event. Of a product that is
        // over five roundings.
        PoolKind::Cover => u128::from(pool.events).saturating_mul(3).saturating_add(over as u128 * 5),
        PoolKind::Reinsurance => u128::from(DUST),
    };
    let found = u128::from(pool.unearned_premium);
    checks.at_least(Rule::Unearned, subject, "unearned premium", to_earn, found);
    checks.at_most(Rule::Unearned, subject, "unearned premium with dust", to_earn.saturating_add(dust), found);
    checks.figure(Rule::Unearned, ["unearned premium", "still to be earned"], pool.unearned_premium, shown(to_earn));
}
