//! A cover pool with a product, a protocol-owned reinsurance pool and an open one, and treaties between them.

use crate::terms::{self, DAY, ONE};
use crate::{Outcome, Person, World, assert_books, explain};
use anchor_lang::Discriminator;
use anchor_lang::prelude::Pubkey;
use backstop::CreatePoolArgs;
use backstop::state::{
    Access, Pool, PoolKind, Product, ProductTerms, Seen, Tranche, Treaty, TreatyKind, TreatyTerms, day_of,
};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::NewProduct;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys, TreatyKeys};
use solana_sdk::signer::Signer;

/// What the protocol-owned reinsurance pool begins with.
pub const OWNED: u64 = 100_000 * ONE;
/// What the cedant's surplus begins with.
pub const SURPLUS: u64 = 20_000 * ONE;
/// What is deposited in each pool that takes deposits: junior and senior.
pub const DEPOSITS: [u64; 2] = [50_000 * ONE, 150_000 * ONE];
/// A price of the covered asset at which the stress condition pays every sum insured in full.
pub const RUIN: i64 = 80_000_000;

/// A quota share of a limit, over a year from tomorrow.
pub fn quota_share(now: i64, cession_bps: u16, commission_bps: u16, limit: u64) -> TreatyTerms {
    over(now, 365, TreatyKind::QuotaShare { cession_bps, commission_bps }, limit)
}

/// A layer without reinstatements at 5 % on line, over a year from tomorrow.
pub fn layer(now: i64, attachment: u64, limit: u64) -> TreatyTerms {
    reinstated(now, attachment, limit, 0, 0)
}

/// A layer with reinstatements at 5 % on line, over a year from tomorrow.
pub fn reinstated(now: i64, attachment: u64, limit: u64, times: u8, premium_bps: u16) -> TreatyTerms {
    let kind = TreatyKind::ExcessOfLoss {
        attachment,
        rate_on_line_bps: 500,
        reinstatements: times,
        reinstatement_premium_bps: premium_bps,
    };
    over(now, 365, kind, limit)
}

/// Terms over a number of days from tomorrow.
pub fn over(now: i64, days: u32, kind: TreatyKind, limit: u64) -> TreatyTerms {
    let start_day = day_of(now) + 1;
    TreatyTerms { kind, limit, start_day, end_day: start_day + days }
}

/// The three pools and the product.
pub struct Scene {
    /// The cluster, the protocol and its roles.
    pub world: World,
    /// The cover pool that cedes.
    pub cedant: PoolKeys,
    /// The cedant's product: the stress condition.
    pub product: ProductKeys,
    /// A reinsurance pool that the protocol owns.
    pub owned: PoolKeys,
    /// A reinsurance pool that anybody may deposit into.
    pub open: PoolKeys,
}

impl Scene {
    /// Pools with surplus (but for the open one) and no deposits: nothing needs notice yet.
    pub fn new() -> Self {
        Self::on(World::new())
    }

    /// The same on a world.
    pub fn on(world: World) -> Self {
        let cedant = world.create_pool(terms::create_pool(0));
        let kind = PoolKind::Reinsurance;
        let owned = CreatePoolArgs { kind, access: Access::ProtocolOnly, ..terms::create_pool(1) };
        let open = CreatePoolArgs { kind, ..terms::create_pool(2) };
        let owned = world.create_pool(owned);
        let open = world.create_pool(open);
        let product = world.create_product(&cedant, terms::stress());
        let scene = Self { world, cedant, product, owned, open };
        scene.contribute(&scene.cedant, SURPLUS);
        scene.contribute(&scene.owned, OWNED);
        [&scene.cedant, &scene.owned].into_iter().for_each(|pool| scene.write_off_notice(pool));
        scene
    }

    /// Gives to a pool's surplus.
    #[track_caller]
    pub fn contribute(&self, pool: &PoolKeys, amount: u64) {
        let giver = self.world.person(amount);
        self.world.run(&[&giver.key], &[ix::contribute_surplus(pool, giver.id(), amount, Seen::ANYTHING)]);
    }

    /// Deposits in the cedant and in the open reinsurer. Returns who did, junior first, the cedant's first.
    #[track_caller]
    pub fn capital(&self) -> [Person; 4] {
        let deposit = |pool, tranche: Tranche| self.world.depositor(pool, tranche, DEPOSITS[tranche.index()]);
        [
            deposit(&self.cedant, Tranche::Junior),
            deposit(&self.cedant, Tranche::Senior),
            deposit(&self.open, Tranche::Junior),
            deposit(&self.open, Tranche::Senior),
        ]
    }

    /// Announces a treaty of the cedant.
    pub fn announce(&self, reinsurer: &PoolKeys, terms: TreatyTerms) -> (TreatyKeys, Outcome) {
        self.announce_between(&self.cedant, reinsurer, terms)
    }

    /// Announces a treaty between any pools.
    pub fn announce_between(
        &self,
        cedant: &PoolKeys,
        reinsurer: &PoolKeys,
        terms: TreatyTerms,
    ) -> (TreatyKeys, Outcome) {
        let world = &self.world;
        [cedant, reinsurer].into_iter().for_each(|pool| self.write_off_notice(pool));
        let keys = TreatyKeys::derive(*cedant, reinsurer.pool, world.pool(cedant).treaties);
        let create = ix::create_treaty(world.governance.pubkey(), world.payer.pubkey(), &keys, terms);
        (keys, world.send(&[&world.governance], &[create]))
    }

    /// Writes the notice off that surplus and treaties bring, as long as there are no shares and covers: so the treaties of
    /// a case are in the place where it wants them.
    fn write_off_notice(&self, pool: &PoolKeys) {
        let books = self.world.pool(pool);
        if books.in_use == 1 && books.total_exposure == 0 && books.tranches.iter().all(|book| book.shares == 0) {
            self.edit(pool, |books| books.in_use = 0);
        }
    }

    /// Announces a treaty that must be taken.
    #[track_caller]
    pub fn announced(&self, reinsurer: &PoolKeys, terms: TreatyTerms) -> TreatyKeys {
        let (keys, outcome) = self.announce(reinsurer, terms);
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        keys
    }

    /// Accepts a treaty.
    pub fn accept(&self, treaty: &TreatyKeys) -> Outcome {
        let world = &self.world;
        world.send(&[&world.governance], &[ix::accept_treaty(world.governance.pubkey(), treaty)])
    }

    /// Announces treaties, brings capital in, accepts them, and waits for their term to begin.
    #[track_caller]
    pub fn in_force<const N: usize>(&self, treaties: [(&PoolKeys, TreatyTerms); N]) -> [TreatyKeys; N] {
        let keys = treaties.map(|(reinsurer, terms)| self.announced(reinsurer, terms));
        self.capital();
        for treaty in &keys {
            self.accept(treaty).unwrap_or_else(|error| panic!("{}", explain(&error)));
        }
        self.world.next_day();
        self.assert_books();
        keys
    }

    /// A further product of the cedant, in a risk group of its own, that sells at once: its notice is written off, so
    /// that the treaties of a case are still in the place where it wants them.
    pub fn second_group(&self) -> ProductKeys {
        let world = &self.world;
        let terms = ProductTerms { risk_group: 1, ..terms::product_terms() };
        let args = NewProduct { terms, ..terms::create_product(world.covered, terms::stress()) };
        let keys = world.create_product_with(&self.cedant, args);
        let mut product = world.product(&keys);
        product.sells_from = world.now();
        self.write(keys.product, Product::DISCRIMINATOR.len(), bytemuck::bytes_of(&product));
        keys
    }

    /// A further product of the cedant, like the first, before anybody deposits.
    pub fn another_product(&self) -> ProductKeys {
        self.write_off_notice(&self.cedant);
        self.world.create_product(&self.cedant, terms::stress())
    }

    /// Writes bytes into an account.
    fn write(&self, address: Pubkey, at: usize, bytes: &[u8]) {
        let mut account = self.world.cluster.account(&address).expect("the cluster answers").expect("it is there");
        account.data[at..at + bytes.len()].copy_from_slice(bytes);
        self.world.cluster.set_account(address, account);
    }

    /// What is left of a treaty's limit, and what it owes, by the cedant's books.
    #[track_caller]
    pub fn left_and_owed(&self, keys: &TreatyKeys) -> (u64, u64) {
        let cedant = self.world.pool(&keys.cedant);
        cedant.limit_and_owed(&keys.treaty).expect("the treaty is in force")
    }

    /// A treaty's account.
    #[track_caller]
    pub fn treaty(&self, keys: &TreatyKeys) -> Treaty {
        self.world.read(&keys.treaty)
    }

    /// Calls a treaty for the incident of a product.
    pub fn call(&self, treaty: &TreatyKeys, product: &ProductKeys) -> Outcome {
        self.world.send(&[], &[ix::call_treaty(treaty, product, self.world.incident(product).crisis)])
    }

    /// Ends a treaty.
    pub fn end(&self, treaty: &TreatyKeys) -> Outcome {
        self.world.send(&[], &[ix::end_treaty(treaty, self.world.payer.pubkey())])
    }

    /// Commutes a treaty.
    pub fn commute(&self, treaty: &TreatyKeys) -> Outcome {
        let world = &self.world;
        world.send(&[&world.governance], &[ix::commute_treaty(world.governance.pubkey(), treaty)])
    }

    /// Hands the quota share's premium over.
    pub fn settle_premium(&self, reinsurer: &PoolKeys) -> Outcome {
        self.world.send(&[], &[ix::settle_treaty_premium(&self.cedant, reinsurer.pool)])
    }

    /// Brings a pool's premium up to now.
    #[track_caller]
    pub fn accrue(&self, pool: &PoolKeys) -> Pool {
        self.world.run(&[], &[ix::accrue(pool.pool)]);
        self.world.pool(pool)
    }

    /// Somebody who insures a sum on the product for 30 days, three days ago by the end of this.
    #[track_caller]
    pub fn insured(&self, product: &ProductKeys, sum: u64) -> (Person, Pubkey) {
        let holder = self.world.holder(product, sum, 30);
        self.world.advance(3 * DAY);
        holder
    }

    /// An event that costs every sum insured in full, and its incident opened.
    #[track_caller]
    pub fn strike(&self, product: &ProductKeys) {
        self.world.depeg(product, RUIN);
        self.world.run(&[], &[self.world.open_incident(product)]);
    }

    /// Funds an incident.
    pub fn fund(&self, product: &ProductKeys) -> Outcome {
        self.world.send(&[], &[self.world.fund_incident(product)])
    }

    /// Asserts the books of the three pools, and that what treaties can ask for is the same in all places that note it.
    #[track_caller]
    pub fn assert_books(&self) {
        for pool in [&self.cedant, &self.owned, &self.open] {
            assert_books(&self.world.cluster, &pool.pool);
        }
        for reinsurer in [&self.owned, &self.open] {
            for inward in self.world.pool(reinsurer).inward.iter().filter(|inward| inward.treaty != Pubkey::default()) {
                let treaty: Treaty = self.world.read(&inward.treaty);
                assert_eq!(inward.cedant, treaty.cedant);
                assert_eq!(treaty.reinsurer, reinsurer.pool);
                let cedant: Pool = self.world.read(&inward.cedant);
                let (left, owed) = cedant.limit_and_owed(&inward.treaty).expect("it is in force");
                let layer = cedant.layers.iter().find(|layer| layer.treaty == inward.treaty);
                let later = layer.map_or(0, |layer| layer.restored_later);
                assert_eq!(inward.limit, left + owed + later, "what the reinsurer stands behind");
            }
        }
    }

    /// Asserts that an outcome is a refusal by a token program, as of a frozen account.
    #[track_caller]
    pub fn assert_frozen(&self, outcome: Outcome) {
        let error = outcome.expect_err("the vault is frozen");
        assert_eq!(backstop_client::transaction::program_error(&error), None, "{}", explain(&error));
        assert!(explain(&error).contains("frozen"), "{}", explain(&error));
    }

    /// Freezes or thaws a pool's vault, as an issuer can.
    pub fn freeze(&self, pool: &PoolKeys, frozen: bool) {
        self.write(pool.vault(), 108, &[if frozen { 2 } else { 1 }]);
    }

    /// Writes a pool's books, as no instruction could: for states that should never be.
    pub fn edit(&self, pool: &PoolKeys, change: impl FnOnce(&mut Pool)) {
        let mut books = self.world.pool(pool);
        change(&mut books);
        self.write(pool.pool, Pool::DISCRIMINATOR.len(), bytemuck::bytes_of(&books));
    }

    /// Changes a product's account.
    pub fn edit_product(&self, keys: &ProductKeys, change: impl FnOnce(&mut Product)) {
        let mut product = self.world.product(keys);
        change(&mut product);
        self.write(keys.product, Product::DISCRIMINATOR.len(), bytemuck::bytes_of(&product));
    }

    /// Takes capital away from a reinsurer until only so much is left, as no instruction could.
    pub fn ruin(&self, pool: &PoolKeys, left: u64) {
        self.edit(pool, |books| {
            let gone = books.surplus - left;
            books.surplus = left;
            books.cash -= gone;
        });
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}
