//! What the tests stand on: a world with the real program on an embedded cluster, actors, prices, and assertions.

pub mod assert;
pub mod attest;
pub mod catalogue;
pub mod compute;
pub mod fixtures;
pub mod forwarder;
pub mod fuzz;
pub mod golden;
pub mod idl;
pub mod lending;
pub mod live;
pub mod lossy;
pub mod market;
pub mod matrix;
pub mod node;
pub mod protocols;
pub mod reference;
pub mod reinsurance;
pub mod scale;
pub mod season;
pub mod source;
pub mod terms;
pub mod town;
pub mod world;

pub use assert::*;
pub use lossy::Lossy;
pub use node::{Fault, Faults, Node, Rule};
pub use town::Town;
pub use world::*;
