//! A node: JSON-RPC over the embedded cluster, so that the client is tested over a real connection and with every fault
//! that a real node has.
//!
//! ```no_run
//! let node = backstop_tests::Node::start(backstop_tests::World::new());
//! node.world().person(5);
//! println!("{}", node.url());
//! ```

mod chain;
mod json;
mod methods;

pub use chain::Faults;

use crate::World;
use chain::Chain;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tiny_http::{Request, Response, Server, StatusCode};

/// A node on a port of this machine. It ends when it is dropped.
pub struct Node {
    url: String,
    server: Arc<Server>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What requests and the test share. Whoever locks both locks the world first.
struct Shared {
    world: Mutex<World>,
    chain: Mutex<Chain>,
    asked: Mutex<BTreeMap<String, u64>>,
}

impl Node {
    /// Serves a world.
    pub fn start(world: World) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").expect("a port is free"));
        let url = format!("http://{}", server.server_addr());
        let chain = Chain::on(&world);
        let shared = Arc::new(Shared { world: Mutex::new(world), chain: Mutex::new(chain), asked: Mutex::default() });
        let thread = std::thread::spawn({
            let (server, shared) = (server.clone(), shared.clone());
            move || server.incoming_requests().for_each(|request| shared.serve(request))
        });
        Self { url, server, shared, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The world behind it. Requests wait while this is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared.world)
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        lock(&self.shared.chain).faults = faults;
    }

    /// How often a method was asked for.
    pub fn asked(&self, method: &str) -> u64 {
        lock(&self.shared.asked).get(method).copied().unwrap_or_default()
    }

    /// Transactions that were executed, failed ones included.
    pub fn executed(&self) -> usize {
        lock(&self.shared.chain).executed()
    }

    /// Lets blocks pass.
    pub fn pass_blocks(&self, blocks: u64) {
        let world = self.world();
        lock(&self.shared.chain).pass(&world, blocks);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // A panic there has failed the test already, by an answer that did not come.
            let _ = thread.join();
        }
    }
}

/// A test that failed while it held the lock has said so itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn serve(&self, mut request: Request) {
        let mut body = String::new();
        let read = request.as_reader().read_to_string(&mut body);
        let asked: Value = read.ok().and_then(|_| serde_json::from_str(&body).ok()).unwrap_or_default();
        let answer = self.answer(&asked);
        // Whoever asked may be gone.
        let _ = match answer {
            Some(answer) => request.respond(Response::from_string(answer.to_string()).with_header(json::header())),
            None => request.respond(Response::from_string("out of order").with_status_code(StatusCode(500))),
        };
    }

    /// The answer to a request. `None`: the node is out of order.
    fn answer(&self, asked: &Value) -> Option<Value> {
        let method = asked["method"].as_str().unwrap_or_default();
        *lock(&self.asked).entry(method.to_owned()).or_default() += 1;
        let world = lock(&self.world);
        let mut chain = lock(&self.chain);
        if take(&mut chain.faults.broken) {
            return None;
        }
        let answer = if take(&mut chain.faults.behind) {
            let data = json!({ "numSlotsBehind": 42 });
            Err(json!({ "code": -32005, "message": "Node is behind by 42 slots", "data": data }))
        } else {
            methods::answer(&world, &mut chain, method, &asked["params"])
        };
        let (name, content) = match answer {
            Ok(result) => ("result", result),
            Err(error) => ("error", error),
        };
        Some(json!({ "jsonrpc": "2.0", "id": asked["id"], name: content }))
    }
}

/// Counts a fault down. Says whether it was still on.
fn take(left: &mut u32) -> bool {
    let on = *left > 0;
    *left = left.saturating_sub(u32::from(on));
    on
}
