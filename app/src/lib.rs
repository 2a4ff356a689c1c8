//! The Backstop client: addresses, instructions, decoded accounts, quotes from the program's own code, transactions, and
//! one interface for a real cluster and for the embedded one.
//!
//! | for | use |
//! |---|---|
//! | a cluster | [`cluster::rpc::RpcCluster`], or [`EmbeddedCluster`] in this process; both are a [`Cluster`] |
//! | reading | [`account::fetch`] and [`account::list`] with the program's own types; [`address`] for where they are |
//! | prices | [`quote::Market`]: the program's own code on copies of its accounts |
//! | doing | [`instruction`] builds, [`transaction::Pipeline`] simulates, signs, sends and confirms |
//! | failures | [`explain::explain`]: the program's words, and what to do |
//! | keeping | [`crank`]: everything that anyone may do and somebody must |
//! | checking | [`audit`]: every rule of the books, from chain data alone; [`deployment`]: the program's bytes |
//! | founding | [`migration`]: plans of what must be on chain, and the steps that are missing |
//!
//! `examples/protect_user.rs` buys a cover for another wallet with these, start to end.

pub mod account;
pub mod address;
pub mod audit;
pub mod cluster;
pub mod crank;
pub mod demo;
pub mod deployment;
pub mod explain;
pub mod instruction;
#[cfg(feature = "localnet")]
pub mod localnet;
pub mod migration;
pub mod price_account;
pub mod quote;
pub mod replay;
pub mod transaction;
pub mod units;

pub use cluster::Cluster;
pub use cluster::embedded::EmbeddedCluster;
