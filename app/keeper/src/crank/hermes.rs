//! Signed prices from outside the chain: Pyth's Hermes service, or a file of what it answered.

use crate::crank::limits::Delays;
use crate::crank::plan::{Feed, can_be_posted};
use crate::crank::price::{Gap, PriceError, PriceSource, Print, Step, TIMEOUT, silence};
use crate::crank::pyth::{Poster, Update};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::units::hex_bytes;
use backstop_client::{redact, text_file};
use base64::Engine;
use serde::Deserialize;
use solana_sdk::signer::Signer;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ureq::Agent;

/// Most bytes of an answer.
const MOST_BYTES: u64 = 8 << 20;
/// Feeds that are asked for at once.
const FEEDS_AT_ONCE: usize = 50;
/// Moments of the past that are asked for in one pass.
const MOMENTS_A_PASS: usize = 8;
/// When a moment that was not answered is asked for again.
const ASKED_AGAIN: Delays = Delays { first: Duration::from_secs(60), longest: Duration::from_secs(1_800) };
/// Seconds for which an update that was ahead of the clock is kept after its time.
const EARLY_IS_KEPT: i64 = 900;
/// Seconds for which updates of the past are kept: no longer can a breach be shown.
const PAST_IS_KEPT: i64 = 2 * 86_400;
/// Longest that a service is left alone because it says so.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// What is read of Hermes' answer: updates in base64.
#[derive(Deserialize)]
struct Answer {
    binary: Binary,
}

#[derive(Deserialize)]
struct Binary {
    encoding: String,
    data: Vec<String>,
}

/// A Hermes service.
pub struct Hermes {
    url: String,
    key: Option<String>,
    agent: Agent,
    poster: Poster,
    /// The newest answer.
    latest: Vec<Update>,
    /// Of earlier answers, what was ahead of the clock.
    early: Vec<Update>,
    /// What was said of slots of which not enough was shown.
    past: Vec<Update>,
    /// Moments that were asked for, by feed.
    asked: HashMap<(i64, [u8; 32]), Asked>,
    /// It has asked to be left alone until then.
    rests: Option<Instant>,
}

/// What became of a question: how often it was asked in vain, and when again. None: it was answered.
type Asked = Option<(u32, Instant)>;

impl Hermes {
    /// A service by its base address, with an API key if it asks for one; `payer` pays for and owns the price accounts.
    pub fn new(url: &str, key: Option<String>, payer: &dyn Signer) -> Self {
        // A key goes to nobody but the host that was named: an answer that sends it elsewhere is told, not followed.
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            key,
            agent: config.into(),
            poster: Poster::new(payer),
            latest: Vec::new(),
            early: Vec::new(),
            past: Vec::new(),
            asked: HashMap::new(),
            rests: None,
        }
    }

    fn fetch(&mut self, path: &str, feeds: &[String]) -> Result<Vec<Update>, String> {
        if self.rests.is_some_and(|until| Instant::now() < until) {
            return Err("it has asked for fewer requests, and is left alone for a while (429)".into());
        }
        let mut updates = Vec::new();
        for feeds in feeds.chunks(FEEDS_AT_ONCE) {
            updates.extend(self.ask(path, feeds)?);
        }
        Ok(updates)
    }

    fn ask(&mut self, path: &str, feeds: &[String]) -> Result<Vec<Update>, String> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for feed in feeds {
            request = request.query("ids[]", feed);
        }
        request = request.query("encoding", "base64").query("ignore_invalid_price_ids", "true");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = request.call().map_err(|why| silence(&why))?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        match status {
            200 => {}
            300..=399 => {
                let to = header("location").map_or_else(|| "elsewhere".into(), |to| redact::url(&to));
                return Err(format!("it sends on to {to} ({status}), and nothing is sent there that was meant for it"));
            }
            401 | 403 if self.key.is_some() => return Err(format!("it refuses the key ({status})")),
            401 | 403 => return Err(format!("it asks for a key ({status})")),
            429 => {
                let rest = header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
                self.rests = rest.map(|rest| Instant::now() + rest.min(LONGEST_REST));
                return Err("it has had too many requests (429)".into());
            }
            404 => return Err("it has nothing there (404): is the address that of a Hermes service?".into()),
            _ => return Err(format!("it answers with status {status}")),
        }
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_string().map_err(|why| silence(&why))?;
        if body.trim_start().starts_with('<') {
            return Err("it answers with a web page, not with prices".into());
        }
        let answer: Answer =
            serde_json::from_str(&body).map_err(|_| "its answer is not as Hermes writes it".to_owned())?;
        if answer.binary.encoding != "base64" {
            return Err(format!("it answers in {}, not in base64", answer.binary.encoding));
        }
        let read: Vec<Result<Update, String>> = answer.binary.data.iter().map(|text| update_of(text)).collect();
        let (good, bad): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
        // One that cannot be read keeps no other back.
        match bad.into_iter().find_map(Result::err) {
            Some(why) if good.is_empty() => Err(why),
            why => {
                if let Some(why) = why {
                    tracing::warn!(source = redact::url(&self.url), why, "an update cannot be read");
                }
                Ok(good.into_iter().flatten().collect())
            }
        }
    }

    fn failure(&self, why: String) -> PriceError {
        PriceError::Service { url: redact::url(&self.url), why }
    }

    /// Takes the newest answer in, and keeps of the one before what was ahead of the clock.
    fn renew(&mut self, answer: Vec<Update>, now: i64) {
        let before = std::mem::replace(&mut self.latest, answer);
        self.early.extend(before.into_iter().filter(|update| update.newest().is_some_and(|time| time > now)));
        let latest = &self.latest;
        let still = |update: &Update| update.newest().is_some_and(|time| time > now - EARLY_IS_KEPT);
        self.early.retain(|update| still(update) && !latest.contains(update));
        let early = &self.early;
        let still = |update: &Update| update.newest().is_some_and(|time| time > now - PAST_IS_KEPT);
        self.past.retain(|update| still(update) && !latest.contains(update) && !early.contains(update));
    }

    fn updates(&self) -> Vec<Update> {
        [&self.latest, &self.early, &self.past].into_iter().flatten().cloned().collect()
    }
}

impl PriceSource for Hermes {
    fn prints(&mut self, _cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError> {
        let ids = ids(feeds.iter());
        let answer = if ids.is_empty() { Ok(Vec::new()) } else { self.fetch("/v2/updates/price/latest", &ids) };
        let answer = answer.map_err(|why| self.failure(why))?;
        self.renew(answer, now);
        Ok(self.kept())
    }

    fn past(&mut self, gaps: &[Gap], now: i64) -> Result<Vec<Print>, PriceError> {
        self.asked.retain(|(at, _), _| *at > now - PAST_IS_KEPT);
        let moment = Instant::now();
        let mut moments: BTreeMap<i64, Vec<Gap>> = BTreeMap::new();
        for gap in gaps {
            let is_due = match self.asked.get(&(gap.at, gap.feed.feed)) {
                None => true,
                Some(None) => false,
                Some(Some((_, again))) => *again <= moment,
            };
            if is_due {
                moments.entry(gap.at).or_default().push(*gap);
            }
        }
        let (mut found, mut failure) = (Vec::new(), None);
        for (at, gaps) in moments.into_iter().take(MOMENTS_A_PASS) {
            let ids = ids(gaps.iter().map(|gap| &gap.feed));
            let answer = self.fetch(&format!("/v2/updates/price/{at}"), &ids);
            let stop = answer.is_err();
            let updates = answer.unwrap_or_else(|why| {
                failure = Some(why);
                Vec::new()
            });
            for gap in gaps {
                let fits = |update: &&Update| {
                    let mut leaves = update.leaves.iter().filter(|leaf| leaf.feed == gap.feed.feed);
                    leaves.any(|leaf| (gap.from..gap.until).contains(&leaf.price.publish_time))
                };
                let fitting: Vec<Update> = updates.iter().filter(fits).cloned().collect();
                let key = (at, gap.feed.feed);
                let tries = self.asked.get(&key).copied().flatten().map_or(0, |(tries, _)| tries).saturating_add(1);
                let again = fitting.is_empty().then(|| (tries, moment + ASKED_AGAIN.after(tries)));
                self.asked.insert(key, again);
                for update in fitting {
                    if !self.updates().contains(&update) {
                        found.push(update.clone());
                        self.past.push(update);
                    }
                }
            }
            if stop {
                break;
            }
        }
        match failure {
            Some(why) if found.is_empty() => Err(self.failure(why)),
            _ => Ok(self.poster.prints(&found)),
        }
    }

    fn kept(&self) -> Vec<Print> {
        self.poster.prints(&self.updates())
    }

    fn posting(&self, cluster: &dyn Cluster, prints: &[Print]) -> Result<Vec<Step>, ClusterError> {
        self.poster.posting(cluster, &self.updates(), prints)
    }
}

/// The feeds that a Hermes service has, in hexadecimal, each once.
fn ids<'f>(feeds: impl Iterator<Item = &'f Feed>) -> Vec<String> {
    let ids: BTreeSet<String> = feeds.filter(|feed| can_be_posted(feed)).map(|feed| hex(&feed.feed)).collect();
    ids.into_iter().collect()
}

/// A file of signed updates in base64 or hex, one a line; it is read again for every pass.
pub struct SignedFile {
    path: PathBuf,
    poster: Poster,
    updates: Vec<Update>,
}

impl SignedFile {
    /// A file; `payer` pays for and owns the price accounts.
    pub fn new(path: PathBuf, payer: &dyn Signer) -> Self {
        Self { path, poster: Poster::new(payer), updates: Vec::new() }
    }

    /// Reads the file. A line that is wrong is told, and keeps no other back.
    fn read(&mut self) -> Result<(), String> {
        let text = text_file::read(&self.path).map_err(|why| why.to_string())?;
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut wrong = None;
        self.updates.clear();
        for (number, line) in lines {
            match update_of(line) {
                // The same update twice is posted once.
                Ok(update) if self.updates.contains(&update) => {}
                Ok(update) => self.updates.push(update),
                Err(why) => drop(wrong.get_or_insert_with(|| format!("line {}: {why}", number + 1))),
            }
        }
        wrong.map_or(Ok(()), Err)
    }
}

impl PriceSource for SignedFile {
    fn prints(&mut self, _cluster: &dyn Cluster, _feeds: &[Feed], _now: i64) -> Result<Vec<Print>, PriceError> {
        let read = self.read();
        read.map_err(|why| PriceError::File { path: self.path.display().to_string(), why })?;
        Ok(self.kept())
    }

    fn kept(&self) -> Vec<Print> {
        self.poster.prints(&self.updates)
    }

    fn posting(&self, cluster: &dyn Cluster, prints: &[Print]) -> Result<Vec<Step>, ClusterError> {
        self.poster.posting(cluster, &self.updates, prints)
    }
}

/// An update written as text: hex if it is all hex digits, else base64.
fn update_of(text: &str) -> Result<Update, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes = match hex_bytes(digits) {
        Some(bytes) => bytes,
        None => base64::engine::general_purpose::STANDARD.decode(text).map_err(|why| why.to_string())?,
    };
    Update::parse(&bytes).ok_or_else(|| "it is no signed price update".to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
