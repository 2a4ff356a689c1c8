//! The world of a sequence: pools of two assets, products, people, and every address.

use super::live::Program;
use super::model::{Epoch, Model, Pool, Roles, Set, Ticket};
use super::op::Who;
use crate::attest::Attestors;
use crate::live;
use crate::terms::{self, ONE};
use crate::{World, forwarder, seeded};
use anchor_lang::prelude::Pubkey;
use backstop::CreatePoolArgs;
use backstop::peril::evidence::{Direction, Severity, Terms, TermsInput};
use backstop::peril::reading::ReadingInput;
use backstop::state::{Access, PoolKind, PoolTerms, ProductTerms, Tranche};
use backstop_client::address;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use litesvm::LiteSVM;
use solana_sdk::signer::Signer;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// Users: the first ones in the list of people.
pub const USERS: usize = 8;
/// Whoever admits depositors to the pool with an allow-list.
pub const AUTHORITY: Who = 8;
/// Those who can be governance, guardian, risk keeper: two each.
pub const OFFICIALS: [[Who; 2]; 3] = [[9, 10], [11, 12], [13, 14]];
/// All people.
pub const PEOPLE: usize = 15;
/// What everybody has of each asset, in whole tokens.
pub const WEALTH: u64 = 1_000_000;
/// One token of each asset: six and eight decimals.
pub const TOKEN: [u64; 2] = [ONE, 100 * ONE];
/// Conditions that products can be created with.
pub const DESIGNS: usize = 4;
/// A further condition, that only a rogue governance would create: nearly every price is a breach.
pub const EVIL: usize = DESIGNS;
/// Readings that products of the season's pool can be.
pub const READINGS: [usize; 2] = [5, 6];
/// Falls of a protocol's vaults, that products of their own pool insure.
pub const DROPS: [usize; 2] = [7, 8];
/// Live rates that products of the same pool insure: of a stake pool, and of a lending reserve.
pub const RATES: [usize; 2] = [9, 10];
/// Pools.
pub const POOLS: usize = 6;
/// The pool of products on live feeds: with two keys, and on rates.
pub const VAULTS: usize = 5;
/// The pool of a season: a vintage with readings, and one product on prices beside them.
pub const SEASON: usize = 4;
/// Sets of attestors, each with keys and how many of them must sign.
pub const SETS: [(u8, u8); 3] = [(5, 3), (3, 2), (7, 4)];
/// Price, limits and condition of a design.
pub fn design(design: usize) -> (ProductTerms, Terms) {
    let condition = Terms::new(&condition(design)).expect("the designs are valid");
    let product = ProductTerms {
        risk_group: u32::try_from(design).expect("there are few"),
        // What is proven late by a second key must still find its covers.
        min_term_days: if is_drop(design) { 25 } else { 3 },
        max_sum_insured: 10_000_000 * ONE,
        max_term_days: [60, 90, 30, 365, 30, 60, 60, 60, 60, 45, 120][design],
        cap_bps: [8_000, 10_000, 5_000, 9_000, 10_000, 6_000, 5_000, 6_000, 7_000, 6_500, 7_500][design],
        cancel_fee_bps: [1_000, 1, 5_000, 333, 1, 500, 1, 700, 20, 450, 2_000][design],
        drift_bps: [200, 2_000, 0, 777, 0, 200, 0, 100, 0, 300, 0][design],
        waiting_seconds: [86_400, 90_000, 259_200, 86_400, 86_400, 259_200, 86_400, 172_800, 259_200, 270_000, 100_000]
            [design],
        daily_bps: [10_000, 5_000, 8_000, 2_500, 10_000, 10_000, 6_000, 10_000, 9_000, 7_000, 10_000][design],
        deductible_bps: [0, 300, 0, 0, 0, 0, 0, 0, 400, 0, 250][design],
        coinsurance_bps: [0, 0, 999, 0, 0, 0, 1_500, 0, 1_000, 500, 0][design],
        ..terms::product_terms()
    };
    let product = match design {
        9 => ProductTerms { max_price_age: 86_400, no_sale_buffer_bps: 50, ..product },
        10 => ProductTerms { max_price_age: 10_800, no_sale_buffer_bps: 75, ..product },
        _ => product,
    };
    (product, condition)
}

/// Whether a design is a reading.
pub fn is_reading(design: usize) -> bool {
    READINGS.contains(&design)
}

/// Whether a design is a fall of vaults.
pub fn is_drop(design: usize) -> bool {
    DROPS.contains(&design)
}

/// Whose accounts a product of a design reads, if that is a live rate.
pub fn program_of(design: usize, product: usize) -> Option<Program> {
    match RATES.iter().position(|it| *it == design)? {
        0 => Some(Program::StakePool),
        _ if product.is_multiple_of(2) => Some(Program::Save),
        _ => Some(Program::SplLending),
    }
}

/// The set of attestors that a product of vaults has.
pub fn set_of(product: usize) -> usize {
    product % SETS.len()
}

/// Whose token accounts the vaults of a product are.
pub fn vault_owners(product: usize) -> [Pubkey; 2] {
    [0, 1].map(|place| seeded(6_000 + 2 * product as u64 + place).pubkey())
}

/// The reading of a design in a vintage with an end: rain of ten days below 120 mm, or a delay above an hour in three days
/// that begin a day later.
pub fn reading(design: usize, sells_until_day: u32) -> ReadingInput {
    const E8: u64 = 100_000_000;
    let begins_day = sells_until_day + u32::from(design != READINGS[0]);
    let (direction, strike, exit, days) = match design == READINGS[0] {
        true => (Direction::Below, 120 * E8, 40 * E8, 10),
        false => (Direction::Above, 60 * E8, 180 * E8, 3),
    };
    let due_at = super::model::start(begins_day + days) - 3_600;
    ReadingInput { direction, strike, exit, begins_day, due_at }
}

/// The condition of a design; of a reading's product one that it would have if it listened to prices.
pub fn condition(design: usize) -> TermsInput {
    let linear = Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 };
    let quick = TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 96_000_000,
        severity: Severity::Binary,
        duration_seconds: 3_600,
        slot_seconds: 600,
        tolerance_seconds: 600,
        challenge_seconds: 7_200,
        run_on_seconds: 0,
        quiet_seconds: 3_600,
        confidence_multiplier: 200,
    };
    match design {
        0 | 5 | 6 => quick,
        7 => live::drop_condition(),
        8 => TermsInput {
            severity: Severity::Linear { full_loss_price: 5_000_000, min_severity_bps: 500 },
            ..live::drop_condition()
        },
        // Half a challenge ends within a slot.
        9 => {
            TermsInput { slot_seconds: 3_600, tolerance_seconds: 3_600, challenge_seconds: 10_800, ..live::condition() }
        }
        10 => TermsInput {
            threshold: 97_000_000,
            recovery: 99_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
            slot_seconds: 1_800,
            tolerance_seconds: 5_400,
            challenge_seconds: 9_000,
            run_on_seconds: 7_200,
            quiet_seconds: 6 * 3_600,
            ..live::condition()
        },
        1 => terms::stress(),
        2 => TermsInput { severity: linear, run_on_seconds: 21_600, ..quick },
        EVIL => TermsInput { threshold: 200_000_000, recovery: 220_000_000, ..quick },
        // Of prices above: what is borrowed in this coin becomes dear.
        _ => TermsInput {
            direction: Direction::Above,
            threshold: 105_000_000,
            recovery: 103_000_000,
            slot_seconds: 900,
            duration_seconds: 7_200,
            tolerance_seconds: 1_800,
            severity: Severity::Linear { full_loss_price: 120_000_000, min_severity_bps: 500 },
            run_on_seconds: 7_200,
            quiet_seconds: 7_200,
            ..quick
        },
    }
}

/// Which feed a design watches.
pub fn feed_of(design: usize) -> u8 {
    u8::from(matches!(design, 3 | EVIL))
}

/// The identity of a feed.
pub fn feed_id(feed: u8) -> [u8; 32] {
    [7 + feed; 32]
}

fn pool_args(pool: usize, authority: Pubkey, begun: i64) -> CreatePoolArgs {
    let base = terms::pool_terms();
    let cover = PoolTerms { cooldown_seconds: 2 * 86_400, ..base };
    let careful = PoolTerms {
        cooldown_seconds: 3 * 86_400,
        rho_bps: 1_000,
        solvency_bps: 10_000,
        max_leverage_bps: 20_000,
        junior_weight_bps: 15_000,
        group_cap_bps: 9_500,
        surplus_bps: 500,
        min_first_deposit: 10 * TOKEN[1],
        min_ticket: TOKEN[1],
        min_sum_insured: TOKEN[1],
        // A vintage: it ends in the midst of most sequences.
        sells_until_day: super::model::day(begun) + 40,
        ..base
    };
    let season = PoolTerms { sells_until_day: super::model::day(begun) + 18, ..cover };
    let (kind, access, terms) = match pool {
        0 => (PoolKind::Cover, Access::Open, cover),
        1 => (PoolKind::Cover, Access::AllowList, careful),
        2 => (PoolKind::Reinsurance, Access::Open, PoolTerms { cooldown_seconds: 3 * 86_400, ..base }),
        SEASON => (PoolKind::Cover, Access::Open, season),
        VAULTS => (PoolKind::Cover, Access::Open, PoolTerms { cooldown_seconds: 21 * 86_400, ..base }),
        _ => (PoolKind::Reinsurance, Access::ProtocolOnly, PoolTerms { solvency_bps: 15_000, ..base }),
    };
    let deposit_authority = if access == Access::AllowList { authority } else { Pubkey::default() };
    let id = u16::try_from(pool).expect("there are few");
    CreatePoolArgs { id, kind, access, deposit_authority, label: "USDT".into(), uri: "ipfs://pool".into(), terms }
}

/// Which asset a pool holds.
const ASSET_OF: [usize; POOLS] = [0, 1, 0, 0, 0, 0];

/// The world, as it is before a sequence and in it.
pub struct Scene {
    /// The cluster with the program.
    pub world: World,
    /// Everybody's wallet.
    pub people: Vec<Pubkey>,
    /// Mints of the two assets.
    pub mints: [Pubkey; 2],
    /// Pools as they were created.
    pub pools: Vec<PoolKeys>,
    /// Sets of attestors.
    pub sets: Vec<Attestors>,
    base: LiteSVM,
    begun: i64,
    derived: RefCell<HashMap<Derived, Pubkey>>,
}

/// An address that is derived once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Derived {
    Product(usize, u16),
    Trigger(Pubkey),
    Rates(Pubkey),
    Live(Pubkey),
    Protocol,
    Incident(Pubkey),
    Crisis(usize, u32),
    CoverMint(Pubkey, Pubkey, u64, u32),
    Cover(Pubkey),
    Position(Pubkey, Pubkey, u64),
    Lien(Pubkey),
    Ticket(usize, Who, u64),
    Epoch(usize, u32),
    Treaty(usize, u16),
    Cession(usize),
    Shares(usize, usize, u8),
    Token(Pubkey, Pubkey, bool),
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// Pools without capital or products, and people with tokens.
    pub fn new() -> Self {
        let world = World::unsigned();
        let mints = [world.asset, seeded(50).pubkey()];
        world.cluster.create_mint(mints[1], 8, &world.payer.pubkey());
        let mut people: Vec<Pubkey> = (0..PEOPLE as u64).map(|number| seeded(100 + number).pubkey()).collect();
        let officials = [&world.governance, &world.guardian, &world.risk_keeper];
        for (places, official) in OFFICIALS.iter().zip(officials) {
            people[places[0]] = official.pubkey();
        }
        for person in &people {
            world.cluster.airdrop(person, 100_000_000_000);
            for (mint, token) in mints.iter().zip(TOKEN) {
                world.cluster.set_tokens(person, mint, WEALTH * token);
            }
        }
        let mut pools = Vec::new();
        for (pool, asset) in ASSET_OF.iter().enumerate() {
            let args = pool_args(pool, people[AUTHORITY], world.now());
            let keys = PoolKeys::derive(mints[*asset], anchor_spl::token::ID, args.id);
            let create = ix::create_pool(world.governance.pubkey(), world.payer.pubkey(), &keys, args);
            world.run(&[&world.governance], &[create]);
            pools.push(keys);
        }
        let sets = (0..).zip(SETS).map(|(id, (count, threshold))| Attestors::create(&world, id, count, threshold));
        let sets = sets.collect();
        forwarder::install(&mut world.cluster.svm(), forwarder::MULTISIG);
        let base = world.cluster.svm().clone();
        let begun = world.now();
        Self { world, people, mints, pools, sets, base, begun, derived: RefCell::default() }
    }

    /// Back to the beginning. Returns the model of it.
    pub fn reset(&self) -> Model {
        *self.world.cluster.svm() = self.base.clone();
        let pools = ASSET_OF.iter().enumerate().map(|(pool, asset)| {
            let args = pool_args(pool, self.people[AUTHORITY], self.begun);
            Pool {
                asset: *asset,
                kind: args.kind,
                access: args.access,
                authority: AUTHORITY,
                terms: args.terms,
                surplus: 0,
                classes: Default::default(),
                unearned: 0,
                refunds: 0,
                held_back: 0,
                stands_since: None,
                stood: None,
                incident_reserves: 0,
                exit_reserves: 0,
                payable: BTreeMap::new(),
                donated: 0,
                accrued_at: self.begun,
                lows: BTreeMap::from([(super::model::day(self.begun), [0; 2])]),
                capital_day: super::model::day(self.begun),
                asked_today: 0,
                streams: Vec::new(),
                fractions: [0; 7],
                last_cover_end_day: 0,
                queue: Vec::new(),
                in_use: false,
                crisis: None,
                crises: 0,
                closed: Vec::new(),
                set_aside: 0,
                alert_seq: 0,
                alerts_since: None,
                due_since: None,
                quota_shares: Vec::new(),
                layers: Vec::new(),
                inward: Vec::new(),
                products: 0,
                treaties: 0,
                conditions: 0,
                ring_days: 0,
            }
        });
        Model {
            now: self.begun,
            pools: pools.collect(),
            products: Vec::new(),
            covers: Vec::new(),
            tickets: Vec::new(),
            epochs: Vec::new(),
            treaties: Vec::new(),
            sets: SETS
                .iter()
                .map(|(keys, threshold)| Set {
                    keys: usize::from(*keys),
                    threshold: usize::from(*threshold),
                    revoked: BTreeMap::new(),
                })
                .collect(),
            cessions: BTreeMap::new(),
            roles: Roles {
                governance: OFFICIALS[0][0],
                proposed: None,
                guardian: OFFICIALS[1][0],
                risk_keeper: OFFICIALS[2][0],
                paused: 0,
                paused_until: 0,
                pauses: Vec::new(),
            },
            assets: vec![TOKEN.map(|token| Some(u128::from(WEALTH * token))); PEOPLE],
            shares: BTreeMap::new(),
            nonce: 0,
            ledger: 1_000,
            epoch: 0,
        }
    }

    /// An address, derived once.
    pub fn derive(&self, what: Derived) -> Pubkey {
        if let Some(known) = self.derived.borrow().get(&what) {
            return *known;
        }
        let pool = |pool: usize| self.pools[pool].pool;
        let key = match what {
            Derived::Product(of, id) => address::product(&pool(of), id),
            Derived::Trigger(product) => address::trigger(&product),
            Derived::Rates(product) => address::rates(&product),
            Derived::Live(product) => address::live(&product),
            Derived::Protocol => address::protocol(),
            Derived::Incident(product) => address::incident(&product),
            Derived::Crisis(of, number) => address::crisis(&pool(of), number),
            Derived::CoverMint(product, buyer, nonce, day) => address::cover_mint(&product, &buyer, nonce, day),
            Derived::Cover(mint) => address::cover(&mint),
            Derived::Position(product, owner, nonce) => address::position(&product, &owner, nonce),
            Derived::Lien(policy) => address::lien(&policy),
            Derived::Ticket(of, owner, nonce) => address::exit_ticket(&pool(of), &self.people[owner], nonce),
            Derived::Epoch(of, day) => address::exit_epoch(&pool(of), day),
            Derived::Treaty(of, id) => address::treaty(&pool(of), id),
            Derived::Cession(of) => address::cession(&pool(of)),
            Derived::Shares(of, tranche, series) => address::share_mint(&pool(of), Tranche::BOTH[tranche], series),
            Derived::Token(owner, mint, asset) => {
                let program = if asset { anchor_spl::token::ID } else { anchor_spl::token_2022::ID };
                address::associated_token(&owner, &mint, &program)
            }
        };
        self.derived.borrow_mut().insert(what, key);
        key
    }

    // ---- addresses ----

    /// Keys of a pool with its series of now.
    pub fn pool(&self, model: &Model, pool: usize) -> PoolKeys {
        let share_mints = [0, 1].map(|tranche| self.shares(pool, tranche, model.pools[pool].classes[tranche].series));
        PoolKeys { share_mints, ..self.pools[pool] }
    }

    /// Keys of a product.
    pub fn product(&self, model: &Model, product: usize) -> ProductKeys {
        let entry = &model.products[product];
        let address = self.derive(Derived::Product(entry.pool, entry.id));
        ProductKeys { pool: self.pool(model, entry.pool), product: address }
    }

    /// A product's trigger.
    pub fn trigger(&self, model: &Model, product: usize) -> Pubkey {
        self.derive(Derived::Trigger(self.product(model, product).product))
    }

    /// A product's incident.
    pub fn incident(&self, model: &Model, product: usize) -> Pubkey {
        self.derive(Derived::Incident(self.product(model, product).product))
    }

    /// A crisis of a pool.
    pub fn crisis(&self, pool: usize, number: u32) -> Pubkey {
        self.derive(Derived::Crisis(pool, number))
    }

    /// A cover's NFT.
    pub fn cover_mint(&self, model: &Model, cover: usize) -> Pubkey {
        let entry = &model.covers[cover];
        let product = self.product(model, entry.product).product;
        self.derive(Derived::CoverMint(product, self.people[entry.buyer], entry.nonce, entry.made_day()))
    }

    /// A cover, or a position.
    pub fn cover(&self, model: &Model, cover: usize) -> Pubkey {
        let entry = &model.covers[cover];
        if entry.pays.is_some() {
            let product = self.product(model, entry.product).product;
            return self.derive(Derived::Position(product, self.people[entry.buyer], entry.nonce));
        }
        self.derive(Derived::Cover(self.cover_mint(model, cover)))
    }

    /// The lien on a cover or a position.
    pub fn lien(&self, model: &Model, cover: usize) -> Pubkey {
        self.derive(Derived::Lien(self.cover(model, cover)))
    }

    /// A ticket.
    pub fn ticket(&self, ticket: &Ticket) -> Pubkey {
        self.derive(Derived::Ticket(ticket.pool, ticket.owner, ticket.nonce))
    }

    /// An epoch.
    pub fn epoch(&self, epoch: &Epoch) -> Pubkey {
        self.derive(Derived::Epoch(epoch.pool, epoch.day))
    }

    /// A treaty.
    pub fn treaty(&self, model: &Model, treaty: usize) -> Pubkey {
        let entry = &model.treaties[treaty];
        self.derive(Derived::Treaty(entry.cedant, entry.id))
    }

    /// A cession.
    pub fn cession(&self, cedant: usize) -> Pubkey {
        self.derive(Derived::Cession(cedant))
    }

    /// A share mint.
    pub fn shares(&self, pool: usize, tranche: usize, series: u8) -> Pubkey {
        self.derive(Derived::Shares(pool, tranche, series))
    }

    /// Somebody's account of an asset.
    pub fn assets_of(&self, who: Who, asset: usize) -> Pubkey {
        self.derive(Derived::Token(self.people[who], self.mints[asset], true))
    }

    /// Somebody's account of a Token-2022 mint: shares or an NFT.
    pub fn account_of(&self, who: Who, mint: Pubkey) -> Pubkey {
        self.derive(Derived::Token(self.people[who], mint, false))
    }
}
