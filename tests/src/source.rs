//! Files of the repository, and what the program's sources declare: enough to tell whether the committed IDL is theirs.

use crate::idl;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of a file of the repository.
pub fn file(name: &str) -> String {
    read(&root().join(name))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Every file below a folder of the repository with one of some endings, by its name from the root.
pub fn below(folder: &str, endings: &[&str]) -> Vec<String> {
    let (root, folder) = (root(), root().join(folder));
    let names = files(&folder).into_iter();
    let names = names.map(|path| path.strip_prefix(&root).expect("it is below").to_string_lossy().into_owned());
    names.filter(|name| endings.iter().any(|ending| name.ends_with(ending))).collect()
}

/// The committed program.
pub fn artifact() -> Vec<u8> {
    let path = root().join("artifacts/backstop.so");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The word that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The sources of the program.
fn program() -> Vec<String> {
    files(&root().join("programs/backstop/src")).iter().map(|path| read(path)).collect()
}

/// Names of the structures under an attribute.
fn structures(code: &[String], attribute: &str) -> BTreeSet<String> {
    let attribute = format!("\n#[{attribute}]");
    let parts = code.iter().flat_map(|code| code.split(&attribute).skip(1));
    let names = parts.map(|part| part.split_once("pub struct ").expect("a structure follows").1);
    names.map(|name| word(name).to_owned()).collect()
}

/// Names of all account types: what the macros of `state/version.rs` made accounts.
fn accounts(code: &[String]) -> BTreeSet<String> {
    let made = ["\nborsh_account!(", "\nin_place_account!("];
    let names = code.iter().flat_map(|code| made.iter().flat_map(|by| code.split(by).skip(1).map(word)));
    names.map(str::to_owned).collect()
}

/// Every instruction of the `#[program]` module, with the fields of its accounts structure.
fn instructions(code: &[String]) -> Vec<(String, Vec<String>)> {
    let module = code.iter().find_map(|code| code.split_once("#[program]")).expect("there is a program module").1;
    let functions = module.split("pub fn ").skip(1);
    let declared = functions.map(|function| {
        let context = function.split_once("Context<").expect("an instruction takes a context").1;
        // Lifetimes may come before the structure's name.
        let context = context.trim_start_matches(|c: char| !c.is_ascii_uppercase());
        let structure = format!("pub struct {}<", word(context));
        let found = code.iter().find_map(|code| code.split_once(&structure));
        let fields = found.unwrap_or_else(|| panic!("{structure} is not in the sources")).1;
        let fields = fields.split_once("\n}").expect("a structure ends").0;
        let names = fields.lines().filter_map(|line| line.strip_prefix("    pub ")).map(|field| word(field).to_owned());
        (word(function).to_owned(), names.collect())
    });
    declared.collect()
}

/// How the committed IDL differs from the sources: empty if `toolchain/build.sh` ran since they changed.
pub fn idl_is_stale() -> Vec<String> {
    let code = program();
    let mut wrong = Vec::new();
    let mut differ = |what: &str, sources: BTreeSet<String>, idl: Vec<String>| {
        let idl = BTreeSet::from_iter(idl);
        wrong.extend(sources.difference(&idl).map(|name| format!("the IDL has no {what} `{name}`")));
        wrong.extend(idl.difference(&sources).map(|name| format!("the sources have no {what} `{name}`")));
    };
    // Composites are compared by the name of the group.
    let written = instructions(&code);
    let written = written.into_iter().map(|(name, accounts)| format!("{name}({})", accounts.join(", ")));
    let stated = idl::list(idl::value(), "instructions").iter().map(|instruction| {
        let accounts: Vec<&str> = idl::list(instruction, "accounts").iter().map(idl::name).collect();
        format!("{}({})", idl::name(instruction), accounts.join(", "))
    });
    differ("instruction", written.collect(), stated.collect());
    differ("event", structures(&code, "event"), idl::events());
    differ("account", accounts(&code), idl::accounts());
    let refusals: usize = code.iter().map(|code| code.matches("#[msg(\"").count()).sum();
    if refusals != idl::errors().len() {
        wrong.push(format!("the sources have {refusals} refusals, the IDL {}", idl::errors().len()));
    }
    wrong
}
