//! What capital in a pool earns, how much of it is in use, and what it can lose.
//!
//! Every figure comes from the pool's account alone, worked out by the program's own code on copies:
//!
//! | figure | formula |
//! |---|---|
//! | earned of late | what the tranche has earned in all, less what it had at the last mark of 30 days ago or before |
//! | earned in the coming days | the premium that [`Pool::accrue`] gives the tranche from now to then |
//! | exposed | what required capital takes of the tranche, after the surplus and, for senior, the junior tranche / its capital, what leaves included |
//! | a year, of the tranche | that of the coming 24 hours x 365 / the tranche's assets, rounded down |
//! | since the tranche began | share price - 1; losses included |
//! | in use | required capital / capital that stays, rounded up |
//! | worst case of a deposit | the tranche's loss, if all that the pool stands behind were due today, x deposit / the tranche's capital, rounded up |
//!
//! What is ahead is certain as far as covers were sold and paid: their premium is in the vault and is earned by the second.
//! It holds if nobody deposits, leaves, buys or cancels, no loss comes, and an alert, in which nothing is earned, is over
//! now: what it held back is earned then and not counted. What was earned is premium, before any loss; a pool keeps a
//! mark for each day on which something was earned, so the time that is told is a little more than 30 days, or less in a
//! pool that is younger. The worst case leaves reinsurance out, which may not pay; a reinsurance pool stands behind the
//! limits of its treaties.

use backstop::constants::{DAY, SHARE_EXTRA_DECIMALS};
use backstop::math::ByLayer;
use backstop::state::{ByTranche, Pool, Tranche};
use serde::Serialize;

/// How far ahead earnings are told, in days.
pub const DAYS_AHEAD: i64 = 30;

/// What was earned of late is told for so many days.
pub const DAYS_BACK: i64 = 30;

/// What a tranche earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Earnings {
    /// Premium that it earned since `earned_from`, in asset units.
    pub earned: u64,
    /// Unix second from which `earned` counts: [`DAYS_BACK`] days ago or a little more, or later in a younger pool.
    pub earned_from: i64,
    /// Premium of the coming [`DAYS_AHEAD`] days, in asset units.
    pub coming_30_days: u64,
    /// By the premium of the coming 24 hours, in basis points of the tranche's assets a year. 0 without assets.
    pub a_year_bps: u64,
    /// What of the tranche's capital is exposed, in basis points, rounded down: premium follows it. 0 without capital.
    pub exposed_bps: u64,
    /// What a share is worth beyond what it began at, in basis points; below zero after a loss. 0 without shares.
    pub since_start_bps: i64,
}

/// What a tranche earns at `now`.
pub fn earnings(pool: &Pool, tranche: Tranche, now: i64) -> Earnings {
    let coming = |seconds: i64| coming(pool, tranche, now, seconds).unwrap_or_default();
    let books = up_to(pool, now).unwrap_or(*pool);
    let (earned, earned_from) = books.earned_since(tranche, now.saturating_sub(DAYS_BACK * DAY));
    let book = books.tranche(tranche);
    let yearly = u128::from(coming(DAY)) * 365 * 10_000;
    let a_year = yearly.checked_div(book.assets.into()).unwrap_or_default();
    Earnings {
        earned,
        earned_from,
        coming_30_days: coming(DAYS_AHEAD * DAY),
        a_year_bps: u64::try_from(a_year).unwrap_or(u64::MAX),
        exposed_bps: exposed_bps(&books, tranche),
        since_start_bps: since_start_bps(book.assets, book.shares),
    }
}

fn exposed_bps(books: &Pool, tranche: Tranche) -> u64 {
    let ByLayer { junior, senior, .. } = books.exposed_capital(books.accrued_at);
    let exposed = *[junior, senior].of(tranche);
    let part = (u128::from(exposed) * 10_000).checked_div(books.tranche(tranche).total().into()).unwrap_or_default();
    // In a crisis more is exposed than is left.
    u64::try_from(part).unwrap_or(u64::MAX).min(10_000)
}

/// Basis points of its capital that a pool needs for what it stands behind; above 10,000 if it has too little. Rounded up.
pub fn in_use_bps(pool: &Pool, now: i64) -> u64 {
    let books = up_to(pool, now).unwrap_or(*pool);
    let (required, capital) =
        (books.required_capital().unwrap_or(u64::MAX), books.staying_capital().unwrap_or_default());
    match (required, capital) {
        (0, _) => 0,
        (_, 0) => u64::MAX,
        _ => u64::try_from((u128::from(required) * 10_000).div_ceil(capital.into())).unwrap_or(u64::MAX),
    }
}

/// What of an amount in a tranche is lost, if all that the pool stands behind were due today, without reinsurance. `added`
/// is put in before. In asset units, rounded up, at most the amount.
pub fn worst_case(pool: &Pool, tranche: Tranche, amount: u64, added: u64, now: i64) -> u64 {
    let mut books = up_to(pool, now).unwrap_or(*pool);
    let book = books.tranche_mut(tranche);
    book.assets = book.assets.saturating_add(added);
    let before = book.total();
    // What leaves is hit as what stays; what would be left of a tranche that is wiped out goes to the surplus.
    let due = books.total_exposure.max(books.required_capital().unwrap_or(u64::MAX));
    let loss = due.min(books.loss_capital().unwrap_or_default());
    let after = match books.take_loss(loss) {
        Ok(_) => books.tranche(tranche).total(),
        Err(_) => 0,
    };
    let lost = u128::from(amount) * u128::from(before.saturating_sub(after));
    u64::try_from(lost.div_ceil(u128::from(before.max(1)))).unwrap_or(u64::MAX).min(amount)
}

/// The books at a time; `None` if they do not take it.
fn up_to(pool: &Pool, at: i64) -> Option<Pool> {
    let mut books = *pool;
    books.accrue(at).ok().map(|_| books)
}

/// What a tranche earns in the seconds from now on.
fn coming(pool: &Pool, tranche: Tranche, now: i64, seconds: i64) -> Option<u64> {
    let mut books = up_to(&Pool { stands_since: 0, alerts: 0, ..*pool }, now)?;
    let earned = books.accrue(now.checked_add(seconds)?).ok()?;
    Some(match tranche {
        Tranche::Junior => earned.junior,
        Tranche::Senior => earned.senior,
    })
}

/// A share price less 1, in basis points, rounded down.
fn since_start_bps(assets: u64, shares: u64) -> i64 {
    let scale = 10i128.pow(SHARE_EXTRA_DECIMALS.into()) * 10_000;
    let price = (i128::from(assets) * scale).checked_div(shares.into());
    price.map_or(0, |price| i64::try_from(price - 10_000).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::state::PoolTerms;

    const ONE: u64 = 1_000_000;
    /// Begin of a day.
    const NOW: i64 = 20_000 * DAY;

    /// 10 of surplus, 100 junior, 300 senior; a tenth of premium to the surplus, junior capital weighs double.
    fn pool() -> Pool {
        let mut pool: Pool = bytemuck::Zeroable::zeroed();
        pool.terms = PoolTerms { surplus_bps: 1_000, junior_weight_bps: 20_000, ..bytemuck::Zeroable::zeroed() };
        pool.surplus = 10 * ONE;
        for (tranche, assets) in [(Tranche::Junior, 100 * ONE), (Tranche::Senior, 300 * ONE)] {
            let book = pool.tranche_mut(tranche);
            (book.assets, book.shares) = (assets, assets * 1_000);
        }
        pool.cash = 410 * ONE;
        pool.accrued_at = NOW;
        pool.terms.rho_bps = 10_000;
        pool.mark_earned(20_000);
        pool
    }

    /// The same without surplus, with premium that costs 100 a day in thousandths over 100 days, all in all 10.
    fn earning() -> Pool {
        let mut pool = pool();
        pool.surplus = 0;
        pool.stream_premium(10 * ONE, NOW, 20_100).expect("the stream is taken");
        pool
    }

    #[test]
    fn premium_in_force_is_shared_as_the_terms_say() {
        // 0.1 a day, of which 0.09 for the tranches: junior weighs 200 of 500, senior 300.
        let [junior, senior] = Tranche::BOTH.map(|tranche| earnings(&earning(), tranche, NOW));
        assert_eq!((junior.coming_30_days, senior.coming_30_days), (1_080_000, 1_620_000));
        // 0.036 a day of 100, 0.054 of 300.
        assert_eq!((junior.a_year_bps, senior.a_year_bps), (1_314, 657));
    }

    #[test]
    fn premium_follows_what_is_exposed() {
        // Of 0.09 a day: 50 of junior capital are exposed, 100 of junior and 100 of senior, everything.
        for (required, exposed, coming) in [
            (50, [5_000, 0], [2_700_000, 0]),
            (200, [10_000, 3_333], [1_800_000, 900_000]),
            (1_000, [10_000, 10_000], [1_080_000, 1_620_000]),
        ] {
            let mut pool = earning();
            pool.add_exposure(3, required * ONE).expect("it fits");
            let told = Tranche::BOTH.map(|tranche| earnings(&pool, tranche, NOW));
            assert_eq!(told.map(|earnings| earnings.exposed_bps), exposed);
            assert_eq!(told.map(|earnings| earnings.coming_30_days), coming);
        }
    }

    #[test]
    fn what_was_earned_of_late_is_told_to_the_unit_and_from_when() {
        let mut pool = earning();
        let told = |pool: &Pool, tranche, now| {
            let Earnings { earned, earned_from, .. } = earnings(pool, tranche, now);
            (earned, earned_from)
        };
        assert_eq!(told(&pool, Tranche::Junior, NOW), (0, NOW));
        // Nobody has accrued yet: what is due is told all the same. 0.09 a day for both, 0.036 of it junior at first.
        assert_eq!(told(&pool, Tranche::Senior, NOW + 10 * DAY), (540_000, NOW));
        let (mut total, mut at) = ([0u64; 2], [[0u64; 2]; 71]);
        for day in 0..=70 {
            let accrual = pool.accrue(NOW + day * DAY + 3_600).expect("it accrues");
            total = [total[0] + accrual.junior, total[1] + accrual.senior];
            at[day as usize] = total;
            let now = NOW + day * DAY + 7_200;
            let (from, before) = match day - 30 {
                mark @ 0.. => (NOW + mark * DAY + 3_600, at[mark as usize]),
                _ => (NOW, [0; 2]),
            };
            let later = up_to(&pool, now).expect("it accrues");
            for (index, tranche) in Tranche::BOTH.into_iter().enumerate() {
                assert_eq!(told(&pool, tranche, now), (later.earned[index] - before[index], from), "day {day}");
            }
        }
        // After a long silence the last mark before counts: nothing is told of less than 30 days.
        assert_eq!(told(&pool, Tranche::Junior, NOW + 300 * DAY).1, NOW + 70 * DAY + 3_600);
    }

    #[test]
    fn what_runs_out_is_earned_no_longer() {
        let late = NOW + 95 * DAY;
        let junior = earnings(&earning(), Tranche::Junior, late);
        // Five days are left: 0.45, of which 103.42 of junior capital and 0.95 of surplus weigh double against 305.13.
        assert_eq!(junior.coming_30_days, 181_131);
        assert_eq!(earnings(&earning(), Tranche::Junior, NOW + 100 * DAY).coming_30_days, 0);
        let nothing = Earnings { earned_from: NOW, exposed_bps: 10_000, ..Earnings::default() };
        assert_eq!(earnings(&pool(), Tranche::Senior, NOW), nothing);
    }

    #[test]
    fn a_share_tells_what_it_gained_or_lost_since_it_began() {
        assert_eq!(since_start_bps(100 * ONE, 100_000 * ONE), 0);
        assert_eq!(since_start_bps(101 * ONE, 100_000 * ONE), 100);
        assert_eq!(since_start_bps(87 * ONE, 100_000 * ONE), -1_300);
        assert_eq!(since_start_bps(0, 0), 0);
    }

    #[test]
    fn the_worst_case_falls_on_surplus_then_junior_then_senior() {
        let mut pool = pool();
        pool.total_exposure = 60 * ONE;
        // 10 on the surplus, 50 on 100 of junior capital.
        assert_eq!(worst_case(&pool, Tranche::Junior, 20 * ONE, 0, NOW), 10 * ONE);
        assert_eq!(worst_case(&pool, Tranche::Senior, 20 * ONE, 0, NOW), 0);
        // A deposit bears with those who were there: 50 of 125.
        assert_eq!(worst_case(&pool, Tranche::Junior, 25 * ONE, 25 * ONE, NOW), 10 * ONE);
        pool.total_exposure = 260 * ONE;
        assert_eq!(worst_case(&pool, Tranche::Junior, 20 * ONE, 0, NOW), 20 * ONE);
        assert_eq!(worst_case(&pool, Tranche::Senior, 20 * ONE, 0, NOW), 10 * ONE);
        pool.total_exposure = 1_000 * ONE;
        assert_eq!(worst_case(&pool, Tranche::Senior, 20 * ONE, 0, NOW), 20 * ONE);
    }

    #[test]
    fn capital_in_use_is_what_the_pool_needs_of_what_it_has() {
        let mut pool = pool();
        assert_eq!(in_use_bps(&pool, NOW), 0);
        pool.add_exposure(0, 205 * ONE).expect("it fits");
        assert_eq!(in_use_bps(&pool, NOW), 5_000);
        pool.surplus = 0;
        pool.tranches = bytemuck::Zeroable::zeroed();
        assert_eq!(in_use_bps(&pool, NOW), u64::MAX);
    }
}
