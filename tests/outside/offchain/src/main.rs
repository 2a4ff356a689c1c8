//! Finds the accounts of a product, quotes, and prints the transaction's instruction.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{InstructionData, ToAccountMetas, system_program};
use backstop::state::{CoverRequest, Pool, Product};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{PoolKeys, ProductKeys};
use backstop_client::{account, address};

/// What insuring a sum costs now, at the most, and the instruction that does it.
pub fn insure(
    cluster: &dyn Cluster,
    product: Pubkey,
    payer: Pubkey,
    sum_insured: u64,
) -> Result<anchor_lang::solana_program::instruction::Instruction, Box<dyn std::error::Error>> {
    let pool = account::fetch::<Product>(cluster, &product)?.pool;
    let books: Pool = account::fetch(cluster, &pool)?;
    let token_program = cluster.account(&books.asset_mint)?.ok_or("there is no mint")?.owner;
    let keys = ProductKeys { pool: PoolKeys::of(pool, &books, token_program), product };
    let request = CoverRequest { sum_insured, term_days: 30 };
    let safe = Pubkey::find_program_address(&[b"safe"], &payroll::ID).0;
    let accounts = payroll::accounts::Insure {
        payer,
        safe,
        assets: keys.pool.assets_of(&safe),
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        position: address::position(&product, &safe, 0),
        asset_token_program: token_program,
        system_program: system_program::ID,
        backstop_program: backstop::ID,
    };
    let data = payroll::instruction::Insure { sum_insured: request.sum_insured, max_premium: sum_insured / 50 };
    Ok(anchor_lang::solana_program::instruction::Instruction {
        program_id: payroll::ID,
        accounts: accounts.to_account_metas(None),
        data: data.data(),
    })
}

fn main() {
    println!("{}", Pubkey::find_program_address(&[b"safe"], &payroll::ID).0);
}
