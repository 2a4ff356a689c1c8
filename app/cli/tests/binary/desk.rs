//! The real binary at a node: what it prints, where, and what it exits with.

use backstop_tests::{Node, World, golden};
use serde_json::Value;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use solana_sdk::signer::keypair::write_keypair_file;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Fields that a new build of the program or a clock changes.
const CHANGING: [&str; 17] = [
    "signature",
    "explorer",
    "transaction",
    "transaction_base58",
    "message",
    "message_base58",
    "squads",
    "blockhash",
    "last_valid_block_height",
    "signers",
    "instructions",
    "compute_units",
    "seconds",
    "observations_per_second",
    "deployed_sha256",
    "expected_sha256",
    "bytes",
];

/// A node, and a home with keypair files and no settings.
pub struct Desk {
    /// The node.
    pub node: Node,
    home: TempDir,
}

/// What a run of the binary left.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// The results.
    pub stdout: String,
    /// Previews, progress and errors.
    pub stderr: String,
}

impl Desk {
    /// A desk at a node of a world.
    pub fn new(world: World) -> Self {
        Self { node: Node::start(world), home: tempfile::tempdir().expect("there is room for files") }
    }

    /// The home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file at home. Returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
        std::fs::write(&path, text).expect("there is room for a file");
        text_of(path)
    }

    /// Writes a keypair file at home, unless it is there. Returns its path.
    pub fn keypair(&self, key: &Keypair) -> String {
        let path = self.home().join(format!("{}.json", key.pubkey()));
        if !path.exists() {
            write_keypair_file(key, &path).expect("there is room for a file");
        }
        text_of(path)
    }

    /// The binary, at home, with nothing of this process's environment and without a cluster.
    pub fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        command.env_clear().env("HOME", self.home()).current_dir(self.home()).stdin(Stdio::null());
        command
    }

    /// Runs the binary at the node.
    pub fn look(&self, arguments: &[&str]) -> Run {
        finish(self.bare().args(["--url", self.node.url()]).args(arguments))
    }

    /// Runs the binary at the node with a signer, who agrees to everything.
    pub fn act(&self, signer: &Keypair, arguments: &[&str]) -> Run {
        let keypair = self.keypair(signer);
        self.look(&[arguments, &["--keypair", &keypair, "--yes"]].concat())
    }

    /// Runs the binary at the node with a signer, who is not there to agree.
    pub fn ask(&self, signer: &Keypair, arguments: &[&str]) -> Run {
        let keypair = self.keypair(signer);
        self.look(&[arguments, &["--keypair", &keypair]].concat())
    }

    /// The result of a run in JSON, which must end well.
    #[track_caller]
    pub fn json(&self, run: Run) -> Value {
        serde_json::from_str(run.done()).unwrap_or_else(|why| panic!("{why}\n{}", run.stdout))
    }

    /// Compares the result of a run in JSON with the committed one, without what differs from run to run.
    #[track_caller]
    pub fn snapshot(&self, name: &str, run: Run) -> Value {
        let result = self.json(run);
        has_no_large_numbers(&result, "");
        let mut stable = result.clone();
        self.make_stable(&mut stable);
        let text = serde_json::to_string_pretty(&stable).expect("it is JSON") + "\n";
        golden::check(&format!("../app/cli/tests/golden/{name}.json"), &text);
        result
    }

    /// Compares what a run printed for people with the committed text.
    #[track_caller]
    pub fn display(&self, name: &str, run: Run) {
        for line in run.done().lines() {
            assert!(line.chars().count() <= 80, "what is piped fits 80 columns, {name} does not: {line}\n{run}");
        }
        let text = run.done().replace(self.node.url(), "(node)");
        golden::check(&format!("../app/cli/tests/golden/{name}.txt"), &text);
    }

    /// Takes out what a new build of the program, a port, a folder or a clock changes.
    fn make_stable(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.make_stable(item)),
            Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| match field {
                Value::Null => {}
                _ if CHANGING.contains(&name.as_str()) => *field = Value::from(format!("({name})")),
                _ => self.make_stable(field),
            }),
            Value::String(text) => {
                let home = self.home().to_str().expect("a path is UTF-8");
                *text = text.replace(self.node.url(), "(node)").replace(home, "(home)");
            }
            _ => {}
        }
    }
}

/// The raw units that a result in JSON states as a text: of an amount, in `NAME_units`; of lamports, in the field itself.
#[track_caller]
pub fn units(told: &Value, name: &str) -> u64 {
    let beside = &told[format!("{name}_units")];
    let text = if beside.is_null() { &told[name] } else { beside };
    text.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no units of {name}\n{told}"))
}

/// Ends of the names of numbers that any reader of JSON keeps as they are: times, parts, counts, numbers of things.
const SMALL: [&str; 29] = [
    "_at",
    "_bps",
    "_day",
    "_days",
    "_due",
    "_from",
    "_group",
    "_hundredths",
    "_left",
    "_open",
    "_ppb",
    "_s",
    "_seconds",
    "_settled",
    "_slots",
    "_sold",
    "_until",
    "alerts",
    "at",
    "code",
    "decimals",
    "end",
    "from",
    "id",
    "now",
    "start",
    "until",
    "series",
    "slot",
];
/// Names of numbers that are counts.
const COUNTS: [&str; 25] = [
    "days",
    "end_before",
    "oldest_exit",
    "open_cases",
    "compared",
    "crisis",
    "day",
    "deadline",
    "deepest_mean",
    "done_by_others",
    "exponent",
    "findings",
    "first_mean",
    "keys",
    "live",
    "must_sign",
    "observations",
    "passes",
    "refused",
    "signatures",
    "signers",
    "slots",
    "tickets",
    "transactions",
    "transactions_lost",
];

/// That no number in a result could lose its last digits: amounts, prices and lamports are texts.
#[track_caller]
fn has_no_large_numbers(told: &Value, name: &str) {
    match told {
        Value::Array(items) => items.iter().for_each(|item| has_no_large_numbers(item, name)),
        // Counts by the name of an instruction.
        Value::Object(fields) if ["done", "due"].contains(&name) && fields.values().all(Value::is_u64) => {}
        Value::Object(fields) => fields.iter().for_each(|(name, field)| has_no_large_numbers(field, name)),
        Value::Number(_) if CHANGING.contains(&name) => {}
        Value::Number(_) => {
            let known = SMALL.iter().any(|end| name.ends_with(end)) || COUNTS.contains(&name);
            assert!(
                known || name == "reinstatements" || name == "publish_time" || name == "last_publish_time",
                "{name}"
            );
        }
        _ => {}
    }
}

impl Run {
    /// The result of a run that must end well.
    #[track_caller]
    pub fn done(&self) -> &str {
        assert_eq!(self.code, 0, "{self}");
        &self.stdout
    }

    /// That a run ended in a way with one sentence and a hint on stderr, and nothing on stdout. Returns both.
    #[track_caller]
    pub fn refused(&self, code: i32) -> (String, String) {
        assert_eq!(self.code, code, "{self}");
        assert_eq!(self.stdout, "", "{self}");
        let found = |mark: &str| {
            let mut lines = self.stderr.lines().filter_map(|line| line.strip_prefix(mark));
            let first = lines.next().unwrap_or_else(|| panic!("there is no {mark:?}\n{self}"));
            assert_eq!(lines.next(), None, "there is one {mark:?}\n{self}");
            first.to_owned()
        };
        let last: Vec<&str> = self.stderr.lines().rev().take(2).collect();
        // For machines it is one object, which is the last line.
        let object = last.first().and_then(|line| serde_json::from_str::<Value>(line).ok());
        let (sentence, hint) = match object {
            Some(object) => {
                ["message", "hint"].map(|name| object["error"][name].as_str().unwrap_or_default().to_owned()).into()
            }
            None => {
                let told = (found("error: "), found("hint: "));
                let order = last[0].starts_with("hint: ") && last[1].starts_with("error: ");
                assert!(order, "they are the last two lines\n{self}");
                told
            }
        };
        for text in [&sentence, &hint] {
            assert!(text.len() >= 10 && text.len() < 240, "{self}");
            for noise in ["Error(", "Some(", "Err(", "panicked", "{ ", "0x17", "::"] {
                assert!(!text.contains(noise), "{noise:?} is not for people\n{self}");
            }
        }
        (sentence, hint)
    }

    /// That a run ended in a way with a sentence and a hint that contain some words.
    #[track_caller]
    pub fn says(&self, code: i32, words: &str, help: &str) {
        let (sentence, hint) = self.refused(code);
        assert!(sentence.contains(words), "the sentence says {words:?}\n{self}");
        assert!(hint.contains(help), "the hint says {help:?}\n{self}");
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs the binary in a directory of its own, with nothing beside it but what the test puts there.
pub fn alone(dir: &Path, arguments: &[&str]) -> Run {
    let binary = dir.join("backstop");
    if !binary.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_backstop"), &binary).expect("there is room for a file");
    }
    let mut command = Command::new(binary);
    finish(command.env_clear().env("HOME", dir).env("PATH", dir.join("nowhere")).current_dir(dir).args(arguments))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Run {
    read(command.output().expect("the binary runs"))
}

/// Runs a command to its end with something on stdin.
pub fn finish_with(command: &mut Command, input: &str) -> Run {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    read(child.wait_with_output().expect("it ends"))
}

/// Runs the binary in a terminal of its own. Whenever some words have been shown, in their order, something is typed.
/// Returns the exit code, 128 and the signal if one ended it, and everything that was shown.
#[cfg(target_os = "linux")]
pub fn in_a_terminal(desk: &Desk, arguments: &[&str], dialogue: &[(&str, &str)]) -> (i32, String) {
    // Whoever runs the tests in the background has Ctrl-C ignored, and what they start inherits that.
    let words = [&["env", "--default-signal=INT", env!("CARGO_BIN_EXE_backstop")], arguments].concat();
    let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--flush", "--command", &line.join(" "), "/dev/null"]);
    command.env("HOME", desk.home()).env("TERM", "xterm").env("SHELL", "/bin/sh").current_dir(desk.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("`script` gives a terminal");
    let mut typing = child.stdin.take().expect("it is piped");
    let mut screen = child.stdout.take().expect("it is piped");
    let (mut shown, mut seen) = (Vec::new(), 0);
    let mut dialogue = dialogue.iter();
    let mut next = dialogue.next();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = screen.read(&mut piece) {
        shown.extend_from_slice(&piece[..read]);
        while let Some((words, typed)) = next {
            let text = String::from_utf8_lossy(&shown[seen..]).into_owned();
            if !text.contains(words) {
                break;
            }
            seen = shown.len();
            typing.write_all(typed.as_bytes()).expect("it reads");
            typing.flush().expect("it reads");
            next = dialogue.next();
        }
    }
    let code = child.wait().expect("it ends").code().expect("it exits");
    (code, String::from_utf8_lossy(&shown).into_owned())
}

fn read(output: std::process::Output) -> Run {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code().expect("it exits"), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn text_of(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("a path is UTF-8")
}
