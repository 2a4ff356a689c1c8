//! The page in a real Chromium, with a wallet of the Wallet Standard that signs with a real key.
//!
//! `BACKSTOP_PICTURES` names a folder for the accessibility tree of the page to buy on, too.

#[path = "../booth/mod.rs"]
mod booth;
#[path = "../tab/mod.rs"]
mod tab;

use backstop::state::{Cover, ExitTicket, Tranche};
use backstop_client::account;
use backstop_client::cluster::Cluster;
use backstop_client::instruction as ix;
use backstop_tests::attest::Attestors;
use backstop_tests::season::Season;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{budget, live};
use backstop_web::sign::allow::LIGHTHOUSE;
use booth::Booth;
use solana_sdk::signer::Signer;
use tab::{Manner, Tab, pictures};
use tokio::sync::Mutex;

/// One browser at a time: they are large.
static TURN: Mutex<()> = Mutex::const_new(());

const BUY: &str = "form[data-act=buy]";
const DEPOSIT: &str = "form[data-act=deposit]";
const LEAVE: &str = "form[data-act=leave]";
const SETTLE: &str = "form[data-act=settle]";
const CLAIM: &str = "form[data-act=claim]";

/// A tab at a booth, with a wallet of its person.
async fn open(booth: &Booth, manner: Manner, sends: bool) -> Tab {
    Tab::open(&booth.page.url, booth.node.url(), booth.key(), manner, sends).await
}

fn covers(booth: &Booth) -> usize {
    account::list::<Cover>(&booth.node.world().cluster, None).expect("the cluster answers").len()
}

/// What the person has.
fn assets(booth: &Booth) -> u64 {
    booth.node.world().assets(&booth.shop.person)
}

/// Fills the form to buy 1,000 for 30 days in, on its page.
async fn want_cover(tab: &Tab, booth: &Booth) {
    tab.go(&format!("/product/{}", booth.shop.product.product)).await;
    tab.fill("#buy-sum", "1000").await;
    tab.fill("#buy-days", "30").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_stakes_insures_himself_is_paid_and_leaves() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let tab = open(&booth, Manner::Signs, false).await;
    let (pool, product) = (booth.shop.pool, booth.shop.product);
    tab.go("/").await;
    tab.picture("home").await;

    // Stake.
    tab.go(&format!("/pool/{}", pool.pool)).await;
    tab.connect().await;
    tab.fill("#stake-amount", "5,000").await;
    let shown = tab.preview(DEPOSIT).await;
    assert!(shown.contains("Deposit 5,000.00 USDT into the senior tranche"), "{shown}");
    for part in ["at least", "worst case", "cooldown", "The same as:", "backstop pool deposit", "fee"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    tab.picture("pool").await;
    tab.sign(DEPOSIT).await;
    let said = tab.says(DEPOSIT, "Done: it is on chain").await;
    assert!(said.contains("Signature: "), "{said}");
    assert_eq!(booth.node.world().shares(&pool, &booth.shop.person, Tranche::Senior), 5_000 * ONE * 1_000);
    assert_eq!(assets(&booth), 45_000 * ONE);

    // Buy, with a quote first.
    {
        let world = booth.node.world();
        world.next_day();
        world.print(&product, 100_000_000);
    }
    want_cover(&tab, &booth).await;
    tab.click("#buy-sum").await;
    tab.page.find_element("form[data-act=buy] [type=submit]").await.expect("there").click().await.expect("it is");
    tab.until("location.search.includes('sum=1000') && document.body.innerText.includes('The price now')").await;
    let quoted = tab.value("document.querySelector('dl.quote').innerText").await;
    assert!(quoted.as_str().is_some_and(|text| text.contains("a year")), "{quoted}");
    tab.until("!document.getElementById('wallet-mine').hidden").await;
    let shown = tab.preview(BUY).await;
    assert!(shown.contains("Buy 1,000.00 USDT of cover: USDC below 0.95 for 4h"), "{shown}");
    tab.picture("buy").await;
    tab.sign(BUY).await;
    tab.says(BUY, "Done: it is on chain").await;
    assert_eq!(covers(&booth), 1);
    let insured = assets(&booth);
    assert!(insured < 45_000 * ONE);

    // The price falls, and the cover is paid.
    {
        let world = booth.node.world();
        for _ in 0..3 {
            world.next_day();
            world.print(&product, 100_000_000);
        }
        world.depeg(&product, 80_000_000);
        world.open_and_fund(&product);
    }
    let mine = format!("/holder/{}", booth.key().pubkey());
    booth.page.site.chain().read_now();
    tab.go(&mine).await;
    let shown = tab.preview(SETTLE).await;
    assert!(shown.contains("Pay 1,000"), "the sum insured, and premium that was not earned: {shown}");
    tab.picture("claim").await;
    tab.sign(SETTLE).await;
    tab.says(SETTLE, "Done: it is on chain").await;
    let paid = assets(&booth);
    assert!(paid >= insured + 1_000 * ONE, "{insured} and then {paid}");

    // Leave, and take the money.
    {
        let world = booth.node.world();
        let incident = world.incident(&product);
        world.cluster.set_time(incident.deadline.max(world.now()) + 1);
        let close = world.close_incident(&product);
        world.run(&[], &[close]);
    }
    tab.go(&format!("/pool/{}", pool.pool)).await;
    let shown = tab.act(LEAVE).await;
    assert!(shown.contains("Leave with 5,000.00 senior shares"), "{shown}");
    let ticket =
        account::list::<ExitTicket>(&booth.node.world().cluster, None).expect("the cluster answers").remove(0).1;
    {
        let world = booth.node.world();
        world.cluster.set_time(i64::from(ticket.epoch_day + 1) * 86_400);
        world.settle_epoch(&pool, ticket.epoch_day).expect("the day is settled");
    }
    booth.page.site.chain().read_now();
    tab.go(&mine).await;
    tab.picture("mine").await;
    let before = assets(&booth);
    let shown = tab.act(CLAIM).await;
    assert!(shown.contains("Take 4,"), "a loss is borne: {shown}");
    assert!(assets(&booth) > before + 4_000 * ONE);
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_at_an_armed_product_or_a_reading_is_told_what_comes() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let (armed, reading) = {
        let world = booth.node.world();
        let attestors = Attestors::create(&world, 0, 3, 2);
        let mut args = terms::create_pool(3);
        args.terms.cooldown_seconds = 21 * 86_400;
        let pool = world.create_pool(args);
        world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
        let season = Season::begin(&world, attestors.set, 1);
        season.holder(&world, &season.products[0], 1_000 * ONE);
        let armed = live::armed(&world, &pool, attestors.set);
        let reading = season.products[0];
        let due_at = world.trigger(&reading).reading.due_at;
        (armed, (reading, attestors, due_at))
    };
    booth.page.site.chain().read_now();
    let tab = open(&booth, Manner::Signs, false).await;
    let text = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    tab.go(&format!("/product/{}", armed.product)).await;
    let badge = "document.querySelector('.badges [data-field=armed_until]').innerText";
    assert_eq!(text(tab.value(badge).await).to_lowercase(), "armed");
    let told = text(tab.value("document.getElementById('armed').innerText").await);
    for part in ["Nothing is sold until", "The fall alone pays nothing.", "it sells again from then", "0.34"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let price = text(tab.value("document.getElementById('price').parentElement.innerText").await);
    assert!(price.contains("Nothing is sold now."), "{price}");
    tab.picture("armed").await;

    let (reading, attestors, due_at) = reading;
    tab.go(&format!("/product/{}", reading.product)).await;
    let stands = "document.getElementById('reading').parentElement.innerText";
    let told = text(tab.value(stands).await);
    for part in ["Due", "Strike", "120.00", "All is paid at", "40.00", "Value reported", "none yet"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    {
        let world = booth.node.world();
        world.cluster.set_time(due_at + 60);
        let signed = attestors.signed(&[0, 1], &attestors.report(8_000_000_000, due_at));
        world.run(&[], &[budget(), signed, ix::observe_report(&reading, attestors.set)]);
    }
    booth.page.site.chain().read_now();
    tab.go(&format!("/product/{}", reading.product)).await;
    let told = text(tab.value(stands).await);
    for part in ["80.00", "50.00 % of each sum insured", "if it stands until"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    tab.picture("reading").await;
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_says_no_or_is_gone_costs_nothing() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let tab = open(&booth, Manner::Rejects, false).await;
    let before = assets(&booth);
    want_cover(&tab, &booth).await;
    tab.click(&format!("{BUY} [data-go]")).await;
    tab.says(BUY, "connect a wallet first").await;
    tab.connect().await;
    tab.preview(BUY).await;
    tab.sign(BUY).await;
    let said = tab.says(BUY, "did not sign").await;
    assert_eq!(said, "Not done: Tester did not sign: User rejected the request. Nothing was sent.");
    tab.manner(Manner::Disconnects);
    tab.sign(BUY).await;
    tab.says(BUY, "The wallet is locked").await;
    // It says that it is gone.
    tab.change(&[]).await;
    tab.until("document.getElementById('wallet-mine').hidden").await;
    assert_eq!(tab.value(&format!("document.querySelector('{BUY} [data-preview]').hidden")).await, true);
    tab.says(BUY, "account changed: nothing was sent").await;
    tab.click(&format!("{BUY} [data-go]")).await;
    tab.says(BUY, "connect a wallet first").await;
    assert_eq!((covers(&booth), assets(&booth), booth.node.asked("sendTransaction")), (0, before, 0));
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_account_signs_or_a_wallet_alters_is_not_sent() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let tab = open(&booth, Manner::AnotherAccount, false).await;
    want_cover(&tab, &booth).await;
    tab.connect().await;
    tab.preview(BUY).await;
    tab.sign(BUY).await;
    let said = tab.says(BUY, "the wallet changed the transaction, so it is not sent").await;
    assert!(said.contains("pays for the transaction instead"), "{said}");
    tab.manner(Manner::Alters);
    tab.preview(BUY).await;
    tab.sign(BUY).await;
    let said = tab.says(BUY, "is not as it was built").await;
    assert!(said.contains("so it is not sent"), "{said}");
    assert_eq!((covers(&booth), booth.node.asked("sendTransaction"), tab.asked()), (0, 0, 2));
    // The owner chooses another account: what was shown for the first is gone.
    tab.preview(BUY).await;
    let other = tab.wallet.lock().expect("nobody panicked").other.pubkey().to_string();
    tab.change(&[other]).await;
    tab.says(BUY, "account changed: nothing was sent").await;
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_that_a_wallet_adds_go_along() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    {
        let world = booth.node.world();
        // A program that takes any text and does nothing stands in for the guards' own.
        let memo = anchor_lang::prelude::pubkey!("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo");
        let program = world.cluster.account(&memo).expect("the cluster answers").expect("it is there").data;
        world.cluster.svm().add_program(LIGHTHOUSE, &program).expect("it loads");
    }
    let tab = open(&booth, Manner::Guards, false).await;
    want_cover(&tab, &booth).await;
    tab.connect().await;
    tab.act(BUY).await;
    assert_eq!(covers(&booth), 1);
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_only_sends_by_itself_is_watched() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let tab = open(&booth, Manner::Signs, true).await;
    want_cover(&tab, &booth).await;
    tab.connect().await;
    tab.act(BUY).await;
    assert_eq!(covers(&booth), 1);
    // One that guards what it sends has another signature than the page can check.
    tab.manner(Manner::Rejects);
    tab.click(&format!("{BUY} [data-go]")).await;
    tab.until(&format!("!document.querySelector('{BUY} [data-preview]').hidden")).await;
    tab.sign(BUY).await;
    tab.says(BUY, "the wallet's history tells").await;
    assert_eq!(covers(&booth), 1);
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_too_long_is_asked_again_and_charged_once() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let tab = open(&booth, Manner::IsSlow, false).await;
    want_cover(&tab, &booth).await;
    tab.connect().await;
    let before = assets(&booth);
    let shown = tab.preview(BUY).await;
    tab.sign(BUY).await;
    let said = tab.says(BUY, "It expired before it was executed").await;
    assert!(said.contains("nothing was paid") && said.contains("Signature: "), "{said}");
    assert_eq!((covers(&booth), assets(&booth)), (0, before));
    tab.click(&format!("{BUY} [data-status] button")).await;
    tab.says(BUY, "Done: it is on chain").await;
    assert_eq!((covers(&booth), tab.asked()), (1, 2));
    // It is the cover that was shown: the number stayed.
    let (address, _) = account::list::<Cover>(&booth.node.world().cluster, None).expect("it answers").remove(0);
    assert!(shown.contains(&address.to_string()), "{shown}");
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_see_the_page_to_buy_on_finds_its_controls() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let tab = open(&booth, Manner::Signs, false).await;
    tab.go(&format!("/product/{}?sum=1000&days=30", booth.shop.product.product)).await;
    tab.until("!document.getElementById('wallet').hidden").await;
    let tree = tab.accessible().await;
    let has = |role: &str, name: &str| tree.iter().any(|(_, a_role, a_name)| a_role == role && a_name == name);
    for (role, name) in [
        ("link", "Skip to content"),
        ("navigation", "Main"),
        ("combobox", "Wallet"),
        ("button", "Connect"),
        ("region", "Buy cover"),
        ("form", "Buy cover"),
        ("heading", "Buy cover"),
        ("textbox", "Sum insured, in USDT"),
        ("spinbutton", "Days of protection"),
        ("button", "Show the price"),
        ("heading", "The price now"),
        ("button", "Preview and sign"),
        ("heading", "Not covered"),
    ] {
        assert!(has(role, name), "{role} {name}: {tree:#?}");
    }
    assert_eq!(tree.iter().filter(|(_, role, _)| role == "status").count(), 2, "the form's, and the wallet's");
    let named = ["button", "link", "textbox", "form"];
    let nameless = tree.iter().filter(|(_, role, name)| named.contains(&role.as_str()) && name.is_empty());
    assert_eq!(nameless.count(), 0, "{tree:#?}");
    // By the keyboard alone.
    tab.connect().await;
    tab.value("document.getElementById('buy-days').focus()").await;
    let days = tab.page.find_element("#buy-days").await.expect("there");
    for _ in 0..3 {
        days.press_key("Tab").await.expect("a key");
    }
    let focused = tab.value("document.activeElement.textContent").await;
    assert_eq!(focused, "Preview and sign", "after the field: what one gets, its price, and this");
    tab.page.find_element(&format!("{BUY} [data-go]")).await.expect("there").press_key("Enter").await.expect("a key");
    tab.until(&format!("document.activeElement === document.querySelector('{BUY} [data-preview]')")).await;
    if let Some(folder) = pictures() {
        std::fs::create_dir_all(&folder).expect("there is room");
        let lines: Vec<String> = tree
            .iter()
            .filter(|(_, role, _)| !["StaticText", "ListMarker"].contains(&role.as_str()))
            .map(|(depth, role, name)| format!("{}{role}: {name}", "  ".repeat(*depth)).trim_end().to_owned())
            .collect();
        std::fs::write(folder.join("buy-accessibility.txt"), lines.join("\n") + "\n").expect("there is room");
    }
    tab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_says_stays_text() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    let tab = open(&booth, Manner::Signs, false).await;
    tab.go(&format!("/product/{}?sum=<img src=x onerror=alert(1)>&days=30", booth.shop.product.product)).await;
    assert_eq!(tab.value("document.querySelectorAll('img').length").await, 0);
    let value = tab.value("document.getElementById('buy-sum').value").await;
    assert_eq!(value, "<img src=x onerror=alert(1)>");
    tab.connect().await;
    tab.click(&format!("{BUY} [data-go]")).await;
    tab.says(BUY, "is not an amount").await;
    assert_eq!(tab.value("document.querySelectorAll('img').length").await, 0);
    tab.close().await;
}

/// What the keyboard must reach on a page.
const REACHED: &str = "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, \
                       [tabindex=\"0\"]')].filter((one) => one.checkVisibility() && !one.disabled \
                       && !(one.type === 'radio' && !one.checked)).length";

/// Where the focus is: a number for its element, and whether it shows.
const FOCUSED: &str = "(() => { \
    const one = document.activeElement; \
    if (one === document.body || one === null) return null; \
    const all = [...document.querySelectorAll('*')]; \
    const style = getComputedStyle(one); \
    const box = one.getBoundingClientRect(); \
    const shows = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 0; \
    return [all.indexOf(one), shows || one.className === 'skip', one.outerHTML.slice(0, 120)]; \
})()";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_read_on_a_phone_without_a_script_and_reached_by_the_keyboard() {
    let _turn = TURN.lock().await;
    let booth = Booth::open();
    booth.act(&booth.buy());
    booth.act(&booth.deposit());
    booth.page.site.chain().read_now();
    let tab = open(&booth, Manner::Signs, false).await;
    let (product, pool) = (booth.shop.product.product, booth.shop.pool.pool);
    let mut paths: Vec<String> =
        ["/", "/reinsurance", "/incidents", "/announcements", "/status", "/holder"].map(Into::into).into();
    paths.push(format!("/product/{product}?sum=1000&days=30"));
    paths.push(format!("/pool/{pool}"));
    paths.push(format!("/holder/{}", booth.key().pubkey()));
    paths.push("/nowhere".into());
    for path in &paths {
        // As wide as a small telephone: tables scroll inside themselves, also when what is behind pictures is open.
        for scheme in ["light", "dark"] {
            tab.size(360, scheme).await;
            tab.go(path).await;
            tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })").await;
            let wide = tab.value("document.documentElement.scrollWidth").await;
            assert_eq!(wide, 360, "{path}");
        }
        // The keyboard comes to everything, and shows where it is.
        tab.size(1280, "light").await;
        tab.go(path).await;
        let all = usize::try_from(tab.value(REACHED).await.as_u64().expect("a number")).expect("few");
        let mut reached = std::collections::BTreeSet::new();
        for _ in 0..all + 5 {
            tab.press("Tab").await;
            let focused = tab.value(FOCUSED).await;
            let Some(number) = focused[0].as_u64() else { continue };
            assert_eq!(focused[1], true, "{path}: {}", focused[2]);
            reached.insert(number);
        }
        assert!(reached.len() >= all, "{path}: {} of {all}", reached.len());
    }
    // Without a script there is all to read, the price for what one wants, and the command that does it.
    tab.scripts(false).await;
    for path in &paths {
        tab.go(path).await;
        let shown = tab.value("document.querySelector('main').innerText").await;
        assert!(shown.as_str().is_some_and(|text| text.len() > 60), "{path}: {shown}");
        let useless = "[...document.querySelectorAll('[data-go], #wallet')].some((one) => one.checkVisibility())";
        assert_eq!(tab.value(useless).await, false, "{path}: nothing that needs a script is offered");
    }
    tab.go(&format!("/product/{product}")).await;
    // What finds elements to click on is a script itself: the browser's own submit stands for the click.
    tab.value("document.getElementById('buy-sum').value = '2000'").await;
    tab.value("document.querySelector('form[data-act=buy] [type=submit]').click()").await;
    tab.until("location.search.includes('sum=2000') && document.readyState === 'complete'").await;
    let shown = tab.value("document.querySelector('form[data-act=buy]').innerText").await;
    let shown = shown.as_str().expect("a text");
    assert!(
        shown.contains("The price now") && shown.contains(&format!("backstop cover buy {product} 2000")),
        "{shown}"
    );
    tab.close().await;
}
