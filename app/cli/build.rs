//! Tells the binary which commit it is built from, where that is known.

use std::path::Path;
use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=BACKSTOP_COMMIT");
    let given = std::env::var("BACKSTOP_COMMIT").ok();
    let Some(commit) = given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"])) else { return };
    println!("cargo:rustc-env=BACKSTOP_COMMIT={commit}");
    // A commit moves the branch, a checkout moves HEAD; a packed branch has no file.
    let branch = git(&["symbolic-ref", "-q", "HEAD"]).unwrap_or_default();
    for name in ["HEAD", branch.as_str()] {
        if let Some(file) = git(&["rev-parse", "--git-path", name]).filter(|file| Path::new(file).is_file()) {
            println!("cargo:rerun-if-changed={file}");
        }
    }
}
