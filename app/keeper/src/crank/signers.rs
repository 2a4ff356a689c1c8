//! Reports from attestors: signatures are collected from those who sign, and put together where enough keys of a set have
//! signed the same.
//!
//! Each is asked at the same time for what it has signed lately, as `backstop attest serve` shows it; what it serves may
//! be of any feeds, sets and keys, its own or others'. Nothing is believed that is not signed by a key of a set that a
//! product listens to, so whoever serves can leave out, and no more. Values are prices and readings; losses, the second key
//! of products of vaults, are shown from the first signature on. A key that has signed two things of one moment is
//! accused; one that is silent, late, or says something else than the others is told by name.

use crate::crank::chain::decode_set;
use crate::crank::plan::Feed;
use crate::crank::price::{
    Attested, Contradiction, PriceError, PriceSource, Print, Standing, TIMEOUT, Trouble, silence,
};
use anchor_lang::prelude::Pubkey;
use backstop::peril::feed::Observation;
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::{REPORT_BYTES, Report, ReportKind};
use backstop::peril::reading::{READING_CHALLENGE, REPORT_WINDOW};
use backstop::state::AttestorSet;
use backstop_client::attest::{SignedReport, Verified};
use backstop_client::cluster::Cluster;
use backstop_client::redact;
use serde_json::value::RawValue;
use solana_sdk::signature::Signature;
use std::collections::{BTreeMap, BTreeSet};
use ureq::Agent;

/// A basis point in 1e-8.
const BPS_E8: u64 = 10_000;
/// Most bytes of an answer.
const MOST_BYTES: u64 = 1 << 20;
/// Most moments of a key that are kept, the newest.
const MOST_MOMENTS: usize = 2_048;
/// Seconds for which what was signed is kept: no longer can it be shown. A reading takes it for longest, and for a
/// challenge more if one that stood fell.
const KEPT: i64 = REPORT_WINDOW + 2 * READING_CHALLENGE;
/// Seconds before the newest moment of whoever is asked from which on it is asked again.
const OVERLAP: i64 = 3_600;
/// Seconds after which whoever is asked is asked for all that it shows: it may have signed of a moment long after it, as its
/// source was silent.
const ASK_ALL: i64 = 600;
/// Seconds after which whoever has not signed what others have is behind.
const GRACE: i64 = 120;

/// What a signature is about, but for what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    // First, so that the oldest comes first.
    at: i64,
    set: Pubkey,
    feed: [u8; 32],
    kind: u8,
}

impl Place {
    fn of(report: &Report) -> Self {
        Self { at: report.observed_at, set: report.set, feed: report.feed, kind: report.kind.byte() }
    }
}

/// What keys have signed.
#[derive(Debug, Default)]
struct Said {
    /// Of each key and place the first thing, and the first other one.
    keys: BTreeMap<Pubkey, BTreeMap<Place, Vec<(Report, Signature)>>>,
}

impl Said {
    fn take(&mut self, key: Pubkey, report: Report, signature: Signature) {
        let places = self.keys.entry(key).or_default();
        let said = places.entry(Place::of(&report)).or_default();
        if said.len() < 2 && said.iter().all(|(known, _)| *known != report) {
            said.push((report, signature));
        }
        while places.len() > MOST_MOMENTS {
            places.pop_first();
        }
    }

    fn forget_before(&mut self, at: i64) {
        for places in self.keys.values_mut() {
            while places.first_key_value().is_some_and(|(place, _)| place.at < at) {
                places.pop_first();
            }
        }
        self.keys.retain(|_, places| !places.is_empty());
    }

    /// What was signed of each place, and by whom.
    fn reports(&self) -> BTreeMap<Place, BTreeMap<[u8; REPORT_BYTES], Verified>> {
        let mut reports: BTreeMap<Place, BTreeMap<[u8; REPORT_BYTES], Verified>> = BTreeMap::new();
        for (key, places) in &self.keys {
            for (place, said) in places {
                for (report, signature) in said {
                    let of_place = reports.entry(*place).or_default();
                    let known = of_place.entry(report.to_bytes());
                    let all = known.or_insert_with(|| Verified { report: *report, signatures: Vec::new() });
                    all.signatures.push((*key, *signature));
                }
            }
        }
        reports
    }

    fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        for (key, places) in &self.keys {
            // One is enough.
            let twice = places.values().find_map(|said| match &said[..] {
                [(one, first), (other, second)] => Some([(*one, (*first).into()), (*other, (*second).into())]),
                _ => None,
            });
            found.extend(twice.map(|signed| Contradiction { key: *key, signed }));
        }
        found
    }
}

/// One of those who are asked.
struct Door {
    url: String,
    /// Keys whose signatures it has shown.
    keys: BTreeSet<Pubkey>,
    /// The newest moment that it has shown.
    newest: Option<i64>,
    /// When it was last asked for all that it shows, unix seconds.
    asked_all: i64,
    /// Why it gave nothing, the last time.
    silence: Option<String>,
    /// Whether all that it showed was of others.
    strange: bool,
}

/// Reports of attestors, from addresses that somebody named.
pub struct Signers {
    doors: Vec<Door>,
    agent: Agent,
    said: Said,
    sets: BTreeMap<Pubkey, AttestorSet>,
    standings: Vec<Standing>,
}

impl Signers {
    /// Those at these addresses, each the base of what `backstop attest serve` serves.
    pub fn new(urls: &[String]) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        let doors = urls.iter().map(|url| Door {
            url: url.trim_end_matches('/').to_owned(),
            keys: BTreeSet::new(),
            newest: None,
            asked_all: i64::MIN,
            silence: None,
            strange: false,
        });
        let (said, sets, standings) = (Said::default(), BTreeMap::new(), Vec::new());
        Self { doors: doors.collect(), agent: config.into(), said, sets, standings }
    }

    /// Asks all of them at once: who does not answer keeps the others waiting once.
    fn ask(&mut self, now: i64) -> Vec<Result<Vec<Verified>, String>> {
        let sinces: Vec<Option<i64>> = self.doors.iter_mut().map(|door| door.since(now)).collect();
        std::thread::scope(|scope| {
            let asked: Vec<_> = self
                .doors
                .iter()
                .zip(sinces)
                .map(|(door, since)| {
                    let (agent, url) = (&self.agent, &door.url);
                    scope.spawn(move || fetch(agent, url, since))
                })
                .collect();
            let broken = || Err("it could not be asked".to_owned());
            asked.into_iter().map(|asked| asked.join().unwrap_or_else(|_| broken())).collect()
        })
    }

    /// Takes in what was said of these feeds.
    fn hear(&mut self, answers: Vec<Result<Vec<Verified>, String>>, feeds: &[Feed], now: i64) {
        for (door, answer) in self.doors.iter_mut().zip(answers) {
            let signed = match answer {
                Ok(signed) => signed,
                Err(why) => {
                    door.silence = Some(why);
                    continue;
                }
            };
            door.silence = signed.is_empty().then(|| "it has signed nothing lately".into());
            if signed.is_empty() && door.newest.is_some() {
                // It was asked for what is new.
                door.silence = None;
            }
            let mut of_ours = false;
            for Verified { report, signatures } in &signed {
                let source = source_of(report.kind).byte();
                let listens =
                    |feed: &Feed| feed.source == source && feed.attestors == report.set && feed.feed == report.feed;
                let Some(set) = self.sets.get(&report.set).filter(|_| feeds.iter().any(listens)) else { continue };
                if report.cluster != set.cluster || report.observed_at > now {
                    continue;
                }
                for (key, signature) in signatures.iter().filter(|(key, _)| set.attestors().contains(key)) {
                    of_ours = true;
                    door.keys.insert(*key);
                    self.said.take(*key, *report, *signature);
                }
                door.newest = door.newest.max(Some(report.observed_at));
            }
            door.strange = !signed.is_empty() && !of_ours;
        }
        self.said.forget_before(now.saturating_sub(KEPT));
        self.judge(now);
    }

    /// Says how each of them stands.
    fn judge(&mut self, now: i64) {
        let mut troubles: BTreeMap<Pubkey, BTreeMap<Trouble, String>> = BTreeMap::new();
        for found in self.said.contradictions() {
            let why = format!("{} has signed two values of {}", found.key, found.signed[0].0.observed_at);
            troubles.entry(found.key).or_default().insert(Trouble::Equivocates, why);
        }
        let mut newest: BTreeMap<(Pubkey, [u8; 32], u8), i64> = BTreeMap::new();
        for (place, reports) in self.said.reports() {
            let Some(set) = self.sets.get(&place.set) else { continue };
            let agreed = reports.values().any(|signed| signed.chosen(set).is_ok());
            if agreed {
                newest.insert((place.set, place.feed, place.kind), place.at);
            }
            if reports.len() < 2 {
                continue;
            }
            // Later places come later, and say it last.
            for signed in reports.values().filter(|signed| !agreed || signed.chosen(set).is_err()) {
                for (key, _) in &signed.signatures {
                    let than = if agreed { "enough others" } else { "others" };
                    let why = format!("{key} says something else of {} than {than}", place.at);
                    troubles.entry(*key).or_default().insert(Trouble::Disagrees, why);
                }
            }
        }
        for ((set, feed, kind), at) in newest.into_iter().filter(|(_, at)| now.saturating_sub(*at) > GRACE) {
            let place = Place { at, set, feed, kind };
            let live = self.sets.get(&set).map(|set| set.attestors().to_vec()).unwrap_or_default();
            for key in live {
                // Who is asked about another feed of the set is no signer of this one.
                let places = self.said.keys.get(&key).into_iter().flatten().map(|(place, _)| place);
                let mut of_feed = places.filter(|known| (known.set, known.feed, known.kind) == (set, feed, kind));
                if of_feed.clone().next().is_some() && !of_feed.any(|known| known.at >= place.at) {
                    let why = format!("{key} has not signed what enough others have of {at}");
                    troubles.entry(key).or_default().insert(Trouble::Behind, why);
                }
            }
        }
        self.standings = self.doors.iter().map(|door| door.standing(&troubles)).collect();
    }

    /// Everything that can be shown.
    fn agreed(&self) -> Vec<Print> {
        let mut prints = Vec::new();
        for (place, reports) in self.said.reports() {
            let Some(set) = self.sets.get(&place.set) else { continue };
            for signed in reports.values() {
                let chosen = match signed.report.kind {
                    ReportKind::Value => signed.chosen(set),
                    ReportKind::Event => signed.chosen_of_loss(set),
                };
                let (Ok(signers), Some(observation)) = (chosen, observation_of(&signed.report)) else {
                    continue;
                };
                let source = source_of(signed.report.kind).byte();
                let attested = Some(Box::new(Attested { report: signed.report, signers }));
                prints.push(Print { source, feed: place.feed, account: place.set, observation, attested });
            }
        }
        prints
    }
}

/// Which feed listens to reports of a kind.
fn source_of(kind: ReportKind) -> Source {
    match kind {
        ReportKind::Value => Source::Attested,
        ReportKind::Event => Source::VaultDrop,
    }
}

/// What a report says, as a print: for a reading it may be zero, which no price is. Of a loss it is the part that is lost, in
/// 1e-8.
fn observation_of(report: &Report) -> Option<Observation> {
    let of = |price: u64| Observation { price, confidence: 0, publish_time: report.observed_at };
    match report.kind {
        ReportKind::Value => report.observation(i64::MAX).ok().or_else(|| (report.value == 0).then(|| of(0))),
        ReportKind::Event => report.loss_bps().ok().map(|bps| of(u64::from(bps).saturating_mul(BPS_E8))),
    }
}

impl Door {
    /// From which moment on it is asked this time: all of it at first, and from time to time.
    fn since(&mut self, now: i64) -> Option<i64> {
        let newest = self.newest?;
        if now.saturating_sub(self.asked_all) >= ASK_ALL {
            self.asked_all = now;
            return None;
        }
        Some(newest.saturating_sub(OVERLAP))
    }

    fn standing(&self, troubles: &BTreeMap<Pubkey, BTreeMap<Trouble, String>>) -> Standing {
        let mut found = Vec::new();
        found.extend(self.silence.clone().map(|why| (Trouble::Silent, why)));
        if self.strange {
            let why = "what it shows is of no key, feed or set that a product listens to";
            found.push((Trouble::Strange, why.to_owned()));
        }
        for key in &self.keys {
            let of_key = troubles.get(key).into_iter().flatten();
            found.extend(of_key.map(|(trouble, why)| (*trouble, why.clone())));
        }
        let keys: Vec<String> = self.keys.iter().map(Pubkey::to_string).collect();
        let keys = if keys.is_empty() { String::new() } else { format!(" ({})", keys.join(", ")) };
        Standing { who: format!("{}{keys}", redact::url(&self.url)), troubles: found }
    }
}

impl PriceSource for Signers {
    fn prints(&mut self, cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError> {
        let of_reports = [Source::Attested, Source::VaultDrop].map(Source::byte);
        let ours: Vec<Feed> = feeds.iter().filter(|feed| of_reports.contains(&feed.source)).copied().collect();
        if ours.is_empty() {
            self.standings.clear();
            return Ok(Vec::new());
        }
        let sets: Vec<Pubkey> = ours.iter().map(|feed| feed.attestors).collect::<BTreeSet<_>>().into_iter().collect();
        let read = cluster.accounts(&sets)?;
        for (set, account) in sets.into_iter().zip(read) {
            // One that a node does not know it has known before.
            if let Some(state) = account.as_ref().and_then(decode_set) {
                self.sets.insert(set, state);
            }
        }
        let answers = self.ask(now);
        self.hear(answers, &ours, now);
        Ok(self.agreed())
    }

    fn kept(&self) -> Vec<Print> {
        self.agreed()
    }

    fn standings(&self) -> Vec<Standing> {
        self.standings.clone()
    }

    fn contradictions(&self) -> Vec<Contradiction> {
        self.said.contradictions()
    }
}

/// What somebody has signed lately. What is wrong among it keeps nothing else back.
fn fetch(agent: &Agent, url: &str, since: Option<i64>) -> Result<Vec<Verified>, String> {
    let mut request = agent.get(format!("{url}/signed"));
    if let Some(since) = since {
        request = request.query("since", since.to_string());
    }
    let mut response = request.call().map_err(|why| silence(&why))?;
    match response.status().as_u16() {
        200 => {}
        status @ 300..=399 => return Err(format!("it sends on to somebody else ({status})")),
        404 => return Err("it has nothing there (404): is the address that of `backstop attest serve`?".into()),
        status => return Err(format!("it answers with status {status}")),
    }
    let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_string().map_err(|why| silence(&why))?;
    let items: Vec<&RawValue> = serde_json::from_str(&body).map_err(|_| "its answer is no list of signed reports")?;
    let read: Vec<_> = items.iter().map(|item| SignedReport::read(item.get())).collect();
    let wrong = read.iter().find_map(|read| read.as_ref().err()).map(ToString::to_string);
    let good: Vec<Verified> = read.into_iter().flatten().collect();
    match wrong {
        Some(why) if good.is_empty() => Err(why),
        why => {
            if let Some(why) = why {
                tracing::warn!(signer = redact::url(url), why, "a signed report is not used");
            }
            Ok(good)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::peril::feed::attested::ReportKind;
    use backstop::state::MOST_ATTESTORS;
    use backstop_client::attest;
    use solana_sdk::signature::Keypair;
    use solana_sdk::signer::Signer;

    const SET: Pubkey = Pubkey::new_from_array([3; 32]);
    const FEED: [u8; 32] = [5; 32];
    const NOW: i64 = 1_700_000_000;

    fn key(number: u8) -> Keypair {
        Keypair::new_from_array([number; 32])
    }

    /// A set of so many keys, of which so many must sign, with a door for each.
    fn signers(count: u8, threshold: u8) -> Signers {
        let urls: Vec<String> = (0..count).map(|number| format!("http://signer{number}:9470/?key=SECRET")).collect();
        let mut signers = Signers::new(&urls);
        let mut set = AttestorSet {
            creator: Pubkey::default(),
            keys: [Pubkey::default(); MOST_ATTESTORS],
            cluster: [9; 8],
            id: 0,
            revoked: 0,
            count: 0,
            threshold: 0,
            version: 0,
            bump: 0,
            revoked_at: [0; MOST_ATTESTORS],
            reserved: [0; 8],
        };
        let keys: Vec<Pubkey> = (0..count).map(|number| key(number).pubkey()).collect();
        set.appoint(&keys, threshold).expect("within bounds");
        signers.sets.insert(SET, set);
        signers
    }

    fn report(value: i64, at: i64) -> Report {
        Report {
            cluster: [9; 8],
            set: SET,
            feed: FEED,
            kind: ReportKind::Value,
            exponent: -2,
            value,
            confidence: 0,
            observed_at: at,
        }
    }

    fn signed(number: u8, value: i64, at: i64) -> Verified {
        attest::signed(&report(value, at), &key(number)).expect("it signs")
    }

    fn feeds() -> [Feed; 1] {
        [Feed { source: Source::Attested.byte(), feed: FEED, attestors: SET }]
    }

    fn troubles(signers: &Signers) -> Vec<Vec<Trouble>> {
        let standings = signers.standings.iter();
        standings.map(|standing| standing.troubles.iter().map(|(trouble, _)| *trouble).collect()).collect()
    }

    #[test]
    fn enough_of_the_same_are_one_print_and_all_else_is_none() {
        let mut signers = signers(3, 2);
        let answers = vec![
            Ok(vec![signed(0, 100, NOW - 60), signed(0, 101, NOW)]),
            Ok(vec![signed(1, 100, NOW - 60), signed(1, 102, NOW)]),
            Ok(vec![signed(2, 100, NOW - 120)]),
        ];
        signers.hear(answers, &feeds(), NOW);
        let prints = signers.agreed();
        let [print] = &prints[..] else { panic!("{prints:?}") };
        assert_eq!((print.observation.price, print.observation.publish_time), (100_000_000, NOW - 60));
        assert_eq!((print.account, print.attested.as_ref().map(|attested| attested.signers.len())), (SET, Some(2)));
        assert_eq!(troubles(&signers), [vec![Trouble::Disagrees], vec![Trouble::Disagrees], vec![]]);
        // The third takes a side.
        signers.hear(vec![Ok(vec![]), Ok(vec![]), Ok(vec![signed(2, 102, NOW)])], &feeds(), NOW);
        assert_eq!(signers.agreed().len(), 2);
        assert_eq!(troubles(&signers), [vec![Trouble::Disagrees], vec![], vec![]]);
        let told = &signers.standings[0];
        assert!(told.troubles[0].1.contains("than enough others") && !told.who.contains("SECRET"), "{told:?}");
        assert!(told.who.contains(&key(0).pubkey().to_string()), "{told:?}");
    }

    #[test]
    fn one_that_is_silent_or_late_is_told_and_two_are_enough() {
        let mut signers = signers(3, 2);
        let all = |at: i64| (0..3).map(move |number| Ok(vec![signed(number, 100, at)]));
        signers.hear(all(NOW - 600).collect(), &feeds(), NOW - 600);
        assert_eq!(troubles(&signers), [vec![], vec![], vec![]]);
        let two: Vec<_> = all(NOW - 60).take(2).chain([Err("it does not answer within 10 s".into())]).collect();
        signers.hear(two, &feeds(), NOW - 60);
        assert_eq!((signers.agreed().len(), troubles(&signers)), (2, vec![vec![], vec![], vec![Trouble::Silent]]));
        // It answers, and has nothing new.
        signers.hear(vec![Ok(vec![]), Ok(vec![]), Ok(vec![])], &feeds(), NOW + 61);
        assert_eq!(troubles(&signers), [vec![], vec![], vec![Trouble::Behind]]);
        let begins = &mut self::signers(3, 2);
        begins.hear(vec![Ok(vec![]), Ok(vec![]), Ok(vec![])], &feeds(), NOW);
        assert_eq!(troubles(begins), [[Trouble::Silent]; 3]);
    }

    #[test]
    fn who_says_two_things_is_accused_and_its_word_counts_until_it_is_revoked() {
        let mut signers = signers(3, 2);
        let answers = vec![
            Ok(vec![signed(0, 100, NOW)]),
            Ok(vec![signed(1, 200, NOW), signed(1, 100, NOW), signed(1, 300, NOW)]),
            Ok(vec![signed(2, 200, NOW)]),
        ];
        signers.hear(answers, &feeds(), NOW);
        let found = signers.contradictions();
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!((found.key, found.signed[0].0.value, found.signed[1].0.value), (key(1).pubkey(), 200, 100));
        let prints = signers.agreed();
        let keys: BTreeSet<_> = prints.iter().map(Print::key).collect();
        assert_eq!((prints.len(), keys.len()), (2, 2), "both are evidence, and told apart");
        assert!(troubles(&signers)[1].contains(&Trouble::Equivocates));
        let set = signers.sets.get_mut(&SET).expect("it is there");
        set.revoke(&key(1).pubkey(), NOW).expect("it is live");
        assert_eq!(signers.agreed().len(), 0, "neither has two that may sign");
    }

    #[test]
    fn what_is_of_nobody_who_counts_here_is_left_out() {
        let mut signers = signers(3, 2);
        let of = |report: Report| vec![attest::signed(&report, &key(0)).expect("it signs")];
        for other in [
            Report { cluster: [8; 8], ..report(1, NOW) },
            Report { set: Pubkey::new_from_array([4; 32]), ..report(1, NOW) },
            Report { feed: [6; 32], ..report(1, NOW) },
            report(1, NOW + 1),
        ] {
            signers.hear(vec![Ok(of(other)), Err("no".into()), Err("no".into())], &feeds(), NOW);
            assert_eq!(troubles(&signers)[0], [Trouble::Strange], "{other:?}");
        }
        signers.hear(vec![Ok(vec![signed(9, 1, NOW)]), Ok(vec![]), Ok(vec![])], &feeds(), NOW);
        assert_eq!((signers.said.keys.len(), troubles(&signers)[0].clone()), (0, vec![Trouble::Strange]));
    }

    #[test]
    fn a_key_that_signs_without_end_costs_no_more_than_its_share() {
        let mut signers = signers(3, 2);
        for part in 0..6_i64 {
            let many = (0..1_000).map(|at| signed(0, 1, NOW - 6_000 + part * 1_000 + at)).collect();
            signers.hear(vec![Ok(many), Ok(vec![]), Ok(vec![])], &feeds(), NOW);
        }
        let kept = &signers.said.keys[&key(0).pubkey()];
        assert_eq!((kept.len(), kept.last_key_value().map(|(place, _)| place.at)), (MOST_MOMENTS, Some(NOW - 1)));
        signers.hear(vec![Ok(vec![]), Ok(vec![]), Ok(vec![])], &feeds(), NOW + KEPT);
        assert_eq!(signers.said.keys.len(), 0, "nobody shows it any more");
    }
}
