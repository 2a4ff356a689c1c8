//! What was shown to a trigger: read from the events as they were logged, since nothing is to be summed up.

use super::rows::{maybe_text, text};
use super::{MOMENT, Moment, moment};
use crate::database::{Database, DatabaseError, Row, key};
use anchor_lang::prelude::Pubkey;
use backstop::events::{
    ConditionSet, DropArmed, EquivocationReported, LossReported, Observed, ReadingSet, ReadingShown,
};
use backstop::peril::feed::attested::AttestedValue;
use backstop_client::event::Event;
use backstop_client::text::{exact_price, percent};
use rusqlite::Params;
use serde::Serialize;

type Result<T> = std::result::Result<T, DatabaseError>;

/// Of which events what was shown is made.
const SHOWN: &str = "('Observed', 'ReadingShown', 'DropArmed', 'LossReported')";

/// What was shown to a product's trigger, as far as events tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownHistory {
    /// The product.
    #[serde(serialize_with = "text")]
    pub product: Pubkey,
    /// Its trigger.
    #[serde(serialize_with = "text")]
    pub trigger: Pubkey,
    /// Whether it pays by one value at one date.
    pub is_reading: bool,
    /// The attestors whose reports it takes, if it takes reports.
    #[serde(serialize_with = "maybe_text")]
    pub attestors: Option<Pubkey>,
    /// What was shown, oldest first.
    pub shown: Vec<Shown>,
    /// Whether there is more, before the oldest of these.
    pub is_cut: bool,
}

/// Something that was shown to a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Where on the chain.
    #[serde(flatten)]
    pub moment: Moment,
    /// The moment that it tells of, in unix seconds: when a price was published, when a value was observed.
    pub of: i64,
    /// What it says.
    #[serde(flatten)]
    pub says: Told,
}

/// What something says that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Told {
    /// A price, or a value that attestors reported: it counts. Which of them signed no event says: the transaction does.
    Value {
        /// The value, in 1e-8.
        value_e8: u64,
        /// How far it may be off, in 1e-8.
        confidence_e8: u64,
    },
    /// What a live feed said. It counts once another showing confirms it, and is a [`Told::Value`] then.
    Showing {
        /// What the account said, in the units of its feed.
        level: u64,
        /// What it is measured by; 0: nothing yet.
        peak: u64,
        /// The level as a part of that, in 1e-8; 0 while there is none.
        value_e8: u64,
    },
    /// A fall that armed the product, or a deeper one while it was armed: nothing is sold for 14 days.
    Fall {
        /// When the fall began.
        began_at: i64,
        /// Lowest mean of the fall so far, in 1e-8.
        mean_e8: u64,
        /// What it would pay, in basis points of a sum insured.
        severity_bps: u16,
    },
    /// Attestors said that a part was lost.
    Loss {
        /// The part, in basis points.
        loss_bps: u16,
        /// How many of them signed.
        signatures: u8,
        /// Whether these were as many as must agree, and the event is proven.
        is_confirmed: bool,
    },
    /// One of its attestors had signed two values of one moment, and was revoked.
    Revoked {
        /// The attestor.
        #[serde(serialize_with = "text")]
        key: Pubkey,
        /// What it signed.
        signed: [Signed; 2],
        /// Attestors that are left.
        live: u8,
        /// Whether these can still report.
        can_report: bool,
    },
}

impl Told {
    /// In words: `0.34 ± 0.01`, or `2 attestors say that 60.00 % was lost`.
    pub fn words(&self) -> String {
        match self {
            Self::Value { value_e8, confidence_e8: 0 } => exact_price(*value_e8),
            Self::Value { value_e8, confidence_e8 } => {
                format!("{} ± {}", exact_price(*value_e8), exact_price(*confidence_e8))
            }
            Self::Showing { value_e8: 0, .. } => "read once, and nothing to measure it by yet".into(),
            Self::Showing { value_e8, .. } => format!("read once: {} of what it was", exact_price(*value_e8)),
            Self::Fall { mean_e8, .. } => {
                format!("a fall to {} of what it was: nothing is sold for 14 days", exact_price(*mean_e8))
            }
            Self::Loss { loss_bps, signatures, is_confirmed } => {
                let lost = percent((*loss_bps).into());
                let who = match signatures {
                    1 => "1 attestor says".to_owned(),
                    many => format!("{many} attestors say"),
                };
                let proven = if *is_confirmed { ", which proves the event" } else { "" };
                format!("{who} that {lost} was lost{proven}")
            }
            Self::Revoked { key, can_report, .. } => {
                let left = if *can_report { "" } else { "; too few are left to report" };
                format!("attestor {key} had signed two values of this moment, and counts no more{left}")
            }
        }
    }
}

/// A value that somebody signed: `value x 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The value, in units of the exponent.
    pub value: i64,
    /// How far it may be off, in the same.
    pub confidence: u64,
    /// Power of ten.
    pub exponent: i32,
}

impl From<AttestedValue> for Signed {
    fn from(AttestedValue { exponent, value, confidence }: AttestedValue) -> Self {
        Self { value, confidence, exponent }
    }
}

/// What a product listens to.
struct Source {
    trigger: Pubkey,
    feed: [u8; 32],
    attestors: Option<Pubkey>,
    is_reading: bool,
}

impl Source {
    /// What an event says of a product's, if it says something.
    fn of(event: &Event, product: &Pubkey) -> Option<Self> {
        let named = |attestors: Pubkey| (attestors != Pubkey::default()).then_some(attestors);
        match event {
            Event::ConditionSet(ConditionSet { product: of, trigger, feed, attestors, .. }) if of == product => {
                Some(Self { trigger: *trigger, feed: *feed, attestors: named(*attestors), is_reading: false })
            }
            Event::ReadingSet(ReadingSet { product: of, trigger, feed, attestors, .. }) if of == product => {
                Some(Self { trigger: *trigger, feed: *feed, attestors: named(*attestors), is_reading: true })
            }
            _ => None,
        }
    }
}

impl Shown {
    fn of(moment: Moment, event: Event) -> Option<Self> {
        let (of, says) = match event {
            Event::Observed(Observed { price, confidence, publish_time, .. }) => {
                (publish_time, Told::Value { value_e8: price, confidence_e8: confidence })
            }
            Event::ReadingShown(ReadingShown { level, peak, price, shown_at, .. }) => {
                (shown_at, Told::Showing { level, peak, value_e8: price })
            }
            Event::DropArmed(DropArmed { armed_at, event_at, mean_price, severity_bps, .. }) => {
                (armed_at, Told::Fall { began_at: event_at, mean_e8: mean_price, severity_bps })
            }
            Event::LossReported(LossReported { loss_bps, observed_at, signatures, is_confirmed, .. }) => {
                (observed_at, Told::Loss { loss_bps, signatures, is_confirmed })
            }
            Event::EquivocationReported(EquivocationReported {
                key, observed_at, first, second, live, alive, ..
            }) => {
                let signed = [first.into(), second.into()];
                (observed_at, Told::Revoked { key, signed, live, can_report: alive })
            }
            _ => return None,
        };
        Some(Self { moment, of, says })
    }
}

fn event(row: &mut Row) -> rusqlite::Result<Option<Event>> {
    Ok(Event::read(&row.raw::<Vec<u8>>()?))
}

impl Database {
    fn events(&self, sql: &str, parameters: impl Params) -> Result<Vec<(Moment, Event)>> {
        let read = self.list(sql, parameters, |row| Ok((moment(row)?, event(row)?)))?;
        let known = |(moment, event): (Moment, Option<Event>)| {
            Ok((moment, event.ok_or_else(|| DatabaseError::damaged("an event cannot be read"))?))
        };
        read.into_iter().map(known).collect()
    }

    /// What was shown to a product's trigger, the newest `most`, oldest first: what counts, what live feeds said, falls,
    /// losses, and attestors of its feed that were revoked. `None`: the product is not known, or has no condition.
    pub fn shown(&self, product: &Pubkey, most: usize) -> Result<Option<ShownHistory>> {
        let sql = format!(
            "SELECT {MOMENT}, bytes FROM events JOIN transactions ON id = transaction_id WHERE name = ?1 AND name IN \
             ('ConditionSet', 'ReadingSet', 'EquivocationReported') ORDER BY slot, transactions.place, events.place"
        );
        let set = ["ConditionSet", "ReadingSet"].map(|name| self.events(&sql, (name,)));
        let mut source = None;
        for events in set {
            source = source.or(events?.iter().find_map(|(_, event)| Source::of(event, product)));
        }
        let Some(Source { trigger, feed, attestors, is_reading }) = source else { return Ok(None) };
        // One more than is asked for tells whether there is more.
        let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let newest = format!(
            "SELECT {MOMENT}, bytes FROM events JOIN transactions ON id = transaction_id WHERE name IN {SHOWN} AND \
             substr(bytes, 9, 32) = ?1 ORDER BY slot DESC, transactions.place DESC, events.place DESC LIMIT ?2"
        );
        let mut events = self.events(&newest, (key(&trigger), limit))?;
        events.reverse();
        if let Some(set) = attestors {
            let of_feed = |event: &Event| match event {
                Event::EquivocationReported(event) => event.attestors == set && event.feed == feed,
                _ => false,
            };
            let revoked = self.events(&sql, ("EquivocationReported",))?;
            events.extend(revoked.into_iter().filter(|(_, event)| of_feed(event)));
            // What was shown is in its order already, and stays in it.
            events.sort_by_key(|(moment, _)| moment.slot);
        }
        let mut shown: Vec<Shown> = events.into_iter().filter_map(|(moment, event)| Shown::of(moment, event)).collect();
        let more = shown.len().saturating_sub(most);
        shown.drain(..more);
        Ok(Some(ShownHistory { product: *product, trigger, is_reading, attestors, shown, is_cut: more > 0 }))
    }
}
