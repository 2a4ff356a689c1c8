//! A world to test in: one protocol, two assets, as many pools, products and people as a test asks for.

use crate::terms::{self, DAY, FEED, HOUR};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::peril::evidence::TermsInput;
use backstop::state::{
    Cover, CoverRequest, Crisis, ExitEpoch, ExitTicket, Incident, Pool, Position, Product, Protocol, Tranche, Trigger,
    day_of,
};
use backstop::{BuyCoverArgs, BuyPositionArgs, CreatePoolArgs, DepositArgs, InitializeArgs, RequestExitArgs};
use backstop_client::account::{self, Decode};
use backstop_client::cluster::{Cluster, ClusterError, Receipt};
use backstop_client::instruction::NewProduct;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::{address, transaction};
use backstop_sandbox::EmbeddedCluster;
use backstop_sandbox::embedded::GENESIS_HASH;
use backstop_sandbox::embedded::Price;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::cell::{Cell, RefCell};

/// The result of a transaction.
pub type Outcome = Result<Receipt, ClusterError>;

/// When a world begins: 11 November 2023, an hour after midnight UTC.
pub const START: i64 = 19_672 * DAY + HOUR;

/// A protocol on an embedded cluster.
pub struct World {
    /// The cluster.
    pub cluster: EmbeddedCluster,
    /// Pays fees and rent, and is the program's upgrade authority.
    pub payer: Keypair,
    /// Governance.
    pub governance: Keypair,
    /// Guardian.
    pub guardian: Keypair,
    /// Risk keeper.
    pub risk_keeper: Keypair,
    /// The asset that pools hold and pay in.
    pub asset: Pubkey,
    /// The asset that is insured.
    pub covered: Pubkey,
    next: Cell<u64>,
    heard: RefCell<Vec<Vec<String>>>,
}

/// Somebody with lamports and tokens.
pub struct Person {
    /// The wallet.
    pub key: Keypair,
}

impl Person {
    /// The wallet's address.
    pub fn id(&self) -> Pubkey {
        self.key.pubkey()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A protocol with its roles, and nothing else. Signatures are checked.
    pub fn new() -> Self {
        let payer = seeded(1);
        Self::on(EmbeddedCluster::start(START, &payer.pubkey()), payer)
    }

    /// The same without signature checks: for long random sequences.
    pub fn unsigned() -> Self {
        let payer = seeded(1);
        Self::on(EmbeddedCluster::start_unsigned(START, &payer.pubkey()), payer)
    }

    /// A cluster with the program, mints and people, on which nobody has set the protocol up.
    pub fn uninitialised() -> Self {
        let payer = seeded(1);
        Self::before_initialising(EmbeddedCluster::start(START, &payer.pubkey()), payer)
    }

    fn on(cluster: EmbeddedCluster, payer: Keypair) -> Self {
        let world = Self::before_initialising(cluster, payer);
        let args = InitializeArgs {
            governance: world.governance.pubkey(),
            guardian: world.guardian.pubkey(),
            risk_keeper: world.risk_keeper.pubkey(),
            genesis_hash: GENESIS_HASH.to_bytes(),
        };
        let id = world.payer.pubkey();
        world.run(&[], &[ix::initialize(id, id, args)]);
        world
    }

    fn before_initialising(cluster: EmbeddedCluster, payer: Keypair) -> Self {
        let world = Self {
            cluster,
            payer,
            governance: seeded(2),
            guardian: seeded(3),
            risk_keeper: seeded(4),
            asset: seeded(5).pubkey(),
            covered: seeded(6).pubkey(),
            next: Cell::new(1_000),
            heard: RefCell::default(),
        };
        for key in [&world.payer, &world.governance, &world.guardian, &world.risk_keeper] {
            world.cluster.airdrop(&key.pubkey(), 1_000_000_000_000);
        }
        world.cluster.create_mint(world.asset, 6, &world.payer.pubkey());
        world.cluster.create_mint(world.covered, 6, &world.payer.pubkey());
        world
    }

    // ---- running ----

    /// Sends instructions, paid and if needed signed by the payer, and signed by others where they must.
    pub fn send(&self, signers: &[&Keypair], instructions: &[Instruction]) -> Outcome {
        self.cluster.svm().expire_blockhash();
        let outcome = transaction::send(&self.cluster, &self.payer, signers, instructions);
        if let Ok(receipt) = &outcome {
            self.heard.borrow_mut().push(receipt.logs.clone());
        }
        outcome
    }

    /// The logs of all transactions that were accepted since this was asked for last, whoever sent them.
    pub fn hear(&self) -> Vec<Vec<String>> {
        self.heard.take()
    }

    /// Sends instructions that must succeed.
    #[track_caller]
    pub fn run(&self, signers: &[&Keypair], instructions: &[Instruction]) -> Receipt {
        self.send(signers, instructions).unwrap_or_else(|error| panic!("{}", crate::explain(&error)))
    }

    /// The clock.
    pub fn now(&self) -> i64 {
        self.cluster.time()
    }

    /// Moves the clock on.
    pub fn advance(&self, seconds: i64) {
        self.cluster.advance(seconds);
    }

    /// Moves the clock to the first second of the next UTC day.
    pub fn next_day(&self) {
        self.cluster.set_time((i64::from(day_of(self.now())) + 1) * DAY);
    }

    /// The cluster's UTC day.
    pub fn today(&self) -> u32 {
        day_of(self.now())
    }

    /// A number that no call before has returned.
    pub fn fresh(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    // ---- reading ----

    /// Reads an account that must be there.
    #[track_caller]
    pub fn read<T: Decode>(&self, address: &Pubkey) -> T {
        account::fetch(&self.cluster, address).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        self.read(&address::protocol())
    }

    /// A pool's account.
    #[track_caller]
    pub fn pool(&self, keys: &PoolKeys) -> Pool {
        self.read(&keys.pool)
    }

    /// A product's account.
    #[track_caller]
    pub fn product(&self, keys: &ProductKeys) -> Product {
        self.read(&keys.product)
    }

    /// A product's trigger.
    #[track_caller]
    pub fn trigger(&self, keys: &ProductKeys) -> Trigger {
        self.read(&keys.trigger())
    }

    /// `open_incident`, into the crisis that the pool's books say.
    pub fn open_incident(&self, keys: &ProductKeys) -> Instruction {
        ix::open_incident(keys, self.payer.pubkey(), ix::next_crisis(&self.pool(&keys.pool)))
    }

    /// `fund_incident`, of the incident's crisis.
    pub fn fund_incident(&self, keys: &ProductKeys) -> Instruction {
        ix::fund_incident(keys, self.incident(keys).crisis)
    }

    /// `close_incident`, with its crisis if it has one.
    pub fn close_incident(&self, keys: &ProductKeys) -> Instruction {
        let number = Some(self.incident(keys).crisis).filter(|number| *number != 0);
        let crisis = number.map(|number| (number, self.crisis(keys, number).rent_payer));
        ix::close_incident(keys, self.incident(keys).rent_payer, crisis)
    }

    /// A crisis of a product's pool.
    #[track_caller]
    pub fn crisis(&self, keys: &ProductKeys, number: u32) -> Crisis {
        self.read(&keys.crisis(number))
    }

    /// A product's incident.
    #[track_caller]
    pub fn incident(&self, keys: &ProductKeys) -> Incident {
        self.read(&keys.incident())
    }

    /// The cover of an NFT's mint.
    #[track_caller]
    pub fn cover(&self, mint: &Pubkey) -> Cover {
        self.read(&address::cover(mint))
    }

    /// A position.
    #[track_caller]
    pub fn position(&self, address: &Pubkey) -> Position {
        self.read(address)
    }

    /// A ticket.
    #[track_caller]
    pub fn ticket(&self, keys: &PoolKeys, owner: &Person, nonce: u64) -> ExitTicket {
        self.read(&address::exit_ticket(&keys.pool, &owner.id(), nonce))
    }

    /// An epoch.
    #[track_caller]
    pub fn epoch(&self, keys: &PoolKeys, day: u32) -> ExitEpoch {
        self.read(&address::exit_epoch(&keys.pool, day))
    }

    /// Units in a token account; 0 if it does not exist.
    pub fn tokens(&self, account: &Pubkey) -> u64 {
        let account = self.cluster.account(account).expect("the cluster answers");
        account.map_or(0, |account| u64::from_le_bytes(account.data[64..72].try_into().expect("eight bytes")))
    }

    /// The asset in somebody's wallet.
    pub fn assets(&self, person: &Person) -> u64 {
        self.tokens(&terms::assets_of(&person.id(), &self.asset))
    }

    /// Shares of a tranche in somebody's wallet.
    pub fn shares(&self, keys: &PoolKeys, person: &Person, tranche: Tranche) -> u64 {
        self.tokens(&keys.shares_of(&person.id(), tranche))
    }

    // ---- people ----

    /// Somebody with lamports and an amount of the asset.
    pub fn person(&self, assets: u64) -> Person {
        let person = Person { key: seeded(self.fresh()) };
        self.cluster.airdrop(&person.id(), 100_000_000_000);
        self.cluster.set_tokens(&person.id(), &self.asset, assets);
        person
    }

    // ---- pools ----

    /// Creates a pool that must be accepted.
    #[track_caller]
    pub fn create_pool(&self, args: CreatePoolArgs) -> PoolKeys {
        let keys = PoolKeys::derive(self.asset, anchor_spl::token::ID, args.id);
        let create = ix::create_pool(self.governance.pubkey(), self.payer.pubkey(), &keys, args);
        self.run(&[&self.governance], &[create]);
        keys
    }

    /// Deposits, creating the share account on the way.
    pub fn deposit(&self, keys: &PoolKeys, person: &Person, tranche: Tranche, amount: u64) -> Outcome {
        let books = self.pool(keys);
        let args = DepositArgs { tranche, amount, min_shares: 0, seen: books.seen() };
        let account = ix::create_associated_token(
            &self.payer.pubkey(),
            &person.id(),
            &keys.share_mint(tranche),
            &anchor_spl::token_2022::ID,
        );
        let deposit = ix::deposit_with_cedants(keys, person.id(), None, args, &books.cedants());
        self.send(&[&person.key], &[account, deposit])
    }

    /// Somebody who has deposited an amount.
    #[track_caller]
    pub fn depositor(&self, keys: &PoolKeys, tranche: Tranche, amount: u64) -> Person {
        let person = self.person(amount);
        self.deposit(keys, &person, tranche, amount).unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
        person
    }

    /// Requests an exit. Returns the ticket's number with the outcome.
    pub fn request_exit(&self, keys: &PoolKeys, person: &Person, tranche: Tranche, shares: u64) -> (u64, Outcome) {
        let nonce = self.fresh();
        let epoch_day = self.pool(keys).exit_day(self.now());
        let args = RequestExitArgs { nonce, tranche, shares, epoch_day };
        let request = ix::request_exit(keys, person.id(), self.payer.pubkey(), args);
        (nonce, self.send(&[&person.key], &[request]))
    }

    /// Requests an exit that must be accepted. Returns the ticket's number.
    #[track_caller]
    pub fn exit(&self, keys: &PoolKeys, person: &Person, tranche: Tranche, shares: u64) -> u64 {
        let (nonce, outcome) = self.request_exit(keys, person, tranche, shares);
        outcome.unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
        nonce
    }

    /// Settles the epoch of a day.
    pub fn settle_epoch(&self, keys: &PoolKeys, day: u32) -> Outcome {
        self.send(&[], &[ix::settle_exit_epoch(keys.pool, day)])
    }

    /// Claims a ticket, called by the payer.
    pub fn claim(&self, keys: &PoolKeys, person: &Person, nonce: u64) -> Outcome {
        let ticket = self.ticket(keys, person, nonce);
        self.send(&[], &[ix::claim_exit(keys, &ticket)])
    }

    // ---- products and covers ----

    /// Announces a product, which must be accepted, and sets its condition.
    #[track_caller]
    pub fn create_product_with(&self, pool: &PoolKeys, product: NewProduct) -> ProductKeys {
        let id = self.pool(pool).products;
        let keys = ProductKeys::derive(*pool, id);
        let both = product.instructions(self.governance.pubkey(), self.payer.pubkey(), &keys, id);
        self.run(&[&self.governance], &both);
        keys
    }

    /// Announces a product, which must be accepted, and sets no condition.
    #[track_caller]
    pub fn announce_product(&self, pool: &PoolKeys, product: &NewProduct) -> ProductKeys {
        let id = self.pool(pool).products;
        let keys = ProductKeys::derive(*pool, id);
        let announcement = product.announcement(id);
        let announce = ix::create_product(self.governance.pubkey(), self.payer.pubkey(), &keys, announcement);
        self.run(&[&self.governance], &[announce]);
        keys
    }

    /// Creates a product with careful terms.
    #[track_caller]
    pub fn create_product(&self, pool: &PoolKeys, condition: TermsInput) -> ProductKeys {
        self.create_product_with(pool, terms::create_product(self.covered, condition))
    }

    /// Posts a price of the covered asset, published now, and shows it to a trigger.
    pub fn show(&self, keys: &ProductKeys, price_e8: i64) -> Outcome {
        self.show_at(keys, price_e8, self.now())
    }

    /// Posts a price of the covered asset and shows it to a trigger.
    pub fn show_at(&self, keys: &ProductKeys, price_e8: i64, publish_time: i64) -> Outcome {
        let account = seeded(7).pubkey();
        self.cluster.post_price(account, FEED, Price::e8(price_e8, 0, publish_time));
        self.send(&[], &[ix::observe(keys, account)])
    }

    /// Shows a price that must be taken.
    #[track_caller]
    pub fn print(&self, keys: &ProductKeys, price_e8: i64) {
        self.show(keys, price_e8).unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
    }

    /// Buys a cover for oneself. Returns the NFT's mint with the outcome.
    pub fn buy(&self, keys: &ProductKeys, buyer: &Person, sum_insured: u64, term_days: u16) -> (Pubkey, Outcome) {
        let nonce = self.fresh();
        let args = BuyCoverArgs {
            nonce,
            day: self.today(),
            request: CoverRequest { sum_insured, term_days },
            max_premium: u64::MAX,
        };
        let buy = ix::buy_cover(keys, self.payer.pubkey(), buyer.id(), buyer.id(), args);
        let mint = address::cover_mint(&keys.product, &buyer.id(), nonce, self.today());
        (mint, self.send(&[&buyer.key], &[budget(), buy]))
    }

    /// Buys a position that pays somebody's associated account, at any price. Returns its address.
    pub fn buy_position(
        &self,
        keys: &ProductKeys,
        [owner, beneficiary]: [&Person; 2],
        sum_insured: u64,
        term_days: u16,
    ) -> (Pubkey, Outcome) {
        let nonce = self.fresh();
        let request = CoverRequest { sum_insured, term_days };
        let args = BuyPositionArgs { nonce, request, max_premium: u64::MAX, reference: [9; 32] };
        let to = keys.pool.assets_of(&beneficiary.id());
        let buy = ix::buy_position(keys, self.payer.pubkey(), owner.id(), to, args);
        (address::position(&keys.product, &owner.id(), nonce), self.send(&[&owner.key], &[budget(), buy]))
    }

    /// Pays a position to its beneficiary, called by anyone.
    pub fn settle_position(&self, keys: &ProductKeys, position: &Pubkey) -> Outcome {
        let beneficiary = self.position(position).beneficiary;
        self.send(&[], &[ix::settle_position(keys, *position, beneficiary)])
    }

    /// Somebody who has bought a cover, on a fresh healthy print. Returns the NFT's mint.
    #[track_caller]
    pub fn holder(&self, keys: &ProductKeys, sum_insured: u64, term_days: u16) -> (Person, Pubkey) {
        self.print(keys, 100_000_000);
        let person = self.person(sum_insured);
        let (mint, outcome) = self.buy(keys, &person, sum_insured, term_days);
        outcome.unwrap_or_else(|error| panic!("{}", crate::explain(&error)));
        (person, mint)
    }

    /// Settles a cover to its holder's wallet, called by the payer.
    pub fn settle(&self, keys: &ProductKeys, holder: &Person, mint: &Pubkey) -> Outcome {
        self.send(&[], &[ix::settle_cover(keys, holder.id(), *mint)])
    }

    /// Shows two prices in the slot after the present one, so far apart that they count together.
    #[track_caller]
    pub fn recover(&self, keys: &ProductKeys, price_e8: i64) {
        let terms = self.trigger(keys).terms;
        let slot = i64::from(terms.slot_seconds);
        self.cluster.set_time((self.now() / slot + 1) * slot);
        self.print(keys, price_e8);
        self.advance(terms.apart().into());
        self.print(keys, price_e8);
    }

    /// Shows a breach in every slot until the trigger's condition is met, then waits challenge and run-on out and confirms.
    #[track_caller]
    pub fn depeg(&self, keys: &ProductKeys, price_e8: i64) {
        self.depeg_until_proven(keys, price_e8);
        let run_on = self.trigger(keys).terms.run_on;
        if run_on > 0 {
            self.advance(run_on.into());
            self.run(&[], &[ix::refresh(keys)]);
        }
    }

    /// The same without the run-on.
    #[track_caller]
    pub fn depeg_until_proven(&self, keys: &ProductKeys, price_e8: i64) {
        let terms = self.trigger(keys).terms;
        let slot = i64::from(terms.slot_seconds);
        for _ in 0..terms.need {
            let next = (self.now() / slot + 1) * slot;
            self.cluster.set_time(next);
            self.print(keys, price_e8);
        }
        self.advance(slot + i64::from(terms.challenge));
        self.run(&[], &[ix::confirm(keys)]);
    }

    /// Opens and funds the incident of a trigger that has triggered.
    #[track_caller]
    pub fn open_and_fund(&self, keys: &ProductKeys) {
        self.run(&[], &[self.open_incident(keys)]);
        self.run(&[], &[self.fund_incident(keys)]);
    }
}

/// A keypair that is the same in every run.
pub fn seeded(number: u64) -> Keypair {
    let mut seed = [0u8; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed[31] = 77;
    Keypair::new_from_array(seed)
}

/// Asks for as many compute units as a transaction can have.
pub fn budget() -> Instruction {
    let mut data = vec![2];
    data.extend(1_400_000u32.to_le_bytes());
    Instruction {
        program_id: anchor_lang::prelude::pubkey!("ComputeBudget111111111111111111111111111111"),
        accounts: Vec::new(),
        data,
    }
}
