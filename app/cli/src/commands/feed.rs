//! `backstop feed define`.

use crate::commands::context::{Context, hinted};
use crate::output::card;
use anyhow::Result;
use backstop::border::text::hex_text;
use backstop::peril::feed::attested::ReportKind;
use backstop_client::attest::definition::Definition;
use backstop_client::attest::feed_of;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;

/// The commands on feeds of reports.
#[derive(Debug, Subcommand)]
pub enum FeedCommand {
    Define(DefineArgs),
}

impl FeedCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Define(args) => define(&args, context),
        }
    }
}

/// Tell the feed that a text defines: its sha-256, byte by byte. Publish the text; a feed is no more than that. Fails, after it
/// has told the feed, on a text that `backstop attest serve` cannot sign.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop feed define rain-nairobi.md")]
pub struct DefineArgs {
    /// The text: source, unit, rounding and period of what is reported, and what to do where the source is silent.
    #[arg(value_name = "FILE")]
    definition: PathBuf,
}

#[derive(Serialize)]
struct Defined {
    feed: String,
    bytes: usize,
    /// What signers read of it, where it tells them all they need.
    #[serde(skip_serializing_if = "Option::is_none")]
    signers: Option<Signers>,
}

#[derive(Serialize)]
struct Signers {
    /// `value`, or `loss`.
    kind: &'static str,
    unit: String,
    exponent: i32,
    least: String,
    most: String,
    every_seconds: i64,
    oldest_seconds: i64,
}

fn define(args: &DefineArgs, context: &Context) -> Result<()> {
    let name = args.definition.display();
    let text = std::fs::read(&args.definition)
        .map_err(|why| hinted(format!("the definition {name} cannot be read: {why}"), "name a file with the text"))?;
    if text.is_empty() {
        return Err(hinted(format!("the definition {name} is empty"), "it says source, unit, rounding and period"));
    }
    let terms = Definition::read(&text);
    let signers = terms.as_ref().ok().map(|terms| Signers {
        kind: match terms.kind {
            ReportKind::Value => "value",
            ReportKind::Event => "loss",
        },
        unit: terms.unit.clone(),
        exponent: terms.exponent,
        least: terms.least.to_string(),
        most: terms.most.to_string(),
        every_seconds: terms.every,
        oldest_seconds: terms.oldest,
    });
    let defined = Defined { feed: hex_text(&feed_of(&text)), bytes: text.len(), signers };
    context.options.output.print(&defined, |defined| {
        let mut rows = vec![("feed", defined.feed.clone()), ("bytes", defined.bytes.to_string())];
        if let Some(terms) = &defined.signers {
            let decimals = terms.exponent.unsigned_abs();
            let what = if terms.kind == "loss" { "a loss in " } else { "" };
            rows.push(("unit", format!("{what}{}, with {decimals} decimals", terms.unit)));
            rows.push(("from, to", format!("{}, {}", terms.least, terms.most)));
            rows.push(("every", format!("{} s", terms.every_seconds)));
        }
        card("A feed of reports", &rows)
    })?;
    match terms {
        Ok(_) => Ok(()),
        Err(why) => Err(hinted(
            format!("`backstop attest serve` cannot sign the definition {name}: {why}"),
            "`backstop attest serve --help` tells its lines; by `backstop attest sign --feed` people can",
        )),
    }
}
