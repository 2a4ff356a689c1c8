//! Treaties in the books of the two pools, and incidents.

mod common;

#[path = "reinsurance/agreements.rs"]
mod agreements;
#[path = "reinsurance/books.rs"]
mod books;
#[path = "reinsurance/incidents.rs"]
mod incidents;
#[path = "reinsurance/treaties.rs"]
mod treaties;
