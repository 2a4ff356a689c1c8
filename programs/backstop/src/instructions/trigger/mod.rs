//! Instructions of the trigger.

pub mod confirm;
pub mod observe;
pub mod observe_live;
pub mod observe_report;
pub mod refresh;
pub mod resolve_reading;

pub use observe::*;
pub use observe_live::*;
pub use observe_report::*;
pub use refresh::*;
