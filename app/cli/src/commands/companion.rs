//! Binaries beside this one, for what takes long to compile and `backstop` does not need.

use std::path::PathBuf;

/// A binary by its name: beside this one, or on the PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|this| Some(this.parent()?.join(&name)));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let places = beside.into_iter().chain(std::env::split_paths(&on_path).map(|dir| dir.join(&name)));
    places.into_iter().find(|file| file.is_file())
}
