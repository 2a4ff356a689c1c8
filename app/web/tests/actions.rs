//! Actions and Solana Pay, as wallets and other sites ask for them.

mod booth;

use backstop_web::site::Settings;
use booth::{Booth, sign, text};
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;

/// The genesis hash of devnet: its first 32 letters name the chain.
const DEVNET: &str = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";

fn open() -> Booth {
    Booth::with(Settings { actions: true, genesis: Some(DEVNET.into()), ..Settings::default() })
}

/// Asks as another site does. Returns the status, the headers by their names, and the body.
fn ask(booth: &Booth, method: &str, path: &str, body: &Value) -> (u16, impl Fn(&str) -> String + use<>, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let url = format!("{}{path}", booth.page.url);
    let request = ureq::http::Request::builder().method(method).uri(url).header("origin", "https://elsewhere.example");
    let request = request.header("sec-fetch-site", "cross-site").header("content-type", "application/json");
    let body = if method == "POST" { body.to_string() } else { String::new() };
    let mut answer = agent.run(request.body(body).expect("it is a request")).expect("the page answers");
    let headers = answer.headers().clone();
    let read = answer.body_mut().read_to_string().expect("it can be read");
    let header =
        move |name: &str| headers.get(name).map(|value| value.to_str().expect("a text").to_owned()).unwrap_or_default();
    (answer.status().as_u16(), header, serde_json::from_str(&read).unwrap_or(Value::Null))
}

#[test]
fn a_purchase_can_be_asked_for_by_another_site() {
    let booth = open();
    let product = booth.shop.product.product;
    let path = format!("/actions/buy/{product}");
    let (status, header, told) = ask(&booth, "GET", &path, &Value::Null);
    assert_eq!(status, 200, "{told}");
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("x-action-version"), "2.4.2");
    assert_eq!(header("x-blockchain-ids"), "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1");
    assert_eq!((&told["type"], &told["label"]), (&json!("action"), &json!("Buy cover")));
    assert_eq!(told["title"], "USDC below 0.95 for 4h");
    assert!(text(&told["icon"]).starts_with("http://127.0.0.1:") && text(&told["icon"]).ends_with("/actions/icon.svg"));
    assert!(text(&told["description"]).contains("pays nothing, whatever was lost"), "what is not covered is told");
    let action = &told["links"]["actions"][0];
    assert_eq!(action["href"], json!(format!("{path}?sum={{sum}}&days={{days}}")));
    assert_eq!(action["parameters"].as_array().map(Vec::len), Some(2));

    let account = json!({ "account": booth.key().pubkey().to_string() });
    let (status, header, built) = ask(&booth, "POST", &format!("{path}?sum=1000&days=30"), &account);
    assert_eq!(status, 200, "{built}");
    assert_eq!((header("access-control-allow-origin").as_str(), &built["type"]), ("*", &json!("transaction")));
    assert!(text(&built["message"]).starts_with("Buy 1,000.00 USDT of cover: USDC below 0.95 for 4h. premium: "));
    let transaction: VersionedTransaction = sign(booth::transaction(&built), booth.key());
    booth.node.world().cluster.send(&transaction).expect("the wallet sends it, and it is executed");
}

#[test]
fn a_transaction_request_of_solana_pay_is_the_same_url_with_its_query() {
    let booth = open();
    let path = format!("/actions/stake/{}?amount=500&tranche=junior", booth.shop.pool.pool);
    let (status, _, told) = ask(&booth, "GET", &path, &Value::Null);
    assert_eq!((status, &told["label"], told["icon"].is_string()), (200, &json!("Stake"), true), "{told}");
    assert_eq!(told["links"]["actions"][0]["href"], json!(path));
    let account = json!({ "account": booth.key().pubkey().to_string() });
    let (status, _, built) = ask(&booth, "POST", &path, &account);
    assert_eq!(status, 200, "{built}");
    assert!(text(&built["message"]).starts_with("Deposit 500.00 USDT into the junior tranche. shares: "));
    let transaction = sign(booth::transaction(&built), booth.key());
    booth.node.world().cluster.send(&transaction).expect("it is executed");
}

#[test]
fn a_browser_may_ask_first_and_mistakes_come_with_words() {
    let booth = open();
    let buy = format!("/actions/buy/{}", booth.shop.product.product);
    let (status, header, _) = ask(&booth, "OPTIONS", &buy, &Value::Null);
    assert_eq!((status, header("access-control-allow-methods").as_str()), (204, "GET,POST,PUT,OPTIONS"));
    assert!(header("access-control-allow-headers").contains("Content-Type"));
    let account = json!({ "account": booth.key().pubkey().to_string() });
    for (path, body, expected) in [
        (buy.clone(), account.clone(), 400),
        (format!("{buy}?sum=1000&days=30"), json!({ "account": "nobody" }), 400),
        (format!("{buy}?sum=1000&days=30"), json!({}), 400),
        (format!("{buy}?sum=one&days=30"), account.clone(), 400),
        (format!("{buy}?sum=90000&days=30"), account.clone(), 422),
        ("/actions/buy/nothing?sum=1&days=30".into(), account.clone(), 400),
    ] {
        let (status, header, told) = ask(&booth, "POST", &path, &body);
        assert_eq!(status, expected, "{path}: {told}");
        assert!(!text(&told["message"]).is_empty());
        assert_eq!(header("access-control-allow-origin"), "*", "wallets read mistakes, too");
    }
    let (status, _, rules) = ask(&booth, "GET", "/actions.json", &Value::Null);
    assert_eq!((status, rules["rules"].as_array().map(Vec::len)), (200, Some(3)));
}

#[test]
fn other_sites_may_ask_for_actions_and_for_nothing_else() {
    let booth = open();
    let act = booth.buy();
    for (method, path) in [("POST", "/sign/prepare"), ("POST", "/sign/send"), ("GET", "/sign/status?plan=x")] {
        let (status, header, _) = ask(&booth, method, path, &act);
        assert_eq!((status, header("access-control-allow-origin").as_str()), (403, ""), "{path}");
    }
}

#[test]
fn on_loopback_actions_are_off_unless_they_are_switched_on() {
    let booth = Booth::open();
    for path in ["/actions.json".to_owned(), format!("/actions/buy/{}", booth.shop.product.product)] {
        let (status, header, _) = ask(&booth, "GET", &path, &Value::Null);
        assert_eq!((status, header("access-control-allow-origin").as_str()), (404, ""), "{path}");
    }
    let settings = Settings { listen: ([0, 0, 0, 0], 80).into(), ..Settings::default() };
    assert!(settings.has_actions(), "where others can ask, they are on");
}
