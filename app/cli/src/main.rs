//! The `backstop` command.

mod commands;
#[cfg(test)]
mod documented;
mod output;

use backstop_client::account::AccountError;
use backstop_client::cluster::ClusterError;
use backstop_client::explain::{Explanation, explain};
use clap::Parser;
use commands::context::{Context, Hinted, Options, UsageError, WrongCluster};
use commands::{CheckFailed, Command};
use std::process::ExitCode;

/// Cover and reinsurance pools on Solana.
#[derive(Debug, Parser)]
#[command(name = "backstop", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused: by the program, by the cluster or by you, or something could not be read
  2  the command line is wrong, or nobody is there to confirm
  3  the command ran, and what it checks does not hold
  4  the cluster does not answer, or does not run the program
  5  the transaction expired unconfirmed

Example:
  backstop demo
  backstop demo --output json | jq .covers";

/// The exit codes that are not 0 or 1.
mod code {
    pub const USAGE: u8 = 2;
    pub const CHECK_FAILED: u8 = 3;
    pub const NO_CLUSTER: u8 = 4;
    pub const EXPIRED: u8 = 5;
}

fn main() -> ExitCode {
    let Cli { options, command } = Cli::parse();
    match command.run(&Context::new(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let Explanation { sentence, hint } = told(&error);
            anstream::eprintln!("{} {sentence}", output::paint("error:", output::BAD));
            if let Some(hint) = hint {
                anstream::eprintln!("{} {hint}", output::paint("hint:", output::ACCENT));
            }
            exit_code(&error)
        }
    }
}

/// The cluster's failure in an error, however deep.
fn cluster_error(error: &anyhow::Error) -> Option<&ClusterError> {
    error.chain().find_map(|cause| match cause.downcast_ref::<AccountError>() {
        Some(AccountError::Cluster(inner)) => Some(inner),
        _ => cause.downcast_ref::<ClusterError>(),
    })
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    match cluster_error(error) {
        Some(ClusterError::Unreachable(_) | ClusterError::Unknown { .. }) => code::NO_CLUSTER.into(),
        Some(ClusterError::Expired { .. }) => code::EXPIRED.into(),
        _ if error.is::<WrongCluster>() => code::NO_CLUSTER.into(),
        _ if error.is::<UsageError>() => code::USAGE.into(),
        _ if error.is::<CheckFailed>() => code::CHECK_FAILED.into(),
        _ => ExitCode::FAILURE,
    }
}

/// An error as its one sentence and, where there is one, a hint.
fn told(error: &anyhow::Error) -> Explanation {
    let hint = |text: &str| Some(text.to_owned());
    if let Some(failure) = cluster_error(error) {
        return explain(failure);
    }
    let hint = match error.downcast_ref::<Hinted>() {
        Some(hinted) => hint(&hinted.hint),
        None if error.is::<WrongCluster>() => hint("check --url: it names the cluster"),
        None if error.is::<UsageError>() => hint("see --help"),
        None => match error.downcast_ref() {
            Some(AccountError::Missing { what, .. } | AccountError::Other { what, .. }) => Some(where_to_look(what)),
            _ if error.root_cause().is::<std::io::Error>() => hint("check the path, and who may read it"),
            _ => None,
        },
    };
    Explanation { sentence: format!("{error:#}"), hint }
}

/// Where accounts of a kind are shown.
fn where_to_look(what: &str) -> String {
    match what {
        "protocol" => "`backstop init` sets the protocol up; check --url".into(),
        "exit ticket" => "check the address and --url; `backstop pool exit list` shows the tickets of a wallet".into(),
        "pool" | "product" | "cover" | "incident" | "treaty" => {
            format!("check the address and --url; `backstop {what} list` shows them all")
        }
        _ => "check the address and --url".into(),
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
            assert_eq!(Cli::try_parse_from(line).map(|cli| cli.options.output).ok(), Some(output::Output::Json));
        }
    }
}
