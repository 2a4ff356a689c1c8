//! Token-2022 mints with metadata: the share mints and the cover NFTs.

use crate::runtime::{Use, call};
use crate::storage::NewAccount;
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token_2022::ID as TOKEN;
use anchor_spl::token_2022::spl_token_2022::state::Mint;

// Numbers of Token-2022's instructions, and of what they take.
const SET_AUTHORITY: u8 = 6;
const MINT_TOKENS: u8 = 0;
const CLOSE_ACCOUNT: u8 = 9;
const INITIALIZE_MINT_2: u8 = 20;
const INITIALIZE_CLOSE_AUTHORITY: u8 = 25;
const METADATA_POINTER: u8 = 39;
const INITIALIZE_POINTER: u8 = 0;
const NONE: u8 = 0;
const SOME: u8 = 1;
const NOBODY: [u8; 32] = [0; 32];
// Instructions of the token-metadata interface: the beginnings of the hashes of their names.
const INITIALIZE_METADATA: [u8; 8] = [210, 225, 30, 162, 88, 184, 77, 141];
const UPDATE_FIELD: [u8; 8] = [221, 233, 49, 45, 181, 202, 220, 200];
const UPDATE_AUTHORITY: [u8; 8] = [215, 228, 166, 228, 84, 100, 86, 123];
const FIELD_BY_KEY: u8 = 3;
/// Room for the data of any instruction here: name, URI and symbol of a cover's NFT are the longest.
const LONGEST_DATA: usize = 256;
/// Number of the associated token program's instruction.
const CREATE_ASSOCIATED: u8 = 0;

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
}

impl MintMaker<'_, '_> {
    /// Creates the mint with its metadata, which nobody can change afterwards.
    #[inline(never)]
    pub fn make(&self, decimals: u8, closable: bool, shown: &Metadata) -> Result<()> {
        let (mint, pool) = (self.mint.key.as_ref(), self.pool.key.as_ref());
        let new = NewAccount { account: self.mint, seeds: self.mint_seeds, payer: self.payer };
        new.create(TOKEN, mint_space(closable), shown.space())?;
        if closable {
            self.initialize(&[&[INITIALIZE_CLOSE_AUTHORITY, SOME], pool])?;
        }
        self.initialize(&[&[METADATA_POINTER, INITIALIZE_POINTER], &NOBODY, mint])?;
        self.initialize(&[&[INITIALIZE_MINT_2, decimals], pool, &[NONE]])?;
        self.write_metadata(shown)
    }

    fn write_metadata(&self, shown: &Metadata) -> Result<()> {
        let (mint, pool) = (self.mint, self.pool);
        let mut data = Vec::with_capacity(LONGEST_DATA);
        data.extend_from_slice(&INITIALIZE_METADATA);
        for text in [shown.name, shown.symbol, shown.uri] {
            put(&mut data, text);
        }
        let accounts = [(mint, Use::Write), (pool, Use::Read), (mint, Use::Read), (pool, Use::Sign)];
        call(&TOKEN, &accounts, &data, &[self.pool_seeds])?;
        for (key, value) in shown.fields {
            let mut data = Vec::with_capacity(LONGEST_DATA);
            data.extend_from_slice(&UPDATE_FIELD);
            data.push(FIELD_BY_KEY);
            put(&mut data, key);
            put(&mut data, value);
            self.sign(&data)?;
        }
        self.sign(&[UPDATE_AUTHORITY.as_slice(), &NOBODY].concat())
    }

    /// Gives the mint authority up: no unit more will ever exist.
    #[inline(never)]
    pub fn fix_supply(&self) -> Result<()> {
        self.sign(&[SET_AUTHORITY, MINT_TOKENS, NONE])
    }

    /// Calls an instruction that initialises a part of the mint, which nobody need sign.
    fn initialize(&self, data: &[&[u8]]) -> Result<()> {
        call(&TOKEN, &[(self.mint, Use::Write)], &data.concat(), &[])
    }

    /// Calls an instruction on the mint that the pool signs.
    fn sign(&self, data: &[u8]) -> Result<()> {
        call(&TOKEN, &[(self.mint, Use::Write), (self.pool, Use::Sign)], data, &[self.pool_seeds])
    }
}

/// Appends a text in the way of Borsh: its length, then its bytes.
fn put(data: &mut Vec<u8>, text: &str) {
    // No text here has 2^32 bytes.
    data.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    data.extend_from_slice(text.as_bytes());
}

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
    let accounts = [(mint, Use::Write), (rent_payer, Use::Write), (pool, Use::Sign)];
    call(&TOKEN, &accounts, &[CLOSE_ACCOUNT], &[pool_seeds])
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
    let accounts = [
        (payer, Use::WriteSign),
        (associated, Use::Write),
        (owner, Use::Read),
        (mint, Use::Read),
        (system_program, Use::Read),
        (token_program, Use::Read),
    ];
    call(&anchor_spl::associated_token::ID, &accounts, &[CREATE_ASSOCIATED], &[])
}

/// An amount of the asset in words, by its decimals: "1000 USDC", "0.5 USDC".
pub fn amount_text(amount: u64, decimals: u8, label: &str) -> String {
    let one = 10u64.saturating_pow(u32::from(decimals));
    let whole = digits(amount.checked_div(one).unwrap_or(0), 1);
    let part = amount.checked_rem(one).unwrap_or(0);
    if part == 0 {
        return [whole.as_str(), " ", label].concat();
    }
    let part = digits(part, usize::from(decimals));
    [whole.as_str(), ".", part.trim_end_matches('0'), " ", label].concat()
}

/// A number in decimal digits, with leading zeros up to `width`.
fn digits(mut number: u64, width: usize) -> String {
    let mut text = Vec::with_capacity(20);
    while number > 0 || text.len() < width {
        text.push(b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0)));
        number /= 10;
    }
    text.reverse();
    String::from_utf8(text).unwrap_or_default()
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
    [digits(year, 4), digits(month, 2), digits(day_of_month, 2)].join("-")
}

/// The moment at which a UTC day begins: "2023-03-11 00:00 UTC". A date alone would leave open whether its day is in.
pub fn day_start_text(day: u32) -> String {
    let mut text = date_text(day);
    text.push_str(" 00:00 UTC");
    text
}

/// Bytes in hexadecimal.
pub fn hex_text(bytes: &[u8]) -> String {
    let digit = |nibble: u8| nibble.saturating_add(if nibble < 10 { b'0' } else { b'a' - 10 });
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    String::from_utf8(text).unwrap_or_default()
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
    fn the_bytes_of_instructions_are_those_of_the_token_crates() {
        use anchor_spl::token_2022::spl_token_2022::extension::metadata_pointer;
        use anchor_spl::token_2022::spl_token_2022::instruction::{self as token, AuthorityType};
        use anchor_spl::token_2022_extensions::spl_token_metadata_interface::instruction as metadata;
        use anchor_spl::token_2022_extensions::spl_token_metadata_interface::state::Field;

        let (mint, pool) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let close = token::initialize_mint_close_authority(&TOKEN, &mint, Some(&pool)).unwrap().data;
        assert_eq!(close, [&[INITIALIZE_CLOSE_AUTHORITY, SOME], pool.as_ref()].concat());
        let pointer = metadata_pointer::instruction::initialize(&TOKEN, &mint, None, Some(mint)).unwrap().data;
        assert_eq!(pointer, [&[METADATA_POINTER, INITIALIZE_POINTER], NOBODY.as_slice(), mint.as_ref()].concat());
        let initialize = token::initialize_mint2(&TOKEN, &mint, &pool, None, 9).unwrap().data;
        assert_eq!(initialize, [&[INITIALIZE_MINT_2, 9], pool.as_ref(), &[NONE]].concat());
        let fix = token::set_authority(&TOKEN, &mint, None, AuthorityType::MintTokens, &pool, &[]).unwrap().data;
        assert_eq!(fix, [SET_AUTHORITY, MINT_TOKENS, NONE]);
        assert_eq!(token::close_account(&TOKEN, &mint, &pool, &pool, &[]).unwrap().data, [CLOSE_ACCOUNT]);

        let texts = |head: &[u8], texts: &[&str]| {
            let mut data = head.to_vec();
            texts.iter().for_each(|text| put(&mut data, text));
            data
        };
        let (name, symbol, uri) = ("a name".to_owned(), "S".to_owned(), String::new());
        let initialize = metadata::initialize(&TOKEN, &mint, &pool, &mint, &pool, name, symbol, uri).data;
        assert_eq!(initialize, texts(&INITIALIZE_METADATA, &["a name", "S", ""]));
        let field = metadata::update_field(&TOKEN, &mint, &pool, Field::Key("key".into()), "value".into()).data;
        assert_eq!(field, texts(&[UPDATE_FIELD.as_slice(), &[FIELD_BY_KEY]].concat(), &["key", "value"]));
        let authority = metadata::update_authority(&TOKEN, &mint, &pool, None::<Pubkey>.try_into().unwrap()).data;
        assert_eq!(authority, [UPDATE_AUTHORITY.as_slice(), &NOBODY].concat());
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
