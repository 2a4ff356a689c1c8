//! The program as it runs on the chain, from an empty pool to a payout. `PAYROLL_PROGRAM` names it: what
//! `toolchain/build.sh --crate` has built.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{InstructionData, ToAccountMetas, system_program};
use backstop::state::{CoverState, Tranche};
use backstop_client::address;
use backstop_client::instruction::ProductKeys;
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Person, World, explain};

const SUM: u64 = 10_000 * ONE;

struct Town {
    world: World,
    product: ProductKeys,
    payer: Person,
    safe: Pubkey,
    assets: Pubkey,
    position: Pubkey,
}

/// A product that sells, and a safe with money.
fn town() -> Town {
    let path = std::env::var("PAYROLL_PROGRAM").expect("PAYROLL_PROGRAM names the built program");
    let world = World::new();
    world.cluster.svm().add_program(payroll::ID, &std::fs::read(path).expect("it is there")).expect("it loads");
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    world.print(&product, 100_000_000);
    let safe = Pubkey::find_program_address(&[b"safe"], &payroll::ID).0;
    let assets = world.cluster.set_tokens(&safe, &world.asset, SUM);
    let position = address::position(&product.product, &safe, 0);
    Town { payer: world.person(0), world, product, safe, assets, position }
}

impl Town {
    fn insure(&self) -> Instruction {
        let accounts = payroll::accounts::Insure {
            payer: self.payer.id(),
            safe: self.safe,
            assets: self.assets,
            protocol: address::protocol(),
            pool: self.product.pool.pool,
            product: self.product.product,
            rates: self.product.rates(),
            trigger: self.product.trigger(),
            vault: self.product.pool.vault(),
            asset_mint: self.product.pool.asset_mint,
            position: self.position,
            asset_token_program: self.product.pool.asset_token_program,
            system_program: system_program::ID,
            backstop_program: backstop::ID,
        };
        instruction(accounts, payroll::instruction::Insure { sum_insured: SUM, max_premium: 100 * ONE })
    }

    /// Refuses, with these words, unless the safe is insured for a sum for a day.
    fn require_insured(&self, sum_insured: u64) -> Result<(), String> {
        let accounts = payroll::accounts::OfPosition { safe: self.safe, position: self.position };
        let until = self.world.now() + DAY;
        let instruction = instruction(accounts, payroll::instruction::RequireInsured { sum_insured, until });
        self.world.send(&[], &[instruction]).map(|_| ()).map_err(|why| explain(&why))
    }
}

fn instruction(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: payroll::ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

#[test]
fn a_safe_insures_itself_and_is_paid() {
    let town = town();
    town.world.run(&[&town.payer.key], &[town.insure()]);
    let bought = town.world.position(&town.position);
    assert_eq!((bought.insured, bought.beneficiary, bought.sum_insured), (town.safe, town.assets, SUM));
    assert_eq!(town.world.tokens(&town.assets), SUM - bought.premium);
    let early = town.require_insured(SUM).unwrap_err();
    assert!(early.contains("7002"), "it is not in force yet: {early}");

    town.world.advance(3 * DAY);
    town.require_insured(SUM).unwrap();
    let more = town.require_insured(SUM + 1).unwrap_err();
    assert!(more.contains("7001"), "it is insured for less: {more}");

    town.world.depeg(&town.product, 80_000_000);
    town.world.open_and_fund(&town.product);
    town.world.settle_position(&town.product, &town.position).unwrap();
    let paid = town.world.position(&town.position);
    assert_eq!((paid.state, paid.paid, paid.refunded), (CoverState::Settled, SUM, 0));
    assert_eq!(town.world.tokens(&town.assets), 2 * SUM - bought.premium);
    let after = town.require_insured(SUM).unwrap_err();
    assert!(after.contains("7000"), "it was paid: {after}");
}
