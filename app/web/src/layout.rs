//! What is around every page: head, menu, how old it is, and the foot.

use crate::chain::Reading;
use crate::sign::forms;
use backstop_client::text;
use maud::{DOCTYPE, Markup, html};

/// The pages of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Pools and products.
    Home,
    /// Reinsurance.
    Reinsurance,
    /// Incidents.
    Incidents,
    /// What begins when.
    Announcements,
    /// How the protocol and this page are.
    Status,
    /// A page that is not in the menu.
    Elsewhere,
}

impl Place {
    const MENU: [(Self, &'static str, &'static str); 5] = [
        (Self::Home, "/", "Pools"),
        (Self::Reinsurance, "/reinsurance", "Reinsurance"),
        (Self::Incidents, "/incidents", "Incidents"),
        (Self::Announcements, "/announcements", "Announcements"),
        (Self::Status, "/status", "Status"),
    ];
}

/// A page on what was read of the chain.
pub fn page(title: &str, place: Place, reading: &Reading, body: Markup) -> Markup {
    shell(title, place, age(reading), body)
}

/// A page that says nothing of the chain.
pub fn bare(title: &str, body: Markup) -> Markup {
    shell(title, Place::Elsewhere, html! {}, body)
}

/// How old what a page shows is, and why it is not newer.
fn age(reading: &Reading) -> Markup {
    let seconds = i64::try_from(reading.age().as_secs()).unwrap_or(i64::MAX);
    html! {
        p.age { "As of " (text::date_time(reading.snapshot.now)) " UTC on the chain, read " (text::span(seconds)) " ago." }
        @if let Some(failure) = &reading.failure {
            @let since = i64::try_from(failure.since.elapsed().as_secs()).unwrap_or(i64::MAX);
            p.alarm role="alert" {
                strong { "This is old. " }
                "The node has not answered for " (text::span(since)) ": " (failure.why) "."
            }
        }
    }
}

fn shell(title: &str, place: Place, age: Markup, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · Backstop" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="/favicon.ico" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
            }
            body {
                a.skip href="#content" { "Skip to content" }
                header {
                    a.brand href="/" { "Backstop" }
                    nav aria-label="Main" {
                        ul {
                            @for (of, path, name) in Place::MENU {
                                li { a href=(path) aria-current=[(of == place).then_some("page")] { (name) } }
                            }
                        }
                    }
                    (forms::wallet())
                }
                main id="content" tabindex="-1" {
                    (age)
                    (body)
                }
                footer {
                    p {
                        "Every number here is what " code { "backstop … --output json" } " prints. This page holds no key of yours and no \
                         money, and reads one node. Nothing on it is a promise: what a pool cannot pay, it does not pay."
                    }
                }
            }
        }
    }
}
