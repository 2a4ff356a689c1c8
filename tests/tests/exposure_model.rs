//! The books of a product against a brute-force model: after any sequence of purchases, cancellations, syncs and days,
//! every sum that the buckets give is the sum over all covers, one by one.

use backstop::constants::{COVER_STARTS, DAY_BUCKETS, START_BUCKETS};
use backstop::error::BackstopError;
use backstop::peril::Condition;
use backstop::peril::evidence::{Severity, Terms, TermsInput};
use backstop::state::{
    CoverRequest, CoverState, Policy, Pool, PoolTerms, Product, ProductTerms, Purchase, Quote, Rates, Tranche, Trigger,
    day_of,
};
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::{Cluster, address, transaction};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Person, START, World, assert_books, explain};
use bytemuck::Zeroable;
use solana_sdk::signer::Signer;

const HEALTHY: i64 = 100_000_000;

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

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Where time goes next: seconds, boundaries and the seconds beside them, days, weeks, and now and then beyond
    /// every ring.
    fn later(&mut self, now: i64) -> i64 {
        let boundary = (now / DAY + 1) * DAY;
        match self.below(100) {
            0..15 => now + 1,
            15..30 => now + self.seconds(DAY),
            30..45 => boundary,
            45..55 => boundary - 1,
            55..65 => boundary + 1,
            65..85 => now + self.seconds(9 * DAY),
            85..94 => now + self.seconds(35 * DAY),
            94..98 => boundary + self.seconds(130) * DAY,
            _ => now + self.seconds(700 * DAY),
        }
    }

    fn seconds(&mut self, end: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(end).unwrap())).unwrap()
    }
}

// ---------------------------------------------------------------- the model

/// A cover as its buyer remembers it.
#[derive(Clone, Copy, Debug)]
struct Sold {
    id: u64,
    bought: u32,
    active: u32,
    end: u32,
    sum: u64,
    premium: u64,
    rate: u64,
}

/// All covers of a product that were not given back, and what is known of the calls that released some.
struct Model {
    covers: Vec<Sold>,
    ring_days: u32,
    released_day: u32,
    newest_activation_day: u32,
    last_sale_day: u32,
}

impl Model {
    fn of(product: &Product) -> Self {
        Self {
            covers: Vec::new(),
            ring_days: product.ring_days,
            released_day: product.released_day,
            newest_activation_day: product.newest_activation_day,
            last_sale_day: product.newest_activation_day,
        }
    }

    fn sum(&self, which: impl Fn(&Sold) -> bool, what: impl Fn(&Sold) -> u64) -> u64 {
        self.covers.iter().filter(|cover| which(cover)).map(what).sum()
    }

    /// A call that releases what can be released, the trigger being quiet.
    fn release(&mut self, now: i64) {
        self.released_day = self.released_day.max(day_of(now) - self.ring_days);
    }

    fn sell(&mut self, now: i64, cover: Sold) {
        self.release(now);
        self.newest_activation_day = self.newest_activation_day.max(cover.active);
        self.last_sale_day = day_of(now);
        self.covers.push(cover);
    }

    /// Covers that one may try to give back: all that have not ended and were not bought today.
    fn current(&self, now: i64) -> Vec<Sold> {
        let current = |cover: &&Sold| i64::from(cover.end) * DAY > now && cover.bought < day_of(now);
        self.covers.iter().filter(current).copied().collect()
    }

    fn cancel(&mut self, id: u64) {
        self.covers.retain(|cover| cover.id != id);
    }

    /// Forgets covers that no bucket can hold any more: nothing below may depend on them.
    fn forget(&mut self, accrued_at: i64) {
        let (released, newest) = (self.released_day.min(day_of(accrued_at)), self.newest_activation_day);
        self.covers.retain(|cover| cover.end > released || cover.active + COVER_STARTS as u32 > newest);
    }

    fn exposure(&self) -> u64 {
        self.sum(|cover| cover.end > self.released_day, |cover| cover.sum)
    }

    /// Compares everything that a product knows.
    fn check(&self, product: &Product, now: i64) {
        assert_eq!(product.exposure, self.exposure());
        assert_eq!(product.released_day, self.released_day);
        assert_eq!(product.newest_activation_day, self.newest_activation_day);

        let mut ends = [0; DAY_BUCKETS];
        for cover in self.covers.iter().filter(|cover| cover.end > self.released_day) {
            ends[cover.end as usize % DAY_BUCKETS] += cover.sum;
        }
        assert_eq!(product.exposure_ends, ends);

        let newest = self.newest_activation_day;
        for day in newest + 1 - COVER_STARTS as u32..=newest {
            let start = product.starts[day as usize % COVER_STARTS];
            let of_day = |what: fn(&Sold) -> u64| self.sum(|cover| cover.active == day, what);
            let kept = (start.sum_insured, start.premium, start.rate_q32);
            assert_eq!(kept, (of_day(|cover| cover.sum), of_day(|cover| cover.premium), of_day(|cover| cover.rate)));
            let due = |cover: &Sold| u128::from(cover.rate) * u128::from(cover.end - cover.active) * 86_400;
            let due: u128 = self.covers.iter().filter(|cover| cover.active == day).map(due).sum();
            assert_eq!(start.due_q32(), due);
        }

        // Every event that evidence could still prove: the ring reaches back from now, and from the last sale at most
        // so far that all waiting covers have their buckets.
        let oldest = self.released_day.max(self.last_sale_day - self.ring_days);
        let today = day_of(now);
        let events = (oldest..=today.min(oldest + 40)).chain(today.saturating_sub(40).max(oldest)..=today + 1);
        for day in events {
            for at in [i64::from(day) * DAY, i64::from(day) * DAY + DAY - 1] {
                let affected = product.affected(at).unwrap();
                let in_force = self.sum(|cover| cover.active <= day && day < cover.end, |cover| cover.sum);
                let waiting = self.sum(|cover| cover.active > day, |cover| cover.premium);
                assert_eq!((affected.sums, affected.premiums), (in_force, waiting), "event on day {day}, {at}");
            }
        }
    }
}

/// Compares the stream of a pool with the covers of all its products.
fn check_stream(pool: &Pool, models: &[&Model], sold: u64) {
    let day = day_of(pool.accrued_at);
    let (mut starts, mut ends) = ([0; START_BUCKETS], [0; DAY_BUCKETS]);
    let (mut rate, mut waiting, mut unearned) = (0, 0, pool.held_back_premium);
    for cover in models.iter().flat_map(|model| &model.covers).filter(|cover| cover.end > day) {
        ends[cover.end as usize % DAY_BUCKETS] += cover.rate;
        if cover.active > day {
            starts[cover.active as usize % START_BUCKETS] += cover.rate;
            waiting += cover.rate;
        } else {
            rate += cover.rate;
        }
        let from = pool.accrued_at.max(i64::from(cover.active) * DAY);
        let left = u128::try_from(i64::from(cover.end) * DAY - from).unwrap();
        unearned += u64::try_from((u128::from(cover.rate) * left) >> 32).unwrap();
    }
    assert_eq!((pool.rate_q32, pool.waiting_rate_q32), (rate, waiting));
    assert_eq!((pool.rate_starts, pool.rate_ends), (starts, ends));
    // What rounding leaves is at most three units of each cover sold since the pool last had nothing unearned.
    assert!(pool.unearned_premium >= unearned);
    assert!(pool.unearned_premium - unearned <= 3 * sold, "{} {unearned}", pool.unearned_premium);
    assert_eq!(pool.total_exposure, models.iter().map(|model| model.exposure()).sum::<u64>());
    pool.invariant().unwrap();
}

// ---------------------------------------------------------------- the rules alone, for a very long time

/// A pool and a product as their instructions would have made them, without accounts.
struct Bare {
    pool: Box<Pool>,
    product: Box<Product>,
    rates: Box<Rates>,
    trigger: Box<Trigger>,
    now: i64,
}

fn zeroed<T: Zeroable>() -> Box<T> {
    bytemuck::allocation::zeroed_box()
}

impl Bare {
    fn new(terms: ProductTerms, condition: &TermsInput) -> Self {
        let condition = Terms::new(condition).unwrap();
        let ring_days = condition.ring_days();
        terms.validate().unwrap();
        terms.require_room_beside(ring_days).unwrap();
        let mut pool: Box<Pool> = zeroed();
        pool.terms = PoolTerms { min_sum_insured: 1_000, ..terms::pool_terms() };
        pool.accrued_at = START;
        pool.capital_day = day_of(START);
        pool.surplus = 1_000_000 * ONE;
        (pool.capital_lows, pool.unasked_lows) = ([pool.surplus; 32], [pool.surplus; 32]);
        pool.cash = pool.surplus;
        let mut product: Box<Product> = zeroed();
        product.terms = terms;
        product.risk_rate_ppb = terms.risk_rate_ppb;
        product.level_bps = terms.level_bps;
        product.level_at = START;
        product.released_day = day_of(START) - ring_days;
        product.newest_activation_day = day_of(START);
        product.ring_days = ring_days;
        let mut trigger: Box<Trigger> = zeroed();
        trigger.terms = condition;
        trigger.evidence.last_price = 2 * condition.threshold;
        let mut rates: Box<Rates> = zeroed();
        rates.cleared_day = day_of(START);
        Self { pool, product, rates, trigger, now: START }
    }

    fn buy(&mut self, request: CoverRequest) -> Option<Quote> {
        self.trigger.evidence.last_publish_time = self.now;
        let (pool, product, rates) = (self.pool.clone(), self.product.clone(), self.rates.clone());
        let purchase =
            Purchase { product: Default::default(), insured: Default::default(), request, max_premium: u64::MAX };
        let sold = self.product.sell(&mut self.pool, &mut self.rates, &*self.trigger, &purchase, self.now);
        if sold.is_err() {
            // A failed transaction leaves nothing behind.
            (self.pool, self.product, self.rates) = (pool, product, rates);
        }
        sold.ok().map(|(_, sale)| sale.quote)
    }

    /// Lets the condition breach, or no longer, as its pool counts it.
    fn breach(&mut self, breaching: bool) {
        let before = self.trigger.alert();
        self.trigger.evidence.phase = u8::from(breaching);
        let alert = self.product.alert(self.trigger.alert_number);
        let number = self.pool.move_alert(alert, before, self.trigger.alert(), self.now).unwrap();
        self.trigger.alert_number = number;
    }

    /// What `sync_product` does.
    fn sync(&mut self) {
        self.pool.accrue(self.now).unwrap();
        self.product.drift_level(&self.pool, self.now).unwrap();
        self.product.sync(&mut self.pool, &*self.trigger, self.now).unwrap();
    }

    fn cancel(&mut self, sold: &Sold) {
        let policy = Policy {
            product: Default::default(),
            insured: Default::default(),
            version: backstop::constants::ACCOUNT_VERSION,
            state: CoverState::Active,
            cancel_fee_bps: self.product.terms.cancel_fee_bps,
            active_day: sold.active,
            end_day: sold.end,
            sum_insured: sold.sum,
            premium: sold.premium,
            rate_q32: sold.rate,
            bought_at: i64::from(sold.bought) * DAY,
            paid: 0,
            refunded: 0,
            minted_day: 0,
            has_lien: false,
            was_changed: false,
            reserved: [0; 10],
        };
        self.product.cancel(&mut self.pool, &mut self.rates, &*self.trigger, &policy, self.now).unwrap();
    }
}

fn run_bare(seed: u64, terms: ProductTerms, condition: &TermsInput, steps: u64) {
    let mut random = Random(seed);
    let mut bare = Bare::new(terms, condition);
    let mut model = Model::of(&bare.product);
    let (mut sold, mut given_back, mut sold_since_empty) = (0, 0, 0);
    for step in 0..steps {
        match random.below(100) {
            0..45 => {
                let request = CoverRequest {
                    sum_insured: random.between(1_000, 30_000 * ONE),
                    term_days: u16::try_from(random.between(terms.min_term_days.into(), terms.max_term_days.into()))
                        .unwrap(),
                };
                if let Some(quote) = bare.buy(request) {
                    let cover = Sold {
                        id: step,
                        bought: day_of(bare.now),
                        active: quote.active_day,
                        end: quote.end_day,
                        sum: quote.sum_insured,
                        premium: quote.premium,
                        rate: quote.rate_q32,
                    };
                    model.sell(bare.now, cover);
                    sold += 1;
                    sold_since_empty += 1;
                }
            }
            45..65 => {
                let current = model.current(bare.now);
                if bare.trigger.is_quiet() && !current.is_empty() {
                    let cover = current[usize::try_from(random.below(current.len() as u64)).unwrap()];
                    bare.cancel(&cover);
                    model.cancel(cover.id);
                    given_back += 1;
                }
            }
            65..75 => {
                // Also in an alert: no event is proven.
                bare.sync();
                model.release(bare.now);
            }
            75..80 => bare.breach(random.below(4) == 0),
            _ => bare.now = random.later(bare.now),
        }
        if bare.pool.unearned_premium == 0 {
            sold_since_empty = 0;
        }
        model.check(&bare.product, bare.now);
        check_stream(&bare.pool, &[&model], sold_since_empty);
        // The only product's rates are the pool's, but for buckets that are yet to be emptied.
        let day = day_of(bare.pool.accrued_at);
        for day in day + 1..=(day + 511).min(bare.rates.cleared_day + 512) {
            let bucket = day as usize % DAY_BUCKETS;
            assert_eq!(bare.rates.ends[bucket], bare.pool.rate_ends[bucket]);
        }
        model.forget(bare.pool.accrued_at);
    }
    let days = (bare.now - START) / DAY;
    println!("{sold} sold, {given_back} given back in {days} days");
    assert!(sold > steps / 10 && given_back > steps / 30, "{sold} sold, {given_back} given back");
    assert!(days > 20 * 512, "{days} days: the rings should turn many times");
}

/// Terms that fill the buckets to the last day that creation allows.
fn widest(waiting_days: u32, ring_days: u32) -> ProductTerms {
    let longest = 510 - ring_days - waiting_days - 1;
    ProductTerms {
        waiting_seconds: waiting_days * 86_400,
        min_term_days: 4,
        max_term_days: u16::try_from(longest).unwrap(),
        ..terms::product_terms()
    }
}

/// A condition whose ring spans a day.
fn quick() -> TermsInput {
    TermsInput {
        slot_seconds: 300,
        duration_seconds: 3_600,
        tolerance_seconds: 600,
        challenge_seconds: 7_200,
        quiet_seconds: 3_600,
        severity: Severity::Binary,
        ..terms::stress()
    }
}

#[test]
fn sums_are_those_of_all_covers_with_the_longest_term() {
    run_bare(1, widest(1, 6), &terms::stress(), 12_000);
}

#[test]
fn sums_are_those_of_all_covers_with_the_longest_wait() {
    // The ring of one-hour slots spans eleven days: 19 days of waiting fill the activation buckets.
    run_bare(2, widest(19, 11), &terms::severe(), 12_000);
}

#[test]
fn sums_are_those_of_all_covers_with_the_shortest_ring_and_the_longest_wait() {
    run_bare(3, widest(29, 1), &quick(), 12_000);
}

#[test]
fn sums_are_those_of_all_covers_with_short_terms() {
    let terms = ProductTerms { min_term_days: 1, max_term_days: 5, ..terms::product_terms() };
    run_bare(4, terms, &quick(), 12_000);
}

// ---------------------------------------------------------------- the real program

struct Chain {
    world: World,
    pool: PoolKeys,
    products: [ProductKeys; 2],
    people: Vec<Person>,
}

fn chain(waiting_days: u32) -> Chain {
    let world = World::unsigned();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = u32::try_from(30 * DAY).unwrap();
    let pool = world.create_pool(args);
    let products = [terms::stress(), terms::severe()].map(|condition| {
        let mut args = terms::create_product(world.covered, condition);
        let ring_days = Terms::new(&condition).unwrap().ring_days();
        args.terms = widest(waiting_days, ring_days);
        args.terms.cap_bps = 5_000;
        world.create_product_with(&pool, args)
    });
    world.depositor(&pool, Tranche::Junior, 500_000 * ONE);
    let people = (0..3).map(|_| world.person(10_000_000 * ONE)).collect();
    world.next_day();
    Chain { world, pool, products, people }
}

fn run_chain(seed: u64, waiting_days: u32, steps: u64) {
    let Chain { world, pool, products, people } = chain(waiting_days);
    let mut random = Random(seed);
    let mut models = products.each_ref().map(|keys| Model::of(&world.product(keys)));
    // Mint, holder and product of each cover, by its number in the model.
    let mut nfts = Vec::new();
    let (mut sold, mut given_back, mut refused, mut capital) = (0, 0, 0, world.pool(&pool).cash);
    let mut sold_since_empty = 0;
    for _ in 0..steps {
        let which = usize::try_from(random.below(2)).unwrap();
        let (keys, model) = (&products[which], &mut models[which]);
        match random.below(100) {
            0..45 => {
                if random.below(10) > 0 {
                    world.print(keys, HEALTHY);
                }
                let holder = usize::try_from(random.below(3)).unwrap();
                let sum = random.between(ONE, 12_000 * ONE);
                let term = u16::try_from(random.between(4, world.product(keys).terms.max_term_days.into())).unwrap();
                let (mint, outcome) = world.buy(keys, &people[holder], sum, term);
                match outcome {
                    Ok(_) => {
                        let cover = world.cover(&mint);
                        let id = nfts.len() as u64;
                        nfts.push((mint, holder));
                        capital += cover.premium;
                        model.sell(
                            world.now(),
                            Sold {
                                id,
                                bought: cover.bought_day(),
                                active: cover.active_day,
                                end: cover.end_day,
                                sum: cover.sum_insured,
                                premium: cover.premium,
                                rate: cover.rate_q32,
                            },
                        );
                        sold += 1;
                        sold_since_empty += 1;
                    }
                    Err(error) => {
                        let expected = [
                            BackstopError::BeyondCapacity,
                            BackstopError::TriggerNotQuiet,
                            BackstopError::GroupInAlert,
                            BackstopError::PrintTooOld,
                            BackstopError::PriceInBuffer,
                            BackstopError::AccrualStands,
                        ];
                        let kind = transaction::program_error(&error);
                        assert!(kind.is_some_and(|kind| expected.contains(&kind)), "{}", explain(&error));
                        refused += 1;
                    }
                }
            }
            45..65 => {
                let current = model.current(world.now());
                if !current.is_empty() {
                    let cover = current[usize::try_from(random.below(current.len() as u64)).unwrap()];
                    let (mint, holder) = nfts[usize::try_from(cover.id).unwrap()];
                    let back = ix::cancel_cover(keys, people[holder].id(), mint, world.payer.pubkey());
                    let before = world.assets(&people[holder]);
                    let outcome = world.send(&[&people[holder].key], &[back]);
                    if world.trigger(keys).is_quiet() {
                        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
                        capital -= world.assets(&people[holder]) - before;
                        model.cancel(cover.id);
                        given_back += 1;
                        assert!(world.cluster.account(&address::cover(&mint)).unwrap().is_none());
                    } else {
                        assert!(outcome.is_err());
                    }
                }
            }
            65..75 => {
                world.run(&[], &[ix::sync_product(keys)]);
                if !world.trigger(keys).is_proven_by(world.now()) {
                    model.release(world.now());
                }
            }
            75..78 => {
                // A breach that comes to nothing.
                world.print(keys, 80_000_000);
                world.advance(2 * HOUR);
            }
            _ => world.cluster.set_time(random.later(world.now())),
        }
        models[which].check(&world.product(&products[which]), world.now());
        let books = world.pool(&pool);
        if books.unearned_premium == 0 {
            sold_since_empty = 0;
        }
        check_stream(&books, &[&models[0], &models[1]], sold_since_empty);
        assert_eq!(books.cash, capital, "what was paid in, less what was paid back");
        assert_books(&world.cluster, &pool.pool);
    }
    let days = (world.now() - START) / DAY;
    println!("{sold} sold, {refused} refused, {given_back} given back in {days} days");
    assert!(sold > steps / 10 && given_back > steps / 30 && refused > 0);
    assert!(days > 5 * 512, "{days} days: the rings should turn several times");

    // And then it happens: what the incident must pay is the sum over the covers, one by one.
    let keys = &products[0];
    world.print(keys, HEALTHY);
    world.advance(DAY);
    world.print(keys, HEALTHY);
    for term in [4, 9, 200] {
        let (mint, outcome) = world.buy(keys, &people[0], 1_000 * ONE, term);
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        let cover = world.cover(&mint);
        let (active, end, sum, premium) = (cover.active_day, cover.end_day, cover.sum_insured, cover.premium);
        models[0].sell(
            world.now(),
            Sold { id: u64::MAX, bought: cover.bought_day(), active, end, sum, premium, rate: cover.rate_q32 },
        );
    }
    world.advance(2 * DAY);
    world.depeg(keys, 80_000_000);
    let event = day_of(world.trigger(keys).evidence.event_at);
    world.run(&[], &[world.open_incident(keys)]);
    let in_force = models[0].sum(|cover| cover.active <= event && event < cover.end, |cover| cover.sum);
    let waiting = models[0].sum(|cover| cover.active > event, |cover| cover.premium);
    assert!(in_force + waiting > 0);
    let incident = world.incident(keys);
    assert_eq!((incident.gross, incident.premiums_left), (in_force, waiting));
    // What goes back to covers that waited is what they had not earned, to less than a unit of each.
    let unearned = |cover: &Sold| {
        let from = incident.accrued_at.max(i64::from(cover.active) * DAY);
        (u128::from(cover.rate) * u128::try_from(i64::from(cover.end) * DAY - from).unwrap()) >> 32
    };
    let waited: Vec<&Sold> = models[0].covers.iter().filter(|cover| cover.active > event).collect();
    let refunds: u128 = waited.iter().map(|cover| unearned(cover)).sum();
    let set_aside = u128::from(incident.refunds_left);
    assert!((refunds..=refunds + waited.len() as u128).contains(&set_aside), "{refunds} {set_aside}");
    assert_eq!(u128::from(world.pool(&pool).premium_refunds), set_aside);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn the_program_books_what_a_sum_over_all_covers_gives() {
    run_chain(5, 1, 1_500);
}

#[test]
fn the_program_books_what_a_sum_over_all_covers_gives_with_a_long_wait() {
    run_chain(6, 19, 1_500);
}
