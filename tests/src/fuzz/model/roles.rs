//! Roles and pause, and what people do with their tokens past the program.

use super::{DAY, Model, N, Rule, need, take_shares};
use crate::fuzz::op::{Op, Who};

/// Who has which role, and what is paused.
#[derive(Clone, Debug)]
pub struct Roles {
    /// Governance.
    pub governance: Who,
    /// Proposed governance.
    pub proposed: Option<Who>,
    /// Guardian.
    pub guardian: Who,
    /// Risk keeper.
    pub risk_keeper: Who,
    /// What is paused: deposits 1, purchases 2.
    pub paused: u8,
    /// Until when.
    pub paused_until: i64,
    /// When pauses began.
    pub pauses: Vec<i64>,
}

impl Model {
    pub(super) fn apply_roles(&mut self, op: &Op) -> Rule {
        let now = self.now;
        match *op {
            Op::Time { to } => {
                self.now = to;
                self.ledger += 1;
                Ok(())
            }
            Op::Skip { slots } => {
                self.ledger += slots;
                Ok(())
            }
            Op::Epoch { to } => {
                self.epoch = to;
                Ok(())
            }
            Op::Pause { bits, by } => {
                let roles = &mut self.roles;
                need(by == roles.guardian, "only the guardian")?;
                if bits == 0 {
                    (roles.paused, roles.paused_until) = (0, 0);
                    return Ok(());
                }
                need(bits <= 3, "unknown bits")?;
                let recent = roles.pauses.iter().filter(|begun| **begun > now - 7 * DAY).count();
                need(recent < 3, "no pause is left")?;
                roles.pauses.push(now);
                let running = if now < roles.paused_until { roles.paused } else { 0 };
                (roles.paused, roles.paused_until) = (bits | running, now + 6 * 3_600);
                Ok(())
            }
            Op::SetRoles { guardian, risk_keeper, by } => {
                need(by == self.roles.governance, "only governance")?;
                (self.roles.guardian, self.roles.risk_keeper) = (guardian, risk_keeper);
                Ok(())
            }
            Op::ProposeGovernance { proposed, by } => {
                need(by == self.roles.governance, "only governance")?;
                self.roles.proposed = Some(proposed);
                Ok(())
            }
            Op::AcceptGovernance { by } => {
                need(self.roles.proposed == Some(by), "not proposed")?;
                self.roles.governance = by;
                self.roles.proposed = None;
                Ok(())
            }
            Op::Donate { pool, who, amount } => {
                self.pools[pool].donated += N::from(amount);
                self.spend(who, self.pools[pool].asset, N::from(amount))
            }
            Op::MoveShares { pool, tranche, from, to, amount } => {
                let series = self.pools[pool].classes[tranche.index()].series;
                let key = |who: Who| (who, pool, tranche.index(), series);
                take_shares(self, key(from), N::from(amount))?;
                *self.shares.entry(key(to)).or_default() += N::from(amount);
                Ok(())
            }
            Op::BurnShares { pool, tranche, who, amount } => {
                let series = self.pools[pool].classes[tranche.index()].series;
                take_shares(self, (who, pool, tranche.index(), series), N::from(amount))
            }
            Op::MoveNft { cover, to } => {
                let entry = &mut self.covers[cover];
                need(entry.pays.is_none(), "a position has no NFT")?;
                need(entry.holder.is_some(), "the NFT is burnt")?;
                entry.holder = Some(to);
                Ok(())
            }
            Op::BurnNft { cover } => {
                need(self.covers[cover].pays.is_none(), "a position has no NFT")?;
                need(self.covers[cover].holder.take().is_some(), "the NFT is burnt")
            }
            Op::CloseAssets { asset, who, heir } => {
                let held = self.assets[who][asset].take().ok_or("the account is closed")?;
                self.receive(heir, asset, held)
            }
            Op::OpenAssets { asset, who } => {
                self.assets[who][asset].get_or_insert(0);
                Ok(())
            }
            _ => super::unknown(op, "roles"),
        }
    }
}
