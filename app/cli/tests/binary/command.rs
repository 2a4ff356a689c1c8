//! The real binary: what it prints where, and what it exits with.

use serde_json::Value;
use std::process::{Command, Output};

fn backstop(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_backstop")).args(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

#[test]
fn the_demo_exits_with_0_and_writes_no_colours_into_a_pipe() {
    let output = backstop(&["demo"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("34 of 34 hold."));
    assert!(!stdout(&output).contains('\x1b'));
    assert_eq!(stderr(&output), "", "progress is for terminals");
}

#[test]
fn the_demo_speaks_json_on_one_line_or_many() {
    let [pretty, compact] = ["json", "json-compact"].map(|format| {
        let output = backstop(&["demo", "--output", format]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).to_owned()
    });
    assert!(pretty.lines().count() > 100);
    assert_eq!(compact.lines().count(), 1);
    let [mut pretty, mut compact] = [pretty, compact].map(|text| serde_json::from_str::<Value>(&text).expect("JSON"));
    for report in [&mut pretty, &mut compact] {
        report["elapsed_ms"] = Value::Null;
    }
    assert_eq!(pretty, compact);
    assert_eq!(pretty["holds"], true);
    assert_eq!(pretty["products"][0]["severity_bps"], 2_690);
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_so_on_stderr() {
    for wrong in [&["demo", "--output", "xml"][..], &["dance"], &["demo", "--fast"], &[]] {
        let output = backstop(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert_eq!(stdout(&output), "", "{wrong:?}");
        assert_ne!(stderr(&output), "", "{wrong:?}");
    }
}

#[test]
fn a_named_program_that_is_none_exits_with_1_and_one_sentence() {
    let directory = env!("CARGO_MANIFEST_DIR");
    let prices = std::env::temp_dir().join(format!("backstop-prices-{}.csv", std::process::id()));
    std::fs::write(&prices, "1678487255,0.99\n").expect("there is room for a file");
    let prices = prices.to_str().expect("UTF-8");
    let condition = "--threshold 0.95 --recovery 0.96 --duration 4h --slot 30m --tolerance 30m --challenge 6h";
    let replay: Vec<_> = ["trigger", "replay", "--prices", prices].into_iter().chain(condition.split(' ')).collect();
    for arguments in [&["demo"][..], &replay] {
        for (file, why) in [("Cargo.toml", "which is not a program"), ("no-such-program.so", "cannot be read")] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
            command.args(arguments).env("BACKSTOP_PROGRAM", format!("{directory}/{file}"));
            let output = command.output().expect("the binary runs");
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
            assert_eq!(stdout(&output), "");
            let said = stderr(&output);
            assert!(said.starts_with("error: ") && said.contains(file) && said.contains(why), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
    std::fs::remove_file(prices).expect("it was written above");
}

#[test]
fn a_file_that_is_not_there_exits_with_1_and_is_named() {
    let condition = "--threshold 0.95 --recovery 0.96 --duration 4h --slot 30m --tolerance 30m --challenge 6h";
    let mut arguments = vec!["trigger", "replay", "--prices", "no-such-file.csv"];
    arguments.extend(condition.split(' '));
    let output = backstop(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: ") && stderr(&output).contains("no-such-file.csv"));
}
