//! Instructions of the trigger.

pub mod confirm;
pub mod observe;
pub mod refresh;

pub use observe::*;
pub use refresh::*;
