//! Instructions of the cover.

use super::stage::{HOLDERS, Setup, Stage};
use super::{Entry, Prepared, case};
use anchor_spl::token_2022;
use anchor_spl::token_2022::spl_token_2022::instruction::burn;
use backstop::state::{CoverRequest, CoverState};
use backstop::{AssertPolicyArgs, SplitCoverArgs};
use backstop_client::{address, instruction as ix};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "quote",
        cases: &[case("usual", "one idle day", || quote(1)), case("worst", "480 idle days", || quote(480))],
    },
    Entry {
        instruction: "buy_cover",
        cases: &[
            case("usual", "one idle day", || buy_cover(Setup::default(), 1)),
            case("worst", "Token-2022 asset, the longest name, 480 idle days", || buy_cover(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "cancel_cover",
        cases: &[
            case("usual", "one idle day", || cancel_cover(Setup::default(), 1)),
            case("worst", "Token-2022 asset, 480 idle days", || cancel_cover(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "close_cover",
        cases: &[
            case("usual", "paid, the holder burns the NFT", || close_cover(true)),
            case("burnt", "paid, the NFT was burnt", || close_cover(false)),
            case("worst", "ended and released, the holder burns the NFT", close_ended_cover),
        ],
    },
    Entry { instruction: "split_cover", cases: &[case("always", "the longest name", split_cover)] },
    Entry {
        instruction: "assert_policy",
        cases: &[
            case("usual", "of a cover", || assert_policy(true)),
            case("worst", "of a position", || assert_policy(false)),
        ],
    },
];

fn quote(days: i64) -> Prepared {
    let stage = Stage::sold(Setup::dear());
    stage.rest(days);
    stage.show(100_000_000);
    let request = CoverRequest { sum_insured: stage.setup.sum_insured, term_days: stage.setup.term_days };
    let [first, second, third] = [0, 1, 2].map(|product| ix::quote(&stage.products[product], request));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[]).twin("another pool", third, &[])
}

fn buy_cover(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup);
    stage.rest(days);
    stage.show(100_000_000);
    for name in ["fred", "gina", "hugo", "ines"] {
        stage.enter(name, stage.setup.sum_insured);
    }
    let [here, beside, elsewhere] = &stage.products;
    let nonce = stage.cover_nonce(here, "fred", "gina");
    let first = stage.buy_as(here, "fred", "gina", nonce);
    let receiver = stage.buy_as(here, "fred", "ines", nonce);
    let others = stage.buy_as(here, "hugo", "ines", nonce);
    let product = stage.buy_as(beside, "fred", "gina", nonce);
    let pool = stage.buy_as(elsewhere, "hugo", "ines", nonce);
    let (fred, hugo, rent) = (stage.person("fred"), stage.person("hugo"), stage.rent.insecure_clone());
    Prepared::new(stage.world, first, &[&fred, &rent])
        .twin("another receiver", receiver, &[&fred, &rent])
        .twin("another buyer and receiver", others, &[&hugo, &rent])
        .twin("another product", product, &[&fred, &rent])
        .twin("another pool, buyer and receiver", pool, &[&hugo, &rent])
}

fn cancel_cover(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup);
    stage.rest(days);
    let cancel = |(name, product): (&str, usize)| {
        let (holder, product) = (stage.person(name), &stage.products[product]);
        let mint = stage.cover_mint(product, name);
        (ix::cancel_cover(product, holder.pubkey(), mint, stage.rent.pubkey()), holder)
    };
    let all = HOLDERS.map(cancel);
    four(stage, all)
}

fn split_cover() -> Prepared {
    let stage = Stage::sold(Setup::dear());
    stage.enter("ines", 0);
    let split = |(name, product): (&str, usize), receiver: &str| {
        let (holder, product) = (stage.person(name), &stage.products[product]);
        let nonce = stage.cover_nonce(product, name, receiver);
        let args = SplitCoverArgs { sum_insured: stage.setup.sum_insured / 3, nonce, day: stage.world.today() };
        let (payer, mint) = (stage.rent.pubkey(), stage.cover_mint(product, name));
        let receiver = stage.person(receiver).pubkey();
        (ix::split_cover(product, payer, holder.pubkey(), mint, receiver, args), holder)
    };
    let [(first, carl), (second, cora), (third, dora), (fourth, eric)] = HOLDERS.map(|held| split(held, held.0));
    let (receiver, _) = split(HOLDERS[0], "ines");
    let rent = stage.rent.insecure_clone();
    Prepared::new(stage.world, first, &[&carl, &rent])
        .twin("another receiver", receiver, &[&carl, &rent])
        .twin("another cover", second, &[&cora, &rent])
        .twin("another product", third, &[&dora, &rent])
        .twin("another pool", fourth, &[&eric, &rent])
}

fn assert_policy(cover: bool) -> Prepared {
    let stage = Stage::sold(Setup::default());
    let stage = if cover { stage } else { stage.with_positions() };
    let args = AssertPolicyArgs {
        min_sum_insured: stage.setup.sum_insured,
        max_paid: 0,
        state: CoverState::Active,
        no_lien: true,
        live: true,
        min_end_day: stage.world.today(),
    };
    let [first, second, third, fourth] = HOLDERS.map(|(name, product)| {
        let product = &stage.products[product];
        let policy = match cover {
            true => address::cover(&stage.cover_mint(product, name)),
            false => stage.position(product, name),
        };
        ix::assert_policy(product.product, policy, args)
    });
    Prepared::new(stage.world, first, &[]).twin("another policy", second, &[]).twin("another product", third, &[]).twin(
        "another pool",
        fourth,
        &[],
    )
}

fn close_cover(held: bool) -> Prepared {
    let stage = Stage::paid(Setup::default());
    stage.settle_all();
    close(stage, held)
}

fn close_ended_cover() -> Prepared {
    let stage = Stage::sold(Setup::default());
    stage.rest(60);
    for product in &stage.products {
        stage.act(&[], &[ix::sync_product(product)]);
    }
    close(stage, true)
}

fn close(stage: Stage, held: bool) -> Prepared {
    let close = |(name, product): (&str, usize)| {
        let (holder, product) = (stage.person(name), &stage.products[product]);
        let mint = stage.cover_mint(product, name);
        if !held {
            let nft = address::associated_token(&holder.pubkey(), &mint, &token_2022::ID);
            let burn = burn(&token_2022::ID, &nft, &mint, &holder.pubkey(), &[], 1);
            stage.act(&[&holder], &[burn.expect("the token program is Token-2022")]);
        }
        (ix::close_cover(product, held.then(|| holder.pubkey()), mint, stage.rent.pubkey()), holder)
    };
    let all = HOLDERS.map(close);
    four(stage, all)
}

/// The instruction for the first holder, with those of the others as its twins.
fn four(stage: Stage, all: [(anchor_lang::solana_program::instruction::Instruction, Keypair); 4]) -> Prepared {
    let [(first, carl), (second, cora), (third, dora), (fourth, eric)] = all;
    Prepared::new(stage.world, first, &[&carl])
        .twin("another cover", second, &[&cora])
        .twin("another product", third, &[&dora])
        .twin("another pool", fourth, &[&eric])
}
