//! Whatever goes wrong is told in one clear sentence with a hint, by the right exit code, and changes nothing.

use crate::desk::{Desk, Run, finish, in_a_terminal};
use anchor_lang::prelude::Pubkey;
use backstop::state::Tranche;
use backstop_client::instruction::{self as ix, PoolKeys};
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Fault, Faults, Person, Rule, World};
use solana_sdk::account::Account;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

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
        let person = world.person(1_000 * ONE);
        Self { desk: Desk::new(world), pool, person }
    }

    fn deposit(&self, signer: &Keypair, amount: &str) -> Run {
        self.desk.act(signer, &["pool", "deposit", &self.pool.pool.to_string(), amount, "--tranche", "senior"])
    }

    /// That the pool is as it was: nobody has deposited anything.
    #[track_caller]
    fn is_untouched(&self) {
        let pool = self.desk.node.world().pool(&self.pool);
        assert_eq!((pool.cash, pool.tranche(Tranche::Senior).shares), (0, 0));
    }
}

#[test]
fn a_wrong_command_line_exits_with_2_and_points_to_the_help() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    for wrong in [
        &["pool", "deposit"][..],
        &["pool", "deposit", &pool, "ten", "--tranche", "senior"],
        &["pool", "deposit", &pool, "-1", "--tranche", "senior"],
        &["pool", "deposit", &pool, "10", "--tranche", "mezzanine"],
        &["pool", "deposit", &pool, "10"],
        &["pool", "deposit", "nowhere", "10", "--tranche", "senior"],
        &["pool", "deposit", &pool, "10", "--tranche", "senior", "--dry-run", "--print-tx"],
        &["pool", "show", &pool, "--commitment", "maybe"],
        &["pool", "show", &pool, "--fast"],
        &["pool", "dance"],
    ] {
        let run = stage.desk.act(&stage.person.key, wrong);
        assert_eq!(run.code, 2, "{wrong:?}\n{run}");
        assert_eq!(run.stdout, "", "{wrong:?}\n{run}");
        assert!(run.stderr.starts_with("error: "), "{wrong:?}\n{run}");
        assert!(run.stderr.contains("--help"), "{wrong:?}\n{run}");
    }
    assert_eq!(stage.desk.node.asked("simulateTransaction"), 0);
}

#[test]
fn the_help_tells_the_exit_codes() {
    let stage = Stage::new();
    let help = finish(stage.desk.bare().arg("--help"));
    let codes = help.done().lines().skip_while(|line| *line != "Exit codes:").skip(1);
    let codes: Vec<&str> = codes.take_while(|line| !line.is_empty()).map(|line| &line[..4]).collect();
    assert_eq!(codes, ["  0 ", "  1 ", "  2 ", "  3 ", "  4 ", "  5 "], "{help}");
}

#[test]
fn settings_that_cannot_be_exit_with_2() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    let show = ["pool", "show", &pool];
    let keypair = stage.desk.keypair(&stage.person.key);
    let deposit = ["pool", "deposit", &pool, "10", "--tranche", "senior", "--yes", "--keypair"];

    finish(stage.desk.bare().args(show).args(["--url", "ftp://x"])).says(2, "`ftp://x` is no cluster", "");
    let id = stage.person.id().to_string();
    stage.desk.look(&[&deposit[..], &[&id]].concat()).says(2, "cannot sign", "");
    stage.desk.look(&[&deposit[..], &["prompt://"]].concat()).says(2, "needs a terminal", "");
    let fees = ["--priority-fee", "5001", "--max-priority-fee", "5000"];
    stage.desk.look(&[&deposit[..], &[&keypair], &fees[..]].concat()).says(2, "--max-priority-fee 5000", "");
    stage.is_untouched();
}

#[test]
fn nobody_there_to_confirm_exits_with_2_and_sends_nothing() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    let run = stage.desk.ask(&stage.person.key, &["pool", "deposit", &pool, "10", "--tranche", "senior"]);
    run.says(2, "nobody is there to confirm", "");
    assert!(run.stderr.contains("Deposit 10"), "the preview is shown before\n{run}");
    assert_eq!(stage.desk.node.asked("sendTransaction"), 0);
    stage.is_untouched();
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_leaves_with_ctrl_c_sends_nothing_and_finds_the_terminal_as_it_was() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    let keypair = stage.desk.keypair(&stage.person.key);
    let url = stage.desk.node.url();
    let deposit = ["--url", url, "--keypair", &keypair, "pool", "deposit", &pool, "10", "--tranche", "senior"];
    let hides = |shown: &str| shown.contains("\u{1b}[?25l") && !shown.contains("\u{1b}[?25h");

    // At the question.
    let (code, shown) = in_a_terminal(&stage.desk, &deposit, &[("[y/N]", "\u{3}")]);
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("Deposit 10") && !hides(&shown), "{shown}");
    assert_eq!(stage.desk.node.asked("sendTransaction"), 0);
    // Whoever says no, or nothing, too.
    for answer in ["n\n", "\n", "yess\n", "\u{4}"] {
        let (code, shown) = in_a_terminal(&stage.desk, &deposit, &[("[y/N]", answer)]);
        assert_eq!(code, 1, "{answer:?}\n{shown}");
        assert!(shown.contains("not confirmed: nothing was sent") && !hides(&shown), "{answer:?}\n{shown}");
    }
    assert_eq!(stage.desk.node.asked("sendTransaction"), 0);
    stage.is_untouched();

    // While it waits: the signature is there to look up.
    stage.desk.node.set_faults(Faults { lost: u32::MAX, blocks_per_look: 0, ..Faults::default() });
    let (code, shown) =
        in_a_terminal(&stage.desk, &deposit, &[("[y/N]", "y\n"), ("waiting for confirmation", "\u{3}")]);
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("Sending") && !hides(&shown), "{shown}");
    stage.is_untouched();

    // And whoever says yes deposits.
    stage.desk.node.set_faults(Faults::default());
    let (code, shown) = in_a_terminal(&stage.desk, &deposit, &[("[y/N]", "y\n")]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(stage.desk.node.world().pool(&stage.pool).cash, 10 * ONE, "{shown}");
}

#[test]
fn a_long_silence_is_told_with_who_is_silent() {
    let stage = Stage::new();
    let rules = vec![Rule::once("getProgramAccounts", Fault::Slow(4_500))];
    stage.desk.node.set_faults(Faults { rules, ..Faults::default() });
    let run = stage.desk.look(&["pool", "list"]);
    assert!(run.done().contains("USDT #0"), "{run}");
    assert_eq!(run.stderr.matches(&format!("waiting for {} ...", stage.desk.node.url())).count(), 1, "{run}");
    let quick = stage.desk.look(&["pool", "list"]);
    assert!(!quick.stderr.contains("waiting for"), "{quick}");
}

#[test]
fn no_network_exits_with_4() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    let run = finish(stage.desk.bare().args(["--url", "http://127.0.0.1:1", "pool", "show", &pool]));
    run.says(4, "http://127.0.0.1:1 does not answer", "--url");

    stage.desk.node.set_faults(Faults { behind: u32::MAX, ..Faults::default() });
    stage.desk.look(&["pool", "list"]).says(4, "cannot answer now: Node is behind by 42 slots", "--url");
    stage.desk.node.set_faults(Faults { broken: u32::MAX, ..Faults::default() });
    stage.desk.look(&["pool", "list"]).says(4, stage.desk.node.url(), "--url");
    stage.deposit(&stage.person.key, "10").says(4, stage.desk.node.url(), "--url");
    stage.is_untouched();
}

#[test]
fn a_cluster_without_the_program_exits_with_4() {
    let stage = Stage::new();
    stage.desk.node.world().cluster.set_account(backstop::ID, Account::default());
    for run in [stage.desk.look(&["pool", "list"]), stage.deposit(&stage.person.key, "10")] {
        run.says(4, &format!("there is no Backstop program at {}", backstop::ID), "--url");
    }
    stage.is_untouched();
}

#[test]
fn a_server_that_is_no_cluster_exits_with_4() {
    let stage = Stage::new();
    let server = tiny_http::Server::http("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", server.server_addr());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let request = server.recv().expect("somebody asks");
            request.respond(tiny_http::Response::from_string("<html>hello</html>")).expect("somebody listens");
        });
        finish(stage.desk.bare().args(["--url", &url, "pool", "list"])).says(4, &url, "--url");
    });
}

#[test]
fn a_missing_token_account_is_named() {
    let stage = Stage::new();
    let somebody = Keypair::new();
    stage.desk.node.world().cluster.airdrop(&somebody.pubkey(), 1_000_000_000);
    let mint = stage.pool.asset_mint.to_string();
    stage.deposit(&somebody, "10").says(1, "the wallet has no token account of the mint", &mint);
    stage.is_untouched();
}

#[test]
fn too_few_tokens_are_told_with_both_amounts() {
    let stage = Stage::new();
    let run = stage.deposit(&stage.person.key, "1000.000001");
    run.says(1, "this needs 1,000.000001, and the token account", "smaller amount");
    assert!(run.refused(1).0.contains("holds 1,000.00"), "{run}");
    stage.is_untouched();
}

#[test]
fn too_little_sol_is_told_whether_it_is_none_or_not_enough_for_rent() {
    let stage = Stage::new();
    let somebody = Keypair::new();
    stage.desk.node.world().cluster.set_tokens(&somebody.pubkey(), &stage.pool.asset_mint, 1_000 * ONE);
    stage.deposit(&somebody, "10").says(1, "has no SOL", "send SOL");

    // Enough for the fee, and too little for the rent of the share account.
    stage.desk.node.world().cluster.airdrop(&somebody.pubkey(), 1_000_000);
    stage.deposit(&somebody, "10").says(1, "too little SOL", "send SOL");
    stage.is_untouched();
}

#[test]
fn an_amount_with_more_decimals_than_the_mint_or_below_the_least_is_refused() {
    let stage = Stage::new();
    stage.deposit(&stage.person.key, "10.0000001").says(2, "more than the mint's 6 decimals", "");
    stage.deposit(&stage.person.key, "99999999999999").says(2, "more than any token account holds", "");
    stage.deposit(&stage.person.key, "0.000001").says(1, "(FirstDepositTooSmall, 6048)", "backstop pool show");
    stage.is_untouched();
}

#[test]
fn an_expired_transaction_exits_with_5() {
    let stage = Stage::new();
    stage.desk.node.set_faults(Faults { lost: u32::MAX, lifetime: 1, ..Faults::default() });
    stage.deposit(&stage.person.key, "10").says(5, "expired before it was executed", "send it again");
    stage.desk.node.set_faults(Faults { stale: true, ..Faults::default() });
    stage.deposit(&stage.person.key, "10").says(5, "expired before it was executed", "send it again");
    stage.is_untouched();
}

#[test]
fn a_paused_pool_exits_with_1_and_tells_when_it_ends() {
    let stage = Stage::new();
    {
        let world = stage.desk.node.world();
        world.run(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), 1)]);
    }
    stage.deposit(&stage.person.key, "10").says(1, "Deposits are paused (DepositsPaused, 6025)", "six hours");
    stage.is_untouched();
}

#[test]
fn an_address_that_is_no_pool_is_told_apart_from_one_where_nothing_is() {
    let stage = Stage::new();
    let nothing = Pubkey::new_unique().to_string();
    stage.desk.look(&["pool", "show", &nothing]).says(1, &format!("there is no pool at {nothing}"), "--url");
    let mint = stage.pool.asset_mint.to_string();
    stage.desk.look(&["pool", "show", &mint]).says(1, &format!("the account {mint} is no pool"), "pool list");
    let second = format!("{mint}/1");
    stage.desk.look(&["pool", "show", &second]).says(1, "there is no pool at", "--url");
}

#[test]
fn a_keypair_that_is_not_there_or_not_one_is_named() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    let deposit = ["pool", "deposit", &pool, "10", "--tranche", "senior", "--yes"];
    stage.desk.look(&deposit).says(1, ".config/solana/id.json does not exist", "--keypair");
    stage.desk.look(&[&deposit[..], &["--keypair", "nowhere.json"]].concat()).says(1, "nowhere.json", "solana-keygen");
    let broken = stage.desk.write("broken.json", "[1, 2, 3]");
    stage.desk.look(&[&deposit[..], &["--keypair", &broken]].concat()).says(1, "is not a keypair file", "");
    stage.is_untouched();
}

#[test]
fn a_protocol_that_is_not_set_up_is_told_so() {
    let world = World::uninitialised();
    let (governance, mint) = (world.governance.insecure_clone(), world.asset.to_string());
    let desk = Desk::new(world);
    let run = desk.act(&governance, &["pool", "create", "--mint", &mint, "--label", "USDT", "--uri", "ipfs://pool"]);
    run.says(1, "protocol", "backstop init");
}

#[test]
fn who_is_not_governance_cannot_create_a_pool() {
    let stage = Stage::new();
    let mint = stage.pool.asset_mint.to_string();
    let create = ["pool", "create", "--mint", &mint, "--id", "1", "--label", "USDT", "--uri", "ipfs://pool"];
    let run = stage.desk.act(&stage.person.key, &create);
    run.says(1, "Only governance may do this (NotGovernance, 6021)", "--keypair");
}

#[test]
fn an_empty_pool_shows_itself_and_sells_nothing() {
    let world = World::new();
    let desk = Desk::new(world);
    assert_eq!(desk.look(&["pool", "list"]).done().trim(), "No pools.");
    let (pool, product) = {
        let world = desk.node.world();
        let pool = world.create_pool(terms::create_pool(0));
        let product = world.create_product(&pool, terms::stress());
        world.print(&product, 100_000_000);
        (pool.pool.to_string(), product.product.to_string())
    };
    let shown = desk.look(&["pool", "show", &pool]);
    assert!(shown.done().contains("0.00 USDT"), "{shown}");
    let quote = desk.look(&["cover", "quote", &product, "1000", "--days", "30"]);
    quote.says(1, "BeyondCapacity", "");
    desk.look(&["audit"]).done();
}
