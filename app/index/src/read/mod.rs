//! What the history says: queries of [`Database`] and the rows that they return.
//!
//! A period in which nothing happened has no row: what stood stays. So every query by period also returns the newest
//! row before `from`, if there is one: a chart begins with it.

mod rows;
mod shown;

pub use rows::*;
pub use shown::*;

use crate::database::{Database, DatabaseError, Row, key};
use anchor_lang::prelude::Pubkey;
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::state::Tranche;
use rusqlite::{OptionalExtension, Params};
use solana_sdk::hash::Hash;

type Result<T> = std::result::Result<T, DatabaseError>;

/// Where on the chain, of a row that was joined with its transaction.
const MOMENT: &str = "transactions.slot, transactions.time, transactions.signature";

fn moment(row: &mut Row) -> rusqlite::Result<Moment> {
    Ok(Moment { slot: row.amount()?, time: row.raw()?, signature: row.signature()? })
}

/// What a share is worth in billionths of what the first one cost, rounded down.
fn price_e9(assets: u64, shares: u64) -> Option<u64> {
    let scale = 1_000_000_000 * 10u128.pow(SHARE_EXTRA_DECIMALS.into());
    let price = u128::from(assets).checked_mul(scale)?.checked_div(shares.into())?;
    u64::try_from(price).ok()
}

impl Database {
    fn list<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl Fn(&mut Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let rows = statement.query_map(parameters, |row| read(&mut Row::of(row)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn one<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl Fn(&mut Row) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection().prepare_cached(sql)?;
        Ok(statement.query_row(parameters, |row| read(&mut Row::of(row))).optional()?)
    }

    /// The newest transaction that was read. `None`: none was.
    pub fn newest(&self) -> Result<Option<Moment>> {
        self.one("SELECT slot, time, signature FROM cursor WHERE signature IS NOT NULL", [], moment)
    }

    /// The cluster whose history it is, by its genesis. `None`: nothing was read yet.
    pub fn genesis(&self) -> Result<Option<Hash>> {
        let genesis = self.one("SELECT genesis FROM cursor", [], |row| row.raw::<Option<[u8; 32]>>())?;
        Ok(genesis.flatten().map(Hash::new_from_array))
    }

    /// When the node was last asked and had nothing newer. `None`: the history was not read to its end yet.
    pub fn complete_at(&self) -> Result<Option<i64>> {
        Ok(self.one("SELECT complete_at FROM cursor", [], |row| row.raw())?.flatten())
    }

    /// Events of pools that are not there, by pool and number.
    pub fn gaps(&self) -> Result<Vec<Gap>> {
        self.list("SELECT pool, first, last, found_at FROM gaps ORDER BY pool, first", [], |row| {
            Ok(Gap { pool: row.address()?, first: row.amount()?, last: row.amount()?, found_at: row.raw()? })
        })
    }

    /// Transactions that the node lists and did not give.
    pub fn unread(&self) -> Result<Vec<Unread>> {
        self.list("SELECT signature, slot, attempts FROM unread ORDER BY slot, signature", [], |row| {
            Ok(Unread { signature: row.signature()?, slot: row.amount()?, attempts: row.amount()? })
        })
    }

    /// A pool by period, oldest first: those that begin in `from..to`, and the newest before.
    pub fn pool_periods(&self, pool: &Pubkey, by: By, from: i64, to: i64) -> Result<Vec<PoolPeriod>> {
        let sql = "SELECT start, surplus, unearned_premium, exposure, cash, \
            junior_assets, junior_exiting, junior_shares, junior_series, junior_earned, junior_lost, junior_deposits, \
            junior_exits, senior_assets, senior_exiting, senior_shares, senior_series, senior_earned, senior_lost, \
            senior_deposits, senior_exits, premium_sold, premium_earned, surplus_earned, ceded_earned, surplus_lost, \
            contributions, exits_paid, covers_sold, sums_sold, covers_paid, amounts_paid \
            FROM pool_periods WHERE pool = ?1 AND seconds = ?2 AND start < ?4 AND start >= coalesce((SELECT max(start) \
            FROM pool_periods WHERE pool = ?1 AND seconds = ?2 AND start < ?3), ?3) ORDER BY start";
        let tranche = |row: &mut Row| -> rusqlite::Result<TranchePeriod> {
            Ok(TranchePeriod {
                assets: row.amount()?,
                exiting: row.amount()?,
                shares: row.amount()?,
                series: row.raw()?,
                earned: row.amount()?,
                lost: row.raw()?,
                deposits: row.amount()?,
                exits: row.raw()?,
            })
        };
        self.list(sql, (key(pool), by.seconds(), from, to), |row| {
            Ok(PoolPeriod {
                start: row.raw()?,
                surplus: row.amount()?,
                unearned_premium: row.amount()?,
                exposure: row.amount()?,
                cash: row.amount()?,
                junior: tranche(row)?,
                senior: tranche(row)?,
                premium_sold: row.amount()?,
                premium_earned: row.amount()?,
                surplus_earned: row.amount()?,
                ceded_earned: row.amount()?,
                surplus_lost: row.raw()?,
                contributions: row.amount()?,
                exits_paid: row.amount()?,
                covers_sold: row.amount()?,
                sums_sold: row.amount()?,
                covers_paid: row.amount()?,
                amounts_paid: row.amount()?,
            })
        })
    }

    /// A tranche's share price at the end of each period: see [`Self::pool_periods`].
    pub fn share_prices(&self, pool: &Pubkey, tranche: Tranche, by: By, from: i64, to: i64) -> Result<Vec<SharePrice>> {
        let price = |period: PoolPeriod| {
            let book = match tranche {
                Tranche::Junior => period.junior,
                Tranche::Senior => period.senior,
            };
            SharePrice {
                start: period.start,
                assets: book.assets,
                shares: book.shares,
                series: book.series,
                price_e9: price_e9(book.assets, book.shares),
            }
        };
        Ok(self.pool_periods(pool, by, from, to)?.into_iter().map(price).collect())
    }

    /// What a pool lost, in the periods that begin in `from..to` and have a loss, oldest first.
    pub fn losses(&self, pool: &Pubkey, by: By, from: i64, to: i64) -> Result<Vec<Loss>> {
        let loss = |period: &PoolPeriod| Loss {
            start: period.start,
            surplus: period.surplus_lost,
            junior: period.junior.lost,
            senior: period.senior.lost,
        };
        let periods = self.pool_periods(pool, by, from, to)?;
        let losses = periods.iter().filter(|period| period.start >= from).map(loss);
        Ok(losses.filter(|loss| (loss.surplus, loss.junior, loss.senior) != (0, 0, 0)).collect())
    }

    /// A product's sales by period, oldest first: those that begin in `from..to`, and the newest before.
    pub fn product_periods(&self, product: &Pubkey, by: By, from: i64, to: i64) -> Result<Vec<ProductPeriod>> {
        let sql = "SELECT start, covers, sum_insured, premium, cancelled, refunds, last_rate_ppb, lowest_rate_ppb, \
            highest_rate_ppb, last_level_bps FROM product_periods WHERE product = ?1 AND seconds = ?2 AND start < ?4 \
            AND start >= coalesce((SELECT max(start) FROM product_periods WHERE product = ?1 AND seconds = ?2 AND \
            start < ?3), ?3) ORDER BY start";
        self.list(sql, (key(product), by.seconds(), from, to), |row| {
            Ok(ProductPeriod {
                start: row.raw()?,
                covers: row.amount()?,
                sum_insured: row.amount()?,
                premium: row.amount()?,
                cancelled: row.amount()?,
                refunds: row.amount()?,
                last_rate_ppb: row.amount()?,
                lowest_rate_ppb: row.amount()?,
                highest_rate_ppb: row.amount()?,
                last_level_bps: row.raw()?,
            })
        })
    }

    /// The prices that were shown to a product's trigger in `from..to`. `None`: it is not known, or has no condition that
    /// prices meet.
    pub fn price_history(&self, product: &Pubkey, from: i64, to: i64) -> Result<Option<PriceHistory>> {
        let terms = "SELECT trigger_account, threshold, recovery, slot_seconds FROM products WHERE product = ?1 \
            AND trigger_account IS NOT NULL AND threshold IS NOT NULL";
        let history = self.one(terms, (key(product),), |row| {
            Ok(PriceHistory {
                trigger: row.address()?,
                threshold_e8: row.amount()?,
                recovery_e8: row.amount()?,
                slot_seconds: row.raw()?,
                points: Vec::new(),
            })
        })?;
        let Some(mut history) = history else { return Ok(None) };
        let points = "SELECT start, prints, low, high, last, says FROM prices WHERE product = ?1 AND start >= ?2 AND \
            start < ?3 ORDER BY start";
        history.points = self.list(points, (key(product), from, to), |row| {
            Ok(PricePoint {
                start: row.raw()?,
                prints: row.amount()?,
                low_e8: row.amount()?,
                high_e8: row.amount()?,
                last_e8: row.amount()?,
                says: match row.raw::<i64>()? {
                    1 => Says::Breach,
                    2 => Says::Recovered,
                    _ => Says::Open,
                },
            })
        })?;
        Ok(Some(history))
    }

    /// A pool's incidents, or all, newest first.
    pub fn incidents(&self, pool: Option<&Pubkey>) -> Result<Vec<IncidentSummary>> {
        let sql = "SELECT incident, pool, product, crisis, event_at, ended_at, final_at, opened_at, severity_bps, \
            gross, is_final, funded, paid, refunded, payments, deadline, closed_at FROM incidents WHERE ?1 IS NULL OR \
            pool = ?1 ORDER BY opened_at DESC, incident";
        self.list(sql, (pool.map(key),), |row| {
            Ok(IncidentSummary {
                incident: row.address()?,
                pool: row.address()?,
                product: row.address()?,
                crisis: row.raw()?,
                event_at: row.raw()?,
                ended_at: row.raw()?,
                final_at: row.raw()?,
                opened_at: row.raw()?,
                severity_bps: row.raw()?,
                gross: row.amount()?,
                is_final: row.raw()?,
                funded: row.amount()?,
                paid: row.amount()?,
                refunded: row.amount()?,
                payments: row.amount()?,
                deadline: row.raw()?,
                closed_at: row.raw()?,
            })
        })
    }

    /// What was paid for an incident, oldest first.
    pub fn payments(&self, incident: &Pubkey) -> Result<Vec<Payment>> {
        self.payments_where("incident = ?1", incident)
    }

    /// What a holder of covers was paid, oldest first.
    pub fn payments_to(&self, holder: &Pubkey) -> Result<Vec<Payment>> {
        self.payments_where("holder = ?1", holder)
    }

    fn payments_where(&self, condition: &str, of: &Pubkey) -> Result<Vec<Payment>> {
        let sql = format!(
            "SELECT {MOMENT}, incident, cover, holder, amount, refund, is_waiting FROM payments JOIN transactions ON \
             transactions.id = transaction_id WHERE {condition} ORDER BY transactions.slot, transactions.place, \
             payments.place"
        );
        self.list(&sql, (key(of),), |row| {
            Ok(Payment {
                moment: moment(row)?,
                incident: row.address()?,
                cover: row.address()?,
                holder: row.address()?,
                amount: row.amount()?,
                refund: row.amount()?,
                is_waiting: row.raw()?,
            })
        })
    }

    /// What happened in an incident, oldest first: from when its product last left quiet, payments apart.
    pub fn timeline(&self, incident: &Pubkey) -> Result<Vec<Step>> {
        let sql = format!(
            "SELECT {MOMENT}, steps.what, steps.phase, steps.amount, steps.severity_bps FROM (\
             SELECT transaction_id, place, what, NULL AS phase, amount, severity_bps FROM incident_steps \
             WHERE incident = ?1 UNION ALL \
             SELECT transaction_id, place, 'PhaseChanged', after, NULL, nullif(severity_bps, 0) FROM phases \
             WHERE product = (SELECT product FROM incidents WHERE incident = ?1)) AS steps \
             JOIN transactions ON transactions.id = steps.transaction_id \
             ORDER BY transactions.slot, transactions.place, steps.place"
        );
        let mut steps = self.list(&sql, (key(incident),), |row| {
            Ok(Step {
                moment: moment(row)?,
                what: row.raw()?,
                phase: row.raw()?,
                amount: row.maybe_amount()?,
                severity_bps: row.raw()?,
            })
        })?;
        let quiet = steps.iter().rposition(|step| step.phase == Some(0));
        Ok(steps.split_off(quiet.map_or(0, |place| place.saturating_add(1))))
    }

    /// What a pool's treaties, and agreements about surplus, did, oldest first, as cedant and as reinsurer.
    pub fn treaty_steps(&self, pool: &Pubkey) -> Result<Vec<TreatyStep>> {
        let sql = format!(
            "SELECT {MOMENT}, what, treaty, cedant, reinsurer, incident, to_reinsurer, to_cedant FROM treaty_steps \
             JOIN transactions ON transactions.id = transaction_id WHERE cedant = ?1 OR reinsurer = ?1 ORDER BY \
             transactions.slot, transactions.place, treaty_steps.place"
        );
        self.list(&sql, (key(pool),), |row| {
            Ok(TreatyStep {
                moment: moment(row)?,
                what: row.raw()?,
                treaty: row.maybe_address()?,
                cedant: row.address()?,
                reinsurer: row.address()?,
                incident: row.maybe_address()?,
                to_reinsurer: row.amount()?,
                to_cedant: row.amount()?,
            })
        })
    }

    /// What was announced for a pool, oldest first.
    pub fn announcements(&self, pool: &Pubkey) -> Result<Vec<Announcement>> {
        let sql = format!(
            "SELECT {MOMENT}, what, subject, amount, begins_at, until, ended_at FROM announcements JOIN transactions \
             ON transactions.id = transaction_id WHERE pool = ?1 ORDER BY transactions.slot, transactions.place, \
             announcements.place"
        );
        self.list(&sql, (key(pool),), |row| {
            Ok(Announcement {
                moment: moment(row)?,
                what: row.raw()?,
                subject: row.address()?,
                amount: row.maybe_amount()?,
                begins_at: row.raw()?,
                until: row.raw()?,
                ended_at: row.raw()?,
            })
        })
    }

    /// How many events are kept.
    pub fn event_count(&self) -> Result<u64> {
        Ok(self.one("SELECT count(*) FROM events", [], |row| row.amount())?.unwrap_or_default())
    }
}
