//! Generated files that are committed. A difference fails; `BACKSTOP_BLESS=1` writes them anew, and the difference is
//! reviewed in the commit:
//!
//! ```text
//! BACKSTOP_BLESS=1 cargo test -p backstop-tests --test svm -- \
//!     negative_matrix:: layout:: compute_units:: scale::
//! BACKSTOP_BLESS=1 cargo test -p backstop-tests --test client docs::
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// How the files are written anew.
pub const BLESS: &str = "BACKSTOP_BLESS";

/// Whether this run writes the files instead of comparing them.
pub fn blessing() -> bool {
    std::env::var_os(BLESS).is_some_and(|value| value == "1")
}

/// A generated file by its name from the repository's root: below `tests/`, unless it is a page of `docs/`.
fn named(file: &str) -> String {
    if file.starts_with("docs/") { file.to_owned() } else { format!("tests/{file}") }
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(named(file))
}

/// The committed text of a generated file, empty if there is none.
pub fn committed(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_default()
}

/// Writes a generated file.
pub fn write(file: &str, text: &str) {
    let path = path(file);
    fs::create_dir_all(path.parent().expect("the file is in a folder")).expect("the folder can be made");
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("wrote {}", named(file));
}

/// Compares a generated text with the committed one, line by line, or writes it when blessing.
#[track_caller]
pub fn check(file: &str, generated: &str) {
    if blessing() {
        return write(file, generated);
    }
    let committed = committed(file);
    if committed == generated {
        return;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (committed.lines().collect(), generated.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    let changes: Vec<String> = gone.chain(come).take(40).collect();
    panic!(
        "{} is not what is generated now. If the change is meant, run again with {BLESS}=1 and commit the \
         file.\n{}",
        named(file),
        if changes.is_empty() { "(the order of the lines changed)".to_owned() } else { changes.join("\n") }
    );
}
