//! The crank: does what anyone may do, as soon as it is due.
//!
//! A pass shows prices first, then reads the rest of the chain, derives what is due ([`plan`]), and does it; while it
//! works it goes on showing prices. Nothing is remembered that the chain does not say: a crank that is killed and started
//! again goes on where it was. Any number may run at once: whoever comes second finds the work done. What is refused is
//! reported, waits ever longer, and stops nothing else; what nobody says is unknown, and nothing is concluded from it
//! ([`chain`]).
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
pub mod choice;
mod execute;
pub mod hermes;
pub mod limits;
pub mod live;
pub mod monitor;
mod names;
pub mod plan;
pub mod price;
pub mod pyth;
pub mod report;
pub mod service;
pub mod signers;
pub mod sources;
mod tables;
pub mod watch;
pub mod work;

pub use hermes::{Hermes, SignedFile};
pub use monitor::{Health, Monitor};
pub use plan::{CreateAccounts, Plan, Settings};
pub use price::{Accounts, PriceError, PriceSource, Print, Standing, Trouble};
pub use report::{Report, Skipped};
pub use signers::Signers;
pub use sources::InOrder;
pub use work::Kind;

use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::explain::explain;
use backstop_client::transaction::PriorityFee;
use chain::{Chain, Depth, Unknown, Whereabouts};
use execute::Progress;
use limits::{BackOff, Budget, Delays};
use names::Names;
use price::PrintKey;
use solana_sdk::signer::Signer;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tables::Tables;
use watch::FeedState;
use work::{Item, Waiting, Work};

/// How often covers whose NFT is burnt, and liens of which nothing is left, are looked for: it reads every one there is.
const SWEEP: Duration = Duration::from_secs(3_600);
/// Lamports that a crank spends in an hour at most, if nobody says otherwise: half a SOL. It is enough for 4,700
/// transactions at the highest fee, which settle about 37,000 covers, or for the accounts of 240 holders who have none;
/// and a fault, or somebody who buys covers for wallets without accounts, costs no more than that.
pub const DEFAULT_BUDGET: u64 = 500_000_000;

/// Most passes in a row that do something.
const MOST_PASSES: u64 = 1_000;

/// Most passes in a row whose transactions were all lost.
const MOST_LOST_PASSES: u64 = 5;

/// How a crank works.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it does.
    pub settings: Settings,
    /// Most lamports in an hour, fees and rent; `None` is no limit. A tenth is kept for showing prices.
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
            budget: Some(DEFAULT_BUDGET),
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
    back_off: BackOff<Item>,
    failing_prints: BackOff<PrintKey>,
    names: Names,
    /// Length of the shortest slot that prices are shown for, in seconds.
    shortest_slot: Option<u32>,
    /// Rounds in a row whose transactions expired.
    lost_rounds: u32,
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
            failing_prints: BackOff::new(options.delays),
            names: Names::default(),
            shortest_slot: None,
            lost_rounds: 0,
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

    /// Tells a health check whenever it gets on.
    pub fn watch_health(&mut self, health: Arc<Health>) {
        self.health = Some(health);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// It gets on.
    fn beat(&self) {
        if let Some(health) = &self.health {
            health.beat();
        }
    }

    /// Shows prices, reads the rest of the chain, and does what is due.
    ///
    /// Errors: only of the cluster: without pools, products, triggers and the clock nothing is known to be due, and
    /// without money nothing can be sent. What was done before it stays done, and the next pass goes on from there.
    pub fn pass(&mut self) -> Result<Report, ClusterError> {
        let mut progress = Progress::default();
        progress.report.passes = 1;
        let mut chain = Chain::watch(self.cluster, &mut self.whereabouts)?;
        self.names.learn(&chain);
        progress.report.payer_lamports = self.purse(&mut chain);
        self.show_prices(&mut chain, &mut progress)?;
        self.beat();
        let leftovers = self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP);
        let depth = Depth { tickets: true, leftovers };
        chain.read_rest(self.cluster, &mut self.whereabouts, depth, &self.options.settings.pools);
        if leftovers {
            self.swept = Some(Instant::now());
        }
        self.beat();
        progress.report.unknown = std::mem::take(&mut chain.unknown);
        let Plan { due, waiting } = self.plan(&chain);
        self.back_off.keep(|item| due.iter().any(|work| work.item() == *item));
        let settlements = due.iter().filter(|work| work.kind.settles());
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
        self.execute(work, &mut chain, &mut progress)?;
        progress.report.unknown.append(&mut chain.unknown);
        if !self.stopped() {
            self.tidy_tables(&busy, &mut progress);
        }
        self.judge(&mut progress);
        let Progress { mut report, failed_prints, .. } = progress;
        report.skipped.extend(failed_prints);
        Ok(report)
    }

    /// Passes until nothing is due any more that this crank can do now. The report sums them up.
    pub fn run_until_idle(&mut self) -> Result<Report, ClusterError> {
        let mut sum = Report::default();
        let (mut lost, mut idle) = (0, 0);
        loop {
            let report = self.pass()?;
            // What a pass lost is still due; but a cluster that takes nothing is not asked for ever.
            lost = if report.did_anything() { 0 } else { lost + 1 };
            idle = if report.did_anything() { 0 } else { idle + 1 };
            // While somebody else works, what was read first may be older than what was read last: it is read again.
            let looked = idle > u32::from(sum.done_by_others > 0);
            let more = !looked || (report.transactions_lost > 0 && lost < MOST_LOST_PASSES);
            let goes_on = more && !report.out_of_budget && !self.stopped();
            sum.add(report);
            if !goes_on || sum.passes >= MOST_PASSES {
                return Ok(sum);
            }
        }
    }

    /// What is due and what waits for others, how prices stand and what is not known, without doing anything.
    pub fn look(&mut self) -> Result<Look, ClusterError> {
        let mut chain = Chain::watch(self.cluster, &mut self.whereabouts)?;
        self.names.learn(&chain);
        let (prints, price_error) = self.prints(&chain);
        let settings = &self.options.settings;
        let mut due = plan::observations(&chain, &prints, settings, &self.payer.pubkey());
        let feeds = watch::feeds(&chain, settings, &prints);
        let depth = Depth { tickets: true, leftovers: true };
        chain.read_rest(self.cluster, &mut self.whereabouts, depth, &settings.pools);
        let plan = self.plan(&chain);
        due.extend(plan.due);
        let plan = Plan { due, waiting: plan.waiting };
        let sources = self.source.standings();
        Ok(Look { plan, feeds, price_error, sources, unknown: chain.unknown })
    }

    /// Everything that is due but prices to be shown.
    fn plan(&self, chain: &Chain) -> Plan {
        let mut plan = plan::plan(chain, &[], &self.options.settings, &self.payer.pubkey());
        plan.waiting.extend(self.strangers(chain));
        plan.due.extend(plan::accusations(chain, &self.source.contradictions(), &self.options.settings));
        plan
    }

    /// Pools that this crank is to work for and that are none.
    fn strangers(&self, chain: &Chain) -> Vec<Waiting> {
        let named = self.options.settings.pools.iter().filter(|pool| !chain.pools.contains_key(pool));
        let why = "this pool is named, and there is none at its address";
        named.map(|pool| Waiting { kind: Kind::Accrue, subject: *pool, pool: *pool, amount: 0, why }).collect()
    }

    /// Lamports of the payer, if somebody says.
    fn purse(&self, chain: &mut Chain) -> Option<u64> {
        match self.cluster.account(&self.payer.pubkey()) {
            Ok(account) => Some(account.map_or(0, |account| account.lamports)),
            Err(why) => {
                let why = explain(&why).sentence;
                chain.unknown.push(Unknown { what: "the payer's balance", items: 1, why });
                None
            }
        }
    }

    /// What can be shown, each print once, and why the source fails, if it does. Without prices everything that needs
    /// none goes on.
    fn prints(&mut self, chain: &Chain) -> (Vec<Print>, Option<String>) {
        let feeds = plan::feeds(chain, &self.options.settings);
        if feeds.is_empty() {
            return (Vec::new(), None);
        }
        let (mut prints, mut error) = match self.source.prints(self.cluster, &feeds, chain.now) {
            Ok(prints) => (prints, None),
            Err(why) => (self.source.kept(), Some(why.to_string())),
        };
        let gaps = watch::gaps(chain, &self.options.settings);
        if !gaps.is_empty() {
            match self.source.past(&gaps, chain.now) {
                Ok(past) => prints.extend(past),
                Err(why) => drop(error.get_or_insert_with(|| why.to_string())),
            }
        }
        let mut known = BTreeSet::new();
        prints.retain(|print| known.insert((print.source, print.key())));
        (prints, error)
    }

    /// Looks at prices and shows those that say something new.
    fn show_prices(&mut self, chain: &mut Chain, progress: &mut Progress) -> Result<(), ClusterError> {
        let (prints, error) = self.prints(chain);
        progress.report.price_error = error;
        progress.report.sources = self.source.standings();
        self.failing_prints.keep(|key| prints.iter().any(|print| print.key() == *key));
        let now = Instant::now();
        let waits = |print: &Print| self.failing_prints.waits(&print.key(), now).map(|failure| failure.why.clone());
        let (waiting, ready): (Vec<Print>, Vec<Print>) =
            prints.iter().cloned().partition(|print| waits(print).is_some());
        let observations =
            |prints: &[Print]| plan::observations(chain, prints, &self.options.settings, &self.payer.pubkey());
        let skipped = observations(&waiting).into_iter().filter_map(|work| {
            let why = waits(work.print.as_ref()?)?;
            Some(Skipped::new(work.item(), &why))
        });
        progress.failed_prints = skipped.collect();
        let due = observations(&ready);
        if !due.is_empty() {
            self.observe(due, progress)?;
            if let Err(why) = chain.watch_again(self.cluster) {
                let why = explain(&why).sentence;
                chain.unknown.push(Unknown { what: "triggers after prices were shown", items: 1, why });
            }
        }
        progress.report.feeds = watch::feeds(chain, &self.options.settings, &prints);
        self.shortest_slot = watch::shortest_slot(chain, &self.options.settings);
        Ok(())
    }

    /// Looks at prices in the middle of other work.
    fn look_at_prices(&mut self, chain: &mut Chain, progress: &mut Progress) -> Result<(), ClusterError> {
        self.beat();
        match chain.watch_again(self.cluster) {
            Ok(()) => self.show_prices(chain, progress),
            // The work goes on; the next look is soon.
            Err(why) => {
                tracing::warn!(why = explain(&why).sentence, "prices cannot be looked at now");
                Ok(())
            }
        }
    }

    /// Looks again at what was refused: what is no longer due was done by somebody else; the rest waits.
    fn judge(&mut self, progress: &mut Progress) {
        if progress.failed.is_empty() {
            return;
        }
        let swept = |kind: Kind| matches!(kind, Kind::CloseCover | Kind::LiftLien);
        let depth = Depth { tickets: true, leftovers: progress.failed.iter().any(|((kind, _), _)| swept(*kind)) };
        let read = Chain::watch(self.cluster, &mut self.whereabouts).map(|mut chain| {
            chain.read_rest(self.cluster, &mut self.whereabouts, depth, &self.options.settings.pools);
            chain
        });
        let still: BTreeSet<Item> = read
            .as_ref()
            .map_or_else(|_| BTreeSet::new(), |chain| self.plan(chain).due.iter().map(Work::item).collect());
        // What cannot be found out is not taken for done.
        let vague = |kind: Kind| {
            let matters = |unknown: &Unknown| !unknown.is_of_payments() || kind.pays();
            read.as_ref().map_or(true, |chain| chain.unknown.iter().any(matters))
        };
        let now = Instant::now();
        for (item, why) in progress.failed.drain(..) {
            if vague(item.0) || still.contains(&item) {
                progress.report.skipped.push(Skipped::new(item, &why));
                self.back_off.failed(item, why, None, now);
            } else {
                progress.report.done_by_others += 1;
            }
        }
    }
}

/// What a crank sees, without doing anything.
#[derive(Clone, Debug)]
pub struct Look {
    /// What is due, and what waits.
    pub plan: Plan,
    /// How each watched feed stands.
    pub feeds: Vec<FeedState>,
    /// Why there are no prices, if so.
    pub price_error: Option<String>,
    /// How each of several sources, and each signer of reports, stands.
    pub sources: Vec<Standing>,
    /// What could not be found out.
    pub unknown: Vec<Unknown>,
}
