//! Files that `backstop metadata build` wrote, hosted beside the page.

mod booth;

use backstop_client::metadata::{Places, of_plans};
use backstop_web::site::Settings;
use booth::Booth;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn files_are_handed_out_by_their_hash_and_only_if_they_have_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let plans = backstop_client::migration::load(&folder.join("0003_usdt_products.toml"), &BTreeMap::new());
    let places = Places::new("https://b.example", None).expect("it is a place");
    let read = |_: &_, name: &str| std::fs::read(folder.join(name));
    let all = of_plans(&plans.expect("it is a plan"), &places, read).expect("they are built");
    let dir = tempfile::tempdir().expect("there is room");
    let files: Vec<_> = all.into_iter().flat_map(|shown| shown.files).collect();
    for file in &files {
        std::fs::write(dir.path().join(&file.name), &file.bytes).expect("there is room");
    }
    let changed = format!("{}.json", "a".repeat(64));
    std::fs::write(dir.path().join(&changed), "{}").expect("there is room");
    let booth = Booth::with(Settings { metadata: Some(dir.path().to_owned()), ..Settings::default() });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |name: &str| {
        let request = agent.get(format!("{}/metadata/{name}", booth.page.url));
        let mut answer = request.header("origin", "https://wallet.example").call().expect("the page answers");
        let header =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let headers =
            [header("content-type"), header("access-control-allow-origin"), header("content-security-policy")];
        (answer.status().as_u16(), headers, answer.body_mut().read_to_vec().expect("it can be read"))
    };
    for file in &files {
        let (status, [kind, open, policy], bytes) = get(&file.name);
        assert_eq!((status, open.as_str(), bytes), (200, "*", file.bytes.clone()), "{}", file.name);
        let expected = if file.name.ends_with("svg") { "image/svg+xml" } else { "" };
        assert!(kind.starts_with(expected) && policy.starts_with("default-src 'none'"), "{kind} {policy}");
    }
    for name in [changed.as_str(), "nothing.json", "..%2F..%2Fetc%2Fpasswd", &format!("{}.json", "b".repeat(64))] {
        assert_eq!(get(name).0, 404, "{name}");
    }
}
