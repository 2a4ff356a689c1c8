//! The configuration file of the solana command line, which other commands of Solana share: five texts and labels of
//! addresses, in YAML.
//!
//! What solana writes is read, and what people write by hand in its place: comments, quotes of either kind, Windows line
//! ends, fields that are not known. What has no one meaning is refused with its line. A reason never repeats what the file
//! says: somebody may have put a key there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolanaConfig {
    /// The cluster: a URL or a name that [`url_of`] knows. Empty: mainnet.
    pub json_rpc_url: String,
    /// Where the cluster tells of events. Empty: next to `json_rpc_url`.
    pub websocket_url: String,
    /// Who signs: a keypair file, or another source that solana knows. Empty: `~/.config/solana/id.json`.
    pub keypair_path: String,
    /// Names of addresses.
    pub address_labels: BTreeMap<String, String>,
    /// How sure the cluster must be of what it says. Empty: nobody chose.
    pub commitment: String,
    /// The line that `commitment` is on, if the file has one.
    pub commitment_line: Option<usize>,
}

/// Why a configuration file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or may not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It says something that has no meaning here.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// It does not say what it must.
    #[error("it has no `{0}`")]
    Missing(&'static str),
}

/// Where the file usually is, if there is a home: `~/.config/solana/cli/config.yml`.
pub fn usual_file() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".config/solana/cli/config.yml"))
}

/// The URL of a cluster by the name that solana gives it, or the text itself.
pub fn url_of(cluster: &str) -> &str {
    match cluster {
        "m" | "mainnet-beta" => "https://api.mainnet-beta.solana.com",
        "t" | "testnet" => "https://api.testnet.solana.com",
        "d" | "devnet" => "https://api.devnet.solana.com",
        "l" | "localhost" => "http://localhost:8899",
        other => other,
    }
}

impl Default for SolanaConfig {
    fn default() -> Self {
        let keypair = std::env::home_dir().unwrap_or_default().join(".config/solana/id.json");
        Self {
            json_rpc_url: url_of("m").into(),
            websocket_url: String::new(),
            keypair_path: keypair.to_string_lossy().into_owned(),
            address_labels: [("1".repeat(32), "System Program".into())].into(),
            commitment: String::new(),
            commitment_line: None,
        }
    }
}

impl SolanaConfig {
    /// Reads a file.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::parse(&fs::read_to_string(file)?)
    }

    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut fields: BTreeMap<String, (usize, String)> = BTreeMap::new();
        let mut labels = None;
        let mut lines = Lines(text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate().peekable());
        let mut begun = false;
        while let Some((line, content)) = lines.next() {
            let marker = |mark: &str| content.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || blank(rest));
            match content {
                _ if marker("...") => break,
                _ if marker("---") && !begun => continue,
                _ if content.starts_with('%') && !begun => continue,
                _ if marker("---") => return Err(wrong(line, "a second document begins; solana's file is one")),
                _ => begun = true,
            }
            if content.starts_with([' ', '\t']) {
                return Err(wrong(line, "it is moved in, and nothing above it is open"));
            }
            let (key, value) = entry(content).map_err(|reason| wrong(line, reason))?;
            if fields.contains_key(&key) || (key == "address_labels" && labels.is_some()) {
                return Err(wrong(line, "this field is there twice"));
            }
            match key.as_str() {
                "json_rpc_url" | "websocket_url" | "keypair_path" | "commitment" => {
                    let value = scalar(value).map_err(|reason| wrong(line, format!("`{key}`: {reason}")))?;
                    if let Some(below) = lines.below() {
                        return Err(wrong(below, format!("it continues `{key}`, which is one line")));
                    }
                    fields.insert(key, (line, value));
                }
                "address_labels" => labels = Some(lines.labels(line, value)?),
                _ => {
                    lines.skip_block();
                    fields.insert(key, (line, String::new()));
                }
            }
        }
        let mut take = |name| fields.remove(name);
        let commitment = take("commitment");
        Ok(Self {
            json_rpc_url: take("json_rpc_url").ok_or(ConfigError::Missing("json_rpc_url"))?.1,
            websocket_url: take("websocket_url").unwrap_or_default().1,
            keypair_path: take("keypair_path").ok_or(ConfigError::Missing("keypair_path"))?.1,
            address_labels: labels.unwrap_or_default(),
            commitment_line: commitment.as_ref().map(|(line, _)| line + 1),
            commitment: commitment.unwrap_or_default().1,
        })
    }

    /// Writes a file, and its folder.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, self.text())
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let Self { json_rpc_url, websocket_url, keypair_path, address_labels, commitment, commitment_line: _ } = self;
        let mut text = String::from("---\n");
        for (name, value) in
            [("json_rpc_url", json_rpc_url), ("websocket_url", websocket_url), ("keypair_path", keypair_path)]
        {
            let _ = writeln!(text, "{name}: {}", quoted(value));
        }
        text.push_str(if address_labels.is_empty() { "address_labels: {}\n" } else { "address_labels:\n" });
        for (address, label) in address_labels {
            let _ = writeln!(text, "  {}: {}", quoted(address), quoted(label));
        }
        let _ = writeln!(text, "commitment: {}", quoted(commitment));
        text
    }
}

fn wrong(line: usize, reason: impl Into<String>) -> ConfigError {
    ConfigError::Line { line: line + 1, reason: reason.into() }
}

/// Whether nothing is left but spaces and a comment.
fn blank(rest: &str) -> bool {
    let trimmed = rest.trim_start();
    trimmed.is_empty() || trimmed.starts_with('#')
}

/// The lines that say something, with their numbers from 0.
struct Lines<'a>(Peekable<std::iter::Enumerate<std::str::Lines<'a>>>);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<(usize, &'a str)> {
        self.0.by_ref().find(|(_, line)| !blank(line))
    }

    fn peek(&mut self) -> Option<(usize, &'a str)> {
        while self.0.next_if(|(_, line)| blank(line)).is_some() {}
        self.0.peek().copied()
    }

    /// The number of the next line, if it is moved in.
    fn below(&mut self) -> Option<usize> {
        self.peek().filter(|(_, line)| line.starts_with([' ', '\t'])).map(|(number, _)| number)
    }

    /// Passes over what belongs to a field: lines that are moved in, and the items of a list.
    fn skip_block(&mut self) {
        while self
            .peek()
            .is_some_and(|(_, line)| line.starts_with([' ', '\t']) || line == "-" || line.starts_with("- "))
        {
            self.0.next();
        }
    }

    /// The labels that begin at a line.
    fn labels(&mut self, line: usize, value: &str) -> Result<BTreeMap<String, String>, ConfigError> {
        let mut labels = BTreeMap::new();
        if !blank(value) {
            let empty = value.trim_start().strip_prefix('{').and_then(|rest| rest.trim_start().strip_prefix('}'));
            if !empty.is_some_and(blank) || self.below().is_some() {
                return Err(wrong(line, "`address_labels`: write one address and label a line, moved in, below it"));
            }
            return Ok(labels);
        }
        let mut depth = None;
        while let Some(number) = self.below() {
            let Some((_, content)) = self.next() else { break };
            let inner = content.trim_start_matches(' ');
            if *depth.get_or_insert(content.len() - inner.len()) != content.len() - inner.len() {
                return Err(wrong(number, "it is not moved in as the labels above it are"));
            }
            let (address, label) = entry(inner).map_err(|reason| wrong(number, reason))?;
            let label = scalar(label).map_err(|reason| wrong(number, format!("the label: {reason}")))?;
            if labels.insert(address, label).is_some() {
                return Err(wrong(number, "this address has a label already"));
            }
        }
        Ok(labels)
    }
}

/// A key, and what follows its colon.
fn entry(line: &str) -> Result<(String, &str), String> {
    let without = || "it is not `field: value`".to_owned();
    let (key, rest) = match line.chars().next() {
        Some('\t') => return Err("a tab moves it in: use spaces".into()),
        Some(quote @ ('"' | '\'')) => {
            let (key, rest) = unquoted(line, quote)?;
            (key, rest.trim_start().strip_prefix(':').ok_or_else(without)?)
        }
        Some('{' | '[') => return Err("solana's file has one `field: value` a line".into()),
        _ => {
            let colon = line.match_indices(':').map(|(at, _)| at);
            let mut colon = colon.filter(|at| line[at + 1..].is_empty() || line[at + 1..].starts_with([' ', '\t']));
            let colon = colon.next().ok_or_else(without)?;
            (line[..colon].trim_end().to_owned(), &line[colon + 1..])
        }
    };
    if key.is_empty() || key.contains(" #") { Err(without()) } else { Ok((key, rest)) }
}

/// The text that a value is.
fn scalar(value: &str) -> Result<String, String> {
    let text = value.trim_start();
    if blank(value) || ["~", "null", "Null", "NULL"].contains(&cut(text)) {
        return Err("it has no value; an empty one is ''".into());
    }
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (text, rest) = unquoted(text, quote)?;
            if blank(rest) { Ok(text) } else { Err("something follows its closing quote".into()) }
        }
        Some('[' | '{') => Err("it is a list, and must be one text".into()),
        Some('|' | '>') => Err("it goes on below, and must be on one line".into()),
        Some('&' | '*' | '!' | '%' | '@' | '`' | ',' | ']' | '}') => Err("what begins so needs quotes".into()),
        _ => {
            let text = cut(text);
            let asks = ["-", "?", ":"].contains(&text) || ["- ", "? ", ": "].iter().any(|mark| text.starts_with(mark));
            if asks || text.contains(": ") || text.ends_with(':') {
                return Err("it needs quotes".into());
            }
            Ok(text.to_owned())
        }
    }
}

/// A text without quotes up to its comment.
fn cut(text: &str) -> &str {
    let comment = text.find(" #").or_else(|| text.find("\t#")).unwrap_or(text.len());
    text[..comment].trim_end()
}

/// The text between quotes, and what follows the closing one.
fn unquoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut characters = text.char_indices().skip(1).peekable();
    let mut found = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if quote == '\'' && characters.next_if(|(_, next)| *next == '\'').is_some() => found.push('\''),
            _ if character == quote => return Ok((found, &text[at + 1..])),
            '\\' if quote == '"' => {
                let escape = characters.next().map(|(_, escape)| escape);
                let digits = match escape {
                    Some('x') => 2,
                    Some('u') => 4,
                    Some('U') => 8,
                    _ => 0,
                };
                let code: String = characters.by_ref().take(digits).map(|(_, digit)| digit).collect();
                let character = match escape {
                    Some('0') => Some('\0'),
                    Some('a') => Some('\x07'),
                    Some('b') => Some('\x08'),
                    Some('t' | '\t') => Some('\t'),
                    Some('n') => Some('\n'),
                    Some('v') => Some('\x0b'),
                    Some('f') => Some('\x0c'),
                    Some('r') => Some('\r'),
                    Some('e') => Some('\x1b'),
                    Some(same @ ('"' | '/' | '\\' | ' ')) => Some(same),
                    Some('x' | 'u' | 'U') => u32::from_str_radix(&code, 16).ok().and_then(char::from_u32),
                    _ => None,
                };
                found.push(character.ok_or("after \\ stands nothing that has a meaning; double \\ for itself")?);
            }
            _ => found.push(character),
        }
    }
    Err("a quote is not closed on its line".into())
}

/// A text in quotes that read as itself.
fn quoted(text: &str) -> String {
    if !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escaped = text.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        _ if character.is_control() => format!("\\U{:08x}", u32::from(character)),
        _ => character.into(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SolanaConfig {
        SolanaConfig::parse(text).unwrap_or_else(|why| panic!("{why}\n{text}"))
    }

    /// A file with a line of one's own in place of the signer.
    fn with(line: &str) -> String {
        format!("json_rpc_url: http://localhost:8899\n{line}\nwebsocket_url: ''\n")
    }

    #[test]
    fn what_solana_writes_is_read() {
        let text = "---\njson_rpc_url: https://api.devnet.solana.com\nwebsocket_url: ''\n\
                    keypair_path: /home/a/.config/solana/id.json\naddress_labels:\n  \
                    '11111111111111111111111111111111': System Program\n  Vote111: 'it''s'\ncommitment: finalized\n";
        let config = read(text);
        assert_eq!(config.json_rpc_url, "https://api.devnet.solana.com");
        assert_eq!(config.websocket_url, "");
        assert_eq!(config.keypair_path, "/home/a/.config/solana/id.json");
        assert_eq!((config.commitment.as_str(), config.commitment_line), ("finalized", Some(8)));
        let labels: Vec<_> = config.address_labels.values().map(String::as_str).collect();
        assert_eq!(labels, ["System Program", "it's"]);
        let windows = read(&format!("\u{feff}{}", text.replace('\n', "\r\n")));
        assert_eq!(windows, config, "a mark at the beginning and Windows line ends change nothing");
    }

    #[test]
    fn what_people_write_by_hand_is_read() {
        let signers = [
            ("keypair_path: /a/b#c.json # mine", "/a/b#c.json"),
            ("keypair_path:   \"C:\\\\keys\\x41\\u00e9.json\"   # mine", "C:\\keysAé.json"),
            ("\"keypair_path\" : 'a # b: c'", "a # b: c"),
            ("keypair_path: prompt://?key=0/1", "prompt://?key=0/1"),
            ("keypair_path: 'usb://ledger?key=0'\n# a comment\n\n", "usb://ledger?key=0"),
            ("keypair_path: ''", ""),
            ("keypair_path: ASK\nfuture:\n  - a\n  - b: [\nother:\n- 1\n- 2\nmore: {a: b}\naddress_labels: {}", "ASK"),
        ];
        for (line, signer) in signers {
            assert_eq!(read(&with(line)).keypair_path, signer, "{line}");
        }
    }

    #[test]
    fn what_has_no_one_meaning_is_refused_with_its_line_and_never_repeated() {
        let secret = "[174,47,154,16,202,193,206,113,199,190,53,133,169,175,31,56]";
        let cases = [
            (format!("keypair_path: {secret}"), 2, "list"),
            ("keypair_path:".into(), 2, "no value"),
            ("keypair_path: ~".into(), 2, "no value"),
            ("keypair_path: 'open".into(), 2, "not closed"),
            ("keypair_path: \"a\\q\"".into(), 2, "has a meaning"),
            ("keypair_path: 'a' b".into(), 2, "follows"),
            ("keypair_path: |\n  id.json".into(), 2, "one line"),
            ("keypair_path: id\n  .json".into(), 3, "one line"),
            ("keypair_path: -".into(), 2, "quotes"),
            ("keypair_path: a: b".into(), 2, "quotes"),
            ("keypair_path: *id".into(), 2, "quotes"),
            ("keypair_path: a\nkeypair_path: b".into(), 3, "twice"),
            ("keypair_path: a\nnonsense".into(), 3, "`field: value`"),
            ("keypair_path: a\n---".into(), 3, "second document"),
            ("  keypair_path: a".into(), 2, "one line"),
            ("\tkeypair_path: a".into(), 2, "one line"),
            ("keypair_path: a\naddress_labels: { a: b }".into(), 3, "a line"),
            ("keypair_path: a\naddress_labels:\n  a: b\n    c: d".into(), 5, "moved in"),
            ("keypair_path: a\naddress_labels:\n  a: b\n  a: d".into(), 5, "already"),
        ];
        for (text, expected, words) in cases {
            match SolanaConfig::parse(&with(&text)) {
                Err(why @ ConfigError::Line { line, .. }) => {
                    assert_eq!(line, expected, "{text}: {why}");
                    assert!(why.to_string().contains(words), "{text}: {why}");
                    assert!(!why.to_string().contains("174"), "{why}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        for json in ["[1, 2]", "{\"json_rpc_url\": \"x\"}"] {
            assert!(matches!(SolanaConfig::parse(json), Err(ConfigError::Line { line: 1, .. })), "{json}");
        }
    }

    #[test]
    fn a_file_without_cluster_or_signer_is_not_taken_for_mainnet() {
        assert!(matches!(SolanaConfig::parse(""), Err(ConfigError::Missing("json_rpc_url"))));
        assert!(matches!(SolanaConfig::parse("---\n"), Err(ConfigError::Missing("json_rpc_url"))));
        assert!(matches!(SolanaConfig::parse("json_rpc_url: l"), Err(ConfigError::Missing("keypair_path"))));
    }

    #[test]
    fn what_is_written_reads_as_itself() {
        let config = SolanaConfig {
            json_rpc_url: "http://127.0.0.1:8899".into(),
            websocket_url: "ws://127.0.0.1:8900 # not a comment".into(),
            keypair_path: "/it's/a \"path\"\\\n\t".into(),
            commitment_line: Some(7),
            ..SolanaConfig::default()
        };
        assert_eq!(read(&config.text()), config);
        let bare = SolanaConfig { address_labels: BTreeMap::new(), commitment_line: Some(6), ..config };
        assert_eq!(read(&bare.text()), bare);
    }

    #[test]
    fn clusters_have_names() {
        assert_eq!(url_of("d"), "https://api.devnet.solana.com");
        assert_eq!(url_of("localhost"), "http://localhost:8899");
        assert_eq!(url_of("https://rpc.example"), "https://rpc.example");
    }
}
