//! Assertions on failures and on the books.

use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError;
use backstop::state::Pool;
use backstop_client::cluster::{Cluster, ClusterError, Receipt};
use backstop_client::{account, address, transaction};

/// Asserts that a transaction was refused with an error of the program.
#[track_caller]
pub fn assert_refused(result: Result<Receipt, ClusterError>, expected: BackstopError) {
    let error = result.expect_err(&format!("expected {expected:?}, but the transaction succeeded"));
    let actual = transaction::program_error(&error);
    assert_eq!(actual, Some(expected), "{}", explain(&error));
}

/// A failure with its logs.
pub fn explain(error: &ClusterError) -> String {
    match error {
        ClusterError::Failed { error, logs, .. } => format!("{error}\n{}", logs.join("\n")),
        other => other.to_string(),
    }
}

/// Asserts that a pool's ledger adds up, that its vault holds at least its cash, and that no more shares exist than the
/// books say.
#[track_caller]
pub fn assert_books(cluster: &dyn Cluster, pool: &Pubkey) {
    let books: Pool = account::fetch(cluster, pool).expect("the pool is there");
    books.invariant().expect("the ledger adds up");
    let vault = cluster.account(&address::vault(pool)).expect("the cluster answers").expect("the vault is there");
    let amount = u64::from_le_bytes(vault.data[64..72].try_into().expect("eight bytes"));
    assert!(amount >= books.cash, "the vault holds {amount}, the books say {}", books.cash);
    for (book, mint) in books.tranches.iter().zip(books.share_mints) {
        let mint = cluster.account(&mint).expect("the cluster answers").expect("the share mint is there");
        let supply = u64::from_le_bytes(mint.data[36..44].try_into().expect("eight bytes"));
        if book.wiped_out == 0 {
            assert!(supply <= book.shares, "{supply} shares exist, the books say {}", book.shares);
        }
    }
}
