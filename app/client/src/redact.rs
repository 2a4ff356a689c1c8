//! What may be shown: no secret key, and of a URL its scheme and host only, because the rest may hold an access key.
//!
//! | for | use |
//! |---|---|
//! | a URL in a message, a log line, a label | [`url`] |
//! | a value that should name a signer | [`secret`]: what it is, if it is the key itself |
//! | a value that is not what it should be | [`shown`] |
//! | any text from elsewhere: an error of a library, an answer, a line of a file | [`text`], or [`Redacting`] for a stream |

use base64::Engine;
use solana_sdk::bs58;
use solana_sdk::signature::Keypair;
use std::borrow::Cow;
use std::io::{self, Write};

/// What stands where something was taken out.
pub const HIDDEN: &str = "(hidden: it looks like a secret key)";
/// Numbers in a row that are taken for the bytes of a key.
const BYTES_IN_A_ROW: usize = 16;
/// Words that a seed phrase has at least.
const LEAST_WORDS: usize = 12;

/// A URL as it may be shown: scheme, host and port. User, password, path, query and fragment may hold keys.
pub fn url(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let name = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._:[]%".contains(letter));
    if name(host) && name(scheme.trim_end_matches("://")) && secret(host).is_none() {
        format!("{scheme}{host}")
    } else {
        "(hidden: it is no URL)".into()
    }
}

/// What a value is, if it is a secret key itself and not what names one: numbers of a keypair file, a key in base58,
/// hexadecimal digits or base64, a seed phrase.
///
/// The 32 bytes of a private key in base58 cannot be told from an address: they are not recognised.
pub fn secret(value: &str) -> Option<&'static str> {
    let value = value.trim().trim_matches(['"', '\'']).trim();
    if let Some((scheme, rest)) = value.split_once(':')
        && ["prompt", "file", "stdin"].contains(&scheme)
    {
        return secret(rest.trim_start_matches('/').trim_start_matches('?'));
    }
    let digits = value.strip_prefix("0x").unwrap_or(value);
    let all = |allowed: fn(char) -> bool| !digits.is_empty() && digits.chars().all(allowed);
    if numbers(value) >= BYTES_IN_A_ROW {
        Some("the numbers of a keypair file")
    } else if all(|digit| digit.is_ascii_hexdigit()) && digits.len() >= 64 {
        Some("a secret key in hexadecimal digits")
    } else if value.len() >= 80 && value.len() <= 96 && value.chars().all(is_base58) {
        Some("a secret key in base58")
    } else if value.len() >= 80 && value.len() <= 96 && !value.contains(['.', '-']) && value.chars().all(is_base64) {
        Some("a secret key in base64")
    } else if words(value) >= LEAST_WORDS {
        Some("a seed phrase")
    } else {
        None
    }
}

/// A value in quotes, as it may be shown: what looks like a key is not, and what is long is cut off.
pub fn shown(value: &str) -> String {
    const MOST: usize = 80;
    let clean = text(value);
    if secret(value).is_some() {
        return HIDDEN.into();
    }
    match clean.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}...`", &clean[..end]),
        None => format!("`{clean}`"),
    }
}

/// How many numbers below 256 a text is, if it is nothing else. A key that was cut off ends without its bracket.
fn numbers(value: &str) -> usize {
    let value = value.trim_start_matches('[').trim_end_matches(']');
    let parts = value.split([',', ' ', '\n', '\t', '\r']).filter(|part| !part.is_empty());
    let mut count = 0;
    for part in parts {
        if part.parse::<u8>().is_err() {
            return 0;
        }
        count += 1;
    }
    count
}

/// How many words of small letters a text is, if it is nothing else.
fn words(value: &str) -> usize {
    let word = |word: &str| (3..=8).contains(&word.len()) && word.chars().all(|letter| letter.is_ascii_lowercase());
    let mut words = value.split_whitespace();
    if words.all(word) { value.split_whitespace().count() } else { 0 }
}

fn is_base58(letter: char) -> bool {
    letter.is_ascii_alphanumeric() && !"0OIl".contains(letter)
}

fn is_base64(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "+/=".contains(letter)
}

/// A text with its secret keys and the keys in its URLs taken out. Signatures, addresses and feed ids stay: a key is
/// known by its public half, which it ends with.
pub fn text(text: &str) -> Cow<'_, str> {
    let (mut shown, mut rest) = (String::new(), text);
    let mut changed = false;
    while !rest.is_empty() {
        let (taken, instead) = piece(rest);
        changed |= instead.is_some();
        match instead {
            Some(instead) => shown.push_str(&instead),
            None => shown.push_str(&rest[..taken]),
        }
        rest = &rest[taken..];
    }
    if changed { shown.into() } else { text.into() }
}

/// The length of the piece that a text begins with, and what is shown in its place.
fn piece(text: &str) -> (usize, Option<String>) {
    let run = |allowed: fn(char) -> bool| text.find(|letter| !allowed(letter)).unwrap_or(text.len());
    let first = text.chars().next().unwrap_or_default();
    if first == '[' || first.is_ascii_digit() {
        let list = run(|letter| letter.is_ascii_digit() || "[], \n\r\t".contains(letter));
        if numbers(&text[..list]) >= BYTES_IN_A_ROW {
            return (text[..list].trim_end().len(), Some(HIDDEN.into()));
        }
    }
    let scheme = run(|letter| letter.is_ascii_alphabetic());
    if ["http", "https", "ws", "wss"].contains(&text[..scheme].to_ascii_lowercase().as_str())
        && text[scheme..].starts_with("://")
    {
        let end =
            text.find(|letter: char| letter.is_whitespace() || "\"'`<>{}|^".contains(letter)).unwrap_or(text.len());
        let whole = text[..end].trim_end_matches([',', '.', ';', ':', ')', '!']);
        let short = url(whole);
        return (whole.len(), (short != whole.trim_end_matches('/')).then_some(short));
    }
    let word = run(is_base64);
    if is_key(&text[..word]) {
        return (word, Some(HIDDEN.into()));
    }
    (run(|letter| letter.is_ascii_alphanumeric()).max(first.len_utf8()), None)
}

/// Whether a word is the 64 bytes of a key: the private half and the public one that belongs to it.
fn is_key(word: &str) -> bool {
    let hex = || crate::units::hex_bytes(word);
    let base64 = || base64::engine::general_purpose::STANDARD.decode(word).ok();
    let bytes = match word.len() {
        128 => hex(),
        80..=90 => bs58::decode(word).into_vec().ok().filter(|bytes| bytes.len() == 64).or_else(base64),
        _ => None,
    };
    bytes.is_some_and(|bytes| Keypair::try_from(bytes.as_slice()).is_ok())
}

/// A stream that shows of what is written to it, whole lines at a time, what [`text`] leaves.
pub struct Redacting<W: Write>(pub W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(text(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_sdk::signer::Signer;

    fn key() -> Keypair {
        Keypair::new_from_array([7; 32])
    }

    /// A key in every way that it is written down.
    fn written() -> Vec<String> {
        let bytes = key().to_bytes();
        vec![
            format!("{bytes:?}"),
            format!("{bytes:?}").replace(' ', ""),
            key().to_base58_string(),
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            base64::engine::general_purpose::STANDARD.encode(bytes),
        ]
    }

    #[test]
    fn of_a_url_scheme_and_host_are_shown() {
        for (whole, shown) in [
            ("https://rpc.example", "https://rpc.example"),
            ("https://rpc.example/", "https://rpc.example"),
            ("https://rpc.example:8443/v2/abc123?api-key=s3cret#x", "https://rpc.example:8443"),
            ("https://rpc.example?api-key=s3cret", "https://rpc.example"),
            ("https://rpc.example#s3cret", "https://rpc.example"),
            ("https://user:p@ss@rpc.example/x", "https://rpc.example"),
            ("https://[::1]:8899/k", "https://[::1]:8899"),
            ("rpc.example/s3cret", "rpc.example"),
            ("user:pass@rpc.example", "rpc.example"),
            ("what is this", "(hidden: it is no URL)"),
        ] {
            assert_eq!(url(whole), shown, "{whole}");
        }
        for key in written() {
            assert!(url(&key).starts_with("(hidden"), "{}", url(&key));
        }
    }

    #[test]
    fn a_key_in_the_place_of_a_name_is_known_in_every_form() {
        for key in written() {
            assert!(secret(&key).is_some());
            assert!(secret(&format!("  \"{key}\"\n")).is_some());
            assert!(secret(&format!("prompt://{key}")).is_some() && secret(&format!("file:{key}")).is_some());
        }
        let phrase = "pill tomorrow foster begin walnut borrow virtual kick shift mutual shoe scatter";
        assert_eq!(secret(phrase), Some("a seed phrase"));
        let cut = &written()[1][..100];
        assert_eq!(secret(cut), Some("the numbers of a keypair file"), "a part of it too");
        for name in [
            "id.json",
            "/home/me/.config/solana/a-quite-long-name-of-a-folder/and-another-one/which-makes-it-eighty/id.json",
            "usb://ledger?key=0/1",
            "prompt://?key=0/0",
            "-",
            "ASK",
            &key().pubkey().to_string(),
            "1000",
            "1,000",
        ] {
            assert_eq!(secret(name), None, "{name}");
        }
    }

    #[test]
    fn texts_lose_keys_and_what_urls_hide_and_nothing_else() {
        for key in written() {
            let told = format!("cannot open `{key}`: no such file, tried key={key}");
            let shown = text(&told).into_owned();
            assert!(!shown.contains(&key) && shown.matches(HIDDEN).count() == 2, "{shown}");
            assert!(shown.starts_with("cannot open `") && shown.contains("`: no such file, tried key="), "{shown}");
        }
        let told = "error sending request for url (https://u:p@rpc.example/k3y?api-key=1), see http://a.example/x.";
        assert_eq!(text(told), "error sending request for url (https://rpc.example), see http://a.example.");
        let signature = key().sign_message(b"x").to_string();
        let address = key().pubkey();
        let feed = "ab".repeat(32);
        for kept in [
            format!("sent {signature} to {address}, feed {feed}"),
            "1,000.5 of 12, 13, 14 and 15".into(),
            "http://localhost:8899 does not answer".into(),
            "a word, é, 漢字, and a/path/id.json".into(),
            String::new(),
        ] {
            assert_eq!(text(&kept), kept);
            assert!(matches!(text(&kept), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn values_are_shown_in_quotes_and_not_at_any_length() {
        assert_eq!(shown("1,5"), "`1,5`");
        assert_eq!(shown("https://rpc.example/k3y"), "`https://rpc.example`");
        assert_eq!(shown(&"\u{e9}.".repeat(100)), format!("`{}...`", "\u{e9}.".repeat(40)));
        for key in written() {
            assert_eq!(shown(&key), HIDDEN);
        }
    }

    #[test]
    fn a_stream_is_read_the_same_way() {
        let mut lines = Vec::new();
        writeln!(Redacting(&mut lines), "url=https://rpc.example/k3y").expect("it is a vector");
        assert_eq!(String::from_utf8(lines).expect("UTF-8"), "url=https://rpc.example\n");
    }
}
