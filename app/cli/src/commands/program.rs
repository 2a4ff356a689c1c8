//! `backstop program`.

use crate::commands::CheckFailed;
use crate::commands::context::{Context, hinted};
use crate::output::{BAD, GOOD, card, paint};
use anyhow::{Context as _, Result};
use backstop_client::deployment::{self, PublishedIdl};
use backstop_client::view::report::ProgramReport;
use clap::{Args, Subcommand};
use std::borrow::Cow;
use std::path::PathBuf;

/// The commands on the deployed program.
#[derive(Debug, Subcommand)]
pub enum ProgramCommand {
    Verify(VerifyArgs),
}

impl ProgramCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        let Self::Verify(args) = self;
        verify(&args, context)
    }
}

/// Compare the deployed program with the one that this client was built with.
///
/// The hash is the sha256 of the code without the zeros at its end, as solana-verify prints it. Exit code 3 if code or
/// published IDL differ.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop program verify\n  backstop program verify --file backstop.so")]
pub struct VerifyArgs {
    /// Compare with this program instead.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

fn verify(args: &VerifyArgs, context: &Context) -> Result<()> {
    let expected: Cow<[u8]> = match &args.file {
        Some(file) => std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?.into(),
        None => deployment::committed_code().into(),
    };
    let cluster = context.cluster()?;
    let Some(verified) = ProgramReport::read(cluster, &expected)? else {
        let sentence = format!("the program {} is not deployed by the upgradeable loader", backstop::ID);
        return Err(hinted(sentence, "only such a program has an upgrade authority and can be compared"));
    };
    context.options.output.print(&verified, display)?;
    match (verified.deployed_sha256 == verified.expected_sha256, verified.same) {
        (false, _) => Err(CheckFailed("another program is deployed".into()).into()),
        (true, false) => Err(CheckFailed("another IDL is published".into()).into()),
        (true, true) => Ok(()),
    }
}

fn display(verified: &ProgramReport) -> String {
    let same = verified.deployed_sha256 == verified.expected_sha256;
    let verdict = if same { paint("the same", GOOD) } else { paint("another", BAD) };
    let idl = match verified.idl {
        "absent" => "none is published".to_owned(),
        "same" => paint("the same is published", GOOD),
        "other" => paint("another is published", BAD),
        _ => format!("published compressed or by reference at {}: fetch and compare it", PublishedIdl::address()),
    };
    let authority = verified.upgrade_authority.clone();
    let rows = [
        ("deployed sha256", verified.deployed_sha256.clone()),
        ("expected sha256", verified.expected_sha256.clone()),
        ("program is", verdict),
        ("code", format!("{} bytes", crate::output::thousands(verified.bytes as u64))),
        ("deployed in slot", verified.slot.to_string()),
        ("can be replaced by", authority.unwrap_or_else(|| "nobody".into())),
        ("IDL", idl),
    ];
    card(&format!("Program {}", verified.program), &rows)
}
