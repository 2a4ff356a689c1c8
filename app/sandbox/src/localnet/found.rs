//! What a local cluster begins with: mints, money, the protocol, a pool with products, and a pool that reinsures it.

use super::fund::{built, mint_to};
use super::keys::{ADMIN, ASSET, CAROL, COVERED, GUARDIAN, Keys, RISK_KEEPER, WALLETS};
use super::{LocalnetError, prices};
use crate::demo::scenario::{self, DAY, DECIMALS, HOUR, MINUTE, ONE, POOL_TERMS, STRESS, product_terms};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_lang::solana_program::system_instruction;
use anchor_spl::token::{self, spl_token};
use backstop::peril::evidence::{Direction, Severity, TermsInput};
use backstop::peril::feed::Source;
use backstop::state::{Access, PoolKind, PoolTerms, ProductTerms, Seen, Tranche, TreatyKind, TreatyTerms, day_of};
use backstop::{CreatePoolArgs, DepositArgs, InitializeArgs};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys, TreatyKeys};
use backstop_client::transaction::{Pipeline, PriorityFee};
use rust_decimal::Decimal;
use solana_sdk::signer::Signer;

/// Ticker of the asset that the pool holds.
pub(super) const ASSET_LABEL: &str = "USDT";
/// Ticker of the asset that is insured.
pub(super) const COVERED_LABEL: &str = "USDC";
/// What every wallet gets of both assets.
const MONEY: u64 = 1_000_000 * ONE;
/// Capital: surplus, junior, senior, and the reinsuring pool's surplus.
const SURPLUS: u64 = 5_000 * ONE;
const JUNIOR: u64 = 40_000 * ONE;
const SENIOR: u64 = 160_000 * ONE;
const REINSURANCE: u64 = 60_000 * ONE;

/// A product of the local cluster.
struct Insured {
    name: &'static str,
    condition: TermsInput,
    risk_rate_ppb: u64,
}

/// The shortest condition that the program takes, paid in full, and the demo's.
const PRODUCTS: [Insured; 2] = [
    Insured {
        name: "USDC below 0.95 for 1h",
        condition: TermsInput {
            direction: Direction::Below,
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Binary,
            duration_seconds: HOUR,
            slot_seconds: 10 * MINUTE,
            tolerance_seconds: 10 * MINUTE,
            challenge_seconds: 2 * HOUR,
            run_on_seconds: 0,
            quiet_seconds: HOUR,
            confidence_multiplier: 200,
        },
        risk_rate_ppb: 40_000_000,
    },
    Insured {
        name: scenario::PRODUCTS[STRESS].name,
        condition: scenario::PRODUCTS[STRESS].condition,
        risk_rate_ppb: scenario::PRODUCTS[STRESS].risk_rate_ppb,
    },
];

/// The lowest price at which every product is sold.
pub(super) fn calm_from() -> Decimal {
    let least = |insured: &Insured| {
        let threshold = insured.condition.threshold;
        let buffer = threshold * u64::from(product_terms(insured.risk_rate_ppb).no_sale_buffer_bps) / 10_000;
        (threshold + buffer).max(insured.condition.recovery)
    };
    let least = PRODUCTS.iter().map(least).max().unwrap_or(0);
    Decimal::from_i128_with_scale(least.into(), 8).normalize()
}

/// The two pools, the treaty between them, and the products of the first.
pub(super) struct Founded {
    pub pool: PoolKeys,
    pub reinsurer: PoolKeys,
    pub treaty: TreatyKeys,
    pub products: Vec<(&'static str, ProductKeys)>,
}

impl Founded {
    /// Everything's address.
    pub fn derive(keys: &Keys) -> Self {
        let asset = keys.id(ASSET);
        let pool = PoolKeys::derive(asset, token::ID, 0);
        let reinsurer = PoolKeys::derive(asset, token::ID, 1);
        let product = |(id, insured): (u16, &Insured)| (insured.name, ProductKeys::derive(pool, id));
        Self {
            pool,
            reinsurer,
            treaty: TreatyKeys::derive(pool, reinsurer.pool, 0),
            products: (0..).zip(&PRODUCTS).map(product).collect(),
        }
    }
}

/// Sends what founds a cluster.
pub(super) struct Founder<'a> {
    cluster: &'a dyn Cluster,
    keys: &'a Keys,
    founded: &'a Founded,
    admin: Pubkey,
}

impl<'a> Founder<'a> {
    pub fn new(cluster: &'a dyn Cluster, keys: &'a Keys, founded: &'a Founded) -> Self {
        Self { cluster, keys, founded, admin: keys.id(ADMIN) }
    }

    /// The first day: mints, money, protocol, pools, products, capital. What a pool announces before anybody has
    /// entrusted it anything needs no notice.
    pub fn first_day(&self) -> Result<(), LocalnetError> {
        self.mints()?;
        self.money()?;
        self.protocol()?;
        self.products()?;
        self.capital()?;
        self.send("the treaty is accepted", &[ix::accept_treaty(self.admin, &self.founded.treaty)])
    }

    /// The next day: capital counts, the treaty is in force, and triggers see the price that is posted, so that covers are
    /// sold.
    pub fn second_day(&self) -> Result<(), LocalnetError> {
        let price = backstop_client::price_account::standing_account(&prices::feed_id(prices::FEED));
        let observe: Vec<_> = self.founded.products.iter().map(|(_, keys)| ix::observe(keys, price)).collect();
        self.send("triggers see a price", &observe)
    }

    fn mints(&self) -> Result<(), LocalnetError> {
        let rent = self.cluster.rent(spl_token::state::Mint::LEN)?;
        let mut instructions = Vec::new();
        for mint in [ASSET, COVERED].map(|name| self.keys.id(name)) {
            let space = spl_token::state::Mint::LEN as u64;
            instructions.push(system_instruction::create_account(&self.admin, &mint, rent, space, &token::ID));
            let freeze = Some(&self.admin);
            let initialize = spl_token::instruction::initialize_mint2(&token::ID, &mint, &self.admin, freeze, DECIMALS);
            instructions.push(built(initialize)?);
        }
        self.send("the mints are created", &instructions)
    }

    fn money(&self) -> Result<(), LocalnetError> {
        for name in WALLETS {
            let mut instructions = Vec::new();
            for mint in [ASSET, COVERED] {
                instructions.extend(mint_to(&self.admin, &self.keys.id(name), &self.keys.id(mint), MONEY)?);
            }
            self.send("money is handed out", &instructions)?;
        }
        Ok(())
    }

    fn protocol(&self) -> Result<(), LocalnetError> {
        let roles = InitializeArgs {
            governance: self.admin,
            guardian: self.keys.id(GUARDIAN),
            risk_keeper: self.keys.id(RISK_KEEPER),
            genesis_hash: self.cluster.genesis_hash()?.to_bytes(),
        };
        self.send("the protocol is created", &[ix::initialize(self.admin, self.admin, roles)])?;
        self.pool("the pool is created", &self.founded.pool, 0, PoolKind::Cover, Access::Open)?;
        let reinsurance = (PoolKind::Reinsurance, Access::ProtocolOnly);
        self.pool("the reinsuring pool is created", &self.founded.reinsurer, 1, reinsurance.0, reinsurance.1)?;
        let start_day = day_of(self.cluster.now()?) + 1;
        let terms = TreatyTerms {
            kind: TreatyKind::QuotaShare {
                cession_bps: scenario::QUOTA_SHARE_BPS,
                commission_bps: scenario::COMMISSION_BPS,
            },
            limit: REINSURANCE,
            start_day,
            end_day: start_day + 365,
        };
        let treaty = ix::create_treaty(self.admin, self.admin, &self.founded.treaty, terms);
        self.send("the treaty is announced", &[treaty])
    }

    fn pool(
        &self,
        step: &'static str,
        keys: &PoolKeys,
        id: u16,
        kind: PoolKind,
        access: Access,
    ) -> Result<(), LocalnetError> {
        let args = CreatePoolArgs {
            id,
            kind,
            access,
            deposit_authority: Pubkey::default(),
            label: ASSET_LABEL.into(),
            uri: "https://backstop.example/files/localnet-pool.json".into(),
            // As short as the products' triggers let it be, in whole days.
            terms: PoolTerms { cooldown_seconds: 2 * DAY, ..POOL_TERMS },
        };
        self.send(step, &[ix::create_pool(self.admin, self.admin, keys, args)])
    }

    fn products(&self) -> Result<(), LocalnetError> {
        for (id, ((name, keys), insured)) in (0..).zip(self.founded.products.iter().zip(&PRODUCTS)) {
            let product = NewProduct {
                name: (*name).into(),
                uri: "https://backstop.example/files/localnet.json".into(),
                wording_hash: [0; 32],
                covered_asset: self.keys.id(COVERED),
                terms: ProductTerms {
                    max_price_age: HOUR,
                    min_term_days: 4,
                    max_term_days: 90,
                    ..product_terms(insured.risk_rate_ppb)
                },
                source: Source::PythReceiver,
                feed: prices::feed_id(prices::FEED),
                attestors: None,
                vaults: Vec::new(),
                condition: insured.condition,
            };
            self.send("a product is created", &product.instructions(self.admin, self.admin, keys, id))?;
        }
        Ok(())
    }

    fn capital(&self) -> Result<(), LocalnetError> {
        let Founded { pool, reinsurer, .. } = self.founded;
        let surplus = [(pool, SURPLUS), (reinsurer, REINSURANCE)];
        let give = surplus.map(|(keys, amount)| ix::contribute_surplus(keys, self.admin, amount, Seen::ANYTHING));
        self.send("the surplus is given", &give)?;
        let carol = self.keys.id(CAROL);
        let products = u16::try_from(PRODUCTS.len()).unwrap_or(u16::MAX);
        let seen = Seen { products, treaties: 1 };
        for (tranche, amount) in [(Tranche::Junior, JUNIOR), (Tranche::Senior, SENIOR)] {
            let shares = pool.share_mint(tranche);
            let account = ix::create_associated_token(&self.admin, &carol, &shares, &anchor_spl::token_2022::ID);
            let args = DepositArgs { tranche, amount, min_shares: 0, seen };
            self.send("the first capital is put in", &[account, ix::deposit(pool, carol, None, args)])?;
        }
        Ok(())
    }

    fn send(&self, step: &'static str, instructions: &[Instruction]) -> Result<(), LocalnetError> {
        let signers = [CAROL, ASSET, COVERED].map(|name| self.keys.get(name) as &dyn Signer).into();
        let payer = self.keys.get(ADMIN);
        let priority_fee = PriorityFee::Fixed(0);
        let pipeline = Pipeline { signers, priority_fee, ..Pipeline::new(self.cluster, payer) };
        pipeline.send(instructions).map(|_| ()).map_err(|why| refused(step, why))
    }
}

fn refused(step: &'static str, why: ClusterError) -> LocalnetError {
    let why = match backstop_client::transaction::program_error(&why) {
        Some(error) => error.to_string(),
        None => why.to_string(),
    };
    LocalnetError::Founding { step, why }
}
