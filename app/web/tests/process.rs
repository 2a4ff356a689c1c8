//! The binary itself: it says where it listens, follows the chain into its index, and ends when it is told to.

use backstop_sandbox::localnet::{Layout, Mint};
use backstop_tests::{Node, World};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn page(arguments: &[&str], url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop-page"));
    command.args(arguments).env_remove("BACKSTOP_INDEX").env_remove("BACKSTOP_COMMITMENT").env("BACKSTOP_URL", url);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it says something");
    line.trim().to_owned()
}

#[track_caller]
fn ends(mut child: Child) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    panic!("it does not end")
}

#[test]
fn it_serves_follows_and_ends_with_its_stdin() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("history.sqlite").display().to_string();
    let node = Node::start(World::new());
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--until-stdin-ends", "--database", &file, "--follow", "--refresh", "1s"];
    let mut child = page(&arguments, node.url()).spawn().expect("it starts");
    let url = first_line(&mut child);
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let html =
        ureq::get(format!("{url}/status")).call().expect("it answers").body_mut().read_to_string().expect("text");
    assert!(html.contains(&node.url().replace("http://", "")), "it names the node");
    drop(child.stdin.take());
    assert!(ends(child));
    assert!(std::path::Path::new(&file).exists(), "the index was begun");
}

/// A directory in which a local cluster runs, as its file says, at a URL.
fn town(url: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let mint = |label: &str| Mint { label: label.into(), mint: "11111111111111111111111111111112".into(), decimals: 6 };
    let layout = Layout {
        rpc: url.into(),
        websocket: "ws://127.0.0.1:1".into(),
        config: dir.path().join("config.yml"),
        prices: dir.path().join("prices.csv"),
        levels: dir.path().join("levels.csv"),
        program: String::new(),
        program_sha256: String::new(),
        asset: mint("USDT"),
        covered: mint("USDC"),
        pool: String::new(),
        reinsurance_pool: String::new(),
        treaty: String::new(),
        products: Vec::new(),
        feeds: Vec::new(),
        wallets: Default::default(),
    };
    let text = serde_json::to_string(&layout).expect("it is data");
    std::fs::write(dir.path().join("localnet.json"), text).expect("there is room");
    dir
}

#[test]
fn money_is_handed_out_on_the_page_of_a_local_cluster_and_on_no_other() {
    let node = Node::start(World::new());
    let served = |extra: &[&str]| {
        let mut child =
            page(&[&["serve", "--listen", "127.0.0.1:0", "--until-stdin-ends"], extra].concat(), node.url())
                .spawn()
                .expect("it starts");
        let url = first_line(&mut child);
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let form = "address=11111111111111111111111111111112";
        let ask = |path: &str, origin: &str| {
            let post = agent.post(format!("{url}{path}")).header("content-type", "application/x-www-form-urlencoded");
            post.header("origin", origin).send(form).expect("it answers").status().as_u16()
        };
        let answers = ["/local/fund", "/local/price", "/local/clock"].map(|path| ask(path, &url));
        let foreign = ask("/local/fund", "https://elsewhere.example");
        let hidden = ask("/local/fund", "null");
        let home = agent.get(&url).call().expect("it answers").body_mut().read_to_string().expect("text");
        drop(child.stdin.take());
        assert!(ends(child));
        (answers, [foreign, hidden], home.contains("A local cluster"))
    };
    let (answers, _, told) = served(&[]);
    assert_eq!((answers, told), ([404; 3], false), "any other cluster has none of it");
    let dir = town(node.url());
    let here = dir.path().display().to_string();
    // Nobody's key is there, the form has no price, and no way to move the clock: each refuses for its own reason.
    let (answers, strangers, told) = served(&["--local", &here]);
    assert_eq!((answers, strangers, told), ([502, 422, 422], [403; 2], true));
}

#[test]
fn what_cannot_be_is_told_in_a_sentence() {
    let (elsewhere, remote) = (town("http://127.0.0.1:2"), town("https://node.example"));
    let [elsewhere, remote] = [elsewhere.path(), remote.path()].map(|path| path.display().to_string());
    let cases: [(&[&str], &str); 7] = [
        (&["serve", "--local", "nowhere", "--listen", "127.0.0.1:0"], "no localnet runs in nowhere"),
        (&["serve", "--local", &elsewhere, "--listen", "127.0.0.1:0"], "this page is of another cluster"),
        (
            &["serve", "--local", &remote, "--url", "https://node.example", "--listen", "127.0.0.1:0"],
            "`https://node.example` is no cluster of this machine",
        ),
        (
            &["serve", "--local", &elsewhere, "--listen", "127.0.0.1:0", "--host", "cover.example"],
            "the page of a local cluster is for this machine only",
        ),
        (&["serve", "--listen", "0.0.0.0:0"], "the page needs names to answer to"),
        (&["serve", "--url", "ftp://x", "--listen", "127.0.0.1:0"], "is no cluster"),
        (&["index", "--database", "nowhere/at/all.sqlite", "status"], "there is no index at nowhere/at/all.sqlite"),
    ];
    for (arguments, told) in cases {
        let mut child = page(arguments, "http://127.0.0.1:1").spawn().expect("it starts");
        drop(child.stdin.take());
        let mut stderr = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("text");
        assert!(!ends(child), "{arguments:?}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
}

/// It does not begin to serve a history that is none; and it ends as `backstop` does.
#[test]
fn a_file_that_is_no_index_and_a_node_that_is_silent_are_told_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("notes.txt").display().to_string();
    std::fs::write(
        &file,
        "what somebody wrote, which is longer than the head of a database would be, and no more than that",
    )
    .expect("there is room");
    let node = Node::start(World::new());
    for follow in [&[][..], &["--follow"]] {
        let arguments = [&["serve", "--listen", "127.0.0.1:0", "--database", &file], follow].concat();
        let ended = page(&arguments, node.url()).output().expect("it runs");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(1), &b""[..]), "{told}");
        assert!(told.contains("notes.txt is not an index of Backstop"), "{told}");
    }
    let fresh = dir.path().join("fresh.sqlite").display().to_string();
    let silent = page(&["index", "run", "--once", "--database", &fresh], "http://127.0.0.1:1").output();
    let silent = silent.expect("it runs");
    assert_eq!(silent.status.code(), Some(4), "{}", String::from_utf8_lossy(&silent.stderr));
    let nowhere = page(&["index", "run", "--once", "--database", &fresh], "nowhere").output().expect("it runs");
    assert_eq!(nowhere.status.code(), Some(2));
}
