//! Test-only helpers: a database per test, fake clock and ids, builders.
