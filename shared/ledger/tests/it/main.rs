//! The ledger's rules by the examples of the book, as properties, and its tables on a real Postgres.

mod book;
mod breaks;
mod closing;
mod costs;
mod days;
mod fees;
mod proceeds;
mod properties;
mod settling;
mod shop;
mod tables;
mod world;
