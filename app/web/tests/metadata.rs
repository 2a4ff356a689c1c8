//! Files for wallets: those that `backstop metadata build` wrote, and those that the accounts give.

mod booth;

use backstop::state::{Product, day_of};
use backstop_client::account;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::metadata::{File, Places, of_plans};
use backstop_tests::{Node, World};
use backstop_web::site::Settings;
use booth::Booth;
use solana_commitment_config::CommitmentConfig;
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

#[test]
fn files_are_handed_out_by_their_hash_and_only_if_they_have_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let plans = backstop_client::migration::load(&folder.join("0003_usdt_products.toml"), &BTreeMap::new());
    let places = Places::new("https://b.example", None).expect("it is a place");
    let read = |_: &_, name: &str| std::fs::read(folder.join(name));
    let all = of_plans(&plans.expect("it is a plan"), &places, read).expect("they are built");
    let dir = tempfile::tempdir().expect("there is room");
    let files: Vec<_> = all.into_iter().flat_map(|shown| shown.files).collect();
    for file in &files {
        std::fs::write(dir.path().join(&file.name), &file.bytes).expect("there is room");
    }
    let changed = format!("{}.json", "a".repeat(64));
    std::fs::write(dir.path().join(&changed), "{}").expect("there is room");
    let booth = Booth::with(Settings { metadata: Some(dir.path().to_owned()), ..Settings::default() });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |name: &str| {
        let request = agent.get(format!("{}/metadata/{name}", booth.page.url));
        let mut answer = request.header("origin", "https://wallet.example").call().expect("the page answers");
        let header =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let headers =
            [header("content-type"), header("access-control-allow-origin"), header("content-security-policy")];
        (answer.status().as_u16(), headers, answer.body_mut().read_to_vec().expect("it can be read"))
    };
    for file in &files {
        let (status, [kind, open, policy], bytes) = get(&file.name);
        assert_eq!((status, open.as_str(), bytes), (200, "*", file.bytes.clone()), "{}", file.name);
        let expected = if file.name.ends_with("svg") { "image/svg+xml" } else { "" };
        assert!(kind.starts_with(expected) && policy.starts_with("default-src 'none'"), "{kind} {policy}");
    }
    for name in [changed.as_str(), "nothing.json", "..%2F..%2Fetc%2Fpasswd", &format!("{}.json", "b".repeat(64))] {
        assert_eq!(get(name).0, 404, "{name}");
    }
}

#[test]
fn what_wallets_show_of_products_and_pools_comes_from_their_accounts() {
    let booth = Booth::open();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |url: &str| {
        let mut answer = agent.get(url).header("origin", "https://wallet.example").call().expect("the page answers");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{url}");
        (answer.status().as_u16(), answer.body_mut().read_to_vec().expect("it can be read"))
    };
    let [product, pool] = [booth.shop.product.product, booth.shop.pool.pool];
    for (path, named) in [(format!("product/{product}"), "Backstop: "), (format!("pool/{pool}"), "Backstop ")] {
        let (status, bytes) = get(&format!("{}/metadata/{path}", booth.page.url));
        assert_eq!(status, 200, "{path}");
        let json: serde_json::Value = serde_json::from_slice(&bytes).expect("it is JSON");
        assert!(booth::text(&json["name"]).starts_with(named), "{json}");
        let image = booth::text(&json["image"]);
        assert!(image.starts_with(&format!("{}/metadata/", booth.page.url)), "{image}");
        let (status, bytes) = get(image);
        assert_eq!(status, 200, "{image}");
        assert!(File::fits(image.rsplit('/').next().expect("a name"), &bytes), "{image} is named by its bytes");
    }
    let (_, bytes) = get(&format!("{}/metadata/pool/{pool}", booth.page.url));
    let json: serde_json::Value = serde_json::from_slice(&bytes).expect("it is JSON");
    assert_eq!(json["external_url"], format!("{}/pool/{pool}", booth.page.url));
    for path in [format!("pool/{product}"), format!("product/{pool}"), "product/x".into(), "pool/..".into()] {
        let answer = agent.get(format!("{}/metadata/{path}", booth.page.url)).call().expect("the page answers");
        assert!(matches!(answer.status().as_u16(), 400 | 404), "{path}");
    }
}

#[test]
fn the_accounts_give_the_files_that_their_plans_gave_and_lead_to_them() {
    let world = World::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let day = |ahead: u32| backstop::border::text::date_text(day_of(world.now()) + ahead);
    let values = [
        ("governance", world.governance.pubkey().to_string()),
        ("guardian", world.guardian.pubkey().to_string()),
        ("risk_keeper", world.risk_keeper.pubkey().to_string()),
        ("usdc", world.asset.to_string()),
        ("usdt", world.covered.to_string()),
        ("first_day", day(2)),
        ("end_day", day(300)),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value)).into();
    let mut plans = backstop_client::migration::load(&folder, &values).expect("they are plans");
    let places = Places::new("https://m.example", Some("https://p.example")).expect("it is a place");
    let read = |_: &_, name: &str| std::fs::read(folder.join(name));
    // As somebody does before applying them: the URIs that the files have go into the plans.
    let mut uris = of_plans(&plans, &places, read).expect("they are built").into_iter().map(|shown| shown.uri);
    for plan in &mut plans {
        plan.pools.iter_mut().for_each(|pool| pool.uri = uris.next().expect("one each"));
        plan.products.iter_mut().for_each(|product| product.uri = uris.next().expect("one each"));
    }
    let items =
        backstop_client::migration::difference(&world.cluster, &plans, world.payer.pubkey()).expect("it answers");
    for step in items.iter().flat_map(|item| &item.steps) {
        world.send(&[&world.governance], std::slice::from_ref(&step.instruction)).expect("it is applied");
    }
    let planned = of_plans(&plans, &places, read).expect("they are built");
    assert!(planned.len() >= 4 && planned.iter().all(|shown| shown.is_planned()), "pools and products");
    let products = account::list::<Product>(&world.cluster, None).expect("they are read");
    let node = Node::start(world);
    let cluster = Arc::new(RpcCluster::new(node.url(), CommitmentConfig::confirmed()));
    // The name of the page that pools' files lead to is one of this server's own.
    let page = booth::page(cluster, Settings { hosts: vec!["p.example".into()], ..Settings::default() });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |path: &str| {
        let mut answer = agent.get(format!("{}{path}", page.url)).call().expect("the page answers");
        (answer.status().as_u16(), answer.body_mut().read_to_vec().expect("it can be read"))
    };
    for file in planned.iter().flat_map(|shown| &shown.files) {
        let (status, bytes) = get(&format!("/metadata/{}", file.name));
        if file.name.ends_with(".md") {
            assert_eq!(status, 404, "a wording is not on chain");
        } else {
            assert_eq!((status, &bytes), (200, &file.bytes), "{}", file.name);
        }
    }
    for (key, product) in products {
        let plan = planned.iter().find(|shown| shown.uri == product.uri()).expect("a plan has it");
        assert_eq!(get(&format!("/metadata/product/{key}")), (200, plan.files[0].bytes.clone()));
        let (_, html) = get(&format!("/product/{key}"));
        assert!(String::from_utf8_lossy(&html).contains("The link is good"), "{key}");
    }
}
