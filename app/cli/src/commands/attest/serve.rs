//! `backstop attest serve`: one key that signs what its source says, one message a moment.

use crate::commands::context::{Context, hinted};
use crate::commands::crank::{LogFormat, log};
use anchor_lang::prelude::Pubkey;
use anyhow::{Result, anyhow};
use backstop::border::text::hex_text;
use backstop_client::attest::definition::Definition;
use backstop_client::attest::reading::Places;
use backstop_client::redact;
use backstop_keeper::attestor::{Attestor, Origin, Refusal, Setup, Source};
use backstop_keeper::crank::monitor::SHORTEST_PATIENCE;
use clap::{ArgGroup, Args};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLE: &str = "\
Example:
  backstop attest serve --set SET --definition rain.md --log attestor.log --keypair attestor.json --file rain.txt
  backstop attest serve --set SET --definition rain.md --log attestor.log --keypair attestor.json --value-path /now/rain --http https://station.example/now.json
  backstop attest serve --set SET --definition rain.md --log attestor.log --keypair attestor.json -- ./read-rain --at {at}

The definition is the text whose sha-256 is the feed. Lines of it, each once and at the beginning of a line, tell signers
what they may say: `unit:`, `exponent:` (-2: two decimals), `least:`, `most:`, `every:` (1h: of each full hour), and if one
likes `rounding:` (down, up, nearest), `oldest:` (how old a source's value may be) and `confidence:`.

A source says a number, and after a space the unix seconds of its time, if it knows them; or JSON, with --value-path. `{at}`
in an address or a command stands for the moment that is asked for, in unix seconds.

It signs of the newest moment that has been, by the cluster's clock and this machine's, once. The log stands before every
signature: make an empty file for a key that has signed nothing, and never restore one from a backup.

--listen serves /signed, which cranks collect (`backstop crank run --attestor URL`), /definition, /metrics, /live, /ready and
/health. SIGINT and SIGTERM end it, with exit code 0.";

/// Sign what a source says, one message a moment, and serve the signatures to whoever collects them.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE, group(ArgGroup::new("source").required(true)))]
pub struct ServeArgs {
    /// The set of attestors that the key is one of.
    #[arg(long, value_name = "SET", value_parser = crate::commands::args::attestors)]
    set: Pubkey,
    /// The feed's definition, which is not empty and ends as it was published.
    #[arg(long, value_name = "FILE")]
    definition: PathBuf,
    /// What the key has signed so far, a line each: one file a key, which is there, and kept for good.
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Where signatures, metrics and health are served.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9470")]
    listen: SocketAddr,
    /// The source is a file that something else writes.
    #[arg(long, value_name = "FILE", group = "source")]
    file: Option<PathBuf>,
    /// The source is what an address answers.
    #[arg(long, env = "BACKSTOP_SOURCE_URL", hide_env_values = true, value_name = "URL", group = "source", value_parser = url)]
    http: Option<String>,
    /// A key that the address asks for, sent as a bearer's.
    #[arg(long, env = "BACKSTOP_SOURCE_KEY", hide_env_values = true, value_name = "KEY", requires = "http")]
    http_key: Option<String>,
    /// The source is what a command prints: a program and its arguments, without a shell.
    #[arg(last = true, value_name = "COMMAND", group = "source")]
    command: Vec<String>,
    /// Where in JSON the value stands: /data/0/rain.
    #[arg(long, value_name = "POINTER")]
    value_path: Option<String>,
    /// Where in JSON its time stands: unix seconds, or 2026-11-27T08:00:00Z.
    #[arg(long, value_name = "POINTER", requires = "value_path")]
    time_path: Option<String>,
    /// How long the source may take for a value.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = interval)]
    timeout: Duration,
    /// How often to look at the clock, and at the source until there is a value; 100ms at least.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = interval)]
    interval: Duration,
    /// How far the cluster's clock and this machine's may be apart, so that neither makes it misdate a value.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = backstop_client::units::seconds)]
    clock_skew: u32,
    /// How logs are written on stderr; RUST_LOG says how much.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = backstop_client::units::duration(text)?;
    if interval < Duration::from_millis(100) { Err("100ms at least".into()) } else { Ok(interval) }
}

fn url(text: &str) -> Result<String, String> {
    let named = text.starts_with("http://") || text.starts_with("https://");
    if named { Ok(text.to_owned()) } else { Err("give http://... or https://...".into()) }
}

pub fn serve(args: &ServeArgs, context: &Context) -> Result<()> {
    log(args.log_format);
    let name = args.definition.display();
    let text = std::fs::read(&args.definition)
        .map_err(|why| hinted(format!("the definition {name} cannot be read: {why}"), "name a file with the text"))?;
    let terms = Definition::read(&text).map_err(|why| {
        hinted(
            format!("the definition {name} cannot be signed: {why}"),
            "`backstop attest serve --help` tells its lines",
        )
    })?;
    let origin = match (&args.file, &args.http) {
        (Some(path), _) => Origin::File(path.clone()),
        (_, Some(url)) => Origin::Http(url.clone()),
        _ => Origin::Command(args.command.clone()),
    };
    let places = Places { value: args.value_path.clone(), time: args.time_path.clone() };
    let source = Source::new(origin, places, args.http_key.clone(), args.timeout);
    let (cluster, key) = (context.cluster()?, context.signer()?);
    let feed = hex_text(&terms.feed);
    let patience = args.interval.saturating_add(args.timeout).saturating_mul(3).max(SHORTEST_PATIENCE);
    let skew = u64::from(args.clock_skew);
    let setup = Setup { cluster, key, set: args.set, definition: &text, terms, source, skew };
    let mut attestor = Attestor::new(setup, &args.log, patience).map_err(|why| {
        let hint = match &why {
            Refusal::Log(_) => "a log is there, empty for a key that has signed nothing; one that is cut is not used",
            _ => "`backstop attest show SET` tells the keys that may sign",
        };
        hinted(redact::text(&why.to_string()).into_owned(), hint)
    })?;
    let server = attestor.board().serve(args.listen).map_err(|why| anyhow!(why))?;
    let stop = context.stop.clone();
    for signal in [SIGINT, SIGTERM] {
        // The first asks to stop, a second does not ask.
        flag::register_conditional_shutdown(signal, 1, stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    tracing::info!(key = %key.try_pubkey()?, set = %args.set, feed, address = %server.address(), "attesting");
    attestor.serve(args.interval, &stop);
    tracing::info!("stopped");
    Ok(())
}
