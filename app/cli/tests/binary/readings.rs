//! A reading by the command: from its plan to a cover, and what is told of it.

use crate::desk::Desk;
use backstop::border::text::date_text;
use backstop::peril::feed::attested::Report;
use backstop_client::address;
use backstop_client::attest::Verified;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_tests::attest::Attestors;
use backstop_tests::terms::ONE;
use backstop_tests::{World, budget};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::path::Path;

/// A world with a vintage from the plan of a season's rain, a week before its sales end, with capital.
fn season() -> (Desk, Attestors, ProductKeys) {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 5, 3);
    let today = world.today();
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/vintages/0001_rain-nakuru-2027.toml");
    let (usdc, governance) = (world.asset, world.governance.insecure_clone());
    let desk = Desk::new(world);
    let values = [
        format!("usdc={usdc}"),
        format!("attestors={}", attestors.set),
        format!("sells_until={}", date_text(today + 20)),
        format!("begins={}", date_text(today + 25)),
        format!("due_at={}T23:00:00Z", date_text(today + 54)),
    ];
    let plan = plan.display().to_string();
    let mut migrate = vec!["migrate", "--plan", &plan];
    for value in &values {
        migrate.extend(["--set", value]);
    }
    let planned = desk.act(&governance, &[&migrate[..], &["--dry-run"]].concat());
    let told = planned.done().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("is paid if the value is below 120.00 on"), "{told}");
    desk.act(&governance, &migrate).done();
    let again = desk.act(&governance, &migrate);
    assert!(again.done().contains("unchanged"), "{again}");
    let pool = PoolKeys::derive(usdc, anchor_spl::token::ID, 10);
    {
        let world = desk.node.world();
        world.depositor(&pool, backstop::state::Tranche::Junior, 100_000 * ONE);
        world.advance(8 * 86_400);
    }
    (desk, attestors, ProductKeys::derive(pool, 0))
}

#[test]
fn a_reading_is_planned_shown_quoted_and_bought() {
    let (desk, attestors, product) = season();
    let name = product.product.to_string();
    // In one line, however wide a terminal is.
    let told = |arguments: &[&str]| desk.look(arguments).done().split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = told(&["product", "show", &name]);
    let of_value = "the value is below 120.00 on";
    for words in [of_value, "in proportion from 120.00 down to 40.00", "stands for 72 h", "reported until"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let pool = told(&["pool", "show", &product.pool.pool.to_string()]);
    assert!(pool.contains("then it takes no deposits any more and runs off"), "{pool}");
    let quoted = told(&["cover", "quote", &name, "1000", "--days", "30"]);
    for words in [of_value, "the whole premium goes back"] {
        assert!(quoted.contains(words), "{words}: {quoted}");
    }
    desk.look(&["cover", "quote", &name, "1000", "--days", "29"]).refused(1);
    let person = desk.node.world().person(1_000 * ONE);
    desk.act(&person.key, &["cover", "buy", &name, "1000", "--days", "30"]).done();
    let evidence = desk.look(&["trigger", "show", &name]);
    evidence.says(1, "takes no evidence", "backstop product show");
    let resolve = ["trigger", "resolve", &name, "--output", "json"];
    desk.act(&person.key, &resolve).says(1, "(NotDue, ", "product show");
    {
        let world = desk.node.world();
        let trigger = world.trigger(&product);
        let due_at = trigger.reading.due_at;
        world.cluster.set_time(due_at + 60);
        let report = Report { feed: trigger.feed, ..attestors.report(80 * 100_000_000, due_at) };
        let signed = attestors.signed(&[0, 1, 2], &report);
        world.run(&[], &[budget(), signed, ix::observe_report(&product, attestors.set)]);
        world.advance(3 * 86_400);
    }
    assert!(told(&["product", "show", &name]).contains("80.00, which pays 50.00 % if it stands until"));
    desk.snapshot("trigger-resolve", desk.act(&person.key, &resolve));
    let resolved = told(&["product", "show", &name]);
    assert!(resolved.contains("80.00, which pays 50.00 %: resolved on"), "{resolved}");
    assert!(resolved.replace(char::is_whitespace, "").contains("signedbyitsattestors'keys0,1,2"), "{resolved}");
    let shown = desk.json(desk.look(&["product", "show", &name, "--output", "json"]));
    assert_eq!(shown["reading"]["signers"], serde_json::json!([0, 1, 2]));
    let found = address::trigger(&product.product);
    assert_eq!(desk.node.world().trigger(&product).product, product.product, "{found}");
}

#[test]
fn a_reading_is_created_by_flags_with_a_sentence_of_what_it_is() {
    let (desk, attestors, planned) = season();
    let governance = desk.node.world().governance.insecure_clone();
    let wording = desk.write("wording.md", "Frost in April.");
    let (set, today) = (attestors.set.to_string(), desk.node.world().today());
    let (begins, due) = (date_text(today + 30), format!("{}T12:00:00Z", date_text(today + 59)));
    let (pool, feed) = (planned.pool.pool.to_string(), "ab".repeat(32));
    let common =
        ["product", "create", &pool, "--name", "Nights of frost", "--wording", &wording, "--uri", "https://a.b/c"];
    let rest = ["--feed", &feed, "--attestors", &set, "--direction", "above", "--risk-rate", "20%"];
    let values = ["--strike", "3", "--exit", "10", "--begins", &begins, "--due", &due];
    let line = [&common[..], &rest, &values].concat();
    let preview = desk.act(&governance, &[&line[..], &["--dry-run"]].concat());
    let told = [preview.done(), &preview.stderr].concat().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["is paid if the value is above 3.00 on", "in proportion from 3.00 up to 10.00", "30 days"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    desk.act(&governance, &line).done();
    let product = ProductKeys::derive(planned.pool, 1);
    let trigger = desk.node.world().trigger(&product);
    assert_eq!((trigger.feed, trigger.attestors), ([0xab; 32], attestors.set));
    let reading = trigger.reading;
    assert_eq!((reading.strike, reading.exit, reading.begins_day), (3 * 100_000_000, 10 * 100_000_000, today + 30));
    let terms = desk.node.world().product(&product).terms;
    assert_eq!((terms.min_term_days, terms.max_term_days), (30, 30));

    // What is out of bounds, or of a price, is told by its flag.
    let wrong = |more: &[&str], words: &str| {
        let run = desk.act(&governance, &[&common[..], &rest, more].concat());
        assert!(run.code == 2 && run.stderr.contains(words), "{run}");
    };
    wrong(&["--strike", "3", "--exit", "2", "--begins", &begins, "--due", &due], "--exit is below --strike");
    wrong(&["--strike", "3", "--exit", "9", "--begins", "2020-01-01", "--due", &due], "--begins is a day to come");
    wrong(&["--strike", "3", "--exit", "9", "--begins", &begins], "--due");
    wrong(&[&values[..], &["--duration", "4h"]].concat(), "cannot be used with");
    wrong(&["--exit", "9"], "--strike");
    // A pool that sells for good takes none, and nothing is left half done.
    let open = desk.node.world().create_pool(backstop_tests::terms::create_pool(0)).pool.to_string();
    let line: Vec<&str> = line.iter().map(|word| if *word == pool { open.as_str() } else { *word }).collect();
    desk.act(&governance, &line).says(1, "(ReadingNeedsVintage, ", "create a pool with --sells-until");
}

#[test]
fn a_reading_may_be_zero() {
    let (desk, attestors, product) = season();
    let name = product.product.to_string();
    let (trigger, governance) = {
        let world = desk.node.world();
        (world.trigger(&product), world.governance.insecure_clone())
    };
    let due_at = trigger.reading.due_at;
    desk.node.world().cluster.set_time(due_at + 60);
    let submit = |value: i64, observed_at: i64| {
        let report = Report { feed: trigger.feed, ..attestors.report(value, observed_at) };
        let sign = |key: &Keypair| (key.pubkey(), key.sign_message(&report.to_bytes()));
        let file = Verified { report, signatures: attestors.keys[..3].iter().map(sign).collect() }.to_file();
        let file = desk.write("report.json", &serde_json::to_string(&file).expect("it is JSON"));
        desk.act(&governance, &["attest", "submit", &name, &file, "--output", "json"])
    };
    submit(-1, due_at).says(1, "a price is above zero", "attest show");
    submit(0, due_at - 3_600).says(1, "(WrongMoment, ", "");
    let shown = desk.snapshot("attest-submit-zero", submit(0, due_at));
    assert_eq!((shown["price_e8"].as_str(), &shown["is_news"]), (Some("0"), &true.into()));
    let told = desk.look(&["product", "show", &name]);
    let told = told.done().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("0.00, which pays 100.00 % if it stands until"), "{told}");
    let json = desk.json(desk.look(&["product", "show", &name, "--output", "json"]));
    assert_eq!((&json["reading"]["severity_bps"], &json["reading"]["due_at"]), (&10_000.into(), &due_at.into()));
}
