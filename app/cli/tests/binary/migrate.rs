//! `backstop migrate`: plans are shown, asked for, applied once, and refused where they conflict.

use crate::desk::{Desk, Run};
use backstop_tests::World;
use serde_json::Value;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::path::Path;

/// An empty cluster, and the one who founds a protocol on it.
struct Founding {
    desk: Desk,
    founder: Keypair,
    sets: Vec<String>,
}

impl Founding {
    fn new() -> Self {
        let world = World::uninitialised();
        let founder = world.payer.insecure_clone();
        let id = founder.pubkey();
        let roles = ["governance", "guardian", "risk_keeper"].map(|role| format!("{role}={id}"));
        let assets = [format!("usdc={}", world.asset), format!("usdt={}", world.covered)];
        let days = ["first_day=2023-11-14".to_owned(), "end_day=2024-10-01".to_owned()];
        let sets = roles.into_iter().chain(assets).chain(days).collect();
        Self { desk: Desk::new(world), founder, sets }
    }

    /// Migrates to the committed plans, or one of them.
    fn migrate(&self, plan: &str, more: &[&str]) -> Run {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(plan);
        let text = if path.is_file() { std::fs::read_to_string(&path).expect("it can be read") } else { String::new() };
        let keypair = self.desk.keypair(&self.founder);
        let used = |set: &&String| {
            let name = set.split('=').next().unwrap_or_default();
            !path.is_file() || text.contains(&format!("${{{name}}}"))
        };
        let sets = self.sets.iter().filter(used).flat_map(|set| ["--set", set.as_str()]);
        let path = path.to_str().expect("UTF-8");
        let start = ["migrate", "--plan", path, "--keypair", &keypair];
        let arguments: Vec<&str> = start.into_iter().chain(sets).chain(more.iter().copied()).collect();
        self.desk.look(&arguments)
    }

    fn json(&self, plan: &str, more: &[&str]) -> Value {
        self.desk.json(self.migrate(plan, &[more, &["--output", "json"]].concat()))
    }
}

fn standings(migration: &Value) -> Vec<&str> {
    let items = migration["items"].as_array().expect("items");
    items.iter().map(|item| item["standing"].as_str().expect("a word")).collect()
}

#[test]
fn plans_are_shown_then_applied_once_and_then_nothing_is_left() {
    let founding = Founding::new();
    founding.desk.display("migrate-dry-run", founding.migrate("", &["--dry-run"]));
    assert_eq!(founding.desk.node.executed(), 0);
    founding.migrate("", &[]).says(2, "nobody is there to confirm", "--yes");
    assert_eq!(founding.desk.node.executed(), 0);

    // The first two are applied; the folder goes on from there.
    founding.migrate("0001_protocol.toml", &["--yes"]).done();
    founding.migrate("0002_usdc_pool.toml", &["--yes"]).done();
    assert_eq!(founding.desk.node.executed(), 2);
    let migration = founding.migrate("", &["--yes", "--output", "json"]);
    let migration = founding.desk.snapshot("migrate", migration);
    assert_eq!(migration["status"], "confirmed");
    assert_eq!(standings(&migration), ["unchanged", "unchanged", "create", "create", "create", "create"]);
    assert_eq!(migration["done"].as_array().map(Vec::len), Some(6));
    assert_eq!(founding.desk.node.executed(), 8);

    let again = founding.json("", &["--yes"]);
    assert_eq!(again["status"], "waits");
    assert_eq!(standings(&again), ["unchanged", "unchanged", "unchanged", "unchanged", "unchanged", "waits"]);
    let again = founding.json("0003_usdt_products.toml", &[]);
    assert_eq!(again["status"], "unchanged");
    assert_eq!(founding.desk.node.executed(), 8);
}

#[test]
fn plan_that_conflicts_exits_with_3_and_sends_nothing() {
    let founding = Founding::new();
    let run = founding.migrate("0003_usdt_products.toml", &["--yes"]);
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stderr.starts_with("error: 2 of 2 items conflict: nothing was sent"), "{run}");
    assert!(run.stdout.contains("Its pool is not there, and no plan before makes it."), "{run}");
    assert_eq!(founding.desk.node.executed(), 0);
}

#[test]
fn steps_that_another_must_sign_are_refused_or_printed() {
    let founding = Founding::new();
    founding.migrate("0001_protocol.toml", &["--yes"]).done();
    let (stranger, governance) = (Keypair::new(), founding.founder.pubkey().to_string());
    founding.desk.node.world().cluster.airdrop(&stranger.pubkey(), 1_000_000_000);
    let as_stranger = Founding { founder: stranger, ..founding };
    let path = "0002_usdc_pool.toml";
    as_stranger.migrate(path, &["--yes"]).says(1, &format!("{governance} must sign"), "--print-tx");
    // The later one of two values counts: here the address that will sign.
    let run = as_stranger.desk.look(&[
        "migrate",
        "--plan",
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(path).to_str().expect("UTF-8"),
        "--set",
        as_stranger.sets[3].as_str(),
        "--keypair",
        &governance,
        "--print-tx",
        "--yes",
    ]);
    assert_eq!(run.done().trim().lines().count(), 1);
    assert_eq!(as_stranger.desk.node.executed(), 1);
}

#[test]
fn what_is_no_plan_or_lacks_a_value_is_told_in_one_sentence() {
    let desk = Desk::new(World::new());
    let founder = desk.node.world().payer.insecure_clone();
    let file = desk.write("0001_plan.toml", "[protocol]\ngovernance = \"${judge}\"\n");
    desk.act(&founder, &["migrate", "--plan", &file]).says(1, "needs values", "--set judge=VALUE");
    let file = desk.write("0002_plan.toml", "[[pool]]\nname = \"x\"\n");
    desk.act(&founder, &["migrate", "--plan", &file]).says(1, "is not a plan", "migrations/README.md");
    desk.act(&founder, &["migrate", "--plan", "nowhere.toml"]).says(1, "cannot be read", "--plan");
    let run = desk.act(&founder, &["migrate", "--plan", &file, "--set", "judge"]);
    assert_eq!(run.code, 2, "{run}");
}
