//! Instructions of the pool.

pub mod create_pool;
pub mod deposit;
pub mod accrue;
pub mod contribute_surplus;
pub mod request_exit;
pub mod cancel_exit;
pub mod settle_exit_epoch;
pub mod claim_exit;
pub mod close_exit_epoch;
pub mod open_series;

pub use create_pool::*;
pub use deposit::*;
pub use accrue::*;
pub use contribute_surplus::*;
pub use request_exit::*;
pub use cancel_exit::*;
pub use settle_exit_epoch::*;
pub use claim_exit::*;
pub use close_exit_epoch::*;
pub use open_series::*;
