//! Instructions of the position.

use super::stage::{HOLDERS, Setup, Stage};
use super::{Entry, Prepared, case};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::state::ExtensionRequest;
use backstop::{PositionToNftArgs, SplitPositionArgs};
use backstop_client::instruction::{self as ix, ProductKeys};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "buy_position",
        cases: &[
            case("usual", "one idle day", || buy_position(Setup::default(), 1)),
            case("worst", "Token-2022 asset, 480 idle days", || buy_position(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "set_beneficiary",
        cases: &[case("always", "", || {
            let stage = sold(Setup::default());
            stage.enter("fred", 1);
            let to = stage.pools[0].assets_of(&stage.person("fred").pubkey());
            each(stage, |_, product, owner, position| ix::set_beneficiary(product, owner, position, to))
        })],
    },
    Entry {
        instruction: "cancel_position",
        cases: &[
            case("usual", "one idle day", || cancel_position(Setup::default(), 1)),
            case("worst", "Token-2022 asset, 480 idle days", || cancel_position(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "reduce_position",
        cases: &[
            case("usual", "one idle day", || reduce_position(Setup::default(), 1)),
            case("worst", "Token-2022 asset, 480 idle days", || reduce_position(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "extend_position",
        cases: &[
            case("usual", "eight idle days", || extend_position(Setup::default(), 8)),
            case("worst", "Token-2022 asset, 400 idle days", || extend_position(Setup::dear(), 400)),
        ],
    },
    Entry {
        instruction: "position_to_nft",
        cases: &[
            case("usual", "SPL Token", || position_to_nft(Setup::default())),
            case("worst", "Token-2022 asset, a long URI", || position_to_nft(Setup::dear())),
        ],
    },
    Entry {
        instruction: "close_position",
        cases: &[case("always", "paid", || {
            let stage = Stage::positions_paid(Setup::default());
            for (name, product) in HOLDERS {
                stage.act(&[], &[settle(&stage, name, product)]);
            }
            let rent = stage.rent.pubkey();
            each(stage, |_, product, owner, position| ix::close_position(product, owner, position, rent))
        })],
    },
    Entry {
        instruction: "settle_position",
        cases: &[
            case("usual", "called by anyone", || settle_position(Setup::default())),
            case("encumbered", "under a lien, called by anyone", settle_encumbered),
            case("worst", "Token-2022 asset", || settle_position(Setup::dear())),
        ],
    },
    Entry { instruction: "split_position", cases: &[case("always", "", split_position)] },
];

fn sold(setup: Setup) -> Stage {
    Stage::sold(setup).with_positions()
}

fn buy_position(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup);
    stage.rest(days);
    stage.show(100_000_000);
    for name in ["fred", "gina", "hugo", "ines"] {
        stage.enter(name, stage.setup.sum_insured);
    }
    let [here, beside, elsewhere] = &stage.products;
    let buy = |product: &ProductKeys, owner: &str, to: &str| {
        stage.buy_position(product, owner, to, stage.position_nonce(product, owner))
    };
    let first = buy(here, "fred", "gina");
    let beneficiary = buy(here, "fred", "ines");
    let owner = buy(here, "hugo", "gina");
    let product = buy(beside, "fred", "gina");
    let pool = buy(elsewhere, "hugo", "ines");
    let (fred, hugo, rent) = (stage.person("fred"), stage.person("hugo"), stage.rent.insecure_clone());
    Prepared::new(stage.world, first, &[&fred, &rent])
        .twin("another beneficiary", beneficiary, &[&fred, &rent])
        .twin("another owner", owner, &[&hugo, &rent])
        .twin("another product", product, &[&fred, &rent])
        .twin("another pool, owner and beneficiary", pool, &[&hugo, &rent])
}

fn cancel_position(setup: Setup, days: i64) -> Prepared {
    let stage = sold(setup);
    stage.rest(days);
    let rent = stage.rent.pubkey();
    each(stage, |_, product, owner, position| ix::cancel_position(product, owner, position, rent))
}

fn reduce_position(setup: Setup, days: i64) -> Prepared {
    let stage = sold(setup);
    stage.rest(days);
    let left = stage.setup.sum_insured / 3;
    each(stage, |_, product, owner, position| ix::reduce_position(product, owner, position, left))
}

fn extend_position(setup: Setup, days: i64) -> Prepared {
    let stage = sold(setup);
    stage.rest(days);
    stage.show(100_000_000);
    for (name, _) in HOLDERS {
        stage.enter(name, stage.setup.sum_insured);
    }
    let request = ExtensionRequest { days: 7, max_premium: u64::MAX };
    each(stage, |_, product, owner, position| ix::extend_position(product, owner, position, request))
}

fn position_to_nft(setup: Setup) -> Prepared {
    let stage = sold(setup);
    stage.rest(1);
    // Whoever pays for the cover is not whoever paid for the position: only so is it seen who gets what back.
    stage.enter("hugo", 1);
    let (payer, day) = (stage.person("hugo"), stage.world.today());
    let one = |(name, product): (&str, usize)| -> (Instruction, Keypair) {
        let (owner, product) = (stage.person(name), &stage.products[product]);
        let args = PositionToNftArgs { nonce: stage.cover_nonce(product, name, "fred"), day };
        let position = (stage.position(product, name), stage.rent.pubkey());
        let receiver = stage.person("fred").pubkey();
        (ix::position_to_nft(product, payer.pubkey(), owner.pubkey(), receiver, position, args), owner)
    };
    let [(first, carl), (second, cora), (third, dora), (fourth, eric)] = HOLDERS.map(one);
    Prepared::new(stage.world, first, &[&carl, &payer])
        .twin("another position", second, &[&cora, &payer])
        .twin("another product", third, &[&dora, &payer])
        .twin("another pool", fourth, &[&eric, &payer])
}

fn settle(stage: &Stage, name: &str, product: usize) -> Instruction {
    let product = &stage.products[product];
    let to = product.pool.assets_of(&stage.person(name).pubkey());
    ix::settle_position(product, stage.position(product, name), to)
}

fn settle_position(setup: Setup) -> Prepared {
    let stage = Stage::positions_paid(setup);
    let [first, second, third, fourth] = HOLDERS.map(|(name, product)| settle(&stage, name, product));
    Prepared::new(stage.world, first, &[])
        .twin("another position", second, &[])
        .twin("another product", third, &[])
        .twin("another pool", fourth, &[])
}

fn settle_encumbered() -> Prepared {
    let stage = super::lien::pledged(Stage::positions_paid(Setup::default()), false, 1_000);
    let [first, second, third, fourth] = HOLDERS.map(|(name, product)| {
        ix::under_lien(settle(&stage, name, product), &stage.position(&stage.products[product], name))
    });
    Prepared::new(stage.world, first, &[])
        .twin("another position", second, &[])
        .twin("another product", third, &[])
        .twin("another pool", fourth, &[])
}

fn split_position() -> Prepared {
    let stage = sold(Setup::default());
    let rent = stage.rent.insecure_clone();
    let split = |(name, product): (&str, usize)| {
        let (owner, product) = (stage.person(name), &stage.products[product]);
        let nonce = stage.position_nonce_after(product, name, stage.position_nonce(product, name));
        let args = SplitPositionArgs { sum_insured: stage.setup.sum_insured / 3, nonce };
        (ix::split_position(product, rent.pubkey(), owner.pubkey(), stage.position(product, name), args), owner)
    };
    let [(first, carl), (second, cora), (third, dora), (fourth, eric)] = HOLDERS.map(split);
    Prepared::new(stage.world, first, &[&carl, &rent])
        .twin("another position", second, &[&cora, &rent])
        .twin("another product", third, &[&dora, &rent])
        .twin("another pool", fourth, &[&eric, &rent])
}

/// The instruction for the first owner, with those of the others as its twins.
fn each(stage: Stage, build: impl Fn(&Stage, &ProductKeys, Pubkey, Pubkey) -> Instruction) -> Prepared {
    let one = |(name, product): (&str, usize)| -> (Instruction, Keypair) {
        let (owner, product) = (stage.person(name), &stage.products[product]);
        (build(&stage, product, owner.pubkey(), stage.position(product, name)), owner)
    };
    let [(first, carl), (second, cora), (third, dora), (fourth, eric)] = HOLDERS.map(one);
    Prepared::new(stage.world, first, &[&carl])
        .twin("another position", second, &[&cora])
        .twin("another product", third, &[&dora])
        .twin("another pool", fourth, &[&eric])
}
