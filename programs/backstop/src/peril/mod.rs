//! What a product listens to.
//!
//! [`condition`] is the one interface that rules and handlers use: how far a condition is, how it counts in the pool's
//! alert, and what it has proven. Its forms are [`evidence`], a price beyond a threshold for a time, and [`reading`], a
//! value at a date.
//! [`feed`] turns the accounts of price sources into what evidence is made of; [`live`] says when a value that can only be
//! read now counts. [`vault`] measures what a protocol holds by what it held, and [`two_keys`] says what else it takes for that to
//! be an event.

pub mod condition;
pub mod evidence;
pub mod feed;
pub mod live;
pub mod reading;
pub mod two_keys;
pub mod vault;

pub use condition::*;
