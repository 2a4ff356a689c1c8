//! Several sources of prices, in order: of each feed the first that has a fresh price is used, and what the others say of
//! it is compared.

use crate::crank::plan::Feed;
use crate::crank::price::{Contradiction, Gap, PriceError, PriceSource, Print, PrintKey, Standing, Step, Trouble};
use backstop_client::cluster::{Cluster, ClusterError};
use std::collections::BTreeMap;

/// Seconds for which a price is fresh enough that no later source is used.
const FRESH: i64 = 120;
/// Seconds between two prices that are compared.
const NEAR: i64 = 60;
/// Part of a price by which two may differ, beside what both say that they may be off: a hundredth.
const APART: u64 = 100;

/// Which print of which source, as others know it.
type Key = (u8, PrintKey);

/// Sources in order.
pub struct InOrder<'a> {
    sources: Vec<(String, Box<dyn PriceSource + 'a>)>,
    /// Which source a print came from: it posts it.
    from: BTreeMap<Key, usize>,
    standings: Vec<Standing>,
}

impl<'a> InOrder<'a> {
    /// Sources by name, the first one first.
    pub fn new(sources: Vec<(String, Box<dyn PriceSource + 'a>)>) -> Self {
        Self { sources, from: BTreeMap::new(), standings: Vec::new() }
    }

    fn note(&mut self, place: usize, prints: &[Print]) {
        for print in prints {
            self.from.entry((print.source, print.key())).or_insert(place);
        }
    }
}

/// The newest print of a feed that is due.
fn newest<'p>(prints: &'p [Print], feed: &Feed, now: i64) -> Option<&'p Print> {
    let of_feed = prints.iter().filter(|print| print.is_of(feed) && print.is_due(now));
    of_feed.max_by_key(|print| print.observation.publish_time)
}

/// Whether two prints of about the same time say different things.
fn differ(one: &Print, other: &Print) -> bool {
    let (one, other) = (one.observation, other.observation);
    let doubt = one.confidence.saturating_add(other.confidence).saturating_add(one.price / APART);
    one.publish_time.abs_diff(other.publish_time) <= NEAR.unsigned_abs() && one.price.abs_diff(other.price) > doubt
}

impl PriceSource for InOrder<'_> {
    /// Errors: every source fails.
    fn prints(&mut self, cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError> {
        let mut answers = Vec::new();
        for (_, source) in &mut self.sources {
            answers.push(source.prints(cluster, feeds, now));
        }
        self.from.clear();
        self.standings.clear();
        let mut said: Vec<Vec<Print>> = Vec::new();
        let (mut failure, mut answered) = (None, false);
        for (place, answer) in answers.into_iter().enumerate() {
            let Some((name, source)) = self.sources.get(place) else { continue };
            let mut standing = Standing { who: name.clone(), troubles: Vec::new() };
            let prints = match answer {
                Ok(prints) => {
                    answered = true;
                    prints
                }
                Err(why) => {
                    standing.troubles.push((Trouble::Silent, why.to_string()));
                    failure.get_or_insert(why);
                    source.kept()
                }
            };
            for feed in feeds {
                let Some(own) = newest(&prints, feed, now) else { continue };
                let before = said.iter().find_map(|prints| newest(prints, feed, now));
                if let Some(before) = before.filter(|before| differ(before, own)) {
                    let [one, other] =
                        [before, own].map(|print| crate::crank::plan::price_text(print.observation.price));
                    let feed: String = feed.feed.iter().map(|byte| format!("{byte:02x}")).collect();
                    let why = format!("it says {other} of feed {feed}, and a source before it {one}");
                    standing.troubles.push((Trouble::Disagrees, why));
                }
            }
            let inner = source.standings();
            // A source of signers tells of each of them.
            if inner.is_empty() || !standing.troubles.is_empty() {
                self.standings.push(standing);
            }
            self.standings.extend(inner);
            self.note(place, &prints);
            said.push(prints);
        }
        if let Some(why) = failure.filter(|_| !answered) {
            return Err(why);
        }
        let mut used = Vec::new();
        for feed in feeds {
            let fresh =
                |prints: &&Vec<Print>| newest(prints, feed, now).is_some_and(|print| print.ahead(now) >= -FRESH);
            let of_feed =
                |prints: &Vec<Print>| prints.iter().filter(|print| print.is_of(feed)).cloned().collect::<Vec<_>>();
            match said.iter().find(fresh) {
                Some(first) => used.extend(of_feed(first)),
                None => used.extend(said.iter().flat_map(of_feed)),
            }
        }
        Ok(used)
    }

    fn past(&mut self, gaps: &[Gap], now: i64) -> Result<Vec<Print>, PriceError> {
        let (mut found, mut failure) = (Vec::new(), None);
        for place in 0..self.sources.len() {
            let Some((_, source)) = self.sources.get_mut(place) else { continue };
            match source.past(gaps, now) {
                Ok(prints) => {
                    self.note(place, &prints);
                    found.extend(prints);
                }
                Err(why) => drop(failure.get_or_insert(why)),
            }
        }
        match failure {
            Some(why) if found.is_empty() => Err(why),
            _ => Ok(found),
        }
    }

    fn kept(&self) -> Vec<Print> {
        self.sources.iter().flat_map(|(_, source)| source.kept()).collect()
    }

    fn standings(&self) -> Vec<Standing> {
        self.standings.clone()
    }

    fn contradictions(&self) -> Vec<Contradiction> {
        self.sources.iter().flat_map(|(_, source)| source.contradictions()).collect()
    }

    fn posting(&self, cluster: &dyn Cluster, prints: &[Print]) -> Result<Vec<Step>, ClusterError> {
        let mut steps = Vec::new();
        for (place, (_, source)) in self.sources.iter().enumerate() {
            let from = |print: &&Print| self.from.get(&(print.source, print.key())).is_none_or(|from| *from == place);
            let own: Vec<Print> = prints.iter().filter(from).cloned().collect();
            if !own.is_empty() {
                steps.extend(source.posting(cluster, &own)?);
            }
        }
        Ok(steps)
    }
}
