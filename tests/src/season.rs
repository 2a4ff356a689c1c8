//! A vintage with readings: pools, products and covers of a season.

use crate::attest::FEED;
use crate::terms::{self, DAY, ONE};
use crate::world::{Person, World};
use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::Direction;
use backstop::peril::reading::ReadingInput;
use backstop::state::{PoolTerms, ProductTerms, Tranche};
use backstop::{CreatePoolArgs, SetReadingArgs};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use solana_sdk::signer::Signer;

/// One of a value, in 1e-8.
pub const E8: u64 = 100_000_000;
/// Days from the beginning of a season's sales to the first day of its period, and how long that is.
pub const SALES: u32 = 20;
/// Days of its period.
pub const DAYS: u16 = 30;

/// A season: rain below 120 mm in 30 days pays, at 40 mm everything.
pub struct Season {
    /// The vintage.
    pub pool: PoolKeys,
    /// Its readings.
    pub products: Vec<ProductKeys>,
    /// Whoever put capital in: 90,000 into the senior tranche and 10,000 into the junior one.
    pub providers: [Person; 2],
    /// What each reading is.
    pub reading: ReadingInput,
    /// Whoever reports.
    pub attestors: Pubkey,
}

impl Season {
    /// A vintage of 100,000 with so many readings, each of its own risk group, on the first day of their sales.
    #[track_caller]
    pub fn begin(world: &World, attestors: Pubkey, products: usize) -> Self {
        let begins_day = world.today() + 1 + SALES;
        let reading = ReadingInput {
            direction: Direction::Below,
            strike: 120 * E8,
            exit: 40 * E8,
            begins_day,
            due_at: i64::from(begins_day + u32::from(DAYS)) * DAY - 3_600,
        };
        let terms = PoolTerms { sells_until_day: begins_day, ..terms::pool_terms() };
        let pool = world.create_pool(CreatePoolArgs { terms, ..terms::create_pool(70) });
        let mut season = Self {
            pool,
            products: Vec::new(),
            providers: [world.person(90_000 * ONE), world.person(10_000 * ONE)],
            reading,
            attestors,
        };
        for _ in 0..products {
            let product = season.announce(world);
            season.set(world, &product);
            season.products.push(product);
        }
        for (provider, (tranche, amount)) in
            season.providers.iter().zip([(Tranche::Senior, 90_000 * ONE), (Tranche::Junior, 10_000 * ONE)])
        {
            let deposited = world.deposit(&pool, provider, tranche, amount);
            deposited.unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
        }
        world.next_day();
        season
    }

    /// Announces one more reading, which has no condition yet.
    #[track_caller]
    pub fn announce(&self, world: &World) -> ProductKeys {
        let group = u32::from(world.pool(&self.pool).products);
        let terms = ProductTerms { risk_group: group, cap_bps: 5_000, ..season_terms() };
        let new = NewProduct {
            name: "Rain below 120 mm".into(),
            terms,
            ..terms::create_product(world.covered, terms::stress())
        };
        world.announce_product(&self.pool, &new)
    }

    /// What makes a product one of the season's readings.
    pub fn args(&self) -> SetReadingArgs {
        SetReadingArgs { feed: FEED, reading: self.reading }
    }

    /// Makes an announced product one of the season's readings.
    #[track_caller]
    pub fn set(&self, world: &World, product: &ProductKeys) {
        let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
        world.run(&[&world.governance], &[ix::set_reading(governance, payer, product, self.attestors, self.args())]);
    }

    /// Somebody who has bought a cover. Returns the NFT's mint.
    #[track_caller]
    pub fn holder(&self, world: &World, product: &ProductKeys, sum_insured: u64) -> (Person, Pubkey) {
        let person = world.person(sum_insured);
        let (mint, outcome) = world.buy(product, &person, sum_insured, DAYS);
        outcome.unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
        (person, mint)
    }
}

/// Terms of a reading's product: whole periods, three days before which nothing is sold any more.
pub fn season_terms() -> ProductTerms {
    ProductTerms { min_term_days: 1, max_term_days: 366, waiting_seconds: 3 * 86_400, ..terms::product_terms() }
}
