//! `backstop attest` and `backstop feed`: from keys and a definition to a trigger that was shown what they say.

use crate::desk::Desk;
use crate::scene::Scene;
use backstop::peril::evidence::Phase;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop_client::attest::Verified;
use backstop_tests::attest::Attestors;
use backstop_tests::{World, live, seeded, terms};
use serde_json::Value;
use solana_sdk::signer::Signer;

fn text<'a>(told: &'a Value, name: &str) -> &'a str {
    told[name].as_str().unwrap_or_else(|| panic!("{name} is told"))
}

#[test]
fn attestors_sign_alone_and_what_enough_of_them_say_is_shown() {
    let scene = Scene::new();
    let desk = &scene.desk;
    // Looked at for a moment only: the node waits for it.
    let covered = desk.node.world().covered.to_string();
    let time = desk.node.world().now();
    let json = |arguments: &[&str]| desk.json(desk.look(&[arguments, &["--output", "json"]].concat()));
    let lines = "unit: mm\nexponent: -1\nleast: 0\nmost: 500\nevery: 1s\n";
    let definition = desk.write("rain.md", &format!("Millimetres of rain.\n\n{lines}"));
    let feed = desk.snapshot("feed-define", desk.look(&["feed", "define", &definition, "--output", "json"]));
    let feed = text(&feed, "feed").to_owned();
    assert_eq!(feed.len(), 64);
    // What no machine signs has a feed, too, and that is no success.
    let vague = desk.write("vague.md", "Millimetres of rain.\n");
    let told = desk.look(&["feed", "define", &vague]);
    assert!(told.stdout.contains("a76943f6fa8237dc1ec5debca951d41041494cd0392e7174e889f3e710af765f"), "{told}");
    assert!(told.code == 1 && told.stderr.contains("cannot sign the definition"), "{told}");
    desk.look(&["feed", "define", "nowhere.md"]).says(1, "cannot be read", "");

    // A key of one's own, in a file that was not there.
    let own = format!("{}/own.json", desk.home().display());
    let made = json(&["attest", "keygen", "--out", &own]);
    assert_eq!(text(&made, "key"), desk.look(&["address", "--keypair", &own]).done().trim());
    desk.look(&["attest", "keygen", "--out", &own]).says(1, "cannot be written", "does not exist yet");
    // Those of the set are the same in every run.
    let signers = [61, 62, 63].map(seeded);
    let files = signers.each_ref().map(|key| desk.keypair(key));
    let keys = signers.each_ref().map(|key| key.pubkey().to_string());

    let set_of = |must_sign: &str| {
        let mut arguments = vec!["attest", "create-set", "--must-sign", must_sign];
        arguments.extend(keys.iter().flat_map(|key| ["--key", key.as_str()]));
        scene.govern(&arguments)
    };
    set_of("4").says(1, "BadAttestors", "");
    let set = text(&desk.snapshot("attest-create-set", set_of("2")), "set").to_owned();
    let shown = desk.snapshot("attest-show-set", desk.look(&["attest", "show", &set, "--output", "json"]));
    desk.display("attest-show-set", desk.look(&["attest", "show", &set]));
    assert_eq!((&shown["alive"], &shown["live"], &shown["must_sign"]), (&true.into(), &3.into(), &2.into()));

    let pool = scene.pool();
    let wording = desk.write("wording.md", "What is insured.\n");
    let create = [
        &["product", "create", &pool, "--name", "Much rain", "--covered-asset", &covered, "--wording", &wording][..],
        &["--uri", "ipfs://rain", "--source", "attested", "--feed", &feed, "--direction", "above"],
        &["--threshold", "300", "--full-loss", "500", "--duration", "4h", "--risk-rate", "2%"],
    ]
    .concat();
    scene.govern(&create).refused(2);
    let alice = scene.govern(&[create.as_slice(), &["--attestors", "ALICE"]].concat());
    alice.says(2, "`ALICE` is no set of attestors", "");
    let made = desk.json(scene.govern(&[create.as_slice(), &["--attestors", &set]].concat()));
    let product = text(&made, "product").to_owned();
    let told = desk.look(&["trigger", "show", &product]);
    assert!(told.done().contains(&set) && told.done().contains("price is above 300.00 for 4 h"), "{}", told.stdout);

    let now = time.to_string();
    let sign = |number: usize, value: &str, at: &str| {
        let log = format!("{}/log{number}", desk.home().display());
        let arguments = [
            "attest",
            "sign",
            "--set",
            &set,
            "--feed",
            &feed,
            "--value",
            value,
            "--at",
            at,
            "--log",
            &log,
            "--new-log",
        ];
        desk.look(&[&arguments[..], &["--keypair", &files[number]]].concat())
    };
    // A price is above zero: what no product would take is refused before anything is sent.
    let before = (time - 60).to_string();
    let zeros = [0, 1].map(|number| desk.write(&format!("zero{number}.json"), sign(number, "0", &before).done()));
    let zero = desk.write("zero.json", desk.look(&["attest", "combine", &zeros[0], &zeros[1]]).done());
    scene.govern(&["attest", "submit", &product, &zero]).says(1, "a price is above zero", "attest show");
    desk.snapshot("attest-sign", sign(0, "350.5", &now));
    let one = desk.write("one.json", sign(0, "350.5", &now).done());
    // A log that is not there knows nothing of what was signed.
    let mistyped =
        ["attest", "sign", "--set", &set, "--feed", &feed, "--value", "350.6", "--at", &now, "--log", "typo.log"];
    desk.look(&[&mistyped[..], &["--keypair", &files[0]]].concat()).says(1, "typo.log", "--new-log");
    sign(0, "350.6", &now).says(1, "to sign two is to be revoked", "never edited");
    sign(0, "350.50", &now).done();
    // By the definition: the same message, and nothing that it does not allow.
    let defined = |number: usize, log: usize, value: &str, at: &str| {
        let log = format!("{}/log{log}", desk.home().display());
        let arguments = ["attest", "sign", "--set", &set, "--definition", &definition, "--value", value, "--at", at];
        desk.look(&[&arguments[..], &["--log", &log, "--keypair", &files[number]]].concat())
    };
    assert_eq!(defined(0, 0, "350.5", &now).done(), sign(0, "350.5", &now).done());
    defined(0, 0, "500.1", &now).says(1, "the definition allows 0 to 500", "feed define");
    defined(0, 0, "350.55", &now).says(1, "finer than the definition's smallest unit", "feed define");
    let loss = ["attest", "sign", "--set", &set, "--definition", &definition, "--loss", "5%", "--at", &now];
    let loss = desk.look(&[&loss[..], &["--log", "l", "--keypair", &files[0]]].concat());
    loss.says(1, "is of values: say --value", "feed define");
    defined(1, 0, "350.5", &now).says(1, "each key has one of its own", "one file a key");
    sign(0, "1", &(time + 86_400).to_string()).says(1, "which has not been", "");
    let two = desk.write("two.json", sign(1, "350.5", &now).done());
    let strange = desk.keypair(&seeded(77));
    desk.look(&["attest", "sign", "--set", &set, "--feed", &feed, "--value", "1", "--at", &now, "--log", "l"])
        .refused(1);
    let stranger = ["attest", "sign", "--set", &set, "--feed", &feed, "--value", "1", "--at", &now, "--log", "l"];
    desk.look(&[&stranger[..], &["--keypair", &strange]].concat()).says(1, "none of the keys that may sign", "");

    desk.snapshot("attest-combine", desk.look(&["attest", "combine", &one, &two]));
    let report = desk.write("report.json", desk.look(&["attest", "combine", &one, &two]).done());
    let said = desk.snapshot("attest-show-report", desk.look(&["attest", "show", &report, "--output", "json"]));
    assert_eq!(said["signed_by"].as_array().map(Vec::len), Some(2));
    desk.display("attest-show-report", desk.look(&["attest", "show", &report]));
    scene.govern(&["attest", "submit", &product, &one]).says(1, "and 2 are needed", "");
    let shown = desk.snapshot("attest-submit", scene.govern(&["attest", "submit", &product, &report]));
    assert_eq!((text(&shown, "says"), &shown["is_news"]), ("breach", &true.into()));
    scene.govern(&["trigger", "observe", &product]).says(1, "takes reports of attestors", "backstop attest submit");

    // With another log the first key says something else, and is revoked for it; so is the second.
    for number in [0, 1] {
        let log = format!("{}/other{number}", desk.home().display());
        let arguments = [
            "attest",
            "sign",
            "--set",
            &set,
            "--feed",
            &feed,
            "--value",
            "1",
            "--at",
            &now,
            "--log",
            &log,
            "--new-log",
        ];
        let lie = desk.look(&[&arguments[..], &["--keypair", &files[number]]].concat());
        let lie = desk.write("lie.json", lie.done());
        let said = if number == 0 { &one } else { &two };
        let accuse = scene.govern(&["attest", "accuse", &keys[number], said, &lie]);
        let accused = desk.snapshot(&format!("attest-accuse-{number}"), accuse);
        assert_eq!(accused["alive"], number == 0);
    }
    desk.snapshot("attest-retire", scene.govern(&["attest", "retire", &product]));
    assert_eq!(json(&["product", "show", &product])["state"], "run-off");
    assert_eq!(json(&["trigger", "show", &product])["phase"], backstop_client::view::trigger::phase(Phase::Breaching));
}

#[test]
fn a_set_is_named_of_two_to_eleven_keys_each_once() {
    let scene = Scene::new();
    let desk = &scene.desk;
    let keys: Vec<String> = (61..73).map(|number| seeded(number).pubkey().to_string()).collect();
    let name = |keys: &[&str], must_sign: &str| {
        let mut arguments = vec!["attest", "create-set", "--must-sign", must_sign];
        arguments.extend(keys.iter().flat_map(|key| ["--key", key]));
        scene.govern(&arguments)
    };
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    // Too few, too many, one of them twice, and as many as half.
    name(&[], "2").refused(2);
    for (keys, must_sign) in [
        (&keys[..1], "2"),
        (&keys[..2], "1"),
        (&keys[..12], "6"),
        (&[keys[0], keys[1], keys[0]][..], "2"),
        (&keys[..4], "2"),
        (&keys[..11], "7"),
    ] {
        name(keys, must_sign).says(1, "BadAttestors", "");
    }
    // What is no key, and what cannot sign.
    name(&[keys[0], "ALICE"], "2").says(2, "is no address and no keypair file", "");
    name(&[keys[0], &scene.product()], "2").says(1, "which cannot sign", "name wallets");
    // As many as there may be, one by the file that it is in, in the order in which they were named.
    let file = desk.keypair(&seeded(71));
    let most = [&[file.as_str()][..], &keys[..10]].concat();
    let set = desk.json(name(&most, "6"));
    assert_eq!((&set["keys"], &set["must_sign"]), (&11.into(), &6.into()));
    let shown = desk.json(desk.look(&["attest", "show", text(&set, "set"), "--output", "json"]));
    let named: Vec<&str> = shown["keys"].as_array().expect("a list").iter().map(|key| text(key, "key")).collect();
    assert_eq!(named, [&[keys[10]][..], &keys[..10]].concat());
    // The number is taken.
    name(&keys[..3], "2").refused(1);
}

#[test]
fn a_loss_that_is_shown_is_above_zero() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 3, 2);
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = 21 * 86_400;
    let pool = world.create_pool(args);
    let product = live::armed(&world, &pool, attestors.set);
    let (governance, now) = (world.governance.insecure_clone(), world.now());
    let desk = Desk::new(world);
    let name = product.product.to_string();
    let submit = |bps: i64, signers: &[usize]| {
        let report = Report { kind: ReportKind::Event, exponent: EVENT_EXPONENT, ..attestors.report(bps, now) };
        let sign = |place: &usize| {
            let key = &attestors.keys[*place];
            (key.pubkey(), key.sign_message(&report.to_bytes()))
        };
        let file = Verified { report, signatures: signers.iter().map(sign).collect() }.to_file();
        let file = desk.write("loss.json", &serde_json::to_string(&file).expect("it is JSON"));
        desk.act(&governance, &["attest", "submit", &name, &file, "--output", "json"])
    };
    for none in [0, 10_001, -1] {
        submit(none, &[0, 1]).says(1, "a loss is above zero", "attest show");
    }
    let key = desk.keypair(&attestors.keys[0]);
    let (set, feed, at) = (attestors.set.to_string(), "4d".repeat(32), now.to_string());
    let sign =
        ["attest", "sign", "--set", &set, "--feed", &feed, "--loss", "0%", "--at", &at, "--log", "l", "--new-log"];
    desk.look(&[&sign[..], &["--keypair", &key]].concat()).says(1, "--loss is above zero", "in percent");
    submit(6_000, &[]).says(1, "and 1 are needed", "attest show SET");
    let shown = desk.snapshot("attest-submit-loss", submit(6_000, &[0]));
    assert_eq!((&shown["is_confirmed"], &shown["signatures"]), (&false.into(), &1.into()));
    // It is armed, by every command that tells of it.
    let json = |arguments: &[&str]| desk.json(desk.look(&[arguments, &["--output", "json"]].concat()));
    let shown = json(&["product", "show", &name]);
    assert_eq!(shown["armed_until"], shown["armed"]["until"]);
    assert_eq!(json(&["product", "list"])[0]["armed_until"], shown["armed"]["until"]);
    let told = desk.look(&["product", "show", &name]);
    assert!(told.done().contains("armed: what the protocol holds has fallen"), "{told}");
    assert!(desk.look(&["product", "list"]).done().contains("armed"));
}
