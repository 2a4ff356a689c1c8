//! What is due: a pure function of what was read.
//!
//! A rule is never written down twice: whether an instruction would be taken is asked of the program's own methods, on
//! copies of the accounts. What is added here is when it is *worth* a fee.

use crate::crank::chain::{Chain, Destination, Held, OpenCover, OpenPosition, ProductView};
use crate::crank::choice;
use crate::crank::live;
use crate::crank::price::{Attested, Contradiction, Print};
use crate::crank::work::{Kind, Waiting, Work};
use anchor_lang::Space;
use anchor_lang::error::Error;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::constants::{MIN_SMALLEST_AMOUNT, SETTLEMENT_WINDOW};
use backstop::error::BackstopError;
use backstop::peril::AlertLevel;
use backstop::peril::evidence::{Class, Direction, Phase};
use backstop::peril::feed::{Observation, Source};
use backstop::state::{
    AttestorSet, CallState, Claim, Crisis, ExitEpoch, Form, Incident, InwardRisk, Party, Policy, Pool, ProductState,
    Tranche, Treaty, TreatyState, Trigger, day_of,
};
use backstop_client::address;
use backstop_client::instruction::{self as ix, PoolKeys, TreatyKeys};
use std::collections::BTreeSet;

/// Why nothing moves while the asset's issuer has frozen a pool's token account.
const VAULT_FROZEN: &str = "a pool's vault is frozen";
/// Why a payment waits for its owner.
pub const NO_ACCOUNT: &str = "its owner has no account of the asset";
/// Why a position waits for its owner.
pub const BENEFICIARY: &str = "its beneficiary cannot be paid: its owner can name another";
/// Why the payee of a lien waits.
pub const PAYEE: &str = "its lien's payee cannot be paid: its owner can name another";
/// Why nothing is paid for a policy.
const LIEN_UNKNOWN: &str = "nobody says how its lien stands";
/// Why an incident stays open after its time.
const STILL_PAYABLE: &str = "its time is over, but covers could still be paid, or nobody says that they could not";
/// Most prints that one trigger is shown in a pass.
const PRINTS_A_PASS: usize = 24;
/// What rent counts for each account beside its bytes.
const BYTES_BESIDE_DATA: usize = 128;
/// Bytes of a token account, for its rent.
const TOKEN_ACCOUNT_BYTES: usize = 165;

/// What a crank does and does not do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Pools to work for; none named: all.
    pub pools: Vec<Pubkey>,
    /// Whether exit tickets are paid to their owners as soon as there is something for them.
    pub claim_exits: bool,
    /// Whose missing payout accounts are created, at the crank's expense.
    pub create_accounts: CreateAccounts,
}

impl Default for Settings {
    fn default() -> Self {
        Self { pools: Vec::new(), claim_exits: true, create_accounts: CreateAccounts::Covers }
    }
}

/// Whose missing payout accounts a crank creates. It costs the rent of a token account each, which is the owner's then:
/// so the crank's budget bounds it, and payments that need none go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateAccounts {
    /// Nobody's: payments wait until their owners create one.
    Nobody,
    /// Those of covers' holders: what nobody can receive is lost when the incident ends.
    Covers,
    /// Those of tickets' owners too, who have asked to be paid and lose nothing by waiting.
    All,
}

/// Due work, and what waits for others.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What can be done now.
    pub due: Vec<Work>,
    /// What cannot.
    pub waiting: Vec<Waiting>,
}

/// A feed that a trigger listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feed {
    /// [`Source`] as a number.
    pub source: u8,
    /// The feed: a Pyth feed id, for the push oracle the price account, for reports the sha-256 of what defines it.
    pub feed: [u8; 32],
    /// The attestors whose reports count; zero for other sources.
    pub attestors: Pubkey,
}

impl Feed {
    /// What a trigger listens to.
    pub fn of(trigger: &Trigger) -> Self {
        Self { source: trigger.source, feed: trigger.feed, attestors: trigger.attestors }
    }
}

/// Feeds whose prints could matter now.
pub fn feeds(chain: &Chain, settings: &Settings) -> Vec<Feed> {
    let listening =
        |view: &&ProductView| (watched(view) || reads(view, chain.now)) && view.trigger.phase() != Phase::Final;
    let products = chain.products.values().filter(|view| wanted(settings, view.product.pool)).filter(listening);
    let feeds = products.map(|view| Feed::of(&view.trigger));
    feeds.collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn wanted(settings: &Settings, pool: Pubkey) -> bool {
    settings.pools.is_empty() || settings.pools.contains(&pool)
}

/// What an incident would pay a cover or a position now. `None` if there is nothing more; accounts that do not fit together are tried
/// all the same, so that the refusal is reported.
pub(super) fn payable(incident: &Incident, policy: &Policy) -> Option<u64> {
    payable_to(incident, policy, Party::Holder, 0)
}

/// The same of one party of a policy, of whose lien's limit so much is left.
fn payable_to(incident: &Incident, policy: &Policy, party: Party, limit_left: u64) -> Option<u64> {
    match incident.payout_of(policy, party, limit_left) {
        Ok(payout) => payout.total(),
        Err(Error::AnchorError(error)) => {
            (error.error_code_number == u32::from(BackstopError::MathOverflow)).then_some(0)
        }
        Err(_) => None,
    }
}

/// A settlement with the account of the policy's lien, if one is on it.
fn shown(settlement: Instruction, address: &Pubkey, policy: &Policy) -> Instruction {
    if policy.has_lien { ix::under_lien(settlement, address) } else { settlement }
}

/// Which keys of a set have signed a report: a bit for each, the lowest for the first key.
fn signers_of(set: &AttestorSet, attested: &Attested) -> u16 {
    let place = |key: &Pubkey| set.attestors().iter().position(|known| known == key);
    let places = attested.signers.iter().filter_map(|(key, _)| u32::try_from(place(key)?).ok());
    places.fold(0, |signers, place| signers | 1u16.checked_shl(place).unwrap_or(0))
}

/// Whether somebody is insured by a reading whose moment is there.
fn reads(view: &ProductView, now: i64) -> bool {
    view.trigger.form() == Form::Reading && view.product.exposure > 0 && now >= view.trigger.reading.due_at
}

/// Whether anybody can lose or buy anything by the product's trigger.
pub(super) fn watched(view: &ProductView) -> bool {
    // A reading has one moment and no prices.
    if view.trigger.form() == Form::Reading {
        return false;
    }
    match view.product.state() {
        ProductState::Announced => false,
        // While an incident's run-on lasts, what it pays may grow.
        ProductState::Over => view.trigger.phase() == Phase::Triggered,
        // A frozen one may sell again: the lows of its quiet time must be known by then.
        ProductState::Selling | ProductState::Frozen => true,
        ProductState::RunOff => view.product.exposure > 0,
    }
}

/// Derives what is due.
///
/// `prints` are prices that could be shown.
pub fn plan(chain: &Chain, prints: &[Print], settings: &Settings, payer: &Pubkey) -> Plan {
    let created = BTreeSet::new();
    let mut planner = Planner { chain, prints, settings, payer, created, plan: Plan::default() };
    planner.triggers();
    planner.retirements();
    planner.incidents();
    planner.covers();
    planner.positions();
    planner.liens();
    planner.treaties();
    planner.exits();
    planner.housekeeping();
    planner.spent_liens();
    // Last: what is done to a pool above has mostly accrued it.
    planner.accruals();
    let Plan { mut due, mut waiting } = planner.plan;
    due.retain(|work| wanted(settings, work.pool));
    // Of payments those that need no new account first; of prints that one trigger is shown the order as planned.
    due.sort_by_key(|work| (work.kind, work.pool, work.instructions.len(), work.holder, work.subject));
    waiting.sort_by_key(|waiting| (waiting.kind, waiting.subject));
    Plan { due, waiting }
}

/// Of what is due, the prints to be shown. It needs no more of the chain than [`Chain::watch`] reads.
pub fn observations(chain: &Chain, prints: &[Print], settings: &Settings, payer: &Pubkey) -> Vec<Work> {
    let created = BTreeSet::new();
    let mut planner = Planner { chain, prints, settings, payer, created, plan: Plan::default() };
    planner.triggers();
    let mut due = planner.plan.due;
    due.retain(|work| work.kind == Kind::Observe && wanted(settings, work.pool));
    due
}

struct Planner<'a> {
    chain: &'a Chain,
    prints: &'a [Print],
    settings: &'a Settings,
    payer: &'a Pubkey,
    /// Accounts that work planned so far creates.
    created: BTreeSet<Pubkey>,
    plan: Plan,
}

impl Planner<'_> {
    fn push(&mut self, kind: Kind, pool: Pubkey, subject: Pubkey, instruction: Instruction) {
        self.plan.due.push(Work::new(kind, pool, subject, instruction));
    }

    fn wait(&mut self, kind: Kind, pool: Pubkey, subject: Pubkey, why: &'static str) {
        self.wait_for(kind, pool, subject, 0, why);
    }

    fn wait_for(&mut self, kind: Kind, pool: Pubkey, subject: Pubkey, amount: u64, why: &'static str) {
        if wanted(self.settings, pool) {
            self.plan.waiting.push(Waiting { kind, subject, pool, amount, why });
        }
    }

    // ---- triggers ----

    fn triggers(&mut self) {
        let now = self.chain.now;
        for view in self.chain.products.values() {
            let (pool, key) = (view.product.pool, view.product.trigger);
            let (trigger, phase) = (&view.trigger, view.trigger.phase());
            if phase.is_triggered() {
                // What comes first is closed or opened first.
                let books = self.books(pool);
                let books = books.filter(|books| books.require_next_incident(trigger.alert_number, now).is_ok());
                if let Some(books) = books.filter(|_| view.product.state() != ProductState::Over) {
                    let open = ix::open_incident(&view.keys, *self.payer, ix::next_crisis(&books));
                    let mut work = Work::new(Kind::OpenIncident, pool, key, open);
                    work.product = Some(view.keys.product);
                    let crisis = if books.in_crisis() { 0 } else { BYTES_BESIDE_DATA + 8 + Crisis::INIT_SPACE };
                    work.creates = Some(8 + Incident::INIT_SPACE + crisis);
                    self.plan.due.push(work);
                }
            }
            if trigger.form() == Form::Reading {
                self.reading(view);
                continue;
            }
            if phase == Phase::Final || !watched(view) {
                continue;
            }
            let phase_now = trigger.phase_at(now);
            if phase_now.is_triggered() && !phase.is_triggered() {
                self.push(Kind::Confirm, pool, key, ix::confirm(&view.keys));
                continue;
            }
            // A print that is shown brings the phase up to now too.
            let prints = match trigger.has_two_keys() {
                true => Vec::new(),
                false => worthy_prints(view, self.prints, now),
            };
            self.second_key(view);
            let reading = self.chain.lives.get(&view.keys.product).and_then(|it| live::worth(view, it, now));
            if prints.is_empty() && reading.is_none() && phase_now != phase {
                self.push(Kind::Refresh, pool, key, ix::refresh(&view.keys));
            }
            if let Some(why) = reading {
                let vaults = self.chain.lives.get(&view.keys.product).map_or(&[][..], |it| it.live.vaults());
                let show = match trigger.has_two_keys() {
                    true => ix::observe_vaults(&view.keys, vaults),
                    false => ix::observe_live(&view.keys, Pubkey::new_from_array(trigger.feed)),
                };
                let mut work = Work::new(Kind::Observe, pool, key, show);
                work.product = Some(view.keys.product);
                work.slot_seconds = Some(trigger.terms.slot_seconds);
                work.why = Some(why);
                self.plan.due.push(work);
            }
            for print in prints {
                let mut work = Work::new(Kind::Observe, pool, key, ix::observe(&view.keys, print.account));
                if let Some(attested) = &print.attested {
                    let signed = ix::signed_report(&attested.signers, &attested.report.to_bytes());
                    work.instructions = vec![signed, ix::observe_report(&view.keys, trigger.attestors)];
                }
                work.print = Some(print.clone());
                work.product = Some(view.keys.product);
                work.slot_seconds = Some(trigger.terms.slot_seconds);
                work.why = Some(what_it_says(view, print));
                self.plan.due.push(work);
            }
            let (mut product, Some(books)) = (view.product, self.books(pool)) else { continue };
            if product.sync(&mut { books }, trigger, now).is_ok_and(|released| released > 0) {
                self.push(Kind::SyncProduct, pool, view.keys.product, ix::sync_product(&view.keys));
            }
        }
    }

    // ---- attestors ----

    /// Shows what attestors say was lost to a product that is armed: once it begins the alert, and again when as many as must
    /// agree prove the event by it. What they said last they know best.
    fn second_key(&mut self, view: &ProductView) {
        let (now, trigger) = (self.chain.now, &view.trigger);
        let set = self.chain.attestors.get(&trigger.attestors).filter(|set| set.is_alive());
        let Some(set) = set.filter(|_| trigger.has_two_keys() && view.product.exposure > 0) else { return };
        let feed = Feed::of(trigger);
        let said = self.prints.iter().filter(|print| print.is_of(&feed) && print.is_due(now));
        let mut said: Vec<(bool, &Print, &Attested)> = said
            .filter_map(|print| {
                let attested = print.attested.as_deref()?;
                Some((attested.signers.len() >= usize::from(set.threshold), print, attested))
            })
            .collect();
        said.sort_by_key(|(is_enough, print, _)| (*is_enough, print.observation.publish_time));
        for (is_enough, print, attested) in said.into_iter().rev() {
            let Ok(loss) = trigger.read_loss(&attested.report, is_enough, now) else { continue };
            if { *trigger }.report(&loss, now).is_err() {
                continue;
            }
            let observe = ix::observe_report(&view.keys, trigger.attestors);
            let signed = ix::signed_report(&attested.signers, &attested.report.to_bytes());
            let mut work = Work::new(Kind::Observe, view.product.pool, view.product.trigger, observe);
            work.instructions.insert(0, signed);
            work.print = Some(print.clone());
            work.product = Some(view.keys.product);
            work.slot_seconds = Some(trigger.terms.slot_seconds);
            let (signers, lost) = (attested.signers.len(), price_text(print.observation.price));
            work.why = Some(format!("{signers} of its attestors say that {lost} was lost"));
            self.plan.due.push(work);
            return;
        }
    }

    /// Runs products off whose attestors are too few to report.
    fn retirements(&mut self) {
        let chain = self.chain;
        for view in chain.products.values() {
            let Some(set) = chain.attestors.get(&view.trigger.attestors).filter(|set| !set.is_alive()) else {
                continue;
            };
            let (pool, mut product) = (view.product.pool, view.product);
            let Some(books) = self.books(pool) else { continue };
            if set.require_dead().is_ok() && product.set_state(ProductState::RunOff, &books, chain.now).is_ok() {
                let retire = ix::retire_product(&view.keys, view.trigger.attestors);
                let mut work = Work::new(Kind::RetireProduct, pool, view.keys.product, retire);
                work.product = Some(view.keys.product);
                self.plan.due.push(work);
            }
        }
    }

    // ---- readings ----

    /// Brings a reading that somebody is insured by home: shows the report of its moment, or that more have signed it, and
    /// does what is due: into the alert once its moment is there, and to its end once its report has stood, has fallen, or
    /// has not come in its time.
    fn reading(&mut self, view: &ProductView) {
        let (now, prints) = (self.chain.now, self.prints);
        let trigger = &view.trigger;
        let Some(set) = self.chain.attestors.get(&trigger.attestors) else { return };
        if view.product.exposure == 0 || trigger.phase() == Phase::Final {
            return;
        }
        let (pool, key) = (view.product.pool, view.product.trigger);
        let feed = Feed::of(trigger);
        let signed = prints.iter().filter(|print| print.is_of(&feed) && print.is_due(now));
        for print in signed {
            let Some(attested) = &print.attested else { continue };
            let mut copy = *trigger;
            let shown = copy.show_reading(&attested.report, signers_of(set, attested), set, now);
            if !shown.is_ok_and(|outcome| outcome.is_news) {
                continue;
            }
            let report = ix::signed_report(&attested.signers, &attested.report.to_bytes());
            let observe = ix::observe_report(&view.keys, trigger.attestors);
            let mut work = Work::new(Kind::Observe, pool, key, observe.clone());
            work.instructions = vec![report, observe];
            work.print = Some(print.clone());
            work.product = Some(view.keys.product);
            self.plan.due.push(work);
            return;
        }
        let mut copy = *trigger;
        if copy.refresh(now).phase_changed() && copy.resolve_reading(set, now).is_err() {
            self.push(Kind::Refresh, pool, key, ix::refresh(&view.keys));
        } else if { *trigger }.resolve_reading(set, now).is_ok() {
            self.push(Kind::Confirm, pool, key, ix::resolve_reading(&view.keys, trigger.attestors));
        }
    }

    /// Whether a vault among those of these pools is frozen.
    fn frozen(&self, pools: &[Pubkey]) -> bool {
        pools.iter().any(|pool| self.chain.pools.get(pool).is_some_and(|view| view.frozen))
    }

    /// A pool's books as they would stand now.
    fn books(&self, pool: Pubkey) -> Option<Pool> {
        let mut books = self.chain.pools.get(&pool)?.books;
        books.accrue(self.chain.now).ok()?;
        Some(books)
    }

    // ---- incidents ----

    fn incidents(&mut self) {
        let mut fundable = BTreeSet::new();
        let chain = self.chain;
        for (product, incident) in &chain.incidents {
            let Some(view) = chain.products.get(product) else { continue };
            let (pool, key) = (incident.pool, view.keys.incident());
            let crisis = chain.crises.get(&(pool, incident.crisis));
            if incident.crisis != 0 {
                let Some(crisis) = crisis else { continue };
                self.calls(view, incident);
                // One a pass: each changes what the next finds.
                if self.is_worth_funding(view, incident, crisis) && fundable.insert(pool) {
                    self.push(Kind::FundIncident, pool, key, ix::fund_incident(&view.keys, crisis.number));
                }
            }
            let frozen = self.frozen(&[pool]);
            if frozen && incident.deadline.saturating_sub(chain.now) < SETTLEMENT_WINDOW / 2 {
                let number = crisis.map(|crisis| crisis.number);
                self.push(Kind::ExtendDeadline, pool, key, ix::extend_deadline(&view.keys, number));
                continue;
            }
            let (Some(mut books), mut product_state) = (self.books(pool), view.product) else { continue };
            let mut copy = crisis.cloned();
            if frozen || incident.wind_up(&mut books, &mut product_state, copy.as_mut(), chain.now).is_err() {
                continue;
            }
            if self.nothing_is_payable(product, incident) {
                let of_crisis = crisis.map(|crisis| (crisis.number, crisis.rent_payer));
                let close = ix::close_incident(&view.keys, incident.rent_payer, of_crisis);
                self.push(Kind::CloseIncident, pool, key, close);
            } else {
                // Its time is over, and there are covers that could still be paid, or nobody knows.
                self.wait(Kind::CloseIncident, pool, key, STILL_PAYABLE);
            }
        }
    }

    /// Calls the treaties that owe something of an incident: at once, and again when a reinsurer that could not pay has
    /// all that it owes.
    fn calls(&mut self, view: &ProductView, incident: &Incident) {
        for noted in incident.treaties.iter().take(usize::from(incident.treaty_count)) {
            let Some(treaty) = self.chain.treaties.get(&noted.treaty) else { continue };
            let owed = noted.owed.saturating_sub(noted.paid);
            let has = self.books(treaty.reinsurer).and_then(|books| books.loss_capital().ok()).unwrap_or(0);
            if noted.state != CallState::Pending && (owed == 0 || has < owed) {
                continue;
            }
            let keys = TreatyKeys { cedant: view.keys.pool, reinsurer: treaty.reinsurer, treaty: noted.treaty };
            if self.frozen(&[treaty.cedant, treaty.reinsurer]) {
                self.wait(Kind::CallTreaty, incident.pool, noted.treaty, VAULT_FROZEN);
            } else {
                let call = ix::call_treaty(&keys, &view.keys, incident.crisis);
                self.push(Kind::CallTreaty, incident.pool, noted.treaty, call);
            }
        }
    }

    /// Whether funding an incident would bring its covers something worth a fee: what is due to them has grown or is
    /// final, its crisis is over, or there is at least the smallest amount for them, or all that they are due.
    fn is_worth_funding(&self, view: &ProductView, incident: &Incident, crisis: &Crisis) -> bool {
        let Some(mut books) = self.books(incident.pool) else { return false };
        let (mut incident, mut crisis, mut trigger) = (incident.clone(), crisis.clone(), view.trigger);
        trigger.refresh(self.chain.now);
        let (terms, now) = (&view.product.terms, self.chain.now);
        let Ok(funding) = incident.fund(&mut books, &mut crisis, terms, &trigger, now) else { return false };
        let enough = funding.giving.amount >= MIN_SMALLEST_AMOUNT || incident.reserve == incident.gross;
        funding.growth.is_some() || funding.closing.is_some() || (funding.giving.amount > 0 && enough)
    }

    fn covers(&mut self) {
        let chain = self.chain;
        for open in &chain.open_covers {
            let product = open.cover.product;
            let (Some(view), Some(incident)) = (chain.products.get(&product), chain.incidents.get(&product)) else {
                continue;
            };
            let Some(limit_left) = self.limit_left(&open.address, &open.cover) else {
                self.wait(Kind::SettleCover, incident.pool, open.address, LIEN_UNKNOWN);
                continue;
            };
            let Some(amount) = payable_to(incident, &open.cover, Party::Holder, limit_left) else { continue };
            match self.settlement(view, incident, open, amount) {
                Ok(work) => self.plan.due.push(work),
                Err(why) => self.wait_for(Kind::SettleCover, incident.pool, open.address, amount, why),
            }
        }
    }

    fn positions(&mut self) {
        let chain = self.chain;
        for open in &chain.open_positions {
            let product = open.position.product;
            let (Some(view), Some(incident)) = (chain.products.get(&product), chain.incidents.get(&product)) else {
                continue;
            };
            let Some(limit_left) = self.limit_left(&open.address, &open.position) else {
                self.wait(Kind::SettlePosition, incident.pool, open.address, LIEN_UNKNOWN);
                continue;
            };
            let Some(amount) = payable_to(incident, &open.position, Party::Holder, limit_left) else { continue };
            let blocked = match open.can_be_paid {
                _ if amount == 0 => None,
                _ if self.frozen(&[incident.pool]) => Some(VAULT_FROZEN),
                Some(true) => None,
                Some(false) => Some(BENEFICIARY),
                None => Some("nobody says whether its beneficiary can be paid"),
            };
            if let Some(why) = blocked {
                self.wait_for(Kind::SettlePosition, incident.pool, open.address, amount, why);
                continue;
            }
            let settle = ix::settle_position(&view.keys, open.address, open.position.beneficiary);
            let settle = shown(settle, &open.address, &open.position);
            let mut work = Work::new(Kind::SettlePosition, incident.pool, open.address, settle);
            work.holder = Some(open.position.beneficiary);
            work.product = Some(product);
            work.amount = Some(amount);
            self.plan.due.push(work);
        }
    }

    /// What is left of the limit of a policy's lien: 0 if there is none. `None`: there is one, and nobody says how it stands.
    fn limit_left(&self, address: &Pubkey, policy: &Policy) -> Option<u64> {
        match policy.has_lien {
            true => self.chain.liens.get(address).map(|open| open.lien.limit_left),
            false => Some(0),
        }
    }

    /// Whether the payee of a policy's lien is surely owed nothing.
    fn nothing_for_payee(&self, address: &Pubkey, policy: &Policy, incident: &Incident) -> bool {
        let nothing = |limit| payable_to(incident, policy, Party::Payee, limit).is_none();
        self.limit_left(address, policy).is_some_and(|limit| limit == 0 || nothing(limit))
    }

    fn liens(&mut self) {
        let chain = self.chain;
        for (address, open) in &chain.liens {
            let (product, lien) = (open.policy.product, &open.lien);
            let (Some(view), Some(incident)) = (chain.products.get(&product), chain.incidents.get(&product)) else {
                continue;
            };
            let amount = payable_to(incident, &open.policy, Party::Payee, lien.limit_left);
            let Some(amount) = amount.filter(|amount| *amount > 0) else { continue };
            let blocked = match open.can_be_paid {
                _ if self.frozen(&[incident.pool]) => Some(VAULT_FROZEN),
                Some(true) => None,
                Some(false) => Some(PAYEE),
                None => Some("nobody says whether the lien's payee can be paid"),
            };
            if let Some(why) = blocked {
                self.wait_for(Kind::SettleLien, incident.pool, *address, amount, why);
                continue;
            }
            let settle = ix::settle_lien(&view.keys, *address, lien.payee);
            let mut work = Work::new(Kind::SettleLien, incident.pool, *address, settle);
            work.holder = Some(lien.payee);
            work.product = Some(product);
            work.amount = Some(amount);
            self.plan.due.push(work);
        }
    }

    /// Whether everything that an incident has not paid yet is of covers that are surely burnt, or for which there is
    /// nothing. Closing it gives the rest away: so it takes proof, not silence.
    fn nothing_is_payable(&self, product: &Pubkey, incident: &Incident) -> bool {
        let burnt = |open: &&OpenCover| {
            let lost = open.held == Held::Burnt && self.nothing_for_payee(&open.address, &open.cover, incident);
            lost || incident.payout(&open.cover).is_err()
        };
        let covers = self.chain.open_covers.iter().filter(burnt).map(|open| &open.cover.policy);
        let nothing = |open: &&OpenPosition| incident.payout(&open.position).is_err();
        let positions = self.chain.open_positions.iter().filter(nothing).map(|open| &open.position.policy);
        let (mut sums, mut premiums) = (0_u64, 0_u64);
        for policy in covers.chain(positions).filter(|policy| policy.product == *product) {
            match policy.claim(incident.event_at) {
                // A reading without a loss owes nothing.
                Some(Claim::Loss) if incident.gross == 0 && policy.is_flat() => {}
                Some(Claim::Loss) => sums = sums.saturating_add(policy.sum_insured),
                Some(Claim::Refund) => premiums = premiums.saturating_add(policy.premium),
                None => {}
            }
        }
        (sums, premiums) == (incident.sums_left, incident.premiums_left)
    }

    fn settlement(
        &mut self,
        view: &ProductView,
        incident: &Incident,
        open: &OpenCover,
        amount: u64,
    ) -> Result<Work, &'static str> {
        let holder = match &open.held {
            Held::By(holder) => holder,
            Held::Burnt => return Err("its NFT is burnt"),
            Held::Unknown => return Err("nobody says who holds it"),
        };
        let keys = &view.keys;
        let settle = ix::settle_cover_from(keys, holder.owner, holder.nft, open.cover.mint());
        let settle = shown(settle, &open.address, &open.cover);
        let mut work = Work::new(Kind::SettleCover, incident.pool, open.address, settle);
        work.holder = Some(holder.owner);
        work.product = Some(keys.product);
        work.amount = Some(amount);
        if amount > 0 {
            let create = self.settings.create_accounts != CreateAccounts::Nobody;
            self.pay_to(&mut work, &keys.pool, &holder.owner, holder.destination, create)?;
        }
        Ok(work)
    }

    /// Makes sure that a payment can arrive, or says why not.
    fn pay_to(
        &mut self,
        work: &mut Work,
        keys: &PoolKeys,
        owner: &Pubkey,
        destination: Option<Destination>,
        create: bool,
    ) -> Result<(), &'static str> {
        if self.frozen(&[work.pool]) {
            return Err(VAULT_FROZEN);
        }
        match destination {
            Some(Destination::Ready) => Ok(()),
            Some(Destination::Missing) if create => {
                let (mint, program) = (&keys.asset_mint, &keys.asset_token_program);
                work.instructions.insert(0, ix::create_associated_token(self.payer, owner, mint, program));
                // Whoever is paid for several covers gets one account.
                if self.created.insert(keys.assets_of(owner)) {
                    work.creates = Some(TOKEN_ACCOUNT_BYTES);
                }
                Ok(())
            }
            Some(Destination::Missing) => Err(NO_ACCOUNT),
            Some(Destination::Frozen) => Err("its owner's account is frozen"),
            Some(Destination::HandedOn) => Err("its owner's associated account belongs to somebody else"),
            Some(Destination::Unusable) => Err("at its owner's address is no account of the asset"),
            Some(Destination::ProgramOwner) => Err("it belongs to a program's account, which must sign"),
            None => Err("nobody says whether its owner can be paid"),
        }
    }

    // ---- treaties ----

    fn treaties(&mut self) {
        let chain = self.chain;
        for (pool, view) in &chain.pools {
            let Some(books) = self.books(*pool) else { continue };
            for reinsurer in premium_is_due(&books, chain.now) {
                if self.frozen(&[*pool, reinsurer]) {
                    self.wait(Kind::SettleTreatyPremium, *pool, *pool, VAULT_FROZEN);
                    continue;
                }
                let settle = ix::settle_treaty_premium(&view.keys, reinsurer);
                self.push(Kind::SettleTreatyPremium, *pool, *pool, settle);
            }
        }
        for (key, treaty) in &chain.treaties {
            let (Some(cedant), Some(view)) = (self.books(treaty.cedant), chain.pools.get(&treaty.cedant)) else {
                continue;
            };
            let keys = TreatyKeys { cedant: view.keys, reinsurer: treaty.reinsurer, treaty: *key };
            if end_is_due(key, treaty, &cedant, chain.now) {
                self.push(Kind::EndTreaty, treaty.cedant, *key, ix::end_treaty(&keys, treaty.rent_payer));
            }
        }
    }

    // ---- exits ----

    fn exits(&mut self) {
        let chain = self.chain;
        for (pool, view) in &chain.pools {
            let day = view.books.oldest_exit_day;
            if day == 0 || day >= day_of(chain.now) {
                continue;
            }
            let (Some(epoch), Some(books)) = (chain.epochs.get(&(*pool, day)), self.books(*pool)) else { continue };
            let cedants = view.books.cedants();
            let inward = self.inward_risk(&view.books, &cedants);
            if worth_settling(epoch, books, &inward, chain.now) {
                let settle = ix::settle_reinsurance_epoch(*pool, day, &cedants);
                self.push(Kind::SettleExitEpoch, *pool, address::exit_epoch(pool, day), settle);
            }
        }
        if self.settings.claim_exits {
            self.claims();
        }
    }

    /// What can fall on a reinsurance pool of its cedants, which are in the order of its books.
    fn inward_risk(&self, books: &Pool, cedants: &[Pubkey]) -> InwardRisk {
        let mut risk = InwardRisk::default();
        for (treaty, cedant) in books.inward.iter().zip(cedants) {
            let known =
                self.chain.pools.get(cedant).is_some_and(|view| risk.add(treaty, &view.books, self.chain.now).is_ok());
            if !known {
                // One that cannot be found may owe anything.
                return InwardRisk { amount: u64::MAX, owes: false, level: AlertLevel::Due };
            }
        }
        risk
    }

    /// Tickets that can be closed, and those with a payment worth a fee.
    fn claims(&mut self) {
        let chain = self.chain;
        for view in &chain.tickets {
            let ticket = &view.ticket;
            let (Some(epoch), Some(pool)) =
                (chain.epochs.get(&(ticket.pool, ticket.epoch_day)), chain.pools.get(&ticket.pool))
            else {
                continue;
            };
            let Ok(amount) = epoch.clone().claim(&mut ticket.clone()) else { continue };
            let done = epoch.is_done_for(ticket, pool.books.tranche(ticket.tranche));
            if !done && amount < pool.books.terms.min_ticket {
                continue;
            }
            let mut work = Work::new(Kind::ClaimExit, ticket.pool, view.address, ix::claim_exit(&pool.keys, ticket));
            work.holder = Some(ticket.owner);
            work.amount = Some(amount);
            let create = self.settings.create_accounts == CreateAccounts::All;
            let payable = if amount == 0 {
                Ok(())
            } else {
                self.pay_to(&mut work, &pool.keys, &ticket.owner, view.destination, create)
            };
            match payable {
                Ok(()) => self.plan.due.push(work),
                Err(why) => self.wait_for(Kind::ClaimExit, ticket.pool, view.address, amount, why),
            }
        }
    }

    // ---- housekeeping ----

    /// Closes what anyone may close. The rent goes to whoever paid it.
    fn housekeeping(&mut self) {
        let chain = self.chain;
        for ((pool, day), epoch) in &chain.epochs {
            if epoch.may_close() {
                let close = ix::close_exit_epoch(*pool, *day, epoch.rent_payer);
                self.push(Kind::CloseExitEpoch, *pool, address::exit_epoch(pool, *day), close);
            }
        }
        for (key, cession) in &chain.cessions {
            if cession.is_void(chain.now) {
                self.push(
                    Kind::CloseCession,
                    cession.cedant,
                    *key,
                    ix::close_cession(cession.cedant, cession.rent_payer),
                );
            }
        }
        for burnt in &chain.burnt_covers {
            let cover = &burnt.cover;
            let Some(view) = chain.products.get(&cover.product) else { continue };
            if cover.require_open().is_err() || view.product.is_spent(cover) {
                let close = ix::close_cover(&view.keys, None, cover.mint(), cover.rent_payer);
                self.push(Kind::CloseCover, view.product.pool, burnt.address, close);
            }
        }
    }

    /// Lifts liens of which nothing is left: the holder is free then, and whoever paid the rent has it back.
    fn spent_liens(&mut self) {
        // A settlement that is planned shows the lien, and would be refused without it.
        let settled: BTreeSet<Pubkey> =
            self.plan.due.iter().filter(|work| work.kind.settles()).map(|work| work.subject).collect();
        let spent = self.chain.spent_liens.iter().filter(|lien| !settled.contains(&lien.policy));
        for lien in spent {
            let lift = ix::lift_lien(lien.pool, None, lien.policy, lien.rent_payer);
            self.plan.due.push(Work::new(Kind::LiftLien, lien.pool, address::lien(&lien.policy), lift));
        }
    }

    /// Once a day for each pool that earns: the day's first accrual.
    fn accruals(&mut self) {
        let accruing = |kind: Kind| !matches!(kind, Kind::Observe | Kind::Refresh | Kind::Confirm) && !kind.settles();
        let touched: BTreeSet<Pubkey> =
            self.plan.due.iter().filter(|work| accruing(work.kind)).map(|work| work.pool).collect();
        for (pool, view) in &self.chain.pools {
            let books = &view.books;
            // In an alert nothing is earned after its beginning.
            let turned = day_of(books.accrues_to(self.chain.now)) > day_of(books.accrued_at);
            let earns = books.unearned_premium > books.flat_premium;
            if turned && earns && !touched.contains(pool) {
                self.push(Kind::Accrue, *pool, *pool, ix::accrue(*pool));
            }
        }
    }
}

/// Has keys revoked that contradict themselves, if they are not yet.
pub fn accusations(chain: &Chain, contradictions: &[Contradiction], settings: &Settings) -> Vec<Work> {
    let accuse = |found: &Contradiction| {
        let [(one, first), (other, second)] = &found.signed;
        let mut set = *chain.attestors.get(&one.set)?;
        set.revoke(&found.key, chain.now).ok()?;
        // In the name of a pool that trusts it.
        let mut listening = chain.products.values().filter(|view| view.trigger.attestors == one.set);
        let pool = listening.find(|view| wanted(settings, view.product.pool))?.product.pool;
        let mut work = Work::new(Kind::ReportEquivocation, pool, found.key, ix::report_equivocation(one.set));
        let signed = [(one, first), (other, second)];
        let signed = signed.map(|(report, by)| ix::signed_report(&[(found.key, *by)], &report.to_bytes()));
        work.instructions.splice(0..0, signed);
        work.why = Some(format!("{} has signed two values of {}", found.key, one.observed_at));
        Some(work)
    };
    contradictions.iter().filter_map(accuse).collect()
}

/// The prints of a product's feed that are worth showing: the newest of them, then the others from old to new. They are
/// what [`choice::needed`] says, and while the product sells a new price once half its life is over.
fn worthy_prints<'p>(view: &ProductView, prints: &'p [Print], now: i64) -> Vec<&'p Print> {
    let (trigger, terms) = (&view.trigger, &view.trigger.terms);
    let mut evidence = trigger.evidence;
    evidence.refresh(terms, now);
    let feed = Feed::of(trigger);
    // A report of zero is none of a price.
    let of_feed = |print: &&Print| print.is_of(&feed) && print.is_due(now) && print.observation.price > 0;
    let mut candidates: Vec<&Print> = prints.iter().filter(of_feed).collect();
    candidates.sort_by_key(|print| print.observation.publish_time);
    candidates.dedup_by_key(|print| print.observation);
    let observations: Vec<Observation> = candidates.iter().map(|print| print.observation).collect();
    let state = view.product.state();
    let may_sell = matches!(state, ProductState::Selling | ProductState::Frozen);
    let boundary = terms.sale_boundary(view.product.terms.no_sale_buffer_bps).filter(|_| may_sell);
    let mut places: BTreeSet<usize> =
        choice::needed(terms, &evidence, &observations, boundary, now).into_iter().collect();
    let aged = |place: &usize| {
        let time = observations.get(*place).map_or(0, |print| print.publish_time);
        time.saturating_sub(evidence.last_publish_time) > i64::from(view.product.terms.max_price_age) / 2
    };
    if state == ProductState::Selling && evidence.phase() == Phase::Quiet {
        places.extend(observations.len().checked_sub(1).filter(aged));
    }
    let newest = places.pop_last();
    let taken = |print: &&Print| evidence.observe(terms, &print.observation, now).is_ok_and(|outcome| outcome.is_news);
    let worthy = newest.into_iter().chain(places).filter_map(|place| candidates.get(place).copied());
    worthy.filter(taken).take(PRINTS_A_PASS).collect()
}

/// What a print means for a product, for logs: `0.94000000 is a breach (below 0.95000000)`.
fn what_it_says(view: &ProductView, print: &Print) -> String {
    let terms = &view.trigger.terms;
    let price = price_text(print.observation.price);
    let (beyond, or_safer) = match terms.direction() {
        Direction::Below => ("below", "more"),
        Direction::Above => ("above", "less"),
    };
    match terms.classify(&print.observation) {
        Class::Breach => format!("{price} is a breach: {beyond} {}", price_text(terms.threshold)),
        Class::Above => format!("{price} is no breach: {} or {or_safer}", price_text(terms.threshold)),
        Class::Recovered => format!("{price} is a recovery: {} or {or_safer}", price_text(terms.recovery)),
        Class::Unclear => format!("{price} is too uncertain to be a breach or none; buyers need a new price"),
    }
}

/// A price in 1e-8 as people read it.
pub(super) fn price_text(price_e8: u64) -> String {
    format!("{}.{:08}", price_e8 / 100_000_000, price_e8 % 100_000_000)
}

/// Reinsurers to whom quota-share premium is worth handing over: about a day's worth at today's rate, or all of it once the
/// treaty is over. Nothing on chain says when it was last done, and nothing needs to.
fn premium_is_due(books: &Pool, now: i64) -> BTreeSet<Pubkey> {
    let earned_a_day = (u128::from(books.rate_q32) * 86_400) >> 32;
    let in_force = books.quota_shares.iter().zip(books.treaty_payable);
    let due = in_force.filter(|(treaty, payable)| {
        let kept_bps = 10_000_u128.saturating_sub(u128::from(treaty.commission_bps));
        let ceded_a_day = earned_a_day * u128::from(treaty.cession_bps) * kept_bps / 100_000_000;
        let enough = u128::from(MIN_SMALLEST_AMOUNT).max(ceded_a_day);
        *payable > 0 && (now >= treaty.end || u128::from(*payable) >= enough)
    });
    due.map(|(treaty, _)| treaty.reinsurer).collect()
}

/// Whether a treaty can be ended.
fn end_is_due(key: &Pubkey, treaty: &Treaty, cedant: &Pool, now: i64) -> bool {
    match treaty.state {
        TreatyState::Announced => now >= treaty.start(),
        TreatyState::Active => {
            let paid = cedant.payable_of(key) == 0;
            paid && cedant.limit_and_owed(key).is_some() && cedant.treaty_is_over(key, treaty, now)
        }
        TreatyState::Ended => false,
    }
}

/// Whether settling an epoch would be taken, and fills it or pays at least a hundredth of what is exiting: each
/// payment in parts rounds against those who leave.
fn worth_settling(epoch: &ExitEpoch, mut books: Pool, inward: &InwardRisk, now: i64) -> bool {
    let exiting: u64 = Tranche::BOTH.iter().map(|tranche| books.tranche(*tranche).exiting).sum();
    let mut epoch = epoch.clone();
    let Ok(payment) = books.settle_epoch(&mut epoch, inward, now) else { return false };
    let paid: u64 = payment.paid.iter().sum();
    epoch.is_filled() || paid >= exiting / 100
}

/// Whether a feed is one of the Pyth receiver, whose prints anyone may post.
pub fn can_be_posted(feed: &Feed) -> bool {
    match Source::from_byte(feed.source) {
        Some(Source::PythReceiver) => true,
        Some(
            Source::PythPush | Source::Attested | Source::StakePoolRate | Source::SplLendingRate | Source::VaultDrop,
        )
        | None => false,
    }
}
