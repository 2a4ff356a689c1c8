//! What people and pages want to know: what is open, where it stands, what comes next, and each of it in words.
//!
//! Nothing here is a rule: all of it is asked of the program's own code, on copies of its accounts.

pub mod cover;
pub mod earnings;
pub mod incident;
mod open;
pub mod price;
pub mod product;
pub mod purchase;
pub mod report;
pub mod stress;
pub mod treaty;
pub mod trigger;

use backstop::state::Tranche;

pub use open::{Case, OpenCover, OpenKind, OpenPolicy, OpenPool, OpenPosition, OpenProduct, OpenTreaty, holder_of};

/// A ticker without the zeros that fill its field.
pub fn label(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

/// A tranche's name as it is written on the command line and in results.
pub const fn tranche_name(tranche: Tranche) -> &'static str {
    match tranche {
        Tranche::Junior => "junior",
        Tranche::Senior => "senior",
    }
}
