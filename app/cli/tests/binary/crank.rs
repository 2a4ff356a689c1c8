//! `backstop crank run`: over RPC, several at once, killed half-way.

use crate::desk::{Desk, finish};
use anchor_lang::prelude::Pubkey;
use backstop::state::{Pool, Tranche};
use backstop_client::address;
use backstop_client::cluster::Cluster;
use backstop_client::instruction::PoolKeys;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Faults, Person, World, seeded};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Covers of the incident.
const COVERS: usize = 24;

/// A product that has triggered, with covers that wait for their money.
struct Stage {
    desk: Desk,
    pool: PoolKeys,
    holders: Vec<(Person, Pubkey, u64)>,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        let product = world.create_product(&pool, terms::stress());
        world.depositor(&pool, Tranche::Junior, 20_000 * ONE);
        world.depositor(&pool, Tranche::Senior, 80_000 * ONE);
        world.next_day();
        let holders: Vec<(Person, Pubkey)> = (0..COVERS).map(|_| world.holder(&product, 1_000 * ONE, 30)).collect();
        let holders = holders.into_iter().map(|(person, cover)| {
            let before = world.assets(&person);
            (person, cover, before)
        });
        let holders = holders.collect();
        world.next_day();
        world.next_day();
        world.depeg(&product, 80_000_000);
        Self { desk: Desk::new(world), pool, holders }
    }

    /// Somebody who can pay for a crank.
    fn payer(&self, number: u64) -> Keypair {
        let payer = seeded(number);
        self.desk.node.world().cluster.airdrop(&payer.pubkey(), 10_000_000_000);
        payer
    }

    fn start(&self, payer: &Keypair, further: &[&str]) -> Child {
        let mut command: Command = self.desk.bare();
        command.args(["--url", self.desk.node.url(), "--keypair", &self.desk.keypair(payer), "crank", "run"]);
        command.args(further).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    fn settled(&self) -> usize {
        let world = self.desk.node.world();
        let is_settled = |cover: &&Pubkey| {
            let account = world.cluster.account(&address::cover(cover)).expect("read");
            account.is_none() || world.cover(cover).state != backstop::state::CoverState::Active
        };
        self.holders.iter().map(|(_, cover, _)| cover).filter(is_settled).count()
    }

    /// That everybody has been paid once, all of what they insured, and the pool's books agree.
    #[track_caller]
    fn all_are_paid_once(&self) {
        let world = self.desk.node.world();
        for (holder, _, before) in &self.holders {
            assert_eq!(world.assets(holder) - before, 1_000 * ONE);
        }
        let pool: Pool = world.pool(&self.pool);
        assert_eq!(pool.incident_reserves, 0);
        assert_eq!(world.tokens(&self.pool.vault()), pool.cash);
    }

    fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
            sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_dry_run_tells_what_is_due_and_sends_nothing() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    let run = stage.desk.act(&payer, &["crank", "run", "--once", "--dry-run", "--output", "json"]);
    let due = stage.desk.snapshot("crank-run-dry", run);
    assert!(due["due"].to_string().contains("open_incident"), "{due}");
    assert_eq!(stage.desk.node.asked("sendTransaction"), 0);
}

#[test]
fn one_run_opens_funds_settles_and_closes() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    let run = stage.desk.act(&payer, &["crank", "run", "--once", "--output", "json"]);
    let report = stage.desk.snapshot("crank-run", run);
    assert_eq!(report["done"]["settle_cover"].as_u64(), Some(COVERS as u64), "{report}");
    stage.all_are_paid_once();
    let again = stage.desk.act(&payer, &["crank", "run", "--once"]);
    assert!(again.done().contains("Nothing was due"), "{again}");
}

#[test]
fn two_at_once_on_a_node_that_loses_transactions_pay_everybody_once() {
    let stage = Stage::new();
    stage.desk.node.set_faults(Faults { one_in: 2, ..Faults::default() });
    let payers = [stage.payer(50), stage.payer(51)];
    let cranks = payers.each_ref().map(|payer| stage.start(payer, &["--once", "--output", "json"]));
    for crank in cranks {
        let output = crank.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    stage.all_are_paid_once();
}

#[test]
fn a_crank_that_is_killed_after_every_transaction_loses_nothing() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    let mut kills = 0;
    while stage.settled() < COVERS {
        let before = stage.desk.node.executed();
        let mut crank = stage.start(&payer, &["--interval", "100ms"]);
        stage.wait_until("it does something", || stage.desk.node.executed() > before);
        crank.kill().expect("it runs");
        crank.wait().expect("it is gone");
        kills += 1;
    }
    assert!(kills >= 2, "it took {kills} cranks that were killed");
    stage.all_are_paid_once();
    stage.desk.act(&payer, &["crank", "run", "--once"]).done();
    stage.all_are_paid_once();
}

#[test]
fn a_crank_outlasts_a_node_that_is_gone_for_a_while() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    let mut crank = stage.start(&payer, &["--interval", "100ms"]);
    stage.wait_until("it begins", || stage.desk.node.executed() > 0);
    stage.desk.node.set_faults(Faults { broken: 4, ..Faults::default() });
    stage.wait_until("everybody is paid", || stage.settled() == COVERS);
    crank.kill().expect("it still runs");
    crank.wait().expect("it is gone");
    stage.all_are_paid_once();
}

#[test]
fn a_crank_ends_with_0_when_it_is_asked_to() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    let crank = stage.start(&payer, &["--interval", "100ms", "--log-format", "json"]);
    stage.wait_until("everybody is paid", || stage.settled() == COVERS);
    let pid = crank.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    let output = crank.wait_with_output().expect("it ends");
    let logs = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{logs}");
    for line in logs.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    }
    assert!(logs.contains("stopped"), "{logs}");
    stage.all_are_paid_once();
}

#[test]
fn a_crank_without_a_cluster_or_money_says_so() {
    let stage = Stage::new();
    let keypair = stage.desk.keypair(&seeded(52));
    let run = ["crank", "run", "--once", "--keypair", &keypair];
    let nobody = finish(stage.desk.bare().args(["--url", "http://127.0.0.1:1"]).args(run));
    nobody.says(4, "does not answer", "--url");
    stage.desk.look(&run).says(1, "pays for the crank has no SOL", "send SOL");
    stage.desk.look(&[&run[..], &["--print-tx"]].concat()).says(2, "cannot print them", "--dry-run");
}
