//! The history of Backstop in SQLite: what the program's events say, by day and by hour.
