//! What most commands are about: a pool with capital, a product, somebody with a cover, and somebody with money.

use crate::desk::{Desk, Run};
use anchor_lang::prelude::Pubkey;
use backstop::state::Tranche;
use backstop_client::instruction::{PoolKeys, ProductKeys};
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Person, World};

/// A desk at a pool of 100,000 with a product that has sold a cover of 10,000 for 30 days.
pub struct Scene {
    /// Node and home.
    pub desk: Desk,
    /// The pool.
    pub pool: PoolKeys,
    /// The product, on the "stress" condition.
    pub product: ProductKeys,
    /// Who holds the cover.
    pub holder: Person,
    /// The cover's NFT.
    pub cover: Pubkey,
    /// Somebody with 5,000.
    pub person: Person,
}

impl Scene {
    /// The scene in JSON and text files is always the same.
    pub fn new() -> Self {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        let product = world.create_product(&pool, terms::stress());
        world.depositor(&pool, Tranche::Junior, 20_000 * ONE);
        world.depositor(&pool, Tranche::Senior, 80_000 * ONE);
        // Capital counts from the next day on.
        world.next_day();
        let (holder, cover) = world.holder(&product, 10_000 * ONE, 30);
        let person = world.person(5_000 * ONE);
        Self { desk: Desk::new(world), pool, product, holder, cover, person }
    }

    /// The pool's address.
    pub fn pool(&self) -> String {
        self.pool.pool.to_string()
    }

    /// The product's address.
    pub fn product(&self) -> String {
        self.product.product.to_string()
    }

    /// Runs the binary for the one with money, with the result in JSON.
    pub fn act(&self, arguments: &[&str]) -> Run {
        self.desk.act(&self.person.key, &[arguments, &["--output", "json"]].concat())
    }

    /// Compares what a command tells in JSON, and for people, with what is committed.
    #[track_caller]
    pub fn shows(&self, name: &str, arguments: &[&str]) {
        self.desk.snapshot(name, self.desk.look(&[arguments, &["--output", "json"]].concat()));
        self.desk.display(name, self.desk.look(arguments));
    }
}

/// Half of the premium that a cover had not earned when its incident's challenge ended.
pub fn half_back(world: &World, product: &ProductKeys, mint: &Pubkey) -> u64 {
    let cover = world.cover(mint);
    let seconds = u128::try_from(cover.end() - world.incident(product).ended_at).expect("it was in force");
    u64::try_from((u128::from(cover.rate_q32) * seconds) >> 32).expect("it fits") / 2
}
