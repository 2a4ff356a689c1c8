//! Instructions of the product.

use super::stage::{Setup, Stage};
use super::{Entry, Prepared, case};
use crate::terms;
use backstop::state::ProductState;
use backstop_client::instruction::NewProduct;
use backstop_client::instruction::{self as ix, ProductKeys};
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "create_product",
        cases: &[
            case("usual", "", || create_product("USDC below 0.90 for 24h".into(), "https://a.example/b".into())),
            case("worst", "the longest name and URI", || {
                create_product("n".repeat(48), format!("https://{}", "u".repeat(88)))
            }),
        ],
    },
    Entry { instruction: "set_condition", cases: &[case("always", "", set_condition)] },
    Entry { instruction: "set_product_state", cases: &[case("always", "", set_product_state)] },
    Entry { instruction: "set_risk_rate", cases: &[case("always", "", set_risk_rate)] },
    Entry {
        instruction: "sync_product",
        cases: &[
            case("usual", "one idle day, nothing to release", || sync_product(1, 0)),
            case("many", "512 idle days, all covers to release", || sync_product(512, 0)),
            case("worst", "512 idle days, covers that ended on each of 480", || sync_product(512, 480)),
        ],
    },
];

fn create_product(name: String, uri: String) -> Prepared {
    let stage = Stage::funded(Setup::default());
    let governance = stage.world.governance.insecure_clone();
    let create = |pool: usize, id: u16| {
        let new = NewProduct {
            name: name.clone(),
            uri: uri.clone(),
            ..terms::create_product(stage.world.covered, stage.setup.condition)
        };
        let keys = ProductKeys::derive(stage.pools[pool], id);
        ix::create_product(governance.pubkey(), stage.rent.pubkey(), &keys, new.announcement(id))
    };
    let [first, second, third] = [(0, 2), (1, 2), (0, 3)].map(|(pool, id)| create(pool, id));
    let signers = [&governance, &stage.rent.insecure_clone()];
    Prepared::new(stage.world, first, &signers).twin("another pool", second, &signers).twin(
        "another id",
        third,
        &signers,
    )
}

fn set_condition() -> Prepared {
    let stage = Stage::funded(Setup::default());
    let governance = stage.world.governance.insecure_clone();
    let new = terms::create_product(stage.world.covered, stage.setup.condition);
    let set = |pool: usize, id: u16| {
        let keys = ProductKeys::derive(stage.pools[pool], id);
        let [announce, condition] = new.instructions(governance.pubkey(), stage.rent.pubkey(), &keys, id);
        stage.act(&[&governance], &[announce]);
        condition
    };
    let [first, second, third] = [(0, 2), (0, 3), (1, 1)].map(|(pool, id)| set(pool, id));
    let signers = [&governance, &stage.rent.insecure_clone()];
    Prepared::new(stage.world, first, &signers).twin("another product", second, &signers).twin(
        "another pool",
        third,
        &signers,
    )
}

fn set_product_state() -> Prepared {
    let stage = Stage::sold(Setup::default());
    let governance = stage.world.governance.insecure_clone();
    let freeze = |product: usize| {
        let ProductKeys { pool, product } = stage.products[product];
        ix::set_product_state(governance.pubkey(), pool.pool, product, ProductState::Frozen)
    };
    let [first, second] = [freeze(0), freeze(1)];
    Prepared::new(stage.world, first, &[&governance]).twin("another product", second, &[&governance])
}

fn set_risk_rate() -> Prepared {
    let stage = Stage::sold(Setup::default());
    let keeper = stage.world.risk_keeper.insecure_clone();
    let rate = stage.setup.product.risk_rate_ppb + stage.setup.product.risk_rate_step_ppb;
    let set = |product: usize| {
        let ProductKeys { pool, product } = stage.products[product];
        ix::set_risk_rate(keeper.pubkey(), pool.pool, product, rate)
    };
    let [first, second] = [set(0), set(1)];
    Prepared::new(stage.world, first, &[&keeper]).twin("another product", second, &[&keeper])
}

fn sync_product(days: i64, ends: u32) -> Prepared {
    let stage = Stage::sold(Setup::dear());
    stage.fill_days(ends);
    stage.rest(days);
    let [first, second, third] = [0, 1, 2].map(|product| ix::sync_product(&stage.products[product]));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[]).twin("another pool", third, &[])
}
