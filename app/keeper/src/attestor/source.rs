//! Where an attestor's values come from: a file, a command, or an address.

use backstop_client::attest::reading::{Places, Reading, ReadingError};
use backstop_client::redact;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, UNIX_EPOCH};
use ureq::Agent;

/// How long a source may take, if nobody says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes that a source may say.
const MOST_BYTES: u64 = 1 << 20;
/// How often a command is looked after.
const LOOK: Duration = Duration::from_millis(10);
/// What stands in a command and in an address for the moment that is asked for, in unix seconds.
const MOMENT: &str = "{at}";

/// Where values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file that something else writes.
    File(PathBuf),
    /// What a program prints: the program and its arguments, without a shell.
    Command(Vec<String>),
    /// What an address answers to GET.
    Http(String),
}

/// Why a source gives no value.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("the file {path} cannot be read: {why}")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        why: io::Error,
    },
    /// It is no file: a pipe or a device may never end.
    #[error("{0} is no plain file")]
    NoFile(String),
    /// The command cannot be run.
    #[error("the command {command} cannot be run: {why}")]
    Command {
        /// Its first word.
        command: String,
        /// The system's words.
        why: io::Error,
    },
    /// The command has failed.
    #[error("the command {command} has failed: {how}")]
    Failed {
        /// Its first word.
        command: String,
        /// How it ended.
        how: String,
    },
    /// It did not answer in time.
    #[error("{what} does not answer within {} s", .limit.as_secs())]
    Hangs {
        /// The source.
        what: String,
        /// The time.
        limit: Duration,
    },
    /// The command before has not let go of its output.
    #[error("the command {0} was given up, and something that it started still runs")]
    StillRuns(String),
    /// It says too much.
    #[error("{0} says more than {MOST_BYTES} bytes")]
    TooLong(String),
    /// The address gives nothing.
    #[error("{url} gives no value: {why}")]
    Http {
        /// Its host.
        url: String,
        /// Why.
        why: String,
    },
    /// What it says is no value.
    #[error(transparent)]
    Reading(#[from] ReadingError),
}

/// A source, asked for one value after the other.
pub struct Source {
    origin: Origin,
    places: Places,
    /// Sent to an address as a bearer's key.
    key: Option<String>,
    limit: Duration,
    agent: Agent,
    /// What a command that was given up may still say.
    given_up: Option<Receiver<io::Result<Vec<u8>>>>,
}

impl Source {
    /// A source that may take so long, at most, for each value.
    pub fn new(origin: Origin, places: Places, key: Option<String>, limit: Duration) -> Self {
        // What is asked of one host is answered by it, or not at all.
        let config = Agent::config_builder()
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        Self { origin, places, key, limit, agent: config.into(), given_up: None }
    }

    /// Whether it is asked of a moment: then what it says is of that one.
    pub fn is_asked_of_a_moment(&self) -> bool {
        match &self.origin {
            Origin::File(_) => false,
            Origin::Command(words) => words.iter().any(|word| word.contains(MOMENT)),
            Origin::Http(url) => url.contains(MOMENT),
        }
    }

    /// What it says of a moment.
    pub fn read(&mut self, moment: i64) -> Result<Reading, SourceError> {
        let at = moment.to_string();
        let (bytes, written) = match self.origin.clone() {
            Origin::File(path) => read_file(&path)?,
            Origin::Command(words) => {
                let words: Vec<String> = words.iter().map(|word| word.replace(MOMENT, &at)).collect();
                (self.run(&words)?, None)
            }
            Origin::Http(url) => (self.get(&url.replace(MOMENT, &at))?, None),
        };
        Ok(Reading { written, ..Reading::read(&bytes, &self.places)? })
    }

    fn run(&mut self, words: &[String]) -> Result<Vec<u8>, SourceError> {
        let [program, arguments @ ..] = words else {
            let why = io::Error::new(io::ErrorKind::InvalidInput, "it has no word");
            return Err(SourceError::Command { command: String::new(), why });
        };
        let name = || redact::shown(program);
        if let Some(before) = &self.given_up {
            if matches!(before.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout)) {
                return Err(SourceError::StillRuns(name()));
            }
            self.given_up = None;
        }
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // It is told nothing of who signs.
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BACKSTOP_")) {
            command.env_remove(variable);
        }
        let mut child = command.spawn().map_err(|why| SourceError::Command { command: name(), why })?;
        let begun = Instant::now();
        let said = listen(&mut child);
        let read = match said.recv_timeout(self.limit) {
            Ok(read) => read,
            Err(_) => {
                end(&mut child);
                self.given_up = Some(said);
                return Err(SourceError::Hangs { what: format!("the command {}", name()), limit: self.limit });
            }
        };
        let bytes = match read {
            Ok(bytes) if bytes.len() as u64 <= MOST_BYTES => bytes,
            Ok(_) => {
                end(&mut child);
                return Err(SourceError::TooLong(format!("the command {}", name())));
            }
            Err(why) => {
                end(&mut child);
                return Err(SourceError::Command { command: name(), why });
            }
        };
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(bytes),
                Ok(Some(status)) => return Err(SourceError::Failed { command: name(), how: status.to_string() }),
                Ok(None) if begun.elapsed() < self.limit => std::thread::sleep(LOOK),
                Ok(None) => {
                    end(&mut child);
                    return Err(SourceError::Hangs { what: format!("the command {}", name()), limit: self.limit });
                }
                Err(why) => return Err(SourceError::Command { command: name(), why }),
            }
        }
    }

    fn get(&self, url: &str) -> Result<Vec<u8>, SourceError> {
        let failed = |why: String| SourceError::Http { url: redact::url(url), why };
        let mut request = self.agent.get(url);
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let silent = |why: &ureq::Error| match why {
            ureq::Error::Timeout(_) => SourceError::Hangs { what: redact::url(url), limit: self.limit },
            ureq::Error::BodyExceedsLimit(_) => SourceError::TooLong(redact::url(url)),
            ureq::Error::HostNotFound => failed("there is no such host".into()),
            // Its words may repeat the address.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => failed("its address cannot be used".into()),
            other => failed(format!("it does not answer: {other}")),
        };
        let mut response = request.call().map_err(|why| silent(&why))?;
        match response.status().as_u16() {
            200 => {}
            status @ 300..=399 => return Err(failed(format!("it sends on to somebody else ({status})"))),
            status => return Err(failed(format!("it answers with status {status}"))),
        }
        response.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(|why| silent(&why))
    }
}

fn read_file(path: &PathBuf) -> Result<(Vec<u8>, Option<i64>), SourceError> {
    let name = path.display().to_string();
    let failed = |why| SourceError::File { path: name.clone(), why };
    // Before it is opened: to open a pipe is to wait for somebody.
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        return Err(SourceError::NoFile(name));
    }
    let written = about.modified().map_err(failed)?.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(SourceError::TooLong(name));
    }
    Ok((bytes, Some(i64::try_from(written).unwrap_or(i64::MAX))))
}

/// Listens to what a child prints, in a thread that ends with its output.
fn listen(child: &mut Child) -> Receiver<io::Result<Vec<u8>>> {
    let (tell, told) = channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = output.take(MOST_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes);
            // Nobody may listen any more.
            let _ = tell.send(read);
        });
    }
    told
}

/// Ends a child that is not waited for any more.
fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::http::{Answer, Question, Server};

    const SHORT: Duration = Duration::from_millis(1_500);

    fn source(origin: Origin) -> Source {
        Source::new(origin, Places::default(), None, SHORT)
    }

    fn shell(script: &str) -> Source {
        source(Origin::Command(["sh", "-c", script].map(str::to_owned).to_vec()))
    }

    fn value(read: Result<Reading, SourceError>) -> String {
        read.expect("it says something").value.to_string()
    }

    #[test]
    fn a_file_says_its_value_and_when_it_was_written() {
        let path = std::env::temp_dir().join(format!("backstop-source-{}", std::process::id()));
        let mut file = source(Origin::File(path.clone()));
        assert!(matches!(file.read(0), Err(SourceError::File { .. })));
        std::fs::write(&path, "12.5\n").expect("it is written");
        let read = file.read(0).expect("it says something");
        assert_eq!((read.value.to_string().as_str(), read.at), ("12.5", None));
        assert!(read.written.is_some_and(|at| at > 1_700_000_000));
        std::fs::write(&path, "about twelve").expect("it is written");
        assert!(matches!(file.read(0), Err(SourceError::Reading(ReadingError::NoNumber))));
        std::fs::write(&path, vec![b'1'; (1 << 20) + 1]).expect("it is written");
        assert!(matches!(file.read(0), Err(SourceError::TooLong(_))));
        std::fs::remove_file(&path).expect("it is there");
        assert!(matches!(source(Origin::File("/dev/zero".into())).read(0), Err(SourceError::NoFile(_))));
    }

    #[test]
    fn a_command_is_told_the_moment_and_nothing_of_the_key() {
        assert_eq!(value(source(Origin::Command(["echo", "{at}"].map(str::to_owned).to_vec())).read(1_700)), "1700");
        assert_eq!(value(shell("echo 7 {at}").read(1_700)), "7");
        assert!(matches!(shell("echo 7; exit 3").read(0), Err(SourceError::Failed { .. })));
        assert!(matches!(shell("echo seven").read(0), Err(SourceError::Reading(_))));
        assert!(matches!(shell("yes").read(0), Err(SourceError::TooLong(_))));
        let none = Origin::Command(vec!["/no/such/program".into()]);
        assert!(matches!(source(none).read(0), Err(SourceError::Command { .. })));
        assert!(matches!(source(Origin::Command(Vec::new())).read(0), Err(SourceError::Command { .. })));
    }

    #[test]
    fn a_command_that_hangs_is_given_up() {
        let begun = Instant::now();
        assert!(matches!(shell("exec sleep 60").read(0), Err(SourceError::Hangs { .. })));
        // It has closed its output, and goes on.
        assert!(matches!(shell("echo 1; exec sleep 60 >&-").read(0), Err(SourceError::Hangs { .. })));
        // What it has started holds its output: no further one is started before that ends.
        let mut leaves = shell("sleep 6 & wait");
        assert!(matches!(leaves.read(0), Err(SourceError::Hangs { .. })));
        assert!(matches!(leaves.read(0), Err(SourceError::StillRuns(_))));
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn an_address_is_asked_once_and_nobody_else() {
        let server = Server::start("127.0.0.1:0".parse().expect("an address"), |question: &Question| {
            match (question.path, question.part("at")) {
                ("/rain", Some(at)) => Answer::text(200, format!("{{\"now\":{{\"rain\":0.5,\"of\":{at}}}}}")),
                ("/long", _) => Answer::text(200, "1".repeat(2 << 20)),
                ("/moved", _) => Answer::text(302, ""),
                _ => Answer::text(404, "1"),
            }
        });
        let server = server.expect("a port is free");
        let of = |path: &str| format!("http://{}{path}", server.address());
        let places = Places { value: Some("/now/rain".into()), time: Some("/now/of".into()) };
        let read = Source::new(Origin::Http(of("/rain?at={at}")), places, Some("KEY".into()), SHORT).read(1_700);
        assert_eq!(read.expect("it says something").at, Some(1_700));
        let why = |path: &str| source(Origin::Http(of(path))).read(0).expect_err("it says nothing").to_string();
        assert!(
            why("/nothing?key=SECRET").ends_with("it answers with status 404") && !why("/x?SECRET").contains("SECRET")
        );
        assert!(why("/moved").contains("sends on to somebody else"));
        assert!(why("/long").contains("says more than"));
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}/", silent.local_addr().expect("it has an address"));
        assert!(matches!(source(Origin::Http(url)).read(0), Err(SourceError::Hangs { .. })));
    }
}
