//! `backstop treaty`: reinsurance from its announcement to its end, by the command line alone.

use crate::desk::{Desk, Run, units};
use backstop::state::{Cession, Treaty, TreatyKind, TreatyState, TreatyTerms};
use backstop_client::instruction::{PoolKeys, ProductKeys, TreatyKeys};
use backstop_client::{account, address};
use backstop_tests::reinsurance::{self, OWNED, SURPLUS, layer, quota_share};
use backstop_tests::terms::{DAY, ONE};
use serde_json::Value;
use solana_sdk::signature::Keypair;

/// A cover pool, a protocol-owned reinsurance pool and an open one, at a node.
struct Tower {
    desk: Desk,
    cedant: PoolKeys,
    owned: PoolKeys,
    open: PoolKeys,
    product: ProductKeys,
    governance: Keypair,
}

impl Tower {
    fn at(scene: reinsurance::Scene) -> Self {
        let reinsurance::Scene { world, cedant, product, owned, open } = scene;
        let governance = world.governance.insecure_clone();
        Self { desk: Desk::new(world), cedant, owned, open, product, governance }
    }

    /// Pools that nobody has entrusted anything to yet: nothing needs notice.
    fn new() -> Self {
        Self::at(reinsurance::Scene::new())
    }

    /// Runs the binary for governance, with the result in JSON.
    fn govern(&self, arguments: &[&str]) -> Run {
        self.desk.act(&self.governance, &[arguments, &["--output", "json"]].concat())
    }

    /// Runs the binary for somebody without any role, with the result in JSON.
    fn anybody(&self, arguments: &[&str]) -> Run {
        let person = self.desk.node.world().person(0);
        self.desk.act(&person.key, &[arguments, &["--output", "json"]].concat())
    }

    fn look(&self, arguments: &[&str]) -> Value {
        self.desk.json(self.desk.look(&[arguments, &["--output", "json"]].concat()))
    }

    /// Announces a treaty of the cedant with a reinsurer.
    fn create(&self, reinsurer: &PoolKeys, rest: &str) -> Run {
        let (cedant, reinsurer) = (self.cedant.pool.to_string(), reinsurer.pool.to_string());
        let words: Vec<&str> = rest.split_whitespace().collect();
        self.govern(&[&["treaty", "create", "--cedant", &cedant, "--reinsurer", &reinsurer], &words[..]].concat())
    }

    fn treaty(&self, id: u16) -> Treaty {
        self.desk.node.world().read(&address::treaty(&self.cedant.pool, id))
    }

    fn advance(&self, days: i64) {
        self.desk.node.world().advance(days * DAY);
    }
}

#[test]
fn a_quota_share_is_announced_accepted_and_ended() {
    let tower = Tower::new();
    let terms = "--quota-share --cession-bps 3000 --commission-bps 2000 --limit 60,000 --days 2";
    let created = tower.desk.json(tower.create(&tower.owned, terms));
    let key = address::treaty(&tower.cedant.pool, 0).to_string();
    assert_eq!(created["treaty"], Value::from(key.as_str()));
    assert_eq!((units(&created, "limit"), &created["limit"]), (60_000 * ONE, &Value::from("60000")));
    let treaty = tower.treaty(0);
    assert_eq!(treaty.kind, TreatyKind::QuotaShare { cession_bps: 3_000, commission_bps: 2_000 });
    assert_eq!((treaty.state, treaty.end_day - treaty.start_day), (TreatyState::Announced, 2));
    assert_eq!(tower.look(&["treaty", "show", &key])["state"], "acceptable");

    tower.govern(&["treaty", "accept", &key]).done();
    assert_eq!(tower.treaty(0).state, TreatyState::Active);
    let listed = tower.look(&["treaty", "list", "--pool", &tower.owned.pool.to_string()]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!((&listed[0]["state"], units(&listed[0], "limit_left")), (&"accepted".into(), 60_000 * ONE));
    let others = tower.look(&["treaty", "list", "--pool", &tower.open.pool.to_string()]);
    assert_eq!(others.as_array().map(Vec::len), Some(0));

    tower.advance(2);
    assert_eq!(tower.look(&["treaty", "show", &key])["state"], "in-force");
    tower.anybody(&["treaty", "end", &key]).says(1, "may still be needed", "it ends from 2023-11-21");
    tower.advance(8);
    assert_eq!(tower.look(&["treaty", "show", &key])["state"], "over");
    let ended = tower.desk.snapshot("treaty-end", tower.anybody(&["treaty", "end", &key]));
    assert_eq!(units(&ended, "released"), 60_000 * ONE);
    let gone = account::find::<Treaty>(&tower.desk.node.world().cluster, &address::treaty(&tower.cedant.pool, 0));
    assert!(gone.expect("the cluster answers").is_none());
    tower.desk.look(&["treaty", "show", &key]).says(1, "there is no treaty", "check the address");
}

#[test]
fn the_premium_of_a_layer_moves_when_it_is_accepted() {
    let tower = Tower::new();
    let terms = "--layer --attachment 10000 --rate-on-line-bps 500 --limit 10000 --start 2023-11-13 --end 2024-01-01";
    let created = tower.desk.json(tower.create(&tower.owned, terms));
    assert_eq!(units(&created, "premium"), 500 * ONE);
    let key = address::treaty(&tower.cedant.pool, 0).to_string();
    let accepted = tower.govern(&["treaty", "accept", &key]);
    assert!(accepted.stderr.contains("20,000.00 USDT -> 19,500.00 USDT"), "{accepted}");
    let world = tower.desk.node.world();
    assert_eq!(world.pool(&tower.cedant).surplus, SURPLUS - 500 * ONE);
    assert_eq!(world.pool(&tower.owned).unearned_premium, 500 * ONE);
}

#[test]
fn a_dry_run_tells_what_each_pool_gives_and_gets_and_changes_nothing() {
    let tower = Tower::new();
    let terms =
        "--layer --attachment 10000 --rate-on-line-bps 250 --limit 10000 --reinstatements 2 --days 90 --dry-run";
    let run = tower.create(&tower.open, terms);
    run.done();
    for said in [
        "250.00 USDT for the term, 2.5 % of the limit, from its surplus",
        "what an incident costs above 10,000.00 USDT, up to 10,000.00 USDT",
        "the limit is restored 2 times, for 100 % of the premium each",
        "The reinsurer has too little capital for this limit now",
    ] {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&run.stderr).contains(&words(said)), "{said:?}\n{run}");
    }
    assert_eq!(tower.desk.node.world().pool(&tower.cedant).treaties, 0);
}

#[test]
fn only_governance_announces_and_only_between_pools_that_fit() {
    let tower = Tower::new();
    let (cedant, owned) = (tower.cedant.pool.to_string(), tower.owned.pool.to_string());
    let terms = ["--quota-share", "--cession-bps", "3000", "--limit", "1000", "--days", "30"];
    let between = |cedant: &str, reinsurer: &str| {
        [&["treaty", "create", "--cedant", cedant, "--reinsurer", reinsurer], &terms[..]].concat().join(" ")
    };
    let split = |line: String| line.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
    let run = |line: String| tower.govern(&split(line).iter().map(String::as_str).collect::<Vec<_>>());
    let anybody = |line: String| tower.anybody(&split(line).iter().map(String::as_str).collect::<Vec<_>>());
    anybody(between(&cedant, &owned)).says(1, "(NotGovernance, ", "protocol show");
    run(between(&cedant, &cedant)).says(1, "does not reinsure", "pool list");
    run(between(&owned, &cedant)).says(1, "does not cede", "pool list");
    run(between(&cedant, &owned) + " --start 2023-11-11").says(1, "within the notice", "2023-11-12");
    assert_eq!(tower.desk.node.world().pool(&tower.cedant).treaties, 0);
}

#[test]
fn a_treaty_binds_after_its_notice_and_before_its_term() {
    let scene = reinsurance::Scene::new();
    scene.capital();
    let tower = Tower::at(scene);
    tower.create(&tower.owned, "--quota-share --cession-bps 3000 --limit 1000 --days 30").done();
    let key = address::treaty(&tower.cedant.pool, 0).to_string();
    tower.govern(&["treaty", "accept", &key]).says(1, "notice is not over", "accept it from 2023-11-21");
    let end = |word: &str| tower.anybody(&["treaty", "end", &key]).says(1, "may still be needed", word);
    end("a treaty that is not accepted ends from 2023-11-23");
    tower.advance(12);
    tower.govern(&["treaty", "accept", &key]).says(1, "cannot be now", &format!("treaty end {key}"));
    tower.anybody(&["treaty", "end", &key]).done();
}

#[test]
fn an_incident_calls_its_treaties_in_order_and_each_once() {
    let scene = reinsurance::Scene::new();
    let now = scene.world.now();
    let treaties: [TreatyTerms; 2] =
        [quota_share(now, 3_000, 2_000, 60_000 * ONE), layer(now, 10_000 * ONE, 10_000 * ONE)];
    let keys: [TreatyKeys; 2] = scene.in_force([(&scene.owned, treaties[0]), (&scene.open, treaties[1])]);
    scene.insured(&scene.product, 40_000 * ONE);
    scene.strike(&scene.product);
    let tower = Tower::at(scene);
    let product = tower.product.product.to_string();
    let incident = tower.look(&["incident", "show", &product]);
    let treaties = incident["treaties"].as_array().expect("a list");
    let owed: Vec<u64> = treaties.iter().map(|row| units(row, "owed")).collect();
    assert_eq!(owed, [12_000 * ONE, 10_000 * ONE], "what they owe is told before the calls");

    let premium = tower.desk.json(tower.anybody(&["treaty", "premium", &keys[0].treaty.to_string()]));
    assert!(units(&premium, "amount") > 0, "{premium}");
    let first = tower.desk.snapshot("incident-call", tower.anybody(&["incident", "call", &product]));
    assert_eq!((units(&first, "received"), units(&first["losses"], "surplus")), (owed[0], owed[0]));
    let second = tower.desk.json(tower.anybody(&["incident", "call", &product]));
    assert_eq!((units(&second, "owed"), units(&second, "received")), (owed[1], owed[1]));
    tower.anybody(&["incident", "call", &product]).says(1, "no treaty owes the incident anything", "incident show");
    for keys in keys {
        assert_eq!(units(&tower.look(&["treaty", "show", &keys.treaty.to_string()]), "owed"), 0);
    }
}

#[test]
fn surplus_moves_up_as_it_was_announced() {
    let tower = Tower::new();
    let (cedant, owned) = (tower.cedant.pool.to_string(), tower.owned.pool.to_string());
    let announce = ["treaty", "cede", "announce", "--cedant", &cedant, "--reinsurer", &owned, "1,500.5"];
    let announced = tower.desk.json(tower.govern(&announce));
    assert_eq!(units(&announced, "amount"), 1_500_500_000);
    tower.govern(&announce).says(1, "announced a move already", "treaty cede execute");
    tower.govern(&["treaty", "cede", "execute", "--cedant", &cedant]).done();
    {
        let world = tower.desk.node.world();
        assert_eq!(world.pool(&tower.cedant).surplus, SURPLUS - 1_500_500_000);
        assert_eq!(world.pool(&tower.owned).surplus, OWNED + 1_500_500_000);
    }
    tower.govern(&["treaty", "cede", "execute", "--cedant", &cedant]).says(1, "announced nothing", "cede announce");

    tower.govern(&announce).done();
    tower.advance(8);
    tower.govern(&["treaty", "cede", "execute", "--cedant", &cedant]).says(1, "void since", "cede close");
    tower.desk.snapshot("treaty-cede-close", tower.anybody(&["treaty", "cede", "close", "--cedant", &cedant]));
    let cession = address::cession(&tower.cedant.pool);
    let gone = account::find::<Cession>(&tower.desk.node.world().cluster, &cession);
    assert!(gone.expect("the cluster answers").is_none());
}
