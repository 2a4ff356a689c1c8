//! A market of the example lender in a world: the lender, borrowers, their loans.

use crate::terms::{self, DAY, FEED, ONE};
use crate::{Outcome, Person, World, budget, explain, seeded};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AccountDeserialize, InstructionData, ToAccountMetas, system_program};
use backstop::peril::evidence::TermsInput;
use backstop::state::Tranche;
use backstop_client::address;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_sandbox::embedded::Price;
use loan::error::LoanError;
use loan::state::{LOAN_SEED, Loan, MARKET_SEED, Market};
use loan::{OpenLoanArgs, accounts, instruction};
use solana_sdk::instruction::InstructionError;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::TransactionError;

pub use loan::ID;
pub use loan::state::MarketTerms;

/// What a loan of [`Lending::borrower`] borrows.
pub const AMOUNT: u64 = 8_000 * ONE;
/// What it pledges, at a price of 1.
pub const COLLATERAL: u64 = 10_000 * ONE;
/// For how long.
pub const TERM_DAYS: u16 = 30;

/// The committed program of the lender.
pub fn program() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../artifacts/loan.so");
    std::fs::read(path).expect("toolchain/build.sh has built it")
}

/// Terms that a careful lender would choose.
pub fn market_terms() -> MarketTerms {
    MarketTerms {
        max_ltv_bps: 8_500,
        liquidation_ltv_bps: 9_200,
        interest_bps: 500,
        max_price_bps: 1_000,
        min_term_days: 7,
        max_term_days: 90,
        max_price_age: 60,
        min_loan: ONE,
    }
}

/// What instructions need to know of a market.
#[derive(Clone, Copy, Debug)]
pub struct MarketKeys {
    /// Whoever lends.
    pub lends: Pubkey,
    /// The market.
    pub market: Pubkey,
    /// The pool that insures; its asset is lent.
    pub pool: PoolKeys,
    /// The product that insures.
    pub product: ProductKeys,
    /// What is pledged.
    pub collateral_mint: Pubkey,
    /// Where loans read the price.
    pub price_account: Pubkey,
}

/// A market with money, on a product that sells.
pub struct Lending {
    /// Where it is.
    pub world: World,
    /// What it consists of.
    pub keys: MarketKeys,
    /// Whoever lends.
    pub lender: Person,
    /// Another product of the pool.
    pub other: ProductKeys,
}

impl core::ops::Deref for Lending {
    type Target = MarketKeys;

    fn deref(&self) -> &MarketKeys {
        &self.keys
    }
}

fn read<T: AccountDeserialize>(cluster: &dyn Cluster, address: &Pubkey) -> Option<T> {
    let account = cluster.account(address).expect("the cluster answers")?;
    Some(T::try_deserialize(&mut account.data.as_slice()).expect("it is one of the program"))
}

fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: loan::ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

impl MarketKeys {
    /// The keys of a lender's market on a product.
    pub fn derive(lends: Pubkey, product: ProductKeys, collateral_mint: Pubkey, price_account: Pubkey) -> Self {
        let seeds = [MARKET_SEED, lends.as_ref(), product.product.as_ref()];
        let market = Pubkey::find_program_address(&seeds, &loan::ID).0;
        Self { lends, market, pool: product.pool, product, collateral_mint, price_account }
    }

    /// A loan of [`AMOUNT`] on [`COLLATERAL`].
    pub fn args(&self, number: u64) -> OpenLoanArgs {
        OpenLoanArgs { number, amount: AMOUNT, collateral: COLLATERAL, term_days: TERM_DAYS, max_premium: AMOUNT }
    }

    /// A loan, if it is open.
    pub fn find_loan(&self, cluster: &dyn Cluster, number: u64) -> Option<Loan> {
        read(cluster, &self.loan(number))
    }

    /// The market's vault.
    pub fn vault(&self) -> Pubkey {
        self.pool.assets_of(&self.market)
    }

    /// Somebody's account of the collateral.
    pub fn collateral_of(&self, owner: &Pubkey) -> Pubkey {
        terms::assets_of(owner, &self.collateral_mint)
    }

    /// The address of a loan.
    pub fn loan(&self, number: u64) -> Pubkey {
        Pubkey::find_program_address(&[LOAN_SEED, self.market.as_ref(), &number.to_le_bytes()], &loan::ID).0
    }

    /// The address of a loan's position.
    pub fn position(&self, number: u64) -> Pubkey {
        address::position(&self.product.product, &self.market, number)
    }

    /// `create_market`.
    pub fn create_market(&self, terms: MarketTerms) -> Instruction {
        let accounts = accounts::CreateMarket {
            lender: self.lends,
            market: self.market,
            pool: self.pool.pool,
            product: self.product.product,
            trigger: self.product.trigger(),
            loan_mint: self.pool.asset_mint,
            collateral_mint: self.collateral_mint,
            vault: self.vault(),
            collateral_vault: self.collateral_of(&self.market),
            loan_token_program: anchor_spl::token::ID,
            collateral_token_program: anchor_spl::token::ID,
            system_program: system_program::ID,
        };
        build(accounts, instruction::CreateMarket { terms })
    }

    /// `supply`.
    pub fn supply(&self, amount: u64) -> Instruction {
        let accounts = accounts::Supply {
            lender: self.lends,
            market: self.market,
            from: self.pool.assets_of(&self.lends),
            vault: self.vault(),
            loan_mint: self.pool.asset_mint,
            loan_token_program: anchor_spl::token::ID,
        };
        build(accounts, instruction::Supply { amount })
    }

    /// `withdraw`.
    pub fn withdraw(&self, amount: u64) -> Instruction {
        let accounts = accounts::Withdraw {
            lender: self.lends,
            market: self.market,
            to: self.pool.assets_of(&self.lends),
            vault: self.vault(),
            loan_mint: self.pool.asset_mint,
            loan_token_program: anchor_spl::token::ID,
        };
        build(accounts, instruction::Withdraw { amount })
    }

    /// `open_loan`.
    pub fn open_loan(&self, payer: Pubkey, borrower: Pubkey, args: OpenLoanArgs) -> Instruction {
        let accounts = accounts::OpenLoan {
            payer,
            borrower,
            market: self.market,
            loan: self.loan(args.number),
            from: self.collateral_of(&borrower),
            to: self.pool.assets_of(&borrower),
            vault: self.vault(),
            collateral_vault: self.collateral_of(&self.market),
            loan_mint: self.pool.asset_mint,
            collateral_mint: self.collateral_mint,
            price: self.price_account,
            protocol: address::protocol(),
            pool: self.pool.pool,
            product: self.product.product,
            rates: self.product.rates(),
            trigger: self.product.trigger(),
            pool_vault: self.pool.vault(),
            position: self.position(args.number),
            loan_token_program: anchor_spl::token::ID,
            collateral_token_program: anchor_spl::token::ID,
            system_program: system_program::ID,
            backstop_program: backstop::ID,
        };
        build(accounts, instruction::OpenLoan { args })
    }

    /// `repay`, out of somebody's associated account.
    pub fn repay(&self, payer: Pubkey, number: u64, amount: u64) -> Instruction {
        let accounts = accounts::Repay {
            payer,
            market: self.market,
            loan: self.loan(number),
            from: self.pool.assets_of(&payer),
            vault: self.vault(),
            loan_mint: self.pool.asset_mint,
            loan_token_program: anchor_spl::token::ID,
        };
        build(accounts, instruction::Repay { amount })
    }

    /// `reduce_cover`, to a sum that stays.
    pub fn reduce_cover(&self, borrower: Pubkey, number: u64, sum_insured: u64) -> Instruction {
        let accounts = accounts::ReduceCover {
            borrower,
            market: self.market,
            loan: self.loan(number),
            borrower_assets: self.pool.assets_of(&borrower),
            loan_mint: self.pool.asset_mint,
            pool: self.pool.pool,
            product: self.product.product,
            rates: self.product.rates(),
            trigger: self.product.trigger(),
            pool_vault: self.pool.vault(),
            position: self.position(number),
            loan_token_program: anchor_spl::token::ID,
            backstop_program: backstop::ID,
        };
        build(accounts, instruction::ReduceCover { sum_insured })
    }

    /// `apply_payout`, with the rest for a token account.
    pub fn apply_payout(&self, number: u64, borrower_assets: Pubkey) -> Instruction {
        let accounts = accounts::ApplyPayout {
            market: self.market,
            loan: self.loan(number),
            position: self.position(number),
            borrower_assets,
            vault: self.vault(),
            loan_mint: self.pool.asset_mint,
            loan_token_program: anchor_spl::token::ID,
        };
        build(accounts, instruction::ApplyPayout {})
    }

    /// `liquidate`.
    pub fn liquidate(&self, lender: Pubkey, number: u64) -> Instruction {
        let accounts = accounts::Liquidate {
            lender,
            market: self.market,
            loan: self.loan(number),
            position: self.position(number),
            trigger: self.product.trigger(),
            price: self.price_account,
            to: self.collateral_of(&self.lends),
            collateral_vault: self.collateral_of(&self.market),
            collateral_mint: self.collateral_mint,
            collateral_token_program: anchor_spl::token::ID,
        };
        build(accounts, instruction::Liquidate {})
    }

    /// `close_loan`, which the borrower signs or does not.
    pub fn close_loan(&self, borrower: Pubkey, signs: bool, rent_payer: Pubkey, number: u64) -> Instruction {
        let accounts = accounts::CloseLoan {
            borrower,
            market: self.market,
            loan: self.loan(number),
            rent_payer,
            borrower_collateral: self.collateral_of(&borrower),
            borrower_assets: self.pool.assets_of(&borrower),
            collateral_vault: self.collateral_of(&self.market),
            loan_mint: self.pool.asset_mint,
            collateral_mint: self.collateral_mint,
            pool: self.pool.pool,
            product: self.product.product,
            rates: self.product.rates(),
            trigger: self.product.trigger(),
            pool_vault: self.pool.vault(),
            position: self.position(number),
            loan_token_program: anchor_spl::token::ID,
            collateral_token_program: anchor_spl::token::ID,
            backstop_program: backstop::ID,
        };
        let mut close = build(accounts, instruction::CloseLoan {});
        close.accounts[0].is_signer = signs;
        close
    }
}

impl Lending {
    /// A market on a product with a condition, a fresh price of 1, and 100,000 to lend.
    pub fn new(condition: TermsInput) -> Self {
        let world = World::new();
        world.cluster.svm().add_program(loan::ID, &program()).expect("the runtime loads it");
        let pool = world.create_pool(terms::create_pool(0));
        let product = world.create_product(&pool, condition);
        let other = world.create_product(&pool, terms::stress());
        world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
        world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
        world.next_day();
        let lender = world.person(100_000 * ONE);
        let keys = MarketKeys::derive(lender.id(), product, world.covered, seeded(8).pubkey());
        let this = Self { world, keys, lender, other };
        this.price(100_000_000);
        this.create(market_terms(), 100_000 * ONE);
        this
    }

    /// Creates the market with its accounts, and supplies it.
    #[track_caller]
    pub fn create(&self, terms: MarketTerms, amount: u64) {
        let world = &self.world;
        world.cluster.set_tokens(&self.lender.id(), &world.covered, 0);
        world.cluster.set_tokens(&self.market, &world.asset, 0);
        world.cluster.set_tokens(&self.market, &world.covered, 0);
        world.run(&[&self.lender.key], &[self.create_market(terms), self.supply(amount)]);
    }

    /// Shows the trigger a price of now, and posts it where loans read it.
    pub fn price(&self, price_e8: i64) {
        self.world.print(&self.product, price_e8);
        self.post(price_e8, 0);
    }

    /// Posts a price of now where loans read it, and shows it to no trigger.
    pub fn post(&self, price_e8: i64, confidence: u64) {
        let price = Price::e8(price_e8, confidence, self.world.now());
        self.world.cluster.post_price(self.price_account, FEED, price);
    }

    /// The market's books.
    pub fn books(&self) -> Market {
        read(&self.world.cluster, &self.market).expect("the market is there")
    }

    /// A loan, if it is open.
    pub fn find(&self, number: u64) -> Option<Loan> {
        self.keys.find_loan(&self.world.cluster, number)
    }

    /// A loan.
    #[track_caller]
    pub fn state(&self, number: u64) -> Loan {
        self.find(number).expect("the loan is open")
    }

    /// Refuses books that the vaults do not cover.
    #[track_caller]
    pub fn assert_vaults(&self) {
        let books = self.books();
        assert!(self.world.tokens(&self.vault()) >= books.cash + books.kept);
        assert_eq!(self.world.tokens(&self.collateral_of(&self.market)), books.collateral);
        crate::assert_books(&self.world.cluster, &self.pool.pool);
    }

    /// Somebody with collateral and an empty account of what is lent.
    pub fn borrower(&self) -> Person {
        let person = self.world.person(0);
        self.world.cluster.set_tokens(&person.id(), &self.world.covered, COLLATERAL);
        person
    }

    /// Somebody who has borrowed [`AMOUNT`] on [`COLLATERAL`].
    #[track_caller]
    pub fn borrowed(&self, number: u64) -> Person {
        let person = self.borrower();
        self.open(&person, self.args(number)).unwrap_or_else(|error| panic!("{}", explain(&error)));
        person
    }

    /// Opens a loan.
    pub fn open(&self, borrower: &Person, args: OpenLoanArgs) -> Outcome {
        self.world.send(&[&borrower.key], &[budget(), self.open_loan(borrower.id(), borrower.id(), args)])
    }

    /// Lets the price fall until the event is proven, and opens and funds the incident.
    pub fn fall(&self, price_e8: i64) {
        self.world.depeg(&self.product, price_e8);
        self.world.open_and_fund(&self.product);
        self.post(price_e8, 0);
    }

    /// Past the waiting time.
    pub fn wait(&self) {
        self.world.advance(3 * DAY);
    }

    /// `settle_position` of a loan's position.
    pub fn settle(&self, number: u64) -> Outcome {
        self.world.send(&[], &[ix::settle_position(&self.product, self.position(number), self.vault())])
    }
}

/// Asserts that the lender refused a transaction with an error of its own.
#[track_caller]
pub fn assert_loan_refused(outcome: Outcome, expected: LoanError) {
    let error = outcome.expect_err(&format!("expected {expected:?}, but the transaction succeeded"));
    let code = match &error {
        ClusterError::Failed {
            error: TransactionError::InstructionError(_, InstructionError::Custom(code)), ..
        } => *code,
        _ => panic!("{}", explain(&error)),
    };
    assert_eq!(code, u32::from(expected), "{}", explain(&error));
}
