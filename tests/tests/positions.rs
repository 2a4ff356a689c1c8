//! Positions through the real program: bought, given back, paid to whom they name, closed; and that a cover of the same
//! terms costs, gives back and pays the same.

use anchor_lang::AnchorDeserialize;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::BuyPositionArgs;
use backstop::constants::PAUSE_PURCHASES;
use backstop::error::BackstopError;
use backstop::events::{BeneficiarySet, PositionBought, PositionCancelled, PositionClosed, PositionSettled};
use backstop::state::{BoughtPosition, Claim, CoverRequest, CoverState, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::{address, transaction};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, budget, idl, seeded};
use solana_sdk::account::Account;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::Signature;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;

/// A price at which the stress condition pays half.
const HALF: i64 = 87_500_000;
/// What positions insure here.
pub(crate) const SUM: u64 = 10_000 * ONE;

/// A pool with capital and a product that sells, with a fresh print.
pub(crate) fn selling() -> (World, PoolKeys, ProductKeys) {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    world.print(&product, 100_000_000);
    (world, pool, product)
}

/// Somebody who has bought a position that pays somebody.
pub(crate) fn insured(world: &World, keys: &ProductKeys, beneficiary: Option<&Person>) -> (Person, Pubkey) {
    let owner = world.person(SUM);
    let (position, outcome) = world.buy_position(keys, [&owner, beneficiary.unwrap_or(&owner)], SUM, 30);
    outcome.unwrap_or_else(|error| panic!("{}", backstop_tests::explain(&error)));
    (owner, position)
}

/// Proves an event of half a loss, opens its incident and funds it.
pub(crate) fn lost(world: &World, keys: &ProductKeys) {
    world.advance(3 * DAY);
    world.depeg(keys, HALF);
    world.open_and_fund(keys);
}

fn purchase(world: &World, keys: &ProductKeys, owner: &Pubkey, beneficiary: Pubkey) -> Instruction {
    let request = CoverRequest { sum_insured: SUM, term_days: 30 };
    let args = BuyPositionArgs { nonce: 7, request, max_premium: SUM, reference: [5; 32] };
    ix::buy_position(keys, world.payer.pubkey(), *owner, beneficiary, args)
}

pub(crate) fn cancel(world: &World, keys: &ProductKeys, by: &Person, position: Pubkey) -> Outcome {
    world.send(&[&by.key], &[ix::cancel_position(keys, by.id(), position, world.payer.pubkey())])
}

pub(crate) fn close(world: &World, keys: &ProductKeys, by: &Person, position: Pubkey) -> Outcome {
    world.send(&[&by.key], &[ix::close_position(keys, by.id(), position, world.payer.pubkey())])
}

fn pay_to(world: &World, keys: &ProductKeys, by: &Person, position: Pubkey, to: Pubkey) -> Outcome {
    world.send(&[&by.key], &[ix::set_beneficiary(keys, by.id(), position, to)])
}

/// Changes the bytes of an account.
fn rewrite(world: &World, address: Pubkey, change: impl FnOnce(&mut Account)) {
    let mut account = world.cluster.account(&address).unwrap().unwrap();
    change(&mut account);
    world.cluster.set_account(address, account);
}

/// Sends what an address of a program has signed: in a world that checks no signatures.
fn send_as_program(world: &World, instructions: &[Instruction]) -> Outcome {
    let blockhash = world.cluster.latest_blockhash()?.hash;
    let message = Message::new_with_blockhash(instructions, Some(&world.payer.pubkey()), &blockhash);
    let count = message.header.num_required_signatures;
    let signatures = (0..count).map(|number| Signature::from([number + 1; 64])).collect();
    world.cluster.send(&VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) })
}

// ---------------------------------------------------------------- buying

#[test]
fn a_position_costs_and_books_what_a_cover_does_and_says_so() {
    let (world, pool, product) = selling();
    let (other_world, _, other_product) = selling();
    let (mint, outcome) = other_world.buy(&other_product, &other_world.person(SUM), SUM, 30);
    outcome.unwrap();
    let cover = other_world.cover(&mint);

    let (owner, lender) = (world.person(SUM), world.person(0));
    let buy = purchase(&world, &product, &owner.id(), pool.assets_of(&lender.id()));
    assert_eq!(buy.accounts.len(), 14);
    let receipt = world.send(&[&owner.key], &[budget(), buy]).unwrap();
    let address = address::position(&product.product, &owner.id(), 7);
    let position = world.position(&address);
    let policy = &position.policy;
    assert_eq!((policy.product, policy.insured), (product.product, owner.id()));
    let terms = |policy: &backstop::state::Policy| {
        (policy.sum_insured, policy.premium, policy.rate_q32, policy.end_day - policy.active_day, policy.cancel_fee_bps)
    };
    assert_eq!(terms(policy), terms(&cover.policy));
    assert_eq!((policy.state, policy.paid, policy.bought_at), (CoverState::Active, 0, world.now()));
    assert_eq!(position.beneficiary, pool.assets_of(&lender.id()));
    assert_eq!((position.beneficiary_owner, position.rent_payer), (lender.id(), world.payer.pubkey()));
    assert_eq!((position.reference, position.nonce), ([5; 32], 7));
    assert_eq!(SUM - world.assets(&owner), cover.premium);
    let (books, sold) = (world.pool(&pool), world.product(&product));
    assert_eq!((books.unearned_premium, books.total_exposure), (cover.premium, SUM));
    assert_eq!((sold.exposure, sold.covers_sold), (SUM, 1));

    let event = transaction::events::<PositionBought>(&receipt.logs).remove(0);
    assert_eq!((event.position, event.owner, event.beneficiary), (address, owner.id(), position.beneficiary));
    assert_eq!((event.premium, event.sum_insured, event.rate_q32), (cover.premium, SUM, policy.rate_q32));
    // What the caller is told: 48 bytes.
    let bytes = &receipt.return_data;
    assert_eq!(bytes.len(), 48);
    let bought = BoughtPosition {
        position: address,
        premium: cover.premium,
        active_day: policy.active_day,
        end_day: policy.end_day,
    };
    assert_eq!(BoughtPosition::try_from_slice(bytes).unwrap(), bought);
    assert_eq!(bytes[..32], address.to_bytes());
    assert_eq!(bytes[32..40], cover.premium.to_le_bytes());
    assert_eq!(bytes[40..44], policy.active_day.to_le_bytes());
    assert_eq!(bytes[44..], policy.end_day.to_le_bytes());
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_position_is_refused_for_a_bad_beneficiary_a_taken_number_a_pause_and_a_price() {
    let (world, pool, product) = selling();
    let owner = world.person(3 * SUM);
    let own = pool.assets_of(&owner.id());
    let other_mint = world.cluster.set_tokens(&owner.id(), &world.covered, 0);
    let send = |instruction| world.send(&[&owner.key], &[budget(), instruction]);
    for bad in [pool.vault(), other_mint, pool.asset_mint, owner.id(), seeded(99).pubkey(), pool.pool] {
        assert_refused(send(purchase(&world, &product, &owner.id(), bad)), BackstopError::BadBeneficiary);
    }
    send(purchase(&world, &product, &owner.id(), own)).unwrap();
    assert_refused(send(purchase(&world, &product, &owner.id(), own)), BackstopError::IdTaken);
    let args = |max_premium| BuyPositionArgs {
        nonce: 8,
        request: CoverRequest { sum_insured: SUM, term_days: 30 },
        max_premium,
        reference: [0; 32],
    };
    let at_most = |price| ix::buy_position(&product, world.payer.pubkey(), owner.id(), own, args(price));
    assert_refused(send(at_most(1)), BackstopError::PremiumTooHigh);
    let pause = ix::pause(world.guardian.pubkey(), PAUSE_PURCHASES);
    world.run(&[&world.guardian], &[pause]);
    assert_refused(send(at_most(SUM)), BackstopError::PurchasesPaused);
}

#[test]
fn a_programs_account_can_own_a_position() {
    let (world, pool, product) = selling();
    let (owner, _) = Pubkey::find_program_address(&[b"lender"], &seeded(5).pubkey());
    let account = world.cluster.set_tokens(&owner, &world.asset, SUM);
    let buy = purchase(&world, &product, &owner, account);
    let mut buy = buy;
    buy.accounts[2].pubkey = account;
    send_as_program(&world, &[budget(), buy]).unwrap();
    let position = world.position(&address::position(&product.product, &owner, 7));
    assert_eq!((position.insured, position.beneficiary_owner), (owner, owner));
    lost(&world, &product);
    let before = world.tokens(&account);
    world.settle_position(&product, &address::position(&product.product, &owner, 7)).unwrap();
    assert!(world.tokens(&account) >= before + SUM / 2, "without its signature");
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- giving back

#[test]
fn only_the_owner_gives_a_position_back_and_gets_what_a_cover_gets() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    let (other_world, _, other_product) = selling();
    let holder = other_world.person(SUM);
    let (mint, outcome) = other_world.buy(&other_product, &holder, SUM, 30);
    outcome.unwrap();

    assert_refused(cancel(&world, &product, &owner, position), BackstopError::BoughtToday);
    for world in [&world, &other_world] {
        world.advance(9 * DAY + 77);
    }
    let stranger = world.person(0);
    assert_refused(cancel(&world, &product, &stranger, position), BackstopError::NotPositionOwner);
    let (had, held) = (world.assets(&owner), other_world.assets(&holder));
    let receipt = cancel(&world, &product, &owner, position).unwrap();
    let payer = other_world.payer.pubkey();
    other_world.run(&[&holder.key], &[ix::cancel_cover(&other_product, holder.id(), mint, payer)]);
    assert_eq!(world.assets(&owner) - had, other_world.assets(&holder) - held);
    let event = transaction::events::<PositionCancelled>(&receipt.logs).remove(0);
    assert_eq!((event.position, event.refund), (position, world.assets(&owner) - had));
    assert_eq!(world.product(&product).exposure, 0);
    assert!(world.cluster.account(&position).unwrap().is_none(), "its rent went back");
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_number_is_free_again_and_its_position_says_when_it_was_bought() {
    let (world, pool, product) = selling();
    let owner = world.person(2 * SUM);
    let own = pool.assets_of(&owner.id());
    let address = address::position(&product.product, &owner.id(), 7);
    world.run(&[&owner.key], &[budget(), purchase(&world, &product, &owner.id(), own)]);
    let first = world.position(&address).bought_at;
    world.advance(2 * DAY);
    cancel(&world, &product, &owner, address).unwrap();
    world.print(&product, 100_000_000);
    world.run(&[&owner.key], &[budget(), purchase(&world, &product, &owner.id(), own)]);
    assert_eq!(world.position(&address).bought_at - first, 2 * DAY);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- paying

#[test]
fn a_position_is_paid_as_a_cover_to_its_beneficiary_alone_and_once() {
    let (world, pool, product) = selling();
    let lender = world.person(0);
    let (owner, position) = insured(&world, &product, Some(&lender));
    let (holder, mint) = world.holder(&product, SUM, 30);
    lost(&world, &product);
    // Whoever calls, and whoever signs, names no other account.
    for thief in [&owner, &holder] {
        let to = pool.assets_of(&thief.id());
        let settle = ix::settle_position(&product, position, to);
        assert_refused(world.send(&[&thief.key], &[settle]), BackstopError::WrongAccount);
    }
    // A donation is no payout.
    let (before, policy) = (world.assets(&lender), world.position(&position).policy);
    let due = world.incident(&product).payout(&policy).unwrap();
    assert_eq!((due.claim, due.amount), (Claim::Loss, SUM / 2));
    let receipt = world.settle_position(&product, &position).unwrap();
    assert_eq!(world.assets(&lender) - before, due.amount + due.refund);
    let paid = world.position(&position);
    assert_eq!((paid.paid, paid.state), (SUM / 2, CoverState::Settled));
    let event = transaction::events::<PositionSettled>(&receipt.logs).remove(0);
    assert_eq!((event.position, event.beneficiary), (position, paid.beneficiary));
    assert_eq!((event.amount, event.refund, event.waiting, event.state), (due.amount, due.refund, false, paid.state));
    // The cover of the same sum and term gets the same for its loss.
    world.settle(&product, &holder, &mint).unwrap();
    assert_eq!(world.cover(&mint).paid, paid.paid);
    assert_refused(world.settle_position(&product, &position), BackstopError::CoverNotActive);
    assert_eq!(world.incident(&product).sums_left, 0);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_position_that_was_waiting_gets_its_premium_back() {
    let (world, pool, product) = selling();
    let (owner, _) = insured(&world, &product, None);
    world.advance(3 * DAY);
    world.print(&product, 100_000_000);
    let (late, position) = insured(&world, &product, None);
    let premium = world.position(&position).premium;
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    let before = world.assets(&late);
    let receipt = world.settle_position(&product, &position).unwrap();
    // But for the unit that its rate was rounded down by.
    assert!(premium - (world.assets(&late) - before) <= 1);
    assert!(transaction::events::<PositionSettled>(&receipt.logs)[0].waiting);
    assert_eq!((world.position(&position).paid, world.assets(&owner) > 0), (0, true));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_beneficiary_that_cannot_receive_holds_nobody_up_and_the_owner_names_another() {
    let ways: [fn(&World, Pubkey); 4] = [
        // Closed; frozen; handed over; of another mint, as a closed one may come back.
        |world, account| world.cluster.set_account(account, Account::default()),
        |world, account| rewrite(world, account, |account| account.data[108] = 2),
        |world, account| {
            rewrite(world, account, |account| account.data[32..64].copy_from_slice(seeded(3).pubkey().as_ref()));
        },
        |world, account| {
            let covered = world.covered;
            rewrite(world, account, |account| account.data[..32].copy_from_slice(covered.as_ref()));
        },
    ];
    for way in ways {
        let (world, pool, product) = selling();
        let lender = world.person(0);
        let (owner, position) = insured(&world, &product, Some(&lender));
        let (other, others) = insured(&world, &product, None);
        lost(&world, &product);
        way(&world, pool.assets_of(&lender.id()));
        let vault = world.tokens(&pool.vault());
        assert_refused(world.settle_position(&product, &position), BackstopError::BeneficiaryCannotReceive);
        assert_eq!((world.tokens(&pool.vault()), world.position(&position).paid), (vault, 0));
        world.settle_position(&product, &others).unwrap();
        assert!(world.assets(&other) > SUM / 2);
        // What it is due stays there for it.
        let had = world.assets(&owner);
        pay_to(&world, &product, &owner, position, pool.assets_of(&owner.id())).unwrap();
        world.settle_position(&product, &position).unwrap();
        assert!(world.assets(&owner) - had >= SUM / 2);
        assert_books(&world.cluster, &pool.pool);
    }
}

#[test]
fn only_the_owner_names_a_beneficiary_until_all_is_paid() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    let heir = world.person(0);
    let to = pool.assets_of(&heir.id());
    assert_refused(pay_to(&world, &product, &heir, position, to), BackstopError::NotPositionOwner);
    for bad in [pool.vault(), pool.asset_mint, heir.id()] {
        assert_refused(pay_to(&world, &product, &owner, position, bad), BackstopError::BadBeneficiary);
    }
    let receipt = pay_to(&world, &product, &owner, position, to).unwrap();
    let event = transaction::events::<BeneficiarySet>(&receipt.logs).remove(0);
    assert_eq!((event.position, event.beneficiary), (position, to));
    assert_eq!(world.position(&position).beneficiary_owner, heir.id());
    lost(&world, &product);
    world.settle_position(&product, &position).unwrap();
    assert!(world.assets(&heir) >= SUM / 2);
    assert_refused(pay_to(&world, &product, &owner, position, to), BackstopError::CoverNotActive);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- closing

#[test]
fn only_the_owner_closes_a_position_and_not_while_it_can_be_paid() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    let stranger = world.person(0);
    assert_refused(close(&world, &product, &owner, position), BackstopError::CoverStillLive);
    lost(&world, &product);
    world.settle_position(&product, &position).unwrap();
    // A program may still have to read what was paid: nobody takes that away from it.
    assert_refused(close(&world, &product, &stranger, position), BackstopError::NotPositionOwner);
    let lamports = || world.cluster.account(&world.payer.pubkey()).unwrap().unwrap().lamports;
    let (rent, had) = (world.cluster.account(&position).unwrap().unwrap().lamports, lamports());
    let receipt = close(&world, &product, &owner, position).unwrap();
    assert_eq!(transaction::events::<PositionClosed>(&receipt.logs)[0].position, position);
    assert!(lamports() + 20_000 > had + rent, "the rent goes to whoever paid it, less the fee");
    assert!(world.cluster.account(&position).unwrap().is_none());
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn the_owner_of_an_ended_position_closes_it_once_it_is_released() {
    let (world, pool, product) = selling();
    let (owner, position) = insured(&world, &product, None);
    world.advance(32 * DAY);
    assert_refused(close(&world, &product, &owner, position), BackstopError::CoverStillLive);
    world.advance(8 * DAY);
    world.run(&[], &[ix::sync_product(&product)]);
    close(&world, &product, &owner, position).unwrap();
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- bounds

#[test]
fn a_purchase_takes_14_accounts_and_a_settlement_7() {
    assert_eq!(idl::instruction("buy_position").accounts.len(), 14);
    assert_eq!(idl::instruction("settle_position").accounts.len(), 7);
}
