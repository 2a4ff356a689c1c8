//! What a client says and does when a node does not answer as it should: each failure told apart, named by its host,
//! bounded in time, and never taken for an answer.

use super::pipeline::Stage;
use anchor_lang::prelude::Pubkey;
use backstop_client::cluster::rpc::{Limits, RpcCluster};
use backstop_client::cluster::{Cluster, ClusterError, Reason, Refusal};
use backstop_client::explain::explain;
use backstop_client::transaction::{self, Patience, Pipeline, PriorityFee};
use backstop_tests::terms::ONE;
use backstop_tests::{Fault, Faults, Rule};
use solana_commitment_config::CommitmentConfig;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Limits of somebody in a hurry.
const QUICK: Limits = Limits {
    answer: Duration::from_millis(400),
    list: Duration::from_millis(400),
    notice: Duration::from_millis(100),
    attempts: 2,
    pause: Duration::from_millis(600),
};

fn at(url: &str) -> RpcCluster {
    RpcCluster::new(url, CommitmentConfig::confirmed()).with_limits(QUICK)
}

/// Why a node gave no usable answer.
#[track_caller]
fn silence(error: ClusterError) -> Reason {
    let text = error.to_string();
    let ClusterError::Unreachable(silence) = error else { panic!("{text}") };
    assert_eq!(text.lines().count(), 1);
    assert!(text.starts_with(&silence.host), "{text}");
    silence.reason
}

#[test]
fn every_way_of_not_answering_is_told_apart() {
    let stage = Stage::new();
    let cluster = at(stage.node.url());
    let elsewhere = || Fault::Redirect("https://user:password@elsewhere.example/path?key=secret".into());
    let key = |status, says: &str| Reason::Key { status, says: says.into() };
    const REFUSED: &str = r#"{"jsonrpc":"2.0","error":{"code":-32052,"message":"API key is not allowed"},"id":1}"#;
    for (fault, expected) in [
        (Fault::Status(401, "Unauthorized"), key(401, "")),
        (Fault::Status(403, REFUSED), key(403, "API key is not allowed")),
        (Fault::Status(404, "not found"), Reason::NotFound),
        (Fault::Status(429, "slow down"), Reason::TooMany { wait: None }),
        (Fault::TooMany(30), Reason::TooMany { wait: Some(Duration::from_secs(30)) }),
        (Fault::Error(-32429, "you are over your limit"), Reason::TooMany { wait: None }),
        (Fault::Status(500, "oh"), Reason::OutOfOrder { status: 500 }),
        (Fault::Status(503, "{}"), Reason::OutOfOrder { status: 503 }),
        (Fault::Status(418, "tea"), Reason::Status { status: 418 }),
        (
            Fault::Error(-32005, "Node is behind by 9 slots"),
            Reason::Behind { says: "Node is behind by 9 slots".into() },
        ),
        (Fault::Page, Reason::NotJson),
        (Fault::Status(200, ""), Reason::NotJson),
        (
            Fault::Status(200, r#"{"jsonrpc":"2.0","id":1,"result":"text"}"#),
            Reason::Unreadable { method: "getSlot".into() },
        ),
        (Fault::Status(200, r#"{"jsonrpc" 2}"#), Reason::Unreadable { method: "getSlot".into() }),
        (Fault::Truncated, Reason::BrokenOff),
        (elsewhere(), Reason::Elsewhere { to: "https://elsewhere.example".into() }),
        (Fault::Hangs, Reason::Late { after: QUICK.answer }),
    ] {
        stage.node.set_faults(Faults::of("getSlot", fault.clone()));
        let failure = cluster.slot().expect_err("it does not answer");
        let explained = explain(&failure);
        assert!(explained.hint.is_some_and(|hint| hint.len() > 10), "{fault:?}");
        assert_eq!(silence(failure), expected, "{fault:?}");
    }
}

#[test]
fn nobody_a_wrong_name_and_a_broken_connection_are_told_apart() {
    assert_eq!(silence(at("http://127.0.0.1:1").slot().unwrap_err()), Reason::NobodyListens);
    let nowhere = silence(at("http://nowhere.invalid").slot().unwrap_err());
    assert!(matches!(nowhere, Reason::NoSuchHost | Reason::Late { .. }), "a name service may be slow: {nowhere:?}");
    // One that answers in part, and hangs up.
    for begin in ["", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\""] {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", server.local_addr().expect("it has an address"));
        std::thread::spawn(move || {
            for stream in server.incoming().flatten() {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 4_096]);
                let _ = stream.write_all(begin.as_bytes());
            }
        });
        assert_eq!(silence(at(&url).slot().unwrap_err()), Reason::BrokenOff, "{begin:?}");
    }
    // Where TLS is asked for, plain text is no answer.
    let stage = Stage::new();
    let url = stage.node.url().replace("http://", "https://");
    let reason = silence(at(&url).slot().unwrap_err());
    assert!(
        matches!(reason, Reason::Insecure { .. } | Reason::BrokenOff | Reason::Network { .. } | Reason::Late { .. }),
        "{reason:?}"
    );
}

#[test]
fn nothing_of_a_url_but_scheme_and_host_is_ever_told() {
    let stage = Stage::new();
    let host = stage.node.url();
    let url = host.replace("http://", "http://user:password@") + "/secret-path?api-key=secret-key";
    let cluster = at(&url);
    assert_eq!(cluster.host(), host);
    const ECHO: &str = r#"{"error":{"code":-32052,"message":"bad key secret-key for secret-path of user:password"}}"#;
    for fault in [Fault::Status(403, ECHO), Fault::Status(400, ECHO), Fault::Status(404, ""), Fault::Page, Fault::Hangs]
    {
        stage.node.set_faults(Faults::of("", fault.clone()));
        let failure = cluster.slot().expect_err("it does not answer");
        let explained = explain(&failure);
        for text in [failure.to_string(), explained.sentence, explained.hint.unwrap_or_default()] {
            assert!(!text.contains("secret") && !text.contains("password"), "{fault:?}: {text}");
        }
    }
    let nobody = at("http://user:password@127.0.0.1:1/secret?key=secret").slot().expect_err("nobody is there");
    assert!(!nobody.to_string().contains("secret") && !nobody.to_string().contains("password"), "{nobody}");
}

#[test]
fn a_redirect_is_not_followed_so_that_no_key_gets_to_another_host() {
    let (stage, other) = (Stage::new(), Stage::new());
    stage.node.set_faults(Faults::of("", Fault::Redirect(other.node.url().to_owned())));
    let failure = at(&format!("{}/secret-key", stage.node.url())).slot().expect_err("it sends elsewhere");
    assert_eq!(silence(failure), Reason::Elsewhere { to: other.node.url().to_owned() });
    assert_eq!(other.node.asked("getSlot"), 0);
}

#[test]
fn what_only_reads_is_asked_again_and_what_is_handed_in_is_not() {
    let stage = Stage::new();
    let cluster = at(stage.node.url());
    for fault in [Fault::Status(503, ""), Fault::TooMany(0), Fault::Error(-32005, "behind"), Fault::Truncated] {
        stage.node.set_faults(Faults { rules: vec![Rule::once("getSlot", fault.clone())], ..Faults::default() });
        let before = stage.node.asked("getSlot");
        cluster.slot().expect("the second answer comes");
        assert_eq!(stage.node.asked("getSlot") - before, 2, "{fault:?}");
    }
    // What will not be better is not asked for again; nor does anybody wait longer than they would.
    for fault in [Fault::Status(403, ""), Fault::Page, Fault::TooMany(60), Fault::Error(-32601, "Method not found")] {
        stage.node.set_faults(Faults::of("getSlot", fault.clone()));
        let (before, begun) = (stage.node.asked("getSlot"), Instant::now());
        cluster.slot().expect_err("it does not answer");
        assert_eq!(stage.node.asked("getSlot") - before, 1, "{fault:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{fault:?}");
    }
    let prepared = stage.prepare(100 * ONE);
    stage.node.set_faults(Faults::of("sendTransaction", Fault::Status(503, "")));
    cluster.submit(&prepared.transaction).expect_err("it is not taken");
    assert_eq!(stage.node.asked("sendTransaction"), 1);
}

#[test]
fn a_method_that_is_not_offered_is_refused_by_its_name() {
    let stage = Stage::new();
    for (code, method) in [(-32_601, "getProgramAccounts"), (-32_010, "getProgramAccounts"), (-32_012, "getSlot")] {
        stage.node.set_faults(Faults::of(method, Fault::Error(code, "excluded\nfrom here")));
        let failure = match method {
            "getSlot" => stage.cluster.slot().map(|_| ()).expect_err("it is refused"),
            _ => stage.cluster.program_accounts(&[], None).map(|_| ()).expect_err("it is refused"),
        };
        let ClusterError::Refused(refusal) = &failure else { panic!("{failure:?}") };
        let Refusal { method: told, code: number, says, .. } = refusal;
        assert_eq!((told.as_str(), *number, says.as_str()), (method, code, "excluded from here"));
        assert_eq!(refusal.is_of_method(), code != -32_012);
        assert!(explain(&failure).hint.is_some_and(|hint| hint.contains("--url")));
    }
}

#[test]
fn who_watches_is_told_of_a_slow_answer_which_still_counts() {
    let stage = Stage::new();
    let told = Arc::new(AtomicU32::new(0));
    let watcher: backstop_client::cluster::rpc::Watcher = Arc::new({
        let told = told.clone();
        move |_: &str| {
            told.fetch_add(1, Ordering::Relaxed);
        }
    });
    // A busy machine is slow too.
    let limits = Limits { answer: Duration::from_secs(20), notice: Duration::from_secs(2), ..QUICK };
    let cluster = at(stage.node.url()).with_limits(limits).watched_by(watcher);
    cluster.slot().expect("it answers");
    assert_eq!(told.load(Ordering::Relaxed), 0, "at once: nothing to tell");
    stage.node.set_faults(Faults::of("getSlot", Fault::Slow(2_500)));
    cluster.slot().expect("it answers");
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn who_asks_to_stop_is_not_held_by_a_node_that_hangs() {
    let stage = Stage::new();
    let stop = Arc::new(AtomicBool::new(false));
    let cluster = RpcCluster::new(stage.node.url(), CommitmentConfig::confirmed()).stopped_by(stop.clone());
    stage.node.set_faults(Faults::of("getSlot", Fault::Hangs));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| (cluster.slot(), Instant::now()));
        std::thread::sleep(Duration::from_millis(200));
        let asked = Instant::now();
        stop.store(true, Ordering::Relaxed);
        let (answer, at) = waiting.join().expect("it ends");
        assert_eq!(silence(answer.unwrap_err()), Reason::Stopped);
        assert!(at - asked < Duration::from_secs(3), "{:?}", at - asked);
    });
}

#[test]
fn a_batch_that_is_too_large_for_a_node_is_halved_and_that_is_remembered() {
    let stage = Stage::new();
    let addresses: Vec<Pubkey> = (0..230).map(|_| Pubkey::new_unique()).chain([stage.pool.pool]).collect();
    stage.node.set_faults(Faults::of("getMultipleAccounts", Fault::Most(75)));
    for calls in [6, 5] {
        let before = stage.node.asked("getMultipleAccounts");
        let found = stage.cluster.accounts(&addresses).expect("fewer at once are answered");
        assert_eq!((found.len(), found.iter().flatten().count()), (231, 1));
        assert_eq!(found[230].as_ref().map(|account| account.owner), Some(backstop::ID), "in their order");
        assert_eq!(stage.node.asked("getMultipleAccounts") - before, calls);
    }
    // A refusal that is not for the number stays one, and the next are asked for as many as before.
    stage.node.set_faults(Faults::of("getMultipleAccounts", Fault::Error(-32_602, "no")));
    stage.cluster.accounts(&addresses).expect_err("it is refused");
    stage.node.set_faults(Faults::default());
    let before = stage.node.asked("getMultipleAccounts");
    stage.cluster.accounts(&addresses).expect("it answers");
    assert_eq!(stage.node.asked("getMultipleAccounts") - before, 5);
}

#[test]
fn signatures_are_asked_for_in_batches_that_a_node_takes() {
    let stage = Stage::new();
    let prepared = stage.prepare(100 * ONE);
    stage.cluster.submit(&prepared.transaction).expect("it is taken in");
    stage.node.set_faults(Faults::of("getSignatureStatuses", Fault::Most(100)));
    let mut signatures = vec![Default::default(); 260];
    signatures[259] = prepared.transaction.signatures[0];
    let outcomes = stage.cluster.outcomes(&signatures).expect("fewer at once are answered");
    assert_eq!((outcomes.len(), outcomes.iter().flatten().count()), (260, 1));
    assert!(outcomes[259].as_ref().is_some_and(Result::is_ok));
}

#[test]
fn a_fee_that_nobody_tells_starts_at_the_floor_and_doubles_with_each_lost_round_up_to_the_cap() {
    let stage = Stage::new();
    let paid = |lost_rounds, price, fault: Option<Fault>| {
        let rules = fault.map(|fault| Rule::always("getRecentPrioritizationFees", fault)).into_iter().collect();
        stage.node.set_faults(Faults { rules, priority_price: price, ..Faults::default() });
        let priority_fee = PriorityFee::Market { cap: 6_000 };
        let pipeline = Pipeline { priority_fee, lost_rounds, ..stage.pipeline() };
        pipeline.prepare(&stage.deposit(100 * ONE)).expect("it can be prepared").fee - 5_000
    };
    let missing = || Some(Fault::Error(-32_601, "Method not found"));
    assert_eq!(paid(0, 0, None), transaction::FLOOR, "nobody paid anything");
    for fault in [missing(), Some(Fault::Status(403, "")), Some(Fault::Page)] {
        assert_eq!(paid(0, 0, fault.clone()), transaction::FLOOR, "{fault:?}");
    }
    for (lost, least) in [(1, 2_000), (2, 4_000), (3, 6_000), (64, 6_000)] {
        assert!((least - 10..=least).contains(&paid(lost, 0, missing())), "{lost}");
    }
    let market = paid(0, 100_000, None);
    assert!(market > transaction::FLOOR);
    assert!((2 * market - 10..=6_000).contains(&paid(1, 100_000, None)));
}

/// How one transaction ended, within a patience of seconds.
fn ended(stage: &Stage, cluster: &RpcCluster, seconds: u64) -> (ClusterError, Duration) {
    let prepared = stage.prepare(100 * ONE);
    let patience = Patience { most: Duration::from_secs(seconds), ..Patience::default() };
    let begun = Instant::now();
    let outcome = transaction::confirm_within(cluster, std::slice::from_ref(&prepared), &patience).remove(0);
    let error = outcome.expect_err("it is not known to be confirmed");
    if let Some(signature) = error.signature() {
        assert_eq!(signature, prepared.transaction.signatures[0]);
        assert!(explain(&error).sentence.contains(&signature.to_string()), "the signature is told");
    }
    (error, begun.elapsed())
}

#[test]
fn expired_is_not_said_by_the_height_of_one_node_while_another_answers_for_transactions_from_the_past() {
    // The transaction lands in its last block; what tells of it is far behind, what tells the height is not.
    for lag_one_in in [1, 2] {
        let stage = Stage::new();
        let lag = Faults { statuses_lag: 100_000, lag_one_in, lifetime: 1, ..Faults::default() };
        let prepared = {
            stage.node.set_faults(Faults { lifetime: 1, ..Faults::default() });
            stage.prepare(100 * ONE)
        };
        stage.node.set_faults(lag);
        let patience = Patience { most: Duration::from_secs(4), ..Patience::default() };
        let outcome = transaction::confirm_within(&stage.cluster, std::slice::from_ref(&prepared), &patience).remove(0);
        assert_eq!(stage.deposited(), 100 * ONE, "it was executed");
        match outcome {
            // Of two nodes that disagree one knows it.
            Ok(receipt) => assert_eq!((lag_one_in, receipt.signature), (2, prepared.transaction.signatures[0])),
            Err(ClusterError::Unknown { signature, .. }) => {
                assert_eq!((lag_one_in, signature), (1, prepared.transaction.signatures[0]));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn expired_is_said_once_it_is_proven_with_and_without_a_history() {
    for without_history in [false, true] {
        let stage = Stage::new();
        stage.node.set_faults(Faults { lost: u32::MAX, lifetime: 1, without_history, ..Faults::default() });
        let (error, took) = ended(&stage, &stage.cluster, 30);
        assert!(matches!(error, ClusterError::Expired { .. }), "{error:?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert_eq!((stage.node.executed(), stage.deposited()), (0, 0));
    }
}

#[test]
fn long_after_its_end_a_node_without_history_proves_nothing() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { lifetime: 1, without_history: true, ..Faults::default() });
    let prepared = stage.prepare(100 * ONE);
    let asked = [(prepared.transaction.signatures[0], prepared.last_valid_block_height)];
    stage.node.pass_blocks(50);
    assert_eq!(stage.cluster.expired(&asked).expect("it answers"), [true]);
    stage.node.pass_blocks(100);
    assert_eq!(stage.cluster.expired(&asked).expect("it answers"), [false]);
    stage.node.set_faults(Faults::default());
    assert_eq!(stage.cluster.expired(&asked).expect("it answers"), [true], "its history tells");
}

#[test]
fn a_node_that_answers_without_moving_on_is_not_waited_for_beyond_the_limit() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { lost: u32::MAX, blocks_per_look: 0, ..Faults::default() });
    let (error, took) = ended(&stage, &stage.cluster, 2);
    assert!(matches!(error, ClusterError::Unknown { .. }), "{error:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_node_that_falls_silent_after_it_took_a_transaction_leaves_it_unknown_and_one_that_never_took_it_does_not() {
    let stage = Stage::new();
    let cluster = at(stage.node.url());
    let silent = ["getSignatureStatuses", "getEpochInfo"];
    for method in silent {
        stage.node.set_faults(Faults { lost: u32::MAX, ..Faults::of(method, Fault::Hangs) });
        let (error, took) = ended(&stage, &cluster, 2);
        let ClusterError::Unknown { why, .. } = &error else { panic!("{error:?}") };
        assert!(why.contains(stage.node.url()), "{why}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    // It may have been taken: nothing came back.
    stage.node.set_faults(Faults::of("sendTransaction", Fault::Hangs));
    assert!(matches!(ended(&stage, &cluster, 2).0, ClusterError::Unknown { .. }));
    // It surely was not.
    for fault in [Fault::Status(403, ""), Fault::TooMany(9)] {
        stage.node.set_faults(Faults { lifetime: 1_000_000, ..Faults::of("sendTransaction", fault) });
        let (error, _) = ended(&stage, &cluster, 2);
        assert!(matches!(error, ClusterError::Unreachable(_)), "{error:?}");
    }
    assert_eq!(stage.deposited(), 0);
}

#[test]
fn a_stop_request_ends_the_wait_for_transactions() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { lost: u32::MAX, blocks_per_look: 0, ..Faults::default() });
    let prepared = stage.prepare(100 * ONE);
    let stop = Arc::new(AtomicBool::new(true));
    let patience = Patience { most: Duration::from_secs(60), stop: Some(stop), grace: Duration::from_millis(500) };
    let begun = Instant::now();
    let outcome = transaction::confirm_within(&stage.cluster, std::slice::from_ref(&prepared), &patience).remove(0);
    // Asked to stop before it was ever sent: that much is known.
    assert_eq!(silence(outcome.expect_err("it was not sent")), Reason::Stopped);
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(stage.node.asked("sendTransaction"), 0);
}
