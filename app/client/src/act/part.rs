//! Parts of covers and positions, and what is asserted of one that is bought.

use super::position::{free_number, require_owner};
use super::{Act, ActError, Party, Preview, asset_text, event, require_holder, written};
use crate::address;
use crate::cluster::{Cluster, Receipt};
use crate::instruction as ix;
use crate::text::moment;
use crate::view::purchase::free_numbers;
use crate::view::{OpenKind, OpenPolicy};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::border::text::date_text;
use backstop::events::{CoverSplit, PositionSplit};
use backstop::state::{CoverState, day_of};
use backstop::{AssertPolicyArgs, SplitCoverArgs, SplitPositionArgs};
use serde::Serialize;

/// A part of a policy that becomes a policy of its own.
pub struct Split {
    instruction: [Instruction; 1],
    open: OpenPolicy,
    sum_insured: u64,
    /// The number that the part is made under.
    pub nonce: u64,
    receiver: Pubkey,
    /// The new cover or position, which is there once the split was executed.
    pub part: Pubkey,
}

/// A part of a policy that becomes one of its own, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct SplitDetails {
    /// The cover or position that becomes smaller.
    pub policy: String,
    /// The new one.
    pub part: String,
    /// The number that it was made under.
    pub nonce: String,
    /// Who gets it.
    pub receiver: String,
    /// What it insures.
    pub sum_insured: u64,
    /// Its part of the premium.
    pub premium: u64,
    /// What the old one insures afterwards.
    pub sum_left: u64,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl Split {
    /// Thinks through what it takes to split a cover, whose new NFT goes to a receiver, or a position. Without a number it
    /// takes the lowest that is free.
    ///
    /// Errors: the wallet does not have the policy.
    pub fn new(
        cluster: &dyn Cluster,
        open: OpenPolicy,
        party: Party,
        sum_insured: u64,
        receiver: Option<Pubkey>,
        nonce: Option<u64>,
    ) -> Result<Self, ActError> {
        let (keys, wallet) = (open.product.keys, party.wallet);
        let receiver = receiver.unwrap_or(wallet);
        let (nonce, instruction, part) = match &open.kind {
            OpenKind::Cover(mint) => {
                require_holder(cluster, mint, &wallet)?;
                let day = day_of(cluster.now()?);
                let nonce = match nonce {
                    Some(nonce) => nonce,
                    None => {
                        let free = free_numbers(cluster, &keys, &wallet, day, &[receiver])?;
                        free.first().copied().unwrap_or_default()
                    }
                };
                let args = SplitCoverArgs { sum_insured, nonce, day };
                let split = ix::split_cover(&keys, party.payer, wallet, *mint, receiver, args);
                (nonce, split, address::cover(&address::cover_mint(&keys.product, &wallet, nonce, day)))
            }
            OpenKind::Position(position) => {
                require_owner(position, &wallet)?;
                let nonce = match nonce {
                    Some(nonce) => nonce,
                    None => free_number(cluster, &keys.product, &wallet)?,
                };
                let args = SplitPositionArgs { sum_insured, nonce };
                let split = ix::split_position(&keys, party.payer, wallet, open.address, args);
                (nonce, split, address::position(&keys.product, &wallet, nonce))
            }
        };
        Ok(Self { instruction: [instruction], open, sum_insured, nonce, receiver, part })
    }
}

impl Act for Split {
    type Details = SplitDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, SplitDetails), ActError> {
        let (sum_insured, premium) = match self.open.kind {
            OpenKind::Cover(_) => {
                let split: CoverSplit = event(receipt)?;
                (split.sum_insured, split.premium)
            }
            OpenKind::Position(_) => {
                let split: PositionSplit = event(receipt)?;
                (split.sum_insured, split.premium)
            }
        };
        let (open, asset) = (&self.open, |units| asset_text(&self.open.product.pool.state, units));
        let left = open.policy.sum_insured.saturating_sub(sum_insured);
        let preview = Preview {
            title: format!("Split {} off: {}", asset(sum_insured), open.product.state.name()),
            rows: vec![
                ("from", open.address.to_string()),
                ("left there", asset(left)),
                ("new", self.part.to_string()),
                ("to", self.receiver.to_string()),
                ("its premium", format!("{} of {}, paid already", asset(premium), asset(open.policy.premium))),
                ("protects until", moment(open.policy.end())),
            ],
            warnings: match open.kind {
                OpenKind::Cover(_) => vec!["The new cover cannot be cancelled today.".into()],
                OpenKind::Position(_) => Vec::new(),
            },
        };
        let details = SplitDetails {
            policy: open.address.to_string(),
            part: self.part.to_string(),
            nonce: self.nonce.to_string(),
            receiver: self.receiver.to_string(),
            sum_insured,
            premium,
            sum_left: left,
            decimals: open.product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let sum = written(self.sum_insured, self.open.product.pool.decimals);
        let address = self.open.address;
        match self.open.kind {
            OpenKind::Cover(_) => {
                format!("backstop cover split {address} {sum} --to {} --nonce {}", self.receiver, self.nonce)
            }
            OpenKind::Position(_) => format!("backstop position split {address} {sum} --nonce {}", self.nonce),
        }
    }
}

/// What is asserted of a policy: a transaction that succeeds only while all of it holds. Whoever buys a cover puts its
/// instruction before the purchase.
pub struct Check {
    instruction: [Instruction; 1],
    open: OpenPolicy,
    asserted: AssertPolicyArgs,
}

/// What is asserted of a policy, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct CheckDetails {
    /// The cover or position.
    pub policy: String,
    /// It insures at least this.
    pub min_sum_insured: u64,
    /// No more than this was paid for it.
    pub max_paid: u64,
    /// First day up to which it is insured at least, as a UTC day.
    pub min_end_day: u32,
    /// Whether it must be under no lien.
    pub no_lien: bool,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl Check {
    /// Asserts that a policy is live and unpaid insurance of at least a sum, at least up to a day.
    pub fn new(open: OpenPolicy, min_sum_insured: u64, min_end_day: u32, no_lien: bool) -> Self {
        let state = CoverState::Active;
        let asserted = AssertPolicyArgs { min_sum_insured, max_paid: 0, state, no_lien, live: true, min_end_day };
        let instruction = [ix::assert_policy(open.product.keys.product, open.address, asserted)];
        Self { instruction, open, asserted }
    }
}

impl Act for Check {
    type Details = CheckDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, _: &Receipt) -> Result<(Preview, CheckDetails), ActError> {
        let AssertPolicyArgs { min_sum_insured, max_paid, no_lien, min_end_day, .. } = self.asserted;
        let asset = |units| asset_text(&self.open.product.pool.state, units);
        let preview = Preview {
            title: format!("It holds: {}", self.open.product.state.name()),
            rows: vec![
                ("policy", self.open.address.to_string()),
                ("insures", format!("at least {}", asset(min_sum_insured))),
                ("paid for it", "nothing yet; its product is not over".into()),
                ("ends", format!("not before {}", date_text(min_end_day))),
                ("lien", if no_lien { "none" } else { "not asked for" }.into()),
            ],
            warnings: vec![
                "Put it before the purchase, in the same transaction: by itself it proves nothing later.".into(),
            ],
        };
        let details = CheckDetails {
            policy: self.open.address.to_string(),
            min_sum_insured,
            max_paid,
            min_end_day,
            no_lien,
            decimals: self.open.product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let AssertPolicyArgs { min_sum_insured, no_lien, min_end_day, .. } = self.asserted;
        let sum = written(min_sum_insured, self.open.product.pool.decimals);
        let lien = if no_lien { "" } else { " --encumbered" };
        format!("backstop cover check {} --sum {sum} --until {}{lien}", self.open.address, date_text(min_end_day))
    }
}
