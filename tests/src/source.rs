//! What the program's source and its IDL declare: the generators compare their own lists with it, so that nothing new
//! can be forgotten.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// An instruction as the source declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Names of its accounts, in their order.
    pub accounts: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn program() -> PathBuf {
    root().join("programs/backstop/src")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every source file below a folder of the program, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The word that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Every instruction of the `#[program]` module, with the fields of its accounts structure.
pub fn instructions() -> &'static [Declared] {
    static DECLARED: OnceLock<Vec<Declared>> = OnceLock::new();
    DECLARED.get_or_init(read_instructions)
}

fn read_instructions() -> Vec<Declared> {
    let code: Vec<String> = files(&program().join("instructions")).iter().map(|path| read(path)).collect();
    let lib = read(&program().join("lib.rs"));
    let module = lib.split_once("#[program]").expect("lib.rs has the program module").1;
    let functions = module.split("pub fn ").skip(1);
    let declared = functions.map(|function| {
        let context = function.split_once("Context<").expect("an instruction takes a context").1;
        // Lifetimes may come before the structure's name.
        let context = context.trim_start_matches(|c: char| !c.is_ascii_uppercase());
        let structure = format!("pub struct {}<", word(context));
        let found = code.iter().find_map(|code| code.split_once(&structure));
        let fields = found.unwrap_or_else(|| panic!("{structure} is not in the instructions")).1;
        let fields = fields.split_once("\n}").expect("a structure ends").0;
        let names = fields.lines().filter_map(|line| line.strip_prefix("    pub ")).map(|field| word(field).to_owned());
        Declared { name: word(function).to_owned(), accounts: names.collect() }
    });
    declared.collect()
}

/// One instruction of the program.
#[track_caller]
pub fn instruction(name: &str) -> &'static Declared {
    let found = instructions().iter().find(|declared| declared.name == name);
    found.unwrap_or_else(|| panic!("the program has no instruction `{name}`"))
}

/// Names of the structures under an attribute in one file of the program.
fn structures(file: &str, attribute: &str) -> Vec<String> {
    let code = read(&program().join(file));
    let attribute = format!("\n#[{attribute}]");
    let names =
        code.split(&attribute).skip(1).map(|part| part.split_once("pub struct ").expect("a structure follows").1);
    names.map(|name| word(name).to_owned()).collect()
}

/// Names of all events.
pub fn events() -> Vec<String> {
    structures("events.rs", "event")
}

/// Names of all account types: what the macros of `state/version.rs` made accounts.
pub fn accounts() -> Vec<String> {
    let code: Vec<String> = files(&program().join("state")).iter().map(|path| read(path)).collect();
    let made = ["\nborsh_account!(", "\nin_place_account!("];
    let names = code.iter().flat_map(|code| made.iter().flat_map(|by| code.split(by).skip(1).map(word)));
    names.map(str::to_owned).collect()
}

/// How many refusals `error.rs` declares.
pub fn errors() -> usize {
    read(&program().join("error.rs")).matches("#[msg(\"").count()
}

/// The committed IDL, or `None` before the first one is.
pub fn idl() -> Option<Value> {
    let text = fs::read_to_string(root().join("artifacts/backstop.json")).ok()?;
    Some(serde_json::from_str(&text).expect("artifacts/backstop.json is JSON"))
}

/// The committed program.
pub fn artifact() -> Vec<u8> {
    let path = root().join("artifacts/backstop.so");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
