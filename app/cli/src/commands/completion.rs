//! `backstop completion`.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::{ErrorKind, Write, stdout};

const EXAMPLE: &str = "\
Example:
  backstop completion bash > ~/.local/share/bash-completion/completions/backstop
  backstop completion zsh > ~/.zfunc/_backstop";

/// Print a script that completes this command's arguments in a shell.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &CompletionArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "backstop", &mut script);
    match stdout().write_all(&script) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
