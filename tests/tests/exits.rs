//! Leaving a pool: what a ticket is worth while it waits, when and how its epoch is paid, and what cannot stop it.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_spl::token_2022::spl_token_2022;
use backstop::RequestExitArgs;
use backstop::constants::MIN_EXIT_PAYMENT;
use backstop::error::BackstopError;
use backstop::events::{Accrued, ExitCancelled, ExitClaimed, ExitEpochClosed, ExitEpochSettled, ExitRequested};
use backstop::math::exits::{ALL_OPEN_Q63, open_units};
use backstop::state::{ExitEpoch, ExitTicket, InwardRisk, Pool, Seen, Tranche, TrancheBook, day_of};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::{account, address, transaction};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::world::Outcome;
use backstop_tests::{Person, World, assert_books, assert_refused, seeded};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use solana_sdk::account::Account;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::Signature;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;

const JUNIOR: Tranche = Tranche::Junior;
const SENIOR: Tranche = Tranche::Senior;

/// What a ticket's open units are worth now.
fn worth(world: &World, keys: &PoolKeys, ticket: &ExitTicket) -> u64 {
    let epoch = world.epoch(keys, ticket.epoch_day);
    let open = open_units(ticket.units, epoch.open_q63).unwrap();
    world.pool(keys).tranche(ticket.tranche).worth_of_units(open).unwrap()
}

/// Asks to leave with an amount of assets, at a price that was never changed.
fn exit_worth(world: &World, keys: &PoolKeys, person: &Person, tranche: Tranche, amount: u64) -> (u64, ExitTicket) {
    let nonce = world.exit(keys, person, tranche, amount * 1_000);
    let ticket = world.ticket(keys, person, nonce);
    assert_eq!(worth(world, keys, &ticket), amount);
    (nonce, ticket)
}

/// Moves the clock to the first second after an epoch's day.
fn pass(world: &World, day: u32) {
    world.cluster.set_time((i64::from(day) + 1) * DAY);
}

fn cancel(world: &World, keys: &PoolKeys, person: &Person, nonce: u64) -> Outcome {
    world.send(&[&person.key], &[ix::cancel_exit(keys, &world.ticket(keys, person, nonce))])
}

fn exists(world: &World, address: &Pubkey) -> bool {
    world.cluster.account(address).unwrap().is_some()
}

fn lamports(world: &World, address: &Pubkey) -> u64 {
    world.cluster.account(address).unwrap().map_or(0, |account| account.lamports)
}

/// What an epoch could be paid now.
fn free(world: &World, keys: &PoolKeys, day: u32) -> u64 {
    world.pool(keys).free_for_exits(day, &InwardRisk::default(), world.now()).unwrap()
}

/// A pool with products that nothing was sold of yet.
fn pool_with_products(world: &World, count: usize) -> (PoolKeys, Vec<ProductKeys>) {
    let keys = world.create_pool(terms::create_pool(0));
    let products = (0..count).map(|_| world.create_product(&keys, terms::stress())).collect();
    (keys, products)
}

// ---- while it waits ----

#[test]
fn a_request_burns_shares_and_moves_their_value_to_what_is_exiting() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let person = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let before = world.pool(&keys);
    let (nonce, outcome) = world.request_exit(&keys, &person, SENIOR, 300_000 * ONE);
    let receipt = outcome.unwrap();
    let ticket = world.ticket(&keys, &person, nonce);
    let [event] = &transaction::events::<ExitRequested>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.pool, event.owner, event.tranche), (keys.pool, person.id(), SENIOR));
    assert_eq!((event.shares, event.value, event.units), (300_000 * ONE, 300 * ONE, ticket.units));
    assert_eq!((event.epoch_day, event.to_surplus), (ticket.epoch_day, 0));
    assert_eq!(event.ticket, address::exit_ticket(&keys.pool, &person.id(), nonce));
    assert_eq!((ticket.pool, ticket.owner, ticket.rent_payer), (keys.pool, person.id(), world.payer.pubkey()));
    assert_eq!((ticket.tranche, ticket.series, ticket.claimed), (SENIOR, 0, 0));
    let pool = world.pool(&keys);
    let book = pool.tranche(SENIOR);
    assert_eq!((book.assets, book.exiting), (700 * ONE, 300 * ONE));
    assert_eq!((book.shares, book.units), (700_000 * ONE, ticket.units));
    assert_eq!((pool.cash, pool.surplus), (before.cash, 0));
    assert_eq!(world.shares(&keys, &person, SENIOR), 700_000 * ONE);
    let epoch = world.epoch(&keys, ticket.epoch_day);
    assert_eq!((epoch.units, epoch.tickets, epoch.open_q63), ([0, ticket.units], 1, ALL_OPEN_Q63));
    assert_eq!((pool.oldest_exit_day, pool.newest_exit_day), (ticket.epoch_day, ticket.epoch_day));
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn an_exit_in_waiting_bears_a_loss_in_proportion_and_gains_nothing() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 1);
    let stays = world.depositor(&keys, SENIOR, 6_000 * ONE);
    let leaves = world.depositor(&keys, SENIOR, 2_000 * ONE);
    world.next_day();
    world.holder(&products[0], 4_000 * ONE, 30);
    let (nonce, ticket) = exit_worth(&world, &keys, &leaves, SENIOR, 2_000 * ONE);

    // Premium comes in: the others gain, the ticket does not, to the unit.
    world.advance(3 * DAY);
    world.run(&[], &[ix::accrue(keys.pool)]);
    let book = *world.pool(&keys).tranche(SENIOR);
    assert!(book.assets > 6_000 * ONE);
    assert_eq!(worth(&world, &keys, &ticket), 2_000 * ONE);

    world.depeg(&products[0], 80_000_000);
    world.run(&[], &[world.open_incident(&products[0])]);
    let before = *world.pool(&keys).tranche(SENIOR);
    world.run(&[], &[world.fund_incident(&products[0])]);
    let after = *world.pool(&keys).tranche(SENIOR);
    // The same part of both, the odd unit from the ticket.
    let loss = u128::from(before.total() - after.total());
    assert!(loss > u128::from(3_900 * ONE));
    let exiting = (loss * u128::from(before.exiting)).div_ceil(u128::from(before.total()));
    assert_eq!(u128::from(before.exiting - after.exiting), exiting);
    assert_eq!(worth(&world, &keys, &ticket), after.exiting);

    pass(&world, ticket.epoch_day);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    world.claim(&keys, &leaves, nonce).unwrap();
    assert!(world.assets(&leaves) <= after.exiting && world.assets(&leaves) + 1 >= after.exiting);
    assert!(world.shares(&keys, &stays, SENIOR) > 0);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_request_made_in_an_alert_does_not_escape_the_loss() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 1);
    let stays = world.depositor(&keys, SENIOR, 4_000 * ONE);
    let runs = world.depositor(&keys, SENIOR, 4_000 * ONE);
    world.next_day();
    world.holder(&products[0], 4_000 * ONE, 30);
    world.advance(2 * DAY);
    world.depeg(&products[0], 80_000_000);
    // Triggered: everybody knows. To ask is always open, and changes nothing.
    let nonce = world.exit(&keys, &runs, SENIOR, world.shares(&keys, &runs, SENIOR));
    world.open_and_fund(&products[0]);
    let book = *world.pool(&keys).tranche(SENIOR);
    let ticket = world.ticket(&keys, &runs, nonce);
    let stayed = book.worth_of_shares(world.shares(&keys, &stays, SENIOR)).unwrap();
    assert!(worth(&world, &keys, &ticket) <= stayed);
    assert!(stayed < 2_100 * ONE, "{stayed}");
}

#[test]
fn cancel_exit_gives_up_the_gains() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 1);
    let stays = world.depositor(&keys, SENIOR, 4_000 * ONE);
    let wavers = world.depositor(&keys, SENIOR, 4_000 * ONE);
    world.next_day();
    world.holder(&products[0], 4_000 * ONE, 30);
    let shares_before = world.shares(&keys, &wavers, SENIOR);
    let (nonce, ticket) = exit_worth(&world, &keys, &wavers, SENIOR, 4_000 * ONE);
    world.advance(5 * DAY);
    world.run(&[], &[ix::accrue(keys.pool)]);
    let before = world.pool(&keys);
    let gained = before.tranche(SENIOR).assets - 4_000 * ONE;
    // Half of it: what falls on what is leaving is the surplus's.
    assert!(gained > ONE / 4 && gained < before.surplus, "{gained}");
    let receipt = cancel(&world, &keys, &wavers, nonce).unwrap();
    let [event] = &transaction::events::<ExitCancelled>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.units, event.value, event.tranche), (ticket.units, 4_000 * ONE, SENIOR));
    assert_eq!(event.shares, world.shares(&keys, &wavers, SENIOR));
    assert!(event.shares < shares_before, "fewer shares at today's price");
    let pool = world.pool(&keys);
    let book = pool.tranche(SENIOR);
    assert_eq!((book.exiting, book.units, pool.cash), (0, 0, before.cash));
    // The value of the day of the request, and all that was earned since is the other's.
    let value = book.worth_of_shares(event.shares).unwrap();
    assert!(value <= 4_000 * ONE && value + 1 >= 4_000 * ONE, "{value}");
    let others = book.worth_of_shares(world.shares(&keys, &stays, SENIOR)).unwrap();
    assert!(others + 2 >= 4_000 * ONE + gained);
    // The ticket is closed.
    assert!(!exists(&world, &address::exit_ticket(&keys.pool, &wavers.id(), nonce)));
    assert_eq!(world.epoch(&keys, ticket.epoch_day).tickets, 0);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn only_the_owner_cancels_and_not_in_an_alert() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 1);
    let owner = world.depositor(&keys, SENIOR, 4_000 * ONE);
    let thief = world.depositor(&keys, SENIOR, 1_000 * ONE);
    world.next_day();
    world.holder(&products[0], 1_000 * ONE, 30);
    let (nonce, ticket) = exit_worth(&world, &keys, &owner, SENIOR, 1_000 * ONE);
    // The thief signs in the owner's place, with his own share account.
    let mut stolen = ix::cancel_exit(&keys, &ticket);
    for account in &mut stolen.accounts {
        if account.pubkey == owner.id() {
            account.pubkey = thief.id();
        } else if account.pubkey == keys.shares_of(&owner.id(), SENIOR) {
            account.pubkey = keys.shares_of(&thief.id(), SENIOR);
        }
    }
    assert_refused(world.send(&[&thief.key], &[stolen]), BackstopError::WrongAccount);
    world.advance(terms::HOUR);
    world.print(&products[0], 80_000_000);
    assert_refused(cancel(&world, &keys, &owner, nonce), BackstopError::PoolInAlert);
    assert_eq!(world.ticket(&keys, &owner, nonce), ticket);
}

#[test]
fn a_ticket_has_a_least_value_whoever_asks() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let person = world.depositor(&keys, JUNIOR, 100 * ONE);
    let refused = |shares| world.request_exit(&keys, &person, JUNIOR, shares).1;
    assert_refused(refused(0), BackstopError::AmountTooSmall);
    assert_refused(refused(1_000 * ONE - 1), BackstopError::AmountTooSmall);
    refused(1_000 * ONE).unwrap();
    // Half a token stays, and it is all that anybody has: the last shares of a tranche may leave.
    refused(98_500 * ONE).unwrap();
    assert_refused(refused(499 * ONE), BackstopError::AmountTooSmall);
    refused(500 * ONE).unwrap();
    assert_eq!(world.shares(&keys, &person, JUNIOR), 0);
    assert_eq!(world.pool(&keys).tranche(JUNIOR).exiting, 100 * ONE);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn shares_that_are_worth_nothing_make_no_ticket() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let person = world.depositor(&keys, JUNIOR, 100 * ONE);
    world.exit(&keys, &person, JUNIOR, 100_000 * ONE - 999);
    assert_refused(world.request_exit(&keys, &person, JUNIOR, 999).1, BackstopError::AmountTooSmall);
}

// ---- when it is paid ----

#[test]
fn a_tickets_epoch_is_the_day_that_contains_now_and_the_cooldown() {
    for (second, days) in [(0, 7), (DAY - 1, 7), (DAY / 2, 7)] {
        let world = World::new();
        let (keys, _) = pool_with_products(&world, 0);
        let person = world.depositor(&keys, JUNIOR, 100 * ONE);
        let today = day_of(world.now()) + 1;
        world.cluster.set_time(i64::from(today) * DAY + second);
        // The day of the epoch is the caller's to name, and must be this one or the next.
        for wrong in [today + days - 1, today + days + 2] {
            let args = RequestExitArgs { nonce: 5, tranche: JUNIOR, shares: 50_000 * ONE, epoch_day: wrong };
            let request = ix::request_exit(&keys, person.id(), world.payer.pubkey(), args);
            assert_refused(world.send(&[&person.key], &[request]), BackstopError::WrongExitDay);
            assert!(!exists(&world, &address::exit_epoch(&keys.pool, wrong)));
        }
        let (_, ticket) = exit_worth(&world, &keys, &person, JUNIOR, 50 * ONE);
        assert_eq!(ticket.epoch_day, today + days);
        // The last second of its day is too early, the next is not.
        pass(&world, ticket.epoch_day);
        world.advance(-1);
        assert_refused(world.settle_epoch(&keys, ticket.epoch_day), BackstopError::EpochNotOver);
        world.advance(1);
        world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    }
}

/// Two tickets of one epoch and free capital for about half of them. Returns the tickets' numbers.
fn half_free(world: &World) -> (PoolKeys, [Person; 2], [u64; 2], u32) {
    let keys = world.create_pool(terms::create_pool(0));
    let products = [world.create_product(&keys, terms::stress()), world.create_product(&keys, terms::stress())];
    let first = world.depositor(&keys, JUNIOR, 1_000 * ONE);
    let second = world.depositor(&keys, SENIOR, 3_000 * ONE);
    world.depositor(&keys, SENIOR, 6_000 * ONE);
    world.next_day();
    for product in &products {
        world.holder(product, 4_000 * ONE, 200);
    }
    let (one, ticket) = exit_worth(world, &keys, &first, JUNIOR, 1_000 * ONE);
    let (two, _) = exit_worth(world, &keys, &second, SENIOR, 3_000 * ONE);
    pass(world, ticket.epoch_day);
    (keys, [first, second], [one, two], ticket.epoch_day)
}

#[test]
fn two_tickets_with_free_capital_for_half_are_both_filled_by_half_whoever_claims_first() {
    let mut results = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let world = World::new();
        let (keys, people, tickets, day) = half_free(&world);
        world.run(&[], &[ix::accrue(keys.pool)]);
        let before = world.pool(&keys);
        let free = free(&world, &keys, day);
        assert!((2_000 * ONE..2_200 * ONE).contains(&free), "{free}");
        let receipt = world.settle_epoch(&keys, day).unwrap();
        let [event] = &transaction::events::<ExitEpochSettled>(&receipt.logs)[..] else { panic!("one event") };
        let [junior, senior] = event.paid;
        assert!(junior + senior <= free && junior + senior + 2 >= free);
        assert!(senior.abs_diff(3 * junior) <= 3, "both in one ratio: {junior} {senior}");
        let after = world.pool(&keys);
        assert_eq!(after.exit_reserves, junior + senior);
        assert_eq!(after.tranche(JUNIOR).exiting, 1_000 * ONE - junior);
        assert_eq!(after.tranche(SENIOR).exiting, 3_000 * ONE - senior);
        assert_eq!((after.cash, after.oldest_exit_day), (before.cash, day));
        // At once again there is nothing.
        assert_refused(world.settle_epoch(&keys, day), BackstopError::NothingFree);

        for place in order {
            world.claim(&keys, &people[place], tickets[place]).unwrap();
            // A ticket that has had its part has to wait, and stays.
            assert_refused(world.claim(&keys, &people[place], tickets[place]), BackstopError::NothingToClaim);
            assert!(world.ticket(&keys, &people[place], tickets[place]).claimed > 0);
        }
        let paid = [0, 1].map(|place| world.assets(&people[place]));
        assert!(paid[0].abs_diff(junior) <= 1 && paid[1].abs_diff(senior) <= 1, "{paid:?} of {:?}", event.paid);
        assert_books(&world.cluster, &keys.pool);

        // Capital comes free: the rest follows, and the tickets close.
        let giver = world.person(5_000 * ONE);
        world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), 5_000 * ONE, Seen::ANYTHING)]);
        world.settle_epoch(&keys, day).unwrap();
        for place in order {
            world.claim(&keys, &people[place], tickets[place]).unwrap();
            assert!(!exists(&world, &address::exit_ticket(&keys.pool, &people[place].id(), tickets[place])));
        }
        let total = [0, 1].map(|place| world.assets(&people[place]));
        assert!(total[0] <= 1_000 * ONE && total[0] + 3 >= 1_000 * ONE, "{total:?}");
        assert!(total[1] <= 3_000 * ONE && total[1] + 3 >= 3_000 * ONE, "{total:?}");
        results.push((paid, total));
        assert_books(&world.cluster, &keys.pool);
    }
    assert_eq!(results[0], results[1], "the order of the claims changes nothing");
}

#[test]
fn the_oldest_epoch_is_filled_before_the_next() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 2);
    let person = world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    for product in &products {
        world.holder(product, 4_500 * ONE, 200);
    }
    let (first, early) = exit_worth(&world, &keys, &person, SENIOR, 2_000 * ONE);
    world.next_day();
    let second = world.exit(&keys, &person, SENIOR, 2_000_000 * ONE);
    let late = world.ticket(&keys, &person, second);
    assert_eq!(late.epoch_day, early.epoch_day + 1);
    let pool = world.pool(&keys);
    assert_eq!((pool.oldest_exit_day, pool.newest_exit_day), (early.epoch_day, late.epoch_day));
    pass(&world, late.epoch_day);

    // About half of the first is free: the second gets nothing, whoever asks.
    assert_refused(world.settle_epoch(&keys, late.epoch_day), BackstopError::NotOldestEpoch);
    world.settle_epoch(&keys, early.epoch_day).unwrap();
    assert!(!world.epoch(&keys, early.epoch_day).is_filled());
    assert_refused(world.settle_epoch(&keys, late.epoch_day), BackstopError::NotOldestEpoch);
    assert_refused(world.claim(&keys, &person, second), BackstopError::NothingToClaim);

    let giver = world.person(1_500 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), 1_500 * ONE, Seen::ANYTHING)]);
    assert_refused(world.settle_epoch(&keys, late.epoch_day), BackstopError::NotOldestEpoch);
    world.settle_epoch(&keys, early.epoch_day).unwrap();
    assert!(world.epoch(&keys, early.epoch_day).is_filled());
    assert_eq!(world.pool(&keys).oldest_exit_day, late.epoch_day);
    world.settle_epoch(&keys, late.epoch_day).unwrap();
    assert!(!world.epoch(&keys, late.epoch_day).is_filled());
    // A filled epoch is over.
    assert_refused(world.settle_epoch(&keys, early.epoch_day), BackstopError::NotOldestEpoch);
    world.claim(&keys, &person, first).unwrap();
    world.claim(&keys, &person, second).unwrap();
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn settling_exits_never_moves_the_share_price_of_those_who_stay() {
    let world = World::new();
    let (keys, people, tickets, day) = half_free(&world);
    world.run(&[], &[ix::accrue(keys.pool)]);
    let price = |pool: &Pool| pool.tranches.map(|book| (book.assets, book.shares));
    let before = world.pool(&keys);
    world.settle_epoch(&keys, day).unwrap();
    assert_eq!(price(&world.pool(&keys)), price(&before));
    let giver = world.person(5_000 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), 5_000 * ONE, Seen::ANYTHING)]);
    world.settle_epoch(&keys, day).unwrap();
    assert_eq!(price(&world.pool(&keys)), price(&before));
    for (person, nonce) in people.iter().zip(tickets) {
        world.claim(&keys, person, nonce).unwrap();
    }
    world.run(&[], &[ix::close_exit_epoch(keys.pool, day, world.payer.pubkey())]);
    assert_eq!(price(&world.pool(&keys)), price(&before));
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn exits_do_not_settle_in_an_alert_and_claims_of_what_was_settled_go_on() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 1);
    let early = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let late = world.depositor(&keys, SENIOR, 5_000 * ONE);
    world.next_day();
    world.holder(&products[0], 1_000 * ONE, 60);
    let (first, ticket) = exit_worth(&world, &keys, &early, SENIOR, 1_000 * ONE);
    pass(&world, ticket.epoch_day);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    let (second, outcome) = world.request_exit(&keys, &late, SENIOR, 1_000_000 * ONE);
    outcome.unwrap();
    let day = world.ticket(&keys, &late, second).epoch_day;
    pass(&world, day);
    let refused = |refusal| {
        let before = world.pool(&keys);
        assert_refused(world.settle_epoch(&keys, day), refusal);
        assert_eq!(world.pool(&keys), before);
    };
    world.print(&products[0], 80_000_000);
    refused(BackstopError::PoolInAlert);
    world.depeg(&products[0], 80_000_000);
    refused(BackstopError::PoolInAlert);
    world.run(&[], &[world.open_incident(&products[0])]);
    refused(BackstopError::PoolInCrisis);
    world.claim(&keys, &early, first).unwrap();
    assert_eq!(world.assets(&early), 1_000 * ONE - 1);
    world.run(&[], &[world.fund_incident(&products[0])]);
    world.settle_epoch(&keys, day).unwrap();
    world.claim(&keys, &late, second).unwrap();
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn exits_do_not_settle_below_required_capital_and_only_down_to_it() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.solvency_bps = 12_500;
    args.terms.surplus_bps = 0;
    let keys = world.create_pool(args);
    let product = world.create_product(&keys, terms::stress());
    let person = world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    world.holder(&product, 8_000 * ONE, 200);
    // 8,000 of exposure ask for 10,000: only premium is free.
    let (nonce, ticket) = exit_worth(&world, &keys, &person, SENIOR, 5_000 * ONE);
    pass(&world, ticket.epoch_day);
    world.run(&[], &[ix::accrue(keys.pool)]);
    let earned = world.pool(&keys).loss_capital().unwrap() - 10_000 * ONE;
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    let pool = world.pool(&keys);
    assert!(pool.exit_reserves <= earned && pool.exit_reserves + 1 >= earned);
    assert!(pool.loss_capital().unwrap() >= 10_000 * ONE);
    assert_refused(world.settle_epoch(&keys, ticket.epoch_day), BackstopError::NothingFree);
    // Once the covers have run out and were released, all of it is.
    world.cluster.set_time((i64::from(ticket.epoch_day) + 300) * DAY);
    assert_eq!(world.pool(&keys).total_exposure, 8_000 * ONE);
    // Kept past its day it earns as what stays does: 5,000 less what was paid beside 5,000.
    let before = world.pool(&keys);
    let receipt = world.run(&[], &[ix::accrue(keys.pool)]);
    let kept = transaction::events::<Accrued>(&receipt.logs).pop().expect("premium is earned").accrual;
    let [staying, exiting] = [before.tranche(SENIOR).assets, before.tranche(SENIOR).exiting].map(u128::from);
    let expected = u128::from(kept.senior) * exiting / staying;
    assert!(u128::from(kept.senior_exiting).abs_diff(expected) <= 2, "{kept:?}");
    assert!(kept.senior_exiting > 100 * ONE);
    world.run(&[], &[ix::sync_product(&product)]);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    world.claim(&keys, &person, nonce).unwrap();
    // Two payments, each rounded down.
    assert_eq!(world.assets(&person), 5_000 * ONE + kept.senior_exiting - 2);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn exits_leave_the_leverage_behind() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.rho_bps = 0;
    args.terms.max_leverage_bps = 12_500;
    args.terms.surplus_bps = 0;
    let keys = world.create_pool(args);
    let products: Vec<_> = (0..5)
        .map(|group| {
            let mut args = terms::create_product(world.covered, terms::stress());
            args.terms.risk_group = group;
            world.create_product_with(&keys, args)
        })
        .collect();
    let person = world.depositor(&keys, SENIOR, 8_000 * ONE);
    world.next_day();
    for product in &products {
        world.holder(product, 1_000 * ONE, 200);
    }
    // The root of five squares is 2,237; 5,000 of exposure at 1.25 ask for 4,000.
    let (_, ticket) = exit_worth(&world, &keys, &person, SENIOR, 6_000 * ONE);
    pass(&world, ticket.epoch_day);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    let left = world.pool(&keys).loss_capital().unwrap();
    assert!((4_000 * ONE..=4_000 * ONE + 1).contains(&left), "{left}");
}

#[test]
fn an_epoch_30_days_late_settles_past_an_alert_that_is_only_breaching() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.rho_bps = 0;
    args.terms.surplus_bps = 0;
    let keys = world.create_pool(args);
    let products: Vec<_> = (0..2)
        .map(|group| {
            let mut args = terms::create_product(world.covered, terms::stress());
            args.terms.risk_group = group;
            world.create_product_with(&keys, args)
        })
        .collect();
    let person = world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    world.holder(&products[0], 3_000 * ONE, 200);
    world.holder(&products[1], 4_000 * ONE, 200);
    let (nonce, ticket) = exit_worth(&world, &keys, &person, SENIOR, 9_000 * ONE);
    let day = ticket.epoch_day;
    let late = (i64::from(day) + 31) * DAY;

    // One second less than 30 days past its end it waits, like any other.
    world.cluster.set_time(late);
    world.print(&products[0], 90_000_000);
    let pool = world.pool(&keys);
    assert_eq!((pool.alerts, pool.alerts_due, pool.alert_exposure), (1, 0, 3_000 * ONE));
    assert_refused(world.settle_epoch(&keys, day), BackstopError::PoolInAlert);
    world.advance(1);
    world.settle_epoch(&keys, day).unwrap();
    // What is in alert stays behind in full, and the rest's requirement beside it: 3,000 + 4,000, not their root.
    let left = world.pool(&keys).loss_capital().unwrap();
    assert!((7_000 * ONE..=7_000 * ONE + 1).contains(&left), "{left}");
    assert_refused(world.settle_epoch(&keys, day), BackstopError::NothingFree);
    assert!(!world.epoch(&keys, day).is_filled());
    world.claim(&keys, &person, nonce).unwrap();

    // Met and triggered alerts stop it all the same, late or not.
    world.depeg(&products[0], 80_000_000);
    assert_eq!(world.pool(&keys).alerts_due, 1);
    assert_refused(world.settle_epoch(&keys, day), BackstopError::PoolInAlert);
    // Funded, the alert is over, and what is free above the other product's 4,000 is the premium earned since.
    world.open_and_fund(&products[0]);
    world.settle_epoch(&keys, day).unwrap();
    let left = world.pool(&keys).loss_capital().unwrap();
    assert!((4_000 * ONE..=4_000 * ONE + 1).contains(&left), "{left}");
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_later_epoch_does_not_profit_from_the_age_of_the_one_before() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 1);
    let person = world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    world.holder(&products[0], 1_000 * ONE, 200);
    let (_, old) = exit_worth(&world, &keys, &person, SENIOR, 1_000 * ONE);
    world.advance(DAY);
    let young = world.exit(&keys, &person, SENIOR, 1_000_000 * ONE);
    let young = world.ticket(&keys, &person, young);
    world.cluster.set_time((i64::from(old.epoch_day) + 31) * DAY + 1);
    world.print(&products[0], 90_000_000);
    world.settle_epoch(&keys, old.epoch_day).unwrap();
    assert!(world.epoch(&keys, old.epoch_day).is_filled());
    assert_refused(world.settle_epoch(&keys, young.epoch_day), BackstopError::PoolInAlert);
}

#[test]
fn a_payment_that_does_not_fill_an_epoch_has_a_least_amount() {
    // Each payment rounds against those who leave: settled for a few units at a time, an epoch would be worn down.
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let products = [world.create_product(&keys, terms::stress()), world.create_product(&keys, terms::stress())];
    let person = world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    world.holder(&products[0], 5_000 * ONE, 200);
    world.holder(&products[1], 5_000 * ONE, 200);
    let (_, ticket) = exit_worth(&world, &keys, &person, SENIOR, 5_000 * ONE);
    let day = ticket.epoch_day;
    pass(&world, day);
    world.settle_epoch(&keys, day).unwrap();
    let giver = world.person(ONE);
    let give = |amount| world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), amount, Seen::ANYTHING)]);
    give(MIN_EXIT_PAYMENT - 1 - free(&world, &keys, day));
    assert_eq!(free(&world, &keys, day), MIN_EXIT_PAYMENT - 1);
    let before = world.epoch(&keys, day);
    assert_refused(world.settle_epoch(&keys, day), BackstopError::NothingFree);
    assert_eq!(world.epoch(&keys, day), before);
    give(3);
    world.settle_epoch(&keys, day).unwrap();
    assert_books(&world.cluster, &keys.pool);
}

// ---- who is paid ----

/// Writes the state of a token account: 1 open, 2 frozen.
fn set_state(world: &World, account: &Pubkey, state: u8) {
    let mut data = world.cluster.account(account).unwrap().unwrap();
    data.data[108] = state;
    world.cluster.set_account(*account, data);
}

#[test]
fn a_frozen_or_closed_payout_account_of_one_ticket_hinders_nobody() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let frozen = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let closed = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let handed_over = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let other = world.depositor(&keys, SENIOR, 2_000 * ONE);
    let tickets =
        [&frozen, &closed, &handed_over, &other].map(|person| world.exit(&keys, person, SENIOR, 1_000_000 * ONE));
    let day = world.ticket(&keys, &other, tickets[3]).epoch_day;
    world.advance(DAY);
    let next = world.exit(&keys, &other, SENIOR, 1_000_000 * ONE);

    set_state(&world, &keys.assets_of(&frozen.id()), 2);
    world.cluster.set_account(keys.assets_of(&closed.id()), Account::default());
    let mut stolen = world.cluster.account(&keys.assets_of(&handed_over.id())).unwrap().unwrap();
    stolen.data[32..64].copy_from_slice(seeded(80).pubkey().as_ref());
    world.cluster.set_account(keys.assets_of(&handed_over.id()), stolen);

    pass(&world, day + 1);
    world.settle_epoch(&keys, day).unwrap();
    assert!(world.claim(&keys, &frozen, tickets[0]).is_err());
    assert_refused(world.claim(&keys, &closed, tickets[1]), BackstopError::NotAToken);
    assert_refused(world.claim(&keys, &handed_over, tickets[2]), BackstopError::NotOwnersAccount);
    world.claim(&keys, &other, tickets[3]).unwrap();
    // The next epoch goes on, and the epoch of the three waits for them alone.
    world.settle_epoch(&keys, day + 1).unwrap();
    world.claim(&keys, &other, next).unwrap();
    assert!((2_000 * ONE - 2..=2_000 * ONE).contains(&world.assets(&other)));
    let payer = world.payer.pubkey();
    world.run(&[], &[ix::close_exit_epoch(keys.pool, day + 1, payer)]);
    let close = || world.send(&[], &[ix::close_exit_epoch(keys.pool, day, payer)]);
    assert_refused(close(), BackstopError::EpochInUse);

    // Each of the three finds a way: thawed, made again, or by signing for another account.
    set_state(&world, &keys.assets_of(&frozen.id()), 1);
    world.claim(&keys, &frozen, tickets[0]).unwrap();
    world.cluster.set_tokens(&closed.id(), &world.asset, 0);
    world.claim(&keys, &closed, tickets[1]).unwrap();
    let friend = world.person(0);
    let mut claim = ix::claim_exit(&keys, &world.ticket(&keys, &handed_over, tickets[2]));
    for account in &mut claim.accounts {
        if account.pubkey == keys.assets_of(&handed_over.id()) {
            account.pubkey = keys.assets_of(&friend.id());
        }
        account.is_signer |= account.pubkey == handed_over.id();
    }
    world.run(&[&handed_over.key], &[claim]);
    for person in [&frozen, &closed, &friend] {
        assert_eq!(world.assets(person), 1_000 * ONE - 1);
    }
    close().unwrap();
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_stranger_can_claim_only_to_the_owners_own_account() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let owner = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let thief = world.person(0);
    let (nonce, ticket) = exit_worth(&world, &keys, &owner, SENIOR, 1_000 * ONE);
    pass(&world, ticket.epoch_day);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    let with = |changes: &[(Pubkey, Pubkey)]| {
        let mut claim = ix::claim_exit(&keys, &ticket);
        for account in &mut claim.accounts {
            for (from, to) in changes {
                if account.pubkey == *from {
                    account.pubkey = *to;
                    break;
                }
            }
        }
        world.send(&[&thief.key], &[claim])
    };
    let own = keys.assets_of(&owner.id());
    // Another account, an account of the owner that is not the associated one, another mint, the vault itself.
    let second = seeded(90).pubkey();
    world.cluster.set_account(second, world.cluster.account(&own).unwrap().unwrap());
    let other_mint = world.cluster.set_tokens(&owner.id(), &world.covered, 0);
    assert_refused(with(&[(own, keys.assets_of(&thief.id()))]), BackstopError::NotOwnersAccount);
    assert_refused(with(&[(own, second)]), BackstopError::NotOwnersAccount);
    assert_refused(with(&[(own, other_mint)]), BackstopError::WrongAccount);
    assert_refused(with(&[(own, keys.vault())]), BackstopError::NotOwnersAccount);
    assert_refused(with(&[(own, thief.id())]), BackstopError::NotAToken);
    // Another owner, another rent payer, another vault.
    let to_thief = [(owner.id(), thief.id()), (own, keys.assets_of(&thief.id()))];
    assert_refused(with(&to_thief), BackstopError::WrongAccount);
    assert_refused(with(&[(world.payer.pubkey(), thief.id())]), BackstopError::WrongRentPayer);
    assert_refused(with(&[(keys.vault(), keys.assets_of(&thief.id()))]), BackstopError::WrongAccount);
    assert_eq!(world.ticket(&keys, &owner, nonce), ticket);
    // Even the owner cannot be paid into the vault: it would not have moved.
    let mut to_vault = ix::claim_exit(&keys, &ticket);
    for account in &mut to_vault.accounts {
        if account.pubkey == own {
            account.pubkey = keys.vault();
        }
        account.is_signer |= account.pubkey == owner.id();
    }
    assert_refused(world.send(&[&owner.key], &[to_vault]), BackstopError::VaultMismatch);
    with(&[]).unwrap();
    assert_eq!(world.assets(&owner), 1_000 * ONE - 1);
}

/// Sends a transaction whose signatures nobody checks: what a program's own address signs by a CPI.
fn send_unsigned(world: &World, instruction: Instruction) -> Outcome {
    world.cluster.svm().expire_blockhash();
    let hash = world.cluster.latest_blockhash().unwrap().hash;
    let message = Message::new_with_blockhash(&[instruction], Some(&world.payer.pubkey()), &hash);
    let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
    world.cluster.send(&VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) })
}

#[test]
fn a_programs_address_that_holds_a_ticket_must_sign_for_its_payout() {
    let world = World::unsigned();
    let (keys, _) = pool_with_products(&world, 0);
    let (owner, _) = Pubkey::find_program_address(&[b"vault of a dao"], &seeded(91).pubkey());
    world.cluster.airdrop(&owner, 1_000_000_000);
    world.cluster.set_tokens(&owner, &world.asset, 500 * ONE);
    let token = anchor_spl::token_2022::ID;
    world.run(&[], &[ix::create_associated_token(&world.payer.pubkey(), &owner, &keys.share_mint(SENIOR), &token)]);
    let args =
        backstop::DepositArgs { tranche: SENIOR, amount: 500 * ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    send_unsigned(&world, ix::deposit(&keys, owner, None, args)).unwrap();
    let epoch_day = day_of(world.now() + 7 * DAY);
    let args = RequestExitArgs { nonce: 1, tranche: SENIOR, shares: 500_000 * ONE, epoch_day };
    send_unsigned(&world, ix::request_exit(&keys, owner, world.payer.pubkey(), args)).unwrap();
    pass(&world, epoch_day);
    world.settle_epoch(&keys, epoch_day).unwrap();
    let ticket: ExitTicket = world.read(&address::exit_ticket(&keys.pool, &owner, 1));
    let claim = ix::claim_exit(&keys, &ticket);
    assert_refused(world.send(&[], std::slice::from_ref(&claim)), BackstopError::ProgramHolderMustSign);
    let mut signed = claim;
    for account in &mut signed.accounts {
        account.is_signer |= account.pubkey == owner;
    }
    send_unsigned(&world, signed).unwrap();
    assert_eq!(world.tokens(&keys.assets_of(&owner)), 500 * ONE - 1);
}

// ---- the queue ----

/// A request to leave of 10 tokens that names the epoch `ahead` days after that of its day, as it is built now.
fn stored(world: &World, keys: &PoolKeys, person: &Person, ahead: u32) -> Instruction {
    let epoch_day = world.pool(keys).exit_day(world.now()) + ahead;
    let args = RequestExitArgs { nonce: world.fresh(), tranche: SENIOR, shares: 10_000 * ONE, epoch_day };
    ix::request_exit(keys, person.id(), world.payer.pubkey(), args)
}

/// Case 19: a request that a multisig stores was good on the day alone on which it was built, and only if nobody else
/// left meanwhile.
#[test]
fn a_stored_request_is_good_today_and_tomorrow_whatever_others_do() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let (dao, other) = (world.depositor(&keys, SENIOR, 1_000 * ONE), world.depositor(&keys, SENIOR, 1_000 * ONE));
    let send = |request: &Instruction| world.send(&[&dao.key], std::slice::from_ref(request));
    let first = world.pool(&keys).exit_day(world.now());
    let [today, tomorrow, later] = [0, 1, 1].map(|ahead| stored(&world, &keys, &dao, ahead));
    // On the day on which it is built, behind nobody, before the epoch of the day itself has a ticket.
    send(&tomorrow).unwrap();
    assert_eq!(queue_of(&world, &keys), [first + 1]);
    world.exit(&keys, &other, SENIOR, 10_000 * ONE);
    assert_eq!(queue_of(&world, &keys), [first, first + 1], "an older day goes before, though it came later");
    // On the next day, after others have left on both: some into the epoch of the day, one into the one after.
    world.next_day();
    assert_refused(send(&today), BackstopError::WrongExitDay);
    let request = stored(&world, &keys, &other, 1);
    world.run(&[&other.key], &[request]);
    assert_eq!(queue_of(&world, &keys), [first, first + 1, first + 2]);
    send(&later).unwrap();
    assert_eq!(world.epoch(&keys, first + 1).tickets, 2);
    // On the third day it is over: the epoch would come a day early.
    let late = stored(&world, &keys, &dao, 1);
    world.advance(2 * DAY);
    assert_refused(send(&late), BackstopError::WrongExitDay);
    check_exits(&world, &keys);
    // All are paid in the order of their days.
    pass(&world, first + 2);
    for wrong in [first + 1, first + 2] {
        assert_refused(world.settle_epoch(&keys, wrong), BackstopError::NotOldestEpoch);
    }
    for day in [first, first + 1, first + 2] {
        world.settle_epoch(&keys, day).unwrap();
    }
    assert!(queue_of(&world, &keys).is_empty());
    check_exits(&world, &keys);
}

/// Case 19, the other side: nobody is paid sooner by naming a day.
#[test]
fn naming_a_day_never_shortens_the_cooldown() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let person = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let cooldown = i64::from(world.pool(&keys).terms.cooldown_seconds);
    for second in [0, 1, DAY - 1] {
        world.next_day();
        world.advance(second);
        for ahead in [0, 1] {
            let request = stored(&world, &keys, &person, ahead);
            let asked = world.now();
            world.run(&[&person.key], &[request]);
            // An epoch is paid once its day is over.
            let paid_from = i64::from(world.pool(&keys).exit_day(asked) + ahead + 1) * DAY;
            assert!(paid_from > asked + cooldown, "{second} {ahead}");
        }
    }
    check_exits(&world, &keys);
}

/// Days in the queue.
fn queue_of(world: &World, keys: &PoolKeys) -> Vec<u32> {
    let pool = world.pool(keys);
    match pool.oldest_exit_day {
        0 => Vec::new(),
        oldest => (oldest..=pool.newest_exit_day).filter(|day| pool.is_queued(*day)).collect(),
    }
}

/// Case 17: the smallest ticket bound nobody, as the whole of a holding was free of it and dust can be moved.
#[test]
fn dust_that_was_moved_to_another_account_is_no_ticket() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let whale = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let mule = world.person(0);
    let token = anchor_spl::token_2022::ID;
    let mint = keys.share_mint(SENIOR);
    world.run(&[], &[ix::create_associated_token(&world.payer.pubkey(), &mule.id(), &mint, &token)]);
    let give = |shares: u64| {
        let [from, to] = [&whale, &mule].map(|person| keys.shares_of(&person.id(), SENIOR));
        let give =
            spl_token_2022::instruction::transfer_checked(&token, &from, &mint, &to, &whale.id(), &[], shares, 9);
        world.run(&[&whale.key], &[give.expect("the token program is Token-2022")]);
    };
    let ask = |shares| world.request_exit(&keys, &mule, SENIOR, shares).1;
    give(2_000);
    assert_refused(ask(2_000), BackstopError::AmountTooSmall);
    // A unit less than the smallest ticket, and the smallest ticket: one token.
    give(1_000 * ONE - 2_001);
    assert_refused(ask(1_000 * ONE - 1), BackstopError::AmountTooSmall);
    give(1);
    ask(1_000 * ONE).unwrap();
    check_exits(&world, &keys);
}

/// Whoever comes in can leave again: a deposit that would leave less than a ticket is refused.
#[test]
fn a_deposit_leaves_nobody_with_less_than_can_leave_again() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    world.depositor(&keys, SENIOR, 1_000 * ONE);
    let person = world.person(10 * ONE);
    assert_refused(world.deposit(&keys, &person, SENIOR, ONE - 1), BackstopError::AmountTooSmall);
    world.deposit(&keys, &person, SENIOR, ONE).unwrap();
    // Whoever has a ticket may add any amount to it.
    world.deposit(&keys, &person, SENIOR, 1).unwrap();
    let shares = world.shares(&keys, &person, SENIOR);
    world.exit(&keys, &person, SENIOR, shares);
    check_exits(&world, &keys);
}

#[test]
fn a_ticket_is_claimed_from_its_own_pool_and_epoch() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let other = world.create_pool(terms::create_pool(1));
    let person = world.depositor(&keys, SENIOR, 1_000 * ONE);
    world.cluster.set_tokens(&person.id(), &world.asset, 1_000 * ONE);
    world.deposit(&other, &person, SENIOR, 1_000 * ONE).unwrap();
    let (_, small) = exit_worth(&world, &keys, &person, SENIOR, 10 * ONE);
    let (_, large) = exit_worth(&world, &other, &person, SENIOR, 900 * ONE);
    world.advance(DAY);
    let next = world.exit(&keys, &person, SENIOR, 10_000 * ONE);
    let next = world.ticket(&keys, &person, next);
    pass(&world, small.epoch_day + 1);
    world.settle_epoch(&keys, small.epoch_day).unwrap();
    world.settle_epoch(&keys, next.epoch_day).unwrap();
    world.settle_epoch(&other, large.epoch_day).unwrap();
    let address_of =
        |keys: &PoolKeys, ticket: &ExitTicket| address::exit_ticket(&keys.pool, &person.id(), ticket.nonce);
    let swap = |call: Instruction, from: Pubkey, to: Pubkey| {
        let mut call = call;
        for account in call.accounts.iter_mut().filter(|account| account.pubkey == from) {
            account.pubkey = to;
        }
        world.send(&[&person.key], &[call])
    };
    let epoch = |keys: &PoolKeys, day| address::exit_epoch(&keys.pool, day);
    let wrong = BackstopError::WrongParent;
    let claim = || ix::claim_exit(&keys, &small);
    assert_refused(swap(claim(), address_of(&keys, &small), address_of(&other, &large)), wrong);
    assert_refused(swap(claim(), epoch(&keys, small.epoch_day), epoch(&other, large.epoch_day)), wrong);
    assert_refused(swap(claim(), epoch(&keys, small.epoch_day), epoch(&keys, next.epoch_day)), wrong);
    let cancel = || ix::cancel_exit(&keys, &small);
    assert_refused(swap(cancel(), address_of(&keys, &small), address_of(&other, &large)), wrong);
    assert_refused(swap(cancel(), epoch(&keys, small.epoch_day), epoch(&other, large.epoch_day)), wrong);
    assert_refused(swap(cancel(), epoch(&keys, small.epoch_day), epoch(&keys, next.epoch_day)), wrong);
    let settle = ix::settle_exit_epoch(keys.pool, small.epoch_day);
    assert_refused(swap(settle, epoch(&keys, small.epoch_day), epoch(&other, large.epoch_day)), wrong);
    let close = ix::close_exit_epoch(keys.pool, small.epoch_day, small.rent_payer);
    assert_refused(swap(close, epoch(&keys, small.epoch_day), epoch(&other, large.epoch_day)), wrong);
    // A ticket that was settled in full has nothing left to cancel.
    assert_refused(world.send(&[&person.key], &[cancel()]), BackstopError::NothingOpen);
    world.send(&[], &[claim()]).unwrap();
    assert_books(&world.cluster, &keys.pool);
    assert_books(&world.cluster, &other.pool);
}

#[test]
fn a_number_is_used_for_one_ticket_at_a_time() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.depositor(&keys, JUNIOR, 100 * ONE);
    // Tomorrow's, which is good on both days.
    let epoch_day = world.pool(&keys).exit_day(world.now()) + 1;
    let args =
        RequestExitArgs { nonce: 5, tranche: JUNIOR, shares: world.shares(&keys, &person, JUNIOR) / 4, epoch_day };
    let request = || ix::request_exit(&keys, person.id(), world.payer.pubkey(), args.clone());
    world.run(&[&person.key], &[request()]);
    let ticket = world.ticket(&keys, &person, 5);
    let state = || (world.pool(&keys), world.epoch(&keys, epoch_day), world.shares(&keys, &person, JUNIOR));
    let before = state();
    // Later, or in one transaction: the address is taken, and no share is burnt for nothing.
    assert!(world.send(&[&person.key], &[request()]).is_err());
    assert_eq!(state(), before);
    assert_eq!(world.ticket(&keys, &person, 5), ticket);
    world.next_day();
    world.run(&[&person.key], &[ix::cancel_exit(&keys, &ticket)]);
    let both = world.send(&[&person.key], &[request(), request()]);
    assert!(both.is_err());
    assert_eq!(world.epoch(&keys, epoch_day).tickets, 0);
    world.run(&[&person.key], &[request()]);
    assert_eq!(world.epoch(&keys, epoch_day).tickets, 1);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_ticket_cannot_be_claimed_twice() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let person = world.depositor(&keys, SENIOR, 1_000 * ONE);
    world.depositor(&keys, SENIOR, 1_000 * ONE);
    let (nonce, ticket) = exit_worth(&world, &keys, &person, SENIOR, 500 * ONE);
    let (_, other) = exit_worth(&world, &keys, &person, SENIOR, 500 * ONE);
    pass(&world, ticket.epoch_day);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    let claim = ix::claim_exit(&keys, &ticket);
    // In one transaction too.
    assert!(world.send(&[], &[claim.clone(), claim.clone()]).is_err());
    world.claim(&keys, &person, nonce).unwrap();
    assert!(world.send(&[], &[claim]).is_err());
    assert_eq!(world.assets(&person), 500 * ONE - 1);
    assert_eq!(world.epoch(&keys, ticket.epoch_day).reserve, 500 * ONE + 1);
    world.claim(&keys, &person, other.nonce).unwrap();
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn an_epoch_whose_tickets_were_all_cancelled_is_passed_over() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let person = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let (nonce, ticket) = exit_worth(&world, &keys, &person, SENIOR, 10 * ONE);
    world.advance(DAY);
    cancel(&world, &keys, &person, nonce).unwrap();
    let next = world.exit(&keys, &person, SENIOR, 10_000 * ONE);
    pass(&world, ticket.epoch_day + 1);
    let payer = world.payer.pubkey();
    // Not filled yet, so still needed: it is what the queue begins with.
    let close = ix::close_exit_epoch(keys.pool, ticket.epoch_day, payer);
    assert_refused(world.send(&[], std::slice::from_ref(&close)), BackstopError::EpochInUse);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    world.run(&[], &[close]);
    world.settle_epoch(&keys, ticket.epoch_day + 1).unwrap();
    world.claim(&keys, &person, next).unwrap();
    assert_eq!(world.assets(&person), 10 * ONE - 1);
    let pool = world.pool(&keys);
    assert_eq!((pool.oldest_exit_day, pool.newest_exit_day), (0, 0));
    // And the queue begins anew.
    world.exit(&keys, &person, SENIOR, 10_000 * ONE);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn an_epoch_partly_paid_then_cancelled_by_one_pays_the_other_in_full() {
    let world = World::new();
    let (keys, people, tickets, day) = half_free(&world);
    world.settle_epoch(&keys, day).unwrap();
    let receipt = cancel(&world, &keys, &people[1], tickets[1]).unwrap();
    // What was settled is paid, the rest is shares again.
    let [claimed] = &transaction::events::<ExitClaimed>(&receipt.logs)[..] else { panic!("one claim") };
    let [cancelled] = &transaction::events::<ExitCancelled>(&receipt.logs)[..] else { panic!("one cancellation") };
    assert!(claimed.closed && claimed.amount == world.assets(&people[1]));
    let whole = claimed.amount + cancelled.value;
    assert!(whole <= 3_000 * ONE && whole + 3 >= 3_000 * ONE, "{whole}");
    let giver = world.person(5_000 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), 5_000 * ONE, Seen::ANYTHING)]);
    world.settle_epoch(&keys, day).unwrap();
    world.claim(&keys, &people[0], tickets[0]).unwrap();
    let paid = world.assets(&people[0]);
    assert!(paid <= 1_000 * ONE && paid + 3 >= 1_000 * ONE, "{paid}");
    assert_books(&world.cluster, &keys.pool);
}

// ---- wiped-out tranches ----

#[test]
fn tickets_of_a_wiped_out_series_claim_what_was_paid_before_and_close() {
    let world = World::new();
    let (keys, products) = pool_with_products(&world, 2);
    let junior = world.depositor(&keys, JUNIOR, 2_000 * ONE);
    let senior = world.depositor(&keys, SENIOR, 8_000 * ONE);
    world.next_day();
    for product in &products {
        world.holder(product, 4_500 * ONE, 200);
    }
    let (in_junior, ticket) = exit_worth(&world, &keys, &junior, JUNIOR, 1_500 * ONE);
    let (in_senior, _) = exit_worth(&world, &keys, &senior, SENIOR, 500 * ONE);
    pass(&world, ticket.epoch_day);
    world.settle_epoch(&keys, ticket.epoch_day).unwrap();
    let paid = world.epoch(&keys, ticket.epoch_day).reserve;
    assert!((1_000 * ONE..1_200 * ONE).contains(&paid), "{paid}");
    world.depeg(&products[0], 80_000_000);
    world.open_and_fund(&products[0]);
    assert_eq!(world.pool(&keys).tranche(JUNIOR).wiped_out, 1);
    assert_eq!(world.pool(&keys).exit_reserves, paid, "what was settled is out of reach of the loss");

    let rent = lamports(&world, &world.payer.pubkey());
    world.claim(&keys, &junior, in_junior).unwrap();
    let had = world.assets(&junior);
    assert!((750 * ONE..900 * ONE).contains(&had), "{had}");
    assert!(!exists(&world, &address::exit_ticket(&keys.pool, &junior.id(), in_junior)));
    assert!(lamports(&world, &world.payer.pubkey()) > rent);

    // The senior's part of the same epoch goes on, in a pool with a new junior series.
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    world.run(&[&world.governance], &[ix::open_series(governance, payer, keys.pool, JUNIOR, 1)]);
    let renewed = PoolKeys::of(keys.pool, &world.pool(&keys), keys.asset_token_program);
    let newcomer = world.depositor(&renewed, JUNIOR, 5_000 * ONE);
    world.settle_epoch(&renewed, ticket.epoch_day).unwrap();
    assert!(world.epoch(&keys, ticket.epoch_day).is_filled());
    world.claim(&keys, &senior, in_senior).unwrap();
    world.run(&[], &[ix::close_exit_epoch(keys.pool, ticket.epoch_day, payer)]);
    let book = *world.pool(&keys).tranche(JUNIOR);
    assert_eq!(book.worth_of_shares(world.shares(&renewed, &newcomer, JUNIOR)).unwrap(), 5_000 * ONE);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_ticket_of_a_new_series_is_not_mixed_with_old_ones_of_its_epoch() {
    // Cooldown 20 days: within it the old series is wiped out, a new one opened, and both have tickets of one day.
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = u32::try_from(20 * DAY).unwrap();
    let keys = world.create_pool(args);
    let product = world.create_product(&keys, terms::stress());
    let old = world.depositor(&keys, JUNIOR, 2_000 * ONE);
    world.depositor(&keys, SENIOR, 8_000 * ONE);
    world.next_day();
    world.holder(&product, 4_500 * ONE, 200);
    world.advance(2 * DAY);
    // Everything short of the last second of the day happens in one UTC day.
    world.next_day();
    world.depeg(&product, 80_000_000);
    let (of_old, outcome) = world.request_exit(&keys, &old, JUNIOR, 1_000_000 * ONE);
    outcome.unwrap();
    world.open_and_fund(&product);
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    world.run(&[&world.governance], &[ix::open_series(governance, payer, keys.pool, JUNIOR, 1)]);
    let renewed = PoolKeys::of(keys.pool, &world.pool(&keys), keys.asset_token_program);
    let new = world.depositor(&renewed, JUNIOR, 300 * ONE);
    let (of_new, ticket) = exit_worth(&world, &renewed, &new, JUNIOR, 300 * ONE);
    let day = ticket.epoch_day;
    assert_eq!(world.ticket(&keys, &old, of_old).epoch_day, day, "both on one day");
    let epoch = world.epoch(&keys, day);
    assert_eq!((epoch.units[0], epoch.tickets, epoch.series[0]), (ticket.units, 2, 1));

    // The old one closes with nothing, before or after the settlement, and takes nothing of the new one's.
    pass(&world, day);
    world.settle_epoch(&renewed, day).unwrap();
    world.claim(&keys, &old, of_old).unwrap();
    assert_eq!(world.assets(&old), 0);
    world.claim(&renewed, &new, of_new).unwrap();
    assert_eq!(world.assets(&new), 300 * ONE - 1);
    world.run(&[], &[ix::close_exit_epoch(keys.pool, day, payer)]);
    assert_books(&world.cluster, &keys.pool);
}

// ---- closing ----

#[test]
fn tickets_and_epochs_give_their_rent_back_to_whoever_paid_it() {
    let world = World::new();
    let (keys, _) = pool_with_products(&world, 0);
    let person = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let (sponsor, second) = (world.person(0), world.person(0));
    let epoch_day = day_of(world.now() + 7 * DAY);
    let request = |sponsor: &Person, nonce| {
        let args = RequestExitArgs { nonce, tranche: SENIOR, shares: 100_000 * ONE, epoch_day };
        let request = ix::request_exit(&keys, person.id(), sponsor.id(), args);
        world.run(&[&person.key, &sponsor.key], &[request]);
    };
    let before = [lamports(&world, &sponsor.id()), lamports(&world, &second.id())];
    request(&sponsor, 1);
    request(&second, 2);
    request(&second, 3);
    let epoch = address::exit_epoch(&keys.pool, epoch_day);
    let ticket = |nonce| address::exit_ticket(&keys.pool, &person.id(), nonce);
    let (ticket_rent, epoch_rent) = (lamports(&world, &ticket(1)), lamports(&world, &epoch));
    assert_eq!(lamports(&world, &sponsor.id()), before[0] - ticket_rent - epoch_rent);
    assert_eq!(lamports(&world, &second.id()), before[1] - 2 * ticket_rent);

    // By cancelling, by claiming, and the epoch with its last ticket; each refused while it is needed.
    world.next_day();
    cancel(&world, &keys, &person, 2).unwrap();
    assert_eq!(lamports(&world, &second.id()), before[1] - ticket_rent);
    pass(&world, epoch_day);
    let close = |to: Pubkey| world.send(&[], &[ix::close_exit_epoch(keys.pool, epoch_day, to)]);
    assert_refused(close(sponsor.id()), BackstopError::EpochInUse);
    let receipt = world.settle_epoch(&keys, epoch_day).unwrap();
    let settled = transaction::events::<ExitEpochSettled>(&receipt.logs).pop().unwrap().paid;
    assert_refused(close(sponsor.id()), BackstopError::EpochInUse);
    for nonce in [1, 3] {
        world.claim(&keys, &person, nonce).unwrap();
        assert!(!exists(&world, &ticket(nonce)));
    }
    assert_eq!(lamports(&world, &second.id()), before[1]);
    assert_refused(close(second.id()), BackstopError::WrongRentPayer);
    let receipt = close(sponsor.id()).unwrap();
    assert_eq!(lamports(&world, &sponsor.id()), before[0]);
    assert!(!exists(&world, &epoch));
    // What rounding left goes to the surplus.
    let [event] = &transaction::events::<ExitEpochClosed>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!(event.to_surplus, settled[1] - world.assets(&person));
    let pool = world.pool(&keys);
    assert_eq!((pool.exit_reserves, pool.surplus), (0, event.to_surplus));
    assert!(close(sponsor.id()).is_err());
    assert_books(&world.cluster, &keys.pool);
}

// ---- at random ----

/// Everything that must be true of a pool's exits, whatever happened.
fn check_exits(world: &World, keys: &PoolKeys) {
    assert_books(&world.cluster, &keys.pool);
    let pool = world.pool(keys);
    let epochs: Vec<(Pubkey, ExitEpoch)> = account::list(&world.cluster, None).unwrap();
    let tickets: Vec<(Pubkey, ExitTicket)> = account::list(&world.cluster, None).unwrap();
    let reserves: u64 = epochs.iter().map(|(_, epoch)| epoch.reserve).sum();
    assert_eq!(reserves, pool.exit_reserves, "the reserves of the epochs are the pool's");

    // The queue: from the oldest to the newest, by day, through every epoch that is not filled, and no other.
    let queue: Vec<u32> = match pool.oldest_exit_day {
        0 => Vec::new(),
        oldest => (oldest..=pool.newest_exit_day).filter(|day| pool.is_queued(*day)).collect(),
    };
    assert_eq!(queue.last().copied().unwrap_or(0), pool.newest_exit_day);
    let mut unfilled: Vec<u32> =
        epochs.iter().filter(|(_, epoch)| !epoch.is_filled()).map(|(_, epoch)| epoch.day).collect();
    unfilled.sort_unstable();
    assert_eq!(queue, unfilled);

    for (_, epoch) in &epochs {
        let own = || tickets.iter().map(|(_, ticket)| ticket).filter(|ticket| ticket.epoch_day == epoch.day);
        assert_eq!(own().count(), epoch.tickets as usize);
        let counted = |ticket: &&ExitTicket| epoch.series[ticket.tranche.index()] == ticket.series;
        let mut due = 0;
        for ticket in own().filter(counted) {
            let mut ticket = ticket.clone();
            due += epoch.clone().claim(&mut ticket).unwrap();
        }
        assert!(due <= epoch.reserve, "{due} is due of {}", epoch.reserve);
        for tranche in Tranche::BOTH {
            let units: u64 =
                own().filter(counted).filter(|ticket| ticket.tranche == tranche).map(|ticket| ticket.units).sum();
            assert_eq!(units, epoch.units[tranche.index()]);
        }
    }
    for tranche in Tranche::BOTH {
        let book = pool.tranche(tranche);
        let in_series = |epoch: &&ExitEpoch| epoch.series[tranche.index()] == book.series && book.wiped_out == 0;
        let open: u64 = epochs
            .iter()
            .map(|(_, epoch)| epoch)
            .filter(in_series)
            .map(|epoch| open_units(epoch.units[tranche.index()], epoch.open_q63).unwrap())
            .sum();
        assert!(open <= book.units, "{open} units are open, the books say {}", book.units);
        assert!(book.units - open <= 1_000, "{} units without a ticket", book.units - open);
    }
}

#[test]
fn random_exits_with_losses_are_paid_in_order_and_leave_nothing_behind() {
    let world = World::unsigned();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = u32::try_from(2 * DAY).unwrap();
    let mut keys = world.create_pool(args);
    let mut products: Vec<ProductKeys> = (0..24).map(|_| world.create_product(&keys, terms::stress())).collect();
    let people: Vec<Person> = (0..6).map(|_| world.person(1_000_000_000 * ONE)).collect();
    for (place, person) in people.iter().enumerate() {
        let tranche = if place % 2 == 0 { JUNIOR } else { SENIOR };
        world.deposit(&keys, person, tranche, 10_000 * ONE).unwrap();
    }
    world.next_day();
    let mut tickets: Vec<(usize, u64)> = Vec::new();
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut counts = [0usize; 8];
    let mut wiped_out = 0;
    for _ in 0..3_000 {
        let who = rng.random_range(0..people.len());
        let person = &people[who];
        let tranche = if rng.random() { JUNIOR } else { SENIOR };
        let action: usize = rng.random_range(0..20);
        let done = match action {
            0..4 => {
                let most = if tranche == JUNIOR { 4_000 * ONE } else { 20_000 * ONE };
                world.deposit(&keys, person, tranche, rng.random_range(1..most)).is_ok()
            }
            4..8 => {
                let held = world.shares(&keys, person, tranche);
                if held == 0 {
                    continue;
                }
                let part = if rng.random_range(0..3) == 0 { held } else { rng.random_range(1..=held) };
                let (nonce, outcome) = world.request_exit(&keys, person, tranche, part);
                if outcome.is_ok() {
                    tickets.push((who, nonce));
                }
                outcome.is_ok()
            }
            8..10 if !tickets.is_empty() => {
                let place = rng.random_range(0..tickets.len());
                let (who, nonce) = tickets[place];
                let done = cancel(&world, &keys, &people[who], nonce).is_ok();
                if done {
                    tickets.swap_remove(place);
                }
                done
            }
            10..13 if !tickets.is_empty() => {
                let place = rng.random_range(0..tickets.len());
                let (who, nonce) = tickets[place];
                let done = world.claim(&keys, &people[who], nonce).is_ok();
                if !exists(&world, &address::exit_ticket(&keys.pool, &people[who].id(), nonce)) {
                    tickets.swap_remove(place);
                }
                done
            }
            13..16 => {
                let day = world.pool(&keys).oldest_exit_day;
                day != 0 && world.settle_epoch(&keys, day).is_ok()
            }
            16 => {
                world.advance(rng.random_range(1..120_000));
                true
            }
            17 if !products.is_empty() => {
                let product = &products[products.len() - 1];
                let capital = world.pool(&keys).capacity_capital().unwrap();
                let largest = (capital / 2).clamp(ONE, 1_000_000 * ONE);
                world.print(product, 100_000_000);
                world.buy(product, person, rng.random_range(ONE..=largest), rng.random_range(7..60)).1.is_ok()
            }
            18 if !products.is_empty() && rng.random_range(0..4) == 0 => {
                let product = products.pop().unwrap();
                if world.product(&product).exposure == 0 {
                    products.push(product);
                    continue;
                }
                world.depeg(&product, rng.random_range(80_000_000..94_000_000));
                world.run(&[], &[world.open_incident(&product)]);
                // With no cover in force there is nothing to fund.
                let _ = world.send(&[], &[world.fund_incident(&product)]);
                for tranche in Tranche::BOTH {
                    let book: TrancheBook = *world.pool(&keys).tranche(tranche);
                    if book.wiped_out != 0 {
                        let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
                        let open = ix::open_series(governance, payer, keys.pool, tranche, book.series + 1);
                        world.run(&[&world.governance], &[open]);
                        keys = PoolKeys::of(keys.pool, &world.pool(&keys), keys.asset_token_program);
                        wiped_out += 1;
                    }
                }
                true
            }
            _ => continue,
        };
        let kind = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 6, 7, 7][action];
        counts[kind] += usize::from(done);
        check_exits(&world, &keys);
    }
    println!("accepted, by kind: {counts:?}; {wiped_out} series wiped out");
    assert!(wiped_out > 0 && counts.iter().all(|count| *count > 0), "every kind of action was accepted: {counts:?}");

    // Everybody leaves: every ticket closes, every epoch, and nothing is owed to anyone.
    for person in &people {
        for tranche in Tranche::BOTH {
            let held = world.shares(&keys, person, tranche);
            let _ = world.request_exit(&keys, person, tranche, held);
        }
    }
    world.advance(400 * DAY);
    for product in &products {
        world.print(product, 100_000_000);
        world.run(&[], &[ix::sync_product(product)]);
    }
    while world.pool(&keys).oldest_exit_day != 0 {
        world.settle_epoch(&keys, world.pool(&keys).oldest_exit_day).unwrap();
    }
    let tickets: Vec<(Pubkey, ExitTicket)> = account::list(&world.cluster, None).unwrap();
    for (_, ticket) in &tickets {
        world.run(&[], &[ix::claim_exit(&keys, ticket)]);
    }
    let epochs: Vec<(Pubkey, ExitEpoch)> = account::list(&world.cluster, None).unwrap();
    for (_, epoch) in &epochs {
        world.run(&[], &[ix::close_exit_epoch(keys.pool, epoch.day, epoch.rent_payer)]);
    }
    let pool = world.pool(&keys);
    assert_eq!((pool.exit_reserves, pool.newest_exit_day), (0, 0));
    for book in pool.tranches {
        assert!(book.exiting <= 10 && book.assets <= 10, "{book:?}");
    }
    assert_books(&world.cluster, &keys.pool);
}
