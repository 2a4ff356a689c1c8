//! Backstop's page: read without a script, signed with a wallet.
//!
//! | for | see |
//! |---|---|
//! | starting it | [`server::Server`] on [`site::Settings`] and a [`chain::Node`]; the binary `backstop-page` does |
//! | what is known of the chain | [`chain::Chain`]: all accounts of the program, read again every few seconds in the background |
//! | what may ask, and what a browser may load | [`guard`]: hosts, origins, sizes, rates, and the headers of every answer |
//! | a page | [`pages`]: one file each; [`layout`] is around all of them, [`chart`] draws |
//! | what went wrong | [`error::PageError`]: a status and a page |
//! | signing | [`sign`] |
//! | other sites and wallets that ask for transactions | [`actions`] |
//! | files that wallets show | [`metadata`] |
//! | what only a local cluster has: money for whoever asks, its price and clock | [`local`] |
//!
//! No page works anything out: its numbers are those of `backstop-client`'s views, as the command line prints them.

pub mod actions;
pub mod assets;
pub mod chain;
pub mod chart;
pub mod error;
pub mod guard;
pub mod history;
pub mod layout;
pub mod local;
pub mod metadata;
pub mod pages;
pub mod replays;
pub mod say;
pub mod server;
pub mod sign;
pub mod site;
