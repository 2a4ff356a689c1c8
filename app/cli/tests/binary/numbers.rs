//! Amounts and other numbers on the command line and in files are exact or refused, before any call to the network.

use crate::desk::{finish, units};
use crate::scene::Scene;
use backstop::state::Tranche;
use backstop_tests::terms::ONE;

/// What people type, and what could be read in two ways.
const WRONG: [&str; 18] = [
    "1,5",
    "0,5",
    "0,500",
    "1.000,50",
    "1,,,0",
    "1e3",
    "1,000_000",
    "1000,000",
    "+5",
    "-5",
    "-1,5",
    ".5",
    "5.",
    "1 000",
    "",
    "0x10",
    "NaN",
    "1.5_0",
];

#[test]
fn an_amount_that_is_not_one_is_refused_before_the_network_is_asked() {
    let scene = Scene::new();
    let (pool, product) = (scene.pool(), scene.product());
    for wrong in WRONG {
        for line in [
            vec!["pool", "deposit", &pool, wrong, "--tranche", "senior"],
            vec!["pool", "deposit", &pool, "10", "--tranche", "senior", "--min-shares", wrong],
            vec!["pool", "contribute", &pool, wrong],
            vec!["pool", "exit", "request", &pool, wrong, "--tranche", "senior"],
            vec!["pool", "exit", "request", &pool, "--amount", wrong, "--tranche", "senior"],
            vec!["pool", "exit", "request", &pool, "--percent", wrong, "--tranche", "senior"],
            vec!["cover", "quote", &product, wrong, "--days", "30"],
            vec!["cover", "buy", &product, wrong, "--days", "30"],
            vec!["cover", "buy", &product, "10", "--days", "30", "--max-premium", wrong],
            vec!["cover", "buy", &product, "10", "--days", wrong],
            vec!["product", "set-rate", &product, wrong],
            vec!["pool", "create", "--mint", &pool, "--label", "A", "--uri", "ipfs://pool", "--cooldown", wrong],
        ] {
            let run = scene.desk.act(&scene.person.key, &line);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{line:?}\n{run}");
            assert!(run.stderr.starts_with("error: "), "{line:?}\n{run}");
        }
    }
    for method in ["getMultipleAccounts", "getAccountInfo", "getLatestBlockhash", "simulateTransaction"] {
        assert_eq!(scene.desk.node.asked(method), 0, "{method}");
    }
    let told = scene.desk.act(&scene.person.key, &["pool", "deposit", &pool, "1,5", "--tranche", "senior"]);
    assert!(told.stderr.contains("decimals follow a point, as in 1000.5"), "{told}");
    let told = scene.desk.act(&scene.person.key, &["pool", "deposit", &pool, "-5", "--tranche", "senior"]);
    assert!(told.stderr.contains("`-5` is negative"), "{told}");
}

#[test]
fn groups_of_three_and_a_point_are_taken_as_they_stand() {
    let scene = Scene::new();
    let pool = scene.pool();
    for (text, amount) in
        [("1,000.50", 1_000_500_000), ("1_000", 1_000 * ONE), ("1.5", 3 * ONE / 2), ("1000", 1_000 * ONE)]
    {
        let line = ["pool", "deposit", &pool, text, "--tranche", "senior", "--dry-run"];
        let told = scene.desk.json(scene.act(&line));
        assert_eq!(units(&told, "amount"), amount, "{text}");
    }
}

#[test]
fn part_of_the_shares_leaves_by_amount_and_by_percentage() {
    let scene = Scene::new();
    let pool = scene.pool();
    let shares = || scene.desk.node.world().shares(&scene.pool, &scene.person, Tranche::Senior);
    scene.act(&["pool", "deposit", &pool, "1000", "--tranche", "senior"]).done();
    let all = shares();
    let leave = |part: &[&str]| scene.act(&[&["pool", "exit", "request", &pool, "--tranche", "senior"], part].concat());

    let quarter = scene.desk.json(leave(&["--percent", "25%"]));
    assert_eq!((units(&quarter, "shares"), shares()), (all / 4, all - all / 4));
    let amount = scene.desk.json(leave(&["--amount", "100"]));
    let value = units(&amount, "value");
    assert!((100 * ONE..=100 * ONE + 1).contains(&value), "worth what was asked for, rounded up: {value}");
    leave(&["--amount", "100000"]).says(1, "this needs shares worth 100,000.00 USDT", "--all");
    leave(&["--percent", "0"]).says(2, "more than 0 and at most 100", "--all");
    leave(&["--percent", "101"]).says(2, "more than 0 and at most 100", "--all");
    assert_eq!(leave(&["--percent", "10", "--all"]).code, 2, "one or the other");
    assert_eq!(leave(&[]).code, 2, "and one of them");
    leave(&["--percent", "100"]).done();
    assert_eq!(shares(), 0);
}

#[test]
fn a_deposit_whose_preview_fails_is_not_sent_at_any_price() {
    let scene = Scene::new();
    let (pool, before) = (scene.pool(), scene.desk.node.asked("simulateTransaction"));
    // One unit buys no share's worth: the books refuse, and nothing is tried.
    let run = scene.desk.act(&scene.person.key, &["pool", "deposit", &pool, "0", "--tranche", "senior"]);
    run.says(1, "(AmountTooSmall, ", "backstop pool show");
    assert_eq!(scene.desk.node.asked("simulateTransaction"), before);
}

#[test]
fn files_of_any_system_name_the_right_line() {
    let scene = Scene::new();
    let (product, wallet) = (scene.product(), scene.person.id());
    let buy =
        |file: &str| scene.act(&["cover", "buy", &product, "10", "--days", "30", "--receivers", file, "--dry-run"]);
    let good = scene.desk.write("good.txt", &format!("\u{feff}# users\r\n{wallet}\r\n"));
    buy(&good).done();
    let wrong = scene.desk.write("wrong.txt", &format!("\u{feff}# users\r\n{wallet}\r\nhello\r\n"));
    assert!(buy(&wrong).stderr.contains("line 3: `hello` is not an address"), "{}", buy(&wrong));

    let condition = "--threshold 0.95 --recovery 0.96 --duration 4h --slot 30m --tolerance 30m --challenge 6h";
    for (row, why) in [("1678490000,zero", "is not a price"), ("1678490000,0,95", "decimals follow a point")] {
        let prices = format!("\u{feff}time,price\r\n\r\n# more\r\n1678487255,0.99\r\n{row}\r\n");
        let prices = scene.desk.write("prices.csv", &prices);
        let line: Vec<&str> =
            ["trigger", "replay", "--prices", &prices].into_iter().chain(condition.split(' ')).collect();
        let run = finish(scene.desk.bare().args(line));
        assert!(run.code == 1 && run.stderr.contains("line 5") && run.stderr.contains(why), "{run}");
    }
}

#[test]
fn a_replay_with_refused_rows_says_which_and_why_and_exits_with_3() {
    let scene = Scene::new();
    let condition = "--threshold 0.95 --recovery 0.96 --duration 4h --slot 30m --tolerance 30m --challenge 6h";
    let prices = scene.desk.write("prices.csv", "1678487255,0.99\n1678490000,-1\n1678493000,0.99\n");
    let line: Vec<&str> = ["trigger", "replay", "--prices", &prices].into_iter().chain(condition.split(' ')).collect();
    let run = finish(scene.desk.bare().args(line));
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stderr.contains("1 of 3 rows were refused, the first of 2023-03-10 23:13 UTC: "), "{run}");
    assert!(run.stdout.contains("would not have fired"), "the result is told all the same\n{run}");
}
