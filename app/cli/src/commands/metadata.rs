//! `backstop metadata`: the files that URIs of products and pools must point to.

use super::migrate::{assignment, unread};
use crate::commands::context::{Context, UsageError, hinted};
use crate::output::{GOOD, HEADING, WATCH, card, paint};
use anyhow::{Context as _, Result};
use backstop_client::metadata::{self, MetadataError, Places, Shown};
use backstop_client::migration;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The commands on metadata.
#[derive(Debug, Subcommand)]
pub enum MetadataCommand {
    Build(BuildArgs),
}

impl MetadataCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Build(args) => build(&args, context),
        }
    }
}

const EXAMPLE: &str = "\
Example:
  backstop metadata build --plan migrations/0003_usdt_products.toml --base https://meta.example.org --out files";

/// Write the files that wallets show of covers and shares, each named by the sha-256 of its bytes.
///
/// Reads plans, asks no cluster, and prints the URI for each product and pool: it goes into the plan before it is applied,
/// as the program keeps it for good. The directory can be copied to any server, or hosted by `backstop serve --metadata`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct BuildArgs {
    /// A plan, or a folder of plans.
    #[arg(long, value_name = "PATH")]
    plan: PathBuf,
    /// A value for a plan's `${NAME}`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Where the files will be: a URL of 26 letters at most, as the program takes URIs of 96.
    #[arg(long, value_name = "URL")]
    base: String,
    /// A page that shows pools.
    #[arg(long, value_name = "URL")]
    page: Option<String>,
    /// The directory to write them to; it is made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Built {
    #[serde(flatten)]
    shown: Shown,
    matches_plan: bool,
    files: Vec<String>,
}

fn build(args: &BuildArgs, context: &Context) -> Result<()> {
    let values: BTreeMap<String, String> = args.set.iter().cloned().collect();
    let plans = migration::load(&args.plan, &values).map_err(unread)?;
    let places = Places::new(&args.base, args.page.as_deref()).map_err(|why| UsageError(why.to_string()))?;
    let folder = if args.plan.is_dir() { args.plan.clone() } else { args.plan.with_file_name("") };
    let all = metadata::of_plans(&plans, &places, |_, wording| fs::read(folder.join(wording))).map_err(|why| {
        let hint = match &why {
            MetadataError::TooLong { .. } => "--base takes 26 letters at most",
            MetadataError::Wording(_) => "a plan names it from its own folder",
            MetadataError::Base(_) | MetadataError::Page(_) | MetadataError::Condition { .. } => {
                "migrations/URI.md and README.md tell what is taken"
            }
        };
        hinted(why.to_string(), hint)
    })?;
    let unwritten = || format!("{} cannot be written", args.out.display());
    fs::create_dir_all(&args.out).with_context(unwritten)?;
    for file in all.iter().flat_map(|shown| &shown.files) {
        fs::write(args.out.join(&file.name), &file.bytes).with_context(unwritten)?;
    }
    let built: Vec<Built> = all
        .into_iter()
        .map(|shown| Built {
            matches_plan: shown.is_planned(),
            files: shown.files.iter().map(|file| file.name.clone()).collect(),
            shown,
        })
        .collect();
    context.options.output.print(&built, |built| {
        let mut text = String::new();
        for one in built {
            let mut rows = vec![("uri", one.shown.uri.clone())];
            if one.matches_plan {
                rows.push(("plan", paint("has it", GOOD)));
            } else {
                rows.push(("plan", paint(format!("has {}", one.shown.planned), WATCH)));
            }
            text.push_str(&card(&paint(&one.shown.name, HEADING).to_string(), &rows));
            text.push('\n');
        }
        let number: usize = built.iter().map(|one| one.files.len()).sum();
        format!("{text}{number} files are in {}.", args.out.display())
    })
}
