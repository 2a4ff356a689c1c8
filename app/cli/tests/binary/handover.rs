//! Transactions that are signed elsewhere: printed, signed in part, taken back, sent.

use crate::desk::{Desk, Run, finish_with};
use backstop::state::Tranche;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::instruction::PoolKeys;
use backstop_client::transaction::MOST_BYTES;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Faults, Person, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use solana_commitment_config::CommitmentConfig;
use solana_sdk::bs58;
use solana_sdk::message::Message;
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;

/// A pool, and somebody who can deposit into it.
struct Stage {
    desk: Desk,
    pool: PoolKeys,
    person: Person,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        let person = world.person(10_000 * ONE);
        Self { desk: Desk::new(world), pool, person }
    }

    /// The words of a deposit of 100 and what is added to them.
    fn deposit<'a>(&self, pool: &'a str, further: &[&'a str]) -> Vec<&'a str> {
        [&["pool", "deposit", pool, "100", "--tranche", "senior"], further].concat()
    }

    /// A deposit by somebody who is not here, printed.
    fn print(&self, further: &[&str]) -> Run {
        let (pool, id) = (self.pool.pool.to_string(), self.person.id().to_string());
        self.desk.look(&self.deposit(&pool, &[&["--print-tx", "--yes", "--keypair", &id], further].concat()))
    }

    fn deposited(&self) -> u64 {
        self.desk.node.world().pool(&self.pool).tranche(Tranche::Senior).assets
    }

    fn is_untouched(&self) -> bool {
        (self.deposited(), self.desk.node.asked("sendTransaction")) == (0, 0)
    }
}

fn decode(text: &str) -> VersionedTransaction {
    let bytes = BASE64.decode(text.trim()).expect("base64");
    assert!(bytes.len() <= MOST_BYTES);
    bincode::deserialize(&bytes).expect("a transaction")
}

/// Signs in the place of one of a transaction's signers.
fn sign(transaction: &mut VersionedTransaction, signer: &Keypair) {
    let keys = transaction.message.static_account_keys();
    let place = keys.iter().position(|key| *key == signer.pubkey()).expect("it signs");
    transaction.signatures[place] = signer.sign_message(&transaction.message.serialize());
}

fn encode(transaction: &VersionedTransaction) -> String {
    BASE64.encode(bincode::serialize(transaction).expect("it can be written"))
}

#[test]
fn printing_asks_signs_nothing_and_tells_who_must_sign_and_until_when() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    let alone = stage.desk.ask(&stage.person.key, &stage.deposit(&pool, &["--print-tx"]));
    alone.says(2, "nobody is there to confirm", "");
    assert_eq!(alone.stdout, "", "{alone}");

    // The key is here, and what is printed is not signed all the same.
    let run = stage.desk.act(&stage.person.key, &stage.deposit(&pool, &["--print-tx"]));
    let mut transaction = decode(run.done());
    assert_eq!(run.stdout.lines().count(), 1, "stdout is the transaction alone\n{run}");
    assert_eq!(transaction.signatures, [Signature::default()]);
    for words in [&format!("{} must sign, and pays the fee", stage.person.id()), "blockhash", "expires", "after block"]
    {
        let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(words), "{words:?}\n{run}");
    }
    assert!(stage.is_untouched());

    // It works when its owner signs it.
    sign(&mut transaction, &stage.person.key);
    let cluster = RpcCluster::new(stage.desk.node.url(), CommitmentConfig::confirmed());
    cluster.submit(&transaction).expect("it is taken in");
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn a_printed_transaction_in_json_is_everything_that_others_take() {
    let stage = Stage::new();
    let told = stage.desk.snapshot("pool-deposit-print-tx", stage.print(&["--output", "json"]));
    assert_eq!(told["status"], "printed");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let base58 = |value: &Value| bs58::decode(text(value)).into_vec().expect("base58");
    let transaction = decode(&text(&told["transaction"]));
    assert_eq!(base58(&told["transaction_base58"]), BASE64.decode(text(&told["transaction"])).expect("base64"));
    assert_eq!(base58(&told["message_base58"]), transaction.message.serialize());
    assert_eq!(BASE64.decode(text(&told["message"])).expect("base64"), transaction.message.serialize());
    assert_eq!(told["blockhash"], transaction.message.recent_blockhash().to_string());
    assert!(told["last_valid_block_height"].as_u64() > Some(1_000));
    assert_eq!(told["signers"][0]["address"], stage.person.id().to_string());
    assert_eq!(told["signers"][0]["signature"], Value::Null);
    // The share account, then the deposit: no compute budget, which a multisig cannot call.
    let instructions = told["instructions"].as_array().expect("a list");
    assert_eq!(instructions.len(), 2);
    assert_eq!(instructions[1]["program_id"], backstop::ID.to_string());
    let owner = instructions[1]["accounts"].as_array().expect("a list").iter();
    let owner: Vec<&Value> = owner.filter(|account| account["pubkey"] == stage.person.id().to_string()).collect();
    assert_eq!((&owner[0]["is_signer"], owner.len()), (&Value::Bool(true), 1));
    let squads: Message = bincode::deserialize(&base58(&told["squads"])).expect("a message");
    assert_eq!((squads.instructions.len(), squads.account_keys[0]), (2, stage.person.id()));
    assert!(stage.is_untouched());
}

#[test]
fn each_form_can_be_printed_alone() {
    let stage = Stage::new();
    let all: Value = serde_json::from_str(stage.print(&["--output", "json"]).done()).expect("JSON");
    // Blocks pass meanwhile.
    let hash = all["blockhash"].as_str().expect("a text");
    for (form, field) in [
        ("base64", "transaction"),
        ("base58", "transaction_base58"),
        ("message-base64", "message"),
        ("message-base58", "message_base58"),
        ("squads", "squads"),
    ] {
        let printed = stage.print(&["--print-as", form, "--blockhash", hash]);
        assert_eq!(printed.done().trim(), all[field].as_str().expect("a text"), "{form}");
    }
    let printed: Value = serde_json::from_str(stage.print(&["--print-as", "instructions"]).done()).expect("JSON");
    assert_eq!(printed, all["instructions"]);
    let realms = stage.print(&["--print-as", "realms"]);
    let expected: Vec<&str> =
        all["instructions"].as_array().expect("a list").iter().filter_map(|one| one["realms"].as_str()).collect();
    assert_eq!(realms.done().lines().collect::<Vec<_>>(), expected);
    assert!(realms.stderr.contains("do not expire"), "{realms}");
}

#[test]
fn what_comes_back_signed_is_checked_shown_and_sent() {
    let stage = Stage::new();
    let file = stage.desk.write("printed.txt", stage.print(&[]).done());
    // Signed by the owner elsewhere, with the command itself.
    let signed = stage.desk.act(&stage.person.key, &["send", &file, "--sign-only"]);
    let lines: Vec<&str> = signed.done().lines().collect();
    assert_eq!(lines.len(), 2, "{signed}");
    assert!(lines[1].starts_with(&format!("{}=", stage.person.id())), "{signed}");
    assert!(stage.is_untouched());

    // A dry run, a look, and consent.
    let back = stage.desk.write("signed.txt", &format!("{}\r\n", lines[0]));
    stage.desk.look(&["send", &back]).says(2, "nobody is there to confirm", "");
    assert!(stage.desk.look(&["send", &back, "--dry-run"]).done().contains("Would succeed"));
    assert!(stage.is_untouched());
    stage.desk.snapshot("send-dry-run", stage.desk.look(&["send", &back, "--dry-run", "--output", "json"]));
    let sent = stage.desk.look(&["send", &back, "--yes"]);
    assert!(sent.done().starts_with("Confirmed: "), "{sent}");
    for words in ["Backstop: deposit", "has signed", "fee"] {
        assert!(sent.stderr.contains(words), "{words:?}\n{sent}");
    }
    assert_eq!(stage.deposited(), 100 * ONE);
    stage.desk.look(&["send", &back, "--yes"]).says(1, "on chain already", "nothing to do");
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn a_signature_that_comes_by_itself_is_added_and_stdin_is_read() {
    let stage = Stage::new();
    let printed = stage.print(&["--output", "json"]);
    let told: Value = serde_json::from_str(printed.done()).expect("JSON");
    let message = BASE64.decode(told["message"].as_str().expect("a text")).expect("base64");
    let signature = format!("{}={}", stage.person.id(), stage.person.key.sign_message(&message));
    let mut command = stage.desk.bare();
    command.args(["--url", stage.desk.node.url(), "send", "-", "--yes", "--signer", &signature]);
    assert!(finish_with(&mut command, printed.done()).done().starts_with("Confirmed: "));
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn what_comes_back_wrong_is_refused_and_not_sent() {
    let stage = Stage::new();
    let printed = stage.print(&[]);
    let file = stage.desk.write("printed.txt", printed.done());
    let send = |file: &str, further: &[&str]| stage.desk.look(&[&["send", file, "--yes"], further].concat());
    let id = stage.person.id().to_string();
    send(&file, &[]).says(1, &format!("1 of 1 signatures missing: {id}"), "--sign-only");

    let mut transaction = decode(printed.done());
    transaction.signatures[0] = stage.person.key.sign_message(b"another");
    let wrong = stage.desk.write("wrong.txt", &encode(&transaction));
    send(&wrong, &[]).says(1, &format!("the signature of {id} is not for this transaction"), "sign it again");
    let other = Keypair::new();
    let strange = format!("{}={}", other.pubkey(), other.sign_message(b"x"));
    send(&file, &["--signer", &strange]).says(1, "does not sign this transaction", "--signer");
    stage.desk.act(&other, &["send", &file, "--sign-only"]).says(1, "is asked to sign", "--keypair");
    for text in ["", "hello", "[1, 2, 3]"] {
        let garbage = stage.desk.write("garbage.txt", text);
        send(&garbage, &[]).says(1, "no transaction", "--print-tx");
    }
    send("nowhere.txt", &[]).says(1, "nowhere.txt cannot be read", "path");
    assert_eq!(send(&file, &["--print-tx"]).code, 2);

    // Signed in time, sent too late.
    sign(&mut transaction, &stage.person.key);
    let late = stage.desk.write("late.txt", &encode(&transaction));
    stage.desk.node.pass_blocks(200);
    send(&late, &[]).says(1, "has expired", "anew");
    assert!(stage.is_untouched());
}

#[test]
fn the_same_command_takes_a_signature_from_elsewhere_for_the_same_blockhash() {
    let stage = Stage::new();
    let (pool, id) = (stage.pool.pool.to_string(), stage.person.id().to_string());
    let told: Value = serde_json::from_str(stage.print(&["--output", "json"]).done()).expect("JSON");
    let hash = told["blockhash"].as_str().expect("a text");
    let message = BASE64.decode(told["message"].as_str().expect("a text")).expect("base64");
    let signature = format!("{id}={}", stage.person.key.sign_message(&message));
    let wrong = format!("{id}={}", stage.person.key.sign_message(b"another"));
    let send = |signature: &str, hash: &str| {
        let further = ["--yes", "--keypair", &id, "--blockhash", hash, "--signer", signature];
        stage.desk.look(&stage.deposit(&pool, &further))
    };
    send(&wrong, hash).says(1, "does not sign", "");
    let unknown = solana_sdk::hash::Hash::new_from_array([9; 32]).to_string();
    send(&signature, &unknown).says(2, "too old, or of another cluster", "");
    assert!(stage.is_untouched());
    assert!(send(&signature, hash).done().starts_with("Confirmed: "));
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn those_who_are_here_sign_and_the_others_are_named() {
    let stage = Stage::new();
    let payer = Keypair::new();
    stage.desk.node.world().cluster.airdrop(&payer.pubkey(), 1_000_000_000);
    let (pool, id, payer_file) =
        (stage.pool.pool.to_string(), stage.person.id().to_string(), stage.desk.keypair(&payer));
    let further = ["--sign-only", "--yes", "--keypair", &id, "--fee-payer", &payer_file];
    let run = stage.desk.look(&stage.deposit(&pool, &further));
    let transaction = decode(run.done().lines().next().expect("a line"));
    assert!(transaction.signatures[0].verify(payer.pubkey().as_ref(), &transaction.message.serialize()));
    assert_eq!(transaction.signatures[1], Signature::default());
    let signed = format!("{}={}", payer.pubkey(), transaction.signatures[0]);
    assert_eq!(run.stdout.lines().skip(1).collect::<Vec<_>>(), [signed], "{run}");
    assert!(run.stderr.contains(&format!("{id} must sign")), "{run}");
    assert!(stage.is_untouched());

    let file = stage.desk.write("half.txt", &encode(&transaction));
    let done = stage.desk.act(&stage.person.key, &["send", &file, "--sign-only"]);
    let whole = stage.desk.write("whole.txt", done.done().lines().next().expect("a line"));
    stage.desk.look(&["send", &whole, "--yes"]).done();
    assert_eq!(stage.deposited(), 100 * ONE);
    let lamports = |key| stage.desk.node.world().cluster.svm().get_balance(key).expect("it is there");
    assert_eq!(lamports(&stage.person.id()), 100_000_000_000, "somebody else paid fee and rent");
}

#[test]
fn what_expired_is_sent_again_for_more_and_the_signatures_are_told_whatever_happens() {
    let stage = Stage::new();
    let pool = stage.pool.pool.to_string();
    stage.desk.node.set_faults(Faults { lost: u32::MAX, lifetime: 1, ..Faults::default() });
    let run = stage.desk.act(&stage.person.key, &stage.deposit(&pool, &[]));
    run.says(5, "expired before it was executed", "send it again");
    let sending: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("Sending ")).collect();
    assert_eq!(sending.len(), 3, "{run}");
    let last = sending[2].strip_prefix("Sending ").expect("it begins so");
    assert!(run.stderr.lines().any(|line| line.starts_with("error: ") && line.contains(last)), "{run}");
    for fee in ["0.000007000", "0.000009000"] {
        assert!(run.stderr.contains(&format!("sent again, for a fee of {fee} SOL")), "{fee}\n{run}");
    }
    assert_eq!(stage.deposited(), 0);
}
