//! The crank: does what anyone may do, as soon as it is due.
//!
//! A pass reads the chain, derives what is due ([`plan`]), and does it. Nothing is remembered that the chain does not
//! say: a crank that is killed and started again goes on where it was. Any number may run at once: whoever comes second
//! finds the work done. What is refused is reported, waits ever longer, and stops nothing else.
//!
//! ```no_run
//! use backstop_client::cluster::rpc::RpcCluster;
//! use backstop_keeper::crank::{Accounts, Crank, Options};
//! use solana_commitment_config::CommitmentConfig;
//! use solana_sdk::signature::Keypair;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = RpcCluster::new("http://localhost:8899", CommitmentConfig::confirmed());
//! let payer = Keypair::new();
//! let mut crank = Crank::new(&cluster, &payer, Box::new(Accounts::default()), Options::default());
//! let report = crank.run_until_idle()?;
//! println!("{} covers settled", report.count("settle_cover"));
//! # Ok(())
//! # }
//! ```

pub mod chain;
mod execute;
pub mod hermes;
pub mod limits;
pub mod monitor;
pub mod plan;
pub mod price;
pub mod pyth;
pub mod report;
pub mod service;
mod tables;
pub mod work;

pub use hermes::{Hermes, SignedFile};
pub use monitor::{Health, Monitor};
pub use plan::{Plan, Settings};
pub use price::{Accounts, PriceError, PriceSource, Print};
pub use report::{Report, Skipped};
pub use work::Kind;

use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::transaction::PriorityFee;
use chain::{Chain, Depth, Whereabouts};
use execute::Progress;
use limits::{BackOff, Budget, Delays};
use solana_sdk::signer::Signer;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tables::Tables;
use work::{Item, Work};

/// How often covers whose NFT is burnt are looked for: it reads every cover there is.
const SWEEP: Duration = Duration::from_secs(3_600);
/// Most passes in a row that do something.
const MOST_PASSES: u64 = 1_000;

/// Most passes in a row whose transactions were all lost.
const MOST_LOST_PASSES: u64 = 5;

/// How a crank works.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it does.
    pub settings: Settings,
    /// Most lamports in an hour, fees and rent; without it there is no limit.
    pub budget: Option<u64>,
    /// What is paid for priority.
    pub priority_fee: PriorityFee,
    /// How long refused work waits.
    pub delays: Delays,
    /// Covers to be settled in a pool from which on a lookup table pays: it saves a sixth of the transactions, and
    /// making and closing it takes three.
    pub table_from: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            budget: None,
            priority_fee: PriorityFee::Market { cap: 100_000 },
            delays: Delays { first: Duration::from_secs(10), longest: Duration::from_secs(3_600) },
            table_from: 100,
        }
    }
}

/// Does what is due on a cluster.
pub struct Crank<'a> {
    cluster: &'a dyn Cluster,
    payer: &'a dyn Signer,
    source: Box<dyn PriceSource + 'a>,
    options: Options,
    whereabouts: Whereabouts,
    back_off: BackOff,
    budget: Budget,
    tables: Tables,
    rents: HashMap<usize, u64>,
    swept: Option<Instant>,
    stop: Arc<AtomicBool>,
    health: Option<Arc<Health>>,
}

impl<'a> Crank<'a> {
    /// A crank that pays from `payer`. Nothing is read yet.
    pub fn new(
        cluster: &'a dyn Cluster,
        payer: &'a dyn Signer,
        source: Box<dyn PriceSource + 'a>,
        options: Options,
    ) -> Self {
        Self {
            cluster,
            payer,
            source,
            whereabouts: Whereabouts::new(),
            back_off: BackOff::new(options.delays),
            budget: Budget::new(options.budget),
            options,
            tables: Tables::default(),
            rents: HashMap::new(),
            swept: None,
            stop: Arc::default(),
            health: None,
        }
    }

    /// Stops when the flag is set: after the transactions under way, before the next.
    pub fn stop_on(&mut self, flag: Arc<AtomicBool>) {
        self.stop = flag;
    }

    /// Tells a health check of every confirmed transaction.
    pub fn watch_health(&mut self, health: Arc<Health>) {
        self.health = Some(health);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Reads the chain once and does what is due.
    ///
    /// Errors: only of the cluster. What was done before it stays done, and the next pass goes on from there.
    pub fn pass(&mut self) -> Result<Report, ClusterError> {
        let burnt = self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP);
        let depth = Depth { tickets: true, burnt };
        let chain = Chain::read(self.cluster, &mut self.whereabouts, depth)?;
        if burnt {
            self.swept = Some(Instant::now());
        }
        let mut progress = Progress::default();
        progress.report.passes = 1;
        let prints = self.prints(&chain, &mut progress);
        let Plan { due, waiting } = self.plan(&chain, &prints);
        self.back_off.keep(&due.iter().map(Work::item).collect());
        let settlements = due.iter().filter(|work| work.kind == Kind::SettleCover);
        let busy: BTreeSet<Pubkey> = settlements.map(|work| work.pool).collect();
        let now = Instant::now();
        let mut work = Vec::new();
        for due in due {
            match self.back_off.waits(&due.item(), now) {
                Some(failure) => {
                    progress.report.skipped.push(Skipped::new(due.item(), &failure.why));
                }
                None => work.push(due),
            }
        }
        tracing::debug!(due = work.len(), skipped = progress.report.skipped.len(), waiting = waiting.len(), "planned");
        progress.report.waiting = waiting;
        self.execute(work, &mut progress)?;
        if !self.stopped() {
            self.tidy_tables(&busy, &mut progress)?;
        }
        self.judge(&prints, &mut progress)?;
        Ok(progress.report)
    }

    /// Passes until nothing is due any more that this crank can do now. The report sums them up.
    pub fn run_until_idle(&mut self) -> Result<Report, ClusterError> {
        let mut sum = Report::default();
        let mut lost = 0;
        loop {
            let report = self.pass()?;
            // What a pass lost is still due; but a cluster that takes nothing is not asked for ever.
            lost = if report.did_anything() { 0 } else { lost + 1 };
            let more = report.did_anything() || (report.transactions_lost > 0 && lost < MOST_LOST_PASSES);
            let goes_on = more && !report.out_of_budget && !self.stopped();
            sum.add(report);
            if !goes_on || sum.passes >= MOST_PASSES {
                return Ok(sum);
            }
        }
    }

    /// What is due and what waits for others, without doing anything.
    pub fn look(&mut self) -> Result<Plan, ClusterError> {
        let chain = Chain::read(self.cluster, &mut self.whereabouts, Depth { tickets: true, burnt: true })?;
        let prints = self.prints(&chain, &mut Progress::default());
        Ok(self.plan(&chain, &prints))
    }

    fn plan(&self, chain: &Chain, prints: &[Print]) -> Plan {
        plan::plan(chain, prints, &self.options.settings, &self.payer.pubkey(), &self.back_off.failing())
    }

    /// The prices of the feeds that matter. Without any, everything that needs none goes on.
    fn prints(&mut self, chain: &Chain, progress: &mut Progress) -> Vec<Print> {
        let feeds = plan::feeds(chain, &self.options.settings);
        if feeds.is_empty() {
            return Vec::new();
        }
        match self.source.prints(self.cluster, &feeds, chain.now) {
            Ok(prints) => prints,
            Err(why) => {
                tracing::warn!(%why, "no prices");
                progress.report.price_error = Some(why.to_string());
                Vec::new()
            }
        }
    }

    /// Looks again at what was refused: what is no longer due was done by somebody else; the rest waits.
    fn judge(&mut self, prints: &[Print], progress: &mut Progress) -> Result<(), ClusterError> {
        if progress.failed.is_empty() {
            return Ok(());
        }
        let depth =
            Depth { tickets: true, burnt: progress.failed.iter().any(|((kind, _), _)| *kind == Kind::CloseCover) };
        let chain = Chain::read(self.cluster, &mut self.whereabouts, depth)?;
        let still: BTreeSet<Item> = self.plan(&chain, prints).due.iter().map(Work::item).collect();
        let now = Instant::now();
        for (item, why) in progress.failed.drain(..) {
            if still.contains(&item) {
                progress.report.skipped.push(Skipped::new(item, &why));
                self.back_off.failed(item, why, now);
            } else {
                progress.report.done_by_others += 1;
            }
        }
        Ok(())
    }
}
