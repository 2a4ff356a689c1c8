//! What `backstop localnet` says without its cluster: everything but that is in every build.

use crate::desk::alone;

#[test]
fn without_the_cluster_the_one_command_that_builds_it_is_named() {
    let dir = tempfile::tempdir().expect("there is room for files");
    let run = alone(dir.path(), &["localnet"]);
    run.says(1, "there is no backstop-localnet", "`cargo build --locked -p backstop-sandbox --features localnet`");
    assert!(run.stderr.contains("minutes"), "{run}");
    assert!(!dir.path().join("localnet").exists(), "nothing was made");
}

#[test]
fn what_is_done_to_a_cluster_needs_one_that_runs() {
    let dir = tempfile::tempdir().expect("there is room for files");
    for arguments in [
        &["localnet", "advance", "1h"][..],
        &["localnet", "price", "USDC/USD", "0.9"],
        &["localnet", "fund", "alice"],
        &["localnet", "fund", "alice", "--dir", "elsewhere"],
    ] {
        alone(dir.path(), arguments).says(1, "no localnet runs in", "`backstop localnet` starts one");
    }
    for arguments in [
        &["localnet", "advance", "soon"][..],
        &["localnet", "--speed", "0"],
        &["localnet", "--reset", "--keep-prices"],
        &["localnet", "fund", "alice", "--sol", "much"],
        &["localnet", "fund"],
        // There is nothing that it would send.
        &["--dry-run", "localnet"],
    ] {
        assert_eq!(alone(dir.path(), arguments).code, 2, "{arguments:?}");
    }
}
