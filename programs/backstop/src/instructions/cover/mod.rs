//! Instructions of the cover.

pub mod assert_policy;
pub mod buy_cover;
pub mod cancel_cover;
pub mod close_cover;
pub(crate) mod nft;
pub mod quote;
pub mod split_cover;

pub use assert_policy::*;
pub use buy_cover::*;
pub use cancel_cover::*;
pub use close_cover::*;
pub use quote::*;
pub use split_cover::*;
