//! `backstop crank run`: over RPC, several at once, killed half-way.

use crate::desk::{Desk, finish};
use crate::scene::Scene;
use anchor_lang::prelude::Pubkey;
use backstop::state::{Pool, Tranche};
use backstop_client::address;
use backstop_client::cluster::Cluster;
use backstop_client::instruction::PoolKeys;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Fault, Faults, Person, World, seeded};
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
fn a_pool_that_is_none_is_refused_and_does_not_idle() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    let stranger = seeded(77).pubkey().to_string();
    let run = |pool: &str| stage.desk.act(&payer, &["crank", "run", "--once", "--pool", pool]);
    run(&stranger).says(1, &format!("there is no pool at {stranger}"), "`backstop pool list`");
    let mint = stage.desk.node.world().asset.to_string();
    run(&mint).says(1, &format!("the account {mint} is no pool"), "`backstop pool list`");
    assert_eq!(run("not-a-pool").code, 2);
    assert_eq!(stage.desk.node.asked("sendTransaction"), 0);
    assert_eq!(run(&stage.pool.pool.to_string()).code, 0);
    stage.all_are_paid_once();
}

#[test]
fn a_round_without_a_fresh_price_is_told_and_fails_though_the_rest_is_done() {
    let scene = Scene::new();
    scene.desk.node.world().advance(2 * terms::DAY);
    let run = scene.act(&["crank", "run", "--once"]);
    assert_eq!(run.code, 3, "{run}");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    assert_eq!(report["done"]["accrue"], 1, "{report}");
    assert_eq!((&report["feeds"][0]["fresh"], &report["feeds"][0]["age_seconds"]), (&false.into(), &172_800.into()));
    assert!(run.stderr.contains("no fresh price of feed 0707"), "{run}");
    let text = scene.desk.act(&scene.person.key, &["crank", "run", "--once"]);
    assert!(text.stdout.contains("172800 s old, and 1860 s is the most"), "{text}");
    let dry = scene.act(&["crank", "run", "--dry-run"]);
    assert!(dry.done().contains("\"fresh\": false"), "{dry}");
}

#[test]
fn a_price_ahead_of_the_clock_is_told() {
    let scene = Scene::new();
    {
        let world = scene.desk.node.world();
        let standing = backstop_client::price_account::standing_account(&terms::FEED);
        let price = backstop_client::price_account::Price::e8(100_000_000, 0, world.now() + 9);
        world.cluster.post_price(standing, terms::FEED, price);
    }
    let run = scene.desk.act(&scene.person.key, &["crank", "run", "--once"]);
    assert_eq!(run.code, 0, "what was shown before is still fresh: {run}");
    assert!(run.stdout.contains("9 s ahead of the cluster's clock"), "{run}");
}

#[test]
fn an_interval_that_would_flood_the_node_and_a_budget_that_is_none_are_refused() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    for wrong in [["--interval", "1ms"], ["--interval", "0s"], ["--budget", "1.5"], ["--create-accounts", "some"]] {
        let run = stage.desk.act(&payer, &[&["crank", "run", "--once"][..], &wrong].concat());
        assert_eq!(run.code, 2, "{wrong:?}: {run}");
    }
    let help = finish(stage.desk.bare().args(["crank", "run", "--help"]));
    assert!(help.done().contains("[default: 500000000]") && help.done().contains("Half a SOL"), "{help}");
    assert_eq!(stage.desk.act(&payer, &["crank", "run", "--once", "--budget", "none"]).code, 0);
}

#[test]
fn logs_say_what_was_done_for_whom_and_why_and_that_the_cluster_answers_again() {
    let stage = Stage::new();
    {
        let world = stage.desk.node.world();
        let (_, product) = {
            let pool = stage.pool;
            let product = world.create_product(&pool, terms::stress());
            (pool, product)
        };
        let standing = backstop_client::price_account::standing_account(&terms::FEED);
        let price = backstop_client::price_account::Price::e8(94_000_000, 0, world.now());
        world.cluster.post_price(standing, terms::FEED, price);
        assert_eq!(world.trigger(&product).evidence.last_price, 0);
    }
    let payer = stage.payer(50);
    let crank = stage.start(&payer, &["--interval", "100ms", "--log-format", "json"]);
    stage.wait_until("everybody is paid", || stage.settled() == COVERS);
    // The node is out of order for a while.
    let asked = |method: &str| stage.desk.node.asked(method);
    stage.desk.node.set_faults(Faults::of("getProgramAccounts", Fault::Status(500, "out of order")));
    let before = asked("getProgramAccounts");
    stage.wait_until("passes are broken off", || asked("getProgramAccounts") > before + 8);
    stage.desk.node.set_faults(Faults::default());
    let before = asked("getMultipleAccounts");
    stage.wait_until("passes go on", || asked("getMultipleAccounts") > before + 3);
    sleep(Duration::from_millis(500));
    let pid = crank.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    let output = crank.wait_with_output().expect("it ends");
    let logs = String::from_utf8(output.stderr).expect("UTF-8");
    let lines: Vec<serde_json::Value> =
        logs.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect();
    for line in &lines {
        for (name, field) in line.as_object().expect("it is an object") {
            let text = field.as_str().unwrap_or_default();
            assert!(!text.starts_with(['{', '[']) && !text.contains("\\\""), "no JSON in strings: {name} in {line}");
        }
    }
    let found = |message: &str| lines.iter().find(|line| line["message"] == message);
    let shown = found("price shown").unwrap_or_else(|| panic!("{logs}"));
    assert_eq!((&shown["pool"], &shown["price"]), (&"USDT".into(), &"0.94000000".into()), "{shown}");
    assert!(shown["product"].as_str().is_some_and(|name| !name.is_empty()), "{shown}");
    assert_eq!(shown["why"], "0.94000000 is a breach: below 0.95000000");
    let paid = lines.iter().find(|line| line["kind"] == "settle_cover").unwrap_or_else(|| panic!("{logs}"));
    assert_eq!((&paid["pool"], &paid["why"]), (&"USDT".into(), &"its incident has something for it".into()), "{paid}");
    assert!(paid["amount"].as_str().is_some_and(|amount| amount.ends_with("000.000000")), "{paid}");
    assert!(paid["signature"].is_string() && paid["items"].is_u64(), "{paid}");
    assert!(found("the cluster answers again").is_some(), "{logs}");
}

#[test]
fn a_node_that_refuses_what_can_be_done_otherwise_keeps_nobody_from_being_paid() {
    for fault in [
        Faults::of("getTokenLargestAccounts", Fault::Error(-32010, "excluded from account secondary indexes")),
        Faults::of("getTokenLargestAccounts", Fault::Error(-32601, "Method not found")),
        Faults::of("getTokenLargestAccounts", Fault::Status(429, "Too many requests")),
        Faults::of("getMultipleAccounts", Fault::Most(10)),
        Faults::of("getRecentPrioritizationFees", Fault::Error(-32601, "Method not found")),
        Faults::of("getMinimumBalanceForRentExemption", Fault::Error(-32601, "Method not found")),
    ] {
        let stage = Stage::new();
        let payer = stage.payer(50);
        let told = format!("{:?}", fault.rules);
        stage.desk.node.set_faults(fault);
        let run = stage.desk.act(&payer, &["crank", "run", "--once"]);
        assert_eq!(run.code, 0, "{told}: {run}");
        stage.all_are_paid_once();
    }
}

#[test]
fn a_node_that_does_not_say_who_holds_covers_leaves_them_unknown_and_unclosed() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    // The usual list of the program's own accounts is answered; what comes after it is not.
    stage.desk.node.set_faults(Faults::of("getTokenLargestAccounts", Fault::Page));
    let run = stage.desk.act(&payer, &["crank", "run", "--once", "--output", "json"]);
    assert_eq!(run.code, 3, "{run}");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    assert_eq!((&report["done"]["fund_incident"], &report["done"]["settle_cover"]), (&1.into(), &().into()));
    assert!(report["done"]["close_incident"].is_null(), "{report}");
    let waiting = report["waiting"].as_array().expect("a list");
    assert_eq!(waiting.iter().filter(|item| item["why"] == "nobody says who holds it").count(), COVERS);
    assert!(run.stderr.contains("holders of covers"), "{run}");
    stage.desk.node.set_faults(Faults::default());
    stage.desk.act(&payer, &["crank", "run", "--once"]).done();
    stage.all_are_paid_once();
}

#[test]
fn a_crank_is_stopped_though_the_node_answers_and_does_not_get_on() {
    let stage = Stage::new();
    let payer = stage.payer(50);
    let mut crank = stage.start(&payer, &["--interval", "100ms"]);
    stage.wait_until("it begins", || stage.desk.node.executed() > 0);
    stage.desk.node.set_faults(Faults { lost: u32::MAX, blocks_per_look: 0, ..Faults::default() });
    let before = stage.desk.node.asked("sendTransaction");
    stage.wait_until("it sends in vain", || stage.desk.node.asked("sendTransaction") > before);
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &crank.id().to_string()]).status().expect("kill runs").success());
    assert_eq!(crank.wait().expect("it ends").code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(40), "{:?}", asked.elapsed());
    stage.desk.node.set_faults(Faults::default());
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
