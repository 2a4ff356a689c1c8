//! The books of a pool: what every operation moves, to the unit, and what it refuses.

mod common;

#[path = "pool/books.rs"]
mod books;
#[path = "pool/capital.rs"]
mod capital;
#[path = "pool/exits.rs"]
mod exits;
#[path = "pool/losses.rs"]
mod losses;
#[path = "pool/premium.rs"]
mod premium;
