//! Text from the chain, and from whoever asks, is text.

use super::stage::Stage;

/// Fills a field of an account with a text.
fn fill(field: &mut [u8], text: &str) {
    field.fill(0);
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}

/// A stage whose names are as bad as an account can hold.
fn hostile(label: &str, name: &str, uri: &str) -> Stage {
    let stage = Stage::struck();
    {
        let scene = stage.scene.world();
        for pool in [scene.cedant, scene.owned, scene.open] {
            scene.edit(&pool, |books| fill(&mut books.label, label));
        }
        for keys in [stage.product, stage.other] {
            scene.edit_product(&keys, |product| {
                fill(&mut product.name, name);
                fill(&mut product.uri, uri);
            });
        }
    }
    stage.page.site.chain().read_now();
    stage
}

#[test]
fn names_labels_and_links_are_escaped_and_cannot_turn_the_text_around_them() {
    let cases = [
        ("<script>x", "<script>alert(1)</script>", "javascript:alert(1)"),
        ("\"><img src=x", "\"><img src=x onerror=alert(1)>", "\" onload=\"alert(1)"),
        ("\u{202E}TDSU", "\u{202E}evif rof 59.0\u{2066}\u{200B}", "https://\u{202E}elpmaxe.live"),
        ("'&&lt;", "' style='x' &#60;b&#62;", "data:text/html,<b>"),
        ("\n\r\u{7}\u{1b}[31m", "line\nbreak\u{1b}[2J", "\u{0}\u{1}"),
    ];
    for (label, name, uri) in cases {
        let stage = hostile(label, name, uri);
        for path in stage.paths() {
            let html = stage.page.shown(&path);
            for bad in [
                "<script>",
                "<img",
                "onerror=alert(1)>",
                "\u{202E}",
                "\u{2066}",
                "\u{200B}",
                "\u{1b}",
                "\u{7}",
                "<b>",
                "<b ",
            ] {
                assert!(!html.contains(bad), "{path} {name:?}: {bad:?}");
            }
            assert!(!html.contains("href=\"javascript"), "{path}");
            assert!(!html.contains("src=\"data:text"), "{path}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_no_panic() {
    let stage = hostile("ok", "ok", "ok");
    {
        let scene = stage.scene.world();
        scene.edit(&scene.cedant, |books| books.label = [0xff; 16]);
    }
    stage.page.site.chain().read_now();
    for path in stage.paths() {
        let answer = stage.page.get(&path);
        assert!(answer.status == 200, "{path}: {} {}", answer.status, answer.text);
    }
}

#[test]
fn what_somebody_asks_with_is_text_too() {
    let stage = Stage::calm();
    let product = stage.product.product;
    let long = "9".repeat(10_000);
    for query in [
        "sum=%3Cscript%3Ealert(1)%3C/script%3E&days=30".to_owned(),
        "sum=1e99&days=99999999".into(),
        "sum=-5&days=0".into(),
        "sum=%00&days=%ff".into(),
        "sum=18446744073709551616&days=65536".into(),
        format!("sum={long}&days={long}"),
        format!("sum=1000&days=30&x={long}"),
    ] {
        let answer = stage.page.get(&format!("/product/{product}?{query}"));
        assert!([200, 400, 414, 431].contains(&answer.status), "{} {}", answer.status, &query[..query.len().min(60)]);
        assert!(!answer.text.contains("<script>alert"), "{query}");
    }
    let answer = stage.page.get(&format!("/pool/{}", "A".repeat(10_000)));
    assert!([400, 414, 431].contains(&answer.status), "{}", answer.status);
}
