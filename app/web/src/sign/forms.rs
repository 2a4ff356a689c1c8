//! The forms on pages: what a visitor can do there, if a wallet signs it.
//!
//! Every form can be read without a script, and says the command that does the same. The script adds the way to a wallet:
//! it finds forms by `data-act`, sends their fields to [`super::routes`], and shows what comes back.

use crate::chain::Frozen;
use crate::say;
use anchor_lang::prelude::Pubkey;
use backstop::state::{Access, CoverRequest, Policy, Product, ProductState, get_text};
use backstop_client::act::{Hinted, Quoted, ask};
use backstop_client::quote::Market;
use backstop_client::units::{Amount, whole};
use backstop_client::view::cover::Standing;
use backstop_client::view::report::TicketRow;
use backstop_client::view::{self, OpenCover, OpenPool, OpenPosition, OpenProduct};
use maud::{Markup, html};
use std::collections::HashMap;

/// A form that a wallet signs: its act, its name, its fields, and the command that does the same.
fn form(act: &str, label: &str, fields: Markup, command: &str) -> Markup {
    let button = if ["deposit", "leave"].contains(&act) { "Preview and sign" } else { label };
    html! {
        form.act data-act=(act) aria-label=(label) {
            (fields)
            (to_sign(button, command))
        }
    }
}

/// What the script adds a wallet to.
fn to_sign(label: &str, command: &str) -> Markup {
    html! {
        button type="button" data-go hidden { (label) }
        p.command { "By the command line: " code { (command) } }
        div data-preview tabindex="-1" role="group" aria-label="What you sign" hidden {}
        p data-status role="status" {}
    }
}

/// A field with its label.
fn field(id: &str, label: &str, input: Markup, help: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            (input)
            @if !help.is_empty() { small id=(format!("{id}-help")) { (help) } }
        }
    }
}

/// A quote that a visitor asked for, by the page's query.
struct Wanted<'a> {
    sum: &'a str,
    days: &'a str,
}

impl<'a> Wanted<'a> {
    fn of(query: &'a HashMap<String, String>) -> Option<Self> {
        Some(Self { sum: query.get("sum")?.trim(), days: query.get("days")?.trim() })
    }

    /// The quote, or why there is none.
    fn quote(&self, open: &OpenProduct, market: &Market, now: i64) -> Result<Quoted, Hinted> {
        let wrong = |sentence: String| Hinted::misused(sentence, "");
        let sum: Amount = self.sum.parse().map_err(wrong)?;
        let sum_insured = sum.units(open.pool.decimals).map_err(wrong)?;
        let term_days = whole(self.days).ok_or_else(|| wrong("the term is a whole number of days".into()))?;
        let quote = ask(market, CoverRequest { sum_insured, term_days }, now)?;
        Ok(Quoted::new(&open.keys, market, term_days, &quote))
    }
}

/// Whether a product sells, or will.
fn sells(product: &Product) -> bool {
    product.state() == ProductState::Selling
}

/// On a product's page: to buy a cover. `query` is the page's own.
pub fn buy(chain: &Frozen, product: &Pubkey, query: &HashMap<String, String>) -> Markup {
    let Ok(open) = OpenProduct::read(chain, *product) else { return html! {} };
    let heading = html! { h2 id="buy" { "Buy cover" } };
    let market = match Market::fetch(chain, &open.keys) {
        Ok(market) if sells(&market.product) => market,
        _ => return html! { (heading) p { "Nothing is sold of this product now." } },
    };
    let label = say::harmless(get_text(&open.pool.state.label));
    let terms = &market.product.terms;
    let wanted = Wanted::of(query);
    let quoted = wanted.as_ref().map(|wanted| wanted.quote(&open, &market, chain.time()));
    let (sum, days) = wanted.as_ref().map_or(("", ""), |wanted| (wanted.sum, wanted.days));
    let days = if days.is_empty() {
        terms.min_term_days.max(30).min(terms.max_term_days).to_string()
    } else {
        days.to_owned()
    };
    let term = format!("{} to {} days; it begins after the waiting time", terms.min_term_days, terms.max_term_days);
    let is_position = query.get("kind").is_some_and(|kind| kind == "position");
    let noun = if is_position { "position" } else { "cover" };
    let command = match &quoted {
        Some(Ok(_)) => format!("backstop {noun} buy {product} {} --days {days}", sum.replace(',', "")),
        _ => format!("backstop {noun} buy {product} SUM --days {days}"),
    };
    html! {
        section aria-labelledby="buy" {
            (heading)
            form.act data-act="buy" method="get" action="#buy" aria-labelledby="buy" {
                input type="hidden" name="product" value=(product);
                (field("buy-sum", &format!("Sum insured, in {label}"), html! {
                    input id="buy-sum" name="sum" inputmode="decimal" autocomplete="off" required value=(sum)
                        aria-describedby="buy-sum-help" placeholder="1000";
                }, "What is paid at most if the event happens."))
                (field("buy-days", "Days of protection", html! {
                    input id="buy-days" name="days" type="number" inputmode="numeric" required value=(days)
                        min=(terms.min_term_days) max=(terms.max_term_days) aria-describedby="buy-days-help";
                }, &term))
                fieldset {
                    legend { "What you get" }
                    @for (kind, text, checked) in [
                        ("cover", "A cover: an NFT, which can be given away or sold with the claim", !is_position),
                        ("position", "A position: no NFT, less rent; it stays with your wallet", is_position),
                    ] {
                        @let id = format!("buy-{kind}");
                        p { input type="radio" id=(id) name="kind" value=(kind) checked[checked]; " " label for=(id) { (text) } }
                    }
                }
                button type="submit" { "Show the price" }
                @match &quoted {
                    Some(Ok(quoted)) => {
                        h3 { "The price now" }
                        dl.quote {
                            @for (name, value) in quoted.rows(&market) { dt { (name) } dd { (say::seen(&value)) } }
                        }
                        h3 { "Not covered" }
                        ul { @for text in view::product::not_covered_of(&market.trigger, terms) { li { (text) } } }
                    }
                    Some(Err(why)) => {
                        p.alarm role="alert" {
                            strong { "Not for sale so: " } (say::seen(&why.sentence)) "."
                            @if !why.hint.is_empty() && !why.hint.contains('`') { " " (say::seen(&why.hint)) "." }
                        }
                    }
                    None => {}
                }
                (to_sign("Preview and sign", &command))
            }
        }
    }
}

/// A choice of the tranche.
fn tranches(group: &str) -> Markup {
    html! {
        fieldset {
            legend { "Tranche" }
            @for (name, text, checked) in [
                ("senior", "Senior: loses last, earns less", true),
                ("junior", "Junior: loses first, can be lost entirely, earns more", false),
            ] {
                @let id = format!("{group}-{name}");
                p { input type="radio" id=(id) name="tranche" value=(name) checked[checked]; " " label for=(id) { (text) } }
            }
        }
    }
}

/// On a pool's page: to stake and to leave.
pub fn stake(chain: &Frozen, pool: &Pubkey, query: &HashMap<String, String>) -> Markup {
    let Ok(open) = OpenPool::read(chain, *pool) else { return html! {} };
    let label = say::harmless(get_text(&open.state.label));
    let amount = query.get("amount").map(String::as_str).unwrap_or_default();
    html! {
        section aria-labelledby="stake" {
            h2 id="stake" { "Stake" }
            @if open.state.access() == Access::Open {
                (form("deposit", "Stake", html! {
                    input type="hidden" name="pool" value=(pool);
                    (field("stake-amount", &format!("Amount, in {label}"), html! {
                        input id="stake-amount" name="amount" inputmode="decimal" autocomplete="off" required value=(amount)
                            aria-describedby="stake-amount-help" placeholder="1000";
                    }, "Capital that pays claims, and earns premium for it. It can be lost."))
                    (tranches("stake"))
                }, &format!("backstop pool deposit {pool} AMOUNT --tranche senior")))
            } @else {
                p { "Not everybody may deposit here: whoever keeps this pool's list of depositors signs with them." }
            }
        }
        section aria-labelledby="leave" {
            h2 id="leave" { "Leave" }
            (form("leave", "Leave", html! {
                input type="hidden" name="pool" value=(pool);
                (field("leave-amount", &format!("Shares worth so much, in {label}"), html! {
                    input id="leave-amount" name="amount" inputmode="decimal" autocomplete="off"
                        aria-describedby="leave-amount-help" placeholder="all";
                }, "Empty: all of them. The tickets of a wallet, to take what was paid or to stay, are on its own page."))
                (tranches("leave"))
            }, &format!("backstop pool exit request {pool} --tranche senior --all")))
        }
    }
}

/// On a holder's page, beside a cover: to be paid, to cancel, to close.
pub fn on_cover(chain: &Frozen, cover: &Pubkey) -> Markup {
    let Ok(OpenCover { state, product, .. }) = OpenCover::find(chain, *cover) else { return html! {} };
    let Ok(market) = Market::fetch(chain, &product.keys) else { return html! {} };
    let now = chain.time();
    let books = market.up_to_date(now);
    let standing = Standing::of(&state, &books.product, &market.trigger, now);
    let (act, label, command) = match standing {
        Standing::Claim => ("settle", "Be paid", "incident settle"),
        Standing::Waiting | Standing::InForce => ("cancel", "Give it back", "cover cancel"),
        Standing::Paid | Standing::Ended => ("close", "Close it", "cover close"),
        Standing::Ending => return html! {},
    };
    let fields = html! { input type="hidden" name="cover" value=(cover); };
    html! {
        (form(act, label, fields, &format!("backstop {command} {cover}")))
        (on_policy(cover, &state, standing, &say::harmless(get_text(&product.pool.state.label)), "cover"))
    }
}

/// Beside a cover or position, what can be done with either: split it, put a lien on it, have the payee of a lien paid.
/// While a lien is on it nothing of it becomes less, and whoever the lien pays lifts it on a page of his own.
fn on_policy(address: &Pubkey, policy: &Policy, standing: Standing, label: &str, noun: &str) -> Markup {
    let fields = || html! { input type="hidden" name="policy" value=(address); };
    let live = matches!(standing, Standing::Waiting | Standing::InForce);
    let (part, payee, limit) = (format!("part-{address}"), format!("payee-{address}"), format!("limit-{address}"));
    html! {
        @if policy.has_lien {
            p { "A lien is on it: somebody else is paid first for its loss, up to a limit, and lifts it. "
                code { "backstop lien show " (address) } }
            @if standing == Standing::Claim {
                (form("settle-lien", "Have the payee paid", fields(), &format!("backstop lien settle {address}")))
            }
        } @else {
            @if live {
                (form("split", "Split it", html! {
                    (fields())
                    (field(&part, &format!("Sum insured of the part, in {label}"), html! {
                        input id=(part) name="sum" inputmode="decimal" autocomplete="off" required
                            aria-describedby={ (part) "-help" };
                    }, &format!("The part becomes a {noun} of its own, with its part of the premium.")))
                }, &format!("backstop {noun} split {address} SUM")))
            }
            @if live || standing == Standing::Claim {
                (form("set-lien", "Put a lien on it", html! {
                    (fields())
                    (field(&payee, "Token account that is paid first", html! {
                        input id=(payee) name="payee" autocomplete="off" spellcheck="false" required
                            aria-describedby={ (payee) "-help" };
                    }, "Of the pool's asset. From then on only whose it is can lift the lien."))
                    (field(&limit, &format!("At most, in {label}"), html! {
                        input id=(limit) name="limit" inputmode="decimal" autocomplete="off" placeholder="all"
                            aria-describedby={ (limit) "-help" };
                    }, "Empty: whatever is paid for the loss."))
                }, &format!("backstop lien set {address} TOKEN_ACCOUNT")))
            }
        }
    }
}

/// On a holder's page, beside a lien that pays it: to lower it, to lift it.
pub fn on_lien(policy: &Pubkey, label: &str) -> Markup {
    let fields = || html! { input type="hidden" name="policy" value=(policy); };
    let id = format!("lower-{policy}");
    html! {
        (form("lower-lien", "Lower it", html! {
            (fields())
            (field(&id, &format!("At most from now on, in {label}"), html! {
                input id=(id) name="limit" inputmode="decimal" autocomplete="off" required aria-describedby={ (id) "-help" };
            }, "A limit is only lowered."))
        }, &format!("backstop lien lower {policy} LIMIT")))
        (form("lift-lien", "Lift it", fields(), &format!("backstop lien lift {policy}")))
    }
}

/// On a holder's page, beside a position: to be paid, to cancel, to close, and whom it pays.
pub fn on_position(chain: &Frozen, position: &Pubkey) -> Markup {
    let Ok(OpenPosition { state, product, .. }) = OpenPosition::read(chain, *position) else { return html! {} };
    let Ok(market) = Market::fetch(chain, &product.keys) else { return html! {} };
    let now = chain.time();
    let standing = Standing::of(&state, &market.up_to_date(now).product, &market.trigger, now);
    let fields = || html! { input type="hidden" name="position" value=(position); };
    let (act, label, verb) = match standing {
        Standing::Claim => ("settle-position", "Be paid", "settle"),
        Standing::Waiting | Standing::InForce => ("cancel-position", "Give it back", "cancel"),
        Standing::Paid | Standing::Ended => ("close-position", "Close it", "close"),
        Standing::Ending => return html! {},
    };
    let label_of_asset = say::harmless(get_text(&product.pool.state.label));
    html! {
        (form(act, label, fields(), &format!("backstop position {verb} {position}")))
        (on_policy(position, &state, standing, &label_of_asset, "position"))
        @if standing == Standing::InForce {
            @let id = format!("extend-{position}");
            (form("extend-position", "Extend it", html! {
                (fields())
                (field(&id, "Days beyond its end", html! {
                    input id=(id) name="days" type="number" inputmode="numeric" min="1" required aria-describedby={ (id) "-help" };
                }, "At the price of now. Only as long as cover that is bought now would begin before the end."))
            }, &format!("backstop position extend {position} --days DAYS")))
        }
        @if matches!(standing, Standing::InForce | Standing::Waiting) && !state.has_lien {
            @let id = format!("reduce-{position}");
            (form("reduce-position", "Give a part back", html! {
                (fields())
                (field(&id, &format!("Sum that stays insured, in {label_of_asset}"), html! {
                    input id=(id) name="left" inputmode="decimal" autocomplete="off" required aria-describedby={ (id) "-help" };
                }, "Of the rest the unearned premium comes back, less the fee."))
            }, &format!("backstop position reduce {position} SUM")))
            (form("position-to-nft", "Make it a cover with an NFT", fields(), &format!("backstop position to-nft {position}")))
        }
        @if !matches!(standing, Standing::Paid | Standing::Ended) {
            @let id = format!("redirect-{position}");
            (form("redirect", "Name another account", html! {
                (fields())
                (field(&id, "Token account that is paid", html! {
                    input id=(id) name="beneficiary" autocomplete="off" spellcheck="false" required
                        aria-describedby={ (id) "-help" };
                }, "Of the pool's asset; whose it is now, it must stay."))
            }, &format!("backstop position redirect {position} TOKEN_ACCOUNT")))
        }
    }
}

/// On a holder's page, beside an exit ticket: to take the money, to stay with what still waits.
pub fn on_ticket(ticket: &TicketRow) -> Markup {
    let TicketRow { ticket, open, claimable, .. } = ticket;
    let fields = || html! { input type="hidden" name="ticket" value=(ticket); };
    html! {
        @if *claimable > 0 {
            (form("claim", "Take what was paid", fields(), &format!("backstop pool exit claim {ticket}")))
        }
        @if *open > 0 {
            (form("stay", "Stay with what waits", fields(), &format!("backstop pool exit cancel {ticket}")))
        }
    }
}

/// In the head of every page: the wallet's place. Empty without a script.
pub fn wallet() -> Markup {
    html! {
        div id="wallet" hidden {
            label.hidden for="wallet-name" { "Wallet" }
            select id="wallet-name" {}
            button id="wallet-connect" type="button" { "Connect" }
            a id="wallet-mine" href="/" hidden {}
            span id="wallet-note" role="status" {}
        }
        script src="/assets/wallet.js" defer {}
    }
}
