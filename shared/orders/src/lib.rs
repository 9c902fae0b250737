//! The stored order: insert, advance, fills, history.
