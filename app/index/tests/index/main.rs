//! The history against the real program: stories on the embedded cluster, nodes that are behind, forget or lie, and
//! processes that end anywhere.

mod exchange;
mod faults;
mod files;
mod kills;
mod lost;
mod rpc;
mod shown;
mod speed;
mod story;
mod support;
