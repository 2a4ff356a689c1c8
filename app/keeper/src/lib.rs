//! Keepers: what anyone may do on a cluster that runs Backstop, and somebody must.
//!
//! [`crank`] reads the chain and does everything that is due.

pub mod crank;
