//! Instructions of the position.

pub mod buy_position;
pub mod cancel_position;
pub mod close_position;
pub mod extend_position;
pub mod position_to_nft;
pub mod reduce_position;
pub mod set_beneficiary;
pub mod settle_position;

pub use buy_position::*;
pub use cancel_position::*;
pub use close_position::*;
pub use extend_position::*;
pub use position_to_nft::*;
pub use reduce_position::*;
pub use set_beneficiary::*;
pub use settle_position::*;
