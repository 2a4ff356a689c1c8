//! What a visitor wants done, as forms and Actions say it, and what it comes to.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::state::{Access, CoverRequest, Tranche, day_of};
use backstop_client::account::{self, AccountError};
use backstop_client::act::{
    Act, ActError, Claim, Close, Deposit, DepositAsk, GiveBack, Hinted, Leave, LeaveAsk, LienLifting, LienLowering,
    LienSetting, LienSettling, Order, Part, Party, PositionClose, PositionExtension, PositionGiveBack,
    PositionPurchase, PositionRedirect, PositionReduction, PositionSettle, PositionToNft, Preview, Purchase, Settle,
    Split, Stay,
};
use backstop_client::cluster::{Cluster, ClusterError, Receipt};
use backstop_client::quote::Market;
use backstop_client::units::{Amount, whole};
use backstop_client::view::{OpenCover, OpenKind, OpenPolicy, OpenPool, OpenPosition, OpenProduct};
use serde::Deserialize;

/// What is wanted, in the words of a form: every field is a text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Ask {
    /// Put capital into a pool.
    Deposit {
        /// The pool's address.
        pool: String,
        /// `junior` or `senior`.
        tranche: String,
        /// How much of the pool's asset.
        amount: String,
    },
    /// Ask to leave a pool.
    Leave {
        /// The pool's address.
        pool: String,
        /// `junior` or `senior`.
        tranche: String,
        /// Shares worth so much of the asset; empty for all of them.
        #[serde(default)]
        amount: String,
    },
    /// Give a ticket up.
    Stay {
        /// The ticket's address.
        ticket: String,
    },
    /// Take what a ticket was paid.
    Claim {
        /// The ticket's address.
        ticket: String,
    },
    /// Buy a cover.
    Buy {
        /// The product's address.
        product: String,
        /// Sum insured, in the pool's asset.
        sum: String,
        /// Whole days of protection.
        days: String,
        /// `cover`, with an NFT, or `position`, without one.
        #[serde(default)]
        kind: Kind,
    },
    /// Give a cover back.
    Cancel {
        /// The cover's address.
        cover: String,
    },
    /// Have a cover paid.
    Settle {
        /// The cover's address.
        cover: String,
    },
    /// Close a cover that is over.
    Close {
        /// The cover's address.
        cover: String,
    },
    /// Give a position back.
    CancelPosition {
        /// The position's address.
        position: String,
    },
    /// Have a position paid.
    SettlePosition {
        /// The position's address.
        position: String,
    },
    /// Close a position that is over.
    ClosePosition {
        /// The position's address.
        position: String,
    },
    /// Buy more days of a position.
    ExtendPosition {
        /// The position's address.
        position: String,
        /// Whole days beyond its end.
        days: String,
    },
    /// Give a part of a position back.
    ReducePosition {
        /// The position's address.
        position: String,
        /// The sum that stays insured, in the pool's asset.
        left: String,
    },
    /// Make a position into a cover, whose NFT the wallet gets.
    PositionToNft {
        /// The position's address.
        position: String,
    },
    /// Make a part of a cover or position one of its own.
    Split {
        /// The cover's or position's address.
        policy: String,
        /// Sum insured of the part, in the pool's asset.
        sum: String,
    },
    /// Put a lien on a cover or position.
    SetLien {
        /// The cover's or position's address.
        policy: String,
        /// The token account that is paid first.
        payee: String,
        /// What it is paid at most, in the pool's asset; empty for all.
        #[serde(default)]
        limit: String,
    },
    /// Lower the limit of a lien.
    LowerLien {
        /// The cover's or position's address.
        policy: String,
        /// What its payee is paid at most from now on, in the pool's asset.
        limit: String,
    },
    /// Lift a lien.
    LiftLien {
        /// The cover's or position's address.
        policy: String,
    },
    /// Have the payee of a lien paid.
    SettleLien {
        /// The cover's or position's address.
        policy: String,
    },
    /// Name another token account that a position pays.
    Redirect {
        /// The position's address.
        position: String,
        /// The token account's.
        beneficiary: String,
    },
}

/// What is bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A policy that whoever holds its NFT has.
    #[default]
    Cover,
    /// A policy that stays with the wallet that bought it.
    Position,
}

/// What keeps an act from being done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// It makes an account, at an address that its number gives: it can be executed once, as often as it is built.
    Numbered {
        /// What is there once it was executed.
        account: Pubkey,
        /// The number.
        nonce: u64,
        /// The only UTC day on which it can be executed, if there is one.
        day: Option<u32>,
    },
    /// A second time it does nothing, or what is still to be done.
    Harmless,
    /// Nothing does: it is built again only when the one before surely never will be executed.
    Expiry {
        /// The pool that it pays into.
        pool: Pubkey,
    },
}

/// What stays of a plan when it is built again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What keeps it from being done twice.
    pub once: Once,
    /// The limit that the visitor has agreed to, if it is kept: [`Thought::limit`].
    pub limit: Option<u64>,
}

/// Tells what will happen, by a simulation.
type Describe = Box<dyn Fn(&Receipt) -> Result<Preview, ActError>>;

/// An act that was thought through.
pub struct Thought {
    /// What it takes.
    pub instructions: Vec<Instruction>,
    /// What keeps it from being done twice.
    pub once: Once,
    /// The command that does the same.
    pub command: String,
    /// The limit that it is within: most premium of a purchase or an extension, in asset units; fewest shares of a deposit, in their units.
    pub limit: Option<u64>,
    describe: Describe,
}

impl Thought {
    fn new(act: impl Act + 'static, once: Once) -> Self {
        Self::within(act, once, None)
    }

    fn within(act: impl Act + 'static, once: Once, limit: Option<u64>) -> Self {
        let (instructions, command) = (act.instructions().to_vec(), act.command());
        let describe: Describe = Box::new(move |receipt| act.describe(receipt).map(|(preview, _)| preview));
        Self { instructions, once, command, limit, describe }
    }

    /// What it will do, by what a simulation of it did.
    ///
    /// Errors: the simulation does not tell.
    pub fn describe(&self, receipt: &Receipt) -> Result<Preview, ActError> {
        (self.describe)(receipt)
    }
}

fn wrong(sentence: impl Into<String>) -> ActError {
    Hinted::misused(sentence, "").into()
}

fn address(text: &str, what: &str) -> Result<Pubkey, ActError> {
    text.parse().map_err(|_| wrong(format!("this is not the address of a {what}")))
}

fn units(text: &str, decimals: u8) -> Result<u64, ActError> {
    let amount: Amount = text.trim().parse().map_err(wrong)?;
    amount.units(decimals).map_err(wrong)
}

fn tranche(text: &str) -> Result<Tranche, ActError> {
    match text {
        "junior" => Ok(Tranche::Junior),
        "senior" => Ok(Tranche::Senior),
        _ => Err(wrong("the tranche is junior or senior")),
    }
}

impl Ask {
    /// What it comes to for a wallet, as the chain stands. `kept` is what stays of the one before, when it is built
    /// again: its number, and what was agreed to.
    ///
    /// Errors: it cannot be done, or cannot be read.
    pub fn think(&self, cluster: &dyn Cluster, wallet: Pubkey, kept: Option<Kept>) -> Result<Thought, ActError> {
        let party = Party::alone(wallet);
        let limit = kept.and_then(|kept| kept.limit);
        match self {
            Self::Deposit { pool, tranche: of, amount } => {
                let pool = OpenPool::read(cluster, address(pool, "pool")?)?;
                if pool.state.access() != Access::Open {
                    let sentence = "not everybody may deposit into this pool";
                    return Err(Hinted::misused(sentence, "whoever keeps its list must sign, too").into());
                }
                let (tranche, amount) = (tranche(of)?, units(amount, pool.decimals)?);
                let ask = DepositAsk { tranche, amount, min_shares: limit, from: None, admits: None };
                let once = Once::Expiry { pool: pool.keys.pool };
                let deposit = Deposit::new(cluster, &pool, party, ask)?;
                let least = deposit.min_shares();
                Ok(Thought::within(deposit, once, Some(least)))
            }
            Self::Leave { pool, tranche: of, amount } => {
                let pool = OpenPool::read(cluster, address(pool, "pool")?)?;
                let part = match amount.trim() {
                    "" => Part::All,
                    amount => Part::Worth(units(amount, pool.decimals)?),
                };
                let nonce = kept.and_then(|kept| kept.once.nonce());
                let ask = LeaveAsk { tranche: tranche(of)?, part, from: None, nonce, later: false };
                let leave = Leave::new(cluster, pool, party, ask)?;
                let once = Once::Numbered { account: leave.ticket, nonce: leave.nonce, day: None };
                Ok(Thought::new(leave, once))
            }
            Self::Stay { ticket } => {
                let stay = Stay::new(cluster, &wallet, address(ticket, "ticket")?)?;
                let owner = stay.ticket.owner;
                if owner != wallet {
                    return Err(Hinted::new("another wallet left with this ticket", format!("{owner} signs")).into());
                }
                Ok(Thought::new(stay, Once::Harmless))
            }
            Self::Claim { ticket } => {
                let claim = Claim::new(cluster, &wallet, address(ticket, "ticket")?)?;
                Ok(Thought::new(claim, Once::Harmless))
            }
            Self::Buy { product, sum, days, kind } => {
                let open = OpenProduct::read(cluster, address(product, "product")?)?;
                let sum_insured = units(sum, open.pool.decimals)?;
                let days = whole(days.trim()).ok_or_else(|| wrong("the term is a whole number of days"))?;
                let (market, now) = (Market::fetch(cluster, &open.keys)?, cluster.now()?);
                let request = CoverRequest { sum_insured, term_days: days };
                let order =
                    Order { keys: open.keys, market, request, buyer: wallet, max_premium: limit, now, from: None };
                if *kind == Kind::Position {
                    let nonce = kept.and_then(|kept| kept.once.nonce());
                    let purchase = PositionPurchase::new(cluster, order, wallet, None, nonce, Default::default())?;
                    let once = Once::Numbered { account: purchase.position, nonce: purchase.nonce, day: None };
                    let most = purchase.max_premium();
                    return Ok(Thought::within(purchase, once, Some(most)));
                }
                let nonce = kept.and_then(|kept| match kept.once {
                    Once::Numbered { nonce, day, .. } if day == Some(day_of(now)) => Some(nonce),
                    _ => None,
                });
                let purchase = Purchase::own(cluster, order, party, nonce)?;
                let Purchase { cover, nonce, day, .. } = purchase;
                let most = purchase.max_premium();
                let once = Once::Numbered { account: cover, nonce, day: Some(day) };
                Ok(Thought::within(purchase, once, Some(most)))
            }
            Self::Cancel { cover } => {
                let open = OpenCover::find(cluster, address(cover, "cover")?)?;
                Ok(Thought::new(GiveBack::new(cluster, open, party)?, Once::Harmless))
            }
            Self::Settle { cover } => {
                let open = OpenCover::find(cluster, address(cover, "cover")?)?;
                Ok(Thought::new(Settle::new(cluster, open, party)?, Once::Harmless))
            }
            Self::Close { cover } => {
                let open = OpenCover::find(cluster, address(cover, "cover")?)?;
                Ok(Thought::new(Close::new(cluster, open, wallet)?, Once::Harmless))
            }
            Self::CancelPosition { position } => {
                let open = OpenPosition::read(cluster, address(position, "position")?)?;
                Ok(Thought::new(PositionGiveBack::new(cluster, open, party)?, Once::Harmless))
            }
            Self::SettlePosition { position } => {
                let open = OpenPosition::read(cluster, address(position, "position")?)?;
                Ok(Thought::new(PositionSettle::new(open), Once::Harmless))
            }
            Self::ClosePosition { position } => {
                let open = OpenPosition::read(cluster, address(position, "position")?)?;
                Ok(Thought::new(PositionClose::new(cluster, open, wallet)?, Once::Harmless))
            }
            Self::ExtendPosition { position, days } => {
                let open = OpenPosition::read(cluster, address(position, "position")?)?;
                let days = whole(days.trim()).ok_or_else(|| wrong("the days are a whole number"))?;
                // Executed twice it would be bought twice.
                let once = Once::Expiry { pool: open.product.keys.pool.pool };
                let extension = PositionExtension::new(cluster, open, wallet, days, limit, None)?;
                let most = extension.max_premium();
                Ok(Thought::within(extension, once, Some(most)))
            }
            Self::ReducePosition { position, left } => {
                let open = OpenPosition::read(cluster, address(position, "position")?)?;
                let left = units(left, open.product.pool.decimals)?;
                Ok(Thought::new(PositionReduction::new(cluster, open, left, party)?, Once::Harmless))
            }
            Self::PositionToNft { position } => {
                let open = OpenPosition::read(cluster, address(position, "position")?)?;
                Ok(Thought::new(PositionToNft::new(cluster, open, wallet, party)?, Once::Harmless))
            }
            Self::Split { policy, sum } => {
                let open = OpenPolicy::find(cluster, address(policy, "cover or position")?)?;
                let sum_insured = units(sum, open.product.pool.decimals)?;
                let today = matches!(open.kind, OpenKind::Cover(_)).then_some(day_of(cluster.now()?));
                let nonce = kept.and_then(|kept| match kept.once {
                    Once::Numbered { nonce, day, .. } if day == today => Some(nonce),
                    _ => None,
                });
                let split = Split::new(cluster, open, party, sum_insured, None, nonce)?;
                let once = Once::Numbered { account: split.part, nonce: split.nonce, day: today };
                Ok(Thought::new(split, once))
            }
            Self::SetLien { policy, payee, limit } => {
                let open = OpenPolicy::find(cluster, address(policy, "cover or position")?)?;
                let limit = match limit.trim() {
                    "" => u64::MAX,
                    limit => units(limit, open.product.pool.decimals)?,
                };
                let payee = address(payee.trim(), "token account")?;
                Ok(Thought::new(LienSetting::new(cluster, open, party, payee, limit)?, Once::Harmless))
            }
            Self::LowerLien { policy, limit } => {
                let open = OpenPolicy::find(cluster, address(policy, "cover or position")?)?;
                let limit = units(limit, open.product.pool.decimals)?;
                Ok(Thought::new(LienLowering::new(open, wallet, Some(limit), None)?, Once::Harmless))
            }
            Self::LiftLien { policy } => {
                let open = OpenPolicy::find(cluster, address(policy, "cover or position")?)?;
                Ok(Thought::new(LienLifting::new(open, wallet)?, Once::Harmless))
            }
            Self::SettleLien { policy } => {
                let open = OpenPolicy::find(cluster, address(policy, "cover or position")?)?;
                Ok(Thought::new(LienSettling::new(open)?, Once::Harmless))
            }
            Self::Redirect { position, beneficiary } => {
                let open = OpenPosition::read(cluster, address(position, "position")?)?;
                let beneficiary = address(beneficiary.trim(), "token account")?;
                Ok(Thought::new(PositionRedirect::new(open, wallet, beneficiary)?, Once::Harmless))
            }
        }
    }
}

impl Once {
    /// The number that what it makes has.
    fn nonce(self) -> Option<u64> {
        match self {
            Self::Numbered { nonce, .. } => Some(nonce),
            Self::Harmless | Self::Expiry { .. } => None,
        }
    }

    /// Whether what it makes is there already: it was executed.
    ///
    /// Errors: the cluster does not answer.
    pub fn is_done(&self, cluster: &dyn Cluster) -> Result<bool, ClusterError> {
        let Self::Numbered { account, .. } = self else { return Ok(false) };
        Ok(cluster.account(account)?.is_some_and(|found| !account::is_bare(&found)))
    }
}

/// Whether an error is of what was asked for, and not of the chain.
pub fn is_input(error: &ActError) -> bool {
    match error {
        ActError::Hinted(hinted) => hinted.usage,
        ActError::Account(AccountError::Missing { .. } | AccountError::Other { .. }) => true,
        ActError::Account(_) | ActError::Cluster(_) => false,
    }
}
