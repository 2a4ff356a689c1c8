//! Numbers, times, addresses and names from the chain as they stand on pages.
//!
//! Each number that a command prints as JSON carries it, in its smallest units, in the value of its element, and the
//! field's name in `data-field`: whoever compares a page with a command needs no guess.

use backstop_client::text;
use maud::{Markup, html};

/// Most letters of a name from the chain.
const MOST_LETTERS: usize = 96;

/// How amounts of an asset are told.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its decimals.
    pub decimals: u8,
    /// Its name, as the pool's governance wrote it, made harmless.
    pub label: String,
}

impl Asset {
    /// An asset by its decimals and what its pool calls it.
    pub fn new(decimals: u8, label: &str) -> Self {
        Self { decimals, label: harmless(label) }
    }

    /// An amount in words: cut to hundredths, and exact if it is less than one.
    pub fn text(&self, units: u64) -> String {
        format!("{} {}", self.short(units), self.label)
    }

    /// The same without the asset's name.
    pub fn short(&self, units: u64) -> String {
        let hundredth = 10u64.checked_pow(u32::from(self.decimals).saturating_sub(2)).unwrap_or(u64::MAX);
        let is_small = units > 0 && units < hundredth;
        if is_small { text::tidy_amount(units, self.decimals) } else { text::amount(units, self.decimals) }
    }

    /// An amount in words, exact.
    pub fn exact(&self, units: u64) -> String {
        format!("{} {}", text::tidy_amount(units, self.decimals), self.label)
    }

    /// An amount that a command prints in a field. The element's value is exact.
    pub fn amount(&self, field: &str, units: u64) -> Markup {
        html! { data.number value=(units) data-field=(field) { (self.short(units)) " " bdi { (self.label) } } }
    }
}

/// A part in basis points that a command prints in a field.
pub fn part(field: &str, bps: u64) -> Markup {
    html! { data.number value=(bps) data-field=(field) { (text::percent(bps)) } }
}

/// A rate in parts per billion that a command prints in a field.
pub fn rate(field: &str, ppb: u64) -> Markup {
    html! { data.number value=(ppb) data-field=(field) { (text::rate(ppb)) } }
}

/// A price in 1e-8 that a command prints in a field.
pub fn price(field: &str, price_e8: u64) -> Markup {
    html! { data.number value=(price_e8) data-field=(field) { (text::exact_price(price_e8)) } }
}

/// A whole number that a command prints in a field.
pub fn count(field: &str, number: u64) -> Markup {
    html! { data.number value=(number) data-field=(field) { (text::thousands(number)) } }
}

/// A text that a command prints in a field.
pub fn word(field: &str, says: &str) -> Markup {
    html! { data value=(says) data-field=(field) { bdi { (harmless(says)) } } }
}

/// A time, with how far away it is.
pub fn moment(field: &str, unix: i64, now: i64) -> Markup {
    html! { data value=(unix) data-field=(field) { (text::moment_from(unix, now)) } }
}

/// An address in full, which breaks where it must.
pub fn address(text: &str) -> Markup {
    html! { code.address translate="no" { (text) } }
}

/// A hash that a command prints in a field.
pub fn hash(field: &str, hex: &str) -> Markup {
    html! { data value=(hex) data-field=(field) { (address(hex)) } }
}

/// An address in short, with all of it for whoever points at it.
pub fn short(text: &str) -> Markup {
    let cut = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let length = text.len();
    html! {
        @if length > 12 { code.short title=(text) translate="no" { (cut(0..4)) "…" (cut(length - 4..length)) } }
        @else { code translate="no" { (harmless(text)) } }
    }
}

/// A name from the chain, kept apart from the text around it.
pub fn name(text: &str) -> Markup {
    html! { bdi { (harmless(text)) } }
}

/// A state, as a badge.
pub fn badge(field: &str, state: &str) -> Markup {
    let kind = match state {
        "selling" | "quiet" | "in-force" | "paid" | "open" | "final" | "active" => "good",
        "breaching" | "met" | "triggered" | "growing" | "claim" | "frozen" | "run-off" | "paused" => "alert",
        _ => "plain",
    };
    html! { data class={ "badge " (kind) } value=(state) data-field=(field) { (state) } }
}

/// That a product is armed, as a badge, with until when.
pub fn armed(until: i64) -> Markup {
    html! { data class="badge alert" value=(until) data-field="armed_until" { "armed" } }
}

/// A text from the chain without what could play with the text around it: no control characters, none that turns the
/// direction of writing or is not seen, and not too long. Escaping is maud's.
pub fn harmless(text: &str) -> String {
    let text = seen(text);
    match text.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => text.get(..end).unwrap_or_default().trim().to_owned() + "…",
        None => text.trim().to_owned(),
    }
}

/// A text with names from the chain in it, without control characters and what turns the direction of writing or is not
/// seen. It keeps its length.
pub fn seen(text: &str) -> String {
    let is_unseen = |letter: &char| {
        letter.is_control()
            || matches!(letter, '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
    };
    text.chars().filter(|letter| !is_unseen(letter)).collect()
}

/// Rows of a name and a value.
pub fn facts(rows: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in rows { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// A command that does the same.
pub fn command(text: &str) -> Markup {
    html! { code.command translate="no" { (harmless_line(text)) } }
}

fn harmless_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_plays_with_the_text_around_it_is_taken_out() {
        assert_eq!(harmless("US\u{202E}DC\u{0007}\n"), "USDC");
        assert_eq!(harmless("a\u{200B}b\u{2066}c\u{FEFF}"), "abc");
        assert_eq!(harmless(&"x".repeat(10_000)).chars().count(), MOST_LETTERS + 1);
        assert_eq!(harmless("<script>"), "<script>", "which maud escapes");
        assert!(name("<script>").into_string().contains("&lt;script&gt;"));
    }

    #[test]
    fn a_short_address_keeps_its_ends() {
        assert!(short("11111111111111111111111111111112").into_string().contains("1111…1112"));
        assert!(!short("größer, zwölf").into_string().is_empty(), "and letters of several bytes are no panic");
    }
}
