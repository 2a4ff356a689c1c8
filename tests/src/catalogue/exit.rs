//! Instructions with which capital leaves.

use super::stage::{BACKERS, SENIORS, Setup, Stage, key};
use super::{Entry, Prepared, account, case};
use crate::terms::DAY;
use backstop_client::instruction as ix;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "request_exit",
        cases: &[
            case("usual", "into the day's epoch, one idle day", || request_exit(Setup::default(), 1, false)),
            case("first", "creates the day's epoch behind another", || request_exit(Setup::default(), 1, true)),
            case("worst", "the same after 500 idle days", || request_exit(Setup::dear(), 500, true)),
        ],
    },
    Entry {
        instruction: "cancel_exit",
        cases: &[
            case("usual", "nothing settled, one idle day", || {
                let stage = Stage::leaving(Setup::default(), 50);
                stage.rest(1);
                cancel_exit(stage)
            }),
            case("worst", "paid in part, Token-2022 asset, 480 idle days", || {
                let stage = Stage::settled(Setup::dear().tight(), 100);
                stage.rest(480);
                cancel_exit(stage)
            }),
        ],
    },
    Entry {
        instruction: "settle_exit_epoch",
        cases: &[
            case("usual", "filled", || settle_exit_epoch(Stage::due(Setup::default(), 50))),
            case("reinsurer", "a reinsurance pool of two cedants, filled", settle_reinsurance_epoch),
            case("worst", "paid in part, 480 idle days", || {
                let stage = Stage::due(Setup::dear().tight(), 100);
                stage.rest(480);
                settle_exit_epoch(stage)
            }),
        ],
    },
    Entry {
        instruction: "claim_exit",
        cases: &[
            case("usual", "called by anyone, paid in full and closed", || {
                claim_exit(Stage::settled(Setup::default(), 50))
            }),
            case("part", "called by anyone, paid in part", || {
                claim_exit(Stage::settled(Setup::default().tight(), 100))
            }),
            case("signed", "the owner signs and names another account", claim_exit_elsewhere),
            case("worst", "Token-2022 asset, called by anyone", || claim_exit(Stage::settled(Setup::dear(), 50))),
        ],
    },
    Entry { instruction: "close_exit_epoch", cases: &[case("always", "", close_exit_epoch)] },
];

fn request_exit(setup: Setup, days: i64, first: bool) -> Prepared {
    let stage = Stage::sold(setup);
    let others_ask = || {
        for (name, pool) in super::stage::JUNIORS {
            stage.act(&[&stage.person(name)], &[stage.request_exit(&stage.pools[pool], name, 10)]);
        }
    };
    if first {
        others_ask();
    }
    stage.rest(days);
    if !first {
        stage.act(&[], &[ix::accrue(stage.pools[0].pool)]);
        others_ask();
        stage.world.advance(1);
    }
    let [first, second, third] = SENIORS.map(|(name, pool)| stage.request_exit(&stage.pools[pool], name, 20));
    let [alice, anna, bea] = SENIORS.map(|(name, _)| stage.person(name));
    let rent = stage.rent.insecure_clone();
    Prepared::new(stage.world, first, &[&alice, &rent]).twin("another owner", second, &[&anna, &rent]).twin(
        "another pool",
        third,
        &[&bea, &rent],
    )
}

fn cancel_exit(stage: Stage) -> Prepared {
    let cancel = |(name, pool): (&str, usize)| {
        let pool = &stage.pools[pool];
        ix::cancel_exit(pool, &stage.ticket(pool, name))
    };
    let [first, second, third] = SENIORS.map(cancel);
    let [alice, anna, bea] = SENIORS.map(|(name, _)| stage.person(name));
    Prepared::new(stage.world, first, &[&alice]).twin("another ticket", second, &[&anna]).twin(
        "another pool",
        third,
        &[&bea],
    )
}

fn settle_exit_epoch(stage: Stage) -> Prepared {
    let [first, second] = [0, 1].map(|pool| ix::settle_exit_epoch(stage.pools[pool].pool, stage.exit_day()));
    Prepared::new(stage.world, first, &[]).twin("another pool", second, &[])
}

fn settle_reinsurance_epoch() -> Prepared {
    let stage = Stage::sold(Setup::default().reinsured());
    let [(rosa, pool), _] = BACKERS;
    let pool = &stage.pools[pool];
    stage.act(&[&stage.person(rosa)], &[stage.request_exit(pool, rosa, 10)]);
    let day = stage.world.pool(pool).newest_exit_day;
    stage.world.cluster.set_time((i64::from(day) + 1) * DAY);
    let cedants = [stage.pools[0].pool, stage.pools[1].pool];
    let settle = ix::settle_reinsurance_epoch(pool.pool, day, &cedants);
    Prepared::new(stage.world, settle, &[])
}

fn claim_exit(stage: Stage) -> Prepared {
    let claim = |(name, pool): (&str, usize)| {
        let pool = &stage.pools[pool];
        ix::claim_exit(pool, &stage.ticket(pool, name))
    };
    let [first, second, third] = SENIORS.map(claim);
    Prepared::new(stage.world, first, &[]).twin("another ticket", second, &[]).twin("another pool", third, &[])
}

fn claim_exit_elsewhere() -> Prepared {
    let stage = Stage::settled(Setup::default(), 50);
    let claim = |(name, pool): (&str, usize)| {
        let pool = &stage.pools[pool];
        let mut claim = ix::claim_exit(pool, &stage.ticket(pool, name));
        account(&mut claim, "claim_exit", "owner").is_signer = true;
        account(&mut claim, "claim_exit", "destination").pubkey = pool.assets_of(&stage.person("carl").pubkey());
        (claim, stage.person(name))
    };
    let [(first, alice), (second, anna), (third, bea)] = SENIORS.map(claim);
    Prepared::new(stage.world, first, &[&alice]).twin("another ticket", second, &[&anna]).twin(
        "another pool",
        third,
        &[&bea],
    )
}

fn close_exit_epoch() -> Prepared {
    let stage = Stage::settled(Setup::default(), 50);
    let day = stage.ticket(&stage.pools[0], "alice").epoch_day;
    for (name, pool) in SENIORS {
        let pool = &stage.pools[pool];
        stage.act(&[], &[ix::claim_exit(pool, &stage.ticket(pool, name))]);
    }
    let close = |pool: usize| ix::close_exit_epoch(stage.pools[pool].pool, day, key("rent").pubkey());
    let [first, second] = [close(0), close(1)];
    Prepared::new(stage.world, first, &[]).twin("another pool", second, &[])
}
