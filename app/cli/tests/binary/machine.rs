//! What machines read: results and failures in one vocabulary.

use crate::desk::finish;
use crate::scene::Scene;
use backstop_client::address;
use backstop_tests::terms::ONE;
use serde_json::Value;

/// The object that a failed run leaves as the last line of stderr.
fn failure(run: &crate::desk::Run) -> Value {
    assert_eq!(run.stdout, "", "{run}");
    let line = run.stderr.lines().last().unwrap_or_default();
    serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}\n{run}"))["error"].clone()
}

#[test]
fn failures_are_objects_with_code_name_message_and_hint() {
    let scene = Scene::new();
    let (pool, product, nothing) =
        (scene.pool(), scene.product(), address::pool(&scene.pool.asset_mint, 9).to_string());
    let keypair = scene.desk.keypair(&scene.person.key);
    let cover = address::cover(&scene.cover).to_string();
    for (line, code, name, exit) in [
        (vec!["pool", "deposit", &pool, "0", "--tranche", "senior", "--yes"], 6_001, "AmountTooSmall", 1),
        (vec!["cover", "cancel", &cover, "--yes"], 0, "NotHolder", 1),
        (vec!["pool", "show", &nothing], 1, "AccountNotFound", 1),
        (vec!["pool", "deposit", &pool, "1,5", "--tranche", "senior"], 2, "Usage", 2),
        (vec!["pool", "deposit", &pool, "-5", "--tranche", "senior"], 2, "Usage", 2),
        (vec!["pool", "deposit", &pool, "10", "--tranche", "senior"], 2, "Usage", 2),
        (vec!["cover", "buy", &product, "10", "--days", "30", "--fast"], 2, "Usage", 2),
    ] {
        for output in [&["--output", "json"][..], &["--output=json-compact"]] {
            let run = scene.desk.look(&[&line[..], &["--keypair", &keypair], output].concat());
            let told = failure(&run);
            assert_eq!((run.code, &told["name"], &told["exit_code"]), (exit, &name.into(), &exit.into()), "{run}");
            if name.starts_with(['U', 'A']) && name != "AmountTooSmall" {
                assert_eq!(told["code"], code, "{run}");
            } else {
                assert!(told["code"].as_u64() > Some(6_000), "a number of the program\n{run}");
            }
            assert!(told["message"].as_str().is_some_and(|text| text.len() > 10), "{run}");
            assert!(told["hint"].as_str().is_some_and(|text| text.len() > 10), "{run}");
        }
    }
    let run = finish(scene.desk.bare().args(["--url", "http://127.0.0.1:1", "pool", "list", "--output", "json"]));
    assert_eq!((run.code, &failure(&run)["name"]), (4, &"ClusterUnreachable".into()), "{run}");
}

#[test]
fn what_is_no_address_is_told_so() {
    let scene = Scene::new();
    let short = scene.cover.to_string()[1..].to_owned();
    for wrong in ["abc", "0OIl", &short, &"1".repeat(70)] {
        for line in [
            &["treaty", "show", wrong][..],
            &["lien", "show", wrong, "--output", "json"],
            &["cover", "list", "--owner", wrong],
            &["crank", "run", "--pool", wrong],
        ] {
            let run = scene.desk.look(line);
            assert!(run.code == 2 && run.stderr.contains("it is no address, which is 32 bytes in base58"), "{run}");
        }
        let run = scene.desk.look(&["attest", "show", wrong]);
        assert!(run.code == 2 && run.stderr.contains("is neither the address of a set nor a file"), "{run}");
    }
}

#[test]
fn settings_are_told_with_where_they_come_from() {
    let scene = Scene::new();
    let keypair = scene.desk.keypair(&scene.person.key);
    let config = scene.desk.write("c.yml", "json_rpc_url: devnet\nkeypair_path: 'a.json'\ncommitment: finalized\n");
    let told = |command: &mut std::process::Command| {
        let run = finish(command.args(["config", "get", "--output", "json"]));
        let settings: Vec<Value> = serde_json::from_str(run.done()).expect("JSON");
        settings
            .into_iter()
            .map(|setting| {
                let text = |name: &str| setting[name].as_str().expect("a text").to_owned();
                (text("name"), text("value"), text("source"))
            })
            .collect::<Vec<_>>()
    };
    let has = |settings: &[(String, String, String)], name: &str, value: &str, source: &str| {
        assert!(
            settings.contains(&(name.into(), value.into(), source.into())),
            "{name} {value} {source}\n{settings:?}"
        );
    };
    scene.desk.snapshot("config-get", finish(scene.desk.bare().args(["config", "get", "--output", "json"])));
    let bare = told(&mut scene.desk.bare());
    has(&bare, "cluster", "https://api.mainnet-beta.solana.com", "default");
    has(&bare, "commitment", "finalized", "default");
    let file = told(scene.desk.bare().args(["--config", &config]));
    has(&file, "cluster", "https://api.devnet.solana.com", "configuration file");
    has(&file, "signer", "a.json", "configuration file");
    has(&file, "commitment", "finalized", "configuration file");
    let given = told(scene.desk.bare().args(["--config", &config, "--url", "l", "--keypair", &keypair]));
    has(&given, "cluster", "http://localhost:8899", "command line or environment");
    has(&given, "signer", &keypair, "command line or environment");
}

#[test]
fn without_a_word_of_anybody_a_network_must_be_final_and_this_machine_confirmed() {
    let scene = Scene::new();
    let file = |name: &str, line: &str| {
        scene.desk.write(name, &format!("json_rpc_url: devnet\nkeypair_path: 'a.json'\n{line}"))
    };
    let (silent, says) = (file("silent.yml", ""), file("says.yml", "commitment: processed\n"));
    let commitment = |arguments: &[&str]| {
        let run = finish(scene.desk.bare().args(["config", "get", "--output", "json"]).args(arguments));
        let settings: Vec<Value> = serde_json::from_str(run.done()).expect("JSON");
        let found = settings.iter().find(|setting| setting["name"] == "commitment").expect("it is told");
        ["value", "source"].map(|name| found[name].as_str().expect("a text").to_owned())
    };
    let url = scene.desk.node.url();
    for (arguments, value, source) in [
        (&[][..], "finalized", "default"),
        (&["--url", "https://rpc.example"], "finalized", "default"),
        (&["--url", "http://localhost.example:8899"], "finalized", "default"),
        (&["--url", "http://10.0.0.1:8899"], "finalized", "default"),
        (&["--url", "devnet"], "finalized", "default"),
        (&["--url", "localhost"], "confirmed", "default"),
        (&["--url", "http://[::1]:8899"], "confirmed", "default"),
        (&["--url", url], "confirmed", "default"),
        (&["--config", &silent], "finalized", "default"),
        (&["--config", &silent, "--url", url], "confirmed", "default"),
        (&["--config", &says], "processed", "configuration file"),
        (&["--config", &says, "--url", url], "processed", "configuration file"),
        (&["--config", &says, "--commitment", "finalized"], "finalized", "command line or environment"),
        (&["--url", url, "--commitment", "finalized"], "finalized", "command line or environment"),
    ] {
        assert_eq!(commitment(arguments), [value, source], "{arguments:?}");
    }
    // What is told is what a node is asked for.
    assert_eq!(scene.desk.node.commitments(), Vec::<String>::new(), "nobody was asked");
    for (arguments, level) in [(&[][..], "confirmed"), (&["--commitment", "finalized"], "finalized")] {
        scene.desk.look(&[&["pool", "list"], arguments].concat()).done();
        assert_eq!(scene.desk.node.commitments(), [level], "{arguments:?}");
    }
}

#[test]
fn a_wallet_shows_its_address_and_what_it_holds() {
    let scene = Scene::new();
    let id = scene.person.id().to_string();
    assert_eq!(scene.desk.act(&scene.person.key, &["address"]).done().trim(), id);
    scene.desk.snapshot("address", scene.act(&["address"]));
    scene.act(&["pool", "deposit", &scene.pool(), "1000", "--tranche", "senior"]).done();
    let told = scene.desk.snapshot("balance", scene.act(&["balance"]));
    scene.desk.display("balance", scene.desk.look(&["balance", &id]));
    assert_eq!(told["wallet"], id);
    let pool = &told["pools"][0];
    assert_eq!((&pool["assets"], &pool["assets_units"]), (&"4000".into(), &(4_000 * ONE).to_string().into()));
    assert_eq!((&pool["senior_shares"], &pool["junior_shares"]), (&"1000".into(), &"0".into()));
    let shown = scene.desk.look(&["balance", &id]);
    assert!(shown.done().contains("4,000.00 USDT") && shown.stdout.contains("1,000.00 shares"), "{shown}");
}

#[test]
fn the_version_names_commit_program_and_its_hash() {
    let scene = Scene::new();
    let run = finish(scene.desk.bare().arg("--version"));
    let lines: Vec<&str> = run.done().lines().collect();
    assert_eq!(lines[0], format!("backstop {}", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("commit   ") && lines[1].len() > 15, "{run}");
    assert_eq!(lines[2], format!("program  {}", backstop::ID));
    let verified = scene.desk.look(&["program", "verify", "--output", "json"]);
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap_or_default();
    assert_eq!(lines[3].strip_prefix("sha256   "), verified["expected_sha256"].as_str(), "{run}");
}

#[test]
fn covers_are_listed_by_their_buyer_whoever_holds_them() {
    let scene = Scene::new();
    let (product, buyer, receiver) = (scene.product(), scene.person.id().to_string(), scene.holder.id().to_string());
    let buy = ["cover", "buy", &product, "100", "--days", "30", "--receiver", &receiver];
    let bought = scene.desk.json(scene.act(&buy))["cover"].clone();
    let listed = |line: &[&str]| {
        let rows = scene.desk.json(scene.desk.look(&[&["cover", "list", "--output", "json"], line].concat()));
        rows.as_array().expect("a list").iter().map(|row| row["cover"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["--buyer", &buyer]), std::slice::from_ref(&bought));
    assert_eq!(listed(&["--buyer", &buyer, "--product", &product]), [bought]);
    assert_eq!(listed(&["--owner", &receiver]).len(), 2);
    assert_eq!(listed(&["--owner", &buyer]).len(), 0);
}

#[test]
fn a_confirmed_transaction_comes_with_a_link() {
    let scene = Scene::new();
    let told = scene.desk.json(scene.act(&["pool", "deposit", &scene.pool(), "10", "--tranche", "senior"]));
    let (link, signature) = (told["explorer"].as_str().expect("a link"), told["signature"].as_str().expect("a text"));
    assert!(link.starts_with(&format!("https://explorer.solana.com/tx/{signature}?cluster=custom")), "{link}");
}

#[test]
fn lifting_a_pause_that_is_not_in_force_costs_nothing() {
    let scene = Scene::new();
    let guardian = scene.desk.node.world().guardian.insecure_clone();
    let run = scene.desk.act(&guardian, &["protocol", "pause", "--lift"]);
    run.says(1, "no pause is in force", "protocol show");
    assert_eq!(scene.desk.node.asked("simulateTransaction"), 0);
}

#[test]
fn an_audit_without_a_protocol_says_so() {
    let desk = crate::desk::Desk::new(backstop_tests::World::uninitialised());
    desk.look(&["audit"]).says(1, "there is no protocol at", "backstop init");
}
