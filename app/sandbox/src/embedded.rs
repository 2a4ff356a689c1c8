//! The real program on an SVM in this process, with clock, airdrops, mints and prices under control.

use crate::recorder::{Begun, Recorder};
use anchor_lang::prelude::Pubkey;
use backstop_client::address;
use backstop_client::cluster::{Blockhash, Cluster, ClusterError, Outcome, Receipt};
use backstop_client::deployment::PROGRAM;
use backstop_client::price_account;
use litesvm::LiteSVM;
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use solana_sdk::account::Account;
use solana_sdk::clock::Clock;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;
use std::borrow::Cow;
use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::path::PathBuf;

pub use backstop_client::price_account::Price;

/// Bytes of a token account without extensions.
const TOKEN_ACCOUNT_BYTES: usize = 165;

/// What a cluster in this process calls its first block.
pub const GENESIS_HASH: Hash = Hash::new_from_array([7; 32]);

/// Why a cluster did not start: the program that `BACKSTOP_PROGRAM` names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file could not be read.
    #[error("BACKSTOP_PROGRAM names {path}, which cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        why: std::io::Error,
    },
    /// The file is not a program that the runtime loads.
    #[error("BACKSTOP_PROGRAM names {path}, which is not a program that this cluster can load: {why}")]
    NotAProgram {
        /// The file.
        path: String,
        /// The runtime's words.
        why: String,
    },
}

/// A cluster in this process.
pub struct EmbeddedCluster {
    /// `None` only within [`Cluster::simulate`], which turns signature checks off for a moment.
    svm: RefCell<Option<LiteSVM>>,
    signatures_are_checked: bool,
    /// How transactions ended that nobody has asked about yet.
    ended: RefCell<HashMap<Signature, Outcome>>,
    /// What was executed, since somebody asked for that to be kept.
    pub(crate) recorder: RefCell<Option<Recorder>>,
}

impl EmbeddedCluster {
    /// Starts a cluster at a time, loads the program at its declared id, and writes its upgrade authority into its data,
    /// as a deployment does.
    ///
    /// # Panics
    ///
    /// If `BACKSTOP_PROGRAM` names no program: see [`Self::try_start`].
    pub fn start(now: i64, upgrade_authority: &Pubkey) -> Self {
        Self::try_start(now, upgrade_authority).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same without signature checks, for replays and fuzzing.
    ///
    /// # Panics
    ///
    /// If `BACKSTOP_PROGRAM` names no program: see [`Self::try_start_unsigned`].
    pub fn start_unsigned(now: i64, upgrade_authority: &Pubkey) -> Self {
        Self::try_start_unsigned(now, upgrade_authority).unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`Self::start`], for programs that somebody names.
    pub fn try_start(now: i64, upgrade_authority: &Pubkey) -> Result<Self, StartError> {
        Self::with(LiteSVM::new(), true, now, upgrade_authority)
    }

    /// [`Self::start_unsigned`], for programs that somebody names.
    pub fn try_start_unsigned(now: i64, upgrade_authority: &Pubkey) -> Result<Self, StartError> {
        Self::with(LiteSVM::new(), false, now, upgrade_authority)
    }

    fn with(
        svm: LiteSVM,
        signatures_are_checked: bool,
        now: i64,
        upgrade_authority: &Pubkey,
    ) -> Result<Self, StartError> {
        // Many transactions are the same but for time: history would take them for repeats.
        let mut svm = svm.with_transaction_history(0).with_sigverify(signatures_are_checked);
        load(&mut svm, std::env::var_os("BACKSTOP_PROGRAM").map(Into::into))?;
        let data_address = address::program_data();
        let mut data = svm.get_account(&data_address).expect("the loader has written the program's data");
        // The loader's header: kind 3 (program data), the slot of the deployment, and the authority, which is set (1).
        let slot = [0; 8];
        let header = [3u32.to_le_bytes().as_slice(), &slot, &[1], upgrade_authority.as_ref()].concat();
        data.data[..header.len()].copy_from_slice(&header);
        svm.set_account(data_address, data).expect("the program's data keeps its length");
        let cluster = Self {
            svm: RefCell::new(Some(svm)),
            signatures_are_checked,
            ended: RefCell::default(),
            recorder: RefCell::default(),
        };
        cluster.set_time(now);
        Ok(cluster)
    }

    /// The SVM itself.
    pub fn svm(&self) -> RefMut<'_, LiteSVM> {
        RefMut::map(self.svm.borrow_mut(), |svm| svm.as_mut().expect("the SVM is back after a simulation"))
    }

    /// Keeps from now on what is executed: see [`backstop_client::history::History`].
    pub fn record(&self) {
        self.recorder.borrow_mut().get_or_insert_default();
    }

    /// Runs a transaction and keeps what it did.
    pub fn send(&self, transaction: &VersionedTransaction) -> Outcome {
        let is_recorded = self.recorder.borrow().is_some();
        let begun = is_recorded.then(|| Begun::of(self, transaction));
        let executed = self.svm().send_transaction(transaction.clone());
        if let (Some(begun), Some(recorder)) = (begun, self.recorder.borrow_mut().as_mut()) {
            let (is_failed, metadata) = match &executed {
                Ok(metadata) => (false, metadata),
                Err(failed) => (true, &failed.meta),
            };
            recorder.note(self, transaction, begun, is_failed, metadata);
        }
        executed.map(receipt).map_err(failure)
    }

    /// Sets the clock.
    pub fn set_time(&self, now: i64) {
        let mut svm = self.svm();
        let mut clock: Clock = svm.get_sysvar();
        clock.unix_timestamp = now;
        clock.slot += 1;
        svm.set_sysvar(&clock);
        svm.expire_blockhash();
    }

    /// Moves the clock on.
    pub fn advance(&self, seconds: i64) {
        let now = self.time();
        self.set_time(now + seconds);
    }

    /// Moves the ledger on by slots, in no time.
    pub fn skip_slots(&self, slots: u64) {
        let mut svm = self.svm();
        let mut clock: Clock = svm.get_sysvar();
        clock.slot += slots;
        svm.set_sysvar(&clock);
        svm.expire_blockhash();
    }

    /// Sets the cluster's epoch.
    pub fn set_epoch(&self, epoch: u64) {
        let mut svm = self.svm();
        let mut clock: Clock = svm.get_sysvar();
        clock.epoch = epoch;
        svm.set_sysvar(&clock);
    }

    /// The clock.
    pub fn time(&self) -> i64 {
        self.svm().get_sysvar::<Clock>().unix_timestamp
    }

    /// Writes an account as it is.
    pub fn set_account(&self, address: Pubkey, account: Account) {
        self.svm().set_account(address, account).expect("the account is valid");
    }

    /// Gives lamports.
    pub fn airdrop(&self, to: &Pubkey, lamports: u64) {
        self.svm().airdrop(to, lamports).expect("the faucet is full");
    }

    /// Writes a bare mint of SPL Token at an address.
    pub fn create_mint(&self, address: Pubkey, decimals: u8, authority: &Pubkey) {
        use anchor_lang::solana_program::program_option::COption;
        use anchor_lang::solana_program::program_pack::Pack;
        let mint = anchor_spl::token::spl_token::state::Mint {
            mint_authority: COption::Some(*authority),
            supply: 0,
            decimals,
            is_initialized: true,
            freeze_authority: COption::Some(*authority),
        };
        let mut data = vec![0; anchor_spl::token::spl_token::state::Mint::LEN];
        mint.pack_into_slice(&mut data);
        self.write(address, data, anchor_spl::token::ID);
    }

    /// Writes an owner's associated token account of an SPL Token mint with an amount in it.
    pub fn set_tokens(&self, owner: &Pubkey, mint: &Pubkey, amount: u64) -> Pubkey {
        use anchor_lang::solana_program::program_pack::Pack;
        use anchor_spl::token::spl_token::state::{Account as TokenAccount, AccountState};
        let address = address::associated_token(owner, mint, &anchor_spl::token::ID);
        let account = TokenAccount {
            mint: *mint,
            owner: *owner,
            amount,
            state: AccountState::Initialized,
            ..TokenAccount::default()
        };
        let mut data = vec![0; TokenAccount::LEN];
        account.pack_into_slice(&mut data);
        self.write(address, data, anchor_spl::token::ID);
        address
    }

    /// Writes a fully verified price update of the Pyth receiver at an address.
    pub fn post_price(&self, address: Pubkey, feed: [u8; 32], price: Price) {
        let slot = self.svm().get_sysvar::<Clock>().slot;
        let data = price_account::price_update(address, feed, price, slot);
        self.write(address, data, backstop::peril::feed::pyth_receiver::PROGRAM_ID);
    }

    fn write(&self, address: Pubkey, data: Vec<u8>, owner: Pubkey) {
        let lamports = self.svm().minimum_balance_for_rent_exemption(data.len());
        self.set_account(address, Account { lamports, data, owner, executable: false, rent_epoch: 0 });
    }
}

/// The program that clusters of ours run: the committed one, or the file that `BACKSTOP_PROGRAM` names.
pub(crate) fn program() -> Result<Cow<'static, [u8]>, StartError> {
    let file: Option<PathBuf> = std::env::var_os("BACKSTOP_PROGRAM").map(Into::into);
    // A file that is no program is refused here, where it can be named.
    load(&mut LiteSVM::new(), file.clone())?;
    read_program(file.as_ref())
}

fn read_program(file: Option<&PathBuf>) -> Result<Cow<'static, [u8]>, StartError> {
    let Some(file) = file else { return Ok(Cow::Borrowed(PROGRAM)) };
    let unreadable = |why| StartError::Unreadable { path: file.display().to_string(), why };
    std::fs::read(file).map(Cow::Owned).map_err(unreadable)
}

/// Loads the program at its declared id: the one in a file, or the committed one.
fn load(svm: &mut LiteSVM, file: Option<PathBuf>) -> Result<(), StartError> {
    let program = read_program(file.as_ref())?;
    let path = file.map_or_else(|| "the committed program".into(), |file| file.display().to_string());
    svm.add_program(backstop::ID, &program).map_err(|why| StartError::NotAProgram { path, why: why.to_string() })
}

fn receipt(metadata: TransactionMetadata) -> Receipt {
    Receipt {
        signature: metadata.signature,
        compute_units: metadata.compute_units_consumed,
        logs: metadata.logs,
        return_data: metadata.return_data.data,
    }
}

fn failure(failed: FailedTransactionMetadata) -> ClusterError {
    ClusterError::Failed { error: failed.err, logs: failed.meta.logs, signature: None }
}

impl Cluster for EmbeddedCluster {
    fn genesis_hash(&self) -> Result<Hash, ClusterError> {
        Ok(GENESIS_HASH)
    }

    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        // An account without lamports does not exist for a cluster.
        Ok(self.svm().get_account(address).filter(|account| account.lamports > 0))
    }

    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        addresses.iter().map(|address| self.account(address)).collect()
    }

    fn program_accounts(
        &self,
        tag: &[u8],
        filter: Option<(usize, Pubkey)>,
    ) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        let matches = |data: &[u8]| {
            let holds_key = |(offset, key): (usize, Pubkey)| {
                let start = tag.len() + offset;
                data.get(start..start + 32) == Some(key.as_ref())
            };
            data.starts_with(tag) && filter.is_none_or(holds_key)
        };
        let accounts = self.svm().get_program_accounts(&backstop::ID);
        Ok(accounts.into_iter().filter(|(_, account)| matches(&account.data)).collect())
    }

    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Vec<(Pubkey, Account)>, ClusterError> {
        // A token account: 32 bytes of mint, then the owner; longer than a mint's 82 bytes.
        let is_theirs = |data: &[u8]| data.len() >= TOKEN_ACCOUNT_BYTES && data[32..64] == *owner.as_ref();
        let accounts = self.svm().get_program_accounts(token_program);
        Ok(accounts.into_iter().filter(|(_, account)| is_theirs(&account.data)).collect())
    }

    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        let holds_one = |data: &[u8]| data.len() >= TOKEN_ACCOUNT_BYTES && data[64..72] == 1u64.to_le_bytes();
        let accounts = self.svm().get_program_accounts(&anchor_spl::token_2022::ID);
        let holders: HashMap<[u8; 32], Pubkey> = accounts
            .into_iter()
            .filter(|(_, account)| holds_one(&account.data))
            .filter_map(|(address, account)| Some((*account.data.first_chunk()?, address)))
            .collect();
        Ok(mints.iter().map(|mint| holders.get(mint.as_array()).copied()).collect())
    }

    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        Ok(Blockhash { hash: self.svm().latest_blockhash(), last_valid_block_height: u64::MAX })
    }

    fn block_height(&self) -> Result<u64, ClusterError> {
        self.slot()
    }

    fn slot(&self) -> Result<u64, ClusterError> {
        Ok(self.svm().get_sysvar::<Clock>().slot)
    }

    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        let mut place = self.svm.borrow_mut();
        let svm = place.take().expect("the SVM is back after a simulation").with_sigverify(false);
        let simulated = svm.simulate_transaction(transaction.clone());
        *place = Some(svm.with_sigverify(self.signatures_are_checked));
        simulated.map(|info| receipt(info.meta)).map_err(failure)
    }

    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        self.ended.borrow_mut().insert(transaction.signatures[0], self.send(transaction));
        Ok(())
    }

    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        let mut ended = self.ended.borrow_mut();
        Ok(signatures.iter().map(|signature| ended.remove(signature)).collect())
    }

    fn recent_priority_price(&self, _writable: &[Pubkey]) -> Result<u64, ClusterError> {
        Ok(0)
    }

    fn now(&self) -> Result<i64, ClusterError> {
        Ok(self.time())
    }

    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        Ok(self.svm().minimum_balance_for_rent_exemption(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &str) -> String {
        load(&mut LiteSVM::new(), Some(file.into())).expect_err("it is no program").to_string()
    }

    #[test]
    fn a_file_that_is_no_program_is_named_and_not_a_panic() {
        let text = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let another = std::env::current_exe().expect("a test is a file").display().to_string();
        for file in [text, &another] {
            let start = format!("BACKSTOP_PROGRAM names {file}, which is not a program that this cluster can load: ");
            assert!(refused(file).starts_with(&start));
        }
        assert!(refused("nowhere.so").starts_with("BACKSTOP_PROGRAM names nowhere.so, which cannot be read: "));
    }

    #[test]
    fn the_committed_program_loads() {
        assert!(load(&mut LiteSVM::new(), None).is_ok());
    }
}
