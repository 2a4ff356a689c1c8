//! Command lines that are not understood, and the ones that ask for help or the version.

use crate::Cli;
use crate::failure::Failure;
use crate::output::Output;
use anchor_lang::prelude::Pubkey;
use backstop_client::{deployment, redact};
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};
use std::process::ExitCode;
use std::str::FromStr;

type ParsePubkeyError = <Pubkey as FromStr>::Err;

/// Says what is wrong with the command line, or what it asks for.
pub fn end(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayVersion {
        println!("{}", version());
        return ExitCode::SUCCESS;
    }
    if !error.use_stderr() {
        // Nobody may listen any more: `| head`.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let help = "for more information, try '--help'";
    let negative = negative(error);
    if let Some(output) = wanted_output(&arguments) {
        let message = negative.unwrap_or_else(|| sentence(&clean(&plain(error), &arguments)));
        Failure { code: 2, name: "Usage".into(), message, hint: Some(help.into()), exit_code: 2, signature: None }
            .tell(output);
    } else if let Some(message) = negative {
        Failure { code: 2, name: "Usage".into(), message, hint: Some(help.into()), exit_code: 2, signature: None }
            .tell(Output::Display);
    } else {
        let error = without_environment(error);
        anstream::eprint!("{}", clean(&error.render().ansi().to_string(), &arguments));
    }
    ExitCode::from(2)
}

/// What this build is: its version, the commit that it was built from, and the program that it works with.
pub fn version() -> String {
    let commit = option_env!("BACKSTOP_COMMIT").unwrap_or("unknown");
    format!(
        "backstop {}\ncommit   {commit}\nprogram  {}\nsha256   {}",
        env!("CARGO_PKG_VERSION"),
        backstop::ID,
        deployment::code_hash(deployment::committed_code())
    )
}

/// The same mistake told by what was written alone: settings of the environment are not part of the usage line.
fn without_environment(error: &clap::Error) -> clap::Error {
    fn strip(command: Command) -> Command {
        command.mut_args(|argument| argument.env(Resettable::Reset)).mut_subcommands(strip)
    }
    match strip(Cli::command()).try_get_matches_from(std::env::args_os()) {
        Err(same) if same.kind() == error.kind() => same,
        // It is a setting of the environment that is wrong.
        _ => clap::Error::raw(error.kind(), plain(error).trim_start_matches("error: ").to_owned() + "\n")
            .with_cmd(&Cli::command()),
    }
}

fn plain(error: &clap::Error) -> String {
    error.render().to_string()
}

/// The first line of what was said.
fn sentence(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.is_empty() && !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

/// A number that is negative looks like an option.
fn negative(error: &clap::Error) -> Option<String> {
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let number = argument.strip_prefix('-')?;
    let is_number = number.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    (error.kind() == ErrorKind::UnknownArgument && is_number)
        .then(|| format!("{} is negative, and no amount or number here is", redact::shown(argument)))
}

/// A text without what was given as a key, whether in an argument or in the environment, and with a plain word for what is
/// no address.
fn clean(text: &str, arguments: &[String]) -> String {
    let settings = std::env::vars().filter(|(name, _)| name.starts_with("BACKSTOP_")).map(|(_, value)| value);
    let mut text = text.to_owned();
    for given in arguments.iter().cloned().chain(settings) {
        let value = given.split_once('=').filter(|_| given.starts_with("--")).map(|(_, value)| value.to_owned());
        for secret in [Some(given), value].into_iter().flatten().filter(|value| redact::secret(value).is_some()) {
            text = text.replace(&secret, redact::HIDDEN);
        }
    }
    for why in [ParsePubkeyError::WrongSize, ParsePubkeyError::Invalid] {
        text = text
            .replace(&why.to_string(), "it is no address, which is 32 bytes in base58: 32 to 44 letters and digits");
    }
    redact::text(&text).into_owned()
}

/// The format for machines that a command line asks for, as far as it can be read.
fn wanted_output(arguments: &[String]) -> Option<Output> {
    let named = arguments.iter().zip(arguments.iter().skip(1)).filter(|(flag, _)| *flag == "--output");
    let joined = arguments.iter().filter_map(|word| word.strip_prefix("--output="));
    let mut formats = named.map(|(_, format)| format.as_str()).chain(joined);
    formats.find_map(|format| match format {
        "json" => Some(Output::Json),
        "json-compact" => Some(Output::JsonCompact),
        _ => None,
    })
}
