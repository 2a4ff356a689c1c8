//! What the pages say.

use super::stage::{Page, Special, Stage, settings};
use backstop_index::Database;
use backstop_web::site::Settings;
use std::time::{Duration, Instant};

#[track_caller]
fn says(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "it does not say `{part}`:\n{html}");
    }
}

#[test]
fn a_product_says_what_is_covered_what_is_not_and_what_it_would_have_paid() {
    let stage = Stage::calm();
    let path = format!("/product/{}", stage.product.product);
    let html = stage.page.shown(&path);
    says(&html, &["Covered", "Not covered", "the price is below 0.95 for 4 h", "pays nothing, whatever was lost"]);
    says(&html, &["Sha-256 of the wording", &"09".repeat(32), "Price against the threshold"]);
    // The replay is worked out in the background.
    let begun = Instant::now();
    while !stage.page.shown(&path).contains("of each sum insured. </strong>") {
        assert!(begun.elapsed() < Duration::from_secs(120), "the replay never came");
        std::thread::sleep(Duration::from_millis(200));
    }
    says(&stage.page.shown(&path), &["been proven on 2023-03-11"]);
}

#[test]
fn a_product_that_is_armed_says_until_when_nothing_is_sold_and_what_comes_then() {
    let special = Special::new();
    let path = format!("/product/{}", special.armed.product);
    let html = special.page.shown(&path);
    says(&html, &["data-field=\"armed_until\">armed<", "Armed: what the protocol holds has fallen.", "It holds "]);
    says(
        &html,
        &[
            "Nothing is sold until ",
            "(in 13 d",
            "the lesser of the loss that they report",
            "The fall alone pays nothing.",
            "it sells again from then",
        ],
    );
    says(&html, &["Armed: a fall was read, and no loss is reported.", "As soon as one of them reports a loss"]);
    says(&html, &["What was reported and read", "a fall to 0.34 of what it was", "read once: 0.34 of what it was"]);
    says(&special.page.shown("/"), &["data-field=\"armed_until\">armed<"]);
    // One attestor reports, then another with it, a day after the fall: the event is proven.
    special.report_loss(&[0], 6_000);
    let html = special.page.shown(&path);
    says(&html, &["One of them has reported a loss", "Reported: an attestor says that money was lost."]);
    says(&html, &["1 attestor says that 60.00 % was lost"]);
    special.world.world().advance(86_400);
    special.report_loss(&[0, 1], 5_500);
    let html = special.page.shown(&path);
    says(&html, &["Final: the event is proven", "2 attestors say that 55.00 % was lost, which proves the event"]);
    assert!(!html.contains("armed_until") && !html.contains("Armed: "), "what is proven is armed no longer");
}

#[test]
fn a_reading_says_when_it_is_due_what_pays_and_what_was_reported() {
    let special = Special::new();
    let path = format!("/product/{}", special.reading.product);
    let html = special.page.shown(&path);
    says(&html, &["Where the reading stands", "the value is below 120.00", "none yet", "Nothing yet."]);
    says(&html, &["data-field=\"reading.strike_e8\">120.00<", "data-field=\"reading.exit_e8\">40.00<"]);
    special.report_value(8_000_000_000);
    let html = special.page.shown(&path);
    says(&html, &["data-field=\"reading.value_e8\">80.00<", "data-field=\"reading.severity_bps\">50.00 %<"]);
    says(&html, &["if it stands until", "<td>80.00</td>"]);
}

#[test]
fn breaches_are_marked_and_a_struck_product_leads_to_its_incident() {
    let stage = Stage::struck();
    let html = stage.page.shown(&format!("/product/{}", stage.product.product));
    says(&html, &["class=\"window\"", "Its event happened.", "Final: the event is proven"]);
    says(&stage.page.shown("/"), &["An incident is under way:"]);
}

#[test]
fn a_pool_shows_share_prices_with_losses_and_the_stress_test() {
    let stage = Stage::calm();
    let html = stage.page.shown(&format!("/pool/{}", stage.pool.pool));
    says(&html, &["Capital by layer", "Share price by day", "If the largest group fails", "You lose ", "Exit queue"]);
    says(&html, &["in its cooldown", "Junior share", "Senior share"]);
    let stage = Stage::struck();
    let html = stage.page.shown(&format!("/pool/{}", stage.pool.pool));
    // 50,000 are due, 20,000 of them from treaties: 20,000 of surplus, the rest from junior capital.
    says(&html, &["class=\"loss\"", "days with a loss are marked, 1 of them"]);
}

#[test]
fn the_tower_names_its_storeys() {
    let html = Stage::struck().page.shown("/reinsurance");
    says(
        &html,
        &[
            "The pool itself",
            "excess-of-loss #0",
            "quota-share #1",
            "class=\"gone\"",
            "10,000.00 of 20,000.00 USDT left",
        ],
    );
}

#[test]
fn an_incident_tells_its_story_and_who_was_paid() {
    let stage = Stage::struck();
    let path = format!("/incident/{}", stage.product.product);
    let html = stage.page.shown(&path);
    says(&html, &["The condition was met", "The evidence is final", "The incident was opened: 50,000.00 USDT due"]);
    says(&html, &["A treaty paid 10,000.00 USDT", "were set aside for its covers", "Who was paid"]);
    says(&html, &[&format!("/holder/{}", stage.holder), "Came from treaties", "What may still come"]);
    // By its trigger, and by its own address too.
    assert_eq!(stage.page.get(&format!("/incident/{}", stage.product.trigger())).status, 200);
    assert_eq!(stage.page.get(&format!("/incident/{}", stage.product.incident())).status, 200);
    // A product without one says so.
    says(&stage.page.shown(&format!("/incident/{}", stage.other.product)), &["There is none: the trigger is quiet"]);
}

#[test]
fn announcements_tell_what_begins_when() {
    let stage = Stage::calm();
    {
        let scene = stage.scene.world();
        let product = backstop_tests::terms::create_product(scene.world.covered, backstop_tests::terms::stress());
        scene.world.announce_product(&scene.cedant, &product);
    }
    stage.page.site.chain().read_now();
    let html = stage.page.shown("/announcements");
    says(&html, &["It has no condition yet", "1 exit", "Announced before", "A treaty was announced"]);
}

#[test]
fn without_an_index_pages_say_so_and_show_what_the_accounts_hold() {
    let stage = Stage::struck();
    let page = Page::on(stage.scene.clone(), settings());
    let html = page.shown(&format!("/incident/{}", stage.product.product));
    says(&html, &["This page was started without an index", "The event began", "Came from treaties"]);
    says(
        &page.shown(&format!("/pool/{}", stage.pool.pool)),
        &["This page was started without an index", "Capital by layer"],
    );
    let lost = Page::on(stage.scene.clone(), Settings { database: Some("nowhere.sqlite".into()), ..settings() });
    says(&lost.shown("/status"), &["The history cannot be read: there is no index at nowhere.sqlite"]);
}

#[test]
fn a_gap_in_the_index_is_told_on_the_status_page_and_on_the_pools() {
    let stage = Stage::calm();
    let database = Database::open(stage.database()).expect("it is there");
    let insert = "INSERT INTO gaps (pool, first, last, found_at) VALUES (?1, 3, 5, 1700000000)";
    database.connection().execute(insert, (stage.pool.pool.to_bytes(),)).expect("it is written");
    says(&stage.page.shown("/status"), &["Events are missing.", "backstop index repair"]);
    says(&stage.page.shown(&format!("/pool/{}", stage.pool.pool)), &["Events of this pool are missing in the index"]);
}

#[test]
fn a_holder_is_found_by_a_form_that_works_without_a_script() {
    let stage = Stage::calm();
    let answer = stage.page.get(&format!("/holder?address=%20{}", stage.holder));
    assert_eq!(
        (answer.status, answer.headers["location"].as_str()),
        (303, format!("/holder/{}", stage.holder).as_str())
    );
    let html = stage.page.shown(&format!("/holder/{}", stage.holder));
    says(&html, &["Sum insured", "USDC below 0.95 for 4h", "It holds no shares."]);
    assert_eq!(stage.page.get("/holder?address=nobody").status, 400);
}

#[test]
fn the_program_is_compared() {
    let html = Stage::calm().page.shown("/status");
    says(&html, &["Program", "Deployed sha-256", "Cranks seen", "Newest prices"]);
    // Another may be tried: see `BACKSTOP_PROGRAM`.
    let is_ours = std::env::var_os("BACKSTOP_PROGRAM").is_none();
    assert!(html.contains("Verified: ") || !is_ours && html.contains("Another program is deployed"), "{html}");
}

/// Holds both stages open for somebody who looks, and tells where they are: `BACKSTOP_PAGES=DIR`, `BACKSTOP_PAGES_HOLD=
/// SECONDS`.
#[test]
fn pages_to_look_at() {
    let Some(dir) = std::env::var_os("BACKSTOP_PAGES") else { return };
    let hold = std::env::var("BACKSTOP_PAGES_HOLD").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    for (name, stage) in [("calm", Stage::calm()), ("struck", Stage::struck())] {
        if !stage.is_struck {
            stage.scene.world().world.print(&stage.product, 99_800_000);
            stage.page.site.chain().read_now();
        }
        stage.page.shown(&format!("/product/{}", stage.product.product));
        std::thread::sleep(Duration::from_secs(5));
        let told = format!("{}\n{}", stage.page.url, stage.paths().join("\n"));
        std::fs::write(std::path::Path::new(&dir).join(format!("{name}.txt")), told).expect("it is written");
        std::thread::sleep(Duration::from_secs(hold));
    }
}
