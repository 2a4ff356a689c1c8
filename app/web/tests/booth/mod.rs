//! A page at a node of a world, for tests that ask it over HTTP or in a browser.
#![allow(dead_code)]

#[path = "../serve/mod.rs"]
mod serve;

pub use serve::Page;

use backstop::state::Tranche;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::instruction::{PoolKeys, ProductKeys};
use backstop_tests::terms::{ONE, create_pool, stress};
use backstop_tests::{Node, Person, World};
use backstop_web::chain;
use backstop_web::site::Settings;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A page on a cluster: on any port, and it reads the chain often.
pub fn page(cluster: chain::Node, settings: Settings) -> Page {
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        refresh: Duration::from_millis(500),
        patience: Duration::from_secs(20),
        ..settings
    };
    Page::on(cluster, settings)
}

impl Page {
    /// Asks the page for something. Returns status and JSON.
    pub fn get(&self, path: &str) -> (u16, Value) {
        read(agent().get(format!("{}{path}", self.url)).call())
    }

    /// Sends the page JSON. Returns status and JSON.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = agent().post(format!("{}{path}", self.url)).header("content-type", "application/json");
        read(request.send(body.to_string()))
    }

    /// Sends the page JSON that it must take.
    #[track_caller]
    pub fn takes(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body);
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    /// How a plan ended.
    #[track_caller]
    pub fn ended(&self, plan: &str) -> Value {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            let (_, stands) = self.get(&format!("/sign/status?plan={plan}"));
            if stands["status"] != "open" {
                return stands;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("it did not end")
    }
}

fn agent() -> ureq::Agent {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30)));
    config.build().into()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut answer = answer.expect("the page answers");
    let text = answer.body_mut().read_to_string().expect("the answer can be read");
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A world in which a product sells: its pool, the product, and somebody with money.
pub struct Shop {
    /// The pool.
    pub pool: PoolKeys,
    /// The product.
    pub product: ProductKeys,
    /// Somebody with 50,000 of the asset.
    pub person: Person,
}

/// A world in which a product sells.
pub fn shop() -> (World, Shop) {
    let world = World::new();
    let pool = world.create_pool(create_pool(0));
    world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.next_day();
    let product = world.create_product(&pool, stress());
    world.advance(20 * 86_400);
    world.print(&product, 100_000_000);
    let person = world.person(50_000 * ONE);
    (world, Shop { pool, product, person })
}

/// A page at a node of a shop, over JSON-RPC.
pub struct Booth {
    /// The page.
    pub page: Page,
    /// The node.
    pub node: Node,
    /// What is sold.
    pub shop: Shop,
}

impl Booth {
    /// Opens it.
    pub fn open() -> Self {
        Self::with(Settings::default())
    }

    /// Opens it with settings of its own.
    pub fn with(settings: Settings) -> Self {
        let (world, shop) = shop();
        let node = Node::start(world);
        let cluster = Arc::new(RpcCluster::new(node.url(), CommitmentConfig::confirmed()));
        Self { page: page(cluster, settings), node, shop }
    }

    /// Whoever acts.
    pub fn key(&self) -> &Keypair {
        &self.shop.person.key
    }

    /// Asks for an act of the person.
    pub fn prepare(&self, act: &Value) -> (u16, Value) {
        let mut body = act.clone();
        body["wallet"] = json!(self.key().pubkey().to_string());
        self.page.post("/sign/prepare", &body)
    }

    /// Asks for an act that must be possible.
    #[track_caller]
    pub fn prepared(&self, act: &Value) -> Value {
        let (status, answer) = self.prepare(act);
        assert_eq!(status, 200, "{act}: {answer}");
        answer
    }

    /// Prepares, signs and sends an act, which must be executed.
    #[track_caller]
    pub fn act(&self, act: &Value) -> Value {
        let prepared = self.prepared(act);
        let sent = self.page.takes("/sign/send", &signed(&prepared, self.key()));
        let ended = self.page.ended(text(&prepared["plan"]));
        assert_eq!(ended["status"], "confirmed", "{act}: {ended}");
        assert_eq!(ended["signature"], sent["signature"]);
        prepared
    }

    /// To buy a cover of 1,000 for 30 days.
    pub fn buy(&self) -> Value {
        json!({ "act": "buy", "product": self.shop.product.product.to_string(), "sum": "1000", "days": "30" })
    }

    /// To put 500 into the senior tranche.
    pub fn deposit(&self) -> Value {
        json!({ "act": "deposit", "pool": self.shop.pool.pool.to_string(), "tranche": "senior", "amount": "500" })
    }
}

/// A text of an answer.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The transaction of an answer.
pub fn transaction(prepared: &Value) -> VersionedTransaction {
    let bytes = BASE64.decode(text(&prepared["transaction"])).expect("it is base64");
    bincode::deserialize(&bytes).expect("it is a transaction")
}

/// A transaction in base64.
pub fn encoded(transaction: &VersionedTransaction) -> String {
    BASE64.encode(bincode::serialize(transaction).expect("a vector grows"))
}

/// Signs as a wallet does that changes nothing.
pub fn sign(mut transaction: VersionedTransaction, key: &Keypair) -> VersionedTransaction {
    let signature = key.sign_message(&transaction.message.serialize());
    transaction.signatures = vec![signature];
    transaction
}

/// What a page sends of a plan that was signed.
pub fn signed(prepared: &Value, key: &Keypair) -> Value {
    json!({ "plan": prepared["plan"], "transaction": encoded(&sign(transaction(prepared), key)) })
}

/// A signature as a wallet hands it out.
pub fn signature_text(signature: &Signature) -> String {
    BASE64.encode(signature.as_ref())
}
