//! The world of a sequence: four pools of two assets, people, and the instructions of every operation.

use super::model::{Epoch, Model, Roles, Ticket};
use super::op::{Op, Who};
use crate::terms::{self, ONE};
use crate::{World, seeded};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use backstop::state::evidence::{Severity, Terms, TermsInput};
use backstop::state::{Access, CoverRequest, ExitTicket, PoolKind, PoolTerms, ProductTerms, Tranche};
use backstop::{BuyCoverArgs, CreatePoolArgs, CreateProductArgs, DepositArgs, RequestExitArgs};
use backstop_app::address;
use backstop_app::cluster::embedded::Price;
use backstop_app::instruction::{self as ix, PoolKeys, ProductKeys, TreatyKeys};
use litesvm::LiteSVM;
use solana_sdk::signature::Signature;
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
/// Where observed prices are posted.
const PRICE: u64 = 7;

/// Price, limits and condition of a design.
pub fn design(design: usize) -> (ProductTerms, Terms) {
    let condition = Terms::new(&condition(design)).expect("the designs are valid");
    let product = ProductTerms {
        risk_group: u32::try_from(design).expect("there are few"),
        min_term_days: 3,
        max_sum_insured: 10_000_000 * ONE,
        max_term_days: [60, 90, 30, 365, 30][design],
        cap_bps: [8_000, 10_000, 5_000, 9_000, 10_000][design],
        cancel_fee_bps: [1_000, 1, 5_000, 333, 1][design],
        drift_bps: [200, 2_000, 0, 777, 0][design],
        waiting_seconds: [86_400, 90_000, 259_200, 86_400, 86_400][design],
        ..terms::product_terms()
    };
    (product, condition)
}

fn condition(design: usize) -> TermsInput {
    let linear = Severity::Linear { full_loss_price: 80_000_000 };
    let quick = TermsInput {
        threshold: 95_000_000,
        recovery: 96_000_000,
        severity: Severity::Binary,
        duration_seconds: 3_600,
        slot_seconds: 600,
        tolerance_seconds: 600,
        challenge_seconds: 3_600,
        confidence_multiplier: 200,
    };
    match design {
        0 => quick,
        1 => terms::stress(),
        2 => TermsInput { severity: linear, tolerance_seconds: 0, ..quick },
        EVIL => TermsInput { threshold: 200_000_000, recovery: 240_000_000, ..quick },
        _ => TermsInput { slot_seconds: 900, duration_seconds: 7_200, tolerance_seconds: 1_800, severity: linear, ..quick },
    }
}

/// Which feed a design watches.
pub fn feed_of(design: usize) -> u8 {
    u8::from(design >= 3)
}

/// The identity of a feed.
fn feed_id(feed: u8) -> [u8; 32] {
    [7 + feed; 32]
}

fn pool_args(pool: usize, authority: Pubkey) -> CreatePoolArgs {
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
        ..base
    };
    let (kind, access, terms) = match pool {
        0 => (PoolKind::Cover, Access::Open, cover),
        1 => (PoolKind::Cover, Access::AllowList, careful),
        2 => (PoolKind::Reinsurance, Access::Open, PoolTerms { cooldown_seconds: 3 * 86_400, ..base }),
        _ => (PoolKind::Reinsurance, Access::ProtocolOnly, PoolTerms { solvency_bps: 15_000, ..base }),
    };
    let deposit_authority = if access == Access::AllowList { authority } else { Pubkey::default() };
    let id = u16::try_from(pool).expect("there are few");
    CreatePoolArgs { id, kind, access, deposit_authority, label: "USDT".into(), terms }
}

/// Which asset a pool holds.
const ASSET_OF: [usize; 4] = [0, 1, 0, 0];

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
    base: LiteSVM,
    begun: i64,
    derived: RefCell<HashMap<Derived, Pubkey>>,
}

/// An address that is derived once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Derived {
    Product(usize, u16),
    Trigger(Pubkey),
    Incident(Pubkey),
    CoverMint(Pubkey, Pubkey, u64),
    Cover(Pubkey),
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
            let args = pool_args(pool, people[AUTHORITY]);
            let keys = PoolKeys::derive(mints[*asset], anchor_spl::token::ID, args.id);
            let create = ix::create_pool(world.governance.pubkey(), world.payer.pubkey(), &keys, args);
            world.run(&[&world.governance], &[create]);
            pools.push(keys);
        }
        let base = world.cluster.svm().clone();
        let begun = world.now();
        Self { world, people, mints, pools, base, begun, derived: RefCell::default() }
    }

    /// Back to the beginning. Returns the model of it.
    pub fn reset(&self) -> Model {
        *self.world.cluster.svm() = self.base.clone();
        let pools = ASSET_OF.iter().enumerate().map(|(pool, asset)| {
            let args = pool_args(pool, self.people[AUTHORITY]);
            super::model::Pool {
                asset: *asset,
                kind: args.kind,
                access: args.access,
                authority: AUTHORITY,
                terms: args.terms,
                surplus: 0,
                classes: Default::default(),
                unearned: 0,
                incident_reserves: 0,
                exit_reserves: 0,
                payable: 0,
                donated: 0,
                accrued_at: self.begun,
                capital_at_day: 0,
                streams: Vec::new(),
                fractions: [0; 4],
                last_cover_end_day: 0,
                queue: Vec::new(),
                in_use: false,
                next_round: 0,
                round_capital: 0,
                round_net: 0,
                quota_share: None,
                layers: Vec::new(),
                inward: Vec::new(),
                products: 0,
                treaties: 0,
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
        }
    }

    fn derive(&self, what: Derived) -> Pubkey {
        if let Some(known) = self.derived.borrow().get(&what) {
            return *known;
        }
        let pool = |pool: usize| self.pools[pool].pool;
        let key = match what {
            Derived::Product(of, id) => address::product(&pool(of), id),
            Derived::Trigger(product) => address::trigger(&product),
            Derived::Incident(product) => address::incident(&product),
            Derived::CoverMint(product, buyer, nonce) => address::cover_mint(&product, &buyer, nonce),
            Derived::Cover(mint) => address::cover(&mint),
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

    /// A cover's NFT.
    pub fn cover_mint(&self, model: &Model, cover: usize) -> Pubkey {
        let entry = &model.covers[cover];
        let product = self.product(model, entry.product).product;
        self.derive(Derived::CoverMint(product, self.people[entry.buyer], entry.nonce))
    }

    /// A cover.
    pub fn cover(&self, model: &Model, cover: usize) -> Pubkey {
        self.derive(Derived::Cover(self.cover_mint(model, cover)))
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

    // ---- running ----

    /// Sends an operation. `Ok` with compute units, or the error as the runtime states it.
    pub fn send(&self, instructions: &[Instruction]) -> Result<litesvm::types::TransactionMetadata, Failed> {
        use solana_sdk::message::{Message, VersionedMessage};
        use solana_sdk::transaction::VersionedTransaction;
        let mut svm = self.world.cluster.svm();
        let message =
            Message::new_with_blockhash(instructions, Some(&self.world.payer.pubkey()), &svm.latest_blockhash());
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        let transaction = VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) };
        let failed = |failed: litesvm::types::FailedTransactionMetadata| Failed {
            error: failed.err,
            logs: failed.meta.logs,
            compute_units: failed.meta.compute_units_consumed,
            fee: failed.meta.fee,
        };
        svm.send_transaction(transaction).map_err(failed)
    }

    /// Writes what an operation needs beside its instructions: the clock, the posted price.
    pub fn prepare(&self, op: &Op) {
        match *op {
            Op::Time { to } => self.world.cluster.set_time(to),
            Op::Observe { feed, price, confidence, publish_time, .. } => {
                let price = Price::e8(i64::try_from(price).expect("a price fits"), confidence, publish_time);
                self.world.cluster.post_price(seeded(PRICE).pubkey(), feed_id(feed), price);
            }
            _ => {}
        }
    }

    /// The instructions of an operation, empty for the clock.
    pub fn instructions(&self, model: &Model, op: &Op) -> Vec<Instruction> {
        let payer = self.world.payer.pubkey();
        let person = |who: Who| self.people[who];
        let pool_of = |product: usize| self.pool(model, model.products[product].pool);
        let product = |product: usize| self.product(model, product);
        let treaty = |treaty: usize| {
            let (cedant, reinsurer) = (model.treaties[treaty].cedant, model.treaties[treaty].reinsurer);
            TreatyKeys {
                cedant: self.pool(model, cedant),
                reinsurer: self.pools[reinsurer].pool,
                treaty: self.treaty(model, treaty),
            }
        };
        let with = |first: Option<Instruction>, second: Instruction| first.into_iter().chain([second]).collect();
        let one = match *op {
            Op::Time { .. } => return Vec::new(),
            Op::Deposit { pool, who, tranche, amount, min_shares, admitted_by } => {
                let keys = self.pool(model, pool);
                let args = DepositArgs { tranche, amount, min_shares };
                let deposit = ix::deposit(&keys, person(who), admitted_by.map(person), args);
                return with(self.open_account(model, who, pool, tranche), deposit);
            }
            Op::Contribute { pool, who, amount } => {
                ix::contribute_surplus(&self.pool(model, pool), person(who), amount)
            }
            Op::Accrue { pool } => ix::accrue(self.pools[pool].pool),
            Op::RequestExit { pool, who, tranche, shares, nonce } => {
                let books = &model.pools[pool];
                let epoch_day = super::model::day(model.now + i64::from(books.terms.cooldown_seconds));
                let args = RequestExitArgs { nonce, tranche, shares, epoch_day };
                let tail = books.queue.last().copied();
                ix::request_exit(&self.pool(model, pool), person(who), payer, tail, args)
            }
            Op::CancelExit { ticket, by } => {
                let entry = &model.tickets[ticket];
                let keys = self.pool(model, entry.pool);
                let mut cancel = ix::cancel_exit(&keys, &self.ticket_account(entry));
                if by != entry.owner {
                    let shares = self.account_of(by, keys.share_mints[entry.tranche]);
                    replace(&mut cancel, 0, person(by));
                    replace(&mut cancel, 5, shares);
                    replace(&mut cancel, 6, keys.assets_of(&person(by)));
                }
                cancel
            }
            Op::SettleEpoch { pool, day, all_cedants } => {
                let inward = model.pools[pool].inward.iter().filter(|_| all_cedants);
                let cedants: Vec<Pubkey> = inward.map(|inward| self.pools[model.treaties[*inward].cedant].pool).collect();
                ix::settle_reinsurance_epoch(self.pools[pool].pool, day, &cedants)
            }
            Op::ClaimExit { ticket, to } => {
                let entry = &model.tickets[ticket];
                let keys = self.pool(model, entry.pool);
                let mut claim = ix::claim_exit(&keys, &self.ticket_account(entry));
                replace(&mut claim, 6, keys.assets_of(&person(to)));
                claim
            }
            Op::CloseEpoch { pool, day } => ix::close_exit_epoch(self.pools[pool].pool, day, payer),
            Op::OpenSeries { pool, tranche, by } => {
                let series = model.pools[pool].classes[tranche.index()].series + 1;
                ix::open_series(person(by), payer, self.pools[pool].pool, tranche, series)
            }
            Op::CreateProduct { pool, design: number, by } => {
                let id = model.pools[pool].products;
                let keys = ProductKeys {
                    pool: self.pool(model, pool),
                    product: self.derive(Derived::Product(pool, id)),
                };
                let args = CreateProductArgs {
                    terms: design(number).0,
                    feed: feed_id(feed_of(number)),
                    ..terms::create_product(self.world.covered, condition(number))
                };
                ix::create_product(person(by), payer, &keys, args)
            }
            Op::SetProductState { product: of, state, by } => {
                ix::set_product_state(person(by), product(of).product, state)
            }
            Op::SetRiskRate { product: of, rate_ppb, by } => {
                ix::set_risk_rate(person(by), product(of).product, rate_ppb)
            }
            Op::Sync { product: of } => ix::sync_product(&product(of)),
            Op::Buy { product: of, who, receiver, sum, days, max_premium, nonce } => {
                let request = CoverRequest { sum_insured: sum, term_days: days };
                let args = BuyCoverArgs { nonce, request, max_premium };
                ix::buy_cover(&product(of), payer, person(who), person(receiver), args)
            }
            Op::CancelCover { cover, by } => {
                let keys = product(model.covers[cover].product);
                ix::cancel_cover(&keys, person(by), self.cover_mint(model, cover), payer)
            }
            Op::CloseCover { cover, by } => {
                let keys = product(model.covers[cover].product);
                ix::close_cover(&keys, by.map(person), self.cover_mint(model, cover), payer)
            }
            Op::Observe { product: of, .. } => ix::observe(&product(of), seeded(PRICE).pubkey()),
            Op::Refresh { product: of } => ix::refresh(&product(of)),
            Op::Confirm { product: of } => ix::confirm(&product(of)),
            Op::OpenIncident { product: of } => ix::open_incident(&product(of), payer),
            Op::Fund { product: of } => ix::fund_incident(&product(of)),
            Op::Settle { cover, holder, to, signed } => {
                let keys = product(model.covers[cover].product);
                let mut settle = ix::settle_cover(&keys, person(holder), self.cover_mint(model, cover));
                settle.accounts[6].is_signer = signed;
                replace(&mut settle, 7, keys.pool.assets_of(&person(to)));
                settle
            }
            Op::CloseIncident { product: of } => ix::close_incident(&product(of), payer),
            Op::CreateTreaty { cedant, reinsurer, terms, by } => {
                let id = model.pools[cedant].treaties;
                let keys = TreatyKeys {
                    cedant: self.pool(model, cedant),
                    reinsurer: self.pools[reinsurer].pool,
                    treaty: self.derive(Derived::Treaty(cedant, id)),
                };
                ix::create_treaty(person(by), payer, &keys, terms)
            }
            Op::AcceptTreaty { treaty: of, by } => ix::accept_treaty(person(by), &treaty(of)),
            Op::SettlePremium { cedant, reinsurer } => {
                ix::settle_treaty_premium(&self.pool(model, cedant), self.pools[reinsurer].pool)
            }
            Op::CallTreaty { treaty: of, product: event } => ix::call_treaty(&treaty(of), &product(event)),
            Op::SkipTreaty { treaty: of, product: event } => ix::skip_treaty(&treaty(of), &product(event)),
            Op::CollectTreaty { treaty: of } => ix::collect_treaty(&treaty(of)),
            Op::EndTreaty { treaty: of } => ix::end_treaty(&treaty(of), payer),
            Op::CommuteTreaty { treaty: of, by } => ix::commute_treaty(person(by), &treaty(of)),
            Op::AnnounceCession { cedant, reinsurer, amount, by } => {
                let (cedant, reinsurer) = (self.pools[cedant].pool, self.pools[reinsurer].pool);
                ix::announce_cession(person(by), payer, cedant, reinsurer, amount)
            }
            Op::CedeSurplus { cedant, by } => {
                let reinsurer = model.cessions.get(&cedant).map_or(3, |cession| cession.reinsurer);
                ix::cede_surplus(person(by), &self.pool(model, cedant), self.pools[reinsurer].pool, payer)
            }
            Op::CloseCession { cedant } => ix::close_cession(self.pools[cedant].pool, payer),
            Op::Pause { bits, by } => ix::pause(person(by), bits),
            Op::SetRoles { guardian, risk_keeper, by } => {
                ix::set_roles(person(by), person(guardian), person(risk_keeper))
            }
            Op::ProposeGovernance { proposed, by } => ix::propose_governance(person(by), person(proposed)),
            Op::AcceptGovernance { by } => ix::accept_governance(person(by)),
            Op::Donate { pool, who, amount } => {
                let asset = model.pools[pool].asset;
                self.move_assets(who, self.pools[pool].vault(), asset, amount)
            }
            Op::MoveShares { pool, tranche, from, to, amount } => {
                let mint = self.pool(model, pool).share_mint(tranche);
                let decimals = [9, 11][model.pools[pool].asset];
                let (source, target) = (self.account_of(from, mint), self.account_of(to, mint));
                let move_shares = transfer(source, mint, target, person(from), amount, decimals, false);
                return with(self.open_account(model, to, pool, tranche), move_shares);
            }
            Op::BurnShares { pool, tranche, who, amount } => {
                let mint = self.pool(model, pool).share_mint(tranche);
                burn(self.account_of(who, mint), mint, person(who), amount)
            }
            Op::MoveNft { cover, to } => {
                let mint = self.cover_mint(model, cover);
                let from = model.covers[cover].holder.unwrap_or(0);
                let account =
                    ix::create_associated_token(&payer, &person(to), &mint, &anchor_spl::token_2022::ID);
                let (source, target) = (self.account_of(from, mint), self.account_of(to, mint));
                return with(Some(account), transfer(source, mint, target, person(from), 1, 0, false));
            }
            Op::BurnNft { cover } => {
                let mint = self.cover_mint(model, cover);
                let holder = model.covers[cover].holder.unwrap_or(0);
                burn(self.account_of(holder, mint), mint, person(holder), 1)
            }
            Op::CloseAssets { asset, who, heir } => {
                let held = model.assets[who][asset].unwrap_or(0);
                let held = u64::try_from(held).expect("it fits");
                let give = self.move_assets(who, self.assets_of(heir, asset), asset, held);
                let close = Instruction {
                    program_id: anchor_spl::token::ID,
                    accounts: vec![
                        AccountMeta::new(self.assets_of(who, asset), false),
                        AccountMeta::new(person(who), false),
                        AccountMeta::new_readonly(person(who), true),
                    ],
                    data: vec![9],
                };
                return vec![give, close];
            }
            Op::OpenAssets { asset, who } => {
                ix::create_associated_token(&payer, &person(who), &self.mints[asset], &anchor_spl::token::ID)
            }
        };
        let _ = pool_of;
        vec![one]
    }

    /// Opens somebody's share account if the model does not know it.
    fn open_account(&self, model: &Model, who: Who, pool: usize, tranche: Tranche) -> Option<Instruction> {
        let series = model.pools[pool].classes[tranche.index()].series;
        let known = model.shares.contains_key(&(who, pool, tranche.index(), series));
        let mint = self.shares(pool, tranche.index(), series);
        let (payer, owner) = (self.world.payer.pubkey(), self.people[who]);
        (!known).then(|| ix::create_associated_token(&payer, &owner, &mint, &anchor_spl::token_2022::ID))
    }

    fn move_assets(&self, from: Who, to: Pubkey, asset: usize, amount: u64) -> Instruction {
        let source = self.assets_of(from, asset);
        transfer(source, self.mints[asset], to, self.people[from], amount, [6, 8][asset], true)
    }

    fn ticket_account(&self, ticket: &Ticket) -> ExitTicket {
        ExitTicket {
            pool: self.pools[ticket.pool].pool,
            owner: self.people[ticket.owner],
            rent_payer: self.world.payer.pubkey(),
            version: 1,
            bump: 0,
            tranche: Tranche::BOTH[ticket.tranche],
            series: ticket.series,
            epoch_day: ticket.day,
            units: 0,
            claimed: 0,
            nonce: ticket.nonce,
            reserved: [0; 32],
        }
    }
}

/// Why a transaction failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The runtime's error.
    pub error: solana_sdk::transaction::TransactionError,
    /// Logs.
    pub logs: Vec<String>,
    /// What it took.
    pub compute_units: u64,
    /// What it cost all the same.
    pub fee: u64,
}

fn replace(instruction: &mut Instruction, place: usize, by: Pubkey) {
    instruction.accounts[place].pubkey = by;
}

/// `TransferChecked` of a token program.
fn transfer(
    from: Pubkey,
    mint: Pubkey,
    to: Pubkey,
    authority: Pubkey,
    amount: u64,
    decimals: u8,
    asset: bool,
) -> Instruction {
    Instruction {
        program_id: if asset { anchor_spl::token::ID } else { anchor_spl::token_2022::ID },
        accounts: vec![
            AccountMeta::new(from, false),
            AccountMeta::new_readonly(mint, false),
            AccountMeta::new(to, false),
            AccountMeta::new_readonly(authority, true),
        ],
        data: [[12].as_slice(), &amount.to_le_bytes(), &[decimals]].concat(),
    }
}

/// `Burn` of Token-2022.
fn burn(account: Pubkey, mint: Pubkey, authority: Pubkey, amount: u64) -> Instruction {
    Instruction {
        program_id: anchor_spl::token_2022::ID,
        accounts: vec![
            AccountMeta::new(account, false),
            AccountMeta::new(mint, false),
            AccountMeta::new_readonly(authority, true),
        ],
        data: [[8].as_slice(), &amount.to_le_bytes()].concat(),
    }
}
