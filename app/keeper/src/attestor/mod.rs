//! An attestor as a service: one key that signs what its source says, one message a moment, and shows what it has signed.
//!
//! What may be signed is what the feed's definition allows ([`backstop_client::attest::definition`]), of the newest moment
//! that has been, by the cluster's clock and by this machine's, which must agree: neither a node that lies about the time
//! nor a machine whose clock is wrong makes it speak of what is to come, or date what it sees now. The key's log stands before every signature
//! ([`backstop_client::attest::log`]): it says nothing twice, and nothing new of what lies behind its end. So it can be
//! killed at any time, started again, and run twice on one log.
//!
//! A moment of which its source said nothing in time stays open, also while the attestor was down: it is asked for again for
//! two weeks, if the source can be asked of a moment, or tells of which time it speaks.
//!
//! Of losses it signs what its source says, by the source's own moment; where it says none there is nothing to sign.

mod board;
mod source;

pub(crate) use board::METRICS_TYPE;
pub use board::{Board, KEPT};
pub use source::{Origin, Source, SourceError, TIMEOUT};

use anchor_lang::prelude::Pubkey;
use backstop::peril::feed::OracleError;
use backstop::peril::feed::attested::{CLUSTER_BYTES, Report, ReportError, ReportKind};
use backstop::peril::reading::REPORT_WINDOW;
use backstop::state::AttestorSet;
use backstop_client::account::{self, AccountError};
use backstop_client::attest::definition::{Definition, ValueError};
use backstop_client::attest::log::{Log, Stream};
use backstop_client::attest::{self, AttestError};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::explain::explain;
use solana_sdk::signer::{Signer, SignerError};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a moment is tried of which nothing was signed: as long as a reading takes reports.
const OPEN_SECONDS: i64 = REPORT_WINDOW;
/// Most moments that are tried, the newest.
const MOST_OPEN: usize = 512;
/// Seconds until an open moment is tried after another was in vain.
const AGAIN: i64 = 30;
/// How often a waiting attestor looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);
/// What is wrong is told when it begins and ends, and so often in between.
const REMINDER: Duration = Duration::from_secs(600);

/// Why an attestor signs nothing now.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The cluster does not answer.
    #[error("the cluster does not tell the time, or who may sign: {}", explain(.0).sentence)]
    Cluster(#[from] ClusterError),
    /// The set is not there, or something else is.
    #[error(transparent)]
    Set(#[from] AccountError),
    /// The set is for reports on another cluster.
    #[error("the attestors {0} are those of another cluster")]
    OtherCluster(Pubkey),
    /// The key is none of the set's.
    #[error("{key} is none of the keys that may sign for {set}")]
    Stranger {
        /// The key.
        key: Pubkey,
        /// The set.
        set: Pubkey,
    },
    /// The key is revoked.
    #[error("{0} is revoked: it signs no more")]
    Revoked(Pubkey),
    /// Too few keys are left.
    #[error("the attestors {0} are too few to report: nothing that they sign counts")]
    Dead(Pubkey),
    /// The cluster's clock and this machine's say different things: a node that lies about the time, or is far behind,
    /// would have it date what its source says now.
    #[error(
        "the cluster's clock is {apart} s away from this machine's, and {allowed} s is the most: on a local cluster whose \
         clock was moved --clock-skew allows more"
    )]
    Clocks {
        /// How far, in seconds.
        apart: u64,
        /// How far it may be.
        allowed: u64,
    },
    /// The clock has gone back.
    #[error("it is {moment} by the clock, and something was signed of {newest}: nothing new is, until that is past")]
    Back {
        /// The newest moment by the clock, unix seconds.
        moment: i64,
        /// The newest of which something was signed.
        newest: i64,
    },
    /// The source gives no value.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The value is none that may be signed.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The program would refuse the report.
    #[error("the program would refuse it: {0:?}")]
    Program(OracleError),
    /// The program would refuse the loss.
    #[error("the program would refuse it: {0:?}")]
    Loss(ReportError),
    /// The log refuses, or cannot be used.
    #[error(transparent)]
    Log(AttestError),
    /// The key does not sign.
    #[error(transparent)]
    Key(#[from] SignerError),
}

impl From<AttestError> for Refusal {
    fn from(error: AttestError) -> Self {
        match error {
            AttestError::Signer(why) => Self::Key(why),
            AttestError::Behind { moment, newest } => Self::Back { moment, newest },
            other => Self::Log(other),
        }
    }
}

impl Refusal {
    /// In a word, for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Set(_) | Self::OtherCluster(_) | Self::Stranger { .. } => "set",
            Self::Revoked(_) => "revoked",
            Self::Dead(_) => "dead",
            Self::Back { .. } | Self::Clocks { .. } => "clock",
            Self::Source(_) => "source",
            Self::Value(ValueError::Stale { .. } | ValueError::Later { .. }) => "stale",
            Self::Value(_) | Self::Program(_) | Self::Loss(_) => "bounds",
            Self::Log(_) => "log",
            Self::Key(_) => "key",
        }
    }
}

/// What an attestor is made of.
pub struct Setup<'a> {
    /// The cluster that its reports are for.
    pub cluster: &'a dyn Cluster,
    /// Its key.
    pub key: &'a dyn Signer,
    /// The set that the key is one of.
    pub set: Pubkey,
    /// The text of the feed's definition.
    pub definition: &'a [u8],
    /// The definition, as it is read.
    pub terms: Definition,
    /// Where values come from.
    pub source: Source,
    /// Seconds by which the cluster's clock and this machine's may differ.
    pub skew: u64,
}

/// An attestor at work.
pub struct Attestor<'a> {
    cluster: &'a dyn Cluster,
    key: &'a dyn Signer,
    own: Pubkey,
    set: Pubkey,
    genesis: [u8; CLUSTER_BYTES],
    terms: Definition,
    source: Source,
    skew: u64,
    log: Log,
    board: Arc<Board>,
    clock: Box<dyn Fn() -> i64 + 'a>,
    /// The newest moment that it has looked at, or that its log ended with.
    seen: Option<i64>,
    /// Moments before that of which nothing was signed.
    open: BTreeSet<i64>,
    /// The open moment that was tried last, and when, by both clocks.
    tried: Option<(i64, i64)>,
    /// When its source last said something of losses, by this machine's clock.
    heard: i64,
}

impl<'a> Attestor<'a> {
    /// An attestor that goes on where its log ends: what stands there of its feed is signed anew, word by word, and shown.
    ///
    /// The log must be there: a name that is mistyped is not a key that has said nothing. Errors: what would keep it from
    /// ever signing.
    pub fn new(setup: Setup<'a>, log: &Path, patience: Duration) -> Result<Self, Refusal> {
        let Setup { cluster, key, set, definition, terms, source, skew } = setup;
        let (own, genesis) = (key.try_pubkey()?, attest::cluster_of(cluster.genesis_hash()?));
        let mut log = Log::open(log)?;
        log.claim(&own)?;
        let board = Arc::new(Board::new(definition.to_vec(), patience));
        let clock = Box::new(machine_time);
        let (seen, open, tried, heard) = (None, BTreeSet::new(), None, machine_time());
        let mut attestor =
            Self { cluster, key, own, set, genesis, terms, source, skew, log, board, clock, seen, open, tried, heard };
        attestor.may_sign()?;
        let latest = attestor.log.latest(&attestor.stream(), KEPT);
        attestor.seen = latest.last().map(|report| report.observed_at);
        for report in latest {
            attestor.board.show(&attest::signed(&report, key)?);
        }
        Ok(attestor)
    }

    /// What it shows.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Takes another clock for this machine's.
    pub fn with_clock(mut self, clock: impl Fn() -> i64 + 'a) -> Self {
        self.clock = Box::new(clock);
        self
    }

    fn stream(&self) -> Stream {
        Stream::of(&self.report(0, 0))
    }

    fn report(&self, value: i64, observed_at: i64) -> Report {
        Report {
            cluster: self.genesis,
            set: self.set,
            feed: self.terms.feed,
            kind: self.terms.kind,
            exponent: self.terms.report_exponent(),
            value,
            confidence: self.terms.confidence,
            observed_at,
        }
    }

    /// Whether what the key signs counts.
    fn may_sign(&self) -> Result<(), Refusal> {
        let (key, set) = (self.own, self.set);
        let state: AttestorSet = account::fetch(self.cluster, &set)?;
        if state.cluster != self.genesis {
            return Err(Refusal::OtherCluster(set));
        }
        let place = state.attestors().iter().position(|known| *known == key);
        let place = place.ok_or(Refusal::Stranger { key, set })?;
        if state.revoked & (1 << place) != 0 {
            return Err(Refusal::Revoked(key));
        }
        if !state.is_alive() {
            return Err(Refusal::Dead(set));
        }
        Ok(())
    }

    /// Looks at the clock, and where a moment has come of which nothing was signed, at the source; of losses always at the
    /// source. Says what was signed.
    ///
    /// Errors: why nothing was. What it has signed it shows on, and the moment is tried again.
    pub fn look(&mut self) -> Result<Option<Report>, Refusal> {
        let (theirs, own) = (self.cluster.now()?, (self.clock)());
        let (apart, allowed) = (theirs.abs_diff(own), self.skew);
        if apart > allowed {
            return Err(Refusal::Clocks { apart, allowed });
        }
        let now = theirs.min(own);
        if self.terms.kind == ReportKind::Event {
            let looked = self.look_for_loss(now);
            if looked.is_ok() {
                self.heard = own;
            }
            return looked;
        }
        let moment = self.terms.moment(now);
        self.leave_open(moment);
        match self.log.newest(&self.stream()) {
            // Another with this log may have said it.
            Some(newest) if newest.observed_at == moment => {
                if !self.board.has(moment) {
                    self.board.show(&attest::signed(&newest, self.key)?);
                }
                return Ok(self.try_open(now));
            }
            Some(newest) if newest.observed_at > moment => {
                return Err(Refusal::Back { moment, newest: newest.observed_at });
            }
            _ => {}
        }
        self.may_sign()?;
        let reading = self.source.read(moment)?;
        let report = self.report(self.terms.value(&reading, moment)?, moment);
        // A zero is for readings alone, which take every value that their definition allows.
        if report.value != 0 {
            report.observation(moment).map_err(Refusal::Program)?;
        }
        self.log.remember_next(&report)?;
        self.show(&report)?;
        Ok(Some(report))
    }

    /// Signs what the source says was lost, by the source's moment.
    fn look_for_loss(&mut self, now: i64) -> Result<Option<Report>, Refusal> {
        let reading = self.source.read(self.terms.moment(now))?;
        let lost = match (self.terms.value(&reading, now), reading.at) {
            (Err(ValueError::NoLoss { .. }), _) => return Ok(None),
            // What was signed in its time stays the source's word.
            (Err(ValueError::Stale { .. }), Some(at))
                if self.log.of(&self.stream(), self.terms.moment(at)).is_some() =>
            {
                return Ok(None);
            }
            (lost, _) => lost?,
        };
        let moment = self.terms.moment(reading.at.ok_or(ValueError::NoMoment)?);
        let report = self.report(lost, moment);
        report.loss_bps().map_err(Refusal::Loss)?;
        if self.log.of(&self.stream(), moment) == Some(report) {
            if !self.board.has(moment) {
                self.board.show(&attest::signed(&report, self.key)?);
            }
            return Ok(None);
        }
        self.may_sign()?;
        self.log.remember(&report)?;
        self.show(&report)?;
        Ok(Some(report))
    }

    /// Shows a report that stands in the log.
    fn show(&self, report: &Report) -> Result<(), Refusal> {
        self.board.show(&attest::signed(report, self.key)?);
        self.board.counts();
        Ok(())
    }

    /// Notes the moments that lie between the newest that it has looked at and this one, with that one: what was not signed of
    /// them yet is tried again. Nothing of what lies behind the end of the log with which it began is among them.
    fn leave_open(&mut self, moment: i64) {
        let Some(seen) = self.seen.filter(|seen| *seen < moment) else {
            self.seen = self.seen.max(Some(moment));
            return;
        };
        let every = self.terms.every;
        let first = seen.max(moment.saturating_sub(OPEN_SECONDS));
        let mut earlier = moment.saturating_sub(every);
        while earlier >= first && self.open.len() < MOST_OPEN.saturating_mul(2) {
            self.open.insert(earlier);
            earlier = earlier.saturating_sub(every);
        }
        self.seen = Some(moment);
        self.open.retain(|open| *open >= moment.saturating_sub(OPEN_SECONDS));
        while self.open.len() > MOST_OPEN {
            self.open.pop_first();
        }
    }

    /// Tries one of the open moments, if none was tried in vain just before. Failures are no trouble: it is tried again.
    fn try_open(&mut self, now: i64) -> Option<Report> {
        let stream = self.stream();
        let log = &self.log;
        self.open.retain(|moment| log.of(&stream, *moment).is_none());
        let last = match self.tried {
            Some((_, at)) if now.saturating_sub(at) < AGAIN => return None,
            Some((moment, _)) => moment,
            None => i64::MIN,
        };
        let next = self.open.range(last.saturating_add(1)..).next().or_else(|| self.open.first());
        let moment = *next?;
        match self.sign_open(moment) {
            Ok(report) => {
                self.open.remove(&moment);
                self.tried = None;
                Some(report)
            }
            Err(why) => {
                tracing::debug!(moment, "nothing is signed of an earlier moment: {why}");
                self.tried = Some((moment, now));
                None
            }
        }
    }

    fn sign_open(&mut self, moment: i64) -> Result<Report, Refusal> {
        self.may_sign()?;
        let reading = self.source.read(moment)?;
        // What a source says without a time is of now, unless it was asked of a moment.
        if reading.at.is_none() && !self.source.is_asked_of_a_moment() {
            return Err(Refusal::Value(ValueError::NoMoment));
        }
        let report = self.report(self.terms.value(&reading, moment)?, moment);
        if report.value != 0 {
            report.observation(moment).map_err(Refusal::Program)?;
        }
        self.log.remember(&report)?;
        self.show(&report)?;
        Ok(report)
    }

    /// Looks at an interval, until the flag is set.
    pub fn serve(&mut self, interval: Duration, stop: &AtomicBool) {
        let mut trouble = None::<(String, Instant)>;
        while !stop.load(Ordering::Relaxed) {
            let looked = self.look();
            let told = match &looked {
                Ok(Some(report)) => {
                    let (value, at) = (report.value, report.observed_at);
                    tracing::info!(value, exponent = report.exponent, at, "signed");
                    None
                }
                Ok(None) => None,
                Err(why) => {
                    self.board.refuses(why);
                    Some(why.to_string())
                }
            };
            // What is tried again within its moment is no trouble yet: sources are late.
            self.board.looked(told.clone().filter(|_| self.misses()));
            match (told, &mut trouble) {
                (Some(told), Some((before, last))) if told == *before && last.elapsed() < REMINDER => {}
                (Some(told), trouble) => {
                    tracing::warn!("nothing is signed: {told}");
                    *trouble = Some((told, Instant::now()));
                }
                (None, trouble) => {
                    if trouble.take().is_some() {
                        tracing::info!("over: all is well again");
                    }
                }
            }
            let begun = Instant::now();
            while begun.elapsed() < interval && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK.min(interval));
            }
        }
    }

    /// Whether a whole moment went by without a signature, by this machine's clock; of losses, without a word of the source.
    fn misses(&self) -> bool {
        if self.terms.kind == ReportKind::Event {
            return (self.clock)().saturating_sub(self.heard) > self.terms.every;
        }
        let newest = self.log.newest(&self.stream()).map_or(0, |report| report.observed_at);
        self.terms.moment((self.clock)()).saturating_sub(newest) > self.terms.every
    }
}

/// Unix seconds by this machine's clock.
fn machine_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
