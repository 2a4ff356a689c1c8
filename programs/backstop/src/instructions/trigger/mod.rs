//! Instructions of the trigger.

pub mod observe;
pub mod refresh;
pub mod confirm;

pub use observe::*;
pub use refresh::*;
