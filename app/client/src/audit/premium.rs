//! The premium stream against the covers and treaties that feed it.

use super::{Checks, DUST, Place, Rule, Subject, shown, sum};
use backstop::constants::DAY_RING;
use backstop::state::{Pool, PoolKind, ProductState, Treaty, TreatyState, day_of, day_start};
use std::collections::{BTreeMap, BTreeSet};

/// One unit of a Q32 number.
const ONE_Q32: u128 = 1 << 32;

/// Checks rates, buckets and what is unearned.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let pool = place.pool;
    let subject = Subject("pool", place.key);
    let rule = Rule::Stream;
    checks.same(rule, subject, "rate, by its days", sum(pool.rate_ends), u128::from(pool.rate_q32));
    checks.at_most(rule, subject, "time of the last accrual", place.snapshot.now, pool.accrued_at);
    checks.holds(rule, subject, "fractions are below one", fractions_are_below_one(pool));
    let (rates, more) = rates(place);
    for (day, rate) in days(pool) {
        let expected = rates.get(&day).copied().unwrap_or(0);
        if more.contains(&day) {
            checks.at_least(rule, subject, "rates that end on a day", expected, rate.into());
        } else {
            checks.same(rule, subject, "rates that end on a day", expected, rate.into());
        }
    }
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

/// The rates that must end on each day, and the days on which more may.
///
/// In a cover pool they are those of its covers; more only where a cover of a product that is over is gone before its
/// premium is earned, which the product's own schedule shows. In a reinsurance pool they are those of its treaties;
/// more on any day, for quota-share premium that was handed over and for reinstatements, of which no account keeps a
/// note.
fn rates(place: &Place) -> (BTreeMap<u32, u128>, BTreeSet<u32>) {
    let Place { snapshot, key, pool } = place;
    let (mut rates, mut more) = (BTreeMap::<u32, u128>::new(), BTreeSet::new());
    match pool.kind() {
        PoolKind::Cover => {
            for (key, product) in snapshot.products_of(key) {
                let mut sums = BTreeMap::<u32, u128>::new();
                for (_, cover) in snapshot.covers_of(key) {
                    *rates.entry(cover.end_day).or_default() += u128::from(cover.rate_q32);
                    *sums.entry(cover.end_day).or_default() += u128::from(cover.sum_insured);
                }
                if product.state() == ProductState::Over {
                    let scheduled = |day: u32| u128::from(product.exposure_ends[(day % DAY_RING) as usize]);
                    let here = |day: u32| sums.get(&day).copied().unwrap_or(0);
                    more.extend(days(pool).map(|(day, _)| day).filter(|day| here(*day) != scheduled(*day)));
                }
            }
        }
        PoolKind::Reinsurance => {
            for treaty in treaties(place) {
                *rates.entry(treaty.end_day).or_default() += u128::from(treaty.rate_q32);
            }
            more.extend(days(pool).map(|(day, _)| day));
        }
    }
    (rates, more)
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
    let to_earn_q32 = days(pool).map(|(day, rate)| u128::from(rate).saturating_mul(seconds(day))).sum::<u128>();
    let to_earn = to_earn_q32.saturating_add(pool.fraction_q32.into()).div_ceil(ONE_Q32);
    let sold = sum(snapshot.products_of(key).iter().map(|(_, product)| product.covers_sold));
    let dust = match pool.kind() {
        PoolKind::Cover => sold,
        PoolKind::Reinsurance => u128::from(DUST),
    };
    let subject = Subject("pool", *key);
    let found = u128::from(pool.unearned_premium);
    checks.at_least(Rule::Unearned, subject, "unearned premium", to_earn, found);
    checks.at_most(Rule::Unearned, subject, "unearned premium with dust", to_earn.saturating_add(dust), found);
    checks.figure(Rule::Unearned, ["unearned premium", "still to be earned"], pool.unearned_premium, shown(to_earn));
}
