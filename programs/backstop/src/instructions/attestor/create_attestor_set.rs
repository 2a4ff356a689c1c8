//! Creates a set of attestors.

use crate::border::records::{NewAccount, require_address};
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{AttestorSetCreated, report};
use crate::instructions::no_more;
use crate::state::{AttestorSet, Protocol};
use anchor_lang::prelude::*;

/// A set of attestors.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CreateAttestorSetArgs {
    /// Its number among those of the creator, which no other has.
    pub id: u16,
    /// How many keys must sign a report.
    pub threshold: u8,
    /// The keys.
    pub keys: Vec<Pubkey>,
}

/// Accounts of `create_attestor_set`.
#[derive(Accounts)]
#[instruction(args: CreateAttestorSetArgs)]
pub struct CreateAttestorSet<'info> {
    /// Whoever creates it: part of its address, and nothing more.
    pub creator: Signer<'info>,
    /// Pays the rent; may be the creator.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol, which knows the cluster.
    #[account(address = PROTOCOL.0)]
    pub protocol: Box<Account<'info, Protocol>>,
    /// CHECK: the set, created here; its address is derived from creator and id.
    #[cfg_attr(
        feature = "idl-build",
        account(mut, seeds = [ATTESTORS_SEED, creator.key().as_ref(), &args.id.to_le_bytes()], bump)
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub attestors: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - anyone; a set does nothing by itself: governance chooses one for a product;
/// - 2 to 6 signatures of more than half of at most 11 distinct keys;
/// - keys and number of signatures never change, and nobody but its keys can take one away;
/// - the cluster is the protocol's; the id is free.
pub(crate) fn handle(ctx: Context<CreateAttestorSet>, args: CreateAttestorSetArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let cluster = accounts.protocol.cluster().ok_or(BackstopError::ReportWrongCluster)?;
    let (creator, attestors) = (accounts.creator.key(), accounts.attestors.key());
    let id = args.id.to_le_bytes();
    let bump = require_address(&accounts.attestors, &[ATTESTORS_SEED, creator.as_ref(), &id])?;
    let seeds = [ATTESTORS_SEED, creator.as_ref(), &id, &[bump]];
    let new = NewAccount { account: &accounts.attestors, seeds: &seeds, payer: &accounts.payer };
    let mut set = new.create_in_place::<AttestorSet>()?;
    set.appoint(&args.keys, args.threshold)?;
    set.creator = creator;
    set.cluster = cluster;
    set.id = args.id;
    set.version = ACCOUNT_VERSION;
    set.bump = bump;
    report(&AttestorSetCreated { attestors, creator, id: args.id, threshold: args.threshold, keys: args.keys })?;
    Ok(())
}
