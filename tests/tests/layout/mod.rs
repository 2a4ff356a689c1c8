//! Layout: whatever others read or write keeps its bytes, its numbers and its addresses.
//!
//! Every type is filled with a count of bytes, 1, 2, 3 and so on, in the order in which its fields are named here, so
//! that a field that moves, grows or goes shows in the golden files. **A new type, field or variant** does not
//! compile, or fails the test, until it is named in this folder.

/// Hands the names of all account types to a macro.
macro_rules! account_types {
    ($then:ident) => {
        $then!(
            AttestorSet,
            Live,
            Protocol,
            Pool,
            Product,
            Rates,
            Trigger,
            Cover,
            Position,
            Lien,
            ExitTicket,
            ExitEpoch,
            Incident,
            Crisis,
            Treaty,
            Cession
        )
    };
}

mod accounts;
mod events;
mod instructions;
mod kept;
mod parts;
mod shape;
mod versions;

use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError;
use backstop::state::{Cover, ExitEpoch, ExitTicket, Incident, Pool, Product, Protocol, Tranche, Trigger};
use backstop_client::account::Decode;
use backstop_client::{Cluster, address};
use backstop_tests::catalogue::stage::{Setup, Stage, key};
use backstop_tests::{golden, idl};
use solana_sdk::signer::Signer;
use std::collections::BTreeSet;

/// Every name of the IDL has its page, and no other name has one.
#[track_caller]
fn every(file: &str, what: &str, pages: &[(&'static str, String)], declared: Vec<String>) {
    let pages = BTreeSet::from_iter(pages.iter().map(|(name, _)| (*name).to_owned()));
    let declared = BTreeSet::from_iter(declared);
    let absent: Vec<_> = declared.difference(&pages).collect();
    let extra: Vec<_> = pages.difference(&declared).collect();
    assert!(
        absent.is_empty() && extra.is_empty(),
        "tests/tests/layout/{file}.rs names every {what}: {absent:?} are missing there, {extra:?} are not in the IDL"
    );
}

fn text(pages: Vec<(&'static str, String)>) -> String {
    pages.into_iter().map(|(_, page)| page).collect()
}

#[test]
fn every_account_keeps_its_bytes() {
    let pages = accounts::all();
    every("accounts", "account", &pages, idl::accounts());
    golden::check("golden/accounts.txt", &format!("{}{}", text(pages), parts::page()));
}

#[test]
fn every_event_keeps_its_bytes() {
    let pages = events::all();
    every("events", "event", &pages, idl::events());
    golden::check("golden/events.txt", &text(pages));
}

#[test]
fn every_instruction_keeps_its_data_and_its_accounts() {
    let pages = instructions::all();
    let declared = idl::instructions();
    every("instructions", "instruction", &pages, declared.iter().map(idl::Declared::structure).collect());
    let accounts: String =
        declared.iter().map(|declared| format!("{}({})\n", declared.name, declared.accounts.join(", "))).collect();
    golden::check(
        "golden/instructions.txt",
        &format!("{accounts}\n{}{}", text(pages), text(instructions::arguments())),
    );
}

#[test]
fn every_refusal_keeps_its_code_and_its_words() {
    let all: Vec<String> = BackstopError::ALL.iter().map(|error| format!("{error:?}")).collect();
    assert_eq!(all, idl::errors(), "BackstopError::ALL in programs/backstop/src/error.rs has every refusal, in order");
    let line = |error: BackstopError| format!("{} 0x{:x} {error:?}: {error}\n", error.code(), error.code());
    golden::check("golden/errors.txt", &BackstopError::ALL.into_iter().map(line).collect::<String>());
}

#[test]
fn every_address_keeps_its_seeds() {
    let derived = |seeds: &[&[u8]]| Pubkey::find_program_address(seeds, &backstop::ID).0;
    let [asset, pool, owner] = ["asset", "pool", "owner"].map(|label| key(label).pubkey());
    let (mint, product) = (key("mint").pubkey(), key("product").pubkey());
    assert_eq!(address::protocol(), derived(&[b"protocol"]));
    assert_eq!(address::pool(&asset, 0x0102), derived(&[b"pool", asset.as_ref(), &[2, 1]]));
    assert_eq!(address::vault(&pool), derived(&[b"vault", pool.as_ref()]));
    assert_eq!(address::share_mint(&pool, Tranche::Junior, 7), derived(&[b"shares", pool.as_ref(), &[0], &[7]]));
    assert_eq!(address::share_mint(&pool, Tranche::Senior, 7), derived(&[b"shares", pool.as_ref(), &[1], &[7]]));
    assert_eq!(address::product(&pool, 0x0102), derived(&[b"product", pool.as_ref(), &[2, 1]]));
    assert_eq!(address::trigger(&product), derived(&[b"trigger", product.as_ref()]));
    let seeds: [&[u8]; 5] =
        [b"cover_mint", product.as_ref(), owner.as_ref(), &[8, 7, 6, 5, 4, 3, 2, 1], &[0x0c, 0x0b, 0x0a, 0x09]];
    assert_eq!(address::cover_mint(&product, &owner, 0x0102_0304_0506_0708, 0x090a_0b0c), derived(&seeds));
    assert_eq!(address::cover(&mint), derived(&[b"cover", mint.as_ref()]));
    let seeds: [&[u8]; 4] = [b"position", product.as_ref(), owner.as_ref(), &[8, 7, 6, 5, 4, 3, 2, 1]];
    assert_eq!(address::position(&product, &owner, 0x0102_0304_0506_0708), derived(&seeds));
    let seeds: [&[u8]; 4] = [b"exit", pool.as_ref(), owner.as_ref(), &[8, 7, 6, 5, 4, 3, 2, 1]];
    assert_eq!(address::exit_ticket(&pool, &owner, 0x0102_0304_0506_0708), derived(&seeds));
    assert_eq!(address::exit_epoch(&pool, 0x0102_0304), derived(&[b"exit_epoch", pool.as_ref(), &[4, 3, 2, 1]]));
    assert_eq!(address::incident(&product), derived(&[b"incident", product.as_ref()]));
    assert_eq!(address::treaty(&pool, 0x0102), derived(&[b"treaty", pool.as_ref(), &[2, 1]]));
    assert_eq!(address::cession(&pool), derived(&[b"cession", pool.as_ref()]));
}

/// The bytes of an account on the cluster, which must decode as what it is.
fn on_chain<T: Decode>(stage: &Stage, address: Pubkey) -> Vec<u8> {
    let account = stage.world.cluster.account(&address).unwrap().unwrap_or_else(|| panic!("there is no {}", T::WHAT));
    assert!(T::decode(&account.data).is_some(), "the bytes of a {} decode", T::WHAT);
    account.data
}

/// The key at an offset that clients filter by.
fn key_at(data: &[u8], offset: usize) -> Pubkey {
    Pubkey::try_from(&data[offset..offset + 32]).unwrap()
}

#[test]
fn clients_find_keys_at_fixed_offsets_of_real_accounts() {
    let stage = Stage::leaving(Setup::default(), 50);
    let ([pool, ..], [product, ..]) = (&stage.pools, &stage.products);
    let alice = stage.person("alice").pubkey();
    let data = on_chain::<Protocol>(&stage, address::protocol());
    assert_eq!(key_at(&data, 8), stage.world.governance.pubkey());
    let data = on_chain::<Pool>(&stage, pool.pool);
    assert_eq!((key_at(&data, 8), key_at(&data, 40)), (stage.asset, pool.vault()));
    assert_eq!([key_at(&data, 72), key_at(&data, 104)], pool.share_mints);
    let data = on_chain::<Product>(&stage, product.product);
    assert_eq!(
        (key_at(&data, 8), key_at(&data, 40), key_at(&data, 72)),
        (pool.pool, product.trigger(), stage.world.covered)
    );
    let data = on_chain::<Trigger>(&stage, product.trigger());
    assert_eq!((key_at(&data, 8), key_at(&data, 40)), (product.product, pool.pool));
    let mint = stage.cover_mint(product, "carl");
    let data = on_chain::<Cover>(&stage, address::cover(&mint));
    assert_eq!((key_at(&data, 8), key_at(&data, 40)), (product.product, mint));
    let ticket = address::exit_ticket(&pool.pool, &alice, stage.ticket_nonce(pool, "alice"));
    let data = on_chain::<ExitTicket>(&stage, ticket);
    assert_eq!((key_at(&data, 8), key_at(&data, 40)), (pool.pool, alice));
    let data = on_chain::<ExitEpoch>(&stage, address::exit_epoch(&pool.pool, stage.exit_day()));
    assert_eq!(key_at(&data, 8), pool.pool);

    let stage = Stage::opened(Setup::default());
    let product = &stage.products[0];
    let data = on_chain::<Incident>(&stage, product.incident());
    assert_eq!((key_at(&data, 8), key_at(&data, 40)), (product.product, product.pool.pool));
}
