//! Instructions of attestors.

pub mod create_attestor_set;
pub mod report_equivocation;

pub use create_attestor_set::*;
pub use report_equivocation::*;
