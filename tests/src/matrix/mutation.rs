//! The ways in which accounts of a transaction are put in question.

use crate::catalogue::{Prepared, Twin, stage};
use anchor_lang::prelude::{AccountMeta, Pubkey};
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::system_program;
use anchor_spl::{token, token_2022};
use litesvm::LiteSVM;
use solana_sdk::account::{AccountSharedData, ReadableAccount, WritableAccount};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::collections::HashSet;

/// A way to put an account in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The same bytes at another address, owned by an attacker's program.
    AttackersClone,
    /// The same bytes at another address, owned by another program that people use.
    WrongProgram,
    /// The same bytes at another address under the same program, where anybody can make such an account.
    Replica,
    /// Another account of the same type that is there.
    Sibling,
    /// Another account of the same transaction.
    Duplicate,
    /// A stranger's wallet, which signs where a signature is asked for.
    Stranger,
    /// An address where nothing is.
    Absent,
    /// The program's own address: how an optional account is left out.
    LeftOut,
    /// The account without its signature.
    Unsigned,
    /// The account without leave to write it.
    ReadOnly,
    /// Some accounts of the same transaction about something else.
    Mixed,
    /// An account more than the instruction names.
    Extra,
}

impl Kind {
    /// All kinds, with what they are called.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::AttackersClone, "clone owned by an attacker's program"),
        (Self::WrongProgram, "clone owned by another known program"),
        (Self::Replica, "replica under the same program"),
        (Self::Sibling, "sibling of the same type"),
        (Self::Duplicate, "duplicate of another account"),
        (Self::Stranger, "a stranger's wallet"),
        (Self::Absent, "an empty address"),
        (Self::LeftOut, "left out"),
        (Self::Unsigned, "missing signature"),
        (Self::ReadOnly, "not writable"),
        (Self::Mixed, "mixed with a twin's accounts"),
        (Self::Extra, "one account more"),
    ];
}

/// What an account is, by what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Nothing is there.
    Absent,
    /// Lamports of the system program.
    Wallet,
    /// A program.
    Program,
    /// An account of this program or of the example lender, by its discriminator.
    Ours([u8; 8]),
    /// A token account.
    Token,
    /// A mint.
    Mint,
    /// An account of another program.
    Foreign(Pubkey),
}

impl Nature {
    /// What an account is.
    pub fn of(account: Option<&AccountSharedData>) -> Self {
        let Some(account) = account.filter(|account| account.lamports() > 0) else { return Self::Absent };
        let (owner, data) = (account.owner(), account.data());
        if account.executable() {
            Self::Program
        } else if *owner == system_program::ID && data.is_empty() {
            Self::Wallet
        } else if is_ours(owner) {
            Self::Ours(data.first_chunk().copied().unwrap_or_default())
        } else if *owner == token::ID || *owner == token_2022::ID {
            let is_account = data.len() == 165 || data.get(165) == Some(&2);
            if is_account { Self::Token } else { Self::Mint }
        } else {
            Self::Foreign(*owner)
        }
    }
}

/// Whether only Backstop or the example lender makes accounts of an owner.
fn is_ours(owner: &Pubkey) -> bool {
    [backstop::ID, loan::ID].contains(owner)
}

/// A valid transaction with something changed.
pub struct Mutation {
    /// How.
    pub kind: Kind,
    /// Which accounts, by their index.
    pub places: Vec<usize>,
    /// What is in their place.
    pub what: String,
    /// The instruction.
    pub instruction: Instruction,
    /// Whoever can sign.
    pub signers: Vec<Keypair>,
    /// Accounts that the attacker made.
    pub setup: Vec<(Pubkey, AccountSharedData)>,
    /// What the accounts in question were.
    pub was: Vec<Option<AccountSharedData>>,
    /// What they are now.
    pub is: Vec<Option<AccountSharedData>>,
    /// For accounts of a twin: all accounts in which it differs.
    pub differing: Vec<usize>,
}

impl Mutation {
    /// A transaction as it is.
    pub fn unchanged(instruction: &Instruction, signers: &[Keypair]) -> Self {
        Self {
            kind: Kind::Extra,
            places: Vec::new(),
            what: String::new(),
            instruction: instruction.clone(),
            signers: signers.iter().map(Keypair::insecure_clone).collect(),
            setup: Vec::new(),
            was: Vec::new(),
            is: Vec::new(),
            differing: Vec::new(),
        }
    }
}

/// All mutations of a transaction, each once. `relayer` pays the fee, so that it signs whatever it is named for: it
/// is no sibling of anybody.
pub fn all(prepared: &Prepared, svm: &LiteSVM, relayer: Pubkey) -> Vec<Mutation> {
    let maker = Maker { prepared, svm, relayer, stranger: stage::key("stranger") };
    let mut mutations = Vec::new();
    for place in 0..prepared.instruction.accounts.len() {
        maker.clones(place, &mut mutations);
        maker.siblings(place, &mut mutations);
        maker.others(place, &mut mutations);
        maker.flags(place, &mut mutations);
    }
    for twin in &prepared.twins {
        maker.mixed(twin, &mut mutations);
    }
    mutations.push(maker.extra());
    let mut seen = HashSet::from([fingerprint(&prepared.instruction)]);
    mutations.retain(|mutation| seen.insert(fingerprint(&mutation.instruction)));
    mutations
}

type Fingerprint = Vec<(Pubkey, bool, bool)>;

fn fingerprint(instruction: &Instruction) -> Fingerprint {
    instruction.accounts.iter().map(|meta| (meta.pubkey, meta.is_signer, meta.is_writable)).collect()
}

struct Maker<'a> {
    prepared: &'a Prepared,
    svm: &'a LiteSVM,
    relayer: Pubkey,
    stranger: Keypair,
}

impl Maker<'_> {
    fn metas(&self) -> &[AccountMeta] {
        &self.prepared.instruction.accounts
    }

    fn account(&self, address: &Pubkey) -> Option<AccountSharedData> {
        self.svm.accounts_db().get_account(address).filter(|account| account.lamports() > 0)
    }

    /// The transaction with another address in one place. Where a signature is asked for and the substitute cannot give
    /// one, there is none.
    fn substitute(&self, kind: Kind, place: usize, address: Pubkey, what: String, key: Option<&Keypair>) -> Mutation {
        let mut mutation = Mutation::unchanged(&self.prepared.instruction, &self.prepared.signers);
        let meta = &mut mutation.instruction.accounts[place];
        mutation.was = vec![self.account(&meta.pubkey)];
        mutation.is = vec![self.account(&address)];
        meta.pubkey = address;
        if let Some(key) = key {
            mutation.signers.push(key.insecure_clone());
        }
        meta.is_signer &= mutation.signers.iter().any(|signer| signer.pubkey() == address);
        Mutation { kind, places: vec![place], what, ..mutation }
    }

    /// Accounts with the same bytes, under other programs or at another address.
    fn clones(&self, place: usize, mutations: &mut Vec<Mutation>) {
        let Some(original) = self.account(&self.metas()[place].pubkey) else { return };
        let attackers = stage::key("attacker's program").pubkey();
        let mut known = vec![
            ("the system program", system_program::ID),
            ("SPL Token", token::ID),
            ("Token-2022", token_2022::ID),
            ("the price oracle", backstop::peril::feed::pyth_receiver::PROGRAM_ID),
            ("this program", backstop::ID),
        ];
        if self.prepared.instruction.program_id == loan::ID {
            known.push(("the lender", loan::ID));
        }
        let mut owners = vec![(Kind::AttackersClone, "an attacker's program", attackers)];
        for (name, owner) in known {
            if owner != *original.owner() {
                owners.push((Kind::WrongProgram, name, owner));
            } else if !is_ours(&owner) {
                owners.push((Kind::Replica, name, owner));
            }
        }
        for (kind, name, owner) in owners {
            let key = stage::key(&format!("clone {place} under {name}"));
            let mut clone = original.clone();
            clone.set_owner(owner);
            clone.set_executable(false);
            if kind == Kind::Replica {
                self.leave_what_exists(&mut clone);
            }
            let what = format!("its bytes under {name}");
            let mut mutation = self.substitute(kind, place, key.pubkey(), what, Some(&key));
            mutation.is = vec![Some(clone.clone())];
            mutation.setup.push((key.pubkey(), clone));
            mutations.push(mutation);
        }
    }

    /// A second token account cannot hold units that are all in the first: the NFT of a cover.
    fn leave_what_exists(&self, clone: &mut AccountSharedData) {
        if Nature::of(Some(clone)) != Nature::Token {
            return;
        }
        let number = |data: &[u8], at: usize| u64::from_le_bytes(data[at..at + 8].try_into().expect("eight bytes"));
        let mint = Pubkey::try_from(&clone.data()[..32]).expect("a token account names its mint");
        let supply = self.account(&mint).map_or(0, |mint| number(mint.data(), 36));
        let held = number(clone.data(), 64);
        let amount = held.min(supply.saturating_sub(held));
        clone.data_as_mut_slice()[64..72].copy_from_slice(&amount.to_le_bytes());
    }

    /// All other accounts of the same type; where nothing is yet, all accounts of the program.
    fn siblings(&self, place: usize, mutations: &mut Vec<Mutation>) {
        let own = self.metas()[place].pubkey;
        let nature = Nature::of(self.account(&own).as_ref());
        let alike = |account: &AccountSharedData| match Nature::of(Some(account)) {
            Nature::Ours(_) if nature == Nature::Absent => true,
            other => other == nature && other != Nature::Absent,
        };
        let accounts = self.svm.accounts_db().inner.iter();
        let siblings =
            accounts.filter(|(address, account)| **address != own && **address != self.relayer && alike(account));
        let mut siblings: Vec<&Pubkey> = siblings.map(|(address, _)| address).collect();
        siblings.sort();
        for sibling in siblings {
            let what = format!("{nature:?} {sibling}");
            mutations.push(self.substitute(Kind::Sibling, place, *sibling, what, None));
        }
    }

    /// The other accounts of the transaction, a stranger's wallet, nothing at all, the program itself.
    fn others(&self, place: usize, mutations: &mut Vec<Mutation>) {
        for (other, meta) in self.metas().iter().enumerate().filter(|(other, _)| *other != place) {
            let what = format!("the account at {other}");
            mutations.push(self.substitute(Kind::Duplicate, place, meta.pubkey, what, None));
        }
        let stranger = &self.stranger;
        let wallet = AccountSharedData::new(1_000_000_000_000, 0, &system_program::ID);
        let mut mutation =
            self.substitute(Kind::Stranger, place, stranger.pubkey(), "a stranger".into(), Some(stranger));
        mutation.is = vec![Some(wallet.clone())];
        mutation.setup.push((stranger.pubkey(), wallet));
        mutations.push(mutation);
        let nobody = stage::key("nobody");
        mutations.push(self.substitute(Kind::Absent, place, nobody.pubkey(), "nothing".into(), Some(&nobody)));
        mutations.push(self.substitute(Kind::LeftOut, place, backstop::ID, "the program".into(), None));
    }

    /// The account without its signature, and without leave to write it.
    fn flags(&self, place: usize, mutations: &mut Vec<Mutation>) {
        let meta = &self.metas()[place];
        if meta.is_signer {
            let mut mutation = self.substitute(Kind::Unsigned, place, meta.pubkey, "itself, unsigned".into(), None);
            mutation.instruction.accounts[place].is_signer = false;
            mutations.push(mutation);
        }
        if meta.is_writable {
            let mut mutation = self.substitute(Kind::ReadOnly, place, meta.pubkey, "itself, read-only".into(), None);
            mutation.instruction.accounts[place].is_writable = false;
            mutations.push(mutation);
        }
    }

    /// Every mixture of the transaction with one about something else; of a trap also all of it.
    fn mixed(&self, twin: &Twin, mutations: &mut Vec<Mutation>) {
        let own = self.metas();
        let differing: Vec<usize> =
            (0..own.len()).filter(|place| own[*place] != twin.instruction.accounts[*place]).collect();
        let all = 1_u32 << differing.len();
        let end = if twin.valid { all - 1 } else { all };
        for choice in 1..end {
            let chosen = |index: usize| choice & (1 << index) != 0;
            let places: Vec<usize> =
                differing.iter().enumerate().filter(|(index, _)| chosen(*index)).map(|(_, place)| *place).collect();
            let mut mutation = Mutation::unchanged(&self.prepared.instruction, &self.prepared.signers);
            mutation.signers.extend(twin.signers.iter().map(Keypair::insecure_clone));
            for place in &places {
                mutation.was.push(self.account(&own[*place].pubkey));
                mutation.is.push(self.account(&twin.instruction.accounts[*place].pubkey));
                mutation.instruction.accounts[*place] = twin.instruction.accounts[*place].clone();
            }
            let what = format!("those of {}", twin.what);
            mutations.push(Mutation { kind: Kind::Mixed, places, what, differing: differing.clone(), ..mutation });
        }
    }

    fn extra(&self) -> Mutation {
        let mut mutation = Mutation::unchanged(&self.prepared.instruction, &self.prepared.signers);
        let place = mutation.instruction.accounts.len();
        mutation.instruction.accounts.push(AccountMeta::new_readonly(self.stranger.pubkey(), false));
        Mutation { kind: Kind::Extra, places: vec![place], what: "a stranger".into(), ..mutation }
    }
}
