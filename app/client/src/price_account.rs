//! Price accounts as the Pyth receiver writes them, for clusters whose accounts are ours to write.

use anchor_lang::AccountSerialize;
use anchor_lang::prelude::Pubkey;
use pyth_solana_receiver_sdk::PYTH_PUSH_ORACLE_ID;
use pyth_solana_receiver_sdk::price_update::{PriceFeedMessage, PriceUpdateV2, VerificationLevel};

/// A price as an oracle states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Price in units of `10^exponent`.
    pub price: i64,
    /// Confidence in units of `10^exponent`.
    pub confidence: u64,
    /// Power of ten of the units.
    pub exponent: i32,
    /// Unix seconds.
    pub publish_time: i64,
}

impl Price {
    /// A price in 1e-8.
    pub fn e8(price: i64, confidence: u64, publish_time: i64) -> Self {
        Self { price, confidence, exponent: -8, publish_time }
    }
}

/// The bytes of a fully verified price update, posted in a slot to an account that is its own writer.
pub fn price_update(account: Pubkey, feed: [u8; 32], price: Price, posted_slot: u64) -> Vec<u8> {
    let update = PriceUpdateV2 {
        write_authority: account,
        verification_level: VerificationLevel::Full,
        price_message: PriceFeedMessage {
            feed_id: feed,
            price: price.price,
            conf: price.confidence,
            exponent: price.exponent,
            publish_time: price.publish_time,
            prev_publish_time: price.publish_time.saturating_sub(1),
            ema_price: price.price,
            ema_conf: price.confidence,
        },
        posted_slot,
    };
    let mut data = Vec::with_capacity(PriceUpdateV2::LEN);
    update.try_serialize(&mut data).expect("a vector grows");
    data.resize(PriceUpdateV2::LEN, 0);
    data
}

/// The standing account of a feed, in the first shard: the one that Pyth's own publishers keep fresh.
pub fn standing_account(feed: &[u8; 32]) -> Pubkey {
    const SHARD: u16 = 0;
    Pubkey::find_program_address(&[&SHARD.to_le_bytes(), feed], &PYTH_PUSH_ORACLE_ID).0
}
