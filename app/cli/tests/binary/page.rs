//! `backstop serve` and `backstop index` without the page's binary, and with one that tells what it was given.

use crate::desk::alone;

#[test]
fn without_the_page_the_one_command_that_builds_it_is_named() {
    let dir = tempfile::tempdir().expect("there is room for files");
    for arguments in [&["serve"][..], &["serve", "--listen", "127.0.0.1:0"], &["index", "run", "--once"]] {
        alone(dir.path(), arguments).says(1, "there is no backstop-page", "`cargo build --locked -p backstop-web`");
    }
    assert_eq!(alone(dir.path(), &["index"]).code, 2, "an index command is missing");
}

#[cfg(unix)]
#[test]
fn what_was_asked_is_handed_over_with_the_cluster_and_a_url_is_not_on_the_command_line() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("there is room for files");
    let page = dir.path().join("backstop-page");
    let script = "#!/bin/sh\necho \"$* | $BACKSTOP_URL | $BACKSTOP_COMMITMENT\"\nexit 7\n";
    std::fs::write(&page, script).expect("it is written");
    std::fs::set_permissions(&page, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let told = |arguments: &[&str]| {
        let run = alone(dir.path(), arguments);
        assert_eq!(run.code, 7, "the page's own exit code: {run}");
        run.stdout.trim().to_owned()
    };
    assert_eq!(
        told(&["--url", "http://127.0.0.1:1/key", "serve", "--listen", "127.0.0.1:0", "--follow"]),
        "serve --listen 127.0.0.1:0 --follow | http://127.0.0.1:1/key | confirmed"
    );
    assert_eq!(
        told(&["-u", "https://node.example", "--output", "json", "index", "status"]),
        "index --output=json status | https://node.example | finalized"
    );
    assert_eq!(
        told(&["-u", "localhost", "index", "verify", "--output", "json-compact"]),
        "index verify --output json-compact | http://localhost:8899 | confirmed"
    );
}
