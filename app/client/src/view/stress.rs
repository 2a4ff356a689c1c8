//! What would be lost if the largest group of products failed today.
//!
//! Products that can fail together are one group. The test takes the group with the largest exposure (of a reinsurance
//! pool: all its open limits), has every cover of it paid in full, leaves reinsurance out, which may not pay, and takes
//! the loss from surplus, junior and senior by the program's own code on a copy.

use backstop::state::{Pool, PoolKind, Tranche};
use serde::Serialize;

/// A loss and who bears it, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stress {
    /// The group; `None` of a reinsurance pool.
    pub group: Option<usize>,
    /// What would be due.
    pub due: u64,
    /// What the surplus bears.
    pub surplus: u64,
    /// What the junior tranche bears, what leaves it included.
    pub junior: u64,
    /// What the senior tranche bears, what leaves it included.
    pub senior: u64,
    /// What nobody bears: holders of covers are paid so much less.
    pub unpaid: u64,
    /// Part of the junior tranche that is lost, in basis points, rounded up.
    pub junior_bps: u64,
    /// The same of the senior tranche.
    pub senior_bps: u64,
}

/// The test on a pool at `now`. `None`: it stands behind nothing.
pub fn largest_group(pool: &Pool, now: i64) -> Option<Stress> {
    let mut books = *pool;
    if books.accrue(now).is_err() {
        books = *pool;
    }
    let (group, due) = match books.kind() {
        PoolKind::Cover => {
            let (group, due) =
                books.group_exposures.iter().enumerate().max_by_key(|(group, due)| (**due, usize::MAX - group))?;
            (Some(group), *due)
        }
        PoolKind::Reinsurance => (None, books.open_limits().ok()?),
    };
    if due == 0 {
        return None;
    }
    let before = [Tranche::Junior, Tranche::Senior].map(|tranche| books.tranche(tranche).total());
    let surplus = books.surplus;
    let capital = books.loss_capital().unwrap_or_default();
    let loss = due.min(capital);
    // Whatever a tranche has left after it was wiped out is lost to its holders as well.
    let taken = books.take_loss(loss).is_ok();
    let after = |tranche| if taken { books.tranche(tranche).total() } else { 0 };
    let lost = |tranche: Tranche, before: u64| before.saturating_sub(after(tranche));
    let (junior, senior) = (lost(Tranche::Junior, before[0]), lost(Tranche::Senior, before[1]));
    let part = |lost: u64, of: u64| {
        let part = (u128::from(lost) * 10_000).checked_div(of.into()).unwrap_or_default();
        let rest = u128::from(lost) * 10_000 > part * u128::from(of);
        u64::try_from(part).unwrap_or(u64::MAX).saturating_add(rest.into())
    };
    Some(Stress {
        group,
        due,
        surplus: loss.min(surplus),
        junior,
        senior,
        unpaid: due.saturating_sub(capital),
        junior_bps: part(junior, before[0]),
        senior_bps: part(senior, before[1]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 1_000_000;

    /// 10 of surplus, 100 junior, 300 senior.
    fn pool(exposures: [u64; 2]) -> Pool {
        let mut pool: Pool = bytemuck::Zeroable::zeroed();
        pool.surplus = 10 * ONE;
        for (tranche, assets) in [(Tranche::Junior, 100 * ONE), (Tranche::Senior, 300 * ONE)] {
            let book = pool.tranche_mut(tranche);
            (book.assets, book.shares) = (assets, assets * 1_000);
        }
        pool.cash = 410 * ONE;
        pool.group_exposures[..2].copy_from_slice(&exposures);
        pool
    }

    #[test]
    fn a_pool_that_stands_behind_nothing_has_nothing_to_lose() {
        assert_eq!(largest_group(&pool([0, 0]), 0), None);
    }

    #[test]
    fn the_largest_group_takes_surplus_then_junior_then_senior() {
        let stress = largest_group(&pool([50 * ONE, 185 * ONE]), 0).expect("it has exposure");
        // 185: 10 of surplus, 100 of junior, 75 of 300 senior.
        assert_eq!((stress.group, stress.due), (Some(1), 185 * ONE));
        assert_eq!((stress.surplus, stress.junior, stress.senior, stress.unpaid), (10 * ONE, 100 * ONE, 75 * ONE, 0));
        assert_eq!((stress.junior_bps, stress.senior_bps), (10_000, 2_500));
    }

    #[test]
    fn what_nobody_bears_is_told() {
        let stress = largest_group(&pool([500 * ONE, 500 * ONE]), 0).expect("it has exposure");
        // Of two as large the first counts; 410 of capital, 90 are not there.
        assert_eq!((stress.group, stress.unpaid), (Some(0), 90 * ONE));
        assert_eq!((stress.surplus, stress.junior_bps, stress.senior_bps), (10 * ONE, 10_000, 10_000));
    }
}
