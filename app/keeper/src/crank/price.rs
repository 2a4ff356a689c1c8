//! Where prices come from.

use crate::crank::plan::Feed;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::peril::feed::{self, Observation, Source};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::price_account::standing_account;
use solana_sdk::signature::Keypair;

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
    /// The account that holds it, or will once it is posted.
    pub account: Pubkey,
    /// What it says. For a print that is not posted yet this is what the service claims: the receiver checks it.
    pub observation: Observation,
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
    /// The newest prints of feeds, several or none of each. A feed without a price is no error.
    fn prints(&mut self, cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError>;

    /// The transactions, one after the other, that bring these prints on chain. None if they are there.
    fn posting(&self, _cluster: &dyn Cluster, _prints: &[Print]) -> Result<Vec<Step>, ClusterError> {
        Ok(Vec::new())
    }
}

/// Price accounts that others keep up to date: named ones, and the standing account of every feed.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Price accounts beside the standing ones.
    pub named: Vec<Pubkey>,
}

impl PriceSource for Accounts {
    fn prints(&mut self, cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError> {
        let standing = |feed: &Feed| match Source::from_byte(feed.source)? {
            Source::PythReceiver => Some(standing_account(&feed.feed)),
            // The push oracle's feed is the account itself.
            Source::PythPush => Some(Pubkey::new_from_array(feed.feed)),
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
                if let Ok(observation) = feed::read(source, &account, &read.owner, &read.data, &feed.feed, now) {
                    prints.push(Print { source: feed.source, feed: feed.feed, account, observation });
                }
            }
        }
        Ok(prints)
    }
}
