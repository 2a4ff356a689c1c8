//! Runs the self-test program, as the package toolchain built it, in the SVM and compares it with the host.
//! `run.sh` builds it and names it in SELFTEST_PROGRAM.

use litesvm::{LiteSVM, types::FailedTransactionMetadata};
use selftest::{
    ARENA, FAILURES, LONGEST, OPERATION, Operation, PAIR, RESULTS, arithmetic, decode_pair, memory,
    mode,
};
use solana_compute_budget::compute_budget::ComputeBudget;
use solana_sdk::{
    account::Account,
    instruction::{AccountMeta, Instruction},
    pubkey::Pubkey,
    signature::Keypair,
    signer::Signer,
    transaction::Transaction,
};

const INPUTS: usize = 100_000;

struct Machine {
    svm: LiteSVM,
    program: Pubkey,
    scratch: Pubkey,
    payer: Keypair,
}

impl Machine {
    fn new() -> Self {
        let path =
            std::env::var("SELFTEST_PROGRAM").expect("run this with toolchain/selftest/run.sh");
        let budget = ComputeBudget {
            compute_unit_limit: 1_000_000_000,
            ..ComputeBudget::new_with_defaults(false)
        };
        let mut svm = LiteSVM::new().with_compute_budget(budget);
        let (program, scratch) = (Pubkey::new_unique(), Pubkey::new_unique());
        let payer = Keypair::new_from_array([7; 32]);
        svm.airdrop(&payer.pubkey(), 1_000_000_000_000).unwrap();
        svm.add_program_from_file(program, path).unwrap();
        Self {
            svm,
            program,
            scratch,
            payer,
        }
    }

    /// Runs the program on an account that holds `data` and returns what it holds afterwards.
    fn run(&mut self, mode: u8, data: Vec<u8>) -> Result<Vec<u8>, Box<FailedTransactionMetadata>> {
        let account = Account {
            lamports: 100_000_000_000,
            data,
            owner: self.program,
            ..Account::default()
        };
        self.svm.set_account(self.scratch, account).unwrap();
        let instruction = Instruction {
            program_id: self.program,
            accounts: vec![AccountMeta::new(self.scratch, false)],
            data: vec![mode, 1, 2],
        };
        self.svm.expire_blockhash();
        let transaction = Transaction::new_signed_with_payer(
            &[instruction],
            Some(&self.payer.pubkey()),
            &[&self.payer],
            self.svm.latest_blockhash(),
        );
        self.svm.send_transaction(transaction).map_err(Box::new)?;
        Ok(self.svm.get_account(&self.scratch).unwrap().data)
    }
}

/// SplitMix64: the same inputs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which must not be zero.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// An operand: of any width, near a power of two, negative, or with long runs of equal bits.
    fn operand(&mut self) -> u128 {
        let full = (self.next() as u128) << 64 | self.next() as u128;
        let width = self.below(129) as u32;
        let cut = full.checked_shr(128 - width).unwrap_or(0);
        let power = 1u128.checked_shl(width).unwrap_or(0);
        match self.below(8) {
            0 => full,
            1 => power.wrapping_add(self.below(5) as u128).wrapping_sub(2),
            2 => cut.wrapping_neg(),
            3 => u128::MAX.checked_shr(width).unwrap_or(0) ^ power.wrapping_sub(1),
            4 => cut << self.below(128),
            _ => cut,
        }
    }
}

#[test]
fn arithmetic_agrees_with_the_host() {
    const BATCH: usize = 500;
    let (mut machine, mut random) = (Machine::new(), Random(1));
    let edges = [
        0,
        1,
        2,
        u64::MAX as u128,
        1 << 64,
        u128::MAX,
        i128::MAX as u128,
        i128::MIN as u128,
    ];
    let mut pairs: Vec<(u128, u128)> = edges
        .iter()
        .flat_map(|a| edges.iter().map(|b| (*a, *b)))
        .collect();
    while pairs.len() < INPUTS + edges.len() * edges.len() {
        let a = random.operand();
        // Quotients near a whole number are where a division goes wrong.
        let b = match random.below(8) {
            0 => a.wrapping_add(random.below(3) as u128).wrapping_sub(1),
            _ => random.operand(),
        };
        let a = match random.below(8) {
            0 => b
                .wrapping_mul(random.operand())
                .wrapping_sub(random.below(2) as u128),
            _ => a,
        };
        pairs.push((a, b));
    }
    for pairs in pairs.chunks(BATCH) {
        let mut data: Vec<u8> = pairs
            .iter()
            .flat_map(|(a, b)| [a.to_le_bytes(), b.to_le_bytes()].concat())
            .collect();
        data.resize(pairs.len() * (PAIR + RESULTS * 16), 0);
        let data = machine.run(mode::ARITHMETIC, data).unwrap();
        for (i, (a, b)) in pairs.iter().enumerate() {
            let start = pairs.len() * PAIR + i * RESULTS * 16;
            let results: Vec<u128> = data[start..start + RESULTS * 16]
                .chunks_exact(PAIR / 2)
                .map(|bytes| decode_pair(&[bytes, &[0; 16]].concat()).0)
                .collect();
            assert_eq!(results, arithmetic(*a, *b), "{a:#x} and {b:#x}");
        }
    }
}

#[test]
fn memory_functions_agree_with_the_host() {
    const BATCH: usize = 1000;
    let (mut machine, mut random) = (Machine::new(), Random(2));
    let mut operations = vec![];
    while operations.len() < INPUTS {
        for length in 0..=LONGEST {
            let kind = random.below(Operation::KINDS as usize) as u8;
            let from = random.below(ARENA - length + 1);
            let overlapping = from.saturating_sub(length)..=(from + length).min(ARENA - length);
            let to = match random.below(3) {
                0 => random.below(ARENA - length + 1),
                _ => {
                    overlapping.start() + random.below(overlapping.end() - overlapping.start() + 1)
                }
            };
            let operation = |kind, length: usize, to: usize| Operation {
                kind,
                fill: length as u8 ^ to as u8,
                length: length as u16,
                from: from as u16,
                to: to as u16,
            };
            // Random bytes differ at once: make most of what is compared equal, or equal but for one byte.
            if kind % 5 >= 3 && random.below(4) > 0 {
                operations.push(operation(1, length, to));
                if length > 0 && random.below(2) > 0 {
                    operations.push(operation(2, 1, to + random.below(length)));
                }
            }
            operations.push(operation(kind, length, to));
        }
    }
    for operations in operations.chunks(BATCH) {
        let mut arena: Vec<u8> = (0..ARENA).map(|_| random.next() as u8).collect();
        let mut data = arena.clone();
        data.extend(operations.iter().flat_map(|operation| operation.encode()));
        data.resize(data.len() + operations.len() * 8, 0);
        let data = machine.run(mode::MEMORY, data).unwrap();
        let results = &data[ARENA + operations.len() * OPERATION..];
        for (operation, result) in operations.iter().zip(results.chunks_exact(8)) {
            let Operation {
                kind,
                length,
                from,
                to,
                ..
            } = *operation;
            let expected = memory(&mut arena, *operation);
            assert_eq!(
                result,
                expected.to_le_bytes(),
                "kind {kind}, {length} bytes from {from} to {to}"
            );
        }
        assert_eq!(data[..ARENA], arena, "bytes out of place");
    }
}

#[test]
fn a_panic_logs_file_and_line() {
    let mut machine = Machine::new();
    let failures = [mode::PANIC, mode::BOUNDS, mode::OVERFLOW, mode::UNWRAP];
    for (i, mode) in failures.into_iter().enumerate() {
        let logs = machine.run(mode, vec![0; 8]).unwrap_err().meta.logs;
        let place = format!("src/lib.rs at {}:", FAILURES + i as u32);
        assert!(
            logs.iter().any(|line| line.contains(&place)),
            "no {place} in {logs:#?}"
        );
    }
    let logs = machine.run(mode::PANIC, vec![0; 8]).unwrap_err().meta.logs;
    assert!(
        logs.iter().any(|line| line.contains("a panic on purpose")),
        "{logs:#?}"
    );
}
