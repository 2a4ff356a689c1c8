//! Instructions of the incident.

use super::stage::{HOLDERS, Setup, Stage};
use super::{Entry, Prepared, account, case};
use crate::terms::ONE;
use anchor_lang::solana_program::instruction::Instruction;
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, ProductKeys};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "open_incident",
        cases: &[
            case("usual", "covers in force", || open_incident(Stage::triggered(Setup::default()))),
            case("nothing due", "no covers were sold", || {
                let stage = Stage::funded(Setup::default());
                stage.depeg(90_000_000);
                for product in &stage.products {
                    stage.act(&[], &[ix::confirm(product)]);
                }
                open_incident(stage)
            }),
            case("idle", "480 idle days", || {
                let stage = Stage::sold(Setup::dear());
                stage.rest(480);
                stage.depeg(90_000_000);
                for product in &stage.products {
                    stage.act(&[], &[ix::confirm(product)]);
                }
                open_incident(stage)
            }),
            case("worst", "covers that end on each of 480 days", || {
                let stage = Stage::sold(Setup::dear());
                stage.fill_days(480);
                stage.depeg(90_000_000);
                for product in &stage.products {
                    stage.act(&[], &[ix::confirm(product)]);
                }
                open_incident(stage)
            }),
        ],
    },
    Entry {
        instruction: "fund_incident",
        cases: &[
            case("usual", "closes its crisis", || fund_incident(Stage::opened(Setup::default()))),
            case("worst", "wipes the junior tranche out, 480 idle days", || {
                let stage = Stage::opened(Setup { junior: 1_000 * ONE, ..Setup::dear() });
                stage.world.advance(480 * crate::terms::DAY);
                fund_incident(stage)
            }),
        ],
    },
    Entry {
        instruction: "settle_cover",
        cases: &[
            case("usual", "called by anyone", || settle_cover(Setup::default())),
            case("signed", "the holder signs and names another account", settle_cover_elsewhere),
            case("encumbered", "under a lien, called by anyone", settle_encumbered),
            case("worst", "Token-2022 asset, called by anyone", || settle_cover(Setup::dear())),
        ],
    },
    Entry {
        instruction: "extend_deadline",
        cases: &[case("always", "the vault is frozen", || {
            let stage = Stage::paid(Setup::default());
            for pool in [0, 1] {
                stage.freeze(pool);
            }
            three(stage, &[], |product| ix::extend_deadline(product, Some(1)))
        })],
    },
    Entry {
        instruction: "close_incident",
        cases: &[
            case("usual", "all covers settled", || {
                let stage = Stage::paid(Setup::default());
                stage.settle_all();
                close_incident(stage)
            }),
            case("worst", "480 idle days, nothing settled", || {
                let stage = Stage::paid(Setup::dear());
                stage.rest(480);
                close_incident(stage)
            }),
        ],
    },
];

/// The instruction for the first product, with those of the others as its twins.
fn three(stage: Stage, signers: &[&Keypair], build: impl Fn(&ProductKeys) -> Instruction) -> Prepared {
    let [first, second, third] = [0, 1, 2].map(|product| build(&stage.products[product]));
    Prepared::new(stage.world, first, signers).twin("another product", second, signers).twin(
        "another pool",
        third,
        signers,
    )
}

fn open_incident(stage: Stage) -> Prepared {
    let rent = stage.rent.insecure_clone();
    three(stage, &[&rent], |product| ix::open_incident(product, rent.pubkey(), 1))
}

fn fund_incident(stage: Stage) -> Prepared {
    three(stage, &[], |product| ix::fund_incident(product, 1))
}

fn close_incident(stage: Stage) -> Prepared {
    // Somebody else began the crisis.
    let (rent, other) = (stage.rent.pubkey(), stage.world.payer.pubkey());
    for product in &stage.products {
        let address = product.crisis(1);
        if let Some(mut account) = stage.world.cluster.account(&address).expect("the cluster answers") {
            account.data[40..72].copy_from_slice(other.as_ref());
            stage.world.cluster.set_account(address, account);
        }
    }
    three(stage, &[], |product| ix::close_incident(product, rent, Some((1, other))))
}

fn settle_cover(setup: Setup) -> Prepared {
    let stage = Stage::paid(setup);
    let [first, second, third, fourth] = HOLDERS.map(|(name, product)| stage.settle(name, product));
    Prepared::new(stage.world, first, &[]).twin("another cover", second, &[]).twin("another product", third, &[]).twin(
        "another pool",
        fourth,
        &[],
    )
}

fn settle_encumbered() -> Prepared {
    let stage = super::lien::pledged(Stage::paid(Setup::default()), true, 1_000);
    let [first, second, third, fourth] = HOLDERS.map(|(name, product)| {
        let cover = backstop_client::address::cover(&stage.cover_mint(&stage.products[product], name));
        ix::under_lien(stage.settle(name, product), &cover)
    });
    Prepared::new(stage.world, first, &[]).twin("another cover", second, &[]).twin("another product", third, &[]).twin(
        "another pool",
        fourth,
        &[],
    )
}

fn settle_cover_elsewhere() -> Prepared {
    let stage = Stage::paid(Setup::default());
    let settle = |(name, product): (&str, usize)| {
        let mut settle = stage.settle(name, product);
        account(&mut settle, "settle_cover", "holder").is_signer = true;
        account(&mut settle, "settle_cover", "destination").pubkey =
            stage.pools[0].assets_of(&stage.person("fred").pubkey());
        settle
    };
    stage.enter("fred", ONE);
    let [first, second, third, fourth] = HOLDERS.map(settle);
    let [carl, cora, dora, eric] = HOLDERS.map(|(name, _)| stage.person(name));
    Prepared::new(stage.world, first, &[&carl])
        .twin("another cover", second, &[&cora])
        .twin("another product", third, &[&dora])
        .twin("another pool", fourth, &[&eric])
}
