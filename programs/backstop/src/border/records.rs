//! Accounts of this program that a handler creates, reads and writes itself: what Anchor writes out anew for each of
//! them (`init`, `seeds`) is here once, and takes half as much.

use crate::border::invoke::{Use, call};
use crate::error::{BackstopError, refuse};
use crate::state::{InPlace, Versioned, require_version};
use anchor_lang::prelude::*;
use anchor_lang::solana_program::system_program;
use core::cell::{Ref, RefMut};

// Numbers of the system program's instructions.
const CREATE_ACCOUNT: u32 = 0;
const ASSIGN: [u8; 4] = [1, 0, 0, 0];
const TRANSFER: [u8; 4] = [2, 0, 0, 0];
const ALLOCATE: [u8; 4] = [8, 0, 0, 0];

/// The address of these seeds and its bump: what `find_program_address` finds, for a quarter of its compute units.
pub fn find_address<const N: usize>(seeds: &[&[u8]; N]) -> Result<(Pubkey, u8)> {
    for bump in (0..=u8::MAX).rev() {
        let address = Pubkey::derive_address(seeds, Some(bump), &crate::ID);
        if !address.is_on_curve() {
            return Ok((address, bump));
        }
    }
    Err(refuse(BackstopError::WrongAccount))
}

/// The bump of an account that must be at the address of these seeds.
pub fn require_address<const N: usize>(account: &AccountInfo, seeds: &[&[u8]; N]) -> Result<u8> {
    let (address, bump) = find_address(seeds)?;
    if address != *account.key {
        return Err(ErrorCode::ConstraintSeeds.into());
    }
    Ok(bump)
}

/// Data of the system program's instruction that creates an account, as it lies there.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, packed)]
struct CreateAccount {
    number: u32,
    lamports: u64,
    space: u64,
    owner: Pubkey,
}

/// What it takes to create an account at an address of this program.
pub struct NewAccount<'a, 'info> {
    /// The account.
    pub account: &'a AccountInfo<'info>,
    /// Seeds of its address, the bump last.
    pub seeds: &'a [&'a [u8]],
    /// Pays the rent.
    pub payer: &'a AccountInfo<'info>,
}

impl NewAccount<'_, '_> {
    /// Creates the account for `owner` with `space` bytes and rent for `later` more, also if somebody has sent lamports
    /// to it before: an address cannot be occupied.
    #[inline(never)]
    pub fn create(&self, owner: Pubkey, space: usize, later: usize) -> Result<()> {
        let rent = Rent::get()?.minimum_balance(space.saturating_add(later));
        let space = u64::try_from(space).map_err(|_| BackstopError::MathOverflow)?;
        let (payer, new, signer) = ((self.payer, Use::WriteSign), (self.account, Use::WriteSign), &[self.seeds]);
        let system = &system_program::ID;
        let held = self.account.try_lamports()?;
        if held == 0 {
            let data = CreateAccount { number: CREATE_ACCOUNT, lamports: rent, space, owner };
            return call(system, &[payer, new], bytemuck::bytes_of(&data), signer);
        }
        let missing = rent.saturating_sub(held);
        if missing > 0 {
            let data = [&TRANSFER, missing.to_le_bytes().as_slice()].concat();
            call(system, &[payer, (self.account, Use::Write)], &data, &[])?;
        }
        call(system, &[new], &[&ALLOCATE, space.to_le_bytes().as_slice()].concat(), signer)?;
        call(system, &[new], &[&ASSIGN, owner.as_ref()].concat(), signer)
    }

    /// Creates an account that is read in place, all zero, for the caller to fill in.
    ///
    /// Errors: `IdTaken` if an account stands at the address already.
    pub fn create_in_place<T: InPlace>(&self) -> Result<RefMut<'_, T>> {
        ensure!(self.account.data_is_empty(), BackstopError::IdTaken);
        let space = size_of::<T>().saturating_add(8);
        self.create(crate::ID, space, 0)?;
        // The call did not tell the list of accounts that this one has grown.
        self.account.resize(space)?;
        let mut data = self.account.try_borrow_mut_data()?;
        let discriminator = data.get_mut(..T::DISCRIMINATOR.len()).ok_or(ErrorCode::AccountDidNotSerialize)?;
        discriminator.copy_from_slice(T::DISCRIMINATOR);
        Ok(RefMut::map(data, |data| bytemuck::from_bytes_mut(data.get_mut(8..).unwrap_or(&mut []))))
    }

    /// Creates the account and writes a record of this program into it.
    pub fn create_with<T: AccountSerialize + Space>(&self, record: &T) -> Result<()> {
        let space = T::INIT_SPACE.saturating_add(8);
        self.create(crate::ID, space, 0)?;
        // The call did not tell the list of accounts that this one has grown.
        self.account.resize(space)?;
        write_record(self.account, record)
    }
}

/// Borrows the bytes of a record of this program.
pub fn borrow_record<'a, T: Versioned>(account: &'a AccountInfo) -> Result<Ref<'a, &'a mut [u8]>> {
    if *account.owner != crate::ID {
        return Err(ErrorCode::AccountOwnedByWrongProgram.into());
    }
    let data = account.data.try_borrow().map_err(|_| ProgramError::AccountBorrowFailed)?;
    if !data.starts_with(T::DISCRIMINATOR) {
        return Err(ErrorCode::AccountDiscriminatorMismatch.into());
    }
    require_version::<T>(&data)?;
    Ok(data)
}

/// Reads a record of this program.
pub fn read_record<T: AccountDeserialize + Versioned>(account: &AccountInfo) -> Result<T> {
    T::try_deserialize_unchecked(&mut &borrow_record::<T>(account)?[..])
}

/// Writes a part of a record that was read, where Borsh has it.
pub fn write_part(account: &AccountInfo, at: usize, part: &[u8]) -> Result<()> {
    let mut data = account.try_borrow_mut_data()?;
    let place = data.get_mut(at..at.saturating_add(part.len())).ok_or(ErrorCode::AccountDidNotSerialize)?;
    place.copy_from_slice(part);
    Ok(())
}

/// Writes a record back into the account that it was read from.
pub fn write_record<T: AccountSerialize>(account: &AccountInfo, record: &T) -> Result<()> {
    record.try_serialize(&mut &mut account.try_borrow_mut_data()?[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_that_create_an_account_are_those_of_the_system_program() {
        let owner = Pubkey::new_from_array([3; 32]);
        let data = CreateAccount { number: CREATE_ACCOUNT, lamports: 258, space: 513, owner };
        let expected = [[0; 4].as_slice(), &258u64.to_le_bytes(), &513u64.to_le_bytes(), owner.as_ref()].concat();
        assert_eq!(bytemuck::bytes_of(&data), expected);
    }

    #[test]
    fn an_address_is_the_one_that_the_runtime_finds() {
        for number in 0..200u64 {
            let seeds = [b"seed".as_slice(), &number.to_le_bytes()];
            assert_eq!(find_address(&seeds).unwrap(), Pubkey::find_program_address(&seeds, &crate::ID));
        }
    }
}
