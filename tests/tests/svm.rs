//! The program, on a real SVM in this process. One binary, because each would link the virtual machine anew:
//! `cargo test -p backstop-tests --test svm triggers::` runs one file of it.

mod attested_fuzz;
mod breaching;
mod capital;
mod capital_rules;
mod compute_units;
mod covers;
mod crisis;
mod event_replay;
mod evidence_cases;
mod exits;
mod exposed;
mod exposure_model;
mod incidents;
mod late_money;
mod layout;
mod live;
mod negative_matrix;
mod positions;
mod premium;
mod pricing;
mod products;
mod reinsurance;
mod reports;
mod rogue_roles;
mod scale;
mod seasoning;
mod slice;
mod small_alerts;
mod stateful_fuzz;
mod tower;
mod treaties;
mod triggers;
