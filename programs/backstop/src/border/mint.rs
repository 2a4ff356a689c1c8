//! Token-2022 mints with metadata: the share mints and the cover NFTs.

use crate::border::invoke::{Use, call};
use crate::border::records::NewAccount;
use crate::border::token;
use anchor_lang::prelude::*;
use anchor_spl::token_2022::ID as TOKEN;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Name.
    pub name: String,
    /// Symbol.
    pub symbol: String,
    /// Where more is to be read; may be empty.
    pub uri: String,
    /// Further fields, in order.
    pub fields: Vec<(&'static str, String)>,
}

impl Metadata {
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
            .saturating_add(text(&self.name))
            .saturating_add(text(&self.symbol))
            .saturating_add(text(&self.uri))
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
        for text in [&shown.name, &shown.symbol, &shown.uri] {
            put(&mut data, text);
        }
        let accounts = [(mint, Use::Write), (pool, Use::Read), (mint, Use::Read), (pool, Use::Sign)];
        call(&TOKEN, &accounts, &data, &[self.pool_seeds])?;
        for (key, value) in &shown.fields {
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

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_spl::token_2022::spl_token_2022::extension::ExtensionType;
    use anchor_spl::token_2022::spl_token_2022::state::Mint;

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
}
