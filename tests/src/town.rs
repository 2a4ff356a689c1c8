//! A local cluster in processes of its own, as `backstop localnet` starts it, and what tests ask of it and tell it.
//!
//! The cluster is the binary `backstop-localnet`, and its page `backstop-page`: both must stand beside `backstop`.

use anchor_lang::prelude::Pubkey;
use backstop::peril::feed::pyth_receiver;
use backstop::state::{Cover, Trigger};
use backstop_client::account::{self, Decode};
use backstop_client::address;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_sandbox::localnet::{Layout, prices};
use serde_json::Value;
use solana_commitment_config::CommitmentConfig;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A process that ends with its owner.
pub struct Running(Child);

impl Running {
    /// Ends it at once, without a chance to put anything in order.
    pub fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has.
    #[track_caller]
    pub fn interrupt(&mut self) -> std::process::ExitStatus {
        let asked = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().expect("there is a kill");
        assert!(asked.success());
        until("it stops", 30, || self.0.try_wait().expect("it can be asked"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A local cluster that runs.
pub struct Town {
    /// Where its files are, in the folder `town`.
    pub dir: TempDir,
    /// What is where on it.
    pub layout: Layout,
    /// Its node.
    pub cluster: RpcCluster,
    binary: PathBuf,
    localnet: Running,
}

impl Town {
    /// Starts a cluster with the binary `backstop`, in a directory that may have had one before.
    #[track_caller]
    pub fn start(binary: &Path, dir: TempDir, options: &[&str]) -> Self {
        let start = ["localnet", "--dir", "town", "--rpc-port", "0"];
        let localnet = spawn(binary, dir.path(), "localnet.log", &[&start, options].concat());
        let layout = wait(120, || Layout::read(&dir.path().join("town")).ok());
        let layout = layout.unwrap_or_else(|| panic!("the local cluster is not ready\n{}", logs(dir.path())));
        let cluster = RpcCluster::new(&layout.rpc, CommitmentConfig::confirmed());
        Self { dir, layout, cluster, binary: binary.to_owned(), localnet }
    }

    /// Runs a command as somebody, who agrees to everything. Returns its result, which must be good.
    #[track_caller]
    pub fn run(&self, who: &str, arguments: &[&str]) -> Value {
        let keypair = self.layout.wallets[who].keypair.display().to_string();
        let config = self.layout.config.display().to_string();
        let common = ["-C", &config, "--keypair", &keypair, "--yes", "--output", "json"];
        let output = self.backstop().args(common).args(arguments).output().expect("the binary runs");
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {}\n{text}\n{errors}\n{}", output.status, self.logs());
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{arguments:?}: {why}\n{text}"))
    }

    /// Whether a command does what somebody asks for.
    pub fn tries(&self, who: &str, arguments: &[&str]) -> bool {
        let keypair = self.layout.wallets[who].keypair.display().to_string();
        let config = self.layout.config.display().to_string();
        let common = ["-C", &config, "--keypair", &keypair, "--yes"];
        let run = self.backstop().args(common).args(arguments).stderr(Stdio::null()).output();
        run.expect("the binary runs").status.success()
    }

    /// What a local cluster can be told.
    #[track_caller]
    pub fn localnet(&self, arguments: &[&str]) {
        let run = self.backstop().arg("localnet").args(arguments).args(["--dir", "town"]).output();
        let output = run.expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Moves the clock on.
    #[track_caller]
    pub fn advance(&self, seconds: i64) {
        self.localnet(&["advance", &format!("{seconds}s")]);
    }

    /// Sets the price, and waits until the oracle says it.
    #[track_caller]
    pub fn price(&self, price: &str, e8: u64) {
        self.localnet(&["price", &self.layout.feeds[0].name, price]);
        self.priced(e8);
    }

    /// Waits until the oracle says a price.
    #[track_caller]
    pub fn priced(&self, e8: u64) {
        let feed = &self.layout.feeds[0];
        self.until("the oracle says it", || {
            let account = self.cluster.account(&key(&feed.account)).expect("the cluster answers")?;
            let id = prices::feed_id(&feed.name);
            let read = pyth_receiver::read(&account.owner, &account.data, &id, i64::MAX);
            (read.expect("it is a print").price == e8).then_some(())
        });
    }

    /// Starts a crank, which writes what it says into a file.
    pub fn crank(&self, log: &str) -> Running {
        self.crank_with(log, &[])
    }

    /// Starts a crank with options of its own.
    pub fn crank_with(&self, log: &str, options: &[&str]) -> Running {
        let keypair = self.layout.wallets["crank"].keypair.display().to_string();
        let config = self.layout.config.display().to_string();
        let common = ["-C", &config, "--keypair", &keypair, "crank", "run", "--interval", "1s"];
        spawn(&self.binary, self.dir.path(), log, &[&common, options].concat())
    }

    /// The cluster's time.
    pub fn now(&self) -> i64 {
        self.cluster.now().expect("the cluster has a clock")
    }

    /// An account that is there.
    #[track_caller]
    pub fn read<T: Decode>(&self, address: &Pubkey) -> T {
        account::fetch(&self.cluster, address).unwrap_or_else(|why| panic!("{why}\n{}", self.logs()))
    }

    /// An account, if it is there.
    pub fn find<T: Decode>(&self, address: &Pubkey) -> Option<T> {
        account::find(&self.cluster, address).expect("the cluster answers")
    }

    /// Units of the pool's asset that one of the cluster's wallets holds.
    pub fn money(&self, who: &str) -> u64 {
        self.money_of(&self.wallet(who))
    }

    /// Units of the pool's asset that somebody holds.
    pub fn money_of(&self, who: &Pubkey) -> u64 {
        self.tokens(&address::associated_token(who, &key(&self.layout.asset.mint), &anchor_spl::token::ID))
    }

    /// Units in a token account.
    pub fn tokens(&self, account: &Pubkey) -> u64 {
        let account = self.cluster.account(account).expect("the cluster answers").expect("it is there");
        u64::from_le_bytes(account.data[64..72].try_into().expect("eight bytes"))
    }

    /// The address of one of the cluster's wallets.
    pub fn wallet(&self, who: &str) -> Pubkey {
        key(&self.layout.wallets[who].address)
    }

    /// All covers.
    pub fn covers(&self) -> Vec<Cover> {
        let all = account::list::<Cover>(&self.cluster, None).expect("the cluster answers");
        all.into_iter().map(|(_, cover)| cover).collect()
    }

    /// Waits for something that a crank does.
    #[track_caller]
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait(60, look).unwrap_or_else(|| panic!("{what}: not within a minute\n{}", self.logs()))
    }

    /// Whether the trigger knows a price from this time or later.
    pub fn published_since(&self, trigger: &Pubkey, time: i64) -> Option<()> {
        (self.read::<Trigger>(trigger).evidence.last_publish_time >= time).then_some(())
    }

    /// Moves the clock on by a slot of the trigger's evidence, and waits until a crank has shown a price in it.
    #[track_caller]
    pub fn next_slot(&self, trigger: &Pubkey) {
        let slot = i64::from(self.read::<Trigger>(trigger).terms.slot_seconds);
        self.advance(slot);
        let begun = self.now() / slot * slot;
        self.until("the next slot has evidence", || self.published_since(trigger, begun));
    }

    /// Stops the cluster as Ctrl-C does, which leaves nothing behind that says it runs.
    #[track_caller]
    pub fn stop(mut self) -> TempDir {
        let ended = self.localnet.interrupt();
        assert!(ended.success(), "{ended}\n{}", self.logs());
        assert!(Layout::read(&self.dir.path().join("town")).is_err());
        self.dir
    }

    /// What its process has said so far.
    pub fn told(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("localnet.log")).expect("it has a log")
    }

    /// Where its page is.
    #[track_caller]
    pub fn page(&self) -> String {
        self.until("it tells where its page is", || {
            let told = self.told();
            let line = told.lines().find(|line| line.trim_start().starts_with("PAGE"))?;
            line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned)
        })
    }

    /// The binary, with nothing of this process's environment.
    pub fn backstop(&self) -> Command {
        backstop(&self.binary, self.dir.path())
    }

    /// The last lines that processes wrote.
    pub fn logs(&self) -> String {
        logs(self.dir.path())
    }
}

/// The last lines of every log in a directory, and in that of its cluster.
fn logs(dir: &Path) -> String {
    let mut text = String::new();
    let entries = [dir.to_owned(), dir.join("town")].into_iter().flat_map(std::fs::read_dir);
    for entry in entries.flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(30).collect();
            text += &format!("--- {}\n", entry.path().display());
            lines.iter().rev().for_each(|line| text += &format!("{line}\n"));
        }
    }
    text
}

/// An address of a layout.
#[track_caller]
pub fn key(text: &str) -> Pubkey {
    text.parse().expect("it is an address")
}

/// The binary, in a directory, with nothing of this process's environment.
pub fn backstop(binary: &Path, dir: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().env("HOME", dir).current_dir(dir).stdin(Stdio::null());
    command
}

fn spawn(binary: &Path, dir: &Path, log: &str, arguments: &[&str]) -> Running {
    let log = File::create(dir.join(log)).expect("there is room for a file");
    let errors = log.try_clone().expect("a file has two handles");
    let mut command = backstop(binary, dir);
    Running(command.args(arguments).stdout(log).stderr(errors).spawn().expect("the binary runs"))
}

fn wait<T>(seconds: u64, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        if let Some(seen) = look() {
            return Some(seen);
        }
        sleep(Duration::from_millis(200));
    }
    None
}

#[track_caller]
fn until<T>(what: &str, seconds: u64, look: impl FnMut() -> Option<T>) -> T {
    wait(seconds, look).unwrap_or_else(|| panic!("{what}: not within {seconds} s"))
}
