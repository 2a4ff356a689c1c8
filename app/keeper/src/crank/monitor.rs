//! What an operator sees of a running crank: Prometheus metrics and a health check, over HTTP.

use crate::crank::report::Report;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tiny_http::{Header, Response, Server};

/// What Prometheus expects of an answer in its text format.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How often the server looks whether it should end.
const LOOK: Duration = Duration::from_millis(200);
/// Intervals without a successful pass after which a crank is unhealthy.
const INTERVALS: u32 = 3;

/// Whether a crank works.
#[derive(Debug)]
pub struct Health {
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: Instant,
    error: Option<String>,
}

impl Health {
    /// Healthy as of now, for three intervals.
    pub fn new(interval: Duration) -> Self {
        let state = State { last: Instant::now(), error: None };
        Self { patience: interval.saturating_mul(INTERVALS), state: Mutex::new(state) }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A pass came to its end.
    pub fn passed(&self) {
        self.set(|state| *state = State { last: Instant::now(), error: None });
    }

    /// A transaction was confirmed: a long pass is at work.
    pub fn progressed(&self) {
        self.set(|state| state.last = Instant::now());
    }

    /// A pass failed.
    pub fn failed(&self, why: String) {
        self.set(|state| state.error = Some(why));
    }

    /// Why the crank is unhealthy, if it is.
    pub fn complaint(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let age = state.last.elapsed();
        (age > self.patience).then(|| {
            let why = state.error.as_deref().unwrap_or("a pass takes too long");
            format!("no successful pass for {} s: {why}", age.as_secs())
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
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
    waiting: Gauge,
    out_of_budget: Gauge,
    without_prices: Gauge,
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
            waiting: Gauge::default(),
            out_of_budget: Gauge::default(),
            without_prices: Gauge::default(),
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
        registry.register("waiting", "Items that only others can bring about", monitor.waiting.clone());
        registry.register("out_of_budget", "1 while the hour's budget is used up", monitor.out_of_budget.clone());
        registry.register("without_prices", "1 while the price source fails", monitor.without_prices.clone());
        monitor
    }

    /// Counts a pass.
    pub fn passed(&self, report: &Report) {
        self.health.passed();
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
        self.waiting.set(count(report.waiting.len()));
        self.out_of_budget.set(i64::from(report.out_of_budget));
        self.without_prices.set(i64::from(report.price_error.is_some()));
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

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// An HTTP server for `GET /metrics` and `GET /health`, in a thread of its own. It ends with this value.
pub struct Endpoint {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens. A port of 0 takes a free one.
    ///
    /// Errors: the address cannot be listened on.
    pub fn start(address: SocketAddr, monitor: Arc<Monitor>) -> Result<Self, String> {
        let server = Server::http(address).map_err(|why| format!("cannot listen on {address}: {why}"))?;
        let address = server.server_addr().to_ip().unwrap_or(address);
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                if let Ok(Some(request)) = server.recv_timeout(LOOK) {
                    let response = match request.url() {
                        "/metrics" => metrics(&monitor),
                        "/health" => health(&monitor.health),
                        _ => Response::from_string("there are /metrics and /health\n").with_status_code(404),
                    };
                    // Whoever asked may be gone.
                    let _ = request.respond(response);
                }
            }
        });
        Ok(Self { address, end, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the server is no reason for another.
            let _ = thread.join();
        }
    }
}

type Text = Response<std::io::Cursor<Vec<u8>>>;

fn metrics(monitor: &Monitor) -> Text {
    let response = Response::from_string(monitor.text());
    match Header::from_bytes("Content-Type", METRICS_TYPE) {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    }
}

fn health(health: &Health) -> Text {
    match health.complaint() {
        None => Response::from_string("ok\n"),
        Some(why) => Response::from_string(format!("{why}\n")).with_status_code(503),
    }
}
