//! `backstop lien`, and the parts of covers and positions.

use crate::desk::units;
use crate::scene::Scene;
use backstop_client::address;
use backstop_tests::terms::{HOUR, MINUTE, ONE};

#[test]
fn a_lien_is_set_shown_lowered_settled_and_lifted() {
    let scene = Scene::new();
    let (product, cover) = (scene.product(), scene.cover.to_string());
    let world = || scene.desk.node.world();
    let payee = scene.pool.assets_of(&scene.person.id()).to_string();
    let by_holder =
        |arguments: &[&str]| scene.desk.act(&scene.holder.key, &[arguments, &["--output", "json"]].concat());
    scene.desk.look(&["lien", "show", &cover]).says(1, "there is no lien on", "`backstop lien set`");
    scene.act(&["lien", "set", &cover, &payee, "1000"]).says(1, "(NotHolder, ", "sign with that wallet");
    let set = scene.desk.snapshot("lien-set", by_holder(&["lien", "set", &cover, &payee, "1000"]));
    assert_eq!(units(&set, "limit_left"), 1_000 * ONE);
    scene.shows("lien-show", &["lien", "show", &cover]);
    by_holder(&["lien", "set", &cover, &payee, "all"]).says(1, "(PolicyEncumbered, ", "`backstop lien lift`");
    world().next_day();
    by_holder(&["cover", "cancel", &cover]).says(1, "(PolicyEncumbered, ", "`backstop lien lift`");
    by_holder(&["cover", "split", &cover, "1000"]).says(1, "(PolicyEncumbered, ", "`backstop lien lift`");
    // Only whoever it pays lowers and lifts it.
    by_holder(&["lien", "lower", &cover, "500"]).says(1, "(NotLienPayee, ", "sign with that wallet");
    by_holder(&["lien", "lift", &cover]).says(1, "(NotLienPayee, ", "sign with that wallet");
    let lowered = scene.desk.snapshot("lien-lower", scene.act(&["lien", "lower", &cover, "500"]));
    assert_eq!(units(&lowered, "limit_left"), 500 * ONE);
    scene.act(&["lien", "lower", &cover, "501"]).says(1, "(OutOfBounds, ", "");
    world().next_day();
    for _ in 0..9 {
        world().advance(30 * MINUTE);
        scene.observe(87_500_000).done();
    }
    world().advance(7 * HOUR);
    scene.act(&["trigger", "confirm", &product]).done();
    scene.act(&["incident", "open", &product]).done();
    scene.act(&["incident", "fund", &product]).done();
    let before = world().assets(&scene.person);
    let settled = scene.desk.snapshot("lien-settle", scene.act(&["lien", "settle", &cover]));
    assert_eq!((units(&settled, "amount"), world().assets(&scene.person) - before), (500 * ONE, 500 * ONE));
    scene.act(&["lien", "settle", &cover]).says(1, "(NothingOwed, ", "");
    let held = world().assets(&scene.holder);
    by_holder(&["incident", "settle", &cover]).done();
    // Half of 10,000, less what the lien was paid, and premium.
    assert!(world().assets(&scene.holder) - held >= 4_500 * ONE);
    scene.desk.snapshot("lien-lift", by_holder(&["lien", "lift", &cover]));
    scene.desk.look(&["lien", "show", &cover]).says(1, "there is no lien on", "");
}

#[test]
fn covers_and_positions_are_split_and_a_buyer_checks() {
    let scene = Scene::new();
    let (product, cover) = (scene.product(), scene.cover.to_string());
    let by_holder =
        |arguments: &[&str]| scene.desk.act(&scene.holder.key, &[arguments, &["--output", "json"]].concat());
    scene.desk.snapshot("cover-check", scene.act(&["cover", "check", &cover]));
    let to = scene.person.id().to_string();
    let split = scene.desk.snapshot("cover-split", by_holder(&["cover", "split", &cover, "4000", "--to", &to]));
    assert_eq!((units(&split, "sum_insured"), units(&split, "sum_left")), (4_000 * ONE, 6_000 * ONE));
    let part = split["part"].as_str().expect("an address");
    scene.desk.look(&["cover", "show", part]).done();
    // What the buyer saw before is true no longer.
    let more = ["cover", "check", &cover, "--sum", "10000"];
    scene.act(&more).says(1, "(SumBelowAsserted, ", "do not buy");
    scene.act(&["cover", "check", &cover]).done();
    scene.act(&["cover", "split", &cover, "1000"]).says(1, "(NotHolder, ", "sign with that wallet");
    by_holder(&["cover", "split", &cover, "6000"]).says(1, "(AmountTooSmall, ", "");
    // Whoever got the part gives it back, but not today.
    scene.act(&["cover", "cancel", part]).says(1, "(BoughtToday, ", "cancel it tomorrow");
    scene.desk.node.world().next_day();
    scene.act(&["cover", "cancel", part]).done();

    scene.observe(100_000_000).done();
    let bought = scene.desk.json(scene.act(&["position", "buy", &product, "1000", "--days", "30"]));
    let position = bought["position"].as_str().expect("an address");
    let split = scene.desk.snapshot("position-split", scene.act(&["position", "split", position, "400"]));
    assert_eq!((units(&split, "sum_insured"), units(&split, "sum_left")), (400 * ONE, 600 * ONE));
    let next = address::position(&scene.product.product, &scene.person.id(), 1).to_string();
    assert_eq!(split["part"].as_str(), Some(next.as_str()));
    scene.act(&["position", "show", &next]).done();
    by_holder(&["position", "split", position, "100"]).says(1, "(NotPositionOwner, ", "sign with that wallet");
}
