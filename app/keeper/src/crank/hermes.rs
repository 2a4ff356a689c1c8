//! Signed prices from outside the chain: Pyth's Hermes service, or a file of what it answered.

use crate::crank::plan::{Feed, can_be_posted};
use crate::crank::price::{PriceError, PriceSource, Print, Step};
use crate::crank::pyth::{Poster, Update};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::units::hex_bytes;
use backstop_client::{redact, text_file};
use base64::Engine;
use serde::Deserialize;
use solana_sdk::signer::Signer;
use std::path::PathBuf;
use std::time::Duration;
use ureq::Agent;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

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
    updates: Vec<Update>,
}

impl Hermes {
    /// A service by its base address, with an API key if it asks for one; `payer` pays for and owns the price accounts.
    pub fn new(url: &str, key: Option<String>, payer: &dyn Signer) -> Self {
        let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).build();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            key,
            agent: config.into(),
            poster: Poster::new(payer),
            updates: Vec::new(),
        }
    }

    /// The service without what may hold a secret.
    fn host(&self) -> String {
        redact::url(&self.url)
    }

    fn fetch(&self, feeds: &[String]) -> Result<Vec<Update>, String> {
        let mut request = self.agent.get(format!("{}/v2/updates/price/latest", self.url));
        for feed in feeds {
            request = request.query("ids[]", feed);
        }
        request = request.query("encoding", "base64").query("ignore_invalid_price_ids", "true");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let why = |why: ureq::Error| redact::text(&why.to_string()).into_owned();
        let mut response = request.call().map_err(why)?;
        let answer: Answer = response.body_mut().read_json().map_err(why)?;
        if answer.binary.encoding != "base64" {
            return Err(format!("it answers in {}, not in base64", answer.binary.encoding));
        }
        answer.binary.data.iter().map(|text| update_of(text)).collect()
    }
}

impl PriceSource for Hermes {
    fn prints(&mut self, _cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError> {
        let ids: Vec<String> = feeds.iter().filter(|feed| can_be_posted(feed)).map(|feed| hex(&feed.feed)).collect();
        self.updates = if ids.is_empty() {
            Vec::new()
        } else {
            self.fetch(&ids).map_err(|why| PriceError::Service { url: self.host(), why })?
        };
        Ok(self.poster.prints(&self.updates, now))
    }

    fn posting(&self, cluster: &dyn Cluster, prints: &[Print]) -> Result<Vec<Step>, ClusterError> {
        self.poster.posting(cluster, &self.updates, prints)
    }
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

    fn read(&self) -> Result<Vec<Update>, String> {
        let text = text_file::read(&self.path).map_err(|why| why.to_string())?;
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        lines.map(|(number, line)| update_of(line).map_err(|why| format!("line {}: {why}", number + 1))).collect()
    }
}

impl PriceSource for SignedFile {
    fn prints(&mut self, _cluster: &dyn Cluster, _feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError> {
        let file = |why| PriceError::File { path: self.path.display().to_string(), why };
        self.updates = self.read().map_err(file)?;
        Ok(self.poster.prints(&self.updates, now))
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
