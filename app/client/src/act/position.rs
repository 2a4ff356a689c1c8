//! What the owner of a position does with it, and whoever pays it.

use super::policy::{payout_rows, refund_rows};
use super::{
    Act, ActError, Hinted, Order, Party, Preview, Quoted, Source, ask, asset_text, create_if_missing, event, written,
};
use crate::account;
use crate::address;
use crate::cluster::{Cluster, Receipt};
use crate::instruction as ix;
use crate::quote::Market;
use crate::text::{exact_amount, moment};
use crate::view::OpenPosition;
use crate::view::cover::Standing;
use crate::view::purchase::free_numbers;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::constants::MAX_REFERENCE;
use backstop::error::BackstopError;
use backstop::events::{
    BeneficiarySet, PositionBought, PositionCancelled, PositionConverted, PositionExtended, PositionReduced,
    PositionSettled,
};
use backstop::state::{ExtensionRequest, Position, Quote, Rates, day_of, day_start};
use backstop::{BuyPositionArgs, PositionToNftArgs};
use serde::Serialize;

/// Numbers that are tried for a position before all are said to be taken.
const MOST_NUMBERS: u64 = 1_000;

/// Refuses unless the wallet owns the position.
pub(super) fn require_owner(position: &Position, wallet: &Pubkey) -> Result<(), ActError> {
    match position.require_owner(wallet) {
        Ok(()) => Ok(()),
        Err(_) => {
            let hint = format!("{} owns it: sign with that wallet, or let that program do it", position.insured);
            Err(Hinted::refused_with(BackstopError::NotPositionOwner, hint).into())
        }
    }
}

/// A purchase of a position that was thought through.
#[derive(Debug)]
pub struct PositionPurchase {
    instructions: Vec<Instruction>,
    order: Order,
    beneficiary: Pubkey,
    reference: [u8; MAX_REFERENCE],
    quote: Quote,
    max_premium: u64,
    rent_lamports: u64,
    /// The owner's number for the position.
    pub nonce: u64,
    /// The position, which is there once the purchase was executed.
    pub position: Pubkey,
}

/// A purchase of a position, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PositionPurchaseDetails {
    /// The position.
    pub position: String,
    /// The owner's number for it.
    pub nonce: String,
    /// Who pays, and is insured.
    pub owner: String,
    /// The token account that it pays.
    pub beneficiary: String,
    /// The most that is paid.
    pub max_premium: u64,
    /// Rent that comes back when the position is closed.
    pub rent_lamports: u64,
    /// The price.
    #[serde(flatten)]
    pub quoted: Quoted,
}

impl PositionPurchase {
    /// Thinks a purchase through. Without a number it takes the lowest that is free; without a beneficiary it pays the
    /// owner's associated token account, which is created if it is missing.
    ///
    /// Errors: the program's own code does not sell it, or the owner cannot pay.
    pub fn new(
        cluster: &dyn Cluster,
        order: Order,
        payer: Pubkey,
        beneficiary: Option<Pubkey>,
        nonce: Option<u64>,
        reference: [u8; MAX_REFERENCE],
    ) -> Result<Self, ActError> {
        let Order { keys, market, request, buyer, .. } = &order;
        let quote = ask(market, *request, order.now)?;
        let max_premium = order.most(quote.premium);
        let source = Source::of(&keys.pool, buyer, market.pool.asset_decimals, order.from);
        source.require(cluster, quote.premium)?;
        let mut instructions = Vec::new();
        if beneficiary.is_none() {
            let (mint, token_program) = (&keys.pool.asset_mint, &keys.pool.asset_token_program);
            instructions = create_if_missing(cluster, &payer, buyer, mint, token_program)?;
        }
        let beneficiary = beneficiary.unwrap_or_else(|| keys.pool.assets_of(buyer));
        let nonce = match nonce {
            Some(nonce) => nonce,
            None => free_number(cluster, &keys.product, buyer)?,
        };
        let arguments = BuyPositionArgs { nonce, request: *request, max_premium, reference };
        instructions.push(source.take(ix::buy_position(keys, payer, *buyer, beneficiary, arguments)));
        let position = address::position(&keys.product, buyer, nonce);
        let rent_lamports = cluster.rent(8 + <Position as anchor_lang::Space>::INIT_SPACE)?;
        Ok(Self { instructions, order, beneficiary, reference, quote, max_premium, rent_lamports, nonce, position })
    }

    /// The most that is paid, in asset units.
    pub fn max_premium(&self) -> u64 {
        self.max_premium
    }
}

/// The owner's lowest number of which there is no position now.
pub(super) fn free_number(cluster: &dyn Cluster, product: &Pubkey, owner: &Pubkey) -> Result<u64, ActError> {
    for nonce in 0..MOST_NUMBERS {
        if cluster.account(&address::position(product, owner, nonce))?.is_none() {
            return Ok(nonce);
        }
    }
    let sentence = format!("{owner} has a position of each of the first {MOST_NUMBERS} numbers");
    Err(Hinted::new(sentence, "--nonce names another, or close those that are over").into())
}

impl Act for PositionPurchase {
    type Details = PositionPurchaseDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PositionPurchaseDetails), ActError> {
        let bought: PositionBought = event(receipt)?;
        let Order { keys, market, request, buyer, .. } = &self.order;
        let quote = Quote {
            premium: bought.premium,
            active_day: bought.active_day,
            end_day: bought.end_day,
            level_bps: bought.level_bps,
            ..self.quote
        };
        let quoted = Quoted::new(keys, market, request.term_days, &quote);
        let mut preview = Preview {
            title: format!("Insure {}: {}", asset_text(&market.pool, quoted.sum_insured), quoted.product_name),
            rows: quoted.rows(market),
            warnings: crate::view::product::not_covered_of(&market.trigger, &market.product.terms),
        };
        preview.rows.insert(1, ("at most", asset_text(&market.pool, self.max_premium)));
        preview.rows.extend([
            ("position", bought.position.to_string()),
            ("pays", bought.beneficiary.to_string()),
            ("rent", format!("{} SOL, back when the position is closed", exact_amount(self.rent_lamports, 9))),
        ]);
        let bound = "It has no NFT: nobody can sell it or give it away, and only its owner can give it back.";
        preview.warnings.push(bound.into());
        let details = PositionPurchaseDetails {
            position: bought.position.to_string(),
            nonce: self.nonce.to_string(),
            owner: buyer.to_string(),
            beneficiary: bought.beneficiary.to_string(),
            max_premium: self.max_premium,
            rent_lamports: self.rent_lamports,
            quoted,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let Order { keys, market, request, from, .. } = &self.order;
        let [sum, most] =
            [request.sum_insured, self.max_premium].map(|units| written(units, market.pool.asset_decimals));
        let days = request.term_days;
        let mut command = format!("backstop position buy {} {sum} --days {days} --max-premium {most}", keys.product);
        command.push_str(&format!(" --nonce {} --beneficiary {}", self.nonce, self.beneficiary));
        if self.reference != [0; MAX_REFERENCE] {
            command.push_str(&format!(" --reference {}", backstop::border::text::hex_text(&self.reference)));
        }
        if let Some(from) = from {
            command.push_str(&format!(" --from {from}"));
        }
        command
    }
}

/// A position that is given back for its unearned premium less a fee.
pub struct PositionGiveBack {
    instructions: Vec<Instruction>,
    open: OpenPosition,
}

/// A position that is given back, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PositionGiveBackDetails {
    /// The position.
    pub position: String,
    /// What it insured.
    pub sum_insured: u64,
    /// What comes back.
    pub refund: u64,
    /// What of the unearned premium is kept, for the pool's surplus.
    pub fee: u64,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl PositionGiveBack {
    /// Thinks through what it takes to give a position back.
    ///
    /// Errors: the wallet does not own it.
    pub fn new(cluster: &dyn Cluster, open: OpenPosition, party: Party) -> Result<Self, ActError> {
        let (keys, owner) = (open.product.keys, party.wallet);
        require_owner(&open.state, &owner)?;
        let (mint, token_program) = (&keys.pool.asset_mint, &keys.pool.asset_token_program);
        let mut instructions = create_if_missing(cluster, &party.payer, &owner, mint, token_program)?;
        instructions.push(ix::cancel_position(&keys, owner, open.address, open.state.rent_payer));
        Ok(Self { instructions, open })
    }
}

impl Act for PositionGiveBack {
    type Details = PositionGiveBackDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PositionGiveBackDetails), ActError> {
        let cancelled: PositionCancelled = event(receipt)?;
        let OpenPosition { address, state: position, product } = &self.open;
        let asset = |units| asset_text(&product.pool.state, units);
        let preview = Preview {
            title: format!("Give back a position of {}: {}", asset(position.sum_insured), product.state.name()),
            rows: [("position", address.to_string()), ("protects until", moment(position.end()))]
                .into_iter()
                .chain(refund_rows(&product.pool.state, position.premium, cancelled.refund, cancelled.fee))
                .chain([("rent", format!("back to {}", position.rent_payer))])
                .collect(),
            warnings: vec!["Nothing is insured by it afterwards.".into()],
        };
        let details = PositionGiveBackDetails {
            position: address.to_string(),
            sum_insured: position.sum_insured,
            refund: cancelled.refund,
            fee: cancelled.fee,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop position cancel {}", self.open.address)
    }
}

/// A part of a position that is given back for its unearned premium less a fee.
pub struct PositionReduction {
    instructions: Vec<Instruction>,
    open: OpenPosition,
    left: u64,
}

/// A part of a position that is given back, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PositionReductionDetails {
    /// The position.
    pub position: String,
    /// What of its sum insured is given back.
    pub sum_insured: u64,
    /// What stays insured.
    pub sum_left: u64,
    /// What comes back.
    pub refund: u64,
    /// What of the unearned premium is kept, for the pool's surplus.
    pub fee: u64,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl PositionReduction {
    /// Thinks through what it takes to reduce a position to a sum, in asset units.
    ///
    /// Errors: the wallet does not own it, or the sum is not less than it insures.
    pub fn new(cluster: &dyn Cluster, open: OpenPosition, left: u64, party: Party) -> Result<Self, ActError> {
        let (keys, owner) = (open.product.keys, party.wallet);
        require_owner(&open.state, &owner)?;
        if left >= open.state.sum_insured || left == 0 {
            let insured = asset_text(&open.product.pool.state, open.state.sum_insured);
            let hint = "name the sum that stays insured; `backstop position cancel` gives all of it back";
            return Err(Hinted::misused(format!("the position insures {insured}"), hint).into());
        }
        let (mint, token_program) = (&keys.pool.asset_mint, &keys.pool.asset_token_program);
        let mut instructions = create_if_missing(cluster, &party.payer, &owner, mint, token_program)?;
        instructions.push(ix::reduce_position(&keys, owner, open.address, left));
        Ok(Self { instructions, open, left })
    }
}

impl Act for PositionReduction {
    type Details = PositionReductionDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PositionReductionDetails), ActError> {
        let reduced: PositionReduced = event(receipt)?;
        let OpenPosition { address, state: position, product } = &self.open;
        let asset = |units| asset_text(&product.pool.state, units);
        let preview = Preview {
            title: format!("Reduce a position to {}: {}", asset(reduced.left), product.state.name()),
            rows: [("position", address.to_string()), ("given back", asset(reduced.sum_insured))]
                .into_iter()
                .chain(refund_rows(&product.pool.state, reduced.premium, reduced.refund, reduced.fee))
                .chain([("protects until", moment(position.end()))])
                .collect(),
            warnings: Vec::new(),
        };
        let details = PositionReductionDetails {
            position: address.to_string(),
            sum_insured: reduced.sum_insured,
            sum_left: reduced.left,
            refund: reduced.refund,
            fee: reduced.fee,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let left = written(self.left, self.open.product.pool.decimals);
        format!("backstop position reduce {} {left}", self.open.address)
    }
}

/// Days that are bought of a position, beyond its end.
pub struct PositionExtension {
    instruction: [Instruction; 1],
    open: OpenPosition,
    request: ExtensionRequest,
    from: Option<Pubkey>,
}

/// Days that are bought of a position, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PositionExtensionDetails {
    /// The position.
    pub position: String,
    /// How many days.
    pub days: u16,
    /// What they cost.
    pub premium: u64,
    /// The most that is paid.
    pub max_premium: u64,
    /// Until when it protected, in unix seconds.
    pub end_before: i64,
    /// Until when it protects, in unix seconds.
    pub end: i64,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl PositionExtension {
    /// Thinks through what it takes to extend a position by whole days. Without a most to pay it is one percent more than
    /// now.
    ///
    /// Errors: the wallet does not own it or cannot pay, or the program's own code does not extend it.
    pub fn new(
        cluster: &dyn Cluster,
        open: OpenPosition,
        wallet: Pubkey,
        days: u16,
        max_premium: Option<u64>,
        from: Option<Pubkey>,
    ) -> Result<Self, ActError> {
        require_owner(&open.state, &wallet)?;
        let keys = open.product.keys;
        let premium = Self::price(cluster, &open, days)?;
        let source = Source::of(&keys.pool, &wallet, open.product.pool.decimals, from);
        source.require(cluster, premium)?;
        let max_premium = max_premium.unwrap_or_else(|| premium.saturating_add(premium.div_ceil(100)));
        let request = ExtensionRequest { days, max_premium };
        let instruction = [source.take(ix::extend_position(&keys, wallet, open.address, request))];
        Ok(Self { instruction, open, request, from })
    }

    /// What the days cost now, by the program's own code.
    fn price(cluster: &dyn Cluster, open: &OpenPosition, days: u16) -> Result<u64, ActError> {
        let (now, keys) = (cluster.now()?, &open.product.keys);
        let Market { mut product, mut pool, trigger, protocol, .. } = Market::fetch(cluster, keys)?;
        let mut rates: Rates = account::fetch(cluster, &keys.rates())?;
        let mut policy = open.state.policy.clone();
        let request = ExtensionRequest { days, max_premium: u64::MAX };
        let extension = protocol
            .require_purchases_open(now)
            .and_then(|()| product.extend(&mut pool, &mut rates, &*trigger, &mut policy, request, now));
        Ok(extension.map_err(|error| Hinted::refused(crate::quote::refusal(error)))?.premium)
    }

    /// The most that is paid, in asset units.
    pub fn max_premium(&self) -> u64 {
        self.request.max_premium
    }
}

impl Act for PositionExtension {
    type Details = PositionExtensionDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PositionExtensionDetails), ActError> {
        let extended: PositionExtended = event(receipt)?;
        let OpenPosition { address, state: position, product } = &self.open;
        let asset = |units| asset_text(&product.pool.state, units);
        let (before, end) = (day_start(extended.end_day_before), day_start(extended.end_day));
        let preview = Preview {
            title: format!("Extend a position by {} days: {}", self.request.days, product.state.name()),
            rows: vec![
                ("premium", asset(extended.premium)),
                ("at most", asset(self.request.max_premium)),
                ("insured", asset(position.sum_insured)),
                ("protects until", format!("{}, not {}", moment(end), moment(before))),
                ("position", address.to_string()),
            ],
            warnings: Vec::new(),
        };
        let details = PositionExtensionDetails {
            position: address.to_string(),
            days: self.request.days,
            premium: extended.premium,
            max_premium: self.request.max_premium,
            end_before: before,
            end,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let most = written(self.request.max_premium, self.open.product.pool.decimals);
        let days = self.request.days;
        let mut command = format!("backstop position extend {} --days {days} --max-premium {most}", self.open.address);
        if let Some(from) = self.from {
            command.push_str(&format!(" --from {from}"));
        }
        command
    }
}

/// A position that is made into a cover, for whoever holds its NFT.
pub struct PositionToNft {
    instruction: [Instruction; 1],
    open: OpenPosition,
    receiver: Pubkey,
    mint: Pubkey,
    rent_lamports: u64,
}

/// A position that is made into a cover, for machines.
#[derive(Clone, Debug, Serialize)]
pub struct PositionToNftDetails {
    /// The position, which is closed.
    pub position: String,
    /// The cover.
    pub cover: String,
    /// Its NFT's mint.
    pub mint: String,
    /// Who gets the NFT.
    pub receiver: String,
    /// The token account that the position paid, and the cover does not.
    pub beneficiary: String,
    /// Rent that comes back when the cover is over.
    pub rent_lamports: u64,
}

impl PositionToNft {
    /// Thinks through what it takes to make a position into a cover. It takes the owner's lowest number that is free today.
    ///
    /// Errors: the wallet does not own it.
    pub fn new(cluster: &dyn Cluster, open: OpenPosition, receiver: Pubkey, party: Party) -> Result<Self, ActError> {
        let (keys, owner) = (open.product.keys, party.wallet);
        require_owner(&open.state, &owner)?;
        let day = day_of(cluster.now()?);
        let nonce = free_numbers(cluster, &keys, &owner, day, &[receiver])?.first().copied().unwrap_or_default();
        let position = (open.address, open.state.rent_payer);
        let args = PositionToNftArgs { nonce, day };
        let instruction = [ix::position_to_nft(&keys, party.payer, owner, receiver, position, args)];
        let market = Market::fetch(cluster, &keys)?;
        let rent_lamports = crate::view::purchase::rent_of(cluster, &market, &open.state)?;
        let mint = address::cover_mint(&keys.product, &owner, nonce, day);
        Ok(Self { instruction, open, receiver, mint, rent_lamports })
    }
}

impl Act for PositionToNft {
    type Details = PositionToNftDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PositionToNftDetails), ActError> {
        let converted: PositionConverted = event(receipt)?;
        let OpenPosition { address, state: position, product } = &self.open;
        let sol = exact_amount(self.rent_lamports, 9);
        let mut preview = Preview {
            title: format!("Make a position into a cover: {}", product.state.name()),
            rows: vec![
                ("position", format!("{address}, closed; its rent goes to {}", position.rent_payer)),
                ("cover", converted.cover.to_string()),
                ("NFT", format!("{}, to {}", self.mint, converted.receiver)),
                ("insured", asset_text(&product.pool.state, position.sum_insured)),
                ("protects until", moment(position.end())),
                ("rent", format!("{sol} SOL, back when the cover is over")),
            ],
            warnings: vec![format!(
                "It pays whoever holds the NFT from then on, and {} no longer.",
                position.beneficiary
            )],
        };
        if position.paid > 0 {
            let paid = asset_text(&product.pool.state, position.paid);
            preview.warnings.push(format!("It was paid {paid} already; the NFT does not say so."));
        }
        let details = PositionToNftDetails {
            position: address.to_string(),
            cover: converted.cover.to_string(),
            mint: self.mint.to_string(),
            receiver: converted.receiver.to_string(),
            beneficiary: position.beneficiary.to_string(),
            rent_lamports: self.rent_lamports,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop position to-nft {} --receiver {}", self.open.address, self.receiver)
    }
}

/// A position that is paid to its beneficiary. Anyone may, as often as there is more for it.
pub struct PositionSettle {
    instruction: [Instruction; 1],
    open: OpenPosition,
}

/// A position that is paid, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PositionSettleDetails {
    /// The position.
    pub position: String,
    /// The incident that pays it.
    pub incident: String,
    /// The token account that is paid.
    pub beneficiary: String,
    /// For the loss.
    pub amount: u64,
    /// Premium that is given back.
    pub refund: u64,
    /// Whether it was not in force yet.
    pub waiting: bool,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl PositionSettle {
    /// What it takes to pay a position.
    pub fn new(open: OpenPosition) -> Self {
        let mut settle = ix::settle_position(&open.product.keys, open.address, open.state.beneficiary);
        if open.state.has_lien {
            settle = ix::under_lien(settle, &open.address);
        }
        let instruction = [settle];
        Self { instruction, open }
    }
}

impl Act for PositionSettle {
    type Details = PositionSettleDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PositionSettleDetails), ActError> {
        let settled: PositionSettled = event(receipt)?;
        let OpenPosition { address, state: position, product } = &self.open;
        let asset = |units| asset_text(&product.pool.state, units);
        let preview = Preview {
            title: format!("Pay {} to {}", asset(settled.amount.saturating_add(settled.refund)), settled.beneficiary),
            rows: [("position", address.to_string())]
                .into_iter()
                .chain(payout_rows(&product.pool.state, position, settled.waiting, settled.refund))
                .collect(),
            warnings: Vec::new(),
        };
        let details = PositionSettleDetails {
            position: address.to_string(),
            incident: settled.incident.to_string(),
            beneficiary: settled.beneficiary.to_string(),
            amount: settled.amount,
            refund: settled.refund,
            waiting: settled.waiting,
            decimals: product.pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop position settle {}", self.open.address)
    }
}

/// Another token account that a position pays from now on.
pub struct PositionRedirect {
    instruction: [Instruction; 1],
    open: OpenPosition,
    beneficiary: Pubkey,
}

/// Another beneficiary of a position, for machines.
#[derive(Clone, Debug, Serialize)]
pub struct PositionRedirectDetails {
    /// The position.
    pub position: String,
    /// The token account that it pays from now on.
    pub beneficiary: String,
    /// The one that it paid before.
    pub before: String,
}

impl PositionRedirect {
    /// Thinks through what it takes to name another beneficiary.
    ///
    /// Errors: the wallet does not own the position.
    pub fn new(open: OpenPosition, wallet: Pubkey, beneficiary: Pubkey) -> Result<Self, ActError> {
        require_owner(&open.state, &wallet)?;
        let instruction = [ix::set_beneficiary(&open.product.keys, wallet, open.address, beneficiary)];
        Ok(Self { instruction, open, beneficiary })
    }
}

impl Act for PositionRedirect {
    type Details = PositionRedirectDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PositionRedirectDetails), ActError> {
        let set: BeneficiarySet = event(receipt)?;
        let OpenPosition { address, state: position, product } = &self.open;
        let preview = Preview {
            title: format!("Name another beneficiary: {}", product.state.name()),
            rows: vec![
                ("position", address.to_string()),
                ("insured", asset_text(&product.pool.state, position.sum_insured)),
                ("pays", set.beneficiary.to_string()),
                ("paid before", position.beneficiary.to_string()),
            ],
            warnings: Vec::new(),
        };
        let details = PositionRedirectDetails {
            position: address.to_string(),
            beneficiary: set.beneficiary.to_string(),
            before: position.beneficiary.to_string(),
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop position redirect {} {}", self.open.address, self.beneficiary)
    }
}

/// A position that is paid or over and is closed: its rent goes back.
pub struct PositionClose {
    instructions: Vec<Instruction>,
    open: OpenPosition,
    rent_lamports: u64,
}

/// A position that is closed, for machines.
#[derive(Clone, Debug, Serialize)]
pub struct PositionCloseDetails {
    /// The position.
    pub position: String,
    /// What it was paid for its loss, in asset units.
    pub paid: u64,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Who paid its rent and gets it back.
    pub rent_payer: String,
    /// How much.
    pub rent_lamports: u64,
}

impl PositionClose {
    /// Thinks through what it takes to close a position.
    ///
    /// Errors: the wallet does not own it, or it is not over.
    pub fn new(cluster: &dyn Cluster, open: OpenPosition, wallet: Pubkey) -> Result<Self, ActError> {
        require_owner(&open.state, &wallet)?;
        let (keys, position) = (open.product.keys, &open.state);
        let (now, market) = (cluster.now()?, Market::fetch(cluster, &keys)?);
        let settled = |standing| matches!(standing, Standing::Paid | Standing::Ended);
        let mut instructions = Vec::new();
        if !settled(Standing::of(position, &market.product, &market.trigger, now)) {
            let books = market.up_to_date(now);
            let standing = Standing::of(position, &books.product, &market.trigger, now);
            if !settled(standing) {
                let from = market.product.release_time(position.end_day);
                return Err(super::cover::still_live(standing, from).into());
            }
            // Its exposure can be released, and nobody has done it yet.
            instructions.push(ix::sync_product(&keys));
        }
        instructions.push(ix::close_position(&keys, wallet, open.address, position.rent_payer));
        let rent_lamports = super::cover::lamports(cluster, &[open.address])?;
        Ok(Self { instructions, open, rent_lamports })
    }
}

impl Act for PositionClose {
    type Details = PositionCloseDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, _: &Receipt) -> Result<(Preview, PositionCloseDetails), ActError> {
        let OpenPosition { address, state: position, product } = &self.open;
        let preview = Preview {
            title: format!("Close a position: {}", product.state.name()),
            rows: vec![
                ("position", address.to_string()),
                ("was paid", asset_text(&product.pool.state, position.paid)),
                ("rent", format!("{} SOL to {}", exact_amount(self.rent_lamports, 9), position.rent_payer)),
            ],
            warnings: Vec::new(),
        };
        let details = PositionCloseDetails {
            position: address.to_string(),
            paid: position.paid,
            decimals: product.pool.decimals,
            rent_payer: position.rent_payer.to_string(),
            rent_lamports: self.rent_lamports,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop position close {}", self.open.address)
    }
}
