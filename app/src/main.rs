//! The `backstop` command.

mod commands;
mod output;

use clap::Parser;
use commands::{CheckFailed, Command};
use output::Output;
use std::process::ExitCode;

/// The command ran, and what it was to check does not hold.
const CHECK_FAILED: u8 = 3;

/// Cover and reinsurance pools on Solana.
#[derive(Debug, Parser)]
#[command(name = "backstop", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    /// How results are printed on stdout; progress and errors go to stderr.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,

    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: a transaction was refused, or something could not be read
  2  the command line is wrong
  3  the command ran, and what it checks does not hold

Example:
  backstop demo
  backstop demo --output json | jq .covers";

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.run(cli.output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{} {error:#}", output::paint("error:", output::BAD));
            if error.is::<CheckFailed>() { ExitCode::from(CHECK_FAILED) } else { ExitCode::FAILURE }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn walk(command: &clap::Command, path: &str, visit: &mut dyn FnMut(&str, &clap::Command)) {
        visit(path, command);
        for child in command.get_subcommands() {
            walk(child, &format!("{path} {}", child.get_name()), visit);
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_in_its_help() {
        walk(&Cli::command(), "backstop", &mut |path, command| {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example:"), "`{path} --help` has no example");
            assert!(help.contains(&format!("  {path}")), "the example of `{path} --help` does not call it");
        });
    }

    #[test]
    fn the_output_format_may_stand_before_or_after_the_command() {
        for line in [["backstop", "--output", "json", "demo"], ["backstop", "demo", "--output", "json"]] {
            assert_eq!(Cli::try_parse_from(line).map(|cli| cli.output).ok(), Some(Output::Json));
        }
    }
}
