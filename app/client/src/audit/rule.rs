//! What an audit looks at: every rule by name, and in plain words.

use serde::{Serialize, Serializer};
use std::fmt;

macro_rules! rules {
    ($($rule:ident, $name:literal, $words:literal;)*) => {
        /// A rule that the accounts of a protocol must follow, in the order in which they are reported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $words] $rule,)*
        }

        impl Rule {
            /// All rules, in their order.
            pub const ALL: &'static [Rule] = &[$(Rule::$rule),*];

            /// The rule's short name, which never changes: `vault`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }

            /// The rule in words.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$rule => $words,)* }
            }
        }
    };
}

rules! {
    Roles, "roles", "every role is named, and a pause ends within six hours of its beginning";
    Orphans, "orphans", "every account of the program can be read and belongs to one that is there";
    Address, "address", "addresses and bumps are those that the seeds give";
    Rent, "rent", "every account is exempt from rent";
    Terms, "terms", "terms of pools, products and triggers are within their hard bounds";
    Ledger, "ledger", "the entries of the books sum to the cash that they state";
    Vault, "vault", "the vault is the pool's, is not frozen, and holds at least what the books say";
    Shares, "shares", "no more shares exist than the books say, and only the pool can make more";
    Tranches, "tranches", "assets have shares that own them, exiting value has units, and a wiped-out tranche is empty";
    Exposure, "exposure", "a product's exposure is the sum of its live covers, by the day on which they end";
    Activation, "activation", "sums, premiums and rates by activation day are those of the covers";
    Groups, "groups", "exposure of pool and risk groups is the sum of the products', and required capital is what it asks for";
    Alerts, "alerts", "the alert counts products whose triggers are breaching, met or without an incident, and their exposure, and stops accrual unless it is small";
    Stream, "stream", "premium is earned at the rates of covers and treaties, each from and until its own day";
    Unearned, "unearned", "unearned premium is what the stream has still to earn, and rounding's dust";
    Covers, "covers", "every cover has the terms that its product sells, and a rate that earns its premium";
    Nfts, "nfts", "every cover has one NFT or none, which nobody can make more of";
    Queue, "queue", "the exit queue holds every unfilled epoch once, by day";
    Tickets, "tickets", "an epoch's units and tickets are those of its exit tickets, none of which has had too much";
    Units, "units", "open exit units of the books are those of the epochs, and rounding's dust";
    ExitReserves, "exit-reserves", "exit reserves are the epochs', and cover what their tickets can claim";
    Incidents, "incidents", "an incident says what its product's trigger found, and counts what treaties paid";
    IncidentReserves, "incident-reserves", "incident reserves are what the incidents were given and have not paid out";
    Claims, "claims", "an incident's claims are those of its unsettled covers, and its reserve covers them";
    Refunds, "refunds", "premium that is set aside is the incidents', and covers what their covers get back";
    Crises, "crises", "a crisis is the sum of its incidents, and has for each of them what it was promised";
    Cedant, "cedant", "reinsurance in force in a cedant's books is what its treaties say";
    Reinsurer, "reinsurer", "a reinsurer stands behind each of its treaties with the limit that can still be asked for";
    Treaties, "treaties", "treaties are between pools that fit, within their limits, and paid for";
    Evidence, "evidence", "a trigger's phase, event and severity are what the prints shown say";
    Events, "events", "every event that a pool has numbered was read";
    Products, "products", "prices are within their bounds, and products, triggers and incidents agree on what is over";
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
