//! Covers: buying with every refusal, the NFT as a document, giving back, closing, and whose they are.

use anchor_lang::prelude::{AccountMeta, Pubkey};
use anchor_lang::solana_program::instruction::Instruction;
use anchor_spl::token_2022::spl_token_2022::extension::metadata_pointer::{self, MetadataPointer};
use anchor_spl::token_2022::spl_token_2022::extension::mint_close_authority::MintCloseAuthority;
use anchor_spl::token_2022::spl_token_2022::extension::{
    BaseStateWithExtensions, ExtensionType, StateWithExtensionsOwned,
};
use anchor_spl::token_2022::spl_token_2022::instruction::{self as token_2022, AuthorityType};
use anchor_spl::token_2022::spl_token_2022::state::Mint;
use anchor_spl::token_2022_extensions::spl_token_metadata_interface::instruction as metadata;
use anchor_spl::token_2022_extensions::spl_token_metadata_interface::state::{Field, TokenMetadata};
use backstop::error::BackstopError;
use backstop::events::{CoverBought, CoverCancelled, CoverClosed};
use backstop::peril::evidence::Phase;
use backstop::state::{CoverRequest, CoverState, ProductState, Seen, Tranche, day_of};
use backstop::{BuyCoverArgs, CreatePoolArgs};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::{address, transaction};
use backstop_sandbox::embedded::Price;
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, budget, explain, seeded};
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;

const HEALTHY: i64 = 100_000_000;
const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;
/// Capital of the pool of most tests.
const CAPITAL: u64 = 200_000 * ONE;

/// A pool with 50,000 junior and 150,000 senior and a product, on a day on which it can sell, after a healthy print.
fn selling() -> (World, PoolKeys, ProductKeys) {
    on(World::new(), terms::create_pool(0))
}

fn on(world: World, pool: CreatePoolArgs) -> (World, PoolKeys, ProductKeys) {
    let pool = world.create_pool(pool);
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, CAPITAL / 4);
    world.depositor(&pool, Tranche::Senior, CAPITAL * 3 / 4);
    world.next_day();
    world.print(&product, HEALTHY);
    (world, pool, product)
}

#[track_caller]
fn accepted(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

fn request(sum_insured: u64, term_days: u16) -> CoverRequest {
    CoverRequest { sum_insured, term_days }
}

fn nft_of(owner: &Pubkey, mint: &Pubkey) -> Pubkey {
    address::associated_token(owner, mint, &TOKEN_2022)
}

fn cancel(world: &World, product: &ProductKeys, holder: &Person, mint: &Pubkey) -> Outcome {
    let cancel = ix::cancel_cover(product, holder.id(), *mint, world.payer.pubkey());
    world.send(&[&holder.key], &[cancel])
}

fn close(world: &World, product: &ProductKeys, holder: Option<&Person>, mint: &Pubkey) -> Outcome {
    let close = ix::close_cover(product, holder.map(Person::id), *mint, world.payer.pubkey());
    match holder {
        Some(holder) => world.send(&[&holder.key], &[close]),
        None => world.send(&[], &[close]),
    }
}

/// Moves an NFT to another wallet with the token program alone, as a marketplace does.
fn sell_nft(world: &World, from: &Person, to: &Person, mint: &Pubkey) {
    let account = ix::create_associated_token(&world.payer.pubkey(), &to.id(), mint, &TOKEN_2022);
    let (source, target) = (nft_of(&from.id(), mint), nft_of(&to.id(), mint));
    let transfer = token_2022::transfer_checked(&TOKEN_2022, &source, mint, &target, &from.id(), &[], 1, 0).unwrap();
    world.run(&[&from.key], &[account, transfer]);
}

/// Burns an NFT with the token program alone.
fn burn_nft(world: &World, holder: &Person, mint: &Pubkey) {
    let account = nft_of(&holder.id(), mint);
    let burn = token_2022::burn_checked(&TOKEN_2022, &account, mint, &holder.id(), &[], 1, 0).unwrap();
    world.run(&[&holder.key], &[burn]);
}

fn lamports(world: &World, address: &Pubkey) -> u64 {
    world.cluster.account(address).unwrap().map_or(0, |account| account.lamports)
}

fn exists(world: &World, address: &Pubkey) -> bool {
    world.cluster.account(address).unwrap().is_some()
}

/// Time at which the exposure of a cover can be released.
fn release_time(world: &World, product: &ProductKeys, mint: &Pubkey) -> i64 {
    i64::from(world.cover(mint).end_day + world.product(product).ring_days) * DAY
}

// ---------------------------------------------------------------- buying

#[test]
fn a_purchase_books_premium_exposure_and_cover() {
    let (world, pool, product) = selling();
    let before = world.pool(&pool);
    let buyer = world.person(10_000 * ONE);
    let (mint, outcome) = world.buy(&product, &buyer, 10_000 * ONE, 30);
    let receipt = outcome.unwrap();
    let event = transaction::events::<CoverBought>(&receipt.logs).remove(0);
    let cover = world.cover(&mint);
    let paid = 10_000 * ONE - world.assets(&buyer);
    // 3 % technical for 30 of 365 days, and 0 to 0.39 % demand for the first 10,000 of a kink at 128,000, for 37 days: one
    // of waiting, 30 insured, six of the ring; times a level of 0.98: 24.657534 and 1.940282.
    assert_eq!(paid, 26_597_817);
    assert_eq!(cover.premium, paid);
    assert_eq!(event.premium, paid);
    assert_eq!((cover.product, cover.mint(), cover.rent_payer), (product.product, mint, world.payer.pubkey()));
    assert_eq!((cover.sum_insured, cover.state), (10_000 * ONE, CoverState::Active));
    assert_eq!(cover.cancel_fee_bps, 1_000);
    assert_eq!(cover.end_day - cover.active_day, 30);
    let after = world.pool(&pool);
    assert_eq!(after.cash - before.cash, paid);
    assert_eq!(after.unearned_premium, paid);
    assert_eq!((after.total_exposure, after.group_exposure(0)), (10_000 * ONE, 10_000 * ONE));
    assert_eq!(after.last_cover_end_day, cover.end_day);
    let product = world.product(&product);
    assert_eq!((product.exposure, product.covers_sold), (10_000 * ONE, 1));
    assert_eq!(world.tokens(&nft_of(&buyer.id(), &mint)), 1);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn protection_begins_at_the_first_boundary_after_the_waiting_time() {
    let (world, _, product) = selling();
    let today = day_of(world.now());
    assert_eq!(world.now(), i64::from(today) * DAY, "the first second of a day");
    let (_, on_the_boundary) = world.holder(&product, 1_000 * ONE, 7);
    assert_eq!(world.cover(&on_the_boundary).active_day, today + 1);
    world.advance(1);
    let (_, a_second_later) = world.holder(&product, 1_000 * ONE, 7);
    assert_eq!(world.cover(&a_second_later).active_day, today + 2);
    world.cluster.set_time((i64::from(today) + 1) * DAY - 1);
    let (_, at_the_end_of_the_day) = world.holder(&product, 1_000 * ONE, 7);
    assert_eq!(world.cover(&at_the_end_of_the_day).active_day, today + 2);
    assert_eq!(world.cover(&at_the_end_of_the_day).end_day, today + 9);
}

#[test]
fn a_purchase_above_the_maximum_premium_is_refused() {
    let (world, pool, product) = selling();
    let buyer = world.person(10_000 * ONE);
    let buy = |max_premium| {
        let args =
            BuyCoverArgs { nonce: world.fresh(), day: world.today(), request: request(10_000 * ONE, 30), max_premium };
        let buy = ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), buyer.id(), args);
        world.send(&[&buyer.key], &[budget(), buy])
    };
    let market = backstop_client::quote::Market::fetch(&world.cluster, &product).unwrap();
    let premium = market.quote(request(10_000 * ONE, 30), world.now()).unwrap().premium;
    let before = world.pool(&pool);
    assert_refused(buy(premium - 1), BackstopError::PremiumTooHigh);
    assert_eq!(world.pool(&pool), before);
    assert_eq!(world.assets(&buyer), 10_000 * ONE);
    accepted(buy(premium));
    assert_eq!(world.assets(&buyer), 10_000 * ONE - premium);
}

#[test]
fn a_buyer_who_cannot_pay_gets_no_cover() {
    let (world, pool, product) = selling();
    let buyer = world.person(10_000);
    let (mint, outcome) = world.buy(&product, &buyer, 10_000 * ONE, 30);
    assert!(outcome.is_err());
    assert!(!exists(&world, &mint) && !exists(&world, &address::cover(&mint)));
    assert_eq!(world.pool(&pool).total_exposure, 0);
}

#[test]
fn terms_outside_the_bounds_are_refused() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    for days in [0, 6, 366, u16::MAX] {
        assert_refused(world.buy(&product, &buyer, 1_000 * ONE, days).1, BackstopError::BadTerm);
    }
    for days in [7, 365] {
        accepted(world.buy(&product, &buyer, 1_000 * ONE, days).1);
    }
}

#[test]
fn sums_below_the_least_of_the_pool_are_refused() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    for sum in [0, ONE - 1] {
        assert_refused(world.buy(&product, &buyer, sum, 30).1, BackstopError::AmountTooSmall);
    }
    accepted(world.buy(&product, &buyer, ONE, 30).1);
}

#[test]
fn no_cover_is_sold_above_the_most_for_one_cover() {
    let (world, pool, _) = selling();
    let mut args = terms::create_product(world.covered, terms::stress());
    args.terms.max_sum_insured = 5_000 * ONE;
    let product = world.create_product_with(&pool, args);
    world.cluster.set_time(world.product(&product).sells_from);
    world.print(&product, HEALTHY);
    let buyer = world.person(10_000 * ONE);
    assert_refused(world.buy(&product, &buyer, 5_000 * ONE + 1, 30).1, BackstopError::CoverTooLarge);
    accepted(world.buy(&product, &buyer, 5_000 * ONE, 30).1);
}

#[test]
fn no_cover_is_sold_above_the_cap_of_the_product() {
    let (world, pool, product) = selling();
    let buyer = world.person(CAPITAL);
    let cap = CAPITAL * 8 / 10;
    assert_refused(world.buy(&product, &buyer, cap + 1, 30).1, BackstopError::BeyondCapacity);
    accepted(world.buy(&product, &buyer, cap - 10 * ONE, 30).1);
    assert_refused(world.buy(&product, &buyer, 10 * ONE + 1, 30).1, BackstopError::BeyondCapacity);
    accepted(world.buy(&product, &buyer, 10 * ONE, 30).1);
    assert_refused(world.buy(&product, &buyer, ONE, 30).1, BackstopError::BeyondCapacity);
    assert_eq!(world.product(&product).exposure, cap);
    assert_eq!(world.product(&product).sold_of_late, cap);
    assert_books(&world.cluster, &pool.pool);
}

/// A pool with three products, in risk groups 0, 0 and 1, all of which can sell.
fn three_products(change: impl Fn(&mut CreatePoolArgs)) -> (World, PoolKeys, [ProductKeys; 3]) {
    let world = World::new();
    let mut args = terms::create_pool(0);
    change(&mut args);
    let pool = world.create_pool(args);
    let products = [0, 0, 1].map(|group| {
        let mut args = terms::create_product(world.covered, terms::stress());
        args.terms.risk_group = group;
        world.create_product_with(&pool, args)
    });
    world.depositor(&pool, Tranche::Junior, CAPITAL / 4);
    world.depositor(&pool, Tranche::Senior, CAPITAL * 3 / 4);
    world.next_day();
    for product in &products {
        world.print(product, HEALTHY);
    }
    (world, pool, products)
}

#[test]
fn no_cover_is_sold_above_the_cap_of_the_risk_group() {
    let (world, pool, [first, second, other]) = three_products(|args| args.terms.group_cap_bps = 5_000);
    let buyer = world.person(CAPITAL);
    let cap = CAPITAL / 2;
    assert_refused(world.buy(&first, &buyer, cap + 1, 30).1, BackstopError::BeyondCapacity);
    accepted(world.buy(&first, &buyer, cap - 10 * ONE, 30).1);
    assert_refused(world.buy(&second, &buyer, 10 * ONE + 1, 30).1, BackstopError::BeyondCapacity);
    accepted(world.buy(&second, &buyer, 10 * ONE, 30).1);
    assert_refused(world.buy(&first, &buyer, ONE, 30).1, BackstopError::BeyondCapacity);
    // Another group is not concerned.
    accepted(world.buy(&other, &buyer, 10 * ONE, 30).1);
    assert_eq!(world.pool(&pool).group_exposure(0), cap);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn no_cover_is_sold_that_capital_could_not_pay() {
    let (world, pool, [first, _, other]) = three_products(|_| ());
    let buyer = world.person(CAPITAL);
    let cap = CAPITAL * 8 / 10;
    accepted(world.buy(&first, &buyer, cap, 30).1);
    // Within the caps of product and group, beyond full collateral.
    let left = CAPITAL - cap;
    assert_refused(world.buy(&other, &buyer, left + 1, 30).1, BackstopError::BelowRequiredCapital);
    accepted(world.buy(&other, &buyer, left, 30).1);
    assert_refused(world.buy(&other, &buyer, ONE, 30).1, BackstopError::BelowRequiredCapital);
    assert_eq!(world.pool(&pool).total_exposure, CAPITAL);
}

#[test]
fn a_solvency_ratio_above_one_sells_so_much_less() {
    let (world, _, product) = on(World::new(), {
        let mut args = terms::create_pool(0);
        args.terms.solvency_bps = 20_000;
        args
    });
    let buyer = world.person(CAPITAL);
    assert_refused(world.buy(&product, &buyer, CAPITAL / 2 + 1, 30).1, BackstopError::BelowRequiredCapital);
    accepted(world.buy(&product, &buyer, CAPITAL / 2, 30).1);
}

#[test]
fn no_cover_is_sold_above_the_highest_leverage() {
    let (world, pool, [first, _, other]) = three_products(|args| {
        args.terms.rho_bps = 0;
        args.terms.max_leverage_bps = 10_000;
    });
    let buyer = world.person(CAPITAL);
    let cap = CAPITAL * 8 / 10;
    accepted(world.buy(&first, &buyer, cap, 30).1);
    // Two independent groups of 160,000 and 40,000 require 164,925: leverage is what binds.
    let left = CAPITAL - cap;
    assert_refused(world.buy(&other, &buyer, left + 1, 30).1, BackstopError::BelowRequiredCapital);
    accepted(world.buy(&other, &buyer, left, 30).1);
    assert!(world.pool(&pool).required_capital().unwrap() < 165_000 * ONE);
}

#[test]
fn capital_that_asked_to_leave_backs_no_new_cover() {
    let (world, pool, product) = selling();
    let senior = world.depositor(&pool, Tranche::Senior, CAPITAL);
    world.next_day();
    world.print(&product, HEALTHY);
    let shares = world.shares(&pool, &senior, Tranche::Senior);
    world.exit(&pool, &senior, Tranche::Senior, shares);
    let buyer = world.person(CAPITAL);
    let cap = CAPITAL * 8 / 10;
    assert_refused(world.buy(&product, &buyer, cap + 1, 30).1, BackstopError::BeyondCapacity);
    accepted(world.buy(&product, &buyer, cap, 30).1);
}

#[test]
fn a_pool_as_rich_as_its_books_can_insure_goes_on_selling() {
    // The most exposure that a pool's books hold is 1e17 units: so much is taken into its surplus, beside its tranches.
    let most = backstop::math::capital::MAX_TOTAL_EXPOSURE;
    let (world, pool, product) = selling();
    let giver = world.person(2 * most);
    let give = |amount| world.send(&[&giver.key], &[ix::contribute_surplus(&pool, giver.id(), amount, Seen::ANYTHING)]);
    assert_refused(give(2 * most), BackstopError::AmountTooLarge);
    accepted(give(most));
    world.next_day();
    world.print(&product, HEALTHY);
    let buyer = world.person(CAPITAL);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn nothing_is_sold_while_the_trigger_is_not_quiet() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    let buy = || world.buy(&product, &buyer, 1_000 * ONE, 30).1;
    let slot = i64::from(world.trigger(&product).terms.slot_seconds);
    let next_slot = || world.cluster.set_time((world.now() / slot + 1) * slot);
    accepted(buy());

    next_slot();
    world.print(&product, 90_000_000);
    assert_eq!(world.trigger(&product).phase(), Phase::Breaching);
    assert_refused(buy(), BackstopError::TriggerNotQuiet);

    for _ in 1..8 {
        next_slot();
        world.print(&product, 90_000_000);
    }
    assert_eq!(world.trigger(&product).phase(), Phase::Met);
    // A recovery after the window does not undo it, nor does a healthy last print open the sale.
    next_slot();
    world.print(&product, HEALTHY);
    assert_eq!(world.trigger(&product).phase(), Phase::Met);
    assert_refused(buy(), BackstopError::TriggerNotQuiet);

    world.advance(8 * HOUR);
    world.run(&[], &[ix::confirm(&product)]);
    assert_eq!(world.trigger(&product).phase(), Phase::Final);
    assert_refused(buy(), BackstopError::TriggerNotQuiet);

    world.run(&[], &[world.open_incident(&product)]);
    assert_eq!(world.product(&product).state(), ProductState::Over);
    assert_refused(buy(), BackstopError::NotSelling);
}

#[test]
fn a_trigger_that_recovered_sells_again() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    world.advance(HOUR);
    world.print(&product, 90_000_000);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::TriggerNotQuiet);
    world.advance(HOUR);
    world.print(&product, HEALTHY);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::TriggerNotQuiet);
    world.recover(&product, HEALTHY);
    // Quiet, and for a day nothing is sold on what was low an hour ago: until the slot of the breach is a day old.
    let quiet = i64::from(world.trigger(&product).terms.quiet);
    let breached_until = (world.now() - HOUR) / 1_800 * 1_800;
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PriceInBuffer);
    world.cluster.set_time(breached_until + quiet - 1);
    world.print(&product, HEALTHY);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PriceInBuffer);
    world.cluster.set_time(breached_until + quiet);
    world.print(&product, HEALTHY);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
}

#[test]
fn nothing_is_sold_beside_an_alert_of_the_same_risk_group() {
    let (world, pool, product) = selling();
    let sibling = world.create_product(&pool, terms::stress());
    let mut elsewhere = terms::create_product(world.covered, terms::stress());
    elsewhere.terms.risk_group = 1;
    let elsewhere = world.create_product_with(&pool, elsewhere);
    world.advance(11 * DAY);
    let buyer = world.person(10_000 * ONE);
    world.holder(&sibling, 1_000 * ONE, 30);
    for keys in [&product, &elsewhere] {
        world.print(keys, HEALTHY);
    }
    world.print(&sibling, 90_000_000);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::GroupInAlert);
    accepted(world.buy(&elsewhere, &buyer, 1_000 * ONE, 30).1);
    world.recover(&sibling, HEALTHY);
    world.print(&product, HEALTHY);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
}

#[test]
fn nothing_is_sold_before_a_first_print() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, CAPITAL);
    world.next_day();
    let buyer = world.person(10_000 * ONE);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PrintTooOld);
}

#[test]
fn nothing_is_sold_on_a_last_print_a_second_too_old() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    let published = world.now();
    world.cluster.set_time(published + HOUR);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
    world.cluster.set_time(published + HOUR + 1);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PrintTooOld);
    // A print that is shown late is as old as it was published.
    world.show_at(&product, HEALTHY, world.now() - HOUR - 1).unwrap();
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PrintTooOld);
    world.print(&product, HEALTHY);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
}

#[test]
fn nothing_is_sold_inside_the_no_sale_buffer() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    // The recovery is above 1 % over the threshold: it must be reached, less two confidences, now and for a day before.
    for (wait, price, confidence, sold) in [
        (DAY, 96_000_000, 0, true),
        (DAY, 97_000_000, 500_000, true),
        (DAY, 97_000_000, 500_001, false),
        (DAY, 95_999_999, 0, false),
        (HOUR, 100_000_000, 0, false),
        (2 * DAY, 100_000_000, 0, true),
    ] {
        world.advance(wait);
        let account = seeded(7).pubkey();
        world.cluster.post_price(account, terms::FEED, Price::e8(price, confidence, world.now()));
        world.run(&[], &[ix::observe(&product, account)]);
        let outcome = world.buy(&product, &buyer, 1_000 * ONE, 30).1;
        match sold {
            true => accepted(outcome),
            false => assert_refused(outcome, BackstopError::PriceInBuffer),
        }
    }
}

#[test]
fn an_older_healthy_print_does_not_hide_a_newer_low_one() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    world.advance(60);
    world.print(&product, 95_100_000);
    world.show_at(&product, HEALTHY, world.now() - 1).unwrap();
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PriceInBuffer);
    // Of two prints of one second the lower one counts.
    world.show_at(&product, HEALTHY, world.now()).unwrap();
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PriceInBuffer);
}

#[test]
fn nothing_is_sold_while_purchases_are_paused() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    world.run(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), backstop::constants::PAUSE_PURCHASES)]);
    let paused_at = world.now();
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PurchasesPaused);
    world.cluster.set_time(paused_at + 6 * HOUR - 1);
    world.print(&product, HEALTHY);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PurchasesPaused);
    world.advance(1);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
    // A pause of deposits is none of purchases.
    world.run(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), backstop::constants::PAUSE_DEPOSITS)]);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
}

#[test]
fn a_frozen_product_sells_nothing_and_a_thawed_one_does() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    let set = |state| {
        let set = ix::set_product_state(world.governance.pubkey(), product.pool.pool, product.product, state);
        world.run(&[&world.governance], &[set]);
    };
    set(ProductState::Frozen);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::NotSelling);
    set(ProductState::Selling);
    accepted(world.buy(&product, &buyer, 1_000 * ONE, 30).1);
    set(ProductState::RunOff);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::NotSelling);
}

#[test]
fn a_purchase_takes_no_account_of_another_pool_or_product() {
    let (world, pool, product) = selling();
    let other_pool = world.create_pool(terms::create_pool(1));
    let other = world.create_product(&other_pool, terms::stress());
    let sibling = world.create_product(&pool, terms::severe());
    let buyer = world.person(10_000 * ONE);
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let buy = ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), buyer.id(), args);
    let place = |key: Pubkey| buy.accounts.iter().position(|account| account.pubkey == key).unwrap();
    let cases = [
        (product.pool.pool, other_pool.pool, BackstopError::WrongAccount),
        (product.trigger(), other.trigger(), BackstopError::WrongParent),
        (product.trigger(), sibling.trigger(), BackstopError::WrongParent),
        (pool.vault(), other_pool.vault(), BackstopError::WrongAccount),
        (world.asset, world.covered, BackstopError::WrongAccount),
    ];
    for (right, wrong, error) in cases {
        let mut buy = buy.clone();
        buy.accounts[place(right)].pubkey = wrong;
        assert_refused(world.send(&[&buyer.key], &[budget(), buy]), error);
    }
    let mut more = buy.clone();
    more.accounts.push(AccountMeta::new_readonly(Pubkey::default(), false));
    assert_refused(world.send(&[&buyer.key], &[budget(), more]), BackstopError::UnexpectedAccounts);
    accepted(world.send(&[&buyer.key], &[budget(), buy]));
}

#[test]
fn a_pool_and_its_vault_do_not_sell_the_product_of_another_pool() {
    let (world, pool, product) = selling();
    let other_pool = world.create_pool(terms::create_pool(1));
    let buyer = world.person(10_000 * ONE);
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let mut buy = ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), buyer.id(), args);
    for account in &mut buy.accounts {
        match account.pubkey {
            key if key == pool.pool => account.pubkey = other_pool.pool,
            key if key == pool.vault() => account.pubkey = other_pool.vault(),
            _ => {}
        }
    }
    assert_refused(world.send(&[&buyer.key], &[budget(), buy]), BackstopError::WrongParent);
}

#[test]
fn payer_buyer_and_receiver_may_be_three() {
    let (world, _, product) = selling();
    let (payer, buyer, receiver) = (world.person(0), world.person(10_000 * ONE), world.person(0));
    let before = (lamports(&world, &payer.id()), lamports(&world, &buyer.id()), lamports(&world, &receiver.id()));
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let buy = ix::buy_cover(&product, payer.id(), buyer.id(), receiver.id(), args);
    world.run(&[&payer.key, &buyer.key], &[budget(), buy]);
    let mint = address::cover_mint(&product.product, &buyer.id(), 1, world.today());
    assert_eq!(world.cover(&mint).rent_payer, payer.id());
    assert_eq!(world.tokens(&nft_of(&receiver.id(), &mint)), 1);
    assert_eq!(world.assets(&buyer), 10_000 * ONE - world.cover(&mint).premium);
    let rent: u64 = [mint, address::cover(&mint), nft_of(&receiver.id(), &mint)]
        .iter()
        .map(|address| lamports(&world, address))
        .sum();
    assert_eq!(lamports(&world, &payer.id()), before.0 - rent, "the payer pays all rent and nothing else");
    assert_eq!((lamports(&world, &buyer.id()), lamports(&world, &receiver.id())), (before.1, before.2));
}

#[test]
fn one_wallet_may_be_payer_buyer_receiver_and_holder() {
    let (world, pool, product) = selling();
    let person = world.person(10_000 * ONE);
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let buy = ix::buy_cover(&product, person.id(), person.id(), person.id(), args);
    world.run(&[&person.key], &[budget(), buy]);
    let mint = address::cover_mint(&product.product, &person.id(), 1, world.today());
    world.next_day();
    let cancel = ix::cancel_cover(&product, person.id(), mint, person.id());
    world.run(&[&person.key], &[cancel]);
    assert!(!exists(&world, &mint));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn an_account_of_a_program_buys_and_another_receives() {
    let (world, pool, product) = on(World::unsigned(), terms::create_pool(0));
    // Addresses off the curve: no wallet has their keys, a program signs for them.
    let (buyer, _) = Pubkey::find_program_address(&[b"buyer"], &Pubkey::new_unique());
    let (receiver, _) = Pubkey::find_program_address(&[b"receiver"], &Pubkey::new_unique());
    world.cluster.set_tokens(&buyer, &world.asset, 10_000 * ONE);
    let args = BuyCoverArgs { nonce: 7, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let buy = ix::buy_cover(&product, world.payer.pubkey(), buyer, receiver, args);
    send_unsigned(&world, &[budget(), buy]).unwrap();
    let mint = address::cover_mint(&product.product, &buyer, 7, world.today());
    assert_eq!(world.tokens(&nft_of(&receiver, &mint)), 1);
    assert_eq!(world.tokens(&nft_of(&buyer, &mint)), 0);
    // The buyer account needs no lamports, the receiver need not exist.
    assert!(!exists(&world, &buyer) && !exists(&world, &receiver));
    // It gives the cover back as well.
    world.next_day();
    world.cluster.set_tokens(&receiver, &world.asset, 0);
    let cancel = ix::cancel_cover(&product, receiver, mint, world.payer.pubkey());
    send_unsigned(&world, &[cancel]).unwrap();
    assert!(world.tokens(&pool.assets_of(&receiver)) > 0);
    assert_books(&world.cluster, &pool.pool);
}

/// Sends instructions as if all their signers had signed; only a world without signature checks takes it.
fn send_unsigned(world: &World, instructions: &[Instruction]) -> Outcome {
    use solana_sdk::message::{Message, VersionedMessage};
    use solana_sdk::signature::Signature;
    use solana_sdk::transaction::VersionedTransaction;
    world.cluster.svm().expire_blockhash();
    let hash = world.cluster.latest_blockhash().unwrap().hash;
    let message = Message::new_with_blockhash(instructions, Some(&world.payer.pubkey()), &hash);
    let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
    world.cluster.send(&VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) })
}

#[test]
fn nobody_spends_for_a_buyer_who_did_not_sign() {
    let (world, _, product) = selling();
    let (thief, victim) = (world.person(0), world.person(10_000 * ONE));
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let mut unsigned = ix::buy_cover(&product, thief.id(), victim.id(), thief.id(), args.clone());
    let buyer = unsigned.accounts.iter_mut().find(|account| account.pubkey == victim.id()).unwrap();
    buyer.is_signer = false;
    assert!(world.send(&[&thief.key], &[budget(), unsigned]).is_err());
    // Nor with a buyer of one's own and the victim's token account.
    let mut redirected = ix::buy_cover(&product, thief.id(), thief.id(), thief.id(), args);
    let own = terms::assets_of(&thief.id(), &world.asset);
    let assets = redirected.accounts.iter_mut().find(|account| account.pubkey == own).unwrap();
    assets.pubkey = terms::assets_of(&victim.id(), &world.asset);
    assert!(world.send(&[&thief.key], &[budget(), redirected]).is_err());
    assert_eq!(world.assets(&victim), 10_000 * ONE);
}

#[test]
fn the_nft_goes_to_the_associated_account_of_the_receiver_and_nowhere_else() {
    let (world, _, product) = selling();
    let (buyer, receiver) = (world.person(10_000 * ONE), world.person(0));
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let mut buy = ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), receiver.id(), args);
    let mint = address::cover_mint(&product.product, &buyer.id(), 1, world.today());
    let place = buy.accounts.iter().position(|account| account.pubkey == nft_of(&receiver.id(), &mint)).unwrap();
    buy.accounts[place].pubkey = nft_of(&buyer.id(), &mint);
    assert!(world.send(&[&buyer.key], &[budget(), buy]).is_err());
    assert!(!exists(&world, &mint));
}

// ---------------------------------------------------------------- nobody occupies another's number

#[test]
fn two_buyers_use_one_number_side_by_side() {
    let (world, pool, product) = selling();
    let (first, second) = (world.person(10_000 * ONE), world.person(10_000 * ONE));
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    // The first sees the second's purchase coming and takes its number.
    for buyer in [&first, &second] {
        let buy = ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), second.id(), args.clone());
        world.run(&[&buyer.key], &[budget(), buy]);
    }
    assert_eq!(world.product(&product).covers_sold, 2);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn one_buyer_uses_a_number_once_a_day() {
    let (world, pool, product) = selling();
    let (buyer, receiver) = (world.person(10_000 * ONE), world.person(0));
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let buy = |to: &Person| ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), to.id(), args.clone());
    world.run(&[&buyer.key], &[budget(), buy(&buyer)]);
    assert!(world.send(&[&buyer.key], &[budget(), buy(&buyer)]).is_err());
    assert!(world.send(&[&buyer.key], &[budget(), buy(&receiver)]).is_err());
    assert_eq!(world.product(&product).covers_sold, 1);
    // The next day has its own numbers: another cover of the same number stands at another address.
    world.next_day();
    world.print(&product, HEALTHY);
    let args = BuyCoverArgs { day: world.today(), ..args.clone() };
    let next = ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), receiver.id(), args);
    world.run(&[&buyer.key], &[budget(), next]);
    let [first, second] = [1, 0].map(|ago| address::cover_mint(&product.product, &buyer.id(), 1, world.today() - ago));
    assert_eq!((world.tokens(&nft_of(&buyer.id(), &first)), world.tokens(&nft_of(&receiver.id(), &second))), (1, 1));
    assert_books(&world.cluster, &pool.pool);
}

/// Case 12: an NFT that is shown to a buyer is cancelled and bought again in one transaction: 100,000 for 365 days become 1
/// for 7, under the same mint and in the same account.
#[test]
fn no_address_has_a_second_life() {
    let (world, pool, product) = selling();
    let seller = world.person(CAPITAL);
    let (nonce, first_day) = (42, world.today());
    let buy = |day, sum_insured, term_days| {
        let args = BuyCoverArgs { nonce, day, request: request(sum_insured, term_days), max_premium: u64::MAX };
        ix::buy_cover(&product, world.payer.pubkey(), seller.id(), seller.id(), args)
    };
    let mint = address::cover_mint(&product.product, &seller.id(), nonce, first_day);
    world.run(&[&seller.key], &[budget(), buy(first_day, 100_000 * ONE, 365)]);
    let bought = world.cover(&mint);
    assert_eq!((bought.sum_insured, bought.bought_day()), (100_000 * ONE, first_day));
    let back = || {
        [
            ix::cancel_cover(&product, seller.id(), mint, world.payer.pubkey()),
            ix::close_nft_account(&seller.id(), &mint),
        ]
    };
    let [cancel, close] = back();
    let swap = [budget(), cancel.clone(), close.clone(), buy(first_day, ONE, 7)];
    assert_refused(world.send(&[&seller.key], &swap), BackstopError::BoughtToday);
    assert_refused(world.send(&[&seller.key], &[cancel]), BackstopError::BoughtToday);
    // To the last second of the day; then it can be given back, and its address is nobody's any more.
    world.cluster.set_time(i64::from(first_day + 1) * DAY - 1);
    assert_refused(world.send(&[&seller.key], &back()), BackstopError::BoughtToday);
    assert_eq!(world.cover(&mint), bought);
    world.advance(1);
    world.print(&product, HEALTHY);
    let swap = [back().as_slice(), &[budget(), buy(first_day, ONE, 7)]].concat();
    assert_refused(world.send(&[&seller.key], &swap), BackstopError::WrongPurchaseDay);
    // A purchase of today under yesterday's address is another address than the one that is passed.
    let mut today = buy(first_day + 1, ONE, 7);
    let place = today.accounts.iter().position(|account| {
        account.pubkey == address::cover_mint(&product.product, &seller.id(), nonce, first_day + 1)
    });
    today.accounts[place.unwrap()].pubkey = mint;
    assert!(world.send(&[&seller.key], &[back().as_slice(), &[budget(), today]].concat()).is_err());
    assert_eq!(world.cover(&mint), bought);
    world.run(&[&seller.key], &back());
    assert!(!exists(&world, &mint) && !exists(&world, &address::cover(&mint)));
    for day in [first_day, first_day + 2] {
        assert_refused(world.send(&[&seller.key], &[budget(), buy(day, ONE, 7)]), BackstopError::WrongPurchaseDay);
    }
    assert!(!exists(&world, &mint));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_purchase_that_was_built_before_midnight_is_refused_after_it() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    let buy = |world: &World| {
        let args =
            BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
        ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), buyer.id(), args)
    };
    world.cluster.set_time(i64::from(world.today() + 1) * DAY - 1);
    let late = buy(&world);
    world.advance(1);
    world.print(&product, HEALTHY);
    let refused = world.send(&[&buyer.key], &[budget(), late]).expect_err("it names yesterday");
    let told = backstop_client::explain::explain(&refused);
    assert!(told.sentence.contains("another UTC day than today"), "{}", told.sentence);
    assert!(told.hint.is_some_and(|hint| hint.contains("build it again")));
    world.run(&[&buyer.key], &[budget(), buy(&world)]);
}

#[test]
fn lamports_sent_in_advance_stop_no_purchase() {
    let (world, pool, product) = selling();
    // A lamport, the rent of an empty account, and more than all rents.
    for (nonce, gift) in [(1, 1), (2, 890_880), (3, 1_000_000_000)] {
        let buyer = world.person(10_000 * ONE);
        let mint = address::cover_mint(&product.product, &buyer.id(), nonce, world.today());
        for target in [mint, address::cover(&mint), nft_of(&buyer.id(), &mint)] {
            let account = Account { lamports: gift, ..Account::default() };
            world.cluster.set_account(target, account);
        }
        let args = BuyCoverArgs { nonce, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
        let buy = ix::buy_cover(&product, world.payer.pubkey(), buyer.id(), buyer.id(), args);
        accepted(world.send(&[&buyer.key], &[budget(), buy]));
        assert_eq!(world.tokens(&nft_of(&buyer.id(), &mint)), 1);
        assert_eq!(world.cover(&mint).mint(), mint);
        world.next_day();
        world.print(&product, HEALTHY);
        accepted(cancel(&world, &product, &buyer, &mint));
    }
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn nobody_creates_the_account_of_the_receiver_before_the_mint_is_there() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    let mint = address::cover_mint(&product.product, &buyer.id(), 1, world.today());
    let occupy = ix::create_associated_token(&world.payer.pubkey(), &buyer.id(), &mint, &TOKEN_2022);
    assert!(world.send(&[], &[occupy]).is_err());
}

// ---------------------------------------------------------------- the NFT as a document

fn mint_state(world: &World, mint: &Pubkey) -> StateWithExtensionsOwned<Mint> {
    let account = world.cluster.account(mint).unwrap().unwrap();
    assert_eq!(account.owner, TOKEN_2022);
    StateWithExtensionsOwned::unpack(account.data).unwrap()
}

#[test]
fn the_nft_shows_the_terms_of_the_cover() {
    let (world, _, product) = selling();
    let buyer = world.person(10_000 * ONE);
    world.advance(1);
    let (mint, outcome) = world.buy(&product, &buyer, 1_234_500_000, 30);
    accepted(outcome);
    let shown = mint_state(&world, &mint).get_variable_len_extension::<TokenMetadata>().unwrap();
    assert_eq!(shown.name, "Backstop: USDC below 0.95 for 4h");
    assert_eq!(shown.symbol, "COVER");
    assert_eq!(shown.uri, "https://backstop.example/files/usdc-stress.json");
    // Bought on 12 November, waiting until the 14th, 30 days.
    let fields = [
        ("Sum insured at purchase", "1234.5 USDT"),
        ("End at purchase", "2023-12-14 00:00 UTC"),
        ("Wording SHA-256", "0909090909090909090909090909090909090909090909090909090909090909"),
    ];
    assert_eq!(shown.additional_metadata, fields.map(|(key, value)| (key.to_string(), value.to_string())));
    assert_eq!(world.cover(&mint).end(), 1_702_512_000, "2023-12-14 00:00 UTC");
    assert_eq!(Pubkey::from(shown.mint.to_bytes()), mint);
}

#[test]
fn the_longest_texts_fit_the_nft() {
    let (world, pool, _) = selling();
    let mut args = terms::create_product(world.covered, terms::stress());
    args.name = "n".repeat(48);
    args.uri = format!("https://{}", "u".repeat(88));
    let product = world.create_product_with(&pool, args);
    world.cluster.set_time(world.product(&product).sells_from);
    world.print(&product, HEALTHY);
    let buyer = world.person(CAPITAL);
    let (mint, outcome) = world.buy(&product, &buyer, 123_456_654_321, 365);
    let receipt = outcome.unwrap();
    let shown = mint_state(&world, &mint).get_variable_len_extension::<TokenMetadata>().unwrap();
    assert_eq!(shown.name.len() + shown.uri.len(), 10 + 48 + 96);
    assert_eq!(shown.additional_metadata[0].1, "123456.654321 USDT");
    let account = world.cluster.account(&mint).unwrap().unwrap();
    assert_eq!(account.lamports, world.cluster.rent(account.data.len()).unwrap(), "not a lamport too much");
    assert!(receipt.compute_units < 200_000, "{}", receipt.compute_units);
}

#[test]
fn the_nft_is_one_and_nobody_has_authority_over_it() {
    let (world, pool, product) = selling();
    let (_, mint) = world.holder(&product, 1_000 * ONE, 30);
    let state = mint_state(&world, &mint);
    assert_eq!((state.base.supply, state.base.decimals), (1, 0));
    assert!(state.base.mint_authority.is_none());
    assert!(state.base.freeze_authority.is_none());
    let shown = state.get_variable_len_extension::<TokenMetadata>().unwrap();
    assert_eq!(Option::<Pubkey>::from(shown.update_authority), None);
    let pointer = state.get_extension::<MetadataPointer>().unwrap();
    assert_eq!(Option::<Pubkey>::from(pointer.authority), None);
    assert_eq!(Option::<Pubkey>::from(pointer.metadata_address), Some(mint));
    let closer = state.get_extension::<MintCloseAuthority>().unwrap();
    assert_eq!(Option::<Pubkey>::from(closer.close_authority), Some(pool.pool));
    let mut extensions = state.get_extension_types().unwrap();
    extensions.sort_by_key(|kind| u16::from(*kind));
    let expected = [ExtensionType::MintCloseAuthority, ExtensionType::MetadataPointer, ExtensionType::TokenMetadata];
    assert_eq!(extensions, expected);
}

#[test]
fn nobody_changes_the_nft_not_even_with_the_signature_of_the_pool() {
    let (world, pool, product) = on(World::unsigned(), terms::create_pool(0));
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 30);
    let before = world.cluster.account(&mint).unwrap().unwrap();
    let nft = nft_of(&holder.id(), &mint);
    for signer in [pool.pool, holder.id(), world.governance.pubkey(), product.product, mint, world.payer.pubkey()] {
        let new = Some(signer);
        let attempts = [
            metadata::update_field(&TOKEN_2022, &mint, &signer, Field::Name, "another".into()),
            metadata::update_field(&TOKEN_2022, &mint, &signer, Field::Key("End at purchase".into()), "never".into()),
            metadata::remove_key(&TOKEN_2022, &mint, &signer, "End at purchase".into(), true),
            metadata::update_authority(&TOKEN_2022, &mint, &signer, new.try_into().unwrap()),
            metadata_pointer::instruction::update(&TOKEN_2022, &mint, &signer, &[], new).unwrap(),
            token_2022::mint_to(&TOKEN_2022, &mint, &nft, &signer, &[], 1).unwrap(),
            token_2022::freeze_account(&TOKEN_2022, &nft, &mint, &signer, &[]).unwrap(),
            set_authority(&mint, new, AuthorityType::MintTokens, &signer),
            set_authority(&mint, new, AuthorityType::FreezeAccount, &signer),
            set_authority(&mint, new, AuthorityType::MetadataPointer, &signer),
            token_2022::close_account(&TOKEN_2022, &mint, &world.payer.pubkey(), &signer, &[]).unwrap(),
        ];
        for (number, attempt) in attempts.into_iter().enumerate() {
            let outcome = send_unsigned(&world, &[attempt]);
            assert!(outcome.is_err(), "attempt {number} of {signer} succeeded");
        }
    }
    assert_eq!(world.cluster.account(&mint).unwrap().unwrap(), before);
    assert_eq!(world.tokens(&nft), 1);
}

fn set_authority(mint: &Pubkey, new: Option<Pubkey>, kind: AuthorityType, signer: &Pubkey) -> Instruction {
    token_2022::set_authority(&TOKEN_2022, mint, new.as_ref(), kind, signer, &[]).unwrap()
}

// ---------------------------------------------------------------- giving back

#[test]
fn buying_and_cancelling_on_the_next_day_always_costs() {
    let (world, pool, product) = selling();
    for (sum, days) in [(ONE, 7), (ONE, 365), (17_777_777, 30), (1_000 * ONE, 7), (100_000 * ONE, 365)] {
        let buyer = world.person(CAPITAL);
        world.print(&product, HEALTHY);
        let (mint, outcome) = world.buy(&product, &buyer, sum, days);
        accepted(outcome);
        let cover = world.cover(&mint);
        let premium = cover.premium;
        world.next_day();
        // Nothing is earned yet; from the first insured second on it is what the rate has still to earn.
        assert!(world.now() <= cover.active_from());
        let left = u128::try_from(cover.end() - cover.active_from()).unwrap();
        let by_rate = u64::try_from((u128::from(cover.rate_q32) * left) >> 32).unwrap();
        let unearned = if world.now() < cover.active_from() { premium } else { by_rate };
        assert!(premium - unearned <= 1);
        let surplus = world.pool(&pool).surplus;
        let receipt = cancel(&world, &product, &buyer, &mint).unwrap();
        let event = transaction::events::<CoverCancelled>(&receipt.logs).remove(0);
        assert_eq!(world.assets(&buyer), CAPITAL - premium + event.refund);
        let cost = premium - event.refund;
        assert_eq!(cost, premium - unearned + unearned.div_ceil(10), "a tenth of it, rounded up");
        assert_eq!(world.pool(&pool).surplus - surplus, event.fee, "the fee goes to the surplus");
        assert_eq!(event.fee, (event.fee + event.refund).div_ceil(10));
        assert_eq!(world.product(&product).exposure, 0);
        assert_eq!(world.pool(&pool).total_exposure, 0);
        assert_eq!(world.pool(&pool).rate_q32, 0);
        assert_books(&world.cluster, &pool.pool);
    }
}

#[test]
fn a_cancellation_refunds_what_is_unearned_to_the_second_less_the_fee() {
    let (world, pool, product) = selling();
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    let cover = world.cover(&mint);
    let before = world.assets(&holder);
    world.advance(10 * DAY + 12_345);
    let left = u128::try_from(cover.end() - world.now()).unwrap();
    let unearned = u64::try_from((u128::from(cover.rate_q32) * left) >> 32).unwrap();
    accepted(cancel(&world, &product, &holder, &mint));
    let fee = (unearned * u64::from(cover.cancel_fee_bps)).div_ceil(10_000);
    assert_eq!(world.assets(&holder) - before, unearned - fee);
    // Earned, from the first insured second, and unearned are the whole premium but for the rate's rounding.
    let earned = (u128::try_from(world.now() - cover.active_from()).unwrap() * u128::from(cover.rate_q32)) >> 32;
    assert!(cover.premium - unearned - u64::try_from(earned).unwrap() <= 2);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_cover_is_given_back_until_the_second_before_its_end() {
    let (world, pool, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 7);
    let (other, other_mint) = world.holder(&product, 1_000 * ONE, 7);
    let end = world.cover(&mint).end();
    world.cluster.set_time(end - 1);
    accepted(cancel(&world, &product, &holder, &mint));
    world.cluster.set_time(end);
    assert_refused(cancel(&world, &product, &other, &other_mint), BackstopError::CoverEnded);
    assert_eq!(world.product(&product).exposure, 1_000 * ONE);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn only_the_holder_of_the_nft_gives_a_cover_back() {
    let (world, _, product) = selling();
    let (buyer, mint) = world.holder(&product, 1_000 * ONE, 30);
    let (stranger, friend) = (world.person(0), world.person(0));
    world.next_day();
    // A stranger, with an account of his own or with the holder's.
    world.run(&[], &[ix::create_associated_token(&world.payer.pubkey(), &stranger.id(), &mint, &TOKEN_2022)]);
    assert_refused(cancel(&world, &product, &stranger, &mint), BackstopError::NotHolder);
    let mut theft = ix::cancel_cover(&product, stranger.id(), mint, world.payer.pubkey());
    theft.accounts[1].pubkey = nft_of(&buyer.id(), &mint);
    assert_refused(world.send(&[&stranger.key], &[theft]), BackstopError::NotHolder);
    // The buyer, once it is sold.
    sell_nft(&world, &buyer, &friend, &mint);
    assert_refused(cancel(&world, &product, &buyer, &mint), BackstopError::NotHolder);
    assert_eq!(world.product(&product).exposure, 1_000 * ONE);
    accepted(cancel(&world, &product, &friend, &mint));
    assert!(world.assets(&friend) > 0);
}

#[test]
fn an_nft_of_another_cover_gives_none_back() {
    let (world, _, product) = selling();
    let (small, small_mint) = world.holder(&product, ONE, 30);
    let (_, large_mint) = world.holder(&product, 10_000 * ONE, 30);
    world.next_day();
    let mut theft = ix::cancel_cover(&product, small.id(), large_mint, world.payer.pubkey());
    theft.accounts[1].pubkey = nft_of(&small.id(), &small_mint);
    assert_refused(world.send(&[&small.key], &[theft]), BackstopError::NotHolder);
    let mut theft = ix::cancel_cover(&product, small.id(), small_mint, world.payer.pubkey());
    let place = theft.accounts.iter().position(|a| a.pubkey == address::cover(&small_mint)).unwrap();
    theft.accounts[place].pubkey = address::cover(&large_mint);
    assert_refused(world.send(&[&small.key], &[theft]), BackstopError::WrongAccount);
}

#[test]
fn a_cover_is_given_back_under_its_own_product_and_pool() {
    let (world, pool, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 30);
    let sibling = world.create_product(&pool, terms::severe());
    world.next_day();
    let mut theft = ix::cancel_cover(&product, holder.id(), mint, world.payer.pubkey());
    for account in &mut theft.accounts {
        match account.pubkey {
            key if key == product.product => account.pubkey = sibling.product,
            key if key == product.trigger() => account.pubkey = sibling.trigger(),
            _ => {}
        }
    }
    assert_refused(world.send(&[&holder.key], &[theft]), BackstopError::WrongParent);
    let mut mixed = ix::cancel_cover(&product, holder.id(), mint, world.payer.pubkey());
    let place = mixed.accounts.iter().position(|account| account.pubkey == product.trigger()).unwrap();
    mixed.accounts[place].pubkey = sibling.trigger();
    assert_refused(world.send(&[&holder.key], &[mixed]), BackstopError::WrongParent);
    accepted(cancel(&world, &product, &holder, &mint));
}

#[test]
fn nothing_is_given_back_while_the_trigger_is_not_quiet() {
    let (world, _, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 30);
    world.advance(2 * DAY);
    world.print(&product, 90_000_000);
    assert_refused(cancel(&world, &product, &holder, &mint), BackstopError::TriggerNotQuiet);
    world.advance(HOUR);
    world.recover(&product, HEALTHY);
    accepted(cancel(&world, &product, &holder, &mint));
}

#[test]
fn neither_pause_nor_freeze_nor_run_off_keeps_a_cover_from_being_given_back() {
    let (world, _, product) = selling();
    let holders = [30, 40, 50].map(|days| world.holder(&product, 1_000 * ONE, days));
    let both = backstop::constants::PAUSE_PURCHASES | backstop::constants::PAUSE_DEPOSITS;
    world.next_day();
    world.run(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), both)]);
    accepted(cancel(&world, &product, &holders[0].0, &holders[0].1));
    for (state, (holder, mint)) in [ProductState::Frozen, ProductState::RunOff].into_iter().zip(&holders[1..]) {
        let set = ix::set_product_state(world.governance.pubkey(), product.pool.pool, product.product, state);
        world.run(&[&world.governance], &[set]);
        accepted(cancel(&world, &product, holder, mint));
    }
    assert_eq!(world.product(&product).exposure, 0);
}

#[test]
fn a_settled_cover_is_not_given_back() {
    let (world, _, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 30);
    world.advance(3 * DAY);
    world.depeg(&product, 90_000_000);
    world.open_and_fund(&product);
    assert_refused(cancel(&world, &product, &holder, &mint), BackstopError::TriggerNotQuiet);
    accepted(world.settle(&product, &holder, &mint));
    assert_refused(cancel(&world, &product, &holder, &mint), BackstopError::CoverNotActive);
}

#[test]
fn the_vault_is_no_place_for_a_refund() {
    let (world, pool, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 30);
    world.next_day();
    let mut back = ix::cancel_cover(&product, holder.id(), mint, world.payer.pubkey());
    let place = back.accounts.iter().position(|a| a.pubkey == pool.assets_of(&holder.id())).unwrap();
    back.accounts[place].pubkey = pool.vault();
    assert_refused(world.send(&[&holder.key], &[back]), BackstopError::VaultMismatch);
}

#[test]
fn cover_and_mint_give_their_rent_back_to_whoever_paid_it() {
    let (world, _, product) = selling();
    let (payer, buyer, friend) = (world.person(0), world.person(10_000 * ONE), world.person(0));
    let start = lamports(&world, &payer.id());
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let buy = ix::buy_cover(&product, payer.id(), buyer.id(), buyer.id(), args);
    world.run(&[&payer.key, &buyer.key], &[budget(), buy]);
    let mint = address::cover_mint(&product.product, &buyer.id(), 1, world.today());
    sell_nft(&world, &buyer, &friend, &mint);
    world.next_day();
    // Nobody else gets it.
    let wrong = ix::cancel_cover(&product, friend.id(), mint, friend.id());
    assert_refused(world.send(&[&friend.key], &[wrong]), BackstopError::WrongRentPayer);
    let right = ix::cancel_cover(&product, friend.id(), mint, payer.id());
    world.run(&[&friend.key], &[right]);
    // What is left is the token account, which is its owner's to close.
    let nft = lamports(&world, &nft_of(&buyer.id(), &mint));
    assert_eq!(lamports(&world, &payer.id()), start - nft);
    assert!(!exists(&world, &mint) && !exists(&world, &address::cover(&mint)));
    let close = token_2022::close_account(&TOKEN_2022, &nft_of(&buyer.id(), &mint), &buyer.id(), &buyer.id(), &[]);
    world.run(&[&buyer.key], &[close.unwrap()]);
}

#[test]
fn a_cover_is_given_back_after_its_activation_bucket_serves_another_day() {
    let (world, pool, product) = selling();
    let (old, old_mint) = world.holder(&product, 1_000 * ONE, 365);
    let active = world.cover(&old_mint).active_day;
    // 32 days later the bucket of its activation day is another day's.
    world.advance(32 * DAY);
    let (_, new_mint) = world.holder(&product, 3_000 * ONE, 30);
    assert_eq!(world.cover(&new_mint).active_day, active + 32);
    accepted(cancel(&world, &product, &old, &old_mint));
    let books = world.product(&product);
    assert_eq!(books.exposure, 3_000 * ONE);
    let waiting = books.affected(i64::from(active + 31) * DAY).unwrap();
    assert_eq!((waiting.sums, waiting.premiums), (0, world.cover(&new_mint).premium));
    let in_force = books.affected(i64::from(active + 32) * DAY).unwrap();
    assert_eq!((in_force.sums, in_force.premiums), (3_000 * ONE, 0));
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- whose the cover is

#[test]
fn a_sold_nft_insures_its_new_holder_and_not_the_old_one() {
    let (world, pool, product) = selling();
    let (seller, mint) = world.holder(&product, 1_000 * ONE, 30);
    let buyer = world.person(0);
    sell_nft(&world, &seller, &buyer, &mint);
    world.advance(3 * DAY);
    world.depeg(&product, 80_000_000);
    world.open_and_fund(&product);
    let before = world.assets(&seller);
    assert_refused(world.settle(&product, &seller, &mint), BackstopError::NotHolder);
    accepted(world.settle(&product, &buyer, &mint));
    assert_eq!(world.assets(&buyer), 1_000 * ONE);
    assert_eq!(world.assets(&seller), before);
    assert_refused(world.settle(&product, &buyer, &mint), BackstopError::CoverNotActive);
    assert_books(&world.cluster, &pool.pool);
}

// ---------------------------------------------------------------- closing

#[test]
fn a_live_cover_is_not_closed_not_even_by_its_holder() {
    let (world, _, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 7);
    assert_refused(close(&world, &product, Some(&holder), &mint), BackstopError::CoverStillLive);
    // It has ended, but an event before its end may still be shown.
    world.cluster.set_time(release_time(&world, &product, &mint) - 1);
    world.run(&[], &[ix::sync_product(&product)]);
    assert_refused(close(&world, &product, Some(&holder), &mint), BackstopError::CoverStillLive);
    world.advance(1);
    // Whoever has not synced has not released.
    assert_refused(close(&world, &product, Some(&holder), &mint), BackstopError::CoverStillLive);
    world.run(&[], &[ix::sync_product(&product)]);
    accepted(close(&world, &product, Some(&holder), &mint));
}

#[test]
fn the_holder_closes_a_released_cover_and_the_rent_goes_back() {
    let (world, _, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 7);
    let rents = lamports(&world, &mint) + lamports(&world, &address::cover(&mint));
    world.cluster.set_time(release_time(&world, &product, &mint));
    world.run(&[], &[ix::sync_product(&product)]);
    let stranger = world.person(0);
    assert_refused(close(&world, &product, None, &mint), BackstopError::HolderMustSign);
    // A stranger's signature burns nothing.
    let mut theft = ix::close_cover(&product, Some(stranger.id()), mint, world.payer.pubkey());
    theft.accounts[1].pubkey = nft_of(&holder.id(), &mint);
    assert!(world.send(&[&stranger.key], &[theft]).is_err());
    let wrong = ix::close_cover(&product, Some(holder.id()), mint, holder.id());
    assert_refused(world.send(&[&holder.key], &[wrong]), BackstopError::WrongRentPayer);
    // Closed by the holder, who pays the fee: the payer gets the rent and nothing is taken.
    let before = lamports(&world, &world.payer.pubkey());
    let order = ix::close_cover(&product, Some(holder.id()), mint, world.payer.pubkey());
    world.cluster.svm().expire_blockhash();
    let receipt = transaction::send(&world.cluster, &holder.key, &[], &[order]).unwrap();
    assert_eq!(transaction::events::<CoverClosed>(&receipt.logs).len(), 1);
    assert_eq!(lamports(&world, &world.payer.pubkey()), before + rents);
    assert!(!exists(&world, &mint) && !exists(&world, &address::cover(&mint)));
    assert_eq!(world.tokens(&nft_of(&holder.id(), &mint)), 0);
}

#[test]
fn a_burnt_nft_blocks_nothing_and_anyone_closes_its_accounts() {
    let (world, pool, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 7);
    burn_nft(&world, &holder, &mint);
    assert_refused(close(&world, &product, None, &mint), BackstopError::CoverStillLive);
    assert_refused(cancel(&world, &product, &holder, &mint), BackstopError::NotHolder);
    // Others buy and give back as before.
    let (other, other_mint) = world.holder(&product, 1_000 * ONE, 7);
    world.next_day();
    accepted(cancel(&world, &product, &other, &other_mint));
    world.cluster.set_time(release_time(&world, &product, &mint));
    world.run(&[], &[ix::sync_product(&product)]);
    assert_eq!(world.product(&product).exposure, 0);
    assert_eq!(world.pool(&pool).total_exposure, 0);
    accepted(close(&world, &product, None, &mint));
    assert!(!exists(&world, &mint) && !exists(&world, &address::cover(&mint)));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_burnt_nft_forfeits_its_claim_and_keeps_nobody_from_theirs() {
    let (world, pool, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 30);
    let (careless, burnt) = world.holder(&product, 2_000 * ONE, 30);
    world.advance(3 * DAY);
    burn_nft(&world, &careless, &burnt);
    world.depeg(&product, 80_000_000);
    world.open_and_fund(&product);
    let before = world.assets(&holder);
    accepted(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder) - before, 1_000 * ONE);
    assert_refused(world.settle(&product, &careless, &burnt), BackstopError::NotHolder);
    // Until the incident is closed it might have been paid.
    assert_refused(close(&world, &product, None, &burnt), BackstopError::CoverStillLive);
    accepted(close(&world, &product, Some(&holder), &mint));
    world.advance(backstop::constants::SETTLEMENT_WINDOW);
    let surplus = world.pool(&pool).surplus;
    world.run(&[], &[world.close_incident(&product)]);
    assert!(world.pool(&pool).surplus >= surplus + 2_000 * ONE);
    accepted(close(&world, &product, None, &burnt));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_cover_that_the_incident_does_not_concern_is_closed_while_others_are_paid() {
    let (world, _, product) = selling();
    let (early, early_mint) = world.holder(&product, 1_000 * ONE, 7);
    let (late, late_mint) = world.holder(&product, 1_000 * ONE, 30);
    // The event comes after the end of the first, which nobody has released.
    world.cluster.set_time(world.cover(&early_mint).end());
    world.depeg(&product, 80_000_000);
    assert_refused(close(&world, &product, Some(&early), &early_mint), BackstopError::CoverStillLive);
    world.run(&[], &[world.open_incident(&product)]);
    assert_eq!(world.incident(&product).gross, 1_000 * ONE);
    accepted(close(&world, &product, Some(&early), &early_mint));
    // Anybody else must wait until a cover is spent; its holder may give it up.
    assert_refused(close(&world, &product, None, &late_mint), BackstopError::HolderMustSign);
    accepted(close(&world, &product, Some(&late), &late_mint));
}

#[test]
fn a_cover_is_closed_under_its_own_product_and_pool() {
    let (world, _, product) = selling();
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 30);
    // A product that is over and done, on which every cover counts as spent.
    let other_pool = world.create_pool(terms::create_pool(1));
    let other = world.create_product(&other_pool, terms::stress());
    world.advance(3 * DAY);
    world.depeg(&other, 90_000_000);
    world.run(&[], &[world.open_incident(&other)]);
    let mut theft = ix::close_cover(&product, Some(holder.id()), mint, world.payer.pubkey());
    for account in &mut theft.accounts {
        match account.pubkey {
            key if key == product.pool.pool => account.pubkey = other_pool.pool,
            key if key == product.product => account.pubkey = other.product,
            _ => {}
        }
    }
    assert_refused(world.send(&[&holder.key], &[theft]), BackstopError::WrongParent);
    let mut mixed = ix::close_cover(&product, Some(holder.id()), mint, world.payer.pubkey());
    mixed.accounts[2].pubkey = other_pool.pool;
    assert_refused(world.send(&[&holder.key], &[mixed]), BackstopError::WrongParent);
}

// ---------------------------------------------------------------- what it takes

#[test]
fn a_purchase_fits_one_transaction_with_room_to_spare() {
    let (world, _, product) = selling();
    let (payer, buyer, receiver) = (world.person(0), world.person(10_000 * ONE), world.person(0));
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request: request(1_000 * ONE, 30), max_premium: u64::MAX };
    let buy = ix::buy_cover(&product, payer.id(), buyer.id(), receiver.id(), args);
    let accounts = buy.accounts.len();
    let signed = transaction::sign(&world.cluster, &payer.key, &[&buyer.key], &[budget(), buy]).unwrap();
    let keys = signed.message.static_account_keys().len();
    let bytes = 1 + 64 * signed.signatures.len() + signed.message.serialize().len();
    let receipt = world.cluster.send(&signed).unwrap();
    let mint = address::cover_mint(&product.product, &buyer.id(), 1, world.today());
    let rent = |address: &Pubkey| lamports(&world, address);
    let rents = [rent(&mint), rent(&address::cover(&mint)), rent(&nft_of(&receiver.id(), &mint))];
    let quote = world.run(&[], &[ix::quote(&product, request(1_000 * ONE, 30))]).compute_units;
    let back = world.cluster.set_tokens(&receiver.id(), &world.asset, 0);
    world.next_day();
    let cancelled = world.run(&[&receiver.key], &[ix::cancel_cover(&product, receiver.id(), mint, payer.id())]);
    assert!(world.tokens(&back) > 0);
    let (holder, mint) = world.holder(&product, 1_000 * ONE, 7);
    world.cluster.set_time(release_time(&world, &product, &mint));
    world.run(&[], &[ix::sync_product(&product)]);
    let closed = close(&world, &product, Some(&holder), &mint).unwrap();
    println!(
        "buy_cover: {} CU, {accounts} accounts, {keys} keys, {bytes} bytes, rent mint {} cover {} token account {}\n\
         quote: {quote} CU, cancel_cover: {} CU, close_cover: {} CU",
        receipt.compute_units, rents[0], rents[1], rents[2], cancelled.compute_units, closed.compute_units
    );
    assert!(bytes <= 1_232 - 200, "{bytes}");
    assert!(receipt.compute_units < 200_000, "{}", receipt.compute_units);
    assert!(quote < 40_000 && cancelled.compute_units < 60_000 && closed.compute_units < 40_000);
}

#[test]
fn number_and_day_of_a_cover_are_part_of_its_address() {
    let product = seeded(1).pubkey();
    let [buyer, other] = [2, 3].map(|number| seeded(number).pubkey());
    let all = [(buyer, 0, 7), (buyer, 1, 7), (buyer, u64::MAX, 7), (buyer, 0, 8), (other, 0, 7)];
    let mints: std::collections::HashSet<_> =
        all.iter().map(|(buyer, nonce, day)| address::cover_mint(&product, buyer, *nonce, *day)).collect();
    assert_eq!(mints.len(), all.len());
}
