//! The program's arithmetic against an independent model.
//!
//! The model is written from the formulas of `docs/src/how` with numbers of any size, so nothing in it
//! overflows and nothing is clever. Each function must agree with it exactly, `None` included: a
//! result is refused if and only if it does not fit. Then come the properties on which money
//! depends.

use backstop::math::{
    ALL_OPEN_Q63, BPS, ByLayer, DAY_BUCKETS, Demand, Fill, Fractions, Layers, MAX_TOTAL_EXPOSURE, Order, Price,
    PricingError, Queue, Requirement, Rounding, START_BUCKETS, Stream, VIRTUAL_SHARES, Walk, capital, exits, losses,
    mul_div, pricing, rounding, shares, sharing, stream,
};
use num_bigint::BigUint;
use proptest::prelude::*;

const DAY: i64 = 86_400;
const YEAR: u64 = 31_536_000;

fn big(n: impl Into<BigUint>) -> BigUint {
    n.into()
}

fn pow2(exponent: u32) -> BigUint {
    big(1u8) << exponent
}

fn floor(n: BigUint, d: BigUint) -> BigUint {
    n / d
}

fn ceil(n: BigUint, d: BigUint) -> BigUint {
    (n + &d - 1u8) / d
}

fn root_up(n: BigUint) -> BigUint {
    let root = n.sqrt();
    if &root * &root == n { root } else { root + 1u8 }
}

fn to_u64(n: BigUint) -> Option<u64> {
    u64::try_from(n).ok()
}

/// A difference that the model knows not to be negative.
fn minus(a: u64, b: u64) -> u64 {
    a.checked_sub(b).expect("model: negative")
}

/// Any number, and those at which things go wrong more often than chance would pick them. (One draw
/// and a `match`: several times faster than `prop_oneof`, of which every case would need dozens.)
fn any_amount() -> impl Strategy<Value = u64> {
    (0..9u8, any::<u64>()).prop_map(|(kind, n)| match kind {
        0 | 1 => n,
        2 | 3 => (n >> 6) >> (n % 58),
        4 | 5 => n % (MAX_TOTAL_EXPOSURE + 1),
        6 => n % 4,
        7 => u64::MAX - n % 4 - if n >> 63 == 1 { VIRTUAL_SHARES - 2 } else { 0 },
        _ => 1 << (n % 64),
    })
}

/// An amount of money that a pool can have, small or large.
fn money() -> impl Strategy<Value = u64> {
    (0..4usize, any::<u64>()).prop_map(|(size, n)| n % ([10, 10_000, 1_000_000_000_000, MAX_TOTAL_EXPOSURE][size] + 1))
}

fn any_rounding() -> impl Strategy<Value = Rounding> {
    prop_oneof![Just(Rounding::Down), Just(Rounding::Up)]
}

fn groups() -> impl Strategy<Value = Vec<u64>> {
    let group = || prop_oneof![1 => Just(0u64), 1 => 0..=50u64, 2 => 0..=MAX_TOTAL_EXPOSURE / 16];
    prop_oneof![
        4 => prop::collection::vec(group(), 0..=16),
        1 => prop::collection::vec(any_amount(), 0..=4),
    ]
}

fn any_requirement() -> impl Strategy<Value = Requirement> {
    (any_amount(), any_amount(), bps_u32(), bps_u32()).prop_map(
        |(required, total_exposure, solvency_bps, max_leverage_bps)| Requirement {
            required,
            total_exposure,
            solvency_bps,
            max_leverage_bps,
        },
    )
}

fn bps_u32() -> impl Strategy<Value = u32> {
    prop_oneof![0..=20_000u32, 0..=1_000_000u32, any::<u32>()]
}

fn bps_u16() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0..=10_000u16, 1 => Just(0), 1 => Just(10_000), 1 => any::<u16>()]
}

/// 10,000 cases of each property; `BACKSTOP_CASES_FACTOR` multiplies them (0.05 for a quick look, 10 for a long
/// search).
fn config() -> ProptestConfig {
    let factor = std::env::var("BACKSTOP_CASES_FACTOR").ok().and_then(|factor| factor.parse::<f64>().ok());
    let cases = 10_000.0 * factor.unwrap_or(1.0);
    ProptestConfig { cases: (cases as u32).max(1), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    // Rounding

    #[test]
    fn mul_div_is_the_quotient_rounded_as_asked(
        a in any_amount(), b in any_amount(), d in any_amount(), rounding in any_rounding(),
    ) {
        let model = (d != 0).then(|| match rounding {
            Rounding::Down => floor(big(a) * b, big(d)),
            Rounding::Up => ceil(big(a) * b, big(d)),
        });
        prop_assert_eq!(mul_div(a, b, d, rounding), model.and_then(to_u64));
    }

    #[test]
    fn division_of_128_bits_is_exact(
        high in any_amount(), low in any_amount(), d in any_amount(), rounding in any_rounding(),
    ) {
        let n = (u128::from(high) << 64) | u128::from(low);
        let model = (d != 0).then(|| match rounding {
            Rounding::Down => floor(big(n), big(d)),
            Rounding::Up => ceil(big(n), big(d)),
        });
        prop_assert_eq!(rounding::div(n, d, rounding).map(big), model);
        prop_assert_eq!(rounding::halves(n), (low, high));
        prop_assert_eq!(big(rounding::wide(high, low)), big(high) * low);
        prop_assert_eq!(rounding::scale(n, d), u128::try_from(big(n) * d).ok());
    }

    #[test]
    fn the_square_root_is_rounded_up(high in any_amount(), low in any_amount(), near in 0..=2u64) {
        let n = (u128::from(high) << 64) | u128::from(low);
        prop_assert_eq!(big(rounding::isqrt_up(n)), root_up(big(n)));
        let square = u128::from(low) * u128::from(low);
        for n in [square.saturating_add(near.into()), square.saturating_sub(near.into())] {
            prop_assert_eq!(big(rounding::isqrt_up(n)), root_up(big(n)));
        }
    }

    // Shares and exit units

    #[test]
    fn claims_are_issued_in_proportion_rounded_down(
        amount in any_amount(), claims in any_amount(), assets in any_amount(),
    ) {
        let issued = floor(big(amount) * (big(claims) + VIRTUAL_SHARES), big(assets) + 1u8);
        let fits = big(claims) + VIRTUAL_SHARES + &issued < pow2(64) && assets < u64::MAX;
        prop_assert_eq!(shares::issue(amount, claims, assets), fits.then(|| to_u64(issued)).flatten());
    }

    #[test]
    fn a_cover_is_due_its_part_rounded_down_and_all_of_them_theirs_rounded_up(
        sum in any_amount(), severity in 0..=BPS as u16 + 9,
    ) {
        let (part, fits) = (big(sum) * severity, u64::from(severity) <= BPS);
        let model = |amount: BigUint| fits.then(|| to_u64(amount)).flatten();
        prop_assert_eq!(losses::claim(sum, severity), model(floor(part.clone(), big(BPS))));
        prop_assert_eq!(losses::gross(sum, severity), model(ceil(part, big(BPS))));
    }

    #[test]
    fn a_product_is_narrowed_if_it_fits(a in any_amount(), b in any_amount()) {
        prop_assert_eq!(rounding::narrow(rounding::wide(a, b)), to_u64(big(a) * b));
    }

    #[test]
    fn claims_are_worth_their_proportion_rounded_down(
        part in any_amount(), claims in any_amount(), assets in any_amount(),
    ) {
        let model = floor(big(part) * (big(assets) + 1u8), big(claims) + VIRTUAL_SHARES);
        prop_assert_eq!(shares::worth(part, claims, assets), to_u64(model));
        if part <= claims {
            prop_assert!(shares::worth(part, claims, assets).is_some_and(|value| value <= assets));
        }
    }

    #[test]
    fn nobody_gains_by_depositing_and_leaving_at_once(
        amount in money(), claims in money(), assets in money(),
    ) {
        if let Some(issued) = shares::issue(amount, claims, assets) {
            let value = shares::worth(issued, claims + issued, assets + amount).expect("fits");
            prop_assert!(value <= amount);
        }
    }

    #[test]
    fn a_deposit_never_dilutes_and_a_withdrawal_never_takes_from_the_others(
        amount in money(), claims in money(), assets in money(), part in money(),
    ) {
        // The price of a claim, assets + 1 over claims + V, compared across.
        let price_falls = |before: (u64, u64), after: (u64, u64)| {
            (big(after.1) + 1u8) * (big(before.0) + VIRTUAL_SHARES) < (big(before.1) + 1u8) * (big(after.0) + VIRTUAL_SHARES)
        };
        if let Some(issued) = shares::issue(amount, claims, assets) {
            prop_assert!(!price_falls((claims, assets), (claims + issued, assets + amount)));
        }
        let part = part.min(claims);
        let value = shares::worth(part, claims, assets).expect("fits");
        prop_assert!(!price_falls((claims, assets), (claims - part, assets - value)));
    }

    #[test]
    fn a_tranche_is_wiped_out_below_one_percent_of_its_first_price(
        claims in any_amount(), assets in any_amount(), near in 0..=2u64,
    ) {
        // assets + 1 over claims + V, below 1 over 100 V
        let model = |claims: u64, assets: u64| (big(assets) + 1u8) * 100u8 * VIRTUAL_SHARES < big(claims) + VIRTUAL_SHARES;
        prop_assert_eq!(shares::is_wiped_out(claims, assets, 0), model(claims, assets));
        // The edge itself, where the two sides are equal, and one share to either side of it.
        let edge = assets % (u64::MAX / 100_000);
        let claims = (edge + 1) * 100_000 - VIRTUAL_SHARES - 1 + near;
        prop_assert_eq!(shares::is_wiped_out(claims, edge, 0), model(claims, edge));
        prop_assert_eq!(shares::is_wiped_out(claims, edge, 0), near == 2);
    }

    // Sharing

    #[test]
    fn premium_is_shared_out_whole_and_by_exposed_capital(
        premium in any_amount(), required in any_amount(), surplus in any_amount(), junior in any_amount(),
        senior in any_amount(), weight in 10_000..=100_000u32, fractions in any::<[u64; 2]>(),
    ) {
        let capital = ByLayer { surplus, junior, senior };
        let exposed = sharing::exposed(required, &capital);
        let all = [exposed.surplus, exposed.junior, exposed.senior].map(u128::from).iter().sum::<u128>();
        let there = u128::from(surplus) + u128::from(junior) + u128::from(senior);
        prop_assert_eq!(all, if required == 0 { there } else { there.min(required.into()) });
        // A layer is exposed only if those before it are, wholly.
        prop_assert!(exposed.junior == 0 || exposed.surplus == surplus);
        prop_assert!(exposed.senior == 0 || exposed.junior == junior);
        let [junior_q64, senior_q64] = fractions;
        let mut fractions = Fractions { junior_q64, senior_q64 };
        let shared = sharing::by_exposure(premium, &exposed, weight, &mut fractions).expect("it always fits");
        let parts = [shared.surplus, shared.junior, shared.senior];
        prop_assert_eq!(parts.iter().map(|part| u128::from(*part)).sum::<u128>(), u128::from(premium));
        prop_assert!(exposed.junior > 0 || shared.junior == 0);
        prop_assert!(exposed.senior > 0 || shared.senior == 0);
        // Never more for a layer than for its exposed part, by weight, where weights fit.
        let weighted = |amount: u64| big(amount) * weight / 10_000u32;
        let (a, b, c) = (weighted(exposed.surplus), weighted(exposed.junior), big(exposed.senior));
        let whole = &a + &b + &c;
        if whole < big(u64::MAX) && whole > big(0u8) {
            prop_assert!(big(shared.junior) <= big(premium) * &b / &whole + 2u8);
            prop_assert!(big(shared.senior) <= big(premium) * &c / &whole + 3u8);
        }
    }

    // Stream

    #[test]
    fn rates_and_what_they_earn_are_exact(
        premium in any_amount(), seconds in any_amount(), rate in any_amount(),
        fraction in any_amount(),
    ) {
        let model = (seconds != 0).then(|| floor(big(premium) << 32u8, big(seconds)));
        prop_assert_eq!(stream::rate_q32(premium, seconds), model.and_then(to_u64));

        let sum = big(rate) * seconds + fraction;
        let model = to_u64(floor(sum.clone(), pow2(32))).map(|units| (units, to_u64(sum % pow2(32)).expect("fits")));
        prop_assert_eq!(stream::earned(rate, seconds, fraction), model);
        prop_assert_eq!(stream::unearned(rate, seconds), to_u64(floor(big(rate) * seconds, pow2(32))));
    }

    #[test]
    fn a_cover_never_earns_and_refunds_more_than_its_premium(
        premium in money(), seconds in 1..512 * 86_400u64, part in any::<prop::sample::Index>(),
    ) {
        if let Some(rate) = stream::rate_q32(premium, seconds) {
            let spent = u64::try_from(part.index(usize::try_from(seconds).expect("fits") + 1)).expect("fits");
            let (earned, _) = stream::earned(rate, spent, 0).expect("fits");
            let unearned = stream::unearned(rate, seconds - spent).expect("fits");
            prop_assert!(earned + unearned <= premium);
        }
    }

    // Required capital

    #[test]
    fn required_capital_is_the_root_of_the_weighted_squares(groups in groups(), rho in bps_u16()) {
        let sum: BigUint = groups.iter().map(|&group| big(group)).sum();
        let squares: BigUint = groups.iter().map(|&group| big(group) * group).sum();
        let largest = groups.iter().copied().max().unwrap_or(0);
        let fits = sum <= big(MAX_TOTAL_EXPOSURE) && rho <= 10_000;
        let model = fits.then(|| root_up(ceil((&sum * &sum) * rho + squares * (10_000 - rho), big(BPS))));
        let required = capital::required(&groups, rho);
        prop_assert_eq!(required.map(big), model);
        if let Some(required) = required {
            prop_assert!(required >= largest, "any one group can fail whole");
            prop_assert!(big(required) <= sum, "never more than full collateral");
        }
    }

    #[test]
    fn more_exposure_or_correlation_never_requires_less(
        mut groups in groups(), rho in 0..10_000u16, at in any::<prop::sample::Index>(),
        more in money(),
    ) {
        if let Some(before) = capital::required(&groups, rho) {
            if let Some(higher) = capital::required(&groups, rho + 1) {
                prop_assert!(higher >= before);
            }
            if !groups.is_empty() {
                let at = at.index(groups.len());
                groups[at] = groups[at].saturating_add(more);
                if let Some(after) = capital::required(&groups, rho) {
                    prop_assert!(after >= before);
                }
            }
        }
    }

    #[test]
    fn what_must_stay_is_the_stricter_of_two_rules(
        requirement in any_requirement(), amount in any_amount(), available in any_amount(),
    ) {
        let Requirement { required, total_exposure, solvency_bps, max_leverage_bps } = requirement;
        let for_losses = ceil(big(required) * solvency_bps, big(BPS));
        let model = (max_leverage_bps != 0)
            .then(|| for_losses.max(ceil(big(total_exposure) * BPS, big(max_leverage_bps))));
        let must_stay = requirement.must_stay();
        prop_assert_eq!(must_stay, model.and_then(to_u64));

        let model_met = big(available) * BPS >= big(required) * solvency_bps
            && big(total_exposure) * BPS <= big(available) * max_leverage_bps;
        prop_assert_eq!(requirement.is_met_by(available), model_met);
        if let Some(must_stay) = must_stay {
            // Solvent exactly from there on.
            prop_assert!(requirement.is_met_by(must_stay));
            prop_assert!(must_stay == 0 || !requirement.is_met_by(must_stay - 1));
        }
        prop_assert_eq!(capital::scale_up(amount, solvency_bps), to_u64(ceil(big(amount) * solvency_bps, big(BPS))));
    }

    #[test]
    fn quota_share_credit_is_the_least_of_three(
        limit in any_amount(), cession in bps_u16(), required in any_amount(), most in bps_u16(),
    ) {
        let model = big(limit)
            .min(floor(big(required) * cession, big(BPS)))
            .min(floor(big(required) * most, big(BPS)));
        prop_assert_eq!(Some(capital::quota_share_credit(limit, cession, required, most)), to_u64(model));
    }

    // Losses and payouts

    #[test]
    fn a_loss_falls_on_surplus_then_junior_then_senior(
        loss in any_amount(), surplus in any_amount(),
        ja in any_amount(), jx in any_amount(), sa in any_amount(), sx in any_amount(),
    ) {
        let layers = Layers { surplus, junior_assets: ja, junior_exiting: jx, senior_assets: sa, senior_exiting: sx };
        let capital = big(surplus) + ja + jx + sa + sx;
        prop_assert_eq!(layers.capital(), to_u64(capital.clone()));

        let (junior, senior) = (big(ja) + jx, big(sa) + sx);
        let split = losses::absorb(loss, &layers);
        prop_assert_eq!(split.is_some(), junior < pow2(64) && senior < pow2(64));
        if let Some(split) = split {
            let total = big(loss).min(capital);
            let from_surplus = total.clone().min(big(surplus));
            let from_junior = (&total - &from_surplus).min(junior.clone());
            let from_senior = &total - &from_surplus - &from_junior;
            let exiting = |part: &BigUint, exiting: u64, whole: &BigUint| {
                if *whole == big(0u8) { big(0u8) } else { ceil(part * exiting, whole.clone()) }
            };
            let junior_exiting = exiting(&from_junior, jx, &junior);
            let senior_exiting = exiting(&from_senior, sx, &senior);
            let taken = &split.taken;
            prop_assert_eq!(big(taken.surplus), from_surplus);
            prop_assert_eq!(big(taken.junior_assets), from_junior - &junior_exiting);
            prop_assert_eq!(big(taken.junior_exiting), junior_exiting);
            prop_assert_eq!(big(taken.senior_assets), from_senior - &senior_exiting);
            prop_assert_eq!(big(taken.senior_exiting), senior_exiting);
            prop_assert_eq!(big(split.total), total);
            prop_assert_eq!(taken.capital(), Some(split.total));
            prop_assert!(taken.junior_assets <= ja && taken.junior_exiting <= jx);
            prop_assert!(taken.senior_assets <= sa && taken.senior_exiting <= sx);
        }
    }

    #[test]
    fn payouts_never_exceed_the_reserve_nor_refunds_the_part_that_was_not_lost(
        sums in prop::collection::vec(money(), 1..12), premiums in prop::collection::vec(0..=1_000_000_000u64, 0..6),
        severity in 0..=10_000u16, part in 0..=1_000_000u32,
    ) {
        let eligible: u64 = sums.iter().sum();
        let unearned: u64 = premiums.iter().sum();
        let gross = losses::gross(eligible, severity).expect("fits");
        prop_assert_eq!(big(gross), ceil(big(eligible) * severity, big(BPS)));

        let reserve = to_u64(big(gross) * part / 1_000_000u32).expect("fits");
        let mut paid = big(0u8);
        for &sum in &sums {
            let Some(payout) = losses::payout(sum, reserve, eligible) else {
                prop_assert_eq!(eligible, 0);
                continue;
            };
            paid += payout;
            prop_assert_eq!(big(payout), floor(big(sum) * reserve, big(eligible)));
            // In full at least what was insured, at the severity.
            if reserve == gross {
                prop_assert!(big(payout) >= floor(big(sum) * severity, big(BPS)));
            }
        }
        prop_assert!(paid <= big(reserve));
        let refunds = premiums.iter().map(|&premium| losses::refund(premium, severity).expect("fits"));
        prop_assert!(refunds.sum::<u64>() <= losses::refund(unearned, severity).expect("fits"));
    }

    #[test]
    fn settlement_is_total(
        sum in any_amount(), severity in bps_u16(), reserve in any_amount(), sums in any_amount(),
    ) {
        let valid = severity <= 10_000;
        let part = if sums == 0 || sum > sums { None } else { to_u64(floor(big(sum) * reserve, big(sums))) };
        prop_assert_eq!(losses::payout(sum, reserve, sums), part);
        let kept = valid.then(|| to_u64(floor(big(sum) * (10_000 - severity.min(10_000)), big(BPS)))).flatten();
        prop_assert_eq!(losses::refund(sum, severity), kept);
        let model = ceil(big(sum) * severity, big(BPS));
        prop_assert_eq!(losses::gross(sum, severity), valid.then(|| to_u64(model)).flatten());
    }
}

/// A rate of a stream: how many days after the first it starts (0: it has started) and ends, and what it is.
#[derive(Clone, Copy, Debug)]
struct Streamed {
    start: usize,
    end: usize,
    rate: u64,
}

/// A stream: its rates, and the times to walk to.
fn streams() -> impl Strategy<Value = (i64, Vec<Streamed>, u64, Vec<i64>)> {
    let rate = prop_oneof![1..=10u64, 1..=1u64 << 33, 1..=1u64 << 55];
    let pace = (0..3usize, any::<u32>(), any::<bool>()).prop_map(|(size, n, whole_days)| {
        let step = i64::from(n) % ([3, 60, 600][size] * DAY + 1);
        if whole_days { step - step % DAY } else { step }
    });
    (
        prop_oneof![0..=2_000_000_000i64, (0..=20_000i64).prop_map(|day| day * DAY)],
        prop::collection::vec((0..=32usize, 0..512usize, rate), 0..20).prop_map(|rates| {
            rates
                .into_iter()
                .map(|(start, end, rate)| Streamed { start: if start > end { 0 } else { start }, end, rate })
                .collect()
        }),
        0..1u64 << 32,
        prop::collection::vec(pace, 1..5),
    )
}

/// First second of the day so many days after that of `from`.
fn day_after(from: i64, ahead: usize) -> i64 {
    (from.div_euclid(DAY) + i64::try_from(ahead).expect("small")) * DAY
}

/// The model: what each rate earns from the start of its first day to that of its last, in 2^-32 units.
fn rates_earn(from: i64, to: i64, rates: &[Streamed]) -> BigUint {
    let seconds = |rate: &Streamed| {
        let start = if rate.start == 0 { from } else { day_after(from, rate.start) };
        u64::try_from((to.min(day_after(from, rate.end + 1)) - start).max(0)).expect("not negative")
    };
    rates.iter().map(|rate| big(rate.rate) * seconds(rate)).sum()
}

fn buckets(from: i64, rates: &[Streamed]) -> ([u64; START_BUCKETS], [u64; DAY_BUCKETS]) {
    let (mut starts, mut ends) = ([0; START_BUCKETS], [0; DAY_BUCKETS]);
    let bucket = |ahead| stream::bucket(day_after(from, ahead)).expect("after 1970");
    for rate in rates {
        ends[bucket(rate.end + 1)] += rate.rate;
        if rate.start != 0 {
            starts[bucket(rate.start) % START_BUCKETS] += rate.rate;
        }
    }
    (starts, ends)
}

/// Days are looked at eight at a time: whichever of the eight something ends on, it ends there.
#[test]
fn a_rate_ends_on_its_day_among_any_of_eight_neighbours() {
    const ONE: u64 = 1 << 32;
    for days in 0..256u64 {
        let mut ends = [0; DAY_BUCKETS];
        let on = |place: u64| days >> place & 1;
        for place in 0..8 {
            ends[1 + place as usize] = on(place) * ONE;
        }
        let rate = u64::from(days.count_ones()) * ONE;
        let stream = Stream { rate_q32: rate, ..Stream::default() };
        let walk = stream::accrue(&stream, 0, 20 * DAY, &mut [0; START_BUCKETS], &mut ends).unwrap();
        let earned = (0..8).map(|place| on(place) * (1 + place) * 86_400).sum();
        assert_eq!(walk, Walk { earned, ..Walk::default() }, "{days:b}");
        assert_eq!(ends, [0; DAY_BUCKETS], "{days:b}");
    }
}

/// A demand curve and a capacity that suits it.
fn demands() -> impl Strategy<Value = Demand> {
    let rate = || prop_oneof![1 => Just(0u64), 4 => 0..=1_000_000_000u64, 2 => 0..=10_000_000_000u64];
    (rate(), rate(), rate(), prop_oneof![8 => 0..=10_000u16, 1 => Just(0), 1 => Just(10_000)]).prop_map(
        |(a, b, c, kink_bps)| {
            let mut rates = [a, b, c];
            rates.sort_unstable();
            Demand { at_zero_ppb: rates[0], at_kink_ppb: rates[1], at_capacity_ppb: rates[2], kink_bps }
        },
    )
}

fn prices() -> impl Strategy<Value = Price> {
    let level = prop_oneof![2 => Just(10_000u32), 4 => 0..=100_000u32];
    (demands(), 0..=20_000_000_000u64, level, prop_oneof![Just(0), money()]).prop_map(
        |(demand, technical_ppb, level_bps, min_premium)| Price { technical_ppb, level_bps, demand, min_premium },
    )
}

fn orders() -> impl Strategy<Value = Order> {
    let seconds = || 0..=512 * 86_400u64;
    (money(), seconds(), seconds(), any::<u64>(), any::<u64>()).prop_map(
        |(capacity, insured_seconds, held_seconds, before, sum)| {
            let exposure_before = before % (capacity + 1);
            let sum_insured = sum % (capacity - exposure_before + 1);
            Order { sum_insured, insured_seconds, held_seconds, exposure_before, capacity }
        },
    )
}

fn model_kink(capacity: u64, demand: &Demand) -> u64 {
    to_u64(floor(big(capacity) * demand.kink_bps, big(BPS))).expect("fits")
}

/// The area under one line, as twice the area times the width: `2 w start x + (end - start) x^2`.
fn model_line(x: u64, width: u64, start: u64, end: u64) -> BigUint {
    if x == 0 {
        return big(0u8);
    }
    let (twice_width, square) = (big(width) * 2u8, big(x) * x);
    let level = &twice_width * start * x;
    let area = level + &square * end - square * start;
    floor(area, twice_width)
}

fn model_integral(exposure: u64, capacity: u64, demand: &Demand) -> BigUint {
    let kink = model_kink(capacity, demand);
    let below = model_line(exposure.min(kink), kink, demand.at_zero_ppb, demand.at_kink_ppb);
    let beyond = exposure.saturating_sub(kink);
    below + model_line(beyond, minus(capacity, kink), demand.at_kink_ppb, demand.at_capacity_ppb)
}

fn model_premium(order: &Order, price: &Price) -> BigUint {
    let area = |exposure| model_integral(exposure, order.capacity, &price.demand);
    let area = area(order.exposure_before + order.sum_insured) - area(order.exposure_before);
    let demand = ceil(area * price.level_bps, big(BPS));
    let risk = big(order.sum_insured) * price.technical_ppb * order.insured_seconds;
    ceil(risk + demand * order.held_seconds, big(YEAR) * 1_000_000_000u64).max(big(price.min_premium))
}

fn fits(premium: BigUint) -> Result<u64, PricingError> {
    to_u64(premium).ok_or(PricingError::Overflow)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_stream_earns_what_each_of_its_rates_earns_in_any_steps(
        (from, rates, fraction, steps) in streams(),
    ) {
        let (mut starts, mut ends) = buckets(from, &rates);
        let sum = |test: &dyn Fn(&Streamed) -> bool| {
            rates.iter().filter(|rate| test(rate)).map(|rate| rate.rate).sum::<u64>()
        };
        let mut stream = Stream {
            rate_q32: sum(&|rate| rate.start == 0),
            waiting_q32: sum(&|rate| rate.start != 0),
            fraction_q32: fraction,
        };
        let (mut now, mut earned) = (from, big(0u8));
        for step in steps {
            let walk = stream::accrue(&stream, now, now + step, &mut starts, &mut ends).expect("fits");
            stream.rate_q32 = walk.rate_q32;
            stream.waiting_q32 -= walk.started_q32;
            stream.fraction_q32 = walk.fraction_q32;
            now += step;
            earned += walk.earned;
            prop_assert_eq!((&earned << 32u8) + walk.fraction_q32, rates_earn(from, now, &rates) + fraction);
            prop_assert!(walk.fraction_q32 < 1 << 32);
            // The books stay whole: what is live and what is yet to start is the sum of what is to end.
            prop_assert_eq!(ends.iter().sum::<u64>(), stream.rate_q32 + stream.waiting_q32);
            prop_assert_eq!(starts.iter().sum::<u64>(), stream.waiting_q32);
            let ended = |rate: &Streamed| day_after(from, rate.end + 1) <= now;
            let started = |rate: &Streamed| rate.start == 0 || day_after(from, rate.start) <= now;
            prop_assert_eq!(stream.rate_q32, sum(&|rate| started(rate) && !ended(rate)));
        }
    }

    #[test]
    fn accrual_never_panics_and_its_rate_rises_by_what_starts_at_most(
        rate in any_amount(), waiting in any_amount(), fraction in any_amount(), from in any::<i64>(),
        to in any::<i64>(), filled in prop::collection::vec((0..512usize, any_amount(), any::<bool>()), 0..9),
    ) {
        let (mut starts, mut ends) = ([0; START_BUCKETS], [0; DAY_BUCKETS]);
        for (at, amount, starting) in filled {
            if starting {
                starts[at % START_BUCKETS] = amount;
            } else {
                ends[at] = amount;
            }
        }
        let before = ends;
        let stream = Stream { rate_q32: rate, waiting_q32: waiting, fraction_q32: fraction };
        if let Some(walk) = stream::accrue(&stream, from, to, &mut starts, &mut ends) {
            prop_assert!(walk.rate_q32 <= rate.saturating_add(walk.started_q32));
            prop_assert!(ends.iter().zip(&before).all(|(after, before)| after == before || *after == 0));
        }
        prop_assert_eq!(stream::bucket(from).is_some(), from >= 0);
    }

    // Price

    #[test]
    fn the_integral_is_the_area_under_the_curve(
        demand in demands(), order in orders(), falling in any::<bool>(),
    ) {
        let Demand { at_zero_ppb, at_kink_ppb, at_capacity_ppb, kink_bps } = demand;
        let demand = if falling {
            Demand { at_zero_ppb: at_capacity_ppb, at_kink_ppb, at_capacity_ppb: at_zero_ppb, kink_bps }
        } else {
            prop_assert!(demand.is_valid());
            demand
        };
        let Order { exposure_before, sum_insured, capacity, .. } = order;
        let area = |exposure: u64| demand.integral(exposure, capacity).expect("fits");
        prop_assert_eq!(big(area(exposure_before)), model_integral(exposure_before, capacity, &demand));
        prop_assert!(area(exposure_before + sum_insured) >= area(exposure_before));
        prop_assert!(exposure_before == capacity || area(exposure_before + 1) >= area(exposure_before));
        for edge in [0, model_kink(capacity, &demand), capacity] {
            prop_assert_eq!(big(area(edge)), model_integral(edge, capacity, &demand));
        }
        prop_assert_eq!(demand.integral(capacity + 1, capacity), None);
    }

    #[test]
    fn a_premium_is_what_the_formula_says(order in orders(), price in prices()) {
        prop_assert_eq!(pricing::premium(&order, &price), fits(model_premium(&order, &price)));
        let Order { exposure_before, capacity, .. } = order;
        let too_much = Order { sum_insured: capacity - exposure_before + 1, ..order };
        prop_assert_eq!(pricing::premium(&too_much, &price), Err(PricingError::BeyondCapacity));
    }

    #[test]
    fn pricing_is_total(
        sum_insured in any_amount(), seconds in any::<[u64; 2]>(), exposure_before in any_amount(), capacity in any_amount(),
        rates in any::<[u64; 4]>(), level_bps in any::<u32>(), kink_bps in bps_u16(), min_premium in any_amount(),
    ) {
        let [technical_ppb, at_zero_ppb, at_kink_ppb, at_capacity_ppb] = rates;
        let demand = Demand { at_zero_ppb, at_kink_ppb, at_capacity_ppb, kink_bps };
        let price = Price { technical_ppb, level_bps, demand, min_premium };
        let [insured_seconds, held_seconds] = seconds;
        let order = Order { sum_insured, insured_seconds, held_seconds, exposure_before, capacity };
        if let Ok(premium) = pricing::premium(&order, &price) {
            prop_assert_eq!(big(premium), model_premium(&order, &price));
        }
    }

    #[test]
    fn parts_never_cost_less_than_the_whole(
        order in orders(), price in prices(), cuts in prop::collection::vec(any::<u64>(), 0..6), to_capacity in any::<bool>(),
    ) {
        let Order { exposure_before, capacity, .. } = order;
        let sum_insured = if to_capacity { capacity - exposure_before } else { order.sum_insured };
        let order = Order { sum_insured, ..order };
        if let Ok(whole) = pricing::premium(&order, &price) {
            let mut cuts: Vec<u64> = cuts.iter().map(|cut| cut % (sum_insured + 1)).collect();
            cuts.push(sum_insured);
            cuts.sort_unstable();
            let (mut parts, mut sold) = (big(0u8), 0);
            for cut in cuts {
                let part = Order { sum_insured: cut - sold, exposure_before: exposure_before + sold, ..order };
                parts += pricing::premium(&part, &price).expect("less than the whole");
                sold = cut;
            }
            prop_assert!(parts >= big(whole));
        }
    }

    #[test]
    fn a_premium_rises_with_risk_term_level_and_sum(
        order in orders(), price in prices(), more in 1..1_000_000u64,
    ) {
        let cost = |order: &Order, price: &Price| pricing::premium(order, price);
        if let Ok(base) = cost(&order, &price) {
            prop_assert!(base >= price.min_premium);
            let riskier = Price { technical_ppb: price.technical_ppb + more, ..price };
            let longer = Order { insured_seconds: order.insured_seconds + more, ..order };
            let held = Order { held_seconds: order.held_seconds + more, ..order };
            let dearer = Price { level_bps: price.level_bps + u32::try_from(more).expect("small"), ..price };
            let larger = Order { sum_insured: order.sum_insured + more, ..order };
            let changes = [cost(&longer, &price), cost(&held, &price), cost(&order, &dearer), cost(&larger, &price)];
            for changed in changes.into_iter().chain([cost(&order, &riskier)]) {
                prop_assert!(changed.is_err() || changed.is_ok_and(|cost| cost >= base));
            }
        }
    }

    #[test]
    fn a_premium_rises_with_utilisation_to_within_one_unit(
        order in orders(), price in prices(), further in any::<u64>(),
    ) {
        let room = order.capacity - order.exposure_before - order.sum_insured;
        let later = Order { exposure_before: order.exposure_before + further % (room + 1), ..order };
        if let (Ok(now), Ok(then)) = (pricing::premium(&order, &price), pricing::premium(&later, &price)) {
            prop_assert!(then + 1 >= now, "{now} then {then}");
        }
    }

    #[test]
    fn technical_rate_and_utilisation_are_their_formulas(
        risk in any_amount(), loading in bps_u32(), exposure in any_amount(),
        capacity in any_amount(),
    ) {
        prop_assert_eq!(pricing::technical_ppb(risk, loading), to_u64(ceil(big(risk) * (BPS + u64::from(loading)), big(BPS))));
        let model = match (exposure, capacity) {
            (0, _) => 0,
            (_, 0) => u32::MAX,
            _ => u32::try_from(floor(big(exposure) * BPS, big(capacity))).unwrap_or(u32::MAX),
        };
        prop_assert_eq!(pricing::utilisation_bps(exposure, capacity), model);
    }

    #[test]
    fn the_level_drifts_day_by_day_within_bounds(
        level in bps_u32(), used in 0..=12_000u32, days in prop_oneof![0..=10u64, any::<u64>()],
        marks in (0..=12_000u32, 0..=12_000u32), drift in prop_oneof![0..=500u32, any::<u32>()], bounds in (bps_u32(), bps_u32()),
    ) {
        let drift = pricing::Drift {
            upper_mark_bps: marks.0.max(marks.1),
            lower_mark_bps: marks.0.min(marks.1),
            drift_bps_per_day: drift,
            min_level_bps: bounds.0.min(bounds.1),
            max_level_bps: bounds.0.max(bounds.1),
        };
        let used = match used % 4 {
            0 => drift.upper_mark_bps,
            1 => drift.lower_mark_bps,
            _ => used,
        };
        let bounded = |n: BigUint| n.max(big(drift.min_level_bps)).min(big(drift.max_level_bps));
        let mut model = big(level);
        for _ in 0..days.min(7) {
            let step = &model * drift.drift_bps_per_day;
            if used > drift.upper_mark_bps {
                model = bounded(&model + ceil(step, big(BPS)));
            } else if used < drift.lower_mark_bps {
                let down = floor(step, big(BPS));
                model = bounded(if down > model { big(0u8) } else { model - down });
            }
        }
        let after = pricing::level_after(level, used, days, &drift);
        prop_assert_eq!(big(after), bounded(model));
        prop_assert!((drift.min_level_bps..=drift.max_level_bps).contains(&after));
    }
}

/// One epoch with tickets in both tranches, in queues that hold other epochs' units too.
#[derive(Clone, Debug)]
struct Epoch {
    tickets: [Vec<u64>; 2],
    others: [u64; 2],
    exiting: [u64; 2],
}

impl Epoch {
    fn units(&self) -> [u64; 2] {
        [self.tickets[0].iter().sum(), self.tickets[1].iter().sum()]
    }

    fn queues(&self) -> [Queue; 2] {
        let units = self.units();
        [0, 1].map(|t| Queue { units: units[t] + self.others[t], exiting: self.exiting[t] })
    }
}

fn epochs() -> impl Strategy<Value = Epoch> {
    let units = || (0..4usize, any::<u64>()).prop_map(|(size, n)| 1 + n % [5, 5_000, 5_000_000_000, 1 << 58][size]);
    let tickets = || prop::collection::vec(units(), 0..6);
    let others = || prop_oneof![Just(0u64), units()];
    // From nothing, through the usual thousandth per unit, to far more than was ever put in.
    let price = || prop_oneof![1 => Just(0u64), 4 => 1..=100u64, 4 => Just(100u64), 1 => 1..=10_000u64];
    ((tickets(), others(), price()), (tickets(), others(), price())).prop_map(|(junior, senior)| {
        let exiting = |(tickets, others, price): &(Vec<u64>, u64, u64)| {
            let units = tickets.iter().sum::<u64>() + others;
            to_u64(big(units) * *price / 100_000u32).unwrap_or(u64::MAX)
        };
        Epoch {
            exiting: [exiting(&junior), exiting(&senior)],
            tickets: [junior.0, senior.0],
            others: [junior.1, senior.1],
        }
    })
}

fn model_open(units: u64, open_q63: u64) -> u64 {
    to_u64(floor(big(units) * open_q63, pow2(63))).expect("fits")
}

fn model_worth(units: u64, queue: &Queue) -> u64 {
    to_u64(floor(big(units) * (big(queue.exiting) + 1u8), big(queue.units) + VIRTUAL_SHARES)).expect("fits")
}

fn model_fill(open_q63: u64, units: [u64; 2], queues: [Queue; 2], free: u64) -> Fill {
    let open = [0, 1].map(|t| model_open(units[t], open_q63));
    let value = [0, 1].map(|t| model_worth(open[t], &queues[t]));
    let total = value[0] + value[1];
    let (paid, after) = if free >= total {
        (value, 0)
    } else {
        let after = to_u64(floor(big(open_q63) * (total - free), big(total))).expect("fits");
        let paid = [0, 1].map(|t| {
            let share = to_u64(floor(big(value[t]) * free, big(total))).expect("fits");
            share.min(model_worth(minus(open[t], model_open(units[t], after)), &queues[t]))
        });
        if paid == [0, 0] { (paid, open_q63) } else { (paid, after) }
    };
    Fill {
        paid,
        closed_units: [0, 1].map(|t| minus(open[t], model_open(units[t], after))),
        open_q63_after: after,
        paid_per_unit_q64_delta: [0, 1].map(|t| {
            if paid[t] == 0 { 0 } else { u128::try_from(floor(big(paid[t]) << 64u8, big(units[t]))).expect("fits") }
        }),
    }
}

/// Whether a unit of the queue is worth less after than before.
fn unit_price_falls(before: &Queue, after: &Queue) -> bool {
    (big(after.exiting) + 1u8) * (big(before.units) + VIRTUAL_SHARES)
        < (big(before.exiting) + 1u8) * (big(after.units) + VIRTUAL_SHARES)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn open_units_and_claims_are_their_formulas(
        units in any_amount(), open in any_amount(), per_unit in any::<u128>(), shift in 0..128u32,
    ) {
        let model = (open <= ALL_OPEN_Q63).then(|| model_open(units, open));
        prop_assert_eq!(exits::open_units(units, open), model);
        let per_unit = per_unit >> shift;
        prop_assert_eq!(exits::claimable(units, per_unit), to_u64(floor(big(units) * per_unit, pow2(64))));
    }

    #[test]
    fn a_fill_is_what_the_rules_say(
        epoch in epochs(), open in 0..=ALL_OPEN_Q63, whole in any::<bool>(), free in money(),
    ) {
        let open = if whole { ALL_OPEN_Q63 } else { open };
        let (units, queues) = (epoch.units(), epoch.queues());
        let fill = exits::fill(open, units, queues, free).expect("fits");
        prop_assert_eq!(fill, model_fill(open, units, queues, free));

        prop_assert!(fill.paid[0] + fill.paid[1] <= free, "no more than is free");
        prop_assert!(fill.open_q63_after <= open);
        for t in [0, 1] {
            prop_assert!(fill.paid[t] <= queues[t].exiting && fill.closed_units[t] <= queues[t].units);
            let after = Queue { units: queues[t].units - fill.closed_units[t], exiting: queues[t].exiting - fill.paid[t] };
            prop_assert!(!unit_price_falls(&queues[t], &after), "those who stay lose nothing");
            // What is left of the epoch is exactly what its tickets can still be paid from.
            let left = exits::open_units(units[t], fill.open_q63_after).expect("fits");
            prop_assert_eq!(exits::open_units(units[t], open).expect("fits") - fill.closed_units[t], left);
        }
        if free >= 4 && open > 0 {
            prop_assert!(fill.open_q63_after < open, "every fill makes progress");
        }
    }

    #[test]
    fn fill_is_total(
        open in any_amount(), units in any::<[u64; 2]>(),
        sizes in (any_amount(), any_amount(), any_amount(), any_amount()), free in any_amount(),
    ) {
        let queues = [Queue { units: sizes.0, exiting: sizes.1 }, Queue { units: sizes.2, exiting: sizes.3 }];
        let units = [units[0] % sizes.0.max(1), units[1] % sizes.2.max(1)];
        if let Some(fill) = exits::fill(open, units, queues, free) {
            prop_assert_eq!(fill, model_fill(open, units, queues, free));
        } else {
            let value = |t: usize| big(model_worth(model_open(units[t], open.min(ALL_OPEN_Q63)), &queues[t]));
            prop_assert!(open > ALL_OPEN_Q63 || value(0) + value(1) >= pow2(64));
        }
    }

    #[test]
    fn an_epoch_filled_in_steps_pays_every_unit_the_same_and_ends(
        epoch in epochs(), steps in prop::collection::vec(money(), 0..8), losses in any::<[bool; 8]>(),
    ) {
        let (units, mut queues) = (epoch.units(), epoch.queues());
        let (mut open, mut paid, mut per_unit) = (ALL_OPEN_Q63, [0u64; 2], [0u128; 2]);
        let mut claimed = [vec![0u64; epoch.tickets[0].len()], vec![0u64; epoch.tickets[1].len()]];
        // The last step has all the capital it needs.
        for (step, free) in steps.into_iter().chain([u64::MAX]).enumerate() {
            if losses.get(step).copied().unwrap_or(false) {
                // A loss between two fills falls on whoever is still in the queue.
                queues = queues.map(|queue| Queue { exiting: queue.exiting - queue.exiting / 3, ..queue });
            }
            let fill = exits::fill(open, units, queues, free).expect("fits");
            open = fill.open_q63_after;
            for t in [0, 1] {
                queues[t].units -= fill.closed_units[t];
                queues[t].exiting -= fill.paid[t];
                paid[t] += fill.paid[t];
                per_unit[t] += fill.paid_per_unit_q64_delta[t];
                // Every second ticket claims after every fill, the others only at the end.
                for (ticket, claimed) in epoch.tickets[t].iter().zip(&mut claimed[t]).step_by(2) {
                    let claimable = exits::claimable(*ticket, per_unit[t]).expect("fits");
                    prop_assert!(claimable >= *claimed);
                    *claimed = claimable;
                }
                let open_of_tickets: u64 = epoch.tickets[t].iter().map(|&ticket| exits::open_units(ticket, open).expect("fits")).sum();
                prop_assert!(open_of_tickets <= exits::open_units(units[t], open).expect("fits"));
                prop_assert!(queues[t].units >= epoch.others[t], "other epochs keep their units");
            }
        }
        prop_assert_eq!(open, 0, "filled");
        for t in [0, 1] {
            prop_assert_eq!(queues[t].units, epoch.others[t]);
            for (ticket, claimed) in epoch.tickets[t].iter().zip(&mut claimed[t]) {
                *claimed = exits::claimable(*ticket, per_unit[t]).expect("fits");
            }
            let claims: u64 = claimed[t].iter().sum();
            prop_assert!(claims <= paid[t], "claims never exceed what was paid");
            // Nobody is first in line: what a ticket gets depends on its units alone.
            for (a, first) in epoch.tickets[t].iter().zip(&claimed[t]) {
                for (b, second) in epoch.tickets[t].iter().zip(&claimed[t]) {
                    prop_assert!(a != b || first == second);
                    prop_assert!(a > b || first <= second);
                }
            }
            // Rounding keeps back less than a unit for each fill and each ticket.
            let dust = 1 + epoch.tickets[t].len() as u64 + 8 * (units[t] >> 62);
            prop_assert!(paid[t] - claims <= dust + 9, "{} of {}", paid[t] - claims, paid[t]);
        }
    }

    #[test]
    fn a_ticket_that_leaves_the_epoch_takes_no_units_of_the_others(
        epoch in epochs(), free in money(),
    ) {
        let (units, mut queues) = (epoch.units(), epoch.queues());
        let fill = exits::fill(ALL_OPEN_Q63, units, queues, free).expect("fits");
        for t in [0, 1] {
            queues[t].units -= fill.closed_units[t];
            queues[t].exiting -= fill.paid[t];
        }
        // The first ticket of each tranche cancels: its open units go, with their value.
        let mut left = units;
        for t in [0, 1] {
            if let Some(&ticket) = epoch.tickets[t].first() {
                let open = exits::open_units(ticket, fill.open_q63_after).expect("fits");
                let value = shares::worth(open, queues[t].units, queues[t].exiting).expect("fits");
                queues[t] = Queue { units: queues[t].units - open, exiting: queues[t].exiting - value };
                left[t] -= ticket;
            }
        }
        let last = exits::fill(fill.open_q63_after, left, queues, u64::MAX).expect("its units are all there");
        prop_assert_eq!(last.open_q63_after, 0);
        for t in [0, 1] {
            prop_assert!(queues[t].units - last.closed_units[t] >= epoch.others[t]);
        }
    }
}
