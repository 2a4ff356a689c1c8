//! Instructions of reinsurance.
//!
//! Six of them take two pools and move money between their vaults. Each lists these accounts itself: on the wire the
//! treaty, or what else is agreed, stands between the pools and their vaults, so no composite of Anchor could hold all of
//! them, and two would tear apart what belongs together. What they share is the code: [`crate::money::Till::open_both`],
//! [`crate::money::Till::close_on`], which ties a vault to its pool, and [`crate::money::Vault::pay_pool`], which checks
//! both ends.

pub mod accept_treaty;
pub mod announce_cession;
pub mod call_treaty;
pub mod cede_surplus;
pub mod close_cession;
pub mod commute_treaty;
pub mod create_treaty;
pub mod end_treaty;
pub mod settle_treaty_premium;

pub use accept_treaty::*;
pub use announce_cession::*;
pub use call_treaty::*;
pub use cede_surplus::*;
pub use close_cession::*;
pub use commute_treaty::*;
pub use create_treaty::*;
pub use end_treaty::*;
pub use settle_treaty_premium::*;
