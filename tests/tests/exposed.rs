//! Who earns premium, through the real program: capital that is exposed, by what of it is. And tranches in ruin: nobody's
//! dust inherits one or keeps it closed, and no fresh money comes in under an old loss.

use backstop::error::BackstopError;
use backstop::state::{Pool, ProductTerms, Seen, Tranche, TrancheBook};
use backstop_client::address;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_tests::reinsurance::RUIN;
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Person, World, assert_books, assert_refused};
use solana_sdk::signer::Signer;

const JUNIOR: Tranche = Tranche::Junior;
const SENIOR: Tranche = Tranche::Senior;

/// A pool with one product that may take all of its capital.
fn one_product(world: &World) -> (PoolKeys, ProductKeys) {
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product_with(&pool, product(world, 0));
    (pool, product)
}

fn product(world: &World, risk_group: u32) -> NewProduct {
    let terms = ProductTerms { cap_bps: 10_000, risk_group, ..terms::product_terms() };
    NewProduct { terms, ..terms::create_product(world.covered, terms::stress()) }
}

/// What somebody's shares are worth.
fn worth(world: &World, pool: &PoolKeys, person: &Person, tranche: Tranche) -> u64 {
    world.pool(pool).tranche(tranche).worth_of_shares(world.shares(pool, person, tranche)).unwrap()
}

/// The pool's books when all of a year's premium is earned.
fn a_year_later(world: &World, pool: &PoolKeys) -> Pool {
    world.advance(367 * DAY);
    world.run(&[], &[ix::accrue(pool.pool)]);
    assert_books(&world.cluster, &pool.pool);
    let books = world.pool(pool);
    assert_eq!(books.unearned_premium, 0);
    books
}

/// Two amounts that only rounding tells apart.
#[track_caller]
fn near(found: u64, expected: u64) {
    assert!(found.abs_diff(expected) <= 2, "{found} instead of {expected}");
}

#[test]
fn a_depositor_of_ten_on_a_surplus_of_a_million_earns_nothing_that_the_surplus_stands_for() {
    let world = World::new();
    let (pool, product) = one_product(&world);
    let giver = world.person(1_000_000 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&pool, giver.id(), 1_000_000 * ONE, Seen::ANYTHING)]);
    let ten = world.depositor(&pool, JUNIOR, 10 * ONE);
    world.next_day();
    let (_, cover) = world.holder(&product, 500_000 * ONE, 365);
    let premium = world.cover(&cover).premium;
    assert!(premium > 20_000 * ONE, "{premium}");
    // The surplus alone is twice what is required: it was 22,113 of 24,570 for the ten.
    let books = a_year_later(&world, &pool);
    assert_eq!((worth(&world, &pool, &ten, JUNIOR), books.surplus), (10 * ONE, 1_000_000 * ONE + premium));
}

#[test]
fn ten_dollars_that_are_exposed_earn_for_ten_dollars() {
    let world = World::new();
    let (pool, product) = one_product(&world);
    let giver = world.person(100_000 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&pool, giver.id(), 100_000 * ONE, Seen::ANYTHING)]);
    let ten = world.depositor(&pool, JUNIOR, 10 * ONE);
    world.next_day();
    // All 100,010 are required.
    let (_, cover) = world.holder(&product, 100_010 * ONE, 365);
    let premium = world.cover(&cover).premium;
    a_year_later(&world, &pool);
    near(worth(&world, &pool, &ten, JUNIOR), 10 * ONE + premium * 9 / 10 / 10_001);
}

#[test]
fn ten_million_of_senior_that_nothing_needs_take_nothing_from_the_junior_tranches_year() {
    for much_more in [0, 10_000_000 * ONE] {
        let world = World::new();
        let (pool, product) = one_product(&world);
        let junior = world.depositor(&pool, JUNIOR, 50_000 * ONE);
        world.depositor(&pool, SENIOR, 150_000 * ONE);
        world.next_day();
        let (_, cover) = world.holder(&product, 100_000 * ONE, 365);
        if much_more > 0 {
            world.depositor(&pool, SENIOR, much_more);
        }
        let premium = world.cover(&cover).premium;
        let books = a_year_later(&world, &pool);
        // Of the 100,000 required 50,000 are junior's, which weigh double, and 50,000 senior's: two thirds of nine tenths.
        near(worth(&world, &pool, &junior, JUNIOR), 50_000 * ONE + premium * 6 / 10);
        near(books.tranche(SENIOR).assets, 150_000 * ONE + much_more + premium * 3 / 10);
        assert_eq!(books.earned[1] + books.earned[0] + books.surplus, premium);
    }
}

#[test]
fn who_stays_last_does_not_earn_for_those_who_are_kept_and_these_do() {
    let world = World::new();
    let (pool, product) = one_product(&world);
    let locked = world.depositor(&pool, SENIOR, 100_000 * ONE);
    let stays = world.depositor(&pool, SENIOR, 10 * ONE);
    world.next_day();
    let (_, cover) = world.holder(&product, 100_000 * ONE, 365);
    let cover = world.cover(&cover);
    let nonce = world.exit(&pool, &locked, SENIOR, world.shares(&pool, &locked, SENIOR));
    let day = world.ticket(&pool, &locked, nonce).epoch_day;
    let waits_from = (i64::from(day) + 1) * DAY;
    world.cluster.set_time(waits_from);
    world.run(&[], &[ix::accrue(pool.pool)]);
    // Before its day is over the part of what leaves, 100,000 of 100,010, goes to the surplus.
    let earned = |seconds: i64| u64::try_from((u128::from(cover.rate_q32) * seconds as u128) >> 32).unwrap();
    let before = earned(waits_from - cover.active_from());
    let [surplus, staying] = [world.pool(&pool).surplus, world.pool(&pool).tranche(SENIOR).assets];
    near(staying, 10 * ONE + before * 9 / 10 / 10_001);
    near(surplus, before - before * 9 / 10 / 10_001);
    assert_eq!(world.pool(&pool).tranche(SENIOR).exiting, 100_000 * ONE);
    // From then on it is kept against its will, and earns: the surplus takes its place first, at twice the weight.
    world.cluster.set_time(waits_from + 300 * DAY);
    world.run(&[], &[ix::accrue(pool.pool)]);
    assert_books(&world.cluster, &pool.pool);
    let books = world.pool(&pool);
    let rest = u128::from(earned(waits_from + 300 * DAY - cover.active_from()) - before) * 9 / 10;
    let (in_front, required) = (u128::from(surplus), u128::from(100_000 * ONE));
    let senior = rest * (required - in_front) / (required + in_front);
    let kept = u64::try_from(senior * required / (required + u128::from(staying))).unwrap();
    near(books.tranche(SENIOR).exiting, 100_000 * ONE + kept);
    near(worth(&world, &pool, &stays, SENIOR), staying + u64::try_from(senior).unwrap() - kept);
    // Ten earn for ten: it was 6,568 of 7,408.
    assert!(worth(&world, &pool, &stays, SENIOR) < 11 * ONE);
    assert!(kept > 4_000 * ONE, "{kept}");
}

#[test]
fn shares_that_survive_a_ruin_as_dust_inherit_no_premium() {
    let world = World::new();
    let (pool, product) = one_product(&world);
    let senior = world.depositor(&pool, SENIOR, 100_000 * ONE);
    let dust = world.depositor(&pool, SENIOR, 10 * ONE);
    world.next_day();
    let (_, cover) = world.holder(&product, 100_000 * ONE, 365);
    let premium = world.cover(&cover).premium;
    world.advance(3 * DAY);
    world.exit(&pool, &senior, SENIOR, world.shares(&pool, &senior, SENIOR));
    world.exit(&pool, &dust, SENIOR, world.shares(&pool, &dust, SENIOR) - 98_000);
    world.depeg(&product, RUIN);
    world.open_and_fund(&product);
    // All of the premium was earned by the loss of 100,000, and bore it: what is left is theirs who bore the rest.
    let book = *world.pool(&pool).tranche(SENIOR);
    assert_eq!(world.pool(&pool).surplus, 0);
    near(book.assets + book.exiting, 10 * ONE + premium);
    assert!((book.shares, book.wiped_out) == (98_000, 0) && book.is_in_ruin());
    // It was 11,834 within the year, for 98,000 shares worth 0.0001: they have their part of what is left, and no more.
    assert!(worth(&world, &pool, &dust, SENIOR) <= 98);
    let books = a_year_later(&world, &pool);
    assert_eq!(*books.tranche(SENIOR), book);
}

#[test]
fn a_share_left_behind_does_not_keep_a_lost_tranche_closed() {
    let world = World::new();
    let (pool, product) = one_product(&world);
    let junior = world.depositor(&pool, JUNIOR, 20_000 * ONE);
    let one_share = world.depositor(&pool, JUNIOR, 10 * ONE);
    world.depositor(&pool, SENIOR, 80_000 * ONE);
    world.next_day();
    world.holder(&product, 50_000 * ONE, 30);
    world.advance(3 * DAY);
    world.exit(&pool, &junior, JUNIOR, world.shares(&pool, &junior, JUNIOR));
    world.exit(&pool, &one_share, JUNIOR, world.shares(&pool, &one_share, JUNIOR) - 1);
    world.depeg(&product, RUIN);
    world.open_and_fund(&product);
    assert_eq!(*world.pool(&pool).tranche(JUNIOR), TrancheBook { wiped_out: 1, ..TrancheBook::default() });
    let open = ix::open_series(world.governance.pubkey(), world.payer.pubkey(), pool.pool, JUNIOR, 1);
    world.run(&[&world.governance], &[open]);
    let renewed = PoolKeys::of(pool.pool, &world.pool(&pool), pool.asset_token_program);
    assert_eq!(renewed.share_mint(JUNIOR), address::share_mint(&pool.pool, JUNIOR, 1));
    let newcomer = world.depositor(&renewed, JUNIOR, 1_000 * ONE);
    assert_eq!(worth(&world, &renewed, &newcomer, JUNIOR), 1_000 * ONE);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn fresh_money_lowers_the_start_of_a_ruin_and_is_not_taken_by_the_next_loss() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let [first, second] = [0, 1].map(|group| world.create_product_with(&pool, product(&world, group)));
    let old = world.depositor(&pool, JUNIOR, 10_000 * ONE);
    world.depositor(&pool, SENIOR, 200_000 * ONE);
    world.next_day();
    world.holder(&first, 9_880 * ONE, 30);
    world.holder(&second, 22_000 * ONE, 60);
    world.advance(3 * DAY);
    // Who holds a little more than a dollar keeps nobody out.
    world.exit(&pool, &old, JUNIOR, world.shares(&pool, &old, JUNIOR) - 101 * ONE * 1_000);
    world.depeg(&first, RUIN);
    world.open_and_fund(&first);
    // A little more than 1.2 % of its start is left of the junior tranche: not over, but in ruin.
    let book = *world.pool(&pool).tranche(JUNIOR);
    assert_eq!((book.wiped_out, book.is_in_ruin()), (0, true));
    assert!((120 * ONE..200 * ONE).contains(&book.total()), "{}", book.total());
    assert!(worth(&world, &pool, &old, JUNIOR) < 2 * ONE);
    // Governance opens no new series over the head of who is in it.
    let open = ix::open_series(world.governance.pubkey(), world.payer.pubkey(), pool.pool, JUNIOR, 1);
    assert_refused(world.send(&[&world.governance], &[open]), BackstopError::TrancheNotWipedOut);
    // It was 100,000 that 22,000 of loss took in full; then nobody could come in. The start is lowered now.
    world.run(&[], &[ix::accrue(pool.pool)]);
    let price = worth(&world, &pool, &old, JUNIOR);
    let fresh = world.depositor(&pool, JUNIOR, 100_000 * ONE);
    let lowered = *world.pool(&pool).tranche(JUNIOR);
    assert_eq!((lowered.lowered, lowered.is_in_ruin()), (1, false));
    assert_eq!(worth(&world, &pool, &old, JUNIOR), price, "nobody's money moves by it");
    world.depeg(&second, RUIN);
    world.open_and_fund(&second);
    let books = world.pool(&pool);
    assert_eq!(books.tranche(JUNIOR).wiped_out, 0);
    // 22,000 less what the surplus bore, in proportion.
    let left = worth(&world, &pool, &fresh, JUNIOR);
    assert!((78_000 * ONE..79_000 * ONE).contains(&left), "{left}");
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_sale_needs_its_part_of_required_capital_from_surplus_and_junior() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.first_loss_bps = 2_000;
    let pool = world.create_pool(args);
    let product = world.create_product_with(&pool, product(&world, 0));
    world.depositor(&pool, JUNIOR, 10_000 * ONE);
    world.depositor(&pool, SENIOR, 90_000 * ONE);
    world.next_day();
    let buyer = world.person(100_000 * ONE);
    world.print(&product, 100_000_000);
    assert_refused(world.buy(&product, &buyer, 50_000 * ONE + 1, 30).1, BackstopError::FirstLossTooSmall);
    world.buy(&product, &buyer, 50_000 * ONE, 30).1.unwrap();
    assert_refused(world.buy(&product, &buyer, ONE, 30).1, BackstopError::FirstLossTooSmall);
    let giver = world.person(100 * ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&pool, giver.id(), 100 * ONE, Seen::ANYTHING)]);
    world.buy(&product, &buyer, 500 * ONE, 30).1.unwrap();
}

/// Finding 3 once more, by two alerts in a row: the second began before anybody had accrued, and what had stood in the first
/// went by what was exposed by then.
#[test]
fn an_alert_that_follows_at_once_does_not_share_out_what_stood_in_the_one_before() {
    let [accrued_between, at_once] = [true, false].map(|accrue| {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        let [first, second, sold] = [0, 1, 2].map(|group| world.create_product_with(&pool, product(&world, group)));
        world.depositor(&pool, JUNIOR, 300_000 * ONE);
        world.depositor(&pool, SENIOR, 1_000_000 * ONE);
        world.next_day();
        world.holder(&first, 200_000 * ONE, 365);
        world.holder(&second, 10_000 * ONE, 365);
        world.advance(3 * DAY);
        world.print(&first, 94_000_000);
        assert!(world.pool(&pool).alerts_hold());
        // A day stands. In its last hour somebody insures a lot in another group.
        world.advance(DAY);
        world.holder(&sold, 500_000 * ONE, 90);
        world.recover(&first, 100_000_000);
        let books = world.pool(&pool);
        assert_eq!((books.alerts, books.stands_since), (0, 0));
        if accrue {
            world.run(&[], &[ix::accrue(pool.pool)]);
        }
        world.advance(1);
        world.print(&second, 94_000_000);
        assert!(world.pool(&pool).alerts_hold());
        world.recover(&second, 100_000_000);
        world.run(&[], &[ix::accrue(pool.pool)]);
        assert_books(&world.cluster, &pool.pool);
        world.pool(&pool).earned
    });
    let [junior, senior] = at_once;
    assert!(junior > 10 * ONE, "{at_once:?}");
    near(junior, accrued_between[0]);
    near(senior, accrued_between[1]);
}
