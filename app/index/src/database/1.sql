-- Amounts, numbers and rates of 64 bits are kept as SQLite's signed integers of the same bits: 2^63 and above are
-- negative. Times are unix seconds. Addresses are 32 bytes, signatures 64.

-- How far the history was read; one row.
CREATE TABLE cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Whose history it is: the cluster's genesis.
    genesis BLOB,
    -- The newest transaction that was read, in the order of the chain.
    slot INTEGER,
    time INTEGER,
    signature BLOB,
    -- Listings go back to the anchor, a transaction a while before: a node may learn of one late. Then the next is it.
    anchor_slot INTEGER,
    anchor BLOB,
    next_anchor_slot INTEGER,
    next_anchor BLOB,
    -- A listing under way: from which transaction it goes on backwards.
    is_listing INTEGER NOT NULL DEFAULT 0,
    listed_before BLOB,
    listed_slot INTEGER,
    -- When a node last had nothing newer.
    complete_at INTEGER
) STRICT;
INSERT INTO cursor (one) VALUES (1);

-- Listed and not read yet: the oldest has the lowest rank.
CREATE TABLE pending (
    rank INTEGER PRIMARY KEY,
    signature BLOB NOT NULL UNIQUE,
    slot INTEGER NOT NULL,
    is_failed INTEGER NOT NULL,
    -- How often it was asked for and not given.
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Listed, and never given when it was asked for.
CREATE TABLE unread (
    signature BLOB PRIMARY KEY,
    slot INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE transactions (
    id INTEGER PRIMARY KEY,
    signature BLOB NOT NULL UNIQUE,
    slot INTEGER NOT NULL,
    -- Its place among those of its slot.
    place INTEGER NOT NULL,
    time INTEGER NOT NULL,
    -- Whether its log was cut.
    is_cut INTEGER NOT NULL
) STRICT;
CREATE INDEX transactions_in_order ON transactions (slot, place);

-- What instructions of a cut log reported for sure, but for its number, which is not known yet.
CREATE TABLE lost (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    rank INTEGER NOT NULL,
    pool BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (pool, transaction_id, rank)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    bytes BLOB NOT NULL,
    -- Whether it was rebuilt from instructions because the log was cut.
    is_rebuilt INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, place)
) STRICT, WITHOUT ROWID;

-- The numbers that pools give their events.
CREATE TABLE numbers (
    pool BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    transaction_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (pool, sequence)
) STRICT, WITHOUT ROWID;

-- Numbers that are not there: from first to last.
CREATE TABLE gaps (
    pool BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (pool, first)
) STRICT, WITHOUT ROWID;

-- From here on everything is rebuilt from the events.

CREATE TABLE pools (
    pool BLOB PRIMARY KEY,
    asset_mint BLOB NOT NULL,
    id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The books of each pool as its events say.
CREATE TABLE books (
    pool BLOB PRIMARY KEY,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A pool by the hour (3600) and by the day (86400), where something happened.
CREATE TABLE pool_periods (
    pool BLOB NOT NULL,
    seconds INTEGER NOT NULL,
    start INTEGER NOT NULL,
    -- As it stood at the end.
    surplus INTEGER NOT NULL,
    junior_assets INTEGER NOT NULL,
    junior_exiting INTEGER NOT NULL,
    junior_shares INTEGER NOT NULL,
    junior_series INTEGER NOT NULL,
    senior_assets INTEGER NOT NULL,
    senior_exiting INTEGER NOT NULL,
    senior_shares INTEGER NOT NULL,
    senior_series INTEGER NOT NULL,
    unearned_premium INTEGER NOT NULL,
    exposure INTEGER NOT NULL,
    cash INTEGER NOT NULL,
    -- What happened in it.
    premium_sold INTEGER NOT NULL,
    premium_earned INTEGER NOT NULL,
    junior_earned INTEGER NOT NULL,
    senior_earned INTEGER NOT NULL,
    surplus_earned INTEGER NOT NULL,
    ceded_earned INTEGER NOT NULL,
    surplus_lost INTEGER NOT NULL,
    junior_lost INTEGER NOT NULL,
    senior_lost INTEGER NOT NULL,
    junior_deposits INTEGER NOT NULL,
    senior_deposits INTEGER NOT NULL,
    contributions INTEGER NOT NULL,
    junior_exits INTEGER NOT NULL,
    senior_exits INTEGER NOT NULL,
    exits_paid INTEGER NOT NULL,
    covers_sold INTEGER NOT NULL,
    sums_sold INTEGER NOT NULL,
    covers_paid INTEGER NOT NULL,
    amounts_paid INTEGER NOT NULL,
    PRIMARY KEY (pool, seconds, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE products (
    product BLOB PRIMARY KEY,
    pool BLOB NOT NULL,
    id INTEGER NOT NULL,
    covered_asset BLOB NOT NULL,
    wording_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    -- Its condition, once it is set.
    trigger_account BLOB,
    threshold INTEGER,
    recovery INTEGER,
    slot_seconds INTEGER,
    condition BLOB
) STRICT, WITHOUT ROWID;

-- A product's sales by the hour and by the day, where something was sold or given back.
CREATE TABLE product_periods (
    product BLOB NOT NULL,
    seconds INTEGER NOT NULL,
    start INTEGER NOT NULL,
    covers INTEGER NOT NULL,
    sum_insured INTEGER NOT NULL,
    premium INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    refunds INTEGER NOT NULL,
    -- Prices, in parts per billion a year of the sum insured.
    last_rate_ppb INTEGER NOT NULL,
    lowest_rate_ppb INTEGER NOT NULL,
    highest_rate_ppb INTEGER NOT NULL,
    last_level_bps INTEGER NOT NULL,
    PRIMARY KEY (product, seconds, start)
) STRICT, WITHOUT ROWID;

-- What was shown to a product's trigger, by the slots of its condition.
CREATE TABLE prices (
    product BLOB NOT NULL,
    start INTEGER NOT NULL,
    prints INTEGER NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    last INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    highest_breach INTEGER NOT NULL,
    above_first INTEGER NOT NULL,
    above_last INTEGER NOT NULL,
    recovered_first INTEGER NOT NULL,
    recovered_last INTEGER NOT NULL,
    -- 0 open, 1 breach, 2 recovered.
    says INTEGER NOT NULL,
    PRIMARY KEY (product, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE phases (
    product BLOB NOT NULL,
    transaction_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    before INTEGER NOT NULL,
    after INTEGER NOT NULL,
    mean_price INTEGER NOT NULL,
    severity_bps INTEGER NOT NULL,
    PRIMARY KEY (product, transaction_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    incident BLOB PRIMARY KEY,
    pool BLOB NOT NULL,
    product BLOB NOT NULL,
    crisis INTEGER NOT NULL,
    event_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    final_at INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    severity_bps INTEGER NOT NULL,
    gross INTEGER NOT NULL,
    is_final INTEGER NOT NULL,
    funded INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    payments INTEGER NOT NULL,
    deadline INTEGER,
    closed_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_of_pools ON incidents (pool, crisis);

-- What happened in an incident, but for its payments.
CREATE TABLE incident_steps (
    incident BLOB NOT NULL,
    transaction_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    what TEXT NOT NULL,
    amount INTEGER,
    severity_bps INTEGER,
    PRIMARY KEY (incident, transaction_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
    incident BLOB NOT NULL,
    transaction_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    cover BLOB NOT NULL,
    holder BLOB NOT NULL,
    amount INTEGER NOT NULL,
    refund INTEGER NOT NULL,
    is_waiting INTEGER NOT NULL,
    PRIMARY KEY (incident, transaction_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX payments_to_holders ON payments (holder);

CREATE TABLE treaty_steps (
    transaction_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    what TEXT NOT NULL,
    treaty BLOB,
    cedant BLOB NOT NULL,
    reinsurer BLOB NOT NULL,
    incident BLOB,
    -- From cedant to reinsurer.
    to_reinsurer INTEGER NOT NULL,
    -- From reinsurer to cedant.
    to_cedant INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX treaty_steps_of_cedants ON treaty_steps (cedant);
CREATE INDEX treaty_steps_of_reinsurers ON treaty_steps (reinsurer);

CREATE TABLE announcements (
    transaction_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    pool BLOB NOT NULL,
    what TEXT NOT NULL,
    -- What it is about: a product, a treaty, the other pool.
    subject BLOB NOT NULL,
    amount INTEGER,
    begins_at INTEGER NOT NULL,
    -- When it is void.
    until INTEGER,
    -- When it was done, withdrawn or replaced.
    ended_at INTEGER,
    PRIMARY KEY (pool, transaction_id, place)
) STRICT, WITHOUT ROWID;
