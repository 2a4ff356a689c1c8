//! `backstop demo`: March 2023 on the real program, and whether it came out as it had to.

mod page;
mod picture;
mod verdict;

use super::CheckFailed;
use crate::commands::context::{UsageError, hinted};
use crate::output::{self, Output};
use backstop_sandbox::demo::{self, Report, Scenario};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Replay the USDC depeg of March 2023 on the real program, in this process.
///
/// Starts an embedded Solana cluster, loads the compiled program, founds a pool and reinsures it, sells
/// covers, shows 61 real prices to two triggers, calls the reinsurance, pays what became due, and
/// compares everything with what the rules say. Needs no network and no keys. Exits with 3 if anything is not as it has to be.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "Example:\n  backstop demo\n  backstop demo --pace\n  backstop demo --picture demo.svg\n  \
                  backstop demo --output json | jq .checks"
)]
pub struct DemoArgs {
    /// Show it line by line, with a rest after each: a fifth of a second if no other is named.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "200ms",
          value_parser = humantime::parse_duration)]
    pace: Option<Duration>,
    /// Also draw what happened into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &DemoArgs, output: Output) -> anyhow::Result<()> {
    if let Some(file) = &args.picture
        && file.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("svg"))
    {
        return Err(
            UsageError(format!("--picture draws SVG: name a file that ends in .svg, not {}", file.display())).into()
        );
    }
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("  {bar:30.cyan} {pos:>3}/{len}  {msg}")?);
    let report = demo::play(&Scenario::march_2023(), &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(progress.next.to_owned());
    });
    bar.finish_and_clear();
    let report = report?;
    if let Some(file) = &args.picture {
        let name = file.display();
        std::fs::write(file, picture::draw(&report)).map_err(|why| {
            hinted(
                format!("the picture {name} cannot be written: {why}"),
                "--picture names a file in a directory of yours",
            )
        })?;
        anstream::eprintln!("{} {name}", output::paint("drawn:", output::QUIET));
    }
    match args.pace.filter(|_| output == Output::Display) {
        Some(rest) => tell_slowly(&page::display(&report, output::width()), rest)?,
        None => output.print(&report, |report| page::display(report, output::width()))?,
    }
    verdict(&report)
}

/// Prints a text line by line, with a rest after each, and a longer one before a new section.
fn tell_slowly(text: &str, rest: Duration) -> anyhow::Result<()> {
    /// Rests before a section.
    const SECTION: u32 = 5;
    let mut blank = false;
    for line in text.trim_end().lines() {
        let heading = blank && output::plain(line).trim_start().starts_with(|first: char| first.is_ascii_digit());
        std::thread::sleep(if heading { rest.saturating_mul(SECTION) } else { rest });
        blank = line.trim().is_empty();
        match writeln!(anstream::stdout(), "{line}") {
            // Whoever reads has seen enough.
            Err(why) if why.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}

/// An error that names what does not hold, if anything.
fn verdict(report: &Report) -> anyhow::Result<()> {
    let failures: Vec<_> = report
        .failures()
        .map(|check| format!("{}: expected {}, found {}", check.statement, check.expected, check.actual))
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    let what = if failures.len() == 1 { "1 outcome is".into() } else { format!("{} outcomes are", failures.len()) };
    Err(CheckFailed(format!("{what} not as it had to be\n  {}", failures.join("\n  "))).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_does_not_hold_is_named_and_fails_the_command() {
        let mut report = demo::run().expect("the demo plays to its end");
        assert!(verdict(&report).is_ok());
        let check = report.checks.first_mut().expect("there are checks");
        check.holds = false;
        check.actual = "quiet".into();
        let error = verdict(&report).expect_err("a check does not hold");
        assert!(error.is::<CheckFailed>());
        assert!(error.to_string().contains("expected final, found quiet"), "{error}");
        assert!(page::display(&report, 100).contains('✘'));
    }
}
