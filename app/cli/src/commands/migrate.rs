//! `backstop migrate`.

use crate::commands::CheckFailed;
use crate::commands::context::{Context, hinted};
use crate::commands::handover;
use crate::output::{self, BAD, GOOD, HEADING, QUIET, WATCH, hanging, paint};
use anchor_lang::prelude::Pubkey;
use anstyle::Style;
use anyhow::Result;
use backstop_client::handover::Handover;
use backstop_client::migration::{self, Item, PlanError, Standing, Step};
use backstop_client::redact;
use clap::Args;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Compute units that a step may take where it is printed, not simulated: the runtime's most.
const PRINTED_LIMIT: u32 = 1_400_000;

const EXAMPLE: &str = "\
Example:
  backstop migrate --plan migrations/0002_usdc_pool.toml
  backstop migrate --plan migrations --set governance=MULTISIG --set guardian=WALLET --dry-run";

/// Bring the chain to what plans state: the protocol, pools, products, treaties.
///
/// Prints how the chain differs from the plans, asks, and sends one transaction for each missing step. Doing it again
/// changes nothing; stopped half-way, it goes on where it was. Exit code 3 if a plan states what cannot be.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct MigrateArgs {
    /// A plan, or a folder of plans: all of them, in the order of their numbers.
    #[arg(long, value_name = "PATH")]
    plan: PathBuf,
    /// A value for a plan's `${NAME}`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

/// A value for a plan: `NAME=VALUE`.
pub fn assignment(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or_else(|| format!("{} is not NAME=VALUE", redact::shown(text)))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Serialize)]
struct Done {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    handover: Option<Handover>,
}

#[derive(Serialize)]
struct Migration {
    status: &'static str,
    items: Vec<Item>,
    done: Vec<Done>,
}

pub fn run(args: &MigrateArgs, context: &Context) -> Result<()> {
    let values: BTreeMap<String, String> = args.set.iter().cloned().collect();
    let plans = migration::load(&args.plan, &values).map_err(unread)?;
    let cluster = context.cluster()?;
    let items = migration::difference(cluster, &plans, context.payer()?)?;
    let conflicts = items.iter().filter(|item| item.standing == Standing::Conflict).count();
    let steps: Vec<Step> = items.iter().flat_map(|item| item.steps.clone()).collect();
    let waits = items.iter().any(|item| item.standing == Standing::Waits);
    let mut migration = Migration { status: "planned", items, done: Vec::new() };
    if conflicts > 0 {
        migration.status = "conflict";
        context.options.output.print(&migration, |it| difference(&it.items))?;
        let sentence = format!("{conflicts} of {} items conflict: nothing was sent", migration.items.len());
        return Err(CheckFailed(sentence).into());
    }
    if steps.is_empty() {
        migration.status = if waits { "waits" } else { "unchanged" };
        let last = if waits { "Nothing to do until then." } else { "Nothing to do." };
        return context.options.output.print(&migration, |it| difference(&it.items) + last);
    }
    if context.options.dry_run {
        return context.options.output.print(&migration, |it| difference(&it.items) + "Nothing was sent.");
    }
    anstream::eprint!("{}", difference(&migration.items));
    require_signer(&steps, context)?;
    let number = steps.len();
    let transactions = if number == 1 { "1 transaction".into() } else { format!("{number} transactions") };
    let options = &context.options.handover;
    if options.prints() {
        context.ask(&format!("{} {transactions}?", if options.sign_only { "Sign and print" } else { "Print" }))?;
        migration.status = if options.sign_only { "signed" } else { "printed" };
        migration.done = steps.iter().map(|step| printed(step, context)).collect::<Result<_>>()?;
        if let Some(last) = migration.done.last().and_then(|done| done.handover.as_ref()) {
            handover::tell(last, context.cluster()?, options);
        }
        let printed = |it: &Migration| {
            it.done
                .iter()
                .filter_map(|done| done.handover.as_ref())
                .map(|one| handover::text(one, options))
                .collect::<Vec<_>>()
        };
        return context.options.output.print(&migration, |it| printed(it).join("\n"));
    }
    context.ask(&format!("Send {transactions}?"))?;
    for (index, step) in steps.iter().enumerate() {
        let signature = send(step, context).map_err(|error| {
            let again = format!("step {} of {number}, {}", index + 1, step.what);
            error.context(again)
        })?;
        anstream::eprintln!("{} {}  {}", paint("Confirmed:", GOOD), step.what, paint(&signature, QUIET));
        migration.done.push(Done { what: step.what.clone(), signature: Some(signature), handover: None });
    }
    migration.status = "confirmed";
    context.options.output.print(&migration, |it| format!("{} of {number} steps are done.", it.done.len()))
}

/// A plan that could not be read, with what to do.
pub fn unread(error: PlanError) -> anyhow::Error {
    let hint = match &error {
        PlanError::Missing { names, .. } => {
            format!("give {}", names.iter().map(|name| format!("--set {name}=VALUE")).collect::<Vec<_>>().join(" "))
        }
        PlanError::Unused(_) => "check the name after --set".into(),
        PlanError::Wrong { .. } => "migrations/README.md tells what a plan says, and how".into(),
        PlanError::Unreadable { .. } | PlanError::NoPlans(_) | PlanError::Twice(_) => {
            "--plan names a plan, or a folder of them".into()
        }
    };
    hinted(error.to_string(), hint)
}

/// Refuses before anything is sent if somebody else must sign.
fn require_signer(steps: &[Step], context: &Context) -> Result<()> {
    let here: BTreeSet<Pubkey> = [context.wallet()?, context.payer()?].into();
    let Some(step) = steps.iter().find(|step| !here.contains(&step.signer)) else { return Ok(()) };
    let sentence = format!("{} must sign: {}", step.signer, step.what);
    let hint = "--keypair names the signer; with its address and --print-tx the transactions are printed for it";
    Err(hinted(sentence, hint))
}

fn send(step: &Step, context: &Context) -> Result<String> {
    let pipeline = context.pipeline()?;
    let prepared = pipeline.prepare(std::slice::from_ref(&step.instruction))?;
    Ok(context.send(&prepared)?.signature.to_string())
}

/// A step as a transaction to be signed elsewhere. It is not simulated: it may need those before it.
fn printed(step: &Step, context: &Context) -> Result<Done> {
    let (pipeline, instructions) = (context.pipeline()?, std::slice::from_ref(&step.instruction));
    let plan = pipeline.plan_with_limit(instructions, PRINTED_LIMIT)?;
    let prepared = match context.options.handover.sign_only {
        true => pipeline.sign(instructions, plan)?,
        false => pipeline.draft(instructions, plan)?,
    };
    let handover = Some(Handover::new(&prepared, instructions));
    Ok(Done { what: step.what.clone(), signature: None, handover })
}

/// Columns before what is said of an item.
const INDENT: usize = 12;

/// Plans against the chain, for people.
fn difference(items: &[Item]) -> String {
    let mut text = String::new();
    let mut plan = "";
    for item in items {
        if item.plan != plan {
            plan = &item.plan;
            text.push_str(&format!("{}\n", paint(plan, HEADING)));
        }
        let (word, style) = standing(item.standing);
        text.push_str(&format!("  {} ", paint(format!("{word:<9}"), style)));
        text.push_str(&hanging(&item.what, INDENT, Style::new()));
        let mut below = |said: &str, style| text.push_str(&format!("{:INDENT$}{}", "", hanging(said, INDENT, style)));
        for field in &item.fields {
            below(&format!("{}: {} on chain, {} planned", field.name, field.chain, field.plan), Style::new());
        }
        for step in item.steps.iter().skip(usize::from(item.standing == Standing::Create)) {
            below(&step.what, Style::new());
        }
        for note in &item.notes {
            below(note, output::QUIET);
        }
    }
    text
}

const fn standing(standing: Standing) -> (&'static str, Style) {
    match standing {
        Standing::Create => ("create", GOOD),
        Standing::Unchanged => ("unchanged", QUIET),
        Standing::Change => ("change", WATCH),
        Standing::Waits => ("waits", WATCH),
        Standing::Conflict => ("conflict", BAD),
    }
}
