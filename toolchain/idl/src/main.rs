//! Prints the IDL of the Anchor program in the given directory, as `anchor idl build` does: Anchor's own
//! builder runs the `idl-build` tests that the program's macros generate, and assembles what they print.

mod twice;

use anchor_lang_idl::build::IdlBuilder;
use anyhow::{Context, Result};

fn main() -> Result<()> {
    let program = std::env::args_os().nth(1).context("usage: idl PROGRAM_DIRECTORY")?;
    let idl =
        IdlBuilder::new().program_path(program.into()).cargo_args(vec!["--locked".into(), "--lib".into()]).build()?;
    println!("{}", serde_json::to_string_pretty(&twice::name_apart(&idl)?)?);
    Ok(())
}
