//! The Backstop client: addresses, instructions, decoded accounts, quotes from the program's own code, transactions, and
//! one interface for a real cluster and for the embedded one.

pub mod account;
pub mod address;
pub mod cluster;
pub mod demo;
pub mod explain;
pub mod instruction;
#[cfg(feature = "localnet")]
pub mod localnet;
pub mod price_account;
pub mod quote;
pub mod replay;
pub mod transaction;

pub use cluster::Cluster;
pub use cluster::embedded::EmbeddedCluster;
