//! `backstop attest serve`, and a crank that collects from it: a product on reports from its sale to its payout, by the
//! command alone.

use crate::desk::Desk;
use crate::scene::Scene;
use backstop_client::attest::SignedReport;
use backstop_tests::seeded;
use serde_json::Value;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const DEFINITION: &str = "# Rain\n\nMillimetres of the last hour at the airport.\n\nunit: mm\nexponent: -1\n\
                          rounding: down\nleast: 0.1\nmost: 1000\nevery: 10m\noldest: 10m\n";
const SLOT: i64 = 1_800;

/// A signer that serves, until it is dropped.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    /// A signer on a free port. Its log must be there.
    fn start(desk: &Desk, key: &Keypair, set: &str, definition: &str, log: &str, source: &[&str]) -> Self {
        let mut command = desk.bare();
        command.args(["--url", desk.node.url(), "--keypair", &desk.keypair(key), "attest", "serve", "--set", set]);
        command.args(["--definition", definition, "--log", log, "--listen", "127.0.0.1:0", "--interval", "100ms"]);
        // The desk's clock is of another year.
        if !source.contains(&"--clock-skew") {
            command.args(["--clock-skew", "20000days"]);
        }
        command.args(["--log-format", "json"]).args(source).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut told = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        told.read_line(&mut line).expect("it tells where it listens");
        let begins: Value = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}"));
        let address = begins["address"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        // What it tells later is read, or it would wait.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Self { child, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it is answered");
        answer.split_once("\r\n\r\n").expect("it has a head").1.to_owned()
    }

    /// The newest moment of which it has signed something, and what.
    fn newest(&self) -> Option<(i64, i64)> {
        let signed: Vec<SignedReport> = serde_json::from_str(&self.get("/signed")).expect("a list of reports");
        let text = serde_json::to_string(signed.first()?).expect("JSON");
        let report = SignedReport::read(&text).expect("its signature is right").report;
        Some((report.observed_at, report.value))
    }

    fn wait_for(&self, moment: i64) -> i64 {
        let begun = Instant::now();
        loop {
            match self.newest() {
                Some((at, value)) if at == moment => return value,
                newest => assert!(begun.elapsed() < Duration::from_secs(60), "{newest:?} and not {moment}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        let killed = std::process::Command::new("kill").args([signal, &pid]).status().expect("kill runs");
        assert!(killed.success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(told: &Value, name: &str) -> String {
    told[name].as_str().unwrap_or_else(|| panic!("{name} is told\n{told}")).to_owned()
}

/// A set of three of whom two must sign, with a product on their reports of rain.
struct Stage {
    scene: Scene,
    keys: [Keypair; 3],
    set: String,
    feed: String,
    definition: String,
}

impl Stage {
    fn new() -> Self {
        let scene = Scene::new();
        let desk = &scene.desk;
        let definition = desk.write("rain.md", DEFINITION);
        let defined = desk.json(desk.look(&["feed", "define", &definition, "--output", "json"]));
        assert_eq!((&defined["signers"]["unit"], &defined["signers"]["every_seconds"]), (&"mm".into(), &600.into()));
        let keys = [61, 62, 63].map(seeded);
        let named = keys.each_ref().map(|key| key.pubkey().to_string());
        let create = [
            &["attest", "create-set", "--must-sign", "2"][..],
            &["--key", &named[0], "--key", &named[1], "--key", &named[2]],
        ];
        let set = text(&desk.json(scene.govern(&create.concat())), "set");
        let feed = text(&defined, "feed");
        Self { scene, keys, set, feed, definition }
    }

    fn product(&self, name: &str) -> String {
        let desk = &self.scene.desk;
        let (pool, covered) = (self.scene.pool(), desk.node.world().covered.to_string());
        let wording = desk.write("wording.md", "What is insured.\n");
        let create = [
            &["product", "create", &pool, "--name", name, "--covered-asset", &covered, "--wording", &wording][..],
            &["--uri", "ipfs://rain", "--source", "attested", "--feed", &self.feed, "--attestors", &self.set],
            &["--direction", "above", "--threshold", "300", "--duration", "4h", "--risk-rate", "2%"],
        ];
        text(&desk.json(self.scene.govern(&create.concat())), "product")
    }

    /// A signer whose source is a file.
    fn serve(&self, number: usize) -> Serving {
        let log = format!("{}/log{number}", self.scene.desk.home().display());
        if !std::path::Path::new(&log).exists() {
            std::fs::write(&log, "").expect("there is room for a file");
        }
        let file = self.says(number, "20.04");
        let source = ["--file", &file];
        Serving::start(&self.scene.desk, &self.keys[number], &self.set, &self.definition, &log, &source)
    }

    /// Has a signer's source say something.
    fn says(&self, number: usize, value: &str) -> String {
        self.scene.desk.write(&format!("rain{number}.txt"), value)
    }

    fn crank(&self, signers: &[String]) -> Value {
        let mut arguments = vec!["crank", "run", "--once"];
        arguments.extend(signers.iter().flat_map(|url| ["--attestor", url.as_str()]));
        let run = self.scene.act(&arguments);
        // Nobody publishes a price of the scene's other product.
        assert!([0, 3].contains(&run.code), "{run}");
        serde_json::from_str(&run.stdout).unwrap_or_else(|why| panic!("{why}\n{run}"))
    }

    /// Lets time pass. Returns the newest moment that has been.
    fn advance(&self, seconds: i64) -> i64 {
        let world = self.scene.desk.node.world();
        world.advance(seconds);
        world.now() / 600 * 600
    }

    fn troubles(report: &Value) -> Vec<(String, String)> {
        let sources = report["sources"].as_array().expect("signers are told");
        let of = |source: &Value| {
            let who = text(source, "who");
            let troubles = source["troubles"].as_array().expect("a list").clone();
            troubles.into_iter().map(move |trouble| (who.clone(), trouble[0].as_str().expect("a word").to_owned()))
        };
        sources.iter().flat_map(of).collect()
    }
}

#[test]
fn a_product_on_what_three_signers_report_goes_from_its_sale_to_its_payout() {
    let stage = Stage::new();
    let product = stage.product("Much rain");
    let signers = [0, 1, 2].map(|number| stage.serve(number));
    let urls = signers.each_ref().map(Serving::url);
    // The notice of a new product is over.
    let now = stage.advance(12 * 86_400);
    assert_eq!(signers.each_ref().map(|signer| signer.wait_for(now)), [200; 3], "20.04 mm, rounded down");
    assert_eq!(signers[0].get("/definition"), DEFINITION);
    assert_eq!(signers[0].get("/ready"), "ok\n");
    let report = stage.crank(&urls);
    assert_eq!((report["done"]["observe"].as_u64(), Stage::troubles(&report).len()), (Some(1), 0), "{report}");
    let before = stage.scene.desk.json(stage.scene.act(&["balance"]));
    let bought = stage.scene.desk.json(stage.scene.act(&["cover", "buy", &product, "1000", "--days", "30"]));
    assert!(bought["cover"].is_string(), "{bought}");
    // The waiting time is over, and it rains. Sources say so before the clock does: signers look at once.
    for number in 0..3 {
        stage.says(number, "350.5");
    }
    let now = stage.advance(2 * 86_400);
    assert_eq!(signers.each_ref().map(|signer| signer.wait_for(now)), [3_505; 3]);
    let [one, other, third] = signers;
    // One says something else from now on, and is told by name; the other two are enough.
    stage.says(2, "120");
    let now = stage.advance(SLOT);
    let said = [&one, &other, &third].map(|signer| signer.wait_for(now));
    assert_eq!(said, [3_505, 3_505, 1_200]);
    let report = stage.crank(&urls);
    let named = stage.keys[2].pubkey().to_string();
    let troubles = Stage::troubles(&report);
    assert!(matches!(&troubles[..], [(who, what)] if what == "disagrees" && who.contains(&named)), "{report}");
    // Then it is gone, and is told so.
    assert_eq!(third.end("-TERM"), Some(0));
    for slot in 0..9 {
        let now = stage.advance(SLOT);
        for signer in [&one, &other] {
            assert_eq!(signer.wait_for(now), 3_505);
        }
        let report = stage.crank(&urls);
        assert!(report["done"]["observe"].as_u64().is_some(), "slot {slot}: {report}");
        assert!(Stage::troubles(&report).iter().any(|(_, what)| what == "silent"), "{report}");
    }
    let desk = &stage.scene.desk;
    let trigger = desk.json(desk.look(&["trigger", "show", &product, "--output", "json"]));
    assert_eq!(text(&trigger, "phase"), "met");
    stage.advance(7 * 3_600);
    let report = stage.crank(&urls);
    for kind in ["confirm", "open_incident", "fund_incident", "settle_cover"] {
        assert!(report["done"][kind].as_u64().is_some(), "{kind}: {report}");
    }
    let after = stage.scene.desk.json(stage.scene.act(&["balance"]));
    let assets = |told: &Value| {
        let units = text(&told["pools"][0], "assets_units");
        units.parse::<u64>().expect("a number")
    };
    let premium: u64 = text(&bought, "premium_units").parse().expect("a number");
    let gained = assets(&after) - (assets(&before) - premium);
    assert!(gained >= 1_000_000_000, "the sum insured, and what was not earned: {gained}");
}

#[test]
fn a_signer_whose_clock_is_not_the_clusters_signs_nothing_and_says_so() {
    let stage = Stage::new();
    let desk = &stage.scene.desk;
    let (log, file) = (desk.write("log0", ""), desk.write("rain0.txt", "20"));
    let source = ["--clock-skew", "1h", "--file", &file];
    let signer = Serving::start(desk, &stage.keys[0], &stage.set, &stage.definition, &log, &source);
    let begun = Instant::now();
    while !signer.get("/ready").contains("away from this machine's") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", signer.get("/ready"));
    }
    assert_eq!((signer.newest(), signer.get("/live")), (None, "ok\n".into()));
}

#[test]
fn a_signer_that_is_killed_goes_on_where_its_log_ends() {
    let stage = Stage::new();
    let signer = stage.serve(0);
    let now = stage.advance(0);
    assert_eq!(signer.wait_for(now), 200);
    assert_eq!(signer.end("-KILL"), None);
    // Its source says something else of the moment now. It has signed, and says the same.
    let signer = stage.serve(0);
    stage.says(0, "350.5");
    assert_eq!(signer.newest(), Some((now, 200)));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(signer.newest(), Some((now, 200)));
    // Two on one log say the same.
    let twin = stage.serve(0);
    stage.says(0, "99");
    let next = stage.advance(600);
    assert_eq!((signer.wait_for(next), twin.wait_for(next)), (990, 990));
    // Out of the definition's bounds, or no number: nothing is signed, and who asks is told.
    for wrong in ["1000.1", "much", "", "20 1"] {
        stage.says(0, wrong);
        let now = stage.advance(600);
        std::thread::sleep(Duration::from_millis(400));
        assert_ne!(signer.newest().map(|(at, _)| at), Some(now), "{wrong}");
    }
    assert_ne!(signer.get("/ready"), "ok\n");
    let metrics = signer.get("/metrics");
    assert!(metrics.contains("backstop_attestor_refused_total{why=\"source\"}"), "{metrics}");
    assert!(metrics.contains("backstop_attestor_refused_total{why=\"bounds\"}"), "{metrics}");
}

#[test]
fn what_would_never_sign_does_not_begin() {
    let stage = Stage::new();
    let desk = &stage.scene.desk;
    let key = desk.keypair(&stage.keys[0]);
    let (log, file) = (desk.write("log", ""), desk.write("rain.txt", "20"));
    let serve = |keypair: &str, definition: &str, log: &str, source: &[&str]| {
        let arguments = ["attest", "serve", "--set", &stage.set, "--definition", definition, "--log", log];
        desk.look(&[&arguments[..], &["--listen", "127.0.0.1:0", "--keypair", keypair], source].concat())
    };
    let source = ["--file", file.as_str()];
    serve(&key, &stage.definition, "nowhere.log", &source).says(
        1,
        "the log nowhere.log cannot be used",
        "empty for a key",
    );
    let cut = desk.write("cut.log", "424b");
    serve(&key, &stage.definition, &cut, &source).says(1, "cut off", "one that is cut is not used");
    let vague = desk.write("vague.md", "Millimetres of rain.\n");
    serve(&key, &vague, &log, &source).says(1, "`exponent:`", "attest serve --help");
    let stranger = desk.keypair(&seeded(77));
    serve(&stranger, &stage.definition, &log, &source).says(1, "none of the keys that may sign", "attest show");
    assert_eq!(serve(&key, &stage.definition, &log, &[]).code, 2, "a source is named");
    assert_eq!(serve(&key, &stage.definition, &log, &["--file", &file, "--http", "http://x"]).code, 2, "and one only");
    assert_eq!(serve(&key, &stage.definition, &log, &["--http", "ftp://x"]).code, 2);
}

#[test]
fn who_signs_two_things_is_accused_and_products_of_a_dead_set_are_retired() {
    let stage = Stage::new();
    let desk = &stage.scene.desk;
    let product = stage.product("Much rain");
    let now = stage.advance(0).to_string();
    // Two keys with two logs each sign two things of one moment; whoever has them shows them.
    let sign = |number: usize, value: &str| {
        let log = format!("{}/log-{number}-{value}", desk.home().display());
        let key = desk.keypair(&stage.keys[number]);
        let arguments = ["attest", "sign", "--set", &stage.set, "--feed", &stage.feed, "--value", value, "--at", &now];
        desk.look(&[&arguments[..], &["--log", &log, "--new-log", "--keypair", &key]].concat()).done().trim().to_owned()
    };
    let list = format!("[{}]", [sign(0, "20"), sign(0, "30"), sign(1, "20"), sign(1, "40")].join(","));
    let server = std::sync::Arc::new(tiny_http::Server::http("127.0.0.1:0").expect("a port is free"));
    let url = format!("http://{}", server.server_addr());
    let thread = std::thread::spawn({
        let server = server.clone();
        move || {
            for request in server.incoming_requests() {
                let _ = request.respond(tiny_http::Response::from_string(list.clone()));
            }
        }
    });
    let report = stage.crank(&[url]);
    server.unblock();
    thread.join().expect("it ends");
    assert_eq!(report["done"]["report_equivocation"].as_u64(), Some(2), "{report}");
    assert_eq!(report["done"]["retire_product"].as_u64(), Some(1), "{report}");
    let shown = desk.json(desk.look(&["attest", "show", &stage.set, "--output", "json"]));
    assert_eq!((&shown["alive"], &shown["live"]), (&false.into(), &1.into()), "{shown}");
    assert_eq!(desk.json(desk.look(&["product", "show", &product, "--output", "json"]))["state"], "run-off");
    let again = stage.crank(&[]);
    assert!(again["done"]["retire_product"].is_null(), "{again}");
}
