//! `backstop cover`.

use crate::scene::Scene;
use backstop_app::{address, instruction as ix};
use backstop_tests::terms::{DAY, HOUR, ONE};
use solana_sdk::signer::Signer;

#[test]
fn covers_are_quoted_listed_and_shown() {
    let scene = Scene::new();
    scene.shows("cover-quote", &["cover", "quote", &scene.product(), "1000", "--days", "30"]);
    scene.shows("cover-list", &["cover", "list", "--owner", &scene.holder.id().to_string()]);
    let cover = address::cover(&scene.cover).to_string();
    scene.shows("cover-show", &["cover", "show", &cover]);
    let shown = |cover: &str| scene.desk.look(&["cover", "show", cover]).done().to_owned();
    assert_eq!(shown(&scene.cover.to_string()), shown(&cover), "a cover is named by its NFT, too");
}

#[test]
fn a_cover_is_bought_at_the_price_that_was_quoted_and_given_back() {
    let scene = Scene::new();
    let product = scene.product();
    let terms = [&product, "1000", "--days", "30"];
    let quoted = scene.desk.json(scene.act(&[&["cover", "quote"], &terms[..]].concat()));
    let before = scene.desk.node.world().assets(&scene.person);
    let bought = scene.desk.snapshot("cover-buy", scene.act(&[&["cover", "buy"], &terms[..]].concat()));
    assert_eq!(bought["premium"], quoted["premium"]);
    let paid = before - scene.desk.node.world().assets(&scene.person);
    assert_eq!(Some(paid), bought["premium"].as_u64());

    let cover = bought["cover"].as_str().expect("an address");
    let cancel = ["cover", "cancel", cover];
    scene.desk.act(&scene.holder.key, &cancel).says(1, "(NotHolder, ", "sign with that wallet");
    let cancelled = scene.desk.snapshot("cover-cancel", scene.act(&cancel));
    let refund = cancelled["refund"].as_u64().expect("a number");
    assert_eq!(scene.desk.node.world().assets(&scene.person), before - paid + refund);
    scene.act(&cancel).refused(1);
}

#[test]
fn a_cover_that_is_over_is_closed_for_its_rent() {
    let scene = Scene::new();
    let cover = address::cover(&scene.cover).to_string();
    let close = ["cover", "close", &cover, "--output", "json"];
    let close = || scene.desk.act(&scene.holder.key, &close);
    close().says(1, "(CoverStillLive, ", "cancel");
    scene.desk.node.world().advance(40 * DAY);
    scene.desk.snapshot("cover-close", close());
    scene.desk.look(&["cover", "show", &cover]).says(1, "there is no cover at", "backstop cover list");
}

#[test]
fn what_cannot_be_bought_is_refused_with_what_to_do() {
    let scene = Scene::new();
    let product = scene.product();
    let buy = |sum: &str, days: &str, further: &[&str]| {
        scene.act(&[&["cover", "buy", &product, sum, "--days", days], further].concat())
    };
    buy("1000", "3", &[]).says(1, "(BadTerm, ", "product show");
    buy("2000000", "30", &[]).says(1, "(CoverTooLarge, ", "one cover can insure");
    buy("90000", "30", &[]).says(1, "(BeyondCapacity, ", "one cover can insure");
    buy("0.5", "30", &[]).says(1, "(AmountTooSmall, ", "pool show");
    buy("1000", "30", &["--max-premium", "0.01"]).says(1, "(PremiumTooHigh, ", "--max-premium");
    {
        let world = scene.desk.node.world();
        world.run(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), 2)]);
    }
    buy("1000", "30", &[]).says(1, "Purchases are paused (PurchasesPaused, 6026)", "six hours");
    scene.desk.node.world().advance(7 * HOUR);
    buy("1000", "30", &[]).says(1, "(PrintTooOld, ", "trigger observe");
    assert_eq!(scene.desk.node.world().assets(&scene.person), 5_000 * ONE, "nothing was paid");
}

#[test]
fn a_wallet_with_too_little_for_the_premium_is_told_so() {
    let scene = Scene::new();
    {
        let world = scene.desk.node.world();
        world.cluster.set_tokens(&scene.person.id(), &world.asset, 1);
    }
    let run = scene.act(&["cover", "buy", &scene.product(), "1000", "--days", "30"]);
    run.says(1, "holds 0.000001", "smaller amount");
}
