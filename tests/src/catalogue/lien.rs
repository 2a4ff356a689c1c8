//! Instructions of the lien.

use super::stage::{HOLDERS, Setup, Stage};
use super::{Entry, Prepared, case};
use crate::budget;
use anchor_lang::solana_program::instruction::Instruction;
use backstop_client::instruction::{self as ix, Pledge, ProductKeys};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "set_lien",
        cases: &[case("usual", "on a position", || set_lien(false)), case("worst", "on a cover", || set_lien(true))],
    },
    Entry {
        instruction: "lower_lien",
        cases: &[case("always", "", || {
            each(pledged(Stage::sold(Setup::default()), true, 1_000), true, |_, product, pledge, payee| {
                let to = product.pool.assets_of(&payee.pubkey());
                (ix::lower_lien(product.pool.pool, payee.pubkey(), pledge.policy(), to, 999), true)
            })
        })],
    },
    Entry {
        instruction: "lift_lien",
        cases: &[
            case("usual", "its payee lifts it", || {
                each(pledged(Stage::sold(Setup::default()), true, 1_000), true, |stage, product, pledge, payee| {
                    let rent = stage.rent.pubkey();
                    (ix::lift_lien(product.pool.pool, Some(payee.pubkey()), pledge.policy(), rent), true)
                })
            }),
            case("worst", "anyone, its limit is used up", || {
                let stage = pledged(Stage::positions_paid(Setup::default()), false, 1);
                for place in 0..HOLDERS.len() {
                    stage.act(&[], &[settle_lien_of(&stage, place, false)]);
                }
                each(stage, false, |stage, product, pledge, _| {
                    (ix::lift_lien(product.pool.pool, None, pledge.policy(), stage.rent.pubkey()), false)
                })
            }),
        ],
    },
    Entry {
        instruction: "settle_lien",
        cases: &[
            case("usual", "of a position, called by anyone", || settle_lien(Setup::default(), false)),
            case("cover", "of a cover, called by anyone", || settle_lien(Setup::default(), true)),
            case("worst", "of a cover, Token-2022 asset", || settle_lien(Setup::dear(), true)),
        ],
    },
];

/// Whoever is the payee of each holder's lien.
const PAYEES: [&str; 4] = ["fred", "gina", "hugo", "ines"];

/// What a holder can put a lien on.
fn pledge(stage: &Stage, place: usize, cover: bool) -> (&ProductKeys, Pledge) {
    let (name, product) = HOLDERS[place];
    let product = &stage.products[product];
    let pledge = match cover {
        true => Pledge::Cover(stage.cover_mint(product, name)),
        false => Pledge::Position(stage.position(product, name)),
    };
    (product, pledge)
}

fn set_lien_of(stage: &Stage, place: usize, cover: bool, limit: u64) -> (Instruction, Keypair) {
    let (product, pledge) = pledge(stage, place, cover);
    let holder = stage.person(HOLDERS[place].0);
    let payee = product.pool.assets_of(&stage.person(PAYEES[place]).pubkey());
    (ix::set_lien(product, stage.rent.pubkey(), holder.pubkey(), pledge, payee, limit), holder)
}

fn settle_lien_of(stage: &Stage, place: usize, cover: bool) -> Instruction {
    let (product, pledge) = pledge(stage, place, cover);
    ix::settle_lien(product, pledge.policy(), product.pool.assets_of(&stage.person(PAYEES[place]).pubkey()))
}

/// The stage with a lien on what each holder has.
pub(super) fn pledged(stage: Stage, cover: bool, limit: u64) -> Stage {
    for (place, payee) in PAYEES.iter().enumerate() {
        stage.enter(payee, 1);
        let (set, holder) = set_lien_of(&stage, place, cover, limit);
        stage.act(&[&holder, &stage.rent], &[budget(), set]);
    }
    stage
}

fn set_lien(cover: bool) -> Prepared {
    let stage = Stage::sold(Setup::default());
    let stage = if cover { stage } else { stage.with_positions() };
    for payee in PAYEES {
        stage.enter(payee, 1);
    }
    let rent = stage.rent.insecure_clone();
    let [(first, carl), (second, cora), (third, dora), (fourth, eric)] =
        [0, 1, 2, 3].map(|place| set_lien_of(&stage, place, cover, 1_000));
    Prepared::new(stage.world, first, &[&carl, &rent])
        .twin("another policy and payee", second, &[&cora, &rent])
        .twin("another product", third, &[&dora, &rent])
        .twin("another pool", fourth, &[&eric, &rent])
}

fn settle_lien(setup: Setup, cover: bool) -> Prepared {
    let stage = pledged(Stage::positions_paid(setup), cover, 1_000);
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|place| settle_lien_of(&stage, place, cover));
    Prepared::new(stage.world, first, &[]).twin("another lien", second, &[]).twin("another product", third, &[]).twin(
        "another pool",
        fourth,
        &[],
    )
}

/// The instruction on the first holder's lien, with those on the others' as its twins, and whether its payee signs.
fn each(
    stage: Stage,
    cover: bool,
    build: impl Fn(&Stage, &ProductKeys, Pledge, &Keypair) -> (Instruction, bool),
) -> Prepared {
    let one = |place: usize| {
        let (product, pledge) = pledge(&stage, place, cover);
        let payee = stage.person(PAYEES[place]);
        let (instruction, signs) = build(&stage, product, pledge, &payee);
        (instruction, Some(payee).filter(|_| signs))
    };
    let [(first, fred), (second, gina), (third, hugo), (fourth, ines)] = [0, 1, 2, 3].map(one);
    Prepared::new(stage.world, first, &fred.iter().collect::<Vec<_>>())
        .twin("another lien", second, &gina.iter().collect::<Vec<_>>())
        .twin("another product", third, &hugo.iter().collect::<Vec<_>>())
        .twin("another pool", fourth, &ines.iter().collect::<Vec<_>>())
}
