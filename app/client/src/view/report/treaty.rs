//! A treaty: what each side gives, what it has paid, what is left, and when it binds.

use crate::account::{self, AccountError};
use crate::cluster::Cluster;
use crate::view::treaty::{books, kind, limit_left, released_from, status};
use crate::view::{OpenPool, OpenTreaty};
use anchor_lang::prelude::Pubkey;
use backstop::state::{CallState, Incident, Treaty, TreatyKind, TreatyState, day_of, get_text, unearned_between};
use serde::Serialize;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Where the cedant stands in a treaty, after the discriminator.
const CEDANT_OFFSET: usize = 0;
/// Where the reinsurer stands.
const REINSURER_OFFSET: usize = 32;

/// Where the pool stands in an incident.
const INCIDENT_POOL_OFFSET: usize = 32;

/// A treaty in short.
#[derive(Clone, Debug, Serialize)]
pub struct TreatySummary {
    /// The treaty.
    pub treaty: String,
    /// Its number.
    pub id: u16,
    /// The pool that cedes.
    pub cedant: String,
    /// The pool that reinsures.
    pub reinsurer: String,
    /// The name of the pool's asset.
    pub label: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// What kind it is.
    pub kind: &'static str,
    /// Where it stands.
    #[serde(rename = "state")]
    pub status: &'static str,
    /// Part that is ceded.
    pub cession_bps: Option<u16>,
    /// Part of ceded premium that stays.
    pub commission_bps: Option<u16>,
    /// Loss above which it pays.
    pub attachment: Option<u64>,
    /// Premium, of the limit.
    pub rate_on_line_bps: Option<u16>,
    /// How often its limit is restored.
    pub reinstatements: Option<u8>,
    /// What restoring costs, of the premium.
    pub reinstatement_premium_bps: Option<u16>,
    /// What it pays at most.
    pub limit: u64,
    /// What it can still come to owe.
    pub limit_left: u64,
    /// When its notice ends.
    pub notice_until: i64,
    /// First second of the term.
    pub start: i64,
    /// First second after the term.
    pub end: i64,
}

impl TreatySummary {
    /// A treaty at `now`.
    pub fn of(address: Pubkey, treaty: &Treaty, cedant: &OpenPool, now: i64) -> TreatySummary {
        let mut summary = Self {
            treaty: address.to_string(),
            id: treaty.id,
            cedant: treaty.cedant.to_string(),
            reinsurer: treaty.reinsurer.to_string(),
            label: get_text(&cedant.state.label).into(),
            decimals: cedant.decimals,
            kind: kind(&treaty.kind),
            status: status(&address, treaty, &cedant.state, now),
            cession_bps: None,
            commission_bps: None,
            attachment: None,
            rate_on_line_bps: None,
            reinstatements: None,
            reinstatement_premium_bps: None,
            limit: treaty.limit,
            limit_left: limit_left(&address, treaty, &cedant.state),
            notice_until: treaty.notice_until,
            start: treaty.start(),
            end: treaty.end(),
        };
        match treaty.kind {
            TreatyKind::QuotaShare { cession_bps, commission_bps } => {
                summary.cession_bps = Some(cession_bps);
                summary.commission_bps = Some(commission_bps);
            }
            TreatyKind::ExcessOfLoss { attachment, rate_on_line_bps, reinstatements, reinstatement_premium_bps } => {
                summary.attachment = Some(attachment);
                summary.rate_on_line_bps = Some(rate_on_line_bps);
                summary.reinstatements = Some(reinstatements);
                summary.reinstatement_premium_bps = Some(reinstatement_premium_bps);
            }
        }
        summary
    }
}

/// A treaty.
#[derive(Clone, Debug, Serialize)]
pub struct TreatyReport {
    /// In short.
    #[serde(flatten)]
    pub summary: TreatySummary,
    /// What of the limit was used so far, restored parts included.
    pub used: u64,
    /// Limit restored so far.
    pub restored: u64,
    /// What it owes incidents and has not paid.
    pub owed: u64,
    /// Premium: of a layer what was paid or would be paid for the term; of a quota share what the cedant owes now.
    pub premium: u64,
    /// What of a layer's premium would go back if its term were ended today.
    pub unearned: u64,
    /// Incidents that are not closed and noted it.
    pub incidents: Vec<NotedIncident>,
    /// The reinsurer's capital that stays.
    pub reinsurer_capital: u64,
    /// Limits that it stands behind.
    pub reinsurer_open_limits: u64,
    /// What comes next.
    pub next: Option<TreatyStep>,
}

/// An incident that noted a treaty.
#[derive(Clone, Debug, Serialize)]
pub struct NotedIncident {
    /// The incident.
    pub incident: String,
    /// The product.
    pub product: String,
    /// Where it stands.
    pub state: &'static str,
    /// What it has come to owe.
    pub owed: u64,
    /// Paid so far.
    pub paid: u64,
}

/// What somebody can do about a treaty next.
#[derive(Clone, Debug, Serialize)]
pub struct TreatyStep {
    /// `accept`, `premium` or `end`.
    pub step: &'static str,
    /// The command that takes it.
    pub command: String,
    /// From when.
    pub from: i64,
    /// Until when.
    pub until: Option<i64>,
}

impl TreatyReport {
    /// A treaty at `now`.
    ///
    /// Errors: an account cannot be read, or the cluster does not answer.
    pub fn read(cluster: &dyn Cluster, open: &OpenTreaty, now: i64) -> Result<Self, AccountError> {
        let (cedant, reinsurer) = (books(&open.cedant, now), books(&open.reinsurer, now));
        let treaty = &open.state;
        let books_of = |what, address: Pubkey| move |_| AccountError::Books { what, address };
        let is_active = treaty.state == TreatyState::Active;
        let is_quota_share = matches!(treaty.kind, TreatyKind::QuotaShare { .. });
        let premium = match is_quota_share {
            true => cedant.payable_of(&open.keys.treaty),
            false => treaty.premium_on_acceptance().map_err(books_of("treaty", open.keys.treaty))?,
        };
        let tomorrow = day_of(now).saturating_add(1).max(treaty.start_day);
        let unearned = if is_active {
            unearned_between(treaty.rate_q32, tomorrow, treaty.end_day).map_err(books_of("treaty", open.keys.treaty))?
        } else {
            0
        };
        Ok(Self {
            summary: TreatySummary::of(open.keys.treaty, treaty, &open.cedant, now),
            used: treaty.limit.saturating_add(treaty.restored).saturating_sub(limit_left(
                &open.keys.treaty,
                treaty,
                &cedant,
            )),
            restored: treaty.restored,
            owed: open.owed(),
            premium,
            unearned,
            incidents: incidents(cluster, treaty.cedant, open.keys.treaty)?,
            reinsurer_capital: reinsurer.staying_capital().map_err(books_of("pool", treaty.reinsurer))?,
            reinsurer_open_limits: reinsurer.open_limits().map_err(books_of("pool", treaty.reinsurer))?,
            next: next(open, premium, now),
        })
    }
}

/// All treaties, or those of a pool on either side, at `now`, by their cedants and numbers.
///
/// Errors: an account cannot be read, or the cluster does not answer.
pub fn treaties(cluster: &dyn Cluster, pool: Option<Pubkey>, now: i64) -> Result<Vec<TreatySummary>, AccountError> {
    let filters = match pool {
        Some(pool) => vec![Some((CEDANT_OFFSET, pool)), Some((REINSURER_OFFSET, pool))],
        None => vec![None],
    };
    let mut treaties = BTreeMap::new();
    for filter in filters {
        treaties.extend(account::list::<Treaty>(cluster, filter)?);
    }
    let mut cedants: HashMap<Pubkey, OpenPool> = HashMap::new();
    let mut rows = Vec::new();
    for (address, treaty) in treaties {
        let cedant = match cedants.entry(treaty.cedant) {
            Entry::Occupied(cedant) => cedant.into_mut(),
            Entry::Vacant(place) => place.insert(OpenPool::read(cluster, treaty.cedant)?),
        };
        rows.push(TreatySummary::of(address, &treaty, cedant, now));
    }
    rows.sort_by(|left, right| (&left.cedant, left.id).cmp(&(&right.cedant, right.id)));
    Ok(rows)
}

fn incidents(cluster: &dyn Cluster, cedant: Pubkey, treaty: Pubkey) -> Result<Vec<NotedIncident>, AccountError> {
    let mut rows = Vec::new();
    for (address, incident) in account::list::<Incident>(cluster, Some((INCIDENT_POOL_OFFSET, cedant)))? {
        let noted = incident.treaties.iter().take(incident.treaty_count.into());
        rows.extend(noted.filter(|noted| noted.treaty == treaty).map(|noted| NotedIncident {
            incident: address.to_string(),
            product: incident.product.to_string(),
            state: match noted.state {
                CallState::Pending => "pending",
                CallState::Called => "called",
            },
            owed: noted.owed,
            paid: noted.paid,
        }));
    }
    rows.sort_by(|left, right| left.incident.cmp(&right.incident));
    Ok(rows)
}

/// What somebody can do about it next.
fn next(open: &OpenTreaty, premium: u64, now: i64) -> Option<TreatyStep> {
    let treaty = &open.state;
    let next = |step: &'static str, from, until| {
        let command = format!("backstop treaty {step} {}", open.keys.treaty);
        Some(TreatyStep { step, command, from, until })
    };
    match status(&open.keys.treaty, treaty, &open.cedant.state, now) {
        "announced" => next("accept", treaty.notice_until, Some(treaty.start())),
        "acceptable" => next("accept", now, Some(treaty.start())),
        _ if premium > 0 && matches!(treaty.kind, TreatyKind::QuotaShare { .. }) => next("premium", now, None),
        "lapsed" | "over" => next("end", now, None),
        _ => next("end", released_from(treaty, &open.cedant.state).max(now), None),
    }
}
