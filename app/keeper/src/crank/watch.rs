//! What is known of the prices that are watched: how old, how far ahead, and where nothing was shown.

use crate::crank::chain::{Chain, ProductView};
use crate::crank::plan::{Feed, Settings, can_be_posted, price_text, wanted, watched};
use crate::crank::price::{Gap, Print};
use backstop::peril::evidence::{Phase, SlotState};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Seconds beyond a slot after which a feed without a print is not fresh: sources do not publish every second.
const GRACE: i64 = 60;

/// How a feed stands that products with something at stake listen to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeedState {
    /// The feed, in hexadecimal.
    pub feed: String,
    /// The products that listen to it.
    pub products: Vec<String>,
    /// When the newest price was published that was shown or can be, unix seconds. None: nobody has seen any.
    pub newest: Option<i64>,
    /// Seconds since then.
    pub age_seconds: Option<i64>,
    /// Oldest that the newest price may be, in seconds: a slot of the evidence and a minute.
    pub oldest_seconds: i64,
    /// Whether it is not older than that.
    pub fresh: bool,
    /// Seconds by which the source's newest price is ahead of the cluster's clock; 0 if it is not.
    pub ahead_seconds: i64,
    /// The newest price that was shown or can be.
    pub price: Option<String>,
}

impl FeedState {
    /// What is wrong with it, if something is.
    pub fn complaint(&self) -> Option<String> {
        if self.fresh {
            return None;
        }
        let products = self.products.join(", ");
        let age = match self.age_seconds {
            _ if self.ahead_seconds > 0 => {
                format!("its newest price is {} s ahead of the cluster's clock", self.ahead_seconds)
            }
            Some(age) => format!("its newest price is {age} s old, and {} s is the most", self.oldest_seconds),
            None => "nobody has seen a price of it".into(),
        };
        Some(format!("no fresh price of feed {} for {products}: {age}", self.feed))
    }
}

/// The products that listen: something is at stake, and their trigger is not final.
fn listening<'c>(chain: &'c Chain, settings: &'c Settings) -> impl Iterator<Item = &'c ProductView> {
    let views = chain.products.values().filter(|view| wanted(settings, view.product.pool));
    views.filter(|view| watched(view) && view.trigger.phase() != Phase::Final)
}

/// How every watched feed stands.
pub fn feeds(chain: &Chain, settings: &Settings, prints: &[Print]) -> Vec<FeedState> {
    let mut by_feed: BTreeMap<Feed, Vec<&ProductView>> = BTreeMap::new();
    for view in listening(chain, settings) {
        let feed = Feed::of(&view.trigger);
        by_feed.entry(feed).or_default().push(view);
    }
    by_feed.into_iter().map(|(feed, views)| state(chain, feed, &views, prints)).collect()
}

fn state(chain: &Chain, feed: Feed, views: &[&ProductView], prints: &[Print]) -> FeedState {
    let of_feed = prints.iter().filter(|print| print.is_of(&feed) && !print.is_loss());
    let (due, early): (Vec<&Print>, Vec<&Print>) = of_feed.partition(|print| print.is_due(chain.now));
    let known = due.iter().map(|print| (print.observation.publish_time, print.observation.price));
    let shown = views.iter().map(|view| (view.trigger.evidence.last_publish_time, view.trigger.evidence.last_price));
    let newest = known.chain(shown.filter(|(time, _)| *time != 0)).max();
    let age = newest.map(|(time, _)| chain.now.saturating_sub(time).max(0));
    let shortest = views.iter().map(|view| i64::from(view.trigger.terms.slot_seconds)).min().unwrap_or(0);
    let oldest_seconds = shortest.saturating_add(GRACE);
    FeedState {
        feed: feed.feed.iter().map(|byte| format!("{byte:02x}")).collect(),
        products: views.iter().map(|view| view.product.name().to_owned()).collect(),
        newest: newest.map(|(time, _)| time),
        age_seconds: age,
        oldest_seconds,
        fresh: age.is_some_and(|age| age <= oldest_seconds),
        ahead_seconds: early.iter().map(|print| print.ahead(chain.now)).max().unwrap_or(0),
        price: newest.map(|(_, price)| price_text(price)),
    }
}

/// Slots of triggers that somebody is insured by, or is still to be paid by, and whose prices anyone may post, in which what was shown can be a thin
/// choice: nothing decisive though a breach and a contradiction are still taken, or a breach that nothing contradicts.
/// Two moments of each; those that close first come first.
pub fn gaps(chain: &Chain, settings: &Settings) -> Vec<Gap> {
    let mut gaps = BTreeSet::new();
    // An open incident leaves no exposure; in its run-on prices still decide what it pays.
    let concerns = |view: &&ProductView| view.product.exposure > 0 || view.trigger.phase() == Phase::Triggered;
    for view in listening(chain, settings).filter(concerns) {
        let feed = Feed::of(&view.trigger);
        let (terms, evidence) = (&view.trigger.terms, &view.trigger.evidence);
        let Some(current) = terms.slot_of(chain.now).filter(|_| can_be_posted(&feed)) else { continue };
        for slot in (terms.first_slot_in_ring(chain.now)..current).rev() {
            if chain.now > terms.contradicted_until(slot) {
                break;
            }
            let shown = evidence.shown(slot);
            let wanting = match shown.state(terms.apart()) {
                SlotState::Good => true,
                SlotState::Recovered => false,
                SlotState::Open => chain.now <= terms.open_until(slot) && !shown.has_two_aboves(terms.apart()),
            };
            if wanting {
                gaps.extend(Gap::of(terms.slot_start(slot), terms.slot_end(slot), feed));
            }
        }
    }
    gaps.into_iter().collect()
}

/// Length of the shortest slot of a watched trigger, in seconds.
pub fn shortest_slot(chain: &Chain, settings: &Settings) -> Option<u32> {
    listening(chain, settings).map(|view| view.trigger.terms.slot_seconds).min()
}
