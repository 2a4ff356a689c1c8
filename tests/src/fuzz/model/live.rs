//! When what was shown live counts: twice in one slot of the evidence, at least 150 slots of the ledger apart, both of one
//! class, and then the highest that both reach. Written from `docs/src/how/live.md`; what was shown is a list, and every pair
//! of it is looked at.

use super::{Evidence, N, Rule};
use backstop::peril::evidence::Class;

/// Slots of the ledger between two showings that count together.
pub const APART: u64 = 150;

/// What was shown.
#[derive(Clone, Copy, Debug)]
struct Shown {
    ledger: u64,
    at: i64,
    level: N,
    price: Option<(u64, Class)>,
}

/// What was shown in the slot of the evidence that runs.
#[derive(Clone, Debug, Default)]
pub struct Showings {
    slot: i64,
    shown: Vec<Shown>,
}

impl Showings {
    /// The level of the slot: the highest that two showings reach which are far enough apart.
    pub fn level(&self) -> N {
        let later = |place: usize| self.shown.iter().skip(place + 1);
        let pairs = self.shown.iter().enumerate().flat_map(|(place, one)| later(place).map(move |two| (one, two)));
        let counts = pairs.filter(|(one, two)| two.ledger >= one.ledger + APART);
        counts.map(|(one, two)| one.level.min(two.level)).max().unwrap_or(0)
    }

    /// The slot of now. If it is another than that which ran: that, with its level; what was shown in it is forgotten.
    pub fn turn(&mut self, slot: i64) -> Option<(i64, N)> {
        if slot == self.slot {
            return None;
        }
        let ran = (self.slot, self.level());
        (self.slot, self.shown) = (slot, Vec::new());
        Some(ran)
    }

    /// Shows a level.
    pub fn show(&mut self, ledger: u64, at: i64, level: N) {
        self.shown.push(Shown { ledger, at, level, price: None });
    }

    /// The price of what was shown last. Returns what counts by it, as prints: price and time.
    pub fn price(&mut self, price: u64, class: Class) -> Vec<(u64, i64)> {
        let (last, earlier) = self.shown.split_last_mut().expect("something was shown");
        last.price = Some((price, class));
        // Of the same class, first when, and the highest that two reach.
        let of = |test: fn(Class) -> bool| {
            let priced =
                || earlier.iter().filter_map(|one| Some((one, one.price.filter(|(_, class)| test(*class))?.0)));
            let first = priced().map(|(one, _)| one.at).next();
            let far = priced().filter(|(one, _)| last.ledger >= one.ledger + APART).map(|(_, price)| price).max();
            first.zip(far)
        };
        let is_above = |class: Class| matches!(class, Class::Above | Class::Recovered);
        match class {
            Class::Breach => {
                let counted = of(|class| class == Class::Breach);
                counted.map_or(Vec::new(), |(_, other)| vec![(other.min(price), last.at)])
            }
            class => {
                let recovered = of(|class| class == Class::Recovered).filter(|_| class == Class::Recovered);
                let counted = recovered.or_else(|| of(is_above));
                counted
                    .map_or(Vec::new(), |(first, other)| vec![(other.min(price), first), (other.min(price), last.at)])
            }
        }
    }

    /// Whether it is of a slot.
    pub fn is_of(&self, slot: i64) -> bool {
        self.slot == slot
    }

    /// How many slots of the ledger lie between now and each showing of the slot.
    pub fn distances(&self, ledger: u64) -> impl Iterator<Item = u64> {
        self.shown.iter().map(move |one| ledger - one.ledger)
    }
}

impl Evidence {
    /// What is shown live, if anything is.
    pub fn showings(&self) -> Option<&Showings> {
        let of_rate = self.rate.as_ref().map(|rate| &rate.showings);
        of_rate.or(self.vaults.as_ref().map(|vaults| &vaults.showings))
    }

    /// Takes what counts.
    pub(super) fn count(&mut self, prints: Vec<(u64, i64)>, now: i64) -> Rule {
        self.refresh(now);
        prints.into_iter().try_for_each(|(price, at)| self.observe(price, 0, at, now))
    }
}
