//! A crank as a service: passes at an interval until somebody stops it.

use crate::crank::limits::Delays;
use crate::crank::{Crank, Monitor};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a waiting service looks whether it should stop.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait after passes that a cluster broke off.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Seconds of a UTC day.
const DAY: u64 = 86_400;

impl Crank<'_> {
    /// Makes passes until the stop flag is set: at once again while there is something to do, else after `interval`,
    /// and at the turn of each UTC day. After a pass that the cluster broke off the wait doubles, to five minutes at
    /// most.
    pub fn serve(&mut self, interval: Duration, monitor: &Monitor) {
        let delays = Delays { first: interval, longest: LONGEST_WAIT.max(interval) };
        let mut failures = 0_u32;
        while !self.stopped() {
            let wait = match self.pass() {
                Ok(report) => {
                    failures = 0;
                    monitor.passed(&report);
                    if report.did_anything() || !report.skipped.is_empty() {
                        tracing::info!(
                            done = ?report.done,
                            by_others = report.done_by_others,
                            transactions = report.transactions,
                            compute_units = report.compute_units,
                            fees = report.fees,
                            skipped = report.skipped.len(),
                            waiting = report.waiting.len(),
                            "pass"
                        );
                    } else {
                        tracing::debug!(waiting = report.waiting.len(), "nothing is due");
                    }
                    let goes_on = report.did_anything() && !report.out_of_budget;
                    if goes_on { Duration::ZERO } else { interval.min(until_midnight()) }
                }
                Err(why) => {
                    failures = failures.saturating_add(1);
                    monitor.failed(&why.to_string());
                    tracing::error!(%why, failures, "the cluster broke a pass off");
                    delays.after(failures)
                }
            };
            self.sleep(wait);
        }
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
