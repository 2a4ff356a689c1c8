//! The book in `docs/` and the pages beside it: generated where they can be, complete, without broken links, and with
//! the numbers that the program computes.

use backstop::math::pricing::{self, Demand, Order, Price};
use backstop::math::{capital, exits, losses, shares, treaties};
use backstop_tests::{golden, idl, reference, source};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Pages beside the book.
const BESIDE: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "artifacts/README.md",
    "migrations/README.md",
    "programs/loan/README.md",
    "toolchain/README.md",
];

fn book() -> Vec<String> {
    source::below("docs/src", &[".md"])
}

fn pages() -> Vec<String> {
    book().into_iter().chain(BESIDE.iter().map(|page| (*page).to_owned())).collect()
}

/// Lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        code ^= fence;
        !fence && !code && !line.starts_with("    ")
    })
}

/// The anchor of a heading, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    let text = source::file(page);
    prose(&text).filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// Targets of the links of a page.
fn links(text: &str) -> Vec<String> {
    let ends = prose(text).flat_map(|line| line.split("](").skip(1));
    ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
        plain
    })
}

fn exists(path: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).exists()
}

#[test]
fn the_reference_pages_are_those_of_the_idl() {
    for (file, text) in reference::pages() {
        golden::check(file, &text);
    }
}

#[test]
fn the_summary_names_every_page_and_no_other() {
    let summary = source::file("docs/src/SUMMARY.md");
    let named: BTreeSet<String> = links(&summary).into_iter().map(|page| format!("docs/src/{page}")).collect();
    let there: BTreeSet<String> = book().into_iter().filter(|page| !page.ends_with("SUMMARY.md")).collect();
    assert_eq!(named, there, "docs/src/SUMMARY.md (left) names the pages of docs/src (right)");
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&source::file(&page)).into_iter().filter(|link| !link.contains("://")) {
            let (file, part) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(&page).parent().expect("a page is in a folder");
            let target = if file.is_empty() { PathBuf::from(&page) } else { plain(&folder.join(file)) };
            let target = target.to_string_lossy().into_owned();
            if !exists(&target) {
                broken.push(format!("{page}: {link}: there is no {target}"));
            } else if !part.is_empty() && !anchors(&target).contains(part) {
                broken.push(format!("{page}: {link}: {target} has no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Files and folders that a page names between backticks.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        for word in line.split('`').skip(1).step_by(2).filter_map(|code| code.split_whitespace().next()) {
            let whole = word.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
            let blank = |part: &str| ["GROUP", "NAME", "PART"].contains(&part.trim_end_matches(".rs"));
            let local = !word.starts_with(['/', '.', '-']);
            if whole && local && word.contains('/') && !word.split('/').any(blank) {
                found.push(word.trim_end_matches('/').to_owned());
            }
        }
    }
    found
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let top = ["app", "artifacts", "docs", "fuzz", "migrations", "programs", "tests", "toolchain"];
    let rooms = ["instructions", "math", "money", "payout", "peril", "border", "state"];
    let mut absent = Vec::new();
    // A change log tells of what was.
    for page in pages().into_iter().filter(|page| page != "CHANGELOG.md") {
        let folder = Path::new(&page).parent().expect("a page is in a folder").to_string_lossy().into_owned();
        for path in paths(&source::file(&page)) {
            let first = path.split('/').next().unwrap_or_default();
            let there = match first {
                first if top.contains(&first) => exists(&path) || exists(&format!("{folder}/{path}")),
                first if rooms.contains(&first) => {
                    let path = format!("programs/backstop/src/{path}");
                    exists(&path) || exists(&format!("{path}.rs"))
                }
                _ => true,
            };
            if !there {
                absent.push(format!("{page}: {path}"));
            }
        }
    }
    assert!(absent.is_empty(), "named, and not in the repository:\n{}", absent.join("\n"));
}

#[test]
fn nothing_cites_a_page_that_the_project_does_not_contain() {
    let citations = [concat!("DESIGN", ".md"), concat!("DESIGN", ","), concat!("DESIGN", " section"), "design-attacks"];
    let folders = ["app", "docs/src", "fuzz/fuzz_targets", "migrations", "programs", "tests", "toolchain"];
    let files = folders.iter().flat_map(|folder| source::below(folder, &[".rs", ".md", ".toml", ".sh"]));
    let files = files.chain(BESIDE.iter().map(|page| (*page).to_owned()));
    let mut found = Vec::new();
    for file in files.filter(|file| file != "tests/tests/docs.rs") {
        for (number, line) in source::file(&file).lines().enumerate() {
            if citations.iter().any(|citation| line.contains(citation)) {
                found.push(format!("{file}:{}: {line}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "docs/src has the rules; cite a page of it:\n{}", found.join("\n"));
}

/// A number with commas, as pages write it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let group = |(place, digit): (usize, char)| {
        let comma = place > 0 && (digits.len() - place).is_multiple_of(3);
        if comma { format!(",{digit}") } else { digit.to_string() }
    };
    digits.chars().enumerate().map(group).collect()
}

/// An amount of six decimals.
fn tokens(units: u64) -> String {
    format!("{}.{:06}", units / 1_000_000, units % 1_000_000)
}

#[track_caller]
fn says(page: &str, number: &str) {
    let text = source::file(&format!("docs/src/how/{page}.md"));
    let text: Vec<&str> = text.split_whitespace().collect();
    assert!(
        text.join(" ").contains(number),
        "docs/src/how/{page}.md does not say `{number}`, which the program computes"
    );
}

#[test]
fn numbers_in_the_book_are_what_the_program_computes() {
    let one = 1_000_000;
    // Capital: shares, losses, required capital.
    let alice = shares::issue(1_000 * one, 0, 0).expect("it fits");
    says("capital", &format!("{} units of shares", grouped(alice)));
    let bob = shares::issue(100 * one, alice, 1_010 * one).expect("it fits");
    says("capital", &format!("{} units of shares", grouped(bob)));
    let worth = shares::worth(alice, alice + bob, 1_110 * one).expect("it fits");
    says("capital", &format!("{} units: 1,010 USDC", grouped(worth)));
    let layers =
        losses::Layers { surplus: 10, junior_assets: 60, junior_exiting: 30, senior_assets: 500, senior_exiting: 400 };
    let taken = |loss| losses::absorb(loss, &layers).expect("it fits").taken;
    let forty = taken(40);
    says(
        "capital",
        &format!(
            "takes {} from the surplus, {} and {} from junior",
            forty.surplus, forty.junior_assets, forty.junior_exiting
        ),
    );
    let more = taken(109);
    says("capital", &format!("takes all of these, and {} and {} from senior", more.senior_assets, more.senior_exiting));
    assert_eq!((more.junior_assets, more.junior_exiting), (60, 30));
    let groups = [600_000, 300_000, 100_000];
    says("capital", &format!("rho = 25 % require {}", grouped(capital::required(&groups, 2_500).expect("it fits"))));
    says("capital", &format!("rho = 100 %, {}", grouped(capital::required(&groups, 10_000).expect("it fits"))));

    // Premium.
    let price = Price {
        technical_ppb: pricing::technical_ppb(20_000_000, 5_000).expect("it fits"),
        level_bps: 10_000,
        demand: Demand { at_zero_ppb: 0, at_kink_ppb: 50_000_000, at_capacity_ppb: 200_000_000, kink_bps: 8_000 },
        min_premium: 10_000,
    };
    let premium = |sum: u64, before: u64| {
        let (sum_insured, exposure_before) = (sum * one, before * one);
        // Held for its waiting day, its 30 days and the two of its ring.
        let (insured_seconds, held_seconds, capacity) = (30 * 86_400, 33 * 86_400, 160_000 * one);
        let order = Order { sum_insured, insured_seconds, held_seconds, exposure_before, capacity };
        pricing::premium(&order, &price).expect("there is capacity")
    };
    says("premium", &format!("cost {} USDC", tokens(premium(1_000, 0))));
    says("premium", &format!("cost {} when 127,000", tokens(premium(1_000, 127_000))));
    says("premium", &format!("and {} when 159,000 are", tokens(premium(1_000, 159_000))));
    let halves = [premium(500, 0), premium(500, 500)];
    says("premium", &format!("costs {} and {}: a unit more", tokens(halves[0]), tokens(halves[1])));
    assert_eq!(halves[0] + halves[1], premium(1_000, 0) + 1);

    // Incidents and exits.
    let reserve = |gross: u64, capital: u64| if capital >= 90 { gross } else { gross * capital / 90 };
    says("incidents", &format!("they get {} and {}", reserve(30, 50), reserve(60, 50)));
    says("incidents", &format!("With 100 they get {} and {}", reserve(30, 100), reserve(60, 100)));
    says("incidents", &format!("half the gross given: {} USDC", losses::payout(1_000, 125, 1_000).expect("it fits")));
    let queues = [exits::Queue { units: 1_000_000, exiting: 1_000 }, exits::Queue { units: 2_000_000, exiting: 2_000 }];
    let fill = exits::fill(exits::ALL_OPEN_Q63, [1_000_000, 2_000_000], queues, 1_500).expect("it fits");
    says("exits", &format!("junior gets {}, senior {}", grouped(fill.paid[0]), grouped(fill.paid[1])));
    assert_eq!(fill.open_q63_after, exits::ALL_OPEN_Q63 / 2);

    // Reinsurance.
    let share = 100_000 * 3_000 / 10_000;
    says("reinsurance", &format!("A quota share of 30 % owes {}", grouped(share)));
    let layer = |attachment, limit| treaties::layer_owes(100_000 - share, attachment, limit);
    let (low, high) = (layer(20_000, 40_000), layer(60_000, 50_000));
    says("reinsurance", &format!("A layer of 40,000 above 20,000 owes {}", grouped(low)));
    says("reinsurance", &format!("one of 50,000 above 60,000 owes {}", grouped(high)));
    says("reinsurance", &format!("the pool bears {}", grouped(100_000 - share - low - high)));
    let premium = treaties::layer_premium(40_000, 200).expect("it fits");
    says("reinsurance", &format!("costs 2 % of its limit, {premium}"));
    let terms = treaties::Reinstatement { limit: 40_000, premium, restorable: 40_000, premium_bps: 10_000 };
    let (restored, cost) = terms.restore(0, low, u64::MAX).expect("it fits");
    assert_eq!(restored, 40_000);
    says("reinsurance", &format!("the recovery is {} in cash", grouped(low - cost)));
}

#[test]
fn severity_and_windows_in_the_book_are_what_the_evidence_machine_says() {
    use backstop_tests::terms;
    let stress = backstop::peril::evidence::Terms::new(&terms::stress()).expect("valid");
    assert_eq!((stress.need, stress.tolerance, stress.challenge), (8, 1, 6 * 3_600), "the example of the page");
    says("evidence", &format!("`need` is {}, `tolerance` {}", stress.need, stress.tolerance));
    let severity = stress.severity_bps(90_500_000);
    says("evidence", &format!("a mean of 0.905: {} % of the sum insured", severity / 100));
}

#[test]
fn every_instruction_has_a_builder_in_the_library() {
    let library: String = source::below("app/client/src", &[".rs"]).iter().map(|file| source::file(file)).collect();
    let absent = idl::instructions().iter().filter(|declared| !library.contains(&format!("pub fn {}(", declared.name)));
    let absent: Vec<&str> = absent.map(|declared| declared.name.as_str()).collect();
    assert!(absent.is_empty(), "app/client/src/instruction.rs builds no {absent:?}");
}

#[test]
fn a_heading_becomes_the_anchor_that_its_links_name() {
    assert_eq!(anchor("Excess of loss"), "excess-of-loss");
    assert_eq!(anchor("1. Open"), "1-open");
    assert_eq!(anchor("`buy_cover` and more"), "buy_cover-and-more");
    assert_eq!(links("a [b](c.md#d), ![e](f)\n    [not](code)"), ["c.md#d", "f"]);
    assert_eq!(paths("see `tests/src` and `cargo test -p x`, `state/pool/`"), ["tests/src", "state/pool"]);
}
