//! The deployed program, compared with one that is expected.

use crate::cluster::{Cluster, ClusterError};
use crate::deployment::{self, Deployment, PublishedIdl};
use serde::Serialize;

/// A deployed program, compared.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramReport {
    /// Whether the code is the expected one and no other IDL is published.
    pub same: bool,
    /// The program.
    pub program: String,
    /// Hash of the deployed code, as solana-verify prints it.
    pub deployed_sha256: String,
    /// Hash of the expected code.
    pub expected_sha256: String,
    /// Length of the deployed code.
    pub bytes: usize,
    /// In which slot it was deployed.
    pub slot: u64,
    /// Who may replace it; `None` if nobody can.
    pub upgrade_authority: Option<String>,
    /// What IDL is published: `absent`, `same`, `other` or `not-comparable`.
    pub idl: &'static str,
}

impl ProgramReport {
    /// Reads the deployed program and compares it. `None` if it is not deployed by the upgradeable loader.
    ///
    /// Errors: the cluster does not answer.
    pub fn read(cluster: &dyn Cluster, expected: &[u8]) -> Result<Option<Self>, ClusterError> {
        let Some(deployed) = Deployment::read(cluster)? else { return Ok(None) };
        let idl = PublishedIdl::read(cluster, deployment::committed_idl())?;
        let same_code = deployment::code(&deployed.bytes) == deployment::code(expected);
        Ok(Some(Self {
            same: same_code && idl != PublishedIdl::Other,
            program: backstop::ID.to_string(),
            deployed_sha256: deployment::code_hash(&deployed.bytes),
            expected_sha256: deployment::code_hash(expected),
            bytes: deployment::code(&deployed.bytes).len(),
            slot: deployed.slot,
            upgrade_authority: deployed.upgrade_authority.map(|key| key.to_string()),
            idl: match idl {
                PublishedIdl::Absent => "absent",
                PublishedIdl::Same => "same",
                PublishedIdl::Other => "other",
                PublishedIdl::NotPlain => "not-comparable",
            },
        }))
    }
}
