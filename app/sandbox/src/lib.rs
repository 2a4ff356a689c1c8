//! Backstop in one process: the real program on an SVM, and what is played and tried on it.
//!
//! | for | use |
//! |---|---|
//! | a cluster in this process | [`EmbeddedCluster`], which is a [`backstop_client::Cluster`] |
//! | the same for several threads | [`SharedCluster`] |
//! | a story with stated outcomes | [`demo`]: the days in March 2023 when USDC left its peg |
//! | a condition on your own prices | [`replay`] |
//! | a full cluster on this machine | [`localnet`]; the cluster itself with the cargo feature of that name |

pub mod demo;
pub mod embedded;
pub mod localnet;
mod recorder;
pub mod replay;
pub mod shared;

pub use embedded::EmbeddedCluster;
pub use shared::SharedCluster;
