//! `backstop pool`.

use crate::desk::Desk;
use crate::scene::Scene;
use backstop::state::{Tranche, day_of};
use backstop_app::address;
use backstop_tests::World;
use backstop_tests::terms::ONE;

fn shares(scene: &Scene) -> u64 {
    scene.desk.node.world().shares(&scene.pool, &scene.person, Tranche::Senior)
}

#[test]
fn pools_are_listed_and_shown() {
    let scene = Scene::new();
    scene.shows("pool-list", &["pool", "list"]);
    scene.shows("pool-show", &["pool", "show", &scene.pool(), "--wallet", &scene.holder.id().to_string()]);
}

#[test]
fn a_pool_is_created_by_governance() {
    let world = World::new();
    let (governance, mint) = (world.governance.insecure_clone(), world.asset);
    let desk = Desk::new(world);
    let mint_text = mint.to_string();
    let create = [
        "pool",
        "create",
        "--mint",
        &mint_text,
        "--id",
        "7",
        "--label",
        "USDT",
        "--cooldown",
        "7d",
        "--output",
        "json",
    ];
    let made = desk.snapshot("pool-create", desk.act(&governance, &create));
    let address = address::pool(&mint, 7);
    assert_eq!(made["pool"], address.to_string());
    let pool: backstop::state::Pool = desk.node.world().read(&address);
    assert_eq!((pool.id, pool.terms.cooldown_seconds, pool.terms.min_first_deposit), (7, 604_800, 10 * ONE));

    let again = desk.act(&governance, &create);
    assert_eq!(again.code, 1, "{again}");
    again.refused(1);
}

#[test]
fn capital_goes_in_and_out_by_the_command_line_alone() {
    let scene = Scene::new();
    let id = scene.pool();
    let act = |words: &[&str]| scene.act(words);
    let assets = || scene.desk.node.world().assets(&scene.person);

    let deposited = scene.desk.snapshot("pool-deposit", act(&["pool", "deposit", &id, "1000", "--tranche", "senior"]));
    assert_eq!(deposited["shares"].as_u64(), Some(shares(&scene)));
    assert_eq!(assets(), 4_000 * ONE);

    // Shares have three decimals more than their asset: a deposit at the first price gives as many as it has tokens.
    let half = ["pool", "exit", "request", &id, "500", "--tranche", "senior"];
    let ticket = scene.desk.snapshot("pool-exit-request", act(&half))["ticket"].as_str().expect("a ticket").to_owned();
    assert_eq!(shares(&scene), deposited["shares"].as_u64().expect("a number") - 500_000_000_000);
    let list = ["pool", "exit", "list"];
    scene.desk.snapshot("pool-exit-list", act(&list));
    scene.desk.display("pool-exit-list", scene.desk.act(&scene.person.key, &list));

    act(&["pool", "exit", "claim", &ticket]).says(1, "(NothingToClaim, 6073)", "crank");
    let kept = scene.desk.snapshot("pool-exit-cancel", act(&["pool", "exit", "cancel", &ticket]));
    assert_eq!(kept["shares"].as_u64(), Some(500_000_000_000));

    let all = scene.desk.json(act(&["pool", "exit", "request", &id, "--all", "--tranche", "senior"]));
    assert_eq!(shares(&scene), 0);
    {
        let world = scene.desk.node.world();
        let day = u32::try_from(all["epoch_day"].as_u64().expect("a number")).expect("it fits");
        while day_of(world.now()) <= day {
            world.next_day();
        }
        world.settle_epoch(&scene.pool, day).expect("it is settled");
    }
    let ticket = all["ticket"].as_str().expect("a ticket");
    let claimed = scene.desk.snapshot("pool-exit-claim", act(&["pool", "exit", "claim", ticket]));
    let paid = claimed["amount"].as_u64().expect("a number");
    assert!((999 * ONE..=1_001 * ONE).contains(&paid), "{paid}");
    assert_eq!(assets(), 4_000 * ONE + paid);
    assert_eq!(scene.desk.act(&scene.person.key, &list).done().trim(), "No exit tickets.");
}

#[test]
fn more_shares_than_there_are_cannot_leave() {
    let scene = Scene::new();
    let id = scene.pool();
    let exit =
        |shares| scene.desk.act(&scene.person.key, &["pool", "exit", "request", &id, shares, "--tranche", "senior"]);
    exit("1").says(1, "the wallet holds no senior shares of this pool", "pool show");
    scene.desk.act(&scene.person.key, &["pool", "deposit", &id, "10", "--tranche", "senior"]).done();
    exit("11").says(1, "this needs 11.000000000 shares, and the wallet holds", "--all");
}

#[test]
fn fewer_shares_than_asked_for_are_refused() {
    let scene = Scene::new();
    let id = scene.pool();
    let deposit = ["pool", "deposit", &id, "10", "--tranche", "senior", "--min-shares", "11"];
    scene.desk.act(&scene.person.key, &deposit).says(1, "(TooFewShares, 6047)", "--min-shares");
    assert_eq!(shares(&scene), 0);
}
