//! What a pass of the crank knows: the program's accounts, decoded, as they were read at its beginning.
//!
//! Unknown is not no. What each look-up means when a node refuses it, is silent, lags or contradicts another:
//!
//! | look-up | without an answer | an answer that cannot be |
//! |---|---|---|
//! | pools, products, triggers, clock | the pass ends: nothing is known to be due | what lacks its other half is noted |
//! | vaults | as last read; frozen is found out by trying | a vault that "is not there": the same |
//! | incidents, treaties, epochs, tickets, announcements | noted; their work waits for the next pass | simulation refuses it |
//! | covers of an incident | noted; none is settled, and the incident is not closed | the sums left must add up |
//! | holders of covers | that cover is unknown, the others are settled | a mint that "is not there" is not burnt |
//! | liens on covers | noted; these covers wait for the next pass | simulation refuses it |
//! | what nobody needs any more | noted; it waits for the next sweep | simulation refuses it |
//! | accounts of those who are paid | noted; that payment waits for the next pass | simulation refuses it |

use crate::crank::limits::Delays;
use crate::crank::live::{LedgerClock, LiveView};
use crate::crank::plan::payable;
use anchor_lang::prelude::Pubkey;
use backstop::state::{
    AttestorSet, Cession, Cover, CoverState, Crisis, ExitEpoch, ExitTicket, Incident, Lien, Live, Policy, Pool,
    Position, Product, Treaty, Trigger, get_text,
};
use backstop_client::account::{self, Decode};
use backstop_client::address;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::explain::explain;
use backstop_client::instruction::{PoolKeys, ProductKeys};
use backstop_client::payee;
use backstop_client::token::{Standing, TokenAccount};
use serde::Serialize;
use solana_sdk::account::Account;
use solana_sdk::sysvar::clock;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;

/// A pool and its keys.
#[derive(Clone, Debug)]
pub struct PoolView {
    /// The books.
    pub books: Pool,
    /// The keys.
    pub keys: PoolKeys,
    /// Whether the asset's issuer has frozen the vault: then nothing can be paid into it or out of it.
    pub frozen: bool,
}

/// A product, its trigger and its keys.
#[derive(Clone, Debug)]
pub struct ProductView {
    /// The product.
    pub product: Product,
    /// Its trigger.
    pub trigger: Trigger,
    /// The keys.
    pub keys: ProductKeys,
}

pub use backstop_client::payee::Destination;

/// Where a cover's NFT is, and where its payout would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whoever holds the NFT.
    pub owner: Pubkey,
    /// The token account that it is in.
    pub nft: Pubkey,
    /// The owner's associated account of the pool's asset; `None` if nobody said how it stands.
    pub destination: Option<Destination>,
}

/// What is known of who holds a cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Somebody.
    By(Holder),
    /// Nobody, for good: its mint is there and has no unit any more.
    Burnt,
    /// Nobody said. Never taken for burnt.
    Unknown,
}

/// A cover of an incident that can be paid, or that must be known of before the incident is closed.
#[derive(Clone, Debug)]
pub struct OpenCover {
    /// The cover's address.
    pub address: Pubkey,
    /// The cover.
    pub cover: Cover,
    /// Who holds it.
    pub held: Held,
}

/// A position of an incident that can be paid, or that must be known of before the incident is closed.
#[derive(Clone, Debug)]
pub struct OpenPosition {
    /// The position's address.
    pub address: Pubkey,
    /// The position.
    pub position: Position,
    /// Whether its beneficiary can be paid now; `None` if nobody said.
    pub can_be_paid: Option<bool>,
}

/// The lien on a cover or position of an incident.
#[derive(Clone, Debug)]
pub struct OpenLien {
    /// The lien.
    pub lien: Lien,
    /// What it is on.
    pub policy: Policy,
    /// Whether its payee can be paid now; `None` if nobody said.
    pub can_be_paid: Option<bool>,
}

/// A cover whose NFT is burnt, with its address.
#[derive(Clone, Debug)]
pub struct BurntCover {
    /// The cover's address.
    pub address: Pubkey,
    /// The cover.
    pub cover: Cover,
}

/// A request to leave, and whether its owner can be paid.
#[derive(Clone, Debug)]
pub struct TicketView {
    /// The ticket's address.
    pub address: Pubkey,
    /// The ticket.
    pub ticket: ExitTicket,
    /// The owner's associated account of the pool's asset; `None` if nobody said how it stands.
    pub destination: Option<Destination>,
}

/// Something that could not be found out: a node refused, was silent, or contradicted itself. Nothing is concluded from
/// it; it is asked for again in the next pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// What was asked for.
    pub what: &'static str,
    /// Of how many items.
    pub items: usize,
    /// Why there is no answer.
    pub why: String,
}

/// Who holds covers, and whether those who are to be paid can be.
const HOLDERS: &str = "holders of covers";
const PAYEES: &str = "accounts of those who are to be paid";
const LIENS: &str = "liens on what is to be paid";

impl Unknown {
    /// Whether only payments depend on it.
    pub fn is_of_payments(&self) -> bool {
        [HOLDERS, PAYEES, LIENS].contains(&self.what)
    }
}

/// The accounts of the program that matter to a crank.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The cluster's clock, unix seconds.
    pub now: i64,
    /// Pools by address.
    pub pools: BTreeMap<Pubkey, PoolView>,
    /// Products by address.
    pub products: BTreeMap<Pubkey, ProductView>,
    /// What was shown of live feeds, and what they say now, by their product.
    pub lives: BTreeMap<Pubkey, LiveView>,
    /// Incidents by their product.
    pub incidents: BTreeMap<Pubkey, Incident>,
    /// Crises by pool and number.
    pub crises: BTreeMap<(Pubkey, u32), Crisis>,
    /// Treaties by address.
    pub treaties: BTreeMap<Pubkey, Treaty>,
    /// Exit epochs by pool and day.
    pub epochs: BTreeMap<(Pubkey, u32), ExitEpoch>,
    /// Exit tickets.
    pub tickets: Vec<TicketView>,
    /// Sets of attestors that products listen to, by address.
    pub attestors: BTreeMap<Pubkey, AttestorSet>,
    /// Announced cessions of surplus.
    pub cessions: Vec<(Pubkey, Cession)>,
    /// Covers of incidents to be settled.
    pub open_covers: Vec<OpenCover>,
    /// Positions of incidents to be settled.
    pub open_positions: Vec<OpenPosition>,
    /// Liens on these, by the address of what they are on.
    pub liens: BTreeMap<Pubkey, OpenLien>,
    /// Covers whose NFT is burnt; looked for only when asked.
    pub burnt_covers: Vec<BurntCover>,
    /// Liens of which nothing is left; looked for only when asked.
    pub spent_liens: Vec<Lien>,
    /// What could not be found out.
    pub unknown: Vec<Unknown>,
}

/// What a crank remembers from pass to pass, to ask less: token accounts in which NFTs were found, NFTs that are burnt
/// for good, and what each pool's asset is run by. Everything in it is either final or looked at again before it is
/// used.
#[derive(Debug, Default)]
pub struct Whereabouts {
    /// Token accounts in which NFTs were found, by mint: a first guess for the next time.
    seen: HashMap<Pubkey, Pubkey>,
    /// Mints whose one unit is burnt. Nobody can mint another.
    burnt: HashSet<Pubkey>,
    /// NFTs that were looked for one by one and not found: how often, and when again.
    sought: HashMap<Pubkey, (u32, Instant)>,
    /// Why the last of them was not found.
    silence: Option<String>,
    /// The token programs of the pools' assets, and whether their vaults were frozen.
    vaults: HashMap<Pubkey, (Pubkey, bool)>,
}

impl Whereabouts {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// A set of attestors, if an account is one.
pub(super) fn decode_set(account: &Account) -> Option<AttestorSet> {
    AttestorSet::decode(&account.data).filter(|_| account.owner == backstop::ID)
}

/// The policy of a cover or position, if an account's bytes are one.
pub(super) fn decode_policy(data: &[u8]) -> Option<Policy> {
    let position = || Position::decode(data).map(|position| position.policy);
    Cover::decode(data).map(|cover| cover.policy).or_else(position)
}

/// How much a reading looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Also exit tickets, and whether their owners can be paid.
    pub tickets: bool,
    /// Also what nobody needs any more: every cover, for those whose NFT is burnt, and every lien, for those of which
    /// nothing is left.
    pub leftovers: bool,
}

impl Chain {
    /// Reads the chain: [`Self::watch`], then [`Self::read_rest`].
    pub fn read(cluster: &dyn Cluster, whereabouts: &mut Whereabouts, depth: Depth) -> Result<Self, ClusterError> {
        let mut chain = Self::watch(cluster, whereabouts)?;
        chain.read_rest(cluster, whereabouts, depth, &[]);
        Ok(chain)
    }

    /// Reads what observing needs: pools, products, triggers, and the clock.
    ///
    /// Accounts that cannot be decoded are left out. Errors: the cluster does not answer. Without these nothing is
    /// known to be due.
    pub fn watch(cluster: &dyn Cluster, whereabouts: &mut Whereabouts) -> Result<Self, ClusterError> {
        let mut chain = Self::default();
        let pools = all::<Pool>(cluster)?;
        let vaults: Vec<Pubkey> = pools.iter().map(|(_, books)| books.vault).collect();
        let vaults = match cluster.accounts(&vaults) {
            Ok(vaults) => vaults,
            // They were read before: what runs an asset never changes, and what is frozen is found out by trying.
            Err(why) if pools.iter().all(|(key, _)| whereabouts.vaults.contains_key(key)) => {
                chain.miss("whether vaults are frozen", vaults.len(), &why);
                vec![None; vaults.len()]
            }
            Err(why) => return Err(why),
        };
        let mut silent = 0;
        for ((key, books), vault) in pools.into_iter().zip(vaults) {
            let read = vault.and_then(|vault| Some((vault.owner, TokenAccount::read(&vault)?.frozen)));
            silent += usize::from(read.is_none());
            // A vault cannot vanish: a node that says so does not know it yet, or no more.
            let Some((program, frozen)) = read.or_else(|| whereabouts.vaults.get(&key).copied()) else { continue };
            whereabouts.vaults.insert(key, (program, frozen));
            let keys = PoolKeys::of(key, &books, program);
            chain.pools.insert(key, PoolView { books, keys, frozen });
        }
        if silent > 0 && chain.unknown.is_empty() {
            chain.note("vaults", silent, "the node says that there are none");
        }
        let triggers: HashMap<Pubkey, Trigger> = all::<Trigger>(cluster)?.into_iter().collect();
        let mut untriggered = 0;
        for (key, product) in all::<Product>(cluster)? {
            let Some(pool) = chain.pools.get(&product.pool) else { continue };
            // Announced, and nothing to listen to yet: nobody can lose or buy anything by it.
            if !product.has_condition() {
                continue;
            }
            let keys = ProductKeys { pool: pool.keys, product: key };
            match triggers.get(&product.trigger) {
                Some(trigger) => {
                    chain.products.insert(key, ProductView { product, trigger: *trigger, keys });
                }
                None => untriggered += 1,
            }
        }
        if untriggered > 0 {
            chain.note("triggers", untriggered, "the node says that there are none");
        }
        chain.read_attestors(cluster);
        chain.read_live(cluster);
        // Last, so that nothing read was written after it.
        chain.now = cluster.now()?;
        Ok(chain)
    }

    /// Reads products, triggers and the clock again, a hundred accounts a request.
    pub fn watch_again(&mut self, cluster: &dyn Cluster) -> Result<(), ClusterError> {
        let keys: Vec<(Pubkey, Pubkey)> =
            self.products.iter().map(|(key, view)| (*key, view.product.trigger)).collect();
        let addresses: Vec<Pubkey> = keys.iter().flat_map(|(product, trigger)| [*product, *trigger]).collect();
        let mut read = cluster.accounts(&addresses)?.into_iter();
        for (key, _) in keys {
            let (product, trigger) = (read.next().flatten(), read.next().flatten());
            let Some(view) = self.products.get_mut(&key) else { continue };
            // What a node does not know it has known before.
            view.product = product.and_then(|account| Product::decode(&account.data)).unwrap_or(view.product);
            view.trigger = trigger.and_then(|account| Trigger::decode(&account.data)).unwrap_or(view.trigger);
        }
        self.read_live(cluster);
        self.now = cluster.now()?;
        Ok(())
    }

    /// Reads what live feeds say now. Without an answer nothing of them is shown in this pass, and that is noted.
    fn read_live(&mut self, cluster: &dyn Cluster) {
        let live = self.products.values().filter(|view| view.trigger.source().is_live());
        let keys: Vec<(Pubkey, Pubkey, Pubkey)> =
            live.map(|view| (view.keys.product, view.keys.live(), Pubkey::new_from_array(view.trigger.feed))).collect();
        self.lives.clear();
        if keys.is_empty() {
            return;
        }
        let accounts = keys.iter().flat_map(|(_, live, source)| [*live, *source]);
        let addresses: Vec<Pubkey> = std::iter::once(clock::ID).chain(accounts).collect();
        let mut read = self.known("live feeds", cluster.accounts(&addresses)).into_iter();
        let Some(clock) = read.next().flatten().and_then(|account| LedgerClock::read(&account.data)) else { return };
        for (product, _, source) in keys {
            let (live, account) = (read.next().flatten(), read.next().flatten());
            if let Some(live) = live.and_then(|account| Live::decode(&account.data)) {
                let sources = account.map(|account| (source, account)).into_iter().collect();
                self.lives.insert(product, LiveView { live, sources, clock });
            }
        }
        self.read_vaults(cluster);
    }

    /// Reads the vaults of the live feeds that have some: only what is shown of a feed tells which they are.
    fn read_vaults(&mut self, cluster: &dyn Cluster) {
        let addresses: Vec<Pubkey> = self.lives.values().flat_map(|view| view.live.vaults().to_vec()).collect();
        if addresses.is_empty() {
            return;
        }
        let read = self.known("vaults", cluster.accounts(&addresses));
        if read.is_empty() {
            // Without an answer nothing is known of them: one that is not there would count as closed.
            self.lives.retain(|_, view| view.live.vaults().is_empty());
        }
        let mut read = read.into_iter();
        for view in self.lives.values_mut().filter(|view| !view.live.vaults().is_empty()) {
            view.sources.clear();
            for vault in view.live.vaults() {
                if let Some(account) = read.next().flatten() {
                    view.sources.push((*vault, account));
                }
            }
        }
    }

    /// Reads the rest: incidents and their covers, treaties, exits, announcements. What a node does not answer is noted
    /// in [`Self::unknown`], and what depends on it is not planned; everything else is.
    ///
    /// Covers and tickets are read only of `pools`; none named: of all.
    pub fn read_rest(&mut self, cluster: &dyn Cluster, whereabouts: &mut Whereabouts, depth: Depth, pools: &[Pubkey]) {
        let incidents = self.known("incidents", all::<Incident>(cluster));
        self.incidents = incidents.into_iter().map(|(_, incident)| (incident.product, incident)).collect();
        let crises = self.known("crises", all::<Crisis>(cluster));
        self.crises = crises.into_iter().map(|(_, crisis)| ((crisis.pool, crisis.number), crisis)).collect();
        self.treaties = self.known("treaties", all::<Treaty>(cluster)).into_iter().collect();
        let epochs = self.known("exit epochs", all::<ExitEpoch>(cluster));
        self.epochs = epochs.into_iter().map(|(_, epoch)| ((epoch.pool, epoch.day), epoch)).collect();
        self.cessions = self.known("cessions", all::<Cession>(cluster));
        // Again: what was observed and opened since has changed their books.
        for (key, books) in self.known("pools", all::<Pool>(cluster)) {
            if let Some(view) = self.pools.get_mut(&key) {
                view.books = books;
            }
        }
        let wanted = |pool: &Pubkey| pools.is_empty() || pools.contains(pool);
        self.read_open_covers(cluster, whereabouts, &wanted);
        if depth.tickets {
            self.read_tickets(cluster, &wanted);
        }
        if depth.leftovers {
            self.read_burnt_covers(cluster, whereabouts);
            self.read_spent_liens(cluster, &wanted);
        }
        // Last, so that nothing read was written after it.
        match cluster.now() {
            Ok(now) => self.now = now,
            Err(why) => self.miss("the clock", 1, &why),
        }
    }

    /// The pool's label.
    pub fn pool_name(&self, pool: &Pubkey) -> &str {
        self.pools.get(pool).map_or("", |view| get_text(&view.books.label))
    }

    /// The product's name.
    pub fn product_name(&self, product: &Pubkey) -> &str {
        self.products.get(product).map_or("", |view| view.product.name())
    }

    fn note(&mut self, what: &'static str, items: usize, why: &str) {
        self.unknown.push(Unknown { what, items, why: why.to_owned() });
    }

    fn miss(&mut self, what: &'static str, items: usize, why: &ClusterError) {
        self.note(what, items, &explain(why).sentence);
    }

    /// What was read; if nobody answered, nothing, and a note of it.
    fn known<T>(&mut self, what: &'static str, read: Result<Vec<T>, ClusterError>) -> Vec<T> {
        read.unwrap_or_else(|why| {
            self.miss(what, 1, &why);
            Vec::new()
        })
    }

    fn read_attestors(&mut self, cluster: &dyn Cluster) {
        let sets = self.products.values().map(|view| view.trigger.attestors);
        let sets: BTreeSet<Pubkey> = sets.filter(|set| *set != Pubkey::default()).collect();
        if sets.is_empty() {
            return;
        }
        let sets: Vec<Pubkey> = sets.into_iter().collect();
        let read = self.known("sets of attestors", cluster.accounts(&sets));
        let read = sets.into_iter().zip(read).filter_map(|(set, account)| Some((set, decode_set(&account?)?)));
        self.attestors = read.collect();
    }

    fn read_open_covers(
        &mut self,
        cluster: &dyn Cluster,
        whereabouts: &mut Whereabouts,
        wanted: &dyn Fn(&Pubkey) -> bool,
    ) {
        // Premium is given back at once, a loss is paid from the reserve as it is given.
        let to_settle =
            |incident: &&Incident| (incident.sums_left != 0 || incident.premiums_left != 0) && wanted(&incident.pool);
        let now = self.now;
        let incidents: Vec<(Pubkey, Incident)> =
            self.incidents.values().filter(to_settle).map(|incident| (incident.product, incident.clone())).collect();
        for (product, incident) in incidents {
            let Some(keys) = self.products.get(&product).map(|view| view.keys.pool) else { continue };
            // Before an incident is closed it must be known of every cover whether it could still be paid.
            let is_open = |policy: &Policy| {
                let concerned = policy.state != CoverState::Settled && policy.claim(incident.event_at).is_some();
                concerned && (incident.may_close(now) || payable(&incident, policy).is_some())
            };
            let read = account::readable::<Position>(cluster, Some((0, product)));
            let mut positions = self.known("positions of an incident", read);
            positions.retain(|(_, position)| is_open(position));
            let policies = positions.iter().map(|(key, position)| (*key, position.policy.clone())).collect();
            self.note_liens(cluster, &keys, policies);
            self.note_positions(cluster, &keys, positions);
            let mut open = self.known("covers of an incident", account::readable::<Cover>(cluster, Some((0, product))));
            open.retain(|(_, cover)| is_open(cover));
            let policies = open.iter().map(|(key, cover)| (*key, cover.policy.clone())).collect();
            self.note_liens(cluster, &keys, policies);
            let found = self.find_nfts(cluster, &open, whereabouts);
            let owners: Vec<Pubkey> = found.iter().filter_map(|found| Some(found.place()?.1)).collect();
            let mut destinations = self.destinations(cluster, &keys, &owners).into_iter();
            for ((address, cover), found) in open.into_iter().zip(found) {
                let held = match found {
                    Found::At(nft, owner) => {
                        Held::By(Holder { owner, nft, destination: destinations.next().flatten() })
                    }
                    Found::Burnt => Held::Burnt,
                    Found::Unknown => Held::Unknown,
                };
                self.open_covers.push(OpenCover { address, cover, held });
            }
        }
    }

    /// Notes the liens on policies, and whether those whom they pay can be paid.
    fn note_liens(&mut self, cluster: &dyn Cluster, keys: &PoolKeys, mut policies: Vec<(Pubkey, Policy)>) {
        policies.retain(|(_, policy)| policy.has_lien);
        if policies.is_empty() {
            return;
        }
        let accounts: Vec<Pubkey> = policies.iter().map(|(key, _)| address::lien(key)).collect();
        let read = self.known(LIENS, cluster.accounts(&accounts));
        let decode = |account: Option<Account>| Lien::decode(&account?.data);
        let liens: Vec<(Pubkey, Policy, Lien)> = policies
            .into_iter()
            .zip(read)
            .filter_map(|((key, policy), account)| Some((key, policy, decode(account)?)))
            .collect();
        let payees: Vec<Pubkey> = liens.iter().map(|(_, _, lien)| lien.payee).collect();
        let owners: Vec<Pubkey> = liens.iter().map(|(_, _, lien)| lien.payee_owner).collect();
        let standing = self.payees(cluster, keys, &payees, &owners);
        for ((key, policy, lien), can_be_paid) in liens.into_iter().zip(standing) {
            self.liens.insert(key, OpenLien { lien, policy, can_be_paid });
        }
    }

    /// Whether token accounts that were named to be paid can be: those that are still of the owners that they had.
    fn payees(
        &mut self,
        cluster: &dyn Cluster,
        keys: &PoolKeys,
        accounts: &[Pubkey],
        owners: &[Pubkey],
    ) -> Vec<Option<bool>> {
        let read = match cluster.accounts(accounts) {
            Ok(read) => read.into_iter().map(Some).collect(),
            Err(why) => {
                self.miss(PAYEES, accounts.len(), &why);
                vec![None; accounts.len()]
            }
        };
        let of_program = &keys.asset_token_program;
        let ready = |(account, owner): (Option<Option<Account>>, &Pubkey)| {
            let standing = Standing::of(account?.as_ref(), owner, &keys.asset_mint, of_program);
            Some(matches!(standing, Standing::Ready(_)))
        };
        read.into_iter().zip(owners).map(ready).collect()
    }

    fn note_positions(&mut self, cluster: &dyn Cluster, keys: &PoolKeys, positions: Vec<(Pubkey, Position)>) {
        if positions.is_empty() {
            return;
        }
        let accounts: Vec<Pubkey> = positions.iter().map(|(_, position)| position.beneficiary).collect();
        let owners: Vec<Pubkey> = positions.iter().map(|(_, position)| position.beneficiary_owner).collect();
        let ready = self.payees(cluster, keys, &accounts, &owners);
        let open = positions.into_iter().zip(ready);
        let open = open.map(|((address, position), can_be_paid)| OpenPosition { address, position, can_be_paid });
        self.open_positions.extend(open);
    }

    fn read_tickets(&mut self, cluster: &dyn Cluster, wanted: &dyn Fn(&Pubkey) -> bool) {
        let mut by_pool: BTreeMap<Pubkey, Vec<(Pubkey, ExitTicket)>> = BTreeMap::new();
        for (key, ticket) in self.known("exit tickets", all::<ExitTicket>(cluster)) {
            if wanted(&ticket.pool) {
                by_pool.entry(ticket.pool).or_default().push((key, ticket));
            }
        }
        for (pool, tickets) in by_pool {
            let Some(keys) = self.pools.get(&pool).map(|view| view.keys) else { continue };
            let owners: Vec<Pubkey> = tickets.iter().map(|(_, ticket)| ticket.owner).collect();
            let destinations = self.destinations(cluster, &keys, &owners);
            self.tickets.extend(
                tickets.into_iter().zip(destinations).map(|((address, ticket), destination)| TicketView {
                    address,
                    ticket,
                    destination,
                }),
            );
        }
    }

    fn read_burnt_covers(&mut self, cluster: &dyn Cluster, whereabouts: &mut Whereabouts) {
        let covers = self.known("covers", all::<Cover>(cluster));
        let mints: Vec<Pubkey> = covers.iter().map(|(_, cover)| cover.mint()).collect();
        self.find_burnt(cluster, &mints, whereabouts);
        let found = covers.into_iter().filter(|(_, cover)| whereabouts.burnt.contains(&cover.mint()));
        self.burnt_covers = found.map(|(address, cover)| BurntCover { address, cover }).collect();
    }

    /// Notes the liens that anyone may lift, as the program says it.
    fn read_spent_liens(&mut self, cluster: &dyn Cluster, wanted: &dyn Fn(&Pubkey) -> bool) {
        let mut liens = self.known("liens", all::<Lien>(cluster));
        liens.retain(|(_, lien)| wanted(&lien.pool));
        let policies: Vec<Pubkey> = liens.iter().map(|(_, lien)| lien.policy).collect();
        let read = self.known("what liens are on", cluster.accounts(&policies));
        for ((_, lien), account) in liens.into_iter().zip(read) {
            let policy = match account.filter(|account| account.owner == backstop::ID) {
                Some(account) => match decode_policy(&account.data) {
                    Some(policy) => Some(policy),
                    // A layout that is not known here: nothing is concluded from it.
                    None => continue,
                },
                None => None,
            };
            if lien.require_may_lift(None, policy.as_ref()).is_ok() {
                self.spent_liens.push(lien);
            }
        }
    }

    /// Whether owners can be paid, in their order; `None` where nobody said.
    fn destinations(&mut self, cluster: &dyn Cluster, keys: &PoolKeys, owners: &[Pubkey]) -> Vec<Option<Destination>> {
        match payee::destinations(cluster, keys, owners) {
            Ok(destinations) => destinations.into_iter().map(Some).collect(),
            Err(why) => {
                self.miss(PAYEES, owners.len(), &why);
                vec![None; owners.len()]
            }
        }
    }

    /// Notes which of these mints have no unit any more. Only a mint that is there says so.
    fn find_burnt(&mut self, cluster: &dyn Cluster, mints: &[Pubkey], whereabouts: &mut Whereabouts) {
        let open: Vec<Pubkey> = mints.iter().filter(|mint| !whereabouts.burnt.contains(mint)).copied().collect();
        match cluster.accounts(&open) {
            Ok(read) => {
                let burnt = |account: &Option<Account>| account.as_ref().and_then(payee::supply) == Some(0);
                let burnt = open.iter().zip(&read).filter(|(_, account)| burnt(account)).map(|(mint, _)| *mint);
                whereabouts.burnt.extend(burnt);
            }
            Err(why) => self.miss("which NFTs are burnt", open.len(), &why),
        }
    }

    /// Finds each cover's NFT, or that it is burnt. Where it was last seen, else with whoever paid the cover's rent (the
    /// buyer, as a rule), a hundred a request; then whether the mints of the others have a unit left, a hundred a
    /// request too. Only those that have moved are looked up, for a limited time, and found again without asking.
    fn find_nfts(
        &mut self,
        cluster: &dyn Cluster,
        covers: &[(Pubkey, Cover)],
        whereabouts: &mut Whereabouts,
    ) -> Vec<Found> {
        let mut found = vec![Found::Unknown; covers.len()];
        let open: Vec<usize> =
            (0..covers.len()).filter(|index| !whereabouts.burnt.contains(&covers[*index].1.mint())).collect();
        let guess = |cover: &Cover| {
            let with_payer = || address::associated_token(&cover.rent_payer, &cover.mint(), &TOKEN_2022);
            whereabouts.seen.get(&cover.mint()).copied().unwrap_or_else(with_payer)
        };
        let guesses: Vec<(Pubkey, Pubkey)> =
            open.iter().map(|index| (covers[*index].1.mint(), guess(&covers[*index].1))).collect();
        match holders_at(cluster, &guesses) {
            Ok(held) => {
                for (index, place) in open.iter().zip(held) {
                    found[*index] = place.map_or(Found::Unknown, |(nft, owner)| Found::At(nft, owner));
                }
            }
            Err(why) => {
                self.miss(HOLDERS, open.len(), &why);
                return found;
            }
        }
        let moved: Vec<usize> = open.into_iter().filter(|index| found[*index] == Found::Unknown).collect();
        let mints: Vec<Pubkey> = moved.iter().map(|index| covers[*index].1.mint()).collect();
        if !mints.is_empty() {
            self.find_burnt(cluster, &mints, whereabouts);
        }
        let (gone, moved): (Vec<usize>, Vec<usize>) =
            moved.into_iter().partition(|index| whereabouts.burnt.contains(&covers[*index].1.mint()));
        let moved: Vec<(usize, Pubkey)> = moved.into_iter().map(|index| (index, covers[index].1.mint())).collect();
        for (index, nft, owner) in self.look_up(cluster, &moved, whereabouts) {
            found[index] = Found::At(nft, owner);
        }
        for index in gone {
            found[index] = Found::Burnt;
        }
        for ((_, cover), found) in covers.iter().zip(&mut found) {
            match found {
                Found::At(nft, _) => drop(whereabouts.seen.insert(cover.mint(), *nft)),
                _ if whereabouts.burnt.contains(&cover.mint()) => *found = Found::Burnt,
                _ => drop(whereabouts.seen.remove(&cover.mint())),
            }
        }
        found
    }

    /// Looks NFTs up, some at once; where a node refuses one of them, those one by one. What is not found waits longer
    /// each time.
    fn look_up(
        &mut self,
        cluster: &dyn Cluster,
        moved: &[(usize, Pubkey)],
        whereabouts: &mut Whereabouts,
    ) -> Vec<(usize, Pubkey, Pubkey)> {
        let begun = Instant::now();
        let is_due = |mint: &Pubkey| whereabouts.sought.get(mint).is_none_or(|(_, again)| *again <= begun);
        let due: Vec<(usize, Pubkey)> = moved.iter().filter(|(_, mint)| is_due(mint)).copied().collect();
        let mut answers: Vec<(usize, Pubkey, Option<Pubkey>)> = Vec::new();
        let (mut refused, mut why) = (0, None);
        for some in due.chunks(LOOKED_UP_AT_ONCE) {
            if refused >= REFUSALS || begun.elapsed() > LOOK_UP_TIME {
                break;
            }
            let mints: Vec<Pubkey> = some.iter().map(|(_, mint)| *mint).collect();
            match cluster.nft_accounts(&mints) {
                Ok(found) => {
                    answers.extend(some.iter().zip(found).map(|((index, mint), found)| (*index, *mint, found)));
                    continue;
                }
                // One of them is refused: which, is found out.
                Err(ClusterError::Refused(_)) => {}
                // Nobody answers: the others would not be answered either.
                Err(error) => {
                    why = Some(explain(&error).sentence);
                    break;
                }
            }
            for (index, mint) in some {
                if refused >= REFUSALS || begun.elapsed() > LOOK_UP_TIME {
                    break;
                }
                let answer = cluster.nft_accounts(&[*mint]).map(|mut found| found.pop().flatten());
                answers.push((*index, *mint, answer.as_ref().ok().copied().flatten()));
                if let Err(error) = answer {
                    refused += 1;
                    why = Some(explain(&error).sentence);
                }
            }
        }
        let mut unknown = moved.len() - answers.len();
        let mut places = Vec::new();
        for (index, mint, found) in answers {
            if let Some(account) = found {
                places.push((index, mint, account));
            } else {
                unknown += 1;
                let tries = whereabouts.sought.get(&mint).map_or(0, |(tries, _)| *tries).saturating_add(1);
                whereabouts.sought.insert(mint, (tries, Instant::now() + SOUGHT_AGAIN.after(tries)));
            }
        }
        let guesses: Vec<(Pubkey, Pubkey)> = places.iter().map(|(_, mint, account)| (*mint, *account)).collect();
        let held = holders_at(cluster, &guesses).unwrap_or_else(|error| {
            why = Some(explain(&error).sentence);
            vec![None; guesses.len()]
        });
        let mut found = Vec::new();
        for ((index, mint, _), held) in places.into_iter().zip(held) {
            match held {
                Some((nft, owner)) => {
                    whereabouts.sought.remove(&mint);
                    found.push((index, nft, owner));
                }
                None => unknown += 1,
            }
        }
        if unknown > 0 {
            whereabouts.silence = why.or(whereabouts.silence.take());
            let why = whereabouts.silence.as_deref().unwrap_or("the node does not say where their NFTs are");
            self.note(HOLDERS, unknown, why);
        }
        found
    }
}

/// Refused look-ups in a pass after which the others wait for the next.
const REFUSALS: u32 = 3;
/// NFTs that are looked up at once, which for a node are so many requests.
const LOOKED_UP_AT_ONCE: usize = 10;
/// Longest that a pass looks NFTs up.
const LOOK_UP_TIME: Duration = Duration::from_secs(20);
/// When an NFT that was not found is looked up again.
const SOUGHT_AGAIN: Delays = Delays { first: Duration::from_secs(30), longest: Duration::from_secs(1_800) };

/// Where an NFT is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// In a token account of an owner.
    At(Pubkey, Pubkey),
    Burnt,
    Unknown,
}

impl Found {
    fn place(self) -> Option<(Pubkey, Pubkey)> {
        if let Self::At(nft, owner) = self { Some((nft, owner)) } else { None }
    }
}

fn all<T: Decode>(cluster: &dyn Cluster) -> Result<Vec<(Pubkey, T)>, ClusterError> {
    account::readable(cluster, None)
}

/// Which of these accounts hold one unit of these mints, and for whom.
fn holders_at(
    cluster: &dyn Cluster,
    guesses: &[(Pubkey, Pubkey)],
) -> Result<Vec<Option<(Pubkey, Pubkey)>>, ClusterError> {
    let accounts: Vec<Pubkey> = guesses.iter().map(|(_, account)| *account).collect();
    let read = if accounts.is_empty() { Vec::new() } else { cluster.accounts(&accounts)? };
    let holder = |((mint, address), account): (&(Pubkey, Pubkey), Option<Account>)| {
        let account = TokenAccount::read(&account?)?;
        (account.mint == *mint && account.amount == 1).then_some((*address, account.owner))
    };
    Ok(guesses.iter().zip(read).map(holder).collect())
}
