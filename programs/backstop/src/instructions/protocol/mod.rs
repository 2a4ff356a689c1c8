//! Instructions of the protocol.

pub mod accept_governance;
pub mod initialize;
pub mod pause;
pub mod propose_governance;
pub mod set_roles;

pub use accept_governance::*;
pub use initialize::*;
pub use pause::*;
pub use propose_governance::*;
pub use set_roles::*;
