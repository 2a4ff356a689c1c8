//! What the page builds, takes back and sends, asked over HTTP as its script asks.

mod booth;

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use backstop::state::{Cover, Position, Tranche};
use backstop_client::cluster::{Blockhash, Cluster, ClusterError, Outcome, Receipt};
use backstop_client::{account, address};
use backstop_sandbox::SharedCluster;
use backstop_tests::terms::ONE;
use backstop_tests::{Fault, Faults, Rule};
use backstop_web::sign::allow::{COMPUTE_BUDGET, LIGHTHOUSE};
use backstop_web::site::Settings;
use booth::{Booth, encoded, shop, sign, signature_text, signed, text, transaction};
use serde_json::{Value, json};
use solana_sdk::account::Account;
use solana_sdk::message::compiled_instruction::CompiledInstruction;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;
use std::sync::Arc;
use std::time::Duration;

/// The covers that somebody holds are as many as were bought.
fn covers(booth: &Booth) -> usize {
    let world = booth.node.world();
    account::list::<Cover>(&world.cluster, None).expect("the cluster answers").len()
}

#[test]
fn a_purchase_is_shown_as_the_command_line_shows_it_and_sent() {
    let booth = Booth::open();
    let built = booth.act(&booth.buy());
    assert_eq!(text(&built["title"]), "Buy 1,000.00 USDT of cover: USDC below 0.95 for 4h");
    let names: Vec<&str> = built["rows"].as_array().expect("rows").iter().map(|row| text(&row[0])).collect();
    for name in ["premium", "at most", "sum insured", "protects", "pays if", "cover", "NFT", "goes to", "rent", "fee"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(built["warnings"].as_array().expect("warnings").len() >= 4, "what is not covered is told");
    let command = text(&built["command"]);
    assert!(
        command
            .starts_with(&format!("backstop cover buy {} 1000 --days 30 --max-premium ", booth.shop.product.product))
    );
    assert_eq!(built["chain"], "solana:localnet");
    assert_eq!(covers(&booth), 1);
}

#[test]
fn a_double_click_and_a_replay_send_nothing_twice() {
    let booth = Booth::open();
    let built = booth.prepared(&booth.buy());
    let body = signed(&built, booth.key());
    let [first, second] = [(); 2].map(|()| booth.page.takes("/sign/send", &body));
    assert_eq!(first["signature"], second["signature"]);
    assert_eq!(booth.page.ended(text(&built["plan"]))["status"], "confirmed");
    let executed = booth.node.executed();
    assert_eq!(booth.page.takes("/sign/send", &body)["status"], "confirmed", "a replay tells how it ended");
    let mut other = transaction(&built);
    add(&mut other, COMPUTE_BUDGET, &[3, 1, 0, 0, 0, 0, 0, 0, 0]);
    let other = json!({ "plan": built["plan"], "transaction": encoded(&sign(other, booth.key())) });
    let (status, told) = booth.page.post("/sign/send", &other);
    assert_eq!((status, &told["done"], &told["signature"]), (409, &json!(true), &first["signature"]));
    assert_eq!((booth.node.executed(), covers(&booth)), (executed, 1));
}

#[test]
fn a_purchase_that_is_built_again_keeps_its_number_and_is_charged_once() {
    let booth = Booth::open();
    let first = booth.prepared(&booth.buy());
    let mut again = booth.buy();
    (again["again"], again["agreed"]) = (first["plan"].clone(), json!(true));
    booth.node.pass_blocks(1);
    let second = booth.prepared(&again);
    let ours = |built: &Value| transaction(built).message.instructions().last().cloned();
    assert_eq!(ours(&first), ours(&second), "number, day and limit stay");
    assert_ne!(first["transaction"], second["transaction"], "the blockhash is a new one");
    // The wallet has sent the first by itself, whatever it says.
    let leaked = sign(transaction(&first), booth.key());
    booth.node.world().cluster.send(&leaked).expect("it is executed");
    let (status, told) = booth.page.post("/sign/send", &signed(&second, booth.key()));
    assert_eq!(status, 422, "{told}");
    again["again"] = second["plan"].clone();
    let (status, told) = booth.prepare(&again);
    assert_eq!((status, &told["done"]), (409, &json!(true)), "it was bought: {told}");
    assert_eq!(covers(&booth), 1);
    let withdrawn = booth.page.post("/sign/send", &signed(&first, booth.key()));
    assert_eq!(withdrawn.0, 409, "in whose place another was built is not sent");
}

#[test]
fn what_took_too_long_to_sign_expires_and_is_asked_again_with_the_same_number() {
    let booth = Booth::open();
    let built = booth.prepared(&booth.buy());
    let body = signed(&built, booth.key());
    booth.node.pass_blocks(400);
    booth.page.takes("/sign/send", &body);
    let ended = booth.page.ended(text(&built["plan"]));
    assert_eq!(ended["status"], "expired", "{ended}");
    assert!(ended["signature"].is_string(), "it is shown all the same");
    let mut again = booth.buy();
    (again["again"], again["agreed"]) = (built["plan"].clone(), json!(true));
    let second = booth.act(&again);
    let ours = |built: &Value| transaction(built).message.instructions().last().cloned();
    assert_eq!(ours(&built), ours(&second));
    assert_eq!(covers(&booth), 1);
}

#[test]
fn a_deposit_is_built_again_only_when_the_one_before_has_expired() {
    let booth = Booth::open();
    let built = booth.prepared(&booth.deposit());
    booth.page.takes("/sign/hand", &json!({ "plan": built["plan"] }));
    let mut again = booth.deposit();
    again["again"] = built["plan"].clone();
    let (status, told) = booth.prepare(&again);
    assert_eq!(status, 409, "the wallet may still send it: {told}");
    booth.node.pass_blocks(400);
    let second = booth.prepared(&again);
    let warning = text(&second["warnings"][0]);
    assert!(warning.contains("nobody said whether it sent it"), "{warning}");
    // Of one that is under way nothing is built, either.
    booth.node.set_faults(Faults { lost: 1_000, blocks_per_look: 0, ..Faults::default() });
    booth.page.takes("/sign/send", &signed(&second, booth.key()));
    again["again"] = second["plan"].clone();
    let (status, told) = booth.prepare(&again);
    assert_eq!((status, told["signature"].is_string()), (409, true), "{told}");
    booth.node.set_faults(Faults::default());
    booth.page.ended(text(&second["plan"]));
}

#[test]
fn two_deposits_that_were_built_at_once_are_not_both_sent() {
    let booth = Booth::open();
    let [first, second] = [(); 2].map(|()| booth.prepared(&booth.deposit()));
    booth.page.takes("/sign/send", &signed(&first, booth.key()));
    let ended = booth.page.ended(text(&first["plan"]));
    assert_eq!(ended["status"], "confirmed", "{ended}");
    let (status, told) = booth.page.post("/sign/send", &signed(&second, booth.key()));
    assert_eq!((status, &told["signature"]), (409, &ended["signature"]), "{told}");
    assert!(text(&told["error"]).contains("another deposit"), "{told}");
    booth.act(&booth.deposit());
    let world = booth.node.world();
    assert_eq!(world.assets(&booth.shop.person), 49_000_000_000, "whoever has seen the first may deposit once more");
}

/// Adds an instruction without accounts to a transaction, as wallets do.
fn add(transaction: &mut VersionedTransaction, program: Pubkey, data: &[u8]) {
    let VersionedMessage::Legacy(message) = &mut transaction.message else { panic!("it is a legacy one") };
    let place = message.account_keys.iter().position(|key| *key == program).unwrap_or_else(|| {
        message.account_keys.push(program);
        message.header.num_readonly_unsigned_accounts += 1;
        message.account_keys.len() - 1
    });
    let program_id_index = u8::try_from(place).expect("few accounts");
    message.instructions.push(CompiledInstruction { program_id_index, accounts: vec![], data: data.to_vec() });
}

#[test]
fn nobody_sends_anything_of_their_own_through_the_page() {
    let booth = Booth::open();
    let built = booth.prepared(&booth.buy());
    let plan = &built["plan"];
    let key = booth.key();
    let transfer = Instruction {
        program_id: anchor_lang::system_program::ID,
        accounts: vec![AccountMeta::new(key.pubkey(), true), AccountMeta::new(Pubkey::new_unique(), false)],
        data: [2u32.to_le_bytes().as_slice(), &1u64.to_le_bytes()].concat(),
    };
    let hash = *transaction(&built).message.recent_blockhash();
    let message = Message::new_with_blockhash(&[transfer], Some(&key.pubkey()), &hash);
    let own = VersionedTransaction { signatures: vec![], message: VersionedMessage::Legacy(message) };
    let mut added = transaction(&built);
    add(&mut added, Pubkey::new_unique(), &[]);
    let mut altered = transaction(&built);
    let VersionedMessage::Legacy(message) = &mut altered.message else { panic!("it is a legacy one") };
    message.instructions.last_mut().expect("ours").data[9] ^= 1;
    for (what, changed) in [("own", own), ("added", added), ("altered", altered)] {
        let body = json!({ "plan": plan, "transaction": encoded(&sign(changed, key)) });
        let (status, told) = booth.page.post("/sign/send", &body);
        assert_eq!(status, 400, "{what}: {told}");
        assert!(text(&told["error"]).starts_with("the wallet changed the transaction"), "{what}: {told}");
    }
    let stranger = signed(&built, &Keypair::new());
    assert_eq!(booth.page.post("/sign/send", &stranger).0, 400, "another wallet signed");
    for garbage in ["", "AAAA", "hello", &format!("{}AA", text(&built["transaction"]))] {
        assert_eq!(booth.page.post("/sign/send", &json!({ "plan": plan, "transaction": garbage })).0, 400);
    }
    let no_plan = json!({ "plan": "none", "transaction": text(&signed(&built, key)["transaction"]) });
    assert_eq!(booth.page.post("/sign/send", &no_plan).0, 404);
    assert_eq!(booth.node.asked("sendTransaction"), 0);
    assert_eq!(booth.page.takes("/sign/send", &signed(&built, key))["status"], "open", "the plan is good as before");
    booth.page.ended(text(plan));
}

#[test]
fn guards_that_wallets_add_are_sent_along() {
    let booth = Booth::open();
    let program = guard_program(&booth);
    booth.node.world().cluster.svm().add_program(LIGHTHOUSE, &program).expect("it loads");
    let built = booth.prepared(&booth.buy());
    let mut guarded = transaction(&built);
    add(&mut guarded, LIGHTHOUSE, &[14, 0, 1]);
    add(&mut guarded, COMPUTE_BUDGET, &[4, 0, 0, 0, 4]);
    let body = json!({ "plan": built["plan"], "transaction": encoded(&sign(guarded, booth.key())) });
    booth.page.takes("/sign/send", &body);
    let ended = booth.page.ended(text(&built["plan"]));
    assert_eq!(ended["status"], "confirmed", "{ended}");
    assert_eq!(covers(&booth), 1);
}

/// A program that takes any text and does nothing: the memo program, which every cluster has.
fn guard_program(booth: &Booth) -> Vec<u8> {
    let memo = anchor_lang::prelude::pubkey!("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo");
    booth.node.world().cluster.account(&memo).expect("the cluster answers").expect("it is there").data
}

#[test]
fn a_wallet_that_sends_by_itself_is_watched() {
    let booth = Booth::open();
    let built = booth.prepared(&booth.buy());
    let plan = text(&built["plan"]);
    assert_eq!(booth.page.takes("/sign/hand", &json!({ "plan": plan }))["status"], "handed");
    let sent = sign(transaction(&built), booth.key());
    let signature = sent.signatures[0];
    booth.page.takes("/sign/watch", &json!({ "plan": plan, "signature": signature_text(&signature) }));
    let ended = booth.page.ended(plan);
    assert_eq!((&ended["status"], text(&ended["signature"])), (&json!("confirmed"), signature.to_string().as_str()));
    assert_eq!(covers(&booth), 1, "the page has sent it along, as it knows all of it");
}

#[test]
fn a_signature_of_something_else_is_never_taken_for_what_was_built() {
    let booth = Booth::with(Settings { patience: Duration::from_secs(20), ..Settings::default() });
    let built = booth.prepared(&booth.buy());
    // Something else of the wallet's is executed.
    let other = booth.act(&booth.deposit());
    let signature = sign(transaction(&other), booth.key()).signatures[0];
    let plan = text(&built["plan"]);
    booth.page.takes("/sign/watch", &json!({ "plan": plan, "signature": signature_text(&signature) }));
    let ended = booth.page.ended(plan);
    assert_eq!(ended["status"], "unknown", "it calls our program, and no cover is there: {ended}");
    assert_eq!(booth.page.post("/sign/watch", &json!({ "plan": plan, "signature": "AAAA" })).0, 400);
    assert_eq!(covers(&booth), 0);
}

#[test]
fn what_would_fail_is_not_built_and_says_why() {
    let booth = Booth::open();
    let told = |act: Value| {
        let (status, told) = booth.prepare(&act);
        assert!(told.get("transaction").is_none());
        (status, text(&told["error"]).to_owned())
    };
    let mut much = booth.buy();
    much["sum"] = json!("90000");
    let (status, why) = told(much.clone());
    assert_eq!(status, 422, "{why}");
    much["sum"] = json!("1,5");
    assert_eq!(told(much.clone()).0, 400);
    much["product"] = json!(Pubkey::new_unique().to_string());
    much["sum"] = json!("1");
    assert_eq!(told(much).0, 400, "there is no such product");
    let mut poor = booth.deposit();
    poor["amount"] = json!("60000");
    let (status, why) = told(poor);
    assert!(status == 422 && why.contains("this needs 60,000.00"), "{why}");
    let (status, _) = booth.page.post("/sign/prepare", &json!({ "act": "steal", "wallet": "x" }));
    assert!((400..500).contains(&status));
    let mut wallet = booth.buy();
    wallet["wallet"] = json!("nobody");
    assert_eq!(booth.page.post("/sign/prepare", &wallet).0, 400);
    let hints: Vec<Value> = [booth.deposit()].iter().map(|act| booth.prepared(act)["hint"].clone()).collect();
    assert_eq!(hints, [Value::Null]);
}

#[test]
fn a_node_that_does_not_answer_is_no_answer() {
    let booth = Booth::open();
    let built = booth.prepared(&booth.buy());
    booth.node.set_faults(Faults::of("simulateTransaction", Fault::Status(404, "")));
    let body = signed(&built, booth.key());
    let (status, told) = booth.page.post("/sign/send", &body);
    assert_eq!(status, 502, "{told}");
    assert_eq!(booth.prepare(&booth.buy()).0, 502);
    booth
        .node
        .set_faults(Faults { rules: vec![Rule::once("sendTransaction", Fault::Status(404, ""))], ..Faults::default() });
    booth.page.takes("/sign/send", &body);
    let ended = booth.page.ended(text(&built["plan"]));
    assert_eq!(ended["status"], "confirmed", "it was sent again: {ended}");
}

#[test]
fn the_script_is_short_and_puts_nothing_into_a_page_but_text() {
    let script = backstop_web::assets::WALLET;
    assert!(script.lines().count() <= 200);
    for way in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc", "import("]
    {
        assert!(!script.contains(way), "{way}");
    }
    let booth = Booth::open();
    let (status, served) = booth.page.get("/assets/wallet.js");
    assert_eq!((status, served.as_str()), (200, Some(script)));
}

/// A cluster that is asked in the middle of an act what it does not know.
struct Liar {
    cluster: SharedCluster,
    /// Whether it speaks of another transaction when it is asked for one; else it says nothing.
    of_another: bool,
}

impl Cluster for Liar {
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        self.cluster.account(address)
    }
    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        self.cluster.accounts(addresses)
    }
    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        self.cluster.program_accounts(tag, filter)
    }
    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        self.cluster.tokens_of(owner, token_program)
    }
    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        self.cluster.nft_accounts(mints)
    }
    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        self.cluster.latest_blockhash()
    }
    fn block_height(&self) -> Result<u64, ClusterError> {
        self.cluster.block_height()
    }
    fn slot(&self) -> Result<u64, ClusterError> {
        self.cluster.slot()
    }
    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        self.cluster.simulate(transaction)
    }
    fn submit(&self, _transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        Ok(())
    }
    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        let signature = Signature::from([9; 64]);
        let lie = || self.of_another.then(|| Ok(Receipt { signature, ..Receipt::default() }));
        Ok(signatures.iter().map(|_| lie()).collect())
    }
    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        self.cluster.recent_priority_price(writable)
    }
    fn genesis_hash(&self) -> Result<solana_sdk::hash::Hash, ClusterError> {
        self.cluster.genesis_hash()
    }
    fn now(&self) -> Result<i64, ClusterError> {
        self.cluster.now()
    }
    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.cluster.rent(length)
    }
}

#[test]
fn of_a_node_that_lies_or_says_nothing_the_page_knows_nothing() {
    for of_another in [true, false] {
        let (world, shop) = shop();
        let cluster = SharedCluster::new(world.cluster);
        let page = booth::page(Arc::new(Liar { cluster, of_another }), Settings::default());
        let key = &shop.person.key;
        let body = json!({ "act": "buy", "wallet": key.pubkey().to_string(), "sum": "10", "days": "30",
                           "product": shop.product.product.to_string() });
        let built = page.takes("/sign/prepare", &body);
        page.takes("/sign/send", &signed(&built, key));
        let ended = page.ended(text(&built["plan"]));
        assert_eq!(ended["status"], "unknown", "{ended}");
        assert!(ended["signature"].is_string());
    }
}

#[test]
fn whoever_holds_a_share_or_a_cover_does_the_rest_of_it_here() {
    let booth = Booth::open();
    booth.act(&booth.deposit());
    let pool = booth.shop.pool.pool.to_string();
    let leave = json!({ "act": "leave", "pool": pool, "tranche": "senior", "amount": "200" });
    booth.act(&leave);
    booth.act(&json!({ "act": "leave", "pool": pool, "tranche": "senior" }));
    let person = booth.key().pubkey();
    let ticket = |nonce| address::exit_ticket(&booth.shop.pool.pool, &person, nonce).to_string();
    let (status, told) = booth.prepare(&json!({ "act": "stay", "ticket": ticket(0) }));
    assert_eq!(status, 422, "not on its day: {told}");
    booth.node.world().next_day();
    booth.act(&json!({ "act": "stay", "ticket": ticket(0) }));
    {
        let world = booth.node.world();
        assert_eq!(world.shares(&booth.shop.pool, &booth.shop.person, Tranche::Senior) / 1_000_000_000, 200);
        world.advance(9 * 86_400);
        let day = world.ticket(&booth.shop.pool, &booth.shop.person, 1).epoch_day;
        world.settle_epoch(&booth.shop.pool, day).expect("the day is settled");
    }
    let claim = booth.act(&json!({ "act": "claim", "ticket": ticket(1) }));
    assert_eq!(
        text(&claim["title"]),
        "Take 299.999999 USDT",
        "300 as shares and as a ticket: rounded against the leaver"
    );
    {
        let world = booth.node.world();
        world.print(&booth.shop.product, 100_000_000);
    }
    let bought = booth.act(&booth.buy());
    let rows = bought["rows"].as_array().expect("rows");
    let cover = text(&rows.iter().find(|row| row[0] == "cover").expect("it is told")[1]).to_owned();
    booth.node.world().next_day();
    booth.node.world().print(&booth.shop.product, 100_000_000);
    let (status, told) = booth.prepare(&json!({ "act": "close", "cover": cover }));
    assert_eq!(status, 422, "it is not over: {told}");
    booth.act(&json!({ "act": "cancel", "cover": cover }));
    assert_eq!(covers(&booth), 0);
}

#[test]
fn whoever_wants_no_nft_buys_a_position_and_does_the_rest_of_it_here() {
    let booth = Booth::open();
    let mut buy = booth.buy();
    buy["kind"] = json!("position");
    let first = booth.prepared(&buy);
    assert!(text(&first["command"]).starts_with("backstop position buy "), "{first}");
    // Built again it keeps its number: nobody is charged twice.
    let mut again = buy.clone();
    (again["again"], again["agreed"]) = (first["plan"].clone(), json!(true));
    booth.node.pass_blocks(1);
    let bought = booth.act(&again);
    let ours = |built: &Value| transaction(built).message.instructions().last().cloned();
    assert_eq!(ours(&first), ours(&bought));
    assert_eq!(booth.page.post("/sign/send", &signed(&first, booth.key())).0, 409);
    let person = booth.key().pubkey();
    let position = address::position(&booth.shop.product.product, &person, 0);
    let held = || account::fetch::<Position>(&booth.node.world().cluster, &position);
    assert_eq!((held().expect("it is there").insured, covers(&booth)), (person, 0));
    booth.page.site.chain().read_now();
    let (_, mine) = booth.page.get(&format!("/holder/{person}"));
    for part in
        ["<h2 id=\"positions\">", "data-act=\"cancel-position\"", "data-act=\"redirect\"", &position.to_string()]
    {
        assert!(text(&mine).contains(part), "{part}: {mine}");
    }
    let stranger = Keypair::new().pubkey();
    let redirect = json!({ "act": "redirect", "position": position.to_string(),
                           "beneficiary": booth.shop.pool.assets_of(&stranger).to_string() });
    let (status, told) = booth.prepare(&redirect);
    assert_eq!(status, 422, "nothing can be paid there: {told}");
    let close = json!({ "act": "close-position", "position": position.to_string() });
    assert_eq!(booth.prepare(&close).0, 422, "it is not over");
    let settle = json!({ "act": "settle-position", "position": position.to_string() });
    assert_eq!(booth.prepare(&settle).0, 422, "nothing has happened");
    booth.node.world().next_day();
    booth.node.world().print(&booth.shop.product, 100_000_000);
    let reduced = booth.act(&json!({ "act": "reduce-position", "position": position.to_string(), "left": "600" }));
    assert_eq!(reduced["rows"][1], json!(["given back", "400.00 USDT"]), "{reduced}");
    for _ in 0..2 {
        booth.node.world().next_day();
        booth.node.world().print(&booth.shop.product, 100_000_000);
    }
    // Executed twice days would be paid twice: what is built again waits until the one before can no longer be executed.
    let end = held().expect("it is there").end_day;
    let extend = json!({ "act": "extend-position", "position": position.to_string(), "days": "7" });
    let [first, second] = [(); 2].map(|()| booth.prepared(&extend));
    booth.page.takes("/sign/send", &signed(&first, booth.key()));
    let ended = booth.page.ended(text(&first["plan"]));
    assert_eq!(ended["status"], "confirmed", "{ended}");
    let (status, told) = booth.page.post("/sign/send", &signed(&second, booth.key()));
    assert_eq!(status, 409, "{told}");
    assert_eq!(held().expect("it is there").end_day, end + 7);
    let given_back = booth.act(&json!({ "act": "cancel-position", "position": position.to_string() }));
    assert!(text(&given_back["title"]).starts_with("Give back a position of 600.00 USDT"), "{given_back}");
    assert!(held().is_err());
}

#[test]
fn a_part_is_split_off_and_a_lien_is_set_here_and_lifted_on_its_payees_page() {
    let booth = Booth::open();
    let mut buy = booth.buy();
    buy["kind"] = json!("position");
    booth.act(&buy);
    let (person, product) = (booth.key().pubkey(), booth.shop.product.product);
    let [whole, part] = [0, 1].map(|nonce| address::position(&product, &person, nonce));
    let held = |position| account::fetch::<Position>(&booth.node.world().cluster, &position).expect("it is there");
    // Built twice it is executed once: the part has a number.
    let split = json!({ "act": "split", "policy": whole.to_string(), "sum": "250" });
    let first = booth.prepared(&split);
    let mut again = split.clone();
    (again["again"], again["agreed"]) = (first["plan"].clone(), json!(true));
    booth.node.pass_blocks(1);
    booth.act(&again);
    assert_eq!((held(whole).sum_insured, held(part).sum_insured), (750 * ONE, 250 * ONE));
    let lender = booth.node.world().person(0);
    let payee = booth.shop.pool.assets_of(&lender.key.pubkey());
    let set = json!({ "act": "set-lien", "policy": whole.to_string(), "payee": payee.to_string(), "limit": "500" });
    booth.act(&set);
    assert!(held(whole).has_lien);
    booth.node.world().next_day();
    booth.node.world().print(&booth.shop.product, 100_000_000);
    let cancel = json!({ "act": "cancel-position", "position": whole.to_string() });
    let (status, told) = booth.prepare(&cancel);
    assert_eq!(status, 422, "the payee has not agreed: {told}");
    let lift = json!({ "act": "lift-lien", "policy": whole.to_string() });
    assert_eq!(booth.prepare(&lift).0, 422, "the borrower does not lift it");
    booth.page.site.chain().read_now();
    let (_, theirs) = booth.page.get(&format!("/holder/{}", lender.key.pubkey()));
    assert!(text(&theirs).contains("data-act=\"lift-lien\""), "{theirs}");
    let as_lender = |act: &Value| {
        let mut body = act.clone();
        body["wallet"] = json!(lender.key.pubkey().to_string());
        let built = booth.page.takes("/sign/prepare", &body);
        booth.page.takes("/sign/send", &signed(&built, &lender.key));
        assert_eq!(booth.page.ended(text(&built["plan"]))["status"], "confirmed");
    };
    as_lender(&json!({ "act": "lower-lien", "policy": whole.to_string(), "limit": "400" }));
    as_lender(&lift);
    assert!(!held(whole).has_lien);
    booth.act(&cancel);
}
