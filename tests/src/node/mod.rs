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

pub use chain::{Fault, Faults, Rule};

use crate::World;
use chain::Chain;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
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
    /// How sure the answers had to be, since somebody looked.
    commitments: Mutex<BTreeSet<String>>,
    /// Requests that are never answered.
    held: Mutex<Vec<Request>>,
}

impl Node {
    /// Serves a world. Its history begins now, unless the world kept it before.
    pub fn start(world: World) -> Self {
        world.cluster.record();
        let server = Arc::new(Server::http("127.0.0.1:0").expect("a port is free"));
        let url = format!("http://{}", server.server_addr());
        let chain = Chain::on(&world);
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            chain: Mutex::new(chain),
            asked: Mutex::default(),
            commitments: Mutex::default(),
            held: Mutex::default(),
        });
        let thread = std::thread::spawn({
            let (server, shared) = (server.clone(), shared.clone());
            move || server.incoming_requests().for_each(|request| Shared::serve(&shared, request))
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

    /// How sure the answers had to be, by the requests since this was called last.
    pub fn commitments(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.shared.commitments)).into_iter().collect()
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
    fn serve(self: &Arc<Self>, mut request: Request) {
        let mut body = String::new();
        let read = request.as_reader().read_to_string(&mut body);
        let asked: Value = read.ok().and_then(|_| serde_json::from_str(&body).ok()).unwrap_or_default();
        let method = asked["method"].as_str().unwrap_or_default();
        let fault = lock(&self.chain).faults.on(method);
        if let Some(fault) = fault {
            *lock(&self.asked).entry(method.to_owned()).or_default() += 1;
            return self.fail(request, &asked, fault);
        }
        let answer = self.counted(&asked);
        // Whoever asked may be gone.
        let _ = match answer {
            Some(answer) => request.respond(Response::from_string(answer.to_string()).with_header(json::header())),
            None => request.respond(Response::from_string("out of order").with_status_code(StatusCode(500))),
        };
    }

    /// Does to a request what goes wrong.
    fn fail(self: &Arc<Self>, request: Request, asked: &Value, fault: Fault) {
        let answer = |text: String, status: u16| {
            Response::from_string(text).with_status_code(StatusCode(status)).with_header(json::header())
        };
        let error = |code: i64, message: &str| {
            json!({ "jsonrpc": "2.0", "id": asked["id"], "error": json::error(code, message) }).to_string()
        };
        // Whoever asked may be gone.
        let _ = match fault {
            Fault::Status(status, text) => request.respond(answer(text.to_owned(), status)),
            Fault::TooMany(seconds) => {
                let wait = format!("Retry-After: {seconds}").parse::<tiny_http::Header>().expect("it is a header");
                request.respond(answer(error(429, "Too many requests"), 429).with_header(wait))
            }
            Fault::Page => request.respond(answer("<!DOCTYPE html><html>Maintenance</html>".to_owned(), 200)),
            Fault::Error(code, message) => request.respond(answer(error(code, message), 200)),
            Fault::Most(most) if asked["params"][0].as_array().is_some_and(|items| items.len() > most) => {
                let message = format!("{} is limited to {most} items", asked["method"]);
                request.respond(answer(error(-32602, &message), 413))
            }
            Fault::Most(_) => request.respond(answer(self.text(asked), 200)),
            Fault::Truncated => {
                let text = self.text(asked);
                request.respond(answer(text[..text.len() / 2].to_owned(), 200))
            }
            Fault::Redirect(url) => {
                let place = format!("Location: {url}").parse::<tiny_http::Header>().expect("it is a header");
                request.respond(answer(String::new(), 307).with_header(place))
            }
            Fault::Hangs => {
                lock(&self.held).push(request);
                Ok(())
            }
            Fault::Slow(milliseconds) => {
                let (shared, asked) = (self.clone(), asked.clone());
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(milliseconds));
                    request.respond(Response::from_string(shared.text(&asked)).with_header(json::header()))
                });
                Ok(())
            }
        };
    }

    /// The answer that comes in spite of a fault.
    fn text(&self, asked: &Value) -> String {
        self.answer(asked).map_or_else(String::new, |answer| answer.to_string())
    }

    /// The answer to a request, which counts.
    fn counted(&self, asked: &Value) -> Option<Value> {
        let method = asked["method"].as_str().unwrap_or_default();
        *lock(&self.asked).entry(method.to_owned()).or_default() += 1;
        let levels = asked["params"].as_array().into_iter().flatten().filter_map(|part| part["commitment"].as_str());
        lock(&self.commitments).extend(levels.map(str::to_owned));
        self.answer(asked)
    }

    /// The answer to a request. `None`: the node is out of order.
    fn answer(&self, asked: &Value) -> Option<Value> {
        let method = asked["method"].as_str().unwrap_or_default();
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
