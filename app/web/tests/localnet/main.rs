//! Somebody with a wallet and no terminal, on a local cluster: a real Chromium with a wallet that signs with a real key, at
//! the page that `backstop localnet` serves, which reads its cluster and its history over JSON-RPC. A keeper runs beside.
//!
//! `backstop` and `backstop-localnet` must stand beside `backstop-page`: `.ci/run` builds them.

#[path = "../booth/mod.rs"]
mod booth;
#[path = "../tab/mod.rs"]
mod tab;

use anchor_lang::prelude::Pubkey;
use backstop::state::{CoverState, Tranche, Trigger};
use backstop_client::address;
use backstop_client::text;
use backstop_index::{By, Database};
use backstop_tests::Town;
use backstop_tests::town::key;
use serde_json::{Value, json};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tab::{Manner, Tab};

/// One token.
const ONE: u64 = 1_000_000;

const BUY: &str = "form[data-act=buy]";
const DEPOSIT: &str = "form[data-act=deposit]";
const LEAVE: &str = "form[data-act=leave]";
const CLAIM: &str = "form[data-act=claim]";
const CLOSE: &str = "form[data-act=close]";

/// `backstop`, beside the page's binary.
fn binary() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_backstop-page")).with_file_name("backstop")
}

/// The number in the page's first element of a field.
async fn number(tab: &Tab, field: &str) -> Option<u64> {
    let value = tab.value(&format!("document.querySelector('[data-field=\"{field}\"]')?.value")).await;
    value.as_str()?.parse().ok()
}

/// The cells of every row of a table's body.
async fn rows(tab: &Tab, table: &str) -> Vec<Vec<String>> {
    let cells = "[...row.cells].map((cell) => cell.querySelector('data')?.value ?? cell.textContent.trim())";
    let rows = format!("[...document.querySelectorAll('{table} tbody tr')].map((row) => {cells})");
    serde_json::from_value(tab.value(&rows).await).expect("rows of texts")
}

/// Goes to a path again and again, until an expression is true there.
async fn wait(tab: &Tab, town: &Town, path: &str, expression: &str) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(90) {
        tab.go(path).await;
        if tab.value(expression).await == json!(true) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let shown = tab.value("document.querySelector('main').innerText").await;
    panic!("{path}: {expression} never came true\n{shown}\n{}", town.logs());
}

/// Moves the clock on by the page's own form, and waits until it stands.
async fn advance(tab: &Tab, town: &Town, by: &str) {
    tab.go("/local").await;
    tab.value(&format!("document.getElementById('by').value = '{by}'")).await;
    tab.click("form[action='/local/clock'] button").await;
    let stands = "!document.querySelector('form[action=\"/local/clock\"] button').disabled";
    tab.until("location.hash === '#clock' && document.readyState === 'complete'").await;
    wait(tab, town, "/local", stands).await;
}

/// Sets the price by the page's own form.
async fn price(tab: &Tab, town: &Town, price: &str, e8: u64) {
    tab.go("/local").await;
    tab.fill("form[action='/local/price'] input[name=price]", price).await;
    tab.click("form[action='/local/price'] button").await;
    tab.until(&format!("document.querySelector('[data-field=\"local.price\"]')?.value === '{price}'")).await;
    town.priced(e8);
}

/// Goes to a page on which the wallet is connected already.
async fn visit(tab: &Tab, path: &str) {
    tab.go(path).await;
    tab.until("!document.getElementById('wallet-mine').hidden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_a_terminal_stakes_insures_himself_is_paid_and_leaves() {
    let town = Town::start(&binary(), tempfile::tempdir().expect("there is room"), &["--page-port", "0"]);
    let page = town.page();
    let person = Keypair::new();
    let owner = person.pubkey();
    let (pool, product) = (town.layout.pool.clone(), town.layout.products[0].product.clone());
    let trigger = key(&town.layout.products[0].trigger);
    let _keeper = town.crank_with("crank.log", &["--no-claims"]);
    let tab = Tab::open(&page, &town.layout.rpc, &person, Manner::Signs, false).await;

    // Somebody new connects a wallet that has nothing, and gets money.
    tab.go("/").await;
    tab.until("document.querySelector('main').innerText.includes('A local cluster: what is on it is worth nothing')")
        .await;
    tab.connect().await;
    let mine = format!("/holder/{owner}");
    tab.click("#wallet-mine").await;
    tab.until(&format!("location.pathname === '{mine}' && document.readyState === 'complete'")).await;
    assert_eq!(number(&tab, "money.USDT").await, Some(0));
    tab.click("form[action='/local/fund'] button").await;
    tab.until("document.querySelector('[data-field=\"money.USDT\"]')?.value === '10000000000'").await;
    assert_eq!(number(&tab, "money.SOL").await, Some(10_000_000_000));
    assert_eq!(town.money_of(&owner), 10_000 * ONE);

    // Stake.
    visit(&tab, &format!("/pool/{pool}")).await;
    tab.fill("#stake-amount", "1,000").await;
    let shown = tab.act(DEPOSIT).await;
    assert!(shown.contains("Deposit 1,000.00 USDT into the senior tranche"), "{shown}");
    assert_eq!(town.money_of(&owner), 9_000 * ONE);

    // Why the price is what it is; and buy.
    let path = format!("/product/{product}");
    visit(&tab, &path).await;
    let told = tab.value("document.querySelector('main').innerText").await;
    for word in ["Risk", "Loading", "Demand", "Not covered"] {
        assert!(told.as_str().is_some_and(|told| told.contains(word)), "{word}: {told}");
    }
    tab.fill("#buy-sum", "1000").await;
    tab.fill("#buy-days", "30").await;
    let shown = tab.preview(BUY).await;
    tab.picture("buy").await;
    tab.sign(BUY).await;
    tab.says(BUY, "Done: it is on chain").await;
    let cover = town.covers().pop().expect("it was sold");
    assert_eq!((cover.sum_insured, cover.state), (1_000 * ONE, CoverState::Active));
    assert!(shown.contains(&text::tidy_amount(cover.premium, 6)), "what was shown is what was paid: {shown}");
    assert_eq!(town.money_of(&owner), 9_000 * ONE - cover.premium);

    wait(&tab, &town, "/", "document.querySelector('[data-field=exposure]')?.value === '1000000000'").await;
    tab.picture("home").await;
    visit(&tab, &format!("/pool/{pool}")).await;
    tab.picture("pool").await;

    // Protection begins; the price falls and stays down.
    advance(&tab, &town, "days").await;
    town.until("the keeper sees a calm price", || town.published_since(&trigger, cover.active_from()));
    price(&tab, &town, "0.85", 85_000_000).await;
    let struck = Instant::now();
    // Three hours are enough if the keeper sees each of them; on a machine with other work it may miss a slot.
    for _ in 0..3 {
        advance(&tab, &town, "hours").await;
        let looked = Instant::now();
        let triggered = || town.read::<Trigger>(&trigger).phase().is_triggered();
        while !triggered() && looked.elapsed() < Duration::from_secs(15) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if triggered() {
            break;
        }
    }
    let settled = || town.covers().iter().all(|cover| cover.state == CoverState::Settled).then_some(());
    town.until("the keeper pays", settled);
    println!("paid {} s after the price fell", struck.elapsed().as_secs());
    let paid = town.money_of(&owner);

    // Who was paid what, from the history that this cluster's page keeps.
    let file = town.dir.path().join("town/history.sqlite");
    let incident = address::incident(&key(&product));
    let payment = town.until("the history has it", || {
        let database = Database::open_read_only(&file).ok()?;
        database.payments(&incident).expect("it can be read").pop()
    });
    assert_eq!((payment.holder, payment.amount), (owner, 1_000 * ONE));
    assert_eq!(paid, 9_000 * ONE - cover.premium + payment.amount + payment.refund, "that, and nothing else");
    let of_incident = format!("/incident/{product}");
    wait(&tab, &town, &of_incident, "document.querySelector('[aria-labelledby=payments] tbody') !== null").await;
    tab.picture("incident").await;
    let shown = rows(&tab, "section[aria-labelledby=payments] table").await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0][2..4], [payment.amount.to_string(), payment.refund.to_string()]);
    let link = format!("document.querySelector('[aria-labelledby=payments] a[href=\"{mine}\"]') !== null");
    assert_eq!(tab.value(&link).await, json!(true), "it leads to the holder");
    let steps = tab.value("document.querySelector('ol.timeline').innerText").await;
    for step in ["breaching", "The condition was met", "The incident was opened: 1,000.00", "A treaty paid 300.00"] {
        assert!(steps.as_str().is_some_and(|steps| steps.contains(step)), "{step}: {steps}");
    }
    wait(&tab, &town, &mine, "document.getElementById('paid') !== null").await;
    let shown = rows(&tab, "section[aria-labelledby=paid] table").await;
    assert_eq!(shown[0][2], payment.amount.to_string());
    let told = tab.value("document.querySelector('section[aria-labelledby=paid]').innerText").await;
    assert!(told.as_str().is_some_and(|told| told.contains("1,000.00 USDT")), "{told}");
    tab.picture("paid").await;
    tab.until("!document.getElementById('wallet-mine').hidden").await;
    tab.act(CLOSE).await;

    // Leave, and take the money.
    price(&tab, &town, "1", 100_000_000).await;
    visit(&tab, &format!("/pool/{pool}")).await;
    let shown = tab.act(LEAVE).await;
    assert!(shown.contains("senior shares"), "{shown}");
    advance(&tab, &town, "days").await;
    advance(&tab, &town, "day").await;
    wait(&tab, &town, &mine, &format!("document.querySelector('{CLAIM}') !== null")).await;
    tab.until("!document.getElementById('wallet-mine').hidden").await;
    tab.picture("mine").await;
    tab.act(CLAIM).await;
    let taken = town.money_of(&owner) - paid;
    // Surplus and junior capital stood for this cover alone; a unit is rounded against whoever leaves.
    assert!((1_000 * ONE - 1..1_001 * ONE).contains(&taken), "{taken}");

    // The share price by day, and the loss beside it, are those of the history; and nothing is missing in it.
    history(&tab, &town, &key(&pool), &file).await;
    wait(&tab, &town, "/status", "document.querySelector('main').innerText.includes('Whole: nothing is known to be')")
        .await;
    town.run("alice", &["audit"]);

    // Everything ends with the cluster.
    tab.close().await;
    let address = page.trim_start_matches("http://").to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    drop(_keeper);
    let _dir = town.stop();
    assert!(TcpStream::connect(&address).is_err(), "the page ended too");
}

/// What the pool's page says of its past is what the history says.
async fn history(tab: &Tab, town: &Town, pool: &Pubkey, file: &Path) {
    let database = Database::open_read_only(file).expect("it is there");
    assert!(database.gaps().expect("it can be read").is_empty());
    let prices = |tranche| database.share_prices(pool, tranche, By::Day, 0, i64::MAX).expect("it can be read");
    let (junior, senior) = (prices(Tranche::Junior), prices(Tranche::Senior));
    assert!(senior.len() >= 3, "days on which something happened: {senior:?}");
    let losses = database.losses(pool, By::Day, 0, i64::MAX).expect("it can be read");
    let lost: i64 = losses.iter().map(|loss| loss.surplus + loss.junior + loss.senior).sum();
    // Three tenths are reinsured.
    assert_eq!(lost, 700 * i64::try_from(ONE).expect("small"), "{losses:?}");
    let count = junior.len() + 1;
    let all = format!("document.querySelectorAll('[aria-labelledby=prices] tbody tr').length === {count}");
    wait(tab, town, &format!("/pool/{pool}"), &all).await;
    tab.picture("history").await;
    let shown = rows(tab, "section[aria-labelledby=prices] table").await;
    let price = |price: Option<u64>| {
        let price = price.expect("there are shares");
        format!("{}.{:06}", price / 1_000_000_000, price % 1_000_000_000 / 1_000)
    };
    for (row, (junior, senior)) in shown.iter().zip(junior.iter().zip(&senior)) {
        assert_eq!(row[0], text::moment(junior.start));
        assert_eq!(row[1..3], [price(junior.price_e9), price(senior.price_e9)]);
        let loss = losses.iter().find(|loss| loss.start == junior.start);
        let parts = loss.map_or([0; 3], |loss| [loss.surplus, loss.junior, loss.senior]);
        assert_eq!(row[3..6], parts.map(|part| part.to_string()), "{row:?}");
    }
    let days: Vec<Value> = shown.iter().map(|row| json!(row)).collect();
    println!("share price by day: {}", json!(days));
}
