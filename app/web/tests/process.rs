//! The binary itself: it says where it listens, follows the chain into its index, and ends when it is told to.

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

#[test]
fn what_cannot_be_is_told_in_a_sentence() {
    let cases: [(&[&str], &str); 3] = [
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
