//! Every event of the program as one type.

use anchor_lang::{AnchorDeserialize, Discriminator};
use backstop::events::*;

macro_rules! events {
    ($($name:ident),* $(,)?) => {
        /// An event. Its variants are the program's own, which say what each means.
        #[allow(missing_docs, clippy::large_enum_variant)]
        pub enum Event {
            $($name($name)),*
        }

        impl Event {
            /// Names of all events.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// Reads an event from the bytes that were logged. `None`: it is none that this program knows.
            pub fn read(bytes: &[u8]) -> Option<Self> {
                $(if let Some(mut fields) = bytes.strip_prefix($name::DISCRIMINATOR) {
                    return $name::deserialize(&mut fields).ok().map(Self::$name);
                })*
                None
            }

            /// Its name.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name)),*
                }
            }
        }
    };
}

events! {
    Initialized, AttestorSetCreated, EquivocationReported, GovernanceProposed, GovernanceAccepted, RolesSet, PauseSet,
    PoolCreated, Accrued, Deposited, SurplusContributed,
    ExitRequested, ExitCancelled, ExitEpochSettled, ExitClaimed, ExitEpochClosed, SeriesOpened,
    ProductCreated, ConditionSet, ReadingSet, ProductStateSet, RiskRateSet, ExposureReleased,
    CoverBought, CoverCancelled, CoverClosed,
    PositionBought, BeneficiarySet, PositionCancelled, PositionReduced, PositionExtended, PositionConverted, PositionClosed,
    PositionSettled,
    Observed, ReadingShown, DropArmed, LossReported, PhaseChanged,
    IncidentOpened, IncidentGrown, IncidentFunded, CrisisClosed, DeadlineExtended, CoverSettled, IncidentClosed,
    TreatyCreated, TreatyAccepted, TreatyPremiumSettled, TreatyCalled, TreatyEnded, TreatyCommuted,
    CessionAnnounced, SurplusCeded, CessionClosed,
}
