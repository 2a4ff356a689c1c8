//! What is rebuilt from the events: pools and products by hour and day, prices, incidents, treaties, announcements.

use crate::database::{DatabaseError, before_write, bits, key};
use crate::read::By;
use crate::reading::Told;
use crate::rows::{Figure, PoolRow, PriceRow, ProductRow, Rows, figure};
use anchor_lang::prelude::Pubkey;
use anchor_lang::{AnchorDeserialize, AnchorSerialize};
use backstop::peril::evidence::{Class, Shown, SlotState, Terms, TermsInput};
use backstop::peril::feed::Observation;
use backstop::state::{Accrual, ByTranche, LossByLayer, ProductState, Tranche};
use backstop_client::books::{Books, Replay};
use backstop_client::event::Event;
use rusqlite::{Connection, Params};
use std::collections::HashMap;
use std::num::Wrapping;

/// Tables that are rebuilt, those that nothing else names last.
pub(crate) const TABLES: [&str; 12] = [
    "announcements",
    "treaty_steps",
    "payments",
    "incident_steps",
    "incidents",
    "phases",
    "prices",
    "product_periods",
    "products",
    "pool_periods",
    "books",
    "pools",
];
/// Most rows that are held before they are written.
const HELD: usize = 20_000;
const DAYS_A_YEAR: u128 = 365;
const PPB: u128 = 1_000_000_000;

type Result<T> = std::result::Result<T, DatabaseError>;

/// Where on the chain an event is.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub transaction: i64,
    pub place: i64,
    pub time: i64,
}

/// What was sold: a cover or a position.
#[derive(Clone, Copy)]
struct Sold {
    sum: u64,
    premium: u64,
    /// What it costs a year, in parts per billion of the sum insured.
    rate: u64,
    level_bps: u32,
}

/// What an incident paid: of a cover to the holder of its NFT, of a position to its beneficiary, of either to the payee of
/// its lien.
struct Paid {
    policy: Pubkey,
    payee: Pubkey,
    amount: u64,
    refund: u64,
    waiting: bool,
}

/// Reads events in their order and changes what is rebuilt from them.
pub(crate) struct Projector<'a> {
    connection: &'a Connection,
    replay: Replay,
    pools: Rows<PoolRow>,
    products: Rows<ProductRow>,
    prices: Rows<PriceRow>,
    /// The product of each trigger, and its condition.
    triggers: HashMap<Pubkey, (Pubkey, Terms)>,
}

impl<'a> Projector<'a> {
    /// As it was left.
    pub fn load(connection: &'a Connection) -> Result<Self> {
        let mut triggers = HashMap::new();
        // A reading has no condition that prices meet.
        let sql = "SELECT trigger_account, product, condition FROM products WHERE condition IS NOT NULL";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (trigger, product, condition): ([u8; 32], [u8; 32], Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let terms = TermsInput::deserialize(&mut condition.as_slice()).ok().and_then(|it| Terms::new(&it).ok());
            let terms = terms.ok_or_else(|| DatabaseError::damaged("a condition cannot be read"))?;
            triggers.insert(Pubkey::new_from_array(trigger), (Pubkey::new_from_array(product), terms));
        }
        let replay = Replay { pools: books(connection)? };
        Ok(Self {
            connection,
            replay,
            pools: Rows::default(),
            products: Rows::default(),
            prices: Rows::default(),
            triggers,
        })
    }

    /// Deletes all that is rebuilt, and begins anew.
    pub fn begin(connection: &'a Connection) -> Result<Self> {
        for table in TABLES {
            before_write();
            connection.execute(&format!("DELETE FROM {table}"), [])?;
        }
        Self::load(connection)
    }

    /// Writes what is held.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        let sql = "INSERT OR REPLACE INTO books (pool, state) VALUES (?1, ?2)";
        let mut statement = self.connection.prepare_cached(sql)?;
        for (pool, books) in &self.replay.pools {
            let state = bincode::serialize(books).map_err(|_| DatabaseError::damaged("books cannot be written"))?;
            before_write();
            statement.execute((key(pool), state))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.pools.flush(self.connection)?;
        self.products.flush(self.connection)?;
        self.prices.flush(self.connection)
    }

    /// Runs a statement that writes.
    fn write(&self, sql: &str, parameters: impl Params) -> Result<()> {
        before_write();
        self.connection.prepare_cached(sql)?.execute(parameters)?;
        Ok(())
    }

    /// Changes a pool's row of the hour and that of the day.
    fn pool(&mut self, pool: &Pubkey, at: At, change: impl Fn(&mut PoolRow)) -> Result<()> {
        for by in By::ALL {
            change(self.pools.at(self.connection, (*pool, by.seconds(), by.start_of(at.time)))?);
        }
        Ok(())
    }

    /// Changes a product's row of the hour and that of the day.
    fn product(&mut self, product: &Pubkey, at: At, change: impl Fn(&mut ProductRow)) -> Result<()> {
        for by in By::ALL {
            change(self.products.at(self.connection, (*product, by.seconds(), by.start_of(at.time)))?);
        }
        Ok(())
    }

    /// Reads the next event.
    pub fn apply(&mut self, at: At, told: &Told) -> Result<()> {
        if let Err(misfit) = self.replay.apply(&told.event) {
            tracing::debug!(%misfit, "events before it are missing");
        }
        self.note(at, &told.event)?;
        for number in &told.numbers {
            let books = self.replay.pools.get(&number.pool).cloned().unwrap_or_default();
            self.pool(&number.pool, at, |row| close(row, &books))?;
        }
        if self.pools.len() + self.products.len() + self.prices.len() > HELD {
            self.flush()?;
        }
        Ok(())
    }

    fn note(&mut self, at: At, event: &Event) -> Result<()> {
        match event {
            Event::PoolCreated(event) => self.write(
                "INSERT OR REPLACE INTO pools (pool, asset_mint, id, kind, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (key(&event.pool), key(&event.asset_mint), event.id, event.kind.byte(), at.time),
            ),
            Event::Accrued(event) => self.pool(&event.pool, at, |row| earn(row, &event.accrual)),
            Event::Deposited(event) => self.pool(&event.pool, at, |row| match event.tranche {
                Tranche::Junior => row.junior_deposits += figure(event.amount),
                Tranche::Senior => row.senior_deposits += figure(event.amount),
            }),
            Event::SurplusContributed(event) => {
                self.pool(&event.pool, at, |row| row.contributions += figure(event.amount))
            }
            Event::ExitRequested(event) => {
                self.pool(&event.pool, at, |row| *exits(row, event.tranche) += figure(event.value))
            }
            Event::ExitCancelled(event) => {
                self.pool(&event.pool, at, |row| *exits(row, event.tranche) -= figure(event.value))
            }
            Event::ExitClaimed(event) => self.pool(&event.pool, at, |row| row.exits_paid += figure(event.amount)),
            Event::ProductCreated(event) => {
                self.write(
                    "INSERT OR REPLACE INTO products (product, pool, id, covered_asset, wording_hash, created_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    (
                        key(&event.product),
                        key(&event.pool),
                        event.id,
                        key(&event.covered_asset),
                        event.wording_hash.as_slice(),
                        at.time,
                    ),
                )?;
                self.announce(at, "ProductCreated", &event.pool, &event.product, None, at.time, None)
            }
            Event::ConditionSet(event) => self.condition(at, event),
            Event::ReadingSet(event) => {
                self.write(
                    "UPDATE products SET trigger_account = ?2 WHERE product = ?1",
                    (key(&event.product), key(&event.trigger)),
                )?;
                self.end_announcement(at, &event.pool, &event.product)?;
                self.announce(at, "ReadingSet", &event.pool, &event.product, None, event.sells_from, None)
            }
            Event::ProductStateSet(event) => {
                self.end_announcement(at, &event.pool, &event.product)?;
                if event.state != ProductState::Selling {
                    return Ok(());
                }
                self.announce(at, "ProductStateSet", &event.pool, &event.product, None, event.sells_from, None)
            }
            Event::CoverBought(event) => {
                let rate = rate_ppb(event.premium, event.sum_insured, event.active_day, event.end_day);
                let (sum, premium) = (event.sum_insured, event.premium);
                self.sold(at, [&event.pool, &event.product], Sold { sum, premium, rate, level_bps: event.level_bps })
            }
            Event::PositionBought(event) => {
                let rate = rate_ppb(event.premium, event.sum_insured, event.active_day, event.end_day);
                let (sum, premium) = (event.sum_insured, event.premium);
                self.sold(at, [&event.pool, &event.product], Sold { sum, premium, rate, level_bps: event.level_bps })
            }
            Event::CoverCancelled(event) => self.given_back(at, &event.product, event.refund),
            Event::PositionCancelled(event) => self.given_back(at, &event.product, event.refund),
            Event::PositionReduced(event) => {
                // It goes on: what comes back is told, and no policy that was given back.
                self.product(&event.product, at, |row| row.refunds += figure(event.refund))
            }
            Event::PositionExtended(event) => self.extended(at, [&event.pool, &event.product], event.premium),
            Event::Observed(event) => self.price(&event.trigger, event.price, event.confidence, event.publish_time),
            Event::PhaseChanged(event) => self.write(
                "INSERT INTO phases (product, transaction_id, place, before, after, mean_price, severity_bps) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    key(&event.product),
                    at.transaction,
                    at.place,
                    event.before,
                    event.after,
                    bits(event.mean_price),
                    event.severity_bps,
                ),
            ),
            Event::IncidentOpened(_)
            | Event::IncidentGrown(_)
            | Event::IncidentFunded(_)
            | Event::CrisisClosed(_)
            | Event::DeadlineExtended(_)
            | Event::CoverSettled(_)
            | Event::PositionSettled(_)
            | Event::LienSettled(_)
            | Event::IncidentClosed(_) => self.incident(at, event),
            Event::TreatyCreated(_)
            | Event::TreatyAccepted(_)
            | Event::TreatyPremiumSettled(_)
            | Event::TreatyCalled(_)
            | Event::TreatyEnded(_)
            | Event::TreatyCommuted(_)
            | Event::CessionAnnounced(_)
            | Event::SurplusCeded(_)
            | Event::CessionClosed(_) => self.treaty(at, event),
            // The books say what these did.
            Event::ExitEpochSettled(_)
            | Event::ExitEpochClosed(_)
            | Event::SeriesOpened(_)
            | Event::ExposureReleased(_)
            // They change nothing that is shown by period.
            | Event::RiskRateSet(_)
            | Event::CoverClosed(_)
            | Event::BeneficiarySet(_)
            | Event::PositionConverted(_)
            | Event::PositionClosed(_)
            | Event::CoverSplit(_)
            | Event::PositionSplit(_)
            | Event::LienSet(_)
            | Event::LienLowered(_)
            | Event::LienLifted(_)
            | Event::Initialized(_)
            | Event::GovernanceProposed(_)
            | Event::GovernanceAccepted(_)
            | Event::AttestorSetCreated(_)
            | Event::EquivocationReported(_)
            | Event::ReadingShown(_)
            | Event::DropArmed(_)
            | Event::LossReported(_)
            | Event::RolesSet(_)
            | Event::PauseSet(_) => Ok(()),
        }
    }

    fn condition(&mut self, at: At, event: &backstop::events::ConditionSet) -> Result<()> {
        let mut condition = Vec::new();
        let written = event.condition.serialize(&mut condition);
        written.map_err(|_| DatabaseError::damaged("a condition cannot be written"))?;
        let Ok(terms) = Terms::new(&event.condition) else { return Ok(()) };
        self.triggers.insert(event.trigger, (event.product, terms));
        self.write(
            "UPDATE products SET trigger_account = ?2, threshold = ?3, recovery = ?4, slot_seconds = ?5, \
             condition = ?6 WHERE product = ?1",
            (
                key(&event.product),
                key(&event.trigger),
                bits(terms.threshold),
                bits(terms.recovery),
                terms.slot_seconds,
                condition,
            ),
        )?;
        self.end_announcement(at, &event.pool, &event.product)?;
        self.announce(at, "ConditionSet", &event.pool, &event.product, None, event.sells_from, None)
    }

    /// A print, by the rules of the condition that it was shown to.
    fn price(&mut self, trigger: &Pubkey, price: u64, confidence: u64, publish_time: i64) -> Result<()> {
        // Of a trigger whose product is missing there is nothing to say yet.
        let Some((product, terms)) = self.triggers.get(trigger) else { return Ok(()) };
        let Some(slot) = terms.slot_of(publish_time) else { return Ok(()) };
        let start = terms.slot_start(slot);
        let mark = publish_time.saturating_sub(start).saturating_add(1);
        let class = terms.classify(&Observation { price, confidence, publish_time });
        let apart = terms.apart();
        let row = self.prices.at(self.connection, (*product, start))?;
        let print = figure(price);
        row.low = if row.prints.0 == 0 { print } else { row.low.min(print) };
        row.high = row.high.max(print);
        if publish_time >= row.last_at.0 {
            row.last = print;
            row.last_at = Wrapping(publish_time);
        }
        row.prints += 1;
        let widen = |first: &mut Figure, last: &mut Figure| {
            if first.0 == 0 || mark < first.0 {
                *first = Wrapping(mark);
            }
            *last = Wrapping(mark.max(last.0));
        };
        match class {
            Class::Breach => row.highest_breach = row.highest_breach.max(print),
            Class::Above => widen(&mut row.above_first, &mut row.above_last),
            Class::Recovered => {
                widen(&mut row.above_first, &mut row.above_last);
                widen(&mut row.recovered_first, &mut row.recovered_last);
            }
            Class::Unclear => {}
        }
        let second = |mark: Figure| u16::try_from(mark.0).unwrap_or(u16::MAX);
        let shown = Shown {
            highest_breach: row.highest_breach.0.cast_unsigned(),
            lowest: 0,
            above_first: second(row.above_first),
            above_last: second(row.above_last),
            recovered_first: second(row.recovered_first),
            recovered_last: second(row.recovered_last),
        };
        row.says = Wrapping(match shown.state(apart) {
            SlotState::Open => 0,
            SlotState::Good => 1,
            SlotState::Recovered => 2,
        });
        Ok(())
    }

    fn step(&self, at: At, incident: &Pubkey, what: &str, amount: Option<u64>, severity: Option<u16>) -> Result<()> {
        self.write(
            "INSERT INTO incident_steps (incident, transaction_id, place, what, amount, severity_bps) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (key(incident), at.transaction, at.place, what, amount.map(bits), severity),
        )
    }

    /// Adds to a figure of an incident that may have 64 bits.
    fn add(&self, incident: &Pubkey, column: &str, amount: u64) -> Result<()> {
        let sql = format!("SELECT {column} FROM incidents WHERE incident = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let before: i64 = match statement.query_row((key(incident),), |row| row.get(0)) {
            // Its opening is missing.
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(()),
            read => read?,
        };
        let sql = format!("UPDATE incidents SET {column} = ?2 WHERE incident = ?1");
        self.write(&sql, (key(incident), before.wrapping_add(bits(amount))))
    }

    fn incident(&mut self, at: At, event: &Event) -> Result<()> {
        let what = event.name();
        match event {
            Event::IncidentOpened(event) => {
                self.pool(&event.pool, at, |row| {
                    earn(row, &event.accrual);
                    earn(row, &event.growth.accrual);
                })?;
                self.write(
                    "INSERT OR REPLACE INTO incidents (incident, pool, product, crisis, event_at, ended_at, final_at, \
                     opened_at, severity_bps, gross, is_final, funded, paid, refunded, payments) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, 0)",
                    (
                        key(&event.incident),
                        key(&event.pool),
                        key(&event.product),
                        event.crisis,
                        event.event_at,
                        event.ended_at,
                        event.final_at,
                        at.time,
                        event.growth.severity_bps,
                        bits(event.growth.gross),
                        event.growth.is_final,
                    ),
                )?;
                let severity = event.growth.severity_bps;
                self.end_announcement(at, &event.pool, &event.product)?;
                self.step(at, &event.incident, what, Some(event.growth.gross), Some(severity))
            }
            Event::IncidentGrown(event) => {
                self.pool(&event.pool, at, |row| earn(row, &event.growth.accrual))?;
                let (severity, gross) = (event.growth.severity_bps, event.growth.gross);
                self.write(
                    "UPDATE incidents SET severity_bps = ?2, gross = ?3, is_final = ?4 WHERE incident = ?1",
                    (key(&event.incident), severity, bits(gross), event.growth.is_final),
                )?;
                self.step(at, &event.incident, what, Some(gross), Some(severity))
            }
            Event::IncidentFunded(event) => {
                self.pool(&event.pool, at, |row| lose(row, &event.giving.losses))?;
                self.add(&event.incident, "funded", event.giving.amount)?;
                self.step(at, &event.incident, what, Some(event.giving.amount), None)
            }
            Event::CrisisClosed(event) => {
                let [surplus, lent @ ..] = event.closing.restored;
                let [junior, senior] = [lent[0].wrapping_add(lent[1]), lent[2].wrapping_add(lent[3])];
                self.pool(&event.pool, at, |row| {
                    row.surplus_lost -= figure(surplus);
                    row.junior_lost -= figure(junior);
                    row.senior_lost -= figure(senior);
                    lose(row, &event.closing.losses);
                })?;
                // A step of each of its incidents.
                self.write(
                    "INSERT INTO incident_steps (incident, transaction_id, place, what, amount, severity_bps) \
                     SELECT incident, ?3, ?4, ?5, ?6, NULL FROM incidents WHERE pool = ?1 AND crisis = ?2",
                    (
                        key(&event.pool),
                        event.closing.number,
                        at.transaction,
                        at.place,
                        what,
                        bits(event.closing.resources),
                    ),
                )
            }
            Event::DeadlineExtended(event) => {
                let sql = "UPDATE incidents SET deadline = ?2 WHERE incident = ?1";
                self.write(sql, (key(&event.incident), event.deadline))?;
                self.step(at, &event.incident, what, None, None)
            }
            Event::CoverSettled(event) => {
                let (policy, payee, waiting) = (event.cover, event.holder, event.waiting);
                let (amount, refund) = (event.amount, event.refund);
                self.paid(at, &event.pool, &event.incident, &Paid { policy, payee, amount, refund, waiting })
            }
            Event::PositionSettled(event) => {
                let (policy, payee, waiting) = (event.position, event.beneficiary, event.waiting);
                let (amount, refund) = (event.amount, event.refund);
                self.paid(at, &event.pool, &event.incident, &Paid { policy, payee, amount, refund, waiting })
            }
            Event::LienSettled(event) => {
                let (policy, payee, waiting) = (event.policy, event.payee, false);
                let (amount, refund) = (event.amount, 0);
                self.paid(at, &event.pool, &event.incident, &Paid { policy, payee, amount, refund, waiting })
            }
            Event::IncidentClosed(event) => {
                let sql = "UPDATE incidents SET closed_at = ?2 WHERE incident = ?1";
                self.write(sql, (key(&event.incident), at.time))?;
                let left = event.reserve.wrapping_add(event.refunds).wrapping_add(event.bucket);
                self.step(at, &event.incident, what, Some(left), None)
            }
            _ => Ok(()),
        }
    }

    /// A cover or a position was sold.
    fn sold(&mut self, at: At, [pool, product]: [&Pubkey; 2], sold: Sold) -> Result<()> {
        self.product(product, at, |row| {
            let rate = figure(sold.rate);
            row.lowest_rate_ppb = if row.covers.0 == 0 { rate } else { row.lowest_rate_ppb.min(rate) };
            row.highest_rate_ppb = row.highest_rate_ppb.max(rate);
            row.last_rate_ppb = rate;
            row.last_level_bps = Wrapping(sold.level_bps.into());
            row.covers += 1;
            row.sum_insured += figure(sold.sum);
            row.premium += figure(sold.premium);
        })?;
        self.pool(pool, at, |row| {
            row.covers_sold += 1;
            row.sums_sold += figure(sold.sum);
            row.premium_sold += figure(sold.premium);
        })
    }

    /// A position was extended: premium was sold, and no sum.
    fn extended(&mut self, at: At, [pool, product]: [&Pubkey; 2], premium: u64) -> Result<()> {
        self.product(product, at, |row| row.premium += figure(premium))?;
        self.pool(pool, at, |row| row.premium_sold += figure(premium))
    }

    /// A cover or a position was given back.
    fn given_back(&mut self, at: At, product: &Pubkey, refund: u64) -> Result<()> {
        self.product(product, at, |row| {
            row.cancelled += 1;
            row.refunds += figure(refund);
        })
    }

    /// A cover or a position was paid by an incident.
    fn paid(&mut self, at: At, pool: &Pubkey, incident: &Pubkey, paid: &Paid) -> Result<()> {
        self.pool(pool, at, |row| {
            row.covers_paid += 1;
            row.amounts_paid += figure(paid.amount) + figure(paid.refund);
        })?;
        self.add(incident, "paid", paid.amount)?;
        self.add(incident, "refunded", paid.refund)?;
        self.add(incident, "payments", 1)?;
        self.write(
            "INSERT INTO payments (incident, transaction_id, place, cover, holder, amount, refund, is_waiting) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                key(incident),
                at.transaction,
                at.place,
                key(&paid.policy),
                key(&paid.payee),
                bits(paid.amount),
                bits(paid.refund),
                paid.waiting,
            ),
        )
    }

    fn treaty(&mut self, at: At, event: &Event) -> Result<()> {
        let what = event.name();
        let step =
            |treaty: Option<&Pubkey>, cedant: &Pubkey, reinsurer: &Pubkey, incident: Option<&Pubkey>, to: [u64; 2]| {
                self.write(
                    "INSERT INTO treaty_steps (transaction_id, place, what, treaty, cedant, reinsurer, incident, \
                 to_reinsurer, to_cedant) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    (
                        at.transaction,
                        at.place,
                        what,
                        treaty.map(key),
                        key(cedant),
                        key(reinsurer),
                        incident.map(key),
                        bits(to[0]),
                        bits(to[1]),
                    ),
                )
            };
        match event {
            Event::TreatyCreated(event) => {
                step(Some(&event.treaty), &event.cedant, &event.reinsurer, None, [0, 0])?;
                for pool in [&event.cedant, &event.reinsurer] {
                    let limit = Some(event.terms.limit);
                    self.announce(at, what, pool, &event.treaty, limit, event.notice_until, None)?;
                }
                Ok(())
            }
            Event::TreatyAccepted(event) => {
                step(Some(&event.treaty), &event.cedant, &event.reinsurer, None, [event.premium, 0])?;
                let premium = figure(event.premium);
                self.pool(&event.reinsurer, at, |row| row.premium_sold += premium)?;
                self.end_announcements(at, [&event.cedant, &event.reinsurer], &event.treaty)
            }
            Event::TreatyPremiumSettled(event) => {
                step(None, &event.cedant, &event.reinsurer, None, [event.amount, 0])?;
                let premium = figure(event.amount);
                self.pool(&event.reinsurer, at, |row| row.premium_sold += premium)
            }
            Event::TreatyCalled(event) => {
                let received = event.paid.wrapping_sub(event.reinstatement_premium);
                let incident = Some(&event.incident);
                step(Some(&event.treaty), &event.cedant, &event.reinsurer, incident, [0, received])?;
                self.pool(&event.reinsurer, at, |row| {
                    lose(row, &event.losses);
                    row.premium_sold += figure(event.reinstatement_premium);
                })?;
                // What comes after the crisis goes back to those who bore the loss; the part of whoever has left since is
                // the surplus's.
                let receipt = event.receipt;
                self.pool(&event.cedant, at, |row| {
                    let to = |tranche| figure(*receipt.staying.of(tranche)) + figure(*receipt.exiting.of(tranche));
                    row.surplus_lost -= figure(receipt.surplus);
                    row.junior_lost -= to(Tranche::Junior);
                    row.senior_lost -= to(Tranche::Senior);
                })?;
                self.step(at, &event.incident, what, Some(received), None)
            }
            Event::TreatyEnded(event) => {
                step(Some(&event.treaty), &event.cedant, &event.reinsurer, None, [0, 0])?;
                self.end_announcements(at, [&event.cedant, &event.reinsurer], &event.treaty)
            }
            Event::TreatyCommuted(event) => {
                step(Some(&event.treaty), &event.cedant, &event.reinsurer, None, [0, event.returned])
            }
            Event::CessionAnnounced(event) => {
                let (amount, until) = (Some(event.amount), Some(event.until));
                self.announce(at, what, &event.cedant, &event.reinsurer, amount, event.from, until)?;
                self.announce(at, what, &event.reinsurer, &event.cedant, amount, event.from, until)
            }
            Event::SurplusCeded(event) => {
                step(None, &event.cedant, &event.reinsurer, None, [event.amount, 0])?;
                let amount = figure(event.amount);
                self.pool(&event.reinsurer, at, |row| row.contributions += amount)?;
                self.end_cession(at, &event.cedant)
            }
            Event::CessionClosed(event) => self.end_cession(at, &event.cedant),
            _ => Ok(()),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the columns of one row")]
    fn announce(
        &self,
        at: At,
        what: &str,
        pool: &Pubkey,
        subject: &Pubkey,
        amount: Option<u64>,
        begins_at: i64,
        until: Option<i64>,
    ) -> Result<()> {
        self.write(
            "INSERT OR REPLACE INTO announcements (transaction_id, place, pool, what, subject, amount, begins_at, \
             until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (at.transaction, at.place, key(pool), what, key(subject), amount.map(bits), begins_at, until),
        )
    }

    /// What was announced about something is done, withdrawn or replaced.
    fn end_announcement(&self, at: At, pool: &Pubkey, subject: &Pubkey) -> Result<()> {
        self.write(
            "UPDATE announcements SET ended_at = ?3 WHERE pool = ?1 AND subject = ?2 AND ended_at IS NULL",
            (key(pool), key(subject), at.time),
        )
    }

    fn end_announcements(&self, at: At, pools: [&Pubkey; 2], subject: &Pubkey) -> Result<()> {
        pools.into_iter().try_for_each(|pool| self.end_announcement(at, pool, subject))
    }

    /// A pool announces one transfer of surplus at a time.
    fn end_cession(&self, at: At, cedant: &Pubkey) -> Result<()> {
        self.write(
            "UPDATE announcements SET ended_at = ?2 WHERE what = 'CessionAnnounced' AND ended_at IS NULL AND \
             transaction_id IN (SELECT transaction_id FROM announcements WHERE pool = ?1 AND \
             what = 'CessionAnnounced' AND ended_at IS NULL)",
            (key(cedant), at.time),
        )
    }
}

/// The books of all pools as they are kept.
pub(crate) fn books(connection: &Connection) -> Result<std::collections::BTreeMap<Pubkey, Books>> {
    let mut statement = connection.prepare_cached("SELECT pool, state FROM books")?;
    let mut rows = statement.query([])?;
    let mut books = std::collections::BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (pool, state): ([u8; 32], Vec<u8>) = (row.get(0)?, row.get(1)?);
        let state = bincode::deserialize(&state).map_err(|_| DatabaseError::damaged("books cannot be read"))?;
        books.insert(Pubkey::new_from_array(pool), state);
    }
    Ok(books)
}

/// What a cover costs a year, in parts per billion of its sum insured, rounded down; as far as it fits.
fn rate_ppb(premium: u64, sum_insured: u64, active_day: u32, end_day: u32) -> u64 {
    let days = u128::from(end_day.saturating_sub(active_day));
    let sum = u128::from(sum_insured).saturating_mul(days);
    let cost = u128::from(premium).saturating_mul(PPB).saturating_mul(DAYS_A_YEAR);
    let rate = cost.checked_div(sum).unwrap_or_default();
    // Figures are compared as SQLite keeps them.
    i64::try_from(rate).unwrap_or(i64::MAX).cast_unsigned()
}

/// How a pool stands at the end of a period.
fn close(row: &mut PoolRow, books: &Books) {
    let kept = |amount: Wrapping<u64>| figure(amount.0);
    let (junior, senior) = (books.tranches.of(Tranche::Junior), books.tranches.of(Tranche::Senior));
    row.surplus = kept(books.surplus);
    row.junior_assets = kept(junior.assets);
    row.junior_exiting = kept(junior.exiting);
    row.junior_shares = kept(junior.shares);
    row.junior_series = Wrapping(junior.series.into());
    row.senior_assets = kept(senior.assets);
    row.senior_exiting = kept(senior.exiting);
    row.senior_shares = kept(senior.shares);
    row.senior_series = Wrapping(senior.series.into());
    row.unearned_premium = kept(books.unearned_premium);
    row.exposure = kept(books.exposure);
    row.cash = kept(books.cash);
}

/// Premium that was earned, and whose it is.
fn earn(row: &mut PoolRow, accrual: &Accrual) {
    let ceded: Figure = accrual.ceded.iter().copied().map(figure).sum();
    let junior = figure(accrual.junior) + figure(accrual.junior_exiting);
    let senior = figure(accrual.senior) + figure(accrual.senior_exiting);
    row.ceded_earned += ceded;
    row.surplus_earned += figure(accrual.surplus);
    row.junior_earned += junior;
    row.senior_earned += senior;
    row.premium_earned += ceded + figure(accrual.surplus) + junior + senior;
}

/// What was lost. What a wiped-out tranche had left is the surplus's: the tranche lost it all the same.
fn lose(row: &mut PoolRow, losses: &LossByLayer) {
    let (junior_left, senior_left) = (figure(losses.junior_wiped), figure(losses.senior_wiped));
    row.surplus_lost += figure(losses.surplus) - junior_left - senior_left;
    row.junior_lost += figure(losses.junior_assets) + figure(losses.junior_exiting) + junior_left;
    row.senior_lost += figure(losses.senior_assets) + figure(losses.senior_exiting) + senior_left;
}

fn exits(row: &mut PoolRow, tranche: Tranche) -> &mut Figure {
    match tranche {
        Tranche::Junior => &mut row.junior_exits,
        Tranche::Senior => &mut row.senior_exits,
    }
}
