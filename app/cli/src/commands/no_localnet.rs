//! `backstop localnet` in a build without it: says how to build one with it.

use super::context::hinted;
use crate::output::Output;
use clap::Args;

/// Start a full local cluster (not in this build).
///
/// It compiles a whole cluster, which takes minutes, and is left out unless it is asked for.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cargo run --features localnet -- localnet\n  backstop localnet")]
pub struct LocalnetArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

/// Refuses.
pub fn run(_: &LocalnetArgs, _: Output) -> anyhow::Result<()> {
    Err(hinted("this build is without localnet", "build one with `cargo build --features localnet`: it takes minutes"))
}
