//! Plans against the chain.

use super::Plan;
use super::plan::{PoolName, PoolPlan, ProductPlan, ProtocolPlan, ReadingPlan, TreatyPlan};
use crate::account::{self, AccountError};
use crate::address;
use crate::cluster::Cluster;
use crate::deployment::Deployment;
use crate::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys, TreatyKeys};
use crate::view::product::{link_problem, reading_sentence};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::border::text::{date_text, hex_text};
use backstop::error::BackstopError;
use backstop::peril::evidence::Terms;
use backstop::peril::reading::{Reading, ReadingInput};
use backstop::peril::two_keys::Reach;
use backstop::state::{
    Access, Live, Pool, PoolKind, PoolTerms, Product, ProductState, ProductTerms, Protocol, Treaty, TreatyState,
    TreatyTerms, Trigger, day_of, get_text,
};
use backstop::{CreatePoolArgs, CreateProductArgs};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Byte of a mint that holds its decimals, in both token programs.
const MINT_DECIMALS: usize = 44;

/// How something that a plan states stands on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is not there, and will be made.
    Create,
    /// It is there as planned.
    Unchanged,
    /// It is there, differs, and will be changed.
    Change,
    /// It is on its way, and something else must happen first.
    Waits,
    /// It is there, differs, and cannot be changed; or cannot be made.
    Conflict,
}

/// A thing in which chain and plan differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// What.
    pub name: String,
    /// As it is.
    pub chain: String,
    /// As it is planned.
    pub plan: String,
}

/// One transaction that brings the chain nearer to the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it does, as an imperative.
    pub what: String,
    /// Who must sign.
    #[serde(serialize_with = "as_text")]
    pub signer: Pubkey,
    /// What it is.
    #[serde(skip)]
    pub instruction: Instruction,
}

/// Something that a plan states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The plan's file.
    pub plan: String,
    /// What it is: `pool USDC 0`.
    pub what: String,
    /// Where it is, or will be.
    #[serde(serialize_with = "as_text")]
    pub address: Pubkey,
    /// How it stands.
    pub standing: Standing,
    /// Where it differs.
    pub fields: Vec<Field>,
    /// Why it conflicts or waits, and what else there is to say, in full sentences.
    pub notes: Vec<String>,
    /// What is to be done, in this order.
    pub steps: Vec<Step>,
}

fn as_text<S: serde::Serializer>(key: &Pubkey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// Compares plans with the chain, in their order: what one makes, a later one may use. `payer` will pay the rent.
///
/// Errors: an account cannot be read.
pub fn difference(cluster: &dyn Cluster, plans: &[Plan], payer: Pubkey) -> Result<Vec<Item>, AccountError> {
    let protocol = account::find::<Protocol>(cluster, &address::protocol())?;
    let now = cluster.now()?;
    let governance = protocol.as_ref().map(|protocol| protocol.governance);
    let mut chain = Chain { cluster, now, payer, governance, pools: BTreeMap::new() };
    let mut items = Vec::new();
    for plan in plans {
        let of_plan = |mut item: Item| {
            item.plan.clone_from(&plan.file);
            item
        };
        if let Some(roles) = &plan.protocol {
            items.push(of_plan(chain.protocol(protocol.as_ref(), roles)?));
        }
        for pool in &plan.pools {
            items.push(of_plan(chain.pool(pool)?));
        }
        for product in &plan.products {
            items.push(of_plan(chain.product(product)?));
        }
        for reading in &plan.readings {
            items.push(of_plan(chain.reading(reading)?));
        }
        for treaty in &plan.treaties {
            items.push(of_plan(chain.treaty(treaty)?));
        }
    }
    Ok(items)
}

/// The chain, and what the plans so far will make of it.
struct Chain<'a> {
    cluster: &'a dyn Cluster,
    now: i64,
    payer: Pubkey,
    governance: Option<Pubkey>,
    pools: BTreeMap<PoolName, Known>,
}

/// A pool that is there or will be.
#[derive(Clone)]
struct Known {
    keys: PoolKeys,
    decimals: u8,
    kind: PoolKind,
    cooldown_seconds: u32,
    /// As it is stored, if it is there.
    stored: Option<Box<Pool>>,
    /// Ids of products that plans so far make.
    planned: BTreeSet<u16>,
    /// Id of the next treaty.
    next_treaty: u16,
}

impl Item {
    fn new(what: String, address: Pubkey) -> Self {
        let (plan, standing) = (String::new(), Standing::Unchanged);
        Self { plan, what, address, standing, fields: Vec::new(), notes: Vec::new(), steps: Vec::new() }
    }

    /// A conflict stays one, and does nothing.
    fn conflict(mut self, why: impl Into<String>) -> Self {
        self.standing = Standing::Conflict;
        self.notes.push(why.into());
        self.steps.clear();
        self
    }

    fn waits(mut self, why: impl Into<String>) -> Self {
        self.standing = Standing::Waits;
        self.notes.push(why.into());
        self
    }

    fn step(mut self, standing: Standing, what: &str, signer: Pubkey, instruction: Instruction) -> Self {
        self.standing = standing;
        let what = format!("{what} {}", self.what);
        self.steps.push(Step { what, signer, instruction });
        self
    }
}

impl Chain<'_> {
    fn protocol(&mut self, stored: Option<&Protocol>, plan: &ProtocolPlan) -> Result<Item, AccountError> {
        let roles = plan.roles(self.cluster.genesis_hash()?.to_bytes());
        let item = Item::new("the protocol".into(), address::protocol());
        let Some(stored) = stored else {
            self.governance = Some(roles.governance);
            let deployed = Deployment::read(self.cluster)?;
            let Some(authority) = deployed.and_then(|deployed| deployed.upgrade_authority) else {
                return Ok(item.conflict("The program has no upgrade authority, and only that can initialise it."));
            };
            let initialize = ix::initialize(authority, self.payer, roles);
            return Ok(item.step(Standing::Create, "Initialise", authority, initialize));
        };
        let mut item = item;
        for (name, chain, plan) in [
            ("governance", stored.governance, roles.governance),
            ("guardian", stored.guardian, roles.guardian),
            ("risk_keeper", stored.risk_keeper, roles.risk_keeper),
        ] {
            if chain != plan {
                item.fields.push(Field { name: name.into(), chain: chain.to_string(), plan: plan.to_string() });
            }
        }
        if (stored.guardian, stored.risk_keeper) != (roles.guardian, roles.risk_keeper) {
            let set = ix::set_roles(stored.governance, roles.guardian, roles.risk_keeper);
            item = item.step(Standing::Change, "Appoint guardian and risk keeper of", stored.governance, set);
        }
        if stored.governance != roles.governance {
            if stored.pending_governance == roles.governance {
                let why = format!("{} must accept governance: `backstop protocol accept`.", roles.governance);
                item = if item.steps.is_empty() { item.waits(why) } else { item };
            } else {
                let propose = ix::propose_governance(stored.governance, roles.governance);
                item = item.step(Standing::Change, "Propose another governance of", stored.governance, propose);
                item.notes.push("The proposed governance must then accept: `backstop protocol accept`.".into());
            }
        }
        Ok(item)
    }

    /// A pool that is there, or that a plan before this one makes.
    fn known(&mut self, name: PoolName) -> Result<Option<&mut Known>, AccountError> {
        if !self.pools.contains_key(&name) {
            let address = address::pool(&name.asset, name.id);
            if let Some(stored) = account::find::<Pool>(self.cluster, &address)? {
                let mint = self.cluster.account(&name.asset)?;
                let program = mint.map_or(anchor_spl::token::ID, |mint| mint.owner);
                let known = Known {
                    keys: PoolKeys::of(address, &stored, program),
                    decimals: stored.asset_decimals,
                    kind: stored.kind(),
                    cooldown_seconds: stored.terms.cooldown_seconds,
                    planned: BTreeSet::new(),
                    next_treaty: stored.treaties,
                    stored: Some(Box::new(stored)),
                };
                self.pools.insert(name, known);
            }
        }
        Ok(self.pools.get_mut(&name))
    }

    fn pool(&mut self, plan: &PoolPlan) -> Result<Item, AccountError> {
        let name = plan.pool;
        let address = address::pool(&name.asset, name.id);
        let item = Item::new(format!("pool {}, {}/{}", plan.label(), name.asset, name.id), address);
        let mint = self.cluster.account(&name.asset)?;
        let decimals = mint.as_ref().and_then(|mint| mint.data.get(MINT_DECIMALS).copied());
        let (Some(mint), Some(decimals)) = (mint, decimals) else {
            return Ok(item.conflict(format!("There is no mint at {}.", name.asset)));
        };
        let args = match plan.args(decimals) {
            Ok(args) => args,
            Err(why) => return Ok(item.conflict(why + ".")),
        };
        if let Some(known) = self.known(name)? {
            let Some(stored) = &known.stored else {
                return Ok(item.conflict("Another plan makes the same pool."));
            };
            let item = Item { fields: differing(&FixedPool::of(&args), &FixedPool::stored(stored)), ..item };
            return Ok(fixed(item, "The terms of a pool never change: other terms are another pool."));
        }
        if args.terms.validate(decimals).is_err() {
            return Ok(item.conflict("The program takes no such terms: one of them is outside its bounds."));
        }
        if args.terms.require_end_fits(args.kind, self.now).is_err() {
            return Ok(item.conflict(format!("The program takes no such end: {}.", BackstopError::BadVintage)));
        }
        let Some(governance) = self.governance else { return Ok(no_protocol(item)) };
        let keys = PoolKeys::derive(name.asset, mint.owner, name.id);
        let known = Known {
            keys,
            decimals,
            kind: args.kind,
            cooldown_seconds: args.terms.cooldown_seconds,
            stored: None,
            planned: BTreeSet::new(),
            next_treaty: 0,
        };
        self.pools.insert(name, known);
        let create = ix::create_pool(governance, self.payer, &keys, args);
        Ok(item.step(Standing::Create, "Create", governance, create))
    }

    fn product(&mut self, plan: &ProductPlan) -> Result<Item, AccountError> {
        let address = address::product(&address::pool(&plan.pool.asset, plan.pool.id), plan.id);
        let item =
            Item::new(format!("product {}, {}/{}/{}", plan.name, plan.pool.asset, plan.pool.id, plan.id), address);
        let (cluster, payer, governance) = (self.cluster, self.payer, self.governance);
        let Some(known) = self.known(plan.pool)? else { return Ok(item.conflict(NO_POOL)) };
        let product = match plan.product(known.decimals) {
            Ok(product) => product,
            Err(why) => return Ok(item.conflict(why + ".")),
        };
        let Ok(condition) = Terms::new(&product.condition) else {
            return Ok(item.conflict("The program takes no such condition: a part of it is outside its bounds."));
        };
        let reach = Reach::of(product.source, &condition);
        let terms = &product.terms;
        let fit = terms
            .validate()
            .and_then(|()| terms.require_room_beside(reach.days))
            .and_then(|()| terms.require_deductible_below(Some(condition.payout())));
        if fit.is_err() {
            return Ok(item.conflict("The program takes no such price or limits: one is outside its bounds."));
        }
        let keys = ProductKeys { pool: known.keys, product: address };
        let Some(governance) = governance else { return Ok(no_protocol(item)) };
        let cooldown_fits = u64::from(known.cooldown_seconds) >= reach.least_cooldown_seconds();
        let set_condition = product.set_condition(governance, payer, &keys);
        if let Some(stored) = account::find::<Product>(cluster, &address)? {
            let trigger = match stored.has_condition() {
                true => Some(account::trigger_of(cluster, address, &stored)?),
                false => None,
            };
            let planned = FixedProduct::of(&product, condition);
            let live = match trigger.as_ref().is_some_and(Trigger::has_two_keys) {
                true => account::find::<Live>(cluster, &address::live(&address))?,
                false => None,
            };
            let found = FixedProduct::stored(&stored, trigger.as_ref(), live.as_ref(), &planned);
            let item = Item { fields: differing(&planned, &found), ..item };
            let item = fixed(item, "A product never changes but for its state: another risk is another product.");
            if stored.state() != ProductState::Announced || item.standing == Standing::Conflict {
                return Ok(product_state(item, &stored, plan.state(), governance));
            }
            if plan.state() == ProductState::RunOff {
                return Ok(product_state(item, &stored, plan.state(), governance));
            }
            if !cooldown_fits {
                return Ok(item.conflict(SHORT_COOLDOWN));
            }
            let item = item.step(Standing::Change, "Set the condition of", governance, set_condition);
            return Ok(state_step(item, Standing::Change, plan.state(), governance, keys));
        }
        if !known.planned.insert(plan.id) {
            return Ok(item.conflict("Another plan makes the same product."));
        }
        if known.kind != PoolKind::Cover {
            return Ok(item.conflict("A reinsurance pool has no products."));
        }
        if !cooldown_fits {
            return Ok(item.conflict(SHORT_COOLDOWN));
        }
        let problem = link_problem(&product.uri);
        let create = ix::create_product(governance, payer, &keys, product.announcement(plan.id));
        let mut item = item.step(Standing::Create, "Announce", governance, create).step(
            Standing::Create,
            "Set the condition of",
            governance,
            set_condition,
        );
        item.notes.extend(problem);
        item.notes.push("Its link must lead to a JSON file for wallets: migrations/URI.md tells which.".into());
        Ok(state_step(item, Standing::Create, plan.state(), governance, keys))
    }

    fn reading(&mut self, plan: &ReadingPlan) -> Result<Item, AccountError> {
        let address = address::product(&address::pool(&plan.pool.asset, plan.pool.id), plan.id);
        let item =
            Item::new(format!("reading {}, {}/{}/{}", plan.name, plan.pool.asset, plan.pool.id, plan.id), address);
        let (cluster, payer, governance, now) = (self.cluster, self.payer, self.governance, self.now);
        let Some(known) = self.known(plan.pool)? else { return Ok(item.conflict(NO_POOL)) };
        let announcement = match plan.announcement(known.decimals) {
            Ok(announcement) => announcement,
            Err(why) => return Ok(item.conflict(why + ".")),
        };
        if announcement.terms.validate().is_err() {
            return Ok(item.conflict("The program takes no such price or limits: one is outside its bounds."));
        }
        let keys = ProductKeys { pool: known.keys, product: address };
        let Some(governance) = governance else { return Ok(no_protocol(item)) };
        let set = ix::set_reading(governance, payer, &keys, plan.attestors.0, plan.condition());
        let planned = FixedReading::of(plan, &announcement);
        if let Some(stored) = account::find::<Product>(cluster, &address)? {
            let trigger = match stored.has_condition() {
                true => Some(account::trigger_of(cluster, address, &stored)?),
                false => None,
            };
            let found = FixedReading::stored(&stored, trigger.as_ref(), &planned);
            let item = Item { fields: differing(&planned, &found), ..item };
            let item = fixed(item, "A reading never changes: another period is another product.");
            if stored.state() != ProductState::Announced || item.standing == Standing::Conflict {
                return Ok(item);
            }
            return Ok(item.step(Standing::Change, "Set the reading of", governance, set));
        }
        if !known.planned.insert(plan.id) {
            return Ok(item.conflict("Another plan makes the same product."));
        }
        let Ok(reading) = Reading::new(&plan.reading(), day_of(now)) else {
            return Ok(item.conflict(format!("The program takes no such condition: {}.", BackstopError::BadReading)));
        };
        let create = ix::create_product(governance, payer, &keys, announcement);
        let mut item = item.step(Standing::Create, "Announce", governance, create).step(
            Standing::Create,
            "Set the reading of",
            governance,
            set,
        );
        item.notes.push(reading_sentence(&reading, &plan.attestors.0));
        item.notes.extend(link_problem(&plan.uri));
        item.notes.push("Its link must lead to a JSON file for wallets: migrations/URI.md tells which.".into());
        Ok(item)
    }

    fn treaty(&mut self, plan: &TreatyPlan) -> Result<Item, AccountError> {
        let address = address::treaty(&address::pool(&plan.cedant.asset, plan.cedant.id), plan.id);
        let item =
            Item::new(format!("{}, {}/{}/{}", plan.title(), plan.cedant.asset, plan.cedant.id, plan.id), address);
        let (cluster, payer, governance, now) = (self.cluster, self.payer, self.governance, self.now);
        let Some(reinsurer) = self.known(plan.reinsurer)?.cloned() else { return Ok(item.conflict(NO_POOL)) };
        let Some(cedant) = self.known(plan.cedant)? else { return Ok(item.conflict(NO_POOL)) };
        let terms = match plan.terms(cedant.decimals) {
            Ok(terms) => terms,
            Err(why) => return Ok(item.conflict(why + ".")),
        };
        let keys = TreatyKeys { cedant: cedant.keys, reinsurer: reinsurer.keys.pool, treaty: address };
        let Some(governance) = governance else { return Ok(no_protocol(item)) };
        if plan.id < cedant.next_treaty {
            let Some(stored) = account::find::<Treaty>(cluster, &address)? else {
                let mut item = item;
                item.notes.push("The treaty has ended.".into());
                return Ok(item);
            };
            let planned = FixedTreaty { reinsurer: reinsurer.keys.pool, terms };
            let item = Item { fields: differing(&planned, &FixedTreaty::stored(&stored, terms.end_day)), ..item };
            let item = fixed(item, "The terms of a treaty never change: other terms are another treaty.");
            if item.standing == Standing::Conflict || !plan.accepted || stored.state != TreatyState::Announced {
                return Ok(item);
            }
            let (Some(cedant), Some(reinsurer)) = (&cedant.stored, &reinsurer.stored) else { return Ok(item) };
            return Ok(match may_be_accepted(cedant, reinsurer, &address, &stored, now) {
                Ok(()) => item.step(Standing::Change, "Accept", governance, ix::accept_treaty(governance, &keys)),
                Err(_) if now >= stored.start() => {
                    item.conflict("It was not accepted before its term began: announce another treaty.")
                }
                Err(why) => item.waits(format!("It cannot be accepted yet: {why}.")),
            });
        }
        if plan.id > cedant.next_treaty {
            return Ok(
                item.conflict(format!("Treaties are numbered in order: the next one is {}.", cedant.next_treaty))
            );
        }
        if cedant.kind != PoolKind::Cover || reinsurer.kind != PoolKind::Reinsurance {
            return Ok(item.conflict("A treaty is between a cover pool and a reinsurance pool."));
        }
        if cedant.keys.asset_mint != reinsurer.keys.asset_mint {
            return Ok(item.conflict("A treaty is between pools of one asset."));
        }
        if terms.validate().is_err() {
            return Ok(item.conflict("The program takes no such terms: one of them is outside its bounds."));
        }
        let notice = |pool: &Known| pool.stored.as_ref().map_or(now, |pool| pool.notice_ends_at(now));
        let notice_day = day_of(notice(cedant).max(notice(&reinsurer)));
        if terms.start_day <= notice_day {
            let earliest = date_text(notice_day + 1);
            return Ok(
                item.conflict(format!("Its notice ends too late: announced now, it begins on {earliest} at best."))
            );
        }
        cedant.next_treaty += 1;
        let create = ix::create_treaty(governance, payer, &keys, terms);
        let mut item = item.step(Standing::Create, "Announce", governance, create);
        if plan.accepted {
            let why = "It is accepted by running the migration again, once its notice is over.";
            item.notes.push(why.into());
        }
        Ok(item)
    }
}

const SHORT_COOLDOWN: &str = "The pool's cooldown is shorter than the condition takes, and a day.";
const NO_POOL: &str = "Its pool is not there, and no plan before makes it.";

fn no_protocol(item: Item) -> Item {
    item.conflict("The protocol is not initialised, and no plan before does it.")
}

/// A conflict, if anything differs that never changes.
fn fixed(item: Item, why: &str) -> Item {
    if item.fields.is_empty() { item } else { item.conflict(why) }
}

/// Brings a product that has just got its condition, and so sells, into its state.
fn state_step(item: Item, standing: Standing, planned: ProductState, governance: Pubkey, keys: ProductKeys) -> Item {
    if planned == ProductState::Selling {
        return item;
    }
    let set = ix::set_product_state(governance, keys.pool.pool, keys.product, planned);
    item.step(standing, "Set the state of", governance, set)
}

/// Brings a product that is there into its state, if that can be.
fn product_state(item: Item, stored: &Product, planned: ProductState, governance: Pubkey) -> Item {
    if item.standing == Standing::Conflict || stored.state() == planned {
        return item;
    }
    let mut item = item;
    if stored.state() == ProductState::Over {
        item.notes.push("An incident has ended the product.".into());
        return item;
    }
    let (chain, plan) = (format!("{:?}", stored.state()), format!("{planned:?}"));
    item.fields.push(Field { name: "state".into(), chain, plan });
    if stored.require_may_become(planned).is_err() {
        return item.conflict("A product that runs off never sells again.");
    }
    let set = ix::set_product_state(governance, stored.pool, item.address, planned);
    item.step(Standing::Change, "Set the state of", governance, set)
}

/// Whether the program would accept a treaty now: its own rules, on copies of the two pools.
fn may_be_accepted(
    cedant: &Pool,
    reinsurer: &Pool,
    key: &Pubkey,
    treaty: &Treaty,
    now: i64,
) -> Result<(), BackstopError> {
    let rules = || -> anchor_lang::Result<()> {
        let (mut cedant, mut reinsurer) = (*cedant, *reinsurer);
        cedant.accrue(now)?;
        reinsurer.accrue(now)?;
        treaty.clone().accept(*key, &mut cedant, &mut reinsurer, now).map(drop)
    };
    rules().map_err(crate::quote::refusal)
}

/// What is fixed of a pool.
#[derive(Debug)]
#[expect(dead_code, reason = "compared by what they show")]
struct FixedPool {
    kind: PoolKind,
    access: Access,
    deposit_authority: Pubkey,
    label: String,
    uri: String,
    terms: PoolTerms,
}

impl FixedPool {
    fn of(args: &CreatePoolArgs) -> Self {
        let CreatePoolArgs { kind, access, deposit_authority, label, uri, terms, .. } = args.clone();
        Self { kind, access, deposit_authority, label, uri, terms }
    }

    fn stored(pool: &Pool) -> Self {
        Self {
            kind: pool.kind(),
            access: pool.access(),
            deposit_authority: pool.deposit_authority,
            label: get_text(&pool.label).to_owned(),
            uri: get_text(&pool.uri).to_owned(),
            terms: pool.terms,
        }
    }
}

/// What is fixed of a product.
#[derive(Debug)]
#[expect(dead_code, reason = "compared by what they show")]
struct FixedProduct {
    name: String,
    uri: String,
    wording_sha256: String,
    covered_asset: Pubkey,
    source: u8,
    feed: String,
    attestors: Option<Pubkey>,
    vaults: Vec<Pubkey>,
    terms: ProductTerms,
    condition: Terms,
}

impl FixedProduct {
    fn of(product: &NewProduct, condition: Terms) -> Self {
        Self {
            name: product.name.clone(),
            uri: product.uri.clone(),
            wording_sha256: hex_text(&product.wording_hash),
            covered_asset: product.covered_asset,
            source: product.source.byte(),
            feed: hex_text(&product.feed),
            attestors: product.attestors,
            vaults: product.vaults.clone(),
            terms: product.terms,
            condition,
        }
    }

    /// What is stored. A product without condition differs from the plan in none.
    fn stored(product: &Product, trigger: Option<&Trigger>, live: Option<&Live>, planned: &Self) -> Self {
        let attestors = |trigger: &Trigger| trigger.source().is_reported().then_some(trigger.attestors);
        Self {
            name: product.name().to_owned(),
            uri: product.uri().to_owned(),
            wording_sha256: hex_text(&product.wording_hash),
            covered_asset: product.covered_asset,
            source: trigger.map_or(planned.source, |trigger| trigger.source),
            feed: trigger.map_or_else(|| planned.feed.clone(), |trigger| hex_text(&trigger.feed)),
            attestors: trigger.map_or(planned.attestors, attestors),
            vaults: live.map_or_else(
                || if trigger.is_some() { Vec::new() } else { planned.vaults.clone() },
                |live| live.vaults().to_vec(),
            ),
            terms: product.terms,
            condition: trigger.map_or(planned.condition, |trigger| trigger.terms),
        }
    }
}

/// What is fixed of a reading.
#[derive(Debug)]
#[expect(dead_code, reason = "compared by what they show")]
struct FixedReading {
    name: String,
    uri: String,
    wording_sha256: String,
    feed: String,
    attestors: Pubkey,
    terms: ProductTerms,
    reading: ReadingInput,
}

impl FixedReading {
    fn of(plan: &ReadingPlan, announcement: &CreateProductArgs) -> Self {
        Self {
            name: plan.name.clone(),
            uri: plan.uri.clone(),
            wording_sha256: hex_text(&plan.wording_hash),
            feed: hex_text(&plan.feed),
            attestors: plan.attestors.0,
            terms: announcement.terms,
            reading: plan.reading(),
        }
    }

    /// What is stored. A product without condition differs from the plan in none.
    fn stored(product: &Product, trigger: Option<&Trigger>, planned: &Self) -> Self {
        let of_trigger = |trigger: &Trigger| ReadingInput {
            direction: trigger.reading.direction(),
            strike: trigger.reading.strike,
            exit: trigger.reading.exit,
            begins_day: trigger.reading.begins_day,
            due_at: trigger.reading.due_at,
        };
        Self {
            name: product.name().to_owned(),
            uri: product.uri().to_owned(),
            wording_sha256: hex_text(&product.wording_hash),
            feed: trigger.map_or_else(|| planned.feed.clone(), |trigger| hex_text(&trigger.feed)),
            attestors: trigger.map_or(planned.attestors, |trigger| trigger.attestors),
            terms: product.terms,
            reading: trigger.map_or(planned.reading, of_trigger),
        }
    }
}

/// What is fixed of a treaty. One that is in force may be commuted: that it ends earlier then is no difference.
#[derive(Debug)]
#[expect(dead_code, reason = "compared by what they show")]
struct FixedTreaty {
    reinsurer: Pubkey,
    terms: TreatyTerms,
}

impl FixedTreaty {
    fn stored(treaty: &Treaty, planned_end: u32) -> Self {
        let in_force = treaty.state == TreatyState::Active;
        let end_day = if in_force { treaty.end_day.max(planned_end) } else { treaty.end_day };
        let terms = TreatyTerms { kind: treaty.kind, limit: treaty.limit, start_day: treaty.start_day, end_day };
        Self { reinsurer: treaty.reinsurer, terms }
    }
}

/// The fields in which two values of a type differ, by what they show: one field a line.
fn differing<T: Debug>(plan: &T, chain: &T) -> Vec<Field> {
    let (plan, chain) = (format!("{plan:#?}"), format!("{chain:#?}"));
    if plan.lines().count() != chain.lines().count() {
        let name = "terms".to_owned();
        return vec![Field { name, chain, plan }];
    }
    let pairs = chain.lines().zip(plan.lines()).filter(|(chain, plan)| chain != plan);
    let parts = |line: &str| {
        let (name, value) = line.trim().trim_end_matches(',').split_once(": ").unwrap_or(("kind", line.trim()));
        (name.to_owned(), value.to_owned())
    };
    pairs
        .map(|(chain, plan)| {
            let ((name, chain), (_, plan)) = (parts(chain), parts(plan));
            Field { name, chain, plan }
        })
        .collect()
}
