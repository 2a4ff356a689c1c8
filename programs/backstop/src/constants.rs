//! Seeds and limits, each with its reason.

use anchor_lang::prelude::*;

/// Layout version written into every account; a later layout raises it.
pub const ACCOUNT_VERSION: u8 = 2;

/// Seed of the one `Protocol` account.
#[constant]
pub const PROTOCOL_SEED: &[u8] = b"protocol";
/// Seed of a `Pool`, followed by the asset mint and the pool's id.
#[constant]
pub const POOL_SEED: &[u8] = b"pool";
/// Seed of a pool's token account, followed by the pool.
#[constant]
pub const VAULT_SEED: &[u8] = b"vault";
/// Seed of a share mint, followed by the pool, the tranche and the series.
#[constant]
pub const SHARES_SEED: &[u8] = b"shares";
/// Seed of a `Product`, followed by the pool and the product's id.
#[constant]
pub const PRODUCT_SEED: &[u8] = b"product";
/// Seed of a product's `Rates`, followed by the product.
#[constant]
pub const RATES_SEED: &[u8] = b"rates";
/// Seed of a `Trigger`, followed by the product.
#[constant]
pub const TRIGGER_SEED: &[u8] = b"trigger";
/// Seed of a set of attestors: creator, id.
#[constant]
pub const ATTESTORS_SEED: &[u8] = b"attestors";
/// Seed of a product's `Live`, followed by the product: what was shown of a live feed.
#[constant]
pub const LIVE_SEED: &[u8] = b"live";
/// Seed of a cover's NFT mint, followed by the product, the buyer, the buyer's nonce and the UTC day of the purchase: no
/// address has a second life.
#[constant]
pub const COVER_MINT_SEED: &[u8] = b"cover_mint";
/// Seed of a `Cover`, followed by its NFT mint.
#[constant]
pub const COVER_SEED: &[u8] = b"cover";
/// Seed of a `Position`, followed by the product, the owner and the owner's nonce.
#[constant]
pub const POSITION_SEED: &[u8] = b"position";
/// Seed of an `ExitTicket`, followed by the pool, the owner and the owner's nonce.
#[constant]
pub const EXIT_SEED: &[u8] = b"exit";
/// Seed of an `ExitEpoch`, followed by the pool and the UTC day.
#[constant]
pub const EXIT_EPOCH_SEED: &[u8] = b"exit_epoch";
/// Seed of a `Crisis`, followed by the pool and the crisis's number.
#[constant]
pub const CRISIS_SEED: &[u8] = b"crisis";
/// Seed of an `Incident`, followed by the product.
#[constant]
pub const INCIDENT_SEED: &[u8] = b"incident";
/// Seed of a `Treaty`, followed by the cedant and the treaty's id.
#[constant]
pub const TREATY_SEED: &[u8] = b"treaty";
/// Seed of a `Cession`, followed by the pool that gives: an announced transfer of surplus.
#[constant]
pub const CESSION_SEED: &[u8] = b"cession";

/// Seconds of a UTC day; premiums, terms and exits fall on its boundaries.
pub const DAY: i64 = 86_400;
/// Seconds of a week.
pub const WEEK: i64 = 7 * DAY;

/// Day buckets of a pool's premium stream and of a product's exposure: the longest term and the ring fit in with
/// room to spare.
pub use crate::math::stream::DAY_BUCKETS;
/// Days ahead for which a pool knows what premium starts to be earned.
pub use crate::math::stream::START_BUCKETS;

/// Days of which a pool keeps what its tranches had earned: enough to tell a month, and a power of two.
pub const EARNED_MARKS: usize = 32;
/// Alerts that run at once of which a pool keeps since when.
pub const RUNNING_ALERTS: usize = 16;
/// Days of which a pool keeps the lowest staying capital.
pub const CAPITAL_LOWS: usize = 32;
/// [`CAPITAL_LOWS`] as a number of days.
pub const CAPITAL_LOWS_RING: u32 = 32;
/// Longest term of a cover plus the days its trigger's ring reaches back.
pub const MAX_TERM_AND_RING_DAYS: u32 = 510;
/// [`DAY_BUCKETS`] as a number of days.
pub const DAY_RING: u32 = 512;
/// [`START_BUCKETS`] as a number of days.
pub const START_RING: u32 = 32;
/// Buckets of a product by the first insured day of its covers.
pub const COVER_STARTS: usize = 64;
/// [`COVER_STARTS`] as a number of days.
pub const COVER_STARTS_RING: u32 = 64;
/// Longest waiting time plus the days a trigger's ring reaches back, so that every first insured day that an incident
/// can ask for still has its bucket: from the event, which is no further back than the ring before the alert, to the
/// last start that the pool's stream can hold.
pub const MAX_WAITING_AND_RING_DAYS: u32 = 30;
const _: () = assert!(MAX_WAITING_AND_RING_DAYS + START_RING < COVER_STARTS_RING);
/// Risk groups of a pool.
pub const RISK_GROUPS: usize = 16;
/// Quota shares in force of a cedant, one after the other: the next is there before this one ends.
pub const MAX_QUOTA_SHARES: usize = 2;
/// Excess-of-loss layers in force of a cedant.
pub const MAX_LAYERS: usize = 4;
/// Treaties that one reinsurance pool may stand behind: its exits look at every cedant.
pub const MAX_INWARD_TREATIES: usize = 8;

/// Longest cooldown of an exit.
pub const MAX_COOLDOWN: i64 = 90 * DAY;
/// Shortest cooldown of an exit: also a pool without products keeps a day's notice.
pub const MIN_COOLDOWN: i64 = DAY;
/// Time beyond the cooldown that a notice runs, so that capital which disagrees can have left before it ends.
pub const NOTICE_MARGIN: i64 = 3 * DAY;
/// A product that was frozen for longer needs notice again before it sells.
pub const FROZEN_WITHOUT_NOTICE: i64 = WEEK;
/// Alerts hold a pool if more than this part of its loss capital is exposed to them: a two hundredth, 0.5 %.
pub const SMALL_ALERT_DIVISOR: u64 = 200;
/// An alert that is met holds a pool after this long, however small: its challenge is over by then.
pub const SMALL_ALERT_TIME: i64 = DAY;
/// An epoch this long past its end settles in spite of an alert that is only breaching.
pub const LATE_EPOCH: i64 = 30 * DAY;
/// Days that the queue of exit epochs spans at most, from the oldest unfilled epoch to the newest: two years and nine
/// months, while no cover holds capital for longer than 541 days.
pub const EXIT_QUEUE_DAYS: u32 = 1_024;
/// [`EXIT_QUEUE_DAYS`] in words of 64 bits.
pub const EXIT_QUEUE_WORDS: usize = 16;
/// Least payment to an exit epoch that does not fill it, in asset units: keeps what rounding takes below 0.2 % of it.
pub const MIN_EXIT_PAYMENT: u64 = 1_000;
/// Days over which quota-share premium is earned by the reinsurer after it was settled.
pub const CEDED_PREMIUM_DAYS: i64 = 7;

/// Pause lasts this long and ends by itself.
pub const PAUSE_SECONDS: i64 = 6 * 3_600;
/// Pauses that the guardian has in any seven days.
pub const PAUSES_PER_WEEK: usize = 3;
/// Pause bit: deposits.
pub const PAUSE_DEPOSITS: u8 = 1;
/// Pause bit: purchases of cover.
pub const PAUSE_PURCHASES: u8 = 2;

/// Once, in basis points: the least solvency ratio, leverage and junior weight.
pub const MIN_BPS: u32 = 10_000;
/// Highest solvency ratio a pool may ask of itself (ten times the required capital).
pub const MAX_SOLVENCY_BPS: u32 = 100_000;
/// Highest leverage: exposure per unit of capital, in basis points (ten to one).
pub const MAX_LEVERAGE_BPS: u32 = 100_000;
/// Most that a deductible, and that a coinsurance, takes, in basis points: half.
pub const MAX_CLAIM_TERM_BPS: u16 = 5_000;
/// Longest time that capital must have stayed before it counts for capacity, in days: a pool keeps the lows of 32 days.
pub const MAX_SEASONING_DAYS: u16 = 30;
/// Farthest end of a vintage, in days from its creation.
pub const MAX_VINTAGE_DAYS: u32 = 730;
/// Highest part of required capital that a quota share may stand in for.
pub const MAX_CREDIT_BPS: u16 = 5_000;
/// Highest part of earned premium that goes to the surplus.
pub const MAX_SURPLUS_BPS: u16 = 3_000;
/// Highest weight of a junior unit of capital against a senior one when premium is shared (ten to one).
pub const MAX_JUNIOR_WEIGHT_BPS: u32 = 100_000;
/// Least of the three smallest amounts (first deposit, ticket, sum insured) a pool may set, in asset units, if one whole
/// token of the asset is less: dust would make cranks pay for nothing. See [`least_smallest_amount`].
pub const MIN_SMALLEST_AMOUNT: u64 = 1_000;
/// Largest smallest ticket a pool may set, in whole tokens of its asset: less than a ticket cannot leave by itself.
pub const MAX_SMALLEST_TICKET: u64 = 1_000;
/// Most that a tranche holds, staying and exiting, in asset units: a tranche of which everything asks to leave at four times its
/// value still has its shares and units in 64 bits. With 6 decimals 4,000,000,000 whole tokens, with 9 decimals
/// 4,000,000.
pub const MAX_TRANCHE_ASSETS: u64 = 4_000_000_000_000_000;
/// Most often that the start of a tranche in ruin is lowered tenfold: to a thousandth. Below that a new series is better.
pub const MAX_LOWERED: u8 = 3;
/// Most that a pool's surplus takes in by a contribution, in asset units: as much as a pool can be exposed to.
pub const MAX_SURPLUS: u64 = crate::math::MAX_TOTAL_EXPOSURE;

/// Digits that a share mint has beyond its asset, because one unit of asset is first worth 1,000 units of shares.
pub const SHARE_EXTRA_DECIMALS: u8 = 3;
/// Most decimals an asset may have, so that share mints stay within what wallets show and amounts within u64.
pub const MAX_ASSET_DECIMALS: u8 = 9;

/// Bytes of a pool's label (its asset's ticker, "USDC").
pub const MAX_LABEL: usize = 10;
/// Bytes of a product's name.
pub const MAX_NAME: usize = 48;
/// Bytes that the owner of a position knows it by.
pub const MAX_REFERENCE: usize = 32;
/// Bytes of the URI of a product, or of a pool.
pub const MAX_URI: usize = 96;
/// What a URI begins with: where wallets know how to look.
pub const URI_SCHEMES: [&str; 3] = ["ipfs://", "ar://", "https://"];

/// Highest rate anywhere on a price curve, and of the risk rate: 1,000 % a year.
pub use crate::math::pricing::MAX_RATE_PPB;
/// Highest loading on the risk rate (ten times).
pub const MAX_LOADING_BPS: u32 = 100_000;
/// Utilisation that counts at most for the market's level, in basis points of capacity: twice.
pub const MAX_UTILISATION_BPS: u32 = 20_000;
/// Bounds of the market's level.
pub const MIN_LEVEL_BPS: u32 = 100;
/// Bounds of the market's level.
pub const MAX_LEVEL_BPS: u32 = 100_000;
/// Highest drift of the level in a day.
pub const MAX_DRIFT_BPS: u16 = 2_000;
/// Highest fee on a cancellation.
pub const MAX_CANCEL_FEE_BPS: u16 = 5_000;
/// Longest age of the last print at a purchase.
pub const MAX_PRICE_AGE: u32 = 3_600;
/// The same for a feed that is silent for longer by its nature; see [`crate::peril::feed::Source::longest_price_age`].
pub const LONGEST_PRICE_AGE: u32 = 86_400;
/// Least distance of prices, less their confidences, from the threshold at a purchase, for feeds that are not live.
pub const MIN_NO_SALE_BUFFER_BPS: u16 = 100;

/// Longest term of a treaty.
pub const MAX_TREATY_DAYS: u32 = 365;
/// Highest cession of a quota share: the cedant keeps a part of every risk it takes.
pub const MAX_CESSION_BPS: u16 = 9_000;
/// Least premium of a layer for its term, of its limit: a layer for next to nothing would be a gift of the reinsurer's
/// capital.
pub const MIN_RATE_ON_LINE_BPS: u16 = 50;
/// Least attachment of a layer, of what the cedant has to bear losses when it accepts: it bears a part of its own.
pub const MIN_ATTACHMENT_BPS: u64 = 100;
/// Time from the call that commutes a treaty to the day that is its last.
pub const COMMUTATION_NOTICE: i64 = 3 * DAY;
/// Highest premium of a layer for its term, of its limit.
pub const MAX_RATE_ON_LINE_BPS: u16 = 5_000;
/// Most often that a layer's limit is restored.
pub const MAX_REINSTATEMENTS: u8 = 4;
/// Highest premium of restoring a layer's whole limit, of its premium.
pub const MAX_REINSTATEMENT_PREMIUM_BPS: u16 = 20_000;
/// A crisis waits this long for its treaties, from when the last of its incidents is final; a later call still pays.
pub const TREATY_CALL_WINDOW: i64 = 2 * DAY;
/// Covers of an incident can be paid this long after it was proven; then what is left goes to the surplus.
pub const SETTLEMENT_WINDOW: i64 = 365 * DAY;
/// An announced cession of surplus is good for this long once its notice is over.
pub const CESSION_WINDOW: i64 = WEEK;

/// Least of the three smallest amounts a pool may set, in asset units: one whole token of its asset, or 1,000 units.
pub fn least_smallest_amount(asset_decimals: u8) -> u64 {
    10u64.saturating_pow(u32::from(asset_decimals)).max(MIN_SMALLEST_AMOUNT)
}

/// Compile-time address of the one `Protocol` account and its bump.
pub const PROTOCOL: (Pubkey, u8) = {
    let (address, bump) = const_crypto::ed25519::derive_program_address(&[PROTOCOL_SEED], &crate::ID.to_bytes());
    (Pubkey::new_from_array(address), bump)
};

/// Compile-time address of the account that holds this program's code and names its upgrade authority.
pub const PROGRAM_DATA: Pubkey = {
    let loader = anchor_lang::solana_program::bpf_loader_upgradeable::ID;
    let (address, _) = const_crypto::ed25519::derive_program_address(&[&crate::ID.to_bytes()], &loader.to_bytes());
    Pubkey::new_from_array(address)
};
