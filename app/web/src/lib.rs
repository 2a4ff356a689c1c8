//! Backstop's page: read without a script, signed with a wallet.
