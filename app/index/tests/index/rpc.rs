//! The same over JSON-RPC.

use crate::support::{assert_same, indexed, market};
use backstop_client::cluster::rpc::{Limits, RpcCluster};
use backstop_index::cli::{IndexArgs, Output, Settings, run};
use backstop_index::{Database, IndexError, Options, follow, verify};
use backstop_tests::{Fault, Faults, Node, Rule};
use clap::Parser;
use solana_commitment_config::CommitmentConfig;
use std::path::Path;
use std::sync::Arc;

fn node() -> Node {
    Node::start(market(40).world)
}

#[test]
fn a_node_gives_what_the_cluster_has() {
    let node = node();
    let mut expected = indexed(&node.world().cluster);
    let rpc = RpcCluster::new(node.url(), CommitmentConfig::finalized());
    let mut database = indexed(&rpc);
    // The node has another genesis, and the same history.
    assert_same(&database, &expected);
    assert_eq!(node.commitments(), ["finalized"]);
    let verified = verify(&mut database, &rpc, &rpc, &Options::default()).expect("it answers");
    assert!(verified.is_ok, "{verified:?}");
    let world = node.world();
    assert!(verify(&mut expected, &world.cluster, &world.cluster, &Options::default()).expect("it answers").is_ok);
}

#[test]
fn silence_is_no_empty_page() {
    let node = node();
    let limits = Limits { attempts: 1, ..Limits::default() };
    let rpc = RpcCluster::new(node.url(), CommitmentConfig::finalized()).with_limits(limits);
    let mut database = Database::in_memory().expect("there is memory");
    for (method, fault) in [
        ("getSignaturesForAddress", Fault::Status(500, "out of order")),
        ("getSignaturesForAddress", Fault::Page),
        ("getSignaturesForAddress", Fault::Error(-32011, "Transaction history is not available from this node")),
        ("getTransaction", Fault::Truncated),
        ("getTransaction", Fault::Error(-32005, "Node is behind")),
        ("getGenesisHash", Fault::TooMany(60)),
    ] {
        node.set_faults(Faults { rules: vec![Rule::always(method, fault)], ..Faults::default() });
        let error = follow(&mut database, &rpc, &Options::default()).expect_err("it does not answer");
        assert!(matches!(error, IndexError::Cluster(_)), "{method}: {error}");
        assert_eq!(database.complete_at().expect("it can be read"), None);
        assert_eq!(database.event_count().expect("it can be read"), 0);
    }
    node.set_faults(Faults::default());
    follow(&mut database, &rpc, &Options::default()).expect("it answers");
    assert_same(&database, &indexed(&node.world().cluster));
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: IndexArgs,
}

fn command(node: &Node, file: &Path, words: &[&str]) -> Result<(), IndexError> {
    let file = file.display().to_string();
    let words = ["index", "--database", &file].into_iter().chain(words.iter().copied());
    let settings =
        Settings { url: node.url().to_owned(), output: Output::JsonCompact, stop: Arc::default(), watcher: None };
    run(&Command::parse_from(words).args, &settings)
}

#[test]
fn every_command_does_what_it_says() {
    let node = node();
    let directory = tempfile::tempdir().expect("there is room");
    let at = |name: &str| directory.path().join(name);
    let file = at("index.sqlite");
    let absent = command(&node, &file, &["status"]).expect_err("there is none");
    assert!(absent.to_string().contains("there is no index at"), "{absent}");
    for words in [["rebuild"].as_slice(), &["repair"], &["export", "x"]] {
        assert!(command(&node, &file, words).is_err(), "{words:?} makes no file");
        assert!(!file.exists());
    }
    let metrics = at("metrics.prom").display().to_string();
    command(&node, &file, &["run", "--once", "--metrics", &metrics]).expect("it answers");
    let text = std::fs::read_to_string(&metrics).expect("it was written");
    assert!(
        text.contains("\nbackstop_index_gaps 0\n") && text.contains("# TYPE backstop_index_events gauge\n"),
        "{text}"
    );
    for words in [["status"].as_slice(), &["status", "--metrics"], &["verify"], &["rebuild"], &["repair"]] {
        command(&node, &file, words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }
    let exported = at("history.jsonl").display().to_string();
    command(&node, &file, &["export", &exported]).expect("it can be written");
    command(&node, &at("other.sqlite"), &["import", &exported]).expect("it is whole");
    let [one, other] = [&file, &at("other.sqlite")].map(|file| Database::open_read_only(file).expect("it is there"));
    assert_same(&one, &other);
    drop((one, other));
    // Something that the events do not say.
    node.world().create_pool(backstop_tests::terms::create_pool(7));
    let forgets = Fault::Error(-32005, "Node is behind");
    node.set_faults(Faults { rules: vec![Rule::always("getSignaturesForAddress", forgets)], ..Faults::default() });
    assert!(command(&node, &file, &["verify"]).is_err());
}
