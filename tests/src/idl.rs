//! What the committed IDL, `artifacts/backstop.json`, declares: the lists that tests work through come from here, so that
//! nothing new can be forgotten. [`crate::source`] tells whether the IDL is that of the sources.

use serde_json::Value;
use std::sync::OnceLock;

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Names of its accounts, in their order on the wire.
    pub accounts: Vec<String>,
    /// Names of the accounts that must sign.
    pub signers: Vec<String>,
}

impl Declared {
    /// The name of the structure that holds its data: `buy_cover` is `BuyCover`.
    pub fn structure(&self) -> String {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        self.name.split('_').map(capital).collect()
    }
}

/// The IDL.
pub fn value() -> &'static Value {
    static IDL: OnceLock<Value> = OnceLock::new();
    IDL.get_or_init(|| {
        let text = crate::source::file("artifacts/backstop.json");
        serde_json::from_str(&text).expect("artifacts/backstop.json is JSON")
    })
}

/// The entries of a list of the IDL, or of a part of it.
pub fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

/// The name of anything in the IDL.
pub fn name(of: &Value) -> &str {
    of["name"].as_str().expect("everything in an IDL has a name")
}

/// Accounts as they come on the wire: the members of a composite stand in its place.
fn flat<'a>(accounts: &'a [Value], into: &mut Vec<&'a Value>) {
    for account in accounts {
        match account.get("accounts").and_then(Value::as_array) {
            Some(members) => flat(members, into),
            None => into.push(account),
        }
    }
}

/// The accounts of an instruction as they come on the wire.
pub fn wire(instruction: &Value) -> Vec<&Value> {
    let mut accounts = Vec::new();
    flat(list(instruction, "accounts"), &mut accounts);
    accounts
}

fn read(instruction: &Value) -> Declared {
    let accounts = wire(instruction);
    let is = |account: &Value, what: &str| account[what].as_bool().unwrap_or(false);
    let signs = |account: &&&Value| is(account, "signer") && !is(account, "optional");
    Declared {
        name: name(instruction).to_owned(),
        signers: accounts.iter().filter(signs).map(|account| name(account).to_owned()).collect(),
        accounts: accounts.into_iter().map(|account| name(account).to_owned()).collect(),
    }
}

/// The example lender's.
pub fn lender() -> &'static Value {
    static IDL: OnceLock<Value> = OnceLock::new();
    IDL.get_or_init(|| {
        let text = crate::source::file("artifacts/loan.json");
        serde_json::from_str(&text).expect("artifacts/loan.json is JSON")
    })
}

/// What stands before the names of the lender's instructions.
pub const LENDER: &str = "loan::";

/// Every instruction of the example lender, by name.
pub fn lender_instructions() -> &'static [Declared] {
    static DECLARED: OnceLock<Vec<Declared>> = OnceLock::new();
    let named = |declared: Declared| Declared { name: format!("{LENDER}{}", declared.name), ..declared };
    DECLARED.get_or_init(|| list(lender(), "instructions").iter().map(read).map(named).collect())
}

/// Every instruction, by name.
pub fn instructions() -> &'static [Declared] {
    static DECLARED: OnceLock<Vec<Declared>> = OnceLock::new();
    DECLARED.get_or_init(|| list(value(), "instructions").iter().map(read).collect())
}

/// One instruction, of Backstop or of the lender.
#[track_caller]
pub fn instruction(name: &str) -> &'static Declared {
    let found = instructions().iter().chain(lender_instructions()).find(|declared| declared.name == name);
    found.unwrap_or_else(|| panic!("the IDL has no instruction `{name}`: toolchain/build.sh writes it anew"))
}

fn names(of: &str) -> Vec<String> {
    list(value(), of).iter().map(|entry| name(entry).to_owned()).collect()
}

/// Names of all events.
pub fn events() -> Vec<String> {
    names("events")
}

/// Names of all account types.
pub fn accounts() -> Vec<String> {
    names("accounts")
}

/// Names of all refusals, in the order of their codes.
pub fn errors() -> Vec<String> {
    names("errors")
}

/// What is missing from a list that must name every instruction, and what it names that does not exist. `file` is where
/// the list is.
pub fn compare<'a>(file: &str, listed: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    compare_with(file, instructions(), listed)
}

/// The same of a list that must name every instruction of the lender.
pub fn compare_lender<'a>(file: &str, listed: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    compare_with(file, lender_instructions(), listed)
}

fn compare_with<'a>(file: &str, declared: &[Declared], listed: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let listed: Vec<&str> = listed.into_iter().collect();
    let absent = declared.iter().filter(|declared| !listed.contains(&declared.name.as_str()));
    let absent = absent.map(|declared| format!("{file} does not name `{}`", declared.name));
    let extra = listed.iter().filter(|name| !declared.iter().any(|declared| declared.name == **name));
    let extra = extra.map(|name| format!("{file} names `{name}`, which is no instruction"));
    absent.chain(extra).collect()
}
