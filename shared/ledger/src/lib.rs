//! The double-entry ledger for cash and shares.
