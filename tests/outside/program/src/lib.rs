//! A program that insures what it holds: it buys a position that pays its own token account, and reads what it was paid.

use anchor_lang::prelude::*;
use backstop::CoverRequest;
use backstop::state::{CoverState, Position};

declare_id!("Payro11111111111111111111111111111111111111");

#[program]
pub mod payroll {
    use super::*;

    /// Insures what is in the safe for 30 days.
    pub fn insure(ctx: Context<Insure>, sum_insured: u64, max_premium: u64) -> Result<()> {
        let accounts = backstop::cpi::accounts::BuyPosition {
            payer: ctx.accounts.payer.to_account_info(),
            owner: ctx.accounts.safe.to_account_info(),
            owner_assets: ctx.accounts.assets.to_account_info(),
            beneficiary: ctx.accounts.assets.to_account_info(),
            protocol: ctx.accounts.protocol.to_account_info(),
            pool: ctx.accounts.pool.to_account_info(),
            product: ctx.accounts.product.to_account_info(),
            rates: ctx.accounts.rates.to_account_info(),
            trigger: ctx.accounts.trigger.to_account_info(),
            vault: ctx.accounts.vault.to_account_info(),
            asset_mint: ctx.accounts.asset_mint.to_account_info(),
            position: ctx.accounts.position.to_account_info(),
            asset_token_program: ctx.accounts.asset_token_program.to_account_info(),
            system_program: ctx.accounts.system_program.to_account_info(),
        };
        let bump = [ctx.bumps.safe];
        let seeds: [&[&[u8]]; 1] = [&[b"safe", &bump]];
        let context = CpiContext::new_with_signer(backstop::ID, accounts, &seeds);
        let request = CoverRequest { sum_insured, term_days: 30 };
        let args = backstop::BuyPositionArgs { nonce: 0, request, max_premium, reference: [0; 32] };
        let bought = backstop::cpi::buy_position(context, args)?.get();
        msg!("insured from day {} for {}", bought.active_day, bought.premium);
        Ok(())
    }

    /// Refuses unless the safe is insured for a sum, now and until a moment.
    pub fn require_insured(ctx: Context<OfPosition>, sum_insured: u64, until: i64) -> Result<()> {
        let position = &ctx.accounts.position;
        require!(position.insured == ctx.accounts.safe.key(), PayrollError::NotInsured);
        require!(position.state == CoverState::Active && position.paid == 0, PayrollError::NotInsured);
        require!(position.sum_insured >= sum_insured, PayrollError::InsuredForLess);
        let now = Clock::get()?.unix_timestamp;
        require!(position.active_from() <= now && position.end() >= until, PayrollError::NotInsuredThen);
        Ok(())
    }

    /// Says what the cover was paid so far.
    pub fn paid(ctx: Context<OfPosition>) -> Result<u64> {
        let position = &ctx.accounts.position;
        Ok(position.paid.saturating_add(position.refunded))
    }
}

/// Numbered apart from Backstop's errors, which reach our callers too.
#[error_code(offset = 7000)]
pub enum PayrollError {
    #[msg("The safe is not insured by this position")]
    NotInsured,
    #[msg("It is insured for less")]
    InsuredForLess,
    #[msg("It is not insured yet, or not that long")]
    NotInsuredThen,
}

#[derive(Accounts)]
pub struct Insure<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: owns the assets and the cover.
    #[account(seeds = [b"safe"], bump)]
    pub safe: UncheckedAccount<'info>,
    /// CHECK: pays the premium, and is paid.
    #[account(mut)]
    pub assets: UncheckedAccount<'info>,
    /// CHECK: Backstop checks it, as it does those below.
    pub protocol: UncheckedAccount<'info>,
    /// CHECK: see above.
    #[account(mut)]
    pub pool: UncheckedAccount<'info>,
    /// CHECK: see above.
    #[account(mut)]
    pub product: UncheckedAccount<'info>,
    /// CHECK: see above.
    #[account(mut)]
    pub rates: UncheckedAccount<'info>,
    /// CHECK: see above.
    pub trigger: UncheckedAccount<'info>,
    /// CHECK: see above.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: see above.
    pub asset_mint: UncheckedAccount<'info>,
    /// CHECK: see above.
    #[account(mut)]
    pub position: UncheckedAccount<'info>,
    /// CHECK: see above.
    pub asset_token_program: UncheckedAccount<'info>,
    pub system_program: Program<'info, System>,
    pub backstop_program: Program<'info, backstop::program::Backstop>,
}

#[derive(Accounts)]
pub struct OfPosition<'info> {
    /// CHECK: whose cover it is.
    #[account(seeds = [b"safe"], bump)]
    pub safe: UncheckedAccount<'info>,
    pub position: Account<'info, Position>,
}
