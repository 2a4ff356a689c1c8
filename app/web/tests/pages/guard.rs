//! Who may ask, and what a browser may do with the answer.

use super::stage::{Page, Stage, settings};
use backstop_client::cluster::rpc::{Limits, RpcCluster};
use backstop_tests::{Fault, Faults, Node, World};
use backstop_web::guard::CONTENT_SECURITY_POLICY;
use backstop_web::site::Settings;
use solana_commitment_config::CommitmentConfig;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Sends bytes as they are and returns the answer's.
fn raw(page: &Page, request: &str) -> String {
    let mut stream = TcpStream::connect(page.url.trim_start_matches("http://")).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it takes them");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn get(page: &Page, host: &str, more: &str) -> u16 {
    status(&raw(page, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n")))
}

#[test]
fn only_its_own_names_are_answered() {
    let stage = Stage::calm();
    let page = &stage.page;
    let port = page.url.rsplit(':').next().expect("it has a port");
    for host in
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("LOCALHOST:{port}"), format!("[::1]:{port}")]
    {
        assert_eq!(get(page, &host, ""), 200, "{host}");
    }
    for host in ["evil.example", "localhost", "127.0.0.1:1", "", "127.0.0.1:80@evil.example"] {
        assert_eq!(get(page, host, ""), 421, "{host}");
    }
    assert_eq!(get(page, &format!("localhost:{port}"), &format!("Host: localhost:{port}\r\n")), 421, "two hosts");
    let named = Page::on(stage.scene.clone(), Settings { hosts: vec!["Cover.example".into()], ..settings() });
    assert_eq!(get(&named, "cover.example", ""), 200);
}

#[test]
fn other_sites_are_refused() {
    let stage = Stage::calm();
    let own = stage.page.url.clone();
    let ask = |headers: &[(&str, &str)]| stage.page.ask("/", headers).status;
    assert_eq!(ask(&[("origin", &own)]), 200);
    for origin in ["https://evil.example", "null", "http://127.0.0.1", "file://", "http://evil.example/127.0.0.1"] {
        assert_eq!(ask(&[("origin", origin)]), 403, "{origin}");
    }
    assert_eq!(stage.page.post("/", &[("sec-fetch-site", "cross-site")], b"").status, 403);
    assert_eq!(ask(&[("sec-fetch-site", "cross-site")]), 200, "a link from elsewhere leads here");
}

#[test]
fn bodies_are_short() {
    let stage = Stage::calm();
    assert_eq!(stage.page.post("/nowhere", &[], &[b'x'; 4_096]).status, 404);
    assert_eq!(stage.page.post("/nowhere", &[], &[b'x'; 4_097]).status, 413);
    let host = stage.page.url.trim_start_matches("http://");
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    );
    assert_eq!(status(&raw(&stage.page, &chunked)), 413, "nobody knows how long it is");
}

#[test]
fn every_answer_has_the_headers() {
    let stage = Stage::struck();
    let foreign = [("origin", "https://evil.example")];
    let mut answers: Vec<_> = stage.paths().iter().map(|path| stage.page.get(path)).collect();
    answers.extend([stage.page.get("/nowhere"), stage.page.get("/pool/x"), stage.page.ask("/", &foreign)]);
    answers.extend([
        stage.page.get("/assets/style.css"),
        stage.page.get("/favicon.ico"),
        stage.page.post("/", &[], b""),
    ]);
    for answer in answers {
        assert_eq!(answer.headers["content-security-policy"], CONTENT_SECURITY_POLICY);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "same-origin");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
        assert!(answer.headers.contains_key("cache-control"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    for part in
        ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(CONTENT_SECURITY_POLICY.contains(part), "{part}");
    }
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
}

#[test]
fn what_is_not_there_is_told_without_asking_the_node() {
    let stage = Stage::calm();
    let nobody = backstop_tests::seeded(77_777);
    let nobody = solana_sdk::signer::Signer::pubkey(&nobody);
    for path in [
        "/nowhere".to_owned(),
        format!("/pool/{nobody}"),
        format!("/product/{nobody}"),
        format!("/incident/{nobody}"),
        format!("/pool/{}", stage.product.product),
        format!("/product/{}", stage.pool.pool),
    ] {
        let answer = stage.page.get(&path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text.contains("<main id=\"content\""), "{path}: it is a page");
    }
    for path in ["/pool/x", "/product/0x12", "/incident/%3Cscript%3E", "/holder/alice"] {
        assert_eq!(stage.page.get(path).status, 400, "{path}");
    }
}

#[test]
fn who_asks_too_often_waits() {
    let stage = Stage::calm();
    let page = Page::on(stage.scene.clone(), Settings { limit: true, ..settings() });
    let answers: Vec<_> = (0..90).map(|_| page.get("/assets/style.css")).collect();
    assert_eq!(answers[0].status, 200);
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty(), "nobody was asked to wait");
    assert_eq!(refused[0].headers["retry-after"], "5");
    let free = (0..90).map(|_| stage.page.get("/assets/style.css").status);
    assert!(free.into_iter().all(|status| status == 200), "on this machine nobody waits unless asked for");
}

/// A node's page, with little patience.
fn remote(node: &Node) -> Page {
    let limits = Limits { answer: Duration::from_secs(5), attempts: 1, ..Limits::default() };
    let cluster = RpcCluster::new(node.url(), CommitmentConfig::confirmed()).with_limits(limits);
    Page::on(Arc::new(cluster), settings())
}

#[test]
fn a_node_that_fails_leaves_what_was_read_with_its_age_and_the_failure() {
    let node = Node::start(World::new());
    let page = remote(&node);
    assert!(!page.shown("/").contains("This is old."));
    for fault in [
        Fault::Status(503, "out of order"),
        Fault::Page,
        Fault::Truncated,
        Fault::Error(-32000, "<script>alert(1)</script>"),
    ] {
        node.set_faults(Faults::of("", fault));
        page.site.chain().read_now();
        let html = page.shown("/");
        assert!(html.contains("This is old.") && html.contains("role=\"alert\""), "{html}");
        assert!(!html.contains("<script>alert"), "what a node says is text");
    }
    node.set_faults(Faults::default());
    page.site.chain().read_now();
    assert!(!page.shown("/").contains("This is old."), "and it comes back");
}

#[test]
fn a_chain_that_was_never_read_is_told_with_503() {
    let node = Node::start(World::new());
    node.set_faults(Faults::of("", Fault::Status(503, "out of order")));
    let page = remote(&node);
    let answer = page.get("/");
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("The chain was not read yet"), "{}", answer.text);
    assert_eq!(page.get("/assets/style.css").status, 200);
}
