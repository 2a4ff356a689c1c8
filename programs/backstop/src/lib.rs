//! Backstop: decentralised cover and reinsurance pools for Solana.
//!
//! Capital providers pool stablecoins behind covers; covers are NFTs that pay by themselves when an objective condition
//! is proven on an oracle; pools insure one another through treaties. This file is the table of contents: what each
//! instruction does, who may call it, and where its rules are.

#![deny(
    unsafe_code,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

#[macro_use]
pub mod error;
#[macro_use]
mod stored;

pub mod border;
pub mod constants;
pub mod events;
pub mod instructions;
pub mod math;
pub(crate) mod money;
pub mod payout;
pub mod peril;
pub mod state;

use anchor_lang::prelude::*;

pub use constants::PROTOCOL;
pub use instructions::*;
// What instructions take and return.
pub use state::{
    BoughtPosition, CoverRequest, ExtensionRequest, PoolHealth, ProductState, Quote, Tranche, TreatyTerms,
};

declare_id!("BackstopCoverPoo1s1111111111111111111111111");

#[cfg(all(target_os = "solana", entrypoint))]
solana_security_txt::security_txt! {
    name: "Backstop",
    project_url: "https://backstop.example",
    contacts: "link:https://backstop.example/security",
    policy: "https://backstop.example/security",
    preferred_languages: "en",
    source_code: "https://backstop.example",
    auditors: "None"
}

#[program]
pub mod backstop {
    use super::*;

    // ---- protocol ----

    /// Creates the protocol and names its roles. Only the program's upgrade authority.
    pub fn initialize(ctx: Context<Initialize>, args: InitializeArgs) -> Result<()> {
        instructions::protocol::initialize::handle(ctx, args)
    }

    /// Proposes a new governance, which must accept. Only governance.
    pub fn propose_governance(ctx: Context<ProposeGovernance>, proposed: Pubkey) -> Result<()> {
        instructions::protocol::propose_governance::handle(ctx, proposed)
    }

    /// Becomes governance. Only the proposed governance.
    pub fn accept_governance(ctx: Context<AcceptGovernance>) -> Result<()> {
        instructions::protocol::accept_governance::handle(ctx)
    }

    /// Appoints guardian and risk keeper. Only governance.
    pub fn set_roles(ctx: Context<SetRoles>, guardian: Pubkey, risk_keeper: Pubkey) -> Result<()> {
        instructions::protocol::set_roles::handle(ctx, guardian, risk_keeper)
    }

    /// Pauses deposits or purchases for six hours; 0 lifts the pause. Only the guardian, three times in seven days.
    pub fn pause(ctx: Context<SetPause>, bits: u8) -> Result<()> {
        instructions::protocol::pause::handle(ctx, bits)
    }

    // ---- attestors ----

    /// Names keys whose common report is a print, and how many of them must sign. Anyone.
    pub fn create_attestor_set(ctx: Context<CreateAttestorSet>, args: CreateAttestorSetArgs) -> Result<()> {
        instructions::attestor::create_attestor_set::handle(ctx, args)
    }

    /// Revokes a key that signed two different values of one moment. Anyone.
    pub fn report_equivocation(ctx: Context<ReportEquivocation>) -> Result<()> {
        instructions::attestor::report_equivocation::handle(ctx)
    }

    // ---- pool ----

    /// Creates a pool with its vault and share mints; its terms never change. Only governance.
    pub fn create_pool(ctx: Context<CreatePool>, args: CreatePoolArgs) -> Result<()> {
        instructions::pool::create_pool::handle(ctx, args)
    }

    /// Puts capital into a tranche for shares. Anyone the pool admits.
    pub fn deposit<'info>(ctx: Context<'info, Deposit<'info>>, args: DepositArgs) -> Result<()> {
        instructions::pool::deposit::handle(ctx, args)
    }

    /// Returns how a pool stands. Anyone; changes nothing.
    pub fn pool_health(ctx: Context<AskPoolHealth>) -> Result<PoolHealth> {
        instructions::pool::pool_health::handle(ctx)
    }

    /// Earns premium up to now. Anyone.
    pub fn accrue(ctx: Context<Accrue>) -> Result<()> {
        instructions::pool::accrue::handle(ctx)
    }

    /// Gives to a pool's surplus for good. Anyone.
    pub fn contribute_surplus(ctx: Context<ContributeSurplus>, args: ContributeSurplusArgs) -> Result<()> {
        instructions::pool::contribute_surplus::handle(ctx, args)
    }

    /// Burns shares for a ticket that is paid after the cooldown. Any holder of shares.
    pub fn request_exit(ctx: Context<RequestExit>, args: RequestExitArgs) -> Result<()> {
        instructions::pool::request_exit::handle(ctx, args)
    }

    /// Turns the open part of a ticket into shares at today's price, and pays what was settled. The ticket's owner.
    pub fn cancel_exit(ctx: Context<CancelExit>) -> Result<()> {
        instructions::pool::cancel_exit::handle(ctx)
    }

    /// Sets capital aside for the oldest unfilled epoch. Anyone.
    pub fn settle_exit_epoch<'info>(ctx: Context<'info, SettleExitEpoch<'info>>) -> Result<()> {
        instructions::pool::settle_exit_epoch::handle(ctx)
    }

    /// Pays a ticket what was set aside for it; closes it when it is paid in full. Anyone, to the owner.
    pub fn claim_exit(ctx: Context<ClaimExit>) -> Result<()> {
        instructions::pool::claim_exit::handle(ctx)
    }

    /// Closes a filled epoch without tickets. Anyone.
    pub fn close_exit_epoch(ctx: Context<CloseExitEpoch>) -> Result<()> {
        instructions::pool::close_exit_epoch::handle(ctx)
    }

    /// Opens a new series of a tranche that was wiped out, or that is in ruin and deserted. Only governance.
    pub fn open_series(ctx: Context<OpenSeries>, tranche: Tranche) -> Result<()> {
        instructions::pool::open_series::handle(ctx, tranche)
    }

    // ---- product ----

    /// Announces a product; it sells nothing before its condition is set. Only governance.
    pub fn create_product(ctx: Context<CreateProduct>, args: CreateProductArgs) -> Result<()> {
        instructions::product::create_product::handle(ctx, args)
    }

    /// Gives a product its condition, once and for good; it sells once its notice is over. Only governance.
    pub fn set_condition(ctx: Context<SetCondition>, args: SetConditionArgs) -> Result<()> {
        instructions::product::set_condition::handle(ctx, args)
    }

    /// Gives a product of a vintage a reading as its condition, once. Governance.
    pub fn set_reading(ctx: Context<SetCondition>, args: SetReadingArgs) -> Result<()> {
        instructions::product::set_reading::handle(ctx, args)
    }

    /// Freezes, thaws or runs off a product. Only governance.
    pub fn set_product_state(ctx: Context<SetProductState>, state: ProductState) -> Result<()> {
        instructions::product::set_product_state::handle(ctx, state)
    }

    /// Runs off a product whose attestors are too few to report. Anyone.
    pub fn retire_product(ctx: Context<RetireProduct>) -> Result<()> {
        instructions::product::retire_product::handle(ctx)
    }

    /// Moves the risk rate for new covers within its bounds. Only the risk keeper.
    pub fn set_risk_rate(ctx: Context<SetRiskRate>, rate_ppb: u64) -> Result<()> {
        instructions::product::set_risk_rate::handle(ctx, rate_ppb)
    }

    /// Releases the exposure of covers that can no longer be paid. Anyone.
    pub fn sync_product(ctx: Context<SyncProduct>) -> Result<()> {
        instructions::product::sync_product::handle(ctx)
    }

    // ---- cover ----

    /// Returns what a purchase would cost now. Anyone; changes nothing.
    pub fn quote(ctx: Context<QuoteCover>, request: CoverRequest) -> Result<Quote> {
        instructions::cover::quote::handle(ctx, request)
    }

    /// Buys a cover; its NFT goes to the receiver. Anyone.
    pub fn buy_cover(ctx: Context<BuyCover>, args: BuyCoverArgs) -> Result<()> {
        instructions::cover::buy_cover::handle(ctx, args)
    }

    /// Gives a cover back for its unearned premium less the fee. The NFT's holder.
    pub fn cancel_cover(ctx: Context<CancelCover>) -> Result<()> {
        instructions::cover::cancel_cover::handle(ctx)
    }

    /// Closes a cover that can no longer be paid. The NFT's holder, or anyone once it is burnt.
    pub fn close_cover(ctx: Context<CloseCover>) -> Result<()> {
        instructions::cover::close_cover::handle(ctx)
    }

    /// Makes a part of a cover a cover of its own; its NFT goes to the receiver. The NFT's holder.
    pub fn split_cover(ctx: Context<SplitCover>, args: SplitCoverArgs) -> Result<()> {
        instructions::cover::split_cover::handle(ctx, args)
    }

    /// Refuses unless a cover or position is what somebody relies on. Anyone; changes nothing.
    pub fn assert_policy(ctx: Context<AssertPolicy>, args: AssertPolicyArgs) -> Result<()> {
        instructions::cover::assert_policy::handle(ctx, args)
    }

    // ---- position ----

    /// Buys a position: a policy without an NFT, that pays a token account. Anyone, a program's account too.
    pub fn buy_position(ctx: Context<BuyPosition>, args: BuyPositionArgs) -> Result<BoughtPosition> {
        instructions::position::buy_position::handle(ctx, args)
    }

    /// Names another token account that a position pays. The position's owner.
    pub fn set_beneficiary(ctx: Context<SetBeneficiary>) -> Result<()> {
        instructions::position::set_beneficiary::handle(ctx)
    }

    /// Gives a position back for its unearned premium less the fee. The position's owner.
    pub fn cancel_position(ctx: Context<CancelPosition>) -> Result<()> {
        instructions::position::cancel_position::handle(ctx)
    }

    /// Gives a part of a position back, for the unearned premium of that part less the fee. The position's owner.
    pub fn reduce_position(ctx: Context<ReducePosition>, sum_insured: u64) -> Result<()> {
        instructions::position::reduce_position::handle(ctx, sum_insured)
    }

    /// Buys more days of a position that is in force. The position's owner.
    pub fn extend_position(ctx: Context<ExtendPosition>, request: ExtensionRequest) -> Result<()> {
        instructions::position::extend_position::handle(ctx, request)
    }

    /// Makes a position into a cover, whose NFT goes to the receiver. The position's owner.
    pub fn position_to_nft(ctx: Context<PositionToNft>, args: PositionToNftArgs) -> Result<()> {
        instructions::position::position_to_nft::handle(ctx, args)
    }

    /// Closes a position that can no longer be paid. The position's owner.
    pub fn close_position(ctx: Context<ClosePosition>) -> Result<()> {
        instructions::position::close_position::handle(ctx)
    }

    /// Pays a position to its beneficiary what is there for it. Anyone, again.
    pub fn settle_position(ctx: Context<SettlePosition>) -> Result<()> {
        instructions::position::settle_position::handle(ctx)
    }

    /// Makes a part of a position a position of its own. The position's owner.
    pub fn split_position(ctx: Context<SplitPosition>, args: SplitPositionArgs) -> Result<()> {
        instructions::position::split_position::handle(ctx, args)
    }

    // ---- lien ----

    /// Has a cover or position pay somebody first, up to a limit. Whoever has the policy.
    pub fn set_lien(ctx: Context<SetLien>, limit: u64) -> Result<()> {
        instructions::lien::set_lien::handle(ctx, limit)
    }

    /// Lowers the limit of a lien, or names another account that it pays. Whoever it pays.
    pub fn lower_lien(ctx: Context<LowerLien>, limit: u64) -> Result<()> {
        instructions::lien::lower_lien::handle(ctx, limit)
    }

    /// Lifts a lien. Whoever it pays, or anyone once nothing is left of it.
    pub fn lift_lien(ctx: Context<LiftLien>) -> Result<()> {
        instructions::lien::lift_lien::handle(ctx)
    }

    /// Pays the payee of a lien what is there for it. Anyone, again.
    pub fn settle_lien(ctx: Context<SettleLien>) -> Result<()> {
        instructions::lien::settle_lien::handle(ctx)
    }

    // ---- trigger ----

    /// Shows an oracle print to a trigger. Anyone.
    pub fn observe(ctx: Context<Observe>) -> Result<()> {
        instructions::trigger::observe::handle(ctx)
    }

    /// Shows a report of attestors, which stands signed right before, to a trigger. Anyone.
    pub fn observe_report(ctx: Context<ObserveReport>) -> Result<()> {
        instructions::trigger::observe_report::handle(ctx)
    }

    /// Shows what a live feed's account says now. Anyone, alone in its transaction.
    pub fn observe_live<'info>(ctx: Context<'info, ObserveLive<'info>>) -> Result<()> {
        instructions::trigger::observe_live::handle(ctx)
    }

    /// Brings a trigger's phase up to now. Anyone.
    pub fn refresh(ctx: Context<Refresh>) -> Result<()> {
        instructions::trigger::refresh::handle(ctx)
    }

    /// Resolves a reading once its report has stood for three days, or finds it void. Anyone.
    pub fn resolve_reading(ctx: Context<ObserveReport>) -> Result<()> {
        instructions::trigger::resolve_reading::handle(ctx)
    }

    /// Proves the event of a trigger whose challenge is over. Anyone.
    pub fn confirm(ctx: Context<Refresh>) -> Result<()> {
        instructions::trigger::confirm::handle(ctx)
    }

    // ---- incident ----

    /// Opens the incident of a trigger whose evidence is final. Anyone.
    pub fn open_incident(ctx: Context<OpenIncident>) -> Result<()> {
        instructions::incident::open_incident::handle(ctx)
    }

    /// Gives an incident its part of what there is, and closes its crisis once that is due. Anyone, again and again.
    pub fn fund_incident(ctx: Context<FundIncident>) -> Result<()> {
        instructions::incident::fund_incident::handle(ctx)
    }

    /// Pays a cover to the holder of its NFT what is there for it. Anyone, again, to a wallet; other holders sign.
    pub fn settle_cover(ctx: Context<SettleCover>) -> Result<()> {
        instructions::incident::settle_cover::handle(ctx)
    }

    /// Gives the holders of an incident another year, while the pool's vault is frozen. Anyone.
    pub fn extend_deadline(ctx: Context<ExtendDeadline>) -> Result<()> {
        instructions::incident::extend_deadline::handle(ctx)
    }

    /// Moves what is left of an incident to the surplus. Anyone, once all is paid in full, by treaties too, or its deadline is over.
    pub fn close_incident(ctx: Context<CloseIncident>) -> Result<()> {
        instructions::incident::close_incident::handle(ctx)
    }

    // ---- reinsurance ----

    /// Announces a treaty from a cover pool to a reinsurance pool. Only governance.
    pub fn create_treaty(ctx: Context<CreateTreaty>, terms: TreatyTerms) -> Result<()> {
        instructions::treaty::create_treaty::handle(ctx, terms)
    }

    /// Puts a treaty in force: backed by the reinsurer and, for a layer, paid. Only governance.
    pub fn accept_treaty(ctx: Context<AcceptTreaty>) -> Result<()> {
        instructions::treaty::accept_treaty::handle(ctx)
    }

    /// Hands the quota share's premium to the reinsurer. Anyone.
    pub fn settle_treaty_premium(ctx: Context<SettleTreatyPremium>) -> Result<()> {
        instructions::treaty::settle_treaty_premium::handle(ctx)
    }

    /// Calls a treaty for an incident: the reinsurer pays what it owes of it. Anyone, again when more is owed.
    pub fn call_treaty(ctx: Context<CallTreaty>) -> Result<()> {
        instructions::treaty::call_treaty::handle(ctx)
    }

    /// Ends a treaty that can no longer be needed and releases its limit. Anyone.
    pub fn end_treaty(ctx: Context<EndTreaty>) -> Result<()> {
        instructions::treaty::end_treaty::handle(ctx)
    }

    /// Ends a treaty's term in three days and returns unearned premium. Only governance.
    pub fn commute_treaty(ctx: Context<CommuteTreaty>) -> Result<()> {
        instructions::treaty::commute_treaty::handle(ctx)
    }

    /// Announces a transfer of surplus to a reinsurance pool. Only governance.
    pub fn announce_cession(ctx: Context<AnnounceCession>, amount: u64) -> Result<()> {
        instructions::treaty::announce_cession::handle(ctx, amount)
    }

    /// Moves announced surplus to a reinsurance pool. Only governance.
    pub fn cede_surplus(ctx: Context<CedeSurplus>) -> Result<()> {
        instructions::treaty::cede_surplus::handle(ctx)
    }

    /// Closes an announcement of surplus that is void. Anyone.
    pub fn close_cession(ctx: Context<CloseCession>) -> Result<()> {
        instructions::treaty::close_cession::handle(ctx)
    }
}
