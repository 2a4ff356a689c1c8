//! Instructions of the incident.

pub mod close_incident;
pub mod extend_deadline;
pub mod fund_incident;
pub mod open_incident;
pub mod settle_cover;

pub use close_incident::*;
pub use extend_deadline::*;
pub use fund_incident::*;
pub use open_incident::*;
pub use settle_cover::*;
