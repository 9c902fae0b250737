//! Who is calling: account holders and their API keys.
//!
//! | module     | what                                                                     |
//! |------------|--------------------------------------------------------------------------|
//! | `accounts` | a customer's account: kind, status, and what it may not do at the moment |
//! | `keys`     | API keys: issued once, stored as a hash, revoked                         |
//! | `ring`     | [`KeyRing`]: from key and secret to the caller, fast and revocable       |
//! | `configurations` | what customers set about their accounts                          |
//! | `acts`     | what operators did, written with the act itself (V16)                    |
//! | `chain`    | those acts, sealed: each with a hash over it and the one before          |
//! | `limits`   | how much each customer may ask for                                       |
//!
//! Owns the tables `accounts`, `account_configurations`, `api_keys`, `admin_acts`, `audit_chain`, `tier_limits`,
//! `account_limits` and `churn_limits`. An account's balances are the ledger's.

pub mod accounts;
pub mod acts;
pub mod chain;
pub mod configurations;
pub mod keys;
pub mod limits;
mod ring;

pub use accounts::{Account, AccountKind, FlagChange, Flags, NewAccount, Tier};
pub use keys::{KeyId, KeyInfo, Secret, issue_key, revoke_key, revoked_among};
pub use ring::{AuthError, Caller, KeyRing, RingSettings};
