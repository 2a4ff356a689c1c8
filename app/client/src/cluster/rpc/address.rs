//! What of a node's URL and words may be shown.

use crate::redact;

/// Whether a URL's host is this machine.
pub fn is_local(url: &str) -> bool {
    let host = redact::url(url);
    let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host);
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |address: std::net::IpAddr| address.is_loopback() || address.is_unspecified();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

/// The parts of a URL that may be secret: whatever is long enough to be one outside scheme and host.
pub fn secrets_of(url: &str) -> Vec<String> {
    const SHORTEST: usize = 6;
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = redact::url(url);
    let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host);
    let parts = rest.split(['/', '?', '#', '&', '=', '@', ':', ';', '\\']);
    let secret = |part: &&str| part.len() >= SHORTEST && *part != "api-key" && !host.contains(part);
    parts.filter(secret).map(str::to_owned).collect()
}

/// What a node says, for people: on one line, not too long, and without the secrets that it repeats.
pub fn tidy(text: &str, secrets: &[String]) -> String {
    const MOST: usize = 140;
    let text = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "(key)"));
    let text = redact::text(&text);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let text = words.join(" ");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} ...", text[..end].trim_end()),
        None => text.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_repeats_of_a_key_is_taken_out() {
        let secrets = secrets_of("https://us:password@rpc.example/v2/abcdef123456?api-key=deadbeef-1");
        assert_eq!(secrets, ["password", "abcdef123456", "deadbeef-1"]);
        assert_eq!(tidy("key abcdef123456\n is\x1b[31m bad.", &secrets), "key (key) is [31m bad");
        assert_eq!(tidy(&"word ".repeat(100), &[]).len(), 140 + 3);
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for url in ["http://localhost:8899", "http://LOCALHOST", "http://127.0.0.1:1/x", "http://[::1]:8899"] {
            assert!(is_local(url), "{url}");
        }
        for url in
            ["https://api.devnet.solana.com", "http://localhost.example", "http://10.0.0.1", "http://127.example"]
        {
            assert!(!is_local(url), "{url}");
        }
    }
}
