//! The Backstop client: addresses, instructions, decoded accounts, quotes from the program's own code, transactions, and
//! one interface for every cluster.
//!
//! | for | use |
//! |---|---|
//! | a cluster | [`cluster::rpc::RpcCluster`]; `EmbeddedCluster` of `backstop-sandbox` runs in this process; both are a [`Cluster`] |
//! | reading | [`account::fetch`] and [`account::list`] with the program's own types; [`address`] for where they are |
//! | prices | [`quote::Market`]: the program's own code on copies of its accounts |
//! | showing | [`view`]: what is open, where it stands, what comes next; [`text`]: numbers and dates as people read them |
//! | thinking through | [`act`]: what a wallet does, as instructions and in words |
//! | doing | [`instruction`] builds, [`transaction::Pipeline`] simulates, signs, sends and confirms |
//! | signing elsewhere | [`handover`]: what multisigs, DAOs and offline keys take, and what comes back |
//! | failures | [`explain::explain`]: the program's words, and what to do |
//! | history | [`history`]: the program's transactions, oldest to newest; [`event`]; [`books`]: a pool's books from its events |
//! | checking | [`audit`]: every rule of the books, from chain data alone; [`numbering`]: whether events were lost; [`deployment`]: the program's bytes |
//! | what wallets show of NFTs and shares | [`metadata`]: the files that URIs must point to |
//! | founding | [`migration`]: plans of what must be on chain, and the steps that are missing |
//!
//! The example `protect_user` of `backstop-sandbox` buys a cover for another wallet with these, start to end.

pub mod account;
pub mod act;
pub mod address;
pub mod attest;
pub mod audit;
pub mod books;
pub mod cluster;
pub mod deployment;
pub mod event;
pub mod explain;
pub mod handover;
pub mod history;
pub mod instruction;
pub mod metadata;
pub mod migration;
pub mod numbering;
pub mod payee;
pub mod price_account;
pub mod quote;
pub mod redact;
pub mod solana_config;
pub mod text;
pub mod text_file;
pub mod token;
pub mod transaction;
pub mod units;
pub mod view;

pub use cluster::Cluster;
