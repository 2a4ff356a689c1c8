//! What an operator sees of a running crank: Prometheus metrics and health checks, over HTTP.
//!
//! `/live` says whether the process gets on at all: if not, it is to be started again. `/ready` says whether it does what
//! it is for: passes succeed, every watched feed has a fresh price, the wallet can pay; if not, somebody is to look, and
//! starting it again helps nothing. `/health` says both.

use crate::attestor::METRICS_TYPE;
use crate::crank::price::Trouble;
use crate::crank::report::Report;
use crate::crank::service::LOW_BALANCE;
use crate::crank::watch::FeedState;
use crate::http::{Answer, Question, Server};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Intervals without a successful pass after which a crank is unhealthy.
const INTERVALS: u32 = 3;
/// Shortest time after which a crank is unhealthy: a transaction alone may take a minute and a half to expire.
pub const SHORTEST_PATIENCE: Duration = Duration::from_secs(180);

/// Whether a crank works.
#[derive(Debug)]
pub struct Health {
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When it last got on: a pass began, came to a new part of it, or ended, well or not.
    alive: Instant,
    /// When a pass last ended well, or a transaction in it was confirmed.
    good: Instant,
    error: Option<String>,
    /// What the last good pass found that is not as it should be.
    complaints: Vec<String>,
}

impl Health {
    /// Healthy as of now, for three intervals or three minutes, whichever is longer.
    pub fn new(interval: Duration) -> Self {
        Self::with_patience(interval.saturating_mul(INTERVALS).max(SHORTEST_PATIENCE))
    }

    /// Healthy as of now, for so long.
    pub fn with_patience(patience: Duration) -> Self {
        let now = Instant::now();
        let state = State { alive: now, good: now, error: None, complaints: Vec::new() };
        Self { patience, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pass came to its end, and found this to complain about.
    pub fn passed(&self, complaints: Vec<String>) {
        let now = Instant::now();
        *self.state() = State { alive: now, good: now, error: None, complaints };
    }

    /// It gets on: in a long pass too.
    pub fn beat(&self) {
        self.state().alive = Instant::now();
    }

    /// A transaction was confirmed: a long pass is at work.
    pub fn progressed(&self) {
        let mut state = self.state();
        state.alive = Instant::now();
        state.good = state.alive;
    }

    /// A pass failed.
    pub fn failed(&self, why: String) {
        let mut state = self.state();
        state.alive = Instant::now();
        state.error = Some(why);
    }

    /// Why the process does not get on, if so.
    pub fn dead(&self) -> Option<String> {
        let age = self.state().alive.elapsed();
        (age > self.patience).then(|| format!("it has not got on for {} s", age.as_secs()))
    }

    /// Why the crank does not do what it is for, if so.
    pub fn unready(&self) -> Option<String> {
        let state = self.state();
        let age = state.good.elapsed();
        if age > self.patience {
            let why = state.error.as_deref().unwrap_or("a pass takes too long");
            return Some(format!("no successful pass for {} s: {why}", age.as_secs()));
        }
        (!state.complaints.is_empty()).then(|| state.complaints.join("\n"))
    }

    /// Why the crank is unhealthy, if it is.
    pub fn complaint(&self) -> Option<String> {
        self.unready().or_else(|| self.dead())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitingLabel {
    kind: &'static str,
    why: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FeedLabel {
    feed: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
    trouble: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The metrics of a crank, and their server.
pub struct Monitor {
    registry: Registry,
    work: Family<KindLabel, Counter>,
    done_by_others: Counter,
    passes: Family<ResultLabel, Counter>,
    transactions: Family<ResultLabel, Counter>,
    compute_units: Counter,
    fees: Counter,
    rent: Counter,
    skipped: Gauge,
    waiting: Family<WaitingLabel, Gauge>,
    unknown: Gauge,
    out_of_budget: Gauge,
    without_prices: Gauge,
    stale_feeds: Gauge,
    feed_age: Family<FeedLabel, Gauge>,
    feed_ahead: Family<FeedLabel, Gauge>,
    sources: Family<SourceLabel, Gauge>,
    payer: Gauge,
    health: Arc<Health>,
}

impl Monitor {
    /// Metrics that start at zero.
    pub fn new(health: Arc<Health>) -> Self {
        let mut monitor = Self {
            registry: Registry::with_prefix("backstop_crank"),
            work: Family::default(),
            done_by_others: Counter::default(),
            passes: Family::default(),
            transactions: Family::default(),
            compute_units: Counter::default(),
            fees: Counter::default(),
            rent: Counter::default(),
            skipped: Gauge::default(),
            waiting: Family::default(),
            unknown: Gauge::default(),
            out_of_budget: Gauge::default(),
            without_prices: Gauge::default(),
            stale_feeds: Gauge::default(),
            feed_age: Family::default(),
            feed_ahead: Family::default(),
            sources: Family::default(),
            payer: Gauge::default(),
            health,
        };
        let registry = &mut monitor.registry;
        registry.register("work", "Items of work done, by instruction", monitor.work.clone());
        registry.register("work_by_others", "Items that somebody else had done first", monitor.done_by_others.clone());
        registry.register("passes", "Passes, by result", monitor.passes.clone());
        registry.register("transactions", "Transactions, by result", monitor.transactions.clone());
        registry.register("compute_units", "Compute units of confirmed transactions", monitor.compute_units.clone());
        registry.register("fees_lamports", "Fees paid, in lamports", monitor.fees.clone());
        registry.register("rent_lamports", "Rent paid for accounts, in lamports", monitor.rent.clone());
        registry.register("skipped", "Items refused that will be tried again", monitor.skipped.clone());
        registry.register("waiting", "Items that only others can bring about, by reason", monitor.waiting.clone());
        registry.register("unknown", "Items of which nobody says how they stand", monitor.unknown.clone());
        registry.register("out_of_budget", "1 while the hour's budget is used up", monitor.out_of_budget.clone());
        registry.register("without_prices", "1 while the price source fails", monitor.without_prices.clone());
        registry.register("stale_feeds", "Watched feeds without a fresh price", monitor.stale_feeds.clone());
        registry.register("feed_age_seconds", "Age of the newest price of a watched feed", monitor.feed_age.clone());
        registry.register(
            "feed_ahead_seconds",
            "Seconds by which the newest price of a watched feed is ahead of the cluster's clock",
            monitor.feed_ahead.clone(),
        );
        registry.register(
            "source_trouble",
            "1 while a source of prices or a signer of reports is silent, behind, strange, disagrees or contradicts itself",
            monitor.sources.clone(),
        );
        registry.register("payer_lamports", "Balance of the wallet that pays, in lamports", monitor.payer.clone());
        monitor
    }

    /// Counts a pass.
    pub fn passed(&self, report: &Report) {
        self.health.passed(complaints(report));
        self.passes.get_or_create(&ResultLabel { result: "ok" }).inc();
        for (kind, count) in &report.done {
            self.work.get_or_create(&KindLabel { kind: (*kind).to_owned() }).inc_by(*count);
        }
        self.done_by_others.inc_by(report.done_by_others);
        self.transactions.get_or_create(&ResultLabel { result: "confirmed" }).inc_by(report.transactions);
        self.transactions.get_or_create(&ResultLabel { result: "lost" }).inc_by(report.transactions_lost);
        self.compute_units.inc_by(report.compute_units);
        self.fees.inc_by(report.fees);
        self.rent.inc_by(report.rent);
        self.skipped.set(count(report.skipped.len()));
        self.waiting.clear();
        for waiting in &report.waiting {
            self.waiting.get_or_create(&WaitingLabel { kind: waiting.kind.name(), why: waiting.why }).inc();
        }
        self.unknown.set(count(report.unknown.iter().map(|unknown| unknown.items).sum()));
        self.out_of_budget.set(i64::from(report.out_of_budget));
        self.without_prices.set(i64::from(report.price_error.is_some()));
        self.stale_feeds.set(count(report.feeds.iter().filter(|feed| !feed.fresh).count()));
        self.feed_age.clear();
        self.feed_ahead.clear();
        for feed in &report.feeds {
            let label = FeedLabel { feed: feed.feed.clone() };
            self.feed_ahead.get_or_create(&label).set(feed.ahead_seconds);
            // A feed of which nobody has seen a price has no age.
            if let Some(age) = feed.age_seconds {
                self.feed_age.get_or_create(&label).set(age);
            }
        }
        self.sources.clear();
        for standing in &report.sources {
            // All of each, so that an alert on one is told when it is over.
            for trouble in Trouble::ALL {
                let label = SourceLabel { source: standing.who.clone(), trouble: trouble.name() };
                let on = standing.troubles.iter().any(|(known, _)| *known == trouble);
                self.sources.get_or_create(&label).set(i64::from(on));
            }
        }
        if let Some(lamports) = report.payer_lamports {
            self.payer.set(i64::try_from(lamports).unwrap_or(i64::MAX));
        }
    }

    /// Counts a pass that the cluster broke off.
    pub fn failed(&self, why: &str) {
        self.health.failed(why.to_owned());
        self.passes.get_or_create(&ResultLabel { result: "failed" }).inc();
    }

    /// The metrics in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// What of a pass's report makes a crank unready: what stands in the way of what it is for. Single items that are
/// refused or unknown do not.
fn complaints(report: &Report) -> Vec<String> {
    let mut complaints: Vec<String> = report.feeds.iter().filter_map(FeedState::complaint).collect();
    complaints.extend(report.price_error.clone());
    if report.out_of_budget {
        complaints.push("the budget of the hour is used up".into());
    }
    if let Some(lamports) = report.payer_lamports.filter(|lamports| *lamports < LOW_BALANCE) {
        complaints.push(format!("the wallet that pays has {lamports} lamports left"));
    }
    complaints
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// An HTTP server for `GET /metrics`, `/live`, `/ready` and `/health`, in threads of its own. It ends with this value.
pub struct Endpoint(Server);

impl Endpoint {
    /// Listens. A port of 0 takes a free one.
    ///
    /// Errors: the address cannot be listened on.
    pub fn start(address: SocketAddr, monitor: Arc<Monitor>) -> Result<Self, String> {
        Server::start(address, move |question| answer(question, &monitor)).map(Self)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

fn answer(question: &Question, monitor: &Monitor) -> Answer {
    match question.path {
        "/metrics" => Answer { status: 200, kind: METRICS_TYPE, body: monitor.text().into_bytes() },
        "/live" => Answer::verdict(monitor.health.dead()),
        "/ready" => Answer::verdict(monitor.health.unready()),
        "/health" => Answer::verdict(monitor.health.complaint()),
        _ => Answer::text(404, "there are /metrics, /live, /ready and /health\n"),
    }
}
