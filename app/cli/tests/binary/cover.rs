//! `backstop cover`.

use crate::desk::units;
use crate::scene::Scene;
use anchor_lang::prelude::Pubkey;
use backstop_client::{Cluster, address, instruction as ix};
use backstop_tests::terms::{DAY, HOUR, ONE};
use backstop_tests::{Fault, Faults, seeded};
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
    let lamports = || scene.desk.node.world().cluster.svm().get_balance(&scene.person.id()).expect("it is there");
    let lamports_before = lamports();
    let bought = scene.desk.snapshot("cover-buy", scene.act(&[&["cover", "buy"], &terms[..]].concat()));
    assert_eq!(bought["premium"], quoted["premium"]);
    let paid = before - scene.desk.node.world().assets(&scene.person);
    assert_eq!(paid, units(&bought, "premium"));
    let costs = units(&bought, "fee_lamports") + units(&bought, "rent_lamports");
    assert_eq!(lamports_before - lamports(), costs, "fee and rent are told to the lamport");

    let cover = bought["cover"].as_str().expect("an address");
    let cancel = ["cover", "cancel", cover];
    scene.act(&cancel).says(1, "(BoughtToday, ", "cancel it tomorrow");
    scene.desk.node.world().next_day();
    scene.desk.act(&scene.holder.key, &cancel).says(1, "(NotHolder, ", "sign with that wallet");
    let cancelled = scene.desk.snapshot("cover-cancel", scene.act(&cancel));
    let refund = units(&cancelled, "refund");
    assert_eq!(scene.desk.node.world().assets(&scene.person), before - paid + refund);
    scene.act(&cancel).refused(1);
}

#[test]
fn a_cover_is_bought_and_found_at_a_node_that_takes_few_addresses_at_once() {
    let scene = Scene::new();
    for (most, amount) in [(75, "1000"), (5, "2000"), (1, "3000")] {
        scene.desk.node.set_faults(Faults::of("getMultipleAccounts", Fault::Most(most)));
        let bought = scene.desk.json(scene.act(&["cover", "buy", &scene.product(), amount, "--days", "30"]));
        let cover = bought["cover"].as_str().expect("an address");
        let listed = scene.desk.json(scene.desk.look(&[
            "cover",
            "list",
            "--buyer",
            &scene.person.id().to_string(),
            "--output",
            "json",
        ]));
        let found = listed.as_array().into_iter().flatten().find(|listed| listed["cover"] == cover);
        assert_eq!(found.map(|found| &found["sum_insured"]), Some(&amount.into()), "{most}: {listed}");
    }
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
fn a_cover_for_a_programs_address_comes_with_a_warning() {
    let scene = Scene::new();
    let product = scene.product();
    let buy = |receiver: &str| {
        let words = ["cover", "buy", &product, "100", "--days", "30", "--receiver", receiver];
        scene.desk.ask(&scene.person.key, &words).stderr
    };
    let warning = "The NFT goes to a program's address";
    assert!(buy(&product).contains(warning));
    assert!(!buy(&scene.holder.id().to_string()).contains(warning));
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

#[test]
fn covers_for_a_list_of_wallets_are_bought_one_for_each() {
    let scene = Scene::new();
    let wallets: Vec<Pubkey> = (500..520).map(|number| seeded(number).pubkey()).collect();
    let list = wallets.iter().fold("# users\n".to_owned(), |text, wallet| format!("{text}{wallet}\n"));
    let list = scene.desk.write("wallets.txt", &list);
    let buy = ["cover", "buy", &scene.product(), "100", "--days", "30", "--receivers", &list];
    let before = scene.desk.node.world().assets(&scene.person);
    scene.act(&[&buy[..], &["--max-premium", "0.02"]].concat()).says(1, "(PremiumTooHigh, ", "--max-premium");
    scene.act(&[&buy[..], &["--print-tx"]].concat()).says(2, "--print-tx prints one transaction", "");
    let planned = scene.desk.json(scene.act(&[&buy[..], &["--dry-run"]].concat()));
    assert_eq!(scene.desk.node.world().assets(&scene.person), before, "nothing was paid yet");

    let bought = scene.desk.json(scene.act(&buy));
    let (planned, bought) = (planned.as_array().expect("rows"), bought.as_array().expect("rows"));
    assert_eq!(bought.len(), wallets.len());
    let world = scene.desk.node.world();
    let mut premiums = 0;
    for ((wallet, row), plan) in wallets.iter().zip(bought).zip(planned) {
        let address = |field: &str| row[field].as_str().expect("an address").parse::<Pubkey>().expect("an address");
        assert_eq!((address("receiver"), &row["cover"]), (*wallet, &plan["cover"]));
        assert_eq!(row["status"], "confirmed");
        let nft = address::associated_token(wallet, &address("mint"), &anchor_spl::token_2022::ID);
        assert_eq!(world.tokens(&nft), 1);
        premiums += world.cover(&address("mint")).premium;
    }
    assert_eq!(before - world.assets(&scene.person), premiums);
}

#[test]
fn receivers_who_could_not_be_paid_are_named_before_the_purchase_and_in_its_result() {
    let scene = Scene::new();
    let wallets: Vec<Pubkey> = (600..604).map(|number| seeded(number).pubkey()).collect();
    let (ready, frozen) = (wallets[0], wallets[1]);
    {
        let world = scene.desk.node.world();
        world.cluster.set_tokens(&ready, &world.asset, 0);
        let account = world.cluster.set_tokens(&frozen, &world.asset, 0);
        let mut state = world.cluster.account(&account).expect("read").expect("it is there");
        state.data[108] = 2;
        world.cluster.set_account(account, state);
        // Lamports that somebody sent are no token account.
        world.cluster.airdrop(&backstop_tests::terms::assets_of(&wallets[2], &world.asset), 1_000_000);
    }
    let list = wallets.iter().map(|wallet| format!("{wallet}\n")).collect::<String>();
    let list = scene.desk.write("wallets.txt", &list);
    let buy = ["cover", "buy", &scene.product(), "100", "--days", "30", "--receivers", &list];
    let run = scene.act(&[&buy[..], &["--dry-run"]].concat());
    let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let missing = format!("2 of 4 receivers have no token account of USDT yet: {}, {}", wallets[2], wallets[3]);
    assert!(told.contains(&missing) && told.contains("spl-token create-account"), "{run}");
    assert!(told.contains(&format!("1 of 4 receivers have an account of USDT that its issuer has frozen: {frozen}")));
    assert!(!told.contains(&ready.to_string()), "{run}");
    let rows = scene.desk.json(run);
    let accounts: Vec<&str> =
        rows.as_array().expect("rows").iter().filter_map(|row| row["receiver_account"].as_str()).collect();
    assert_eq!(accounts, ["ready", "frozen", "missing", "missing"]);

    let one = |wallet: &Pubkey| {
        let wallet = wallet.to_string();
        scene.act(&["cover", "buy", &scene.product(), "100", "--days", "30", "--receiver", &wallet, "--dry-run"])
    };
    let run = one(&wallets[3]);
    let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&format!("{} has no token account of USDT yet", wallets[3])), "{run}");
    assert_eq!(scene.desk.json(run)["receiver_account"], "missing");
    let run = one(&ready);
    assert!(!run.stderr.contains("no token account"), "{run}");
    assert_eq!(scene.desk.json(run)["receiver_account"], "ready");
}

#[test]
fn purchases_of_a_list_that_expire_are_reported_by_their_wallet() {
    let scene = Scene::new();
    let list = [501, 502].map(|number| format!("{}\n", seeded(number).pubkey())).concat();
    let list = scene.desk.write("wallets.txt", &list);
    let before = scene.desk.node.world().assets(&scene.person);
    scene.desk.node.set_faults(Faults { lost: u32::MAX, blocks_per_look: 50, ..Faults::default() });
    let run = scene.act(&["cover", "buy", &scene.product(), "100", "--days", "30", "--receivers", &list]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("2 of 2 covers were not bought"), "{run}");
    let rows: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    for row in rows.as_array().expect("rows") {
        assert_eq!((&row["status"], row["signature"].is_null()), (&"failed".into(), false));
        assert!(row["error"].as_str().expect("a sentence").contains("expired"));
    }
    assert_eq!(scene.desk.node.world().assets(&scene.person), before);
}

#[test]
fn a_list_of_wallets_with_a_wrong_line_is_refused_by_its_number() {
    let scene = Scene::new();
    let wallet = scene.person.id();
    for (list, why) in [
        (format!("{wallet}\nnobody\n"), "line 2: `nobody` is not an address"),
        (format!("{wallet}\n\n{wallet}\n"), "stands there twice"),
        ("# nobody\n".into(), "names no wallet"),
    ] {
        let list = scene.desk.write("wallets.txt", &list);
        let buy = ["cover", "buy", &scene.product(), "100", "--days", "30", "--receivers", &list];
        scene.act(&buy).says(2, why, "--help");
    }
    assert_eq!(scene.desk.node.asked("sendTransaction"), 0);
}
