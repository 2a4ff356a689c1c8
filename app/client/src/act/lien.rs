//! Liens on covers and positions: set by who has the policy, lowered and lifted by whom they pay, settled by anyone.

use super::position::require_owner;
use super::{Act, ActError, Hinted, Party, Preview, asset_text, event, require_holder, written};
use crate::cluster::{Cluster, Receipt};
use crate::instruction::{self as ix, Pledge};
use crate::view::{OpenKind, OpenPolicy};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::error::BackstopError;
use backstop::events::{LienLifted, LienLowered, LienSet, LienSettled};
use backstop::state::Lien;
use serde::Serialize;

/// A lien, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct LienDetails {
    /// The cover or position.
    pub policy: String,
    /// Where the lien is.
    pub lien: String,
    /// The token account that it pays.
    pub payee: String,
    /// Whose that was when it was named.
    pub payee_owner: String,
    /// What is left of its limit.
    pub limit_left: u64,
    /// What its payee was paid so far.
    pub paid: u64,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl LienDetails {
    /// A lien as it was read.
    pub fn of(open: &OpenPolicy, lien: &Lien) -> Self {
        Self {
            policy: open.address.to_string(),
            lien: crate::address::lien(&open.address).to_string(),
            payee: lien.payee.to_string(),
            payee_owner: lien.payee_owner.to_string(),
            limit_left: lien.limit_left,
            paid: lien.paid,
            decimals: open.product.pool.decimals,
        }
    }
}

/// A limit as people read it: one that no payment uses up is all.
fn limit_text(open: &OpenPolicy, limit: u64) -> String {
    if limit >= open.policy.sum_insured { "all".into() } else { asset_text(&open.product.pool.state, limit) }
}

/// Refuses a policy without a lien.
fn require_lien(open: &OpenPolicy) -> Result<&Lien, ActError> {
    open.lien.as_ref().ok_or_else(|| {
        let sentence = format!("there is no lien on {}", open.address);
        Hinted::new(sentence, "`backstop lien set` puts one on it").into()
    })
}

/// A lien that is put on a policy.
pub struct LienSetting {
    instruction: [Instruction; 1],
    open: OpenPolicy,
    payee: Pubkey,
    limit: u64,
}

impl LienSetting {
    /// Thinks through what it takes to put a lien on a policy.
    ///
    /// Errors: the wallet does not have the policy.
    pub fn new(
        cluster: &dyn Cluster,
        open: OpenPolicy,
        party: Party,
        payee: Pubkey,
        limit: u64,
    ) -> Result<Self, ActError> {
        let pledge = match &open.kind {
            OpenKind::Cover(mint) => {
                require_holder(cluster, mint, &party.wallet)?;
                Pledge::Cover(*mint)
            }
            OpenKind::Position(position) => {
                require_owner(position, &party.wallet)?;
                Pledge::Position(open.address)
            }
        };
        let instruction = [ix::set_lien(&open.product.keys, party.payer, party.wallet, pledge, payee, limit)];
        Ok(Self { instruction, open, payee, limit })
    }
}

impl Act for LienSetting {
    type Details = LienDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, LienDetails), ActError> {
        let set: LienSet = event(receipt)?;
        let open = &self.open;
        let asset = |units| asset_text(&open.product.pool.state, units);
        let preview = Preview {
            title: format!("Pay {} first: {}", set.payee_owner, open.product.state.name()),
            rows: vec![
                ("policy", open.address.to_string()),
                ("insured", asset(open.policy.sum_insured)),
                ("pays first", limit_text(open, set.limit)),
                ("to", set.payee.to_string()),
                ("whose", set.payee_owner.to_string()),
            ],
            warnings: vec![
                format!("Until {} lifts it, the policy cannot be cancelled, split, or given up.", set.payee_owner),
                "Premium that an incident gives back is yours all the same.".into(),
            ],
        };
        let details = LienDetails {
            policy: open.address.to_string(),
            lien: crate::address::lien(&open.address).to_string(),
            payee: set.payee.to_string(),
            payee_owner: set.payee_owner.to_string(),
            limit_left: set.limit,
            paid: 0,
            decimals: open.product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let limit = match self.limit {
            u64::MAX => "all".into(),
            limit => written(limit, self.open.product.pool.decimals),
        };
        format!("backstop lien set {} {} {limit}", self.open.address, self.payee)
    }
}

/// A lien that is lowered, or pays another account.
pub struct LienLowering {
    instruction: [Instruction; 1],
    open: OpenPolicy,
    payee: Pubkey,
    limit: u64,
}

impl LienLowering {
    /// Thinks through what it takes to lower a lien, or to have it pay another account; what is not named stays.
    ///
    /// Errors: there is none, or it pays another wallet.
    pub fn new(open: OpenPolicy, wallet: Pubkey, limit: Option<u64>, payee: Option<Pubkey>) -> Result<Self, ActError> {
        let lien = require_lien(&open)?;
        require_payee(lien, &wallet)?;
        let (limit, payee) = (limit.unwrap_or(lien.limit_left), payee.unwrap_or(lien.payee));
        let instruction = [ix::lower_lien(lien.pool, wallet, open.address, payee, limit)];
        Ok(Self { instruction, open, payee, limit })
    }
}

/// Refuses unless a lien pays the wallet.
fn require_payee(lien: &Lien, wallet: &Pubkey) -> Result<(), ActError> {
    lien.require_payee(wallet).map_err(|_| {
        let hint = format!("it pays {}: sign with that wallet", lien.payee_owner);
        Hinted::refused_with(BackstopError::NotLienPayee, hint).into()
    })
}

impl Act for LienLowering {
    type Details = LienDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, LienDetails), ActError> {
        let lowered: LienLowered = event(receipt)?;
        let before = require_lien(&self.open)?;
        let mut preview = Preview {
            title: format!("Lower a lien: {}", self.open.product.state.name()),
            rows: vec![
                ("policy", self.open.address.to_string()),
                ("pays first", limit_text(&self.open, lowered.limit)),
                ("before", limit_text(&self.open, before.limit_left)),
                ("to", lowered.payee.to_string()),
            ],
            warnings: Vec::new(),
        };
        if lowered.payee_owner != before.payee_owner {
            let warning = format!("From now on the lien is {}'s, and nobody else lifts it.", lowered.payee_owner);
            preview.warnings.push(warning);
        }
        let lien = Lien {
            limit_left: lowered.limit,
            payee: lowered.payee,
            payee_owner: lowered.payee_owner,
            ..before.clone()
        };
        Ok((preview, LienDetails::of(&self.open, &lien)))
    }

    fn command(&self) -> String {
        let limit = match self.limit {
            u64::MAX => "all".into(),
            limit => written(limit, self.open.product.pool.decimals),
        };
        format!("backstop lien lower {} {limit} --payee {}", self.open.address, self.payee)
    }
}

/// A lien that is lifted.
pub struct LienLifting {
    instruction: [Instruction; 1],
    open: OpenPolicy,
}

impl LienLifting {
    /// Thinks through what it takes to lift a lien: whoever it pays may, and anyone once nothing is left of it.
    ///
    /// Errors: there is none, or it is in force and pays another wallet.
    pub fn new(open: OpenPolicy, wallet: Pubkey) -> Result<Self, ActError> {
        let lien = require_lien(&open)?;
        let over = lien.require_may_lift(None, Some(&open.policy)).is_ok();
        if !over {
            require_payee(lien, &wallet)?;
        }
        let signer = Some(wallet).filter(|wallet| *wallet == lien.payee_owner);
        let instruction = [ix::lift_lien(lien.pool, signer, open.address, lien.rent_payer)];
        Ok(Self { instruction, open })
    }
}

impl Act for LienLifting {
    type Details = LienDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, LienDetails), ActError> {
        let lifted: LienLifted = event(receipt)?;
        let lien = require_lien(&self.open)?;
        let preview = Preview {
            title: format!("Lift a lien: {}", self.open.product.state.name()),
            rows: vec![
                ("policy", self.open.address.to_string()),
                ("paid so far", asset_text(&self.open.product.pool.state, lien.paid)),
                ("was to pay", limit_text(&self.open, lifted.limit_left)),
                ("rent", format!("back to {}", lien.rent_payer)),
            ],
            warnings: vec!["The policy is its holder's alone afterwards.".into()],
        };
        Ok((preview, LienDetails::of(&self.open, lien)))
    }

    fn command(&self) -> String {
        format!("backstop lien lift {}", self.open.address)
    }
}

/// A lien whose payee is paid. Anyone may, as often as there is more for it.
pub struct LienSettling {
    instruction: [Instruction; 1],
    open: OpenPolicy,
}

/// A lien whose payee is paid, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct LienSettlingDetails {
    /// The cover or position.
    pub policy: String,
    /// The incident that pays it.
    pub incident: String,
    /// The token account that is paid.
    pub payee: String,
    /// How much.
    pub amount: u64,
    /// What is left of the lien's limit.
    pub limit_left: u64,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl LienSettling {
    /// What it takes to pay the payee of a lien.
    ///
    /// Errors: there is no lien.
    pub fn new(open: OpenPolicy) -> Result<Self, ActError> {
        let payee = require_lien(&open)?.payee;
        let instruction = [ix::settle_lien(&open.product.keys, open.address, payee)];
        Ok(Self { instruction, open })
    }
}

impl Act for LienSettling {
    type Details = LienSettlingDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, LienSettlingDetails), ActError> {
        let settled: LienSettled = event(receipt)?;
        let asset = |units| asset_text(&self.open.product.pool.state, units);
        let preview = Preview {
            title: format!("Pay {} to {}", asset(settled.amount), settled.payee),
            rows: vec![
                ("policy", self.open.address.to_string()),
                ("why", "its lien is paid before its holder".into()),
                ("left of the lien", limit_text(&self.open, settled.limit_left)),
            ],
            warnings: Vec::new(),
        };
        let details = LienSettlingDetails {
            policy: self.open.address.to_string(),
            incident: settled.incident.to_string(),
            payee: settled.payee.to_string(),
            amount: settled.amount,
            limit_left: settled.limit_left,
            decimals: self.open.product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop lien settle {}", self.open.address)
    }
}
