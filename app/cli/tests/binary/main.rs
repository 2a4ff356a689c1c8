//! The real binary over JSON-RPC, at a node in this process: what it does, what it prints where, and what it exits
//! with.
//!
//! Results in JSON are compared with `tests/golden/`; `BACKSTOP_BLESS=1` writes those files anew.

mod accounts;
mod attest;
mod attest_serve;
mod claims;
mod command;
mod complete;
mod cover;
mod crank;
mod deploy;
mod desk;
mod handover;
mod lien;
mod localnet;
mod machine;
mod metadata;
mod migrate;
mod numbers;
mod oversight;
mod page;
mod payout;
mod plans;
mod pool;
mod position;
mod preview;
mod product;
mod protocol;
mod readings;
mod refusals;
mod reinsurance;
mod scene;
mod secrets;
mod settings;
mod surplus;
mod treaty;
mod worked;
