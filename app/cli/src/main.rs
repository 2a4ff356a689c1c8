//! The `backstop` command.

mod commands;
#[cfg(test)]
mod documented;
mod failure;
mod output;
mod usage;

use backstop::error::BackstopError;
use backstop_client::account::AccountError;
use backstop_client::cluster::ClusterError;
use backstop_client::explain::{Explanation, explain, refusal_of};
use clap::Parser;
use commands::context::{Context, Hinted, Options, UsageError, WrongCluster};
use commands::{CheckFailed, Command};
use failure::Failure;
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

With --output json the last line of stderr is then an object: error with code, name, message, hint, exit_code.

Example:
  backstop demo
  backstop demo --output json | jq .covers";

/// The exit codes that are not 0.
mod code {
    pub const FAILURE: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const CHECK_FAILED: u8 = 3;
    pub const NO_CLUSTER: u8 = 4;
    pub const EXPIRED: u8 = 5;
}

fn main() -> ExitCode {
    let Cli { options, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::end(&error),
    };
    let output = options.output;
    match command.run(&Context::new(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let Explanation { sentence, hint } = told(&error);
            let code = exit_code(&error);
            let signature =
                cluster_error(&error).and_then(ClusterError::signature).map(|signature| signature.to_string());
            let (number, name) = (number(&error), name(&error));
            Failure { code: number, name, message: sentence, hint, exit_code: code, signature }.tell(output);
            code.into()
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

fn exit_code(error: &anyhow::Error) -> u8 {
    match cluster_error(error) {
        Some(ClusterError::Unreachable(_) | ClusterError::Unknown { .. }) => code::NO_CLUSTER,
        Some(ClusterError::Expired { .. }) => code::EXPIRED,
        _ if error.is::<WrongCluster>() => code::NO_CLUSTER,
        _ if error.is::<UsageError>() => code::USAGE,
        _ if error.downcast_ref::<Hinted>().is_some_and(|hinted| hinted.usage) => code::USAGE,
        _ if error.is::<CheckFailed>() => code::CHECK_FAILED,
        _ => code::FAILURE,
    }
}

/// The program's refusal in an error, if it is one.
fn refusal(error: &anyhow::Error) -> Option<BackstopError> {
    let ran_here = || error.downcast_ref::<Hinted>().and_then(|hinted| hinted.refusal);
    cluster_error(error).and_then(refusal_of).or_else(ran_here)
}

/// What machines know an error by: the number of the program's error, else the exit code.
fn number(error: &anyhow::Error) -> u32 {
    refusal(error).map_or_else(|| exit_code(error).into(), u32::from)
}

/// What machines know an error by: the program's name for its error, else the kind of failure.
fn name(error: &anyhow::Error) -> String {
    if let Some(refusal) = refusal(error) {
        return format!("{refusal:?}");
    }
    let missing = matches!(error.downcast_ref(), Some(AccountError::Missing { .. } | AccountError::Other { .. }));
    let name = match (cluster_error(error), exit_code(error)) {
        (Some(ClusterError::Unreachable(_)), _) => "ClusterUnreachable",
        (Some(ClusterError::Refused(_)), _) => "ClusterRefused",
        (Some(ClusterError::Unsignable(_)), _) => "Unsignable",
        (Some(ClusterError::Failed { .. }), _) => "TransactionFailed",
        (Some(ClusterError::Expired { .. }), _) => "Expired",
        (Some(ClusterError::Unknown { .. }), _) => "OutcomeUnknown",
        (None, code::USAGE) => "Usage",
        (None, code::CHECK_FAILED) => "CheckFailed",
        (None, code::NO_CLUSTER) => "WrongCluster",
        (None, _) if missing => "AccountNotFound",
        (None, _) => "Refused",
    };
    name.into()
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
            Some(AccountError::NoCondition { .. }) => hint("`backstop product show` tells its state"),
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
