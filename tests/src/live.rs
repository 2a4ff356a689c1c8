//! Live feeds: accounts by the documented bytes of their programs, and showings of them.

use crate::terms::{self, DAY, ONE};
use crate::{Outcome, World, attest, budget, seeded};
use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::{Direction, Severity, TermsInput};
use backstop::peril::feed::Source;
use backstop::state::{Live, ProductTerms};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;

pub use backstop_sandbox::localnet::levels::{reserve_bytes, stake_pool_bytes};

/// Writes an account as it is.
pub fn put(world: &World, address: Pubkey, owner: Pubkey, data: Vec<u8>) {
    let account = Account { lamports: 10_000_000_000, data, owner, executable: false, rent_epoch: u64::MAX };
    world.cluster.set_account(address, account);
}

/// Below 0.95 of the peak for six hours, in slots of ten minutes.
pub fn condition() -> TermsInput {
    TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 97_000_000,
        severity: Severity::Linear { full_loss_price: 50_000_000, min_severity_bps: 500 },
        duration_seconds: 6 * 3_600,
        slot_seconds: 600,
        tolerance_seconds: 1_800,
        challenge_seconds: 7_200,
        run_on_seconds: 0,
        quiet_seconds: 24 * 3_600,
        confidence_multiplier: 100,
    }
}

/// A product on a live feed.
pub fn product(world: &World, source: Source, account: Pubkey) -> NewProduct {
    NewProduct {
        source,
        feed: account.to_bytes(),
        terms: ProductTerms {
            no_sale_buffer_bps: 50,
            max_price_age: 3_600,
            waiting_seconds: source.least_waiting_seconds(),
            ..terms::product_terms()
        },
        ..terms::create_product(world.covered, condition())
    }
}

/// Shows what an account says now.
pub fn show(world: &World, product: &ProductKeys, account: Pubkey) -> Outcome {
    world.send(&[], &[budget(), ix::observe_live(product, account)])
}

/// Shows it twice in the slot after the present one, so far apart that it counts.
#[track_caller]
pub fn show_twice(world: &World, product: &ProductKeys, account: Pubkey) {
    let slot = i64::from(world.trigger(product).terms.slot_seconds);
    world.cluster.set_time((world.now() / slot + 1) * slot);
    for _ in 0..2 {
        let outcome = show(world, product, account);
        outcome.unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
        world.advance(slot / 3);
        world.cluster.skip_slots(150);
    }
}

/// Shows what a product's vaults hold.
pub fn show_vaults(world: &World, product: &ProductKeys) -> Outcome {
    let live: Live = world.read(&product.live());
    world.send(&[], &[budget(), ix::observe_vaults(product, live.vaults())])
}

/// Shows it twice in the slot after the present one, so far apart that it counts.
#[track_caller]
pub fn show_vaults_twice(world: &World, product: &ProductKeys) {
    let slot = i64::from(world.trigger(product).terms.slot_seconds);
    world.cluster.set_time((world.now() / slot + 1) * slot);
    for later in [slot / 2, slot / 3] {
        show_vaults(world, product).unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
        world.advance(later);
        world.cluster.skip_slots(150);
    }
}

/// A product with two keys that is armed: of 100 in two vaults 34 are left. Its pool has a cooldown of 21 days at least.
#[track_caller]
pub fn armed(world: &World, pool: &PoolKeys, attestors: Pubkey) -> ProductKeys {
    let hold = |number, amount| world.cluster.set_tokens(&seeded(number).pubkey(), &world.covered, amount * ONE);
    let new = NewProduct {
        name: "A protocol's vaults below 0.50".into(),
        source: Source::VaultDrop,
        feed: attest::FEED,
        attestors: Some(attestors),
        vaults: vec![hold(720, 60), hold(721, 40)],
        terms: drop_terms(),
        ..terms::create_product(world.covered, drop_condition())
    };
    let product = world.create_product_with(pool, new);
    show_vaults_twice(world, &product);
    world.advance(3 * DAY);
    show_vaults_twice(world, &product);
    hold(720, 0);
    hold(721, 34);
    for _ in 0..10 {
        show_vaults_twice(world, &product);
    }
    world.advance(60);
    show_vaults(world, &product).unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
    assert!(world.trigger(&product).keys.is_armed(world.now()), "it is armed");
    product
}

/// Terms of a product of vaults, as near to the bounds of its feed as they may be.
pub fn drop_terms() -> ProductTerms {
    ProductTerms {
        no_sale_buffer_bps: 50,
        min_term_days: 30,
        waiting_seconds: Source::VaultDrop.least_waiting_seconds(),
        ..terms::product_terms()
    }
}

/// Below half of what the vaults held, for half an hour, paid in full.
pub fn drop_condition() -> TermsInput {
    TermsInput {
        threshold: 50_000_000,
        recovery: 55_000_000,
        severity: Severity::Binary,
        duration_seconds: 1_800,
        slot_seconds: 180,
        tolerance_seconds: 360,
        quiet_seconds: 4 * 3_600,
        ..condition()
    }
}
