//! `backstop pool`.

use crate::desk::{Desk, units};
use crate::scene::Scene;
use backstop::CreatePoolArgs;
use backstop::state::{Access, Tranche, day_of};
use backstop_client::address;
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{World, seeded};
use base64::Engine;
use serde_json::Value;
use solana_sdk::signature::Signature;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;

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
        "--uri",
        "ipfs://pool",
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
    again.says(1, &format!("the pool {mint}/7 is there already"), "--id");
    let create =
        ["pool", "create", "--mint", &mint_text, "--id", "8", "--label", "USDT", "--uri", "ar://a", "--cooldown", "1h"];
    desk.act(&governance, &create).says(2, "outside the program's bounds", "--help");
}

#[test]
fn capital_goes_in_and_out_by_the_command_line_alone() {
    let scene = Scene::new();
    let id = scene.pool();
    let act = |words: &[&str]| scene.act(words);
    let assets = || scene.desk.node.world().assets(&scene.person);

    let lamports = || scene.desk.node.world().cluster.svm().get_balance(&scene.person.id()).expect("it is there");
    let costs = |told: &Value| units(told, "fee_lamports") + units(told, "rent_lamports");
    let before = lamports();
    let deposited = scene.desk.snapshot("pool-deposit", act(&["pool", "deposit", &id, "1000", "--tranche", "senior"]));
    assert_eq!(units(&deposited, "shares"), shares(&scene));
    assert_eq!(assets(), 4_000 * ONE);
    assert_eq!(before - lamports(), costs(&deposited), "fee and rent are told to the lamport");

    // Shares have three decimals more than their asset: a deposit at the first price gives as many as it has tokens.
    let half = ["pool", "exit", "request", &id, "500", "--tranche", "senior"];
    let before = lamports();
    let requested = scene.desk.snapshot("pool-exit-request", act(&half));
    assert_eq!(before - lamports(), costs(&requested), "fee and rent are told to the lamport");
    let ticket = requested["ticket"].as_str().expect("a ticket").to_owned();
    assert_eq!(shares(&scene), units(&deposited, "shares") - 500_000_000_000);
    let list = ["pool", "exit", "list"];
    scene.desk.snapshot("pool-exit-list", act(&list));
    scene.desk.display("pool-exit-list", scene.desk.act(&scene.person.key, &list));

    act(&["pool", "exit", "claim", &ticket]).says(1, "(NothingToClaim, 6073)", "crank");
    act(&["pool", "exit", "cancel", &ticket]).says(1, "(AskedToday, 6082)", "tomorrow");
    scene.desk.node.world().advance(DAY);
    let kept = scene.desk.snapshot("pool-exit-cancel", act(&["pool", "exit", "cancel", &ticket]));
    assert_eq!(units(&kept, "shares"), 500_000_000_000);

    let all = scene.desk.json(act(&["pool", "exit", "request", &id, "--all", "--tranche", "senior"]));
    assert_eq!(shares(&scene), 0);
    {
        let world = scene.desk.node.world();
        let day = u32::try_from(all["epoch_day"].as_u64().expect("a number")).expect("it fits");
        while day_of(world.now()) <= day {
            world.next_day();
        }
        // Before it that of the request that was taken back, in which nobody is left.
        for day in [day - 1, day] {
            world.settle_epoch(&scene.pool, day).expect("it is settled");
        }
    }
    let ticket = all["ticket"].as_str().expect("a ticket");
    let claimed = scene.desk.snapshot("pool-exit-claim", act(&["pool", "exit", "claim", ticket]));
    let paid = units(&claimed, "amount");
    assert!((999 * ONE..=1_001 * ONE).contains(&paid), "{paid}");
    assert_eq!(assets(), 4_000 * ONE + paid);
    let said = scene.desk.act(&scene.person.key, &list);
    assert!(said.done().starts_with("No exit tickets.\n\n  A ticket that was paid in full is closed"), "{said}");
}

#[test]
fn an_allow_list_is_kept_by_whoever_signs_with_the_depositor() {
    let world = World::new();
    let authority = seeded(60);
    let access =
        CreatePoolArgs { access: Access::AllowList, deposit_authority: authority.pubkey(), ..terms::create_pool(0) };
    let pool = world.create_pool(access);
    let person = world.person(1_000 * ONE);
    let desk = Desk::new(world);
    let (id, keypair, other) = (pool.pool.to_string(), desk.keypair(&authority), desk.keypair(&seeded(61)));
    let deposit = |further: &[&str]| {
        desk.act(&person.key, &[&["pool", "deposit", &id, "100", "--tranche", "senior"], further].concat())
    };
    deposit(&[]).says(1, &format!("kept by {}", authority.pubkey()), "--deposit-authority");
    deposit(&["--deposit-authority", &other]).says(2, "the pool's is", "--help");
    let printed = deposit(&["--sign-only"]);
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(printed.done().lines().next().expect("a line"))
        .expect("base64");
    let printed: VersionedTransaction = bincode::deserialize(&bytes).expect("a transaction");
    let open = printed.signatures.iter().filter(|signature| **signature == Signature::default()).count();
    assert_eq!((printed.signatures.len(), open), (2, 1), "the depositor has signed, the authority has not");
    deposit(&["--deposit-authority", &keypair]).done();
    assert_eq!(desk.node.world().shares(&pool, &person, Tranche::Senior), 100_000_000_000);
}

#[test]
fn more_shares_than_there_are_cannot_leave() {
    let scene = Scene::new();
    let id = scene.pool();
    let exit =
        |shares| scene.desk.act(&scene.person.key, &["pool", "exit", "request", &id, shares, "--tranche", "senior"]);
    exit("1").says(1, "the wallet holds no senior shares of this pool", "pool show");
    scene.desk.act(&scene.person.key, &["pool", "deposit", &id, "10", "--tranche", "senior"]).done();
    exit("11").says(1, "this needs 11.00 shares, and the wallet holds", "--all");
}

#[test]
fn fewer_shares_than_asked_for_are_refused() {
    let scene = Scene::new();
    let id = scene.pool();
    let deposit = ["pool", "deposit", &id, "10", "--tranche", "senior", "--min-shares", "11"];
    scene.desk.act(&scene.person.key, &deposit).says(1, "(TooFewShares, 6047)", "--min-shares");
    assert_eq!(shares(&scene), 0);
}
