//! Liens, parts and assertions through the real program: who is paid first, what an encumbered policy cannot do, and how
//! each attack ends.

use anchor_lang::prelude::Pubkey;
use anchor_spl::token_2022;
use anchor_spl::token_2022::spl_token_2022::instruction as token;
use backstop::error::BackstopError;
use backstop::events::{CoverSplit, LienLifted, LienLowered, LienSet, LienSettled, PositionSplit};
use backstop::peril::evidence::TermsInput;
use backstop::state::{CoverRequest, CoverState, IncidentState, Lien, Position, Tranche};
use backstop::{AssertPolicyArgs, BuyCoverArgs, BuyPositionArgs, SplitCoverArgs, SplitPositionArgs};
use backstop_client::audit;
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, Pledge, PoolKeys, ProductKeys};
use backstop_client::{account, address, transaction};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, budget, seeded};
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;

/// A price at which the stress condition pays half.
const HALF: i64 = 87_500_000;
/// What policies insure here.
const SUM: u64 = 10_000 * ONE;
/// What payees are owed here.
const DEBT: u64 = 3_000 * ONE;

struct Scene {
    world: World,
    pool: PoolKeys,
    product: ProductKeys,
    lender: Person,
}

impl Scene {
    /// A pool with capital, a product that sells, and somebody who lends.
    fn new() -> Self {
        Self::with(50_000 * ONE, 150_000 * ONE)
    }

    fn with(junior: u64, senior: u64) -> Self {
        Self::listening(terms::stress(), junior, senior)
    }

    fn listening(condition: TermsInput, junior: u64, senior: u64) -> Self {
        let world = World::unsigned();
        let pool = world.create_pool(terms::create_pool(0));
        let product = world.create_product(&pool, condition);
        world.depositor(&pool, Tranche::Junior, junior);
        world.depositor(&pool, Tranche::Senior, senior);
        world.next_day();
        world.print(&product, 100_000_000);
        let lender = world.person(0);
        Self { world, pool, product, lender }
    }

    fn payer(&self) -> Pubkey {
        self.world.payer.pubkey()
    }

    fn to(&self, person: &Person) -> Pubkey {
        self.pool.assets_of(&person.id())
    }

    /// Somebody with a cover, in force from the next day but two.
    fn cover(&self) -> (Person, Pubkey) {
        self.world.holder(&self.product, SUM, 30)
    }

    fn position(&self) -> (Person, Pubkey) {
        let owner = self.world.person(SUM);
        let (position, outcome) = self.world.buy_position(&self.product, [&owner, &owner], SUM, 30);
        outcome.unwrap_or_else(|error| panic!("{}", backstop_tests::explain(&error)));
        (owner, position)
    }

    fn set(&self, by: &Person, pledge: Pledge, payee: Pubkey, limit: u64) -> Outcome {
        let set = ix::set_lien(&self.product, self.payer(), by.id(), pledge, payee, limit);
        self.world.send(&[&by.key], &[set])
    }

    /// Puts a lien of the debt on a policy, for the lender.
    #[track_caller]
    fn pledge(&self, by: &Person, pledge: Pledge) {
        self.set(by, pledge, self.to(&self.lender), DEBT)
            .unwrap_or_else(|error| panic!("{}", backstop_tests::explain(&error)));
    }

    fn lift(&self, by: Option<&Person>, policy: Pubkey) -> Outcome {
        let lift = ix::lift_lien(self.pool.pool, by.map(Person::id), policy, self.payer());
        match by {
            Some(by) => self.world.send(&[&by.key], &[lift]),
            None => self.world.send(&[], &[lift]),
        }
    }

    fn lower(&self, by: &Person, policy: Pubkey, payee: Pubkey, limit: u64) -> Outcome {
        self.world.send(&[&by.key], &[ix::lower_lien(self.pool.pool, by.id(), policy, payee, limit)])
    }

    fn settle_lien(&self, policy: Pubkey, payee: Pubkey) -> Outcome {
        self.world.send(&[], &[ix::settle_lien(&self.product, policy, payee)])
    }

    fn settle_cover(&self, holder: &Person, mint: &Pubkey) -> Outcome {
        let settle = ix::settle_cover(&self.product, holder.id(), *mint);
        self.world.send(&[], &[ix::under_lien(settle, &address::cover(mint))])
    }

    fn settle_position(&self, position: Pubkey) -> Outcome {
        let to = self.world.position(&position).beneficiary;
        let settle = ix::settle_position(&self.product, position, to);
        self.world.send(&[], &[ix::under_lien(settle, &position)])
    }

    /// Proves an event of half a loss, opens its incident and funds it.
    fn lose(&self) {
        self.world.advance(3 * DAY);
        self.world.depeg(&self.product, HALF);
        self.world.open_and_fund(&self.product);
    }

    fn lien(&self, policy: &Pubkey) -> Option<Lien> {
        account::find(&self.world.cluster, &address::lien(policy)).unwrap()
    }

    fn split_cover(&self, by: &Person, mint: Pubkey, sum: u64, nonce: u64) -> (Pubkey, Outcome) {
        let args = SplitCoverArgs { sum_insured: sum, nonce, day: self.world.today() };
        let split = ix::split_cover(&self.product, self.payer(), by.id(), mint, by.id(), args);
        let part = address::cover_mint(&self.product.product, &by.id(), nonce, self.world.today());
        (part, self.world.send(&[&by.key], &[budget(), split]))
    }

    fn split_position(&self, by: &Person, position: Pubkey, sum: u64, nonce: u64) -> (Pubkey, Outcome) {
        let args = SplitPositionArgs { sum_insured: sum, nonce };
        let split = ix::split_position(&self.product, self.payer(), by.id(), position, args);
        (address::position(&self.product.product, &by.id(), nonce), self.world.send(&[&by.key], &[split]))
    }

    fn assert(&self, policy: Pubkey, change: impl FnOnce(&mut AssertPolicyArgs)) -> Outcome {
        let mut args = AssertPolicyArgs {
            min_sum_insured: SUM,
            max_paid: 0,
            state: CoverState::Active,
            no_lien: true,
            live: true,
            min_end_day: 0,
        };
        change(&mut args);
        self.world.send(&[], &[ix::assert_policy(self.product.product, policy, args)])
    }

    fn checked(&self) {
        assert_books(&self.world.cluster, &self.pool.pool);
    }
}

/// Changes the bytes of an account.
fn rewrite(world: &World, address: Pubkey, change: impl FnOnce(&mut Account)) {
    let mut account = world.cluster.account(&address).unwrap().unwrap();
    change(&mut account);
    world.cluster.set_account(address, account);
}

fn gone(scene: &Scene, address: &Pubkey) -> bool {
    scene.world.cluster.account(address).unwrap().is_none_or(|account| account.lamports == 0)
}

// ---------------------------------------------------------------- who is paid

#[test]
fn the_payee_is_paid_first_and_the_holder_the_rest_in_either_order() {
    for payee_first in [true, false] {
        let scene = Scene::new();
        let (holder, mint) = scene.cover();
        let cover = address::cover(&mint);
        scene.pledge(&holder, Pledge::Cover(mint));
        assert!(scene.world.cover(&mint).has_lien);
        scene.lose();
        let (had, lent) = (scene.world.assets(&holder), scene.world.assets(&scene.lender));
        let due = scene.world.incident(&scene.product).payout(&scene.world.cover(&mint).policy).unwrap();
        assert_eq!(due.amount, SUM / 2);
        let payee = || scene.settle_lien(cover, scene.to(&scene.lender));
        if payee_first {
            let receipt = payee().unwrap();
            let event = transaction::events::<LienSettled>(&receipt.logs).remove(0);
            assert_eq!((event.policy, event.payee), (cover, scene.to(&scene.lender)));
            assert_eq!((event.amount, event.limit_left, event.state), (DEBT, 0, CoverState::Active));
        }
        scene.settle_cover(&holder, &mint).unwrap();
        if !payee_first {
            assert_eq!(scene.world.cover(&mint).state, CoverState::Refunded, "the payee is not paid yet");
            assert_eq!(scene.world.incident(&scene.product).sums_left, SUM);
            scene.checked();
            payee().unwrap();
        }
        assert_eq!(scene.world.assets(&scene.lender) - lent, DEBT);
        assert_eq!(scene.world.assets(&holder) - had, SUM / 2 - DEBT + due.refund, "premium is the holder's");
        let paid = scene.world.cover(&mint);
        assert_eq!((paid.state, paid.paid), (CoverState::Settled, SUM / 2));
        assert_eq!(scene.world.incident(&scene.product).sums_left, 0);
        // Nothing twice.
        assert_refused(payee(), BackstopError::CoverNotActive);
        assert_refused(scene.settle_cover(&holder, &mint), BackstopError::CoverNotActive);
        scene.checked();
    }
}

#[test]
fn purchase_and_lien_are_one_transaction() {
    let scene = Scene::new();
    let (world, product) = (&scene.world, &scene.product);
    let buyer = world.person(2 * SUM);
    let request = CoverRequest { sum_insured: SUM, term_days: 30 };
    let args = BuyCoverArgs { nonce: 1, day: world.today(), request, max_premium: SUM };
    let mint = address::cover_mint(&product.product, &buyer.id(), 1, world.today());
    let buy = ix::buy_cover(product, scene.payer(), buyer.id(), buyer.id(), args);
    let to = scene.to(&scene.lender);
    let set = ix::set_lien(product, scene.payer(), buyer.id(), Pledge::Cover(mint), to, DEBT);
    let receipt = world.send(&[&buyer.key], &[budget(), buy, set]).unwrap();
    let event = transaction::events::<LienSet>(&receipt.logs).remove(0);
    assert_eq!((event.policy, event.payee, event.limit), (address::cover(&mint), to, DEBT));
    assert_eq!((event.payee_owner, event.product), (scene.lender.id(), product.product));

    let args = BuyPositionArgs { nonce: 1, request, max_premium: SUM, reference: [0; 32] };
    let position = address::position(&product.product, &buyer.id(), 1);
    let buy = ix::buy_position(product, scene.payer(), buyer.id(), scene.to(&buyer), args);
    let set = ix::set_lien(product, scene.payer(), buyer.id(), Pledge::Position(position), to, DEBT);
    world.run(&[&buyer.key], &[budget(), buy, set]);
    let lien = scene.lien(&position).unwrap();
    assert_eq!((lien.policy, lien.limit_left, lien.paid, lien.pool), (position, DEBT, 0, scene.pool.pool));
    scene.checked();
}

#[test]
fn a_payee_of_all_is_paid_all_of_the_loss_and_the_holder_the_premium() {
    let scene = Scene::new();
    let (owner, position) = scene.position();
    scene.set(&owner, Pledge::Position(position), scene.to(&scene.lender), u64::MAX).unwrap();
    scene.lose();
    let had = scene.world.assets(&owner);
    scene.settle_lien(position, scene.to(&scene.lender)).unwrap();
    assert_eq!(scene.world.assets(&scene.lender), SUM / 2, "all of the loss");
    let policy = scene.world.position(&position);
    assert_eq!((policy.state, policy.paid), (CoverState::Active, SUM / 2), "its premium is still to come");
    scene.settle_position(position).unwrap();
    assert!(scene.world.assets(&owner) > had, "the premium that was not lost");
    assert_eq!(scene.world.position(&position).state, CoverState::Settled);
    scene.checked();
}

#[test]
fn a_payee_is_paid_also_if_the_nft_is_burnt() {
    let scene = Scene::new();
    let (holder, mint) = scene.cover();
    let cover = address::cover(&mint);
    scene.pledge(&holder, Pledge::Cover(mint));
    let nft = address::associated_token(&holder.id(), &mint, &token_2022::ID);
    let burn = token::burn(&token_2022::ID, &nft, &mint, &holder.id(), &[], 1).unwrap();
    scene.world.run(&[&holder.key], &[burn]);
    scene.lose();
    // Nobody takes the cover away before.
    let close = ix::close_cover(&scene.product, None, mint, scene.payer());
    assert_refused(scene.world.send(&[], &[close]), BackstopError::CoverStillLive);
    scene.settle_lien(cover, scene.to(&scene.lender)).unwrap();
    assert_eq!(scene.world.assets(&scene.lender), DEBT);
    scene.checked();
}

// ---------------------------------------------------------------- what an encumbered policy cannot do

#[test]
fn a_borrower_neither_cancels_nor_redirects_nor_splits_nor_gives_up() {
    let scene = Scene::new();
    let ((holder, mint), (owner, position)) = (scene.cover(), scene.position());
    scene.pledge(&holder, Pledge::Cover(mint));
    scene.pledge(&owner, Pledge::Position(position));
    scene.world.advance(2 * DAY);
    scene.world.print(&scene.product, 100_000_000);
    let cancel_cover = || ix::cancel_cover(&scene.product, holder.id(), mint, scene.payer());
    let cancel_position = || ix::cancel_position(&scene.product, owner.id(), position, scene.payer());
    let redirect = || ix::set_beneficiary(&scene.product, owner.id(), position, scene.to(&holder));
    let by_holder = |instruction| scene.world.send(&[&holder.key], &[instruction]);
    let by_owner = |instruction| scene.world.send(&[&owner.key], &[instruction]);
    assert_refused(by_holder(cancel_cover()), BackstopError::PolicyEncumbered);
    assert_refused(by_owner(cancel_position()), BackstopError::PolicyEncumbered);
    assert_refused(by_owner(redirect()), BackstopError::PolicyEncumbered);
    assert_refused(scene.split_cover(&holder, mint, SUM / 2, 9).1, BackstopError::PolicyEncumbered);
    assert_refused(scene.split_position(&owner, position, SUM / 2, 9).1, BackstopError::PolicyEncumbered);
    // One lien a policy.
    let again = scene.set(&holder, Pledge::Cover(mint), scene.to(&holder), 1);
    assert_refused(again, BackstopError::PolicyEncumbered);

    // The payee agrees by lifting, in the same transaction, and is there again after it.
    let lift = ix::lift_lien(scene.pool.pool, Some(scene.lender.id()), position, scene.payer());
    let to = scene.to(&scene.lender);
    let anew = ix::set_lien(&scene.product, scene.payer(), owner.id(), Pledge::Position(position), to, DEBT);
    scene.world.run(&[&owner.key, &scene.lender.key], &[budget(), lift, redirect(), anew]);
    assert_eq!(scene.world.position(&position).beneficiary, scene.to(&holder));
    assert_eq!(scene.lien(&position).unwrap().limit_left, DEBT);

    scene.lose();
    let close_cover = ix::close_cover(&scene.product, Some(holder.id()), mint, scene.payer());
    let close_position = ix::close_position(&scene.product, owner.id(), position, scene.payer());
    assert_refused(by_holder(close_cover), BackstopError::PolicyEncumbered);
    assert_refused(by_owner(close_position), BackstopError::PolicyEncumbered);
    // Once the product is over nobody waits for the payee's signature to be paid what is not the payee's.
    by_owner(ix::set_beneficiary(&scene.product, owner.id(), position, scene.to(&owner))).unwrap();
    scene.settle_position(position).unwrap();
    scene.settle_lien(position, to).unwrap();
    by_owner(ix::close_position(&scene.product, owner.id(), position, scene.payer())).unwrap();
    scene.checked();
}

#[test]
fn only_its_payee_lowers_and_lifts_a_lien() {
    let scene = Scene::new();
    let (holder, mint) = scene.cover();
    let cover = address::cover(&mint);
    scene.pledge(&holder, Pledge::Cover(mint));
    let lender = scene.to(&scene.lender);
    assert_refused(scene.lift(Some(&holder), cover), BackstopError::NotLienPayee);
    assert_refused(scene.lift(None, cover), BackstopError::LienInForce);
    assert_refused(scene.lower(&holder, cover, lender, 1), BackstopError::NotLienPayee);
    for limit in [0, DEBT + 1, u64::MAX] {
        assert_refused(scene.lower(&scene.lender, cover, lender, limit), BackstopError::OutOfBounds);
    }
    for bad in [scene.pool.vault(), scene.pool.asset_mint, holder.id()] {
        assert_refused(scene.lower(&scene.lender, cover, bad, 1), BackstopError::BadBeneficiary);
    }
    // The loan is sold: another has the lien, and the first nothing more to say.
    let bank = scene.world.person(0);
    let receipt = scene.lower(&scene.lender, cover, scene.to(&bank), DEBT - 1).unwrap();
    let event = transaction::events::<LienLowered>(&receipt.logs).remove(0);
    assert_eq!((event.limit, event.payee, event.payee_owner), (DEBT - 1, scene.to(&bank), bank.id()));
    assert_refused(scene.lift(Some(&scene.lender), cover), BackstopError::NotLienPayee);
    let lamports = || scene.world.cluster.account(&scene.payer()).unwrap().unwrap().lamports;
    let (had, rent) = (lamports(), scene.world.cluster.account(&address::lien(&cover)).unwrap().unwrap().lamports);
    let receipt = scene.lift(Some(&bank), cover).unwrap();
    let event = transaction::events::<LienLifted>(&receipt.logs).remove(0);
    assert_eq!((event.policy, event.limit_left), (cover, DEBT - 1));
    assert!(lamports() + 20_000 > had + rent, "the rent goes to whoever paid it, less the fee");
    assert!(gone(&scene, &address::lien(&cover)) && !scene.world.cover(&mint).has_lien);
    scene.checked();
}

#[test]
fn only_whoever_has_the_policy_sets_a_lien_and_to_an_account_that_can_be_paid() {
    let scene = Scene::new();
    let ((holder, mint), (owner, position)) = (scene.cover(), scene.position());
    let thief = scene.world.person(0);
    let to = scene.to(&scene.lender);
    assert_refused(scene.set(&thief, Pledge::Cover(mint), to, 1), BackstopError::NotHolder);
    let mut set = ix::set_lien(&scene.product, scene.payer(), thief.id(), Pledge::Cover(mint), to, 1);
    set.accounts[2].pubkey = address::associated_token(&holder.id(), &mint, &token_2022::ID);
    assert_refused(scene.world.send(&[&thief.key], &[set.clone()]), BackstopError::NotHolder);
    // Another cover's NFT is not this one's.
    let (other, others) = scene.cover();
    set.accounts[1].pubkey = other.id();
    set.accounts[2].pubkey = address::associated_token(&other.id(), &others, &token_2022::ID);
    assert_refused(scene.world.send(&[&other.key], &[set.clone()]), BackstopError::NotHolder);
    // Without the NFT's account, as if it were a position; and a position with one.
    set.accounts[2] = anchor_lang::prelude::AccountMeta::new_readonly(backstop::ID, false);
    assert_refused(scene.world.send(&[&other.key], &[set]), BackstopError::NotHolder);
    assert_refused(scene.set(&thief, Pledge::Position(position), to, 1), BackstopError::NotPositionOwner);
    let mut set = ix::set_lien(&scene.product, scene.payer(), owner.id(), Pledge::Position(position), to, 1);
    set.accounts[2].pubkey = to;
    assert_refused(scene.world.send(&[&owner.key], &[set]), BackstopError::UnexpectedAccounts);
    let other_mint = scene.world.cluster.set_tokens(&scene.lender.id(), &scene.world.covered, 0);
    for bad in [scene.pool.vault(), other_mint, scene.pool.asset_mint, scene.lender.id(), seeded(99).pubkey()] {
        assert_refused(scene.set(&owner, Pledge::Position(position), bad, 1), BackstopError::BadBeneficiary);
    }
    assert_refused(scene.set(&owner, Pledge::Position(position), to, 0), BackstopError::AmountTooSmall);
    // In an alert and after the event too: what is unpaid is the holder's to give. Not once all is paid.
    scene.lose();
    scene.pledge(&owner, Pledge::Position(position));
    scene.settle_position(position).unwrap();
    scene.settle_lien(position, to).unwrap();
    assert_eq!(scene.world.assets(&scene.lender), DEBT);
    scene.world.settle(&scene.product, &holder, &mint).unwrap();
    assert_refused(scene.set(&holder, Pledge::Cover(mint), to, 1), BackstopError::CoverNotActive);
    scene.checked();
}

// ---------------------------------------------------------------- liens hidden, forged, outlived

#[test]
fn a_lien_is_neither_hidden_nor_forged() {
    let scene = Scene::new();
    let ((holder, mint), (owner, position)) = (scene.cover(), scene.position());
    let (free, free_mint) = scene.cover();
    let cover = address::cover(&mint);
    scene.pledge(&holder, Pledge::Cover(mint));
    scene.set(&owner, Pledge::Position(position), scene.to(&owner), 1).unwrap();
    scene.lose();
    let vault = scene.world.tokens(&scene.pool.vault());
    // Left out.
    assert_refused(scene.world.settle(&scene.product, &holder, &mint), BackstopError::LienNotShown);
    assert_refused(scene.world.settle_position(&scene.product, &position), BackstopError::LienNotShown);
    // Another policy's, whose limit is a unit; an account that is none; its own and one more; its bytes elsewhere.
    let settle = |shown: &[Pubkey]| {
        let mut settle = ix::settle_cover(&scene.product, holder.id(), mint);
        let metas = shown.iter().map(|key| anchor_lang::prelude::AccountMeta::new_readonly(*key, false));
        settle.accounts.extend(metas);
        scene.world.send(&[], &[settle])
    };
    let clone = seeded(77).pubkey();
    let mut copy = scene.world.cluster.account(&address::lien(&cover)).unwrap().unwrap();
    copy.owner = token_2022::ID;
    scene.world.cluster.set_account(clone, copy);
    let own = address::lien(&cover);
    for shown in [vec![address::lien(&position)], vec![cover], vec![clone], vec![own, own], vec![scene.pool.pool]] {
        assert_refused(settle(&shown), BackstopError::LienNotShown);
    }
    // A cover without one takes none.
    let mut with = ix::settle_cover(&scene.product, free.id(), free_mint);
    with = ix::under_lien(with, &cover);
    assert_refused(scene.world.send(&[], &[with]), BackstopError::UnexpectedAccounts);
    // Nor is another's lien paid out of this one.
    let mut other = ix::settle_lien(&scene.product, cover, scene.to(&owner));
    other.accounts[5].pubkey = address::lien(&position);
    assert_refused(scene.world.send(&[], &[other]), BackstopError::WrongParent);
    // To nobody else, whoever signs.
    assert_refused(scene.settle_lien(cover, scene.to(&holder)), BackstopError::WrongAccount);
    assert_eq!(scene.world.tokens(&scene.pool.vault()), vault);
    scene.checked();
}

#[test]
fn a_lien_that_outlived_its_position_binds_no_other_and_is_lifted_by_anyone() {
    let scene = Scene::new();
    let (world, product) = (&scene.world, &scene.product);
    let owner = world.person(3 * SUM);
    let position = address::position(&product.product, &owner.id(), 5);
    let buy = || {
        let request = CoverRequest { sum_insured: SUM, term_days: 30 };
        let args = BuyPositionArgs { nonce: 5, request, max_premium: SUM, reference: [0; 32] };
        ix::buy_position(product, scene.payer(), owner.id(), scene.to(&owner), args)
    };
    world.run(&[&owner.key], &[budget(), buy()]);
    scene.pledge(&owner, Pledge::Position(position));
    // It ends, is released and closed; its lien is still there.
    world.advance(40 * DAY);
    world.run(&[], &[ix::sync_product(product)]);
    world.run(&[&owner.key], &[ix::close_position(product, owner.id(), position, scene.payer())]);
    assert!(scene.lien(&position).is_some());
    world.print(product, 100_000_000);
    world.advance(DAY);
    world.print(product, 100_000_000);
    world.run(&[&owner.key], &[budget(), buy()]);
    assert!(!world.position(&position).has_lien, "another position of the same address is free");
    let to = scene.to(&scene.lender);
    assert_refused(scene.set(&owner, Pledge::Position(position), to, 1), BackstopError::IdTaken);
    let with = ix::under_lien(ix::settle_position(product, position, scene.to(&owner)), &position);
    scene.lose();
    assert_refused(world.send(&[], &[with]), BackstopError::UnexpectedAccounts);
    assert_refused(scene.settle_lien(position, to), BackstopError::WrongParent);
    scene.lift(None, position).unwrap();
    assert!(gone(&scene, &address::lien(&position)));
    scene.set(&owner, Pledge::Position(position), to, 1).unwrap();
    scene.checked();
}

#[test]
fn a_lien_that_is_used_up_is_lifted_by_anyone() {
    let scene = Scene::new();
    let (owner, position) = scene.position();
    scene.pledge(&owner, Pledge::Position(position));
    scene.lose();
    scene.settle_lien(position, scene.to(&scene.lender)).unwrap();
    scene.lift(None, position).unwrap();
    let had = scene.world.assets(&owner);
    scene.world.settle_position(&scene.product, &position).unwrap();
    assert!(scene.world.assets(&owner) - had >= SUM / 2 - DEBT);
    assert_eq!(scene.world.position(&position).state, CoverState::Settled);
    scene.checked();
}

#[test]
fn a_payee_that_cannot_receive_holds_nobody_up_and_its_owner_names_another() {
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
        let scene = Scene::new();
        let (owner, position) = scene.position();
        scene.pledge(&owner, Pledge::Position(position));
        scene.lose();
        let payee = scene.to(&scene.lender);
        way(&scene.world, payee);
        let vault = scene.world.tokens(&scene.pool.vault());
        assert_refused(scene.settle_lien(position, payee), BackstopError::PayeeCannotReceive);
        assert_eq!((scene.world.tokens(&scene.pool.vault()), scene.world.position(&position).paid), (vault, 0));
        let had = scene.world.assets(&owner);
        scene.settle_position(position).unwrap();
        assert!(scene.world.assets(&owner) - had >= SUM / 2 - DEBT);
        // What the payee is due stays there for it.
        let other = scene.world.person(0);
        scene.lower(&scene.lender, position, scene.to(&other), DEBT).unwrap();
        scene.settle_lien(position, scene.to(&other)).unwrap();
        assert_eq!(scene.world.assets(&other), DEBT);
        assert_eq!(scene.world.position(&position).state, CoverState::Settled);
        scene.checked();
    }
}

#[test]
fn a_beneficiary_that_cannot_receive_does_not_hold_the_payee_up() {
    let scene = Scene::new();
    let (owner, position) = scene.position();
    scene.pledge(&owner, Pledge::Position(position));
    scene.lose();
    rewrite(&scene.world, scene.to(&owner), |account| account.data[108] = 2);
    assert_refused(scene.settle_position(position), BackstopError::BeneficiaryCannotReceive);
    scene.settle_lien(position, scene.to(&scene.lender)).unwrap();
    assert_eq!(scene.world.assets(&scene.lender), DEBT);
    scene.checked();
}

#[test]
fn a_policy_that_was_waiting_gives_its_premium_to_the_holder() {
    let scene = Scene::new();
    scene.cover();
    scene.world.advance(3 * DAY);
    scene.world.print(&scene.product, 100_000_000);
    let (owner, position) = scene.position();
    scene.pledge(&owner, Pledge::Position(position));
    scene.world.depeg(&scene.product, HALF);
    scene.world.open_and_fund(&scene.product);
    let payee = scene.to(&scene.lender);
    assert_refused(scene.settle_lien(position, payee), BackstopError::NothingOwed);
    let had = scene.world.assets(&owner);
    scene.settle_position(position).unwrap();
    assert!(scene.world.assets(&owner) > had);
    assert_eq!(scene.world.assets(&scene.lender), 0);
    assert_eq!(scene.world.position(&position).state, CoverState::Settled);
    scene.checked();
}

// ---------------------------------------------------------------- a second payment under a lien

/// When the payee of a lien calls for its part of an incident that grows: at the first payment and at every later one, only
/// after the second, or last of all, when the holder has had everything.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Calls {
    Early,
    Late,
    Last,
}

/// A fifth is due at first, 2,000 of 10,000, and half in the end; the payee's limit is 3,000. Returns what it and the holder
/// were paid for the loss, each after the first payment, after the second, and in the end.
fn topped_up(calls: Calls, lowered: Option<u64>, holder_first: bool) -> [[u64; 2]; 3] {
    let growing = TermsInput { run_on_seconds: 86_400, ..terms::stress() };
    let scene = Scene::listening(growing, 50_000 * ONE, 150_000 * ONE);
    let (world, product) = (&scene.world, &scene.product);
    let (owner, position) = scene.position();
    scene.pledge(&owner, Pledge::Position(position));
    world.advance(3 * DAY);
    world.depeg_until_proven(product, 92_000_000);
    world.open_and_fund(product);
    let incident = world.incident(product);
    assert_eq!((incident.severity_bps, incident.reserve), (2_000, SUM / 5));
    assert_eq!(incident.state, IncidentState::Growing);

    let had = [&scene.lender, &owner].map(|who| world.assets(who));
    let paid = || [world.assets(&scene.lender) - had[0], world.assets(&owner) - had[1]];
    // Each as far as there is something for it, and nobody twice.
    let call = |payee: bool| {
        let settle = || match payee {
            true => scene.settle_lien(position, scene.to(&scene.lender)),
            false => scene.settle_position(position),
        };
        let before = paid();
        match settle() {
            Ok(_) => {
                assert!(paid()[usize::from(!payee)] > before[usize::from(!payee)] || payee, "{before:?}");
                assert!(settle().is_err(), "a second call pays nothing");
            }
            Err(_) => assert_refused(settle(), BackstopError::NothingOwed),
        }
        assert_eq!(paid()[usize::from(payee)], before[usize::from(payee)], "the other's part is untouched");
        scene.checked();
    };
    let both = |payee_calls: bool| {
        for payee in if holder_first { [false, true] } else { [true, false] } {
            if !payee || payee_calls {
                call(payee);
            }
        }
        paid()
    };
    if let Some(limit) = lowered.filter(|_| calls != Calls::Early) {
        scene.lower(&scene.lender, position, scene.to(&scene.lender), limit).unwrap();
    }
    let first = both(calls == Calls::Early);
    if let Some(limit) = lowered.filter(|_| calls == Calls::Early) {
        scene.lower(&scene.lender, position, scene.to(&scene.lender), limit).unwrap();
    }

    // The price falls on.
    for _ in 0..8 {
        world.cluster.set_time((world.now() / 1_800 + 1) * 1_800);
        world.print(product, HALF);
    }
    world.advance(1_800 + 6 * 3_600);
    world.run(&[], &[world.fund_incident(product)]);
    let incident = world.incident(product);
    assert_eq!((incident.severity_bps, incident.reserve), (5_000, SUM / 2));
    assert_eq!(incident.state, IncidentState::Growing);
    let second = both(calls != Calls::Last);

    world.cluster.set_time(incident.final_at);
    world.run(&[], &[world.fund_incident(product)]);
    let incident = world.incident(product);
    assert_eq!((incident.state, incident.severity_bps, incident.reserve), (IncidentState::Final, 5_000, SUM / 2));
    let premium = incident.payout(&world.position(&position).policy).unwrap().refund;
    assert!(premium > 0, "it is the holder's, who paid it");
    if calls == Calls::Last {
        call(false);
        assert_eq!(world.position(&position).state, CoverState::Refunded, "the payee's part waits for it");
        call(true);
    } else {
        call(false);
    }
    let policy = world.position(&position);
    assert_eq!((policy.state, policy.paid, policy.refunded), (CoverState::Settled, SUM / 2, premium));
    let incident = world.incident(product);
    assert_eq!((incident.paid, incident.sums_left, incident.refunds_left), (SUM / 2, 0, 0));
    for late in [scene.settle_lien(position, scene.to(&scene.lender)), scene.settle_position(position)] {
        assert_refused(late, BackstopError::CoverNotActive);
    }
    let lien = scene.lien(&position).unwrap();
    let [to_payee, to_holder] = paid();
    assert_eq!(lien.paid, to_payee);
    scene.checked();
    [first, second, [to_payee, to_holder - premium]]
}

#[test]
fn a_top_up_under_a_lien_is_the_payees_up_to_its_limit_and_then_the_holders_whoever_calls_when() {
    let (first, second) = ([2_000 * ONE, 0], [3_000 * ONE, 2_000 * ONE]);
    for holder_first in [false, true] {
        assert_eq!(topped_up(Calls::Early, None, holder_first), [first, second, second], "{holder_first}");
        // Late: of the first payment all waits for it, and none of it is the holder's.
        assert_eq!(topped_up(Calls::Late, None, holder_first), [[0, 0], second, second], "{holder_first}");
        assert_eq!(topped_up(Calls::Last, None, holder_first), [[0, 0], [0, 2_000 * ONE], second], "{holder_first}");
    }
}

#[test]
fn a_lien_that_is_lowered_between_two_payments_gives_up_what_was_not_paid_yet_and_nothing_that_was() {
    for holder_first in [false, true] {
        // 1,000 of its limit are left after the first payment; 400 of them it keeps.
        let early = topped_up(Calls::Early, Some(400 * ONE), holder_first);
        let ends = [2_400 * ONE, 2_600 * ONE];
        assert_eq!(early, [[2_000 * ONE, 0], ends, ends], "{holder_first}");
        // Not paid yet, and lowered to 1,400: the holder has the rest of the first payment at once.
        let ends = [1_400 * ONE, 3_600 * ONE];
        let late = topped_up(Calls::Late, Some(1_400 * ONE), holder_first);
        assert_eq!(late, [[0, 600 * ONE], ends, ends], "{holder_first}");
        let last = topped_up(Calls::Last, Some(1_400 * ONE), holder_first);
        assert_eq!(last, [[0, 600 * ONE], [0, 3_600 * ONE], ends], "{holder_first}");
    }
}

// ---------------------------------------------------------------- parts

#[test]
fn a_part_of_a_cover_is_a_cover_and_both_are_what_the_one_was() {
    let scene = Scene::new();
    let (holder, mint) = scene.cover();
    let whole = scene.world.cover(&mint);
    let (books, product) = (scene.world.pool(&scene.pool), scene.world.product(&scene.product));
    scene.world.advance(DAY);
    let (part_mint, outcome) = scene.split_cover(&holder, mint, SUM / 3, 4);
    let receipt = outcome.unwrap();
    let (left, part) = (scene.world.cover(&mint), scene.world.cover(&part_mint));
    assert_eq!(part.sum_insured, SUM / 3);
    assert_eq!(left.sum_insured + part.sum_insured, whole.sum_insured);
    assert_eq!(left.premium + part.premium, whole.premium);
    assert_eq!(left.rate_q32 + part.rate_q32, whole.rate_q32);
    let same = |policy: &backstop::state::Policy| (policy.active_day, policy.end_day, policy.bought_at, policy.state);
    assert_eq!((same(&left), same(&part)), (same(&whole), same(&whole)));
    assert!(left.was_changed && part.was_changed && !whole.was_changed);
    assert_eq!((part.minted_day, left.minted_day), (scene.world.today(), 0));
    assert_eq!(scene.world.tokens(&address::associated_token(&holder.id(), &part_mint, &token_2022::ID)), 1);
    let event = transaction::events::<CoverSplit>(&receipt.logs).remove(0);
    assert_eq!((event.cover, event.part), (address::cover(&mint), address::cover(&part_mint)));
    assert_eq!((event.sum_insured, event.premium, event.rate_q32), (part.sum_insured, part.premium, part.rate_q32));
    let (after, product_after) = (scene.world.pool(&scene.pool), scene.world.product(&scene.product));
    assert_eq!(
        (after.cash, after.unearned_premium, after.rate_q32),
        (books.cash, books.unearned_premium, books.rate_q32)
    );
    assert_eq!((product_after.exposure, product_after.covers_sold), (product.exposure, product.covers_sold));
    scene.checked();

    // A part is not given back on the day that is in its address; the old one is, for its day is over.
    let cancel = |mint| ix::cancel_cover(&scene.product, holder.id(), mint, scene.payer());
    let by_holder = |instruction| scene.world.send(&[&holder.key], &[instruction]);
    assert_refused(by_holder(cancel(part_mint)), BackstopError::BoughtToday);
    by_holder(cancel(mint)).unwrap();
    scene.world.advance(DAY);
    scene.world.print(&scene.product, 100_000_000);
    by_holder(cancel(part_mint)).unwrap();
    assert_eq!(scene.world.product(&scene.product).exposure, 0);
    scene.checked();
}

#[test]
fn parts_are_paid_as_the_whole_and_none_blocks_the_last() {
    let scene = Scene::new();
    let (owner, position) = scene.position();
    let reference = scene.world.position(&position);
    let mut parts = vec![position];
    // Sums that do not divide: each loses less than a unit.
    for (nonce, sum) in [(101, 1_000 * ONE + 1), (102, 1_234_567_891), (103, 999_999_999), (104, 2_000 * ONE - 3)] {
        let (part, outcome) = scene.split_position(&owner, position, sum, nonce);
        let receipt = outcome.unwrap();
        let event = transaction::events::<PositionSplit>(&receipt.logs).remove(0);
        assert_eq!((event.position, event.part, event.sum_insured, event.owner), (position, part, sum, owner.id()));
        parts.push(part);
    }
    let told = |read: fn(&Position) -> u64| parts.iter().map(|part| read(&scene.world.position(part))).sum::<u64>();
    assert_eq!(told(|part| part.sum_insured), SUM);
    assert_eq!(told(|part| part.premium), reference.premium);
    assert_eq!(told(|part| part.rate_q32), reference.rate_q32);
    for part in &parts {
        let part = scene.world.position(part);
        assert_eq!((part.beneficiary, part.reference), (reference.beneficiary, reference.reference));
    }
    scene.checked();
    scene.lose();
    let had = scene.world.assets(&owner);
    for part in &parts {
        scene.world.settle_position(&scene.product, part).unwrap();
    }
    let incident = scene.world.incident(&scene.product);
    assert_eq!((incident.sums_left, incident.gross), (0, SUM / 2));
    assert!(incident.paid <= incident.reserve && incident.gross - incident.paid < 5);
    assert!(scene.world.assets(&owner) - had >= SUM / 2 - 5);
    scene.checked();
}

#[test]
fn a_cover_is_not_split_when_it_is_listed_paid_over_ended_or_too_small() {
    let scene = Scene::new();
    let (holder, mint) = scene.cover();
    let thief = scene.world.person(0);
    let nft = address::associated_token(&holder.id(), &mint, &token_2022::ID);
    let args = |sum, day| SplitCoverArgs { sum_insured: sum, nonce: 4, day };
    let mut stolen = ix::split_cover(
        &scene.product,
        scene.payer(),
        thief.id(),
        mint,
        thief.id(),
        args(SUM / 2, scene.world.today()),
    );
    stolen.accounts[2].pubkey = nft;
    assert_refused(scene.world.send(&[&thief.key], &[budget(), stolen]), BackstopError::NotHolder);
    for day in [scene.world.today() - 1, scene.world.today() + 1] {
        let split = ix::split_cover(&scene.product, scene.payer(), holder.id(), mint, holder.id(), args(SUM / 2, day));
        let outcome = scene.world.send(&[&holder.key], &[budget(), split]);
        assert_refused(outcome, BackstopError::WrongPurchaseDay);
    }
    let least = scene.world.pool(&scene.pool).terms.min_sum_insured;
    for sum in [0, 1, least - 1, SUM - least + 1, SUM, SUM + 1, u64::MAX] {
        assert_refused(scene.split_cover(&holder, mint, sum, 4).1, BackstopError::AmountTooSmall);
    }
    // A marketplace may sell it: neither split nor pledged.
    let market = seeded(50).pubkey();
    let list = token::approve(&token_2022::ID, &nft, &market, &holder.id(), &[], 1).unwrap();
    scene.world.run(&[&holder.key], &[list]);
    assert_refused(scene.split_cover(&holder, mint, SUM / 2, 4).1, BackstopError::NftDelegated);
    let listed = scene.set(&holder, Pledge::Cover(mint), scene.to(&thief), 1);
    assert_refused(listed, BackstopError::NftDelegated);
    let unlist = token::revoke(&token_2022::ID, &nft, &holder.id(), &[]).unwrap();
    scene.world.run(&[&holder.key], &[unlist]);
    scene.split_cover(&holder, mint, least, 4).1.unwrap();
    // Its number is taken for this day.
    assert!(scene.split_cover(&holder, mint, least, 4).1.is_err());

    scene.lose();
    assert_refused(scene.split_cover(&holder, mint, SUM / 2, 5).1, BackstopError::ProductOver);
    scene.checked();

    let scene = Scene::new();
    let (owner, position) = scene.position();
    let thief = scene.world.person(0);
    assert_refused(scene.split_position(&thief, position, SUM / 2, 4).1, BackstopError::NotPositionOwner);
    scene.split_position(&owner, position, SUM / 2, 4).1.unwrap();
    assert_refused(scene.split_position(&owner, position, SUM / 4, 4).1, BackstopError::IdTaken);
    scene.world.advance(40 * DAY);
    assert_refused(scene.split_position(&owner, position, SUM / 4, 5).1, BackstopError::CoverEnded);
    scene.checked();
}

// ---------------------------------------------------------------- assertions

#[test]
fn a_buyer_puts_the_truth_into_his_transaction() {
    let scene = Scene::new();
    let (holder, mint) = scene.cover();
    let cover = address::cover(&mint);
    let end = scene.world.cover(&mint).end_day;
    scene.assert(cover, |args| args.min_end_day = end).unwrap();
    assert_refused(scene.assert(cover, |args| args.min_sum_insured += 1), BackstopError::SumBelowAsserted);
    assert_refused(scene.assert(cover, |args| args.min_end_day = end + 1), BackstopError::EndsBeforeAsserted);
    assert_refused(scene.assert(cover, |args| args.state = CoverState::Settled), BackstopError::StateNotAsserted);
    let other = scene.world.create_product(&scene.pool, terms::stress());
    let elsewhere = AssertPolicyArgs {
        min_sum_insured: 0,
        max_paid: 0,
        state: CoverState::Active,
        no_lien: false,
        live: false,
        min_end_day: 0,
    };
    let wrong = ix::assert_policy(other.product, cover, elsewhere);
    assert_refused(scene.world.send(&[], &[wrong]), BackstopError::WrongParent);

    scene.pledge(&holder, Pledge::Cover(mint));
    assert_refused(scene.assert(cover, |_| ()), BackstopError::PolicyEncumbered);
    scene.assert(cover, |args| args.no_lien = false).unwrap();
    scene.lift(Some(&scene.lender), cover).unwrap();
    scene.split_cover(&holder, mint, SUM / 2, 4).1.unwrap();
    assert_refused(scene.assert(cover, |_| ()), BackstopError::SumBelowAsserted);

    // The shell of a cover whose product is over, or that was paid.
    scene.lose();
    let half = |args: &mut AssertPolicyArgs| args.min_sum_insured = SUM / 2;
    assert_refused(scene.assert(cover, half), BackstopError::ProductOver);
    scene
        .assert(cover, |args| {
            half(args);
            args.live = false;
        })
        .unwrap();
    scene.world.settle(&scene.product, &holder, &mint).unwrap();
    assert_refused(scene.assert(cover, half), BackstopError::PaidAboveAsserted);
    let paid = |args: &mut AssertPolicyArgs| {
        half(args);
        args.max_paid = SUM;
    };
    assert_refused(scene.assert(cover, paid), BackstopError::StateNotAsserted);
    scene.checked();
}

// ---------------------------------------------------------------- what parts give back

/// A stranger cuts parts off a cover of a hundred dollars, each just short of a unit of its premium, which the rest then has,
/// and gives that back before it begins. Were it given back with all of its premium, the parts would have more to earn than
/// the pool was left with, and the incident of everybody could not be opened.
#[test]
fn nobody_blocks_an_incident_by_what_the_parts_of_a_cover_give_back() {
    let scene = Scene::new();
    let Scene { world, pool, product, .. } = &scene;
    let (holder, mint) = scene.cover();
    world.advance(DAY / 2);
    world.print(product, 100_000_000);
    let owner = world.person(100 * ONE);
    let (position, outcome) = world.buy_position(product, [&owner, &owner], 100 * ONE, 30);
    outcome.unwrap();
    for nonce in 0..40 {
        let policy = world.position(&position).policy;
        let short = |sum: &u64| u128::from(policy.premium) * u128::from(*sum) % u128::from(policy.sum_insured);
        let sum = (ONE..ONE + 2_000).max_by_key(short).unwrap();
        scene.split_position(&owner, position, sum, 90_000 + nonce).1.unwrap();
    }
    world.next_day();
    let had = world.assets(&owner);
    world.send(&[&owner.key], &[ix::cancel_position(product, owner.id(), position, scene.payer())]).unwrap();
    assert!(world.assets(&owner) > had);
    let audit = audit::run(&world.cluster, None).unwrap();
    let off: Vec<_> = audit.pools.iter().flat_map(|pool| &pool.outcomes).flat_map(|one| &one.findings).collect();
    assert!(off.is_empty(), "{off:#?}");
    scene.lose();
    world.settle(product, &holder, &mint).unwrap();
    assert!(world.assets(&holder) >= SUM / 2);
    assert_books(&world.cluster, &pool.pool);
}
