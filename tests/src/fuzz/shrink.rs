//! Makes a failing sequence short: leaves parts out as long as the same rule is broken.

use super::action::Action;
use super::driver::Failure;
use std::time::{Duration, Instant};

/// Least actions that still break the rule, as far as they can be found in `patience`.
pub fn shrink(
    actions: Vec<Action>,
    failure: &Failure,
    patience: Duration,
    mut replay: impl FnMut(&[Action]) -> Option<Failure>,
) -> Vec<Action> {
    let begun = Instant::now();
    let mut kept = actions;
    let mut chunk = kept.len().div_ceil(2);
    while chunk > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < kept.len() && begun.elapsed() < patience {
            let until = (from + chunk).min(kept.len());
            let mut rest = kept[..from].to_vec();
            rest.extend_from_slice(&kept[until..]);
            if replay(&rest).is_some_and(|found| found.rule == failure.rule) {
                kept = rest;
                shorter = true;
            } else {
                from = until;
            }
        }
        if begun.elapsed() >= patience {
            break;
        }
        if !shorter || chunk > 1 {
            if chunk == 1 {
                break;
            }
            chunk = chunk.div_ceil(2);
        }
    }
    kept
}
