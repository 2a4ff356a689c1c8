//! Where prices come from.

use crate::crank::plan::Feed;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::peril::feed::attested::{Report, ReportKind};
use backstop::peril::feed::{self, MAX_AHEAD_SECONDS, Observation, Source};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::price_account::standing_account;
use serde::Serialize;
use solana_sdk::signature::Keypair;
use std::time::Duration;

/// Why a source gave no prices.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The cluster did not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A file could not be read.
    #[error("the price file {path} cannot be read: {why}")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// A service did not answer as it should.
    #[error("{url} gives no prices: {why}")]
    Service {
        /// The address, without the key.
        url: String,
        /// What went wrong.
        why: String,
    },
}

/// A price that can be shown to triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// [`Source`] as a number.
    pub source: u8,
    /// Its feed.
    pub feed: [u8; 32],
    /// The account that holds it, or will once it is posted; for a report the set of its attestors.
    pub account: Pubkey,
    /// What it says; of a loss the part that is lost, in 1e-8. For a print that is not posted yet this is what the service
    /// claims: the receiver checks it.
    pub observation: Observation,
    /// The report that it is, if it is one.
    pub attested: Option<Box<Attested>>,
}

/// A report, with as many signatures as it takes to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// What was signed.
    pub report: Report,
    /// Who signed it.
    pub signers: Vec<(Pubkey, [u8; 64])>,
}

impl Print {
    /// Whether the program would take it at this time: it takes none from the future, but for some seconds by which
    /// clocks differ, and no report before its moment.
    pub fn is_due(&self, now: i64) -> bool {
        self.ahead(now) <= if self.attested.is_some() { 0 } else { MAX_AHEAD_SECONDS }
    }

    /// Whether a trigger that listens to this feed takes it.
    pub fn is_of(&self, feed: &Feed) -> bool {
        let of_set = self.attested.is_none() || self.account == feed.attestors;
        self.source == feed.source && self.feed == feed.feed && of_set
    }

    /// Whether it is a report of a loss: a second key, and no price.
    pub fn is_loss(&self) -> bool {
        self.attested.as_ref().is_some_and(|attested| attested.report.kind == ReportKind::Event)
    }

    /// Seconds by which it is ahead of a clock; below zero if it is not.
    pub fn ahead(&self, now: i64) -> i64 {
        self.observation.publish_time.saturating_sub(now)
    }

    /// Which print it is.
    pub fn key(&self) -> PrintKey {
        let Observation { price, confidence, publish_time } = self.observation;
        PrintKey { feed: self.feed, account: self.account, publish_time, price, confidence }
    }
}

/// Which print it is, in every pass the same: what is known of one that failed says nothing about the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrintKey {
    /// Its feed.
    pub feed: [u8; 32],
    /// The account that holds it, or will.
    pub account: Pubkey,
    /// When it was published, unix seconds.
    pub publish_time: i64,
    /// What it says: attestors can sign two things of a moment.
    pub price: u64,
    /// How far that may be off.
    pub confidence: u64,
}

/// A moment of a slot of a trigger's evidence of which not enough was shown, though it still can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// First second of the slot, unix seconds.
    pub from: i64,
    /// First second after it.
    pub until: i64,
    /// The moment whose price is asked for.
    pub at: i64,
    /// The feed.
    pub feed: Feed,
}

impl Gap {
    /// Two moments of a slot that lie far enough apart for their prices to count together: after a quarter of it, and
    /// after three.
    pub fn of(from: i64, until: i64, feed: Feed) -> [Self; 2] {
        let quarter = (until - from) / 4;
        [from + quarter, until - quarter].map(|at| Self { from, until, at, feed })
    }
}

/// One transaction of a posting.
pub struct Step {
    /// What it does.
    pub instructions: Vec<Instruction>,
    /// Who signs beside the payer.
    pub signers: Vec<Keypair>,
    /// Bytes of accounts that it creates at the crank's expense and does not close again.
    pub creates: Vec<usize>,
}

/// A source of prices.
pub trait PriceSource {
    /// The newest prints of feeds, several or none of each, those ahead of the clock too: the crank shows them when
    /// they are due. A feed without a price is no error.
    fn prints(&mut self, cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError>;

    /// Prints of slots that have passed, where the source can be asked for them. What was asked lately and what would
    /// be too many questions at once is left for later.
    fn past(&mut self, _gaps: &[Gap], _now: i64) -> Result<Vec<Print>, PriceError> {
        Ok(Vec::new())
    }

    /// What can be shown though the source fails now: what it said before, and what could be read of its answer.
    fn kept(&self) -> Vec<Print> {
        Vec::new()
    }

    /// How each of those whom it asks stands, where it asks several.
    fn standings(&self) -> Vec<Standing> {
        Vec::new()
    }

    /// Keys that were found to have signed two things of one moment.
    fn contradictions(&self) -> Vec<Contradiction> {
        Vec::new()
    }

    /// The transactions, one after the other, that bring these prints on chain. None if they are there.
    fn posting(&self, _cluster: &dyn Cluster, _prints: &[Print]) -> Result<Vec<Step>, ClusterError> {
        Ok(Vec::new())
    }
}

/// What can be wrong with one of several sources, or with one of several signers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It does not answer.
    Silent,
    /// It has not said what others have said by now.
    Behind,
    /// It says something else than the others.
    Disagrees,
    /// It has said two things of one moment.
    Equivocates,
    /// What it says is of nobody whose word counts here.
    Strange,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Silent, Self::Behind, Self::Disagrees, Self::Equivocates, Self::Strange];

    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Behind => "behind",
            Self::Disagrees => "disagrees",
            Self::Equivocates => "equivocates",
            Self::Strange => "strange",
        }
    }
}

/// How one of those stands that a crank asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its address without what may be a key, and the keys that it has signatures of.
    pub who: String,
    /// What is wrong, each with why; nothing if it is well.
    pub troubles: Vec<(Trouble, String)>,
}

/// Two reports of one feed and moment that one key has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The key.
    pub key: Pubkey,
    /// Both, each with its signature.
    pub signed: [(Report, [u8; 64]); 2],
}

/// How long a request of a crank may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a service does not answer, without its address, which may hold a key.
pub(super) fn silence(why: &ureq::Error) -> String {
    match why {
        ureq::Error::Timeout(_) => format!("it does not answer within {} s", TIMEOUT.as_secs()),
        ureq::Error::HostNotFound => "there is no such host".into(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too long".into(),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its address cannot be used".into(),
        other => format!("it does not answer: {other}"),
    }
}

/// Price accounts that others keep up to date: named ones, and the standing account of every feed.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Price accounts beside the standing ones.
    pub named: Vec<Pubkey>,
}

impl PriceSource for Accounts {
    fn prints(&mut self, cluster: &dyn Cluster, feeds: &[Feed], _now: i64) -> Result<Vec<Print>, PriceError> {
        let standing = |feed: &Feed| match Source::from_byte(feed.source)? {
            Source::PythReceiver => Some(standing_account(&feed.feed)),
            // The push oracle's feed is the account itself.
            Source::PythPush => Some(Pubkey::new_from_array(feed.feed)),
            // Reports are no accounts, and what is read now is no print.
            Source::Attested | Source::StakePoolRate | Source::SplLendingRate | Source::VaultDrop => None,
        };
        let mut addresses: Vec<Pubkey> = self.named.iter().copied().chain(feeds.iter().filter_map(standing)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let accounts = cluster.accounts(&addresses)?;
        let mut prints = Vec::new();
        for (account, read) in addresses.into_iter().zip(accounts) {
            let Some(read) = read else { continue };
            for feed in feeds {
                let Some(source) = Source::from_byte(feed.source) else { continue };
                if let Ok(observation) = feed::read(source, &account, &read.owner, &read.data, &feed.feed, i64::MAX) {
                    prints.push(Print { source: feed.source, feed: feed.feed, account, observation, attested: None });
                }
            }
        }
        Ok(prints)
    }
}
