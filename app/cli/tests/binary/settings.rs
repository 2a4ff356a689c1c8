//! Settings, signers, and what is done with a transaction besides sending it.

use crate::desk::{Desk, Run, finish, finish_with, units};
use backstop::state::Tranche;
use backstop_client::instruction::PoolKeys;
use backstop_client::transaction::MOST_BYTES;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Faults, Person, World};
use base64::Engine;
use serde_json::Value;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;
use std::fs::read_to_string;

/// A pool, and somebody who can deposit into it.
struct Stage {
    desk: Desk,
    pool: PoolKeys,
    person: Person,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        let person = world.person(10_000 * ONE);
        Self { desk: Desk::new(world), pool, person }
    }

    /// The words of a deposit of 100 and what is added to them.
    fn deposit<'a>(&'a self, pool: &'a str, further: &[&'a str]) -> Vec<&'a str> {
        [&["pool", "deposit", pool, "100", "--tranche", "senior"], further].concat()
    }

    fn deposited(&self) -> u64 {
        self.desk.node.world().pool(&self.pool).tranche(Tranche::Senior).assets
    }

    fn pool(&self) -> String {
        self.pool.pool.to_string()
    }
}

/// The transaction that a run printed.
fn printed(run: &Run) -> VersionedTransaction {
    decode(run.done().trim())
}

fn decode(text: &str) -> VersionedTransaction {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    assert!(bytes.len() <= MOST_BYTES);
    bincode::deserialize(&bytes).expect("a transaction")
}

#[test]
fn a_flag_comes_before_the_environment_and_that_before_the_configuration_file() {
    let [flag, environment, file] = [(); 3].map(|()| Stage::new());
    let settings = |stage: &Stage, key: &Keypair| {
        let (url, key) = (stage.desk.node.url(), flag.desk.keypair(key));
        format!("json_rpc_url: '{url}'\nwebsocket_url: ''\nkeypair_path: '{key}'\ncommitment: confirmed\n")
    };
    let keys = [(); 3].map(|()| Keypair::new());
    flag.desk.write(".config/solana/cli/config.yml", &settings(&file, &keys[2]));
    let paths = [&keys[0], &keys[1]].map(|key| flag.desk.keypair(key));

    // Who asks where: the wallets have nothing, so that a refusal tells who.
    let asked = || [&flag, &environment, &file].map(|stage| stage.desk.node.asked("getProgramAccounts") > 0);
    let pool = flag.pool();
    let show = ["pool", "exit", "list", "--output", "json"];
    let mut command = flag.desk.bare();
    assert_eq!(finish(command.args(show)).done().trim(), "[]");
    assert_eq!(asked(), [false, false, true], "the file alone");
    assert_eq!(finish(command.env("BACKSTOP_URL", environment.desk.node.url())).code, 0);
    assert_eq!(asked(), [false, true, true], "the environment too");
    assert_eq!(finish(command.args(["--url", flag.desk.node.url()])).code, 0);
    assert_eq!(asked(), [true; 3], "a flag too");

    // The same for who signs: all have what a deposit takes.
    for key in &keys {
        let world = file.desk.node.world();
        world.cluster.airdrop(&key.pubkey(), 1_000_000_000);
        world.cluster.set_tokens(&key.pubkey(), &world.asset, 1_000 * ONE);
    }
    let payer = |run: Run| printed(&run).message.static_account_keys()[0];
    let mut command = flag.desk.bare();
    command.args(flag.deposit(&pool, &["--print-tx", "--yes"]));
    assert_eq!(payer(finish(&mut command)), keys[2].pubkey());
    assert_eq!(payer(finish(command.env("BACKSTOP_KEYPAIR", &paths[1]))), keys[1].pubkey());
    assert_eq!(payer(finish(command.args(["--keypair", &paths[0]]))), keys[0].pubkey());
}

#[test]
fn another_configuration_file_can_be_named_and_must_be_readable() {
    let stage = Stage::new();
    let url = stage.desk.node.url();
    let text =
        format!("json_rpc_url: '{url}'\nwebsocket_url: ''\nkeypair_path: 'nowhere.json'\ncommitment: confirmed\n");
    let file = stage.desk.write("other.yml", &text);
    assert_eq!(finish(stage.desk.bare().args(["--config", &file, "pool", "list"])).code, 0);
    assert_eq!(finish(stage.desk.bare().env("SOLANA_CONFIG_FILE", &file).args(["pool", "list"])).code, 0);
    let missing = finish(stage.desk.bare().args(["--config", "missing.yml", "pool", "list"]));
    missing.says(1, "the configuration file missing.yml cannot be read", "solana config set");

    // The usual one may be missing, and is not passed over if it is broken: what is asked for is not mainnet then.
    stage.desk.write(".config/solana/cli/config.yml", "json_rpc_url: [");
    let broken = finish(stage.desk.bare().args(["pool", "list"]));
    broken.says(
        1,
        ".config/solana/cli/config.yml cannot be read: line 1: `json_rpc_url`: it is a list",
        "solana config set",
    );

    // A level that is none is not taken for the usual one; a flag comes before it.
    let file = stage.desk.write("level.yml", &text.replace("commitment: confirmed", "commitment: finalised"));
    let list = ["--config", &file, "pool", "list"];
    let wrong = finish(stage.desk.bare().args(list));
    wrong.says(1, "level.yml, line 4: its `commitment` is none of processed, confirmed, finalized", "--commitment");
    assert_eq!(finish(stage.desk.bare().args(list).args(["--commitment", "confirmed"])).code, 0);
}

#[test]
fn a_dry_run_tells_everything_and_sends_nothing() {
    let stage = Stage::new();
    let pool = stage.pool();
    let run = stage.desk.ask(&stage.person.key, &stage.deposit(&pool, &["--dry-run", "--output", "json"]));
    assert!(run.stderr.contains("Deposit 100.00 USDT into the senior tranche"), "{run}");
    let told = stage.desk.snapshot("pool-deposit-dry-run", run);
    assert_eq!(told["status"], "simulated");
    assert_eq!((&told["signature"], &told["transaction"]), (&Value::Null, &Value::Null));
    assert!(told["compute_units"].as_u64() > Some(10_000));
    assert_eq!((units(&told, "amount"), &told["amount"]), (100 * ONE, &Value::from("100")));
    assert_eq!(stage.desk.node.asked("sendTransaction"), 0);
    assert_eq!(stage.deposited(), 0);
}

#[test]
fn a_dry_run_needs_no_more_than_an_address() {
    let stage = Stage::new();
    let (pool, id) = (stage.pool(), stage.person.id().to_string());
    let run = stage.desk.look(&stage.deposit(&pool, &["--dry-run", "--keypair", &id]));
    assert!(run.done().contains("Would succeed"), "{run}");
    assert_eq!(stage.deposited(), 0);
}

#[test]
fn a_keypair_can_come_by_stdin() {
    let stage = Stage::new();
    let (pool, file) = (stage.pool(), stage.desk.keypair(&stage.person.key));
    let keypair = read_to_string(file).expect("it is there");
    let deposit = stage.deposit(&pool, &["--yes", "--keypair", "-", "--url", stage.desk.node.url()]);
    let run = finish_with(stage.desk.bare().args(&deposit), &keypair);
    assert!(run.done().starts_with("Confirmed: "), "{run}");
    assert_eq!(stage.deposited(), 100 * ONE);
    let run = finish_with(stage.desk.bare().args(&deposit), "hello");
    run.says(1, "no keypair on stdin", "KEYPAIR");
}

#[test]
fn amounts_are_written_in_whole_tokens_with_commas_and_decimals() {
    let stage = Stage::new();
    let pool = stage.pool();
    for (amount, units) in [("1,000.5", 1_000_500_000), ("0.000001", 1), ("1_000", 1_000_000_000)] {
        let before = stage.deposited();
        stage.desk.act(&stage.person.key, &["pool", "deposit", &pool, amount, "--tranche", "senior"]).done();
        assert_eq!(stage.deposited() - before, units, "{amount}");
    }
}

#[test]
fn a_pool_is_named_by_its_address_or_by_mint_and_number() {
    let stage = Stage::new();
    let by_number = format!("{}/0", stage.pool.asset_mint);
    let shown = |pool: &str| stage.desk.look(&["pool", "show", pool, "--output", "json"]).done().to_owned();
    assert_eq!(shown(&by_number), shown(&stage.pool()));
}

#[test]
fn priority_is_paid_as_told_or_as_the_market_does_up_to_the_cap() {
    let stage = Stage::new();
    let pool = stage.pool();
    stage.desk.node.set_faults(Faults { priority_price: u64::MAX, ..Faults::default() });
    let fee = |further: &[&str]| {
        let further = [&["--dry-run", "--output", "json"], further].concat();
        let told = stage.desk.json(stage.desk.ask(&stage.person.key, &stage.deposit(&pool, &further)));
        units(&told, "fee_lamports") - 5_000
    };
    assert_eq!(fee(&["--priority-fee", "0"]), 0);
    assert!((6_900..=7_000).contains(&fee(&["--priority-fee", "7000"])));
    assert!((99_000..=100_000).contains(&fee(&[])), "the cap that is set without a word");
    assert!((19_000..=20_000).contains(&fee(&["--max-priority-fee", "20000"])));
}

#[test]
fn whoever_asks_for_less_commitment_waits_for_less() {
    let stage = Stage::new();
    let pool = stage.pool();
    stage.desk.node.set_faults(Faults { confirmed_after: 1_000_000, ..Faults::default() });
    stage.desk.act(&stage.person.key, &stage.deposit(&pool, &["--commitment", "processed"])).done();
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[cfg(not(feature = "usb"))]
#[test]
fn a_build_without_hardware_wallets_says_so() {
    let stage = Stage::new();
    let run = stage.desk.look(&["pool", "exit", "list", "--keypair", "usb://ledger"]);
    run.says(2, "knows no hardware wallets", "--features usb");
}

#[test]
fn what_is_lost_on_the_way_is_sent_again() {
    let stage = Stage::new();
    let pool = stage.pool();
    stage.desk.node.set_faults(Faults { lost: 1, ..Faults::default() });
    stage.desk.act(&stage.person.key, &stage.deposit(&pool, &[])).done();
    assert_eq!((stage.desk.node.executed(), stage.deposited()), (1, 100 * ONE));
}

#[test]
fn results_go_to_stdout_and_previews_to_stderr_without_colours_in_a_pipe() {
    let stage = Stage::new();
    let pool = stage.pool();
    let run = stage.desk.act(&stage.person.key, &stage.deposit(&pool, &[]));
    assert!(run.done().starts_with("Confirmed: ") && run.stdout.lines().count() == 1, "{run}");
    for row in ["Deposit 100.00 USDT", "shares", "share price", "risk", "cooldown", "fee"] {
        assert!(run.stderr.contains(row), "the preview tells {row:?}\n{run}");
    }
    assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'), "{run}");

    let mut show = stage.desk.bare();
    show.args(["--url", stage.desk.node.url(), "pool", "show", &pool]).env("CLICOLOR_FORCE", "1");
    assert!(finish(&mut show).done().contains('\x1b'));
    assert!(!finish(show.env_remove("CLICOLOR_FORCE").env("NO_COLOR", "1")).done().contains('\x1b'));
}
