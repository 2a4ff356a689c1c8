//! Signers by URI, as the solana command line names them.

use crate::commands::context::{UsageError, hinted};
use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, anyhow, bail};
use dialoguer::Password;
use solana_derivation_path::DerivationPath;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::keypair::{generate_seed_from_seed_phrase_and_passphrase, read_keypair, read_keypair_file};
use solana_sdk::signer::null_signer::NullSigner;
use solana_sdk::signer::{SeedDerivable, Signer};
use std::io::IsTerminal;
use std::path::Path;

/// Opens a signer: a keypair file (also as `file:PATH`), `-` for a keypair on stdin, `prompt://` for a seed phrase
/// (`?key=ACCOUNT/CHANGE` names a derived key), `usb://ledger`, or an address, which cannot sign and is accepted only if
/// `unsigned`. `flag` is named in errors.
pub fn open(uri: &str, flag: &str, unsigned: bool) -> Result<Box<dyn Signer>> {
    if uri == "-" {
        let keypair = read_keypair(&mut std::io::stdin()).map_err(|why| {
            hinted(format!("{flag} -: no keypair on stdin: {why}"), "pipe a keypair file in: `backstop ... < KEYPAIR`")
        })?;
        return Ok(Box::new(keypair));
    }
    if let Some(query) = uri.strip_prefix("prompt:") {
        return Ok(Box::new(prompt(query.trim_start_matches('/'), flag)?));
    }
    if uri.starts_with("usb://") {
        return usb(uri);
    }
    let path = uri.strip_prefix("file:").unwrap_or(uri);
    if Path::new(path).exists() {
        let keypair = read_keypair_file(path).map_err(|why| {
            let hint = format!("name another with {flag}; `solana-keygen new` makes one");
            hinted(format!("{flag} {path} is not a keypair file: {why}"), hint)
        })?;
        return Ok(Box::new(keypair));
    }
    match uri.parse::<Pubkey>() {
        Ok(address) if unsigned => Ok(Box::new(NullSigner::new(&address))),
        Ok(_) => {
            Err(UsageError(format!("{flag} is an address, which cannot sign: add --print-tx or --dry-run")).into())
        }
        Err(_) => Err(hinted(
            format!("the keypair file {path} does not exist"),
            format!("name another with {flag}, or make one: `solana-keygen new --outfile {path}`"),
        )),
    }
}

/// Asks for a seed phrase and its passphrase.
fn prompt(query: &str, flag: &str) -> Result<Keypair> {
    let path = match query.strip_prefix('?') {
        None if query.is_empty() => None,
        Some(query) if query.starts_with("key=") => Some(
            DerivationPath::from_key_str(query.trim_start_matches("key="))
                .map_err(|why| UsageError(why.to_string()))?,
        ),
        Some(query) if query.starts_with("full-path=") => {
            let path = DerivationPath::from_absolute_path_str(query.trim_start_matches("full-path="));
            Some(path.map_err(|why| UsageError(why.to_string()))?)
        }
        _ => return Err(UsageError(format!("{flag} prompt:{query}: give prompt://?key=ACCOUNT/CHANGE")).into()),
    };
    if !std::io::stderr().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(UsageError(format!("{flag} prompt:// needs a terminal to ask on")).into());
    }
    let phrase = Password::new().with_prompt("Seed phrase").interact().context("the seed phrase was not read")?;
    let passphrase = Password::new().with_prompt("Passphrase, if it has one").allow_empty_password(true).interact()?;
    let phrase = phrase.split_whitespace().collect::<Vec<_>>().join(" ");
    let seed = generate_seed_from_seed_phrase_and_passphrase(&phrase, &passphrase);
    let path = path.unwrap_or_default();
    Keypair::from_seed_and_derivation_path(&seed, Some(path)).map_err(|why| anyhow!("the key cannot be derived: {why}"))
}

#[cfg(feature = "usb")]
fn usb(uri: &str) -> Result<Box<dyn Signer>> {
    use solana_remote_wallet::locator::Locator;
    use solana_remote_wallet::remote_keypair::generate_remote_keypair;
    use solana_remote_wallet::remote_wallet::maybe_wallet_manager;
    let (device, query) = uri.split_once('?').unwrap_or((uri, ""));
    let locator = Locator::new_from_path(device).map_err(|why| UsageError(why.to_string()))?;
    let path = match query.strip_prefix("key=") {
        Some(key) => DerivationPath::from_key_str(key).map_err(|why| UsageError(why.to_string()))?,
        None if query.is_empty() => DerivationPath::default(),
        None => bail!(UsageError(format!("{uri}: give usb://ledger?key=ACCOUNT/CHANGE"))),
    };
    let manager = maybe_wallet_manager()?.context("no hardware wallet is connected")?;
    Ok(Box::new(generate_remote_keypair(locator, path, &manager, false, "signer")?))
}

#[cfg(not(feature = "usb"))]
fn usb(uri: &str) -> Result<Box<dyn Signer>> {
    bail!(UsageError(format!("{uri}: this build knows no hardware wallets; build it with `--features usb`")))
}
