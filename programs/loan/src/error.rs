//! Every refusal of the lender. Those of Backstop pass through with their own numbers, 6000 and up.

use anchor_lang::prelude::*;

/// What the lender answers when it refuses; on chain the code is 7000 and up.
#[error_code(offset = 7000)]
#[derive(PartialEq, Eq)]
pub enum LoanError {
    /// 7000
    #[msg("A number does not fit: the amount is out of every sensible range")]
    MathOverflow,
    /// 7001
    #[msg("The terms of the market are out of bounds")]
    BadTerms,
    /// 7002
    #[msg("The product does not insure a fall of this collateral in this asset by a Pyth price")]
    WrongProduct,
    /// 7003
    #[msg("This is not the account that the market or the loan names")]
    WrongAccount,
    /// 7004
    #[msg("The price account is not a good print of the product's feed")]
    BadPrice,
    /// 7005
    #[msg("The price is older than the market takes")]
    PriceTooOld,
    /// 7006
    #[msg("The amount is zero or below the market's least loan")]
    AmountTooSmall,
    /// 7007
    #[msg("The term is outside the market's bounds")]
    BadTerm,
    /// 7008
    #[msg("The market does not have that much to lend or to withdraw")]
    NotEnoughCash,
    /// 7009
    #[msg("The collateral is worth too little for this loan")]
    TooLittleCollateral,
    /// 7010
    #[msg("The pool that would insure the loan is in alert or in a crisis: nothing is lent on it now")]
    PoolInAlert,
    /// 7011
    #[msg("The cover costs more than the market lets a borrower pay")]
    CoverTooDear,
    /// 7012
    #[msg("The cover ends before the loan is due")]
    CoverTooShort,
    /// 7013
    #[msg("Nothing new was paid for the cover, and nothing is left for the borrower")]
    NothingToApply,
    /// 7014
    #[msg("The loan is not due, and its collateral is worth enough")]
    NotLiquidatable,
    /// 7015
    #[msg("The cover was paid: apply that first")]
    ApplyPayoutFirst,
    /// 7016
    #[msg("The loan is not paid back")]
    LoanNotPaid,
    /// 7017
    #[msg("The cover still runs or may still be paid; the borrower can give it back while its pool is quiet")]
    CoverStillLive,
    /// 7018
    #[msg("The loan has no debt")]
    NoDebt,
    /// 7019
    #[msg("The token account cannot be paid: it is not the borrower's, of another mint, closed or frozen")]
    CannotReceive,
    /// 7020
    #[msg("The vault did not move by what was booked, or holds less than the books say")]
    VaultMismatch,
    /// 7021
    #[msg("More would stay owed than the cover would insure")]
    CoverTooSmall,
}
