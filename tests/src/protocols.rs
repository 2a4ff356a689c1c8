//! Protocols that live feeds read, run by their own programs where those are at hand (see [`crate::fixtures`]), and by the
//! bytes that they document where not.

use crate::live::{put, reserve_bytes, stake_pool_bytes};
use crate::{World, fixtures, seeded};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use backstop::peril::feed::{spl_lending, stake_pool};
use solana_sdk::account::Account;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// Lamports of a SOL.
pub const SOL: u64 = 1_000_000_000;
const STAKE_ID: Pubkey = Pubkey::from_str_const("Stake11111111111111111111111111111111111111");
const WAD: u128 = 1_000_000_000_000_000_000;

/// Loads a program that is no part of the project. Whether it is at hand.
fn load(world: &World, file: &str, id: Pubkey) -> bool {
    let Some(path) = fixtures::find(&format!("programs/{file}")) else { return false };
    let program = std::fs::read(path).expect("the program can be read");
    world.cluster.svm().add_program(id, &program).expect("it is a program");
    true
}

fn writable(address: Pubkey) -> AccountMeta {
    AccountMeta::new(address, false)
}

fn read_only(address: Pubkey) -> AccountMeta {
    AccountMeta::new_readonly(address, false)
}

/// A stake pool whose stake lies in its reserve.
pub struct StakePool {
    /// The pool's account.
    pub account: Pubkey,
    is_real: bool,
    sol: u64,
    epoch: u64,
}

impl StakePool {
    const ID: Pubkey = stake_pool::PROGRAM_IDS[0];

    /// Founds one with so many SOL, and as many tokens, in an epoch; by the real program only if `real` asks for it, and
    /// `None` where that is not at hand.
    pub fn found(world: &World, real: bool, sol: u64, epoch: u64) -> Option<Self> {
        let pool = Self { account: seeded(700).pubkey(), is_real: real, sol, epoch };
        world.cluster.set_epoch(epoch);
        if !real {
            pool.write(world, sol);
            return Some(pool);
        }
        if !load(world, "spl_stake_pool.so", Self::ID) {
            return None;
        }
        let manager = seeded(702);
        let (mint, validators) = (pool.mint(), pool.validators());
        world.cluster.create_mint(mint, 9, &pool.authority());
        let mut bare = world.cluster.svm().get_account(&mint).expect("it is there");
        bare.data[46..82].fill(0); // no freeze authority
        world.cluster.set_account(mint, bare);
        let fees = world.cluster.set_tokens(&manager.pubkey(), &mint, 0);
        put(world, pool.account, Self::ID, vec![0; stake_pool::LENGTH]);
        put(world, validators, Self::ID, vec![0; 5 + 4 + 73]);
        pool.set_reserve(world, sol * SOL);
        let none = [1_000u64.to_le_bytes(), 0u64.to_le_bytes()].concat(); // of a thousand nothing
        let data = [&[0], none.as_slice(), &none, &none, &[0], &1u32.to_le_bytes()].concat();
        let accounts = vec![
            writable(pool.account),
            AccountMeta::new_readonly(manager.pubkey(), true),
            read_only(manager.pubkey()),
            read_only(pool.authority()),
            writable(validators),
            read_only(pool.reserve()),
            writable(mint),
            writable(fees),
            read_only(anchor_spl::token::ID),
        ];
        world.run(&[&manager], &[Instruction { program_id: Self::ID, accounts, data }]);
        Some(pool)
    }

    /// A part of its stake is lost, and the next epoch begins. Until [`Self::update`] the pool knows of neither.
    pub fn slash(&mut self, world: &World, percent: u64) {
        self.sol -= self.sol * percent / 100;
        self.epoch += 1;
        world.cluster.set_epoch(self.epoch);
        if self.is_real {
            self.set_reserve(world, self.sol * SOL);
        }
    }

    /// Tells the pool what it has: anyone may.
    pub fn update(&self, world: &World) {
        if !self.is_real {
            return self.write(world, self.sol);
        }
        let manager = seeded(702).pubkey();
        let accounts = vec![
            writable(self.account),
            read_only(self.authority()),
            writable(self.validators()),
            read_only(self.reserve()),
            writable(crate::terms::assets_of(&manager, &self.mint())),
            writable(self.mint()),
            read_only(anchor_spl::token::ID),
        ];
        world.run(&[], &[Instruction { program_id: Self::ID, accounts, data: vec![7] }]);
    }

    fn write(&self, world: &World, sol: u64) {
        put(world, self.account, Self::ID, stake_pool_bytes(sol * SOL, 120 * SOL, self.epoch));
    }

    fn authority(&self) -> Pubkey {
        Pubkey::find_program_address(&[self.account.as_ref(), b"withdraw"], &Self::ID).0
    }

    fn mint(&self) -> Pubkey {
        seeded(703).pubkey()
    }

    fn validators(&self) -> Pubkey {
        seeded(704).pubkey()
    }

    fn reserve(&self) -> Pubkey {
        seeded(705).pubkey()
    }

    /// A stake account of the pool's with so many lamports of stake: 200 bytes, of which are used the state (1: initialised),
    /// the exempt reserve, and who stakes and withdraws.
    fn set_reserve(&self, world: &World, stake: u64) {
        let exempt = world.cluster.svm().minimum_balance_for_rent_exemption(200);
        let authority = self.authority();
        let used =
            [1u32.to_le_bytes().as_slice(), &exempt.to_le_bytes(), authority.as_ref(), authority.as_ref()].concat();
        let mut data = vec![0; 200];
        data[..used.len()].copy_from_slice(&used);
        let lamports = exempt + stake;
        world.cluster.set_account(
            self.reserve(),
            Account { lamports, data, owner: STAKE_ID, executable: false, rent_epoch: u64::MAX },
        );
    }
}

/// A lending reserve with 400 units there, 800 lent to one borrower, and 1,000 shares.
pub struct Reserve {
    /// The reserve's account.
    pub account: Pubkey,
    is_real: bool,
}

impl Reserve {
    const ID: Pubkey = spl_lending::SAVE_ID;

    /// Writes one; what happens to it later is done by the real program if `real` asks for it, and `None` where that is not
    /// at hand.
    pub fn found(world: &World, real: bool) -> Option<Self> {
        if real && !load(world, "solend.so", Self::ID) {
            return None;
        }
        let reserve = Self { account: seeded(710).pubkey(), is_real: real };
        reserve.write(world, 800);
        let mut market = vec![0; 290];
        market[0] = spl_lending::VERSION;
        market[2..34].copy_from_slice(seeded(711).pubkey().as_ref());
        put(world, reserve.market(), Self::ID, market);
        Some(reserve)
    }

    /// The market's owner forgives so many units of the borrower's debt, who has no collateral left.
    pub fn forgive(&self, world: &World, units: u64) {
        if !self.is_real {
            return self.write(world, 800 - units);
        }
        let owner = seeded(711);
        // Both were refreshed in this slot of the ledger, and have no interest: only the slot is to be set.
        let slot = world.cluster.svm().get_sysvar::<solana_sdk::clock::Clock>().slot;
        self.write(world, 800);
        let mut obligation = vec![0; 1_300];
        obligation[0] = spl_lending::VERSION;
        obligation[1..9].copy_from_slice(&slot.to_le_bytes());
        obligation[10..42].copy_from_slice(self.market().as_ref());
        obligation[203] = 1; // one borrow, no deposit
        obligation[204..236].copy_from_slice(self.account.as_ref());
        obligation[236..252].copy_from_slice(&WAD.to_le_bytes());
        obligation[252..268].copy_from_slice(&(800 * u128::from(crate::terms::ONE) * WAD).to_le_bytes());
        let debt = seeded(712).pubkey();
        put(world, debt, Self::ID, obligation);
        let data = [[21].as_slice(), &(units * crate::terms::ONE).to_le_bytes()].concat();
        let signer: &Keypair = &owner;
        let accounts = vec![
            writable(debt),
            writable(self.account),
            read_only(self.market()),
            AccountMeta::new_readonly(owner.pubkey(), true),
        ];
        world.run(&[signer], &[Instruction { program_id: Self::ID, accounts, data }]);
    }

    fn market(&self) -> Pubkey {
        seeded(713).pubkey()
    }

    fn write(&self, world: &World, lent: u64) {
        let one = crate::terms::ONE;
        let mut data = reserve_bytes(400 * one, lent * one, 1_000 * one);
        let slot = world.cluster.svm().get_sysvar::<solana_sdk::clock::Clock>().slot;
        data[1..9].copy_from_slice(&slot.to_le_bytes());
        data[10..42].copy_from_slice(self.market().as_ref());
        data[195..211].copy_from_slice(&WAD.to_le_bytes()); // no interest yet
        put(world, self.account, Self::ID, data);
    }
}
