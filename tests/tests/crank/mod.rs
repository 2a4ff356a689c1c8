//! The crank on the embedded cluster: everything that anyone may do, done by passes alone.

mod attested;
mod choice;
mod cluster;
mod flows;
mod live;
mod planning;
mod prices;
mod readings;
mod service;
mod settling;
mod signing;
mod unknown;
mod watching;

use anchor_lang::Space;
use anchor_lang::prelude::{Pubkey, pubkey};
use anchor_spl::token_2022::spl_token_2022;
use backstop::peril::evidence::Phase;
use backstop::state::{CoverState, Crisis, Incident, IncidentState, ProductState, Tranche, day_of};
use backstop_client::address;
use backstop_client::cluster::{Blockhash, Cluster, ClusterError};
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::price_account::standing_account;
use backstop_client::transaction::PriorityFee;
use backstop_keeper::crank::limits::Delays;
use backstop_keeper::crank::{Accounts, Crank, CreateAccounts, Options, Report, Settings};
use backstop_sandbox::EmbeddedCluster;
use backstop_sandbox::embedded::Price;
use backstop_tests::terms::{self, DAY, FEED, HOUR, ONE};
use backstop_tests::{Lossy, Outcome, Person, World, assert_books, delegate, explain, seeded};
use cluster::*;
use solana_sdk::account::Account;
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;
/// The program of lookup tables.
const TABLES: Pubkey = pubkey!("AddressLookupTab1e1111111111111111111111111");
/// A price at which the stress condition pays half.
const HALF: i64 = 87_500_000;
/// A price without any trouble.
const PAR: i64 = 100_000_000;

fn options() -> Options {
    Options { priority_fee: PriorityFee::Fixed(0), ..Options::default() }
}

/// A keypair of an operator with lamports.
fn operator(world: &World) -> Keypair {
    let key = seeded(world.fresh());
    world.cluster.airdrop(&key.pubkey(), 1_000_000_000_000);
    key
}

/// A crank that reads standing price accounts.
fn crank<'a>(cluster: &'a dyn Cluster, payer: &'a Keypair, options: Options) -> Crank<'a> {
    Crank::new(cluster, payer, Box::new(Accounts::default()), options)
}

/// What a fresh crank does until nothing is due.
#[track_caller]
fn run(world: &World, payer: &Keypair) -> Report {
    let report = crank(&world.cluster, payer, options()).run_until_idle();
    report.unwrap_or_else(|error| panic!("{}", explain(&error)))
}

/// The oracle's standing account says a price, published now.
fn publish(world: &World, price_e8: i64) {
    world.cluster.post_price(standing_account(&FEED), FEED, Price::e8(price_e8, 0, world.now()));
}

/// A pool with junior and senior capital and a product, at the first second of a day.
fn stage(world: &World) -> (PoolKeys, ProductKeys) {
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    (pool, product)
}

/// Publishes a breach in every slot, with a crank at work, until the trigger's challenge is over.
fn breach_for_long(world: &World, keys: &ProductKeys, price_e8: i64, payer: &Keypair) {
    let terms = world.trigger(keys).terms;
    let slot = i64::from(terms.slot_seconds);
    for _ in 0..terms.need {
        world.cluster.set_time((world.now() / slot + 1) * slot);
        publish(world, price_e8);
        run(world, payer);
    }
    world.advance(slot + i64::from(terms.challenge) + 1);
}

/// What a cover gets back of its premium beside half of its sum, when its trigger can first be confirmed: half of what it
/// had not earned at the end of the challenge, the second before.
fn half_back(world: &World, mint: &Pubkey) -> u64 {
    let cover = world.cover(mint);
    let seconds = u128::try_from(cover.end() - (world.now() - 1)).unwrap();
    u64::try_from((u128::from(cover.rate_q32) * seconds) >> 32).unwrap() / 2
}

/// Many covers of various sums, whose trigger can be confirmed: the holders with what each is due.
fn owed(world: &World, product: &ProductKeys, covers: u64, payer: &Keypair) -> Vec<(Person, Pubkey, u64)> {
    world.print(product, PAR);
    let insure = |number: u64| {
        let sum = (50 + number % 50) * ONE + number;
        let person = world.person(10 * ONE);
        let (mint, outcome) = world.buy(product, &person, sum, 30);
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        world.cluster.set_tokens(&person.id(), &world.asset, 0);
        (person, mint, sum / 2)
    };
    let holders: Vec<(Person, Pubkey, u64)> = (0..covers).map(insure).collect();
    world.advance(3 * DAY);
    breach_for_long(world, product, HALF, payer);
    holders
        .into_iter()
        .map(|(person, mint, half)| {
            let due = half + half_back(world, &mint);
            (person, mint, due)
        })
        .collect()
}

#[track_caller]
fn assert_paid_once(world: &World, pool: &PoolKeys, product: &ProductKeys, holders: &[(Person, Pubkey, u64)]) {
    for (person, mint, due) in holders {
        assert_eq!(world.assets(person), *due, "each is paid what is due, once");
        assert_eq!(world.cover(mint).state, CoverState::Settled);
    }
    assert!(world.cluster.account(&product.incident()).unwrap().is_none(), "the incident is closed");
    let books = world.pool(pool);
    assert_eq!((books.incident_reserves, books.premium_refunds), (0, 0));
    assert_books(&world.cluster, &pool.pool);
}
