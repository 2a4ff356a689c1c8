//! The demo: the real program, an embedded cluster, and the days in March 2023 when USDC left its peg.
//!
//! [`run`] founds a protocol and a pool, reinsures it with two others, sells covers, replays the prices through the oracle
//! path, calls the reinsurance, settles what became due, and returns a [`Report`] of what the chain says beside what had to happen, which [`expect`] works out from the
//! prices and the wording alone.

mod chain;
pub mod expect;
pub mod prices;
mod report;
pub(crate) mod scenario;
mod story;

pub use report::*;
pub use scenario::{Scenario, Stated};

use crate::embedded::StartError;
use backstop_client::account::AccountError;
use backstop_client::cluster::ClusterError;
use backstop_client::transaction;

/// Why the demo could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The cluster did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The program refused a step that had to succeed.
    #[error("{step}: {why}")]
    Refused {
        /// The step in words.
        step: String,
        /// The program's words, or the runtime's.
        why: String,
    },
    /// An account could not be read.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// What `quote` returned is not a quote.
    #[error("the program answered something else than a quote")]
    NoQuote,
}

impl DemoError {
    fn refused(step: &str, error: ClusterError) -> Self {
        let why = match transaction::program_error(&error) {
            Some(refusal) => format!("{refusal} ({refusal:?})"),
            None => error.to_string(),
        };
        Self::Refused { step: step.to_owned(), why }
    }
}

/// How far a demo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Steps done.
    pub done: u64,
    /// All steps.
    pub total: u64,
    /// What comes next.
    pub next: &'a str,
}

/// Plays March 2023.
pub fn run() -> Result<Report, DemoError> {
    play(&Scenario::march_2023(), &mut |_| {})
}

/// Plays a scenario, and tells how far it is.
pub fn play(scenario: &Scenario, progress: &mut dyn FnMut(Progress)) -> Result<Report, DemoError> {
    story::play(scenario, progress)
}
