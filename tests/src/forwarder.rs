//! A program that does what it is told: it passes an instruction on, and signs with an address of its own wherever that is
//! named. As a multisig's vault does once its members agreed; and as a hostile program does.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use litesvm::LiteSVM;
use solana_program_runtime::declare_process_instruction;
use solana_program_runtime::solana_sbpf::program::BuiltinFunctionDefinition;

/// The multisig.
pub const MULTISIG: Pubkey = Pubkey::new_from_array([91; 32]);

declare_process_instruction!(Forward, 1, |invoke_context| {
    let (instruction, seeds) = {
        let context = invoke_context.transaction_context.get_current_instruction_context()?;
        let (seeds, data) = unpack(context.get_instruction_data());
        let program = *context.get_program_key()?;
        let parts: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
        let signer = Pubkey::create_program_address(&parts, &program).unwrap_or_default();
        let mut accounts = Vec::new();
        for index in 0..context.get_number_of_instruction_accounts() {
            let key = *context.get_key_of_instruction_account(index)?;
            let is_signer = context.is_instruction_account_signer(index)? || key == signer;
            let is_writable = context.is_instruction_account_writable(index)?;
            accounts.push(AccountMeta { pubkey: key, is_signer, is_writable });
        }
        let program_id = accounts.remove(0).pubkey;
        (Instruction { program_id, accounts, data: data.to_vec() }, seeds)
    };
    let parts: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    invoke_context.native_invoke_signed(instruction, &[&parts])
});

/// Puts the program at an address.
pub fn install(svm: &mut LiteSVM, program: Pubkey) {
    svm.add_builtin(program, Forward::register);
}

/// The address of the multisig's vault, and the seeds that it signs with.
pub fn vault() -> (Pubkey, Vec<Vec<u8>>) {
    let (address, bump) = Pubkey::find_program_address(&[b"vault"], &MULTISIG);
    (address, vec![b"vault".to_vec(), vec![bump]])
}

/// The instruction that makes the program at an address pass another on, signed by the address of these seeds.
pub fn forward(program: Pubkey, seeds: &[Vec<u8>], mut inner: Instruction) -> Instruction {
    let parts: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let signer = Pubkey::create_program_address(&parts, &program).expect("the seeds are those of an address");
    for account in inner.accounts.iter_mut().filter(|account| account.pubkey == signer) {
        account.is_signer = false;
    }
    let mut data = vec![u8::try_from(seeds.len()).expect("a few seeds")];
    for seed in seeds {
        data.push(u8::try_from(seed.len()).expect("a seed has 32 bytes at most"));
        data.extend(seed);
    }
    data.extend(&inner.data);
    inner.accounts.insert(0, AccountMeta::new_readonly(inner.program_id, false));
    Instruction { program_id: program, accounts: inner.accounts, data }
}

/// The seeds at the beginning of the data, and the data that is passed on.
fn unpack(data: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let (count, mut rest) = data.split_first().expect("there is a count");
    let mut seeds = Vec::new();
    for _ in 0..*count {
        let (length, tail) = rest.split_first().expect("there is a length");
        let (seed, tail) = tail.split_at(usize::from(*length));
        seeds.push(seed.to_vec());
        rest = tail;
    }
    (seeds, rest)
}
