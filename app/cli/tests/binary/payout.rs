//! `backstop incident settle` where the holder's accounts are not as usual.

use crate::desk::units;
use crate::scene::{Scene, half_back};
use backstop_client::address;
use backstop_client::cluster::Cluster;
use backstop_tests::terms::ONE;
use serde_json::Value;
use solana_sdk::account::Account;

/// A cover of 10,000 whose incident is funded: half of it is due.
fn funded() -> Scene {
    let scene = Scene::new();
    let world = scene.desk.node.world();
    world.next_day();
    world.next_day();
    world.depeg(&scene.product, 87_500_000);
    world.open_and_fund(&scene.product);
    drop(world);
    scene
}

#[test]
fn a_holder_without_a_token_account_is_paid_into_a_new_one() {
    let scene = funded();
    let tokens = scene.pool.assets_of(&scene.holder.id());
    scene.desk.node.world().cluster.set_account(tokens, Account::default());
    // The mint of the NFT names the cover, too.
    let settled = scene.desk.json(scene.act(&["incident", "settle", &scene.cover.to_string()]));
    assert_eq!((units(&settled, "amount"), &settled["amount"]), (5_000 * ONE, &Value::from("5000")));
    let back = half_back(&scene.desk.node.world(), &scene.product, &scene.cover);
    assert_eq!(units(&settled, "refund"), back);
    assert_eq!(scene.desk.node.world().tokens(&tokens), 5_000 * ONE + back);
}

#[test]
fn what_was_paid_is_told_after_the_incident_too() {
    let scene = funded();
    let cover = scene.cover.to_string();
    let holder = scene.holder.id().to_string();
    scene.desk.json(scene.act(&["incident", "settle", &cover]));
    let list = ["cover", "list", "--owner", &holder];
    let row = |scene: &Scene| {
        let rows = scene.desk.json(scene.desk.look(&[&list[..], &["--output", "json"]].concat()));
        (rows[0]["paid"].clone(), rows[0]["paid_at_most"].clone())
    };
    let back = half_back(&scene.desk.node.world(), &scene.product, &scene.cover);
    let paid = Value::from(format!("5013.{:06}", back - 13 * ONE));
    assert_eq!(row(&scene), (paid.clone(), Value::Null));
    assert!(scene.desk.look(&list).done().contains("paid 5,013.58"));
    let listed = |scene: &Scene| scene.desk.json(scene.desk.look(&["incident", "list", "--output", "json"]))[0].clone();
    assert_eq!(listed(&scene)["state"], "final");

    // The incident is closed: its event and severity are still there, its sums and its ratio are not.
    scene.desk.json(scene.act(&["incident", "close", &scene.product()]));
    let ended = listed(&scene);
    assert_eq!((&ended["state"], &ended["severity_bps"]), (&Value::from("ended"), &Value::from(5_000)));
    assert_eq!(ended["gross"], Value::Null);
    assert!(scene.desk.look(&["incident", "list"]).done().contains("ended"));
    // What a cover was paid for its loss it keeps itself.
    assert_eq!(row(&scene), (paid, Value::Null));
    assert!(scene.desk.look(&list).done().contains("paid 5,013.58"));
    let shown = scene.desk.look(&["cover", "show", &cover]);
    assert!(shown.done().contains("5,000.00 USDT of 5,000.00 USDT, 50.00 %"), "{shown}");
}

#[test]
fn a_program_that_holds_the_nft_must_settle_it_itself() {
    let scene = funded();
    let nft = address::associated_token(&scene.holder.id(), &scene.cover, &anchor_spl::token_2022::ID);
    let program_account = scene.pool.pool;
    {
        let world = scene.desk.node.world();
        let mut account = world.cluster.account(&nft).expect("the cluster answers").expect("the NFT is there");
        account.data[32..64].copy_from_slice(program_account.as_ref());
        world.cluster.set_account(nft, account);
    }
    let cover = address::cover(&scene.cover).to_string();
    scene.act(&["incident", "settle", &cover]).says(1, "a program's account", "only that program");
}

#[test]
fn what_is_no_cover_and_what_has_no_incident_is_told_so() {
    let scene = Scene::new();
    scene.act(&["incident", "settle", &scene.pool()]).says(1, "there is no cover at", "NFT's mint");
    scene.desk.look(&["incident", "show", &scene.product()]).says(1, "there is no incident on", "trigger show");
    scene.desk.look(&["incident", "show", &scene.pool()]).says(1, "is no product of this program", "product list");
}
