//! Nothing that is a key is ever shown, wherever it was put by mistake, and of a URL its scheme and host only.

use crate::desk::{Run, finish, finish_with};
use crate::scene::Scene;
use base64::Engine;
use solana_sdk::signature::Keypair;

const PHRASE: &str = "pill tomorrow foster begin walnut borrow virtual kick shift mutual shoe scatter";

/// A key in every way that people keep it, and parts of it that must not be seen.
fn written(key: &Keypair) -> Vec<String> {
    let bytes = key.to_bytes();
    vec![
        format!("{bytes:?}"),
        format!("{bytes:?}").replace(' ', ""),
        key.to_base58_string(),
        bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        base64::engine::general_purpose::STANDARD.encode(bytes),
        PHRASE.to_owned(),
    ]
}

/// That nothing of a key can be read in what a run printed.
#[track_caller]
fn hides(run: &Run, key: &str) {
    for stream in [&run.stdout, &run.stderr] {
        // A tenth of it is too much.
        let part: String = key.chars().skip(key.len() / 2).take((key.len() / 10).max(6)).collect();
        assert!(!stream.contains(key) && !stream.contains(&part), "{part:?} of the key is shown\n{run}");
    }
}

#[test]
fn a_key_in_the_place_of_its_file_is_never_shown() {
    let scene = Scene::new();
    let pool = scene.pool();
    let keys = written(&scene.person.key);
    let deposit = ["pool", "deposit", &pool, "10", "--tranche", "senior", "--yes"];
    for key in &keys {
        for flag in ["--keypair", "--fee-payer", "--deposit-authority"] {
            for line in [vec![flag.to_owned(), key.clone()], vec![format!("{flag}={key}")]] {
                let keypair = scene.desk.keypair(&scene.holder.key);
                let mut command = scene.desk.bare();
                command.args(["--url", scene.desk.node.url()]).args(deposit);
                if flag != "--keypair" {
                    command.args(["--keypair", &keypair]);
                }
                hides(&finish(command.args(&line)), key);
            }
        }
        for variable in ["BACKSTOP_KEYPAIR", "BACKSTOP_FEE_PAYER", "BACKSTOP_URL", "BACKSTOP_COMMITMENT"] {
            for line in [
                &deposit[..],
                &["pool", "list"],
                &["--help"],
                &["pool", "deposit", "--help"],
                &["dance"],
                &["address"],
                &["config", "get"],
                &["pool", "deposit", &pool, "--fast"],
            ] {
                hides(&finish(scene.desk.bare().env(variable, key).args(line)), key);
            }
        }
        // Where something else belongs, also for machines.
        for line in [
            &["pool", "show", key][..],
            &["pool", "deposit", &pool, key],
            &["cover", "show", key],
            &["product", "show", key],
            &[key],
            &["pool", key],
            &["--url", key, "pool", "list"],
            &["crank", "run", "--price-source", key],
            &["pool", "show", &pool, "--output", key],
            &["migrate", "--plan", "x", "--set", key],
        ] {
            hides(&scene.desk.look(line), key);
            hides(&scene.desk.look(&[line, &["--output", "json"]].concat()), key);
        }
        let config = format!("json_rpc_url: '{}'\nkeypair_path: '{key}'\n", scene.desk.node.url());
        let file = scene.desk.write("config.yml", &config);
        hides(&finish(scene.desk.bare().args(["--config", &file]).args(deposit)), key);
        let wrong = scene.desk.write("keys.txt", &format!("# mine\n{key}\n"));
        let product = scene.product();
        hides(&scene.act(&["cover", "buy", &product, "10", "--days", "30", "--receivers", &wrong]), key);
        hides(&scene.desk.look(&[&deposit[..], &["--keypair", &wrong]].concat()), key);
        hides(&scene.desk.look(&["--config", &wrong, "pool", "list"]), key);
        hides(&finish_with(scene.desk.bare().args(["address", "--keypair", "-"]), &key[..key.len() - 3]), key);
    }
    assert_eq!(scene.desk.node.asked("sendTransaction"), 0);
}

#[test]
fn who_puts_a_key_there_is_told_what_it_looks_like_and_what_to_do() {
    let scene = Scene::new();
    for (key, what) in
        written(&scene.person.key).into_iter().zip(["numbers", "numbers", "base58", "hexadecimal", "base64", "seed"])
    {
        let run = scene.desk.look(&["address", "--keypair", &key]);
        run.says(2, "--keypair is ", "name a file that holds the key");
        assert!(run.stderr.contains(what), "{what}\n{run}");
    }
}

#[test]
fn of_a_url_scheme_and_host_are_shown_wherever_it_fails() {
    let scene = Scene::new();
    let url = "http://user:passw0rd@127.0.0.1:1/v2/s3cret?api-key=t0ken#fr4gment";
    let hidden = ["passw0rd", "s3cret", "t0ken", "fr4gment", "user:"];
    for line in [
        &["pool", "list"][..],
        &["audit"],
        &["crank", "run", "--once"],
        &["config", "get"],
        &["program", "verify"],
        &["pool", "list", "--output", "json"],
    ] {
        let keypair = scene.desk.keypair(&scene.person.key);
        let run = finish(scene.desk.bare().args(["--url", url, "--keypair", &keypair]).args(line));
        for part in hidden {
            assert!(!run.stderr.contains(part) && !run.stdout.contains(part), "{part}\n{run}");
        }
        assert!(format!("{run}").contains("http://127.0.0.1:1"), "{run}");
    }
    for wrong in ["ftp://user:passw0rd@host/s3cret", "user:passw0rd@host/s3cret"] {
        let run = finish(scene.desk.bare().args(["--url", wrong, "pool", "list"]));
        assert!(run.code == 2 && !run.stderr.contains("s3cret") && !run.stderr.contains("passw0rd"), "{run}");
    }
}

#[test]
fn keypair_files_of_other_editors_are_read_and_solanas_names_for_sources_too() {
    let scene = Scene::new();
    let id = scene.person.id().to_string();
    let bytes = format!("\u{feff}{:?}\r\n", scene.person.key.to_bytes());
    let file = scene.desk.write("marked.json", &bytes);
    assert_eq!(scene.desk.look(&["address", "--keypair", &file]).done().trim(), id);
    for source in ["-", "stdin:"] {
        assert_eq!(finish_with(scene.desk.bare().args(["address", "--keypair", source]), &bytes).done().trim(), id);
        let config = scene.desk.write("c.yml", &format!("json_rpc_url: l\nkeypair_path: '{source}'\n"));
        assert_eq!(finish_with(scene.desk.bare().args(["--config", &config, "address"]), &bytes).done().trim(), id);
    }
    scene.desk.look(&["address", "--keypair", "ASK"]).says(2, "needs a terminal to ask on", "keypair file");
}

#[test]
fn a_wrong_line_is_told_the_same_way_whatever_the_environment_sets() {
    let scene = Scene::new();
    let config = scene.desk.write("c.yml", "json_rpc_url: l\nkeypair_path: ''\n");
    let wrong = ["pool", "deposit"];
    let plain = finish(scene.desk.bare().args(wrong));
    assert_eq!(plain.code, 2);
    let set = finish(scene.desk.bare().env("SOLANA_CONFIG_FILE", config).env("BACKSTOP_URL", "devnet").args(wrong));
    assert_eq!(plain.stderr, set.stderr);
}
