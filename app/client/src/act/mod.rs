//! What a wallet does: from what is wanted to instructions, and what they will do in words.
//!
//! An [`Act`] is thought through once, for the command line, for a page and for everybody else: its instructions are
//! built from what the chain holds, and what it will do is read from a simulation of them, so that all show the same
//! preview of the same transaction. Nothing is signed or sent here: see [`crate::transaction`].
//!
//! | act | does |
//! |---|---|
//! | [`Deposit`] | puts capital into a pool, for shares |
//! | [`Leave`], [`Stay`], [`Claim`] | ask to leave with shares, give that up, take what was paid |
//! | [`Purchase`] | buys a cover |
//! | [`GiveBack`], [`Settle`], [`Close`] | give a cover back, pay it, close it when it is over |
//! | [`PositionPurchase`], [`PositionGiveBack`], [`PositionSettle`], [`PositionClose`] | the same of a position |
//! | [`PositionRedirect`] | names another token account that a position pays |
//! | [`PositionExtension`], [`PositionReduction`] | buys more days of a position, gives a part of its sum back |
//! | [`PositionToNft`] | makes a position into a cover |
//! | [`Split`] | makes a part of a cover or position one of its own |
//! | [`LienSetting`], [`LienLowering`], [`LienLifting`], [`LienSettling`] | liens on either |
//! | [`Check`] | asserts what a buyer of a cover relies on |

mod buy;
mod cover;
mod deposit;
mod exit;
mod lien;
mod part;
mod policy;
mod position;
mod source;

pub use buy::{Order, Purchase, PurchaseDetails, Quoted, Receiver, ask, receivers};
pub use cover::{Close, CloseDetails, GiveBack, GiveBackDetails, Settle, SettleDetails, require_holder};
pub use deposit::{Deposit, DepositAsk, DepositDetails, cooldown};
pub use exit::{Claim, ClaimDetails, Leave, LeaveAsk, LeaveDetails, Part, Stay, StayDetails};
pub use lien::{LienDetails, LienLifting, LienLowering, LienSetting, LienSettling, LienSettlingDetails};
pub use part::{Check, CheckDetails, Split, SplitDetails};
pub use position::{
    PositionClose, PositionCloseDetails, PositionExtension, PositionExtensionDetails, PositionGiveBack,
    PositionGiveBackDetails, PositionPurchase, PositionPurchaseDetails, PositionRedirect, PositionRedirectDetails,
    PositionReduction, PositionReductionDetails, PositionSettle, PositionSettleDetails, PositionToNft,
    PositionToNftDetails,
};
pub use source::{Source, held};

use crate::account::AccountError;
use crate::address;
use crate::cluster::{Cluster, ClusterError, Receipt};
use crate::explain::{Explanation, explain, explain_refusal};
use crate::instruction as ix;
use crate::text::tidy_amount;
use crate::token::Standing;
use crate::transaction;
use crate::view::tranche_name;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, Discriminator, Event};
use backstop::error::BackstopError;
use backstop::state::{Pool, get_text};
use serde::Serialize;

/// Something that a wallet is about to do.
pub trait Act {
    /// What it does, for machines.
    type Details: Serialize;

    /// Its instructions, of one transaction, in order.
    fn instructions(&self) -> &[Instruction];

    /// What it will do, by what a simulation of its instructions did.
    ///
    /// Errors: the simulation does not tell.
    fn describe(&self, receipt: &Receipt) -> Result<(Preview, Self::Details), ActError>;

    /// The command that does the same.
    fn command(&self) -> String;
}

/// What is about to be done, for whoever confirms it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// What will happen, as an imperative: `Deposit 1,000 into the senior tranche`.
    pub title: String,
    /// What matters about it: amounts, price, shares, risk, cooldown.
    pub rows: Vec<(&'static str, String)>,
    /// What to be aware of, in full sentences.
    pub warnings: Vec<String>,
}

/// Who acts, and who pays fees and rent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Whose tokens, shares and covers they are.
    pub wallet: Pubkey,
    /// Who pays fees and rent.
    pub payer: Pubkey,
}

impl Party {
    /// A wallet that pays for itself.
    pub fn alone(wallet: Pubkey) -> Self {
        Self { wallet, payer: wallet }
    }
}

/// Why an act cannot be done, or not be thought through.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// It is known why, and what to do about it.
    #[error(transparent)]
    Hinted(#[from] Hinted),
    /// An account that it needs could not be read.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The cluster did not answer, or the transaction would fail.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl ActError {
    /// The cluster's failure in it, if it is one.
    pub fn cluster(&self) -> Option<&ClusterError> {
        match self {
            Self::Cluster(failure) | Self::Account(AccountError::Cluster(failure)) => Some(failure),
            Self::Hinted(_) | Self::Account(_) => None,
        }
    }

    /// It as a person reads it.
    pub fn explained(&self) -> Explanation {
        match (self.cluster(), self) {
            (Some(failure), _) => explain(failure),
            (None, Self::Hinted(hinted)) => {
                Explanation { sentence: hinted.sentence.clone(), hint: Some(hinted.hint.clone()) }
            }
            (None, other) => Explanation { sentence: other.to_string(), hint: None },
        }
    }
}

/// A failure that a hint comes with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Hinted {
    /// What went wrong.
    pub sentence: String,
    /// What to do about it.
    pub hint: String,
    /// Whether what was asked for cannot be: a command line is wrong, a form is filled in wrongly.
    pub usage: bool,
    /// The refusal of the program that it is, if it is one.
    pub refusal: Option<BackstopError>,
}

impl Hinted {
    /// A failure with a hint.
    pub fn new(sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), hint: hint.into(), usage: false, refusal: None }
    }

    /// What was asked for cannot be.
    pub fn misused(sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { usage: true, ..Self::new(sentence, hint) }
    }

    /// A refusal by the program's own code, which ran here, as the cluster would tell it.
    pub fn refused(refusal: BackstopError) -> Self {
        Self::refused_with(refusal, explain_refusal(refusal).hint.unwrap_or_default())
    }

    /// A refusal by the program's own code with a hint that knows more than its usual one.
    pub fn refused_with(refusal: BackstopError, hint: impl Into<String>) -> Self {
        Self { refusal: Some(refusal), ..Self::new(explain_refusal(refusal).sentence, hint) }
    }
}

/// The first event of a type that a simulation reported: what the transaction will do.
fn event<E: Event + AnchorDeserialize + Discriminator>(receipt: &Receipt) -> Result<E, ActError> {
    let first = transaction::events(&receipt.logs).into_iter().next();
    first.ok_or_else(|| {
        Hinted::new("the cluster does not tell what the transaction would do", "ask another node of the cluster").into()
    })
}

/// What creates an owner's associated token account, paid by `payer`, if it is missing. Lamports that somebody sent to its
/// address do not make it one.
///
/// Errors: what is there can neither be paid nor be created.
pub fn create_if_missing(
    cluster: &dyn Cluster,
    payer: &Pubkey,
    owner: &Pubkey,
    mint: &Pubkey,
    token_program: &Pubkey,
) -> Result<Vec<Instruction>, ActError> {
    let standing = Standing::associated(cluster, owner, mint, token_program)?;
    if let Some(obstacle) = standing.obstacle() {
        let account = address::associated_token(owner, mint, token_program);
        let hint = match standing {
            Standing::Frozen(_) => "only the authority of its mint can thaw it",
            _ => "its owner must have it back, or close it, before anything can be paid there",
        };
        return Err(Hinted::new(format!("the account {account} of {owner} {obstacle}"), hint).into());
    }
    Ok(match standing {
        Standing::Missing => vec![ix::create_associated_token(payer, owner, mint, token_program)],
        _ => Vec::new(),
    })
}

/// An amount of a pool's asset with its ticker: `1,000.00 USDC`.
pub fn asset_text(pool: &Pool, units: u64) -> String {
    format!("{} {}", tidy_amount(units, pool.asset_decimals), get_text(&pool.label))
}

/// An amount as it is written in a command: exact, without commas, and without decimals that are all zero.
fn written(units: u64, decimals: u8) -> String {
    let text = tidy_amount(units, decimals).replace(',', "");
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}
