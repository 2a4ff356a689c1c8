//! One file for each instruction: its accounts, its specification, its handler.

pub mod apply_payout;
pub mod close_loan;
pub mod create_market;
pub mod liquidate;
pub mod open_loan;
pub mod reduce_cover;
pub mod repay;
pub mod supply;
pub mod withdraw;

pub use apply_payout::*;
pub use close_loan::*;
pub use create_market::*;
pub use liquidate::*;
pub use open_loan::*;
pub use reduce_cover::*;
pub use repay::*;
pub use supply::*;
pub use withdraw::*;

use anchor_lang::prelude::*;

/// Unix time of the cluster, in seconds.
pub(crate) fn now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}
