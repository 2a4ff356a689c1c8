//! What attestors sign, how signatures are put together, and the log that keeps a signer from saying two things of one
//! moment.
//!
//! A report is one message for all signers ([`Report`]); each signs it alone, on a machine of its own, and whoever has
//! enough signatures shows them. So they travel as small files: [`SignedReport`], in JSON.
//!
//! [`definition`] is what a feed's text tells its signers, [`reading`] what their sources say, [`log`] what they have said.

pub mod definition;
pub mod log;
pub mod reading;

use self::log::Log;
use anchor_lang::prelude::Pubkey;
use backstop::border::text::hex_text;
use backstop::peril::feed::attested::{CLUSTER_BYTES, MOST_SIGNATURES, Report};
use backstop::state::{AttestorSet, MOST_ATTESTORS};
use serde::{Deserialize, Serialize};
use solana_sdk::hash::{Hash, hash};
use solana_sdk::signature::Signature;
use solana_sdk::signer::{Signer, SignerError};
use std::io;
use std::str::FromStr;

/// The identity of a feed: sha-256 of the text that defines source, unit, rounding and period, byte by byte.
pub fn feed_of(definition: &[u8]) -> [u8; 32] {
    hash(definition).to_bytes()
}

/// What a report names of a cluster.
pub fn cluster_of(genesis_hash: Hash) -> [u8; CLUSTER_BYTES] {
    let mut cluster = [0; CLUSTER_BYTES];
    for (place, byte) in cluster.iter_mut().zip(genesis_hash.to_bytes()) {
        *place = byte;
    }
    cluster
}

/// Why a signed report is not used, or not made.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The file is no signed report.
    #[error("it is no signed report: {0}")]
    NoReport(String),
    /// A signature is not that of its key under the message.
    #[error("the signature of {0} is not one of this report")]
    BadSignature(Pubkey),
    /// Files of different messages.
    #[error("the files sign different reports")]
    DifferentReports,
    /// The set does not know enough of the keys.
    #[error("{have} of the signatures are of keys that may sign, and {needed} are needed")]
    TooFew {
        /// How many there are.
        have: usize,
        /// How many must sign.
        needed: usize,
    },
    /// The log says that the key has said something else of this feed and moment.
    #[error("the log {log} has another value of this feed and moment: to sign two is to be revoked")]
    Contradiction {
        /// The log.
        log: String,
    },
    /// The log is another key's.
    #[error("the log {log} is that of {own}, and not of {key}: each key has one of its own")]
    OtherKey {
        /// The log.
        log: String,
        /// Whose it is.
        own: Pubkey,
        /// Whose it is not.
        key: Pubkey,
    },
    /// The log says that the key has said something of a later moment.
    #[error("moment {moment} lies before {newest}, of which something was signed: has the clock gone back?")]
    Behind {
        /// The moment, unix seconds.
        moment: i64,
        /// The newest of which something was signed.
        newest: i64,
    },
    /// The log cannot be read, written, or has a line that is none of it.
    #[error("the log {log} cannot be used: {why}")]
    Log {
        /// The log.
        log: String,
        /// Why.
        why: io::Error,
    },
    /// The key does not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// A report with some signatures, as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedReport {
    /// The message, in hexadecimal.
    pub message: String,
    /// Who signed it.
    pub signatures: Vec<KeyAndSignature>,
}

/// A key and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAndSignature {
    /// The key.
    pub key: String,
    /// Its signature, in base58.
    pub signature: String,
}

/// The same, read and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The report.
    pub report: Report,
    /// Who signed it, each once.
    pub signatures: Vec<(Pubkey, Signature)>,
}

impl SignedReport {
    /// Reads a file's text, and verifies every signature in it.
    pub fn read(text: &str) -> Result<Verified, AttestError> {
        let no_report = |why: String| AttestError::NoReport(why);
        let file: Self = serde_json::from_str(text).map_err(|why| no_report(why.to_string()))?;
        let bytes = crate::units::hex_bytes(&file.message).ok_or_else(|| no_report("the message is not hex".into()))?;
        let report = Report::from_bytes(&bytes).map_err(|why| no_report(format!("{why:?}")))?;
        if file.signatures.len() > MOST_ATTESTORS {
            return Err(no_report(format!("it has more than {MOST_ATTESTORS} signatures")));
        }
        let mut signatures = Vec::<(Pubkey, Signature)>::new();
        for entry in file.signatures {
            let key = Pubkey::from_str(&entry.key).map_err(|why| no_report(why.to_string()))?;
            let signature = Signature::from_str(&entry.signature).map_err(|why| no_report(why.to_string()))?;
            if !signature.verify(key.as_ref(), &bytes) {
                return Err(AttestError::BadSignature(key));
            }
            if signatures.iter().all(|(known, _)| *known != key) {
                signatures.push((key, signature));
            }
        }
        Ok(Verified { report, signatures })
    }
}

impl Verified {
    /// The file's text.
    pub fn to_file(&self) -> SignedReport {
        let signatures = self
            .signatures
            .iter()
            .map(|(key, signature)| KeyAndSignature { key: key.to_string(), signature: signature.to_string() });
        SignedReport { message: hex_text(&self.report.to_bytes()), signatures: signatures.collect() }
    }

    /// All signatures of files about one report.
    pub fn combine(files: impl IntoIterator<Item = Self>) -> Result<Self, AttestError> {
        let mut files = files.into_iter();
        let mut all = files.next().ok_or_else(|| AttestError::NoReport("there is none".into()))?;
        for file in files {
            if file.report != all.report {
                return Err(AttestError::DifferentReports);
            }
            for (key, signature) in file.signatures {
                if all.signatures.iter().all(|(known, _)| *known != key) {
                    all.signatures.push((key, signature));
                }
            }
        }
        Ok(all)
    }

    /// The signatures that show it to a trigger: as many as the set needs, of keys that may sign.
    pub fn chosen(&self, set: &AttestorSet) -> Result<Vec<(Pubkey, [u8; 64])>, AttestError> {
        self.chosen_at_least(set, usize::from(set.threshold))
    }

    /// The signatures that show a loss to a trigger: as many as the set needs if there are so many, and one at least.
    pub fn chosen_of_loss(&self, set: &AttestorSet) -> Result<Vec<(Pubkey, [u8; 64])>, AttestError> {
        self.chosen_at_least(set, 1)
    }

    fn chosen_at_least(&self, set: &AttestorSet, needed: usize) -> Result<Vec<(Pubkey, [u8; 64])>, AttestError> {
        let may = |key: &Pubkey| {
            let place = set.attestors().iter().position(|known| known == key);
            place.is_some_and(|place| set.revoked & (1 << place) == 0)
        };
        let mut known: Vec<_> = self.signatures.iter().filter(|(key, _)| may(key)).collect();
        if known.len() < needed {
            return Err(AttestError::TooFew { have: known.len(), needed });
        }
        known.truncate(usize::from(set.threshold).min(MOST_SIGNATURES));
        Ok(known.into_iter().map(|(key, signature)| (*key, (*signature).into())).collect())
    }
}

/// Signs a report, unless the log has another value of its feed and moment. What is signed stands in the log, on the disk,
/// before the signature is made: a crash between them costs a signature and never a key.
pub fn sign(report: &Report, key: &dyn Signer, log: &mut Log) -> Result<Verified, AttestError> {
    log.claim(&key.try_pubkey()?)?;
    log.remember(report)?;
    signed(report, key)
}

/// Signs a report that stands in a log.
pub fn signed(report: &Report, key: &dyn Signer) -> Result<Verified, AttestError> {
    let signature = key.try_sign_message(&report.to_bytes())?;
    Ok(Verified { report: *report, signatures: vec![(key.try_pubkey()?, signature)] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::peril::feed::attested::ReportKind;
    use solana_sdk::signature::Keypair;
    use std::path::Path;

    fn opened(path: &Path) -> Log {
        Log::open_or_create(path).expect("it can be used")
    }

    fn report() -> Report {
        Report {
            cluster: [7; 8],
            set: Pubkey::new_from_array([3; 32]),
            feed: feed_of(b"mm of rain"),
            kind: ReportKind::Value,
            exponent: -2,
            value: 1_234,
            confidence: 0,
            observed_at: 1_700_000_000,
        }
    }

    fn log(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("backstop-attest-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_feed_is_the_sha_256_of_its_definition() {
        let feed = hex_text(&feed_of(b"abc"));
        assert_eq!(feed, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn files_of_signers_become_one_that_can_be_shown() {
        let keys: Vec<Keypair> = (1..=3).map(|seed| Keypair::new_from_array([seed; 32])).collect();
        let logs = [0, 1, 2].map(|number| log(&format!("combine-{number}")));
        let files: Vec<Verified> = keys
            .iter()
            .zip(&logs)
            .map(|(key, log)| {
                let signed = sign(&report(), key, &mut opened(log)).expect("it is signed");
                let text = serde_json::to_string(&signed.to_file()).expect("JSON");
                SignedReport::read(&text).expect("it is what was written")
            })
            .collect();
        let all = Verified::combine([files.clone(), files].concat()).expect("one report");
        assert_eq!(all.signatures.len(), 3);
        let mut set: AttestorSet = bytemuck::Zeroable::zeroed();
        set.appoint(&keys.iter().map(Keypair::pubkey).collect::<Vec<_>>(), 2).expect("within bounds");
        assert_eq!(all.chosen(&set).expect("enough").len(), 2);
        set.revoked = 0b011;
        assert!(matches!(all.chosen(&set), Err(AttestError::TooFew { have: 1, needed: 2 })));
        let other =
            sign(&Report { observed_at: 1, ..report() }, &keys[0], &mut opened(&logs[0])).expect("another moment");
        assert!(matches!(sign(&report(), &keys[1], &mut opened(&logs[0])), Err(AttestError::OtherKey { .. })));
        assert!(matches!(Verified::combine([all.clone(), other]), Err(AttestError::DifferentReports)));
        let mut forged = all.to_file();
        forged.signatures[0].key = keys[1].pubkey().to_string();
        let text = serde_json::to_string(&forged).expect("JSON");
        assert!(matches!(SignedReport::read(&text), Err(AttestError::BadSignature(_))));
        logs.iter().for_each(|log| drop(std::fs::remove_file(log)));
    }

    #[test]
    fn a_signer_says_one_thing_of_a_feed_and_moment() {
        let (key, log) = (Keypair::new_from_array([1; 32]), log("once"));
        let first = sign(&report(), &key, &mut opened(&log)).expect("nothing was said");
        assert_eq!(sign(&report(), &key, &mut opened(&log)).expect("the same again"), first);
        let lie = Report { value: 1, ..report() };
        assert!(matches!(sign(&lie, &key, &mut opened(&log)), Err(AttestError::Contradiction { .. })));
        assert!(
            sign(&Report { exponent: -3, value: 12_340, ..report() }, &key, &mut opened(&log)).is_err(),
            "also in other units"
        );
        assert!(sign(&Report { observed_at: 1_700_000_001, ..lie }, &key, &mut opened(&log)).is_ok());
        assert!(sign(&Report { feed: [1; 32], ..lie }, &key, &mut opened(&log)).is_ok());
        assert!(sign(&Report { set: Pubkey::default(), ..lie }, &key, &mut opened(&log)).is_ok());
        // A line that was cut.
        let mut text = std::fs::read_to_string(&log).expect("it is there");
        text.truncate(text.len() - 20);
        std::fs::write(&log, text).expect("it is written");
        assert!(matches!(Log::open(&log), Err(AttestError::Log { .. })));
        let _ = std::fs::remove_file(log);
    }
}
