//! Signers by URI, as the solana command line names them.

use crate::commands::context::{UsageError, hinted, misused};
use anchor_lang::prelude::Pubkey;
#[cfg(feature = "usb")]
use anyhow::bail;
use anyhow::{Context, Result, anyhow};
use backstop_client::{redact, text_file};
use dialoguer::Password;
use solana_derivation_path::DerivationPath;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::keypair::{generate_seed_from_seed_phrase_and_passphrase, read_keypair};
use solana_sdk::signer::null_signer::NullSigner;
use solana_sdk::signer::{SeedDerivable, Signer};
use std::io::{IsTerminal, Read};
use std::path::Path;

/// Opens a signer: a keypair file (also as `file:PATH`), `-` or `stdin:` for a keypair on stdin, `prompt://` or `ASK` for
/// a seed phrase (`?key=ACCOUNT/CHANGE` names a derived key), `usb://ledger`, or an address, which cannot sign and is
/// accepted only if `unsigned`. `flag` is named in errors, which never repeat what looks like a key.
pub fn open(uri: &str, flag: &str, unsigned: bool) -> Result<Box<dyn Signer>> {
    if let Some(what) = redact::secret(uri) {
        let hint = "name a file that holds the key, or pipe it in with `-`; others on this machine can read command \
                    lines and environments: move what the key holds if they may have";
        return Err(misused(format!("{flag} is {what} itself, where its file is named; it is not shown"), hint));
    }
    if uri == "-" || uri == "stdin:" || uri == "stdin://" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("stdin cannot be read")?;
        let keypair = keypair(&bytes).map_err(|why| {
            hinted(
                format!("{flag} {uri}: no keypair on stdin: {why}"),
                "pipe a keypair file in: `backstop ... < KEYPAIR`",
            )
        })?;
        return Ok(Box::new(keypair));
    }
    if uri == "ASK" {
        return Ok(Box::new(prompt("", flag)?));
    }
    if let Some(query) = uri.strip_prefix("prompt:") {
        return Ok(Box::new(prompt(query.trim_start_matches('/'), flag)?));
    }
    if uri.starts_with("usb://") {
        return usb(uri);
    }
    let path = uri.strip_prefix("file://").or_else(|| uri.strip_prefix("file:")).unwrap_or(uri);
    if Path::new(path).exists() {
        let keypair = std::fs::read(path).map_err(|why| why.to_string()).and_then(|bytes| keypair(&bytes));
        let keypair = keypair.map_err(|why| {
            let hint = "`solana-keygen new` makes one; --keypair and --fee-payer name others";
            hinted(format!("{flag} {path} is not a keypair file: {why}"), hint)
        })?;
        return Ok(Box::new(keypair));
    }
    let named = if flag.starts_with("--") { flag } else { "--keypair" };
    match uri.parse::<Pubkey>() {
        Ok(address) if unsigned => Ok(Box::new(NullSigner::new(&address))),
        Ok(_) => Err(misused(format!("{flag} is an address, which cannot sign"), "add --print-tx or --dry-run")),
        Err(_) => Err(hinted(
            format!("the keypair file {path} does not exist"),
            format!("{named} names another; `solana-keygen new --outfile {path}` makes one"),
        )),
    }
}

/// Reads a keypair file's bytes: 64 numbers in brackets. The reason why they are none repeats nothing of them.
fn keypair(bytes: &[u8]) -> Result<Keypair, String> {
    let text = text_file::text(bytes).map_err(|_| "it is not text".to_owned())?;
    if let Some(what) = redact::secret(&text).filter(|_| !text.trim_start().starts_with('[')) {
        return Err(format!("it holds {what}, and must be 64 numbers in brackets"));
    }
    read_keypair(&mut text.as_bytes())
        .map_err(|_| "it must be 64 numbers in brackets, as solana-keygen writes it".into())
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
        _ => {
            let hint = "prompt:// asks for the seed phrase, prompt://?key=ACCOUNT/CHANGE names a derived key";
            return Err(misused(format!("{flag} prompt: what follows it is no derivation"), hint));
        }
    };
    if !std::io::stderr().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(misused(
            format!("{flag} prompt:// needs a terminal to ask on"),
            "name a keypair file, or pipe one in: -",
        ));
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
        None => bail!(misused(format!("{uri} names no key"), "give usb://ledger?key=ACCOUNT/CHANGE")),
    };
    let manager = maybe_wallet_manager()?.context("no hardware wallet is connected")?;
    Ok(Box::new(generate_remote_keypair(locator, path, &manager, false, "signer")?))
}

#[cfg(not(feature = "usb"))]
fn usb(uri: &str) -> Result<Box<dyn Signer>> {
    Err(misused(format!("{uri}: this build knows no hardware wallets"), "build it with `--features usb`"))
}
