//! Every refusal of the program. Codes are stable: a number once given is never given to another meaning, and the
//! groups leave room to grow.

use anchor_lang::prelude::*;

/// Refuses with an error of the program unless a condition holds.
///
/// The error is made out of line: Anchor's `require!` writes file, line and two strings into every place of use, which
/// made a third of the program.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr $(,)?) => {
        if !$condition {
            return Err($crate::error::refuse($error));
        }
    };
}

/// Declares the refusals with one table of their names and messages. Anchor's `error_code` writes out a branch for each
/// of them, 30 KB in all; it is left to make the IDL.
macro_rules! refusals {
    ($($(#[doc = $doc:literal])* #[msg($message:literal)] $name:ident = $number:tt,)*) => {
        /// What the program answers when it refuses; on chain the code is 6000 + the number.
        #[cfg(not(feature = "idl-build"))]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum BackstopError {
            $($(#[doc = $doc])* $name = $number,)*
        }

        /// The same for the IDL.
        #[cfg(feature = "idl-build")]
        #[error_code]
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        pub enum BackstopError {
            $($(#[doc = $doc])* #[msg($message)] $name = $number,)*
        }

        impl BackstopError {
            /// Every refusal, in the order of the codes.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$name),*];

            /// Names and messages, in the order of [`Self::ALL`].
            const TEXTS: [(&'static str, &'static str); Self::ALL.len()] = [$((stringify!($name), $message)),*];
        }
    };
}

refusals! {
    // ---- anyone, anywhere: 6000 (0x1770) ----
    /// 6000
    #[msg("A number does not fit: the amount is out of every sensible range")]
    MathOverflow = 0,
    /// 6001
    #[msg("The books do not add up; nothing was changed")]
    InvariantViolated = 1,
    /// 6002
    #[msg("The vault did not move by what was booked, or holds less than the books say")]
    VaultMismatch = 2,
    /// 6003
    #[msg("This instruction takes no further accounts")]
    UnexpectedAccounts = 3,
    /// 6004
    #[msg("The amount is zero or below the pool's smallest")]
    AmountTooSmall = 4,
    /// 6005
    #[msg("An argument is outside its bounds")]
    OutOfBounds = 5,
    /// 6006
    #[msg("The text is empty, too long, or has characters that are not printable ASCII")]
    BadText = 6,
    /// 6007
    #[msg("The account belongs to another pool, product or protocol")]
    WrongParent = 7,
    /// 6008
    #[msg("The account is not the one that is recorded")]
    WrongAccount = 8,
    /// 6009
    #[msg("The rent goes back to whoever paid it")]
    WrongRentPayer = 9,
    /// 6010
    #[msg("The clock stands before the last change of this account")]
    ClockWentBack = 10,
    /// 6011
    #[msg("The account has another layout version than this program reads")]
    UnknownVersion = 11,
    /// 6012
    #[msg("A byte of the account stands for nothing that this program knows")]
    UnknownByte = 12,
    /// 6013
    #[msg("The amount is larger than the books can hold")]
    AmountTooLarge = 13,
    /// 6014
    #[msg("The URI does not begin with ipfs://, ar:// or https://, or has a space in it")]
    BadUri = 14,
    /// 6015
    #[msg("The number is taken: an account stands at its address")]
    IdTaken = 15,
    /// 6016
    #[msg("The pool stands behind a product or a treaty that whoever gives it capital has not seen")]
    NotSeen = 16,

    // ---- roles and pause: 6020 (0x1784) ----
    /// 6020
    #[msg("Only the program's upgrade authority may do this")]
    NotUpgradeAuthority = 20,
    /// 6021
    #[msg("Only governance may do this")]
    NotGovernance = 21,
    /// 6022
    #[msg("Only the proposed governance may accept")]
    NotPendingGovernance = 22,
    /// 6023
    #[msg("Only the guardian may do this")]
    NotGuardian = 23,
    /// 6024
    #[msg("Only the risk keeper may do this")]
    NotRiskKeeper = 24,
    /// 6025
    #[msg("Deposits are paused")]
    DepositsPaused = 25,
    /// 6026
    #[msg("Purchases are paused")]
    PurchasesPaused = 26,
    /// 6027
    #[msg("The guardian has used the pauses of these seven days")]
    NoPauseLeft = 27,
    /// 6028
    #[msg("The program data account is not that of this program")]
    WrongProgramData = 28,
    /// 6029
    #[msg("A role cannot be the zero address")]
    NoSuchRole = 29,

    // ---- pools: 6040 (0x1798) ----
    /// 6040
    #[msg("The asset's mint has an extension that can move, freeze, tax, hook or hide balances")]
    AssetExtensionRefused = 40,
    /// 6041
    #[msg("The asset's mint has more decimals than a pool can keep")]
    AssetDecimalsRefused = 41,
    /// 6042
    #[msg("The asset must be a mint of SPL Token or Token-2022")]
    NotAToken = 42,
    /// 6043
    #[msg("This pool takes deposits only with its deposit authority's signature")]
    DepositorNotAdmitted = 43,
    /// 6044
    #[msg("This pool takes no outside deposits")]
    NoOutsideDeposits = 44,
    /// 6045
    #[msg("The tranche was wiped out: it takes deposits again in a new series")]
    TrancheWipedOut = 45,
    /// 6046
    #[msg("The tranche is not wiped out")]
    TrancheNotWipedOut = 46,
    /// 6047
    #[msg("The deposit would give fewer shares than asked for")]
    TooFewShares = 47,
    /// 6048
    #[msg("The first deposit of a tranche must be at least the pool's smallest first deposit")]
    FirstDepositTooSmall = 48,
    /// 6049
    #[msg("The pool is in an alert: what it insures or reinsures is breaching, met, or waits for funding")]
    PoolInAlert = 49,
    /// 6050
    #[msg("The pool would be below its required capital")]
    BelowRequiredCapital = 50,
    /// 6051
    #[msg("The total exposure would exceed what a pool can keep in its books")]
    TooMuchExposure = 51,
    /// 6052
    #[msg("The premium stream cannot carry this rate")]
    StreamFull = 52,
    /// 6053
    #[msg("This is not a pool of the kind that the instruction needs")]
    WrongPoolKind = 53,
    /// 6054
    #[msg("The tranche's series has no number left")]
    NoSeriesLeft = 54,
    /// 6055
    #[msg("The pool is in a crisis: incidents share what there is until all of them are final")]
    PoolInCrisis = 55,
    /// 6056
    #[msg("The tranche is worth less than a tenth of its start, and that cannot be lowered now: it takes no deposits")]
    TrancheInRuin = 56,
    /// 6057
    #[msg("Surplus and junior capital are too small a part of required capital to sell more")]
    FirstLossTooSmall = 57,
    /// 6058
    #[msg("A treaty that the pool stands behind owes for a loss: it must be called first, or the debt must have lapsed")]
    TreatyOwes = 58,
    /// 6059
    #[msg("The pool still earns more premium than the limits that it stands behind: of treaties that are over or used up")]
    NothingAtRisk = 59,
    /// 6060
    #[msg("The vintage is over: it sells nothing and takes no condition and no deposit any more")]
    VintageOver = 60,
    /// 6061
    #[msg("Only a cover pool is a vintage, and its end lies ahead, by two years at most")]
    BadVintage = 61,
    /// 6062
    #[msg("A reading of the pool is near or runs: capital neither comes nor leaves before it is resolved")]
    PoolLocked = 62,
    /// 6063
    #[msg("A vintage cedes nothing: a reading locks no reinsurer")]
    VintageCedes = 63,

    // ---- exits: 6070 (0x17b6) ----
    /// 6070
    #[msg("The epoch's day is not over")]
    EpochNotOver = 70,
    /// 6071
    #[msg("An older epoch is filled first")]
    NotOldestEpoch = 71,
    /// 6072
    #[msg("No capital is free for exits now")]
    NothingFree = 72,
    /// 6073
    #[msg("The ticket has nothing to claim")]
    NothingToClaim = 73,
    /// 6074
    #[msg("The ticket has no open part left")]
    NothingOpen = 74,
    /// 6075
    #[msg("The epoch is still needed: it is not filled, or tickets are left")]
    EpochInUse = 75,
    /// 6076: retired. Epochs are no longer linked to one another: the pool keeps the days of its queue.
    #[msg("The last epoch of the queue must be passed to be linked to the new one")]
    QueueTailMissing = 76,
    /// 6077
    #[msg("Another account than the owner's associated token account needs the owner's signature")]
    NotOwnersAccount = 77,
    /// 6078
    #[msg("The ticket is of a series that was wiped out")]
    SeriesOver = 78,
    /// 6079
    #[msg("All the reinsurer's cedants must be passed, in the order of its books")]
    CedantsMissing = 79,
    /// 6080
    #[msg("The request names an epoch that is neither that of its day nor of the day after: build it again")]
    WrongExitDay = 80,
    /// 6081
    #[msg("The queue of exits is too long: its oldest epoch has waited for years")]
    ExitQueueFull = 81,
    /// 6082
    #[msg("A request to leave is not taken back on its day")]
    AskedToday = 82,

    // ---- products and price: 6090 (0x17ca) ----
    /// 6090
    #[msg("The pool pays in the asset that this product insures")]
    InsuresItsOwnAsset = 90,
    /// 6091
    #[msg("The cooldown is shorter than the trigger needs, or the reinsurer's than the cedant's")]
    CooldownTooShort = 91,
    /// 6092
    #[msg("The term, the waiting time and the trigger's ring do not fit together")]
    TermsDoNotFit = 92,
    /// 6093
    #[msg("The product does not sell")]
    NotSelling = 93,
    /// 6094
    #[msg("The product's notice is not over")]
    NoticeNotOver = 94,
    /// 6095
    #[msg("An exit epoch past its day is unfilled: capital that disagrees leaves first")]
    ExitsWaiting = 95,
    /// 6096
    #[msg("The product's state does not allow this change")]
    WrongProductState = 96,
    /// 6097
    #[msg("The risk rate moved within the last day")]
    RiskRateMovedToday = 97,
    /// 6098
    #[msg("The risk rate would leave its floor, its ceiling or its step")]
    RiskRateOutOfBounds = 98,
    /// 6099
    #[msg("The product's numbers have been used up")]
    NoIdLeft = 99,

    // ---- covers: 6110 (0x17de) ----
    /// 6110
    #[msg("The trigger is not quiet")]
    TriggerNotQuiet = 110,
    /// 6111
    #[msg("The last print is too old to sell on: show a newer one first")]
    PrintTooOld = 111,
    /// 6112
    #[msg("The price, less its confidences, is or was lately inside the no-sale buffer or below the recovery")]
    PriceInBuffer = 112,
    /// 6113
    #[msg("The sum insured is above the most for one cover")]
    CoverTooLarge = 113,
    /// 6114
    #[msg("The product's or its risk group's capacity is used up")]
    BeyondCapacity = 114,
    /// 6115
    #[msg("The premium is above what the buyer would pay")]
    PremiumTooHigh = 115,
    /// 6116
    #[msg("The term is outside the product's bounds, or ends before the protection begins")]
    BadTerm = 116,
    /// 6117
    #[msg("The cover was settled or cancelled")]
    CoverNotActive = 117,
    /// 6118
    #[msg("The cover's term is over")]
    CoverEnded = 118,
    /// 6119
    #[msg("The signer does not hold the cover's NFT")]
    NotHolder = 119,
    /// 6120
    #[msg("The cover can still be paid")]
    CoverStillLive = 120,
    /// 6121
    #[msg("The NFT is not burnt and its holder has not signed")]
    HolderMustSign = 121,
    /// 6122
    #[msg("The product is over")]
    ProductOver = 122,
    /// 6123
    #[msg("The product has its condition already")]
    ConditionAlreadySet = 123,
    /// 6124
    #[msg("The purchase names another UTC day than today: build it again")]
    WrongPurchaseDay = 124,
    /// 6125
    #[msg("A cover is not given back, nor closed, on the day of its purchase or on which its NFT was made")]
    BoughtToday = 125,
    /// 6126
    #[msg("A product of the same risk group is in alert")]
    GroupInAlert = 126,
    /// 6127
    #[msg("An alert has stopped the pool's accrual for too long to sell a cover that begins or ends so late")]
    AccrualStands = 127,
    /// 6128
    #[msg("The product has sold of late as much as it sells in a day")]
    SoldOutToday = 128,
    /// 6129
    #[msg("The signer is not the position's owner")]
    NotPositionOwner = 129,
    /// 6130
    #[msg("What is named to be paid is a token account of the pool's asset, and not the pool's own vault")]
    BadBeneficiary = 130,
    /// 6131
    #[msg("The beneficiary's account is closed, frozen, of another mint, or another's than when it was named")]
    BeneficiaryCannotReceive = 131,

    // ---- oracle and evidence: 6140 (0x17fc) ----
    /// 6140
    #[msg("The price account has the wrong owner")]
    OracleWrongOwner = 140,
    /// 6141
    #[msg("The price account has the wrong length, discriminator or header")]
    OracleWrongLayout = 141,
    /// 6142
    #[msg("The price update is not fully verified")]
    OracleNotVerified = 142,
    /// 6143
    #[msg("The price is of another feed")]
    OracleWrongFeed = 143,
    /// 6144
    #[msg("The price is zero, negative or too large")]
    OracleBadPrice = 144,
    /// 6145
    #[msg("The exponent is outside [-12, 0]")]
    OracleBadExponent = 145,
    /// 6146
    #[msg("The publish time is in the future")]
    OracleFromFuture = 146,
    /// 6147
    #[msg("The price is not trading")]
    OracleNotTrading = 147,
    /// 6148
    #[msg("The slot of this print is closed: a recovered one is taken for a challenge, any other for half of it")]
    SlotClosed = 148,
    /// 6149
    #[msg("The print is older than the evidence reaches back")]
    PrintBeforeRing = 149,
    /// 6150
    #[msg("The trigger is not due to be confirmed")]
    NotDue = 150,
    /// 6151: retired. Nothing is refused for a trigger that has triggered: prints are judged as in every other phase,
    /// and to confirm it again changes nothing. The number stays taken, so that it never means something else.
    #[msg("The trigger has triggered")]
    AlreadyTriggered = 151,
    /// 6152
    #[msg("The trigger's terms are outside the hard bounds")]
    BadTriggerTerms = 152,
    /// 6153
    #[msg("The feed takes reports: the instruction right before is none of the ed25519 precompile")]
    ReportMissing = 153,
    /// 6154
    #[msg("The signed instruction has another length than that of a report")]
    ReportWrongLength = 154,
    /// 6155
    #[msg("The signed instruction points elsewhere than to its own keys, signatures and message")]
    ReportNotCanonical = 155,
    /// 6156
    #[msg("The report has fewer signatures than its attestors must give, or more than six")]
    ReportSignatures = 156,
    /// 6157
    #[msg("A key that signed is none of the attestors")]
    ReportUnknownKey = 157,
    /// 6158
    #[msg("A key signed the report twice")]
    ReportDuplicateKey = 158,
    /// 6159
    #[msg("A key that signed was revoked")]
    ReportRevokedKey = 159,
    /// 6160
    #[msg("The message is none of a report")]
    ReportWrongTag = 160,
    /// 6161
    #[msg("A byte of the report that means nothing is set")]
    ReportWrongPadding = 161,
    /// 6162
    #[msg("The report is of a kind that this program does not know")]
    ReportWrongKind = 162,
    /// 6163
    #[msg("The report is for another cluster, or the protocol does not know its own")]
    ReportWrongCluster = 163,
    /// 6164
    #[msg("The report, or the account, is of other attestors than the trigger's")]
    ReportWrongSet = 164,
    /// 6165
    #[msg("The messages are no contradiction of one key about one feed and moment")]
    NotEquivocation = 165,
    /// 6166
    #[msg("2 to 6 of at most 11 distinct attestors must sign, and more than half of them")]
    BadAttestors = 166,
    /// 6167
    #[msg("Fewer attestors are left than must sign a report")]
    AttestorsDead = 167,
    /// 6168
    #[msg("The attestors can still report")]
    AttestorsAlive = 168,
    /// 6169
    #[msg("A feed of reports needs its attestors, and no other feed has any")]
    WrongAttestors = 169,

    // ---- incidents: 6170 (0x181a) ----
    /// 6170
    #[msg("The trigger has not triggered")]
    NotTriggered = 170,
    /// 6171: retired. An incident is given its part whether its treaties were called or not.
    #[msg("The incident's treaties are not all called")]
    TreatiesNotCalled = 171,
    /// 6172: retired. There are no funding rounds: incidents share one ratio, which only rises.
    #[msg("The funding round cannot begin yet: other alerts may still need the capital")]
    RoundNotDue = 172,
    /// 6173: retired, with the funding rounds.
    #[msg("The incident belongs to a later funding round")]
    LaterRound = 173,
    /// 6174
    #[msg("The incident has been given all that there is for it now")]
    AlreadyFunded = 174,
    /// 6175: retired. A cover can be settled from the opening on, for what is there.
    #[msg("The incident is not funded")]
    NotFunded = 175,
    /// 6176: retired, with that state.
    #[msg("The incident is closed")]
    IncidentClosed = 176,
    /// 6177
    #[msg("The cover was not in force, nor waiting, at the event")]
    NotEligible = 177,
    /// 6178
    #[msg("A holder that is not a wallet must sign")]
    ProgramHolderMustSign = 178,
    /// 6179
    #[msg("The incident has covers to settle and its deadline is not over, or its crisis is not closed")]
    IncidentInUse = 179,
    /// 6180: retired. An incident is opened when it is proven, and grows until it is final.
    #[msg("The evidence is not final: the fall may still go on")]
    NotFinal = 180,
    /// 6181
    #[msg("Another comes first: the pool's crisis must be closed, or an alert that was due before be opened or over")]
    CrisisNotClosed = 181,
    /// 6182
    #[msg("The crisis is not due to close")]
    CrisisNotDue = 182,
    /// 6183
    #[msg("The pool's vault is frozen: nobody could be paid")]
    VaultFrozen = 183,
    /// 6184
    #[msg("The pool's vault is not frozen")]
    VaultNotFrozen = 184,

    // ---- readings: 6190 (0x182e) ----
    /// 6190
    #[msg("The reading's terms are outside the hard bounds")]
    BadReading = 190,
    /// 6191
    #[msg("Only a vintage takes a reading, and it sells nothing in the period")]
    ReadingNeedsVintage = 191,
    /// 6192
    #[msg("The period is too near: nothing is sold or given back any more")]
    PeriodTooNear = 192,
    /// 6193
    #[msg("The report is of another moment than the one that counts")]
    WrongMoment = 193,
    /// 6194
    #[msg("No report is taken any more: the reading is void, and premiums go back")]
    ReportTooLate = 194,
    /// 6195
    #[msg("A report with another value stands: whoever signed both can be revoked")]
    AlreadyReported = 195,
    /// 6196
    #[msg("The reading is resolved")]
    ReadingOver = 196,
    /// 6197
    #[msg("The product takes no reading")]
    NotAReading = 197,

    // ---- reinsurance: 6200 (0x1838) ----
    /// 6200
    #[msg("The treaty's terms are outside the hard bounds")]
    BadTreatyTerms = 200,
    /// 6201
    #[msg("The treaty is not in the state that this needs")]
    WrongTreatyState = 201,
    /// 6202
    #[msg("The pool has no place for a further treaty")]
    NoTreatyPlace = 202,
    /// 6203: retired. Treaties are called in any order.
    #[msg("The treaty is called in its order")]
    WrongTreatyOrder = 203,
    /// 6204: retired. A treaty is called again whenever it owes more.
    #[msg("The treaty was called or skipped for this incident")]
    TreatyAlreadyCalled = 204,
    /// 6205: retired. No treaty is skipped: what it owes can be called for at any time.
    #[msg("The treaty can still be called")]
    TreatyStillCallable = 205,
    /// 6206
    #[msg("The treaty's limit may still be needed")]
    TreatyInUse = 206,
    /// 6207
    #[msg("The surplus is smaller than this needs")]
    SurplusTooSmall = 207,
    /// 6208
    #[msg("The cession was announced otherwise, or its window is over")]
    CessionNotAnnounced = 208,
    /// 6209
    #[msg("Nothing is owed")]
    NothingOwed = 209,
    /// 6210
    #[msg("The layer's attachment is below 1 % of the cedant's capital")]
    AttachmentTooLow = 210,

    // ---- live feeds: 6220 (0x184c) ----
    /// 6220
    #[msg("The feed is live: what it says now is shown by observe_live")]
    LiveFeed = 220,
    /// 6221
    #[msg("The feed is not live: its prints are shown as they are")]
    NotLiveFeed = 221,
    /// 6222
    #[msg("The account was not brought up to the running epoch: update it first")]
    OracleStale = 222,
    /// 6223
    #[msg("A live reading is an instruction of its transaction: no program may call it")]
    ReadingNotTopLevel = 223,
    /// 6224
    #[msg("A live reading stands alone: its transaction holds nothing but instructions of this program and of the compute budget")]
    ReadingNotAlone = 224,
    /// 6225
    #[msg("The condition is outside the bounds of its live feed")]
    BadLiveTerms = 225,
    /// 6226
    #[msg("The product's greatest price age, least distance from the threshold or waiting time is outside what its feed allows")]
    LimitsDoNotFit = 226,
    /// 6227
    #[msg("A live feed needs the account of its readings, and no other feed has one")]
    WrongLive = 227,
    /// 6228
    #[msg("A product of vaults has one to eight distinct token accounts of one mint")]
    BadVaults = 228,
    /// 6229
    #[msg("The accounts are not the product's vaults in their order")]
    WrongVaults = 229,
    /// 6230
    #[msg("The product is armed: what the protocol holds has fallen, and nothing is sold for 14 days")]
    ProductArmed = 230,
    /// 6231
    #[msg("The product is not armed: a report is its second key, and takes effect only after a fall")]
    NotArmed = 231,
    /// 6232
    #[msg("A report of an event is a part from 1 to 10000 basis points, with exponent -4 and without a confidence")]
    BadEvent = 232,
    /// 6233
    #[msg("The report is of a moment more than two days before the fall")]
    LossBeforeFall = 233,
    /// 6234
    #[msg("A loss was reported since the product armed: now it takes as many attestors as must agree, once")]
    LossAlreadyReported = 234,

    // ---- claim terms, and what becomes of a policy: 6240 (0x1860) ----
    /// 6240
    #[msg("The deductible leaves nothing of the least that a proven loss pays; a reading has none")]
    DeductibleTooHigh = 240,
    /// 6241
    #[msg("A reading's cover insures the reading's days, and no others")]
    ReadingHasItsDays = 241,
    /// 6242
    #[msg("The position is not in force yet: it is extended once its protection has begun")]
    NotInForceYet = 242,
    /// 6243
    #[msg("The position ends before a cover that is bought now would begin: it is too late to extend it")]
    ExtensionTooLate = 243,
    /// 6244
    #[msg("The position can no longer be paid: no NFT is made of it")]
    PositionSpent = 244,

    // ---- liens and parts of policies: 6250 (0x186a) ----
    /// 6250
    #[msg("A lien is on the policy: its payee must lift it first")]
    PolicyEncumbered = 250,
    /// 6251
    #[msg("A policy under a lien is settled with the account of its own lien, and with nothing else beside")]
    LienNotShown = 251,
    /// 6252
    #[msg("The signer is not whoever the lien pays")]
    NotLienPayee = 252,
    /// 6253
    #[msg("The payee's account is closed, frozen, of another mint, or another's than when it was named")]
    PayeeCannotReceive = 253,
    /// 6254
    #[msg("The lien is in force: only whoever it pays can lift it")]
    LienInForce = 254,
    /// 6255
    #[msg("The NFT's account has a delegate, so it may be for sale: revoke that first")]
    NftDelegated = 255,
    /// 6256
    #[msg("The policy insures less than was asserted")]
    SumBelowAsserted = 256,
    /// 6257
    #[msg("More was paid for the policy than was asserted")]
    PaidAboveAsserted = 257,
    /// 6258
    #[msg("The policy's state is not the one that was asserted")]
    StateNotAsserted = 258,
    /// 6259
    #[msg("The policy ends before the asserted day")]
    EndsBeforeAsserted = 259,
}

impl BackstopError {
    /// The code that a transaction fails with.
    pub fn code(self) -> u32 {
        u32::from(self)
    }

    /// Its name and what it means.
    fn texts(self) -> (&'static str, &'static str) {
        let position = Self::ALL.iter().position(|other| *other == self);
        position.and_then(|position| Self::TEXTS.get(position)).copied().unwrap_or_default()
    }

    /// The refusal of a code that a transaction failed with.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.code() == code)
    }
}

#[cfg(not(feature = "idl-build"))]
impl BackstopError {
    /// The name that the IDL and the log show.
    pub fn name(&self) -> String {
        self.texts().0.to_owned()
    }
}

#[cfg(not(feature = "idl-build"))]
impl core::fmt::Display for BackstopError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.texts().1)
    }
}

#[cfg(not(feature = "idl-build"))]
impl From<BackstopError> for u32 {
    fn from(error: BackstopError) -> Self {
        anchor_lang::error::ERROR_CODE_OFFSET.saturating_add(error as Self)
    }
}

#[cfg(not(feature = "idl-build"))]
impl From<BackstopError> for Error {
    #[cold]
    #[inline(never)]
    fn from(error: BackstopError) -> Self {
        let (name, message) = error.texts();
        Self::from(anchor_lang::error::AnchorError {
            error_name: name.to_owned(),
            error_code_number: error.code(),
            error_msg: message.to_owned(),
            error_origin: None,
            compared_values: None,
        })
    }
}

/// The program's error in the form that a transaction fails with.
#[cold]
#[inline(never)]
pub fn refuse(error: BackstopError) -> Error {
    error.into()
}
