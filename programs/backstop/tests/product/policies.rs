//! What becomes of a policy: it is extended, reduced, given back, struck by an incident. Whatever is done, and in
//! whatever order, what the buckets hold is what the policies are, to the unit.

use crate::common::*;
use backstop::error::BackstopError::{self, *};
use backstop::peril::evidence::Phase;
use backstop::peril::{AlertLevel, Condition, SaleLimits, Verdict};
use backstop::state::*;

/// A condition of which the test says all.
#[derive(Clone)]
struct Told {
    level: AlertLevel,
    number: u64,
    verdict: Option<Verdict>,
    sellable: bool,
}

impl Condition for Told {
    fn phase(&self) -> Phase {
        match self.level {
            AlertLevel::None => Phase::Quiet,
            AlertLevel::Breaching => Phase::Breaching,
            AlertLevel::Due => Phase::Triggered,
        }
    }

    fn alert(&self) -> AlertLevel {
        self.level
    }

    fn alert_number(&self) -> u64 {
        self.number
    }

    fn is_proven_by(&self, _: i64) -> bool {
        self.verdict.is_some()
    }

    fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    fn require_sellable(&self, _: SaleLimits, _: i64) -> anchor_lang::Result<()> {
        if self.sellable { Ok(()) } else { Err(PriceInBuffer.into()) }
    }

    fn end_alert(&mut self) {
        self.level = AlertLevel::None;
    }
}

const QUIET: Told = Told { level: AlertLevel::None, number: 0, verdict: None, sellable: true };

/// Books with policies on them.
#[derive(Clone)]
struct Market {
    pool: Box<Pool>,
    product: Box<Product>,
    rates: Box<Rates>,
    condition: Told,
}

impl Market {
    /// A pool of 10,000,000, and a product whose cover waits three days.
    fn new() -> Self {
        let mut product = product();
        product.terms.waiting_seconds = 3 * 86_400;
        product.terms.max_term_days = 90;
        product.terms.drift_bps = 0;
        product.newest_activation_day = TODAY;
        let pool = pool_with(0, 4_000_000, 6_000_000);
        Self { pool: pool.into(), product: product.into(), rates: rates().into(), condition: QUIET }
    }

    fn buy(&mut self, sum_insured: u64, term_days: u16, now: i64) -> anchor_lang::Result<Policy> {
        let request = CoverRequest { sum_insured, term_days };
        self.change(|market| {
            let Market { pool, product, rates, condition } = market;
            Ok(product.sell(pool, rates, condition, &purchase(request), now)?.0)
        })
    }

    fn extend(&mut self, policy: &mut Policy, days: u16, now: i64) -> anchor_lang::Result<Extension> {
        let request = ExtensionRequest { days, max_premium: u64::MAX };
        self.change(|market| {
            let Market { pool, product, rates, condition } = market;
            let mut longer = policy.clone();
            let extension = product.extend(pool, rates, condition, &mut longer, request, now)?;
            *policy = longer;
            Ok(extension)
        })
    }

    fn reduce(&mut self, policy: &mut Policy, sum: u64, now: i64) -> anchor_lang::Result<(Policy, Cancellation)> {
        self.change(|market| {
            let Market { pool, product, rates, condition } = market;
            let mut less = policy.clone();
            let done = product.reduce(pool, rates, condition, &mut less, sum, now)?;
            *policy = less;
            Ok(done)
        })
    }

    fn cancel(&mut self, policy: &Policy, now: i64) -> anchor_lang::Result<Cancellation> {
        self.change(|market| {
            let Market { pool, product, rates, condition } = market;
            product.cancel(pool, rates, condition, policy, now)
        })
    }

    /// Splits off a part of at least 1,000 whose premium is as far as can be below its part of the whole's.
    fn split_short(&mut self, policy: &mut Policy, most: u64, now: i64) -> anchor_lang::Result<Policy> {
        let short = |sum: &u64| u128::from(policy.premium) * u128::from(*sum) % u128::from(policy.sum_insured);
        let sum = (1_000..most).max_by_key(short).unwrap();
        self.product.split(&self.pool, policy, sum, now)
    }

    /// What is refused changes nothing.
    fn change<T>(&mut self, act: impl FnOnce(&mut Self) -> anchor_lang::Result<T>) -> anchor_lang::Result<T> {
        let before = self.clone();
        let done = act(self);
        match &done {
            Ok(_) => self.pool.invariant().unwrap(),
            Err(_) => *self = before,
        }
        done
    }
}

/// A market with one policy of 1,000,000 for 30 days, in force at the moment that is returned: day 10.
fn in_force() -> (Market, Policy, i64) {
    let mut market = Market::new();
    let policy = market.buy(1_000_000, 30, NOW).unwrap();
    // 3 % risk for 30 days, 1 % of room for 30 + 3 + 2.
    assert_eq!((policy.premium, policy.active_day, policy.end_day), (3_425, TODAY + 3, TODAY + 33));
    (market, policy, NOW + 10 * DAY)
}

#[test]
fn days_cost_what_the_last_of_the_exposure_costs_now_and_stream_with_what_was_unearned() {
    let (mut market, mut policy, now) = in_force();
    let extension = market.extend(&mut policy, 30, now).unwrap();
    // 4 % for 30 days: 3,287.7.
    assert_eq!((extension.premium, extension.end_day), (3_288, TODAY + 63));
    assert_eq!((policy.premium, policy.end_day, policy.bought_at), (3_425 + 3_288, TODAY + 63, NOW));
    // 23 of 30 days were unearned: 2,625 of 3,425; with 3,288 over 53 days.
    let unearned = 2_625 + 3_288;
    assert_eq!(policy.rate_q32, (unearned << 32) / (53 * 86_400));
    assert_eq!((market.pool.rate_q32, market.pool.waiting_rate_q32), (policy.rate_q32, 0));
    assert_eq!(market.product.exposure, 1_000_000);
    assert_eq!(market.pool.last_cover_end_day, TODAY + 63);
    assert_eq!((market.product.sold_of_late, market.product.sold_at), (1_000_000, NOW));
}

#[test]
fn nobody_gets_round_the_waiting_time_or_the_longest_term_by_an_extension() {
    let (mut market, mut policy, _) = in_force();
    // A cover bought at midnight of day 30 begins on day 33, one a second later on day 34.
    let last = NOW + 30 * DAY;
    refused(market.extend(&mut policy, 1, last + 1), ExtensionTooLate);
    market.clone().extend(&mut policy.clone(), 1, last).unwrap();
    // It ends no later than the longest cover that is bought now: day 33 + 90.
    refused(market.extend(&mut policy, 91, last), BadTerm);
    refused(market.extend(&mut policy, 0, last), BadTerm);
    market.clone().extend(&mut policy.clone(), 90, last).unwrap();
    // Not before it begins.
    let begins = policy.active_from();
    refused(market.extend(&mut policy, 1, begins - 1), NotInForceYet);
    market.extend(&mut policy, 1, begins).unwrap();
}

#[test]
fn an_extension_asks_for_all_that_a_sale_asks_for() {
    let (market, policy, now) = in_force();
    let refused_with = |change: &dyn Fn(&mut Market), reason: BackstopError| {
        let (mut market, mut policy) = (market.clone(), policy.clone());
        change(&mut market);
        let before = policy.clone();
        refused(market.extend(&mut policy, 7, now), reason);
        assert_eq!(policy, before);
    };
    refused_with(&|market| market.product.state = ProductState::Frozen as u8, NotSelling);
    refused_with(&|market| market.product.state = ProductState::RunOff as u8, NotSelling);
    refused_with(&|market| market.product.sells_from = now + 1, NoticeNotOver);
    refused_with(&|market| market.condition.level = AlertLevel::Breaching, TriggerNotQuiet);
    refused_with(&|market| market.condition.sellable = false, PriceInBuffer);
    refused_with(&|market| market.pool.group_alerts[3] = 1, GroupInAlert);
    refused_with(&|market| market.pool.terms.first_loss_bps = 50_000, FirstLossTooSmall);
    refused_with(&|market| market.pool.terms.sells_until_day = TODAY + 10, VintageOver);
    refused_with(&|market| market.pool.solvency_needs(20_000_000), BelowRequiredCapital);
    // What is too much for the capacity runs off: the product has 1,000,000 of it, and one unit less.
    let capital = |assets: u64| {
        move |market: &mut Market| {
            // The days up to now have their lows before.
            market.pool.accrue(now).unwrap();
            market.pool.capital_lows = [assets; 32];
            market.product.terms.cap_bps = 10_000;
        }
    };
    refused_with(&capital(999_999), BeyondCapacity);
    let (mut enough, mut longer) = (market.clone(), policy.clone());
    capital(1_000_000)(&mut enough);
    enough.extend(&mut longer, 7, now).unwrap();
    // Once anything was paid for it, or all of it was, it is not extended; nor reduced.
    for touched in [Policy { paid: 1, ..policy.clone() }, Policy { state: CoverState::Settled, ..policy.clone() }] {
        let mut market = market.clone();
        refused(market.extend(&mut touched.clone(), 7, now), CoverNotActive);
        refused(market.reduce(&mut touched.clone(), 500_000, now), CoverNotActive);
    }
    // While accrual stands since a moment ago nobody knows what will be earned when.
    let (mut stands, mut longer) = (market.clone(), policy.clone());
    stands.pool.accrue(now - 1).unwrap();
    (stands.pool.stands_since, stands.pool.alerts_since) = (now - 1, now - 1);
    refused(stands.extend(&mut longer, 7, now), AccrualStands);
    let (mut market, mut longer) = (market.clone(), policy.clone());
    let Market { pool, product, rates, condition } = &mut market;
    let request = ExtensionRequest { days: 7, max_premium: 767 };
    refused(product.extend(pool, rates, condition, &mut longer, request, now), PremiumTooHigh);
}

/// A pool's own terms, for [`an_extension_asks_for_all_that_a_sale_asks_for`].
trait Needs {
    fn solvency_needs(&mut self, capital: u64);
}

impl Needs for Pool {
    fn solvency_needs(&mut self, capital: u64) {
        self.required = capital + 1;
    }
}

#[test]
fn a_reduction_gives_the_rest_back_as_a_whole_cover_is() {
    let (mut market, mut policy, now) = in_force();
    let mut whole = market.clone();
    let all = whole.cancel(&policy, now).unwrap();
    let before = policy.clone();
    let (rest, part) = market.reduce(&mut policy, 750_000, now).unwrap();
    assert_eq!((rest.sum_insured, policy.sum_insured), (250_000, 750_000));
    assert_eq!((rest.premium + policy.premium, rest.rate_q32 + policy.rate_q32), (before.premium, before.rate_q32));
    // A quarter, rounded against the owner.
    assert!(part.refund.abs_diff(all.refund / 4) <= 1, "{} of {}", part.refund, all.refund);
    assert_eq!((market.product.exposure, market.pool.rate_q32), (750_000, policy.rate_q32));
    // Not below the least that is sold, on either side, and not more than there is.
    for sum in [0, 999, 749_001, 750_000, 750_001, u64::MAX] {
        refused(market.reduce(&mut policy, sum, now), AmountTooSmall);
    }
    market.clone().reduce(&mut policy.clone(), 1_000, now).unwrap();
    market.condition.level = AlertLevel::Breaching;
    refused(market.reduce(&mut policy, 1_000, now), TriggerNotQuiet);
    market.condition.level = AlertLevel::None;
    refused(market.reduce(&mut policy, 1_000, NOW + 33 * DAY), CoverEnded);
    let mut today = market.buy(500_000, 30, now).unwrap();
    refused(market.reduce(&mut today, 1_000, now), BoughtToday);
}

/// Bought dear, extended when cover has become cheap, given back at once: the days that the room was held would cost by the
/// average of both, a sixth, if an extension did not cost at least by the day what the position has cost.
#[test]
fn days_that_have_become_cheap_do_not_make_the_room_cheaper_that_was_taken() {
    let (mut market, mut policy, _) = in_force();
    let now = policy.active_from();
    market.product.risk_rate_ppb = 1;
    market.product.level_bps = 1;
    let kept = |market: &Market, policy: &Policy| policy.premium - market.clone().cancel(policy, now).unwrap().refund;
    let before = kept(&market, &policy);
    assert_eq!(before, 343 + 1); // a tenth, rounded up, of what is unearned; of the room three of 35 days, 294
    policy.cancel_fee_bps = 1;
    assert_eq!(kept(&market, &policy), 294);
    let extension = market.extend(&mut policy, 60, now).unwrap();
    assert_eq!(extension.premium, 5_872); // 3,425 x 60 / 35, up
    assert_eq!(kept(&market, &policy), 294);
}

/// What a policy has to earn in all, Q32.
fn due_q32(policy: &Policy) -> u128 {
    u128::from(policy.rate_q32) * u128::from(policy.end_day - policy.active_day) * 86_400
}

fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

/// A market in which things happen, and what they must add up to.
struct Story {
    market: Market,
    now: i64,
    held: Vec<Held>,
    /// All that was sold, given back ones excepted: what the start buckets hold.
    ended: Vec<Policy>,
    cash: u64,
    deeds: u64,
    extended: u32,
    reduced: u32,
    split: u32,
}

/// A policy, and what its room must have cost at least: premium and time of it before each extension.
struct Held {
    policy: Policy,
    before: Vec<(u64, i64)>,
}

impl Story {
    fn new() -> Self {
        let mut market = Market::new();
        market.product.terms.drift_bps = 2_000;
        market.product.terms.cancel_fee_bps = 1;
        market.product.terms.demand_at_capacity_ppb = 300_000_000;
        // Another product, whose alerts stop accrual now and then.
        market.pool.add_exposure(5, 1_000_000).unwrap();
        let cash = market.pool.cash;
        Self { market, now: NOW, held: vec![], ended: vec![], cash, deeds: 0, extended: 0, reduced: 0, split: 0 }
    }

    fn step(&mut self, seed: &mut u64) {
        let hours = 1 + random(seed, 30) as i64;
        self.now += if random(seed, 3) == 0 { hours * 3_600 } else { random(seed, 7_200) as i64 };
        let now = self.now;
        match random(seed, 17) {
            0..=3 => {
                let (sum, term) = (1_000 + random(seed, 900_000), 7 + random(seed, 84) as u16);
                if let Ok(policy) = self.market.buy(sum, term, now) {
                    self.cash += policy.premium;
                    self.held.push(Held { policy, before: vec![] });
                }
            }
            4..=6 => {
                let Some(mut held) = self.take(seed) else { return };
                let days = 1 + random(seed, 90) as u16;
                let in_all = self.market.product.release_time(held.policy.end_day) - held.policy.bought_at;
                let (paid, without) = (held.policy.premium, self.market.clone().cancel(&held.policy, now));
                if let Ok(extension) = self.market.extend(&mut held.policy, days, now) {
                    self.extended += 1;
                    self.cash += extension.premium;
                    held.before.push((paid, in_all));
                    // To extend and give back at once gains nothing.
                    let with = self.market.clone().cancel(&held.policy, now).unwrap();
                    assert!(with.refund <= without.unwrap().refund + extension.premium);
                }
                self.held.push(held);
            }
            7..=8 => {
                let Some(mut held) = self.take(seed) else { return };
                let sum = random(seed, held.policy.sum_insured);
                let whole = held.policy.clone();
                if let Ok((rest, done)) = self.market.reduce(&mut held.policy, sum, now) {
                    self.reduced += 1;
                    self.cash -= done.refund;
                    assert_eq!(rest.premium + held.policy.premium, whole.premium);
                    let part = |premium: u64| u128::from(premium) * u128::from(held.policy.sum_insured);
                    for (premium, _) in &mut held.before {
                        *premium = (part(*premium) / u128::from(whole.sum_insured)) as u64;
                    }
                }
                self.held.push(held);
            }
            9..=10 => {
                let Some(held) = self.take(seed) else { return };
                match self.market.cancel(&held.policy, now) {
                    Ok(done) => {
                        self.cash -= done.refund;
                        let kept = held.policy.premium - done.refund;
                        assert!(done.fee > 0 || done.refund == 0);
                        for (premium, in_all) in held.before {
                            let time = u128::try_from((now - held.policy.bought_at).min(in_all)).unwrap();
                            let room = u128::from(premium) * time / u128::try_from(in_all).unwrap();
                            assert!(u128::from(kept) >= room, "{kept} of {room}");
                        }
                    }
                    Err(_) => self.held.push(held),
                }
            }
            14..=16 => {
                let Some(mut held) = self.take(seed) else { return };
                for _ in 0..random(seed, 8) {
                    if held.policy.sum_insured < 3_000 {
                        break;
                    }
                    let most = 1_001 + random(seed, held.policy.sum_insured / 2 - 1_000).min(300);
                    let whole = held.policy.clone();
                    let Ok(policy) = self.market.split_short(&mut held.policy, most, now) else { break };
                    let of = |sum: u64, premium: u64| {
                        (u128::from(premium) * u128::from(sum) / u128::from(whole.sum_insured)) as u64
                    };
                    let part = held.before.iter().map(|(premium, time)| (of(policy.sum_insured, *premium), *time));
                    self.held.push(Held { before: part.collect(), policy });
                    for (premium, _) in &mut held.before {
                        *premium = of(held.policy.sum_insured, *premium);
                    }
                    self.split += 1;
                }
                self.held.push(held);
            }
            11 => self.market.product.risk_rate_ppb = 1 + random(seed, 200_000_000),
            12 if self.market.pool.alerts == 0 => self.other_alert(AlertLevel::None, AlertLevel::Breaching),
            _ if self.market.pool.alerts > 0 => self.other_alert(AlertLevel::Breaching, AlertLevel::None),
            _ => {
                self.market.pool.accrue(now).unwrap();
            }
        }
        self.deeds += 1;
        self.check();
    }

    fn take(&mut self, seed: &mut u64) -> Option<Held> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(random(seed, self.held.len() as u64) as usize))
    }

    fn other_alert(&mut self, from: AlertLevel, to: AlertLevel) {
        self.market.pool.accrue(self.now).unwrap();
        let alert = Alert { group: 5, number: 1, exposure: 1_000_000 };
        self.market.pool.move_alert(alert, from, to, self.now).unwrap();
    }

    /// What the books hold is what the policies are.
    fn check(&mut self) {
        let Market { pool, product, rates, .. } = &self.market;
        pool.invariant().unwrap();
        assert_eq!(pool.cash, self.cash);
        let earned_to = pool.accrued_at;
        let (over, live): (Vec<_>, Vec<_>) = self.held.drain(..).partition(|held| held.policy.end() <= earned_to);
        self.held = live;
        self.ended.extend(over.into_iter().map(|held| held.policy));
        let policies = || self.held.iter().map(|held| &held.policy);
        let rate: u64 = policies().map(|policy| policy.rate_q32).sum();
        assert_eq!(pool.rate_q32 + pool.waiting_rate_q32, rate);
        let today = day_of(earned_to);
        for day in today + 1..today + 512 {
            let ending: u64 = policies().filter(|policy| policy.end_day == day).map(|policy| policy.rate_q32).sum();
            assert_eq!(pool.rate_ends[day as usize % 512], ending);
            // Of a day that is past the next one turn later waits to be cleared.
            let cleared = day < rates.cleared_day + 512;
            assert!(!cleared || rates.ends[day as usize % 512] == ending, "rates of day {day}");
        }
        let unearned: u64 = policies().map(|policy| policy.unearned_at(earned_to).unwrap()).sum();
        // To the unit: what the rates have still to earn is there.
        let left = |policy: &Policy| u128::from(policy.rate_q32) * u128::from(policy.seconds_left(earned_to));
        let to_earn: u128 = policies().map(left).sum();
        let there = u128::from(pool.unearned_premium - pool.held_back_premium) << 32;
        assert!(to_earn + u128::from(pool.fraction_q32) <= there, "{to_earn} of {there}");
        let most = unearned + pool.held_back_premium + 2 * self.deeds + u64::from(self.split);
        assert!((unearned..=most).contains(&pool.unearned_premium), "{unearned} of {}", pool.unearned_premium);
        assert_eq!(pool.last_cover_end_day.max(today), policies().map(|p| p.end_day).max().unwrap_or(0).max(today));
        for (day, bucket) in product.starts_after(0) {
            let all = policies().chain(&self.ended).filter(|policy| policy.active_day == day);
            let mut sums = (0, 0, 0, 0u128);
            for policy in all {
                let length = u128::from(policy.end_day - policy.active_day) * 86_400;
                let (sum, premium, rate, due) = &mut sums;
                *sum += policy.sum_insured;
                *premium += policy.premium;
                *rate += policy.rate_q32;
                *due += u128::from(policy.rate_q32) * length;
            }
            assert_eq!((bucket.sum_insured, bucket.premium, bucket.rate_q32, bucket.due_q32()), sums, "day {day}");
        }
        let unreleased = policies().chain(&self.ended).filter(|policy| policy.end_day > product.released_day);
        assert_eq!(product.exposure, unreleased.map(|policy| policy.sum_insured).sum::<u64>());
    }

    /// The product is struck: an alert from now on, of an event up to two days ago, proven within a day.
    fn strike(mut self, seed: &mut u64) {
        if self.market.pool.alerts > 0 {
            self.other_alert(AlertLevel::Breaching, AlertLevel::None);
        }
        let Market { pool, product, rates, condition } = &mut self.market;
        pool.accrue(self.now).unwrap();
        product.sync(pool, condition, self.now).unwrap();
        let number = pool.move_alert(product.alert(0), AlertLevel::None, AlertLevel::Due, self.now).unwrap();
        let event_at = self.now - random(seed, 2 * 86_400) as i64;
        let proven_at = self.now + random(seed, 86_400) as i64;
        let severity_bps = random(seed, 10_001) as u16;
        let verdict = Verdict {
            event_at,
            proven_at,
            severity_bps,
            most_severity_bps: severity_bps,
            is_final: true,
            final_by: proven_at,
        };
        *condition = Told { level: AlertLevel::Due, number, verdict: Some(verdict), sellable: false };
        let late = proven_at + random(seed, 5 * 86_400) as i64;
        pool.accrue(late).unwrap();
        let keys = IncidentKeys { product: key(20), pool: key(3), rent_payer: key(22), bump: 255 };
        let mut incident = Incident {
            crisis: 0,
            ..anchor_lang::AnchorDeserialize::try_from_slice(&[0; <Incident as anchor_lang::Space>::INIT_SPACE])
                .unwrap()
        };
        let opening = incident.open(keys, pool, product, rates, condition, late).unwrap();
        pool.invariant().unwrap();
        let mut crisis = Crisis::begin(key(3), key(22), 255, opening.crisis);
        if opening.crisis != 0 {
            incident.enter(&mut crisis).unwrap();
            let terms = product.terms;
            incident.fund(pool, &mut crisis, &terms, condition, late).unwrap();
            assert!(incident.is_complete(), "{} of {}", incident.reserve, incident.gross);
        }
        let mut settled = 0u64;
        for mut policy in self.held.drain(..).map(|held| held.policy).chain(self.ended.drain(..)) {
            if policy.claim(event_at).is_some() {
                incident.settle(pool, &mut policy, 0).unwrap();
                assert_eq!(policy.state, CoverState::Settled);
                settled += 1;
            }
        }
        pool.invariant().unwrap();
        assert_eq!((incident.sums_left, incident.premiums_left), (0, 0));
        // Each refund is rounded down, and what the buckets hold once.
        assert!(incident.refunds_left <= 2 * settled + 2, "{} of {settled}", incident.refunds_left);
        assert_eq!((pool.rate_q32, pool.waiting_rate_q32), (0, 0));
        assert!(pool.rate_ends.iter().all(|rate| *rate == 0));
    }
}

#[test]
fn any_tree_of_purchases_extensions_reductions_splits_and_cancellations_adds_up_and_no_incident_is_blocked() {
    let mut seed = 0x2545_f491_4f6c_dd1d;
    let (mut extended, mut reduced, mut split) = (0, 0, 0);
    let rounds = std::env::var("BACKSTOP_MODEL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(120);
    for _ in 0..rounds {
        let mut story = Story::new();
        for _ in 0..20 + random(&mut seed, 140) {
            story.step(&mut seed);
        }
        extended += story.extended;
        reduced += story.reduced;
        split += story.split;
        story.strike(&mut seed);
    }
    let enough = extended > 2 * rounds && reduced > rounds && split > 4 * rounds;
    assert!(enough, "{extended} extended, {reduced} reduced, {split} split of {rounds}");
}

/// Parts just short of a unit of premium each, cut off a cover that has what they are short of, and is given back before it
/// begins: would all its premium go back, the parts would have more to earn than is left, and no incident could be opened.
#[test]
fn what_the_parts_of_a_cover_have_to_earn_is_never_given_back_with_another_part() {
    let mut market = Market::new();
    let mut whole = market.buy(900_000, 30, NOW).unwrap();
    let mut parts: Vec<Policy> = (0..100).map(|_| market.split_short(&mut whole, 2_000, NOW).unwrap()).collect();
    let to_earn = |policies: &[Policy]| policies.iter().map(due_q32).sum::<u128>() >> 32;
    let premiums = parts.iter().map(|policy| u128::from(policy.premium)).sum::<u128>();
    assert!(to_earn(&parts) > premiums + 90, "{} of {premiums}", to_earn(&parts));
    let before = whole.premium;
    let done = market.cancel(&whole, NOW + DAY).unwrap();
    assert!(done.refund + done.fee <= before - 90, "{done:?} of {before}");
    assert!(to_earn(&parts) <= market.pool.unearned_premium.into());
    // A tenth is kept, which is more than the parts are short of: that is no loss of whoever gives back.
    assert_eq!(done.refund, before - before.div_ceil(10));
    let mut story = Story { market, now: NOW + 5 * DAY, ..Story::new() };
    story.held = parts.drain(..).map(|policy| Held { policy, before: vec![] }).collect();
    story.strike(&mut 0x2545_f491_4f6c_dd1d);
}
