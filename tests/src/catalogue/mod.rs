//! One valid transaction, or several, for every instruction: the negative matrix attacks them and the compute-unit
//! table measures them.
//!
//! **A new instruction** gets a function for each of its [`Case`]s in the file of its group, and an [`Entry`] in that
//! file's list. [`missing`] names the instructions without one, and the tests fail until there is none. Then it is
//! written into the generated pages, see [`crate::golden`].

pub mod attestor;
pub mod cover;
pub mod exit;
pub mod incident;
pub mod lien;
pub mod loan;
pub mod pool;
pub mod position;
pub mod product;
pub mod protocol;
pub mod setup;
pub mod stage;
pub mod treaty;
pub mod trigger;

use crate::{World, idl};
use anchor_lang::prelude::{AccountMeta, Pubkey};
use anchor_lang::solana_program::instruction::Instruction;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

const FILES: &str = "tests/src/catalogue: an Entry in the file of its group";

/// An instruction and its cases.
pub struct Entry {
    /// The instruction's name.
    pub instruction: &'static str,
    /// Its cases: "always" alone if its cost does not depend on state, else "usual", "worst" and what lies between.
    pub cases: &'static [Case],
}

/// One state of the world in which an instruction succeeds.
pub struct Case {
    /// "always", "usual" or "worst", or another name.
    pub name: &'static str,
    /// What is particular about it.
    pub what: &'static str,
    /// Prepares the world and builds the instruction.
    pub prepare: fn() -> Prepared,
}

const fn case(name: &'static str, what: &'static str, prepare: fn() -> Prepared) -> Case {
    Case { name, what, prepare }
}

/// A world in which an instruction succeeds.
pub struct Prepared {
    /// The world.
    pub world: World,
    /// What stands right before it in its transaction: signatures that it looks at.
    pub before: Vec<Instruction>,
    /// The instruction.
    pub instruction: Instruction,
    /// Who signs it.
    pub signers: Vec<Keypair>,
    /// The same instruction about something else of the same kind.
    pub twins: Vec<Twin>,
}

/// The same instruction about something else: another person's, another product's, another pool's.
pub struct Twin {
    /// What is different.
    pub what: &'static str,
    /// The instruction.
    pub instruction: Instruction,
    /// Who signs it.
    pub signers: Vec<Keypair>,
    /// Whether it would succeed. One that would not is an attacker's set of accounts that fit together.
    pub valid: bool,
}

impl Prepared {
    /// An instruction in a world, signed by some.
    pub fn new(world: World, instruction: Instruction, signers: &[&Keypair]) -> Self {
        Self { world, before: Vec::new(), instruction, signers: owned(signers), twins: Vec::new() }
    }

    /// Puts instructions right before it, and before every twin.
    #[must_use]
    pub fn after(mut self, before: Vec<Instruction>) -> Self {
        self.before = before;
        self
    }

    /// Adds the same instruction about something else, which would succeed too.
    #[must_use]
    pub fn twin(self, what: &'static str, instruction: Instruction, signers: &[&Keypair]) -> Self {
        self.with(Twin { what, instruction, signers: owned(signers), valid: true })
    }

    /// Adds an attacker's set of accounts, which must be refused whole and in part.
    #[must_use]
    pub fn trap(self, what: &'static str, instruction: Instruction, signers: &[&Keypair]) -> Self {
        self.with(Twin { what, instruction, signers: owned(signers), valid: false })
    }

    /// The key of a signer, if it is one of this instruction or of a twin.
    pub fn signer(&self, address: &Pubkey) -> Option<Keypair> {
        let twins = self.twins.iter().flat_map(|twin| twin.signers.iter());
        let mut known = self.signers.iter().chain(twins);
        known.find(|key| key.pubkey() == *address).map(Keypair::insecure_clone)
    }

    fn with(mut self, twin: Twin) -> Self {
        self.twins.push(twin);
        self
    }
}

/// An account of an instruction, by its name.
#[track_caller]
pub fn account<'a>(instruction: &'a mut Instruction, of: &str, name: &str) -> &'a mut AccountMeta {
    let declared = idl::instruction(of);
    let index = declared.accounts.iter().position(|account| account == name);
    &mut instruction.accounts[index.unwrap_or_else(|| panic!("`{of}` has no account `{name}`"))]
}

fn owned(signers: &[&Keypair]) -> Vec<Keypair> {
    signers.iter().map(|key| key.insecure_clone()).collect()
}

/// Every entry of Backstop, then those of the example lender.
pub fn all() -> Vec<&'static Entry> {
    entries().into_iter().chain(loan::ENTRIES).collect()
}

/// Every entry of Backstop, by group.
pub fn entries() -> Vec<&'static Entry> {
    let groups: [&'static [Entry]; 11] = [
        protocol::ENTRIES,
        attestor::ENTRIES,
        pool::ENTRIES,
        exit::ENTRIES,
        product::ENTRIES,
        cover::ENTRIES,
        position::ENTRIES,
        lien::ENTRIES,
        trigger::ENTRIES,
        incident::ENTRIES,
        treaty::ENTRIES,
    ];
    groups.into_iter().flatten().collect()
}

/// What is wrong with the catalogue: instructions without an entry, entries without an instruction, cases that are not
/// named as they should be.
pub fn missing() -> Vec<String> {
    let mut wrong = idl::compare(FILES, entries().iter().map(|entry| entry.instruction));
    wrong.extend(idl::compare_lender(FILES, loan::ENTRIES.iter().map(|entry| entry.instruction)));
    let entries = all();
    for (place, entry) in entries.iter().enumerate() {
        if entries[..place].iter().any(|other| other.instruction == entry.instruction) {
            wrong.push(format!("{FILES} names `{}` twice", entry.instruction));
        }
        let names: Vec<&str> = entry.cases.iter().map(|case| case.name).collect();
        let always = names == ["always"];
        let range = names.first() == Some(&"usual") && names.last() == Some(&"worst");
        if !always && !range {
            wrong.push(format!(
                "the cases of `{}` are \"always\", or begin with \"usual\" and end with \"worst\"",
                entry.instruction
            ));
        }
    }
    wrong
}
