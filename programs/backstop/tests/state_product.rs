//! A product: its terms, what a cover costs and books, when exposure is released, and what an event affects.

mod common;

#[path = "product/covers.rs"]
mod covers;
#[path = "product/denial.rs"]
mod denial;
#[path = "product/exposure.rs"]
mod exposure;
#[path = "product/policies.rs"]
mod policies;
#[path = "product/sales.rs"]
mod sales;
#[path = "product/terms.rs"]
mod terms;
