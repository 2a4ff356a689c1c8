//! What a key has signed: one message of a feed and moment, in a file that outlasts crashes.
//!
//! A line each, the message in hexadecimal digits, on the disk before the signature is made: a crash between them costs a
//! signature and never a key. The file is locked while it is looked at and added to, so any number of processes may share
//! it; what others have added is read before anything is. It only ever grows. A line `key` says whose it is.

use super::AttestError;
use anchor_lang::prelude::Pubkey;
use backstop::border::text::hex_text;
use backstop::peril::feed::attested::{AttestedValue, CLUSTER_BYTES, Report, ReportKind};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long another process may hold the log: it does for one write to the disk.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often it is tried.
const LOOK: Duration = Duration::from_millis(10);
/// Most bytes of a line, which has one length: what is longer is none.
const MOST_LINE: u64 = 1_024;

/// What messages are of that differ in moment and value only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    cluster: [u8; CLUSTER_BYTES],
    set: Pubkey,
    feed: [u8; 32],
    kind: u8,
}

impl Stream {
    /// That of a report.
    pub fn of(report: &Report) -> Self {
        Self { cluster: report.cluster, set: report.set, feed: report.feed, kind: report.kind.byte() }
    }

    fn report(&self, observed_at: i64, value: AttestedValue) -> Option<Report> {
        let AttestedValue { exponent, value, confidence } = value;
        let (cluster, set, feed, kind) = (self.cluster, self.set, self.feed, ReportKind::from_byte(self.kind)?);
        Some(Report { cluster, set, feed, kind, exponent, value, confidence, observed_at })
    }
}

/// A log, and what it says.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// Bytes of it that were read.
    read_to: u64,
    said: BTreeMap<Stream, BTreeMap<i64, AttestedValue>>,
    /// Whose it is, once a key has said so.
    key: Option<Pubkey>,
}

/// What stands before the key in the line that says whose a log is.
const KEY_LINE: &str = "key ";

impl Log {
    /// Opens a log, and makes an empty one where there is none.
    ///
    /// Errors: it cannot be read or made, another process holds it, or a line of it is no report.
    pub fn open_or_create(path: &Path) -> Result<Self, AttestError> {
        let made = OpenOptions::new().append(true).create_new(true).open(path).and_then(|file| file.sync_all());
        match made {
            // Without its name in its folder, on the disk, it is gone after a crash with all it says.
            Ok(()) => sync_folder(path).map_err(|why| failed(path, why))?,
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            Err(why) => return Err(failed(path, why)),
        }
        Self::open(path)
    }

    /// Opens a log that is there.
    ///
    /// Errors: as [`Self::open_or_create`], and there is none.
    pub fn open(path: &Path) -> Result<Self, AttestError> {
        let mut log = Self { path: path.to_owned(), read_to: 0, said: BTreeMap::new(), key: None };
        let mut file = log.lock()?;
        log.catch_up(&mut file)?;
        Ok(log)
    }

    /// Makes it a key's own, if it is nobody's yet.
    ///
    /// Errors: it is another's; it cannot be used.
    pub fn claim(&mut self, key: &Pubkey) -> Result<(), AttestError> {
        let mut file = self.lock()?;
        self.catch_up(&mut file)?;
        match self.key {
            Some(own) if own == *key => Ok(()),
            Some(own) => Err(AttestError::OtherKey { log: self.path.display().to_string(), own, key: *key }),
            None => {
                self.append(&mut file, &format!("{KEY_LINE}{key}\n"))?;
                self.key = Some(*key);
                Ok(())
            }
        }
    }

    /// Adds a line, on the disk.
    fn append(&mut self, file: &mut File, line: &str) -> Result<(), AttestError> {
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(|why| failed(&self.path, why))?;
        self.read_to = self.read_to.saturating_add(line.len() as u64);
        Ok(())
    }

    /// What was last signed of a stream, as of when the log was last looked at.
    pub fn newest(&self, stream: &Stream) -> Option<Report> {
        let (at, value) = self.said.get(stream)?.last_key_value()?;
        stream.report(*at, *value)
    }

    /// What was signed of a moment of a stream, as of when the log was last looked at.
    pub fn of(&self, stream: &Stream, moment: i64) -> Option<Report> {
        stream.report(moment, *self.said.get(stream)?.get(&moment)?)
    }

    /// What was signed of a stream lately, from old to new, so many at most.
    pub fn latest(&self, stream: &Stream, most: usize) -> Vec<Report> {
        let all = self.said.get(stream).into_iter().flatten().rev().take(most);
        let mut reports: Vec<Report> = all.filter_map(|(at, value)| stream.report(*at, *value)).collect();
        reports.reverse();
        reports
    }

    /// Notes that a report will be signed. Only afterwards may it be.
    ///
    /// Errors: something else was signed of this feed and moment; the log cannot be used.
    pub fn remember(&mut self, report: &Report) -> Result<(), AttestError> {
        self.remember_if(report, |_| true)
    }

    /// [`Self::remember`], if nothing of the stream was signed after the report's moment, and says so if it was.
    ///
    /// Whoever signs as time goes on, and nothing twice, needs this: whatever the clock does, it says nothing new of what
    /// lies behind it.
    pub fn remember_next(&mut self, report: &Report) -> Result<(), AttestError> {
        self.remember_if(report, |newest| newest.is_none_or(|newest| newest <= report.observed_at))
    }

    fn remember_if(&mut self, report: &Report, allows: impl Fn(Option<i64>) -> bool) -> Result<(), AttestError> {
        let mut file = self.lock()?;
        self.catch_up(&mut file)?;
        let (stream, value) = (Stream::of(report), AttestedValue::from(*report));
        let moments = self.said.get(&stream);
        match moments.and_then(|moments| moments.get(&report.observed_at)) {
            Some(said) if *said == value => return Ok(()),
            Some(_) => return Err(AttestError::Contradiction { log: self.path.display().to_string() }),
            None => {}
        }
        let newest = moments.and_then(|moments| moments.last_key_value()).map(|(at, _)| *at);
        if !allows(newest) {
            return Err(AttestError::Behind { moment: report.observed_at, newest: newest.unwrap_or_default() });
        }
        self.append(&mut file, &format!("{}\n", hex_text(&report.to_bytes())))?;
        self.said.entry(stream).or_default().insert(report.observed_at, value);
        Ok(())
    }

    /// The file, which nobody else uses until it is closed.
    fn lock(&self) -> Result<File, AttestError> {
        let file =
            OpenOptions::new().read(true).append(true).open(&self.path).map_err(|why| failed(&self.path, why))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT => std::thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => {
                    let why = io::Error::new(ErrorKind::WouldBlock, "another process holds it");
                    return Err(failed(&self.path, why));
                }
                Err(TryLockError::Error(why)) => return Err(failed(&self.path, why)),
            }
        }
    }

    /// Reads what was added since.
    fn catch_up(&mut self, file: &mut File) -> Result<(), AttestError> {
        let wrong = |why: &str| failed(&self.path, io::Error::new(ErrorKind::InvalidData, why));
        let io = |why| failed(&self.path, why);
        if file.metadata().map_err(io)?.len() < self.read_to {
            return Err(wrong("it is shorter than it was"));
        }
        file.seek(SeekFrom::Start(self.read_to)).map_err(io)?;
        let mut reader = BufReader::new(&mut *file);
        loop {
            let mut line = String::new();
            let length = io::Read::take(&mut reader, MOST_LINE).read_line(&mut line).map_err(io)?;
            if length == 0 {
                return Ok(());
            }
            // A line that was cut by a crash was never signed; but what it said is not known, so nothing is. And where a
            // piece of the end is missing, more may be.
            let whole = line.strip_suffix('\n').ok_or_else(|| wrong("its last line is cut off"))?;
            self.read_to = self.read_to.saturating_add(length as u64);
            if let Some(key) = whole.strip_prefix(KEY_LINE) {
                self.key = Some(key.parse().map_err(|_| wrong("a line of it says whose it is, and names no key"))?);
                continue;
            }
            let said = crate::units::hex_bytes(whole).and_then(|bytes| Report::from_bytes(&bytes).ok());
            let said = said.ok_or_else(|| wrong("a line of it is no report"))?;
            self.said.entry(Stream::of(&said)).or_default().insert(said.observed_at, said.into());
        }
    }
}

fn failed(path: &Path, why: io::Error) -> AttestError {
    AttestError::Log { log: path.display().to_string(), why }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(value: i64, observed_at: i64) -> Report {
        Report {
            cluster: [7; 8],
            set: Pubkey::new_from_array([3; 32]),
            feed: [5; 32],
            kind: ReportKind::Value,
            exponent: -2,
            value,
            confidence: 0,
            observed_at,
        }
    }

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("backstop-log-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_log_that_is_opened_again_says_what_it_said() {
        let path = path("again");
        assert!(matches!(Log::open(&path), Err(AttestError::Log { .. })), "it is not made by looking");
        let mut log = Log::open_or_create(&path).expect("it is made");
        let stream = Stream::of(&report(1, 1));
        assert_eq!((log.newest(&stream), log.latest(&stream, 9)), (None, Vec::new()));
        for at in [10, 20, 30] {
            log.remember_next(&report(at, at)).expect("it is new");
        }
        let again = Log::open(&path).expect("it is there");
        assert_eq!(again.newest(&stream), Some(report(30, 30)));
        assert_eq!(again.latest(&stream, 2), [report(20, 20), report(30, 30)]);
        assert_eq!(again.newest(&Stream { kind: 9, ..stream }), None);
        let _ = std::fs::remove_file(path);
    }

    #[test]
    fn a_log_is_one_keys() {
        let path = path("whose");
        let keys = [1, 2].map(|byte| Pubkey::new_from_array([byte; 32]));
        let mut log = Log::open_or_create(&path).expect("it is made");
        log.remember(&report(1, 10)).expect("a log of before belongs to nobody");
        log.claim(&keys[0]).expect("it is nobody's");
        log.remember(&report(2, 20)).expect("it is new");
        let mut again = Log::open(&path).expect("it is there");
        again.claim(&keys[0]).expect("it is its own");
        assert!(matches!(again.claim(&keys[1]), Err(AttestError::OtherKey { own, .. }) if own == keys[0]));
        assert_eq!(again.latest(&Stream::of(&report(1, 1)), 9).len(), 2);
        assert_eq!(std::fs::read_to_string(&path).expect("it is there").lines().count(), 3);
        let _ = std::fs::remove_file(path);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_new() {
        let path = path("back");
        let mut log = Log::open_or_create(&path).expect("it is made");
        log.remember_next(&report(1, 20)).expect("it is new");
        assert!(matches!(log.remember_next(&report(1, 10)), Err(AttestError::Behind { moment: 10, newest: 20 })));
        log.remember_next(&report(1, 20)).expect("the same is nothing new");
        assert!(matches!(log.remember_next(&report(2, 20)), Err(AttestError::Contradiction { .. })));
        let other = Report { feed: [6; 32], ..report(1, 10) };
        log.remember_next(&other).expect("another feed has a time of its own");
        log.remember(&report(1, 10)).expect("who signs by hand may say what was");
        assert!(matches!(log.remember_next(&report(2, 10)), Err(AttestError::Contradiction { .. })));
        let _ = std::fs::remove_file(path);
    }

    #[test]
    fn two_instances_on_one_log_do_not_say_two_things() {
        let path = path("two");
        let mut one = Log::open_or_create(&path).expect("it is made");
        let mut other = Log::open_or_create(&path).expect("it is there");
        one.remember_next(&report(1, 10)).expect("it is new");
        assert!(matches!(other.remember_next(&report(2, 10)), Err(AttestError::Contradiction { .. })));
        other.remember_next(&report(1, 10)).expect("the same is nothing new");
        other.remember_next(&report(2, 20)).expect("it is new");
        assert!(matches!(one.remember_next(&report(3, 20)), Err(AttestError::Contradiction { .. })));
        assert_eq!(std::fs::read_to_string(&path).expect("it is text").lines().count(), 2);
        // Many at once: of each moment one value stands.
        let threads: Vec<_> = (0..4)
            .map(|value| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let mut log = Log::open(&path).expect("it is there");
                    (0..25).filter(|at| log.remember(&report(value, 1_000 + at)).is_ok()).count()
                })
            })
            .collect();
        let signed: usize = threads.into_iter().map(|thread| thread.join().expect("it ends")).sum();
        assert_eq!(signed, 25, "one of four for each moment");
        let _ = std::fs::remove_file(path);
    }

    #[test]
    fn a_log_that_somebody_holds_is_waited_for_and_not_for_ever() {
        let path = path("held");
        let mut log = Log::open_or_create(&path).expect("it is made");
        let held = File::open(&path).expect("it is there");
        held.lock().expect("nobody else does");
        assert!(matches!(log.remember(&report(1, 10)), Err(AttestError::Log { .. })));
        drop(held);
        log.remember(&report(1, 10)).expect("it is free");
        let _ = std::fs::remove_file(path);
    }

    #[test]
    fn a_log_that_was_cut_replaced_or_removed_is_not_used() {
        let path = path("cut");
        let mut log = Log::open_or_create(&path).expect("it is made");
        log.remember(&report(1, 10)).expect("it is new");
        log.remember(&report(1, 20)).expect("it is new");
        let text = std::fs::read_to_string(&path).expect("it is text");
        let refused = |log: &mut Log, why: &str| match log.remember(&report(1, 30)) {
            Err(AttestError::Log { why: told, .. }) => assert!(told.to_string().contains(why), "{told}"),
            other => panic!("{other:?}"),
        };
        std::fs::write(&path, &text[..text.len() - 1]).expect("it is written");
        refused(&mut log, "shorter than it was");
        assert!(Log::open(&path).is_err(), "its last line has no end");
        std::fs::write(&path, format!("{text}what\n")).expect("it is written");
        refused(&mut log, "no report");
        std::fs::write(&path, format!("{text}{}", "0".repeat(5_000))).expect("it is written");
        refused(&mut log, "cut off");
        std::fs::remove_file(&path).expect("it is there");
        assert!(log.remember(&report(1, 30)).is_err() && !path.exists(), "it is not made anew");
    }
}
