//! A policy: what was insured on a product, for how long and for how much, and how far it is paid. A
//! [`crate::state::Cover`] holds one for whoever holds its NFT, a [`crate::state::Position`] for whoever bought it. The
//! rules of both are here and in [`crate::state::Product`] and [`crate::state::Incident`], once.

use crate::border::mint::Metadata;
use crate::border::text;
use crate::constants::{ACCOUNT_VERSION, DAY};
use crate::error::BackstopError;
use crate::math::rounding::{Rounding, mul_div};
use crate::math::stream;
use crate::state::ledger::{debit, fits};
use crate::state::{Pool, Product, ProductTerms, Quote, day_of, day_start, get_text};
use anchor_lang::prelude::*;

stored_enum! {
    /// Where a policy stands.
    pub enum CoverState {
        /// Sold, and not cancelled; of an incident it may have been paid a part of its loss.
        Active = 0,
        /// Paid all that it can be paid by an incident.
        Settled = 1,
        /// Its premium was given back by an incident that is final, and more may come for its loss.
        Refunded = 2,
    }
}

/// What is insured. The terms of a policy never change but by whoever is insured, who splits, reduces or extends it: then
/// [`Policy::was_changed`] is set.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The product that it is on.
    pub product: Pubkey,
    /// Whoever is insured: of a position its owner, of a cover whoever holds the one unit of this mint.
    pub insured: Pubkey,
    /// Layout version of the account that holds it.
    pub version: u8,
    /// Where it stands.
    pub state: CoverState,
    /// Fee that a cancellation costs, of the refund.
    pub cancel_fee_bps: u16,
    /// First insured UTC day.
    pub active_day: u32,
    /// First UTC day that is no longer insured.
    pub end_day: u32,
    /// What it pays at most, in asset units.
    pub sum_insured: u64,
    /// What was paid for it, in asset units.
    pub premium: u64,
    /// How fast the premium is earned, in Q32 asset units a second; 0 for a reading's, which is earned at once when that is
    /// resolved.
    pub rate_q32: u64,
    /// Unix second of the purchase.
    pub bought_at: i64,
    /// Paid for its loss so far, in asset units.
    pub paid: u64,
    /// Given back of its premium by an incident so far, in asset units: whoever is paid, that came beside `paid`.
    pub refunded: u64,
    /// UTC day on which the mint was made, if the policy was not sold with it: it stands in the mint's address. Else 0.
    pub minted_day: u32,
    /// Whether a lien is on it: there is a [`crate::state::Lien`] of it.
    pub has_lien: bool,
    /// Whether sum, premium, rate or end are no longer those of the purchase: a part was carved off it, it is such a part, or
    /// it was extended.
    pub was_changed: bool,
    /// Room for later fields.
    pub reserved: [u8; 10],
}

/// What a policy is due of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It was in force at the event: its sum insured.
    Loss,
    /// It was still waiting: the premium that it had not earned.
    Refund,
}

impl Policy {
    /// Where in the account that holds a policy its state is: behind the discriminator, two keys and the version.
    pub const STATE_AT: usize = 8 + 2 * 32 + 1;

    /// Where what was paid is, and behind it what was given back of its premium.
    pub const PAID_AT: usize = Self::STATE_AT + 3 + 2 * 4 + 4 * 8;

    /// What was paid, and what was given back, as the account holds them.
    pub fn paid_part(&self) -> [u8; 16] {
        bytemuck::cast([self.paid, self.refunded].map(u64::to_le))
    }

    /// Where it says whether a lien is on it.
    pub const HAS_LIEN_AT: usize = Self::PAID_AT + 2 * 8 + 4;

    /// The policy that a purchase at `now` sells to `insured` on `product`.
    pub fn sold(product: Pubkey, insured: Pubkey, quote: &Quote, terms: &ProductTerms, now: i64) -> Self {
        Self {
            product,
            insured,
            version: ACCOUNT_VERSION,
            state: CoverState::Active,
            cancel_fee_bps: terms.cancel_fee_bps,
            active_day: quote.active_day,
            end_day: quote.end_day,
            sum_insured: quote.sum_insured,
            premium: quote.premium,
            rate_q32: quote.rate_q32,
            bought_at: now,
            paid: 0,
            refunded: 0,
            minted_day: 0,
            has_lien: false,
            was_changed: false,
            reserved: [0; 10],
        }
    }

    /// What a wallet shows of the NFT that it is sold with, or made into.
    pub fn nft(&self, pool: &Pool, product: &Product) -> Metadata {
        let sum = text::amount_text(self.sum_insured, pool.asset_decimals, get_text(&pool.label));
        Metadata {
            name: ["Backstop: ", product.name()].concat(),
            symbol: "COVER".to_owned(),
            uri: product.uri().to_owned(),
            fields: vec![
                ("Sum insured at purchase", sum),
                ("End at purchase", text::day_start_text(self.end_day)),
                ("Wording SHA-256", text::hex_text(&product.wording_hash)),
            ],
        }
    }

    /// UTC day of the purchase.
    pub fn bought_day(&self) -> u32 {
        day_of(self.bought_at)
    }

    /// UTC day that stands in the address of its mint: that of the purchase, or of the day on which it was carved off.
    pub fn address_day(&self) -> u32 {
        self.bought_day().max(self.minted_day)
    }

    /// Refuses on the day that its address holds: whatever stands at the cover's address stands there for good, since a
    /// mint that is closed on a later day can never be made again.
    pub fn require_kept_overnight(&self, now: i64) -> Result<()> {
        ensure!(day_of(now) > self.address_day(), BackstopError::BoughtToday);
        Ok(())
    }

    /// Refuses while a lien is on it: what its payee relies on does not become less. The payee agrees by lifting the lien
    /// in the same transaction.
    pub fn require_unencumbered(&self) -> Result<()> {
        ensure!(!self.has_lien, BackstopError::PolicyEncumbered);
        Ok(())
    }

    /// Unix second at which the protection begins.
    pub fn active_from(&self) -> i64 {
        day_start(self.active_day)
    }

    /// Unix second at which the protection ends.
    pub fn end(&self) -> i64 {
        day_start(self.end_day)
    }

    /// Seconds of protection that are left, all of them before it begins.
    pub fn seconds_left(&self, now: i64) -> u64 {
        u64::try_from(self.end().saturating_sub(now.max(self.active_from()))).unwrap_or(0)
    }

    /// Whether its premium is flat: that of a reading, earned at once when that is resolved. A premium that streams has a
    /// rate, as no term is long enough to round it to nothing.
    pub fn is_flat(&self) -> bool {
        self.rate_q32 == 0
    }

    /// What the rate has still to earn at a moment, in asset units, rounded down, and never more than the premium: of
    /// a part that was carved off the rate may be rounded up. Before the protection begins that is the premium, but for a
    /// unit if the rate was rounded. Of a flat premium all of it.
    pub fn unearned_at(&self, now: i64) -> Result<u64> {
        if self.is_flat() {
            return Ok(self.premium);
        }
        let unearned = stream::unearned(self.rate_q32, self.seconds_left(now)).ok_or(BackstopError::MathOverflow)?;
        Ok(unearned.min(self.premium))
    }

    /// Carves a part with a sum insured off: the same policy for that sum, with its part of premium and rate, rounded
    /// down. What was one is two, to the unit: sum, premium and rate together are what they were. Both say that they were
    /// changed.
    ///
    /// Errors: `PolicyEncumbered`; `CoverNotActive` once anything was paid for it; `AmountTooSmall` if the part or what is left has less than
    /// `least`, in asset units, or none of the premium or of its rate.
    pub fn carve(&mut self, sum_insured: u64, least: u64) -> Result<Self> {
        self.require_unencumbered()?;
        ensure!(self.state == CoverState::Active && self.paid == 0, BackstopError::CoverNotActive);
        let left = self.sum_insured.saturating_sub(sum_insured);
        ensure!(sum_insured.min(left) >= least.max(1), BackstopError::AmountTooSmall);
        let of_part = |amount| fits(mul_div(amount, sum_insured, self.sum_insured, Rounding::Down));
        let (premium, rate_q32) = (of_part(self.premium)?, of_part(self.rate_q32)?);
        ensure!(premium > 0 && (rate_q32 > 0 || self.is_flat()), BackstopError::AmountTooSmall);
        self.was_changed = true;
        let part = Self { sum_insured, premium, rate_q32, ..self.clone() };
        self.sum_insured = left;
        debit(&mut self.premium, premium)?;
        debit(&mut self.rate_q32, rate_q32)?;
        Ok(part)
    }

    /// What an event at `event_at` means for it: it was in force, was still waiting, or had ended.
    pub fn claim(&self, event_at: i64) -> Option<Claim> {
        let event_day = day_of(event_at);
        if self.active_day > event_day {
            Some(Claim::Refund)
        } else if self.end_day > event_day {
            Some(Claim::Loss)
        } else {
            None
        }
    }

    /// Refuses one that was paid all that it can be paid.
    pub fn require_open(&self) -> Result<()> {
        ensure!(self.state != CoverState::Settled, BackstopError::CoverNotActive);
        Ok(())
    }
}

/// First UTC day that a purchase at `now` protects: the first day boundary at or after `now + waiting`.
pub fn activation_day(now: i64, waiting: u32) -> u32 {
    day_of(now.saturating_add(i64::from(waiting)).saturating_add(DAY.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Cover;

    fn policy(active_day: u32, end_day: u32) -> Policy {
        Policy {
            product: Pubkey::default(),
            insured: Pubkey::default(),
            version: ACCOUNT_VERSION,
            state: CoverState::Active,
            cancel_fee_bps: 0,
            active_day,
            end_day,
            sum_insured: 1,
            premium: 1,
            rate_q32: 0,
            bought_at: 0,
            paid: 0,
            refunded: 0,
            minted_day: 0,
            has_lien: false,
            was_changed: false,
            reserved: [0; 10],
        }
    }

    #[test]
    fn what_a_settlement_changes_is_where_the_account_has_it() {
        let bytes = |state: CoverState, paid: u64, refunded: u64| {
            let mut bytes = Vec::new();
            let policy = Policy { state, paid, refunded, ..policy(0, 1) };
            Cover { policy, rent_payer: Pubkey::default(), bump: 0 }.try_serialize(&mut bytes).unwrap();
            bytes
        };
        let mut settled = bytes(CoverState::Active, 0, 0);
        settled[Policy::STATE_AT] = CoverState::Settled as u8;
        let part = Policy { paid: 513, refunded: 258, ..policy(0, 1) }.paid_part();
        settled[Policy::PAID_AT..Policy::PAID_AT + 16].copy_from_slice(&part);
        assert_eq!(settled, bytes(CoverState::Settled, 513, 258));

        let mut free = bytes(CoverState::Active, 0, 0);
        free[Policy::HAS_LIEN_AT] = 1;
        let policy = Policy { has_lien: true, ..policy(0, 1) };
        let cover = Cover { policy, rent_payer: Pubkey::default(), bump: 0 };
        let mut encumbered = Vec::new();
        cover.try_serialize(&mut encumbered).unwrap();
        assert_eq!(free, encumbered);
    }

    #[test]
    fn whatever_an_address_holds_is_kept_overnight() {
        let bought = Policy { bought_at: 10 * DAY + 5, ..policy(12, 40) };
        assert_eq!(bought.require_kept_overnight(11 * DAY - 1).unwrap_err(), BackstopError::BoughtToday.into());
        bought.require_kept_overnight(11 * DAY).unwrap();
        let carved = Policy { minted_day: 15, ..bought };
        assert_eq!(carved.require_kept_overnight(16 * DAY - 1).unwrap_err(), BackstopError::BoughtToday.into());
        carved.require_kept_overnight(16 * DAY).unwrap();
    }

    #[test]
    fn what_is_carved_off_and_what_is_left_are_what_there_was() {
        let whole = Policy { sum_insured: 1_000, premium: 77, rate_q32: 12_345, ..policy(10, 40) };
        for sum in [0, 10, 12, 13, 333, 987, 988, 1_000, 1_001, u64::MAX] {
            let mut left = whole.clone();
            match left.carve(sum, 10) {
                Ok(part) => {
                    assert_eq!(part.sum_insured, sum);
                    assert_eq!(part.sum_insured + left.sum_insured, 1_000);
                    assert_eq!(part.premium + left.premium, 77);
                    assert_eq!(part.rate_q32 + left.rate_q32, 12_345);
                    assert_eq!((part.premium, part.rate_q32), (77 * sum / 1_000, 12_345 * sum / 1_000));
                    assert!(part.was_changed && left.was_changed && !whole.was_changed);
                    let same = |policy: Policy| Policy { sum_insured: 0, premium: 0, rate_q32: 0, ..policy };
                    assert_eq!(same(part), same(left.clone()));
                    assert!((13..=990).contains(&sum), "{sum}");
                }
                // Of 12 no unit of the premium is left for the part.
                Err(error) => {
                    assert_eq!(error, BackstopError::AmountTooSmall.into());
                    assert!(!(13..=990).contains(&sum), "{sum}");
                }
            }
        }
        for touched in [
            Policy { paid: 1, ..whole.clone() },
            Policy { state: CoverState::Refunded, ..whole.clone() },
            Policy { state: CoverState::Settled, ..whole.clone() },
        ] {
            assert_eq!(touched.clone().carve(500, 1).unwrap_err(), BackstopError::CoverNotActive.into());
        }
        let encumbered = Policy { has_lien: true, ..whole.clone() };
        assert_eq!(encumbered.clone().carve(500, 1).unwrap_err(), BackstopError::PolicyEncumbered.into());
        let mut flat = Policy { rate_q32: 0, ..whole };
        assert!(flat.carve(500, 1).unwrap().is_flat() && flat.is_flat());
    }

    #[test]
    fn protection_begins_at_the_first_boundary_at_or_after_the_waiting_time() {
        assert_eq!(activation_day(10 * DAY, 86_400), 11);
        assert_eq!(activation_day(10 * DAY + 1, 86_400), 12);
        assert_eq!(activation_day(10 * DAY - 1, 86_400), 11);
    }

    #[test]
    fn claim_follows_the_event_to_the_second() {
        let cover = policy(100, 130);
        assert_eq!(cover.claim(100 * DAY - 1), Some(Claim::Refund));
        assert_eq!(cover.claim(100 * DAY), Some(Claim::Loss));
        assert_eq!(cover.claim(130 * DAY - 1), Some(Claim::Loss));
        assert_eq!(cover.claim(130 * DAY), None);
    }
}
