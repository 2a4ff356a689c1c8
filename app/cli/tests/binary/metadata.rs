//! `backstop metadata build`: files for wallets, from plans alone.

use crate::desk::Desk;
use backstop_client::metadata::File;
use backstop_tests::World;
use std::path::Path;

fn plan() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/0003_usdt_products.toml");
    path.to_str().expect("a path of ours").to_owned()
}

#[test]
fn files_are_written_under_their_hash_and_the_uris_are_told() {
    let desk = Desk::new(World::new());
    let build = |more: &[&str]| {
        let plan = plan();
        let usual = ["metadata", "build", "--plan", &plan, "--base", "https://meta.example.org", "--out", "files"];
        desk.look(&[&usual, more].concat())
    };
    let told = desk.json(build(&["--output", "json"]));
    let built = told.as_array().expect("a list");
    assert_eq!(built.len(), 2, "two products");
    for one in built {
        let files: Vec<&str> =
            one["files"].as_array().expect("files").iter().filter_map(|name| name.as_str()).collect();
        assert_eq!(one["uri"], format!("https://meta.example.org/{}", files[0]));
        assert_eq!((&one["matches_plan"], files.len()), (&false.into(), 3), "JSON, picture, wording");
        for name in files {
            let bytes = std::fs::read(desk.home().join("files").join(name)).expect("it was written");
            assert!(File::fits(name, &bytes), "{name}");
        }
    }
    let shown = build(&[]);
    assert!(shown.done().contains("https://meta.example.org/") && shown.done().contains("6 files are in files"));
    assert_eq!(desk.node.asked("getAccountInfo") + desk.node.asked("getMultipleAccounts"), 0, "no cluster is asked");
}

#[test]
fn a_place_that_no_uri_can_hold_is_refused_before_anything_is_written() {
    let desk = Desk::new(World::new());
    let plan = plan();
    let build = |base: &str| desk.look(&["metadata", "build", "--plan", &plan, "--base", base, "--out", "files"]);
    build("http://meta.example.org").says(2, "is no place for files", "--help");
    build("https://a-place-with-a-long-name.example/files").says(1, "takes 96 at most", "26 letters");
    assert!(!desk.home().join("files").exists());
}
