//! Backstop and the example lender as Anchor reads their IDLs: what a project has that depends on neither.

anchor_lang::declare_program!(backstop);
anchor_lang::declare_program!(loan);

/// The instruction's data by the IDL.
pub fn apply_payout() -> Vec<u8> {
    anchor_lang::InstructionData::data(&loan::client::args::ApplyPayout {})
}

/// The address that the IDL says.
pub fn program() -> anchor_lang::prelude::Pubkey {
    backstop::ID
}
