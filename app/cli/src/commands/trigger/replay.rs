//! `backstop trigger replay`: prices of the past, shown to the real program.

use crate::commands::CheckFailed;
use crate::commands::args::{bps, hundredths, price, seconds};
use crate::commands::context::hinted;
use crate::commands::product::DirectionArg;
use crate::output::{Output, listing, moment, span, table};
use anyhow::{Context, Result};
use backstop::peril::evidence::{Severity, TermsInput};
use backstop_sandbox::replay::{self, Replay, price_text};
use clap::Args;
use std::fs::File;
use std::path::PathBuf;

const EXAMPLE: &str = "\
Example:
  backstop trigger replay --prices usdc.csv --threshold 0.95 --recovery 0.96 --full-loss 0.80 \\
    --duration 4h --slot 30m --tolerance 30m --challenge 6h";

/// Replays prices through the on-chain program and says what a trigger would have done.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct ReplayArgs {
    /// CSV file of rows `unix_time,price[,confidence]`, sorted by time.
    #[arg(long, value_name = "FILE")]
    pub prices: PathBuf,
    /// Which prices are insured against: those below the threshold, or those above it.
    #[arg(long, value_enum, default_value_t = DirectionArg::Below)]
    pub direction: DirectionArg,
    /// A price below this is a breach; with `--direction above` one above it.
    #[arg(long, value_name = "PRICE", value_parser = price)]
    pub threshold: u64,
    /// A price at or above this is a recovery; with `--direction above` one at or below it.
    #[arg(long, value_name = "PRICE", value_parser = price)]
    pub recovery: u64,
    /// How long the breach must last, e.g. 4h.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub duration: u32,
    /// Length of a slot, e.g. 30m.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub slot: u32,
    /// How much of the breach may be without evidence, e.g. 30m.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub tolerance: u32,
    /// How long a met trigger waits to be contradicted, e.g. 6h.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub challenge: u32,
    /// How many confidences a price must be away from the threshold.
    #[arg(long, value_name = "TIMES", default_value = "2", value_parser = hundredths)]
    pub confidence_multiplier: u16,
    /// Mean price at which everything is paid; without it every trigger pays in full.
    #[arg(long, value_name = "PRICE", value_parser = price)]
    pub full_loss: Option<u64>,
    /// With a full-loss price, least that a trigger pays, in percent of the sum insured.
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = bps::<u16>)]
    pub min_severity: u16,
    /// With a full-loss price, how long after the breach a fall may go on and be paid, e.g. 3days or 259200s.
    #[arg(long, value_name = "DURATION", default_value = "3days", value_parser = seconds)]
    pub run_on: u32,
}

impl ReplayArgs {
    /// The condition in the program's units.
    pub fn condition(&self) -> TermsInput {
        let (severity, run_on_seconds) = match self.full_loss {
            Some(full_loss_price) => {
                (Severity::Linear { full_loss_price, min_severity_bps: self.min_severity }, self.run_on)
            }
            None => (Severity::Binary, 0),
        };
        TermsInput {
            direction: self.direction.direction(),
            threshold: self.threshold,
            recovery: self.recovery,
            severity,
            duration_seconds: self.duration,
            slot_seconds: self.slot,
            tolerance_seconds: self.tolerance,
            challenge_seconds: self.challenge,
            run_on_seconds,
            // Nothing is sold in a replay.
            quiet_seconds: self.duration,
            confidence_multiplier: self.confidence_multiplier,
        }
    }
}

/// Runs the command.
pub fn run(args: &ReplayArgs, output: Output) -> Result<()> {
    let name = args.prices.display();
    let file = File::open(&args.prices).with_context(|| format!("cannot open {name}"))?;
    let prices = replay::read_prices(file).map_err(|why| {
        let hint = "rows are `unix_time,price` or `unix_time,price,confidence`, sorted by time";
        hinted(format!("cannot read {name}: {why}"), hint)
    })?;
    let found = replay::run(&prices, &args.condition())?;
    output.print(&found, report)?;
    match &found.first_refusal {
        None => Ok(()),
        Some(row) => {
            let count = format!("{} of {} rows were refused", found.refused, found.observations);
            Err(CheckFailed(format!("{count}, the first of {}: {}", moment(row.publish_time), row.why)).into())
        }
    }
}

/// Basis points in percent.
fn part(bps: u16) -> String {
    format!("{}.{:02} %", bps / 100, bps % 100)
}

/// The result for people.
fn report(found: &Replay) -> String {
    let mut text = match found.fired.len() {
        0 => "The trigger would not have fired.\n".to_owned(),
        1 => "The trigger would have fired once.\n".to_owned(),
        times => format!("The trigger would have fired {times} times.\n"),
    };
    if !found.fired.is_empty() {
        let mut table =
            table(&["event", "met", "proven (T)", "mean price", "pays", "deepest", "in the end"], &[3, 4, 5, 6]);
        for fired in &found.fired {
            table.add_row([
                moment(fired.event_at),
                moment(fired.met_at),
                moment(fired.final_at),
                price_text(fired.first_mean_e8),
                part(fired.first_severity_bps),
                price_text(fired.deepest_mean_e8),
                part(fired.severity_bps),
            ]);
        }
        text.push_str(&listing(&table));
    }
    let credited = span(i64::try_from(found.longest_credited_s).unwrap_or(i64::MAX));
    text.push_str(&format!("Longest credited: {credited}.\n"));
    text.push_str(&format!(
        "{} observations by the on-chain program, {} refused, in {:.1} s ({:.0} per second).",
        found.observations, found.refused, found.seconds, found.observations_per_second
    ));
    text
}
