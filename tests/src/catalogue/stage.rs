//! A market that every instruction finds its place in: pools of one asset, their products, people with shares, covers
//! and tickets in each, treaties between them, all with fixed keys.
//!
//! Whatever an instruction is about has siblings in the same state: another person's in the same pool, another
//! product's, another pool's. They are what an attacker would put in its place.

pub use super::setup::Setup;
use crate::terms::{self, DAY, FEED, ONE};
use crate::{World, budget};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_spl::token_2022::spl_token_2022::{self, extension::ExtensionType, extension::metadata_pointer};
use anchor_spl::token_2022_extensions::spl_token_metadata_interface::instruction as metadata;
use anchor_spl::{associated_token, token, token_2022};
use backstop::constants::DAY_BUCKETS;
use backstop::state::{
    Access, CoverRequest, ExitTicket, PoolKind, Rates, Seen, Tranche, TreatyKind, TreatyTerms, day_of,
};
use backstop::{BuyCoverArgs, BuyPositionArgs, CreatePoolArgs, DepositArgs, RequestExitArgs};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::NewProduct;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys, TreatyKeys};
use backstop_sandbox::embedded::Price;
use sha2::{Digest, Sha256};
use solana_sdk::account::Account;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::cell::Cell;

/// Senior depositors and the index of their pool.
pub const SENIORS: [(&str, usize); 3] = [("alice", 0), ("anna", 0), ("bea", 1)];
/// Junior depositors and the index of their pool.
pub const JUNIORS: [(&str, usize); 2] = [("jack", 0), ("jill", 1)];
/// Depositors of the reinsurance pools and the index of their pool.
pub const BACKERS: [(&str, usize); 2] = [("rosa", REINSURERS[0]), ("saul", REINSURERS[1])];
/// The index of a pool that is not created.
pub const FRESH: usize = 4;
/// The indexes of the reinsurance pools.
pub const REINSURERS: [usize; 2] = [2, 3];
/// Holders of covers and the index of their product.
pub const HOLDERS: [(&str, usize); 4] = [("carl", 0), ("cora", 0), ("dora", 1), ("eric", 2)];

/// Two cover pools, two reinsurance pools, three products (two of the first pool), and what people hold in them.
pub struct Stage {
    /// The cluster, the protocol and its roles.
    pub world: World,
    /// What the market was made of.
    pub setup: Setup,
    /// The asset's mint.
    pub asset: Pubkey,
    /// The asset's token program.
    pub asset_program: Pubkey,
    /// Pays all rent.
    pub rent: Keypair,
    /// Ids of the pools.
    pub ids: [u16; 5],
    /// Two cover pools and two reinsurance pools of the asset, and the keys of one that is not created.
    pub pools: [PoolKeys; 5],
    /// Two products of the first pool and one of the second.
    pub products: [ProductKeys; 3],
    /// A quota share of the first pool with the first reinsurer, a layer with the second; a quota share of the second
    /// pool.
    pub treaties: [TreatyKeys; 3],
    /// The day on which the covers were sold.
    sold_on: Cell<u32>,
}

/// Pools of the products, and their ids.
const PRODUCTS: [(usize, u16); 3] = [(0, 0), (0, 1), (1, 0)];

/// The key that belongs to a label.
pub fn key(label: &str) -> Keypair {
    Keypair::new_from_array(Sha256::digest(label).into())
}

/// Whether an address is found on the first try, so that fixed keys cost what most keys cost at the least.
fn first_try(seeds: &[&[u8]], program: &Pubkey) -> bool {
    Pubkey::find_program_address(seeds, program).1 == u8::MAX
}

fn associated_first_try(owner: &Pubkey, mint: &Pubkey, program: &Pubkey) -> bool {
    first_try(&[owner.as_ref(), program.as_ref(), mint.as_ref()], &associated_token::ID)
}

impl Stage {
    /// The protocol, the asset, and the keys of what will be there.
    pub fn bare(setup: Setup) -> Self {
        let world = World::new();
        let rent = key("rent");
        world.cluster.airdrop(&rent.pubkey(), 1_000_000_000_000);
        let (asset, asset_program) =
            if setup.token_2022 { (extended_mint(&world), token_2022::ID) } else { (world.asset, token::ID) };
        let mut fitting = (0..=u16::MAX).filter(|id| pool_on_first_try(&asset, *id));
        let ids = [(); 5].map(|()| fitting.next().expect("every sixteenth id fits"));
        let pools = ids.map(|id| PoolKeys::derive(asset, asset_program, id));
        let products = PRODUCTS.map(|(pool, id)| ProductKeys::derive(pools[pool], id));
        let [first, second] = REINSURERS.map(|reinsurer| pools[reinsurer].pool);
        let treaties = [(0, first, 0), (0, second, 1), (1, first, 0)]
            .map(|(cedant, reinsurer, id)| TreatyKeys::derive(pools[cedant], reinsurer, id));
        let sold_on = Cell::new(0);
        Self { world, setup, asset, asset_program, rent, ids, pools, products, treaties, sold_on }
    }

    /// The pools and their products, and a reinsurance pool of another asset.
    pub fn empty(setup: Setup) -> Self {
        let stage = Self::bare(setup);
        for pool in 0..FRESH {
            stage.act(&[&stage.world.governance], &[budget(), stage.create_pool(pool)]);
        }
        let other = PoolKeys::derive(stage.world.covered, token::ID, 0);
        let args = CreatePoolArgs { kind: PoolKind::Reinsurance, ..terms::create_pool(0) };
        let create = ix::create_pool(stage.world.governance.pubkey(), stage.rent.pubkey(), &other, args);
        stage.act(&[&stage.world.governance], &[budget(), create]);
        for product in 0..stage.products.len() {
            stage.act(&[&stage.world.governance], &stage.create_product(product));
        }
        stage
    }

    /// The same with capital and, if there are treaties, with all of them announced.
    pub fn offered(setup: Setup) -> Self {
        let stage = Self::empty(setup);
        if stage.setup.reinsured {
            // Nobody has entrusted the pools with anything: no notice is needed.
            for (treaty, kind) in stage.treaties.iter().zip(kinds()) {
                let start_day = day_of(stage.world.now()) + 1;
                let terms = TreatyTerms { kind, limit: 40_000 * ONE, start_day, end_day: start_day + 365 };
                let governance = &stage.world.governance;
                let create = ix::create_treaty(governance.pubkey(), stage.rent.pubkey(), treaty, terms);
                stage.act(&[governance], &[create]);
            }
        }
        let (senior, junior) = (stage.setup.senior, stage.setup.junior);
        for (names, tranche, amount) in [
            (SENIORS.as_slice(), Tranche::Senior, senior),
            (JUNIORS.as_slice(), Tranche::Junior, junior),
            (BACKERS.as_slice(), Tranche::Senior, senior),
        ] {
            for (name, pool) in names {
                stage.enter(name, amount);
                let (account, deposit) = stage.deposit(&stage.pools[*pool], name, tranche, amount);
                stage.act(&[&stage.person(name), &key("admission")], &[account, deposit]);
            }
        }
        stage
    }

    /// The same with treaties in force, if there are any, on the next day.
    pub fn funded(setup: Setup) -> Self {
        let stage = Self::offered(setup);
        if stage.setup.reinsured {
            stage.give_surplus(10_000 * ONE);
            for treaty in &stage.treaties {
                let governance = &stage.world.governance;
                stage.act(&[governance], &[ix::accept_treaty(governance.pubkey(), treaty)]);
            }
        }
        stage.world.next_day();
        stage
    }

    /// The same with covers, in force.
    pub fn sold(setup: Setup) -> Self {
        let stage = Self::funded(setup);
        stage.show(100_000_000);
        stage.sold_on.set(stage.world.today());
        for (name, product) in HOLDERS {
            stage.enter(name, stage.setup.sum_insured);
            stage.act(&[&stage.person(name)], &[budget(), stage.buy(&stage.products[product], name, name)]);
        }
        stage.world.advance(3 * DAY);
        stage
    }

    /// Everybody who has a cover buys a position too.
    pub fn with_positions(self) -> Self {
        self.show(100_000_000);
        for (name, product) in HOLDERS {
            self.enter(name, self.setup.sum_insured);
            let nonce = self.position_nonce(&self.products[product], name);
            let buy = self.buy_position(&self.products[product], name, name, nonce);
            self.act(&[&self.person(name)], &[budget(), buy]);
        }
        self.world.advance(3 * DAY);
        self
    }

    /// Covers and positions, with every trigger confirmed, every incident open and funded.
    pub fn positions_paid(setup: Setup) -> Self {
        let stage = Self::sold(setup).with_positions();
        stage.depeg(90_000_000);
        for product in &stage.products {
            stage.act(&[], &[ix::confirm(product)]);
            stage.act(&[], &[ix::open_incident(product, stage.rent.pubkey(), 1)]);
        }
        for product in &stage.products {
            stage.act(&[], &[budget(), ix::fund_incident(product, 1)]);
        }
        stage
    }

    /// The same with every trigger confirmed.
    pub fn triggered(setup: Setup) -> Self {
        let stage = Self::sold(setup);
        stage.depeg(90_000_000);
        for product in &stage.products {
            stage.act(&[], &[ix::confirm(product)]);
        }
        stage
    }

    /// The same with every incident open.
    pub fn opened(setup: Setup) -> Self {
        let stage = Self::triggered(setup);
        for product in &stage.products {
            stage.act(&[], &[ix::open_incident(product, stage.rent.pubkey(), 1)]);
        }
        stage
    }

    /// Freezes a pool's vault, as an issuer can.
    pub fn freeze(&self, pool: usize) {
        let vault = self.pools[pool].vault();
        let mut account = self.world.cluster.account(&vault).expect("the cluster answers").expect("it is there");
        account.data[108] = 2;
        self.world.cluster.set_account(vault, account);
    }

    /// The same with every incident funded.
    pub fn paid(setup: Setup) -> Self {
        let stage = Self::opened(setup);
        for product in &stage.products {
            stage.act(&[], &[budget(), ix::fund_incident(product, 1)]);
        }
        stage
    }

    /// Capital and covers, and every senior depositor has asked to leave with a part of the shares, in hundredths.
    pub fn leaving(setup: Setup, hundredths: u64) -> Self {
        let stage = Self::sold(setup);
        for (name, pool) in SENIORS {
            let request = stage.request_exit(&stage.pools[pool], name, hundredths);
            stage.act(&[&stage.person(name)], &[request]);
        }
        stage
    }

    /// The same after their epoch's day.
    pub fn due(setup: Setup, hundredths: u64) -> Self {
        let stage = Self::leaving(setup, hundredths);
        stage.world.cluster.set_time((i64::from(stage.exit_day()) + 1) * DAY);
        stage
    }

    /// The same with their epochs settled, as far as capital was free.
    pub fn settled(setup: Setup, hundredths: u64) -> Self {
        let stage = Self::due(setup, hundredths);
        let day = stage.exit_day();
        for pool in &stage.pools[..2] {
            stage.act(&[], &[ix::settle_exit_epoch(pool.pool, day)]);
        }
        stage
    }

    // ---- acting ----

    /// Runs instructions that prepare the stage.
    #[track_caller]
    pub fn act(&self, signers: &[&Keypair], instructions: &[Instruction]) {
        let mut all = vec![&self.rent];
        all.extend(signers);
        self.world.run(&all, instructions);
    }

    /// Shows a price to every trigger.
    pub fn show(&self, price_e8: i64) {
        let price = self.post(price_e8, self.world.now());
        for product in &self.products {
            self.act(&[], &[budget(), ix::observe(product, price)]);
        }
    }

    /// Posts a price of the covered asset, and beside it one of another feed and one of a second before.
    pub fn post(&self, price_e8: i64, publish_time: i64) -> Pubkey {
        let post = |label: &str, feed: [u8; 32], publish_time: i64| {
            self.world.cluster.post_price(key(label).pubkey(), feed, Price::e8(price_e8, 0, publish_time));
        };
        post("price", FEED, publish_time);
        post("price of another feed", [8; 32], publish_time);
        post("price of a second before", FEED, publish_time - 1);
        key("price").pubkey()
    }

    /// Shows breaches to every trigger until its condition is met and its challenge over.
    pub fn depeg(&self, price_e8: i64) {
        let terms = self.world.trigger(&self.products[0]).terms;
        for _ in 0..terms.need {
            self.next_slot();
            self.show(price_e8);
        }
        self.world.advance(i64::from(terms.slot_seconds) + i64::from(terms.challenge) + 1);
    }

    /// Moves the clock to the start of the next slot of the triggers.
    pub fn next_slot(&self) {
        let slot = i64::from(self.world.trigger(&self.products[0]).terms.slot_seconds);
        self.world.cluster.set_time((self.world.now() / slot + 1) * slot);
    }

    /// Gives somebody lamports, an account of the asset, and an amount in it.
    pub fn enter(&self, name: &str, amount: u64) {
        let person = self.person(name).pubkey();
        self.world.cluster.airdrop(&person, 100_000_000_000);
        let payer = self.rent.pubkey();
        let create = ix::create_associated_token(&payer, &person, &self.asset, &self.asset_program);
        let to = self.pools[0].assets_of(&person);
        let issuer = self.world.payer.pubkey();
        let mint = spl_token_2022::instruction::mint_to(&self.asset_program, &self.asset, &to, &issuer, &[], amount);
        self.act(&[], &[create, mint.expect("the token program is one of the two")]);
    }

    /// Earns premium up to now, then lets days pass in which nobody does anything.
    pub fn rest(&self, days: i64) {
        for pool in &self.pools[..FRESH] {
            self.act(&[], &[budget(), ix::accrue(pool.pool)]);
        }
        self.world.advance(days * DAY);
    }

    /// Gives the first product covers of a unit, at a rate of next to nothing, that end on each of the coming days: the
    /// dearest books there are, which would take a purchase a day.
    pub fn fill_days(&self, days: u32) {
        let keys = &self.products[0];
        let (mut pool, mut product) = (self.world.pool(&keys.pool), self.world.product(keys));
        let mut rates: Rates = self.world.read(&keys.rates());
        let today = day_of(self.world.now());
        for day in today + 1..=today + days {
            let place = day as usize % DAY_BUCKETS;
            product.exposure_ends[place] += 1;
            pool.rate_ends[place] += 1;
            rates.ends[place] += 1;
        }
        product.exposure += u64::from(days);
        pool.rate_q32 += u64::from(days);
        pool.last_cover_end_day = pool.last_cover_end_day.max(today + days);
        pool.add_exposure(product.risk_group(), days.into()).expect("it fits");
        let write = |address: Pubkey, bytes: &[u8]| {
            let mut account = self.world.cluster.account(&address).expect("the cluster answers").expect("it is there");
            account.data[8..].copy_from_slice(bytes);
            self.world.cluster.set_account(address, account);
        };
        write(keys.pool.pool, bytemuck::bytes_of(&pool));
        write(keys.product, bytemuck::bytes_of(&product));
        write(keys.rates(), bytemuck::bytes_of(&rates));
    }

    /// Gives an amount to the surplus of both cover pools.
    pub fn give_surplus(&self, amount: u64) {
        self.enter("sponsor", 2 * amount);
        let sponsor = self.person("sponsor");
        for pool in &self.pools[..2] {
            self.act(&[&sponsor], &[budget(), ix::contribute_surplus(pool, sponsor.pubkey(), amount, Seen::ANYTHING)]);
        }
    }

    /// Settles the covers of all holders.
    pub fn settle_all(&self) {
        for (name, product) in HOLDERS {
            self.act(&[], &[self.settle(name, product)]);
        }
    }

    // ---- people and their numbers ----

    /// Somebody whose associated account of the asset is found on the first try.
    pub fn person(&self, name: &str) -> Keypair {
        let keys = (0..).map(|number: u32| key(&format!("{name} {number}")));
        let fits = |key: &Keypair| associated_first_try(&key.pubkey(), &self.asset, &self.asset_program);
        keys.into_iter().find(fits).expect("every second key fits")
    }

    /// The number under which somebody buys a cover today.
    pub fn cover_nonce(&self, product: &ProductKeys, buyer: &str, receiver: &str) -> u64 {
        self.cover_nonce_of(product, buyer, receiver, self.world.today())
    }

    fn cover_nonce_of(&self, product: &ProductKeys, buyer: &str, receiver: &str, day: u32) -> u64 {
        use backstop::constants::{COVER_MINT_SEED, COVER_SEED};
        let (buyer, receiver) = (self.person(buyer).pubkey(), self.person(receiver).pubkey());
        let fits = |nonce: &u64| {
            let seeds: [&[u8]; 5] =
                [COVER_MINT_SEED, product.product.as_ref(), buyer.as_ref(), &nonce.to_le_bytes(), &day.to_le_bytes()];
            let (mint, bump) = Pubkey::find_program_address(&seeds, &backstop::ID);
            bump == u8::MAX
                && first_try(&[COVER_SEED, mint.as_ref()], &backstop::ID)
                && associated_first_try(&receiver, &mint, &token_2022::ID)
        };
        (0..).find(fits).expect("every eighth number fits")
    }

    /// The NFT's mint of the cover that somebody bought when all covers were.
    pub fn cover_mint(&self, product: &ProductKeys, holder: &str) -> Pubkey {
        let day = self.sold_on.get();
        let nonce = self.cover_nonce_of(product, holder, holder, day);
        backstop_client::address::cover_mint(&product.product, &self.person(holder).pubkey(), nonce, day)
    }

    /// The number under which somebody buys a position.
    pub fn position_nonce(&self, product: &ProductKeys, owner: &str) -> u64 {
        self.position_nonce_from(product, owner, 0)
    }

    /// The number under which somebody has another position than that of a number.
    pub fn position_nonce_after(&self, product: &ProductKeys, owner: &str, last: u64) -> u64 {
        self.position_nonce_from(product, owner, last + 1)
    }

    fn position_nonce_from(&self, product: &ProductKeys, owner: &str, from: u64) -> u64 {
        use backstop::constants::POSITION_SEED;
        let owner = self.person(owner).pubkey();
        let fits = |nonce: &u64| {
            let seeds: [&[u8]; 4] = [POSITION_SEED, product.product.as_ref(), owner.as_ref(), &nonce.to_le_bytes()];
            first_try(&seeds, &backstop::ID)
        };
        (from..).find(fits).expect("every second number fits")
    }

    /// Somebody's position.
    pub fn position(&self, product: &ProductKeys, owner: &str) -> Pubkey {
        let nonce = self.position_nonce(product, owner);
        backstop_client::address::position(&product.product, &self.person(owner).pubkey(), nonce)
    }

    /// The number under which somebody leaves.
    pub fn ticket_nonce(&self, pool: &PoolKeys, owner: &str) -> u64 {
        use backstop::constants::EXIT_SEED;
        let owner = self.person(owner).pubkey();
        let fits = |nonce: &u64| {
            let seeds: [&[u8]; 4] = [EXIT_SEED, pool.pool.as_ref(), owner.as_ref(), &nonce.to_le_bytes()];
            first_try(&seeds, &backstop::ID)
        };
        (0..).find(fits).expect("every second number fits")
    }

    /// Somebody's ticket.
    pub fn ticket(&self, pool: &PoolKeys, owner: &str) -> ExitTicket {
        let nonce = self.ticket_nonce(pool, owner);
        self.world.read(&backstop_client::address::exit_ticket(&pool.pool, &self.person(owner).pubkey(), nonce))
    }

    /// The day of the newest epoch in the queue.
    pub fn exit_day(&self) -> u32 {
        self.world.pool(&self.pools[0]).newest_exit_day
    }

    // ---- instructions ----

    /// Creates one of the pools.
    pub fn create_pool(&self, pool: usize) -> Instruction {
        let by_list = self.setup.access == Access::AllowList;
        let reinsures = REINSURERS.contains(&pool);
        let args = CreatePoolArgs {
            kind: if reinsures { PoolKind::Reinsurance } else { PoolKind::Cover },
            access: self.setup.access,
            deposit_authority: if by_list { key("admission").pubkey() } else { Pubkey::default() },
            terms: self.setup.pool,
            ..terms::create_pool(self.ids[pool])
        };
        ix::create_pool(self.world.governance.pubkey(), self.rent.pubkey(), &self.pools[pool], args)
    }

    /// Announces one of the products and sets its condition.
    pub fn create_product(&self, product: usize) -> [Instruction; 2] {
        let new = NewProduct {
            name: self.setup.name.into(),
            terms: self.setup.product,
            ..terms::create_product(self.world.covered, self.setup.condition)
        };
        let (keys, id) = (&self.products[product], PRODUCTS[product].1);
        new.instructions(self.world.governance.pubkey(), self.rent.pubkey(), keys, id)
    }

    /// Creates somebody's share account, and deposits.
    pub fn deposit(&self, pool: &PoolKeys, name: &str, tranche: Tranche, amount: u64) -> (Instruction, Instruction) {
        let owner = self.person(name).pubkey();
        let mint = pool.share_mint(tranche);
        let account = ix::create_associated_token(&self.rent.pubkey(), &owner, &mint, &token_2022::ID);
        let admission = (self.setup.access == Access::AllowList).then(|| key("admission").pubkey());
        let books = self.world.pool(pool);
        let args = DepositArgs { tranche, amount, min_shares: 1, seen: books.seen() };
        (account, ix::deposit_with_cedants(pool, owner, admission, args, &books.cedants()))
    }

    /// Somebody asks to leave with a part of the shares, in hundredths.
    pub fn request_exit(&self, pool: &PoolKeys, name: &str, hundredths: u64) -> Instruction {
        let owner = self.person(name).pubkey();
        let is_junior = JUNIORS.iter().any(|(junior, _)| *junior == name);
        let tranche = if is_junior { Tranche::Junior } else { Tranche::Senior };
        let shares = self.world.tokens(&pool.shares_of(&owner, tranche)) / 100 * hundredths;
        let epoch_day = self.world.pool(pool).exit_day(self.world.now());
        let nonce = self.ticket_nonce(pool, name);
        let args = RequestExitArgs { nonce, tranche, shares, epoch_day };
        ix::request_exit(pool, owner, self.rent.pubkey(), args)
    }

    /// Pays somebody's cover on a product.
    pub fn settle(&self, name: &str, product: usize) -> Instruction {
        let product = &self.products[product];
        ix::settle_cover(product, self.person(name).pubkey(), self.cover_mint(product, name))
    }

    /// Somebody buys a cover for somebody.
    pub fn buy(&self, product: &ProductKeys, buyer: &str, receiver: &str) -> Instruction {
        self.buy_as(product, buyer, receiver, self.cover_nonce(product, buyer, receiver))
    }

    /// Somebody buys a cover for somebody, under a number.
    pub fn buy_as(&self, product: &ProductKeys, buyer: &str, receiver: &str, nonce: u64) -> Instruction {
        let args = BuyCoverArgs {
            nonce,
            day: self.world.today(),
            request: CoverRequest { sum_insured: self.setup.sum_insured, term_days: self.setup.term_days },
            max_premium: self.setup.sum_insured,
        };
        let (buyer, receiver) = (self.person(buyer).pubkey(), self.person(receiver).pubkey());
        ix::buy_cover(product, self.rent.pubkey(), buyer, receiver, args)
    }

    /// Somebody buys a position that pays somebody, under a number.
    pub fn buy_position(&self, product: &ProductKeys, owner: &str, beneficiary: &str, nonce: u64) -> Instruction {
        let args = BuyPositionArgs {
            nonce,
            request: CoverRequest { sum_insured: self.setup.sum_insured, term_days: self.setup.term_days },
            max_premium: self.setup.sum_insured,
            reference: [7; 32],
        };
        let (owner, beneficiary) = (self.person(owner).pubkey(), self.person(beneficiary).pubkey());
        ix::buy_position(product, self.rent.pubkey(), owner, product.pool.assets_of(&beneficiary), args)
    }
}

/// What the treaties of the stage are.
fn kinds() -> [TreatyKind; 3] {
    let quota_share = TreatyKind::QuotaShare { cession_bps: 3_000, commission_bps: 2_500 };
    let layer = TreatyKind::ExcessOfLoss {
        attachment: 3_000 * ONE,
        rate_on_line_bps: 500,
        reinstatements: 2,
        reinstatement_premium_bps: 10_000,
    };
    [quota_share, layer, quota_share]
}

fn pool_on_first_try(asset: &Pubkey, id: u16) -> bool {
    use backstop::constants::{POOL_SEED, SHARES_SEED, VAULT_SEED};
    let (pool, bump) = Pubkey::find_program_address(&[POOL_SEED, asset.as_ref(), &id.to_le_bytes()], &backstop::ID);
    let mint = |tranche: Tranche| first_try(&[SHARES_SEED, pool.as_ref(), &[tranche.seed()], &[0]], &backstop::ID);
    bump == u8::MAX && first_try(&[VAULT_SEED, pool.as_ref()], &backstop::ID) && Tranche::BOTH.into_iter().all(mint)
}

/// Makes a Token-2022 mint with metadata, as issuers of stablecoins do.
fn extended_mint(world: &World) -> Pubkey {
    let mint = key("extended mint").pubkey();
    let issuer = world.payer.pubkey();
    let program = token_2022::ID;
    let space =
        ExtensionType::try_calculate_account_len::<spl_token_2022::state::Mint>(&[ExtensionType::MetadataPointer])
            .expect("the extension has a fixed length");
    let lamports = world.cluster.rent(space + 500).expect("the cluster answers");
    let empty = Account { lamports, data: vec![0; space], owner: program, executable: false, rent_epoch: 0 };
    world.cluster.set_account(mint, empty);
    let pointer = metadata_pointer::instruction::initialize(&program, &mint, Some(issuer), Some(mint));
    let base = spl_token_2022::instruction::initialize_mint2(&program, &mint, &issuer, Some(&issuer), 6);
    let (name, symbol, uri) = ("A Dollar".into(), "USD".into(), "https://issuer.example/usd.json".into());
    let shown = metadata::initialize(&program, &mint, &issuer, &mint, &issuer, name, symbol, uri);
    let fits = "the token program is Token-2022";
    world.run(&[], &[pointer.expect(fits), base.expect(fits), shown]);
    mint
}
