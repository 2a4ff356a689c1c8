//! `backstop position`.

use crate::desk::units;
use crate::scene::Scene;
use backstop_client::{Cluster, address};
use backstop_tests::terms::{HOUR, MINUTE, ONE};

/// Buys a position of 1,000 for 30 days, and returns its address.
fn bought(scene: &Scene, more: &[&str]) -> serde_json::Value {
    let terms = ["position", "buy", &scene.product(), "1000", "--days", "30"];
    scene.desk.json(scene.act(&[&terms[..], more].concat()))
}

fn position(bought: &serde_json::Value) -> String {
    bought["position"].as_str().expect("an address").to_owned()
}

#[test]
fn a_position_is_bought_at_the_quoted_price_shown_redirected_and_given_back() {
    let scene = Scene::new();
    let product = scene.product();
    let terms = [&product, "1000", "--days", "30"];
    let quoted = scene.desk.json(scene.act(&[&["cover", "quote"], &terms[..]].concat()));
    let before = scene.desk.node.world().assets(&scene.person);
    let reference = "07".repeat(32);
    let with = [&["position", "buy"], &terms[..], &["--reference", &reference]].concat();
    let first = scene.desk.snapshot("position-buy", scene.act(&with));
    assert_eq!(first["premium"], quoted["premium"], "a position costs what a cover does");
    let paid = before - scene.desk.node.world().assets(&scene.person);
    assert_eq!(paid, units(&first, "premium"));
    let address = position(&first);
    // The next takes the next number; one that is taken is refused.
    assert_eq!((&first["nonce"], &bought(&scene, &[])["nonce"]), (&"0".into(), &"1".into()));
    scene.act(&[&["position", "buy"], &terms[..], &["--nonce", "0"]].concat()).says(1, "(IdTaken, ", "");
    scene.act(&[&["position", "buy"], &terms[..], &["--reference", "07"]].concat()).refused(2);

    let owner = scene.person.id().to_string();
    scene.shows("position-list", &["position", "list", "--owner", &owner]);
    scene.shows("position-show", &["position", "show", &address]);
    let of_product = scene.desk.json(scene.desk.look(&["position", "list", "--product", &product, "--output", "json"]));
    assert_eq!(of_product.as_array().map(Vec::len), Some(2));
    scene.desk.look(&["position", "show", &owner]).says(1, "there is no position at", "`backstop position list`");

    // Only its owner names another account, and only one that can be paid.
    let other = scene.pool.assets_of(&scene.holder.id()).to_string();
    let redirect = ["position", "redirect", &address, &other];
    scene.desk.act(&scene.holder.key, &redirect).says(1, "(NotPositionOwner, ", "sign with that wallet");
    scene.act(&["position", "redirect", &address, &product]).says(1, "(BadBeneficiary, ", "");
    scene.desk.snapshot("position-redirect", scene.act(&redirect));

    let cancel = ["position", "cancel", &address];
    scene.act(&cancel).says(1, "(BoughtToday, ", "cancel it tomorrow");
    scene.act(&["position", "close", &address]).says(1, "(CoverStillLive, ", "cancelled before its end");
    scene.desk.node.world().next_day();
    scene.desk.act(&scene.holder.key, &cancel).says(1, "(NotPositionOwner, ", "sign with that wallet");
    let held = scene.desk.node.world().assets(&scene.person);
    let cancelled = scene.desk.snapshot("position-cancel", scene.act(&cancel));
    assert_eq!(scene.desk.node.world().assets(&scene.person), held + units(&cancelled, "refund"));
    scene.act(&cancel).refused(1);
}

#[test]
fn a_position_is_paid_to_its_beneficiary_and_closed_by_its_owner() {
    let scene = Scene::new();
    let product = scene.product();
    let world = || scene.desk.node.world();
    let to = scene.pool.assets_of(&scene.holder.id()).to_string();
    let address = position(&bought(&scene, &["--beneficiary", &to]));
    world().next_day();
    world().next_day();
    for _ in 0..9 {
        world().advance(30 * MINUTE);
        scene.observe(87_500_000).done();
    }
    world().advance(7 * HOUR);
    scene.act(&["trigger", "confirm", &product]).done();
    scene.act(&["incident", "open", &product]).done();
    scene.act(&["incident", "fund", &product]).done();
    let before = world().assets(&scene.holder);
    let settled = scene.desk.snapshot("position-settle", scene.act(&["position", "settle", &address]));
    let paid = world().assets(&scene.holder) - before;
    // Half of the way from 0.95 to 0.80, and half of the premium that was not earned.
    assert_eq!(units(&settled, "amount"), 500 * ONE);
    assert_eq!(paid, 500 * ONE + units(&settled, "refund"));
    scene.act(&["position", "settle", &address]).refused(1);
    scene.shows("position-show-paid", &["position", "show", &address]);
    scene.desk.snapshot("position-close", scene.act(&["position", "close", &address]));
    let owner = scene.person.id();
    let gone = address::position(&scene.product.product, &owner, 0);
    assert!(world().cluster.account(&gone).expect("the cluster answers").is_none());
}

#[test]
fn a_position_is_extended_reduced_and_made_into_an_nft() {
    let scene = Scene::new();
    let world = || scene.desk.node.world();
    let address = position(&bought(&scene, &[]));
    let extend = ["position", "extend", &address, "--days", "30"];
    scene.act(&extend).says(1, "(NotInForceYet, ", "from its first insured day on");
    world().next_day();
    world().next_day();
    scene.observe(100_000_000).done();
    scene.desk.act(&scene.holder.key, &extend).says(1, "(NotPositionOwner, ", "sign with that wallet");
    scene.act(&[&extend[..], &["--max-premium", "0.01"]].concat()).says(1, "(PremiumTooHigh, ", "");
    let held = world().assets(&scene.person);
    let extended = scene.desk.snapshot("position-extend", scene.act(&extend));
    assert_eq!(held - world().assets(&scene.person), units(&extended, "premium"));
    let [before, end] = ["end_before", "end"].map(|name| extended[name].as_i64().expect("a time"));
    assert_eq!(end - before, 30 * 24 * HOUR);

    let held = world().assets(&scene.person);
    let reduced = scene.desk.snapshot("position-reduce", scene.act(&["position", "reduce", &address, "400"]));
    assert_eq!(world().assets(&scene.person) - held, units(&reduced, "refund"));
    assert_eq!((units(&reduced, "sum_left"), units(&reduced, "sum_insured")), (400 * ONE, 600 * ONE));
    scene.act(&["position", "reduce", &address, "400"]).says(2, "the position insures", "`backstop position cancel`");

    let receiver = scene.holder.id().to_string();
    let to_nft = ["position", "to-nft", &address, "--receiver", &receiver];
    let converted = scene.desk.snapshot("position-to-nft", scene.act(&to_nft));
    assert_eq!(converted["receiver"], receiver);
    let cover = converted["cover"].as_str().expect("an address").to_owned();
    scene.desk.look(&["cover", "show", &cover]).done();
    scene.act(&to_nft).refused(1);
    scene.desk.act(&scene.holder.key, &["cover", "cancel", &cover]).says(1, "(BoughtToday, ", "cancel it tomorrow");
    scene.shows("pool-health", &["pool", "health", &scene.pool.pool.to_string()]);
}
