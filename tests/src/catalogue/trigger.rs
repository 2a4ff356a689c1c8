//! Instructions of the trigger.

use super::stage::{Setup, Stage, key};
use super::{Entry, Prepared, case};
use crate::attest::{Attestors, FEED};
use crate::live::{self, put, stake_pool_bytes};
use crate::{World, budget, seeded, terms};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::CreatePoolArgs;
use backstop::peril::feed::{Source, stake_pool};
use backstop::state::PoolTerms;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "observe",
        cases: &[
            case("usual", "a healthy price in a slot that has one", || observe(&[100_000_000], false, 100_100_000)),
            case("new slot", "a healthy price in the next slot", || observe(&[100_000_000], true, 100_100_000)),
            case("breach", "the first breach: the pool goes into alert", || observe(&[100_000_000], true, 90_000_000)),
            case("recovery", "two recoveries end a breach: the alert is over", observe_recovering),
            case("cut", "a late recovery cuts the longest window", observe_cutting),
            case("complete", "a late breach completes the longest window", observe_completing),
            case("late", "a price after a year of silence, where 149 slots were not settled", || {
                let stage = every_other_slot();
                stage.world.advance(365 * 86_400);
                let price = stage.post(100_000_000, stage.world.now());
                three(stage, |product| ix::observe(product, price))
            }),
            case("worst", "a breach where 149 slots are not settled, every other one good", || {
                let stage = every_other_slot();
                let price = stage.post(90_000_000, stage.world.now());
                three(stage, |product| ix::observe(product, price))
            }),
        ],
    },
    Entry {
        instruction: "refresh",
        cases: &[
            case("usual", "nothing to change", || refresh(Stage::sold(Setup::default()))),
            case("window", "the longest window becomes final", || refresh(met(true))),
            case("worst", "149 slots are settled at once, every other one good", || {
                let stage = every_other_slot();
                stage.world.advance(365 * 86_400);
                refresh(stage)
            }),
        ],
    },
    Entry {
        instruction: "observe_live",
        cases: &[
            case("usual", "a reading that nothing confirms yet", || observe_live(false)),
            case("breach", "it confirms a breach: the pool goes into alert", || observe_live(true)),
            case("vaults", "eight vaults: the fall's last slot is over, and the product is armed", || {
                observe_vaults(true)
            }),
            case("worst", "eight vaults: it confirms a level in a calm slot", || observe_vaults(false)),
        ],
    },
    Entry {
        instruction: "confirm",
        cases: &[
            case("usual", "a window of eight slots", || {
                let stage = Stage::sold(Setup::default());
                stage.depeg(90_000_000);
                confirm(stage)
            }),
            case("worst", "the longest window", || confirm(met(true))),
        ],
    },
];

/// Lets a stake pool be worth so many hundredths of a SOL a token.
pub fn set_stake_pool(world: &World, account: Pubkey, hundredths: u64) {
    put(world, account, stake_pool::PROGRAM_IDS[0], stake_pool_bytes(hundredths * 1_000_000, 100_000_000, 5));
}

/// Two products on one stake pool, of the first pool.
pub fn live_products(stage: &Stage) -> (PoolKeys, [ProductKeys; 2], Pubkey) {
    let account = key("a stake pool").pubkey();
    stage.world.cluster.set_epoch(5);
    set_stake_pool(&stage.world, account, 120);
    let governance = stage.world.governance.insecure_clone();
    let products = [20, 21].map(|id| {
        let keys = ProductKeys::derive(stage.pools[0], id);
        let new = live::product(&stage.world, Source::StakePoolRate, account);
        stage.act(&[&governance], &new.instructions(governance.pubkey(), stage.rent.pubkey(), &keys, id));
        keys
    });
    (stage.pools[0], products, account)
}

/// A slot with a recovery that counts, and what is shown in the next: `before`, and then 0.83 of the peak.
fn observe_live(before: bool) -> Prepared {
    let stage = Stage::funded(Setup::default());
    let (_, products, account) = live_products(&stage);
    for product in &products {
        live::show_twice(&stage.world, product, account);
        live::show_twice(&stage.world, product, account);
    }
    let world = &stage.world;
    world.cluster.set_time((world.now() / 600 + 1) * 600);
    set_stake_pool(world, account, 100);
    if before {
        for product in &products {
            stage.act(&[], &[ix::observe_live(product, account)]);
        }
        world.cluster.skip_slots(200);
    }
    let [first, second] = products.map(|product| ix::observe_live(&product, account));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[])
}

/// Two products on what eight vaults hold and what attestors report, and what they held on two days.
pub fn vault_products(stage: &Stage, attestors: &Attestors) -> [ProductKeys; 2] {
    let world = &stage.world;
    let args = terms::create_pool(80);
    let cooldown = PoolTerms { cooldown_seconds: 21 * 86_400, ..args.terms };
    let pool = world.create_pool(CreatePoolArgs { terms: cooldown, ..args });
    hold(world, 10 * terms::ONE);
    let products = [0, 1].map(|_| {
        let new = NewProduct {
            source: Source::VaultDrop,
            feed: FEED,
            attestors: Some(attestors.set),
            vaults: vaults(world),
            terms: live::drop_terms(),
            ..terms::create_product(world.covered, live::drop_condition())
        };
        world.create_product_with(&pool, new)
    });
    for days in [0, 3] {
        world.advance(days * 86_400);
        slot(world, &products);
    }
    products
}

fn vaults(world: &World) -> Vec<Pubkey> {
    (0..8).map(|number| terms::assets_of(&seeded(750 + number).pubkey(), &world.covered)).collect()
}

/// Each of eight vaults holds so much.
fn hold(world: &World, amount: u64) {
    for number in 0..8 {
        world.cluster.set_tokens(&seeded(750 + number).pubkey(), &world.covered, amount);
    }
}

/// Shows what the vaults of both hold twice in the next slot.
fn slot(world: &World, products: &[ProductKeys; 2]) {
    world.cluster.set_time((world.now() / 180 + 1) * 180);
    for later in [90, 60] {
        for product in products {
            world.run(&[], &[budget(), ix::observe_vaults(product, &vaults(world))]);
        }
        world.advance(later);
        world.cluster.skip_slots(150);
    }
}

/// What the vaults hold has fallen by nine tenths for ten slots: both are armed by whoever shows what they hold next.
pub fn fall(world: &World, products: &[ProductKeys; 2]) {
    hold(world, terms::ONE);
    for _ in 0..10 {
        slot(world, products);
    }
    world.cluster.set_time((world.now() / 180 + 1) * 180);
}

fn observe_vaults(falls: bool) -> Prepared {
    let stage = Stage::bare(Setup::default());
    let attestors = Attestors::create(&stage.world, 0, 3, 2);
    let products = vault_products(&stage, &attestors);
    let world = &stage.world;
    if falls {
        fall(world, &products);
    } else {
        slot(world, &products);
        world.cluster.set_time((world.now() / 180 + 1) * 180);
        for product in &products {
            world.run(&[], &[budget(), ix::observe_vaults(product, &vaults(world))]);
        }
        world.advance(90);
        world.cluster.skip_slots(150);
    }
    let [first, second] = products.map(|product| ix::observe_vaults(&product, &vaults(world)));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[])
}

/// The instruction for the first product, with those of the others as its twins.
fn three(stage: Stage, build: impl Fn(&ProductKeys) -> Instruction) -> Prepared {
    let [first, second, third] = [0, 1, 2].map(|product| build(&stage.products[product]));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[]).twin("another pool", third, &[])
}

fn observe(before: &[i64], next_slot: bool, price_e8: i64) -> Prepared {
    let stage = Stage::sold(Setup::default());
    stage.next_slot();
    for price in before {
        stage.show(*price);
    }
    if next_slot {
        stage.next_slot();
    } else {
        stage.world.advance(60);
    }
    let price = stage.post(price_e8, stage.world.now());
    three(stage, |product| ix::observe(product, price))
}

/// Two recoveries after a breach: the second is still to be shown.
fn observe_recovering() -> Prepared {
    let stage = Stage::sold(Setup::default());
    stage.next_slot();
    stage.show(90_000_000);
    stage.next_slot();
    stage.show(100_000_000);
    stage.world.advance(180);
    let price = stage.post(100_000_000, stage.world.now());
    three(stage, |product| ix::observe(product, price))
}

/// Every trigger has seen breaches in every other of the slots that are not settled, as many as there can be.
fn every_other_slot() -> Stage {
    let stage = Stage::sold(Setup::default().short_slots());
    for slot in 0..150 {
        stage.next_slot();
        if slot % 2 == 0 {
            stage.show(90_000_000 - slot);
        }
    }
    stage.next_slot();
    stage
}

/// The most slots that a window can span.
const SPAN: u32 = 178 + 44;

/// Every trigger has seen the longest window it can have, with all the gaps that are tolerated, but for the breach in
/// the slot before the last, which is still open. Returns that slot's last second.
fn nearly_met() -> (Stage, i64) {
    let stage = Stage::sold(Setup::dear().long_window());
    for slot in 0..SPAN {
        stage.next_slot();
        let gap = slot % 5 == 4 && slot / 5 < 44;
        if !gap && slot != SPAN - 2 {
            stage.show(90_000_000);
        }
    }
    let open = stage.world.now() - 1;
    stage.world.advance(60);
    (stage, open)
}

/// The same with that breach; the challenge is over or not.
fn met(over: bool) -> Stage {
    let (stage, open) = nearly_met();
    show_at(&stage, 90_000_000, open);
    if over {
        stage.world.advance(3 * 3_600);
    }
    stage
}

fn show_at(stage: &Stage, price_e8: i64, publish_time: i64) {
    let price = stage.post(price_e8, publish_time);
    for product in &stage.products {
        stage.act(&[], &[budget(), ix::observe(product, price)]);
    }
}

fn observe_completing() -> Prepared {
    let (stage, open) = nearly_met();
    let price: Pubkey = stage.post(90_000_000, open);
    three(stage, |product| ix::observe(product, price))
}

fn observe_cutting() -> Prepared {
    let stage = met(false);
    let trigger = stage.world.trigger(&stage.products[0]);
    let start = trigger.terms.slot_start(trigger.evidence.window_last);
    show_at(&stage, 100_000_000, start);
    stage.world.advance(i64::from(trigger.terms.apart()));
    let price = stage.post(100_000_000, start + i64::from(trigger.terms.apart()));
    three(stage, |product| ix::observe(product, price))
}

fn refresh(stage: Stage) -> Prepared {
    three(stage, ix::refresh)
}

fn confirm(stage: Stage) -> Prepared {
    three(stage, ix::confirm)
}
