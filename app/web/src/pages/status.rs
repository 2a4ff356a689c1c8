//! Status: how old what counts is, who turned the crank, which program runs, and what is missing in the history.

use super::{Look, show, silence};
use crate::chain::Program;
use crate::chart;
use crate::error::PageError;
use crate::layout::Place;
use crate::say;
use crate::site::Site;
use axum::extract::State;
use backstop::state::{Form, Pool, Product, Protocol, Trigger};
use backstop_client::text;
use backstop_client::view::label;
use backstop_client::view::report::ProtocolReport;
use backstop_client::view::trigger::phase;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// After that long without a price or a step somebody should look.
const LATE: i64 = 3_600;

/// The status page.
pub async fn page(State(site): State<Site>) -> Result<Markup, PageError> {
    show(site, Place::Status, |look| {
        let now = look.now();
        let body = html! {
            h1 { "Status" }
            (chain(look))
            (prices(look, now))
            (cranks(look, now))
            (program(look))
            (roles(look, now))
            (index(look, now))
        };
        Ok(("Status".into(), body))
    })
    .await
}

fn chain(look: &Look) -> Markup {
    let snapshot = look.chain.snapshot();
    let settings = look.site().settings();
    let age = i64::try_from(look.reading.age().as_secs()).unwrap_or(i64::MAX);
    html! {
        section aria-labelledby="chain" {
            h2 id="chain" { "Chain" }
            (say::facts(&[
                ("Node", html! { (settings.cluster.as_deref().unwrap_or("in this process")) }),
                ("Read", html! { (text::span(age)) " ago, every " (settings.refresh.as_secs()) " s" }),
                ("Slot", say::count("slot", snapshot.slot)),
                ("Accounts", say::count("accounts", snapshot.len() as u64)),
                ("Failing", html! { @match &look.reading.failure { Some(failure) => (failure.why), None => "no" } }),
            ]))
        }
    }
}

/// How old the newest price of each trigger is.
fn prices(look: &Look, now: i64) -> Markup {
    let snapshot = look.chain.snapshot();
    let products: BTreeMap<_, Product> = snapshot.all::<Product>().collect();
    let rows: Vec<Vec<Markup>> = snapshot
        .all::<Trigger>()
        .filter_map(|(_, trigger)| {
            let product = products.get(&trigger.product)?;
            if trigger.form() == Form::Reading {
                return None;
            }
            let published = trigger.evidence.last_publish_time;
            let age = now.saturating_sub(published);
            Some(vec![
                html! { a href={ "/product/" (trigger.product) } { (say::name(product.name())) } },
                say::badge("phase", phase(trigger.phase_at(now))),
                html! { @if published > 0 { data value=(published) data-field="last_publish_time" { (text::span(age)) " old" } @if age > LATE { " " strong.bad { "late" } } } @else { "none was shown" } },
            ])
        })
        .collect();
    html! {
        section aria-labelledby="ages" {
            h2 id="ages" { "Newest prices" }
            @if rows.is_empty() { p { "Nothing listens to a price." } } @else {
                (chart::listing("Newest price of each trigger", &["Product", "Phase", "Newest price"], &rows))
            }
        }
    }
}

/// When each pool's books were last brought up to date: by a crank or by anybody.
fn cranks(look: &Look, now: i64) -> Markup {
    let pools = look.chain.snapshot().all::<Pool>();
    let rows: Vec<Vec<Markup>> = pools
        .map(|(key, pool)| {
            let age = now.saturating_sub(pool.accrued_at);
            vec![
                html! { a href={ "/pool/" (key) } { (say::name(&label(&pool.label))) " pool " (pool.id) } },
                html! { data value=(pool.accrued_at) data-field="accrued_at" { (text::span(age)) " ago" } },
                html! { (pool.alerts) },
            ]
        })
        .collect();
    html! {
        section aria-labelledby="cranks" {
            h2 id="cranks" { "Cranks seen" }
            p { "Anybody may turn the crank: show prices, settle exits, pay covers. Nobody must, so look whether somebody does." }
            @if rows.is_empty() { p { "There are no pools." } } @else {
                (chart::listing("When each pool was last worked on", &["Pool", "Last step", "Alerts"], &rows))
            }
        }
    }
}

fn program(look: &Look) -> Markup {
    html! {
        section aria-labelledby="program" {
            h2 id="program" { "Program" }
            @match &look.reading.program {
                Program::Unread => p.note { "It was not read yet." },
                Program::Failed(why) => p.alarm { "The program was not read: " (why) "." },
                Program::Incomparable => p.alarm { "The program is not deployed by the upgradeable loader: it cannot be compared." },
                Program::Compared(report) => {
                    p {
                        @if report.same { strong.good { "Verified: " } "the deployed program is the one that this page was built with." }
                        @else { strong.bad { "Another program is deployed " } "than the one that this page was built with." }
                    }
                    (say::facts(&[
                        ("Program", say::address(&report.program)),
                        ("Deployed sha-256", say::hash("deployed_sha256", &report.deployed_sha256)),
                        ("Expected sha-256", say::hash("expected_sha256", &report.expected_sha256)),
                        ("Deployed in slot", say::count("slot", report.slot)),
                        ("Can be replaced by", html! { @match &report.upgrade_authority { Some(key) => (say::address(key)), None => "nobody" } }),
                        ("Published IDL", html! { (report.idl) }),
                    ]))
                }
            }
        }
    }
}

fn roles(look: &Look, now: i64) -> Markup {
    let Some((_, protocol)) = look.chain.snapshot().all::<Protocol>().next() else {
        return html! { p.note { "No protocol is set up on this cluster." } };
    };
    let shown = ProtocolReport::of(&protocol, now);
    let until = |paused: bool| {
        html! {
            @match shown.paused_until.filter(|_| paused) {
                Some(until) => { (say::badge("paused", "paused")) " until " (text::moment_from(until, now)) }
                None => (say::badge("paused", "open")),
            }
        }
    };
    html! {
        section aria-labelledby="roles" {
            h2 id="roles" { "Roles and pause" }
            (say::facts(&[
                ("Deposits", until(shown.deposits_paused)),
                ("Purchases", until(shown.purchases_paused)),
                ("Pauses left", html! { (shown.pauses_left) " of 3 in seven days" }),
                ("Governance", say::address(&shown.governance)),
                ("Guardian", say::address(&shown.guardian)),
                ("Risk keeper", say::address(&shown.risk_keeper)),
            ]))
        }
    }
}

/// Where the history stands, and what is missing in it.
fn index(look: &Look, now: i64) -> Markup {
    let past = look.past(|database| {
        Ok((database.newest()?, database.complete_at()?, database.event_count()?, database.gaps()?, database.unread()?))
    });
    let quiet = silence(&past);
    html! {
        section aria-labelledby="index" {
            h2 id="index" { "History" }
            (quiet)
            @if let Some((newest, complete_at, events, gaps, unread)) = past.known() {
                @if gaps.is_empty() && unread.is_empty() { p { strong.good { "Whole: " } "nothing is known to be missing." } }
                (say::facts(&[
                    ("Newest", html! { @match &newest { Some(newest) => { (text::moment_from(newest.time, now)) ", slot " (text::thousands(newest.slot)) }, None => "nothing was read yet" } }),
                    ("Nothing newer as of", html! { @match complete_at { Some(at) => { (text::moment(at)) ", by this machine's clock" }, None => "it was not read to its end yet" } }),
                    ("Events", say::count("events", events)),
                ]))
                @if !gaps.is_empty() {
                    p.alarm { strong { "Events are missing. " } "Until they are repaired, what is shown of these pools' history may be wrong. " (say::command("backstop index repair")) }
                    (chart::listing("Missing events", &["Pool", "From", "To", "Found"], &gaps.iter().map(|gap| vec![
                        say::short(&gap.pool.to_string()),
                        say::count("gaps.first", gap.first),
                        say::count("gaps.last", gap.last),
                        html! { (text::moment(gap.found_at)) },
                    ]).collect::<Vec<_>>()))
                }
                @if !unread.is_empty() { p.alarm { (unread.len()) " transactions were listed and not given by the node." } }
            }
        }
    }
}
