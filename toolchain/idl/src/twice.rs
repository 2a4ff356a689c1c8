//! Types that are read in place in an account, and by Borsh in an argument or an event: the bytes are the same, but an IDL
//! says of a type that it is the one or the other, and Anchor's own reader (`declare_program!`) makes of such a type one that
//! cannot be an argument. Where Borsh reads it, it gets a name of its own.

use anchor_lang_idl::types::Idl;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is added to the name of a type where Borsh reads it.
const SUFFIX: &str = "Borsh";

/// The same IDL, in which no type is read in two ways.
pub fn name_apart(idl: &Idl) -> Result<Idl> {
    let mut value = serde_json::to_value(idl)?;
    let types = list(&value, "types");
    let types: BTreeMap<&str, &Value> = types.iter().map(|entry| (name(entry), entry)).collect();

    // Everything that Borsh reads: arguments, what is returned, events, accounts that are not read in place.
    let mut open = BTreeSet::new();
    for instruction in list(&value, "instructions") {
        named(&instruction["args"], &mut open);
        named(&instruction["returns"], &mut open);
    }
    let stored = ["events", "accounts"].into_iter().flat_map(|of| list(&value, of));
    open.extend(stored.map(name).filter(|name| !in_place(types[name])).map(str::to_owned));
    let mut by_borsh = BTreeSet::new();
    while let Some(next) = open.pop_first() {
        let entry = *types.get(next.as_str()).with_context(|| format!("the IDL has no type {next}"))?;
        if by_borsh.insert(next) {
            named(&entry["type"], &mut open);
        }
    }
    let is_twice = |name: &&String| in_place(types[name.as_str()]);
    let twice: BTreeSet<String> = by_borsh.iter().filter(is_twice).cloned().collect();
    let mut copies: Vec<Value> = twice.iter().map(|name| types[name.as_str()].clone()).collect();

    for copy in &mut copies {
        rename(&mut copy["type"], &twice);
        copy["name"] = format!("{}{SUFFIX}", name(copy)).into();
        let fields = copy.as_object_mut().context("a type is an object")?;
        fields.remove("serialization");
        fields.remove("repr");
    }
    for instruction in entries(&mut value, "instructions")? {
        rename(&mut instruction["args"], &twice);
        if let Some(returns) = instruction.get_mut("returns") {
            rename(returns, &twice);
        }
    }
    let types = entries(&mut value, "types")?;
    for entry in types.iter_mut().filter(|entry| !in_place(entry)) {
        rename(&mut entry["type"], &twice);
    }
    types.extend(copies);
    types.sort_by(|one, other| name(one).cmp(name(other)));
    Ok(serde_json::from_value(value)?)
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

fn entries<'a>(of: &'a mut Value, name: &str) -> Result<&'a mut Vec<Value>> {
    of[name].as_array_mut().with_context(|| format!("the IDL has no {name}"))
}

fn name(entry: &Value) -> &str {
    entry["name"].as_str().unwrap_or_default()
}

/// Whether a type is read in place.
fn in_place(entry: &Value) -> bool {
    entry["serialization"].as_str().is_some_and(|how| how.starts_with("bytemuck"))
}

/// The types that something names.
fn named(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("defined").map(|defined| name(defined).to_owned()));
            fields.values().for_each(|value| named(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| named(value, into)),
        _ => {}
    }
}

/// Names these types as Borsh reads them.
fn rename(value: &mut Value, these: &BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(defined) = fields.get_mut("defined")
                && these.contains(name(defined))
            {
                defined["name"] = format!("{}{SUFFIX}", name(defined)).into();
            }
            fields.values_mut().for_each(|value| rename(value, these));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, these)),
        _ => {}
    }
}
