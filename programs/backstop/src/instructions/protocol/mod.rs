//! Instructions of the protocol.

pub mod initialize;
pub mod propose_governance;
pub mod accept_governance;
pub mod set_roles;
pub mod pause;

pub use initialize::*;
pub use propose_governance::*;
pub use accept_governance::*;
pub use set_roles::*;
pub use pause::*;
