//! The ledger's rules by the examples of the book, as properties, and its tables on a real Postgres.

mod book;
mod breaks;
mod properties;
mod tables;
mod world;
