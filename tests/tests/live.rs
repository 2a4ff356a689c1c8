//! Live feeds through the real program: who may show, what counts, and a product from sale to payout. The accounts are made
//! by hand after the layouts that their programs document.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::constants::MAX_PRICE_AGE;
use backstop::error::BackstopError as E;
use backstop::events::{Observed, ReadingShown};
use backstop::peril::evidence::{Direction, Phase, Severity, SlotState};
use backstop::peril::feed::{Source, spl_lending, stake_pool};
use backstop::state::{Live, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_client::transaction;
use backstop_tests::forwarder::{self, MULTISIG};
use backstop_tests::live::{product, put, reserve_bytes, show, show_twice, stake_pool_bytes};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, World, assert_refused, budget, explain, seeded};
use solana_sdk::signer::Signer;

const SOL: u64 = 1_000_000_000;
const OWNER: Pubkey = stake_pool::PROGRAM_IDS[0];

/// A pool with capital, and a product on a stake pool.
fn stage(world: &World) -> (PoolKeys, ProductKeys, Pubkey) {
    let pool = world.create_pool(terms::create_pool(0));
    let account = seeded(70).pubkey();
    world.cluster.set_epoch(5);
    rate(world, account, 120);
    let keys = world.create_product_with(&pool, product(world, Source::StakePoolRate, account));
    world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
    world.next_day();
    (pool, keys, account)
}

/// Lets the stake pool hold so many SOL for a hundred tokens.
fn rate(world: &World, account: Pubkey, sol: u64) {
    put(world, account, OWNER, stake_pool_bytes(sol * SOL, 100 * SOL, 5));
}

#[track_caller]
fn accepted(outcome: Outcome) -> Vec<String> {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error))).logs
}

/// Everything that a showing could change.
fn bytes(world: &World, product: &ProductKeys) -> Vec<solana_sdk::hash::Hash> {
    let accounts = [product.trigger(), product.live(), product.product, product.pool.pool];
    let data = |address| world.cluster.account(address).unwrap().unwrap().data;
    accounts.iter().map(|address| solana_sdk::hash::hash(&data(address))).collect()
}

/// Each of these accounts in the feed's place is refused by its own error, and changes nothing.
#[track_caller]
fn refuses(world: &World, product: &ProductKeys, account: Pubkey, cases: Vec<(&str, Pubkey, Vec<u8>, E)>) {
    let before = bytes(world, product);
    for (what, owner, data, expected) in cases {
        put(world, account, owner, data);
        let outcome = show(world, product, account);
        let code = outcome.as_ref().err().and_then(transaction::program_error);
        assert_eq!(code, Some(expected), "{what}: {:?}", outcome.as_ref().err().map(explain));
        assert_eq!(bytes(world, product), before, "{what}");
    }
}

fn state(world: &World, product: &ProductKeys) -> SlotState {
    let trigger = world.trigger(product);
    trigger.evidence.state(&trigger.terms, trigger.terms.slot_of(world.now()).unwrap())
}

#[test]
fn a_product_on_a_stake_pool_goes_from_sale_to_payout() {
    let world = World::new();
    let (_, product, account) = stage(&world);
    let buyer = world.person(10_000 * ONE);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, E::PrintTooOld);
    show_twice(&world, &product, account);
    // The first two showings are the peak; the second is the first that has a price, and nothing confirms it yet.
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, E::PrintTooOld);
    show_twice(&world, &product, account);
    let (mint, outcome) = world.buy(&product, &buyer, 1_000 * ONE, 30);
    accepted(outcome);
    world.advance(4 * DAY);
    world.next_day();
    // Slashed by a tenth.
    rate(&world, account, 108);
    for _ in 0..36 {
        show_twice(&world, &product, account);
    }
    assert_eq!(world.trigger(&product).phase(), Phase::Met);
    audited(&world);
    world.advance(3 * HOUR);
    accepted(world.send(&[], &[ix::confirm(&product)]));
    // 5 of 45 cents.
    assert_eq!(world.trigger(&product).evidence.severity_bps, 1_111);
    world.open_and_fund(&product);
    let before = world.assets(&buyer);
    accepted(world.settle(&product, &buyer, &mint));
    assert!(world.assets(&buyer) - before >= 111 * ONE);
    audited(&world);
}

#[track_caller]
fn audited(world: &World) {
    let audit = backstop_client::audit::run(&world.cluster, None).expect("the cluster answers");
    let off: Vec<_> = audit.pools.iter().flat_map(|it| &it.outcomes).flat_map(|it| &it.findings).collect();
    assert!(off.is_empty(), "{off:#?}");
}

#[test]
fn a_product_on_a_lending_reserve_is_shown_a_loss() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let account = seeded(71).pubkey();
    let reserve =
        |borrowed: u64| put(&world, account, spl_lending::SAVE_ID, reserve_bytes(400 * ONE, borrowed, 1_000 * ONE));
    reserve(800 * ONE);
    let keys = world.create_product_with(&pool, product(&world, Source::SplLendingRate, account));
    show_twice(&world, &keys, account);
    show_twice(&world, &keys, account);
    assert_eq!(state(&world, &keys), SlotState::Recovered);
    // A fifth of the debt is forgiven: 1,040 of 1,200.
    reserve(640 * ONE);
    show_twice(&world, &keys, account);
    let trigger = world.trigger(&keys);
    let slot = trigger.terms.slot_of(world.now()).unwrap();
    assert_eq!(trigger.evidence.breach_price(&trigger.terms, slot), Some(86_666_667));
    assert_eq!(trigger.phase(), Phase::Breaching);
    let live: Live = world.read(&keys.live());
    assert_eq!(live.readings.peak, 1_200_000_000_000);
}

#[test]
fn two_showings_149_slots_apart_count_for_nothing_and_150_do() {
    for (apart, counts) in [(149, false), (150, true)] {
        let world = World::new();
        let (_, product, account) = stage(&world);
        show_twice(&world, &product, account);
        rate(&world, account, 60);
        world.cluster.set_time((world.now() / 600 + 1) * 600);
        let logs = accepted(show(&world, &product, account));
        let shown = &transaction::events::<ReadingShown>(&logs)[0];
        assert_eq!((shown.price, shown.level, shown.peak), (50_000_000, 600_000_000_000, 1_200_000_000_000));
        assert!(transaction::events::<Observed>(&logs).is_empty());
        world.cluster.skip_slots(apart);
        let logs = accepted(show(&world, &product, account));
        assert_eq!(!transaction::events::<Observed>(&logs).is_empty(), counts, "{apart} slots");
        assert_eq!(state(&world, &product) == SlotState::Good, counts, "{apart} slots");
    }
}

#[test]
fn a_flash_counts_neither_up_nor_down_in_one_transaction_or_across_some() {
    let world = World::new();
    let (_, product, account) = stage(&world);
    show_twice(&world, &product, account);
    world.cluster.set_time((world.now() / 600 + 1) * 600);
    accepted(show(&world, &product, account));
    world.cluster.skip_slots(200);
    // A bundle: down, shown, up, shown, and back, all in one slot of the ledger.
    for sol in [1, 60, 110, 500] {
        rate(&world, account, sol);
        accepted(show(&world, &product, account));
    }
    rate(&world, account, 120);
    let live: Live = world.read(&product.live());
    assert_eq!(live.readings.peak, 1_200_000_000_000, "what one bundle shows raises no peak");
    world.advance(200);
    world.cluster.skip_slots(200);
    accepted(show(&world, &product, account));
    assert_eq!(state(&world, &product), SlotState::Recovered);
    let evidence = world.trigger(&product).evidence;
    assert_eq!((evidence.last_price, evidence.phase()), (100_000_000, Phase::Quiet));
    // In the next slot of the evidence nothing of it is left.
    world.cluster.set_time((world.now() / 600 + 1) * 600);
    rate(&world, account, 1);
    accepted(show(&world, &product, account));
    assert_eq!(state(&world, &product), SlotState::Open);
}

#[test]
fn a_showing_stands_alone() {
    let world = World::new();
    let (_, product, account) = stage(&world);
    let before = bytes(&world, &product);
    let reading = ix::observe_live(&product, account);
    let transfer = solana_sdk::instruction::Instruction {
        program_id: anchor_lang::system_program::ID,
        accounts: vec![
            solana_sdk::instruction::AccountMeta::new(world.payer.pubkey(), true),
            solana_sdk::instruction::AccountMeta::new(seeded(72).pubkey(), false),
        ],
        data: [2u32.to_le_bytes().as_slice(), &1_000_000_000u64.to_le_bytes()].concat(),
    };
    for company in [vec![transfer.clone(), reading.clone()], vec![reading.clone(), transfer.clone()]] {
        assert_refused(world.send(&[], &company), E::ReadingNotAlone);
    }
    // Among others of this program, and as often as one likes.
    let mut fake = reading.clone();
    fake.accounts[5].pubkey = account;
    assert_refused(world.send(&[], &[fake]), E::WrongAccount);
    assert_eq!(bytes(&world, &product), before);
    let own: Vec<Instruction> = vec![budget(), ix::accrue(product.pool.pool), reading.clone(), reading];
    accepted(world.send(&[], &own));
}

/// Through a program that passes on what it is told: whoever calls a showing may have moved the value before, and move it back
/// after.
#[test]
fn a_showing_that_a_program_passes_on_is_refused_and_changes_no_byte() {
    let world = World::new();
    let (_, product, account) = stage(&world);
    show_twice(&world, &product, account);
    let outer = seeded(75).pubkey();
    for program in [MULTISIG, outer] {
        forwarder::install(&mut world.cluster.svm(), program);
    }
    let seeds = |program: &Pubkey| vec![b"vault".to_vec(), vec![Pubkey::find_program_address(&[b"vault"], program).1]];
    let reading = ix::observe_live(&product, account);
    let passed = forwarder::forward(MULTISIG, &seeds(&MULTISIG), reading.clone());
    // A program that calls a program that calls.
    let twice = forwarder::forward(outer, &seeds(&outer), passed.clone());
    let before = bytes(&world, &product);
    let ways: [Vec<Instruction>; 4] = [
        vec![passed.clone()],
        vec![budget(), passed.clone()],
        // Behind one that stands for itself, nor does a second one make it count.
        vec![passed.clone(), passed.clone()],
        vec![budget(), ix::accrue(product.pool.pool), passed.clone()],
    ];
    for way in ways {
        assert_refused(world.send(&[], &way), E::ReadingNotTopLevel);
        assert_eq!(bytes(&world, &product), before);
    }
    assert_refused(world.send(&[], &[twice]), E::ReadingNotTopLevel);
    // Whatever the value was moved to meanwhile: a showing in company is none, the called one among them.
    rate(&world, account, 1);
    assert_refused(world.send(&[], std::slice::from_ref(&passed)), E::ReadingNotTopLevel);
    assert_refused(world.send(&[], &[reading.clone(), passed]), E::ReadingNotAlone);
    assert_eq!(bytes(&world, &product), before);
    rate(&world, account, 120);
    accepted(world.send(&[], &[budget(), reading]));
}

#[test]
fn every_rule_of_a_showing_has_its_own_refusal_and_changes_no_byte() {
    let world = World::new();
    let (pool, product, account) = stage(&world);
    show_twice(&world, &product, account);
    let before = bytes(&world, &product);
    let good = stake_pool_bytes(120 * SOL, 100 * SOL, 5);
    let mut list = good.clone();
    list[0] = 2;
    let cases = vec![
        ("another owner", spl_lending::SAVE_ID, good.clone(), E::OracleWrongOwner),
        ("a byte less", OWNER, good[..610].to_vec(), E::OracleWrongLayout),
        ("a list of validators", OWNER, list, E::OracleWrongLayout),
        ("an epoch ago", OWNER, stake_pool_bytes(120 * SOL, 100 * SOL, 4), E::OracleStale),
        ("no tokens", OWNER, stake_pool_bytes(120 * SOL, 0, 5), E::OracleBadPrice),
        ("beyond every number", OWNER, stake_pool_bytes(u64::MAX, 1, 5), E::OracleBadPrice),
    ];
    refuses(&world, &product, account, cases);
    let other = seeded(73).pubkey();
    put(&world, other, OWNER, good.clone());
    put(&world, account, OWNER, good);
    assert_refused(show(&world, &product, other), E::OracleWrongFeed);
    // A live product takes no prints, and one of prints no readings.
    assert_refused(world.send(&[], &[ix::observe(&product, account)]), E::LiveFeed);
    assert_eq!(bytes(&world, &product), before);
    let pyth = world.create_product(&pool, terms::stress());
    let mut crossed = ix::observe_live(&pyth, account);
    crossed.accounts[3].pubkey = product.live();
    assert_refused(world.send(&[], &[crossed]), E::WrongParent);
}

#[test]
fn a_live_condition_has_bounds_of_its_own() {
    let world = World::new();
    let (pool, _, account) = stage(&world);
    let good = product(&world, Source::StakePoolRate, account);
    let set = |change: &dyn Fn(&mut NewProduct)| {
        let mut new = good.clone();
        change(&mut new);
        let keys = world.announce_product(&pool, &new);
        let governance = world.governance.pubkey();
        let set = ix::set_condition(governance, world.payer.pubkey(), &keys, None, new.condition());
        world.send(&[&world.governance], &[set])
    };
    accepted(set(&|_| {}));
    accepted(set(&|it| (it.condition.threshold, it.condition.recovery) = (98_000_000, 100_000_000)));
    let refused = |change: &dyn Fn(&mut NewProduct), expected: E| assert_refused(set(change), expected);
    refused(&|it| (it.condition.threshold, it.condition.recovery) = (98_000_001, 100_000_000), E::BadLiveTerms);
    refused(&|it| it.condition.recovery = 100_000_001, E::BadLiveTerms);
    let short = |it: &mut NewProduct| {
        (it.condition.slot_seconds, it.condition.quiet_seconds) = (300, 12 * 3_600);
    };
    refused(&short, E::BadLiveTerms);
    refused(&|it| it.condition.duration_seconds = 6 * 3_600 - 600, E::BadLiveTerms);
    let above = |it: &mut NewProduct| {
        it.condition.direction = Direction::Above;
        (it.condition.threshold, it.condition.recovery) = (95_000_000, 90_000_000);
        it.condition.severity = Severity::Binary;
    };
    refused(&above, E::BadLiveTerms);
    // How old and how near, and how soon: by the feed.
    accepted(set(&|it| it.terms.waiting_seconds = 3 * 86_400));
    refused(&|it| it.terms.waiting_seconds = 3 * 86_400 - 1, E::LimitsDoNotFit);
    accepted(set(&|it| it.terms.max_price_age = 86_400));
    let reserve = |it: &mut NewProduct, age: u32| (it.source, it.terms.max_price_age) = (Source::SplLendingRate, age);
    accepted(set(&|it| reserve(it, 3 * MAX_PRICE_AGE)));
    refused(&|it| reserve(it, 3 * MAX_PRICE_AGE + 1), E::LimitsDoNotFit);
    accepted(set(&|it| (reserve(it, 3_600), it.terms.waiting_seconds = 86_400).0));
    let pyth = |it: &mut NewProduct| (it.source, it.condition) = (Source::PythReceiver, terms::stress());
    refused(&|it| pyth(it), E::LimitsDoNotFit);
    refused(
        &|it| {
            pyth(it);
            (it.terms.no_sale_buffer_bps, it.terms.max_price_age) = (100, MAX_PRICE_AGE + 1);
        },
        E::LimitsDoNotFit,
    );
    // The account of the readings is there if and only if the feed is live.
    let keys = world.announce_product(&pool, &good);
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    let mut without = ix::set_condition(governance, payer, &keys, None, good.condition());
    let place = without.accounts.iter().position(|it| it.pubkey == keys.live()).unwrap();
    without.accounts[place].pubkey = backstop::ID;
    assert_refused(world.send(&[&world.governance], &[without]), E::WrongLive);
    let mut elsewhere = ix::set_condition(governance, payer, &keys, None, good.condition());
    elsewhere.accounts[place].pubkey = seeded(74).pubkey();
    assert!(world.send(&[&world.governance], &[elsewhere]).is_err());
    let mut new = good;
    pyth(&mut new);
    new.terms.no_sale_buffer_bps = 100;
    let keys = world.announce_product(&pool, &new);
    let mut with = ix::set_condition(governance, payer, &keys, None, new.condition());
    with.accounts[place].pubkey = keys.live();
    with.accounts[place].is_writable = true;
    assert_refused(world.send(&[&world.governance], &[with]), E::WrongLive);
}

#[test]
fn every_rule_of_a_reserve_has_its_own_refusal_and_changes_no_byte() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let account = seeded(71).pubkey();
    let good = reserve_bytes(400 * ONE, 800 * ONE, 1_000 * ONE);
    put(&world, account, spl_lending::SAVE_ID, good.clone());
    let product = world.create_product_with(&pool, product(&world, Source::SplLendingRate, account));
    show_twice(&world, &product, account);
    let before = bytes(&world, &product);
    let mut version = good.clone();
    version[0] = 2;
    let cases = vec![
        ("another owner", OWNER, good.clone(), E::OracleWrongOwner),
        ("closed", anchor_lang::system_program::ID, Vec::new(), E::OracleWrongOwner),
        ("the other program's length", spl_lending::SPL_ID, good.clone(), E::OracleWrongLayout),
        ("a byte less", spl_lending::SAVE_ID, good[..618].to_vec(), E::OracleWrongLayout),
        ("another version", spl_lending::SAVE_ID, version, E::OracleWrongLayout),
        ("no shares", spl_lending::SAVE_ID, reserve_bytes(400 * ONE, 0, 0), E::OracleBadPrice),
        ("beyond every number", spl_lending::SAVE_ID, reserve_bytes(u64::MAX, 0, 1), E::OracleBadPrice),
    ];
    refuses(&world, &product, account, cases);
    let other = seeded(73).pubkey();
    put(&world, other, spl_lending::SAVE_ID, good);
    assert_refused(show(&world, &product, other), E::OracleWrongFeed);
    assert_eq!(bytes(&world, &product), before);
}

/// A limit that `docs/src/how/live.md` names: shares of a reserve that everybody has left are issued anew at the first rate, and
/// that reads as a loss of all interest since. Whoever holds all shares can have it so.
#[test]
fn a_reserve_that_everybody_left_begins_anew_and_reads_as_a_loss() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let account = seeded(71).pubkey();
    let reserve = |available: u64, shares: u64| {
        put(&world, account, spl_lending::SAVE_ID, reserve_bytes(available * ONE, 0, shares * ONE));
    };
    reserve(1_200, 1_000);
    let keys = world.create_product_with(&pool, product(&world, Source::SplLendingRate, account));
    show_twice(&world, &keys, account);
    show_twice(&world, &keys, account);
    // Emptied, nothing is said; and then one deposits as much as before, for as many shares.
    reserve(0, 0);
    assert_refused(show(&world, &keys, account), E::OracleBadPrice);
    reserve(1_200, 1_200);
    for _ in 0..36 {
        show_twice(&world, &keys, account);
    }
    let trigger = world.trigger(&keys);
    let slot = trigger.terms.slot_of(world.now()).unwrap();
    assert_eq!((trigger.phase(), trigger.evidence.breach_price(&trigger.terms, slot)), (Phase::Met, Some(83_333_334)));
}
