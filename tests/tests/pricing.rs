//! What cover costs: rules of the price on thousands of random markets, and the client's quote against the program's.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AccountSerialize, Discriminator};
use backstop::BuyCoverArgs;
use backstop::constants::{DAY_BUCKETS, PAUSE_PURCHASES};
use backstop::error::BackstopError;
use backstop::math::capital::MAX_TOTAL_EXPOSURE;
use backstop::math::pricing::MAX_DRIFT_DAYS;
use backstop::math::stream;
use backstop::peril::{AlertLevel, Condition};
use backstop::state::{
    Cancellation, CoverRequest, CoverState, Policy, Pool, Product, ProductState, ProductTerms, Quote, Rates, Tranche,
    Trigger, day_of,
};
use backstop_client::address;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::quote::{self, Market};
use backstop_client::transaction;
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{World, assert_books, assert_refused, budget, explain};
use bytemuck::Zeroable;
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;

const HEALTHY: i64 = 100_000_000;
const CAPITAL: u64 = 200_000 * ONE;

// ---------------------------------------------------------------- random markets

/// Numbers that are the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`; 0 for 0.
    fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// Between both, inclusive.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    fn days(&mut self, end: u64) -> u32 {
        u32::try_from(self.below(end)).unwrap()
    }

    fn bps(&mut self, low: u64, high: u64) -> u16 {
        u16::try_from(self.between(low, high)).unwrap()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

fn random_terms(random: &mut Random, unit: u64, ring_days: u32) -> ProductTerms {
    let ceiling = random.between(1, 2_000_000_000);
    let floor = random.between(1, ceiling);
    let most = random.pick(&[100_000_000, 1_000_000_000, 10_000_000_000]);
    let mut demand = [random.below(most + 1), random.below(most + 1), random.below(most + 1)];
    demand.sort_unstable();
    let (min_level, max_level) = (random.between(100, 10_000), random.between(10_000, 100_000));
    let mut marks = [random.bps(0, 10_000), random.bps(0, 10_000)];
    marks.sort_unstable();
    let waiting_days = random.between(1, 24);
    let longest = 510 - u64::from(ring_days) - waiting_days - 1;
    let max_term = random.between(1, longest);
    let terms = ProductTerms {
        risk_rate_ppb: random.between(floor, ceiling),
        risk_rate_floor_ppb: floor,
        risk_rate_ceiling_ppb: ceiling,
        risk_rate_step_ppb: random.below(ceiling),
        demand_at_zero_ppb: demand[0],
        demand_at_kink_ppb: demand[1],
        demand_at_capacity_ppb: demand[2],
        min_premium: random.pick(&[1, 10_000, unit / 10_000 + 1]),
        max_sum_insured: random.pick(&[unit / 10 + 1, unit, MAX_TOTAL_EXPOSURE]),
        loading_bps: u32::try_from(random.below(100_001)).unwrap(),
        level_bps: 10_000,
        min_level_bps: u32::try_from(min_level).unwrap(),
        max_level_bps: u32::try_from(max_level).unwrap(),
        waiting_seconds: u32::try_from(waiting_days * 86_400 - random.pick(&[0, 1, 43_200])).unwrap().max(86_400),
        max_price_age: u32::try_from(random.between(1, 3_600)).unwrap(),
        no_sale_buffer_bps: u32::try_from(random.between(100, 1_000)).unwrap(),
        risk_group: u32::try_from(random.below(16)).unwrap(),
        kink_bps: random.bps(1, 9_999),
        upper_mark_bps: marks[1],
        lower_mark_bps: marks[0],
        drift_bps: random.bps(0, 2_000),
        cap_bps: random.bps(1, 10_000),
        cancel_fee_bps: random.bps(1, 5_000),
        min_term_days: random.bps(1, max_term),
        max_term_days: random.bps(max_term, max_term),
        daily_bps: random.pick(&[10_000, 10_000, 2_500, 100]),
        deductible_bps: 0,
        coinsurance_bps: 0,
        padding: [0; 2],
    };
    terms.validate().unwrap();
    terms.require_room_beside(ring_days).unwrap();
    terms
}

/// Books of a pool that add up: capital, a stream of premium, exits, perhaps a quota share. No exposure yet.
fn random_pool(random: &mut Random, pool: &mut Pool, now: i64, unit: u64) {
    let today = day_of(now);
    pool.terms.min_sum_insured = random.between(1_000, 10_000);
    pool.terms.solvency_bps = random.pick(&[10_000, 10_000, 12_345, 30_000]);
    pool.terms.max_leverage_bps = random.pick(&[100_000, 50_000, 10_000]);
    pool.terms.rho_bps = random.bps(0, 10_000);
    pool.terms.max_credit_bps = random.bps(0, 5_000);
    pool.terms.surplus_bps = random.bps(0, 3_000);
    pool.terms.junior_weight_bps = u32::try_from(random.between(10_000, 100_000)).unwrap();
    pool.terms.group_cap_bps = random.pick(&[10_000, 9_000, 2_500]);
    pool.surplus = random.below(unit / 5);
    for book in &mut pool.tranches {
        *book = Default::default();
        if random.chance(85) {
            book.assets = random.below(unit);
            book.exiting = random.pick(&[0, unit / 10]);
            book.shares = book.assets + 1;
            book.units = book.exiting;
        }
    }
    let staying = pool.staying_capital().unwrap();
    pool.terms.seasoning_days = random.pick(&[1, 7, 30]);
    pool.capital_day = today - random.pick(&[0, 0, 1, 5, 100]);
    pool.capital_lows = [random.pick(&[staying, staying, staying / 2, staying * 2, 0]); 32];
    pool.unasked_lows = pool.capital_lows;
    let idle = [0, random.below(86_400), random.below(40 * 86_400), random.below(700 * 86_400)];
    pool.accrued_at = now - i64::try_from(random.pick(&idle)).unwrap();
    pool.rate_ends = [0; DAY_BUCKETS];
    (pool.rate_q32, pool.unearned_premium) = (0, random.below(100));
    for _ in 0..random.below(20) {
        let end = day_of(pool.accrued_at) + 2 + random.days(510);
        let premium = random.between(1, unit / 2_000);
        let seconds = u64::try_from(i64::from(end) * DAY - pool.accrued_at).unwrap();
        let rate = stream::rate_q32(premium, seconds).unwrap();
        pool.rate_ends[end as usize % DAY_BUCKETS] += rate;
        pool.rate_q32 += rate;
        pool.unearned_premium += premium;
    }
    pool.fraction_q32 = random.below(1 << 32);
    pool.surplus_fraction_bps = random.below(10_000);
    pool.junior_fraction_q64 = random.next();
    pool.ceded_fraction_e8 = random.below(100_000_000);
    pool.last_cover_end_day = today + random.days(400);
    if random.chance(40) {
        let treaty = &mut pool.quota_shares[0];
        treaty.treaty = Pubkey::new_from_array([9; 32]);
        treaty.start = now + random.pick(&[-400, -30, -1, 0, 1]) * DAY;
        treaty.end = treaty.start + random.pick(&[1, 90, 365, 900]) * DAY;
        treaty.limit_left = random.below(unit);
        treaty.cession_bps = random.bps(0, 10_000);
        treaty.commission_bps = random.bps(0, 5_000);
    }
    pool.oldest_exit_day = random.pick(&[0, 0, 0, today, today + 3, today - 1]);
    pool.newest_exit_day = pool.oldest_exit_day;
    pool.incident_reserves = random.below(unit);
    pool.exit_reserves = random.below(unit);
    pool.treaty_payable[0] = random.below(unit / 100);
}

/// Sells a product's past covers into its books: sums by end and by activation, with waiting and ring in mind.
fn random_covers(random: &mut Random, product: &mut Product, now: i64, exposure: u64) {
    let today = day_of(now);
    let waiting = product.terms.waiting_days();
    // When the product was last synced; nothing was sold since.
    let touched = today - random.pick(&[0, 0, 1, 9, 100, 700]);
    product.released_day = touched - product.ring_days;
    product.newest_activation_day = touched;
    product.exposure_ends = [0; DAY_BUCKETS];
    product.starts = Zeroable::zeroed();
    product.exposure = 0;
    let mut covers = Vec::new();
    for _ in 0..random.below(12) {
        let bought = touched - random.days(300);
        let active = bought + waiting + random.days(2);
        let end = active + u32::from(random.bps(1, u64::from(product.terms.max_term_days)));
        if end > product.released_day {
            covers.push((active, end));
            product.newest_activation_day = product.newest_activation_day.max(active);
        }
    }
    for (active, end) in &covers {
        let sum = exposure / covers.len() as u64;
        product.exposure += sum;
        product.exposure_ends[*end as usize % DAY_BUCKETS] += sum;
        if active + 64 > product.newest_activation_day {
            let start = &mut product.starts[*active as usize % 64];
            start.sum_insured += sum;
            start.premium += random.below(sum + 1);
        }
    }
    product.covers_sold = covers.len() as u64;
}

fn random_product(random: &mut Random, market: &mut Market, now: i64, unit: u64) {
    let (pool, product) = (&mut *market.pool, &mut *market.product);
    product.terms = random_terms(random, unit, product.ring_days);
    let terms = product.terms;
    product.risk_rate_ppb = random.between(terms.risk_rate_floor_ppb, terms.risk_rate_ceiling_ppb);
    let level = random.between(u64::from(terms.min_level_bps), u64::from(terms.max_level_bps));
    product.level_bps = u32::try_from(level).unwrap();
    product.level_at = now - random.pick(&[0, 1, 86_400, 5 * 86_400, 300 * 86_400]);
    product.others_exposure = random.pick(&[0, unit / 20, unit]);
    let running = ProductState::Selling.byte();
    product.state = if random.chance(96) { running } else { u8::try_from(random.between(1, 3)).unwrap() };
    product.sells_from = if random.chance(3) { now + 1 } else { now - random.pick(&[0, 1, DAY]) };
    product.notice_served = u8::from(random.chance(80));
    let cap = u128::from(pool.capacity_capital().unwrap()) * u128::from(terms.cap_bps) / 10_000;
    let used = u64::try_from(cap).unwrap() / 100 * random.pick(&[0, 20, 50, 80, 95, 100, 105]);
    random_covers(random, product, now, used);
    pool.group_exposures = [0; 16];
    for group in &mut pool.group_exposures {
        *group = if random.chance(15) { random.below(unit / 10) } else { 0 };
    }
    pool.group_exposures[usize::try_from(terms.risk_group).unwrap()] += product.exposure;
    pool.total_exposure = pool.group_exposures.iter().sum();
    pool.required = pool.renew_required().map_or(u64::MAX, |()| pool.required);
}

fn random_trigger(random: &mut Random, terms: &ProductTerms, trigger: &mut Trigger, now: i64) {
    trigger.terms.threshold = random.between(50_000_000, 99_000_000);
    trigger.terms.recovery = trigger.terms.threshold + 1;
    let least = trigger.terms.threshold * (10_000 + u64::from(terms.no_sale_buffer_bps)) / 10_000;
    let above = random.below(20_000_000);
    trigger.evidence.last_price = match random.below(20) {
        0 => least - random.between(1, 1_000_000),
        1 => least,
        _ => least + 1 + above,
    };
    let age = i64::from(terms.max_price_age);
    trigger.evidence.last_publish_time = match random.below(30) {
        0 => 0,
        1 => now - age - 1,
        2 => now - age,
        3 => now + 5,
        _ => now - i64::try_from(random.below(u64::from(terms.max_price_age))).unwrap(),
    };
    trigger.evidence.phase = if random.chance(96) { 0 } else { u8::try_from(random.between(1, 3)).unwrap() };
}

/// A market in some state that it could have come to, at a time on or off a day boundary.
fn random_market(random: &mut Random, base: &Market) -> (Market, i64) {
    let day = i64::try_from(random.between(19_700, 30_000)).unwrap();
    let second = random.pick(&[0, 1, 43_210, 86_399]);
    let now = day * DAY + second;
    let unit = 10u64.pow(u32::try_from(random.between(6, 16)).unwrap());
    let mut market = base.clone();
    random_pool(random, &mut market.pool, now, unit);
    random_product(random, &mut market, now, unit);
    let terms = market.product.terms;
    random_trigger(random, &terms, &mut market.trigger, now);
    let (alert, level) = (market.product.alert(0), market.trigger.alert());
    market.trigger.alert_number = market.pool.move_alert(alert, AlertLevel::None, level, now).unwrap();
    if random.chance(2) {
        market.protocol.pause.bits = random.pick(&[1, PAUSE_PURCHASES, 3]);
        market.protocol.pause.until = now + random.pick(&[0, 1]);
    }
    let pool = &mut *market.pool;
    let [junior, senior] = pool.tranches;
    pool.cash = pool.surplus
        + junior.total()
        + senior.total()
        + pool.unearned_premium
        + pool.incident_reserves
        + pool.exit_reserves
        + pool.treaty_payable[0];
    pool.invariant().unwrap();
    (market, now)
}

/// A request that such a market may or may not sell.
fn random_request(random: &mut Random, market: &Market, now: i64) -> CoverRequest {
    let terms = &market.product.terms;
    let mut after = market.clone();
    after.pool.accrue(now).unwrap();
    after.product.sync(&mut after.pool, &*after.trigger, now).unwrap();
    let capacity = after.product.capacity(&after.pool).unwrap();
    let left_now = after.product.left_now(capacity, now).unwrap();
    let room = capacity.saturating_sub(after.product.exposure).min(left_now);
    let sum_insured = match random.below(20) {
        0 => room,
        1 => room.saturating_add(1),
        2 => market.pool.terms.min_sum_insured - random.below(2),
        3 => terms.max_sum_insured.min(room),
        _ => {
            let part = room / random.pick(&[1, 2, 10, 1_000]);
            random.below(part + 1).max(market.pool.terms.min_sum_insured)
        }
    };
    let term_days = match random.below(30) {
        0 => terms.min_term_days - 1,
        1 => terms.max_term_days + 1,
        _ => random.bps(u64::from(terms.min_term_days), u64::from(terms.max_term_days)),
    };
    CoverRequest { sum_insured, term_days }
}

/// A protocol with one pool and one product, as the accounts that random markets are variations of.
fn base(world: &World) -> (PoolKeys, ProductKeys, Market) {
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    let market = Market::fetch(&world.cluster, &product).unwrap();
    (pool, product, market)
}

/// Random markets with a request that each of them sells.
fn sellable(seed: u64, count: usize, mut check: impl FnMut(&mut Random, &Market, CoverRequest, i64, Quote)) {
    let (_, _, base) = base(&World::unsigned());
    let mut random = Random(seed);
    let mut checked = 0;
    while checked < count {
        let (market, now) = random_market(&mut random, &base);
        let request = random_request(&mut random, &market, now);
        if let Ok(quote) = market.quote(request, now) {
            check(&mut random, &market, request, now, quote);
            checked += 1;
        }
    }
}

// ---------------------------------------------------------------- rules of the price

#[test]
fn parts_never_cost_less_than_the_whole_up_to_the_edge_of_the_caps() {
    let (mut parted, mut to_the_edge) = (0, 0);
    sellable(1, 3_000, |random, market, request, now, whole| {
        let least = market.pool.terms.min_sum_insured;
        let count = random.between(2, 8).min(request.sum_insured / least);
        if count < 2 {
            return;
        }
        // Every part at least the least sum, the rest at random; the last ends where the whole does.
        let mut spare = request.sum_insured - count * least;
        let mut parts = Vec::new();
        for left in (0..count).rev() {
            let more = if left == 0 { spare } else { random.below(spare + 1) };
            parts.push(least + more);
            spare -= more;
        }
        let mut split = market.clone();
        let mut paid = 0u128;
        for sum_insured in parts {
            let part = split.buy(CoverRequest { sum_insured, ..request }, now).expect("the whole is sold");
            paid += u128::from(part.premium);
        }
        assert!(paid >= u128::from(whole.premium), "{paid} in parts, {} whole", whole.premium);
        let mut once = market.clone();
        once.buy(request, now).unwrap();
        assert_eq!(split.product.exposure, once.product.exposure);
        assert_eq!(split.pool.total_exposure, once.pool.total_exposure);
        parted += 1;
        to_the_edge += usize::from(once.product.exposure == whole.capacity);
        // No more than the whole fits, in parts as at once.
        let after = Market::quote;
        let one_more = CoverRequest { sum_insured: least, ..request };
        assert_eq!(after(&split, one_more, now).is_ok(), after(&once, one_more, now).is_ok());
    });
    assert!(parted > 2_000 && to_the_edge > 50, "{parted} split, {to_the_edge} to capacity");
}

#[test]
fn the_price_never_falls_below_the_least_premium() {
    let mut at_the_least = 0;
    sellable(2, 3_000, |_, market, _, _, quote| {
        assert!(quote.premium >= market.product.terms.min_premium);
        at_the_least += usize::from(quote.premium == market.product.terms.min_premium);
    });
    assert!(at_the_least > 20, "{at_the_least}");
}

#[test]
fn the_price_rises_with_utilisation() {
    let mut risen = 0;
    sellable(3, 3_000, |random, market, request, now, quote| {
        let mut busier = market.clone();
        let other = CoverRequest { sum_insured: random.below(quote.capacity), ..request };
        if busier.buy(other, now).is_ok()
            && let Ok(later) = busier.quote(request, now)
        {
            // The floors in the area under the curve let it fall by one unit.
            assert!(later.premium + 1 >= quote.premium, "{} then {}", quote.premium, later.premium);
            risen += usize::from(later.premium > quote.premium);
        }
    });
    assert!(risen > 500, "{risen}");
}

#[test]
fn the_price_rises_with_the_risk_rate() {
    let mut risen = 0;
    sellable(4, 3_000, |random, market, request, now, quote| {
        let mut riskier = market.clone();
        riskier.product.risk_rate_ppb += random.between(1, 1_000_000_000);
        // The largest premiums of the shortest terms are more than a stream carries.
        let later = match riskier.quote(request, now) {
            Err(BackstopError::StreamFull) => return,
            later => later.unwrap(),
        };
        assert!(later.premium >= quote.premium);
        risen += usize::from(later.premium > quote.premium);
    });
    assert!(risen > 2_000, "{risen}");
}

#[test]
fn the_price_rises_with_the_term() {
    let mut risen = 0;
    sellable(5, 3_000, |_, market, request, now, quote| {
        let longer = CoverRequest { term_days: request.term_days + 1, ..request };
        if let Ok(later) = market.quote(longer, now) {
            assert!(later.premium >= quote.premium);
            assert_eq!(later.end_day, quote.end_day + 1);
            risen += usize::from(later.premium > quote.premium);
        }
    });
    assert!(risen > 2_000, "{risen}");
}

/// Gives a cover back to a market whose rates are nothing but the cover's.
fn cancel(market: &mut Market, cover: &Policy, now: i64) -> anchor_lang::Result<Cancellation> {
    let mut rates = Rates::zeroed();
    rates.ends[cover.end_day as usize % DAY_BUCKETS] = cover.rate_q32;
    market.product.cancel(&mut market.pool, &mut rates, &*market.trigger, cover, now)
}

/// The policy that a purchase would have sold.
fn cover_of(market: &Market, quote: &Quote, now: i64) -> Policy {
    Policy {
        product: Pubkey::default(),
        insured: Pubkey::default(),
        version: backstop::constants::ACCOUNT_VERSION,
        state: CoverState::Active,
        cancel_fee_bps: market.product.terms.cancel_fee_bps,
        active_day: quote.active_day,
        end_day: quote.end_day,
        sum_insured: quote.sum_insured,
        premium: quote.premium,
        rate_q32: quote.rate_q32,
        bought_at: now,
        paid: 0,
        refunded: 0,
        minted_day: 0,
        has_lien: false,
        was_changed: false,
        reserved: [0; 10],
    }
}

#[test]
fn buying_and_cancelling_as_soon_as_can_be_costs_in_every_market() {
    sellable(6, 3_000, |random, market, request, now, quote| {
        let mut round = market.clone();
        round.buy(request, now).unwrap();
        let cover = cover_of(&round, &quote, now);
        let refused = cancel(&mut round.clone(), &cover, now);
        assert_eq!(refused.map_err(quote::refusal), Err(BackstopError::BoughtToday));
        // The first second at which it can be given back.
        let then = i64::from(day_of(now) + 1) * DAY;
        let back = cancel(&mut round, &cover, then).unwrap();
        assert!(back.refund < quote.premium, "{back:?} of {}", quote.premium);
        assert!(back.refund + back.fee <= quote.premium);
        round.pool.invariant().unwrap();
        // And it moves nothing: exposure and stream are what they were.
        assert_eq!(round.product.exposure, quote.exposure);
        let mut quiet = market.clone();
        quiet.pool.accrue(then).unwrap();
        assert_eq!(round.pool.rate_q32, quiet.pool.rate_q32);
        assert_eq!((round.pool.rate_ends, round.pool.waiting_rate_q32), (quiet.pool.rate_ends, 0));
        // Waiting does not make it cheaper either.
        let mut later = market.clone();
        later.buy(request, now).unwrap();
        let pause = i64::try_from(random.below(u64::from(request.term_days) * 86_400)).unwrap();
        let back = cancel(&mut later, &cover, then + pause).unwrap();
        assert!(back.refund < quote.premium);
    });
}

#[test]
fn a_deposit_in_the_same_transaction_does_not_make_cover_cheaper() {
    let mut deposits = 0;
    sellable(7, 3_000, |random, market, request, now, quote| {
        let mut richer = market.clone();
        richer.pool.accrue(now).unwrap();
        let amount = random.between(1, 2 * quote.capacity);
        let moved = match random.below(2) {
            0 => richer.pool.contribute(amount).is_ok(),
            _ => richer.pool.deposit(Tranche::Junior, amount.max(10 * ONE), 0).is_ok(),
        };
        if moved {
            let after = richer.quote(request, now).unwrap();
            assert_eq!(after.capacity, quote.capacity);
            assert_eq!(after.premium, quote.premium);
            deposits += 1;
        }
    });
    assert!(deposits > 1_500, "{deposits}");
}

#[test]
fn a_deposit_before_a_purchase_in_one_transaction_changes_neither_price_nor_capacity() {
    let (world, pool, product) = selling();
    let buyer = world.person(CAPITAL * 10);
    let quote = market(&world, &product).quote(thousand(), world.now()).unwrap();
    let shares = ix::create_associated_token(
        &world.payer.pubkey(),
        &buyer.id(),
        &pool.share_mint(Tranche::Junior),
        &anchor_spl::token_2022::ID,
    );
    let seen = world.pool(&pool).seen();
    let args = backstop::DepositArgs { tranche: Tranche::Junior, amount: CAPITAL * 5, min_shares: 0, seen };
    let deposit = ix::deposit(&pool, buyer.id(), None, args);
    let buy = |nonce, request| {
        let args = BuyCoverArgs { nonce, day: world.today(), request, max_premium: u64::MAX };
        ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), buyer.id(), args)
    };
    // Nor does it make room.
    let cap = CAPITAL * 8 / 10;
    let too_much = buy(1, CoverRequest { sum_insured: cap + 1, term_days: 30 });
    let both = [budget(), shares.clone(), deposit.clone(), too_much];
    assert_refused(world.send(&[&buyer.key], &both), BackstopError::BeyondCapacity);
    world.run(&[&buyer.key], &[budget(), shares, deposit, buy(2, thousand())]);
    let cover = world.cover(&address::cover_mint(&product.product, &buyer.id(), 2, world.today()));
    assert_eq!(cover.premium, quote.premium);
    // From the next day on it counts.
    world.next_day();
    world.print(&product, HEALTHY);
    let tomorrow = market(&world, &product).quote(thousand(), world.now()).unwrap();
    assert!(tomorrow.capacity > 5 * quote.capacity);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_deposit_does_not_make_up_for_capital_that_left_today() {
    let (world, pool, product) = selling();
    let leaver = world.depositor(&pool, Tranche::Senior, CAPITAL);
    world.next_day();
    world.print(&product, HEALTHY);
    world.exit(&pool, &leaver, Tranche::Senior, world.shares(&pool, &leaver, Tranche::Senior));
    let dear = market(&world, &product).quote(thousand(), world.now()).unwrap();
    let buyer = world.depositor(&pool, Tranche::Senior, CAPITAL);
    let after = market(&world, &product).quote(thousand(), world.now()).unwrap();
    assert_eq!((after.premium, after.capacity), (dear.premium, dear.capacity));
    assert!(world.shares(&pool, &buyer, Tranche::Senior) > 0);
    world.next_day();
    world.print(&product, HEALTHY);
    assert!(market(&world, &product).quote(thousand(), world.now()).unwrap().capacity > dear.capacity);
}

// ---------------------------------------------------------------- the level

/// The level after so many days of drift, by the rule in words.
fn drifted(level: u32, up: bool, days: u64, terms: &ProductTerms) -> u32 {
    let mut level = u64::from(level);
    for _ in 0..days {
        let drift = u64::from(terms.drift_bps);
        level = if up { level + (level * drift).div_ceil(10_000) } else { level - level * drift / 10_000 };
        level = level.clamp(u64::from(terms.min_level_bps), u64::from(terms.max_level_bps));
    }
    u32::try_from(level).unwrap()
}

fn sync(world: &World, product: &ProductKeys) -> Product {
    world.run(&[], &[ix::sync_product(product)]);
    world.product(product)
}

#[test]
fn idle_days_move_the_level_by_seven_steps_at_most() {
    for (idle, steps) in [(0, 0), (1, 1), (6, 6), (7, 7), (8, 7), (100, 7), (600, 7)] {
        let (world, _, product) = selling();
        let before = sync(&world, &product);
        world.advance(idle * DAY);
        let after = sync(&world, &product);
        assert_eq!(after.level_bps, drifted(before.level_bps, false, steps, &before.terms), "{idle} days");
        // The days that were lost do not come back.
        assert_eq!(sync(&world, &product).level_bps, after.level_bps);
        world.advance(DAY);
        assert_eq!(sync(&world, &product).level_bps, drifted(after.level_bps, false, 1, &before.terms));
    }
}

#[test]
fn the_level_moves_once_a_day_however_often_it_is_touched() {
    let (world, _, product) = selling();
    let mut expected = sync(&world, &product).level_bps;
    for _ in 0..5 {
        world.next_day();
        let terms = world.product(&product).terms;
        expected = drifted(expected, false, 1, &terms);
        for _ in 0..5 {
            assert_eq!(sync(&world, &product).level_bps, expected);
            world.advance(DAY / 5 - 1);
        }
    }
}

#[test]
fn the_level_rises_while_the_product_is_sought_and_stays_within_its_bounds() {
    let (world, _, product) = selling();
    world.holder(&product, CAPITAL * 7 / 10, 365);
    let terms = world.product(&product).terms;
    let mut expected = world.product(&product).level_bps;
    for _ in 0..75 {
        world.next_day();
        expected = drifted(expected, true, 1, &terms);
        let after = sync(&world, &product);
        // Seven tenths of the capital are seven eighths of the capacity; premium that is earned makes it a little less.
        assert_eq!(after.level_bps, expected);
        assert!((8_600..=8_750).contains(&after.utilisation_bps), "{}", after.utilisation_bps);
    }
    assert_eq!(expected, terms.max_level_bps);
}

#[test]
fn the_level_drifts_by_the_utilisation_of_its_days_not_by_what_a_deposit_makes_of_it() {
    let (world, pool, product) = selling();
    world.holder(&product, CAPITAL * 7 / 10, 365);
    let before = world.product(&product);
    // Five days of demand; then somebody brings capital that would make it look like none, and waits a boundary.
    world.advance(4 * DAY);
    world.depositor(&pool, Tranche::Senior, CAPITAL * 20);
    world.next_day();
    world.print(&product, HEALTHY);
    let quote = market(&world, &product).quote(thousand(), world.now()).unwrap();
    assert_eq!(quote.level_bps, drifted(before.level_bps, true, 5, &before.terms));
    // It counts from that boundary on.
    let after = sync(&world, &product);
    assert!(after.utilisation_bps > 8_000);
    world.next_day();
    let later = sync(&world, &product);
    assert_eq!(later.level_bps, drifted(after.level_bps, false, 1, &after.terms));
    assert!(later.utilisation_bps < 5_000);
}

#[test]
fn giving_a_cover_back_does_not_undo_the_days_of_demand_before() {
    let (world, _, product) = selling();
    let (holder, mint) = world.holder(&product, CAPITAL * 7 / 10, 365);
    let before = world.product(&product);
    world.advance(5 * DAY);
    world.run(&[&holder.key], &[ix::cancel_cover(&product, holder.id(), mint, world.payer.pubkey())]);
    let after = world.product(&product);
    assert_eq!(after.level_bps, drifted(before.level_bps, true, 5, &before.terms));
    world.next_day();
    let later = sync(&world, &product);
    assert_eq!((later.level_bps, later.utilisation_bps), (drifted(after.level_bps, false, 1, &before.terms), 0));
}

#[test]
fn no_sequence_of_calls_moves_the_level_faster_than_its_drift() {
    sellable(8, 300, |random, market, request, now, quote| {
        let mut market = market.clone();
        market.buy(request, now).unwrap();
        let (mut now, terms) = (now, market.product.terms);
        let (mut high, mut low, mut day) = (quote.level_bps, quote.level_bps, day_of(now));
        let mut covers = vec![cover_of(&market, &quote, now)];
        for _ in 0..30 {
            now += i64::from(random.pick(&[0, 1, 3_600, 86_399, 86_400, 9 * 86_400]));
            let days = u64::from(day_of(now) - day).min(MAX_DRIFT_DAYS);
            (high, low, day) = (drifted(high, true, days, &terms), drifted(low, false, days, &terms), day_of(now));
            market.trigger.evidence.last_publish_time = now;
            match random.below(3) {
                0 => {
                    let mut tried = market.clone();
                    if let Ok(quote) = tried.buy(request, now) {
                        covers.push(cover_of(&tried, &quote, now));
                        market = tried;
                    }
                }
                1 if !covers.is_empty() => {
                    let cover = covers.swap_remove(usize::try_from(random.below(covers.len() as u64)).unwrap());
                    let mut tried = market.clone();
                    if cancel(&mut tried, &cover, now).is_ok() {
                        market = tried;
                    }
                }
                _ => {
                    // What `sync_product` does.
                    market.pool.accrue(now).unwrap();
                    market.product.drift_level(&market.pool, now).unwrap();
                    market.product.sync(&mut market.pool, &*market.trigger, now).unwrap();
                }
            }
            let level = market.product.level_bps;
            assert!((low..=high).contains(&level), "{level} is not within {low} and {high}");
        }
    });
}

#[test]
fn exposure_without_capital_counts_as_twice_the_capacity_and_refuses_sales() {
    let (_, _, base) = base(&World::unsigned());
    let mut random = Random(9);
    let mut seen = 0;
    for _ in 0..2_000 {
        let (mut market, now) = random_market(&mut random, &base);
        if market.product.exposure == 0 {
            continue;
        }
        market.pool.surplus = 0;
        market.pool.tranches = Default::default();
        market.pool.unearned_premium = 0;
        let request = random_request(&mut random, &market, now);
        assert!(market.quote(request, now).is_err());
        let before = market.product.level_bps;
        market.product.level_at = now - 8 * DAY;
        (market.pool.capital_day, market.pool.unasked_lows) = (day_of(now), [0; 32]);
        market.product.drift_level(&market.pool, now).unwrap();
        assert_eq!(market.product.utilisation_bps, 20_000);
        let terms = market.product.terms;
        assert_eq!(market.product.level_bps, drifted(before, true, 7, &terms));
        seen += 1;
    }
    assert!(seen > 500, "{seen}");
}

// ---------------------------------------------------------------- solvency

#[test]
fn a_cover_that_outlives_the_quota_share_is_not_sold_on_its_credit() {
    let (world, pool, product) = selling();
    let mut books = world.pool(&pool);
    books.terms.solvency_bps = 20_000;
    let end = day_of(world.now()) + 2 + 30;
    books.quota_shares[0].treaty = pool.pool;
    books.quota_shares[0].start = world.now();
    books.quota_shares[0].end = i64::from(end) * DAY;
    books.quota_shares[0].limit_left = CAPITAL;
    books.quota_shares[0].cession_bps = 5_000;
    write_zero_copy(&world, pool.pool, &books);
    world.advance(1);
    world.print(&product, HEALTHY);
    // Twice the sum is asked for, less half of it: 120,000 need 180,000 of the 200,000 with credit, without it 240,000.
    let market = market(&world, &product);
    let quote = |term_days| market.quote(CoverRequest { sum_insured: 120_000 * ONE, term_days }, world.now());
    assert_eq!(quote(30).unwrap().end_day, end);
    assert_eq!(quote(31), Err(BackstopError::BelowRequiredCapital));
    let buyer = world.person(CAPITAL);
    let buy = |days| world.buy(&product, &buyer, 120_000 * ONE, days).1;
    assert_refused(buy(31), BackstopError::BelowRequiredCapital);
    buy(30).unwrap_or_else(|error| panic!("{}", explain(&error)));
}

#[test]
fn a_quote_refuses_a_premium_that_the_stream_cannot_carry_as_a_purchase_does() {
    let (world, pool, product) = selling();
    let mut books = world.pool(&pool);
    // A stream that runs at almost the highest rate there is.
    let end = day_of(world.now()) + 40;
    books.rate_q32 = u64::MAX - 1;
    books.rate_ends[end as usize % DAY_BUCKETS] = u64::MAX - 1;
    write_zero_copy(&world, pool.pool, &books);
    let buyer = world.person(CAPITAL);
    assert_eq!(market(&world, &product).quote(thousand(), world.now()), Err(BackstopError::StreamFull));
    assert_refused(world.send(&[], &[ix::quote(&product, thousand())]), BackstopError::StreamFull);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::StreamFull);
}

// ---------------------------------------------------------------- one price on chain and off

fn selling() -> (World, PoolKeys, ProductKeys) {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, CAPITAL / 4);
    world.depositor(&pool, Tranche::Senior, CAPITAL * 3 / 4);
    world.next_day();
    world.print(&product, HEALTHY);
    (world, pool, product)
}

fn thousand() -> CoverRequest {
    CoverRequest { sum_insured: 1_000 * ONE, term_days: 30 }
}

fn market(world: &World, product: &ProductKeys) -> Market {
    Market::fetch(&world.cluster, product).unwrap()
}

fn write(world: &World, address: Pubkey, data: Vec<u8>) {
    let account = world.cluster.account(&address).unwrap().expect("there is something to replace");
    world.cluster.set_account(address, Account { data, ..account });
}

fn write_zero_copy<T: bytemuck::Pod + Discriminator>(world: &World, address: Pubkey, value: &T) {
    write(world, address, [T::DISCRIMINATOR, bytemuck::bytes_of(value)].concat());
}

/// Puts a market on the cluster, with as much in the vault as its books ask for.
fn put(world: &World, keys: &ProductKeys, market: &Market, now: i64) {
    world.cluster.set_time(now);
    let mut protocol = Vec::new();
    market.protocol.try_serialize(&mut protocol).unwrap();
    write(world, address::protocol(), protocol);
    write_zero_copy(world, keys.pool.pool, &*market.pool);
    write_zero_copy(world, keys.product, &*market.product);
    write_zero_copy(world, keys.trigger(), &*market.trigger);
    // Nobody else's rates: those of the states before are not these books'.
    let rates: Rates = world.read(&keys.rates());
    write_zero_copy(world, keys.rates(), &Rates { ends: [0; DAY_BUCKETS], ..rates });
    let mut vault = world.cluster.account(&keys.pool.vault()).unwrap().unwrap();
    vault.data[64..72].copy_from_slice(&market.pool.cash.to_le_bytes());
    world.cluster.set_account(keys.pool.vault(), vault);
}

/// What the `quote` instruction says.
fn quote_on_chain(world: &World, keys: &ProductKeys, request: CoverRequest) -> Result<Quote, BackstopError> {
    match transaction::send(&world.cluster, &world.payer, &[], &[ix::quote(keys, request)]) {
        Ok(receipt) => Ok(quote::decode(&receipt.return_data).expect("a quote")),
        Err(error) => Err(refusal(&error)),
    }
}

#[track_caller]
fn refusal(error: &ClusterError) -> BackstopError {
    transaction::program_error(error).unwrap_or_else(|| panic!("{}", explain(error)))
}

#[test]
fn quote_premium_and_client_agree_bit_for_bit_in_ten_thousand_random_states() {
    const STATES: usize = 10_000;
    let world = World::unsigned();
    let (_, keys, base) = base(&world);
    let buyer = world.person(0);
    let mut random = Random(10);
    let mut refusals = BTreeMap::new();
    let mut sold = 0;
    for state in 0..STATES {
        let (random_state, now) = random_market(&mut random, &base);
        let request = random_request(&mut random, &random_state, now);
        put(&world, &keys, &random_state, now);
        let mut market = market(&world, &keys);
        assert_eq!(market, random_state, "what was written is what is read");
        let expected = market.quote(request, now);
        assert_eq!(quote_on_chain(&world, &keys, request), expected, "state {state}");

        let funds = u64::MAX / 4;
        world.cluster.set_tokens(&buyer.id(), &world.asset, funds);
        let (mint, outcome) = world.buy(&keys, &buyer, request.sum_insured, request.term_days);
        match expected {
            Ok(quote) => {
                outcome.unwrap_or_else(|error| panic!("state {state}: {}", explain(&error)));
                assert_eq!(funds - world.assets(&buyer), quote.premium, "state {state}");
                let cover = world.cover(&mint);
                assert_eq!((cover.premium, cover.rate_q32), (quote.premium, quote.rate_q32));
                assert_eq!((cover.active_day, cover.end_day), (quote.active_day, quote.end_day));
                // Every byte of the books is what the client says it would be.
                let before = market.pool.events;
                market.buy(request, now).unwrap();
                // But for the numbers of its events: the purchase, and the accrual before it.
                market.pool.events = world.pool(&keys.pool).events;
                assert!((1..=2).contains(&(market.pool.events - before)), "state {state}");
                let same = (world.pool(&keys.pool) == *market.pool, world.product(&keys) == *market.product);
                assert_eq!(same, (true, true), "state {state}: is the program built from these sources?");
                sold += 1;
            }
            Err(error) => {
                assert_eq!(refusal(&outcome.expect_err("the client refuses")), error, "state {state}");
                *refusals.entry(error).or_insert(0) += 1;
            }
        }
    }
    println!("{sold} sold, refused: {refusals:?}");
    assert!(sold > STATES / 3, "only {sold} states sell");
    let kinds = [
        BackstopError::PurchasesPaused,
        BackstopError::NotSelling,
        BackstopError::NoticeNotOver,
        BackstopError::ExitsWaiting,
        BackstopError::TriggerNotQuiet,
        BackstopError::PrintTooOld,
        BackstopError::PriceInBuffer,
        BackstopError::AmountTooSmall,
        BackstopError::CoverTooLarge,
        BackstopError::BadTerm,
        BackstopError::BeyondCapacity,
        BackstopError::BelowRequiredCapital,
    ];
    for kind in kinds {
        assert!(refusals.contains_key(&kind), "no state was refused with {kind:?}");
    }
}

#[test]
fn a_quote_changes_nothing() {
    let (world, pool, product) = selling();
    world.holder(&product, 1_000 * ONE, 30);
    world.advance(3 * DAY);
    world.print(&product, HEALTHY);
    let bytes = |address: &Pubkey| world.cluster.account(address).unwrap().unwrap();
    let accounts = [pool.pool, product.product, product.trigger(), address::protocol(), pool.vault()];
    let before = accounts.each_ref().map(bytes);
    quote_on_chain(&world, &product, thousand()).unwrap();
    assert_eq!(accounts.each_ref().map(bytes), before);
    // Its accounts cannot even be written: none is passed as writable.
    assert!(ix::quote(&product, thousand()).accounts.iter().all(|account| !account.is_writable && !account.is_signer));
}

#[test]
fn a_quote_takes_no_account_of_another_product() {
    let (world, pool, product) = selling();
    let sibling = world.create_product(&pool, terms::severe());
    let other_pool = world.create_pool(terms::create_pool(1));
    for (place, wrong) in [(1, other_pool.pool), (3, sibling.trigger())] {
        let mut quote = ix::quote(&product, thousand());
        quote.accounts[place].pubkey = wrong;
        assert_refused(world.send(&[], &[quote]), BackstopError::WrongParent);
    }
}
