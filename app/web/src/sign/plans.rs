//! Transactions that were built and handed out, and what became of them: in memory, few, and not for long.
//!
//! A plan is named by a text that nobody can guess. What it allows to be sent is the transaction that was built, signed by
//! the wallet that it was built for: see [`super::allow`].

use super::ask::{Ask, Once};
use anchor_lang::prelude::Pubkey;
use solana_sdk::message::VersionedMessage;
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most plans at once.
const MOST: usize = 2_000;
/// Most transactions that are under way at once.
const MOST_OPEN: usize = 64;
/// How long a plan is kept: longer than any device takes to sign, and than anybody waits for an outcome.
const KEPT: Duration = Duration::from_secs(30 * 60);

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was executed.
    Confirmed,
    /// It was executed and failed, or no node took it: it changed nothing.
    Failed {
        /// Why, as a sentence.
        why: String,
    },
    /// It was not executed and never will be.
    Expired,
    /// Nobody knows: it may be executed already, or still be.
    Unknown {
        /// Why it is not known.
        why: String,
    },
    /// A transaction with the wallet's signature was executed, and it is not the one that was built.
    Another,
}

/// Where a plan stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was handed to the page, and nothing came back.
    Prepared,
    /// It was handed to a wallet that sends by itself, and nothing came back.
    Handed,
    /// Another was built in its place: it is not sent any more.
    Withdrawn,
    /// It is under way.
    Open {
        /// By its signature.
        signature: Signature,
    },
    /// It ended.
    Ended {
        /// Its signature.
        signature: Signature,
        /// How.
        end: End,
    },
}

/// A transaction that was built.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was wanted.
    pub ask: Ask,
    /// Who signs and pays.
    pub wallet: Pubkey,
    /// What keeps it from being done twice.
    pub once: Once,
    /// The limit that it is within: [`super::ask::Thought::limit`].
    pub limit: Option<u64>,
    /// What is signed, if the wallet adds nothing.
    pub built: VersionedMessage,
    /// The last block height at which it can be executed.
    pub last_valid_block_height: u64,
    /// Where it stands.
    pub state: State,
    /// When it was built.
    pub made: Instant,
    /// When it was sent, or a signature of it came.
    pub sent: Option<Instant>,
}

/// Why a plan is not carried on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is none of this name, or it is too old.
    #[error("this was built too long ago: begin again")]
    NoPlan,
    /// Another was built in its place.
    #[error("another transaction was built in place of this one: sign that one")]
    Withdrawn,
    /// It, or one like it, is under way.
    #[error("it is under way already: wait for how it ends")]
    Open(Signature),
    /// It ended already.
    #[error("it was sent already, and executed")]
    Done(Option<Signature>),
    /// Another deposit or extension of this wallet was sent after this one was built.
    #[error(
        "another deposit or extension of this wallet was sent after this one was built: look at it, and begin again"
    )]
    Overtaken(Signature),
    /// The one before may still be executed.
    #[error("the one before may still be executed: wait until its time is over, and try again")]
    MayStill,
    /// Too many are under way.
    #[error("too many transactions are under way here: try again in a minute")]
    Busy,
}

/// The plans of a server.
#[derive(Debug, Default)]
pub struct Plans(Mutex<HashMap<String, Plan>>);

impl Plans {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Plan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a plan. Returns its name.
    ///
    /// Errors: [`PlanError::Busy`].
    pub fn keep(&self, plan: Plan) -> Result<String, PlanError> {
        let mut plans = self.lock();
        let is_open = |plan: &Plan| matches!(plan.state, State::Open { .. });
        plans.retain(|_, plan| is_open(plan) || plan.made.elapsed() < KEPT);
        while plans.len() >= MOST {
            let closed = plans.iter().filter(|(_, plan)| !is_open(plan));
            let oldest = closed.min_by_key(|(_, plan)| plan.made).map(|(name, _)| name.clone());
            plans.remove(&oldest.ok_or(PlanError::Busy)?);
        }
        // A public key of a fresh pair, which is thrown away: 32 bytes of the system's randomness, in letters.
        let name = Keypair::new().pubkey().to_string();
        plans.insert(name.clone(), plan);
        Ok(name)
    }

    /// A plan as it stands.
    ///
    /// Errors: [`PlanError::NoPlan`].
    pub fn get(&self, name: &str) -> Result<Plan, PlanError> {
        self.lock().get(name).cloned().ok_or(PlanError::NoPlan)
    }

    /// Notes that a plan was handed to a wallet that sends by itself.
    ///
    /// Errors: it was sent, or another was built in its place.
    pub fn hand(&self, name: &str) -> Result<(), PlanError> {
        let mut plans = self.lock();
        let plan = plans.get_mut(name).ok_or(PlanError::NoPlan)?;
        match &plan.state {
            State::Prepared | State::Handed => {
                plan.state = State::Handed;
                Ok(())
            }
            state => Err(refusal(state)),
        }
    }

    /// Notes that another plan takes the place of one that nothing came back of.
    pub fn withdraw(&self, name: &str) {
        if let Some(plan) = self.lock().get_mut(name).filter(|plan| plan.state == State::Prepared) {
            plan.state = State::Withdrawn;
        }
    }

    /// Takes a plan on for sending or watching. `Ok(false)`: by this signature it is under way, or ended, already.
    ///
    /// Errors: it is not sent any more, or too many are.
    pub fn open(&self, name: &str, signature: Signature) -> Result<bool, PlanError> {
        let mut plans = self.lock();
        let plan = plans.get(name).ok_or(PlanError::NoPlan)?;
        match &plan.state {
            State::Prepared | State::Handed => {}
            State::Open { signature: one } | State::Ended { signature: one, .. } if *one == signature => {
                return Ok(false);
            }
            state => return Err(refusal(state)),
        }
        if let Once::Expiry { .. } = plan.once {
            // Two of the same may have been built at once, by two clicks: who sends the second has seen only the first.
            let (made, wallet, once) = (plan.made, plan.wallet, plan.once);
            let overtakes = |other: &&Plan| {
                let same = other.wallet == wallet && other.once == once;
                let changed_nothing =
                    matches!(&other.state, State::Ended { end: End::Failed { .. } | End::Expired, .. });
                same && other.sent.is_some_and(|sent| sent >= made) && !changed_nothing
            };
            if let Some(signature) = plans.values().find(overtakes).and_then(Plan::signature) {
                return Err(PlanError::Overtaken(signature));
            }
        }
        if plans.values().filter(|plan| matches!(plan.state, State::Open { .. })).count() >= MOST_OPEN {
            return Err(PlanError::Busy);
        }
        let plan = plans.get_mut(name).ok_or(PlanError::NoPlan)?;
        plan.state = State::Open { signature };
        plan.sent = Some(Instant::now());
        Ok(true)
    }

    /// Notes that a plan was not sent after all: it stands as before.
    pub fn put_back(&self, name: &str) {
        if let Some(plan) = self.lock().get_mut(name) {
            plan.state = State::Prepared;
            plan.sent = None;
        }
    }

    /// Notes how a plan ended.
    pub fn end(&self, name: &str, signature: Signature, end: End) {
        if let Some(plan) = self.lock().get_mut(name) {
            plan.state = State::Ended { signature, end };
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl Plan {
    /// The signature that it was sent with.
    pub fn signature(&self) -> Option<Signature> {
        match &self.state {
            State::Open { signature } | State::Ended { signature, .. } => Some(*signature),
            State::Prepared | State::Handed | State::Withdrawn => None,
        }
    }
}

/// Why a plan that stands so is not sent.
fn refusal(state: &State) -> PlanError {
    match state {
        State::Prepared | State::Handed => PlanError::NoPlan,
        State::Withdrawn => PlanError::Withdrawn,
        State::Open { signature } => PlanError::Open(*signature),
        State::Ended { signature, .. } => PlanError::Done(Some(*signature)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use solana_sdk::message::Message;

    fn plan(wallet: u8, once: Once) -> Plan {
        let wallet = Pubkey::new_from_array([wallet; 32]);
        Plan {
            ask: Ask::Claim { ticket: String::new() },
            wallet,
            once,
            limit: None,
            built: VersionedMessage::Legacy(Message::new(&[], Some(&wallet))),
            last_valid_block_height: 0,
            state: State::Prepared,
            made: Instant::now(),
            sent: None,
        }
    }

    fn signature(number: u8) -> Signature {
        Signature::from([number; 64])
    }

    const POOL: Once = Once::Expiry { pool: Pubkey::new_from_array([9; 32]) };

    #[test]
    fn a_double_click_sends_once() {
        let plans = Plans::default();
        let name = plans.keep(plan(1, Once::Harmless)).unwrap();
        assert_eq!(plans.open(&name, signature(1)), Ok(true));
        assert_eq!(plans.open(&name, signature(1)), Ok(false));
        assert_eq!(plans.open(&name, signature(2)), Err(PlanError::Open(signature(1))));
        plans.end(&name, signature(1), End::Confirmed);
        assert_eq!(plans.open(&name, signature(1)), Ok(false), "a replay tells how it ended");
        assert_eq!(plans.open(&name, signature(2)), Err(PlanError::Done(Some(signature(1)))));
        assert_eq!(plans.hand(&name), Err(PlanError::Done(Some(signature(1)))));
        assert_eq!(plans.open("somebody else's", signature(1)), Err(PlanError::NoPlan));
    }

    #[test]
    fn of_two_deposits_that_were_built_at_once_one_is_sent() {
        let plans = Plans::default();
        let [first, second] = [(); 2].map(|()| plans.keep(plan(1, POOL)).unwrap());
        let other_wallet = plans.keep(plan(2, POOL)).unwrap();
        let other_pool = plans.keep(plan(1, Once::Expiry { pool: Pubkey::default() })).unwrap();
        assert_eq!(plans.open(&first, signature(1)), Ok(true));
        let overtaken = Err(PlanError::Overtaken(signature(1)));
        assert_eq!(plans.open(&second, signature(2)), overtaken);
        plans.end(&first, signature(1), End::Confirmed);
        assert_eq!(plans.open(&second, signature(2)), overtaken, "also when it has ended");
        let third = plans.keep(plan(1, POOL)).unwrap();
        assert_eq!(plans.open(&third, signature(3)), Ok(true), "what is built afterwards has seen it");
        assert_eq!(plans.open(&other_wallet, signature(4)), Ok(true));
        assert_eq!(plans.open(&other_pool, signature(5)), Ok(true));
    }

    #[test]
    fn a_deposit_that_changed_nothing_overtakes_none() {
        for end in [End::Expired, End::Failed { why: String::new() }] {
            let plans = Plans::default();
            let [first, second] = [(); 2].map(|()| plans.keep(plan(1, POOL)).unwrap());
            assert_eq!(plans.open(&first, signature(1)), Ok(true));
            plans.end(&first, signature(1), end);
            assert_eq!(plans.open(&second, signature(2)), Ok(true));
        }
        let plans = Plans::default();
        let [first, second] = [(); 2].map(|()| plans.keep(plan(1, POOL)).unwrap());
        assert_eq!(plans.open(&first, signature(1)), Ok(true));
        plans.end(&first, signature(1), End::Unknown { why: String::new() });
        assert_eq!(plans.open(&second, signature(2)), Err(PlanError::Overtaken(signature(1))), "unknown is not no");
    }

    #[test]
    fn what_was_withdrawn_is_not_sent() {
        let plans = Plans::default();
        let name = plans.keep(plan(1, POOL)).unwrap();
        plans.withdraw(&name);
        assert_eq!(plans.open(&name, signature(1)), Err(PlanError::Withdrawn));
        let sent = plans.keep(plan(1, Once::Harmless)).unwrap();
        assert_eq!(plans.open(&sent, signature(1)), Ok(true));
        plans.withdraw(&sent);
        assert_eq!(plans.get(&sent).unwrap().state, State::Open { signature: signature(1) }, "it is out");
    }

    #[test]
    fn plans_are_few_and_the_oldest_goes_but_none_that_is_under_way() {
        let plans = Plans::default();
        let open = plans.keep(plan(1, Once::Harmless)).unwrap();
        assert_eq!(plans.open(&open, signature(1)), Ok(true));
        let second = plans.keep(plan(1, Once::Harmless)).unwrap();
        for _ in 0..MOST {
            plans.keep(plan(1, Once::Harmless)).unwrap();
        }
        assert_eq!(plans.len(), MOST);
        assert!(plans.get(&open).is_ok());
        assert_eq!(plans.get(&second).map(|_| ()), Err(PlanError::NoPlan));
    }

    #[test]
    fn so_many_are_under_way_at_once_and_no_more() {
        let plans = Plans::default();
        let names: Vec<String> = (0..=MOST_OPEN).map(|_| plans.keep(plan(1, Once::Harmless)).unwrap()).collect();
        for (number, name) in names[..MOST_OPEN].iter().enumerate() {
            assert_eq!(plans.open(name, signature(number as u8)), Ok(true));
        }
        assert_eq!(plans.open(&names[MOST_OPEN], signature(200)), Err(PlanError::Busy));
        plans.end(&names[0], signature(0), End::Confirmed);
        assert_eq!(plans.open(&names[MOST_OPEN], signature(200)), Ok(true));
    }
}
