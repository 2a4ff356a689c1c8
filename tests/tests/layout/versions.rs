//! No instruction reads an account of a layout that the program does not know.

use anchor_lang::Discriminator;
use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError;
use backstop::state::{self, Versioned};
use backstop_client::{Cluster, transaction};
use backstop_tests::catalogue::{Prepared, entries};
use backstop_tests::{budget, idl};
use solana_sdk::signature::Keypair;

/// Accounts that an instruction does not read in its first case: whatever their bytes say, nothing follows from it.
const NOT_READ: [(&str, &str); 8] = [
    // They are for a change of phase.
    ("observe", "product"),
    ("observe", "pool"),
    ("observe_report", "product"),
    ("observe_report", "pool"),
    ("observe_live", "product"),
    ("observe_live", "pool"),
    ("refresh", "product"),
    ("refresh", "pool"),
];

/// Where an account of the program has its version, if it is one.
fn version_at(data: &[u8]) -> Option<usize> {
    macro_rules! find {
        ($($name:ident),+) => {
            [$((state::$name::DISCRIMINATOR, <state::$name as Versioned>::VERSION_AT)),+]
        };
    }
    let known = account_types!(find);
    assert_eq!(known.len(), idl::accounts().len(), "every account type is looked for");
    known.iter().find(|(discriminator, _)| data.starts_with(discriminator)).map(|(_, at)| *at)
}

fn send(prepared: &Prepared) -> Result<(), Option<BackstopError>> {
    let signers: Vec<&Keypair> = prepared.signers.iter().collect();
    let sent = prepared.world.send(
        &signers,
        &[&[budget()], prepared.before.as_slice(), std::slice::from_ref(&prepared.instruction)].concat(),
    );
    sent.map(|_| ()).map_err(|error| transaction::program_error(&error))
}

#[test]
fn every_instruction_refuses_every_account_of_an_unknown_version() {
    let (mut tried, mut wrong) = (0, vec![]);
    for entry in entries() {
        let case = entry.cases.first().expect("an entry has a case");
        let mut prepared = (case.prepare)();
        let names = &idl::instruction(entry.instruction).accounts;
        for (place, meta) in prepared.instruction.accounts.clone().into_iter().enumerate() {
            let name = names.get(place).map_or("a further account", String::as_str);
            let address: Pubkey = meta.pubkey;
            let Some(account) = prepared.world.cluster.account(&address).unwrap() else { continue };
            let Some(at) = version_at(&account.data).filter(|_| account.owner == backstop::ID) else { continue };
            for version in [0, 1, 3] {
                tried += 1;
                let mut other = account.clone();
                other.data[at] = version;
                prepared.world.cluster.set_account(address, other.clone());
                let outcome = send(&prepared);
                let unread = NOT_READ.contains(&(entry.instruction, name));
                let left = prepared.world.cluster.account(&address).unwrap();
                let untouched = left.is_some_and(|left| left.data == other.data);
                let expected = if unread { Ok(()) } else { Err(Some(BackstopError::UnknownVersion)) };
                if outcome != expected || !untouched {
                    wrong.push(format!("{} {name} of version {version}: {outcome:?}", entry.instruction));
                }
                if outcome.is_ok() {
                    prepared = (case.prepare)();
                }
                prepared.world.cluster.set_account(address, account.clone());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 150, "only {tried} accounts were tried");
}
