//! What `backstop treaty` prints; what it does is in `reinsurance.rs`.

use crate::desk::{Desk, Run};
use backstop_client::instruction::{PoolKeys, TreatyKeys};
use backstop_tests::reinsurance::{self, layer, quota_share};
use backstop_tests::terms::{DAY, ONE};
use solana_sdk::signature::Keypair;

/// A desk at three pools, of which one cedes.
struct Stage {
    desk: Desk,
    governance: Keypair,
    cedant: PoolKeys,
    owned: PoolKeys,
    open: PoolKeys,
}

impl Stage {
    fn on(scene: reinsurance::Scene) -> Self {
        let reinsurance::Scene { world, cedant, owned, open, .. } = scene;
        let governance = world.governance.insecure_clone();
        Self { desk: Desk::new(world), governance, cedant, owned, open }
    }

    fn govern(&self, arguments: &[&str]) -> Run {
        self.desk.act(&self.governance, &[arguments, &["--output", "json"]].concat())
    }

    /// Compares what a command tells in JSON, and for people, with what is committed.
    #[track_caller]
    fn shows(&self, name: &str, arguments: &[&str]) {
        self.desk.snapshot(name, self.desk.look(&[arguments, &["--output", "json"]].concat()));
        self.desk.display(name, self.desk.look(arguments));
    }
}

#[test]
fn treaties_are_agreed_listed_and_shown() {
    let stage = Stage::on(reinsurance::Scene::new());
    let [cedant, owned, open] = [&stage.cedant, &stage.owned, &stage.open].map(|keys| keys.pool.to_string());
    let create = |reinsurer, terms: &[&str]| {
        stage.govern(&[&["treaty", "create", "--cedant", &cedant, "--reinsurer", reinsurer], terms].concat())
    };
    let share = ["--quota-share", "--cession-bps", "3000", "--commission-bps", "2000", "--limit", "60000"];
    let made = stage.desk.snapshot("treaty-create", create(&owned, &[&share[..], &["--days", "90"]].concat()));
    let treaty = made["treaty"].as_str().expect("an address");
    stage.desk.snapshot("treaty-accept", stage.govern(&["treaty", "accept", treaty]));
    let terms = ["--layer", "--attachment", "10000", "--limit", "20000", "--rate-on-line-bps", "500", "--days", "90"];
    stage.desk.snapshot("treaty-create-layer", create(&open, &terms));
    stage.shows("treaty-list", &["treaty", "list"]);
    stage.shows("treaty-show", &["treaty", "show", treaty]);

    // A layer has an attachment, and a quota share a cession.
    for incomplete in [&terms[..5], &["--quota-share", "--limit", "60000", "--days", "90"]] {
        assert_eq!(create(&open, incomplete).code, 2);
    }
}

#[test]
fn premium_is_handed_over_and_treaties_in_force_are_commuted() {
    let scene = reinsurance::Scene::new();
    let now = scene.world.now();
    let [share, layer]: [TreatyKeys; 2] = scene.in_force([
        (&scene.owned, quota_share(now, 3_000, 2_000, 60_000 * ONE)),
        (&scene.open, layer(now, 10_000 * ONE, 10_000 * ONE)),
    ]);
    scene.insured(&scene.product, 20_000 * ONE);
    let stage = Stage::on(scene);
    let [share, layer] = [share, layer].map(|keys| keys.treaty.to_string());
    stage.desk.node.world().advance(DAY);
    stage.desk.snapshot("treaty-premium", stage.govern(&["treaty", "premium", &share]));
    stage.shows("treaty-show-layer", &["treaty", "show", &layer]);
    stage.desk.snapshot("treaty-commute", stage.govern(&["treaty", "commute", &layer]));
}

#[test]
fn a_cession_of_surplus_is_announced_and_executed() {
    let stage = Stage::on(reinsurance::Scene::new());
    let [cedant, reinsurer] = [&stage.cedant, &stage.owned].map(|keys| keys.pool.to_string());
    let announce = ["treaty", "cede", "announce", "--cedant", &cedant, "--reinsurer", &reinsurer, "10"];
    stage.desk.snapshot("treaty-cede-announce", stage.govern(&announce));
    let execute = ["treaty", "cede", "execute", "--cedant", &cedant];
    let before = stage.desk.node.world().pool(&stage.owned).surplus;
    let mut run = stage.govern(&execute);
    for _ in 0..40 {
        if run.code == 0 {
            break;
        }
        run.refused(1);
        stage.desk.node.world().next_day();
        run = stage.govern(&execute);
    }
    stage.desk.snapshot("treaty-cede-execute", run);
    assert_eq!(stage.desk.node.world().pool(&stage.owned).surplus, before + 10 * ONE);
}

#[test]
fn an_address_that_is_no_treaty_is_told_so() {
    let stage = Stage::on(reinsurance::Scene::new());
    let pool = stage.cedant.pool.to_string();
    stage.desk.look(&["treaty", "show", &pool]).says(1, "is no treaty", "backstop treaty list");
}
