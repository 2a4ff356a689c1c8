//! Instructions of the trigger.

use super::stage::{Setup, Stage};
use super::{Entry, Prepared, case};
use crate::budget;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop_client::instruction::{self as ix, ProductKeys};

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "observe",
        cases: &[
            case("usual", "a healthy price in a slot that has one", || observe(&[100_000_000], false, 100_100_000)),
            case("new slot", "a healthy price in the next slot", || observe(&[100_000_000], true, 100_100_000)),
            case("breach", "the first breach: the pool goes into alert", || observe(&[100_000_000], true, 90_000_000)),
            case("recovery", "the end of a breach: the alert is over", || observe(&[90_000_000], true, 100_000_000)),
            case("cut", "a late recovery cuts the longest window", observe_cutting),
            case("worst", "a late breach completes the longest window", observe_completing),
        ],
    },
    Entry {
        instruction: "refresh",
        cases: &[
            case("usual", "nothing to change", || refresh(Stage::sold(Setup::default()))),
            case("worst", "the longest window becomes final", || refresh(met(true))),
        ],
    },
    Entry {
        instruction: "confirm",
        cases: &[
            case("usual", "a window of eight slots", || {
                let stage = Stage::sold(Setup::default());
                stage.depeg(90_000_000);
                confirm(stage)
            }),
            case("worst", "the longest window", || confirm(met(true))),
        ],
    },
];

/// The instruction for the first product, with those of the others as its twins.
fn three(stage: Stage, build: impl Fn(&ProductKeys) -> Instruction) -> Prepared {
    let [first, second, third] = [0, 1, 2].map(|product| build(&stage.products[product]));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[]).twin("another pool", third, &[])
}

fn observe(before: &[i64], next_slot: bool, price_e8: i64) -> Prepared {
    let stage = Stage::sold(Setup::default());
    stage.next_slot();
    for price in before {
        stage.show(*price);
    }
    if next_slot {
        stage.next_slot();
    } else {
        stage.world.advance(60);
    }
    let price = stage.post(price_e8, stage.world.now());
    three(stage, |product| ix::observe(product, price))
}

/// The most slots that a window can span.
const SPAN: u32 = 179 + 44;

/// Every trigger has seen the longest window it can have, with all the gaps that are tolerated, but for the breach in
/// the slot before the last, which is still open. Returns that slot's last second.
fn nearly_met() -> (Stage, i64) {
    let stage = Stage::sold(Setup::dear().long_window());
    for slot in 0..SPAN {
        stage.next_slot();
        let gap = slot % 5 == 4 && slot / 5 < 44;
        if !gap && slot != SPAN - 2 {
            stage.show(90_000_000);
        }
    }
    let open = stage.world.now() - 1;
    stage.world.advance(60);
    (stage, open)
}

/// The same with that breach; the challenge is over or not.
fn met(over: bool) -> Stage {
    let (stage, open) = nearly_met();
    show_at(&stage, 90_000_000, open);
    if over {
        stage.world.advance(2 * 3_600);
    }
    stage
}

fn show_at(stage: &Stage, price_e8: i64, publish_time: i64) {
    let price = stage.post(price_e8, publish_time);
    for product in &stage.products {
        stage.act(&[], &[budget(), ix::observe(product, price)]);
    }
}

fn observe_completing() -> Prepared {
    let (stage, open) = nearly_met();
    let price: Pubkey = stage.post(90_000_000, open);
    three(stage, |product| ix::observe(product, price))
}

fn observe_cutting() -> Prepared {
    let stage = met(false);
    let first = stage.world.trigger(&stage.products[0]).evidence.window_first;
    let start = stage.world.trigger(&stage.products[0]).terms.slot_start(first);
    let price = stage.post(100_000_000, start);
    three(stage, |product| ix::observe(product, price))
}

fn refresh(stage: Stage) -> Prepared {
    three(stage, ix::refresh)
}

fn confirm(stage: Stage) -> Prepared {
    three(stage, ix::confirm)
}
