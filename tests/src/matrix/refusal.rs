//! How a mutation failed, and whether it failed as it should: with a typed error and without a trace.

use crate::idl;
use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError;
use solana_sdk::instruction::InstructionError;
use solana_sdk::transaction::TransactionError;
use std::fmt;

/// What this program is called.
const PROGRAM: &str = "Backstop";
/// What the example lender is called.
const LENDER: &str = "Lender";

/// A failed transaction.
pub struct Refusal {
    /// What the runtime says.
    pub error: TransactionError,
    /// What the programs logged.
    pub logs: Vec<String>,
    /// Accounts that are not as they were, beside the fee payer's lamports.
    pub changed: Vec<Pubkey>,
}

impl Refusal {
    /// The error's name, or what is wrong with it.
    pub fn named(&self) -> Result<String, String> {
        if !self.changed.is_empty() {
            return Err(format!("CHANGES {:?} though refused with {}", self.changed, self.error));
        }
        let TransactionError::InstructionError(_, error) = &self.error else {
            return Err(format!("NOT TYPED, {:?}", self.error));
        };
        match error {
            InstructionError::Custom(code) => self.custom(*code),
            // Token programs leave it to the runtime to stop a write into an account that is not theirs.
            InstructionError::ExternalAccountDataModified | InstructionError::ExternalAccountLamportSpend
                if ![PROGRAM, LENDER].contains(&self.whose()) =>
            {
                Ok(format!("{} {error:?}", self.whose()))
            }
            // What programs answer, and what the runtime answers for a caller that lacks a signature, a writable
            // account or a program. A panic, an abort, or a write of our own that only the runtime stopped is none of
            // them.
            InstructionError::MissingRequiredSignature
            | InstructionError::PrivilegeEscalation
            | InstructionError::IncorrectProgramId
            | InstructionError::UnsupportedProgramId
            | InstructionError::InvalidAccountOwner
            | InstructionError::IllegalOwner
            | InstructionError::InvalidAccountData
            | InstructionError::InvalidArgument
            | InstructionError::InvalidSeeds
            | InstructionError::InvalidInstructionData
            | InstructionError::UninitializedAccount
            | InstructionError::AccountAlreadyInitialized
            | InstructionError::AccountBorrowFailed
            | InstructionError::AccountDataTooSmall
            | InstructionError::InsufficientFunds
            | InstructionError::Immutable => Ok(format!("{} {error:?}", self.whose())),
            other => Err(format!("NOT TYPED, {other:?}")),
        }
    }

    fn custom(&self, code: u32) -> Result<String, String> {
        let whose = self.whose();
        let own = match whose {
            PROGRAM => BackstopError::from_code(code).map(|error| format!("{error:?}")),
            LENDER => lender_error(code),
            _ => return Ok(format!("{whose} error {code}")),
        };
        if let Some(error) = own {
            return Ok(format!("{whose} {error}"));
        }
        let line = self.logs.iter().find_map(|line| line.split_once("Error Code: ").map(|(_, rest)| rest));
        let name = line.and_then(|line| line.split('.').next());
        name.map(|name| format!("Anchor {name}")).ok_or_else(|| format!("NOT TYPED, custom error {code}"))
    }

    /// The program that failed first: this one or one that it called.
    fn whose(&self) -> &'static str {
        let failed = self.logs.iter().find_map(|line| line.strip_prefix("Program ")?.split_once(" failed: "));
        let Some((program, _)) = failed else { return "runtime" };
        let known = [
            (backstop::ID, PROGRAM),
            (loan::ID, LENDER),
            (anchor_spl::token::ID, "SPL Token"),
            (anchor_spl::token_2022::ID, "Token-2022"),
            (anchor_spl::associated_token::ID, "associated token program"),
            (anchor_lang::system_program::ID, "system program"),
        ];
        known.iter().find(|(id, _)| id.to_string() == program).map_or("another program", |(_, name)| name)
    }
}

/// The name of a refusal of the example lender.
fn lender_error(code: u32) -> Option<String> {
    let errors = idl::list(idl::lender(), "errors");
    errors.iter().find(|error| error["code"] == code).map(|error| idl::name(error).to_owned())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.error, self.logs.join("\n"))
    }
}
