//! Failures in one clear sentence, with a hint of what to do.

use crate::cluster::{ClusterError, Reason, Refusal};
use crate::transaction::program_error;
use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError;
use solana_sdk::instruction::InstructionError;
use solana_sdk::transaction::TransactionError;

/// A failure as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What went wrong.
    pub sentence: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Explanation {
    fn new(sentence: impl Into<String>, hint: &str) -> Self {
        Self { sentence: sentence.into(), hint: (!hint.is_empty()).then(|| hint.to_owned()) }
    }
}

/// Explains a failure of a cluster or of a transaction.
pub fn explain(error: &ClusterError) -> Explanation {
    match error {
        ClusterError::Unreachable(silence) => Explanation::new(silence.to_string(), silence_hint(&silence.reason)),
        ClusterError::Refused(refusal) => Explanation::new(refusal.to_string(), refusal_hint(refusal)),
        ClusterError::Unsignable(why) => Explanation::new(why, "--keypair and --fee-payer name the signers"),
        ClusterError::Expired { signature } => Explanation::new(
            format!("the transaction expired before it was executed, and never will be: {signature}"),
            "send it again; a higher --priority-fee helps on a busy cluster",
        ),
        ClusterError::Unknown { signature, why } => Explanation::new(
            format!("nobody said how the transaction {signature} ended: {why}"),
            "do not send it again yet: it may still be executed; look it up by its signature first",
        ),
        ClusterError::Failed { error: reason, logs, signature } => {
            let explained = match refusal_of(error) {
                Some(refusal) => explain_refusal(refusal),
                None => explain_runtime(reason, logs),
            };
            match signature {
                Some(signature) => {
                    let sentence = format!("{}; the transaction {signature} failed", explained.sentence);
                    Explanation { sentence, ..explained }
                }
                None => explained,
            }
        }
    }
}

/// What to do when no usable answer came.
fn silence_hint(reason: &Reason) -> &'static str {
    match reason {
        Reason::Key { .. } => "check the key in --url (or BACKSTOP_URL), and that its plan allows this",
        Reason::NotFound => "check the path in --url: a provider tells the whole address",
        Reason::TooMany { .. } => "wait a moment and repeat; --url names a node that allows more",
        Reason::OutOfOrder { .. } | Reason::Behind { .. } | Reason::BrokenOff => {
            "repeat it in a moment; --url names another node"
        }
        Reason::Status { .. } => "--url names another node",
        Reason::NotJson => "check --url: it names the JSON-RPC address of a node, not a website",
        Reason::Unreadable { .. } => "check --url: another node may answer as Solana's nodes do",
        Reason::Late { .. } => "check the network; the node may be overloaded: --url names another",
        Reason::NobodyListens => "check --url, and that the cluster runs",
        Reason::NoSuchHost => "check the spelling of --url, and the network",
        Reason::Insecure { .. } => "check --url, and this machine's clock; nothing was sent",
        Reason::Elsewhere { .. } => "if you trust that address, give it as --url",
        Reason::Network { .. } => "check the network, --url, and that the cluster runs",
        Reason::Stopped => "start it again to go on",
    }
}

/// What to do when a node does not do what it was asked.
fn refusal_hint(refusal: &Refusal) -> &'static str {
    match refusal.method.as_str() {
        "getProgramAccounts" => "this node lists no accounts of programs, or not so many: --url names one that does",
        "getTokenAccountsByOwner" => "this node lists no token accounts of a wallet: --url names one that does",
        "sendTransaction" => "nothing was sent; another node may take it: --url names one",
        _ => "another node may take it: --url names one",
    }
}

/// The program's refusal in a failure, if the program refused and not another that it called.
pub fn refusal_of(error: &ClusterError) -> Option<BackstopError> {
    match error {
        ClusterError::Failed { logs, .. } => program_error(error).filter(|_| backstop_failed(logs)),
        _ => None,
    }
}

/// Explains a refusal of the program: its own words, its name and code, and a hint.
pub fn explain_refusal(refusal: BackstopError) -> Explanation {
    let sentence = format!("{refusal} ({refusal:?}, {})", u32::from(refusal));
    Explanation::new(sentence, hint(refusal))
}

/// Whether the first program that failed is this one. Without logs it is taken for granted: every error of another
/// program that a client meets here is below 6000.
fn backstop_failed(logs: &[String]) -> bool {
    failed_program(logs).is_none_or(|program| program == backstop::ID)
}

/// The innermost program that failed, as the logs tell.
fn failed_program(logs: &[String]) -> Option<Pubkey> {
    logs.iter().find_map(|line| line.strip_prefix("Program ")?.split_once(" failed: ")?.0.parse().ok())
}

fn hint(refusal: BackstopError) -> &'static str {
    use BackstopError as E;
    match refusal {
        E::AmountTooSmall => {
            "`backstop pool show` tells the smallest amounts: less than a ticket cannot leave by itself"
        }
        E::FirstDepositTooSmall => "`backstop pool show` tells the smallest amount",
        E::OutOfBounds => "the command's --help tells what it takes",
        E::NotUpgradeAuthority => "sign with the program's upgrade authority: `backstop program verify` shows it",
        E::NotGovernance | E::NotGuardian | E::NotRiskKeeper | E::NotPendingGovernance => {
            "`backstop protocol show` tells who it is; --keypair names the signer, --print-tx gives a multisig the transaction"
        }
        E::DepositsPaused | E::PurchasesPaused => {
            "a pause ends by itself after six hours at most; exits and payouts go on; `backstop protocol show` tells until when"
        }
        E::NoOutsideDeposits | E::DepositorNotAdmitted => "choose another pool: `backstop pool list`",
        E::TrancheWipedOut | E::SeriesOver => "governance can open a new series; the old shares have lost everything",
        E::TrancheInRuin => {
            "wait until no product is in alert, or choose the other tranche or another pool: a further loss would take the \
             deposit along with what is left"
        }
        E::NotSeen => {
            "something was announced meanwhile: `backstop pool show` and `backstop product list` tell, then try again"
        }
        E::TooFewShares => "the share price moved: look again, or accept fewer with --min-shares",
        E::PoolInAlert => {
            "wait until the alert is over, a reinsurer until those of its cedants are: `backstop trigger show` tells where it stands"
        }
        E::TreatyOwes => {
            "call the treaty first, which anybody can do: `backstop incident call`; what a pool without money owes lapses when the \
             incident is closed, a year after it at the latest"
        }
        E::NothingAtRisk => {
            "try again once that premium is earned, within eight days as a rule: `backstop pool show` tells"
        }
        E::VintageCedes => "reinsure a pool without --sells-until",
        E::PoolLocked => "wait until the pool's readings are resolved: `backstop product show` says when each is due",
        E::BadReading => {
            "the exit lies below the strike, or above it if values above are insured against; the period begins tomorrow at \
             the earliest and lasts a year at most"
        }
        E::ReadingNeedsVintage => "create a pool with --sells-until, on the first day of the period at the latest",
        E::PeriodTooNear => "the covers of this period stand as they are: a later vintage sells the next one",
        E::WrongMoment => "`backstop product show` says which moment counts: report that one, to the second",
        E::ReportTooLate => "`open_incident` gives the premiums back: any keeper opens it",
        E::AlreadyReported => {
            "if a key signed both, show that with `backstop attest accuse` within three days of the first report"
        }
        E::ReadingOver => "nothing is to be done: what it pays is settled like any incident",
        E::NotAReading => "this product pays by how long a price is beyond its threshold: use `backstop trigger`",
        E::VintageOver => {
            "`backstop pool show` says when it ended; whoever has capital in it asks to leave, and a later vintage is another pool"
        }
        E::BadVintage => "leave --sells-until out, or name a day within the next two years, for a pool of kind cover",
        E::FirstLossTooSmall => {
            "wait for covers to end, or for capital in surplus and junior tranche: `backstop pool show` tells both"
        }
        E::BelowRequiredCapital => {
            "the pool backs covers with all its capital: wait for covers to end, or for deposits"
        }
        E::EpochNotOver => "exits of a day are settled after it, at midnight UTC",
        E::NotOldestEpoch => "settle the older epochs first; `backstop crank run --once` does all of it",
        E::NothingFree => "capital is freed when covers end or others deposit; the ticket keeps its place",
        E::NothingToClaim => {
            "the ticket's day is not over or not settled: `backstop pool show` tells, `backstop crank run --once` settles"
        }
        E::NotOwnersAccount => "create the owner's associated token account of the pool's asset",
        E::NotSelling | E::ProductOver => "`backstop product list` shows what is for sale",
        E::NoticeNotOver => "sales begin when the notice is over: `backstop product show` tells when",
        E::ExitsWaiting => "exits that are due go first: `backstop crank run --once` settles them",
        E::RiskRateMovedToday => "the risk rate moves once a day",
        E::PrintTooOld => "show a newer price first: `backstop trigger observe`",
        E::PriceInBuffer => {
            "the price is or was lately too near to the threshold for sales; wait until it has been far enough away for the quiet time"
        }
        E::GroupInAlert => {
            "another product on the same risk is under way: wait until it is over, `backstop pool show` tells"
        }
        E::TriggerNotQuiet => {
            "the condition is under way: wait until it is over, `backstop trigger show` tells where it stands"
        }
        E::CoverTooLarge => "buy several smaller covers, or another product",
        E::BeyondCapacity => "ask for a smaller sum: `backstop product show` tells what is left",
        E::PremiumTooHigh => "the price moved: quote again, or accept more with --max-premium",
        E::BadTerm => "`backstop product show` tells the shortest and the longest term",
        E::CoverNotActive => "the cover was paid, cancelled or closed already",
        E::CoverEnded => "an ended cover can only be closed: `backstop cover close`",
        E::NotHolder => "sign with the wallet that holds the NFT now",
        E::CoverStillLive => "a cover is closed after its last claim is decided; before that, it can be cancelled",
        E::HolderMustSign | E::ProgramHolderMustSign => "sign with the holder's wallet",
        E::OracleWrongOwner | E::OracleWrongLayout => "pass a price update account of the product's oracle",
        E::OracleNotVerified => "post the update with its full set of signatures",
        E::OracleWrongFeed => "`backstop product show` tells the feed",
        E::LiveFeed => "show what it says now: `backstop trigger observe PRODUCT`",
        E::NotLiveFeed => "`backstop product show` tells the feed: `backstop trigger observe` shows its prints",
        E::OracleStale => "update the stake pool first: anyone may, once an epoch",
        E::ReadingNotTopLevel | E::ReadingNotAlone => {
            "show it by `backstop trigger observe` or `backstop crank`, from a wallet that adds no instructions of its own"
        }
        E::BadLiveTerms => {
            "a live feed insures below at most 0.98 of its peak, by a recovery of 1 at most: a rate for six hours at least, in \
             slots of ten minutes at least; vaults in slots of three minutes at least, without a run-on"
        }
        E::LimitsDoNotFit => {
            "set --max-price-age, --no-sale-buffer and --waiting within what the feed allows: one hour, 1 %, for a live feed 0.5 %, \
             and a day, for vaults two, for a stake pool three"
        }
        E::BadVaults => "name one to eight token accounts of one mint by --vault, with `--source vault-drop` only",
        E::WrongVaults => "show all of the product's vaults: `backstop trigger observe PRODUCT`",
        E::ProductArmed => "buy once it is armed no longer: `backstop trigger show` tells when; other products sell",
        E::NotArmed => {
            "a loss is reported within 14 days of a fall that arms: `backstop trigger show` tells whether one has"
        }
        E::BadEvent => "sign it by `backstop attest sign --loss`",
        E::LossBeforeFall => "report the loss by its own moment: two days before the fall at most",
        E::LossAlreadyReported => "`backstop attest combine` the signatures of as many attestors as must agree",
        E::WrongLive => "build the instruction by `backstop product create`",
        E::ReportMissing => "reports are shown by `backstop attest submit`; `backstop trigger observe` shows accounts",
        E::ReportWrongLength
        | E::ReportNotCanonical
        | E::ReportWrongTag
        | E::ReportWrongPadding
        | E::ReportWrongKind => {
            "build the transaction by `backstop attest submit`, from a file of `backstop attest combine`"
        }
        E::ReportSignatures => {
            "`backstop attest show SET` tells how many must sign; `backstop attest combine` adds signatures"
        }
        E::ReportUnknownKey | E::ReportDuplicateKey | E::ReportRevokedKey => {
            "`backstop attest show SET` tells the keys that may sign, each once"
        }
        E::ReportWrongCluster | E::ReportWrongSet => "sign again for this cluster and set: `backstop attest sign`",
        E::NotEquivocation => "two files of one key, with two values of one feed and moment, are needed",
        E::BadAttestors => "name 2 to 11 keys, each once, and 2 to 6 signatures of more than half of them",
        E::AttestorsDead => "choose other attestors; `backstop attest retire` runs off the products of these",
        E::AttestorsAlive => "only a set with fewer keys left than must sign is dead: `backstop attest show SET`",
        E::WrongAttestors => "name the attestors with `--attestors` if, and only if, the source is `attested`",
        E::NotDue => {
            "`backstop trigger show` tells when the challenge time is over, and of a reading `backstop product show` until when its report must stand"
        }
        E::NotTriggered => "no claim is open: `backstop trigger show` tells where the evidence stands",
        E::IncidentInUse => "settle its covers first; `backstop crank run --once` does all of it",
        E::PoolInCrisis => "wait until the incidents are final: `backstop incident list` tells where they stand",
        E::CrisisNotClosed | E::CrisisNotDue => {
            "`backstop crank run --once` opens incidents in their order, funds those of a crisis, and closes it once that is due"
        }
        E::VaultFrozen => "only the asset's issuer can thaw it; `backstop incident extend` gives holders another year",
        E::VaultNotFrozen => "a deadline moves only while nobody can be paid: settle the covers instead",
        E::TreatyInUse => "the treaty ends after its last incident is settled",
        E::MathOverflow => "choose a smaller amount",
        E::AmountTooLarge => "docs/src/how/capital.md tells the greatest amounts, by the asset's decimals",
        E::BadUri => "give the address of a JSON file for wallets: migrations/URI.md tells which",
        E::IdTaken => "choose another number with --id: that one is taken, as `list` and `show` tell",
        E::WrongExitDay | E::WrongPurchaseDay => {
            "the UTC day has changed since the transaction was built: build it again"
        }
        E::ExitQueueFull => "settle the oldest epochs first; `backstop crank run --once` settles what can be paid",
        E::ConditionAlreadySet => "a condition is set once: another condition is another product",
        E::NotPositionOwner => "sign with the account that bought the position",
        E::PolicyEncumbered => "its payee can lift it: `backstop lien lift`, in the same transaction if you both sign",
        E::LienNotShown => "put the account of the policy's lien behind the others: `backstop lien show` names it",
        E::NotLienPayee => "sign with the owner of the account that the lien pays: `backstop lien show` names it",
        E::PayeeCannotReceive => "whoever the lien pays can name another account, by `backstop lien lower`",
        E::LienInForce => "whoever it pays can lift it: `backstop lien show` says who that is",
        E::NftDelegated => "take the NFT off the market, or revoke the delegate of its account, and try again",
        E::SumBelowAsserted | E::PaidAboveAsserted | E::StateNotAsserted | E::EndsBeforeAsserted => {
            "do not buy: the policy is not what was offered; `backstop cover show` tells what it is now"
        }
        E::BadBeneficiary => "name a token account of the pool's asset that is there already",
        E::BeneficiaryCannotReceive => "the position's owner can name another account, by `set_beneficiary`",
        E::DeductibleTooHigh => {
            "choose a lower deductible, or a higher least payment: a deductible takes no proven loss whole"
        }
        E::ReadingHasItsDays => "buy cover on another reading for other days",
        E::NotInForceYet => "extend it from its first insured day on, until the waiting time before its end begins",
        E::ExtensionTooLate => {
            "buy a new one: its protection begins after the waiting time, as an extension's would have to"
        }
        E::PositionSpent => "close it: its rent comes back",
        E::BoughtToday | E::AskedToday => "cancel it tomorrow: the day ends at midnight UTC",
        E::SoldOutToday => {
            "buy less, or later: room comes back over a day, and `backstop product show` tells how much there is"
        }
        E::InvariantViolated | E::VaultMismatch => "this must not happen: report it with the command that caused it",
        E::UnexpectedAccounts | E::WrongAccount | E::WrongParent | E::WrongProgramData | E::WrongRentPayer => {
            "look again: what was read may have changed since; if not, this client and the program differ in version"
        }
        E::QueueTailMissing | E::CedantsMissing => "somebody else was faster: look again and repeat",
        E::BadText => "labels and names are short and of plain ASCII",
        E::ClockWentBack => "wait a moment and repeat",
        E::NoPauseLeft => "a pause comes free seven days after it was used",
        E::NoSuchRole => "give a real address for every role",
        E::AssetExtensionRefused | E::AssetDecimalsRefused | E::NotAToken => {
            "choose a plain mint of SPL Token or Token-2022 as the asset"
        }
        E::TrancheNotWipedOut => {
            "a new series is opened only for a tranche that lost everything, or that is in ruin and as good as empty"
        }
        E::TooMuchExposure | E::StreamFull => "the pool is at the end of its books: choose a smaller amount",
        E::AccrualStands => "wait until the pool's alert is over, or choose a shorter term",
        E::WrongPoolKind => "`backstop pool list` shows each pool's kind",
        E::NoSeriesLeft | E::NoIdLeft => "create a new pool",
        E::NothingOpen => "claim the ticket instead: `backstop pool exit claim`",
        E::EpochInUse => "it is closed after its last ticket; `backstop crank run --once` settles it",
        E::InsuresItsOwnAsset => "a pool cannot pay in what it insures: choose a pool of another asset",
        E::CooldownTooShort => "choose a pool with a longer cooldown, or a trigger that decides sooner",
        E::AttachmentTooLow => "announce a layer that begins higher: `backstop pool show` tells the cedant's capital",
        E::TermsDoNotFit | E::BadTriggerTerms | E::BadTreatyTerms => {
            "the bounds are in the program's documentation of the terms"
        }
        E::WrongProductState => "`backstop product show` tells its state",
        E::RiskRateOutOfBounds => "`backstop product show` tells floor, ceiling and step",
        E::OracleBadPrice | E::OracleBadExponent | E::OracleFromFuture | E::OracleNotTrading => {
            "show another price update: `backstop trigger observe`"
        }
        E::SlotClosed | E::PrintBeforeRing => {
            "show newer prices: `backstop trigger show` tells where the evidence stands"
        }
        E::AlreadyTriggered | E::AlreadyFunded => "it is done already: `backstop incident list` tells where it stands",
        E::UnknownVersion | E::UnknownByte => "a newer version of the program wrote the account: update `backstop`",
        E::TreatiesNotCalled
        | E::RoundNotDue
        | E::LaterRound
        | E::NotFunded
        | E::IncidentClosed
        | E::NotFinal
        | E::WrongTreatyOrder
        | E::TreatyAlreadyCalled
        | E::TreatyStillCallable => "no program of this version refuses so: update `backstop`",
        E::NotEligible => "only covers in force at the event are paid; `backstop cover list` shows their days",
        E::WrongTreatyState => "`backstop treaty show` tells its state",
        E::NoTreatyPlace => "end a treaty that is over first: `backstop treaty end`",
        E::SurplusTooSmall => "`backstop pool show` tells the surplus",
        E::CessionNotAnnounced => "announce the cession anew",
        E::NothingOwed => "there is nothing to do",
    }
}

fn explain_runtime(error: &TransactionError, logs: &[String]) -> Explanation {
    const FUND: &str = "send SOL to the wallet that pays; on a test cluster: `solana airdrop 1`";
    let logged = |text: &str| logs.iter().any(|line| line.contains(text));
    match error {
        TransactionError::AccountNotFound => Explanation::new("the wallet that pays the fee has no SOL", FUND),
        TransactionError::InsufficientFundsForFee | TransactionError::InsufficientFundsForRent { .. } => {
            Explanation::new("the wallet that pays has too little SOL for fee and rent", FUND)
        }
        TransactionError::BlockhashNotFound => {
            Explanation::new("the transaction's blockhash is not known or too old", "sign and send it again")
        }
        TransactionError::ProgramAccountNotFound | TransactionError::InvalidProgramForExecution => {
            Explanation::new("a program that the transaction calls is not on this cluster", "check --url")
        }
        TransactionError::InstructionError(_, reason) => {
            if logged("insufficient lamports") {
                return Explanation::new("the wallet that pays has too little SOL for the rent", FUND);
            }
            if logged("already in use") {
                return Explanation::new(
                    "what the transaction would create is there already",
                    "look at it, or choose another number",
                );
            }
            if logged("Error: insufficient funds") {
                return Explanation::new(
                    "the token account holds less than the amount",
                    "check the balance and the amount",
                );
            }
            if logged("Error: Account is frozen") {
                return Explanation::new(
                    "a token account is frozen by its mint's authority",
                    "only that authority can thaw it",
                );
            }
            anchor(logs).unwrap_or_else(|| instruction_failure(reason, logs))
        }
        other => Explanation::new(
            format!("the cluster refuses the transaction: {other}"),
            "--dry-run tells more without sending",
        ),
    }
}

/// What to do about a refusal that says no more.
const CHECK: &str = "check the addresses and amounts on the command line";

/// What Anchor says about an account that is not what an instruction needs.
fn anchor(logs: &[String]) -> Option<Explanation> {
    let line = logs.iter().find_map(|line| line.split_once("AnchorError caused by account: "))?.1;
    let (account, rest) = line.split_once('.')?;
    let name = rest.split_once("Error Code: ")?.1.split_once('.')?.0;
    let account = account.replace('_', " ");
    Some(match name {
        "AccountNotInitialized" if account == "protocol" => {
            Explanation::new("the protocol is not set up on this cluster", "`backstop init` sets it up; check --url")
        }
        "AccountNotInitialized" if account == "incident" => {
            Explanation::new("no incident is open for it", "`backstop incident list` shows all incidents")
        }
        "AccountNotInitialized" if account == "trigger" => Explanation::new(
            "the product is announced and has no condition yet",
            "`backstop product show` tells its state",
        ),
        "AccountNotInitialized" => {
            let hint = "create it first; for a token account: `spl-token create-account MINT`";
            Explanation::new(format!("the account `{account}` does not exist"), hint)
        }
        _ => {
            let message = rest.split_once("Error Message: ").map_or(name, |(_, message)| message.trim_end_matches('.'));
            Explanation::new(format!("the account `{account}` is not accepted: {message} ({name})"), CHECK)
        }
    })
}

fn instruction_failure(reason: &InstructionError, logs: &[String]) -> Explanation {
    let program = failed_program(logs).map_or_else(|| "a program".into(), |program| format!("the program {program}"));
    Explanation::new(format!("{program} refuses: {reason}"), CHECK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: u32, logs: &[&str]) -> ClusterError {
        ClusterError::Failed {
            error: TransactionError::InstructionError(1, InstructionError::Custom(code)),
            logs: logs.iter().map(|line| (*line).to_owned()).collect(),
            signature: None,
        }
    }

    #[test]
    fn a_refusal_of_the_program_is_told_in_its_words_with_name_code_and_hint() {
        let explained = explain(&failed(6_025, &[]));
        assert_eq!(explained.sentence, "Deposits are paused (DepositsPaused, 6025)");
        assert!(explained.hint.is_some_and(|hint| hint.contains("six hours")));
    }

    #[test]
    fn an_error_of_another_program_is_not_taken_for_ours() {
        let log = "Program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA failed: custom program error: 0x1776";
        let explained = explain(&failed(6_006, &[log]));
        assert!(explained.sentence.starts_with("the program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA refuses"));
    }

    #[test]
    fn a_missing_account_is_named() {
        let log = "Program log: AnchorError caused by account: owner_shares. Error Code: AccountNotInitialized. \
                   Error Number: 3012. Error Message: The program expected this account to be already initialized.";
        let explained = explain(&failed(3_012, &[log]));
        assert_eq!(explained.sentence, "the account `owner shares` does not exist");
    }

    #[test]
    fn every_refusal_has_a_hint_of_one_line() {
        for refusal in BackstopError::ALL {
            let hint = hint(refusal);
            assert!(!hint.is_empty() && !hint.contains('\n') && !hint.ends_with('.'), "{refusal:?}");
        }
    }
}
