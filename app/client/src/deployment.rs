//! The deployed program: its bytes, who may replace it, and the IDL that was published for it.

use crate::address;
use crate::cluster::{Cluster, ClusterError};
use anchor_lang::prelude::{Pubkey, pubkey};
use anchor_lang::solana_program::bpf_loader_upgradeable;
use solana_sdk::hash::hash;

/// Bytes that the loader keeps before the code: kind (3, as u32), slot of the deployment (u64), then 1 and the upgrade
/// authority, or 0.
const HEADER: usize = 45;
/// The program that IDLs are published with.
const METADATA_PROGRAM: Pubkey = pubkey!("ProgM6JCCvbYkfKqJYHePx4xxSUSqJp7rh8Lyv7nk7S");
/// Seed of a program's IDL: a name in 16 bytes.
const IDL_SEED: &[u8; 16] = b"idl\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Where the metadata's content begins, and the bytes before it that say what it is.
const METADATA_HEADER: usize = 96;
const COMPRESSION: usize = 84;
const SOURCE: usize = 86;
const LENGTH: usize = 87;

/// The program as committed.
pub const PROGRAM: &[u8] = include_bytes!("../../../artifacts/backstop.so");

/// The program's code as committed, without the padding that a deployment may add.
pub fn committed_code() -> &'static [u8] {
    code(PROGRAM)
}

/// The IDL as committed.
pub fn committed_idl() -> &'static str {
    include_str!("../../../artifacts/backstop.json")
}

/// Code without the zeros that fill its account up.
pub fn code(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..length]
}

/// Sha-256 of code without its padding, in hexadecimal: what solana-verify calls the program's hash.
pub fn code_hash(bytes: &[u8]) -> String {
    backstop::border::text::hex_text(&hash(code(bytes)).to_bytes())
}

/// A program as it is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Slot in which it was deployed.
    pub slot: u64,
    /// Who may replace it; `None` if nobody can.
    pub upgrade_authority: Option<Pubkey>,
    /// The code with its padding.
    pub bytes: Vec<u8>,
}

impl Deployment {
    /// Reads the deployed program. `None` if there is none, or it is no upgradeable program's data.
    pub fn read(cluster: &dyn Cluster) -> Result<Option<Self>, ClusterError> {
        let account = cluster.account(&address::program_data())?;
        let account = account.filter(|account| account.owner == bpf_loader_upgradeable::ID);
        Ok(account.and_then(|account| Self::decode(&account.data)))
    }

    fn decode(data: &[u8]) -> Option<Self> {
        let (header, bytes) = data.split_at_checked(HEADER)?;
        let rest = header.strip_prefix(&3u32.to_le_bytes())?;
        let (slot, rest) = rest.split_first_chunk::<8>()?;
        let upgrade_authority = match rest.split_first()? {
            (0, _) => None,
            (1, key) => Some(Pubkey::try_from(key).ok()?),
            _ => return None,
        };
        Some(Self { slot: u64::from_le_bytes(*slot), upgrade_authority, bytes: bytes.to_vec() })
    }
}

/// The IDL that was published for the program, compared with one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishedIdl {
    /// There is none.
    Absent,
    /// It says the same.
    Same,
    /// It says something else.
    Other,
    /// It is compressed, or elsewhere: it cannot be compared here.
    NotPlain,
}

impl PublishedIdl {
    /// Reads the IDL that the program's upgrade authority published with the program-metadata program.
    pub fn read(cluster: &dyn Cluster, ours: &str) -> Result<Self, ClusterError> {
        let account = cluster.account(&Self::address())?.filter(|account| account.owner == METADATA_PROGRAM);
        Ok(account.map_or(Self::Absent, |account| Self::compare(&account.data, ours)))
    }

    /// Where it is published.
    pub fn address() -> Pubkey {
        Pubkey::find_program_address(&[backstop::ID.as_ref(), IDL_SEED], &METADATA_PROGRAM).0
    }

    fn compare(data: &[u8], ours: &str) -> Self {
        let plain = data.get(COMPRESSION) == Some(&0) && data.get(SOURCE) == Some(&0);
        let length = data.get(LENGTH..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
        let content = length.and_then(|length| data.get(METADATA_HEADER..)?.get(..length as usize));
        let parsed = content.and_then(|content| serde_json::from_slice::<serde_json::Value>(content).ok());
        match (parsed, serde_json::from_str::<serde_json::Value>(ours)) {
            (Some(published), Ok(ours)) if plain => {
                if published == ours {
                    Self::Same
                } else {
                    Self::Other
                }
            }
            _ => Self::NotPlain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program_data(authority: Option<Pubkey>, code: &[u8]) -> Vec<u8> {
        let key = authority.unwrap_or_default();
        let is_set = [u8::from(authority.is_some())];
        [3u32.to_le_bytes().as_slice(), &7u64.to_le_bytes(), &is_set, key.as_ref(), code].concat()
    }

    #[test]
    fn deployment_is_read_with_and_without_an_upgrade_authority() {
        let key = Pubkey::new_from_array([9; 32]);
        for authority in [None, Some(key)] {
            let deployment = Deployment::decode(&program_data(authority, b"code\0\0")).expect("it is one");
            assert_eq!(deployment, Deployment { slot: 7, upgrade_authority: authority, bytes: b"code\0\0".to_vec() });
        }
        assert_eq!(Deployment::decode(&program_data(None, b"")[..44]), None);
        assert_eq!(Deployment::decode(&[2; 100]), None);
    }

    #[test]
    fn padding_at_the_end_changes_no_hash() {
        assert_eq!(code_hash(b"code\0\0\0"), code_hash(b"code"));
        assert_ne!(code_hash(b"\0code"), code_hash(b"code"));
        assert_eq!(code(&[0; 9]), b"");
    }

    #[test]
    fn committed_idl_is_this_programs() {
        let idl: serde_json::Value = serde_json::from_str(committed_idl()).expect("JSON");
        assert_eq!(idl["address"], backstop::ID.to_string());
    }

    #[test]
    fn plain_idl_is_compared_by_what_it_says() {
        let metadata = |compression: u8, content: &str| {
            let mut data = vec![0; METADATA_HEADER];
            data[COMPRESSION] = compression;
            let length = u32::try_from(content.len()).expect("it is short");
            data[LENGTH..LENGTH + 4].copy_from_slice(&length.to_le_bytes());
            data.extend_from_slice(content.as_bytes());
            data
        };
        let ours = r#"{"a": 1, "b": 2}"#;
        assert_eq!(PublishedIdl::compare(&metadata(0, r#"{"b":2,"a":1}"#), ours), PublishedIdl::Same);
        assert_eq!(PublishedIdl::compare(&metadata(0, r#"{"a":1}"#), ours), PublishedIdl::Other);
        assert_eq!(PublishedIdl::compare(&metadata(2, r#"{"b":2,"a":1}"#), ours), PublishedIdl::NotPlain);
        assert_eq!(PublishedIdl::compare(&[], ours), PublishedIdl::NotPlain);
    }
}
