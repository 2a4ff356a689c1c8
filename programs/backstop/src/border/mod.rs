//! The border to other programs: how they are called, how accounts are created, and the bytes of the token programs'
//! instructions and of what wallets show.

#[allow(unsafe_code)] // The border to the runtime: there and nowhere else.
pub mod invoke;
pub mod mint;
pub mod records;
pub mod text;
pub mod token;
