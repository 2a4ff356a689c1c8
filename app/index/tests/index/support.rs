//! Stories, nodes with faults, and what a database holds as text.

use backstop_client::cluster::ClusterError;
use backstop_client::history::{Executed, History, Listed};
use backstop_index::{Database, Options, Progress, follow};
use backstop_sandbox::EmbeddedCluster;
use backstop_tests::World;
use backstop_tests::market::Market;
use rusqlite::types::Value;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use std::collections::HashMap;

/// A market that has traded, on a cluster that keeps its history from the beginning.
pub fn market(steps: usize) -> Market {
    let world = World::unsigned();
    world.cluster.record();
    let mut market = Market::in_world(world);
    for _ in 0..steps {
        market.act();
    }
    market
}

/// Everything that a node has, in a new database.
pub fn indexed(node: &dyn History) -> Database {
    let mut database = Database::in_memory().expect("there is memory");
    let progress = read(&mut database, node);
    assert!(progress.is_complete);
    database
}

/// The same in small batches: as of a history that is longer.
pub fn indexed_in_parts(node: &dyn History) -> Database {
    let mut database = Database::in_memory().expect("there is memory");
    let options = Options { batch: 3, ..Options::default() };
    let progress = follow(&mut database, node, &options).unwrap_or_else(|error| panic!("{error}"));
    assert!(progress.is_complete);
    database
}

/// Follows.
pub fn read(database: &mut Database, node: &dyn History) -> Progress {
    follow(database, node, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Tables whose rows do not depend on when something was read.
const TABLES: [&str; 16] = [
    "transactions",
    "events",
    "numbers",
    "gaps",
    "lost",
    "pools",
    "books",
    "pool_periods",
    "products",
    "product_periods",
    "prices",
    "phases",
    "incidents",
    "incident_steps",
    "payments",
    "treaty_steps",
];

/// All rows of all tables as text, sorted, with signatures for the database's own ids.
pub fn dump(database: &Database) -> Vec<String> {
    let connection = database.connection();
    let mut statement = connection.prepare("SELECT id, signature FROM transactions").expect("there is the table");
    let pairs = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 64]>(1)?)));
    let ids: HashMap<i64, String> = pairs
        .expect("it can be read")
        .map(|pair| pair.map(|(id, signature)| (id, Signature::from(signature).to_string())).expect("it is a row"))
        .collect();
    let mut lines = Vec::new();
    for table in TABLES.iter().chain(&["announcements", "unread", "pending"]) {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).expect("there is the table");
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).expect("it can be read");
        while let Some(row) = rows.next().expect("it can be read") {
            let mut line = format!("{table}:");
            for (place, column) in columns.iter().enumerate() {
                let value: Value = row.get(place).expect("it is a value");
                let text = match (column.as_str(), value) {
                    ("id", Value::Integer(_)) if *table == "transactions" => continue,
                    ("rank" | "found_at", _) => continue,
                    ("transaction_id", Value::Integer(id)) => ids[&id].clone(),
                    (_, value) => format!("{value:?}"),
                };
                line.push_str(&format!(" {column}={text}"));
            }
            lines.push(line);
        }
    }
    lines.sort_unstable();
    lines
}

/// Lines that are in one dump alone.
#[track_caller]
pub fn assert_same(one: &Database, other: &Database) {
    let (one, other) = (dump(one), dump(other));
    if one != other {
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|line| !those.contains(line)).take(5).cloned().collect::<Vec<_>>().join("\n")
        };
        panic!("only one has\n{}\nonly the other has\n{}", only(&one, &other), only(&other, &one));
    }
}

/// Lets a node give something else.
type Alter<'a> = Box<dyn Fn(&mut Executed) + 'a>;
/// Lets a node list something else.
type Relist<'a> = Box<dyn Fn(Vec<Listed>) -> Vec<Listed> + 'a>;

/// A node with faults: of one that has none.
pub struct Faulty<'a> {
    node: &'a EmbeddedCluster,
    /// Transactions that it does not give.
    pub hides: Vec<Signature>,
    /// What it makes of transactions.
    pub alter: Option<Alter<'a>>,
    /// What it makes of its lists.
    pub relist: Option<Relist<'a>>,
    /// Most transactions of a page.
    pub most: usize,
    /// Its cluster.
    pub genesis: Option<Hash>,
}

impl<'a> Faulty<'a> {
    pub fn of(node: &'a EmbeddedCluster) -> Self {
        Self { node, hides: Vec::new(), alter: None, relist: None, most: usize::MAX, genesis: None }
    }
}

impl History for Faulty<'_> {
    fn genesis(&self) -> Result<Hash, ClusterError> {
        self.genesis.map_or_else(|| self.node.genesis(), Ok)
    }

    fn signatures(
        &self,
        before: Option<&Signature>,
        until: Option<&Signature>,
        most: usize,
    ) -> Result<Vec<Listed>, ClusterError> {
        let page = self.node.signatures(before, until, most.min(self.most))?;
        Ok(self.relist.as_ref().map_or_else(|| page.clone(), |relist| relist(page.clone())))
    }

    fn transaction(&self, signature: &Signature) -> Result<Option<Executed>, ClusterError> {
        if self.hides.contains(signature) {
            return Ok(None);
        }
        let mut found = self.node.transaction(signature)?;
        if let (Some(found), Some(alter)) = (&mut found, &self.alter) {
            alter(found);
        }
        Ok(found)
    }
}

/// All transactions of a cluster that a database reads, oldest first.
pub fn all(node: &EmbeddedCluster) -> Vec<Executed> {
    let listed = node.signatures(None, None, usize::MAX).expect("it answers");
    let one = |listed: &Listed| node.transaction(&listed.signature).expect("it answers").expect("it is there");
    listed.iter().rev().filter(|listed| !listed.is_failed).map(one).collect()
}
