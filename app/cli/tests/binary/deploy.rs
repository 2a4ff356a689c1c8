//! `deploy/`: that what it tells systemd and containers to run is what the binary takes.

use crate::desk::{Desk, finish};
use backstop_tests::World;
use backstop_tests::seeded;
use solana_sdk::signer::Signer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Lines that say something, those that go on joined.
fn lines(text: &str) -> Vec<String> {
    let joined = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let joined = joined.replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What a line of a unit sets, in their order.
fn settings<'t>(lines: &'t [String], name: &str) -> Vec<&'t str> {
    lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

/// The words of an instruction of a container file that is written as JSON.
fn words(lines: &[String], instruction: &str) -> Vec<String> {
    let found = lines.iter().find_map(|line| line.strip_prefix(instruction)).expect("it has the instruction");
    serde_json::from_str(found.trim()).unwrap_or_else(|why| panic!("{instruction}: {why}"))
}

/// That the binary takes these arguments: they are those of its help, and with `--once` it does a round.
#[track_caller]
fn taken(desk: &Desk, arguments: &[String]) {
    let help = finish(desk.bare().args(["crank", "run", "--help"]));
    let known: BTreeSet<&str> = help.done().split_whitespace().filter(|word| word.starts_with("--")).collect();
    for flag in arguments.iter().filter(|argument| argument.starts_with('-')) {
        assert!(known.contains(flag.as_str()), "`backstop crank run` has no {flag}");
    }
    let payer = seeded(50);
    desk.node.world().cluster.airdrop(&payer.pubkey(), 1_000_000_000);
    let keypair = desk.keypair(&payer);
    let given = arguments.iter().map(|argument| match argument.as_str() {
        path if path.ends_with("/payer.json") => keypair.clone(),
        // A port that nobody else on this machine has.
        listen if listen.ends_with(":9464") => "127.0.0.1:0".to_owned(),
        other => other.to_owned(),
    });
    let run = desk.bare().args(given).args(["--url", desk.node.url(), "--once"]).output().expect("the binary runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn the_service_runs_what_the_binary_takes() {
    let lines = lines(&read("deploy/backstop-crank.service"));
    let [start] = settings(&lines, "ExecStart")[..] else { panic!("one command") };
    let mut words = start.split(' ').map(str::to_owned);
    assert_eq!(words.next().as_deref(), Some("/usr/local/bin/backstop"));
    taken(&Desk::new(World::new()), &words.collect::<Vec<_>>());
    // The wallet comes as a credential, and the command uses that.
    let [credential] = settings(&lines, "LoadCredential")[..] else { panic!("one credential") };
    let name = credential.split(':').next().expect("a name");
    assert!(start.contains(&format!("${{CREDENTIALS_DIRECTORY}}/{name}")));
    // A stop is given the time that a transaction under way may take, and a wrong command line is not repeated.
    assert_eq!(settings(&lines, "KillSignal"), ["SIGTERM"]);
    assert_eq!(settings(&lines, "RestartPreventExitStatus"), ["2"]);
    let [patience] = settings(&lines, "TimeoutStopSec")[..] else { panic!("one limit") };
    assert!(patience.trim_end_matches('s').parse::<u32>().expect("seconds") >= 120);
}

#[test]
fn systemd_takes_the_service() {
    let verify = |unit: &Path| Command::new("systemd-analyze").arg("verify").arg(unit).output();
    let desk = Desk::new(World::new());
    // The binary is where this build has it.
    let unit = read("deploy/backstop-crank.service").replace("/usr/local/bin/backstop", env!("CARGO_BIN_EXE_backstop"));
    let path = desk.write("backstop-crank.service", &unit);
    // Where there is no systemd, its own tools say nothing; the other tests still read the file.
    let Ok(verified) = verify(Path::new(&path)) else { return };
    let told = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{told}");
    assert!(!told.contains("Unknown") && !told.contains("ignoring"), "{told}");
    let wrong = desk.write("wrong.service", &unit.replace("Type=exec", "Type=nothing"));
    let verified = verify(Path::new(&wrong)).expect("it ran before");
    assert!(!verified.status.success() || !verified.stderr.is_empty(), "it finds what is wrong");
}

#[test]
fn the_container_runs_what_the_binary_takes() {
    let lines = lines(&read("deploy/Containerfile"));
    let [program, rest @ ..] = &words(&lines, "ENTRYPOINT")[..] else { panic!("a program") };
    assert_eq!(program, "backstop");
    taken(&Desk::new(World::new()), &[rest, &words(&lines, "CMD")].concat());
}

#[test]
fn the_container_builds_what_is_here_with_the_compiler_of_the_repository() {
    let lines = lines(&read("deploy/Containerfile"));
    let text = lines.join("\n");
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a channel");
    assert!(text.contains(&format!("rust:{}-", channel.trim_matches('"'))), "the compiler is {channel}");
    let build = lines.iter().find_map(|line| line.strip_prefix("RUN cargo ")).expect("it builds");
    assert!(build.contains("--locked"), "{build}");
    let mut named = build.split(' ').skip_while(|word| *word != "-p").skip(1);
    let package = named.next().expect("a package");
    assert!(read("app/cli/Cargo.toml").contains(&format!("name = \"{package}\"")), "{package}");
    let copied = lines.iter().find_map(|line| line.strip_prefix("COPY --from=build ")).expect("it copies");
    assert_eq!(copied, "/source/target/release/backstop /usr/local/bin/backstop");
    // What it listens on is what it exposes and asks for its health.
    let listen = words(&lines, "CMD").into_iter().find(|word| word.contains(':')).expect("an address to listen on");
    let port = listen.rsplit(':').next().expect("a port");
    assert!(text.contains(&format!("EXPOSE {port}")) && text.contains(&format!("/dev/tcp/127.0.0.1/{port}")));
    assert!(text.contains("GET /live"), "what fails and cannot be mended by a new start is no reason for one");
    assert!(lines.iter().any(|line| line.starts_with("USER ") && !line.contains("root")));
}

#[test]
fn the_health_check_of_the_container_tells_a_crank_that_lives_from_none() {
    let lines = lines(&read("deploy/Containerfile"));
    let check = lines.iter().find(|line| line.starts_with("HEALTHCHECK")).expect("it has one");
    let command = check.split_once("CMD ").expect("a command").1;
    let command: Vec<String> = serde_json::from_str(command).expect("it is written as JSON");
    let server = tiny_http::Server::http("127.0.0.1:0").expect("a port is free");
    let port = server.server_addr().to_ip().expect("it has an address").port();
    let script = command[2].replace("/9464", &format!("/{port}"));
    for (status, lives) in [(200, true), (503, false)] {
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| {
                let request = server.recv().expect("it asks");
                assert_eq!(request.url(), "/live");
                request.respond(tiny_http::Response::from_string("").with_status_code(status)).expect("it listens");
            });
            Command::new(&command[0]).args([&command[1], &script]).status().expect("it runs")
        });
        assert_eq!(answer.success(), lives, "{status}");
    }
    drop(server);
    assert!(!Command::new(&command[0]).args([&command[1], &script]).status().expect("it runs").success());
}

#[test]
fn the_settings_file_sets_what_the_binary_reads() {
    let desk = Desk::new(World::new());
    let help = finish(desk.bare().args(["crank", "run", "--help"]));
    for line in lines(&read("deploy/crank.env")) {
        let name = line.split('=').next().expect("a name");
        assert!(name == "RUST_LOG" || help.done().contains(&format!("[env: {name}")), "nobody reads {name}");
    }
}
