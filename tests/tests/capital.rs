//! Capital of a pool: what shares are worth, how premium is shared out, who bears losses, how much capital a pool needs.

use anchor_lang::prelude::{AccountMeta, Pubkey};
use anchor_lang::solana_program::instruction::Instruction;
use anchor_spl::token_2022::spl_token_2022::instruction as token_2022;
use backstop::DepositArgs;
use backstop::constants::DAY_BUCKETS;
use backstop::error::BackstopError;
use backstop::events::{Accrued, CrisisClosed, Deposited, SeriesOpened, SurplusContributed};
use backstop::math::VIRTUAL_SHARES;
use backstop::state::{CancelledExit, CrisisClosing, Pool, ProductTerms, Seen, Tranche, TrancheBook, day_of};
use backstop_client::cluster::{Cluster, Receipt};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_client::{address, transaction};
use backstop_tests::reinsurance::RUIN;
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Person, World, assert_books, assert_refused, explain, seeded};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use solana_sdk::signer::Signer;

const JUNIOR: Tranche = Tranche::Junior;
const SENIOR: Tranche = Tranche::Senior;

/// Sends the asset straight into a pool's vault, past the program.
fn donate(world: &World, keys: &PoolKeys, person: &Person, amount: u64) {
    let accounts = vec![
        AccountMeta::new(keys.assets_of(&person.id()), false),
        AccountMeta::new(keys.vault(), false),
        AccountMeta::new_readonly(person.id(), true),
    ];
    let data = [&[3][..], &amount.to_le_bytes()].concat();
    world.run(&[&person.key], &[Instruction { program_id: anchor_spl::token::ID, accounts, data }]);
}

/// Burns shares through the token program, past the pool.
fn burn(world: &World, keys: &PoolKeys, person: &Person, tranche: Tranche, shares: u64) {
    let (mint, account) = (keys.share_mint(tranche), keys.shares_of(&person.id(), tranche));
    let call = token_2022::burn(&anchor_spl::token_2022::ID, &account, &mint, &person.id(), &[], shares);
    world.run(&[&person.key], &[call.unwrap()]);
}

/// What somebody's shares are worth now.
fn worth(world: &World, keys: &PoolKeys, person: &Person, tranche: Tranche) -> u64 {
    let shares = world.shares(keys, person, tranche);
    world.pool(keys).tranche(tranche).worth_of_shares(shares).unwrap()
}

/// Leaves with everything. Returns what the ticket is worth.
fn leave(world: &World, keys: &PoolKeys, person: &Person, tranche: Tranche) -> u64 {
    let nonce = world.exit(keys, person, tranche, world.shares(keys, person, tranche));
    let units = world.ticket(keys, person, nonce).units;
    world.pool(keys).tranche(tranche).worth_of_units(units).unwrap()
}

/// Whether a share is worth at least as much as before: `(assets + 1) / (shares + V)`, compared exactly.
fn price_has_not_fallen(before: &TrancheBook, after: &TrancheBook) -> bool {
    let price = |book: &TrancheBook| (u128::from(book.assets) + 1, u128::from(book.shares + VIRTUAL_SHARES));
    let ((assets, shares), (assets_now, shares_now)) = (price(before), price(after));
    assets_now * shares >= assets * shares_now
}

fn rng() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}

// ---- the first depositor ----

#[test]
fn first_depositor_with_one_unit_and_a_donation_takes_nothing_from_the_second() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    // The least that the bounds allow, to make it as easy as can be.
    args.terms.min_first_deposit = ONE;
    args.terms.min_ticket = ONE;
    let keys = world.create_pool(args);
    let attacker = world.person(3_000_000_000_000);
    assert_refused(world.deposit(&keys, &attacker, JUNIOR, 1), BackstopError::FirstDepositTooSmall);
    assert_refused(world.deposit(&keys, &attacker, JUNIOR, ONE - 1), BackstopError::FirstDepositTooSmall);

    // Down to one unit by leaving with the rest.
    world.deposit(&keys, &attacker, JUNIOR, 2 * ONE).unwrap();
    world.exit(&keys, &attacker, JUNIOR, (2 * ONE - 1) * 1_000);
    let book = *world.pool(&keys).tranche(JUNIOR);
    assert_eq!((book.assets, book.shares), (1, 1_000));
    donate(&world, &keys, &attacker, 1_000_000_000_000);
    world.run(&[&attacker.key], &[ix::contribute_surplus(&keys, attacker.id(), 1_000_000_000_000, Seen::ANYTHING)]);
    assert_eq!(*world.pool(&keys).tranche(JUNIOR), book);

    for amount in [ONE, 1_000_001, 1_999_999, 10_000_000_007, 1_000_000_000_000] {
        let second = world.person(amount);
        world.deposit(&keys, &second, JUNIOR, amount).unwrap();
        assert_eq!(worth(&world, &keys, &second, JUNIOR), amount);
        assert!(worth(&world, &keys, &attacker, JUNIOR) <= 1);
        assert_books(&world.cluster, &keys.pool);
    }
}

#[test]
fn to_lift_the_price_of_a_nearly_empty_tranche_costs_more_than_it_takes() {
    // Premium is the only thing that lifts a price. Whoever owns a tranche with one unit in it, buys cover until `lift`
    // units are earned by it, and lets somebody deposit, has lost more than the other one.
    let mut random = rng();
    for _ in 0..20_000 {
        let lift: u64 = random.random_range(0..1_000_000_000_000);
        let shares = random.random_range(1..2_000_000);
        let amount = random.random_range(1_000..10_000_000_000_000);
        let mut book = TrancheBook { assets: 1 + lift, shares, ..TrancheBook::default() };
        let before = book.worth_of_shares(shares).unwrap();
        let issued = backstop::math::shares::issue(amount, book.shares, book.assets).unwrap();
        book.assets += amount;
        book.shares += issued;
        let gain = book.worth_of_shares(shares).unwrap() - before;
        let kept_by_nobody = lift + 1 - before;
        assert!(gain <= kept_by_nobody, "lift {lift}, shares {shares}, amount {amount}: {gain} > {kept_by_nobody}");
    }
}

// ---- deposits and exits ----

#[test]
fn a_deposit_books_its_amount_and_gives_the_shares_of_the_formula() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.person(500 * ONE);
    let receipt = world.deposit(&keys, &person, SENIOR, 100 * ONE).unwrap();
    let [event] = &transaction::events::<Deposited>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.pool, event.tranche, event.owner), (keys.pool, SENIOR, person.id()));
    assert_eq!((event.amount, event.shares), (100 * ONE, 100 * ONE * 1_000));
    assert_eq!(world.shares(&keys, &person, SENIOR), event.shares);
    assert_eq!(world.assets(&person), 400 * ONE);
    let pool = world.pool(&keys);
    assert_eq!(
        (pool.cash, pool.tranche(SENIOR).assets, pool.tranche(SENIOR).shares),
        (event.amount, event.amount, event.shares)
    );
    assert_eq!(*pool.tranche(JUNIOR), TrancheBook::default());
    assert_eq!(world.tokens(&keys.vault()), event.amount);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_deposit_that_gives_fewer_shares_than_asked_for_is_refused() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.depositor(&keys, JUNIOR, 100 * ONE);
    world.cluster.set_tokens(&person.id(), &world.asset, 100 * ONE);
    let before = world.pool(&keys);
    let deposit = |min_shares| {
        let args = DepositArgs { tranche: JUNIOR, amount: 7 * ONE, min_shares, seen: world.pool(&keys).seen() };
        world.send(&[&person.key], &[ix::deposit(&keys, person.id(), None, args)])
    };
    assert_refused(deposit(7_000 * ONE + 1), BackstopError::TooFewShares);
    assert_refused(deposit(u64::MAX), BackstopError::TooFewShares);
    assert_eq!(world.pool(&keys), before);
    deposit(7_000 * ONE).unwrap();
}

#[test]
fn first_deposit_and_every_later_one_have_their_least_amount() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.person(100 * ONE);
    assert_refused(world.deposit(&keys, &person, JUNIOR, 10 * ONE - 1), BackstopError::FirstDepositTooSmall);
    assert_refused(world.deposit(&keys, &person, JUNIOR, 0), BackstopError::AmountTooSmall);
    world.deposit(&keys, &person, JUNIOR, 10 * ONE).unwrap();
    // Each tranche has its own first.
    assert_refused(world.deposit(&keys, &person, SENIOR, 10 * ONE - 1), BackstopError::FirstDepositTooSmall);
    assert_refused(world.deposit(&keys, &person, JUNIOR, 0), BackstopError::AmountTooSmall);
    world.deposit(&keys, &person, JUNIOR, 1).unwrap();
    assert_books(&world.cluster, &keys.pool);
}

/// A pool whose share prices are no round numbers: both tranches have earned premium, and one has lost.
fn odd_pool(world: &World) -> (PoolKeys, ProductKeys) {
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    let other = world.create_product(&keys, terms::stress());
    world.depositor(&keys, JUNIOR, 12_345_678_901);
    world.depositor(&keys, SENIOR, 98_765_432_109);
    world.next_day();
    world.holder(&product, 3_333_333_333, 30);
    world.holder(&other, 37_777_777_777, 365);
    world.advance(3 * DAY + 12_345);
    world.depeg(&product, 83_456_789);
    world.open_and_fund(&product);
    world.advance(11 * DAY + 4_321);
    (keys, other)
}

#[test]
fn deposit_then_exit_at_once_never_gains() {
    let world = World::new();
    let (keys, _) = odd_pool(&world);
    for tranche in Tranche::BOTH {
        let first = *world.pool(&keys).tranche(tranche);
        assert_ne!(first.assets * 1_000, first.shares, "the price is no longer the first one");
        for amount in [1, 2, 3, 999, 1_000, 1_001, 999_999, 1_000_001, 33_333_333, 12_345_678_901, 5_000_000_000_000] {
            let person = world.person(amount);
            let before = *world.pool(&keys).tranche(tranche);
            // Less than a ticket does not come in; what comes in can leave.
            if let Err(refused) = world.deposit(&keys, &person, tranche, amount) {
                assert_refused(Err(refused), BackstopError::AmountTooSmall);
                assert!(amount <= ONE + 1, "{amount} comes in");
                continue;
            }
            let shares = world.shares(&keys, &person, tranche);
            let now = world.now();
            let (nonce, outcome) = world.request_exit(&keys, &person, tranche, shares);
            assert!(outcome.is_ok(), "{amount} can leave");
            assert_eq!(world.now(), now);
            let ticket = world.ticket(&keys, &person, nonce);
            let book = *world.pool(&keys).tranche(tranche);
            assert!(book.worth_of_units(ticket.units).unwrap() <= amount);
            assert!(price_has_not_fallen(&before, &book), "{before:?} {book:?}");
            // And back again: no more shares than before, and no less than could leave once more.
            world.next_day();
            match world.send(&[&person.key], &[ix::cancel_exit(&keys, &ticket)]) {
                Ok(_) => assert!(world.shares(&keys, &person, tranche) <= shares),
                Err(refused) => {
                    assert_refused(Err(refused), BackstopError::AmountTooSmall);
                    assert!(amount <= ONE + 2, "{amount} comes back");
                }
            }
            assert_books(&world.cluster, &keys.pool);
        }
    }
}

/// The pure books of a tranche at any price that can be, with exit units at any price.
fn books() -> impl Strategy<Value = TrancheBook> {
    let amount = || (0u32..50, any::<u64>()).prop_map(|(bits, n)| n >> (14 + bits));
    (amount(), amount(), 1u64..200_000, amount(), 1u64..200_000).prop_map(
        |(assets, surplus, price, exiting, unit_price)| {
            // Shares at up to a hundred times and down to a fifth of the first number per unit.
            let shares = (u128::from(assets) * u128::from(price)).min(1 << 62) as u64 + surplus % 1_000 + 1;
            let units = (u128::from(exiting) * u128::from(unit_price)).min(1 << 62) as u64 + u64::from(exiting > 0);
            TrancheBook { assets, exiting, shares, units, ..TrancheBook::default() }
        },
    )
}

/// A pool with one tranche as given.
fn pool_with(tranche: Tranche, book: TrancheBook) -> Box<Pool> {
    let mut pool = empty_pool();
    pool.terms = terms::pool_terms();
    pool.cash = book.assets + book.exiting;
    *pool.tranche_mut(tranche) = book;
    pool
}

/// A pool without an account around it: its rules are methods of a plain struct.
fn empty_pool() -> Box<Pool> {
    Box::new(bytemuck::Zeroable::zeroed())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deposit_then_exit_at_once_never_gains_in_any_rounding(
        book in books(),
        amount in (0u32..60, any::<u64>()).prop_map(|(bits, n)| n >> bits),
        tranche in prop_oneof![Just(JUNIOR), Just(SENIOR)],
    ) {
        let mut pool = pool_with(tranche, book);
        let Ok(shares) = pool.deposit(tranche, amount, 0) else { return Ok(()) };
        prop_assert!(price_has_not_fallen(&book, pool.tranche(tranche)));
        pool.invariant().unwrap();
        let Ok(request) = pool.request_exit(tranche, shares) else { return Ok(()) };
        prop_assert!(request.value <= amount);
        prop_assert!(price_has_not_fallen(&book, pool.tranche(tranche)));
        pool.invariant().unwrap();
        // Units round once more, against the new ticket; those that were there lose nothing.
        let now = *pool.tranche(tranche);
        prop_assert!(now.worth_of_units(request.units).unwrap() <= request.value);
        prop_assert!(now.worth_of_units(book.units).unwrap() >= book.worth_of_units(book.units).unwrap());
        pool.capital_day = 1;
        if let Ok(back) = pool.cancel_exit(tranche, request.units, 0) {
            prop_assert!(back.value <= request.value && back.shares <= shares);
            prop_assert!(price_has_not_fallen(&book, pool.tranche(tranche)));
            pool.invariant().unwrap();
        }
    }
}

#[test]
fn a_hundred_thousand_random_deposits_and_exits_never_lower_the_share_price() {
    let mut random = rng();
    let mut done = 0;
    let mut pool = empty_pool();
    let mut holdings: [Vec<u64>; 2] = Default::default();
    let mut tickets: [Vec<u64>; 2] = Default::default();
    while done < 100_000 {
        if done % 10_000 == 0 {
            // Another pool, of another size and another price.
            pool = empty_pool();
            pool.terms = terms::pool_terms();
            let size = 10u64.pow(random.random_range(3..15));
            for tranche in Tranche::BOTH {
                let lost = random.random_range(0..size);
                pool.terms.min_first_deposit = 1;
                pool.deposit(tranche, size, 0).unwrap();
                pool.tranche_mut(tranche).assets -= lost;
                pool.cash -= lost;
            }
            holdings = Default::default();
            tickets = Default::default();
        }
        let before = pool.tranches;
        let tranche = if random.random() { JUNIOR } else { SENIOR };
        let (held, waiting) = (&mut holdings[tranche.index()], &mut tickets[tranche.index()]);
        match random.random_range(0..4) {
            0 | 1 => {
                let bits = random.random_range(24..62);
                let amount = random.random::<u64>() >> bits;
                let Ok(shares) = pool.deposit(tranche, amount, 0) else { continue };
                held.push(shares);
            }
            2 if !held.is_empty() => {
                let place = random.random_range(0..held.len());
                let part = random.random_range(1..=held[place]);
                let Ok(request) = pool.request_exit(tranche, part) else { continue };
                held[place] -= part;
                if held[place] == 0 {
                    held.swap_remove(place);
                }
                waiting.push(request.units);
            }
            3 if !waiting.is_empty() => {
                let units = waiting.swap_remove(random.random_range(0..waiting.len()));
                pool.capital_day = 1;
                let Ok(CancelledExit { shares, .. }) = pool.cancel_exit(tranche, units, 0) else { continue };
                held.push(shares);
            }
            _ => continue,
        }
        for (before, after) in before.iter().zip(&pool.tranches) {
            assert!(price_has_not_fallen(before, after), "{before:?} {after:?}");
        }
        pool.invariant().unwrap();
        done += 1;
    }
}

#[test]
fn random_deposits_and_exits_on_the_cluster_never_lower_the_share_price() {
    let world = World::unsigned();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = 2 * 86_400;
    let keys = world.create_pool(args);
    let product = world.create_product(&keys, terms::stress());
    world.depositor(&keys, JUNIOR, 1_000_000_007);
    world.depositor(&keys, SENIOR, 3_000_000_019);
    world.next_day();
    let people: Vec<Person> = (0..5).map(|_| world.person(1_000_000_000_000)).collect();
    let mut tickets: Vec<(usize, u64)> = Vec::new();
    let mut random = rng();
    let mut done = 0;
    for _ in 0..3_000 {
        let before = world.pool(&keys).tranches;
        let who = random.random_range(0..people.len());
        let person = &people[who];
        let tranche = if random.random() { JUNIOR } else { SENIOR };
        let accepted = match random.random_range(0..8) {
            0 | 1 => {
                let bits = random.random_range(30..48);
                world.deposit(&keys, person, tranche, random.random::<u64>() >> bits).is_ok()
            }
            2 | 3 => {
                let held = world.shares(&keys, person, tranche);
                if held == 0 {
                    continue;
                }
                let part = if random.random() { held } else { random.random_range(1..=held) };
                let (nonce, outcome) = world.request_exit(&keys, person, tranche, part);
                if outcome.is_ok() {
                    tickets.push((who, nonce));
                }
                outcome.is_ok()
            }
            4 if !tickets.is_empty() => {
                let (who, nonce) = tickets.swap_remove(random.random_range(0..tickets.len()));
                let ticket = world.ticket(&keys, &people[who], nonce);
                world.send(&[&people[who].key], &[ix::cancel_exit(&keys, &ticket)]).is_ok()
            }
            5 => {
                let seconds = random.random_range(1..20_000);
                world.advance(seconds);
                world.send(&[], &[ix::accrue(keys.pool)]).is_ok()
            }
            6 => {
                world.print(&product, 100_000_000);
                world.buy(&product, person, random.random_range(ONE..50 * ONE), 7).1.is_ok()
            }
            7 => {
                let day = world.pool(&keys).oldest_exit_day;
                day != 0 && world.settle_epoch(&keys, day).is_ok()
            }
            _ => continue,
        };
        let pool = world.pool(&keys);
        for (before, after) in before.iter().zip(&pool.tranches) {
            assert!(price_has_not_fallen(before, after), "{before:?} {after:?}");
        }
        assert_books(&world.cluster, &keys.pool);
        done += usize::from(accepted);
    }
    assert!(done > 1_500, "{done} actions were accepted");
}

#[test]
fn amounts_at_the_end_of_all_numbers_are_refused_and_change_nothing() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.depositor(&keys, JUNIOR, 100 * ONE);
    world.cluster.set_tokens(&person.id(), &world.asset, u64::MAX - 100 * ONE);
    let before = world.pool(&keys);
    for amount in [u64::MAX - 100 * ONE, u64::MAX / 1_000, u64::MAX / 2_000] {
        for tranche in Tranche::BOTH {
            assert_refused(world.deposit(&keys, &person, tranche, amount), BackstopError::AmountTooLarge);
        }
    }
    let shares = world.shares(&keys, &person, JUNIOR);
    for more in [shares + 1, u64::MAX] {
        assert!(world.request_exit(&keys, &person, JUNIOR, more).1.is_err());
    }
    assert_refused(world.request_exit(&keys, &person, JUNIOR, 0).1, BackstopError::AmountTooSmall);
    let contribute =
        |amount| world.send(&[&person.key], &[ix::contribute_surplus(&keys, person.id(), amount, Seen::ANYTHING)]);
    assert!(contribute(u64::MAX).is_err());
    assert_refused(contribute(0), BackstopError::AmountTooSmall);
    assert_eq!(world.pool(&keys), before);

    // A surplus as large as a pool takes stops nobody from earning or leaving.
    let most = backstop::constants::MAX_SURPLUS;
    assert_refused(contribute(most + 1), BackstopError::AmountTooLarge);
    contribute(most).unwrap();
    assert_refused(contribute(1), BackstopError::AmountTooLarge);
    assert_eq!(world.pool(&keys).cash, most + 100 * ONE);
    world.advance(DAY);
    world.run(&[], &[ix::accrue(keys.pool)]);
    let nonce = world.exit(&keys, &person, JUNIOR, shares);
    let day = world.ticket(&keys, &person, nonce).epoch_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    world.settle_epoch(&keys, day).unwrap();
    world.claim(&keys, &person, nonce).unwrap();
    let kept = u64::MAX - 100 * ONE - most;
    assert_eq!(world.assets(&person), kept + 100 * ONE - 1);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_deposit_goes_only_to_the_accounts_of_its_own_pool() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let other = world.create_pool(terms::create_pool(1));
    let person = world.depositor(&keys, JUNIOR, 100 * ONE);
    let victim = world.depositor(&keys, SENIOR, 100 * ONE);
    world.cluster.set_tokens(&person.id(), &world.asset, 100 * ONE);
    world.cluster.set_tokens(&victim.id(), &world.asset, 100 * ONE);
    let args = DepositArgs { tranche: JUNIOR, amount: 20 * ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    let with = |from: Pubkey, to: Pubkey| {
        let mut call = ix::deposit(&keys, person.id(), None, args.clone());
        for account in call.accounts.iter_mut().filter(|account| account.pubkey == from) {
            account.pubkey = to;
        }
        world.send(&[&person.key], &[call])
    };
    let before = world.pool(&keys);
    let wrong = BackstopError::WrongAccount;
    assert_refused(with(keys.vault(), other.vault()), wrong);
    assert_refused(with(keys.vault(), keys.assets_of(&person.id())), wrong);
    assert_refused(with(keys.asset_mint, world.covered), wrong);
    assert_refused(with(keys.share_mint(JUNIOR), keys.share_mint(SENIOR)), wrong);
    assert_refused(with(keys.share_mint(JUNIOR), other.share_mint(JUNIOR)), wrong);
    // Somebody else's money, shares of another mint, another token program, another protocol.
    assert!(with(keys.assets_of(&person.id()), keys.assets_of(&victim.id())).is_err());
    assert!(with(keys.assets_of(&person.id()), keys.vault()).is_err());
    assert!(with(keys.shares_of(&person.id(), JUNIOR), keys.shares_of(&victim.id(), SENIOR)).is_err());
    assert!(with(anchor_spl::token::ID, anchor_spl::token_2022::ID).is_err());
    assert!(with(address::protocol(), keys.pool).is_err());
    assert_eq!(world.pool(&keys), before);
    with(Pubkey::default(), Pubkey::default()).unwrap();
}

#[test]
fn shares_burnt_directly_through_the_token_program_stop_nothing() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    let stays = world.depositor(&keys, SENIOR, 1_000 * ONE);
    let burns = world.depositor(&keys, SENIOR, 500 * ONE);
    let leaves = world.depositor(&keys, SENIOR, 300 * ONE);
    world.next_day();
    let before = worth(&world, &keys, &stays, SENIOR);
    burn(&world, &keys, &burns, SENIOR, 200_000 * ONE);
    assert_books(&world.cluster, &keys.pool);
    // A gift to nobody in particular: no price moves at once.
    assert_eq!(worth(&world, &keys, &stays, SENIOR), before);

    world.depositor(&keys, SENIOR, 100 * ONE);
    let ticket = world.exit(&keys, &leaves, SENIOR, world.shares(&keys, &leaves, SENIOR));
    world.holder(&product, 200 * ONE, 30);
    let kept = world.exit(&keys, &burns, SENIOR, 100_000 * ONE);
    world.next_day();
    world.run(&[&burns.key], &[ix::cancel_exit(&keys, &world.ticket(&keys, &burns, kept))]);
    burn(&world, &keys, &burns, SENIOR, world.shares(&keys, &burns, SENIOR));
    world.advance(DAY);
    world.run(&[], &[ix::accrue(keys.pool)]);
    world.depositor(&keys, SENIOR, 100 * ONE);
    let day = world.ticket(&keys, &leaves, ticket).epoch_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    world.settle_epoch(&keys, day).unwrap();
    world.claim(&keys, &leaves, ticket).unwrap();
    assert_eq!(world.assets(&leaves), 300 * ONE - 1);
    world.depeg(&product, 80_000_000);
    world.open_and_fund(&product);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_tranche_whose_shares_were_all_burnt_takes_deposits_and_lets_them_leave() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let burns = world.depositor(&keys, JUNIOR, 500 * ONE);
    burn(&world, &keys, &burns, JUNIOR, world.shares(&keys, &burns, JUNIOR));
    let next = world.depositor(&keys, JUNIOR, 70 * ONE);
    assert_eq!(leave(&world, &keys, &next, JUNIOR), 70 * ONE);
    assert_books(&world.cluster, &keys.pool);
}

// ---- surplus ----

#[test]
fn a_contribution_goes_to_the_surplus_and_moves_no_price() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let holder = world.depositor(&keys, JUNIOR, 100 * ONE);
    let before = world.pool(&keys);
    let giver = world.person(40 * ONE);
    let receipt = world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), 40 * ONE, Seen::ANYTHING)]);
    let [event] = &transaction::events::<SurplusContributed>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.pool, event.contributor, event.amount), (keys.pool, giver.id(), 40 * ONE));
    let pool = world.pool(&keys);
    assert_eq!((pool.surplus, pool.cash), (40 * ONE, before.cash + 40 * ONE));
    assert_eq!(pool.tranches, before.tranches);
    assert_eq!(worth(&world, &keys, &holder, JUNIOR), 100 * ONE);
    assert_books(&world.cluster, &keys.pool);
}

// ---- premium ----

/// What all premium of a receipt's transactions was shared out to.
fn accrued(receipt: &Receipt) -> backstop::state::Accrual {
    transaction::events::<Accrued>(&receipt.logs).first().map(|event| event.accrual).unwrap_or_default()
}

#[test]
fn premium_is_earned_by_the_second_and_shared_by_weight() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    world.depositor(&keys, JUNIOR, 20_000 * ONE);
    world.depositor(&keys, SENIOR, 60_000 * ONE);
    world.next_day();
    let (_, cover) = world.holder(&product, 50_000 * ONE, 30);
    let sold = world.pool(&keys);
    let rate = world.cover(&cover).rate_q32;
    assert_eq!(sold.unearned_premium, world.cover(&cover).premium);
    world.cluster.set_time(world.cover(&cover).active_from());
    let begun = world.run(&[], &[ix::accrue(keys.pool)]);
    assert!(transaction::events::<Accrued>(&begun.logs).is_empty(), "nothing is earned before it protects");
    world.advance(100_000);
    let receipt = world.run(&[], &[ix::accrue(keys.pool)]);
    let earned = u64::try_from((u128::from(rate) * 100_000) >> 32).unwrap();
    let shared = accrued(&receipt);
    assert_eq!(shared.earned, earned);
    assert_eq!((shared.ceded, shared.surplus), ([0; 2], earned / 10));
    // Of the 50,000 required junior's 20,000 weigh double against 30,000 of senior's 60,000.
    let tranches = earned - earned / 10;
    assert_eq!((shared.junior, shared.senior), (tranches * 4 / 7, tranches - tranches * 4 / 7));
    let pool = world.pool(&keys);
    assert_eq!(pool.surplus, shared.surplus);
    assert_eq!(pool.tranche(JUNIOR).assets, 20_000 * ONE + shared.junior);
    assert_eq!(pool.tranche(SENIOR).assets, 60_000 * ONE + shared.senior);
    assert_eq!((pool.cash, pool.unearned_premium), (sold.cash, sold.unearned_premium - earned));
    // In the same second there is nothing more.
    let again = world.run(&[], &[ix::accrue(keys.pool)]);
    assert!(transaction::events::<Accrued>(&again.logs).is_empty());
    assert_eq!(world.pool(&keys), pool);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_deposit_just_before_a_large_premium_earns_only_its_share_of_time() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    let holder = world.depositor(&keys, SENIOR, 500_000 * ONE);
    world.next_day();
    // Nine tenths of the pool come in a second before the premium, and ask to leave an hour after it.
    let sniper = world.depositor(&keys, SENIOR, 4_500_000 * ONE);
    world.advance(1);
    let (_, cover) = world.holder(&product, 300_000 * ONE, 30);
    let (premium, rate) = (world.cover(&cover).premium, world.cover(&cover).rate_q32);
    assert!(premium > 500 * ONE, "a large premium: {premium}");
    assert_eq!(worth(&world, &keys, &sniper, SENIOR), 4_500_000 * ONE);
    // Nothing is earned before the cover protects.
    world.cluster.set_time(world.cover(&cover).active_from());
    assert_eq!(worth(&world, &keys, &sniper, SENIOR), 4_500_000 * ONE);
    world.advance(HOUR);
    let gain = leave(&world, &keys, &sniper, SENIOR) - 4_500_000 * ONE;
    // An hour of the stream, less the surplus's tenth, by nine tenths.
    let hour = (u128::from(rate) * 3_600) >> 32;
    let share = u64::try_from(hour * 9 / 10 * 9 / 10).unwrap();
    assert!(gain.abs_diff(share) <= 2, "{gain} of {share}");
    assert!(gain < premium / 700, "{gain} of {premium}");
    // Everything after is the others': until the sniper's epoch is paid the holder's tenth, and the surplus's for what is
    // leaving; then the holder's 500,000 alone are exposed, beside the surplus.
    let day = world.pool(&keys).oldest_exit_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    world.settle_epoch(&keys, day).unwrap();
    world.cluster.set_time(world.cover(&cover).end());
    world.run(&[], &[ix::accrue(keys.pool)]);
    let rest = worth(&world, &keys, &holder, SENIOR) - 500_000 * ONE;
    let surplus = world.pool(&keys).surplus;
    assert!((premium - 4..=premium).contains(&(rest + gain + surplus)), "{rest}, {surplus} and {gain} of {premium}");
    assert!(rest > premium * 6 / 10, "{rest} of {premium}");
}

#[test]
fn premium_of_the_time_before_is_earned_before_anybody_comes_or_goes() {
    // Nobody has touched the pool for 20 days: what was earned in them is the holders' of these days.
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.surplus_bps = 0;
    let keys = world.create_pool(args);
    let product = world.create_product(&keys, terms::stress());
    let stays = world.depositor(&keys, SENIOR, 10_000 * ONE);
    let leaves = world.depositor(&keys, SENIOR, 10_000 * ONE);
    let returns = world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    let (_, cover) = world.holder(&product, 15_000 * ONE, 30);
    let rate = u128::from(world.cover(&cover).rate_q32);
    world.cluster.set_time(world.cover(&cover).active_from());
    let idle = 20 * DAY;
    let earned = u64::try_from((rate * idle as u128) >> 32).unwrap();
    assert!(earned > 10 * ONE, "{earned}");

    world.advance(idle);
    let sniper = world.depositor(&keys, SENIOR, 1_000_000 * ONE);
    assert!(worth(&world, &keys, &sniper, SENIOR) <= 1_000_000 * ONE);
    assert!(worth(&world, &keys, &stays, SENIOR).abs_diff(10_000 * ONE + earned / 3) <= 2);
    let returned = worth(&world, &keys, &returns, SENIOR);
    let nonce = world.exit(&keys, &returns, SENIOR, world.shares(&keys, &returns, SENIOR));

    // The same for who goes and who comes back the day after: each step belongs to those who were there.
    let minutes = 600;
    let part = u64::try_from((rate * minutes as u128) >> 32).unwrap();
    world.advance(minutes);
    let before = *world.pool(&keys).tranche(SENIOR);
    let share = world.shares(&keys, &leaves, SENIOR);
    let due = u128::from(share) * u128::from(before.assets + part) / u128::from(before.shares);
    let value = u128::from(leave(&world, &keys, &leaves, SENIOR));
    assert!(value.abs_diff(due) <= 2, "{value} of {due}");
    world.advance(DAY);
    let book = *world.pool(&keys).tranche(SENIOR);
    let part = u64::try_from((rate * DAY as u128) >> 32).unwrap();
    let part = part * book.assets / (book.assets + book.exiting);
    world.run(&[&returns.key], &[ix::cancel_exit(&keys, &world.ticket(&keys, &returns, nonce))]);
    let bought = u128::from(world.shares(&keys, &returns, SENIOR));
    let due = u128::from(returned) * u128::from(book.shares) / u128::from(book.assets + part);
    assert!(bought <= due + 2_000 && bought + 2_000 >= due, "{bought} of {due}");
    assert!(worth(&world, &keys, &returns, SENIOR) <= returned);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_junior_of_100_units_beside_a_senior_of_1_000_000_earns_only_in_proportion_to_its_weight() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    world.depositor(&keys, JUNIOR, 100 * ONE);
    world.depositor(&keys, SENIOR, 1_000_000 * ONE);
    world.next_day();
    let (_, cover) = world.holder(&product, 500_000 * ONE, 30);
    let end = world.cover(&cover).end();
    world.cluster.set_time(end - DAY);
    let shared = accrued(&world.run(&[], &[ix::accrue(keys.pool)]));
    assert!(shared.earned > 1_000 * ONE);
    let tranches = u128::from(shared.junior + shared.senior);
    // 100 of junior capital, doubled, and 499,900 of senior are exposed.
    let due = tranches * 200 / (200 + 499_900);
    assert_eq!(u128::from(shared.junior), due);
    // Twice what a unit of the senior earns, and no more: junior's yield is in basis points, not in multiples.
    assert!(shared.junior < 2 * ONE, "{}", shared.junior);
}

#[test]
fn with_one_tranche_empty_the_other_earns_all_and_with_none_the_surplus() {
    for (deposits, expected) in [(vec![(JUNIOR, 1_000 * ONE)], (0, 1)), (vec![(SENIOR, 1_000 * ONE)], (1, 0))] {
        let world = World::new();
        let keys = world.create_pool(terms::create_pool(0));
        let product = world.create_product(&keys, terms::stress());
        let people: Vec<_> =
            deposits.iter().map(|(tranche, amount)| (world.depositor(&keys, *tranche, *amount), *tranche)).collect();
        world.next_day();
        let (_, cover) = world.holder(&product, 500 * ONE, 30);
        world.cluster.set_time(world.cover(&cover).active_from() + DAY);
        let shared = accrued(&world.run(&[], &[ix::accrue(keys.pool)]));
        let tranches = shared.earned - shared.surplus;
        assert!(tranches > 0);
        assert_eq!((shared.senior, shared.junior), (expected.0 * tranches, expected.1 * tranches));
        // All leave: what is still to be earned goes to the surplus.
        for (person, tranche) in &people {
            leave(&world, &keys, person, *tranche);
        }
        assert_eq!(world.pool(&keys).tranches.map(|book| (book.shares, book.assets)), [(0, 0); 2]);
        world.advance(DAY);
        let shared = accrued(&world.run(&[], &[ix::accrue(keys.pool)]));
        assert!(shared.earned > 0);
        assert_eq!((shared.surplus, shared.junior, shared.senior), (shared.earned, 0, 0));
        assert_books(&world.cluster, &keys.pool);
    }
}

#[test]
fn how_often_somebody_accrues_moves_nothing_from_one_to_another() {
    // So small a premium that a second earns about one unit: rounded down each time, surplus and junior would get none.
    let world = World::unsigned();
    let pools: Vec<(PoolKeys, ProductKeys)> = (0..2)
        .map(|id| {
            let keys = world.create_pool(terms::create_pool(id));
            let product = world.create_product(&keys, terms::stress());
            world.depositor(&keys, JUNIOR, 500 * ONE);
            world.depositor(&keys, SENIOR, 1_500 * ONE);
            (keys, product)
        })
        .collect();
    world.next_day();
    for (_, product) in &pools {
        let (_, cover) = world.holder(product, 750 * ONE, 30);
        let a_second = world.cover(&cover).rate_q32;
        assert!((1 << 31..3 << 32).contains(&a_second), "{} units a second", a_second as f64 / 2f64.powi(32));
    }
    let (often, seldom) = (&pools[0].0, &pools[1].0);
    world.advance(2 * DAY);
    world.run(&[], &[ix::accrue(often.pool), ix::accrue(seldom.pool)]);
    for _ in 0..600 {
        world.advance(1);
        world.run(&[], &[ix::accrue(often.pool)]);
    }
    world.run(&[], &[ix::accrue(seldom.pool)]);
    let (often, seldom) = (world.pool(often), world.pool(seldom));
    assert!(seldom.surplus > 20, "{}", seldom.surplus);
    assert_eq!(often.surplus, seldom.surplus);
    assert_eq!(often.unearned_premium, seldom.unearned_premium);
    for (often, seldom) in often.tranches.iter().zip(&seldom.tranches) {
        assert!(often.assets.abs_diff(seldom.assets) <= 1, "{} {}", often.assets, seldom.assets);
    }
}

#[test]
fn premium_accrued_in_any_steps_is_shared_out_as_in_one() {
    let mut random = rng();
    for _ in 0..300 {
        let mut pool = empty_pool();
        pool.terms = terms::pool_terms();
        pool.terms.surplus_bps = random.random_range(0..=3_000);
        pool.accrued_at = 20_000 * DAY;
        pool.deposit(JUNIOR, random.random_range(10 * ONE..1_000_000 * ONE), 0).unwrap();
        pool.deposit(SENIOR, random.random_range(10 * ONE..1_000_000 * ONE), 0).unwrap();
        pool.quota_shares[0].cession_bps = random.random_range(1..=9_000);
        pool.quota_shares[0].commission_bps = random.random_range(0..9_999);
        pool.quota_shares[0].limit_left = u64::MAX;
        pool.quota_shares[0].end = i64::MAX;
        pool.stream_premium(random.random_range(1..40_000), pool.accrued_at, 20_001).unwrap();
        let mut stepwise = pool.clone();
        let end = pool.accrued_at + 20_000;
        let once = pool.accrue(end).unwrap();
        let (mut earned, mut ceded, mut surplus, mut junior) = (0, 0, 0, 0);
        while stepwise.accrued_at < end {
            let step = random.random_range(1..60);
            let part = stepwise.accrue(end.min(stepwise.accrued_at + step)).unwrap();
            earned += part.earned;
            ceded += part.ceded[0];
            surplus += part.surplus;
            junior += part.junior;
            stepwise.invariant().unwrap();
        }
        assert_eq!((earned, ceded), (once.earned, once.ceded[0]));
        // The weights of the layers move with what they earn, by far less than a unit here.
        assert!(surplus.abs_diff(once.surplus) <= 1, "{surplus} {}", once.surplus);
        assert!(junior.abs_diff(once.junior) <= 1, "{junior} {}", once.junior);
    }
}

/// A product that sells for as long as the day buckets can hold.
fn long_product(world: &World, keys: &PoolKeys) -> ProductKeys {
    let mut args = terms::create_product(world.covered, terms::stress());
    args.terms.max_term_days = 490;
    world.create_product_with(keys, args)
}

#[test]
fn an_idle_pool_accrues_511_days_in_one_call() {
    let world = World::unsigned();
    let (pools, products): (Vec<PoolKeys>, Vec<ProductKeys>) = (0..2)
        .map(|id| {
            // What the surplus has earns, and what it had not yet does not: without its part both come to the same.
            let mut args = terms::create_pool(id);
            args.terms.surplus_bps = 0;
            let keys = world.create_pool(args);
            let product = long_product(&world, &keys);
            world.depositor(&keys, JUNIOR, 10_000 * ONE);
            world.depositor(&keys, SENIOR, 30_000 * ONE);
            (keys, product)
        })
        .unzip();
    world.next_day();
    let mut premiums = 0;
    for product in &products {
        premiums = 0;
        for term in [7, 8, 29, 30, 31, 100, 255, 256, 257, 400, 489, 490] {
            let (_, cover) = world.holder(product, 777 * ONE + u64::from(term), term);
            premiums += world.cover(&cover).premium;
        }
    }
    let (daily, idle) = (&pools[0], &pools[1]);
    let start = world.now();
    for day in 1..=511 {
        world.cluster.set_time(start + day * DAY);
        world.run(&[], &[ix::accrue(daily.pool)]);
    }
    assert_eq!(world.pool(idle).accrued_at, start);
    let receipt = world.run(&[], &[ix::accrue(idle.pool)]);
    println!("accrue over 511 idle days: {} CU", receipt.compute_units);
    let shared = accrued(&receipt);
    assert_eq!(shared.earned, premiums, "all of it, to the unit");
    let (daily, idle) = (world.pool(daily), world.pool(idle));
    assert_eq!(idle.accrued_at, start + 511 * DAY);
    assert_eq!((idle.unearned_premium, idle.rate_q32, idle.fraction_q32), (0, 0, 0));
    assert_eq!(idle.rate_ends, [0; DAY_BUCKETS]);
    assert_eq!((daily.unearned_premium, daily.rate_q32), (0, 0));
    assert_eq!((daily.surplus, daily.cash), (idle.surplus, idle.cash));
    assert_eq!(daily.tranches, idle.tranches);
    assert_eq!(day_of(daily.accrued_at), day_of(idle.accrued_at));
    assert_books(&world.cluster, &pools[1].pool);
}

#[test]
fn a_walk_over_every_day_bucket_fits_in_a_transaction() {
    // A rate that ends on each of the 511 next days: more than products allow, written into the account.
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    world.depositor(&keys, JUNIOR, 10_000 * ONE);
    world.depositor(&keys, SENIOR, 10_000 * ONE);
    let mut pool = world.pool(&keys);
    let today = day_of(world.now());
    let mut premium = 0;
    for day in 1..=511 {
        premium += pool.stream_premium(ONE, world.now(), today + day).map(|_| ONE).unwrap();
    }
    let vault = keys.vault();
    let mut tokens = world.cluster.account(&vault).unwrap().unwrap();
    tokens.data[64..72].copy_from_slice(&pool.cash.to_le_bytes());
    world.cluster.set_account(vault, tokens);
    let mut account = world.cluster.account(&keys.pool).unwrap().unwrap();
    account.data[8..].copy_from_slice(bytemuck::bytes_of(&pool));
    world.cluster.set_account(keys.pool, account);
    world.advance(511 * DAY);
    let receipt = world.run(&[], &[ix::accrue(keys.pool)]);
    println!("accrue over 511 full buckets: {} CU", receipt.compute_units);
    assert!(receipt.compute_units < 40_000, "{}", receipt.compute_units);
    assert_eq!(accrued(&receipt).earned, premium);
    assert_books(&world.cluster, &keys.pool);
}

// ---- losses ----

/// Sells a cover that pays in full at 0.80, for a sum that a loss will be.
fn insure(world: &World, product: &ProductKeys, sum: u64) {
    world.holder(product, sum, 200);
}

/// Brings a full loss on a product and funds it. Returns what the pool said of it.
fn lose(world: &World, product: &ProductKeys) -> CrisisClosing {
    world.depeg(product, 80_000_000);
    world.run(&[], &[world.open_incident(product)]);
    fund(world, product)
}

fn fund(world: &World, product: &ProductKeys) -> CrisisClosing {
    let receipt = world.run(&[], &[world.fund_incident(product)]);
    transaction::events::<CrisisClosed>(&receipt.logs).pop().expect("that closes the crisis").closing
}

#[test]
fn losses_fall_on_surplus_then_junior_then_senior() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let products: Vec<_> = (0..3).map(|_| world.create_product(&keys, terms::stress())).collect();
    let giver = world.person(1_000 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), 1_000 * ONE, Seen::ANYTHING)]);
    world.depositor(&keys, JUNIOR, 2_000 * ONE);
    world.depositor(&keys, SENIOR, 7_000 * ONE);
    world.next_day();
    let premiums: Vec<u64> = products
        .iter()
        .zip([800, 1_200, 3_000])
        .map(|(product, sum)| world.cover(&world.holder(product, sum * ONE, 200).1).premium)
        .collect();
    world.advance(2 * DAY);

    for (product, sum) in products.iter().zip([800 * ONE, 1_200 * ONE, 3_000 * ONE]) {
        world.depeg(product, 80_000_000);
        world.run(&[], &[world.open_incident(product)]);
        let before = world.pool(&keys);
        let event = fund(&world, product);
        let after = world.pool(&keys);
        assert_eq!((event.resources, event.gross), (sum, sum));
        assert_eq!(after.incident_reserves, before.incident_reserves + sum);
        // Each layer gives all it has before the next gives anything.
        let surplus = sum.min(before.surplus);
        let junior = (sum - surplus).min(before.tranche(JUNIOR).assets);
        let losses = event.losses;
        assert_eq!((losses.surplus, losses.junior_assets), (surplus, junior));
        assert_eq!(losses.senior_assets, sum - surplus - junior);
        assert_eq!((losses.junior_exiting, losses.senior_exiting), (0, 0));
        assert_eq!(before.tranche(SENIOR).assets - after.tranche(SENIOR).assets, losses.senior_assets);
        assert_books(&world.cluster, &keys.pool);
    }
    // 1,000 surplus, 2,000 junior and 2,000 of the senior bore the 5,000. All premium is earned by the losses and bore
    // them too, but for a unit or two of each that rounding leaves.
    let pool = world.pool(&keys);
    assert_eq!((pool.surplus, pool.tranche(JUNIOR).total()), (0, 0));
    assert_eq!(pool.tranche(JUNIOR).wiped_out, 1);
    let (left, all) = (pool.tranche(SENIOR).assets, 5_000 * ONE + premiums.iter().sum::<u64>());
    assert!((all - 9..=all).contains(&left), "{left} of {all}");
}

#[test]
fn a_wiped_out_tranche_takes_no_deposit_until_a_new_series_and_its_old_tickets_close() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    let waits = world.depositor(&keys, JUNIOR, 1_000 * ONE);
    let stays = world.depositor(&keys, JUNIOR, 1_000 * ONE);
    world.depositor(&keys, SENIOR, 8_000 * ONE);
    world.next_day();
    insure(&world, &product, 4_000 * ONE);
    world.advance(DAY);
    let ticket = world.exit(&keys, &waits, JUNIOR, world.shares(&keys, &waits, JUNIOR));
    let day = world.ticket(&keys, &waits, ticket).epoch_day;
    let event = lose(&world, &product);
    assert!(event.losses.junior_over && !event.losses.senior_over);
    let pool = world.pool(&keys);
    assert_eq!(*pool.tranche(JUNIOR), TrancheBook { wiped_out: 1, ..TrancheBook::default() });

    // No deposit, no request, no way back for the ticket; shares and tickets are worth nothing.
    let newcomer = world.person(500 * ONE);
    let over = BackstopError::TrancheWipedOut;
    assert_refused(world.deposit(&keys, &newcomer, JUNIOR, 100 * ONE), over);
    assert_refused(world.request_exit(&keys, &stays, JUNIOR, world.shares(&keys, &stays, JUNIOR)).1, over);
    world.next_day();
    let cancel = ix::cancel_exit(&keys, &world.ticket(&keys, &waits, ticket));
    assert_refused(world.send(&[&waits.key], &[cancel]), over);
    world.deposit(&keys, &newcomer, SENIOR, 100 * ONE).unwrap();

    // Only governance opens the next series, only of a tranche that is over, and only the next.
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    let open = |by: &solana_sdk::signature::Keypair, tranche, series| {
        world.send(&[by], &[ix::open_series(by.pubkey(), payer, keys.pool, tranche, series)])
    };
    assert_refused(open(&seeded(70), JUNIOR, 1), BackstopError::NotGovernance);
    assert_refused(open(&world.governance, SENIOR, 1), BackstopError::TrancheNotWipedOut);
    assert!(open(&world.governance, JUNIOR, 2).is_err());
    let receipt = open(&world.governance, JUNIOR, 1).unwrap();
    let [opened] = &transaction::events::<SeriesOpened>(&receipt.logs)[..] else { panic!("one event") };
    let mint = address::share_mint(&keys.pool, JUNIOR, 1);
    assert_eq!((opened.pool, opened.tranche, opened.series, opened.mint), (keys.pool, JUNIOR, 1, mint));
    assert_refused(open(&world.governance, JUNIOR, 2), BackstopError::TrancheNotWipedOut);
    assert_eq!(governance, world.protocol().governance);

    // The new series is another mint. Old shares buy nothing of it, the old ticket closes with nothing.
    let renewed = PoolKeys::of(keys.pool, &world.pool(&keys), keys.asset_token_program);
    assert_eq!(renewed.share_mint(JUNIOR), mint);
    let shown = world.cluster.account(&mint).unwrap().unwrap();
    assert!(String::from_utf8_lossy(&shown.data).contains("Backstop USDT 0 Junior 2"));
    assert_eq!((shown.data[44], shown.data[0]), (9, 1));
    world.deposit(&renewed, &newcomer, JUNIOR, 100 * ONE).unwrap();
    assert_eq!(worth(&world, &renewed, &newcomer, JUNIOR), 100 * ONE);
    let old_shares = world.shares(&keys, &stays, JUNIOR);
    assert!(old_shares > 0);
    assert_refused(world.request_exit(&keys, &stays, JUNIOR, old_shares).1, BackstopError::WrongAccount);
    assert!(world.request_exit(&renewed, &stays, JUNIOR, old_shares).1.is_err());
    let cancel = ix::cancel_exit(&renewed, &world.ticket(&keys, &waits, ticket));
    assert_refused(world.send(&[&waits.key], &[cancel]), BackstopError::SeriesOver);
    let rent_before = world.cluster.account(&payer).unwrap().unwrap().lamports;
    world.claim(&keys, &waits, ticket).unwrap();
    assert_eq!(world.assets(&waits), 0);
    assert!(world.cluster.account(&address::exit_ticket(&keys.pool, &waits.id(), ticket)).unwrap().is_none());
    assert!(world.cluster.account(&payer).unwrap().unwrap().lamports > rent_before);
    // Its epoch, now without tickets, is passed over and closed.
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    world.settle_epoch(&renewed, day).unwrap();
    assert_eq!(world.pool(&keys).oldest_exit_day, 0);
    world.run(&[], &[ix::close_exit_epoch(keys.pool, day, payer)]);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_tranche_is_wiped_out_below_one_percent_of_its_first_price_and_not_above() {
    // The junior of 1,000 behind a loss of a little more or less than 99 % of it.
    for (loss, over) in [(989 * ONE, false), (991 * ONE, true)] {
        let world = World::new();
        let mut args = terms::create_pool(0);
        args.terms.surplus_bps = 0;
        let keys = world.create_pool(args);
        let mut product = terms::create_product(world.covered, terms::stress());
        product.terms.min_premium = 1;
        product.terms.risk_rate_ppb = 1;
        product.terms.risk_rate_floor_ppb = 1;
        product.terms.demand_at_kink_ppb = 0;
        product.terms.demand_at_capacity_ppb = 0;
        let product = world.create_product_with(&keys, product);
        world.depositor(&keys, JUNIOR, 1_000 * ONE);
        world.depositor(&keys, SENIOR, 8_000 * ONE);
        world.next_day();
        insure(&world, &product, loss);
        world.advance(DAY);
        let losses = lose(&world, &product).losses;
        let pool = world.pool(&keys);
        assert_eq!(losses.junior_assets, loss);
        assert_eq!((losses.junior_over, pool.tranche(JUNIOR).wiped_out == 1), (over, over));
        // What was left of it is the surplus's.
        assert_eq!(losses.junior_wiped, pool.surplus);
        assert_eq!(losses.junior_wiped > 8 * ONE, over);
        assert_books(&world.cluster, &keys.pool);
    }
}

#[test]
fn a_tranche_that_everybody_is_leaving_is_wiped_out_with_what_waits() {
    // Nobody holds shares, so there is no share price; but units without value would bar the tranche for all deposits
    // for as long as the epoch waits.
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    let leaver = world.depositor(&keys, JUNIOR, 1_000 * ONE);
    world.depositor(&keys, SENIOR, 8_000 * ONE);
    world.next_day();
    insure(&world, &product, 4_000 * ONE);
    world.advance(DAY);
    let ticket = world.exit(&keys, &leaver, JUNIOR, world.shares(&keys, &leaver, JUNIOR));
    assert_eq!(world.pool(&keys).tranche(JUNIOR).shares, 0);
    assert!(lose(&world, &product).losses.junior_over);
    assert_eq!(world.pool(&keys).tranche(JUNIOR).wiped_out, 1);
    world.claim(&keys, &leaver, ticket).unwrap();
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    world.run(&[&world.governance], &[ix::open_series(governance, payer, keys.pool, JUNIOR, 1)]);
    let renewed = PoolKeys::of(keys.pool, &world.pool(&keys), keys.asset_token_program);
    world.depositor(&renewed, JUNIOR, 5_000 * ONE);
    assert_books(&world.cluster, &keys.pool);
}

// ---- required capital ----

#[test]
fn required_capital_is_the_root_over_groups_and_no_sale_leaves_the_pool_below_it() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.rho_bps = 0;
    let keys = world.create_pool(args);
    let product = |group| {
        let mut args = terms::create_product(world.covered, terms::stress());
        args.terms.risk_group = group;
        world.create_product_with(&keys, args)
    };
    let (first, second) = (product(0), product(15));
    world.depositor(&keys, SENIOR, 5_000 * ONE);
    world.next_day();
    world.holder(&first, 3_000 * ONE, 30);
    world.holder(&second, 4_000 * ONE, 30);
    let pool = world.pool(&keys);
    assert_eq!(pool.required_capital().unwrap(), 5_000 * ONE);
    assert_eq!((pool.group_exposures[0], pool.group_exposures[15]), (3_000 * ONE, 4_000 * ONE));
    assert_eq!(pool.total_exposure, 7_000 * ONE);
    let buyer = world.person(1_000 * ONE);
    assert_refused(world.buy(&first, &buyer, ONE, 30).1, BackstopError::BelowRequiredCapital);
    assert_eq!(world.pool(&keys), pool);
    // With more capital there is room again.
    world.depositor(&keys, SENIOR, 500 * ONE);
    world.buy(&first, &buyer, ONE, 30).1.unwrap();
}

#[test]
fn no_sale_takes_the_exposure_above_the_leverage() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.rho_bps = 0;
    args.terms.max_leverage_bps = 15_000;
    let keys = world.create_pool(args);
    let products: Vec<_> = (0..3)
        .map(|group| {
            let mut args = terms::create_product(world.covered, terms::stress());
            args.terms.risk_group = group;
            world.create_product_with(&keys, args)
        })
        .collect();
    world.depositor(&keys, SENIOR, 1_000 * ONE);
    world.next_day();
    // Required is the root of 3 x 500^2, below 1,000; but 1,500 is all that 1,000 may carry.
    for product in &products {
        world.holder(product, 500 * ONE, 30);
    }
    assert_eq!(world.pool(&keys).total_exposure, 1_500 * ONE);
    let buyer = world.person(1_000 * ONE);
    assert_refused(world.buy(&products[0], &buyer, ONE, 30).1, BackstopError::BelowRequiredCapital);
}

#[test]
fn capital_that_has_asked_to_leave_carries_no_new_cover() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    world.depositor(&keys, SENIOR, 500 * ONE);
    let leaver = world.depositor(&keys, SENIOR, 500 * ONE);
    world.next_day();
    world.holder(&product, 350 * ONE, 30);
    leave(&world, &keys, &leaver, SENIOR);
    // 500 stay: the product may reach 400 of them, and 350 are sold.
    let buyer = world.person(1_000 * ONE);
    assert_refused(world.buy(&product, &buyer, 51 * ONE, 30).1, BackstopError::BeyondCapacity);
    world.buy(&product, &buyer, 50 * ONE, 30).1.unwrap();
}

/// Case 9: 58,000 were sold beside a loss of 80,000 that was due from the same 100,000, and 20,104 of them paid.
#[test]
fn other_groups_sell_on_what_an_alert_leaves_of_the_capital() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.rho_bps = 0;
    let keys = world.create_pool(args);
    let [lost, other] = [0, 1].map(|risk_group| {
        let terms = ProductTerms { risk_group, cap_bps: 10_000, ..terms::product_terms() };
        world.create_product_with(&keys, NewProduct { terms, ..terms::create_product(world.covered, terms::stress()) })
    });
    world.depositor(&keys, SENIOR, 100_000 * ONE);
    world.next_day();
    world.holder(&lost, 80_000 * ONE, 30);
    world.advance(3 * DAY);
    world.print(&lost, RUIN);
    world.print(&other, 100_000_000);
    let books = world.pool(&keys);
    assert_eq!((books.alerts, books.alert_exposure), (1, 80_000 * ONE));
    let buyer = world.person(10_000 * ONE);
    let buy = |sum| world.buy(&other, &buyer, sum, 30).1;
    assert_refused(buy(58_000 * ONE), BackstopError::BelowRequiredCapital);
    // What is left: 20,000, and what three days have earned.
    world.run(&[], &[ix::accrue(keys.pool)]);
    let left = world.pool(&keys).staying_capital().unwrap() - 80_000 * ONE;
    assert!((20_000 * ONE..20_100 * ONE).contains(&left), "{left}");
    assert_refused(buy(left + 1), BackstopError::BelowRequiredCapital);
    buy(left).unwrap();
    assert_books(&world.cluster, &keys.pool);
    // Both fail, one after the other, and both are paid in full.
    world.depeg(&lost, RUIN);
    world.open_and_fund(&lost);
    assert!(!world.pool(&keys).in_crisis());
    world.advance(3 * DAY);
    world.depeg(&other, RUIN);
    world.open_and_fund(&other);
    let incident = world.incident(&other);
    assert_eq!((incident.gross, incident.reserve), (left, left));
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn deposits_are_refused_in_an_alert_and_taken_below_required_capital() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let (first, second) = (world.create_product(&keys, terms::stress()), world.create_product(&keys, terms::stress()));
    world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    insure(&world, &first, 4_000 * ONE);
    insure(&world, &second, 6_000 * ONE);
    world.advance(2 * DAY);
    let person = world.person(10_000 * ONE);
    let deposit = |tranche| world.deposit(&keys, &person, tranche, 100 * ONE);

    // Breaching, met, triggered, opened: in each of them the pool takes nothing.
    world.print(&first, 80_000_000);
    assert_eq!(world.pool(&keys).alerts, 1);
    let before = world.pool(&keys);
    for tranche in Tranche::BOTH {
        assert_refused(deposit(tranche), BackstopError::PoolInAlert);
    }
    assert_eq!(world.pool(&keys), before);
    assert_eq!(world.assets(&person), 10_000 * ONE);
    world.depeg(&first, 80_000_000);
    assert_refused(deposit(SENIOR), BackstopError::PoolInAlert);
    world.run(&[], &[world.open_incident(&first)]);
    assert_refused(deposit(SENIOR), BackstopError::PoolInCrisis);
    // A gift is always welcome.
    world.run(&[&person.key], &[ix::contribute_surplus(&keys, person.id(), ONE, Seen::ANYTHING)]);
    world.run(&[], &[world.fund_incident(&first)]);

    // 6,000, the whole premium of what was lost and some against 6,000 of exposure, and then less: capital is taken in.
    let leaver = world.depositor(&keys, JUNIOR, 100 * ONE);
    leave(&world, &keys, &leaver, JUNIOR);
    let pool = world.pool(&keys);
    let free = pool.loss_capital().unwrap() - pool.required_capital().unwrap();
    assert!(free < 220 * ONE, "{free}");
    deposit(SENIOR).unwrap();
    deposit(JUNIOR).unwrap();
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_pool_below_its_required_capital_can_be_recapitalised() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.rho_bps = 0;
    let keys = world.create_pool(args);
    let product = |group| {
        let mut args = terms::create_product(world.covered, terms::stress());
        args.terms.risk_group = group;
        world.create_product_with(&keys, args)
    };
    let (first, second) = (product(0), product(1));
    world.depositor(&keys, SENIOR, 10_000 * ONE);
    world.next_day();
    insure(&world, &first, 6_000 * ONE);
    insure(&world, &second, 8_000 * ONE);
    world.advance(2 * DAY);
    lose(&world, &first);
    let pool = world.pool(&keys);
    assert!(pool.loss_capital().unwrap() < pool.required_capital().unwrap());
    world.print(&second, 100_000_000);
    let buyer = world.person(100 * ONE);
    assert!(world.buy(&second, &buyer, ONE, 30).1.is_err());
    let saviour = world.depositor(&keys, JUNIOR, 20_000 * ONE);
    assert_eq!(worth(&world, &keys, &saviour, JUNIOR), 20_000 * ONE);
    let pool = world.pool(&keys);
    assert!(pool.loss_capital().unwrap() > pool.required_capital().unwrap());
    world.next_day();
    world.print(&second, 100_000_000);
    world.buy(&second, &buyer, ONE, 30).1.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

// ---- compute units ----

#[test]
fn what_capital_instructions_cost_stays_within_a_budget() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = long_product(&world, &keys);
    world.depositor(&keys, JUNIOR, 10_000 * ONE);
    world.depositor(&keys, SENIOR, 30_000 * ONE);
    let person = world.person(10_000 * ONE);
    world.next_day();
    for term in [7, 30, 365, 490] {
        world.holder(&product, 1_000 * ONE + 7, term);
    }
    world.advance(777);
    let mut costs: Vec<(&str, u64, u64)> = Vec::new();
    let mut note = |what, receipt: Receipt, most| costs.push((what, receipt.compute_units, most));
    let shares = ix::create_associated_token(
        &world.payer.pubkey(),
        &person.id(),
        &keys.share_mint(SENIOR),
        &anchor_spl::token_2022::ID,
    );
    world.run(&[], &[shares]);
    let args = DepositArgs { tranche: SENIOR, amount: 3_000 * ONE, min_shares: 1, seen: world.pool(&keys).seen() };
    note("deposit", world.run(&[&person.key], &[ix::deposit(&keys, person.id(), None, args)]), 30_000);
    let part = world.shares(&keys, &person, SENIOR) / 4;
    let (first, outcome) = world.request_exit(&keys, &person, SENIOR, part);
    note("request_exit, new epoch", outcome.unwrap(), 45_000);
    let (second, outcome) = world.request_exit(&keys, &person, SENIOR, part);
    note("request_exit, existing epoch", outcome.unwrap(), 40_000);
    world.advance(DAY);
    let (third, outcome) = world.request_exit(&keys, &person, SENIOR, part);
    note("request_exit, new epoch behind another", outcome.unwrap(), 45_000);
    let ticket = world.ticket(&keys, &person, second);
    note("cancel_exit", world.run(&[&person.key], &[ix::cancel_exit(&keys, &ticket)]), 30_000);
    let day = world.ticket(&keys, &person, first).epoch_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    note("settle_exit_epoch, after 6 days", world.settle_epoch(&keys, day).unwrap(), 20_000);
    note("claim_exit, closing", world.claim(&keys, &person, first).unwrap(), 25_000);
    let close = ix::close_exit_epoch(keys.pool, day, world.payer.pubkey());
    note("close_exit_epoch", world.run(&[], &[close]), 10_000);
    world.next_day();
    note("settle_exit_epoch, after 1 day", world.settle_epoch(&keys, day + 1).unwrap(), 20_000);
    world.claim(&keys, &person, third).unwrap();
    for (what, days, most) in [("accrue, 1 day", 1, 10_000), ("accrue, 30 days", 30, 12_000)] {
        world.advance(days * DAY);
        note(what, world.run(&[], &[ix::accrue(keys.pool)]), most);
    }
    for (what, cost, most) in costs {
        println!("{what}: {cost} CU");
        assert!(cost <= most, "{what}: {cost} CU");
    }
}
