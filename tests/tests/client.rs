//! The client's libraries, on the real program: reading, sending, keeping, checking, founding, playing.
//! `cargo test -p backstop-tests --test client audit::` runs one file of it.

mod audit;
mod crank;
mod demo;
mod docs;
mod example;
mod failures;
mod migrations;
mod pipeline;
mod replay;
mod views;
mod worked;
