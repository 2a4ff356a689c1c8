//! The audit: every invariant of the protocol, recomputed from the accounts on chain alone.
//!
//! [`run`] reads all accounts of the program ([`Snapshot`]) and returns an [`Audit`]: for the protocol and for each
//! pool what every [`Rule`] found. The books are not asked what they hold: exposure is summed over covers, exit units
//! over epochs, claims over tickets, limits over treaties, phases over prints; then both sides are compared.
//!
//! Nearly every rule is an equality. Where rounding leaves dust on purpose, a rule says how much it allows:
//!
//! - a premium's rate is rounded down, and so is the refund of a cancelled cover: unearned premium may exceed what the
//!   stream has to earn by one unit for each cover ever sold, and in a reinsurer by [`DUST`] (each treaty leaves a unit
//!   at most, each quota-share premium that was handed over less than a thousandth of one, and nobody counts them);
//! - a cancelled ticket's open units are rounded down: open units of the books may exceed the epochs' by one for each
//!   such ticket, [`DUST`] at most;
//! - claims are rounded down: an epoch's reserve may exceed what its tickets can claim by a unit for each ticket that
//!   it ever had, [`DUST`] at most;
//! - the program forgets some covers before their premium is earned, or their day is over: those of a product that is
//!   over. In its books a schedule may say more than the covers that are left, never less;
//! - a reinsurer keeps no note of quota-share premium that was handed over, nor of reinstatements: on any day its
//!   stream may end more than its treaties' rates, never less, and all of it must be there as unearned premium.
//!
//! Premium that nobody has accrued yet, and a phase that nobody has brought up to now, are no findings: the program
//! does both by itself before it relies on them.
//!
//! What one look at the chain cannot show is left to the tests: that share prices fall by losses alone, that nobody's
//! balance falls without their signature, that refused transactions change nothing.

mod accounts;
mod capital;
mod evidence;
mod exits;
mod exposure;
mod incidents;
mod premium;
mod rule;
mod snapshot;
mod treaties;

pub use rule::Rule;
pub use snapshot::Snapshot;

use crate::cluster::{Cluster, ClusterError};
use crate::numbering::Numbering;
use anchor_lang::prelude::Pubkey;
use backstop::state::{Pool, get_text};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

/// What rounding may leave in one place, where nobody has counted how often something was rounded: units of the asset,
/// or of an exit.
pub const DUST: u64 = 100_000;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: Rule,
    /// The account that it is broken in.
    pub subject: String,
    /// What was compared.
    pub what: String,
    /// What must be.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { rule, subject, what, expected, found } = self;
        write!(formatter, "{rule}: {subject}: {what}: expected {expected}, found {found}")
    }
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Units of the asset.
    Asset,
    /// Units of shares, or of exits: three decimals more.
    Share,
}

/// The two sides of a comparison that is worth showing when it holds, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What was compared: one side, and the other.
    pub what: [&'static str; 2],
    /// What both are counted in.
    pub unit: Unit,
    /// One side: what the books of the pool say.
    pub books: u64,
    /// The other: what was recomputed, or is held.
    pub recomputed: u64,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The rule.
    pub rule: Rule,
    /// The rule in words.
    pub words: &'static str,
    /// How many comparisons were made for it.
    pub compared: u64,
    /// Figures on both sides.
    pub figures: Vec<Figure>,
    /// What is off.
    pub findings: Vec<Finding>,
}

/// What was found in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The pool.
    pub pool: String,
    /// Its label and id: `USDC 0`.
    pub name: String,
    /// Decimals of its asset.
    pub decimals: u8,
    /// Whether its accounts stood still while they were read. If not, a finding may be a change half seen.
    pub steady: bool,
    /// The rules that concern it, in their order.
    pub outcomes: Vec<Outcome>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Unix time of the cluster.
    pub at: i64,
    /// Slots before and after the accounts were read.
    pub slots: (u64, u64),
    /// Rules that concern no pool alone.
    pub protocol: Vec<Outcome>,
    /// The pools.
    pub pools: Vec<Report>,
}

impl Audit {
    /// Everything that is off.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let outcomes = self.protocol.iter().chain(self.pools.iter().flat_map(|report| &report.outcomes));
        outcomes.flat_map(|outcome| &outcome.findings)
    }

    /// Whether nothing is off.
    pub fn is_ok(&self) -> bool {
        self.findings().next().is_none()
    }
}

/// Reads the chain and audits it. With `only`, one pool is reported.
pub fn run(cluster: &dyn Cluster, only: Option<&Pubkey>) -> Result<Audit, ClusterError> {
    Ok(audit(&Snapshot::read(cluster)?, only))
}

/// Audits accounts that were read. With `only`, one pool is reported.
pub fn audit(snapshot: &Snapshot, only: Option<&Pubkey>) -> Audit {
    audit_with(snapshot, only, None)
}

/// Audits accounts that were read, and whether `events`, those that were read of the transactions, are all that the
/// pools have numbered. With `only`, one pool is reported.
pub fn audit_with_events(snapshot: &Snapshot, only: Option<&Pubkey>, events: &Numbering) -> Audit {
    audit_with(snapshot, only, Some(events))
}

fn audit_with(snapshot: &Snapshot, only: Option<&Pubkey>, events: Option<&Numbering>) -> Audit {
    let mut protocol = Checks::default();
    accounts::protocol(snapshot, &mut protocol);
    let wanted = snapshot.pools.iter().filter(|(key, _)| only.is_none_or(|only| only == *key));
    let pools = wanted.map(|(key, pool)| audit_pool(snapshot, key, pool, events)).collect();
    Audit { at: snapshot.now, slots: snapshot.slots, protocol: protocol.into_outcomes(), pools }
}

fn audit_pool(snapshot: &Snapshot, key: &Pubkey, pool: &Pool, events: Option<&Numbering>) -> Report {
    let mut checks = Checks::default();
    let place = Place { snapshot, key: *key, pool };
    accounts::pool(&place, &mut checks);
    capital::check(&place, &mut checks);
    exposure::check(&place, &mut checks);
    premium::check(&place, &mut checks);
    exits::check(&place, &mut checks);
    incidents::check(&place, &mut checks);
    treaties::check(&place, &mut checks);
    evidence::check(&place, &mut checks);
    if let Some(events) = events {
        numbers(&place, &mut checks, events);
    }
    Report {
        pool: key.to_string(),
        name: format!("{} {}", get_text(&pool.label), pool.id),
        decimals: pool.asset_decimals,
        steady: accounts::of_pool(&place).iter().all(|account| !snapshot.changed.contains(account)),
        outcomes: checks.into_outcomes(),
    }
}

/// Checks that no event of a pool was lost, and names those that were.
fn numbers(place: &Place, checks: &mut Checks, events: &Numbering) {
    let last = place.pool.events;
    let range = |range: &RangeInclusive<u64>| match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{} to {}", range.start(), range.end()),
    };
    let missing: Vec<String> = events.missing(&place.key, last).iter().map(range).collect();
    let found = format!("all but {}", missing.join(", "));
    let subject = Subject("pool", place.key);
    checks.note(Rule::Events, subject, "events read", missing.is_empty(), format_args!("1 to {last}"), found);
}

/// A pool among all accounts.
struct Place<'a> {
    snapshot: &'a Snapshot,
    key: Pubkey,
    pool: &'a Pool,
}

/// An account in words: `cover 7xK...`.
#[derive(Clone, Copy)]
struct Subject(&'static str, Pubkey);

impl Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{} {}", self.0, self.1)
    }
}

/// Comparisons as they are made.
#[derive(Default)]
struct Checks {
    outcomes: BTreeMap<Rule, Outcome>,
}

impl Checks {
    fn outcome(&mut self, rule: Rule) -> &mut Outcome {
        let fresh = || Outcome { rule, words: rule.words(), compared: 0, figures: Vec::new(), findings: Vec::new() };
        self.outcomes.entry(rule).or_insert_with(fresh)
    }

    /// Notes a comparison, and what is off if it does not hold.
    fn note(
        &mut self,
        rule: Rule,
        subject: Subject,
        what: &str,
        holds: bool,
        expected: impl Display,
        found: impl Display,
    ) {
        let outcome = self.outcome(rule);
        outcome.compared += 1;
        if !holds {
            let (expected, found) = (expected.to_string(), found.to_string());
            outcome.findings.push(Finding {
                rule,
                subject: subject.to_string(),
                what: what.to_owned(),
                expected,
                found,
            });
        }
    }

    /// Both must be the same.
    fn same<T: PartialEq + Display>(&mut self, rule: Rule, subject: Subject, what: &str, expected: T, found: T) {
        let holds = expected == found;
        self.note(rule, subject, what, holds, expected, found);
    }

    /// The second must not be below the first.
    fn at_least<T: PartialOrd + Display>(&mut self, rule: Rule, subject: Subject, what: &str, least: T, found: T) {
        let holds = found >= least;
        self.note(rule, subject, what, holds, format_args!("at least {least}"), found);
    }

    /// The second must not be above the first.
    fn at_most<T: PartialOrd + Display>(&mut self, rule: Rule, subject: Subject, what: &str, most: T, found: T) {
        let holds = found <= most;
        self.note(rule, subject, what, holds, format_args!("at most {most}"), found);
    }

    /// Something must hold.
    fn holds(&mut self, rule: Rule, subject: Subject, what: &str, holds: bool) {
        self.note(rule, subject, what, holds, "yes", "no");
    }

    /// Keeps the two sides of a comparison to be shown, in units of the asset.
    fn figure(&mut self, rule: Rule, what: [&'static str; 2], books: u64, recomputed: u64) {
        self.outcome(rule).figures.push(Figure { what, unit: Unit::Asset, books, recomputed });
    }

    /// The same in units of shares or exits.
    fn share_figure(&mut self, rule: Rule, what: [&'static str; 2], books: u64, recomputed: u64) {
        self.outcome(rule).figures.push(Figure { what, unit: Unit::Share, books, recomputed });
    }

    fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes.into_values().collect()
    }
}

/// A sum that cannot overflow: of amounts, in a type that is wider than they are.
fn sum(amounts: impl IntoIterator<Item = u64>) -> u128 {
    amounts.into_iter().map(u128::from).sum()
}

/// A sum as far as it fits a figure.
fn shown(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}
