//! What can go wrong between a node and the file.

use crate::database::DatabaseError;
use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::ClusterError;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use std::path::PathBuf;

/// Why an index does not go on.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The node does not answer, or not to this.
    #[error("{0}")]
    Cluster(#[from] ClusterError),
    /// The node contradicts itself, or answers what was not asked. Nothing of it was kept.
    #[error("the node cannot be believed: {what}")]
    Lie {
        /// What it says.
        what: String,
    },
    /// The file is of another cluster.
    #[error("{} is the history of the cluster with genesis {kept}, and the node is of {found}", path.display())]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// Its cluster.
        kept: Hash,
        /// The node's.
        found: Hash,
    },
    /// Somebody asked to stop.
    #[error("somebody asked to stop")]
    Stopped,
    /// A file to import is not what was exported.
    #[error("{} is not what was exported: {what}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is off.
        what: String,
    },
    /// Imports go into an index that has nothing yet.
    #[error("{} holds a history already: import into a new file", path.display())]
    NotEmpty {
        /// The file.
        path: PathBuf,
    },
    /// The index has no such product, or it has no condition.
    #[error("the index knows no product {product} that has a condition")]
    NoProduct {
        /// The product.
        product: Pubkey,
    },
    /// A check found something that is off; what it is was printed.
    #[error("{what}")]
    Off {
        /// In a few words.
        what: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
}

impl From<rusqlite::Error> for IndexError {
    fn from(why: rusqlite::Error) -> Self {
        Self::Database(why.into())
    }
}

impl IndexError {
    pub(crate) fn lie(what: impl Into<String>) -> Self {
        Self::Lie { what: what.into() }
    }

    pub(crate) fn lie_of(signature: &Signature, what: &str) -> Self {
        Self::Lie { what: format!("{signature}: {what}") }
    }
}

/// What this crate returns.
pub type Result<T> = std::result::Result<T, IndexError>;
