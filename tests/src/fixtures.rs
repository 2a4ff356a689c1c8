//! Real data that is not part of the project: found beside it, or where `BACKSTOP_FIXTURES` says.

use std::path::PathBuf;

/// The path of a fixture, or `None`, said plainly, where it is absent.
pub fn find(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("BACKSTOP_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
    };
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: the fixture {name} is not here; BACKSTOP_FIXTURES names the folder that has it");
    None
}
