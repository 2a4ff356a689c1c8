//! Backstop and the example lender as Anchor reads their IDLs: what a project has that depends on neither.

use anchor_lang::prelude::*;

declare_program!(backstop);
declare_program!(loan);

/// The instruction's data by the IDL.
pub fn apply_payout() -> Vec<u8> {
    anchor_lang::InstructionData::data(&loan::client::args::ApplyPayout {})
}

/// The address that the IDL says.
pub fn program() -> Pubkey {
    backstop::ID
}
