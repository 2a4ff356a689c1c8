//! `backstop product`.

use crate::desk::{Run, units};
use crate::scene::Scene;
use backstop::peril::evidence::Phase;
use backstop::state::{Product, ProductState, Trigger};
use backstop_tests::seeded;
use solana_sdk::signer::Signer;

impl Scene {
    /// Runs the binary for governance, with the result in JSON.
    pub fn govern(&self, arguments: &[&str]) -> Run {
        let governance = self.desk.node.world().governance.insecure_clone();
        self.desk.act(&governance, &[arguments, &["--output", "json"]].concat())
    }
}

#[test]
fn products_are_listed_and_shown() {
    let scene = Scene::new();
    scene.shows("product-list", &["product", "list"]);
    scene.shows("product-show", &["product", "show", &scene.product()]);
    let by_number = format!("{}/0/0", scene.pool.asset_mint);
    let shown = |product: &str| scene.desk.look(&["product", "show", product]).done().to_owned();
    assert_eq!(shown(&by_number), shown(&scene.product()));
}

#[test]
fn a_product_is_created_by_governance_with_its_wording() {
    let scene = Scene::new();
    let (pool, covered) = (scene.pool(), scene.desk.node.world().covered.to_string());
    let wording = scene.desk.write("wording.md", "What is insured.\n");
    let feed = "07".repeat(32);
    let create = [
        &["product", "create", &pool, "--name", "USDC below 0.90 for 24h", "--covered-asset", &covered][..],
        &["--wording", &wording, "--uri", "https://backstop.example/wording", "--feed", &feed],
        &["--threshold", "0.90", "--duration", "24h", "--slot", "1h", "--tolerance", "2h", "--risk-rate", "1%"],
    ];
    let made = scene.desk.snapshot("product-create", scene.govern(&create.concat()));
    let address = made["product"].as_str().expect("an address").parse().expect("an address");
    let product: Product = scene.desk.node.world().read(&address);
    assert_eq!((product.name(), product.risk_rate_ppb), ("USDC below 0.90 for 24h", 10_000_000));

    let missing =
        create.concat().iter().map(|word| if *word == wording { "nowhere.md" } else { *word }).collect::<Vec<_>>();
    scene.govern(&missing).says(1, "the wording nowhere.md cannot be read", "");
    let short = create.concat().iter().map(|word| if *word == "24h" { "10m" } else { *word }).collect::<Vec<_>>();
    scene.govern(&short).says(2, "--duration", "--help");
}

#[test]
fn the_risk_keeper_moves_the_risk_rate_once_a_day() {
    let scene = Scene::new();
    let (keeper, product) = (scene.desk.node.world().risk_keeper.insecure_clone(), scene.product());
    let set = |rate| scene.desk.act(&keeper, &["product", "set-rate", &product, rate, "--output", "json"]);
    set("2.5%").says(1, "(RiskRateMovedToday, 6097)", "it can move again from");
    scene.desk.node.world().advance(86_400);
    set("9%").says(1, "(RiskRateOutOfBounds, 6098)", "can go from");
    scene.desk.snapshot("product-set-rate", set("2.5%"));
    assert_eq!(scene.desk.node.world().product(&scene.product).risk_rate_ppb, 25_000_000);
    scene.desk.node.world().advance(86_400);
    scene.act(&["product", "set-rate", &product, "2.4%"]).refused(1);
}

#[test]
fn sales_are_stopped_resumed_and_ended_by_governance() {
    let scene = Scene::new();
    let product = scene.product();
    let state = || scene.desk.node.world().product(&scene.product).state();
    scene.desk.snapshot("product-freeze", scene.govern(&["product", "freeze", &product]));
    assert_eq!(state(), ProductState::Frozen);
    scene.act(&["cover", "buy", &product, "1000", "--days", "30"]).says(1, "(NotSelling, 6093)", "backstop product");
    scene.desk.snapshot("product-thaw", scene.govern(&["product", "thaw", &product]));
    assert_eq!(state(), ProductState::Selling);
    scene.act(&["product", "freeze", &product]).says(1, "Only governance may do this", "--keypair");
    scene.desk.snapshot("product-run-off", scene.govern(&["product", "run-off", &product]));
    assert_eq!(state(), ProductState::RunOff);
    scene.govern(&["product", "thaw", &product]).says(1, "(WrongProductState, 6096)", "the product is");
}

#[test]
fn what_triggered_is_followed_by_a_fresh_product_with_the_same_terms() {
    let scene = Scene::new();
    let renew = ["product", "renew", &scene.product()];
    scene.govern(&renew).says(1, "has not triggered", "product create");
    {
        let world = scene.desk.node.world();
        world.next_day();
        world.next_day();
        world.depeg(&scene.product, 87_500_000);
    }
    scene.act(&renew).says(1, "Only governance may do this", "--keypair");
    let made = scene.desk.snapshot("product-renew", scene.govern(&renew));
    let fresh = made["product"].as_str().expect("an address").parse().expect("an address");
    let world = scene.desk.node.world();
    let (fresh, old): (Product, Product) = (world.read(&fresh), world.product(&scene.product));
    assert_ne!(fresh.trigger, old.trigger);
    assert_eq!((fresh.name(), fresh.uri(), fresh.wording_hash), (old.name(), old.uri(), old.wording_hash));
    assert_eq!((fresh.terms, fresh.covered_asset, fresh.pool), (old.terms, old.covered_asset, old.pool));
    let (fresh, old): (Trigger, Trigger) = (world.read(&fresh.trigger), world.read(&old.trigger));
    assert_eq!((fresh.terms, fresh.feed, fresh.source), (old.terms, old.feed, old.source));
    assert_eq!(fresh.phase(), Phase::Quiet);
    assert_ne!(old.phase(), Phase::Quiet);
}

#[test]
fn anybody_releases_what_is_over() {
    let scene = Scene::new();
    scene.desk.node.world().advance(40 * 86_400);
    let somebody = seeded(99);
    scene.desk.node.world().cluster.airdrop(&somebody.pubkey(), 1_000_000_000);
    let sync = ["product", "sync", &scene.product(), "--output", "json"];
    let released = scene.desk.snapshot("product-sync", scene.desk.act(&somebody, &sync));
    assert_eq!(units(&released, "exposure"), 0);
    assert_eq!(scene.desk.node.world().product(&scene.product).exposure, 0);
}
