//! What an attestor shows: what it has signed lately, its feed's definition, and how it stands. Nothing else, and no key.

use crate::attestor::Refusal;
use crate::crank::Health;
use crate::http::{Answer, Question, Server};
use backstop_client::attest::{SignedReport, Verified};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many signed reports are kept to be shown, the newest.
pub const KEPT: usize = 1_024;
/// What Prometheus expects of an answer in its text format.
pub(crate) const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

/// What is shown, and counted.
pub struct Board {
    definition: Vec<u8>,
    signed: Mutex<BTreeMap<i64, SignedReport>>,
    health: Health,
    registry: Registry,
    count: Counter,
    refused: Family<WhyLabel, Counter>,
    newest: Gauge,
}

impl Board {
    /// Nothing was signed yet. Whoever does not look for so long is dead.
    pub fn new(definition: Vec<u8>, patience: Duration) -> Self {
        let mut registry = Registry::with_prefix("backstop_attestor");
        let (count, refused, newest) = (Counter::default(), Family::default(), Gauge::default());
        registry.register("signed", "Reports signed since the start", count.clone());
        registry.register("refused", "Looks at the source that came to no signature, by why", Family::clone(&refused));
        registry.register("newest_moment_seconds", "Newest moment of which something was signed", newest.clone());
        let health = Health::with_patience(patience);
        Self { definition, signed: Mutex::default(), health, registry, count, refused, newest }
    }

    fn signed(&self) -> MutexGuard<'_, BTreeMap<i64, SignedReport>> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a signed report.
    pub(super) fn show(&self, signed: &Verified) {
        let mut shown = self.signed();
        shown.insert(signed.report.observed_at, signed.to_file());
        while shown.len() > KEPT {
            shown.pop_first();
        }
        self.newest.set(shown.last_key_value().map_or(0, |(at, _)| *at));
    }

    /// Whether something of a moment is shown.
    pub(super) fn has(&self, moment: i64) -> bool {
        self.signed().contains_key(&moment)
    }

    pub(super) fn counts(&self) {
        self.count.inc();
    }

    pub(super) fn refuses(&self, why: &Refusal) {
        self.refused.get_or_create(&WhyLabel { why: why.kind() }).inc();
    }

    /// It has looked, and this is wrong.
    pub(super) fn looked(&self, complaint: Option<String>) {
        self.health.passed(complaint.into_iter().collect());
    }

    /// What is answered. `/signed` takes `since`, a moment in unix seconds: what is of earlier ones is left out.
    pub fn answer(&self, question: &Question) -> Answer {
        match question.path {
            "/signed" => {
                let since = question.part("since").map_or(Some(i64::MIN), |since| since.parse().ok());
                let Some(since) = since else { return Answer::text(400, "since is a moment in unix seconds\n") };
                let newest_first: Vec<SignedReport> =
                    self.signed().range(since..).rev().map(|(_, s)| s.clone()).collect();
                match serde_json::to_vec(&newest_first) {
                    Ok(body) => Answer { status: 200, kind: "application/json", body },
                    Err(why) => Answer::text(500, format!("{why}\n")),
                }
            }
            "/definition" => Answer { status: 200, kind: "text/plain; charset=utf-8", body: self.definition.clone() },
            "/metrics" => {
                let mut text = String::new();
                // Writing to a string does not fail.
                let _ = encode(&mut text, &self.registry);
                Answer { status: 200, kind: METRICS_TYPE, body: text.into_bytes() }
            }
            "/live" => Answer::verdict(self.health.dead()),
            "/ready" => Answer::verdict(self.health.unready()),
            "/health" => Answer::verdict(self.health.complaint()),
            _ => Answer::text(404, "there are /signed, /definition, /metrics, /live, /ready and /health\n"),
        }
    }

    /// Serves it. The server ends with the value.
    ///
    /// Errors: the address cannot be listened on.
    pub fn serve(self: &Arc<Self>, address: SocketAddr) -> Result<Server, String> {
        let board = self.clone();
        Server::start(address, move |question| board.answer(question))
    }
}
