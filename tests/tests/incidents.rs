//! Incidents through the real program: what is owed, who is paid, in which ratio, and where every unit goes.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_spl::token::spl_token;
use anchor_spl::token_2022::spl_token_2022;
use backstop::BuyCoverArgs;
use backstop::CreatePoolArgs;
use backstop::error::BackstopError;
use backstop::events::{CoverSettled, CrisisClosed, IncidentClosed, IncidentOpened};
use backstop::peril::Condition;
use backstop::peril::evidence::{Phase, Severity, TermsInput};
use backstop::state::{
    Claim, Cover, CoverRequest, CoverState, Incident, IncidentState, PoolTerms, ProductState, Seen, Tranche, day_of,
};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::instruction::NewProduct;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::{account, address, transaction};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, budget, explain, seeded};
use solana_sdk::account::Account;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::Signature;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;

const TOKEN: Pubkey = anchor_spl::token::ID;
const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;

/// A price at which the stress condition pays half.
const HALF: i64 = 87_500_000;

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

/// A pool with junior and senior capital, a product on it, and the clock at the first second of a day.
fn stage(world: &World) -> (PoolKeys, ProductKeys) {
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    (pool, product)
}

/// The same with a funded incident that pays half of one cover of 10,000.
fn funded(world: &World) -> (PoolKeys, ProductKeys, Person, Pubkey) {
    let (pool, product) = stage(world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    (pool, product, holder, mint)
}

/// What a cover of 10,000 is paid of a severity of 50 %: half of it, and half of what it had not earned.
fn half_paid(world: &World, keys: &ProductKeys, mint: &Pubkey) -> u64 {
    5_000 * ONE + premium_back(&world.cover(mint), &world.incident(keys))
}

fn open(world: &World, keys: &ProductKeys) -> Outcome {
    world.send(&[], &[world.open_incident(keys)])
}

fn fund(world: &World, keys: &ProductKeys) -> Outcome {
    world.send(&[], &[world.fund_incident(keys)])
}

fn close(world: &World, keys: &ProductKeys) -> Outcome {
    world.send(&[], &[world.close_incident(keys)])
}

/// Every account of the program, and some token accounts.
fn snapshot(world: &World, others: &[Pubkey]) -> Vec<(Pubkey, Account)> {
    let mut accounts = world.cluster.program_accounts(&[], None).unwrap();
    for address in others {
        accounts.extend(world.cluster.account(address).unwrap().map(|account| (*address, account)));
    }
    accounts.sort_by_key(|(address, _)| *address);
    accounts
}

/// Asserts that an instruction is refused and changes no account of the program and none of the vault's tokens.
#[track_caller]
fn assert_no_byte(world: &World, keys: &ProductKeys, instruction: Instruction, expected: BackstopError) {
    let before = snapshot(world, &[keys.pool.vault()]);
    assert_refused(world.send(&[], &[instruction]), expected);
    assert_eq!(snapshot(world, &[keys.pool.vault()]), before, "a refused instruction has changed something");
}

/// Sends instructions whose signatures nobody checks: on a world without signature checks, with addresses of programs
/// among the signers, as if the programs had signed.
fn send_as_anyone(world: &World, instructions: &[Instruction]) -> Outcome {
    world.cluster.svm().expire_blockhash();
    let blockhash = world.cluster.latest_blockhash()?.hash;
    let message = Message::new_with_blockhash(instructions, Some(&world.payer.pubkey()), &blockhash);
    let signatures =
        (0..message.header.num_required_signatures).map(|number| Signature::from([number + 1; 64])).collect();
    world.cluster.send(&VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) })
}

/// Where a settlement pays and who signs it, changed.
fn settle_to(keys: &ProductKeys, holder: &Pubkey, mint: &Pubkey, destination: Pubkey, signed: bool) -> Instruction {
    let mut instruction = ix::settle_cover(keys, *holder, *mint);
    instruction.accounts[6].is_signer = signed;
    instruction.accounts[7].pubkey = destination;
    instruction
}

/// An account of the asset that is not associated with its owner.
fn spare_account(world: &World, owner: &Pubkey) -> Pubkey {
    let associated = world.cluster.set_tokens(&seeded(world.fresh()).pubkey(), &world.asset, 0);
    let mut account = world.cluster.account(&associated).unwrap().unwrap();
    account.data[32..64].copy_from_slice(owner.as_ref());
    let address = seeded(world.fresh()).pubkey();
    world.cluster.set_account(address, account);
    address
}

/// Buys a cover whose NFT goes to somebody else.
fn buy_for(world: &World, keys: &ProductKeys, receiver: Pubkey, sum_insured: u64) -> Pubkey {
    world.print(keys, 100_000_000);
    let buyer = world.person(sum_insured);
    let nonce = world.fresh();
    let request = CoverRequest { sum_insured, term_days: 30 };
    let args = BuyCoverArgs { nonce, day: world.today(), request, max_premium: u64::MAX };
    let buy = ix::buy_cover(keys, world.payer.pubkey(), buyer.id(), receiver, args);
    world.run(&[&buyer.key], &[budget(), buy]);
    address::cover_mint(&keys.product, &buyer.id(), nonce, world.today())
}

/// Hands a cover's NFT on.
fn hand_on(world: &World, mint: &Pubkey, from: &Person, to: &Pubkey) {
    let account = |owner: &Pubkey| address::associated_token(owner, mint, &TOKEN_2022);
    let create = ix::create_associated_token(&world.payer.pubkey(), to, mint, &TOKEN_2022);
    let transfer = spl_token_2022::instruction::transfer_checked(
        &TOKEN_2022,
        &account(&from.id()),
        mint,
        &account(to),
        &from.id(),
        &[],
        1,
        0,
    );
    world.run(&[&from.key], &[create, transfer.unwrap()]);
}

// ---------------------------------------------------------------- opening

#[test]
fn an_incident_opens_only_on_a_triggered_trigger_and_only_once() {
    let world = World::new();
    let (_, product) = stage(&world);
    world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    let open_now = || world.open_incident(&product);
    assert_no_byte(&world, &product, open_now(), BackstopError::NotTriggered);
    world.print(&product, HALF);
    assert_no_byte(&world, &product, open_now(), BackstopError::NotTriggered);
    let slot = i64::from(world.trigger(&product).terms.slot_seconds);
    for _ in 0..8 {
        world.advance(slot);
        world.print(&product, HALF);
    }
    assert_eq!(world.trigger(&product).phase(), Phase::Met);
    assert_no_byte(&world, &product, open_now(), BackstopError::NotTriggered);
    world.advance(7 * HOUR);
    world.run(&[], &[ix::confirm(&product)]);
    must(open(&world, &product));
    assert_eq!(world.product(&product).state(), ProductState::Over);
    let before = snapshot(&world, &[]);
    assert!(open(&world, &product).is_err());
    assert_eq!(snapshot(&world, &[]), before);
    // Not even once the first is gone.
    must(fund(&world, &product));
    world.advance(400 * DAY);
    must(close(&world, &product));
    assert_no_byte(&world, &product, open_now(), BackstopError::ProductOver);
}

#[test]
fn an_incident_takes_its_facts_from_the_trigger_and_its_sums_from_the_books() {
    let world = World::new();
    let (pool, product) = stage(&world);
    world.holder(&product, 10_000 * ONE, 30);
    world.holder(&product, 4_001 * ONE + 1, 60);
    world.advance(3 * DAY);
    world.depeg(&product, 94_000_001);
    let opened_at = world.now();
    let receipt = world.run(&[], &[world.open_incident(&product)]);
    let evidence = world.trigger(&product).evidence;
    let incident = world.incident(&product);
    // (0.95 - 0.94000001) / 0.15, rounded down to a basis point.
    assert_eq!(incident.severity_bps, 666);
    assert_eq!((incident.product, incident.pool), (product.product, pool.pool));
    assert_eq!((incident.event_at, incident.opened_at), (evidence.event_at, opened_at));
    let proven_at = world.trigger(&product).verdict().unwrap().proven_at;
    assert_eq!((incident.ended_at, incident.deadline), (proven_at, proven_at + 365 * DAY));
    let sums = 14_001 * ONE + 1;
    assert_eq!(incident.gross, (sums * 666).div_ceil(10_000));
    assert_eq!((incident.sums, incident.sums_left, incident.premiums_left), (sums, sums, 0));
    assert_eq!((incident.reserve, incident.paid, incident.crisis), (0, 0, 1));
    assert_eq!((incident.state, incident.treaty_count), (IncidentState::Final, 0));
    let [event] = &transaction::events::<IncidentOpened>(&receipt.logs)[..] else { panic!() };
    assert_eq!(
        (event.event_at, event.growth.severity_bps, event.growth.gross, event.released),
        (incident.event_at, 666, incident.gross, sums)
    );
    assert_eq!(world.pool(&pool).total_exposure, 0);
    assert_books(&world.cluster, &pool.pool);
}

/// What an incident must owe, from the covers themselves.
fn brute_force(covers: &[Cover], incident: &Incident) -> (u64, u64) {
    let sum = |wanted: Claim, amount: &dyn Fn(&Cover) -> u64| {
        let matching = covers.iter().filter(|cover| cover.claim(incident.event_at) == Some(wanted));
        matching.map(amount).sum::<u64>()
    };
    (sum(Claim::Loss, &|cover| cover.sum_insured), sum(Claim::Refund, &|cover| cover.premium))
}

/// What of its premium a cover gets back: what it had not earned when the alert began, if it was waiting at the event; the
/// part that was not lost of what it had not earned when the challenge ended, if it was in force.
fn premium_back(cover: &Cover, incident: &Incident) -> u64 {
    let unearned = |at: i64| {
        let seconds = (cover.end() - at.max(cover.active_from())).max(0);
        (u128::from(cover.rate_q32) * u128::try_from(seconds).unwrap()) >> 32
    };
    let back = match cover.claim(incident.event_at) {
        Some(Claim::Refund) => unearned(incident.accrued_at),
        Some(Claim::Loss) => unearned(incident.ended_at) * (10_000 - u128::from(incident.severity_bps)) / 10_000,
        None => 0,
    };
    u64::try_from(back).unwrap()
}

#[test]
fn gross_is_the_sum_over_the_covers_to_the_unit() {
    let mut kinds = [0; 3];
    for seed in 0..6u64 {
        let world = World::unsigned();
        let (pool, product) = stage(&world);
        let mut dice = seed;
        let mut roll = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let mut held: Vec<(Person, Pubkey)> = Vec::new();
        for _ in 0..30 {
            world.advance(i64::try_from(roll(130_000)).unwrap());
            match roll(8) {
                0 if !held.is_empty() => {
                    let place = usize::try_from(roll(held.len() as u64)).unwrap();
                    let (person, mint) = &held[place];
                    let cancel = ix::cancel_cover(&product, person.id(), *mint, world.payer.pubkey());
                    if world.send(&[&person.key], &[cancel]).is_ok() {
                        held.remove(place);
                    }
                }
                1 => must(world.send(&[], &[ix::sync_product(&product)])),
                _ => {
                    let sum = ONE + roll(3_000 * ONE);
                    held.push(world.holder(&product, sum, u16::try_from(7 + roll(40)).unwrap()));
                }
            }
        }
        // The last ones are sold within a day of the event: they are still waiting.
        for _ in 0..roll(4) {
            held.push(world.holder(&product, ONE + roll(3_000 * ONE), 7));
        }
        world.depeg(&product, 80_000_001 + i64::try_from(roll(14_000_000)).unwrap());
        must(open(&world, &product));
        let incident = world.incident(&product);
        let covers: Vec<Cover> = account::list(&world.cluster, Some((0, product.product)))
            .unwrap()
            .into_iter()
            .map(|(_, cover)| cover)
            .collect();
        assert_eq!(covers.len(), held.len());
        let (sums, premiums) = brute_force(&covers, &incident);
        assert_eq!((incident.sums_left, incident.premiums_left), (sums, premiums));
        let severity = u128::from(incident.severity_bps);
        let loss = u64::try_from((u128::from(sums) * severity).div_ceil(10_000)).unwrap();
        assert_eq!(incident.gross, loss);
        let back: u64 = covers.iter().map(|cover| premium_back(cover, &incident)).sum();
        // Sums are rounded down once, each cover's part as well.
        assert!((back..=back + held.len() as u64).contains(&incident.refunds_left), "{back} {}", incident.refunds_left);

        // Every cover is paid what it is due, or refused, and nothing but rounding is left.
        must(fund(&world, &product));
        let mut paid = 0;
        for (person, mint) in &held {
            let cover = world.cover(mint);
            let before = world.assets(person);
            let settled = world.settle(&product, person, mint);
            let due = match cover.claim(incident.event_at) {
                Some(Claim::Loss) => {
                    kinds[0] += 1;
                    // Its part of what is due in all, which was rounded up once.
                    u64::try_from(u128::from(cover.sum_insured) * u128::from(incident.gross) / u128::from(sums))
                        .unwrap()
                }
                Some(Claim::Refund) => {
                    kinds[1] += 1;
                    0
                }
                None => {
                    kinds[2] += 1;
                    assert_refused(settled, BackstopError::NotEligible);
                    continue;
                }
            };
            must(settled);
            assert_eq!(world.assets(person) - before, due + premium_back(&cover, &incident));
            paid += due;
        }
        let incident = world.incident(&product);
        assert_eq!((incident.sums_left, incident.premiums_left, incident.paid), (0, 0, paid));
        assert!(incident.reserve - paid <= held.len() as u64 && incident.refunds_left <= held.len() as u64);
        must(close(&world, &product));
        let books = world.pool(&pool);
        assert_eq!((books.incident_reserves, books.premium_refunds, books.set_aside), (0, 0, 0));
        assert_books(&world.cluster, &pool.pool);
    }
    assert!(kinds.iter().all(|kind| *kind > 3), "in force, waiting, ended: {kinds:?}");
}

// ---------------------------------------------------------------- who was insured

#[test]
fn a_cover_whose_term_ended_after_the_event_and_before_confirmation_is_paid() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 7);
    let end = world.cover(&mint).end();
    // The event begins an hour before the end and is confirmed long after it.
    world.cluster.set_time(end - HOUR - 1);
    world.depeg(&product, HALF);
    assert_eq!(world.trigger(&product).evidence.event_at, end - HOUR);
    world.advance(40 * DAY);
    must(world.send(&[], &[ix::sync_product(&product)]));
    world.open_and_fund(&product);
    let before = world.assets(&holder);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder) - before, 5_000 * ONE);
    assert_books(&world.cluster, &pool.pool);
}

/// Covers that ended are released in an alert, too; so nobody releases one by a sync before the event is confirmed.
#[test]
fn a_cover_that_ended_is_not_released_before_an_event_within_its_term_is_confirmed() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 7);
    world.holder(&product, 10_000 * ONE, 90);
    let end = world.cover(&mint).end();
    world.cluster.set_time(end - HOUR - 1);
    for _ in 0..8 {
        world.cluster.set_time((world.now() / 1_800 + 1) * 1_800);
        world.print(&product, HALF);
    }
    // The window's last slot is settled; nobody calls for 40 days, but somebody syncs.
    world.advance(40 * DAY);
    must(world.send(&[], &[ix::sync_product(&product)]));
    assert_eq!(world.product(&product).exposure, 20_000 * ONE);
    world.run(&[], &[ix::confirm(&product)]);
    world.open_and_fund(&product);
    let before = world.assets(&holder);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder) - before, 5_000 * ONE);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn the_term_decides_to_the_second_of_the_event() {
    // Event at the last second before the end's slot, or with the end's own: the first is paid, the second is not.
    for (begins_before_end, paid) in [(1_800, true), (0, false)] {
        let world = World::new();
        let (_, product) = stage(&world);
        let (holder, mint) = world.holder(&product, 10_000 * ONE, 7);
        // Another cover keeps the incident from owing nothing.
        world.holder(&product, 1_000 * ONE, 30);
        let end = world.cover(&mint).end();
        world.cluster.set_time(end - begins_before_end - 1);
        world.depeg(&product, HALF);
        assert_eq!(world.trigger(&product).evidence.event_at, end - begins_before_end);
        world.open_and_fund(&product);
        let settled = world.settle(&product, &holder, &mint);
        if paid {
            must(settled);
        } else {
            assert_refused(settled, BackstopError::NotEligible);
            assert_eq!(world.incident(&product).gross, 500 * ONE);
            // It can be closed by its holder, being of no more use.
            let close = ix::close_cover(&product, Some(holder.id()), mint, world.payer.pubkey());
            must(world.send(&[&holder.key], &[close]));
        }
    }
}

#[test]
fn protection_begins_with_the_day_to_the_second_of_the_event() {
    for (begins_before, claim) in [(1_800, Claim::Refund), (0, Claim::Loss)] {
        let world = World::new();
        let (_, product) = stage(&world);
        let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
        let cover = world.cover(&mint);
        world.cluster.set_time(cover.active_from() - begins_before - 1);
        world.depeg(&product, HALF);
        assert_eq!(world.trigger(&product).evidence.event_at, cover.active_from() - begins_before);
        must(open(&world, &product));
        // With nothing lost there is nothing to be funded.
        if claim == Claim::Loss {
            must(fund(&world, &product));
        }
        let before = world.assets(&holder);
        must(world.settle(&product, &holder, &mint));
        let loss = if claim == Claim::Loss { 5_000 * ONE } else { 0 };
        assert_eq!(world.assets(&holder) - before, loss + premium_back(&cover, &world.incident(&product)));
    }
}

#[test]
fn a_cover_that_was_sold_on_pays_whoever_holds_it() {
    let world = World::new();
    let (_, product) = stage(&world);
    let (seller, mint) = world.holder(&product, 10_000 * ONE, 30);
    let buyer = world.person(0);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    hand_on(&world, &mint, &seller, &buyer.id());
    // The seller's account is empty, and no account of the buyer's is the seller's.
    assert_no_byte(&world, &product, ix::settle_cover(&product, seller.id(), mint), BackstopError::NotHolder);
    let mut mixed = ix::settle_cover(&product, seller.id(), mint);
    mixed.accounts[5].pubkey = address::associated_token(&buyer.id(), &mint, &TOKEN_2022);
    assert_no_byte(&world, &product, mixed, BackstopError::NotHolder);
    let back = premium_back(&world.cover(&mint), &world.incident(&product));
    must(world.settle(&product, &buyer, &mint));
    assert_eq!(world.assets(&buyer), 5_000 * ONE + back);
}

// ---------------------------------------------------------------- settling

#[test]
fn a_cover_is_settled_once() {
    let world = World::new();
    let (pool, product, holder, mint) = funded(&world);
    let before = world.assets(&holder);
    let back = premium_back(&world.cover(&mint), &world.incident(&product));
    let receipt = world.settle(&product, &holder, &mint).unwrap();
    let [event] = &transaction::events::<CoverSettled>(&receipt.logs)[..] else { panic!() };
    assert_eq!((event.holder, event.amount, event.refund, event.waiting), (holder.id(), 5_000 * ONE, back, false));
    assert!(back > 0);
    assert_eq!(world.assets(&holder) - before, 5_000 * ONE + back);
    assert_eq!(world.cover(&mint).state, CoverState::Settled);
    let again = ix::settle_cover(&product, holder.id(), mint);
    assert_no_byte(&world, &product, again.clone(), BackstopError::CoverNotActive);
    // Nor by the next holder of the NFT, nor within one transaction.
    let next = world.person(0);
    hand_on(&world, &mint, &holder, &next.id());
    assert_no_byte(&world, &product, ix::settle_cover(&product, next.id(), mint), BackstopError::CoverNotActive);
    assert_books(&world.cluster, &pool.pool);

    let world = World::new();
    let (_, product, holder, mint) = funded(&world);
    let twice = ix::settle_cover(&product, holder.id(), mint);
    let before = snapshot(&world, &[product.pool.vault()]);
    assert_refused(world.send(&[], &[twice.clone(), twice]), BackstopError::CoverNotActive);
    assert_eq!(snapshot(&world, &[product.pool.vault()]), before);
}

#[test]
fn before_funding_premium_alone_is_settled_and_nothing_after_closing() {
    let world = World::new();
    let (_, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    must(open(&world, &product));
    let (settle, before) = (ix::settle_cover(&product, holder.id(), mint), world.assets(&holder));
    let back = premium_back(&world.cover(&mint), &world.incident(&product));
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder) - before, back);
    assert_eq!(world.cover(&mint).state, CoverState::Refunded);
    assert_no_byte(&world, &product, settle.clone(), BackstopError::NothingOwed);
    assert_no_byte(&world, &product, world.close_incident(&product), BackstopError::IncidentInUse);
    must(fund(&world, &product));
    assert_no_byte(&world, &product, world.fund_incident(&product), BackstopError::AlreadyFunded);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder) - before, back + 5_000 * ONE);
    must(close(&world, &product));
    let before = snapshot(&world, &[product.pool.vault()]);
    assert!(world.send(&[], &[settle]).is_err());
    assert_eq!(snapshot(&world, &[product.pool.vault()]), before);
}

#[test]
fn a_cover_of_another_product_is_not_settled() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let sibling = world.create_product(&pool, terms::stress());
    let (_, mint) = world.holder(&product, 10_000 * ONE, 30);
    world.advance(11 * DAY);
    let (other, other_mint) = world.holder(&sibling, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    assert_no_byte(&world, &product, ix::settle_cover(&product, other.id(), other_mint), BackstopError::WrongParent);
    // Nor with the NFT of one cover and the account of another.
    let mut mixed = ix::settle_cover(&product, other.id(), other_mint);
    mixed.accounts[4].pubkey = address::cover(&mint);
    assert_no_byte(&world, &product, mixed, BackstopError::NotHolder);
    // Nor from the vault of another pool.
    let elsewhere = world.create_pool(terms::create_pool(1));
    let mut wrong = ix::settle_cover(&product, other.id(), mint);
    wrong.accounts[0].pubkey = elsewhere.pool;
    wrong.accounts[1].pubkey = elsewhere.vault();
    assert_no_byte(&world, &product, wrong, BackstopError::WrongParent);
}

#[test]
fn a_stranger_can_settle_to_the_holders_own_account_and_to_no_other() {
    let world = World::new();
    let (pool, product, holder, mint) = funded(&world);
    let thief = world.person(0);
    let other_asset = world.cluster.set_tokens(&holder.id(), &world.covered, 0);
    let handed_over = spare_account(&world, &holder.id());
    let refusals = [
        (pool.assets_of(&thief.id()), BackstopError::NotOwnersAccount),
        (pool.vault(), BackstopError::NotOwnersAccount),
        (handed_over, BackstopError::NotOwnersAccount),
        (other_asset, BackstopError::WrongAccount),
        (address::associated_token(&holder.id(), &mint, &TOKEN_2022), BackstopError::WrongAccount),
        (thief.id(), BackstopError::NotAToken),
        (world.asset, BackstopError::NotAToken),
        (pool.pool, BackstopError::NotAToken),
        (seeded(321).pubkey(), BackstopError::NotAToken),
    ];
    for (destination, expected) in refusals {
        assert_no_byte(&world, &product, settle_to(&product, &holder.id(), &mint, destination, false), expected);
    }
    // The holder's associated account, if its authority has passed to somebody else.
    let associated = pool.assets_of(&holder.id());
    let whole = world.cluster.account(&associated).unwrap().unwrap();
    let mut handed = whole.clone();
    handed.data[32..64].copy_from_slice(thief.id().as_ref());
    world.cluster.set_account(associated, handed);
    let settle = ix::settle_cover(&product, holder.id(), mint);
    assert_no_byte(&world, &product, settle.clone(), BackstopError::NotOwnersAccount);
    world.cluster.set_account(associated, whole);
    let (before, due) = (world.assets(&holder), half_paid(&world, &product, &mint));
    must(transaction::send(&world.cluster, &thief.key, &[], &[settle]));
    assert_eq!(world.assets(&holder) - before, due);
}

#[test]
fn whoever_does_not_hold_the_nft_is_not_paid() {
    let world = World::new();
    let (pool, product, holder, mint) = funded(&world);
    let thief = world.person(0);
    let held = address::associated_token(&holder.id(), &mint, &TOKEN_2022);
    // Somebody else's name beside the holder's account, and an account of the thief's with a mint of the thief's.
    let mut named = ix::settle_cover(&product, thief.id(), mint);
    named.accounts[5].pubkey = held;
    assert_no_byte(&world, &product, named, BackstopError::NotHolder);
    let empty = address::associated_token(&thief.id(), &mint, &TOKEN_2022);
    world.run(&[], &[ix::create_associated_token(&world.payer.pubkey(), &thief.id(), &mint, &TOKEN_2022)]);
    assert_no_byte(&world, &product, ix::settle_cover(&product, thief.id(), mint), BackstopError::NotHolder);
    // An account of the older token program that says the same, and one of no token program.
    let genuine = world.cluster.account(&held).unwrap().unwrap();
    for owner in [TOKEN, backstop::ID, anchor_lang::system_program::ID] {
        let mut forged = genuine.clone();
        forged.data.truncate(165);
        forged.data[32..64].copy_from_slice(thief.id().as_ref());
        forged.owner = owner;
        let address = seeded(322).pubkey();
        world.cluster.set_account(address, forged);
        let mut instruction = ix::settle_cover(&product, thief.id(), mint);
        instruction.accounts[5].pubkey = address;
        assert_no_byte(&world, &product, instruction, BackstopError::NotHolder);
    }
    // The thief's signature does not help.
    let spare = spare_account(&world, &thief.id());
    let mut signed = settle_to(&product, &thief.id(), &mint, spare, true);
    signed.accounts[5].pubkey = held;
    assert_refused(world.send(&[&thief.key], &[signed]), BackstopError::NotHolder);
    assert_eq!(world.tokens(&empty), 0);
    assert_eq!(world.assets(&thief), 0);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_holder_may_sign_and_name_another_account() {
    let world = World::new();
    let (pool, product, holder, mint) = funded(&world);
    let friend = world.person(0);
    let destination = pool.assets_of(&friend.id());
    let settle = settle_to(&product, &holder.id(), &mint, destination, true);
    must(world.send(&[&holder.key], &[settle]));
    let due = half_paid(&world, &product, &mint);
    assert_eq!(world.assets(&friend), due);

    let world = World::new();
    let (pool, product, holder, mint) = funded(&world);
    let spare = spare_account(&world, &holder.id());
    must(world.send(&[&holder.key], &[settle_to(&product, &holder.id(), &mint, spare, true)]));
    assert_eq!(world.tokens(&spare), due);
    // Signed or not, the money must leave the vault, and arrive in the asset.
    let world_two = World::new();
    let (_, product, holder, mint) = funded(&world_two);
    let vault = pool.vault();
    let to_vault = settle_to(&product, &holder.id(), &mint, vault, true);
    assert_refused(world_two.send(&[&holder.key], &[to_vault]), BackstopError::VaultMismatch);
    let covered = world_two.cluster.set_tokens(&holder.id(), &world_two.covered, 0);
    let other_asset = settle_to(&product, &holder.id(), &mint, covered, true);
    assert_refused(world_two.send(&[&holder.key], &[other_asset]), BackstopError::WrongAccount);
}

#[test]
fn a_holder_that_is_a_programs_account_must_sign() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    // The address of some other program's account: no key signs for it, and it is no point on the curve.
    let (vault, _) = Pubkey::find_program_address(&[b"vault"], &seeded(55).pubkey());
    assert!(!vault.is_on_curve());
    let mint = buy_for(&world, &product, vault, 10_000 * ONE);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    let associated = world.cluster.set_tokens(&vault, &world.asset, 0);
    let by_a_stranger = settle_to(&product, &vault, &mint, associated, false);
    assert_no_byte(&world, &product, by_a_stranger, BackstopError::ProgramHolderMustSign);
    // Its program signs, and names an account that it can spend from.
    let spare = spare_account(&world, &vault);
    let by_itself = settle_to(&product, &vault, &mint, spare, true);
    must(send_as_anyone(&world, &[by_itself]));
    assert_eq!((world.tokens(&spare), world.tokens(&associated)), (half_paid(&world, &product, &mint), 0));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn the_curve_is_judged_on_chain_as_off_it() {
    // Wallets are points of the curve, derived addresses are not; bytes that are neither by construction fall where
    // the same check off chain says.
    let world = World::unsigned();
    let (_, product) = stage(&world);
    let mut owners: Vec<Pubkey> = (0..4).map(|number| seeded(700 + number).pubkey()).collect();
    owners.extend((0..4u8).map(|number| Pubkey::find_program_address(&[&[number]], &backstop::ID).0));
    owners.extend((0..8u8).map(|number| Pubkey::new_from_array([number.wrapping_mul(37).wrapping_add(3); 32])));
    let covers: Vec<Pubkey> = owners.iter().map(|owner| buy_for(&world, &product, *owner, 1_000 * ONE)).collect();
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    let mut seen = [0; 2];
    for (owner, mint) in owners.iter().zip(covers) {
        world.cluster.set_tokens(owner, &world.asset, 0);
        let settled = world.send(&[], &[ix::settle_cover(&product, *owner, mint)]);
        seen[usize::from(owner.is_on_curve())] += 1;
        if owner.is_on_curve() {
            must(settled);
        } else {
            assert_refused(settled, BackstopError::ProgramHolderMustSign);
        }
    }
    assert!(seen[0] > 5 && seen[1] > 5, "{seen:?}");
}

#[test]
fn a_closed_payout_account_stops_one_payout_and_only_for_as_long_as_it_is_closed() {
    let world = World::new();
    let (_, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    let (other, other_mint) = world.holder(&product, 2_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    let associated = product.pool.assets_of(&holder.id());
    world.cluster.set_tokens(&holder.id(), &world.asset, 0);
    let close_account = spl_token::instruction::close_account(&TOKEN, &associated, &holder.id(), &holder.id(), &[]);
    world.run(&[&holder.key], &[close_account.unwrap()]);
    let settle = ix::settle_cover(&product, holder.id(), mint);
    assert_no_byte(&world, &product, settle.clone(), BackstopError::NotAToken);
    must(world.settle(&product, &other, &other_mint));
    // The incident stays open for it until the deadline.
    let close_now = world.close_incident(&product);
    world.advance(364 * DAY);
    assert_no_byte(&world, &product, close_now, BackstopError::IncidentInUse);
    let create = ix::create_associated_token(&world.payer.pubkey(), &holder.id(), &world.asset, &TOKEN);
    world.run(&[], &[create, settle]);
    assert_eq!(world.assets(&holder), half_paid(&world, &product, &mint));
    must(close(&world, &product));
}

#[test]
fn a_frozen_payout_account_stops_one_payout_and_no_other() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    let (other, other_mint) = world.holder(&product, 2_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.open_and_fund(&product);
    let associated = product.pool.assets_of(&holder.id());
    let issuer = world.payer.pubkey();
    let freeze = spl_token::instruction::freeze_account(&TOKEN, &associated, &world.asset, &issuer, &[]).unwrap();
    world.run(&[], &[freeze]);
    let before = snapshot(&world, &[product.pool.vault()]);
    let refused = world.settle(&product, &holder, &mint).unwrap_err();
    assert!(matches!(refused, ClusterError::Failed { .. }), "{}", explain(&refused));
    assert_eq!(snapshot(&world, &[product.pool.vault()]), before);
    must(world.settle(&product, &other, &other_mint));
    assert_refused(close(&world, &product), BackstopError::IncidentInUse);
    // The holder can sign and name an account that is not frozen; or the issuer thaws it.
    let back = premium_back(&world.cover(&mint), &world.incident(&product));
    let spare = spare_account(&world, &holder.id());
    must(world.send(&[&holder.key], &[settle_to(&product, &holder.id(), &mint, spare, true)]));
    assert_eq!(world.tokens(&spare), 5_000 * ONE + back);
    must(close(&world, &product));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_mean_just_below_the_threshold_pays_the_least_severity() {
    let world = World::new();
    let (_, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    // One cover is in force and loses the least: the mean is a breath below the threshold. Another is still waiting.
    let (waiting, waiting_mint) = world.holder(&product, 1_000 * ONE, 30);
    world.depeg(&product, 94_999_999);
    must(open(&world, &product));
    let incident = world.incident(&product);
    assert_eq!((incident.severity_bps, incident.gross, incident.state), (500, 500 * ONE, IncidentState::Final));
    must(fund(&world, &product));
    // Each gets back what it had not earned, one that waits all but a unit.
    let [back, waited] = [&mint, &waiting_mint].map(|mint| premium_back(&world.cover(mint), &incident));
    assert_eq!(waited, world.cover(&waiting_mint).premium - 1);
    let before = (world.assets(&holder), world.assets(&waiting));
    assert_refused(close(&world, &product), BackstopError::IncidentInUse);
    must(world.settle(&product, &holder, &mint));
    must(world.settle(&product, &waiting, &waiting_mint));
    assert_eq!((world.assets(&holder), world.assets(&waiting)), (before.0 + 500 * ONE + back, before.1 + waited));
    must(close(&world, &product));
}

// ---------------------------------------------------------------- pools that cannot pay everything

/// A product in a risk group of its own, of a duration in slots of half an hour, paid in full.
fn binary(world: &World, group: u32, slots: u32) -> NewProduct {
    let condition = TermsInput {
        severity: Severity::Binary,
        duration_seconds: slots * 1_800,
        tolerance_seconds: 1_800,
        ..terms::stress()
    };
    let mut args = terms::create_product(world.covered, condition);
    args.terms.risk_group = group;
    args
}

/// A pool that insures more than it has: three products in groups that are taken to be independent, 55 % of the capital
/// each, with covers of odd sums, in force and waiting.
struct Insolvent {
    world: World,
    pool: PoolKeys,
    products: Vec<ProductKeys>,
    /// Holder, NFT and place of the product.
    held: Vec<(Person, Pubkey, usize)>,
    /// Start of the event.
    from: i64,
}

impl Insolvent {
    fn new() -> Self {
        let world = World::unsigned();
        let terms = PoolTerms { rho_bps: 0, ..terms::pool_terms() };
        let pool = world.create_pool(CreatePoolArgs { terms, ..terms::create_pool(0) });
        let products: Vec<ProductKeys> = [(0, 8), (1, 10), (2, 12)]
            .iter()
            .map(|(group, slots)| world.create_product_with(&pool, binary(&world, *group, *slots)))
            .collect();
        world.depositor(&pool, Tranche::Junior, 30_000 * ONE);
        world.depositor(&pool, Tranche::Senior, 70_000 * ONE);
        world.next_day();
        let mut held = Vec::new();
        for (place, product) in products.iter().enumerate() {
            for sum in [20_000 * ONE + 7, 30_000 * ONE, 1_234 * ONE + 567_891] {
                let (person, mint) = world.holder(product, sum, 30);
                held.push((person, mint, place));
            }
        }
        world.advance(2 * DAY);
        world.next_day();
        for (place, product) in products.iter().enumerate() {
            let (person, mint) = world.holder(product, 1_000 * ONE, 30);
            held.push((person, mint, place));
        }
        let from = world.now() + HOUR;
        Self { world, pool, products, held, from }
    }

    /// All three depeg at once.
    fn depeg(&self) {
        for slot in 0..12 {
            self.world.cluster.set_time(self.from + slot * 1_800);
            for product in &self.products {
                self.world.print(product, 80_000_000);
            }
        }
    }

    /// When the trigger of a product is due.
    fn due(&self, place: usize) -> i64 {
        let slots = [8, 10, 12][place];
        self.from + slots * 1_800 + 6 * HOUR + 1
    }

    fn confirm_and_open(&self, place: usize) {
        self.world.run(&[], &[ix::confirm(&self.products[place])]);
        must(open(&self.world, &self.products[place]));
    }

    /// What everybody was paid, and the incidents.
    fn settle_all(&self, order: &[usize]) -> (Vec<u64>, Vec<Incident>) {
        let mut paid = vec![0; self.held.len()];
        for place in order {
            let (person, mint, product) = &self.held[*place];
            let before = self.world.assets(person);
            must(self.world.settle(&self.products[*product], person, mint));
            // Of a loss in all, or the premium of one that waited.
            let (loss, now) = (self.world.cover(mint).paid, self.world.assets(person) - before);
            paid[*place] = if loss > 0 { loss } else { now };
        }
        let incidents = self.products.iter().map(|product| self.world.incident(product)).collect();
        assert_books(&self.world.cluster, &self.pool.pool);
        (paid, incidents)
    }
}

/// What the holders got, and reserve and gross of each incident.
type Results = (Vec<u64>, Vec<(u64, u64)>);

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[test]
fn incidents_that_are_ready_at_different_times_are_paid_the_same_in_any_order_of_calls() {
    let mut results: Vec<Results> = Vec::new();
    for (number, order) in ORDERS.iter().enumerate() {
        let scene = Insolvent::new();
        let world = &scene.world;
        scene.depeg();
        let last = scene.due(2);
        if number % 2 == 0 {
            // A crank that does each thing as soon as it can, and pays at once what it can.
            for place in 0..3 {
                world.cluster.set_time(scene.due(place));
                scene.confirm_and_open(place);
                if place < 2 {
                    for early in 0..=place {
                        let _ = fund(world, &scene.products[early]);
                        let _ =
                            world.settle(&scene.products[early], &scene.held[3 * early].0, &scene.held[3 * early].1);
                    }
                }
            }
        } else {
            // One that does everything at the end.
            world.cluster.set_time(last);
            order.iter().for_each(|place| scene.confirm_and_open(*place));
        }
        world.cluster.set_time(last + 60);
        let capital = world.pool(&scene.pool).loss_capital().unwrap();
        for (call, place) in order.iter().enumerate() {
            // Time passes between the calls, premium is earned, somebody gives.
            world.cluster.set_time(last + 60 + i64::try_from(call * number).unwrap() * HOUR);
            if call == 1 && number > 2 {
                let giver = world.person(777 * ONE);
                let give = ix::contribute_surplus(&scene.pool, giver.id(), 777 * ONE, Seen::ANYTHING);
                must(world.send(&[&giver.key], &[give]));
            }
            must(fund(world, &scene.products[*place]));
        }
        let mut all: Vec<usize> = (0..scene.held.len()).collect();
        all.rotate_left(number * 2);
        if number % 2 == 1 {
            all.reverse();
        }
        let (paid, incidents) = scene.settle_all(&all);
        let gross: u64 = incidents.iter().map(|incident| incident.gross).sum();
        assert!(gross > capital, "the pool was meant to be insolvent");
        results.push((paid, incidents.iter().map(|incident| (incident.reserve, incident.gross)).collect()));
    }
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    // One ratio for all three, but for the rounding of the reserves.
    let ratios: Vec<u128> =
        results[0].1.iter().map(|(reserve, gross)| u128::from(*reserve) * 1_000_000_000 / u128::from(*gross)).collect();
    assert!(ratios.iter().all(|ratio| ratio.abs_diff(ratios[0]) <= 1), "{ratios:?}");
    assert!((500_000_000..700_000_000).contains(&ratios[0]), "{ratios:?}");
}

#[test]
fn an_insolvent_pool_pays_every_cover_the_same_ratio_in_any_order_of_settlement() {
    let scene = Insolvent::new();
    scene.depeg();
    scene.world.cluster.set_time(scene.due(2));
    (0..3).for_each(|place| scene.confirm_and_open(place));
    let premiums: Vec<u64> = scene.held.iter().map(|(_, mint, _)| scene.world.cover(mint).premium).collect();
    let claims: Vec<u64> = scene
        .held
        .iter()
        .zip(&premiums)
        .map(|((_, mint, _), premium)| {
            let cover = scene.world.cover(mint);
            if cover.claim(scene.from) == Some(Claim::Loss) { cover.sum_insured } else { *premium - 1 }
        })
        .collect();
    assert_eq!(claims.iter().zip(&premiums).filter(|(claim, premium)| **claim == **premium - 1).count(), 3);
    for product in &scene.products {
        must(fund(&scene.world, product));
    }
    let (paid, incidents) = scene.settle_all(&[11, 0, 5, 3, 8, 1, 10, 4, 2, 9, 7, 6]);
    for (place, (paid, claim)) in paid.iter().zip(&claims).enumerate() {
        let incident = &incidents[scene.held[place].2];
        let ratio = [u128::from(incident.reserve), u128::from(incident.gross)];
        let waits = *claim + 1 == premiums[place];
        let due = if waits { u128::from(*claim) } else { u128::from(*claim) * ratio[0] / ratio[1] };
        assert_eq!(u128::from(*paid), due, "a claim is paid in the incident's ratio, one that waits has its premium");
    }
    // Nothing but rounding is left, and it goes to the surplus.
    scene.world.run(&[], &[ix::accrue(scene.pool.pool)]);
    let pool = scene.world.pool(&scene.pool);
    let left: u64 = incidents.iter().map(|incident| incident.reserve - incident.paid + incident.refunds_left).sum();
    let left = left + pool.crisis_buckets;
    assert!(left <= 27);
    // Short of what is due, incidents wait for late money until their deadlines.
    assert_refused(close(&scene.world, &scene.products[0]), BackstopError::IncidentInUse);
    scene.world.cluster.set_time(incidents.iter().map(|incident| incident.deadline).max().unwrap());
    for product in &scene.products {
        must(close(&scene.world, product));
    }
    let after = scene.world.pool(&scene.pool);
    assert_eq!((after.incident_reserves, after.surplus), (0, pool.surplus + left));
}

#[test]
fn a_loss_beyond_the_junior_tranche_wipes_it_out_and_leaves_the_senior_one_its_rest() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product_with(&pool, binary(&world, 0, 8));
    let junior = world.depositor(&pool, Tranche::Junior, 20_000 * ONE);
    let senior = world.depositor(&pool, Tranche::Senior, 80_000 * ONE);
    world.next_day();
    let (holder, mint) = world.holder(&product, 60_000 * ONE, 30);
    // Half of the junior capital asks to leave before the event: it bears the loss all the same.
    let shares = world.shares(&pool, &junior, Tranche::Junior);
    let ticket = world.exit(&pool, &junior, Tranche::Junior, shares / 2);
    world.advance(3 * DAY);
    world.depeg(&product, 80_000_000);
    must(open(&world, &product));
    world.run(&[], &[ix::accrue(pool.pool)]);
    let before = world.pool(&pool);
    let receipt = world.run(&[], &[world.fund_incident(&product)]);
    let after = world.pool(&pool);
    let [CrisisClosed { closing: event, .. }] = &transaction::events::<CrisisClosed>(&receipt.logs)[..] else {
        panic!()
    };
    let [junior_before, senior_before] = before.tranches;
    assert_eq!(event.losses.surplus, before.surplus);
    assert_eq!(event.losses.junior_assets, junior_before.assets);
    assert_eq!(event.losses.junior_exiting, junior_before.exiting);
    let rest = 60_000 * ONE - before.surplus - junior_before.total();
    assert_eq!((event.losses.senior_assets, event.losses.senior_exiting), (rest, 0));
    assert_eq!((event.resources, event.gross), (60_000 * ONE, 60_000 * ONE));
    let [junior_after, senior_after] = after.tranches;
    assert_eq!((junior_after.wiped_out, junior_after.total(), junior_after.shares, junior_after.units), (1, 0, 0, 0));
    assert_eq!((senior_after.wiped_out, senior_after.assets), (0, senior_before.assets - rest));
    assert_eq!((after.total_exposure, after.alerts, after.incident_reserves), (0, 0, 60_000 * ONE));
    assert_books(&world.cluster, &pool.pool);
    let assets = world.assets(&holder);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder) - assets, 60_000 * ONE);

    // The junior ticket has nothing to claim but can be closed; the senior holder leaves with the rest.
    let day = world.ticket(&pool, &junior, ticket).epoch_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    must(world.settle_epoch(&pool, day));
    let junior_assets = world.assets(&junior);
    must(world.claim(&pool, &junior, ticket));
    assert_eq!(world.assets(&junior), junior_assets);
    let shares = world.shares(&pool, &senior, Tranche::Senior);
    let ticket = world.exit(&pool, &senior, Tranche::Senior, shares);
    let day = world.ticket(&pool, &senior, ticket).epoch_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    must(world.settle_epoch(&pool, day));
    must(world.claim(&pool, &senior, ticket));
    let worth = world.assets(&senior);
    assert!(worth > 40_000 * ONE && worth < 41_000 * ONE, "{worth}");
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_loss_of_everything_wipes_out_both_tranches_and_the_books_stand() {
    let scene = Insolvent::new();
    scene.depeg();
    let world = &scene.world;
    world.cluster.set_time(scene.due(2));
    (0..3).for_each(|place| scene.confirm_and_open(place));
    let capital = {
        world.run(&[], &[ix::accrue(scene.pool.pool)]);
        world.pool(&scene.pool).loss_capital().unwrap()
    };
    for product in &scene.products {
        must(fund(world, product));
        assert_books(&world.cluster, &scene.pool.pool);
    }
    let pool = world.pool(&scene.pool);
    let [junior, senior] = pool.tranches;
    assert_eq!((junior.wiped_out, senior.wiped_out), (1, 1));
    let reserved: u64 = scene.products.iter().map(|product| world.incident(product).reserve).sum();
    // All of it, but for the rounding of three reserves down.
    assert_eq!((pool.incident_reserves, pool.total_exposure, pool.alerts), (reserved, 0, 0));
    assert!(pool.crisis_buckets < 3);
    // Units of premium that rates left over: they are earned before, for holders who are short.
    let left_over = reserved + pool.crisis_buckets - capital;
    assert!(left_over < 10, "{left_over}");
    assert_eq!((junior.total() + senior.total(), pool.surplus, pool.unearned_premium), (0, 0, 0));
}

// ---------------------------------------------------------------- nothing due

#[test]
fn an_incident_that_owes_nothing_is_funded_and_closed_at_once() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 7);
    // The cover has ended, and nobody has released its exposure: the books overstate what is at stake.
    world.cluster.set_time(world.cover(&mint).end() + HOUR);
    world.depeg(&product, HALF);
    assert_eq!(world.pool(&pool).alerts_due, 1);
    let receipt = world.run(&[], &[world.open_incident(&product)]);
    let [event] = &transaction::events::<IncidentOpened>(&receipt.logs)[..] else { panic!() };
    assert_eq!((event.growth.gross, event.released, event.crisis), (0, 10_000 * ONE, 0));
    let incident = world.incident(&product);
    assert_eq!((incident.state, incident.gross, incident.reserve), (IncidentState::Final, 0, 0));
    let books = world.pool(&pool);
    assert_eq!((books.alerts, books.alerts_due, books.alert_exposure, books.total_exposure), (0, 0, 0, 0));
    assert_eq!((world.trigger(&product).opened, world.product(&product).incident_closed), (1, 1));
    // Nobody waits for it, nobody is paid by it.
    assert!(fund(&world, &product).is_err());
    assert_no_byte(&world, &product, ix::settle_cover(&product, holder.id(), mint), BackstopError::NotEligible);
    let depositor = world.person(100 * ONE);
    must(world.deposit(&pool, &depositor, Tranche::Senior, 100 * ONE));
    let close_cover = ix::close_cover(&product, Some(holder.id()), mint, world.payer.pubkey());
    must(world.send(&[&holder.key], &[close_cover]));
    let surplus = world.pool(&pool).surplus;
    must(close(&world, &product));
    assert_eq!(world.pool(&pool).surplus, surplus);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn capital_cannot_slip_away_between_trigger_and_funding() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let senior = world.depositor(&pool, Tranche::Senior, 50_000 * ONE);
    world.holder(&product, 100_000 * ONE, 60);
    let ticket = world.exit(&pool, &senior, Tranche::Senior, world.shares(&pool, &senior, Tranche::Senior));
    let day = world.ticket(&pool, &senior, ticket).epoch_day;
    // The event begins on the day of the epoch, which ends while the trigger is met.
    world.cluster.set_time(i64::from(day) * DAY + 20 * HOUR - 1);
    world.depeg(&product, HALF);
    assert!(day_of(world.now()) > day);
    assert_refused(world.settle_epoch(&pool, day), BackstopError::PoolInAlert);
    must(open(&world, &product));
    assert_refused(world.settle_epoch(&pool, day), BackstopError::PoolInCrisis);
    let before = world.pool(&pool).tranches[1].exiting;
    must(fund(&world, &product));
    must(world.settle_epoch(&pool, day));
    must(world.claim(&pool, &senior, ticket));
    // The loss is the junior tranche's and the surplus': 50,000 of both, and a little of the senior one.
    assert!(world.assets(&senior) <= before);
    assert_eq!(world.incident(&product).reserve, 50_000 * ONE);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- closing

#[test]
fn an_incident_is_closed_once_all_is_settled_and_its_rent_goes_back() {
    let world = World::new();
    let (pool, product, holder, mint) = funded(&world);
    let rent_payer = world.payer.pubkey();
    assert_no_byte(&world, &product, world.close_incident(&product), BackstopError::IncidentInUse);
    must(world.settle(&product, &holder, &mint));
    let thief = world.person(0);
    let to_thief = ix::close_incident(&product, thief.id(), Some((1, rent_payer)));
    let crisis_to_thief = ix::close_incident(&product, rent_payer, Some((1, thief.id())));
    assert_no_byte(&world, &product, crisis_to_thief, BackstopError::WrongRentPayer);
    assert_no_byte(&world, &product, to_thief, BackstopError::WrongRentPayer);
    let lamports = |address: &Pubkey| world.cluster.account(address).unwrap().unwrap().lamports;
    let rent = lamports(&product.incident()) + lamports(&product.crisis(1));
    let before = lamports(&rent_payer);
    // Anyone closes it.
    let close = world.close_incident(&product);
    let receipt = transaction::send(&world.cluster, &thief.key, &[], &[close]).unwrap();
    let [event] = &transaction::events::<IncidentClosed>(&receipt.logs)[..] else { panic!() };
    assert_eq!((event.pool, event.incident, event.reserve), (pool.pool, product.incident(), 0));
    assert_eq!(lamports(&rent_payer), before + rent);
    assert!(world.cluster.account(&product.incident()).unwrap().is_none());
    assert!(world.cluster.account(&product.crisis(1)).unwrap().is_none());
    assert_eq!(world.product(&product).incident_closed, 1);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_forfeited_cover_goes_to_the_surplus_after_a_year_to_the_second() {
    let world = World::new();
    let (pool, product, holder, mint) = funded(&world);
    let held = address::associated_token(&holder.id(), &mint, &TOKEN_2022);
    let burn = spl_token_2022::instruction::burn_checked(&TOKEN_2022, &held, &mint, &holder.id(), &[], 1, 0);
    world.run(&[&holder.key], &[burn.unwrap()]);
    assert_no_byte(&world, &product, ix::settle_cover(&product, holder.id(), mint), BackstopError::NotHolder);
    let close_cover = ix::close_cover(&product, None, mint, world.payer.pubkey());
    assert_no_byte(&world, &product, close_cover.clone(), BackstopError::CoverStillLive);
    let deadline = world.incident(&product).deadline;
    world.cluster.set_time(deadline - 1);
    let close_now = world.close_incident(&product);
    assert_no_byte(&world, &product, close_now.clone(), BackstopError::IncidentInUse);
    world.cluster.set_time(deadline);
    world.run(&[], &[ix::accrue(pool.pool)]);
    let (before, due) = (world.pool(&pool), half_paid(&world, &product, &mint));
    world.run(&[], &[close_now]);
    let after = world.pool(&pool);
    assert_eq!((after.surplus, after.incident_reserves), (before.surplus + due, 0));
    assert_eq!((after.cash, after.premium_refunds), (before.cash, 0));
    // What is left of the cover can be closed by anyone.
    must(world.send(&[], &[close_cover]));
    assert!(world.cluster.account(&address::cover(&mint)).unwrap().is_none());
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_settled_cover_can_be_settled_until_the_incident_is_closed_and_not_after() {
    let world = World::new();
    let (_, product, holder, mint) = funded(&world);
    let deadline = world.incident(&product).deadline;
    // The deadline itself takes nothing away: only closing does.
    world.cluster.set_time(deadline + 30 * DAY);
    let (before, due) = (world.assets(&holder), half_paid(&world, &product, &mint));
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder) - before, due);
    must(close(&world, &product));
}

#[test]
fn no_pause_stops_an_incident() {
    let world = World::new();
    let (_, product) = stage(&world);
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    world.run(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), 3)]);
    assert_ne!(world.protocol().pause.bits, 0);
    world.open_and_fund(&product);
    must(world.settle(&product, &holder, &mint));
    must(close(&world, &product));
}

#[test]
fn an_incident_goes_with_its_own_product_pool_and_trigger_only() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let sibling = world.create_product(&pool, terms::stress());
    let elsewhere = world.create_pool(terms::create_pool(1));
    let stranger = world.create_product(&elsewhere, terms::stress());
    world.holder(&product, 10_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, HALF);
    let swapped = |mut instruction: Instruction, place: usize, key: Pubkey| {
        instruction.accounts[place].pubkey = key;
        instruction
    };
    // Payer, pool, product, rates, trigger, incident.
    for wrong in [
        swapped(world.open_incident(&product), 1, elsewhere.pool),
        swapped(world.open_incident(&product), 3, sibling.rates()),
        swapped(world.open_incident(&product), 3, stranger.rates()),
        swapped(world.open_incident(&product), 4, sibling.trigger()),
        swapped(world.open_incident(&product), 4, stranger.trigger()),
    ] {
        assert_no_byte(&world, &product, wrong, BackstopError::WrongParent);
    }
    must(open(&world, &product));
    // Pool, product, trigger, incident.
    for wrong in [
        swapped(world.fund_incident(&product), 0, elsewhere.pool),
        swapped(world.fund_incident(&product), 2, sibling.trigger()),
        swapped(swapped(world.fund_incident(&product), 1, sibling.product), 2, sibling.trigger()),
    ] {
        assert_no_byte(&world, &product, wrong, BackstopError::WrongParent);
    }
    must(fund(&world, &product));
    world.advance(365 * DAY);
    for wrong in [
        swapped(swapped(world.close_incident(&product), 0, elsewhere.pool), 1, elsewhere.vault()),
        swapped(world.close_incident(&product), 2, sibling.product),
    ] {
        assert_no_byte(&world, &product, wrong, BackstopError::WrongParent);
    }
    must(close(&world, &product));
}
