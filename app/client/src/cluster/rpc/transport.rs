//! JSON-RPC over HTTP: one request, one answer, and what came instead told apart.
//!
//! A request runs in a thread of its own, so that whoever waits for it can be told that it takes long, can be stopped,
//! and is never held beyond its limit, whatever the other side does.

use super::address::{is_local, secrets_of, tidy};
use crate::cluster::{ClusterError, Reason, Refusal, Silence};
use crate::redact;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// How long answers may take, and how often what reads is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest wait for an answer.
    pub answer: Duration,
    /// Longest wait for a list of accounts, which may be long.
    pub list: Duration,
    /// After how long whoever watches is told that an answer is waited for.
    pub notice: Duration,
    /// How often at most a request that reads is made, if its failure may pass.
    pub attempts: u32,
    /// Longest wait before a request is made again.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            list: Duration::from_secs(60),
            notice: Duration::from_secs(3),
            attempts: 3,
            pause: Duration::from_secs(4),
        }
    }
}

/// How long a request that is under way is still waited for after somebody asked to stop.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody asked to stop.
const LOOK: Duration = Duration::from_millis(100);
/// The wait before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Most bytes of an answer. The accounts of a program can be many.
const MOST_BYTES: u64 = 1 << 30;
/// A node's error codes for "ask me later": behind, block not there yet, not yet at the slot that was asked for.
const LATER: [i64; 3] = [-32005, -32004, -32016];

/// Who is told that an answer takes long, by the host that is waited for.
pub type Watcher = Arc<dyn Fn(&str) + Send + Sync>;

/// A node's address and the connections to it.
pub(super) struct Transport {
    agent: Agent,
    url: String,
    host: String,
    secrets: Vec<String>,
    pub limits: Limits,
    pub watcher: Option<Watcher>,
    pub stop: Option<Arc<AtomicBool>>,
}

/// How a request may be dealt with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It reads something short.
    Read,
    /// It reads a list.
    List,
    /// It hands something in: whoever calls repeats it.
    Write,
}

/// What came over HTTP.
struct Received {
    status: u16,
    retry_after: Option<Duration>,
    location: Option<String>,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

/// Why a request has no answer, before anybody decides whether to ask again.
enum Failure {
    Silence(Reason),
    Error(RpcError),
}

impl Transport {
    pub fn new(url: &str) -> Self {
        let mut config = Agent::config_builder()
            // A redirect takes the URL's key, or a header's, to whoever it names.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")));
        if is_local(url) {
            config = config.proxy(None);
        }
        Self {
            agent: config.build().into(),
            url: url.to_owned(),
            host: redact::url(url),
            secrets: secrets_of(url),
            limits: Limits::default(),
            watcher: None,
            stop: None,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Asks, again if that may help, and reads the answer.
    pub fn ask<T: DeserializeOwned>(&self, kind: Kind, method: &str, parameters: Value) -> Result<T, ClusterError> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters }).to_string();
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let failure = match self.attempt(kind, &body) {
                Ok(received) => match self.read(method, &received) {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => failure,
                },
                Err(reason) => Failure::Silence(reason),
            };
            let reason = match failure {
                Failure::Error(error) => return Err(self.refusal(method, error)),
                Failure::Silence(reason) => reason,
            };
            let wait = match reason {
                Reason::TooMany { wait: Some(wait) } => wait,
                Reason::TooMany { wait: None } => pause * 2,
                _ => pause,
            };
            let again = kind != Kind::Write && reason.is_passing() && attempt < self.limits.attempts;
            if !again || wait > self.limits.pause || !self.pause(wait) {
                return Err(Silence { host: self.host.clone(), reason }.into());
            }
            pause = (pause * 2).min(self.limits.pause);
        }
        unreachable!("the last attempt returns")
    }

    /// Waits. Says whether nobody asked to stop.
    fn pause(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        while !self.is_stopped() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(LOOK));
        }
        false
    }

    fn attempt(&self, kind: Kind, body: &str) -> Result<Received, Reason> {
        let limit = if kind == Kind::List { self.limits.list } else { self.limits.answer };
        let (agent, url, body) = (self.agent.clone(), self.url.clone(), body.to_owned());
        let (sender, receiver) = sync_channel(1);
        thread::spawn(move || {
            // Whoever asked may have given up.
            let _ = sender.send(post(&agent, &url, &body, limit));
        });
        let begun = Instant::now();
        let (mut noticed, mut stopped) = (false, None::<Instant>);
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(received) => return received,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Reason::Network { why: "the request ended without a word".into() });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if begun.elapsed() >= limit + LOOK {
                return Err(Reason::Late { after: limit });
            }
            if self.is_stopped() && stopped.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                return Err(Reason::Stopped);
            }
            if let Some(watcher) = self.watcher.as_ref().filter(|_| !noticed && begun.elapsed() >= self.limits.notice) {
                noticed = true;
                watcher(&self.host);
            }
        }
    }

    /// What an HTTP answer means.
    fn read<T: DeserializeOwned>(&self, method: &str, received: &Received) -> Result<T, Failure> {
        let status = received.status;
        let parsed = serde_json::from_slice::<Envelope>(&received.body);
        let reason = match (status, parsed) {
            (300..=399, _) => {
                let to = received
                    .location
                    .as_deref()
                    .map(|to| if to.contains("://") { redact::url(to) } else { self.host.clone() });
                Reason::Elsewhere { to: to.unwrap_or_else(|| "another address".into()) }
            }
            (401 | 403, parsed) => {
                let says = parsed.ok().and_then(|envelope| envelope.error).map(|error| error.message);
                Reason::Key { status, says: tidy(&says.unwrap_or_default(), &self.secrets) }
            }
            (429, _) => Reason::TooMany { wait: received.retry_after },
            (404, Err(_)) => Reason::NotFound,
            (500.., Err(_)) => Reason::OutOfOrder { status },
            (_, Ok(Envelope { error: Some(error), .. })) => return Err(self.sort(error, received)),
            (200..=299, Ok(Envelope { result, .. })) => {
                let result = result.map_or("null", RawValue::get);
                return serde_json::from_str(result)
                    .map_err(|_| Failure::Silence(Reason::Unreadable { method: method.to_owned() }));
            }
            (404, _) => Reason::NotFound,
            (500.., _) => Reason::OutOfOrder { status },
            (200..=299, Err(_)) if is_page(&received.body) => Reason::NotJson,
            (200..=299, Err(why)) if why.is_eof() => Reason::BrokenOff,
            (200..=299, Err(_)) => Reason::Unreadable { method: method.to_owned() },
            _ => Reason::Status { status },
        };
        Err(Failure::Silence(reason))
    }

    /// Errors of the protocol that say "later" are silence.
    fn sort(&self, error: RpcError, received: &Received) -> Failure {
        let message = error.message.to_ascii_lowercase();
        let too_many = ["too many requests", "rate limit", "limit exceeded", "requests per second"];
        if matches!(error.code, 429 | -32429) || too_many.iter().any(|words| message.contains(words)) {
            return Failure::Silence(Reason::TooMany { wait: received.retry_after });
        }
        if LATER.contains(&error.code) {
            return Failure::Silence(Reason::Behind { says: tidy(&error.message, &self.secrets) });
        }
        Failure::Error(error)
    }

    fn refusal(&self, method: &str, error: RpcError) -> ClusterError {
        // A refusal after a simulation holds the transaction's own failure.
        if let Some(failed) = super::wire::failure_in(&error.data) {
            return failed;
        }
        let says = match tidy(&error.message, &self.secrets) {
            says if says.is_empty() => "it does not say why".to_owned(),
            says => says,
        };
        Refusal { host: self.host.clone(), method: method.to_owned(), code: error.code, says }.into()
    }
}

fn post(agent: &Agent, url: &str, body: &str, limit: Duration) -> Result<Received, Reason> {
    let request = agent.post(url).header("Content-Type", "application/json");
    let request = request.config().timeout_global(Some(limit)).build();
    let mut response = request.send(body).map_err(|why| reason(why, limit))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let retry_after = header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let (status, location) = (response.status().as_u16(), header("location"));
    let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(|why| reason(why, limit))?;
    Ok(Received { status, retry_after, location, body })
}

/// Why HTTP failed.
fn reason(error: ureq::Error, limit: Duration) -> Reason {
    use ureq::Error as E;
    let other = |why: String| Reason::Network { why: tidy(&why, &[]) };
    match error {
        E::Timeout(_) => Reason::Late { after: limit },
        E::HostNotFound => Reason::NoSuchHost,
        E::Io(why) => match why.kind() {
            ErrorKind::ConnectionRefused => Reason::NobodyListens,
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => Reason::BrokenOff,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Reason::Late { after: limit },
            ErrorKind::InvalidData => Reason::Insecure { why: tidy(&why.to_string(), &[]) },
            _ if why.to_string().starts_with("failed to lookup address") => Reason::NoSuchHost,
            _ => other(why.to_string()),
        },
        E::Rustls(why) => Reason::Insecure { why: tidy(&why.to_string(), &[]) },
        E::Tls(why) => Reason::Insecure { why: why.to_owned() },
        E::Protocol(_) => Reason::BrokenOff,
        E::BadUri(_) | E::Http(_) => other("the URL cannot be used".into()),
        E::BodyExceedsLimit(_) => other("the answer is too long".into()),
        E::ConnectionFailed => other("the connection fails".into()),
        E::InvalidProxyUrl => other("the proxy of the environment cannot be used".into()),
        why => other(why.to_string()),
    }
}

/// Whether a text is a page for people, or nothing at all.
fn is_page(body: &[u8]) -> bool {
    !matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}
