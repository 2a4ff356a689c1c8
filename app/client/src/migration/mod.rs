//! Migrations: plans of what must be on chain, and the steps that are missing.
//!
//! A plan is a TOML file with a number, `0001_protocol.toml`: it states roles, pools, products and treaties in full,
//! with units as people write them. [`load`] reads one plan, or all of a folder in the order of their numbers;
//! [`difference`] compares them with the chain and gives an [`Item`] for each thing that they state, with the [`Step`]s
//! that are missing. A step is one instruction, so one transaction: whoever stops half-way asks for the difference
//! again and goes on. Once everything is there, no step is left.
//!
//! What the program fixes for good cannot be migrated: where the chain differs from the plan in such a thing, the item
//! is a [`Standing::Conflict`], and nothing at all should be applied.

mod difference;
pub mod plan;

pub use difference::{Field, Item, Standing, Step, difference};
pub use plan::Plan;

use crate::text_file;
use solana_sdk::hash::hash;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Why plans could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        why: std::io::Error,
    },
    /// A file is not a plan.
    #[error("{path} is not a plan: {why}")]
    Wrong {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A plan uses names that nobody has given a value.
    #[error("{path} needs values for {}", names.join(", "))]
    Missing {
        /// The file.
        path: String,
        /// The names.
        names: Vec<String>,
    },
    /// Values were given for names that no plan uses.
    #[error("no plan uses the value {0}")]
    Unused(String),
    /// A folder holds no plans.
    #[error("{0} holds no plan: their names begin with four digits, such as 0001_protocol.toml")]
    NoPlans(String),
    /// Two plans of a folder have one number.
    #[error("two plans have the number {0}")]
    Twice(String),
}

/// Reads a plan, or all plans of a folder in the order of their numbers.
///
/// `${name}` in a text of a plan stands for a value: the one that `values` gives, or else the plan's own in `[values]`.
pub fn load(path: &Path, values: &BTreeMap<String, String>) -> Result<Vec<Plan>, PlanError> {
    let mut used = BTreeSet::new();
    let files = if path.is_dir() { numbered(path)? } else { vec![path.to_owned()] };
    let plans = files.iter().map(|file| read(file, values, &mut used)).collect::<Result<_, _>>()?;
    match values.keys().find(|name| !used.contains(*name)) {
        Some(name) => Err(PlanError::Unused(name.clone())),
        None => Ok(plans),
    }
}

/// The plans of a folder: `NNNN_name.toml`.
fn numbered(folder: &Path) -> Result<Vec<PathBuf>, PlanError> {
    let unreadable = |why| PlanError::Unreadable { path: folder.display().to_string(), why };
    let mut plans = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number = name.split_once('_').map(|(number, _)| number.to_owned()).unwrap_or_default();
        let is_number = number.len() == 4 && number.bytes().all(|digit| digit.is_ascii_digit());
        if is_number && name.ends_with(".toml") && plans.insert(number.clone(), path).is_some() {
            return Err(PlanError::Twice(number));
        }
    }
    if plans.is_empty() {
        return Err(PlanError::NoPlans(folder.display().to_string()));
    }
    Ok(plans.into_values().collect())
}

fn read(file: &Path, given: &BTreeMap<String, String>, used: &mut BTreeSet<String>) -> Result<Plan, PlanError> {
    let path = file.display().to_string();
    let unreadable = |file: &Path| {
        let path = file.display().to_string();
        move |why| PlanError::Unreadable { path, why }
    };
    let wrong = |why: toml::de::Error| PlanError::Wrong { path: path.clone(), why: in_one_line(&why) };
    let text = text_file::read(file).map_err(unreadable(file))?;
    let mut table: toml::Table = text.parse().map_err(wrong)?;
    let own: BTreeMap<String, String> = match table.remove("values") {
        Some(values) => values.try_into().map_err(wrong)?,
        None => BTreeMap::new(),
    };
    let mut missing = BTreeSet::new();
    let mut value_of = |name: &str| {
        used.insert(name.to_owned());
        let value = given.get(name).or_else(|| own.get(name));
        if value.is_none() {
            missing.insert(name.to_owned());
        }
        value.cloned().unwrap_or_default()
    };
    let mut value = toml::Value::Table(table);
    fill(&mut value, &mut value_of);
    if !missing.is_empty() {
        return Err(PlanError::Missing { path, names: missing.into_iter().collect() });
    }
    let mut plan: Plan = value.try_into().map_err(wrong)?;
    plan.file = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for product in &mut plan.products {
        let wording = file.with_file_name(&product.wording);
        product.wording_hash = hash(&std::fs::read(&wording).map_err(unreadable(&wording))?).to_bytes();
    }
    for reading in &mut plan.readings {
        let [wording, definition] = [&reading.wording, &reading.definition].map(|name| file.with_file_name(name));
        reading.wording_hash = hash(&std::fs::read(&wording).map_err(unreadable(&wording))?).to_bytes();
        reading.feed = hash(&std::fs::read(&definition).map_err(unreadable(&definition))?).to_bytes();
    }
    Ok(plan)
}

/// A reason without the excerpt of the file that it may come with.
fn in_one_line(why: &toml::de::Error) -> String {
    let text = why.to_string();
    let lines = text.lines().filter(|line| !line.contains(" |") && !line.trim().is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(", ")
}

/// Puts values in the place of their names, in all texts.
fn fill(value: &mut toml::Value, value_of: &mut dyn FnMut(&str) -> String) {
    match value {
        toml::Value::String(text) => *text = filled(text, value_of),
        toml::Value::Array(values) => values.iter_mut().for_each(|value| fill(value, value_of)),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| fill(value, value_of)),
        _ => {}
    }
}

fn filled(text: &str, value_of: &mut dyn FnMut(&str) -> String) -> String {
    let (mut result, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        result.push_str(before);
        result.push_str(&value_of(name));
        rest = after;
    }
    result + rest
}
