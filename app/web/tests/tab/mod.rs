//! A tab of a real Chromium, with a wallet in it that signs with a real key.
//!
//! `BACKSTOP_PICTURES` names a folder for pictures of the pages.
#![allow(dead_code)]

use crate::booth;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_web::sign::allow::LIGHTHOUSE;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chromiumoxide::Page;
use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::accessibility::{AxNode, AxValue, GetFullAxTreeParams};
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams, SetScriptExecutionDisabledParams,
};
use chromiumoxide::cdp::browser_protocol::input::{DispatchKeyEventParams, DispatchKeyEventType};
use chromiumoxide::cdp::js_protocol::runtime::{AddBindingParams, EventBindingCalled};
use chromiumoxide::page::ScreenshotParams;
use futures_util::StreamExt;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::message::VersionedMessage;
use solana_sdk::message::compiled_instruction::CompiledInstruction;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::sleep;

/// What a wallet does when it is asked to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It signs.
    Signs,
    /// Its owner says no.
    Rejects,
    /// It goes away, and is not connected afterwards.
    Disconnects,
    /// It signs with another account of its own.
    AnotherAccount,
    /// It adds guard instructions, as wallets do.
    Guards,
    /// It changes what it signs.
    Alters,
    /// Its owner looks for the device until the blockhash is over; the next time they are quick.
    IsSlow,
}

/// The wallet of a tab.
pub struct Wallet {
    /// What it signs with.
    pub key: Keypair,
    /// Another account of its own.
    pub other: Keypair,
    /// What it does.
    pub manner: Manner,
    /// Whether its owner has let the page in.
    pub connected: bool,
    /// How often it was asked to sign.
    pub asked: usize,
}

/// The folder for pictures, if somebody wants them.
pub fn pictures() -> Option<PathBuf> {
    std::env::var_os("BACKSTOP_PICTURES").map(PathBuf::from)
}

/// A tab, and its browser, which ends with it.
pub struct Tab {
    /// The tab.
    pub page: Page,
    /// Its wallet.
    pub wallet: Arc<Mutex<Wallet>>,
    url: String,
    browser: Browser,
    _profile: TempDir,
}

impl Tab {
    /// A tab at a page, which is at a node, with a wallet of a key. `sends`: it signs only what it sends by itself.
    pub async fn open(url: &str, node: &str, key: &Keypair, manner: Manner, sends: bool) -> Self {
        let profile = tempfile::tempdir().expect("there is room for a profile");
        let args = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"];
        let more = ["disable-component-update", "disable-sync", "disable-dev-shm-usage"];
        let config = BrowserConfig::builder()
            .chrome_executable(std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into()))
            .no_sandbox()
            .user_data_dir(profile.path())
            .args(args.into_iter().chain(more))
            .launch_timeout(Duration::from_secs(90))
            .request_timeout(Duration::from_secs(60))
            .viewport(None)
            .build()
            .expect("chromium is installed");
        let (browser, mut handler) = Browser::launch(config).await.expect("chromium starts");
        tokio::spawn(async move { while handler.next().await.is_some() {} });
        let page = browser.new_page("about:blank").await.expect("a tab opens");
        let wallet = Wallet { key: key.insecure_clone(), other: Keypair::new(), manner, connected: false, asked: 0 };
        let wallet = Arc::new(Mutex::new(wallet));
        page.execute(AddBindingParams::new("walletCalls")).await.expect("the wallet is heard");
        let mut calls = page.event_listener::<EventBindingCalled>().await.expect("the wallet is heard");
        let (asked, to, node) = (wallet.clone(), page.clone(), node.to_owned());
        tokio::spawn(async move {
            while let Some(call) = calls.next().await {
                let call: Value = serde_json::from_str(&call.payload).expect("the wallet speaks JSON");
                let (asked, node) = (asked.clone(), node.clone());
                let id = call["id"].clone();
                let answered = tokio::task::spawn_blocking(move || answer(&asked, &node, &call)).await;
                let script = match answered.expect("the wallet answers") {
                    Ok(answer) => format!("walletAnswers({id}, {answer})"),
                    Err(why) => format!("walletAnswers({id}, null, {})", json!(why)),
                };
                // The page may be another one by now.
                let _ = to.evaluate_expression(script).await;
            }
        });
        let script =
            include_str!("wallet.js").replace("WALLET", &json!({ "name": "Tester", "sends": sends }).to_string());
        page.evaluate_on_new_document(script).await.expect("the wallet is put in");
        page.execute(media("light")).await.expect("the scheme changes");
        Self { page, wallet, url: url.to_owned(), browser, _profile: profile }
    }

    /// Goes to a path of the page.
    pub async fn go(&self, path: &str) {
        self.page.goto(format!("{}{path}", self.url)).await.expect("the page opens");
        self.until("document.readyState === 'complete'").await;
    }

    /// The value of an expression in the page.
    pub async fn value(&self, expression: &str) -> Value {
        let value = self.page.evaluate_expression(expression).await;
        value.unwrap_or_else(|why| panic!("{expression}: {why}")).value().cloned().unwrap_or_default()
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(40) {
            if let Ok(value) = self.page.evaluate_expression(expression).await
                && value.value() == Some(&Value::Bool(true))
            {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        let text = self.value("document.querySelector('main').innerText").await;
        panic!("it never came true: {expression}\n{}", text.as_str().unwrap_or_default());
    }

    /// Clicks what a selector finds.
    pub async fn click(&self, selector: &str) {
        self.until(&format!("!document.querySelector({})?.disabled", json!(selector))).await;
        let element = self.page.find_element(selector).await.unwrap_or_else(|why| panic!("{selector}: {why}"));
        element.click().await.unwrap_or_else(|why| panic!("{selector}: {why}"));
    }

    /// Types into a field, in place of what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.page.find_element(selector).await.unwrap_or_else(|why| panic!("{selector}: {why}"));
        self.value(&format!("document.querySelector({}).value = ''", json!(selector))).await;
        element.click().await.expect("it takes the focus");
        element.type_str(text).await.expect("it takes letters");
    }

    /// How wide the window is, in light or in dark.
    pub async fn size(&self, width: i64, scheme: &str) {
        self.page.execute(media(scheme)).await.expect("the scheme changes");
        let size = SetDeviceMetricsOverrideParams::new(width, 900, 1.0, false);
        self.page.execute(size).await.expect("the width changes");
    }

    /// Whether pages may run scripts.
    pub async fn scripts(&self, on: bool) {
        let off = SetScriptExecutionDisabledParams::new(!on);
        self.page.execute(off).await.expect("scripts are switched");
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: &str) {
        for kind in [DispatchKeyEventType::RawKeyDown, DispatchKeyEventType::KeyUp] {
            let event = DispatchKeyEventParams::builder().r#type(kind).key(key).code(key);
            let event = if key == "Tab" { event.windows_virtual_key_code(9) } else { event };
            self.page.execute(event.build().expect("a key")).await.expect("it is pressed");
        }
    }

    /// Connects the wallet.
    pub async fn connect(&self) {
        self.until("!document.getElementById('wallet').hidden").await;
        self.click("#wallet-connect").await;
        self.until("!document.getElementById('wallet-mine').hidden").await;
    }

    /// What a form says of where it stands.
    pub async fn status(&self, form: &str) -> String {
        let text = self.value(&format!("document.querySelector('{form} [data-status]').innerText")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a form says something.
    pub async fn says(&self, form: &str, text: &str) -> String {
        let said = format!("document.querySelector('{form} [data-status]').innerText.includes({})", json!(text));
        self.until(&said).await;
        self.status(form).await
    }

    /// Has a form's act built and shown.
    pub async fn preview(&self, form: &str) -> String {
        self.click(&format!("{form} [data-go]")).await;
        self.until(&format!("!document.querySelector('{form} [data-preview]').hidden")).await;
        let shown = self.value(&format!("document.querySelector('{form} [data-preview]').innerText")).await;
        shown.as_str().unwrap_or_default().to_owned()
    }

    /// Has what is shown signed.
    pub async fn sign(&self, form: &str) {
        self.click(&format!("{form} [data-preview] .actions button:first-child")).await;
    }

    /// Previews, signs, and waits until it is on chain.
    pub async fn act(&self, form: &str) -> String {
        let shown = self.preview(form).await;
        self.sign(form).await;
        self.says(form, "Done: it is on chain").await;
        shown
    }

    /// Has the wallet's account be another one, or none.
    pub async fn change(&self, addresses: &[String]) {
        self.value(&format!("walletChanges({})", json!(addresses))).await;
    }

    /// What the wallet does from now on.
    pub fn manner(&self, manner: Manner) {
        self.wallet.lock().expect("nobody panicked").manner = manner;
    }

    /// How often the wallet was asked to sign.
    pub fn asked(&self) -> usize {
        self.wallet.lock().expect("nobody panicked").asked
    }

    /// Takes pictures of the page in three widths, light and dark, if somebody wants them.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = pictures() else { return };
        std::fs::create_dir_all(&folder).expect("there is room for pictures");
        for scheme in ["light", "dark"] {
            for width in [360, 768, 1280] {
                self.size(width, scheme).await;
                let wide = self.value("document.documentElement.scrollWidth <= window.innerWidth").await;
                let shot = ScreenshotParams::builder().full_page(true).build();
                let bytes = self.page.screenshot(shot).await.expect("a picture is taken");
                std::fs::write(folder.join(format!("{name}-{width}-{scheme}.png")), bytes).expect("there is room");
                assert_eq!(wide, json!(true), "{name} is wider than {width}");
            }
        }
        self.size(1280, "light").await;
    }

    /// The roles and names of what a reader of the page finds, in its order, each with how deep it is.
    pub async fn accessible(&self) -> Vec<(usize, String, String)> {
        let tree = self.page.execute(GetFullAxTreeParams::default()).await.expect("the tree is told");
        let nodes: BTreeMap<&str, &AxNode> =
            tree.result.nodes.iter().map(|node| (node.node_id.inner().as_str(), node)).collect();
        let mut found = Vec::new();
        let root = tree.result.nodes.first().expect("there is a page");
        let mut open = vec![(0, root)];
        while let Some((depth, node)) = open.pop() {
            let text = |value: &Option<AxValue>| {
                let value = value.as_ref().and_then(|value| value.value.as_ref());
                value.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (role, name) = (text(&node.role), text(&node.name));
            let told = !node.ignored && !["generic", "none", "InlineTextBox"].contains(&role.as_str());
            let children = node.child_ids.iter().flatten().rev();
            let below = depth + usize::from(told);
            open.extend(children.filter_map(|id| Some((below, *nodes.get(id.inner().as_str())?))));
            if told {
                found.push((depth, role, name));
            }
        }
        found
    }

    /// Ends it.
    pub async fn close(mut self) {
        // One that has ended already is as good.
        let _ = self.browser.close().await;
        let _ = self.browser.wait().await;
    }
}

/// A colour scheme, and nothing that moves by itself: a click goes to where something is, not to where it scrolls from.
fn media(scheme: &str) -> SetEmulatedMediaParams {
    let features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")];
    let features = features.map(|(name, value)| MediaFeature::new(name, value));
    SetEmulatedMediaParams::builder().features(features).build()
}

/// What the wallet answers, or why it does not.
fn answer(wallet: &Mutex<Wallet>, node: &str, call: &Value) -> Result<Value, String> {
    let mut wallet = wallet.lock().expect("nobody panicked");
    match call["what"].as_str().unwrap_or_default() {
        "connect" => {
            if call["silent"] == true && !wallet.connected {
                return Ok(json!([]));
            }
            wallet.connected = true;
            Ok(json!([wallet.key.pubkey().to_string()]))
        }
        "disconnect" => {
            wallet.connected = false;
            Ok(Value::Null)
        }
        what => {
            wallet.asked += 1;
            assert_eq!(call["chain"], "solana:localnet");
            let bytes = BASE64.decode(booth::text(&call["transaction"])).expect("it is base64");
            let transaction: VersionedTransaction = bincode::deserialize(&bytes).expect("it is a transaction");
            let signed = signed(&mut wallet, transaction, node)?;
            if what == "sign" {
                return Ok(json!(booth::encoded(&signed)));
            }
            let cluster = RpcCluster::new(node, CommitmentConfig::confirmed());
            cluster.submit(&signed).map_err(|why| why.to_string())?;
            Ok(json!(booth::signature_text(&signed.signatures[0])))
        }
    }
}

fn signed(
    wallet: &mut Wallet,
    mut transaction: VersionedTransaction,
    node: &str,
) -> Result<VersionedTransaction, String> {
    let VersionedMessage::Legacy(message) = &mut transaction.message else { panic!("it is a legacy one") };
    let mut key = wallet.key.insecure_clone();
    match wallet.manner {
        Manner::Signs => {}
        Manner::Rejects => return Err("User rejected the request.".into()),
        Manner::Disconnects => {
            wallet.connected = false;
            return Err("The wallet is locked.".into());
        }
        Manner::AnotherAccount => {
            key = wallet.other.insecure_clone();
            message.account_keys[0] = key.pubkey();
        }
        Manner::Guards => {
            message.account_keys.push(LIGHTHOUSE);
            message.header.num_readonly_unsigned_accounts += 1;
            let program_id_index = u8::try_from(message.account_keys.len() - 1).expect("few accounts");
            let guard = CompiledInstruction { program_id_index, accounts: vec![], data: vec![14, 0, 1] };
            message.instructions.push(guard);
        }
        Manner::Alters => message.instructions.last_mut().expect("ours").data[9] ^= 1,
        Manner::IsSlow => {
            wallet.manner = Manner::Signs;
            // A block passes whenever somebody asks what became of a transaction.
            let cluster = RpcCluster::new(node, CommitmentConfig::confirmed());
            for _ in 0..400 {
                cluster.outcomes(&[Default::default()]).expect("the node answers");
            }
        }
    }
    Ok(booth::sign(transaction, &key))
}
