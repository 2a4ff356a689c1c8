//! Instructions of the protocol.

use super::stage::{Setup, Stage, key};
use super::{Entry, Prepared, account, case};
use anchor_lang::prelude::Pubkey;
use backstop::InitializeArgs;
use backstop::constants::PAUSE_DEPOSITS;
use backstop_client::{address, instruction as ix};
use backstop_sandbox::embedded::GENESIS_HASH;
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry { instruction: "initialize", cases: &[case("always", "", initialize)] },
    Entry { instruction: "propose_governance", cases: &[case("always", "", propose_governance)] },
    Entry { instruction: "accept_governance", cases: &[case("always", "", accept_governance)] },
    Entry { instruction: "set_roles", cases: &[case("always", "", set_roles)] },
    Entry { instruction: "pause", cases: &[case("always", "", pause)] },
];

fn initialize() -> Prepared {
    let stage = Stage::bare(Setup::default());
    let cluster = &stage.world.cluster;
    cluster.set_account(address::protocol(), Account::default());
    let args = InitializeArgs {
        governance: key("governance").pubkey(),
        guardian: key("guardian").pubkey(),
        risk_keeper: key("risk keeper").pubkey(),
        genesis_hash: GENESIS_HASH.to_bytes(),
    };
    let deployer = stage.world.payer.insecure_clone();
    let initialize = ix::initialize(deployer.pubkey(), stage.rent.pubkey(), args);
    // Somebody's own program, with its own upgrade authority in its own data.
    let thief = key("thief");
    let program = deploy(&stage, "thief's program", &thief.pubkey());
    let mut trap = initialize.clone();
    account(&mut trap, "initialize", "upgrade_authority").pubkey = thief.pubkey();
    account(&mut trap, "initialize", "program_data").pubkey = program_data(&program);
    let signers = [&deployer, &stage.rent.insecure_clone()];
    Prepared::new(stage.world, initialize, &signers).trap(
        "another program and its authority",
        trap,
        &[&thief, signers[1]],
    )
}

fn program_data(program: &Pubkey) -> Pubkey {
    Pubkey::find_program_address(&[program.as_ref()], &anchor_lang::solana_program::bpf_loader_upgradeable::ID).0
}

/// Deploys a copy of the program under another address.
fn deploy(stage: &Stage, label: &str, authority: &Pubkey) -> Pubkey {
    let program = key(label).pubkey();
    let mut svm = stage.world.cluster.svm();
    svm.add_program(program, &crate::source::artifact()).expect("the program is a valid executable");
    let address = program_data(&program);
    let mut data = svm.get_account(&address).expect("the loader has written the program's data");
    data.data[12] = 1;
    data.data[13..45].copy_from_slice(authority.as_ref());
    svm.set_account(address, data).expect("the program's data keeps its length");
    program
}

fn propose_governance() -> Prepared {
    let stage = Stage::empty(Setup::default());
    let governance = stage.world.governance.insecure_clone();
    let propose = ix::propose_governance(governance.pubkey(), key("heir").pubkey());
    Prepared::new(stage.world, propose, &[&governance])
}

fn accept_governance() -> Prepared {
    let stage = Stage::empty(Setup::default());
    let heir = key("heir");
    let governance = stage.world.governance.insecure_clone();
    stage.act(&[&governance], &[ix::propose_governance(governance.pubkey(), heir.pubkey())]);
    Prepared::new(stage.world, ix::accept_governance(heir.pubkey()), &[&heir])
}

fn set_roles() -> Prepared {
    let stage = Stage::empty(Setup::default());
    let governance = stage.world.governance.insecure_clone();
    let roles = ix::set_roles(governance.pubkey(), key("guardian").pubkey(), key("risk keeper").pubkey());
    Prepared::new(stage.world, roles, &[&governance])
}

fn pause() -> Prepared {
    let stage = Stage::empty(Setup::default());
    let guardian = stage.world.guardian.insecure_clone();
    Prepared::new(stage.world, ix::pause(guardian.pubkey(), PAUSE_DEPOSITS), &[&guardian])
}
