//! Triggers through the real program: what `observe`, `refresh` and `confirm` take, refuse and do, to the second.

use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError;
use backstop::events::{Observed, PhaseChanged};
use backstop::peril::evidence::{Evidence, Phase, Severity, Terms, TermsInput};
use backstop::peril::feed::{Observation, Source, pyth_push, pyth_receiver};
use backstop::state::{CoverState, Tranche, Trigger};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::transaction;
use backstop_sandbox::embedded::Price;
use backstop_tests::terms::{self, DAY, FEED, HOUR, ONE};
use backstop_tests::{Outcome, World, assert_books, assert_refused, explain, fixtures, seeded};
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;

const BREACH: i64 = 90_000_000;
/// At or above the threshold and below the recovery.
const ABOVE: i64 = 95_500_000;
const RECOVERED: i64 = 96_000_000;

/// Seconds of a slot of the stress condition.
const SLOT: i64 = 1_800;
/// Its challenge.
const CHALLENGE: i64 = 6 * HOUR;
/// Its good slots.
const NEED: i64 = 8;

/// A pool with capital, a product on it, and the clock at the first second of a day.
fn stage(world: &World, condition: TermsInput) -> (PoolKeys, ProductKeys) {
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, condition);
    world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
    world.next_day();
    (pool, product)
}

/// The same with one cover sold, and the cover in force.
fn insured(world: &World, condition: TermsInput) -> (PoolKeys, ProductKeys) {
    let (pool, product) = stage(world, condition);
    world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.next_day();
    (pool, product)
}

/// Where the tests post prices.
fn price_account() -> Pubkey {
    seeded(7).pubkey()
}

/// Everything that an observation could change.
fn snapshot(world: &World, keys: &ProductKeys) -> Vec<Option<Account>> {
    let accounts = [keys.trigger(), keys.product, keys.pool.pool, keys.pool.vault(), price_account()];
    accounts.iter().map(|address| world.cluster.account(address).unwrap()).collect()
}

/// Shows whatever account is at the price's address.
fn observe(world: &World, keys: &ProductKeys) -> Outcome {
    world.send(&[], &[ix::observe(keys, price_account())])
}

/// Asserts that an observation is refused and changes no byte.
#[track_caller]
fn assert_no_byte(world: &World, keys: &ProductKeys, expected: BackstopError) {
    let before = snapshot(world, keys);
    assert_refused(observe(world, keys), expected);
    assert_eq!(snapshot(world, keys), before, "a refused print has changed something");
}

/// Puts an account where the tests post prices.
fn place(world: &World, owner: Pubkey, data: Vec<u8>) {
    let account = Account { lamports: 1_000_000_000, data, owner, executable: false, rent_epoch: 0 };
    world.cluster.set_account(price_account(), account);
}

/// Posts a good price update of the receiver, changed by a test.
fn place_update(world: &World, change: impl FnOnce(&mut Vec<u8>)) {
    world.cluster.post_price(price_account(), FEED, Price::e8(BREACH, 0, world.now()));
    let mut account = world.cluster.account(&price_account()).unwrap().unwrap();
    change(&mut account.data);
    world.cluster.set_account(price_account(), account);
}

fn post(world: &World, price: Price) {
    world.cluster.post_price(price_account(), FEED, price);
}

fn put(data: &mut [u8], offset: usize, bytes: &[u8]) {
    data[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn phase(world: &World, keys: &ProductKeys) -> Phase {
    world.trigger(keys).phase()
}

/// Alerts of a pool, those that are due, and their exposure.
fn alert(world: &World, pool: &PoolKeys) -> (u32, u32, u64) {
    let pool = world.pool(pool);
    (pool.alerts, pool.alerts_due, pool.alert_exposure)
}

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

/// Shows a breach published in each of a number of slots from a time on, with the clock a second later each.
#[track_caller]
fn show_run(world: &World, keys: &ProductKeys, from: i64, slots: i64) {
    for slot in 0..slots {
        world.cluster.set_time(from + slot * SLOT + 1);
        must(world.show_at(keys, BREACH, from + slot * SLOT));
    }
}

/// T of a window that begins at `from`; a second before it can still be contradicted.
fn proven_at(from: i64) -> i64 {
    from + NEED * SLOT + CHALLENGE
}

/// Shows two prices of a slot that count together, from a time in it on.
#[track_caller]
fn show_two(world: &World, keys: &ProductKeys, price: i64, published: i64) {
    must(world.show_at(keys, price, published));
    must(world.show_at(keys, price, published + SLOT / 10));
}

// ---------------------------------------------------------------- what is not a print

#[test]
fn a_price_account_of_another_owner_is_refused() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    place_update(&world, |_| {});
    let data = world.cluster.account(&price_account()).unwrap().unwrap().data;
    let strangers = [
        anchor_lang::system_program::ID,
        anchor_spl::token::ID,
        backstop::ID,
        pyth_push::PROGRAM_ID,
        "rec2HHDDnjLfj4kE7VyEtFA1HPGQLK33259532cRyHp".parse().unwrap(),
    ];
    for owner in strangers {
        place(&world, owner, data.clone());
        assert_no_byte(&world, &product, BackstopError::OracleWrongOwner);
    }
    place(&world, pyth_receiver::PROGRAM_ID, data);
    must(observe(&world, &product));
}

#[test]
fn an_account_that_the_program_itself_holds_is_refused_as_a_price() {
    let world = World::new();
    let (pool, product) = stage(&world, terms::stress());
    for account in
        [product.trigger(), product.product, pool.pool, pool.vault(), world.payer.pubkey(), seeded(99).pubkey()]
    {
        let before = snapshot(&world, &product);
        let refused = world.send(&[], &[ix::observe(&product, account)]);
        assert_refused(refused, BackstopError::OracleWrongOwner);
        assert_eq!(snapshot(&world, &product), before);
    }
}

#[test]
fn another_account_of_the_receiver_is_refused() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    place_update(&world, |data| data[0] ^= 1);
    assert_no_byte(&world, &product, BackstopError::OracleWrongLayout);
    for length in [0, 1, 40, 133, 135, 3_312] {
        place_update(&world, |data| data.resize(length, 0));
        assert_no_byte(&world, &product, BackstopError::OracleWrongLayout);
    }
}

#[test]
fn a_partially_verified_update_is_refused_wherever_its_fields_lie() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    // As the receiver writes it: the level takes two bytes, every later field lies one byte further on.
    for signatures in [0, 5, 12, 13, 255] {
        place_update(&world, |data| {
            data.truncate(133);
            data[40] = 0;
            data.insert(41, signatures);
        });
        assert_no_byte(&world, &product, BackstopError::OracleNotVerified);
    }
    // As an attacker would like it to be read: partial, with the fields of a full update.
    for level in [0, 2, 255] {
        place_update(&world, |data| data[40] = level);
        assert_no_byte(&world, &product, BackstopError::OracleNotVerified);
    }
}

#[test]
fn a_print_of_another_feed_is_refused() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    for byte in [0, 31] {
        place_update(&world, |data| data[41 + byte] ^= 1);
        assert_no_byte(&world, &product, BackstopError::OracleWrongFeed);
    }
}

#[test]
fn a_price_that_is_none_is_refused() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    let now = world.now();
    let price = |price, confidence, exponent| Price { price, confidence, exponent, publish_time: now };
    for bad in
        [price(0, 0, -8), price(-1, 0, -8), price(i64::MIN, 0, -8), price(i64::MAX, 0, 0), price(1, u64::MAX, -7)]
    {
        post(&world, bad);
        assert_no_byte(&world, &product, BackstopError::OracleBadPrice);
    }
    for exponent in [1, -13, i32::MIN, i32::MAX] {
        post(&world, price(90, 0, exponent));
        assert_no_byte(&world, &product, BackstopError::OracleBadExponent);
    }
}

#[test]
fn a_print_from_the_future_is_refused_and_one_within_five_seconds_is_not() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    world.advance(60);
    let now = world.now();
    for ahead in [6, 60, DAY] {
        post(&world, Price::e8(BREACH, 0, now + ahead));
        assert_no_byte(&world, &product, BackstopError::OracleFromFuture);
    }
    post(&world, Price::e8(BREACH, 0, i64::MAX));
    assert_no_byte(&world, &product, BackstopError::OracleFromFuture);
    post(&world, Price::e8(BREACH, 0, now + 5));
    must(observe(&world, &product));
}

#[test]
fn a_print_within_five_seconds_of_a_slot_that_has_not_begun_is_refused() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    let boundary = world.now() + SLOT;
    for before in 1..=5 {
        world.cluster.set_time(boundary - before);
        post(&world, Price::e8(BREACH, 0, boundary));
        assert_no_byte(&world, &product, BackstopError::OracleFromFuture);
    }
    world.cluster.set_time(boundary);
    must(observe(&world, &product));
}

#[test]
fn a_legacy_price_account_under_the_receivers_owner_is_refused() {
    let Some(path) = fixtures::find("pyth_legacy_price_account_sol.json") else { return };
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let account = &json["account"];
    let owner: Pubkey = account["owner"].as_str().unwrap().parse().unwrap();
    assert_eq!(owner, pyth_receiver::PROGRAM_ID);
    let data = base64_text(account["data"][0].as_str().unwrap());
    assert_eq!(data.len(), pyth_push::LENGTH);
    let world = World::new();
    let (pool, product) = stage(&world, terms::stress());
    place(&world, owner, data.clone());
    assert_no_byte(&world, &product, BackstopError::OracleWrongLayout);
    // Nor does a trigger on the push oracle take it: the owner is wrong, and its price is not trading.
    let push = push_product(&world, &pool);
    assert_no_byte(&world, &push, BackstopError::OracleWrongOwner);
    place(&world, pyth_push::PROGRAM_ID, data);
    assert_no_byte(&world, &push, BackstopError::OracleNotTrading);
}

/// Decodes standard base64.
fn base64_text(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sixes = text.bytes().filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte));
    let bits: Vec<u8> = sixes.flat_map(|six| (0..6).rev().map(move |bit| (six >> bit & 1) as u8)).collect();
    bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

#[test]
fn a_real_price_update_is_taken() {
    let Some(path) = fixtures::find("pyth_price_update_v2_usdc.bin") else { return };
    let data = std::fs::read(path).unwrap();
    let published = 1_747_165_253;
    let world = World::new();
    world.cluster.set_time(published);
    let pool = world.create_pool(terms::create_pool(0));
    let mut args = terms::create_product(world.covered, terms::stress());
    args.feed = data[41..73].try_into().unwrap();
    let product = world.create_product_with(&pool, args);
    place(&world, pyth_receiver::PROGRAM_ID, data);
    must(observe(&world, &product));
    let evidence = world.trigger(&product).evidence;
    let last = (evidence.last_price, evidence.last_confidence, evidence.last_publish_time);
    assert_eq!(last, (100_004_997, 67_956, published));
}

#[test]
fn a_print_older_than_the_ring_is_refused() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    let now = world.now();
    let tail = (now / SLOT - 255) * SLOT;
    for published in [tail - 1, tail - DAY, 1, 0, -1, i64::MIN] {
        post(&world, Price::e8(RECOVERED, 0, published));
        assert_no_byte(&world, &product, BackstopError::PrintBeforeRing);
    }
    // What the ring still holds is settled, but for the challenge.
    post(&world, Price::e8(RECOVERED, 0, tail));
    assert_no_byte(&world, &product, BackstopError::SlotClosed);
    let settled = now - CHALLENGE - SLOT;
    post(&world, Price::e8(RECOVERED, 0, settled));
    assert_no_byte(&world, &product, BackstopError::SlotClosed);
    show_two(&world, &product, RECOVERED, settled + SLOT);
    let trigger = world.trigger(&product);
    assert!(trigger.evidence.is_recovered(&trigger.terms, ((settled + SLOT) / SLOT).unsigned_abs()));
}

#[test]
fn extreme_prints_are_taken_or_refused_and_never_break_the_program() {
    let world = World::unsigned();
    let (_, product) = stage(&world, terms::stress());
    let now = world.now();
    let times = [i64::MIN, i64::MIN + 1, -1, 0, 1, now - 1, now, now + 5, now + 6, i64::MAX - 1, i64::MAX];
    for price in [i64::MIN, -1, 0, 1, BREACH, i64::MAX] {
        for confidence in [0, 1, u64::MAX] {
            for exponent in [i32::MIN, -13, -12, -8, 0, 1, i32::MAX] {
                for publish_time in times {
                    post(&world, Price { price, confidence, exponent, publish_time });
                    if let Err(error) = observe(&world, &product) {
                        assert!(transaction::program_error(&error).is_some(), "{}", explain(&error));
                    }
                }
            }
        }
    }
    // And at the ends of time.
    for clock in [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX] {
        world.cluster.set_time(clock);
        for publish_time in times {
            post(&world, Price::e8(BREACH, 0, publish_time));
            let shown = observe(&world, &product);
            let refreshed = world.send(&[], &[ix::refresh(&product)]);
            for error in [shown, refreshed].into_iter().filter_map(Result::err) {
                assert!(transaction::program_error(&error).is_some(), "{}", explain(&error));
            }
        }
    }
}

// ---------------------------------------------------------------- what a print says

#[test]
fn equal_prices_at_different_exponents_are_the_same_evidence() {
    let world = World::new();
    let (pool, product) = stage(&world, terms::stress());
    let other = world.create_product(&pool, terms::stress());
    let now = world.now();
    let plain = Price { price: 94_999_999, confidence: 0, exponent: -8, publish_time: now };
    post(&world, plain);
    must(observe(&world, &product));
    let evidence = world.trigger(&product).evidence;
    assert_eq!(evidence.phase(), Phase::Breaching);
    for (price, exponent) in [(949_999_990, -9), (949_999_990_000, -12), (949_999_989_999, -12)] {
        post(&world, Price { price, exponent, ..plain });
        must(observe(&world, &product));
        assert_eq!(world.trigger(&product).evidence, evidence);
    }
    // Rounded up, this one is at the threshold: no breach.
    post(&world, Price { price: 949_999_990_001, exponent: -12, ..plain });
    must(observe(&world, &other));
    assert_eq!(phase(&world, &other), Phase::Quiet);
}

#[test]
fn confidence_makes_breach_and_recovery_harder_to_show() {
    let world = World::new();
    let (pool, _) = stage(&world, terms::stress());
    world.advance(SLOT / 2);
    let now = world.now();
    let class = |price: i64, confidence: u64| {
        let product = world.create_product(&pool, terms::stress());
        for earlier in [SLOT / 10, 0] {
            post(&world, Price::e8(price, confidence, now - earlier));
            must(observe(&world, &product));
        }
        let Trigger { terms, evidence, .. } = world.trigger(&product);
        let slot = (now / SLOT).unsigned_abs();
        (evidence.is_good(&terms, slot), evidence.is_recovered(&terms, slot))
    };
    // Breach: price + 2 confidence < 0.95. Recovered: price - 2 confidence >= 0.96.
    assert_eq!(class(94_999_999, 0), (true, false));
    assert_eq!(class(95_000_000, 0), (false, false));
    assert_eq!(class(94_000_000, 499_999), (true, false));
    assert_eq!(class(94_000_000, 500_000), (false, false));
    assert_eq!(class(96_000_000, 0), (false, true));
    assert_eq!(class(95_999_999, 0), (false, false));
    assert_eq!(class(97_000_000, 500_000), (false, true));
    assert_eq!(class(97_000_000, 500_001), (false, false));
    assert_eq!(class(1, u64::MAX), (false, false));
    assert_eq!(class(i64::MAX, u64::MAX), (false, false));
}

#[test]
fn a_print_that_was_shown_before_changes_no_byte_of_the_books() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    for price in [BREACH, ABOVE, RECOVERED] {
        world.advance(60);
        post(&world, Price::e8(price, 0, world.now()));
        must(observe(&world, &product));
        let before = snapshot(&world, &product);
        for _ in 0..3 {
            let receipt = observe(&world, &product).unwrap();
            assert_eq!(transaction::events::<Observed>(&receipt.logs).len(), 0);
            assert_eq!(transaction::events::<PhaseChanged>(&receipt.logs).len(), 0);
        }
        assert_eq!(snapshot(&world, &product), before);
    }
}

#[test]
fn anyone_may_observe_refresh_and_confirm() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let stranger = world.person(0);
    let run = |instruction| transaction::send(&world.cluster, &stranger.key, &[], &[instruction]);
    let from = world.now();
    for slot in 0..NEED {
        world.cluster.set_time(from + slot * SLOT);
        post(&world, Price::e8(BREACH, 0, world.now()));
        must(run(ix::observe(&product, price_account())));
    }
    must(run(ix::refresh(&product)));
    world.cluster.set_time(proven_at(from));
    must(run(ix::confirm(&product)));
    assert_eq!(phase(&world, &product), Phase::Final);
}

#[test]
fn a_trigger_goes_with_its_own_product_and_pool_only() {
    let world = World::new();
    let (pool, product) = insured(&world, terms::stress());
    let sibling = world.create_product(&pool, terms::stress());
    let other_pool = world.create_pool(terms::create_pool(1));
    let stranger = world.create_product(&other_pool, terms::stress());
    post(&world, Price::e8(BREACH, 0, world.now()));
    let before = snapshot(&world, &product);
    for wrong in [sibling, stranger] {
        for mut instruction in [ix::observe(&product, price_account()), ix::refresh(&product), ix::confirm(&product)] {
            // Trigger, product, pool, in this order.
            instruction.accounts[1].pubkey = wrong.product;
            assert_refused(world.send(&[], &[instruction.clone()]), BackstopError::WrongParent);
            instruction.accounts[1].pubkey = product.product;
            instruction.accounts[2].pubkey = other_pool.pool;
            assert_refused(world.send(&[], &[instruction]), BackstopError::WrongParent);
        }
    }
    assert_eq!(snapshot(&world, &product), before);
}

#[test]
fn observe_and_refresh_and_confirm_take_no_further_accounts() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    post(&world, Price::e8(BREACH, 0, world.now()));
    for mut instruction in [ix::observe(&product, price_account()), ix::refresh(&product), ix::confirm(&product)] {
        let extra = instruction.accounts[0].clone();
        instruction.accounts.push(extra);
        assert_refused(world.send(&[], &[instruction]), BackstopError::UnexpectedAccounts);
    }
}

// ---------------------------------------------------------------- the machine on chain

/// A small generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % sides
    }
}

#[test]
fn the_machine_on_chain_is_the_pure_machine_after_every_print() {
    let condition = TermsInput {
        duration_seconds: 3_600,
        slot_seconds: 600,
        tolerance_seconds: 600,
        challenge_seconds: 7_200,
        run_on_seconds: 3 * 3_600,
        quiet_seconds: 3_600,
        ..terms::stress()
    };
    let mut ends = Vec::new();
    for seed in 0..12 {
        let world = World::unsigned();
        let (_, product) = insured(&world, condition);
        let terms = Terms::new(&condition).unwrap();
        let mut pure: Evidence = world.trigger(&product).evidence;
        let mut dice = Dice(seed);
        // Some streams are mostly below, some mixed; some cranks sleep for days.
        let recovery = 2 + dice.roll(9);
        for _ in 0..220 {
            world.advance(if dice.roll(90) == 0 { dice.roll(3 * DAY) } else { dice.roll(500) });
            let now = world.now();
            let reach = if dice.roll(4) == 0 { 5 * HOUR } else { 600 };
            let publish_time = now + 8 - dice.roll(reach);
            let price = match dice.roll(recovery) {
                0 => RECOVERED + dice.roll(3),
                1 => ABOVE,
                _ => BREACH + dice.roll(5) * 100,
            };
            let print = Observation { price: price.unsigned_abs(), confidence: 0, publish_time };
            if dice.roll(10) == 0 {
                pure.refresh(&terms, now);
                must(world.send(&[], &[ix::refresh(&product)]));
            } else {
                let shown = world.show_at(&product, price, publish_time);
                let refused = if publish_time > now + 5 {
                    Some(BackstopError::OracleFromFuture)
                } else {
                    pure.observe(&terms, &print, now).err().map(BackstopError::from)
                };
                match refused {
                    Some(error) => assert_refused(shown, error),
                    None => must(shown),
                }
            }
            assert_eq!(world.trigger(&product).evidence, pure);
        }
        ends.push(pure.phase());
    }
    assert!(ends.contains(&Phase::Final) && ends.iter().any(|end| *end != Phase::Final), "{ends:?}");
}

#[test]
fn a_hostile_crank_cannot_change_what_an_honest_one_shows_in_time() {
    // One trigger sees every print as it is published; for each of the others a hostile crank shows a choice of them in
    // some order, and an honest one the rest as late as it may: what is no recovery half a challenge after the end of the
    // first slot of the event, the two recoveries that move the event to that slot in the last second of their challenge.
    let condition = TermsInput { challenge_seconds: 86_400, ..terms::stress() };
    let world = World::unsigned();
    let (pool, honest) = insured(&world, condition);
    let others: Vec<ProductKeys> = (0..6).map(|_| world.create_product(&pool, condition)).collect();
    let from = world.now();
    let event_at = from + SLOT;
    let prints: Vec<(i64, i64)> = (0..9 * 4)
        .map(|quarter| {
            let price = match quarter {
                1 | 2 => RECOVERED,
                _ if quarter % 7 == 3 => ABOVE,
                _ => BREACH - quarter * 1_000,
            };
            (from + quarter * SLOT / 4, price)
        })
        .collect();
    for (published, price) in &prints {
        world.cluster.set_time(*published);
        must(world.show_at(&honest, *price, *published));
    }
    let mut dice = Dice(1);
    for keys in &others {
        let mut mixed = prints.clone();
        for place in (1..mixed.len()).rev() {
            mixed.swap(place, dice.roll(place as i64 + 1) as usize);
        }
        mixed.truncate(dice.roll(prints.len() as i64) as usize);
        for (published, price) in &mixed {
            must(world.show_at(keys, *price, *published));
        }
    }
    world.cluster.set_time(event_at + SLOT + DAY / 2 - 1);
    for keys in &others {
        for (published, price) in prints.iter().rev().filter(|(published, _)| *published >= event_at) {
            must(world.show_at(keys, *price, *published));
        }
    }
    // Where the recoveries were not shown yet, the window begins a slot earlier.
    world.cluster.set_time(event_at + DAY - 1);
    for keys in &others {
        for quarter in [2, 1] {
            must(world.show_at(keys, RECOVERED, from + quarter * SLOT / 4));
        }
    }
    let due = event_at + NEED * SLOT + DAY;
    world.cluster.set_time(due);
    let mut seen = Vec::new();
    for keys in [&honest].into_iter().chain(&others) {
        must(world.send(&[], &[ix::confirm(keys)]));
        let evidence = world.trigger(keys).evidence;
        seen.push((evidence.event_at, evidence.met_at, evidence.lowest_mean, evidence.severity_bps));
    }
    assert_eq!((seen[0].0, seen[0].1), (event_at, due - DAY));
    assert!(seen.iter().all(|result| *result == seen[0]), "{seen:?}");
}

// ---------------------------------------------------------------- boundary seconds

#[test]
fn a_breach_is_taken_until_half_a_challenge_after_its_slot_to_the_second() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    let slot = world.now();
    let last = slot + SLOT + CHALLENGE / 2 - 1;
    world.cluster.set_time(last);
    must(world.show_at(&product, BREACH, slot + SLOT - 1));
    assert_eq!(phase(&world, &product), Phase::Breaching);
    world.cluster.set_time(last + 1);
    for published in [slot, slot + SLOT - 1] {
        for price in [BREACH - 1, ABOVE] {
            post(&world, Price::e8(price, 0, published));
            assert_no_byte(&world, &product, BackstopError::SlotClosed);
        }
    }
    // The next slot is open, and a recovery is taken for the other half.
    must(world.show_at(&product, BREACH, slot + SLOT));
    must(world.show_at(&product, RECOVERED, slot));
    world.cluster.set_time(slot + SLOT + CHALLENGE - 1);
    must(world.show_at(&product, RECOVERED, slot + 1));
    world.cluster.set_time(slot + SLOT + CHALLENGE);
    post(&world, Price::e8(RECOVERED, 0, slot + 2));
    assert_no_byte(&world, &product, BackstopError::SlotClosed);
}

#[test]
fn a_met_trigger_is_contradicted_until_the_last_second_of_its_challenge_and_proven_at_its_end() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let from = world.now();
    show_run(&world, &product, from, NEED);
    assert_eq!(phase(&world, &product), Phase::Met);
    let last = proven_at(from) - 1;
    world.cluster.set_time(last);
    let before = world.trigger(&product).evidence;
    assert_refused(world.send(&[], &[ix::confirm(&product)]), BackstopError::NotDue);
    must(world.send(&[], &[ix::refresh(&product)]));
    // All slots of the window but its last are settled and counted; nothing else is different.
    let after = world.trigger(&product).evidence;
    assert_eq!((after.phase(), after.window_last, after.run.good), (Phase::Met, before.window_last, 7));

    // In that second two recoveries of the last slot still undo it.
    let spared = World::new();
    let (_, same) = insured(&spared, terms::stress());
    show_run(&spared, &same, from, NEED);
    spared.cluster.set_time(last);
    show_two(&spared, &same, RECOVERED, from + (NEED - 1) * SLOT);
    assert_eq!(phase(&spared, &same), Phase::Quiet);
    spared.cluster.set_time(last + 1);
    assert_refused(spared.send(&[], &[ix::confirm(&same)]), BackstopError::NotDue);

    // A second later the slot is settled, and whatever is shown brings the phase up to now first.
    world.cluster.set_time(last + 1);
    post(&world, Price::e8(RECOVERED, 0, from + (NEED - 1) * SLOT));
    assert_no_byte(&world, &product, BackstopError::SlotClosed);
    must(world.show(&product, RECOVERED));
    let evidence = world.trigger(&product).evidence;
    assert_eq!(evidence.phase(), Phase::Final);
    assert_eq!((evidence.event_at, evidence.met_at, evidence.final_at), (from, from + NEED * SLOT, last + 1));
}

#[test]
fn the_first_and_last_second_of_a_slot_belong_to_it() {
    let world = World::new();
    let (_, product) = stage(&world, terms::stress());
    let from = world.now();
    world.cluster.set_time(from + 3 * SLOT);
    must(world.show_at(&product, BREACH, from + SLOT));
    must(world.show_at(&product, BREACH, from + 3 * SLOT - 1));
    let Trigger { terms, evidence, .. } = world.trigger(&product);
    let slot = (from / SLOT).unsigned_abs();
    let good: Vec<bool> = (0..4).map(|next| evidence.is_good(&terms, slot + next)).collect();
    assert_eq!(good, [false, true, true, false]);
}

#[test]
fn nobody_can_stretch_the_wait_or_cut_it() {
    // The same eight slots, shown at once, one by one, or in their last seconds: due at the same second.
    let world = World::new();
    let (pool, in_time) = insured(&world, terms::stress());
    let late = world.create_product(&pool, terms::stress());
    let backwards = world.create_product(&pool, terms::stress());
    let from = world.now();
    show_run(&world, &in_time, from, NEED);
    world.cluster.set_time(from + SLOT + CHALLENGE / 2 - 1);
    for slot in 0..NEED - 1 {
        must(world.show_at(&late, BREACH, from + slot * SLOT));
        must(world.show_at(&backwards, BREACH, from + (NEED - 2 - slot) * SLOT));
    }
    // Further prints before, between and after make no difference.
    must(world.show_at(&late, BREACH + 1, from + 3 * SLOT + 7));
    must(world.show_at(&late, ABOVE, from));
    world.cluster.set_time(from + NEED * SLOT);
    must(world.show_at(&late, BREACH, from + NEED * SLOT));
    for keys in [&late, &backwards] {
        must(world.show_at(keys, BREACH, from + (NEED - 1) * SLOT));
    }
    world.cluster.set_time(proven_at(from) - 1);
    for keys in [&in_time, &late, &backwards] {
        assert_refused(world.send(&[], &[ix::confirm(keys)]), BackstopError::NotDue);
    }
    world.cluster.set_time(proven_at(from));
    for keys in [&in_time, &late, &backwards] {
        must(world.send(&[], &[ix::confirm(keys)]));
        let evidence = world.trigger(keys).evidence;
        assert_eq!((evidence.event_at, evidence.met_at), (from, from + NEED * SLOT));
    }
}

// ---------------------------------------------------------------- late cranks, halts, the ring

#[test]
fn a_late_crank_changes_neither_event_nor_severity_nor_who_is_paid() {
    let mut seen = Vec::new();
    for delay in [0, HOUR, 30 * DAY, 400 * DAY] {
        let world = World::new();
        let (_, product) = stage(&world, terms::stress());
        let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
        world.advance(3 * DAY);
        world.next_day();
        let from = world.now();
        show_run(&world, &product, from, NEED);
        world.cluster.set_time(proven_at(from) + delay);
        if delay == HOUR {
            // A crank that shows the wrong thing late confirms as well.
            must(world.show(&product, 100_000_000));
        } else {
            must(world.send(&[], &[ix::confirm(&product)]));
        }
        let evidence = world.trigger(&product).evidence;
        world.open_and_fund(&product);
        let incident = world.incident(&product);
        must(world.settle(&product, &holder, &mint));
        assert_eq!(world.cover(&mint).state, CoverState::Settled);
        seen.push((
            evidence.event_at - from,
            evidence.met_at - from,
            evidence.lowest_mean,
            incident.severity_bps,
            incident.gross,
        ));
        assert_eq!(evidence.final_at, proven_at(from));
    }
    assert_eq!(seen[0], (0, NEED * SLOT, 90_000_000, 3_333, 3_333 * ONE));
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

#[test]
fn a_halt_shorter_than_half_a_challenge_loses_no_evidence() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let from = world.now();
    // The cluster stops after two slots, for half a challenge; when it is back everything can be shown.
    show_run(&world, &product, from, 2);
    world.cluster.set_time(from + 3 * SLOT + CHALLENGE / 2 - 1);
    for slot in 2..NEED {
        must(world.show_at(&product, BREACH, from + slot * SLOT));
    }
    assert_eq!(phase(&world, &product), Phase::Met);
    world.cluster.set_time(proven_at(from));
    must(world.send(&[], &[ix::confirm(&product)]));
    assert_eq!(world.trigger(&product).evidence.event_at, from);
}

#[test]
fn a_halt_longer_than_half_a_challenge_costs_the_slots_that_closed_in_it() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let from = world.now();
    show_run(&world, &product, from, 2);
    // Slots 2 and 3 have closed: one more than the tolerance.
    world.cluster.set_time(from + 4 * SLOT + CHALLENGE / 2);
    for slot in 2..4 {
        post(&world, Price::e8(BREACH, 0, from + slot * SLOT));
        assert_no_byte(&world, &product, BackstopError::SlotClosed);
    }
    for slot in 4..NEED + 2 {
        must(world.show_at(&product, BREACH, from + slot * SLOT));
    }
    assert_eq!(phase(&world, &product), Phase::Breaching);
}

#[test]
fn a_window_across_the_end_of_the_ring_is_a_window() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let slot = world.now() / SLOT;
    let from = (slot + 256 - (slot + 4) % 256) * SLOT;
    assert_eq!((from / SLOT) % 256, 252);
    world.cluster.set_time(from);
    show_run(&world, &product, from, NEED);
    world.cluster.set_time(proven_at(from));
    must(world.send(&[], &[ix::confirm(&product)]));
    let evidence = world.trigger(&product).evidence;
    assert_eq!((evidence.event_at, evidence.met_at, evidence.first_mean), (from, from + NEED * SLOT, 90_000_000));
}

#[test]
fn a_ring_that_turns_forgets_its_oldest_slots_and_no_others() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let from = world.now();
    let slot = (from / SLOT).unsigned_abs();
    show_run(&world, &product, from, 3);
    // The ring's last slot is 255 after its first.
    world.cluster.set_time(from + 256 * SLOT);
    must(world.show_at(&product, BREACH, from + 256 * SLOT));
    let Trigger { terms, evidence, .. } = world.trigger(&product);
    let good: Vec<u64> = (slot..=slot + 256).filter(|slot| evidence.is_good(&terms, *slot)).collect();
    assert_eq!(good, [slot + 1, slot + 2, slot + 256]);
    // After longer than a ring nothing is left, and the old places do not count for the new slots.
    world.cluster.set_time(from + 600 * SLOT);
    must(world.show_at(&product, BREACH, from + 600 * SLOT));
    let Trigger { terms, evidence, .. } = world.trigger(&product);
    let good: Vec<u64> = (slot..=slot + 600).filter(|slot| evidence.is_good(&terms, *slot)).collect();
    assert_eq!(good, [slot + 600]);
}

// ---------------------------------------------------------------- phases and the pool's alert

#[test]
fn alert_count_and_exposure_follow_every_change_of_phase() {
    let world = World::new();
    let (pool, first) = stage(&world, terms::stress());
    let second = world.create_product(&pool, terms::stress());
    world.holder(&first, 10_000 * ONE, 30);
    // The second product's notice runs for the cooldown and three days.
    world.advance(11 * DAY);
    world.holder(&second, 5_000 * ONE, 30);
    world.advance(3 * DAY);
    world.next_day();
    let from = world.now();
    let step = |expected: (u32, u32, u64), phases: [Phase; 2]| {
        assert_eq!(alert(&world, &pool), expected);
        assert_eq!([phase(&world, &first), phase(&world, &second)], phases);
        assert_books(&world.cluster, &pool.pool);
    };
    use Phase::{Breaching, Final, Met, Quiet};
    step((0, 0, 0), [Quiet, Quiet]);
    world.print(&first, BREACH);
    step((1, 0, 10_000 * ONE), [Breaching, Quiet]);
    world.print(&second, BREACH);
    step((2, 0, 15_000 * ONE), [Breaching, Breaching]);
    must(world.show_at(&first, RECOVERED, from));
    step((2, 0, 15_000 * ONE), [Breaching, Breaching]);
    world.cluster.set_time(from + SLOT / 10);
    world.print(&first, RECOVERED);
    step((1, 0, 5_000 * ONE), [Quiet, Breaching]);
    show_run(&world, &second, from, NEED);
    step((1, 1, 5_000 * ONE), [Quiet, Met]);
    // Two recoveries in the first slot leave seven good slots.
    show_two(&world, &second, RECOVERED, from);
    step((1, 0, 5_000 * ONE), [Quiet, Breaching]);
    world.cluster.set_time(from + NEED * SLOT);
    world.print(&second, BREACH);
    step((1, 1, 5_000 * ONE), [Quiet, Met]);
    // Two recoveries in the last slot leave none after it.
    world.advance(SLOT / 10);
    show_two(&world, &second, RECOVERED, from + NEED * SLOT);
    step((0, 0, 0), [Quiet, Quiet]);
    let again = world.now() + SLOT;
    show_run(&world, &second, again, NEED);
    step((1, 1, 5_000 * ONE), [Quiet, Met]);
    world.cluster.set_time(proven_at(again));
    must(world.send(&[], &[ix::confirm(&second)]));
    step((1, 1, 5_000 * ONE), [Quiet, Final]);
    must(world.send(&[], &[world.open_incident(&second)]));
    step((0, 0, 0), [Quiet, Final]);
    assert!(world.pool(&pool).in_crisis());
    must(world.send(&[], &[world.fund_incident(&second)]));
    step((0, 0, 0), [Quiet, Final]);
}

#[test]
fn time_alone_ends_a_breach_once_too_many_slots_have_closed_without_one() {
    let world = World::new();
    let (pool, product) = insured(&world, terms::stress());
    let from = world.now();
    world.print(&product, BREACH);
    // The slot after is within the tolerance; the one after that closes half a challenge after its end.
    let last = from + 3 * SLOT + CHALLENGE / 2 - 1;
    let depositor = world.person(1_000 * ONE);
    for now in [from + 1, from + SLOT, last] {
        world.cluster.set_time(now);
        must(world.send(&[], &[ix::refresh(&product)]));
        assert_eq!(phase(&world, &product), Phase::Breaching);
        assert_eq!(alert(&world, &pool), (1, 0, 10_000 * ONE));
        let refused = world.deposit(&pool, &depositor, Tranche::Senior, 1_000 * ONE);
        assert_refused(refused, BackstopError::PoolInAlert);
    }
    world.cluster.set_time(last + 1);
    must(world.send(&[], &[ix::refresh(&product)]));
    assert_eq!(phase(&world, &product), Phase::Quiet);
    assert_eq!(alert(&world, &pool), (0, 0, 0));
    must(world.deposit(&pool, &depositor, Tranche::Senior, 1_000 * ONE));
    let before = snapshot(&world, &product);
    must(world.send(&[], &[ix::refresh(&product)]));
    assert_eq!(snapshot(&world, &product), before);
}

#[test]
fn a_product_without_exposure_triggers_without_freezing_the_pool() {
    let world = World::new();
    let (pool, product) = stage(&world, terms::stress());
    let from = world.now();
    let depositor = world.person(10_000 * ONE);
    let deposit = || must(world.deposit(&pool, &depositor, Tranche::Senior, 1_000 * ONE));
    show_run(&world, &product, from, 1);
    assert_eq!((phase(&world, &product), alert(&world, &pool)), (Phase::Breaching, (0, 0, 0)));
    deposit();
    show_run(&world, &product, from, NEED);
    assert_eq!((phase(&world, &product), alert(&world, &pool)), (Phase::Met, (0, 0, 0)));
    deposit();
    world.cluster.set_time(proven_at(from));
    must(world.send(&[], &[ix::confirm(&product)]));
    assert_eq!((phase(&world, &product), alert(&world, &pool)), (Phase::Final, (0, 0, 0)));
    deposit();
    must(world.send(&[], &[world.open_incident(&product)]));
    assert_eq!(alert(&world, &pool), (0, 0, 0));
    deposit();
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn once_final_nothing_changes() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let from = world.now();
    show_run(&world, &product, from, NEED);
    world.cluster.set_time(proven_at(from));
    must(world.send(&[], &[ix::confirm(&product)]));
    let before = world.cluster.account(&product.trigger()).unwrap();
    let prints =
        [(RECOVERED, world.now() - HOUR), (RECOVERED, world.now()), (BREACH - 1, world.now()), (ABOVE, world.now())];
    for (price, published) in prints {
        must(world.show_at(&product, price, published));
    }
    for instruction in [ix::refresh(&product), ix::confirm(&product)] {
        must(world.send(&[], &[instruction]));
    }
    world.advance(100 * DAY);
    must(world.show(&product, RECOVERED));
    must(world.send(&[], &[ix::refresh(&product)]));
    assert_eq!(world.cluster.account(&product.trigger()).unwrap(), before);
}

#[test]
fn events_tell_every_print_that_counts_and_every_change_of_phase() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let from = world.now();
    let receipt = world.show(&product, BREACH).unwrap();
    let [shown] = &transaction::events::<Observed>(&receipt.logs)[..] else { panic!() };
    assert_eq!((shown.trigger, shown.price, shown.publish_time), (product.trigger(), BREACH.unsigned_abs(), from));
    let [change] = &transaction::events::<PhaseChanged>(&receipt.logs)[..] else { panic!() };
    assert_eq!(
        (change.trigger, change.product, change.before, change.after),
        (product.trigger(), product.product, 0, 1)
    );
    show_run(&world, &product, from, NEED);
    world.cluster.set_time(proven_at(from));
    let receipt = world.run(&[], &[ix::confirm(&product)]);
    let [change] = &transaction::events::<PhaseChanged>(&receipt.logs)[..] else { panic!() };
    assert_eq!((change.before, change.after, change.event_at), (2, 4, from));
    assert_eq!((change.mean_price, change.severity_bps), (90_000_000, 3_333));
    let again = world.run(&[], &[ix::confirm(&product)]);
    assert_eq!(transaction::events::<PhaseChanged>(&again.logs).len(), 0);
}

#[test]
fn severity_follows_the_highest_breach_of_each_slot() {
    let world = World::new();
    let (_, product) = insured(&world, terms::stress());
    let from = world.now();
    for slot in 0..NEED {
        world.cluster.set_time(from + slot * SLOT + 60);
        // The lowest print of a slot counts for nothing once a higher breach was shown.
        for (second, price) in [(0, 70_000_000), (30, 84_000_000 + slot * 1_000_000), (60, 80_000_000)] {
            must(world.show_at(&product, price, from + slot * SLOT + second));
        }
    }
    world.cluster.set_time(proven_at(from));
    must(world.send(&[], &[ix::confirm(&product)]));
    let evidence = world.trigger(&product).evidence;
    // Mean of 0.84 to 0.91; (0.95 - 0.875) / (0.95 - 0.80).
    assert_eq!((evidence.first_mean, evidence.severity_bps), (87_500_000, 5_000));
}

#[test]
fn severity_stays_between_the_least_and_everything() {
    for (price, expected) in [(94_999_999, 500), (94_235_000, 510), (80_000_000, 10_000), (1, 10_000)] {
        let world = World::new();
        let (_, product) = insured(&world, terms::stress());
        world.depeg(&product, price);
        assert_eq!(world.trigger(&product).evidence.severity_bps, expected, "{price}");
    }
    let world = World::new();
    let (_, binary) = insured(&world, TermsInput { severity: Severity::Binary, ..terms::stress() });
    world.depeg(&binary, 94_999_999);
    assert_eq!(world.trigger(&binary).evidence.severity_bps, 10_000);
}

// ---------------------------------------------------------------- the push oracle

/// A product on the push oracle's account at the tests' price address.
fn push_product(world: &World, pool: &PoolKeys) -> ProductKeys {
    let mut args = terms::create_product(world.covered, terms::stress());
    args.source = Source::PythPush;
    args.feed = price_account().to_bytes();
    world.create_product_with(pool, args)
}

/// A price account of the push oracle, its fields at the offsets of Pyth's own C header.
fn push_account(price: i64, published: i64) -> Vec<u8> {
    let mut data = vec![0; 3_312];
    put(&mut data, 0, &0xa1b2_c3d4_u32.to_le_bytes());
    put(&mut data, 4, &2_u32.to_le_bytes());
    put(&mut data, 8, &3_u32.to_le_bytes());
    put(&mut data, 12, &3_312_u32.to_le_bytes());
    put(&mut data, 16, &1_u32.to_le_bytes());
    put(&mut data, 20, &(-8_i32).to_le_bytes());
    put(&mut data, 96, &published.to_le_bytes());
    put(&mut data, 208, &price.to_le_bytes());
    put(&mut data, 224, &[1]);
    data
}

fn push(world: &World, keys: &ProductKeys, price: i64) -> Outcome {
    place(world, pyth_push::PROGRAM_ID, push_account(price, world.now()));
    observe(world, keys)
}

#[test]
fn a_cover_on_the_push_oracle_is_sold_triggered_and_paid() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = push_product(&world, &pool);
    world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
    world.next_day();
    let holder = world.person(10_000 * ONE);
    must(push(&world, &product, 100_000_000));
    let (mint, bought) = world.buy(&product, &holder, 10_000 * ONE, 30);
    must(bought);
    let before = world.assets(&holder);
    world.advance(3 * DAY);
    world.next_day();
    let from = world.now();
    for slot in 0..NEED {
        world.cluster.set_time(from + slot * SLOT);
        must(push(&world, &product, 87_500_000));
    }
    world.cluster.set_time(proven_at(from));
    must(world.send(&[], &[ix::confirm(&product)]));
    world.open_and_fund(&product);
    must(world.settle(&product, &holder, &mint));
    // Half of the sum insured, and half of the premium of the time after the challenge.
    let cover = world.cover(&mint);
    let after = u64::try_from(cover.end() - proven_at(from)).unwrap();
    let unearned = u64::try_from((u128::from(cover.rate_q32) * u128::from(after)) >> 32).unwrap();
    assert_eq!(world.assets(&holder) - before, 5_000 * ONE + unearned / 2);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn what_is_no_price_of_the_push_oracle_is_refused() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = push_product(&world, &pool);
    let now = world.now();
    let good = push_account(BREACH, now);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut data = good.clone();
        change(&mut data);
        data
    };
    let hostile = [
        (with(&|data| data.truncate(3_311)), BackstopError::OracleWrongLayout),
        (with(&|data| data.push(0)), BackstopError::OracleWrongLayout),
        (with(&|data| data.clear()), BackstopError::OracleWrongLayout),
        (with(&|data| data[0] ^= 1), BackstopError::OracleWrongLayout),
        (with(&|data| data[4] = 1), BackstopError::OracleWrongLayout),
        (with(&|data| data[8] = 2), BackstopError::OracleWrongLayout),
        (with(&|data| data[16] = 0), BackstopError::OracleWrongLayout),
        (with(&|data| data[224] = 0), BackstopError::OracleNotTrading),
        (with(&|data| data[224] = 2), BackstopError::OracleNotTrading),
        (with(&|data| put(data, 20, &1_i32.to_le_bytes())), BackstopError::OracleBadExponent),
        (with(&|data| put(data, 208, &(-1_i64).to_le_bytes())), BackstopError::OracleBadPrice),
        (with(&|data| put(data, 96, &(now + 6).to_le_bytes())), BackstopError::OracleFromFuture),
    ];
    for (data, expected) in hostile {
        place(&world, pyth_push::PROGRAM_ID, data);
        assert_no_byte(&world, &product, expected);
    }
    for owner in [anchor_lang::system_program::ID, pyth_receiver::PROGRAM_ID, price_account()] {
        place(&world, owner, good.clone());
        assert_no_byte(&world, &product, BackstopError::OracleWrongOwner);
    }
    // A price update of the receiver is none, under either owner.
    place_update(&world, |_| {});
    assert_no_byte(&world, &product, BackstopError::OracleWrongOwner);
    place(&world, pyth_push::PROGRAM_ID, world.cluster.account(&price_account()).unwrap().unwrap().data);
    assert_no_byte(&world, &product, BackstopError::OracleWrongLayout);
    // The feed is the account itself: the same bytes elsewhere are another feed.
    let elsewhere = seeded(98).pubkey();
    let account =
        Account { lamports: 1_000_000_000, data: good.clone(), owner: pyth_push::PROGRAM_ID, ..Account::default() };
    world.cluster.set_account(elsewhere, account);
    let refused = world.send(&[], &[ix::observe(&product, elsewhere)]);
    assert_refused(refused, BackstopError::OracleWrongFeed);
    place(&world, pyth_push::PROGRAM_ID, good);
    must(observe(&world, &product));
    assert_eq!(world.read::<Trigger>(&product.trigger()).phase(), Phase::Breaching);
}
