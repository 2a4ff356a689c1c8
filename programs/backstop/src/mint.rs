//! Token-2022 mints with metadata: the share mints and the cover NFTs.

use crate::error::BackstopError;
use crate::token::{self, NewAccount};
use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program::{invoke, invoke_signed};
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token_2022::spl_token_2022::extension::metadata_pointer;
use anchor_spl::token_2022::spl_token_2022::instruction::{self as token_2022, AuthorityType};
use anchor_spl::token_2022::spl_token_2022::state::Mint;
use anchor_spl::token_2022_extensions::spl_token_metadata_interface::instruction as metadata;
use anchor_spl::token_2022_extensions::spl_token_metadata_interface::state::Field;

/// Bytes that every extension takes beside its content: type and length.
const EXTENSION_HEADER: usize = 4;
/// A mint with extensions is as long as a token account (165 bytes) and a byte that says what it is, before them.
const EXTENDED_BASE: usize = 166;
/// Content of a metadata pointer: authority and address.
const POINTER: usize = 64;
/// Content of a close authority.
const CLOSE_AUTHORITY: usize = 32;

const PLAIN_MINT: usize = EXTENDED_BASE + EXTENSION_HEADER + POINTER;
const CLOSABLE_MINT: usize = PLAIN_MINT + EXTENSION_HEADER + CLOSE_AUTHORITY;

/// Bytes of a mint before its metadata is written.
pub const fn mint_space(closable: bool) -> usize {
    if closable { CLOSABLE_MINT } else { PLAIN_MINT }
}

/// What a wallet shows of a mint.
pub struct Metadata<'a> {
    /// Name.
    pub name: &'a str,
    /// Symbol.
    pub symbol: &'a str,
    /// Where more is to be read.
    pub uri: &'a str,
    /// Further fields, in order.
    pub fields: &'a [(&'static str, String)],
}

impl Metadata<'_> {
    /// Bytes that the metadata takes in the mint, its header included.
    pub fn space(&self) -> usize {
        let text = |text: &str| text.len().saturating_add(4);
        let fields = self
            .fields
            .iter()
            .fold(4usize, |sum, (key, value)| sum.saturating_add(text(key)).saturating_add(text(value)));
        // Update authority and mint come first.
        EXTENSION_HEADER
            .saturating_add(64)
            .saturating_add(text(self.name))
            .saturating_add(text(self.symbol))
            .saturating_add(text(self.uri))
            .saturating_add(fields)
    }
}

/// The accounts and seeds with which a mint is made.
pub struct MintMaker<'a, 'info> {
    /// The mint's address, derived from this program.
    pub mint: &'a AccountInfo<'info>,
    /// Seeds of the mint's address.
    pub mint_seeds: &'a [&'a [u8]],
    /// The pool: mint authority and, if closable, close authority.
    pub pool: &'a AccountInfo<'info>,
    /// Seeds of the pool's address.
    pub pool_seeds: &'a [&'a [u8]],
    /// Pays the rent.
    pub payer: &'a AccountInfo<'info>,
    /// The token program.
    pub token_2022_program: &'a AccountInfo<'info>,
    /// The system program.
    pub system_program: &'a AccountInfo<'info>,
}

impl<'info> MintMaker<'_, 'info> {
    /// Creates the mint with its metadata, which nobody can change afterwards.
    #[inline(never)]
    pub fn make(&self, decimals: u8, closable: bool, shown: &Metadata) -> Result<()> {
        let mint = self.mint.key;
        let pool = self.pool.key;
        NewAccount {
            account: self.mint,
            seeds: self.mint_seeds,
            owner: TOKEN,
            payer: self.payer,
            system_program: self.system_program,
        }
        .create(mint_space(closable), shown.space())?;
        if closable {
            self.run(&token_2022::initialize_mint_close_authority(&TOKEN, mint, Some(pool))?)?;
        }
        self.run(&metadata_pointer::instruction::initialize(&TOKEN, mint, None, Some(*mint))?)?;
        self.run(&token_2022::initialize_mint2(&TOKEN, mint, pool, None, decimals)?)?;
        self.write_metadata(shown)
    }

    #[inline(never)]
    fn write_metadata(&self, shown: &Metadata) -> Result<()> {
        let (mint, pool) = (self.mint.key, self.pool.key);
        let (name, symbol, uri) = (shown.name.into(), shown.symbol.into(), shown.uri.into());
        self.run(&metadata::initialize(&TOKEN, mint, pool, mint, pool, name, symbol, uri))?;
        for (key, value) in shown.fields {
            self.run(&metadata::update_field(&TOKEN, mint, pool, Field::Key((*key).into()), value.clone()))?;
        }
        self.run(&metadata::update_authority(
            &TOKEN,
            mint,
            pool,
            None::<Pubkey>.try_into().map_err(|_| BackstopError::BadText)?,
        ))
    }

    /// Gives the mint authority up: no unit more will ever exist.
    #[inline(never)]
    pub fn fix_supply(&self) -> Result<()> {
        let kind = AuthorityType::MintTokens;
        self.run(&token_2022::set_authority(&TOKEN, self.mint.key, None, kind, self.pool.key, &[])?)
    }

    fn run(&self, instruction: &Instruction) -> Result<()> {
        let accounts = [self.mint.clone(), self.pool.clone(), self.token_2022_program.clone()];
        Ok(invoke_signed(instruction, &accounts, &[self.pool_seeds])?)
    }
}

const TOKEN: Pubkey = anchor_spl::token_2022::ID;

/// Burns a cover's NFT with its holder's signature.
pub fn burn_nft<'info>(mint: &AccountInfo<'info>, nft: &AccountInfo<'info>, holder: &AccountInfo<'info>) -> Result<()> {
    token::burn(mint, nft, holder, 1)
}

/// Closes the mint of a burnt NFT and gives its rent back.
pub fn close_mint<'info>(
    mint: &AccountInfo<'info>,
    rent_payer: &AccountInfo<'info>,
    pool: &AccountInfo<'info>,
    pool_seeds: &[&[u8]],
) -> Result<()> {
    let instruction = token_2022::close_account(&TOKEN, mint.key, rent_payer.key, pool.key, &[])?;
    Ok(invoke_signed(&instruction, &[mint.clone(), rent_payer.clone(), pool.clone()], &[pool_seeds])?)
}

/// Creates the receiver's associated token account for a mint that did not exist before.
pub fn create_associated<'info>(
    payer: &AccountInfo<'info>,
    associated: &AccountInfo<'info>,
    owner: &AccountInfo<'info>,
    mint: &AccountInfo<'info>,
    token_program: &AccountInfo<'info>,
    system_program: &AccountInfo<'info>,
) -> Result<()> {
    let instruction = Instruction {
        program_id: anchor_spl::associated_token::ID,
        accounts: vec![
            AccountMeta::new(*payer.key, true),
            AccountMeta::new(*associated.key, false),
            AccountMeta::new_readonly(*owner.key, false),
            AccountMeta::new_readonly(*mint.key, false),
            AccountMeta::new_readonly(*system_program.key, false),
            AccountMeta::new_readonly(*token_program.key, false),
        ],
        data: vec![0],
    };
    let accounts =
        [payer.clone(), associated.clone(), owner.clone(), mint.clone(), system_program.clone(), token_program.clone()];
    Ok(invoke(&instruction, &accounts)?)
}

/// An amount of the asset in words, by its decimals: "1000 USDC", "0.5 USDC".
pub fn amount_text(amount: u64, decimals: u8, label: &str) -> String {
    let one = 10u64.saturating_pow(u32::from(decimals));
    let whole = amount.checked_div(one).unwrap_or(0);
    let part = amount.checked_rem(one).unwrap_or(0);
    if part == 0 {
        return format!("{whole} {label}");
    }
    let digits = format!("{part:0width$}", width = usize::from(decimals));
    format!("{whole}.{} {label}", digits.trim_end_matches('0'))
}

/// A UTC day as a date: "2023-03-11". Civil-calendar arithmetic on days since 1970, without tables.
pub fn date_text(day: u32) -> String {
    // Days since 0000-03-01, in eras of 400 years (146,097 days), so that leap days end their years.
    let days = u64::from(day).saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era =
        (of_era.saturating_sub(of_era / 1_460).saturating_add(of_era / 36_524).saturating_sub(of_era / 146_096)) / 365;
    let of_year = of_era.saturating_sub(
        (year_of_era.saturating_mul(365)).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100),
    );
    let shifted_month = (of_year.saturating_mul(5).saturating_add(2)) / 153;
    let day_of_month =
        of_year.saturating_sub((shifted_month.saturating_mul(153).saturating_add(2)) / 5).saturating_add(1);
    let month = if shifted_month < 10 { shifted_month.saturating_add(3) } else { shifted_month.saturating_sub(9) };
    let year = year_of_era.saturating_add(era.saturating_mul(400)).saturating_add(u64::from(month <= 2));
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// The moment at which a UTC day begins: "2023-03-11 00:00 UTC". A date alone would leave open whether its day is in.
pub fn day_start_text(day: u32) -> String {
    let mut text = date_text(day);
    text.push_str(" 00:00 UTC");
    text
}

/// Bytes in hexadecimal.
pub fn hex_text(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Length of a mint without extensions, for the tests of the constants above.
pub const BARE_MINT: usize = Mint::LEN;

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_spl::token_2022::spl_token_2022::extension::ExtensionType;

    #[test]
    fn mint_spaces_are_what_the_token_program_asks_for() {
        let pointer = ExtensionType::MetadataPointer;
        let bare = ExtensionType::try_calculate_account_len::<Mint>(&[pointer]).unwrap();
        assert_eq!(mint_space(false), bare);
        let closable =
            ExtensionType::try_calculate_account_len::<Mint>(&[pointer, ExtensionType::MintCloseAuthority]).unwrap();
        assert_eq!(mint_space(true), closable);
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(amount_text(1_000_000_000, 6, "USDC"), "1000 USDC");
        assert_eq!(amount_text(500_000, 6, "USDC"), "0.5 USDC");
        assert_eq!(amount_text(1, 6, "USDC"), "0.000001 USDC");
        assert_eq!(amount_text(7, 0, "X"), "7 X");
    }

    #[test]
    fn days_read_as_dates() {
        assert_eq!(date_text(0), "1970-01-01");
        assert_eq!(date_text(19_427), "2023-03-11");
        assert_eq!(date_text(11_016), "2000-02-29");
        assert_eq!(date_text(20_777), "2026-11-20");
        assert_eq!(day_start_text(20_777), "2026-11-20 00:00 UTC");
    }

    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970u32, 1u32, 1u32);
        for number in 0..73_049 {
            assert_eq!(date_text(number), format!("{year:04}-{month:02}-{day:02}"));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2170, 1, 1));
    }

    #[test]
    fn bytes_read_as_hexadecimal() {
        assert_eq!(hex_text(&[0, 255, 16]), "00ff10");
    }
}
