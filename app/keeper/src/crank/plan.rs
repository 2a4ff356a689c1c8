//! What is due: a pure function of what was read.
//!
//! A rule is never written down twice: whether an instruction would be taken is asked of the program's own methods, on
//! copies of the accounts. What is added here is when it is *worth* a fee.

use crate::crank::chain::{Chain, Destination, Held, OpenCover, PoolView, ProductView};
use crate::crank::price::Print;
use crate::crank::work::{Item, Kind, Waiting, Work};
use anchor_lang::Space;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::constants::{MIN_SMALLEST_AMOUNT, TREATY_CALL_WINDOW};
use backstop::peril::AlertLevel;
use backstop::peril::evidence::{Class, Evidence, Phase, Severity, Terms};
use backstop::peril::feed::Source;
use backstop::state::{
    Claim, ExitEpoch, Incident, IncidentState, Pool, PoolKind, ProductState, Tranche, Treaty, TreatyKind, TreatyState,
    day_of,
};
use backstop_client::address;
use backstop_client::instruction::{self as ix, PoolKeys, TreatyKeys};
use std::collections::BTreeSet;

/// Why nothing moves while the asset's issuer has frozen a pool's token account.
const VAULT_FROZEN: &str = "a pool's vault is frozen";
/// Why a payment waits for its owner.
pub const NO_ACCOUNT: &str = "its owner has no account of the asset";
/// Why an incident stays open after its time.
const STILL_PAYABLE: &str = "its time is over, but covers could still be paid, or nobody says that they could not";
/// Most prints that one trigger is shown in a pass.
const PRINTS_A_PASS: usize = 24;
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
    /// The feed: a Pyth feed id, or for the push oracle the price account.
    pub feed: [u8; 32],
}

/// Feeds whose prints could matter now.
pub fn feeds(chain: &Chain, settings: &Settings) -> Vec<Feed> {
    let listening = |view: &&ProductView| watched(view) && view.trigger.phase() != Phase::Triggered;
    let products = chain.products.values().filter(|view| wanted(settings, view.product.pool)).filter(listening);
    let feeds = products.map(|view| Feed { source: view.trigger.source, feed: view.trigger.feed });
    feeds.collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn wanted(settings: &Settings, pool: Pubkey) -> bool {
    settings.pools.is_empty() || settings.pools.contains(&pool)
}

/// Whether anybody can lose or buy anything by the product's trigger.
pub(super) fn watched(view: &ProductView) -> bool {
    match view.product.state() {
        ProductState::Announced | ProductState::Over => false,
        ProductState::Selling => true,
        ProductState::Frozen | ProductState::RunOff => view.product.exposure > 0,
    }
}

/// Derives what is due.
///
/// `prints` are prices that could be shown; `failing` is work that was tried and refused lately: a treaty whose call
/// keeps failing is skipped once the program allows it.
pub fn plan(chain: &Chain, prints: &[Print], settings: &Settings, payer: &Pubkey, failing: &BTreeSet<Item>) -> Plan {
    let created = BTreeSet::new();
    let mut planner = Planner { chain, prints, settings, payer, failing, created, plan: Plan::default() };
    planner.triggers();
    planner.incidents();
    planner.covers();
    planner.treaties();
    planner.exits();
    planner.housekeeping();
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
    let (failing, created) = (BTreeSet::new(), BTreeSet::new());
    let mut planner = Planner { chain, prints, settings, payer, failing: &failing, created, plan: Plan::default() };
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
    failing: &'a BTreeSet<Item>,
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
            if phase == Phase::Triggered {
                if view.product.state() != ProductState::Over {
                    let mut work = Work::new(Kind::OpenIncident, pool, key, ix::open_incident(&view.keys, *self.payer));
                    work.product = Some(view.keys.product);
                    work.creates = Some(8 + Incident::INIT_SPACE);
                    self.plan.due.push(work);
                }
                continue;
            }
            if !watched(view) {
                continue;
            }
            let phase_now = trigger.evidence.phase_at(&trigger.terms, now);
            if phase_now == Phase::Triggered {
                self.push(Kind::Confirm, pool, key, ix::confirm(&view.keys));
                continue;
            }
            // A print that is shown brings the phase up to now too.
            let prints = worthy_prints(view, self.prints, now);
            if prints.is_empty() && phase_now != phase {
                self.push(Kind::Refresh, pool, key, ix::refresh(&view.keys));
            }
            for print in prints {
                let mut work = Work::new(Kind::Observe, pool, key, ix::observe(&view.keys, print.account));
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
            match incident.state {
                IncidentState::Open => self.call_next(view, incident),
                IncidentState::Waiting => {
                    let funds = |mut books: Pool| books.fund_incident(incident.round, incident.net, chain.now).is_ok();
                    // One a pass: each changes what the next finds.
                    if self.books(pool).is_some_and(funds) && fundable.insert(pool) {
                        self.push(Kind::FundIncident, pool, key, ix::fund_incident(&view.keys));
                    }
                }
                IncidentState::Funded if !incident.may_close(chain.now) => {}
                // Its time is over, and there are covers that could still be paid, or nobody knows.
                IncidentState::Funded if !self.nothing_is_payable(product, incident) => {
                    self.wait(Kind::CloseIncident, pool, key, STILL_PAYABLE);
                }
                IncidentState::Funded | IncidentState::Closed => {
                    self.push(Kind::CloseIncident, pool, key, ix::close_incident(&view.keys, incident.rent_payer));
                }
            }
        }
    }

    /// Calls the next treaty of an incident, for as long as it is open; skips it only if calling fails and the window
    /// for it is over: what a call brings goes to the covers, what is collected later to the surplus.
    fn call_next(&mut self, view: &ProductView, incident: &Incident) {
        let Some(noted) = incident.treaties.get(usize::from(incident.cursor)) else { return };
        let Some(treaty) = self.chain.treaties.get(&noted.treaty) else { return };
        let keys = TreatyKeys { cedant: view.keys.pool, reinsurer: treaty.reinsurer, treaty: noted.treaty };
        let key = view.keys.incident();
        let window_over = self.chain.now >= incident.opened_at.saturating_add(TREATY_CALL_WINDOW);
        let frozen = self.frozen(&[treaty.cedant, treaty.reinsurer]);
        if frozen && !window_over {
            self.wait(Kind::CallTreaty, incident.pool, key, VAULT_FROZEN);
        } else if window_over && (frozen || self.failing.contains(&(Kind::CallTreaty, key))) {
            self.push(Kind::SkipTreaty, incident.pool, key, ix::skip_treaty(&keys, &view.keys));
        } else {
            self.push(Kind::CallTreaty, incident.pool, key, ix::call_treaty(&keys, &view.keys));
        }
    }

    fn covers(&mut self) {
        let chain = self.chain;
        for open in &chain.open_covers {
            let product = open.cover.product;
            let (Some(view), Some(incident)) = (chain.products.get(&product), chain.incidents.get(&product)) else {
                continue;
            };
            let amount = incident.payout(&open.cover).ok().and_then(|payout| payout.total()).unwrap_or(0);
            match self.settlement(view, incident, open, amount) {
                Ok(work) => self.plan.due.push(work),
                Err(why) => self.wait_for(Kind::SettleCover, incident.pool, open.address, amount, why),
            }
        }
    }

    /// Whether everything that an incident has not paid yet is of covers that are surely burnt. Closing it gives the
    /// rest away: so it takes proof, not silence.
    fn nothing_is_payable(&self, product: &Pubkey, incident: &Incident) -> bool {
        let burnt = self.chain.open_covers.iter().filter(|open| open.cover.product == *product);
        let burnt = burnt.filter(|open| open.held == Held::Burnt);
        let (mut sums, mut premiums) = (0_u64, 0_u64);
        for open in burnt {
            match open.cover.claim(incident.event_at) {
                Some(Claim::Loss) => sums = sums.saturating_add(open.cover.sum_insured),
                Some(Claim::Refund) => premiums = premiums.saturating_add(open.cover.premium),
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
        let settle = ix::settle_cover_from(keys, holder.owner, holder.nft, open.cover.mint);
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
            if let Some(books) = self.books(*pool)
                && premium_is_due(&books, chain.now)
            {
                if self.frozen(&[*pool, books.quota_share.reinsurer]) {
                    self.wait(Kind::SettleTreatyPremium, *pool, *pool, VAULT_FROZEN);
                    continue;
                }
                let settle = ix::settle_treaty_premium(&view.keys, books.quota_share.reinsurer);
                self.push(Kind::SettleTreatyPremium, *pool, *pool, settle);
            }
        }
        for (key, treaty) in &chain.treaties {
            let (Some(cedant), Some(view)) = (self.books(treaty.cedant), chain.pools.get(&treaty.cedant)) else {
                continue;
            };
            let keys = TreatyKeys { cedant: view.keys, reinsurer: treaty.reinsurer, treaty: *key };
            if self.collection_is_due(treaty, &cedant) {
                if self.frozen(&[treaty.cedant, treaty.reinsurer]) {
                    self.wait(Kind::CollectTreaty, treaty.cedant, *key, VAULT_FROZEN);
                    continue;
                }
                self.push(Kind::CollectTreaty, treaty.cedant, *key, ix::collect_treaty(&keys));
            } else if end_is_due(key, treaty, &cedant, chain.now) {
                self.push(Kind::EndTreaty, treaty.cedant, *key, ix::end_treaty(&keys, treaty.rent_payer));
            }
        }
    }

    /// Collecting ends the debt, whatever the reinsurer has: so it waits until the reinsurer can pay in full, or until
    /// nothing but the debt keeps the treaty open.
    fn collection_is_due(&self, treaty: &Treaty, cedant: &Pool) -> bool {
        let in_full = || {
            let capital = self.books(treaty.reinsurer).and_then(|books| books.loss_capital().ok());
            capital.is_some_and(|capital| capital >= treaty.uncollected)
        };
        let last = || cedant.treaty_is_over(&Treaty { uncollected: 0, ..treaty.clone() }, self.chain.now);
        treaty.uncollected > 0 && (in_full() || last())
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
            let (cedants, alert) = self.cedants(view);
            if worth_settling(epoch, books, alert, chain.now) {
                let settle = ix::settle_reinsurance_epoch(*pool, day, &cedants);
                self.push(Kind::SettleExitEpoch, *pool, address::exit_epoch(pool, day), settle);
            }
        }
        if self.settings.claim_exits {
            self.claims();
        }
    }

    /// A reinsurance pool's cedants in the order of its books, and how deep the worst alert among them is.
    fn cedants(&self, view: &PoolView) -> (Vec<Pubkey>, AlertLevel) {
        if view.books.kind() != PoolKind::Reinsurance {
            return (Vec::new(), AlertLevel::None);
        }
        let inward = view.books.inward.iter().filter(|inward| inward.treaty != Pubkey::default());
        let cedants: Vec<Pubkey> = inward.map(|inward| inward.cedant).collect();
        // A cedant that cannot be found may be in any alert.
        let alert = |cedant: &Pubkey| self.chain.pools.get(cedant).map_or(AlertLevel::Due, |view| view.books.alert());
        let worst = cedants.iter().map(alert).max().unwrap_or(AlertLevel::None);
        (cedants, worst)
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
            if cover.require_active().is_err() || view.product.is_spent(cover) {
                let close = ix::close_cover(&view.keys, None, cover.mint, cover.rent_payer);
                self.push(Kind::CloseCover, view.product.pool, burnt.address, close);
            }
        }
    }

    /// Once a day for each pool that earns: the day's first accrual.
    fn accruals(&mut self) {
        let accruing = |kind: Kind| !matches!(kind, Kind::Observe | Kind::Refresh | Kind::Confirm | Kind::SettleCover);
        let touched: BTreeSet<Pubkey> =
            self.plan.due.iter().filter(|work| accruing(work.kind)).map(|work| work.pool).collect();
        for (pool, view) in &self.chain.pools {
            let books = &view.books;
            // In an alert nothing is earned after its beginning.
            let turned = day_of(books.accrues_to(self.chain.now)) > day_of(books.accrued_at);
            let earns = books.unearned_premium > 0 || books.second_stream.amount > 0;
            if turned && earns && !touched.contains(pool) {
                self.push(Kind::Accrue, *pool, *pool, ix::accrue(*pool));
            }
        }
    }
}

/// The prints of a product's feed that are worth showing: the newest of them, then the others from old to new, each as
/// it would stand after those before it.
fn worthy_prints<'p>(view: &ProductView, prints: &'p [Print], now: i64) -> Vec<&'p Print> {
    let trigger = &view.trigger;
    let mut evidence = trigger.evidence;
    evidence.refresh(&trigger.terms, now);
    let of_feed = |print: &&Print| print.feed == trigger.feed && print.source == trigger.source && print.is_due(now);
    let mut candidates: Vec<&Print> = prints.iter().filter(of_feed).collect();
    candidates.sort_by_key(|print| print.observation.publish_time);
    let newest = candidates.iter().rposition(|print| worth_showing(view, &evidence, print, now));
    let Some(newest) = newest.map(|index| candidates.remove(index)) else { return Vec::new() };
    let mut worthy = vec![newest];
    // What was shown is known now; who is refused changes nothing.
    let _ = evidence.observe(&trigger.terms, &newest.observation, now);
    for print in candidates {
        if worthy.len() == PRINTS_A_PASS || evidence.phase() == Phase::Triggered {
            break;
        }
        if worth_showing(view, &evidence, print, now) {
            let _ = evidence.observe(&trigger.terms, &print.observation, now);
            worthy.push(print);
        }
    }
    worthy
}

/// Whether a print says something that the evidence does not know yet: a breach or a recovery in a slot without one, a
/// phase, a price that moves the severity, or, while the product sells, that the last print is getting old.
fn worth_showing(view: &ProductView, before: &Evidence, print: &Print, now: i64) -> bool {
    let terms = &view.trigger.terms;
    let mut after = *before;
    let Ok(outcome) = after.observe(terms, &print.observation, now) else { return false };
    if !outcome.changed {
        return false;
    }
    let news = before.breached != after.breached || before.recovered != after.recovered;
    let aged = print.observation.publish_time.saturating_sub(before.last_publish_time);
    let for_buyers =
        view.product.state() == ProductState::Selling && aged > i64::from(view.product.terms.max_price_age) / 2;
    news || before.phase() != after.phase() || for_buyers || moves_severity(terms, before, &after, print)
}

/// What a print means for a product, for logs: `0.94000000 is a breach (below 0.95000000)`.
fn what_it_says(view: &ProductView, print: &Print) -> String {
    let terms = &view.trigger.terms;
    let price = price_text(print.observation.price);
    match terms.classify(&print.observation) {
        Class::Breach => format!("{price} is a breach: below {}", price_text(terms.threshold)),
        Class::Recovered => format!("{price} is a recovery: {} or more", price_text(terms.recovery)),
        Class::Unclear => format!("{price} is neither a breach nor a recovery; buyers need a new price"),
    }
}

/// A price in 1e-8 as people read it.
pub(super) fn price_text(price_e8: u64) -> String {
    format!("{}.{:08}", price_e8 / 100_000_000, price_e8 % 100_000_000)
}

/// Whether a higher breach price in a slot that already has one is higher by a hundredth of the price range that the
/// severity is linear over.
fn moves_severity(terms: &Terms, before: &Evidence, after: &Evidence, print: &Print) -> bool {
    let full_loss_price = match terms.payout() {
        Severity::Binary => return false,
        Severity::Linear { full_loss_price } => full_loss_price,
    };
    let Some(slot) = terms.slot_of(print.observation.publish_time) else { return false };
    let index = (slot % before.prices.len() as u64) as usize;
    let gained = after.prices[index].saturating_sub(before.prices[index]);
    gained > 0 && gained >= terms.threshold.saturating_sub(full_loss_price) / 100
}

/// Whether quota-share premium is worth handing over: about a day's worth at today's rate, or all of it once the
/// treaty is over. Nothing on chain says when it was last done, and nothing needs to.
fn premium_is_due(books: &Pool, now: i64) -> bool {
    let treaty = &books.quota_share;
    if books.treaty_payable == 0 || treaty.reinsurer == Pubkey::default() {
        return false;
    }
    let earned_a_day = (u128::from(books.rate_q32) * 86_400) >> 32;
    let kept_bps = 10_000_u128.saturating_sub(u128::from(treaty.commission_bps));
    let ceded_a_day = earned_a_day * u128::from(treaty.cession_bps) * kept_bps / 100_000_000;
    let enough = u128::from(MIN_SMALLEST_AMOUNT).max(ceded_a_day);
    now >= treaty.end || u128::from(books.treaty_payable) >= enough
}

/// Whether a treaty can be ended.
fn end_is_due(key: &Pubkey, treaty: &Treaty, cedant: &Pool, now: i64) -> bool {
    match treaty.state {
        TreatyState::Announced => now >= treaty.start(),
        TreatyState::Active => {
            let paid = !matches!(treaty.kind, TreatyKind::QuotaShare { .. }) || cedant.treaty_payable == 0;
            let in_force = cedant.quota_share.treaty == *key || cedant.layers.iter().any(|layer| layer.treaty == *key);
            paid && in_force && cedant.treaty_is_over(treaty, now)
        }
        TreatyState::Ended => false,
    }
}

/// Whether settling an epoch would be taken, and fills it or pays at least a hundredth of what is exiting: each
/// payment in parts rounds against those who leave.
fn worth_settling(epoch: &ExitEpoch, mut books: Pool, cedants: AlertLevel, now: i64) -> bool {
    let exiting: u64 = Tranche::BOTH.iter().map(|tranche| books.tranche(*tranche).exiting).sum();
    let mut epoch = epoch.clone();
    let Ok(payment) = books.settle_epoch(&mut epoch, cedants, now) else { return false };
    let paid: u64 = payment.paid.iter().sum();
    epoch.is_filled() || paid >= exiting / 100
}

/// Whether a feed is one of the Pyth receiver, whose prints anyone may post.
pub fn can_be_posted(feed: &Feed) -> bool {
    match Source::from_byte(feed.source) {
        Some(Source::PythReceiver) => true,
        Some(Source::PythPush) | None => false,
    }
}
