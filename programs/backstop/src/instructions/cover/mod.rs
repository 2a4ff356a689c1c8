//! Instructions of the cover.

pub mod buy_cover;
pub mod cancel_cover;
pub mod close_cover;
pub(crate) mod nft;
pub mod quote;

pub use buy_cover::*;
pub use cancel_cover::*;
pub use close_cover::*;
pub use quote::*;
