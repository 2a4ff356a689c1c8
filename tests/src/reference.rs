//! The reference pages of `docs/`, from the IDL: instructions, accounts, types, events, errors, addresses.

use crate::idl::{list, name, value, wire};
use backstop::error::BackstopError;
use backstop_client::explain::explain_refusal;
use serde_json::Value;
use std::fmt::Write;

/// Every page: its file and its text.
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("docs/src/reference/instructions.md", instructions()),
        ("docs/src/reference/accounts.md", accounts()),
        ("docs/src/reference/types.md", types()),
        ("docs/src/reference/events.md", events()),
        ("docs/src/reference/errors.md", errors()),
        ("docs/src/reference/addresses.md", addresses()),
    ]
}

/// The beginning of a page.
fn head(title: &str, text: &str) -> String {
    let how = "Generated from `artifacts/backstop.json`; `BACKSTOP_BLESS=1 cargo test -p backstop-tests --test client docs::` \
               writes it anew.";
    format!("# {title}\n\n{}\n\n{}\n", wrapped(text), wrapped(how))
}

/// A paragraph in lines of at most 118 characters.
fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 118 {
            lines.push(std::mem::take(&mut line));
        }
        let space = if line.is_empty() { "" } else { " " };
        line = format!("{line}{space}{word}");
    }
    lines.push(line);
    lines.join("\n")
}

/// What the source says about something, in a line, without the links of its documentation.
fn docs(of: &Value) -> String {
    let lines: Vec<&str> = list(of, "docs").iter().filter_map(Value::as_str).map(str::trim).collect();
    let text = lines.join(" ").replace("[`", "`").replace("`]", "`").replace('|', "\\|");
    text.trim().to_owned()
}

/// A sentence, or a dash where there is none.
fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// A type in words: `u64`, `[u64; 512]`, or a link to the page of types.
fn type_text(of: &Value) -> String {
    if let Some(plain) = of.as_str() {
        return format!("`{plain}`");
    }
    if let Some(defined) = of.get("defined") {
        let name = name(defined);
        return format!("[`{name}`](types.md#{})", name.to_lowercase());
    }
    if let Some(array) = of.get("array").and_then(Value::as_array) {
        let count = &array[1];
        return match array[0].as_str() {
            Some(plain) => format!("`[{plain}; {count}]`"),
            None => format!("{count} x {}", type_text(&array[0])),
        };
    }
    if let Some(inner) = of.get("option") {
        return format!("optional {}", type_text(inner));
    }
    format!("`{of}`")
}

/// Bytes of a type; none if values of it differ in length.
fn size(of: &Value) -> Option<usize> {
    if let Some(plain) = of.as_str() {
        return match plain {
            "bool" | "u8" | "i8" => Some(1),
            "u16" | "i16" => Some(2),
            "u32" | "i32" => Some(4),
            "u64" | "i64" => Some(8),
            "u128" | "i128" => Some(16),
            "pubkey" => Some(32),
            _ => None,
        };
    }
    if let Some(defined) = of.get("defined") {
        let body = &type_named(name(defined))["type"];
        return match body["kind"].as_str() {
            Some("struct") => list(body, "fields").iter().map(|field| size(&field["type"])).sum(),
            Some("enum") if list(body, "variants").iter().all(|variant| list(variant, "fields").is_empty()) => Some(1),
            _ => None,
        };
    }
    let array = of.get("array")?.as_array()?;
    Some(size(&array[0])? * usize::try_from(array[1].as_u64()?).ok()?)
}

fn type_named(wanted: &str) -> &'static Value {
    let found = list(value(), "types").iter().find(|entry| name(entry) == wanted);
    found.unwrap_or_else(|| panic!("the IDL has no type `{wanted}`"))
}

/// A discriminator in hexadecimal.
fn discriminator(of: &Value) -> String {
    let bytes = list(of, "discriminator").iter().filter_map(Value::as_u64);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The fields of a structure, with the offsets at which they begin; none behind a field of varying length.
fn fields(body: &Value, from: usize) -> String {
    let mut text = "| at | bytes | field | type | what |\n|--:|--:|---|---|---|\n".to_owned();
    let mut at = Some(from);
    for field in list(body, "fields") {
        let bytes = size(&field["type"]);
        let number = |value: Option<usize>| value.map_or("-".to_owned(), |value| value.to_string());
        let line = format!(
            "| {} | {} | `{}` | {} | {} |",
            number(at),
            number(bytes),
            name(field),
            type_text(&field["type"]),
            or_dash(docs(field))
        );
        writeln!(text, "{line}").expect("a text grows");
        at = at.zip(bytes).map(|(at, bytes)| at + bytes);
    }
    text
}

fn instructions() -> String {
    let mut text = head(
        "Instructions",
        "Every instruction with its accounts in their order and its arguments. What each checks is listed above its \
         handler, `programs/backstop/src/instructions`; what it costs is in `tests/cu/compute_units.md`.",
    );
    for instruction in list(value(), "instructions") {
        write!(text, "\n## {}\n\n{}\n\n", name(instruction), docs(instruction)).expect("a text grows");
        text.push_str("| account | signs | written | what |\n|---|---|---|---|\n");
        for account in wire(instruction) {
            let is = |what: &str| account[what].as_bool().unwrap_or(false);
            let signs = match (is("signer"), is("optional")) {
                (true, true) => "may",
                (true, false) => "yes",
                _ => "",
            };
            let optional = if is("optional") && !is("signer") { "Optional. " } else { "" };
            let written = if is("writable") { "yes" } else { "" };
            let line = format!("| `{}` | {signs} | {written} | {optional}{} |", name(account), or_dash(docs(account)));
            writeln!(text, "{line}").expect("a text grows");
        }
        let arguments = list(instruction, "args");
        if !arguments.is_empty() {
            let one = |argument: &Value| format!("`{}`: {}", name(argument), type_text(&argument["type"]));
            let all: Vec<String> = arguments.iter().map(one).collect();
            write!(text, "\nArguments: {}.\n", all.join(", ")).expect("a text grows");
        }
    }
    text
}

fn accounts() -> String {
    let mut text = head(
        "Accounts",
        "Every account type with the offsets of its fields, its discriminator of eight bytes included. Keys come first, at \
         fixed offsets, so that clients can filter by them. Where the fields are is pinned by `tests/golden/accounts.txt`.",
    );
    for account in list(value(), "accounts") {
        let declared = type_named(name(account));
        let lead = (docs(declared), discriminator(account));
        write!(text, "\n## {}\n\n{}\n\nDiscriminator `{}`.\n\n", name(account), lead.0, lead.1).expect("a text grows");
        text.push_str(&fields(&declared["type"], 8));
    }
    text
}

fn types() -> String {
    let mut text =
        head("Types", "What accounts, events and arguments are made of. Offsets are from the type's beginning.");
    let own = |entry: &&Value| {
        let named = |of: &str| list(value(), of).iter().any(|other| name(other) == name(entry));
        !named("accounts") && !named("events")
    };
    for entry in list(value(), "types").iter().filter(own) {
        write!(text, "\n## {}\n\n{}\n\n", name(entry), or_dash(docs(entry))).expect("a text grows");
        let body = &entry["type"];
        if body["kind"] == "struct" {
            text.push_str(&fields(body, 0));
            continue;
        }
        text.push_str("| byte | variant | with | what |\n|--:|---|---|---|\n");
        for (byte, variant) in list(body, "variants").iter().enumerate() {
            let with = |field: &Value| match field.get("name") {
                Some(_) => format!("`{}`: {}", name(field), type_text(&field["type"])),
                None => type_text(field),
            };
            let with: Vec<String> = list(variant, "fields").iter().map(with).collect();
            let (with, what) = (or_dash(with.join(", ")), or_dash(docs(variant)));
            writeln!(text, "| {byte} | `{}` | {with} | {what} |", name(variant)).expect("a text grows");
        }
    }
    text
}

fn events() -> String {
    let mut text = head(
        "Events",
        "One event for each change of state, in the transaction's log as `Program data:` in base64: the discriminator, then \
         the fields in Borsh. Whoever reads nothing but them knows the books of every pool.",
    );
    for event in list(value(), "events") {
        let declared = type_named(name(event));
        let lead = (docs(declared), discriminator(event));
        write!(text, "\n## {}\n\n{}\n\nDiscriminator `{}`.\n\n", name(event), lead.0, lead.1).expect("a text grows");
        text.push_str(&fields(&declared["type"], 8));
    }
    text
}

fn errors() -> String {
    let mut text = head(
        "Errors",
        "Every refusal of the program, with the number that a failed transaction shows, and what the command line says one can do.",
    );
    text.push_str("\n| code | | name | says | what to do |\n|--:|--:|---|---|---|\n");
    for error in list(value(), "errors") {
        let code = error["code"].as_u64().expect("an error has a code");
        let says = error["msg"].as_str().unwrap_or_default().replace('|', "\\|");
        let known = BackstopError::ALL.into_iter().find(|known| u64::from(u32::from(*known)) == code);
        let hint = known.and_then(|known| explain_refusal(known).hint).unwrap_or_default();
        let line =
            format!("| {code} | 0x{code:x} | `{}` | {says} | {} |", name(error), or_dash(hint.replace('|', "\\|")));
        writeln!(text, "{line}").expect("a text grows");
    }
    text
}

fn addresses() -> String {
    let mut text = head(
        "Addresses",
        "Every account of the program, every vault and every mint that it makes is at a derived address: a seed, then \
         keys of 32 bytes and numbers in little-endian (pool, product and treaty ids 2 bytes, days 4, nonces 8, tranche and series 1). The \
         library's `address` module derives them.",
    );
    text.push_str("\n| seed | what |\n|---|---|\n");
    for constant in list(value(), "constants").iter().filter(|constant| constant["type"] == "bytes") {
        let bytes = constant["value"].as_str().and_then(|text| serde_json::from_str::<Vec<u8>>(text).ok());
        let seed = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        writeln!(text, "| `{seed}` | {} |", or_dash(docs(constant))).expect("a text grows");
    }
    text
}
