//! An incident: what is due, who bears it, what was paid, and what comes next.

use crate::account::{self, AccountError};
use crate::address;
use crate::cluster::Cluster;
use crate::text::tidy_amount;
use crate::view::incident::{Step, next_step};
use crate::view::{self, Case, OpenPool};
use anchor_lang::prelude::Pubkey;
use backstop::peril::Condition;
use backstop::state::{
    CallState, Claim, Cover, CoverState, Incident, LossByLayer, Payout, Policy, Product, Treaty, TreatyKind, Trigger,
    get_text,
};
use serde::Serialize;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Where the pool stands in an incident, after the discriminator.
const POOL_OFFSET: usize = 32;

/// An incident under way, in short.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentSummary {
    /// The incident.
    pub incident: String,
    /// The product.
    pub product: String,
    /// The product's name.
    pub product_name: String,
    /// The pool.
    pub pool: String,
    /// The name of the pool's asset.
    pub label: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Where it stands.
    pub state: &'static str,
    /// When the event began.
    pub event_at: i64,
    /// When it was opened.
    pub opened_at: i64,
    /// When its severity is final at the latest.
    pub final_at: i64,
    /// Part of a sum insured that is lost.
    pub severity_bps: u16,
    /// What the severity could become at the most when it was opened.
    pub most_severity_bps: u16,
    /// Due for losses.
    pub gross: u64,
    /// Number of its crisis within the pool; 0 if nothing is due for any loss.
    pub crisis: u32,
    /// What treaties owe for it, and have paid.
    pub ceded: u64,
    /// What treaties paid.
    pub recovered: u64,
    /// Set aside for the covers so far.
    pub reserve: u64,
    /// What each claim is paid of itself so far, rounded down.
    pub ratio_bps: u64,
    /// Paid so far.
    pub paid: u64,
}

impl IncidentSummary {
    /// An incident under way.
    pub fn of(address: Pubkey, incident: &Incident, product: &Product, pool: &OpenPool) -> IncidentSummary {
        let noted = || incident.treaties.iter().take(incident.treaty_count.into());
        IncidentSummary {
            incident: address.to_string(),
            product: incident.product.to_string(),
            product_name: product.name().into(),
            pool: incident.pool.to_string(),
            label: get_text(&pool.state.label).into(),
            decimals: pool.decimals,
            state: view::incident::state(incident.state),
            event_at: incident.event_at,
            opened_at: incident.opened_at,
            final_at: incident.final_at,
            severity_bps: incident.severity_bps,
            most_severity_bps: incident.most_severity_bps,
            gross: incident.gross,
            crisis: incident.crisis,
            ceded: noted().fold(0, |sum: u64, noted| sum.saturating_add(noted.owed)),
            recovered: noted().fold(0, |sum: u64, noted| sum.saturating_add(noted.paid)),
            reserve: incident.reserve,
            ratio_bps: {
                let ratio = (u128::from(incident.reserve) * 10_000).checked_div(incident.gross.into());
                ratio.and_then(|ratio| u64::try_from(ratio).ok()).unwrap_or(10_000)
            },
            paid: incident.paid,
        }
    }
}

/// An incident that is listed.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum IncidentRow {
    /// It is under way.
    UnderWay(IncidentSummary),
    /// It ended.
    Ended(EndedIncident),
}

/// An incident that is closed: what its product and its trigger keep.
#[derive(Clone, Debug, Serialize)]
pub struct EndedIncident {
    /// The incident.
    pub incident: String,
    /// The product.
    pub product: String,
    /// The product's name.
    pub product_name: String,
    /// The pool.
    pub pool: String,
    /// Where it stands.
    pub state: &'static str,
    /// When the event began.
    pub event_at: i64,
    /// When it was proven.
    pub proven_at: i64,
    /// Part of a sum insured that is lost.
    pub severity_bps: u16,
    /// The mean price; of a reading the value.
    pub mean_price_e8: u64,
}

/// The incidents that ended, by their products: those that are over without one under way.
fn ended(
    cluster: &dyn Cluster,
    pool: Option<Pubkey>,
    live: &HashSet<Pubkey>,
) -> Result<Vec<EndedIncident>, AccountError> {
    // A product names its pool first, a trigger after its product.
    let products = account::list::<Product>(cluster, pool.map(|pool| (0, pool)))?;
    let is_over = |(key, product): &(Pubkey, Product)| product.incident_closed != 0 && !live.contains(key);
    let over: Vec<(Pubkey, Product)> = products.into_iter().filter(is_over).collect();
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let triggers = account::list::<Trigger>(cluster, pool.map(|pool| (32, pool)))?;
    let triggers: HashMap<Pubkey, Trigger> = triggers.into_iter().collect();
    let mut rows: Vec<EndedIncident> = over
        .iter()
        .filter_map(|(key, product)| {
            let trigger = triggers.get(&product.trigger)?;
            let (event_at, mean_price_e8, severity_bps) = trigger.found();
            Some(EndedIncident {
                incident: address::incident(key).to_string(),
                product: key.to_string(),
                product_name: product.name().into(),
                pool: product.pool.to_string(),
                state: "ended",
                event_at,
                proven_at: trigger.verdict()?.proven_at,
                severity_bps,
                mean_price_e8,
            })
        })
        .collect();
    rows.sort_by(|left, right| (left.proven_at, &left.incident).cmp(&(right.proven_at, &right.incident)));
    Ok(rows)
}

/// An incident under way.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentReport {
    /// In short.
    #[serde(flatten)]
    pub summary: IncidentSummary,
    /// Whether its crisis is closed: what there is for its covers is fixed, but for money that comes late.
    pub crisis_closed: bool,
    /// Treaties.
    pub treaties: Vec<IncidentTreaty>,
    /// What funding it now would take from the pool's capital; `None` if that is nothing.
    pub losses: Option<Losses>,
    /// Its covers.
    pub covers: Vec<CoverClaim>,
    /// Covers that are not settled.
    pub covers_open: usize,
    /// Covers that are.
    pub covers_settled: usize,
    /// Sums insured and premiums of covers that are not settled yet.
    pub sums_left: u64,
    /// Premiums of covers that are not settled.
    pub premiums_left: u64,
    /// Premium set aside to be given back, and not given back yet.
    pub refunds_left: u64,
    /// When what is left goes to the surplus, whether all is paid or not.
    pub deadline: i64,
    /// What comes next.
    pub next: Option<Step>,
}

/// A treaty that an incident noted.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentTreaty {
    /// The treaty.
    pub treaty: String,
    /// What kind it is.
    pub kind: &'static str,
    /// Where it stands.
    pub state: &'static str,
    /// What it has come to owe, paid or not.
    pub owed: u64,
    /// Paid so far.
    pub paid: u64,
}

/// A loss by the capital that bears it.
#[derive(Clone, Debug, Serialize)]
pub struct Losses {
    /// The surplus.
    pub surplus: u64,
    /// Of the junior tranche.
    pub junior: u64,
    /// Of the senior tranche.
    pub senior: u64,
}

impl From<&LossByLayer> for Losses {
    fn from(losses: &LossByLayer) -> Self {
        Self {
            surplus: losses.surplus,
            junior: losses.junior_assets.saturating_add(losses.junior_exiting),
            senior: losses.senior_assets.saturating_add(losses.senior_exiting),
        }
    }
}

impl Losses {
    /// The loss in words.
    pub fn text(&self, decimals: u8) -> String {
        let parts = [(self.surplus, "surplus"), (self.junior, "junior"), (self.senior, "senior")];
        let parts = parts.iter().filter(|(units, _)| *units > 0);
        let parts: Vec<String> =
            parts.map(|(units, name)| format!("{} on {name}", tidy_amount(*units, decimals))).collect();
        if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
    }
}

/// A cover in an incident.
#[derive(Clone, Debug, Serialize)]
pub struct CoverClaim {
    /// The cover.
    pub cover: String,
    /// Its NFT's mint.
    pub mint: String,
    /// The sum insured.
    pub sum_insured: u64,
    /// The premium.
    pub premium: u64,
    /// `loss`: in force at the event. `refund`: not in force yet, the premium goes back.
    pub claim: &'static str,
    /// What it is due in full by the severity so far, with what of its premium is given back.
    pub due: u64,
    /// What it was paid for its loss so far.
    pub paid: u64,
    /// What settling it now would pay.
    pub payout: u64,
    /// Premium that is given back: part of both.
    pub refund: u64,
    /// Whether it is settled.
    pub settled: bool,
}

impl IncidentReport {
    /// A case's incident at `now`, with all its covers.
    ///
    /// Errors: an account cannot be read, or the cluster does not answer.
    pub fn read(cluster: &dyn Cluster, case: &Case, incident: &Incident, now: i64) -> Result<Self, AccountError> {
        Self::read_some(cluster, case, incident, usize::MAX, now)
    }

    /// The same with the first of its covers, so many at most; all are counted.
    ///
    /// Errors: those of [`Self::read`].
    pub fn read_some(
        cluster: &dyn Cluster,
        case: &Case,
        incident: &Incident,
        most: usize,
        now: i64,
    ) -> Result<Self, AccountError> {
        let pool = &case.product.pool;
        let in_full = Incident { reserve: incident.gross, ..incident.clone() };
        let (mut covers, mut covers_open, mut covers_settled, mut open_cover) = (Vec::new(), 0, 0, None);
        for (key, cover) in case.covers(cluster)? {
            let Some(due) = due(&cover, &in_full) else { continue };
            if cover.state == CoverState::Settled {
                covers_settled += 1;
            } else {
                covers_open += 1;
                open_cover = open_cover.or(Some(key));
            }
            if covers.len() < most {
                covers.push(claim(key, &cover, incident, &due));
            }
        }
        Ok(Self {
            summary: IncidentSummary::of(case.product.keys.incident(), incident, &case.product.state, pool),
            crisis_closed: case.crisis.as_ref().is_some_and(|crisis| crisis.closed),
            treaties: treaties(cluster, incident)?,
            losses: losses(case, incident, now),
            covers_open,
            covers_settled,
            covers,
            sums_left: incident.sums_left,
            premiums_left: incident.premiums_left,
            refunds_left: incident.refunds_left,
            deadline: incident.deadline,
            next: next_step(case, open_cover, now),
        })
    }
}

/// All incidents, or those of a pool: those under way by their openings, then what the chain still tells of those that
/// ended.
///
/// Errors: an account cannot be read, or the cluster does not answer.
pub fn incidents(cluster: &dyn Cluster, pool: Option<Pubkey>) -> Result<Vec<IncidentRow>, AccountError> {
    let filter = pool.map(|pool| (POOL_OFFSET, pool));
    let mut pools: HashMap<Pubkey, OpenPool> = HashMap::new();
    let mut rows = Vec::new();
    let mut live = HashSet::new();
    for (address, incident) in account::list::<Incident>(cluster, filter)? {
        let product: Product = account::fetch(cluster, &incident.product)?;
        let open = match pools.entry(incident.pool) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(place) => place.insert(OpenPool::read(cluster, incident.pool)?),
        };
        live.insert(incident.product);
        rows.push(IncidentSummary::of(address, &incident, &product, open));
    }
    rows.sort_by(|left, right| (left.opened_at, &left.incident).cmp(&(right.opened_at, &right.incident)));
    let ended = ended(cluster, pool, &live)?;
    Ok(rows.into_iter().map(IncidentRow::UnderWay).chain(ended.into_iter().map(IncidentRow::Ended)).collect())
}

/// How the noted treaties stand.
fn treaties(cluster: &dyn Cluster, incident: &Incident) -> Result<Vec<IncidentTreaty>, AccountError> {
    let mut rows = Vec::new();
    for noted in incident.treaties.iter().take(incident.treaty_count.into()) {
        let treaty: Option<Treaty> = account::find(cluster, &noted.treaty)?;
        rows.push(IncidentTreaty {
            treaty: noted.treaty.to_string(),
            kind: treaty.map_or("ended", |treaty| match treaty.kind {
                TreatyKind::QuotaShare { .. } => "quota-share",
                TreatyKind::ExcessOfLoss { .. } => "excess-of-loss",
            }),
            state: match noted.state {
                CallState::Pending => "pending",
                CallState::Called => "called",
            },
            owed: noted.owed,
            paid: noted.paid,
        });
    }
    Ok(rows)
}

fn losses(case: &Case, incident: &Incident, now: i64) -> Option<Losses> {
    let (mut books, mut crisis) = (case.product.pool.state.clone(), case.crisis.clone()?);
    let mut trigger = case.trigger.clone();
    trigger.refresh(now);
    books.accrue(now).ok()?;
    let funding = incident.clone().fund(&mut books, &mut crisis, &case.product.state.terms, &*trigger, now).ok()?;
    let losses = funding.closing.map_or(funding.giving.losses, |closing| closing.losses);
    Some(Losses::from(&losses))
}

/// What a cover is due of an incident that was given all; `None` if the event does not concern it.
fn due(policy: &Policy, in_full: &Incident) -> Option<Payout> {
    // It is asked as if nothing of it were paid yet.
    let unpaid = Policy { paid: 0, state: CoverState::Active, ..policy.clone() };
    in_full.payout(&unpaid).ok()
}

/// A cover in an incident.
fn claim(address: Pubkey, cover: &Cover, incident: &Incident, due: &Payout) -> CoverClaim {
    let paid_now = incident.payout(cover).ok().and_then(|payout| payout.total());
    CoverClaim {
        cover: address.to_string(),
        mint: cover.mint().to_string(),
        sum_insured: cover.sum_insured,
        premium: cover.premium,
        claim: match due.claim {
            Claim::Loss => "loss",
            Claim::Refund => "refund",
        },
        due: due.amount.saturating_add(due.refund),
        paid: cover.paid,
        payout: paid_now.unwrap_or_default(),
        refund: due.refund,
        settled: cover.state == CoverState::Settled,
    }
}
