//! What the holder of a cover does with it.

use super::policy::{payout_rows, refund_rows};
use super::{Act, ActError, Hinted, Party, Preview, asset_text, create_if_missing, event};
use crate::address;
use crate::cluster::{Cluster, ClusterError, Receipt};
use crate::instruction as ix;
use crate::quote::Market;
use crate::text::{exact_amount, moment};
use crate::view::cover::Standing;
use crate::view::{OpenCover, holder_of};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::error::BackstopError;
use backstop::events::{CoverCancelled, CoverSettled};
use serde::Serialize;

/// Refuses unless the wallet holds the cover's NFT in its associated token account.
pub fn require_holder(cluster: &dyn Cluster, mint: &Pubkey, wallet: &Pubkey) -> Result<(), ActError> {
    let own = address::associated_token(wallet, mint, &anchor_spl::token_2022::ID);
    let why = match holder_of(cluster, mint)? {
        Some((_, nft)) if nft == own => return Ok(()),
        Some((holder, nft)) if holder == *wallet => Hinted::new(
            format!("the wallet holds the NFT in {nft}, not in its associated token account"),
            format!("move it to {own} first"),
        ),
        Some((holder, _)) => {
            Hinted::refused_with(BackstopError::NotHolder, format!("{holder} holds it: sign with that wallet"))
        }
        None => Hinted::new(
            format!("the NFT {mint} is burnt: nobody holds the cover"),
            "`backstop cover close` returns its rent",
        ),
    };
    Err(why.into())
}

/// A cover that is given back for its unearned premium less a fee.
pub struct GiveBack {
    instructions: Vec<Instruction>,
    open: OpenCover,
    holder: Pubkey,
}

/// A cover that is given back, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct GiveBackDetails {
    /// The cover.
    pub cover: String,
    /// Its NFT's mint.
    pub mint: String,
    /// Who holds it.
    pub holder: String,
    /// What it insured.
    pub sum_insured: u64,
    /// What comes back.
    pub refund: u64,
    /// What of the unearned premium is kept, for the pool's surplus.
    pub fee: u64,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl GiveBack {
    /// Thinks through what it takes to give a cover back.
    ///
    /// Errors: the wallet does not hold it.
    pub fn new(cluster: &dyn Cluster, open: OpenCover, party: Party) -> Result<Self, ActError> {
        let (keys, holder, cover) = (open.product.keys, party.wallet, &open.state);
        require_holder(cluster, &cover.mint(), &holder)?;
        let (mint, token_program) = (&keys.pool.asset_mint, &keys.pool.asset_token_program);
        let mut instructions = create_if_missing(cluster, &party.payer, &holder, mint, token_program)?;
        instructions.push(ix::cancel_cover(&keys, holder, cover.mint(), cover.rent_payer));
        instructions.push(ix::close_nft_account(&holder, &cover.mint()));
        Ok(Self { instructions, open, holder })
    }
}

impl Act for GiveBack {
    type Details = GiveBackDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, GiveBackDetails), ActError> {
        let cancelled: CoverCancelled = event(receipt)?;
        let OpenCover { address, state: cover, product } = &self.open;
        let asset = |units| asset_text(&product.pool.state, units);
        let preview = Preview {
            title: format!("Give back {} of cover: {}", asset(cover.sum_insured), product.state.name()),
            rows: [("cover", address.to_string()), ("protects until", moment(cover.end()))]
                .into_iter()
                .chain(refund_rows(&product.pool.state, cover.premium, cancelled.refund, cancelled.fee))
                .chain([("rent", format!("back to {}, that of the NFT's account to the holder", cover.rent_payer))])
                .collect(),
            warnings: vec!["Nothing is insured by it afterwards; its NFT is burnt.".into()],
        };
        let details = GiveBackDetails {
            cover: address.to_string(),
            mint: cover.mint().to_string(),
            holder: self.holder.to_string(),
            sum_insured: cover.sum_insured,
            refund: cancelled.refund,
            fee: cancelled.fee,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop cover cancel {}", self.open.address)
    }
}

/// A cover that is paid to whoever holds its NFT. Anyone may, as often as there is more for it.
pub struct Settle {
    instructions: Vec<Instruction>,
    open: OpenCover,
    /// Who holds the NFT and is paid.
    pub holder: Pubkey,
}

/// A cover that is paid, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct SettleDetails {
    /// The cover.
    pub cover: String,
    /// The incident that pays it.
    pub incident: String,
    /// Who is paid.
    pub holder: String,
    /// Into which token account.
    pub destination: String,
    /// For the loss.
    pub amount: u64,
    /// Premium that is given back.
    pub refund: u64,
    /// Whether the cover was not in force yet.
    pub waiting: bool,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl Settle {
    /// Thinks through what it takes to pay a cover.
    ///
    /// Errors: nobody holds it, or a program does, and another wallet asks.
    pub fn new(cluster: &dyn Cluster, open: OpenCover, party: Party) -> Result<Self, ActError> {
        let cover = &open.state;
        let Some((holder, nft)) = holder_of(cluster, &cover.mint())? else {
            let sentence = format!("nobody holds the NFT {}: it was burnt", cover.mint());
            return Err(Hinted::new(sentence, "`backstop cover close` returns the cover's rent").into());
        };
        if !holder.is_on_curve() && holder != party.wallet {
            let sentence = format!("the cover's NFT is held by {holder}, which is a program's account");
            return Err(Hinted::new(sentence, "only that program can settle it, with its signature").into());
        }
        let keys = &open.product.keys;
        let (mint, token_program) = (&keys.pool.asset_mint, &keys.pool.asset_token_program);
        let mut instructions = create_if_missing(cluster, &party.payer, &holder, mint, token_program)?;
        let settle = ix::settle_cover_from(keys, holder, nft, cover.mint());
        instructions.push(if cover.has_lien { ix::under_lien(settle, &open.address) } else { settle });
        Ok(Self { instructions, open, holder })
    }
}

impl Act for Settle {
    type Details = SettleDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, SettleDetails), ActError> {
        let settled: CoverSettled = event(receipt)?;
        let OpenCover { address, state: cover, product } = &self.open;
        let asset = |units| asset_text(&product.pool.state, units);
        let holder = self.holder;
        let destination = product.keys.pool.assets_of(&holder).to_string();
        let preview = Preview {
            title: format!("Pay {} to {holder}", asset(settled.amount.saturating_add(settled.refund))),
            rows: [("cover", address.to_string())]
                .into_iter()
                .chain(payout_rows(&product.pool.state, cover, settled.waiting, settled.refund))
                .chain([("to", destination.clone())])
                .collect(),
            warnings: Vec::new(),
        };
        let details = SettleDetails {
            cover: address.to_string(),
            incident: settled.incident.to_string(),
            holder: holder.to_string(),
            destination,
            amount: settled.amount,
            refund: settled.refund,
            waiting: settled.waiting,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop incident settle {}", self.open.address)
    }
}

/// A cover that is paid or over and is closed: its NFT is burnt, and its rent goes back.
pub struct Close {
    instructions: Vec<Instruction>,
    open: OpenCover,
    /// Who signs for the NFT; nobody once it is burnt.
    pub holder: Option<Pubkey>,
    rent_lamports: u64,
    holder_lamports: u64,
}

/// A cover that is closed, for machines.
#[derive(Clone, Debug, Serialize)]
pub struct CloseDetails {
    /// The cover.
    pub cover: String,
    /// Its NFT's mint.
    pub mint: String,
    /// Who paid its rent and gets it back.
    pub rent_payer: String,
    /// How much.
    pub rent_lamports: u64,
    /// Who holds the NFT, if it is not burnt.
    pub holder: Option<String>,
    /// Rent of the NFT's account, which the holder gets.
    pub holder_lamports: u64,
}

impl Close {
    /// Thinks through what it takes to close a cover. The wallet signs for the NFT, unless that is burnt already.
    ///
    /// Errors: it is not over, or the wallet does not hold it.
    pub fn new(cluster: &dyn Cluster, open: OpenCover, wallet: Pubkey) -> Result<Self, ActError> {
        let (keys, cover) = (open.product.keys, &open.state);
        let (now, market) = (cluster.now()?, Market::fetch(cluster, &keys)?);
        let settled = |standing| matches!(standing, Standing::Paid | Standing::Ended);
        let mut instructions = Vec::new();
        let books = market.up_to_date(now);
        if !settled(Standing::of(cover, &market.product, &market.trigger, now)) {
            let standing = Standing::of(cover, &books.product, &market.trigger, now);
            if !settled(standing) {
                return Err(still_live(standing, market.product.release_time(cover.end_day)).into());
            }
            // Its exposure can be released, and nobody has done it yet.
            instructions.push(ix::sync_product(&keys));
        }
        let holder = (supply(cluster, &cover.mint())? > 0).then_some(wallet);
        if let Some(holder) = &holder {
            require_holder(cluster, &cover.mint(), holder)?;
        }
        instructions.push(ix::close_cover(&keys, holder, cover.mint(), cover.rent_payer));
        let nft = holder.map(|holder| address::associated_token(&holder, &cover.mint(), &anchor_spl::token_2022::ID));
        instructions.extend(holder.map(|holder| ix::close_nft_account(&holder, &cover.mint())));
        let rent_lamports = lamports(cluster, &[open.address, cover.mint()])?;
        let holder_lamports = lamports(cluster, nft.as_slice())?;
        Ok(Self { instructions, open, holder, rent_lamports, holder_lamports })
    }
}

impl Act for Close {
    type Details = CloseDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, _: &Receipt) -> Result<(Preview, CloseDetails), ActError> {
        let Self { open: OpenCover { address, state: cover, product }, holder, .. } = self;
        let sol = |lamports| format!("{} SOL", exact_amount(lamports, 9));
        let mut preview = Preview {
            title: format!("Close a cover: {}", product.state.name()),
            rows: vec![
                ("cover", address.to_string()),
                ("rent", format!("{} to {}", sol(self.rent_lamports), cover.rent_payer)),
            ],
            warnings: Vec::new(),
        };
        if let Some(holder) = holder {
            preview.rows.push(("rent of the NFT", format!("{} to {holder}", sol(self.holder_lamports))));
            preview.warnings.push("The NFT is burnt.".into());
        }
        let details = CloseDetails {
            cover: address.to_string(),
            mint: cover.mint().to_string(),
            rent_payer: cover.rent_payer.to_string(),
            rent_lamports: self.rent_lamports,
            holder: holder.map(|holder| holder.to_string()),
            holder_lamports: self.holder_lamports,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop cover close {}", self.open.address)
    }
}

/// Why a cover cannot be closed yet, and when it can.
pub(super) fn still_live(standing: Standing, release_time: i64) -> Hinted {
    let hint = match standing {
        Standing::Claim => "it is closed after it was paid: `backstop crank run --once` settles it".into(),
        Standing::Waiting | Standing::InForce => {
            format!("it can be closed from {}, and cancelled before its end", moment(release_time))
        }
        _ => format!("it can be closed from {}, unless an event before its end is proven", moment(release_time)),
    };
    Hinted::refused_with(BackstopError::CoverStillLive, hint)
}

/// Units of a mint that exist; none if it does not.
fn supply(cluster: &dyn Cluster, mint: &Pubkey) -> Result<u64, ClusterError> {
    // The supply stands after the mint authority, in both token programs.
    let supply = cluster.account(mint)?.and_then(|account| account.data.get(36..44)?.try_into().ok());
    Ok(supply.map_or(0, u64::from_le_bytes))
}

/// Lamports in accounts.
pub(super) fn lamports(cluster: &dyn Cluster, addresses: &[Pubkey]) -> Result<u64, ClusterError> {
    Ok(cluster.accounts(addresses)?.iter().flatten().map(|account| account.lamports).sum())
}
