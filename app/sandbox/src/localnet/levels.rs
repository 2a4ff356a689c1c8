//! The levels file: whoever changes it changes what the accounts say that live feeds read. A local cluster has a stake pool, a
//! lending reserve and two vaults, by the documented bytes of their programs: the programs themselves are not there.

use super::LocalnetError;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_option::COption;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token::spl_token;
use backstop::peril::feed::{spl_lending, stake_pool};
use backstop_client::{text_file, units};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use solana_sdk::hash::hash;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

/// What a level counts in: 1e-6.
const UNITS: u32 = 6;
/// Tokens of the stake pool, and shares of the reserve, in its smallest units.
const SHARES: u64 = 1_000_000_000;
/// The greatest level.
const MOST: u64 = 1_000_000_000;

/// What has a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A stake pool: what one of its tokens is worth in SOL.
    StakePool,
    /// A lending reserve of Save: what one of its shares is worth.
    Reserve,
    /// A protocol's first vault: how many of the insured token it holds.
    VaultA,
    /// Its second.
    VaultB,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::StakePool, Self::Reserve, Self::VaultA, Self::VaultB];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StakePool => "stake-pool",
            Self::Reserve => "reserve",
            Self::VaultA => "vault-a",
            Self::VaultB => "vault-b",
        }
    }

    /// Its account, on every local cluster the same.
    pub fn account(self) -> Pubkey {
        Pubkey::new_from_array(hash(format!("backstop localnet {}", self.name()).as_bytes()).to_bytes())
    }

    /// Its account's program and bytes at a level in 1e-6, in an epoch; vaults are of a mint.
    pub fn contents(self, level: u64, mint: &Pubkey, epoch: u64) -> (Pubkey, Vec<u8>) {
        match self {
            Self::StakePool => {
                let lamports = level.saturating_mul(SHARES / 1_000_000);
                (stake_pool::PROGRAM_IDS[0], stake_pool_bytes(lamports, SHARES, epoch))
            }
            Self::Reserve => {
                let liquidity = level.saturating_mul(SHARES / 1_000_000);
                (spl_lending::SAVE_ID, reserve_bytes(liquidity, 0, SHARES))
            }
            Self::VaultA | Self::VaultB => (anchor_spl::token::ID, vault_bytes(level, mint)),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|source| source.name() == text);
        found.ok_or_else(|| format!("{text} has no level: there are stake-pool, reserve, vault-a and vault-b"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Bytes of a stake pool.
pub fn stake_pool_bytes(lamports: u64, supply: u64, epoch: u64) -> Vec<u8> {
    let mut data = vec![0; stake_pool::LENGTH];
    data[0] = stake_pool::STAKE_POOL;
    data[258..266].copy_from_slice(&lamports.to_le_bytes());
    data[266..274].copy_from_slice(&supply.to_le_bytes());
    data[274..282].copy_from_slice(&epoch.to_le_bytes());
    data
}

/// Bytes of a reserve of Save.
pub fn reserve_bytes(available: u64, borrowed: u64, supply: u64) -> Vec<u8> {
    let mut data = vec![0; spl_lending::SAVE_LENGTH];
    data[0] = spl_lending::VERSION;
    data[171..179].copy_from_slice(&available.to_le_bytes());
    data[179..195].copy_from_slice(&(u128::from(borrowed) * 1_000_000_000_000_000_000).to_le_bytes());
    data[259..267].copy_from_slice(&supply.to_le_bytes());
    data
}

fn vault_bytes(amount: u64, mint: &Pubkey) -> Vec<u8> {
    let owner = Pubkey::new_from_array(hash(b"backstop localnet protocol").to_bytes());
    let state = spl_token::state::AccountState::Initialized;
    let vault = spl_token::state::Account {
        mint: *mint,
        owner,
        amount,
        delegate: COption::None,
        state,
        is_native: COption::None,
        delegated_amount: 0,
        close_authority: COption::None,
    };
    let mut data = vec![0; spl_token::state::Account::LEN];
    vault.pack_into_slice(&mut data);
    data
}

/// A line of the file as it is written.
#[derive(Serialize, Deserialize)]
struct Line {
    source: String,
    level: String,
}

/// What the file says of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Which.
    pub source: Source,
    /// Its level.
    pub level: Decimal,
}

impl Level {
    /// In 1e-6, if it is above zero (a vault may be empty), within bounds and has no more decimals.
    pub fn units(&self) -> Option<u64> {
        let units = self.level.checked_mul(Decimal::from(10_u64.pow(UNITS)))?;
        let least = match self.source {
            Source::VaultA | Source::VaultB => 0,
            Source::StakePool | Source::Reserve => 1,
        };
        let whole = units.is_integer().then(|| units.to_u64()).flatten()?;
        (whole >= least && self.level <= Decimal::from(MOST)).then_some(whole)
    }
}

/// What a new file says: one SOL a token, one token a share, 100 in both vaults.
pub fn calm() -> [Level; 4] {
    let level = |source, level: u64| Level { source, level: Decimal::from(level) };
    [level(Source::StakePool, 1), level(Source::Reserve, 1), level(Source::VaultA, 60), level(Source::VaultB, 40)]
}

/// Reads a levels file.
///
/// Errors: [`LocalnetError::File`] if it cannot be read, [`LocalnetError::Levels`] if a line is no level.
pub fn read(file: &Path) -> Result<Vec<Level>, LocalnetError> {
    let text = text_file::read(file).map_err(|why| LocalnetError::file(file, why))?;
    parse(&text).map_err(|why| LocalnetError::Levels { file: file.display().to_string(), why })
}

fn parse(text: &str) -> Result<Vec<Level>, String> {
    let mut levels: Vec<Level> = Vec::new();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    for line in reader.deserialize() {
        let Line { source, level } = line.map_err(|why| why.to_string())?;
        let source: Source = source.parse()?;
        let number = units::number(&level).ok_or_else(|| format!("{source}: \"{level}\" is not a number"))?;
        let level = Level { source, level: number.normalize() };
        if levels.iter().any(|known| known.source == source) {
            return Err(format!("{source} is there twice"));
        }
        if level.units().is_none() {
            return Err(format!(
                "{source}: a level is above zero (that of a vault may be zero), a billion at most, and has at most six \
                 decimals, not {number}"
            ));
        }
        levels.push(level);
    }
    Ok(levels)
}

/// Sets one level in a levels file.
///
/// Errors: as [`read`]; the file keeps its content if the new one could not be read again.
pub fn set(file: &Path, source: Source, level: Decimal) -> Result<Level, LocalnetError> {
    let mut levels = read(file)?;
    levels.retain(|known| known.source != source);
    let level = Level { source, level };
    levels.push(level);
    levels.sort_by_key(|level| level.source);
    write(file, &levels)?;
    Ok(level)
}

/// Writes a levels file.
pub fn write(file: &Path, levels: &[Level]) -> Result<(), LocalnetError> {
    let unwritable = |why: String| LocalnetError::Levels { file: file.display().to_string(), why };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for Level { source, level } in levels {
        let line = Line { source: source.name().into(), level: level.to_string() };
        writer.serialize(line).map_err(|why| unwritable(why.to_string()))?;
    }
    let text = writer.into_inner().map_err(|why| unwritable(why.to_string()))?;
    parse(&String::from_utf8_lossy(&text)).map_err(unwritable)?;
    // In one step: whoever reads sees the old levels or the new ones.
    let beside = file.with_extension("csv.new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).map_err(|why| LocalnetError::file(file, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::solana_program::clock::Epoch;
    use backstop::peril::feed;

    #[test]
    fn what_the_accounts_say_is_what_live_feeds_read() {
        let epoch: Epoch = 7;
        let mint = Pubkey::new_from_array([9; 32]);
        let read = |source: Source, kind, level| {
            let (owner, data) = source.contents(level, &mint, epoch);
            let account = source.account();
            feed::read_live(kind, &account, &owner, &data, &account.to_bytes(), epoch).expect("it is one").up
        };
        let rate = |kind, source| {
            let [whole, part] = [1_000_000, 870_000].map(|level| u128::from(read(source, kind, level)));
            part * 1_000 / whole
        };
        assert_eq!(rate(feed::Source::StakePoolRate, Source::StakePool), 870);
        assert_eq!(rate(feed::Source::SplLendingRate, Source::Reserve), 870);
        let (owner, data) = Source::VaultB.contents(34_000_000, &mint, epoch);
        assert_eq!(feed::vaults::amount(&owner, &data, &mint), Ok(34_000_000));
    }

    #[test]
    fn a_level_that_is_set_is_read_back_and_the_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("levels.csv");
        write(&file, &calm()).unwrap();
        set(&file, Source::VaultA, Decimal::ZERO).unwrap();
        set(&file, Source::Reserve, "0.8".parse().unwrap()).unwrap();
        let levels: Vec<String> = read(&file).unwrap().iter().map(|it| format!("{} {}", it.source, it.level)).collect();
        assert_eq!(levels, ["stake-pool 1", "reserve 0.8", "vault-a 0", "vault-b 40"]);
        for wrong in ["0", "0.0000001", "1000000001"] {
            set(&file, Source::StakePool, wrong.parse().unwrap()).unwrap_err();
        }
        assert_eq!(read(&file).unwrap().len(), 4);
        for wrong in ["stake,1", "vault-a,one", "vault-a,-1", "vault-a,1\nvault-a,2"] {
            assert!(parse(&format!("source,level\n{wrong}\n")).is_err(), "{wrong}");
        }
    }
}
