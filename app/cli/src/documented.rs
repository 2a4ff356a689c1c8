//! Every `backstop` command that README, the book and the help texts show is one that this binary takes.

use crate::Cli;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::fs;
use std::path::{Path, PathBuf};

/// What stands for an address in a command that somebody fills in.
const PLACEHOLDERS: &[&str] = &[
    "ACCOUNT",
    "ADDRESS",
    "ALICE",
    "COVER",
    "INCIDENT",
    "KEY",
    "MULTISIG",
    "PAYEE",
    "POLICY",
    "POOL",
    "POSITION",
    "PRODUCT",
    "SET",
    "TICKET",
    "TOKEN_ACCOUNT",
    "TREATY",
    "WALLET",
];
/// What stands for a mint in a pool's or a product's name.
const MINTS: [&str; 2] = ["USDT", "USDC"];
const SOME_ADDRESS: &str = "11111111111111111111111111111112";
/// 64 bytes of zero in base58.
const SOME_SIGNATURE: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
        match path.is_dir() {
            true => pages(&path, into),
            false if path.extension().is_some_and(|ending| ending == "md") => into.push(path),
            false => {}
        }
    }
}

/// The words of a command as a shell takes them apart, without what follows it in the line.
fn words(command: &str) -> Vec<String> {
    let command = [" | ", " > ", " #"].iter().fold(command, |rest, end| rest.split(end).next().unwrap_or_default());
    let unquoted = command.split(['\'', '"']).enumerate();
    let words = unquoted.flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words
        .map(|word| match word.as_str() {
            "ADDRESS=SIGNATURE" => format!("{SOME_ADDRESS}={SOME_SIGNATURE}"),
            name if PLACEHOLDERS.contains(&name) => SOME_ADDRESS.to_owned(),
            // A pool or a product of a mint.
            name => match name.split_once('/') {
                Some((mint, number)) if MINTS.contains(&mint) => format!("{SOME_ADDRESS}/{number}"),
                _ => word,
            },
        })
        .collect()
}

/// Why this binary does not take a command; nothing if it does. `whole`: it is meant to be run as it stands, while one in
/// a sentence may leave out what it needs.
fn refusal(command: &str, whole: bool) -> Option<String> {
    let error = Cli::try_parse_from(words(command)).err()?;
    let incomplete = matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::InvalidValue
    );
    let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!help && (whole || !incomplete)).then(|| error.to_string())
}

/// Commands in code blocks; a line that ends with a backslash goes on in the next.
fn blocks(text: &str) -> Vec<String> {
    // What a shell fills in is a placeholder, too: `$POOL`.
    let joined = text.replace("\\\n", " ").replace('$', "");
    let lines = joined.lines().map(str::trim).filter(|line| line.starts_with("backstop "));
    lines.map(str::to_owned).collect()
}

/// Commands between backticks in a sentence.
fn inline(text: &str) -> Vec<String> {
    let sentences = text.lines().filter(|line| !line.starts_with("    "));
    let codes = sentences.flat_map(|line| line.split('`').skip(1).step_by(2));
    codes.filter(|code| code.starts_with("backstop ")).map(|code| code.replace('$', "")).collect()
}

#[test]
fn every_command_in_readme_and_the_book_is_one() {
    let mut files: Vec<PathBuf> = Vec::new();
    pages(&root().join("docs/src"), &mut files);
    let beside = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "migrations/README.md"];
    files.extend(beside.iter().map(|page| root().join(page)));
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let whole = blocks(&text).into_iter().map(|command| (command, true));
        for (command, whole) in whole.chain(inline(&text).into_iter().map(|command| (command, false))) {
            seen += 1;
            if let Some(why) = refusal(&command, whole) {
                let name = file.strip_prefix(root()).unwrap_or(&file).display();
                wrong.push(format!("{name}: {command}\n  {}", why.lines().next().unwrap_or_default()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} commands are not taken:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 60, "only {seen} commands were found");
}

fn examples(command: &clap::Command, into: &mut Vec<String>) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    into.extend(blocks(&help));
    command.get_subcommands().for_each(|child| examples(child, into));
}

#[test]
fn every_example_in_a_help_text_is_a_command() {
    let mut all = Vec::new();
    examples(&Cli::command(), &mut all);
    let wrong = all.iter().filter_map(|command| refusal(command, true).map(|why| format!("{command}\n  {why}")));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_command_is_found() {
    assert!(refusal("backstop pool lisst", false).is_some());
    assert!(refusal("backstop pool show --walet ALICE", false).is_some());
    assert!(refusal("backstop pool show", false).is_none(), "a sentence may leave out the pool");
    assert!(refusal("backstop pool show", true).is_some(), "a block may not");
    assert!(refusal("backstop pool show POOL --wallet ALICE   # paid out", true).is_none());
    assert_eq!(words("backstop x 'a b' \"c\" | jq ."), ["backstop", "x", "a b", "c"]);
}
