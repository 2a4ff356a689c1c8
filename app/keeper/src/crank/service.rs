//! A crank as a service: passes at an interval until somebody stops it.

use crate::crank::limits::Delays;
use crate::crank::names::Names;
use crate::crank::watch::FeedState;
use crate::crank::work::{Kind, words};
use crate::crank::{Crank, Monitor, Report};
use anchor_lang::prelude::Pubkey;
use backstop_client::explain::explain;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a waiting service looks whether it should stop.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait after passes that a cluster broke off.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Seconds of a UTC day.
const DAY: u64 = 86_400;
/// What is wrong is told when it begins and ends, and so often in between.
const REMINDER: Duration = Duration::from_secs(600);
/// Lamports of the payer below which it is told: enough for a day of prices, and no more.
pub const LOW_BALANCE: u64 = 20_000_000;

impl Crank<'_> {
    /// Makes passes until the stop flag is set: at once again while there is something to do, else after `interval`,
    /// at the turn of each UTC day, and when a price that was ahead of the clock falls due. After a pass that the
    /// cluster broke off the wait doubles, to five minutes at most, and to a quarter of the shortest slot that prices
    /// are shown for.
    pub fn serve(&mut self, interval: Duration, monitor: &Monitor) {
        let delays = Delays { first: interval, longest: LONGEST_WAIT.max(interval) };
        let mut failures = 0_u32;
        let mut broken_since = None::<Instant>;
        let mut log = Log::default();
        while !self.stopped() {
            let wait = match self.pass() {
                Ok(report) => {
                    if let Some(since) = broken_since.take() {
                        tracing::info!(failures, seconds = since.elapsed().as_secs(), "the cluster answers again");
                    }
                    failures = 0;
                    monitor.passed(&report);
                    log.tell(&report, &self.names);
                    let goes_on = report.did_anything() && !report.out_of_budget;
                    if goes_on { Duration::ZERO } else { until_due(&report).min(interval).min(until_midnight()) }
                }
                // It was asked to stop, and stopped waiting.
                Err(_) if self.stopped() => break,
                Err(why) => {
                    failures = failures.saturating_add(1);
                    broken_since.get_or_insert_with(Instant::now);
                    let sentence = explain(&why).sentence;
                    monitor.failed(&sentence);
                    let wait = delays.after(failures).min(self.quarter_slot().max(interval));
                    let again = wait.as_secs_f64();
                    tracing::error!(why = sentence, failures, again_in_seconds = again, "the cluster broke a pass off");
                    wait
                }
            };
            self.sleep(wait);
        }
    }

    /// A quarter of the shortest slot that prices are shown for; without any, no limit.
    fn quarter_slot(&self) -> Duration {
        self.shortest_slot.map_or(Duration::MAX, |seconds| Duration::from_secs(u64::from(seconds / 4)))
    }

    fn sleep(&self, wait: Duration) {
        let start = Instant::now();
        while start.elapsed() < wait && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK.min(wait));
        }
    }
}

/// Time until a second after the next UTC midnight, by this machine's clock.
fn until_midnight() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Duration::from_secs(DAY - now % DAY + 1)
}

/// Time until the first price that is ahead of the cluster's clock may be shown.
fn until_due(report: &Report) -> Duration {
    let ahead = report.feeds.iter().filter(|feed| feed.ahead_seconds > 0).map(|feed| feed.ahead_seconds).min();
    ahead.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.unsigned_abs()))
}

/// Something that is wrong for a while.
type Trouble = (&'static str, String);

/// What a service has told of, so that it tells what changes, and not the same in every pass.
#[derive(Default)]
struct Log {
    troubles: BTreeMap<Trouble, Told>,
    waiting: BTreeMap<(Kind, Pubkey, &'static str), (usize, u64)>,
}

struct Told {
    since: Instant,
    last: Instant,
}

impl Log {
    fn tell(&mut self, report: &Report, names: &Names) {
        if report.did_anything() || !report.skipped.is_empty() {
            tracing::info!(
                done = words(&report.done),
                by_others = report.done_by_others,
                transactions = report.transactions,
                lost = report.transactions_lost,
                compute_units = report.compute_units,
                fees = report.fees,
                rent = report.rent,
                skipped = report.skipped.len(),
                waiting = report.waiting.len(),
                "pass"
            );
        } else {
            tracing::debug!(waiting = report.waiting.len(), "nothing is due");
        }
        self.tell_troubles(report);
        self.tell_waiting(report, names);
    }

    fn tell_troubles(&mut self, report: &Report) {
        let mut now: BTreeMap<Trouble, String> = BTreeMap::new();
        for feed in &report.feeds {
            if let Some(complaint) = feed.complaint() {
                now.insert(("price", feed.feed.clone()), complaint);
            }
            if let Some(skew) = skew(feed) {
                now.insert(("clock", feed.feed.clone()), skew);
            }
        }
        for standing in &report.sources {
            for (trouble, why) in &standing.troubles {
                now.insert((trouble.name(), standing.who.clone()), format!("{}: {why}", standing.who));
            }
        }
        if let Some(why) = &report.price_error {
            now.insert(("price source", String::new()), why.clone());
        }
        for unknown in &report.unknown {
            let told = format!("{} ({}): {}", unknown.what, unknown.items, unknown.why);
            now.insert(("not known", unknown.what.to_owned()), told);
        }
        if report.out_of_budget {
            let told = "the budget of the hour is used up: nothing more is sent".to_owned();
            now.insert(("budget", String::new()), told);
        }
        if let Some(lamports) = report.payer_lamports.filter(|lamports| *lamports < LOW_BALANCE) {
            let told = format!("the wallet that pays has {lamports} lamports left: send SOL to it");
            now.insert(("payer", String::new()), told);
        }
        self.troubles.retain(|trouble, told| {
            let goes_on = now.contains_key(trouble);
            if !goes_on {
                let seconds = told.since.elapsed().as_secs();
                tracing::info!(trouble = trouble.0, of = trouble.1, seconds, "over: all is well again");
            }
            goes_on
        });
        for (trouble, text) in now {
            let moment = Instant::now();
            match self.troubles.get_mut(&trouble) {
                Some(told) if told.last.elapsed() < REMINDER => {}
                Some(told) => {
                    told.last = moment;
                    let seconds = told.since.elapsed().as_secs();
                    tracing::warn!(trouble = trouble.0, seconds, "still: {text}");
                }
                None => {
                    tracing::warn!(trouble = trouble.0, "{text}");
                    self.troubles.insert(trouble, Told { since: moment, last: moment });
                }
            }
        }
    }

    fn tell_waiting(&mut self, report: &Report, names: &Names) {
        let mut now: BTreeMap<(Kind, Pubkey, &'static str), (usize, u64)> = BTreeMap::new();
        for waiting in &report.waiting {
            let (items, amount) = now.entry((waiting.kind, waiting.pool, waiting.why)).or_default();
            *items += 1;
            *amount = amount.saturating_add(waiting.amount);
        }
        for (key, (items, amount)) in &now {
            if self.waiting.get(key) != Some(&(*items, *amount)) {
                let (kind, pool, why) = key;
                tracing::warn!(
                    kind = kind.name(),
                    pool = names.pool(pool),
                    items,
                    amount = (*amount > 0).then(|| names.amount(pool, *amount)),
                    why,
                    "waits for others"
                );
            }
        }
        for (kind, pool, why) in self.waiting.keys().filter(|key| !now.contains_key(*key)) {
            tracing::info!(kind = kind.name(), pool = names.pool(pool), why, "waits no longer");
        }
        self.waiting = now;
    }
}

/// How far prices are ahead of the cluster's clock, if they are.
fn skew(feed: &FeedState) -> Option<String> {
    let ahead = feed.ahead_seconds;
    (ahead > 0).then(|| {
        format!(
            "prices of feed {} are {ahead} s ahead of the cluster's clock: they are shown when they are due",
            feed.feed
        )
    })
}
