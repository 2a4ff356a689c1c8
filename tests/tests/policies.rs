//! What becomes of a position through the real program: extended, reduced, made into an NFT; how a pool tells its health;
//! and claim terms.

use crate::positions::{SUM, cancel, close, insured, lost, selling};
use anchor_lang::AnchorDeserialize;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::PositionToNftArgs;
use backstop::constants::PAUSE_PURCHASES;
use backstop::error::BackstopError;
use backstop::events::{PositionConverted, PositionExtended, PositionReduced};
use backstop::payout::Severity;
use backstop::peril::evidence::TermsInput;
use backstop::state::{CoverState, ExtensionRequest, PoolHealth, ProductTerms, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, ProductKeys};
use backstop_client::{address, transaction};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, budget};
use solana_sdk::signer::Signer;

fn extend(world: &World, keys: &ProductKeys, by: &Person, position: Pubkey, days: u16, most: u64) -> Outcome {
    let request = ExtensionRequest { days, max_premium: most };
    world.send(&[&by.key], &[budget(), ix::extend_position(keys, by.id(), position, request)])
}

fn reduce(world: &World, keys: &ProductKeys, by: &Person, position: Pubkey, left: u64) -> Outcome {
    world.send(&[&by.key], &[budget(), ix::reduce_position(keys, by.id(), position, left)])
}

fn to_nft(world: &World, keys: &ProductKeys, by: &Person, position: Pubkey, receiver: &Person, nonce: u64) -> Outcome {
    to_nft_on(world, keys, by, position, receiver, PositionToNftArgs { nonce, day: world.today() })
}

fn to_nft_on(
    world: &World,
    keys: &ProductKeys,
    by: &Person,
    position: Pubkey,
    receiver: &Person,
    args: PositionToNftArgs,
) -> Outcome {
    let payer = world.payer.pubkey();
    let convert = ix::position_to_nft(keys, payer, by.id(), receiver.id(), (position, payer), args);
    world.send(&[&by.key], &[budget(), convert])
}

fn mint_of(world: &World, keys: &ProductKeys, owner: &Person, nonce: u64) -> Pubkey {
    address::cover_mint(&keys.product, &owner.id(), nonce, world.today())
}

/// Days pass, and a healthy print is shown.
fn later(world: &World, keys: &ProductKeys, days: i64) {
    world.advance(days * DAY);
    world.print(keys, 100_000_000);
}

// ---------------------------------------------------------------- extending

#[test]
fn the_owner_of_a_position_in_force_buys_more_days_of_it() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    let before = world.position(&position).policy;
    assert_refused(extend(&world, &product, &owner, position, 7, SUM), BackstopError::NotInForceYet);
    later(&world, &product, 5);
    let stranger = world.person(SUM);
    assert_refused(extend(&world, &product, &stranger, position, 7, SUM), BackstopError::NotPositionOwner);
    assert_refused(extend(&world, &product, &owner, position, 0, SUM), BackstopError::BadTerm);
    // Today's longest cover ends five days after the longest of then: 30 of 365 days are taken.
    assert_refused(extend(&world, &product, &owner, position, 341, SUM), BackstopError::BadTerm);
    extend(&world, &product, &world.person(0), position, 340, SUM).unwrap_err();
    assert_refused(extend(&world, &product, &owner, position, 30, 1), BackstopError::PremiumTooHigh);

    let had = world.assets(&owner);
    let receipt = extend(&world, &product, &owner, position, 30, SUM).unwrap();
    let event = transaction::events::<PositionExtended>(&receipt.logs).remove(0);
    let policy = world.position(&position).policy;
    assert_eq!((event.position, event.premium), (position, had - world.assets(&owner)));
    assert_eq!(
        (event.end_day_before, event.end_day, event.rate_q32),
        (before.end_day, policy.end_day, policy.rate_q32)
    );
    assert_eq!((policy.end_day, policy.premium), (before.end_day + 30, before.premium + event.premium));
    assert!(policy.was_changed && !before.was_changed);
    assert_eq!((policy.bought_at, policy.sum_insured), (before.bought_at, before.sum_insured));
    let (books, sold) = (world.pool(&pool), world.product(&product));
    assert_eq!((books.rate_q32, books.total_exposure, sold.exposure), (policy.rate_q32, SUM, SUM));
    assert_eq!((sold.covers_sold, books.last_cover_end_day), (1, policy.end_day));
    assert_books(&world.cluster, &pool.pool);
    // Too late: what is bought a day before the end begins a day after it.
    let left = i64::from(policy.end_day) * DAY - world.now();
    world.advance(left - DAY + 1);
    world.print(&product, 100_000_000);
    assert_refused(extend(&world, &product, &owner, position, 7, SUM), BackstopError::ExtensionTooLate);
}

#[test]
fn no_days_are_sold_in_a_pause_nor_while_anything_points_to_an_event() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    world.advance(5 * DAY);
    assert_refused(extend(&world, &product, &owner, position, 7, SUM), BackstopError::PrintTooOld);
    world.print(&product, 100_000_000);
    world.run(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), PAUSE_PURCHASES)]);
    assert_refused(extend(&world, &product, &owner, position, 7, SUM), BackstopError::PurchasesPaused);
    later(&world, &product, 1);
    world.print(&product, 94_000_000);
    world.advance(1_800);
    world.print(&product, 94_000_000);
    for refused in
        [extend(&world, &product, &owner, position, 7, SUM), reduce(&world, &product, &owner, position, SUM / 2)]
    {
        assert_refused(refused, BackstopError::TriggerNotQuiet);
    }
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn to_extend_and_give_back_at_once_costs() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    later(&world, &product, 5);
    let unextended = world.position(&position).policy.unearned_at(world.now()).unwrap();
    let had = world.assets(&owner);
    extend(&world, &product, &owner, position, 300, SUM).unwrap();
    let level = world.product(&product).level_bps;
    cancel(&world, &product, &owner, position).unwrap();
    // A tenth of all that was unearned, with the new days.
    assert!(world.assets(&owner) < had + unextended * 9 / 10);
    assert_eq!(world.product(&product).level_bps, level);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn an_extended_position_that_is_struck_is_paid_and_gets_the_rest_of_both_premiums() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    later(&world, &product, 5);
    extend(&world, &product, &owner, position, 300, SUM).unwrap();
    lost(&world, &product);
    let (policy, incident) = (world.position(&position).policy, world.incident(&product));
    let unearned = policy.unearned_at(incident.ended_at).unwrap();
    assert!(unearned > policy.premium * 9 / 10);
    let had = world.assets(&owner);
    world.settle_position(&product, &position).unwrap();
    assert_eq!(world.assets(&owner) - had, SUM / 2 + unearned / 2);
    let incident = world.incident(&product);
    assert_eq!(incident.sums_left, 0);
    assert!(incident.refunds_left <= 1);
    assert_refused(extend(&world, &product, &owner, position, 7, SUM), BackstopError::CoverNotActive);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- reducing

#[test]
fn the_owner_gives_a_part_of_a_position_back_for_what_that_part_is_worth() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    assert_refused(reduce(&world, &product, &owner, position, SUM / 4), BackstopError::BoughtToday);
    later(&world, &product, 5);
    let stranger = world.person(0);
    assert_refused(reduce(&world, &product, &stranger, position, SUM / 4), BackstopError::NotPositionOwner);
    let least = world.pool(&pool).terms.min_sum_insured;
    for bad in [0, least - 1, SUM - least + 1, SUM, SUM + 1, u64::MAX] {
        assert_refused(reduce(&world, &product, &owner, position, bad), BackstopError::AmountTooSmall);
    }
    let (before, had) = (world.position(&position).policy, world.assets(&owner));
    let receipt = reduce(&world, &product, &owner, position, SUM / 4).unwrap();
    let event = transaction::events::<PositionReduced>(&receipt.logs).remove(0);
    let after = world.position(&position).policy;
    assert_eq!((event.position, event.sum_insured, event.left), (position, SUM - SUM / 4, SUM / 4));
    assert_eq!((event.premium + after.premium, event.rate_q32 + after.rate_q32), (before.premium, before.rate_q32));
    assert_eq!((event.refund, after.sum_insured), (world.assets(&owner) - had, SUM / 4));
    assert_eq!((after.end_day, after.bought_at, after.state), (before.end_day, before.bought_at, CoverState::Active));
    assert!(after.was_changed && !before.was_changed);
    assert_eq!(world.product(&product).exposure, SUM / 4);
    assert_books(&world.cluster, &pool.pool);
    // What is left is paid by what is left.
    lost(&world, &product);
    assert_refused(reduce(&world, &product, &owner, position, least), BackstopError::TriggerNotQuiet);
    world.settle_position(&product, &position).unwrap();
    assert_eq!(world.position(&position).paid, SUM / 8);
    assert_refused(reduce(&world, &product, &owner, position, least), BackstopError::CoverNotActive);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- into an NFT

#[test]
fn a_position_becomes_the_cover_of_whoever_gets_its_nft() {
    let (world, pool, product) = selling();
    let lender = world.person(0);
    let (owner, position) = insured(&world, &product, Some(&lender));
    later(&world, &product, 2);
    let (receiver, before) = (world.person(0), world.position(&position).policy);
    let stranger = world.person(0);
    assert_refused(to_nft(&world, &product, &stranger, position, &receiver, 3), BackstopError::NotPositionOwner);
    for day in [world.today() - 1, world.today() + 1] {
        let refused = to_nft_on(&world, &product, &owner, position, &receiver, PositionToNftArgs { nonce: 3, day });
        assert_refused(refused, BackstopError::WrongPurchaseDay);
    }
    let mint = mint_of(&world, &product, &owner, 3);
    let receipt = to_nft(&world, &product, &owner, position, &receiver, 3).unwrap();
    let event = transaction::events::<PositionConverted>(&receipt.logs).remove(0);
    assert_eq!((event.position, event.cover, event.owner), (position, address::cover(&mint), owner.id()));
    let cover = world.cover(&mint);
    let expected = backstop::state::Policy { insured: mint, minted_day: world.today(), ..before };
    assert_eq!((cover.policy.clone(), cover.rent_payer), (expected, world.payer.pubkey()));
    assert!(world.cluster.account(&position).unwrap().is_none());
    to_nft(&world, &product, &owner, position, &receiver, 4).unwrap_err();
    let books = world.pool(&pool);
    assert_eq!((world.product(&product).exposure, books.rate_q32 + books.waiting_rate_q32), (SUM, cover.rate_q32));
    // It is a cover: whoever holds the NFT is paid, and the lender no longer.
    lost(&world, &product);
    world.settle(&product, &receiver, &mint).unwrap();
    assert_eq!((world.cover(&mint).paid, world.assets(&lender)), (SUM / 2, 0));
    assert!(world.assets(&receiver) >= SUM / 2);
    assert_books(&world.cluster, &pool.pool);
}

/// On the day on which its NFT was made a cover is neither given back nor closed: else its mint would be free, and show
/// something else on the same day.
#[test]
fn the_address_of_a_converted_cover_has_no_second_life() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    let (_, second) = world.buy_position(&product, [&owner, &owner], 0, 30);
    second.unwrap_err();
    later(&world, &product, 2);
    to_nft(&world, &product, &owner, position, &owner, 3).unwrap();
    let (mint, payer) = (mint_of(&world, &product, &owner, 3), world.payer.pubkey());
    let give_back = || world.send(&[&owner.key], &[ix::cancel_cover(&product, owner.id(), mint, payer)]);
    assert_refused(give_back(), BackstopError::BoughtToday);
    world.next_day();
    give_back().unwrap();
    assert_books(&world.cluster, &pool.pool);

    // Converted when it is about to be paid: it is paid at once, and closed tomorrow.
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    lost(&world, &product);
    to_nft(&world, &product, &owner, position, &owner, 3).unwrap();
    let (mint, payer) = (mint_of(&world, &product, &owner, 3), world.payer.pubkey());
    world.settle(&product, &owner, &mint).unwrap();
    assert_eq!(world.cover(&mint).state, CoverState::Settled);
    let close_nft = || world.send(&[&owner.key], &[ix::close_cover(&product, Some(owner.id()), mint, payer)]);
    assert_refused(close_nft(), BackstopError::BoughtToday);
    world.next_day();
    close_nft().unwrap();
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_position_that_was_paid_or_can_no_longer_be_paid_is_made_into_no_nft() {
    let (world, _, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    world.advance(40 * DAY);
    world.run(&[], &[ix::sync_product(&product)]);
    assert_refused(to_nft(&world, &product, &owner, position, &owner, 3), BackstopError::PositionSpent);
    close(&world, &product, &owner, position).unwrap();

    let (world, _, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    lost(&world, &product);
    world.settle_position(&product, &position).unwrap();
    assert_refused(to_nft(&world, &product, &owner, position, &owner, 3), BackstopError::CoverNotActive);
}

// ---------------------------------------------------------------- health

#[test]
fn a_pool_tells_its_health_byte_by_byte_and_changes_nothing() {
    let (world, pool, product) = selling();
    let ask = || -> (Vec<u8>, PoolHealth) {
        let before = world.cluster.account(&pool.pool).unwrap();
        let told = world.send(&[], &[ix::pool_health(pool.pool)]).unwrap().return_data;
        assert_eq!(world.cluster.account(&pool.pool).unwrap(), before);
        let health = PoolHealth::try_from_slice(&told).unwrap();
        (told, health)
    };
    let (owner, _) = insured(&world, &product, None);
    let junior = world.depositor(&pool, Tranche::Junior, 1_000 * ONE);
    world.exit(&pool, &junior, Tranche::Junior, world.shares(&pool, &junior, Tranche::Junior));
    let (bytes, health) = ask();
    let mut books = world.pool(&pool);
    books.accrue(world.now()).unwrap();
    assert_eq!(health, books.health(world.now()).unwrap());
    assert_eq!((health.loss_capital, health.exposure), (books.loss_capital().unwrap(), SUM));
    assert_eq!(health.staying_capital, health.loss_capital - 1_000 * ONE);
    assert_eq!((health.exits_waiting, health.oldest_exit_day), (1_000 * ONE, books.oldest_exit_day));
    assert_eq!((health.alert, health.crisis, health.takes_cover, health.open_cases), (0, 0, 1, 0));
    // Sixty-four bytes, little-endian.
    assert_eq!(bytes.len(), 64);
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let words = [
        health.loss_capital,
        health.staying_capital,
        health.least_capital,
        health.exposure,
        health.alert_exposure,
        health.exits_waiting,
    ];
    assert_eq!([0, 8, 16, 24, 32, 40].map(word), words);
    assert_eq!([48, 52, 56].map(half), [health.oldest_exit_day, health.crisis, health.open_cases]);
    assert_eq!(bytes[60..], [health.alert, health.takes_cover, 0, 0]);

    // An alert, then a crisis.
    world.advance(3 * DAY);
    world.depeg(&product, 87_500_000);
    let (_, health) = ask();
    assert_eq!((health.alert, health.alert_exposure, health.crisis), (2, SUM, 0));
    world.run(&[], &[ix::confirm(&product)]);
    world.run(&[], &[world.open_incident(&product)]);
    let (_, health) = ask();
    assert_eq!((health.alert, health.crisis, health.takes_cover), (2, 1, 0));
    assert_eq!(owner.id().to_bytes().len(), 32);
}

// ---------------------------------------------------------------- claim terms

/// A product of which the holder bears a part.
fn with_terms(world: &World, deductible_bps: u16, coinsurance_bps: u16, condition: TermsInput) -> NewProduct {
    let base = terms::create_product(world.covered, condition);
    NewProduct { terms: ProductTerms { deductible_bps, coinsurance_bps, ..base.terms }, ..base }
}

#[test]
fn a_loss_is_paid_beyond_the_deductible_less_the_coinsurance_and_premium_goes_back_by_what_is_paid() {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product_with(&pool, with_terms(&world, 400, 2_000, terms::stress()));
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    world.print(&product, 100_000_000);
    let (owner, position) = insured(&world, &product, None);
    lost(&world, &product);
    // Half is lost: 4,600 beyond the deductible, of which a fifth is the holder's too.
    let incident = world.incident(&product);
    assert_eq!((incident.severity_bps, incident.most_severity_bps), (3_680, 3_680));
    assert_eq!(incident.gross, SUM * 368 / 1_000);
    let unearned = world.position(&position).policy.unearned_at(incident.ended_at).unwrap();
    let had = world.assets(&owner);
    world.settle_position(&product, &position).unwrap();
    assert_eq!(world.position(&position).paid, SUM * 368 / 1_000);
    assert_eq!(world.assets(&owner) - had, SUM * 368 / 1_000 + unearned * 632 / 1_000);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_deductible_is_below_the_least_that_a_proven_loss_pays_and_half_at_most() {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let try_to = |deductible, coinsurance, severity| -> Outcome {
        let condition = TermsInput { severity, ..terms::stress() };
        let new = with_terms(&world, deductible, coinsurance, condition);
        let id = world.pool(&pool).products;
        let keys = ProductKeys::derive(pool, id);
        let both: Vec<Instruction> =
            new.instructions(world.governance.pubkey(), world.payer.pubkey(), &keys, id).into();
        world.send(&[&world.governance], &both)
    };
    let linear = Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 };
    for (deductible, coinsurance) in [(5_001, 0), (0, 5_001), (u16::MAX, u16::MAX)] {
        assert_refused(try_to(deductible, coinsurance, Severity::Binary), BackstopError::OutOfBounds);
    }
    assert_refused(try_to(500, 0, linear), BackstopError::DeductibleTooHigh);
    try_to(499, 0, linear).unwrap();
    // Half a basis point would be left: nothing, as it is paid.
    assert_refused(try_to(499, 5_000, linear), BackstopError::DeductibleTooHigh);
    try_to(498, 5_000, linear).unwrap();
    try_to(5_000, 5_000, Severity::Binary).unwrap();
}
