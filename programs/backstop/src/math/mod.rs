//! The arithmetic of the protocol, and nothing else: no accounts, no CPIs, no types of Anchor.
//!
//! Every function here is pure and total. It never panics; `None` means that a result, or a number
//! on the way to it, does not fit its type, and callers turn that into one typed error. Amounts are
//! in the smallest unit of the pool's asset. Rounding goes against whoever acts, and each function
//! says which way that is.
//!
//! | module | what | page of `docs/src/how` |
//! |---|---|---|
//! | [`rounding`] | multiply-and-divide, square root | |
//! | [`shares`] | what a deposit buys, what a share or an exit unit is worth | capital, exits |
//! | [`stream`] | premium earned by the second, with rates that end on days | premium |
//! | [`capital`] | required capital, solvency, what may leave | capital, exits |
//! | [`exits`] | one payment to an exit epoch | exits |
//! | [`losses`] | who bears a loss, what an incident pays | capital, incidents |
//! | [`treaties`] | what reinsurance owes and costs | reinsurance |
//! | [`sharing`] | who earns what of premium, by exposed capital | premium |
//! | [`pricing`] | the demand curve, premiums, the level | premium |
#![deny(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod capital;
pub mod exits;
pub mod losses;
pub mod pricing;
pub mod rounding;
pub mod shares;
pub mod sharing;
pub mod stream;
pub mod treaties;

pub use capital::{MAX_TOTAL_EXPOSURE, Requirement};
pub use exits::{ALL_OPEN_Q63, Fill, Queue};
pub use losses::{Layers, LossSplit};
pub use pricing::{Demand, Order, Price, PricingError};
pub use rounding::{BPS, Rounding, mul_div};
pub use shares::VIRTUAL_SHARES;
pub use sharing::{ByLayer, Fractions};
pub use stream::{DAY_BUCKETS, SECONDS_PER_DAY, START_BUCKETS, Stream, Walk};
