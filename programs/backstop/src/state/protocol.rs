//! The protocol's roles and its pause.

use crate::border::records::borrow_record;
use crate::constants::*;
use crate::error::BackstopError;
use crate::peril::feed::attested::CLUSTER_BYTES;
use crate::state::Step;
use anchor_lang::prelude::*;

/// The one account that names the roles. Nothing in it reaches money.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Creates pools, products and treaties, cedes surplus, freezes sales, appoints roles.
    pub governance: Pubkey,
    /// Whoever must accept to become governance; the zero address when nobody is proposed.
    pub pending_governance: Pubkey,
    /// May pause deposits and purchases for six hours, three times in seven days.
    pub guardian: Pubkey,
    /// Moves risk rates within their bounds.
    pub risk_keeper: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// The pause in force.
    pub pause: Pause,
    /// Genesis hash of the cluster, which attested reports name. It never changes.
    pub genesis_hash: [u8; 32],
    /// Room for later fields.
    pub reserved: [u8; 32],
}

borsh_account!(Protocol {
    keys: 4,
    discriminator: [45, 39, 101, 43, 115, 72, 131, 40],
    steps: &[Step { from: 1, space: 8 + Protocol::INIT_SPACE, rewrite: same_fields }],
});

/// Layout 2 of the protocol has the fields of layout 1 where they were; what is new is zero.
fn same_fields(_: &mut [u8]) -> Result<()> {
    Ok(())
}

/// A pause that ends by itself. Money paths never read it.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// `PAUSE_DEPOSITS` and `PAUSE_PURCHASES`, or'ed.
    pub bits: u8,
    /// Unix second at which the pause ends.
    pub until: i64,
    /// Unix seconds of the last pauses, oldest first; a slot is free again seven days later.
    pub used_at: [i64; PAUSES_PER_WEEK],
}

impl Protocol {
    /// Refuses while deposits are paused.
    pub fn require_deposits_open(&self, now: i64) -> Result<()> {
        self.pause.require_deposits_open(now)
    }

    /// Refuses while purchases are paused.
    pub fn require_purchases_open(&self, now: i64) -> Result<()> {
        self.pause.require_purchases_open(now)
    }

    /// The part of the genesis hash that reports name; none if it was never given, as in a protocol of layout 1.
    pub fn cluster(&self) -> Option<[u8; CLUSTER_BYTES]> {
        self.genesis_hash.first_chunk().copied().filter(|_| self.genesis_hash != [0; 32])
    }

    /// Where the pause is in the account: behind the discriminator, four keys, version and bump.
    const PAUSE_AT: usize = 8 + 4 * 32 + 2;

    /// Reads the pause alone, for those who need nothing else of the protocol.
    pub fn read_pause(account: &AccountInfo) -> Result<Pause> {
        let data = borrow_record::<Self>(account)?;
        let mut bytes = data.get(Self::PAUSE_AT..).unwrap_or(&[]);
        Ok(Pause::deserialize(&mut bytes)?)
    }
}

impl Pause {
    /// Refuses while deposits are paused.
    pub fn require_deposits_open(&self, now: i64) -> Result<()> {
        ensure!(!self.covers(PAUSE_DEPOSITS, now), BackstopError::DepositsPaused);
        Ok(())
    }

    /// Refuses while purchases are paused.
    pub fn require_purchases_open(&self, now: i64) -> Result<()> {
        ensure!(!self.covers(PAUSE_PURCHASES, now), BackstopError::PurchasesPaused);
        Ok(())
    }

    /// Whether one of `bits` is paused at `now`.
    pub fn covers(&self, bits: u8, now: i64) -> bool {
        self.bits & bits != 0 && now < self.until
    }

    /// Pauses for six hours from now; what is paused already stays so with it. Refuses a fourth pause within any seven
    /// days, whatever the days.
    pub fn begin(&mut self, bits: u8, now: i64) -> Result<()> {
        ensure!(bits != 0 && bits & !(PAUSE_DEPOSITS | PAUSE_PURCHASES) == 0, BackstopError::OutOfBounds);
        let [oldest, second, third] = self.used_at;
        ensure!(oldest == 0 || oldest.saturating_add(WEEK) <= now, BackstopError::NoPauseLeft);
        self.used_at = [second, third, now];
        let running = if now < self.until { self.bits } else { 0 };
        self.bits = bits | running;
        self.until = now.saturating_add(PAUSE_SECONDS);
        Ok(())
    }

    /// Ends the pause.
    pub fn lift(&mut self) {
        self.bits = 0;
        self.until = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_700_000_000;

    #[test]
    fn pause_ends_by_itself() {
        let mut pause = Pause::default();
        pause.begin(PAUSE_DEPOSITS, NOON).unwrap();
        assert!(pause.covers(PAUSE_DEPOSITS, NOON + PAUSE_SECONDS - 1));
        assert!(!pause.covers(PAUSE_DEPOSITS, NOON + PAUSE_SECONDS));
        assert!(!pause.covers(PAUSE_PURCHASES, NOON));
    }

    #[test]
    fn fourth_pause_in_any_seven_days_is_refused() {
        let mut pause = Pause::default();
        for hour in 0..3 {
            pause.begin(PAUSE_DEPOSITS | PAUSE_PURCHASES, NOON + hour * 3_600).unwrap();
        }
        assert!(pause.begin(PAUSE_DEPOSITS, NOON + WEEK - 1).is_err());
        pause.begin(PAUSE_DEPOSITS, NOON + WEEK).unwrap();
        assert!(pause.begin(PAUSE_DEPOSITS, NOON + WEEK).is_err());
        pause.begin(PAUSE_DEPOSITS, NOON + WEEK + 3_600).unwrap();
    }

    #[test]
    fn second_pause_keeps_what_the_first_paused() {
        let mut pause = Pause::default();
        pause.begin(PAUSE_DEPOSITS, NOON).unwrap();
        pause.begin(PAUSE_PURCHASES, NOON + 3_600).unwrap();
        assert!(pause.covers(PAUSE_DEPOSITS, NOON + 3_600));
        pause.begin(PAUSE_PURCHASES, NOON + 3_600 + PAUSE_SECONDS).unwrap();
        assert!(!pause.covers(PAUSE_DEPOSITS, NOON + 3_600 + PAUSE_SECONDS));
    }

    #[test]
    fn unknown_pause_bits_are_refused() {
        assert!(Pause::default().begin(0, NOON).is_err());
        assert!(Pause::default().begin(4, NOON).is_err());
    }
}
