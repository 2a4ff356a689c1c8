//! Every command is tried: what it prints in JSON is committed.

use crate::desk::{Desk, finish};
use backstop_tests::World;
use std::path::Path;

/// Commands whose result is no JSON, or is pinned by tests of their own.
const ELSEWHERE: [&str; 11] = [
    "attest-keygen",
    "attest-serve",
    "completion",
    "demo",
    "index",
    "localnet-advance",
    "localnet-fund",
    "localnet-level",
    "localnet-price",
    "metadata-build",
    "serve",
];

/// The commands below a command, by its help.
fn below(desk: &Desk, path: &[String]) -> Vec<String> {
    let help = finish(desk.bare().args(path).arg("--help"));
    let lines = help.done().lines().skip_while(|line| *line != "Commands:").skip(1);
    // A line that goes on with a description begins further right.
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_result_of_every_command_in_json_is_committed() {
    let desk = Desk::new(World::uninitialised());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files: Vec<String> = std::fs::read_dir(golden)
        .expect("the folder is there")
        .map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"))
        .collect();
    let mut open = vec![Vec::new()];
    let mut missing = Vec::new();
    while let Some(path) = open.pop() {
        let children = below(&desk, &path);
        let name = path.join("-");
        let is_pinned = files.iter().any(|file| file.starts_with(&name) && file.ends_with(".json"));
        if children.is_empty() && !is_pinned && !ELSEWHERE.contains(&name.as_str()) {
            missing.push(name);
        }
        open.extend(children.into_iter().map(|child| [&path[..], &[child]].concat()));
    }
    missing.sort();
    assert!(missing.is_empty(), "no file in tests/golden for: {}", missing.join(", "));
}
