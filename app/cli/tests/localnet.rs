//! The whole way of a cover, with the real binary and a local cluster in processes of their own, over JSON-RPC: deposit,
//! purchase, depeg, a crank that is killed and started again on the way, payout, exit. The cluster is the binary
//! `backstop-localnet`, which must stand beside `backstop`: `cargo build -p backstop-sandbox --features localnet`.

use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::Phase;
use backstop::state::{CoverState, Incident, Pool, Position, Trigger};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::{address, transaction};
use backstop_tests::lending::{self, MarketKeys};
use backstop_tests::town::{backstop, key};
use backstop_tests::{Town, budget};
use serde_json::{Value, json};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::net::TcpListener;
use std::path::Path;
use tempfile::TempDir;

/// One token.
const ONE: u64 = 1_000_000;
/// How many covers are sold.
const COVERS: u64 = 6;
/// What each insures.
const SUM: u64 = 1_000;

/// The binary.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_backstop"))
}

/// A cluster in a directory, without its page.
fn start_in(dir: TempDir, options: &[&str]) -> Town {
    Town::start(binary(), dir, &[&["--no-page"], options].concat())
}

/// A cluster.
fn start() -> Town {
    start_in(tempfile::tempdir().expect("there is room for files"), &[])
}

#[test]
fn a_crank_that_is_killed_on_the_way_pays_every_cover_exactly_once() {
    let town = start();
    let (pool, product) = (town.layout.pool.clone(), town.layout.products[0].product.clone());
    let (trigger, incident) = (key(&town.layout.products[0].trigger), address::incident(&key(&product)));

    let said = refused(town.dir.path(), 1, &["--dir", "town", "--rpc-port", "0"]);
    assert!(said.contains(&format!("already, at {}", town.layout.rpc)), "{said}");

    // Alice puts capital in, Bob buys.
    let (alice, bob) = (town.money("alice"), town.money("bob"));
    let deposit = town.run("alice", &["pool", "deposit", &pool, "1000", "--tranche", "senior"]);
    assert_eq!(deposit["status"], "confirmed");
    assert_eq!(town.money("alice"), alice - 1_000 * ONE);
    for _ in 0..COVERS {
        town.run("bob", &["cover", "buy", &product, &SUM.to_string(), "--days", "30"]);
    }
    let covers = town.covers();
    assert_eq!(covers.len() as u64, COVERS);
    assert!(covers.iter().all(|cover| cover.sum_insured == SUM * ONE && cover.state == CoverState::Active));
    let premiums: u64 = covers.iter().map(|cover| cover.premium).sum();
    assert_eq!(town.money("bob"), bob - premiums);

    // Protection has begun and the price falls. Half of the evidence is shown by a crank that is killed.
    town.advance(covers[0].active_from() - town.now() + 600);
    let crank = town.crank("crank-1.log");
    town.until("the crank sees a calm price", || town.published_since(&trigger, covers[0].active_from()));
    town.price("0.85", 85_000_000);
    for _ in 0..3 {
        town.next_slot(&trigger);
    }
    assert_eq!(town.read::<Trigger>(&trigger).phase(), Phase::Breaching);
    crank.kill();

    // Another one shows the rest, and is killed as soon as the condition is met.
    let crank = town.crank("crank-2.log");
    while town.read::<Trigger>(&trigger).phase() == Phase::Breaching {
        town.next_slot(&trigger);
    }
    assert_eq!(town.read::<Trigger>(&trigger).phase(), Phase::Met);
    crank.kill();

    // The challenge passes. A third opens the incident and is killed there; a fourth does what is left of it.
    let reinsurer = address::vault(&key(&town.layout.reinsurance_pool));
    let reinsurance = town.tokens(&reinsurer);
    // The rest of the slot, and a challenge of two hours.
    town.advance(3 * 3_600);
    let crank = town.crank("crank-3.log");
    let settled = || town.covers().iter().filter(|cover| cover.state == CoverState::Settled).count() as u64;
    town.until("the incident is opened", || {
        (town.find::<Incident>(&incident).is_some() || settled() > 0).then_some(())
    });
    crank.kill();
    let crank = town.crank("crank-4.log");
    town.until("all covers are settled", || (settled() == COVERS).then_some(()));
    assert_eq!(town.money("bob"), bob - premiums + COVERS * SUM * ONE, "each cover is paid in full, and once");
    // The crank may have handed it some premium meanwhile.
    let (ceded, part) = (reinsurance - town.tokens(&reinsurer), COVERS * SUM * ONE * 3 / 10);
    assert!((part - ONE..=part).contains(&ceded), "the quota share pays its part: {ceded} of {part}");

    // The price comes back, and Alice leaves with what she put in, but for the unit that is rounded against whoever leaves, and
    // her part of the premium, if any: surplus and junior capital stand for these few covers alone.
    town.price("1", 100_000_000);
    town.run("alice", &["pool", "exit", "request", &pool, "--tranche", "senior", "--all"]);
    assert_eq!(town.money("alice"), alice - 1_000 * ONE);
    town.advance(4 * 86_400);
    town.until("the exit is paid", || (town.money("alice") + 1 >= alice).then_some(()));
    assert!(town.money("alice") < alice + 10 * ONE, "it is a part of the premium, not more");
    drop(crank);

    // What the chain says adds up, and nothing has appeared or gone.
    town.run("alice", &["audit"]);
    let vaults = [&pool, &town.layout.reinsurance_pool].map(|pool| town.tokens(&address::vault(&key(pool))));
    let held: u64 = town.layout.wallets.keys().map(|who| town.money(who)).chain(vaults).sum();
    assert_eq!(held, town.layout.wallets.len() as u64 * 1_000_000 * ONE);
    town.stop();
}

/// Writes the example lender as the upgradeable loader leaves a program.
fn deploy_lender(town: &Town) {
    const LOADER: &str = "BPFLoaderUpgradeab1e11111111111111111111111";
    let data_address = Pubkey::find_program_address(&[lending::ID.as_ref()], &key(LOADER)).0;
    let slot = town.cluster.slot().expect("the cluster answers");
    let nobody = [0; 33];
    let code = [&3u32.to_le_bytes()[..], &slot.to_le_bytes(), &nobody, &lending::program()].concat();
    let pointer = [&2u32.to_le_bytes()[..], data_address.as_ref()].concat();
    for (address, data, executable) in [(data_address, code, false), (lending::ID, pointer, true)] {
        let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        let lamports = town.cluster.rent(data.len()).expect("the cluster answers");
        let account = json!({ "lamports": lamports, "data": digits, "owner": LOADER, "executable": executable });
        let set = town.cluster.ask::<Value>("surfnet_setAccount", json!([address.to_string(), account]));
        set.expect("a local cluster's accounts can be written");
    }
}

/// The keypair of one of the cluster's wallets.
fn keypair(town: &Town, who: &str) -> Keypair {
    let text = std::fs::read_to_string(&town.layout.wallets[who].keypair).expect("it has a file");
    let bytes: Vec<u8> = serde_json::from_str(&text).expect("it is a keypair");
    Keypair::try_from(bytes.as_slice()).expect("it is a keypair")
}

#[test]
fn a_loan_is_insured_the_peg_falls_and_the_cover_pays_it_with_no_signature_but_the_cranks() {
    let town = start();
    deploy_lender(&town);
    let [lender, borrower, keeper] = ["alice", "bob", "crank"].map(|who| keypair(&town, who));
    let pool = key(&town.layout.pool);
    let pool = PoolKeys::of(pool, &town.read::<Pool>(&pool), anchor_spl::token::ID);
    let product = ProductKeys { pool, product: key(&town.layout.products[0].product) };
    let covered = key(&town.layout.covered.mint);
    let price = key(&town.layout.feeds[0].account);
    let market = MarketKeys::derive(lender.pubkey(), product, covered, price);
    let send = |signer: &Keypair, instructions: &[_]| {
        let sent = transaction::send(&town.cluster, signer, &[signer], instructions);
        sent.unwrap_or_else(|why| panic!("{}\n{}", backstop_tests::explain(&why), town.logs()))
    };
    let account = |payer: &Keypair, owner: &Pubkey, mint: &Pubkey| {
        ix::create_associated_token(&payer.pubkey(), owner, mint, &anchor_spl::token::ID)
    };

    // A market with 5,000; the borrower pledges 1,300 and borrows 1,000.
    town.localnet(&["fund", &borrower.pubkey().to_string()]);
    let asset = market.pool.asset_mint;
    let accounts = [account(&lender, &market.market, &asset), account(&lender, &market.market, &covered)];
    send(&lender, &accounts);
    let terms = loan_terms();
    send(&lender, &[market.create_market(terms), market.supply(5_000 * ONE)]);
    let crank = town.crank("crank.log");
    let trigger = market.product.trigger();
    let begun = town.now();
    town.until("the crank sees a calm price", || town.published_since(&trigger, begun));
    let mut args = market.args(1);
    (args.amount, args.collateral) = (SUM * ONE, 1_300 * ONE);
    let pledged = town.tokens(&market.collateral_of(&borrower.pubkey()));
    send(&borrower, &[budget(), market.open_loan(borrower.pubkey(), borrower.pubkey(), args)]);
    assert_eq!(pledged - town.tokens(&market.collateral_of(&borrower.pubkey())), 1_300 * ONE);
    let position: Position = town.read(&market.position(1));
    assert!(position.sum_insured > SUM * ONE);

    // The peg falls, and the crank does what it does for every position; it knows nothing of loans.
    town.advance(position.active_from() - town.now() + 600);
    town.until("the crank sees a calm price", || town.published_since(&trigger, position.active_from()));
    town.price("0.85", 85_000_000);
    town.next_slot(&trigger);
    while town.read::<Trigger>(&trigger).phase() == Phase::Breaching {
        town.next_slot(&trigger);
    }
    town.advance(3 * 3_600);
    let settled = || Some(town.read::<Position>(&market.position(1))).filter(|it| it.state == CoverState::Settled);
    let position = town.until("the position is settled", settled);
    assert_eq!(position.paid, position.sum_insured);
    drop(crank);

    // With the crank's key, and no other, the debt is paid, the rest sent, the collateral returned.
    let had = town.money("bob");
    let rest = market.pool.assets_of(&borrower.pubkey());
    send(&keeper, &[market.apply_payout(1, rest)]);
    let loan = market.find_loan(&town.cluster, 1).expect("it is open until its collateral is home");
    assert_eq!((loan.principal, loan.interest), (0, 0));
    let got = town.money("bob") - had;
    assert!(got > 0 && got < 10 * ONE, "the interest that was insured and not owed, and no more: {got}");
    let owed = position.paid + position.refunded - got;
    assert_eq!(town.tokens(&market.vault()), 4_000 * ONE + owed);
    send(&keeper, &[market.close_loan(borrower.pubkey(), false, borrower.pubkey(), 1)]);
    assert!(market.find_loan(&town.cluster, 1).is_none());
    assert_eq!(town.tokens(&market.collateral_of(&borrower.pubkey())), pledged);
    town.run("alice", &["audit"]);
    town.stop();
}

/// What the lender of the local cluster lends on: its price is as old as its last posting.
fn loan_terms() -> lending::MarketTerms {
    lending::MarketTerms { max_price_age: 3_600, ..lending::market_terms() }
}

/// What a command says on stderr when it is refused with an exit code.
#[track_caller]
fn refused(dir: &Path, code: i32, arguments: &[&str]) -> String {
    let output = backstop(binary(), dir).arg("localnet").args(arguments).output().expect("the binary runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    errors
}

#[test]
fn its_own_crank_shows_prices_and_ends_with_it() {
    let town = start_in(tempfile::tempdir().expect("there is room for files"), &["--crank"]);
    let trigger = key(&town.layout.products[0].trigger);
    town.price("0.85", 85_000_000);
    town.until("it sees the fall", || (town.read::<Trigger>(&trigger).phase() == Phase::Breaching).then_some(()));
    let config = town.layout.config.display().to_string();
    let cranks = || {
        let of = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("cmdline")).ok();
        let running = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(of);
        running.filter(|line| line.contains(&config) && line.contains("crank")).count()
    };
    assert_eq!(cranks(), 1);
    let _dir = town.stop();
    assert_eq!(cranks(), 0, "it ends with the cluster");
}

#[test]
fn what_a_local_cluster_cannot_do_is_said_in_one_sentence_with_a_hint() {
    let dir = tempfile::tempdir().expect("there is room for files");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let said = refused(dir.path(), 1, &["--rpc-port", &port]);
    assert!(said.contains(&format!("error: port {port} cannot be used: ")), "{said}");
    assert!(said.contains("hint: --rpc-port and --ws-port take another, 0 takes any"), "{said}");
    assert!(!dir.path().join("localnet").exists(), "nothing was made");
}

#[test]
fn a_second_run_begins_calm_with_the_same_addresses_and_a_triggered_product_is_followed_by_a_fresh_one() {
    let town = start();
    let first = town.layout.clone();
    assert!(town.told().contains("a new cluster with new keypairs"), "{}", town.told());
    // A second one in the same directory is refused, on any port.
    let said = refused(town.dir.path(), 1, &["--dir", "town"]);
    assert!(said.contains("a localnet runs in town already"), "{said}");
    let said = refused(town.dir.path(), 1, &["price", "DAI/USD", "0.9", "--dir", "town"]);
    assert!(said.contains("nothing on this cluster watches a feed DAI/USD: it is USDC/USD"), "{said}");

    // Somebody new gets money, and uses it.
    let somebody = Pubkey::new_unique().to_string();
    town.localnet(&["fund", &somebody, "--sol", "1.5", "--usdt", "25", "--usdc", "0"]);
    let account = town.cluster.account(&key(&somebody)).expect("the cluster answers").expect("it has SOL");
    assert_eq!(account.lamports, 1_500_000_000);
    let mint = key(&town.layout.asset.mint);
    assert_eq!(town.tokens(&address::associated_token(&key(&somebody), &mint, &anchor_spl::token::ID)), 25 * ONE);

    // The product triggers, and is followed by one that will sell.
    let (trigger, product) = (key(&first.products[0].trigger), first.products[0].product.clone());
    town.price("0.85", 85_000_000);
    let crank = town.crank("crank.log");
    while town.read::<Trigger>(&trigger).phase() != Phase::Met {
        town.next_slot(&trigger);
    }
    // The rest of the slot, and a challenge of two hours.
    town.advance(3 * 3_600);
    town.until("it triggers", || town.read::<Trigger>(&trigger).phase().is_triggered().then_some(()));
    let made = town.run("admin", &["product", "renew", &product]);
    town.price("1", 100_000_000);
    let sells_from = made["details"]["sells_from"].as_i64().or(made["sells_from"].as_i64()).expect("a time");
    town.advance((sells_from - town.now()).max(0) + 60);
    let fresh = made["details"]["product"].as_str().or(made["product"].as_str()).expect("an address").to_owned();
    let buy = ["cover", "buy", &fresh, "1000", "--days", "30"];
    town.until("it is sold", || town.tries("bob", &buy).then_some(()));
    assert_eq!(town.covers().len(), 1);
    drop(crank);
    town.price("0.85", 85_000_000);

    // The next run: the same addresses, and a calm price, at which covers are sold.
    let dir = town.stop();
    let town = start_in(dir, &[]);
    let told = town.told();
    assert!(told.contains("with the last run's keypairs") && told.contains("prices begin anew"), "{told}");
    assert_eq!(town.layout.products, first.products);
    assert_eq!(town.covers().len(), 0);
    town.run("bob", &["cover", "buy", &product, "1000", "--days", "30"]);

    // Unless the prices are to be kept.
    town.price("0.85", 85_000_000);
    let dir = town.stop();
    let town = start_in(dir, &["--keep-prices"]);
    let told = town.told();
    assert!(told.contains("goes on with USDC/USD at 0.85") && told.contains("once it is at 0.96 again"), "{told}");
    let dir = town.stop();
    let town = start_in(dir, &["--reset"]);
    assert_ne!(town.layout.wallets, first.wallets);
    town.stop();
}
