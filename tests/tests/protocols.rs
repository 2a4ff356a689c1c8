//! The worked products on protocols that fail, from their plans and a sale to a payout, on the real program. The protocols
//! are run by their own programs where those are at hand, and written by the bytes that they document where not.

use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError as E;
use backstop::peril::evidence::Phase;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop::state::Tranche;
use backstop_client::address;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::migration::{self, Standing};
use backstop_tests::attest::{Attestors, sign};
use backstop_tests::live::{show, show_twice, show_vaults, show_vaults_twice};
use backstop_tests::protocols::{Reserve, StakePool};
use backstop_tests::terms::{DAY, HOUR, ONE};
use backstop_tests::{Person, World, assert_refused, explain, seeded};
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A committed plan.
fn plan(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(name)
}

/// Carries out a plan, with its own addresses replaced.
fn migrate(world: &World, name: &str, values: &[(&str, Pubkey)]) {
    let values: BTreeMap<_, _> = values.iter().map(|(name, key)| ((*name).to_owned(), key.to_string())).collect();
    let plans = migration::load(&plan(name), &values).unwrap_or_else(|error| panic!("{error}"));
    let differences =
        || migration::difference(&world.cluster, &plans, world.payer.pubkey()).expect("the chain can be read");
    for item in differences() {
        assert_eq!(item.standing, Standing::Create, "{item:?}");
        for step in &item.steps {
            world.run(&[&world.governance], std::slice::from_ref(&step.instruction));
        }
    }
    assert!(differences().iter().all(|item| item.standing == Standing::Unchanged));
}

/// The product of a worked plan in the pool of the second plan, with capital that has seasoned.
fn stage(world: &World, name: &str, id: u16, values: &[(&str, Pubkey)]) -> ProductKeys {
    let usdc = ("usdc", world.asset);
    migrate(world, "0002_usdc_pool.toml", &[usdc]);
    migrate(world, name, &[&[usdc], values].concat());
    let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.depositor(&pool, Tranche::Junior, 20_000 * ONE);
    world.advance(8 * DAY);
    ProductKeys { pool, product: address::product(&pool.pool, id) }
}

/// Buys a cover once two slots were shown, and lets it begin.
fn sale(world: &World, product: &ProductKeys, source: Pubkey, sum: u64) -> (Person, Pubkey) {
    show_twice(world, product, source);
    show_twice(world, product, source);
    let buyer = world.person(10_000 * ONE);
    let (mint, outcome) = world.buy(product, &buyer, sum, 30);
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
    world.advance(4 * DAY);
    world.next_day();
    (buyer, mint)
}

/// Shows a duration's slots, proves the event, and settles the cover. Returns what it was paid.
fn payout(world: &World, product: &ProductKeys, source: Pubkey, cover: &(Person, Pubkey)) -> u64 {
    for _ in 0..12 {
        show_twice(world, product, source);
    }
    assert_eq!(world.trigger(product).phase(), Phase::Met);
    assert_refused(world.send(&[], &[ix::confirm(product)]), E::NotDue);
    world.advance(3 * HOUR);
    world.run(&[], &[ix::confirm(product)]);
    world.open_and_fund(product);
    let before = world.assets(&cover.0);
    world.settle(product, &cover.0, &cover.1).unwrap_or_else(|error| panic!("{}", explain(&error)));
    world.assets(&cover.0) - before
}

#[test]
fn a_staking_token_that_is_slashed_goes_from_sale_to_payout() {
    for real in [false, true] {
        let world = World::new();
        let Some(mut pool) = StakePool::found(&world, real, 120, 5) else { continue };
        let values = [("stake_pool", pool.account), ("lst", world.covered)];
        let product = stage(&world, "worked/0010_lst_slashing.toml", 2, &values);
        let cover = sale(&world, &product, pool.account, 1_000 * ONE);
        pool.slash(&world, 10);
        // It still says what was: nobody can show it until somebody tells it.
        assert_refused(show(&world, &product, pool.account), E::OracleStale);
        pool.update(&world);
        // A price of 0.90: 7 of 47 hundredths.
        let paid = payout(&world, &product, pool.account, &cover);
        assert_eq!(world.trigger(&product).evidence.severity_bps, 1_489, "real: {real}");
        assert_eq!(paid, 148_900_000);
    }
}

#[test]
fn a_lending_market_that_forgives_a_fifth_of_its_debt_goes_from_sale_to_payout() {
    for real in [false, true] {
        let world = World::new();
        let Some(reserve) = Reserve::found(&world, real) else { continue };
        let values = [("reserve", reserve.account), ("share", world.covered)];
        let product = stage(&world, "worked/0011_lending_loss.toml", 3, &values);
        let cover = sale(&world, &product, reserve.account, 1_000 * ONE);
        reserve.forgive(&world, 160);
        // 1,040 of 1,200: 11.333333 of 48 hundredths.
        let paid = payout(&world, &product, reserve.account, &cover);
        assert_eq!(world.trigger(&product).evidence.severity_bps, 2_361, "real: {real}");
        assert_eq!(paid, 236_100_000);
    }
}

#[test]
fn a_protocol_drained_by_an_exploit_goes_from_sale_to_payout_by_two_keys() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 3, 2);
    let [first, second] = [720, 721].map(|owner| seeded(owner).pubkey());
    let hold = |amounts: [u64; 2]| {
        [(first, amounts[0]), (second, amounts[1])]
            .map(|(owner, all)| world.cluster.set_tokens(&owner, &world.covered, all))
    };
    let [vault_a, vault_b] = hold([60 * ONE, 40 * ONE]);
    let values = [
        ("usdc", world.asset),
        ("mint", world.covered),
        ("attestors", attestors.set),
        ("vault_a", vault_a),
        ("vault_b", vault_b),
    ];
    migrate(&world, "worked/0012_drained_protocol.toml", &values);
    let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, 2);
    let product = ProductKeys { pool, product: address::product(&pool.pool, 0) };
    world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.depositor(&pool, Tranche::Junior, 20_000 * ONE);
    let buyer = world.person(10_000 * ONE);
    show_vaults_twice(&world, &product);
    world.advance(8 * DAY);
    // What they held a week ago is the baseline.
    show_vaults_twice(&world, &product);
    assert_eq!(world.trigger(&product).evidence.last_price, 100_000_000);
    let (mint, outcome) = world.buy(&product, &buyer, 1_000 * ONE, 60);
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
    world.advance(4 * DAY);
    world.next_day();

    // An exploit leaves 34 of 100.
    hold([0, 34 * ONE]);
    let event_at = world.now() + 180;
    for _ in 0..10 {
        show_vaults_twice(&world, &product);
    }
    assert_eq!(world.trigger(&product).keys.armed_at, 0);
    let report = |value: i64| Report {
        kind: ReportKind::Event,
        exponent: EVENT_EXPONENT,
        feed: world.trigger(&product).feed,
        ..attestors.report(value, event_at)
    };
    let submit = |keys: &[usize], value: i64| {
        let keys: Vec<_> = keys.iter().map(|place| &attestors.keys[*place]).collect();
        let signed = sign(&keys, &report(value).to_bytes());
        world.send(&[], &[signed, ix::observe_report(&product, attestors.set)])
    };
    assert_refused(submit(&[0, 1], 6_600), E::NotArmed);
    world.advance(60);
    show_vaults(&world, &product).unwrap();
    let keys = world.trigger(&product).keys;
    assert_eq!((keys.event_at, keys.armed_at, keys.severity_bps), (event_at, event_at + 1_800, 10_000));
    assert_eq!(keys.mean, 34_000_000);
    // That stops sales, and nothing else.
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 60).1, E::ProductArmed);
    assert_eq!((world.trigger(&product).phase(), world.pool(&pool).alerts), (Phase::Quiet, 0));
    // One attestor holds the pool for 72 hours.
    submit(&[2], 6_600).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_eq!((world.trigger(&product).phase(), world.pool(&pool).alerts), (Phase::Breaching, 1));
    assert_refused(submit(&[1], 6_600), E::LossAlreadyReported);
    assert_refused(world.send(&[], &[ix::confirm(&product)]), E::NotDue);
    world.advance(3 * DAY);
    world.run(&[], &[ix::refresh(&product)]);
    assert_eq!((world.trigger(&product).phase(), world.pool(&pool).alerts), (Phase::Quiet, 0));
    // Two confirm: the event is proven, and paid by what they say.
    submit(&[0, 2], 6_600).unwrap_or_else(|error| panic!("{}", explain(&error)));
    let trigger = world.trigger(&product);
    assert_eq!((trigger.phase(), trigger.evidence.event_at), (Phase::Final, event_at));
    assert_refused(submit(&[0, 1], 6_600), E::LossAlreadyReported);
    world.open_and_fund(&product);
    let before = world.assets(&buyer);
    world.settle(&product, &buyer, &mint).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_eq!(world.incident(&product).gross, 660 * ONE);
    // And of the premium that was not earned the part that was not lost.
    let unearned = world.assets(&buyer) - before - 660 * ONE;
    assert!((1..10 * ONE).contains(&unearned), "{unearned}");
}
