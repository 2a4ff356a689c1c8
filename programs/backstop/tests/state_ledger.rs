//! The ledger identity and the price of shares over random sequences of operations on a pool.

mod common;

use backstop::error::BackstopError;
use backstop::state::*;
use common::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Deposits, exits, cancellations, losses and premium in any order keep the books and never lower the price of a
    /// share but by a loss.
    #[test]
    fn the_books_add_up_after_every_operation(
        operations in prop::collection::vec((0..7u8, any::<bool>(), 1..2_000_000u64), 1..40),
    ) {
        let mut pool = pool_with(0, 1_000_000, 1_000_000);
        let mut now = NOW;
        for (operation, junior, amount) in operations {
            let tranche = if junior { Tranche::Junior } else { Tranche::Senior };
            let prices = |pool: &Pool| pool.tranches.map(|book| {
                (u128::from(book.assets) + 1) * (1 << 60) / (u128::from(book.shares) + 1_000)
            });
            let (before, copy) = (prices(&pool), pool);
            let done = match operation {
                0 | 1 => pool.deposit(tranche, amount, 0).map(drop),
                2 => pool.request_exit(tranche, amount * 1_000).map(drop),
                3 => {
                    let open = pool.tranche(tranche).units.min(amount * 1_000);
                    pool.cancel_exit(tranche, open, TODAY - 1).map(drop)
                }
                4 => pool.stream_premium(amount, now, TODAY + 400).map(drop),
                5 => {
                    now += amount as i64 % DAY;
                    pool.accrue(now).map(drop)
                }
                _ => pool.take_loss(amount % 300_000).map(|split| {
                    let _ = split;
                    pool.cash -= amount % 300_000;
                }),
            };
            if let Err(error) = done {
                // A refused operation leaves nothing behind on chain.
                prop_assert!(error_number(&error).is_some());
                pool = copy;
            }
            prop_assert!(pool.invariant().is_ok());
            let wiped = pool.tranches.map(|book| book.wiped_out != 0 || book.shares == 0);
            for ((before, after), wiped) in before.into_iter().zip(prices(&pool)).zip(wiped) {
                prop_assert!(operation == 6 || wiped || after >= before);
            }
        }
    }
}

/// The program's own refusals.
fn error_number(error: &anchor_lang::error::Error) -> Option<u32> {
    match error {
        anchor_lang::error::Error::AnchorError(error) => Some(error.error_code_number),
        anchor_lang::error::Error::ProgramError(_) => None,
    }
    .filter(|number| (u32::from(BackstopError::MathOverflow)..7_000).contains(number))
}
