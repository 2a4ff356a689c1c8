//! A set of attestors: who may report values, and how many of them must agree.

use crate::error::BackstopError;
use crate::peril::feed::attested::{CLUSTER_BYTES, MOST_SIGNATURES, Report, ReportError, Signed};
use crate::peril::reading::Signers;
use anchor_lang::prelude::*;

/// Most keys of a set.
pub const MOST_ATTESTORS: usize = 11;
/// Fewest keys that must agree.
pub const LEAST_THRESHOLD: u8 = 2;

/// Keys whose common report is a print. They never change; a key that contradicts itself is revoked. A set with fewer keys
/// left than must agree is dead.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct AttestorSet {
    /// Whoever created it; nothing else.
    pub creator: Pubkey,
    /// The keys, and zeros after them.
    pub keys: [Pubkey; MOST_ATTESTORS],
    /// The first bytes of the cluster's genesis hash: its reports name them.
    pub cluster: [u8; CLUSTER_BYTES],
    /// Its number among those of the creator.
    pub id: u16,
    /// The keys that are revoked: a bit each, the lowest for the first.
    pub revoked: u16,
    /// How many keys it has: n, at most [`MOST_ATTESTORS`].
    pub count: u8,
    /// How many must sign a report: m, 2 to 6 and more than half of n.
    pub threshold: u8,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// When each key was revoked, in unix seconds; 0 while it is not.
    pub revoked_at: [i64; MOST_ATTESTORS],
    /// Room for later fields.
    pub reserved: [u64; 8],
}

const _: () = assert!(core::mem::align_of::<AttestorSet>() <= 8);

in_place_account!(AttestorSet {});

impl AttestorSet {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<AttestorSet>();

    /// Names the keys and how many of them must sign.
    ///
    /// More than half, so that two reports that contradict one another have a signer in common, who is revoked for it.
    ///
    /// Errors: `BadAttestors` for bounds, a key that is named twice, or the zero key.
    pub fn appoint(&mut self, keys: &[Pubkey], threshold: u8) -> Result<()> {
        let count = u8::try_from(keys.len()).map_err(|_| BackstopError::BadAttestors)?;
        let places = self.keys.get_mut(..keys.len()).ok_or(BackstopError::BadAttestors)?;
        let enough = usize::from(threshold) <= MOST_SIGNATURES && u16::from(threshold).saturating_mul(2) > count.into();
        ensure!(threshold >= LEAST_THRESHOLD && threshold <= count && enough, BackstopError::BadAttestors);
        for (number, key) in keys.iter().enumerate() {
            let again = keys.iter().skip(number.saturating_add(1)).any(|other| other == key);
            ensure!(!again && *key != Pubkey::default(), BackstopError::BadAttestors);
        }
        places.copy_from_slice(keys);
        (self.count, self.threshold) = (count, threshold);
        Ok(())
    }

    /// The keys, revoked or not.
    pub fn attestors(&self) -> &[Pubkey] {
        self.keys.get(..usize::from(self.count)).unwrap_or(&[])
    }

    /// How many keys are not revoked.
    pub fn live(&self) -> u8 {
        let revoked = u8::try_from(self.revoked.count_ones()).unwrap_or(u8::MAX);
        self.count.saturating_sub(revoked)
    }

    /// Whether enough keys are left to report.
    pub fn is_alive(&self) -> bool {
        self.live() >= self.threshold
    }

    /// Refuses a dead set.
    pub fn require_alive(&self) -> Result<()> {
        ensure!(self.is_alive(), BackstopError::AttestorsDead);
        Ok(())
    }

    /// Refuses a set that can still report.
    pub fn require_dead(&self) -> Result<()> {
        ensure!(!self.is_alive(), BackstopError::AttestorsAlive);
        Ok(())
    }

    /// The bit of a key that may sign.
    ///
    /// Errors: `UnknownKey`, `RevokedKey`.
    #[inline(always)]
    fn bit(&self, key: &Pubkey) -> core::result::Result<u16, ReportError> {
        let place = self.attestors().iter().position(|known| known == key).ok_or(ReportError::UnknownKey)?;
        let bit = u32::try_from(place).ok().and_then(|place| 1u16.checked_shl(place)).ok_or(ReportError::UnknownKey)?;
        if self.revoked & bit != 0 { Err(ReportError::RevokedKey) } else { Ok(bit) }
    }

    /// The report that was signed, if enough keys of the set signed it, each once and none revoked; and who signed it: see
    /// [`Self::signers`].
    ///
    /// Errors: one [`ReportError`] for each rule.
    pub fn read(&self, own: &Pubkey, signed: &Signed) -> core::result::Result<(Report, u16), ReportError> {
        if !self.is_enough(signed) {
            return Err(ReportError::Signatures);
        }
        self.read_any(own, signed)
    }

    /// Whether as many signed as must agree.
    pub fn is_enough(&self, signed: &Signed) -> bool {
        signed.count() >= usize::from(self.threshold)
    }

    /// The report that was signed by any keys of the set, each once and none revoked; and who signed it.
    ///
    /// Errors: one [`ReportError`] for each rule.
    pub fn read_any(&self, own: &Pubkey, signed: &Signed) -> core::result::Result<(Report, u16), ReportError> {
        let signers = self.signers(signed)?;
        let report = Report::from_bytes(signed.message)?;
        report.require_of(own, &self.cluster)?;
        Ok((report, signers))
    }

    /// Who signed: a bit for each, the lowest for the first key.
    ///
    /// Errors: `UnknownKey`, `RevokedKey`, `DuplicateKey`.
    #[inline(never)]
    pub fn signers(&self, signed: &Signed) -> core::result::Result<u16, ReportError> {
        let mut seen = 0;
        for key in signed.keys() {
            let bit = self.bit(key)?;
            if seen & bit != 0 {
                return Err(ReportError::DuplicateKey);
            }
            seen |= bit;
        }
        Ok(seen)
    }

    /// Revokes a key. Returns how many are left.
    ///
    /// Errors: `UnknownKey`, `RevokedKey`.
    pub fn revoke(&mut self, key: &Pubkey, now: i64) -> core::result::Result<u8, ReportError> {
        let bit = self.bit(key)?;
        self.revoked |= bit;
        if let Some(at) = self.revoked_at.get_mut(bit.trailing_zeros() as usize) {
            *at = now;
        }
        Ok(self.live())
    }
}

impl Signers for AttestorSet {
    #[inline(never)]
    fn fell_at(&self, signers: u16) -> Option<i64> {
        let mut spare = signers.count_ones().saturating_sub(u32::from(self.threshold));
        let mut gone = signers & self.revoked;
        if gone.count_ones() <= spare {
            return None;
        }
        // The revoked one by one, in their order, until too few are left.
        loop {
            let times = (0u32..).zip(&self.revoked_at).filter(|(place, _)| gone.wrapping_shr(*place) & 1 == 1);
            let (place, at) = times.min_by_key(|(_, at)| **at)?;
            if spare == 0 {
                return Some(*at);
            }
            spare = spare.saturating_sub(1);
            gone &= !1u16.wrapping_shl(place);
        }
    }

    fn died_at(&self) -> Option<i64> {
        self.fell_at(1u16.wrapping_shl(u32::from(self.count)).wrapping_sub(1))
    }
}

impl From<ReportError> for BackstopError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Missing => Self::ReportMissing,
            ReportError::WrongLength => Self::ReportWrongLength,
            ReportError::NotCanonical => Self::ReportNotCanonical,
            ReportError::Signatures => Self::ReportSignatures,
            ReportError::UnknownKey => Self::ReportUnknownKey,
            ReportError::DuplicateKey => Self::ReportDuplicateKey,
            ReportError::RevokedKey => Self::ReportRevokedKey,
            ReportError::WrongTag => Self::ReportWrongTag,
            ReportError::WrongPadding => Self::ReportWrongPadding,
            ReportError::WrongKind => Self::ReportWrongKind,
            ReportError::WrongCluster => Self::ReportWrongCluster,
            ReportError::WrongSet => Self::ReportWrongSet,
            ReportError::WrongFeed => Self::OracleWrongFeed,
            ReportError::BadEvent => Self::BadEvent,
            ReportError::NotEquivocation => Self::NotEquivocation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peril::feed::attested::{ReportKind, instruction_data, signed};

    const SET: Pubkey = Pubkey::new_from_array([200; 32]);

    fn key(number: u8) -> Pubkey {
        Pubkey::new_from_array([number; 32])
    }

    fn set(count: u8, threshold: u8) -> AttestorSet {
        let mut set: AttestorSet = bytemuck::Zeroable::zeroed();
        set.cluster = [9; 8];
        set.appoint(&(1..=count).map(key).collect::<Vec<_>>(), threshold).unwrap();
        set
    }

    fn read(set: &AttestorSet, keys: &[u8]) -> core::result::Result<Report, ReportError> {
        let report = Report {
            cluster: set.cluster,
            set: SET,
            feed: [5; 32],
            kind: ReportKind::Value,
            exponent: 0,
            value: 1,
            confidence: 0,
            observed_at: 1,
        };
        let signers: Vec<_> = keys.iter().map(|number| (key(*number), [0; 64])).collect();
        let data = instruction_data(&signers, &report.to_bytes());
        set.read(&SET, &signed(&data)?).map(|(report, _)| report)
    }

    #[test]
    fn a_set_has_two_to_six_of_more_than_half_of_at_most_eleven_keys() {
        for count in 0..=13_u8 {
            for threshold in 0..=8_u8 {
                let keys: Vec<_> = (1..=count).map(key).collect();
                let mut set: AttestorSet = bytemuck::Zeroable::zeroed();
                let fits = count <= 11
                    && (2..=6).contains(&threshold)
                    && threshold <= count
                    && u32::from(threshold) * 2 > u32::from(count);
                assert_eq!(set.appoint(&keys, threshold).is_ok(), fits, "{threshold} of {count}");
            }
        }
        let mut set: AttestorSet = bytemuck::Zeroable::zeroed();
        assert!(set.appoint(&[key(1), key(2), key(1)], 2).is_err());
        assert!(set.appoint(&[key(1), key(0)], 2).is_err());
        assert!(bytemuck::bytes_of(&set).iter().all(|byte| *byte == 0), "a refusal changes nothing");
    }

    #[test]
    fn enough_distinct_keys_of_the_set_make_a_report() {
        let three_of_five = set(5, 3);
        assert!(read(&three_of_five, &[5, 1, 3]).is_ok());
        assert!(read(&three_of_five, &[1, 2, 3, 4, 5]).is_ok());
        assert_eq!(read(&three_of_five, &[1, 2]), Err(ReportError::Signatures));
        assert_eq!(read(&three_of_five, &[1, 2, 6]), Err(ReportError::UnknownKey));
        assert_eq!(read(&three_of_five, &[1, 2, 0]), Err(ReportError::UnknownKey), "an empty place is no key");
        assert_eq!(read(&three_of_five, &[1, 2, 1]), Err(ReportError::DuplicateKey));
        assert_eq!(read(&three_of_five, &[1, 2, 3, 3]), Err(ReportError::DuplicateKey));
    }

    #[test]
    fn a_report_falls_when_so_many_of_its_signers_were_revoked_that_too_few_are_left() {
        let mut set = set(5, 3);
        for (number, at) in [(4, 40), (2, 20), (5, 50)] {
            set.revoke(&key(number), at).unwrap();
        }
        // The second, the fourth and the fifth are gone, in this order.
        let cases =
            [(0b00111, Some(20)), (0b01101, Some(40)), (0b01111, Some(40)), (0b10101, Some(50)), (0b11111, Some(50))];
        for (signers, fell_at) in cases {
            assert_eq!(set.fell_at(signers), fell_at, "{signers:05b}");
        }
        assert_eq!(set.died_at(), Some(50));
        assert!(!set.is_alive());
        let one = &mut super::tests::set(11, 6);
        one.revoke(&key(11), 7).unwrap();
        assert_eq!((one.died_at(), one.fell_at(0b111_1110_0000)), (None, Some(7)));
        assert_eq!(one.fell_at(0b000_0011_1111), None);
    }

    #[test]
    fn a_revoked_key_signs_no_more_and_too_few_are_a_dead_set() {
        let mut set = set(4, 3);
        assert_eq!(set.revoke(&key(2), 70), Ok(3));
        assert_eq!(set.revoke(&key(2), 80), Err(ReportError::RevokedKey));
        assert_eq!(set.revoke(&key(7), 80), Err(ReportError::UnknownKey));
        assert!(set.is_alive() && set.require_dead().is_err());
        assert_eq!(read(&set, &[1, 2, 3]), Err(ReportError::RevokedKey));
        assert!(read(&set, &[1, 3, 4]).is_ok());
        assert_eq!(set.revoke(&key(4), 90), Ok(2));
        assert!(!set.is_alive() && set.require_alive().is_err() && set.require_dead().is_ok());
        assert_eq!(read(&set, &[1, 3]), Err(ReportError::Signatures));
    }
}
