//! The local cluster of `backstop localnet`, in a process of its own: it takes long to compile, and `backstop` does not.
//!
//! What it does is told on stderr, line by line. When everything is there, one line of JSON on stdout says what is where.

use backstop_sandbox::localnet::{Localnet, LocalnetError, Options};
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The cluster of `backstop localnet`, which starts it: a full local cluster with everything that Backstop needs.
#[derive(Debug, Parser)]
#[command(name = "backstop-localnet", version)]
struct Arguments {
    /// Where keypairs, prices, and the description of the running cluster are.
    #[arg(long, value_name = "DIR", default_value = "localnet")]
    dir: PathBuf,
    /// Port of the JSON-RPC; 0 takes any.
    #[arg(long, value_name = "PORT", default_value_t = 8899)]
    rpc_port: u16,
    /// Port of the websocket; 0 takes any.
    #[arg(long, value_name = "PORT", default_value_t = 8900)]
    ws_port: u16,
    /// Seconds that the cluster's clock moves on in one second.
    #[arg(long, value_name = "FACTOR", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    speed: u32,
    /// Make new keypairs first.
    #[arg(long)]
    reset: bool,
    /// Go on with the prices of the last run.
    #[arg(long)]
    keep_prices: bool,
    /// Stop when stdin ends: whoever started this holds the other side.
    #[arg(long)]
    until_stdin_ends: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            if let Some(hint) = why.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), LocalnetError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Whoever asks twice does not want to wait.
        let twice = flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop));
        twice.and_then(|_| flag::register(signal, Arc::clone(&stop))).map_err(unheard)?;
    }
    if arguments.until_stdin_ends {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            // Whatever comes is not looked at; an end, or a failure, is one.
            let _ = std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut std::io::sink());
            stop.store(true, Ordering::Relaxed);
        });
    }
    let mut tell = |what: &str| eprintln!("localnet: {what}");
    let begun = Instant::now();
    let options = Options {
        dir: arguments.dir.clone(),
        rpc_port: arguments.rpc_port,
        ws_port: arguments.ws_port,
        speed: arguments.speed,
        reset: arguments.reset,
        keep_prices: arguments.keep_prices,
    };
    let mut localnet = Localnet::start(&options, &mut tell)?;
    tell(&format!("ready after {:.1} s; Ctrl-C stops it", begun.elapsed().as_secs_f32()));
    let mut layout = serde_json::to_string(localnet.layout()).map_err(unheard)?;
    layout.push('\n');
    let mut stdout = std::io::stdout();
    stdout.write_all(layout.as_bytes()).and_then(|()| stdout.flush()).map_err(unheard)?;
    let ran = localnet.run(&|| stop.load(Ordering::Relaxed), &mut tell);
    tell("stopping");
    localnet.stop()?;
    ran
}

/// What this process cannot do with its own handles.
fn unheard(why: impl std::fmt::Display) -> LocalnetError {
    LocalnetError::Surfnet(why.to_string())
}
