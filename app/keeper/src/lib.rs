//! Keepers: what anyone may do on a cluster that runs Backstop, and somebody must.
//!
//! [`crank`] reads the chain and does everything that is due. [`attestor`] signs what a source says, for reports. [`http`] is
//! the server of both.

pub mod attestor;
pub mod crank;
pub mod http;
