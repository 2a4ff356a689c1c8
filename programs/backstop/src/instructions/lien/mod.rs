//! Instructions of the lien.

pub mod lift_lien;
pub mod lower_lien;
pub mod set_lien;
pub mod settle_lien;

pub use lift_lien::*;
pub use lower_lien::*;
pub use set_lien::*;
pub use settle_lien::*;
