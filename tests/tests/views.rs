//! What is shown of covers and purchases is what the program does.

use anchor_lang::prelude::Pubkey;
use backstop::BuyCoverArgs;
use backstop::state::{Claim, Cover, CoverRequest, Tranche};
use backstop_client::account::{self, AccountError};
use backstop_client::instruction::{self as ix, ProductKeys};
use backstop_client::quote::Market;
use backstop_client::view::cover::{Basis, Payout, Standing, payout};
use backstop_client::view::purchase::{free_numbers, rent};
use backstop_client::{Cluster, address};
use backstop_tests::terms::{DAY, ONE, create_pool, stress};
use backstop_tests::{Person, World, budget};
use solana_sdk::signer::Signer;

/// A cover of 1,000 that protects from now on.
struct Policy {
    world: World,
    keys: ProductKeys,
    mint: Pubkey,
    holder: Person,
}

impl Policy {
    fn new() -> Self {
        let world = World::new();
        let pool = world.create_pool(create_pool(0));
        world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
        world.next_day();
        let keys = world.create_product(&pool, stress());
        world.advance(20 * DAY);
        let (holder, mint) = world.holder(&keys, 1_000 * ONE, 30);
        Self { world, keys, mint, holder }
    }

    fn standing(&self) -> Standing {
        let (cover, product) = (self.world.cover(&self.mint), self.world.product(&self.keys));
        Standing::of(&cover, &product, &self.world.trigger(&self.keys), self.world.now())
    }

    fn payout(&self) -> Payout {
        let incident = self.world.cluster.account(&self.keys.incident()).unwrap();
        let incident = incident.map(|_| self.world.incident(&self.keys));
        let cover = self.world.cover(&self.mint);
        let now = self.world.now();
        payout(&cover, &self.world.product(&self.keys).terms, &self.world.trigger(&self.keys), incident.as_ref(), now)
            .expect("a price was shown")
    }
}

#[test]
fn a_cover_without_an_event_waits_protects_and_ends() {
    let policy = Policy::new();
    assert_eq!(policy.standing(), Standing::Waiting);
    policy.world.advance(2 * DAY);
    assert_eq!(policy.standing(), Standing::InForce);
    policy.world.advance(30 * DAY);
    assert_eq!(policy.standing(), Standing::Ending);
    policy.world.advance(10 * DAY);
    policy.world.run(&[], &[ix::sync_product(&policy.keys)]);
    assert_eq!(policy.standing(), Standing::Ended);
}

#[test]
fn what_a_cover_would_pay_follows_price_evidence_and_incident() {
    let policy = Policy::new();
    let calm = policy.payout();
    assert_eq!((calm.basis, calm.claim, calm.amount), (Basis::LastPrice, None, 0));

    policy.world.print(&policy.keys, 92_000_000);
    let waiting = policy.payout();
    let premium = policy.world.cover(&policy.mint).premium;
    // All of it, but for the unit by which its rate was rounded down.
    assert_eq!((waiting.claim, waiting.amount, waiting.refund), (Some(Claim::Refund), 0, premium - 1));

    policy.world.advance(2 * DAY);
    policy.world.print(&policy.keys, 92_000_000);
    let breached = policy.payout();
    assert_eq!((breached.basis, breached.severity_bps, breached.amount), (Basis::LastPrice, 2_000, 200 * ONE));

    policy.world.depeg(&policy.keys, 90_000_000);
    let triggered = policy.payout();
    assert_eq!((triggered.basis, triggered.claim), (Basis::Evidence, Some(Claim::Loss)));
    assert_eq!(policy.standing(), Standing::Claim);

    policy.world.open_and_fund(&policy.keys);
    assert_eq!(policy.standing(), Standing::Claim);
    let funded = policy.payout();
    assert_eq!(funded.basis, Basis::Funded);
    assert_eq!(funded.severity_bps, triggered.severity_bps);

    let before = policy.world.assets(&policy.holder);
    policy.world.settle(&policy.keys, &policy.holder, &policy.mint).expect("it is settled");
    assert!(funded.refund > 0);
    assert_eq!(policy.world.assets(&policy.holder) - before, funded.total());
    assert_eq!(policy.standing(), Standing::Paid);
}

/// A product that sells, and its market.
fn shop() -> (World, ProductKeys) {
    let world = World::new();
    let pool = world.create_pool(create_pool(0));
    world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.next_day();
    let keys = world.create_product(&pool, stress());
    world.advance(20 * 86_400);
    world.print(&keys, 100_000_000);
    (world, keys)
}

#[test]
fn the_rent_that_is_told_is_what_a_purchase_takes() {
    let (world, keys) = shop();
    let request = CoverRequest { sum_insured: 1_234 * ONE + 5, term_days: 30 };
    let market = Market::fetch(&world.cluster, &keys).expect("the accounts are there");
    let quote = market.quote(request, world.now()).expect("it is for sale");
    let told = rent(&world.cluster, &market, &quote).expect("the cluster answers");
    let (buyer, payer) = (world.person(1_000 * ONE), world.person(0));
    let args = BuyCoverArgs { nonce: 0, day: world.today(), request, max_premium: quote.premium };
    let lamports = |key: &Pubkey| world.cluster.account(key).unwrap().map_or(0, |account| account.lamports);
    let before = lamports(&payer.id());
    let buy = ix::buy_cover(&keys, payer.id(), buyer.id(), buyer.id(), args);
    world.run(&[&buyer.key, &payer.key], &[budget(), buy]);
    assert_eq!(before - lamports(&payer.id()), told);
}

#[test]
fn the_lowest_free_number_skips_covers_of_the_day_and_accounts_that_were_left_behind() {
    let (world, keys) = shop();
    let (buyer, other) = (world.person(1_000 * ONE), world.person(0));
    let free = |receivers: &[Pubkey]| {
        free_numbers(&world.cluster, &keys, &buyer.id(), world.today(), receivers).expect("the cluster answers")
    };
    let buy = |nonce| {
        let request = CoverRequest { sum_insured: 100 * ONE, term_days: 30 };
        let args = BuyCoverArgs { nonce, day: world.today(), request, max_premium: u64::MAX };
        let buy = ix::buy_cover(&keys, world.payer.pubkey(), buyer.id(), buyer.id(), args);
        world.run(&[&buyer.key], &[budget(), buy]);
    };
    assert_eq!(free(&[buyer.id()]), [0]);
    buy(0);
    buy(2);
    assert_eq!(free(&[buyer.id()]), [1]);
    assert_eq!(free(&[buyer.id(), other.id(), buyer.id()]), [1, 3, 4]);
    // Somebody made the receiver's account of an NFT that is not there; lamports alone occupy nothing.
    let mint = |nonce| address::cover_mint(&keys.product, &buyer.id(), nonce, world.today());
    world.cluster.airdrop(&mint(1), 1_000_000);
    assert_eq!(free(&[buyer.id()]), [1]);
    let left = address::associated_token(&other.id(), &mint(1), &anchor_spl::token_2022::ID);
    let nft = world.cluster.account(&address::associated_token(&buyer.id(), &mint(0), &anchor_spl::token_2022::ID));
    world.cluster.set_account(left, nft.unwrap().expect("it was bought"));
    assert_eq!((free(&[buyer.id()]), free(&[other.id()])), (vec![1], vec![3]));
    // Every day has its own numbers, whatever became of those of the day before.
    world.next_day();
    assert_eq!(free(&[buyer.id(), other.id()]), [0, 1]);
}

#[test]
fn a_list_with_an_account_that_cannot_be_read_is_refused_and_not_shortened() {
    let (world, keys) = shop();
    let (_, mint) = world.holder(&keys, 100 * ONE, 30);
    let readable = || account::readable::<Cover>(&world.cluster, None).expect("the cluster answers").len();
    assert_eq!((account::list::<Cover>(&world.cluster, None).expect("all are read").len(), readable()), (1, 1));
    let cover = address::cover(&mint);
    let mut other = world.cluster.account(&cover).unwrap().expect("it was bought");
    other.data[<Cover as backstop::state::Versioned>::VERSION_AT] += 1;
    world.cluster.set_account(cover, other);
    let refused = account::list::<Cover>(&world.cluster, None).expect_err("one cannot be read");
    assert!(matches!(refused, AccountError::Layout { what: "cover", address } if address == cover));
    assert_eq!(readable(), 0);
}
