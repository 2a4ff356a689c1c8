//! The events are complete: whoever reads nothing but them knows the books of every pool, to the unit.

use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, Discriminator};
use backstop::DepositArgs;
use backstop::constants::PAUSE_PURCHASES;
use backstop::events::Deposited;
use backstop::state::Tranche;
use backstop_client::audit::{self, Rule, Snapshot};
use backstop_client::event::Event;
use backstop_client::instruction::{self as ix, PoolKeys};
use backstop_client::numbering::{NUMBERED, Number};
use backstop_client::transaction::events;
use backstop_tests::market::{Ledger, Market, STILL};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::world::Outcome;
use backstop_tests::{World, budget, explain, idl};
use base64::Engine;
use solana_sdk::signer::Signer;

#[test]
fn the_books_are_rebuilt_from_the_events_of_a_long_random_run() {
    let mut market = Market::new();
    market.check();
    let governance = market.world.governance.insecure_clone();
    for step in 0..3_000 {
        market.act();
        if step > 400 && !market.ledger.seen.contains_key("TreatyCommuted") {
            let commute = ix::commute_treaty(governance.pubkey(), &market.treaties[1]);
            let outcome = market.world.send(&[&governance], &[commute]);
            market.note(outcome);
        }
        market.check();
    }
    market.change_a_position();
    let guardian = market.world.guardian.insecure_clone();
    let outcome = market.world.send(&[&guardian], &[ix::pause(guardian.pubkey(), PAUSE_PURCHASES)]);
    market.must(outcome);
    market.check();
    println!("{:?}", market.ledger.seen);
    // A run that did not meet an event says nothing about it.
    for event in idl::events().iter().filter(|event| !STILL.contains(&event.as_str())) {
        assert!(
            market.ledger.seen.contains_key(event.as_str()),
            "no {event} in this run: app/client/src/books.rs says what it does to the books, and Market, in tests/src/market.rs, lets it \
             happen; one that moves nothing is in STILL there"
        );
    }
}

#[test]
fn the_dust_of_the_last_shares_is_in_the_events() {
    // All shares of a tranche leave at a price that is no round number: what rounding leaves goes to the surplus.
    let world = World::new();
    let mut ledger = Ledger::default();
    let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let (governance, payer) = (&world.governance, world.payer.pubkey());
    let create = ix::create_pool(governance.pubkey(), payer, &keys, terms::create_pool(0));
    ledger.read(&world.run(&[governance], &[create]).logs);
    let product = world.create_product(&keys, terms::stress());
    let person = world.person(2_000 * ONE);
    let mut read = |outcome: Outcome| ledger.read(&outcome.unwrap_or_else(|error| panic!("{}", explain(&error))).logs);
    read(world.deposit(&keys, &person, Tranche::Junior, 1_000 * ONE));
    world.next_day();
    world.print(&product, 100_000_000);
    read(world.buy(&product, &person, 700 * ONE, 30).1);
    world.advance(3 * DAY);
    let held = world.shares(&keys, &person, Tranche::Junior);
    read(world.request_exit(&keys, &person, Tranche::Junior, held).1);
    assert_eq!(ledger.seen["dust of a request"], 1);
    ledger.check(&world, &keys);
}

#[test]
fn a_refused_instruction_reports_nothing() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.person(ONE);
    let args = DepositArgs { tranche: Tranche::Junior, amount: ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    let error = world.send(&[&person.key], &[ix::deposit(&keys, person.id(), None, args)]).unwrap_err();
    assert!(!explain(&error).contains("Program data: "));
}

/// Events that have no number: they concern no pool, or repeat what a trigger's account keeps.
const UNNUMBERED: [&str; 11] = [
    "Initialized",
    "AttestorSetCreated",
    "EquivocationReported",
    "GovernanceProposed",
    "GovernanceAccepted",
    "RolesSet",
    "PauseSet",
    "Observed",
    "ReadingShown",
    "DropArmed",
    "LossReported",
];

#[test]
fn every_event_of_a_pool_has_a_number() {
    let mut named: Vec<&str> = NUMBERED.iter().chain(&UNNUMBERED).copied().collect();
    named.sort_unstable();
    let mut declared = idl::events();
    declared.sort_unstable();
    assert_eq!(named, declared, "app/client/src/numbering.rs reads the numbers of every event");
    let mut known = Event::NAMES.to_vec();
    known.sort_unstable();
    assert_eq!(known, declared, "app/client/src/event.rs has every event");
}

/// Case 18: whoever sends a transaction cuts its log before the program comes to speak. The event is gone, and its number
/// tells so; what it reported is in the instruction and the accounts.
fn drowned(flood: Vec<Instruction>) {
    let world = World::unsigned();
    let mut ledger = Ledger::default();
    let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let (governance, payer) = (&world.governance, world.payer.pubkey());
    let create = ix::create_pool(governance.pubkey(), payer, &keys, terms::create_pool(0));
    ledger.read(&world.run(&[governance], &[create]).logs);
    let person = world.person(5_000 * ONE);
    ledger.read(&world.deposit(&keys, &person, Tranche::Senior, 1_000 * ONE).expect("it is taken").logs);
    ledger.check(&world, &keys);

    let args =
        DepositArgs { tranche: Tranche::Senior, amount: 10 * ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    let deposit = ix::deposit(&keys, person.id(), None, args);
    let before = world.pool(&keys);
    let receipt = world.run(&[&person.key], &[vec![budget()], flood, vec![deposit.clone()]].concat());
    assert!(receipt.logs.iter().any(|line| line.contains("truncated")), "the log is cut");
    assert!(events::<Deposited>(&receipt.logs).is_empty(), "the event is gone");
    ledger.read(&receipt.logs);
    // The next event shows the gap; without one the account does.
    let lost = before.events + 1;
    world.hear().iter().for_each(|logs| ledger.numbering.read(logs));
    assert_eq!(ledger.numbering.missing(&keys.pool, world.pool(&keys).events), [lost..=lost]);
    ledger.read(&world.deposit(&keys, &person, Tranche::Senior, ONE).expect("it is taken").logs);
    world.hear().iter().for_each(|logs| ledger.numbering.read(logs));
    assert_eq!(world.pool(&keys).events, lost + 1);
    assert_eq!(ledger.numbering.missing(&keys.pool, lost + 1), [lost..=lost]);
    let snapshot = Snapshot::read(&world.cluster).expect("the cluster answers");
    let audit = audit::audit_with_events(&snapshot, None, &ledger.numbering);
    let found: Vec<String> = audit.findings().map(ToString::to_string).collect();
    let expected = format!("events: pool {}: events read: expected 1 to {}, found all but {lost}", keys.pool, lost + 1);
    assert_eq!(found, [expected]);
    assert!(audit.findings().all(|finding| finding.rule == Rule::Events));

    // The instruction says what was asked for, and the program's own rule on the books before what came of it.
    let data = backstop::instruction::Deposit::deserialize(&mut &deposit.data[8..]).expect("it is a deposit");
    let mut books = before;
    let shares = books.deposit(data.args.tranche, data.args.amount, data.args.min_shares).expect("it was taken");
    ledger.read(&[line(&Deposited {
        pool: keys.pool,
        sequence: lost,
        tranche: data.args.tranche,
        owner: person.id(),
        amount: data.args.amount,
        shares,
        lowered: 0,
    })]);
    // As it was read from no frame of the program, its number is noted by hand.
    ledger.numbering.note(Number { pool: keys.pool, sequence: lost });
    ledger.check(&world, &keys);
    let audit = audit::audit_with_events(&snapshot, None, &ledger.numbering);
    assert!(audit.is_ok());
}

/// An event as a line of a log.
fn line<E: anchor_lang::AnchorSerialize + Discriminator>(event: &E) -> String {
    let mut bytes = E::DISCRIMINATOR.to_vec();
    event.serialize(&mut bytes).expect("a vector grows");
    format!("Program data: {}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[test]
fn a_deposit_that_is_drowned_by_52_accruals_leaves_a_gap() {
    let world = World::unsigned();
    let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0).pool;
    drowned(vec![ix::accrue(pool); 52]);
}

#[test]
fn a_deposit_that_is_drowned_by_45_memos_leaves_a_gap() {
    let memo = anchor_lang::prelude::pubkey!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
    drowned(vec![Instruction { program_id: memo, accounts: vec![], data: vec![] }; 45]);
}
