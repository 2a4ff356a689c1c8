//! Instructions of the pool.

pub mod accrue;
pub mod cancel_exit;
pub mod claim_exit;
pub mod close_exit_epoch;
pub mod contribute_surplus;
pub mod create_pool;
pub mod deposit;
pub mod open_series;
pub mod pool_health;
pub mod request_exit;
pub mod settle_exit_epoch;

pub use accrue::*;
pub use cancel_exit::*;
pub use claim_exit::*;
pub use close_exit_epoch::*;
pub use contribute_surplus::*;
pub use create_pool::*;
pub use deposit::*;
pub use open_series::*;
pub use pool_health::*;
pub use request_exit::*;
pub use settle_exit_epoch::*;
