//! `backstop attest`: what named keys report, from their set to the trigger that takes it.

mod chain;
mod keys;
mod serve;
mod show;

use crate::commands::context::{Context, hinted};
use anyhow::Result;
use backstop_client::attest::{SignedReport, Verified};
use backstop_client::{redact, text_file};
use clap::Subcommand;
use std::path::Path;

/// The commands of attestors, and of those who show what they report.
#[derive(Debug, Subcommand)]
pub enum AttestCommand {
    Keygen(keys::KeygenArgs),
    CreateSet(chain::CreateSetArgs),
    Sign(keys::SignArgs),
    Serve(serve::ServeArgs),
    Combine(show::CombineArgs),
    Show(show::ShowArgs),
    Submit(chain::SubmitArgs),
    Accuse(chain::AccuseArgs),
    Retire(chain::RetireArgs),
}

impl AttestCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Keygen(args) => keys::keygen(&args, context),
            Self::CreateSet(args) => chain::create_set(&args, context),
            Self::Sign(args) => keys::sign(&args, context),
            Self::Serve(args) => serve::serve(&args, context),
            Self::Combine(args) => show::combine(&args, context),
            Self::Show(args) => show::run(&args, context),
            Self::Submit(args) => chain::submit(&args, context),
            Self::Accuse(args) => chain::accuse(&args, context),
            Self::Retire(args) => chain::retire(&args, context),
        }
    }
}

/// Reads a signed report, and verifies its signatures.
fn read(file: &Path) -> Result<Verified> {
    let name = redact::shown(&file.display().to_string());
    let text = text_file::read(file).map_err(|why| {
        hinted(format!("the report {name} cannot be read: {why}"), "`backstop attest sign` writes such files")
    })?;
    SignedReport::read(&text).map_err(|why| {
        hinted(format!("the report {name} is not used: {why}"), "`backstop attest sign` writes such files")
    })
}
