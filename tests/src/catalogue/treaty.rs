//! Instructions of reinsurance.

use super::stage::{REINSURERS, Setup, Stage};
use super::{Entry, Prepared, case};
use crate::budget;
use crate::terms::{DAY, ONE};
use anchor_lang::solana_program::instruction::Instruction;
use backstop::state::{TreatyKind, TreatyTerms, day_of};
use backstop_client::instruction::{self as ix, TreatyKeys};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry { instruction: "create_treaty", cases: &[case("always", "", create_treaty)] },
    Entry {
        instruction: "accept_treaty",
        cases: &[
            case("usual", "a quota share", || accept_treaty(Setup::default(), [0, 1, 2])),
            case("worst", "a layer, Token-2022 asset", || accept_treaty(Setup::dear(), [1, 0, 2])),
        ],
    },
    Entry {
        instruction: "settle_treaty_premium",
        cases: &[
            case("usual", "one idle day", || settle_treaty_premium(Setup::default(), 1)),
            case("worst", "Token-2022 asset, 480 idle days", || settle_treaty_premium(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "call_treaty",
        cases: &[
            case("usual", "a quota share", || call_treaty(Setup::default(), 0)),
            case("layer", "a layer that is restored", || call_layer(Setup::default(), 0)),
            case("worst", "the same, Token-2022 asset, 480 days late", || call_layer(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "end_treaty",
        cases: &[
            case("usual", "one idle day", || end_treaty(Setup::default(), 1)),
            case("worst", "480 idle days", || end_treaty(Setup::dear(), 480)),
        ],
    },
    Entry {
        instruction: "commute_treaty",
        cases: &[
            case("usual", "a layer, one idle day", || commute_treaty(Setup::default(), 1)),
            case("worst", "a layer, Token-2022 asset, 350 idle days", || commute_treaty(Setup::dear(), 350)),
        ],
    },
    Entry { instruction: "announce_cession", cases: &[case("always", "", announce_cession)] },
    Entry {
        instruction: "cede_surplus",
        cases: &[
            case("usual", "on the first day", || cede_surplus(Setup::default(), 10)),
            case("worst", "Token-2022 asset, on the last day", || cede_surplus(Setup::dear(), 16)),
        ],
    },
    Entry { instruction: "close_cession", cases: &[case("always", "", close_cession)] },
];

/// The instruction for one treaty of the stage, with those for the others as its twins.
fn three(
    stage: Stage,
    signers: &[&Keypair],
    [own, other, elsewhere]: [usize; 3],
    build: impl Fn(&TreatyKeys) -> Instruction,
) -> Prepared {
    let [first, second, third] = [own, other, elsewhere].map(|treaty| build(&stage.treaties[treaty]));
    Prepared::new(stage.world, first, signers).twin("another reinsurer", second, signers).twin(
        "another cedant",
        third,
        signers,
    )
}

fn create_treaty() -> Prepared {
    let stage = Stage::sold(Setup::default());
    let governance = stage.world.governance.insecure_clone();
    let kind = TreatyKind::QuotaShare { cession_bps: 3_000, commission_bps: 2_500 };
    let start_day = day_of(stage.world.now()) + 12;
    let terms = TreatyTerms { kind, limit: 40_000 * ONE, start_day, end_day: start_day + 300 };
    let create = |cedant: usize, reinsurer: usize| {
        let keys = TreatyKeys::derive(stage.pools[cedant], stage.pools[REINSURERS[reinsurer]].pool, 0);
        ix::create_treaty(governance.pubkey(), stage.rent.pubkey(), &keys, terms)
    };
    let [first, second, third] = [create(0, 0), create(0, 1), create(1, 0)];
    let signers = [&governance, &stage.rent.insecure_clone()];
    Prepared::new(stage.world, first, &signers).twin("another reinsurer", second, &signers).twin(
        "another cedant",
        third,
        &signers,
    )
}

fn accept_treaty(setup: Setup, order: [usize; 3]) -> Prepared {
    let stage = Stage::offered(setup.reinsured());
    stage.give_surplus(10_000 * ONE);
    let governance = stage.world.governance.insecure_clone();
    three(stage, &[&governance], order, |treaty| ix::accept_treaty(governance.pubkey(), treaty))
}

fn settle_premium(stage: &Stage, cedant: usize) -> Instruction {
    ix::settle_treaty_premium(&stage.pools[cedant], stage.pools[REINSURERS[0]].pool)
}

fn settle_treaty_premium(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup.reinsured());
    stage.rest(days);
    let [first, second] = [settle_premium(&stage, 0), settle_premium(&stage, 1)];
    Prepared::new(stage.world, first, &[]).twin("another cedant", second, &[])
}

fn call_treaty(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::opened(setup.reinsured());
    stage.world.advance(days * DAY);
    let [quota_share, layer, elsewhere] = &stage.treaties;
    let [here, beside, there] = &stage.products;
    let first = ix::call_treaty(quota_share, here, 1);
    let incident = ix::call_treaty(quota_share, beside, 1);
    let cedant = ix::call_treaty(elsewhere, there, 1);
    let treaty = ix::call_treaty(layer, here, 1);
    Prepared::new(stage.world, first, &[])
        .twin("another incident", incident, &[])
        .twin("another cedant", cedant, &[])
        .twin("another reinsurer", treaty, &[])
}

fn call_layer(setup: Setup, days: i64) -> Prepared {
    // A third of one cover, net of the quota share, is above the layer's attachment.
    let stage = Stage::opened(Setup { sum_insured: 15_000 * ONE, ..setup.reinsured() });
    let [quota_share, layer, _] = &stage.treaties;
    let [here, beside, _] = &stage.products;
    for product in [here, beside] {
        stage.act(&[], &[ix::call_treaty(quota_share, product, 1)]);
    }
    stage.world.advance(days * DAY);
    let [first, incident] = [here, beside].map(|product| ix::call_treaty(layer, product, 1));
    let again = ix::call_treaty(quota_share, here, 1);
    Prepared::new(stage.world, first, &[]).twin("another incident", incident, &[]).trap(
        "the quota share once more",
        again,
        &[],
    )
}

fn end_treaty(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup.reinsured());
    stage.world.advance(370 * DAY);
    for cedant in [0, 1] {
        stage.act(&[], &[budget(), settle_premium(&stage, cedant)]);
    }
    stage.rest(days);
    let rent = stage.rent.pubkey();
    three(stage, &[], [0, 1, 2], |treaty| ix::end_treaty(treaty, rent))
}

fn commute_treaty(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup.reinsured());
    stage.rest(days);
    let governance = stage.world.governance.insecure_clone();
    three(stage, &[&governance], [1, 0, 2], |treaty| ix::commute_treaty(governance.pubkey(), treaty))
}

fn announce(stage: &Stage, cedant: usize, reinsurer: usize) -> Instruction {
    let [cedant, reinsurer] = [cedant, REINSURERS[reinsurer]].map(|pool| stage.pools[pool].pool);
    ix::announce_cession(stage.world.governance.pubkey(), stage.rent.pubkey(), cedant, reinsurer, 1_000 * ONE)
}

fn announce_cession() -> Prepared {
    let stage = Stage::sold(Setup::default());
    let [first, second, third] = [announce(&stage, 0, 0), announce(&stage, 0, 1), announce(&stage, 1, 0)];
    let signers = [&stage.world.governance.insecure_clone(), &stage.rent.insecure_clone()];
    Prepared::new(stage.world, first, &signers).twin("another reinsurer", second, &signers).twin(
        "another cedant",
        third,
        &signers,
    )
}

/// Both cover pools have announced a cession some days ago.
fn announced(setup: Setup, days: i64) -> Stage {
    let stage = Stage::sold(setup);
    stage.give_surplus(10_000 * ONE);
    for cedant in [0, 1] {
        stage.act(&[&stage.world.governance], &[announce(&stage, cedant, 0)]);
    }
    stage.rest(days);
    stage
}

fn cede_surplus(setup: Setup, days: i64) -> Prepared {
    let stage = announced(setup, days);
    let governance = stage.world.governance.insecure_clone();
    let cede = |cedant: usize| {
        let reinsurer = stage.pools[REINSURERS[0]].pool;
        ix::cede_surplus(governance.pubkey(), &stage.pools[cedant], reinsurer, stage.rent.pubkey())
    };
    let [first, second] = [cede(0), cede(1)];
    Prepared::new(stage.world, first, &[&governance]).twin("another cedant", second, &[&governance])
}

fn close_cession() -> Prepared {
    let stage = announced(Setup::default(), 18);
    let [first, second] = [0, 1].map(|cedant| ix::close_cession(stage.pools[cedant].pool, stage.rent.pubkey()));
    Prepared::new(stage.world, first, &[]).twin("another cedant", second, &[])
}
