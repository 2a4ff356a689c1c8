//! The worked products of the book, as a shell runs them: every block of `docs/src/guides/worked.md`, at a node in this process
//! that stands for a local cluster.

use crate::desk::Desk;
use backstop::state::{Cover, CoverState, Tranche};
use backstop_client::account;
use backstop_client::solana_config::SolanaConfig;
use backstop_sandbox::localnet::levels::{self, Level, Source};
use backstop_sandbox::localnet::{Layout, Mint, Wallet};
use backstop_tests::live::put;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Person, World, seeded};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The commands under a heading of the page.
fn block(heading: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/guides/worked.md");
    let text = std::fs::read_to_string(page).expect("it is there");
    let (_, after) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    let own = after.split("\n## ").next().unwrap_or_default();
    let lines: Vec<&str> = own.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(!lines.is_empty(), "{heading} has no commands");
    lines.join("\n")
}

/// A node with what a local cluster begins with, and its directory.
struct Stage {
    desk: Desk,
    levels: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        world.cluster.set_time(i64::try_from(machine).expect("it fits"));
        let pool = world.create_pool(terms::create_pool(0));
        world.create_product(&pool, terms::stress());
        world.create_product(&pool, terms::severe());
        world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
        world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
        let kind = backstop::state::PoolKind::Reinsurance;
        let reinsurer = world.create_pool(backstop::CreatePoolArgs { kind, ..terms::create_pool(1) });
        let people: [Person; 2] = [(); 2].map(|()| world.person(100_000 * ONE));
        let crank = seeded(world.fresh());
        world.cluster.airdrop(&crank.pubkey(), 1_000_000_000_000);
        let admin = world.governance.insecure_clone();
        world.cluster.airdrop(&admin.pubkey(), 1_000_000_000_000);
        let mint = |label: &str, mint: String| Mint { label: label.into(), mint, decimals: 6 };
        let (asset, covered) = (mint("USDT", world.asset.to_string()), mint("USDC", world.covered.to_string()));
        let desk = Desk::new(world);
        let dir = desk.home().join("localnet");
        let keys: [(&str, &Keypair); 4] =
            [("admin", &admin), ("crank", &crank), ("alice", &people[0].key), ("bob", &people[1].key)];
        let wallet =
            |key: &Keypair| Wallet { address: key.pubkey().to_string(), keypair: PathBuf::from(desk.keypair(key)) };
        let wallets: BTreeMap<String, Wallet> =
            keys.iter().map(|(name, key)| ((*name).to_owned(), wallet(key))).collect();
        let layout = Layout {
            rpc: desk.node.url().into(),
            websocket: "ws://127.0.0.1:1".into(),
            config: dir.join("config.yml"),
            prices: dir.join("prices.csv"),
            levels: dir.join("levels.csv"),
            program: backstop::ID.to_string(),
            program_sha256: String::new(),
            asset,
            covered,
            pool: pool.pool.to_string(),
            reinsurance_pool: reinsurer.pool.to_string(),
            treaty: String::new(),
            products: Vec::new(),
            feeds: Vec::new(),
            wallets,
        };
        desk.write("localnet/localnet.json", &serde_json::to_string(&layout).expect("it is data"));
        let config = SolanaConfig {
            json_rpc_url: layout.rpc.clone(),
            keypair_path: layout.wallets["alice"].keypair.display().to_string(),
            commitment: "confirmed".into(),
            ..SolanaConfig::default()
        };
        config.save(&layout.config).expect("there is room");
        let mut names = vec![
            ("SOLANA_CONFIG_FILE".to_owned(), layout.config.display().to_string()),
            ("BACKSTOP_LOCALNET".to_owned(), dir.display().to_string()),
            ("USDT".to_owned(), layout.asset.mint.clone()),
            ("USDC".to_owned(), layout.covered.mint.clone()),
        ];
        for source in Source::ALL {
            names.push((source.name().to_uppercase().replace('-', "_"), source.account().to_string()));
        }
        for (name, wallet) in &layout.wallets {
            names.push((format!("{}_KEY", name.to_uppercase()), wallet.keypair.display().to_string()));
        }
        let lines: String = names.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        desk.write("localnet/env", &lines);
        levels::write(&layout.levels, &levels::calm()).expect("there is room");
        let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        std::os::unix::fs::symlink(plans.canonicalize().expect("it is there"), desk.home().join("migrations"))
            .expect("a link can be made");
        Self { desk, levels: layout.levels }
    }

    /// Writes the accounts of live feeds whenever the levels file has changed, as a local cluster does.
    fn post(&self, posted: &mut Vec<Level>) {
        let Ok(read) = levels::read(&self.levels) else { return };
        if read == *posted {
            return;
        }
        let world = self.desk.node.world();
        for level in &read {
            let (owner, data) = level.source.contents(level.units().expect("it was read"), &world.covered, 0);
            put(&world, level.source.account(), owner, data);
        }
        *posted = read;
    }

    /// Runs the page's block as a shell does, after the one that all begin with. Returns what the only cover was paid.
    #[track_caller]
    fn run(&self, heading: &str) -> (u64, CoverState) {
        let mut posted = Vec::new();
        self.post(&mut posted);
        let bin = Path::new(env!("CARGO_BIN_EXE_backstop")).parent().expect("it is in a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let script = format!("set -eu\n{}\n{}\n", block("Once"), block(heading));
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(script).current_dir(self.desk.home());
        shell.env_clear().env("HOME", self.desk.home()).env("PATH", format!("{}:{path}", bin.display()));
        let done = AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.post(&mut posted);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let ended = shell.output().expect("a shell runs");
            done.store(true, Ordering::Relaxed);
            ended
        });
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().rev().take(3_000).collect::<String>();
        let told = |bytes: &[u8]| said(bytes).chars().rev().collect::<String>();
        assert!(ended.status.success(), "{heading}: {}\n{}", told(&ended.stdout), told(&ended.stderr));
        let world = self.desk.node.world();
        let covers = account::list::<Cover>(&world.cluster, None).expect("the cluster answers");
        let [(_, cover)] = &covers[..] else { panic!("{heading}: {} covers\n{}", covers.len(), told(&ended.stderr)) };
        println!("{heading}: {}\n{}", told(&ended.stdout), told(&ended.stderr));
        (cover.paid, cover.state)
    }
}

#[test]
fn a_seasons_rain() {
    assert_eq!(Stage::new().run("A season's rain"), (500 * ONE, CoverState::Settled));
}

#[test]
fn a_flights_delay() {
    assert_eq!(Stage::new().run("A flight's delay"), (100 * ONE, CoverState::Settled));
}

#[test]
fn a_months_volatility() {
    assert_eq!(Stage::new().run("A month's volatility"), (250 * ONE, CoverState::Settled));
}

/// In the run-on it may still become more: the cover is paid, and open.
#[test]
fn a_staking_token_that_loses_stake() {
    assert_eq!(Stage::new().run("A staking token that loses stake").0, 468 * ONE);
}

#[test]
fn a_lending_markets_loss() {
    assert_eq!(Stage::new().run("A lending market's loss").0, 270_800_000);
}

#[test]
fn a_protocol_that_is_drained() {
    assert_eq!(Stage::new().run("A protocol that is drained"), (660 * ONE, CoverState::Settled));
}
