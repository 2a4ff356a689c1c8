//! What people and pages want to know: what is open, where it stands, what comes next, and each of it in words.
//!
//! Nothing here is a rule: all of it is asked of the program's own code, on copies of its accounts.

pub mod cover;
pub mod earnings;
pub mod incident;
mod open;
pub mod product;
pub mod purchase;
pub mod treaty;
pub mod trigger;

pub use open::{Case, OpenCover, OpenPool, OpenProduct, OpenTreaty, holder_of};
