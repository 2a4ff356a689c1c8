//! `backstop feed define`.

use crate::commands::context::{Context, hinted};
use crate::output::card;
use anyhow::Result;
use backstop::cpi::text::hex_text;
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

/// Tell the feed that a text defines: its sha-256, byte by byte. Publish the text; a feed is no more than that.
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
}

fn define(args: &DefineArgs, context: &Context) -> Result<()> {
    let name = args.definition.display();
    let text = std::fs::read(&args.definition)
        .map_err(|why| hinted(format!("the definition {name} cannot be read: {why}"), "name a file with the text"))?;
    if text.is_empty() {
        return Err(hinted(format!("the definition {name} is empty"), "it says source, unit, rounding and period"));
    }
    let defined = Defined { feed: hex_text(&feed_of(&text)), bytes: text.len() };
    context.options.output.print(&defined, |defined| {
        card("A feed of reports", &[("feed", defined.feed.clone()), ("bytes", defined.bytes.to_string())])
    })
}
