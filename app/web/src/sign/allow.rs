//! What the server sends: a transaction that was built here and signed there, and nothing else.
//!
//! Wallets change what they are given: they set the price of compute units, and add guard instructions of the Lighthouse
//! program, which read accounts and make the transaction fail if something is not as they expect. That is allowed. For the
//! rest what comes back is what was handed out, byte by byte: the same instructions in the same order on the same accounts
//! with the same rights, paid and signed by the same keys, with the same blockhash. Whoever finds this server can send
//! nothing of their own through it.
//!
//! The blockhash is the built one only: the server knows its last block height, so it can prove that the transaction
//! expired before it builds another, and a wallet that put in a later one would outlive that proof.

use anchor_lang::prelude::{Pubkey, pubkey};
use backstop_client::transaction::MOST_BYTES;
use solana_sdk::message::VersionedMessage;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;

/// The program whose assertions wallets add to guard what they sign.
pub const LIGHTHOUSE: Pubkey = pubkey!("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");
/// The program that takes limits and prices of compute units.
pub const COMPUTE_BUDGET: Pubkey = pubkey!("ComputeBudget111111111111111111111111111111");
/// The first bytes of Lighthouse's instructions that only look at accounts. The two before them write memory accounts, and
/// the one after them calls another program.
const ASSERTIONS: std::ops::RangeInclusive<u8> = 2..=14;
/// The first bytes of compute budget's instructions: heap frame, unit limit, unit price, data size.
const BUDGET: std::ops::RangeInclusive<u8> = 1..=4;

/// Why a signed transaction is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no transaction, or one that is not whole.
    #[error("this is no whole transaction")]
    Unreadable,
    /// It is longer than a cluster takes.
    #[error("the transaction has {0} bytes, and a cluster takes {MOST_BYTES} at most")]
    TooLong(usize),
    /// It reads addresses from lookup tables, and none was built with any.
    #[error("the wallet put lookup tables into the transaction")]
    Tables,
    /// Somebody else pays.
    #[error("{0} pays for the transaction instead of the wallet that it was built for")]
    Payer(Pubkey),
    /// Others sign.
    #[error("other keys sign than those that it was built for")]
    Signers,
    /// Its blockhash is another one.
    #[error("the wallet put another blockhash in: its end is not known here")]
    Blockhash,
    /// Somebody has not signed.
    #[error("{0} has not signed")]
    Unsigned(Pubkey),
    /// A signature is not for this transaction.
    #[error("the signature of {0} is not for this transaction")]
    Signature(Pubkey),
    /// It calls a program beside ours, compute budget and guards.
    #[error("the wallet added a call of {0}")]
    Foreign(Pubkey),
    /// An instruction is not as it was built, or not in its place.
    #[error("instruction {0} is not as it was built")]
    Altered(usize),
    /// An instruction that was built is missing.
    #[error("{0} of the instructions that were built are missing")]
    Missing(usize),
    /// There are more instructions of the programs that it calls than were built.
    #[error("an instruction was added that was not built")]
    Added,
    /// A compute budget instruction is none.
    #[error("a compute budget instruction cannot be read")]
    Budget,
    /// A guard does more than look.
    #[error("a guard instruction does more than look at accounts")]
    Guard,
    /// An account got more rights than it was built with.
    #[error("the account {0} got rights that it was not built with")]
    Rights(Pubkey),
}

/// An instruction as a message holds it, with the rights that the whole message gives.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    program: Pubkey,
    accounts: Vec<Role>,
    data: Vec<u8>,
}

/// An account and its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Role {
    key: Pubkey,
    signs: bool,
    writable: bool,
}

/// Checks that a signed transaction is the one that was built, but for what wallets may add.
///
/// Errors: what is not as it was built.
pub fn check(built: &VersionedMessage, signed: &VersionedTransaction) -> Result<(), Refused> {
    signed.sanitize().map_err(|_| Refused::Unreadable)?;
    let bytes = bincode::serialized_size(signed).map_err(|_| Refused::Unreadable)?;
    if let Some(bytes) = usize::try_from(bytes).ok().filter(|bytes| *bytes > MOST_BYTES) {
        return Err(Refused::TooLong(bytes));
    }
    let message = &signed.message;
    match message {
        VersionedMessage::Legacy(_) => {}
        VersionedMessage::V0(message) if message.address_table_lookups.is_empty() => {}
        VersionedMessage::V0(_) => return Err(Refused::Tables),
        _ => return Err(Refused::Unreadable),
    }
    let (theirs, ours) = (signers(message)?, signers(built)?);
    let payer = theirs.first().ok_or(Refused::Unreadable)?;
    if Some(payer) != ours.first() {
        return Err(Refused::Payer(*payer));
    }
    if theirs != ours {
        return Err(Refused::Signers);
    }
    if message.recent_blockhash() != built.recent_blockhash() {
        return Err(Refused::Blockhash);
    }
    let text = message.serialize();
    for (key, signature) in theirs.iter().zip(&signed.signatures) {
        match signature {
            unsigned if *unsigned == Signature::default() => return Err(Refused::Unsigned(*key)),
            signature if !signature.verify(key.as_ref(), &text) => return Err(Refused::Signature(*key)),
            _ => {}
        }
    }
    check_rights(built, message)?;
    check_calls(&calls(built)?, &calls(message)?)
}

/// Whoever signs, the payer first.
fn signers(message: &VersionedMessage) -> Result<&[Pubkey], Refused> {
    let needed = usize::from(message.header().num_required_signatures);
    message.static_account_keys().get(..needed).ok_or(Refused::Unreadable)
}

/// That no account has more rights than it was built with, and what was added has none.
fn check_rights(built: &VersionedMessage, signed: &VersionedMessage) -> Result<(), Refused> {
    let ours: Vec<Role> = roles(built);
    for role in roles(signed) {
        let allowed = ours.iter().find(|one| one.key == role.key);
        let (signs, writable) = allowed.map_or((false, false), |one| (one.signs, one.writable));
        if (role.signs && !signs) || (role.writable && !writable) {
            return Err(Refused::Rights(role.key));
        }
    }
    Ok(())
}

/// That the calls are those that were built, in order, with nothing between them but budget and guards.
fn check_calls(built: &[Call], signed: &[Call]) -> Result<(), Refused> {
    let is_budget = |call: &&Call| call.program == COMPUTE_BUDGET;
    let mut expected = built.iter().filter(|call| !is_budget(call)).enumerate().peekable();
    for call in signed {
        match call.program {
            COMPUTE_BUDGET if !is_of(call, BUDGET) || !call.accounts.is_empty() => return Err(Refused::Budget),
            COMPUTE_BUDGET => {}
            LIGHTHOUSE if !is_of(call, ASSERTIONS) => return Err(Refused::Guard),
            LIGHTHOUSE => {}
            program => match expected.next() {
                Some((_, ours)) if ours == call => {}
                Some((place, ours)) if ours.program == program => return Err(Refused::Altered(place)),
                _ if !built.iter().any(|ours| ours.program == program) => return Err(Refused::Foreign(program)),
                Some((place, _)) => return Err(Refused::Altered(place)),
                None => return Err(Refused::Added),
            },
        }
    }
    match expected.count() {
        0 => Ok(()),
        missing => Err(Refused::Missing(missing)),
    }
}

fn is_of(call: &Call, kinds: std::ops::RangeInclusive<u8>) -> bool {
    call.data.first().is_some_and(|kind| kinds.contains(kind))
}

/// The accounts of a message with their rights, as its header gives them.
fn roles(message: &VersionedMessage) -> Vec<Role> {
    let header = message.header();
    let keys = message.static_account_keys();
    let signing = usize::from(header.num_required_signatures);
    let signing_writable = signing.saturating_sub(usize::from(header.num_readonly_signed_accounts));
    let writable = keys.len().saturating_sub(usize::from(header.num_readonly_unsigned_accounts));
    let role = |(place, key): (usize, &Pubkey)| Role {
        key: *key,
        signs: place < signing,
        writable: if place < signing { place < signing_writable } else { place < writable },
    };
    keys.iter().enumerate().map(role).collect()
}

/// The calls of a message, in order.
fn calls(message: &VersionedMessage) -> Result<Vec<Call>, Refused> {
    let roles = roles(message);
    let role = |index: &u8| roles.get(usize::from(*index)).copied().ok_or(Refused::Unreadable);
    let call = |instruction: &solana_sdk::message::compiled_instruction::CompiledInstruction| {
        Ok(Call {
            program: role(&instruction.program_id_index)?.key,
            accounts: instruction.accounts.iter().map(role).collect::<Result<_, _>>()?,
            data: instruction.data.clone(),
        })
    };
    message.instructions().iter().map(call).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
    use backstop_client::instruction as ix;
    use solana_sdk::hash::Hash;
    use solana_sdk::message::{AddressLookupTableAccount, Message, v0};
    use solana_sdk::signature::Keypair;
    use solana_sdk::signer::Signer;

    const BLOCKHASH: Hash = Hash::new_from_array([7; 32]);

    /// A wallet, and what was built for it: two of our instructions behind a limit and a price.
    struct Case {
        wallet: Keypair,
        ours: Vec<Instruction>,
    }

    fn key(number: u8) -> Pubkey {
        Pubkey::new_from_array([number; 32])
    }

    fn budget(kind: u8, bytes: &[u8]) -> Instruction {
        Instruction { program_id: COMPUTE_BUDGET, accounts: vec![], data: [&[kind], bytes].concat() }
    }

    fn guard(kind: u8, accounts: Vec<AccountMeta>) -> Instruction {
        Instruction { program_id: LIGHTHOUSE, accounts, data: vec![kind, 0, 1] }
    }

    impl Case {
        fn new() -> Self {
            let wallet = Keypair::new();
            let account = ix::create_associated_token(&wallet.pubkey(), &wallet.pubkey(), &key(1), &key(2));
            let ours = vec![account, ix::close_nft_account(&wallet.pubkey(), &key(3))];
            Self { wallet, ours }
        }

        fn all(&self) -> Vec<Instruction> {
            [vec![budget(2, &[0, 1, 0, 0]), budget(3, &[1; 8])], self.ours.clone()].concat()
        }

        fn message(&self, instructions: &[Instruction]) -> VersionedMessage {
            let payer = self.wallet.pubkey();
            VersionedMessage::Legacy(Message::new_with_blockhash(instructions, Some(&payer), &BLOCKHASH))
        }

        fn built(&self) -> VersionedMessage {
            self.message(&self.all())
        }

        fn sign(&self, message: VersionedMessage) -> VersionedTransaction {
            let signatures = vec![self.wallet.sign_message(&message.serialize())];
            VersionedTransaction { signatures, message }
        }

        /// What is said of instructions that the wallet signs instead.
        fn told(&self, instructions: &[Instruction]) -> Result<(), Refused> {
            check(&self.built(), &self.sign(self.message(instructions)))
        }
    }

    #[test]
    fn what_was_built_is_sent_signed() {
        let case = Case::new();
        assert_eq!(check(&case.built(), &case.sign(case.built())), Ok(()));
    }

    #[test]
    fn a_wallet_may_change_the_budget_and_add_guards_anywhere() {
        let case = Case::new();
        let [first, second] = [case.ours[0].clone(), case.ours[1].clone()];
        let clock = guard(14, vec![]);
        let balance = guard(8, vec![AccountMeta::new_readonly(key(9), false)]);
        let dearer = budget(3, &[9; 8]);
        for instructions in [
            vec![first.clone(), second.clone()],
            vec![dearer.clone(), first.clone(), second.clone(), clock.clone()],
            vec![clock.clone(), first.clone(), balance.clone(), second.clone(), dearer, balance.clone()],
        ] {
            assert_eq!(case.told(&instructions), Ok(()));
        }
        let payer = case.wallet.pubkey();
        let versioned = v0::Message::try_compile(&payer, &case.all(), &[], BLOCKHASH).unwrap();
        let versioned = case.sign(VersionedMessage::V0(versioned));
        assert_eq!(check(&case.built(), &versioned), Ok(()), "another version says the same");
    }

    #[test]
    fn instructions_are_ours_the_same_bytes_and_accounts_in_order_and_all_of_them() {
        let case = Case::new();
        let [first, second] = [case.ours[0].clone(), case.ours[1].clone()];
        let told = |instructions: &[Instruction]| case.told(instructions);
        assert_eq!(told(&[second.clone(), first.clone()]), Err(Refused::Altered(0)));
        assert_eq!(told(std::slice::from_ref(&first)), Err(Refused::Missing(1)));
        assert_eq!(told(&[]), Err(Refused::Missing(2)));
        assert_eq!(told(&[first.clone(), second.clone(), second.clone()]), Err(Refused::Added));
        let mut data = second.clone();
        data.data = vec![8];
        assert_eq!(told(&[first.clone(), data]), Err(Refused::Altered(1)));
        let mut account = second.clone();
        account.accounts[1].pubkey = key(200);
        account.accounts[1].is_writable = false;
        assert_eq!(told(&[first.clone(), account]), Err(Refused::Altered(1)), "money goes elsewhere");
        let mut more = second;
        more.accounts.push(AccountMeta::new_readonly(key(1), false));
        assert_eq!(told(&[first, more]), Err(Refused::Altered(1)));
    }

    #[test]
    fn nothing_of_other_programs_stands_beside_ours() {
        let case = Case::new();
        let transfer = Instruction {
            program_id: anchor_lang::system_program::ID,
            accounts: vec![AccountMeta::new_readonly(case.wallet.pubkey(), true)],
            data: vec![2, 0, 0, 0],
        };
        let foreign = Err(Refused::Foreign(anchor_lang::system_program::ID));
        assert_eq!(case.told(&[case.ours.clone(), vec![transfer.clone()]].concat()), foreign);
        assert_eq!(case.told(&[vec![transfer], case.ours.clone()].concat()), foreign);
        let memo = Instruction { program_id: key(77), accounts: vec![], data: vec![] };
        assert_eq!(case.told(&[vec![memo], case.ours.clone()].concat()), Err(Refused::Foreign(key(77))));
    }

    #[test]
    fn guards_only_look() {
        let case = Case::new();
        let with = |guard: Instruction| case.told(&[case.ours.clone(), vec![guard]].concat());
        for kind in [0, 1, 15, 255] {
            assert_eq!(with(guard(kind, vec![])), Err(Refused::Guard), "{kind}");
        }
        let empty = Instruction { data: vec![], ..guard(2, vec![]) };
        assert_eq!(with(empty), Err(Refused::Guard));
        let writes = guard(2, vec![AccountMeta::new(key(50), false)]);
        assert_eq!(with(writes), Err(Refused::Rights(key(50))), "what a guard brings along is read only");
        let escalates = guard(2, vec![AccountMeta::new(key(1), false)]);
        assert_eq!(with(escalates), Err(Refused::Rights(key(1))), "an account of ours gets no more rights by it");
    }

    #[test]
    fn a_budget_is_one() {
        let case = Case::new();
        let with = |one: Instruction| case.told(&[vec![one], case.ours.clone()].concat());
        for kind in [0, 5, 255] {
            assert_eq!(with(budget(kind, &[0; 4])), Err(Refused::Budget), "{kind}");
        }
        let accounts = vec![AccountMeta::new_readonly(key(1), false)];
        assert_eq!(with(Instruction { accounts, ..budget(2, &[0; 4]) }), Err(Refused::Budget));
    }

    #[test]
    fn payer_and_signers_are_those_that_it_was_built_for() {
        let (case, other) = (Case::new(), Case::new());
        let foreign = other.sign(other.built());
        assert_eq!(check(&case.built(), &foreign), Err(Refused::Payer(other.wallet.pubkey())));
        let second = Keypair::new();
        let more = guard(2, vec![AccountMeta::new_readonly(second.pubkey(), true)]);
        let message = case.message(&[case.ours.clone(), vec![more]].concat());
        let text = message.serialize();
        let signatures = vec![case.wallet.sign_message(&text), second.sign_message(&text)];
        assert_eq!(check(&case.built(), &VersionedTransaction { signatures, message }), Err(Refused::Signers));
    }

    #[test]
    fn only_the_blockhash_that_was_built_has_a_known_end() {
        let case = Case::new();
        let payer = case.wallet.pubkey();
        let later = Message::new_with_blockhash(&case.all(), Some(&payer), &Hash::new_from_array([8; 32]));
        let later = case.sign(VersionedMessage::Legacy(later));
        assert_eq!(check(&case.built(), &later), Err(Refused::Blockhash));
    }

    #[test]
    fn signatures_are_there_and_for_this_transaction() {
        let case = Case::new();
        let mut signed = case.sign(case.built());
        signed.signatures[0] = Signature::default();
        assert_eq!(check(&case.built(), &signed), Err(Refused::Unsigned(case.wallet.pubkey())));
        signed.signatures[0] = case.wallet.sign_message(b"something else");
        assert_eq!(check(&case.built(), &signed), Err(Refused::Signature(case.wallet.pubkey())));
        signed.signatures = vec![];
        assert_eq!(check(&case.built(), &signed), Err(Refused::Unreadable));
    }

    #[test]
    fn no_tables_and_no_more_bytes_than_a_cluster_takes() {
        let case = Case::new();
        let table = AddressLookupTableAccount { key: key(90), addresses: vec![key(91)] };
        let guard = guard(2, vec![AccountMeta::new_readonly(key(91), false)]);
        let all = [case.all(), vec![guard]].concat();
        let message = v0::Message::try_compile(&case.wallet.pubkey(), &all, &[table], BLOCKHASH).unwrap();
        let signed = case.sign(VersionedMessage::V0(message));
        assert_eq!(check(&case.built(), &signed), Err(Refused::Tables));
        let mut long = budget(2, &[0; 4]);
        long.data = vec![2; 1_300];
        assert!(matches!(case.told(&[case.all(), vec![long]].concat()), Err(Refused::TooLong(_))));
    }

    #[test]
    fn any_single_changed_byte_is_refused() {
        let case = Case::new();
        let bytes = bincode::serialize(&case.sign(case.built())).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            if let Ok(changed) = bincode::deserialize::<VersionedTransaction>(&changed) {
                assert!(check(&case.built(), &changed).is_err(), "byte {place}");
            }
        }
    }

    #[test]
    fn random_edits_by_whoever_signs_are_sent_only_if_they_leave_ours_as_it_was() {
        // A wallet that signs anything: a step of a generator picks what it does to the instructions.
        let case = Case::new();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let (mut sent, mut refused) = (0, 0);
        for _ in 0..3_000 {
            let mut instructions = case.all();
            for _ in 0..=next(3) {
                let place = next(instructions.len() + 1);
                match next(6) {
                    0 => instructions.insert(place, guard(14, vec![])),
                    1 => instructions.insert(place, budget(3, &[5; 8])),
                    2 if place < instructions.len() => drop(instructions.remove(place)),
                    3 if place + 1 < instructions.len() => instructions.swap(place, place + 1),
                    4 if place < instructions.len() && !instructions[place].accounts.is_empty() => {
                        let account = next(instructions[place].accounts.len());
                        instructions[place].accounts[account].pubkey = key(next(250) as u8);
                    }
                    _ => {}
                }
            }
            let is_ours = |one: &&Instruction| one.program_id != COMPUTE_BUDGET && one.program_id != LIGHTHOUSE;
            let kept: Vec<&Instruction> = instructions.iter().filter(is_ours).collect();
            let same = kept == case.ours.iter().collect::<Vec<_>>();
            assert_eq!(case.told(&instructions).is_ok(), same, "{instructions:?}");
            if same { sent += 1 } else { refused += 1 }
        }
        assert!(sent > 500 && refused > 500, "{sent} and {refused}");
    }
}
