//! Instructions of the pool but for exits.

use super::stage::{BACKERS, FRESH, Setup, Stage, key};
use super::{Entry, Prepared, case};
use crate::terms::{self, ONE};
use backstop::CreatePoolArgs;
use backstop::state::{Access, Seen, Tranche};
use backstop_client::instruction::{self as ix, PoolKeys};
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "create_pool",
        cases: &[
            case("usual", "SPL Token asset", || create_pool(Setup::default())),
            case("worst", "Token-2022 asset", || create_pool(Setup::dear())),
        ],
    },
    Entry {
        instruction: "deposit",
        cases: &[
            case("usual", "open pool, one idle day", || deposit(Setup::default(), 1)),
            case("admitted", "pool with an allow-list", || {
                deposit(Setup { access: Access::AllowList, ..Setup::default() }, 1)
            }),
            case("reinsurer", "a reinsurance pool of two cedants, one idle day", reinsurance_deposit),
            case("worst", "Token-2022 asset, 500 idle days", || deposit(Setup::dear(), 500)),
        ],
    },
    Entry {
        instruction: "accrue",
        cases: &[
            case("usual", "one idle day", || accrue(Setup::default(), 1)),
            case("reinsured", "one idle day, a quota share in force", || accrue(Setup::default().reinsured(), 1)),
            case("worst", "500 idle days, a quota share ends among them", || accrue(Setup::dear().reinsured(), 500)),
        ],
    },
    Entry {
        instruction: "contribute_surplus",
        cases: &[
            case("usual", "one idle day", || contribute_surplus(Setup::default(), 1)),
            case("worst", "Token-2022 asset, 500 idle days", || contribute_surplus(Setup::dear(), 500)),
        ],
    },
    Entry {
        instruction: "pool_health",
        cases: &[
            case("usual", "one idle day", || pool_health(Setup::default(), 1)),
            case("worst", "500 idle days, a quota share ends among them", || {
                pool_health(Setup::dear().reinsured(), 500)
            }),
        ],
    },
    Entry { instruction: "open_series", cases: &[case("always", "", open_series)] },
];

fn create_pool(setup: Setup) -> Prepared {
    let stage = Stage::empty(setup);
    let governance = stage.world.governance.insecure_clone();
    let create = stage.create_pool(FRESH);
    let other = PoolKeys::derive(stage.world.covered, anchor_spl::token::ID, stage.ids[FRESH]);
    let args = CreatePoolArgs { terms: stage.setup.pool, ..terms::create_pool(stage.ids[FRESH]) };
    let twin = ix::create_pool(governance.pubkey(), stage.rent.pubkey(), &other, args);
    let signers = [&governance, &stage.rent.insecure_clone()];
    Prepared::new(stage.world, create, &signers).twin("another asset", twin, &signers)
}

fn pool_health(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup);
    stage.rest(days);
    let [first, second] = [0, 1].map(|pool| ix::pool_health(stage.pools[pool].pool));
    Prepared::new(stage.world, first, &[]).twin("another pool", second, &[])
}

fn deposit(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup);
    stage.rest(days);
    let admission = key("admission");
    let into = |name: &str, pool: usize| {
        stage.enter(name, 1_000 * ONE);
        let (account, deposit) = stage.deposit(&stage.pools[pool], name, Tranche::Senior, 1_000 * ONE);
        stage.act(&[], &[account]);
        deposit
    };
    let [first, second, third] = [into("alice", 0), into("anna", 0), into("alice", 1)];
    let (alice, anna) = (stage.person("alice"), stage.person("anna"));
    Prepared::new(stage.world, first, &[&alice, &admission])
        .twin("another depositor", second, &[&anna, &admission])
        .twin("another pool", third, &[&alice, &admission])
}

fn reinsurance_deposit() -> Prepared {
    let stage = Stage::sold(Setup::default().reinsured());
    stage.rest(1);
    let [(rosa, pool), _] = BACKERS;
    stage.enter(rosa, 1_000 * ONE);
    let (account, deposit) = stage.deposit(&stage.pools[pool], rosa, Tranche::Senior, 1_000 * ONE);
    stage.act(&[], &[account]);
    let (rosa, admission) = (stage.person(rosa), key("admission"));
    Prepared::new(stage.world, deposit, &[&rosa, &admission])
}

fn accrue(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup);
    stage.rest(days);
    let [first, second] = [0, 1].map(|pool| ix::accrue(stage.pools[pool].pool));
    Prepared::new(stage.world, first, &[]).twin("another pool", second, &[])
}

fn contribute_surplus(setup: Setup, days: i64) -> Prepared {
    let stage = Stage::sold(setup);
    stage.rest(days);
    let to = |name: &str, pool: usize| {
        stage.enter(name, 100 * ONE);
        ix::contribute_surplus(&stage.pools[pool], stage.person(name).pubkey(), 100 * ONE, Seen::ANYTHING)
    };
    let [first, second, third] = [to("fred", 0), to("gina", 0), to("fred", 1)];
    let (fred, gina) = (stage.person("fred"), stage.person("gina"));
    Prepared::new(stage.world, first, &[&fred]).twin("another contributor", second, &[&gina]).twin(
        "another pool",
        third,
        &[&fred],
    )
}

fn open_series() -> Prepared {
    // The incidents of both pools cost more than their junior capital.
    let stage = Stage::paid(Setup { junior: 1_000 * ONE, ..Setup::default() });
    let governance = stage.world.governance.insecure_clone();
    let open = |pool: usize| {
        let pool = stage.pools[pool].pool;
        ix::open_series(governance.pubkey(), stage.rent.pubkey(), pool, Tranche::Junior, 1)
    };
    let [first, second] = [open(0), open(1)];
    let signers = [&governance, &stage.rent.insecure_clone()];
    Prepared::new(stage.world, first, &signers).twin("another pool", second, &signers)
}
