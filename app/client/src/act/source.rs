//! Where a payment comes from.

use super::{ActError, Hinted};
use crate::address;
use crate::cluster::{Cluster, ClusterError};
use crate::instruction::{self as ix, PoolKeys};
use crate::text::tidy_amount;
use crate::token::{self, Standing};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;

/// Where a payment comes from: an owner's associated account of a mint, or another that is named.
pub struct Source<'a> {
    /// Whose tokens.
    pub owner: &'a Pubkey,
    /// Of which mint.
    pub mint: &'a Pubkey,
    /// The mint's token program.
    pub token_program: &'a Pubkey,
    /// Decimals of the mint.
    pub decimals: u8,
    /// The account, if it is not the associated one.
    pub named: Option<Pubkey>,
}

impl<'a> Source<'a> {
    /// An owner's account of a pool's asset.
    pub fn of(keys: &'a PoolKeys, owner: &'a Pubkey, decimals: u8, named: Option<Pubkey>) -> Self {
        Self { owner, mint: &keys.asset_mint, token_program: &keys.asset_token_program, decimals, named }
    }

    /// The account that it is.
    pub fn account(&self) -> Pubkey {
        self.named.unwrap_or_else(|| address::associated_token(self.owner, self.mint, self.token_program))
    }

    fn standing(&self, cluster: &dyn Cluster) -> Result<Standing, ClusterError> {
        let found = cluster.account(&self.account())?;
        Ok(Standing::of(found.as_ref(), self.owner, self.mint, self.token_program))
    }

    /// What the owner holds in it: nothing, if it is not there and was not named.
    ///
    /// Errors: it cannot pay.
    pub fn held(&self, cluster: &dyn Cluster) -> Result<u64, ActError> {
        let (account, standing) = (self.account(), self.standing(cluster)?);
        if let Some(obstacle) = standing.obstacle() {
            let hint = match standing {
                Standing::Frozen(_) => "only the authority of its mint can thaw it",
                _ => "--from names another account of the wallet",
            };
            return Err(Hinted::new(format!("the account {account} {obstacle}"), hint).into());
        }
        if standing == Standing::Missing && self.named.is_some() {
            let sentence = format!("there is no token account at {account}");
            return Err(Hinted::new(sentence, "check the address and --url").into());
        }
        Ok(standing.amount())
    }

    /// Another account of the owner that holds as much, for whoever looks in the wrong one.
    pub fn hint(&self, cluster: &dyn Cluster, needed: u64) -> Result<Option<String>, ClusterError> {
        let account = self.account();
        let others = token::elsewhere(cluster, self.owner, self.mint, self.token_program)?;
        let other = others.into_iter().find(|(key, held)| *key != account && *held >= needed.max(1));
        Ok(other.map(|(other, held)| {
            let held = tidy_amount(held, self.decimals);
            format!("it holds {held} in its account {other}, not in the associated account: --from {other} takes it")
        }))
    }

    /// Refuses unless the owner holds `needed` units in it; what the owner holds in other accounts is then told.
    pub fn require(&self, cluster: &dyn Cluster, needed: u64) -> Result<(), ActError> {
        let held = self.held(cluster)?;
        let there = self.named.is_some() || self.standing(cluster)? != Standing::Missing;
        if held >= needed && there {
            return Ok(());
        }
        let elsewhere = self.hint(cluster, needed)?;
        if !there {
            let create = || format!("create it with `spl-token create-account {}` and send tokens to it", self.mint);
            let sentence =
                format!("the wallet has no token account of the mint {} at its associated address", self.mint);
            return Err(Hinted::new(sentence, elsewhere.unwrap_or_else(create)).into());
        }
        let [needed, held] = [needed, held].map(|units| tidy_amount(units, self.decimals));
        let sentence = format!("this needs {needed}, and the token account {} holds {held}", self.account());
        let send = || format!("send tokens of the mint {} to it, or choose a smaller amount", self.mint);
        Err(Hinted::new(sentence, elsewhere.unwrap_or_else(send)).into())
    }

    /// An instruction that takes from the associated account, taking from the one that is meant.
    pub fn take(&self, instruction: Instruction) -> Instruction {
        let usual = address::associated_token(self.owner, self.mint, self.token_program);
        ix::paid_from(instruction, &usual, &self.account())
    }
}

/// Units that an owner holds in their associated account of a mint: none if it is not there, or not theirs.
pub fn held(cluster: &dyn Cluster, owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Result<u64, ClusterError> {
    Ok(Standing::associated(cluster, owner, mint, token_program)?.amount())
}
