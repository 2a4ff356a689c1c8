//! `backstop serve` and `backstop index`: the page and the history, which are a binary of their own.

use crate::commands::companion;
use crate::commands::context::{Context, hinted};
use crate::output::Output;
use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::process::Command;

/// The binary of page and history.
pub const BINARY: &str = "backstop-page";
/// What builds it.
pub const BUILD: &str = "cargo build --locked -p backstop-web";

/// Serve the page: pools, covers and claims to read, and transactions for wallets to sign.
///
/// It takes --listen ADDRESS (127.0.0.1:8080), --host NAME for each name under which others reach it, --database FILE for
/// the history, --follow to write that history too, --refresh DURATION, --limit, --behind-proxy, --actions for Solana
/// Actions, --metadata DIR for files of `backstop metadata build` that no account gives: `backstop-page serve --help` explains them. The
/// cluster is that of --url, as of every command. It holds no key.
///
/// The page takes long to compile, so it is a binary of its own, backstop-page, beside this one or on the PATH.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop serve\n  backstop serve --database history.sqlite --follow")]
pub struct ServeArgs {
    /// What the page takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

/// The history of the program in a file: share prices, sales, losses and payments by day and hour.
///
/// It takes run, status, shown, verify, rebuild, repair, export and import: `backstop index run --help` explains one. The cluster
/// is that of --url, as of every command. It is in the binary of the page, backstop-page.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop index run --once\n  backstop index status")]
pub struct IndexArgs {
    /// What to do with the history.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Hands over to the page.
pub fn serve(args: &ServeArgs, context: &Context) -> Result<()> {
    hand_over("serve", &args.options, context)
}

/// Hands over to the history.
pub fn index(args: &IndexArgs, context: &Context) -> Result<()> {
    hand_over("index", &args.command, context)
}

fn hand_over(name: &str, arguments: &[OsString], context: &Context) -> Result<()> {
    let binary = companion::find(BINARY).ok_or_else(|| {
        hinted(
            format!("there is no {BINARY} beside this binary or on the PATH"),
            format!("build it, once, in the project's directory: `{BUILD}` (some minutes)"),
        )
    })?;
    let mut command = Command::new(&binary);
    command.arg(name);
    let says_output = |argument: &OsString| argument.to_string_lossy().starts_with("--output");
    let output = context.options.output;
    if name == "index" && output != Output::default() && !arguments.iter().any(says_output) {
        let value = output.to_possible_value();
        command.args(value.map(|value| format!("--output={}", value.get_name())));
    }
    command.args(arguments);
    // A URL may hold a key: it does not stand where every process of this machine can read it.
    let cluster = context.connection()?;
    command.env("BACKSTOP_URL", cluster.url());
    command.env("BACKSTOP_COMMITMENT", cluster.commitment().commitment.to_string());
    let ran = replace(&mut command).with_context(|| format!("{} cannot be started", binary.display()))?;
    std::process::exit(ran)
}

/// Becomes the other process: signals are its own.
#[cfg(unix)]
fn replace(command: &mut Command) -> std::io::Result<i32> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

/// Waits for the other process.
#[cfg(not(unix))]
fn replace(command: &mut Command) -> std::io::Result<i32> {
    Ok(command.status()?.code().unwrap_or(1))
}
