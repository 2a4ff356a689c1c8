//! Instructions of the incident.

pub mod close_incident;
pub mod fund_incident;
pub mod open_incident;
pub mod settle_cover;

pub use close_incident::*;
pub use fund_incident::*;
pub use open_incident::*;
pub use settle_cover::*;
